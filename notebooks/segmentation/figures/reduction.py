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

from customer_tables.text import decimal, printable, share
from segmentation.claims import Claim, extremes, listed, most, stated
from segmentation.figures import style as st

METHODS = {  # marks that no segment has
    "features": (st.INK, "|", "-"),
    "PCA": (st.INK, "x", "--"),
    "autoencoder": (st.LINE, ".", "-"),
    "clustering autoencoder": (st.MUTED, "+", ":"),
}
CLEAR = 0.3  # correlations beyond which a feature stands at an end of a component
FEW = 6  # features, up to which every loading is written and no colour is explained
OUTSIDE = {  # what a score is on, and what it is
    "described": ("profiling variables", "Share of the profiling variables explained, chance 0"),
    "rules": ("yes/no rules", "Adjusted mutual information with the yes/no rules, chance 0"),
}


def scree(shares: np.ndarray, ax: Axes) -> None:
    """Draw the share of variance of each component as bars, and their sum as a line."""
    numbers = np.arange(1, len(shares) + 1)
    ax.bar(numbers, shares, color=st.LINE, width=0.7, label="this component")
    total = shares.cumsum()
    ax.plot(numbers, total, ".--", color=st.MUTED, markersize=8, label="cumulative")
    for number, part in zip(numbers, total.round(9), strict=True):
        st.note(ax, share(part), (float(number), part), (-4, 5), ha="right")
    mean = 1 / len(shares)
    ax.axhline(mean, color=st.MUTED, linewidth=1, linestyle=":")
    beside: st.Style = {"ha": "right", "xycoords": st.SIDE, "bbox": st.PATCH}
    st.note(ax, "one feature's share", (1, mean), (-2, 4), **beside)
    ax.set(xlabel="Component", ylabel="Share of variance", ylim=(0, 1.12))
    ax.set_xticks(numbers if len(numbers) <= 20 else numbers[::5])
    st.percent(ax.yaxis)
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.grid(axis="x", visible=False)
    ax.legend(loc="upper left")


def scree_text(shares: np.ndarray, eighty: int, ninety: int) -> tuple[Claim, Claim]:
    """Say how many components reach 80 and 90% of the variance, and how many exceed a feature."""
    title = stated(
        "Components that together reach 80% of the variance: {eighty}; 90%: {ninety}",
        eighty=eighty,
        ninety=ninety,
    )
    more = stated(
        "Bars from {first:.0%} to {last:.0%}; above the dotted line: {above}.",
        first=shares[0],
        last=shares[-1],
        above=int((shares > 1 / len(shares)).sum()),
    )
    return title, more


def loading_heatmap(loadings: pd.DataFrame, ax: Axes) -> None:
    """Draw correlations of features with components; strong ones carry their value."""
    bar: st.Style = {"label": "Correlation with the component", "shrink": 0.8}
    style: st.Style = {"cmap": st.DIVERGING, "vmin": -1, "vmax": 1, "cbar_kws": bar}
    style["cbar"] = len(loadings) > FEW
    least = 0.4 if len(loadings) > FEW else 0.0

    def write(loading: float) -> str:
        return decimal(loading, signed=True) if abs(loading) >= least else ""

    st.heatmap(loadings, ax, write, **style)


def loadings_text(loadings: pd.DataFrame) -> tuple[Claim, Claim]:
    """Say between which features the first components reach: those with clear correlations."""
    ends = []
    for component, values in list(loadings.items())[:3]:
        numbers = extremes(values) | {"component": component}
        ends.append(
            stated(
                "{component} runs from {lowest} ({low:+.2f}) to {highest} ({high:+.2f})",
                f"low <= -{CLEAR} and high >= {CLEAR}",
                **numbers,
            )
            or stated(
                "{component} runs with {highest} ({high:+.2f})",
                "abs(high) >= abs(low)",
                **numbers,
            )
            or stated(
                "{component} runs against {lowest} ({low:+.2f})",
                "abs(high) < abs(low)",
                **numbers,
            )
        )
    return ends[0], stated("Heatmap of correlations. {ends}.", ends=listed(ends[1:]))


