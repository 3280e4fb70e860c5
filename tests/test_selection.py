"""How many segments: the elbow, the rule and its words, on made-up scans."""

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
        "stability": stability, "smallest_share": 0.1,
        "silhouette": np.linspace(0.25, 0.2, len(ks)),
        "inertia": [1000 / k for k in ks], "null_silhouette": 0.15, "worst_jaccard": 0.8,
        "border_share": 0.2,
    }  # fmt: skip
    return pd.DataFrame(default | columns, index=pd.Index(ks, name="k"), dtype=float)


# --- the elbow ------------------------------------------------------------------------------------


def test_the_elbow_by_hand():
    # Scaled to 0..1, the chord falls from 1 to 0; the curve is farthest below it at k = 4.
    assert elbow(np.array([2, 3, 4, 5, 6]), np.array([100, 60, 20, 10, 0])) == 4
    assert elbow(np.array([2, 3, 4, 5, 6]), np.array([10, 6, 2, 1, 0]) * 1e6 + 5e7) == 4


def test_the_elbow_is_a_k_and_no_position():
    assert elbow(np.array([5, 6, 7, 8]), np.array([100, 10, 5, 0])) == 6


@pytest.mark.parametrize(
    ("ks", "inertia"), [([6], [3.0]), ([6, 7], [3.0, 2.0]), ([6, 7, 8], [0.0] * 3)]
)
def test_where_nothing_bends_the_first_k_stands(ks, inertia):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert elbow(np.array(ks), np.array(inertia)) == 6


# --- the rule -------------------------------------------------------------------------------------


def test_the_largest_reproducible_k_of_the_range():
    #        k: 2    3    4    5    6    7    8    9
    scan = scan_of([0.99, 0.9, 0.5, 0.86, 0.85, 0.84, 0.2, 0.99])
    choice = choose_k(scan)
    assert (choice.k, choice.qualified, choice.by_hand) == (6, (3, 5, 6), False)
    assert choice.reproducible
    assert choice.silhouette == 2


def test_a_tiny_segment_disqualifies():
    shares = [0.4, 0.1, 0.02, 0.0199, 0.001]
    choice = choose_k(scan_of([0.9] * 5, smallest_share=shares))
    assert (choice.k, choice.qualified) == (4, (3, 4))


def test_thresholds_and_range_are_the_users():
    scan = scan_of([0.99, 0.95, 0.9, 0.85, 0.8], smallest_share=[0.3, 0.2, 0.1, 0.05, 0.04])
    assert choose_k(scan, stability=0.94).k == 3
    assert choose_k(scan, stability=0.8, smallest=0.05).k == 5
    assert choose_k(scan, highest=4).k == 4
    assert choose_k(scan, lowest=2, highest=2).k == 2


def test_where_none_qualifies_the_most_stable_stands():
    choice = choose_k(scan_of([0.99, 0.6, 0.8, 0.7]))
    assert (choice.k, choice.qualified) == (4, ())
    assert not choice.reproducible
    assert "none" in choice.reason
    tiny = choose_k(scan_of([0.99] * 4, smallest_share=0.001))
    assert not tiny.reproducible


@pytest.mark.parametrize(("k", "reproducible"), [(2, True), (3, False), (5, True), (9, True)])
def test_a_k_set_by_hand_stands_and_is_judged(k, reproducible):
    choice = choose_k(scan_of([0.9, 0.3, 0.9, 0.9, 0.5, 0.5, 0.5, 0.9]), by_hand=k)
    assert (choice.k, choice.by_hand, choice.reason) == (k, True, "set by hand")
    assert choice.reproducible == reproducible


def test_a_k_set_by_hand_needs_no_actionable_range():
    assert choose_k(scan_of([0.9] * 4), lowest=20, highest=30, by_hand=3).k == 3


def test_a_k_that_was_not_scanned_is_refused():
    with pytest.raises(UserError) as caught:
        choose_k(scan_of([0.9] * 4), by_hand=12)
    assert "k = 12 is outside the scan" in str(caught.value)
    assert "k_min = 2 and k_max = 5" in str(caught.value)


