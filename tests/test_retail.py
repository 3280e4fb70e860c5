"""The retail dataset, checked household by household; its scores and what segments buy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from customer_tables.errors import UserError
from segmentation import cleaning, intake, profiling, rfm, stability
from segmentation.assortment import against_everybody, buys_more, goods_of, spending_shares
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
    assert told["lines of purchases"] == 1_469_307
    assert told["customers of whom the second file says nothing"] == 2469 - 801


def test_what_is_spent_goes_by_department(customers, known):
    """The table of products has a column called product_category, which is finer."""
    products = pd.read_parquet(known.source_path.parent / "products.parquet")
    lines = pd.read_parquet(known.source_path, columns=["product_id", "sales_value"])
    spent = lines.merge(products, on="product_id").groupby("department")["sales_value"].sum()
    assert customers["spent_on_grocery"].sum() == pytest.approx(spent["GROCERY"])
    assert customers["spent_on_drug_gm"].sum() == pytest.approx(spent["DRUG GM"])


@pytest.mark.parametrize("household", [1, 900, 2500])
def test_one_household_by_another_way(household, known, customers, features):
    """The same figures from pandas, on the lines of one household."""
    folder = known.source_path.parent
    lines = pd.read_parquet(
        folder / "transactions.parquet", filters=[("household_id", "==", household)]
    ).merge(pd.read_parquet(folder / "products.parquet"), on="product_id", how="left")
    times = lines["transaction_timestamp"]
    baskets = lines.groupby("basket_id").agg(
        amount=("sales_value", "sum"), time=("transaction_timestamp", "min"),
        lines=("sales_value", "size"), coupon=("coupon_disc", "sum"),
        match=("coupon_match_disc", "sum"),
    )  # fmt: skip
    row, total = customers.loc[str(household)], lines["sales_value"].sum()
    last = pd.Timestamp("2018-01-01 04:01:20")
    assert row["orders"] == len(baskets)
    assert row["spent"] == pytest.approx(total, abs=1e-6)
    assert row["basket_value"] == pytest.approx(baskets["amount"].mean())
    assert row["basket_lines"] == pytest.approx(baskets["lines"].mean())
    newest = baskets["time"].max()
    assert row["recency_days"] == (last.normalize() - newest.normalize()).days
    assert row["products"] == lines["product_id"].nunique()
    assert row["categories"] == lines["department"].nunique()
    used = (baskets["coupon"] + baskets["match"] > 0).mean()
    assert row["coupon_share"] == pytest.approx(used)
    given = (lines["retail_disc"] + lines["coupon_match_disc"]).sum()
    assert row["discount_share"] == pytest.approx(given / (given + total))
    own = lines.loc[lines["brand"] == "Private", "sales_value"].sum()
    assert row["own_brand_share"] == pytest.approx(own / total)
    weekend = baskets["time"].dt.day_of_week >= 5
    assert row["weekend_share"] == pytest.approx(weekend.mean())
    assert row["evening_share"] == pytest.approx((baskets["time"].dt.hour >= 17).mean())
    meat = lines.loc[lines["department"] == "MEAT", "sales_value"].sum()
    assert features.loc[str(household), "share_meat"] == pytest.approx(meat / total)
    assert times.max() >= newest


def test_what_was_bought_adds_up(customers, known):
    goods = customers[list(goods_of(known))].sum(axis=1)
    np.testing.assert_allclose(goods, customers["spent"], atol=1e-6)


def test_four_segments_come_back_with_the_names_of_the_archetypes(features, known):
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
    names = {entry.name for entry in name_segments(effects, known).values()}
    assert {"Frequent shoppers", "Lapsing customers"} <= names
    assert names & {"Big-basket families", "Deal seekers"}


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
    known = load_dataset("retail")
    assert goods_of(known)["spent_on_produce"] == "Fruit and vegetables"
    assert goods_of(load_dataset("mall")) == {}
