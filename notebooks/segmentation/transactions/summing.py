"""From lines of purchases to one row a customer, summed up by DuckDB.

Rules, each counted in the list of changes:

- a line without a customer, a time or an amount is left out;
- a line with an amount or quantity below zero, or of an order called C and a number where others
  are numbers only, is a return: it is taken off the value and is no purchase;
- a customer without any purchase is left out;
- without an order, what a customer buys on one day is one basket.

Amounts are exact decimals, so no sum depends on the order of the lines.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import duckdb
import pandas as pd

from segmentation.dataset import Source, normalise
from segmentation.errors import InputError
from segmentation.guessing.columns import simplify_name
from segmentation.reading import Change, Reading
from segmentation.transactions.files import literal, open_file, quoted, unreadable
from segmentation.transactions.lines import Options, lines_query
from segmentation.workspace import digest

EVENING = 17  # o'clock
MOST_CATEGORIES = 10  # by what was spent; the others are summed up
MOST_UNREADABLE = 0.2  # share of lines that may lack something; customers may lack in more

CUSTOMERS = """
WITH baskets AS (
    SELECT customer, coalesce(basket, strftime(bought, '%Y-%m-%d')) AS basket,
        min(bought) AS bought, sum(amount) AS amount, count(*) AS lines, sum(quantity) AS items,
        sum({discount}) AS discount, coalesce(sum(coupon), 0) > 0 AS couponed,
        sum(amount) FILTER (own) AS own
    FROM purchases GROUP BY ALL
)
SELECT customer,
    date_diff('day', max(bought), {end}) AS recency_days,
    date_diff('day', min(bought), {end}) AS tenure_days,
    count(*) AS orders,
    count(DISTINCT date_trunc('month', bought)) AS active_months,
    sum(amount) AS spent,
    sum(amount) / count(*) AS basket_value,
    sum(lines) / count(*) AS basket_lines,
    coalesce(sum(discount), 0) AS discount,
    avg(CAST(couponed AS INTEGER)) AS coupon_share,
    coalesce(sum(own), 0) AS own_brand,
    avg(CAST(isodow(bought) >= 6 AS INTEGER)) AS weekend_share,
    avg(CAST(hour(bought) >= {evening} AS INTEGER)) AS evening_share,
    coalesce(sum(amount) FILTER (bought >= {middle}), 0) AS spent_in_second_half
FROM baskets GROUP BY customer
"""


def sum_up(
    path: Path,
    source: Source,
    *,
    products: Path | None = None,
    delimiter: str = "",
    encoding: str = "",
    decimal: str = "",
    sheet: str = "",
    date_order: str = "",
) -> Reading:
    """Sum lines of purchases up to customers, straight from the file.

    Parameters
    ----------
    path : Path
        Text, Parquet or Excel.
    source : Source
        What its columns are called.
    products : Path, optional
        The columns of products, joined by `Source.product`.

    Returns
    -------
    Reading
        One row a customer: customer_id, recency_days, tenure_days, orders, active_months, spent,
        net_value, basket_value, basket_lines, discount_share, coupon_share, own_brand_share,
        returns_share, weekend_share, evening_share, trend, products, categories, and spent_on_...
        for the largest categories. What the file does not tell is not there.

    Raises
    ------
    InputError
        If the file cannot be read, or its lines cannot be understood.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(duckdb.connect(str(Path(folder) / "lines.duckdb"))) as connection,
    ):
        connection.execute(f"SET temp_directory = {literal(folder)}")
        connection.execute("SET preserve_insertion_order = false")
        file = open_file(
            connection,
            path,
            delimiter=delimiter or None,
            encoding=encoding or None,
            sheet=sheet or None,
        )
        looked_up = open_file(connection, products) if products else None
        options = Options(decimal, date_order)
        query = lines_query(connection, file, source, options, path.name, looked_up)
        try:
            table, changes = _aggregate(connection, query, source, path.name)
        except duckdb.Error as error:
            raise unreadable(path.name, error) from None
    about = {"name": path.name, "format": file.format, "sha256": digest(path), "rows": len(table)}
    kinds = {name: "id" if name == "customer_id" else "number" for name in table}
    return Reading(table, [*file.changes, *changes], kinds, {}, about)


def _aggregate(
    connection: duckdb.DuckDBPyConnection, query: str, source: Source, name: str
) -> tuple[pd.DataFrame, list[Change]]:
    connection.execute(f"CREATE TABLE lines AS {query}")
    cancelled = _cancelled(connection)
    returned = f"(amount < 0 OR coalesce(quantity, 0) < 0 OR {cancelled})"
    whole = "customer IS NOT NULL AND bought IS NOT NULL AND amount IS NOT NULL"
    connection.execute(
        f"CREATE VIEW purchases AS SELECT * FROM lines WHERE {whole} AND NOT {returned}"
    )
    changes = _count(connection, whole, returned, cancelled, source, name)
    first, last = connection.execute("SELECT min(bought), max(bought) FROM purchases").fetchone()
    middle = first + (last - first) / 2
    table = connection.execute(
        CUSTOMERS.format(
            end=_stamp(last),
            middle=_stamp(middle),
            evening=EVENING,
            discount=_discount(connection),
        )
    ).df()
    table = table.set_index("customer").astype("float64")
    taken = connection.execute(
        f"SELECT customer, sum(abs(amount)) AS returned FROM lines WHERE {whole} AND {returned} "
        "GROUP BY customer"
    ).df()
    taken = taken.set_index("customer")["returned"].astype("float64")
    lost = len(taken.index.difference(table.index))
    if lost:
        changes.append(Change("customers with returns only", rows=lost, action="left out"))
    table = _finish(table, taken.reindex(table.index).fillna(0.0), connection, source)
    table = table.join(_variety(connection)).join(_categories(connection, source))
    table = table.dropna(axis=1, how="all").sort_index().rename_axis("customer_id")
    return table.reset_index().astype({"customer_id": "str"}), changes


