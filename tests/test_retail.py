"""The retail dataset, checked household by household; its scores and what segments buy."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from fitted import Prepared

from benchmarks.files import features_by_pandas
from customer_tables.errors import UserError
from runner.pages import glossary
from segmentation import intake, rfm, stability
from segmentation.assortment import (
    against_everybody,
    buys_more,
    goods_of,
    share_errors,
    spending_shares,
)
from segmentation.dataset import load_dataset
from segmentation.kmeans import scan_kmeans


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    return intake.open_table("retail", results_dir=str(tmp_path_factory.mktemp("retail")))


@pytest.fixture(scope="module")
def known(opened):
    return opened[0].dataset


@pytest.fixture(scope="module")
def prepared(opened, known):
    return Prepared(opened[1].numbered, known)


@pytest.fixture(scope="module")
def customers(prepared):
    return prepared.customers


def test_every_household_and_every_rule(opened, customers):
    assert len(customers) == 2469
    assert (customers["age"].notna()).sum() == 801
    told = {change.what: change.rows for change in opened[1].changes}
    assert told["transaction lines"] == 1_469_307
    assert told["customers missing from the second file"] == 2469 - 801


def test_every_household_by_another_way(known, customers, prepared):
    """The same figures from pandas; the products' product_category is finer than department."""
    products = pd.read_parquet(known.source_path.parent / "products.parquet")
    lines = pd.read_parquet(known.source_path).merge(products, on="product_id", how="left")
    names = {"household_id": "customer_id", "basket_id": "basket", "sales_value": "amount"}
    lines = lines.rename(columns=names | {"transaction_timestamp": "bought_at"})
    lines["coupon"] = lines["coupon_disc"] + lines["coupon_match_disc"]
    lines["discount"] = lines["retail_disc"] + lines["coupon_match_disc"]
    expected = features_by_pandas(lines).rename(columns=str.lower)
    expected = expected.set_axis(expected.index.astype(str)).loc[customers.index]
    # What belongs to no department is in the rest, which pandas leaves out.
    shared = expected.columns.intersection(customers.columns).drop("spent_on_the_rest")
    assert {"spent", "coupon_share", "discount_share", "own_brand_share"} < {*shared}
    found = customers[shared]
    pd.testing.assert_frame_equal(found, expected[shared], check_dtype=False, check_names=False)
    meat = expected["spent_on_meat"] / expected["spent"]
    np.testing.assert_allclose(prepared.features["share_meat"], meat, atol=1e-12)
    goods = customers[list(goods_of(known))].sum(axis=1)
    np.testing.assert_allclose(goods, customers["spent"], atol=1e-6)


def test_four_segments_come_back_with_the_names_of_the_archetypes(prepared):
    """Fewer resamples than notebook 04 takes, and the same answer."""
    X = prepared.matrix.to_numpy()
    fits = scan_kmeans(X, [4, 5], n_init=10, seed=20)
    refits = stability.resample_scan(X, fits, resamples=16, seed=20)
    assert refits[4].agreement.mean() >= 0.85 > refits[5].agreement.mean()
    named = prepared.named(pd.Series(fits[4].labels, index=prepared.matrix.index))
    assert {entry.name for entry in named.values()} == {
        "Frequent shoppers",
        "New or growing infrequent shoppers",
        "Lapsing customers",
        "Stock-up shoppers with coupons",
    }


def test_champions_hold_most_of_the_value(prepared, known):
    features = prepared.features
    cuts = rfm.cut_points(features, known.rfm, {})
    named = rfm.segments(rfm.scores(features, known.rfm, cuts))
    shown = rfm.segment_table(named, features[list(known.rfm.values())], features["net_value"])
    assert shown["value_share"]["Champions"] > 1.5 * shown["share"]["Champions"]
    assert shown[["share", "value_share"]].sum().to_list() == pytest.approx([1, 1])
    assert shown["median orders"]["Lost"] < features["orders"].median()


