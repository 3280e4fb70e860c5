"""Rivals of K-Means and their scores, on points that can be worked by hand."""

import warnings

import numpy as np
import pandas as pd
import pytest

from segmentation import alternatives
from segmentation.dataset import Question

# Four points on a line, two and two: 0 1 10 11.
LINE = np.array([[0.0], [1.0], [10.0], [11.0]])
PAIRS = np.array([0, 0, 1, 1])


@pytest.fixture
def blobs():
    rng = np.random.default_rng(3)
    return np.vstack([rng.normal(centre, 0.3, (40, 2)) for centre in (0, 5, 10)])


def same_division(first, second):
    return len(set(zip(first, second, strict=True))) == len(set(first)) == len(set(second))


def test_scores_of_two_pairs_by_hand():
    table = alternatives.compare(LINE, {"pairs": PAIRS})
    row = table.loc["pairs"]
    # Silhouettes: (10.5 - 1) / 10.5 at the ends, (9.5 - 1) / 9.5 inside.
    assert row["silhouette"] == pytest.approx((9.5 / 10.5 + 8.5 / 9.5) / 2)
    assert row["macro_silhouette"] == pytest.approx((9.5 / 10.5 + 8.5 / 9.5) / 2)
    # Between: 4 * 5^2 = 100 on 1 degree of freedom; within: 4 * .5^2 = 1 on 2.
    assert row["calinski_harabasz"] == pytest.approx(100 / (1 / 2))
    # (.5 + .5) / 10: spread of the two over the distance of their centres.
    assert row["davies_bouldin"] == pytest.approx(0.1)
    assert (row["segments"], row["largest_share"], row["smallest_share"]) == (2, 0.5, 0.5)
    assert not row["degenerate"]


def test_noise_counts_in_shares_and_not_in_scores():
    row = alternatives.compare(
        np.vstack([LINE, [[500.0]]]), {"with noise": np.append(PAIRS, alternatives.NOISE)}
    ).loc["with noise"]
    assert row["noise_share"] == 0.2
    assert row["largest_share"] == 0.4
    assert row["calinski_harabasz"] == pytest.approx(200)
    assert row["rows"] == 5


def test_unequal_segments_weigh_alike_in_the_macro_silhouette():
    # 0 0 1 | 10: silhouettes 1 - .5/10, 1 - .5/10, 1 - 1/9, and 0 for the one alone.
    row = alternatives.compare(
        np.array([[0.0], [0.0], [1.0], [10.0]]), {"one alone": np.array([0, 0, 0, 1])}
    ).loc["one alone"]
    first = (0.95 + 0.95 + 8 / 9) / 3
    assert row["silhouette"] == pytest.approx(first * 3 / 4)
    assert row["macro_silhouette"] == pytest.approx(first / 2)


