"""What segments buy: shares by money spent, and multiples of everybody's shares."""

import pandas as pd
import pytest

from segmentation.assortment import against_everybody, buys_more, goods_of, spending_shares
from segmentation.dataset import load_dataset

CUSTOMERS = pd.DataFrame({"spent_on_fish": [30.0, 10.0, 0.0], "spent_on_fruit": [10.0, 30.0, 80.0]})
LABELS = pd.Series([1, 1, 2])
TITLES = {"spent_on_fish": "Fish", "spent_on_fruit": "Fruit"}


@pytest.fixture
def shares():
    return spending_shares(CUSTOMERS, LABELS, {1: "Fishers", 2: "Growers"}, TITLES)


def test_shares_are_of_money_and_in_the_order_of_everybody(shares):
    assert list(shares) == ["Fruit", "Fish"]
    assert shares.loc["Fishers"].to_list() == [0.5, 0.5]
    assert shares.loc["Growers"].to_list() == [1, 0]
    assert shares.loc["everybody"].to_list() == [0.75, 0.25]


def test_multiples_of_everybody(shares):
    multiples = against_everybody(shares)
    assert multiples.loc["Fishers", "Fish"] == 2
    assert multiples.loc["Growers", "Fish"] == 0


def test_goods_that_are_bought_more(shares):
    more = buys_more(against_everybody(shares))
    assert more == {"Fishers": ["Fish (2.0 times)"], "Growers": ["Fruit (1.3 times)"]}


def test_nothing_spent_is_no_share():
    nothing = spending_shares(CUSTOMERS * 0, LABELS, {1: "A", 2: "B"}, TITLES)
    assert (nothing == 0).all().all()
    assert against_everybody(nothing).isna().all().all()


def test_goods_are_found_by_their_columns():
    assert goods_of(load_dataset("retail"))["spent_on_produce"] == "Fruit and vegetables"
    assert goods_of(load_dataset("mall")) == {}
