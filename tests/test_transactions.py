"""Lines of purchases: recognised, read in any form, summed up exactly, every rule counted."""

from __future__ import annotations

import gzip
import sys
import tempfile
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from customer_tables.errors import UserError
from customer_tables.source import Source
from segmentation import cleaning, intake, rfm
from segmentation.dataset import load_dataset
from segmentation.features import build_features
from segmentation.transactions import engine, find_transactions, recognise, sum_up
from segmentation.transactions.customers import category_columns
from segmentation.transactions.demographics import in_bands, join_demographics
from segmentation.transactions.description import describe_transactions

SHOP = Source(
    grain="transaction", customer="who", time="day", amount="paid", order="basket",
    product="item", category="kind",
)  # fmt: skip
# Worked by hand below: two customers, a return, a cancelled order, and lines that lack something.
LINES = """\
who,basket,day,item,kind,paid,count
A,1,2024-01-01 10:00,apple,fruit,2.10,3
A,1,2024-01-01 10:00,bread,bakery,3.20,1
A,2,2024-03-02 18:30,apple,fruit,0.10,1
B,3,2024-02-03 09:00,pear,fruit,5.00,2
B,4,2024-02-04 09:00,pear,fruit,-1.00,-1
B,C5,2024-02-05 09:00,pear,fruit,2.00,1
,6,2024-02-05 09:00,pear,fruit,7.00,1
B,7,soon,pear,fruit,7.00,1
B,8,2024-02-06 09:00,pear,fruit,?,1
D,9,2024-02-06 09:00,pear,fruit,-4.00,-1
A,10,2024-03-03 12:00,gift,,0.00,1
"""


@pytest.fixture
def bring(tmp_path):
    def write(text: str, name: str = "lines.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


def customers(reading) -> pd.DataFrame:
    return reading.table.set_index("customer_id")


# --- recognised ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
            {"customer": "CustomerID", "time": "InvoiceDate", "quantity": "Quantity",
             "price": "UnitPrice", "order": "InvoiceNo", "product": "StockCode"},
        ),
        (
            "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country",
            {"customer": "Customer ID", "time": "InvoiceDate", "quantity": "Quantity",
             "price": "Price", "order": "Invoice", "product": "StockCode"},
        ),
        (
            "Order ID,Order Date,Ship Date,Customer ID,Category,Product Name,Sales,Discount",
            {"customer": "Customer ID", "time": "Order Date", "amount": "Sales",
             "order": "Order ID", "product": "Product Name", "category": "Category",
             "discount": "Discount"},
        ),
        (
            "Rechnungsnummer,Artikelnummer,Menge,Rechnungsdatum,Einzelpreis,Kundennummer,Land",
            {"customer": "Kundennummer", "time": "Rechnungsdatum", "quantity": "Menge",
             "price": "Einzelpreis", "order": "Rechnungsnummer", "product": "Artikelnummer"},
        ),
        (
            "N° commande,N° client,Date de commande,Quantité,Prix unitaire,Montant,Catégorie",
            {"customer": "N° client", "time": "Date de commande", "quantity": "Quantité",
             "price": "Prix unitaire", "amount": "Montant", "order": "N° commande",
             "category": "Catégorie"},
        ),
        (
            "household_id,store_id,basket_id,product_id,quantity,sales_value,transaction_timestamp",
            {"customer": "household_id", "time": "transaction_timestamp", "amount": "sales_value",
                 "quantity": "quantity", "order": "basket_id", "product": "product_id"},
        ),
    ],
)  # fmt: skip
def test_columns_of_known_shops(header, expected):
    assert recognise(header.split(",")) == Source(grain="transaction", **expected)


@pytest.mark.parametrize(
    "header", ["CustomerID,Age,Income", "customer,date,visits", "date,amount,product", "a,b"]
)
def test_other_tables_are_none(header):
    assert recognise(header.split(",")) is None


def test_one_row_a_customer_is_no_file_of_purchases(bring):
    rows = "".join(f"{i},2024-01-0{i % 9 + 1},{i}\n" for i in range(50))
    assert find_transactions(bring(f"customer,last purchase date,amount\n{rows}")) is None
    assert find_transactions(bring(f"customer,date,amount\n{rows}{rows}")) is not None
    assert find_transactions(bring("")) is None


# --- summed up ----------------------------------------------------------------------------------


