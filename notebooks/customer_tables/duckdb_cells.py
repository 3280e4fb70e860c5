"""Cells of text as DuckDB reads them: how a column is written is settled once, for all its cells.

What is settled is an expression in DuckDB's dialect. The shapes of numbers and dates are those of
`numbers` and `dates`, by which tables of customers are read, too. A plain way of writing is settled
without a look: where it reads all cells, it is the one that looks would settle.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pyarrow as pa

from customer_tables.dates import EPOCH, SWAPPED, UNOPENED, ZONE, Dates, month_of, parse_dates
from customer_tables.duckdb_files import Lines, literal, quoted
from customer_tables.errors import UserError
from customer_tables.names import minor_unit, split_name
from customer_tables.numbers import CURRENCIES, MARKS, MONEY_SCALES, SHAPES, SIGNS, is_in_percent
from customer_tables.source import answer

MONEY = "DECIMAL(18, 4)"  # exact, so that sums do not depend on the order of the lines
HUNDREDTH = f" / 100 AS {MONEY})"
NEGATIVE = r"^\((.*)\)$|^(.*)-$"  # as book-keepers write amounts below zero
SINCE_1970 = "epoch_ms"
# Of years of four digits; a time without end is none.
CALENDAR = "BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'"
WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UINTEGER", "UBIGINT")
MISSING = ("", "nan", "null", "none", "na", "n/a", "?", "-")
TOLERATED = 0.001  # share of the cells that may be no numbers before they are read another way
REFUSED = 0.05  # share of the cells from which too many are no numbers
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
DIGITS = re.compile(
    r"((?:19|20)\d\d)(0[1-9]|1[0-2])(?:(0[1-9]|[12]\d|3[01])(?:[0-2]\d(?:[0-5]\d){2})?)?"
)
SERIAL, DAY_OF_1970 = re.compile(r"[2-5]\d{4}(\.\d+)?"), 25_569  # spreadsheets' days
# 2024年1月2日, 14 Uhr, 2024.01.31., 14h05, 14.05
ABROAD = r"年|Uhr$|^\d{4}\.\d{1,2}\.\d{1,2}\.|\d[ ,T]+\d{1,2}[.h]\d{2}"
ODD_CLOCK = r"^(.*\d[ ,T]+\d{1,2})[.h](\d{2})(?:[.:]\d{2})?$"  # 14h05, 14.05
POINTED = r"^(\d{4}\.\d{1,2}\.\d{1,2})\."  # 2024.01.31.
AMOUNTS = re.compile(r"\b(amount|value|usd|eur|gbp)\b")
FEW_RATES = 30  # different discounts up to which they can be percentages
YEAR, QUARTER = r"(\d{4})", r"(?i)[QT]([1-4])"
MONTH = r"^(\p{L}+)\.?[-/ ,']*(\d{4}|\d{2})$"  # Jan-23, January 2023
WEEKDAY = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? +", re.IGNORECASE)
ODD = "’−\u00a0\u202f\u2009٫٬．，٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹０１２３４５６７８９०१२३४५६७८९"
PLAINLY = "'-   .,.," + 4 * "0123456789"
WORDS = r"[^\d.,'’()+−–\s-][^\d]*$"  # behind a number
WRAPPED = r"""^(?:="([^"]*)"|'(\d.*))$"""
HALF = r"\d ?[aApP][mM]$"  # of the day
SEEN = 20_000  # different days that are looked at
FIRST_LINES = 20_000  # by which a text is taken for one that is plainly written
# A zone behind a clock or an ISO day; behind other days an offset could be a part of them.
ZONED = (
    rf"^(.*(?:\d{{4}}-\d{{2}}-\d{{2}}|:\d{{2}}(?:\.\d+)?(?: ?[AaPp][Mm])?))\s*{ZONE}$"
    r"|^(.*\d)\s*(?:UTC|GMT|Z)$"
)


def is_misread(cell: str, value: str, *, any_word: bool = False) -> str:
    """Return the condition that a cell says something, or any word, and nothing could be read."""
    if any_word:
        return f"{value} IS NULL AND {cell} IS NOT NULL"
    return f"CASE WHEN {value} IS NULL THEN {is_filled(f'CAST({cell} AS VARCHAR)')} ELSE false END"


