"""The model as one query, for warehouses that hold the customers already.

The query goes the way of a customer, a named step at a time: numbers, valid ranges, rules, gaps,
features, coordinates, distances, segment. It is built as a syntax tree, from the same formulas
that Python computes (`segmentation.rules`, `segmentation.features`), and each dialect writes that
tree in its own words.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping
from functools import cache, reduce
from typing import Any

from sqlglot import Dialect, exp
from sqlglot.errors import SqlglotError

from customer_tables.errors import UserError
from segmentation.dataset import Column, Dataset
from segmentation.expressions import columns_of, is_condition, parse
from segmentation.features import Preparation
from segmentation.model import dataset_of
from segmentation.rules import Repair, fill_repair, range_repairs, rule_repairs

DIALECTS = ("duckdb", "postgres", "spark", "bigquery", "snowflake")
LARGEST = 1.7e308  # what is beyond is infinite or no number
IDENTIFIER = "customer"
REPEATED = ("complete", "features", "distances", "own", "nearest_other")  # read several times

Node = exp.Expression
Step = tuple[str, dict[str, Node]]  # the name of a step of the query, and its columns


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
    dataset, names = dataset_of(model), dict(columns or {})
    if unknown := sorted(set(names) - {column.name for column in dataset.columns}):
        raise UserError(
            f"the model has no column {unknown[0]!r}",
            remedy=f"it has {', '.join(c.name for c in dataset.columns)[:300]}",
        )
    read = _columns_read(dataset)
    source = dataset.id.name if dataset.id else IDENTIFIER
    key = exp.Trim(this=exp.cast(_column(names.get(source, source)), "text"))
    steps = [("source", {c.name: _source(c, names.get(c.name, c.name)) for c in read})]
    steps += _cleaning(model, dataset, read)
    render = _Rendering({c.name for c in read if c.kind == "yes_no"})
    used = Preparation.from_dict(model["preparation"]).steps
    features = {s.name: render.number(parse(dataset.feature(s.name).formula)) for s in used}
    steps.append(("features", features))
    steps.append(("scaled", {s.name: render.number(s.formula) for s in used}))
    steps += _nearest(model["centres"], [s.name for s in used])
    return _assemble(model, steps, key, table)


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
    finite = value.between(_number(-LARGEST), _number(LARGEST))
    return exp.case().when(finite, value.copy())


def _cleaning(model: dict[str, Any], dataset: Dataset, read: list[Column]) -> list[Step]:
    """Handle ranges, rules and gaps; what is only counted changes nothing here."""
    render = _Rendering({c.name for c in read if c.kind == "yes_no"})
    known = {c.name: _column(c.name) for c in read}
    rules = rule_repairs(rule for rule in dataset.rules if rule.when)
    fills = [fill_repair(name, fill) for name, fill in model["fills"].items()]
    steps = [("valid", range_repairs(read))]
    steps += [(f"rule_{number}", [repair]) for number, repair in enumerate(rules, start=1)]
    steps.append(("complete", fills))
    return [
        (
            name,
            known | {r.column: render.repair(r) for r in repairs if r.value and r.column in known},
        )
        for name, repairs in steps
    ]


def _nearest(centres: list[list[float]], names: list[str]) -> list[Step]:
    """Find the nearest and the second-nearest centre, as `segmentation.assignment.assign`."""
    distances = {}
    for number, centre in enumerate(centres, start=1):
        squares = [
            exp.Pow(this=exp.paren(_column(name) - _wrapped(_number(at))), expression=_number(2))
            for name, at in zip(names, centre, strict=True)
        ]
        total = reduce(lambda a, b: exp.Add(this=a, expression=b), squares)
        distances[f"distance_{number}"] = _call(exp.Sqrt, total)
    known = {name: _column(name) for name in distances}
    nearest, segment = _column("nearest"), _column("segment")
    others = [
        exp.case().when(segment.eq(_number(s)), _number(LARGEST)).else_(distance)
        for s, distance in enumerate(known.values(), start=1)
    ]
    first = _first(len(known), lambda s: known[f"distance_{s}"].eq(nearest))
    return [
        ("distances", distances),
        ("nearest", known | {"nearest": _call(exp.Least, *known.values())}),
        ("own", known | {"nearest": nearest, "segment": first}),
        ("nearest_other", known | {"nearest": nearest, "segment": segment,
                                   "second_nearest": _call(exp.Least, *others)}),
    ]  # fmt: skip


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


def _assemble(model: dict[str, Any], steps: list[Step], key: Node, table: str) -> exp.Select:
    """Chain the steps, and select from the last one what a scored list holds."""
    place: Any = _table(table)
    query = exp.Select()
    for name, columns in steps:
        start = exp.alias_(key, IDENTIFIER) if name == "source" else _column(IDENTIFIER)
        select = exp.select(start, *(_named(v, alias) for alias, v in columns.items())).from_(place)
        query = query.with_(name, as_=select)
        place = exp.to_table(name)
    segment, nearest, other = map(_column, ("segment", "nearest", "second_nearest"))
    second = _first(
        len(model["centres"]),
        lambda s: exp.and_(segment.neq(_number(s)), _column(f"distance_{s}").eq(other)),
    )
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


def _first(k: int, holds: Callable[[int], Node]) -> Node:
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
FUNCTIONS = {"abs": exp.Abs, "sign": exp.Sign, "max": exp.Greatest, "min": exp.Least}


class _Rendering:
    """From the trees of formulas to SQL, with conditions and numbers kept apart."""

    def __init__(self, yes_no: Collection[str]) -> None:
        self._yes_no = yes_no

    def repair(self, repair: Repair) -> Node:
        """Render what a repair makes of its column."""
        column, value = _column(repair.column), self.number(repair.value)
        if isinstance(repair.when, ast.Call):  # nothing but missing(column)
            return _call(exp.Coalesce, column, value)
        return exp.case().when(self.condition(repair.when), value).else_(column)

    def number(self, node: ast.expr) -> Node:
        """Render a number; a condition counts as 1 or 0."""
        if is_condition(node, self._yes_no):
            return exp.case().when(self.condition(node), _number(1)).else_(_number(0))
        match node:
            case ast.Name(id=name):
                return _column(name)
            case ast.Constant(value=value):
                return exp.null() if value is None else _number(value)
            case ast.BinOp(left=a, op=ast.Div(), right=b):
                return _divide(self.number(a), _nullif(self.number(b)))
            case ast.BinOp(left=a, op=op, right=b):
                return self._binary(op, a, b)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return exp.Neg(this=_wrapped(self.number(operand)))
            case ast.Call(func=ast.Name(id="where"), args=[condition, a, b]):
                return (
                    exp.case().when(self.condition(condition), self.number(a)).else_(self.number(b))
                )
            case ast.Call(func=ast.Name(id=name), args=args):
                return self._function(name, [self.number(arg) for arg in args])
        raise AssertionError(f"unchecked node {ast.dump(node)}")

    def _function(self, name: str, values: list[Node]) -> Node:
        if name == "log1p":
            return _call(exp.Ln, _number(1) + _wrapped(values[0]))
        if name == "ratio":
            above, below = values
            zero = exp.EQ(this=_wrapped(below), expression=_number(0))
            return exp.case().when(zero, _number(0)).else_(_divide(above, below.copy()))
        return _call(FUNCTIONS[name], *values)

    def _binary(self, op: ast.AST, a: ast.expr, b: ast.expr) -> Node:
        left, right = _wrapped(self.number(a)), _wrapped(self.number(b))
        return OPERATORS[type(op)](this=left, expression=right)

    def condition(self, node: ast.expr) -> Node:
        """Render a condition."""
        match node:
            case ast.Name(id=name):
                return _column(name)
            case ast.Compare(left=a, ops=[op], comparators=[b]):
                return self._binary(op, a, b)
            case ast.Call(func=ast.Name(id="missing"), args=[ast.Name(id=name)]):
                return _column(name).is_(exp.null())
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return exp.not_(exp.paren(self.condition(operand)))
            case ast.BoolOp(op=op, values=values):
                join = exp.and_ if isinstance(op, ast.And) else exp.or_
                return exp.paren(join(*(self.condition(value) for value in values)))
        raise AssertionError(f"no condition: {ast.dump(node)}")


# --- parts ---------------------------------------------------------------------------------------


def _call(function: type[exp.Expression], value: Node, *more: Node) -> Node:
    settings: dict[str, Any] = {"expressions": [part.copy() for part in more]} if more else {}
    if function in (exp.Least, exp.Greatest):
        settings["ignore_nulls"] = False
    return function(this=value.copy(), **settings)


def _divide(above: Node, below: Node) -> Node:
    return exp.Div(this=_wrapped(above), expression=_wrapped(below), typed=True)


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
