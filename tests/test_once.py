"""What is computed once: taken for an equal call only, and never otherwise than computed."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from segmentation import once
from segmentation.claims import stated
from segmentation.kmeans import fit_kmeans, scan_kmeans
from segmentation.workspace import Workspace

X = np.random.default_rng(1).normal(size=(60, 3))
FIT = fit_kmeans(X, 2, n_init=1)


def returned(value, **_):
    return value


@pytest.fixture(autouse=True)
def _of_the_package(monkeypatch):
    monkeypatch.setattr(returned, "__module__", "segmentation.kmeans")


@pytest.fixture
def computed(monkeypatch):
    """What has been written, one content for each time that something is computed."""
    contents, write = [], once.write_private

    def noted(path, content):
        contents.append(content)
        write(path, content)

    monkeypatch.setattr(once, "write_private", noted)
    return contents


@pytest.mark.parametrize(
    "value",
    [
        None,
        0.1 + 0.2,
        float("nan"),
        np.float64(1) / 3,
        np.bool_(True),
        "é <b>",
        (1, "a", [2.5, None]),
        {1: "one", (2, "b"): {"x": True}},
        {"array": 0},
        *(np.array(a) for a in ([1, 2], [[np.nan, 1.5]], [], 7, ["a", "bc"], [True])),
        np.arange(6, dtype="int16").reshape(2, 3).T,
        pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None]}, index=pd.Index([3, 4], name="k")),
        pd.DataFrame({"a": [True]}).rename_axis("epoch"),
        FIT,
        {2: FIT, 3: [FIT, FIT]},
    ],
    ids=repr,
)
def test_a_kept_value_is_the_computed_one(tmp_path, computed, value):
    first, second = (once.once(tmp_path / "x", returned, value) for _ in range(2))
    assert len(computed) == 1
    for found in (first, second):
        assert type(found) is type(value)
        assert repr(once._packed(found, once._digest)) == repr(once._packed(value, once._digest))


def test_a_kept_scan_gives_the_same_numbers(tmp_path, computed):
    plain = scan_kmeans(X, range(2, 5), n_init=2)
    for _ in range(2):
        kept = once.once(tmp_path / "x", scan_kmeans, X, range(2, 5), n_init=2)
        assert [*kept] == [*plain]
        for k, fit in plain.items():
            assert kept[k].inertia == fit.inertia
            np.testing.assert_array_equal(kept[k].centres, fit.centres)
            np.testing.assert_array_equal(kept[k].labels, fit.labels, strict=True)
    assert len(computed) == 1


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (returned, np.array([object()])),
        (returned, {1, 2}),
        (returned, stated("{n} rows", n=3)),  # a claim would lose what it says
        (lambda value: value, 1),
        (len, [1]),
    ],
)
def test_what_cannot_be_kept_is_refused(tmp_path, function, value):
    with pytest.raises(TypeError):
        once.once(tmp_path / "x", function, value)


@pytest.mark.parametrize(
    ("function", "value", "settings"),
    [
        (returned, np.nextafter(X, 9), {"n": 2}),
        (returned, X.reshape(3, -1), {"n": 2}),
        (returned, X.view("int64"), {"n": 2}),
        (returned, X, {"n": 3}),
        (returned, X, {"n": 2.0}),
        (returned, X, {}),
        (scan_kmeans, X, {"ks": [2], "n_init": 1}),
    ],
)
def test_another_call_is_computed(tmp_path, computed, function, value, settings):
    path = tmp_path / "x"
    for _ in range(2):
        once.once(path, returned, X, n=2)
    assert len(computed) == 1
    once.once(path, function, value, **settings)
    assert len(computed) == 2
    once.once(path, returned, X, n=2)  # only the last is kept
    assert len(computed) == 3 and computed[0] == computed[2] != computed[1]


@pytest.mark.parametrize(
    ("name", "changed"),
    [("_CODE", once._CODE / "customer_tables"), ("_PACKAGES", ("numpy",))],
)
def test_other_code_and_other_versions_compute_again(
    tmp_path, computed, monkeypatch, name, changed
):
    once.once(tmp_path / "x", returned, X)
    once._surroundings.cache_clear()
    monkeypatch.setattr(once, name, changed)
    once.once(tmp_path / "x", returned, X)
    once._surroundings.cache_clear()
    assert len(computed) == 2


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:],
        lambda content: content[-once._SEAL :],
        lambda content: b"PK" + b"x" * 90,
        lambda content: content[:10] + content,
    ],
)
def test_a_damaged_file_is_replaced(tmp_path, computed, spoilt):
    path = tmp_path / "x"
    once.once(path, returned, X)
    path.write_bytes(spoilt(computed[0]))
    np.testing.assert_array_equal(once.once(path, returned, X), X)
    assert path.read_bytes() == computed[0] and len(computed) == 2


def test_a_file_is_numpys_own_and_its_owners_only(tmp_path):
    path = tmp_path / "x.npz"
    once.once(path, returned, [X, X])
    with np.load(path) as file:  # without objects
        _, array = file.values()
    np.testing.assert_array_equal(array, X)
    assert os.name == "nt" or path.stat().st_mode & 0o077 == 0


def test_a_notebook_leaves_what_it_used_last(tmp_path, shop, monkeypatch):
    monkeypatch.setattr("segmentation.workspace.display", lambda *_, **__: None)
    for stage, names in (("03", "a"), ("04", "ab"), ("04", "b")):
        ws = Workspace(stage, shop, tmp_path)
        for name in names:
            assert ws.once(name, returned, 3.5) == 3.5
        ws.finish()
    kept = sorted(path.name for path in (tmp_path / "stages").glob("kept_*"))
    assert kept == ["kept_03_a.npz", "kept_04_b.npz"]


@pytest.mark.parametrize("kind", [("subprocess", "Popen"), ("segmentation.once", "write_private")])
def test_a_file_runs_no_code(kind):
    harmful = {"class": [*kind], "fields": {"pairs": [["args", "true"]]}}
    with pytest.raises(TypeError, match="is not a dataclass of the package"):
        once._unpacked([harmful], [])
