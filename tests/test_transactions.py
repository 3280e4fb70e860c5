"""Transaction lines: recognised, read in any form, aggregated exactly, every rule counted."""

from __future__ import annotations

import gzip
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import duckdb
import numpy as np
import pandas as pd
import pytest

from customer_tables import lines as opening
from customer_tables import memory, transactions
from customer_tables.aggregation import category_columns
from customer_tables.changes import Change
from customer_tables.errors import UserError
from customer_tables.lines import open_lines
from customer_tables.people import in_bands, join_demographics
from customer_tables.source import FOUND_OUT, Options, Source
from customer_tables.table import read_table
from customer_tables.transaction_columns import find_transactions, recognise
from segmentation import cleaning, intake
from segmentation.features import build_features

FEW = Source(grain="transaction", customer="c", time="t", amount="a")
SHOP = Source("transaction", customer="who", time="day", amount="paid", order="basket")
SHOP = replace(SHOP, product="item", category="kind")
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
DAYS = "".join(f"1,2024-01-0{i},1\n" for i in range(1, 10))  # 15 characters a line
DAY_FIRST = "".join(f"1,{day}/0{month}/2011,1\n" for day in range(13, 29) for month in (1, 2))
VISITS = [
    (f"C{i}", f"2024-0{k + 1}-{10 + i % 15}", 10 + i + k) for i in range(60) for k in range(3)
]


@pytest.fixture
def bring(tmp_path):
    def write(text: str | bytes, name: str = "lines.csv") -> Path:
        content = text if isinstance(text, bytes) else text.encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


@pytest.fixture
def opened(bring, tmp_path):
    """Return a function that opens lines, and people, as notebook 01 does."""

    def read(lines: Path, people: str = "", dataset: str = "auto", folder: str = "out") -> tuple:
        files = (str(lines), str(bring(people, "people.csv")) if people else "")
        return intake.open_table(dataset, *files, results_dir=str(tmp_path / folder))

    return read


def aggregate(path: Path, source: Source, options: Options = FOUND_OUT, products=None):
    with open_lines(path, options, products) as lines:
        return transactions.aggregate(lines, source)


def customers(reading) -> pd.DataFrame:
    return reading.table.set_index("customer_id")


def listed(header: str, rows) -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


# --- recognised ---------------------------------------------------------------------------------


HEADERS = {
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country": (
        "order product - quantity time price customer -"
    ),
    "Order ID,Order Date,Ship Date,Customer ID,Category,Product Name,Sales,Discount": (
        "order time - customer category product amount discount"
    ),
    "Rechnungsnummer,Artikelnummer,Menge,Rechnungsdatum,Einzelpreis,Kundennummer,Land": (
        "order product quantity time price customer -"
    ),
    "N° commande,N° client,Date de commande,Quantité,Prix unitaire,Montant,Catégorie": (
        "order customer time quantity price amount category"
    ),
    "Codice cliente,Data ordine,Importo,Stato": "customer time amount -",
    "klient,data,kwota": "customer time amount",
    "Order ID,Sale Date,Buyer,Buyer User ID,Order Value": "order time - customer amount",
    "Order Number,Order Date,Customer User ID,Item Cost,Quantity": (
        "order time customer price quantity"
    ),
    "Name,Email,Created at,Lineitem quantity,Lineitem price": "- customer time quantity price",
    "Psp Reference,Shopper Reference,Creation Date,Value,Currency": "- customer time amount -",
    "payment_date,customer_id,amount": "time customer amount",
    "order_id,customer_id,placed_at,total": "order customer time amount",
    "user_id,order_id,customer_id,order_date,line total": "- order customer time amount",
    "id,Created date (UTC),Amount,Customer ID": "- time amount customer",
    "Verkaufsbeleg,Auftraggeber,Belegdatum,Auftragsmenge,Nettowert": (
        "order customer time quantity amount"
    ),
    "Faktura,Fakturadatum,Auftraggeber,Nettowert": "order time customer amount",
    "Fiş No,Tarih,Müşteri Kodu,Tutar": "order time customer amount",
    "CustNo,InvDate,InvNo,Ext Price": "customer time order amount",
    "DATE,STORE_NBR,LYLTY_CARD_NBR,TXN_ID,PROD_NBR,PROD_QTY,TOT_SALES": (
        "time - customer order product quantity amount"
    ),
    "Transaction_ID,CustomerID,Transaction_Date,Quantity,Avg_Price": (
        "order customer time quantity price"
    ),
    "order_id,order_purchase_timestamp,customer_unique_id,total": "order time customer amount",
    "User_ID,Product_ID,day,Purchase": "customer product time amount",
    "Donor ID,Gift Date,Gift Type,Gift Amount": "customer time - amount",
    "user_pseudo_id,Visit Date,INVAMT": "customer time amount",
    "Bestellung,Kunde,Bestellt am,Summe brutto": "- customer time amount",
    "Cliente,Fecha pedido,Total pedido": "customer time amount",
    "Nr paragonu,Klient,Data,Kwota": "order customer time amount",
    "Belegnummer,Buchungstag,Kundennr.,Betrag (EUR)": "order time customer amount",
    "Nº Factura,Fecha,Cliente,Base imponible,IVA": "order time customer amount -",
    "Numer dokumentu,Data wystawienia,Nabywca,Wartość netto": "order time customer amount",
    "Numero documento,Data documento,Ragione sociale,Importo": "order time customer amount",
    "Factuurnummer,Factuurdatum,Debiteur,Bedrag excl. btw": "order time customer amount",
    "household_id,store_id,basket_id,product_id,quantity,sales_value,coupon,timestamp": (
        "customer - order product quantity amount coupon time"
    ),
    "CustomerID,Age,Income": "",
    "customer,date,visits": "",
    "date,amount,product": "",
}


