"""Figures about a later period: drift of features and sizes, and who went where."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from segmentation.drift import REBUILD, WATCH
from segmentation.figures.robustness import ribbons
from segmentation.figures.style import (
    INK,
    MUTED,
    NOISE,
    PALE,
    TOP,
    SegmentStyle,
    Style,
    label_rows,
    note,
)
from segmentation.migration import Migration

BANDS: Style = {
    "stable": (MUTED, "o"),
    "changed": ("#D55E00", "s"),
    "changed much": ("#882255", "D"),
}
GAP, WIDTH = 0.025, 0.09  # between the blocks of a flow, and half a block's width
ROOM = 0.035  # height from which a block has room for a number


def stability(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the stability index of each feature, as `Drift.features`, with its bands."""
    for row, entry in enumerate(table.itertuples()):
        colour, marker = BANDS[entry.band]
        ax.plot([0, entry.psi], [row, row], color=PALE, linewidth=2, zorder=1)
        ax.plot(entry.psi, row, marker, color=colour, markersize=7)
        ax.plot([entry.noise] * 2, [row - 0.3, row + 0.3], color=INK, linewidth=1)
    for limit, word in ((WATCH, "changed"), (REBUILD, "changed much")):
        ax.axvline(limit, color=MUTED, linewidth=1.3, linestyle=(0, (4, 3)), zorder=1)
        note(ax, f"{word}: {limit:g}", (limit, 1), (3, 2), xycoords=TOP, color=INK)
    label_rows(ax, table["feature"], 40, fontsize=10)
    ax.set_xlabel("Population stability index")
    ax.set_xlim(0, max(1.35 * REBUILD, 1.1 * table["psi"].max(), 1.1 * table["noise"].max()))
    return ax


def stability_text(table: pd.DataFrame) -> str:
    """Say which feature changed most, and how many are in which band."""
    top = table.iloc[0]
    counts = ", ".join(f"{(table['band'] == band).sum()} {band}" for band in BANDS)
    return f"Index by feature: {counts}. The largest is {top.psi:.2f}, for {top.feature}."


def sizes(table: pd.DataFrame, styles: Mapping[int, SegmentStyle], ax: Axes) -> Axes:
    """Draw the change of each segment's share, as `Drift.segments`, with its interval."""
    ax.axvline(0, color=MUTED, linewidth=1)
    for row, entry in enumerate(table.itertuples()):
        style, points = styles[entry.segment], 100 * np.array([entry.low, entry.change, entry.high])
        ax.plot(points[[0, 2]], [row, row], color=style.colour, linewidth=2)
        ax.plot(points[1], row, style.marker, color=style.colour, markersize=9)
        change = f"{points[1]:+.1f}".replace("-", "−")
        note(ax, change, (points[1], row), (0, 8), ha="center")
    label_rows(ax, table["name"], above=0.8, fontsize=10)
    ax.set_xlabel("Change of the share, in percentage points")
    return ax


def sizes_text(table: pd.DataFrame) -> str:
    """Say which segment lost and which gained most."""
    least, most = (table.loc[i] for i in (table["change"].idxmin(), table["change"].idxmax()))
    return (
        f"{least['name']} changed by {100 * least.change:+.1f} percentage points, "
        f"{most['name']} by {100 * most.change:+.1f}."
    )


def flow(migration: Migration, styles: Mapping[int, SegmentStyle], ax: Axes) -> Axes:
    """Draw who went where: segments before on the left, now on the right.

    Grey are those who are in one period alone: new customers come in at the lower left, those who
    are gone go to the lower right. Ribbons have the colour of the segment that they come from.
    """
    counts = migration.with_others.to_numpy(float)
    shares = counts / counts.sum()
    drawn = [styles[s] for s in range(1, len(counts))] + [SegmentStyle(NOISE, "")]
    heights = {0: shares.sum(axis=1), 1: shares.sum(axis=0)}
    tops = {
        (side, place): top
        for side in heights
        for place, top in enumerate(np.cumsum([0.0, *(heights[side][:-1] + GAP)]))
    }
    flows = [
        ((0, row), (1, column), share, drawn[row].colour)
        for (row, column), share in np.ndenumerate(shares)
        if share
    ]
    ribbons(ax, flows, tops, WIDTH)
    for (side, place), top in tops.items():
        _block(ax, side, top, heights[side][place], drawn[place])
    ax.set(xlim=(-0.12, 1.12), ylim=(1 + GAP * (len(counts) - 1) + 0.01, -0.01), yticks=[])
    ax.set_xticks([0, 1], ["Before", "Now"])
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.grid(visible=False)
    return ax


def _block(ax: Axes, side: int, top: float, share: float, style: SegmentStyle) -> None:
    """Draw one side's block of a segment with its marker, or of those new or gone with a word."""
    if not share:
        return
    border: Style = {"edgecolor": "white", "linewidth": 0.6, "zorder": 3}
    middle = top + share / 2
    ax.barh(middle, 2 * WIDTH, share, side - WIDTH, color=style.colour, **border)
    if share < ROOM:
        return
    text: Style = {"zorder": 4, "ha": "center", "va": "center", "fontsize": 9.5}
    if style.marker:
        ax.plot(side - 0.05, middle, style.marker, color="white", markersize=5, zorder=4)
        ax.text(side + 0.03, middle, f"{share:.0%}", color="white", **text)
    else:
        ax.text(side, middle, f"{('new', 'gone')[side]} {share:.0%}", color=INK, **text)


def flow_text(migration: Migration, nouns: str) -> str:
    """Say how many stayed, moved, came and went, and which move is the largest."""
    moves = migration.moves.to_numpy(copy=True)
    np.fill_diagonal(moves, 0)
    row, column = (
        migration.moves.columns[i] for i in np.unravel_index(moves.argmax(), moves.shape)
    )
    largest = f" The largest move is that from {row} to {column}." if moves.any() else ""
    return (
        f"Of {migration.both:,} {nouns} of both periods {1 - migration.moved:.0%} are in the same "
        f"segment; {migration.new:,} are new, {migration.gone:,} are gone.{largest}"
    )
