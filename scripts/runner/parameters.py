"""The parameters that notebooks declare, and the values that a user sets for them."""

from __future__ import annotations

import ast
import difflib
import io
import math
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from customer_tables.errors import UserError
from runner.notebook_files import parse, source_of

# Parameters that the runner sets itself, and the option that decides each of them.
RUNNERS_OWN = {
    "dataset": "--dataset",
    "input_file": "--input",
    "demographics_file": "--demographics",
    "results_dir": "--results",
    "quick": "--quick",
}
# Parameters that name a file of the user's, and what the file is in the run.
FILES = {"next_period": "next period"}


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
    for node in parse(source).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, annotation = node.target.id, ast.unparse(node.annotation)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, annotation = node.targets[0].id, ""
        else:
            continue
        default = ast.literal_eval(node.value) if node.value is not None else None
        annotation = annotation or type(default).__name__
        found[name] = Parameter(name, annotation, default, comments.get(node.end_lineno or 0, ""))
    return found


def settle_parameters(
    settings: dict[str, str], declared: dict[str, dict[str, Parameter]]
) -> dict[str, dict[str, Any]]:
    """Turn --set texts into typed values for the notebooks that declare their names.

    Parameters
    ----------
    settings : dict
        Text by parameter name.
    declared : dict
        By stage number, what the notebook declares.

    Returns
    -------
    dict
        By stage number, the values to pass.

    Raises
    ------
    UserError
        If no notebook declares a name, or a value is not of the declared type.
    """
    for name in settings:
        _check_name(name, declared)
    return {
        number: {
            # In the notebook's order, so that the order of --set leaves no trace.
            name: coerce(parameter, settings[name])
            for name, parameter in parameters.items()
            if name in settings
        }
        for number, parameters in declared.items()
    }


def _check_name(name: str, declared: dict[str, dict[str, Parameter]]) -> None:
    if name in RUNNERS_OWN:
        raise UserError(
            f"{name} is not set this way",
            where=f"--set {name}=…",
            remedy=f"use the option {RUNNERS_OWN[name]}",
        )
    known = sorted({name for parameters in declared.values() for name in parameters})
    if name in known:
        return
    close = difflib.get_close_matches(name, known, 1, cutoff=0.5)
    settable = [known_name for known_name in known if known_name not in RUNNERS_OWN]
    raise UserError(
        f"no notebook has a parameter {name!r}",
        where=f"--set {name}=…",
        remedy=f"did you mean {close[0]}?" if close else f"there are: {', '.join(settable)}",
    )


# --- values -------------------------------------------------------------------------------------

_TRUTH = {"true": True, "yes": True, "on": True, "1": True}
_TRUTH |= {"false": False, "no": False, "off": False, "0": False}


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


# By type, how a value is read and what it is called; any other type counts as text.
_TYPES: dict[str, tuple[Callable[[str], Any], str]] = {
    "int": (int, "a whole number"),
    "float": (_finite, "a number"),
    "bool": (lambda text: _TRUTH[text.lower()], "true or false"),
}


def coerce(parameter: Parameter, text: str) -> Any:
    """Read a value as the type that its parameter declares.

    Raises
    ------
    UserError
        If the text is no such value.
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
