"""What a notebook file holds: its code and what that reaches, its parameters and their values."""

from __future__ import annotations

import ast
import io
import json
import math
import re
import subprocess
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from customer_tables.errors import UserError
from customer_tables.text import did_you_mean, python_tree
from runner import NOTEBOOKS

# Parameters that the runner sets itself, and the option that decides each of them.
RUNNERS_OWN = {
    "dataset": "--dataset",
    "input_file": "--input",
    "demographics_file": "--demographics",
    "results_dir": "--results",
    "quick": "--quick",
}
NEXT_PERIOD = "next_period"  # names a file of the user's


def read_notebook(path: Path) -> dict[str, Any]:
    """Return a notebook's content.

    Raises UserError if the file is missing or is no notebook.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["cells"] = list(notebook["cells"])
    except OSError as error:
        what = f"the notebook {path.name} cannot be read: {error.strerror}"
        remedy = "get the whole project again, or bring the file back"
        raise UserError(what, str(path.parent), remedy) from None
    except (ValueError, KeyError, TypeError):
        remedy = "bring back an earlier version of the file"
        raise UserError(f"{path.name} is not a notebook", str(path), remedy) from None
    return notebook


def source_of(cell: dict[str, Any]) -> str:
    """Return a cell's text, which notebook files hold as one string or as a list of lines."""
    return "".join(cell.get("source", ""))


def without_outputs(model: dict[str, Any], path: str, contents_manager: Any, **_: Any) -> None:
    """Leave outputs out of one of the project's notebooks that JupyterLab is about to save.

    They may hold customers, and the notebooks are under version control; executed copies are in the
    results. A hook of Jupyter's contents manager, which names its arguments.
    """
    place = Path(contents_manager.root_dir, path.strip("/")).resolve()
    if model["type"] != "notebook" or place.parent != NOTEBOOKS or not model.get("content"):
        return
    notebook = model["content"]
    notebook["metadata"].pop("widgets", None)
    notebook["metadata"]["language_info"] = {"name": "python"}
    notebook["metadata"]["kernelspec"]["name"] = "python3"
    for cell in notebook["cells"]:
        cell["metadata"] = {k: v for k, v in cell["metadata"].items() if k == "tags"}
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}


def committed(path: Path) -> dict[str, Any] | None:
    """Return a notebook as it was committed; None where there is no repository, or no commit."""
    command = ["git", "-C", str(path.parent), "show", f"HEAD:./{path.name}"]
    try:
        return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def imported_names(notebook: dict[str, Any]) -> set[str]:
    """Return what the code of a notebook imports, as dotted names."""
    code = [source_of(cell) for cell in notebook["cells"] if cell.get("cell_type") == "code"]
    return set().union(*map(_imports, code))


@cache
def _imports(source: str) -> frozenset[str]:
    """Return the modules that a source imports, and what it takes from them, as dotted names."""
    # A cell with a magic command is no Python as a whole; its other lines are.
    source = re.sub(r"^\s*[%!].*$", "", source, flags=re.MULTILINE)
    names: set[str] = set()
    try:
        nodes = list(ast.walk(python_tree(source)))
    except SyntaxError:
        return frozenset()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def reachable(notebook: dict[str, Any], folder: Path) -> list[Path]:
    """Return the files of the packages beside the notebooks that its code reaches by imports."""
    waiting, found = imported_names(notebook), set[Path]()
    while waiting:
        parts = waiting.pop().split(".")
        for place in (folder.joinpath(*parts[: count + 1]) for count in range(len(parts))):
            for path in (place.with_suffix(".py"), place / "__init__.py"):
                if path not in found and path.is_file():
                    found.add(path)
                    waiting |= _imports(path.read_text(encoding="utf-8"))
    return sorted(found)


# --- parameters -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parameter:
    """A name in a notebook's cell of parameters."""

    name: str
    annotation: str
    default: Any
    help: str = ""


def read_parameters(notebook: dict[str, Any]) -> dict[str, Parameter]:
    """Return what the cell tagged `parameters` declares, by name."""
    for cell in notebook["cells"]:
        if "parameters" in cell.get("metadata", {}).get("tags", ()):
            return declared(source_of(cell))
    return {}


def declared(source: str) -> dict[str, Parameter]:
    """Return what a cell of parameters declares, or sets, by name."""
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found = {}
    for node in python_tree(source).body:
        if not isinstance(node, ast.AnnAssign | ast.Assign):
            continue
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        if isinstance(target, ast.Name):
            default = ast.literal_eval(node.value) if node.value is not None else None
            annotation = type(default).__name__
            if isinstance(node, ast.AnnAssign):
                annotation = ast.unparse(node.annotation)
            text = comments.get(node.end_lineno or 0, "")
            found[target.id] = Parameter(target.id, annotation, default, text)
    return found


def edited(path: Path, found: dict[str, Parameter]) -> list[str]:
    """Say which values of a notebook's cell of parameters are not those that were committed."""
    before = read_parameters(committed(path) or {"cells": []})
    return [
        f"{path.name} says {name} = {parameter.default!r} (committed: {before[name].default!r}): "
        "this run uses it."
        for name, parameter in found.items()
        if name in before.keys() - RUNNERS_OWN.keys() and before[name].default != parameter.default
    ]


def settle_parameters(
    settings: dict[str, str], declared: dict[str, dict[str, Parameter]]
) -> dict[str, dict[str, Any]]:
    """Turn --set texts into typed values, by the number of each stage that declares their names.

    Raises UserError if no notebook declares a name, or a value is not of the declared type.
    """
    known = sorted(set().union(*declared.values()) - RUNNERS_OWN.keys())
    for name in settings:
        where = f"--set {name}=…"
        if name in RUNNERS_OWN:
            what = f"{name} is not set this way"
            raise UserError(what, where, f"use the option {RUNNERS_OWN[name]}")
        if name not in known:
            remedy = did_you_mean(name, known, f"there are: {', '.join(known)}")
            raise UserError(f"no notebook has a parameter {name!r}", where, remedy)
    return {
        # In the notebook's order, so that the order of --set leaves no trace.
        number: {n: coerce(p, settings[n]) for n, p in parameters.items() if n in settings}
        for number, parameters in declared.items()
    }


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


_TRUTH = dict.fromkeys(("true", "yes", "on", "1"), True)
_TRUTH |= dict.fromkeys(("false", "no", "off", "0"), False)
# By type, how a value is read and what it is called; any other type counts as text.
_TYPES: dict[str, tuple[Callable[[str], Any], str]] = {
    "int": (int, "a whole number"),
    "float": (_finite, "a number"),
    "bool": (lambda text: _TRUTH[text.lower()], "true or false"),
}


def coerce(parameter: Parameter, text: str) -> Any:
    """Read a value as the type that its parameter declares.

    Raises UserError if the text is no such value.
    """
    read, called = _TYPES.get(parameter.annotation, (str, "text"))
    try:
        return read(text.strip())
    except (ValueError, KeyError):
        raise UserError(
            f"{parameter.name} is {called}, not {text!r}",
            where=f"--set {parameter.name}={text}",
            remedy=f"its default is {parameter.default!r}"
            + (f": {parameter.help}" if parameter.help else ""),
        ) from None
