"""Cleaning: each step by itself on tables small enough to read, and hostile columns."""

import numpy as np
import pandas as pd
import pytest
from conftest import HOSTILE_TEXTS

from customer_tables.errors import UserError
from segmentation.cleaning import (
    apply_rules,
    apply_valid_ranges,
    check_types,
    clean,
    fill_gaps,
    flag_extremes,
    index_customers,
    iqr_rule,
    select_columns,
)


def customers(n=60, **columns):
    """A table of n customers with the needed columns; others as given."""
    table = {"client": [f"c{i:03d}" for i in range(n)], "spent": np.arange(n) + 1.0,
             "visits": np.full(n, 2.0), "online": np.full(n, 0.5)}  # fmt: skip
    return pd.DataFrame(table | columns)


def told(changes):
    return [(change.column, change.rows, change.action) for change in changes]


# --- columns --------------------------------------------------------------------------------------


def test_columns_are_found_renamed_and_counted(shop):
    table = customers().rename(columns={"client": "CLIENT NO", "spent": "Spent "})
    cleaned = select_columns(table.assign(colour="red"), shop)
    assert list(cleaned.customers) == ["client", "spent", "visits", "online"]
    assert told(cleaned.changes) == [("colour", 60, "left out")]


def test_a_missing_column_is_named_with_the_nearest_there_is(shop):
    with pytest.raises(UserError) as caught:
        select_columns(customers().rename(columns={"visits": "Visit"}), shop)
    assert str(caught.value).splitlines() == [
        "the table has no column 'visits' (visits)",
        "columns that were not recognised: Visit",
        "is it 'visit'? rename the column, or add its name to found_as in dataset.toml",
    ]


def test_an_empty_column_is_left_out_unless_it_is_needed(shop):
    table = customers(age=np.nan, club=None)
    cleaned = select_columns(table, shop)
    assert not {"age", "club"} & set(cleaned.customers)
    assert [change.what for change in cleaned.changes] == ["column has no value at all"] * 2
    with pytest.raises(UserError, match="'visits' has no value at all"):
        clean(customers(visits=np.nan), shop)


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_column_names_are_left_out_and_told(shop, text):
    cleaned = clean(customers().assign(**{text: 1.0}), shop)
    assert text not in cleaned.customers
    assert cleaned.changes[0].column == text
    with pytest.raises(UserError) as caught:
        select_columns(customers().rename(columns={"visits": text}), shop)
    assert len(str(caught.value).splitlines()) == 3
    assert len(str(caught.value)) < 1000


# --- rows -----------------------------------------------------------------------------------------


def test_rows_become_customers_sorted_by_identifier(shop):
    table = customers().iloc[::-1].reset_index(drop=True)
    cleaned = index_customers(table, shop)
    assert list(cleaned.customers.index) == [f"c{i:03d}" for i in range(60)]
    assert cleaned.customers.index.name == "customer"
    assert "client" not in cleaned.customers
    assert cleaned.customers.loc["c007", "spent"] == 8
    assert cleaned.changes == []


def test_copies_are_dropped_and_counted(shop):
    table = pd.concat([customers(), customers().iloc[[3, 3, 5]]], ignore_index=True)
    cleaned = index_customers(table, shop)
    assert len(cleaned.customers) == 60
    assert told(cleaned.changes) == [("", 3, "dropped")]


def test_one_identifier_on_different_rows_stops(shop):
    table = customers()
    table.loc[10, "client"], table.loc[50, "client"] = "c020", "c040"
    with pytest.raises(UserError) as caught:
        index_customers(table, shop)
    assert "2 identifiers stand on two or more different rows" in str(caught.value)
    assert "lines 12 and 22" in str(caught.value)  # both of c020, not one of each


def test_rows_without_identifier_are_dropped_and_counted(shop):
    table = customers()
    table.loc[[1, 2], "client"] = ["  ", None]
    cleaned = index_customers(table, shop)
    assert len(cleaned.customers) == 58
    assert told(cleaned.changes) == [("client", 2, "dropped")]


def test_without_an_identifier_rows_are_numbered_and_all_kept(shop):
    table = customers().drop(columns="client").assign(spent=1.0)
    cleaned = index_customers(table, shop)
    assert list(cleaned.customers.index[[0, 59]]) == ["01", "60"]
    assert told(cleaned.changes) == [("", 60, "numbered by row")]


def test_a_handful_of_customers_is_refused(shop):
    assert len(index_customers(customers(50), shop).customers) == 50
    with pytest.raises(UserError, match="49 clients"):
        index_customers(customers(49), shop)
    assert len(index_customers(customers(1), shop, least=1).customers) == 1


def test_identifiers_stay_as_they_are(shop):
    ids = ["00123", "123", "1e5", "NA", *HOSTILE_TEXTS, *(f"c{i}" for i in range(60))]
    cleaned = index_customers(customers(len(ids), client=ids), shop)
    assert set(cleaned.customers.index) == {text.strip() for text in ids}


# --- types and ranges -----------------------------------------------------------------------------


def test_text_in_a_column_of_numbers_is_told(shop):
    visits = ["2"] * 60
    visits[7:9] = ["forty", "<b>"]
    with pytest.raises(UserError) as caught:
        check_types(customers(visits=visits), shop)
    assert "2 cells" in str(caught.value)
    assert "'forty'" in str(caught.value)
    assert "column 'visits' (count)" in str(caught.value)


def test_dates_are_no_amounts(shop):
    with pytest.raises(UserError, match="hold text, such as '2024-01-01"):
        check_types(customers(visits=pd.Timestamp("2024-01-01")), shop)


