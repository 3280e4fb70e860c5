import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from customer_tables.errors import UserError
from segmentation.figures import reduction as figures
from segmentation.figures import segment_styles
from segmentation.reduction import (
    Split,
    complete_matrix,
    judge_labelings,
    judge_reductions,
    loadings,
    neighbourhood_quality,
    reconstruction_r2,
    split_rows,
    verdict,
)


def test_split_uses_every_row_once():
    split = split_rows(100, seed=1)
    parts = [split.train, split.validation, split.held_out]
    assert [len(part) for part in parts] == [64, 16, 20]
    assert sorted(np.concatenate(parts)) == list(range(100))


def test_split_depends_on_the_seed_alone():
    assert np.array_equal(split_rows(100, seed=1).train, split_rows(100, seed=1).train)
    assert not np.array_equal(split_rows(100, seed=1).train, split_rows(100, seed=2).train)


def test_split_refuses_a_handful():
    with pytest.raises(UserError, match="10 customers are too few"):
        split_rows(10, seed=1)


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_a_hole_in_the_matrix_is_named(hole):
    matrix = pd.DataFrame(np.zeros((4, 3)), columns=["limit", "balance", "payments"])
    matrix.iloc[2, 1] = hole
    with pytest.raises(UserError, match="1 values") as caught:
        complete_matrix(matrix, 2)
    assert "row 3, column balance" in str(caught.value)


@pytest.mark.parametrize("rank", [0, 3, 4])
def test_a_rank_has_to_reduce(rank):
    with pytest.raises(UserError, match="no reduction of 3 features"):
        complete_matrix(np.zeros((4, 3)), rank)


def test_reconstruction_by_hand():
    # About their means (1 and 0) the rows have squares 1 + 1 + 4 + 4 = 10; lost: 1 + 4 = 5.
    rows = np.array([[0.0, 2.0], [2.0, -2.0]])
    assert reconstruction_r2(rows, np.array([[1.0, 2.0], [2.0, 0.0]])) == pytest.approx(0.5)
    assert reconstruction_r2(rows, rows) == 1
    assert reconstruction_r2(rows, [[1, 0], [1, 0]]) == 0


def test_neighbourhoods_by_hand():
    # On a line a=0 b=1 c=3 d=7; the map swaps b and c. With one neighbour each row's map
    # neighbour has true rank 2, one too far: 1 - 2 / (4 * 1 * (8 - 3 - 1)) * 4 = 0.5; the
    # same holds the other way round.
    space, code = np.array([[0.0], [1], [3], [7]]), np.array([[0.0], [3], [1], [7]])
    assert neighbourhood_quality(space, code, 1) == pytest.approx((0.5, 0.5))


def test_a_fold_hurts_trust_and_a_tear_hurts_continuity():
    line = np.linspace(-1, 1, 61)[:, None]
    folded, torn = np.abs(line + 0.003), np.where(line > 0.3, line + 9 - 12 * line, line)
    trust, continuity = neighbourhood_quality(line, folded, 5)
    assert trust < continuity
    trust, continuity = neighbourhood_quality(
        np.hstack([np.cos(3.1 * line), np.sin(3.1 * line)]), line
    )
    assert continuity < trust
    assert neighbourhood_quality(line, torn, 5)[0] < 1


def test_neighbourhoods_agree_with_another_implementation():
    rng = np.random.default_rng(3)
    space = rng.normal(size=(80, 5))
    code = space[:, :2] + 0.3 * rng.normal(size=(80, 2))
    expected = (
        trustworthiness(space, code, n_neighbors=7),
        trustworthiness(code, space, n_neighbors=7),
    )
    assert neighbourhood_quality(space, code, 7) == pytest.approx(expected, abs=1e-12)


def test_neighbourhoods_refuse_too_many_neighbours():
    with pytest.raises(UserError, match="neighbours are too many"):
        neighbourhood_quality(np.zeros((10, 2)), np.zeros((10, 1)), 5)


def test_loadings_are_correlations():
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4))
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    pca = PCA().fit(rows)
    found = loadings(pca, list("abcd"))
    scores = pca.transform(rows)
    assert found.loc["b", "PC2"] == pytest.approx(np.corrcoef(rows[:, 1], scores[:, 1])[0, 1])
    assert np.allclose((found**2).sum(axis=1), 1)


def test_judging_looks_at_held_out_rows_only():
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(90, 3)) * [3, 2, 0.1]
    split = Split(np.arange(30), np.arange(30, 40), np.arange(40, 80))
    reductions = {("PCA", rank, -1): PCA(rank).fit(matrix[:40]) for rank in (1, 2)}
    found = judge_reductions(matrix, reductions, split)
    assert list(found.index.names) == ["method", "rank", "seed"]
    assert found.loc[("PCA", 2, -1), "held_out_r2"] > 0.99
    assert found["held_out_r2"].is_monotonic_increasing
    matrix[80:] = 1e6
    assert judge_reductions(matrix, reductions, split).equals(found)


def test_labelings_are_judged_in_one_space():
    # Two pairs on a line: each customer is 1 from its fellow, 10 or so from the others.
    matrix = np.array([[0.0], [1], [10], [11]])
    right, wrong = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    labelings = {("a", 1, 0): right, ("a", 1, 1): 1 - right, ("b", 1, 0): wrong}
    found = judge_labelings(matrix, labelings, right)
    expected = ((1 - 1 / 10.5) + (1 - 1 / 9.5)) / 2
    assert found.loc[("a", 1, 1), "silhouette"] == pytest.approx(expected)
    assert found.loc[("b", 1, 0), "silhouette"] < 0
    assert found["ari"].tolist() == pytest.approx([1, 1, -0.5])
    assert found["ari_between"].tolist() == pytest.approx([1, 1, np.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("rebuilds", "separates", "repeats", "words"),
    [
        (True, True, True, "a place in the segmentation"),
        (False, True, True, "a place in the segmentation"),
        (True, True, False, "other ones at each training"),
        (True, False, True, "as a compression"),
        (False, False, True, "no place"),
        (False, False, False, "no place"),
    ],
)
def test_the_verdict_follows_the_evidence(rebuilds, separates, repeats, words):
    assert words in verdict(rebuilds, separates, repeats)


# --- figures --------------------------------------------------------------------------------------


@pytest.mark.parametrize("distinct", [100, 1000])
def test_more_customers_than_an_eye_can_tell_apart_are_a_density(monkeypatch, distinct):
    monkeypatch.setattr(figures, "DISTINCT", distinct)
    points = np.random.default_rng(1).normal(size=(300, 2))
    segments = np.repeat([1, 2], [200, 100])
    figure = figures.segment_panels(points, segments, {1: "A", 2: "B"}, segment_styles(2))
    for ax, size in zip(figure.axes, (200, 100), strict=False):
        drawn = max(len(line.get_xdata()) for line in ax.lines)
        counted = [int(shades.get_array().sum()) for shades in ax.collections]
        if distinct == 100:
            assert drawn == 1  # the mean alone
            assert 290 <= counted[0] <= 300 and size - 10 <= counted[1] <= size
        else:
            assert drawn == 300 and not counted
    assert ("darker" in figure.get_supxlabel()) == (distinct == 100)
    plt.close(figure)
