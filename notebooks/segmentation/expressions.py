"""The formulas and conditions of dataset.toml: a small, safe language over columns.

A formula is written like Python (``purchases / tenure``) but only names of columns, numbers,
arithmetic, comparisons, ``and``/``or``/``not`` and the functions in `FUNCTIONS` are accepted, so a
dataset.toml from elsewhere can compute but cannot act. The program's own steps (ranges, gaps,
transforms) are formulas as well, made by `bind`, which may use a little more. Everywhere a formula
is a text or its tree.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from customer_tables.errors import UserError

if TYPE_CHECKING:  # most of a second, and checking a description computes nothing
    import pandas as pd

LONGEST, DEEPEST = 5_000, 300  # characters and levels of a formula; more is a mistake or an attack


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide, with 0 where there is nothing to divide by (no purchases: no average ticket).

    An unknown denominator gives an unknown ratio.
    """
    return np.where(denominator == 0, 0.0, numerator / np.where(denominator == 0, 1, denominator))


def _is_missing(values: Any) -> Any:
    import pandas as pd

    return pd.isna(values)


FUNCTIONS: dict[str, tuple[Callable, int, int]] = {  # with the least and the most arguments
    "abs": (np.abs, 1, 1),
    "log1p": (np.log1p, 1, 1),
    "max": (lambda *values: reduce(np.maximum, values), 2, 99),
    "min": (lambda *values: reduce(np.minimum, values), 2, 99),
    "ratio": (ratio, 2, 2),
}
OWN_FUNCTIONS: dict[str, Callable] = {
    "missing": _is_missing,
    "sign": np.sign,
    "sqrt": np.sqrt,
    "where": np.where,
}
OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,  # in the program's own formulas only
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
LOGIC: dict[type, Callable] = {ast.And: np.logical_and, ast.Or: np.logical_or}
ACCEPTED = {*OPERATORS, *LOGIC, ast.USub, ast.Not} - {ast.Pow}


@lru_cache(maxsize=256)
def parse(formula: str) -> ast.expr:
    """Parse a formula and check that it stays within the language.

    Raises
    ------
    UserError
        If the text is no expression or uses anything but the documented subset.
    """
    try:
        if len(formula) > LONGEST:
            raise ValueError(f"it has more than {LONGEST:,} characters")
        tree = ast.parse(formula.strip(), mode="eval").body
        _check(tree)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)[:120]
        raise UserError(
            f"the formula {formula[:80]!r} cannot be read ({reason or 'too deeply nested'})",
            where="dataset.toml",
            remedy="use column names, numbers, + - * /, comparisons, and, or, not, "
            + ", ".join(f"{name}()" for name in FUNCTIONS),
        ) from None
    return tree


def _check(node: ast.expr, level: int = 0) -> None:
    """Refuse every node that is not part of the language."""
    if level > DEEPEST:
        raise ValueError("it is too deeply nested")
    op: ast.AST | None = None
    match node:
        case ast.Name():
            return
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            if not math.isfinite(value):
                raise ValueError("a number is too large")
            return
        case ast.BinOp(left=a, op=op, right=b) | ast.Compare(left=a, ops=[op], comparators=[b]):
            parts = [a, b]
        case ast.UnaryOp(op=op, operand=operand):
            parts = [operand]
        case ast.BoolOp(op=op, values=values):
            parts = values
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if name in FUNCTIONS:
            _, least, most = FUNCTIONS[name]
            if not least <= len(parts) <= most:
                needed = f"{least}" if least == most else f"{least} or more"
                raise ValueError(f"{name}() takes {needed} value(s), not {len(parts)}")
        case _:
            raise ValueError(f"{ast.unparse(node)} is not allowed")
    if op is not None and type(op) not in ACCEPTED:
        raise ValueError(f"{type(op).__name__} is not allowed")
    for part in parts:
        _check(part, level + 1)


