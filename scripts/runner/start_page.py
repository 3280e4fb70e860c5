"""The start page of a run: who the customers are, what they are worth, what to do, how sure we are.

Notebook 06 writes ``stages/06_report.json`` in plain text and raw numbers. This module turns
the numbers into words and lengths of bars, and a template lays them out; nothing is decided here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from customer_tables.text import CURRENCY_SIGNS, YEAR
from runner import pages
from runner.shapes import colour_rules, stack, style_of

VERDICTS = ("constructed", "reproducible", "natural")  # from the weakest to the strongest


def render_index(results: Path, *, run: Mapping[str, Any]) -> Path:
    """Write the start page of a run.

    Parameters
    ----------
    results : pathlib.Path
        The run's folder, with ``stages/06_report.json`` and ``figures/``.
    run : mapping
        Where the report comes from, as in manifest.json: ``parameters`` (by notebook),
        ``started``, ``versions``, ``inputs`` (``{"part", "name", "sha256"}`` each), ``git``,
        ``platform`` and ``stages`` (``{"number", "title", "href", "seconds", "current"}`` each).

    Returns
    -------
    pathlib.Path
        ``index.html`` in that folder: one file that needs nothing else to be read.
    """
    report = _report(results)
    segments, stages = report["segments"], run.get("stages") or ()
    scales = _trait_scales(segments)
    importance = report.get("importance") or []
    largest = max((entry["value"] for entry in importance), default=0) or 1
    platform = run.get("platform") or {}
    html = pages.render(
        "index.html.j2",
        extra_css=colour_rules(map(style_of, segments)),
        lang=report.get("lang", "en"),
        report=report,
        value=report["value"] if report["value"]["label"] else None,
        segments=[_segment(segment, scales, report) for segment in segments],
        mosaic=_mosaic(segments),
        verdicts=[(word, word == report["verdict"]["word"]) for word in VERDICTS],
        decision_figure=_figure(results, report["decision"]),
        importance=[entry | {"width": entry["value"] / largest} for entry in importance],
        descriptors=report.get("descriptors") or [],
        control=report.get("control"),
        glossary=pages.glossary(),
        stages=stages,
        inputs=run.get("inputs") or (),
        git=pages.commit(run.get("git")),
        settings=_settings(run.get("parameters") or {}),
        seconds=_seconds(stages),
        started=pages.moment(run.get("started")),
        platform=" ".join(platform[name] for name in ("system", "machine") if platform.get(name)),
        stale=[stage["number"] for stage in stages if not stage["current"]],
        versions=run.get("versions") or {},
    )
    path = results / "index.html"
    pages.write(path, html)
    return path


def _report(results: Path) -> dict[str, Any]:
    """Return what notebook 06 says, with the evidence that notebooks 07 and 08 add if they ran."""
    report = json.loads((results / "stages" / "06_report.json").read_text(encoding="utf-8"))
    for path in sorted((results / "stages").glob("*_findings.json")):
        report["verdict"]["reasons"] += json.loads(path.read_text(encoding="utf-8"))["reasons"]
    return report


# --- the segments ------------------------------------------------------------------------------


def _segment(
    segment: Mapping[str, Any],
    scales: Mapping[str, tuple[float, float]],
    report: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what the table and the card of a segment show."""
    unit = report["value"].get("unit") or ""
    mean, median = segment["value_mean"], segment["value_median"]
    low, high = segment.get("value_share_low"), segment.get("value_share_high")
    overall_mean = report["value"]["total"] / max(1, report["customers"])
    known = mean is not None
    campaign = str(segment.get("campaign") or "")
    return {
        **segment,
        **style_of(segment),
        "times": _times(mean / overall_mean) if known and overall_mean else None,
        "value_mean_text": pages.quantity(mean, unit) if known else "",
        "value_median_text": pages.quantity(median, unit) if median is not None else "",
        "value_range": ""
        if None in (low, high)
        else f"{pages.percent(low)} to {pages.percent(high)}",
        "traits": [_trait(trait, scales[trait["label"]]) for trait in segment["traits"]],
        "summary": str(segment.get("summary") or "").rstrip("."),
        "typical": _typical(segment),
        # Only a file of this run; anything else is not offered.
        "campaign": campaign if re.fullmatch(r"campaigns/[\w.-]+\.csv", campaign) else "",
    }


