"""Figures of notebook 06: who the segments are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from customer_tables.text import printable
from segmentation.dataset import Feature
from segmentation.figures.style import (
    DIVERGING,
    INK,
    MUTED,
    NOISE,
    SegmentStyle,
    panels_for,
    segment_legend,
    slanted,
)


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
    ax.set_yticks(range(len(sizes)), [printable(names[s], 34) for s in sizes.index])
    largest = sizes[["share", "value_share_high"]].to_numpy().max()
    ax.set(ylim=(len(sizes) - 0.4, -0.6), xlim=(0, largest * 1.12))
    ax.set_xlabel(f"Grey: share of customers. Colour: share of {printable(value_label)}")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(axis="y", visible=False)
    return ax


def shares_text(sizes: pd.DataFrame, names: Mapping[int, str], nouns: str, value_label: str) -> str:
    """Say which segment is the largest and which makes most of the value."""
    largest, top = sizes["share"].idxmax(), sizes["value_share"].idxmax()
    return (
        f"{names[largest]} is the largest segment ({sizes.share[largest]:.0%} of {nouns}); "
        f"{names[top]} makes the largest part of {value_label} ({sizes.value_share[top]:.0%})."
    )


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


def profiles(
    effects: pd.DataFrame,
    markers: pd.DataFrame,
    labels: Mapping[str, str],
    names: Mapping[int, str],
    styles: Mapping[int, SegmentStyle],
) -> Figure:
    """Draw the profiles of all segments on common axes, a panel for each.

    Parameters
    ----------
    effects : DataFrame, shape (n_segments, n_features)
    markers : DataFrame of bool, shape (n_segments, n_features)
    labels : mapping of str to str
        What readers call a feature.
    """
    height = 0.24 * effects.shape[1] + 0.7
    figure, axes = panels_for(len(names), height, sharex=True, sharey=True)
    short = [printable(labels[feature], 34) for feature in effects]
    for ax, (segment, name) in zip(axes, names.items(), strict=True):
        profile(effects.loc[segment], markers.loc[segment], short, styles[segment], ax)
        ax.set_title(printable(name, 27), color=styles[segment].colour, fontsize=10.5)
    figure.supxlabel("Standard deviations from the average", fontsize=11)
    return figure


def profiles_text(
    effects: pd.DataFrame, labels: Mapping[str, str], names: Mapping[int, str]
) -> str:
    """Name the largest effect of all segments."""
    segment = effects.abs().max(axis=1).idxmax()
    feature = effects.loc[segment].abs().idxmax()
    return (
        f"Bars by segment. The largest effect is {labels[feature]} of {names[segment]} "
        f"({effects.loc[segment, feature]:+.1f} standard deviations)."
    )


def effects_heatmap(effects: pd.DataFrame, labels: list[str], names: list[str], ax: Axes) -> Axes:
    """Draw effect sizes of features (rows) by segment (columns), each value written out."""
    reach = max(1.0, float(effects.abs().to_numpy().max()))
    sns.heatmap(
        effects.T.to_numpy(), vmin=-reach, vmax=reach, cmap=DIVERGING, annot=True, fmt="+.1f",
        annot_kws={"fontsize": 10}, cbar=False, ax=ax,
        yticklabels=[printable(label, 40) for label in labels],
    )  # fmt: skip
    slanted(ax, names)
    return ax


def effects_text(effects: pd.DataFrame, labels: Mapping[str, str], names: Mapping[int, str]) -> str:
    """Say in which feature segments differ most, and how far."""
    widest = (effects.max() - effects.min()).idxmax()
    column = effects[widest]
    return (
        f"Heatmap. The widest difference between segments is in {labels[widest]}, from "
        f"{column.min():+.1f} for {names[column.idxmin()]} to {column.max():+.1f} for "
        f"{names[column.idxmax()]}."
    )


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


def quartiles(
    table: pd.DataFrame,
    labels: pd.Series,
    features: Sequence[Feature],
    names: Mapping[int, str],
    styles: Mapping[int, SegmentStyle],
) -> Figure:
    """Draw the middle half and the median of features in each segment, a panel for each.

    Parameters
    ----------
    table : DataFrame, shape (n_customers, n_features)
        In real units.
    labels : Series, shape (n_customers,)
    features : sequence of Feature
        Which to draw.
    """
    figure, axes = panels_for(len(features), 0.24 * len(names) + 1.1)
    for ax, feature in zip(axes, features, strict=True):
        log = feature.kind in ("money", "count") and table[feature.name].min() >= 0
        quartiles_by_segment(table[feature.name], labels, styles, ax, log=log)
        ax.set_title(printable(feature.label or feature.name, 40), fontsize=11.5)
    segment_legend(figure, names, styles)
    return figure


def second_choices(table: pd.DataFrame, names: list[str], ax: Axes) -> Axes:
    """Draw which segment would be each segment's second choice, as shares of its customers."""
    short = [printable(name, 30) for name in names]
    sns.heatmap(
        table.to_numpy(), vmin=0, vmax=1, cmap="Greys", annot=True, fmt=".0%", cbar=False,
        annot_kws={"fontsize": 10}, mask=np.eye(len(names), dtype=bool), yticklabels=short, ax=ax,
    )  # fmt: skip
    slanted(ax, names)
    ax.set(xlabel="second choice")
    return ax


def second_choices_text(table: pd.DataFrame) -> str:
    """Say which segment has one neighbour above all.

    Parameters
    ----------
    table : DataFrame, indexed by name, a column per name
    """
    closest = table.max(axis=1).idxmax()
    return (
        f"Heatmap. {closest} has one neighbour above all: {table.loc[closest].idxmax()} "
        f"({table.loc[closest].max():.0%})."
    )
