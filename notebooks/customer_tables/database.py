"""Tables of a database: read into a Parquet file in constant memory, and written back whole.

PostgreSQL, SQLite and DuckDB; other databases through SQLAlchemy where their driver is installed.
A password is never part of an address here: it comes from the environment, or from the files that
the database's own tools read (such as ~/.pgpass).
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from customer_tables.errors import UserError
from customer_tables.text import slug

if TYPE_CHECKING:  # most of a second, and checking an address needs the standard library only
    import duckdb
    import pyarrow as pa
    import sqlalchemy as sa

VARIABLE = "SEGMENTATION_DATABASE_PASSWORD"
ROWS = 50_000  # read at a time
WRITTEN = 4_000  # rows in one statement: the least limit of values in one is 32,766
SECONDS = 10  # to wait for a server
DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
WHOLE = ("postgresql", "sqlite", "mssql")  # a table made there in a transaction is undone with it


def is_address(text: str) -> bool:
    """Whether a text is the address of a database rather than the path of a file."""
    return bool(re.match(r"[a-z][a-z0-9+]+://", text, re.IGNORECASE))


def add_database(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is read from a database."""
    parser.add_argument("--table", default="", metavar="NAME", help="table, for a database")
    parser.add_argument("--query", default="", metavar="SQL", help="or what to read there")


def check_source(place: str, table: str, query: str) -> None:
    """Check that --input, --table and --query belong together.

    Raises
    ------
    UserError
        If they do not, or an address holds a password.
    """
    address = is_address(place)
    if address:
        check_address(place)
    if address and bool(table) == bool(query):
        what = "a database needs to be told what to read from it"
        where, remedy = f"--input {place}", "add --table NAME or --query SQL, one of them"
    elif not address and (table or query):
        what, where = "--table and --query read from a database", f"--input {place or '(none)'}"
        remedy = "give its address, such as --input postgresql://ann@host/shop"
    else:
        return
    raise UserError(what, where, remedy)


def check_address(address: str, option: str = "--input") -> None:
    """Raise UserError if an address holds a password, which everybody on the machine could read."""
    if urlsplit(address).password is not None or "password=" in address.lower():
        raise UserError(
            "the address holds a password, which others on this machine can read",
            where=f"{option} {without_password(address)}",
            remedy=f"leave it out, and set the variable {VARIABLE} or use ~/.pgpass",
        )


@contextmanager
def fetched(address: str, table: str, query: str) -> Iterator[Path]:
    """Have what was asked for as a Parquet file, for its owner only, while the block lasts."""
    with tempfile.TemporaryDirectory(prefix="customers-") as folder:
        target = Path(folder) / f"{slug(table or 'query', separator='_')}.parquet"
        fetch(address, target, table=table, query=query)
        try:
            yield target
        except UserError as error:  # that is about the table, not about a file that is gone
            shown = f"{address}, {f'table {table}' if table else 'query'}"
            where = error.where.replace(str(target), shown)
            raise UserError(error.what, where, error.remedy) from None


def without_password(address: str) -> str:
    """Return an address as messages and records show it."""
    hidden = re.sub(r"(://[^/@:]*):[^@/]*@", r"\1@", address)
    return re.sub(r"(?i)(password=)[^&]*", r"\1…", hidden)


def fetch(address: str, target: Path, *, table: str = "", query: str = "") -> None:
    """Read a table, or what a query gives, into a Parquet file, a part at a time.

    Exact decimal numbers become floating ones, times with a zone become UTC, and what Parquet does
    not know becomes text.

    Parameters
    ----------
    address : str
        Such as ``postgresql://ann@host/shop``, ``sqlite:///shop.db`` or ``duckdb:///shop.duckdb``.
    target : pathlib.Path
        Must not exist.
    table, query : str
        One of both.

    Raises
    ------
    UserError
        If the database cannot be reached or read, there is no such table, or it is empty.
    """
    import duckdb
    import pyarrow.parquet as pq

    os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o600))
    if _is_duckdb(address):
        with _duckdb(address, read_only=True) as connection:
            rows = connection.sql(query) if query else connection.table(table)
            rows.write_parquet(str(target))
        found = pq.read_metadata(target).num_rows
    else:
        parts: list[str] = []
        with _connected(address) as connection:
            for batch in _batches(connection, address, table, query):
                parts.append(str(target.with_name(f"{target.stem}.{len(parts)}.part")))
                with open(parts[-1], "xb", opener=_for_the_owner) as file:
                    pq.write_table(batch, file)
        if parts:  # types of all parts together: whole numbers and fractions are numbers
            duckdb.read_parquet(parts, union_by_name=True).write_parquet(str(target))
        for part in parts:
            Path(part).unlink()
        found = len(parts)
    if not found:
        raise _refusal(address, "it has no rows", "name another table, or change the query", table)


