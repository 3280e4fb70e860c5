"""Cleaning: typed, valid customers without gaps, and a log of every change."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from customer_tables.changes import Change
from customer_tables.errors import UserError
from customer_tables.names import normalise, simplify_name
from segmentation.dataset import Column, Dataset, match_columns
from segmentation.expressions import columns_of
from segmentation.rules import Repair, fill_repair, range_repairs, rule_repairs

APART = "kept apart: makes and describes no segment"  # what becomes of an outcome
MIN_CUSTOMERS = 50  # below this no bootstrap says anything
SOME_GAPS = 0.01  # of the rows, from which it is said that gaps may mean 0


@dataclass(frozen=True)
class Cleaned:
    """Customers, named as in dataset.toml, and what was done to get them."""

    customers: pd.DataFrame
    changes: list[Change] = field(default_factory=list)
    fills: dict[str, float] = field(default_factory=dict)  # what a gap in a column is filled with


def select_columns(table: pd.DataFrame, dataset: Dataset) -> Cleaned:
    """Pick and rename the dataset's columns, whatever the file calls them.

    A column without any value is left out unless something is computed from it.

    Raises
    ------
    UserError
        If a required column is missing; names the nearest column in the file.
    """
    matched = match_columns(table.columns, dataset)
    left = [str(name) for name in table.columns if name not in matched]
    for column in dataset.columns:
        if column.required and column.name not in matched.values():
            spelt = {simplify_name(name): name for name in left}
            near = difflib.get_close_matches(column.name, spelt, 1, 0.5)
            which = spelt[near[0]] if near else "COLUMN"
            raise UserError(
                f"the table has no column {column.name!r} ({column.label})",
                where=f"columns that were not recognised: {', '.join(left)[:300] or 'none'}",
                remedy=(f"is it {which!r}? " if near else "")
                + f"rename it {column.name!r} in the file; for run.py, "
                f'--role {column.name}="{which}" does the same',
            )
    reasons = {normalise(name): why for name, why in dataset.left_out.items()}
    why = {
        name: reasons.get(normalise(name), "column is not part of this dataset") for name in left
    }
    needed = _needed(dataset)
    for name, place in matched.items():
        if place not in needed and table[name].isna().all():
            why[name] = "column has no value at all"
    outcomes = match_columns(left, replace(dataset, columns=dataset.outcomes))
    changes = [
        Change("an outcome", name, len(table), APART)
        if name in outcomes
        else Change(what, name, len(table), "left out")
        for name, what in why.items()
    ]
    kept = {name: place for name, place in matched.items() if name not in why}
    return Cleaned(table[list(kept)].rename(columns=kept), changes)


def select_outcomes(table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Pick the dataset's outcomes as numbers, one row per customer, indexed as the customers are.

    Yes is 1. Of an outcome in words the rarer of two is 1, and the column says which; one with
    more than two words says nothing.

    Raises
    ------
    UserError
        If one identifier has two different outcomes.
    """
    own = [dataset.id] if dataset.id else []
    parts = replace(dataset, columns=(*own, *dataset.outcomes))
    matched = match_columns(table.columns, parts)
    picked = table[list(matched)].rename(columns=matched)
    indexed = index_customers(picked, dataset).customers
    found = {}
    for column in (column for column in dataset.outcomes if column.name in indexed):
        cells = indexed[column.name]
        if column.kind == "category":
            counts = cells.value_counts()
            rarer = counts.index[-1] if len(counts) == 2 else None
            name = f"{column.label}: {rarer}"
            found[name] = (cells == rarer).astype(float).where(cells.notna() & (len(counts) == 2))
        else:
            found[column.label or column.name] = pd.to_numeric(cells, errors="coerce").astype(float)
    return pd.DataFrame(found, index=indexed.index)


def _needed(dataset: Dataset) -> set[str]:
    """Return the names of the columns that features, value or the identifier come from."""
    needed = {name for f in dataset.features for name in columns_of(f.formula)}
    return (
        needed
        | {value.column for value in dataset.values}
        | ({dataset.id.name} if dataset.id else set())
    )


