"""Figures of notebook 04 about other ways to cluster."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from scipy.cluster.hierarchy import dendrogram

from customer_tables.text import counted, printable
from segmentation.figures.style import (
    ACCENT,
    INK,
    MUTED,
    PATCH,
    SEQUENTIAL,
    panels,
    slanted,
)
from segmentation.palette import COLOURS


def tree_top(tree: np.ndarray, k: int, ax: Axes, leaves: int = 30) -> Axes:
    """Draw the top of a dendrogram with the cut that gives k segments."""
    height = float((tree[-k, 2] + tree[-(k - 1), 2]) / 2) if k > 1 else float(tree[-1, 2])
    dendrogram(
        tree, truncate_mode="lastp", p=leaves, no_labels=True, ax=ax,
        color_threshold=0, above_threshold_color=ACCENT,
    )  # fmt: skip
    ax.axhline(height, color=COLOURS[1], linestyle="--", linewidth=1.5)
    ax.annotate(
        f"cut for {k} segments",
        (0, height),
        xycoords=("axes fraction", "data"),
        xytext=(4, 5),
        textcoords="offset points",
        color=COLOURS[1],
        bbox=PATCH,
    )
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
                ax.text(left + share / 2, row, f"{share:.0%}", ha="center", va="center",
                        color="white" if shade > 0.55 else INK, fontsize=10)  # fmt: skip
            left += share
    ax.set_yticks(range(len(sizes)), [printable(name, 30) for name in sizes])
    ax.set(ylim=(len(sizes) - 0.5, -0.5), xlim=(0, 1), xlabel="Share of customers")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(axis="y", visible=False)
    return ax


def sizes_text(largest: pd.Series) -> str:
    """List the share of each method's largest segment."""
    listed = [f"{name}: largest segment {share:.1%}" for name, share in largest.items()]
    return f"Stacked bars. {'; '.join(listed)}."


def k_distances(ascending: np.ndarray, eps: float, neighbours: int, ax: Axes) -> Axes:
    """Draw the sorted distance to the n-th neighbour and the eps at its knee."""
    x = np.linspace(0, 1, len(ascending))
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), 2000)).astype(int))
    ax.plot(x[keep], ascending[keep], color=ACCENT)
    ax.axhline(eps, color=COLOURS[1], linestyle="--", linewidth=1.5)
    ax.annotate(f"knee: eps = {eps:.2f}", (0.02, eps), xytext=(0, 5), color=COLOURS[1],
                textcoords="offset points")  # fmt: skip
    ax.set(xlabel="Customers, sorted", ylabel=f"Distance to neighbour {neighbours}")
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return ax


def eps_curves(table: pd.DataFrame, eps: float, ax: Axes) -> Axes:
    """Draw DBSCAN's share of noise and its largest cluster over eps, with cluster counts."""
    series = (
        ("noise_share", "noise", "s--", MUTED),
        ("largest_share", "largest cluster", "o-", ACCENT),
    )
    for column, label, marks, colour in series:
        ax.plot(table.index, table[column], marks, color=colour, markersize=5)
        end = table[column].iloc[0]
        ax.annotate(label, (table.index[0], end), xytext=(8, 6), fontsize=10, color=colour,
                    textcoords="offset points", bbox=PATCH)  # fmt: skip
    for value, count in table["clusters"].items():
        ax.annotate(str(count), (value, 1.02), xycoords=("data", "axes fraction"), ha="center",
                    fontsize=9.5, color=MUTED)  # fmt: skip
    ax.axvline(eps, color=COLOURS[1], linestyle="--", linewidth=1.5)
    ax.set(xlabel="eps (clusters found above)", ylabel="Share of customers", ylim=(0, 1.02))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return ax


def density_curves(
    ascending: np.ndarray, eps: float, neighbours: int, table: pd.DataFrame
) -> Figure:
    """Draw how eps is read from the neighbour distances, beside what each eps would find."""
    figure, axes = panels(1, 2, 3.4)
    k_distances(ascending, eps, neighbours, axes[0, 0])
    eps_curves(table, eps, axes[0, 1])
    return figure


def density_text(eps: float, clusters: int, noise: float) -> str:
    """Say what DBSCAN finds at the knee."""
    found = counted(clusters, "dense region")
    return f"At the knee, eps = {eps:.2f}, DBSCAN finds {found} and {noise:.1%} noise."


def agreement_heatmap(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the adjusted Rand index of every pair of methods, each value written out."""
    sns.heatmap(
        table.to_numpy(), vmin=0, vmax=1, cmap=SEQUENTIAL, annot=True, fmt=".2f", cbar=False,
        annot_kws={"fontsize": 10}, yticklabels=[printable(name, 26) for name in table], ax=ax,
    )  # fmt: skip
    slanted(ax, list(table))
    return ax


def agreement_text(table: pd.DataFrame, of: str = "K-Means") -> str:
    """Say with which other method one agrees most and least."""
    others = table[of].drop(of)
    return (
        f"Heatmap. {of} agrees most with {others.idxmax()} ({others.max():.2f}) and least with "
        f"{others.idxmin()} ({others.min():.2f})."
    )
