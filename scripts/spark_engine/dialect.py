"""Queries in DuckDB's dialect, written for Spark so that they give the same there.

sqlglot translates what the dialects merely call by other names. What they compute in another way
is settled here: regular expressions, formats of times, and the numbers of weekdays.
"""

from __future__ import annotations

import re

import sqlglot
from sqlglot import exp

FORMATS = {  # DuckDB's parts of a time in Java's letters; these read one digit or two
    "%Y": "yyyy", "%y": "yy", "%m": "M", "%d": "d", "%H": "H", "%I": "h", "%M": "m", "%S": "s",
    "%p": "a",
}  # fmt: skip
COMPACT = {"%Y%m%d": "yyyyMMdd"}  # without marks in between, digits have to be counted
ISO = r"\A\d{4}[-/]\d{1,2}[-/]\d{1,2}.*"
CENTURY = "2069-01-01"  # two digits of a year from here on mean the century before


def to_spark(query: str) -> str:
    """Write a query for Spark.

    Parameters
    ----------
    query : str
        In DuckDB's dialect.

    Returns
    -------
    str
        The same query in Spark's dialect, for a session with times in UTC and without zones.

    Raises
    ------
    ValueError
        If it uses what means something else in Spark and has no translation here.
    """
    tree = sqlglot.parse_one(query, read="duckdb")
    return tree.transform(_settle).sql("spark")


def _settle(node: exp.Expression) -> exp.Expression:
    """Replace a part of a query that Spark would compute in another way."""
    match node:
        case exp.RegexpFullMatch():
            pattern = exp.Literal.string(rf"\A(?:{node.expression.this})\z")
            return exp.RegexpLike(this=node.this, expression=pattern)
        case exp.RegexpReplace():
            return _replaced(node)
        case exp.DayOfWeekIso():
            return exp.Add(
                this=exp.Anonymous(this="weekday", expressions=[node.this]),
                expression=exp.Literal.number(1),
            )
        case exp.TryCast() if node.to.is_type("timestamp", "timestampntz"):
            return _read_time(node.this)
        case exp.Anonymous() if node.name.lower() == "try_strptime":
            return _parse_time(*node.expressions)
    return node


def _replaced(node: exp.RegexpReplace) -> exp.Expression:
    r"""Write a replacement in Java's way: $1 for \1, and the end of the text as \z."""
    pattern, new = node.expression.this, node.args["replacement"].this
    everywhere = node.args.get("modifiers") is not None and "g" in node.args["modifiers"].this
    if not (everywhere or pattern.startswith("^") or pattern.endswith("$")):  # at most one fits
        raise ValueError(f"Spark replaces every {pattern!r}, DuckDB the first one")
    if pattern.endswith("$") and not pattern.endswith(r"\$"):
        pattern = pattern[:-1] + r"\z"
    new = re.sub(r"\\(\d)", r"$\1", new.replace("$", r"\$"))
    return exp.Anonymous(
        this="regexp_replace",
        expressions=[node.this, exp.Literal.string(pattern), exp.Literal.string(new)],
    )


def _read_time(value: exp.Expression) -> exp.Expression:
    """Read a time as ISO 8601 writes it; the hour is that of its own zone."""
    text = value.sql("spark")
    marks = f"regexp_replace({text}, '/', '-')"
    known = exp.RegexpLike(this=value.copy(), expression=exp.Literal.string(ISO)).sql("spark")
    return _spark(f"CASE WHEN {known} THEN TRY_CAST({marks} AS TIMESTAMP_NTZ) END")


def _parse_time(value: exp.Expression, formats: exp.Expression) -> exp.Expression:
    """Read a time in the first of the formats that fits."""
    ways = formats.expressions if isinstance(formats, exp.Array) else [formats]
    text = value.sql("spark")
    read = []
    for way in ways:
        known = COMPACT.get(way.this) or re.sub("%[a-zA-Z]", _letter, way.this)
        at = f"try_to_timestamp({text}, {exp.Literal.string(known).sql('spark')})"
        if "%y" in way.this:
            at = (
                f"CASE WHEN {at} >= TIMESTAMP_NTZ '{CENTURY}' "
                f"THEN {at} - INTERVAL '100' YEAR ELSE {at} END"
            )
        read.append(at)
    return _spark(f"coalesce({', '.join(read)})")


def _letter(part: re.Match) -> str:
    if part.group() not in FORMATS:
        raise ValueError(f"no translation of {part.group()} in a format of times")
    return FORMATS[part.group()]


def _spark(text: str) -> exp.Expression:
    """Put words of Spark into a query as they are."""
    return exp.Var(this=text)
