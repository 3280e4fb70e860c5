"""The entries of the benchmark, from the modules that define them."""

from __future__ import annotations

from importlib import import_module

from benchmarks.entry import Entry

# Each has a tuple ENTRIES; an entry's functions belong in the same module.
MODULES = (
    "end_to_end",
    "series",
    "scan",
    "hierarchy",
    "network",
    "scoring",
    "transactions",
    "beyond_memory",
    "growth",
)


def entries() -> dict[str, Entry]:
    """Return the entries that can run here by name, in the order of the tables."""
    return {entry.name: entry for entry in _all() if not entry.missing}


def left_out() -> dict[str, Entry]:
    """Return the entries that need packages that are not installed."""
    return {entry.name: entry for entry in _all() if entry.missing}


def _all() -> list[Entry]:
    return [entry for name in MODULES for entry in import_module(f"benchmarks.{name}").ENTRIES]
