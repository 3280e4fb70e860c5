"""The command `score.py`: from arguments to an exit code."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

from runner import environment
from runner.errors import DONE, INTERRUPTED, USER_ERROR, UserError

DRIFTED = 3
_EPILOG = """\
example:
  score.py --model results/credit_card/model.json --input march.csv --output march_scored.csv

exit codes: 0 done, 2 something about the files or the arguments is wrong, 130 interrupted.
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors say what to do, without a page of usage."""

    def error(self, message: str) -> None:
        raise UserError(
            message, where="on the command line", remedy="score.py --help shows how it is used"
        )


class _Stopped(BaseException):
    """The system, or another program, asks the command to end."""


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
        0 done, 2 a user's mistake, 130 interrupted, 143 told to end.
    """
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    try:
        options = _parse(argv)
        environment.enter(script, argv)
        # One thread a matrix product: these are small, and the results repeat.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        sys.path.append(str(environment.ROOT / "notebooks"))
        return _run(options)
    except UserError as error:
        print(error, file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("Interrupted; nothing was written.", file=sys.stderr)
        return INTERRUPTED
    except _Stopped as stopped:
        print("Stopped; nothing was written.", file=sys.stderr)
        return 128 + stopped.args[0]


def _stop(number: int, frame: FrameType | None) -> None:
    raise _Stopped(number)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="score.py",
        description="Find the segments of new customers by a fitted model.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--model", type=Path, required=True, metavar="FILE", help="model.json of a run")
    add("--input", type=Path, required=True, metavar="FILE",
        help="the customers: CSV, TSV, Parquet, Excel; gzip too")  # fmt: skip
    add("--output", type=Path, required=True, metavar="FILE",
        help="where the list goes: CSV, or Parquet by the ending .parquet")  # fmt: skip
    add("--accept-units", action="store_true",
        help="go on where columns seem to be in another unit than in training")  # fmt: skip
    return parser.parse_args(argv)


def _run(options: argparse.Namespace) -> int:
    from scoring.progress import Progress
    from scoring.scoring import Result, score_file
    from segmentation.errors import InputError

    progress = Progress()
    try:
        result: Result = score_file(
            options.model,
            options.input,
            options.output,
            accept_units=options.accept_units,
            advance=progress.advance,
        )
    except InputError as error:
        raise UserError(*str(error).split("\n")) from None
    finally:
        progress.close()
    with suppress(BrokenPipeError):  # nobody reads any more: the list is there
        _report(result, options.output)
    return DONE


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
