"""A later period: read from a file, or simulated with changes that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customer_tables.changes import Reading
from customer_tables.errors import UserError
from customer_tables.table import read_table
from segmentation import expressions
from segmentation.claims import Claim, claim, stated
from segmentation.dataset import AGGREGATED, DATA_FOLDER, Dataset, match_columns
from segmentation.drift import GROWN, Drift, Period, compare_scored, refuse_units
from segmentation.features import build_features, fit_preparation, varying
from segmentation.intake import text_columns
from segmentation.kmeans import fit_kmeans
from segmentation.model import build_model, dataset_of
from segmentation.scoring import Scored, Scorer, score_customers

# --- from a file ---------------------------------------------------------------------------------


def read_period(model: dict[str, Any], path: Path) -> Scored:
    """Read the customers of a later period, one row each, and score them.

    A `UserError` refuses another dataset's file, and columns in another unit.
    """
    where = str(path)[:300]
    if path.is_dir() or not path.exists():
        raise UserError(f"there is no file {path.name!r}", where, "check next_period")
    scored, _ = read_scored(model, path)
    refuse_units(model, Period(model).add(scored), where)
    return scored


def read_scored(model: dict[str, Any], path: Path) -> tuple[Scored, Reading]:
    """Read customers as a run does and score them; refuse a table of another dataset."""
    dataset = dataset_of(model)
    reading = read_table(path, text_columns=text_columns(dataset), lenient=True)
    table = reading.numbered
    found = set(match_columns(table.columns, dataset).values())
    needed = [c.name for c in dataset.columns if c.required and c.kind != "id"]
    missing = [name for name in needed if name not in found]
    if len(missing) * 2 < len(needed):
        return score_customers(model, table), reading
    what = f"the model is of {model['title']!r}, and the table has {len(needed) - len(missing)} "
    what += f"of the {len(needed)} columns that it needs"
    remedy = "give the model that was fitted on such a table, or a table of that kind"
    if set(AGGREGATED) <= {c.name for c in dataset.columns}:
        known = (DATA_FOLDER / model["dataset"]).is_dir()
        described = model["dataset"] if known else "DATASET.toml"
        remedy = f"if it holds transaction lines, aggregate them with run.py --dataset {described} "
        remedy += "--input FILE --only 01 --results FOLDER, and give FOLDER/stages/"
        remedy += "01_customers.parquet"
        remedy += "" if known else "; DATASET.toml is what that run was given or wrote"
    raise UserError(what, where=f"{path}; missing: {', '.join(missing)[:200]}", remedy=remedy)


# --- simulated -----------------------------------------------------------------------------------

PRICED = ("money", "count")  # kinds that prices or more activity multiply; the first present
MOVED = 0.5  # share of the customers whose value of a feature has to differ


def priced_columns(dataset: Dataset) -> list[str]:
    """Return the columns of amounts that grow: money, or else counts.

    Only columns that a segmentation variable reads: a change in others could not be detected.
    """
    formulas = [feature.formula for feature in dataset.features_with("segment")]
    read = {name for formula in formulas for name in expressions.columns_of(formula)}
    by_kind = ([c.name for c in dataset.columns if c.kind == kind] for kind in PRICED)
    found = ([name for name in names if name in read] for names in by_kind)
    return next(filter(None, found), [])


def next_period(
    customers: pd.DataFrame,
    labels: pd.Series,
    *,
    priced: list[str],
    new_share: float = 0.0,
    inflation: float = 0.0,
    shrinking: int = 1,
    shrink: float = 0.0,
    seed: int = 0,
) -> pd.DataFrame:
    """Simulate a later period of the same customers; the new ones come last.

    Each change is drawn independently: simulating one of them alone removes or adds the same
    customers as simulating all of them together.

    Parameters
    ----------
    new_share : float
        New customers, as a share of the existing ones. Each is a copy of a customer of the first
        period, drawn with replacement.
    priced, inflation : list of str, float
        Columns that grow, and the share by which they do.
    shrinking, shrink : int, float
        The segment that customers leave, and the share of it that leaves.
    """
    leaving, joining = (np.random.default_rng([seed, stream]) for stream in (1, 2))
    members = np.flatnonzero((labels.loc[customers.index] == shrinking).to_numpy())
    gone = leaving.permutation(members)[: round(shrink * len(members))]
    like = joining.integers(0, len(customers), round(new_share * len(customers)))
    start = "new"
    while customers.index.astype("str").str.startswith(start).any():
        start += "_"
    names = [f"{start}{number:07d}" for number in range(1, len(like) + 1)]
    new = customers.iloc[like].set_axis(pd.Index(names, dtype=customers.index.dtype))
    period = pd.concat([customers.drop(customers.index[gone]), new])
    period.index.name = customers.index.name
    grown = {name: period[name] * (1 + inflation) for name in priced} if inflation else {}
    return period.assign(**grown)


def moved_features(
    customers: pd.DataFrame, dataset: Dataset, priced: list[str], inflation: float
) -> list[str]:
    """Return the labels of the features that prices move for most customers (zeros left out).

    A ratio of two amounts stays the same when both of them grow.
    """
    priced_up = customers.assign(**{name: customers[name] * (1 + inflation) for name in priced})
    then, now = (build_features(table, dataset) for table in (customers, priced_up))
    differs = (now - then).abs() > 1e-9 * then.abs()
    moved = differs.sum() > MOVED * (then != 0).sum()
    return [f.label or f.name for f in dataset.features_with("segment") if moved[f.name]]


# --- was the change detected? --------------------------------------------------------------------

WORDS = {
    "new_share": "new customers",
    "inflation": "larger amounts",
    "shrink": "a shrinking segment",
}


def new_named(counted: int, simulated: int) -> Claim:
    """Say that all simulated new customers were counted; empty where they were not."""
    numbers, all_counted = (
        {"counted": counted, "simulated": simulated},
        "counted == simulated and simulated > 0",
    )
    return stated("{counted:,} new identifiers", all_counted, **numbers)


def features_named(drift: Drift, moved: list[str]) -> Claim:
    """Return the reason that names a feature which prices move, or all amounts, or no text."""
    changed = drift.features[drift.features["band"] != "stable"]["feature"]
    return _reason(drift, [*(name for name in changed if name in moved), GROWN])


def segment_named(drift: Drift, segment: int) -> Claim:
    """Return the reason that names the segment which customers left; empty where none does."""
    rows = drift.segments[(drift.segments["segment"] == segment) & (drift.segments["high"] < 0)]
    return _reason(drift, [f"The segment {name} shrank" for name in rows["name"]])


def _reason(drift: Drift, beginnings: list[str]) -> Claim:
    found = (r for text in beginnings for r in drift.reasons if r.startswith(text))
    return next(found, claim({}))


# --- two halves of one table: nothing has changed ------------------------------------------------

MOST = 20_000  # customers that take part, to limit the time


def drift_between_halves(
    customers: pd.DataFrame,
    features: pd.DataFrame,
    as_read: pd.DataFrame,
    dataset: Dataset,
    *,
    fills: dict[str, float],
    k: int,
    seed: int,
) -> Drift:
    """Fit segments on one half of the customers, and compare the other half with them.

    `fills` are what fills a gap in each column; `as_read` are columns as `build_model` takes them.
    A feature that is the same in the whole half takes no part.
    """
    order = np.random.default_rng(seed).permutation(len(customers))[:MOST]
    first, second = (customers.index[half] for half in np.array_split(order, 2))
    half = features.loc[first]
    preparation = fit_preparation(half, varying(half, dataset.features_with("segment")))
    matrix = preparation.transform(half).to_numpy()
    centres = fit_kmeans(matrix, k, n_init=2, seed=seed).centres
    entries: list[dict[str, Any]] = [
        {"segment": s, "name": f"segment {s}", "slug": f"segment-{s}"} for s in range(1, k + 1)
    ]
    training = (half, as_read.loc[first])
    model = build_model(dataset, fills, preparation, centres, entries, training)
    return compare_scored(model, Scorer(model).score(customers.loc[second]))
