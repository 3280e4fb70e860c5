"""The start page of a run: who the customers are, what they are worth, what to do, how sure we are.

The last notebook writes ``stages/06_report.json`` in plain text and raw numbers. This module turns
the numbers into words and lengths of bars, and a template lays them out; nothing is decided here.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from . import pages

# Verdicts from the weakest to the strongest.
VERDICTS = ("not reproducible", "constructed", "reproducible", "natural")

# Outlines on a field of 24 by 24, by the names that matplotlib gives its markers.
MARKERS = {
    "o": "M12 3a9 9 0 1 0 .01 0z",
    "s": "M4 4h16v16H4z",
    "^": "M12 2.5 22 21H2z",
    "v": "M12 21.5 2 3h20z",
    "D": "M12 1.5 22.5 12 12 22.5 1.5 12z",
    "d": "M12 1 19 12 12 23 5 12z",
    "P": "M8.5 2h7v6.5H22v7h-6.5V22h-7v-6.5H2v-7h6.5z",
    "X": "M7 2l5 5 5-5 5 5-5 5 5 5-5 5-5-5-5 5-5-5 5-5-5-5z",
    "*": "M12 1.5l2.9 7 7.6.6-5.8 4.9 1.8 7.4L12 17.4l-6.5 4 1.8-7.4L1.5 9.100 9.100 8.500z",
    "<": "M2.500 12 21 2v20z",
    ">": "M21.500 12 3 22V2z",
    "h": "M12 1.500 21 6.800v10.500l-9 5.200-9-5.200V6.800z",
    "p": "M12 2l10 7.300-3.800 11.700H5.800L2 9.300z",
}
FALLBACK_COLOUR = "#5a6270"
# The two papers that bars stand on; style.css uses the same.
# Width of the bars of shares on a wide screen and of a letter in them, in pixels.
BAR_WIDTH, LETTER_WIDTH = 1080, 7.2
LIGHT_PAPER, DARK_PAPER = "#ffffff", "#15171b"


# --- colours -----------------------------------------------------------------------------------


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    """Compute the relative luminance of WCAG 2.2."""
    channels = (value / 255 for value in _rgb(colour))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Compute the contrast ratio of WCAG 2.2 between two colours, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _away_from(colour: str, paper: str, ratio: float = 3.0) -> str:
    """Mix a colour with white, or with black, until it stands out from a paper."""
    end = 255 if _luminance(paper) < 0.5 else 0
    for step in range(101):
        mixed = "#" + "".join(f"{round(c + (end - c) * step / 100):02x}" for c in _rgb(colour))
        if contrast(mixed, paper) >= ratio:
            return mixed
    return mixed


def _colour(value: object) -> str:
    text = str(value)
    return text.lower() if re.fullmatch(r"#[0-9a-fA-F]{6}", text) else FALLBACK_COLOUR


def _colour_rules(segments: Iterable[Mapping[str, Any]]) -> str:
    """Write the style rules that give each segment its colour, readable on light and on dark."""
    light, dark = [], []
    for segment in segments:
        colour = _colour(segment.get("colour"))
        for paper, rules in ((LIGHT_PAPER, light), (DARK_PAPER, dark)):
            shown = _away_from(colour, paper)
            text = max(("#ffffff", "#000000"), key=lambda ink: contrast(ink, shown))
            rules.append(f".s{int(segment['segment'])}{{--segment:{shown};--on-segment:{text}}}")
    return "\n".join([*light, "@media screen and (prefers-color-scheme: dark){", *dark, "}"])


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
    return unit in pages.CURRENCY_SIGNS or unit.lower().startswith("share")


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


def _labels(width: float, name: str) -> list[str]:
    """Break a name into lines that fit a part of a bar on a wide screen; none where it does not."""
    room = int((width * BAR_WIDTH / 100 - 10) / LETTER_WIDTH)
    lines = _wrapped(name, room)
    if not lines or len(lines) > 3:
        return []
    # The same number of lines, as even as possible: no last line of one short word.
    for narrower in range(room - 1, 0, -1):
        even = _wrapped(name, narrower)
        if not even or len(even) > len(lines):
            break
        lines = even
    return lines


def _wrapped(name: str, room: int) -> list[str]:
    if room < 1:
        return []
    lines = textwrap.wrap(name, room, break_long_words=False, break_on_hyphens=False)
    return lines if all(len(line) <= room for line in lines) else []


def _stack(segments: Sequence[Mapping[str, Any]], shares: Sequence[float]) -> list[dict[str, Any]]:
    """Lay the segments' shares end to end, in percent of the bar's width."""
    total = sum(shares) or 1.0
    parts, x = [], 0.0
    for segment, share in zip(segments, shares, strict=True):
        width = 100 * share / total
        lines = _labels(width, str(segment["name"]))
        parts.append(
            {
                "number": int(segment["segment"]),
                "marker": MARKERS.get(str(segment.get("marker")), MARKERS["o"]),
                "x": round(x, 3),
                "width": round(width, 3),
                "middle": round(x + width / 2, 3),
                "text": pages.percent(share),
                "lines": lines,
                "top": round((88 - 16 * len(lines) - 4) / 2 + 8),
                "labelled": width >= 3,
                "tight": width < 10,
            }
        )
        x += width
    return parts


def _mosaic(segments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Lay two bars of equal length under each other, customers over value, with bands between."""
    above = _stack(segments, [float(s["share"]) for s in segments])
    below = _stack(segments, [max(0.0, float(s["value_share"])) for s in segments])
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
    overall_mean = float(report["value"]["total"]) / max(1, int(report["customers"]))
    ratio = float(segment["value_mean"]) / overall_mean if overall_mean else None
    campaign = str(segment.get("campaign") or "")
    return {
        **segment,
        "number": int(segment["segment"]),
        "anchor": f"segment-{int(segment['segment'])}",
        "marker": MARKERS.get(str(segment.get("marker")), MARKERS["o"]),
        "times": _times(ratio) if ratio is not None else None,
        "value_mean_text": pages.quantity(float(segment["value_mean"]), unit),
        "value_median_text": pages.quantity(float(segment["value_median"]), unit),
        "traits": [_trait(trait, scales[trait["label"]]) for trait in segment["traits"]],
        "summary": str(segment.get("summary") or "").rstrip("."),
        "value_range": _range(segment),
        "typical": _typical(segment),
        "stability": segment.get("stability"),
        # Only a file of this run; anything else is not offered.
        "campaign": campaign if re.fullmatch(r"campaigns/[\w.-]+\.csv", campaign) else "",
    }


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


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


