"""The model as one query, for warehouses that hold the customers already.

The query goes the way of a customer, a named step at a time: numbers, valid ranges, rules, gaps,
features, coordinates, distances, segment. It is built as a syntax tree, from the same formulas
that Python computes (`segmentation.rules`, `segmentation.features`), and each dialect writes that
tree in its own words.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any

from sqlglot import Dialect, exp
from sqlglot.errors import SqlglotError

from customer_tables.errors import UserError
from segmentation.assignment import assignment_steps, distance_formulas
from segmentation.dataset import Column, Dataset
from segmentation.expressions import bind, choose, columns_of, is_condition, parse
from segmentation.features import Preparation
from segmentation.model import dataset_of
from segmentation.rules import fill_repair, range_repairs, rule_repairs

DIALECTS = ("duckdb", "postgres", "spark", "bigquery", "snowflake")
LARGEST = 1.7e308  # what is beyond is infinite or no number
IDENTIFIER = "customer"
REPEATED = ("complete", "features", "distances", "own", "nearest_other")  # read several times

Node = exp.Expr
Step = tuple[str, dict[str, ast.expr]]  # of the query: its name, and the formulas of its columns


def write_query(
    model: dict[str, Any],
    dialect: str,
    *,
    table: str = "customers",
    columns: Mapping[str, str] | None = None,
) -> str:
    """Write the assignment of customers to segments as one query.

    Parameters
    ----------
    model : dict
        As `segmentation.model.load_model` gives it.
    dialect : str
        One of `DIALECTS`.
    table : str
        The table that holds one row for each customer; may be qualified, as in bank.customers.
    columns : mapping of str to str, optional
        What the table calls the model's columns, where it calls them otherwise.

    Returns
    -------
    str
        A query whose columns are those of a scored list: customer, segment, segment_name,
        second_choice, second_choice_name, confidence, distance, stranger. Customers whose
        features cannot be computed have no segment.

    Raises
    ------
    UserError
        If the dialect or a column is unknown.
    """
    if dialect not in DIALECTS:
        raise UserError(
            f"there is no dialect {dialect!r} here", remedy=f"one of {', '.join(DIALECTS)}"
        )
    query = _query(model, table, dict(columns or {}))
    if dialect == "postgres":  # it would put each step into the next, and never finish planning
        for step in query.ctes:
            step.set("materialized", step.alias in REPEATED)
    if dialect == "duckdb":  # its own words for "nothing if one is nothing" are long
        for node in query.find_all(exp.Least, exp.Greatest):
            node.set("ignore_nulls", True)  # here all of them are known, or none is
    head = (
        f"-- The segments of {_remark(model['nouns'])}: the nearest of {len(model['segments'])}.",
        f"-- Made from model.json, checksum {model['checksum']}; not to be changed by hand.",
        f"-- Reads one row for each {_remark(model['noun'])} from {_remark(table)}.",
    )
    return "\n".join(head) + "\n" + query.sql(dialect, pretty=True) + ";\n"


def _query(model: dict[str, Any], table: str, names: dict[str, str]) -> exp.Select:
    """Build the query as a syntax tree."""
    dataset = dataset_of(model)
    if unknown := sorted(set(names) - {column.name for column in dataset.columns}):
        raise UserError(
            f"the model has no column {unknown[0]!r}",
            remedy=f"it has {', '.join(c.name for c in dataset.columns)[:300]}",
        )
    read = _columns_read(dataset)
    source = dataset.id.name if dataset.id else IDENTIFIER
    key = exp.Trim(this=exp.cast(_column(names.get(source, source)), "text"))
    start = [_named(_source(c, names.get(c.name, c.name)), c.name) for c in read]
    query = exp.Select().with_(
        "source", as_=exp.select(exp.alias_(key, IDENTIFIER), *start).from_(_table(table))
    )
    rendering = _Rendering({c.name for c in read if c.kind == "yes_no"})
    place = "source"
    for name, formulas in _steps(model, dataset, read):
        render = rendering.number if name == "features" else rendering.value
        rendered = [_named(render(tree), alias) for alias, tree in formulas.items()]
        step = exp.select(IDENTIFIER, *rendered).from_(place)
        query, place = query.with_(name, as_=step), name
    listed = [_named(rendering.value(tree), alias) for alias, tree in _listed(model).items()]
    return query.select(IDENTIFIER, *listed).from_(place)


def _columns_read(dataset: Dataset) -> list[Column]:
    """Return the columns that formulas and filling rules read, in the model's order."""
    texts = [f.formula for f in dataset.features] + [r.when for r in dataset.rules if r.when]
    read = {name for text in texts for name in columns_of(text)}
    return [column for column in dataset.columns if column.name in read]


