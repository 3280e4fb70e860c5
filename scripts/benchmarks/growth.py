"""Whole runs, from `--input` to the start page, on tables that grow."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.entry import Contestant, Entry, Figure, Result, Settings
from benchmarks.series import RUN, call
from runner.environment import ROOT

COLUMNS = 20
BEYOND = 100_000  # rows from which on the exponent is judged
EXPONENT = 1.1
ROOM = 1.5e9  # bytes that a run may use beside four times the table as float64


def _write_table(settings: Settings, folder: Path) -> None:
    """Make card holders, and give them columns of numbers up to twenty."""
    made = folder / "made"
    call([ROOT / "scripts" / "make_sample_data.py", "--rows", settings["rows"], "--folder", made])
    table = pd.read_csv(next(made.rglob("customers.csv")))
    rng = np.random.default_rng(1)
    for number in range(COLUMNS - table.select_dtypes("number").shape[1]):
        table[f"SCORE_{number + 1}"] = rng.normal(600, 80, len(table)).round()
    table.to_csv(folder / "table.csv", index=False)
    shutil.rmtree(made)


def _run(folder: Path, settings: Settings) -> Result:
    results = folder / "results"
    options = settings["options"].split()
    call([RUN, "--input", folder / "table.csv", "--results", results, *options])
    pages = sorted(path.name for path in results.glob("*.html"))
    shutil.rmtree(results)
    return {"pages": pages}


def _growth(cases: list[tuple[Settings, Mapping[str, Any]]]) -> list[Figure]:
    """Exponent of time over rows by least squares on logarithms, and memory beyond the table's.

    A run's memory is that of its processes, without the one that measures.
    """
    rows = np.array([settings["rows"] for settings, _ in cases], dtype=float)
    seconds = np.array([told["run.py"]["seconds"][2] for _, told in cases])
    memory = np.array([told["run.py"]["extra_memory"][2] for _, told in cases])
    beside = memory - 4 * 8 * COLUMNS * rows
    found = [
        Figure("largest memory beside four times the table, GB", max(beside) / 1e9, ROOM / 1e9)
    ]
    large = rows >= BEYOND
    if large.sum() >= 2:
        slope = np.polyfit(np.log(rows[large]), np.log(seconds[large]), 1)[0]
        found += [Figure("exponent of time over rows beyond 100 thousand", float(slope), EXPONENT)]
    return found


GROWTH = Entry(
    name="growth",
    title="A run on a growing table",
    contestants=(Contestant("run.py", _run),),
    sizes={
        "full": tuple(
            {"rows": rows, "options": ""} for rows in (10_000, 100_000, 300_000, 1_000_000)
        ),
        "quick": tuple({"rows": rows, "options": "--quick"} for rows in (3_000, 30_000)),
        "tiny": ({"rows": 300, "options": "--quick --only 01"},),
    },
    setup=_write_table,
    figures=_growth,
    rounds={"full": 2, "quick": 1, "tiny": 1},
)

ENTRIES = (GROWTH,)