def _batches(connection: sa.Connection, address: str, table: str, query: str) -> Iterator[pa.Table]:
    """Read a table or what a query gives in parts, from a cursor of the server's."""
    import pyarrow as pa
    import sqlalchemy as sa

    if table:
        found, (schema, name) = sa.inspect(connection), _split(table)
        if not found.has_table(name, schema=schema):
            names = [*found.get_table_names(schema), *found.get_view_names(schema)]
            close = difflib.get_close_matches(name, names, 1) or sorted(names)[:5]
            remedy = f"there is {', '.join(close)}" if close else "there is none that you may read"
            raise _refusal(address, f"there is no table {table!r}", remedy)
        statement: sa.Executable = sa.select(sa.text("*")).select_from(
            sa.table(name, schema=schema)
        )
    else:
        statement = sa.text(query.replace(":", r"\:"))
    rows = connection.execution_options(yield_per=ROWS).execute(statement)
    names = list(rows.keys())
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        what = f"two columns are called {repeated[0]!r}"
        raise _refusal(address, what, "give one another name in the query (AS)")
    for part in rows.partitions():
        yield pa.table([_column(values) for values in zip(*part, strict=True)], names)


def _column(values: Sequence[Any]) -> pa.Array:
    """Bring a part of a column into types that Parquet and the reader know."""
    import pyarrow as pa

    if any(isinstance(value, Decimal) for value in values):
        values = [float(value) if isinstance(value, Decimal) else value for value in values]
    try:
        column = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    kind = column.type
    if pa.types.is_timestamp(kind):  # Arrow keeps the moment in UTC beside the zone
        return column.cast(pa.timestamp("us", kind.tz and "UTC"))
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_temporal(kind):
        if not pa.types.is_date(kind):
            return pa.array([None if value is None else str(value) for value in values])
    return column


def key_of(customers: Path, identifier: str) -> pa.Field:
    """Return the name and type by which a table of scored customers is joined to theirs.

    Whole numbers in Parquet, and so in a database, stay whole numbers; anything else is text.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with suppress(pa.ArrowInvalid, KeyError):
        if pa.types.is_integer((key := pq.read_schema(customers).field(identifier)).type):
            return key
    return pa.field(identifier, pa.string())


def publish(address: str, table: str, source: Path, key: pa.Field) -> None:
    """Write a Parquet file of scored customers as a table, new or replaced whole.

    Its first column, the customer, gets the name and type of the key, unless another column has
    that name. One transaction: others see the old table or the new one. A table is only replaced
    if it has the same columns, so that no other table is lost by a slip.

    Raises
    ------
    UserError
        If the database cannot be reached, the table may not be written, or is another kind of one.
    """
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq
    import sqlalchemy as sa

    from customer_tables.duckdb_files import literal, quoted

    file, (schema, name) = pq.ParquetFile(source), _split(table)
    customer, *others = file.schema_arrow.names
    identifier = key.name if key.name.casefold() not in ("", *others) else customer
    names = [identifier, *others]
    if _is_duckdb(address):
        with _duckdb(address) as connection:
            with suppress(duckdb.CatalogException):
                _refuse_other_columns(address, table, connection.table(table).columns, names)
            place = ".".join(quoted(part) for part in (schema, name) if part)
            kind = "BIGINT" if pa.types.is_integer(key.type) else "VARCHAR"
            first = f"CAST({customer} AS {kind}) AS {quoted(identifier)}"
            rows = f"* EXCLUDE ({customer}) FROM read_parquet({literal(str(source))})"
            connection.execute(f"CREATE OR REPLACE TABLE {place} AS SELECT {first}, {rows}")
        return
    with _connected(address, write=True) as connection:
        if connection.dialect.name not in WHOLE:
            what = f"{connection.dialect.name} makes no table in a transaction"
            raise _refusal(address, what, "write a CSV or Parquet file with --output", table)
        if (found := sa.inspect(connection)).has_table(name, schema=schema):
            columns = [column["name"] for column in found.get_columns(name, schema=schema)]
            _refuse_other_columns(address, table, columns, names)
        how: Literal["replace", "append"] = "replace"
        for batch in file.iter_batches(WRITTEN):
            batch = batch.set_column(0, identifier, batch.column(0).cast(key.type))
            batch.to_pandas().to_sql(
                name, connection, schema=schema, if_exists=how, index=False, method="multi"
            )
            how = "append"


def _refuse_other_columns(address: str, table: str, columns: list[str], names: list[str]) -> None:
    if columns != names:
        what = f"the table {table!r} is there and holds something else"
        raise _refusal(address, what, "choose a new name with --output-table", table)


def _is_duckdb(address: str) -> bool:
    return address.lower().startswith("duckdb://")


@contextmanager
def _duckdb(address: str, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a file of DuckDB; what goes wrong with it is a user's error."""
    import duckdb

    path = Path(urlsplit(address).path.removeprefix("/"))
    if not path.is_file():
        raise _refusal(address, f"there is no file {path.name!r}", "check the path")
    try:
        with duckdb.connect(str(path), read_only=read_only) as connection:
            yield connection
    except duckdb.Error as error:
        raise _explained(address, error) from None


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _split(table: str) -> tuple[str | None, str]:
    schema, _, name = table.rpartition(".")
    return schema or None, name