def _source(column: Column, name: str) -> Node:
    """Take what is no finite number for missing."""
    if not column.is_numeric:
        return exp.cast(_column(name), "boolean" if column.kind == "yes_no" else "double")
    value = exp.cast(_column(name), "double")
    finite = value.between(exp.convert(-LARGEST), exp.convert(LARGEST))
    return exp.case().when(finite, value.copy())


def _steps(model: dict[str, Any], dataset: Dataset, read: list[Column]) -> Iterable[Step]:
    """Yield the steps of the query after the source; each reads the one before."""
    rules = rule_repairs(rule for rule in dataset.rules if rule.when)
    fills = [fill_repair(name, fill) for name, fill in model["fills"].items()]
    cleaning = [("valid", range_repairs(read))]
    cleaning += [(f"rule_{number}", [repair]) for number, repair in enumerate(rules, start=1)]
    known = _kept(c.name for c in read)
    for name, repairs in [*cleaning, ("complete", fills)]:
        changed = {r.column: r.formula for r in repairs if r.formula and r.column in known}
        yield name, known | changed
    scaled = Preparation.from_dict(model["preparation"]).steps
    yield "features", {step.name: parse(dataset.feature(step.name).formula) for step in scaled}
    yield "scaled", {step.name: step.formula for step in scaled}
    distances = distance_formulas(model["centres"], [step.name for step in scaled])
    yield "distances", distances
    found = _kept(distances)
    names = ("nearest", "own", "others", "nearest_other", "chosen")
    for name, formulas in zip(names, assignment_steps(len(distances)), strict=True):
        yield name, found | formulas
        found |= _kept(formulas)


def _kept(names: Iterable[str]) -> dict[str, ast.expr]:
    return {name: ast.Name(name) for name in names}


def _listed(model: dict[str, Any]) -> dict[str, ast.expr]:
    """Return the formulas of a scored list over what the last step found."""

    def chosen(number: str, values: list[Any]) -> ast.expr:
        cases = [(bind("x == s", x=number, s=s), value) for s, value in enumerate(values, start=1)]
        return choose(cases)

    names = [entry["name"] for entry in model["segments"]]
    limit = chosen("segment", model["strangers"]["distances"])
    return {
        "segment": bind("segment"),
        "segment_name": chosen("segment", names),
        "second_choice": bind("second_choice"),
        "second_choice_name": chosen("second_choice", names),
        "confidence": bind("1 - ratio"),
        "distance": bind("nearest"),
        "stranger": bind("nearest > limit", limit=limit),
    }


def _table(name: str) -> exp.Table:
    """Return a table by its name, which may be qualified; its parts may be quoted.

    Raises
    ------
    UserError
        If it is no name of a table.
    """
    try:
        return exp.to_table(name)
    except (SqlglotError, ValueError):
        raise UserError(
            f"{name[:60]!r} is no name of a table", remedy='quote its parts, as in bank."my table"'
        ) from None


def _named(value: Node, name: str) -> Node:
    """Give a value its name where it has another one."""
    if isinstance(value, exp.Column) and value.name == name:
        return value.copy()
    return exp.alias_(value.copy(), _identifier(name))


# --- formulas ------------------------------------------------------------------------------------

OPERATORS: dict[type, type[exp.Expression]] = {
    ast.Add: exp.Add,
    ast.Sub: exp.Sub,
    ast.Mult: exp.Mul,
    ast.Pow: exp.Pow,
    ast.Eq: exp.EQ,
    ast.NotEq: exp.NEQ,
    ast.Lt: exp.LT,
    ast.LtE: exp.LTE,
    ast.Gt: exp.GT,
    ast.GtE: exp.GTE,
}
FUNCTIONS = {"abs": exp.Abs, "sign": exp.Sign, "sqrt": exp.Sqrt}
EXTREMES = {"max": exp.Greatest, "min": exp.Least}


