"""Alternative methods and their scores, on points that can be worked by hand."""

import numpy as np
import pandas as pd
import pytest

from segmentation import alternatives
from segmentation.alternatives import NOISE, compare, cut, linkage_tree, ward_tree
from segmentation.dataset import Question
from segmentation.sampling import stratified
from segmentation.stability import adjusted_rand

# Four points on a line, two and two: 0 1 10 11.
LINE = np.array([[0.0], [1.0], [10.0], [11.0]])
PAIRS = np.array([0, 0, 1, 1])
NAN = np.nan
# Silhouettes of the pairs: (10.5 - 1) / 10.5 at the ends, (9.5 - 1) / 9.5 inside. Between them:
# 4 * 5^2 = 100 on 1 degree of freedom, within: 4 * .5^2 = 1 on 2. Spreads of .5 over a distance 10.
BY_HAND = {"silhouette": (9.5 / 10.5 + 8.5 / 9.5) / 2, "calinski_harabasz": 200.0}
BY_HAND |= {"macro_silhouette": BY_HAND["silhouette"], "davies_bouldin": 0.1}
ONE_ALONE = (0.95 + 0.95 + 8 / 9) / 3


@pytest.fixture
def blobs():
    rng = np.random.default_rng(3)
    return np.vstack([rng.normal(centre, 0.3, (40, 2)) for centre in (0, 5, 10)])


@pytest.mark.parametrize(
    ("points", "labels", "expected"),
    [
        (LINE, PAIRS, BY_HAND | {"segments": 2, "largest_share": 0.5, "smallest_share": 0.5}),
        (
            [*LINE, [500.0]],
            [*PAIRS, NOISE],  # counts in shares and not in scores
            BY_HAND | {"noise_share": 0.2, "largest_share": 0.4, "rows": 5},
        ),
        (
            [[0.0], [0.0], [1.0], [10.0]],
            [0, 0, 0, 1],  # unequal segments weigh alike in the macro silhouette
            {"silhouette": ONE_ALONE * 3 / 4, "macro_silhouette": ONE_ALONE / 2},
        ),
        (
            LINE,
            [NOISE] * 4,
            dict.fromkeys(BY_HAND, NAN)
            | {"segments": 0, "noise_share": 1, "largest_share": 0, "degenerate": True},
        ),
    ],
)
def test_scores_by_hand(points, labels, expected):
    row = compare(np.array(points), {"method": np.array(labels)}).loc["method"]
    assert row[list(expected)].to_dict() == pytest.approx(expected, nan_ok=True)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("sizes", "noise", "degenerate"),
    [
        ([95, 5], 0, False),
        ([96, 4], 0, True),  # over 95%
        ([99, 1], 0, True),
        ([60, 39, 1], 0, False),  # exactly 1%
        ([100, 60, 1], 0, True),  # below 1%
        ([100], 0, True),
        ([96, 4], 100, True),  # 96 of the 100 that are no noise, though only 48% of all
    ],
)
def test_degenerate_solutions_are_marked(sizes, noise, degenerate):
    labels = np.repeat([*range(len(sizes)), NOISE], [*sizes, noise])
    matrix = np.random.default_rng(0).normal(size=(len(labels), 2)) + labels[:, None]
    row = compare(matrix, {"method": labels}).loc["method"]
    assert row["degenerate"] == degenerate
    assert np.isnan(row["silhouette"]) == np.isnan(row["davies_bouldin"]) == (len(sizes) == 1)


