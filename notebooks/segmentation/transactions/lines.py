"""Lines of purchases in one form: customer, time, amount, order, what was bought."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from customer_tables.errors import UserError
from customer_tables.source import Source
from segmentation.transactions.engine import Engine, literal, quoted
from segmentation.transactions.files import Relation
from segmentation.transactions.times import read_time

MONEY = "DECIMAL(18, 4)"  # exact, so that sums do not depend on the order of the lines
SETTLED = "TEXT"  # the type of a column whose cells `text_of` has written; no engine says it
ODD = 0.001  # share of the cells that may be no numbers
WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UINTEGER", "UBIGINT")
MISSING = ("", "nan", "null", "none", "na", "n/a", "?", "-")


@dataclass(frozen=True)
class Options:
    """What the user said about the file; empty where it has to be found out."""

    decimal: str = ""
    date_order: str = ""


def lines_query(
    engine: Engine,
    file: Relation,
    source: Source,
    options: Options,
    name: str,
    products: Relation | None = None,
) -> str:
    """Return the query that gives every line in one form.

    Columns: customer, bought, amount, quantity, basket, product, category, discount, coupon, own.

    Raises
    ------
    UserError
        If a named column is missing, or times or amounts cannot be understood.
    """
    types = file.types | (products.types if products else {})

    def column(part: str) -> str:
        given = getattr(source, part)
        if given and given not in types:
            raise UserError(
                f"the transactions have no column {given!r} ({part})",
                where=f"{name}: {', '.join(types)[:300]}",
                remedy=f"correct {part} under [source] in dataset.toml",
            )
        return quoted(given) if given else "NULL"

    def number(part: str) -> str:
        return _number(engine, file, name, column(part), types, options)

    amounts = [part.strip() for part in source.amount.split("+")] if source.amount else []
    amount = _sum(engine, file, name, amounts, types, options)
    if not amounts:
        amount = f"CAST({number('quantity')} * {number('price')} AS {MONEY})"
    at = read_time(engine, file, name, column("time"), types[source.time], options.date_order)
    brand, _, own = source.own_brand.partition("=")
    is_own = f"{quoted(brand.strip())} = {literal(own.strip())}" if own else "CAST(NULL AS BOOLEAN)"
    joined, category = "", text_of(column("category"), types.get(source.category, ""))
    if products:
        looked_up = {name: quoted(name) for name in products.types}
        if source.category in products.types and source.category not in file.types:
            looked_up[source.category] = category  # in words once a product, not once a line
            category = quoted(source.category)
        listed = ", ".join(f"{value} AS {quoted(name)}" for name, value in looked_up.items())
        key = quoted(source.product)
        joined = f" LEFT JOIN (SELECT {listed} FROM {products.sql}) USING ({key})"
    chosen = {
        "customer": _key(column("customer"), types.get(source.customer, "")),
        "bought": at,
        "amount": amount,
        "quantity": number("quantity"),
        "basket": _key(column("order"), types.get(source.order, "")),
        "product": column("product") if source.product else "CAST(NULL AS VARCHAR)",
        "category": category,
        "discount": _sum(engine, file, name, source.discount.split("+"), types, options),
        "coupon": _sum(engine, file, name, source.coupon.split("+"), types, options),
        "own": is_own,
    }
    listed = ", ".join(f"{expression} AS {quoted(key)}" for key, expression in chosen.items())
    return f"SELECT {listed} FROM {file.sql}{joined}"


def lines_alone(
    engine: Engine, file: Relation, source: Source, options: Options, name: str, products: Relation
) -> str:
    """Return the query of the lines without what is looked up about products.

    It is empty where they might be other lines: a product may be listed twice.
    """
    brand = source.own_brand.partition("=")[0].strip()
    alone = replace(
        source,
        category=source.category if source.category in file.types else "",
        own_brand=source.own_brand if brand in file.types else "",
    )
    key = quoted(source.product)
    if engine.ask(f"SELECT count(*) - count(DISTINCT {key}) FROM {products.sql}")[0][0]:
        return ""
    try:
        return lines_query(engine, file, alone, options, name)
    except UserError:  # more is looked up, such as a price
        return ""


def _key(column: str, kind: str) -> str:
    """Leave whole numbers as they are: they are grouped faster than text."""
    return column if kind in WHOLE else text_of(column, kind)


def text_of(column: str, kind: str) -> str:
    """Write an identifier or a word as text; a word for nothing as a gap."""
    if kind == SETTLED:
        return column
    if kind in WHOLE:
        return f"CAST({column} AS VARCHAR)"
    text = f"trim(CAST({column} AS VARCHAR))"
    # Whole numbers that had gaps among them were written by many programs as 17850.0.
    whole = f"regexp_replace({text}, '^(\\d{{3,}})\\.0$', '\\1')"
    return (
        f"CASE WHEN NOT {is_filled(text)} THEN NULL WHEN {text} LIKE '%.0' THEN {whole} "
        f"ELSE {text} END"
    )


def is_filled(text: str) -> str:
    """Return the condition that a text says something; only short ones are looked at.

    A list behind IN would be joined, by each query on lines, whether it needs the column or not.
    """
    nothing = literal("|".join(map(re.escape, MISSING)))
    longest = max(map(len, MISSING))
    empty = f"regexp_full_match(lower({text}), {nothing})"
    return f"CASE WHEN length({text}) > {longest} THEN true ELSE NOT {empty} END"


def bare(column: str) -> str:
    """Return the expression that takes spaces and signs of currencies out of a number's text."""
    return f"regexp_replace({column}, '[\\s$€£]', '', 'g')"