@pytest.mark.parametrize("header", HEADERS)
def test_columns_are_recognised_by_their_names(header):
    parts = dict(zip(HEADERS[header].split(), header.split(","), strict=bool(HEADERS[header])))
    parts.pop("-", None)
    found = recognise(header.split(","))
    assert found == (Source(grain="transaction", **parts) if parts else None)


def test_one_row_a_customer_is_no_file_of_transactions(bring):
    rows = "".join(f"{i},2024-01-0{i % 9 + 1},{i}\n" for i in range(50))
    for text, found in (
        (f"customer,last purchase date,amount\n{rows}", False),
        (f"customer,date,amount\n{rows}{rows}", True),
    ):
        with open_lines(bring(text)) as lines:
            assert (find_transactions(lines) is not None) is found
    packed = gzip.compress(LINES.encode() * 9)
    for damaged in (b"", packed[:-20], packed[:40] + b"xxxx" + packed[44:]):
        with pytest.raises(UserError):
            aggregate(bring(damaged, "damaged"), SHOP)


# --- aggregated ---------------------------------------------------------------------------------

COLUMNS = (
    "orders spent net_value recency_days tenure_days active_months basket_value basket_lines "
    "products categories returns_share evening_share weekend_share trend spent_on_fruit "
    "spent_on_bakery spent_on_the_rest"
)
# The period runs from 1 January to 3 March, so its middle is the night to 1 February. B bought
# for 5.00, gave back 1.00 and cancelled 2.00.
A = [3, 5.4, 5.4, 0, 62, 2, 1.8, 4 / 3, 3, 2, 0, 1 / 3, 2 / 3, (0.1 - 5.3) / 5.4, 2.2, 3.2, 0]
B = [1, 5, 2, 29, 29, 1, 5, 1, 1, 1, 3 / 5, 0, 1, 1, 5, 0, 0]


def test_sums_worked_by_hand_and_every_rule_counted(bring):
    reading = aggregate(bring(LINES), SHOP)
    table = customers(reading)[COLUMNS.split()]
    assert set(table) == set(reading.table) - {"customer_id"}
    np.testing.assert_allclose(table.loc[["A", "B"]], [A, B], rtol=1e-12)
    assert len(table) == 2
    assert {c.what: c.rows for c in reading.changes} == {
        "transaction lines": 11,
        "lines without a customer (who)": 1,
        "lines without a readable time (day)": 1,
        "lines without an amount": 1,
        "lines of orders called C": 1,
        "returns: lines below zero, or refunds": 2,
        "lines that cost nothing": 1,
        "customers with returns only": 1,
    }


D1, D2, D5, D7 = (f"1,2024-01-0{day}," for day in (1, 2, 5, 7))


@pytest.mark.parametrize(
    ("parts", "columns", "lines", "expected"),
    [
        # Without an order number, a day is one basket; the file tells no time of day.
        (
            {"amount": "", "quantity": "q", "price": "p"},
            "q,p",
            [f"{D1}3,0.10", f"{D1}1,0.20", f"{D5}2,1.5"],
            {"spent": 3.5, "orders": 2, "evening_share": None},
        ),
        (
            {"amount": "a + b", "coupon": "k + b"},
            "a,b,k",
            ["1,2024-01-01 18:00,3,,0", "1,2024-01-02 09:00,1,2,0"],
            {"spent": 6, "coupon_share": 0.5, "evening_share": 0.5},
        ),
        ({"discount": "d"}, "a,d", [f"{D1}80,0.2", f"{D2}80,0"], {"discount_share": 20 / 180}),
        ({"discount": "d"}, "a,d", [f"{D1}80,20", f"{D2}80,-20"], {"discount_share": 40 / 200}),
        ({"own_brand": "b = Own"}, "a,b", [f"{D1}8,Own", f"{D2}2,x"], {"own_brand_share": 0.8}),
        # From Friday to Sunday.
        ({}, "a", [f"{D5}1", "1,2024-01-06,1", f"{D7}1"], {"weekend_share": 2 / 3}),
        # A quantity below zero is a return, whatever the sign of its amount.
        ({"quantity": "q"}, "a,q", [f"{D1}8,1", f"{D2}2,-1"], {"spent": 8, "net_value": 6}),
        # Orders called C are cancelled only where the others are called by numbers.
        ({"order": "o"}, "a,o", [f"{D1}8,C1", f"{D2}2,D2"], {"spent": 10}),
        # Identifiers that had gaps among them, and a line that ends early.
        ({}, "a", ["1.0,2024-01-01,1", ",2024-01-01,1", "170.0,2024-01-02,1"], {"orders": 1}),
        ({}, "a", [*['"1",2024-01-01,1'] * 5, "1,2024-01-02"], {"spent": 5}),
    ],
)
def test_what_columns_mean_for_a_customer(bring, parts, columns, lines, expected):
    found = customers(
        aggregate(bring("\n".join([f"c,t,{columns}", *lines])), replace(FEW, **parts))
    )
    found = found.loc["1" if "1" in found.index else "170"]
    assert {name: found.get(name) for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    "other", ["007", "+7", "-0", "7.5", "7e0", "0x7", "7_0", "C7", "99999999999999999999"]
)
def test_identifiers_stay_letter_for_letter(bring, other):
    rows = [(who, f"2024-01-0{day}", 1) for who in ("7", other) for day in (1, 2)]
    assert set(aggregate(bring(listed("c,t,a", rows)), FEW).table["customer_id"]) == {"7", other}


