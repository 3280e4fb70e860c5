"""Measure how much faster the project's ways are than others, as ratios within one run.

    python3 scripts/benchmark.py --quick            # every entry, small sizes
    python3 scripts/benchmark.py --only silhouettes # one entry, full size

`python3 scripts/benchmark.py --help` lists the options.
"""

import sys

# In words that older Pythons understand, too.
if sys.version_info < (3, 11):
    sys.exit("This needs Python 3.11, 3.12 or 3.13; this is Python %d.%d." % sys.version_info[:2])

from pathlib import Path

from benchmarks import command

if __name__ == "__main__":
    sys.exit(command.main(Path(__file__), sys.argv[1:]))