def test_on_a_sample_the_silhouette_has_an_error(blobs):
    sample = stratified(blobs, 60, seed=1)
    table = compare(blobs[sample.rows], {"thirds": sample.rows // 40}, sample)
    columns = list(table)
    assert columns[columns.index("silhouette") + 1] == "silhouette_error"
    assert 0 < table.loc["thirds", "silhouette_error"] < 0.1
    assert "silhouette_error" not in compare(blobs, {"thirds": np.arange(120) // 40})


def test_agreement_by_hand():
    # Pairs together in both 0, in one 2 of 6 each: (0 - 4/6) / (2 - 4/6) = -.5.
    table = alternatives.agreement({"a": np.array([0, 0, 1, 1]), "b": np.array([5, -1, 5, -1])})
    np.testing.assert_allclose(table.loc[["a", "b"], ["a", "b"]], [[1, -0.5], [-0.5, 1]])


@pytest.mark.parametrize(
    ("method", "height"),
    # Ward's height of a merge is sqrt(2 n m / (n + m)) times the distance of the centres.
    [("ward", np.sqrt(2) * 10), ("single", 9), ("complete", 11), ("average", 10)],
)
def test_linkages_by_hand(method, height):
    tree = ward_tree(LINE) if method == "ward" else linkage_tree(LINE, method)
    np.testing.assert_allclose(tree[:, 2], [1, 1, height])
    assert adjusted_rand(cut(tree, 2), PAIRS) == 1
    assert sorted(set(cut(tree, 4))) == [0, 1, 2, 3]


def test_ties_give_fewer_segments_and_still_count_from_zero():
    assert set(cut(ward_tree(np.repeat([[0.0], [1.0]], 5, axis=0)), 4)) == {0, 1}


def test_a_mixture_finds_groups_of_different_shape():
    rng = np.random.default_rng(5)
    matrix = np.vstack([rng.normal(0, [0.1, 3], (100, 2)), rng.normal([4, 0], [0.1, 3], (100, 2))])
    found = alternatives.gaussian_mixture(matrix, 2, seed=1)
    assert adjusted_rand(found, np.repeat([0, 1], 100)) == 1


def test_density_methods_find_blobs_and_noise(blobs):
    matrix = np.vstack([blobs, [[50.0, -50.0]]])
    found = alternatives.dbscan(matrix, 1.0, 4)
    assert found[-1] == NOISE and len(set(found)) == 4
    assert adjusted_rand(found, np.append(np.repeat([0, 1, 2], 40), NOISE)) == 1
    assert len(set(alternatives.hdbscan(matrix, 15)) - {NOISE}) == 3
    table = alternatives.eps_table(matrix, np.array([1e-6, 1.0, 100.0]), 4)
    assert table["clusters"].tolist() == [0, 3, 1]
    np.testing.assert_allclose(table["noise_share"], [1, 1 / 121, 0])
    np.testing.assert_allclose(table["largest_share"], [0, 40 / 121, 1])


def test_neighbour_distances_and_their_knee_by_hand():
    # The second neighbours of 0, 1, 10, 11 lie at 10, 9, 9, 10.
    np.testing.assert_allclose(alternatives.neighbour_distances(LINE, 2), [9, 9, 10, 10])
    np.testing.assert_allclose(alternatives.neighbour_distances(LINE, 99), [10, 10, 11, 11])
    # Chord from 0 to 10 over five points: 0, 2.5, 5, 7.5, 10; the curve is farthest below at 3.
    assert alternatives.knee(np.array([0.0, 1, 2, 3, 10])) == 3
    assert alternatives.knee(np.zeros(5)) == 0
    equal = np.repeat([[0.0, 0.0], [1.0, 0.0]], 30, axis=0)
    assert alternatives.knee(alternatives.neighbour_distances(equal, 4)) == 0
    assert adjusted_rand(alternatives.dbscan(equal, 0.0, 4), np.repeat([0, 1], 30)) == 1


def test_groups_of_yes_no_rules():
    customers = pd.DataFrame({"a": [1, 0, 2, 0], "b": [0, 0, 5, 0]})
    rules = (Question("a?", "a > 0"), Question("b?", "b > 0"))
    assert alternatives.rule_groups(customers, rules).tolist() == [1, 0, 2, 0]
    assert alternatives.rule_groups(customers, ()).tolist() == [0, 0, 0, 0]


def test_a_method_agrees_with_itself_as_far_as_it_finds_groups(blobs):
    random, samples = np.random.default_rng(0), alternatives.overlapping(len(blobs), pairs=20)
    thirds, guesses = (
        alternatives.split_stability(alternatives.on_samples(blobs, samples, method))
        for method in (
            lambda part: (part[:, 0] > 2.5).astype(int) + (part[:, 0] > 7.5),
            lambda part: random.integers(0, 3, len(part)),
        )
    )
    assert thirds == 1 and abs(guesses) < 0.1


@pytest.mark.parametrize("n", [50, 51, 52, 53, 100])
def test_both_samples_are_compared_on_the_customers_they_share(n):
    # A method that gives every customer the same label whatever the sample has to agree.
    samples = alternatives.overlapping(n)
    assert alternatives.split_stability([rows % 7 for rows in samples]) == 1


def test_textbook_silhouettes_standardise_first():
    # Two pairs 1 apart and 10 from each other, whatever the unit; a constant column is no column.
    points = pd.DataFrame({"x": LINE[:, 0], "flat": 0.1, "empty": NAN})
    spaces = {"as is": points, "in cents": points * 100}
    table = alternatives.textbook_silhouettes(spaces, range(2, 9))
    assert table.index.tolist() == [2, 3]  # no more segments than different rows
    assert table.loc[2].tolist() == pytest.approx([BY_HAND["silhouette"]] * 2)


def test_regions_that_differ_in_a_zero_alone_are_told_from_others():
    features = pd.DataFrame({"a": [0.0] * 50 + [5.0] * 50, "b": [1.0, 2.0] * 50})
    regions = np.repeat([0, 1], 50)
    assert alternatives.apart_by_zeros(regions, features)
    assert not alternatives.apart_by_zeros(regions, features + 1)
    three = np.repeat([0, 1, 2], [50, 25, 25])
    assert not alternatives.apart_by_zeros(three, features), "two of them have no zero"
    assert alternatives.apart_by_zeros(np.where(three == 2, alternatives.NOISE, three), features)