def test_categories_have_columns_of_their_own(bring):
    names = category_columns(["Fruit & Veg", "fruit veg", "水果", "!"])
    assert len(set(names.values())) == 4
    assert names["Fruit & Veg"] == "spent_on_fruit_veg"
    rows = [(1, "2024-01-01", i + 1, f"k{i}") for i in range(12)]
    table = aggregate(bring(listed("c,t,a,kind", rows)), replace(FEW, category="kind")).table
    assert list(table.filter(like="spent_on_k")) == [f"spent_on_k{i}" for i in range(11, 1, -1)]
    assert table[["spent_on_the_rest", "categories"]].to_numpy().tolist() == [[3, 12]]


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("typed", ["int64", "str"])
def test_products_are_looked_up(bring, tmp_path, kind, typed):
    rows = [(1, "2024-01-01", 3, 7), *[(1, "2024-01-05", 1, 8)] * 9, (1, "2024-01-05", 2, 9)]
    goods = pd.DataFrame({"item": [7, 8, 8], "family": ["a", " NA ", " NA "], "price": [2, 1, 1]})
    # Columns that are called as ours are, and one that has brands.
    goods = goods.assign(category="x", product="y", lines=1, brand=["own", "-", "-"])
    goods = goods.astype({"item": typed})
    products = tmp_path / f"products.{kind}"
    source = replace(FEW, amount="", quantity="q", price="price", product="item")
    source = replace(source, category="family", own_brand="brand = own")
    path = bring(listed("c,t,q,item", rows))

    def looked_up(goods):
        goods.to_parquet(products) if kind == "parquet" else goods.to_csv(products, index=False)
        return customers(aggregate(path, source, products=products)).loc["1"]

    found = looked_up(goods)
    assert (found.spent, found.spent_on_a, found.products) == (15, 6, 2)
    assert found.own_brand_share == pytest.approx(6 / 15)
    with pytest.raises(UserError, match="product '?8'? stands on two rows"):
        looked_up(goods.assign(family=["a", "b", "c"]))


# --- read in any form ---------------------------------------------------------------------------


def test_all_formats_give_the_same(bring, tmp_path):
    lines = LINES.replace("C5", "5").replace(",2.00,", ",-2.00,")
    broken = lines.replace("pear", '"pear, ""green""\nfrom\r\nhere"')
    frame = pd.read_csv(bring(lines), na_values="?")
    frame["day"] = pd.to_datetime(frame["day"], errors="coerce")
    frame.to_parquet(tmp_path / "l.parquet")
    frame.to_excel(tmp_path / "l.xlsx", index=False)
    files = [
        bring(lines, "l.csv.gz"),
        bring(lines.replace(",", "\t"), "l.tsv"),
        bring(lines.encode("utf-16"), "utf16.csv"),
        bring(lines.replace("gift", "café “€”").encode("cp1252"), "cp1252.csv"),
        bring(f"sep=;\n{lines.replace(',', ';')}", "announced.csv"),
        bring(broken, "broken.csv"),
        bring(broken, "broken.csv.gz"),
        tmp_path / "l.parquet",
        tmp_path / "l.xlsx",
        bring((tmp_path / "l.parquet").read_bytes(), "l.parquet.gz"),
        bring((tmp_path / "l.xlsx").read_bytes(), "l.xlsx.gz"),
    ]
    expected = aggregate(bring(lines), SHOP).table
    for path in files:
        reading = aggregate(path, SHOP)
        pd.testing.assert_frame_equal(reading.table, expected, check_exact=True, obj=path.name)
        repaired = [c for c in reading.changes if c.what == "text that is not UTF-8"]
        assert len(repaired) == (path.name == "cp1252.csv")


