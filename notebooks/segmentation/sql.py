"""The model as one query, for warehouses that hold the customers already.

The query goes the way of a customer, a named step at a time: numbers, valid ranges, rules, gaps,
features, coordinates, distances, segment. It is built as a syntax tree, from the same formulas
that Python computes (`segmentation.rules`, `segmentation.features`), and each dialect writes that
tree in its own words.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache, partial
from typing import Any

from sqlglot import Dialect, exp
from sqlglot.errors import SqlglotError

from customer_tables.errors import UserError
from segmentation.assignment import CONFIDENCE, OUTLIER, assignment_steps, distance_formulas
from segmentation.dataset import Column, Dataset
from segmentation.expressions import Operation, bind, choose, translate
from segmentation.model import dataset_of
from segmentation.scoring import columns_read, kept, preparing_steps

DIALECTS = ("duckdb", "postgres", "spark", "bigquery", "snowflake")
LARGEST = 1.7e308  # what is beyond is infinite or no number
IDENTIFIER = "customer"
REPEATED = ("complete", "features", "distances", "own", "nearest_other")  # read several times

Node = exp.Expr


def write_query(
    model: dict[str, Any],
    dialect: str,
    *,
    table: str = "customers",
    columns: Mapping[str, str] | None = None,
) -> str:
    """Write the assignment of customers to segments as one query, with a scored list's columns.

    Customers whose features cannot be computed have no segment.

    Parameters
    ----------
    model : dict
        As `segmentation.model.load_model` gives it.
    table : str
        The table that holds one row for each customer; may be qualified, as in bank.customers.
    columns : mapping of str to str, optional
        What the table calls the model's columns, where it calls them otherwise.

    Raises
    ------
    UserError
        If the dialect or a column is unknown, or the table has no name of a table.
    """
    if dialect not in DIALECTS:
        raise UserError(
            f"there is no dialect {dialect!r} here", remedy=f"one of {', '.join(DIALECTS)}"
        )
    query = _query(model, table, dict(columns or {}))
    if dialect == "postgres":  # it would put each step into the next, and never finish planning
        for step in query.ctes:
            step.set("materialized", step.alias in REPEATED)
    for node in query.find_all(exp.Least, exp.Greatest):  # all their values are known, or none is
        node.set("ignore_nulls", dialect == "duckdb")  # whose words for the other case are long
    nouns, noun, name = (
        " ".join(str(text).split())[:200]  # on its line, so that none ends the comment
        for text in (model["nouns"], model["noun"], table)
    )
    head = (
        f"-- The segments of {nouns}: the nearest of {len(model['segments'])}.",
        f"-- Made from model.json, checksum {model['checksum']}; not to be changed by hand.",
        f"-- Reads one row for each {noun} from {name}, with the columns that step source names;",
        "-- where some have other names there: scripts/export_sql.py --column NAME=COLUMN.",
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
    try:
        place: Any = exp.to_table(table)
    except (SqlglotError, ValueError):
        raise UserError(
            f"{table[:60]!r} is no name of a table", remedy='quote its parts, as in bank."my table"'
        ) from None
    read = columns_read(dataset)
    source = dataset.id.name if dataset.id else IDENTIFIER
    key = exp.Trim(this=exp.cast(_column(names.get(source, source)), "text"))
    values: list[Any] = [exp.alias_(key, IDENTIFIER)]
    values += [_named(_source(c, names.get(c.name, c.name)), c.name) for c in read]
    query, step = exp.Select(), "source"
    number = partial(_number, {c.name for c in read if c.kind == "yes_no"})
    for name, trees in _steps(model, dataset):
        query = query.with_(step, as_=exp.select(*values).from_(place))
        values = [IDENTIFIER]
        for alias, tree in trees.items():
            value = translate(tree, _leaf, number, IN_SQL)
            values.append(_named(number(value) if name == "features" else value, alias))
        place, step = step, name
    return query.select(*values).from_(place)


def _source(column: Column, name: str) -> Node:
    """Take what is no finite number for missing."""
    if not column.is_numeric:
        return exp.cast(_column(name), "boolean" if column.kind == "yes_no" else "double")
    value = exp.cast(_column(name), "double")
    if column.before:
        days = [exp.cast(day, "date") for day in (exp.convert(str(column.before)), _column(name))]
        value = exp.cast(
            exp.DateDiff(this=days[0], expression=days[1], unit=exp.var("day")), "double"
        )
    finite = value.between(exp.convert(-LARGEST), exp.convert(LARGEST))
    return exp.case().when(finite, value.copy())


def _steps(model: dict[str, Any], dataset: Dataset) -> Iterable[tuple[str, dict[str, ast.expr]]]:
    """Yield the steps of the query after the source, with the formulas of their columns."""
    yield from preparing_steps(model, dataset)
    features = [step["name"] for step in model["preparation"]["steps"]]
    distances = distance_formulas(model["centres"], features)
    yield "distances", distances
    found = kept(distances)
    names = ("nearest", "own", "others", "nearest_other", "chosen")
    for name, formulas in zip(names, assignment_steps(len(distances)), strict=True):
        yield name, found | formulas
        found |= kept(formulas)
    yield "", _listed(model)


def _listed(model: dict[str, Any]) -> dict[str, ast.expr]:
    """Return the formulas of a scored list over what the last step found."""

    def chosen(number: str, values: list[Any]) -> ast.expr:
        cases = [(bind("x == s", x=number, s=s), value) for s, value in enumerate(values, start=1)]
        return choose(cases)

    names = [entry["name"] for entry in model["segments"]]
    limit = chosen("segment", model["outliers"]["distances"])
    return {
        "segment": bind("segment"),
        "segment_name": chosen("segment", names),
        "second_choice": bind("second_choice"),
        "second_choice_name": chosen("second_choice", names),
        "confidence": bind(CONFIDENCE),
        "distance": bind("nearest"),
        "outlier": bind(OUTLIER, limit=limit),
    }


def _named(value: Node, name: str) -> Node:
    """Give a value its name where it has another one."""
    if isinstance(value, exp.Column) and value.name == name:
        return value
    return exp.alias_(value, _identifier(name))


# --- formulas ------------------------------------------------------------------------------------


def _leaf(node: Any) -> Node:
    return _column(node.id) if isinstance(node, ast.Name) else exp.convert(node.value)


def _number(yes_no: Collection[str], value: Node) -> Node:
    """Count a condition, such as a column of yes and no, as 1 or 0."""
    known = isinstance(value, exp.Column) and value.name in yes_no
    if known or isinstance(value, (exp.Predicate, exp.Connector, exp.Not)):
        return exp.case().when(value, exp.convert(1)).else_(exp.convert(0))
    return value


def _binary(kind: type[exp.Expression], a: Node, b: Node) -> Node:
    if not (kind is exp.Add and isinstance(a, exp.Add)):
        a = _wrapped(a)
    more = {"typed": True} if kind is exp.Div else {}  # of numbers that are no integers
    return kind(this=a, expression=_wrapped(b), **more)


def _wrapped(node: Node) -> Node:
    """Put what has operators of its own into parentheses."""
    negative = isinstance(node, exp.Neg) and not isinstance(node.this, exp.Literal)
    binary = isinstance(node, exp.Binary) and not isinstance(node, exp.Pow)
    return exp.paren(node) if binary or negative else node


def _quotient(above: Node, below: Node) -> Node:
    """Let a division by zero give nothing, where Python refuses the table."""
    if not isinstance(below, exp.Literal):
        below = exp.Nullif(this=below, expression=exp.convert(0))
    return _binary(exp.Div, above, below)


def _ratio(above: Node, below: Node) -> Node:
    nothing = _binary(exp.EQ, below.copy(), exp.convert(0))
    return exp.case().when(nothing, exp.convert(0)).else_(_binary(exp.Div, above, below))


def _where(condition: Node, value: Node, other: Node) -> Node:
    """Write where(c, a, where(d, b, ...)) as one CASE."""
    case = exp.case().when(condition, value)
    if isinstance(other, exp.Case):
        case.args["ifs"].extend(other.args["ifs"])
        other = other.args.get("default") or exp.null()
    return case if isinstance(other, exp.Null) else case.else_(other)


IN_SQL: dict[Operation, Callable[..., Node]] = {
    ast.Add: partial(_binary, exp.Add),
    ast.Sub: partial(_binary, exp.Sub),
    ast.Mult: partial(_binary, exp.Mul),
    ast.Div: _quotient,
    ast.Pow: partial(_binary, exp.Pow),
    ast.USub: lambda value: exp.Neg(this=_wrapped(value)),
    ast.Eq: partial(_binary, exp.EQ),
    ast.NotEq: partial(_binary, exp.NEQ),
    ast.Lt: partial(_binary, exp.LT),
    ast.LtE: partial(_binary, exp.LTE),
    ast.Gt: partial(_binary, exp.GT),
    ast.GtE: partial(_binary, exp.GTE),
    ast.And: exp.and_,
    ast.Or: exp.or_,
    ast.Not: exp.not_,
    "abs": partial(exp.func, "abs"),
    "log1p": lambda value: exp.Ln(this=exp.convert(1) + _wrapped(value)),
    "max": partial(exp.func, "greatest"),
    "min": partial(exp.func, "least"),
    "ratio": _ratio,
    "missing": lambda value: value.is_(exp.null()),
    "sign": partial(exp.func, "sign"),
    "sqrt": partial(exp.func, "sqrt"),
    "where": _where,
}


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
