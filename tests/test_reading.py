"""Reading tables: every bad file is repaired and counted, or refused with a way out."""

from __future__ import annotations

import copy
import datetime as dt
import gzip
import io
import time
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from babel import Locale
from bad_files import BAD_FILES, HEADER, cells, csv, customers, parquet, workbook
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from customer_tables.changes import Change, Reading
from customer_tables.dates import LANGUAGES, month_of
from customer_tables.errors import UserError
from customer_tables.sniff import first_rows
from customer_tables.source import FOUND_OUT, Options
from customer_tables.table import read_table, read_texts

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def read(tmp_path):
    """Return a function that writes bytes or text to a file and reads it."""

    def read_content(content: bytes | str, **options) -> Reading:
        path = tmp_path / "customers.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        how = {name: str(options.pop(name)) for name in asdict(FOUND_OUT) if name in options}
        return read_table(path, Options(**how), **options)

    return read_content


def read_column(read, name: str, written: list[str], **options) -> Reading:
    """Read a column beside one of identifiers."""
    rows = [[f"C{i}", cell] for i, cell in enumerate(written)]
    return read(csv(rows, header=["id", name], mark=";"), **options)


def found(reading: Reading, words: str) -> Change:
    """Return the change whose description holds these words."""
    return next(c for c in reading.changes if words in f"{c.what} {c.action}")


# --- Files that people really have ----------------------------------------------------------------


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_file(name: str, read):
    case = BAD_FILES[name]
    if case.refused:
        with pytest.raises(UserError) as caught:
            read(case.content)
        lines = str(caught.value).splitlines()
        assert case.refused in str(caught.value)
        assert len(lines) == 3, "what was found, where, and what to do"
        assert "customers.csv" in lines[1]
        return
    reading = read(case.content)
    if case.changed:
        change = found(reading, case.changed)
        assert change.action
        assert not case.rows or change.rows == case.rows
    else:
        assert reading.changes == []
    assert {column: reading.kinds[column] for column in case.kinds} == case.kinds
    assert list(reading.kinds) == list(reading.table.columns)
    assert reading.source["rows"] == len(reading.table)
    kept = ["preamble", "total row", "saved index", "row names of R"]
    if name in kept or not case.changed:
        assert reading.table.shape[1] == len(HEADER), "columns never vanish"
        assert reading.table.select_dtypes("number").shape[1] == 3


def test_repaired_values(read):
    reading = read(cells(3, r0="(12.00)", r1="1234.50", r2="?", r3="5.25-"))
    assert reading.table["spending"].fillna(-1).tolist()[:4] == [-12.0, 1234.5, -1, -5.25]
    assert found(reading, "words for missing").examples == ("line 4: '?'",)


def test_identifiers_stay_letter_for_letter(read):
    ids = ["00123", "NA", "null", "12345678901234567890", "=1+1", "-5", "1e5", "007", "x", "0"]
    reading = read(csv([[name, str(i)] for i, name in enumerate(ids)], header=["CustomerID", "n"]))
    assert reading.table["CustomerID"].tolist() == ids
    assert reading.kinds["CustomerID"] == "id" and reading.changes == []


NAMES_OF_IDS = (
    "cust_id,CUST_ID,CustomerID,customerid,ID,id,Id,user_id,InvoiceNo,StockCode,account_number,"
    "CLIENTNUM,RowNumber,Sl_No,household_key,zip_code,Customer Key,customer id,card no,S.No.,"
    "Record Number"
)
OTHER_NAMES = (
    "age,paid,valid,rapid,income,num_orders,balance,account_balance,total_trans_num,AccountType,"
    "discount,note,tenure,Number of purchases,Account Length,card,CD Account"
)


@pytest.mark.parametrize(("names", "expected"), [(NAMES_OF_IDS, True), (OTHER_NAMES, False)])
def test_names_of_identifiers(read, names, expected):
    for name in names.split(","):
        rows = [[str(i), str(100 + 7 * i)] for i in range(30)]
        kind = read(csv(rows, header=["a", name])).kinds[name]
        assert (kind == "id") is expected, name


ARTICLES = [f"{84000 + i}" + "A" * (i % 8 == 0) for i in range(80)]


