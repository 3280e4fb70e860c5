"""Figures of notebook 05: components, maps and what became of the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from customer_tables.text import joined, printable
from segmentation.figures import style as st
from segmentation.palette import COLOURS

SECOND = COLOURS[1]
METHODS = {
    "features": (COLOURS[5], "D", "-"),
    "PCA": (st.INK, "s", "--"),
    "autoencoder": (st.ACCENT, "o", "-"),
    "clustering autoencoder": (SECOND, "^", "-"),
}
OUTSIDE = {
    "described": "Share of the describing features explained, chance 0",
    "rules": "Adjusted mutual information with the yes/no rules, chance 0",
}


def scree(shares: np.ndarray, ax: Axes) -> Axes:
    """Draw the share of variance of each component as bars, and their sum as a line."""
    numbers = np.arange(1, len(shares) + 1)
    ax.bar(numbers, shares, color=st.ACCENT, width=0.7, label="this component")
    total = shares.cumsum()
    ax.plot(numbers, total, "s--", color=SECOND, markersize=5, label="cumulative")
    for number, share in zip(numbers, total, strict=True):
        st.note(ax, f"{share:.0%}", (float(number), share), (-4, 5), ha="right", color=SECOND)
    mean = 1 / len(shares)
    ax.axhline(mean, color=st.MUTED, linewidth=1, linestyle=":")
    st.note(ax, "one feature's share", (1, mean), (-2, 3), ha="right", xycoords=st.SIDE)
    ax.set(xlabel="Component", ylabel="Share of variance", ylim=(0, 1.12))
    ax.set_xticks(numbers if len(numbers) <= 20 else numbers[::5])
    st.percent(ax.yaxis)
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.grid(axis="x", visible=False)
    ax.legend(loc="center right", bbox_to_anchor=(1, 0.45))
    return ax


def loading_heatmap(loadings: pd.DataFrame, ax: Axes, written: float = 0.4) -> Axes:
    """Draw correlations of features with components; strong ones carry their value."""
    bar: st.Style = {"label": "Correlation with the component", "shrink": 0.8}
    style: st.Style = {"cmap": st.DIVERGING, "vmin": -1, "vmax": 1, "cbar": True, "cbar_kws": bar}
    return st.heatmap(loadings, ax, "+.2f", written=written, slant=0, **style)


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

    ``shares`` of variance stand beside the names of the two components.
    """
    low, high, inside = _window(scores, 0.005)
    shown, ends = scores[inside], np.transpose([low, high])
    ax.hexbin(*shown.T, gridsize=38, bins="log", cmap="Greys", mincnt=1, linewidths=0.1, alpha=0.55)
    tips = loadings.to_numpy() * 0.9 * min(-low.max(), high.min())
    ax.set(xlim=ends[0], ylim=ends[1], xticks=[], yticks=[])
    arrow: st.Style = {"arrowstyle": "-|>", "color": st.ACCENT, "linewidth": 1.8}
    arrow |= {"shrinkA": 0, "shrinkB": 0}
    for x, y in tips:
        ax.annotate("", (x, y), (0, 0), arrowprops=arrow)
    for right in (False, True):
        side = np.flatnonzero((tips[:, 0] >= 0) == right)
        side = side[np.argsort(tips[side, 1])]
        text: st.Style = {"ha": "left" if right else "right", "va": "center", "linespacing": 0.95}
        line: st.Style = {"arrowstyle": "-", "color": st.MUTED, "linewidth": 0.7, "shrinkB": 2}
        text |= {"textcoords": "axes fraction", "annotation_clip": False, "arrowprops": line}
        for place, row in enumerate(side):  # at equal distances, in the order of the arrows' tips
            label = fill(printable(loadings.index[row], 40), 20)
            at = (1.02 if right else -0.02, (place + 0.5) / len(side))
            st.note(ax, label, tips[row], at, **text)
    ax.set_xlabel(f"PC1 ({shares[0]:.0%} of the variance) →")
    ax.set_title(f"↑ PC2 ({shares[1]:.0%} of the variance)", fontweight="normal", fontsize=11.5)
    ax.spines[:].set_visible(False)
    ax.axhline(0, color=st.NOISE, linewidth=0.8, zorder=0)
    ax.axvline(0, color=st.NOISE, linewidth=0.8, zorder=0)
    ax.grid(visible=False)
    return ax


