"""The start page of a run: who the customers are, what they are worth, what to do, how sure we are.

Notebook 06 writes ``stages/06_report.json`` and later ones their findings, in plain text and raw
numbers. This module turns the numbers into words and lengths of bars, and a template lays them out;
nothing is decided here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner import pages
from runner.shapes import colour_rules, stack, style_of

# Verdicts from the weakest to the strongest.
VERDICTS = ("not reproducible", "constructed", "reproducible", "natural")


# --- what the template shows -------------------------------------------------------------------


def _trait_scales(segments: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """Find the range of each trait over all cards: a bar means the same length on each of them."""
    scales: dict[str, tuple[float, float]] = {}
    for segment in segments:
        for trait in segment["traits"]:
            values = [trait["segment"], trait["overall"], trait.get("q1"), trait.get("q3")]
            values = [float(value) for value in values if value is not None]
            low, high = scales.get(trait["label"], (0.0, 0.0))
            scales[trait["label"]] = min(low, *values), max(high, *values)
    return scales


def _is_sign(unit: str) -> bool:
    return unit in (*pages.CURRENCY_SIGNS, "year") or unit.lower().startswith("share")


def _trait(trait: Mapping[str, Any], scale: tuple[float, float]) -> dict[str, Any]:
    low, high = scale
    span = 1.01 * (high - low) or 1.0  # a mark at the end keeps its full width

    def place(value: float) -> float:
        return round(100 * (value - low) / span, 2)

    value, overall = float(trait["segment"]), float(trait["overall"])
    unit = trait.get("unit") or ("share" if trait.get("kind") == "share" else "")
    start, end = sorted((place(0.0), place(value)))
    quartiles = None
    if trait.get("q1") is not None and trait.get("q3") is not None:
        quartiles = (place(float(trait["q1"])), place(float(trait["q3"])))
    return {
        "label": trait["label"],
        "value": pages.quantity(value, unit),
        # A unit in words is said once; a sign or a percentage belongs to the number.
        "average": pages.quantity(overall, unit if _is_sign(unit) else ""),
        "bar": (start, round(end - start, 2)),
        "tick": place(overall),
        "zero": place(0.0) if low < 0 else None,
        "quartiles": quartiles,
    }


def _mosaic(segments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Lay two bars of equal length under each other, customers over value, with bands between.

    Where no column measures a customer's value there is only the upper one.
    """
    styles = [style_of(segment) for segment in segments]
    above = stack(styles, [float(s["share"]) for s in segments])
    if all(s["value_share"] is None for s in segments):
        return {"customers": above, "value": [], "bands": []}
    # A segment that is too small to be described is counted in with another one.
    below = stack(styles, [max(0.0, float(s["value_share"] or 0)) for s in segments])
    bands = []
    for top, bottom in zip(above, below, strict=True):
        corners = (
            (top["x"], 0),
            (top["x"] + top["width"], 0),
            (bottom["x"] + bottom["width"], 10),
            (bottom["x"], 10),
        )
        points = " ".join(f"{x:.3f},{y}" for x, y in corners)
        bands.append({"number": top["number"], "points": points})
    return {"customers": above, "value": below, "bands": bands}


def _times(ratio: float) -> str:
    """Compare a segment's value per customer with the average of all."""
    if ratio < 0.95:
        return f"{pages.percent(max(0.0, ratio))} of the"
    if ratio <= 1.05:
        return "about the"
    return f"{ratio:.0f} times the" if ratio >= 10 else f"{ratio:.1f} times the"


def _range(segment: Mapping[str, Any]) -> str:
    """Write the range of a segment's share of value over resamples, where it is known."""
    low, high = segment.get("value_share_low"), segment.get("value_share_high")
    if low is None or high is None:
        return ""
    return f"{pages.percent(float(low))} to {pages.percent(float(high))}"


