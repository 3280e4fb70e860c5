"""Kinds of tables that people bring: read right, or refused with a remedy that works as it says."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_files import workbook

from customer_tables.errors import UserError
from customer_tables.line_kinds import kind_of
from customer_tables.table import read_table
from customer_tables.text import quantity
from runner import command, inputs
from segmentation import cleaning, intake
from segmentation.features import build_features
from segmentation.stages import SERIES
from segmentation.summary import sensitive

ROOT = Path(__file__).resolve().parents[1]
WHO = [f"K{i:03d}" for i in range(60)]
BOUGHT = [
    (who, f"2024-0{1 + n}-1{i % 9}", 10 + i + n) for i, who in enumerate(WHO) for n in range(3)
]
# One customer of `BOUGHT`, worked by hand: orders, spent, value net of returns.
PLAIN = (3, 33, 33)


@pytest.fixture
def opened(tmp_path):
    """Return a function that reads a table as notebook 01 does, with options of the command."""

    def read(content: str | bytes, *options: str, name: str = "t.csv", people: str = "") -> tuple:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        given = command.parse(["--input", str(path), *options], SERIES).settings
        ws, reading = intake.open_table(
            "auto", str(path), people, results_dir=str(tmp_path), **given
        )
        return ws.dataset, reading

    return read


def lines(*more: tuple, rows=BOUGHT, header="customer_id,date,amount,more") -> str:
    """Write lines of purchases, and some further ones; each purchase has the word "sale"."""
    every = [*(f"{','.join(map(str, row))},sale" for row in rows), *(",".join(row) for row in more)]
    return "\n".join([header, *every]) + "\n"


def table(rows: int = 60, **columns) -> str:
    """Write customers with an identifier, two amounts and further columns."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"customer_id": [f"C{i:04d}" for i in range(rows)]})
    frame["spend"], frame["visits"] = rng.lognormal(4, 1, rows).round(2), rng.poisson(6, rows)
    return frame.assign(**columns).to_csv(index=False)


def worth(reading) -> tuple:
    first = reading.table.set_index("customer_id").loc["K000"]
    return tuple(first[["orders", "spent", "net_value"]])


# --- what a line is -----------------------------------------------------------------------------

K000 = ("K000", "2024-05-01", "9")


@pytest.mark.parametrize(
    ("column", "cell", "expected", "action"),
    [
        ("order_status", "Cancelled", PLAIN, "left out: no purchase"),
        ("event_type", "add_to_cart", PLAIN, "left out: no purchase"),
        ("Vorgang", "storniert", PLAIN, "left out: no purchase"),
        ("type", "refund", (3, 33, 24), "taken off the value; no purchase"),
        ("Dokumenttyp", "Gutschrift", (3, 33, 24), "taken off the value; no purchase"),
        ("Tipo documento", "NC", (3, 33, 24), "taken off the value; no purchase"),
        ("Art", "Storno", (3, 33, 24), "taken off the value; no purchase"),
        ("transaction type", "Rückgabe", (3, 33, 24), "taken off the value; no purchase"),
        ("TxnType", "RETURN", (3, 33, 24), "taken off the value; no purchase"),
        ("movimiento", "devolución", (3, 33, 24), "taken off the value; no purchase"),
        ("status", "wc-cancelled", PLAIN, "left out: no purchase"),
        ("deal stage", "Closed Lost", PLAIN, "left out: no purchase"),
        ("Bestellstatus", "storniert", PLAIN, "left out: no purchase"),
        ("eventName", "BeginCheckout", PLAIN, "left out: no purchase"),
        ("ESTADO", "Anulada", PLAIN, "left out: no purchase"),
        ("estado del pedido", "devolución", PLAIN, "left out: bought and given back"),
        ("status zamówienia", "zwrot", PLAIN, "left out: bought and given back"),
        ("订单状态", "已退款", PLAIN, "left out: bought and given back"),
        ("주문상태", "환불완료", PLAIN, "left out: bought and given back"),
        ("상태", "취소", PLAIN, "left out: no purchase"),
        ("Durum", "İptal", PLAIN, "left out: no purchase"),
        ("Type", "Refused", PLAIN, "left out: no purchase"),
        ("status", "refunded", PLAIN, "left out: bought and given back"),
        ("status", "shipped", (4, 42, 42), ""),
    ],
)
def test_what_a_line_is_decides_what_it_counts_for(opened, column, cell, expected, action):
    text = lines((*K000, cell), header=f"customer_id,date,amount,{column}")
    known, reading = opened(text)
    assert worth(reading) == expected
    assert known.origin.status == (column if action or "status" in column else "")
    counted = [(c.rows, c.action) for c in reading.changes if repr(cell) in c.what]
    assert counted == ([(1, action)] if action else [])


@pytest.mark.parametrize(
    ("column", "cell", "kind"),
    [
        ("cancelled", "no", "purchase"),
        ("cancelled", "Y", "ignore"),
        ("is_cancel", "1", "ignore"),
        ("NoShow", "1", "ignore"),
        ("refund_ind", "Y", "refund"),
        ("Bilagstype", "Kreditnota", "refund"),
        ("CANCEL_YN", "Y", "ignore"),
        ("cancelled at", "a time", "ignore"),
        ("is_returned", "1", "refund"),
        ("status", "payment failed", "ignore"),
        ("status", "not paid", ""),
        ("status", "partially refunded", ""),
        ("event", "purchase", "purchase"),
        ("取引区分", "販売", "purchase"),
        ("event", "addtocart", "ignore"),
        ("estado", "Cancelado", "ignore"),
        ("stato", "consegnato", "purchase"),
        ("estado", "Cobrado", "purchase"),
        ("betaling", "terugbetaald", "refund"),
        ("storno", "1", "refund"),
        ("Storno", "X", "refund"),
        ("Belegart", "GS", "refund"),
        ("doc_type", "INV", "purchase"),
        ("item_returned", "1", "refund"),
        ("상태", "배송완료", "purchase"),
        ("주문상태", "주문취소", "ignore"),
        ("transaction type", "EARN", "purchase"),
        ("transaction type", "EXPIRE", "ignore"),
        ("status", "GS", ""),
        ("anulado", "no", "purchase"),
        ("возврат", "1", "refund"),
    ],
)
def test_words_of_lines(column, cell, kind):
    assert kind_of(column, cell) == kind


@pytest.mark.parametrize("goods", [50, 5000])  # different ones, and another on each line
@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("Credit note 17", 24),
        ("Refund of order #12", 24),
        ("Storno zu Rechnung RE-2024-12", 24),
        ("Remboursement commande 12", 24),
        ("Return of the Jedi", 42),
        ("Retour vers le futur 2", 42),
    ],
)
def test_texts_say_what_is_a_refund(opened, cell, value, goods):
    text = lines((*K000, cell), header="customer_id,date,amount,goods")
    known, reading = opened(re.sub("sale", lambda at: f"item {at.start() % goods}", text))
    assert worth(reading)[2] == value and known.origin.status == ""


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("Type", "SR"),
        ("movement type", ["601", "651"]),
        ("Belegart", ["TA", "RE"]),
        ("dc", "DC"),
        ("dc_indicator", "DC"),
        ("way", ["Soll", "Haben"]),
        ("type", ["debit", "credit"]),
        ("Soll/Haben", "SH"),
    ],
)
def test_which_way_an_amount_goes_is_asked(opened, column, words):
    bought, back = words
    text = lines((*K000, back), header=f"customer_id,date,amount,{column}").replace("sale", bought)
    with pytest.raises(UserError, match=f"whose {column} says '{bought}' .* and '{back}'"):
        opened(text)
    assert worth(opened(text, "--role", f"purchase={bought}", "--role", f"refund={back}")[1]) == (
        3,
        33,
        24,
    )


def test_rows_that_may_be_purchases_say_which_options_settle_it(opened):
    text = lines(header="ki,mikor,mennyit,more")
    text = re.sub("K0(.)(.)", lambda at: f"Anna {'x' * int(at[1])}{'y' * int(at[2])}", text)
    with pytest.raises(UserError, match="says who bought, when and for how much") as caught:
        opened(text)
    options = " ".join(re.findall('--role [^;]*"', caught.value.remedy))
    assert len(opened(text, *shlex.split(options))[1].table) == 60
    with pytest.raises(UserError, match="says who bought, when and for how much"):
        opened(re.sub("sale", lambda at: f"goods {'z' * (at.start() % 37)}", text))


@pytest.mark.parametrize(
    "header",
    [
        "Kuitti,Pvm,Kello,Tuote,Summa",
        "trip_id,picked up,tip,company,fare",
        "rownames,arrival,lead time,meal,rate",
        "column,Order Date,Quantity,Category,Sales",
        "column,none,Quantity,Category,Sales",
        "transaction_no,none,Pieces,paid by,Due",
    ],
)
def test_rows_that_nobody_is_named_for_are_asked_about(opened, header):
    names, numbers = header.split(","), np.arange(90)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(numbers * numbers, "h")
    cells = [numbers + 1, days, 1 + numbers % 7, np.resize(["a", "b", "c"], 90), numbers / 3 + 0.45]
    rows = pd.DataFrame(dict(zip(names, cells, strict=True)))
    text = rows.drop(columns=["column", "none"], errors="ignore").to_csv(index=False)
    with pytest.raises(
        UserError, match=r"a line or a receipt.*\n.*\n.* if each row is a"
    ) as caught:
        opened(text)
    option = re.search('--role value="[^"]*"', caught.value.remedy)[0]
    known, reading = opened(text, *shlex.split(option))
    assert known.origin.grain == "customer" and len(reading.table) == 90


def test_a_column_called_date_is_one_whatever_its_cells(opened):
    rows = [(1000 + int(who[1:]), f"{day[8:]}{day[5:7]}", paid) for who, day, paid in BOUGHT]
    text = lines(header="Konto,Belegdatum,Umsatz (S/H),Text", rows=rows)
    with pytest.raises(UserError, match=r"a line or a receipt \(Konto\)"):
        opened(text)


def test_numbers_that_rise_where_no_time_does_are_of_a_list_of_customers(opened):
    numbers = np.arange(90)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(numbers * 37 % 90, "D")
    rows = pd.DataFrame({"Üye": numbers + 400, "Son Ziyaret": days, "Aidat": 9.5 + numbers % 8})
    rows["Ziyaret"] = numbers * 7 % 11
    known, reading = opened(rows.to_csv(index=False))
    assert known.origin.grain == "customer" and known.id.found_as == ("Üye",)
    with pytest.raises(UserError, match="a line or a receipt"):
        opened(rows.assign(**{"Son Ziyaret": sorted(days)}).to_csv(index=False))


@pytest.mark.parametrize("header", ["customer,order,date,amount", "email,id,created_at,total"])
def test_purchases_of_customers_who_seldom_come_back(opened, header):
    numbers = np.arange(230)
    who = [f"a{n % 200}@b.org" if "email" in header else f"C{n % 200}" for n in numbers]
    days = pd.date_range("2024-01-01", periods=230, freq="3h")
    rows = pd.DataFrame({"who": who, "order": 7000 + numbers, "day": days, "paid": 1 + numbers % 9})
    _, reading = opened(f"{header}\n{rows.to_csv(index=False, header=False)}")
    assert len(reading.table) == 200 and reading.table["orders"].sum() == 230
    assert reading.table["net_value"].sum() == rows["paid"].sum()


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("customer_id,date,amount,behavior", ("buy", "pv", "cart")),
        ("client,date,montant,évènement", ("achat", "vue", "panier")),
        ("客户,时间,金额,行为类型", ("购买", "浏览", "加购")),
        ("Kunde,Datum,Betrag,Ereignis", ("Kauf", "Ansicht", "Warenkorb")),
    ],
)
def test_what_was_looked_at_is_not_bought(opened, header, words):
    bought, *looked = words
    text = lines(header=header).replace("sale", bought)
    text += "".join(f"{who},{day},50,{word}\n" for who, day, _ in BOUGHT for word in looked)
    assert worth(opened(text)[1]) == PLAIN


def test_one_order_of_day_and_month_reads_dates_with_two_marks(opened):
    days = pd.to_datetime([day for _, day, _ in BOUGHT])
    forms = np.where(np.arange(len(days)) % 3, days.strftime("%m/%d/%Y"), days.strftime("%m-%d-%y"))
    rows = [(who, day, paid) for (who, _, paid), day in zip(BOUGHT, forms, strict=True)]
    _, reading = opened(lines(header="customer_id,date,amount,more", rows=rows))
    plain = opened(lines(header="customer_id,date,amount,more"))[1]
    assert reading.table.equals(plain.table)


