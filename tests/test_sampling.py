"""Stratified samples: everybody's chance, standard errors held against simulation."""

import numpy as np
import pytest

from segmentation import sampling
from segmentation.cores import spread
from segmentation.sampling import stratified


@pytest.fixture(scope="module")
def customers():
    """Three groups of unequal size in four correlated features."""
    generator = np.random.default_rng(3)
    parts = [generator.normal(mean, 1, (n, 4)) for mean, n in ((0, 2600), (2, 1100), (6, 307))]
    return np.concatenate(parts) @ generator.normal(size=(4, 4))


def test_up_to_the_size_everybody_is_taken(customers):
    for size in (len(customers), len(customers) + 1):
        sample = stratified(customers, size)
        assert sample.complete
        np.testing.assert_array_equal(sample.rows, np.arange(len(customers)))
        assert sample.standard_error(customers[:, 0]) == 0


def test_one_customer_comes_from_each_stratum(customers):
    sample = stratified(customers, 300, seed=4)
    assert len(sample) == len(np.unique(sample.rows)) == 300
    assert (np.diff(sample.rows) > 0).all() and not sample.complete
    scores = sampling._first_component(customers)
    along = scores[sample.rows][np.argsort(sample.strata)]
    assert (np.diff(along) >= 0).all()
    limits = np.sort(scores)[np.arange(300) * len(scores) // 300]
    assert (along >= limits).all()


def test_every_customer_has_the_same_chance(customers):
    draws = [stratified(customers, 400, seed=seed).rows for seed in range(600)]
    drawn = np.bincount(np.concatenate(draws), minlength=len(customers))
    expected = 600 * 400 / len(customers)
    assert abs(drawn - expected).max() < 6 * np.sqrt(expected)
    group = drawn[-307:].mean()
    assert group == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("size", [150, 1500])
def test_standard_error_is_the_spread_over_samples(customers, size):
    values = np.tanh(customers[:, 0]) + 0.3 * np.random.default_rng(0).normal(size=len(customers))
    members = values > 0.8
    samples = [stratified(customers, size, seed=seed) for seed in range(300)]
    for known in (values, members):
        means = [known[sample.rows].mean() for sample in samples]
        errors = [sample.standard_error(known[sample.rows]) for sample in samples]
        assert np.mean(means) == pytest.approx(known.mean(), abs=4 * np.std(means) / 300**0.5)
        assert np.mean(errors) == pytest.approx(np.std(means), rel=0.15)


def test_a_sample_is_at_least_as_exact_as_a_simple_random_one(customers):
    sample = stratified(customers, 500)
    along = sampling._first_component(customers)
    simple = along.std() * np.sqrt((1 - 500 / len(along)) / 500)
    assert sample.standard_error(along[sample.rows]) < 0.2 * simple


def test_values_that_are_missing_are_left_out(customers):
    sample = stratified(customers, 500)
    values = customers[sample.rows, 0].copy()
    values[::2] = np.nan
    assert sample.standard_error(values) > sample.standard_error(customers[sample.rows, 0])
    assert np.isnan(sample.standard_error(np.full(500, np.nan)))


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_number_of_cores_does_not_matter(customers, workers, monkeypatch):
    monkeypatch.setattr(sampling, "_BLOCK", 500)
    blocks = stratified(customers, 300).rows
    monkeypatch.setattr(
        sampling, "spread", lambda function, items: spread(function, items, workers=workers)
    )
    np.testing.assert_array_equal(stratified(customers, 300).rows, blocks)
