"""What a run says on the terminal: a line for each stage, and a bar while it works."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from segmentation.stages import Stage

_BAR_WIDTH = 24


class Progress:
    """Lines for what is done; on a terminal also one that moves for what is running.

    Parameters
    ----------
    stream : file, optional
        Where to write; by default standard output.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty()
        self._running: dict[str, list[float]] = {}  # by topic: when started, share done
        self._guard = threading.Lock()
        self._stop = threading.Event()
        if self._live:
            threading.Thread(target=self._draw, daemon=True).start()

    def start(self, stage: Stage) -> Callable[[int, int], None]:
        """Note that a stage begins; return what to call with cells behind and cells in all."""
        with self._guard:
            entry = self._running[stage.topic] = [time.monotonic(), 0.0]

        def advance(done: int, total: int) -> None:
            entry[1] = done / max(total, 1)

        return advance

    def done(self, stage: Stage, seconds: float) -> None:
        """Note that a stage has ended well."""
        with self._guard:
            self._running.pop(stage.topic, None)
        self.say(f"{stage.number} {stage.topic} … {seconds:.1f} s")

    def skipped(self, stage: Stage, word: str = "up to date") -> None:
        """Note that a stage does not run."""
        self.say(f"{stage.number} {stage.topic} … {word}")

    def say(self, text: str) -> None:
        """Print a line."""
        with self._guard:
            self._wipe()
            self._write(text + "\n")

    def close(self) -> None:
        """Take the moving line away."""
        self._stop.set()
        with self._guard:
            self._running.clear()
            self._wipe()

    def _draw(self) -> None:
        while not self._stop.wait(0.15):
            with self._guard:
                if not self._running or self._stop.is_set():
                    continue
                now = time.monotonic()
                parts = []
                for topic, (began, share) in self._running.items():
                    filled = round(share * _BAR_WIDTH)
                    bar = "━" * filled + "─" * (_BAR_WIDTH - filled)
                    parts.append(f"{topic} {bar} {now - began:.0f} s")
                self._wipe()
                self._write("   ".join(parts))

    def _wipe(self) -> None:
        if self._live:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        with suppress(OSError):  # nobody reads any more: no reason to end the run
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                self._stream.write(text.encode("ascii", "replace").decode())
            self._stream.flush()
