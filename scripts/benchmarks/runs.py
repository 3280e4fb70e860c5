"""Whole runs on growing tables: whether time and memory stay within bounds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import Entry, Result, Settings
from runner import ROOT

SCRIPTS, COLUMNS = ROOT / "scripts", 20


def call(*command: object) -> None:
    """Run a program with the environment's Python; its last words are in the error if it fails."""
    arguments = [sys.executable, *map(str, command)]
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        said = (done.stdout + done.stderr)[-2000:]
        raise RuntimeError(f"{' '.join(arguments[:4])} … failed:\n{said}")


def _write_table(settings: Settings, folder: Path) -> None:
    """Make cardholders, and give them columns of numbers up to twenty."""
    made = folder / "made"
    call(SCRIPTS / "make_sample_data.py", "--rows", settings["rows"], "--folder", made)
    table = pd.read_csv(made / "customers.csv")
    rng = np.random.default_rng(1)
    for number in range(COLUMNS - table.select_dtypes("number").shape[1]):
        table[f"SCORE_{number + 1}"] = rng.normal(600, 80, len(table)).round()
    table.to_csv(folder / "table.csv", index=False)


def _run(folder: Path, settings: Settings) -> Result:
    results, options = folder / "results", settings["options"].split()
    call(SCRIPTS / "run.py", "--results", results, "--input", folder / "table.csv", *options)
    pages = sorted(path.name for path in results.glob("*.html"))
    shutil.rmtree(results)
    return {"pages": pages}


ENTRIES = (
    Entry(
        name="growth",
        title="A run on a growing table",
        ways={"run.py": _run},
        full=tuple({"rows": n, "options": ""} for n in (10_000, 100_000, 300_000, 1_000_000)),
        quick=({"rows": 300, "options": "--quick --only 01"},),
        prepare=_write_table,
        rounds=2,
    ),
)
