"""The start page of a run: who the customers are, what they are worth, what to do, how sure we are.

Notebook 06 writes ``stages/06_report.json`` in plain text and raw numbers. This module turns
the numbers into words and lengths of bars, and a template lays them out; nothing is decided here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from markupsafe import Markup

from customer_tables.text import CURRENCY_SIGNS, YEAR, counted, points, slug
from runner import pages
from runner.finder import finder
from runner.records import columns_by_use, some_of
from runner.shapes import colour_rules, flow_bands, stack, style_of
from segmentation.claims import Claim, claim

TOO_FEW = 0.2  # detectable uplift above which a list is called too small for a test
PHRASES = {  # of columns, by their use
    "segments": "the segments are made from {}",
    "tells customers apart": "{} tells customers apart",
}
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
    values = content(results, run)
    render = partial(
        pages.render,
        "index.html.j2",
        extra_css="\n".join(
            [pages.stylesheet("start_page.css"), colour_rules(map(style_of, values["segments"]))]
        ),
        script="start_page.js",
        **values,
    )
    # The glossary explains what the rest of the page links.
    linked = set(re.findall(r'href="#term-([\w-]+)"', render(glossary=())))
    path = results / "index.html"
    pages.write(path, render(glossary=[t for t in pages.glossary() if slug(t["name"]) in linked]))
    return path


def content(results: Path, run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the template of the start page lays out."""
    report = json.loads((results / "stages" / "06_report.json").read_text(encoding="utf-8"))
    # Notebooks 07 and 08 add evidence if they ran.
    findings = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((results / "stages").glob("*_findings.json"))
    ]
    report["verdict"]["reasons"] += [text for found in findings for text in found["reasons"]]
    told = results / "stages" / "09_prediction.json"  # how well segments predict
    prediction = json.loads(told.read_text(encoding="utf-8")) if told.is_file() else {}
    report["answer"][1:1] = prediction.get("answer", [])
    segments, stages = report["segments"], run.get("stages") or ()
    stale = [stage["number"] for stage in stages if not stage["current"]]
    model, control = _model(results, report), report.get("control")
    cards = [_segment(segment, report) for segment in segments]
    seconds = {f"{stage['number']} {stage['title']}": stage["seconds"] for stage in stages}
    about = run.get("platform") or {}
    platform = [about[name] for name in ("system", "machine") if about.get(name)]
    descriptors = report.get("descriptors") or []
    return {
        "report": report,
        "notices": _notices(report, stale, columns_by_use(results)[0]),
        "findings": findings,
        "measures": report["values"],
        "segments": cards,
        "avoids": any(card["avoid"] for card in cards),
        "mosaic": _mosaic(segments),
        "profile": report.get("profile") or [],
        "reach": min(_largest_effect(report), report["effects"]["reach"]),
        "largest_effect": _largest_effect(report),
        "verdicts": VERDICTS,
        "decision_figure": _figure(results, report["decision"]),
        "prediction": prediction,
        "prediction_figure": _figure(results, prediction),
        "descriptors": descriptors,
        "parts": _parts(descriptors),
        "control": control,
        "finder": model,
        "data": {"finder": model, "noun": report["noun"], "effect": _effect(control)},
        "stages": stages,
        "inputs": run.get("inputs") or (),
        "git": pages.commit(run.get("git")),
        "settings": _settings(run.get("parameters") or {}),
        "seconds": seconds and {"all notebooks": sum(seconds.values()), **seconds},
        "started": run.get("started"),
        "platform": " ".join(platform),
        "versions": run.get("versions") or {},
    }


def _notices(
    report: Mapping[str, Any], stale: Sequence[str], columns: Mapping[str, list[str]]
) -> list[Claim]:
    """List what a reader has to know first: each begins with a short sentence."""
    told = {use: some_of(names) for use, names in columns.items() if use != "describes"}
    guessed = "; ".join(PHRASES.get(use, use + ": {}").format(names) for use, names in told.items())
    verdict = report["verdict"]
    values = {
        "generated": bool(report.get("generated")),
        "quick": report["quick"],
        "stale": len(stale),
        "natural": verdict["word"] == "natural",
        "clearer": verdict.get("clearer", True),
        "by_hand": report["k_set_by_hand"],
        "k": report["k"],
        "guessed": bool(report.get("guessed")),
    } | {f"stale_{number}": int(number) for number in stale}
    options = (
        (
            "guessed == 1",
            "Guessed columns. No description came with this table: what its columns mean was "
            "guessed from their names and values. Check this before you use the segments: "
            f"{guessed}.",
        ),
        (
            "generated == 1",
            f"Generated data. These {report['nouns']} were drawn at random to follow a published "
            "table. No real person is described.",
        ),
        (
            "quick == 1",
            "Quick settings. Fewer repetitions than a full run: a first look, not for decisions.",
        ),
        (
            "stale > 0",
            f"Partly out of date. Something before notebook {', '.join(stale)} has changed since; "
            "run again from there.",
        ),
        (
            "natural == 0 and clearer == 0",
            "No basis for different treatment. Null reference data give segments about as clear as "
            "these. So this page describes the segments and advises nothing.",
        ),
        (
            "by_hand == 1",
            f"Number of segments set by hand. Somebody asked for {report['k']}; the rule did not "
            "choose it.",
        ),
    )
    return [notice for option in options if (notice := claim(values, option))]


