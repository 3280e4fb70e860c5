"""The entries of the benchmark, from the modules that define them."""

from __future__ import annotations

from importlib import import_module

from benchmarks.entry import Entry

# Each has a tuple ENTRIES; an entry's functions belong in the same module.
MODULES = ("end_to_end", "series", "scan", "hierarchy", "network")


def entries() -> dict[str, Entry]:
    """Return all entries by name, in the order of the tables."""
    found = [entry for name in MODULES for entry in import_module(f"benchmarks.{name}").ENTRIES]
    return {entry.name: entry for entry in found}
