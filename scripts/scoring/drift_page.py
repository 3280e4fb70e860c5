"""The page and the tables about a period; the sentences come from `drift`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from customer_tables.errors import UserError
from customer_tables.storage import json_text
from customer_tables.text import points
from runner import pages
from runner.entry import writing
from runner.shapes import colour_rules, flow_bands, move_rows, stack, style_of
from segmentation.disclosure import MIN_GROUP_SIZE
from segmentation.drift import RULES, WORDS, Drift
from segmentation.migration import Migration, published_moves
from segmentation.palette import segment_style
from segmentation.presentation import safe_table

ELSEWHERE = "choose another folder with --drift"
PAGE, RECORD = "index.html", "drift.json"
NAMES = (PAGE, RECORD, "features.csv", "segments.csv", "moves.csv")


def drift_files(
    model: dict[str, Any],
    drift: Drift,
    migration: Migration | None,
    source: str,
    min_group_size: int = MIN_GROUP_SIZE,
) -> dict[str, str]:
    """Return the texts of the page, of its record and of its tables, by file name."""
    tables = {"features": drift.features, "segments": drift.segments}
    moved: dict[str, Any] = {}
    styles = [
        style_of(entry | segment_style(entry["segment"])._asdict()) for entry in model["segments"]
    ]
    if migration:
        counts = published_moves(migration.moves, min_group_size)
        tables["moves"] = counts.astype("Int64").reset_index()
        moved = {
            "moves": move_rows(counts, migration.moves.sum(axis=1), {(n, n) for n in counts}),
            "flow": _flow(styles, migration, counts),
            "some_suppressed": bool(counts.isna().any(axis=None)),
        }
    page = pages.render(
        "drift.html.j2",
        extra_css="\n".join([pages.stylesheet("comparison.css"), colour_rules(styles)]),
        model=model,
        drift=drift,
        migration=migration,
        headline=WORDS[drift.verdict],
        rules=RULES,
        features=drift.features.to_dict("records"),
        segments=drift.segments.to_dict("records"),
        **moved,
        min_group_size=min_group_size,
        styles=styles,
        source=source,
        then=model["reference"]["customers"],
        points=lambda change: points(change, signed=True),
    )
    files = {
        f"{name}.csv": safe_table(table).to_csv(index=False, lineterminator="\n")
        for name, table in tables.items()
    }
    return files | {RECORD: json_text(_record(drift, migration)), PAGE: page}


def _record(drift: Drift, migration: Migration | None) -> dict[str, Any]:
    """Return the numbers of the page by name, for schedulers."""
    record = {
        "verdict": drift.verdict,
        "reasons": drift.reasons,
        "customers": drift.customers,
        "psi": dict(zip(drift.features["feature"], drift.features["psi"], strict=True)),
        "segment_change": dict(zip(drift.segments["name"], drift.segments["change"], strict=True)),
        "outliers": drift.outliers,
        "units": drift.units,
        "amounts": drift.shift.ratio if drift.shift else None,
    }
    if migration:
        record |= {"moved": migration.moved, "gone": migration.gone, "new": migration.new}
    return record


def _flow(
    styles: list[dict[str, Any]], migration: Migration, published: pd.DataFrame
) -> dict[str, Any]:
    """Lay the segments before and now end to end, with bands for those who are in both lists."""
    counts = migration.moves.to_numpy(float)
    above, below = (stack(styles, list(counts.sum(axis=n) / counts.sum())) for n in (1, 0))
    shown = published.fillna(0).to_numpy(copy=True)
    # Stays that are suppressed get the room that what is published leaves them, which gives
    # nothing away.
    room = np.minimum(*((counts - shown).sum(axis=axis) for axis in (1, 0)))
    places = np.flatnonzero(np.isnan(published.to_numpy().diagonal()))
    shown[places, places] = room[places]
    stayed = {(place, place) for place in range(len(styles))}
    bands = flow_bands(shown, above, below, stayed, total=counts.sum())
    return {"above": above, "below": below, "bands": bands}


def check_folder(folder: Path, output: Path) -> None:
    """Refuse a folder that cannot take the page, or holds other files of these names.

    `output` is the list that is written in the same run.
    """
    if output.name in NAMES and output.resolve().parent == folder.resolve():
        raise UserError(
            f"--output and a file of --drift are the same, {output.name}",
            where=str(output),
            remedy="give another name to the output, or another folder",
        )
    with writing("the drift page", folder, ELSEWHERE):
        taken = [name for name in NAMES if folder.exists() and (folder / name).exists()]
        if folder.exists():
            os.scandir(folder).close()
    if taken and RECORD not in taken:
        raise UserError(
            f"the folder holds other files ({', '.join(taken)})",
            where=f"--drift {folder}",
            remedy="choose a new or empty folder, or that of an earlier drift page",
        )


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write all files or none, and remove those of an earlier page that are not written now."""
    with writing("the drift page", folder, ELSEWHERE):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".", suffix=".partial", dir=folder) as partial:
            for name, text in files.items():
                Path(partial, name).write_text(text, encoding="utf-8", newline="\n")
            for name in NAMES:
                if name in files:
                    os.replace(Path(partial, name), folder / name)
                else:
                    (folder / name).unlink(missing_ok=True)