@pytest.mark.parametrize(
    ("header", "written", "kind", "values", "words", "rows"),
    [
        ("article", ARTICLES, "text", None, "kept as text", 70),
        ("dependents", ["0", "1", "2", "3+"] * 25, "text", None, "numbers among words", 75),
        ("churned", ["yes", "no", ""] * 10, "yes_no", [1.0, 0.0, -1.0] * 10, "yes and no", 20),
        (
            "tv",
            ["Yes", "No", "No internet service"] * 9,
            "yes_no",
            [True, False, False] * 9,
            "yes to",
            9,
        ),
        ("tv", ["Yes", "No", "No idea"] * 9, "text", None, "", 0),
        ("gender", ["F"] * 30, "text", None, "", 0),
        ("country", ["NA", "DE", "US"] * 10, "text", None, "", 0),
        ("size", ["NA", "big", "small"] * 10, "text", [-1, "big", "small"] * 10, "missing", 10),
        ("n", ["-999", "5", "7"] * 10, "number", [-1.0, 5.0, 7.0] * 10, "-999", 10),
        ("visits", ["-1", "5", "7"] * 10, "number", [-1.0, 5.0, 7.0] * 10, "-1 where", 10),
        ("n", ["-1", "0", "7"] * 10, "number", [-1, 0, 7] * 10, "-1 as the only negative", 10),
        ("pdays", ["-1", "5", "7"] * 10, "number", [-1.0, 5.0, 7.0] * 10, "-1 in many rows", 10),
        ("nps", ["999", "5", "7", "9"] * 9, "number", [-1.0, 5.0, 7.0, 9.0] * 9, "99 and", 9),
        ("sold", ["3.5万", "12亿"] * 9, "number", [35e3, 12e8] * 9, "thousand", 18),
        ("n", ["9999", *"57" * 20] * 2, "number", [9999, *[5, 7] * 20] * 2, "far above", 2),
        ("n", ["9999", *"4567"] * 6, "number", [-1, 4, 5, 6, 7] * 6, "no other value near", 6),
        ("n", ["365243", "-4", "-9"] * 9, "number", [-1, -4, -9] * 9, "near it", 9),
        ("joined", ["45000", "45001"] * 10, "date", None, "day numbers", 20),
        (
            "fee",
            [f"${n}.50/mo" for n in range(30)],
            "money",
            [n + 0.5 for n in range(30)],
            "/mo",
            30,
        ),
        ("fee", [f"{n},832.00/-" for n in range(10, 40)], "number", None, "/- behind", 30),
        ("score", ["61 / 100", "72 / 100", "8 / 100"] * 9, "number", [61, 72, 8] * 9, "/ 100", 27),
        ("mark", ["3 of 5", "4 of 5", "1 of 5"] * 9, "number", [3, 4, 1] * 9, "of 5 behind", 27),
        ("income", ["809.98_", "7.5", "12"] * 9, "number", [809.98, 7.5, 12] * 9, "marks", 9),
        ("x", ["__-8__", "7", "_", "5"] * 9, "number", [-8.0, 7.0, -1.0, 5.0] * 9, "missing", 9),
        ("online", ["45h 48m", "2 h 5m", "7m"] * 9, "number", [2748, 125, 7] * 9, "minutes", 27),
        (
            "Vertrag",
            ["7 Jahre 2 Monate", "1 Jahr", ""] * 9,
            "number",
            [86.0, 12.0, -1.0] * 9,
            "months",
            18,
        ),
        ("plan", ["2 a 3 x", "4 a 1 y"] * 9, "text", None, "", 0),
        ("seat", [f"row {n}/a" for n in range(30)], "text", None, "", 0),
        ("became_member_on", ["20231231", "20240101"] * 10, "date", None, "dates written as", 20),
        ("joined", ["20231231", "20240101"] * 10, "date", None, "dates written as", 20),
        ("born", ["13/9/12", "13/9/52", "13/9/82"] * 9, "date", None, "30 to 99", 27),
        ("born", ["13/9/82"] * 9 + ["1/1/1800"] * 3, "date", None, "stands for none", 3),
        ("joined", ["2024. 03. 04.", "2024. 3. 14"] * 10, "date", None, "", 0),
        ("joined", ["13. 1. 2024", "1. 12. 2024"] * 10, "date", None, "dates like", 20),
        ("n", ["45000", "45001"] * 10, "number", [45000, 45001] * 10, "", 0),
        *(
            (
                "accueil",
                [word, "1", "3", "5"] * 9,
                "number",
                [-1.0, 1.0, 3.0, 5.0] * 9,
                "missing",
                9,
            )
            for word in ("Ne souhaite pas répondre", "NSP", "Nie wiem", "回答しない")
        ),
        *(
            ("q1", [code, "1", "3", "5"] * 9, "number", [-1.0, 1.0, 3.0, 5.0] * 9, "99 and", 9)
            for code in ("-1", "-9")
        ),
        ("change", ["-2", "1", "3", "5"] * 9, "number", [-2, 1, 3, 5] * 9, "", 0),
        ("n", ["-1", "0", "1", "2"] * 9, "number", [-1, 0, 1, 2] * 9, "-1 as the only", 9),
        (
            "q1",
            ["Nie wiem", "1", "3", "5", "brak odpowiedzi"] * 9,
            "number",
            [-1.0, 1.0, 3.0, 5.0, -1.0] * 9,
            "missing",
            18,
        ),
        ("q1", ["schlecht", "2", "3", "4", "gut"] * 9, "text", None, "numbers among words", 27),
        ("accueil", ["Jamais", "1", "3", "5"] * 9, "text", None, "numbers among words", 27),
        ("rooms", ["studio", "0", "3", "5"] * 9, "text", None, "numbers among words", 27),
        ("returns", ["-", "€ -", "7.50"] * 10, "number", [0.0, 0.0, 7.5] * 10, "a dash", 20),
        ("visits", ["–", "5", "7"] * 10, "number", [0, 5, 7] * 10, "a dash", 10),
        ("visits", ["-", "0", "7"] * 10, "number", [-1.0, 0.0, 7.0] * 10, "missing", 10),
        ("income", ["-", "5.5", "7"] * 10, "number", [-1.0, 5.5, 7.0] * 10, "missing", 10),
        ("step", ["-", "5", "7"] * 10, "number", [-1.0, 5.0, 7.0] * 10, "missing", 10),
        ("x", ["1", "inf"] + ["2"] * 28, "number", None, "infinite", 1),
        ("x", ["1.5", "forty"] + ["2"] * 28, "number", None, "no numbers", 1),
    ],
)
def test_what_a_column_holds(read, header, written, kind, values, words, rows):
    reading = read_column(read, header, written)
    assert reading.kinds[header] == kind
    assert values is None or reading.table[header].astype(object).fillna(-1).tolist() == values
    if words:
        assert (found(reading, words).rows, found(reading, words).column) == (rows, header)
    else:
        assert reading.changes == []


