"""Figures of notebook 07 about alternative methods."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram

from customer_tables.text import counted, printable
from segmentation.figures.style import (
    ACCENT,
    INK,
    MUTED,
    PATCH,
    SEQUENTIAL,
    SIDE,
    TOP,
    Style,
    label_rows,
    note,
    panels,
    percent,
    slanted,
)
from segmentation.palette import COLOURS

SECOND = COLOURS[1]


def tree_top(tree: np.ndarray, k: int, ax: Axes, leaves: int = 30) -> Axes:
    """Draw the top of a dendrogram with the cut that gives k segments."""
    height = float((tree[-k, 2] + tree[-(k - 1), 2]) / 2) if k > 1 else float(tree[-1, 2])
    one_colour: Style = {"color_threshold": 0, "above_threshold_color": ACCENT}
    dendrogram(tree, truncate_mode="lastp", p=leaves, no_labels=True, ax=ax, **one_colour)
    ax.axhline(height, color=SECOND, linestyle="--", linewidth=1.5)
    text: Style = {"color": SECOND, "fontsize": None, "bbox": PATCH, "xycoords": SIDE}
    note(ax, f"cut for {k} segments", (0, height), (4, 5), **text)
    ax.set(ylabel="Distance at which two branches merge", xlabel=f"The {leaves} largest branches")
    ax.grid(axis="x", visible=False)
    return ax


def tree_text(tree: np.ndarray, k: int) -> str:
    """Say at which distances the last branches merge and where the cut lies."""
    heights = tree[::-1, 2]
    return (
        f"Dendrogram. The last merge happens at {heights[0]:.0f}, the cut for {k} segments lies "
        f"between {heights[k - 1]:.0f} and {heights[k - 2]:.0f}."
    )


def stacked_sizes(sizes: dict[str, np.ndarray], ax: Axes) -> Axes:
    """Draw how each method divides the customers: bars of segment shares, largest first."""
    for row, shares in enumerate(sizes.values()):
        left = 0.0
        for place, share in enumerate(np.sort(shares)[::-1]):
            shade = 0.9 - 0.6 * place / max(len(shares) - 1, 1)
            ax.barh(row, share, left=left, color=ACCENT, alpha=shade, edgecolor="white", height=0.7)
            if share > 0.06:
                text: Style = {"color": "white" if shade > 0.55 else INK, "fontsize": 10}
                ax.text(left + share / 2, row, f"{share:.0%}", ha="center", va="center", **text)
            left += share
    label_rows(ax, sizes, 30)
    ax.set(ylim=(len(sizes) - 0.5, -0.5), xlim=(0, 1), xlabel="Share of customers")
    percent(ax.xaxis)
    return ax


def sizes_text(largest: pd.Series) -> str:
    """List the share of each method's largest segment."""
    listed = [f"{name}: largest segment {share:.1%}" for name, share in largest.items()]
    return f"Stacked bars. {'; '.join(listed)}."


def density_curves(
    ascending: np.ndarray, eps: float, neighbours: int, table: pd.DataFrame
) -> Figure:
    """Draw how eps is read from the neighbour distances, beside what each eps would find.

    Parameters
    ----------
    ascending : ndarray, shape (n,)
        Distances to the n-th neighbour, with their knee at `eps`.
    table : DataFrame, indexed by eps
        From `alternatives.eps_table`.
    """
    figure, ((left, right),) = panels(1, 2, 3.4)
    x = np.linspace(0, 1, len(ascending))
    shown = np.unique(np.linspace(0, len(x) - 1, min(len(x), 2000)).astype(int))
    left.plot(x[shown], ascending[shown], color=ACCENT)
    left.axhline(eps, color=SECOND, linestyle="--", linewidth=1.5)
    note(left, f"knee: eps = {eps:.2f}", (0.02, eps), (0, 5), color=SECOND, fontsize=None)
    left.set(xlabel="Customers, sorted", ylabel=f"Distance to neighbour {neighbours}")
    percent(left.xaxis)
    for column, label, line, colour in (
        ("noise_share", "noise", "s--", MUTED),
        ("largest_share", "largest cluster", "o-", ACCENT),
    ):
        right.plot(table.index, table[column], line, color=colour, markersize=5)
        begin = (table.index[0], table[column].iloc[0])
        note(right, label, begin, (8, 6), color=colour, bbox=PATCH)
    for value, count in table["clusters"].items():
        style: Style = {"color": MUTED, "fontsize": 9.5, "ha": "center", "xycoords": TOP}
        note(right, str(count), (value, 1.02), (0, 0), **style)
    right.axvline(eps, color=SECOND, linestyle="--", linewidth=1.5)
    right.set(xlabel="eps (clusters found above)", ylabel="Share of customers", ylim=(0, 1.02))
    percent(right.yaxis)
    return figure


def density_text(eps: float, clusters: int, noise: float) -> str:
    """Say what DBSCAN finds at the knee."""
    found = counted(clusters, "dense region")
    return f"At the knee, eps = {eps:.2f}, DBSCAN finds {found} and {noise:.1%} noise."


def agreement_heatmap(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the adjusted Rand index of every pair of methods, each value written out."""
    names = [printable(name, 26) for name in table]
    style: Style = {
        "vmin": 0,
        "vmax": 1,
        "cmap": SEQUENTIAL,
        "cbar": False,
        "annot_kws": {"fontsize": 10},
    }
    values = table.to_numpy().round(2) + 0.0  # no minus before a zero
    sns.heatmap(values, annot=True, fmt=".2f", yticklabels=names, ax=ax, **style)
    slanted(ax, list(table))
    return ax


def agreement_text(table: pd.DataFrame, of: str = "K-Means") -> str:
    """Say with which other method one agrees most and least."""
    others = table[of].drop(of)
    return (
        f"Heatmap. {of} agrees most with {others.idxmax()} ({others.max():.2f}) and least with "
        f"{others.idxmin()} ({others.min():.2f})."
    )
