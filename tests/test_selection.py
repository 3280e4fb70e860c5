"""How many segments: the elbow, the rule and the verdict, on made-up scans."""

import numpy as np
import pandas as pd
import pytest

from customer_tables.errors import UserError
from segmentation.kmeans import scan_kmeans
from segmentation.selection import (
    choice_frequency,
    choose_k,
    elbow,
    join_by_hand,
    pairs_to_join,
    verdict,
)
from segmentation.stability import Resamples


def scan_of(stability, **columns):
    """A scan from k = 2; by default a continuum with sizeable segments."""
    ks = range(2, 2 + len(stability))
    default = {
        "stability": stability,
        "smallest_share": 0.1,
        "silhouette": np.linspace(0.25, 0.2, len(ks)),
        "worst_jaccard": 0.8,
        "valley": 0.9,
        "valley_with_ends": 0.9,
        "apart_jaccard": np.nan,
    }
    return pd.DataFrame(default | columns, index=pd.Index(ks, name="k"), dtype=float)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("ks", "inertia", "expected"),
    [
        # Scaled to 0..1, the chord falls from 1 to 0; the curve is farthest below it at k = 4.
        ([2, 3, 4, 5, 6], [100, 60, 20, 10, 0], 4),
        ([2, 3, 4, 5, 6], [6e7, 5.6e7, 5.2e7, 5.1e7, 5e7], 4),
        ([5, 6, 7, 8], [100, 10, 5, 0], 6),
        ([6], [3.0], 6),  # nothing bends: the first k
        ([6, 7], [3.0, 2.0], 6),
        ([6, 7, 8], [0.0, 0.0, 0.0], 6),
    ],
)
def test_the_elbow_by_hand(ks, inertia, expected):
    assert elbow(np.array(ks), np.array(inertia)) == expected


LADDER = {"stability": [0.99, 0.92, 0.865, 0.855, 0.8], "smallest_share": 0.3}
# 2% of 2,000 customers has a standard error of 0.31%: from 1.49% on it may be 2% in truth
TINY = {"stability": [0.9] * 5, "smallest_share": [0.4, 0.1, 0.0149, 0.0148, 0.001]}
UNSURE = {"stability": [0.99, 0.9, 0.9, 0.9], "worst_jaccard": [0.9, 0.9, 0.75, 0.749]}
APART = {"stability": [0.9] * 5, "valley": [0.1, 0.2, 1 / 3, 0.34, 0.9], "apart_jaccard": 0.9}


@pytest.mark.parametrize(
    ("scan", "settings", "k", "qualified"),
    [
        # k from 2: the largest of 3 to 8 within .06 of the best in the range that is found again
        ({"stability": [0.99, 0.9, 0.5, 0.88, 0.845, 0.83, 0.2, 0.99]}, {}, 6, (3, 5, 6, 7)),
        (LADDER, {}, 4, (3, 4, 5, 6)),
        (LADDER, {"highest": 3}, 3, (3,)),
        (LADDER, {"lowest": 2}, 2, (2, 3, 4, 5, 6)),
        ({"stability": [0.9, 0.8, 0.799]}, {}, 3, (3,)),  # below .8 nothing is found again
        ({"stability": [0.9]}, {"lowest": 2}, 2, (2,)),  # a scan of one k
        (TINY, {}, 4, (3, 4)),
        (TINY, {"smallest": 0.0}, 6, (3, 4, 5, 6)),
        (UNSURE, {}, 4, (3, 4)),
        # groups that stand apart: the largest number of them, however stable others are
        (APART, {}, 4, (3, 4, 5, 6)),
        (APART | {"stability": [0.9, 0.5, 0.5, 0.99, 0.99]}, {}, 4, (3, 4, 5, 6)),
        (APART | {"apart_jaccard": [0.9, 0.85, 0.849, 0.9, 0.9]}, {}, 3, (3, 4, 5, 6)),
        (APART | {"smallest_share": [0.5, 0.001, 0.001, 0.1, 0.1]}, {}, 6, (5, 6)),
        # none qualifies: the most stable
        ({"stability": [0.99, 0.6, 0.7, 0.65]}, {}, 4, ()),
        ({"stability": [0.99] * 4, "smallest_share": 0.001}, {}, 3, ()),
        # set by hand
        ({"stability": [0.9, 0.3, 0.9]}, {"by_hand": 2}, 2, (2, 4)),
        ({"stability": [0.9, 0.3, 0.9]}, {"by_hand": 3}, 3, (4,)),
        ({"stability": [0.9] * 4}, {"by_hand": 3, "lowest": 20, "highest": 30}, 3, (3,)),
    ],
)
def test_the_rule(scan, settings, k, qualified):
    choice = choose_k(scan_of(**scan), customers=2_000, **settings)
    assert (choice.k, choice.qualified) == (k, qualified)
    assert choice.by_hand == ("by_hand" in settings) == (choice.reason == "set by hand")
    assert ("none meets" in choice.reason) == (not qualified)


