"""Figures of notebook 09: drift, who went where, and what the segments predict."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customer_tables.text import decimal, points, printable, share
from segmentation.claims import Claim, extremes, listed, most, stated
from segmentation.drift import REBUILD, WATCH
from segmentation.figures import style as st
from segmentation.migration import Migration
from segmentation.prediction import CHANCE, SEGMENTS, Contest, finding, headline

BANDS: st.Style = {"stable": "white", "changed": st.MUTED, "changed much": st.INK}
GAP, WIDTH = 0.025, 0.06  # between the blocks of a flow, and half a block's width
NUMBER = 0.09  # part of the axis that a number and its distance take up
MEASURES = {"R2": "Share of variance explained, out of sample (R²)", "AUC": "AUC, out of sample"}
ROOM = 0.035  # height from which a block has room for a number


def stability(table: pd.DataFrame, ax: Axes) -> None:
    """Draw the stability index of each feature, as `Drift.features`, with its bands."""
    reach = max(1.35 * REBUILD, 1.1 * table["psi"].max(), 1.1 * table["noise"].max())
    shown = table.assign(psi=table["psi"].round(2))  # what is printed is drawn
    for row, entry in enumerate(shown.itertuples()):
        ax.plot([0, entry.psi], [row, row], color=st.PALE, linewidth=2, zorder=1)
        mark: st.Style = {"markerfacecolor": BANDS[entry.band], "label": entry.band}
        ax.plot(entry.psi, row, "o", color=st.LINE, clip_on=False, zorder=3, **mark)
        crossed = entry.psi <= entry.noise <= entry.psi + NUMBER * reach
        end = entry.noise if crossed else entry.psi
        st.note(ax, decimal(entry.psi), (end, row), (7, 0), va="center", bbox=st.PATCH)
        chance: st.Style = {"color": st.INK, "linewidth": 1, "label": "reached by chance"}
        ax.plot([entry.noise] * 2, [row - 0.3, row + 0.3], zorder=4, **chance)
    # Where one feature moved far, both limits stand at the left end: their labels part there.
    for limit, word, side in ((WATCH, "changed", "right"), (REBUILD, "changed much", "left")):
        ax.axvline(limit, color=st.MUTED, linewidth=1.3, linestyle=(0, (4, 3)), zorder=1)
        told = f"{word}: from {decimal(limit)}"
        away = (3 if side == "left" else -3, 2)
        st.note(ax, told, (limit, 1), away, xycoords=st.TOP, color=st.INK, ha=side)
    st.legend_below(ax.figure, ax)
    st.label_rows(ax, table["feature"])
    ax.set_xlabel("Population stability index")
    ax.set_xlim(0, reach)


def stability_text(table: pd.DataFrame) -> tuple[Claim, str]:
    """Say which feature changed most, and how many are in which band."""
    index = table.set_index("feature")["psi"]
    bands = [
        stated("{n} {band}", n=int((table["band"] == band).sum()), band=band) for band in BANDS
    ]
    title = stated(
        "{feature} moved most (index {psi:.2f}); of {n} features: {bands}",
        feature=most(index),
        psi=index.max(),
        n=len(table),
        bands=listed(bands),
    )
    return title, "Stability index by feature."


def sizes(table: pd.DataFrame, styles: st.Styles, ax: Axes) -> None:
    """Draw the change of each segment's share, as `Drift.segments`, with its interval."""
    ax.axvline(0, color=st.MUTED, linewidth=1)
    for row, entry in enumerate(table.itertuples()):
        style, middle = styles[entry.segment], 100 * entry.change
        ax.plot([100 * entry.low, 100 * entry.high], [row, row], color=style.colour, linewidth=2)
        ax.plot(middle, row, style.marker, color=style.colour, markersize=8)
        label: st.Style = {"ha": "center", "bbox": st.PATCH}  # read on the zero line, too
        st.note(ax, points(entry.change, signed=True), (middle, row), (0, 8), **label)
    st.label_rows(ax, table["name"], above=0.8)
    ax.set_xlabel("Change of the share, in percentage points")


