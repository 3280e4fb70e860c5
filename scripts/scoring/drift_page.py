"""The page and the tables about a period; what they say is decided in `drift`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from runner import pages
from runner.errors import UserError
from runner.shapes import colour_rules, flow_bands, marker_of, stack
from segmentation.monitoring.drift import WORDS, Drift
from segmentation.monitoring.migration import Migration
from segmentation.palette import look
from segmentation.plain import to_plain
from segmentation.presentation import safe_table


def write_drift(
    folder: Path, model: dict[str, Any], drift: Drift, migration: Migration | None, source: str
) -> Path:
    """Write index.html, drift.json and the tables into a folder, and return the page.

    Raises
    ------
    UserError
        If nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in _tables(drift, migration).items():
            safe_table(table).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
        text = json.dumps(_record(drift, migration), indent=1, ensure_ascii=False, allow_nan=False)
        (folder / "drift.json").write_text(text + "\n", encoding="utf-8", newline="\n")
        inks = _inks(model)
        page = pages.render(
            "drift.html.j2",
            extra_css="\n".join([_stylesheet(), colour_rules(inks)]),
            model=model,
            drift=drift,
            migration=migration,
            headline=WORDS[drift.verdict],
            features=drift.features.to_dict("records"),
            segments=drift.segments.to_dict("records"),
            moves=_moves(migration) if migration else [],
            marks=[ink | {"marker": marker_of(ink)} for ink in inks],
            flow=_flow(model, migration) if migration else None,
            source=source,
            then=model["reference"]["customers"],
            points=_points,
        )
        pages.write(folder / "index.html", page)
    except OSError as error:
        raise UserError(
            f"the drift page cannot be written: {error.strerror or error}",
            where=str(folder),
            remedy="choose another folder with --drift",
        ) from None
    return folder / "index.html"


def _tables(drift: Drift, migration: Migration | None) -> dict[str, pd.DataFrame]:
    tables = {"features": drift.features, "segments": drift.segments}
    if migration:
        tables["moves"] = migration.moves.reset_index()
    return tables


def _record(drift: Drift, migration: Migration | None) -> dict[str, Any]:
    """Return the numbers of the page by name, for schedulers."""
    record = {
        "verdict": drift.verdict,
        "reasons": drift.reasons,
        "customers": drift.customers,
        "psi": dict(zip(drift.features["feature"], drift.features["psi"], strict=True)),
        "segment_change": dict(zip(drift.segments["name"], drift.segments["change"], strict=True)),
        "strangers": list(drift.strangers),
        "units": {unit.column: unit.factor for unit in drift.units},
    }
    if migration:
        record |= {"moved": migration.moved, "gone": migration.gone, "new": migration.new}
    return to_plain(record)


def _moves(migration: Migration) -> list[dict[str, Any]]:
    """Return the matrix row by row, as counts and shares of the row."""
    totals = migration.moves.sum(axis=1)
    return [
        {
            "name": name,
            "total": int(totals[name]),
            "cells": [
                {
                    "count": int(n),
                    "share": n / max(totals[name], 1),
                    "stayed": column == name,
                    "name": column,
                }
                for column, n in row.items()
            ],
        }
        for name, row in migration.moves.iterrows()
    ]


def _inks(model: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each segment's number, name and look, as the notebooks draw it."""
    inks = []
    for entry in model["segments"]:
        colour, marker = look(entry["segment"])
        ink = {"segment": entry["segment"], "number": entry["segment"], "name": entry["name"]}
        inks.append(ink | {"colour": colour, "marker": marker})
    return inks


def _flow(model: dict[str, Any], migration: Migration) -> dict[str, Any]:
    """Lay the segments before and now end to end, with bands for those who are in both lists."""
    inks, counts = _inks(model), migration.moves.to_numpy(float)
    above, below = (stack(inks, list(counts.sum(axis=axis))) for axis in (1, 0))
    for parts, totals in ((above, counts.sum(axis=1)), (below, counts.sum(axis=0))):
        for part, total in zip(parts, totals, strict=True):
            part["text"] = pages.percent(total / counts.sum())
    stayed = {(place, place) for place in range(len(inks))}
    return {"above": above, "below": below, "bands": flow_bands(counts, above, below, stayed)}


def _stylesheet() -> str:
    """Return the rules for bands, which the page that compares two runs has, too."""
    return (pages.TEMPLATES / "comparison.css").read_text(encoding="utf-8").strip()


def _points(share: float) -> str:
    """Write a change of a share in percentage points."""
    return f"{100 * share:+.1f}".replace("-", "−")
