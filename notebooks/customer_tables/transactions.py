"""From transaction lines to customers: recency, frequency, value, baskets and habits.

The way of a file: `lines` opens it, in pieces and never whole; `transaction_columns` tells which of
its columns are what; `buyers` and `whole_orders` settle who bought, and what holds for all lines of
an order; `duckdb_cells` settles how its cells are written; here its lines are brought into one
form; `aggregation` says in queries what a customer is; `people` joins who the customers are;
`description` writes what came out as a dataset.toml.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import duckdb

from customer_tables.aggregation import customers_query
from customer_tables.buyers import plain_buyers
from customer_tables.changes import Change, Reading, Use
from customer_tables.dates import BY_THE_CLOCK
from customer_tables.duckdb_cells import (
    DAY_OF_1970,
    HUNDREDTH,
    MONEY,
    SINCE_1970,
    WHOLE,
    ZONED,
    count_zoned,
    is_misread,
    settle_amount,
    settle_discount,
    settle_keys,
    settle_number,
    settle_times,
    text_of,
)
from customer_tables.duckdb_files import Lines, literal, quoted
from customer_tables.errors import UserError
from customer_tables.line_kinds import currency_of, line_kinds
from customer_tables.names import minor_unit
from customer_tables.periods import NO_CUT, by_customer, split_history
from customer_tables.source import Source, summands
from customer_tables.storage import file_digest
from customer_tables.transaction_columns import used_columns
from customer_tables.whole_orders import by_line

NUMBERS = ("amount", "discount", "coupon", "quantity", "price")
SETTLE = {"quantity": settle_number, "discount": settle_discount}
MOST_APART = 0.9  # share of different lines from which repeated ones are not counted
PARTS = ("time", *NUMBERS, "customer", "order", "product", "category", "own_brand")
NOTHING = NO_TEXT, NO_NUMBER, NO_ANSWER = [
    f"CAST(NULL AS {kind})" for kind in ("VARCHAR", MONEY, "BOOLEAN")
]
# A day before or after stands for none: 1900-01-01, 9999-12-31.
SPAN = "BETWEEN TIMESTAMP '1900-01-02 00:00:00' AND TIMESTAMP '2100-01-01 00:00:00'"
ODD = "error('not plainly written')"


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
        If the lines cannot be understood.
    """
    with ThreadPoolExecutor(1) as pool:
        digest = pool.submit(file_digest, lines.path)
        query, changes = aggregate_lines(lines, source)
        changes += _count_repeated(lines)
        table = by_customer(lines.table(query))
    history = split_history(lines, source, cut, list(table))
    about: dict[str, str | int] = {"name": lines.name, "format": lines.format}
    about |= {"sha256": digest.result(), "rows": len(table), "currency": currency_of(lines, source)}
    kinds = {column: "id" if column == "customer_id" else "number" for column in table}
    uses = [Use(lines.name, column, use) for column, use in _uses(lines, source, changes).items()]
    return Reading(table, [*lines.changes, *changes], kinds, {}, about, uses=uses, history=history)


def _count_repeated(lines: Lines) -> list[Change]:
    """Count the lines that say the same as others, where they seem to be a tenth or more."""
    told = "customer, bought, amount, quantity, basket, product"
    total, about = lines.run(f"SELECT count(*), approx_count_distinct(hash({told})) FROM lines")[0]
    if about > MOST_APART * total:
        return []
    apart = lines.run(f"SELECT count(*) FROM (SELECT DISTINCT {told} FROM lines)")[0][0]
    what = "lines that repeat the customer, time, amount, order and product of another"
    action = "kept as bought; check for a double export"
    return [Change(what, rows=total - apart, action=action)] if apart < total else []


