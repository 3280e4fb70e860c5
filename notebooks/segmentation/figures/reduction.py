"""Figures of notebook 05: components, maps and what became of the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from customer_tables.text import joined, printable
from segmentation.figures.style import (
    ACCENT,
    DIVERGING,
    INK,
    MUTED,
    NOISE,
    PALE,
    SIDE,
    TOP,
    SegmentStyle,
    Style,
    label_rows,
    legend_below,
    note,
    panels,
    panels_for,
    percent,
)
from segmentation.palette import COLOURS

DISTINCT = 30_000  # points in one panel beyond which only densities can be told apart
SECOND = COLOURS[1]
METHODS = {
    "features": (COLOURS[5], "D", "-"),
    "PCA": (INK, "s", "--"),
    "autoencoder": (ACCENT, "o", "-"),
    "clustering autoencoder": (SECOND, "^", "-"),
}


def scree(shares: np.ndarray, ax: Axes) -> Axes:
    """Draw the share of variance of each component as bars, and their sum as a line.

    Parameters
    ----------
    shares : ndarray, shape (components,)
    """
    numbers = np.arange(1, len(shares) + 1)
    ax.bar(numbers, shares, color=ACCENT, width=0.7, label="this component")
    total = shares.cumsum()
    ax.plot(numbers, total, "s--", color=SECOND, markersize=5, label="all up to it")
    for number, share in zip(numbers, total, strict=True):
        note(ax, f"{share:.0%}", (float(number), share), (-4, 5), ha="right", color=SECOND)
    mean = 1 / len(shares)
    ax.axhline(mean, color=MUTED, linewidth=1, linestyle=":")
    note(ax, "one feature's share", (1, mean), (-2, 3), ha="right", xycoords=SIDE)
    ax.set(xlabel="Component", ylabel="Share of variance", ylim=(0, 1.12))
    ax.set_xticks(numbers if len(numbers) <= 20 else numbers[::5])
    percent(ax.yaxis)
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.grid(axis="x", visible=False)
    ax.legend(loc="center right", bbox_to_anchor=(1, 0.45))
    return ax


def loading_heatmap(loadings: pd.DataFrame, ax: Axes, written: float = 0.4) -> Axes:
    """Draw correlations of features with components; strong ones carry their value.

    Parameters
    ----------
    loadings : DataFrame, features x components
        Indexed by the features' labels.
    """
    values = loadings.to_numpy()
    image = ax.imshow(values, cmap=DIVERGING, vmin=-1, vmax=1, aspect="auto")
    for row, column in np.argwhere(np.abs(values) >= written):
        value = values[row, column]
        text = f"{value:+.2f}".replace("0.", ".").replace("-", "−")
        style: Style = {"color": "white" if abs(value) > 0.65 else INK, "fontsize": 10}
        ax.text(column, row, text, ha="center", va="center", **style)
    ax.set_yticks(range(len(loadings)), [printable(name, 40) for name in loadings.index])
    ax.set_xticks(range(values.shape[1]), loadings.columns)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.figure.colorbar(image, ax=ax, label="Correlation with the component", shrink=0.8)
    return ax


def loadings_text(loadings: pd.DataFrame) -> str:
    """Say between which features the first components reach."""
    ends = [
        f"{component} from {values.idxmin()} ({values.min():+.2f}) to {values.idxmax()} "
        f"({values.max():+.2f})"
        for component, values in list(loadings.items())[:3]
    ]
    return f"Heatmap. Loadings reach on {joined(ends)}."


def biplot(scores: np.ndarray, loadings: pd.DataFrame, shares: np.ndarray, ax: Axes) -> Axes:
    """Draw customers as a density and features as arrows (Gabriel 1971), labelled at the sides.

    Parameters
    ----------
    scores : ndarray, shape (n_customers, 2)
    loadings : DataFrame, features x 2
        Indexed by the features' labels.
    shares : ndarray
        Shares of variance of the components, for the names of the axes.
    """
    low, high = np.quantile(scores, [0.005, 0.995], axis=0)
    shown = scores[((scores >= low) & (scores <= high)).all(axis=1)]
    ax.hexbin(*shown.T, gridsize=38, bins="log", cmap="Greys", mincnt=1, linewidths=0.1, alpha=0.55)
    tips = loadings.to_numpy() * 0.9 * min(-low.max(), high.min())
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[])
    arrow: Style = {
        "arrowstyle": "-|>",
        "color": ACCENT,
        "linewidth": 1.8,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    for x, y in tips:
        ax.annotate("", (x, y), (0, 0), arrowprops=arrow)
    for right in (False, True):
        side = np.flatnonzero((tips[:, 0] >= 0) == right)
        side = side[np.argsort(tips[side, 1])]
        text: Style = {"ha": "left" if right else "right", "va": "center", "linespacing": 0.95}
        line: Style = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.7, "shrinkB": 2}
        text |= {"textcoords": "axes fraction", "annotation_clip": False, "arrowprops": line}
        heights = _apart((tips[side, 1] - low[1]) / (high - low)[1])
        for row, height in zip(side, heights, strict=True):
            label = fill(printable(loadings.index[row], 40), 20)
            note(ax, label, tips[row], (1.02 if right else -0.02, height), **text)
    ax.set_xlabel(f"PC1 ({shares[0]:.0%} of the variance) →")
    ax.set_title(f"↑ PC2 ({shares[1]:.0%} of the variance)", fontweight="normal", fontsize=11.5)
    ax.spines[:].set_visible(False)
    ax.axhline(0, color=NOISE, linewidth=0.8, zorder=0)
    ax.axvline(0, color=NOISE, linewidth=0.8, zorder=0)
    ax.grid(visible=False)
    return ax


def _apart(heights: np.ndarray, gap: float = 0.11) -> np.ndarray:
    """Move ascending heights (0 to 1) as little as needed to keep labels apart."""
    gap = min(gap, 1 / max(len(heights) - 1, 1))
    placed = heights.copy()
    for at in range(1, len(placed)):
        placed[at] = max(placed[at], placed[at - 1] + gap)
    placed -= max(0, (placed - heights).mean()) if len(placed) else 0
    for at in range(len(placed) - 1, -1, -1):
        ceiling = 1 if at == len(placed) - 1 else placed[at + 1] - gap
        placed[at] = min(placed[at], ceiling)
    return placed


def segment_panels(
    points: np.ndarray,
    segments: np.ndarray,
    names: Mapping[int, str],
    styles: Mapping[int, SegmentStyle],
) -> Figure:
    """Draw each segment over the grey cloud of all customers, a panel each.

    More customers than points that an eye can tell apart are drawn as densities.

    Parameters
    ----------
    points : ndarray, shape (n_customers, 2)
        Scores on the first two components.
    segments : ndarray of int, shape (n_customers,)
        From 1.
    """
    low, high = np.quantile(points, [0.002, 0.998], axis=0)
    visible = ((points >= low) & (points <= high)).all(axis=1)
    limits: Style = {"extent": (low[0], high[0], low[1], high[1]), "gridsize": 44}
    dense = len(points) > DISTINCT and bool((high > low).all())
    figure, axes = panels_for(len(names), 2.4, min(len(names), 3))
    for ax, (segment, name) in zip(axes, names.items(), strict=True):
        marker, colour = styles[segment].marker, styles[segment].colour
        inside = points[segments == segment]
        if dense:
            _density(points[visible], ax, PALE, PALE, **limits)
            pale = np.add(to_rgb(colour), 2) / 3
            _density(points[visible & (segments == segment)], ax, pale, colour, **limits)
        else:
            ax.plot(*points.T, ".", color=PALE, markersize=2)
            ax.plot(*inside.T, marker, color=colour, markersize=2.6, markeredgewidth=0, alpha=0.6)
        large: Style = {"markersize": 11, "markeredgecolor": "white", "markeredgewidth": 1.6}
        ax.plot(*inside.mean(axis=0), marker, color=colour, **large)
        ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[])
        ax.set_title(printable(name, 30), fontsize=9.5)
    figure.supxlabel("PC1 (darker: more customers)" if dense else "PC1", fontsize=11)
    figure.supylabel("PC2", fontsize=11)
    return figure


def _density(points: np.ndarray, ax: Axes, few: Any, many: Any, **settings) -> None:
    """Draw hexagons, coloured from few points to many on a logarithmic scale."""
    if len(points):
        shades = LinearSegmentedColormap.from_list("density", [few, many])
        ax.hexbin(*points.T, bins="log", mincnt=1, cmap=shades, linewidths=0.1, **settings)


def segment_cloud(
    points: np.ndarray,
    segments: np.ndarray,
    names: Mapping[int, str],
    styles: Mapping[int, SegmentStyle],
    ax: Axes,
) -> Axes:
    """Draw customers in two or three dimensions, each segment in its colour and marker.

    Parameters
    ----------
    points : ndarray, shape (n_customers, 2 or 3)
    segments : ndarray of int, shape (n_customers,)
        From 1.
    """
    low, high = np.quantile(points, [0.005, 0.995], axis=0)
    visible = ((points >= low) & (points <= high)).all(axis=1)
    for segment, name in names.items():
        inside, style = points[visible & (segments == segment)], styles[segment]
        pale: Style = {"markersize": 3.4, "alpha": 0.55, "markeredgewidth": 0}
        label = printable(name, 30)
        ax.plot(*inside.T, style.marker, color=style.colour, label=label, **pale)
    ax.set(xticks=[], yticks=[])
    return ax


def two_sides(
    points: np.ndarray,
    segments: np.ndarray,
    names: Mapping[int, str],
    styles: Mapping[int, SegmentStyle],
) -> Figure:
    """Draw customers in three components, seen from two sides; shapes as in `segment_cloud`."""
    figure, axes = panels(1, 2, 3.9, subplot_kw={"projection": "3d"})
    for ax, turn in zip(axes.flat, (-60, -150), strict=True):
        segment_cloud(points, segments, names, styles, ax)
        for axis, name in zip((ax.xaxis, ax.yaxis, ax.zaxis), ("PC1", "PC2", "PC3"), strict=True):
            axis.set_ticks([])
            axis.set_label_text(name)
            axis.labelpad = -10
        ax.view_init(22, turn)
        ax.set_box_aspect(None, zoom=1.1)
    legend_below(figure, axes[0, 0])
    return figure


def maps(
    codes: Mapping[str, np.ndarray],
    segments: np.ndarray,
    names: Mapping[int, str],
    styles: Mapping[int, SegmentStyle],
) -> Figure:
    """Draw two-dimensional codes of the same customers side by side, titled by their keys."""
    figure, axes = panels(1, len(codes), 3.9)
    for ax, (title, code) in zip(axes.flat, codes.items(), strict=True):
        segment_cloud(code, segments, names, styles, ax)
        ax.set(title=title, xlabel="First number of the code", ylabel="Second number")
    legend_below(figure, axes[0, 0])
    return figure


def training(histories: Mapping[str, Sequence[pd.DataFrame]]) -> Figure:
    """Draw training and validation loss over epochs, a panel for each title.

    Parameters
    ----------
    histories : mapping of title to DataFrames
        One for each training: loss and val_loss by epoch, from 0.
    """
    figure, axes = panels(1, len(histories), 3.3, sharey=True)
    ring: Style = {"markersize": 9, "markerfacecolor": "none", "markeredgewidth": 1.8}
    for ax, (title, trainings) in zip(axes.flat, histories.items(), strict=True):
        labels = ["training rows", "validation rows", "best epoch, kept"]  # once each
        for history in trainings:
            epochs, best = history.index + 1, history["val_loss"].idxmin()
            lines = ax.plot(epochs, history["loss"], "--", color=MUTED, linewidth=1.3)
            lines += ax.plot(epochs, history["val_loss"], color=ACCENT, linewidth=1.5)
            lines += ax.plot(best + 1, history["val_loss"][best], "o", color=SECOND, **ring)
            for line, label in zip(lines, labels, strict=False):
                line.set_label(label)
            labels = []
        ax.set(title=title, xlabel="Epoch", yscale="log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
        ax.yaxis.set_minor_locator(NullLocator())
    axes[0, 0].set_ylabel("Mean squared error")
    legend_below(figure, axes[0, 0])
    return figure


def over_ranks(judged: pd.DataFrame, column: str, ax: Axes) -> Axes:
    """Draw a measure over ranks: the mean of the trainings as a line, each of them as a mark.

    Parameters
    ----------
    judged : DataFrame
        From `reduction.judge_reductions`.
    """
    for method, table in judged.groupby("method", sort=False):
        colour, marker, line = METHODS[method]
        style: Style = {"color": colour, "markersize": 6, "markerfacecolor": "none"}
        means = table.groupby("rank")[column].mean()
        ax.plot(means.index, means, line, color=colour)
        ax.plot(table.index.get_level_values("rank"), table[column], marker, **style)
        ax.plot([], [], line, marker=marker, label=method, **style)
    ax.set_xticks(sorted(judged.index.unique("rank")))
    ax.set(xlabel="Rank: numbers kept for each customer")
    ax.grid(axis="x", visible=False)
    return ax


def reconstruction_text(by_rank: pd.DataFrame) -> str:
    """Hold the held-out R² of PCA against the mean of the trainings, rank by rank."""
    pairs = [
        f"rank {row.Index}: {row.PCA:.2f} against {row.autoencoder_mean:.2f}"
        for row in by_rank.itertuples()
    ]
    return f"PCA against the mean of the autoencoder's trainings. {joined(pairs)}."


def neighbourhoods(judged: pd.DataFrame) -> Figure:
    """Draw trustworthiness and continuity over ranks, side by side on one scale."""
    figure, axes = panels(1, 2, 3.3, sharey=True)
    for ax, column in zip(axes.flat, ("trustworthiness", "continuity"), strict=True):
        over_ranks(judged, column, ax).set_title(column.capitalize())
    legend_below(figure, axes[0, 0])
    return figure


def silhouette_rows(found: pd.DataFrame, reference: float, ax: Axes) -> Axes:
    """Draw each labelling's silhouette as a mark, a row for each method and rank.

    Parameters
    ----------
    found : DataFrame
        From `reduction.judge_labelings`.
    reference : float
        Silhouette, in the same space, of the segments to compare with.
    """
    groups = list(found["silhouette"].groupby(["method", "rank"], sort=False))
    for row, ((method, _), values) in enumerate(groups):
        colour, marker, _ = METHODS[method]
        ring: Style = {"markersize": 7, "markerfacecolor": "none", "markeredgewidth": 1.6}
        ax.plot(values, [row] * len(values), marker, color=colour, **ring)
    ax.axvline(reference, color=INK, linestyle="--", linewidth=1.2)
    text: Style = {"ha": "right", "fontsize": None, "xycoords": TOP}
    note(ax, "segments of notebook 04", (reference, 1), (0, 5), **text)
    label_rows(ax, [f"{method}, rank {rank}" for (method, rank), _ in groups])
    ax.set_xlabel("Mean silhouette in the reference space")
    return ax
