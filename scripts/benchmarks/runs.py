"""Whole runs: against the plain way, with nothing to do, and on growing tables."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd

from benchmarks.files import call
from benchmarks.measure import Entry, Result, Settings, equal_results, goal
from runner import ROOT
from segmentation.stages import SERIES

NOTEBOOKS, RUN = ROOT / "notebooks", ROOT / "scripts" / "run.py"


def _run(folder: Path, settings: Settings) -> Result:
    options = settings["options"].format(folder=folder).split()
    call(RUN, "--results", folder / "results", *options)
    return {}


def _one_by_one(
    folder: Path, settings: Settings, change: Callable[[Path, Any], None], *given: str
) -> list[Path]:
    """Run changed notebooks by papermill's command, one after the other; return the copies."""
    stages = settings["stages"].split()
    paths = [path for path in sorted(NOTEBOOKS.glob("0*.ipynb")) if path.name[:2] in stages]
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        change(path, notebook)
        nbformat.write(notebook, changed := folder / f"changed {path.name}")
        more = ("--no-progress-bar", "--cwd", NOTEBOOKS, *given)
        call("-m", "papermill", changed, folder / path.name, *more)
    return [folder / path.name for path in paths]


# --- the whole run ------------------------------------------------------------------------------

OF_NETWORKS = ("embedded", "quoted")  # of notebook 08's numbers; sentences quote both kinds


def _by_run(key: str, folder: Path, settings: Settings) -> Result:
    """Run with the options of a setting: "again" on a copy of finished results, others anew."""
    if key == "again":
        shutil.copytree(folder / "results", folder / key)
    call(RUN, "--results", folder / key, *settings[key].split())
    return _printed(folder / key)


def _plain(folder: Path, settings: Settings) -> Result:
    """Run notebooks one by one, with a first cell that puts plain library calls in place."""
    results, scripts = folder / "plain results", str(ROOT / "scripts")

    def begin(path: Path, notebook: Any) -> None:
        networks = path.name.startswith(("05", "08"))
        source = f"import sys\nsys.path.append({scripts!r})\nfrom benchmarks import plain\n"
        source += f"plain.install(networks={networks})"
        notebook.cells.insert(0, nbformat.v4.new_code_cell(source))

    given = f"{{results_dir: {json.dumps(str(results))}, quick: {settings['quick']}}}"
    for path in _one_by_one(folder, settings, begin, "-y", given):
        call("-m", "jupyter", "nbconvert", "--to", "html", path)
    return _printed(results)


def _printed(results: Path) -> Result:
    """Return all tables, lists and numbers of a run by name, and remove it."""
    files = [*(results / "tables").glob("0*.csv"), *results.glob("segments.csv")]
    found = {path.relative_to(results).as_posix(): pd.read_csv(path) for path in files}
    for path in (results / "stages").glob("*_metrics.json"):
        flat = pd.json_normalize(json.loads(path.read_text("utf-8")))
        networks = flat.columns.str.startswith(OF_NETWORKS) & path.name.startswith("08")
        found[f"tables/{path.name[:2]}_metrics"] = flat.loc[:, ~networks]
        if networks.any():
            found["tables/08_embedded_metrics"] = flat.loc[:, networks]
    shutil.rmtree(results)
    return found


# --- a quick look, nothing to do, and growing tables ---------------------------------------------


def _imports_alone(folder: Path, settings: Settings) -> Result:
    """Run notebooks by papermill's command with nothing but their imports."""

    def strip(path: Path, notebook: Any) -> None:
        lines = [line for cell in notebook.cells for line in cell.source.split("\n")]
        imports = (line for line in lines if re.match(r"import |from \S+ import [^(]+$", line))
        notebook.cells = [nbformat.v4.new_code_cell("\n".join(imports))]

    _one_by_one(folder, settings, strip)
    return {}


def _look(folder: Path, settings: Settings) -> Result:
    _run(folder, settings)
    shutil.rmtree(folder / "results")
    return {}


def _import_papermill(folder: Path, settings: Settings) -> Result:
    call("-c", "import papermill")
    return {}


