"""What a customer is, from lines of purchases: the queries, in DuckDB's dialect, for any engine.

Rules, each counted in the list of changes:

- a line without a customer, a time or an amount is left out;
- a line with an amount or quantity below zero, or of an order called C and a number where others
  are numbers only, is a return: it is taken off the value and is no purchase;
- a customer without any purchase is left out;
- without an order, what a customer buys on one day is one basket.

Amounts are exact decimals, so no sum depends on the order of the lines, nor on the engine. Where
engines disagree, the queries say what is meant: days are counted between dates, and nothing but
numbers of type DOUBLE is divided.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from customer_tables.changes import Change
from customer_tables.errors import UserError
from customer_tables.names import normalise
from customer_tables.source import Source
from segmentation.guessing.columns import simplify_name
from segmentation.transactions.engine import Engine, literal, quoted

EVENING = 17  # o'clock
MOST_CATEGORIES = 10  # by what was spent; the others are summed up
MOST_UNREADABLE = 0.2  # share of lines that may lack something; customers may lack in more

WHOLE = "customer IS NOT NULL AND bought IS NOT NULL AND amount IS NOT NULL"
CANCELLED = (  # of lines, by the order
    r"CASE WHEN basket LIKE 'C%' THEN regexp_full_match(basket, 'C\d+') ELSE false END"
)
# A discount as a part of the full price, in money; rounded, so that its sum has no order either.
FROM_RATE = """CAST(CAST(amount AS DOUBLE) * CAST(discount AS DOUBLE)
    / nullif(1 - CAST(discount AS DOUBLE), 0) AS DECIMAL(28, 10))"""

BASKETS = """
SELECT customer, basket, {day}
    min(bought) AS bought, sum(amount) AS amount, count(*) AS lines,
    sum({discount}) AS discount, coalesce(sum(coupon), 0) > 0 AS couponed,
    sum(amount) FILTER (own) AS own
FROM purchases GROUP BY ALL
"""
DAY = "CASE WHEN basket IS NULL THEN CAST(bought AS DATE) END AS day,"
HABITS = """
SELECT customer,
    date_diff('day', CAST(max(bought) AS DATE), CAST({last} AS DATE)) AS recency_days,
    date_diff('day', CAST(min(bought) AS DATE), CAST({last} AS DATE)) AS tenure_days,
    count(*) AS orders,
    count(DISTINCT date_trunc('month', bought)) AS active_months,
    CAST(sum(amount) AS DOUBLE) AS spent,
    sum(lines) AS lines,
    CAST(coalesce(sum(discount), 0) AS DOUBLE) AS discount,
    CAST(coalesce(sum(own), 0) AS DOUBLE) AS own_brand,
    sum(CAST(couponed AS INTEGER)) AS couponed,
    sum(CAST(isodow(bought) >= 6 AS INTEGER)) AS at_weekends,
    sum(CAST(hour(bought) >= {evening} AS INTEGER)) AS in_evenings,
    CAST(coalesce(sum(amount) FILTER (bought >= {middle}), 0) AS DOUBLE) AS late
FROM baskets GROUP BY customer
"""
GOODS = "SELECT customer, category, sum(amount) AS amount FROM purchases GROUP BY ALL"
RETURNED = """
SELECT customer, CAST(sum(abs(amount)) AS DOUBLE) AS returned
FROM lines WHERE {whole} AND {returned} GROUP BY customer
"""
PRODUCTS = """
SELECT customer, count(*) AS products
FROM (SELECT DISTINCT customer, product FROM alone
      WHERE product IS NOT NULL AND {whole} AND NOT {returned}) GROUP BY customer