def _discount(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the discount in money; where none exceeds 1, it is a part of the full price."""
    most = connection.execute("SELECT max(abs(discount)) FROM purchases").fetchone()[0]
    rate = most is not None and most <= 1
    return "amount * discount / nullif(1 - discount, 0)" if rate else "abs(discount)"


def _stamp(at) -> str:
    return f"TIMESTAMP {literal(at.isoformat(sep=' '))}"


def _cancelled(connection: duckdb.DuckDBPyConnection) -> str:
    """Say by which orders purchases are cancelled: C and a number, where others are numbers."""
    share = connection.execute(
        "SELECT avg(CAST(regexp_full_match(basket, 'C?\\d+') AS INTEGER)) FROM lines"
    ).fetchone()[0]
    return "regexp_full_match(coalesce(basket, ''), 'C\\d+')" if (share or 0) > 0.9 else "false"


def _count(connection, whole: str, returned: str, cancelled: str, source: Source, name: str):
    """Count what the rules concern."""
    asked = {
        f"lines without a customer ({source.customer})": ("customer IS NULL", "left out"),
        f"lines without a readable time ({source.time})": ("bought IS NULL", "left out"),
        "lines without a readable amount": ("amount IS NULL", "left out"),
        "lines of cancelled orders": (f"{whole} AND {cancelled}", "taken off the value"),
        "returns: lines below zero": (
            f"{whole} AND {returned} AND NOT {cancelled}",
            "taken off the value; no purchase",
        ),
        "lines that cost nothing": (
            f"{whole} AND NOT {returned} AND amount = 0",
            "kept as bought; they add no value",
        ),
    }
    counts = ", ".join(f"count(*) FILTER ({condition})" for condition, _ in asked.values())
    total, *rows = connection.execute(f"SELECT count(*), {counts} FROM lines").fetchone()
    unreadable_lines = rows[1] + rows[2]
    bought = connection.execute("SELECT count(*) FROM purchases").fetchone()[0]
    if not bought or unreadable_lines > MOST_UNREADABLE * total:
        raise InputError(
            f"{max(unreadable_lines, rows[0]):,} of {total:,} lines lack a customer, a readable "
            "time or amount",
            where=name,
            remedy="name the right columns under [source] in dataset.toml",
        )
    changes = [Change("lines of purchases", rows=total, action="summed up to one row a customer")]
    return changes + [
        Change(what, rows=count, action=action)
        for (what, (_, action)), count in zip(asked.items(), rows, strict=True)
        if count
    ]


def _finish(
    table: pd.DataFrame, returned: pd.Series, connection: duckdb.DuckDBPyConnection, source: Source
) -> pd.DataFrame:
    """Turn sums into shares, and leave out what the file does not tell."""
    spent = table["spent"].where(table["spent"] > 0, 1.0)
    late = table.pop("spent_in_second_half")
    discount, own = table.pop("discount"), table.pop("own_brand")
    table["net_value"] = table["spent"] - returned
    table["trend"] = (late - (table["spent"] - late)) / spent
    if returned.any():
        table["returns_share"] = (returned / spent).clip(upper=1.0)
    if source.discount:
        table["discount_share"] = (discount / (discount + spent)).clip(0.0, 1.0)
    if source.own_brand:
        table["own_brand_share"] = own / spent
    if not source.coupon:
        table = table.drop(columns="coupon_share")
    by_day = connection.execute(
        "SELECT bool_and(bought = date_trunc('day', bought)) FROM purchases"
    ).fetchone()[0]
    return table.drop(columns="evening_share") if by_day else table


def _variety(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Count the different products and categories of each customer."""
    counted = []
    for part, name in (("product", "products"), ("category", "categories")):
        distinct = f"SELECT DISTINCT customer, {part} FROM purchases WHERE {part} IS NOT NULL"
        query = f"SELECT customer, count(*) AS {name} FROM ({distinct}) GROUP BY customer"
        counted.append(connection.execute(query).df().set_index("customer").astype("float64"))
    table = pd.concat(counted, axis=1).fillna(0.0)
    return table.loc[:, table.max() > 1]


def _categories(connection: duckdb.DuckDBPyConnection, source: Source) -> pd.DataFrame:
    """Return what each customer spent on each of the largest categories, and on the others."""
    if not source.category:
        return pd.DataFrame()
    ranked = connection.execute(
        "SELECT category FROM purchases WHERE category IS NOT NULL GROUP BY category "
        "ORDER BY sum(amount) DESC, category"
    ).fetchall()
    kept = [row[0] for row in ranked[:MOST_CATEGORIES]]
    names = category_columns(kept)
    sums = [
        f"coalesce(sum(amount) FILTER (category = {literal(category)}), 0) AS {quoted(name)}"
        for category, name in names.items()
    ]
    known = ", ".join(map(literal, kept))
    sums.append(
        f"coalesce(sum(amount) FILTER (category IS NULL OR category NOT IN ({known})), 0) "
        "AS spent_on_the_rest"
    )
    query = f"SELECT customer, {', '.join(sums)} FROM purchases GROUP BY customer"
    return connection.execute(query).df().set_index("customer").astype("float64")


def category_columns(categories: list[str]) -> dict[str, str]:
    """Name a column for each category, each name once."""
    names: dict[str, str] = {}
    for category in categories:
        base = f"spent_on_{simplify_name(category) or normalise(category) or 'unnamed'}"
        taken = sum(name == base or name.startswith(f"{base}__") for name in names.values())
        names[category] = f"{base}__{taken + 1}" if taken else base
    return names