def _refusal(address: str, what: str, remedy: str, table: str = "") -> UserError:
    place = f"{without_password(address)}{f', table {table}' if table else ''}"
    return UserError(what, place, remedy)


@contextmanager
def _connected(address: str, *, write: bool = False) -> Iterator[sa.Connection]:
    """Open a database for one transaction; what goes wrong with it is a user's error."""
    import sqlalchemy as sa

    try:
        engine = _engine(address, write)
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql" and not write:
                connection.execute(sa.text("SET TRANSACTION READ ONLY"))
            yield connection
    except (sa.exc.NoSuchModuleError, ImportError, sa.exc.ArgumentError) as error:
        what = f"no driver for {address.partition(':')[0]!r} is installed, or the address is wrong"
        remedy = "postgresql://, sqlite:/// and duckdb:/// work; others with SQLAlchemy's driver"
        raise _refusal(address, what, remedy) from error
    except sa.exc.SQLAlchemyError as error:
        raise _explained(address, error) from None


def _engine(address: str, write: bool) -> sa.Engine:
    import sqlalchemy as sa

    url = sa.make_url(address)
    url = url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
    if password := os.environ.get(VARIABLE):
        url = url.set(password=password)
    file, settings = url.database or "", {}
    if url.get_backend_name() == "sqlite":
        if not Path(file).is_file():  # or SQLite would make one
            raise _refusal(address, f"there is no file {Path(file).name!r}", "check the path")
        mode = "rw" if write else "ro"
        url = url.set(database=f"file:{Path(file).resolve()}", query={"mode": mode, "uri": "true"})
    if url.get_backend_name() == "postgresql":
        settings = {"connect_timeout": SECONDS}
    engine = sa.create_engine(url, connect_args=settings, poolclass=sa.NullPool)
    if url.get_backend_name() == "sqlite":  # Python's driver would end the transaction at a DROP

        @sa.event.listens_for(engine, "connect")
        def leave_transactions_alone(connection: Any, _: Any) -> None:
            connection.isolation_level = None

        @sa.event.listens_for(engine, "begin")
        def begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN")

    return engine


def _explained(address: str, error: Exception) -> UserError:
    """Say in a sentence what the database said, without a password."""
    said = " ".join(str(getattr(error, "orig", None) or error).strip().splitlines()[:2])
    if password := os.environ.get(VARIABLE):
        said = said.replace(password, "…")
    remedy = (
        f"check host, user and password ({VARIABLE} or ~/.pgpass)"
        if type(error).__name__ == "OperationalError"
        else "check table, query and your rights there"
    )
    return _refusal(address, f"the database says: {said[:200]}", remedy)