"""
CATEGORIES = "SELECT customer, count(category) AS categories{sums} FROM goods GROUP BY customer"


@dataclass(frozen=True)
class _Facts:
    """What the lines are like as a whole."""

    total: int
    without: tuple[int, int, int]  # lines without a customer, a time, an amount
    cancelled: int
    returned: int  # and not cancelled
    free: int
    bought: int
    first: datetime | None
    last: datetime | None
    largest_discount: float | None
    by_day: bool  # the file tells no time of day
    unordered: int  # lines without an order
    is_cancelled: str  # the conditions, as SQL
    is_return: str


def customers_query(
    engine: Engine,
    lines: str,
    source: Source,
    name: str,
    *,
    keep_lines: bool = True,
    alone: str = "",
) -> tuple[str, list[Change]]:
    """Sum lines up to customers inside an engine.

    Parameters
    ----------
    engine : Engine
    lines : str
        The query of `lines_query`.
    source : Source
        What the file's columns are called.
    name : str
        The file's name, for messages.
    keep_lines : bool
        Compute the lines once; otherwise at each look, where reading them is cheap.
    alone : str
        A query of the same lines without what is looked up about products, which many looks do
        not need; by default, `lines` serves them, too.

    Returns
    -------
    str
        The query of customers, over a table that the engine keeps: one row a customer, all
        columns but customer_id of type DOUBLE, in no order.
    list of Change

    Raises
    ------
    UserError
        If the lines cannot be understood.
    """
    (engine.keep if keep_lines else engine.define)("lines", lines)
    engine.define("alone", alone or "SELECT * FROM lines")
    facts = _facts(engine)
    changes = _changes(facts, source, name)
    engine.define("purchases", f"SELECT * FROM lines WHERE {WHOLE} AND NOT {facts.is_return}")
    goods = _goods(engine) if source.category else {}
    engine.keep("customers", _sums(facts, source, goods))
    lost, returned, *varieties = engine.ask(
        "SELECT count(*) FILTER (orders IS NULL), coalesce(max(returned), 0), "
        "coalesce(max(products), 0), coalesce(max(categories), 0) FROM customers"
    )[0]
    if lost:
        changes.append(Change("customers with returns only", rows=lost, action="left out"))
    shown = _columns(source, returned > 0, facts.by_day)
    shown |= {
        column: f"coalesce({column}, 0)"
        for column, most in zip(("products", "categories"), varieties, strict=True)
        if most > 1
    }
    shown |= {column: quoted(column) for column in goods}
    listed = ", ".join(f"CAST({value} AS DOUBLE) AS {quoted(key)}" for key, value in shown.items())
    query = f"SELECT CAST(customer AS VARCHAR) AS customer_id, {listed} FROM customers "
    query += "WHERE orders IS NOT NULL"
    return query, changes


def _facts(engine: Engine) -> _Facts:
    """Look at all lines, once where no order is called C and something."""
    kind = engine.ask("SELECT typeof(basket) FROM alone LIMIT 1")
    is_text = bool(kind) and kind[0][0].upper() in ("VARCHAR", "STRING")
    facts, called = _look(engine, "false", "basket LIKE 'C%'" if is_text else "false")
    if called:
        matched = (
            r"avg(CAST(regexp_full_match(basket, 'C?\d+') AS INTEGER)), "
            r"sum(CAST(regexp_full_match(basket, 'C\d+') AS INTEGER))"
        )
        share, cancelled = engine.ask(f"SELECT {matched} FROM alone")[0]
        if cancelled and share > 0.9:
            facts, _ = _look(engine, CANCELLED)
    return facts


def _look(engine: Engine, cancelled: str, called: str = "false") -> tuple[_Facts, int]:
    """Return what lines are like, given how cancelled ones are told; and how many are called so."""
    back = f"(amount < 0 OR coalesce(quantity, 0) < 0 OR {cancelled})"
    bought = f"{WHOLE} AND NOT {back}"
    conditions = (
        called, "customer IS NULL", "bought IS NULL", "amount IS NULL",
        f"{WHOLE} AND {cancelled}", f"{WHOLE} AND {back} AND NOT {cancelled}",
        f"{bought} AND amount = 0", bought,
    )  # fmt: skip
    counts = ", ".join(f"count(*) FILTER ({condition})" for condition in conditions)
    over = (
        "min(bought)", "max(bought)", "max(abs(discount))",
        "bool_and(bought = date_trunc('day', bought))",
    )  # fmt: skip
    extremes = ", ".join(f"{measure} FILTER ({bought})" for measure in over)
    asked = f"SELECT count(*), {counts}, {extremes}, count(*) - count(basket) FROM alone"
    total, named, *rows = engine.ask(asked)[0]
    return _Facts(total, tuple(rows[:3]), *rows[3:], cancelled, back), named


def _changes(facts: _Facts, source: Source, name: str) -> list[Change]:
    """Count what the rules concern."""
    no_customer, no_time, no_amount = facts.without
    if not facts.bought or no_time + no_amount > MOST_UNREADABLE * facts.total:
        raise UserError(
            f"{max(no_time + no_amount, no_customer):,} of {facts.total:,} lines lack a customer, "
            "a readable time or amount",
            where=name,
            remedy="name the right columns under [source] in dataset.toml",
        )
    if not (isinstance(facts.first, datetime) and isinstance(facts.last, datetime)):
        raise UserError(
            f"the times in {source.time!r} go from {facts.first} to {facts.last}",
            where=name,
            remedy="correct or empty those before the year 1 and after the year 9999",
        )
    counted = (
        (f"lines without a customer ({source.customer})", no_customer, "left out"),
        (f"lines without a readable time ({source.time})", no_time, "left out"),
        ("lines without a readable amount", no_amount, "left out"),
        ("lines of cancelled orders", facts.cancelled, "taken off the value"),
        ("returns: lines below zero", facts.returned, "taken off the value; no purchase"),
        ("lines that cost nothing", facts.free, "kept as bought; they add no value"),
    )
    changes = [
        Change("lines of purchases", rows=facts.total, action="summed up to one row a customer")
    ]
    return changes + [Change(what, rows=rows, action=act) for what, rows, act in counted if rows]


def _goods(engine: Engine) -> dict[str, str]:
    """Return the sums spent on the largest categories, and on the others, by column."""
    engine.keep("goods", GOODS)
    ranked = engine.ask(
        "SELECT category FROM goods WHERE category IS NOT NULL GROUP BY category "
        f"ORDER BY sum(amount) DESC, category LIMIT {MOST_CATEGORIES}"
    )
    kept = [row[0] for row in ranked]
    if not kept:
        return {}
    sums = {
        name: f"category = {literal(category)}" for category, name in category_columns(kept).items()
    }
    known = ", ".join(map(literal, kept))
    sums["spent_on_the_rest"] = f"category IS NULL OR category NOT IN ({known})"
    return {name: f"sum(amount) FILTER ({condition})" for name, condition in sums.items()}


def _sums(facts: _Facts, source: Source, goods: dict[str, str]) -> str:
    """Return the query that sums up all there is on a customer."""
    rate = facts.largest_discount is not None and facts.largest_discount <= 1
    middle = facts.first + (facts.last - facts.first) / 2
    steps = {
        "baskets": BASKETS.format(
            day=DAY if facts.unordered else "", discount=FROM_RATE if rate else "abs(discount)"
        ),
        "habits": HABITS.format(last=_stamp(facts.last), middle=_stamp(middle), evening=EVENING),
    }
    joined, chosen = "habits", ["customer", "habits.* EXCLUDE (customer)"]
    if facts.cancelled or facts.returned:
        steps["gone_back"] = RETURNED.format(whole=WHOLE, returned=facts.is_return)
        joined += " FULL JOIN gone_back USING (customer)"
        chosen.append("coalesce(returned, 0) AS returned")
    else:
        chosen.append("0 AS returned")
    sums = "".join(
        f", CAST(coalesce({value}, 0) AS DOUBLE) AS {quoted(name)}" for name, value in goods.items()
    )
    for part, name, query in (
        ("product", "products", PRODUCTS.format(whole=WHOLE, returned=facts.is_return)),
        ("category", "categories", CATEGORIES.format(sums=sums)),
    ):
        if getattr(source, part):
            steps[f"different_{name}"] = query
            joined += f" LEFT JOIN different_{name} USING (customer)"
            chosen.append(name)
        else:
            chosen.append(f"0 AS {name}")
    chosen += [quoted(name) for name in goods]
    chain = ", ".join(f"{name} AS ({query})" for name, query in steps.items())
    return f"WITH {chain} SELECT {', '.join(chosen)} FROM {joined}"


def _columns(source: Source, has_returns: bool, by_day: bool) -> dict[str, str]:
    """Return what is shown of the sums; what the file does not tell is left out."""
    spent = "CASE WHEN spent > 0 THEN spent ELSE CAST(1 AS DOUBLE) END"
    orders = "CAST(orders AS DOUBLE)"
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
        "returns_share": _share(f"returned / {spent}") if has_returns else "",
        "discount_share": (
            _share("discount / nullif(discount + spent, 0)") if source.discount else ""
        ),
        "own_brand_share": f"own_brand / {spent}" if source.own_brand else "",
    }
    return {name: value for name, value in columns.items() if value}


def _share(value: str) -> str:
    return f"CASE WHEN {value} > 1 THEN 1 WHEN {value} < 0 THEN 0 ELSE {value} END"


def _stamp(at: datetime) -> str:
    return f"CAST({literal(at.isoformat(sep=' '))} AS TIMESTAMP)"


def category_columns(categories: list[str]) -> dict[str, str]:
    """Name a column for each category, each name once."""
    names: dict[str, str] = {}
    for category in categories:
        base = f"spent_on_{simplify_name(category) or normalise(category) or 'unnamed'}"
        taken = sum(name == base or name.startswith(f"{base}__") for name in names.values())
        names[category] = f"{base}__{taken + 1}" if taken else base
    return names
