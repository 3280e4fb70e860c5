"""Made-up runs to compare: as little as a run publishes, with segments planted by the caller."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sample_run import HOSTILE

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000"]
MARKERS = ["o", "s", "^", "D", "v"]
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
    names: list[str] | None = None,
    centres: list[list[float]] | None = None,
    steps: list[dict[str, Any]] | None = None,
    table: str = "a" * 64,
    dataset: str = "shop",
    parameters: dict[str, Any] | None = None,
    metrics: dict[str, Any] | None = None,
    confidence: float | pd.Series = 0.5,
    **report: Any,
) -> Path:
    """Write the files of a run that a comparison reads."""
    steps = steps or STEPS
    k = int(segments.max())
    names = (names or NAMES)[:k]
    shares = segments.value_counts(normalize=True).sort_index()
    cards = [
        {
            "segment": s,
            "name": names[s - 1],
            "slug": f"s{s}",
            "colour": COLOURS[s - 1],
            "marker": MARKERS[s - 1],
            "customers": int((segments == s).sum()),
            "share": float(shares[s]),
            "value_share": float(shares[s]),
            "value_mean": 100.0 * s,
        }
        for s in range(1, k + 1)
    ]
    content = {
        "title": "A shop",
        "noun": "client",
        "nouns": "clients",
        "generated": False,
        "quick": False,
        "k_set_by_hand": False,
        "customers": len(segments),
        "value": {"label": "turnover", "unit": "€", "total": 1e6},
        "segments": cards,
        "verdict": {"word": "reproducible", "sentence": "", "reasons": []},
        "changes": [],
    } | report
    features = [
        {
            "name": step["name"],
            "label": step["name"].capitalize(),
            "formula": step["name"],
            "transform": step["transform"],
            "kind": "number",
            "unit": "",
        }
        for step in steps
    ]
    model = {
        "dataset": dataset,
        "features": features,
        "preparation": {"steps": steps},
        "centres": (centres or CENTRES)[:k],
        "segments": [{"segment": card["segment"], "name": card["name"]} for card in cards],
    }
    (folder / "stages").mkdir(parents=True)
    table_of = pd.DataFrame(
        {
            "segment": segments,
            "segment_name": segments.map(dict(enumerate(names, start=1))),
            "confidence": confidence,
            "distance": 1.0,
        }
    )
    table_of.to_csv(folder / "segments.csv", index_label="customer", lineterminator="\n")
    documents = {
        "metrics.json": metrics or {"clustering": {"k": k, "silhouette": 0.25}},
        "model.json": model,
        "stages/06_report.json": content,
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document), encoding="utf-8")
    manifest = {
        "schema": 1,
        "dataset": dataset,
        "started": "2026-11-21T08:35:44+0000",
        "inputs": [{"part": "table", "name": "clients.csv", "sha256": table}],
        "parameters": {"04": {"k": 0, "seed": 20, "dataset": dataset} | (parameters or {})},
        "stages": [{"number": "04", "current": True}],
        "versions": {"numpy": "2.4.6"},
        "git": {"commit": "c" * 40, "dirty": False},
        "outputs": {
            name: {"sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
            for name in ("segments.csv", *documents)
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def two_runs(folder: Path, hostile: bool = False) -> tuple[Path, Path]:
    """Write two runs on the same customers: some change segment, and one segment is new."""
    before, after = labels(90, 120, 150), labels(90, 120, 150)
    after.iloc[80:110], after.iloc[300:] = 3, 4
    more: dict[str, Any] = {"generated": True}
    if hostile:
        more |= {"names": [f"{NAMES[0]} {HOSTILE[0]}", *HOSTILE[1:3], HOSTILE[5]]}
        more |= {"title": HOSTILE[0], "nouns": HOSTILE[3], "noun": HOSTILE[4]}
        more |= {"metrics": {"clustering": {HOSTILE[0]: 1.0}}}
    first = write_run(folder / "first", before, quick=True, **more)
    more.pop("metrics", None)
    return first, write_run(folder / "second", after, parameters={"k": 4}, **more)
