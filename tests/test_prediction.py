"""What comes after: a history cut in two without a leak, and outcomes that stay apart."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from customer_tables.errors import UserError
from customer_tables.guessing import guess_column
from customer_tables.periods import settle_cut
from customer_tables.table import read_table
from customer_tables.transaction_columns import recognise
from customer_tables.transactions import aggregate
from segmentation.cleaning import clean, select_columns, select_outcomes
from segmentation.dataset import build_dataset

FIRST = date(2024, 1, 1)


# --- a history cut in two -------------------------------------------------------------------------


def history_of(lines: pd.DataFrame, folder, cut: str = ""):
    path = folder / "lines.csv"
    lines.to_csv(path, index=False)
    source = recognise(lines)
    assert source
    return aggregate(path, source, cut=cut).history


def purchases(customers: int = 40, days: int = 200, seed: int = 0) -> pd.DataFrame:
    """Draw lines of purchases, the last of them on the last day."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, customers, 20 * customers)
    day = np.append(rng.integers(0, days, len(who) - 2), [0, days - 1])
    when = pd.Timestamp(FIRST) + pd.to_timedelta(day, unit="D")
    return pd.DataFrame(
        {
            "customer_id": [f"c{n:03d}" for n in who],
            "order_date": when.strftime("%Y-%m-%d"),
            "order_id": np.arange(len(who)),
            "category": rng.choice(["ale", "bread", "cake"], len(who)),
            "amount": rng.lognormal(3, 1, len(who)).round(2) * rng.choice([1, 1, 1, -1], len(who)),
        }
    )


def test_what_a_customer_does_later_changes_nothing_that_came_before(tmp_path):
    lines = purchases()
    cut = str(FIRST + timedelta(days=150))
    later = (lines["order_date"] >= cut) & (lines["order_date"] < lines["order_date"].max())
    moved = lines.copy()
    moved.loc[later, "amount"] *= 7
    moved.loc[later, "category"] = "cake"
    moved = moved.drop(moved.index[later][::3])  # some never come again
    told, other = history_of(lines, tmp_path), history_of(moved, tmp_path)
    assert str(told.cut) == str(other.cut) == cut
    for period in ("earlier", "before"):
        pd.testing.assert_frame_equal(told.periods[period], other.periods[period])
    assert not told.periods["after"].equals(other.periods["after"])


def test_each_period_is_what_pandas_makes_of_its_lines(tmp_path):
    lines = purchases(seed=1)
    history = history_of(lines, tmp_path, cut="2024-05-10")
    assert (history.days_after, history.first) == (70, FIRST)
    day = pd.to_datetime(lines["order_date"])
    cut, start = pd.Timestamp("2024-05-10"), pd.Timestamp("2024-03-01")
    parts = {"earlier": day < cut, "before": (day >= start) & (day < cut), "after": day >= cut}
    for period, rows in parts.items():
        bought = lines[rows & (lines["amount"] > 0)]
        by = bought.groupby("customer_id")
        found = history.periods[period].set_index("customer_id")
        np.testing.assert_allclose(found["spent"], by["amount"].sum())
        assert found["orders"].to_list() == by.size().to_list()
        since = day[bought.index].max() - day[bought.index].groupby(bought["customer_id"]).max()
        assert found["recency_days"].to_list() == since.dt.days.to_list()
        ale = bought["amount"].where(bought["category"] == "ale", 0).groupby(bought["customer_id"])
        np.testing.assert_allclose(found["spent_on_ale"], ale.sum())


@pytest.mark.parametrize(
    ("cut", "days", "expected"),
    [
        ("", 366, date(2024, 10, 1)),  # the last quarter: 92 days
        ("", 112, FIRST + timedelta(days=84)),
        ("", 109, None),  # a quarter of it is less than four weeks
        ("2024-06-01", 200, date(2024, 6, 1)),
        (" 2024-06-22 ", 200, "cannot be cut"),  # 27 days after it
        ("2024-02-01", 200, "cannot be cut"),  # more days after than before
        ("soon", 200, "cannot be cut"),
        ("2025-01-01", 200, "cannot be cut"),
        ("2024-01-10", 20, "cannot be cut"),
    ],
)
def test_where_a_history_is_cut(cut, days, expected):
    last = FIRST + timedelta(days=days - 1)
    if isinstance(expected, str):
        with pytest.raises(UserError, match=expected):
            settle_cut(cut, FIRST, last)
    else:
        assert settle_cut(cut, FIRST, last) == expected


