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
    """One thing that cleaning does to the customers whom it concerns."""

    what: str  # with column and action as in `Change`
    column: str
    action: str
    when: ast.expr  # the condition that marks the customers concerned
    value: ast.expr | None = None  # what then stands in the column; without, they are only counted

    def apply(self, columns: dict[str, np.ndarray]) -> int:
        """Replace values in place of `columns`; return how many customers were concerned."""
        if not columns_of(self.when) <= set(columns):
            return 0  # the repair is about something that the table lacks
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
    repairs = []
    for column in columns:
        low, high = column.valid
        ends = {"x < low": "low"} if low > -math.inf else {}
        ends |= {"x > high": "high"} if high < math.inf else {}
        if not column.is_numeric or not ends:
            continue
        names = {"x": column.name, "low": low, "high": high}
        limit = "where(x < low, low, high)" if len(ends) == 2 else "".join(ends.values())
        value = {"clip": bind(limit, **names), "missing": ast.Constant(None)}.get(column.outside)
        far = f"outside {low:g} to {high:g}"
        if len(ends) == 1:
            far = f"below {low:g}" if "x < low" in ends else f"above {high:g}"
        what, action = f"value {far}", OUTSIDE[column.outside]
        repairs.append(Repair(what, column.name, action, bind(" or ".join(ends), **names), value))
    return repairs


def rule_repairs(rules: Iterable[Rule]) -> list[Repair]:
    """Fill structural gaps and check what should hold, by the rules in dataset.toml.

    Where a value that a rule reads is unknown, nothing can be said.
    """
    repairs = []
    for rule in rules:
        formula = rule.check or rule.when
        known = [bind("not missing(x)", x=name) for name in sorted(columns_of(formula))]
        if rule.check:
            what, column, action, value = f"rule not met: {rule.name}", "", "kept, reported", None
            parts = [bind("not holds", holds=parse(formula)), *known]
        else:
            what, column, value = rule.name, rule.column, ast.Constant(rule.fill)
            action = f"set to {rule.fill:g}: the gap is structural"
            parts = [bind("missing(x)", x=rule.column), *known, parse(formula)]
        repairs.append(Repair(what, column, action, ast.BoolOp(ast.And(), parts), value))
    return repairs


def fill_repair(name: str, fill: float, action: str = "filled as in training") -> Repair:
    """Fill the gaps of a column that are left."""
    action = f"{action}, {fill:,.2f}"
    return Repair("missing value", name, action, bind("missing(x)", x=name), ast.Constant(fill))
