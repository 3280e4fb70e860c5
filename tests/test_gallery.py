"""The README's gallery: its numbers are those that the embedded data give, its pictures small."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sample_run import report, write_results

import make_gallery as module
from customer_tables.errors import UserError
from customer_tables.table import read_table
from make_gallery import END, MOST_BYTES, START, insert, make_gallery, snippet
from segmentation.cleaning import clean
from segmentation.conditions import Customers, Members
from segmentation.dataset import DATA_FOLDER, load_dataset
from segmentation.features import build_features, fit_preparation
from segmentation.kmeans import fit_kmeans, order_by
from segmentation.naming import name_segments
from segmentation.profiling import amounts_of_value, effect_sizes, standardise_evenly, worth

ROOT = Path(__file__).resolve().parents[1]
GALLERY = ROOT / "results" / "gallery"
TOLERANCES = {"share": {"abs": 0.005}, "mean": {"rel": 0.01}}


@pytest.fixture(scope="module")
def content():
    return json.loads((GALLERY / "gallery.json").read_text("utf-8"))


@pytest.mark.slow
def test_the_gallery_tells_of_the_same_segments_as_the_data(content):
    again = "make the gallery again: scripts/run.py, then scripts/make_gallery.py"
    known = load_dataset("credit_card")
    table = read_table(DATA_FOLDER / "credit_card" / "customers.csv").table
    customers = clean(table, known).customers
    features = build_features(customers, known)
    matrix = fit_preparation(features, known.features_with("segment")).transform(features)
    # Twelve starts are enough to come near the best solution from any seed.
    fit = fit_kmeans(matrix.to_numpy(), content["k"], n_init=12, seed=20)
    amounts = amounts_of_value(known, customers, features)
    fit = order_by(fit, amounts[known.value].groupby(fit.labels).mean().to_numpy())
    labels = pd.Series(fit.labels + 1, index=matrix.index)
    effects = effect_sizes(standardise_evenly(features, list(known.features)), labels)
    tables = [worth(labels, amounts)[value.column] for value in known.values]
    sizes = labels.value_counts(normalize=True)
    assert content["customers"] == len(customers), again
    named = name_segments(effects, known, Members(Customers(known, customers, features), labels))
    for entry, name in zip(content["segments"], named.values(), strict=True):
        assert entry["name"] == name.name, again
        assert entry["share"] == pytest.approx(sizes[name.segment], abs=0.005), again
        for value, table in zip(entry["values"], tables, strict=True):
            for column, tolerance in TOLERANCES.items():
                expected = pytest.approx(table.loc[name.segment, column], **tolerance)
                assert value[column] == expected, (column, value["label"], name.name, again)


def test_the_texts_are_made_from_the_numbers_and_the_readme_shows_one_picture(content):
    text, readme = (p.read_text("utf-8") for p in (GALLERY / "README.md", ROOT / "README.md"))
    assert text == f"# Gallery\n\n{snippet(content)}"
    assert insert(readme, snippet(content, "results/gallery/", pictures=1)) == readme
    assert all(f"| {segment['name']} |" in readme for segment in content["segments"])


def test_pictures_are_few_and_small_and_described(content):
    names = [entry["file"] for entry in content["pictures"]]
    assert 1 <= len(names) <= 6
    assert {*names, "README.md", "gallery.json"} == {path.name for path in GALLERY.iterdir()}
    for entry in content["pictures"]:
        assert (GALLERY / entry["file"]).stat().st_size <= MOST_BYTES
        assert len(entry["alt"]) > 20
        picture = Image.open(GALLERY / entry["file"])
        assert picture.format == "PNG" and picture.width >= entry["width"], "larger than it is"


def png_of(values):
    buffer = io.BytesIO()
    Image.fromarray(values.astype("uint8")).save(buffer, format="png")
    return buffer.getvalue()


def test_a_large_picture_becomes_a_small_one():
    noise = np.random.default_rng(1).normal(128, 12, (700, 1400, 1)).repeat(3, axis=2)
    large = png_of(noise.clip(0, 255))
    assert len(large) > 3 * MOST_BYTES
    assert Image.open(io.BytesIO(module.small(large))).size == (module.MOST_WIDTH, 640)
    assert Image.open(io.BytesIO(module.small(png_of(np.zeros((200, 300, 3)))))).size == (300, 200)


def test_the_gallery_goes_after_its_mark_and_replaces_the_last_one(content):
    first = insert(f"# Title\n\n{START}\n\n## Next\n", "one\n")
    assert first.startswith(f"# Title\n\n{START}\n\none\n\n{END}")
    assert insert(first, "two\n") == first.replace("one", "two")
    picture = {"file": "x.png", "alt": '"><script>', "caption": "a\nb", "width": 9}
    hostile = snippet(content | {"pictures": [picture]})
    assert "<script>" not in hostile and 'title="a b"' in hostile


def write_run(folder, record=None, **about):
    """Write as little of a full run on the embedded data as a gallery needs."""
    write_results(folder, report() | {"generated": True} | about)
    record = {"schema": 1, "quick": False, "settings": {}} | (record or {})
    (folder / "manifest.json").write_text(json.dumps(record))
    for ending in ("png", "json"):
        figure = folder / "figures" / f"04_decision.{ending}"
        (folder / "figures" / f"06_profiles.{ending}").write_bytes(figure.read_bytes())
    return folder


@pytest.mark.parametrize(
    "changes",
    [{"record": {"quick": True}}, {"record": {"settings": {"k": 5}}}, {"generated": False}],
)
def test_only_a_full_run_on_the_embedded_data_is_shown(tmp_path, changes):
    results = write_run(tmp_path / "run", **changes)
    with pytest.raises(UserError, match="a full run on the embedded cardholders") as error:
        make_gallery(results, tmp_path / "gallery")
    assert len(str(error.value).splitlines()) == 3
    assert not (tmp_path / "gallery").exists()


def test_pictures_and_numbers_of_a_run(tmp_path, monkeypatch):
    taken = [(file, png_of(np.zeros((40, 60, 3)))) for file in module.PAGES]
    monkeypatch.setattr(module, "photograph", lambda results: taken)
    content = make_gallery(write_run(tmp_path / "run"), tmp_path / "gallery")
    files = {entry["file"] for entry in content["pictures"]} | {"README.md", "gallery.json"}
    assert files == {path.name for path in (tmp_path / "gallery").iterdir()}
    text = (tmp_path / "gallery" / "README.md").read_text("utf-8")
    assert "| High spenders | 30% | 78% | 30% |" in text and "Three segments." in text


def test_without_a_browser_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="there is no Chromium"):
        make_gallery(write_run(tmp_path / "run"), tmp_path / "gallery")
    assert not (tmp_path / "gallery").exists()
