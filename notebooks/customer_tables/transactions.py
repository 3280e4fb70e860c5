"""From transaction lines to customers: recency, frequency, value, baskets and habits.

The way of a file: `transaction_columns` tells which of its columns are what; `duckdb_files` opens
it, in pieces and never whole; `duckdb_cells` settles how its cells are written;
`transaction_lines` brings its lines into one form; `aggregation` says in queries what a customer
is; `people` joins who the customers are; `description` writes what came out as a dataset.toml.
"""

from __future__ import annotations

from pathlib import Path

from customer_tables.aggregation import customers_query
from customer_tables.changes import Change, Reading
from customer_tables.duckdb_files import (
    FOUND_OUT,
    Options,
    Relation,
    Run,
    open_duckdb,
    open_file,
    require_space,
    rows_of,
)
from customer_tables.memory import unpacked_size
from customer_tables.source import Source
from customer_tables.storage import file_digest
from customer_tables.transaction_lines import (
    check_columns,
    create_lines,
    look_up_products,
    needed_columns,
)


def aggregate(
    path: Path, source: Source, options: Options = FOUND_OUT, *, products: Path | None = None
) -> Reading:
    """Aggregate transaction lines to customers, straight from the file.

    Parameters
    ----------
    path : Path
        Text, Parquet or Excel.
    source : Source
        What its columns are called.
    options : Options, optional
        How the file is written.
    products : Path, optional
        What is known about products, joined by `Source.product`.

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
    with open_duckdb(path.name, size) as connection:
        if size is not None:
            require_space(path)
        file, run = open_file(connection, path, options), rows_of(connection)
        catalogue = open_file(connection, products) if products else None
        query, changes = aggregate_lines(run, file, source, options, path.name, catalogue)
        table = connection.execute(query).df()
    table = table.astype({"customer_id": "str"}).sort_values("customer_id", ignore_index=True)
    about: dict[str, str | int] = {
        "name": path.name,
        "format": file.format,
        "sha256": file_digest(path),
        "rows": len(table),
    }
    kinds = {name: "id" if name == "customer_id" else "number" for name in table}
    return Reading(table, [*file.changes, *changes], kinds, {}, about)


def aggregate_lines(
    run: Run,
    file: Relation,
    source: Source,
    options: Options,
    name: str,
    products: Relation | None = None,
) -> tuple[str, list[Change]]:
    """Aggregate transaction lines inside an engine.

    Parameters
    ----------
    run : callable
        Runs a query in DuckDB's dialect, which may be one that creates a table or a view.
    file : Relation
        The lines.
    source : Source
        What its columns are called.
    options : Options
        How the file is written.
    name : str
        What the file is called in messages.
    products : Relation, optional
        What is known about products, joined by `Source.product`.

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
    types = file.types | (products.types if products else {})
    check_columns({source.time: "time"} | needed_columns(source), types, name)
    lines = look_up_products(run, file, products, source, name) if products else file
    create_lines(run, lines, source, options, name)
    return customers_query(run, source, name, products=products is not None)
