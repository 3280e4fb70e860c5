"""Run the notebooks on a table of customers and publish the report.

`python3 scripts/run.py --help` lists the options.
"""

import sys

# In words that older Pythons understand, too.
if sys.version_info < (3, 11):
    sys.exit("This needs Python 3.11, 3.12 or 3.13; this is Python %d.%d." % sys.version_info[:2])

from pathlib import Path

from runner import command

if __name__ == "__main__":
    sys.exit(command.main(Path(__file__), sys.argv[1:]))