def test_scores_at_quintiles_and_at_own_cuts():
    features = pd.DataFrame({"r": [10, 20, 30, 40, 50], "f": [1, 2, 3, 4, 5], "m": [5, 4, 3, 2, 1]})
    parts = {"recency": "r", "frequency": "f", "monetary": "m"}
    table = rfm.scores(features, parts, rfm.cut_points(features, parts, {}))
    assert table["recency"].to_list() == [5, 4, 3, 2, 1]
    assert table["frequency"].to_list() == [1, 2, 3, 4, 5]
    named = ["Potential loyalists", "Potential loyalists", "Need attention", "At risk", "At risk"]
    assert rfm.segments(table).to_list() == named
    own = rfm.cut_points(features, parts, rfm.read_cuts("recency = 5, 6, 7, 60"))
    assert rfm.scores(features, parts, own)["recency"].to_list() == [2, 2, 2, 2, 2]
    assert rfm.cut_table(own, parts, dict(zip("rfm", "RFM", strict=True)))["R"].to_list() == [
        60,
        7,
        6,
        5,
    ]
    assert rfm.read_cuts("") == {}


def test_equal_values_have_equal_scores_and_the_gaps_are_said():
    features = pd.DataFrame({"r": [0] * 6 + [9] * 4, "f": [1] * 7 + [2, 3, 3], "m": range(10)})
    parts = dict(zip(rfm.PARTS, features, strict=True))
    table = rfm.scores(features, parts, rfm.cut_points(features, parts, {}))
    assert table["recency"].to_list() == [5] * 6 + [2] * 4
    assert table["frequency"].to_list() == [1] * 7 + [4, 5, 5]
    assert rfm.unused_scores(table) == "recency 1, 3 and 4; and frequency 2 and 3"


def test_every_combination_of_scores_is_in_one_segment_exactly():
    every = pd.DataFrame(itertools.product(range(1, 6), repeat=3), columns=[*rfm.PARTS])
    both = np.ceil((every["frequency"] + every["monetary"]) / 2)
    inside = pd.DataFrame(
        {n: every["recency"].between(*r) & both.between(*b) for n, (r, b) in rfm.SEGMENTS.items()}
    )
    assert (inside.sum(axis=1) == 1).all() and inside.any().all() and len(rfm.SEGMENTS) == 10
    assert rfm.segments(every).to_list() == inside.idxmax(axis=1).to_list()


def test_the_glossary_has_the_ranges_of_every_rfm_segment():
    (text,) = (term["text"] for term in glossary() if term["name"] == "RFM segments")
    table = rfm.segment_table(pd.Series(list(rfm.SEGMENTS)), pd.DataFrame(index=range(10)), None, 1)
    for name, (recency, both) in table.iloc[:, :2].T.items():
        assert f"{name}: R {recency}, FM {both}." in text


@pytest.mark.parametrize(
    "text",
    ["recency=1,2", "age=1,2,3,4", "recency=4,3,2,1", "monetary=a,b,c,d", "recency=1,2,3,inf"],
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
    errors = shares.drop("everybody") * 0
    assert buys_more(shares, errors) == {
        "Fishers": ["Fish (2.0 times)"],
        "Growers": ["Fruit (1.3 times)"],
    }
    assert buys_more(shares, errors + 0.13) == {"Fishers": [], "Growers": []}, "within chance"


def test_the_error_of_a_share_of_spending_is_that_of_new_samples():
    rng = np.random.default_rng(3)
    spent = pd.DataFrame(rng.gamma(0.5, [30, 10], (2_000, 2)), columns=["a", "b"])
    labels, titles = pd.Series([1] * 2_000), {"a": "A", "b": "B"}
    found = share_errors(spent, labels, {1: "all"}, titles).loc["all", "B"]
    draws = [spent.sample(frac=1, replace=True, random_state=n).sum() for n in range(400)]
    assert found == pytest.approx(np.std([d["b"] / d.sum() for d in draws]), rel=0.1)


def test_nothing_spent_is_no_share():
    nothing = spending_shares(CUSTOMERS * 0, *ASKED, TITLES)
    assert (nothing == 0).all(axis=None)
    assert against_everybody(nothing).isna().all(axis=None)


def test_goods_are_found_by_their_columns():
    known = load_dataset("retail")
    assert goods_of(known)["spent_on_produce"] == "Fruit and vegetables"
    assert goods_of(load_dataset("mall")) == {}
