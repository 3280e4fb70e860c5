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
from segmentation.dataset import DATA_FOLDER, load_dataset
from segmentation.features import build_features, fit_preparation
from segmentation.kmeans import fit_kmeans, order_by
from segmentation.naming import name_segments
from segmentation.profiling import effect_sizes, sizes_and_value, standardise_evenly
from segmentation.silhouette import mean, silhouettes

ROOT = Path(__file__).resolve().parents[1]
GALLERY = ROOT / "results" / "gallery"
SHARE, MEAN = 0.005, 0.01  # how far a share may be off, and a mean in proportion
STARTS = 12  # enough to come near the best solution from any seed


@pytest.fixture(scope="module")
def content():
    return json.loads((GALLERY / "gallery.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def numbers(content):
    return content["numbers"]


@pytest.fixture(scope="module")
def recomputed(numbers):
    """The segmentation of the embedded card holders into as many segments, from the table on."""
    known = load_dataset("credit_card")
    table = read_table(DATA_FOLDER / "credit_card" / "customers.csv").table
    customers = clean(table, known).customers
    features = build_features(customers, known)
    matrix = fit_preparation(features, known.features_with("segment")).transform(features)
    fit = fit_kmeans(matrix.to_numpy(), numbers["k"], n_init=STARTS, seed=20)
    value = customers[known.value]
    fit = order_by(fit, value.groupby(fit.labels).mean().to_numpy())
    labels = pd.Series(fit.labels + 1, index=matrix.index)
    effects = effect_sizes(standardise_evenly(features, list(known.features)), labels)
    named = name_segments(effects, known)
    return {
        "customers": len(customers),
        "inertia": fit.inertia,
        "silhouette": mean(silhouettes(matrix.to_numpy(), {fit.k: fit.labels})[fit.k]),
        "names": {str(segment): entry.name for segment, entry in named.items()},
        "sizes": sizes_and_value(labels, value, resamples=2, seed=1),
    }


# --- the numbers ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_gallery_tells_of_the_same_segments_as_the_data(numbers, recomputed):
    again = "make the gallery again: scripts/run.py, then scripts/make_gallery.py"
    assert numbers["customers"] == recomputed["customers"], again
    assert numbers["names"] == recomputed["names"], again
    assert numbers["inertia"] == pytest.approx(recomputed["inertia"], rel=0.002), again
    assert numbers["silhouette"] == pytest.approx(recomputed["silhouette"], abs=0.003), again
    for segment, row in recomputed["sizes"].iterrows():
        for name, tolerance in (
            ("share", {"abs": SHARE}),
            ("value_share", {"abs": SHARE}),
            ("value_mean", {"rel": MEAN}),
        ):
            told = numbers[name][str(segment)]
            assert told == pytest.approx(row[name], **tolerance), (name, segment, again)


def test_the_text_is_made_from_the_numbers(content, numbers):
    text = (GALLERY / "README.md").read_text(encoding="utf-8")
    assert text == f"# Gallery\n\n{snippet(content)}"
    assert f"fall into {numbers['k']} segments" in text
    assert all(f"| {name} |" in text for name in numbers["names"].values())


def test_the_readme_shows_the_first_picture_and_the_numbers(content):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first = content | {"pictures": content["pictures"][:1]}
    assert insert(readme, snippet(first, "results/gallery/")) == readme


# --- the pictures --------------------------------------------------------------------------------


def test_pictures_are_few_and_small_and_described(content):
    names = [entry["file"] for entry in content["pictures"]]
    assert 1 <= len(names) <= 6
    assert sorted([*names, "README.md", "gallery.json"]) == sorted(
        p.name for p in GALLERY.iterdir()
    )
    for entry in content["pictures"]:
        path = GALLERY / entry["file"]
        assert path.stat().st_size <= MOST_BYTES
        assert len(entry["alt"]) > 20
        picture = Image.open(path)
        assert picture.format == "PNG" and picture.width >= entry["width"], "larger than it is"


def png_of(values):
    buffer = io.BytesIO()
    Image.fromarray(values.astype("uint8")).save(buffer, format="png")
    return buffer.getvalue()


def test_a_large_picture_becomes_a_small_one():
    noise = np.random.default_rng(1).normal(128, 12, (700, 1400, 1)).repeat(3, axis=2)
    large = png_of(noise.clip(0, 255))
    assert len(large) > 3 * MOST_BYTES
    small = Image.open(io.BytesIO(module.small(large)))
    assert small.size == (module.FIGURE_WIDTH, 450)
    assert Image.open(io.BytesIO(module.small(png_of(np.zeros((200, 300, 3)))))).size == (300, 200)


# --- the text around it --------------------------------------------------------------------------


def test_the_gallery_goes_after_its_mark_and_replaces_the_last_one():
    first = insert(f"# Title\n\n{START}\n\n## Next\n", "one\n")
    assert first == f"# Title\n\n{START}\n\none\n\n{END}\n\n## Next\n"
    assert insert(first, "two\n") == first.replace("one", "two")
    with pytest.raises(ValueError, match="no <!-- gallery -->"):
        insert("# Title\n", "one\n")


def test_texts_cannot_leave_their_attribute(content):
    hostile = content | {
        "pictures": [{"file": "x.png", "alt": '"><script>', "caption": "a\nb", "width": 9}]
    }
    assert "<script>" not in snippet(hostile)
    assert 'title="a b"' in snippet(hostile)


# --- making it -----------------------------------------------------------------------------------


def write_run(folder, **changes):
    """Write as little of a full run on the embedded data as a gallery needs."""
    write_results(folder, report() | {"generated": True})
    numbers = json.loads((GALLERY / "gallery.json").read_text("utf-8"))["numbers"]
    of_k = {str(numbers["k"]): 0.9}
    metrics = {
        "cleaning": {"customers": 9},
        "clustering": numbers | {"stability": of_k, "inertia": of_k, "elbow_k": 3},
        "profiling": numbers,
    }
    record = {"schema": 1, "dataset": "credit_card", "quick": False, "settings": {}, "seed": 20}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "manifest.json").write_text(json.dumps(record | {"versions": {}} | changes))
    for ending in ("png", "json"):
        figure = folder / "figures" / f"04_decision.{ending}"
        (folder / "figures" / f"06_profiles.{ending}").write_bytes(figure.read_bytes())
    return folder


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({"quick": True}, "quick or other settings"),
        ({"settings": {"k": 5}}, "quick or other settings"),
        ({"dataset": "mall"}, "other data"),
        ({"schema": 99}, "no finished run"),
    ],
)
def test_only_a_full_run_on_the_embedded_data_is_shown(tmp_path, manifest, message):
    results = write_run(tmp_path / "run", **manifest)
    with pytest.raises(UserError, match=message) as error:
        make_gallery(results, tmp_path / "gallery")
    assert len(str(error.value).splitlines()) == 3
    assert not (tmp_path / "gallery").exists()


def test_pictures_and_numbers_of_a_run(tmp_path, monkeypatch):
    taken = [(file, png_of(np.zeros((40, 60, 3)))) for file, *_ in module.PAGES]
    monkeypatch.setattr(module, "photograph", lambda results: taken)
    content = make_gallery(write_run(tmp_path / "run"), tmp_path / "gallery")
    files = [entry["file"] for entry in content["pictures"]]
    assert sorted([*files, "README.md", "gallery.json"]) == sorted(
        path.name for path in (tmp_path / "gallery").iterdir()
    )
    assert content["pictures"][0]["alt"].endswith("“Three kinds of cardholders”: Three segments.")
    text = (tmp_path / "gallery" / "README.md").read_text("utf-8")
    assert "High spenders are 14% of the cardholders and make 42% of purchases." in text
    assert "the elbow alone would say 3, the silhouette alone 6" in text


def test_without_a_browser_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="there is no Chromium"):
        make_gallery(write_run(tmp_path / "run"), tmp_path / "gallery")
    assert not (tmp_path / "gallery").exists()
