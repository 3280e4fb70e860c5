"""One style for all figures: type, lines, labels, and the colour and marker of each segment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from textwrap import fill
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from customer_tables.text import printable
from segmentation.palette import SegmentStyle, luminance, segment_style

# Neutral inks for all that is no segment; the colours of the palette belong to segments alone.
INK, LINE, MUTED, NOISE = "#1F2933", "#3E4C5B", "#6B7280", "#9AA0A6"
PALE = "#D5DAE0"  # what is behind: all customers behind one segment, the rail of a marker
WIDTH = 9.4  # inches of 96 pixels: the column of a notebook's page on a screen of 1280
MOST_ROWS = 40  # of a figure with a row for each column
SMALL = 9  # points: 12 pixels as shown, the smallest text
PATCH = {"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85}  # behind a label
DIVERGING = "RdBu_r"
Style = dict[str, Any]  # settings of a line, a marker or a text, as matplotlib takes them
TOP, SIDE = ("data", "axes fraction"), ("axes fraction", "data")  # notes at the edge of the axes

Names = Mapping[int, str]  # of segments, by their number
Styles = Mapping[int, SegmentStyle]
Node = tuple[int, int]  # of a flow: where on the horizontal axis, and which block there


def segment_styles(k: int) -> dict[int, SegmentStyle]:
    """Return the colour and marker of segments 1 to k."""
    return {number: segment_style(number) for number in range(1, k + 1)}


def use_style() -> None:
    """Set the style of all figures that follow."""
    mpl.rcParams.update(
        {
            "figure.figsize": (WIDTH, 3.4),
            "figure.dpi": 96,
            "figure.constrained_layout.use": True,
            "figure.constrained_layout.w_pad": 0.08,  # ticks may still change after the layout
            "font.size": 10,
            "axes.titlesize": 10.5,
            "axes.titlelocation": "left",
            "axes.labelsize": 10,
            "axes.prop_cycle": plt.cycler(color=[LINE, MUTED, INK, NOISE]),
            "axes.labelcolor": INK,
            "axes.edgecolor": MUTED,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.grid": True,
            "grid.color": "#E5E7EB",
            "grid.linewidth": 0.8,
            "xtick.color": INK,
            "ytick.color": INK,
            "legend.frameon": False,
            "legend.fontsize": SMALL,
            "xtick.labelsize": SMALL,
            "ytick.labelsize": SMALL,
            "lines.linewidth": 1.6,
            "text.parse_math": False,  # a column named $x$ is a name, not mathematics
        }
    )


def headline(figure: Figure, title: str) -> None:
    """Write what a figure shows above it, from its left edge, in lines as long as it is wide."""
    bold: Style = {"fontsize": 11, "fontweight": "bold", "color": INK}
    drawn = figure.suptitle(title, x=0.005, ha="left", **bold)
    longest = len(title)
    while drawn.get_window_extent().x1 > figure.bbox.x1 and longest > 20:
        longest -= 2
        drawn.set_text(fill(title, longest))


def panels(rows: int, columns: int, height: float, **settings: Any) -> tuple[Figure, Any]:
    """Make a figure with a grid of axes at the common width; height in inches a row."""
    settings |= {"figsize": (WIDTH, height * rows), "squeeze": False}
    return plt.subplots(rows, columns, **settings)


def panels_for(
    count: int, height: float, columns: int = 2, **settings: Any
) -> tuple[Figure, list[Axes]]:
    """Make a figure with a number of axes, row by row; what is left of the grid stays empty."""
    figure, axes = panels(-(-count // columns), columns, height, **settings)
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    return figure, list(axes.flat[:count])


def segment_legend(figure: Figure, names: Names, styles: Styles) -> None:
    """Say below a figure which colour and marker belong to which segment."""
    handles = [
        Line2D([], [], marker=styles[s].marker, color=styles[s].colour, label=printable(name, 40))
        for s, name in names.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)


def once(ax: Axes) -> dict[str, Any]:
    """Return what the legend of the axes shows, by its label, each label once."""
    drawn, labels = ax.get_legend_handles_labels()
    return dict(zip(labels, drawn, strict=True))


def legend_below(figure: Any, ax: Axes, **settings: Any) -> None:
    """Put the legend of one of the axes below the whole figure, each label once."""
    settings = {"loc": "outside lower center", "ncols": 4} | settings
    figure.legend(once(ax).values(), once(ax).keys(), **settings)


def note(
    ax: Axes, text: str, point: tuple[float, float], offset: tuple[float, float], **settings: Any
) -> None:
    """Write beside a point, at an offset in printer's points."""
    style: Style = {"fontsize": SMALL, "textcoords": "offset points"} | settings
    ax.annotate(text, point, xytext=offset, **style)


