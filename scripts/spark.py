r"""Aggregate purchases and score customers on Spark, on this machine or on a cluster.

    python3 scripts/spark.py customers --dataset retail --output everybody --sample sample.parquet
    python3 scripts/spark.py score --model results/retail/model.json \\
        --input everybody --output scored

`python3 scripts/spark.py --help` lists the options.
"""

import argparse
import sys
from pathlib import Path

from runner import DONE
from runner.entry import Parser, run
from spark_engine.session import LOCAL, SAMPLE_SIZE, SEED, open_session, settings_of

_EPILOG = """\
examples:
  spark.py customers --dataset retail --output everybody --sample sample.parquet
  run.py --dataset retail --input sample.parquet
  spark.py score --model results/retail/model.json --input everybody --output scored

on a cluster, with data that all of its workers reach:
  spark.py customers --master spark://host:7077 --conf spark.executor.memory=8g \\
      --dataset shop.toml --input s3a://shop/lines --output s3a://shop/everybody \\
      --sample sample.parquet

exit codes: 0 done, 2 something about Spark, the files or the arguments is wrong, 130 interrupted.
"""


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser("spark.py", "Aggregate purchases and score customers on Spark.", _EPILOG)
    steps = parser.add_subparsers(
        dest="step",
        required=True,
        metavar="customers|score",
        parser_class=argparse.ArgumentParser,
    )
    hint = "aggregate purchases, and draw a sample"
    customers = steps.add_parser("customers", allow_abbrev=False, help=hint)
    add = customers.add_argument
    add("--dataset", metavar="NAME", help="a folder under data/, or a .toml file of your own")
    hint = "the purchases: file, folder, pattern or URL of Parquet or CSV"
    add("--input", default="", metavar="PLACE", help=hint)
    hint = "where the customers go: a new folder of Parquet files, or a URL"
    add("--output", required=True, metavar="PLACE", help=hint)
    hint = "where the sample for the notebooks goes, on this machine: FILE.parquet"
    add("--sample", type=Path, required=True, metavar="FILE", help=hint)
    hint = "customers in it (default: %(default)d)"
    add("--sample-size", type=int, default=SAMPLE_SIZE, metavar="N", help=hint)
    add("--seed", type=int, default=SEED, metavar="N", help="draws the sample (default: 20)")
    for name in ("delimiter", "encoding", "decimal", "date-order"):
        add(f"--{name}", default="", metavar="WORD", help="as run.py --help says")
    scores = steps.add_parser("score", allow_abbrev=False, help="find every customer's segment")
    add = scores.add_argument
    add("--model", type=Path, required=True, metavar="FILE", help="model.json of a run")
    add("--input", required=True, metavar="PLACE", help="the customers: Parquet or CSV, or a URL")
    add("--output", required=True, metavar="PLACE", help="where the scored customers go")
    for step in (customers, scores):
        step.error = parser.error  # type: ignore[method-assign]
        hint = "of Spark (default: local[*], this machine)"
        step.add_argument("--master", default=LOCAL, metavar="URL", help=hint)
        hint = "a setting of Spark; again for more"
        step.add_argument("--conf", action="append", default=[], metavar="KEY=VALUE", help=hint)
    return parser.parse_args(argv)


def _customers(given: argparse.Namespace) -> int:
    from customer_tables.source import Options
    from spark_engine.customers import check_sample, find_purchases, make_customers

    options = Options(
        delimiter=given.delimiter,
        encoding=given.encoding,
        decimal=given.decimal,
        date_order=given.date_order,
    )
    purchases = find_purchases(given.dataset, given.input, options)
    check_sample(given.sample, given.sample_size)
    with open_session(given.master, settings_of(given.conf)) as session:
        made = make_customers(
            session, purchases, given.output, given.sample, given.sample_size, given.seed
        )
    made.tell(given.output, given.sample, given.seed)
    print(f"next: run.py --dataset {given.dataset or made.toml} --input {given.sample}")
    return DONE


def _score(given: argparse.Namespace) -> int:
    from spark_engine.scores import score

    with open_session(given.master, settings_of(given.conf)) as session:
        score(session, given.model, given.input, given.output)
    return DONE


def main(argv: list[str]) -> int:
    """Do what the command line says; return 0, or 2 for a user's mistake."""
    steps = {"customers": _customers, "score": _score}
    return run(_parse, lambda options: steps[options.step](options), __file__, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
