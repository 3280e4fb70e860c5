"""Transaction lines in one form: customer, time, amount, order, what was bought."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace

from customer_tables.duckdb_cells import (
    MONEY,
    is_misread,
    settle_keys,
    settle_numbers,
    settle_times,
    text_of,
)
from customer_tables.duckdb_files import Options, Relation, Run, literal, quoted
from customer_tables.errors import UserError
from customer_tables.source import Source

SUMS = ("amount", "discount", "coupon")  # parts of [source] that may name several columns
NUMBERS = (*SUMS, "quantity", "price")
KEYS = ("customer", "order")
SAMPLE_ROWS = 10_000  # by which it is told how a file is written
PARTS = (*NUMBERS, "time", *KEYS, "product", "category", "own_brand")


def needed_columns(source: Source, parts: Collection[str] = PARTS) -> dict[str, str]:
    """Return the columns that lines are made from, each with a part of [source] that names it."""
    columns: dict[str, str] = {}
    for part in parts:
        named = getattr(source, part)
        if part == "own_brand":
            named = named.partition("=")[0].strip()
        if part != "price" or not source.amount:
            columns |= dict.fromkeys(_summands(named) if part in SUMS else [named], part)
    return {name: part for name, part in columns.items() if name}


def _summands(named: str) -> list[str]:
    return [name.strip() for name in named.split("+") if name.strip()]


def create_lines(run: Run, file: Relation, source: Source, options: Options, name: str) -> None:
    """Create `lines` inside an engine: every line in one form.

    Columns: customer, bought, amount, quantity, basket, product, category, discount, coupon, own.
    Of a Parquet file it is a view, which reads the file at each look, else a table. How a file is
    written is settled by its first lines where all other cells can be read so, too.

    Parameters
    ----------
    run : callable
        Runs a query.
    file : Relation
        The lines; every column that `source` names and it lacks is taken for a gap.
    source : Source
        What its columns are called.
    options : Options
    name : str
        The file's name, for messages.

    Raises
    ------
    UserError
        If times or amounts cannot be understood.
    """
    if file.format != "parquet":
        first = replace(file, sql=f"(SELECT * FROM {file.sql} LIMIT {SAMPLE_ROWS})")
        with suppress(UserError):  # where the first lines tell too little
            query = _lines_query(run, first, file, source, options, name)
            run(f"CREATE OR REPLACE TABLE lines AS {query}")
            if not run("SELECT count(*) FROM lines WHERE misread")[0][0]:
                return
    kind = "VIEW" if file.format == "parquet" else "TABLE"
    query = _lines_query(run, file, file, source, options, name)
    run(f"CREATE OR REPLACE {kind} lines AS {query}")


def _lines_query(
    run: Run, sample: Relation, file: Relation, source: Source, options: Options, name: str
) -> str:
    """Return the query of lines, written as a part of them, or all, tells."""
    numbers = [c for c in needed_columns(source, NUMBERS) if c in file.types]
    amounts = settle_numbers(run, sample, numbers, options.decimal, name)
    keys = settle_keys(run, sample, [c for c in needed_columns(source, KEYS) if c in file.types])
    times = {source.time: settle_times(run, sample, source.time, options.date_order, name)}
    if source.amount:
        amount = _total(amounts, source.amount)
    else:
        factors = (amounts.get(column, "NULL") for column in (source.quantity, source.price))
        amount = f"CAST({' * '.join(factors)} AS {MONEY})"
    misread = [
        is_misread(quoted(c), sql) for part in (amounts, keys, times) for c, sql in part.items()
    ]
    chosen = {
        "customer": keys.get(source.customer, "CAST(NULL AS VARCHAR)"),
        "bought": times[source.time],
        "amount": amount,
        "quantity": _total(amounts, source.quantity),
        "basket": keys.get(source.order, "CAST(NULL AS VARCHAR)"),
        "product": quoted(source.product) if source.product else "CAST(NULL AS VARCHAR)",
        **_goods(source, file),
        "discount": _total(amounts, source.discount),
        "coupon": _total(amounts, source.coupon),
        "misread": " OR ".join(misread),
    }
    listed = ", ".join(f"{expression} AS {quoted(key)}" for key, expression in chosen.items())
    return f"SELECT {listed} FROM {file.sql}"


def _total(amounts: dict[str, str], columns: str) -> str:
    """Add amounts up, a gap counting as nothing where there are several."""
    summands = [amounts[column] for column in _summands(columns)]
    if len(summands) < 2:
        return summands[0] if summands else f"CAST(NULL AS {MONEY})"
    return " + ".join(f"coalesce({amount}, 0)" for amount in summands)


def _goods(source: Source, file: Relation) -> dict[str, str]:
    """Return what a file tells about goods: their category, and whether they are the shop's own."""
    brand, _, own = (part.strip() for part in source.own_brand.partition("="))
    category = text_of(quoted(source.category), file.types.get(source.category, ""))
    is_own = f"{quoted(brand)} = {literal(own)}"
    return {
        "category": category if source.category in file.types else "CAST(NULL AS VARCHAR)",
        "own": is_own if own and brand in file.types else "CAST(NULL AS BOOLEAN)",
    }


def look_up_products(
    run: Run, lines: Relation, products: Relation, source: Source, name: str
) -> Relation:
    """Look up what a second file says about products.

    Its category and own brand become the table `catalogue`, by product. What is read as numbers,
    such as a price, is joined to the lines.

    Raises
    ------
    UserError
        If one of the files lacks the products, or a product stands on two rows that differ.
    """
    key = quoted(source.product)
    check_columns({source.product: "product"}, lines.types, name)
    check_columns({source.product: "product"}, products.types, name)
    wanted = [c for c in needed_columns(source) if c in products.types and c not in lines.types]
    listed = ", ".join(map(quoted, [source.product, *wanted]))
    distinct = f"(SELECT DISTINCT {listed} FROM {products.sql} WHERE {key} IS NOT NULL)"
    twice = run(f"SELECT min({key}) FROM {distinct} GROUP BY {key} HAVING count(*) > 1 LIMIT 1")
    if twice:
        raise UserError(
            f"the product {twice[0][0]!r} stands on two rows that differ",
            where=f"the file of products for {name}",
            remedy="keep one row per product",
        )
    told = replace(products, types={c: products.types[c] for c in wanted})
    goods = ", ".join(f"{sql} AS {column}" for column, sql in _goods(source, told).items())
    run(f"CREATE OR REPLACE TABLE catalogue AS SELECT {key} AS product, {goods} FROM {distinct}")
    numbers = {c: products.types[c] for c in wanted if c in needed_columns(source, NUMBERS)}
    if not numbers:
        return lines
    priced = f"SELECT {', '.join(map(quoted, [source.product, *numbers]))} FROM {distinct}"
    joined = f"(SELECT * FROM {lines.sql} LEFT JOIN ({priced}) USING ({key}))"
    return replace(lines, sql=joined, types=lines.types | numbers)


def check_columns(needed: dict[str, str], types: Collection[str], name: str) -> None:
    """Refuse a [source] that names a column that there is not.

    Raises
    ------
    UserError
    """
    for column, part in needed.items():
        if column not in types:
            raise UserError(
                f"the transactions have no column {column!r} ({part})",
                where=f"{name}: {', '.join(types)[:300]}",
                remedy=f"correct {part} under [source] in dataset.toml",
            )