def biplot(scores: np.ndarray, loadings: pd.DataFrame, shares: np.ndarray, ax: Axes) -> None:
    """Draw customers as a density and features as arrows (Gabriel 1971), labelled at the sides.

    ``shares`` of variance stand beside the names of the two components.
    """
    low, high = _frame(scores)
    extent = (low[0], high[0], low[1], high[1])
    shade: st.Style = {"bins": "log", "cmap": "Greys", "mincnt": 1, "linewidths": 0.1}
    ax.hexbin(*scores.T, gridsize=(48, 17), extent=extent, alpha=0.55, **shade)
    tips = loadings.to_numpy() * 0.9 * min(-low.max(), high.min())
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[])
    arrow: st.Style = {"arrowstyle": "-|>", "color": st.INK, "linewidth": 1.6}
    arrow |= {"shrinkA": 0, "shrinkB": 0}
    for x, y in tips:
        ax.annotate("", (x, y), (0, 0), arrowprops=arrow)
    for right in (False, True):
        side = np.flatnonzero((tips[:, 0] >= 0) == right)
        side = side[np.argsort(tips[side, 1])]
        heights = _apart((tips[side, 1] - low[1]) / (high[1] - low[1]), 0.105)
        text: st.Style = {"ha": "left" if right else "right", "va": "center", "linespacing": 0.95}
        line: st.Style = {"arrowstyle": "-", "color": st.MUTED, "linewidth": 0.7, "shrinkB": 2}
        text |= {"textcoords": "axes fraction", "annotation_clip": False, "arrowprops": line}
        line["relpos"] = (0 if right else 1, 0.5)
        for height, row in zip(heights, side, strict=True):
            label = fill(printable(loadings.index[row], 48), 26)
            at = (1.02 if right else -0.02, height)
            st.note(ax, label, tips[row], at, **text)
    ax.set_xlabel(f"PC1 ({share(shares[0])} of the variance) →")
    ax.set_title(f"↑ PC2 ({share(shares[1])} of the variance)", fontsize=10, loc="center")
    ax.spines[:].set_visible(False)
    ax.axhline(0, color=st.NOISE, linewidth=0.8, zorder=0)
    ax.axvline(0, color=st.NOISE, linewidth=0.8, zorder=0)
    ax.grid(visible=False)


def _apart(heights: np.ndarray, least: float) -> np.ndarray:
    """Move ascending heights, from 0 to 1, apart to a least distance, each as little as needed."""
    steps = least * np.arange(len(heights))
    up = np.maximum.accumulate(heights - steps) + steps
    down = np.minimum.accumulate((heights - steps)[::-1])[::-1] + steps
    room = 1 - least * (len(heights) - 1)
    return np.clip((up + down) / 2 - steps, 0, max(room, 0)) + steps


def _frame(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where axes begin and end that hold all points, with a margin."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.maximum(0.04 * (high - low), 1e-9)  # of points that are all the same
    return low - margin, high + margin


def segment_panels(
    points: np.ndarray, segments: np.ndarray, names: st.Names, styles: st.Styles
) -> Figure:
    """Draw the density of each segment over the grey one of all customers, a panel each."""
    low, high = _frame(points)
    figure, axes = st.panels_for(len(names), 1.9, min(len(names), 3))
    style: st.Style = {"bins": "log", "mincnt": 1, "linewidths": 0.1, "gridsize": (48, 13)}
    style["extent"] = (low[0], high[0], low[1], high[1])
    for ax, (segment, name) in zip(axes, names.items(), strict=True):
        colour, inside = styles[segment].colour, segments == segment
        pale = np.add(to_rgb(colour), 1) / 2
        for shown, few, many in ((points, st.PALE, st.PALE), (points[inside], pale, colour)):
            style["cmap"] = sns.blend_palette([few, many], as_cmap=True)
            if len(shown):
                ax.hexbin(*shown.T, **style)
        _mark(ax, points[inside].mean(axis=0), styles[segment])
        ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[])
        ax.set_title(printable(name, 40))
    figure.supxlabel("PC1 (darker: more customers)", fontsize=10)
    figure.supylabel("PC2", fontsize=10)
    return figure


def biplot_text(seen: pd.Series) -> Claim:
    """Say of which features a plane shows most and least, from the shares of their variance."""
    shown = extremes(seen)
    return stated(
        "Of the features, two components show most of {highest} and least of {lowest}",
        "high - low >= 0.005",
        **shown,
    ) or stated("Two components show {high:.0%} of every feature", "high - low < 0.005", **shown)


