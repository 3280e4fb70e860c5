"""The command `spark.py`: from arguments to an exit code."""

from __future__ import annotations

import argparse
from pathlib import Path

from customer_tables.errors import UserError
from runner.entry import Parser, enter, finish
from runner.errors import DONE
from spark_engine.series import SAMPLE_SIZE, SEED
from spark_engine.session import LOCAL, open_session, settings_of

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


def main(script: Path, argv: list[str]) -> int:
    """Do what the command line says; return 0, or 2 for a user's mistake."""

    def work() -> int:
        options = _parse(argv)
        enter(script, argv)
        return _customers(options) if options.step == "customers" else _score(options)

    return finish(work)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser("spark.py", "Sum up purchases and score customers on Spark.", _EPILOG)
    steps = parser.add_subparsers(dest="step", required=True, metavar="customers|score",
                                  parser_class=argparse.ArgumentParser)  # fmt: skip
    customers = steps.add_parser("customers", allow_abbrev=False,
                                 help="sum up purchases, and draw a sample")  # fmt: skip
    add = customers.add_argument
    add("--dataset", metavar="NAME", help="a folder under data/, or a .toml file of your own")
    add("--input", default="", metavar="PLACE",
        help="the purchases: file, folder, pattern or URL of Parquet or CSV")  # fmt: skip
    add("--output", required=True, metavar="PLACE",
        help="where the customers go: a new folder of Parquet files, or a URL")  # fmt: skip
    add("--sample", type=Path, required=True, metavar="FILE",
        help="where the sample for the notebooks goes, on this machine: FILE.parquet")  # fmt: skip
    add("--sample-size", type=int, default=SAMPLE_SIZE, metavar="N",
        help="customers in it (default: %(default)d)")  # fmt: skip
    add("--seed", type=int, default=SEED, metavar="N", help="draws the sample (default: 20)")
    for name in ("delimiter", "encoding", "decimal", "date-order"):
        add(f"--{name}", default="", metavar="WORD", help="as run.py --help says")
    score = steps.add_parser("score", allow_abbrev=False, help="find everybody's segment")
    add = score.add_argument
    add("--model", type=Path, required=True, metavar="FILE", help="model.json of a run")
    add("--input", required=True, metavar="PLACE", help="the customers: Parquet or CSV, or a URL")
    add("--output", required=True, metavar="PLACE", help="where the scored customers go")
    for step in (customers, score):
        step.error = parser.error
        step.add_argument("--master", default=LOCAL, metavar="URL",
                          help="of Spark (default: local[*], this machine)")  # fmt: skip
        step.add_argument("--conf", action="append", default=[], metavar="KEY=VALUE",
                          help="a setting of Spark; again for more")  # fmt: skip
    return parser.parse_args(argv)


def _customers(options: argparse.Namespace) -> int:
    from segmentation.dataset import load_dataset
    from spark_engine.customers import Purchases, purchases_of, sum_up_on_spark
    from spark_engine.engine import Spark
    from spark_engine.reporting import say, tell_customers
    from spark_engine.sample_file import check_sample_file, write_sample

    how = {name: getattr(options, name)
           for name in ("delimiter", "encoding", "decimal", "date_order")}  # fmt: skip
    if options.dataset:
        known = load_dataset(options.dataset)
        purchases = purchases_of(known, options.input, **how)
    elif options.input:
        purchases = Purchases(options.input, **how)
    else:
        raise UserError(
            "there are no purchases to sum up",
            where="on the command line",
            remedy="give --dataset NAME or --input PLACE, or both",
        )
    if options.sample_size < 1:
        raise UserError(
            "the sample is empty", where="--sample-size", remedy="give a number from 1 on"
        )
    check_sample_file(options.sample)
    with open_session(options.master, settings_of(options.conf)) as session:
        engine = Spark(session, Path(purchases.place).name or purchases.place)
        summed = sum_up_on_spark(
            engine, purchases, options.output, options.sample_size, options.seed, say
        )
    written = write_sample(options.sample, summed, purchases)
    tell_customers(summed, options.output, str(options.sample), options.seed)
    dataset = options.dataset or written
    print(f"next: run.py --dataset {dataset} --input {options.sample}")
    return DONE


def _score(options: argparse.Namespace) -> int:
    from segmentation.model import load_model
    from spark_engine.engine import Spark
    from spark_engine.reporting import tell_scores
    from spark_engine.scores import score_on_spark

    model = load_model(options.model)
    with open_session(options.master, settings_of(options.conf)) as session:
        engine = Spark(session, Path(options.input).name or options.input)
        scores = score_on_spark(engine, model, options.input, options.output)
    tell_scores(scores, model, options.output)
    return DONE
