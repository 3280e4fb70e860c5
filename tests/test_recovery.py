"""Whether the segmentation finds what is there: the true groups of the generated cardholders, and
the segments and figures that are known of the public table.

Measured on the generated table (8,950 cardholders, seven true groups, six segments, the best of
three to ten initialisations, seven seeds): an adjusted Rand index of .495 to .496. It is no higher
because purchase-and-cash revolvers, a quarter of all, and the nearly dormant shade into their
neighbours; of each of the other five groups, 69 to 99 % lie in one segment. Names agreed for 97 to
99 % of the customers after refits on bootstrap samples.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fitted import Prepared
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from customer_tables.table import read_table
from segmentation import naming
from segmentation.alternatives import textbook_silhouettes
from segmentation.cleaning import check_types, select_columns
from segmentation.dataset import DATA_FOLDER
from segmentation.stability import adjusted_rand, bootstrap_agreement

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "cc_general.csv"
GALLERY = Path(__file__).resolve().parents[1] / "results" / "gallery"
SEGMENTS = 6
needs_the_public_table = pytest.mark.skipif(
    not REAL.is_file(), reason="needs the public tables beside the project"
)
NAMED = {
    "cash-only revolvers": "Cash-only users",
    "instalment shoppers": "Instalment buyers",
    "all-round buyers": "High spenders",
    "one-off buyers": "Occasional one-off buyers",
    "purchase-and-cash revolvers": "Purchase-and-cash revolvers",
}


@pytest.fixture(scope="module")
def labels(cardholders) -> pd.Series:
    return cardholders.labels(SEGMENTS)


@pytest.fixture(scope="module")
def truth(labels) -> pd.Series:
    table = pd.read_csv(DATA_FOLDER / "credit_card" / "truth.csv", dtype="str")
    return table.set_index("CUST_ID")["group"].loc[labels.index]


def test_segments_agree_with_the_true_groups_which_stay_together_and_name_them(
    cardholders, truth, labels
):
    for seed in (1, 2, 20):
        found = cardholders.labels(SEGMENTS, n_init=4, seed=seed)
        assert adjusted_rand(found.to_numpy(), pd.factorize(truth)[0]) > 0.47
    together = pd.crosstab(truth, labels, normalize="index").max(axis=1)
    together = together.drop(["purchase-and-cash revolvers", "nearly dormant"])
    assert together.min() > 0.62 and together.mean() > 0.8
    names = cardholders.names(labels)
    assert set(names) == {*NAMED.values(), "Revolving shoppers"}
    assert pd.crosstab(truth, names).idxmax(axis=1).to_dict().items() >= NAMED.items()


def test_the_gallery_has_the_names_and_shares_of_these_segments(cardholders, labels):
    gallery, readme = GALLERY / "README.md", GALLERY.parents[1] / "README.md"
    shown = [line for line in gallery.read_text("utf-8").splitlines() if line.startswith("| ")]
    assert set(shown) < set(readme.read_text("utf-8").splitlines())
    table, names = cardholders.customers, cardholders.names(labels)
    measures = table[["purchases", "balance", "cash_advance"]].assign(customers=1).groupby(names)
    shares = (measures.sum() / measures.sum().sum())[["customers", *measures.obj.columns[:3]]]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in shown[1:]]
    found = {name: [float(cell.rstrip("%")) / 100 for cell in cells] for name, *cells in rows}
    assert found == {name: pytest.approx(row, abs=0.006) for name, row in shares.T.items()}, (
        "make the gallery again: scripts/run.py, then scripts/make_gallery.py"
    )
    assert all(path.stat().st_size <= 150_000 for path in GALLERY.iterdir())


def test_six_segments_and_their_names_survive_samples_a_shuffle_and_another_seed(
    cardholders, labels
):
    matrix, names = cardholders.matrix.to_numpy(), cardholders.names(labels)
    agreement = naming.agreement_after_refits(
        matrix,
        cardholders.even,
        names,
        cardholders.known,
        cardholders.everybody,
        resamples=4,
        n_init=4,
    )
    assert agreement.min() > 0.93 and agreement.mean() > 0.95
    order = np.random.default_rng(5).permutation(len(labels))
    renamed = cardholders.names(cardholders.labels(SEGMENTS, n_init=4, seed=77, order=order))
    assert (renamed == names).mean() > 0.98
    pairs = bootstrap_agreement(matrix, [SEGMENTS], pairs=6, n_init=4)
    assert pairs[SEGMENTS].mean() > 0.88  # measured: .94


@needs_the_public_table
def test_the_public_table_has_the_expected_segments_and_they_are_reproducible(cardholders):
    real = Prepared(read_table(REAL).table, cardholders.known)
    expected = set(NAMED.values()) - {"Purchase-and-cash revolvers"}
    assert set(real.names(real.labels(SEGMENTS))) >= expected
    agreement = bootstrap_agreement(real.matrix.to_numpy(), [SEGMENTS], pairs=8, n_init=4)
    assert agreement[SEGMENTS].mean() > 0.9  # measured: .96; the rule asks for .85


# Public notebooks on the table: 17 columns, gaps filled with the median, ten initialisations,
# k from 2 to 10; "log" takes log1p of amounts and counts first. PCA: cumulative share of variance.
SILHOUETTES = {
    "z-scores": [0.210, 0.251, 0.198, 0.193, 0.203, 0.208, 0.222, 0.226, 0.220],
    "log, z-scores": [0.251, 0.224, 0.217, 0.218, 0.217, 0.220, 0.210, 0.181, 0.182],
}
VARIANCE = {
    "z-scores": [0.273, 0.476, 0.564, 0.639, 0.701, 0.759, 0.808, 0.851],
    "log, z-scores": [0.339, 0.558, 0.652, 0.726, 0.792, 0.842, 0.883, 0.915],
}


@needs_the_public_table
def test_figures_that_public_analyses_quote_are_met(cardholders):
    known = cardholders.known
    table = check_types(select_columns(read_table(REAL).table, known).customers, known).customers
    table = table[[column.name for column in known.columns if column.is_numeric]]
    table = table.fillna(table.median())
    heavy = [c.name for c in known.columns if c.kind in ("money", "count")]
    spaces = {"z-scores": table, "log, z-scores": table.assign(**np.log1p(table[heavy]))}
    found = textbook_silhouettes(spaces, range(2, 11))
    for name, space in spaces.items():
        assert found[name].tolist() == pytest.approx(SILHOUETTES[name], abs=0.005)
        ratios = PCA(8).fit(StandardScaler().fit_transform(space)).explained_variance_ratio_
        assert ratios.cumsum() == pytest.approx(VARIANCE[name], abs=0.001)