def is_filled(text: str) -> str:
    """Return the condition that a text says something; only short ones are looked at.

    A list behind IN would be joined, by each query on lines, whether it needs the column or not.
    """
    nothing = literal("|".join(map(re.escape, MISSING)))
    longest = max(map(len, MISSING))
    empty = f"regexp_full_match(lower({text}), {nothing})"
    return f"CASE WHEN length({text}) > {longest} THEN true ELSE NOT {empty} END"


def text_of(column: str, kind: str) -> str:
    """Write a column of identifiers or words as text; a word for nothing as a gap."""
    if kind in WHOLE:
        return f"CAST({column} AS VARCHAR)"
    text = f"trim(CAST({column} AS VARCHAR))"
    # Whole numbers that had gaps among them were written by many programs as 17850.0.
    whole = f"regexp_replace({text}, '^(\\d+)\\.0$', '\\1')"
    # Around identifiers, spreadsheets put ="..." or an apostrophe.
    bare = f"regexp_replace({text}, {literal(WRAPPED)}, '\\1\\2')"
    return (
        f"CASE WHEN NOT {is_filled(text)} THEN NULL WHEN {text} LIKE '%.0' THEN {whole} "
        f"WHEN {text} LIKE '=%' OR {text} LIKE '''%' THEN {bare} ELSE {text} END"
    )


def settle_keys(lines: Lines, columns: Iterable[str], plain: bool = False) -> dict[str, str]:
    """Return how columns of identifiers are read: as whole numbers where all are written so.

    Whole numbers are grouped faster than text. They are written in one way only, as 007 is not 7.
    """
    settled = {column: quoted(column) for column in columns}
    for column, cell in settled.items():
        if lines.types[column] in WHOLE:
            continue
        settled[column] = text_of(cell, lines.types[column])
        number = f"TRY_CAST({cell} AS BIGINT)"
        same = f"CAST({number} AS VARCHAR) = CAST({cell} AS VARCHAR)"
        counts = f"count({settled[column]}), count(*) FILTER ({same})"
        filled, whole = (1, 1) if plain else lines.ask(counts)[0]
        if 0 < filled == whole:
            settled[column] = f"CASE WHEN {same} THEN {number} END"
    return settled


def settle_amount(lines: Lines, column: str, plain: bool = False) -> str:
    """Return how a column is read as exact amounts, whole ones where it is called after cents."""
    number = settle_number(lines, column, plain)
    return f"CAST({number}{HUNDREDTH}" if minor_unit(column) else number


def settle_discount(lines: Lines, column: str, plain: bool = False) -> str:
    """Return how discounts are read: as amounts, or, up to 1 or called a percentage, as shares.

    Plain ones are read if their name or one of the first of them shows that they are amounts.

    Raises
    ------
    UserError
        If they can be either: whole numbers up to 100 whose name does not say what they are. Or if
        some are percentages and others not, or more than 100.
    """
    if AMOUNTS.search(split_name(column)) or minor_unit(column):
        return settle_amount(lines, column, plain)
    number = settle_number(lines, column, plain, beside="%")
    whole = f"bool_and({number} = floor({number}) AND {number} >= 0)"
    if plain:
        some = replace(lines, sql=f"(SELECT * FROM {lines.sql} LIMIT {FIRST_LINES})")
        shown = some.ask(whole)[0][0] is False and not is_rate(column)
        return number if shown else f"CAST(NULL AS {MONEY})"
    facts = f"max(abs({number})), {whole}, count(DISTINCT {number})"
    largest, whole, different = lines.ask(facts)[0]
    signed = _refuse_odd_shares(lines, column, number)
    if largest is None or (largest <= 1 and not signed):
        return number
    if signed or is_rate(column):
        return f"CAST({number}{HUNDREDTH}"
    if whole and largest <= 100 and different <= FEW_RATES:
        raise UserError(
            f"the discounts in {quoted(column)} can be amounts or percentages: "
            f"whole numbers up to {largest:.0f}",
            where=lines.name,
            remedy=f"call the column {column}_amount or {column}_percent; or leave it out: "
            f'--role ignore="{column}"',
            answer=answer(ignore=[column]),
        )
    return number


