"""Figures of notebook 08: lineage over k, other choices, and the calibration of confidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from segmentation.figures.selection import over_k
from segmentation.figures.style import (
    ACCENT,
    INK,
    PALE,
    PATCH,
    SegmentStyle,
    Style,
    label_rows,
    note,
    percent,
)
from segmentation.lineage import order_for_display
from segmentation.palette import COLOURS

Node = tuple[int, int]  # where on the horizontal axis, and which block there
WIDTH, GAP = 0.22, 0.025  # half a block's width, and the space between blocks


def lineage(
    flows: pd.DataFrame,
    stability: pd.DataFrame,
    styles: Mapping[Node, SegmentStyle],
    chosen: int,
    ax: Axes,
) -> Axes:
    """Draw how segments split and merge from each k to the next; ribbons are customers.

    Parameters
    ----------
    flows : DataFrame
        From `lineage.flows`.
    stability : DataFrame, indexed by (k, segment)
        ``resamples`` and ``k``, from `lineage.segment_stability`: written into the node where
        there is room, the second in brackets.
    styles : mapping of (k, segment) to SegmentStyle
        From `lineage_styles`.
    chosen : int
        The k whose nodes are outlined.
    """
    order = order_for_display(flows)
    heights: dict[Node, float] = {}
    for side in ("from", "to"):
        customers = flows.groupby([f"k_{side}", f"segment_{side}"])["customers"].sum()
        heights |= (customers / customers.groupby(level=0).sum()).to_dict()
    tops: dict[Node, float] = {}
    for k, segments in order.items():
        top = 0.5 - 0.5 * (1 + GAP * (k - 1))
        for segment in segments:
            tops[k, segment] = top
            top += heights[k, segment] + GAP
    total = flows.loc[flows["k_from"] == min(order), "customers"].sum()
    streams = [
        ((f.k_from, f.segment_from), (f.k_to, f.segment_to), f.customers / total)
        for f in flows.itertuples(index=False)
    ]
    streams.sort(key=lambda stream: (stream[0][0], tops[stream[0]], tops[stream[1]]))
    ribbons(ax, [(*stream, styles[stream[1]].colour) for stream in streams], tops, WIDTH)
    for node, top in tops.items():
        outlined: Style = {"edgecolor": "white", "linewidth": 0.6}
        if node[0] == chosen:
            outlined = {"edgecolor": INK, "linewidth": 1.8}
        place = (top + heights[node] / 2, 2 * WIDTH, heights[node], node[0] - WIDTH)
        ax.barh(*place, color=styles[node].colour, zorder=3, **outlined)
        _write_stability(ax, node, place[0], heights[node], styles[node].marker, stability)
    ax.set(xlim=(min(order) - 0.4, max(order) + 0.4), yticks=[])
    ax.invert_yaxis()
    ax.spines["left"].set_visible(False)
    over_k(ax, np.array(sorted(order)))
    ax.grid(visible=False)
    return ax


def _write_stability(
    ax: Axes, node: Node, middle: float, height: float, marker: str, stability: pd.DataFrame
) -> None:
    """Write a segment's stability into its block as far as there is room."""
    text: Style = {"zorder": 4, "ha": "center", "va": "center", "color": "white"}
    within, across = stability.loc[node, ["resamples", "k"]]
    if height > 0.075 and np.isfinite(across):
        middle -= 0.016
        below = f"({across:.2f})".replace("0.", ".")
        ax.text(node[0], middle + 0.036, below, fontsize=7.5, **text)
    if height > 0.035:
        ax.plot(node[0] - 0.12, middle, marker, color="white", markersize=3.6, zorder=4)
        ax.text(node[0] + 0.05, middle, f"{within:.2f}".lstrip("0"), fontsize=8.5, **text)