def plane_text(centres: pd.DataFrame, names: st.Names) -> tuple[Claim, Claim]:
    """Say which segments lie lowest and highest on the first component; rows are segments."""
    centres = centres.rename(names)
    means = [
        stated("{name} {x:.1f} and {y:.1f}", name=name, x=x, y=y)
        for name, x, y in centres.itertuples()
    ]
    title = stated(
        "On the first component, {lowest} lie lowest on average and {highest} highest",
        lowest=most(centres[0], least=True),
        highest=most(centres[0]),
    )
    return title, stated(
        "A panel for each segment. Means on PC1 and PC2: {means}.", means=listed(means)
    )


def _mark(ax: Axes, place: np.ndarray, style: st.SegmentStyle) -> None:
    """Draw a segment's marker, large, where its customers are on average."""
    edge: st.Style = {"markeredgecolor": "white", "markeredgewidth": 1.5, "zorder": 5}
    ax.plot(*place, style.marker, color=style.colour, markersize=10, **edge)


def two_sides(
    points: np.ndarray, segments: np.ndarray, names: st.Names, styles: st.Styles
) -> Figure:
    """Draw customers in three components, seen from two sides, in their segments' colours."""
    figure, axes = st.panels(1, 2, 4.0, subplot_kw={"projection": "3d"})
    views = (("Three components", -60), ("The same, turned by a quarter", -150))
    for ax, (title, turn) in zip(axes.flat, views, strict=True):
        for segment in names:
            dots: st.Style = {"markersize": 2.6, "alpha": 0.6, "markeredgewidth": 0}
            dots["color"] = styles[segment].colour
            ax.plot(*points[segments == segment].T, styles[segment].marker, **dots)
        for axis, name in zip((ax.xaxis, ax.yaxis, ax.zaxis), ("PC1", "PC2", "PC3"), strict=True):
            axis.set_ticks([])
            axis.set_label_text(name)
            axis.labelpad = -10
        ax.view_init(22, turn)
        ax.set_box_aspect(None, zoom=1.25)
        ax.set_title(title)
    st.segment_legend(figure, names, styles)
    return figure


def maps(
    codes: Mapping[str, np.ndarray], segments: np.ndarray, names: st.Names, styles: st.Styles
) -> Figure:
    """Draw two-dimensional codes of the same customers side by side, titled by their keys.

    A hexagon has the colour of the segment with most customers there, the paler the smaller its
    part of them is.
    """
    figure, axes = st.panels(1, len(codes), 3.6)
    for ax, (title, code) in zip(axes.flat, codes.items(), strict=True):
        _segment_hexagons(code, segments, names, styles, ax)
        ax.set(title=title, xlabel="First number of the code", ylabel="Second number")
        ax.set(xticks=[], yticks=[])
    st.segment_legend(figure, names, styles)
    return figure


def _segment_hexagons(
    points: np.ndarray, segments: np.ndarray, names: st.Names, styles: st.Styles, ax: Axes
) -> None:
    """Draw which segment has most customers in each hexagon, and how large its part is."""
    low, high = _frame(points)
    style: st.Style = {"gridsize": (44, 14), "extent": (low[0], high[0], low[1], high[1])}
    counts = []
    for segment in names:
        layer = ax.hexbin(*points[segments == segment].T, **style)
        counts.append(np.asarray(layer.get_array()))
        layer.remove()
    drawn, total = ax.hexbin(*points.T, linewidths=0.1, **style), np.sum(counts, axis=0)
    colours = np.array([[*to_rgb(styles[segment].colour), 1.0] for segment in names])
    colours = colours[np.argmax(counts, axis=0)]
    part = np.max(counts, axis=0) / np.maximum(total, 1)
    colours[:, 3] = np.where(total, 0.25 + 0.75 * part**2, 0)
    drawn.set(array=None, facecolor=colours, edgecolor="none")
    for segment in names:
        _mark(ax, points[segments == segment].mean(axis=0), styles[segment])