def _sum(engine, file: Relation, name: str, columns: list[str], types, options) -> str:
    """Add amounts up, a gap counting as nothing where there are several."""
    columns = [column.strip() for column in columns if column.strip()]
    for column in columns:
        if column not in types:
            raise UserError(
                f"the transactions have no column {column!r}",
                where=f"{name}: {', '.join(types)[:300]}",
                remedy="correct the name under [source] in dataset.toml",
            )
    numbers = [_number(engine, file, name, quoted(c), types, options) for c in columns]
    if len(numbers) < 2:
        return numbers[0] if numbers else f"CAST(NULL AS {MONEY})"
    return " + ".join(f"coalesce({number}, 0)" for number in numbers)


def _number(engine, file: Relation, name: str, column: str, types, options: Options) -> str:
    """Return the expression that reads a column as an exact number."""
    if column == "NULL" or types.get(column.strip('"')) != "VARCHAR":
        return f"TRY_CAST({column} AS {MONEY})"
    text = bare(column)
    ways = {
        # Most cells are numbers as they stand.
        "plain": f"coalesce(TRY_CAST({column} AS {MONEY}), TRY_CAST({text} AS {MONEY}))",
        "point": _marked(text, thousands=",", decimal="."),
        "comma": _marked(text, thousands=".", decimal=","),
    }
    if options.decimal:
        return ways["comma" if options.decimal in (",", "comma") else "point"]
    filled = is_filled(text)
    failed = ", ".join(f"count(*) FILTER ({filled} AND {way} IS NULL)" for way in ways.values())
    counts = f"SELECT count(*) FILTER ({filled}), {failed} FROM {file.sql}"
    rows, *failures = engine.ask(counts)[0]
    plain, point, comma = failures
    if plain <= ODD * rows:
        return ways["plain"]
    best = min(point, comma)
    if best > 0.05 * rows:
        raise UserError(
            f"{best:,} of {rows:,} cells of the column {column} are no numbers",
            where=name,
            remedy="correct the cells, or name another column under [source] in dataset.toml",
        )
    if point == comma:
        raise UserError(
            f"the comma in {column} can be a decimal mark or stand between thousands",
            where=name,
            remedy="say which with --decimal comma or --decimal point",
        )
    return ways["point" if point < comma else "comma"]


def _marked(text: str, thousands: str, decimal: str) -> str:
    """Return the expression that reads a number with these marks, NULL where it has others."""
    pattern = rf"-?(\d{{1,3}}(\{thousands}\d{{3}})+|\d+)?(\{decimal}\d+)?"
    plain = f"replace(replace({text}, '{thousands}', ''), '{decimal}', '.')"
    number = f"TRY_CAST({plain} AS {MONEY})"
    return f"CASE WHEN regexp_full_match({text}, {literal(pattern)}) THEN {number} END"