def ribbons(
    ax: Axes,
    flows: Iterable[tuple[Node, Node, float, str]],
    tops: Mapping[Node, float],
    width: float,
) -> None:
    """Draw ribbons from blocks to blocks, each below the one before.

    Parameters
    ----------
    flows : iterable of (start, stop, height, colour)
    tops : mapping of node to float
        Where each block begins.
    width : float
        Half a block's width.
    """
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    right, left = dict(tops), dict(tops)
    for start, stop, h, colour in flows:
        x0, x1, y0, y1 = start[0] + width, stop[0] - width, right[start], left[stop]
        middle = (x0 + x1) / 2
        upper = [(x0, y0), (middle, y0), (middle, y1), (x1, y1)]
        lower = [(x1, y1 + h), (middle, y1 + h), (middle, y0 + h), (x0, y0 + h)]
        outline = Path([*upper, *lower, (x0, y0)], codes)
        style: Style = {"facecolor": colour, "alpha": 0.45, "edgecolor": "white", "linewidth": 0.4}
        ax.add_patch(PathPatch(outline, **style))
        right[start] += h
        left[stop] += h


def lineage_styles(
    labelings: Mapping[int, np.ndarray], chosen: int, styles: Mapping[int, SegmentStyle]
) -> dict[Node, SegmentStyle]:
    """Give each segment of each solution the style of the chosen one it shares most with."""
    found: dict[Node, SegmentStyle] = {}
    for k, labels in labelings.items():
        nearest = pd.crosstab(labels, labelings[chosen]).idxmax(axis=1)
        found |= {(k, segment): styles[nearest[segment] + 1] for segment in nearest.index}
    return found


def lineage_text(flows: pd.DataFrame, chosen: int) -> str:
    """Say how many ribbons touch the chosen solution."""
    touching = ((flows["k_from"] == chosen) | (flows["k_to"] == chosen)).sum()
    return (
        f"Flow of customers between solutions with {flows['k_from'].min()} to "
        f"{flows['k_to'].max()} segments; {touching} ribbons touch the chosen one with {chosen}."
    )


def agreement_bars(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the agreement of alternatives with the chosen segments, one marker a row.

    Parameters
    ----------
    table : DataFrame
        From `sensitivity.agreement_table`.
    """
    choices = list(table["choice"].unique())
    for row, entry in enumerate(table.itertuples()):
        place = choices.index(entry.choice)
        style: Style = {"color": COLOURS[place % len(COLOURS)], "marker": "osD^vPX"[place]}
        ax.plot([0, entry.ARI], [row, row], color=PALE, linewidth=2, zorder=1)
        ax.plot(entry.ARI, row, linestyle="", markersize=8, label=entry.choice, **style)
        note(ax, f"{entry.ARI:.2f}", (entry.ARI, row), (8, 0), va="center")
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    above: Style = {"loc": "lower center", "bbox_to_anchor": (0.3, 1.0), "ncols": len(choices)}
    ax.legend(handles.values(), handles.keys(), handletextpad=0.2, columnspacing=1, **above)
    label_rows(ax, table["alternative"], 44, fontsize=10)
    ax.set_xlim(0, 1.09)
    ax.set_xlabel("Agreement with the chosen segments (ARI)")
    return ax


def agreement_text(table: pd.DataFrame) -> str:
    """Say which alternatives agree least and most with the chosen segments.

    Parameters
    ----------
    table : DataFrame
        From `sensitivity.agreement_table`, the lowest first.
    """
    least, most = table.iloc[0], table.iloc[-1]
    return f"From {least.ARI:.2f} for {least.alternative} to {most.ARI:.2f} for {most.alternative}."


def calibration_curve(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw how often two refits agree on a customer's segment, by their confidence."""
    ax.plot(table["confidence"], table["kept"], "o-", color=ACCENT)
    for row in table.itertuples():
        note(ax, f"{row.kept:.0%}", (row.confidence, row.kept), (0, -17), ha="center", bbox=PATCH)
    ax.set(xlabel="Confidence: 0 on the boundary, 1 at the centre", ylim=(0, 1.04))
    ax.set_ylabel("Pairs of refits that agree")
    percent(ax.yaxis)
    return ax


def calibration_text(table: pd.DataFrame) -> str:
    """Say how often two refits agree on the least and on the most confident customers."""
    return (
        f"The curve goes from {table['kept'].iloc[0]:.0%} for the least confident to "
        f"{table['kept'].iloc[-1]:.0%} for the most confident."
    )
