"""A notebook in somebody's hands: its dataset and parameters, what is stale, how to mend it.

Loaded by every kernel of the project's environment, as an extension of IPython.
"""

from __future__ import annotations

import ast
import html
import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from IPython import get_ipython
from IPython.core.error import TryNext
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.generics import complete_object

from customer_tables.errors import UserError
from customer_tables.storage import file_digest, write_atomically, write_json, write_private
from customer_tables.text import joined, python_tree
from segmentation.progress import CLOCK, is_watched
from segmentation.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
SESSION = ROOT / "results" / "session.json"  # the dataset that somebody works on
FIRST = "credit_card"  # the dataset where none was named
FILES = ("input_file", "demographics_file", "next_period")  # parameters that name one
OPTIONS = {"input_file": "--input", "demographics_file": "--demographics"}
RECORDED = {"given", "outputs", "parameters", "settings"}  # of a report, in its manifest
OF_THE_RUN = ("dataset", "results_dir", "quick")
# Where the start page has room for a notice that is written after the page was made.
ROOM = re.compile(rb"<!-- stale -->.*?<!-- /stale -->", re.DOTALL)


# What parameters may be, by name: the least and the most.
SHARES = (
    "control_share new_share response response_uplift shrink smallest_share top_share uplift_high"
    " uplift_low"
)
RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys("k seed".split(), (0, 2**31)),
    **dict.fromkeys("actionable_max actionable_min k_max k_min trainings".split(), (2, 2**31)),
    **dict.fromkeys("code_initialisations epochs evidence_rows halves".split(), (1, 2**31)),
    **dict.fromkeys("initialisations min_group_size null_draws pairs".split(), (1, 2**31)),
    **dict.fromkeys("refits rules_depth trial_rows ward_rows".split(), (1, 2**31)),
    **dict.fromkeys(SHARES.split(), (0, 1)),
}
CALLED = {int: "a whole number", float: "a number", bool: "True or False", str: "a text in quotes"}


def settle(dataset: str, results_dir: str) -> tuple[str, str]:
    """Return the dataset and the results of a notebook whose parameters may leave them open.

    An executed copy belongs to the results that it lies in. In a window, a notebook that names no
    dataset follows the one that named one last.
    """
    here = Path.cwd()
    if not results_dir and here.name == "notebooks" and (here.parent / "manifest.json").is_file():
        return dataset or FIRST, str(here.parent)
    if dataset or not is_watched():
        return dataset or FIRST, results_dir
    try:
        known = json.loads(SESSION.read_text(encoding="utf-8"))
        return str(known["dataset"]), results_dir or str(known["results_dir"])
    except (OSError, ValueError, LookupError, TypeError):
        return FIRST, results_dir


def remember(option: str, folder: Path) -> None:
    """Keep what a notebook in a window works on, for those that name no dataset.

    `option` is a dataset as `--dataset` takes it, `folder` its results.
    """
    at = ROOT / option if (ROOT / option).is_file() else option
    write_json(SESSION, {"dataset": str(at), "results_dir": str(folder.resolve())})


def check_parameters(values: dict[str, Any], kinds: dict[str, Any]) -> None:
    """Refuse a parameter that is not of its type, or outside of what it may be.

    Raises
    ------
    UserError
    """
    for name, value in values.items():
        kind = kinds[name]
        if kind not in CALLED:
            continue
        wanted, (least, most) = CALLED[kind], RANGES.get(name, (-math.inf, math.inf))
        if most < 2:
            wanted += f" from {least:g} to {most:g}"
        elif least > -math.inf:
            wanted += f" from {least:g} on"
        fits = type(value) is kind or (kind is float and type(value) is int)
        if not fits or (kind in (int, float) and not least <= value <= most):
            raise UserError(
                f"{name} is {wanted}, not {value!r}",
                where="the notebook's cell of parameters",
                remedy="change it there and run the cell, then this one again",
            )


def overview(title: str, folder: Path, states: dict[str, str]) -> str:
    """Write what a notebook works on and the state of each notebook's results, as Markdown."""
    links = [f"[{n} {STAGES[n].topic}]({STAGES[n].file})" for n in states]
    rows = (links, ["---"] * len(links), list(states.values()))
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    where = f"results in {near(folder)}" if folder.is_dir() else "no results yet"
    return (
        f"**{title}**, {where}. Another dataset: name it as `dataset` above; the notebooks that "
        f"leave theirs empty follow.\n\n{table}"
    )


def report_of(folder: Path) -> dict[str, Any]:
    """Return the manifest of the report in a results folder; empty where there is no report."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        there = (folder / "index.html").is_file() and manifest.keys() >= RECORDED
        return manifest if there else {}
    except (OSError, ValueError):
        return {}


def changed_since(report: dict[str, Any], folder: Path) -> list[str]:
    """Return the numbers of the notebooks that have handed over something else since a report."""
    known = {name: entry["sha256"] for name, entry in report["outputs"].items()}
    return [
        number
        for number in STAGES
        if (record := folder / "stages" / f"{number}_writes.json").is_file()
        and known.get(f"stages/{record.name}") != file_digest(record)
    ]


def mark_report(folder: Path, changed: list[str]) -> None:
    """Write on the start page which notebooks have changed its numbers, or take that away."""
    notice = ""
    if changed:
        names = html.escape(joined([f"{n} {STAGES[n].title}" for n in changed]))
        notice = (
            '<ul class="notices" aria-label="Out of date"><li><strong>Out of date.</strong> These '
            f"notebooks have changed the results since this page was made: {names}. The last cell "
            "of each names the command that makes the page again.</li></ul>"
        )
    page = folder / "index.html"
    before = page.read_bytes()
    room = f"<!-- stale -->{notice}<!-- /stale -->".encode()
    after = ROOM.sub(lambda _: room, before, count=1)
    if after != before:
        write_atomically(page, after)


def parameters() -> dict[str, Any]:
    """Return the values that a notebook's cell of parameters, or what came after it, has set."""
    known = _namespace()
    return {name: known[name] for name in kinds() if name in known}


