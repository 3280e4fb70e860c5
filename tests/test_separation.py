"""Separation: valleys of density between groups, and amounts without their zeros."""

import numpy as np
import pytest

from segmentation.separation import least_apart, valley, valleys, without_ends


@pytest.mark.parametrize(
    ("apart", "low", "high"),
    [(0.0, 1, 1), (2.0, 0.8, 1), (4.0, 0.2, 0.45), (6.0, 0.0, 0.1), (50.0, 0, 0)],
)
def test_a_valley_deepens_with_the_distance(apart, low, high):
    # two normal groups at distance d: the density halfway is 2 exp(-d^2 / 8) of the peaks
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1, 4_000), rng.normal(apart, 1, 4_000)
    assert low <= valley(first, second) <= high
    assert valley(first * 1e6, second * 1e6) == pytest.approx(valley(first, second), abs=1e-6)


def test_a_valley_between_groups_without_spread():
    assert valley(np.zeros(20), np.ones(20)) == 0
    assert valley(np.zeros(20), np.zeros(20)) == 1


def test_the_pair_least_apart_counts_and_few_members_say_nothing():
    rng = np.random.default_rng(1)
    centres = np.array([[0.0, 0], [2, 0], [30, 0]])
    labels = np.repeat([0, 1, 2], 500)
    matrix = centres[labels] + rng.normal(size=(1_500, 2))
    depths = valleys(matrix, labels)
    assert depths[0, 2] == depths[1, 2] == 0 and depths[0, 1] > 0.7
    assert (depths == depths.T).all() and least_apart(matrix, labels) == depths[0, 1]
    assert np.isnan(least_apart(matrix[:509], np.repeat([0, 1], [500, 9])))


def test_the_discriminant_sees_a_gap_across_long_groups():
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1], 1_000)
    along = rng.normal(0, 10, 2_000)
    matrix = np.column_stack([along + 8 * labels, 0.5 * along + rng.normal(0, 0.3, 2_000)])
    assert valleys(matrix, labels)[0, 1] < 0.1
    assert valley(matrix[labels == 0, 0], matrix[labels == 1, 0]) > 0.8


def test_ends_of_an_amount_are_spread_over_the_others_and_scales_are_smoothed():
    rng = np.random.default_rng(3)
    amount = np.where(rng.random(2_000) < 0.5, 0, rng.normal(50, 5, 2_000))
    share = np.clip(rng.normal(0.6, 0.4, 2_000), 0, 1)
    scale = rng.integers(1, 6, 2_000).astype(float)
    yes = (rng.random(2_000) < 0.3).astype(float)
    filled = without_ends(np.column_stack([amount, share, scale, yes]))
    assert filled[:, 0].min() > 25 and len(np.unique(filled[:, 0])) == 2_000
    assert filled[:, 1].min() > 0 and filled[:, 1].max() < 1
    assert (filled[:, 2].round() == scale).mean() > 0.99
    assert ((filled[:, 3] > 0.5) == (yes == 1)).all()
    same = without_ends(np.column_stack([amount, share, scale, yes]))
    np.testing.assert_array_equal(filled, same)


def test_a_category_written_as_columns_of_yes_and_no_makes_no_gap():
    rng = np.random.default_rng(4)
    level, other = rng.integers(0, 3, (2, 3_000))
    written = np.hstack([np.eye(3)[level], np.eye(3)[other], rng.normal(size=(3_000, 2))])
    filled = without_ends(written)
    assert least_apart(written, level) == 0 and least_apart(filled, level) > 2 / 3
    assert filled.shape[1] == 4 and without_ends(written[:, 1:]).shape[1] == 5  # one level is gone
    np.testing.assert_allclose(filled[:, 2:].std(axis=0), np.sqrt(2 / 3), rtol=0.1)  # as three


def test_where_everybody_is_at_some_end_values_are_spread_at_random():
    rng = np.random.default_rng(7)
    amount = rng.random(600) * (np.arange(600) % 2)
    filled = without_ends(np.column_stack([amount, rng.random(600) * (np.arange(600) % 2 == 0)]))
    assert np.isfinite(filled).all() and filled.min() > 0


def test_counts_that_rise_together_have_no_gaps_between_their_steps():
    rng = np.random.default_rng(5)
    orders = rng.poisson(1.2, 3_000) + 1
    spent = np.log(orders * rng.lognormal(3, 0.5, 3_000))
    counts = np.column_stack([np.log(orders), np.minimum(orders, 3), spent])
    steps = np.minimum(orders, 3) - 1
    assert least_apart(counts, steps) == 0 and least_apart(without_ends(counts), steps) > 2 / 3


@pytest.mark.parametrize("answers", [2, 5])
def test_kinds_of_answers_stand_apart(answers):
    rng = np.random.default_rng(6)
    kind = np.repeat([0, 1], 1_500)
    given = rng.binomial(answers - 1, np.where(kind, 0.9, 0.1)[:, None], (3_000, 10))
    assert least_apart(without_ends(given), kind) < 1 / 3
