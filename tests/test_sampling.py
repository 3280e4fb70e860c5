"""Stratified samples: equal chances, and standard errors held against simulation."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from segmentation.sampling import estimates, stratified

DRAWS = 100


@pytest.fixture(scope="module")
def customers():
    """Three groups of unequal size in four correlated features."""
    generator = np.random.default_rng(3)
    parts = [generator.normal(mean, 1, (n, 4)) for mean, n in ((0, 2600), (2, 1100), (6, 307))]
    return np.concatenate(parts) @ generator.normal(size=(4, 4))


def test_up_to_the_size_all_are_taken(customers):
    sample = stratified(customers, len(customers))
    assert sample.complete and sample.rows.tolist() == list(range(len(customers)))
    assert sample.standard_error(customers[:, 0]) == 0


def test_one_customer_comes_from_each_stratum(customers):
    sample = stratified(customers, 300, seed=4)
    assert len(sample) == len(np.unique(sample.rows)) == 300
    assert (np.diff(sample.rows) > 0).all() and not sample.complete
    scores = PCA(1).fit_transform(customers)[:, 0]
    along = scores[sample.rows][np.argsort(sample.strata)]
    if along[0] > along[-1]:  # a component's direction is arbitrary
        scores, along = -scores, -along
    assert (np.diff(along) >= 0).all()
    limits = np.sort(scores)[np.arange(300) * len(scores) // 300]
    assert (along >= limits - 1e-9).all()
    simple = scores.std() * np.sqrt((1 - 300 / len(scores)) / 300)
    assert sample.standard_error(scores[sample.rows]) < 0.2 * simple


def test_every_customer_has_the_same_chance(customers):
    draws = [stratified(customers, 400, seed=seed).rows for seed in range(DRAWS)]
    drawn = np.bincount(np.concatenate(draws), minlength=len(customers))
    expected = DRAWS * 400 / len(customers)
    assert abs(drawn - expected).max() < 6 * np.sqrt(expected)
    assert drawn[-307:].mean() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("size", [150, 1500])
def test_the_standard_error_is_the_spread_over_samples(customers, size):
    values = np.tanh(customers[:, 0]) + 0.3 * np.random.default_rng(0).normal(size=len(customers))
    samples = [stratified(customers, size, seed=seed) for seed in range(DRAWS)]
    for known in (values, values > 0.8):
        means = [known[sample.rows].mean() for sample in samples]
        errors = [sample.standard_error(known[sample.rows]) for sample in samples]
        assert np.mean(means) == pytest.approx(known.mean(), abs=4 * np.std(means) / DRAWS**0.5)
        assert np.mean(errors) == pytest.approx(np.std(means), rel=0.2)


def test_values_that_are_missing_are_left_out(customers):
    sample = stratified(customers, 500)
    values = customers[sample.rows, 0].copy()
    values[::2] = np.nan
    assert sample.standard_error(values) > sample.standard_error(customers[sample.rows, 0])
    assert np.isnan(sample.standard_error(np.full(500, np.nan)))


def test_a_sample_of_a_sample_and_estimates_against_the_truth(customers):
    sample = stratified(customers, 500)
    fewer = sample.narrowed(customers[sample.rows], 100, seed=2)
    assert len(fewer) == 100 and set(fewer.rows) <= set(sample.rows)
    assert fewer.customers == len(customers)
    values = {"x": customers[sample.rows, 0], "y": customers[sample.rows, 1]}
    table = estimates(sample, values, {"x": customers[:, 0].mean()})
    assert table.loc["x", "estimate"] == values["x"].mean()
    off = table.loc["x", "estimate"] - table.loc["x", "everybody"]
    assert table.loc["x", "difference"] == off / table.loc["x", "standard_error"]
    assert np.isnan(table.loc["y", "everybody"])