def test_text_columns_are_left_alone(read):
    reading = read(csv(customers()), text_columns=["AGE", "in come"])
    assert reading.kinds["age"] == reading.kinds["income"] == "text"
    assert reading.table["age"].tolist() == [row[1] for row in customers()]


def test_units_from_names(read):
    reading = read_column(read, "Annual Income (k$)", ["5", "7"])
    assert reading.units == {"Annual Income (k$)": "k$"}
    assert reading.kinds["Annual Income (k$)"] == "money"
    assert read_column(read, "Score (1-100)", ["5", "7"]).units == {}


DATES = {
    "2012-09-04": "2012-09-04",
    "2012-09-04 13:05:06": "2012-09-04 13:05:06",
    "2012-09-04T13:05:06.250Z": "2012-09-04 13:05:06.250",
    "2012-09-04T23:05:06+02:00": "2012-09-04 23:05:06",
    "2012-09-04 23:05 PST": "2012-09-04 23:05",
    "2012/9/4": "2012-09-04",
    "2012年9月4日": "2012-09-04",
    "4.9.2012 14.05 Uhr": "2012-09-04 14:05",
    "14/9/2012 14h05": "2012-09-14 14:05",
    "4.9.2012": "2012-09-04",
    "13/9/12": "2012-09-13",
    "13/9/71 8:26": "1971-09-13 08:26",
    "13/9/68": "2068-09-13",
    "9/13/2012 12:15 AM": "2012-09-13 00:15",
    "9/13/2012 1:15 pm": "2012-09-13 13:15",
    "04-Sep-2012": "2012-09-04",
    "4 September 2012": "2012-09-04",
    "Sep 4, 2012": "2012-09-04",
    "Tuesday, September 04, 2012": "2012-09-04",
    "04.09.2012 um 12:34": "2012-09-04 12:34",
    "14-09-2012 kl. 11:58": "2012-09-14 11:58",
    "201209041305": "2012-09-04 13:05",
    "Dienstag, 4. Dezember 2012": "2012-12-04",
    "04-août-12": "2012-08-04",
    "4 fevr. 2012 13:05": "2012-02-04 13:05",
    "4 de octubre de 2012": "2012-10-04",
    "4 paź 2012": "2012-10-04",
    "Dec-2011": "2011-12-01",
    "2011-12": "2011-12-01",
}
NUMBERS = (
    "1,234.5=1234.5|1.234,5=1234.5|1'234.50=1234.5|12,34,567.5=1234567.5|1 234 567,5=1234567.5|"
    "$ 5=5|-$5.25=-5.25|$-5.25=-5.25|($5.25)=-5.25|5.25 USD=5.25|€5,25=5.25|+5.25=5.25|.5=0.5|"
    "5.=5|1.5E+3=1500|−5.25=-5.25|12.5 %=0.125|٣٫٥=3.5|１２.５=12.5|1.5k=1500|$1.5k=1500|"
    "€2,5 mio=2500000|CHF 1’000.05=1000.05"
)


