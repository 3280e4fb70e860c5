"""Show whoever is looking that a long step is under way; nothing of it stays in the notebook."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from IPython import get_ipython
from IPython.display import clear_output, display

from segmentation.parallel import reporting

INTERVAL = 0.5  # seconds between two updates


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Show a line that counts on while the block runs, and take it away at its end.

    In a notebook that a program executes nothing is shown. Belongs at the beginning of a cell,
    because whatever the cell showed before goes away as well.

    Parameters
    ----------
    what : str
        What is being done, such as "Fitting on resamples".
    """
    if not is_watched():
        yield
        return
    done = threading.Event()
    counted: list[tuple[int, int | None]] = [(0, None)]
    line = display(_plain(f"{what} …"), raw=True, display_id=True)

    def tick() -> None:
        start = time.monotonic()
        while not done.wait(INTERVAL):
            line.update(_plain(describe(what, *counted[-1], time.monotonic() - start)), raw=True)

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        with reporting(lambda *numbers: counted.append(numbers)):
            yield
    finally:
        done.set()
        ticker.join()
        clear_output()


def is_watched() -> bool:
    """Say whether the cell was started from a window, as in JupyterLab, and not by a program.

    JupyterLab, Notebook and Visual Studio Code tell the kernel which cell they want to run;
    papermill, nbconvert and nbclient do not.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return False
    return "cellId" in (kernel.get_parent().get("metadata") or {})


def describe(what: str, finished: int, total: int | None, seconds: float) -> str:
    """Write the line.

    Examples
    --------
    >>> describe("Fitting", 3, 40, 12.3)
    'Fitting … 3 of 40, 12 s'
    """
    count = f"{finished} of {total}, " if total else ""
    return f"{what} … {count}{seconds:.0f} s"


def _plain(text: str) -> dict[str, str]:
    """Return a text as a display shows it, without quotation marks."""
    return {"text/plain": text}
