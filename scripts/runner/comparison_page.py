"""The page that shows what changed between two runs; what it says is decided elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from customer_tables.errors import UserError
from customer_tables.text import count
from runner import pages
from runner.comparison import Comparison, Run, compare, different_numbers, numbers, read_run
from runner.conclusions import HEADLINES, conclude, headline, rules
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
from segmentation.stages import renamed_since

WORDS = {
    "same": "the same",
    "other borders": "other borders",
    "moved": "moved",
    "same name": "same name",
    "gone": "no counterpart",
    "new": "new",
}
Styles = tuple[dict[Any, dict[str, Any]], dict[Any, dict[str, Any]]]  # of either run, by segment


def _decimals(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:.{digits}f}".replace("-", "−")


# Numbers of metrics.json that belong on the page itself; "{k}" is the run's number of segments.
METRICS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("Segments that the elbow alone would pick", "clustering.elbow_k", count),
    ("Segments that the silhouette alone would pick", "clustering.silhouette_k", count),
    ("Agreement of two samples (stability)", "clustering.stability.{k}", _decimals(2)),
    ("Mean silhouette", "clustering.silhouette", _decimals(3)),
    ("Mean silhouette of one Gaussian", "clustering.null_silhouette_gaussian", _decimals(3)),
    ("Variation that the segments explain", "alternatives.segments_explained", pages.percent),
    ("Share near a border", "clustering.ambiguous_share", pages.percent),
    ("Share with the same segment name after refits", "profiling.names_agreement", pages.percent),
    ("Share whose segment a short rule finds", "profiling.rules_fidelity", pages.percent),
    ("Variance on the first two components", "reduction.pca_two_components", pages.percent),
)


def write_comparison(first: Path, second: Path, output: Path | None = None) -> Path:
    """Compare two results folders and write the page.

    Parameters
    ----------
    first, second : pathlib.Path
        Results folders.
    output : pathlib.Path, optional
        The page; by default beside the second run, which is left as it is.

    Returns
    -------
    pathlib.Path
        The page: one file that needs nothing else to be read.

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
    names = _names(first.resolve(), second.resolve())
    runs = [read_run(*run) for run in zip((first, second), names, strict=True)]
    files = [re.sub(r"[^\w.-]+", "-", name) for name in names]
    path = output or second.resolve().parent / f"{files[0]}-to-{files[1]}.html"
    if path.is_dir():
        raise UserError(
            "--output names a folder", where=str(path), remedy="name a file, such as changes.html"
        )
    html = _render(compare(*runs))
    try:
        pages.write(path, html)
    except OSError as error:
        raise UserError(
            f"the page cannot be written: {error.strerror}",
            where=str(path),
            remedy="choose another place with --output",
        ) from None
    return path


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Tell the runs apart by their folders' names, with the folders above where these are equal."""
    depth = 1
    while first.parts[-depth] == second.parts[-depth]:
        depth += 1
    return "/".join(first.parts[-depth:]), "/".join(second.parts[-depth:])


def _render(comparison: Comparison) -> str:
    first, second = comparison.first, comparison.second
    styles = _styles(comparison)
    whole, *conclusions = conclude(comparison)
    return pages.render(
        "comparison.html.j2",
        extra_css="\n".join([pages.stylesheet("comparison.css"), _colours(styles)]),
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
        whole=whole[1],
        conclusions=conclusions,
        rules=rules(comparison),
        flow=_flow(comparison, styles),
        moves=move_rows(
            comparison.moves,
            comparison.moves.sum(axis=1),
            {(pair.first, pair.second) for pair in comparison.pairs},
        ),
        totals=comparison.moves.sum().to_list(),
        styles=styles,
        segments=_segments(comparison, styles),
        metrics=_metrics(first, second),
        all_numbers=[(n, _plain(a), _plain(b)) for n, a, b in different_numbers(first, second)],
        inputs=[
            (run.name, entry.get("name", ""), entry.get("part", ""), entry.get("sha256", ""))
            for run in (first, second)
            for entry in run.manifest.get("inputs") or ()
        ],
        notices=_notices(comparison),
        started=[pages.moment(run.manifest.get("started")) for run in (first, second)],
    )


# --- colours: a segment and its counterpart have the same ----------------------------------------


def _styles(comparison: Comparison) -> Styles:
    """Give each segment of both runs a number, colour and marker; a pair shares them."""
    first: dict[Any, dict[str, Any]] = {
        number: style_of(card) for number, card in comparison.first.cards.items()
    }
    partners = {pair.second: first[pair.first] for pair in comparison.pairs if pair.kept}
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