@pytest.mark.parametrize(("written", "meant"), DATES.items())
def test_spellings_of_dates(read, written, meant):
    reading = read_column(read, "joined", [written] * 2)
    assert reading.kinds["joined"] == "date"
    assert reading.table["joined"].tolist() == [pd.Timestamp(meant)] * 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_of_months_mean_one_in_all_languages(language):
    for widths in Locale(language).months.values():
        for names in (widths["wide"], widths["abbreviated"]):
            assert {number: month_of(name.rstrip(".")) for number, name in names.items()} == {
                number: number for number in range(1, 13)
            }
    assert (month_of("jui"), month_of("pommes")) == (0, 0)


@pytest.mark.parametrize("spelling", NUMBERS.split("|"))
def test_spellings_of_numbers(read, spelling):
    written, meant = spelling.split("=")
    assert read_column(read, "x", [written] * 2).table["x"].tolist() == [float(meant)] * 2


@pytest.mark.parametrize("written", ["1,23,4", "1.2.3", "5-", "$5€", "(5", "--5", "5 $%", "1 2 3"])
def test_what_is_no_number_is_no_number(read, written):
    try:
        table = read_column(read, "x", [written, "x1", "7.25"]).table
    except UserError as error:
        assert "'x'" in str(error)
    else:
        assert written == "5-" or not pd.api.types.is_numeric_dtype(table["x"])


# --- Options --------------------------------------------------------------------------------------


def test_options_settle_what_is_ambiguous(read):
    rows = [["C1", "1.234", "03/04/2023"], ["C2", "2.500", "05/06/2023"]]
    content = csv(rows, header=["id", "x", "day"], mark=";")
    for options, numbers, month in (
        ({"decimal": ",", "date_order": "dmy"}, [1234, 2500], 4),
        ({"decimal": ".", "date_order": "mdy"}, [1.234, 2.5], 3),
    ):
        table = read(content, **options).table
        assert (table["x"].tolist(), table["day"].iloc[0].month) == (numbers, month)
    settled = read(b"a;b,c\n" + b"1;2,3\n" * 9, delimiter="semicolon").table
    assert list(settled) == ["a", "b,c"]
    assert read(BAD_FILES["cp1251"].content, encoding="cp1251").table["plan"].iloc[0] == "Москва"


def test_what_one_column_proves_holds_for_the_others(read):
    rows = [[f"C{i}", "25/12/2023", "03/04/2023", "1,5", "1.234"] for i in range(20)]
    table = read(csv(rows, header=["id", "a", "b", "c", "d"], mark=";")).table
    assert table["b"].iloc[0] == pd.Timestamp(2023, 4, 3) and table["d"].iloc[0] == 1234


@pytest.mark.parametrize(
    "option",
    ["delimiter=ab", "delimiter=|", "encoding=klingon", "encoding=utf-16", "decimal=;"]
    + ["date_order=ymd", "sheet=customers"],
)
def test_options_that_do_not_fit_are_refused(read, option):
    with pytest.raises(UserError) as caught:
        read(cells(0, r0="C"), **dict([option.split("=")]))
    assert len(str(caught.value).splitlines()) == 3