def is_rate(column: str) -> bool:
    """Whether the name of a column of discounts says that they are percentages."""
    return is_in_percent(column) or "rate" in column.lower()


def _refuse_odd_shares(lines: Lines, column: str, number: str) -> bool:
    """Refuse percentages beside other numbers, or beyond 100; say whether they have the sign."""
    cell = f"CAST({quoted(column)} AS VARCHAR)"
    signed = f"coalesce(contains({cell}, '%'), false)"
    conditions = (signed, f"NOT {signed} AND {number} <> 0", f"abs({number}) > 100")
    found = lines.ask(", ".join(f"min({cell}) FILTER ({condition})" for condition in conditions))[0]
    share, bare, beyond = found
    what = ""
    if share and bare:
        what = f"are percentages and other numbers: {share!r} and {bare!r}"
    elif beyond and (share or is_rate(column)):
        what = f"are percentages, and one is more than 100: {beyond!r}"
    if what:
        raise UserError(
            f"the discounts in {quoted(column)} {what}",
            where=f"{lines.name}, column {quoted(column)}{lines.line_of(beyond or bare)}",
            remedy="write all of them in percent, up to 100; or leave the column out: "
            f'--role ignore="{column}"',
        )
    return bool(share)


def settle_number(lines: Lines, column: str, plain: bool = False, beside: str = "") -> str:
    """Return how a column is read as exact numbers: as the options say, or as its cells tell.

    A sign may stand beside them, as those of currencies do.

    Raises
    ------
    UserError
        If too many cells are no numbers, or a comma can mean two things.
    """
    cell, decimal = quoted(column), lines.options.decimal
    number = f"TRY_CAST({cell} AS {MONEY})"
    if plain or lines.types[column] != "VARCHAR":
        return number
    text = f"regexp_replace({cell}, '[\\s$€£]', '', 'g')"
    signs = literal(rf"\s|(?i:{SIGNS})" + (f"|{beside}" if beside else ""))
    alike = f"translate({cell}, {literal(ODD)}, {literal(PLAINLY)})"
    spelt = f"regexp_replace({alike}, {signs}, '', 'g')"
    spelt = f"regexp_replace({spelt}, {literal(NEGATIVE)}, '-\\1\\2')"
    ways = {mark: _marked(spelt, mark) for mark in SHAPES}
    if decimal:
        return ways["," if decimal in (",", "comma") else "."]
    _refuse_currencies(lines, column)
    number = f"coalesce({number}, TRY_CAST({text} AS {MONEY}))"  # most are so as they stand
    rows, odd = _count_odd(lines, text, number)
    if odd <= TOLERATED * rows:
        return number
    _refuse_currencies(lines, column, SIGNS)  # slower: only where cells hold more than numbers
    odds = {mark: _count_odd(lines, spelt, way)[1] for mark, way in ways.items()}
    some = f"coalesce({ways['.']}, {ways[',']})"  # under one of the marks
    fewest = min(odds.values())
    if fewest > REFUSED * rows and _count_odd(lines, spelt, some)[1] > REFUSED * rows:
        words = lines.ask(f"DISTINCT trim(regexp_extract({cell}, {literal(WORDS)}))", "LIMIT 3")
        (word,) = words[0] if len(words) == 1 else ("",)
        if word and not beside and word.lower().rstrip(".") not in MONEY_SCALES:
            return settle_number(lines, column, plain, re.escape(word))
        first = lines.ask(f"min({cell})", f"WHERE {is_misread(spelt, some)}")[0][0] or ""
        raise UserError(
            f"{fewest:,} of {rows:,} cells of the column {cell} are no numbers, "
            f"such as {first[:30]!r}",
            where=f"{lines.name}{lines.line_of(first)}",
            remedy=f'correct the cells; or leave the column out: --role ignore="{column}"',
        )
    differ = f"bool_or({ways['.']} IS DISTINCT FROM {ways[',']})"
    if odds["."] == odds[","] and lines.ask(differ)[0][0]:
        raise UserError(
            f"the comma in {cell} can be a decimal mark or stand between thousands",
            where=lines.name,
            remedy="say which with --decimal comma or --decimal point",
            answer={"decimal": "comma"},
        )
    best, other = sorted(ways, key=lambda mark: odds[mark])
    apart = [
        f"{ways[one]} IS NOT NULL AND {ways[not_one]} IS NULL"
        for one, not_one in ((best, other), (other, best))
    ]
    both = lines.ask(", ".join(f"min({cell}) FILTER ({condition})" for condition in apart))[0]
    if all(both):
        raise UserError(
            MARKS.both.format(*(repr(text[:30]) for text in sorted(both, key=_last_mark))),
            where=f"{lines.name}, column {cell}{lines.line_of(both[1])}",
            remedy=MARKS.write,
        )
    return ways[best]