def sizes_text(table: pd.DataFrame) -> tuple[Claim, str]:
    """Say which segment lost and which gained most."""
    change = table.set_index("name")["change"]
    title = stated(
        "{lowest} changed by {low:+.1f} percentage points, {highest} by {high:+.1f}",
        lowest=most(change, least=True),
        low=100 * change.min(),
        highest=most(change),
        high=100 * change.max(),
    )
    return title, "Changes of the segments' shares, with intervals."


def flow(migration: Migration, names: st.Names, styles: st.Styles, ax: Axes) -> None:
    """Draw who went where: segments before on the left, now on the right, with their shares.

    Grey are those who are in one period alone: new customers come in at the lower left, those who
    are gone go to the lower right. Ribbons have the colour of the segment that they come from.
    Shares are of the customers before and of those now; those of the gone are of the former.
    """
    counts = migration.with_others.to_numpy(float)
    drawn = [styles[s] for s in range(1, len(counts))] + [st.SegmentStyle(st.NOISE, "")]
    heights = {0: counts.sum(axis=1) / counts.sum(), 1: counts.sum(axis=0) / counts.sum()}
    tops = {
        (side, place): top
        for side in heights
        for place, top in enumerate(np.cumsum([0.0, *(heights[side][:-1] + GAP)]))
    }
    flows = [
        ((0, row), (1, column), n / counts.sum(), drawn[row].colour)
        for (row, column), n in np.ndenumerate(counts)
        if n
    ]
    st.ribbons(ax, flows, tops, WIDTH)
    for (side, place), top in tops.items():
        others = place == len(counts) - 1
        base = heights[side if not others else 1 - side][:-1].sum()
        name = ("new", "gone")[side] if others else names[place + 1]
        label = f"{printable(name, 32)}\n{share(heights[side][place] / base)}"
        _block(ax, side, top, heights[side][place], drawn[place], label)
    ax.set(xlim=(-0.08, 1.08), ylim=(1 + GAP * (len(counts) - 1) + 0.01, -0.01), yticks=[])
    ax.set_xticks([0, 1], ["Before", "Now"])
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.grid(visible=False)


def _block(
    ax: Axes, side: int, top: float, height: float, style: st.SegmentStyle, label: str
) -> None:
    """Draw one side's block of a segment with its marker, and its name and share beside it."""
    if not height:
        return
    border: st.Style = {"edgecolor": "white", "linewidth": 0.6, "zorder": 3}
    middle = top + height / 2
    ax.barh(middle, 2 * WIDTH, height, side - WIDTH, color=style.colour, **border)
    if style.marker and height >= ROOM:
        ink = st.readable_on(style.colour)
        ax.plot(side, middle, style.marker, color=ink, markersize=6, zorder=4)
    label = label if height >= 2 * ROOM else label.replace("\n", " ")
    place = (side + (1.3 if side else -1.3) * WIDTH, middle)
    text: st.Style = {"va": "center", "ha": "left" if side else "right", "fontsize": st.SMALL}
    ax.text(*place, label, color=st.INK, linespacing=1.1, **text)


def flow_text(migration: Migration, nouns: str) -> tuple[Claim, Claim]:
    """Say how many stayed, moved, came and went, and which move is the largest."""
    moves = pd.Series(
        {
            f"{before} to {now}": customers
            for before, row in migration.moves.iterrows()
            for now, customers in row.items()
            if before != now
        },
        dtype=float,
    )
    title = stated(
        "Of {m.both:,} {nouns} of both periods {same:.0%} are in the same segment; {m.new:,} are "
        "new, {m.gone:,} are gone",
        m=migration,
        nouns=nouns,
        same=1 - migration.moved,
    )
    most_moved = stated(
        " The largest move is that from {move}.",
        "customers > 0",
        customers=moves.max(),
        move=most(moves),
    )
    text = "Ribbons from the segments before to those now.{largest}"
    return title, stated(text, largest=most_moved)


# --- what the segments predict --------------------------------------------------------------------


