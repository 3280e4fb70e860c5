"""What cleaning does to numbers, as data: valid ranges, domain rules and gaps.

Conditions and new values are trees of the language in `segmentation.expressions`, like features
and their scaling: Python computes them (`cleaning`, `scoring`), and `sql` renders them.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from customer_tables.changes import Change
from segmentation.dataset import Column, Rule
from segmentation.expressions import bind, call, columns_of, evaluate, parse

OUTSIDE = {"clip": "set to the limit", "missing": "treated as missing", "flag": "kept, flagged"}


@dataclass(frozen=True)
class Repair:
    """One thing that cleaning does to the customers whom it concerns.

    Attributes
    ----------
    what, column, action : str
        As in `Change`.
    when : ast.expr
        The condition that marks the customers concerned.
    value : ast.expr, optional
        What then stands in the column; without it, customers are only counted.
    """

    what: str
    column: str
    action: str
    when: ast.expr
    value: ast.expr | None = None

    def apply(self, columns: dict[str, np.ndarray]) -> int:
        """Replace values in place of `columns`; return how many customers were concerned.

        None are where a column is missing: the repair is about something that the table lacks.
        """
        if not columns_of(self.when) <= set(columns):
            return 0
        concerned = evaluate(self.when, columns)
        rows = int(np.count_nonzero(concerned))
        if rows and self.value is not None:
            new = evaluate(self.value, columns)
            columns[self.column] = np.where(concerned, new, columns[self.column])
        return rows

    @property
    def formula(self) -> ast.expr | None:
        """What the column holds afterwards; None where nothing changes."""
        if self.value is None:
            return None
        return call("where", self.when, self.value, bind("x", x=self.column))

    def change(self, rows: int) -> Change:
        """Say what was done."""
        return Change(self.what, self.column, rows, self.action)


def range_repairs(columns: Iterable[Column]) -> list[Repair]:
    """Clip, blank or flag values outside a column's valid range, as dataset.toml says."""
    return [_range(c) for c in columns if c.is_numeric and c.valid != (-math.inf, math.inf)]


def _range(column: Column) -> Repair:
    low, high = column.valid
    ends = {"x < low": "low"} if low > -math.inf else {}
    ends |= {"x > high": "high"} if high < math.inf else {}
    when = bind(" or ".join(ends), x=column.name, low=low, high=high)
    limit = "where(x < low, low, high)" if len(ends) == 2 else "".join(ends.values())
    value = {"clip": bind(limit, x=column.name, low=low, high=high), "missing": ast.Constant(None)}
    what = f"value outside {low:g} to {high:g}"
    return Repair(what, column.name, OUTSIDE[column.outside], when, value.get(column.outside))


def rule_repairs(rules: Iterable[Rule]) -> list[Repair]:
    """Fill structural gaps and check what should hold, by the rules in dataset.toml.

    Where a value that a rule reads is unknown, nothing can be said.
    """
    return [_check(rule) if rule.check else _fill(rule) for rule in rules]


def _check(rule: Rule) -> Repair:
    broken = bind("not holds", holds=parse(rule.check))
    when = ast.BoolOp(ast.And(), [broken, *_known(rule.check)])
    return Repair(f"rule not met: {rule.name}", "", "kept, reported", when)


def _fill(rule: Rule) -> Repair:
    gap = bind("missing(x)", x=rule.column)
    when = ast.BoolOp(ast.And(), [gap, *_known(rule.when), parse(rule.when)])
    action = f"set to {rule.fill:g}: the gap is structural"
    return Repair(rule.name, rule.column, action, when, ast.Constant(rule.fill))


def _known(formula: str) -> list[ast.expr]:
    return [bind("not missing(x)", x=name) for name in sorted(columns_of(formula))]


def fill_repair(name: str, fill: float, action: str = "filled as in training") -> Repair:
    """Fill the gaps of a column that are left."""
    action = f"{action}, {fill:,.2f}"
    return Repair("missing value", name, action, bind("missing(x)", x=name), ast.Constant(fill))
