"""Entries for the tests of the benchmark itself."""

import os
import time

import numpy as np

from benchmarks.entry import Contestant, Entry, Figure, Goal


def short(loaded, settings):
    time.sleep(0.05)
    return {"labels": np.arange(3), "statistic": 0.5, "word": os.environ.get("WORD", "")}


def long(loaded, settings):
    time.sleep(0.3)
    return {"labels": np.arange(3), "statistic": 0.5 + 1e-12, "word": os.environ.get("WORD", "")}


def other(loaded, settings):
    return {"labels": np.array([0, 1, 1]), "statistic": 0.5, "word": ""}


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


def entry(name, *contestants, **more):
    return Entry(name=name, title=name, contestants=contestants, sizes={"tiny": ({},)}, **more)


SHORT = Contestant("short", short)
ENTRIES = (
    entry("equal", SHORT, Contestant("long", long), goals=(Goal("long", 2.0),), figures=seconds),
    entry("other labels", SHORT, Contestant("other", other)),
    entry("other surroundings", SHORT, Contestant("with a word", short, {"WORD": "yes"})),
    entry("broken", SHORT, Contestant("broken", broken)),
    Entry(
        name="files",
        title="files",
        contestants=(Contestant("large", large),),
        sizes={"tiny": ({"rows": 10_000_000},)},
        setup=write,
        load=read,
    ),
)
