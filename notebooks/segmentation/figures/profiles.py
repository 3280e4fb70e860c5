"""Figures of notebook 06: who the segments are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from customer_tables.text import printable, share
from segmentation.dataset import Feature
from segmentation.figures import style as st


def shares(
    sizes: pd.DataFrame, names: st.Names, styles: st.Styles, ax: Axes, value_label: str
) -> Axes:
    """Draw each segment's share of customers beside its share of value, with its interval."""
    for row, (segment, entry) in enumerate(sizes.iterrows()):
        ax.barh(row - 0.2, entry["share"], 0.36, color=st.NOISE)
        ax.barh(row + 0.2, entry["value_share"], 0.36, color=styles[segment].colour)
        interval = entry[["value_share_low", "value_share_high"]]
        ax.plot(interval, [row + 0.2] * 2, color=st.INK, linewidth=1.4)
        style: st.Style = {"va": "center", "fontsize": 10.5}
        st.note(ax, share(entry["share"]), (entry["share"], row - 0.2), (5, 0), **style)
        end = (entry["value_share_high"], row + 0.2)
        st.note(ax, share(entry["value_share"]), end, (5, 0), **style)
    st.label_rows(ax, [names[segment] for segment in sizes.index])
    ax.set_xlim(0, sizes[["share", "value_share_high"]].to_numpy().max() * 1.12)
    ax.set_xlabel(f"Grey: share of customers. Colour: share of {printable(value_label)}")
    st.percent(ax.xaxis)
    return ax


def shares_text(sizes: pd.DataFrame, names: st.Names, nouns: str, value_label: str) -> str:
    """Say which segment is the largest and which makes most of the value."""
    largest, top = sizes["share"].idxmax(), sizes["value_share"].idxmax()
    return (
        f"{names[largest]} is the largest segment ({sizes.share[largest]:.0%} of {nouns}); "
        f"{names[top]} makes the largest part of {value_label} ({sizes.value_share[top]:.0%})."
    )


def profiles(
    effects: pd.DataFrame,
    markers: pd.DataFrame,
    labels: Mapping[str, str],
    names: st.Names,
    styles: st.Styles,
) -> Figure:
    """Draw effect sizes (segments x features) on common axes, a panel for each segment.

    Marker variables are drawn in colour, the others in grey.
    """
    height = 0.24 * effects.shape[1] + 0.7
    figure, axes = st.panels_for(len(names), height, sharex=True, sharey=True)
    for ax, (segment, name) in zip(axes, names.items(), strict=True):
        colour, sizes = styles[segment].colour, effects.loc[segment]
        colours = [colour if marker else "#C3C8CE" for marker in markers.loc[segment]]
        ax.barh(range(len(sizes)), sizes, color=colours, height=0.72)
        ax.axvline(0, color=st.INK, linewidth=1)
        st.label_rows(ax, [labels[feature] for feature in effects], fontsize=9.5)
        ax.set_title(printable(name, 27), color=colour, fontsize=10.5)
    figure.supxlabel("Standard deviations from the average", fontsize=11)
    return figure


def profiles_text(effects: pd.DataFrame, labels: Mapping[str, str], names: st.Names) -> str:
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
    table = pd.DataFrame(effects.T.to_numpy(), index=labels, columns=names)
    return st.heatmap(table, ax, "+.1f", vmin=-reach, vmax=reach, cmap=st.DIVERGING)


def effects_text(effects: pd.DataFrame, labels: Mapping[str, str], names: st.Names) -> str:
    """Say in which feature segments differ most, and how far."""
    widest = (effects.max() - effects.min()).idxmax()
    column = effects[widest]
    return (
        f"Heatmap. The widest difference between segments is in {labels[widest]}, from "
        f"{column.min():+.1f} for {names[column.idxmin()]} to {column.max():+.1f} for "
        f"{names[column.idxmax()]}."
    )


def quartiles(
    table: pd.DataFrame,
    labels: pd.Series,
    features: Sequence[Feature],
    names: st.Names,
    styles: st.Styles,
) -> Figure:
    """Draw the middle half and the median of features in real units, a panel for each.

    The first row is everybody, the segments follow.
    """
    figure, axes = st.panels_for(len(features), 0.24 * len(names) + 1.1)
    for ax, feature in zip(axes, features, strict=True):
        values = table[feature.name]
        log = feature.kind in ("money", "count") and values.min() >= 0
        rows = [(values, st.SegmentStyle(st.MUTED, "o"))]
        rows += [(values[labels == segment], styles[segment]) for segment in sorted(styles)]
        for row, (part, style) in enumerate(rows):
            found = part.quantile([0.25, 0.5, 0.75])
            st.middle_half(ax, row, np.log1p(found) if log else found, style)
        st.label_rows(ax, [""] * len(rows))
        ax.set_yticks([])
        if log:
            st.log_ticks(ax.xaxis, values.max())
        else:
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
        ax.set_title(printable(feature.label or feature.name, 40), fontsize=11.5)
    st.segment_legend(figure, names, styles)
    return figure


def second_choices(table: pd.DataFrame, names: list[str], ax: Axes) -> Axes:
    """Draw which segment would be each segment's second choice, as shares of its customers."""
    own = np.eye(len(names), dtype=bool)
    named = pd.DataFrame(table.to_numpy(), index=names, columns=names)
    st.heatmap(named, ax, ".0%", mask=own, vmin=0, vmax=1, cmap="Greys")
    ax.set(xlabel="second choice")
    return ax


def second_choices_text(table: pd.DataFrame) -> str:
    """Say which segment has one neighbour above all; rows and columns are named."""
    closest = table.max(axis=1).idxmax()
    return (
        f"Heatmap. {closest} has one neighbour above all: {table.loc[closest].idxmax()} "
        f"({table.loc[closest].max():.0%})."
    )