def _git(run: Mapping[str, Any]) -> str:
    git = run.get("git")
    if isinstance(git, Mapping):
        commit = str(git.get("commit") or "")
        return f"{commit[:12]}, with changes since" if git.get("dirty") else commit[:12]
    return str(git or "")


def _setting(value: object) -> str:
    """Write a parameter's value for a reader; a path without the folders of this computer."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_setting(item) for item in value) or "none"
    return "none" if value in (None, "") else str(pages.portable(value))


def _settings(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the run's parameters: once what all notebooks share, else with the notebook's number."""
    parameters = run.get("parameters") or {}
    by_name: dict[str, dict[str, str]] = {}
    for stage, values in parameters.items():
        if not isinstance(values, Mapping):
            by_name[str(stage)] = {"": _setting(values)}
            continue
        for name, value in values.items():
            by_name.setdefault(str(name), {})[str(stage)] = _setting(value)
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


def _moment(value: object) -> str:
    """Write a moment for a reader: ``21 November 2026, 08:15 UTC``."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value or "")
    zone = "" if moment.tzinfo is None else f" {moment.tzname()}"
    return f"{moment.day} {moment:%B %Y, %H:%M}{zone}"


def _platform(run: Mapping[str, Any]) -> str:
    platform = run.get("platform") or {}
    return " ".join(str(platform[name]) for name in ("system", "machine") if platform.get(name))


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
    report = _read_json(results / "stages" / "06_report.json")
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
        extra_css=_colour_rules(segments),
        lang=report.get("lang", "en"),
        report=report,
        value=report["value"],
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
        glossary=pages.glossary(),
        stages=list(run.get("stages") or ()),
        inputs=_inputs(run),
        git=_git(run),
        settings=_settings(run),
        seconds=_seconds(run),
        started=_moment(run.get("started")),
        platform=_platform(run),
        stale=[str(s["number"]) for s in run.get("stages") or () if not s.get("current", True)],
        versions=run.get("versions") or {},
    )  # fmt: skip
    path = results / "index.html"
    pages.write(path, html)
    return path
