"""Figures of notebook 06: who the segments are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

from segmentation.figures.style import DIVERGING, INK, MUTED, NOISE, SegmentStyle, slanted
from segmentation.presentation import plain


def shares(
    sizes: pd.DataFrame,
    names: Mapping[int, str],
    styles: Mapping[int, SegmentStyle],
    ax: Axes,
    value_label: str,
) -> Axes:
    """Draw each segment's share of customers beside its share of value, with its interval."""
    for row, segment in enumerate(sizes.index):
        entry, colour = sizes.loc[segment], styles[segment].colour
        ax.barh(row - 0.2, entry["share"], 0.36, color=NOISE)
        ax.barh(row + 0.2, entry["value_share"], 0.36, color=colour)
        ax.plot([entry["value_share_low"], entry["value_share_high"]], [row + 0.2] * 2,
                color=INK, linewidth=1.4)  # fmt: skip
        for offset, value, end in (
            (-0.2, entry["share"], entry["share"]),
            (0.2, entry["value_share"], entry["value_share_high"]),
        ):
            ax.annotate(f"{value:.0%}", (end, row + offset), xytext=(5, 0), va="center",
                        textcoords="offset points", fontsize=10.5)  # fmt: skip
    ax.set_yticks(range(len(sizes)), [plain(names[s], 34) for s in sizes.index])
    largest = sizes[["share", "value_share_high"]].to_numpy().max()
    ax.set(ylim=(len(sizes) - 0.4, -0.6), xlim=(0, largest * 1.12))
    ax.set_xlabel(f"Grey: share of customers. Colour: share of {plain(value_label)}")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(axis="y", visible=False)
    return ax


def profile(
    effects: pd.Series, markers: pd.Series, labels: list[str], style: SegmentStyle, ax: Axes
) -> Axes:
    """Draw one segment's profile: effect sizes, marker variables in colour, others grey."""
    colours = [style.colour if mark else "#C3C8CE" for mark in markers]
    ax.barh(range(len(effects)), effects, color=colours, height=0.72)
    ax.axvline(0, color=INK, linewidth=1)
    ax.set_yticks(range(len(labels)), labels, fontsize=9.5)
    ax.set(ylim=(len(labels) - 0.4, -0.6))
    ax.grid(axis="y", visible=False)
    return ax


def effects_heatmap(effects: pd.DataFrame, labels: list[str], names: list[str], ax: Axes) -> Axes:
    """Draw effect sizes of features (rows) by segment (columns), each value written out."""
    reach = max(1.0, float(effects.abs().to_numpy().max()))
    sns.heatmap(
        effects.T.to_numpy(), vmin=-reach, vmax=reach, cmap=DIVERGING, annot=True, fmt="+.1f",
        annot_kws={"fontsize": 10}, cbar=False, ax=ax,
        yticklabels=[plain(label, 40) for label in labels],
    )  # fmt: skip
    slanted(ax, names)
    return ax


def quartiles_by_segment(
    values: pd.Series,
    labels: pd.Series,
    styles: Mapping[int, SegmentStyle],
    ax: Axes,
    *,
    log: bool,
) -> Axes:
    """Draw the middle half and the median of a feature in each segment, and of everybody."""
    groups = [("all", values), *((s, values[labels == s]) for s in sorted(styles))]
    for row, (segment, part) in enumerate(groups):
        low, middle, high = part.quantile([0.25, 0.5, 0.75])
        if log:
            low, middle, high = np.log1p([low, middle, high])
        colour = MUTED if segment == "all" else styles[segment].colour
        marker = "o" if segment == "all" else styles[segment].marker
        ax.plot([low, high], [row, row], color=colour, linewidth=6, alpha=0.45,
                solid_capstyle="butt")  # fmt: skip
        ax.plot(middle, row, marker, color=colour, markersize=8, markeredgecolor="white")
    ax.set(ylim=(len(groups) - 0.4, -0.6))
    ax.set_yticks([])
    ax.grid(axis="y", visible=False)
    if log:
        ticks = [t for t in (0, 10, 100, 1_000, 10_000, 100_000) if t <= max(values.max(), 10)]
        ax.set_xticks(np.log1p(ticks), [f"{t:,}" if t < 1000 else f"{t // 1000}k" for t in ticks])
    else:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    return ax


def second_choices(table: pd.DataFrame, names: list[str], ax: Axes) -> Axes:
    """Draw which segment would be each segment's second choice, as shares of its customers."""
    short = [plain(name, 30) for name in names]
    sns.heatmap(
        table.to_numpy(), vmin=0, vmax=1, cmap="Greys", annot=True, fmt=".0%", cbar=False,
        annot_kws={"fontsize": 10}, mask=np.eye(len(names), dtype=bool), yticklabels=short, ax=ax,
    )  # fmt: skip
    slanted(ax, names)
    ax.set(xlabel="second choice")
    return ax
