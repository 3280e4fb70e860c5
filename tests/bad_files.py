"""Tables as people really have them: each with what has to come of it.

`BAD_FILES` maps a name to a `BadFile`. Everything is generated here; no file is stored. The
tables are customers with a number, an age, an income, a spending and a plan, 60 rows unless a case
needs fewer.
"""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

ROWS = 60
HEADER = ["customer_id", "age", "income", "spending", "plan"]


@dataclass(frozen=True)
class BadFile:
    """A file, and what reading it has to give.

    Attributes
    ----------
    content : bytes
    refused : str
        Words of the error, if the file has to be refused.
    changed : str
        Words of the change that has to be listed, if the file has to be repaired.
    rows : int
        How many rows or cells the change counts; 0 for any number.
    kinds : dict
        Kinds that columns must have.
    suffix : str
        The end of the file's name.
    """

    content: bytes
    refused: str = ""
    changed: str = ""
    rows: int = 0
    kinds: dict[str, str] = field(default_factory=dict)
    suffix: str = ".csv"

    def write(self, folder: Path, name: str) -> Path:
        """Write the file into a folder and return its path."""
        path = folder / f"{name.replace(' ', '_')}{self.suffix}"
        path.write_bytes(self.content)
        return path


def customers(rows: int = ROWS) -> list[list[str]]:
    """Return plain rows, the same at every call."""
    rng = np.random.default_rng(7)
    plans = ["basic", "plus", "family"]
    return [
        [
            f"C{1000 + i}",
            str(int(rng.integers(18, 80))),
            f"{rng.lognormal(10, 0.5):.2f}",
            f"{rng.lognormal(5, 1):.2f}",
            plans[int(rng.integers(3))],
        ]
        for i in range(rows)
    ]


def text(rows: list[list[str]], header: list[str] | None = HEADER, mark: str = ",") -> str:
    """Write rows as delimited text, quoting cells that hold the delimiter."""
    rows = ([header] if header else []) + rows
    quoted = [[f'"{c}"' if mark in c or "\n" in c else c for c in row] for row in rows]
    return "".join(mark.join(row) + "\n" for row in quoted)


def with_column(place: int, cells) -> list[list[str]]:
    """Return the customers with one column written by ``cells(row number, cell)``."""
    rows = customers()
    for i, row in enumerate(rows):
        row[place] = cells(i, row[place])
    return rows


def with_cells(place: int, **cells: str) -> list[list[str]]:
    """Return the customers with some cells of a column replaced: ``r3="forty"`` is row 3."""
    given = {int(key[1:]): cell for key, cell in cells.items()}
    return with_column(place, lambda i, cell: given.get(i, cell))


def csv(rows: list[list[str]], **options) -> bytes:
    """Write rows as UTF-8 text."""
    return text(rows, **options).encode()


def thousands(cell: str, mark: str, decimal: str = ".") -> str:
    """Write 50000.00 as 50,000.00 with the given marks."""
    return f"{float(cell):,.2f}".translate(str.maketrans({",": mark, ".": decimal}))


def excel(frame: pd.DataFrame, **sheets: pd.DataFrame) -> bytes:
    """Write a workbook with one sheet, or several."""
    buffer = io.BytesIO()
    with pd.ExcelWriter(buffer) as writer:
        frame.to_excel(writer, index=False)
        for name, other in sheets.items():
            other.to_excel(writer, sheet_name=name, index=False)
    return buffer.getvalue()


