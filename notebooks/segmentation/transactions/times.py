"""Times of purchases as people write them, as expressions in DuckDB's dialect."""

from __future__ import annotations

import re

from customer_tables.dates import MONTHS
from customer_tables.errors import UserError
from segmentation.transactions.engine import Engine, literal
from segmentation.transactions.files import Relation

CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
ISO = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}")
DIGITS = re.compile(r"(19|20)\d{6}")
PARTS = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{2}|\d{4})")
_DAY, _MONTH = (
    r"\d{1,2}(st|nd|rd|th)?",
    "(" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\.?",
)
NAMED = re.compile(
    rf"([a-z]{{3,9}},? )?({_DAY}[-/ .]*{_MONTH}|{_MONTH}[-/ .]*{_DAY})[-/ .,]+(\d{{4}}|\d{{2}})",
    re.IGNORECASE,
)
SEEN = 20_000  # different days that are looked at


def read_time(
    engine: Engine, file: Relation, name: str, column: str, kind: str, date_order: str
) -> str:
    """Return the expression that reads a column as a time.

    Parameters
    ----------
    column : str
        As SQL.
    kind : str
        The column's type.
    date_order : str
        "dmy" or "mdy"; empty where the file has to tell.

    Raises
    ------
    UserError
        If the times are written in a way that is not known, or can be read in two.
    """
    if kind.startswith(("TIMESTAMP", "DATE")):
        return f"CAST({column} AS TIMESTAMP)"
    raw = f"trim(CAST({column} AS VARCHAR))"
    text = _spaced(column)

    def days(expression: str) -> list[str]:
        distinct = f"SELECT DISTINCT {expression} FROM {file.sql} WHERE {column} IS NOT NULL"
        return [row[0] for row in engine.ask(f"{distinct} ORDER BY 1 LIMIT {SEEN}") if row[0]]

    seen = days(day_of(column))
    if _mostly(ISO, seen):
        return read_iso(column)
    if _mostly(DIGITS, seen):
        return f"try_strptime({text}, '%Y%m%d')"
    parts = [found for day in seen if (found := PARTS.fullmatch(day))]
    if len(parts) > 0.5 * len(seen):
        order = date_order or _order(parts, column, name)
        mark, year = parts[0].group(2), "%Y" if len(parts[0].group(4)) == 4 else "%y"
        return _stamp(text, mark.join(("%d", "%m", year) if order == "dmy" else ("%m", "%d", year)))
    written = days(rf"regexp_replace({raw}, '[ ,T]+\d{{1,2}}[:.]\d{{2}}.*$', '')")
    named = [found for day in written if (found := NAMED.fullmatch(day))]
    if named and len(named) > 0.5 * len(written):
        year = "%Y" if len(named[0].group(named[0].re.groups)) == 4 else "%y"
        return _stamp(_with_number(raw), f"%d/%m/{year}")
    raise UserError(
        f"the times in {column} are written in a way that is not known, such as "
        f"{(written or ['nothing'])[0][:30]!r}",
        where=name,
        remedy="write them like 2024-03-31 14:05",
    )


def day_of(column: str) -> str:
    """Return the expression of what stands before a time of day."""
    return f"split_part({_spaced(column)}, ' ', 1)"


def read_iso(column: str) -> str:
    """Return the expression that reads a time as ISO 8601 writes it."""
    return f"TRY_CAST({_spaced(column)} AS TIMESTAMP)"


def _spaced(column: str) -> str:
    return f"replace(trim(CAST({column} AS VARCHAR)), 'T', ' ')"


def _mostly(pattern: re.Pattern, seen: list[str]) -> bool:
    return bool(seen) and sum(bool(pattern.fullmatch(day)) for day in seen) > 0.5 * len(seen)


def _stamp(text: str, day: str) -> str:
    """Return the expression that reads a day written in a known way, with or without a clock."""
    return f"try_strptime({text}, [{', '.join(literal(day + clock) for clock in CLOCKS)}])"


def _with_number(text: str) -> str:
    """Return the expression that writes 1-Dec-2010 and Dec 1, 2010 8:26 as 1/12/2010 8:26."""
    short = {name: number for name, number in MONTHS.items() if len(name) == 3}
    found = f"lower(regexp_extract({text}, '(?i)({'|'.join(short)})', 1))"
    numbers = " ".join(f"WHEN '{name}' THEN '{number}'" for name, number in short.items())
    day = rf"regexp_extract({text}, '^\D*(\d{{1,2}})', 1)"
    year = rf"regexp_extract({text}, '^\D*\d{{1,2}}\D+(\d{{4}}|\d{{2}})', 1)"
    clock = rf"regexp_extract({text}, '(\d{{1,2}}:\d{{2}}(:\d{{2}})?( [AaPp][Mm])?)', 1)"
    return f"trim(concat({day}, '/', CASE {found} {numbers} END, '/', {year}, ' ', {clock}))"


def _order(parts: list[re.Match], column: str, name: str) -> str:
    first = any(int(part.group(1)) > 12 for part in parts)
    second = any(int(part.group(3)) > 12 for part in parts)
    if first != second:
        return "dmy" if first else "mdy"
    what = "both have days in them" if first else "can be day or month"
    raise UserError(
        f"in dates like {parts[0].group()!r} the first two numbers {what}",
        where=f"{name}, column {column}",
        remedy="say with --date-order dmy or mdy which comes first",
    )