def test_sums_worked_by_hand(bring):
    reading = sum_up(bring(LINES), SHOP)
    table = customers(reading)
    assert list(table.index) == ["A", "B"]
    a, b = table.loc["A"], table.loc["B"]
    assert (a.orders, a.spent, a.net_value) == (3, 5.4, 5.4)
    assert (a.recency_days, a.tenure_days) == (0, 62)
    assert a.basket_value == pytest.approx(5.4 / 3)
    assert a.basket_lines == pytest.approx(4 / 3)
    assert a.active_months == 2
    assert a.products == 3
    assert a.evening_share == pytest.approx(1 / 3)
    assert (a.spent_on_fruit, a.spent_on_bakery, a.spent_on_the_rest) == (2.2, 3.2, 0)
    # B bought for 5.00, gave back 1.00 and cancelled 2.00.
    assert (b.orders, b.spent, b.net_value) == (1, 5, 2)
    assert b.returns_share == pytest.approx(3 / 5)
    # The period runs from 1 January to 3 March, so its middle is the night to 1 February.
    assert a.trend == pytest.approx((0.1 - 5.3) / 5.4)
    assert b.trend == 1


def test_every_rule_is_counted(bring):
    changes = {c.what: c.rows for c in sum_up(bring(LINES), SHOP).changes}
    assert changes == {
        "lines of purchases": 11,
        "lines without a customer (who)": 1,
        "lines without a readable time (day)": 1,
        "lines without a readable amount": 1,
        "lines of cancelled orders": 1,
        "returns: lines below zero": 2,
        "lines that cost nothing": 1,
        "customers with returns only": 1,
    }


def test_purchases_with_line_breaks_are_found(bring):
    rows = "".join(f'{n % 5},"a\nb",2024-01-0{n % 9 + 1},2.5\n' for n in range(50))
    assert find_transactions(bring(f"customer id,product,date,amount\n{rows}")) is not None


def test_the_order_of_the_lines_changes_no_bit(bring):
    rng = np.random.default_rng(1)
    rows = [
        f"{c},{i // 3},2024-0{1 + i % 9}-1{i % 7} 08:00,p{i % 5},k{i % 4},{a:.2f},1"
        for i, (c, a) in enumerate(zip(rng.integers(0, 40, 3000), rng.random(3000), strict=True))
    ]
    head = LINES.splitlines()[0]
    tables = []
    for name in ("one.csv", "two.csv"):
        tables.append(sum_up(bring("\n".join([head, *rows]) + "\n", name), SHOP).table)
        rng.shuffle(rows)
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_amount_is_quantity_times_price_without_one(bring):
    source = Source(grain="transaction", customer="c", time="t", quantity="q", price="p")
    text = "c,t,q,p\n1,2024-01-01,3,0.10\n1,2024-01-01,1,0.20\n1,2024-01-05,2,1.5\n"
    found = customers(sum_up(bring(text), source)).loc["1"]
    assert found.spent == 3.5
    assert found.orders == 2  # a day without an order number is one basket
    assert "evening_share" not in found  # the file tells no time of day


# --- read in any form ---------------------------------------------------------------------------