def contest(found: Contest, ax: Axes) -> None:
    """Draw how well each contestant predicts, with 95% intervals; the segments stand out."""
    table = found.first.sort_values("value", ascending=False)
    chance = CHANCE[found.measure]
    ax.axvline(chance, color=st.MUTED, linewidth=1)
    for row, (name, entry) in enumerate(table.iterrows()):
        colour = st.INK if name == SEGMENTS else st.NOISE
        ax.plot([entry["low"], entry["high"]], [row, row], color=colour, linewidth=3)
        ax.plot(entry["value"], row, "o", color=colour, markersize=9)
        text = f"{entry['value']:z.0%}" if found.measure == "R2" else f"{entry['value']:.2f}"
        st.note(ax, text.replace("-", "−"), (entry["high"], row), (8, 0), va="center")
    st.label_rows(ax, table.index)
    ax.set_xlim(right=ax.get_xlim()[1] + 0.08 * np.ptp(ax.get_xlim()))
    if found.measure == "R2":
        st.percent(ax.xaxis)
    ax.set_xlabel(MEASURES[found.measure])


def over_k(table: pd.DataFrame, measure: str, k: int, ax: Axes) -> None:
    """Draw how well the segments of each k predict, with a band of 95% intervals."""
    ks = table.index.to_numpy()
    ax.fill_between(ks, table["low"], table["high"], color=st.NOISE, alpha=0.3, linewidth=0)
    ax.plot(ks, table["value"], "o-", color=st.MUTED)
    ax.plot(k, table.loc[k, "value"], "o", color=st.INK, markersize=11)
    st.note(ax, f"k = {k}", (k, table.loc[k, "value"]), (0, -18), ha="center", color=st.INK)
    st.over_k(ax, ks)
    if measure == "R2":
        st.percent(ax.yaxis)
    ax.set_ylabel("R²" if measure == "R2" else "AUC")
    ax.set_title("By the number of segments")


def contest_text(found: Contest, table: pd.DataFrame, k: int) -> tuple[Claim, Claim]:
    """Say what the contest shows, in one sentence, and then what more, with the curve over k."""
    text = "{n}: {share:.0%}" if found.measure == "R2" else "{n}: {share:.2f}"
    over_k = listed(
        [stated(text, n=n, share=max(value, 0.0)) for n, value in table["value"].items()]
    )
    text = "{finding} By the number of segments ({k} chosen), {over_k}."
    return headline(found), stated(text, finding=finding(found), k=k, over_k=over_k)


def lift(table: pd.DataFrame, styles: st.Styles, label: str, ax: Axes) -> None:
    """Draw each segment's mean outcome as a multiple of everybody's, with 95% intervals."""
    ax.axvline(1, color=st.MUTED, linewidth=1)
    ordered = table.sort_values("lift", ascending=False)
    for row, (segment, entry) in enumerate(ordered.iterrows()):
        style = styles[segment]
        ax.plot([entry["low"], entry["high"]], [row, row], color=style.colour, linewidth=3)
        ax.plot(entry["lift"], row, style.marker, color=style.colour, markersize=9)
        st.note(ax, f"{entry['lift']:.1f}", (entry["high"], row), (8, 0), va="center")
    st.label_rows(ax, ordered["name"])
    ax.set_xlim(left=0, right=1.1 * max(ordered["high"].max(), 1.1))
    ax.set_xlabel(f"Mean of {label}, times everybody's"[:90])


def lift_text(table: pd.DataFrame, label: str) -> tuple[Claim, Claim]:
    """Say which segment is highest and which lowest, in one sentence, and then each one's lift."""
    lift = table.set_index("name")["lift"]
    title = stated(
        "{highest}: {high:.1f} times everybody's mean of {label}; {lowest}: {low:.1f} times",
        label=label,
        **extremes(lift),
    )
    text = "{e.name} {e.lift:.2f} ({e.low:.2f} to {e.high:.2f})"
    rows = listed([stated(text, e=row) for row in table.itertuples()])
    return title, stated("With 95% intervals: {rows}.", rows=rows)