def index_customers(table: pd.DataFrame, dataset: Dataset, least: int = MIN_CUSTOMERS) -> Cleaned:
    """Make one row per customer: drop exact duplicates, index by the identifier, sort by it.

    Raises
    ------
    UserError
        If one identifier has two different rows, or fewer customers are left than `least`.
    """
    changes = []
    identifier = dataset.id.name if dataset.id and dataset.id.name in table else None
    if identifier is None:
        width = len(str(len(table)))
        ids = pd.Series([f"{row:0{width}d}" for row in range(1, len(table) + 1)], table.index)
        changes.append(Change("no identifier column", "", len(table), "numbered by row"))
    else:
        distinct = table.drop_duplicates()
        if dropped := len(table) - len(distinct):
            changes.append(Change("exact copy of another row", "", dropped, "dropped"))
        values = distinct[identifier]
        if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
            values = values.astype("Int64")  # 17850, which some programs write as 17850.0
        ids = values.astype("str").str.strip()
        empty = distinct[identifier].isna() | (ids == "")
        if rows := int(empty.sum()):
            changes.append(Change("row without an identifier", identifier, rows, "dropped"))
        table, ids = distinct[~empty].drop(columns=identifier), ids[~empty]
        _refuse_twice(ids, identifier)
    if len(table) < least:
        raise UserError(
            f"the table has {len(table)} {dataset.nouns}, and a segmentation needs at least "
            f"{least}",
            where="the whole table",
            remedy="bring a larger table",
        )
    return Cleaned(
        table.set_axis(pd.Index(ids, name="customer", dtype="str")).sort_index(), changes
    )


def _refuse_twice(ids: pd.Series, identifier: str) -> None:
    twice = ids[ids.duplicated(keep=False)]
    if len(twice):
        word = ids.index.name or "line"
        places = twice.index[twice == twice.iloc[0]]
        rows = places if ids.index.name else places + 2  # the header stands in the first line
        raise UserError(
            f"{twice.nunique()} identifiers stand on two or more different rows",
            where=f"column {identifier!r}, for example {word}s {rows[0]} and {rows[1]}",
            remedy="keep one row per customer, or aggregate the rows before; "
            f"if {identifier} tells no customers apart, take the column out",
        )


def check_types(table: pd.DataFrame, dataset: Dataset) -> Cleaned:
    """Make sure that columns of numbers hold numbers, and store them as float64.

    Raises
    ------
    UserError
        If there is text where numbers belong; names the column, a value and how many.
    """
    table, changes = table.copy(), []
    for column in _present(table, dataset):
        cells = table[column.name]
        if column.kind == "yes_no" and set(cells.unique()) <= {0, 1}:
            table[column.name] = cells.astype(bool)
        if not column.is_numeric:
            continue
        dates = pd.api.types.is_datetime64_any_dtype(cells)
        if dates and column.before:
            values = (pd.Timestamp(column.before) - cells.dt.normalize()).dt.days.astype("float64")
        else:
            values = pd.to_numeric(cells.astype("str") if dates else cells, errors="coerce")
            values = values.astype("float64")
        if column.before and not dates:
            values[:] = np.nan
        text = cells[cells.notna() & values.isna()]
        if len(text):
            raise UserError(
                f"{len(text)} cells of a column of {'dates' if column.before else 'numbers'} hold "
                f"{'none' if column.before else 'text'}, such as {str(text.iloc[0])[:40]!r}",
                where=f"column {column.name!r} ({column.kind})",
                remedy="correct the cells, or change the column's kind in dataset.toml",
            )
        table[column.name] = values.where(~np.isinf(values))
        if rows := int(np.isinf(values).sum()):
            changes.append(Change("infinite value", column.name, rows, "treated as missing"))
    return Cleaned(table, changes)


