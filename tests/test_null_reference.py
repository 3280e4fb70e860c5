"""Nulls: what they keep, what they destroy, and the statistics against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from segmentation.kmeans import scan_kmeans
from segmentation.null_reference import (
    gap_statistic,
    gaussian_like,
    null_statistics,
    permuted,
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
    shadow = permuted(mass, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort(shadow, axis=0), np.sort(mass, axis=0))
    assert abs(np.corrcoef(shadow[:, 0], shadow[:, 1])[0, 1]) < 0.2
    assert np.corrcoef(mass[:, 0], mass[:, 1])[0, 1] > 0.6


def test_gaussian_keeps_mean_and_covariance(mass):
    big = np.tile(mass, (100, 1))
    shadow = gaussian_like(big, np.random.default_rng(0))
    np.testing.assert_allclose(shadow.mean(axis=0), mass.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(np.cov(shadow.T), np.cov(mass.T), atol=0.1)


def test_gaussian_of_a_column_that_follows_from_others_and_of_one_column():
    column = np.random.default_rng(0).normal(size=(50, 1))
    shadow = gaussian_like(np.hstack([column, 2 * column]), np.random.default_rng(1))
    np.testing.assert_allclose(np.diff(shadow[:, 1] - 2 * shadow[:, 0]), 0, atol=1e-6)
    assert gaussian_like(column, np.random.default_rng(1)).shape == (50, 1)


def test_uniform_fills_the_box_along_the_principal_axes():
    line = np.linspace(-1, 1, 200)
    matrix = np.column_stack([line, line]) + [3, 7]
    shadow = uniform_box(matrix, np.random.default_rng(0))
    np.testing.assert_allclose(shadow[:, 1] - shadow[:, 0], 4, atol=1e-9)
    assert matrix.min() <= shadow.min() and shadow.max() <= matrix.max()


def test_scan_statistics_agree_with_scikit_learn(blobs):
    fits = scan_kmeans(blobs, KS, n_init=4)
    labels = {k: fit.labels for k, fit in fits.items()}
    table = scan_statistics(blobs, fits, silhouettes(blobs, labels))
    assert list(table.index) == list(KS)
    for k in KS:
        assert table.loc[k].to_dict() == pytest.approx(
            {
                "inertia": fits[k].inertia,
                "silhouette": silhouette_score(blobs, labels[k]),
                "macro_silhouette": table.loc[k, "macro_silhouette"],
                "calinski_harabasz": calinski_harabasz_score(blobs, labels[k]),
                "davies_bouldin": davies_bouldin_score(blobs, labels[k]),
            }
        )


def test_blobs_stand_out_from_every_null_and_a_mass_does_not(blobs, mass):
    for matrix, stands_out in ((blobs, True), (mass, False)):
        fits = scan_kmeans(matrix, KS, n_init=4)
        data = scan_statistics(
            matrix, fits, silhouettes(matrix, {k: fit.labels for k, fit in fits.items()})
        )
        nulls = null_statistics(matrix, KS, draws=2)
        highest = nulls.groupby("k")["silhouette"].max()
        assert (data.loc[3, "silhouette"] > highest[3] + 0.15) == stands_out
        assert ((data["silhouette"] - highest).max() > 0.05) == stands_out


def test_null_table_is_tidy_and_does_not_depend_on_threads(mass):
    tables = [
        null_statistics(mass, KS, draws=2, sample=100, stability_pairs=2, workers=workers)
        for workers in (1, 2, 4)
    ]
    pd.testing.assert_frame_equal(tables[0], tables[1], check_exact=True)
    pd.testing.assert_frame_equal(tables[0], tables[2], check_exact=True)
    assert list(tables[0].columns[:4]) == ["null", "draw", "k", "inertia"]
    assert not tables[0].duplicated(["null", "draw", "k"]).any()
    assert len(tables[0]) == 2 * 2 * len(KS)
    assert tables[0].notna().all(axis=None)
    assert tables[0].duplicated("inertia").sum() == 0  # draws differ


def test_gap_chooses_three_blobs_and_one_mass(blobs, mass):
    for matrix, expected in ((blobs, 3), (mass, 1)):
        table = gap_statistic(matrix, scan_kmeans(matrix, KS, n_init=4), draws=6)
        assert list(table.index) == [1, *KS]
        assert table.index[table["chosen"]].tolist() == [expected]


def test_gap_is_the_mean_difference_of_logs(blobs):
    fits = scan_kmeans(blobs, [2], n_init=3)
    reference = {"shift": 2 * blobs}  # twice as wide: inertia four times as large
    table = gap_statistic(blobs, fits, draws=3, reference=lambda *_: reference["shift"])
    np.testing.assert_allclose(table["gap"], np.log(4))
    np.testing.assert_allclose(table["standard_error"], 0, atol=1e-12)
    assert table.index[table["chosen"]].tolist() == [1]