def _typical(segment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Order the facts about the typical customer: what sets the segment apart comes first."""
    telling = [trait["label"] for trait in segment["traits"]]
    facts = segment.get("typical") or []
    return sorted(
        facts,
        key=lambda fact: telling.index(fact["label"]) if fact["label"] in telling else len(telling),
    )


def _segment(
    segment: Mapping[str, Any],
    scales: Mapping[str, tuple[float, float]],
    report: Mapping[str, Any],
) -> dict[str, Any]:
    unit = report["value"].get("unit") or ""
    mean, median = segment["value_mean"], segment["value_median"]
    overall_mean = float(report["value"]["total"]) / max(1, int(report["customers"]))
    ratio = float(mean) / overall_mean if overall_mean and mean is not None else None
    campaign = str(segment.get("campaign") or "")
    return {
        **segment,
        **style_of(segment),
        "anchor": f"segment-{int(segment['segment'])}",
        "times": _times(ratio) if ratio is not None else None,
        "value_mean_text": "" if mean is None else pages.quantity(float(mean), unit),
        "value_median_text": "" if median is None else pages.quantity(float(median), unit),
        "traits": [_trait(trait, scales[trait["label"]]) for trait in segment["traits"]],
        "summary": str(segment.get("summary") or "").rstrip("."),
        "value_range": _range(segment),
        "typical": _typical(segment),
        "stability": segment.get("stability"),
        # Only a file of this run; anything else is not offered.
        "campaign": campaign if re.fullmatch(r"campaigns/[\w.-]+\.csv", campaign) else "",
    }


_LONG_WORD = re.compile(r"\S{121,}")  # nothing that is read, and wider than any screen


def _legible(value: Any) -> Any:
    """Make all texts legible, and shorten endless words."""
    if isinstance(value, str):
        return _LONG_WORD.sub(lambda word: f"{word.group()[:119]}…", pages.legible(value))
    if isinstance(value, Mapping):
        return {_legible(key): _legible(entry) for key, entry in value.items()}
    return [_legible(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def _read_json(path: Path) -> dict[str, Any]:
    return _legible(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _figure(results: Path, file: object, alt: str = "") -> dict[str, Any] | None:
    """Read one figure of the run with what its notebook says about it; None where it is missing."""
    name = str(file or "")
    path = results / name
    if not re.fullmatch(r"figures/[\w.-]+\.png", name) or not path.is_file():
        return None
    about = _read_json(path.with_suffix(".json"))
    size = pages.png_size(path.read_bytes())
    return {
        "href": name,
        "uri": pages.data_uri(path),
        "alt": alt or about.get("alt") or about.get("caption") or about.get("title") or name,
        "caption": about.get("caption") or "",
        "title": about.get("title") or "",
        "size": size,
    }


def _inputs(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": pages.portable(str(entry.get("name", ""))),
            "part": str(entry.get("part") or ""),
            "rows": entry.get("rows"),
            "sha256": entry.get("sha256") or "",
        }
        for entry in run.get("inputs") or ()
    ]


def _settings(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the run's parameters: once what all notebooks share, else with the notebook's number."""
    parameters = run.get("parameters") or {}
    by_name: dict[str, dict[str, str]] = {}
    for stage, values in parameters.items():
        if not isinstance(values, Mapping):
            by_name[str(stage)] = {"": pages.setting(values)}
            continue
        for name, value in values.items():
            by_name.setdefault(str(name), {})[str(stage)] = pages.setting(value)
    lines = []
    for name, values in by_name.items():
        if len(values) > 1 and len(set(values.values())) == 1:
            values = {"": next(iter(values.values()))}
        lines += [(f"{name} ({stage})" if stage else name, text) for stage, text in values.items()]
    return lines


def _seconds(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List how long the run took, in all and by notebook."""
    seconds = run.get("seconds") or {
        f"{stage.get('number', '')} {stage.get('title', '')}".strip(): stage.get("seconds")
        for stage in run.get("stages") or ()
    }
    known = {
        str(name): float(value)
        for name, value in seconds.items()
        if isinstance(value, (int, float))
    }
    if known and not run.get("seconds"):
        known = {"all notebooks": sum(known.values()), **known}
    return [(name, pages.duration(value)) for name, value in known.items()]


def _platform(run: Mapping[str, Any]) -> str:
    platform = run.get("platform") or {}
    return " ".join(str(platform[name]) for name in ("system", "machine") if platform.get(name))


def _report(results: Path) -> dict[str, Any]:
    """Return what notebook 06 says, with the evidence that notebooks 07 and 08 add if they ran."""
    report = _read_json(results / "stages" / "06_report.json")
    for path in sorted((results / "stages").glob("*_findings.json")):
        report["verdict"]["reasons"] += _read_json(path)["reasons"]
    return report


def render_index(results: Path, *, run: Mapping[str, Any]) -> Path:
    """Write the start page of a run.

    Parameters
    ----------
    results : pathlib.Path
        The run's folder, with ``stages/06_report.json`` and ``figures/``.
    run : mapping
        Where the report comes from, as in manifest.json: ``parameters`` (by notebook),
        ``started``, ``versions``, ``inputs`` (``{"name", "sha256"}`` each, and ``part`` or
        ``rows`` where known), ``git``, ``platform`` and ``stages`` (``{"number", "title",
        "href", "seconds", "current"}`` each).

    Returns
    -------
    pathlib.Path
        ``index.html`` in that folder: one file that needs nothing else to be read.
    """
    report, run = _report(results), _legible(run)
    segments = report["segments"]
    scales = _trait_scales(segments)
    decision = report["decision"]
    drawn_here = {"shares", "decision"}
    figures = [
        figure
        for name, file in (report.get("figures") or {}).items()
        if name not in drawn_here and (figure := _figure(results, file)) is not None
    ]
    importance = report.get("importance") or []
    largest = max((float(entry["value"]) for entry in importance), default=0.0) or 1.0
    verdict = report["verdict"]
    html = pages.render(
        "index.html.j2",
        extra_css=colour_rules(map(style_of, segments)),
        lang=report.get("lang", "en"),
        report=report,
        value=report["value"] if report["value"]["label"] else None,
        segments=[_segment(segment, scales, report) for segment in segments],
        mosaic=_mosaic(segments),
        has_quartiles=any(
            trait.get("q1") is not None for segment in segments for trait in segment["traits"]
        ),
        verdicts=[(word, word == verdict["word"]) for word in VERDICTS],
        decision_figure=_figure(results, decision.get("figure"), decision.get("alt") or ""),
        figures=figures,
        importance=[
            {"label": entry["label"], "width": round(100 * float(entry["value"]) / largest, 2),
             "value": float(entry["value"])}
            for entry in importance
        ],
        descriptors=report.get("descriptors") or [],
        control=report.get("control"),
        glossary=pages.glossary(),
        stages=list(run.get("stages") or ()),
        inputs=_inputs(run),
        git=pages.commit(run.get("git")),
        settings=_settings(run),
        seconds=_seconds(run),
        started=pages.moment(run.get("started")),
        platform=_platform(run),
        stale=[str(s["number"]) for s in run.get("stages") or () if not s.get("current", True)],
        versions=run.get("versions") or {},
    )  # fmt: skip
    path = results / "index.html"
    pages.write(path, html)
    return path