@pytest.mark.parametrize("numbers", [["3"] * 60, [3] * 60, [True] * 60])
def test_numbers_become_floats(shop, numbers):
    typed = check_types(customers(visits=numbers), shop).customers
    assert typed["visits"].dtype == "float64"
    assert set(typed["visits"]) == {float(numbers[0])}


def test_endless_values_are_missing_and_counted(shop):
    table = customers()
    table.loc[[0, 1, 2], "spent"] = [np.inf, -np.inf, np.nan]
    typed = check_types(table, shop)
    assert typed.customers["spent"].isna().sum() == 3
    assert told(typed.changes) == [("spent", 2, "treated as missing")]


def test_values_outside_their_range(shop):
    table = customers()
    table.loc[0, "spent"] = -5.0  # flag
    table.loc[[0, 1], "visits"] = [-1.0, 500.0]  # clip to 0..400
    table.loc[[2, 3, 4], "online"] = [1.0, 1.01, np.nan]  # missing
    ranged = apply_valid_ranges(table, shop)
    assert ranged.customers.loc[0, "spent"] == -5
    assert list(ranged.customers.loc[[0, 1, 2], "visits"]) == [0, 400, 2]
    assert ranged.customers["online"].isna().tolist()[2:6] == [False, True, True, False]
    assert told(ranged.changes) == [
        ("spent", 1, "kept, flagged"), ("visits", 2, "set to the limit"),
        ("online", 1, "treated as missing"),
    ]  # fmt: skip
    assert table.loc[0, "visits"] == -1  # what came in is not changed


# --- rules and gaps -------------------------------------------------------------------------------


def test_rules_fill_structural_gaps_only(shop):
    table = customers()
    table.loc[[0, 1], "visits"] = 0.0
    table.loc[[0, 2], "spent"] = np.nan
    ruled = apply_rules(table, shop)
    assert ruled.customers.loc[0, "spent"] == 0
    assert np.isnan(ruled.customers.loc[2, "spent"])
    assert ruled.customers.loc[1, "spent"] == 2
    assert told(ruled.changes) == [
        ("spent", 1, "set to 0: the gap is structural"), ("", 1, "kept, reported"),
    ]  # fmt: skip


def test_what_is_unknown_breaks_no_rule(shop):
    table = customers()
    table.loc[0, "visits"] = np.nan
    table.loc[1, "spent"] = np.nan
    assert apply_rules(table, shop).changes == []


def test_rules_about_absent_columns_rest(make_shop, shop_content):
    rules = [
        {"name": "age if member", "when": "member", "column": "age", "fill": 0},
        {"name": "adult", "check": "age >= 18"},
    ]
    shop = make_shop(rules=rules)
    assert apply_rules(customers(), shop).changes == []
    ages = customers(age=[17.0, np.nan] + [30.0] * 58, member=[True] * 60)
    assert [change.rows for change in apply_rules(ages, shop).changes] == [1, 2]  # 17 and the 0


def test_gaps_are_filled_as_the_column_says(shop):
    table = customers(60, age=[np.nan] * 59 + [40.0])
    table.loc[[0, 1], "spent"] = np.nan  # the median of 3..60 is 31.5
    table.loc[5, "online"] = np.nan
    filled = fill_gaps(table, shop)
    assert filled.customers.loc[[0, 1], "spent"].tolist() == [31.5, 31.5]
    assert filled.customers.loc[5, "online"] == 0
    assert filled.customers["age"].isna().sum() == 59
    assert filled.fills == {"spent": 31.5, "visits": 2, "online": 0}
    assert told(filled.changes) == [
        ("spent", 2, "filled with the median, 31.50"), ("online", 1, "filled with the zero, 0.00"),
    ]  # fmt: skip


def test_all_steps_in_a_row(shop):
    table = customers(70).assign(extra=1)
    table.loc[3, "spent"], table.loc[4, "visits"] = np.inf, 1e9
    cleaned = clean(pd.concat([table, table.iloc[:2]]), shop)
    assert cleaned.customers.shape == (70, 3)
    assert cleaned.customers.notna().all().all()
    assert [change.rows for change in cleaned.changes] == [72, 2, 1, 1, 1]


# --- extremes -------------------------------------------------------------------------------------


def test_far_out_values_are_flagged_on_the_log_scale(shop):
    spent = np.exp(np.linspace(1, 2, 101)) - 1  # log1p from 1 to 2: quartiles 1.25 and 1.75
    spent[0], spent[1] = np.exp(3.2) - 1, np.exp(3.3) - 1  # 1.75 + 3 * .5 = 3.25 is the fence
    table = customers(101, spent=spent)
    flags = flag_extremes(table, shop)
    assert flags["spent"].sum() == 1
    assert flags.loc[1, "spent"]
    assert list(flags) == ["spent", "visits", "online"]


def test_where_most_share_one_value_nobody_is_far_out(shop):
    table = customers(100, visits=[12.0] * 85 + [6.0] * 15, online=0.0)
    assert not flag_extremes(table, shop)[["visits", "online"]].any().any()


def test_the_quartile_rule_that_is_not_applied():
    # Quartiles 2 and 4 (of 1..5): fences at -1 and 7.
    assert list(iqr_rule(pd.DataFrame({"a": [1, 2, 3, 4, 5.0]}))) == [False] * 5
    assert list(iqr_rule(pd.DataFrame({"a": [1, 2, 3, 4, 7.1]}))) == [False] * 4 + [True]
    assert list(iqr_rule(pd.DataFrame({"a": [-1.1, 2, 3, 4, 5]}))) == [True] + [False] * 4