def _last_mark(text: str) -> bool:
    """Whether a number has a decimal point."""
    return text.rfind(".") > text.rfind(",")


def _count_odd(lines: Lines, text: str, number: str) -> tuple[int, int]:
    """Count the cells that say something, and those of them that are no numbers."""
    numbers, odd = lines.ask(f"count({number}), count(*) FILTER ({is_misread(text, number)})")[0]
    return numbers + odd, odd


def _refuse_currencies(lines: Lines, column: str, signs: str = "[$€£¥₹]") -> None:
    """Refuse amounts beside which several signs of currencies stand."""
    sign = f"lower(regexp_extract({quoted(column)}, {literal(f'(?i:{signs})')}))"
    query = f"{sign}, min({quoted(column)})", f"WHERE {sign} <> '' GROUP BY 1 ORDER BY count(*), 1"
    found = lines.ask(*query)  # the rarest, which is best left out, first
    if len({CURRENCIES[spelling] for spelling, _ in found}) > 1:
        raise UserError(
            f"the amounts in {quoted(column)} are in several currencies: "
            f"{' and '.join(repr(cell[:30]) for _, cell in found)}",
            where=lines.name,
            remedy="turn them into one currency; or move the signs into a column called currency, "
            f'and leave lines out by them: --role ignore="{found[0][0]}"',
        )


def _marked(text: str, decimal: str) -> str:
    """Return the expression that reads a number with this decimal mark, NULL where it has none."""
    shape, others = f"[-+]?{SHAPES[decimal].strip('^$')}", ",''" if decimal == "." else ".''"
    plain = f"replace(regexp_replace({text}, '[{others}]', '', 'g'), '{decimal}', '.')"
    number = f"TRY_CAST({plain} AS {MONEY})"
    return f"CASE WHEN regexp_full_match({text}, {literal(shape)}) THEN {number} END"