def parquet(frame: pd.DataFrame, **options) -> bytes:
    """Write a Parquet file."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, **options)
    return buffer.getvalue()


def _frame() -> pd.DataFrame:
    frame = pd.DataFrame(customers(), columns=HEADER)
    return frame.astype({"age": int, "income": float, "spending": float})


PLAIN = text(customers())
DATES = [f"{1 + i % 12:02d}/{1 + (i * 7) % 12:02d}/2023" for i in range(ROWS)]
_LINES = PLAIN.splitlines(keepends=True)
_JOINED = [*HEADER[:4], "joined"]

FILES_AND_BYTES = {
    "empty": BadFile(b"", refused="empty"),
    "blank lines only": BadFile(b"\n\n  \n", refused="empty"),
    "header only": BadFile(_LINES[0].encode(), refused="header and no rows"),
    "byte-order mark": BadFile(b"\xef\xbb\xbf" + PLAIN.encode()),
    "UTF-16": BadFile(PLAIN.encode("utf-16")),
    "UTF-16 without mark": BadFile(PLAIN.encode("utf-16-le"), changed="UTF-16 without"),
    "cp1252": BadFile(
        text(with_cells(4, r3="Café", r9="Zoë")).encode("cp1252"), changed="not UTF-8", rows=2
    ),
    "Cyrillic in cp1251": BadFile(
        text(with_column(4, lambda i, _: "Москва")).encode("cp1251"), refused="--encoding"
    ),
    "NUL bytes": BadFile(PLAIN.encode().replace(b"plus", b"pl\0s", 1), refused="NUL"),
    "gzip named csv": BadFile(gzip.compress(PLAIN.encode())),
    "cut-off gzip": BadFile(gzip.compress(PLAIN.encode())[:-40], refused="gzip"),
    "Excel named csv": BadFile(excel(_frame())),
    "Excel in gzip": BadFile(gzip.compress(excel(_frame()))),
    "cut-off Excel": BadFile(excel(_frame())[:-500], refused="damaged"),
    "Excel with several sheets": BadFile(
        excel(_frame(), other=_frame()), refused="--sheet", suffix=".xlsx"
    ),
    "old Excel": BadFile(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), refused="old .xls"),
    "Parquet named csv": BadFile(parquet(_frame())),
    "cut-off Parquet": BadFile(parquet(_frame())[:-10], refused="cut off"),
    "login page named csv": BadFile(
        b"<!DOCTYPE html>\n<html><head><title>Log in</title></head></html>", refused="web page"
    ),
    "JSON named csv": BadFile(b'[{"id": 1}, {"id": 2}]', refused="JSON"),
    "ZIP named csv": BadFile(
        b"PK\x05\x06" + bytes(18), refused="empty ZIP"
    ),
    "PDF named csv": BadFile(b"%PDF-1.7\n...", refused="PDF"),
}  # fmt: skip

DELIMITERS_AND_MARKS = {
    "semicolon": BadFile(csv(customers(), mark=";")),
    "tab": BadFile(csv(customers(), mark="\t"), suffix=".tsv"),
    "pipe": BadFile(csv(customers(), mark="|")),
    "announced delimiter": BadFile(
        b"sep=;\n" + csv(customers(), mark=";"), changed="announces the delimiter", rows=1
    ),
    "semicolon with decimal comma": BadFile(
        text(customers(), mark=";").replace(".", ",").encode(), changed="decimal commas"
    ),
    "two delimiters fit": BadFile(b"a;b,c\n" + b"1;2,3\n" * 20, refused="--delimiter"),
    "quoted thousands": BadFile(
        csv(with_column(2, lambda i, c: thousands(c, ","))), changed="thousands marks", rows=ROWS
    ),
    "German numbers": BadFile(
        csv(with_column(2, lambda i, c: thousands(c, ".", ",")), mark=";"),
        changed="thousands marks",
    ),
    "Swiss numbers": BadFile(
        csv(with_column(2, lambda i, c: thousands(c, "’"))), changed="thousands marks"
    ),
    "NBSP thousands": BadFile(
        csv(with_column(2, lambda i, c: thousands(c, "\u00a0", ",")), mark=";"),
        changed="thousands marks",
    ),
    "narrow space thousands": BadFile(
        csv(with_column(2, lambda i, c: thousands(c, "\u202f"))), changed="thousands marks"
    ),
    "three digits behind a mark": BadFile(
        csv([[f"C{i}", f"{1 + i % 9}.{100 + i}"] for i in range(ROWS)], header=["id", "x"],
            mark=";"),
        refused="--decimal",
    ),
    "decimal point and comma": BadFile(
        csv([[f"C{i}", f"{i}.5" if i % 2 else f"{i},5"] for i in range(ROWS)],
            header=["id", "x"], mark=";"),
        refused="decimal comma",
    ),
    "dollars": BadFile(
        csv(with_column(2, lambda i, c: "$" + thousands(c, ","))), changed="$ beside",
        rows=ROWS, kinds={"income": "money"},
    ),
    "euros": BadFile(
        csv(with_column(2, lambda i, c: thousands(c, ".", ",") + " €"), mark=";"),
        changed="€ beside", kinds={"income": "money"},
    ),
    "currency codes": BadFile(
        csv(with_column(2, lambda i, c: f"GBP {c}")), changed="£ beside",
        kinds={"income": "money"},
    ),
    "mixed currencies": BadFile(
        csv(with_column(2, lambda i, c: ("$" if i % 3 else "€") + c)), refused="currencies"
    ),
    "percent": BadFile(
        csv(with_column(3, lambda i, c: f"{i}%")), changed="percent signs",
        kinds={"spending": "share"},
    ),
    "percent in some cells": BadFile(
        csv(with_column(3, lambda i, c: f"{i}%" if i % 2 else "0.25")), refused="percent"
    ),
    "accountants' negatives": BadFile(
        csv(with_cells(3, r4="(12.00)", r5="(3.50)")), changed="brackets", rows=2
    ),
    "minus behind": BadFile(csv(with_cells(3, r4="12.00-")), changed="minus signs", rows=1),
    "digits of another script": BadFile(
        csv(with_column(1, lambda i, c: "".join(chr(0x660 + int(d)) for d in c))),
        changed="another script", rows=ROWS, kinds={"age": "number"},
    ),
    "k for thousand": BadFile(
        csv(with_column(2, lambda i, c: f"{20 + i}.5k")), changed="k for thousand"
    ),
    "millions of dollars": BadFile(
        csv(with_column(2, lambda i, c: f"${i}.5M")), changed="multiplied", rows=ROWS,
        kinds={"income": "money"},
    ),
    "months behind numbers": BadFile(
        csv(with_column(1, lambda i, c: f" {36 + 24 * (i % 2)} months")), changed="months beside"
    ),
}  # fmt: skip

STRUCTURE = {
    "unclosed quote": BadFile(
        csv(customers()).replace(b"C1004", b'"C1004', 1), refused="line 6"
    ),
    "quotes that swallow lines": BadFile(
        csv(customers()).replace(b"plus", b'"plus', 1).replace(b"family\n", b'family"\n', 1),
        refused="quotation mark",
    ),
    "CR-only line ends": BadFile(PLAIN.replace("\n", "\r").encode()),
    "Windows line ends": BadFile(PLAIN.replace("\n", "\r\n").encode()),
    "no last line end": BadFile(PLAIN.rstrip().encode()),
    "rows too long": BadFile(
        csv(customers()).replace(b"C1004,", b"C1004,9,", 1), refused="line 6"
    ),
    "rows too short": BadFile(
        "".join(line.rsplit(",", 1)[0] + "\n" if i in (4, 8) else line
                for i, line in enumerate(_LINES)).encode(),
        changed="before the last column", rows=2,
    ),
    "rows broken in two": BadFile(
        PLAIN.replace("C1004,", "C1004\n,", 1).encode(), refused="line 6"
    ),
    "cut-off last row": BadFile("".join(_LINES)[:-25].encode(), refused="cut off"),
    "delimiters at the end": BadFile(
        "".join(line if i == 0 else line.rstrip("\n") + ",,\n"
                for i, line in enumerate(_LINES)).encode(),
        changed="after the last cell",
    ),
    "empty columns at the end": BadFile(
        "".join(line.rstrip("\n") + ",,\n" for line in _LINES).encode(),
        changed="without a name", rows=2,
    ),
    "preamble": BadFile(
        b"Customer report\nCreated on 2024-01-05\n\n" + PLAIN.encode(),
        changed="before the header", rows=2,
    ),
    "padded preamble": BadFile(
        b"Customer report,,,,\n,,,,\n" + PLAIN.encode(), changed="before the header", rows=1
    ),
    "total row": BadFile(
        (PLAIN + "TOTAL,,1234567.89,98765.43,\n").encode(), changed="totals at the end", rows=1
    ),
    "sums without a label": BadFile(
        csv([["a", "1", "2.5"], ["b", "2", "3.5"], ["c", "4", "1.25"], ["", "7", "7.25"]],
            header=["id", "x", "y"]),
        changed="row of sums", rows=1,
    ),
    "remark at the end": BadFile(
        (PLAIN + "\n(60 rows affected)\n").encode(), changed="remarks at the end", rows=1
    ),
    "blank lines between": BadFile(
        PLAIN.replace("\nC101", "\n\nC101").encode(), changed="empty rows", rows=10
    ),
    "units below the header": BadFile(
        (_LINES[0] + ",(years),(EUR),(EUR),\n" + "".join(_LINES[1:])).encode(),
        changed="second line of headings", rows=1,
    ),
    "numbers above the names": BadFile(
        (",X1,X2,X3,Y\n" + PLAIN).encode(), changed="line of numbers above the names", rows=1
    ),
    "spaces between cells": BadFile(csv(customers(), mark=" "), refused="--delimiter ' '"),
    "header repeated": BadFile(
        (PLAIN + _LINES[0] + "C2000,30,1.5,2.5,plus\n").encode(), changed="header again", rows=1
    ),
    "duplicate headers": BadFile(
        csv(customers(), header=["id", "age", "amount", "amount", "plan"]), changed="share", rows=0
    ),
    "spaces in headers": BadFile(
        csv(customers(), header=[" customer id ", "age ", "\u00a0income", "spending", "plan"]),
        kinds={"customer id": "id", "income": "number"},
    ),
    "script in a header": BadFile(
        csv(customers(), header=["id", "age", "<script>alert(1)</script>", "spending", "plan"]),
        kinds={"<script>alert(1)</script>": "number"},
    ),
    "a column without a name": BadFile(
        csv(customers(), header=["id", "age", "", "spending", "plan"]), changed="without a name"
    ),
    "no header": BadFile(csv(customers(), header=None), refused="header is missing"),
    "no header, numbers only": BadFile(
        csv([[str(i), str(i * 3), f"{i}.5"] for i in range(ROWS)], header=None),
        refused="header is missing",
    ),
    "saved index": BadFile(
        csv([[str(i), *row] for i, row in enumerate(customers())], header=["", *HEADER]),
        changed="saved row index", rows=ROWS,
    ),
    "saved index of pandas": BadFile(
        csv([[str(i), *row] for i, row in enumerate(customers())], header=["Unnamed: 0", *HEADER]),
        changed="saved row index", rows=ROWS,
    ),
    "row names of R": BadFile(
        csv([[str(i + 1), *row] for i, row in enumerate(customers())], header=HEADER),
        changed="saved row index", rows=ROWS,
    ),
}  # fmt: skip

VALUES = {
    "exact duplicate rows": BadFile(
        csv(customers() + customers()[:4]), changed="repeat an earlier row", rows=4
    ),
    "all-missing column": BadFile(
        csv(with_column(3, lambda i, c: "")), changed="without any value", rows=ROWS,
        kinds={"spending": "empty"},
    ),
    "constant column": BadFile(csv(with_column(3, lambda i, c: "7"))),
    "infinities": BadFile(
        csv(with_cells(3, r3="inf", r7="-Infinity")), changed="infinite", rows=2,
        kinds={"spending": "number"},
    ),
    "one 1e15": BadFile(csv(with_cells(3, r3="1e15")), kinds={"spending": "number"}),
    "negative amounts": BadFile(csv(with_cells(3, r3="-12.5", r8="-3.25"))),
    "ten rows": BadFile(csv(customers(10))),
    "one row": BadFile(csv(customers(1))),
    "all rows the same": BadFile(csv([customers(1)[0]] * 30), changed="repeat", rows=29),
    "sentinel -999": BadFile(
        csv(with_cells(3, r3="-999", r7="-999")), changed="-999", rows=2
    ),
    "-1 among amounts": BadFile(csv(with_cells(3, r3="-1")), changed="-1 as the only", rows=1),
    "question marks": BadFile(
        csv(with_cells(3, r3="?", r7="N/A", r8="null", r9="#N/A", r10="none", r11="-")),
        changed="words for missing", rows=6, kinds={"spending": "number"},
    ),
    "missing categories": BadFile(
        csv(with_cells(4, r3="N/A", r7="None")), changed="words for missing", rows=1
    ),
    "forty in age": BadFile(
        csv(with_cells(1, r12="forty")), changed="no numbers", rows=1, kinds={"age": "number"}
    ),
    "many words in age": BadFile(
        csv(with_cells(1, r2="forty", r12="thirty", r22="ten")), refused="'age': 3 of 60"
    ),
    "Y, N, yes, 1": BadFile(
        csv(with_column(4, lambda i, c: ["Y", "N", "yes", "no", "1", "0"][i % 6])),
        changed="yes and no", kinds={"plan": "yes_no"},
    ),
    "formula in an id": BadFile(
        csv(with_cells(0, r3='=HYPERLINK("http://x.test")')).replace(
            b'=HYPERLINK("http://x.test")', b'"=HYPERLINK(""http://x.test"")"'
        ),
        kinds={"customer_id": "id"},
    ),
}  # fmt: skip

IDENTIFIERS = {
    "ids with zeros": BadFile(
        csv(with_column(0, lambda i, c: f"{i:05d}")), kinds={"customer_id": "id"}
    ),
    "ids with zeros under another name": BadFile(
        csv(with_column(0, lambda i, c: f"{i:05d}"), header=["shopper", *HEADER[1:]]),
        changed="zeros in front", kinds={"shopper": "id"},
    ),
    "ids NA and null": BadFile(csv(with_cells(0, r3="NA", r5="null"))),
    "ids of 20 digits": BadFile(
        csv(with_column(0, lambda i, c: f"9{i:019d}"), header=["who", *HEADER[1:]]),
        changed="long numbers", kinds={"who": "id"},
    ),
    "ids ruined by a spreadsheet": BadFile(
        csv(with_column(0, lambda i, c: "1.23457E+15")), refused="lost digits"
    ),
    "ids ruined, another name": BadFile(
        csv(with_column(0, lambda i, c: "1.23457E+15"), header=["who", *HEADER[1:]]),
        refused="lost digits",
    ),
    "ids ruined in a workbook": BadFile(
        excel(_frame().assign(customer_id=1.23456789012345e19)), refused="lost digits"
    ),
    "ids in ='...'": BadFile(
        csv(with_column(0, lambda i, c: f'="{i:05d}"')).replace(b'="', b'"=""').replace(
            b'",', b'""",'
        ),
        changed='="..."', rows=ROWS, kinds={"customer_id": "id"},
    ),
    "ids with .0": BadFile(
        csv(with_column(0, lambda i, c: f"{17000 + i}.0")), changed=".0 behind", rows=ROWS
    ),
}  # fmt: skip

