"""Tables as people really have them, all generated here: each with what has to come of it.

They hold customers with a number, an age, an income, a spending and a plan; 60 unless a case needs
fewer. `BAD_FILES` maps a name to the file and to what reading it gives.
"""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import openpyxl
import pandas as pd

ROWS = 60
HEADER = ["customer_id", "age", "income", "spending", "plan"]


@dataclass(frozen=True)
class BadFile:
    """A file; words of its refusal or of the change to list, with its rows; kinds of columns."""

    content: bytes
    refused: str = ""
    changed: str = ""
    rows: int = 0  # 0 for any number
    kinds: dict[str, str] = field(default_factory=dict)


def fine(content: bytes, **kinds: str) -> BadFile:
    return BadFile(content, kinds=kinds)


def refused(content: bytes, words: str) -> BadFile:
    return BadFile(content, refused=words)


def changed(content: bytes, words: str, rows: int = 0, **kinds: str) -> BadFile:
    return BadFile(content, changed=words, rows=rows, kinds=kinds)


def customers(rows: int = ROWS) -> list[list[str]]:
    rng = np.random.default_rng(7)
    draws = {
        "age": rng.integers(18, 80, rows),
        "income": [f"{x:.2f}" for x in rng.lognormal(10, 0.5, rows)],
        "spending": [f"{x:.2f}" for x in rng.lognormal(5, 1, rows)],
        "plan": rng.choice(["basic", "plus", "family"], rows),
    }
    return [
        [f"C{1000 + i}", *map(str, row)] for i, row in enumerate(zip(*draws.values(), strict=True))
    ]


def csv(rows: list[list[str]], header: list[str] | None = HEADER, mark: str = ",") -> bytes:
    """Write rows as delimited text, quoting cells that hold the delimiter."""
    rows = ([header] if header else []) + rows
    quoted = [[f'"{c}"' if mark in c or "\n" in c else c for c in row] for row in rows]
    return "".join(mark.join(row) + "\n" for row in quoted).encode()


def column(place: int | str, write: Any, **options: Any) -> bytes:
    """Write the customers with one column written by ``write(row number, cell)``, maybe renamed."""
    if isinstance(place, str):
        options["header"] = [*HEADER[:4], place]
        place = 4
    rows = customers()
    for i, row in enumerate(rows):
        row[place] = write(i, row[place])
    return csv(rows, **options)


def cells(place: int, **given: str) -> bytes:
    """Write the customers with some cells of a column replaced: ``r3="forty"`` is row 3."""
    return column(place, lambda i, cell: given.get(f"r{i}", cell))


def grouped(group: str, decimal: str = ".", before: str = "", after: str = "", **options) -> bytes:
    """Write incomes as 50,000.00 with the given marks."""
    marks = str.maketrans({",": group, ".": decimal})
    return column(2, lambda i, c: before + f"{float(c):,.2f}".translate(marks) + after, **options)


def workbook(rows: Any, *, formats: Any = (), merged: Any = (), **sheets: Any) -> bytes:
    """Write rows of cells as the first sheet of a workbook, and others as sheets of their names.

    Number formats are pairs of a column's place and the format; merged cells are as "A2:A4".
    """
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    book.active.title = "Sheet1"
    first, *others = [book.active, *(book.create_sheet(name) for name in sheets)]
    for sheet, cells in zip([first, *others], [rows, *sheets.values()], strict=True):
        for row in cells:
            sheet.append(list(row))
    for place, number_format in formats:
        for cell in list(first.columns)[place]:
            cell.number_format = number_format
    for cells in merged:
        first.merge_cells(cells)
    book.save(buffer)
    return buffer.getvalue()


def parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


TYPED = [[who, int(age), float(a), float(b), plan] for who, age, a, b, plan in customers()]
SHEET = [HEADER, *TYPED]
FRAME = pd.DataFrame(TYPED, columns=HEADER)
PLAIN = csv(customers())
BEFORE = PLAIN[: PLAIN.index(b"plus")].count(b"\n")  # lines above the first of that plan
FIRST, *LINES = PLAIN.splitlines(keepends=True)
DATES = [f"{1 + i % 12:02d}/{1 + (i * 7) % 12:02d}/2023" for i in range(ROWS)]
NUMBERED = [[str(i), *row] for i, row in enumerate(customers())]
SUMS = [["a", "1", "2.5"], ["b", "2", "3.5"], ["c", "4", "1.25"], ["", "7", "7.25"]]
PAIRS = ["id", "x"]


def pairs(write: Any) -> bytes:
    return csv([[f"C{i}", write(i)] for i in range(ROWS)], header=PAIRS, mark=";")


