"""The page that shows what changed between two runs; what it says is decided elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from runner import pages
from runner.comparison import Comparison, Pair, Run, different_numbers, numbers, segment_rows
from runner.conclusions import HEADLINES, conclude, headline, rules
from runner.shapes import FALLBACK_COLOUR, colour_rules, flow_bands, marker_of, stack
from segmentation.palette import COLOURS, MARKERS

WORDS = {
    "same": "the same",
    "other borders": "other borders",
    "moved": "moved",
    "same name": "same name",
    "gone": "no counterpart",
    "new": "new",
}


def _decimals(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:.{digits}f}".replace("-", "−")


# Numbers of metrics.json that belong on the page itself; "{k}" is the run's number of segments.
METRICS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("Segments that the elbow alone would pick", "clustering.elbow_k", pages.count),
    ("Segments that the silhouette alone would pick", "clustering.silhouette_k", pages.count),
    ("Agreement of two samples (stability)", "clustering.stability.{k}", _decimals(2)),
    ("Mean silhouette", "clustering.silhouette", _decimals(3)),
    ("Mean silhouette of one Gaussian", "clustering.null_silhouette_gaussian", _decimals(3)),
    ("Variation that the segments explain", "clustering.segments_explained", pages.percent),
    ("Share near a border", "clustering.ambiguous_share", pages.percent),
    ("Share with the same segment name after refits", "profiling.names_agreement", pages.percent),
    ("Share whose segment a short rule finds", "profiling.rules_fidelity", pages.percent),
    ("Variance on the first two components", "reduction.pca_two_components", pages.percent),
)


def render_comparison(path: Path, comparison: Comparison) -> None:
    """Write the page: one file that needs nothing else to be read.

    Parameters
    ----------
    path : pathlib.Path
        The page to write.
    comparison : Comparison
    """
    first, second = comparison.first, comparison.second
    inks = _inks(comparison)
    conclusions = conclude(comparison)
    html = pages.render(
        "comparison.html.j2",
        extra_css="\n".join([_stylesheet(), colour_rules(inks.values())]),
        lang=first.report.get("lang", "en"),
        comparison=comparison,
        first=first,
        second=second,
        nouns=first.report["nouns"],
        noun=first.report["noun"],
        value=first.report["value"],
        has_value=all(
            any(card["value_share"] is not None for card in run.cards.values())
            for run in (first, second)
        ),
        headline=HEADLINES[headline(comparison.pairs, comparison.agreement)],
        whole=conclusions[0],
        conclusions=conclusions[1:],
        rules=rules(comparison),
        flow=_flow(comparison, inks),
        moves=_moves(comparison, inks),
        segments=_segments(comparison, inks),
        metrics=_metrics(first, second),
        all_numbers=[
            (name, _plain(a), _plain(b)) for name, a, b in different_numbers(first, second)
        ],
        inputs=[
            (run.name, entry.get("name", ""), entry.get("part", ""), entry.get("sha256", ""))
            for run in (first, second)
            for entry in run.manifest.get("inputs") or ()
        ],
        notices=_notices(comparison),
        started=[pages.moment(run.manifest.get("started")) for run in (first, second)],
    )
    pages.write(path, html)


def _stylesheet() -> str:
    return (pages.TEMPLATES / "comparison.css").read_text(encoding="utf-8").strip()


# --- colours: a segment and its counterpart have the same ----------------------------------------


def _inks(comparison: Comparison) -> dict[tuple[str, int], dict[str, Any]]:
    """Give each segment of both runs a number, colour and marker; a pair shares them."""
    first, second = comparison.first.cards, comparison.second.cards
    inks = {("first", n): dict(card) for n, card in first.items()}
    partners = {pair.second: pair.first for pair in comparison.pairs if pair.kept}
    spare = [s for s in _palette() if s["colour"].lower() not in
             {str(card.get("colour")).lower() for card in first.values()}]  # fmt: skip
    next_number = max(first) + 1
    for number, card in second.items():
        ink = dict(card)
        if number in partners:
            ink |= {
                key: first[partners[number]].get(key) for key in ("segment", "colour", "marker")
            }
        else:
            look = spare.pop(0) if spare else {"colour": FALLBACK_COLOUR, "marker": "o"}
            ink |= look | {"segment": next_number}
            next_number += 1
        inks["second", number] = ink
    return inks


def _palette() -> list[dict[str, str]]:
    return [{"colour": c, "marker": m} for c, m in zip(COLOURS, MARKERS, strict=True)]


def _shown(ink: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if ink is None:
        return None
    return {"name": ink["name"], "number": int(ink["segment"]), "marker": marker_of(ink)}


# --- the picture ---------------------------------------------------------------------------------


def _flow(comparison: Comparison, inks: Mapping[tuple[str, int], Mapping]) -> dict[str, Any]:
    """Lay both runs' segments end to end, with bands for those who are, or were, in each."""
    rows = sorted(comparison.first.cards)
    columns = sorted(comparison.second.cards)
    by_customers = not comparison.moves.empty
    if by_customers:
        counts = comparison.moves.loc[rows, columns].to_numpy(float)
        above, below = counts.sum(axis=1), counts.sum(axis=0)
    else:
        counts = np.zeros((len(rows), len(columns)))
        for pair in comparison.pairs:
            if pair.kept:
                counts[rows.index(pair.first), columns.index(pair.second)] = 1.0
        above = np.array([float(comparison.first.cards[n]["share"]) for n in rows])
        below = np.array([float(comparison.second.cards[n]["share"]) for n in columns])
    order = _fewest_crossings(counts)
    columns, counts, below = [columns[i] for i in order], counts[:, order], below[order]
    pairs = {(pair.first, pair.second) for pair in comparison.pairs}
    top = stack([inks["first", n] for n in rows], list(above / above.sum()))
    bottom = stack([inks["second", n] for n in columns], list(below / below.sum()))
    kept = {(r, c) for r, row in enumerate(rows) for c, column in enumerate(columns)
            if (row, column) in pairs}  # fmt: skip
    bands = flow_bands(counts, top, bottom, kept, by_count=by_customers)
    return {"first": top, "second": bottom, "bands": bands, "by_customers": by_customers}