def test_all_formats_give_the_same(bring, tmp_path):
    lines = LINES.replace("C5", "5").replace(",2.00,", ",-2.00,")
    expected = sum_up(bring(lines), SHOP).table
    (tmp_path / "l.csv.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "l.tsv").write_text(lines.replace(",", "\t"))
    frame = pd.read_csv(bring(lines), na_values="?")
    frame["day"] = pd.to_datetime(frame["day"], errors="coerce")
    frame.to_parquet(tmp_path / "l.parquet")
    frame.to_excel(tmp_path / "l.xlsx", index=False)
    for name in ("l.parquet", "l.xlsx"):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    for name in ("l.csv.gz", "l.tsv", "l.parquet", "l.xlsx", "l.parquet.gz", "l.xlsx.gz"):
        found = sum_up(tmp_path / name, SHOP).table
        pd.testing.assert_frame_equal(found, expected, check_exact=True, obj=name)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_a_cell_may_hold_line_breaks(bring, ending):
    text = f"{LINES}A,12,2024-03-04 12:00,apple,fruit,1.00\n"  # and a line that ends early
    path = bring(text.replace("pear", '"pear, ""green""\nfrom\r\nhere"'))
    if ending.endswith(".gz"):
        packed = path.with_name(f"lines{ending}")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path = packed
    found, expected = sum_up(path, SHOP), sum_up(bring(text, "plain.csv"), SHOP)
    pd.testing.assert_frame_equal(found.table, expected.table)


@pytest.mark.parametrize(
    ("times", "days"),
    [
        (["12/31/2010 8:26", "1/2/2011 9:00"], 2),
        (["31/12/2010 08:26", "02/01/2011 09:00"], 2),
        (["31.12.2010", "02.01.2011"], 2),
        (["20101231", "20110102"], 2),
        (["2010-12-31T08:26:00", "2011-01-02T09:00:00"], 2),
        (["12/31/10 8:26 PM", "1/2/11 9:00 AM"], 2),
        (["31-Dec-2010", "02-Jan-2011"], 2),
        (["31-DEC-10 08:26", "02-JAN-11 09:00"], 2),
        (["31 October 2010 8:26 PM", "2nd Nov. 2010 9:00 AM"], 2),
        (['"Oct 31, 2010"', '"Nov 2, 2010"'], 2),
        (['"Fri, 31 Dec 2010 23:59:00"', '"Sun, 02 Jan 2011 00:01:00"'], 2),
    ],
)
def test_times(bring, times, days):
    source = Source(grain="transaction", customer="c", time="t", amount="a")
    reading = sum_up(bring(f"c,t,a\n1,{times[0]},1\n1,{times[1]},1\n"), source)
    assert customers(reading).loc["1", "tenure_days"] == days


def test_day_and_month_that_cannot_be_told_apart(bring):
    source = Source(grain="transaction", customer="c", time="t", amount="a")
    path = bring("c,t,a\n1,01/02/2011,1\n1,03/04/2011,1\n")
    with pytest.raises(UserError, match="--date-order"):
        sum_up(path, source)
    assert customers(sum_up(path, source, date_order="dmy")).loc["1", "tenure_days"] == 61


@pytest.mark.parametrize(
    ("amounts", "decimal", "spent"),
    [
        (["1.50", "2.25"], "", 3.75),
        (["1,50", "1.002,25"], "", 1003.75),
        (["$1,000.50", "€2.25"], "", 1002.75),
        (["1,500", "2,250"], "comma", 3.75),
        (["1,500", "2,250"], "point", 3750),
    ],
)
def test_amounts(bring, amounts, decimal, spent):
    source = Source(grain="transaction", customer="c", time="t", amount="a")
    path = bring(f"c;t;a\n1;2024-01-01;{amounts[0]}\n1;2024-01-02;{amounts[1]}\n")
    reading = sum_up(path, source, delimiter=";", decimal=decimal)
    assert customers(reading).loc["1", "spent"] == spent


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c,t,a\n1,2024-01-01,\"1,500\"\n1,2024-01-02,\"2,250\"\n", "--decimal"),
        ("c,t,a\n1,yesterday,1\n1,today,2\n", "2024-03-31"),
        ("c,t,a\n1,2024-01-01,much\n1,2024-01-02,more\n", "no numbers"),
        ("c,t\n1,2024-01-01\n", "no column 'a'"),
        ("c,t,a\n,2024-01-01,1\n,2024-01-02,1\n", "lack a customer"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused(bring, text, message):
    source = Source(grain="transaction", customer="c", time="t", amount="a")
    with pytest.raises(UserError, match=message) as caught:
        sum_up(bring(text), source)
    assert len(str(caught.value).splitlines()) == 3


def test_identifiers_that_had_gaps_among_them(bring):
    source = Source(grain="transaction", customer="c", time="t", amount="a")
    reading = sum_up(bring("c,t,a\n17850.0,2024-01-01,1\n,2024-01-01,1\n"), source)
    assert list(customers(reading).index) == ["17850"]


def test_a_discount_as_a_part_of_the_price(bring):
    source = Source(grain="transaction", customer="c", time="t", amount="a", discount="d")
    reading = sum_up(bring("c,t,a,d\n1,2024-01-01,80,0.2\n1,2024-01-02,80,0\n"), source)
    assert customers(reading).loc["1", "discount_share"] == pytest.approx(20 / 180)


def test_names_of_categories_are_unique():
    names = category_columns(["Fruit & Veg", "fruit veg", "水果", "!"])
    assert len(set(names.values())) == 4
    assert names["Fruit & Veg"] == "spent_on_fruit_veg"


# --- who the customers are ----------------------------------------------------------------------


def test_demographics_are_joined_and_never_filled_in(bring):
    reading = sum_up(bring(LINES), SHOP)
    people = bring("who,town,e-mail,age\nA,North,a@x.org,41\nZ,South,z@x.org,30\n", "people.csv")
    joined, guesses = join_demographics(reading, people, "who")
    table = customers(joined)
    assert table.loc["A", "town"] == "North"
    assert table.loc["B", ["town", "age"]].isna().all()
    assert {g.name: g.kind for g in guesses} == {"town": "category", "age": "category"}
    told = {c.what: (c.rows, c.action) for c in joined.changes}
    assert told["customers of whom the second file says nothing"][0] == 1
    assert told["people in the second file who are not among the customers"] == (1, "left out")
    assert "e_mail" not in table


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("town,age\nNorth,41\n", "no column 'who'"),
        ("who,town\nA,North\nA,South\n", "on two rows"),
        ("who,town\nX,North\nY,South\n", "no customer of the purchases"),
    ],
)
def test_people_who_do_not_fit_are_refused(bring, text, message):
    with pytest.raises(UserError, match=message):
        join_demographics(sum_up(bring(LINES), SHOP), bring(text, "people.csv"), "who")


