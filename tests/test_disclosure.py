"""What may be published about few customers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation import disclosure, rfm
from segmentation.model import describe_training

quick = settings(max_examples=40, derandomize=True, database=None, deadline=None)


def series(sizes: list[int]) -> pd.Series:
    return pd.Series(np.repeat(np.arange(1, len(sizes) + 1), sizes), name="segment")


@pytest.mark.parametrize(
    ("sizes", "centres", "hosts"),
    [
        ([30, 1, 40, 3], [0.0, 9.0, 10.0, 1.0], [1, 3, 3, 1]),
        ([40, 6, 5], [0.0, 9.0, 10.0], [1, 2, 2]),
        ([10, 12, 40], [0.0, 1.0, 2.0], [1, 2, 3]),
    ],
)
def test_small_segments_are_counted_in_with_the_nearest(sizes, centres, hosts):
    merged = disclosure.merge_small(series(sizes), np.array(centres)[:, None])
    expected = pd.Series(np.repeat(hosts, sizes), name="segment")
    pd.testing.assert_series_equal(merged, expected)


@quick
@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(1, 25))
def test_whatever_is_shown_stands_for_enough(sizes, least):
    labels = series(sizes)
    centres = np.random.default_rng(1).normal(size=(len(sizes), 2))
    merged = disclosure.merge_small(labels, centres, least)
    assert all(
        sizes[host - 1] == max(sizes[s - 1] for s in set(labels[merged == host]))
        for host in set(merged)
    )
    answers = disclosure.merge_rare(labels.map(lambda s: f"a{s}"), least).value_counts()
    for shown in (merged.value_counts(), answers):
        assert shown.sum() == len(labels)
        assert (shown >= least).all() or len(shown) == 1


@quick
@given(st.lists(st.integers(0, 40), min_size=16, max_size=16), st.integers(1, 25))
def test_no_suppressed_cell_stands_alone(cells, least):
    counts = np.array(cells).reshape(4, 4)
    hidden = disclosure.suppressed(counts, least, diagonal=True)
    assert hidden[(counts > 0) & (counts < least)].all()
    assert (counts[hidden] > 0).all(), "an empty cell is published"
    masks, values = ([*t, *t.T, t.diagonal()] for t in (hidden, counts))
    for mask, line in zip(masks, values, strict=True):
        assert mask.sum() != 1 or (line[~mask] == 0).all()


@pytest.mark.parametrize(
    ("counts", "hidden"), [([[10, 11], [12, 13]], 0), ([[9, 11], [12, 13]], 4)]
)
def test_only_cells_of_too_few_and_their_complements_are_suppressed(counts, hidden):
    assert disclosure.suppressed(np.array(counts)).sum() == hidden


def test_extremes_are_drawn_in():
    table = pd.DataFrame({"a": np.arange(100.0), "b": [5.0] * 3 + [np.nan] * 97})
    found = disclosure.quantiles(table, [0.05, 0.5, 0.99])
    assert (table["a"] < found.loc["a", 0.05]).sum() >= 10
    assert (table["a"] > found.loc["a", 0.99]).sum() >= 9
    assert found.loc["a", 0.5] == 49.5
    assert found.loc["b"].isna().all(), "three customers have no quantiles"
    many = pd.DataFrame({"a": np.arange(10_000.0)})
    assert disclosure.quantiles(many, [0.99]).loc["a", 0.99] == pytest.approx(9899.01)


def test_rfm_segments_of_few_share_a_row():
    table = pd.DataFrame(np.random.default_rng(2).integers(2, 4, (200, 3)), columns=[*rfm.PARTS])
    table.iloc[0] = 5
    named = rfm.segments(table)
    worth = pd.Series(1.0, index=table.index).where(named != "Champions", 987654.32)
    shown = rfm.segment_table(named, table, worth)
    assert (shown["customers"] >= 10).all() and shown["customers"].sum() == 200
    assert shown["value_share"].sum() == pytest.approx(1)
    assert "Champions" not in shown.index and shown.index[-1] == rfm.REST


def test_a_model_holds_no_quartiles_of_few():
    table = pd.DataFrame({"rare": [987654.32] + [0.0] * 59, "usual": np.arange(60.0)})
    described = describe_training(table, list(table), table, pd.Series(1, index=table.index))
    assert described["columns"][0] == {"name": "rare", "values": 1, "quartiles": None}
    assert described["columns"][1]["quartiles"] is not None
