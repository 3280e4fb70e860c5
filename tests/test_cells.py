"""Cells of a text file as numbers and times: the same lines as from its text, or none."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_properties import QUICK

from customer_tables.errors import UserError
from customer_tables.source import Source
from segmentation.transactions import cells, sum_up, summing
from segmentation.transactions.engine import open_duckdb
from segmentation.transactions.files import open_file
from segmentation.transactions.lines import Options, lines_query

SHOP = Source(
    grain="transaction", customer="who", time="day", amount="paid", quantity="count",
    order="basket", product="item", category="kind", discount="off",
)  # fmt: skip
HEADER = list("who basket day item kind paid count off".split())
PLAIN = {
    "who": ["17850", "12", "7", "-3", "13047"],
    "basket": ["536365", "536366", "9", "10"],
    "day": ["2024-01-01 10:00:00", "2024-03-02 18:30:00", "2024-02-28 09:15:59", "2024-02-03"],
    "item": ["1", "22", "333"],
    "kind": ["fruit", "bakery"],
    "paid": ["1.50", "2", "0.10", "1200.5", "3.33335"],
    "count": ["1", "2", "12"],
    "off": ["0.0", "0.25", ""],
}
GAPS = ["", " ", "NA", "nan", "NULL", "None", "n/a", "?", "-", " - ", '""']
KEYS = [*GAPS, "17850.0", "12.0", "007", " 12", "12 ", "+12", "1e3", "C536366", "A-1", "12.5",
        "99999999999999999999", "1_000", "-0", "0x10", "é", "17850.00", '"1,2"']  # fmt: skip
NUMBERS = [*GAPS, "$12.50", "12 €", " 7 ", "1 200", "1.0E5", "1e2", "+5", ".5", "5.", "-2", "1_0",
           "12,5", "1.234,5", '"1,234.5"', "1.500", "99999999999999999999", "(5)", "5%", "forty",
           "- 5", "1e", "1e 2", "\v5", "\xa05", "0x10", "Infinity", '"3"', "1.00005"]  # fmt: skip
TIMES = [*GAPS, "2024-01-01T10:00:00", "2024-01-01T10:00", "2024-01-01 10:00", "2024-1-1", "soon",
         "2024-01-01 10:00:00.123", "2024-01-01 10:00:00Z", "2024-01-01T10:00:00+02:00",
         "2024-01-01 10:00:00 UTC", "2024-02-30", "2024-01-01 25:00", "2024/01/01", "2024.01.01",
         "31/12/2024", "20240101", "0999-01-01", "9999-12-31", "12024-01-01", " 2024-01-01 10:00 ",
         " 202-01-01", "202 -01-01", "infinity", "epoch", "1970-01-01 (BC)", "1-Dec-2024",
         "2024-01-01 10:0 ", "2024-01-01 1:00:00", "2024 01 01", "2-01-05-", "2024-01-01  10:00",
         "2024-01-01 10:00:6", "2024-01-01 10:00:60"]  # fmt: skip
ODD = {"who": KEYS, "basket": KEYS, "day": TIMES, "item": KEYS, "kind": KEYS, "paid": NUMBERS,
       "count": NUMBERS, "off": NUMBERS}  # fmt: skip


def outcome(path: Path, source: Source, **options) -> tuple:
    """What comes of a file: a table and the changes, or the refusal."""
    try:
        reading = sum_up(path, source, **options)
    except UserError as error:
        return None, str(error)
    return reading.table, [vars(change) for change in reading.changes]


def compare(path: Path, source: Source, **options) -> None:
    """Check that a file gives the same with its text read in each pass."""
    found, told = outcome(path, source, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summing, "settle_cells", lambda engine, file, *others: file)
        expected, expected_told = outcome(path, source, **options)
    assert told == expected_told
    if expected is None:
        assert found is None
    else:
        pd.testing.assert_frame_equal(found, expected, check_exact=True)


def kinds(path: Path, source: Source = SHOP, **options) -> dict[str, str]:
    """The types of the columns as they are read."""
    with open_duckdb(path.name) as engine:
        file = open_file(engine.connection, path)
        return cells.settle_cells(engine, file, source, Options(**options)).types


def plain_rows(count: int) -> list[list[str]]:
    return [[values[i % len(values)] for values in PLAIN.values()] for i in range(count)]


def write(path: Path, rows: list[list[str]], encoding: str = "utf-8") -> Path:
    text = "\n".join(",".join(row) for row in [HEADER, *rows]) + "\n"
    path.write_bytes(text.encode(encoding))
    return path


def test_what_is_plain_is_read_as_what_it_is(tmp_path):
    path = write(tmp_path / "lines.csv", plain_rows(60))
    assert kinds(path) == {
        "who": "BIGINT", "basket": "BIGINT", "day": "TIMESTAMP", "item": "BIGINT", "kind": "TEXT",
        "paid": "DECIMAL(18, 4)", "count": "DECIMAL(18, 4)", "off": "DECIMAL(18, 4)",
    }  # fmt: skip
    compare(path, SHOP)


@pytest.mark.parametrize("place", range(max(map(len, ODD.values()))))
def test_an_odd_cell_in_each_column_changes_nothing(tmp_path, monkeypatch, place):
    monkeypatch.setattr(cells, "SAMPLE_ROWS", 20)
    rows = plain_rows(1100)
    for i, (name, odd) in enumerate(ODD.items()):
        rows[-1 - i][HEADER.index(name)] = odd[place % len(odd)]
    compare(write(tmp_path / "lines.csv", rows), SHOP)


@QUICK
@given(data=st.data())
def test_any_mixture_gives_what_its_text_gives(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("mixture") / data.draw(
        st.sampled_from(["lines.csv", "lines.csv.gz"])
    )
    rows = plain_rows(data.draw(st.sampled_from([6, 40, 1500])))
    for _ in range(data.draw(st.integers(0, 12))):
        name = data.draw(st.sampled_from(HEADER))
        row = data.draw(st.integers(0, len(rows) - 1))
        rows[row][HEADER.index(name)] = data.draw(st.sampled_from(ODD[name]) | st.text(max_size=4))
    for row in rows:  # what would end a cell or a line is not what this is about
        row[:] = [c if c.startswith('"') else c.translate(dict.fromkeys(map(ord, ',"\r\n')))
                  for c in row]  # fmt: skip
    if data.draw(st.booleans()):
        rows[data.draw(st.integers(0, len(rows) - 1))].pop()  # a line that ends too early
    encoding = data.draw(st.sampled_from(["utf-8", "latin-1"]))
    text = "\n".join(",".join(row) for row in [HEADER, *rows]) + "\n"
    content = text.encode(encoding, "replace")
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    options = data.draw(st.sampled_from([{}, {}, {"decimal": "comma"}, {"date_order": "dmy"}]))
    sample = data.draw(st.sampled_from([5, 10_000]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "SAMPLE_ROWS", sample)
        compare(path, SHOP, **options)


@pytest.mark.parametrize(
    "change",
    [
        {"order": "who"}, {"product": "basket"}, {"category": "who"}, {"discount": "off + count"},
        {"amount": "", "price": "paid"}, {"own_brand": "KIND = fruit"}, {"own_brand": "x = fruit"},
        {"time": "none"}, {"customer": "Who"}, {"amount": "paid + none"}, {"order": "day"},
    ],
)  # fmt: skip
def test_columns_of_two_uses_and_of_none(tmp_path, change):
    source = Source(**vars(SHOP) | change)
    compare(write(tmp_path / "lines.csv", plain_rows(60)), source)


@pytest.mark.parametrize("typed", ["int64", "int8", "str", "float64"])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_products_are_found_as_by_their_text(tmp_path, kind, typed):
    source = Source(**vars(SHOP) | {"category": "family", "own_brand": "brand = ours"})
    goods = pd.DataFrame({"item": [1, 22], "family": [" NA ", "fruit"], "brand": ["ours", "x"]})
    goods = goods.astype({"item": typed})
    products = tmp_path / f"products.{kind}"
    goods.to_parquet(products) if kind == "parquet" else goods.to_csv(products, index=False)
    rows = plain_rows(60)
    compare(write(tmp_path / "lines.csv", rows), source, products=products)
    for odd in ("007", "C1", "NA", ""):
        rows[30][HEADER.index("item")] = odd
        compare(write(tmp_path / "odd.csv", rows), source, products=products)


def test_products_may_have_columns_of_any_name(tmp_path):
    source = Source(**vars(SHOP) | {"category": "family"})
    goods = pd.DataFrame({"item": [1, 22, 333], "family": ["a", "b", "NA"]})
    for name in ("category", "product_category", "product", "lines"):
        goods[name] = "another word"
    goods.to_parquet(tmp_path / "products.parquet")
    path = write(tmp_path / "lines.csv", plain_rows(60))
    table = sum_up(path, source, products=tmp_path / "products.parquet").table
    assert {"spent_on_a", "spent_on_b"} <= set(table)
    assert table["categories"].max() == 2


@pytest.mark.parametrize(
    "text",
    [
        "who,basket,day,item,kind,paid,count,off\n",
        "who,basket,day,item,kind,paid,count,off\n1,1,,1,a,1,1,0\n1,1,,1,a,1,1,0\n",
        'who,basket,day,item,kind,paid,count,off\n1,1,2024-01-01,1,"a\nb",1,1,0\n1,1\n',
        'who,basket,day,item,kind,paid,count,off\n1,1,2024-01-01,1,"a,1,1,0\n1,1,1\n',
        "who,basket,day,item,kind,paid,count,off\n1,1,2024-01-01,1,a,1,1,0,9,9\n",
        "who;basket;day;item;kind;paid;count;off\r\n1;1;2024-01-01;1;a;1,5;1;0\r\n",
    ],
)
def test_files_of_another_form(tmp_path, text):
    path = tmp_path / "lines.csv"
    path.write_text(text, newline="")
    compare(path, SHOP)


def test_a_few_cells_that_do_not_fit_leave_the_others_as_they_are(tmp_path):
    rows = plain_rows(1500)
    for name, odd in {"who": "C-1", "paid": "$5", "day": "soon", "item": "a"}.items():
        rows[-1][HEADER.index(name)] = odd
    found = kinds(write(tmp_path / "lines.csv", rows))
    assert (found["who"], found["item"], found["basket"]) == ("TEXT", "VARCHAR", "BIGINT")
    assert (found["paid"], found["day"]) == ("DECIMAL(18, 4)", "TIMESTAMP")
    compare(tmp_path / "lines.csv", SHOP)
    for row in rows[::2]:
        row[HEADER.index("paid")] = '"1,5"'
    assert kinds(write(tmp_path / "lines.csv", rows))["paid"] == "VARCHAR"
    compare(tmp_path / "lines.csv", SHOP)


def test_a_look_at_lines_computes_nothing_else(tmp_path):
    """A list behind IN would be joined to the lines even where its column is not asked for."""
    path = tmp_path / "lines.parquet"
    pd.DataFrame(plain_rows(20), columns=HEADER).to_parquet(path)
    with open_duckdb(path.name) as engine:
        file = open_file(engine.connection, path)
        engine.define("lines", lines_query(engine, file, SHOP, Options(), path.name))
        (plan,) = (row[1] for row in engine.ask("EXPLAIN SELECT count(amount) FROM lines"))
    assert "basket" not in plan
    assert "Join" not in plan and "JOIN" not in plan


@pytest.mark.parametrize("time", ["12024-01-01", "0044-03-15 (BC)"])
def test_times_beyond_the_calendar_are_refused(tmp_path, time):
    rows = plain_rows(20)
    rows[3][HEADER.index("day")] = time
    with pytest.raises(UserError, match="after the year 9999"):
        sum_up(write(tmp_path / "lines.csv", rows), SHOP)
