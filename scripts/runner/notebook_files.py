"""What a notebook file holds."""

from __future__ import annotations

import ast
import json
import re
import threading
from functools import cache
from pathlib import Path
from typing import Any

from customer_tables.errors import UserError


def read_notebook(path: Path) -> dict[str, Any]:
    """Return a notebook's content.

    Raises
    ------
    UserError
        If the file is missing or is no notebook.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        notebook["cells"] = list(notebook["cells"])
    except OSError as error:
        raise UserError(
            f"the notebook {path.name} cannot be read: {error.strerror}",
            where=str(path.parent),
            remedy="get the whole project again, or bring the file back",
        ) from None
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{path.name} is not a notebook",
            where=str(path),
            remedy="bring back an earlier version of the file",
        ) from None
    return notebook


_PARSING = threading.Lock()


def parse(source: str) -> ast.Module:
    """Parse Python in any thread of a run.

    Up to Python 3.12 two threads that build syntax trees at once confuse the interpreter's count
    of levels, and one of them fails with a SystemError.
    """
    with _PARSING:
        return ast.parse(source)


def source_of(cell: dict[str, Any]) -> str:
    """Return a cell's text, which notebook files hold as one string or as a list of lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


@cache
def imported_names(source: str) -> frozenset[str]:
    """Return the modules that a source imports, and what it takes from them, as dotted names."""
    # A cell with a magic command is no Python as a whole; its other lines are.
    source = re.sub(r"^\s*[%!].*$", "", source, flags=re.MULTILINE)
    names: set[str] = set()
    try:
        nodes = list(ast.walk(parse(source)))
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
    waiting = [source_of(cell) for cell in notebook["cells"] if cell.get("cell_type") == "code"]
    found: set[Path] = set()
    while waiting:
        for name in imported_names(waiting.pop()):
            for path in _files_of(name, folder) - found:
                found.add(path)
                waiting.append(path.read_text(encoding="utf-8"))
    return sorted(found)


def _files_of(name: str, folder: Path) -> set[Path]:
    """Return the files that are read when a dotted name is imported."""
    parts = name.split(".")
    places = [folder.joinpath(*parts[:count]) for count in range(1, len(parts) + 1)]
    files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
    return {file for file in files if file.is_file()}