@pytest.mark.parametrize(
    ("first", "second", "options", "days"),
    [
        ("12/31/2010 8:26", "1/2/2011 9:00", {}, 2),
        ("31/12/2010 08:26", "02/01/2011 09:00", {}, 2),
        ("31.12.2010", "02.01.2011", {}, 2),
        ("01.02.2011", "03.02.2011", {}, 2),  # with points, the day comes first
        ("20101231", "20110102", {}, 2),
        ("2010-12-31T08:26:00", "2011-01-02T09:00:00", {}, 2),
        ("12/31/10 8:26 PM", "1/2/11 9:00 AM", {}, 2),
        ("31-Dec-2010", "02-Jan-2011", {}, 2),
        ('"Dec 31, 10"', '"Jan 2, 11"', {}, 2),
        ("31-DEC-10 08:26", "02-JAN-11 09:00", {}, 2),
        ("31 October 2010 8:26 PM", "2nd Nov. 2010 9:00 AM", {}, 2),
        ('"Oct 31, 2010"', '"Nov 2, 2010"', {}, 2),
        ("31-Mär-2010", "02-Apr-2010", {}, 2),
        ("31-Mrz-10", "02-Apr-10", {}, 2),
        ("31 mars 2024 8:26", "2 avr. 2024 9:00", {}, 2),
        ("30 août 2024", "1er septembre 2024", {}, 2),
        ("30 de septiembre de 2024", "2 de octubre de 2024", {}, 2),
        ("30 abr 2024", "2 maio 2024", {}, 2),
        ("30 kwietnia 2024", "2 maja 2024", {}, 2),
        ("mardi 30 avril 2024", "jeudi 2 mai 2024", {}, 2),
        ("30 сент. 2024", "2 окт. 2024", {}, 2),
        ("2010.12.31 08:26", "2011.01.02 09:00", {}, 2),
        ("2010年12月31日", "2011年1月2日", {}, 2),
        ("31.12.2010 23h26", "02.01.2011 00h01", {}, 2),
        ("31.12.2010 23.26 Uhr", "02.01.2011 00.01 Uhr", {}, 2),
        ('"31.12.2010, 23:26 Uhr"', '"02.01.2011, 00:01 Uhr"', {}, 2),
        ("40543", "40545", {}, 2),
        ("40543.99", "40545.01", {}, 2),
        ('"Fri, 31 Dec 2010 23:59:00"', '"Sun, 02 Jan 2011 00:01:00"', {}, 2),
        ("01/03/2011", "01/04/2011", {"date_order": "dmy"}, 31),
        ("01/03/2011", "01/04/2011", {"date_order": "D/M/Y"}, 31),
        ("01/03/2011", "01/04/2011", {"date_order": "mdy"}, 1),
    ],
)
def test_times(bring, first, second, options, days):
    path = bring(f"c,t,a\n1,{first},1\n1,{second},1\n")
    assert aggregate(path, FEW, Options(**options)).table["tenure_days"].item() == days


@pytest.mark.parametrize(
    "never", ["1900-01-01", "9999-12-31", "0001-01-01", "12024-01-01", "0044-03-15 (BC)"]
)
def test_days_that_stand_for_none_move_no_other(bring, never):
    reading = aggregate(bring(f"c,t,a\n{DAYS}1,{never},1\n"), FEW)
    assert reading.table[["recency_days", "tenure_days", "spent"]].to_numpy().tolist() == [
        [0, 8, 9]
    ]
    left_out = [c.rows for c in reading.changes if "readable time" in c.what]
    assert left_out == [1]


def test_halves_of_the_day(bring):
    for day in ("2024-01-31", "2024.01.31", "01/31/2024"):
        path = bring(f"c,t,a\n1,{day} 9:00 PM,1\n1,{day} 9:00 AM,1\n1,{day} 12:30 AM,1\n")
        shop = replace(FEW, order="t")
        assert aggregate(path, shop).table["evening_share"].item() == pytest.approx(1 / 3), day


