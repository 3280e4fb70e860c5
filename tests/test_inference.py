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
RNG = np.random.default_rng(11)
ORDER = np.arange(ROWS)
MADE = {
    "rows": ORDER + 1,
    "keys": RNG.permutation(10_000 + ORDER),
    "names": [f"Name{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in ORDER],
    "words": RNG.choice(["red", "green", "2n blue"], ROWS),
    "incomes": RNG.choice(["Less than $40K", "$40K - $60K", "$120K +"], ROWS),
    "dates": [f"{1 + i % 28:02d}-{1 + i % 12:02d}-2013" for i in ORDER],
    "money": RNG.lognormal(8, 1, ROWS).astype(int),
    "even": RNG.uniform(1e3, 2e5, ROWS).round(2),
    "zeros": np.where(RNG.random(ROWS) < 0.36, 0, RNG.normal(1.2e5, 3e4, ROWS)).round(2),
    "gaps": np.where(RNG.random(ROWS) < 0.02, np.nan, RNG.lognormal(10.8, 0.4, ROWS).round()),
    "refunds": np.where(RNG.random(ROWS) < 0.05, -1, 1) * RNG.lognormal(4, 1.5, ROWS),
    "rare": np.where(ORDER % 10 == 0, 1.5 * ORDER, np.nan),
    "nothing": np.full(ROWS, np.nan),
    "counts": RNG.poisson(4, ROWS),
    "flags": RNG.integers(0, 2, ROWS),
    "shares": RNG.random(ROWS).round(3),
    "plans": RNG.choice(["gold", "silver"], ROWS),
    "mails": [f"a{i}@mail.test" for i in ORDER],
    "phones": [f"+49 170 {1000000 + i}" for i in ORDER],
    "same": np.full(ROWS, 5),
    "same or gap": np.where(ORDER % 20, 0, np.nan),
    "areas": [f"area_code_{408 + i % 3}" for i in ORDER],
    **{f"spent{i}": RNG.lognormal(3, 1.5, ROWS).round() for i in range(4)},
}
LOG = "money segment log1p"


def made(columns: dict) -> pd.DataFrame:
    """Make a table: columns of values, made ones, from "low:high", or from the columns before."""
    table, rng = pd.DataFrame(index=ORDER), np.random.default_rng(3)
    for name, what in columns.items():
        if isinstance(what, str):
            is_range = ":" in what
            what = rng.integers(*map(int, what.split(":")), ROWS) if is_range else MADE[what]
        table = table.assign(**{name: what})
    return table


@pytest.fixture
def bring(tmp_path):
    """Return a function that writes a table as CSV and reads it as a user's file."""

    def bring_table(columns: dict) -> Reading:
        made(columns).to_csv(tmp_path / "table.csv", index=False)
        return read_table(tmp_path / "table.csv")

    return bring_table


def understand(reading: Reading) -> Dataset:
    """Infer a dataset, load it, and check that customers come through to finite features."""
    text = infer_dataset(reading, "theirs")
    dataset = build_dataset(tomllib.loads(text), Path("theirs/dataset.toml"))
    table = features.build_features(cleaning.clean(reading.table, dataset).customers, dataset)
    assert len(table) == len(reading.table)
    return dataset


def parts(dataset: Dataset) -> dict[str, str]:
    """What each column of the file became: its kind, and the part that its feature plays."""
    played = {f.name: f" {f.role}" + " log1p" * (f.transform == "log1p") for f in dataset.features}
    columns = (*dataset.columns, *dataset.outcomes)
    return {c.found_as[0]: c.kind + played.get(c.name, c.role and f" {c.role}") for c in columns}


BANK = {
    "RowNumber": ("rows", ""),
    "CustomerId": ("keys", "id"),
    "Surname": ("names", ""),
    "CreditScore": ("350:850", "number segment"),
    "Geography": ("words", "category"),
    "Age": ("18:90", "number describe"),
    "Tenure": ("0:11", "number segment"),
    "Balance": ("zeros", "money segment"),
    "NumOfProducts": ("1:5", "count segment"),
    "HasCrCard": ("flags", "yes_no"),
    "EstimatedSalary": ("even", "money describe"),
    "Exited": ("flags", "yes_no outcome"),
}
CAMPAIGN = {
    "ID": ("keys", "id"),
    "Year_Birth": ("1940:1996", "number describe"),
    "Marital_Status": ("words", "category"),
    "Income": ("gaps", "money describe log1p"),
    "Kidhome": ("0:3", "count describe"),
    "Dt_Customer": ("dates", "number segment"),
    "Recency": ("0:100", "number segment"),
    **{f"Mnt{what}": (f"spent{i}", LOG) for i, what in enumerate(["Wines", "Fish", "Meat"])},
    "NumWebPurchases": ("counts", "count segment"),
    "Z_CostContact": ("same", ""),
}
WHOLESALE = {
    "Channel": ("1:3", "category"),
    "Region": ("1:4", "category"),
    **{name: (f"spent{i}", LOG) for i, name in enumerate(["Fresh", "Milk", "Grocery"])},
}
CARDS = {
    "Sl_No": ("rows", ""),
    "Customer Key": ("keys", "id"),
    "Avg_Credit_Limit": ("money", LOG),
    "Avg_Open_To_Buy": (lambda t: t["Avg_Credit_Limit"] - t["Sl_No"] % 50, "number left out log1p"),
    "Total_visits_bank": ("0:6", "count segment"),
    "Avg_Utilization_Ratio": ("shares", "share segment"),
    "Income_Category": ("incomes", "category"),
    "Naive_Bayes_Classifier_1": ("shares", "number left out"),
}
SUMS = {
    "id": ("rows", "id"),
    **{f"Mnt{what}": (f"spent{i}", LOG) for i, what in enumerate(["Wines", "Fish", "Meat"])},
    "MntTotal": (lambda t: t.filter(like="Mnt").sum(axis=1), "money describe log1p"),
    "n": ("counts", "count segment"),
    "Credit_Limit": ("money", LOG),
    "Total_Revolving_Bal": ("spent3", LOG),
    "Open_To_Buy": (lambda t: t["Credit_Limit"] - MADE["spent3"], "number left out log1p"),
}
MALL = {
    "Customer ID": ("rows", "id"),
    "Genre": ("words", "category"),
    "Age": ("18:71", "number describe"),
    "Annual Income (k$)": ("15:138", "money segment"),
    "Spending_Score": ("1:100", "number segment"),
}
CONTACTS = {
    "customer_id": ("rows", "id"),
    "Full Name": ("names", ""),
    "contact1": ("mails", ""),
    "contact2": ("phones", ""),
    "Home Address": ("names", ""),
    "remark": ("names", ""),
    "plan name": ("plans", "category"),
    "spend": ("even", "money segment"),
    "visits": ("counts", "count segment"),
    "same": ("same", ""),
    "past due": ("same or gap", ""),
    "nothing": ("nothing", ""),
    "rare": ("rare", ""),
}
FEW = {"id": ("rows", "id"), "age": ("18:80", "number segment"), "spend": ("even", "money segment")}
ABROAD = {
    "会員番号": ("keys", "id"),
    "性別": ("words", "category"),
    "年齢": ("18:90", "number describe"),
    "Breite": ("shares", "number left out"),
    "Geo_Länge": ("shares", "number left out"),
    "umsatz": ("refunds", "money segment"),
    "besuche": ("counts", "count segment"),
}
RECORD = {
    "Sl_No": ("rows", ""),
    "ref": ("keys", "id"),
    "entry": ("rows", ""),
    "Unnamed: 0": (np.sort(ORDER) * 3, ""),  # of which rows are gone
    "net sales": ("refunds", "money segment"),
    "visits": ("counts", "count segment"),
    "income": ("even", "money describe"),
}
CODED = {
    "rownames": (ORDER * 2 + 1, "id"),
    "age": ("18:90", "number describe"),
    "agesq": (lambda t: t["age"] ** 2, "number left out"),
    "area_code": ("areas", "category"),
    "net sales": ("refunds", "money segment"),
    "visits": ("counts", "count segment"),
}


@pytest.mark.parametrize(
    ("table", "value"),
    [
        (BANK, ""),
        (CAMPAIGN, "total_amount"),
        (WHOLESALE, "total_amount"),
        (CARDS, ""),
        (SUMS, "mnt_total"),
        (MALL, ""),
        (CONTACTS, "spend"),
        (FEW, "spend"),  # too little behaviour
        (RECORD, "net_sales"),
        (ABROAD, "umsatz"),
        (CODED, "net_sales"),  # an area code identifies nobody
    ],
)
def test_what_tables_are_taken_for(bring, table, value):
    dataset = understand(bring({name: what for name, (what, _) in table.items()}))
    assert parts(dataset) == {name: part for name, (_, part) in table.items() if part}
    assert dataset.value == value


@pytest.mark.parametrize(
    ("name", "values", "kind", "role"),
    [
        ("HourSpendOnApp", range(1, 6), "number", "segment"),
        ("OrderAmountHikeFromLastYear", range(11, 26), "number", "segment"),
        ("Total_Amt_Chng_Q4_Q1", [0.4, 0.8, 1.9], "number", "segment"),
        ("Days_since_last_purchases", range(40), "number", "segment"),
        ("spend_last_90_days", range(40), "money", "segment"),
        ("NumWebVisitsMonth", range(12), "count", "segment"),
        ("calls_per_month", range(12), "count", "segment"),
        ("BILL_AMT1", range(40), "money", "segment"),
        ("Customer Lifetime Value", range(40), "money", "segment"),
        ("day", range(1, 32), "number", "left out"),
        ("MARRIAGE", [1, 2, 3], "category", "describe"),
        ("Store", range(1, 46), "category", "describe"),
        ("Store purchases", range(12), "money", "segment"),
        ("Département", range(1, 96), "number", "dropped"),
        ("Umsatz", range(40), "money", "segment"),
        ("Besuche", range(9), "count", "segment"),
        ("Household", range(1, 6), "count", "describe"),
        ("Alter", range(20, 60), "number", "describe"),
        ("Location Code", ["Urban", "Rural", "Suburban"], "category", "describe"),
        ("Nachname", ["Maier", "Huber", "Koch"], "text", "dropped"),
        ("E-Mail", ["yes, work", "yes, home", "none"], "text", "dropped"),
        ("OperatingSystems", [1, 2, 3, 8], "category", "describe"),
        ("Browser", [1, 2, 4, 13], "category", "describe"),
        ("Policy_Sales_Channel", [26, 124, 152, 160], "category", "describe"),
        ("Policy_Sales_Channel", range(1, 160, 3), "number", "dropped"),
        ("PaymentMethod", [1, 2, 4, 13], "category", "describe"),
        ("WeekofPurchase", range(227, 270), "number", "left out"),
        ("arrival_date_week_number", range(1, 54), "number", "left out"),
        ("Enrollment Month", range(1, 13), "number", "left out"),
        ("arrival_month", range(1, 13), "number", "left out"),
        ("arrival_date", range(1, 32), "number", "left out"),
        ("annual_inc", range(20_000, 90_000, 997), "number", "describe"),
        ("Prénom", ["Anne", "Luc", "Jean"], "text", "dropped"),
        *(
            (name, 10100 + np.arange(0, 80_000, 997), "id", "dropped")
            for name in ("CAP", "Postleitzahl", "Posta kodu", "Artikelnr")
        ),
        *(
            (name, range(18, 80), "number", "describe")
            for name in ("Ålder", "Věk", "Ηλικία", "גיל")
        ),
        *(
            (name, 10100 + np.arange(0, 80_000, 997), "id", "dropped")
            for name in ("Τ.Κ.", "Postinumero", "ZIP+4", "Butiksnr", "İl Kodu")
        ),
        ("Territory", range(1, 80), "number", "dropped"),
        ("code_insee", 1001 + np.arange(0, 90_000, 997), "id", "dropped"),
        ("x_lambert93", 600_000 + np.arange(0, 90_000, 997), "number", "left out"),
        *(
            (name, values, "category" if len(values) <= 20 else "number", role)
            for name in ("till", "Caja", "provider", "cost_center", "sales_rep", "Cohort")
            for values, role in ((range(1, 15), "describe"), (range(1, 80), "dropped"))
        ),
        ("days till renewal", range(40), "number", "segment"),
        ("calls to center", range(12), "count", "segment"),
        ("Bildungsgrad", range(1, 5), "category", "describe"),
        ("HOUR_APPR_START", range(5, 20), "number", "left out"),
        ("hour", [0.5, 11.9, 17.2], "number", "left out"),
        ("arrival_date_num", 2016 + np.arange(0, 1, 0.01), "number", "left out"),
        *(
            (name, values, "date", "describe")
            for name, values in (
                ("date", [930705, 931231, 960229, 50109]),
                ("MAXADATE", [8901, 9512, 9706]),
                ("datum", [202401, 202412]),
            )
        ),
        ("date", [930705, 931331, 960229], "number", "left out"),
        ("date", [2001, 2005, 2012], "number", "describe"),
        ("delay_from_due_date", range(60), "count", "segment"),
        ("orders to date", range(8), "count", "segment"),
        ("sales_to_date", range(30_000, 50_000, 997), "money", "segment"),
        ("AMT_REQ_CREDIT_BUREAU_YEAR", range(9), "count", "segment"),
        ("payment_installments", range(1, 25), "count", "segment"),
        ("payment_plan_days", [7, 30, 410], "number", "segment"),
        ("amount_spent", range(25), "money", "segment"),
        *(
            (name, range(1, 11), "number", "segment")
            for name in (
                "Satisfaction phone",
                "Satisfaction branch",
                "Over the last twelve months how was our bank and its branches",
            )
        ),
        ("called", 31_612_000_000 + np.arange(0, 9_000_000, 7919), "number", "dropped"),
        ("capital", 31_612_000_000 + np.arange(0, 9_000_000, 10_000), "number", "segment"),
        ("店舗番号", range(1001, 1080, 7), "category", "describe"),
        ("Punto vendita", range(1001, 1080, 7), "category", "describe"),
        ("Oddział", range(1001, 1080, 7), "category", "describe"),
    ],
)
def test_what_a_name_and_its_values_are_taken_for(bring, name, values, kind, role):
    guess = guess_columns(bring({"id": "rows", name: np.resize(values, ROWS)}))[1]
    assert (guess.kind, guess.role) == (kind, role)


def test_the_total_is_worth_more_than_its_month(bring):
    table = {"id": "rows", "tenure": "1:70", "MonthlyCharges": "spent1", "TotalCharges": "spent2"}
    assert understand(bring(table)).value == "total_charges"


def test_units_ranges_and_transforms(bring):
    dataset = understand(bring({name: what for name, (what, _) in (MALL | RECORD | CARDS).items()}))
    assert dataset.column("annual_income_k").unit == "k$"
    assert dataset.column("avg_utilization_ratio").valid == (0, 1)
    assert dataset.feature("net_sales").transform == "yeo-johnson"


def test_every_guess_has_its_reason(bring):
    keys = np.array(MADE["keys"])
    keys[:2] = keys[2:4]
    tables = CONTACTS | CARDS | SUMS | {"Gender": ("plans", "")}
    reading = bring({name: what for name, (what, _) in tables.items()} | {"Customer Key": keys})
    text = infer_dataset(reading, "theirs")
    content = tomllib.loads(text)
    for name, why in {
        "Full Name": "names a person",
        "contact1": "holds e-mail addresses",
        "remark": "another text in nearly every row",
        "same": "the same value in every row (5)",
        "nothing": "no value in any row",
        "rare": "missing in 90% of the rows",
        "Sl_No": "another identifier",
        "Customer Key": "4 rows share their identifier with another; customer_id tells rows apart",
    }.items():
        assert content["left_out"][name].startswith(why)
    reasons = {feature["name"]: feature["why"] for feature in content["features"]}
    assert all(reasons.values())
    assert "credit limit, total revolving balance" in reasons["open_to_buy"]
    assert "(correlation 1.00)" in reasons["avg_open_to_buy"]
    assert "[columns.gender] # sensitive" in text
    assert "[columns.customer_id] # tells customers apart" in text
    heads = [line for line in text.splitlines() if line.startswith("[columns.")]
    assert len(heads) == len(content["columns"])
    assert all(" # " in head for head in heads)
    assert "Full Name" in content["dataset"]["limits"][1]


@pytest.mark.parametrize(
    "names",
    [
        ["max", "2023 spend", "Größe", "数量", "class", "a-b", "a b c", "inf"],
        ['x"]\n[evil]\nkey = "<script>', "b"],
        [f"{'amount ' * 1500}{end}" for end in ("one", "two", "three")] + ["z" * 10_000],
        ["abc\u202edcba\u2066\u200b\x7f\U000e0041x", "b"],
    ],
)
def test_any_name_is_kept_and_has_one_for_formulas(bring, names):
    reading = bring({"id": "rows"} | {name: f"spent{i % 4}" for i, name in enumerate(names)})
    dataset = understand(reading)
    assert [c.found_as[0] for c in dataset.columns] == list(reading.table)
    assert len(reading.table.columns) == len(names) + 1
    assert all(c.name.isidentifier() and len(c.name) <= 70 for c in dataset.columns)
    assert all(len(g.label) <= 120 for g in guess_columns(reading))
    text = infer_dataset(reading, "theirs")
    assert all(character.isprintable() or character == "\n" for character in text)


def test_no_numbers_is_a_helpful_refusal(bring):
    with pytest.raises(UserError, match="plan") as caught:
        infer_dataset(bring({"id": "rows", "plan": "plans"}), "theirs")
    assert len(str(caught.value).splitlines()) == 3


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(names=st.lists(st.text(min_size=1, max_size=12), min_size=3, max_size=6))
def test_any_names_give_a_dataset_that_loads(names):
    table = pd.DataFrame(
        {name: MADE["even"] * MADE[f"spent{i % 4}"] for i, name in enumerate(names)}
    )
    reading = Reading(table, [], dict.fromkeys(table, "number"), {}, {"name": "t.csv"})
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
        ("No", "Number"),
        ("Pur vol no promo", "Pur vol no promo"),
        ("Recency", "Recency"),
        ("Clv", "CLV"),
        ("Sms sent in usd", "SMS sent in USD"),
        ("Year birth", "Year of birth"),
        ("Bill amt3", "Bill amount 3"),
        ("Total amt chng q4 q1", "Total amount change q4 q1"),
    ],
)
def test_labels_are_spelled_out(label, spelled):
    assert spell_out(label) == spelled