def training(networks: Mapping[str, Sequence[Any]]) -> Figure:
    """Draw the losses by epoch of trained autoencoders, and the epochs kept, a panel per title."""
    figure, axes = st.panels(1, len(networks), 2.8, sharey=True)
    ring: st.Style = {"markersize": 9, "markerfacecolor": "none", "markeredgewidth": 1.8}
    for ax, (title, trainings) in zip(axes.flat, networks.items(), strict=True):
        for network in trainings:
            history, best = network.history, network.kept
            epochs = history.index + 1
            dashed: st.Style = {"color": st.NOISE, "linewidth": 1.3, "label": "training rows"}
            ax.plot(epochs, history["loss"], "--", **dashed)
            validation = history["val_loss"]
            ax.plot(epochs, validation, color=st.INK, linewidth=1.5, label="validation rows")
            kept: st.Style = {"color": st.INK, "label": "best epoch, kept", **ring}
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
        style: st.Style = {"color": colour, "markersize": 8}
        means = table.groupby("rank")[column].mean()
        ax.plot(means.index, means, line, color=colour)
        ax.plot(table.index.get_level_values("rank"), table[column], marker, **style)
        ax.plot([], [], line, marker=marker, label=method, **style)
    ax.set_xticks(sorted(judged.index.unique("rank")))
    ax.set(xlabel="Rank: numbers kept for each customer")
    ax.grid(axis="x", visible=False)
    return ax


def reconstruction_text(by_rank: pd.DataFrame) -> tuple[Claim, Claim]:
    """Hold the held-out R² of PCA against the mean of the trainings, rank by rank."""
    first = by_rank.iloc[0]
    title = stated(
        "At rank {rank} PCA reaches a held-out R² of {pca:.2f}, the autoencoder {own:.2f} on "
        "average",
        rank=int(first.name),
        pca=first["PCA"],
        own=first["autoencoder_mean"],
    )
    text = "rank {row.Index}: {row.PCA:.2f} against {row.autoencoder_mean:.2f}"
    ranks = listed([stated(text, row=row) for row in by_rank.itertuples()])
    text = "PCA against the mean of the autoencoder's trainings. {ranks}."
    return title, stated(text, ranks=ranks)


def neighbourhoods(judged: pd.DataFrame) -> Figure:
    """Draw trustworthiness and continuity over ranks, side by side on one scale."""
    figure, axes = st.panels(1, 2, 2.8, sharey=True)
    for ax, column in zip(axes.flat, ("trustworthiness", "continuity"), strict=True):
        over_ranks(judged, column, ax).set_title(column.capitalize())
    st.legend_below(figure, axes[0, 0])
    return figure


def outside_rows(scored: pd.DataFrame, reference: pd.Series, measures: Sequence[str]) -> Figure:
    """Draw each labelling's score by outside variables, a panel for each measure."""
    rows = scored.groupby(["method", "rank"]).ngroups
    figure, axes = st.panels(1, len(measures), 0.3 * rows + 1.3)
    for place, measure in enumerate(measures):
        score_rows(scored[measure], reference[measure], OUTSIDE[measure][1], axes[0, place])
        if place:
            axes[0, place].set_yticklabels([])
    return figure


def outside_text(ends: pd.DataFrame) -> tuple[Claim, str]:
    """Say between which scores the codes lie; rows min and max, a column per measure."""
    text = "{ends[min]:.2f} to {ends[max]:.2f} on the {what}"
    reach = [stated(text, ends=column, what=OUTSIDE[name][0]) for name, column in ends.items()]
    return stated("Learned codes score {reach}", reach=listed(reach)), "Marks by method and rank."


def score_rows(found: pd.Series, reference: float, label: str, ax: Axes) -> None:
    """Draw scores, indexed by method, rank and seed, as marks: a row for each method and rank.

    ``reference`` is the score, on the same scale, of the segments to compare with.
    """
    groups = list(found.groupby(["method", "rank"], sort=False))
    for row, ((method, _), values) in enumerate(groups):
        colour, marker, _ = METHODS[method]
        mark: st.Style = {"markersize": 9, "markeredgewidth": 1.6}
        ax.plot(values, [row] * len(values), marker, color=colour, **mark)
    ax.axvline(reference, color=st.INK, linestyle="--", linewidth=1.2)
    text: st.Style = {"ha": "center", "xycoords": st.TOP}
    st.note(ax, "segments of notebook 04", (reference, 1), (0, 4), **text)
    st.label_rows(ax, [f"{method}, rank {rank}" for (method, rank), _ in groups])
    ax.set_xlabel(fill(label, 48))
