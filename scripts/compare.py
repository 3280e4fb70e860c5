"""Say on one page what changed between two runs.

`python3 scripts/compare.py --help` shows how it is used.
"""

import sys

# In words that older Pythons understand, too.
if sys.version_info < (3, 11):
    sys.exit("This needs Python 3.11, 3.12 or 3.13; this is Python %d.%d." % sys.version_info[:2])

from pathlib import Path

from runner import comparing

if __name__ == "__main__":
    sys.exit(comparing.main(Path(__file__), sys.argv[1:]))
