"""What a notebook file holds."""

from __future__ import annotations

import ast
import json
import threading
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


def parse(source: str, mode: str = "exec") -> ast.AST:
    """Parse Python in any thread of a run.

    Up to Python 3.12 two threads that build syntax trees at once confuse the interpreter's count
    of levels, and one of them fails with a SystemError.
    """
    with _PARSING:
        return ast.parse(source, mode=mode)


def source_of(cell: dict[str, Any]) -> str:
    """Return a cell's text, which notebook files hold as one string or as a list of lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)
