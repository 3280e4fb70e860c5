"""Tables with more customers than carry the evidence: everybody has a segment all the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_notebooks_run import TWO_FEATURES, run_in_process, small_table

from customer_tables.table import read_table
from segmentation.kmeans import assign
from segmentation.model import load_model
from segmentation.scoring import assign_customers
from segmentation.stability import adjusted_rand

CUSTOMERS, EVIDENCE = 720, 180


@pytest.fixture(scope="module")
def pages() -> list:
    """What the notebooks show, in order."""
    return []


@pytest.fixture(scope="module")
def results(tmp_path_factory, pages) -> Path:
    """The results of all notebooks that cluster or describe, with a quarter as evidence."""
    folder = tmp_path_factory.mktemp("large")
    table = small_table(CUSTOMERS)
    table["v"] = np.round(np.exp(table["a"] / 4) * 100, 2)
    table.insert(0, "id", [f"c{place:04d}" for place in range(CUSTOMERS)])
    table.to_csv(folder / "table.csv", index=False)
    known = TWO_FEATURES + '[columns.v]\nkind = "money"\n[value]\ncolumn = "v"\n'
    (folder / "dataset.toml").write_text(known + '[columns.id]\nkind = "id"\n', encoding="utf-8")
    numbers = ("01", "02", "03", "04", "06", "07", "08", "09")
    given = dict.fromkeys(("evidence_rows", "ward_rows", "trial_rows"), EVIDENCE) | {"halves": 1}
    given["display"] = lambda thing, **_: pages.append(thing)
    run_in_process(folder / "results", folder, numbers, **given)
    return folder / "results"


@pytest.fixture(scope="module")
def listed(results) -> pd.DataFrame:
    return pd.read_csv(results / "segments.csv", index_col="customer").sort_index()


@pytest.fixture(scope="module")
def segments(results) -> pd.DataFrame:
    return pd.read_parquet(results / "stages" / "04_segments.parquet")


def clustering(results: Path) -> dict:
    return json.loads((results / "metrics.json").read_text())["clustering"]


def test_everybody_has_one_segment_and_the_planted_groups_are_found(results, listed):
    assert len(listed) == listed.index.nunique() == CUSTOMERS
    assert sorted(listed["segment"].unique()) == [1, 2, 3]
    assert clustering(results)["k"] == 3
    planted = np.repeat([0, 1, 2], CUSTOMERS // 3)
    assert adjusted_rand(planted, listed["segment"].to_numpy() - 1) > 0.99
    overview = pd.read_csv(results / "tables" / "04_segments.csv", index_col="segment")
    assert overview["customers"].to_dict() == listed["segment"].value_counts().to_dict()
    means = pd.read_csv(results / "tables" / "06_value.csv", index_col="segment")["mean"]
    assert (np.diff(means) < 0).all()  # ordered by everybody's value


def test_centres_are_the_means_of_everybody(results, segments):
    solution = json.loads((results / "stages" / "04_solution.json").read_text())
    matrix = pd.read_parquet(results / "stages" / "03_matrix.parquet")
    segments = segments["segment"]
    centres = np.array(solution["centres"])
    np.testing.assert_array_equal(assign(matrix.to_numpy(), centres), segments - 1)
    np.testing.assert_allclose(matrix.groupby(segments).mean(), centres, rtol=1e-9, atol=1e-12)


def test_the_model_gives_everybody_the_same_segment(results, listed):
    model = load_model(results / "model.json")
    again = assign_customers(model, read_table(results.parent / "table.csv").table)
    assert again["segment"].to_dict() == listed["segment"].to_dict()


def test_what_only_the_evidence_knows_is_left_open_for_the_others(segments):
    assert segments[["segment", "second_choice", "distance", "confidence"]].notna().all().all()
    assert segments["kept"].notna().sum() == segments["silhouette"].notna().sum() == EVIDENCE
    assert (segments["kept"].notna() == segments["silhouette"].notna()).all()


def test_the_pages_say_how_many_carry_the_evidence(results, pages):
    basis = f"{EVIDENCE} of {CUSTOMERS} "
    drawn = (results / "figures").glob("0[478]_*.json")
    figures = [json.loads(path.read_text())["caption"] for path in drawn]
    assert len(figures) > 8 and all(f"Based on {basis}" in caption for caption in figures)
    texts = [thing.data for thing in pages if isinstance(getattr(thing, "data", None), str)]
    captions = [re.search("<caption>(.*?)</caption>", text) for text in texts]
    captions = [found.group(1) for found in captions if found]
    sampled = [text for text in captions if f"({basis}" in text]
    assert any(text.startswith("Every statistic over k") for text in sampled)
    assert any(text.startswith("One rule for each segment") for text in sampled)
    assert not any(text.startswith(("The segments", "Size and value")) for text in sampled)
    assert any(f"The evidence is based on {basis}" in text for text in texts)
    flow = json.loads((results / "figures" / "09_flow.json").read_text())
    assert f" now against {EVIDENCE}." in flow["caption"]
    report = json.loads((results / "stages" / "06_report.json").read_text())
    assert any(f"sample of {basis}" in text for text in report["limits"])


def test_estimates_come_with_their_standard_errors(results):
    table = pd.read_csv(results / "tables" / "08_sample.csv", index_col="quantity")
    shares = table[table.index.str.startswith("share of")]
    assert len(shares) == clustering(results)["k"]
    assert (shares["standard_error"] > 0).all() and (shares["difference"].abs() < 5).all()
    np.testing.assert_allclose(shares[["estimate", "everybody"]].sum(), 1)
    scan = pd.read_csv(results / "tables" / "04_scan.csv", index_col="k")
    assert (scan["silhouette_error"] > 0).all()
    assert clustering(results)["evidence_customers"] == EVIDENCE
    assert clustering(results)["evidence_ari"] > 0.9
    comparison = pd.read_csv(results / "tables" / "07_comparison.csv", index_col="method")
    assert (comparison["rows"] == EVIDENCE).all()
    assert comparison.loc["K-Means", "silhouette_error"] > 0