@pytest.mark.parametrize(
    ("amounts", "decimal", "spent"),
    [
        (("1.50", "2.25"), "", 3.75),
        (("1,50", "1.002,25"), "", 1003.75),
        (("$1,000.50", "$2.25"), "", 1002.75),
        (("1.000,50 zł", "2,25 zł"), "", 1002.75),
        (("CHF 1000.50", "2.25 Fr."), "", 1002.75),
        (("(1.00)", "2.25-", "$4.50"), "", 4.5),
        (("CHF 1’000.50", "2.25", "−1.00"), "", 1002.75),
        (("1\u202f000,50\u00a0€", "2,25\u00a0€"), "", 1002.75),
        (("(1,00 €)", "2,25 €", "4,50 €"), "", 6.75),
        (("1.000,50 zł", "(2,25)"), "comma", 1000.5),
        (("1000 zł", "2 zł"), "", 1002),
        (("1,500", "0,250"), "", 1.75),  # no thousands begin with a zero
        (("1,500", "2,250"), "comma", 3.75),
        (("1,500", "2,250"), "point", 3750),
    ],
)
def test_amounts(bring, amounts, decimal, spent):
    path = bring("c;t;a\n" + "".join(f"1;2024-01-02;{amount}\n" for amount in amounts))
    options = Options(delimiter=";", decimal=decimal)
    assert aggregate(path, FEW, options).table["spent"].item() == spent


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('c,t,a\n1,2024-01-01,"1,500"\n1,2024-01-02,"2,250"\n', "--decimal"),
        ("c,t,a\n1,01/02/2011,1\n1,03/04/2011,1\n", "can be day or month.*--date-order"),
        ("c,t,a\n1,13/02/2011,1\n1,03/14/2011,1\n", "two ways: '03/14/2011' and '13/02/2011'"),
        (f"c,t,a\n1,03/14/2011,1\n{DAY_FIRST}", "both have days in them.*--date-order"),
        ("c,t,a\n1,yesterday,1\n1,today,2\n", "2024-03-31"),
        (
            "c,t,a\n1,2024-01-01,much\n1,2024-01-02,more\n",
            "2 of 2 cells .*, such as 'more'\n.*line 3",
        ),
        ("c,t\n1,2024-01-01\n", r"no column 'a' \(amount\)"),
        ("c,a\n1,2\n", r"no column 't' \(time\)"),
        ("c,t,a\n,2024-01-01,1\n,2024-01-02,1\n", "2 of 2 lines have no readable customer"),
        (f"c,t,a\n{DAYS[:105]}1,soon,1\n1,,1\n", "2 of 9 .* no readable time such as 'soon'"),
        (f"c,t,a\n{DAYS[:105]}1,2024-02-01,\n1,2024-02-01,\n", "no readable amount: most .* empty"),
        ("c,t,a\n1,2024-01-01,$5\n1,2024-01-02,€5\n", "several currencies: '\\$5' and '€5'"),
        ("c,t,a\n1,2024-01-01,5 kr\n1,2024-01-02,5 zł\n", "several currencies: '5 kr' and '5 zł'"),
        ("c,t,a\n1,2024-01-31,5\n1,31/01/2024,5\n", "two ways.*line 2 .*line 3"),
        ("c,t,a\n1,2024-01-01,-5\n1,2024-01-02,-5\n", "none of 2 lines is a purchase"),
    ],
)
def test_what_cannot_be_understood_is_refused(bring, text, message):
    with pytest.raises(UserError, match=f"(?s){message}") as caught:
        aggregate(bring(text), FEW)
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("early", [0, 40_000], ids=["at once", "late"])
@pytest.mark.parametrize(
    ("encoding", "word", "given", "told"),
    [
        ("cp1252", "“Café” €", "", "line {}: '“Café'"),
        ("cp1252", "“Café” €", "cp1252", ""),
        ("utf-8", "“Café” €", "", ""),
        ("utf-16", "“Café” €", "", ""),
        ("utf-16-le", "Café", "utf-16", ""),
        ("utf-16-le", "Café", "", "read as utf-16-le"),
        ("cp1251", "Москва", "cp1251", ""),
        ("shift_jis", "東京", "shift_jis", ""),
        ("cp1251", "Москва", "", "reads as 'Ìîñêâà' in Windows-1252 t.csv, line {} "),
        ("latin-1", "\x81", "", "neither UTF-8 nor Windows-1252 t.csv, line {} "),
        ("cp1251", "Москва", "utf-8", "the file is not utf-8 t.csv, line {} "),
        ("utf-8", "\0", "", "NUL bytes: it is damaged, or no text at all t.csv, line {} "),
        ("cp1252", "é\0", "", "NUL bytes: it is damaged, or no text at all t.csv, line {} "),
        ("utf-8", "Café", "klingon", "there is no encoding 'klingon'"),
        ("utf-8", "Café", "hex", "there is no encoding 'hex'"),
    ],
)
def test_customers_and_purchases_are_decoded_alike(bring, encoding, word, given, told, early):
    rows = [f"{i},2024-01-0{1 + i % 9},{i},plain" for i in range(early)]
    rows += [f"{early + i},2024-01-0{i},{i},{word}" for i in range(1, 9)]
    path = bring("\n".join(["c,t,a,kind", *rows]).encode(encoding), "t.csv")

    def read_lines() -> tuple[set[str], list[Change]]:
        with open_lines(path, Options(encoding=given)) as lines:
            return {kind for (kind,) in lines.ask("DISTINCT kind")}, [*lines.changes]

    def read_people() -> tuple[set[str], list[Change]]:
        reading = read_table(path, Options(encoding=given))
        return {*reading.table["kind"].astype(str)}, reading.changes

    def outcome(read: Callable[[], tuple[set[str], list[Change]]]) -> str:
        try:
            words, changes = read()
        except UserError as error:
            return " ".join(error.args)
        assert words - {"plain"} == {word}
        return " ".join(f"{c.action} {c.examples}" for c in changes if "UTF-" in c.what)

    assert outcome(read_lines) == (found := outcome(read_people))
    assert told.format(early + 2) in found if told else not found