def test_what_contradicts_the_rest_is_no_silent_loss(read):
    with pytest.raises(UserError, match="no numbers"):
        read(csv(customers(), mark=";"), decimal=",")
    with pytest.raises(UserError, match="10 of 30 cells are no numbers") as caught:
        read_column(read, "x", ["5 years", "7 years", "2"] * 10)
    assert "line 4, 7, 10, 13, 16 ..." in str(caught.value)


def test_missing_files_and_folders(tmp_path):
    (tmp_path / "customers.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"customers\.csv"):
        read_table(tmp_path / "custmers.csv")
    with pytest.raises(UserError, match="folder"):
        read_table(tmp_path)


# --- Workbooks and Parquet ------------------------------------------------------------------------


def test_workbook_cells_keep_their_types(read):
    day = dt.datetime(2023, 3, 4)
    header = ["id", "n", "x", "flag", "joined", "amount", "remark"]
    rows = [[f"{i:04d}", i, 1.234 + i, i % 2 == 0, day, f"1,{i:03d}", "fine"] for i in range(30)]
    reading = read(workbook([["Report"], [], header, *rows], formats=[(2, "0%")]))
    assert reading.table.iloc[7][["id", "amount"]].tolist() == ["0007", 1007]
    assert reading.table["x"].iloc[1] == 2.234
    kinds = ["id", "number", "share", "yes_no", "date", "number", "text"]
    assert reading.kinds == dict(zip(header, kinds, strict=True))
    assert found(reading, "before the header").rows == 1
    assert reading.source["format"] == "excel"


def test_workbook_currency_from_the_format(read):
    rows = [["id", "income"], *[[f"C{i}", 1000.5 + i] for i in range(9)]]
    assert read(workbook(rows, formats=[(1, '"$"#,##0.00')])).units == {"income": "$"}
    assert read(workbook(rows, formats=[(1, "[$€-407]#,##0.00")])).units == {"income": "€"}


def test_workbook_formulas_without_results_are_refused(read):
    with pytest.raises(UserError, match="no stored result"):
        read(workbook([["id", "a", "b"], ["C1", 2, "=B2*2"]]))


def test_workbook_table_in_the_middle_of_the_sheet(read):
    rows = [[], [None, "id", "income", None], [None, "C1", 5, None], [None, "C2", None, None]]
    table = read(workbook(rows)).table
    assert list(table) == ["id", "income"]
    assert table["income"].isna().tolist() == [False, True]


def test_sheets_by_name_and_place(read):
    content = BAD_FILES["several sheets"].content
    assert read(content, sheet="OTHER").source["sheet"] == "other"
    assert read(content, sheet=1).source["sheet"] == "Sheet1"
    with pytest.raises(UserError, match="Sheet1, other"):
        read(content, sheet="third")


def test_errors_and_empty_sheets_of_a_workbook(read):
    reading = read(workbook([["id", "x"], *[[f"C{i}", "#N/A" if i == 3 else i] for i in range(9)]]))
    assert found(reading, "words for missing").examples == ("row 5: '#N/A'",)
    with pytest.raises(UserError, match="the file is empty"):
        read(workbook([]), sheet=1)


ODS = """<office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>
<table:table table:name="People">{}</table:table>
</office:spreadsheet></office:body></office:document-content>"""


def test_sheets_of_other_programs_are_read(read):
    word = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    number = '<table:table-cell office:value-type="float" office:value="{}"/>'
    rows = [word.format("id") + word.format("n")]
    rows += [word.format(f"C{i}") + number.format(i) for i in range(5)]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        listed = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
        archive.writestr("content.xml", ODS.format(listed))
    reading = read(buffer.getvalue())
    assert reading.table["n"].tolist() == list(range(5))
    assert reading.source["sheet"] == "People"


def test_parquet_types(read):
    columns = {
        "customer_id": pa.array([1, 2, 3], pa.int32()),
        "x": pa.array([1.5, float("inf"), None], pa.float32()),
        "flag": pa.array([True, False, None]),
        "plan": pa.array(["a", "b", "a"]).dictionary_encode(),
        "when": pa.array([dt.datetime(2023, 1, 1)] * 3, pa.timestamp("ns", "Europe/Berlin")),
        "text number": ["$1,000.50", "$2.25", "$3.75"],
        "tags": [["x"], ["y"], []],
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    reading = read(buffer.getvalue())
    assert reading.table["customer_id"].tolist() == ["1", "2", "3"]
    assert reading.table["x"].isna().sum() == 2
    assert reading.table["text number"].tolist() == [1000.5, 2.25, 3.75]
    for words, column in {"left out": "tags", "infinite": "x", "Europe/Berlin": "when"}.items():
        assert found(reading, words).column == column
    assert list(reading.table) == list(columns)[:-1]


def test_parquet_index_columns(read):
    frame = pd.DataFrame({"x": [1.5, 2.5]}, index=pd.Index(["C1", "C2"], name="customer"))
    assert read(parquet(frame)).table["customer"].tolist() == ["C1", "C2"]
    shuffled = frame.set_axis([0, 1]).rename_axis(None).loc[[0, 1]]
    assert list(read(parquet(shuffled)).table) == ["x"]


# --- Whatever our writer can write ----------------------------------------------------------------

NAMES = ["Age", "Total spend", "Größe", "naïve", "a_b", "Orders", "Plan"]
CELLS = {
    "whole": st.integers(-(10**9), 10**9),
    "decimal": st.floats(-1e9, 1e9).map(lambda x: round(x, 2)),
    "text": st.sampled_from(["red", "dark blue", "naïve café", "a;b", 'say "x"', "x, y", "p|q"]),
    "date": st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2090, 1, 1)).map(
        lambda d: d.replace(microsecond=0)
    ),
    "answer": st.booleans(),
}
STYLES = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|"),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
        "decimal": st.sampled_from(".,"),
        "thousands": st.sampled_from(["", "'", "\u00a0", " "]),
        "before": st.sampled_from(["", "", "€", "$ "]),
        "line_end": st.sampled_from(["\n", "\r\n"]),
        "packed": st.booleans(),
    }
)


