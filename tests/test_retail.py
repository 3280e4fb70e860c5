"""The retail dataset, checked household by household; its scores and what segments buy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from customer_tables.errors import UserError
from segmentation import cleaning, intake, profiling, rfm, stability
from segmentation.assortment import against_everybody, buys_more, goods_of, spending_shares
from segmentation.conditions import Customers, Members
from segmentation.dataset import load_dataset
from segmentation.features import build_features, fit_preparation
from segmentation.kmeans import scan_kmeans
from segmentation.naming import name_segments


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    return intake.open_table("retail", results_dir=str(tmp_path_factory.mktemp("retail")))


@pytest.fixture(scope="module")
def known(opened):
    return opened[0].dataset


@pytest.fixture(scope="module")
def customers(opened, known):
    return cleaning.clean(opened[1].numbered, known).customers


@pytest.fixture(scope="module")
def features(customers, known):
    return build_features(customers, known)


def test_every_household_and_every_rule(opened, customers):
    assert len(customers) == 2469
    assert (customers["age"].notna()).sum() == 801
    told = {change.what: change.rows for change in opened[1].changes}
    assert told["transaction lines"] == 1_469_307
    assert told["customers of whom the second file says nothing"] == 2469 - 801


def test_every_household_by_another_way(known, customers, features):
    """The same figures from pandas; the products' product_category is finer than department."""
    products = pd.read_parquet(known.source_path.parent / "products.parquet")
    lines = pd.read_parquet(known.source_path).merge(products, on="product_id", how="left")
    paid = lines.groupby("household_id")["sales_value"]
    baskets = lines.assign(coupon=lines["coupon_disc"] + lines["coupon_match_disc"])
    baskets = baskets.groupby(["household_id", "basket_id"]).agg(
        {"sales_value": ["sum", "size"], "transaction_timestamp": "min", "coupon": "sum"}
    )
    baskets.columns = ["basket_value", "basket_lines", "time", "coupon_share"]
    time = baskets.pop("time")
    baskets["coupon_share"] = baskets["coupon_share"] > 0
    baskets["weekend_share"] = time.dt.day_of_week >= 5
    baskets["evening_share"] = time.dt.hour >= 17
    expected = baskets.groupby("household_id").mean().assign(spent=paid.sum())
    expected["orders"] = time.groupby("household_id").size()
    newest = time.groupby("household_id").max().dt.normalize()
    expected["recency_days"] = (time.max().normalize() - newest).dt.days
    for column, goods in (("products", "product_id"), ("categories", "department")):
        expected[column] = lines.groupby("household_id")[goods].nunique()
    own = lines["sales_value"].where(lines["brand"] == "Private", 0)
    expected["own_brand_share"] = own.groupby(lines["household_id"]).sum() / paid.sum()
    given = lines["retail_disc"] + lines["coupon_match_disc"]
    given = given.groupby(lines["household_id"]).sum()
    expected["discount_share"] = given / (given + paid.sum())
    for column, goods in (("spent_on_grocery", "GROCERY"), ("spent_on_meat", "MEAT")):
        spent = lines["sales_value"].where(lines["department"] == goods, 0)
        expected[column] = spent.groupby(lines["household_id"]).sum()
    expected = expected.set_axis(expected.index.astype(str)).loc[customers.index]
    found = customers[list(expected)]
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_names=False)
    meat = expected["spent_on_meat"] / expected["spent"]
    np.testing.assert_allclose(features["share_meat"], meat, atol=1e-12)
    goods = customers[list(goods_of(known))].sum(axis=1)
    np.testing.assert_allclose(goods, customers["spent"], atol=1e-6)


def test_four_segments_come_back_with_the_names_of_the_archetypes(customers, features, known):
    """Fewer resamples than notebook 04 takes, and the same answer."""
    matrix = fit_preparation(features, known.features_with("segment")).transform(features)
    X = matrix.to_numpy()
    fits = scan_kmeans(X, [4, 5], n_init=10, seed=20)
    refits = stability.resample_scan(X, fits, resamples=16, seed=20)
    assert refits[4].agreement.mean() >= 0.85 > refits[5].agreement.mean()
    labels = pd.Series(fits[4].labels, index=matrix.index)
    effects = profiling.effect_sizes(
        profiling.standardise_evenly(features, list(known.features)), labels
    )
    members = Members(Customers(known, customers, features), labels)
    assert {entry.name for entry in name_segments(effects, known, members).values()} == {
        "Frequent shoppers",
        "Growing infrequent shoppers",
        "Lapsing customers",
        "Stock-up shoppers with coupons",
    }


def test_the_best_scores_hold_most_of_the_value(features, known):
    table = rfm.scores(features, known.rfm, {})
    assert table["total"].between(3, 15).all()
    shown = rfm.score_table(table, features["net_value"])
    assert shown["value_share"].iloc[0] > 2 * shown["share"].iloc[0]
    assert shown["share"].sum() == pytest.approx(1)


# --- scores and goods by hand ---


def test_scores_at_quintiles_and_at_own_cuts():
    features = pd.DataFrame({"r": [10, 20, 30, 40, 50], "f": [1, 2, 3, 4, 5], "m": [5, 4, 3, 2, 1]})
    parts = {"recency": "r", "frequency": "f", "monetary": "m"}
    table = rfm.scores(features, parts, {})
    assert table["recency"].to_list() == [5, 4, 3, 2, 1]
    assert table["frequency"].to_list() == [1, 2, 3, 4, 5]
    assert table["total"].to_list() == [11, 10, 9, 8, 7]
    own = rfm.scores(features, parts, rfm.read_cuts("recency = 5, 6, 7, 60"))
    assert own["recency"].to_list() == [2, 2, 2, 2, 2]
    assert rfm.read_cuts("") == {}
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


CUSTOMERS = pd.DataFrame(
    {"spent_on_fish": [30.0, 10.0, 0.0, -5.0], "spent_on_fruit": [10.0, 30.0, 72.0, 8.0]}
)
ASKED = (pd.Series([1, 1, 2, 2]), {1: "Fishers", 2: "Growers"})
TITLES = {"spent_on_fish": "Fish", "spent_on_fruit": "Fruit"}


def test_shares_are_of_money_and_in_the_order_of_everybody():
    shares = spending_shares(CUSTOMERS, *ASKED, TITLES)
    assert list(shares) == ["Fruit", "Fish"]
    assert shares.T.to_dict("list") == {
        "Fishers": [0.5, 0.5],
        "Growers": [1, 0],
        "everybody": [0.75, 0.25],
    }
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
    known = load_dataset("retail")
    assert goods_of(known)["spent_on_produce"] == "Fruit and vegetables"
    assert goods_of(load_dataset("mall")) == {}
