"""The model as data for the start page, whose script finds the segment of one customer.

The formulas are those by which `segmentation.scoring` assigns customers and `segmentation.sql`
writes a query; here each becomes a list that begins with the name of its operation.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from segmentation.expressions import ON_ARRAYS, Operation, translate
from segmentation.model import dataset_of
from segmentation.scoring import columns_read, preparing_steps


def _name(operation: Operation) -> str:
    return operation if isinstance(operation, str) else operation.__name__


def _listed(name: str, *parts: Any) -> list[Any]:
    return [name, *parts]


AS_LISTS: dict[Operation, Callable[..., list[Any]]] = {
    operation: partial(_listed, _name(operation)) for operation in ON_ARRAYS
}


def as_list(formula: ast.expr) -> Any:
    """Write a formula as plain data.

    Returns
    -------
    str, float, None or list
        The name of a column, a number, a missing value, or an operation's name and its parts.

    Examples
    --------
    >>> as_list(ast.parse("ratio(balance, 2) + 1", mode="eval").body)
    ['Add', ['ratio', 'balance', 2], 1]
    """

    def leaf(node: Any) -> Any:
        return node.id if isinstance(node, ast.Name) else node.value

    return translate(formula, leaf, lambda value: value, AS_LISTS)


def finder(model: Mapping[str, Any]) -> dict[str, Any]:
    """Collect what assigning one customer needs: what to ask, the formulas and the centres.

    Parameters
    ----------
    model : mapping
        As `segmentation.model.load_model` gives it.

    Returns
    -------
    dict
        columns (name, label, unit and kind of each that is asked for), steps (formulas by name,
        step by step), features (the coordinates' names), centres, names of the segments and limits
        (the distances beyond which a customer is an outlier, those of a quantile of the members).
    """
    dataset = dataset_of(dict(model))
    steps = [
        {
            name: as_list(formula)
            for name, formula in formulas.items()
            if not (isinstance(formula, ast.Name) and formula.id == name)
        }
        for _, formulas in preparing_steps(dict(model), dataset)
    ]
    return {
        "columns": [
            {"name": c.name, "label": c.label, "unit": c.unit, "kind": c.kind}
            for c in columns_read(dataset)
        ],
        "steps": [step for step in steps if step],
        "features": [step["name"] for step in model["preparation"]["steps"]],
        "centres": model["centres"],
        "names": [entry["name"] for entry in model["segments"]],
        "limits": model["outliers"]["distances"],
        "quantile": model["outliers"]["quantile"],
    }
