"""What a customer is, from transaction lines: the queries, in DuckDB's dialect, for any engine.

Rules, each counted in the list of changes:

- a line without a customer, a time or an amount is left out;
- a line with an amount or quantity below zero, or of an order whose number says that it is a
  credit note, is a return: it is taken off the value and is no purchase;
- a customer without any purchase is left out;
- without an order, what a customer buys on one day is one basket.

Amounts are exact decimals, so no sum depends on the order of the lines, nor on the engine. Where
engines disagree, the queries say what is meant: days are counted between dates, and nothing but
numbers of type DOUBLE is divided.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from types import SimpleNamespace

from customer_tables.changes import Change
from customer_tables.duckdb_cells import is_filled
from customer_tables.duckdb_files import Lines, Run, literal, quoted
from customer_tables.errors import UserError
from customer_tables.line_kinds import LETTERS, credit_notes
from customer_tables.names import normalise, simplify_name
from customer_tables.source import Source
from customer_tables.text import joined
from customer_tables.transaction_columns import offers
from customer_tables.vocabulary import TOTAL

EVENING = 17  # o'clock
MOST_CATEGORIES = 10  # by what was spent; the others are added up as one
MOST_UNREADABLE = 0.2  # share of lines that may lack a time or an amount
FEW_LINES = 20  # of returns, from which these can be too many
MOST_ANONYMOUS = 0.6  # the same of a customer: many shops sell without a card, too
WAYS_OUT = {
    "customer": "write the customer on every line; or ",
    "time": "write times like 2024-03-31 14:05; or ",
    "amount": "write amounts like 1234.50; or ",
}

WHOLE = "(customer IS NOT NULL AND bought IS NOT NULL AND amount IS NOT NULL)"
# Lines that hold sums of others have no time, and no customer or a total in one of the two places.
LABEL = rf"'(?i)(.*[\s:-])?({TOTAL})'"
SUMS = f"""bought IS NULL AND (customer IS NULL
    OR regexp_full_match(CAST(customer AS VARCHAR), {LABEL})
    OR coalesce(regexp_full_match(misread, {LABEL}), false))"""
FACTS = {  # what the lines are like as a whole
    "total": "count(*)",
    "no_customer": "count(*) FILTER (customer IS NULL)",
    "no_time": "count(*) FILTER (bought IS NULL)",
    "no_amount": "count(*) FILTER (amount IS NULL)",
    "misread": "count(misread) FILTER (amount IS NULL)",
    "cancelled": "count(*) FILTER ({whole} AND {cancelled})",
    "returned": "count(*) FILTER ({whole} AND {back} AND NOT {cancelled})",
    "free": "count(*) FILTER ({purchase} AND amount = 0)",
    "bought": "count(*) FILTER ({purchase})",
    "first": "min(bought) FILTER ({purchase})",
    "last": "max(bought) FILTER ({purchase})",
    "largest_discount": "max(abs(discount)) FILTER ({purchase})",
    "by_day": "bool_and(bought = date_trunc('day', bought)) FILTER ({purchase})",
}
# A discount as a part of the full price, in money; rounded, so that its sum has no order either.
FROM_RATE = """CAST(CAST(amount AS DOUBLE) * CAST(abs(discount) AS DOUBLE)
    / nullif(1 - CAST(abs(discount) AS DOUBLE), 0) AS DECIMAL(28, 10))"""
GOODS = """
SELECT customer, category, sum(amount) AS amount, sum(amount) FILTER (own) AS own
FROM purchases GROUP BY customer, category
"""
# Lines are added up by numbers of categories, which are no longer than needed, unlike their names.
LOOKED_UP = """
WITH sums AS (
    SELECT customer, purchases.category, place, sum(amount) AS amount,
        sum(amount) FILTER (coalesce(purchases.own, catalogue.own)) AS own
    FROM purchases LEFT JOIN catalogue USING (product) GROUP BY ALL
)
SELECT customer, coalesce(sums.category, places.category) AS category, amount, own
FROM sums LEFT JOIN (SELECT DISTINCT place, category FROM catalogue) AS places USING (place)
"""
LARGEST = f"""
SELECT category FROM goods WHERE category IS NOT NULL
GROUP BY category ORDER BY sum(amount) DESC, category LIMIT {MOST_CATEGORIES}
"""
CUSTOMERS = """
WITH baskets AS (
    SELECT customer, basket, CASE WHEN basket IS NULL THEN CAST(bought AS DATE) END AS day,
        min(bought) AS bought, sum(amount) AS amount, count(*) AS lines,
        sum({discount}) AS discount, coalesce(sum(coupon), 0) > 0 AS couponed
    FROM purchases GROUP BY ALL
), habits AS (
    SELECT customer,
        date_diff('day', CAST(max(bought) AS DATE), CAST({last} AS DATE)) AS recency_days,
        date_diff('day', CAST(min(bought) AS DATE), CAST({last} AS DATE)) AS tenure_days,
        count(*) AS orders,
        count(DISTINCT date_trunc('month', bought)) AS active_months,
        CAST(sum(amount) AS DOUBLE) AS spent,
        sum(lines) AS lines,
        CAST(coalesce(sum(discount), 0) AS DOUBLE) AS discount,
        sum(CAST(couponed AS INTEGER)) AS couponed,
        sum(CAST(isodow(bought) >= 6 AS INTEGER)) AS at_weekends,
        sum(CAST(hour(bought) >= {evening} AS INTEGER)) AS in_evenings,
        CAST(coalesce(sum(amount) FILTER (bought >= {middle}), 0) AS DOUBLE) AS late
    FROM baskets GROUP BY customer
), gone_back AS (
    SELECT customer, CAST(sum(abs(amount)) AS DOUBLE) AS returned
    FROM lines WHERE {returned} GROUP BY customer
), variety AS (
    SELECT customer, count(*) AS products
    FROM (SELECT DISTINCT customer, product FROM purchases WHERE product IS NOT NULL)
    GROUP BY customer
), spending AS (
    SELECT customer, count(category) AS categories,
        CAST(coalesce(sum(own), 0) AS DOUBLE) AS own_brand{sums}
    FROM goods GROUP BY customer
)
SELECT customer, habits.* EXCLUDE (customer), coalesce(returned, 0) AS returned,
    coalesce(products, 0) AS products, spending.* EXCLUDE (customer)