def settle_times(lines: Lines, column: str, plain: bool = False) -> str:
    """Return how a column is read as a time.

    Raises
    ------
    UserError
        If the times are written in a way that is not known, or can be read in two.
    """
    cell = quoted(column)
    if lines.types[column].startswith(("TIMESTAMP", "DATE")):
        return f"CAST({cell} AS TIMESTAMP)"
    if plain:  # the time, written as the engine does it, begins with what stands in the cell
        time = f"TRY_CAST({cell} AS TIMESTAMP)"
        same = f"starts_with(CAST({time} AS VARCHAR), {cell})"
        return f"CASE WHEN {same} THEN CASE WHEN {time} {CALENDAR} THEN {time} END END"
    raw = f"trim(CAST({cell} AS VARCHAR))"
    if count_zoned(lines, column):
        raw = f"regexp_replace({raw}, {literal(ZONED)}, '\\1\\2')"
    some = replace(lines, sql=f"(SELECT {cell} FROM {lines.sql} LIMIT {FIRST_LINES})")
    if some.ask("count(*)", f"WHERE regexp_matches({raw}, {literal(ABROAD)})")[0][0]:
        raw = f"regexp_replace(translate({raw}, '年月日', '--'), ' ?Uhr$', '')"
        raw = f"regexp_replace({raw}, {literal(ODD_CLOCK)}, '\\1:\\2')"
        raw = f"regexp_replace({raw}, {literal(POINTED)}, '\\1')"
    text = f"replace(replace({raw}, 'T', ' '), ', ', ' ')"
    seen, dates = _days(lines, f"split_part({text}, ' ', 1)", cell)
    _refuse_two_ways(lines, cell, seen, dates)
    if _mostly(fits := dates.form == "iso"):
        mark = seen[int(np.argmax(fits))][4]
        half = f"regexp_matches({text}, {literal(HALF)})"
        if mark == "." or lines.ask("count(*)", f"WHERE {half}")[0][0]:
            return _stamp(text, f"%Y{mark}%m{mark}%d")
        return f"TRY_CAST({text} AS TIMESTAMP)"
    if _mostly(dates.form == "month"):
        return f"try_strptime(replace({text}, '/', '-'), '%Y-%m')"
    if _mostly(dates.form == "month last"):
        return f"try_strptime(replace({text}, '/', '-'), '%m-%Y')"
    if _mostly(np.array([bool(re.fullmatch(EPOCH, day)) for day in seen])):
        number = f"TRY_CAST({text} AS DOUBLE)"
        scale = f"CASE WHEN {number} < 1e11 THEN 1000 WHEN {number} < 1e14 THEN 1 ELSE 0.001 END"
        return f"{SINCE_1970}(CAST({number} * {scale} AS BIGINT))"
    if _mostly(np.array([bool(SERIAL.fullmatch(day)) for day in seen])):
        return f"{SINCE_1970}(CAST((TRY_CAST({text} AS DOUBLE) - {DAY_OF_1970}) * 864e5 AS BIGINT))"
    if _mostly(np.array([bool(DIGITS.fullmatch(day)) for day in seen])):
        return f"try_strptime({text}, ['%Y%m%d%H%M%S', '%Y%m%d', '%Y%m'])"
    if _mostly(fits := dates.form == "numbers"):
        first = seen[int(np.argmax(fits))]
        order = lines.options.date_order or _settle_order(
            dates, first, f"{lines.name}, column {cell}"
        )
        ways = {(_year(day), day.strip("0123456789")[0]) for day in np.array(seen)[fits]}
        parts = ("%d", "%m") if order == "dmy" else ("%m", "%d")
        written = [mark.join((*parts, year)) for year, mark in sorted(ways, reverse=True)]
        return _stamp(text, *written)  # two digits of a year first, of which %Y would make 23 AD
    clock = r"[ ,T]+\d{1,2}[:.]\d{2}.*$"
    written, dates = _days(lines, f"regexp_replace({raw}, '{clock}', '')", cell)
    if _mostly(np.isin(dates.form, ("quarter", "year quarter"))):
        whole, part = (f"regexp_extract({text}, {literal(p)}, 1)" for p in (YEAR, QUARTER))
        first = f"CAST(3 * TRY_CAST({part} AS INTEGER) - 2 AS VARCHAR)"
        return f"try_strptime(concat({whole}, '-', {first}), '%Y-%m')"
    if _mostly(np.isin(dates.form, ("word year", "word short"))):
        raw = f"regexp_replace({raw}, {literal(MONTH)}, '1 \\1 \\2')"
        dates.form[np.isin(dates.form, ("word year", "word short"))] = "day word"
    if _mostly(fits := np.isin(dates.form, ("day word", "word day"))):
        known = {word for day in written for word in re.findall(r"[^\W\d_]{3,}", day.lower())}
        months = {word: month for word in sorted(known) if (month := month_of(word))}
        return _stamp(_with_number(raw, months), f"%d/%m/{_year(written[int(np.argmax(fits))])}")
    raise UserError(
        f"the times in {cell} are written in a way that is not known, such as "
        f"{(written or ['nothing'])[0][:30]!r}",
        where=lines.name,
        remedy="write them like 2024-03-31 14:05",
    )


def count_zoned(lines: Lines, column: str) -> int:
    """Count the times in a column of text behind which their zone stands."""
    cell = f"trim(CAST({quoted(column)} AS VARCHAR))"
    return lines.ask("count(*)", f"WHERE regexp_full_match({cell}, {literal(ZONED)})")[0][0]


