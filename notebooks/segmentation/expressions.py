"""The formulas and conditions of dataset.toml: a small, safe language over columns.

A formula is written like Python (``purchases / tenure``) but only names of columns, numbers,
arithmetic, comparisons, ``and``/``or``/``not`` and the functions in `FUNCTIONS` are accepted, so a
dataset.toml from elsewhere can compute but cannot act.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable

import numpy as np
import pandas as pd

from segmentation.errors import InputError


def ratio(numerator: pd.Series, denominator: pd.Series) -> pd.Series:
    """Divide, with 0 where there is nothing to divide by (no purchases: no average ticket)."""
    denominator = pd.Series(denominator)
    quotient = numerator / denominator.where(denominator != 0)
    return quotient.where(denominator.notna() & (denominator != 0), 0.0)


FUNCTIONS: dict[str, Callable] = {
    "abs": np.abs,
    "log1p": np.log1p,
    "max": np.maximum,
    "min": np.minimum,
    "ratio": ratio,
}
OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.Not: operator.invert,
    ast.And: operator.and_,
    ast.Or: operator.or_,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def parse(expression: str) -> ast.expr:
    """Parse an expression and check that it stays within the language.

    Raises
    ------
    InputError
        If the text is no expression or uses anything but the documented subset.
    """
    try:
        tree = ast.parse(expression, mode="eval").body
        _check(tree)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise InputError(
            f"the formula {expression[:80]!r} cannot be read ({error})",
            where="dataset.toml",
            remedy="use column names, numbers, + - * /, comparisons, and, or, not, "
            + ", ".join(f"{name}()" for name in FUNCTIONS),
        ) from None
    return tree


def _check(node: ast.expr) -> None:
    """Refuse every node that is not part of the language."""
    match node:
        case ast.Name():
            return
        case ast.Constant(value=value) if type(value) in (int, float):
            return
        case ast.BinOp(left=a, op=op, right=b) | ast.Compare(left=a, ops=[op], comparators=[b]):
            parts = [a, b]
        case ast.UnaryOp(op=op, operand=operand):
            parts = [operand]
        case ast.BoolOp(op=op, values=values):
            parts = values
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            op, parts = None, args
        case _:
            raise ValueError(f"{ast.unparse(node)} is not allowed")
    if op is not None and type(op) not in OPERATORS:
        raise ValueError(f"{type(op).__name__} is not allowed")
    for part in parts:
        _check(part)


def columns_of(expression: str) -> set[str]:
    """Return the names of the columns that an expression reads."""
    called = {id(node.func) for node in ast.walk(parse(expression)) if isinstance(node, ast.Call)}
    return {
        node.id
        for node in ast.walk(parse(expression))
        if isinstance(node, ast.Name) and node.id not in FUNCTIONS and id(node) not in called
    }


def evaluate(expression: str, table: pd.DataFrame) -> pd.Series:
    """Compute an expression on the columns of a table.

    Parameters
    ----------
    expression : str
        For example ``"ratio(balance, credit_limit)"`` or ``"payments == 0"``.
    table : DataFrame, shape (n_customers, n_columns)

    Returns
    -------
    Series, shape (n_customers,)

    Raises
    ------
    InputError
        If a column is missing or the expression is outside the language.
    """
    missing = columns_of(expression) - set(table.columns)
    if missing:
        raise InputError(
            f"the formula {expression!r} needs the column {sorted(missing)[0]!r}",
            where=f"columns there are: {', '.join(map(str, table.columns))[:300]}",
            remedy="correct the formula in dataset.toml or provide the column",
        )
    value = _evaluate(parse(expression), table)
    return value if isinstance(value, pd.Series) else pd.Series(value, index=table.index)


def _evaluate(node: ast.expr, table: pd.DataFrame):
    match node:
        case ast.Name(id=name):
            return table[name]
        case ast.Constant(value=value):
            return value
        case ast.BinOp(left=a, op=op, right=b) | ast.Compare(left=a, ops=[op], comparators=[b]):
            return OPERATORS[type(op)](_evaluate(a, table), _evaluate(b, table))
        case ast.UnaryOp(op=op, operand=operand):
            return OPERATORS[type(op)](_evaluate(operand, table))
        case ast.BoolOp(op=op, values=values):
            first, *rest = (_evaluate(value, table) for value in values)
            for value in rest:
                first = OPERATORS[type(op)](first, value)
            return first
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name](*(_evaluate(arg, table) for arg in args))
    raise AssertionError(f"unchecked node {ast.dump(node)}")