def _times(ratio: float) -> str:
    """Compare a segment's value per customer with the average of all."""
    if ratio < 0.95:
        return f"{pages.percent(max(0.0, ratio))} of the"
    if ratio <= 1.05:
        return "about the"
    return f"{ratio:.0f} times the" if ratio >= 10 else f"{ratio:.1f} times the"


def _typical(segment: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Order the facts about the typical customer: what sets the segment apart comes first."""
    telling = [trait["label"] for trait in segment["traits"]]
    facts = segment.get("typical") or []
    return sorted(
        facts,
        key=lambda fact: telling.index(fact["label"]) if fact["label"] in telling else len(telling),
    )


def _trait_scales(segments: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """Find the range of each trait over all cards: a bar means the same length on each of them."""
    scales: dict[str, tuple[float, float]] = {}
    for segment in segments:
        for trait in segment["traits"]:
            values = trait["segment"], trait["overall"]
            low, high = scales.get(trait["label"], (0.0, 0.0))
            scales[trait["label"]] = min(low, *values), max(high, *values)
    return scales


def _is_sign(unit: str) -> bool:
    return unit in (*CURRENCY_SIGNS, YEAR) or unit.lower().startswith("share")


def _trait(trait: Mapping[str, Any], scale: tuple[float, float]) -> dict[str, Any]:
    low, high = scale
    span = 1.01 * (high - low) or 1.0  # a mark at the end keeps its full width

    def place(value: float) -> float:
        return round(100 * (value - low) / span, 2)

    value, overall = trait["segment"], trait["overall"]
    unit = trait.get("unit") or ("share" if trait.get("kind") == "share" else "")
    start, end = sorted((place(0.0), place(value)))
    return {
        "label": trait["label"],
        "value": pages.quantity(value, unit),
        # A unit in words is said once; a sign or a percentage belongs to the number.
        "average": pages.quantity(overall, unit if _is_sign(unit) else ""),
        "bar": (start, round(end - start, 2)),
        "tick": place(overall),
        "zero": place(0.0) if low < 0 else None,
    }


def _mosaic(segments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Lay two bars of equal length under each other, customers over value, with bands between.

    Where no column measures a customer's value there is only the upper one.
    """
    styles = [style_of(segment) for segment in segments]
    above = stack(styles, [s["share"] for s in segments])
    if all(s["value_share"] is None for s in segments):
        return {"customers": above, "value": [], "bands": []}
    # A segment that is too small to be described is counted in with another one.
    below = stack(styles, [max(0.0, s["value_share"] or 0) for s in segments])
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


def _figure(results: Path, decision: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read the figure of the decision with what its notebook says about it; None where missing."""
    name = str(decision.get("figure") or "")
    path = results / name
    if not re.fullmatch(r"figures/[\w.-]+\.png", name) or not path.is_file():
        return None
    about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return {
        "href": name,
        "uri": pages.data_uri(path),
        "alt": decision.get("alt") or about["alt"] or name,
        "caption": about.get("caption"),
        "size": pages.png_size(path.read_bytes()),
    }


# --- where it comes from -----------------------------------------------------------------------


def _settings(parameters: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """List the run's parameters: once what all notebooks share, else with the notebook's number."""
    by_name: dict[str, dict[str, str]] = {}
    for stage, values in parameters.items():
        for name, value in values.items():
            by_name.setdefault(name, {})[stage] = pages.setting(value)
    lines = []
    for name, values in by_name.items():
        texts = list(values.values())
        if len(texts) > 1 and len(set(texts)) == 1:
            lines.append((name, texts[0]))
        else:
            lines += [(f"{name} ({stage})", text) for stage, text in values.items()]
    return lines


def _seconds(stages: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """List how long the run took, in all and by notebook."""
    known = {f"{stage['number']} {stage['title']}": stage["seconds"] for stage in stages}
    if known:
        known = {"all notebooks": sum(known.values()), **known}
    return [(name, pages.duration(seconds)) for name, seconds in known.items()]
