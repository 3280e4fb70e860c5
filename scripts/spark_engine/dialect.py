"""Queries in DuckDB's dialect, written for Spark so that they give the same there.

sqlglot translates what the dialects merely call by other names. What they compute in another way
is settled here: regular expressions, formats of times, and the numbers of weekdays.
"""

from __future__ import annotations

import re

import sqlglot
from sqlglot import exp

# DuckDB's parts of a time in Java's letters; these read one digit or two.
FORMATS = dict(
    zip("%Y %y %m %d %H %I %M %S %p".split(), "yyyy yy M d H h m s a".split(), strict=True)
)
ISO = r"\A\d{4}[-/]\d{1,2}[-/]\d{1,2}.*"
CENTURY = "2069-01-01"  # two digits of a year from here on mean the century before


def to_spark(query: str) -> str:
    """Write a query in DuckDB's dialect for a session of Spark with times in UTC without zones.

    Raises
    ------
    ValueError
        If it uses what means something else in Spark and has no translation here.
    """
    return _write(sqlglot.parse_one(query, read="duckdb"))


def _write(node: exp.Expr) -> str:
    """Write a part of a query, with all parts of it, for Spark."""
    return node.transform(_settle).sql("spark")


def _settle(node: exp.Expression) -> exp.Expression:
    """Replace a part of a query that Spark would compute in another way."""
    match node:
        case exp.RegexpFullMatch():
            whole = _text(rf"\A(?:{node.expression.this})\z")
            return exp.Var(this=f"{_sql(node)} RLIKE {whole}")
        case exp.RegexpReplace():
            return _replace(node)
        case exp.DayOfWeekIso():
            return exp.Var(this=f"WEEKDAY({_sql(node)}) + 1")
        case exp.TryCast() if node.to.is_type("timestamp", "timestampntz"):
            read = f"TRY_CAST(regexp_replace({_sql(node)}, '/', '-') AS TIMESTAMP_NTZ)"
            return exp.Var(this=f"CASE WHEN {_sql(node)} RLIKE {_text(ISO)} THEN {read} END")
        case exp.Anonymous() if node.name.lower() == "try_strptime":
            value, formats = node.expressions
            ways = formats.expressions if isinstance(formats, exp.Array) else [formats]
            read = ", ".join(_parse_time(_write(value), way.this) for way in ways)
            return exp.Var(this=f"coalesce({read})")
    return node


def _sql(node: exp.Expression) -> str:
    return _write(node.this)


def _text(value: str) -> str:
    return exp.Literal.string(value).sql("spark")


def _replace(node: exp.RegexpReplace) -> exp.Expression:
    r"""Write a replacement in Java's way: $1 for \1, and the end of the text as \z."""
    pattern, new = node.expression.this, node.args["replacement"].this
    everywhere = "g" in getattr(node.args.get("modifiers"), "this", "")
    if not (everywhere or pattern.startswith("^") or pattern.endswith("$")):  # at most one fits
        raise ValueError(f"Spark replaces every {pattern!r}, DuckDB the first one")
    pattern = re.sub(r"(?<!\\)\$$", r"\\z", pattern)
    new = re.sub(r"\\(\d)", r"$\1", new.replace("$", r"\$"))
    return exp.Var(this=f"REGEXP_REPLACE({_sql(node)}, {_text(pattern)}, {_text(new)})")


def _parse_time(value: str, way: str) -> str:
    """Write how a time in one of DuckDB's formats is read."""
    if unknown := set(re.findall("%[a-zA-Z]", way)) - FORMATS.keys():
        raise ValueError(f"no translation of {min(unknown)} in a format of times")
    known = re.sub("%[a-zA-Z]", lambda part: FORMATS[part[0]], way)
    if known.isalpha():  # without marks in between, digits have to be counted
        known = re.sub("([^y])", r"\1\1", known)
    at = f"try_to_timestamp({value}, {_text(known)})"
    if "%y" in way:
        before = f"{at} - INTERVAL '100' YEAR"
        at = f"CASE WHEN {at} >= TIMESTAMP_NTZ '{CENTURY}' THEN {before} ELSE {at} END"
    return at
