"""The notebooks end to end: what running them costs beside what they compute."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.entry import Contestant, Entry, Goal, Result, Settings
from runner.environment import ROOT

NOTEBOOKS = ROOT / "notebooks"
RUN = ROOT / "scripts" / "run.py"


def call(command: list[str | Path], **options) -> None:
    """Run a program with the environment's Python; its words are kept for a failure.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    told = [sys.executable, *map(str, command)]
    done = subprocess.run(told, capture_output=True, text=True, **options)
    if done.returncode:
        raise RuntimeError(f"{' '.join(told[:4])} … failed:\n{(done.stdout + done.stderr)[-2000:]}")


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


def write_imports(settings: Settings, folder: Path) -> None:
    """Copy the notebooks with nothing but their parameters and imports, beside the package."""
    place = folder / "notebooks"
    for package in ("customer_tables", "segmentation"):
        shutil.copytree(NOTEBOOKS / package, place / package)
    for path in chosen(settings):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        imports = next(cell for cell in code if "import " in "".join(cell["source"]))
        tagged = next(cell for cell in code if "parameters" in cell["metadata"].get("tags", ()))
        notebook["cells"] = [imports, tagged]
        (place / path.name).write_text(json.dumps(notebook), encoding="utf-8")


def chosen(settings: Settings) -> list[Path]:
    """Return the notebooks that take part."""
    return [
        path for path in sorted(NOTEBOOKS.glob("0*.ipynb")) if path.name[:2] in stages(settings)
    ]


def stages(settings: Settings) -> list[str]:
    """Return the numbers of the stages that take part, from a text such as ``01 02``."""
    return settings["stages"].split()


def by_the_runner(folder: Path, settings: Settings) -> Result:
    """Run the notebooks that only import as `run.py` runs notebooks; makes no pages."""
    code = _ONLY_IMPORTS.format(
        scripts=str(ROOT / "scripts"),
        numbers=stages(settings),
        folder=str(folder / "notebooks"),
    )
    script, results = folder / "only_imports.py", folder / "results"
    script.write_text(code, encoding="utf-8")
    call([script, "--results", results, "--force"])
    ran = sorted(path.name for path in (results / "notebooks").glob("0*.ipynb"))
    shutil.rmtree(results)
    return {"notebooks": ran}


def _by_papermill(folder: Path, settings: Settings) -> Result:
    out = folder / "executed"
    out.mkdir()
    for path in chosen(settings):
        place = folder / "notebooks"
        papermill = ["-m", "papermill", place / path.name, out / path.name, "--cwd", place]
        call([*papermill, "--no-progress-bar"])
    ran = sorted(path.name for path in out.iterdir())
    shutil.rmtree(out)
    return {"notebooks": ran}


IMPORTS = Entry(
    name="notebooks",
    title="Running the notebooks, imports only",
    contestants=(
        Contestant("run.py", by_the_runner),
        Contestant("papermill's command, one call each", _by_papermill),
    ),
    sizes={
        "full": ({"stages": "01 02 03 04 05 06 07 08 09"},),
        "quick": ({"stages": "01 02 03"},),
        "tiny": ({"stages": "01"},),
    },
    setup=write_imports,
    goals=(Goal("papermill's command, one call each", 4.0),),
)


# --- nothing to do ------------------------------------------------------------------------------


def _finish_a_run(settings: Settings, folder: Path) -> None:
    call([RUN, "--quick", "--results", folder / "results", *settings["options"].split()])


def _run_again(folder: Path, settings: Settings) -> Result:
    call([RUN, "--quick", "--results", folder / "results", *settings["options"].split()])
    return {}


def _import_papermill(folder: Path, settings: Settings) -> Result:
    call(["-c", "import papermill"])
    return {}


NOTHING = Entry(
    name="nothing-to-do",
    title="A run with nothing to do",
    contestants=(
        Contestant("run.py", _run_again),
        Contestant("python -c 'import papermill'", _import_papermill),
    ),
    sizes={
        "full": ({"options": ""},),
        "quick": ({"options": ""},),
        "tiny": ({"options": "--only 01"},),
    },
    setup=_finish_a_run,
    goals=(Goal("python -c 'import papermill'", 1 / 3),),
)

ENTRIES = (IMPORTS, NOTHING)
