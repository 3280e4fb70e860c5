"""What may be told about few customers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation import disclosure, rfm
from segmentation.reference import describe_training


def series(sizes: list[int]) -> pd.Series:
    return pd.Series(np.repeat(np.arange(1, len(sizes) + 1), sizes), name="segment")


def test_small_segments_are_counted_in_with_the_nearest():
    labels = series([30, 1, 40, 3])
    merged = disclosure.merge_small(labels, [[0.0], [9.0], [10.0], [1.0]])
    assert merged.value_counts().to_dict() == {3: 41, 1: 33}
    assert (merged[labels == 2] == 3).all() and (merged[labels == 4] == 1).all()
    assert merged.name == "segment" and merged.dtype == labels.dtype


def test_several_small_ones_may_be_enough_together():
    labels = series([40, 6, 5])
    merged = disclosure.merge_small(labels, [[0.0], [9.0], [10.0]])
    assert merged.value_counts().to_dict() == {1: 40, 2: 11}


def test_large_segments_stay_as_they_are():
    labels = series([10, 12, 40])
    pd.testing.assert_series_equal(disclosure.merge_small(labels, np.eye(3)), labels)


@settings(max_examples=60, derandomize=True, database=None, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(1, 25))
def test_whatever_is_shown_stands_for_enough(sizes, min_group_size):
    labels = series(sizes)
    centres = np.random.default_rng(1).normal(size=(len(sizes), 2))
    merged = disclosure.merge_small(labels, centres, min_group_size)
    shown = merged.value_counts()
    assert len(merged) == len(labels)
    assert (shown >= min_group_size).all() or len(shown) == 1
    assert all(
        sizes[s - 1] == max(sizes[t - 1] for t in set(labels[merged == s])) for s in shown.index
    )
    counts = pd.Series(sizes, index=[f"g{i}" for i in range(len(sizes))])
    rows = counts.groupby(disclosure.merge_neighbours(counts, min_group_size)).sum()
    assert rows.sum() == counts.sum()
    assert (rows[rows > 0] >= min_group_size).all() or len(rows[rows > 0]) == 1
    answers = labels.map(lambda s: f"a{s}")
    told = disclosure.merge_rare(answers, min_group_size).value_counts()
    assert (told >= min_group_size).all() or len(told) == 1


@settings(max_examples=60, derandomize=True, database=None, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=16, max_size=16), st.integers(1, 25))
def test_no_withheld_cell_stands_alone(cells, min_group_size):
    counts = np.array(cells).reshape(4, 4)
    hidden = disclosure.suppressed(counts, min_group_size, diagonal=True)
    assert hidden[(counts > 0) & (counts < min_group_size)].all()
    assert (counts[hidden] > 0).all(), "an empty cell is told"
    for line in [*range(4), *range(4, 8), 8]:
        mask, values = (
            t[line] if line < 4 else t[:, line - 4] if line < 8 else t.diagonal()
            for t in (hidden, counts)
        )
        assert mask.sum() != 1 or (values[~mask] == 0).all()


def test_extremes_are_drawn_in():
    table = pd.DataFrame({"a": np.arange(100.0), "b": [5.0] * 3 + [np.nan] * 97})
    found = disclosure.quantiles(table, [0.05, 0.5, 0.99])
    assert (table["a"] < found.loc["a", 0.05]).sum() >= 10
    assert (table["a"] > found.loc["a", 0.99]).sum() >= 9
    assert found.loc["a", 0.5] == 49.5
    assert found.loc["b"].isna().all(), "three customers have no quantiles"
    many = pd.DataFrame({"a": np.arange(10_000.0)})
    assert disclosure.quantiles(many, [0.99]).loc["a", 0.99] == pytest.approx(9899.01)


def test_scores_of_few_share_a_row():
    generator = np.random.default_rng(2)
    table = pd.DataFrame({p: generator.integers(2, 4, 200) for p in rfm.PARTS})
    table.iloc[0] = 5
    table["total"] = table.sum(axis=1)
    worth = pd.Series(1.0, index=table.index).where(table["total"] < 15, 987654.32)
    shown = rfm.score_table(table, worth)
    assert (shown["customers"][shown["customers"] > 0] >= 10).all()
    assert shown["customers"].sum() == 200
    assert shown["value_share"].sum() == pytest.approx(1)
    assert shown.index[0].startswith("13 to 15 and ")


def test_a_model_holds_no_quartiles_of_few():
    values = np.zeros(60)
    values[0] = 987654.32
    table = pd.DataFrame({"rare": values, "usual": np.arange(60.0)})
    described = describe_training(table, list(table), table, pd.Series(1, index=table.index))
    assert described["columns"][0] == {"name": "rare", "values": 1, "quartiles": None}
    assert described["columns"][1]["quartiles"] is not None