def bind(template: str, **parts: ast.expr | str | float | None) -> ast.expr:
    """Make a formula from a template whose names are replaced by parts.

    Parameters
    ----------
    template : str
        In the program's own words: beside the documented language it may use powers and
        ``where(condition, a, b)``, ``missing(x)``, ``sign(x)`` and ``sqrt(x)``.
    **parts : ast.expr, str, float or None
        A formula's tree, the name of a column, a number, or None for a missing value.
    """

    class Replacing(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:  # noqa: N802  (ast's own name)
            part = parts.get(node.id, node)
            if isinstance(part, ast.expr):
                return part
            return ast.Name(part) if isinstance(part, str) else ast.Constant(part)

    return Replacing().visit(ast.parse(template, mode="eval").body)


def call(function: str, *parts: ast.expr) -> ast.expr:
    """Make the formula of a function of parts."""
    return ast.Call(ast.Name(function), list(parts), [])


def choose(cases: Iterable[tuple[ast.expr, Any]]) -> ast.expr:
    """Make the formula of the value of the first case that holds; missing where none does.

    Parameters
    ----------
    cases : iterable of tuple
        A condition and its number, or text.
    """
    chosen: ast.expr = ast.Constant(None)
    for condition, value in reversed(list(cases)):
        chosen = call("where", condition, ast.Constant(value), chosen)
    return chosen


def _tree(formula: str | ast.expr) -> ast.expr:
    return parse(formula) if isinstance(formula, str) else formula


def _text(formula: str | ast.expr) -> str:
    return formula if isinstance(formula, str) else ast.unparse(formula)


@lru_cache(maxsize=1024)
def columns_of(formula: str | ast.expr) -> frozenset[str]:
    """Return the names of the columns that a formula reads."""
    nodes = list(ast.walk(_tree(formula)))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    names = (node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called)
    return frozenset(names)


def is_condition(formula: str | ast.expr, yes_no: Collection[str] = ()) -> bool:
    """Whether a formula says yes or no about each customer rather than how much.

    Parameters
    ----------
    yes_no : collection of str
        Columns that are conditions in themselves.
    """
    match _tree(formula):
        case ast.Compare() | ast.Call(func=ast.Name(id="missing")):
            return True
        case ast.Name(id=name):
            return name in yes_no
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return is_condition(operand, yes_no)
        case ast.BoolOp(values=values):
            return all(is_condition(value, yes_no) for value in values)
    return False


def evaluate(
    formula: str | ast.expr, columns: Mapping[str, np.ndarray] | pd.DataFrame
) -> np.ndarray:
    """Compute a formula on columns by name.

    Parameters
    ----------
    formula : str or ast.expr
        For example ``"ratio(balance, credit_limit)"`` or ``"payments == 0"``.
    columns : mapping of str to ndarray, shape (n_customers,), or DataFrame

    Returns
    -------
    ndarray, shape (n_customers,)
        Of bool for a condition. In arithmetic a condition counts as 1 or 0.

    Raises
    ------
    UserError
        If a column is missing, holds no numbers, or the formula is outside the language.
    """
    missing = columns_of(formula) - set(columns)
    if missing:
        raise UserError(
            f"the formula {_text(formula)[:80]!r} needs the column {sorted(missing)[0]!r}",
            where=f"columns there are: {', '.join(map(str, columns))[:300]}",
            remedy="correct the formula in dataset.toml or provide the column",
        )
    try:
        with np.errstate(all="ignore"):  # what is not finite is found and named by the caller
            value = _evaluate(_tree(formula), columns)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"the formula {_text(formula)[:80]!r} cannot be computed ({str(error)[:120]})",
            where="dataset.toml",
            remedy="calculate with numbers only; and, or, not take conditions such as a > 0",
        ) from None
    return value if np.ndim(value) else np.full(len(columns[next(iter(columns))]), value)


def _evaluate(node: ast.expr, table: Mapping[str, np.ndarray] | pd.DataFrame) -> Any:
    match node:
        case ast.Name(id=name):
            return np.asarray(table[name])
        case ast.Constant(value=int() | float() | None as value):
            return np.float64(value)  # of None: not a number
        case ast.BinOp(left=a, op=op, right=b):
            return OPERATORS[type(op)](_number(a, table), _number(b, table))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand, table)
        case ast.Compare(left=a, ops=[op], comparators=[b]):
            return OPERATORS[type(op)](_evaluate(a, table), _evaluate(b, table))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return np.logical_not(_condition(operand, table))
        case ast.BoolOp(op=op, values=values):
            return reduce(LOGIC[type(op)], (_condition(value, table) for value in values))
        case ast.Call(func=ast.Name(id=name), args=args) if name in OWN_FUNCTIONS:
            return OWN_FUNCTIONS[name](*(_evaluate(arg, table) for arg in args))
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name][0](*(_number(arg, table) for arg in args))
    raise AssertionError(f"unchecked node {ast.dump(node)}")


def _number(node: ast.expr, table: Mapping[str, np.ndarray] | pd.DataFrame) -> Any:
    """Compute a part that has to be a number; two conditions add up to 0, 1 or 2."""
    value = _evaluate(node, table)
    return value if value.dtype == np.float64 else value.astype("float64")


def _condition(node: ast.expr, table: Mapping[str, np.ndarray] | pd.DataFrame) -> Any:
    """Compute a part that has to be a condition."""
    value = _evaluate(node, table)
    if np.asarray(value).dtype != bool:
        raise TypeError(f"{ast.unparse(node)[:40]} is no condition")
    return value
