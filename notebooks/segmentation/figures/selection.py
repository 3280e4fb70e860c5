"""Figures of notebook 04 that argue for a number of segments."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FixedLocator, FuncFormatter, PercentFormatter

from customer_tables.text import joined, printable
from segmentation.figures.style import (
    ACCENT,
    INK,
    MUTED,
    NOISE,
    PATCH,
    SegmentStyle,
    panels,
)
from segmentation.lineage import order_for_display
from segmentation.palette import COLOURS
from segmentation.selection import Choice

NULL_STYLES = {
    "permuted": ("columns permuted", "#B8BEC6", ".."),
    "gaussian": ("one Gaussian", "#8C95A1", "//"),
}
CRITERIA = {
    "inertia": "Inertia (elbow)",
    "silhouette": "Silhouette, mean",
    "calinski_harabasz": "Calinski-Harabasz",
    "davies_bouldin": "Davies-Bouldin, low is good",
}


def mark_k(ax: Axes, k: int, label: str = "") -> None:
    """Mark the chosen number of segments with a vertical line and, once, its name."""
    ax.axvline(k, color=INK, linewidth=1, linestyle=(0, (2, 2)), zorder=1)
    if label:
        ax.annotate(label, (k, 1), xycoords=("data", "axes fraction"), xytext=(4, -4),
                    textcoords="offset points", va="top", fontsize=10, color=INK)  # fmt: skip


def over_k(ax: Axes, ks: np.ndarray) -> None:
    """Put real numbers of segments on the horizontal axis."""
    ax.xaxis.set_major_locator(FixedLocator(list(ks)))
    ax.set_xlabel("Number of segments, k")
    ax.grid(axis="x", visible=False)


def criterion(
    data: pd.Series, nulls: pd.DataFrame, ax: Axes, *, name: str, k: int, best: int | None = None
) -> Axes:
    """Draw a criterion over k, on the data and as bands on data without segments.

    Parameters
    ----------
    data : Series, indexed by k
    nulls : DataFrame
        With the columns null, k and one named like ``data``.
    best : int, optional
        What this criterion alone would pick; marked with a ring.
    """
    ks = data.index.to_numpy()
    for null, (label, colour, hatch) in NULL_STYLES.items():
        band = nulls[nulls["null"] == null].groupby("k")[data.name].agg(["min", "max"])
        if len(band):
            ax.fill_between(band.index, band["min"], band["max"], color=colour, alpha=0.45,
                            hatch=hatch, edgecolor=colour, linewidth=1.5, label=label)  # fmt: skip
    ax.plot(ks, data, "o-", color=ACCENT, label="the customers", markersize=4.5)
    if best is not None:
        ax.plot(best, data[best], "o", markersize=12, markerfacecolor="none",
                markeredgecolor=COLOURS[1], markeredgewidth=2)  # fmt: skip
        ax.annotate(f"alone: {best}", (best, data[best]), xytext=(7, 9), fontsize=10,
                    textcoords="offset points", color=COLOURS[1])  # fmt: skip
    mark_k(ax, k)
    ax.set_title(name)
    over_k(ax, ks)
    ax.yaxis.set_major_formatter(FuncFormatter(_short))
    ax.margins(y=0.14)
    return ax


def criteria(scan: pd.DataFrame, nulls: pd.DataFrame, alone: Mapping[str, int], k: int) -> Figure:
    """Draw the four classic criteria over k, each with what it alone would pick.

    Parameters
    ----------
    scan : DataFrame, indexed by k
    nulls : DataFrame
        The same statistics on data without segments.
    alone : mapping of str to int
        From each criterion in `CRITERIA` to its k.
    """
    figure, axes = panels(2, 2, 2.9)
    for ax, (column, title) in zip(axes.flat, CRITERIA.items(), strict=True):
        criterion(scan[column], nulls, ax, name=title, k=k, best=alone[column])
    worst = scan["inertia"] * (1 + scan["worst_start"])
    axes[0, 0].vlines(
        scan.index, scan["inertia"], worst, color=COLOURS[1], linewidth=3, label="random starts"
    )
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3)
    return figure


def criteria_text(
    scan: pd.DataFrame, null_silhouette: float, alone: Mapping[str, int], k: int
) -> str:
    """Say what each criterion alone would pick, and how the silhouette compares at the choice."""
    return (
        f"Alone, the elbow picks {alone['inertia']}, the silhouette {alone['silhouette']}, "
        f"Calinski-Harabasz {alone['calinski_harabasz']}, Davies-Bouldin {alone['davies_bouldin']}."
        f" At k = {k} the silhouette is {scan.silhouette[k]:.2f}, on one Gaussian at most "
        f"{null_silhouette:.2f}."
    )


def _short(value: float, _: int) -> str:
    """Write an axis value briefly: 114k, 0.25."""
    return f"{value / 1000:,.0f}k" if abs(value) >= 10_000 else f"{value:,.4g}"


def decision(
    agreement: Mapping[int, np.ndarray],
    ax: Axes,
    *,
    k: int,
    threshold: float,
    actionable: tuple[int, int],
    tiny: tuple[int, ...] = (),
) -> Axes:
    """Draw how far fits on other samples agree at each k, the threshold and the choice.

    Parameters
    ----------
    agreement : mapping of k to ndarray, shape (pairs,)
        Adjusted Rand indices of pairs of bootstrap fits.
    tiny : tuple of int
        Every k whose smallest segment is too small.
    """
    ks = np.array(sorted(agreement))
    means = np.array([agreement[n].mean() for n in ks])
    ax.axvspan(actionable[0] - 0.4, actionable[1] + 0.4, color="#EEF2F6", zorder=0)
    ax.annotate("actionable range", (actionable[0] - 0.3, 0.02), fontsize=10, color=MUTED,
                xycoords=("data", "axes fraction"))  # fmt: skip
    ax.axhline(threshold, color=INK, linewidth=1)
    ax.annotate(f"needed: {threshold:.2f}", (1, threshold), xycoords=("axes fraction", "data"),
                xytext=(4, 0), textcoords="offset points", va="center", fontsize=10)  # fmt: skip
    for n in ks:
        spots = np.linspace(-0.16, 0.16, len(agreement[n]))
        ax.plot(n + spots, np.sort(agreement[n]), ".", color=NOISE, markersize=4, zorder=1)
    qualified = means >= threshold
    ax.plot(ks, means, color=ACCENT, zorder=2)
    for n, mean, enough in zip(ks, means, qualified, strict=True):
        fill = ACCENT if enough and n not in tiny else "white"
        ax.plot(n, mean, "o", markersize=8, color=ACCENT, markerfacecolor=fill, zorder=3)
    chosen = agreement[k].mean()
    ax.plot(k, chosen, "o", markersize=17, markerfacecolor="none", markeredgecolor=COLOURS[1],
            markeredgewidth=2.2, zorder=4)  # fmt: skip
    ax.annotate(f"chosen: {k}", (k, chosen), xytext=(0, -24), textcoords="offset points",
                ha="center", color=COLOURS[1], fontweight="bold", bbox=PATCH)  # fmt: skip
    over_k(ax, ks)
    lowest = min(values.min() for values in agreement.values())
    ax.set(ylabel="Agreement of two fits (ARI)", ylim=(min(0.4, lowest - 0.05), 1.05))
    return ax


def decision_text(scan: pd.DataFrame, choice: Choice, needed: float) -> str:
    """Say how far fits agree at the chosen k, and which numbers of segments reach the threshold."""
    reached = joined([f"k = {n}" for n in choice.qualified] or ["no k"])
    return (
        f"Mean agreement over k. It is {scan.stability[choice.k]:.2f} at the chosen {choice.k}; "
        f"{reached} {'reaches' if len(choice.qualified) < 2 else 'reach'} {needed:.2f} in the "
        "actionable range."
    )


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
    start, gap, ticks = 0, len(values) * 0.02, []
    for segment in sorted(names):
        inside = np.sort(values[labels == segment])
        rows = start + np.arange(len(inside))
        ax.fill_betweenx(rows, 0, inside, color=styles[segment].colour, linewidth=0)
        ticks.append(
            (start + len(inside) / 2, f"{printable(names[segment], 28)}\n{inside.mean():.2f}")
        )
        start += len(inside) + gap
    ax.axvline(values.mean(), color=INK, linestyle="--", linewidth=1)
    ax.annotate(
        f"mean {values.mean():.2f}",
        (values.mean(), 1),
        xycoords=("data", "axes fraction"),
        xytext=(3, -3),
        textcoords="offset points",
        va="top",
        fontsize=10,
    )
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
        ax.annotate(word, (cut, 1), xycoords=("data", "axes fraction"), xytext=(2, 3), fontsize=9.5,
                    textcoords="offset points", color=MUTED)  # fmt: skip
    for row, segment in enumerate(sorted(names)):
        values = np.sort(jaccard[:, segment - 1])
        spread = row + np.linspace(-0.2, 0.2, len(values))
        ax.plot(values, spread, ".", color=styles[segment].colour, alpha=0.55, markersize=5)
        ax.plot(values.mean(), row, styles[segment].marker, color=styles[segment].colour,
                markeredgecolor="white", markersize=10)  # fmt: skip
    ax.set_yticks(range(len(names)), [printable(names[s], 34) for s in sorted(names)])
    ax.set(ylim=(len(names) - 0.4, -0.6), xlim=(min(0.5, jaccard.min() - 0.03), 1.005))
    ax.set_xlabel("Jaccard similarity with the best match in a resample")
    ax.grid(axis="y", visible=False)
    return ax


def stability_text(jaccard: pd.Series) -> str:
    """Say which segment, by its name, is most and which is least stable."""
    return (
        f"From {jaccard.max():.2f} for {jaccard.idxmax()} down to {jaccard.min():.2f} for "
        f"{jaccard.idxmin()}."
    )


def lineage(
    flows: pd.DataFrame,
    stability: pd.DataFrame,
    styles: Mapping[tuple[int, int], SegmentStyle],
    chosen: int,
    ax: Axes,
) -> Axes:
    """Draw how segments split and merge from each k to the next; ribbons are customers.

    Parameters
    ----------
    flows : DataFrame
        From `lineage.flows`.
    stability : DataFrame, indexed by (k, segment)
        ``resamples`` and ``k``, from `lineage.segment_stability`: written into the node where
        there is room, the second in brackets.
    styles : mapping of (k, segment) to SegmentStyle
        From `lineage_styles`.
    chosen : int
        The k whose nodes are outlined.
    """
    order = order_for_display(flows)
    sizes: dict[tuple[int, int], float] = {}
    for side in ("from", "to"):
        grouped = flows.groupby([f"k_{side}", f"segment_{side}"])["customers"].sum()
        sizes |= {(int(k), int(s)): float(n) for (k, s), n in grouped.items()}
    total = sum(n for (k, _), n in sizes.items() if k == min(order))
    gap, tops = 0.025, {}
    for k, segments in order.items():
        top = 0.5 - 0.5 * (1 + gap * (k - 1))
        for segment in segments:
            tops[k, segment] = top
            top += sizes[k, segment] / total + gap
    width = 0.22
    left, right = dict(tops), dict(tops)
    ranked = {k: {s: place for place, s in enumerate(segments)} for k, segments in order.items()}
    rows = sorted(
        flows.itertuples(index=False),
        key=lambda f: (f.k_from, ranked[f.k_from][f.segment_from], ranked[f.k_to][f.segment_to]),
    )
    for flow in rows:
        start, stop = (flow.k_from, flow.segment_from), (flow.k_to, flow.segment_to)
        height = flow.customers / total
        ribbon(ax, start[0] + width, right[start], stop[0] - width, left[stop], height,
                styles[stop].colour)  # fmt: skip
        right[start] += height
        left[stop] += height
    for node, top in tops.items():
        height = sizes[node] / total
        ax.barh(top + height / 2, 2 * width, height, node[0] - width, color=styles[node].colour,
                edgecolor=INK if node[0] == chosen else "white",
                linewidth=1.8 if node[0] == chosen else 0.6, zorder=3)  # fmt: skip
        within, across = stability.loc[node, ["resamples", "k"]]
        two_lines = height > 0.075 and np.isfinite(across)
        middle = top + height / 2 - (0.016 if two_lines else 0)
        if height > 0.035:
            ax.plot(node[0] - 0.12, middle, styles[node].marker, color="white", markersize=3.6,
                    zorder=4)  # fmt: skip
            ax.text(node[0] + 0.05, middle, f"{within:.2f}".lstrip("0"), zorder=4, ha="center",
                    va="center", fontsize=8.5, color="white")  # fmt: skip
        if two_lines:
            ax.text(node[0], middle + 0.036, f"({across:.2f})".replace("0.", "."), zorder=4,
                    ha="center", va="center", fontsize=7.5, color="white")  # fmt: skip
    ax.set(xlim=(min(order) - 0.4, max(order) + 0.4), yticks=[])
    ax.invert_yaxis()
    ax.spines["left"].set_visible(False)
    over_k(ax, np.array(sorted(order)))
    ax.grid(visible=False)
    return ax


def lineage_styles(
    labelings: Mapping[int, np.ndarray], chosen: int, styles: Mapping[int, SegmentStyle]
) -> dict[tuple[int, int], SegmentStyle]:
    """Give each segment of each solution the look of the chosen one it shares most with."""
    looks = {}
    for k, labels in labelings.items():
        nearest = pd.crosstab(labels, labelings[chosen]).idxmax(axis=1)
        looks |= {(k, segment): styles[nearest[segment] + 1] for segment in nearest.index}
    return looks


def lineage_text(flows: pd.DataFrame, chosen: int) -> str:
    """Say how many ribbons touch the chosen solution."""
    touching = ((flows["k_from"] == chosen) | (flows["k_to"] == chosen)).sum()
    return (
        f"Flow of customers between solutions with {flows['k_from'].min()} to "
        f"{flows['k_to'].max()} segments; {touching} ribbons touch the chosen one with {chosen}."
    )


def ribbon(ax: Axes, x0: float, y0: float, x1: float, y1: float, h: float, colour: str) -> None:
    """Draw one ribbon of height h between two nodes."""
    middle = (x0 + x1) / 2
    points = [
        (x0, y0), (middle, y0), (middle, y1), (x1, y1),
        (x1, y1 + h), (middle, y1 + h), (middle, y0 + h), (x0, y0 + h), (x0, y0),
    ]  # fmt: skip
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    ax.add_patch(
        PathPatch(
            Path(points, codes), facecolor=colour, alpha=0.45, edgecolor="white", linewidth=0.4
        )
    )


def agreement_bars(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the agreement of alternatives with the chosen segments, one mark a row."""
    marks = dict(zip(table["choice"].unique(), "osD^vPX", strict=False))
    for row, entry in enumerate(table.itertuples()):
        colour = COLOURS[list(marks).index(entry.choice) % len(COLOURS)]
        ax.plot([0, entry.ARI], [row, row], color="#D5DAE0", linewidth=2, zorder=1)
        ax.plot(entry.ARI, row, marks[entry.choice], color=colour, markersize=8,
                label=entry.choice)  # fmt: skip
        ax.annotate(f"{entry.ARI:.2f}", (entry.ARI, row), xytext=(8, 0), va="center", fontsize=10,
                    textcoords="offset points")  # fmt: skip
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    ax.legend(handles.values(), handles.keys(), loc="lower center", bbox_to_anchor=(0.3, 1.0),
              ncols=len(marks), handletextpad=0.2, columnspacing=1)  # fmt: skip
    ax.set_yticks(
        range(len(table)), [printable(name, 44) for name in table["alternative"]], fontsize=10
    )
    ax.set(ylim=(len(table) - 0.4, -0.6), xlim=(0, 1.09))
    ax.set_xlabel("Agreement with the chosen segments (ARI)")
    ax.grid(axis="y", visible=False)
    return ax


