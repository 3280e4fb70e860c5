"""Figures of notebook 07 about alternative methods."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram, fcluster

from customer_tables.text import counted, decimal, share
from segmentation.claims import Claim, extremes, listed, stated
from segmentation.figures import style as st

SHADES = ("#3E4C5B", "#5E6C7B", "#7F8C9A", "#9FABB7", "#BFC8D1", "#DDE2E7")
LEAVES = 20  # branches of a tree that are drawn
SAME_HEIGHT = 0.05  # two merges are at nearly the same height up to this part of the upper one


def tree_top(tree: np.ndarray, k: int, ax: Axes) -> None:
    """Draw the top of a dendrogram, the customers of each branch and the cut for k segments."""
    n = len(tree) + 1
    height = float((tree[-k, 2] + tree[-(k - 1), 2]) / 2) if k > 1 else float(tree[-1, 2])

    def shade(node: int) -> str:
        return st.INK if tree[node - n, 2] > height else st.NOISE

    def size(node: int) -> str:
        return f"{tree[node - n, 3]:,.0f}" if node >= n else "1"

    style: st.Style = {"link_color_func": shade, "leaf_label_func": size}
    style |= {"leaf_rotation": 0, "leaf_font_size": st.SMALL}
    dendrogram(tree, truncate_mode="lastp", p=LEAVES, ax=ax, **style)
    ax.axhline(height, color=st.INK, linestyle="--", linewidth=1.5)
    st.note(ax, f"cut for\n{k} segments", (1, height), (4, 0), va="center", xycoords=st.SIDE)
    below = f"Customers in each of the {min(LEAVES, n)} lowest branches drawn"
    ax.set(ylabel="Merge distance", xlabel=below)
    ax.grid(axis="x", visible=False)


def tree_text(tree: np.ndarray, k: int) -> tuple[Claim, Claim]:
    """Say how large the branches below the cut are, how near the next merge is, and the range.

    A cut between merges at nearly the same height is no better than its neighbours.
    """
    sizes = np.bincount(fcluster(tree, k, "maxclust"))[1:]
    below, above = (tree[-place, 2] for place in (k, k - 1))
    title = stated(
        "The {k} branches below the cut hold {least:,} to {most:,} customers{near}",
        k=k,
        least=sizes.min(),
        most=sizes.max(),
        near=stated(
            "; the cut lies between merges at nearly the same height ({below:.2f} and {above:.2f})",
            f"below >= {1 - SAME_HEIGHT} * above",
            below=below,
            above=above,
        ),
    )
    text = "Dendrogram; merges from {first:.2f} to {last:.2f}."
    return title, stated(text, first=tree[0, 2], last=tree[-1, 2])


def stacked_sizes(sizes: dict[str, np.ndarray], ax: Axes) -> None:
    """Draw how each method divides the customers: bars of segment shares, largest first."""
    for row, shares in enumerate(sizes.values()):
        left = 0.0
        for place, part in enumerate(np.sort(shares)[::-1]):
            shade = SHADES[min(place, len(SHADES) - 1)]
            ax.barh(row, part, left=left, color=shade, edgecolor="white", height=0.7)
            if part > 0.05:
                text: st.Style = {"color": st.readable_on(shade), "fontsize": st.SMALL}
                ax.text(left + part / 2, row, share(part), ha="center", va="center", **text)
            left += part
    st.label_rows(ax, sizes, 30)
    ax.set(ylim=(len(sizes) - 0.5, -0.5), xlim=(0, 1), xlabel="Share of customers")
    st.percent(ax.xaxis)


def sizes_text(largest: pd.Series) -> tuple[Claim, Claim]:
    """Say how large each method's largest segment is."""
    title = stated(
        "The largest segment holds {low:.0%} ({lowest}) to {high:.0%} ({highest}) of the customers",
        **extremes(largest),
    )
    parts = [stated("{name} {part:.0%}", name=name, part=part) for name, part in largest.items()]
    text = "Stacked bars of sizes. Largest segments: {parts}."
    return title, stated(text, "high >= 0", high=largest.max(), parts=listed(parts))


def density_curves(
    ascending: np.ndarray, eps: float, neighbours: int, table: pd.DataFrame
) -> Figure:
    """Draw how eps is read from the neighbour distances, beside what each eps would find.

    The distances ascend and have their knee at eps; the table is from `alternatives.eps_table`.
    """
    figure, ((left, right),) = st.panels(1, 2, 2.9)
    x = np.linspace(0, 1, len(ascending))
    shown = np.unique(np.linspace(0, len(x) - 1, min(len(x), 2000)).astype(int))
    left.plot(x[shown], ascending[shown], color=st.LINE)
    left.axhline(eps, color=st.INK, linestyle="--", linewidth=1.3)
    st.note(left, f"knee: eps = {decimal(eps)}", (0.02, eps), (0, 5))
    left.set(xlabel="Customers, sorted", ylabel=f"Distance to neighbour {neighbours}")
    st.percent(left.xaxis)
    for column, label, line, colour in (
        ("noise_share", "noise", "x--", st.MUTED),
        ("largest_share", "largest cluster", ".-", st.INK),
    ):
        right.plot(table.index, table[column], line, color=colour, markersize=7, label=label)
    for value, count in table["clusters"].items():
        st.note(right, str(count), (value, 1), (0, 4), ha="center", xycoords=st.TOP)
    st.note(right, "clusters", (0, 1), (-6, 4), ha="right", xycoords="axes fraction")
    right.axvline(eps, color=st.INK, linestyle="--", linewidth=1.3, label="knee")
    right.set(xlabel="eps", ylabel="Share of customers", ylim=(0, 1.02))
    right.legend(loc="best")
    st.percent(right.yaxis)
    return figure


def density_text(eps: float, clusters: int, noise: float) -> tuple[Claim, str]:
    """Say what DBSCAN finds at the knee."""
    title = stated(
        "At the knee, eps = {eps:.2f}, DBSCAN finds {regions} and {noise:.0%} noise",
        eps=eps,
        regions=stated(counted(clusters, "dense region"), "n >= 0", n=clusters),
        noise=noise,
    )
    return title, "Sorted neighbour distances beside what each eps finds."


def agreement_heatmap(table: pd.DataFrame, ax: Axes) -> None:
    """Draw the adjusted Rand index of every pair of methods, each value written out."""
    st.triangle(table, ax, decimal, vmin=0, vmax=1, cmap="Greys", cbar=False)


def agreement_text(table: pd.DataFrame) -> tuple[Claim, str]:
    """Say with which other method K-Means agrees most and least."""
    others = table["K-Means"].drop("K-Means")
    title = stated(
        "K-Means agrees most with {highest} ({high:.2f}) and least with {lowest} ({low:.2f})",
        **extremes(others),
    )
    return title, "Triangular heatmap of the adjusted Rand index."
