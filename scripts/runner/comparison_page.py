"""The page that shows what changed between two runs; the conclusions come from `conclusions`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from customer_tables.errors import UserError
from runner import comparison as basis
from runner import conclusions, pages
from runner.comparison import Comparison, Run, compare, different_numbers, numbers, read_run
from runner.entry import writing
from runner.shapes import (
    FALLBACK_COLOUR,
    FALLBACK_MARKER,
    colour_rules,
    flow_bands,
    move_rows,
    stack,
    style_of,
)
from segmentation.palette import COLOURS, MARKERS

Styles = tuple[dict[Any, dict[str, Any]], dict[Any, dict[str, Any]]]  # of either run, by segment

# Numbers of metrics.json that belong on the page itself, and how they are written; "{k}" is the
# run's number of segments.
METRICS = (
    ("Segments that the elbow alone would pick", "clustering.elbow_k", ".0f"),
    ("Segments that the silhouette alone would pick", "clustering.silhouette_k", ".0f"),
    ("Agreement of two samples (stability)", "clustering.stability.{k}", ".2f"),
    ("Mean silhouette", "clustering.silhouette", ".3f"),
    ("Mean silhouette of one Gaussian", "clustering.null_silhouette_gaussian", ".3f"),
    ("Variation that the segments explain", "alternatives.segments_explained", "%"),
    ("Share near a boundary", "clustering.share_near_boundary", "%"),
    ("Share with the same segment name after refits", "profiling.names_agreement", "%"),
    ("Variance on the first two components", "reduction.pca_two_components", "%"),
)


def write_comparison(first: Path, second: Path, output: Path | None = None) -> Path:
    """Compare two results folders and write the page.

    Parameters
    ----------
    first, second : pathlib.Path
    output : pathlib.Path, optional
        The page; by default beside the second run, which is left as it is.

    Raises
    ------
    UserError
        If a folder holds no run, the runs are of different datasets, or nothing can be written.
    """
    if first.is_dir() and second.is_dir() and first.samefile(second):
        raise UserError(
            "both runs are the same folder",
            where=str(first),
            remedy="give another folder to one of them: run.py --results FOLDER",
        )
    # Told apart by their folders' names, with the folders above where these are equal.
    parts, depth = (first.resolve().parts, second.resolve().parts), 1
    while parts[0][-depth] == parts[1][-depth]:
        depth += 1
    names = ["/".join(folders[-depth:]) for folders in parts]
    runs = read_run(first, names[0]), read_run(second, names[1])
    files = [re.sub(r"[^\w.-]+", "-", name) for name in names]
    path = output or second.resolve().parent / f"{files[0]}-to-{files[1]}.html"
    if path.is_dir():
        raise UserError(
            "--output names a folder", where=str(path), remedy="name a file, such as changes.html"
        )
    html = _render(compare(*runs))
    with writing("the page", path, "choose another place with --output"):
        pages.write(path, html)
    return path


def _render(comparison: Comparison) -> str:
    runs = first, second = comparison.first, comparison.second
    styles = _styles(comparison)
    shown = [style for run in styles for style in run.values()]
    whole, *concluded = conclusions.conclude(comparison)
    moves, kept = comparison.moves, {(pair.first, pair.second) for pair in comparison.pairs}
    return pages.render(
        "comparison.html.j2",
        extra_css=f"{pages.stylesheet('comparison.css')}\n{colour_rules(shown)}",
        comparison=comparison,
        first=first,
        second=second,
        nouns=first.report["nouns"],
        noun=first.report["noun"],
        headline=conclusions.headline(comparison.pairs, comparison.agreement),
        whole=whole[1],
        conclusions=concluded,
        shifts={pair: conclusions.shifts(comparison, pair) for pair in comparison.pairs},
        cuts=vars(basis) | vars(conclusions),
        flow=_flow(comparison, styles),
        moves=move_rows(moves, moves.sum(axis=1), kept),
        totals=moves.sum().to_list(),
        styles=styles,
        metrics=_metrics(first, second),
        all_numbers=[(n, _plain(a), _plain(b)) for n, a, b in different_numbers(first, second)],
        notices={run.name: _notices(run) for run in runs},
    )


def _styles(comparison: Comparison) -> Styles:
    """Give each segment of both runs a number, colour and marker; a pair shares them."""
    first: dict[Any, dict[str, Any]] = {
        number: style_of(card) for number, card in comparison.first.cards.items()
    }
    partners = {pair.second: first[pair.first] for pair in comparison.kept}
    taken = {style["colour"] for style in first.values()}
    spare = [(c, m) for c, m in zip(COLOURS, MARKERS, strict=True) if c.lower() not in taken]
    second: dict[Any, dict[str, Any]] = {}
    for number, card in comparison.second.cards.items():
        style = partners.get(number)
        if style is None:
            colour, marker = spare.pop(0) if spare else (FALLBACK_COLOUR, FALLBACK_MARKER)
            unused = 1 + max([*first, *(style["number"] for style in second.values())])
            style = style_of(card | {"segment": unused, "colour": colour, "marker": marker})
        second[number] = style | {"name": card["name"]}
    return first, second


def _flow(comparison: Comparison, styles: Styles) -> dict[str, Any]:
    """Lay both runs' segments end to end, with bands for those who are, or were, in each."""
    first, second = comparison.first.cards, comparison.second.cards
    rows, columns = sorted(first), sorted(second)
    kept = {(rows.index(pair.first), columns.index(pair.second)) for pair in comparison.kept}
    by_customers = not comparison.moves.empty
    if by_customers:
        counts = comparison.moves.to_numpy(float)
        above, below = counts.sum(axis=1), counts.sum(axis=0)
    else:
        counts = np.zeros((len(rows), len(columns)))
        counts[tuple(zip(*kept, strict=True))] = 1
        above, below = (
            np.array([float(cards[n]["share"]) for n in sorted(cards)]) for cards in (first, second)
        )
    order = _fewest_crossings(counts)
    top = stack([styles[0][n] for n in rows], list(above / above.sum()))
    bottom = stack([styles[1][columns[n]] for n in order], list(below[order] / below.sum()))
    kept = {(row, order.index(column)) for row, column in kept}
    bands = flow_bands(counts[:, order], top, bottom, kept, by_count=by_customers)
    return {"first": top, "second": bottom, "bands": bands, "by_customers": by_customers}