@st.composite
def frames(draw) -> pd.DataFrame:
    rows = draw(st.integers(2, 25))
    frame = {"customer id": [f"{i:03d}" for i in range(rows)]}
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)):
        kind = CELLS[draw(st.sampled_from(sorted(CELLS)))]
        frame[name] = draw(st.lists(kind, min_size=rows, max_size=rows))
    return pd.DataFrame(frame)


def spell(value, style: dict) -> str:
    """Write one cell in a style."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, pd.Timestamp):
        return value.isoformat(sep=" ")
    if isinstance(value, str):
        return value
    number = f"{abs(value):,.2f}" if isinstance(value, float) else f"{abs(value):,}"
    marks = {",": style["thousands"], ".": style["decimal"]}
    return ("-" if value < 0 else "") + style["before"] + number.translate(str.maketrans(marks))


def write(frame: pd.DataFrame, style: dict) -> bytes:
    """Write a table as delimited text in a style."""
    rows = frame.astype(object).to_numpy().tolist()
    rows = [list(frame)] + [[spell(v, style) for v in row] for row in rows]
    quoted = (['"' + cell.replace('"', '""') + '"' for cell in row] for row in rows)
    content = "".join(style["delimiter"].join(row) + style["line_end"] for row in quoted)
    data = content.encode(style["encoding"])
    return gzip.compress(data) if style["packed"] else data


def same(read: pd.Series, written: pd.Series, changes: list[Change]) -> bool:
    """Whether a column came back, but for cells whose change is listed."""
    if pd.api.types.is_numeric_dtype(read) and pd.api.types.is_numeric_dtype(written):
        listed = sum(c.rows for c in changes if "missing" in c.action)
        differ = ~np.isclose(read.astype(float), written.astype(float), rtol=1e-12, atol=0)
        return int(differ.sum()) == listed == int(read.isna().sum())
    return bool((read.astype(object) == written.astype(object)).all())


def read_or_refused(path: Path, content: bytes) -> Reading | None:
    """Read a file, or check that its refusal says what was found, where, and what to do."""
    path.write_bytes(content)
    try:
        return read_table(path)
    except UserError as refusal:
        assert 1 < len(str(refusal).splitlines()) <= 3
        return None


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(frame=frames(), style=STYLES, form=st.sampled_from(["text"] * 4 + ["parquet", "xlsx"]))
def test_a_table_comes_back_or_is_refused(tmp_path, frame, style, form):
    buffer = io.BytesIO()
    if form != "text":
        (frame.to_parquet if form == "parquet" else frame.to_excel)(buffer, index=False)
    reading = read_or_refused(tmp_path / "t", buffer.getvalue() or write(frame, style))
    if reading is None:
        return
    assert list(reading.table) == list(frame)
    for name in frame:
        changes = [c for c in reading.changes if c.column == name]
        assert same(reading.table[name], frame[name], changes), name


ODD_CELLS = st.text("ab1.,;-$% \"'\n(0", max_size=6) | st.sampled_from(
    ["", "id", "Orders", "Sales", "Total", "2023", "2024", "5.1.23", "10%", "=1", "NA", "5-"]
)
ROWS_OF_CELLS = st.lists(st.lists(ODD_CELLS, max_size=4), max_size=9)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.binary(max_size=300)
    | st.text(max_size=300).map(str.encode)
    | ROWS_OF_CELLS.map(lambda rows: "\n".join(",".join(row) for row in rows).encode())
)
@example(b",Orders,Orders\n\n\n\nSales")  # names that repeat, above lines without a cell
@example(b"id,share in %\n" + b"C1,\nC2,\n" * 3)  # a name that promises numbers, and none
def test_anything_is_read_or_refused(tmp_path, content):
    read_or_refused(tmp_path / "t.csv", content)


# --- The real tables, speed, and the error itself -------------------------------------------------


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="needs the public tables beside the project")
def test_the_real_tables_need_no_repair():
    reading = read_table(REAL_DATA / "cc_general.csv")
    plain = pd.read_csv(REAL_DATA / "cc_general.csv")
    pd.testing.assert_frame_equal(reading.table, plain, check_dtype=False)
    assert reading.kinds == dict.fromkeys(plain, "number") | {"CUST_ID": "id"}
    mall = read_table(REAL_DATA / "mall_customers.csv")
    assert list(mall.kinds.values()) == ["id", "text", "number", "number", "number"]
    assert reading.changes == mall.changes == []


def test_time_to_read_styled_numbers_grows_with_their_number(read):
    rng = np.random.default_rng(1)
    seconds = {}
    for size in (5_000, 50_000):
        amounts = [f"${x:,.2f}" for x in rng.lognormal(9, 1, size)]
        rows = [[f"C{i}", cell, "yes" if i % 2 else "no"] for i, cell in enumerate(amounts)]
        content = csv(rows, header=["id", "income", "churned"])
        start = time.process_time()
        assert read(content).table["income"].dtype == float
        seconds[size] = time.process_time() - start
    assert seconds[50_000] < 30 * seconds[5_000], "ten times the rows; a square would take 100"
    long = "".join(f"c{i},{'x' * 10_000},{i}\n" for i in range(400))
    assert len(read("id,text,amount\n" + long).table) == 400


def test_input_error_in_three_lines():
    error = UserError("what\nwas found", where="file, line 3", remedy="do this")
    assert str(error) == "what was found\nfile, line 3\ndo this"
    assert str(UserError("only this")) == "only this"
    again = copy.deepcopy(error)  # as where it crosses from one process to another
    assert (again.what, again.where, again.remedy) == (error.what, error.where, error.remedy)


def test_first_rows_of_all_formats(tmp_path):
    for name, content in {
        "t.csv": "a;b é\n1;2\n".encode("utf-8-sig"),
        "t16.csv": "a\tb é\n1\t2\n".encode("utf-16"),
        "t1252.csv": "a,b é\n1,2\n".encode("cp1252"),
        "t.csv.gz": gzip.compress("a|b é\n1|2\n".encode()),
        "t.xlsx": workbook([["a", "b é"], [1, 2]]),
        "t.parquet": parquet(pd.DataFrame({"a": [1], "b é": [2]})),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert first_rows(tmp_path / name)[0] == ["a", "b é"], name
    (tmp_path / "torn.parquet").write_bytes(b"PAR1torn")
    assert first_rows(tmp_path / "torn.parquet") == []


def test_texts_in_memory_are_read_as_those_of_a_file():
    texts = pd.DataFrame({"id": ["007", "008"], "joined": ["2024-01-31", None], "x": ["$1.5", ""]})
    reading = read_texts(texts, "people")
    assert reading.kinds == {"id": "id", "joined": "date", "x": "money"}
    assert reading.table["x"].fillna(-1).tolist() == [1.5, -1]
