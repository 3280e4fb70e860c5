"""Entries for the tests of the benchmark itself."""

import os
import time

import numpy as np

from benchmarks.measure import Entry, Figure, Goal


def short(loaded, settings):
    time.sleep(0.05)
    return {"labels": np.arange(3), "statistic": 0.5, "threads": os.environ["OMP_NUM_THREADS"]}


def long(loaded, settings):
    time.sleep(0.3)
    return {"labels": np.arange(3), "statistic": 0.5 + 1e-12, "threads": "1"}


def other(loaded, settings):
    return {"labels": np.array([0, 1, 1]), "statistic": 0.5, "threads": "1"}


def broken(loaded, settings):
    raise ValueError("no such luck")


def write(settings, folder):
    (folder / "number").write_text(str(settings["rows"]))


def read(settings, folder):
    return int((folder / "number").read_text())


def large(loaded, settings):
    return {"total": float(np.ones(loaded).sum())}


def seconds(cases):
    return [Figure("most seconds", cases[-1][1]["short"]["seconds"][2], most=60.0)]


def entry(name, *ways, **more):
    by_name = {way.__name__: way for way in ways}
    rounds = {"tiny": 2}
    return Entry(name, name, by_name, {"tiny": ({},)}, pinned=("short",), rounds=rounds, **more)


ENTRIES = (
    entry("equal", short, long, goals=(Goal("long", 2.0),), figures=seconds),
    entry("other labels", short, other),
    entry("broken", short, broken),
    Entry("files", "files", {"large": large}, {"tiny": ({"rows": 10_000_000},)}, write, read),
)
