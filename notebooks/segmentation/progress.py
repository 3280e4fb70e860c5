"""Show the progress of long steps in a live notebook; nothing of it stays in the saved one."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from IPython import get_ipython
from IPython.display import clear_output, display

from segmentation.parallel import reporting

INTERVAL = 0.5  # seconds between two updates
LONG = 2  # seconds after which a cell says that it is at work


class CellClock:
    """A line that counts the seconds of a cell that takes long, in a window, until it ends."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self.counts = False

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
        line = display({"text/plain": f"Working … {LONG} s"}, raw=True, display_id=True)
        while not done.wait(INTERVAL):
            line.update({"text/plain": f"Working … {time.monotonic() - begun:.0f} s"}, raw=True)
        line.update({"text/plain": "", "text/html": ""}, raw=True)


CLOCK = CellClock()


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Show a line that counts on while the block runs, and take it away at its end.

    In a notebook that a program executes nothing is shown. Belongs at the beginning of a cell,
    because whatever the cell showed before goes away as well. `what` says what is being done, such
    as "Fitting on resamples".
    """
    if not is_watched():
        yield
        return
    counted_before = CLOCK.counts
    CLOCK.stop()
    done, start = threading.Event(), time.monotonic()
    counted: list[tuple[int, int | None]] = [(0, None)]
    line = display({"text/plain": f"{what} …"}, raw=True, display_id=True)

    def tick() -> None:
        while not done.wait(INTERVAL):
            finished, total = counted[-1]
            count = f"{finished} of {total}, " if total else ""
            text = f"{what} … {count}{time.monotonic() - start:.0f} s"
            line.update({"text/plain": text}, raw=True)

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        with reporting(lambda *numbers: counted.append(numbers)):
            yield
    finally:
        done.set()
        ticker.join()
        clear_output()
        if counted_before:
            CLOCK.start()


def is_watched() -> bool:
    """Say whether the cell was started from a window, as in JupyterLab, and not by a program.

    JupyterLab, Notebook and Visual Studio Code tell the kernel which cell they want to run;
    papermill, nbconvert and nbclient do not.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    return kernel is not None and "cellId" in (kernel.get_parent().get("metadata") or {})