def test_another_number_of_each_customer_does_not_describe(opened):
    rows = [(*row, f"{int(row[0][1:]) * 7 + 10_000},{int(row[0][1:]) * 9}") for row in BOUGHT]
    text = lines(header="customer_id,date,amount,sold to pt,points", rows=rows)
    text = text.replace(",sale", "")
    known, reading = opened(text)
    assert "points" in reading.table and "sold_to_pt" not in reading.table
    assert "another number of each customer" in [change.what for change in reading.changes]


def test_two_orders_of_one_day_have_numbers_of_their_own(opened):
    rows = sorted((who, day, 6000 + i, paid) for i, (who, day, paid) in enumerate(BOUGHT))
    rows += [(*BOUGHT[0][:2], 7000, 5)]
    text = "".join(f"{who},{day},{number},{paid}\n" for who, day, number, paid in rows)
    _, reading = opened(f"customer_id,date,vorgang,amount\n{text}")
    assert worth(reading) == (4, 38, 38)


def test_flags_ways_and_numbers_to_call_are_never_offered_as_amounts_or_times(opened):
    numbers = np.arange(180)
    odd = pd.DataFrame({"ShipVia": 1 + numbers % 3, "OnlineFlag": numbers % 2, "cost of it": 9.5})
    odd["cost of it"] += numbers
    odd["Phone"] = 1_700_000_000 + numbers
    text = pd.DataFrame(BOUGHT, columns=["customer_id", "Tag", "x"]).drop(columns="x").join(odd)
    with pytest.raises(UserError) as caught:
        opened(text.to_csv(index=False))
    assert re.findall("--role ([^;]*)", caught.value.remedy) == [
        'time="Tag"',
        'amount="cost of it"',
    ]


def test_a_word_that_was_said_is_looked_for_in_any_column(opened):
    text = lines(header="customer_id,date,amount,xx").replace("sale", "kjøpt")
    text += "".join(f"{who},{day},50,sett\n" for who, day, _ in BOUGHT)
    with pytest.raises(UserError, match="whose xx says 'sett'"):
        opened(text, "--role", "purchase=kjøpt")
    _, reading = opened(text, "--role", "purchase=kjøpt", "--role", "ignore=sett")
    assert worth(reading) == PLAIN


@pytest.mark.parametrize(("again", "net"), [(0, 33), (10, 23)])
def test_a_reversal_of_what_was_not_bought_is_what_became_of_a_purchase(opened, again, net):
    text = lines(header="Kunde,Datum,Betrag,Kennzeichen").replace("sale", "OK")
    text += "".join(
        f"{who},2024-05-01,{paid if again else 99},STORNO\n" for who, _, paid in BOUGHT[::3]
    )
    assert worth(opened(text)[1]) == (3, 33, net)


def test_an_answer_is_spelt_out_in_full_and_quoted_for_a_shell(opened):
    text = lines(header="customer_id,date,amount,status")
    text += "K000,2024-05-01,9,The bank returned the code `do_not_honor` for reasons of its own\n"
    with pytest.raises(UserError, match="The bank returned") as caught:
        opened(text)
    option = re.search("--role ignore='[^']*'", caught.value.remedy)[0]
    assert worth(opened(text, *shlex.split(option))[1]) == PLAIN


def test_cancellations_below_zero_are_taken_off(opened):
    text = lines(header="customer_id,date,amount,type")
    _, reading = opened(f"{text}K000,2024-05-01,-9,Cancellation\n")
    assert reading.table["net_value"].sum() == sum(paid for *_, paid in BOUGHT) - 9


def test_purchases_beside_a_number_of_rows_say_whose_they_may_be(opened):
    rows = [(f"{n + 90000}", f"Anna {who}", *more) for n, (who, *more) in enumerate(BOUGHT)]
    text = "client id,ki,mikor,mennyit\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    with pytest.raises(UserError, match="may be no customer but a purchase: only 1") as caught:
        opened(text)
    assert caught.value.remedy.startswith("say whose purchases: --role customer=")
    options = " ".join(re.findall('--role [^ ;]*"', caught.value.remedy))
    assert len(opened(text, *shlex.split(options))[1].table) == 60


def test_a_time_of_cancelling_leaves_an_order_out(opened):
    text = lines(header="customer_id,date,amount,cancelled_at").replace(",sale", ",")
    _, reading = opened(text + "K000,2024-05-01,9,2024-05-02 10:00\n")
    assert worth(reading) == PLAIN


def at_night(form: str, clock: str) -> str | bytes:
    """Write purchases at half past eleven by some clock: as text, JSON or Parquet."""
    frame = pd.DataFrame(BOUGHT, columns=["customer_id", "date", "amount"])
    if form == "Parquet":
        frame["date"] = pd.to_datetime(frame["date"] + " 23:30").dt.tz_localize(clock)
        return frame.to_parquet(index=False)
    frame["date"] += f" {clock}"
    if form == "day first":
        frame["date"] = frame["date"].str.replace(r"(\d+)-(\d+)-(\d+)", r"\3.\2.\1", regex=True)
    return frame.to_json(orient="records", lines=True) if form == "JSON" else frame.to_csv()


@pytest.mark.parametrize(
    ("form", "clock"),
    [
        ("ISO", "23:30:00+05:00"),
        ("ISO", "11:30 PM Z"),
        ("ISO", "23:30:00.250 -0500"),
        ("day first", "23:30 EST"),
        ("day first", "23:30:00 GMT+0100 (CET)"),
        ("JSON", "23:30:00+05:00"),
        ("Parquet", "America/New_York"),
        ("Parquet", "+05:30"),
    ],
)
def test_times_with_a_zone_are_read_by_their_own_clock(opened, tmp_path, form, clock):
    _, reading = opened(at_night(form, clock))
    assert worth(reading) == PLAIN
    assert reading.table["evening_share"].eq(1).all()
    assert [c.rows for c in reading.changes if c.what.startswith("times ")] == [180]
    rows = read_table(tmp_path / "t.csv")  # as if they were customers
    assert [c.rows for c in rows.changes if c.what.startswith("times ")] == [180]
    assert set(rows.table["date"].dt.hour) == {23}
    assert list(opened(lines())[1].table["tenure_days"]) == list(reading.table["tenure_days"])


def an_export(first: bool, *without: str, cancelled: int = -1) -> str:
    """Write lines of orders with what holds for a whole one: on its first line, or on each."""
    rows = [
        (n, who, f"{day} 12:{n % 60:02d}", f"P{part}", 1 + part, 10 + n % 37 + part)
        for n, (who, day, _) in enumerate(BOUGHT)
        for part in range(1 + n % 3)
    ]
    names = ["order id", "customer_id", "date", "product", "quantity", "unit price"]
    frame = pd.DataFrame(rows, columns=names)
    paid = frame["quantity"] * frame["unit price"]
    frame["order total"] = paid.groupby(frame["order id"]).transform("sum").astype(object)
    frame["status"] = frame["order id"].map({cancelled: "cancelled"}).fillna("paid").astype(object)
    if first:
        frame.loc[frame["order id"].duplicated(), ["order total", "status"]] = ""
    return frame.drop(columns=list(without)).to_csv(index=False)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("without", [(), ("quantity", "unit price"), ("quantity", "order id")])
def test_what_holds_for_an_order_counts_once_and_for_all_of_its_lines(opened, first, without):
    known, reading = opened(an_export(first, *without))
    assert worth(reading) == (3, 125, 125)
    totals = [c.action for c in reading.changes if c.column == "order total"]
    assert totals == ["counted once" if without else "left out"]
    assert worth(opened(an_export(first, *without, cancelled=2))[1]) == (2, 45, 45)


@pytest.mark.parametrize("first", [["customer_id", "date"], ["date"]])
def test_an_order_is_of_the_customer_and_time_on_its_first_line(opened, first):
    frame = pd.read_csv(io.StringIO(an_export(True)), dtype="str")
    frame.loc[frame["order id"].duplicated(), first] = ""
    frame["order id"] = "#" + frame["order id"]
    known, reading = opened(frame.rename(columns={"order id": "Name"}).to_csv(index=False))
    assert known.origin.order == "Name" and worth(reading) == (3, 125, 125)


@pytest.mark.parametrize("of_the_line", [True, False])
def test_a_price_that_grows_with_the_quantity_is_the_lines(opened, of_the_line):
    text = "customer_id,date,sku,quantity,item price\n" + "".join(
        f"{who},{day},P{n % 7},{1 + n % 3},{(2.5 + n % 7) * (1 + n % 3 if of_the_line else 1)}\n"
        for n, (who, day, _) in enumerate(BOUGHT)
    )
    _, reading = opened(text)
    assert worth(reading) == (3, 23, 23)
    assert of_the_line is any(c.what.startswith("prices that grow") for c in reading.changes)
    told = [c.action for c in reading.changes if c.what == "no column of amounts"]
    assert len(told) == 1 - of_the_line
    for action in told:
        option = shlex.split(action[action.index("--role") :])[:2]
        assert worth(opened(text, *option)[1]) == (3, 10.5, 10.5)


@pytest.mark.parametrize(
    ("name", "discount", "first", "paid"),
    [
        ("Disc %", "10", 9, 59.4),
        ("discount", "0.1", 9, 59.4),
        ("discount_amount", "1.5", 8.5, 61.5),
    ],
)
def test_discounts_are_taken_off_what_quantity_and_price_make(opened, name, discount, first, paid):
    text = f"customer_id,date,qty,unit price,{name}\n" + "".join(
        f"{who},{day},2,{price},{discount}\n" for who, day, price in BOUGHT
    )
    _, reading = opened(text)
    assert worth(reading) == (3, paid, paid)
    assert [c.column for c in reading.changes if c.what == "discounts"] == [name]
    back = opened(f"{text}K000,2024-05-01,-2,5,{discount}\n")[1]
    assert worth(back) == (3, paid, paid - first)
    assert worth(opened(text, "--role", f"ignore={name}")[1]) == (3, 66, 66)


def test_the_total_of_a_discounted_order_is_what_was_paid(opened):
    frame = pd.read_csv(io.StringIO(an_export(True)), dtype="str").fillna("")
    frame["discount amount"] = np.where(frame["order total"] == "", "", "5")
    paid = pd.to_numeric(frame["order total"]) - 5
    known, reading = opened(frame.assign(**{"order total": paid}).to_csv(index=False))
    assert known.origin.amount == "order total" and worth(reading) == (3, 110, 110)


def test_what_was_spent_below_zero_is_no_return(opened):
    text = lines()
    with pytest.raises(UserError, match="180 lines are below zero .* and 1 purchases") as caught:
        opened(re.sub(r",(\d\d?),", r",-\1,", text) + "K000,2024-05-01,50,payment\n")
    assert "change the sign of every amount" in caught.value.remedy
    assert worth(opened(text + "K000,2024-05-01,-50,payment\n")[1]) == (3, 33, -17)


def test_debit_and_credit_in_columns_of_their_own(opened):
    head, *rows = lines(header="customer_id,date,debit,credit").replace(",sale", ",").splitlines()
    paid = [re.sub(r",(\d+),$", r",,\1", row).replace("2024", "2025") for row in rows[:60]]
    text = "\n".join([head, *rows, *paid])
    options = ["--role", "amount=debit"]
    with pytest.raises(UserError, match="60 of 240 lines have no amount in 'debit'") as caught:
        opened(text, *options)
    more = re.search("--role [^ ]+", caught.value.remedy).group()
    assert worth(opened(text, *options, *shlex.split(more))[1]) == PLAIN


def test_what_is_to_be_ignored_is_found_in_any_column(opened):
    text = lines((*K000, "Nezastižen"), header="customer_id,date,amount,stav obj")
    assert worth(opened(text)[1]) == (4, 42, 42)
    assert worth(opened(text, "--role", "ignore=Nezastižen")[1]) == PLAIN


@pytest.mark.parametrize(
    "word",
    [
        *("late cancel", "Zwrócono", "Devolução parcial", "취소됨", "Premium refund", "Faltou"),
        *("nicht erschienen", "Zrušeno včas", "Tender", "Absent", "Estorno"),
    ],
)
def test_words_of_what_came_to_nothing_are_asked_about_under_any_header(opened, word):
    text = lines((*K000, word), (*K000, "no-show"), (*K000, "booked late"))
    text = text.replace(",more", ",Attendance").replace("sale", "attended")
    with pytest.raises(UserError, match="bought whose Attendance says 'attended'") as caught:
        opened(text)
    assert repr(word) in caught.value.what and "no-show" not in caught.value.what
    known = [f"ignore={word}", "ignore=booked late", "purchase=attended"]
    options = [part for role in known for part in ("--role", role)]
    assert worth(opened(text, *options)[1]) == PLAIN
    # What is the same in all lines of a customer says who that is.
    text = lines(header="customer_id,date,amount,tier").replace("sale", word)
    assert worth(opened(text.replace(word, "attended", 90))[1]) == PLAIN


