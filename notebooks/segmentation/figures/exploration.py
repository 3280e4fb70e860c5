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
from segmentation.figures.style import (
    ACCENT,
    DIVERGING,
    INK,
    MUTED,
    NOISE,
    Style,
    label_rows,
    note,
    panels,
    panels_for,
    percent,
)
from segmentation.palette import COLOURS


def composition(parts: pd.DataFrame, ax: Axes) -> Axes:
    """Draw horizontal bars that add up to one: a row per column, a colour per part.

    Parameters
    ----------
    parts : DataFrame, shape (n_bars, n_parts)
        Shares; the first part is drawn leftmost.
    """
    colours, hatches = ("#B3261E", "#C9D6E3", ACCENT), ("///", "", "")
    names = [printable(name, 44) for name in parts.index]
    left = np.zeros(len(parts))
    for part, colour, hatch in zip(parts.columns, colours, hatches, strict=False):
        filling: Style = {"color": colour, "hatch": hatch, "edgecolor": "white", "height": 0.75}
        ax.barh(names, parts[part], left=left, label=part, **filling)
        left += parts[part].to_numpy()
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel="Share of customers")
    percent(ax.xaxis)
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
    ax.barh([printable(name, longest) for name in shares.index], shares, color=ACCENT, height=0.7)
    for row, share in enumerate(shares):
        note(ax, f"{share:.1%}", (share, row), (4, 0), va="center", fontsize=10.5)
    ax.set(ylim=(len(shares) - 0.5, -0.7), xlim=(0, max(shares.max() * 1.18, 0.01)))
    percent(ax.xaxis)
    ax.grid(axis="y", visible=False)
    return ax


def shares_text(shares: pd.Series) -> str:
    """List the shares that bars show."""
    return "Bars: " + ", ".join(f"{share:.1%} of {name}" for name, share in shares.items()) + "."


def amounts(zeros: pd.Series, quantiles: pd.DataFrame, nouns: str) -> Figure:
    """Draw shares of zeros beside the quantiles of the values above zero, a row per column.

    Parameters
    ----------
    zeros : Series, shape (n_rows,)
    quantiles : DataFrame, shape (n_rows, 5)
        The 5, 25, 50, 75 and 95 % quantiles of the values above zero; NaN where they are too few.
    """
    figure, ((left, right),) = panels(1, 2, 0.5 * len(zeros) + 1.1, width_ratios=[1, 1.8])
    share_bars(zeros, left, longest=26)
    left.set(title="With none", xlabel=f"Share of {nouns}")
    for row, values in enumerate(quantiles.to_numpy()):
        if np.isfinite(values).all():
            right.plot(values[[0, 4]], [row, row], color=MUTED, linewidth=1.5)
            middle_half: Style = {"color": ACCENT, "linewidth": 7, "solid_capstyle": "butt"}
            right.plot(values[[1, 3]], [row, row], **middle_half)
            right.plot(values[2], row, "o", color="white", markeredgecolor=INK, markersize=6)
            note(right, number(values[2]), (values[2], row), (0, 8), ha="center", fontsize=9.5)
    label_rows(right, [""] * len(quantiles))
    right.set(xscale="log", ylim=left.get_ylim())
    right.set(title="Those with some", xlabel="Amount, logarithmic")
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    return figure


def amounts_text(zeros: pd.Series, spread: pd.Series) -> str:
    """Say where zeros are most frequent and which column spans the widest range.

    Parameters
    ----------
    spread : Series
        The 95th percentile over the 5th, the widest first.
    """
    return (
        f"Zeros are most frequent in {zeros.idxmax()} ({zeros.max():.0%}). The widest range is "
        f"that of {spread.index[0]}: its 95th percentile is {spread.iloc[0]:,.0f} times its 5th."
    )


