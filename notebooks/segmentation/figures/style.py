"""One style for all figures: type, lines, labels, and the colour and marker of each segment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
from matplotlib.ticker import PercentFormatter

from customer_tables.text import printable
from segmentation.palette import colour_and_marker

NOISE, MUTED, ACCENT, INK = "#9AA0A6", "#6B7280", "#0072B2", "#1F2933"
PALE = "#D5DAE0"  # what is behind: all customers behind one segment, the rail of a marker
WIDTH = 7.6  # inches; narrow, so that text stays readable on a phone
PATCH = {"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85}  # behind a label
SEQUENTIAL, DIVERGING = "Blues", "RdBu_r"
Style = dict[str, Any]  # settings of a line, a marker or a text, as matplotlib takes them
TOP, SIDE = ("data", "axes fraction"), ("axes fraction", "data")  # notes at the edge of the axes


@dataclass(frozen=True)
class SegmentStyle:
    """How one segment is drawn in every figure of every notebook."""

    colour: str
    marker: str


Names = Mapping[int, str]  # of segments, by their number
Styles = Mapping[int, SegmentStyle]


def segment_styles(k: int) -> dict[int, SegmentStyle]:
    """Return the colour and marker of segments 1 to k."""
    return {number: SegmentStyle(*colour_and_marker(number)) for number in range(1, k + 1)}


def use_style() -> None:
    """Set the style of all figures that follow."""
    mpl.rcParams.update(
        {
            "figure.figsize": (WIDTH, 4.2),
            "figure.dpi": 72,
            "font.size": 11.5,
            "axes.titlesize": 12.5,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": 11.5,
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
            "legend.fontsize": 10.5,
            "lines.linewidth": 1.8,
            "text.parse_math": False,  # a column named $x$ is a name, not mathematics
        }
    )


def panels(rows: int, columns: int, height: float, **settings: Any) -> tuple[Figure, Any]:
    """Make a figure with a grid of axes at the common width; height in inches a row."""
    settings |= {"figsize": (WIDTH, height * rows), "layout": "constrained", "squeeze": False}
    return plt.subplots(rows, columns, **settings)


def panels_for(
    count: int, height: float, columns: int = 2, **settings: Any
) -> tuple[Figure, list[Axes]]:
    """Make a figure with so many axes, row by row; what is left of the grid stays empty."""
    figure, axes = panels(-(-count // columns), columns, height, **settings)
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    return figure, list(axes.flat[:count])


def segment_legend(figure: Figure, names: Names, styles: Styles, columns: int = 2) -> None:
    """Say below a figure which colour and marker belong to which segment."""
    handles = [
        Line2D([], [], marker=styles[s].marker, color=styles[s].colour, label=printable(name, 40))
        for s, name in names.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def legend_below(figure: Figure, ax: Axes) -> None:
    """Put the legend of one of the axes below the whole figure, each label once and readable."""
    drawn, labels = ax.get_legend_handles_labels()
    once = dict(zip(labels, drawn, strict=True))
    legend = figure.legend(once.values(), once.keys(), loc="outside lower center", ncols=3)
    handles: Any = legend.legend_handles
    for handle in handles:
        handle.set_alpha(1)
        handle.set_markersize(max(handle.get_markersize(), 7))


def note(
    ax: Axes, text: str, point: tuple[float, float], offset: tuple[float, float], **settings: Any
) -> None:
    """Write beside a point, at an offset in printer's points."""
    style: Style = {"fontsize": 10, "textcoords": "offset points"} | settings
    ax.annotate(text, point, xytext=offset, **style)


def label_rows(
    ax: Axes, labels: Iterable[object], longest: int = 34, *, above: float = 0.6, **settings: Any
) -> None:
    """Label the rows 0, 1, … from the top down, with room above the first."""
    names = [printable(label, longest) for label in labels]
    ax.set_yticks(range(len(names)), names, **settings)
    ax.set_ylim(len(names) - 0.4, -above)
    ax.grid(axis="y", visible=False)


def percent(*axes: Axis) -> None:
    """Write the ticks of axes in whole percent."""
    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1, decimals=0))


def log_ticks(axis: Axis, highest: float) -> None:
    """Write amounts on an axis of log1p of them."""
    ticks = [t for t in (0, 10, 100, 1_000, 10_000, 100_000) if t <= max(highest, 10)]
    axis.set_ticks(np.log1p(ticks), [f"{t:,}" if t < 1_000 else f"{t // 1_000}k" for t in ticks])


def middle_half(ax: Axes, row: int, quartiles: Iterable[float], style: SegmentStyle) -> None:
    """Draw the middle half as a bar and the median as a marker."""
    low, middle, high = quartiles
    bar: Style = {"linewidth": 6, "alpha": 0.45, "solid_capstyle": "butt"}
    ax.plot([low, high], [row] * 2, color=style.colour, **bar)
    marker: Style = {"markersize": 8, "markeredgecolor": "white"}
    ax.plot(middle, row, style.marker, color=style.colour, **marker)


def heatmap(
    table: pd.DataFrame, ax: Axes, spec: str, *, written: float = 0, slant: float = 32, **settings
) -> Axes:
    """Draw a table in colours; values of at least ``written`` stand in their cells, as ``spec``."""
    texts = table.map(lambda value: format(value, spec) if abs(value) >= written else "")
    settings = {"annot": texts, "fmt": "", "annot_kws": {"fontsize": 10}, "cbar": False} | settings
    rows = [printable(label, 40) for label in table.index]
    sns.heatmap(table.to_numpy(), yticklabels=rows, ax=ax, **settings)
    slanted(ax, list(table), slant)
    return ax


def slanted(ax: Axes, names: list[str], degrees: float = 32) -> None:
    """Write the names of a heatmap's columns at a slant, so that long ones stay apart."""
    texts = [printable(name, 30) for name in names]
    slant: Style = {"rotation": degrees, "rotation_mode": "anchor"}
    slant["ha"] = "right" if degrees else "center"
    ax.set_xticks([place + 0.5 for place in range(len(names))], texts, **slant)
    ax.tick_params(axis="y", rotation=0)
    ax.tick_params(length=0)
    ax.grid(visible=False)