@pytest.mark.parametrize(
    ("sizes", "degenerate"),
    [
        ([95, 5], False),
        ([96, 4], True),  # over 95 %
        ([99, 1], True),
        ([60, 39, 1], False),  # exactly 1 %
        ([100, 60, 1], True),  # under 1 %
        ([100], True),
    ],
)
def test_degenerate_divisions_are_marked(sizes, degenerate):
    labels = np.repeat(range(len(sizes)), sizes)
    matrix = np.random.default_rng(0).normal(size=(len(labels), 2)) + labels[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        row = alternatives.compare(matrix, {"method": labels}).loc["method"]
    assert row["degenerate"] == degenerate
    if len(sizes) == 1:
        assert np.isnan(
            row[["silhouette", "calinski_harabasz", "davies_bouldin"]].astype(float)
        ).all()


def test_noise_hides_no_degenerate_division():
    # 96 of the 100 that are no noise: degenerate, though only 48 % of all.
    labels = np.repeat([0, 1, alternatives.NOISE], [96, 4, 100])
    matrix = np.random.default_rng(0).normal(size=(200, 2)) + labels[:, None]
    assert alternatives.compare(matrix, {"method": labels}).loc["method", "degenerate"]


def test_all_noise_has_no_scores():
    row = alternatives.compare(LINE, {"noise": np.full(4, alternatives.NOISE)}).loc["noise"]
    assert row["degenerate"]
    assert (row["segments"], row["noise_share"], row["largest_share"]) == (0, 1, 0)


def test_agreement_by_hand():
    # Pairs together in both 0, in one 2 of 6 each: (0 - 4/6) / (2 - 4/6) = -.5.
    table = alternatives.agreement({"a": np.array([0, 0, 1, 1]), "b": np.array([5, -1, 5, -1])})
    assert table.loc["a", "a"] == table.loc["b", "b"] == 1
    assert table.loc["a", "b"] == table.loc["b", "a"] == pytest.approx(-0.5)


def test_ward_by_hand():
    # Ward's height of a merge is sqrt(2 n m / (n + m)) times the distance of the centres.
    tree = alternatives.ward_tree(LINE)
    np.testing.assert_allclose(tree[:, 2], [1, 1, np.sqrt(2) * 10])
    assert same_division(alternatives.cut(tree, 2), PAIRS)
    assert sorted(set(alternatives.cut(tree, 4))) == [0, 1, 2, 3]


@pytest.mark.parametrize(("method", "height"), [("single", 9), ("complete", 11), ("average", 10)])
def test_other_linkages_by_hand(method, height):
    tree = alternatives.linkage_tree(LINE, method)
    assert tree[-1, 2] == pytest.approx(height)
    assert same_division(alternatives.cut(tree, 2), PAIRS)


def test_ties_give_fewer_segments_and_still_count_from_nought():
    labels = alternatives.cut(alternatives.ward_tree(np.repeat([[0.0], [1.0]], 5, axis=0)), 4)
    assert sorted(set(labels)) == [0, 1]


def test_average_linkage_sets_single_customers_apart():
    rng = np.random.default_rng(1)
    matrix = np.vstack([rng.normal(size=(200, 2)), [[30, 30]]])
    row = alternatives.compare(
        matrix, {"average": alternatives.cut(alternatives.linkage_tree(matrix, "average"), 2)}
    )
    assert row.loc["average", "silhouette"] > 0.8
    assert row.loc["average", "degenerate"]


def test_mixture_finds_groups_of_different_shape():
    rng = np.random.default_rng(5)
    matrix = np.vstack([rng.normal(0, [0.1, 3], (100, 2)), rng.normal([4, 0], [0.1, 3], (100, 2))])
    truth = np.repeat([0, 1], 100)
    assert same_division(alternatives.gaussian_mixture(matrix, 2, seed=1), truth)


def test_density_methods_find_blobs_and_noise(blobs):
    matrix = np.vstack([blobs, [[50.0, -50.0]]])
    truth = np.append(np.repeat([0, 1, 2], 40), alternatives.NOISE)
    assert same_division(alternatives.dbscan(matrix, 1.0, 4), truth)
    assert len(set(alternatives.hdbscan(matrix, 15)) - {alternatives.NOISE}) == 3


def test_neighbour_distances_by_hand():
    # The second neighbours of 0, 1, 10, 11 lie at 10, 9, 9, 10.
    np.testing.assert_allclose(alternatives.neighbour_distances(LINE, 2), [9, 9, 10, 10])
    np.testing.assert_allclose(alternatives.neighbour_distances(LINE, 99), [10, 10, 11, 11])


def test_the_knee_lies_farthest_below_the_chord():
    # Chord from 0 to 10 over five points: 0, 2.5, 5, 7.5, 10; the curve is farthest below at 3.
    assert alternatives.knee(np.array([0.0, 1, 2, 3, 10])) == 3
    assert alternatives.knee(np.zeros(5)) == 0


def test_many_equal_customers_are_one_dense_region():
    matrix = np.repeat([[0.0, 0.0], [1.0, 0.0]], 30, axis=0)
    assert alternatives.knee(alternatives.neighbour_distances(matrix, 4)) == 0
    assert same_division(alternatives.dbscan(matrix, 0.0, 4), np.repeat([0, 1], 30))


def test_eps_table(blobs):
    matrix = np.vstack([blobs, [[50.0, -50.0]]])
    table = alternatives.eps_table(matrix, np.array([1e-6, 1.0, 100.0]), 4)
    assert table["clusters"].tolist() == [0, 3, 1]
    np.testing.assert_allclose(table["noise_share"], [1, 1 / 121, 0])
    np.testing.assert_allclose(table["largest_share"], [0, 40 / 121, 1])


def test_cells_of_answers():
    customers = pd.DataFrame({"a": [1, 0, 2, 0], "b": [0, 0, 5, 0]})
    questions = (Question("a?", "a > 0"), Question("b?", "b > 0"))
    assert alternatives.rule_groups(customers, questions).tolist() == [1, 0, 2, 0]
    assert alternatives.rule_groups(customers, ()).tolist() == [0, 0, 0, 0]


def test_a_method_that_finds_the_groups_agrees_with_itself(blobs):
    def thirds(part):
        return (part[:, 0] > 2.5).astype(int) + (part[:, 0] > 7.5)

    assert alternatives.split_stability(blobs, thirds) == 1


def test_a_method_that_guesses_does_not(blobs):
    random = np.random.default_rng(0)
    stability = alternatives.split_stability(
        blobs, lambda part: random.integers(0, 3, len(part)), pairs=20
    )
    assert abs(stability) < 0.1


@pytest.mark.parametrize("n", [50, 51, 52, 53, 100])
def test_both_samples_are_compared_on_the_customers_they_share(n):
    # A method that gives every customer the same label whatever the sample has to agree.
    matrix = np.arange(n, dtype=float)[:, None]
    assert alternatives.split_stability(matrix, lambda part: part[:, 0].astype(int) % 7) == 1


def test_plain_silhouettes_standardise_first():
    # Two pairs 1 apart and 10 from each other, whatever the unit; a constant column is no column.
    points = pd.DataFrame({"x": [0, 1, 10, 11.0], "flat": 0.1, "empty": np.nan})
    table = alternatives.textbook_silhouettes(
        {"as is": points, "in cents": points * 100}, range(2, 3)
    )
    assert table.loc[2].tolist() == pytest.approx([(9.5 / 10.5 + 8.5 / 9.5) / 2] * 2)
