"""Made-up runs to compare: as little as a run publishes, with segments planted by the caller."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from segmentation.palette import COLOURS, MARKERS

NAMES = ["Big spenders", "Bargain hunters", "Sleepers", "Newcomers", "Regulars"]
STEPS = [
    {"name": "spent", "transform": "log1p", "mean": 4.0, "deviation": 1.5, "power": None},
    {"name": "visits", "transform": "none", "mean": 10.0, "deviation": 4.0, "power": None},
]
CENTRES = [[2.0, 2.0], [-1.0, 1.0], [-2.0, -2.0], [2.0, -2.0], [0.0, 0.0]]


def labels(*sizes: int, start: int = 0) -> pd.Series:
    """Number customers and put the first ones into segment 1, the next into 2, and so on."""
    segments = np.repeat(np.arange(1, len(sizes) + 1), sizes)
    index = [f"customer-{start + i:05d}" for i in range(len(segments))]
    return pd.Series(segments, index=pd.Index(index, name="customer"), name="segment")


def write_run(
    folder: Path,
    segments: pd.Series,
    *,
    names: list[str] = NAMES,
    centres: list[list[float]] = CENTRES,
    steps: list[dict[str, Any]] = STEPS,
    table: str = "a" * 64,
    dataset: str = "shop",
    parameters: dict[str, Any] | None = None,
    metrics: dict[str, Any] | None = None,
    confidence: float | pd.Series = 0.5,
    **report: Any,
) -> Path:
    """Write the files of a run that a comparison reads."""
    sizes = segments.value_counts().sort_index()
    shares = [{"customers": int(n), "share": n / len(segments)} for n in sizes]
    cards = [
        {"segment": s, "name": names[s - 1], "colour": COLOURS[s - 1], "marker": MARKERS[s - 1]}
        | size
        | {"values": [{"label": "turnover", "share": size["share"], "mean": 100.0 * s}]}
        for s, size in enumerate(shares, start=1)
    ]
    content = {
        "title": "A shop",
        "noun": "client",
        "nouns": "clients",
        "generated": False,
        "quick": False,
        "customers": len(segments),
        "values": [{"label": "turnover", "unit": "€", "total": 1e6}],
        "segments": cards,
        "verdict": {"word": "reproducible", "sentence": "", "reasons": []},
    } | report
    features = [
        step | {"label": step["name"].capitalize(), "formula": step["name"]} for step in steps
    ]
    documents = {
        "metrics.json": metrics or {"clustering": {"k": len(sizes), "silhouette": 0.25}},
        "model.json": {
            "features": features,
            "preparation": {"steps": steps},
            "centres": centres[: len(sizes)],
            "segments": [{"segment": card["segment"]} for card in cards],
        },
        "stages/06_report.json": content,
    }
    (folder / "stages").mkdir(parents=True)
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document), encoding="utf-8")
    listed = pd.DataFrame({"segment": segments, "confidence": confidence})
    listed.to_csv(folder / "segments.csv", index_label="customer", lineterminator="\n")
    manifest = {
        "dataset": dataset,
        "started": "2026-11-21T08:35:44+0000",
        "inputs": [{"part": "table", "name": "clients.csv", "sha256": table}],
        "parameters": {"04": {"k": 0, "seed": 20, "dataset": dataset} | (parameters or {})},
        "stages": [{"number": "04", "current": True, "href": "notebooks/04_kmeans.html"}],
        "versions": {"numpy": "2.4.6"},
        "outputs": {
            name: {"sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
            for name in ("segments.csv", *documents)
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def two_runs(folder: Path) -> tuple[Path, Path]:
    """Write two runs on the same customers: some change segment, and one segment is new."""
    before, after = labels(90, 120, 150), labels(90, 120, 150)
    after.iloc[80:110], after.iloc[300:] = 3, 4
    first = write_run(folder / "first", before, quick=True, generated=True)
    return first, write_run(folder / "second", after, parameters={"k": 4}, generated=True)
