"""Whole runs: against the plain way, imports alone, with nothing to do, and on growing tables."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import Entry, Equality, Figure, Goal, Result, Settings
from runner.environment import ROOT
from segmentation.stages import SERIES

NOTEBOOKS, RUN = ROOT / "notebooks", ROOT / "scripts" / "run.py"
ALL = " ".join(stage.number for stage in SERIES)


def call(command: list[str | Path]) -> None:
    """Run a program with the environment's Python; its words are kept for a failure.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    told = [sys.executable, *map(str, command)]
    done = subprocess.run(told, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(told[:4])} … failed:\n{(done.stdout + done.stderr)[-2000:]}")


def _chosen(settings: Settings) -> list[Path]:
    """Return the notebooks that take part, by a text such as ``01 02``."""
    numbers = settings["stages"].split()
    return [path for path in sorted(NOTEBOOKS.glob("0*.ipynb")) if path.name[:2] in numbers]


def _run(folder: Path, settings: Settings) -> Path:
    results = folder / "results"
    call([RUN, "--results", results, *settings["options"].split()])
    return results


def _by_papermill(notebooks: list[Path], out: Path, *options: str | Path) -> None:
    out.mkdir()
    for path in notebooks:
        call(["-m", "papermill", path, out / path.name, "--no-progress-bar", *options])


# --- the whole run ------------------------------------------------------------------------------

_PLAIN = """
import sys
sys.path.append({scripts!r})
from benchmarks import plain
plain.install(networks={networks})
"""
# Networks are trained one by one there; control groups are drawn by the model's checksum, in which
# the last bits of the centres count.
MAY_DIFFER = ("tables/05_", "tables/08_embedded", "tables/06_control_groups")
NEAR = 1e-9


def _write_plain(settings: Settings, folder: Path) -> None:
    """Copy the notebooks with a first cell that puts plain library calls in place."""
    (folder / "plain").mkdir()
    for path in _chosen(settings):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        networks = path.name.startswith(("05", "08"))
        source = _PLAIN.format(scripts=str(ROOT / "scripts"), networks=networks)
        cell = {"cell_type": "code", "id": "plain", "metadata": {}, "source": source}
        notebook["cells"].insert(0, cell | {"execution_count": None, "outputs": []})
        (folder / "plain" / path.name).write_text(json.dumps(notebook), encoding="utf-8")


def _ours(folder: Path, settings: Settings) -> Result:
    results = _run(folder, settings)
    found = _printed(results)
    shutil.rmtree(results)
    return found


def _plain(folder: Path, settings: Settings) -> Result:
    results, out = folder / "plain results", folder / "executed"
    given = f"{{results_dir: {json.dumps(str(results))}, quick: {settings['quick']}}}"
    notebooks = [folder / "plain" / path.name for path in _chosen(settings)]
    _by_papermill(notebooks, out, "--cwd", NOTEBOOKS, "-y", given)
    call(["-m", "jupyter", "nbconvert", "--to", "html", *sorted(out.glob("*.ipynb"))])
    found = _printed(results)
    shutil.rmtree(results)
    shutil.rmtree(out)
    return found


def _printed(results: Path) -> Result:
    """Return all tables, lists and numbers of a run, as texts by name."""
    files = [*(results / "tables").glob("0*.csv"), *results.glob("segments.csv")]
    found = {
        path.relative_to(results).as_posix(): path.read_text(encoding="utf-8") for path in files
    }
    for path in (results / "stages").glob("*_metrics.json"):
        flat = pd.json_normalize(json.loads(path.read_text("utf-8"))).T.astype("str")
        found[f"tables/{path.name[:2]}_metrics"] = flat.to_csv()
    return dict(sorted(found.items()))


def _same_tables(results: Mapping[str, Result], settings: Settings) -> Equality:
    """Whether all that is printed is equal, but for what is said above to differ."""
    ours, theirs = results.values()
    if set(ours) != set(theirs):
        return False, f"tables differ: {sorted(set(ours) ^ set(theirs))[:5]}"
    differ = [name for name in ours if not same_table(str(ours[name]), str(theirs[name]))]
    others = [name for name in differ if not name.startswith(MAY_DIFFER)]
    equal = f"{len(ours) - len(differ)} of {len(ours)} tables equal to 1e-9"
    if others:
        return False, f"{equal}; these differ: {', '.join(others)}"
    why = "hold networks trained one by one, or are drawn by the model's checksum"
    return True, f"{equal}; {', '.join(differ)} {why}" if differ else equal


def same_table(first: str, second: str) -> bool:
    """Whether two tables hold the same texts, and numbers equal to a relative 1e-9."""
    one, two = (pd.read_csv(StringIO(text), dtype="str").fillna("") for text in (first, second))
    if one.shape != two.shape or list(one) != list(two):
        return False
    for name in one:
        numbers = [pd.to_numeric(table[name], errors="coerce") for table in (one, two)]
        both = numbers[0].notna() & numbers[1].notna()
        if not np.allclose(numbers[0][both], numbers[1][both], rtol=NEAR, atol=NEAR):
            return False
        if not one[name][~both].equals(two[name][~both]):
            return False
    return True