@pytest.mark.parametrize(
    "header",
    "Storniert am|Stornodatum|Annulé le|Fecha de cancelación|Data anulowania|Geannuleerd op|"
    "İptal tarihi|キャンセル日|cancellation_date|Retourdatum|Date de remboursement".split("|"),
)
def test_a_time_of_cancellation_says_that_nothing_was_bought(opened, header):
    text = lines((*K000, "2024-05-03"), header=f"customer_id,date,amount,{header}")
    assert worth(opened(text.replace("sale", ""))[1]) == PLAIN


def test_a_second_time_that_few_lines_have_is_asked_about(opened):
    later = [(*K000[:2], "9", f"2024-06-{day:02d} 11:{day:02d}") for day in range(1, 28)]
    later += [(who, *K000[1:], f"2024-07-{n % 28 + 1:02d}") for n, who in enumerate(WHO[1:50])]
    text = lines(*later, header="customer_id,date,amount,bortgång").replace("sale", "")
    with pytest.raises(UserError, match="76 lines of 256 have a time in 'bortgång'") as caught:
        opened(text)
    assert worth(opened(text.replace("bortgång", "cancelled at"))[1]) == PLAIN
    option = shlex.split(caught.value.remedy[caught.value.remedy.index("--role") :])
    assert worth(opened(text, *option)[1])[0] == 4


def test_payments_are_no_further_purchases(opened):
    text = lines((*K000, "Payment"), header="customer_id,date,amount,Document Type")
    text = text.replace("sale", "Invoice")
    with pytest.raises(UserError, match="says 'Payment' .1 line.\n") as caught:
        opened(text)
    option = re.search('--role ignore="Payment"', caught.value.remedy).group()
    assert worth(opened(text, *shlex.split(option))[1]) == PLAIN


def test_customers_spelt_in_two_ways_are_one_or_refused(opened):
    rows = [(who.lower() if n % 2 else who, *more) for n, (who, *more) in enumerate(BOUGHT)]
    _, reading = opened(lines(rows=rows))
    assert worth(reading) == PLAIN and len(reading.table) == 60
    assert [c.rows for c in reading.changes if c.what.endswith("capitals and small letters")]
    few = lines(rows=[("k000", *BOUGHT[0][1:]), *BOUGHT[1:]])
    _, reading = opened(few)
    assert len(reading.table) == 61
    assert [c.rows for c in reading.changes if c.action == "kept apart: too few to be sure"] == [1]
    _, reading = opened(lines(("17", *K000[1:], "sale")).replace("K", ""))
    assert [c.rows for c in reading.changes if c.what == "customers with and without zeros"] == [1]
    text = lines().replace("K", "")
    with pytest.raises(UserError, match="zeros in front and without, such as '0' and '000'"):
        opened(re.sub(r"(?m)^0+(\d+,2024-01)", r"\1", text))
    assert len(opened(text)[1].table) == 60


def test_a_customer_numbered_zero_with_many_lines_is_no_customer(opened):
    guests = [("0", f"2024-04-{1 + n % 28:02d}", "5", "sale") for n in range(40)]
    _, reading = opened(lines(*guests).replace("K", "9"))
    assert len(reading.table) == 60
    text = lines(*guests, header="customer_id,date,amount,billing_email").replace("K", "9")
    text = text.replace("sale", "ann@example.org")
    told = [c.action for c in opened(text)[1].changes if "taken for no customer" in c.action]
    assert [a.split("; ")[1] for a in told] == ['--role customer="billing_email" tells them apart']
    few = lines(("0", "2024-04-01", "5", "sale")).replace("K", "9")
    assert len(opened(few)[1].table) == 61


def test_addresses_are_one_in_capitals_and_small_letters(opened):
    rows = [
        (f"{who}{'@X.ORG' if n // 3 % 2 else '@x.org'}", *more)
        for n, (who, *more) in enumerate(BOUGHT)
    ]
    text = lines(rows=rows, header="e-mail,date,amount,town").replace("K", "k")
    _, reading = opened(re.sub(r"(?m)^(k..)(.)(.*)sale", r"\1\2\3N\2", text))
    assert len(reading.table) == 60
    assert reading.table["town"].nunique() == 10
    assert [c.rows for c in reading.changes if c.what == "capitals in e-mail addresses"] == [90]


@pytest.mark.parametrize("guest", ["Guest", "walk-in customer", "Laufkunde", "Consumidor final"])
def test_guests_are_no_customer(opened, guest):
    more = [(guest, f"2024-04-{1 + n % 28:02d}", "5", "sale") for n in range(40)]
    _, reading = opened(lines(*more))
    assert len(reading.table) == 60
    assert [c.rows for c in reading.changes if c.action == "taken for no customer"] == [40]


def test_one_customer_with_many_lines_is_noted_without_a_name(opened):
    more = [("X9", f"2024-04-{1 + n % 28:02d}", "5", "sale") for n in range(40)]
    noted = [c for c in opened(lines(*more))[1].changes if c.what == "lines of one customer"]
    assert [c.rows for c in noted] == [40]
    assert not [c for c in opened(lines())[1].changes if c.what == "lines of one customer"]


def abroad(header: str, who: str = "{}") -> str:
    """Write lines of orders below names in a language that nobody here knows."""
    rows = [
        f"{n + 7000},2024-0{1 + n % 7}-{10 + n % 19},{who.format(5000 + n // 3)},{part + 1},{n}.5\n"
        for n in range(180)
        for part in range(2)
    ]
    return f"{header}\n{''.join(rows)}"


def test_tickets_of_one_price_are_added_up(opened):
    rows = [(who, day, 9 + n % 2) for n, (who, day, _) in enumerate(BOUGHT) for _ in range(2)]
    text = "".join(f"{who},{day},{paid},{n}\n" for n, (who, day, paid) in enumerate(rows))
    _, reading = opened(f"customer_id,date,total,seat\n{text}")
    assert worth(reading) == (3, 56, 56)


def numbered(called: str, others: str = "", again: bool = True) -> str:
    """Write purchases with numbers of orders, and lines of six that may be credit notes."""
    rows = [(*row, f"{others}{1000 + n}") for n, row in enumerate(BOUGHT)]
    more = [(who, "2024-09-01", f"{10 + n}" if again else "9.5") for n, who in enumerate(WHO[:6])]
    rows += [(*row, called.format(2000 + n)) for n, row in enumerate(more)]
    return lines(rows=rows, header="customer_id,date,amount,Invoice No,more")


@pytest.mark.parametrize(
    ("called", "others", "again", "expected"),
    [
        ("C{}", "", False, (3, 33, 23.5)),
        ("CN-{}", "INV-", True, (3, 33, 23)),
        ("GS-2024-{}", "RE-2024-", True, (3, 33, 23)),
        ("Storno {}", "RE ", False, (3, 33, 23.5)),
        ("{}/AVOIR", "FA", False, (3, 33, 23.5)),
        ("CREDIT-{}", "", False, (3, 33, 23.5)),
        ("NC{}", "F", True, (3, 33, 23)),
        # Branches, and letters that say nothing of the kind.
        ("AMS-{}", "BER-", True, (4, 43, 43)),
        ("A{}", "B", False, (4, 42.5, 42.5)),
    ],
)
def test_credit_notes_are_known_by_their_number(opened, called, others, again, expected):
    reading = opened(numbered(called, others, again))[1]
    assert worth(reading) == expected
    back = expected[1] == 33
    counted = [c.rows for c in reading.changes if c.what.startswith("lines of orders")]
    assert counted == [6], "said, whether taken off or kept"
    assert back is any(c.action == "taken off the value" for c in reading.changes)


def test_numbers_of_orders_are_known_below_any_name(opened):
    text = numbered("CN-{}", "INV-").replace("Invoice No", "Vorgang")
    known, reading = opened(text)
    assert known.origin.order == "Vorgang"
    assert worth(reading) == (3, 33, 23)
    head, *rows = lines(rows=BOUGHT * 2).splitlines()
    numbers = [f"{row.removesuffix('sale')}L{n}" for n, row in enumerate(rows)]
    known, reading = opened("\n".join([head, *numbers]))
    assert known.origin.order == "" and worth(reading) == (3, 66, 66)


def test_branches_with_letters_of_credit_notes_sell_to_customers_of_their_own(opened):
    rows = [(*row, f"{'CN' if row[0] < 'K009' else 'DE'}-{n}") for n, row in enumerate(BOUGHT)]
    text = lines(rows=rows, header="customer_id,date,amount,order_id,more")
    assert worth(opened(text)[1]) == PLAIN
    assert worth(opened(numbered("R{}", "A"), "--role", "refund=r")[1]) == (3, 33, 23)


def test_first_and_last_names_together_say_who_bought(opened):
    known, reading = opened(NAMED)
    assert known.origin.customer == "First Name + Last Name"
    assert tuple(reading.table.set_index("customer_id").loc["Ann0 Lee0", ["orders", "spent"]]) == (
        3,
        33,
    )
    with pytest.raises(UserError, match="a row may be a customer .id. or a purchase") as caught:
        opened(NAMESAKES)
    options = re.findall('--role customer="[^"]*"', caught.value.remedy)
    assert [len(opened(NAMESAKES, *shlex.split(option))[1].table) for option in options] == [
        180,
        60,
    ]


def test_customers_who_are_numbered_anew_with_each_order_are_told_apart_elsewhere(opened):
    rows = [(f"N{n}", who, day, amount, f"O{n}") for n, (who, day, amount) in enumerate(BOUGHT)]
    text = lines(rows=rows, header="customer_id,customer_unique_id,date,amount,order_id,more")
    known, reading = opened(text)
    assert known.origin.customer == "customer_unique_id" and worth(reading) == PLAIN
    with pytest.raises(UserError, match=r"\(customer_unique_id\), and no .* for how much"):
        opened(text.replace("amount", "xyz"))


def test_codes_of_customers_go_before_their_names(opened):
    rows = [(f"SL {who}", *row) for row in BOUGHT for who in row[:1]]
    text = lines(rows=rows, header="Razón social,Cód. Cliente,fecha,importe,more")
    assert opened(text)[0].origin.customer == "Cód. Cliente"


def test_a_dated_total_of_all_is_no_customer(opened):
    total = sum(amount for *_, amount in BOUGHT)
    with pytest.raises(UserError, match="'Grand Total' is no customer but the sum") as caught:
        opened(lines(("Grand Total", "2024-12-31", f"{total}", "sale")))
    assert caught.value.where == "t.csv, column 'customer_id', line 182 ('Grand Total')"
    assert len(opened(lines(("Mr Total", "2024-12-31", "99", "sale")))[1].table) == 61


def test_a_double_export_is_counted(opened):
    def repeated(text: str) -> list[int]:
        return [c.rows for c in opened(text)[1].changes if c.what.startswith("lines that repeat")]

    assert repeated(lines(rows=BOUGHT * 2)) == [180]
    assert repeated(lines()) == []
    assert worth(opened(lines(rows=BOUGHT * 2))[1]) == (3, 66, 66)


@pytest.mark.parametrize("cell", ["", "x"])
def test_customers_without_an_amount_are_counted(opened, cell):
    _, reading = opened(lines(("Z", "2024-05-01", cell, "sale"), ("", "2024-05-01", "", "sale")))
    told = {c.what: c.rows for c in reading.changes}
    assert told["customers without any amount"] == 1
    assert told[f"lines without {'a readable' if cell else 'an'} amount"] == 2


def test_visits_are_counted_by_a_column_of_ones(opened):
    rows = [row for n, row in enumerate(BOUGHT) if n % 3 == 0 or n % 7 < 5]
    text = re.sub(r",\d+,sale", ",Main", lines(rows=rows, header="member_id,date,club"))
    with pytest.raises(UserError) as caught:
        opened(text)
    assert "add one called amount, with 1 on each line" in caught.value.remedy
    text = text.replace("\n", ",1\n").replace(",1\n", ",amount\n", 1)
    assert len(opened(text)[1].table) == 60


def test_customers_who_bought_nothing_are_counted(opened):
    known, reading = opened(lines(("Z", "2024-05-01", "9", "view")))
    lost = [c.rows for c in reading.changes if c.what == "customers without any purchase"]
    assert lost == [1]
    assert "Z" not in set(reading.table["customer_id"])


# --- every remedy of a refusal is followed --------------------------------------------------------

ASKED = lines((*K000, "on hold"), header="customer_id,date,amount,status")
MONEY = lines((*K000, "USD"), header="customer_id,date,amount,currency").replace("sale", "EUR")