def test_numbers_about_people_become_bands():
    bands = in_bands(pd.Series([*range(20, 60), None]))
    assert bands.nunique() == 4
    assert bands.iloc[0].startswith("20 to ")
    assert bands.isna().sum() == 1
    assert in_bands(pd.Series([0.0, 2.0, None])).to_list()[:2] == ["0", "2"]


def test_customers_summed_up_before_take_the_place_of_lines(bring, tmp_path):
    path = tmp_path / "d.toml"
    rows = "".join(f"{i % 9},2024-0{1 + i % 7}-11,{i}.50\n" for i in range(60))
    lines = bring(f"customer,date,amount\n{rows}")
    ws, _ = intake.open_table("auto", str(lines), results_dir=str(tmp_path / "r"))
    path.write_text((tmp_path / "r" / "dataset.toml").read_text())
    _, expected = intake.open_table(str(path), str(lines), results_dir=str(tmp_path / "s"))
    expected.table.to_parquet(tmp_path / "customers.parquet")
    _, found = intake.open_table(
        str(path), str(tmp_path / "customers.parquet"), results_dir=str(tmp_path / "t")
    )
    assert ws.dataset.origin.grain == "transaction"
    pd.testing.assert_frame_equal(found.table, expected.table, check_exact=True)
    assert found.kinds == expected.kinds
    assert not intake.is_summed_up(lines)


def test_a_second_file_needs_purchases(bring, tmp_path):
    people = bring("who,a,b\n" + "".join(f"{i},{i},{i % 7}\n" for i in range(60)), "p.csv")
    with pytest.raises(UserError, match="file of purchases only"):
        intake.open_table("auto", str(people), str(people), results_dir=str(tmp_path / "r"))


# --- as the notebooks use it --------------------------------------------------------------------


def test_a_users_purchases_become_features(bring, tmp_path):
    rng = np.random.default_rng(2)
    first = pd.Timestamp("2011-01-01")
    who, days = rng.integers(0, 80, 2000), rng.integers(0, 300, 2000)
    rows = [
        f"{536000 + i // 4},{i % 30},{1 + i % 3},{first + pd.Timedelta(days=d)},{1 + i % 5}.99,{w}"
        for i, (w, d) in enumerate(
            zip(np.repeat(who[::4], 4), np.repeat(days[::4], 4), strict=True)
        )
    ]
    path = bring(
        "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n" + "\n".join(rows)
    )
    people = bring("CustomerID,Country\n" + "".join(f"{i},C{i % 2}\n" for i in range(40)), "p.csv")
    ws, reading = intake.open_table("auto", str(path), str(people), results_dir=str(tmp_path / "r"))
    known = ws.dataset
    cleaned = cleaning.clean(reading.numbered, known)
    features = build_features(cleaned.customers, known)
    segmenting = [f.name for f in known.features_with("segment")]
    assert segmenting == ["recency_days", "orders", "spent"]
    assert known.value == "net_value"
    assert known.rfm == {"recency": "recency_days", "frequency": "orders", "monetary": "spent"}
    assert np.isfinite(features.to_numpy()).all()
    assert known.column("country").kind == "category"
    # The description that was guessed reads the file again in the same way.
    again, second = intake.open_table(
        str(tmp_path / "r" / "dataset.toml"),
        str(path),
        str(people),
        results_dir=str(tmp_path / "s"),
    )
    pd.testing.assert_frame_equal(second.table, reading.table, check_exact=True)
    assert again.dataset.features == known.features


