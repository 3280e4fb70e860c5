"""Cleaning: each step by itself on tables small enough to read, and hostile columns."""

import numpy as np
import pandas as pd
import pytest
from planted import TEXTS as HOSTILE_TEXTS

from customer_tables.errors import UserError
from segmentation import cleaning

NAN = np.nan


def customers(n=60, **columns):
    """A table of n customers with the needed columns; others as given."""
    table = pd.DataFrame({"client": [f"c{i:03d}" for i in range(n)], "spent": np.arange(n) + 1.0})
    return table.assign(visits=2.0, online=0.5).assign(**columns)


def changed(**cells):
    """The table with some cells changed: visits={0: -1.0}."""
    table = customers()
    for column, values in cells.items():
        for row, value in values.items():
            table.loc[row, column] = value
    return table


def told(cleaned):
    return [(change.column, change.rows, change.action) for change in cleaned.changes]


def test_columns_are_found_renamed_and_counted(shop):
    table = customers(colour="red", age=NAN)
    cleaned = cleaning.select_columns(table.rename(columns={"client": "CLIENT NO"}), shop)
    assert list(cleaned.customers) == ["client", "spent", "visits", "online"]
    assert {c.column: c.what for c in cleaned.changes} == {
        "colour": "column is not part of this dataset",
        "age": "column has no value at all",
    }


@pytest.mark.parametrize(
    ("table", "changes", "index"),
    [
        (customers()[::-1], [], ["c000", "c059"]),
        (customers().loc[[*range(60), 3, 3, 5]], [("", 3, "dropped")], ["c000", "c059"]),
        (changed(client={1: "  ", 59: None}), [("client", 2, "dropped")], ["c000", "c058"]),
        (customers(spent=1.0).drop(columns="client"), [("", 60, "numbered by row")], ["01", "60"]),
    ],
)
def test_rows_become_customers_sorted_by_identifier(shop, table, changes, index):
    cleaned = cleaning.index_customers(table.reset_index(drop=True), shop)
    assert told(cleaned) == changes
    assert cleaned.customers.index.is_monotonic_increasing
    assert cleaned.customers.index.name == "customer"
    assert list(cleaned.customers.index[[0, -1]]) == index
    assert len(cleaned.customers) == 60 - 2 * (index[1] == "c058")
    assert list(cleaned.customers) == ["spent", "visits", "online"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (customers().rename(columns={"visits": "Visit"}), "no column 'visits'.*: Visit.*'visit'?"),
        (customers(visits=NAN), "'visits' has no value at all"),
        (changed(client={10: "c020", 50: "c040"}), "2 identifiers .* lines 12 and 22"),
        (customers(49), "49 clients"),
        (customers(visits=[*["2"] * 58, "forty", "<b>"]), "2 cells .*'forty'.*'visits' .count"),
        (customers(visits=pd.Timestamp("2024-01-01")), "hold text, such as '2024-01-01"),
    ],
)
def test_what_cannot_be_cleaned_is_refused(shop, table, message):
    with pytest.raises(UserError, match=f"(?s){message}"):
        cleaning.clean(table, shop)


def test_fifty_customers_do_and_one_where_nothing_is_learnt(shop):
    assert len(cleaning.index_customers(customers(50), shop).customers) == 50
    assert len(cleaning.index_customers(customers(1), shop, least=1).customers) == 1


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_all_steps_in_a_row(shop, text):
    table = customers(70, **{text: 1.0})
    table.loc[[5, 6], "client"] = ["00123", "NA"]
    table.loc[3, "spent"], table.loc[4, "visits"] = np.inf, 1e9
    cleaned = cleaning.clean(pd.concat([table, table.iloc[:2]]), shop)
    assert cleaned.customers.shape == (70, 3)
    assert cleaned.customers.notna().all().all()
    assert cleaned.changes[0].column == text
    assert [change.rows for change in cleaned.changes] == [72, 2, 1, 1, 1]
    assert set(cleaned.fills) == {"spent", "visits", "online"}
    assert {*cleaned.customers.index} == {*table["client"]} and "NA" in cleaned.customers.index


RANGES = {"spent": {0: -5}, "visits": {0: -1, 1: 500, 2: 400}, "online": {2: 1, 3: 1.1, 4: NAN}}
RULED = {"visits": {0: 0, 1: 0}, "spent": {0: NAN, 2: NAN}}
GAPS = {"spent": {0: NAN, 1: NAN, 59: 600}, "online": {5: NAN}, "age": {0: 40}}


