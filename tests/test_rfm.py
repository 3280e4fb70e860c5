"""Recency, frequency and monetary value: scores at quintiles and at cuts of one's own."""

from __future__ import annotations

import pandas as pd
import pytest

from customer_tables.errors import UserError
from segmentation import rfm


def test_scores_at_quintiles_and_at_own_cuts():
    features = pd.DataFrame({"r": [10, 20, 30, 40, 50], "f": [1, 2, 3, 4, 5], "m": [5, 4, 3, 2, 1]})
    parts = {"recency": "r", "frequency": "f", "monetary": "m"}
    table = rfm.scores(features, parts, {})
    assert table["recency"].to_list() == [5, 4, 3, 2, 1]
    assert table["frequency"].to_list() == [1, 2, 3, 4, 5]
    assert table["total"].to_list() == [11, 10, 9, 8, 7]
    own = rfm.scores(features, parts, rfm.read_cuts("recency = 5, 6, 7, 60"))
    assert own["recency"].to_list() == [2, 2, 2, 2, 2]
    shown = rfm.score_table(table, features["m"], min_group_size=1)
    assert shown["customers"].to_list() == [0, 2, 3, 0, 0]
    assert shown["value_share"].sum() == pytest.approx(1)
    assert rfm.score_groups(table).to_list() == [1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    "text", ["recency=1,2", "age=1,2,3,4", "recency=4,3,2,1", "monetary=a,b,c,d"]
)
def test_cuts_that_cannot_be_used(text):
    with pytest.raises(UserError, match="rfm_cuts"):
        rfm.read_cuts(text)


def test_no_cuts_are_quintiles():
    assert rfm.read_cuts("") == {}