FROM habits FULL JOIN gone_back USING (customer)
    LEFT JOIN variety USING (customer) LEFT JOIN spending USING (customer)
"""
EXTREMES = """
SELECT count(*) FILTER (orders IS NULL), coalesce(max(returned), 0), coalesce(max(products), 0),
    coalesce(max(categories), 0)
FROM customers
"""
WITHOUT_AMOUNT = """
SELECT count(DISTINCT customer) FROM lines
WHERE bought IS NOT NULL AND amount IS NULL AND customer NOT IN (SELECT customer FROM customers)
"""


def customers_query(
    file: Lines, source: Source, settled: tuple[list[str], dict[str, str]] | None = None
) -> tuple[str, list[Change]]:
    """Aggregate the table `lines`, which the engine made of a file; see `aggregate_lines`.

    Goods are looked up in the table `catalogue` where there is one. Where the lines are a part of
    a history, `settled` says what the whole of it told, from `settle`.
    """
    run = file.run
    notes, unclear = (settled[0], []) if settled else credit_notes(file, source)
    cancelled = _is_cancelled(notes)
    back = f"(amount < 0 OR coalesce(quantity, 0) < 0 OR {cancelled})"
    purchase = f"({WHOLE} AND NOT {back})"
    asked = f"SELECT {', '.join(FACTS.values())} FROM lines".format(
        whole=WHOLE, cancelled=cancelled, back=back, purchase=purchase
    )
    facts = SimpleNamespace(**dict(zip(FACTS, run(asked)[0], strict=True)))
    _refuse_lacking(file, facts, source)
    if not settled:
        _refuse_reversed(file, facts, source)
    changes = [*_changes(facts, source, notes), *unclear]
    run(f"CREATE OR REPLACE VIEW purchases AS SELECT * FROM lines WHERE {purchase}")
    run(f"CREATE OR REPLACE TABLE goods AS {LOOKED_UP if file.catalogue else GOODS}")
    goods = settled[1] if settled else _goods(run) if source.category else {}
    habits = _aggregated(facts, goods, f"{WHOLE} AND {back}")
    run(f"CREATE OR REPLACE TABLE customers AS {habits}")
    _refuse_total(file, source)
    lost, *most = run(EXTREMES)[0]
    if lost:
        changes.append(Change("customers with returns only", rows=lost, action="left out"))
    if facts.no_amount and (rows := run(WITHOUT_AMOUNT)[0][0]):
        changes.append(Change("customers without any amount", rows=rows, action="left out"))
    shown = _columns(source, facts.by_day, *most) | {column: quoted(column) for column in goods}
    listed = ", ".join(f"CAST({value} AS DOUBLE) AS {quoted(key)}" for key, value in shown.items())
    query = f"SELECT CAST(customer AS VARCHAR) AS customer_id, {listed} FROM customers "
    return f"{query}WHERE orders IS NOT NULL", changes


def settle(lines: Lines, source: Source) -> tuple[list[str], dict[str, str]]:
    """Return how credit notes are called and which categories have a column, once aggregated.

    Parts of a history are aggregated by the same rules as the whole, so that their columns agree.
    """
    return credit_notes(lines, source)[0], _goods(lines.run) if source.category else {}


def _is_cancelled(notes: list[str]) -> str:
    """Return the condition that a line is of a credit note, as the numbers of orders tell."""
    listed = ", ".join(map(literal, notes))
    return f"coalesce({LETTERS} IN ({listed}), false)" if notes else "false"


def _refuse_lacking(file: Lines, facts: SimpleNamespace, source: Source) -> None:
    """Refuse lines most of which have no customer, or too many of which no time or amount."""
    columns = {
        "customer": source.customer,
        "time": source.time,
        "amount": source.amount or f"{source.quantity} times {source.price}",
    }
    for (part, column), lacking, most in zip(
        columns.items(),
        (facts.no_customer, facts.no_time, facts.no_amount),
        (MOST_ANONYMOUS, MOST_UNREADABLE, MOST_UNREADABLE),
        strict=True,
    ):
        if lacking <= most * facts.total:
            continue
        if part == "time":
            sums = file.run(f"SELECT count(*) FILTER ({SUMS}) FROM lines")[0][0]
            if lacking - sums <= most * (facts.total - sums):
                continue
        field = "bought" if part == "time" else part
        (cell,) = file.run(f"SELECT min(misread) FROM lines WHERE {field} IS NULL")[0]
        shown = f" such as {cell[:40]!r}" if cell else ": most cells are empty"
        taken = {"customer": source.customer, "time": source.time, "amount": source.amount}
        offered = offers(file, taken)[part]
        if part == "amount" and not cell and (other := _in_its_place(file, source, offered)):
            if normalise(other) in map(normalise, source.ignore):
                continue
            raise UserError(
                f"{lacking:,} of {facts.total:,} lines have no amount in {column!r} but one in "
                f"{other!r}",
                where=f"{file.name}, columns {column!r} and {other!r}",
                remedy=f'--role ignore="{other}" leaves these lines out; where they are returns, '
                "write all amounts into one column, returns below zero",
            )
        others = " or ".join(offered[:3])
        remedy = f'name another column with --role {part}="COLUMN"'
        remedy = f"is it {others}? Then --role {part}=..." if others else remedy
        raise UserError(
            f"{lacking:,} of {facts.total:,} lines have no readable {part}{shown}",
            where=f"{file.name}, column {column!r}",
            remedy=WAYS_OUT[part] + remedy,
        )
    if not facts.bought:
        raise UserError(
            f"none of {facts.total:,} lines is a purchase: all are returns or lack something",
            where=file.name,
            remedy="check the signs of amounts and quantities, or say which lines are purchases: "
            "--role purchase=CELL",
        )


def _refuse_reversed(file: Lines, facts: SimpleNamespace, source: Source) -> None:
    """Refuse lines most of which are returns: banks write what is spent below zero."""
    if facts.returned > max(facts.bought, FEW_LINES):
        raise UserError(
            f"{facts.returned:,} lines are below zero or refunds, and {facts.bought:,} purchases",
            where=f"{file.name}, column {source.amount or source.quantity!r}",
            remedy="where purchases are written below zero, as banks do, change the sign of every "
            "amount; else bring the purchases of these customers, too",
        )


def _in_its_place(file: Lines, source: Source, columns: list[str]) -> str:
    """Return the column that is filled where the amount is empty, as credit is beside debit."""
    filled = (is_filled(f"CAST({quoted(c)} AS VARCHAR)") for c in (source.amount, *columns))
    own, *others = (f"coalesce({condition}, false)" for condition in filled)
    apart = [f"avg(CAST({own} <> {other} AS INTEGER))" for other in others]
    shares = file.ask(", ".join(apart))[0] if apart and source.amount in file.types else ()
    return next((c for c, n in zip(columns, shares, strict=False) if n >= 0.95), "")


def _refuse_total(file: Lines, source: Source) -> None:
    """Refuse a customer who is called a total and bought as much as all others together."""
    net = "coalesce(spent, 0) - returned"
    every = f"(SELECT sum({net}) FROM customers)"
    found = file.run(
        f"SELECT CAST(customer AS VARCHAR) FROM customers "
        f"WHERE regexp_full_match(CAST(customer AS VARCHAR), {LABEL}) "
        f"AND abs(2 * ({net}) - {every}) <= 0.0001 * abs({every})"
    )
    if found:
        raise UserError(
            f"{found[0][0]!r} is no customer but the sum of all others",
            where=f"{file.name}, column {source.customer!r}{file.line_of(found[0][0])}",
            remedy="take its line out of the file",
        )


def _changes(facts: SimpleNamespace, source: Source, notes: list[str]) -> list[Change]:
    """Count what the rules concern."""
    counted = (
        ("transaction lines", facts.total, "aggregated to one row per customer"),
        (f"lines without a customer ({source.customer})", facts.no_customer, "left out"),
        (f"lines without a readable time ({source.time})", facts.no_time, "left out"),
        (
            f"lines without {'a readable' if facts.misread else 'an'} amount",
            facts.no_amount,
            "left out",
        ),
        (f"lines of orders called {joined(notes)}", facts.cancelled, "taken off the value"),
        (
            "returns: lines below zero, or refunds",
            facts.returned,
            "taken off the value; no purchase",
        ),
        ("lines that cost nothing", facts.free, "kept as bought; they add no value"),
    )
    return [Change(what, rows=rows, action=action) for what, rows, action in counted if rows]


def _goods(run: Run) -> dict[str, str]:
    """Return the sums spent on the largest categories, and on the others, by column."""
    largest = [row[0] for row in run(LARGEST)]
    if not largest:
        return {}
    named = category_columns(largest).items()
    sums = {column: f"category = {literal(category)}" for category, column in named}
    known = ", ".join(map(literal, largest))
    sums["spent_on_the_rest"] = f"category IS NULL OR category NOT IN ({known})"
    return {column: f"sum(amount) FILTER ({condition})" for column, condition in sums.items()}


def _aggregated(facts: SimpleNamespace, goods: dict[str, str], returned: str) -> str:
    """Return the query that aggregates the lines of each customer."""
    rate = facts.largest_discount is not None and facts.largest_discount <= 1
    sums = (f"CAST(coalesce({sql}, 0) AS DOUBLE) AS {quoted(c)}" for c, sql in goods.items())
    return CUSTOMERS.format(
        discount=FROM_RATE if rate else "abs(discount)",
        last=_stamp(facts.last),
        middle=_stamp(facts.first + (facts.last - facts.first) / 2),
        evening=EVENING,
        returned=returned,
        sums="".join(f", {column}" for column in sums),
    )


def _columns(
    source: Source, by_day: bool, returned: float, products: int, categories: int
) -> dict[str, str]:
    """Return what is shown of the sums; what the file does not tell is left out."""
    spent = "CASE WHEN spent > 0 THEN spent ELSE CAST(1 AS DOUBLE) END"
    orders = "CAST(orders AS DOUBLE)"
    discount = _share("discount / nullif(discount + spent, 0)")
    columns = {
        "recency_days": "recency_days",
        "tenure_days": "tenure_days",
        "orders": "orders",
        "active_months": "active_months",
        "spent": "spent",
        "basket_value": f"spent / {orders}",
        "basket_lines": f"CAST(lines AS DOUBLE) / {orders}",
        "coupon_share": f"CAST(couponed AS DOUBLE) / {orders}" if source.coupon else "",
        "weekend_share": f"CAST(at_weekends AS DOUBLE) / {orders}",
        "evening_share": "" if by_day else f"CAST(in_evenings AS DOUBLE) / {orders}",
        "net_value": "spent - returned",
        "trend": f"(late - (spent - late)) / {spent}",
        "returns_share": _share(f"returned / {spent}") if returned > 0 else "",
        "discount_share": discount if source.discount else "",
        "own_brand_share": f"own_brand / {spent}" if source.own_brand else "",
        "products": "products" if products > 1 else "",
        "categories": "categories" if categories > 1 else "",
    }
    return {name: value for name, value in columns.items() if value}


def _share(value: str) -> str:
    return f"CASE WHEN {value} > 1 THEN 1 WHEN {value} < 0 THEN 0 ELSE {value} END"


def _stamp(at: datetime) -> str:
    return f"CAST({literal(at.isoformat(sep=' '))} AS TIMESTAMP)"


def category_columns(categories: list[str]) -> dict[str, str]:
    """Name a column for each category, each name once."""
    names: dict[str, str] = {}
    taken: Counter[str] = Counter()
    for category in categories:
        base = f"spent_on_{simplify_name(category) or normalise(category) or 'unnamed'}"
        taken[base] += 1
        names[category] = base if taken[base] == 1 else f"{base}__{taken[base]}"
    return names
