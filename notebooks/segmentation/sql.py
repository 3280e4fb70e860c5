"""The model as one query, for warehouses that hold the customers already.

The query goes the way of a customer, a named step at a time: numbers, valid ranges, rules, gaps,
features, coordinates, distances, segment. It is built as a syntax tree, from the same formulas
that Python computes, and each dialect writes that tree in its own words.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import cache, reduce
from typing import Any

from sqlglot import Dialect, exp
from sqlglot.errors import SqlglotError

from customer_tables.errors import UserError
from segmentation import expressions
from segmentation.dataset import Column, Dataset
from segmentation.features import Scaled
from segmentation.model import dataset_of

DIALECTS = ("duckdb", "postgres", "spark", "bigquery", "snowflake")
LARGEST = 1.7e308  # what is beyond is infinite or no number
IDENTIFIER = "customer"
REPEATED = ("complete", "features", "distances", "own", "nearest_other")  # read several times

Node = exp.Expression


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
    query = build_query(model, table=table, columns=columns)
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


def build_query(
    model: dict[str, Any], *, table: str = "customers", columns: Mapping[str, str] | None = None
) -> exp.Select:
    """Build the query as a syntax tree; see `write_query`."""
    dataset = dataset_of(model)
    names, read = dict(columns or {}), _columns_read(model, dataset)
    if unknown := sorted(set(names) - {column.name for column in dataset.columns}):
        raise UserError(
            f"the model has no column {unknown[0]!r}",
            remedy=f"it has {', '.join(c.name for c in dataset.columns)[:300]}",
        )
    source = dataset.id.name if dataset.id else IDENTIFIER
    key = exp.Trim(this=exp.cast(_column(names.get(source, source)), "text"))
    steps: list[tuple[str, dict[str, Node]]] = [
        ("source", {c.name: _source(c, names.get(c.name, c.name)) for c in read}),
        ("valid", {c.name: _within_range(c) for c in read}),
    ]
    known = {c.name: _column(c.name) for c in read}
    translate = _Translation({c.name for c in read if c.kind == "yes_no"})
    for number, rule in enumerate((r for r in dataset.rules if r.when), start=1):
        if rule.column in known:
            steps.append((f"rule_{number}", known | {rule.column: _filled(rule, translate)}))
    fills = {
        name: _call(exp.Coalesce, _column(name), _number(fill))
        for name, fill in model["fills"].items()
        if name in known
    }
    steps.append(("complete", known | fills))
    used = [Scaled(**step) for step in model["preparation"]["steps"]]
    formulas = {f.name: f.formula for f in dataset.features}
    steps.append(("features", {s.name: translate.number(formulas[s.name]) for s in used}))
    steps.append(("scaled", {s.name: _scaled(s) for s in used}))
    steps.append(("distances", _distances(model, [s.name for s in used])))
    k = len(model["centres"])
    distances = {f"distance_{s}": _column(f"distance_{s}") for s in range(1, k + 1)}
    nearest = _least(list(distances.values()))
    steps.append(("nearest", distances | {"nearest": nearest}))
    own = _numbered(k, lambda s: _column(f"distance_{s}").eq(_column("nearest")))
    keep = distances | {"nearest": _column("nearest")}
    steps.append(("own", keep | {"segment": own}))
    others = [
        exp.case().when(_column("segment").eq(_number(s)), _number(LARGEST)).else_(distance)
        for s, distance in enumerate(distances.values(), start=1)
    ]
    keep |= {"segment": _column("segment")}
    steps.append(("nearest_other", keep | {"second_nearest": _least(others)}))
    return _assemble(model, steps, key, table, k)


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


def _assemble(
    model: dict[str, Any], steps: list[tuple[str, dict[str, Node]]], key: Node, table: str, k: int
) -> exp.Select:
    """Chain the steps, and select from the last one what a scored list holds."""
    place: Any = _table(table)
    query = exp.Select()
    for name, columns in steps:
        start = exp.alias_(key, IDENTIFIER) if name == "source" else _column(IDENTIFIER)
        select = exp.select(start, *(_named(v, alias) for alias, v in columns.items())).from_(place)
        query = query.with_(name, as_=select)
        place = exp.to_table(name)
    segment, second = _column("segment"), _second_choice(k)
    nearest, other = _column("nearest"), _column("second_nearest")
    certainty = exp.case().when(other > _number(0), _number(1) - exp.Div(
        this=nearest.copy(), expression=other.copy(), typed=True)).else_(_number(0))  # fmt: skip
    limits = model["strangers"]["distances"]
    limit = _choice(segment, [_number(value) for value in limits])
    words = [exp.Literal.string(entry["name"]) for entry in model["segments"]]
    known = segment.is_(exp.null()).not_()
    # The second choice is a step of its own, so that its name can be looked up.
    chosen = exp.select(
        IDENTIFIER, "segment", exp.alias_(exp.case().when(known, second), "second_choice"),
        exp.alias_(exp.case().when(known, certainty), "confidence"), "nearest",
    ).from_(place)  # fmt: skip
    return (
        query.with_("chosen", as_=chosen)
        .select(
            IDENTIFIER,
            "segment",
            exp.alias_(_choice(segment, words), "segment_name"),
            "second_choice",
            exp.alias_(_choice(_column("second_choice"), words), "second_choice_name"),
            "confidence",
            exp.alias_(nearest.copy(), "distance"),
            exp.alias_(nearest.copy() > limit, "stranger"),
        )
        .from_("chosen")
    )


def _named(value: Node, name: str) -> Node:
    """Give a value its name where it has another one."""
    if isinstance(value, exp.Column) and value.name == name:
        return value.copy()
    return exp.alias_(value.copy(), _identifier(name))


# --- steps ---------------------------------------------------------------------------------------


def _columns_read(model: dict[str, Any], dataset: Dataset) -> list[Column]:
    """Return the columns that formulas and filling rules read, in the model's order."""
    texts = [f.formula for f in dataset.features] + [r.when for r in dataset.rules if r.when]
    read = {name for text in texts for name in expressions.columns_of(text)}
    return [column for column in dataset.columns if column.name in read]