def test_spaces_that_do_not_do_are_refused(bring, monkeypatch):
    monkeypatch.setattr(memory, "SMALL", 100)
    monkeypatch.setattr(memory.shutil, "disk_usage", lambda place: SimpleNamespace(free=500))
    with pytest.raises(UserError, match=r"unpacked, times 3 .* are free for temporary files"):
        aggregate(bring(LINES), SHOP)


PLAIN = {"c": "7", "t": "2024-01-02 10:00:00", "a": "2.50", "d": "0.25", "p": "5"}
FINE = {
    "c": "7|-8|",
    "t": "2024-01-02|2024-01-02 10:00|",
    "a": "-5|+5|.5|0.00005||nan|N/A|-",
    "d": "3|0|-1|",
    "p": "|é|x|6",
}
ODD = {  # what an engine's own types take for something else, or not at all
    "c": '007|+7|7.0|170.0|1e5|0x7|7_0|C7|-0|99999999999999999999|nan|N/A|" 7"|"7 "| ',
    "t": "2024-02-30|02/01/2024|2024/01/02|2024-01-02T10:00|2024-01-02 10:00Z|2024-1-2|24-01-02|"
    "2024-01-02 10:00+02:00|2024-01-02 10:00 UTC|2024-01-02 10:00 EST| 2024-01-02| 024-01-02|"
    "20240102|2024-01-02 24:00:00|2024-01-02 9:00|2024-01-02 10:00 PM|2024-01|infinity|epoch|"
    "2024-01-02 10:00:00.1234567|0044-03-15 (BC)|12024-01-02|-024-01-02|nan|soon",
    "a": '"1,500"|"1,500.25"|"2,5"|1.500.25|1e3|1_000|0x1F| 5 |5-|(5)|5%|$5|€5|5 kr|1\'000|1 000|'
    "12345678901234567890|1e300|inf|much|٣",
    "d": '"0,5"|5%|ten',
    "p": '"a, ""b"""|"two\nlines"|x\n7,2024-01-03',  # the last one ends early
}
CELLS = [
    (c, cell) for kind in (FINE, ODD) for c, cells in kind.items() for cell in cells.split("|")
]


PRODUCTS = '6| 5|005|5.0|nan|""|x'