def agreement_text(table: pd.DataFrame) -> str:
    """Say which alternatives agree least and most with the chosen segments.

    Parameters
    ----------
    table : DataFrame
        From `sensitivity.agreement_table`, the lowest first.
    """
    least, most = table.iloc[0], table.iloc[-1]
    return f"From {least.ARI:.2f} for {least.alternative} to {most.ARI:.2f} for {most.alternative}."


def calibration_curve(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw how many customers keep their segment in resamples, by how sure they were called."""
    ax.plot(table["confidence"], table["kept"], "o-", color=ACCENT)
    for row in table.itertuples():
        ax.annotate(f"{row.kept:.0%}", (row.confidence, row.kept), xytext=(0, -17), ha="center",
                    textcoords="offset points", fontsize=10, bbox=PATCH)  # fmt: skip
    ax.set(xlabel="Confidence: 0 on the border, 1 at the centre", ylim=(0, 1.04))
    ax.set_ylabel("Keep their segment in resamples")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return ax


def calibration_text(table: pd.DataFrame) -> str:
    """Say how many of the least and of the most sure customers keep their segment."""
    return (
        f"The curve goes from {table['kept'].iloc[0]:.0%} for the least sure 2% to "
        f"{table['kept'].iloc[-1]:.0%} for the surest."
    )