def _source(column: Column, name: str) -> Node:
    return exp.cast(_column(name), "boolean" if column.kind == "yes_no" else "double")


def _within_range(column: Column) -> Node:
    """Take what is no finite number for missing, and treat what is out of range as training did."""
    value = _column(column.name)
    if not column.is_numeric:
        return value
    low, high = max(column.valid[0], -LARGEST), min(column.valid[1], LARGEST)
    least, most = _number(-LARGEST), _number(LARGEST)
    if column.outside == "flag":
        return exp.case().when(value.between(least, most), value.copy())
    case = exp.case().when(value.between(_number(low), _number(high)), value.copy())
    if column.outside == "clip" and low > -LARGEST:
        case = case.when(value.between(least, _number(low)), _number(low))
    if column.outside == "clip" and high < LARGEST:
        case = case.when(value.between(_number(high), most), _number(high))
    return case


def _filled(rule: Any, translate: _Translation) -> Node:
    """Fill a structural gap where all that the rule reads is known, and its condition holds."""
    column = _column(rule.column)
    read = sorted(expressions.columns_of(rule.when))
    conditions = [column.is_(exp.null()), *(_column(n).is_(exp.null()).not_() for n in read)]
    conditions.append(translate.condition(rule.when))
    return exp.case().when(exp.and_(*conditions), _number(rule.fill)).else_(column.copy())


def _scaled(step: Scaled) -> Node:
    value = _column(step.name)
    if step.transform == "log1p":
        log = _call(exp.Ln, _number(1) + _call(exp.Abs, value))
        value = exp.Mul(this=_call(exp.Sign, value), expression=log)
    elif step.transform == "yeo-johnson":
        value = _yeo_johnson(value, step.power)
    return _divide(_minus(value, step.mean), _number(step.deviation))


def _yeo_johnson(value: Node, power: float) -> Node:
    def part(base: Node, exponent: float) -> Node:
        if exponent == 0:
            return _call(exp.Ln, base)
        raised = exp.Pow(this=base.copy(), expression=_number(exponent))
        return _divide(raised - _number(1), _number(exponent))

    above = part(value + _number(1), power)
    below = exp.Neg(this=exp.paren(part(_number(1) - value, 2 - power)))
    return exp.case().when(value >= _number(0), above).else_(below)


def _distances(model: dict[str, Any], names: list[str]) -> dict[str, Node]:
    found = {}
    for number, centre in enumerate(model["centres"], start=1):
        gaps = [_minus(_column(name), at) for name, at in zip(names, centre, strict=True)]
        squares = [exp.Pow(this=gap, expression=_number(2)) for gap in gaps]
        total = reduce(lambda a, b: exp.Add(this=a, expression=b), squares)
        found[f"distance_{number}"] = _call(exp.Sqrt, total)
    return found


def _second_choice(k: int) -> Node:
    segment, second = _column("segment"), _column("second_nearest")
    return _numbered(
        k,
        lambda s: exp.and_(segment.neq(_number(s)), _column(f"distance_{s}").eq(second.copy())),
    )


def _numbered(k: int, holds: Callable[[int], Node]) -> Node:
    """Return the first number from 1 to k for which a condition holds."""
    case = exp.case()
    for number in range(1, k + 1):
        case = case.when(holds(number), _number(number))
    return case


