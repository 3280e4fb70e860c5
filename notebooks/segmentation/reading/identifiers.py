"""Which columns hold identifiers and codes, which have to stay letter for letter what they are."""

from __future__ import annotations

import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from segmentation.reading.cells import Cells, quote
from segmentation.reading.changes import Change

WHO = (
    "customer|cust|client|consumer|user|member|membership|account|acct|acc|card|credit card|cc|"
    "household|hh|person|borrower|applicant|patient|employee|subscriber|buyer|shopper|visitor|"
    "guest|loyalty|policy|contract|order|invoice|receipt|basket|transaction|trans|record|row|"
    "serial|sl|sr|s|case|loan|phone|telephone|mobile|fax|passport|tax|store|shop|product|item|"
    "article|sku|stock|ref|reference|document|booking|ticket|session|unique|entry|line"
)
WHICH = "id|ids|uid|uuid|guid|no|nr|num|number|nbr|key|code|ref|identifier"
ALONE = (
    "customer|cust|client|consumer|user|member|account|acct|household|person|subscriber|borrower|"
    "applicant|patient|employee|index|number|no|nr|key|serial|record|row|reference|ref|invoice|"
    "iban|bic|ssn|ean|sku|isbn"
)
ID_NAMES = re.compile(
    rf"(.+ )?(id|uuid|guid|identifier|code)|id( .+)?|(.+ )?({WHO}) ?({WHICH})|{ALONE}"
)
CODE_NAMES = re.compile(r"(.+ )?(zip|zip ?code|post ?code|postal|postal code|plz|phone number)")
MEASURES = re.compile(r"(total|avg|average|mean|max|min|sum|count|num|no|nr|number)( of)? .+")
DESTROYED = r"^[1-9]([.,]\d{1,14})?e\+\d{2,}$"
DESTROYED_LONG = r"^[1-9]([.,]\d{1,5})?E\+1[1-9]$"  # as a spreadsheet shows 12 digits and more
LONG_DIGITS = 15


def split_name(name: str) -> str:
    """Return a column's name as lower-case words: CustomerID and cust_id give "... id"."""
    name = re.sub(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.sub(r"[\W_]+", " ", name).split()).lower()


def is_identifier_name(name: str) -> bool:
    """Whether a name says that a column holds identifiers or codes."""
    words = split_name(name)
    if MEASURES.fullmatch(words):
        return False
    return bool(ID_NAMES.fullmatch(words) or CODE_NAMES.fullmatch(words))


def looks_coded(column: pa.ChunkedArray) -> str:
    """Say why a column of digits is one of codes, or return nothing where it is none.

    Reading such a column as numbers would turn 00123 into 123, and round what has more than
    15 digits.
    """
    filled = column.filter(pc.not_equal(column, ""))
    if not len(filled):
        return ""
    zeros = _share(filled, r"^0\d+$")
    if zeros and _share(filled, r"^\d+$") == 1:
        if zeros >= 0.01 or pc.count_distinct(filled).as_py() == len(filled):
            return "zeros in front"
    if (pc.max(pc.utf8_length(filled)).as_py() or 0) > LONG_DIGITS:
        if _share(filled, rf"^\d{{{LONG_DIGITS + 1},}}$") >= 0.5 and _share(filled, r"^\d+$") == 1:
            return "long numbers"
    if _share(filled, r"^\+\d{7,15}$") >= 0.5:
        return "telephone numbers"
    return ""


def _share(column: pa.ChunkedArray, pattern: str) -> float:
    return pc.mean(pc.match_substring_regex(column, pattern)).as_py()


def unwrap(cells: Cells) -> tuple[Cells, list[Change]]:
    """Return identifiers as they are, without what spreadsheets wrap around them.

    Raises
    ------
    UserError
        If a spreadsheet turned them into 1.23457E+15, so that different ones look the same.
    """
    _check_destroyed(cells)
    changes = []
    wrapped = cells.matches(r'^="[^"]*"$')
    changes += cells.change('="..." around identifiers', wrapped, "taken off")
    cells = cells.with_texts(lambda text: text[2:-1], wrapped) if wrapped.any() else cells
    marked = cells.matches(r"^'\d")
    changes += cells.change("an apostrophe before digits", marked, "taken off")
    cells = cells.with_texts(lambda text: text[1:], marked) if marked.any() else cells
    decimal = cells.matches(r"^\d+\.0$")
    whole = decimal | cells.matches(r"^$")
    if decimal.any() and whole.all():
        changes += cells.change("identifiers with .0 behind them", decimal, "taken off")
        cells = cells.with_texts(lambda text: text[:-2], decimal)
    return cells, changes


def _check_destroyed(cells: Cells) -> None:
    destroyed = cells.matches(DESTROYED)
    if destroyed.any():
        raise cells.refuse(
            f"identifiers like {quote(cells, destroyed)} have lost digits in a spreadsheet",
            destroyed,
            "export the file again without opening it in a spreadsheet, or as text cells",
        )


def check_first(column: pa.ChunkedArray, summed_up: Callable[[pa.ChunkedArray], Cells]) -> None:
    """Refuse a first column, whatever its name, in which most cells read 1.23457E+15."""
    if _share(column, DESTROYED_LONG) >= 0.9:
        _check_destroyed(summed_up(column))
