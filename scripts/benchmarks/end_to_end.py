"""The whole run against the plain way, and against what it computes."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.entry import ONE_THREAD, Contestant, Entry, Equality, Goal, Result, Settings
from benchmarks.series import NOTEBOOKS, RUN, by_the_runner, call, chosen, write_imports
from runner.environment import ROOT
from segmentation.stages import SERIES

_PLAIN = """
import sys
sys.path.append({scripts!r})
from benchmarks import plain
plain.install(networks={networks})
"""
BY_NETWORKS = ("tables/05_", "tables/08_embedded")
# Drawn by the model's checksum, in which the last bits of the centres count.
BY_CHECKSUM = ("tables/06_control_groups",)
NEAR = 1e-9


def _write_plain(settings: Settings, folder: Path) -> None:
    """Copy the notebooks with a first cell that puts the plain functions in place."""
    (folder / "plain").mkdir()
    for path in chosen(settings):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        source = _PLAIN.format(
            scripts=str(ROOT / "scripts"), networks=path.name.startswith(("05", "08"))
        )
        cell = {"cell_type": "code", "id": "plain", "metadata": {}, "source": source}
        notebook["cells"].insert(0, cell | {"execution_count": None, "outputs": []})
        (folder / "plain" / path.name).write_text(json.dumps(notebook), encoding="utf-8")


def _run(folder: Path, settings: Settings) -> Result:
    results = folder / "ours"
    call([RUN, "--results", results, *settings["options"].split()])
    found = _printed(results)
    shutil.rmtree(results)
    return found


def _plain(folder: Path, settings: Settings) -> Result:
    results, out = folder / "theirs", folder / "executed"
    out.mkdir()
    given = ["-y", f"{{results_dir: {json.dumps(str(results))}, quick: {settings['quick']}}}"]
    for path in chosen(settings):
        papermill = ["-m", "papermill", folder / "plain" / path.name, out / path.name]
        call([*papermill, "--cwd", NOTEBOOKS, "--no-progress-bar", *given])
    pages = ["-m", "jupyter", "nbconvert", "--to", "html", *sorted(out.glob("*.ipynb"))]
    call([*pages])
    found = _printed(results)
    shutil.rmtree(results)
    shutil.rmtree(out)
    return found


def _printed(results: Path) -> Result:
    """Return all tables, lists and numbers of a run, as texts by name."""
    found = {
        f"tables/{path.name}": path.read_text(encoding="utf-8")
        for path in sorted((results / "tables").glob("0*.csv"))
    }
    segments = results / "segments.csv"
    if segments.is_file():
        found["segments.csv"] = segments.read_text(encoding="utf-8")
    for path in sorted((results / "stages").glob("*_metrics.json")):
        found[f"tables/{path.name[:2]}_metrics"] = _flat(json.loads(path.read_text("utf-8")))
    return found


def _flat(value, name: str = "") -> str:
    """Write nested numbers as a table of two columns."""
    rows = []

    def walk(value, name: str) -> None:
        if isinstance(value, dict):
            for key, entry in value.items():
                walk(entry, f"{name}/{key}")
        else:
            rows.append((name, json.dumps(value)))

    walk(value, name)
    return pd.DataFrame(rows, columns=["name", "value"]).to_csv(index=False)


def _same_tables(results: Mapping[str, Result], settings: Settings) -> Equality:
    """All that is printed is equal, but for what depends on how networks are trained."""
    ours, theirs = results.values()
    if set(ours) != set(theirs):
        return Equality(False, f"tables differ: {sorted(set(ours) ^ set(theirs))[:5]}")
    differ = [name for name in ours if not same_table(str(ours[name]), str(theirs[name]))]
    others = [name for name in differ if not name.startswith(BY_NETWORKS + BY_CHECKSUM)]
    equal = f"{len(ours) - len(differ)} of {len(ours)} tables equal to 1e-9"
    if others:
        return Equality(False, f"{equal}; these differ: {', '.join(others)}")
    why = "hold networks trained one by one, or are drawn by the model's checksum"
    text = f"{equal}; {', '.join(differ)} {why}" if differ else equal
    return Equality(True, text)


def same_table(first: str, second: str) -> bool:
    """Whether two tables hold the same texts, and numbers equal to a relative 1e-9."""
    tables = [pd.read_csv(io.StringIO(text)) for text in (first, second)]
    if tables[0].shape != tables[1].shape or list(tables[0]) != list(tables[1]):
        return False
    for name in tables[0]:
        one, two = (_numbers(table[name]) for table in tables)
        if one is None or two is None:
            if not _same_cells(*(table[name] for table in tables)):
                return False
        elif not np.allclose(one, two, rtol=NEAR, atol=NEAR, equal_nan=True):
            return False
    return True


def _same_cells(first: pd.Series, second: pd.Series) -> bool:
    """Whether two columns of texts and numbers hold the same, numbers to a relative 1e-9."""
    numbers = [pd.to_numeric(column, errors="coerce") for column in (first, second)]
    both = numbers[0].notna() & numbers[1].notna()
    near = np.allclose(numbers[0][both], numbers[1][both], rtol=NEAR, atol=NEAR)
    return bool(near and first[~both].equals(second[~both]))


def _numbers(column: pd.Series) -> np.ndarray | None:
    """Return a column of numbers, as numbers."""
    return column.to_numpy(float) if pd.api.types.is_numeric_dtype(column) else None


_SERIES = " ".join(stage.number for stage in SERIES)
FULL = {"rows": 8950, "stages": _SERIES, "options": "", "quick": False}
QUICK = {"rows": 8950, "stages": _SERIES, "options": "--quick", "quick": True}
TINY = {"rows": 400, "stages": "01", "options": "--quick --only 01", "quick": True}

PLAIN_WAY = Entry(
    name="end-to-end",
    title="The full run",
    contestants=(
        Contestant("run.py", _run),
        Contestant("the plain way: papermill and nbconvert", _plain),
    ),
    sizes={"full": (FULL,), "quick": (QUICK,), "tiny": (TINY,)},
    setup=_write_plain,
    compare=_same_tables,
    goals=(Goal("the plain way: papermill and nbconvert", 4.0),),
    rounds={"full": 3, "quick": 2, "tiny": 1},
)


# --- the run against what it computes -----------------------------------------------------------


def _imports_then_computations(folder: Path, settings: Settings) -> Result:
    by_the_runner(folder, settings)
    quick, rows = settings["quick"], settings["rows"]
    call(["-c", f"from benchmarks import computations; computations.main({quick}, {rows})"])
    return {}


def _only_the_run(folder: Path, settings: Settings) -> Result:
    _run(folder, settings)
    return {}


COMPUTATIONS = Entry(
    name="computations",
    title="The full run against its computations",
    contestants=(
        Contestant("run.py", _only_the_run),
        Contestant("imports, then the computations alone", _imports_then_computations, ONE_THREAD),
    ),
    sizes={"full": (FULL,), "quick": (QUICK,), "tiny": (TINY,)},
    setup=write_imports,
    goals=(Goal("imports, then the computations alone", 0.5),),
    rounds={"full": 3, "quick": 2, "tiny": 1},
)

ENTRIES = (PLAIN_WAY, COMPUTATIONS)
