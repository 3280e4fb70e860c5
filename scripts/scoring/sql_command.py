"""The command `export_sql.py`: from arguments to an exit code."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from customer_tables.errors import UserError
from runner.entry import Parser, enter, finish
from runner.errors import DONE

_EPILOG = """\
example:
  export_sql.py --model results/credit_card/model.json --output sql \\
      --table bank.card_holders --column customer_id=CUST_ID

exit codes: 0 done, 2 something about the files or the arguments is wrong.
"""


def main(script: Path, argv: list[str]) -> int:
    """Write the queries as the command line says; return 0, or 2 for a user's mistake."""

    def write() -> int:
        options = _parse(argv)
        enter(script, argv)
        paths = export(options)
        for path in paths:
            print(path)
        return DONE

    return finish(write)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser("export_sql.py", "Write a fitted model as one query for a warehouse.", _EPILOG)
    add = parser.add_argument
    add("--model", type=Path, required=True, metavar="FILE", help="model.json of a run")
    add("--output", type=Path, required=True, metavar="FOLDER",
        help="where model.DIALECT.sql go")  # fmt: skip
    add("--dialect", action="append", metavar="NAME",
        help="duckdb, postgres, spark, bigquery, snowflake; again for more (all)")  # fmt: skip
    add("--table", default="customers", metavar="NAME", help="the table that is read")
    add("--column", action="append", default=[], metavar="NAME=COLUMN",
        help="what the table calls a column of the model; again for more")  # fmt: skip
    return parser.parse_args(argv)


def export(options: argparse.Namespace) -> list[Path]:
    """Write one file for each dialect, and return where they are."""
    from customer_tables.storage import write_atomically, write_private
    from segmentation.model import load_model
    from segmentation.sql import DIALECTS, write_query

    columns = {}
    for pair in options.column:
        name, sign, column = pair.partition("=")
        if not (name and sign and column):
            raise UserError(
                f"{pair!r} is no pair of names", where="--column", remedy="write NAME=COLUMN"
            )
        columns[name] = column
    model = load_model(options.model)
    queries = {
        dialect: write_query(model, dialect, table=options.table, columns=columns)
        for dialect in options.dialect or DIALECTS
    }
    # A model that its owner keeps to themselves holds a segment of few customers.
    private = os.name != "nt" and not options.model.stat().st_mode & 0o077
    write = write_private if private else write_atomically
    paths = []
    for dialect, query in queries.items():
        path = options.output / f"model.{dialect}.sql"
        try:
            write(path, query.encode())
        except OSError as error:
            raise UserError(
                f"the query cannot be written: {error.strerror}",
                where=str(path),
                remedy="choose another folder with --output",
            ) from None
        paths.append(path)
    return paths