def _colours(styles: Styles) -> str:
    return colour_rules([*styles[0].values(), *styles[1].values()])


# --- the picture ---------------------------------------------------------------------------------


def _flow(comparison: Comparison, styles: Styles) -> dict[str, Any]:
    """Lay both runs' segments end to end, with bands for those who are, or were, in each."""
    first, second = comparison.first.cards, comparison.second.cards
    rows, columns = sorted(first), sorted(second)
    counterparts: list[tuple[Any, Any]] = [
        (pair.first, pair.second) for pair in comparison.pairs if pair.kept
    ]
    by_customers = not comparison.moves.empty
    if by_customers:
        counts = comparison.moves.loc[rows, columns].to_numpy(float)
        above, below = counts.sum(axis=1), counts.sum(axis=0)
    else:
        counts = np.array([[float((r, c) in counterparts) for c in columns] for r in rows])
        above, below = (
            np.array([float(cards[n]["share"]) for n in numbers])
            for cards, numbers in ((first, rows), (second, columns))
        )
    order = _fewest_crossings(counts)
    columns, counts, below = [columns[i] for i in order], counts[:, order], below[order]
    top = stack([styles[0][n] for n in rows], list(above / above.sum()))
    bottom = stack([styles[1][n] for n in columns], list(below / below.sum()))
    kept = {(rows.index(one), columns.index(other)) for one, other in counterparts}
    bands = flow_bands(counts, top, bottom, kept, by_count=by_customers)
    return {"first": top, "second": bottom, "bands": bands, "by_customers": by_customers}


def _fewest_crossings(counts: np.ndarray) -> list[int]:
    """Order the columns by the mean place of those who come to them; empty ones go last."""
    totals = counts.sum(axis=0)
    places = np.arange(len(counts)) @ counts
    means = np.divide(places, totals, out=np.full(len(totals), np.inf), where=totals > 0)
    return [int(i) for i in np.argsort(means, kind="stable")]


# --- the tables ----------------------------------------------------------------------------------


def _segments(comparison: Comparison, styles: Styles) -> list[dict[str, Any]]:
    """Put size, value and profile of each pair side by side."""
    unit = comparison.first.report["value"].get("unit") or ""
    formats = {
        "customers": count,
        "share": pages.percent,
        "value_share": pages.percent,
        "value_mean": lambda value: pages.quantity(value, unit),
    }
    rows = []
    for pair in comparison.pairs:
        row = {
            "first": styles[0].get(pair.first),
            "second": styles[1].get(pair.second),
            "word": WORDS[pair.word],
            "kept": pair.kept,
            "measure": "" if pair.measure is None else f"{pair.measure:.2f}",
            "shifts": [
                f"{label} {'higher' if value > 0 else 'lower'} by {abs(value):.1f}"
                for label, value in pair.shifts[:2]
            ],
        }
        for key, as_text in formats.items():
            row[key] = [_or_dash(value, as_text) for value in comparison.sides(pair, key)]
        rows.append(row)
    return rows


def _or_dash(value: Any, as_text: Callable[[Any], str]) -> str:
    return "–" if value is None else as_text(value)


def _metrics(first: Run, second: Run) -> list[tuple[str, ...]]:
    """Put the main numbers side by side."""
    known = [(numbers(run), len(run.cards)) for run in (first, second)]
    rows: list[tuple[str, ...]] = [
        ("Verdict", *(str(run.report["verdict"]["word"]) for run in (first, second)))
    ]
    for label, name, as_text in METRICS:
        found = [metrics.get(name.format(k=k)) for metrics, k in known]
        if found != [None, None]:
            rows.append((label, *(_or_dash(value, as_text) for value in found)))
    return rows


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
        notices.append((f"Paired by their {comparison.basis}.", comparison.note))
    for flag, what, why in (
        ("generated", "Generated data", "No real person is described."),
        ("quick", "Quick settings", "A first look, not for decisions."),
    ):
        marked = [run.name for run in runs if run.report.get(flag)]
        if marked:
            notices.append((f"{what} in {marked[0] if len(marked) == 1 else 'both runs'}.", why))
    for run in runs:
        renamed = renamed_since(run.manifest)
        if renamed:
            notices.append((f"{run.name} was made by earlier notebooks.", f"{renamed}."))
        stages = run.manifest.get("stages") or ()
        stale = [stage["number"] for stage in stages if not stage.get("current", True)]
        if stale:
            what = f"{run.name} is partly out of date."
            notices.append((what, f"Run again from notebook {min(stale)}."))
        if run.altered:
            what = f"Files of {run.name} were changed after the run:"
            notices.append((what, f"{', '.join(run.altered)}."))
    return notices
