"""Write a fitted model as one query for a warehouse, in five dialects of SQL.

    python3 scripts/export_sql.py --model results/credit_card/model.json --output sql

`python3 scripts/export_sql.py --help` lists the options.
"""

import argparse
import os
import sys
from pathlib import Path

from runner import DONE
from runner.entry import Parser, run, writing

_EPILOG = """\
example:
  export_sql.py --model results/credit_card/model.json --output sql \\
      --table bank.card_holders --column customer_id=CUST_ID

exit codes: 0 done, 2 something about the files or the arguments is wrong.
"""


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser("export_sql.py", "Write a fitted model as one query for a warehouse.", _EPILOG)
    add = parser.add_argument
    add("--model", type=Path, required=True, metavar="FILE", help="model.json of a run")
    output = "where model.DIALECT.sql go"
    add("--output", type=Path, required=True, metavar="FOLDER", help=output)
    dialects = "duckdb, postgres, spark, bigquery, snowflake; again for more (all)"
    add("--dialect", action="append", metavar="NAME", help=dialects)
    add("--table", default="customers", metavar="NAME", help="the table that is read")
    columns = "what the table calls a column of the model; again for more"
    add("--column", action="append", default=[], metavar="NAME=COLUMN", help=columns)
    return parser.parse_args(argv)


def _export(options: argparse.Namespace) -> int:
    """Write one file for each dialect, and say where they are."""
    from customer_tables.errors import UserError
    from customer_tables.storage import write_atomically, write_private
    from segmentation.model import load_model
    from segmentation.sql import DIALECTS, write_query

    columns = {}
    for pair in options.column:
        name, _, column = pair.partition("=")
        if not (name and column):
            raise UserError(f"{pair!r} is no pair of names", "--column", "write NAME=COLUMN")
        columns[name] = column
    model = load_model(options.model)
    queries = {
        dialect: write_query(model, dialect, table=options.table, columns=columns)
        for dialect in options.dialect or DIALECTS
    }
    # A model that its owner keeps to themselves holds a segment of few customers.
    private = os.name != "nt" and not options.model.stat().st_mode & 0o077
    paths = {dialect: options.output / f"model.{dialect}.sql" for dialect in queries}
    for dialect, path in paths.items():
        with writing("the query", path, "choose another folder with --output"):
            (write_private if private else write_atomically)(path, queries[dialect].encode())
    print(*paths.values(), sep="\n")
    return DONE


def main(argv: list[str]) -> int:
    """Write the queries as the command line says; return 0, or 2 for a user's mistake."""
    return run(_parse, _export, __file__, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
