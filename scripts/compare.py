"""Say on one page what changed between two runs.

`python3 scripts/compare.py --help` shows how it is used.
"""

import sys

# In words that older Pythons understand, too.
if sys.version_info < (3, 11):
    sys.exit("This needs Python 3.11, 3.12 or 3.13; this is Python %d.%d." % sys.version_info[:2])

from pathlib import Path

from runner import DONE
from runner.entry import Parser, enter, finish

EPILOG = """\
example:
  run.py --results results/six
  run.py --results results/five --set k=5
  compare.py results/six results/five

exit codes: 0 done, 2 something about the runs or the arguments is wrong.
"""


def main(argv):
    """Compare two runs as the command line says."""
    parser = Parser("compare.py", "Write a page that says what changed between two runs.", EPILOG)
    parser.add_argument("runs", nargs=2, type=Path, metavar="RUN", help="a run's results folder")
    about = "the page to write (default: FIRST-to-SECOND.html beside the second run)"
    parser.add_argument("--output", metavar="FILE", type=Path, help=about)
    options = parser.parse_args(argv)
    enter(Path(__file__), argv)
    from runner.comparison_page import write_comparison

    print(f"Comparison: {write_comparison(*options.runs, options.output)}")
    return DONE


if __name__ == "__main__":
    sys.exit(finish(lambda: main(sys.argv[1:])))
