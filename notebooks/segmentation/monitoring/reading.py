"""A later period from a file, read as the training table was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from customer_tables.errors import UserError
from customer_tables.table import read_table
from segmentation.dataset import SUMMED_UP, Dataset, match_columns
from segmentation.intake import text_columns
from segmentation.model import dataset_of
from segmentation.monitoring.period import Period
from segmentation.monitoring.units import changed_units, unit_problem
from segmentation.scoring import Scored, score_customers
from segmentation.transactions import recognise


def read_period(model: dict[str, Any], path: Path) -> Scored:
    """Read the customers of a later period, one row each, and score them.

    Raises
    ------
    UserError
        If the file is refused, is another dataset's, or has columns in another unit.
    """
    dataset = dataset_of(model)
    if path.is_dir() or not path.exists():
        raise UserError(
            f"there is no file {path.name!r}", where=str(path)[:300], remedy="check next_period"
        )
    table = read_table(path, text_columns=text_columns(dataset)).numbered
    check_columns(model, table, dataset, path)
    scored = score_customers(model, table)
    period = Period(model)
    period.add(scored)
    if units := changed_units(model, period):
        raise UserError(
            unit_problem(units),
            where=str(path)[:300],
            remedy="bring the columns to the unit of the training table",
        )
    return scored


def check_columns(
    model: dict[str, Any], table: pd.DataFrame, dataset: Dataset, source: Path
) -> None:
    """Say that a table is another one where half of what the model needs is missing.

    Raises
    ------
    UserError
    """
    found = set(match_columns(table.columns, dataset).values())
    needed = [c.name for c in dataset.columns if c.required and c.kind != "id"]
    missing = [name for name in needed if name not in found]
    if len(missing) * 2 >= len(needed) and set(SUMMED_UP) <= {c.name for c in dataset.columns}:
        _refuse_lines(model, table, source)
    if len(missing) * 2 >= len(needed):
        raise UserError(
            f"the model is of {model['title']!r}, and the table has {len(needed) - len(missing)} "
            f"of the {len(needed)} columns that it needs",
            where=f"{source}; missing: {', '.join(missing)[:200]}",
            remedy="give the model that was fitted on such a table, or a table of that kind",
        )


def _refuse_lines(model: dict[str, Any], table: pd.DataFrame, source: Path) -> None:
    """Say how lines of purchases become customers, where a table holds such lines."""
    lines = recognise(table.columns)
    if lines is None:
        return
    raise UserError(
        f"the table holds lines of purchases, and the model needs one row for each {model['noun']}",
        where=f"{source}; columns {lines.customer!r} and {lines.time!r}",
        remedy=f"sum them up first with run.py --dataset {model['dataset']} --input FILE --only 01 "
        "--results FOLDER, then give FOLDER/stages/01_customers.parquet",
    )
