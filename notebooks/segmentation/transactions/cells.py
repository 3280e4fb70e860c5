"""Cells of a text file as what they are: read once, as numbers and times where they fit.

A cell that fits is kept as a number or a time, any other one beside it as text, and both give what
`lines` would have made of the text. Where too many do not fit, the column stays text, and `lines`
finds out how it is written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from customer_tables.errors import UserError
from customer_tables.source import Source
from segmentation.transactions.engine import Engine, quoted
from segmentation.transactions.files import Relation
from segmentation.transactions.lines import (
    MONEY,
    ODD,
    SETTLED,
    WHOLE,
    Options,
    bare,
    is_filled,
    text_of,
)
from segmentation.transactions.times import SEEN, day_of, read_iso

SAMPLE_ROWS = 10_000  # by which it is guessed what a column holds
MISFITS = 0.01  # share of them up to which the guess is worth a try
CLOCKS = (" __:__:__", "", " __:__", "T__:__:__", "T__:__")  # behind a day
EARLIEST = "1000-01-01"  # from here on, a year has four digits


@dataclass(frozen=True)
class _Column:
    """A column of the file.

    Attributes
    ----------
    name : str
    kind : str
        What it is for: number, key, time, product, word, or text for anything.
    place : int
        Among the columns, from 1 on.
    whole : str
        The type of its whole numbers.
    """

    name: str
    kind: str
    place: int
    whole: str = "BIGINT"

    @property
    def fit(self) -> str:
        """The cells that fit, in the table."""
        return f"fit{self.place}"

    @property
    def rest(self) -> str:
        """The text of the others."""
        return f"rest[{self.place}]"

    def read(self) -> str:
        """Return the expression that reads a cell, NULL where it does not fit."""
        cell = quoted(self.name)
        match self.kind:
            case "number":
                return f"TRY_CAST({cell} AS {MONEY})"
            case "key" | "product":  # written in one way only, as 007 is not 7
                number = f"TRY_CAST({cell} AS {self.whole})"
                return f"CASE WHEN CAST({number} AS VARCHAR) = {cell} THEN {number} END"
            case "time":
                forms = " OR ".join(f"{cell} LIKE '____-__-__{clock}'" for clock in CLOCKS)
                at = f"TRY_CAST({cell} AS TIMESTAMP)"
                return f"CASE WHEN ({forms}) AND {at} >= TIMESTAMP '{EARLIEST}' THEN {at} END"
            case "word":
                return text_of(cell, "VARCHAR")
        return cell

    @property
    def is_split(self) -> bool:
        """Whether some cells may not fit."""
        return self.kind not in ("word", "text")


def settle_cells(
    engine: Engine,
    file: Relation,
    source: Source,
    options: Options,
    products: Relation | None = None,
) -> Relation:
    """Read what is needed of a text file into a table of the engine.

    Parameters
    ----------
    engine : Engine
    file : Relation
    source : Source
        What its columns are called.
    options : Options
    products : Relation, optional
        The columns of products, joined by `Source.product`.

    Returns
    -------
    Relation
        In place of the file, for `lines_query`, which makes the same lines of it; or the file
        itself, where that is not certain.
    """
    columns = _columns(file, source, options, products) if file.format == "text" else []
    if not columns:
        return file
    try:
        columns = _guessed(engine, file, columns)
        _keep(engine, file, columns)
        found = _settled(engine, columns)
        if lost := {column for column in columns if column not in found}:
            columns = [_as_text(column) if column in lost else column for column in columns]
            _keep(engine, file, columns)
            found = _settled(engine, columns)
    except UserError:
        return file  # which tells what is wrong with it
    listed = ", ".join(f"{sql} AS {quoted(column.name)}" for column, (sql, _) in found.items())
    types = file.types | {column.name: kind for column, (_, kind) in found.items()}
    named = {source.time, *_numbers(source)}
    cheap = all(types[name] != "VARCHAR" for name in named if name in types)
    return replace(file, sql=f"(SELECT {listed} FROM cells)", types=types, cheap=cheap)


def _numbers(source: Source) -> set[str]:
    """Return the names of the columns that `lines` reads as numbers."""
    sums = [source.amount, source.discount, source.coupon]
    names = {name.strip() for several in sums for name in several.split("+")}
    names |= {source.quantity} if source.amount else {source.quantity, source.price}
    return names - {""}


def _columns(
    file: Relation, source: Source, options: Options, products: Relation | None
) -> list[_Column]:
    """Return what is needed of a file; nothing where the table could mean something else."""
    brand = source.own_brand.partition("=")[0].strip()
    whole = products.types.get(source.product, "") if products else "BIGINT"
    uses = [(name, "text" if options.decimal else "number") for name in sorted(_numbers(source))]
    uses += [(source.customer, "key"), (source.order, "key"), (source.time, "time")]
    uses += [(source.product, "product" if whole in WHOLE else "text")]
    uses += [(source.category, "word"), (brand, "text")]
    kinds: dict[str, str] = {}
    for name, kind in uses:
        for known in file.types:  # DuckDB knows a name in any case
            if name and known.lower() == name.lower():
                kinds[known] = kind if kinds.get(known, kind) == kind else "text"
    others = {name.lower() for name in products.types} if products else set()
    shared = {name for name in kinds if name.lower() in others} - {source.product}
    unknown = brand and brand.lower() not in {name.lower() for name in file.types} | others
    unjoined = products and source.product not in file.types
    if shared or unknown or unjoined or any('"' in name for name in kinds):
        return []
    return [
        _Column(name, kind, place, whole if kind == "product" else "BIGINT")
        for place, (name, kind) in enumerate(kinds.items(), 1)
    ]


def _as_text(column: _Column) -> _Column:
    return replace(column, kind="word" if column.kind == "key" else "text")


def _guessed(engine: Engine, file: Relation, columns: list[_Column]) -> list[_Column]:
    """Leave as text what the first lines show to be written in another way."""
    split = [column for column in columns if column.is_split]
    counts = ", ".join(
        f"count(*) FILTER ({is_filled(quoted(c.name))} AND {c.read()} IS NULL)" for c in split
    )
    wanted = ", ".join(quoted(column.name) for column in columns)
    first = f"(SELECT {wanted} FROM {file.sql} LIMIT {SAMPLE_ROWS})"
    rows, *misfits = engine.ask(f"SELECT count(*), {counts} FROM {first}")[0]
    odd = {c for c, count in zip(split, misfits, strict=True) if count > MISFITS * rows}
    return [_as_text(column) if column in odd else column for column in columns]


def _keep(engine: Engine, file: Relation, columns: list[_Column]) -> None:
    """Read the file into the table; only lines with cells that do not fit have a list of them."""
    cells = ", ".join(f"{quoted(c.name)} AS cell{c.place}, {c.read()} AS {c.fit}" for c in columns)
    odd = {c: f"{c.fit} IS NULL AND cell{c.place} IS NOT NULL" for c in columns if c.is_split}
    rest = ", ".join(
        f"CASE WHEN {odd[c]} THEN cell{c.place} END" if c in odd else "CAST(NULL AS VARCHAR)"
        for c in columns
    )
    some = " OR ".join(f"({condition})" for condition in odd.values()) or "false"
    fits = ", ".join(c.fit for c in columns)
    kept = f"{fits}, CASE WHEN {some} THEN [{rest}] END AS rest"
    engine.keep("cells", f"SELECT {kept} FROM (SELECT {cells} FROM {file.sql})")


def _settled(engine: Engine, columns: list[_Column]) -> dict[_Column, tuple[str, str]]:
    """Return the expression and the type of each column, but of those that have to be text."""
    counts = ", ".join(f"count({column.rest})" for column in columns)
    others = engine.ask(f"SELECT {counts} FROM cells WHERE rest IS NOT NULL")[0]
    found = {}
    for column, misfits in zip(columns, others, strict=True):
        if column.kind == "word":
            found[column] = column.fit, SETTLED
        elif column.kind == "text":
            found[column] = column.fit, "VARCHAR"
        elif settled := _joined(engine, column, misfits):
            found[column] = settled
    return found


def _joined(engine: Engine, column: _Column, misfits: int) -> tuple[str, str] | None:
    """Return the expression and type of a column; None where the rest may change its reading."""
    fit, rest = column.fit, column.rest
    word = text_of(rest, "VARCHAR")
    match column.kind:
        case "number":
            if not misfits:
                return fit, MONEY
            number, filled = f"TRY_CAST({bare(rest)} AS {MONEY})", is_filled(bare(rest))
            conditions = (f"{fit} IS NOT NULL", filled, f"{filled} AND {number} IS NULL")
            fits, more, odd = _count(engine, *conditions)
            if odd > ODD * (fits + more):
                return None
            return (fit if more == odd else f"coalesce({fit}, {number})"), MONEY
        case "key":
            if not misfits or not _count(engine, f"{word} IS NOT NULL")[0]:
                return fit, column.whole
            return f"coalesce({word}, CAST({fit} AS VARCHAR))", SETTLED
        case "product":
            if not misfits:
                return fit, column.whole
            return f"coalesce({rest}, CAST({fit} AS VARCHAR))", "VARCHAR"
    return _joined_times(engine, column, misfits)


def _joined_times(engine: Engine, column: _Column, misfits: int) -> tuple[str, str] | None:
    """Return what `_joined` does of times: the days that fit have to be more than the others."""
    fit, rest = column.fit, column.rest
    if not misfits:
        return (fit, "TIMESTAMP") if _count(engine, f"{fit} IS NOT NULL")[0] else None
    days = f"count(DISTINCT CAST({fit} AS DATE)), count(DISTINCT {day_of(rest)})"
    known, odd = engine.ask(f"SELECT {days} FROM cells")[0]
    if known + odd > SEEN or known <= odd:
        return None
    return f"coalesce({fit}, {read_iso(rest)})", "TIMESTAMP"


def _count(engine: Engine, *conditions: str) -> list[int]:
    counts = ", ".join(f"count(*) FILTER ({condition})" for condition in conditions)
    return list(engine.ask(f"SELECT {counts} FROM cells")[0])