def _refuse_two_ways(lines: Lines, cell: str, seen: list[str], dates: Dates) -> None:
    """Refuse a column in which dates are written in two ways, with a cell of each."""
    form, swapped = dates.form.copy(), dates.swapped()[0].any()
    for order in ("dmy", "mdy"):
        form[dates.proof()[order]] = order
    ways = Counter(way for way in form if way)
    if ways["dmy"] or ways["mdy"]:
        del ways["numbers"]  # these agree with either
    common = ways.most_common(2)
    if len(common) < 2 or common[1][1] <= REFUSED * len(seen):
        return
    firsts = [seen[int(np.argmax(form == way))] for way, _ in common]
    starts = (f"starts_with(CAST({cell} AS VARCHAR), {literal(day)})" for day in firsts)
    counts = ", ".join(f"min(CAST({cell} AS VARCHAR)) FILTER ({start})" for start in starts)
    shown = [found or day for found, day in zip(lines.ask(counts)[0], firsts, strict=True)]
    raise UserError(
        f"the dates in {cell} are written in two ways: {shown[0]!r} and {shown[1]!r}"
        + (f": {SWAPPED}" if swapped else ""),
        where=f"{lines.name}, column {cell}{lines.line_of(shown[0])}{lines.line_of(shown[1])}",
        remedy=UNOPENED if swapped else "write all of them in one way, best like 2024-12-31",
    )


def _days(lines: Lines, day: str, cell: str) -> tuple[list[str], Dates]:
    """Return the different days of a column, as written and taken apart."""
    rest = f"WHERE {cell} IS NOT NULL ORDER BY 1 LIMIT {SEEN}"
    seen = [row[0] for row in lines.ask(f"DISTINCT {day}", rest) if row[0]]
    return seen, parse_dates(pa.array([WEEKDAY.sub("", day, 1) for day in seen], pa.string()))


def _mostly(flags: np.ndarray) -> bool:
    return len(flags) > 0 and flags.mean() > 0.5


def _year(day: str) -> str:
    return "%Y" if day[-4:].isdigit() else "%y"


def _settle_order(dates: Dates, first: str, where: str) -> str:
    """Return whether the day or the month comes first, as the days prove."""
    proof = {order: bool(texts.any()) for order, texts in dates.proof().items()}
    if proof["dmy"] != proof["mdy"]:
        return "dmy" if proof["dmy"] else "mdy"
    what = "both have days in them" if proof["dmy"] else "can be day or month"
    raise UserError(
        f"in dates like {first!r} the first two numbers {what}",
        where=where,
        remedy="say with --date-order dmy or mdy which comes first",
        answer={"date_order": "dmy"},
    )


def _stamp(text: str, *days: str) -> str:
    """Return the expression that reads a day written in known ways, with or without a clock."""
    ways = ", ".join(literal(day + clock) for day in days for clock in CLOCKS)
    return f"try_strptime({text}, [{ways}])"


def _with_number(text: str, months: dict[str, int]) -> str:
    """Return the expression that writes 1-Dec-2010 and Dec 1, 2010 8:26 as 1/12/2010 8:26."""
    apart = rf"(?:^|[^\p{{L}}]|\d(?:st|nd|rd|th|er))({'|'.join(months)})(?:[^\p{{L}}]|$)"
    found = f"regexp_extract(lower({text}), '{apart}', 1)"
    numbers = " ".join(f"WHEN '{name}' THEN '{number}'" for name, number in months.items())
    day = rf"regexp_extract({text}, '^\D*(\d{{1,2}})', 1)"
    year = rf"regexp_extract({text}, '^\D*\d{{1,2}}\D+(\d{{4}}|\d{{2}})', 1)"
    clock = rf"regexp_extract({text}, '(\d{{1,2}}:\d{{2}}(:\d{{2}})?( [AaPp][Mm])?)', 1)"
    return f"trim(concat({day}, '/', CASE {found} {numbers} END, '/', {year}, ' ', {clock}))"
