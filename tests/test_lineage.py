"""Lineage: counts, entropies and crossings by hand."""

import numpy as np
import pandas as pd
import pytest

from segmentation.lineage import flows, level_stability, order_for_display, segment_stability

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
    assert (table.groupby("k_to")["customers"].sum() == 8).all()
    pd.testing.assert_frame_equal(table, flows(dict(reversed(LABELS.items()))))


def test_level_stability_by_hand():
    table = level_stability(flows(LABELS)).set_index(["k", "segment"])["slsa"]
    assert table[3].tolist() == pytest.approx([0.0, 1.0, 1.0])  # half and half; pure; pure
    assert table[4].tolist() == pytest.approx([1.0] * 4)


def test_level_stability_of_an_uneven_mixture():
    table = level_stability(flows({2: np.array([0, 0, 0, 1, 1]), 3: np.array([0, 0, 0, 0, 1])}))
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert table["slsa"].tolist() == pytest.approx([1 - entropy / np.log(2), 1.0])


def crossings(table, orders):
    """Pairs of customers whose ribbons cross, counted one by one."""
    count = 0
    for _, part in table.groupby("k_from"):
        ribbons = [
            (
                orders[r.k_from].index(r.segment_from),
                orders[r.k_to].index(r.segment_to),
                r.customers,
            )
            for r in part.itertuples()
        ]
        for i, (left, right, size) in enumerate(ribbons):
            for other_left, other_right, other_size in ribbons[:i]:
                if (left - other_left) * (right - other_right) < 0:
                    count += size * other_size
    return count


def test_ribbons_that_can_be_untangled_do_not_cross():
    table = flows(LABELS)
    orders = order_for_display(table)
    assert {k: sorted(order) for k, order in orders.items()} == {
        2: [0, 1],
        3: [0, 1, 2],
        4: [0, 1, 2, 3],
    }
    assert crossings(table, {k: list(range(k)) for k in LABELS}) > 0
    assert crossings(table, orders) == 0


def test_display_order_is_never_worse_than_the_numbering():
    rng = np.random.default_rng(0)
    labels = {k: rng.integers(0, k, 60) for k in range(2, 9)}
    table = flows(labels)
    numbered = {k: list(range(k)) for k in labels}
    assert crossings(table, order_for_display(table)) < crossings(table, numbered)


def test_segment_stability_joins_resamples_and_levels():
    labelings = {2: np.array([0, 0, 1, 1]), 3: np.array([0, 1, 2, 2])}
    jaccard = {2: np.array([[1.0, 0.5], [0.5, 0.5]]), 3: np.array([[1.0, 0.2, 0.9]])}
    table = segment_stability(flows(labelings), jaccard)
    assert table.loc[(2, 0), "resamples"] == 0.75
    assert table.loc[(3, 1), "resamples"] == 0.2
    assert table.loc[[(2, 0), (2, 1)], "k"].isna().all()
    assert table.loc[[(3, 0), (3, 1), (3, 2)], "k"].tolist() == [1, 1, 1]
