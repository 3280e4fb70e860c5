"""What a row of a table stands for, where that is no customer: a period, or one of choices."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from customer_tables.changes import Reading
from customer_tables.errors import UserError
from customer_tables.names import split_name
from customer_tables.source import Roles, answer
from customer_tables.transaction_columns import find_column
from customer_tables.vocabulary import CUSTOMER_WORDS, SENSITIVE

REGULAR = 1.2  # how much longer than the shortest the longest of equal periods may be: months
FEWEST_UNITS = 20  # of which a table of periods has several rows each
FEWEST_ALIKE = 10  # pairs of their rows that would have one period by chance
BY_MISTAKE = 0.02  # part of these that may have one
PERIODS = re.compile(
    r"(.+ )?(years?|periods?|waves?|rounds?|months?|weeks?|quarters?|seasons?|semesters?|terms?|"
    r"time|day|yr|qtr|jahr|monat|woche|quartal|welle|ann[ée]e|mois|a[ñn]o|mes|anno|mese|rok|"
    r"miesiąc|год|месяц|年|月|年度|期)( (no|nr|num|number|id))?|t"
)
FEWEST_RUNS = 3  # of rows in which a time rises


def refuse_periods(reading: Reading) -> None:
    """Refuse a table of months or days: its first column counts on, and nothing names customers.

    Raises
    ------
    UserError
        If it is one.
    """
    first = next(iter(reading.table), "")
    identified = any(kind == "id" for kind in reading.kinds.values())
    if identified or reading.kinds.get(first) != "date" or len(reading.table) < 3:
        return
    gaps = np.diff(reading.table[first].sort_values().to_numpy()).astype(float)
    if gaps.min() > 0 and gaps.max() <= REGULAR * gaps.min():
        raise UserError(
            f"the rows are periods, not customers: each has a time of its own, evenly apart, and "
            f"no column says who a customer is ({first})",
            where=f"{reading.source['name']}: {', '.join(map(str, reading.table))[:300]}",
            remedy=f'bring one row a customer; or --role customer="{first}" to segment the periods',
        )


def refuse_panels(reading: Reading, roles: Roles) -> None:
    """Refuse a table that has a row for each customer and period, or each of several choices.

    Raises
    ------
    UserError
        If it has, no column called after customers tells rows apart, and no role says what does or
        what each row is worth.
    """
    if roles.keys() & {"customer", "value"}:
        return
    ignored = [find_column(reading.table, c, "ignore") for c in roles.get("ignore", ())]
    table = reading.table.drop(columns=ignored)
    called = [c for c in table if CUSTOMER_WORDS.search(split_name(c))]
    if any(table[c].is_unique for c in called):
        return
    unit, part = _find_panel(table, reading.kinds)
    if not unit:
        return
    single = next((c for c in table if table[c].is_unique and c != unit), "")
    offer = {"customer": [single]} if single else {"ignore": [part]}
    option = " ".join(f'--role {role}="{column}"' for role, (column,) in offer.items())
    rows = table[unit].value_counts()
    raise UserError(
        f"the rows are no customers: each of {rows.size:,} {unit} has {rows.mean():.1f} rows on "
        f"average, each of another {part}",
        where=f"{reading.source['name']}, columns {unit!r} and {part!r}",
        remedy="bring one row a customer (the last of these, or sums over all); or, to segment the "
        f"rows as they are, {option}",
        answer=answer(**offer),
    )


def _find_panel(table: pd.DataFrame, kinds: Mapping[str, str]) -> tuple[str, str]:
    """Return the columns that say whose a row is and of which part of theirs; or nothing twice."""
    numbers = (c for c in table if kinds[c] == "number" and (table[c].dropna() % 1 == 0).all())
    codes = [*numbers, *(c for c in table if kinds[c] in ("id", "text", "date", "yes_no"))]
    distinct, most = table[codes].nunique(), len(table) / FEWEST_UNITS
    units = [c for c in codes if SENSITIVE.isdisjoint(split_name(c).split())]
    units = [c for c in units if FEWEST_RUNS <= distinct[c] <= len(table) / 2]
    times = [c for c in table if kinds[c] == "date" or PERIODS.fullmatch(split_name(c))]
    for part in (c for c in codes if 2 <= distinct[c] <= most):
        for unit in (c for c in units if distinct[c] >= FEWEST_UNITS and c not in (part, *times)):
            if part in times or distinct[unit] * distinct[part] == len(table):
                if _are_apart(table[[unit, part]].dropna()):
                    return unit, part
    runs = [(u, c) for c in times for u in units if u != c and kinds[c] in ("number", "date")]
    return next((pair for pair in runs if _rises(table[[*pair]])), ("", ""))


def _are_apart(pairs: pd.DataFrame) -> bool:
    """Whether rows with one value differ in the other column, where by chance some would not."""
    unit, part = pairs
    rows, share = pairs[unit].value_counts(), pairs[part].value_counts(normalize=True)
    likely, again = (rows * (rows - 1)).sum() / 2 * (share**2).sum(), pairs.value_counts()
    return likely >= FEWEST_ALIKE and (again * (again - 1)).sum() / 2 <= BY_MISTAKE * likely


def _rises(pairs: pd.DataFrame) -> bool:
    """Whether rows of one value stand together, and the other column rises within each alone."""
    unit, part = pairs
    same = pairs[unit].eq(pairs[unit].shift())
    step = pairs[part].rank().diff()
    rising = same.sum() >= FEWEST_UNITS and (step[same] > 0).all()
    again = (step[~same].iloc[1:] < 0).mean() > 0.5
    return bool(rising and again and (~same).sum() == pairs[unit].nunique())