# --- recency, frequency, monetary value ---------------------------------------------------------


def test_scores_at_quintiles_and_at_own_cuts():
    features = pd.DataFrame({"r": [10, 20, 30, 40, 50], "f": [1, 2, 3, 4, 5], "m": [5, 4, 3, 2, 1]})
    parts = {"recency": "r", "frequency": "f", "monetary": "m"}
    table = rfm.scores(features, parts, {})
    assert table["recency"].to_list() == [5, 4, 3, 2, 1]
    assert table["frequency"].to_list() == [1, 2, 3, 4, 5]
    assert table["total"].to_list() == [11, 10, 9, 8, 7]
    own = rfm.scores(features, parts, rfm.read_cuts("recency = 5, 6, 7, 60"))
    assert own["recency"].to_list() == [2, 2, 2, 2, 2]
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


def test_no_cuts_are_quintiles():
    assert rfm.read_cuts("") == {}


def test_the_retail_dataset_is_sound():
    known = load_dataset("retail")
    assert known.origin.grain == "transaction"
    assert {a.name for a in known.archetypes} >= {
        "Frequent shoppers", "Deal seekers", "Big-basket families", "Lapsing customers",
    }  # fmt: skip


@pytest.mark.parametrize("damage", [lambda b: b[:-20], lambda b: b[:40] + b"xxxx" + b[44:]])
def test_a_damaged_archive_is_left_to_the_reader_to_explain(tmp_path, damage):
    path = tmp_path / "l.csv.gz"
    path.write_bytes(damage(gzip.compress(LINES.encode() * 9)))
    assert find_transactions(path) is None
    with pytest.raises(UserError):
        sum_up(path, SHOP)


def test_what_never_changes_with_a_customer_describes_them(bring, tmp_path):
    towns = ["North", "South"]
    rows = [
        f"C{i},2024-0{1 + k}-{10 + i % 15},{10 + i + k},O{i}-{k},{towns[i % 2]},Anna {i},{k % 2}"
        for i in range(60)
        for k in range(3)
    ]
    rows[2] = rows[2].replace("North", "East")  # the first customer moved
    header = "customer,date,amount,order,Town,Customer Name,Delivery"
    path = bring("\n".join([header, *rows]) + "\n")
    ws, reading = intake.open_table("auto", str(path), results_dir=str(tmp_path / "out"))
    assert ws.dataset.origin.describe == "Town + Customer Name"
    assert reading.table["town"].isna().to_list() == [True] + [False] * 59
    assert set(reading.table["town"].dropna()) == set(towns)
    assert not {"customer_name", "delivery"} & set(reading.table)
    left = {change.column: change.what for change in reading.changes if change.action == "left out"}
    assert left["Customer Name"] == "names a person or how to reach them"
    mine = tmp_path / "mine.toml"
    mine.write_text((tmp_path / "out" / "dataset.toml").read_text(encoding="utf-8"))
    _, again = intake.open_table(str(mine), str(path), results_dir=str(tmp_path / "again"))
    pd.testing.assert_frame_equal(again.table, reading.table)


@pytest.mark.parametrize("town", ["To\u202ewn\x7f", 'T"o\\wn', "t" * 300])
def test_any_name_of_a_column_about_customers_can_be_told_again(bring, tmp_path, town):
    rows = [
        f"C{i},2024-0{1 + k}-{10 + i % 15},{10 + i + k},{'NS'[i % 2]}"
        for i in range(60)
        for k in range(3)
    ]
    name = town.replace('"', '""')
    path = bring("\n".join([f'customer,date,amount,"{name}"', *rows]) + "\n")
    ws, reading = intake.open_table("auto", str(path), results_dir=str(tmp_path / "out"))
    text = (tmp_path / "out" / "dataset.toml").read_text(encoding="utf-8")
    assert all(c.isprintable() or c == "\n" for c in text)
    assert tomllib.loads(text)["source"]["describe"] == ws.dataset.origin.describe == town
    assert sorted(reading.table.iloc[:, -1].unique()) == ["N", "S"]