def created(path: Path, ignore: str = "false", goods: Path | None = None, *, plain: bool) -> tuple:
    """Return what becomes of lines, and whether their columns were looked at."""
    source = replace(FEW, product="p", discount="d", category="k" if goods else "")
    looked: list[bool] = []

    def run(query: str) -> list[tuple]:
        if " TABLE plain " in query and not plain:
            raise duckdb.InvalidInputException
        looked.append(" TABLE cells " in query)
        return lines.run(query)

    try:
        with open_lines(path, products=goods) as lines:
            file = replace(lines, run=run)
            if goods:
                query = f"({transactions.aggregate_lines(file, source)[0]})"
            else:
                transactions.create_lines(file, source, ignore=ignore)
                query = "lines"
            rows = lines.table(f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM {query}")
            found = sorted(rows.sort_index(axis=1).fillna("").itertuples(index=False, name=None))
    except UserError as error:
        found = str(error)
    return found, any(looked)


@pytest.mark.parametrize(("column", "cell"), CELLS)
def test_a_text_read_at_once_says_what_looks_at_its_columns_say(bring, column, cell):
    odd = PLAIN | {column: cell}
    some = [PLAIN | {"c": i, "t": f"2024-01-{i:02} 10:00:00", "a": i} for i in range(1, 29)]
    for rows, ignore in (([*some, odd], "a = '2'"), ([PLAIN, *[odd] * 9], "false")):
        path = bring(listed(",".join(PLAIN), (row.values() for row in rows)))
        expected, looked = created(path, ignore, plain=False)
        assert looked
        assert created(path, ignore, plain=True)[0] == expected


@pytest.mark.parametrize("goods", ["goods.csv", "goods.parquet"])
@pytest.mark.parametrize("cell", PRODUCTS.split("|"))
def test_products_read_as_numbers_are_found_as_texts_are(bring, tmp_path, cell, goods):
    pd.DataFrame({"p": [5, 6], "k": ["fruit", "bread"]}).to_parquet(tmp_path / "goods.parquet")
    bring("p,k\n5,fruit\n005,bread\n5.0,meat\n,none\nx,rest\nnan,no\n", "goods.csv")
    rows = [PLAIN, PLAIN | {"p": "6"}, PLAIN | {"p": cell, "a": "3"}]
    path = bring(listed(",".join(PLAIN), (row.values() for row in rows)))
    careful, plain = (created(path, goods=tmp_path / goods, plain=way)[0] for way in (False, True))
    assert careful == plain


def test_plain_cells_are_not_looked_at(bring):
    fine = [PLAIN | {c: cell} for c, cells in FINE.items() for cell in cells.split("|")]
    for more in ({}, *({c: cells.split("|")[0]} for c, cells in ODD.items() if c != "p")):
        rows = (row.values() for row in (*fine, PLAIN | more | {"p": "void"}))
        path = bring(listed(",".join(PLAIN), rows))
        for ignore in ("false", "p = 'void'"):  # also where an odd cell stands in such a line
            assert created(path, ignore, plain=True)[1] is bool(more)


# --- the same bits, within the machine's means ----------------------------------------------------

COLUMNS_OF_ALL = "who,basket,day,item,kind,paid,off"
ALL = replace(SHOP, discount="off")


def test_a_look_at_lines_computes_nothing_else(tmp_path):
    """A list behind IN would be joined to the lines even where its column is not asked for."""
    path = tmp_path / "lines.parquet"
    table = pd.DataFrame([list(map(str, range(7)))] * 9, columns=COLUMNS_OF_ALL.split(","))
    table.assign(day="2024-01-01").to_parquet(path)
    with open_lines(path) as lines:
        transactions.create_lines(lines, SHOP)
        (plan,) = (row[1] for row in lines.run("EXPLAIN SELECT count(amount) FROM lines"))
    assert "basket" not in plan
    assert "join" not in plan.lower()


def test_order_threads_and_memory_change_no_bit(tmp_path, monkeypatch):
    rng, lines = np.random.default_rng(4), 10_000
    table = pd.DataFrame(
        {
            "who": rng.integers(1, 400, lines),
            "basket": rng.integers(1, 9000, lines),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 9e6, lines), "s"),
            "item": rng.integers(1, 90, lines),
            "kind": rng.choice(["a", "b", "c"], lines),
            "paid": rng.lognormal(2, 1, lines).round(2),
            "off": rng.uniform(0, 0.4, lines).round(4),
        }
    )
    shuffled = table.sample(frac=1, random_state=1)
    found, connect = [], opening.duckdb.connect
    for threads, limit, rows in ((1, 2048, table), (2, 2048, shuffled), (4, 96, table)):

        def connected(place, threads=threads):
            return connect(place, config={"threads": threads})

        monkeypatch.setattr(opening, "memory_limit", lambda limit=limit: limit << 20)
        monkeypatch.setattr(opening.duckdb, "connect", connected)
        rows.to_csv(tmp_path / "lines.csv", index=False)
        rows.to_parquet(tmp_path / "lines.parquet")
        found += [aggregate(tmp_path / f"lines.{kind}", ALL).table for kind in ("csv", "parquet")]
    assert found[0]["spent"].sum() > 0
    for other in found[1:]:
        pd.testing.assert_frame_equal(found[0], other, check_exact=True)


def test_temporary_files_are_private_and_gone(bring, tmp_path, monkeypatch):
    path, tmp_path = bring(LINES, "l.csv.gz"), tmp_path / "temporary"
    tmp_path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_lines(path) as lines:
        (place,) = tmp_path.iterdir()
        assert sys.platform == "win32" or place.stat().st_mode & 0o777 == 0o700
        run = lines.run
        run("CREATE TABLE numbers AS SELECT * FROM range(1000)")
        assert "iB" in run("SELECT current_setting('memory_limit')")[0][0]
        assert run("SELECT current_setting('temp_directory')")[0][0].startswith(str(place))
    assert not list(tmp_path.iterdir())


# --- who the customers are ----------------------------------------------------------------------


def test_demographics_are_joined_and_never_filled_in(bring):
    people = bring("who,town,e-mail,age\nA,North,a@x.org,41\nZ,South,z@x.org,30\n", "people.csv")
    joined, guesses = join_demographics(aggregate(bring(LINES), SHOP), people, "", "who")
    table = customers(joined)
    assert table.loc["A", ["town", "age"]].to_list() == ["North", "41"]
    assert table.loc["B", ["town", "age"]].isna().all()
    assert {g.name: g.kind for g in guesses} == {"town": "category", "age": "category"}
    told = {c.what: (c.rows, c.action) for c in joined.changes}
    assert told["customers missing from the second file"][0] == 1
    assert told["people in the second file who are not among the customers"] == (1, "left out")
    assert "e_mail" not in table


def test_numbers_about_people_become_bands():
    bands = in_bands(pd.Series([*range(20, 60), None]))
    assert (bands.nunique(), bands.isna().sum()) == (4, 1)
    assert bands.iloc[0].startswith("20 to ")
    assert in_bands(pd.Series([0.0, 2.0, None])).to_list()[:2] == ["0", "2"]


