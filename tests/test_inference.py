"""Guessing a dataset.toml: made-up versions of the tables that people bring."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customer_tables.changes import Reading
from customer_tables.errors import UserError
from customer_tables.inference import guess_columns, infer_dataset, spell_out
from customer_tables.table import read_table
from segmentation import cleaning, features
from segmentation.dataset import Dataset, build_dataset

ROWS = 400


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.fixture
def bring(tmp_path):
    """Return a function that writes a table as CSV and reads it as a user's file."""

    def bring_table(table: pd.DataFrame | dict, **options) -> Reading:
        path = tmp_path / "table.csv"
        pd.DataFrame(table).to_csv(path, index=False, **options)
        return read_table(path)

    return bring_table


def understand(reading: Reading) -> Dataset:
    """Infer a dataset, load it, and check that customers come through to finite features."""
    text = infer_dataset(reading, "theirs")
    dataset = build_dataset(tomllib.loads(text), Path("theirs/dataset.toml"))
    cleaned = cleaning.clean(reading.table, dataset)
    table = features.build_features(cleaned.customers, dataset)
    assert len(table) == len(reading.table)
    return dataset


def roles(dataset: Dataset) -> dict[str, set[str]]:
    kinds = ("segment", "describe", "left out")
    return {role: {f.name for f in dataset.features_with(role)} for role in kinds}


def kinds(dataset: Dataset) -> dict[str, str]:
    return {column.name: column.kind for column in dataset.columns}