COLUMNS = 20
BEYOND = 100_000  # rows from which on the exponent is judged
EXPONENT = 1.1
ROOM = 1.5e9  # bytes that a run may use beside four times the table as float64


def _write_table(folder: Path, settings: Settings) -> None:
    """Make cardholders, and give them columns of numbers up to twenty."""
    made = folder / "made"
    call(ROOT / "scripts" / "make_sample_data.py", "--rows", settings["rows"], "--folder", made)
    table = pd.read_csv(made / "customers.csv")
    rng = np.random.default_rng(1)
    for number in range(COLUMNS - table.select_dtypes("number").shape[1]):
        table[f"SCORE_{number + 1}"] = rng.normal(600, 80, len(table)).round()
    table.to_csv(folder / "table.csv", index=False)
    shutil.rmtree(made)


def growth(cases: list[tuple[Settings, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Exponent of time over rows by least squares on logarithms, and memory beyond the table's.

    A run's memory is that of its processes, without the one that measures.
    """
    rows = np.array([settings["rows"] for settings, _ in cases], dtype=float)
    seconds, memory = (
        np.array([measured["run.py"][measure][2] for _, measured in cases])
        for measure in ("seconds", "extra_memory")
    )
    beside = float(max(memory - 4 * 8 * COLUMNS * rows)) / 1e9
    name = "largest memory beside four times the table, GB"
    found = [{"name": name, "value": beside, "most": ROOM / 1e9}]
    large = rows >= BEYOND
    if large.sum() >= 2:
        slope = float(np.polyfit(np.log(rows[large]), np.log(seconds[large]), 1)[0])
        name = "exponent of time over rows beyond 100 thousand"
        found += [{"name": name, "value": slope, "most": EXPONENT}]
    return found


TABLE = "--input {folder}/table.csv"
ALL = " ".join(stage.number for stage in SERIES)
ENTRIES = (
    Entry(
        name="end-to-end",
        title="The full run",
        ways={
            "run.py": partial(_by_run, "options"),
            "the plain way: papermill and nbconvert": _plain,
        },
        full=({"rows": 8950, "stages": ALL, "options": "", "quick": False},),
        quick=({"rows": 8950, "stages": "01", "options": "--quick --only 01", "quick": True},),
        equal=partial(
            equal_results,
            may_differ=("tables/05_", "tables/08_embedded", "tables/06_control_groups"),
            why="hold networks trained one by one, or are drawn by the model's checksum, in which "
            "the last bits of the centres count",
        ),
        goals=(goal("the plain way: papermill and nbconvert", 4.0),),
        rounds=2,
    ),
    Entry(
        name="quick-look",
        title="A quick look",
        ways={"run.py --quick": _look, "papermill, the imports alone": _imports_alone},
        full=({"options": "--quick", "stages": ALL},),
        quick=({"options": "--quick --only 01", "stages": "01"},),
        goals=(goal("papermill, the imports alone", 1.5),),
    ),
    Entry(
        name="another-k",
        title="A rerun with another number of segments",
        ways={
            "run.py --from 04 --set k=5": partial(_by_run, "again"),
            "a new run with k=5": partial(_by_run, "new"),
        },
        full=({"options": "", "again": "--from 04 --set k=5", "new": "--set k=5"},),
        quick=(dict.fromkeys(("options", "again", "new"), "--quick --only 01"),),
        prepare=_run,
        goals=(goal("a new run with k=5", 3.0),),
    ),
    Entry(
        name="nothing-to-do",
        title="A run with nothing to do",
        ways={"run.py": _run, "python -c 'import papermill'": _import_papermill},
        full=({"options": "--quick"},),
        quick=({"options": "--quick --only 01"},),
        prepare=_run,
        goals=(goal("python -c 'import papermill'", 1 / 3),),
        rounds=5,
    ),
    Entry(
        name="growth",
        title="A run on a growing table",
        ways={"run.py": _look},
        full=tuple({"rows": n, "options": TABLE} for n in (10_000, 100_000, 300_000, 1_000_000)),
        quick=({"rows": 300, "options": f"{TABLE} --quick --only 01"},),
        prepare=_write_table,
        figures=growth,
        rounds=1,
    ),
)