def kinds() -> dict[str, Any]:
    """Return the types that a notebook's cell of parameters declares."""
    return _namespace().get("__annotations__", {})


def _namespace() -> dict[str, Any]:
    shell = get_ipython()
    return shell.user_ns if shell is not None else {}


def keep_settings(
    report: dict[str, Any], stage: str, folder: Path, parameters: dict[str, Any]
) -> None:
    """Keep by which parameters a notebook was run by hand, where a report has others."""
    used = {**dict.fromkeys(FILES, ""), **report["parameters"].get(stage, {})}
    names = sorted(used.keys() & parameters.keys() - {*OF_THE_RUN})
    other = {name: parameters[name] for name in names if parameters[name] != used[name]}
    other |= {n: str(Path(other[n]).resolve()) for n in FILES if other.get(n)}
    path = folder / "stages" / f"{stage}_settings.json"
    if other:
        write_private(path, json.dumps(other).encode())
    else:
        path.unlink(missing_ok=True)


def rebuilding(
    report: dict[str, Any], folder: Path, dataset: str, quick: bool, **more: Any
) -> list[str]:
    """Return the command that makes the report anew, with the parameters set by hand, and `more`.

    `dataset` is what `--dataset` takes; empty where the table's description is guessed. A file
    that only the report knows is named without its folder, which the report does not keep.
    """
    settings, given = dict(report.get("settings", {})), report.get("given", {})
    files = {"input_file": given.get("input"), "demographics_file": given.get("demographics")}
    for path in sorted((folder / "stages").glob("*_settings.json")):
        settings |= json.loads(path.read_text(encoding="utf-8"))
    settings = {name: value for name, value in (settings | more).items() if value != ""}
    files |= {name: settings.pop(name) for name in OPTIONS if name in settings}
    words = ["python3", str(Path("scripts", "run.py"))]
    words += ["--dataset", dataset] if dataset else []
    for name, option in OPTIONS.items():
        words += [option, str(files[name])] if files[name] else []
    words += ["--results", near(folder)] + ["--quick"] * quick
    for name, value in settings.items():
        words += ["--set", f"{name}={value}"]
    return words


def near(path: Path) -> str:
    """Write a path as seen from the project's folder."""
    path = path.resolve()
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


# --- the extension --------------------------------------------------------------------------------


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Let a cell that needs another one say so, one that takes long count, and Tab find ours."""
    shell.set_custom_exc((NameError,), _explain)
    shell.events.register("pre_run_cell", CLOCK.start)
    shell.events.register("post_run_cell", CLOCK.stop)
    shell.Completer.use_jedi = False  # it lists what a module imports, too
    complete_object.register(ModuleType, _own_names)


def _own_names(module: ModuleType, names: list[str]) -> list[str]:
    """Complete a module of the project by what it defines itself."""
    if module.__name__.partition(".")[0] not in ("customer_tables", "segmentation"):
        raise TryNext
    made = {name: getattr(module, name, None) for name in names if not name.startswith("_")}
    elsewhere = {n for n, v in made.items() if getattr(v, "__module__", "") != module.__name__}
    constants = {n for n in elsewhere if n.isupper() and not isinstance(made[n], ModuleType)}
    return sorted(made.keys() - elsewhere | constants)


def _explain(
    shell: InteractiveShell,
    kind: type[NameError],
    error: NameError,
    trace: TracebackType,
    tb_offset: int | None = None,
) -> None:
    """Show an error; of a name that another cell makes, say only that it has to run first."""
    if is_watched() and error.name in _made_in(Path(os.environ.get("JPY_SESSION_NAME", ""))):
        said = f"{error.name} is not there yet: run the cells above this one first"
        lines = [f"NameError: {said}", "Run > Run All Above Selected Cell"]
        error._render_traceback_ = lambda: ["\n".join(lines)]  # type: ignore[attr-defined]
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def _made_in(notebook: Path) -> set[str]:
    """Return the names that the cells of a notebook give to something."""
    names: set[str] = set()
    with suppress(OSError, ValueError, LookupError):
        for node in (node for code in code_of(notebook) for node in ast.walk(code)):
            match node:
                case ast.Name(name, ast.Store()):
                    names.add(name)
                case ast.alias(name, other):
                    names.add(other or name)
    return names


def code_of(notebook: Path) -> Iterator[ast.Module]:
    """Yield the code of a notebook's cells, parsed; one with a magic of IPython is left out."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            with suppress(SyntaxError):
                yield python_tree("".join(cell["source"]))
