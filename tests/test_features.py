"""Features: real units, transforms and scaling, by hand."""

import numpy as np
import pandas as pd
import pytest

from customer_tables.errors import UserError
from segmentation.dataset import Feature
from segmentation.features import (
    Preparation,
    apply_transform,
    build_features,
    distance_shares,
    fit_preparation,
    near_copies,
    strongest,
)
from segmentation.figures import most_telling
from segmentation.figures.style import MOST_ROWS


@pytest.fixture
def customers():
    columns = {"spent": [10.0, 0, 30], "visits": [2.0, 0, 3], "online": [0.5, 0, 1]}
    return pd.DataFrame(columns, index=pd.Index(["a", "b", "c"], name="customer"))


def test_features_by_hand(customers, make_shop, shop_content):
    more = [
        {"name": "regular", "formula": "visits > 1", "kind": "yes_no"},
        {"name": "member", "formula": "member", "kind": "yes_no"},
    ]
    shop = make_shop(features=[*shop_content["features"], *more])
    table = build_features(customers.assign(member=[True, False, True]), shop)
    assert list(table) == ["spent", "ticket", "online", "visits", "rest", "regular", "member"]
    assert list(table["ticket"]) == [5, 0, 10]
    assert list(table["regular"]) == list(table["member"]) == [1, 0, 1]
    assert list(table.index) == ["a", "b", "c"]
    assert set(table.dtypes) == {np.dtype("float64")}


@pytest.mark.parametrize(
    ("formula", "rows"),
    [("spent / visits", 1), ("log1p(0 - spent - 2)", 3), ("age", 1), ("online * 4e100", 2)],
)
def test_a_value_without_end_is_named(customers, make_shop, shop_content, formula, rows):
    shop_content["features"][1]["formula"] = formula
    shop = make_shop(features=shop_content["features"])
    with pytest.raises(UserError, match=f"'ticket' is not finite for {rows} customers"):
        build_features(customers.assign(age=[np.nan, 1, 2]), shop)


@pytest.mark.parametrize(
    ("transform", "power", "expected"),
    [
        ("none", None, [-3, 0, 3]),
        ("log1p", None, [-np.log(4), 0, np.log(4)]),
        # Yeo & Johnson 2000: ((x + 1)^l - 1) / l above 0, -((1 - x)^(2 - l) - 1) / (2 - l) below.
        ("yeo-johnson", 0.5, [-(4**1.5 - 1) / 1.5, 0, (2 - 1) / 0.5]),
        ("yeo-johnson", 0.0, [-(4**2 - 1) / 2, 0, np.log(4)]),
        ("yeo-johnson", 2.0, [-np.log(4), 0, (4**2 - 1) / 2]),
    ],
)
def test_transforms_by_hand(transform, power, expected):
    values = np.array([-3.0, 0.0, 3.0])
    np.testing.assert_allclose(apply_transform(values, transform, power), expected)


@pytest.mark.parametrize("given", [None, "none", "log1p", "yeo-johnson"])
def test_new_customers_are_scaled_by_the_old_ones(given):
    chosen = [Feature("x", "x", transform="log1p"), Feature("y", "y")]
    table = pd.DataFrame({"x": np.arange(40.0) ** 2, "y": np.linspace(-4, 9, 40)})
    preparation = fit_preparation(table, chosen, given)
    own = ["log1p", "none"] if given is None else [given] * 2
    assert [step.transform for step in preparation.steps] == own
    for value in (0.0, -7.3, 1e9, 1 / 3):  # a deviation of rounding alone is none
        constant = pd.DataFrame({"x": np.arange(9_001.0), "y": value})
        with pytest.raises(UserError, match="'y' is the same for every customer"):
            fit_preparation(constant, chosen, given)
    scaled = preparation.transform(table)
    np.testing.assert_allclose(scaled.mean(), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(ddof=0), 1)
    again = Preparation.from_dict(preparation.to_dict())
    assert again == preparation
    pd.testing.assert_frame_equal(again.transform(table.iloc[:2]), scaled.iloc[:2])


def test_shares_of_the_distance_by_hand():
    # Squared differences over all pairs: x 1 + 4 + 1 = 6, y 4 + 16 + 4 = 24.
    shares = distance_shares(pd.DataFrame({"x": [0, 1, 2.0], "y": [0, 2, 4.0]}))
    assert shares.to_dict() == pytest.approx({"x": 0.2, "y": 0.8})


def test_near_copies_strongest_first():
    # Ranks: a and b are mirrored (-1); a and c differ by one swap (1 - 6 * 2 / 120 = .9).
    table = pd.DataFrame({"a": range(5), "c": [1, 2, 3, 5, 4], "b": range(5, 0, -1), "flat": 1})
    pairs = near_copies(table.corr(method="spearman"))
    assert pairs[["first", "second"]].to_numpy().tolist() == [["a", "b"], ["a", "c"], ["c", "b"]]
    np.testing.assert_allclose(pairs["correlation"], [-1, 0.9, -0.9])
    assert len(near_copies(table.corr(method="spearman"), threshold=0.95)) == 1


def test_a_figure_of_many_columns_draws_those_that_tell_most_and_says_so():
    table = pd.DataFrame(np.random.default_rng(1).normal(size=(50, 60))).rename(columns=str)
    table["7"] = table["41"] + 1
    ranking = strongest(table.corr())
    assert list(ranking.nlargest(2).index) == ["7", "41"] and ranking["7"] == pytest.approx(1)
    kept, told = most_telling(ranking, "closest")
    assert (
        len(kept) == MOST_ROWS and {"7", "41"} <= set(kept) and list(kept) == sorted(kept, key=int)
    )
    assert told == f" Drawn: the {MOST_ROWS} of 60 closest."
    few, told = most_telling(ranking[:5], "closest")
    assert list(few) == list(ranking.index[:5]) and told == ""