def _choice(number: Node, values: list[Node]) -> Node:
    """Return the value that belongs to a number from 1 on."""
    case = exp.case(number.copy())
    for place, value in enumerate(values, start=1):
        case = case.when(_number(place), value.copy())
    return case


# --- formulas ------------------------------------------------------------------------------------

ARITHMETIC = {ast.Add: exp.Add, ast.Sub: exp.Sub, ast.Mult: exp.Mul}
COMPARISONS = {
    ast.Eq: exp.EQ, ast.NotEq: exp.NEQ, ast.Lt: exp.LT, ast.LtE: exp.LTE, ast.Gt: exp.GT,
    ast.GtE: exp.GTE,
}  # fmt: skip


class _Translation:
    """From the formulas of dataset.toml to SQL, with conditions and numbers kept apart."""

    def __init__(self, yes_no: set[str]) -> None:
        self._yes_no = yes_no

    def number(self, formula: str) -> Node:
        """Translate a formula; a condition counts as 1 or 0."""
        return self._number(expressions.parse(formula))

    def condition(self, formula: str) -> Node:
        """Translate a condition."""
        return self._condition(expressions.parse(formula))

    def _is_condition(self, node: ast.expr) -> bool:
        return expressions.is_condition(ast.unparse(node), self._yes_no)

    def _number(self, node: ast.expr) -> Node:
        if self._is_condition(node):
            return exp.case().when(self._condition(node), _number(1)).else_(_number(0))
        match node:
            case ast.Name(id=name):
                return _column(name)
            case ast.Constant(value=value):
                return _number(value)
            case ast.BinOp(left=a, op=ast.Div(), right=b):
                return _divide(self._number(a), _nullif(self._number(b)))
            case ast.BinOp(left=a, op=op, right=b):
                parts = [_wrapped(self._number(part)) for part in (a, b)]
                return ARITHMETIC[type(op)](this=parts[0], expression=parts[1])
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return exp.Neg(this=_wrapped(self._number(operand)))
            case ast.Call(func=ast.Name(id=name), args=args):
                return self._function(name, [self._number(arg) for arg in args])
        raise AssertionError(f"unchecked node {ast.dump(node)}")

    def _function(self, name: str, values: list[Node]) -> Node:
        match name:
            case "abs":
                return _call(exp.Abs, *values)
            case "log1p":
                return _call(exp.Ln, _number(1) + _wrapped(values[0]))
            case "ratio":
                above, below = values
                zero = exp.EQ(this=_wrapped(below), expression=_number(0))
                return exp.case().when(zero, _number(0)).else_(_divide(above, below.copy()))
            case "max":
                return _call(exp.Greatest, values[0], expressions=values[1:], ignore_nulls=False)
            case "min":
                return _least(values)
        raise AssertionError(f"no translation of {name}")

    def _condition(self, node: ast.expr) -> Node:
        match node:
            case ast.Name(id=name):
                return _column(name)
            case ast.Compare(left=a, ops=[op], comparators=[b]):
                parts = [_wrapped(self._number(part)) for part in (a, b)]
                return COMPARISONS[type(op)](this=parts[0], expression=parts[1])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return exp.not_(exp.paren(self._condition(operand)))
            case ast.BoolOp(op=op, values=values):
                join = exp.and_ if isinstance(op, ast.And) else exp.or_
                return exp.paren(join(*(self._condition(value) for value in values)))
        raise AssertionError(f"no condition: {ast.dump(node)}")


# --- parts ---------------------------------------------------------------------------------------


def _call(function: type[exp.Expression], value: Node, *more: Node, **settings: Any) -> Node:
    if more:
        settings["expressions"] = list(more)
    return function(this=value.copy(), **settings)


def _least(values: list[Node]) -> Node:
    return _call(exp.Least, values[0], expressions=values[1:], ignore_nulls=False)


def _divide(above: Node, below: Node) -> Node:
    return exp.Div(this=_wrapped(above), expression=_wrapped(below), typed=True)


def _minus(value: Node, number: float) -> Node:
    """Subtract a number; a negative one is added."""
    kind = exp.Sub if number >= 0 else exp.Add
    return kind(this=value, expression=_number(abs(number)))


def _nullif(value: Node) -> Node:
    """Let a division by zero give nothing, where Python refuses the table."""
    if isinstance(value, exp.Literal):
        return value
    return exp.Nullif(this=value, expression=_number(0))


def _wrapped(node: Node) -> Node:
    return exp.paren(node) if isinstance(node, (exp.Binary, exp.Neg)) else node


def _number(value: float) -> Node:
    """Write a number with all of its digits."""
    text = str(value) if isinstance(value, int) else repr(float(value))
    text = text.removesuffix(".0")
    return exp.Neg(this=exp.Literal.number(text[1:])) if text[0] == "-" else (
        exp.Literal.number(text)
    )  # fmt: skip


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