def _uses(lines: Lines, source: Source, changes: Sequence[Change]) -> dict[str, str]:
    """Say of every column of lines what it was taken for, or why it was left out."""
    told = dict.fromkeys([c.column for c in changes if c.rows], "status, by some of its words")
    used = told | used_columns(source)
    idle = dict.fromkeys(map(str.casefold, source.ignore), "left out: to be ignored")
    unknown = "left out: it has no role, and does not describe the customers"
    return {c: used.get(c) or idle.get(c.casefold(), unknown) for c in lines.types}


def aggregate_lines(file: Lines, source: Source) -> tuple[str, list[Change]]:
    """Aggregate transaction lines inside the engine that they are in.

    Returns
    -------
    tuple of str and list of Change
        The query of customers, over a table that the engine keeps: one row a customer, all
        columns but customer_id of type DOUBLE, in no order.
    """
    products = file.catalogue
    types = file.types | (products.types if products else {})
    replace(file, types=types).require(_needed_columns(source))
    lines = _look_up_products(file, products, source) if products else file
    lines, whose = plain_buyers(lines, source)
    lines, source, told = by_line(lines, source)
    says, counted = line_kinds(lines, source)
    counted += [*whose, *told]
    counted += create_lines(lines, source, **says)
    if says["ignore"] != "false":
        counted += _count_lost(lines, source)
    query, changes = customers_query(file, source)
    return query, [*counted, *changes]


def _count_lost(lines: Lines, source: Source) -> list[Change]:
    """Count the customers of whom every line was left out."""
    who = text_of(quoted(source.customer), lines.types[source.customer])
    before = lines.ask(f"count(DISTINCT {who})")[0][0]
    lost = before - lines.run("SELECT count(DISTINCT customer) FROM lines")[0][0]
    return [Change("customers without any purchase", rows=lost, action="left out")] if lost else []


def create_lines(
    file: Lines, source: Source, *, refund: str = "false", ignore: str = "false"
) -> list[Change]:
    """Create `lines` inside an engine, every line in one form, or raise a `UserError`.

    Returns which columns were read in another unit than their cells are written in.

    Columns: customer, bought, amount, quantity, basket, product, category, discount, coupon, own,
    and misread: a cell that says something and could not be read. The conditions of refunds, whose
    amounts become negative, and of lines to ignore are those of `line_kinds`. Of a Parquet file it
    is a view, which reads the file at each look, else a table.

    A text is read in one pass where all of its lines are plainly written, products as whole numbers
    or as text. Else it is loaded, and looks at each column settle how its cells are written.
    """
    plain = bool(file.text) and not file.options.decimal
    goods = file.catalogue.types if file.catalogue else {}
    numbers = goods.get(source.product, "VARCHAR") in (*WHOLE, "VARCHAR") and bool(source.product)
    for keys in [[source.product], []][not numbers :] if plain else []:
        query, told, lacking = _listed(file, source, refund, ignore, keys)
        try:
            file.run(f"CREATE OR REPLACE TABLE plain AS {query}")
        except (duckdb.InvalidInputException, duckdb.DataError):  # as of ODD
            continue
        if not file.run("SELECT count(bought) FROM plain")[0][0]:
            break
        if keys and goods.get(source.product) == "VARCHAR":
            number = settle_keys(replace(file, types={"product": "VARCHAR"}), ["product"], True)
            to = f"BIGINT USING {number['product']}"
            file.run(f"ALTER TABLE catalogue ALTER product TYPE {to}")
        file.run(f"CREATE OR REPLACE VIEW lines AS SELECT *, {lacking} FROM plain")
        return told
    if plain:
        says = refund + ignore
        used = [quoted(c) for c in file.types if c in used_columns(source) or quoted(c) in says]
        file.run(f"CREATE OR REPLACE TABLE cells AS SELECT {', '.join(used)} FROM {file.sql}")
        file = replace(file, sql="cells")
    query, told, _ = _listed(file, source, refund, ignore)
    create = "VIEW" if file.format == "parquet" else "TABLE"
    file.run(f"CREATE OR REPLACE {create} lines AS {query}")
    return told


