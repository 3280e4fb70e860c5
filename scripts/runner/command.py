"""The command `run.py`: from arguments, checked before anything else happens, to an exit code."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from customer_tables.database import add_database, check_source, fetched, is_address
from customer_tables.errors import UserError
from customer_tables.source import parse_roles
from customer_tables.text import did_you_mean
from runner import NOTEBOOKS
from runner.entry import Parser, enter, finish
from runner.inputs import READING, TIME_LIMIT_MINUTES, Options
from runner.notebook_files import NEXT_PERIOD
from runner.plan import make_plan
from segmentation.stages import SERIES, Stage

_EPILOG = """\
examples:
  run.py                             the embedded credit-card portfolio
  run.py --input "CC GENERAL.csv"    your own table
  run.py --input orders.csv --role customer=CUSTOMERNAME --role amount=SALES
                                     what its columns are, where a message asks
  run.py --input postgresql://ann@host/shop --table customers
                                     a table of a database, or --query "SELECT …"
  run.py --set k=6 --set seed=7      other settings; they are listed in the notebooks' first cells
  run.py --from 04                   again from the fourth notebook on
  run.py --from-manifest old/manifest.json --results again
                                     an old run once more, compared byte by byte
  run.py --dataset retail --engine spark
                                     purchases aggregated and all customers scored on Spark

