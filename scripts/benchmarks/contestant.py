"""One contestant's turn, in a process of its own: prepared, timed, its result written.

    python -m benchmarks.contestant MODULE ENTRY SETTINGS FOLDER TURN [CONTESTANT]

Without a contestant, the entry's files are made.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

from benchmarks.entry import Entry


def main(argv: list[str]) -> None:
    """Take one turn and write TURN.npz (the result) and TURN.json (the measurements)."""
    module, name, settings, folder, turn, *contestant = argv
    entry: Entry = next(e for e in importlib.import_module(module).ENTRIES if e.name == name)
    case, place = json.loads(settings), Path(folder)
    if not contestant:
        entry.setup(case, place)
        return
    run = entry.contestant(contestant[0]).run
    loaded = entry.load(case, place)
    with Meter() as meter:
        result = run(loaded, case)
    np.savez(f"{turn}.npz", **{key: np.asarray(value) for key, value in result.items()})
    Path(f"{turn}.json").write_text(json.dumps(meter.measured), encoding="utf-8")


class Meter:
    """Time and memory of what runs within, with the programs that it starts.

    `measured` holds seconds, cpu_seconds (of all cores), peak_memory (in bytes, all processes
    together, what they share counted once) and extra_memory (the peak beyond what was loaded
    before).
    """

    measured: dict[str, float]

    def __enter__(self) -> Meter:
        self._peak, self._over = 0, threading.Event()
        self._loaded = psutil.Process().memory_info().rss
        with suppress(OSError):  # Linux: forget the peak of what was loaded
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self._watch = threading.Thread(target=self._watch_memory, daemon=True)
        self._watch.start()
        self._cpu, self._began = _processor_seconds(), time.perf_counter()
        return self

    def __exit__(self, *failed: object) -> None:
        seconds = time.perf_counter() - self._began
        cpu = _processor_seconds() - self._cpu
        self._over.set()
        self._watch.join()
        peak = max(self._peak, _own_peak())
        self.measured = {"seconds": seconds, "cpu_seconds": cpu, "peak_memory": peak}
        self.measured["extra_memory"] = max(peak - self._loaded, 1)

    def _watch_memory(self) -> None:
        """Look ten times a second at all processes together; short peaks can be missed.

        Less often where looking takes long: at most a fiftieth of the time goes into it.
        """
        here, pause = psutil.Process(), 0.1
        while not self._over.wait(pause):
            began = time.perf_counter()
            children = here.children(recursive=True)
            total = _share(here) if children else here.memory_info().rss
            for child in children:
                with suppress(psutil.Error):
                    total += _share(child)
            self._peak = max(self._peak, total)
            pause = max(0.1, 50 * (time.perf_counter() - began))


def _share(process: psutil.Process) -> int:
    """Return a process's memory in bytes, its part of what it shares (Linux's Pss).

    Kernels that are forked from one process share its libraries; resident sizes would count them
    once for each.
    """
    try:
        told = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
        return int(told.partition("\nPss:")[2].split()[0]) * 1024
    except (OSError, IndexError):  # elsewhere, or it has ended
        return int(process.memory_info().rss)


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _own_peak() -> int:
    """Return the peak memory of this process in bytes, where the system tells it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except OSError:
        return int(getattr(psutil.Process().memory_info(), "peak_wset", 0))


if __name__ == "__main__":
    main(sys.argv[1:])
