"""Run the notebooks on a table of customers and publish the report.

`python3 scripts/run.py --help` lists the options.
"""

import sys
from pathlib import Path

from runner import command
from runner.entry import leave

if __name__ == "__main__":
    leave(command.main(Path(__file__), sys.argv[1:]))