def in_periods(*names: str) -> str:
    """Write purchases with a month or a quarter in place of a day."""
    text = lines(header="customer_id,period,amount,more")
    return re.sub(r"2024-0\d-1(\d)", lambda at: names[int(at[1]) // 4], text)


COINS = lines(header="customer_id,date,coins,note")
STATES = lines(
    *[(*K000, cell) for cell in ("Pendiente", "Anulada")],
    header="customer_id,date,amount,situation",
).replace("sale", "Pagada")
RECEIPTS = "Receipt No,date,price,quantity\n" + "".join(
    f"R{i},2024-01-{1 + i % 28:02d},{1 + i % 7}.5,{1 + i % 3}\n" for i in range(90)
)
MONTHS = "month,visitors,sales\n" + "".join(
    f"{2019 + i // 12}-{1 + i % 12:02d}-01,{50 + i % 7},{200 + i * 3 % 11}\n" for i in range(60)
)


MAILS = [f"ann{i}@example.org" for i in range(60)]
SALES = lines(
    header="postcode,order_date,amount,color",
    rows=[
        (f"EC{i % 60} 1AB", f"2024-01-{1 + i % 28:02d} {i % 24:02d}:{i % 60:02d}", a)
        for i, (_, _, a) in enumerate(BOUGHT)
    ],
)
NAMED = lines(
    header="First Name,Last Name,date,amount,more",
    rows=[(f"Ann{who[2]}", f"Lee{who[3]}", *more) for who, *more in BOUGHT],
)
NAMESAKES = re.sub(
    "(?m)^(Ann.*)sale", lambda at: f"A{at.start()},{at[1]}{at.start() % 7}", f"id,{NAMED}"
)
SAP = "VBELN,FKDAT,KUNRG,uhr,NETWR\n" + "".join(
    f"{9000 + n},2024{1 + n // 15:02d}{10 + n % 15},{3_000_000_000 + n * 7 % 60},10:00,{n}.5\n"
    for n in range(180)
)
ORDERS = "Számla,Kelt,Vevő,Darab,Összeg\n" + "".join(
    f"SZ-{900 + n},2024-{1 + n // 15:02d}-{10 + n % 15},{5000 + n * 7 % 60},{n % 4},{n}.5\n"
    for n in range(180)
)
HOUSEHOLDS = "people,signup,total spend,visits,area code\n" + "".join(
    f"{1 + i % 5},2024-01-{1 + i % 28:02d},{i * 7 % 90}.5,{i * i % 11},{1000 + i % 60}\n"
    for i in range(100)
)
PIECES = lines(header="customer_id,date,amount,sales_price", rows=[])
PIECES += "".join(f"{who},{day},{1 + n * n % 4},{n}.5\n" for who, day, n in BOUGHT)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SAP, "a line or a receipt (KUNRG), and no column is recognised that says who bought, w"),
        (SAP.replace("VBELN", "Receipt No"), "a line or a receipt (Receipt No), and no"),
        *(
            (in_periods(*names), "no column is recognised that says when")
            for names in (
                ("2024-Q1", "2024-Q2", "2024-Q4"),
                ("Q1 2024", "Q2 2024", "Q4 2024"),
                ("202401", "202402", "202412"),
                ("Jan-24", "Feb-24", "März-24"),
                ("June 2024", "July 2024", "Mai 2023"),
            )
        ),
        (
            lines((*K000, "2 kg"), header="customer_id,date,amount,quantity").replace(
                "sale", "2 g"
            ),
            "181 of 181 cells of the column \"quantity\" are no numbers, such as '2 g'",
        ),
        (numbered("CN-{}", "INV-", again=False), "orders such as 'CN-2000' (6 lines) may be"),
        (numbered("R{}", "A"), "'R2000' (6 lines) may be purchases or credit notes\nt.csv, col"),
        (
            table(**{"Currency Code": ["EUR", "SEK", "eur"] * 20}),
            "the amounts are in 2 currencies: € (40 rows) and SEK (20 rows)\nt.csv, column 'Curr",
        ),
        (ASKED, "not known whether a line was bought whose status says 'on hold' (1 line)"),
        (
            re.sub(
                "sale",
                lambda at: f"Shirt {at.start() % 17}",
                lines((*K000, "Refund blue shirt"), header="customer_id,date,amount,goods"),
            ),
            "1 line may be refunds or purchases: goods says 'Refund blue shirt'\nt.csv, col",
        ),
        (
            lines((*K000, "churn"), header="customer_id,date,amount,mrr_type").replace(
                "sale", "expansion"
            ),
            "not known whether a line was bought whose mrr_type says 'churn' (1 line)",
        ),
        (
            lines((*K000, "contraction"), header="customer_id,date,amount,type").replace(
                "sale", "new"
            ),
            "not known whether a line was bought whose type says 'contraction' (1 line)",
        ),
        (
            lines((*K000, "Pledge"), header="customer_id,date,amount,Gift Type").replace(
                "sale", "Pay-Cash"
            ),
            "not known whether a line was bought whose Gift Type says 'Pledge' (1 line)",
        ),
        (MONEY, "2 currencies: EUR (180 lines) and USD (1 line)"),
        (
            MONEY.replace("currency", "pay").replace("USD", "£"),
            "2 currencies: EUR (180 lines) and £ (1 line)",
        ),
        (
            lines(header="customer_id,date,amount,Refunded Amount").replace("sale", "0.00")
            + "K000,2024-05-01,9,4.50\n",
            "Refunded Amount says of 1 line that an amount was given back, such as '4.50'",
        ),
        (
            lines(header="customer_id,date,amount,refund").replace("sale", "")
            + "K000,2024-05-01,9,4.50\n",
            "refund says of 1 line that an amount was given back, such as '4.50'",
        ),
        (
            lines(header="customer_id,date,amount,qty_returned").replace("sale", "0")
            + "K000,2024-05-01,9,2\n",
            "qty_returned says of 1 line that an amount was given back, such as '2'",
        ),
        (STATES, "not known whether a line was bought whose situation says 'Pendiente'"),
        (
            lines((*K000, "ยกเลิก"), header="customer_id,date,amount,สถานะ"),
            "not known whether a line was bought whose สถานะ says 'ยกเลิก'",
        ),
        (lines(header="user_id,date,price,note"), "no column is recognised that says for how much"),
        (COINS, "a line or a receipt (customer_id)"),
        (
            lines(header="MSISDN,topped up,cost,x").replace("K", "+36"),
            "a line or a receipt (MSISDN), and no column is recognised that says when",
        ),
        (RECEIPTS, "a line or a receipt (Receipt No)"),
        (abroad("Számla,Kelt,Vevő,Darab,Összeg"), "a line or a receipt (Vevő), and no"),
        (abroad("Lasku,Pvm,Asiakas,Kpl,Summa", "Ann {}"), "a line or a receipt (Asiakas), and no"),
        (RECEIPTS.replace("Receipt No", "order_id"), "a line or a receipt (order_id)"),
        (MONTHS, "the rows are periods"),
        (lines(header="id_vevo,nap,osszeg,megjegyzes"), "a line or a receipt (id_vevo)"),
        (
            lines(
                rows=[(k, 1_704_300_000 + 86_400 * n, n) for n, (k, *_) in enumerate(BOUGHT)]
            ).replace("date", "wann"),
            "no column is recognised that says when",
        ),
        (
            lines(header="customer_id,date,amount,discount").replace("sale", "10"),
            "can be amounts or percentages: whole numbers up to 10",
        ),
        (SALES, "a line or a receipt (postcode), and no column is recognised that says who"),
        (ORDERS, "a line or a receipt (Vevő), and no"),
        (
            re.sub("sale", lambda at: f"{at.start() % 9}", lines(header="CPF,data,valor,frete")),
            "a line or a receipt (CPF), and no column is recognised that says who bought",
        ),
        (
            lines(header="Mieter-Nr.,wann,brutto,x").replace("K", ""),
            "a line or a receipt (Mieter-Nr.), and no column is recognised that says who",
        ),
        (HOUSEHOLDS, "a line or a receipt (area code), and no column is recognised that says"),
        (PIECES, "'amount' may be no money but pieces: whole numbers with a median of"),
        (
            lines(header="customer_id,date,amount,discount")
            .replace("sale", "10%")
            .replace("10%", "2.50", 3),
            "percentages and other numbers: '10%' and '2.50'\nt.csv, column \"discount\", line 2",
        ),
        (
            lines((*K000, "150"), header="customer_id,date,amount,discount_pct").replace(
                "sale", "10"
            ),
            "percentages, and one is more than 100: '150'\nt.csv, column \"discount_pct\", line",
        ),
        (
            lines((*K000, "redeem"), header="customer_id,date,amount,event"),
            "not known whether a line was bought whose event says 'redeem' (1 line)",
        ),
    ],
)
def test_each_remedy_works_as_it_says(opened, text, message):
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        opened(text)
    assert len(str(caught.value).splitlines()) == 3
    one = r'--role (?:"[^"]*"|[^\s;,)])+'
    options = re.findall(f"(?:{one} ?)+", caught.value.remedy)
    assert options
    if re.search("; (time|amount): ", caught.value.remedy):  # each part needs its own
        parts = sum(
            option.split("=")[0][7:] in ("customer", "time", "amount") for option in options
        )
        options = [" ".join(options[:parts]), *options[parts:]]
    for option in options:
        _, reading = opened(text, *shlex.split(option))
        each_row = "--role value=" in option or "R89," in text  # a receipt names no customer
        assert len(reading.table) == (len(text.splitlines()) - 1 if each_row else len(WHO))


def test_what_would_be_asked_in_turn_is_asked_at_once(opened):
    header = "Gönner,wann,Gabe,Gift Status"
    text = lines((*K000, "Pledge"), (*K000[:2], "", "letter"), header=header)
    with pytest.raises(UserError) as caught:
        opened(text)
    what, where, remedy = str(caught.value).splitlines()
    assert "says who bought, when and for how much; that settled, it is not known" in what
    # A letter has no amount, which would be wrong only if it were a purchase.
    assert what.endswith("whose Gift Status says 'Pledge' (1 line) and 'letter' (1 line)")
    assert where.endswith("t.csv, column 'Gift Status'")
    options = re.findall('--role (?:customer|time|amount|ignore)="[^"]*"', remedy)[:4]
    options = shlex.split(f"{' '.join(options)} --role ignore=letter")
    assert worth(opened(text, *options)[1]) == PLAIN
    with pytest.raises(UserError, match="that settled, .* can be day or month") as caught:
        opened(re.sub(r"2024-0(\d)-1(\d)", r"0\1/0\2/2024", text), *options[:2])
    assert caught.value.remedy.endswith("say with --date-order dmy or mdy which comes first")


def test_amounts_with_several_signs_are_read_once_the_signs_have_a_column(opened):
    rows = [(*line, "$€"[place % 2]) for place, line in enumerate(BOUGHT)]
    head = "customer_id,date,amount\n"
    with pytest.raises(UserError, match="several currencies: '[$]10' and '€11'") as caught:
        opened(head + "".join(f"{who},{day},{sign}{amount}\n" for who, day, amount, sign in rows))
    assert "a column called currency" in caught.value.remedy
    option = shlex.split(caught.value.remedy[caught.value.remedy.index("--role") :])
    text = "customer_id,date,amount,currency\n"
    text += "".join(",".join(map(str, row)) + "\n" for row in rows)
    known, reading = opened(text, *option)
    assert "$€".replace(option[1][-1], "") == known.currency
    assert worth(reading) == (1, 11, 11)
    assert worth(opened(head + lines().split("\n", 1)[1].replace(",sale", ""))[1]) == PLAIN
    customers = "customer_id,visits,spend\n"
    mixed = [f"{who},{place % 7},{'$€'[place % 2]}{place}.5\n" for place, who in enumerate(WHO)]
    with pytest.raises(UserError, match="several currencies") as caught:
        opened(customers + "".join(mixed))
    assert "bring the rows of one alone" in caught.value.remedy
    few = "".join(row.replace("C", "D") for row in mixed if "€" not in row)
    assert opened(customers + few)[0].currency == "$"


@pytest.mark.parametrize(
    ("header", "written", "currency"),
    [
        ("amount", "{}", ""),
        ("Amount (EUR)", "{}", "€"),
        ("amount", "${}", "$"),
        ("amount_cents", "{}00", ""),
        ("amount,currency", "{},CHF", "CHF"),
    ],
)
def test_the_value_of_customers_is_in_the_currency_of_their_lines(
    header, written, currency, opened
):
    rows = (f"{who},{day},{written.format(amount)}\n" for who, day, amount in BOUGHT)
    assert opened(f"customer_id,date,{header}\n" + "".join(rows))[0].currency == currency