def lorenz(curves: dict[str, np.ndarray], ax: Axes) -> Axes:
    """Draw concentration curves (Lorenz 1905), customers sorted downwards.

    The largest customers come in together, so that none of them can be read off.

    Parameters
    ----------
    curves : dict of str to ndarray, shape (n_customers,)
        Amounts per customer.
    """
    styles = ("-", "--", "-.", ":")
    ax.plot([0, 1], [0, 1], color=NOISE, linewidth=1)
    ax.annotate("everybody the same", (0.70, 0.63), rotation=33, color=MUTED, fontsize=10)
    for place, (name, values) in enumerate(curves.items()):
        shares = np.concatenate([[0], np.sort(values)[::-1].cumsum() / values.sum()])
        x = np.linspace(0, 1, len(shares))
        shown = np.r_[0, min(MIN_GROUP_SIZE, len(values)) : len(shares)]
        colour = COLOURS[place % len(COLOURS)]
        ax.plot(x[shown], shares[shown], styles[place % 4], color=colour, label=printable(name, 40))
    ax.legend(loc="lower right", title="Curve of", alignment="left", handlelength=3)
    ax.set(xlim=(0, 1), ylim=(0, 1.02))
    ax.set(xlabel="Share of customers, largest first", ylabel="Share of the amount")
    percent(ax.xaxis, ax.yaxis)
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

    Parameters
    ----------
    correlation : DataFrame, shape (n_columns, n_columns)
    labels : mapping of str to str
        What readers call a column.
    """
    distance = 1 - correlation.abs().fillna(0).to_numpy()
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    order = correlation.columns[leaves_list(tree)]
    shown = correlation.loc[order, order].to_numpy().copy()
    shown[np.triu_indices_from(shown)] = np.nan
    image = ax.imshow(shown, cmap=DIVERGING, vmin=-1, vmax=1)
    for row, column in zip(*np.where(np.abs(np.nan_to_num(shown)) >= 0.6), strict=True):
        value = shown[row, column]
        style: Style = {
            "color": "white" if abs(value) > 0.7 else INK,
            "ha": "center",
            "va": "center",
        }
        ax.text(column, row, f"{value:.1f}".replace("0.", "."), fontsize=9, **style)
    names = [printable(labels[name], 44) for name in order]
    ax.set_yticks(range(len(names)), names, fontsize=10)
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=10)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(image, ax=ax, label="Rank correlation", shrink=0.5, location="right")
    return ax


def correlation_text(pairs: pd.DataFrame) -> str:
    """Name the strongest pair of a correlation heatmap.

    Parameters
    ----------
    pairs : DataFrame
        With the columns first, second and correlation, the strongest first.
    """
    if pairs.empty:
        return "Triangular heatmap without a pair of columns."
    pair = pairs.iloc[0]
    return (
        f"Triangular heatmap. The strongest pair is {pair['first']} with {pair['second']} "
        f"({pair['correlation']:.2f})."
    )


def densities(table: pd.DataFrame, pairs: pd.DataFrame, logarithmic: Collection[str]) -> Figure:
    """Draw where customers are dense in pairs of columns, a panel each; logarithmic counts.

    Parameters
    ----------
    table : DataFrame, shape (n_customers, n_columns)
    pairs : DataFrame
        With the columns first and second.
    logarithmic : collection of str
        The columns that are drawn on a logarithmic axis, where none of their values is negative.
    """
    figure, axes = panels_for(len(pairs), 3.1)
    for ax, pair in zip(axes, pairs.itertuples(), strict=True):
        columns = [table[pair.first], table[pair.second]]
        scaled = [column.name in logarithmic and column.min() >= 0 for column in columns]
        values = [np.log1p(c) if log else c for c, log in zip(columns, scaled, strict=True)]
        ax.hexbin(*values, gridsize=32, bins="log", cmap="Blues", mincnt=1, linewidths=0.1)
        for axis, column, log in zip((ax.xaxis, ax.yaxis), columns, scaled, strict=True):
            axis.set_label_text(printable(str(column.name), 40))
            ticks = [t for t in (0, 10, 100, 1_000, 10_000, 100_000) if t <= column.max()]
            if log and column.max() >= 30:
                axis.set_ticks(np.log1p(ticks), [f"{t:,}" for t in ticks])
    return figure


def densities_text(pairs: pd.DataFrame) -> str:
    """List the pairs that densities show, with their correlations."""
    listed = [f"{p.first} with {p.second} ({p.correlation:.2f})" for p in pairs.itertuples()]
    return f"Density plots of the strongest pairs that are no near-copies: {joined(listed)}."


def before_and_after(carried: pd.Series, held: pd.Series) -> Figure:
    """Draw what single features, and what the farthest customers, hold of all squared distance."""
    figure, ((left, right),) = panels(1, 2, 0.3 * len(carried) + 1.3, width_ratios=[2, 1])
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
