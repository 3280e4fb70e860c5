"""Null reference data: what they keep and destroy, and the statistics against scikit-learn."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.datasets import make_blobs
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from segmentation.kmeans import scan_kmeans
from segmentation.null_reference import (
    gap_statistic,
    gaussian_like,
    null_statistics,
    permuted,
    same_margins,
    same_zeros,
    scan_statistics,
    uniform_box,
)
from segmentation.silhouette import silhouettes

KS = range(2, 6)


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(300, 3, centers=3, center_box=(-15, 15), random_state=0)[0]


@pytest.fixture(scope="module")
def mass():
    rng = np.random.default_rng(3)
    return rng.multivariate_normal([5, 0, 0], [[4, 1.5, 0], [1.5, 1, 0], [0, 0, 1]], 300)


def test_permuted_keeps_columns_and_makes_them_independent(mass):
    reference = permuted(mass, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(reference, axis=0), np.sort(mass, axis=0))
    assert abs(np.corrcoef(reference[:, 0], reference[:, 1])[0, 1]) < 0.2
    assert np.corrcoef(mass[:, 0], mass[:, 1])[0, 1] > 0.6


def test_gaussian_keeps_mean_and_covariance(mass):
    follows = np.column_stack([np.tile(mass, (100, 1)), np.tile(2 * mass[:, 0], 100)])
    reference = gaussian_like(follows, np.random.default_rng(0))
    np.testing.assert_allclose(reference.mean(axis=0), follows.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(np.cov(reference.T), np.cov(follows.T), atol=0.3)
    np.testing.assert_allclose(reference[:, 3], 2 * reference[:, 0], atol=1e-6)
    assert gaussian_like(mass[:, :1], np.random.default_rng(1)).shape == (300, 1)


def zero_inflated(n=3_000):
    rng = np.random.default_rng(1)
    latent = rng.multivariate_normal([0, 0, 0], [[1, 0.6, -0.4], [0.6, 1, 0], [-0.4, 0, 1]], n)
    return np.column_stack([np.maximum(latent[:, 0], 0.3), latent[:, 1], latent[:, 2].round()])


def test_same_margins_keeps_every_column_s_values_and_the_rank_correlations():
    table = zero_inflated()
    reference = same_margins(table, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(reference, axis=0), np.sort(table, axis=0))
    np.testing.assert_allclose(
        spearmanr(reference).statistic, spearmanr(table).statistic, atol=0.03
    )
    assert not np.array_equal(reference, same_margins(table, np.random.default_rng(1)))


def test_same_margins_of_what_has_one_mass_only():
    one = np.column_stack([np.arange(50.0), np.full(50, 7.0)])  # a constant column has no ranks
    reference = same_margins(one, np.random.default_rng(0))
    assert sorted(reference[:, 0]) == list(range(50)) and (reference[:, 1] == 7).all()


def test_same_zeros_keeps_who_does_what_and_nothing_else():
    table = zero_inflated()
    reference = same_zeros(table, np.random.default_rng(0))
    does = table[:, 0] > table[:, 0].min()
    np.testing.assert_array_equal(reference[:, 0] > table[:, 0].min(), does)
    np.testing.assert_array_equal(np.sort(reference, axis=0), np.sort(table, axis=0))
    assert abs(spearmanr(reference[does, 0], reference[does, 1]).statistic) < 0.1
    assert spearmanr(table[does, 0], table[does, 1]).statistic > 0.3


def test_uniform_fills_the_box_along_the_principal_axes():
    line = np.linspace(-1, 1, 200)
    matrix = np.column_stack([line, line]) + [3, 7]
    reference = uniform_box(matrix, np.random.default_rng(0))
    np.testing.assert_allclose(reference[:, 1] - reference[:, 0], 4, atol=1e-9)
    assert matrix.min() <= reference.min() and reference.max() <= matrix.max()


def test_scan_statistics_agree_with_scikit_learn(blobs):
    fits = scan_kmeans(blobs, KS, n_init=4)
    silhouette = silhouettes(blobs, {k: fit.labels for k, fit in fits.items()})
    table = scan_statistics(blobs, fits, silhouette)
    assert list(table.index) == list(KS)
    for k, fit in fits.items():
        scores = silhouette[k]
        assert table.loc[k].to_dict() == pytest.approx(
            {
                "inertia": fit.inertia,
                "silhouette": silhouette_score(blobs, fit.labels),
                "macro_silhouette": np.mean([scores[fit.labels == s].mean() for s in range(k)]),
                "calinski_harabasz": calinski_harabasz_score(blobs, fit.labels),
                "davies_bouldin": davies_bouldin_score(blobs, fit.labels),
            }
        )


def test_the_null_table_is_tidy(mass):
    table = null_statistics(mass, KS, draws=2, sample=100, stability_ks=[3], pairs=2)
    assert list(table.columns[:4]) == ["null", "draw", "k", "inertia"]
    assert not table.duplicated(["null", "draw", "k"]).any()
    assert len(table) == 4 * 2 * len(KS)
    assert table.drop(columns="stability").notna().all(axis=None)
    known = table.groupby("null")["stability"].count()
    assert known.to_dict() == {"gaussian": 2, "permuted": 0, "same_margins": 2, "same_zeros": 2}
    assert table.duplicated("inertia").sum() == 0  # draws differ


def test_the_gap_chooses_three_blobs_and_one_mass(blobs, mass):
    for matrix, expected in ((blobs, 3), (mass, 1)):
        table = gap_statistic(matrix, scan_kmeans(matrix, KS, n_init=4), draws=6)
        assert list(table.index) == [1, *KS]
        assert table.index[table["chosen"]].tolist() == [expected]


def test_the_gap_is_the_mean_difference_of_logs(mass):
    fits = scan_kmeans(mass, [2, 3], n_init=3)
    table = gap_statistic(mass, fits, draws=4, n_init=2, seed=7)
    logs = []
    for source in np.random.SeedSequence(7).spawn(4):
        reference = uniform_box(mass, np.random.default_rng(source))
        solutions = scan_kmeans(reference, [2, 3], n_init=2, seed=7, sweeps=0)
        total = len(mass) * reference.var(axis=0).sum()
        logs.append(np.log([total, solutions[2].inertia, solutions[3].inertia]))
    inertias = [len(mass) * mass.var(axis=0).sum(), fits[2].inertia, fits[3].inertia]
    np.testing.assert_allclose(table["gap"], np.mean(logs, axis=0) - np.log(inertias))
    np.testing.assert_allclose(table["standard_error"], np.std(logs, axis=0) * np.sqrt(1.25))
