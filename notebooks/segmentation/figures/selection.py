"""Figures of notebook 04 that argue for a number of segments."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from customer_tables.text import joined, printable
from segmentation.figures.style import (
    ACCENT,
    INK,
    MUTED,
    NOISE,
    SIDE,
    TOP,
    SegmentStyle,
    Style,
    label_rows,
    note,
    panels,
)
from segmentation.palette import COLOURS
from segmentation.selection import TOLERANCE, Choice

NULL_STYLES = {
    "permuted": ("permuted columns", "#D4D9DF", ".."),
    "gaussian": ("one Gaussian", "#B8BEC6", "//"),
    "same_margins": ("same margins", "#8C95A1", "\\\\"),
    "same_zeros": ("same zeros", "#6B7480", "--"),
}
DECISIVE = ("same_margins", "same_zeros")
CRITERIA = {
    "inertia": "Inertia (elbow)",
    "silhouette": "Silhouette, mean",
    "calinski_harabasz": "Calinski-Harabasz",
    "davies_bouldin": "Davies-Bouldin, low is good",
}
SECOND = COLOURS[1]


def over_k(ax: Axes, ks: np.ndarray) -> None:
    """Put real numbers of segments on the horizontal axis."""
    ax.xaxis.set_major_locator(FixedLocator(list(ks)))
    ax.set_xlabel("Number of segments, k")
    ax.grid(axis="x", visible=False)


def criteria(scan: pd.DataFrame, nulls: pd.DataFrame, alone: Mapping[str, int], k: int) -> Figure:
    """Draw the four classic criteria over k, as lines and as bands on null reference data.

    Parameters
    ----------
    scan : DataFrame, indexed by k
    nulls : DataFrame
        From `null_reference.null_statistics`.
    alone : mapping of str to int
        From each criterion in `CRITERIA` to the k it alone would pick: marked with a ring.
    k : int
        The chosen k: a dashed line.
    """
    figure, axes = panels(2, 2, 2.9)
    for ax, (column, title) in zip(axes.flat, CRITERIA.items(), strict=True):
        _bands(ax, nulls, column)
        ax.plot(scan.index, scan[column], "o-", color=ACCENT, label="the customers", markersize=4.5)
        best = (alone[column], scan[column][alone[column]])
        ring: Style = {"markersize": 12, "markerfacecolor": "none", "markeredgewidth": 2}
        ax.plot(*best, "o", markeredgecolor=SECOND, **ring)
        note(ax, f"alone: {best[0]}", best, (7, 9), color=SECOND)
        ax.axvline(k, color=INK, linewidth=1, linestyle=(0, (2, 2)), zorder=1)
        ax.set_title(title)
        over_k(ax, scan.index.to_numpy())
        ax.yaxis.set_major_formatter(FuncFormatter(_short))
        ax.margins(y=0.14)
    worst = scan["inertia"] * (1 + scan["worst_initialisation"])
    reach: Style = {"color": SECOND, "linewidth": 3, "label": "initialisations"}
    axes[0, 0].vlines(scan.index, scan["inertia"], worst, **reach)
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3)
    return figure


def _bands(
    ax: Axes, nulls: pd.DataFrame, column: str, kinds: Collection[str] = tuple(NULL_STYLES)
) -> None:
    """Draw the range of a criterion on each kind of null reference data."""
    for null in kinds:
        label, colour, hatch = NULL_STYLES[null]
        band = nulls[nulls["null"] == null].dropna(subset=column)
        band = band.groupby("k")[column].agg(["min", "max"])
        style: Style = {"color": colour, "edgecolor": colour, "alpha": 0.45, "linewidth": 1.5}
        ax.fill_between(band.index, band["min"], band["max"], hatch=hatch, label=label, **style)


def criteria_text(
    scan: pd.DataFrame, null_silhouette: float, alone: Mapping[str, int], k: int
) -> str:
    """Say what each criterion alone would pick, and how the silhouette compares at the choice."""
    return (
        f"Alone, the elbow picks {alone['inertia']}, the silhouette {alone['silhouette']}, "
        f"Calinski-Harabasz {alone['calinski_harabasz']}, Davies-Bouldin {alone['davies_bouldin']}."
        f" At k = {k} the silhouette is {scan.silhouette[k]:.2f}, with the same margins and no "
        f"groups at most {null_silhouette:.2f}."
    )


def _short(value: float, _: int) -> str:
    """Write an axis value briefly: 114k, 0.25."""
    return f"{value / 1000:,.0f}k" if abs(value) >= 10_000 else f"{value:,.4g}"


def decision(
    agreement: Mapping[int, np.ndarray],
    choice: Choice,
    ax: Axes,
    *,
    actionable: tuple[int, int],
    nulls: pd.DataFrame,
    often: pd.Series,
) -> Axes:
    """Draw how far fits on other samples agree at each k, on null reference data too.

    Parameters
    ----------
    agreement : mapping of k to ndarray, shape (pairs,)
        Adjusted Rand indices of pairs of bootstrap fits.
    choice : Choice
        Its qualified k are filled, the chosen one has a ring.
    nulls : DataFrame
        From `null_reference.null_statistics`.
    often : Series, indexed by k
        How often each k would be chosen, written above it.
    """
    ks = np.array(sorted(agreement))
    means = {n: agreement[n].mean() for n in ks}
    ax.axvspan(actionable[0] - 0.4, actionable[1] + 0.4, color="#EEF2F6", zorder=0)
    note(ax, "actionable range", (actionable[0] - 0.3, 0.02), (0, 0), color=MUTED, xycoords=TOP)
    _bands(ax, nulls, "stability", DECISIVE)
    if choice.qualified:
        needed = max(means[n] for n in choice.qualified) - TOLERANCE
        ax.axhline(needed, color=INK, linewidth=1, linestyle="--")
        note(ax, f"needed: {needed:.2f}", (1, needed), (4, 0), va="center", xycoords=SIDE)
    scatter = np.random.default_rng(0)
    for n in ks:
        spots = n + scatter.uniform(-0.16, 0.16, len(agreement[n]))
        ax.plot(spots, agreement[n], ".", color=NOISE, markersize=4, zorder=1)
    ax.plot(ks, list(means.values()), color=ACCENT, zorder=2, label="the customers")
    for n, mean in means.items():
        fill = ACCENT if n in choice.qualified else "white"
        ax.plot(n, mean, "o", markersize=8, color=ACCENT, markerfacecolor=fill, zorder=3)
    for n, share in often.items():
        note(ax, f"{share:.0%}", (n, 0.97), (0, 0), ha="center", color=SECOND, xycoords=TOP)
    ring: Style = {"markersize": 17, "markerfacecolor": "none", "markeredgewidth": 2.2}
    ax.plot(choice.k, means[choice.k], "o", markeredgecolor=SECOND, zorder=4, **ring)
    over_k(ax, ks)
    lowest = min(values.min() for values in agreement.values())
    ax.set(ylabel="Agreement of two fits (ARI)", ylim=(min(0.4, lowest - 0.05), 1.1))
    ax.set_title(f"k = {choice.k} is chosen; above each k, how often it would be")
    ax.legend(loc="upper right", fontsize=10)
    return ax


def decision_text(scan: pd.DataFrame, choice: Choice, often: pd.Series) -> str:
    """Say how far fits agree at the chosen k, which k qualify, and how often each is chosen."""
    qualified = joined([f"k = {n}" for n in choice.qualified] or ["no k"])
    chosen = joined([f"{n} in {share:.0%}" for n, share in often.items()] or ["no k"])
    return (
        f"Mean agreement over k. It is {scan.stability[choice.k]:.2f} at the chosen {choice.k}; "
        f"{qualified} {'qualifies' if len(choice.qualified) < 2 else 'qualify'} in the actionable "
        f"range. Chosen: {chosen}."
    )


def separation(scan: pd.DataFrame, threshold: float, ax: Axes) -> Axes:
    """Draw the density between the two segments that are least apart, over k.

    Parameters
    ----------
    scan : DataFrame, indexed by k
        With valley and valley_with_ends, from `selection.separation_over_k`.
    threshold : float
        At or below it, groups stand apart.
    """
    ax.axhline(threshold, color=INK, linewidth=1)
    note(ax, f"gap: {threshold:.2f}", (1, threshold), (4, 0), va="center", xycoords=SIDE)
    with_ends: Style = {
        "color": MUTED,
        "markersize": 5,
        "label": "zeros and full shares as they are",
    }
    ax.plot(scan["valley_with_ends"], "s:", **with_ends)
    ax.plot(scan["valley"], "o-", color=ACCENT, markersize=6, label="amounts only")
    over_k(ax, scan.index.to_numpy())
    ax.set(ylabel="Density between segments", ylim=(-0.03, 1.08))
    apart = scan.index[scan["valley"] <= threshold]
    ax.set_title(
        f"Groups stand apart at k = {joined([str(k) for k in apart])}"
        if len(apart)
        else "At no k do all segments stand apart"
    )
    ax.legend(fontsize=10)
    return ax


def separation_text(scan: pd.DataFrame, threshold: float) -> str:
    """Say at which k all segments stand apart, with and without the customers at the ends."""
    told = []
    for column, values in (
        ("valley", "Amounts only"),
        ("valley_with_ends", "with zeros as they are"),
    ):
        ks = [f"k = {k}" for k in scan.index[scan[column] <= threshold]] or ["no k"]
        told.append(f"{values}: gaps between all segments at {joined(ks)}")
    return "; ".join(told) + "."


def silhouette_plot(
    values: np.ndarray,
    labels: np.ndarray,
    names: Mapping[int, str],
    styles: Mapping[int, SegmentStyle],
    ax: Axes,
) -> Axes:
    """Draw every customer's silhouette, sorted within segments (Rousseeuw 1987).

    Parameters
    ----------
    values : ndarray, shape (n_customers,)
    labels : ndarray of int, shape (n_customers,)
        From 1.
    """
    start, gap, ticks = 0.0, len(values) * 0.02, []
    for segment in sorted(names):
        inside = np.sort(values[labels == segment])
        rows = start + np.arange(len(inside))
        ax.fill_betweenx(rows, 0, inside, color=styles[segment].colour, linewidth=0)
        label = f"{printable(names[segment], 28)}\n{inside.mean():.2f}"
        ticks.append((start + len(inside) / 2, label))
        start += len(inside) + gap
    mean = values.mean()
    ax.axvline(mean, color=INK, linestyle="--", linewidth=1)
    note(ax, f"mean {mean:.2f}", (mean, 1), (3, -3), va="top", xycoords=TOP)
    ax.set_yticks(*zip(*ticks, strict=True), fontsize=10)
    ax.set(ylim=(start, -gap), xlabel="Silhouette: below 0, the neighbouring segment is nearer")
    ax.grid(axis="y", visible=False)
    return ax


def silhouette_text(values: np.ndarray, by_segment: pd.Series) -> str:
    """Say which segments customers fit best and least.

    Parameters
    ----------
    values : ndarray, shape (n_customers,)
    by_segment : Series, indexed by name
        Mean silhouettes.
    """
    return (
        f"Mean {values.mean():.2f}. Best: {by_segment.idxmax()} ({by_segment.max():.2f}); weakest: "
        f"{by_segment.idxmin()} ({by_segment.min():.2f}). {(values < 0).mean():.0%} lie below zero."
    )


def stability_rows(
    jaccard: np.ndarray,
    names: Mapping[int, str],
    styles: Mapping[int, SegmentStyle],
    ax: Axes,
) -> Axes:
    """Draw each segment's bootstrap Jaccard similarities with Hennig's (2007) cuts."""
    for cut, word in ((0.6, "doubtful below"), (0.75, "valid"), (0.85, "highly stable")):
        ax.axvline(cut, color=MUTED, linewidth=1, linestyle=":")
        note(ax, word, (cut, 1), (2, 3), color=MUTED, fontsize=9.5, xycoords=TOP)
    scatter = np.random.default_rng(0)
    for row, segment in enumerate(sorted(names)):
        values, style = jaccard[:, segment - 1], styles[segment]
        heights = row + scatter.uniform(-0.2, 0.2, len(values))
        ax.plot(values, heights, ".", color=style.colour, alpha=0.55, markersize=5)
        large: Style = {"markeredgecolor": "white", "markersize": 10}
        ax.plot(values.mean(), row, style.marker, color=style.colour, **large)
    label_rows(ax, [names[segment] for segment in sorted(names)])
    ax.set_xlim(min(0.5, jaccard.min() - 0.03), 1.005)
    ax.set_xlabel("Jaccard similarity with the best match in a resample")
    return ax


def stability_text(jaccard: pd.Series) -> str:
    """Say which segment, by its name, is most and which is least stable."""
    return (
        f"From {jaccard.max():.2f} for {jaccard.idxmax()} down to {jaccard.min():.2f} for "
        f"{jaccard.idxmin()}."
    )
