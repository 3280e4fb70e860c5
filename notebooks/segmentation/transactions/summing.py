"""From a file of purchases to a table of customers, on this machine."""

from __future__ import annotations

from pathlib import Path

import duckdb

from customer_tables.changes import Reading
from customer_tables.memory import unpacked_size
from customer_tables.source import Source
from customer_tables.storage import file_digest
from segmentation.transactions.cells import settle_cells
from segmentation.transactions.customers import customers_query
from segmentation.transactions.engine import open_duckdb, require_space
from segmentation.transactions.files import open_file
from segmentation.transactions.lines import Options, lines_alone, lines_query


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
    UserError
        If the file cannot be read, or its lines cannot be understood.
    """
    size = unpacked_size(path) if path.is_file() else None
    with open_duckdb(path.name, size) as engine:
        if path.is_file():
            require_space(path, engine.folder)
        connection: duckdb.DuckDBPyConnection = engine.connection
        file = open_file(
            connection,
            path,
            delimiter=delimiter or None,
            encoding=encoding or None,
            sheet=sheet or None,
        )
        looked_up = open_file(connection, products) if products else None
        options = Options(decimal, date_order)
        cells = settle_cells(engine, file, source, options, looked_up)
        lines = lines_query(engine, cells, source, options, path.name, looked_up)
        cheap = cells.cheap and (looked_up is None or looked_up.cheap)
        alone = ""
        if cheap and looked_up:
            alone = lines_alone(engine, cells, source, options, path.name, looked_up)
        query, changes = customers_query(
            engine, lines, source, path.name, keep_lines=not cheap, alone=alone
        )
        table = engine.run(query).df()
    table = table.astype({"customer_id": "str"}).sort_values("customer_id", ignore_index=True)
    about = {"name": path.name, "format": file.format, "sha256": file_digest(path)}
    about["rows"] = len(table)
    kinds = {name: "id" if name == "customer_id" else "number" for name in table}
    return Reading(table, [*file.changes, *changes], kinds, {}, about)
