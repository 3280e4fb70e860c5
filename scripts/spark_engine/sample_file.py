"""The sample on this machine: a table for the notebooks, and what its columns are."""

from __future__ import annotations

import io
from pathlib import Path

from customer_tables.description import describe_transactions
from customer_tables.errors import UserError
from customer_tables.storage import write_atomically
from segmentation.intake import name_of
from spark_engine.customers import Purchases, Summed


def check_sample_file(path: Path) -> None:
    """Check where the sample goes before the work begins.

    Raises
    ------
    UserError
        If it is a folder, lies in none, or would be no Parquet file.
    """
    wrong = {
        "it is a folder": path.is_dir(),
        "its folder does not exist": not path.parent.is_dir(),
        "it has to be a Parquet file": path.suffix.lower() != ".parquet",
    }
    reason = next((reason for reason, holds in wrong.items() if holds), None)
    if reason:
        raise UserError(
            f"the sample cannot be written: {reason}",
            where=f"--sample {path}",
            remedy="give a file such as sample.parquet in a folder that exists",
        )


def write_sample(path: Path, summed: Summed, purchases: Purchases) -> Path | None:
    """Write the sample; where the columns were recognised, also the dataset.toml beside it.

    Returns
    -------
    Path or None
        The dataset.toml.
    """
    table = summed.sample.table
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    try:
        write_atomically(path, buffer.getvalue())
        if purchases.source is not None:
            return None
        about = {"name": path.name, "format": "parquet", "rows": len(table)}
        toml = path.with_suffix(".toml")
        text = describe_transactions(table, summed.source, about, name_of(purchases.place))
        write_atomically(toml, text.encode())
    except OSError as error:
        raise UserError(
            f"the sample cannot be written: {error.strerror}",
            where=f"--sample {path}",
            remedy="choose another place",
        ) from None
    return toml
