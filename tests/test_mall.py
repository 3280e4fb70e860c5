"""The mall's visitors: read under every spelling, five segments by name."""

from pathlib import Path

import pandas as pd
import pytest
from fitted import Prepared
from sklearn.metrics import silhouette_score

from customer_tables.errors import UserError
from customer_tables.table import read_table
from segmentation import cleaning, selection, stability
from segmentation.dataset import DATA_FOLDER, load_dataset, match_dataset
from segmentation.kmeans import scan_kmeans

FOLDER = DATA_FOLDER / "mall"
REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "mall_customers.csv"
KS = range(2, 11)


@pytest.fixture(scope="module")
def known():
    return load_dataset("mall")


def decide(matrix):
    """Scan k as notebook 04 does, with fewer resamples; return scan, fits and the choice."""
    X = matrix.to_numpy()
    fits = scan_kmeans(X, KS, n_init=20, seed=20)
    refits = stability.resample_scan(X, fits, resamples=16, seed=20)
    scan = selection.stability_over_k(refits).join(selection.separation_over_k(X, fits))
    scan["silhouette"] = [silhouette_score(X, fits[k].labels) for k in KS]
    return scan, fits, selection.choose_k(scan, customers=len(X))


def test_the_planted_groups_come_back_with_their_names(known):
    prepared = Prepared.of(known)
    assert len(prepared.matrix) == 200
    _, fits, choice = decide(prepared.matrix)
    assert choice.k == 5
    truth = pd.read_csv(FOLDER / "truth.csv", dtype=str).set_index("CustomerID")["group"]
    labels = pd.Series(fits[5].labels, index=prepared.matrix.index)
    planted = truth.loc[labels.index].to_numpy()
    assert stability.adjusted_rand(labels.to_numpy(), pd.factorize(planted)[0]) > 0.95
    expected = {
        "high income and high score": "High earners who spend",
        "high income and low score": "High earners who hold back",
        "middle income and middle score": "Average visitors",
        "low income and high score": "Low earners who spend",
        "low income and low score": "Low earners who hold back",
    }
    groups = pd.Series(planted).groupby(labels.to_numpy()).agg(lambda group: group.mode()[0])
    named = prepared.named(labels)
    assert {s: entry.name for s, entry in named.items()} == groups.map(expected).to_dict()


@pytest.mark.parametrize(
    "header",
    [
        "CustomerID,Genre,Age,Annual_Income,Spending_Score",
        "CustomerID,Gender,Age,Annual Income (k$),Spending Score (1-100)",
        "Customer ID,Gender,Age,Annual_Income_(k$),Spending_Score",
        "customerid,sex,age,annualincome,spendingscore",
        "CUSTOMER ID,GENDER,AGE,ANNUAL INCOME (K$),SPENDING SCORE (1-100)",
    ],
)
def test_every_spelling_is_recognised(header, known, tmp_path):
    rows = (FOLDER / "customers.csv").read_text().splitlines()[1:]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    assert match_dataset(header.split(",")) == "mall"
    assert match_dataset([*header.split(","), "Profession", "Work", "Family"]) is None
    selected = cleaning.select_columns(read_table(path).table, known)
    assert {c.name for c in known.columns} == set(selected.customers)
    assert not selected.changes


def test_age_segments_where_it_is_asked_to(known):
    matrix = Prepared.of(known.segment_on(["income", " Score", "age"])).matrix
    assert list(matrix) == ["income", "score", "age"]
    moved = known.segment_on(["score", "age"])
    assert [f.name for f in moved.features_with("describe")] == ["income"]
    assert "segment_on" in moved.limits[0]
    assert known.segment_on([]) is known
    assert known.segment_on(["income", "score"]) is known


@pytest.mark.parametrize("names", [["incom", "score"], ["income"], ["income", "income"]])
def test_what_cannot_segment_is_refused(known, names):
    with pytest.raises(UserError, match="segment_on"):
        known.segment_on(names)


def test_the_public_table_has_the_published_silhouettes_and_five_segments(known):
    if not REAL.is_file():
        pytest.skip("needs the public tables beside the project")
    scan, _, choice = decide(Prepared(read_table(REAL).table, known).matrix)
    expected = [0.297, 0.468, 0.493, 0.554, 0.540, 0.526, 0.456, 0.455, 0.451]
    assert scan["silhouette"].to_list() == pytest.approx(expected, abs=0.005)
    assert choice.k == 5
    assert scan.loc[5, "stability"] >= 0.85