DATES_AND_TIMES = {
    "ISO dates": BadFile(
        csv(with_column(4, lambda i, c: f"2023-0{1 + i % 9}-1{i % 9}"), header=_JOINED),
        kinds={"joined": "date"},
    ),
    "day first": BadFile(
        csv(with_column(4, lambda i, c: f"{1 + i % 28}-0{1 + i % 9}-2013"), header=_JOINED),
        changed="day first", rows=ROWS, kinds={"joined": "date"},
    ),
    "month first": BadFile(
        csv(with_column(4, lambda i, c: f"{1 + i % 12}/{1 + i % 28}/2013"), header=_JOINED),
        changed="month first", rows=ROWS, kinds={"joined": "date"},
    ),
    "ambiguous dates": BadFile(
        csv(with_column(4, lambda i, c: DATES[i]), header=_JOINED), refused="--date-order"
    ),
    "mixed day and month": BadFile(
        csv(with_column(4, lambda i, c: "25/12/2023" if i % 2 else "12/25/2023"), header=_JOINED),
        refused="day first",
    ),
    "ISO beside day first": BadFile(
        csv(with_column(4, lambda i, c: "25/12/2023" if i % 2 else "2023-12-24"), header=_JOINED),
        changed="another form", kinds={"joined": "date"},
    ),
    "a date that never was": BadFile(
        csv(with_column(4, lambda i, c: "31/02/2023" if i == 3 else "25/12/2023"),
            header=_JOINED),
        changed="no dates", rows=1,
    ),
    "Excel serial dates": BadFile(
        csv(with_column(4, lambda i, c: str(44000 + i)), header=[*HEADER[:4], "join_date"]),
        changed="day numbers", rows=ROWS, kinds={"join_date": "date"},
    ),
    "dates as digits": BadFile(
        csv(with_column(4, lambda i, c: f"202301{1 + i % 28:02d}"),
            header=[*HEADER[:4], "join date"]),
        changed="20231231", kinds={"join date": "date"},
    ),
}  # fmt: skip

BAD_FILES: dict[str, BadFile] = {
    **FILES_AND_BYTES,
    **DELIMITERS_AND_MARKS,
    **STRUCTURE,
    **VALUES,
    **IDENTIFIERS,
    **DATES_AND_TIMES,
}