@pytest.mark.parametrize(
    ("stability", "reason"),
    [
        ([0.99, 0.9, 0.95, 0.8], "the most stable of 3 to 5"),
        ([0.99, 0.95, 0.9, 0.8], "the largest number of 3 to 5 that is about as stable"),
        ([0.99, 0.6, 0.7, 0.65], "the most stable of 3 to 5, though none meets the rule"),
    ],
)
def test_the_reason_says_most_stable_only_of_the_most_stable(stability, reason):
    assert choose_k(scan_of(stability), customers=2_000).reason.startswith(reason)


def test_how_often_each_k_is_chosen_follows_the_pairs():
    agreement = {3: np.full(10, 0.9), 4: np.array([0.95] * 9 + [0.2]), 5: np.full(10, 0.5)}
    resampled = {
        k: Resamples(np.zeros((20, 1)), np.zeros((20, 1)), np.full((20, k), 0.9), values)
        for k, values in agreement.items()
    }
    scan = scan_of([0.0] * 3).set_axis([3, 4, 5])
    often = choice_frequency(scan, resampled, draws=300, customers=2_000)
    assert not choice_frequency(scan, resampled, customers=2_000, lowest=20, by_hand=3)
    # 4 is chosen where its mean is at least .87: where the odd pair is drawn at most once
    assert sum(often.values()) == pytest.approx(1) and set(often) == {3, 4}
    assert often[4] == pytest.approx(0.9**10 + 0.9**9, abs=0.06)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"by_hand": 12}, ["k = 12 is outside the scan", "k_min = 2 and k_max = 5"]),
        ({"lowest": 7, "highest": 9}, ["no scanned k lies in the actionable range 7 to 9"]),
    ],
)
def test_what_cannot_be_chosen_is_refused(settings, found):
    with pytest.raises(UserError) as caught:
        choose_k(scan_of([0.9] * 4), customers=2_000, **settings)
    assert all(text in str(caught.value) for text in found)


def judge(scan, null_silhouette=0.15, null_stability=0.7, **settings):
    """Judge beside permuted columns, which are clearer than anything and do not count."""
    nulls = {"same_margins": (null_silhouette, null_stability), "permuted": (1.0, 1.0)}
    rows = [
        {"null": null, "k": k, "silhouette": silhouette, "stability": stability}
        for null, (silhouette, stability) in nulls.items()
        for k in scan.index
    ]
    choice = choose_k(scan, customers=2_000, **settings)
    return verdict(scan, choice, pd.DataFrame(rows), actionable=(3, 8))


THREE = {"stability": [0.5, 0.9, 0.5], "silhouette": 0.3, "valley": 0.5}
UNSTABLE = {"stability": [0.7] * 3}


def gap(at_k, depth=0.3):
    """A gap at one of three k, where the groups are found again."""
    return {"valley": [depth if k == at_k else 0.9 for k in (2, 3, 4)], "apart_jaccard": 0.9}


