"""Figures of notebook 06: who the segments are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from customer_tables.text import decimal, joined, printable, sentence_case, share
from segmentation.claims import Claim, extremes, listed, most, stated
from segmentation.dataset import Feature
from segmentation.figures import style as st
from segmentation.profiling import LARGEST_EFFECT

MOST_DRAWN = 30  # features in a profile
PROFILES = "Segment profiles: effect sizes of at most {n} variables that segment."


def shares(
    sizes: pd.DataFrame, worth: Mapping[str, pd.DataFrame], names: st.Names, styles: st.Styles
) -> Figure:
    """Draw each segment's share of customers, beside it in a panel a measure that of the value.

    These are from `profiling.worth`, by the label of the measure. Without any, sizes stand alone.
    """
    height = 0.62 * len(sizes) + 1.1
    figure, axes = st.panels(1, max(len(worth), 1), height, sharex=True, sharey=True)
    style: st.Style = {"va": "center", "fontsize": 10.5}
    own = pd.Series({segment: styles[segment].colour for segment in sizes.index})
    reach = sizes["share"].max()
    for ax, (label, table) in zip(axes[0], (worth or {"": None}).items(), strict=True):
        place = 0.0 if table is None else -0.2
        colours = own if table is None else [st.NOISE] * len(own)
        ax.barh(np.arange(len(sizes)) + place, sizes["share"], 0.36, color=colours)
        for row, (segment, part) in enumerate(sizes["share"].items()):
            st.note(ax, share(part), (part, row + place), (5, 0), **style)
            if table is not None:
                entry = table.loc[segment]
                ax.barh(row + 0.2, entry["share"], 0.36, color=own[segment])
                for colour, width in (("white", 3.4), (st.INK, 1.4)):  # seen on black, too
                    ends = entry[["low", "high"]]
                    ax.plot(ends, [row + 0.2] * 2, color=colour, linewidth=width)
                end = float(np.nanmax([entry["share"], entry["high"], 0]))
                st.note(ax, share(entry["share"]), (end, row + 0.2), (5, 0), **style)
                reach = max(reach, end)
        ax.set_title(sentence_case(printable(label, 40)))
        st.percent(ax.xaxis)
        ax.grid(axis="y", visible=False)
    axes[0, 0].set_xlim(0, reach * (1.1 + 0.1 * len(worth)))
    st.label_rows(axes[0, 0], [names[segment] for segment in sizes.index])
    grey = "Grey: share of customers. Colour: share of what stands above"
    figure.supxlabel(grey if worth else "Share of customers", fontsize=11)
    return figure


def shares_text(
    sizes: pd.DataFrame, worth: Mapping[str, pd.DataFrame], names: st.Names, nouns: str
) -> Claim:
    """Say which segment is the largest, and which accounts for most of each measure of value."""
    size = sizes["share"].rename(names)
    parts = {label: table["share"].rename(names) for label, table in worth.items()}
    of_each = [
        stated("of {label}: {name} ({top:.0%})", label=label, name=most(part), top=part.max())
        for label, part in parts.items()
    ]
    return stated(
        "{name} are the largest segment ({share:.0%} of {nouns}).{most}",
        name=most(size),
        share=size.max(),
        nouns=nouns,
        most=stated(" Largest share {each}.", "n > 0", n=len(parts), each=listed(of_each)),
    )


def profiles(
    effects: pd.DataFrame,
    markers: pd.DataFrame,
    labels: Mapping[str, str],
    names: st.Names,
    styles: st.Styles,
) -> Figure:
    """Draw effect sizes (segments x features) on common axes, a panel for each segment.

    Marker variables are drawn in colour, the others in grey. An effect beyond `LARGEST_EFFECT` is
    cut off there, with its number: a single extreme one would shrink all others to nothing. Of more
    than `MOST_DRAWN` features those with the largest effects are drawn.
    """
    furthest = effects.abs().max().nlargest(MOST_DRAWN).index
    effects = effects[[name for name in effects if name in furthest]]
    markers = markers[list(effects)]
    height = 0.24 * effects.shape[1] + 0.7
    figure, axes = st.panels_for(len(names), height, sharex=True, sharey=True)
    for ax, (segment, name) in zip(axes, names.items(), strict=True):
        colour, sizes = styles[segment].colour, effects.loc[segment]
        colours = [colour if marker else "#C3C8CE" for marker in markers.loc[segment]]
        cut = sizes.clip(-LARGEST_EFFECT, LARGEST_EFFECT)
        ax.barh(range(len(sizes)), cut, color=colours, height=0.72)
        for row in np.flatnonzero(sizes != cut).tolist():
            end, side = float(cut.iloc[row]), float(np.sign(cut.iloc[row]))
            slash = [end - 0.13 * side, end - 0.07 * side], [row + 0.4, row - 0.4]
            ax.plot(*slash, color="white", linewidth=2.5)
            beside: st.Style = {"va": "center", "ha": "right" if side > 0 else "left"}
            text = decimal(sizes.iloc[row], 1, signed=True)
            st.note(ax, text, (0, row), (-4 * side, 0), **beside)
        ax.axvline(0, color=st.INK, linewidth=1)
        st.label_rows(ax, [labels[feature] for feature in effects], fontsize=9.5)
        ax.set_title(printable(name, 27), color=colour, fontsize=10.5)
    figure.supxlabel("Standard deviations from the average", fontsize=11)
    return figure


def profiles_text(effects: pd.DataFrame, labels: Mapping[str, str], names: st.Names) -> Claim:
    """Name the largest effect of all segments."""
    every = pd.Series(
        {
            f"{labels[feature]} of {names[segment]}": effect
            for segment, row in effects.iterrows()
            for feature, effect in row.items()
        }
    )
    effect = every[every.abs().idxmax()]
    text = "The largest effect is {which} ({effect:+.1f} standard deviations)."
    return stated(text, which=most(every.abs()), effect=effect)


def effects_heatmap(effects: pd.DataFrame, labels: list[str], names: list[str], ax: Axes) -> Axes:
    """Draw effect sizes of features (rows) by segment (columns), each value written out."""
    reach = max(1.0, float(effects.abs().to_numpy().max()))
    table = pd.DataFrame(effects.T.to_numpy(), index=labels, columns=names)
    style: st.Style = {"vmin": -reach, "vmax": reach, "cmap": st.DIVERGING}
    return st.heatmap(table, ax, lambda effect: decimal(effect, 1, signed=True), **style)


def effects_text(
    effects: pd.DataFrame, labels: Mapping[str, str], names: st.Names
) -> tuple[Claim, str]:
    """Say in which feature segments differ most, and how far."""
    differ = effects.max() - effects.min()
    column = effects[differ.idxmax()].rename(names)
    title = stated(
        "Segments differ most in {feature}: from {low:+.1f} for {lowest} to {high:+.1f} for "
        "{highest}",
        feature=most(differ.rename(labels)),
        **extremes(column),
    )
    return title, "Heatmap of effect sizes, in standard deviations."


def quartiles(
    table: pd.DataFrame,
    labels: pd.Series,
    features: Sequence[Feature],
    names: st.Names,
    styles: st.Styles,
) -> Figure:
    """Draw the middle half and the median of features in real units, a panel for each.

    The first row is everybody, the segments follow.
    """
    figure, axes = st.panels_for(len(features), 0.25 * len(names) + 0.9, 3)
    for place, (ax, feature) in enumerate(zip(axes, features, strict=True)):
        values = table[feature.name]
        log = feature.kind in ("money", "count") and values.min() >= 0
        rows = [(values, st.SegmentStyle(st.MUTED, "o"))]
        rows += [(values[labels == segment], styles[segment]) for segment in names]
        for row, (part, style) in enumerate(rows):
            found = part.quantile([0.25, 0.5, 0.75])
            st.middle_half(ax, row, np.log1p(found) if log else found, style)
        st.label_rows(ax, ["Everybody", *names.values()], 30)
        if place % 3:
            ax.set_yticklabels([])
        if log:
            st.log_ticks(ax.xaxis, values.max())
        elif feature.kind == "share":
            st.percent(ax.xaxis)
        else:
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
        title = printable(feature.label or feature.name, 60)
        told = feature.kind == "share" or feature.unit in title
        ax.set_title(fill(title if told else f"{title}, {feature.unit}", 26))
    return figure


def quartiles_text(differ: pd.Series) -> Claim:
    """Name the features in which the segments differ most, by the variance of their effects."""
    order = differ.sort_values(ascending=False, kind="stable")
    features, rest = joined(list(order.index[:3])), order.iloc[3:].max() if len(order) > 3 else 0
    told = {"features": features, "third": order.iloc[:3].min(), "rest": rest}
    return stated("The segments differ most in {features}", "third >= rest", **told)


def second_choices(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the second choices of members near a boundary, as shares of a row; NaN: too few."""
    unknown = np.eye(len(table), dtype=bool) | table.isna().to_numpy()
    st.heatmap(table, ax, share, mask=unknown, vmin=0, vmax=1, cmap="Greys")
    ax.set(xlabel="Second choice", ylabel="Segment")
    return ax


def second_choices_text(table: pd.DataFrame) -> tuple[Claim, str]:
    """Say which segment has one neighbour above all; rows and columns are named."""
    closest = table.max(axis=1)
    title = stated(
        "{second} are the second choice of {share:.0%} of {whom} near a boundary",
        second=most(table.loc[closest.idxmax()]),
        share=closest.max(),
        whom=most(closest),
    )
    more = "Heatmap of second choices of the members near a boundary, as shares of each row."
    return title, more
