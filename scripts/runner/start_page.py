"""The start page of a run: who the customers are, what they are worth, what to do, how sure we are.

Notebook 06 writes ``stages/06_report.json`` in plain text and raw numbers. This module turns
the numbers into words and lengths of bars, and a template lays them out; nothing is decided here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from customer_tables.text import CURRENCY_SIGNS, YEAR
from runner import pages
from runner.shapes import colour_rules, flow_bands, stack, style_of

VERDICTS = ("constructed", "reproducible", "natural")  # from the weakest to the strongest


def render_index(results: Path, *, run: Mapping[str, Any]) -> Path:
    """Write the start page of a run, ``index.html``, one file that needs nothing else to be read.

    Parameters
    ----------
    results : pathlib.Path
        The run's folder, with ``stages/06_report.json`` and ``figures/``.
    run : mapping
        Where the report comes from, as in manifest.json.
    """
    report = json.loads((results / "stages" / "06_report.json").read_text(encoding="utf-8"))
    # Notebooks 07 and 08 add evidence if they ran.
    for path in sorted((results / "stages").glob("*_findings.json")):
        report["verdict"]["reasons"] += json.loads(path.read_text(encoding="utf-8"))["reasons"]
    prediction = _prediction(results)
    segments, stages = report["segments"], run.get("stages") or ()
    seconds = {f"{stage['number']} {stage['title']}": stage["seconds"] for stage in stages}
    platform = run.get("platform") or {}
    html = pages.render(
        "index.html.j2",
        extra_css=colour_rules(map(style_of, segments)),
        lang=report.get("lang", "en"),
        report=report,
        segments=[_segment(segment, report) for segment in segments],
        mosaic=_mosaic(segments),
        verdicts=VERDICTS,
        decision_figure=_figure(results, report["decision"]),
        prediction=prediction.get("sentences"),
        prediction_figure=_figure(results, prediction),
        importance=report.get("importance") or [],
        descriptors=report.get("descriptors") or [],
        control=report.get("control"),
        glossary=pages.glossary(),
        stages=stages,
        inputs=run.get("inputs") or (),
        git=pages.commit(run.get("git")),
        settings=_settings(run.get("parameters") or {}),
        seconds=seconds and {"all notebooks": sum(seconds.values()), **seconds},
        started=run.get("started"),
        platform=" ".join(platform[name] for name in ("system", "machine") if platform.get(name)),
        stale=[stage["number"] for stage in stages if not stage["current"]],
        versions=run.get("versions") or {},
    )
    path = results / "index.html"
    pages.write(path, html)
    return path


def _segment(segment: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the table and the card of a segment show."""
    averages = [value["total"] / max(1, report["customers"]) for value in report["values"]]
    campaign = str(segment.get("campaign") or "")
    # What sets the segment apart comes first.
    telling = [trait["label"] for trait in segment["traits"]]
    ranks = {label: place for place, label in enumerate(telling)}
    return {
        **segment,
        **style_of(segment),
        "values": [
            value | {"times": _times(value["mean"] / average) if value["mean"] and average else ""}
            for value, average in zip(segment["values"], averages, strict=True)
        ],
        "traits": [_trait(trait, report["segments"]) for trait in segment["traits"]],
        "summary": str(segment.get("summary") or "").rstrip("."),
        "typical": sorted(
            segment.get("typical") or [], key=lambda fact: ranks.get(fact["label"], len(ranks))
        ),
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


def _trait(trait: Mapping[str, Any], segments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a bar of a trait; it means the same length on each card."""
    alike = [t for s in segments for t in s["traits"] if t["label"] == trait["label"]]
    values = [0.0, *(t[key] for t in alike for key in ("segment", "overall"))]
    low, span = min(values), 1.01 * (max(values) - min(values)) or 1.0  # a mark keeps its width

    def place(value: float) -> float:
        return round(100 * (value - low) / span, 2)

    unit = trait.get("unit") or ("share" if trait.get("kind") == "share" else "")
    is_sign = unit in (*CURRENCY_SIGNS, YEAR) or unit.lower().startswith("share")
    start, end = sorted((place(0.0), place(trait["segment"])))
    return {
        "label": trait["label"],
        "statistic": trait["statistic"],
        "value": pages.quantity(trait["segment"], unit),
        # A unit in words is said once; a sign or a percentage belongs to the number.
        "average": pages.quantity(trait["overall"], unit if is_sign else ""),
        "bar": (start, round(end - start, 2)),
        "tick": place(trait["overall"]),
        "zero": place(0.0) if low < 0 else None,
    }


def _mosaic(segments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Lay bars of equal length under each other, customers over each measure of value.

    Bands lead from the customers to the first measure.
    """
    styles = [style_of(segment) for segment in segments]
    above = stack(styles, [s["share"] for s in segments])
    # A segment that is too small to be described is counted in with another one.
    bars = [
        {
            "label": measured[0]["label"],
            "parts": stack(styles, [max(0.0, value["share"] or 0) for value in measured]),
        }
        for measured in zip(*(s["values"] for s in segments), strict=True)
    ]
    below = bars[0]["parts"] if bars else []
    bands = flow_bands(np.eye(len(segments)), above, below, set(), by_count=False) if bars else []
    return {"customers": above, "values": bars, "bands": bands}


def _prediction(results: Path) -> dict[str, Any]:
    """Read what notebook 09 says of how well segments predict; empty where there is nothing."""
    path = results / "stages" / "09_prediction.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _figure(results: Path, decision: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read the figure of the decision with what its notebook says about it; None where missing."""
    name = str(decision.get("figure") or "")
    path = results / name
    if not re.fullmatch(r"figures/[\w.-]+\.png", name) or not path.is_file():
        return None
    about = json.loads(path.with_suffix(".json").read_text("utf-8"))
    png = base64.b64encode(path.read_bytes()).decode("ascii")
    return {
        "href": name,
        "uri": Markup(f"data:image/png;base64,{png}"),
        "alt": decision.get("alt") or about["alt"] or name,
        "caption": about.get("caption"),
        "size": pages.png_size(png),
    }


def _settings(parameters: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """List the run's parameters: once what all notebooks share, else with the notebook's number."""
    by_name: dict[str, dict[str, str]] = {}
    for stage, values in parameters.items():
        for name, value in values.items():
            by_name.setdefault(name, {})[stage] = pages.setting(value)
    lines = []
    for name, texts in by_name.items():
        if len(texts) > 1 and len(set(texts.values())) == 1:
            lines.append((name, next(iter(texts.values()))))
        else:
            lines += [(f"{name} ({stage})", text) for stage, text in texts.items()]
    return lines
