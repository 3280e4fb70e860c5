"""From transaction lines to customers: recency, frequency, value, baskets and habits.

The way of a file: `lines` opens it, in pieces and never whole; `transaction_columns` tells which of
its columns are what; `duckdb_cells` settles how its cells are written; here its lines are
brought into one form; `aggregation` says in queries what a customer is; `people` joins who the
customers are; `description` writes what came out as a dataset.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType

from customer_tables.aggregation import customers_query
from customer_tables.changes import Change, Reading, Use
from customer_tables.duckdb_cells import (
    MONEY,
    is_misread,
    settle_keys,
    settle_numbers,
    settle_times,
    text_of,
)
from customer_tables.duckdb_files import (
    Lines,
    Relation,
    Run,
    literal,
    quoted,
)
from customer_tables.errors import UserError
from customer_tables.line_kinds import line_kinds
from customer_tables.memory import require_space
from customer_tables.periods import NO_CUT, by_customer, split_history
from customer_tables.source import Options, Source, summands
from customer_tables.storage import file_digest
from customer_tables.transaction_columns import offers, used_columns

SUMS = ("amount", "discount", "coupon")  # parts of [source] that may name several columns
NUMBERS = (*SUMS, "quantity", "price")
KEYS = ("customer", "order")
PARTS = (*NUMBERS, "time", *KEYS, "product", "category", "own_brand")
SAMPLE_ROWS = 10_000  # that show how a file is written
ALL_BOUGHT = MappingProxyType({"refund": "false", "ignore": "false"})
NO_TEXT, NO_NUMBER = "CAST(NULL AS VARCHAR)", f"CAST(NULL AS {MONEY})"


def aggregate(lines: Lines, source: Source, *, cut: str = NO_CUT) -> Reading:
    """Aggregate transaction lines to customers.

    Parameters
    ----------
    lines : Lines
        From `open_lines`, with what is known about products, joined by `Source.product`.
    source : Source
        What their columns are called.
    cut : str, optional
        Where the history is cut in two, as in `periods.split_history`; by default it is not.

    Returns
    -------
    Reading
        One row a customer, with the columns of `description.MEANINGS` that the file tells
        something about, and spent_on_... for the largest categories.

    Raises
    ------
    UserError
        If there is no space for the lines, or they cannot be understood.
    """
    require_space(lines.path)
    file, name = lines.file, lines.name
    query, changes = aggregate_lines(lines.run, file, source, lines.options, name, lines.catalogue)
    table = by_customer(lines.table(query))
    history = split_history(lines, source, cut, list(table))
    about: dict[str, str | int] = {"name": name, "format": file.format}
    about |= {"sha256": file_digest(lines.path), "rows": len(table)}
    kinds = {column: "id" if column == "customer_id" else "number" for column in table}
    uses = [Use(name, column, use) for column, use in _uses(file, source).items()]
    return Reading(table, [*file.changes, *changes], kinds, {}, about, uses=uses, history=history)


def _uses(file: Relation, source: Source) -> dict[str, str]:
    """Say of every column of lines what it was taken for, or why it was left out."""
    used = used_columns(source)
    idle = dict.fromkeys(map(str.casefold, source.ignore), "left out: to be ignored")
    unknown = "left out: it has no role, and does not describe the customers"
    return {c: used.get(c) or idle.get(c.casefold(), unknown) for c in file.types}


def aggregate_lines(
    run: Run,
    file: Relation,
    source: Source,
    options: Options,
    name: str,
    products: Relation | None = None,
) -> tuple[str, list[Change]]:
    """Aggregate transaction lines inside an engine that runs queries in DuckDB's dialect.

    Parameters
    ----------
    run : callable
        Runs a query, which may be one that creates a table or a view.
    file, products : Relation
        The lines, and what is known about products.
    source : Source
        As in `aggregate`.
    options : Options
        How the file is written.
    name : str
        What the file is called in messages.

    Returns
    -------
    tuple of str and list of Change
        The query of customers, over a table that the engine keeps: one row a customer, all
        columns but customer_id of type DOUBLE, in no order.
    """
    types = file.types | (products.types if products else {})
    needed = {source.time: "time"} | _needed_columns(source)
    replace(file, types=types).require(needed, name)
    lines = _look_up_products(run, file, products, source, name) if products else file
    says, counted = line_kinds(run, lines, source, name)
    create_lines(run, lines, source, options, name, says)
    if says["ignore"] != "false":
        counted += _count_lost(run, lines, source)

    def offered(part: str) -> str:
        columns = offers(run, file, {"customer": source.customer, "amount": source.amount})[part]
        return " or ".join(columns[:3])

    query, changes = customers_query(run, source, name, offered, products=products is not None)
    return query, [*counted, *changes]


def _count_lost(run: Run, file: Relation, source: Source) -> list[Change]:
    """Count the customers of whom every line was left out."""
    who = text_of(quoted(source.customer), file.types[source.customer])
    before = run(f"SELECT count(DISTINCT {who}) FROM {file.sql}")[0][0]
    lost = before - run("SELECT count(DISTINCT customer) FROM lines")[0][0]
    return [Change("customers without any purchase", rows=lost, action="left out")] if lost else []


def create_lines(
    run: Run,
    file: Relation,
    source: Source,
    options: Options,
    name: str,
    says: Mapping[str, str] = ALL_BOUGHT,
) -> None:
    """Create `lines` inside an engine, every line in one form, or raise a `UserError`.

    Columns: customer, bought, amount, quantity, basket, product, category, discount, coupon, own,
    and misread: a cell that says something and could not be read. `says` has the conditions of
    refunds, whose amounts become negative, and of lines to ignore, as `line_kinds` gives them.
    Of a Parquet file it is a view, which reads the file at each look, else a table. How a file is
    written is settled by its first lines where all other cells can be read so, too.
    """
    if file.format != "parquet":
        first = replace(file, sql=f"(SELECT * FROM {file.sql} LIMIT {SAMPLE_ROWS})")
        with suppress(UserError):  # where the first lines tell too little
            query = _lines_query(run, first, file, source, options, name, says)
            run(f"CREATE OR REPLACE TABLE lines AS {query}")
            if not run("SELECT count(misread) FROM lines")[0][0]:
                return
    kind = "VIEW" if file.format == "parquet" else "TABLE"
    query = _lines_query(run, file, file, source, options, name, says)
    run(f"CREATE OR REPLACE {kind} lines AS {query}")


def _lines_query(
    run: Run,
    sample: Relation,
    file: Relation,
    source: Source,
    options: Options,
    name: str,
    says: Mapping[str, str],
) -> str:
    """Return the query of lines, written as a part of them, or all, tells."""
    numbers = [c for c in _needed_columns(source, *NUMBERS) if c in file.types]
    amounts = settle_numbers(run, sample, numbers, options.decimal, name)
    keys = settle_keys(run, sample, [c for c in _needed_columns(source, *KEYS) if c in file.types])
    times = {source.time: settle_times(run, sample, source.time, options.date_order, name)}
    if source.amount:
        amount = _total(amounts, source.amount)
    else:
        factors = (amounts.get(column, "NULL") for column in (source.quantity, source.price))
        amount = f"CAST({' * '.join(factors)} AS {MONEY})"
    if says["refund"] != "false":
        amount = f"CASE WHEN {says['refund']} THEN -abs({amount}) ELSE {amount} END"
    misread = (
        f"WHEN {is_misread(quoted(c), sql)} THEN CAST({quoted(c)} AS VARCHAR)"
        for part in (times, amounts, keys)
        for c, sql in part.items()
    )
    chosen = {
        "customer": keys.get(source.customer, NO_TEXT),
        "bought": times[source.time],
        "amount": amount,
        "quantity": _total(amounts, source.quantity),
        "basket": keys.get(source.order, NO_TEXT),
        "product": quoted(source.product) if source.product else NO_TEXT,
        **_goods(source, file),
        "discount": _total(amounts, source.discount),
        "coupon": _total(amounts, source.coupon),
        "misread": f"CASE {' '.join(misread)} END",
    }
    listed = ", ".join(f"{expression} AS {quoted(key)}" for key, expression in chosen.items())
    kept = "" if says["ignore"] == "false" else f" WHERE NOT ({says['ignore']})"
    return f"SELECT {listed} FROM {file.sql}{kept}"


def _needed_columns(source: Source, *parts: str) -> dict[str, str]:
    """Return the columns that lines are made from, each with a part of [source] that names it."""
    columns: dict[str, str] = {}
    for part in parts or PARTS:
        named = getattr(source, part)
        if part == "own_brand":
            named = named.partition("=")[0].strip()
        if part != "price" or not source.amount:
            columns |= dict.fromkeys(summands(named) if part in SUMS else [named], part)
    return {name: part for name, part in columns.items() if name}


def _total(amounts: dict[str, str], columns: str) -> str:
    """Add amounts up, a gap counting as nothing where there are several."""
    parts = [amounts[column] for column in summands(columns)]
    if len(parts) < 2:
        return parts[0] if parts else NO_NUMBER
    return " + ".join(f"coalesce({amount}, 0)" for amount in parts)


def _goods(source: Source, file: Relation) -> dict[str, str]:
    """Return what a file tells about goods: their category, and whether they are the shop's own."""
    brand, _, own = (part.strip() for part in source.own_brand.partition("="))
    category = text_of(quoted(source.category), file.types.get(source.category, ""))
    is_own = f"{quoted(brand)} = {literal(own)}"
    return {
        "category": category if source.category in file.types else NO_TEXT,
        "own": is_own if own and brand in file.types else "CAST(NULL AS BOOLEAN)",
    }


def _look_up_products(
    run: Run, lines: Relation, products: Relation, source: Source, name: str
) -> Relation:
    """Look up what a second file says about products, each on one row, or raise a `UserError`.

    Its category and own brand become the table `catalogue`, by product. What is read as numbers,
    such as a price, is joined to the lines.
    """
    key = quoted(source.product)
    for file in (lines, products):
        file.require({source.product: "product"}, name)
    wanted = [c for c in _needed_columns(source) if c in products.types and c not in lines.types]
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
    numbers = {c: products.types[c] for c in wanted if c in _needed_columns(source, *NUMBERS)}
    if not numbers:
        return lines
    priced = f"SELECT {', '.join(map(quoted, [source.product, *numbers]))} FROM {distinct}"
    joined = f"(SELECT * FROM {lines.sql} LEFT JOIN ({priced}) USING ({key}))"
    return replace(lines, sql=joined, types=lines.types | numbers)