@pytest.mark.parametrize(
    ("header", "written", "told"),
    [
        ("date,amount_cents,discount", (1, 100, 1), "numbers in cents"),
        ("date,price in pence,quantity", (1, 100, 10), "numbers in pence"),
        ("date,amount,discount_pct", (1, 1, 100), "numbers in percent of the full price"),
        ("date,amount,Discount (%)", (1, 1, 100), "numbers in percent of the full price"),
        ("date,amount,Rabatt in Prozent", (1, 1, 100), "numbers in percent of the full price"),
        ("created_at,amount,discount", (10**6, 1, 1), "numbers in seconds or milliseconds"),
        ("ts,amount,discount", (10**3, 1, 1), "numbers in seconds or milliseconds"),
    ],
)
def test_amounts_and_times_in_odd_units(opened, header, written, told):
    def text(header: str, since: int, times: int, percent: int) -> str:
        rows = [
            (who, day if since == 1 else pd.Timestamp(day).value // 1000 // since, amount * times)
            for who, day, amount in BOUGHT
        ]
        more = "".join(f"{','.join(map(str, row))},{0.1 * percent:g}\n" for row in rows)
        return f"customer_id,{header}\n{more}"

    _, plain = opened(text("date,amount,discount", 1, 1, 1))
    _, odd = opened(text(header, *written))
    shared = list(plain.table.columns.intersection(odd.table.columns))
    assert {"recency_days", "spent", "net_value"} <= set(shared)
    pd.testing.assert_frame_equal(odd.table[shared], plain.table[shared])
    assert [change.what.startswith(told) for change in odd.changes].count(True) == 1
    assert len(odd.table.columns) >= len(plain.table.columns) - ("price" in header)


@pytest.mark.parametrize(("cell", "share"), [("10%", 0.1), ("-12,5 %", 0.125), ("0.5%", 0.005)])
def test_discounts_with_a_percent_sign_are_parts_of_the_full_price(opened, cell, share):
    text = lines(header="customer_id,date,amount,remise").replace(",", ";").replace("sale", cell)
    found = opened(text)[1].table["discount_share"]
    assert found.to_numpy() == pytest.approx(share)
    half = text.replace(cell, "", 3)  # of K000; an empty cell is no discount
    assert opened(half)[1].table["discount_share"].min() == 0


def test_amounts_with_a_point_and_a_comma_are_read_once_all_have_one(opened):
    text = lines().replace(",sale", ".50").replace(",more", "")
    said = "decimal comma .'9,5'. stand beside .* .'10.50'"
    for comma in (5, 60):
        with pytest.raises(UserError, match=said) as caught:
            opened(text + "".join(f'K000,2024-05-{n % 28 + 1:02d},"9,5"\n' for n in range(comma)))
        assert caught.value.remedy == "write them all in one way"
    assert worth(opened(text)[1]) == (3, 34.5, 34.5)


def test_years_and_months_in_columns_of_their_own(opened):
    text = lines(header="abonné,year,month,amount,more")
    text = re.sub(r"2024-0(\d)-1(\d)", r"201\2,\1", text)
    for who in ("abonné", "customer_id"):
        with pytest.raises(UserError, match="add one of days, or of months like 2024-12"):
            opened(text.replace("K", "").replace("abonné", who))
    joined = re.sub(r"(201\d),(\d)", r"\1-0\2", text).replace("year,month", "date")
    assert worth(opened(joined, "--role", "customer=abonné")[1]) == PLAIN


def test_customers_of_merged_cells_saved_as_text_are_to_be_filled_down(opened):
    def text(*names: int) -> str:
        return lines(rows=[(k if n in names else "", d, a) for n, (k, d, a) in enumerate(BOUGHT)])

    with pytest.raises(UserError, match="(?s)only in the first of its lines.*line 2") as caught:
        opened(text(*range(0, 180, 3)))
    assert "fill the empty cells down" in caught.value.remedy
    assert worth(opened(text(*range(180)))[1]) == PLAIN


def test_what_a_status_says_is_not_looked_for_elsewhere(opened):
    text = lines((*K000, "gone"), header="customer_id,date,amount,status")
    text = "\n".join(f"{line},{'code' if not n else 'gone'}" for n, line in enumerate(text.split()))
    assert worth(opened(text + "\n", "--role", "ignore=gone")[1]) == PLAIN


def test_hours_days_and_categories_are_offered_as_no_amount(opened):
    text = lines(
        rows=[(*line[:2], n % 24) for n, line in enumerate(BOUGHT)],
        header="customer_id,date,order_hour_of_day,more",
    )
    with pytest.raises(UserError, match="amount: no other column could be it: add one"):
        opened(text)


def test_words_that_are_nowhere_are_refused(opened):
    text = lines((*K000, "on hold"), header="customer_id,date,amount,status")
    with pytest.raises(UserError, match="no column is called 'onhold'") as caught:
        opened(text, "--role", "ignore=onhold")
    assert caught.value.remedy == "did you mean 'on hold'?"
    assert worth(opened(text, "--role", "ignore=ON HOLD", "--role", "ignore=status")[1])


def test_amounts_of_one_kind_can_be_added_up(opened):
    rows = [(who, day, amount - 4, 4) for who, day, amount in BOUGHT]
    text = lines(rows=rows, header="customer_id,date,online sales,store sales,more")
    with pytest.raises(UserError, match="amount: is it online sales or store sales") as caught:
        opened(text)
    _, both = caught.value.remedy.split("or both added up? ")
    assert worth(opened(text, *shlex.split(both))[1]) == PLAIN


@pytest.mark.parametrize(
    ("name", "spent"), [("order discount", 31.5), ("line discount", 30), ("discount_amount", None)]
)
def test_what_is_taken_off_an_order_is_taken_off_once(opened, name, spent):
    text = f"order,customer_id,date,unit price,qty,{name}\n" + "".join(
        f"O{n},{who},{day},{amount / 2},1,{1.5 * (n % 3 == 2)}\n" * 2
        for n, (who, day, amount) in enumerate(BOUGHT)
    )
    if spent:
        assert worth(opened(text)[1]) == (3, spent, spent)
        return
    with pytest.raises(UserError, match="off the order once, or off each line") as caught:
        opened(text)
    assert "call the column order_discount_amount or line_discount_amount" in caught.value.remedy
    assert worth(opened(text, "--role", "ignore=discount_amount")[1]) == PLAIN


def test_amounts_are_offered_before_quantities(opened):
    text = lines(header="customer_id,date,units,kosten", rows=[])
    text += "".join(f"{who},{day},{n},{n}.5\n" for who, day, n in BOUGHT)
    with pytest.raises(UserError, match="amount: is it kosten or units") as caught:
        opened(text)
    assert caught.value.remedy.endswith('--role amount="kosten"')
    text = lines(header="customer_id,date,pris,antal,sum", rows=[])
    text += "".join(f"{who},{day},{n}.5,{n % 4},{n % 4 * (n + 0.5)}\n" for who, day, n in BOUGHT)
    with pytest.raises(UserError, match="amount: is it sum or pris or antal"):
        opened(text)
    text = lines(header="customer_id,date,refund tax,fees,bill", rows=[])
    text += "".join(f"{who},{day},0,{n}.25,{n}.5\n" for who, day, n in BOUGHT)
    with pytest.raises(UserError, match="amount: is it bill or fees or refund tax"):
        opened(text)


def test_what_a_discount_is_can_be_said_by_its_name(opened):
    text = lines(header="customer_id,date,amount,discount").replace("sale", "10")
    with pytest.raises(UserError, match="amounts or percentages") as caught:
        opened(text)
    shares = {"discount_percent": 0.1, "discount_amount": 30 / 63}
    for name, share in shares.items():
        assert name in caught.value.remedy
        known = opened(text.replace("discount", name))[1].table.set_index("customer_id")
        assert known.loc["K000", "discount_share"] == pytest.approx(share)


def test_days_in_two_ways_are_read_once_all_are_written_in_one(opened):
    def text(*ways: str) -> str:
        days = [
            f"{pd.Timestamp(day):{ways[n % len(ways)]}}" for n, (_, day, _) in enumerate(BOUGHT)
        ]
        rows = [(who, day, a) for (who, _, a), day in zip(BOUGHT, days, strict=True)]
        return lines(rows=rows)

    with pytest.raises(UserError, match="written in two ways: '10.01.2024'") as caught:
        opened(text("%d.%m.%Y", "%Y-%m-%d"))
    assert caught.value.remedy == "write all of them in one way, best like 2024-12-31"
    for way in ("%Y-%m-%d", "%d.%m.%Y"):
        assert worth(opened(text(way))[1]) == PLAIN


@pytest.mark.parametrize("where", ["lines", "workbook", "customers"])
def test_days_and_months_that_a_spreadsheet_swapped_are_read_from_the_source(opened, where):
    days = pd.date_range("2024-01-01", periods=180, freq="2D")
    swapped = [f"{d:%Y-%d-%m}" if d.day <= 12 else f"{d:%m/%d/%Y}" for d in days]

    def text(days) -> str:
        if where == "customers":
            return table(180, joined=days)
        return lines(rows=[(who, day, a) for (who, _, a), day in zip(BOUGHT, days, strict=True)])

    def read(days):
        if where != "workbook":
            return opened(text(days))[1]
        frame = pd.read_csv(io.StringIO(text(days)))
        real = [pd.Timestamp(d) if "-" in d else d for d in frame["date"]]
        (book := io.BytesIO()), frame.assign(date=real).to_excel(book, index=False)
        return opened(book.getvalue(), name="t.xlsx")[1]

    with pytest.raises(UserError, match="'0.*: a spreadsheet swapped day and month") as caught:
        read(swapped)
    assert caught.value.remedy.startswith("export the table again as CSV")
    reading = read(days.strftime("%m/%d/%Y"))
    joined = where == "customers"
    assert list(reading.table["joined"]) == list(days) if joined else worth(reading) == PLAIN
    mixed = read([f"{d:%Y-%m-%d}" if n % 90 else f"{d:%m/%d/%Y}" for n, d in enumerate(days)])
    assert len(mixed.table) == (180 if joined else 60)


def test_roles_reach_any_column_and_mistakes_are_named(opened):
    text = lines(header="wer,wann,wieviel,more")
    with pytest.raises(UserError, match="gives no role"):
        opened(text, "--role", "customer")
    with pytest.raises(UserError, match="no column 'wen'.*\n.*\nis it 'wer'"):
        opened(text, "--role", "customer=wen")
    roles = ["customer=wer", "time=WANN", "amount=wieviel"]
    known, reading = opened(text, *(part for role in roles for part in ("--role", role)))
    assert worth(reading) == PLAIN
    assert (known.origin.customer, known.origin.time) == ("wer", "wann")


def test_roles_of_a_table_of_customers(opened):
    text = table(age=np.arange(60) * 7 % 41)
    roles = ["--role", "segment=age", "--role", "value=visits", "--role", "ignore=spend"]
    known, _ = opened(text, *roles)
    assert known.value == "visits"
    assert {f.name for f in known.features_with("segment")} == {"visits", "age"}
    with pytest.raises(UserError, match="did you mean 'segment'"):
        opened(text, "--role", "segmen=age")


def test_a_dataset_that_names_some_roles_is_completed(tmp_path):
    toml, path = tmp_path / "shop.toml", tmp_path / "t.csv"
    toml.write_text('[source]\ngrain = "transaction"\ncustomer = "wer"\n')
    path.write_text(lines(header="wer,date,amount,more"))
    source = inputs.resolve_dataset(str(toml), path)
    assert (source.dataset, source.roles) == ("auto", "customer=wer")
    _, reading = intake.open_table("auto", str(path), results_dir=str(tmp_path), roles=source.roles)
    assert worth(reading) == PLAIN


@pytest.fixture
def a_letter_off(tmp_path):
    """Write cards of which one column lacks a letter; return the file and the role that settles."""
    cards = pd.read_csv(ROOT / "data" / "credit_card" / "customers.csv", nrows=60)
    path = tmp_path / "cards.csv"
    cards.rename(columns={"MINIMUM_PAYMENTS": "MINIMUM_PAYMENT"}).to_csv(path, index=False)
    return path, "minimum_payments=MINIMUM_PAYMENT", cards["MINIMUM_PAYMENTS"].max()


def test_a_header_a_letter_off_is_offered_and_taken(a_letter_off, tmp_path):
    path, option, largest = a_letter_off
    with pytest.raises(UserError, match=f"is minimum_payments meant. --role {option}"):
        inputs.match_table(path)
    assert inputs.match_table(path, option) == ("credit_card", option)
    ws, reading = intake.open_table(
        "credit_card", str(path), results_dir=str(tmp_path), roles=option
    )
    cleaned = cleaning.clean(reading.numbered, ws.dataset).customers
    assert cleaned["minimum_payments"].max() == largest


@pytest.mark.parametrize("answer", ["y", "Yes", "n", ""])
def test_a_header_a_letter_off_is_taken_with_a_yes_in_the_terminal(
    a_letter_off, monkeypatch, answer
):
    path, role, _ = a_letter_off
    keyboard, terminal = pytest.importorskip("pty").openpty()
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", screen)
    os.write(keyboard, f"{answer}\n".encode())
    with open(terminal) as typed:
        monkeypatch.setattr("sys.stdin", typed)
        if answer in ("y", "Yes"):
            assert inputs.match_table(path) == ("credit_card", role)
        else:
            with pytest.raises(UserError, match="is minimum_payments meant"):
                inputs.match_table(path)
    os.close(keyboard)
    assert "MINIMUM_PAYMENT for minimum_payments? [y/N]" in screen.getvalue()


# --- tables of customers --------------------------------------------------------------------------


def test_rows_and_columns_that_are_no_customers_and_no_behaviour(opened):
    rng = np.random.default_rng(2)
    text = table(lat=50 + rng.random(60), Sex=np.arange(60) % 2, age=20 + np.arange(60) % 50)
    head, *rows = text.splitlines()
    frame = pd.read_csv(io.StringIO(text))
    sums = frame.iloc[:30][["spend", "visits", "lat", "Sex", "age"]].sum()
    rows.insert(30, "North subtotal," + ",".join(map(repr, map(float, sums))))
    known, reading = opened("\n".join([head, *rows]))
    assert len(reading.table) == 60
    assert [c.rows for c in reading.changes if c.what.startswith("rows of sums")] == [1]
    assert {f.name for f in known.features_with("segment")} == {"spend", "visits"}
    assert known.column("sex").kind == "category"
    codes = {"Filialnummer": 100 + np.arange(60) % 17, "geslacht": 1 + np.arange(60) % 2}
    known, _ = opened(table(zona=np.arange(60) % 2, x_utm=4e5 + np.arange(60) * 31.5, **codes))
    assert {f.name for f in known.features_with("segment")} == {"spend", "visits"}
    assert {known.column(name).kind for name in ("zona", "geslacht", "filialnummer")} == {
        "category"
    }
    # A name alone proves nothing: what sums up nothing is a customer.
    assert len(opened(text + "Total Energies,5.0,3,50.1,1,30\n")[1].table) == 61


def test_names_that_stand_above_their_rows_are_to_be_filled_down(opened):
    text = "name,no,paid\n"
    for n, who in enumerate(WHO):
        text += f"{who},,\n" + "".join(f",{m},{n + m}.5\n" for m in range(1, 4))
        text += f"Total for {who},,{3 * n + 7.5}\n"
    with pytest.raises(UserError, match="60 rows hold nothing but a name in 'name'") as caught:
        opened(text)
    assert "fill each name down" in caught.value.remedy


def test_numbers_of_customers_lose_what_gaps_among_them_left_behind(opened):
    text = re.sub(r"K(\d+)", lambda at: f"{int(at[1]) * 7}.0", lines())
    assert {"0", "7", "413"} <= set(opened(text)[1].table["customer_id"])


def test_telephone_numbers_on_several_lines_are_whose_lines_they_are(opened):
    text = lines(header="A,start,charge,B")
    text = re.sub("K(\\d+)", r"31612000\1", text)
    text = re.sub("sale", lambda at: f"3132{7_000_000 + 7919 * at.start() % 999_999}", text)
    with pytest.raises(UserError, match="no column is recognised that says who bought") as caught:
        opened(text)
    assert '--role customer="A"' in caught.value.remedy


def test_a_total_on_lines_of_several_statuses_counts_once(opened):
    rows = [
        (f"O{n}", who, day, amount + n / 100, status)
        for n, (who, day, amount) in enumerate(BOUGHT)
        for status in ("paid", "shipped")
    ]
    text = lines(rows=[], header="order_id,customer_id,date,order_total,order_status")
    text += "".join(",".join(map(str, row)) + "\n" for row in rows)
    assert worth(opened(text)[1]) == pytest.approx((3, 33.03, 33.03))


def test_months_before_their_years_are_times(opened):
    text = lines(*((who, "2024-05-12", "7", "x") for who in WHO[:30]))
    text = re.sub(r"2024-0(\d)-1\d", r"0\1/2024", text)
    text = text.replace("customer_id,date", "Contract account,Billing month")
    assert worth(opened(text)[1]) == (4, 40, 40)


@pytest.mark.parametrize("plain", [False, True])
def test_names_in_two_rows_as_pandas_writes_them(opened, plain):
    rng = np.random.default_rng(4)
    names = [("spend", "sum"), ("spend", "mean"), ("visits", "sum")]
    frame = pd.DataFrame({name: rng.poisson(40, 60) for name in names}, pd.Index(WHO, name="who"))
    written = frame.reset_index() if plain else frame
    known, reading = opened(written.to_csv(index=not plain))
    assert list(reading.table) == ["who", "spend sum", "spend mean", "visits sum"]
    assert list(reading.table["who"]) == WHO and known.id.found_as == ("who",)


@pytest.mark.parametrize(
    ("above", "label", "made"),
    [
        (True, "Nord gesamt", "sum"),
        (False, "Total", "sum"),
        (False, "Ø Nord", "mean"),
        (True, "Region North", ""),  # nothing but a heading, beside a total at the end
        (False, "Razem", "sum"),
        (True, "Ergebnis", "sum"),
    ],
)
def test_sums_means_and_headings_of_groups_are_no_customers(opened, above, label, made):
    frame = pd.read_csv(io.StringIO(table()))
    amounts, pieces = ["spend", "visits"], []
    for place in range(0, 60, 20):
        group = frame.iloc[place : place + 20]
        row = pd.DataFrame({"customer_id": [f"{label} {'ABC'[place // 20]}"]})
        row = row.assign(**group[amounts].agg(made)) if made else row
        pieces += [row, group] if above else [group, row]
    if not made:
        pieces.append(pd.DataFrame({"customer_id": ["total all"], **frame[amounts].sum()}))
    elif not above and made == "sum":
        pieces.append(pd.DataFrame({"customer_id": ["Hela"], **frame[amounts].sum()}))
    text = pd.concat(pieces)
    _, reading = opened(text.to_csv(index=False))
    assert list(reading.table["customer_id"]) == list(frame["customer_id"])
    assert [c.rows for c in reading.changes if "sums or means" in c.what] == [len(text) - 60]


GROWN = np.r_[7, 45, 388, 1_203 + 1499 * np.arange(57)][::-1]  # numbers of 1 to 5 digits
SPENT = np.round(np.random.default_rng(4).lognormal(4, 1, 60), 2)


@pytest.mark.parametrize(
    ("columns", "identifier"),
    [
        ({"编号": [f"A{i}9" for i in range(60)]}, "编号"),
        ({"Bezeichnung": [f"K {i:03d}" for i in range(60)]}, "Bezeichnung"),
        ({"ügyfél": [f"Kovács {'A' * (i % 3)}{i}" for i in range(60)]}, "ügyfél"),
        ({"Name": [f"Ann {chr(65 + i)}." for i in range(60)], "Mail": MAILS}, "Mail"),
        ({"Referrer ID": 100 + np.arange(60) % 41, "Mail": MAILS}, "Mail"),
        ({"first": [f"Ann{chr(65 + i)}" for i in range(60)], "note": [*"ab"] * 30}, "first"),
        ({"Prénom": [*"ABCDEF"] * 10, "Nom": np.repeat([*"GHIJKLMNOP"], 6)}, "Prénom + Nom"),
        ({"Prénom": [*"ABCDEF"] * 10, "Nom": ["G"] * 60}, None),
        ({"remark": [f"{i} times she asked us for a price" for i in range(60)]}, None),
        ({"a": [f"Ann {i}" for i in range(60)], "b": [f"Lee {i}" for i in range(60)]}, None),
        ({"Абонент": 1_000_000 + np.arange(60) * 7919 % 471_000}, "Абонент"),
        (
            {
                "spend": SPENT,
                "доход": np.random.default_rng(1).lognormal(13, 0.1, 60).round() + 5e5,
            },
            None,
        ),
        ({"Nº socio": np.arange(1, 61)}, "Nº socio"),
        ({"Clave": 1 + np.arange(60) * 7 % 60}, "Clave"),
        ({"Clave": np.arange(60, 0, -1)}, None),
        ({"RespID": np.arange(60) + 1000, "Household": 1 + np.arange(60) % 5}, "RespID"),
        ({"postcode": 2000 + np.arange(60) * 7 % 50}, None),
        ({"store_id": np.arange(60) % 9 + 100}, None),
        *(  # a number of the rows hides no identifier that repeats
            ({number: np.arange(60) + 1, who: 100 + np.arange(60) // 2}, who)
            for number in ("rownames", "Sl_No", "Row ID", "index")
            for who in ("id", "subject_id")
        ),
        ({"Sl_No": np.arange(60) + 1, "Customer Key": np.r_[100:157, 100:103]}, "Customer Key"),
        ({"rowid": np.arange(60) + 1, "plan_id": 100 + np.arange(60) // 2}, "rowid"),
        # Whole numbers of any length in the first column, or running from another start than 1.
        ({"Firma": GROWN}, "Firma"),
        ({"Firma": GROWN, "jövedelem": GROWN * 3 + 1}, None),
        *(({name: GROWN}, None) for name in ("Umsatz", "recency", "km", "Geburtsjahr", "points")),
        ({"spend": SPENT, "resp": np.arange(100, 160)}, "resp"),
        ({"spend": SPENT, "rok": np.arange(1960, 2020)}, None),
        # Words for customers as in transactions, also where they repeat.
        *(
            ({"spend": SPENT, who: numbers}, who)
            for who in ("Kunde", "klant", "Debitor", "donor", "客户", "Kontonummer", "IDpol")
            for numbers in (GROWN, np.r_[GROWN[:50], GROWN[:10]])
        ),
        ({"rownames": np.arange(60) + 1, "klant": np.r_[GROWN[:50], GROWN[:10]]}, "klant"),
        ({"spend": SPENT, "visitor": np.arange(60) % 5}, None),
        ({"huisnummer": np.arange(60) % 23}, None),
        (
            {"mobile_number": [f"+49 170 {i:07d}" for i in 7919 * GROWN % 9_000_000]},
            "mobile_number",
        ),
        ({"mobile_number": 7_000_000_000 + 7919 * GROWN}, "mobile_number"),
    ],
)
def test_what_tells_customers_apart(opened, columns, identifier):
    frame = pd.read_csv(io.StringIO(table(**columns)))
    text = frame[[*columns, *frame.columns.difference([*columns, "customer_id"])]]
    known, _ = opened(text.to_csv(index=False))
    assert (known.id.found_as[0] if known.id else None) == identifier


def test_years_and_round_amounts_beside_a_date_are_no_customers_of_lines(opened):
    numbers = np.arange(60)
    born, income = 1940 + numbers * 7 % 45, 1000 * (20 + numbers * 3 % 47)
    days = pd.date_range("2024-01-01", periods=60).strftime("%Y-%m-%d")
    text = pd.read_csv(io.StringIO(table(born=born, jövedelem=income, kelt=days)))
    assert opened(text.to_csv(index=False))[0].origin.grain == "customer"
    text = text.drop(columns="customer_id").to_csv(index=False)
    with pytest.raises(UserError, match="customer: no other column could be it") as caught:
        opened(text)
    option = caught.value.remedy[caught.value.remedy.index("--role value") :]
    known, reading = opened(text, *shlex.split(option.partition(" if ")[0]))
    assert known.origin.grain == "customer" and len(reading.table) == 60


def test_whole_numbers_with_a_point_are_identifiers_without_it(opened):
    frame = pd.read_csv(io.StringIO(table(tagja=900_000 + np.arange(60) * 13)))
    frame = frame.drop(columns="customer_id").assign(tagja=frame["tagja"].map("{}.0".format))
    known, reading = opened(frame.to_csv(index=False))
    customers = cleaning.clean(reading.numbered, known).customers
    assert known.id.found_as == ("tagja",) and list(customers.index[:2]) == ["900000", "900013"]


def test_customers_of_whom_only_answers_are_known(opened):
    words = pd.DataFrame({"customer_id": WHO, "plan": np.resize(["basic", "plus", "top"], 60)})
    with pytest.raises(UserError, match="only 0 column.*\n.*\n.*each category as a column of yes"):
        opened(words.to_csv(index=False))
    answers = pd.get_dummies(words, columns=["plan"]).assign(Gender=np.resize([True, False], 60))
    answers["paperless"] = np.resize(["yes", "no", "no", ""], 60)
    known, reading = opened(answers.to_csv(index=False))
    segmenting = {f.name for f in known.features_with("segment")}
    assert segmenting == {"plan_basic", "plan_plus", "plan_top", "paperless"}
    customers = cleaning.clean(reading.numbered, known).customers
    assert build_features(customers, known)["plan_top"].tolist() == [0, 0, 1] * 20


def test_customers_whose_columns_are_in_odd_units(opened):
    seconds = 1_700_000_000 + 86_400 * np.resize(np.arange(40), 60)
    known, _ = opened(
        table(
            **{"balance_pence": np.arange(60) * 7 % 90, "Fees (cents)": np.arange(60) * 11 % 70}
        ).replace("spend", "spend (cents)")
    )
    units = {c.name: (c.unit, c.label) for c in known.columns if c.kind == "money"}
    assert units["spend_cents"] == ("cents", "Spend")
    assert units["balance_pence"] == ("pence", "Balance")
    assert known.currency == ""
    for name, times in (("last_login", 1), ("last order ts", 1000), ("date joined", 1)):
        known, reading = opened(table(**{name: seconds * times}))
        (days,) = [c.name for c in known.columns if c.before]
        assert reading.table[name].min() == pd.Timestamp("2023-11-14 22:13:20")
        assert known.column(days).role in ("recency", "tenure"), name
    assert opened(table(income=seconds))[0].column("income").kind == "money"


@pytest.mark.parametrize("word", [" Stück", "次", " 回", "개월"])
def test_a_word_behind_all_numbers_is_taken_off(opened, word):
    pieces = np.arange(60) * 7 % 50
    _, reading = opened(table(bestellt=[f"{n}{word}" for n in pieces]))
    assert reading.table["bestellt"].tolist() == pieces.tolist()
    assert [c.rows for c in reading.changes if c.what.endswith(" behind all numbers")] == [60]
    assert reading.kinds["bestellt"] == "number"


def test_arrows_before_numbers_are_their_signs(opened):
    changes = [f"{'▼' if n % 3 else '▲'} {n}%" for n in range(1, 61)]
    _, reading = opened(table(growth=changes))
    assert reading.table["growth"].head(3).tolist() == [-0.01, -0.02, 0.03]
    assert [c.rows for c in reading.changes if "▼" in c.what] == [60]


def test_codes_that_a_spreadsheet_rounded_do_not_segment(opened):
    meters = [f"1.23E+{10 + i % 3}" for i in range(60)]
    known, _ = opened(table(meter=meters))
    assert known.left_out["meter"] == "codes that a spreadsheet has rounded: '1.23E+10'"


def test_letters_behind_all_amounts_are_asked_about(opened):
    pieces = np.arange(60) * 7 % 50
    text = table(balance=[f"{n}.50 {'DR' if n % 3 else 'CR'}" for n in pieces])
    with pytest.raises(UserError, match="some amounts end with CR and others with DR") as caught:
        opened(text)
    assert "with a minus sign, and all without these letters" in caught.value.remedy
    signed = re.sub(r"(\d+\.50) DR", r"-\1", text).replace(" CR", "")
    assert opened(signed)[1].table["balance"].min() == -49.5


@pytest.mark.parametrize(
    ("name", "first"), [("talk_time", 3661), ("avg session", 3661), ("order time", "1:01:01")]
)
def test_durations_are_seconds(opened, name, first):
    known, reading = opened(
        table(**{name: [f"{1 + n % 9}:01:{1 + n % 59:02d}" for n in range(60)]})
    )
    assert reading.table[name][0] == first
    assert [c.rows for c in reading.changes if c.what.startswith("durations")] == [60] * (
        first == 3661
    )


@pytest.mark.parametrize("name", ["registriert", "letzter kauf", "t0", "created"])
@pytest.mark.parametrize("never", [None, 0, -1])
def test_no_time_since_1970_is_a_number(opened, name, never):
    seconds = 1_700_000_000 + 86_400 * np.resize(np.arange(40), 60)
    seconds[3] = seconds[3] if never is None else never
    known, reading = opened(table(**{name: seconds}))
    assert reading.kinds[name] == "date"
    assert reading.table[name].isna().sum() == (never is not None)
    assert not [f for f in known.features_with("segment") if not f.name.startswith("days_since")][
        2:
    ]
    assert "times in seconds since 1970" in [c.what for c in reading.changes if c.column == name]


@pytest.mark.parametrize("name", ["Open rate (%)", "pct_opened", "Anteil in %", "open percent"])
def test_numbers_in_percent_keep_their_unit(opened, name):
    known, reading = opened(table(**{name: np.arange(60) * 7 % 83 + 0.5}))
    (found,) = [column for column in known.columns if column.unit == "%"]
    assert (found.kind, reading.table[name][7]) == ("number", 49.5)
    assert quantity(82, found.unit, found.kind) == "82%"
    known, reading = opened(table(**{name: [f"{n * 7 % 83}%" for n in range(60)]}))
    assert reading.kinds[name] == "share" and reading.table[name][7] == 0.49


def test_amounts_that_follow_one_another_are_no_record_numbers(opened):
    counted = {
        "spent": range(60),
        "entry": range(60),
        "Trans.": range(1, 61),
        "Sequence Number": 1 + np.arange(60) * 7 % 60,
    }
    known, _ = opened(table(importe=10 + np.arange(60) * 7 % 60, **counted))
    segmenting = {f.name for f in known.features_with("segment")}
    assert {"importe", "spent"} <= segmenting and "sequence_number" not in segmenting
    assert known.left_out["entry"] == "counts the rows: a record number"
    assert known.left_out["Trans."] == known.left_out["entry"]
    assert known.left_out["Sequence Number"] == "each whole number once: a code"


def test_receipts_with_one_amount_become_customers_where_they_are_said_to_be(opened):
    text = re.sub(r"(quantity|\.5),?.*", r"\1", RECEIPTS).replace("price,quantity", "amount")
    with pytest.raises(UserError, match="a line or a receipt") as caught:
        opened(text)
    option = re.search(r'--role "?customer="[^"]*"', caught.value.remedy).group()
    known, reading = opened(text, *shlex.split(option))
    assert len(reading.table) == 90
    assert {f.name for f in known.features_with("segment")} == {"recency_days", "spent"}


def test_gaps_that_have_a_reason(opened):
    tenure = np.arange(60) % 20
    total = np.where(tenure == 0, np.nan, tenure * 11.5 + np.arange(60) % 7)
    answers = np.where(np.arange(60) % 15 == 0, "Prefer not to say", np.arange(60) % 5 + 1)
    known, reading = opened(table(tenure=tenure, total=total, Q1=answers))
    cleaned = cleaning.clean(reading.numbered, known)
    assert (cleaned.customers["total"][tenure == 0] == 0).all()
    assert cleaned.customers["q1"].between(1, 5).all()
    assert [c.rows for c in cleaned.changes if c.what == "no total so far"] == [3]
    waits = np.where(tenure == 0, np.nan, 5 + np.arange(60) % 13)
    known, reading = opened(table(orders=tenure, wait=waits, **{"days since last": waits}))
    filled = cleaning.clean(reading.numbered, known).customers[tenure == 0]
    assert set(filled["wait"]) == {0} and set(filled["days_since_last"]) == {17}


def test_gaps_in_the_months_of_a_total_are_zero(opened):
    rng = np.random.default_rng(3)
    months = pd.DataFrame(rng.lognormal(3, 1, (60, 6)).round(2))
    months = months.where(rng.random((60, 6)) < [0.3, *[0.7] * 5])
    named = {f"{m:%b-%y}": months[n] for n, m in enumerate(pd.date_range("2024", None, 6, "MS"))}
    known, reading = opened(table(**named, Total=months.sum(axis=1).round(2)))
    cleaned = cleaning.clean(reading.numbered, known)
    assert (cleaned.customers["jan_24"] == months[0].fillna(0).to_numpy()).all()
    told = {change.column: change.rows for change in cleaned.changes if "gap" in change.action}
    assert told["jan_24"] == months[0].isna().sum()
    assert "total" not in {f.name for f in known.features_with("segment")}
    other = opened(table(**named, Total=months.sum(axis=1).round(2) + np.arange(60)))[0]
    assert not other.rules


def test_dates_in_doubt_that_only_describe_leave_their_column_out(opened):
    days = [f"0{1 + i % 9}/0{1 + i * 2 % 9}/2024" for i in range(60)]
    known, reading = opened(table(joined=days))
    assert "--date-order" in known.left_out["joined"]
    assert known.column("spend")
    assert opened(table(joined=days), "--date-order", "dmy")[0].column("days_since_joined").before


def test_sensitive_columns_that_segment_are_named(opened):
    text = pd.read_csv(io.StringIO(table(Age=20 + np.arange(60) % 41))).drop(columns="visits")
    known, _ = opened(text.to_csv(index=False))
    assert "made from sensitive columns, too: Age" in sensitive(known)[0]


def test_every_column_is_listed_with_its_use(opened, tmp_path):
    people = tmp_path / "people.csv"
    people.write_text(
        "customer_id,town,e-mail\n"
        + "".join(f"{w},N{i % 2},{w}@x.org\n" for i, w in enumerate(WHO))
    )
    known, reading = opened(lines(header="customer_id,date,amount,channel"), people=str(people))
    uses = intake.list_columns(reading, known, []).set_index("column")["use"]
    assert list(uses.index) == [
        "customer_id",
        "date",
        "amount",
        "channel",
        "customer_id",
        "town",
        "e-mail",
    ]
    assert uses["channel"].startswith("left out: ")
    assert uses["town"] == "describes the customers"
    assert uses["e-mail"] == "left out: names a person or how to reach them"
    known, reading = opened(table(note=[f"some words {i}" for i in range(60)]))
    selected = cleaning.select_columns(reading.table, known)
    uses = intake.list_columns(reading, known, selected.changes).set_index("column")["use"]
    assert list(uses.index) == list(reading.table)
    assert uses["note"].startswith("left out: another text")


# --- formats --------------------------------------------------------------------------------------


def packed(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.csv", text)
    return buffer.getvalue()


JSON = "".join(json.dumps({"customer_id": c, "date": d, "amount": a}) + "\n" for c, d, a in BOUGHT)


@pytest.mark.parametrize("options", [(), ("--delimiter", "spaces")])
def test_cells_apart_by_wide_spaces_may_hold_single_ones(opened, options):
    rows = [f"{who:<8}{'New York':<12}{n:>8}.5{n % 7:>6}" for n, who in enumerate(WHO)]
    text = "\n".join(["who     home town        spend    visits", *rows])
    _, reading = opened(text, *options)
    assert list(reading.table) == ["who", "home town", "spend", "visits"]
    assert set(reading.table["home town"]) == {"New York"} and reading.table["spend"][3] == 3.5
    with pytest.raises(UserError, match="not all lines have 4 of them.*\n.*'K003 .* has 3"):
        opened(text.replace(rows[3], rows[3].replace("New York", "        ")), *options)


def test_people_are_joined_by_the_only_column_that_holds_their_identifiers(opened, tmp_path):
    people = tmp_path / "people.csv"
    town = "\n".join(f"{n},{who},N{n % 2}" for n, who in enumerate(WHO))
    people.write_text(f"entry,Kundennummer,town\n{town}")
    _, reading = opened(lines(), people=str(people))
    assert reading.table.set_index("customer_id")["town"].to_dict() == {
        who: f"N{n % 2}" for n, who in enumerate(WHO)
    }
    people.write_text(f"entry,Kundennummer,town\n{town}".replace("K", "Q"))
    with pytest.raises(UserError, match="no other holds these identifiers"):
        opened(lines(), people=str(people))


ARABIC = {48 + n: 0x660 + n for n in range(10)}  # digits
HEADS = [("customer", "order", None), ("id", "date", "amount")]


@pytest.mark.parametrize(
    "content",
    [
        packed(lines=lines()),
        JSON,
        json.dumps([json.loads(line) for line in JSON.splitlines()], indent=1),
        re.sub(r'"customer_id": ("\w+")', r'"customer": {"id": \1, "town": "N"}', JSON),
        f"Report\nmade on 2024-09-01\n\n{lines()}",
        re.sub("(?m)^(K...)", r'="\1"', lines()),
        lines(*[(f"{who} Total", "", "33") for who in WHO]),
        lines(*[("", "", "33") for _ in WHO]),
        lines(*[(who, "2024-05-01", "33", "Subtotal") for who in WHO]).replace(",sale", ","),
        workbook([*HEADS, *BOUGHT]),
        lines(header="customer,order,,more\nid,date,amount,"),
        f"\n\n{lines()}",
        lines(header="Report\n\nclient,order,,more\nclient,date,amount,words"),
        re.sub(r",(\d\d?),sale", r",$\1.00,$\1.00", lines(header="client,date,net sales,sales")),
        lines().replace(",", "   "),
        f"# shop, web, phone\n{lines()}",
        re.sub(r",(\d\d?),sale", r",\1 руб.,sale", lines()),
        re.sub(r",(\d\d?),sale", r",\1 Tk,sale", lines()),
        re.sub(r"(\d{4})-(\d\d)-(\d\d)", r"\1.\2.\3.", lines()),
        re.sub(r"(?<=,)\d\d?(?=,sale)", lambda at: at[0].translate(ARABIC), lines()),
        re.sub(r",(\d\d?),sale", r",\\\1,sale", lines()),
        re.sub(
            r",(\d\d?),sale", r",9\1,\1,", lines(header="client,date,gross sales,net sales,more")
        ),
        re.sub('"amount"', '"items": [1, 2], "amount"', JSON),
        re.sub(r"(2024-\d\d-\d\d)", r"\1 10:00:00 UTC", lines()),
        re.sub(r"2024-(\d\d)-(\d\d)", r"2024\1\g<2>101530", lines(header="client,TXN_TS,amount,x")),
        workbook(
            [("customer_id", "date", "amount"), *BOUGHT],
            merged=[f"A{2 + 3 * i}:A{4 + 3 * i}" for i in range(60)],
        ),
    ],
)
def test_formats_give_the_same_customers(opened, content):
    _, reading = opened(content)
    assert len(reading.table) == 60
    assert worth(reading) == PLAIN


@pytest.mark.parametrize("ending", ["xls", "ods", "xlsb"])
def test_other_workbooks_hold_what_they_were_written_with(ending):
    """The files were written by xlwt, by odfpy, and byte by byte as [MS-XLSB] says."""
    table = read_table(ROOT / "tests" / "workbooks" / f"customers.{ending}").table
    assert table.iloc[:, :5].astype(object).where(table.notna(), None).to_dict("list") == {
        "Customer ID": ["00123", "NA", "Ä-7"],
        "Joined": [pd.Timestamp(2024, 1, 31), pd.Timestamp(2023, 12, 1), pd.Timestamp(2024, 2, 29)],
        "Spend": [12.5, 1234.125, -3],
        "Visits": [3, 0, None],
        "Share": [0.12, 0.5, 1],
    }


def test_names_over_two_rows_are_joined(opened):
    rows = [
        (f"C{i:03d}", i % 7, i % 5 + i % 3, i * 3 % 11 + 0.5, i * 5 % 13 + 0.5) for i in range(60)
    ]
    years, both = ("2023", None, "2024", None), ("Orders", "Spend", "Orders", "Spend")
    upper = ("Orders", None, "Spend", None)
    for heads, names in (
        ([("Customer", *upper), (None, "2023", "2024", "2023", "2024")], "Customer"),
        ([("Kunde", *years), ("Nr.", *both)], "Kunde Nr."),
        ([(None, *years), ("Customer", *both)], "Customer"),
    ):
        _, reading = opened(workbook([("Report",), (), *heads, *rows]), name="t.xlsx")
        joined = [f"{heads[0][k]} {heads[1][k + more]}" for k in (1, 3) for more in (0, 1)]
        assert list(reading.table) == [names, *joined]
        assert len(reading.table) == 60


@pytest.mark.parametrize(
    ("corner", "total"), [("Row Labels", "Grand Total"), ("Zeilenbeschriftungen", "Gesamtergebnis")]
)
def test_pivot_tables_of_spreadsheets_are_read(opened, corner, total):
    rows = [(who, 3 + n * 7 % 50, 5 + n * 5 % 40) for n, who in enumerate(WHO)]
    sums = [sum(column) for column in list(zip(*rows, strict=True))[1:]]
    heads = [("Sum of Sales", "Column Labels", None), (corner, "Bikes", "Clothing")]
    _, reading = opened(workbook([*heads, *rows, (total, *sums)]), name="t.xlsx")
    assert list(reading.table) == [corner, "Bikes", "Clothing"]
    assert list(reading.table[corner]) == WHO and reading.table["Bikes"].sum() == sums[0]


def test_words_and_years_below_names_are_names(opened):
    rows = [["Customer", "Bought", "", "Visits", ""], ["ID", "2023", "2024", "Web", "Store"]]
    rows += [
        [f"A{n:03d}", f"{n * 7 % 90}", f"{n * 5 % 80}", f"{n % 9}", f"{n % 7}"] for n in range(60)
    ]
    _, reading = opened("".join(",".join(row) + "\n" for row in rows))
    assert list(reading.table) == [
        "Customer ID",
        "Bought 2023",
        "Bought 2024",
        "Visits Web",
        "Visits Store",
    ]
    assert len(reading.table) == 60


def test_sheets_are_offered_likeliest_first_and_the_option_works(opened, tmp_path):
    people = tmp_path / "people.xlsx"
    towns = [("customer_id", "town"), *((who, "NS"[i % 2]) for i, who in enumerate(WHO))]
    people.write_bytes(workbook([["read me"]], Data=towns))
    with pytest.raises(UserError) as caught:
        opened(lines(), people=str(people))
    assert caught.value.remedy.endswith("--demographics-sheet 'Data'")
    _, reading = opened(lines(), "--demographics-sheet", "Data", people=str(people))
    assert set(reading.table["town"]) == {"N", "S"}
    people.write_bytes(workbook(towns[:31], Rest=[towns[0], *towns[31:]]))
    with pytest.raises(UserError, match="copy the rows of Sheet1, Rest into one sheet"):
        opened(lines(), people=str(people))
    people.write_bytes(workbook(towns))
    assert set(opened(lines(), people=str(people))[1].table["town"]) == {"N", "S"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "hex", "idna", "undefined", "ascii"])
@pytest.mark.parametrize("text", [table(town="Zürich"), lines(("Zoë", "2024-01-01", "3", "sale"))])
def test_a_wrong_encoding_is_the_users_to_correct(opened, encoding, text):
    with pytest.raises(UserError):
        opened(text, "--encoding", encoding)


@pytest.mark.parametrize("header", ["Název,Datum,Částka", "client,date,amount"])
def test_letters_of_another_encoding_are_asked_for(opened, header):
    cells = [(f"{'Spółka' if header[0] == 'c' else 'Novák'} {who}", *more) for who, *more in BOUGHT]
    content = lines(rows=cells, header=f"{header},more").encode("cp1250")
    with pytest.raises(UserError, match="--encoding .*cp1250"):
        opened(content)
    pairs = zip(("customer", "time", "amount"), header.split(","), strict=True)
    roles = [f"--role={role}={column}" for role, column in pairs]
    _, reading = opened(content, "--encoding", "cp1250", *roles)
    assert set(reading.table["customer_id"]) == {who for who, *_ in cells}


@pytest.mark.parametrize("sign", ["zł", "Kč"])
def test_money_of_another_encoding_is_asked_for(opened, sign):
    content = table(obrat=[f"{n * 7 % 50}.50 {sign}" for n in range(60)]).encode("cp1250")
    with pytest.raises(UserError, match="in Windows-1252") as caught:
        opened(content)
    assert opened(content, *caught.value.remedy.split()[-2:])[1].units["obrat"] == sign


def test_archives_of_several_files_are_refused(opened):
    with pytest.raises(UserError, match="ZIP archive of 2 files"):
        opened(packed(a=table(), b=table()))


def panel(whole: bool, *, period: str = "", start: int = 1) -> pd.DataFrame:
    """Make 60 accounts with a row for each of six periods, or for some of these."""
    rng = np.random.default_rng(9)
    unit, number = np.divmod(np.arange(360), 6)
    frame = pd.DataFrame({"konto_x": 400 + 7 * unit, period or "wave": number + start})
    frame["spent"], frame["visits"] = rng.lognormal(4, 1, 360).round(2), rng.poisson(6, 360)
    return frame if whole else frame[rng.random(360) < 0.7]


@pytest.mark.parametrize(
    ("frame", "option"),
    {
        "whole": (panel(True), '--role ignore="wave"'),
        "with gaps": (panel(False), '--role ignore="wave"'),
        "years": (panel(True, period="jahr", start=2015), '--role ignore="jahr"'),
        "rows have names": (panel(False).reset_index(), '--role customer="index"'),
        "choices": (panel(True, period="verkehr"), '--role ignore="verkehr"'),
    }.values(),
    ids=["whole", "with gaps", "years", "rows have names", "choices"],
)
def test_rows_for_each_customer_and_period_are_no_customers(opened, frame, option):
    with pytest.raises(UserError, match="the rows are no customers: each of 60") as caught:
        opened(frame.to_csv(index=False))
    assert option in caught.value.remedy
    _, reading = opened(frame.to_csv(index=False), *shlex.split(option))
    assert len(reading.table) == len(frame)


def test_rows_in_which_a_time_rises_within_each_customer_alone_are_no_customers(opened):
    rng = np.random.default_rng(4)
    hours = np.concatenate([np.sort(rng.random(15)) for _ in range(8)]).round(6)
    frame = pd.DataFrame({"nr": np.repeat(rng.permutation(8), 15), "time": hours})
    frame["level"], frame["dose"] = rng.normal(5, 1, 120), rng.normal(9, 1, 120)
    with pytest.raises(
        UserError, match="each of 8 nr has 15.0 rows on average, each of another time"
    ):
        opened(frame.to_csv(index=False))
    _, reading = opened(frame.sample(frac=1, random_state=1).to_csv(index=False))
    assert len(reading.table) == 120  # in no order, they may be customers
    named = frame.assign(customer_id=np.arange(120))  # sorted by town and by the day of joining
    assert len(opened(named.to_csv(index=False))[1].table) == 120


def test_customers_of_shops_and_years_are_no_periods(opened):
    rng = np.random.default_rng(4)
    shops, years = rng.integers(1, 31, 400), rng.integers(2018, 2024, 400)
    _, reading = opened(table(400, shop=shops, wave=years, month=rng.integers(1, 13, 400)))
    assert len(reading.table) == 400


def test_how_long_something_took_is_no_time_of_a_purchase(opened):
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"time": rng.integers(20, 5000, 200), "paid": rng.lognormal(4, 1, 200)})
    known, reading = opened(frame.round(2).assign(n=rng.poisson(4, 200)).to_csv(index=False))
    assert len(reading.table) == 200
    assert {"time", "paid"} <= {feature.name for feature in known.features_with("segment")}


@pytest.mark.parametrize("answer", [118, -5])
def test_a_number_that_stands_for_no_answer_is_missing(opened, answer):
    rng = np.random.default_rng(4)
    age, silent = rng.integers(18, 90, 300), rng.random(300) < 0.1
    paid = np.where(silent, np.nan, rng.lognormal(4, 1, 300))
    known, reading = opened(table(300, years=np.where(silent, answer, age), paid=paid))
    cleaned = cleaning.clean(reading.numbered, known)
    assert cleaned.customers["years"].between(18, 90).all()
    assert [c.rows for c in cleaned.changes if c.column == "years"][0] == silent.sum()
    silent[np.flatnonzero(silent)[0]] = False  # another answer, so that it may be a real number
    known, reading = opened(table(300, years=np.where(silent, answer, age), paid=paid))
    assert (cleaning.clean(reading.numbered, known).customers["years"] == answer).any()


@pytest.mark.parametrize("answer", [9999, 5555, 999999.4, 100000])
def test_a_number_far_above_all_others_stands_for_no_answer(opened, answer):
    rng = np.random.default_rng(4)
    known, reading = opened(table(months_x=[answer, *rng.integers(1, 60, 59)]))
    cleaned = cleaning.clean(reading.numbered, known)
    assert cleaned.customers["months_x"].max() < 60
    assert [c.rows for c in cleaned.changes if c.what.startswith("value above")] == [1]
    known, reading = opened(table(months_x=[1234, *rng.integers(1, 60, 59)]))  # who knows
    assert cleaning.clean(reading.numbered, known).customers["months_x"].max() == 1234


def test_prose_of_several_lines_swallows_no_rows(opened):
    prose = '"first\nsecond, with, more, marks, than, there, are, columns"'
    _, reading = opened(table(note="x").replace(",x\n", f",{prose}\n"))
    assert len(reading.table) == 60


@pytest.mark.parametrize(
    ("name", "cells"),
    {
        "job title": [f"Clerk {n % 50}" for n in range(200)],
        "country": [f"Land {n % 50}" for n in range(200)],
        "remarks": [f"{'a long remark ' * 9}{n % 50}" for n in range(200)],
    }.items(),
)
def test_what_is_offered_for_customers_can_be_some(opened, name, cells):
    rng = np.random.default_rng(4)
    days = pd.date_range("2024-01-01", None, 200).strftime("%Y-%m-%d")
    frame = pd.DataFrame({name: cells, "date": days, "extras": rng.integers(0, 5, 200)})
    with pytest.raises(UserError, match="a line or a receipt") as caught:
        opened(frame.assign(paid=rng.lognormal(4, 1, 200).round(2)).to_csv(index=False))
    assert f'customer="{name}"' not in caught.value.remedy
    assert '--role value="paid"' in caught.value.remedy
