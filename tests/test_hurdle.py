"""The hurdle mixture: made-up classes come back, the likelihood rises, odd columns do no harm."""

import numpy as np
import pandas as pd
import pytest

from customer_tables.errors import UserError
from segmentation import hurdle
from segmentation.stability import adjusted_rand


def classes(rows=1500):
    """Three classes that differ in what they do, and in how much of it; zeros stand at -1."""
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 3, rows)
    does = (
        rng.random((rows, 3))
        < np.array([[0.98, 0.02, 0.5], [0.02, 0.98, 0.5], [0.98, 0.98, 0.5]])[truth]
    )
    amounts = 2 + np.array([[0, 0, 0], [0, 0, 0], [3, 3, 3]])[truth] + rng.normal(0, 0.5, (rows, 3))
    return np.where(does, amounts, -1.0), does, truth


HURDLES = np.full(3, -1.0)


def test_classes_come_back_and_bic_finds_their_number():
    matrix, _, truth = classes()
    found = hurdle.scan(matrix, HURDLES, range(1, 6), seed=1)
    assert min(found, key=lambda k: found[k].bic) == 3
    assert adjusted_rand(found[3].labels, truth) > 0.85
    assert sorted(found[3].does[2]) == pytest.approx([0.5] * 3, abs=0.08)
    assert found[3].variances == pytest.approx([0.25] * 3, abs=0.05)


def test_the_likelihood_rises_at_each_step():
    matrix, _, _ = classes()
    for k in (1, 2, 4, 7):
        heights = hurdle.fit(matrix, HURDLES, k, seed=2).log_likelihoods
        assert len(heights) > 1 and (np.diff(heights) > -1e-6).all()


def test_one_class_by_hand():
    # Half pass; those who do stand at 1 and 3: mean 2, variance 1.
    model = hurdle.fit(np.array([-1.0, -1, -1, -1, 1, 1, 3, 3])[:, None], HURDLES[:1], 1, seed=0)
    assert [model.does[0, 0], model.means[0, 0], model.variances[0]] == [0.5, 2, 1]
    height = 8 * np.log(0.5) - 4 * np.log(2 * np.pi) / 2 - 4 / 2
    assert model.log_likelihoods[-1] == pytest.approx(height)
    assert model.bic == pytest.approx(3 * np.log(8) - 2 * height)


def test_without_hurdles_it_is_a_mixture_of_gaussians():
    rng = np.random.default_rng(3)
    truth = np.repeat([0, 1], 200)
    matrix = rng.normal(0, 1, (400, 2)) + 8 * truth[:, None]
    found = hurdle.scan(matrix, np.full(2, np.nan), [1, 2, 3], seed=1)
    assert min(found, key=lambda k: found[k].bic) == 2
    assert adjusted_rand(found[2].labels, truth) == 1


def test_columns_that_are_always_or_never_passed_do_no_harm():
    matrix, does, truth = classes()
    matrix[truth == 0, 1] = -1.0  # a class in which nobody passes
    flat = np.column_stack([matrix, np.full(len(matrix), -1.0), np.zeros(len(matrix))])
    model = hurdle.fit(flat, np.full(5, -1.0), 3, seed=1)
    assert np.isfinite(model.bic) and np.isfinite(model.means).all()
    assert adjusted_rand(model.labels, truth) > 0.85
    assert model.does[1].min() < 0.02 and model.does[3].max() < 1e-3


def test_hurdles_are_the_zeros_of_columns_that_have_some():
    features = pd.DataFrame({"some": [0, 0, 5.0, 7], "none": [1, 2, 3, 4.0], "all": np.zeros(4)})
    matrix = features.to_numpy() * 2 - 1
    found = hurdle.hurdle_values(matrix, features)
    np.testing.assert_array_equal(found, [-1, np.nan, np.nan])


def test_too_few_customers_are_refused_and_left_out_of_a_scan():
    matrix = classes(rows=30)[0]
    with pytest.raises(UserError, match="30 customers are too few for 5 classes"):
        hurdle.fit(matrix, HURDLES, 5, seed=1)
    assert list(hurdle.scan(matrix, HURDLES, range(1, 9), seed=1)) == [1]


def test_what_is_said_follows_the_difference():
    words = [hurdle.meaning(difference, 3) for difference in (0.1, 0.0, -0.1)]
    parts = ("classes depend more", "about as near", "segments separate")
    assert all(part in text for part, text in zip(parts, words, strict=True)), words
    assert "No column has a hurdle" in hurdle.meaning(0.1, 0)