class _Rendering:
    """From the trees of formulas to SQL, with conditions and numbers kept apart."""

    def __init__(self, yes_no: Collection[str]) -> None:
        self._yes_no = yes_no

    def value(self, node: ast.expr) -> Node:
        """Render a formula: a condition as true or false, unless something calculates with it."""
        return self._condition(node) if is_condition(node, self._yes_no) else self.number(node)

    def number(self, node: ast.expr) -> Node:
        """Render a number; a condition counts as 1 or 0."""
        if is_condition(node, self._yes_no):
            return exp.case().when(self._condition(node), exp.convert(1)).else_(exp.convert(0))
        match node:
            case ast.Name(id=name):
                return _column(name)
            case ast.Constant(value=value):
                return exp.convert(value)
            case ast.BinOp(left=a, op=ast.Div(), right=b):
                return _divide(self.number(a), _nullif(self.number(b)))
            case ast.BinOp(left=a, op=op, right=b):
                return self._binary(op, a, b)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return exp.Neg(this=_wrapped(self.number(operand)))
            case ast.Call(func=ast.Name(id="where")):
                return self._choice(node, exp.case())
            case ast.Call(func=ast.Name(id=name), args=args):
                return _function(name, [self.number(arg) for arg in args])
        raise AssertionError(f"unchecked node {ast.dump(node)}")

    def _choice(self, node: ast.expr, case: exp.Case) -> Node:
        """Render where(c, a, where(d, b, ...)) as one CASE."""
        match node:
            case ast.Call(func=ast.Name(id="where"), args=[condition, a, b]):
                case = case.when(self._condition(condition), self.number(a))
                return self._choice(b, case)
            case ast.Constant(value=None):
                return case
        return case.else_(self.value(node))

    def _binary(self, op: ast.AST, a: ast.expr, b: ast.expr) -> Node:
        left, right = self.number(a), _wrapped(self.number(b))
        if not (isinstance(op, ast.Add) and isinstance(left, exp.Add)):
            left = _wrapped(left)
        return OPERATORS[type(op)](this=left, expression=right)

    def _condition(self, node: ast.expr) -> Node:
        match node:
            case ast.Name(id=name):
                return _column(name)
            case ast.Compare(left=a, ops=[op], comparators=[b]):
                return self._binary(op, a, b)
            case ast.Call(func=ast.Name(id="missing"), args=[ast.Name(id=name)]):
                return _column(name).is_(exp.null())
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return exp.not_(self._condition(operand))
            case ast.BoolOp(op=op, values=values):
                join = exp.and_ if isinstance(op, ast.And) else exp.or_
                return join(*(self._condition(value) for value in values))
        raise AssertionError(f"no condition: {ast.dump(node)}")


def _function(name: str, values: list[Node]) -> Node:
    if name == "log1p":
        return exp.Ln(this=exp.convert(1) + _wrapped(values[0]))
    if name == "ratio":
        above, below = values
        zero = exp.EQ(this=_wrapped(below.copy()), expression=exp.convert(0))
        return exp.case().when(zero, exp.convert(0)).else_(_divide(above, below))
    if name in EXTREMES:
        return EXTREMES[name](this=values[0], expressions=values[1:], ignore_nulls=False)
    return FUNCTIONS[name](this=values[0])


def _divide(above: Node, below: Node) -> Node:
    return exp.Div(this=_wrapped(above), expression=_wrapped(below), typed=True)


def _nullif(value: Node) -> Node:
    """Let a division by zero give nothing, where Python refuses the table."""
    if isinstance(value, exp.Literal):
        return value
    return exp.Nullif(this=value, expression=exp.convert(0))


def _wrapped(node: Node) -> Node:
    """Put what has operators of its own into parentheses."""
    negative = isinstance(node, exp.Neg) and not isinstance(node.this, exp.Literal)
    binary = isinstance(node, exp.Binary) and not isinstance(node, exp.Pow)
    return exp.paren(node) if binary or negative else node


def _identifier(name: str) -> exp.Identifier:
    """Quote names that are words of a dialect, or no plain names."""
    return exp.to_identifier(name, quoted=True if name.upper() in _words() else None)


@cache
def _words() -> frozenset[str]:
    """Return the words that mean something in one of the dialects."""
    known = (Dialect.get_or_raise(d).tokenizer_class.KEYWORDS for d in DIALECTS)
    return frozenset(word for keywords in known for phrase in keywords for word in phrase.split())


def _column(name: str) -> exp.Column:
    return exp.column(_identifier(name))


def _remark(text: str) -> str:
    """Keep a text from ending the comment that it stands in."""
    return " ".join(str(text).split())[:200]
