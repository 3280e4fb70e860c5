"""The command `compare.py`: from arguments to an exit code."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from customer_tables.errors import UserError
from runner.entry import Parser, enter, finish
from runner.errors import DONE

_EPILOG = """\
example:
  run.py --results results/six
  run.py --results results/five --set k=5
  compare.py results/six results/five

exit codes: 0 done, 2 something about the runs or the arguments is wrong.
"""


def main(script: Path, argv: list[str]) -> int:
    """Compare two runs as the command line says.

    Parameters
    ----------
    script : pathlib.Path
        The command itself, to be started again inside the environment.
    argv : list of str
        Its arguments.

    Returns
    -------
    int
        0 done, 2 a user's mistake.
    """

    def compare() -> int:
        options = _parse(argv)
        enter(script, argv)
        print(f"Comparison: {write_comparison(*options.runs, options.output)}")
        return DONE

    return finish(compare)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser("compare.py", "Write a page that says what changed between two runs.", _EPILOG)
    parser.add_argument("runs", nargs=2, type=Path, metavar="RUN", help="a run's results folder")
    parser.add_argument(
        *("--output",),
        metavar="FILE",
        type=Path,
        help="the page to write (default: FIRST-to-SECOND.html beside the second run)",
    )
    return parser.parse_args(argv)


def write_comparison(first: Path, second: Path, output: Path | None = None) -> Path:
    """Compare two results folders and write the page.

    Parameters
    ----------
    first, second : pathlib.Path
        Results folders.
    output : pathlib.Path, optional
        The page; by default beside the second run, which is left as it is.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    UserError
        If a folder holds no run, the runs are of different datasets, or nothing can be written.
    """
    from runner import comparison, comparison_page

    if first.is_dir() and second.is_dir() and first.samefile(second):
        raise UserError(
            "both runs are the same folder",
            where=str(first),
            remedy="give another folder to one of them: run.py --results FOLDER",
        )
    names = _names(first.resolve(), second.resolve())
    runs = [comparison.read_run(*run) for run in zip((first, second), names, strict=True)]
    path = output or second.resolve().parent / f"{_file(names[0])}-to-{_file(names[1])}.html"
    if path.is_dir():
        raise UserError(
            "--output names a folder", where=str(path), remedy="name a file, such as changes.html"
        )
    found = comparison.compare(*runs)
    try:
        comparison_page.render_comparison(path, found)
    except OSError as error:
        raise UserError(
            f"the page cannot be written: {error.strerror}",
            where=str(path),
            remedy="choose another place with --output",
        ) from None
    return path


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Tell the runs apart by their folders' names, with the folders above where these are equal."""
    if first.name != second.name:
        return first.name, second.name
    above = [tuple(reversed(path.parts)) for path in (first, second)]
    depth = next(i for i, (a, b) in enumerate(zip(*above, strict=False)) if a != b) + 1
    return "/".join(first.parts[-depth:]), "/".join(second.parts[-depth:])


def _file(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)
