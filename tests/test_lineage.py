"""Lineage: counts, entropies and crossings by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest

from segmentation.lineage import flows, order_for_display, segment_stability

LABELS = {
    2: np.array([0, 0, 0, 0, 1, 1, 1, 1]),
    3: np.array([2, 2, 0, 0, 0, 0, 1, 1]),
    4: np.array([2, 2, 0, 0, 0, 3, 1, 1]),
}


def test_flows_by_hand():
    table = flows(LABELS)
    assert table.to_numpy().tolist() == [
        [2, 0, 3, 0, 2],
        [2, 0, 3, 2, 2],
        [2, 1, 3, 0, 2],
        [2, 1, 3, 1, 2],
        [3, 0, 4, 0, 3],
        [3, 0, 4, 3, 1],
        [3, 1, 4, 1, 2],
        [3, 2, 4, 2, 2],
    ]
    pd.testing.assert_frame_equal(table, flows(dict(reversed(LABELS.items()))))


UNEVEN = {2: np.array([0, 0, 0, 1, 1]), 3: np.array([0, 0, 0, 0, 1])}
ENTROPY = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))


@pytest.mark.parametrize(
    ("labelings", "k", "expected"),
    [
        (LABELS, 3, [0.0, 1.0, 1.0]),  # half and half; pure; pure
        (LABELS, 4, [1.0] * 4),
        (UNEVEN, 3, [1 - ENTROPY / np.log(2), 1.0]),
    ],
)
def test_stability_of_segments_by_hand(labelings, k, expected):
    jaccard = {n: np.linspace(0, 1, 2 * len(set(x))).reshape(2, -1) for n, x in labelings.items()}
    table = segment_stability(flows(labelings), jaccard)
    assert table.loc[k, "k"].tolist() == pytest.approx(expected)
    assert table.loc[2, "k"].isna().all()
    for n, each in jaccard.items():
        assert table.loc[n, "resamples"].tolist() == pytest.approx(each.mean(axis=0))


def crossings(table, orders):
    """Pairs of customers whose ribbons cross, counted one by one."""
    count = 0
    for _, part in table.groupby("k_from"):
        rows = part.itertuples(index=False)
        ribbons = [(orders[k].index(a), orders[m].index(b), size) for k, a, m, b, size in rows]
        for (left, right, size), (a, b, other) in itertools.combinations(ribbons, 2):
            count += size * other * ((left - a) * (right - b) < 0)
    return count


def test_ribbons_that_can_be_untangled_do_not_cross():
    table = flows(LABELS)
    orders = order_for_display(table)
    assert {k: sorted(order) for k, order in orders.items()} == {k: list(range(k)) for k in LABELS}
    assert crossings(table, {k: list(range(k)) for k in LABELS}) > 0
    assert crossings(table, orders) == 0


def test_the_display_order_is_better_than_the_numbering():
    rng = np.random.default_rng(0)
    table = flows({k: rng.integers(0, k, 60) for k in range(2, 9)})
    numbered = {k: list(range(k)) for k in range(2, 9)}
    assert crossings(table, order_for_display(table)) < crossings(table, numbered)
