"""Whether the segmentation finds what is there: the generated card holders' true groups, and the
figures that others have published on the real table.

Measured on the generated table (8,950 card holders, seven true groups, six segments, the best of
three to ten starts, seven seeds): an adjusted Rand index of .495 to .496. It is no higher because
purchase-and-cash revolvers, a quarter of all, and the nearly dormant shade into their neighbours;
of each of the other five groups, 69 to 99 % lie in one segment. Names agreed for 97 to 99 % of
the customers after refits on bootstrap samples.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from customer_tables.table import read_table
from segmentation import cleaning, naming, profiling
from segmentation.alternatives import textbook_silhouettes
from segmentation.dataset import DATA_FOLDER, Dataset, load_dataset
from segmentation.features import build_features, fit_preparation
from segmentation.kmeans import fit_kmeans
from segmentation.stability import adjusted_rand, bootstrap_agreement

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "cc_general.csv"
SEGMENTS = 6
NAMES = {"Cash-advance users", "Instalment buyers", "High spenders", "Low-activity customers",
         "Purchase-and-cash revolvers", "Minimum-payment shoppers"}  # fmt: skip
needs_real = pytest.mark.skipif(
    not REAL.is_file(), reason="needs the public tables beside the project"
)


class Prepared(NamedTuple):
    """A table on its way to segments."""

    customers: pd.DataFrame
    features: pd.DataFrame
    matrix: pd.DataFrame
    standardised: pd.DataFrame


@pytest.fixture(scope="module")
def known() -> Dataset:
    return load_dataset("credit_card")


def prepare(path: Path, known: Dataset) -> Prepared:
    customers = cleaning.clean(read_table(path).table, known).customers
    features = build_features(customers, known)
    matrix = fit_preparation(features, known.features_with("segment")).transform(features)
    standardised = profiling.standardise_evenly(features, list(known.features))
    return Prepared(customers, features, matrix, standardised)


@pytest.fixture(scope="module")
def generated(known) -> Prepared:
    return prepare(known.source_path, known)


@pytest.fixture(scope="module")
def truth(generated) -> pd.Series:
    table = pd.read_csv(DATA_FOLDER / "credit_card" / "truth.csv", dtype="str")
    return table.set_index("CUST_ID")["group"].loc[generated.customers.index]


@pytest.fixture(scope="module")
def labels(generated) -> np.ndarray:
    return fit_kmeans(generated.matrix.to_numpy(), SEGMENTS, n_init=10, seed=20).labels


def names_of(prepared: Prepared, labels: np.ndarray, known: Dataset) -> pd.Series:
    """Each customer's segment name."""
    segments = pd.Series(labels, index=prepared.features.index)
    named = naming.name_segments(profiling.effect_sizes(prepared.standardised, segments), known)
    return segments.map({segment: entry.name for segment, entry in named.items()})


# --- generated card holders -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 20])
def test_segments_agree_with_the_true_groups(generated, truth, seed):
    labels = fit_kmeans(generated.matrix.to_numpy(), SEGMENTS, n_init=4, seed=seed).labels
    assert adjusted_rand(labels, pd.factorize(truth)[0]) > 0.47


def test_most_groups_stay_together(truth, labels):
    together = pd.crosstab(truth, labels, normalize="index").max(axis=1)
    shading = ["purchase-and-cash revolvers", "nearly dormant"]
    assert together.drop(shading).min() > 0.62
    assert together.drop(shading).mean() > 0.8


def test_each_segment_is_named_after_the_group_it_holds(generated, truth, labels, known):
    names = names_of(generated, labels, known)
    assert set(names) == NAMES
    shares = pd.crosstab(truth, names, normalize="index")
    assert shares.loc["cash-only revolvers"].idxmax() == "Cash-advance users"
    assert shares.loc["instalment shoppers"].idxmax() == "Instalment buyers"
    assert shares.loc["all-round buyers"].idxmax() == "High spenders"
    assert shares.loc["one-off buyers"].idxmax() == "Low-activity customers"
    assert shares.loc["purchase-and-cash revolvers"].idxmax() == "Purchase-and-cash revolvers"


