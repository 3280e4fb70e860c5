"""Show what a long step does in a live notebook; nothing of it stays in an executed copy."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from IPython import get_ipython
from IPython.display import display

from segmentation.parallel import reporting

INTERVAL = 0.5  # seconds between two updates
LONG = 2  # seconds after which a cell says that it is at work
WORKING = "Working …"


class CellClock:
    """A line that says what a cell that takes long does, in a window, until it ends."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self.counts = False
        self.doing = WORKING

    def start(self, *_: object) -> None:
        """Begin to count."""
        self.stop()
        self.counts = is_watched()
        if self.counts:
            self._done = threading.Event()
            run = contextvars.copy_context().run  # of the cell whose output the line belongs to
            threading.Thread(target=run, args=(self._count, self._done), daemon=True).start()

    def stop(self, *_: object) -> None:
        """Take the line away."""
        self.counts = False
        self._done.set()

    def _count(self, done: threading.Event) -> None:
        begun = time.monotonic()
        if done.wait(LONG):
            return
        line = display({"text/plain": f"{self.doing} {LONG} s"}, raw=True, display_id=True)
        while not done.wait(INTERVAL):
            text = f"{self.doing} {time.monotonic() - begun:.0f} s"
            line.update({"text/plain": text}, raw=True)
        line.update({"text/plain": "", "text/html": ""}, raw=True)


CLOCK = CellClock()


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Let the cell's line say what is being done, and how much of it, while the block runs.

    In a notebook that a program executes nothing is shown. `what` is such as "Fitting on
    resamples".
    """

    def report(finished: int, total: int | None) -> None:
        CLOCK.doing = f"{what} … {finished} of {total}," if total else f"{what} …"

    CLOCK.doing = f"{what} …"
    try:
        with reporting(report):
            yield
    finally:
        CLOCK.doing = WORKING


def is_watched() -> bool:
    """Say whether the cell was started from a window, as in JupyterLab, and not by a program.

    JupyterLab, Notebook and Visual Studio Code tell the kernel which cell they want to run;
    papermill, nbconvert and nbclient do not.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    return kernel is not None and "cellId" in (kernel.get_parent().get("metadata") or {})
