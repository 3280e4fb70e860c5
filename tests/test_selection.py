"""How many segments: the elbow, the rule and the verdict, on made-up scans."""

import warnings

import numpy as np
import pandas as pd
import pytest

from customer_tables.errors import UserError
from segmentation import selection
from segmentation.selection import choose_k, elbow, silhouette_word, verdict


def scan_of(stability, **columns):
    """A scan from k = 2; by default a continuum with sizeable segments."""
    ks = range(2, 2 + len(stability))
    default = {
        "stability": stability,
        "smallest_share": 0.1,
        "silhouette": np.linspace(0.25, 0.2, len(ks)),
        "inertia": [1000 / k for k in ks],
        "null_silhouette": 0.15,
        "worst_jaccard": 0.8,
        "border_share": 0.2,
    }
    return pd.DataFrame(default | columns, index=pd.Index(ks, name="k"), dtype=float)


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
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert elbow(np.array(ks), np.array(inertia)) == expected


LADDER = {"stability": [0.99, 0.95, 0.9, 0.85, 0.8], "smallest_share": [0.3, 0.2, 0.1, 0.05, 0.04]}
TINY = {"stability": [0.9] * 5, "smallest_share": [0.4, 0.1, 0.02, 0.0199, 0.001]}


@pytest.mark.parametrize(
    ("scan", "settings", "k", "qualified"),
    [
        # k from 2: the largest in the range of 3 to 8 that is stable
        ({"stability": [0.99, 0.9, 0.5, 0.86, 0.85, 0.84, 0.2, 0.99]}, {}, 6, (3, 5, 6)),
        (TINY, {}, 4, (3, 4)),  # and has no tiny segment
        (LADDER, {"stability": 0.94}, 3, (3,)),
        (LADDER, {"stability": 0.8, "smallest": 0.05}, 5, (3, 4, 5)),
        (LADDER, {"highest": 4}, 4, (3, 4)),
        (LADDER, {"lowest": 2, "highest": 2}, 2, (2,)),
        # none qualifies: the most stable
        ({"stability": [0.99, 0.6, 0.8, 0.7]}, {}, 4, ()),
        ({"stability": [0.99] * 4, "smallest_share": 0.001}, {}, 3, ()),
        # set by hand
        ({"stability": [0.9, 0.3, 0.9]}, {"by_hand": 2}, 2, (2, 4)),
        ({"stability": [0.9, 0.3, 0.9]}, {"by_hand": 3}, 3, (4,)),
        ({"stability": [0.9] * 4}, {"by_hand": 3, "lowest": 20, "highest": 30}, 3, (3,)),
    ],
)
def test_the_rule(scan, settings, k, qualified):
    choice = choose_k(scan_of(**scan), **settings)
    assert (choice.k, choice.qualified) == (k, qualified)
    assert choice.reproducible == (k in qualified)
    assert choice.by_hand == ("by_hand" in settings) == (choice.reason == "set by hand")
    assert ("none meets" in choice.reason) == (not qualified)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"by_hand": 12}, ["k = 12 is outside the scan", "k_min = 2 and k_max = 5"]),
        ({"lowest": 7, "highest": 9}, ["no scanned k lies in the actionable range 7 to 9"]),
    ],
)
def test_what_cannot_be_chosen_is_refused(settings, found):
    with pytest.raises(UserError) as caught:
        choose_k(scan_of([0.9] * 4), **settings)
    assert all(text in str(caught.value) for text in found)


def test_a_scan_of_one_k():
    choice = choose_k(scan_of([0.0, 0.9]).loc[[3]])
    assert (choice.k, choice.elbow, choice.silhouette) == (3, 3, 3)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (-1, "no substantial"),
        (0.25, "no substantial"),
        (0.2501, "weak"),
        (0.5, "weak"),
        (0.5001, "reasonable"),
        (0.7, "reasonable"),
        (0.7001, "strong"),
        (np.nan, "no substantial"),
    ],
)
def test_silhouette_words_at_their_cuts(value, word):
    assert silhouette_word(value) == word


def judge(scan, gap_k=4, **settings):
    nulls = {"one Gaussian": 0.12, "permuted columns": 0.15}
    return verdict(scan, choose_k(scan, **settings), null_silhouettes=nulls, gap_k=gap_k)


NATURAL = {  # three groups that stand apart by every measure, with nothing to spare
    "stability": 0.85,
    "silhouette": selection.NATURAL_SILHOUETTE + 1e-9,
    "null_silhouette": selection.NATURAL_SILHOUETTE - selection.NATURAL_EXCESS,
    "worst_jaccard": selection.VALID_JACCARD,
    "border_share": 1.0,
}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({}, "natural"),
        ({"silhouette": 0.3, "null_silhouette": 0.0, "border_share": 0.02}, "natural"),
        ({"silhouette": 0.3, "null_silhouette": 0.0, "border_share": 0.021}, "reproducible"),
        ({"silhouette": selection.NATURAL_SILHOUETTE}, "reproducible"),
        ({"null_silhouette": NATURAL["null_silhouette"] + 1e-6}, "reproducible"),
        ({"worst_jaccard": selection.VALID_JACCARD - 1e-6}, "reproducible"),
        ({"stability": 0.8499}, "constructed"),
        ({"smallest_share": 0.001}, "constructed"),
    ],
)
def test_the_verdict_at_its_limits(change, word):
    values = NATURAL | {"smallest_share": 0.1} | change
    tiny = values.pop("smallest_share")
    at_three = {name: [0, value, 0] for name, value in values.items()}
    found = judge(scan_of(smallest_share=tiny, **at_three))
    assert found.word == word and found.sentence
    assert ("is reached" in found.reasons[0]) == (values["stability"] >= 0.85)
    assert any("too few" in reason for reason in found.reasons) == (tiny < 0.02)


def test_a_k_set_by_hand_is_judged_like_any_other():
    scan = scan_of([0.9, 0.3, 0.9])
    assert judge(scan, by_hand=2).word == "reproducible"
    assert judge(scan, by_hand=3).word == "constructed"


@pytest.mark.parametrize(
    ("gap_k", "silhouette", "texts"),
    [
        (1, 0.16, ["no more than one group", "That is more than"]),
        (3, 0.15, ["sees 3 groups", "That is not more than", "at most 0.12 on one Gaussian, 0.15"]),
        (5, 0.2, ["rises to the end of the scan (k = 5)", "20% of the customers stand near"]),
    ],
)
def test_the_reasons_quote_what_does_not_decide(gap_k, silhouette, texts):
    found = judge(scan_of([0.9] * 4, silhouette=silhouette), gap_k=gap_k)
    assert all(any(text in reason for reason in found.reasons) for text in texts), found.reasons
    assert found.word == "reproducible"
