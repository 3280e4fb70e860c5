"""The command line of a run, read and checked before anything else happens."""

from __future__ import annotations

import argparse
import difflib
from dataclasses import dataclass, field
from pathlib import Path

from customer_tables.errors import UserError
from runner.entry import Parser
from runner.parameters import FILES
from segmentation.stages import Stage

TIME_LIMIT_MINUTES = 120.0

_EPILOG = """\
examples:
  run.py                             the embedded credit-card portfolio
  run.py --input "CC GENERAL.csv"    your own table
  run.py --set k=6 --set seed=7      other settings; they are listed in the notebooks' first cells
  run.py --from 04                   again from the fourth notebook on
  run.py --from-manifest old/manifest.json --results again
                                     an old run once more, compared byte by byte
  run.py --dataset retail --engine spark
                                     purchases summed up and everybody scored on Spark

exit codes: 0 done, 1 a stage failed, 2 something about the input or the arguments is wrong,
130 interrupted. Results are replaced as a whole at the end: a run that fails or is stopped leaves
the earlier ones as they were.
"""


@dataclass(frozen=True)
class Options:
    """What the user asked for, as text that is still to be checked against files."""

    dataset: str | None = None
    input: Path | None = None
    demographics: Path | None = None
    results: Path | None = None
    settings: dict[str, str] = field(default_factory=dict)
    start: Stage | None = None
    only: Stage | None = None
    force: bool = False
    quick: bool = False
    wait: bool = False
    time_limit: float = TIME_LIMIT_MINUTES * 60  # seconds
    manifest: Path | None = None
    engine: str = "duckdb"
    place: str = ""  # what --input says, as Spark reads it: it may be a URL
    master: str | None = None
    conf: list[str] = field(default_factory=list)
    sample_size: int | None = None


def parse(argv: list[str], series: tuple[Stage, ...]) -> Options:
    """Read the command line.

    Parameters
    ----------
    argv : list of str
        The arguments, without the command itself.
    series : tuple of Stage
        The notebooks that --from and --only may name.

    Raises
    ------
    UserError
        At the first argument that cannot be meant.
    """
    parser = _parser()
    given, unknown = parser.parse_known_args(argv)
    if unknown:
        raise _unknown(unknown[0], parser)
    values = vars(given)
    settings = dict(_setting(text) for text in values.pop("set"))
    settings |= {name: text for name in READING if (text := values.pop(name)) is not None}
    settings |= {"raw": "yes"} if values.pop("raw") else {}
    _check(given, settings)
    for name, option in (("start", "--from"), ("only", "--only")):
        if values[name]:
            values[name] = _find_stage(series, values[name], option)
    values["place"] = given.input or ""
    values["input"] = Path(given.input) if given.input and given.engine != "spark" else None
    values["time_limit"] *= 60
    return Options(**values, settings=settings)


def _check(given: argparse.Namespace, settings: dict[str, str]) -> None:
    """Check that what was asked for goes together.

    Raises
    ------
    UserError
        At the first mistake.
    """
    spark = given.engine == "spark"
    others = {"--master": given.master, "--conf": given.conf, "--sample-size": given.sample_size}
    alone = next((name for name, value in others.items() if value), None)
    rerun = given.only or given.start or given.quick or settings.keys() - FILES.keys()
    line = "on the command line"
    for mistake, what, where, remedy in (
        (
            given.only and (given.start or given.force),
            "--only does not go together with --from or --force",
            line,
            "--only always reruns its stage; leave the other option out",
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
            raise UserError(what, where, remedy)


def _find_stage(series: tuple[Stage, ...], text: str, option: str) -> Stage:
    """Return the stage that a user means by a number or a name.

    Raises
    ------
    UserError
        If there is none.
    """
    wanted = text.strip().removesuffix(".ipynb").lower()
    for stage in series:
        if wanted in (stage.number, stage.number.lstrip("0"), stage.name, stage.slug, stage.topic):
            return stage
    names = [name for stage in series for name in (stage.name, stage.slug, stage.topic)]
    close = difflib.get_close_matches(wanted, names, 1)
    raise UserError(
        f"there is no notebook {text!r}",
        where=option,
        remedy=f"did you mean {close[0]}?"
        if close
        else f"give one of {', '.join(stage.number for stage in series)}",
    )


# How to read a table where that is in doubt: parameters of the first notebook.
READING = {
    "delimiter": ("MARK", "what separates cells: comma, semicolon, tab, pipe or the character"),
    "encoding": ("NAME", "how letters are stored, such as utf-8 or cp1252"),
    "decimal": ("MARK", "the decimal mark: point or comma"),
    "sheet": ("NAME", "name or place of a workbook's sheet"),
    "date_order": ("ORDER", "dmy or mdy, for dates like 03/04/2024"),
}


def _parser() -> Parser:
    parser = Parser(
        "run.py", "Run the notebooks on a table of customers and publish the report.", _EPILOG
    )
    add = parser.add_argument
    add("--dataset", metavar="NAME", help="a folder under data/, or a folder or .toml of your own")
    add("--input", metavar="FILE", help="your table: CSV, TSV, Parquet, Excel; gzip too")
    add(
        "--demographics",
        metavar="FILE",
        type=Path,
        help="a second table, of who the customers are, for a file of transactions",
    )
    for name, (word, text) in READING.items():
        add(f"--{name.replace('_', '-')}", dest=name, metavar=word, help=text)
    add("--results", metavar="DIR", type=Path, help="where to write (default: results/<dataset>)")
    add(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a parameter of the notebooks, such as k=6; may be repeated",
    )
    add("--from", dest="start", metavar="NN", help="rerun from this notebook on")
    add("--only", metavar="NN", help="rerun this notebook only")
    add("--force", action="store_true", help="rerun all notebooks, also those up to date")
    add("--quick", action="store_true", help="small settings, for a look in seconds")
    add(
        "--from-manifest",
        dest="manifest",
        metavar="FILE",
        type=Path,
        help="repeat the run that wrote this manifest.json, on the same input only",
    )
    add(
        "--engine",
        choices=("duckdb", "spark"),
        default="duckdb",
        help="what sums up purchases: duckdb (the default), or spark, which also draws a sample "
        "for the notebooks and scores everybody; --input may be a folder or URL then",
    )
    add("--master", metavar="URL", help="of Spark (default: local[*], this machine)")
    add(
        "--conf",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a setting of Spark; may be repeated",
    )
    add("--sample-size", type=int, metavar="N", help="customers for the notebooks (100000)")
    add("--raw", action="store_true", help="lists keep texts that a spreadsheet runs as formulas")
    add("--wait", action="store_true", help="wait for another run into the same results")
    add(
        "--time-limit",
        metavar="MINUTES",
        type=float,
        default=TIME_LIMIT_MINUTES,
        help="how long one notebook may take (default: %(default)g)",
    )
    return parser


def _unknown(argument: str, parser: argparse.ArgumentParser) -> UserError:
    if not argument.startswith("-"):
        return UserError(
            f"an argument that belongs to no option: {argument!r}",
            where="on the command line",
            remedy=f'a table is given as --input "{argument}", a dataset as --dataset NAME',
        )
    name = argument.partition("=")[0]
    close = difflib.get_close_matches(name, parser._option_string_actions, 1)
    return UserError(
        f"there is no option {name}",
        where="on the command line",
        remedy=f"did you mean {close[0]}?" if close else "run.py --help lists them all",
    )


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UserError(
            f"{text!r} sets nothing",
            where="--set",
            remedy="write NAME=VALUE, such as --set k=6",
        )
    return name.strip(), value
