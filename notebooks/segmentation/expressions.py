"""The formulas and conditions of dataset.toml: a small, safe language over columns.

A formula is written like Python (``purchases / tenure``) but only names of columns, numbers,
arithmetic, comparisons, ``and``/``or``/``not`` and the functions in `ARGUMENTS` are accepted, so a
dataset.toml from elsewhere can compute but cannot act. The program's own steps (ranges, gaps,
transforms) are formulas as well, made by `bind`, which may use a little more. Everywhere a formula
is a text or its tree. `translate` says what a formula means in a target: arrays here, SQL in `sql`.
Conditions over a segment are formulas over aggregates of formulas; `split` takes them apart.
"""

from __future__ import annotations

import ast
import copy
import math
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from customer_tables.errors import UserError
from customer_tables.text import python_tree

if TYPE_CHECKING:  # most of a second, and checking a description computes nothing
    import pandas as pd

LONGEST, DEEPEST = 5_000, 300  # characters and levels of a formula; more is a mistake or an attack
# Of the documented functions, the least and the most arguments.
ARGUMENTS = {"abs": (1, 1), "log1p": (1, 1), "max": (2, 99), "min": (2, 99), "ratio": (2, 2)}
# Of the members of a segment; with a scope, of all customers, or of the other segment that has most
# or least of it. ``of_total`` is the members' part of the sum over all customers.
AGGREGATES = ("share", "median", "mean", "of_total")
SCOPES = ("", "_all", "_highest", "_lowest")
OWN = {ast.Pow, "missing", "sign", "sqrt", "where"}  # in the program's own formulas only


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; 0 where there is nothing to divide by, and unknown where that is unknown."""
    return np.where(denominator == 0, 0.0, numerator / np.where(denominator == 0, 1, denominator))


class Aggregate(NamedTuple):
    """An aggregate of a formula over the members of a segment, or in another scope."""

    function: str  # of AGGREGATES
    scope: str  # of SCOPES
    formula: ast.expr


AGGREGATED = {function + scope: (function, scope) for function in AGGREGATES for scope in SCOPES}
del AGGREGATED["of_total_all"]  # always 1
QUOTE = re.compile(r"\{(\w+\([^{}]*\))\}")  # an aggregate in a text
Operation = type[ast.AST] | str  # an operator, or the name of a function
ON_ARRAYS: dict[Operation, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.And: lambda *values: reduce(operator.and_, values),  # refuse what is no condition
    ast.Or: lambda *values: reduce(operator.or_, values),
    ast.Not: operator.invert,
    "abs": np.abs,
    "log1p": np.log1p,
    "max": lambda *values: reduce(np.maximum, values),
    "min": lambda *values: reduce(np.minimum, values),
    "ratio": ratio,
    "missing": np.isnan,
    "sign": np.sign,
    "sqrt": np.sqrt,
    "where": np.where,
}


@lru_cache(maxsize=256)
def parse(formula: str, *, aggregated: bool = False) -> ast.expr:
    """Parse a formula; UserError unless it is an expression of the documented language.

    With ``aggregated`` it may hold aggregates, and is one over a segment.
    """
    try:
        if len(formula) > LONGEST:
            raise ValueError(f"it has more than {LONGEST:,} characters")
        tree = python_tree(formula.strip(), "eval").body
        _check(tree, aggregated=aggregated)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)[:120]
        raise UserError(
            f"the formula {formula[:80]!r} cannot be read ({reason or 'too deeply nested'})",
            where="dataset.toml",
            remedy="use column names, numbers, + - * /, comparisons, and, or, not, "
            + ", ".join(f"{name}()" for name in [*ARGUMENTS, *(AGGREGATES if aggregated else ())]),
        ) from None
    return tree


def _check(node: ast.expr, level: int = 0, *, aggregated: bool = False) -> None:
    """Refuse every node that is not part of the language; aggregates hold no others."""
    if level > DEEPEST:
        raise ValueError("it is too deeply nested")
    match node:
        case ast.Name():
            return
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            if not math.isfinite(value):
                raise ValueError("a number is too large")
            return
    operation, parts = _take_apart(node)
    if aggregated and operation in AGGREGATED and len(parts) == 1:
        return _check(parts[0], level + 1)
    if operation not in ON_ARRAYS or operation in OWN:
        raise ValueError(f"{getattr(operation, '__name__', operation)} is not allowed")
    least, most = ARGUMENTS.get(operation, (0, math.inf))
    if not least <= len(parts) <= most:
        needed = f"{least}" if least == most else f"{least} or more"
        raise ValueError(f"{operation}() takes {needed} value(s), not {len(parts)}")
    for part in parts:
        _check(part, level + 1, aggregated=aggregated)


def _take_apart(node: ast.expr) -> tuple[Any, list[ast.expr]]:
    """Return what a node does, and what it does that to."""
    match node:
        case ast.BinOp(left=a, op=op, right=b) | ast.Compare(left=a, ops=[op], comparators=[b]):
            return type(op), [a, b]
        case ast.UnaryOp(op=op, operand=operand):
            return type(op), [operand]
        case ast.BoolOp(op=op, values=values):
            return type(op), values
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            return name, args
    raise ValueError(f"{ast.unparse(node)} is not allowed")


def bind(template: str, **parts: ast.expr | str | float | None) -> ast.expr:
    """Make a formula from a template whose names are replaced by parts.

    Beside the documented language, templates may use powers and ``where(condition, a, b)``,
    ``missing(x)``, ``sign(x)`` and ``sqrt(x)``. A part is a formula's tree, the name of a column,
    a number, or None for a missing value.
    """

    class Replacing(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:  # noqa: N802  (ast's own name)
            part = parts.get(node.id, node)
            if isinstance(part, ast.expr):
                return part
            return ast.Name(part) if isinstance(part, str) else ast.Constant(part)

    return Replacing().visit(python_tree(template, "eval").body)


def call(function: str, *parts: ast.expr) -> ast.expr:
    """Make the formula of a function of parts."""
    return ast.Call(ast.Name(function), list(parts), [])


def choose(cases: Iterable[tuple[ast.expr, Any]]) -> ast.expr:
    """Make the formula of the value of the first case (condition, number or text) that holds.

    It is missing where none does.
    """
    chosen: ast.expr = ast.Constant(None)
    for condition, value in reversed(list(cases)):
        chosen = call("where", condition, ast.Constant(value), chosen)
    return chosen


def _tree(formula: str | ast.expr) -> ast.expr:
    return parse(formula) if isinstance(formula, str) else formula


@lru_cache(maxsize=4096)
def written(formula: str | ast.expr) -> str:
    """Return a formula as text; a tree is written once."""
    return formula if isinstance(formula, str) else ast.unparse(formula)


@lru_cache(maxsize=1024)
def columns_of(formula: str | ast.expr) -> frozenset[str]:
    """Return the names of the columns that a formula reads."""
    nodes = list(ast.walk(_tree(formula)))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    names = (node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called)
    return frozenset(names)


@lru_cache(maxsize=1024)
def split(condition: str | ast.expr) -> tuple[ast.expr, dict[str, Aggregate]]:
    """Take a condition over a segment apart.

    Returns
    -------
    outer : ast.expr
        The condition with a name in place of each aggregate.
    aggregates : dict of str to Aggregate
        By that name, which is the aggregate's own text: ``share(balance >= 0.9 * credit_limit)``.

    Raises
    ------
    UserError
        If it is outside the language.
    """
    aggregates: dict[str, Aggregate] = {}

    class Naming(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.expr:  # noqa: N802  (ast's own name)
            function = getattr(node.func, "id", "")
            if function not in AGGREGATED:
                return ast.Call(node.func, [self.visit(part) for part in node.args], [])
            text = ast.unparse(node)
            aggregates[text] = Aggregate(*AGGREGATED[function], node.args[0])
            return ast.Name(text)

    tree = parse(condition, aggregated=True) if isinstance(condition, str) else condition
    return Naming().visit(copy.deepcopy(tree)), aggregates


def quoted(text: str) -> list[str]:
    """Return the aggregates that a text quotes in braces."""
    return QUOTE.findall(text)


def fault_of(text: str, known: Collection[str], yes_no: Collection[str], *, condition: bool) -> str:
    """Say what is wrong with a condition over a segment, or with a quoted number; "" if nothing.

    ``known`` are the names of what can be computed with, ``yes_no`` those that say yes or no.
    """
    try:
        outer, aggregates = split(text)
    except UserError as error:
        return error.what
    if bare := columns_of(outer) - set(aggregates):
        return f"{min(bare)!r} stands outside of an aggregate"
    for name, (function, _, formula) in aggregates.items():
        if unknown := columns_of(formula) - set(known):
            return f"it uses the column {min(unknown)!r}, which does not exist or holds no numbers"
        if function == "share" and not is_condition(formula, yes_no):
            return f"{name[:80]!r} has to hold a condition"
    if condition and not (aggregates and is_condition(outer)):
        return f"{text[:80]!r} is no condition over the segment"
    if not condition and text not in aggregates and len(aggregates) != 1:
        return f"{text[:80]!r} is no aggregate"
    return ""


def is_condition(formula: str | ast.expr, yes_no: Collection[str] = ()) -> bool:
    """Whether a formula, as columns in ``yes_no``, says yes or no rather than how much."""
    names = ("", *columns_of(formula))
    columns = {name: np.zeros(1, dtype=bool if name in yes_no else float) for name in names}
    try:
        return evaluate(formula, columns).dtype == bool
    except UserError:
        return False


def translate(
    node: ast.expr,
    leaf: Callable[[ast.expr], Any],
    number: Callable[[Any], Any],
    operations: Mapping[Operation, Callable],
) -> Any:
    """Translate a checked formula.

    Parameters
    ----------
    leaf : callable
        Translates a name or a constant.
    number : callable
        Makes 1 or 0 of a translated condition, where something calculates with it.
    operations : mapping
        What operators and functions become, as in `ON_ARRAYS`.
    """
    if isinstance(node, (ast.Name, ast.Constant)):
        return leaf(node)
    operation, parts = _take_apart(node)
    values = [translate(part, leaf, number, operations) for part in parts]
    if operation not in (ast.And, ast.Or, ast.Not, "missing", "where"):
        values = [number(value) for value in values]
    return operations[operation](*values)


def evaluate(
    formula: str | ast.expr, columns: Mapping[str, np.ndarray] | pd.DataFrame
) -> np.ndarray:
    """Compute a formula, such as ``"ratio(balance, credit_limit)"``, on columns by name.

    A condition, such as ``"payments == 0"``, gives an array of bool. In arithmetic it counts as 1
    or 0.

    Raises
    ------
    UserError
        If a column is missing, holds no numbers, or the formula is outside the language.
    """
    if missing := columns_of(formula) - set(columns):
        raise UserError(
            f"the formula {written(formula)[:80]!r} needs the column {min(missing)!r}",
            where=f"columns there are: {', '.join(map(str, columns))[:300]}",
            remedy="correct the formula in dataset.toml or provide the column",
        )

    def leaf(node: Any) -> Any:
        found = columns[node.id] if isinstance(node, ast.Name) else node.value
        # A Series asked for an array looks through its index first, for the names of numpy.
        values = found.to_numpy() if hasattr(found, "to_numpy") else np.asarray(found)
        return values if values.dtype == bool else number(values)

    def number(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float64, copy=False)

    try:
        with np.errstate(all="ignore"):  # what is not finite is found and named by the caller
            value = translate(_tree(formula), leaf, number, ON_ARRAYS)
    except (TypeError, ValueError) as error:
        reason = str(error)[:120] if isinstance(error, ValueError) else "a part is no condition"
        raise UserError(
            f"the formula {written(formula)[:80]!r} cannot be computed ({reason})",
            where="dataset.toml",
            remedy="calculate with numbers only; and, or, not take conditions such as a > 0",
        ) from None
    return value if np.ndim(value) else np.full(len(columns[next(iter(columns))]), value)
