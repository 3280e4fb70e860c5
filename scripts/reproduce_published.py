"""Recompute, on the real "CC GENERAL" table, the figures that public analyses quote.

    python3 scripts/reproduce_published.py --input "CC GENERAL.csv"

Prints ours, theirs and the difference, and shows by their segment sizes what is behind the very
high silhouettes that are quoted for the same table.
"""

import sys

# In words that older Pythons understand, too.
if sys.version_info < (3, 11):
    sys.exit("This needs Python 3.11, 3.12 or 3.13; this is Python %d.%d." % sys.version_info[:2])

from pathlib import Path

from runner import environment

if __name__ == "__main__":
    try:
        environment.enter(Path(__file__), sys.argv[1:])
    except environment.UserError as error:
        sys.exit("%s" % error)
    from runner import published

    sys.exit(published.main(sys.argv[1:]))
