"""Figures of notebook 08: lineage over k, other choices, and the calibration of confidence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customer_tables.text import decimal, share
from segmentation.claims import Claim, extremes, most, stated
from segmentation.figures import style as st
from segmentation.robustness import order_for_display

WIDTH, GAP = 0.27, 0.025  # half a block's width, and the space between blocks


def lineage(
    flows: pd.DataFrame,
    stability: pd.DataFrame,
    styles: Mapping[st.Node, st.SegmentStyle],
    chosen: int,
    ax: Axes,
) -> None:
    """Draw how segments split and merge from each k to the next; ribbons are customers.

    Flows, stability and styles are from `robustness.flows`, `robustness.segment_stability` and
    `lineage_styles`. Stability stands in a block where there is room, across k in brackets; the
    blocks of the chosen k are outlined.
    """
    order = order_for_display(flows)
    heights: dict[st.Node, float] = {}
    for side in ("from", "to"):
        customers = flows.groupby([f"k_{side}", f"segment_{side}"])["customers"].sum()
        heights |= (customers / customers.groupby(level=0).sum()).to_dict()
    tops: dict[st.Node, float] = {}
    for k, segments in order.items():
        top = 0.5 - 0.5 * (1 + GAP * (k - 1))
        for segment in segments:
            tops[k, segment] = top
            top += heights[k, segment] + GAP
    total = flows.loc[flows["k_from"] == min(order), "customers"].sum()
    streams = [
        ((f.k_from, f.segment_from), (f.k_to, f.segment_to), f.customers / total)
        for f in flows.itertuples(index=False)
    ]
    streams.sort(key=lambda stream: (stream[0][0], tops[stream[0]], tops[stream[1]]))
    st.ribbons(ax, [(*stream, styles[stream[1]].colour) for stream in streams], tops, WIDTH)
    for node, top in tops.items():
        outlined: st.Style = {"edgecolor": "white", "linewidth": 0.6}
        if node[0] == chosen:
            outlined = {"edgecolor": st.INK, "linewidth": 1.8}
        place = (top + heights[node] / 2, 2 * WIDTH, heights[node], node[0] - WIDTH)
        ax.barh(*place, color=styles[node].colour, zorder=3, **outlined)
        _write_stability(ax, node, place[0], heights[node], styles[node], stability)
    ax.set(xlim=(min(order) - 0.4, max(order) + 0.4), yticks=[])
    ax.invert_yaxis()
    ax.spines["left"].set_visible(False)
    st.over_k(ax, np.array(sorted(order)))
    ax.grid(visible=False)


def _write_stability(
    ax: Axes,
    node: st.Node,
    middle: float,
    height: float,
    style: st.SegmentStyle,
    stability: pd.DataFrame,
) -> None:
    """Write a segment's stability into its block as far as there is room."""
    ink = st.readable_on(style.colour)
    text: st.Style = {"ha": "center", "va": "center", "color": ink, "fontsize": st.SMALL}
    text["zorder"] = 4
    within, across = stability.loc[node, ["resamples", "k"]]
    line = 0.046  # the height of a line of text
    if height > 2.1 * line and np.isfinite(across):
        middle -= line / 2
        ax.text(node[0], middle + line, f"({decimal(across)})", **text)
    if height > line:
        ax.plot(node[0] - 0.17, middle, style.marker, color=ink, markersize=4.5, zorder=4)
        ax.text(node[0] + 0.06, middle, decimal(within), **text)


def lineage_styles(
    labelings: Mapping[int, np.ndarray], chosen: int, styles: st.Styles
) -> dict[st.Node, st.SegmentStyle]:
    """Give each segment of each solution the style of the chosen one it shares most with."""
    found: dict[st.Node, st.SegmentStyle] = {}
    for k, labels in labelings.items():
        nearest = pd.crosstab(labels, labelings[chosen]).idxmax(axis=1)
        found |= {(k, segment): styles[nearest[segment] + 1] for segment in nearest.index}
    return found


def lineage_text(stability: pd.DataFrame, names: st.Names, chosen: int) -> tuple[Claim, Claim]:
    """Say which segments of the chosen solution depend most and least on the number of segments.

    ``stability`` as in `lineage`; ``names`` from 1.
    """
    across = stability.loc[chosen, "k"].dropna()
    across.index = across.index.map(lambda place: names[place + 1])
    ks = stability.index.unique(0)
    text = "Flow of customers between solutions with {low} to {high} segments."
    more = stated(text, low=int(ks.min()), high=int(ks.max()))
    if across.empty:
        text = "No other number of segments was tried beside {k}"
        return stated(text, "tried == 0", k=chosen, tried=len(across)), more
    ends = {"low": round(across.min(), 2), "high": round(across.max(), 2)}
    alike = "All segments depend alike on the number of segments ({high:.2f} across k)"
    title = stated(alike, "low == high", **ends) or stated(
        "{least} depend most on the number of segments ({low:.2f} across k), {most} least "
        "({high:.2f})",
        least=most(across, least=True),
        most=most(across),
        **ends,
    )
    return title, more


def agreement_bars(table: pd.DataFrame, ax: Axes) -> None:
    """Draw the agreement of alternatives, from `robustness.agreement_table`, a bar each."""
    ax.barh(range(len(table)), table["ARI"], color=st.LINE, height=0.66)
    for row, value in enumerate(table["ARI"]):
        st.note(ax, decimal(value), (max(value, 0.0), row), (4, 0), va="center")
    st.label_rows(ax, _named(table), 56)
    ax.set_xlim(min(0, table["ARI"].min()), 1.07)
    ax.set_xlabel("Agreement with the chosen segments (ARI)")


def _named(table: pd.DataFrame) -> pd.Series:
    """Name alternatives with what they are a choice of: "features, without Spent" and "seed 21"."""
    named = [
        name if choice in name else f"{choice}, {name}"
        for choice, name in zip(table["choice"], table["alternative"], strict=True)
    ]
    return pd.Series(named, dtype="str")


def agreement_text(table: pd.DataFrame) -> tuple[Claim, Claim]:
    """Say which alternatives agree least and most with the chosen segments."""
    named = table["ARI"].set_axis(_named(table))
    title = stated(
        "Agreement is lowest for {lowest}: {low:.2f}; highest for {highest}: {high:.2f}",
        **extremes(named),
    )
    return title, stated("Bars of {n} alternatives.", n=len(table))


def calibration_curve(table: pd.DataFrame, ax: Axes) -> None:
    """Draw how often two refits agree on a customer's segment, by their confidence."""
    ax.plot(table["confidence"], table["kept"], "o-", color=st.LINE, markersize=5)
    for row in table.itertuples():
        point = (row.confidence, row.kept)
        st.note(ax, share(row.kept), point, (4, -14))  # right of a rising line, and below it
    ax.set(xlabel="Confidence: 0 on the boundary, 1 at the centre", ylim=(0, 1.04))
    ax.set_ylabel("Pairs of refits that agree")
    st.percent(ax.yaxis)


def calibration_text(table: pd.DataFrame) -> tuple[Claim, str]:
    """Say how often two refits agree on the least and on the most confident customers."""
    title = stated(
        "Two refits agree on {least:.0%} of the least confident customers and on {most:.0%} of the "
        "most confident",
        "confidence_1 < confidence_2 or groups == 1",
        least=table["kept"].iloc[0],
        most=table["kept"].iloc[-1],
        confidence_1=table["confidence"].iloc[0],
        confidence_2=table["confidence"].iloc[-1],
        groups=len(table),
    )
    return title, "A curve over confidence."
