"""Features: real units, transforms and scaling, by hand."""

import numpy as np
import pandas as pd
import pytest

from customer_tables.errors import UserError
from segmentation.dataset import Feature
from segmentation.features import (
    Preparation,
    Scaled,
    apply_transform,
    build_features,
    distance_shares,
    fit_preparation,
    near_copies,
)


@pytest.fixture
def customers():
    index = pd.Index(["a", "b", "c"], name="customer")
    return pd.DataFrame(
        {"spent": [10.0, 0, 30], "visits": [2.0, 0, 3], "online": [0.5, 0, 1]}, index=index
    )


def features_of(**columns):
    table = pd.DataFrame(columns, dtype=float)
    return table, [Feature(name, name) for name in table]


def test_features_by_hand(customers, shop):
    table = build_features(customers, shop)
    assert list(table) == ["spent", "ticket", "online", "visits", "rest"]
    assert list(table["ticket"]) == [5, 0, 10]
    assert list(table.index) == ["a", "b", "c"]
    assert set(table.dtypes) == {np.dtype("float64")}


def test_conditions_and_yes_no_columns_become_one_and_zero(customers, make_shop, shop_content):
    features = [
        *shop_content["features"],
        {"name": "regular", "formula": "visits > 1", "kind": "yes_no"},
        {"name": "member", "formula": "member", "kind": "yes_no"},
    ]
    table = build_features(
        customers.assign(member=[True, False, True]), make_shop(features=features)
    )
    assert list(table["regular"]) == [1, 0, 1]
    assert list(table["member"]) == [1, 0, 1]


@pytest.mark.parametrize("formula", ["spent / visits", "log1p(0 - spent - 2)", "age"])
def test_a_value_without_end_is_named(customers, make_shop, shop_content, formula):
    shop_content["features"][1]["formula"] = formula
    table = customers.assign(age=[np.nan, 1, 2], spent=[10.0, 0, 30])
    with pytest.raises(UserError, match="'ticket' is not finite for [123] customers"):
        build_features(table, make_shop(features=shop_content["features"]))


def test_transforms_by_hand():
    values = np.array([-3.0, 0.0, 3.0])
    np.testing.assert_allclose(apply_transform(values, "log1p"), [-np.log(4), 0, np.log(4)])
    assert apply_transform(values, "none") is values
    # Yeo & Johnson 2000: ((x + 1)^l - 1) / l above 0, -((1 - x)^(2 - l) - 1) / (2 - l) below.
    np.testing.assert_allclose(
        apply_transform(values, "yeo-johnson", 0.5), [-(4**1.5 - 1) / 1.5, 0, (2 - 1) / 0.5]
    )


def test_standardising_by_hand():
    # Mean 2 and population deviation sqrt(2/3).
    table, chosen = features_of(x=[1, 2, 3])
    preparation = fit_preparation(table, chosen)
    assert preparation.steps == (Scaled("x", "none", 2.0, pytest.approx(np.sqrt(2 / 3))),)
    np.testing.assert_allclose(preparation.transform(table)["x"], [-np.sqrt(1.5), 0, np.sqrt(1.5)])


def test_new_customers_are_scaled_by_the_old_ones():
    table, chosen = features_of(x=[0, 10])
    new = pd.DataFrame({"x": [20.0]}, index=["new"])
    assert fit_preparation(table, chosen).transform(new).loc["new", "x"] == 3  # (20 - 5) / 5


@pytest.mark.parametrize("transform", ["none", "log1p", "yeo-johnson"])
def test_a_preparation_comes_back_from_plain_numbers(transform):
    table, chosen = features_of(x=np.arange(40.0) ** 2, y=np.linspace(-4, 9, 40))
    preparation = fit_preparation(table, chosen, transform=transform)
    again = Preparation.from_dict(preparation.to_dict())
    assert again == preparation
    pd.testing.assert_frame_equal(again.transform(table), preparation.transform(table))
    scaled = preparation.transform(table)
    np.testing.assert_allclose(scaled.mean(), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(ddof=0), 1)


def test_each_feature_has_its_own_transform():
    table, _ = features_of(x=[0, 1, 3], y=[0, 1, 3])
    chosen = [Feature("x", "x", transform="log1p"), Feature("y", "y")]
    assert [step.transform for step in fit_preparation(table, chosen).steps] == ["log1p", "none"]


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e9, 1 / 3])
@pytest.mark.parametrize("transform", ["none", "log1p"])
def test_a_constant_feature_is_refused(value, transform):
    table, chosen = features_of(x=np.full(9_001, value))
    with pytest.raises(UserError, match="'x' is the same for every customer"):
        fit_preparation(table, chosen, transform=transform)


def test_shares_of_the_distance_by_hand():
    # Squared differences over all pairs: x 1 + 4 + 1 = 6, y 4 + 16 + 4 = 24.
    shares = distance_shares(pd.DataFrame({"x": [0, 1, 2.0], "y": [0, 2, 4.0]}))
    assert shares.to_dict() == pytest.approx({"x": 0.2, "y": 0.8})


def test_near_copies_strongest_first():
    table = pd.DataFrame(
        {"a": [1, 2, 3, 4, 5], "b": [5, 4, 3, 2, 1], "c": [1, 2, 3, 5, 4], "flat": [1] * 5}
    )
    # Ranks: a and b are mirrored (-1); a and c differ by one swap (1 - 6 * 2 / 120 = .9).
    pairs = near_copies(table.corr(method="spearman"))
    assert list(zip(pairs["first"], pairs["second"], strict=True)) == [
        ("a", "b"), ("a", "c"), ("b", "c")]  # fmt: skip
    np.testing.assert_allclose(pairs["correlation"], [-1, 0.9, -0.9])
    assert len(near_copies(table.corr(method="spearman"), threshold=0.95)) == 1
    assert near_copies(table[["a", "flat"]].corr(method="spearman")).empty
