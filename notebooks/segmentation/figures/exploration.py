"""Figures of notebooks 01 to 03: gaps, distributions, concentration and correlations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from customer_tables.text import decimal, lower_first, number, printable, sentence_case, share
from segmentation.claims import Claim, listed, most, stated, together
from segmentation.disclosure import MIN_GROUP_SIZE
from segmentation.figures import style as st

PARTS = (st.INK, st.PALE, "#8793A0")  # dark, pale and between: apart in grey print, too
RELATED = 0.1  # a smaller rank correlation is called none
FEW, MANY = 8, 18  # columns: up to this many every correlation is written, beyond this many none is


def composition(parts: pd.DataFrame, ax: Axes) -> None:
    """Draw shares as stacked bars, a row of ``parts`` each, the first column leftmost."""
    named = parts.set_axis([printable(name, 44) for name in parts.index])
    named.plot.barh(stacked=True, width=0.78, ax=ax, color=list(PARTS), edgecolor="white")
    text: st.Style = {"ha": "center", "va": "center", "fontsize": st.SMALL}
    for name, colour, ends in zip(parts, PARTS, parts.cumsum(axis=1).T.to_numpy(), strict=True):
        for row, (part, end) in enumerate(zip(parts[name], ends, strict=True)):
            if part >= 0.05:
                ax.text(end - part / 2, row, share(part), color=st.readable_on(colour), **text)
    ax.invert_yaxis()
    ax.set(xlim=(0, 1), xlabel="Share of customers", ylabel="")
    st.percent(ax.xaxis)
    ax.grid(axis="y", visible=False)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, borderpad=0)


def gaps_text(parts: pd.DataFrame) -> tuple[Claim, str]:
    """Say in which columns most values are missing, and most are zero."""
    gaps, zeros = (
        stated("Most {what} in {at} ({top:.0%})", "top > 0", at=most(p), what=what, top=p.max())
        or stated("no column has {what}", "top == 0", what=what, top=p.max())
        for what, p in {"gaps": parts["missing"], "zeros": parts["zero"]}.items()
    )
    title = together(sentence_case(f"{gaps}; {lower_first(zeros)}"), [gaps, zeros])
    return title, "Stacked bars: missing, zero and other values by column."


def ends_text(ends: pd.DataFrame) -> tuple[Claim, str]:
    """Say which share has the most customers at its two ends."""
    outside = 1 - ends["between"]
    text = "Most customers at the two ends: {column} ({share:.0%})"
    title = stated(text, column=most(outside), share=outside.max())
    return title, "Stacked bars: the two ends and what lies between, by column."


def share_bars(shares: pd.Series, ax: Axes) -> None:
    """Draw labelled horizontal bars of shares; the value stands at the end of its bar."""
    ax.barh(range(len(shares)), shares, color=st.LINE, height=0.7)
    for row, part in enumerate(shares):
        st.note(ax, share(part), (part, row), (4, 0), va="center")
    st.label_rows(ax, shares.index)
    ax.set_xlim(0, max(shares.max() * 1.18, 0.01))
    st.percent(ax.xaxis)


def deleted_text(shares: pd.Series) -> tuple[Claim, str]:
    """Say what deleting extremes would take away."""
    parts = [stated("{part:.0%} of {name}", part=p, name=name) for name, p in shares.items()]
    return stated(
        "The rule would delete {parts}", parts=listed(parts)
    ), "Bars of the shares deleted."


def amounts(zeros: pd.Series, quantiles: pd.DataFrame, nouns: str) -> Figure:
    """Draw shares of zeros beside quantiles of the values above zero, a row per column.

    ``quantiles`` are those of 5, 25, 50, 75 and 95%, NaN where there are too few values.
    """
    figure, ((left, right),) = st.panels(1, 2, 0.36 * len(zeros) + 1.1, width_ratios=[1, 1.8])
    share_bars(zeros, left)
    left.set(title="With none", xlabel=f"Share of {nouns}")
    for row, values in enumerate(quantiles.to_numpy()):
        if np.isfinite(values).all():
            right.plot(values[[0, 4]], [row, row], color=st.MUTED, linewidth=1.5)
            st.middle_half(right, row, values[1:4], st.SegmentStyle(st.LINE, "o"))
            st.note(right, number(values[2]), (values[2], row), (0, 6), ha="center")
    st.label_rows(right, [""] * len(quantiles))
    right.set(xscale="log", ylim=left.get_ylim())
    right.set(title="Those with some", xlabel="Amount, logarithmic")
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    return figure


def amounts_text(zeros: pd.Series, spread: pd.Series) -> tuple[Claim, str]:
    """Say where zeros are most frequent, and which column spans the widest range (it is first)."""
    title = stated(
        "{widest} ranges most widely, {times:,.0f}-fold{zero}",
        widest=most(spread),
        times=spread.max(),
        zero=stated(
            "; most zeros in {column} ({top:.0%})",
            "top > 0",
            column=most(zeros),
            top=zeros.max(),
        ),
    )
    more = "Bars of zeros beside ranges of the other values; from the 5th percentile to the 95th."
    return title, more


def lorenz(curves: dict[str, np.ndarray], ax: Axes) -> None:
    """Draw concentration curves (Lorenz 1905) of amounts per customer, sorted downwards.

    The largest customers come in together, so that none of them can be read off.
    """
    styles = (("-", st.INK), ("--", st.LINE), ("-.", st.MUTED), (":", st.LINE))
    ax.plot([0, 1], [0, 1], color=st.NOISE, linewidth=1)
    text: st.Style = {"rotation": 45, "rotation_mode": "anchor", "transform_rotates_text": True}
    ax.text(0.7, 0.68, "everybody the same", color=st.MUTED, va="top", fontsize=st.SMALL, **text)
    for place, (name, values) in enumerate(curves.items()):
        shares = np.concatenate([[0], np.sort(values)[::-1].cumsum() / values.sum()])
        x = np.linspace(0, 1, len(shares))
        shown = np.r_[0, min(MIN_GROUP_SIZE, len(values)) : len(shares)]
        line, colour = styles[place % len(styles)]
        ax.plot(x[shown], shares[shown], line, color=colour, label=printable(name, 40))
    ax.legend(loc="lower right", title="Curve of", alignment="left", handlelength=3)
    ax.set(xlim=(0, 1), ylim=(0, 1.02))
    ax.set(xlabel="Share of customers, largest first", ylabel="Share of the amount")
    st.percent(ax.xaxis, ax.yaxis)


def lorenz_text(top: pd.Series, customers: float) -> tuple[Claim, str]:
    """Say what the largest customers hold of the most and the least concentrated amount."""
    ends = {lower_first(name): part for name, part in top.iloc[[0, -1][: len(top)]].items()}
    held = listed([stated("{part:.0%} of {name}", part=p, name=name) for name, p in ends.items()])
    text = "The top {top:.0%} of customers by each amount account for {held}"
    return stated(text, top=customers, held=held), "Concentration curves."


def concentration(amounts: np.ndarray, top: float = 0.1) -> float:
    """Return the share of an amount that the top share of customers makes."""
    ordered = np.sort(amounts)[::-1]
    return float(ordered[: max(1, round(top * len(ordered)))].sum() / ordered.sum())


def correlation_heatmap(correlation: pd.DataFrame, labels: Mapping[str, str]) -> Figure:
    """Draw one half of a correlation matrix, related columns side by side.

    Columns are ordered by average linkage on 1 - |r|. Strong correlations carry their value, of few
    columns all.
    """
    figure, ((ax,),) = st.panels(1, 1, 0.25 * len(correlation) + 0.6)
    distance = 1 - correlation.abs().fillna(0).to_numpy()
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    order = correlation.columns[leaves_list(tree)]
    bar: st.Style = {"label": "Rank correlation", "shrink": 0.6, "aspect": 30, "pad": 0.02}
    style: st.Style = {"cmap": st.DIVERGING, "vmin": -1, "vmax": 1, "cbar": True, "cbar_kws": bar}
    if len(order) <= FEW:
        style["cbar"] = False
    least = 0 if len(order) <= FEW else 0.5 if len(order) <= MANY else 2
    named = correlation.loc[order, order].rename(index=labels, columns=labels)
    st.triangle(named, ax, lambda r: decimal(r) if abs(r) >= least else "", **style)
    return figure


def correlation_text(pairs: pd.DataFrame) -> tuple[Claim, str]:
    """Name the first of the pairs from `features.near_copies`."""
    if pairs.empty:
        return stated("There is no pair to correlate", "n == 0", n=0), "A heatmap without cells."
    size = pairs["correlation"].abs().set_axis(pairs["first"] + " and " + pairs["second"])
    first = {"closest": most(size), "correlation": pairs["correlation"].iloc[0]}
    title = stated(
        "{closest} are related most closely: rank correlation {correlation:.2f}",
        f"abs(correlation) >= {RELATED}",
        **first,
    ) or stated(
        "No two are related: of {closest}, the rank correlation is {correlation:.2f}",
        f"abs(correlation) < {RELATED}",
        **first,
    )
    return title, "Triangular heatmap of rank correlations."


def densities(table: pd.DataFrame, pairs: pd.DataFrame, logarithmic: Collection[str]) -> Figure:
    """Draw where customers are dense in pairs of columns, a panel each; logarithmic counts.

    The columns in ``logarithmic`` have such axes, where they are wide and have no negative values.
    """
    figure, axes = st.panels_for(len(pairs), 2.6, max(2, min(len(pairs), 4)))
    for ax, pair in zip(axes, pairs.itertuples(), strict=True):
        drawn = []
        for axis, name in ((ax.xaxis, pair.first), (ax.yaxis, pair.second)):
            axis.set_label_text(fill(printable(name, 50), 26))
            values, highest = table[name], table[name].max()
            if name in logarithmic and values.min() >= 0 and highest >= 30:
                values = np.log1p(values)
                st.log_ticks(axis, highest)
            drawn.append(values)
        ax.hexbin(*drawn, gridsize=24, bins="log", cmap="Greys", mincnt=1, linewidths=0.1)
    return figure


def densities_text(pairs: pd.DataFrame) -> tuple[Claim, Claim]:
    """List the pairs that densities show, with their correlations; the closest is first."""
    text = "{p.first} with {p.second} ({p.correlation:.2f})"
    parts = [stated(text, p=pair) for pair in pairs.itertuples()]
    order = pairs["correlation"].abs()
    first = {"first": order.iloc[0], "last": order.iloc[-1], "pair": parts[0]}
    title = stated("Most closely related, beside near-copies: {pair}", "first >= last", **first)
    return title, stated("Densities: {pairs}.", pairs=listed(parts))


def before_and_after(carried: pd.Series, held: pd.Series) -> Figure:
    """Draw what single features, and what the farthest customers, hold of all squared distance.

    Features that carry less than 1% share one bar.
    """
    small = carried < 0.01
    drawn = carried[~small]
    if small.sum() > 1:
        drawn = pd.concat([drawn, pd.Series({f"{small.sum()} others": carried[small].sum()})])
    else:
        drawn = carried
    height = 0.3 * max(len(drawn), len(held)) + 1.1
    figure, ((left, right),) = st.panels(1, 2, height, width_ratios=[1.4, 1])
    share_bars(drawn, left)
    left.set(title="Single features, without scaling", xlabel="Share of squared distance")
    share_bars(held, right)
    right.set(title="The 1% farthest customers", xlabel="Share of squared distance")
    return figure


def before_and_after_text(carried: pd.Series, held: pd.Series) -> tuple[Claim, str]:
    """Say which feature carries most of all without scaling, and what the transform changes."""
    title = stated(
        "Without scaling {column} carries the largest part of the distance ({share:.0%}); the most "
        "distant 1% hold {before:.0%} without the transform, {after:.0%} with it",
        column=most(carried),
        share=carried.max(),
        before=held.iloc[0],
        after=held.iloc[1],
    )
    return title, "Bars."
