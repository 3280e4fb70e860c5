"""Find the segments of new customers by a model that run.py has written.

    python3 scripts/score.py --model results/credit_card/model.json --input NEW --output scored.csv

`python3 scripts/score.py --help` lists the options.
"""

import argparse
import os
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from runner import DONE  # comes first: it puts notebooks/ on the path
from runner.entry import Parser, leave, run

# isort: split
from customer_tables.database import (
    add_database,
    check_address,
    check_source,
    fetched,
    is_address,
    key_of,
    publish,
)

if TYPE_CHECKING:
    from scoring.scoring import Result
    from segmentation.drift import Drift

DRIFTED = 3
_EPILOG = """\
example:
  score.py --model results/credit_card/model.json --input march.csv --output march_scored.csv

every month, with what changed since training and since the month before:
  score.py --model results/credit_card/model.json --input april.csv --output april_scored.csv \\
      --drift april_drift --before march_scored.csv --fail-on-drift

exit codes: 0 done, 2 something about the files or the arguments is wrong, 3 the
customers have changed (with --fail-on-drift), 130 interrupted.
"""


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser("score.py", "Find the segments of new customers by a fitted model.", _EPILOG)
    path: dict[str, Any] = {"type": Path, "metavar": "FILE"}
    add = parser.add_argument
    add("--model", **path, required=True, help="model.json of a run")
    customers = "the customers: CSV, TSV, Parquet, Excel; gzip too; or a database"
    add("--input", required=True, metavar="FILE", help=customers)
    add_database(parser)
    where = "where the list goes: CSV, Parquet by the ending .parquet, or a database"
    add("--output", required=True, metavar="FILE", help=where)
    add("--output-table", default="", metavar="NAME", help="table there, new or replaced whole")
    units = "go on where columns seem to be in another unit than in training"
    add("--accept-units", action="store_true", help=units)
    page = "write a page there that says what changed since training"
    add("--drift", type=Path, metavar="FOLDER", help=page)
    add("--before", **path, help="an earlier scored list: the page shows which customers moved")
    fail = "end with exit code 3 where the verdict is watch or rebuild"
    add("--fail-on-drift", action="store_true", help=fail)
    fewer = "the page suppresses moves of fewer customers (10)"
    add("--min-group-size", type=int, default=10, metavar="N", help=fewer)
    options = parser.parse_args(argv)
    check_source(options.input, options.table, options.query)
    if is_address(options.output):
        check_address(options.output, "--output")
    if is_address(options.output) != bool(options.output_table):
        parser.error("a database as --output needs --output-table, and a file has none")
    if options.before and not options.drift:
        parser.error("--before needs --drift, which says where the page goes")
    if options.before and not options.before.is_file():
        parser.error(f"--before {str(options.before)!r} is no file")
    return options


def _score(options: argparse.Namespace) -> int:
    # One thread a matrix product: these are small, and the results repeat.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ExitStack() as at_the_end:
        shown = options.output
        if is_address(options.input):
            read = fetched(options.input, options.table, options.query)
            options.input = at_the_end.enter_context(read)
        if is_address(shown):
            folder = at_the_end.enter_context(TemporaryDirectory(prefix="customers-"))
            options.output = Path(folder, "scored.parquet")
        return _score_file(options, shown)


def _score_file(options: argparse.Namespace, shown: str) -> int:
    from tqdm import tqdm

    from scoring.scoring import score_file
    from segmentation.drift import WORDS, compare_period

    if options.drift:
        from scoring.drift_page import PAGE, check_folder

        check_folder(options.drift, Path(options.output))
    form = "{desc}, {percentage:.0f}% of the file [{elapsed}]"
    with tqdm(total=1, bar_format=form, leave=False, disable=None) as bar:

        def advance(customers: int, share: float) -> None:
            bar.set_description_str(f"{customers:,} scored", refresh=False)
            bar.update(share - bar.n)

        files = (options.model, Path(options.input), Path(options.output))
        with score_file(*files, accept_units=options.accept_units, advance=advance) as result:
            drift = compare_period(result.model, result.period)
            if options.drift:  # what is refused here leaves no list behind
                _write_page(options, result, drift)
    if options.output_table:
        key = key_of(Path(options.input), result.identifier)
        publish(shown, options.output_table, options.output, key)
        shown += f", table {options.output_table}"
    with suppress(BrokenPipeError):  # the reader is gone: the list is written
        _report(result, shown)
        if options.drift or options.fail_on_drift:
            print(f"{WORDS[drift.verdict]}: {drift.reasons[0]}")
        if options.drift:
            print(f"What changed: {options.drift / PAGE}")
    return DRIFTED if options.fail_on_drift and drift.verdict != "keep" else DONE


def _write_page(options: argparse.Namespace, result: "Result", drift: "Drift") -> None:
    from scoring.drift_page import drift_files, write_folder
    from scoring.lists import compare_lists

    migration = None
    if options.before:
        names = [entry["name"] for entry in result.model["segments"]]
        migration = compare_lists(options.before, result.partial, names)
    about = (result.model, drift, migration, Path(options.input).name, options.min_group_size)
    write_folder(options.drift, drift_files(*about))


def _report(result: "Result", output: str) -> None:
    """Say in a few lines what was scored and what was repaired."""
    outliers = int(result.period.outliers.sum())
    print(f"{result.period.customers:,} {result.model['nouns']} scored: {output}")
    if outliers:
        where = "farther from their segment's centre than 99.9% of its training customers"
        print(f"{outliers:,} of them are {where} (column outlier).")
    for change in result.changes:
        if not change.action.startswith(("kept", "left")):
            column = f" in {change.column}" if change.column else ""
            print(f"  {change.what}{column}: {change.rows:,} ({change.action})")


def main(argv: list[str]) -> int:
    """Score customers as the command line says; return 0, 2 for a user's mistake, 3 for drift."""
    return run(_parse, _score, __file__, argv)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
