"""What stands for a whole order on its lines: on one of them, or on each of them again.

Many shops export an order's total, status and currency on its first line only, or its total on
every line. Left so, a cancelled order's further lines would count as bought, and totals of orders
be added up as often as they have lines.
"""

from __future__ import annotations

import re
from dataclasses import replace

from customer_tables.changes import Change
from customer_tables.duckdb_cells import is_rate
from customer_tables.duckdb_files import Lines, literal, quoted
from customer_tables.errors import UserError
from customer_tables.line_kinds import PURCHASE, kind_of
from customer_tables.names import split_name
from customer_tables.source import Source, answer, summands

SAMPLE = 20_000  # lines that show it
ENOUGH = 20  # orders of several lines
FEW_GOODS, CENT = 5, 0.01
NEARLY_ALL = 0.95
APART = 0.5  # different totals an order from which equal lines are no price of a ticket
WHOLE = re.compile(
    r".*\b(total|subtotal|order|invoice|basket|receipt|bill|checkout|totale|totaal|ttc|"
    r"gesamt\w*|rechnung\w*|bestell\w*|brutto\w*)\b.*"
)


def by_line(lines: Lines, source: Source) -> tuple[Lines, Source, list[Change]]:
    """Bring lines into a form in which each says its own: what was done is in the changes.

    A customer, time, status or currency on one line of an order holds for all of them. A total
    counts once, or not at all where a quantity and a price tell what each line cost.
    """
    source, changes = _with_prices_of_lines(lines, source)
    amount = source.amount if source.amount in lines.types else ""
    shared = [*summands(source.status), source.currency]
    shared += [source.customer, source.time] if source.order in lines.types else []
    given_up = [*summands(source.discount), *summands(source.coupon)]
    columns = [c for c in dict.fromkeys([amount, *shared, *given_up]) if c in lines.types]
    facts = _look(lines, columns, _key(lines, source), given_up)
    once = [c for c, (orders, one, *_) in facts.items() if one >= NEARLY_ALL * orders]
    again = [c for c, (orders, _, same, *_) in facts.items() if same >= NEARLY_ALL * orders]
    apart = amount in again and min(facts[amount][3:]) >= APART * facts[amount][0]
    changes += [
        Change(f"{column} on one line of an order", column, action="taken for all of its lines")
        for column in once
        if column in shared
    ]
    if apart and not WHOLE.fullmatch(split_name(amount)):
        what, action = "amounts that are the same on all lines of an order", "kept: added up"
        return lines, source, [*changes, Change(what, amount, action=action)]
    total = amount in once or apart
    off = [f"regexp_matches(CAST({quoted(c)} AS VARCHAR), '[1-9]')" for c in given_up]
    discounted = f"bool_or({' OR '.join(off) or 'false'})"
    if total and source.quantity and source.price and not lines.ask(discounted)[0][0]:
        what = "the total of an order; quantity times price is counted"
        changes.append(Change(what, amount, action="left out"))
        source = replace(source, amount="")
    elif total:
        changes.append(Change("totals of orders on their lines", amount, action="counted once"))
    single = [c for c in given_up if total and c in once + again]
    if not source.amount:
        repeated = [c for c in summands(source.discount) if c in again and c not in single]
        repeated = [c for c in repeated if _is_of_orders(lines, c)]
        what = "discounts of orders on their lines"
        changes += [Change(what, column, action="taken off once") for column in repeated]
        single += repeated
    single += [amount] if total and source.amount else []
    return _spread(lines, source, [c for c in once if c in shared], single), source, changes


def _is_of_orders(lines: Lines, column: str) -> bool:
    """Whether discounts that are the same on all lines of an order are amounts, taken off it once.

    Raises
    ------
    UserError
        If the name does not say whether they are of the order or of each line.
    """
    cell, name = f"CAST({quoted(column)} AS VARCHAR)", split_name(column)
    amount = f"TRY_CAST(replace({cell}, ',', '.') AS DOUBLE)"
    most, percent = lines.ask(f"max(abs({amount})), bool_or(contains({cell}, '%'))")[0]
    if percent or not most or most <= 1 or is_rate(column):
        return False
    if not WHOLE.fullmatch(name) and "line" not in name.split():
        raise UserError(
            f"the discounts in {column!r} are the same on all lines of an order: they may be taken "
            "off the order once, or off each line",
            where=f"{lines.name}, column {column!r}",
            remedy=f"call the column order_{column} or line_{column}; or leave it out: "
            f'--role ignore="{column}"',
            answer=answer(ignore=[column]),
        )
    return bool(WHOLE.fullmatch(name))