def _fewest_crossings(counts: np.ndarray) -> list[int]:
    """Order the columns by the mean place of those who come to them; empty ones go last."""
    totals = counts.sum(axis=0)
    places = np.arange(len(counts)) @ counts
    means = np.divide(places, totals, out=np.full(len(totals), np.inf), where=totals > 0)
    return [int(i) for i in np.argsort(means, kind="stable")]


# --- the tables ----------------------------------------------------------------------------------


def _moves(
    comparison: Comparison, inks: Mapping[tuple[str, int], Mapping]
) -> dict[str, Any] | None:
    """Tabulate who is where now."""
    if comparison.moves.empty:
        return None
    pairs = {(pair.first, pair.second) for pair in comparison.pairs}
    rows = []
    for number, counts in comparison.moves.iterrows():
        total = int(counts.sum())
        cells = [
            {
                "count": int(count),
                "share": count / total if total else 0.0,
                "pair": (number, column) in pairs,
            }
            for column, count in counts.items()
        ]
        rows.append({"segment": _shown(inks["first", number]), "cells": cells, "total": total})
    columns = [_shown(inks["second", number]) for number in comparison.moves.columns]
    totals = [int(total) for total in comparison.moves.sum()]
    return {"columns": columns, "rows": rows, "totals": totals}


def _segments(
    comparison: Comparison, inks: Mapping[tuple[str, int], Mapping]
) -> list[dict[str, Any]]:
    unit = comparison.first.report["value"].get("unit") or ""
    rows = []
    for row in segment_rows(comparison):
        pair: Pair = row["pair"]
        rows.append(
            {
                "first": _shown(inks.get(("first", pair.first))),
                "second": _shown(inks.get(("second", pair.second))),
                "word": WORDS[pair.word],
                "kept": pair.kept,
                "measure": "" if pair.measure is None else f"{pair.measure:.2f}",
                "customers": [_or_dash(value, pages.count) for value in row["customers"]],
                "share": [_or_dash(value, pages.percent) for value in row["share"]],
                "value_share": [_or_dash(value, pages.percent) for value in row["value_share"]],
                "value_mean": [
                    _or_dash(value, lambda v: pages.quantity(v, unit))
                    for value in row["value_mean"]
                ],
                "shifts": [
                    f"{label} {'higher' if value > 0 else 'lower'} by {abs(value):.1f}"
                    for label, value in pair.shifts[:2]
                ],
            }
        )
    return rows


def _or_dash(value: Any, as_text: Callable[[Any], str]) -> str:
    return "–" if value is None else as_text(value)


def _metrics(first: Run, second: Run) -> list[tuple[str, str, str, bool]]:
    """Put the main numbers side by side; the last entry says whether they read differently."""
    values = [numbers(run) for run in (first, second)]
    ks = [len(run.cards) for run in (first, second)]
    rows = [
        ("Verdict", *(str(run.report["verdict"]["word"]) for run in (first, second))),
    ]
    for label, name, as_text in METRICS:
        found = [
            known.get(name.format(k=k)) for known, k in zip(values, ks, strict=True)
        ]  # fmt: skip
        if any(value is not None for value in found):
            rows.append((label, *(_or_dash(value, as_text) for value in found)))
    return [(label, a, b, a != b) for label, a, b in rows]


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}".replace("-", "−")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_plain(entry) for entry in value) or "none"
    return "–" if value is None else pages.setting(value)


def _notices(comparison: Comparison) -> list[tuple[str, str]]:
    """List what a reader has to know first: what it is, and what it means."""
    runs = (comparison.first, comparison.second)
    notices = []
    if comparison.note:
        by = {"centres": "Paired by their centres.", "names": "Paired by their names."}
        notices.append((by[comparison.basis], comparison.note))
    generated = [run for run in runs if run.report.get("generated")]
    if generated:
        notices.append((f"Generated data in {_which(generated)}.", "No real person is described."))
    quick = [run for run in runs if run.report.get("quick")]
    if quick:
        notices.append((f"Quick settings in {_which(quick)}.", "A first look, not for decisions."))
    for run in runs:
        stages = run.manifest.get("stages") or ()
        stale = [stage["number"] for stage in stages if not stage.get("current", True)]
        if stale:
            what = f"{run.name} is partly out of date."
            notices.append((what, f"Run again from notebook {min(stale)}."))
        if run.altered:
            what = f"Files of {run.name} were changed after the run:"
            notices.append((what, f"{', '.join(run.altered)}."))
    return notices


def _which(runs: Sequence[Run]) -> str:
    return "both runs" if len(runs) == 2 else runs[0].name
