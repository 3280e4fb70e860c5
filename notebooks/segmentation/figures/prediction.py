"""Figures about what segments predict: the contest, the number of segments, lift by segment."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from segmentation.figures import style as st
from segmentation.prediction import CHANCE, SEGMENTS, Contest, finding, headline

WORDS = {"R2": "Share of variance explained, out of sample (R²)", "AUC": "AUC, out of sample"}


def contest(found: Contest, ax: Axes) -> Axes:
    """Draw how well each contestant predicts, with 95% intervals; the segments stand out."""
    table = found.first.sort_values("value", ascending=False)
    chance = CHANCE[found.measure]
    ax.axvline(chance, color=st.MUTED, linewidth=1)
    for row, (name, entry) in enumerate(table.iterrows()):
        colour = st.INK if name == SEGMENTS else st.NOISE
        ax.plot([entry["low"], entry["high"]], [row, row], color=colour, linewidth=3)
        ax.plot(entry["value"], row, "o", color=colour, markersize=9)
        text = f"{entry['value']:z.0%}" if found.measure == "R2" else f"{entry['value']:.2f}"
        st.note(ax, text.replace("-", "−"), (entry["high"], row), (8, 0), va="center")
    st.label_rows(ax, table.index)
    ax.set_xlim(right=ax.get_xlim()[1] + 0.08 * np.ptp(ax.get_xlim()))
    if found.measure == "R2":
        st.percent(ax.xaxis)
    ax.set_xlabel(WORDS[found.measure])
    return ax


def over_k(table: pd.DataFrame, measure: str, k: int, ax: Axes) -> Axes:
    """Draw how well the segments of each k predict, with a band of 95% intervals."""
    ks = table.index.to_numpy()
    ax.fill_between(ks, table["low"], table["high"], color=st.NOISE, alpha=0.3, linewidth=0)
    ax.plot(ks, table["value"], "o-", color=st.MUTED)
    ax.plot(k, table.loc[k, "value"], "o", color=st.INK, markersize=11)
    st.note(ax, f"k = {k}", (k, table.loc[k, "value"]), (0, -18), ha="center", color=st.INK)
    st.over_k(ax, ks)
    if measure == "R2":
        st.percent(ax.yaxis)
    ax.set_ylabel("R²" if measure == "R2" else "AUC")
    ax.set_title("By the number of segments")
    return ax


def contest_text(found: Contest, table: pd.DataFrame, k: int) -> tuple[str, str]:
    """Say what the contest shows, in one sentence, and then what more, with the curve over k."""
    told = ", ".join(f"{n}: {found.write(value)}" for n, value in table["value"].items())
    return headline(found), f"{finding(found)} By the number of segments ({k} chosen), {told}."


def lift(table: pd.DataFrame, styles: st.Styles, label: str, ax: Axes) -> Axes:
    """Draw each segment's mean outcome as a multiple of everybody's, with 95% intervals."""
    ax.axvline(1, color=st.MUTED, linewidth=1)
    ordered = table.sort_values("lift", ascending=False)
    for row, (segment, entry) in enumerate(ordered.iterrows()):
        style = styles[segment]
        ax.plot([entry["low"], entry["high"]], [row, row], color=style.colour, linewidth=3)
        ax.plot(entry["lift"], row, style.marker, color=style.colour, markersize=9)
        st.note(ax, f"{entry['lift']:.1f}", (entry["high"], row), (8, 0), va="center")
    st.label_rows(ax, ordered["name"])
    ax.set_xlim(left=0, right=1.1 * max(ordered["high"].max(), 1.1))
    ax.set_xlabel(f"Mean of {label}, times everybody's"[:90])
    return ax


def lift_text(table: pd.DataFrame, label: str) -> tuple[str, str]:
    """Say which segment is highest and which lowest, in one sentence, and then each one's lift."""
    top, low = table.loc[table["lift"].idxmax()], table.loc[table["lift"].idxmin()]
    title = f"{top['name']}: {top['lift']:.1f} times everybody's mean of {label}; {low['name']}: "
    told = "; ".join(
        f"{e['name']} {e['lift']:.2f} ({e['low']:.2f} to {e['high']:.2f})"
        for _, e in table.iterrows()
    )
    return f"{title}{low['lift']:.1f} times", f"With 95% intervals: {told}."