def _with_prices_of_lines(lines: Lines, source: Source) -> tuple[Source, list[Change]]:
    """Take a price for the line's amount where it grows with the quantity of one product."""
    needed = [source.quantity, source.price, source.product]
    if source.amount or not all(column in lines.types for column in needed):
        return source, []
    quantity, price = (
        f"TRY_CAST(replace(regexp_replace(CAST({quoted(c)} AS VARCHAR), '[^0-9.,]', '', 'g'), "
        "',', '.') AS DOUBLE)"
        for c in needed[:2]
    )
    some = (
        f"SELECT {quoted(source.product)} AS what, {quantity} AS q, {price} AS p FROM {lines.sql}"
    )
    goods = (
        "SELECT max(p / q) - min(p / q) AS each, max(p) - min(p) AS whole, max(p) AS dearest "
        f"FROM ({some} LIMIT {SAMPLE}) AS some_lines WHERE q > 0 AND p > 0 "
        "GROUP BY what HAVING count(DISTINCT q) > 1"
    )
    grows = f"each <= {CENT} AND whole > {CENT}"
    told = f"SELECT count(*), count(*) FILTER ({grows}) FROM ({goods}) AS goods"
    several, growing = lines.run(told)[0]
    if several < FEW_GOODS or growing < NEARLY_ALL * several:
        return source, []
    change = Change("prices that grow with the quantity", source.price, action="are the line's")
    return replace(source, amount=source.price, price=""), [change]


def _key(lines: Lines, source: Source) -> str:
    """Return the expression of an order: without a number, what a customer buys at one time."""
    parts = [source.order] if source.order in lines.types else [source.customer, source.time]
    return ", ".join(quoted(part) for part in parts)


def _look(
    lines: Lines, columns: list[str], key: str, given_up: list[str]
) -> dict[str, tuple[int, ...]]:
    """Tell of columns in how many orders of several lines they say something, and how.

    Of these, on one line; the same on all lines; how many different; and with different lines. In
    columns of what is given up, 0 says nothing.
    """
    if not columns:
        return {}
    texts = {c: f"nullif(trim(CAST({quoted(c)} AS VARCHAR)), '')" for c in columns}
    for column in given_up:
        texts[column] = (
            f"CASE WHEN regexp_matches({texts[column]}, '[1-9]') THEN {texts[column]} END"
        )
    cells = [f"{text} AS c{i}" for i, text in enumerate(texts.values())]
    every = ", ".join(map(quoted, lines.types))
    some = (
        f"SELECT {key}, hash({every}) AS line, {', '.join(cells)} FROM {lines.sql} LIMIT {SAMPLE}"
    )
    told = "count(c{0}) AS f{0}, count(DISTINCT c{0}) AS d{0}, min(c{0}) AS m{0}"
    of_orders = ", ".join(told.format(i) for i in range(len(columns)))
    orders = (
        f"SELECT count(*) AS n, count(DISTINCT line) AS u, {of_orders} FROM ({some}) AS some_lines "
        f"GROUP BY {key} HAVING count(*) > 1"
    )
    ways = (
        "count(*) FILTER (f{0} > 0), count(*) FILTER (f{0} = 1), "
        "count(*) FILTER (f{0} = n AND d{0} = 1), count(DISTINCT m{0}), count(*) FILTER (u > 1)"
    )
    listed = ", ".join(ways.format(i) for i in range(len(columns)))
    (row,) = lines.run(f"SELECT {listed} FROM ({orders}) AS orders")
    found = {c: row[5 * i : 5 * i + 5] for i, c in enumerate(columns)}
    return {c: facts for c, facts in found.items() if facts[0] >= ENOUGH}


def _no_purchase(lines: Lines, source: Source, column: str) -> str:
    """Return the expression of what a status says, the same for all kinds of purchases."""
    text, given = f"CAST({quoted(column)} AS VARCHAR)", {w.casefold() for w in source.purchase}
    cells = [cell for (cell,) in lines.ask(f"DISTINCT {text}") if cell]
    bought = [c for c in cells if kind_of(column, c) == PURCHASE or c.strip().casefold() in given]
    listed = ", ".join(map(literal, bought)) or "''"
    return f"CASE WHEN {text} IN ({listed}) THEN '' ELSE {text} END"


def _spread(lines: Lines, source: Source, shared: list[str], single: list[str]) -> Lines:
    """Return lines in which an order's columns hold for all of them, or for one of them."""
    if not shared and not single:
        return lines
    key, listed = _key(lines, source), []
    told = [
        _no_purchase(lines, source, c)
        for c in summands(source.status)
        if single and c in lines.types and c not in shared
    ]
    for column, kind in lines.types.items():
        cell = quoted(column)
        if column in shared:
            said = f"nullif({cell}, '')" if kind == "VARCHAR" else cell
            cell = f"max({said}) OVER (PARTITION BY {key}) AS {cell}"
        elif column in single:
            nothing = "'0'" if kind == "VARCHAR" else "0"
            parts = ", ".join([key, cell, *told])
            first = f"row_number() OVER (PARTITION BY {parts} ORDER BY {cell}) = 1"
            said = f"{first} AND trim(CAST({cell} AS VARCHAR)) <> ''"
            cell = f"CASE WHEN {said} THEN {cell} ELSE {nothing} END AS {cell}"
        listed.append(cell)
    return replace(lines, sql=f"(SELECT {', '.join(listed)} FROM {lines.sql})")
