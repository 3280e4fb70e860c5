"""Customers as they were before a cut, and what they did after it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from customer_tables.errors import UserError
from segmentation import cleaning
from segmentation.dataset import Dataset
from segmentation.expressions import columns_of, evaluate
from segmentation.features import build_features
from segmentation.scoring import Scored

LEAST = 50  # customers of whom an outcome is known
LEAST_EACH = 20  # customers on either side of a yes/no outcome: fewer say nothing out of sample

# --- what is known before the cut -----------------------------------------------------------------


@dataclass(frozen=True)
class Past:
    """Customers as they were known before a cut.

    Attributes
    ----------
    dataset : Dataset
        With the columns and features that the lines before the cut allow.
    customers, features : DataFrame, indexed by customer
        Cleaned columns, and features in real units.
    left_out : list of str
        Labels of the segmenting features that do not follow from the lines, or do not vary.
    """

    dataset: Dataset
    customers: pd.DataFrame
    features: pd.DataFrame
    left_out: list[str]


def past_of(period: pd.DataFrame, known: Dataset) -> tuple[Past | None, str]:
    """Clean the customers of one period of a history, and compute their features.

    Columns that come from elsewhere, such as who the customers are, are not known at a time, so
    what needs them is left out.

    Returns
    -------
    tuple of (Past or None, str)
        None where the period has too few customers, or fewer than two features are left to segment
        on, and why.
    """
    columns = tuple(c for c in known.columns if c.kind == "id" or c.name in period)
    there = {c.name for c in columns}
    part = replace(
        known,
        columns=columns,
        outcomes=(),
        features=tuple(f for f in known.features if columns_of(f.formula) <= there),
        questions=tuple(q for q in known.questions if columns_of(q.when) <= there),
        rules=tuple(
            r
            for r in known.rules
            if columns_of(r.check or r.when) <= there and r.column in {"", *there}
        ),
    )
    try:
        customers = cleaning.clean(period, part).customers
        table = build_features(customers, part)
    except UserError as error:
        return None, str(error).splitlines()[0]
    table = table.loc[:, table.max() > table.min()]
    part = replace(part, features=tuple(f for f in part.features if f.name in table))
    if len(part.features_with("segment")) < 2:
        return None, "fewer than two features segment the customers before the cut"
    segmenting = known.features_with("segment")
    left_out = [f.label or f.name for f in segmenting if f.name not in table]
    return Past(part, customers, table, left_out), ""


def value_of(past: Past) -> pd.Series | None:
    """Return what each customer was worth before; None where no column or feature says so."""
    name = past.dataset.value
    tables = (past.features, past.customers)
    return next((table[name] for table in tables if name and name in table), None)


# --- what came after ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """Something that customers did later.

    Attributes
    ----------
    name : str
        As metrics.json calls it.
    label : str
        As a sentence does: "spending in the 92 days after".
    values : Series of float, indexed by customer
        NaN where it is not known.
    """

    name: str
    label: str
    values: pd.Series

    @property
    def yes_no(self) -> bool:
        """Whether it is answered by yes (1) or no (0)."""
        return bool(self.values.dropna().isin((0, 1)).all())

    @property
    def varies(self) -> bool:
        """Whether enough customers differ in it to say anything."""
        known = self.values.dropna()
        least = int(known.value_counts().min()) if self.yes_no else int((known != 0).sum())
        return known.min() < known.max() and least >= LEAST_EACH and len(known) >= LEAST


def outcomes_of_history(after: pd.DataFrame, index: pd.Index, days: int) -> list[Outcome]:
    """Return what customers known before the cut spent and ordered after it, and who came at all.

    Parameters
    ----------
    after : DataFrame
        The customers who bought after the cut, as `History.periods` has them.
    index : Index
        The customers known before it. Who bought nothing after it spent and ordered 0.
    """
    later = after.set_index("customer_id").reindex(index)
    spent, orders = later["spent"].fillna(0), later["orders"].fillna(0)
    return [
        Outcome("spent", f"spending in the {days} days after", spent),
        Outcome("active", f"buying at all in the {days} days after", (orders > 0).astype(float)),
        Outcome("orders", f"orders in the {days} days after", orders),
    ]


def outcomes_of_table(told: pd.DataFrame) -> list[Outcome]:
    """Return the outcomes that columns of a customers' table hold, each once."""
    distinct = told.loc[:, ~told.T.duplicated()] if told.shape[1] else told
    return [Outcome(str(name), str(name), values) for name, values in distinct.items()]


def value_in(scored: Scored, known: Dataset) -> pd.Series | None:
    """Return what customers are worth in a later table; None where it does not say so."""
    formulas = {c.name: c.name for c in known.columns} | {f.name: f.formula for f in known.features}
    formula = formulas.get(known.value, "")
    if not formula or not columns_of(formula) <= set(scored.as_read):
        return None
    return pd.Series(evaluate(formula, scored.as_read), scored.as_read.index, dtype=float)


def outcomes_of_period(
    value: pd.Series | None, label: str, here: pd.Index, index: pd.Index
) -> list[Outcome]:
    """Return what customers are worth in a later table, and whether they are still in it.

    Parameters
    ----------
    value : Series of float, indexed by customer, or None
        Of the later table; not known of those who are not in it.
    here, index : Index
        The customers of the later table, and of the earlier one.
    """
    found = [Outcome("kept", "being in the later table", pd.Series(index.isin(here), index) * 1.0)]
    if value is not None:
        found.insert(0, Outcome("value", f"{label} in the later table", value.reindex(index)))
    return found