def apply_valid_ranges(table: pd.DataFrame, dataset: Dataset) -> Cleaned:
    """Handle values outside a column's valid range as dataset.toml says: clip, blank or flag."""
    return repaired(table, range_repairs(dataset.columns))


def apply_rules(table: pd.DataFrame, dataset: Dataset) -> Cleaned:
    """Fill structural gaps and check what should hold, by the rules in dataset.toml."""
    return repaired(table, rule_repairs(dataset.rules))


def repaired(table: pd.DataFrame, repairs: list[Repair]) -> Cleaned:
    """Repair a table, and say how many customers each repair concerned."""
    read = {name for repair in repairs for name in columns_of(repair.when)}
    columns = {name: table[name].to_numpy() for name in table if name in read}
    mended, changes = table.copy(deep=False), []
    for repair in repairs:
        if rows := repair.apply(columns):
            changes.append(repair.change(rows))
            if repair.value is not None:
                mended[repair.column] = columns[repair.column]
    return Cleaned(mended, changes)


def fill_gaps(table: pd.DataFrame, dataset: Dataset) -> Cleaned:
    """Fill the remaining gaps in numeric columns with the median (or zero), and say where.

    Raises
    ------
    UserError
        If a column that features need has no value at all.
    """
    fills, repairs, needed = {}, [], _needed(dataset)
    ruled = {rule.column for rule in dataset.rules if rule.fill is not None}
    for column in _present(table, dataset):
        if not column.is_numeric or column.missing == "keep":
            continue
        values = table[column.name]
        if values.isna().all() and column.name in needed:
            raise UserError(
                f"the column {column.name!r} has no value at all",
                where="the whole column",
                remedy="bring the values, or leave out the features that need it in dataset.toml",
            )
        fill = 0.0 if column.missing == "zero" else float(values.median())
        fills[column.name] = fill
        of_what = " (of all values, those set by a rule included)" if column.name in ruled else ""
        action = f"filled with the {column.missing}{of_what}"
        gaps = values.isna().mean() if column.kind in ("count", "money") else 0.0
        if fill and gaps >= SOME_GAPS and values.min() > 0:
            action += '; no value is 0: if a gap means 0, say missing = "zero" in dataset.toml'
        repairs.append(fill_repair(column.name, fill, action))
    return replace(repaired(table, repairs), fills=fills)


def flag_extremes(table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Mark the values in columns of numbers that are far out even on a log scale.

    A value is far out beyond three interquartile ranges from the quartiles (Tukey 1977) of the
    column's values above zero, after `log1p` for money and counts. Rows are flagged and kept:
    the best customers are the extremes.
    """
    flags = {}
    for column in _present(table, dataset):
        if column.is_numeric:
            values = table[column.name]
            if column.kind in ("money", "count"):
                values = np.log1p(values.clip(lower=0))
            low, high = values[values > 0].quantile([0.25, 0.75])
            reach = 3 * (high - low)  # 0 where most share one value: then the rest is not far out
            far = (values < low - reach) | (values > high + reach)
            flags[column.name] = (values > 0) & far & bool(reach > 0)
    return pd.DataFrame(flags, index=table.index)


def iqr_rule(table: pd.DataFrame) -> pd.Series:
    """Mark the rows that the common 1.5 interquartile-range rule would delete.

    Shown as a warning, never applied: on skewed data it removes most customers.
    """
    low, high = table.quantile(0.25), table.quantile(0.75)
    reach = 1.5 * (high - low)
    return ((table < low - reach) | (table > high + reach)).any(axis=1)


def clean(table: pd.DataFrame, dataset: Dataset) -> Cleaned:
    """Run all cleaning steps in order; the notebook shows them one by one."""
    steps = (select_columns, index_customers, check_types, apply_valid_ranges, apply_rules)
    changes = []
    for step in (*steps, fill_gaps):
        result = step(table, dataset)
        table = result.customers
        changes += result.changes
    return replace(result, changes=changes)


def _present(table: pd.DataFrame, dataset: Dataset) -> list[Column]:
    return [column for column in dataset.columns if column.name in table.columns]