def _listed(
    file: Lines, source: Source, refund: str, ignore: str, plain: list[str] | None = None
) -> tuple[str, list[Change], str]:
    """Return the query of `lines`, and which of their columns are read in another unit.

    Where the file is taken for plainly written, with these products as whole numbers, the query
    fails at another cell, and leaves out the columns that have no cells, which come last.
    """
    is_plain, products = plain is not None, plain or []
    numbers = _needed_columns(source, *NUMBERS)
    given = [c for c in numbers if c in file.types]
    times = {source.time: settle_times(file, source.time, is_plain)}
    amounts = {c: SETTLE.get(numbers[c], settle_amount)(file, c, is_plain) for c in given}
    keyed = [c for c in (source.customer, source.order, *products) if c in file.types]
    keys = settle_keys(file, keyed, is_plain)
    rate = _is_rate(file, _total(amounts, source.discount)) if not source.amount else None
    # Each cell is read once: its value is a column of its own, under a name longer than all others.
    longest = max(map(len, file.types))
    values: dict[str, str] = {}
    odd: list[tuple[str, str]] = []
    for part in (times, amounts, keys):
        for column, sql in part.items():
            value = part[column] = quoted(f"{len(values):_>{longest + 1}}")
            values[value] = sql
            whatever = is_plain and (part is times or column in products)
            odd.append((column, is_misread(quoted(column), value, any_word=whatever)))
    if source.amount:
        amount = _total(amounts, source.amount)
    else:
        factors = (amounts.get(column, "NULL") for column in (source.quantity, source.price))
        amount = f"CAST({_discounted(' * '.join(factors), _total(amounts, source.discount), rate)}"
        amount += f" AS {MONEY})"
    if refund != "false":
        amount = f"CASE WHEN {refund} THEN -abs({amount}) ELSE {amount} END"
    cells = (f"WHEN {says} THEN CAST({quoted(c)} AS VARCHAR)" for c, says in odd)
    bought, some = times[source.time], " OR ".join(says for _, says in odd)
    when = f"CASE WHEN {bought} {SPAN} THEN {bought} END"
    product = quoted(source.product) if source.product else NO_TEXT
    chosen = {
        "customer": keys.get(source.customer, NO_TEXT),
        "bought": f"CASE WHEN {some} THEN {ODD} ELSE {when} END" if is_plain else when,
        "amount": amount,
        "quantity": _total(amounts, source.quantity),
        "basket": keys.get(source.order, NO_TEXT),
        "product": keys[source.product] if products else product,
        **_goods(source, file),
        "discount": _total(amounts, source.discount),
        "coupon": _total(amounts, source.coupon),
        "misread": NO_TEXT if is_plain else f"CASE {' '.join(cells)} END",
    }
    lacking = {key: sql for key, sql in chosen.items() if is_plain and sql in NOTHING}
    divided = [c for c in given if values[amounts[c]].endswith(HUNDREDTH)]
    told = [(minor_unit(c) or "percent of the full price", c, "divided by 100") for c in divided]
    if values[bought].startswith(SINCE_1970) and str(DAY_OF_1970) in values[bought]:
        told.append(("a spreadsheet's days (45000 for 2023-03-15)", source.time, "read as days"))
    elif values[bought].startswith(SINCE_1970):
        told.append(("seconds or milliseconds since 1970", source.time, "read as times in UTC"))
    changes = [Change(f"numbers in {what}", column, action=action) for what, column, action in told]
    if literal(ZONED) in values[bought]:
        zoned = count_zoned(file, source.time)
        changes.append(Change("times with a zone", source.time, zoned, BY_THE_CLOCK))
    if not source.amount:
        price = source.price
        action = f'{source.quantity} times {price}; --role amount="{price}" takes it as it stands'
        changes.append(Change("no column of amounts", price, action=action))
    if rate is not None:
        action = f'taken off quantity times price; --role ignore="{source.discount}" takes none'
        changes.append(Change("discounts", source.discount, action=action))
    kept = f"NOT ({ignore})" + (f" OR {some}" if is_plain else "")
    query = _named({key: sql for key, sql in chosen.items() if key not in lacking})
    query += f" FROM (SELECT *, {_named(values)} FROM {file.sql}) AS cells WHERE {kept}"
    return f"SELECT {query}", changes, _named(lacking)


