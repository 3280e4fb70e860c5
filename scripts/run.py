"""Run the notebooks on a table of customers and publish the report.

`python3 scripts/run.py --help` lists the options.
"""

import gc
import sys
from pathlib import Path

from runner import command

if __name__ == "__main__":
    code = command.main(Path(__file__), sys.argv[1:])
    gc.freeze()  # Python's own end would look for garbage for most of a second
    sys.exit(code)
