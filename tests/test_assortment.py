"""What segments buy: shares by money spent, and multiples of everybody's shares."""

import pandas as pd

from segmentation.assortment import against_everybody, buys_more, goods_of, spending_shares
from segmentation.dataset import load_dataset

CUSTOMERS = pd.DataFrame(
    {"spent_on_fish": [30.0, 10.0, 0.0, -5.0], "spent_on_fruit": [10.0, 30.0, 72.0, 8.0]}
)
ASKED = (pd.Series([1, 1, 2, 2]), {1: "Fishers", 2: "Growers"})
TITLES = {"spent_on_fish": "Fish", "spent_on_fruit": "Fruit"}


def test_shares_are_of_money_and_in_the_order_of_everybody():
    shares = spending_shares(CUSTOMERS, *ASKED, TITLES)
    assert list(shares) == ["Fruit", "Fish"]
    assert shares.T.to_dict("list") == {
        "Fishers": [0.5, 0.5], "Growers": [1, 0], "everybody": [0.75, 0.25]}  # fmt: skip
    multiples = against_everybody(shares)
    assert multiples["Fish"].to_dict() == {"Fishers": 2, "Growers": 0}
    assert buys_more(multiples) == {
        "Fishers": ["Fish (2.0 times)"],
        "Growers": ["Fruit (1.3 times)"],
    }
    assert buys_more(multiples.clip(upper=1.09)) == {"Fishers": [], "Growers": []}


def test_nothing_spent_is_no_share():
    nothing = spending_shares(CUSTOMERS * 0, *ASKED, TITLES)
    assert (nothing == 0).all(axis=None)
    assert against_everybody(nothing).isna().all(axis=None)


def test_goods_are_found_by_their_columns():
    assert goods_of(load_dataset("retail"))["spent_on_produce"] == "Fruit and vegetables"
    assert goods_of(load_dataset("mall")) == {}
