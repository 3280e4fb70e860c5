"""One moving line on a terminal while customers are scored; nothing elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TextIO


class Progress:
    """How many customers are scored, how fast, and how much of the file is read."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._began = self._shown = time.monotonic()

    def advance(self, customers: int, share: float) -> None:
        """Show the state, four times a second at most."""
        now = time.monotonic()
        if not self._live or now - self._shown < 0.25:
            return
        self._shown = now
        rate = customers / max(now - self._began, 1e-9)
        self._write(f"\r\x1b[K{customers:,} scored, {rate:,.0f} a second, {share:.0%} of the file")

    def close(self) -> None:
        """Take the line away."""
        if self._live:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)
            self._stream.flush()
