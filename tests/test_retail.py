"""The retail dataset: summed up from the package's files, checked household by household."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from segmentation import cleaning, intake, profiling, rfm, stability
from segmentation.assortment import goods_of
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
