"""Words that are printed only while their condition holds: conditions over a segment's members."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from customer_tables.text import lower_first, number, printable, quantity, share
from segmentation import expressions
from segmentation.claims import Claim, together
from segmentation.dataset import Column, Dataset, Feature, Phrase
from segmentation.profiling import as_words

EVERYBODY = "everybody"
SIGNS = {
    ast.Lt: "below",
    ast.LtE: "at most",
    ast.Gt: "above",
    ast.GtE: "at least",
    ast.Eq: "of",
    ast.NotEq: "other than",
}
ARITHMETIC = {ast.Add: "+", ast.Sub: "−", ast.Mult: "×", ast.Div: "÷"}


class Customers:
    """What is known of each customer, by the names that conditions use.

    Columns and features both have names; where one name stands for both, it is the feature.

    Parameters
    ----------
    customers : DataFrame, shape (n, n_columns)
        Cleaned, in real units.
    features : DataFrame, shape (n, n_features)
        In real units.
    """

    def __init__(self, dataset: Dataset, customers: pd.DataFrame, features: pd.DataFrame) -> None:
        columns = [c for c in dataset.columns if c.is_numeric or c.kind == "yes_no"]
        columns = [column for column in columns if column.name in customers]
        self.parts: dict[str, Column | Feature] = {c.name: c for c in columns}
        self.parts |= {f.name: f for f in dataset.features}
        self.table = {c.name: _values(customers[c.name], c.kind) for c in columns}
        self.table |= {f.name: _values(features[f.name], f.kind) for f in dataset.features}
        self.nouns = dataset.nouns
        says, parse = dataset.says, expressions.parse  # by each condition as it is written
        self.says = {expressions.written(parse(text)): words for text, words in says.items()}
        self._found: dict[str, np.ndarray] = {}

    def rows(self, formula: str | ast.expr) -> np.ndarray:
        """Compute a formula for every customer, shape (n,); of bool for a condition."""
        text = expressions.written(formula)
        if text not in self._found:
            self._found[text] = expressions.evaluate(formula, self.table)
        return self._found[text]

    def take(self, rows: np.ndarray) -> Customers:
        """Return some of the customers, by position; a customer may come several times."""
        taken = object.__new__(Customers)
        taken.parts, taken.nouns, taken.says = self.parts, self.nouns, self.says
        taken._found = {}
        taken.table = {name: values[rows] for name, values in self.table.items()}
        return taken


class Members:
    """The members of each segment, over whom conditions are evaluated.

    Parameters
    ----------
    customers : Customers
    labels : Series or ndarray, shape (n,)
        Each customer's segment, in the order of ``customers``.
    """

    def __init__(self, customers: Customers, labels: pd.Series | np.ndarray) -> None:
        self.customers, self.labels = customers, np.asarray(labels)
        self._found: dict[str, dict[Any, float]] = {}

    def by_segment(self, aggregate: expressions.Aggregate) -> dict[Any, float]:
        """Return an aggregate of every segment, and under `EVERYBODY` of all customers."""
        function, _, formula = aggregate
        text = f"{function} {expressions.written(formula)}"
        if text not in self._found:
            values = pd.Series(self.customers.rows(formula)).astype(float)
            grouped = values.groupby(self.labels)
            if function == "of_total":
                found, whole = grouped.sum(), values.sum()
                found, everybody = found / whole if whole else found * 0.0, 1.0
            else:
                name = "mean" if function == "share" else function
                found, everybody = grouped.agg(name), float(values.agg(name))
            self._found[text] = found.to_dict() | {EVERYBODY: everybody}
        return self._found[text]

    def value(self, aggregate: expressions.Aggregate, segment: int) -> float:
        """Return an aggregate of one segment, or in the scope that it names.

        Highest and lowest are of the other segments; unknown where there is no other.
        """
        found = self.by_segment(aggregate)
        match aggregate.scope:
            case "":
                return found[segment]
            case "_all":
                return found[EVERYBODY]
        others = [v for s, v in found.items() if s not in (EVERYBODY, segment) and v == v]
        return (max if aggregate.scope == "_highest" else min)(others, default=math.nan)

    def claim(self, phrase: Phrase, segment: int, condition: ast.expr | None = None) -> Claim:
        """Evaluate a phrase's condition for a segment, and fill in the numbers that it quotes.

        The claim's values have the text of their aggregate as name. What cannot be evaluated, such
        as the median of unknown amounts, does not hold. The tree of a condition stands in for its
        text where names of columns are no words of the language.
        """
        condition = condition or expressions.parse(phrase.when, aggregated=True)
        outer, aggregates = expressions.split(condition)
        values = {text: self.value(found, segment) for text, found in aggregates.items()}
        arrays = {text: np.array([value]) for text, value in values.items()}
        known = all(map(math.isfinite, values.values()))
        holds = known and bool(expressions.evaluate(outer, arrays)[0])
        because = tuple(self._in_words(aggregates, values))
        text = phrase.text
        for quoted in expressions.quoted(text):
            ((name, found),) = expressions.split(quoted)[1].items()
            values[name] = self.value(found, segment)
            text = text.replace(f"{{{quoted}}}", self._amount(found, values[name]))
        return Claim(text, expressions.written(condition), values, holds, because)

    def _in_words(
        self, aggregates: dict[str, expressions.Aggregate], values: dict[str, float]
    ) -> Iterable[str]:
        """Write each aggregate of the members in words, with everybody's where that is compared."""
        for text, aggregate in aggregates.items():
            if aggregate.scope:
                continue
            words = self._described(aggregate.formula)
            said = self.customers.says.get(expressions.written(aggregate.formula), f"with {words}")
            amount = self._amount(aggregate, values[text])
            others = {a.scope: values[t] for t, a in aggregates.items() if _same(a, aggregate)}
            of_all = ""
            if "_all" in others:
                of_all = f" (everybody: {self._amount(aggregate, others['_all'])})"
            match aggregate.function:
                case "share":
                    yield f"{amount} {said}{of_all}"
                case "of_total":
                    flagged = self.customers.rows(aggregate.formula).dtype == bool
                    who = said if said.startswith("with ") else f"who {said}"
                    yield f"{amount} of all {who if flagged else words}"
                case function:
                    yield f"{function} {words} {amount}{of_all}"

    def _amount(self, aggregate: expressions.Aggregate, value: float) -> str:
        """Write the number of an aggregate in its unit."""
        if aggregate.function in ("share", "of_total"):
            return share(value)
        part = self.customers.parts.get(getattr(aggregate.formula, "id", ""))
        return quantity(value, part.unit, part.kind) if part else number(value)

    def described(self, condition: str) -> str:
        """Write a condition over one customer in the labels of the dataset."""
        return self._described(expressions.parse(condition))

    def _described(self, node: ast.expr) -> str:
        """Write a formula over customers in the labels of the dataset."""
        match node:
            case ast.Name(id=name) if name in self.customers.parts:
                part = self.customers.parts[name]
                return lower_first(printable(part.label or name).partition(":")[0])
            case ast.Constant(value=1):
                return self.customers.nouns
            case ast.Constant(value=int() | float() as value):
                return number(value)
            case ast.Compare(left=ast.Name(id=name) as left, ops=[op], comparators=[right]):
                return self._compared(left, type(op), right)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return f"{self._described(left)} {SIGNS[type(op)]} {self._described(right)}"
            case ast.BoolOp(op=op, values=parts):
                word = "and" if isinstance(op, ast.And) else "or"
                return f" {word} ".join(map(self._described, parts))
            case ast.BinOp(
                left=ast.Constant(value=int() | float() as times), op=ast.Mult(), right=right
            ):
                factor = share(times) if times <= 1.5 else f"{number(times)} times"
                return f"{factor}{' of' if times <= 1.5 else ''} {self._described(right)}"
            case ast.Call(func=ast.Name(id="ratio"), args=[above, below]):
                return f"{self._described(above)} ÷ {self._described(below)}"
            case ast.UnaryOp(op=ast.Not(), operand=part):
                return f"not {self._described(part)}"
            case ast.UnaryOp(operand=part):
                return f"−{self._described(part)}"
            case ast.BinOp(left=left, op=op, right=right):
                return f"{self._described(left)} {ARITHMETIC[type(op)]} {self._described(right)}"
            case ast.Call(func=ast.Name(id=function), args=parts):
                return f"{function}({', '.join(map(self._described, parts))})"
        raise TypeError(f"no formula: {ast.dump(node)}")

    def _compared(self, left: ast.Name, sign: type[ast.cmpop], right: ast.expr) -> str:
        """Write how a column compares: some cash advances, balance at least 90% of credit limit."""
        words, part = self._described(left), self.customers.parts[left.id]
        if isinstance(right, ast.Constant) and isinstance(right.value, int | float):
            value = right.value
            if value == 0 and part.kind in ("money", "count"):
                some = {ast.Gt: "some", ast.Eq: "no", ast.LtE: "no", ast.NotEq: "some"}
                if sign in some:
                    return f"{some[sign]} {words}"
            return f"{words} {SIGNS[sign]} {quantity(value, part.unit, part.kind)}"
        return f"{words} {SIGNS[sign]} {self._described(right)}"


def _values(values: pd.Series, kind: str) -> np.ndarray:
    """Return a column as numbers, or as bool where it says yes or no in whatever way."""
    if kind == "yes_no":
        return (as_words(values, kind) == "yes").to_numpy()
    return values.to_numpy(dtype=float, na_value=np.nan)


@lru_cache(maxsize=1024)
def _same(one: expressions.Aggregate, other: expressions.Aggregate) -> bool:
    """Whether two aggregates differ in their scope at most."""
    return one.function == other.function and ast.dump(one.formula) == ast.dump(other.formula)


def because(claims: Iterable[Claim], most: int = 3) -> Claim:
    """Say what claims are based on, each number once."""
    claims = list(claims)
    reasons = list(dict.fromkeys(reason for claim in claims for reason in claim.because))[:most]
    return together(f"Based on: {'; '.join(reasons)}." if reasons else "", claims)