def _fewest_crossings(counts: np.ndarray) -> list[int]:
    """Order the columns by the mean place of those who come to them; empty ones go last."""
    totals = counts.sum(axis=0)
    places = np.arange(len(counts)) @ counts
    means = np.divide(places, totals, out=np.full(len(totals), np.inf), where=totals > 0)
    return [int(i) for i in np.argsort(means, kind="stable")]


def _metrics(first: Run, second: Run) -> list[tuple[str, ...]]:
    """Put the main numbers side by side."""
    known = [(numbers(run), len(run.cards)) for run in (first, second)]
    rows: list[tuple[str, ...]] = [
        ("Verdict", *(str(run.report["verdict"]["word"]) for run in (first, second)))
    ]
    for label, name, form in METRICS:
        values = [metrics.get(name.format(k=k)) for metrics, k in known]
        if values != [None, None]:
            rows.append((label, *(_formatted(value, form) for value in values)))
    return rows


def _formatted(value: Any, form: str) -> str:
    if value is None:
        return "–"
    return pages.percent(value) if form == "%" else f"{value:{form}}".replace("-", "−")


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return _formatted(value, ".6g")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_plain(entry) for entry in value) or "none"
    return "–" if value is None else pages.setting(value)


def _notices(run: Run) -> dict[str, Any]:
    """Collect what a reader has to know of a run first."""
    stages = run.manifest.get("stages") or ()
    stale = [stage["number"] for stage in stages if not stage.get("current", True)]
    return {
        "stale": min(stale, default=""),
        "altered": ", ".join(run.altered),
    }
