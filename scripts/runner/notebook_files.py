"""What a notebook file holds, and the code that it reaches."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from customer_tables.errors import UserError
from customer_tables.text import python_tree
from runner import NOTEBOOKS


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
