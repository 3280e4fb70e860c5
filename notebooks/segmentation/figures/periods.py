"""Figures about a later period: drift of features and sizes, and who went where."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customer_tables.text import printable
from segmentation.figures.selection import ribbon
from segmentation.figures.style import INK, MUTED, NOISE, SegmentStyle
from segmentation.monitoring.drift import REBUILD, WATCH
from segmentation.monitoring.migration import Migration

BANDS = {"stable": (MUTED, "o"), "changed": ("#D55E00", "s"), "changed much": ("#882255", "D")}
GAP, WIDTH = 0.025, 0.09  # between the blocks of a flow, and half a block's width
ROOM = 0.035  # height from which a block has room for a number


def stability(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the population stability index of each feature, the largest first, with its bands.

    Parameters
    ----------
    table : DataFrame
        From `monitoring.drift.feature_table`.
    """
    for row, entry in enumerate(table.itertuples()):
        colour, marker = BANDS[entry.band]
        ax.plot([0, entry.psi], [row, row], color="#D5DAE0", linewidth=2, zorder=1)
        ax.plot(entry.psi, row, marker, color=colour, markersize=7)
        ax.plot([entry.noise] * 2, [row - 0.3, row + 0.3], color=INK, linewidth=1)
    for limit, word in ((WATCH, "changed"), (REBUILD, "changed much")):
        ax.axvline(limit, color=MUTED, linewidth=1.3, linestyle=(0, (4, 3)), zorder=1)
        ax.annotate(f"{word}: {limit:g}", (limit, 1), xycoords=("data", "axes fraction"),
                    xytext=(3, 2), textcoords="offset points", fontsize=10, color=INK)  # fmt: skip
    ax.set_yticks(
        range(len(table)), [printable(name, 40) for name in table["feature"]], fontsize=10
    )
    ax.set(ylim=(len(table) - 0.4, -0.6), xlabel="Population stability index")
    ax.set_xlim(0, max(1.35 * REBUILD, 1.1 * table["psi"].max(), 1.1 * table["noise"].max()))
    ax.grid(axis="y", visible=False)
    return ax


def stability_text(table: pd.DataFrame) -> str:
    """Say which feature changed most, and how many are in which band."""
    top = table.iloc[0]
    counts = ", ".join(f"{(table['band'] == band).sum()} {band}" for band in BANDS)
    return f"Index by feature: {counts}. The largest is {top.psi:.2f}, for {top.feature}."


def sizes(table: pd.DataFrame, styles: Mapping[int, SegmentStyle], ax: Axes) -> Axes:
    """Draw the change of each segment's share with its interval.

    Parameters
    ----------
    table : DataFrame
        From `monitoring.drift.segment_table`.
    """
    ax.axvline(0, color=MUTED, linewidth=1)
    for row, entry in enumerate(table.itertuples()):
        style, points = styles[entry.segment], 100 * np.array([entry.low, entry.change, entry.high])
        ax.plot(points[[0, 2]], [row, row], color=style.colour, linewidth=2)
        ax.plot(points[1], row, style.marker, color=style.colour, markersize=9)
        ax.annotate(f"{points[1]:+.1f}".replace("-", "−"), (points[1], row), xytext=(0, 8),
                    textcoords="offset points", ha="center", fontsize=10)  # fmt: skip
    ax.set_yticks(range(len(table)), [printable(name, 34) for name in table["name"]], fontsize=10)
    ax.set(ylim=(len(table) - 0.4, -0.8), xlabel="Change of the share, in percentage points")
    ax.grid(axis="y", visible=False)
    return ax


def sizes_text(table: pd.DataFrame) -> str:
    """Say which segment lost and which gained most."""
    places = table["change"].idxmin(), table["change"].idxmax()
    least, most = (table.loc[place] for place in places)
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
    total = counts.sum()
    looks = [styles[s] for s in range(1, len(counts))] + [SegmentStyle(NOISE, "")]
    tops = [_tops(counts.sum(axis=axis) / total) for axis in (1, 0)]
    starts, stops = (list(side) for side in tops)
    for row, column in np.ndindex(*counts.shape):
        height = counts[row, column] / total
        if height:
            ribbon(ax, WIDTH, starts[row], 1 - WIDTH, stops[column], height, looks[row].colour)
            starts[row] += height
            stops[column] += height
    for side, (axis, word) in enumerate(((1, "new"), (0, "gone"))):
        for place, share in enumerate(counts.sum(axis=axis) / total):
            _block(ax, side, tops[side][place], share, looks[place], word)
    bottom = 1 + GAP * (len(counts) - 1)
    ax.set(xlim=(-0.12, 1.12), ylim=(bottom + 0.01, -0.01), yticks=[])
    ax.set_xticks([0, 1], ["Before", "Now"])
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.grid(visible=False)
    return ax


def _tops(shares: np.ndarray) -> list[float]:
    """Return where each block of a side begins, from the top."""
    return list(np.cumsum([0.0, *(shares[:-1] + GAP)]))


def _block(ax: Axes, side: int, top: float, share: float, look: SegmentStyle, word: str) -> None:
    """Draw one side's block of a segment with its marker, or with a word where it is none."""
    if not share:
        return
    ax.barh(top + share / 2, 2 * WIDTH, share, side - WIDTH, color=look.colour,
            edgecolor="white", linewidth=0.6, zorder=3)  # fmt: skip
    if share < ROOM:
        return
    if look.marker:
        ax.plot(side - 0.05, top + share / 2, look.marker, color="white", markersize=5, zorder=4)
    text = f"{share:.0%}" if look.marker else f"{word} {share:.0%}"
    ax.text(side + (0.03 if look.marker else 0), top + share / 2, text, zorder=4, ha="center",
            va="center", fontsize=9.5, color="white" if look.marker else INK)  # fmt: skip


def flow_text(migration: Migration, nouns: str) -> str:
    """Say how many stayed, moved, came and went, and which move is the largest."""
    moves = migration.moves.to_numpy(copy=True)
    np.fill_diagonal(moves, 0)
    row, column = np.unravel_index(moves.argmax(), moves.shape)
    names = list(migration.moves.columns)
    largest = (
        f" The largest move is that from {names[row]} to {names[column]}." if moves.any() else ""
    )
    return (
        f"Of {migration.both:,} {nouns} of both periods {1 - migration.moved:.0%} are in the same "
        f"segment; {migration.new:,} are new, {migration.gone:,} are gone.{largest}"
    )