PLAIN_WAY = Entry(
    name="end-to-end",
    title="The full run",
    ways={"run.py": _ours, "the plain way: papermill and nbconvert": _plain},
    sizes={
        "full": ({"rows": 8950, "stages": ALL, "options": "", "quick": False},),
        "quick": ({"rows": 8950, "stages": ALL, "options": "--quick", "quick": True},),
        "tiny": ({"rows": 400, "stages": "01", "options": "--quick --only 01", "quick": True},),
    },
    prepare=_write_plain,
    equal=_same_tables,
    goals=(Goal("the plain way: papermill and nbconvert", 4.0),),
    rounds={"full": 3, "quick": 2, "tiny": 1},
)


# --- notebooks that only import -----------------------------------------------------------------

_ONLY_IMPORTS = """
import sys
from pathlib import Path
sys.path.insert(0, {scripts!r})
from runner import command, finishing
from segmentation.stages import SERIES
finishing.finish = finishing.render = lambda *given: None
series = tuple(stage for stage in SERIES if stage.number in {numbers!r})
sys.exit(command.main(Path("run.py"), sys.argv[1:], series=series, notebooks=Path({folder!r})))
"""


def _write_imports(settings: Settings, folder: Path) -> None:
    """Copy the notebooks with nothing but their parameters and imports, beside the packages."""
    place = folder / "notebooks"
    for package in ("customer_tables", "segmentation"):
        shutil.copytree(NOTEBOOKS / package, place / package)
    for path in _chosen(settings):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        imports = next(cell for cell in code if "import " in "".join(cell["source"]))
        tagged = next(cell for cell in code if "parameters" in cell["metadata"].get("tags", ()))
        notebook["cells"] = [imports, tagged]
        (place / path.name).write_text(json.dumps(notebook), encoding="utf-8")


def _imports_by_run(folder: Path, settings: Settings) -> Result:
    """Run the notebooks that only import as `run.py` runs notebooks; makes no pages."""
    numbers, place = settings["stages"].split(), str(folder / "notebooks")
    script, results = folder / "only_imports.py", folder / "results"
    code = _ONLY_IMPORTS.format(scripts=str(ROOT / "scripts"), numbers=numbers, folder=place)
    script.write_text(code, encoding="utf-8")
    call([script, "--results", results, "--force"])
    ran = sorted(path.name for path in (results / "notebooks").glob("0*.ipynb"))
    shutil.rmtree(results)
    return {"notebooks": ran}


def _imports_by_papermill(folder: Path, settings: Settings) -> Result:
    out, place = folder / "executed", folder / "notebooks"
    _by_papermill(sorted(place.glob("0*.ipynb")), out, "--cwd", place)
    ran = sorted(path.name for path in out.iterdir())
    shutil.rmtree(out)
    return {"notebooks": ran}


IMPORTS = Entry(
    name="notebooks",
    title="Running the notebooks, imports only",
    ways={"run.py": _imports_by_run, "papermill's command, one call each": _imports_by_papermill},
    sizes={
        "full": ({"stages": ALL},),
        "quick": ({"stages": "01 02 03"},),
        "tiny": ({"stages": "01"},),
    },
    prepare=_write_imports,
    goals=(Goal("papermill's command, one call each", 4.0),),
)


# --- nothing to do ------------------------------------------------------------------------------


def _finish_a_run(settings: Settings, folder: Path) -> None:
    _run(folder, settings)


def _run_again(folder: Path, settings: Settings) -> Result:
    _run(folder, settings)
    return {}


def _import_papermill(folder: Path, settings: Settings) -> Result:
    call(["-c", "import papermill"])
    return {}


NOTHING = Entry(
    name="nothing-to-do",
    title="A run with nothing to do",
    ways={"run.py": _run_again, "python -c 'import papermill'": _import_papermill},
    sizes={
        "full": ({"options": "--quick"},),
        "quick": ({"options": "--quick"},),
        "tiny": ({"options": "--quick --only 01"},),
    },
    prepare=_finish_a_run,
    goals=(Goal("python -c 'import papermill'", 1 / 3),),
)


# --- growing tables -----------------------------------------------------------------------------

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


def _run_on_table(folder: Path, settings: Settings) -> Result:
    options = f"--input {folder / 'table.csv'} {settings['options']}"
    results = _run(folder, {"options": options})
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
    beside = float(max(memory - 4 * 8 * COLUMNS * rows)) / 1e9
    found = [Figure("largest memory beside four times the table, GB", beside, ROOM / 1e9)]
    large = rows >= BEYOND
    if large.sum() >= 2:
        slope = float(np.polyfit(np.log(rows[large]), np.log(seconds[large]), 1)[0])
        found += [Figure("exponent of time over rows beyond 100 thousand", slope, EXPONENT)]
    return found


GROWTH = Entry(
    name="growth",
    title="A run on a growing table",
    ways={"run.py": _run_on_table},
    sizes={
        "full": tuple(
            {"rows": rows, "options": ""} for rows in (10_000, 100_000, 300_000, 1_000_000)
        ),
        "quick": tuple({"rows": rows, "options": "--quick"} for rows in (3_000, 30_000)),
        "tiny": ({"rows": 300, "options": "--quick --only 01"},),
    },
    prepare=_write_table,
    figures=_growth,
    rounds={"full": 2, "quick": 1, "tiny": 1},
)

ENTRIES = (PLAIN_WAY, IMPORTS, NOTHING, GROWTH)
