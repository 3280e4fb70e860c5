"""Figures of notebook 04 that argue for a number of segments."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from customer_tables.text import decimal, lower_first, printable, share
from segmentation.claims import Claim, extremes, listed, most, stated, together
from segmentation.figures import style as st
from segmentation.selection import TOLERANCE, Choice
from segmentation.stability import JACCARD_CUTS

NULL_STYLES = {
    "permuted": ("permuted columns", "#D4D9DF", ".."),
    "gaussian": ("one Gaussian", "#B8BEC6", "//"),
    "same_margins": ("same margins", "#8C95A1", "\\\\"),
    "same_zeros": ("same zeros", "#6B7480", "--"),
}
DECISIVE = ("same_margins", "same_zeros")
CRITERIA = {  # the title of the panel, and where a criterion alone would stop
    "inertia": "Inertia: elbow at {}",
    "silhouette": "Mean silhouette: highest at {}",
    "calinski_harabasz": "Calinski-Harabasz: highest at {}",
    "davies_bouldin": "Davies-Bouldin: lowest at {}",
}
RING: st.Style = {"markersize": 13, "markerfacecolor": "none", "markeredgewidth": 2}


def criteria(scan: pd.DataFrame, nulls: pd.DataFrame, alone: Mapping[str, int], k: int) -> Figure:
    """Draw four criteria over k, with bands of `null_statistics`, and the initialisations.

    The k that each of `CRITERIA` alone would pick has a ring, the chosen one a dashed line.
    """
    figure, (*axes, last) = st.panels_for(len(CRITERIA) + 1, 2.1, 3)
    for ax, (column, title) in zip(axes, CRITERIA.items(), strict=True):
        _bands(ax, nulls, column)
        ax.plot(scan.index, scan[column], ".-", color=st.INK, label="the customers", markersize=7)
        best = alone[column]
        ax.plot(best, scan[column][best], "o", color=st.INK, label="its choice", **RING)
        ax.set_title(title.format(best))
        ax.yaxis.set_major_formatter(FuncFormatter(_short))
        ax.margins(y=0.14)
    last.bar(scan.index, scan["worst_initialisation"], color=st.LINE, width=0.6)
    last.set_title("Worst initialisation above the best")
    last.yaxis.set_major_formatter(FuncFormatter(lambda value, _: share(value)))
    for ax in (*axes, last):
        ax.axvline(k, color=st.INK, linewidth=1, linestyle=(0, (2, 2)), zorder=1, label="k chosen")
        st.over_k(ax, scan.index.to_numpy())
    st.legend_below(figure, axes[0], ncols=7, columnspacing=1.2)
    return figure


def _bands(
    ax: Axes, nulls: pd.DataFrame, column: str, kinds: Collection[str] = tuple(NULL_STYLES)
) -> None:
    """Draw the range of a criterion on each kind of null reference data."""
    for null in kinds:
        label, colour, hatch = NULL_STYLES[null]
        band = nulls[nulls["null"] == null].dropna(subset=column)
        band = band.groupby("k")[column].agg(["min", "max"])
        style: st.Style = {"color": colour, "edgecolor": colour, "alpha": 0.6, "linewidth": 1.5}
        ax.fill_between(band.index, band["min"], band["max"], hatch=hatch, label=label, **style)


def criteria_text(
    scan: pd.DataFrame, null_silhouette: float, alone: Mapping[str, int], k: int
) -> tuple[Claim, Claim]:
    """Say what each criterion alone would pick, and how the silhouette compares at the choice."""
    title = stated(
        "Alone, the elbow picks {alone[inertia]}, the silhouette {alone[silhouette]}, "
        "Calinski-Harabasz {alone[calinski_harabasz]} and Davies-Bouldin "
        "{alone[davies_bouldin]}; {k} is chosen",
        alone=alone,
        k=k,
    )
    more = stated(
        "At k = {k} the silhouette is {own:.2f}, with the same margins and no groups at most "
        "{null:.2f}. The worst initialisation ends up to {worst:.0%} above the best.",
        "worst >= 0",
        k=k,
        own=scan["silhouette"][k],
        null=null_silhouette,
        worst=scan["worst_initialisation"].max(),
    )
    return title, more


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
    often: Mapping[int, float],
) -> None:
    """Draw how far pairs of bootstrap fits agree at each k, and in bands of `null_statistics`.

    Qualified k are filled, the chosen one has a ring; above stands how often each would be chosen.
    """
    ks = np.array(sorted(agreement))
    means = {n: agreement[n].mean() for n in ks}
    low, high = actionable
    ax.axvspan(low - 0.4, high + 0.4, color="#EEF2F6", zorder=0, label="actionable range")
    _bands(ax, nulls, "stability", DECISIVE)
    if choice.qualified:
        needed = max(means[n] for n in choice.qualified) - TOLERANCE
        ax.axhline(needed, color=st.INK, linewidth=1, linestyle="--")
        told = f"needed: {decimal(needed)}"
        st.note(ax, told, (1, needed), (4, 0), va="center", xycoords=st.SIDE)
    scatter, dots = np.random.default_rng(0), "one pair of samples"
    for n in ks:
        spots = n + scatter.uniform(-0.16, 0.16, len(agreement[n]))
        ax.plot(spots, agreement[n], ".", color=st.NOISE, markersize=4, zorder=1, label=dots)
    ax.plot(ks, list(means.values()), color=st.INK, zorder=2, label="mean")
    for n, mean in means.items():
        dot: st.Style = {"markersize": 7, "color": st.INK, "label": "qualifies"}
        if n not in choice.qualified:
            dot |= {"markerfacecolor": "white", "label": "does not qualify"}
        ax.plot(n, mean, "o", zorder=3, **dot)
    above: st.Style = {"color": st.INK, "va": "bottom", "xycoords": "axes fraction", "ha": "right"}
    st.note(ax, "chosen in", (0, 1), (-6, 4), **above)
    for n in ks:
        above = {"fontweight": "bold" if n == choice.k else None, "va": "bottom", "ha": "center"}
        st.note(ax, share(often.get(n, 0.0)), (n, 1), (0, 4), xycoords=st.TOP, **above)
    ax.plot(choice.k, means[choice.k], "o", color=st.INK, zorder=4, **RING)
    st.over_k(ax, ks)
    lowest = min(values.min() for values in agreement.values())
    ax.set(ylabel="Agreement of two fits (ARI)", ylim=(min(0.4, lowest - 0.05), 1.02))
    st.legend_below(ax.figure, ax, ncols=7, columnspacing=1.2)


def decision_text(
    scan: pd.DataFrame, choice: Choice, often: Mapping[int, float]
) -> tuple[Claim, Claim]:
    """Say how far fits agree at the chosen k, which k qualify, and how often each is chosen."""
    title = stated(
        "k = {k}: adjusted Rand index {ari:.2f}, chosen in {often:.0%} of bootstrap draws",
        k=choice.k,
        ari=scan["stability"][choice.k],
        often=float(often.get(choice.k, 0.0)),
    )
    ks = [stated("k = {k}", k=int(k)) for k in choice.qualified]
    drawn = [stated("{k} in {share:.0%}", k=int(k), share=part) for k, part in often.items()]
    more = stated(
        "Mean agreement over k. Qualified in the actionable range: {ks}. Chosen: {drawn}.",
        ks=listed(ks, none="no k"),
        drawn=listed(drawn, none="no k"),
    )
    return title, more


def separation(scan: pd.DataFrame, threshold: float, ax: Axes) -> None:
    """Draw the density between the two segments that are least apart, over k.

    From `selection.separation_over_k`; at or below the threshold, groups stand apart.
    """
    ax.axhline(threshold, color=st.INK, linewidth=1, linestyle="--")
    below = f"a gap: at most {decimal(threshold)}"
    st.note(ax, below, (1, threshold), (4, 0), va="center", xycoords=st.SIDE)
    with_ends: st.Style = {"color": st.MUTED, "label": "zeros and full shares as they are"}
    ax.plot(scan["valley_with_ends"], "x:", markersize=6, **with_ends)
    ax.plot(scan["valley"], ".-", color=st.INK, markersize=9, label="amounts only")
    st.over_k(ax, scan.index.to_numpy())
    ax.set(ylabel="Density between segments", ylim=(-0.03, 1.08))
    ax.legend(loc="lower right")


def separation_text(scan: pd.DataFrame, threshold: float) -> tuple[Claim, Claim]:
    """Say at which k all segments stand apart, with and without the customers at the ends."""
    found = {}
    for column in ("valley", "valley_with_ends"):
        ks = [
            stated("k = {k}", "valley <= threshold", k=k, valley=valley, threshold=threshold)
            for k, valley in scan[column].items()
        ]
        least = {"least": scan[column].min(), "threshold": threshold}
        found[column] = stated(
            "At no k does the density between all segments fall to a gap",
            "not least <= threshold",
            **least,
        ) or stated(
            "The density between all segments falls to a gap at {ks}",
            "least <= threshold",
            ks=listed(filter(None, ks)),
            **least,
        )
    return found["valley"], stated(
        "Density between the two segments least apart, over k. With zeros as they are: {found}.",
        found=together(lower_first(found["valley_with_ends"]), [found["valley_with_ends"]]),
    )


def silhouette_plot(
    values: np.ndarray,
    labels: np.ndarray,
    names: st.Names,
    styles: st.Styles,
    ax: Axes,
) -> None:
    """Draw every customer's silhouette, sorted within segments from 1 (Rousseeuw 1987)."""
    start, gap, ticks = 0.0, len(values) * 0.02, []
    for segment in sorted(names):
        inside = np.sort(values[labels == segment])
        rows = start + np.arange(len(inside))
        ax.fill_betweenx(rows, 0, inside, color=styles[segment].colour, linewidth=0)
        label = f"{printable(names[segment], 40)}: {decimal(inside.mean())}"
        ticks.append((start + len(inside) / 2, label))
        start += len(inside) + gap
    mean = values.mean()
    ax.axvline(mean, color=st.INK, linestyle="--", linewidth=1)
    st.note(ax, f"mean {decimal(mean)}", (mean, 1), (3, -3), va="top", xycoords=st.TOP)
    ax.set_yticks(*zip(*ticks, strict=True))
    ax.set(ylim=(start, -gap), xlabel="Silhouette: below 0, the neighbouring segment is nearer")
    ax.grid(axis="y", visible=False)


