"""The command `score.py`: from arguments to an exit code."""

from __future__ import annotations

import argparse
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from runner.entry import Parser, enter, finish
from runner.errors import DONE

if TYPE_CHECKING:
    from scoring.scoring import Result

DRIFTED = 3
_EPILOG = """\
example:
  score.py --model results/credit_card/model.json --input march.csv --output march_scored.csv

every month, with a look at what changed since training and since the month before:
  score.py --model results/credit_card/model.json --input april.csv --output april_scored.csv \\
      --drift april_drift --before march_scored.csv --fail-on-drift

exit codes: 0 done, 2 something about the files or the arguments is wrong, 3 the
customers have changed (with --fail-on-drift), 130 interrupted.
"""


def main(script: Path, argv: list[str]) -> int:
    """Score customers as the command line says.

    Parameters
    ----------
    script : pathlib.Path
        The command itself, to be started again inside the environment.
    argv : list of str
        Its arguments.

    Returns
    -------
    int
        0 done, 2 a user's mistake, 3 drift, 130 interrupted, 143 told to end.
    """

    def score() -> int:
        options = _parse(argv)
        enter(script, argv)
        # One thread a matrix product: these are small, and the results repeat.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        return _run(options)

    return finish(score)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser("score.py", "Find the segments of new customers by a fitted model.", _EPILOG)
    add = parser.add_argument
    add("--model", type=Path, required=True, metavar="FILE", help="model.json of a run")
    add("--input", type=Path, required=True, metavar="FILE",
        help="the customers: CSV, TSV, Parquet, Excel; gzip too")  # fmt: skip
    add("--output", type=Path, required=True, metavar="FILE",
        help="where the list goes: CSV, or Parquet by the ending .parquet")  # fmt: skip
    add("--accept-units", action="store_true",
        help="go on where columns seem to be in another unit than in training")  # fmt: skip
    add("--drift", type=Path, metavar="FOLDER",
        help="write there a page that says what changed since training")  # fmt: skip
    add("--before", type=Path, metavar="FILE",
        help="an earlier scored list: the page shows who moved")  # fmt: skip
    add("--fail-on-drift", action="store_true",
        help="end with exit code 3 where the verdict is watch or rebuild")  # fmt: skip
    add("--min-group-size", type=int, default=10, metavar="N",
        help="the page withholds moves of fewer customers (10)")  # fmt: skip
    options = parser.parse_args(argv)
    if options.before and not options.drift:
        parser.error("--before needs --drift, which says where the page goes")
    if options.before and not options.before.is_file():
        parser.error(f"--before {str(options.before)!r} is no file")
    return options


def _run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from scoring.scoring import score_file

    look = _Look(options)
    try:
        form = "{desc}, {percentage:.0f}% of the file [{elapsed}]"
        with tqdm(total=1, bar_format=form, leave=False, disable=None) as bar:

            def advance(customers: int, share: float) -> None:
                bar.set_description_str(f"{customers:,} scored", refresh=False)
                bar.update(share - bar.n)

            result = score_file(
                options.model,
                options.input,
                options.output,
                accept_units=options.accept_units,
                advance=advance,
                inspect=look.prepare,
            )
        with suppress(BrokenPipeError):  # nobody reads any more: the list is there
            _report(result, options.output)
        return look.finish()
    finally:
        look.drop()


class _Look:
    """The look at drift: prepared before the list takes its name, so that a refusal leaves none."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.drift, self.folder = options, None, None
        if options.drift:
            from scoring.drift_page import DriftFolder

            self.folder = DriftFolder(options.drift, beside=options.output)

    def prepare(self, result: Result, scored: Path) -> None:
        """Compare the customers with those before, and write the page without its name."""
        options = self.options
        if not (options.drift or options.fail_on_drift):
            return
        from segmentation.drift import compare_period

        self.drift, migration = compare_period(result.model, result.period), None
        if options.before:
            from scoring.migration import compare_lists

            names = [entry["name"] for entry in result.model["segments"]]
            migration = compare_lists(options.before, scored, names)
        if self.folder:
            from scoring.drift_page import drift_files

            about = (
                result.model,
                self.drift,
                migration,
                options.input.name,
                options.min_group_size,
            )
            self.folder.stage(drift_files(*about))

    def finish(self) -> int:
        """Say the verdict, give the page its name, and return the exit code."""
        if self.drift is None:
            return DONE
        from segmentation.drift import WORDS

        with suppress(BrokenPipeError):
            print(f"{WORDS[self.drift.verdict]}: {self.drift.reasons[0]}")
        if self.folder:
            page = self.folder.keep()
            with suppress(BrokenPipeError):
                print(f"What changed: {page}")
        drifted = self.options.fail_on_drift and self.drift.verdict != "keep"
        return DRIFTED if drifted else DONE

    def drop(self) -> None:
        """Leave nothing of a page behind that was not finished."""
        if self.folder:
            self.folder.drop()


def _report(result, output: Path) -> None:
    """Say in a few lines what was scored and what was repaired."""
    period = result.period
    strangers = int(period.strangers.sum())
    print(f"{period.customers:,} {result.model['nouns']} scored: {output}")
    if strangers:
        print(f"{strangers:,} of them are unlike any in training (column stranger).")
    repairs = [
        change for change in result.changes if not change.action.startswith(("kept", "left"))
    ]
    for change in repairs:
        column = f" in {change.column}" if change.column else ""
        print(f"  {change.what}{column}: {change.rows:,} ({change.action})")
