"""Say on one page what changed between two runs.

`python3 scripts/compare.py --help` shows how it is used.
"""

import argparse
import sys
from pathlib import Path

from runner import DONE
from runner.entry import Parser, run

EPILOG = """\
example:
  run.py --results results/six
  run.py --results results/five --set k=5
  compare.py results/six results/five

exit codes: 0 done, 2 something about the runs or the arguments is wrong.
"""


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser("compare.py", "Write a page that says what changed between two runs.", EPILOG)
    parser.add_argument("runs", nargs=2, type=Path, metavar="RUN", help="a run's results folder")
    about = "the page to write (default: FIRST-to-SECOND.html beside the second run)"
    parser.add_argument("--output", metavar="FILE", type=Path, help=about)
    return parser.parse_args(argv)


def _compare(options: argparse.Namespace) -> int:
    from runner.comparison_page import write_comparison

    first, second = options.runs
    print(f"Comparison: {write_comparison(first, second, options.output)}")
    return DONE


def main(argv: list[str]) -> int:
    """Compare two runs as the command line says; return an exit code."""
    return run(_parse, _compare, __file__, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