@pytest.mark.parametrize(
    ("step", "cells", "expected", "changes"),
    [
        (
            cleaning.check_types,
            {"spent": {0: np.inf, 1: -np.inf, 2: NAN}},
            {"spent": {0: NAN, 1: NAN, 2: NAN, 3: 4}},
            "spent 2 treated as missing",
        ),
        (
            cleaning.apply_valid_ranges,
            RANGES,
            {"spent": {0: -5}, "visits": {0: 0, 1: 400, 3: 2}, "online": {2: 1, 3: NAN, 4: NAN}},
            "spent 1 kept, flagged; visits 2 set to the limit; online 1 treated as missing",
        ),
        (
            cleaning.apply_rules,  # structural gaps only
            RULED,
            {"spent": {0: 0, 1: 2, 2: NAN}},
            "spent 1 set to 0: the gap is structural;  1 kept, reported",
        ),
        # A rule says nothing of what is unknown.
        (cleaning.apply_rules, {"visits": {0: NAN}, "spent": {1: NAN}}, {"spent": {1: NAN}}, ""),
        (
            cleaning.fill_gaps,  # the median of 3..59 and 600 is 31.5
            GAPS,
            {"spent": {0: 31.5, 1: 31.5}, "online": {5: 0}, "age": {1: NAN}},
            "spent 2 filled with the median (of all values, those set by a rule included); no "
            'value is 0: if a gap means 0, say missing = "zero" in dataset.toml, 31.50; '
            "online 1 filled with the zero, 0.00",
        ),
    ],
)
def test_each_step_by_hand(shop, step, cells, expected, changes):
    table = changed(**cells)
    before = table.copy()
    cleaned = step(table, shop)
    for column, values in expected.items():
        found = cleaned.customers.loc[list(values), column]
        np.testing.assert_array_equal(found, list(values.values()))
    assert "; ".join(f"{c.column} {c.rows} {c.action}" for c in cleaned.changes) == changes
    pd.testing.assert_frame_equal(table, before)  # what came in is not changed


def test_rules_where_something_is_lacking(make_shop):
    member = {"name": "age if member", "when": "member", "column": "age", "fill": 0}
    shop = make_shop(rules=[member, {"name": "adult", "check": "age >= 18"}])
    assert cleaning.apply_rules(customers(), shop).changes == []
    ages = customers(age=[17.0, NAN] + [30.0] * 58, member=True)
    assert [c.rows for c in cleaning.apply_rules(ages, shop).changes] == [1, 2]  # 17 and the 0
    shop = make_shop(rules=[{"name": "r", "when": "not visits > 3", "column": "spent", "fill": 9}])
    ruled = cleaning.apply_rules(changed(visits={0: NAN}, spent={0: NAN, 1: NAN}), shop)
    np.testing.assert_array_equal(ruled.customers.loc[[0, 1, 2], "spent"], [NAN, 9, 3])


def test_far_out_values_are_flagged_on_the_log_scale(shop):
    spent = np.exp(np.linspace(1, 2, 101)) - 1  # log1p from 1 to 2: quartiles 1.25 and 1.75
    spent[0], spent[1] = np.exp(3.2) - 1, np.exp(3.3) - 1  # 1.75 + 3 * .5 = 3.25 is the fence
    most_alike = {"visits": [12.0] * 85 + [6.0] * 16, "online": 0.0}  # then nothing is far out
    flags = cleaning.flag_extremes(customers(101, spent=spent, **most_alike), shop)
    assert flags["spent"].sum() == 1 and flags.loc[1, "spent"]
    assert list(flags) == ["spent", "visits", "online"]
    assert not flags[["visits", "online"]].any().any()


@pytest.mark.parametrize(("place", "value"), [(4, 5.0), (4, 7.1), (0, -1.1)])
def test_the_quartile_rule_that_is_not_applied(place, value):
    values = pd.Series([1.0, 2, 3, 4, 5])  # quartiles 2 and 4: fences at -1 and 7
    values[place] = value
    flagged = cleaning.iqr_rule(values.to_frame())
    assert list(flagged[flagged].index) == [place] * (value not in (1, 5))