@pytest.mark.parametrize(
    ("days", "cut", "why"), [(60, "", "60 days is too short"), (200, "none", "switched off")]
)
def test_a_history_that_is_not_cut_says_why(tmp_path, days, cut, why):
    history = history_of(purchases(days=days), tmp_path, cut)
    assert why in history.about()["why_not"] and not history.periods


# --- outcomes of a table of customers -------------------------------------------------------------

TABLE = {
    "dataset": {"source": "t.csv"},
    "columns": {
        "client": {"kind": "id"},
        "spent": {"kind": "money"},
        "visits": {"kind": "count"},
        "left": {"kind": "yes_no", "role": "outcome", "label": "Left", "found_as": ["gone"]},
        "state": {"kind": "category", "role": "outcome", "label": "State"},
    },
    "features": [{"name": "spent", "formula": "spent"}, {"name": "visits", "formula": "visits"}],
}


def known(tmp_path, **features):
    content = TABLE | {
        "features": [*TABLE["features"], features] if features else TABLE["features"]
    }
    return build_dataset(content, tmp_path / "dataset.toml")


def test_outcomes_stay_apart_and_in_the_order_of_the_customers(tmp_path):
    rows = [
        {"client": f"{n:02d}", "spent": n, "visits": n % 7, "gone": n % 2, "state": "stays"}
        for n in range(60)
    ]
    table = pd.DataFrame(rows[::-1]).astype({"state": "str"})
    table.loc[table["client"] == "07", "state"] = "quits"
    dataset = known(tmp_path)
    cleaned, outcomes = clean(table, dataset), select_outcomes(table, dataset)
    assert list(cleaned.customers) == ["spent", "visits"]
    assert outcomes.index.equals(cleaned.customers.index)
    assert outcomes["Left"].to_list() == [n % 2 for n in range(60)]
    assert outcomes["State: quits"].sum() == outcomes.loc["07", "State: quits"] == 1
    told = {c.column: c.action for c in select_columns(table, dataset).changes}
    assert told.keys() == {"gone", "state"}
    assert all("makes and describes no segment" in action for action in told.values())


@pytest.mark.parametrize(("name", "formula"), [("l", "left"), ("l", "spent * (left > 0)")])
def test_an_outcome_makes_no_feature(tmp_path, name, formula):
    with pytest.raises(UserError, match="which is an outcome"):
        known(tmp_path, name=name, formula=formula, role="describe")


@pytest.mark.parametrize(
    ("name", "values", "role"),
    [
        ("Churn", ["Yes", "No"], "outcome"),
        ("Churn Value", ["1", "0"], "outcome"),
        ("Attrition_Flag", ["Existing Customer", "Attrited Customer"], "outcome"),
        ("default.payment.next.month", ["1", "0"], "outcome"),
        ("Response", ["1", "0"], "outcome"),
        ("default", ["yes", "no"], "describe"),  # of an earlier credit, as often as not
        ("Complain", ["1", "0"], "describe"),
        ("HasCrCard", ["1", "0"], "describe"),
        ("churn reason", ["price", "service", "other"], "describe"),
        ("Churn Score", ["70", "30", "10"], "describe"),
    ],
)
def test_which_columns_are_taken_for_outcomes(tmp_path, name, values, role):
    rows = "".join(f"{n},{values[n % len(values)]},{n * 7 % 31}\n" for n in range(90))
    path = tmp_path / "t.csv"
    path.write_text(f"id,{name},spent\n{rows}")
    reading = read_table(path)
    guess = guess_column(name, reading, is_identifier=False)
    assert guess.role == role