def test_what_never_changes_with_a_customer_describes_them(bring, opened, tmp_path):
    rows = [
        [*visit, f"O{n}", ["North", "South"][n // 3 % 2], f"Anna {n // 3}", n % 2]
        for n, visit in enumerate(VISITS)
    ]
    rows[2][4] = "East"  # the first customer moved
    path = bring(listed("customer,date,amount,order,Town,Customer Name,Delivery", rows))
    ws, reading = opened(path)
    assert ws.dataset.origin.describe == "Town + Customer Name"
    assert reading.table["town"].isna().to_list() == [True] + [False] * 59
    assert set(reading.table["town"].dropna()) == {"North", "South"}
    assert not {"customer_name", "delivery"} & set(reading.table)
    left = {change.column: change.what for change in reading.changes if change.action == "left out"}
    assert left["Customer Name"] == "names a person or how to reach them"
    # The description that was guessed reads the file again in the same way.
    _, again = opened(path, dataset=str(tmp_path / "out" / "dataset.toml"), folder="again")
    pd.testing.assert_frame_equal(again.table, reading.table)
    # A second file goes before what the lines say, and not before what they come to.
    people = listed("customer,Town,orders", ((f"C{i}", "AB"[i % 2], 7) for i in range(60)))
    ws, second = opened(path, people.replace("C59,B,7", "C59,B,8"))
    assert set(second.table["town"]) == {"A", "B"}
    assert set(second.table["orders"]) == {3}
    assert set(second.table["orders_2"]) == {"7", "8"}
    assert [column.name for column in ws.dataset.columns].count("town") == 1


@pytest.mark.parametrize("town", ["To\u202ewn\x7f", 'T"o\\wn', "t" * 300])
def test_any_name_of_a_column_about_customers_can_be_told_again(bring, opened, town):
    name = town.replace('"', '""')
    rows = [(*visit, "NS"[n // 3 % 2]) for n, visit in enumerate(VISITS)]
    ws, reading = opened(bring(listed(f'customer,date,amount,"{name}"', rows)))
    assert ws.dataset.origin.describe == town
    (told,) = [c for c in ws.dataset.columns if c.kind == "category"]
    assert sorted(reading.table[told.found_as[0]].unique()) == ["N", "S"]


# --- as the notebooks use it --------------------------------------------------------------------


def test_a_users_transactions_become_features(bring, opened, tmp_path):
    rows = [
        (i // 4, i % 30, 1 + i % 3, VISITS[i // 4 % 180][1], f"{1 + i % 5}.99", i // 4 % 80)
        for i in range(2000)
    ]
    path = bring(listed("InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID", rows))
    ws, reading = opened(path, listed("CustomerID,Country", ((i, f"C{i % 2}") for i in range(40))))
    known = ws.dataset
    features = build_features(cleaning.clean(reading.numbered, known).customers, known)
    segmenting = [f.name for f in known.features_with("segment")]
    assert segmenting == ["recency_days", "orders", "spent"]
    assert known.value == "net_value"
    assert known.rfm == {"recency": "recency_days", "frequency": "orders", "monetary": "spent"}
    kinds = {archetype.name for archetype in known.archetypes}
    assert {"Best customers", "Dormant customers", "Newcomers", "Big-ticket buyers"} <= kinds
    assert np.isfinite(features.to_numpy()).all()
    assert known.column("country").kind == "category"
    # Customers that were aggregated before take the place of lines.
    reading.table.to_parquet(tmp_path / "customers.parquet")
    toml = str(tmp_path / "out" / "dataset.toml")
    again, second = opened(tmp_path / "customers.parquet", dataset=toml, folder="again")
    pd.testing.assert_frame_equal(second.table, reading.table, check_exact=True)
    assert again.dataset.features == known.features


PEOPLE = listed("who,a,b", ((i, i, i % 7) for i in range(60)))
LINED = listed("customer,date,amount", VISITS)
ALIKE = listed("customer,date,amount", ((f"C{i}", f"2024-01-{1 + i % 2}", 5) for i in range(60)))


@pytest.mark.parametrize(
    ("lines", "people", "message"),
    [
        (PEOPLE, PEOPLE, "file of purchases only"),
        (ALIKE + ALIKE[21:], "", "equally often"),
        (LINED, "town,age\nNorth,41\n", "no column 'customer'"),
        (LINED, "customer,town\nC1,North\nC1,South\n", "on two rows"),
        (LINED, "customer,town\nX,North\nY,South\n", "no customer of the purchases"),
    ],
)
def test_what_has_nothing_to_segment_on_or_to_join_is_refused(
    bring, opened, tmp_path, lines, people, message
):
    with pytest.raises(UserError, match=message):
        opened(bring(lines), people)
    assert not (tmp_path / "out" / "dataset.toml").exists()


def test_what_nobody_bought_is_no_goods(bring, opened):
    rows = ((i % 9, f"2024-0{1 + i % 8}-05", i + 1, "ab"[i % 2]) for i in range(60))
    ws, _ = opened(bring(listed("customer,date,amount,category", rows)))
    found = {feature.name for feature in ws.dataset.features}
    assert {"spent_on_a", "spent_on_b"} <= found
    assert "spent_on_the_rest" not in found
