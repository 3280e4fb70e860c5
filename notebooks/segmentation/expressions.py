"""The formulas and conditions of dataset.toml: a small, safe language over columns.

A formula is written like Python (``purchases / tenure``) but only names of columns, numbers,
arithmetic, comparisons, ``and``/``or``/``not`` and the functions in `FUNCTIONS` are accepted, so a
dataset.toml from elsewhere can compute but cannot act.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache, reduce
from typing import TYPE_CHECKING

import numpy as np

from customer_tables.errors import UserError

if TYPE_CHECKING:  # most of a second, and checking a description computes nothing
    import pandas as pd

LONGEST, DEEPEST = 5_000, 300  # characters and levels of a formula; more is a mistake or an attack


def ratio(numerator: pd.Series, denominator: pd.Series) -> np.ndarray:
    """Divide, with 0 where there is nothing to divide by (no purchases: no average ticket).

    An unknown denominator gives an unknown ratio.
    """
    numerator, denominator = np.asarray(numerator, float), np.asarray(denominator, float)
    return np.where(denominator == 0, 0.0, numerator / np.where(denominator == 0, 1, denominator))


def _largest(*values: pd.Series) -> pd.Series:
    return reduce(np.maximum, values)


def _smallest(*values: pd.Series) -> pd.Series:
    return reduce(np.minimum, values)


FUNCTIONS: dict[str, Callable] = {
    "abs": np.abs,
    "log1p": np.log1p,
    "max": _largest,
    "min": _smallest,
    "ratio": ratio,
}
ARGUMENTS = {"abs": (1, 1), "log1p": (1, 1), "max": (2, 99), "min": (2, 99), "ratio": (2, 2)}
ARITHMETIC: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
}
COMPARISONS: dict[type, Callable] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
LOGIC: dict[type, Callable] = {
    ast.Not: np.logical_not,
    ast.And: np.logical_and,
    ast.Or: np.logical_or,
}
OPERATORS = ARITHMETIC | COMPARISONS | LOGIC


@lru_cache(maxsize=256)
def parse(expression: str) -> ast.expr:
    """Parse an expression and check that it stays within the language.

    Raises
    ------
    UserError
        If the text is no expression or uses anything but the documented subset.
    """
    try:
        if len(expression) > LONGEST:
            raise ValueError(f"it has more than {LONGEST:,} characters")
        tree = ast.parse(expression.strip(), mode="eval").body
        _check(tree)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)[:120]
        raise UserError(
            f"the formula {expression[:80]!r} cannot be read ({reason or 'too deeply nested'})",
            where="dataset.toml",
            remedy="use column names, numbers, + - * /, comparisons, and, or, not, "
            + ", ".join(f"{name}()" for name in FUNCTIONS),
        ) from None
    return tree


def _check(node: ast.expr, level: int = 0) -> None:
    """Refuse every node that is not part of the language."""
    if level > DEEPEST:
        raise ValueError("it is too deeply nested")
    match node:
        case ast.Name():
            return
        case ast.Constant(value=value) if type(value) in (int, float):
            if not math.isfinite(value):
                raise ValueError("a number is too large")
            return
        case ast.BinOp(left=a, op=op, right=b) | ast.Compare(left=a, ops=[op], comparators=[b]):
            parts = [a, b]
        case ast.UnaryOp(op=op, operand=operand):
            parts = [operand]
        case ast.BoolOp(op=op, values=values):
            parts = values
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            fewest, most = ARGUMENTS[name]
            if not fewest <= len(args) <= most:
                needed = f"{fewest}" if fewest == most else f"{fewest} or more"
                raise ValueError(f"{name}() takes {needed} value(s), not {len(args)}")
            op, parts = None, args
        case _:
            raise ValueError(f"{ast.unparse(node)} is not allowed")
    if op is not None and type(op) not in OPERATORS:
        raise ValueError(f"{type(op).__name__} is not allowed")
    for part in parts:
        _check(part, level + 1)


@lru_cache(maxsize=256)
def columns_of(expression: str) -> frozenset[str]:
    """Return the names of the columns that an expression reads."""
    nodes = list(ast.walk(parse(expression)))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    names = (node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called)
    return frozenset(names)


def is_condition(expression: str, yes_no: Collection[str] = ()) -> bool:
    """Whether an expression says yes or no about each customer rather than how much.

    Parameters
    ----------
    yes_no : collection of str
        Columns that are conditions in themselves.
    """

    def holds(node: ast.expr) -> bool:
        match node:
            case ast.Compare():
                return True
            case ast.Name(id=name):
                return name in yes_no
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return holds(operand)
            case ast.BoolOp(values=values):
                return all(map(holds, values))
        return False

    return holds(parse(expression))


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
        Of bool for a condition. In arithmetic a condition counts as 1 or 0.

    Raises
    ------
    UserError
        If a column is missing, holds no numbers, or the expression is outside the language.
    """
    import pandas as pd

    return pd.Series(evaluate_columns(expression, table), index=table.index)


def evaluate_columns(expression: str, columns: Mapping[str, np.ndarray] | pd.DataFrame):
    """Compute an expression on columns by name, as `evaluate`; a constant gives one number.

    Raises
    ------
    UserError
        As `evaluate`.
    """
    missing = columns_of(expression) - set(columns)
    if missing:
        raise UserError(
            f"the formula {expression[:80]!r} needs the column {sorted(missing)[0]!r}",
            where=f"columns there are: {', '.join(map(str, columns))[:300]}",
            remedy="correct the formula in dataset.toml or provide the column",
        )
    try:
        with np.errstate(all="ignore"):  # what is not finite is found and named by the caller
            return _evaluate(parse(expression), columns)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"the formula {expression[:80]!r} cannot be computed ({str(error)[:120]})",
            where="dataset.toml",
            remedy="calculate with numbers only; and, or, not take conditions such as a > 0",
        ) from None


def _evaluate(node: ast.expr, table: Mapping[str, np.ndarray] | pd.DataFrame):
    match node:
        case ast.Name(id=name):
            return table[name]
        case ast.Constant(value=value):
            return np.float64(value)
        case ast.BinOp(left=a, op=op, right=b):
            return ARITHMETIC[type(op)](_number(a, table), _number(b, table))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand, table)
        case ast.Compare(left=a, ops=[op], comparators=[b]):
            return COMPARISONS[type(op)](_evaluate(a, table), _evaluate(b, table))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return np.logical_not(_condition(operand, table))
        case ast.BoolOp(op=op, values=values):
            return reduce(LOGIC[type(op)], (_condition(value, table) for value in values))
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name](*(_number(arg, table) for arg in args))
    raise AssertionError(f"unchecked node {ast.dump(node)}")


def _number(node: ast.expr, table: Mapping[str, np.ndarray] | pd.DataFrame):
    """Compute a part that has to be a number; two conditions add up to 0, 1 or 2."""
    value = _evaluate(node, table)
    return value if value.dtype == np.float64 else value.astype("float64")


def _condition(node: ast.expr, table: Mapping[str, np.ndarray] | pd.DataFrame):
    """Compute a part that has to be a condition."""
    value = _evaluate(node, table)
    if np.asarray(value).dtype != bool:
        raise TypeError(f"{ast.unparse(node)[:40]} is no condition")
    return value