def test_a_second_file_goes_before_what_the_lines_say(bring, tmp_path):
    lines = [
        f"C{i},2024-0{1 + k}-{10 + i % 9},{5 + i},{'XY'[i % 2]}"
        for i in range(60)
        for k in range(2)
    ]
    path = bring("\n".join(["customer,date,amount,Country", *lines]) + "\n")
    people = tmp_path / "people.csv"
    people.write_text("customer,Country\n" + "".join(f"C{i},{'AB'[i % 2]}\n" for i in range(60)))
    given = (str(path), str(people))
    ws, reading = intake.open_table("auto", *given, results_dir=str(tmp_path / "out"))
    assert set(reading.table["country"]) == {"A", "B"}
    assert [column.name for column in ws.dataset.columns].count("country") == 1


def test_customers_who_all_buy_alike_cannot_be_divided(bring, tmp_path):
    lines = [f"C{i},2024-01-{1 + k},{5 + i}" for i in range(60) for k in range(2)]
    path = bring("\n".join(["customer,date,amount", *lines]) + "\n")
    with pytest.raises(UserError, match="equally often"):
        intake.open_table("auto", str(path), results_dir=str(tmp_path / "out"))
    assert not (tmp_path / "out" / "dataset.toml").exists()


def test_what_nobody_bought_is_no_goods(bring):
    lines = "customer,date,amount,category\n" + "".join(
        f"{i % 9},2024-0{1 + i % 8}-05,{i + 1},{'ab'[i % 2]}\n" for i in range(60)
    )
    path = bring(lines)
    source = find_transactions(path)
    reading = sum_up(path, source)
    text = describe_transactions(reading.table, source, reading.source, "shop")
    found = {feature["name"] for feature in tomllib.loads(text)["features"]}
    assert {"spent_on_a", "spent_on_b"} <= found
    assert "spent_on_the_rest" not in found


def test_the_number_of_threads_and_the_memory_change_no_bit(tmp_path, monkeypatch):
    rng = np.random.default_rng(4)
    lines = 40_000
    table = pd.DataFrame(
        {
            "customer_id": rng.integers(1, 400, lines),
            "invoice": rng.integers(1, 9000, lines),
            "date": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 9e6, lines), "s"),
            "amount": rng.lognormal(2, 1, lines).round(2),
            "department": rng.choice(["a", "b", "c"], lines),
            "discount": rng.uniform(0, 0.4, lines).round(4),
        }
    )
    table.to_csv(tmp_path / "lines.csv", index=False)
    table.to_parquet(tmp_path / "lines.parquet")
    source = Source(
        grain="transaction", customer="customer_id", time="date", amount="amount",
        order="invoice", category="department", discount="discount",
    )  # fmt: skip
    run, found = engine.DuckDB.run, []
    for threads, memory in ((1, 2 << 30), (2, 2 << 30), (4, 96 << 20)):
        monkeypatch.setattr(engine, "memory_limit", lambda memory=memory: memory)

        def threaded(self, query, threads=threads):
            self.connection.execute(f"SET threads = {threads}")
            return run(self, query)

        monkeypatch.setattr(engine.DuckDB, "run", threaded)
        found += [sum_up(tmp_path / f"lines.{kind}", source).table for kind in ("csv", "parquet")]
    assert found[0]["spent"].sum() > 0
    for other in found[1:]:
        pd.testing.assert_frame_equal(found[0], other, check_exact=True)


def test_purchases_beyond_the_disk_are_refused_with_the_arithmetic(tmp_path, monkeypatch):
    path = tmp_path / "lines.csv"
    path.write_text("customer_id,date,amount\n" + "7,2024-03-01,1.50\n" * 100)
    monkeypatch.setattr(engine, "SMALL", 100)
    monkeypatch.setattr(engine.shutil, "disk_usage", lambda place: SimpleNamespace(free=2000))
    source = Source(grain="transaction", customer="customer_id", time="date", amount="amount")
    with pytest.raises(UserError, match=r"unpacked, times 2 .* are free for temporary files"):
        sum_up(path, source)


def test_temporary_files_are_private_and_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with engine.open_duckdb("lines") as opened:
        (place,) = tmp_path.iterdir()
        assert Path(opened.folder) == place
        assert sys.platform == "win32" or place.stat().st_mode & 0o777 == 0o700
        opened.keep("numbers", "SELECT * FROM range(1000)")
        limit = opened.ask("SELECT current_setting('memory_limit')")[0][0]
        assert "GiB" in limit or "MiB" in limit
    assert not list(tmp_path.iterdir())