def _named(columns: dict[str, str]) -> str:
    """List columns as SQL, by name."""
    return ", ".join(f"{sql} AS {key}" for key, sql in columns.items())


def _needed_columns(source: Source, *parts: str) -> dict[str, str]:
    """Return the columns that lines are made from, each with a part of [source] that names it."""
    return used_columns(source, [p for p in parts or PARTS if p != "price" or not source.amount])


def _total(amounts: dict[str, str], columns: str) -> str:
    """Add amounts up, a gap counting as nothing where there are several."""
    parts = [amounts[column] for column in summands(columns)]
    if len(parts) < 2:
        return parts[0] if parts else NO_NUMBER
    return " + ".join(f"coalesce({amount}, 0)" for amount in parts)


def _is_rate(file: Lines, discount: str) -> bool | None:
    """Whether discounts are parts of the full price rather than amounts; None where none is."""
    (most,) = file.ask(f"max(abs({discount}))")[0]
    return most <= 1 if most else None


def _discounted(full: str, discount: str, rate: bool | None) -> str:
    """Take discounts off what quantity and price make; a line that is given back has its own."""
    if rate is None:
        return full
    off = f"abs(coalesce({discount}, 0))"
    return f"({full}) * (1 - {off})" if rate else f"({full}) - sign({full}) * {off}"


def _goods(source: Source, file: Lines) -> dict[str, str]:
    """Return what a file tells about goods: their category, and whether they are the shop's own."""
    brand, _, own = (part.strip() for part in source.own_brand.partition("="))
    category = text_of(quoted(source.category), file.types.get(source.category, ""))
    is_own = f"{quoted(brand)} = {literal(own)}"
    return {
        "category": category if source.category in file.types else NO_TEXT,
        "own": is_own if own and brand in file.types else NO_ANSWER,
    }


def _look_up_products(lines: Lines, products: Lines, source: Source) -> Lines:
    """Look up what a second file says about products, each on one row, or raise a `UserError`.

    Its category, also as a number, and own brand become the table `catalogue`, by product. What is
    read as numbers, such as a price, is joined to the lines.
    """
    key = quoted(source.product)
    for file in (lines, replace(products, path=lines.path)):
        file.require({source.product: "product"})
    wanted = [c for c in _needed_columns(source) if c in products.types and c not in lines.types]
    listed = ", ".join(map(quoted, [source.product, *wanted]))
    distinct = f"(SELECT DISTINCT {listed} FROM {products.sql} WHERE {key} IS NOT NULL)"
    once = replace(products, sql=distinct, types={c: products.types[c] for c in wanted})
    if twice := once.ask(f"min({key})", f"GROUP BY {key} HAVING count(*) > 1 LIMIT 1"):
        raise UserError(
            f"the product {twice[0][0]!r} stands on two rows that differ",
            where=f"the file of products for {lines.name}",
            remedy="keep one row per product",
        )
    goods = _named(_goods(source, once))
    place = "CASE WHEN category IS NOT NULL THEN dense_rank() OVER (ORDER BY category) END AS place"
    goods = f"SELECT *, {place} FROM (SELECT {key} AS product, {goods} FROM {distinct}) AS goods"
    lines.run(f"CREATE OR REPLACE TABLE catalogue AS {goods}")
    numbers = {c: products.types[c] for c in wanted if c in _needed_columns(source, *NUMBERS)}
    if not numbers:
        return lines
    priced = f"SELECT {', '.join(map(quoted, [source.product, *numbers]))} FROM {distinct}"
    joined = f"(SELECT * FROM {lines.sql} LEFT JOIN ({priced}) USING ({key}))"
    return replace(lines, sql=joined, types=lines.types | numbers)