def test_names_survive_bootstrap_samples(generated, labels, known):
    agreement = naming.agreement_after_refits(
        generated.matrix.to_numpy(),
        generated.standardised,
        names_of(generated, labels, known),
        known,
        resamples=4,
        n_init=4,
    )
    assert agreement.min() > 0.93
    assert agreement.mean() > 0.95


def test_names_survive_a_shuffle_and_another_seed(generated, labels, known):
    names = names_of(generated, labels, known)
    order = np.random.default_rng(5).permutation(len(labels))
    shuffled = Prepared(*(table.iloc[order] for table in generated))
    again = fit_kmeans(shuffled.matrix.to_numpy(), SEGMENTS, n_init=4, seed=77).labels
    renamed = names_of(shuffled, again, known)
    assert (renamed.loc[names.index] == names).mean() > 0.98


def test_six_segments_are_reproducible(generated):
    agreement = bootstrap_agreement(generated.matrix.to_numpy(), [SEGMENTS], pairs=6, n_init=4)
    assert agreement[SEGMENTS].mean() > 0.88  # measured: .94


# --- the public table -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(known) -> Prepared:
    return prepare(REAL, known)


@pytest.fixture(scope="module")
def spaces(known) -> dict[str, pd.DataFrame]:
    """The 17 columns as public analyses use them: medians in the gaps, with and without log1p."""
    selected = cleaning.select_columns(read_table(REAL).table, known).customers
    table = cleaning.index_customers(selected, known).customers.astype("float64")
    table = table.fillna(table.median())
    heavy = [c.name for c in known.columns if c.kind in ("money", "count")]
    return {"z": table, "log": table.assign(**np.log1p(table[heavy]))}


@pytest.fixture(scope="module")
def z_scores(spaces) -> np.ndarray:
    table = spaces["z"]
    return ((table - table.mean()) / table.std(ddof=0)).to_numpy()


@needs_real
def test_silhouettes_as_published(spaces):
    found = textbook_silhouettes(spaces, range(2, 11))
    published = {
        "z": [0.210, 0.251, 0.198, 0.193, 0.203, 0.208, 0.222, 0.226, 0.220],
        "log": [0.251, 0.224, 0.217, 0.218, 0.217, 0.220, 0.210, 0.181, 0.182],
    }
    for name, values in published.items():
        np.testing.assert_allclose(found[name], values, atol=0.005)


@needs_real
def test_inertia_as_published(z_scores):
    found = [fit_kmeans(z_scores, k, n_init=10, seed=42).inertia for k in range(2, 11)]
    published = [127785, 111975, 99062, 91490, 84827, 79856, 74485, 69829, 66466]
    np.testing.assert_allclose(found, published, rtol=0.002)


@needs_real
def test_components_as_published(z_scores):
    shares = PCA(8).fit(z_scores).explained_variance_ratio_.cumsum()
    published = [0.273, 0.476, 0.564, 0.639, 0.701, 0.759, 0.808, 0.851]
    np.testing.assert_allclose(shares, published, atol=0.001)


@needs_real
def test_six_segments_of_the_public_table_are_reproducible(real):
    agreement = bootstrap_agreement(real.matrix.to_numpy(), [SEGMENTS], pairs=8, n_init=4)
    assert agreement[SEGMENTS].mean() > 0.9  # measured: .96; the rule asks for .85


@needs_real
def test_the_public_table_has_the_expected_segments(real, known):
    labels = fit_kmeans(real.matrix.to_numpy(), SEGMENTS, n_init=10, seed=20).labels
    names = set(names_of(real, labels, known))
    assert names >= {"Cash-advance users", "Instalment buyers", "High spenders",
                     "Low-activity customers"}  # fmt: skip
