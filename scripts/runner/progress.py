"""What a run says on the terminal: a line for each stage, and a bar while stages run."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress

from tqdm import tqdm

from segmentation.stages import Stage

# Threads alone write here; the lock that tqdm makes by itself is one for processes.
tqdm.set_lock(threading.RLock())


class Progress:
    """Lines for what is done; on a terminal also a bar of the cells of what is running."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[int, int]] = {}  # by topic: cells behind, cells in all
        self._bar = tqdm(
            file=sys.stdout,
            bar_format="{desc} {bar:24} {elapsed}",
            disable=not sys.stdout.isatty(),
            leave=False,
        )
        self._closed = threading.Event()
        if not self._bar.disable:
            threading.Thread(target=self._draw, daemon=True).start()

    def advance(self, stage: Stage, done: int, total: int) -> None:
        """Note how many of its cells a stage has behind it."""
        self._running[stage.topic] = (done, total)

    def done(self, stage: Stage, seconds: float) -> None:
        """Note that a stage has ended well."""
        self._running.pop(stage.topic, None)
        self.say(f"{stage.number} {stage.topic} … {seconds:.1f} s")

    def skipped(self, stage: Stage, word: str = "up to date") -> None:
        """Note that a stage does not run."""
        self.say(f"{stage.number} {stage.topic} … {word}")

    def say(self, text: str) -> None:
        """Print a line."""
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        with suppress(OSError):  # the reader is gone: no reason to end the run
            tqdm.write(text.encode(encoding, "replace").decode(encoding), file=sys.stdout)
            sys.stdout.flush()

    def close(self) -> None:
        """Take the bar away."""
        self._closed.set()
        with suppress(OSError):
            self._bar.close()

    def _draw(self) -> None:
        while not self._closed.wait(0.3):
            running = dict(self._running)
            if running and not self._closed.is_set():
                self._bar.set_description_str(", ".join(running), refresh=False)
                self._bar.n = sum(done for done, _ in running.values())
                self._bar.total = sum(total for _, total in running.values())
                self._bar.refresh()
