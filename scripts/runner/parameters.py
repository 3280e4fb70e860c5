"""The parameters that notebooks declare, and the values that a user sets for them."""

from __future__ import annotations

import ast
import io
import math
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from customer_tables.errors import UserError
from customer_tables.text import did_you_mean, python_tree
from runner.notebook_files import committed, source_of

# Parameters that the runner sets itself, and the option that decides each of them.
RUNNERS_OWN = {
    "dataset": "--dataset",
    "input_file": "--input",
    "demographics_file": "--demographics",
    "results_dir": "--results",
    "quick": "--quick",
}
NEXT_PERIOD = "next_period"  # names a file of the user's


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
