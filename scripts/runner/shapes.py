"""Segments as shapes and colours on a page: markers, bars of shares, and the bands between bars."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from runner import pages
from segmentation.palette import luminance

# Outlines on a field of 24 by 24, by the names that matplotlib gives its markers.
MARKERS = {
    "o": "M12 3a9 9 0 1 0 .01 0z",
    "s": "M4 4h16v16H4z",
    "^": "M12 2.5 22 21H2z",
    "v": "M12 21.5 2 3h20z",
    "D": "M12 1.5 22.5 12 12 22.5 1.5 12z",
    "P": "M8.5 2h7v6.5H22v7h-6.5V22h-7v-6.5H2v-7h6.5z",
    "X": "M7 2l5 5 5-5 5 5-5 5 5 5-5 5-5-5-5 5-5-5 5-5-5-5z",
    "*": "M12 1.5l2.9 7 7.6.6-5.8 4.9 1.8 7.4L12 17.4l-6.5 4 1.8-7.4L1.5 9.100 9.100 8.500z",
    "<": "M2.500 12 21 2v20z",
    ">": "M21.500 12 3 22V2z",
    "h": "M12 1.500 21 6.800v10.500l-9 5.200-9-5.200V6.800z",
    "p": "M12 2l10 7.300-3.800 11.700H5.800L2 9.300z",
}
FALLBACK_COLOUR, FALLBACK_MARKER = "#5a6270", "o"
# Width of the bars of shares on a wide screen and of a letter in them, in pixels.
BAR_WIDTH, LETTER_WIDTH = 1080, 7.2
# The two papers that bars stand on; style.css uses the same.
LIGHT_PAPER, DARK_PAPER = "#ffffff", "#15171b"


def style_of(segment: Mapping[str, Any]) -> dict[str, Any]:
    """Return a segment's number, name, colour and the outline of its marker, as a page shows it.

    Parameters
    ----------
    segment : mapping
        segment (its number) and name; colour (six hexadecimal digits) and marker (a name of
        matplotlib's) where they are known.
    """
    colour, marker = str(segment.get("colour")), str(segment.get("marker"))
    known = re.fullmatch(r"#[0-9a-fA-F]{6}", colour)
    return {
        "number": int(segment["segment"]),
        "name": str(segment["name"]),
        "colour": colour.lower() if known else FALLBACK_COLOUR,
        "marker": MARKERS.get(marker, MARKERS[FALLBACK_MARKER]),
    }


# --- colours -----------------------------------------------------------------------------------


def contrast(one: str, other: str) -> float:
    """Compute the contrast ratio of WCAG 2.2 between two colours, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _away_from(colour: str, paper: str) -> str:
    """Mix a colour with white, or with black, until its contrast with a paper is at least 3."""
    end = 255 if luminance(paper) < 0.5 else 0
    channels = bytes.fromhex(colour[1:])
    for step in range(101):
        mixed = "#" + "".join(f"{round(c + (end - c) * step / 100):02x}" for c in channels)
        if contrast(mixed, paper) >= 3:
            break
    return mixed


def colour_rules(styles: Iterable[Mapping[str, Any]]) -> str:
    """Write the style rules that give each segment its colour, readable on light and on dark."""
    rules: dict[str, list[str]] = {LIGHT_PAPER: [], DARK_PAPER: []}
    for style in styles:
        for paper, written in rules.items():
            shown = _away_from(style["colour"], paper)
            text = max(("#ffffff", "#000000"), key=lambda ink: contrast(ink, shown))
            written.append(f".s{style['number']}{{--segment:{shown};--on-segment:{text}}}")
    light, dark = rules.values()
    return "\n".join([*light, "@media screen and (prefers-color-scheme: dark){", *dark, "}"])


# --- bars and bands ----------------------------------------------------------------------------


def stack(styles: Sequence[Mapping[str, Any]], shares: Sequence[float]) -> list[dict[str, Any]]:
    """Lay the segments' shares of one end to end, in percent of the bar's width."""
    total = sum(shares) or 1.0
    parts, x = [], 0.0
    for style, share in zip(styles, shares, strict=True):
        width = 100 * share / total
        parts.append(
            {
                "number": style["number"],
                "marker": style["marker"],
                "x": round(x, 3),
                "width": round(width, 3),
                "middle": round(x + width / 2, 3),
                "text": pages.percent(share),
                "lines": _label(width, style["name"]),
                "labelled": width >= 3,
                "tight": width < 10,
            }
        )
        x += width
    return parts


def _label(width: float, name: str) -> list[str]:
    """Break a name into lines that fit a part of a bar on a wide screen; none where it does not.

    Of the fewest lines, as even ones as possible: no last line of one short word.
    """
    best: list[str] = []
    for room in range(int((width * BAR_WIDTH / 100 - 10) / LETTER_WIDTH), 0, -1):
        lines = textwrap.wrap(name, room, break_long_words=False, break_on_hyphens=False)
        too_long = any(len(line) > room for line in lines)
        if too_long or len(lines) > 3 or (best and len(lines) > len(best)):
            break
        best = lines
    return best


def flow_bands(
    counts: np.ndarray,
    above: Sequence[Mapping[str, Any]],
    below: Sequence[Mapping[str, Any]],
    kept: set[tuple[int, int]],
    *,
    by_count: bool = True,
    total: float | None = None,
) -> list[dict[str, Any]]:
    """Lay bands from the parts of an upper bar to those of a lower one, on a field of 100 by 10.

    Parameters
    ----------
    counts : ndarray, shape (parts above, parts below)
        How many go from each part to each other.
    above, below : sequence of mapping
        From `stack`.
    kept : set of tuple of int
        The pairs of places that count as staying.
    by_count : bool
        Whether a band is as wide as its count; otherwise it joins whole parts.
    total : float, optional
        What the whole width stands for, where that is more than the counts.
    """
    bands = []
    starts, ends = [part["x"] for part in above], [part["x"] for part in below]
    for i, j in zip(*np.nonzero(counts), strict=True):
        width = 100 * counts[i, j] / (total or counts.sum())
        widths = (width, width) if by_count else (above[i]["width"], below[j]["width"])
        left, left_below = starts[i], ends[j]
        starts[i], ends[j] = right, right_below = left + widths[0], left_below + widths[1]
        path = (
            f"M{left:.3f} 0H{right:.3f}C{right:.3f} 5 {right_below:.3f} 5 {right_below:.3f} 10"
            f"H{left_below:.3f}C{left_below:.3f} 5 {left:.3f} 5 {left:.3f} 0Z"
        )
        bands.append({"number": above[i]["number"], "path": path, "kept": (int(i), int(j)) in kept})
    return bands


def move_rows(
    counts: pd.DataFrame, totals: pd.Series, kept: set[tuple[Any, Any]]
) -> list[dict[str, Any]]:
    """Tabulate who is where now, with shares of the row.

    Parameters
    ----------
    counts : DataFrame
        By segment before (rows) and now (columns); NaN where a count is suppressed.
    totals : Series, indexed by segment before
    kept : set of (row, column)
        The pairs that count as staying.
    """
    return [
        {
            "segment": row,
            "total": int(totals[row]),
            "cells": [
                {
                    "segment": column,
                    "count": None if np.isnan(n) else int(n),
                    "share": 0.0 if np.isnan(n) else n / max(totals[row], 1),
                    "kept": (row, column) in kept,
                }
                for column, n in cells.items()
            ],
        }
        for row, cells in counts.iterrows()
    ]