def label_rows(
    ax: Axes, labels: Iterable[object], longest: int = 44, *, above: float = 0.6, **settings: Any
) -> None:
    """Label the rows 0, 1, … from the top down, with room above the first."""
    names = [printable(label, longest) for label in labels]
    ax.set_yticks(range(len(names)), names, **settings)
    ax.set_ylim(len(names) - 0.4, -above)
    ax.grid(axis="y", visible=False)


def readable_on(colour: str) -> str:
    """Return the ink, dark or white, that is read best on a colour."""
    return INK if luminance(colour) > 0.2 else "white"


def percent(*axes: Axis) -> None:
    """Write the ticks of axes in percent, at steps that need no rounding."""
    for axis in axes:
        axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda part, _: f"{100 * part:.4g}%"))


def log_ticks(axis: Axis, highest: float) -> None:
    """Write amounts on an axis of log1p of them."""
    ticks = [t for t in (0, 10, 100, 1_000, 10_000, 100_000) if t <= max(highest, 10)]
    axis.set_ticks(np.log1p(ticks), [f"{t:,}" if t < 1_000 else f"{t // 1_000}k" for t in ticks])


def over_k(ax: Axes, ks: np.ndarray) -> None:
    """Put real numbers of segments on the horizontal axis."""
    ax.xaxis.set_major_locator(FixedLocator(list(ks)))
    ax.set_xlabel("Number of segments, k")
    ax.grid(axis="x", visible=False)


def most_telling(ranking: pd.Series, what: str) -> tuple[pd.Index, str]:
    """Choose which rows a figure has room for, and say so in its caption where some are left out.

    Those that rank highest, at most `MOST_ROWS`, in their own order.
    """
    if len(ranking) <= MOST_ROWS:
        return ranking.index, ""
    kept = ranking.sort_values(ascending=False, kind="stable").index[:MOST_ROWS]
    told = f" Drawn: the {MOST_ROWS} of {len(ranking)} {what}."
    return ranking.index[ranking.index.isin(kept)], told


def middle_half(ax: Axes, row: int, quartiles: Iterable[float], style: SegmentStyle) -> None:
    """Draw the middle half as a bar and the median as a marker."""
    low, middle, high = quartiles
    bar: Style = {"linewidth": 6, "alpha": 0.45, "solid_capstyle": "butt"}
    ax.plot([low, high], [row] * 2, color=style.colour, **bar)
    marker: Style = {"markersize": 8, "markeredgecolor": "white"}
    ax.plot(middle, row, style.marker, color=style.colour, **marker)


def heatmap(table: pd.DataFrame, ax: Axes, write: Callable[[float], str], **settings) -> Axes:
    """Draw a table in colours; each cell holds what ``write`` makes of its value."""
    settings = {"annot": table.map(write), "fmt": "", "cbar": False} | settings
    settings |= {"annot_kws": {"fontsize": SMALL}}
    rows = [fill(printable(label, 64), 38) for label in table.index]
    sns.heatmap(table.to_numpy(), yticklabels=rows, ax=ax, **settings)
    names = [printable(name, 40) for name in table]
    room = 96 // max(len(names), 1)  # characters in a line above a column
    words = max(
        (len(word) for name in names for word in name.replace("-", "- ").split()), default=0
    )
    slant: Style = {"ha": "center"}
    if words > room:
        slant = {"rotation": 32, "rotation_mode": "anchor", "ha": "right"}
    texts = [printable(name, 30) if words > room else fill(name, room) for name in names]
    ax.set_xticks([place + 0.5 for place in range(len(names))], texts, **slant)
    ax.tick_params(axis="y", rotation=0)
    ax.tick_params(length=0)
    ax.grid(visible=False)
    return ax


def triangle(table: pd.DataFrame, ax: Axes, write: Callable[[float], str], **settings) -> Axes:
    """Draw one half of a symmetric table; each name ends its row and heads its column."""
    shown = table.where(np.tri(len(table), k=-1, dtype=bool))
    texts = shown.map(lambda value: "" if pd.isna(value) else write(value))
    settings |= {"annot_kws": {"fontsize": SMALL}, "linewidths": 0.5}
    ticks: Style = {"xticklabels": False, "yticklabels": False}
    sns.heatmap(shown.to_numpy(), annot=texts, fmt="", ax=ax, **ticks, **settings)
    for place, name in enumerate(table):
        ax.text(place + 0.1, place + 0.5, printable(name, 44), va="center", fontsize=SMALL)
    ax.grid(visible=False)
    return ax


def ribbons(
    ax: Axes,
    flows: Iterable[tuple[Node, Node, float, str]],
    tops: Mapping[Node, float],
    width: float,
) -> None:
    """Draw ribbons from blocks to blocks (start, stop, height, colour), each below the one before.

    Blocks begin at their tops and are twice as wide as `width`.
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
