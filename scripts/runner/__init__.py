"""What runs, renders and publishes the notebooks. The analysis itself is in notebooks/.

Importing it puts that folder on the path, for whatever the commands need from there.
"""

import sys

# In words that older Pythons understand, too: every command imports this first.
if sys.version_info < (3, 11):
    sys.exit("This needs Python 3.11, 3.12 or 3.13; this is Python %d.%d." % sys.version_info[:2])

from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
if str(NOTEBOOKS) not in sys.path:
    sys.path.append(str(NOTEBOOKS))

DONE, STAGE_FAILED, USER_ERROR = 0, 1, 2  # exit codes


class RunFailed(Exception):
    """A stage, or the machine under it, failed; earlier results are as they were."""


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Tell of Ctrl-C in a word, also while modules are loaded; of anything else as usual."""
    if issubclass(kind, KeyboardInterrupt):
        print("Interrupted.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _tell