def test_an_empty_actionable_range_is_refused():
    with pytest.raises(UserError, match="no scanned k lies in the actionable range 7 to 9"):
        choose_k(scan_of([0.9] * 4), lowest=7, highest=9)


def test_a_scan_of_one_k():
    choice = choose_k(scan_of([0.0, 0.9]).loc[[3]])
    assert (choice.k, choice.elbow, choice.silhouette) == (3, 3, 3)


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "word"),
    [(-1, "no substantial"), (0.25, "no substantial"), (0.2501, "weak"), (0.5, "weak"),
     (0.5001, "reasonable"), (0.7, "reasonable"), (0.7001, "strong"), (1, "strong"),
     (np.nan, "no substantial")],
)  # fmt: skip
def test_silhouette_words_at_their_borders(value, word):
    assert silhouette_word(value) == word


def judge(scan, by_hand=0, **settings):
    choice = choose_k(scan, by_hand=by_hand)
    nulls = {"one Gaussian": 0.12, "permuted columns": 0.15}
    return verdict(scan, choice, **{"null_silhouettes": nulls, "gap_k": 4} | settings)


def natural_scan(**columns):
    """Three groups that stand apart by every measure, with nothing to spare."""
    clear = {
        "silhouette": selection.NATURAL_SILHOUETTE + 1e-9,
        "null_silhouette": selection.NATURAL_SILHOUETTE - selection.NATURAL_EXCESS,
        "worst_jaccard": selection.VALID_JACCARD, "border_share": 1.0,
    }  # fmt: skip
    return scan_of([0, 0.85, 0], **{key: [0, value, 0] for key, value in (clear | columns).items()})


def test_natural_needs_space_between_segments():
    assert judge(natural_scan()).word == "natural"
    empty = {"silhouette": 0.3, "null_silhouette": 0.0}
    assert judge(natural_scan(**empty, border_share=selection.EMPTY_BORDERS)).word == "natural"


@pytest.mark.parametrize(
    "short",
    [
        {"silhouette": selection.NATURAL_SILHOUETTE},
        {"null_silhouette": selection.NATURAL_SILHOUETTE - selection.NATURAL_EXCESS + 1e-6},
        {"worst_jaccard": selection.VALID_JACCARD - 1e-6},
    ],
)
def test_short_of_one_condition_it_is_reproducible(short):
    assert judge(natural_scan(**short)).word == "reproducible"


@pytest.mark.parametrize(("stability", "word"), [(0.85, "reproducible"), (0.8499, "constructed")])
def test_reproducible_at_its_border(stability, word):
    found = judge(scan_of([0.1, stability, 0.1]))
    assert found.word == word
    assert ("is reached" in found.reasons[0]) == (word == "reproducible")
    assert found.sentence


def test_a_tiny_segment_is_not_called_reproducible():
    assert judge(scan_of([0.95] * 4, smallest_share=0.001)).word == "constructed"


def test_by_hand_is_judged_like_any_other():
    scan = scan_of([0.9, 0.3, 0.9])
    assert judge(scan, by_hand=2).word == "reproducible"
    assert judge(scan, by_hand=3).word == "constructed"


@pytest.mark.parametrize(
    ("gap_k", "told"), [(1, "no more than one group"), (3, "3 groups"), (5, "rises to the end")]
)
def test_the_gap_statistic_is_told_and_does_not_decide(gap_k, told):
    found = judge(scan_of([0.9] * 4), gap_k=gap_k)
    assert any(told in reason for reason in found.reasons)
    assert found.word == "reproducible"


@pytest.mark.parametrize(
    ("silhouette", "told"), [(0.16, "That is more"), (0.15, "That is not more")]
)
def test_the_silhouette_stands_beside_its_nulls(silhouette, told):
    reasons = judge(scan_of([0.9] * 4, silhouette=silhouette)).reasons
    assert any(told in reason and "0.15 on permuted columns" in reason for reason in reasons)