exit codes: 0 done, 1 a stage failed, 2 something about the input or the arguments is wrong,
130 interrupted. Results are replaced as a whole at the end: a run that fails or is stopped leaves
the earlier ones as they were.
"""


def main(
    script: Path,
    argv: list[str],
    *,
    series: tuple[Stage, ...] = SERIES,
    notebooks: Path = NOTEBOOKS,
) -> int:
    """Run the notebooks of a series as the command line says, and return the exit code.

    `script` is the command itself, to be started again inside the environment.
    """

    def run() -> int:
        options = parse(argv, series)
        if options.engine == "spark":
            from spark_engine.series import run_on_spark

            return run_on_spark(options, series, notebooks, lambda: enter(script, argv))
        with ExitStack() as at_the_end:
            if is_address(options.place):
                enter(script, argv)
                read = fetched(options.place, options.table, options.query)
                options = replace(options, input=at_the_end.enter_context(read))
            plan = make_plan(options, series, notebooks)
            enter(script, argv)
            from runner import pipeline

            return pipeline.run(plan)

    return finish(run, left="earlier results are as they were")


def parse(argv: list[str], series: tuple[Stage, ...]) -> Options:
    """Read the command line; --from and --only may name the notebooks of `series`.

    Raises UserError at the first argument that cannot be meant.
    """
    parser = _parser()
    given, unknown = parser.parse_known_args(argv)
    if unknown:
        raise _unknown(unknown[0], parser)
    if given.engine != "spark":
        check_source(given.input or "", given.table, given.query)
    values = vars(given)
    settings = dict(_setting(text) for text in values.pop("set"))
    settings |= {name: text for name in READING if (text := values.pop(name)) is not None}
    if roles := values.pop("roles"):
        settings["roles"] = "\n".join(roles)
        parse_roles(settings["roles"])
    settings |= {"raw": "yes"} if values.pop("raw") else {}
    _check(given, settings)
    for name, option in (("start", "--from"), ("only", "--only")):
        if values[name]:
            values[name] = _find_stage(series, values[name], option)
    values["place"] = given.input or ""
    elsewhere = given.engine == "spark" or is_address(values["place"])
    values["input"] = Path(given.input) if given.input and not elsewhere else None
    values["time_limit"] *= 60
    return Options(**values, settings=settings)


def _check(given: argparse.Namespace, settings: dict[str, str]) -> None:
    """Check that what was asked for goes together."""
    spark, line = given.engine == "spark", "on the command line"
    others = {"--master": given.master, "--conf": given.conf, "--sample-size": given.sample_size}
    alone = next((name for name, value in others.items() if value), None)
    rerun = given.only or given.start or given.quick or settings.keys() - {NEXT_PERIOD}
    for mistake, *told in (
        (
            given.only and (given.start or given.force),
            "--only does not go together with --from or --force",
            line,
            "--only always reruns its stage; leave the other option out",
        ),
        (
            spark and settings.get("roles"),
            "--role does not reach Spark",
            "--role",
            "name the columns under [source] in a dataset.toml and give it as --dataset",
        ),
        (
            given.manifest and rerun,
            "--from-manifest takes all settings from the old run",
            line,
            "leave out --set, --quick, --from, --only and how to read the table",
        ),
        (
            given.time_limit <= 0,
            f"a time limit of {given.time_limit:g} minutes lets nothing run",
            "--time-limit",
            "give the minutes that one notebook may take, such as 60",
        ),
        (alone and not spark, f"{alone} is for Spark", line, "add --engine spark"),
        (
            spark and given.manifest,
            "--from-manifest repeats a run on one table",
            line,
            "leave out --engine, and give the old sample with --input",
        ),
        (
            given.sample_size is not None and given.sample_size < 1,
            "the sample is empty",
            "--sample-size",
            "give a number from 1 on",
        ),
    ):
        if mistake:
            raise UserError(*told)


def _find_stage(series: tuple[Stage, ...], text: str, option: str) -> Stage:
    """Return the stage that a user means by a number or a name."""
    wanted = text.strip().removesuffix(".ipynb").lower()
    for stage in series:
        if wanted in (stage.number, stage.number.lstrip("0"), stage.name, stage.slug, stage.topic):
            return stage
    names = [name for stage in series for name in (stage.name, stage.slug, stage.topic)]
    numbers = f"give one of {', '.join(stage.number for stage in series)}"
    raise UserError(f"there is no notebook {text!r}", option, did_you_mean(wanted, names, numbers))


def _parser() -> Parser:
    parser = Parser(
        "run.py", "Run the notebooks on a table of customers and publish the report.", _EPILOG
    )

    def value(flag: str, metavar: str, text: str, **more: object) -> None:
        parser.add_argument(flag, metavar=metavar, help=text, **more)  # type: ignore[arg-type]

    def switch(flag: str, text: str) -> None:
        parser.add_argument(flag, action="store_true", help=text)

    many = {"action": "append", "default": []}
    second = "a second table, of who the customers are, for a file of transactions"
    value("--dataset", "NAME", "a folder under data/, or a folder or .toml of your own")
    value("--input", "FILE", "your table: CSV, TSV, JSON lines, Parquet, workbook; or a database")
    add_database(parser)
    value("--demographics", "FILE", second, type=Path)
    for name, (word, text) in READING.items():
        value(f"--{name.replace('_', '-')}", word, text)
    role = "what a column is, as customer=CUSTOMERNAME; may be repeated"
    value("--role", "ROLE=COLUMN", role, dest="roles", **many)
    value("--results", "DIR", "where to write (default: results/<dataset>)", type=Path)
    setting = "a parameter of the notebooks, such as k=6; may be repeated"
    value("--set", "NAME=VALUE", setting, **many)
    value("--from", "NN", "rerun from this notebook on", dest="start")
    value("--only", "NN", "rerun this notebook only")
    switch("--force", "rerun all notebooks, also those up to date")
    switch("--quick", "small settings, for a look in seconds")
    again = "repeat the run that wrote this manifest.json, on the same input only"
    value("--from-manifest", "FILE", again, dest="manifest", type=Path)
    parser.add_argument(
        "--engine",
        choices=("duckdb", "spark"),
        default="duckdb",
        help="what aggregates purchases: duckdb (the default), or spark, which also draws a sample "
        "for the notebooks and scores all customers; --input may be a folder or URL then",
    )
    value("--master", "URL", "of Spark (default: local[*], this machine)")
    value("--conf", "KEY=VALUE", "a setting of Spark; may be repeated", **many)
    value("--sample-size", "N", "customers for the notebooks (100000)", type=int)
    switch("--raw", "lists keep texts that a spreadsheet runs as formulas")
    switch("--wait", "wait for another run into the same results")
    limit = "how long one notebook may take (default: %(default)g)"
    value("--time-limit", "MINUTES", limit, type=float, default=TIME_LIMIT_MINUTES)
    return parser


def _unknown(argument: str, parser: argparse.ArgumentParser) -> UserError:
    line = "on the command line"
    if not argument.startswith("-"):
        remedy = f'a table is given as --input "{argument}", a dataset as --dataset NAME'
        return UserError(f"an argument that belongs to no option: {argument!r}", line, remedy)
    name, known = argument.partition("=")[0], list(parser._option_string_actions)
    remedy = did_you_mean(name, known, "run.py --help lists them all")
    return UserError(f"there is no option {name}", line, remedy)


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UserError(f"{text!r} sets nothing", "--set", "write NAME=VALUE, such as --set k=6")
    return name.strip(), value
