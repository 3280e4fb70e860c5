"""Whether the segmentation finds what is there: the true groups of the generated cardholders, and
the segments that are known of the public table.

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

from customer_tables.table import read_table
from segmentation import cleaning, naming, profiling
from segmentation.conditions import Customers, Members
from segmentation.dataset import DATA_FOLDER, load_dataset
from segmentation.features import build_features, fit_preparation
from segmentation.kmeans import fit_kmeans
from segmentation.stability import adjusted_rand, bootstrap_agreement

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "cc_general.csv"
GALLERY = Path(__file__).resolve().parents[1] / "results" / "gallery"
KNOWN = load_dataset("credit_card")
SEGMENTS = 6
NAMES = {"Cash-only users", "Instalment buyers", "High spenders", "Occasional one-off buyers"}
MORE_NAMES = {"Purchase-and-cash revolvers", "Revolving shoppers"}
NAMED = {
    "cash-only revolvers": "Cash-only users",
    "instalment shoppers": "Instalment buyers",
    "all-round buyers": "High spenders",
    "one-off buyers": "Occasional one-off buyers",
    "purchase-and-cash revolvers": "Purchase-and-cash revolvers",
}


class Prepared:
    """A table on its way to segments: its matrix, and its features made comparable."""

    def __init__(self, path: Path) -> None:
        customers = cleaning.clean(read_table(path).table, KNOWN).customers
        features = build_features(customers, KNOWN)
        steps = fit_preparation(features, KNOWN.features_with("segment"))
        self.matrix = steps.transform(features)
        self.customers = Customers(KNOWN, customers, features)
        self.standardised = profiling.standardise_evenly(features, list(KNOWN.features))

    def labels(self, n_init: int = 10, seed: int = 20, order=slice(None)) -> pd.Series:
        matrix = self.matrix.iloc[order]
        found = fit_kmeans(matrix.to_numpy(), SEGMENTS, n_init=n_init, seed=seed).labels
        return pd.Series(found, index=matrix.index)

    def names(self, labels: pd.Series) -> pd.Series:
        effects = profiling.effect_sizes(self.standardised.loc[labels.index], labels)
        rows = self.matrix.index.get_indexer(labels.index)
        members = Members(self.customers.take(rows), labels)
        named = naming.name_segments(effects, KNOWN, members)
        return labels.map({segment: entry.name for segment, entry in named.items()})


@pytest.fixture(scope="module")
def generated() -> Prepared:
    return Prepared(KNOWN.source_path)


@pytest.fixture(scope="module")
def labels(generated) -> pd.Series:
    return generated.labels()


@pytest.fixture(scope="module")
def truth(labels) -> pd.Series:
    table = pd.read_csv(DATA_FOLDER / "credit_card" / "truth.csv", dtype="str")
    return table.set_index("CUST_ID")["group"].loc[labels.index]


@pytest.mark.parametrize("seed", [1, 2, 20])
def test_segments_agree_with_the_true_groups(generated, truth, seed):
    labels = generated.labels(n_init=4, seed=seed)
    assert adjusted_rand(labels.to_numpy(), pd.factorize(truth)[0]) > 0.47


def test_most_groups_stay_together_in_a_segment_named_after_them(generated, truth, labels):
    together = pd.crosstab(truth, labels, normalize="index").max(axis=1)
    together = together.drop(["purchase-and-cash revolvers", "nearly dormant"])
    assert together.min() > 0.62 and together.mean() > 0.8
    names = generated.names(labels)
    assert set(names) == NAMES | MORE_NAMES
    assert pd.crosstab(truth, names).idxmax(axis=1).to_dict().items() >= NAMED.items()


def test_the_gallery_has_the_names_and_shares_of_these_segments(generated, labels):
    gallery, readme = GALLERY / "README.md", GALLERY.parents[1] / "README.md"
    shown = [line for line in gallery.read_text("utf-8").splitlines() if line.startswith("| ")]
    assert set(shown) < set(readme.read_text("utf-8").splitlines())
    table, names = pd.read_csv(KNOWN.source_path, index_col="CUST_ID"), generated.names(labels)
    measures = table[["PURCHASES", "BALANCE", "CASH_ADVANCE"]].assign(CUSTOMERS=1).groupby(names)
    shares = (measures.sum() / measures.sum().sum())[["CUSTOMERS", *measures.obj.columns[:3]]]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in shown[1:]]
    found = {name: [float(cell.rstrip("%")) / 100 for cell in cells] for name, *cells in rows}
    assert found == {name: pytest.approx(row, abs=0.006) for name, row in shares.T.items()}, (
        "make the gallery again: scripts/run.py, then scripts/make_gallery.py"
    )
    assert all(path.stat().st_size <= 150_000 for path in GALLERY.iterdir())


def test_names_survive_bootstrap_samples_a_shuffle_and_another_seed(generated, labels):
    agreement = naming.agreement_after_refits(
        generated.matrix.to_numpy(),
        generated.standardised,
        generated.names(labels),
        KNOWN,
        generated.customers,
        resamples=4,
        n_init=4,
    )
    assert agreement.min() > 0.93 and agreement.mean() > 0.95
    order = np.random.default_rng(5).permutation(len(labels))
    renamed = generated.names(generated.labels(n_init=4, seed=77, order=order))
    assert (renamed.loc[labels.index] == generated.names(labels)).mean() > 0.98


def test_six_segments_are_reproducible(generated):
    agreement = bootstrap_agreement(generated.matrix.to_numpy(), [SEGMENTS], pairs=6, n_init=4)
    assert agreement[SEGMENTS].mean() > 0.88  # measured: .94


@pytest.mark.skipif(not REAL.is_file(), reason="needs the public tables beside the project")
def test_the_public_table_has_the_expected_segments_and_they_are_reproducible():
    real = Prepared(REAL)
    assert set(real.names(real.labels())) >= NAMES
    agreement = bootstrap_agreement(real.matrix.to_numpy(), [SEGMENTS], pairs=8, n_init=4)
    assert agreement[SEGMENTS].mean() > 0.9  # measured: .96; the rule asks for .85