@pytest.mark.parametrize(
    ("change", "settings", "word", "texts"),
    [
        (
            {},
            {},
            "reproducible",
            [
                "No separate groups were shown",
                "reach 0.70",
                "a convention",
                "At k = 3 the density of customers between the two segments least apart is still",
                "adjusted Rand index of fits on two samples is 0.90",
                "On null reference data, the index",
                "mean silhouette is 0.30 (weak structure",
                "at most 0.15. The segments are clearer",
            ],
        ),
        ({}, {"null_silhouette": 0.2801}, "constructed", ["about as clear."]),
        (UNSTABLE, {}, "constructed", ["partitioned differently."]),
        (UNSTABLE, {"null_silhouette": 0.3}, "constructed", ["about as clear and another"]),
        ({}, {"null_stability": np.nan}, "reproducible", ["(adjusted Rand index 0.90)"]),
        (
            gap(3),
            {"null_silhouette": 0.9},
            "natural",
            ["groups that stand apart", "at most 30% of"],
        ),
        (gap(3, 0.001), {}, "natural", ["falls to at most 1% of the lower peak."]),
        (gap(3, 0.0), {}, "natural", ["falls to nothing."]),
        (gap(2), {}, "reproducible", ["apart at k = 2, outside the actionable range of 3 to 8."]),
        (gap(4), {"by_hand": 3}, "reproducible", ["Groups stand apart at k = 4, not at this k."]),
        (
            {"valley_with_ends": [0.2, 0.9, 0.9]},
            {},
            "reproducible",
            ["The gaps at k = 2 are only those at the ends"],
        ),
        ({"valley": np.nan}, {}, "reproducible", ["At k = 3 a segment has fewer than 10 members"]),
    ],
)
def test_the_verdict_and_its_reasons_have_this_run_s_numbers(change, settings, word, texts):
    found = judge(scan_of(**THREE | change), **settings)
    assert found.word == word and len(found.reasons) == 3
    said = " ".join([found.sentence, *found.reasons])
    assert all(text in said for text in texts), said
    assert found.clearer == (settings.get("null_silhouette", 0.15) <= 0.28)
    assert "continuum" not in found.sentence


@pytest.mark.parametrize(("reached", "said"), [(0.81, True), (0.61, False), (np.nan, False)])
def test_null_reference_data_are_called_stable_only_where_they_are(reached, said):
    found = judge(scan_of(**THREE), null_stability=reached)
    assert ("without groups can be stable" in found.reasons[1]) == said


@pytest.fixture(scope="module")
def groups():
    """Five groups on a line, the last two of them near each other; and a scan."""
    places = np.repeat([0.0, 8.0, 16.0, 24.0, 30.0], 40)
    noise = np.random.default_rng(0).normal(scale=0.5, size=(200, 2))
    matrix = np.column_stack([places, np.zeros(200)]) + noise
    return matrix, scan_kmeans(matrix, range(2, 6), n_init=3), places


@pytest.mark.parametrize(
    ("join", "k", "expected", "lowest"),
    [
        ("4+5", 4, [0, 1, 2, 3, 3], True),
        ("1+2", 4, [0, 0, 1, 2, 3], False),
        ("4+5, 1+2", 3, [0, 0, 1, 2, 2], True),
    ],
)
def test_segments_that_are_joined_by_hand_begin_as_one(groups, join, k, expected, lowest):
    matrix, fits, places = groups
    found, said = join_by_hand(matrix, fits, join, k, matrix, -places)
    assert {n for n in fits if found[n] is not fits[n]} == {k + n for n in range(join.count("+"))}
    of_place = np.searchsorted(np.unique(places), places)
    together = pd.crosstab(np.array(expected)[of_place], found[k].labels)
    assert (together.max(axis=1) == together.sum(axis=1)).all() and found[k].k == k
    assert len(said) == join.count("+") and "100% of their members" in said[-1]
    above = found[k].inertia / fits[k].inertia - 1
    assert ("less than 0.05% above" in said[-1]) == lowest
    assert lowest or f"{above:.1%} above" in said[-1]
    choice = choose_k(scan_of([0.9] * 4), customers=200, by_hand=k, join=join)
    assert choice.reason.startswith(f"set by hand, with segments {join[0]} and {join[2]} of k = ")


@pytest.mark.parametrize(
    ("join", "k", "said"),
    [
        ("4", 4, "no pairs"),
        ("4+4", 4, "no pairs"),
        ("4+5,", 4, "no pairs"),
        ("4+6", 4, "4 and 6 of k = 5"),
        ("4+5", 0, "set k"),
        ("4+5", 5, "of k = 6"),
        ("1+2", 1, "of k = 2"),
    ],
)
def test_segments_that_there_are_not_are_not_joined(groups, join, k, said):
    matrix, fits, places = groups
    with pytest.raises(UserError, match=said):
        join_by_hand(matrix, fits, join, k, matrix, -places)


def test_without_pairs_nothing_is_joined(groups):
    assert pairs_to_join("") == [] and pairs_to_join("2+5, 10+3") == [(2, 5), (10, 3)]
    matrix, fits, places = groups
    assert join_by_hand(matrix, fits, "", 4, matrix, places) == (fits, [])