BAD_FILES = {
    # files and bytes
    "empty": refused(b"", "empty"),
    "blank lines only": refused(b"\n\n  \n", "empty"),
    "header only": refused(FIRST, "header and no rows"),
    "byte-order mark": fine(b"\xef\xbb\xbf" + PLAIN),
    "UTF-16": fine(PLAIN.decode().encode("utf-16")),
    "UTF-16 without mark": changed(PLAIN.decode().encode("utf-16-le"), "UTF-16 without"),
    "cp1252": changed(cells(4, r3="Café", r9="Zoë").decode().encode("cp1252"), "not UTF-8", 2),
    "cp1251": refused(column(4, lambda i, _: "Москва").decode().encode("cp1251"), "--encoding"),
    "NUL bytes": refused(PLAIN.replace(b"plus", b"pl\0s", 1), f"line {BEFORE + 1}\n"),
    "gzip": fine(gzip.compress(PLAIN)),
    "cut-off gzip": refused(gzip.compress(PLAIN)[:-40], "gzip"),
    "Excel": fine(workbook(SHEET)),
    "Excel in gzip": fine(gzip.compress(workbook(SHEET))),
    "cut-off Excel": refused(workbook(SHEET)[:-500], "damaged"),
    "several sheets": refused(workbook(SHEET, other=SHEET), "--sheet"),
    "old Excel": refused(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "old .xls"),
    "Parquet": fine(parquet(FRAME)),
    "cut-off Parquet": refused(parquet(FRAME)[:-10], "cut off"),
    "login page": refused(b"<!DOCTYPE html>\n<html><head></head></html>", "a login page"),
    "web page called .xls": refused(
        b"<html><body>\n<table><tr><td>id</td></tr></table></body></html>",
        "save it as .xlsx or CSV",
    ),
    "login page with a table": refused(
        b'<html><table><tr><td><input type="password"></td></tr></table></html>', "a login page"
    ),
    "array of JSON": fine(FRAME.to_json(orient="records").encode()),
    "cut-off JSON": refused(FRAME.to_json(orient="records").encode()[:-50], "JSON"),
    "JSON": refused(b'{"rows":\n[{"id": 1}, {"id": 2}]}', "JSON"),
    "ZIP": refused(b"PK\x05\x06" + bytes(18), "empty ZIP"),
    "PDF": refused(b"%PDF-1.7\n...", "PDF"),
    # delimiters and marks
    "semicolon": fine(csv(customers(), mark=";")),
    "tab": fine(csv(customers(), mark="\t")),
    "pipe": fine(csv(customers(), mark="|")),
    "announced delimiter": changed(b"sep=;\n" + csv(customers(), mark=";"), "announces", 1),
    "decimal comma": changed(csv(customers(), mark=";").replace(b".", b","), "decimal commas"),
    "two delimiters fit": refused(b"a;b,c\n" + b"1;2,3\n" * 20, "--delimiter"),
    "spaces between cells": fine(csv(customers(), mark=" ")),
    "runs of spaces": fine(csv(customers()).replace(b",", b"   ")),
    "decimal commas between spaces": changed(
        csv(customers(), mark=" ").replace(b".", b","), "decimal commas"
    ),
    "quoted thousands": changed(grouped(","), "thousands marks", ROWS),
    "German numbers": changed(grouped(".", ",", mark=";"), "thousands marks"),
    "Swiss numbers": changed(grouped("’"), "thousands marks"),
    "NBSP thousands": changed(grouped("\u00a0", ",", mark=";"), "thousands marks"),
    "narrow space thousands": changed(grouped("\u202f"), "thousands marks"),
    "three digits behind a mark": refused(pairs(lambda i: f"{1 + i % 9}.{100 + i}"), "--decimal"),
    "point and comma": refused(pairs(lambda i: f"{i}.5" if i % 2 else f"{i},5"), "decimal comma"),
    "dollars": changed(grouped(",", before="$"), "$ beside", ROWS, income="money"),
    "euros": changed(grouped(".", ",", after=" €", mark=";"), "€ beside", income="money"),
    "currency codes": changed(column(2, lambda i, c: f"GBP {c}"), "£ beside", income="money"),
    "mixed currencies": refused(column(2, lambda i, c: ("$" if i % 3 else "€") + c), "currencies"),
    "percent": changed(column(3, lambda i, c: f"{i}%"), "percent signs", spending="share"),
    "some percent": refused(column(3, lambda i, c: f"{i}%" if i % 2 else "0.25"), "percent"),
    "accountants' negatives": changed(cells(3, r4="(12.00)", r5="(3.50)"), "brackets", 2),
    "minus behind": changed(cells(3, r4="12.00-"), "minus signs", 1),
    "other digits": changed(
        column(1, lambda i, c: "".join(chr(0x660 + int(d)) for d in c)),
        "another script",
        ROWS,
        age="number",
    ),
    "k for thousand": changed(column(2, lambda i, c: f"{20 + i}.5k"), "k for thousand"),
    "millions": changed(column(2, lambda i, c: f"${i}.5M"), "multiplied", ROWS, income="money"),
    "months": changed(column(1, lambda i, c: f" {36 + 24 * (i % 2)} months"), "months beside"),
    # structure
    "unclosed quote": refused(PLAIN.replace(b"C1004", b'"C1004', 1), "line 6"),
    "quotes that swallow lines": refused(
        FIRST + b'C1,1,2.5,3.5,"a\n' + LINES[0] + b'C2,1,2.5,3.5,b"\n', "quotation mark"
    ),
    "CR-only line ends": fine(PLAIN.replace(b"\n", b"\r")),
    "Windows line ends": fine(PLAIN.replace(b"\n", b"\r\n")),
    "no last line end": fine(PLAIN.rstrip()),
    "rows too long": refused(PLAIN.replace(b"C1004,", b"C1004,9,", 1), "line 6"),
    "rows too short": changed(
        PLAIN.replace(LINES[4], b"C1004,1,2,3\n").replace(LINES[8], b"C1008,1,2,3\n"),
        "before the last column",
        2,
    ),
    "rows broken in two": refused(PLAIN.replace(b"C1004,", b"C1004\n,", 1), "line 6"),
    "cut-off last row": refused(PLAIN[:-25], "cut off"),
    "delimiters at the end": changed(FIRST + b"".join(LINES).replace(b"\n", b",,\n"), "last cell"),
    "empty columns": changed(PLAIN.replace(b"\n", b",,\n"), "without a name", 2),
    "preamble": changed(b"Report\nCreated on 2024-01-05\n\n" + PLAIN, "before the header", 2),
    "padded preamble": changed(b"Report,,,,\n,,,,\n" + PLAIN, "before the header", 1),
    "total row": changed(PLAIN + b"TOTAL,,1234567.89,98765.43,\n", "totals at the end", 1),
    "sums without a label": changed(csv(SUMS, header=["id", "x", "y"]), "rows of sums", 1),
    "remark at the end": changed(PLAIN + b"\n(60 rows affected)\n", "remarks at the end", 1),
    "blank lines between": changed(PLAIN.replace(b"\nC101", b"\n\nC101"), "empty rows", 10),
    "units below the header": changed(
        FIRST + b",(years),(EUR),(EUR),\n" + b"".join(LINES), "second line of headings", 1
    ),
    "numbers above the names": changed(b",X1,X2,X3,Y\n" + PLAIN, "line of numbers above", 1),
    "header repeated": changed(PLAIN + FIRST + b"C2000,30,1.5,2.5,plus\n", "header again", 1),
    "duplicate headers above words": changed(
        csv([["A", "up", "down"]] + [["B", "left", "right"]] * 9, header=["id", "a", "a"]),
        "share",
        10,
    ),
    "duplicate headers": changed(csv(customers(), header=["id", "a", "b", "b", "c"]), "share"),
    "spaces in headers": fine(csv(customers(), header=[" c id ", "\u00a0b ", *"cde"]), b="number"),
    "script in a header": fine(
        csv(customers(), header=["id", "age", "<script>alert(1)</script>", "spending", "plan"]),
        **{"<script>alert(1)</script>": "number"},
    ),
    "no name": changed(csv(customers(), header=["id", "age", "", "b", "c"]), "without a name"),
    "no header": refused(csv(customers(), header=None), "header is missing"),
    "no header, numbers only": refused(
        csv([[str(i), str(i * 3), f"{i}.5"] for i in range(ROWS)], header=None), "header is missing"
    ),
    "saved index": changed(csv(NUMBERED, header=["", *HEADER]), "saved row index", ROWS),
    "index of pandas": changed(csv(NUMBERED, header=["Unnamed: 0", *HEADER]), "row index", ROWS),
    "row names of R": changed(csv(NUMBERED, header=HEADER), "saved row index", ROWS),
    # values
    "exact duplicate rows": changed(csv(customers() + customers()[:4]), "repeat an earlier", 4),
    "all missing": changed(column(3, lambda i, c: ""), "without any value", ROWS, spending="empty"),
    "constant column": fine(column(3, lambda i, c: "7")),
    "infinities": changed(cells(3, r3="inf", r7="-Infinity"), "infinite", 2, spending="number"),
    "one 1e15": fine(cells(3, r3="1e15"), spending="number"),
    "negative amounts": fine(cells(3, r3="-12.5", r8="-3.25")),
    "ten rows": fine(csv(customers(10))),
    "one row": fine(csv(customers(1))),
    "all rows the same": changed(csv([customers(1)[0]] * 30), "repeat", 29),
    "sentinel -999": changed(cells(3, r3="-999", r7="-999"), "-999", 2),
    "-1 among amounts": changed(cells(3, r3="-1"), "-1 as the only", 1),
    "99 beside a scale": changed(
        column(1, lambda i, c: "99" if i % 9 == 4 else str(1 + i % 5)), "99 and the like", 7
    ),
    "99 among ages": fine(column(1, lambda i, c: "99" if i % 9 == 4 else str(5 + i % 40))),
    "labels on a scale": changed(
        column(1, lambda i, c: ["1 - never", "2", "3", "4 - always", "k. A."][i % 5]),
        "labels beside the points",
        24,
        age="number",
    ),
    "crosses": changed(
        column("newsletter", lambda i, c: "x" if i % 3 else ""), "crosses", 40, newsletter="yes_no"
    ),
    "question marks": changed(
        cells(3, r3="?", r7="N/A", r8="null", r9="#N/A", r10="none", r11="-"),
        "words for missing",
        6,
        spending="number",
    ),
    "missing categories": changed(cells(4, r3="N/A", r7="None"), "words for missing", 1),
    "forty in age": changed(cells(1, r12="forty"), "no numbers", 1, age="number"),
    "many words in age": refused(cells(1, r2="forty", r12="thirty", r22="ten"), "'age': 3 of 60"),
    "Y, N, yes, 1": changed(
        column(4, lambda i, c: ["Y", "N", "yes", "no", "1", "0"][i % 6]),
        "yes and no",
        plan="yes_no",
    ),
    "formula in an id": fine(cells(0, r3='"=HYPERLINK(""http://x.test"")"'), customer_id="id"),
    # identifiers
    "ids with zeros": fine(column(0, lambda i, c: f"{i:05d}"), customer_id="id"),
    "ids with zeros, other name": changed(
        column(0, lambda i, c: f"{i:05d}", header=["shopper", *HEADER[1:]]),
        "zeros in front",
        shopper="id",
    ),
    "ids NA and null": fine(cells(0, r3="NA", r5="null")),
    "ids with an e": changed(
        column(0, lambda i, c: f"{100 + i}e5", header=["who", *HEADER[1:]]),
        "an e between",
        who="id",
    ),
    "ids of 20 digits": changed(
        column(0, lambda i, c: f"9{i:019d}", header=["who", *HEADER[1:]]), "long numbers", who="id"
    ),
    "ids ruined": refused(column(0, lambda i, c: "1.23457E+15"), "lost digits"),
    "ids ruined, other name": refused(
        column(0, lambda i, c: "1.23457E+15", header=["who", *HEADER[1:]]), "lost digits"
    ),
    "ids ruined in a workbook": refused(
        workbook([HEADER, *([1.2e19, *row[1:]] for row in TYPED)]), "lost digits"
    ),
    "ids rounded in Parquet": refused(parquet(FRAME.assign(customer_id=1.2e19)), "stored rounded"),
    "ids in ='...'": changed(column(0, lambda i, c: f'"=""{i:05d}"""'), '="..."', ROWS),
    "ids with .0": changed(column(0, lambda i, c: f"{17000 + i}.0"), ".0 behind", ROWS),
    # dates
    "ISO dates": fine(column("joined", lambda i, c: f"2023-0{1 + i % 9}-1{i % 9}"), joined="date"),
    "day first": changed(
        column("joined", lambda i, c: f"{1 + i % 28}-0{1 + i % 9}-2013"),
        "day first",
        ROWS,
        joined="date",
    ),
    "month first": changed(
        column("joined", lambda i, c: f"{1 + i % 12}/{1 + i % 28}/2013"),
        "month first",
        ROWS,
        joined="date",
    ),
    "ambiguous dates": refused(column("joined", lambda i, c: DATES[i]), "--date-order"),
    "mixed orders": refused(
        column("joined", lambda i, c: "25/12/2023" if i % 2 else "12/25/2023"), "day first"
    ),
    "ISO beside day first": changed(
        column("joined", lambda i, c: "25/12/2023" if i % 2 else "2023-12-24"), "another form"
    ),
    "a date that never was": changed(
        column("joined", lambda i, c: "31/02/2023" if i == 3 else "25/12/2023"), "no dates", 1
    ),
    "serial dates": changed(column("join_date", lambda i, c: str(44000 + i)), "day numbers", ROWS),
    "dates as digits": changed(
        column("join date", lambda i, c: f"202301{10 + i % 19}"), "20231231"
    ),
}