def test_bank_customers_with_a_churn_flag(bring, rng):
    reading = bring(
        {
            "RowNumber": range(1, ROWS + 1),
            "CustomerId": rng.permutation(np.arange(15_600_000, 15_600_000 + ROWS)),
            "Surname": [f"Name{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(ROWS)],
            "CreditScore": rng.integers(350, 850, ROWS),
            "Geography": rng.choice(["France", "Spain", "Germany"], ROWS),
            "Gender": rng.choice(["Female", "Male"], ROWS),
            "Age": rng.integers(18, 90, ROWS),
            "Tenure": rng.integers(0, 11, ROWS),
            "Balance": np.where(rng.random(ROWS) < 0.36, 0, rng.normal(1.2e5, 3e4, ROWS)).round(2),
            "NumOfProducts": rng.integers(1, 5, ROWS),
            "HasCrCard": rng.integers(0, 2, ROWS),
            "IsActiveMember": rng.integers(0, 2, ROWS),
            "EstimatedSalary": rng.uniform(1e3, 2e5, ROWS).round(2),
            "Exited": rng.integers(0, 2, ROWS),
        }
    )
    dataset = understand(reading)
    assert dataset.id.name == "customer_id"
    assert roles(dataset) == {
        "segment": {"credit_score", "tenure", "balance", "num_of_products"},
        "describe": {"age", "estimated_salary"},
        "left out": set(),
    }
    assert kinds(dataset)["geography"] == kinds(dataset)["gender"] == "category"
    assert kinds(dataset)["exited"] == kinds(dataset)["has_cr_card"] == "yes_no"
    assert kinds(dataset)["balance"] == "money"
    assert kinds(dataset)["num_of_products"] == "count"
    assert not {"surname", "row_number"} & set(kinds(dataset))
    assert any("Surname" in limit for limit in dataset.limits)


def test_marketing_campaign_with_dates_and_education(bring, rng):
    spending = {
        f"Mnt{what}": rng.lognormal(3, 1.5, ROWS).astype(int)
        for what in ("Wines", "Fruits", "MeatProducts", "FishProducts", "SweetProducts")
    }
    income = rng.lognormal(10.8, 0.4, ROWS).round()
    reading = bring(
        {
            "ID": rng.permutation(ROWS * 20)[:ROWS],
            "Year_Birth": rng.integers(1940, 1996, ROWS),
            "Education": rng.choice(["Graduation", "PhD", "Master", "Basic", "2n Cycle"], ROWS),
            "Marital_Status": rng.choice(["Married", "Single", "Together", "Divorced"], ROWS),
            "Income": np.where(rng.random(ROWS) < 0.02, np.nan, income),
            "Kidhome": rng.integers(0, 3, ROWS),
            "Dt_Customer": [f"{1 + i % 28:02d}-{1 + i % 12:02d}-2013" for i in range(ROWS)],
            "Recency": rng.integers(0, 100, ROWS),
            **spending,
            "NumWebPurchases": rng.poisson(4, ROWS),
            "AcceptedCmp1": rng.integers(0, 2, ROWS),
            "Z_CostContact": 3,
            "Z_Revenue": 11,
            "Response": rng.integers(0, 2, ROWS),
        },
        sep="\t",
    )
    dataset = understand(reading)
    assert dataset.id.name == "id"
    assert kinds(dataset)["dt_customer"] == "date"
    assert kinds(dataset)["education"] == kinds(dataset)["marital_status"] == "category"
    assert kinds(dataset)["mnt_wines"] == "money"
    assert kinds(dataset)["num_web_purchases"] == "count"
    assert dataset.feature("mnt_wines").transform == "log1p"
    assert {"recency", "mnt_wines"} <= roles(dataset)["segment"]
    assert {"year_birth", "kidhome", "income"} <= roles(dataset)["describe"]
    assert not {"z_cost_contact", "z_revenue"} & set(kinds(dataset))
    assert dataset.value == "total_amount"
    assert dataset.feature("total_amount").formula.count("mnt_") == 5


def test_wholesale_buyers(bring, rng):
    goods = ["Fresh", "Milk", "Grocery", "Frozen", "Detergents_Paper", "Delicassen"]
    reading = bring(
        {
            "Channel": rng.integers(1, 3, ROWS),
            "Region": rng.integers(1, 4, ROWS),
            **{name: rng.lognormal(8, 1, ROWS).astype(int) for name in goods},
        }
    )
    dataset = understand(reading)
    assert dataset.id is None
    assert kinds(dataset)["channel"] == kinds(dataset)["region"] == "category"
    assert len(roles(dataset)["segment"]) == 6
    assert {f.transform for f in dataset.features_with("segment")} == {"log1p"}
    assert dataset.value == "total_amount"


def test_card_table_with_a_record_number(bring, rng):
    limit = rng.lognormal(9, 0.6, ROWS).round()
    reading = bring(
        {
            "Sl_No": range(1, ROWS + 1),
            "Customer Key": rng.permutation(np.arange(10_000, 10_000 + ROWS)),
            "Avg_Credit_Limit": limit,
            "Avg_Open_To_Buy": limit - rng.integers(0, 50, ROWS),
            "Total_Credit_Cards": rng.integers(1, 11, ROWS),
            "Total_visits_bank": rng.integers(0, 6, ROWS),
            "Avg_Utilization_Ratio": rng.random(ROWS).round(3),
            "Income_Category": rng.choice(["Less than $40K", "$40K - $60K", "$120K +"], ROWS),
            "Naive_Bayes_Classifier_1": rng.random(ROWS),
        }
    )
    dataset = understand(reading)
    assert dataset.id.name == "customer_key"
    assert "sl_no" not in kinds(dataset)
    assert roles(dataset)["left out"] == {"avg_open_to_buy", "naive_bayes_classifier_1"}
    assert "0.9" in dataset.feature("avg_open_to_buy").why or (
        "1.00" in dataset.feature("avg_open_to_buy").why
    )
    assert kinds(dataset)["avg_utilization_ratio"] == "share"
    assert kinds(dataset)["income_category"] == "category"
    assert dataset.column("avg_utilization_ratio").valid == (0, 1)


def test_sums_of_other_columns_do_not_count_twice(bring, rng):
    goods = {f"Mnt{what}": rng.lognormal(3, 1, ROWS).round() for what in ("Wine", "Fish", "Meat")}
    limit = rng.lognormal(9, 0.6, ROWS).round()
    used = (limit * rng.random(ROWS)).round()
    reading = bring(
        {
            "id": range(ROWS), **goods, "MntTotal": sum(goods.values()), "n": rng.poisson(4, ROWS),
            "Credit_Limit": limit, "Total_Revolving_Bal": used, "Open_To_Buy": limit - used,
        }
    )  # fmt: skip
    dataset = understand(reading)
    assert dataset.value == "mnt_total"
    assert roles(dataset)["describe"] == {"mnt_total"}
    assert roles(dataset)["left out"] == {"open_to_buy"}
    assert "credit limit, total revolving balance" in dataset.feature("open_to_buy").why


def test_income_segments_only_where_there_is_little_else(bring, rng):
    income = rng.lognormal(10, 0.3, ROWS).round()
    few = {"id": range(ROWS), "Income": income, "Spending Score": rng.integers(1, 101, ROWS)}
    assert roles(understand(bring(few)))["segment"] == {"income", "spending_score"}
    more = few | {"visits": rng.poisson(4, ROWS), "Age": rng.integers(18, 70, ROWS)}
    assert roles(understand(bring(more)))["describe"] == {"income", "age"}


@pytest.mark.parametrize(
    ("name", "values", "kind", "role"),
    [
        ("HourSpendOnApp", range(1, 6), "number", "segment"),
        ("OrderAmountHikeFromLastYear", range(11, 26), "number", "segment"),
        ("Total_Amt_Chng_Q4_Q1", [0.4, 0.8, 1.9], "number", "segment"),
        ("Days_since_last_purchases", range(40), "number", "segment"),
        ("spend_last_90_days", range(40), "money", "segment"),
        ("NumWebVisitsMonth", range(12), "count", "segment"),
        ("BILL_AMT1", range(40), "money", "segment"),
        ("Customer Lifetime Value", range(40), "money", "segment"),
        ("day", range(1, 32), "number", "left out"),
        ("MARRIAGE", [1, 2, 3], "category", "describe"),
        ("Store", range(1, 46), "category", "describe"),
        ("Store purchases", range(12), "money", "segment"),
        ("Département", range(1, 96), "number", "dropped"),
        ("Umsatz", range(40), "money", "segment"),
        ("Besuche", range(9), "count", "segment"),
        ("Alter", range(20, 60), "number", "describe"),
        ("Location Code", ["Urban", "Rural", "Suburban"], "category", "describe"),
        ("Nachname", ["Maier", "Huber", "Koch"], "text", "dropped"),
        ("Prénom", ["Anne", "Luc", "Jean"], "text", "dropped"),
    ],
)
def test_what_a_name_and_its_values_are_taken_for(bring, rng, name, values, kind, role):
    reading = bring({"id": range(ROWS), name: rng.choice(list(values), ROWS)})
    guess = guess_columns(reading)[1]
    assert (guess.kind, guess.role) == (kind, role)


def test_the_total_is_worth_more_than_its_month(bring, rng):
    monthly, months = rng.uniform(20, 110, ROWS).round(2), rng.integers(1, 70, ROWS)
    names = {"MonthlyCharges": monthly, "TotalCharges": (monthly * months).round(2)}
    assert understand(bring({"id": range(ROWS), "tenure": months} | names)).value == "total_charges"


def test_an_identifier_that_repeats_gives_way_to_the_record_number(bring, rng):
    keys = rng.permutation(np.arange(10_000, 10_000 + ROWS))
    keys[:2] = keys[2:4]
    reading = bring({"Sl_No": range(1, ROWS + 1), "Customer Key": keys,
                     "visits": rng.poisson(4, ROWS), "calls": rng.poisson(2, ROWS)})  # fmt: skip
    identifier, other = guess_columns(reading)[:2]
    assert identifier.role == "id"
    assert other.why == "4 rows share their identifier with another; Sl_No tells rows apart"


def test_a_record_number_without_a_name_for_it(bring, rng):
    reading = bring(
        {"entry": range(ROWS), "spend": rng.random(ROWS) * 9, "n": rng.poisson(3, ROWS)}
    )
    assert "entry" not in kinds(understand(reading))


@pytest.mark.parametrize(
    "columns",
    [
        ("CustomerID", "Gender", "Age", "Annual Income (k$)", "Spending Score (1-100)"),
        ("Customer ID", "Genre", "Age", "Annual_Income", "Spending_Score"),
        ("customerid", "gender", "age", "annual_income", "spending_score"),
    ],
)
def test_mall_customers_in_every_spelling(bring, rng, columns):
    values = [
        range(1, ROWS + 1), rng.choice(["Male", "Female"], ROWS), rng.integers(18, 71, ROWS),
        rng.integers(15, 138, ROWS), rng.integers(1, 100, ROWS),
    ]  # fmt: skip
    reading = bring(dict(zip(columns, values, strict=True)))
    dataset = understand(reading)
    assert dataset.id is not None
    assert len(roles(dataset)["segment"]) == 2
    assert roles(dataset)["describe"] == {"age"}
    income = next(c for c in dataset.columns if "income" in c.name)
    assert income.kind == "money"
    assert income.unit == ("k$" if "k$" in columns[3] else "")


def test_identity_is_recognised_by_name_and_by_content(bring, rng):
    reading = bring(
        {
            "customer_id": [f"C{i}" for i in range(ROWS)],
            "Full Name": [f"Anna {i}" for i in range(ROWS)],
            "contact1": [f"a{i}@mail.test" for i in range(ROWS)],
            "contact2": [f"+49 170 {1000000 + i}" for i in range(ROWS)],
            "Home Address": [f"{i} Main Street" for i in range(ROWS)],
            "remark": [f"called about {i}" for i in range(ROWS)],
            "spend": rng.lognormal(3, 1, ROWS),
            "visits": rng.poisson(3, ROWS),
        }
    )
    dropped = {g.source: g.why for g in guess_columns(reading) if g.role == "dropped"}
    assert set(dropped) == {"Full Name", "contact1", "contact2", "Home Address", "remark"}
    assert "e-mail" in dropped["contact1"]
    assert set(kinds(understand(reading))) == {"customer_id", "spend", "visits"}


def test_product_names_and_plan_names_are_no_persons(bring, rng):
    plans = rng.choice(["gold", "silver"], ROWS)
    reading = bring({"id": range(ROWS), "plan name": plans, "a": rng.random(ROWS) * 5,
                     "b": rng.random(ROWS) * 5})  # fmt: skip
    assert kinds(understand(reading))["plan_name"] == "category"


def test_constant_empty_and_mostly_missing_columns_are_left_out(bring, rng):
    reading = bring(
        {
            "id": range(ROWS), "spend": rng.lognormal(3, 1, ROWS), "visits": rng.poisson(3, ROWS),
            "same": 5, "nothing": np.nan,
            "rare": np.where(np.arange(ROWS) % 10 == 0, 1.5 * np.arange(ROWS), np.nan),
        }
    )  # fmt: skip
    reasons = {g.source: g.why for g in guess_columns(reading) if g.role == "dropped"}
    assert "same value" in reasons["same"]
    assert "no value" in reasons["nothing"]
    assert "missing in 90%" in reasons["rare"]
    understand(reading)


def test_refunds_get_a_transform_for_both_signs(bring, rng):
    amounts = np.where(rng.random(ROWS) < 0.05, -1, 1) * rng.lognormal(4, 1.5, ROWS)
    reading = bring({"id": range(ROWS), "net sales": amounts, "visits": rng.poisson(3, ROWS)})
    dataset = understand(reading)
    assert dataset.feature("net_sales").transform == "yeo-johnson"
    assert dataset.value == "net_sales"


def test_names_that_formulas_cannot_use(bring, rng):
    names = ["max", "2023 spend", "Größe", "客户", "class", "a-b", "a b c", "inf"]
    reading = bring({"id": range(ROWS)} | {n: rng.random(ROWS) * 99 for n in names})
    dataset = understand(reading)
    assert {c.found_as[0] for c in dataset.columns} == {"id", *names}
    assert all(c.name.isidentifier() for c in dataset.columns)


def test_hostile_names_and_values_stay_text(bring, rng):
    hostile = 'x"]\n[evil]\nkey = "<script>'
    reading = bring({"id": range(ROWS), hostile: rng.random(ROWS) * 9, "b": rng.random(ROWS) * 9,
                     "same": [hostile] * ROWS})  # fmt: skip
    dataset = understand(reading)
    assert "<script>" in dataset.columns[1].found_as[0]


def test_endless_names_become_short_ones_that_differ(bring, rng):
    names = [f"{'amount ' * 1500}{end}" for end in ("one", "two", "three")] + ["z" * 10_000]
    reading = bring({"id": range(ROWS)} | {n: rng.random(ROWS) * 99 for n in names})
    dataset = understand(reading)
    assert {c.found_as[0] for c in dataset.columns} == {"id", *names}
    assert all(len(c.name) <= 70 for c in dataset.columns)
    assert all(len(g.label) <= 120 for g in guess_columns(reading))


def test_a_guessed_file_holds_no_invisible_characters(bring, rng):
    hostile = "abc\u202edcba\u2066\u200b\x7f\U000e0041x"
    reading = bring({"id": range(ROWS), hostile: rng.random(ROWS) * 9, "b": rng.random(ROWS) * 9})
    text = infer_dataset(reading, "theirs")
    assert all(c.isprintable() or c == "\n" for c in text)
    name = next(name for name in reading.table if "\u202e" in name)  # as it was read
    assert any(column["found_as"] == [name] for column in tomllib.loads(text)["columns"].values())


def test_too_little_behaviour_falls_back_to_descriptors(bring, rng):
    reading = bring({"id": range(ROWS), "age": rng.integers(18, 80, ROWS),
                     "spend": rng.random(ROWS) * 99})  # fmt: skip
    assert roles(understand(reading))["segment"] == {"age", "spend"}


def test_no_numbers_is_a_helpful_refusal(bring):
    reading = bring({"id": range(ROWS), "plan": ["a", "b"] * (ROWS // 2)})
    with pytest.raises(UserError) as caught:
        infer_dataset(reading, "theirs")
    assert len(str(caught.value).splitlines()) == 3
    assert "plan" in str(caught.value)


def test_every_column_and_feature_has_its_reason(bring, rng):
    reading = bring(
        {
            "id": range(ROWS), "Gender": ["f", "m"] * (ROWS // 2), "same": 1,
            "spend": rng.lognormal(3, 1, ROWS), "visits": rng.poisson(3, ROWS),
        }
    )  # fmt: skip
    text = infer_dataset(reading, "theirs")
    content = tomllib.loads(text)
    assert all(feature["why"] for feature in content["features"])
    assert content["left_out"]["same"].startswith("the same value in every row")
    assert "[columns.gender] # sensitive" in text
    assert "[columns.id] # tells customers apart" in text
    heads = [line for line in text.splitlines() if line.startswith("[columns.")]
    assert len(heads) == len(content["columns"])
    assert all(" # " in head for head in heads)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    names=st.lists(st.text(min_size=1, max_size=12), min_size=3, max_size=6),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_names_give_a_dataset_that_loads(names, seed):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({name: rng.lognormal(2, 1, 60) for name in names})
    shown = dict.fromkeys(table, "number")
    reading = Reading(table, [], shown, {}, {"name": "t.csv"})
    try:
        text = infer_dataset(reading, "theirs")
    except UserError:
        return
    build_dataset(tomllib.loads(text), Path("theirs/dataset.toml"))


@pytest.mark.parametrize(
    ("label", "spelled"),
    [
        ("Num of products", "Number of products"),
        ("Num web purchases", "Number of web purchases"),
        ("Mnt wines", "Amount of wines"),
        ("Avg utilization ratio", "Average utilization ratio"),
        ("Total trans amt", "Total transaction amount"),
        ("No", "Number"),
        ("Recency", "Recency"),
        ("Year birth", "Year of birth"),
        ("Bill amt3", "Bill amount 3"),
        ("Total amt chng q4 q1", "Total amount change q4 q1"),
    ],
)
def test_labels_are_spelled_out(label, spelled):
    assert spell_out(label) == spelled