def _window(points: np.ndarray, cut: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where the bulk of points begins and ends, and which are inside."""
    low, high = np.quantile(points, [cut, 1 - cut], axis=0)
    high = np.maximum(high, low + 1e-9)  # of scores that are all the same
    return low, high, ((points >= low) & (points <= high)).all(axis=1)


def segment_panels(
    points: np.ndarray, segments: np.ndarray, names: st.Names, styles: st.Styles
) -> Figure:
    """Draw the density of each segment over the grey one of all customers, a panel each."""
    low, high, visible = _window(points, 0.002)
    figure, axes = st.panels_for(len(names), 2.4, min(len(names), 3))
    style: st.Style = {"bins": "log", "mincnt": 1, "linewidths": 0.1, "gridsize": 44}
    style["extent"] = (low[0], high[0], low[1], high[1])
    for ax, (segment, name) in zip(axes, names.items(), strict=True):
        marker, colour = styles[segment].marker, styles[segment].colour
        inside = segments == segment
        pale = np.add(to_rgb(colour), 1) / 2
        for shown, few, many in ((visible, st.PALE, st.PALE), (visible & inside, pale, colour)):
            style["cmap"] = sns.blend_palette([few, many], as_cmap=True)
            if shown.any():
                ax.hexbin(*points[shown].T, **style)
        large: st.Style = {"markersize": 11, "markeredgecolor": "white", "markeredgewidth": 1.6}
        ax.plot(*points[inside].mean(axis=0), marker, color=colour, **large)
        ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[])
        ax.set_title(printable(name, 30), fontsize=9.5)
    figure.supxlabel("PC1 (darker: more customers)", fontsize=11)
    figure.supylabel("PC2", fontsize=11)
    return figure


def segment_cloud(
    points: np.ndarray, segments: np.ndarray, names: st.Names, styles: st.Styles, ax: Axes
) -> Axes:
    """Draw customers in two or three dimensions, each segment in its colour and marker."""
    *_, visible = _window(points, 0.005)
    for segment, name in names.items():
        inside, style = points[visible & (segments == segment)], styles[segment]
        pale: st.Style = {"markersize": 3.4, "alpha": 0.55, "markeredgewidth": 0}
        pale |= {"color": style.colour, "label": printable(name, 30)}
        ax.plot(*inside.T, style.marker, **pale)
    ax.set(xticks=[], yticks=[])
    return ax


def two_sides(
    points: np.ndarray, segments: np.ndarray, names: st.Names, styles: st.Styles
) -> Figure:
    """Draw customers in three components, seen from two sides; shapes as in `segment_cloud`."""
    figure, axes = st.panels(1, 2, 3.9, subplot_kw={"projection": "3d"})
    for ax, turn in zip(axes.flat, (-60, -150), strict=True):
        segment_cloud(points, segments, names, styles, ax)
        for axis, name in zip((ax.xaxis, ax.yaxis, ax.zaxis), ("PC1", "PC2", "PC3"), strict=True):
            axis.set_ticks([])
            axis.set_label_text(name)
            axis.labelpad = -10
        ax.view_init(22, turn)
        ax.set_box_aspect(None, zoom=1.1)
    st.legend_below(figure, axes[0, 0])
    return figure


def maps(
    codes: Mapping[str, np.ndarray], segments: np.ndarray, names: st.Names, styles: st.Styles
) -> Figure:
    """Draw two-dimensional codes of the same customers side by side, titled by their keys."""
    figure, axes = st.panels(1, len(codes), 3.9)
    for ax, (title, code) in zip(axes.flat, codes.items(), strict=True):
        segment_cloud(code, segments, names, styles, ax)
        ax.set(title=title, xlabel="First number of the code", ylabel="Second number")
    st.legend_below(figure, axes[0, 0])
    return figure


def training(networks: Mapping[str, Sequence[Any]]) -> Figure:
    """Draw the losses by epoch of trained autoencoders, and the epochs kept, a panel per title."""
    figure, axes = st.panels(1, len(networks), 3.3, sharey=True)
    ring: st.Style = {"markersize": 9, "markerfacecolor": "none", "markeredgewidth": 1.8}
    for ax, (title, trainings) in zip(axes.flat, networks.items(), strict=True):
        for network in trainings:
            history, best = network.history, network.kept
            epochs = history.index + 1
            dashed: st.Style = {"color": st.MUTED, "linewidth": 1.3, "label": "training rows"}
            ax.plot(epochs, history["loss"], "--", **dashed)
            validation = history["val_loss"]
            ax.plot(epochs, validation, color=st.ACCENT, linewidth=1.5, label="validation rows")
            kept: st.Style = {"color": SECOND, "label": "best epoch, kept", **ring}
            ax.plot(best + 1, validation[best], "o", **kept)
        ax.set(title=title, xlabel="Epoch", yscale="log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
        ax.yaxis.set_minor_locator(NullLocator())
    axes[0, 0].set_ylabel("Mean squared error")
    st.legend_below(figure, axes[0, 0])
    return figure


def over_ranks(judged: pd.DataFrame, column: str, ax: Axes) -> Axes:
    """Draw a measure over ranks: the mean of the trainings as a line, each of them as a mark."""
    for method, table in judged.groupby("method", sort=False):
        colour, marker, line = METHODS[method]
        style: st.Style = {"color": colour, "markersize": 6, "markerfacecolor": "none"}
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
    figure, axes = st.panels(1, 2, 3.3, sharey=True)
    for ax, column in zip(axes.flat, ("trustworthiness", "continuity"), strict=True):
        over_ranks(judged, column, ax).set_title(column.capitalize())
    st.legend_below(figure, axes[0, 0])
    return figure


def outside_rows(scored: pd.DataFrame, reference: pd.Series, measures: Sequence[str]) -> Figure:
    """Draw each labelling's score by outside variables, a panel for each measure."""
    rows = scored.groupby(["method", "rank"]).ngroups
    figure, axes = st.panels(len(measures), 1, 0.36 * rows + 1.1)
    for measure, ax in zip(measures, axes[:, 0], strict=True):
        score_rows(scored[measure], reference[measure], OUTSIDE[measure], ax)
    return figure


def outside_text(ends: pd.DataFrame) -> str:
    """Say between which scores the codes lie; rows min and max, a column per measure."""
    reach = [f"{name} {column['min']:.2f} to {column['max']:.2f}" for name, column in ends.items()]
    return f"Marks by method and rank. Learned codes: {joined(reach)}."


def silhouette_rows(found: pd.DataFrame, reference: float, ax: Axes) -> Axes:
    """Draw each labelling's silhouette beside that of the segments to compare with."""
    label = "Mean silhouette in the reference space"
    return score_rows(found["silhouette"], reference, label, ax)


def score_rows(found: pd.Series, reference: float, label: str, ax: Axes) -> Axes:
    """Draw scores, indexed by method, rank and seed, as marks: a row for each method and rank.

    ``reference`` is the score, on the same scale, of the segments to compare with.
    """
    groups = list(found.groupby(["method", "rank"], sort=False))
    for row, ((method, _), values) in enumerate(groups):
        colour, marker, _ = METHODS[method]
        ring: st.Style = {"markersize": 7, "markerfacecolor": "none", "markeredgewidth": 1.6}
        ax.plot(values, [row] * len(values), marker, color=colour, **ring)
    ax.axvline(reference, color=st.INK, linestyle="--", linewidth=1.2)
    text: st.Style = {"ha": "right", "fontsize": None, "xycoords": st.TOP}
    st.note(ax, "segments of notebook 04", (reference, 1), (0, 5), **text)
    st.label_rows(ax, [f"{method}, rank {rank}" for (method, rank), _ in groups])
    ax.set_xlabel(label)
    return ax