def _parts(descriptors: Sequence[Mapping[str, Any]]) -> list[Claim]:
    """Say what part the profiling variables had in forming the segments."""
    independent = sum(entry["independent"] for entry in descriptors)
    values = {"independent": independent, "dependent": len(descriptors) - independent}
    options = (
        (
            "independent > 0",
            "Columns without a star had no part in forming the segments. They say who is in them. "
            "Of categories, the one in which segments differ most is shown.",
        ),
        (
            "dependent > 0",
            "Columns with a star (*) are among the features that form the segments, are computed "
            "from them, or are at least half explained by them: segments differ in them because of "
            "how they were made.",
        ),
    )
    return [part for option in options if (part := claim(values, option))]


def _segment(segment: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the tables and the card of a segment show."""
    campaign = str(segment.get("campaign") or "")
    left_out = segment.get("left_out") or {"customers": 0}
    # What sets the segment apart comes first.
    telling = [trait["label"] for trait in segment["traits"]]
    ranks = {label: place for place, label in enumerate(telling)}
    return {
        **segment,
        **style_of(segment),
        "traits": [_trait(trait, report["effects"]["marker"]) for trait in segment["traits"]],
        "summary": str(segment.get("summary") or "").rstrip("."),
        "avoid": segment.get("avoid") or "",
        "average": segment.get("average", False),
        "detectable": _detectable(segment, report),
        "listed": segment["customers"] - left_out["customers"],
        "leaning": segment.get("leaning") or "",
        "left_out": _left_out(left_out, report),
        "rules": segment.get("rules") or [],
        "typical": sorted(
            segment.get("typical") or [], key=lambda fact: ranks.get(fact["label"], len(ranks))
        ),
        # Only a file of this run; anything else is not offered.
        "campaign": campaign if re.fullmatch(r"campaigns/[\w.-]+\.csv", campaign) else "",
    }


def _left_out(left_out: Mapping[str, Any], report: Mapping[str, Any]) -> Claim:
    """Say how many members are not on the segment's list, and why; empty where all are."""
    customers, reason = left_out["customers"], left_out.get("reason")
    whom = counted(customers, report["noun"], report["nouns"])
    text = f"Not on the list: {whom}. {reason}"
    return claim({"left_out": customers}, ("left_out > 0", text))


def _detectable(segment: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Say which uplift a test of the list would show, and of halves; a dash where unknown."""
    groups = (report.get("control") or {}).get("groups") or ()
    group: Mapping[str, Any] = next((g for g in groups if g["name"] == segment["name"]), {})
    numbers = {name: group.get(name) for name in ("detectable", "visible")}
    halves = f"{points(numbers['detectable'])} at half and half"
    return (
        claim(
            numbers,
            (f"detectable > {TOO_FEW}", "Too few to test"),
            (f"visible <= {TOO_FEW}", f"{points(numbers['visible'])} points, {halves}"),
            (f"detectable <= {TOO_FEW}", f"Too few as listed, {halves}"),
        )
        or "–"
    )


def _trait(trait: Mapping[str, Any], marked_from: float) -> dict[str, Any]:
    """Return what a card shows of a trait: its values in real units, and its effect."""
    unit = trait.get("unit") or ("share" if trait.get("kind") == "share" else "")
    is_sign = unit in (*CURRENCY_SIGNS, YEAR) or unit.lower().startswith("share")
    return {
        "label": trait["label"],
        "statistic": trait["statistic"],
        "value": pages.quantity(trait["segment"], unit),
        # A unit in words is said once; a sign or a percentage belongs to the number.
        "average": pages.quantity(trait["overall"], unit if is_sign else ""),
        "effect": trait["effect"],
        "marker": abs(trait["effect"]) >= marked_from,
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


def _largest_effect(report: Mapping[str, Any]) -> float:
    """Return the largest effect on the page; bars reach so far, or to where they are cut."""
    shown = [trait for segment in report["segments"] for trait in segment["traits"]]
    shown += [cell for row in report.get("profile") or () for cell in row["segments"] if cell]
    return max((abs(entry["effect"]) for entry in shown), default=0.0) or 1.0


def _effect(control: Mapping[str, Any] | None) -> float | None:
    """Return the effect, in standard errors, that a comparison shows with the wanted power."""
    if not control:
        return None
    quantile = NormalDist().inv_cdf
    return quantile(1 - control["alpha"] / 2) + quantile(control["power"])


def _model(results: Path, report: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read the model for the search of one customer's segment; None where it is private."""
    path = results / "model.json"
    if report.get("model") != path.name or not path.is_file():
        return None
    return finder(json.loads(path.read_text(encoding="utf-8")))


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
