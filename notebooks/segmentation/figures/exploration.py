"""Figures of notebooks 01 to 03: gaps, distributions, concentration and correlations."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from customer_tables.text import joined, number, printable
from segmentation.disclosure import MIN_GROUP_SIZE
from segmentation.figures import style as st
from segmentation.palette import COLOURS


def composition(parts: pd.DataFrame, ax: Axes) -> Axes:
    """Draw shares as stacked bars, a row of ``parts`` each, the first column leftmost."""
    named = parts.set_axis([printable(name, 44) for name in parts.index])
    filling: st.Style = {"color": ["#B3261E", "#C9D6E3", st.ACCENT], "edgecolor": "white"}
    named.plot.barh(stacked=True, width=0.75, ax=ax, **filling)
    for bar in ax.containers[0]:
        bar.set_hatch("///")
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel="Share of customers", ylabel="")
    st.percent(ax.xaxis)
    ax.grid(axis="y", visible=False)
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3)
    return ax


def gaps_text(parts: pd.DataFrame) -> str:
    """Say in which columns most values are missing, and most are zero."""
    missing, zero = parts["missing"], parts["zero"]
    gaps = f"Most gaps are in {missing.idxmax()} ({missing.max():.1%})"
    if not missing.any():
        gaps = "No column has gaps"
    return f"Stacked bars. {gaps}; most zeros in {zero.idxmax()} ({zero.max():.0%})."


def ends_text(ends: pd.DataFrame) -> str:
    """Say which share has the most customers at its two ends."""
    outside = 1 - ends["between"]
    return (
        f"Stacked bars. {outside.idxmax()} has the most customers at its two ends "
        f"({outside.max():.0%})."
    )


def share_bars(shares: pd.Series, ax: Axes, longest: int = 44) -> Axes:
    """Draw labelled horizontal bars of shares; the value stands at the end of its bar."""
    ax.barh(
        [printable(name, longest) for name in shares.index], shares, color=st.ACCENT, height=0.7
    )
    for row, share in enumerate(shares):
        st.note(ax, f"{share:.1%}", (share, row), (4, 0), va="center", fontsize=10.5)
    ax.set(ylim=(len(shares) - 0.5, -0.7), xlim=(0, max(shares.max() * 1.18, 0.01)))
    st.percent(ax.xaxis)
    ax.grid(axis="y", visible=False)
    return ax


def shares_text(shares: pd.Series) -> str:
    """List the shares that bars show."""
    return "Bars: " + ", ".join(f"{share:.1%} of {name}" for name, share in shares.items()) + "."


def amounts(zeros: pd.Series, quantiles: pd.DataFrame, nouns: str) -> Figure:
    """Draw shares of zeros beside quantiles of the values above zero, a row per column.

    ``quantiles`` are those of 5, 25, 50, 75 and 95 %, NaN where there are too few values.
    """
    figure, ((left, right),) = st.panels(1, 2, 0.5 * len(zeros) + 1.1, width_ratios=[1, 1.8])
    share_bars(zeros, left, longest=26)
    left.set(title="With none", xlabel=f"Share of {nouns}")
    for row, values in enumerate(quantiles.to_numpy()):
        if np.isfinite(values).all():
            right.plot(values[[0, 4]], [row, row], color=st.MUTED, linewidth=1.5)
            st.middle_half(right, row, values[1:4], st.SegmentStyle(st.ACCENT, "o"))
            st.note(right, number(values[2]), (values[2], row), (0, 8), ha="center", fontsize=9.5)
    st.label_rows(right, [""] * len(quantiles))
    right.set(xscale="log", ylim=left.get_ylim())
    right.set(title="Those with some", xlabel="Amount, logarithmic")
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    return figure


def amounts_text(zeros: pd.Series, spread: pd.Series) -> str:
    """Say where zeros are most frequent, and which column spans the widest range (it is first)."""
    return (
        f"Zeros are most frequent in {zeros.idxmax()} ({zeros.max():.0%}). The widest range is "
        f"that of {spread.index[0]}: its 95th percentile is {spread.iloc[0]:,.0f} times its 5th."
    )


def lorenz(curves: dict[str, np.ndarray], ax: Axes) -> Axes:
    """Draw concentration curves (Lorenz 1905) of amounts per customer, sorted downwards.

    The largest customers come in together, so that none of them can be read off.
    """
    styles = ("-", "--", "-.", ":")
    ax.plot([0, 1], [0, 1], color=st.NOISE, linewidth=1)
    ax.annotate("everybody the same", (0.70, 0.63), rotation=33, color=st.MUTED, fontsize=10)
    for place, (name, values) in enumerate(curves.items()):
        shares = np.concatenate([[0], np.sort(values)[::-1].cumsum() / values.sum()])
        x = np.linspace(0, 1, len(shares))
        shown = np.r_[0, min(MIN_GROUP_SIZE, len(values)) : len(shares)]
        colour = COLOURS[place % len(COLOURS)]
        ax.plot(x[shown], shares[shown], styles[place % 4], color=colour, label=printable(name, 40))
    ax.legend(loc="lower right", title="Curve of", alignment="left", handlelength=3)
    ax.set(xlim=(0, 1), ylim=(0, 1.02))
    ax.set(xlabel="Share of customers, largest first", ylabel="Share of the amount")
    st.percent(ax.xaxis, ax.yaxis)
    return ax


def lorenz_text(top: pd.Series, share: float) -> str:
    """Say what the largest customers make of the most and the least concentrated amount."""
    ends = top.iloc[[0, -1][: len(top)]]
    made = joined([f"{part:.0%} of {name}" for name, part in ends.items()])
    return f"Concentration curves. The top {share:.0%} of customers make {made}."


def concentration(amounts: np.ndarray, top: float = 0.1) -> float:
    """Return the share of an amount that the top share of customers makes."""
    ordered = np.sort(amounts)[::-1]
    return float(ordered[: max(1, round(top * len(ordered)))].sum() / ordered.sum())


def correlation_heatmap(correlation: pd.DataFrame, labels: Mapping[str, str], ax: Axes) -> Axes:
    """Draw the lower triangle of a correlation matrix, related columns side by side.

    Columns are ordered by average linkage on 1 - |r|. Strong correlations carry their value.
    """
    distance = 1 - correlation.abs().fillna(0).to_numpy()
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    order = correlation.columns[leaves_list(tree)]
    shown = correlation.loc[order, order].where(np.tri(len(order), k=-1, dtype=bool))
    bar: st.Style = {"label": "Rank correlation", "shrink": 0.5, "location": "top"}
    style: st.Style = {"cmap": st.DIVERGING, "vmin": -1, "vmax": 1, "cbar": True, "cbar_kws": bar}
    named = shown.rename(index=labels, columns=labels)
    return st.heatmap(named, ax, ".1f", written=0.6, slant=75, **style)


def correlation_text(pairs: pd.DataFrame) -> str:
    """Name the first of the pairs from `features.near_copies`."""
    if pairs.empty:
        return "Triangular heatmap without a pair of columns."
    pair = pairs.iloc[0]
    return (
        f"Triangular heatmap. The strongest pair is {pair['first']} with {pair['second']} "
        f"({pair['correlation']:.2f})."
    )


def densities(table: pd.DataFrame, pairs: pd.DataFrame, logarithmic: Collection[str]) -> Figure:
    """Draw where customers are dense in pairs of columns, a panel each; logarithmic counts.

    The columns in ``logarithmic`` have such axes, where they are wide and have no negative values.
    """
    figure, axes = st.panels_for(len(pairs), 3.1)
    for ax, pair in zip(axes, pairs.itertuples(), strict=True):
        drawn = []
        for axis, name in ((ax.xaxis, pair.first), (ax.yaxis, pair.second)):
            axis.set_label_text(printable(name, 40))
            values, highest = table[name], table[name].max()
            if name in logarithmic and values.min() >= 0 and highest >= 30:
                values = np.log1p(values)
                st.log_ticks(axis, highest)
            drawn.append(values)
        ax.hexbin(*drawn, gridsize=32, bins="log", cmap="Blues", mincnt=1, linewidths=0.1)
    return figure


def densities_text(pairs: pd.DataFrame) -> str:
    """List the pairs that densities show, with their correlations."""
    listed = [f"{p.first} with {p.second} ({p.correlation:.2f})" for p in pairs.itertuples()]
    return f"Density plots of the strongest pairs that are no near-copies: {joined(listed)}."


def before_and_after(carried: pd.Series, held: pd.Series) -> Figure:
    """Draw what single features, and what the farthest customers, hold of all squared distance."""
    figure, ((left, right),) = st.panels(1, 2, 0.3 * len(carried) + 1.3, width_ratios=[2, 1])
    share_bars(carried, left)
    left.set(title="Features, without scaling", xlabel="Share of squared distance")
    share_bars(held, right)
    right.set(title="The 1 % farthest", xlabel="Share of squared distance")
    return figure


def before_and_after_text(carried: pd.Series, held: pd.Series) -> str:
    """Say which feature carries most without scaling, and what the transform changes."""
    return (
        f"Bars. Without scaling {carried.index[0]} carries {carried.iloc[0]:.0%} of the distance. "
        f"The 1 % farthest hold {held.iloc[0]:.0%} standardised only and {held.iloc[1]:.0%} with "
        "the transform."
    )