def silhouette_text(values: np.ndarray, by_segment: pd.Series) -> tuple[Claim, Claim]:
    """Say which segments, by their names, customers fit best and least."""
    title = stated(
        "{highest} have the highest mean silhouette ({high:.2f}), {lowest} the lowest ({low:.2f})",
        **extremes(by_segment),
    )
    text = "Silhouettes by segment, mean {mean:.2f}; {below:.0%} lie below zero."
    return title, stated(text, mean=values.mean(), below=(values < 0).mean())


def stability_rows(
    jaccard: np.ndarray,
    names: st.Names,
    styles: st.Styles,
    ax: Axes,
) -> None:
    """Draw each segment's bootstrap Jaccard similarities with Hennig's (2007) cuts."""
    for cut, word in JACCARD_CUTS:
        ax.axvline(cut, color=st.MUTED, linewidth=1, linestyle=":")
        st.note(ax, fill(f"{word} →", 16), (cut, 1), (0, 3), color=st.MUTED, xycoords=st.TOP)
    scatter = np.random.default_rng(0)
    for row, segment in enumerate(sorted(names)):
        values, style = jaccard[:, segment - 1], styles[segment]
        heights = row + scatter.uniform(-0.2, 0.2, len(values))
        ax.plot(values, heights, ".", color=style.colour, alpha=0.55, markersize=5)
        large: st.Style = {"markeredgecolor": "white", "markersize": 10}
        ax.plot(values.mean(), row, style.marker, color=style.colour, **large)
    st.label_rows(ax, [names[segment] for segment in sorted(names)])
    ax.set_xlim(min(0.5, jaccard.min() - 0.03), 1.005)
    ax.set_xlabel("Jaccard similarity with the best match in a resample")


def stability_text(jaccard: pd.Series) -> tuple[Claim, str]:
    """Say which segment, by its name, is most and which is least stable."""
    ends = {"high": round(jaccard.max(), 2), "low": round(jaccard.min(), 2)}
    same = stated(
        "All segments are found again to the same degree ({high:.2f})", "high == low", **ends
    )
    title = same or stated(
        "{best} are found again best ({high:.2f}), {worst} least ({low:.2f})",
        "high > low",
        best=most(jaccard),
        worst=most(jaccard, least=True),
        **ends,
    )
    return title, "Mean Jaccard similarity of each segment in resamples."
