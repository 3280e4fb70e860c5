"""Conclusions from two runs side by side: claims by stated rules."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import pandas as pd

from customer_tables.text import joined
from runner.comparison import Comparison, Pair, Run
from segmentation.claims import AGREEMENT_CUTS, Claim, agreement_word, claim, listed, most, stated

SAME_AGREEMENT = AGREEMENT_CUTS[0][0]
# From this change on, a segment's share of the customers or of the value counts as changed.
CLEAR_CHANGE = 0.02
# From this share of movers on that had been near a boundary, boundaries explain most changes.
MOSTLY = 0.5


def headline(pairs: Sequence[Pair], agreement: float | None) -> Claim:
    """Judge two runs as a whole.

    The segmentation is the same where every segment has a counterpart and nearly all customers
    stayed (`SAME_AGREEMENT`), or, without common customers, where every pair is the same.
    """
    kept = [pair for pair in pairs if pair.kept]
    sides = [sum(getattr(p, side) is not None for p in pairs) for side in ("first", "second")]
    numbers = {"agreement": agreement, "kept": len(kept), "pairs": len(pairs)}
    numbers |= {"larger": max(sides), "alike": sum(p.word in ("same", "same name") for p in kept)}
    return claim(
        numbers,
        ("kept < pairs and 2 * kept >= larger", "Some segments are the same, others are not."),
        ("kept < pairs", "It is another segmentation."),
        (f"agreement >= {SAME_AGREEMENT}", "It is the same segmentation."),
        (f"agreement < {SAME_AGREEMENT}", "The same segments, with other boundaries."),
        ("alike == pairs", "The same segments, among other customers."),
        ("alike < pairs", "The same segments, with other boundaries."),
    )


def conclude(comparison: Comparison) -> list[tuple[str, Claim]]:
    """Return the conclusions from a comparison, the most important first: topics and texts."""
    found = {
        "On the whole": _whole(comparison),
        "Data and settings": _cause(comparison),
        "Campaigns": _lists(comparison),
        "Gone and new": _lost_and_new(comparison),
        "Size and value": _sizes(comparison),
        "Names": _renamed(comparison),
        "Customers who changed": _boundaries(comparison),
        "How far to trust it": _trust(comparison),
    }
    return [(topic, text) for topic, text in found.items() if text]


def shifts(comparison: Comparison, pair: Pair) -> list[Claim]:
    """Say in which features the centre of a pair differs clearly, the two strongest first."""
    return [
        stated(
            "{label} {side} by {size:.1f}",
            label=label,
            side=claim({"gap": gap}, ("gap > 0", "higher"), ("gap < 0", "lower")),
            size=abs(gap),
        )
        for label, gap in comparison.shifts.get(pair, [])[:2]
    ]


def _whole(comparison: Comparison) -> Claim:
    kept, agreement = len(comparison.kept), comparison.agreement
    first, second = (len(run.cards) - kept for run in (comparison.first, comparison.second))
    numbers = {"kept": kept, "only_first": first, "only_second": second}
    parts = (
        stated("{kept} {are} in", kept=kept, are="segment is" if kept == 1 else "segments are"),
        claim(numbers, ("only_first > 0", f"{first} only in the first")),
        claim(numbers, ("only_second > 0", f"{second} only in the second")),
    )
    text = claim(numbers, ("only_first == 0 and only_second == 0", f"All {kept} segments are in"))
    start = stated("{text} both runs", text=text or parts[0])
    start = stated("{parts}.", parts=listed([start, *filter(None, parts[1:])]))
    if agreement is None or comparison.moved is None:
        return start
    return stated(
        "{start} Of the {shared} {nouns} in both, {moved:.0%} changed segment; the agreement is "
        "{word} (adjusted Rand index {agreement:.2f}).",
        start=start,
        shared=comparison.shared,
        nouns=comparison.first.report["nouns"],
        moved=comparison.moved,
        word=agreement_word(agreement),
        agreement=agreement,
    )


def _cause(comparison: Comparison) -> Claim:
    nouns = comparison.first.report["nouns"]
    settings = joined([f"{name} ({a}, then {b})" for name, a, b in comparison.settings])
    numbers = {
        "other_data": comparison.other_data,
        "settings": len(comparison.settings),
        "versions": len(comparison.versions),
    }
    return claim(
        numbers,
        (
            "other_data == 1 and settings > 0",
            "Both the data and the settings differ, so this page cannot show which of the two made "
            f"the difference. To find out, change one at a time. Settings: {settings}.",
        ),
        (
            "other_data == 1",
            "The settings are the same and the data differ. A change of segment means that the "
            f"{nouns} changed or that the boundaries did: they are fitted to each table.",
        ),
        (
            "settings > 0",
            f"The data are the same and the settings differ: {settings}. Every change of segment "
            "comes from the settings, not from behaviour.",
        ),
        (
            "versions > 0",
            "Data and settings are the same; code or packages differ. Every difference below comes "
            "from them.",
        ),
        ("versions == 0", "Data, settings, code and packages are the same."),
    )


def _lists(comparison: Comparison) -> Claim:
    names = {pair: comparison.sides(pair, "name")[0] for pair in comparison.kept}
    redrawn = [name for pair, name in names.items() if pair.word == "other boundaries"]
    same = [name for pair, name in names.items() if pair.word != "other boundaries"]
    covered = comparison.basis == "customers" and not comparison.other_data
    numbers = {"kept": len(names), "covered": covered, "redrawn": len(redrawn), "same": len(same)}
    none = "Make new plans from the second run; no advice carries over."
    other = (
        f"Plans for {joined(list(names.values()))} carry over. Take the "
        f"{comparison.first.report['nouns']} from the second run's lists: the first run's lists do "
        "not cover the other table."
    )
    if said := claim(numbers, ("kept == 0", none), ("covered == 0", other)):
        return said
    hold = claim(numbers, ("same > 0", f"Plans and lists for {joined(same)} hold."))
    again = f"Plans for {joined(redrawn)} hold, but take the second run's lists."
    return _sentences(hold, claim(numbers, ("redrawn > 0", again)))


def _sentences(*parts: Claim) -> Claim:
    """Put sentences one after the other; empty ones are left out."""
    said = [part for part in parts if part]
    fields = " ".join(f"{{part{place}}}" for place in range(len(said)))
    return stated(fields, **{f"part{place}": part for place, part in enumerate(said)})


def _lost_and_new(comparison: Comparison) -> Claim:
    moves, found = comparison.moves, []

    def flow(counts: pd.Series, run: Run, verb: str) -> Claim:
        """Say which segment of the other run most of these customers went to, or came from."""
        if not counts.sum():
            return claim({})
        named = counts.set_axis([f"“{run.cards[segment]['name']}”" for segment in counts.index])
        part = counts.max() / counts.sum()
        return stated(": {part:.0%} {verb} {segment}", part=part, verb=verb, segment=most(named))

    for pair in comparison.pairs:
        before, after = comparison.sides(pair, "name")
        ending = claim({})
        numbers = {"measure": pair.measure, "counterparts": int(pair.kept)}
        if pair.word == "gone":
            said = claim(numbers, ("counterparts == 0", f"“{before}” has no counterpart"))
            if not moves.empty:
                ending = flow(moves.loc[pair.first], comparison.second, "went to")
        elif pair.word == "new":
            said = claim(numbers, ("counterparts == 0", f"“{after}” is new"))
            if not moves.empty:
                ending = flow(moves[pair.second], comparison.first, "came from")
        else:
            continue
        found.append(stated("{said}{ending}.", said=said, ending=ending))
    return _sentences(*found)


def _sizes(comparison: Comparison) -> Claim:
    report = comparison.first.report
    nouns, labels = report["nouns"], [value["label"] for value in comparison.measures]
    if not comparison.kept:
        return claim({})
    rows = [
        (pair, of, *sides)
        for pair in comparison.kept
        for of, sides in {
            nouns: comparison.sides(pair, "share"),
            **{label: comparison.worth(pair, label, "share") for label in labels},
        }.items()
        if None not in sides
    ]
    largest, changes = 0.0, []
    for pair, parts in groupby(rows, key=lambda row: row[0]):
        said, change = [], 0.0
        for _, of, before, after in parts:
            numbers = {"of": of, "before": before, "after": after}
            clear = f"abs(after - before) >= {CLEAR_CHANGE}"
            said.append(stated("from {before:.0%} to {after:.0%} of {of}", clear, **numbers))
            change = max(change, abs(after - before))
        largest = max(largest, change)
        name = comparison.sides(pair, "name")[0]
        if clear_ones := [part for part in said if part]:
            text = stated("{name} {parts}", name=name, parts=listed(clear_ones))
            changes.append((change, text))
    changes.sort(key=lambda entry: -entry[0])
    none = (
        f"No segment's share of {joined([nouns, *labels], 'or of')} changed by "
        f"{100 * CLEAR_CHANGE:.0f} points or more."
    )
    if nothing := claim({"largest": largest}, (f"largest < {CLEAR_CHANGE}", none)):
        return nothing
    fields = "; ".join(f"{{change{place}}}" for place in range(len(changes)))
    return stated(f"{fields}.", **{f"change{p}": text for p, (_, text) in enumerate(changes)})


def _renamed(comparison: Comparison) -> Claim:
    names = [comparison.sides(pair, "name") for pair in comparison.kept]
    renamed = [f"“{before}” is called “{after}” now" for before, after in names if before != after]
    return claim({"renamed": len(renamed)}, ("renamed > 0", f"{joined(renamed)}."))


def _boundaries(comparison: Comparison) -> Claim:
    moved, every = comparison.moved_near_boundary, comparison.near_boundary
    if moved is None or every is None:
        return claim({})
    cause = " Most changes are a matter of boundaries."
    return stated(
        "Of the {nouns} who changed segment, {moved:.0%} had been near a boundary in the first "
        "run; of all, {every:.0%}.{cause}",
        nouns=comparison.first.report["nouns"],
        moved=moved,
        every=every,
        cause=claim({"moved": moved}, (f"moved >= {MOSTLY}", cause)),
    )


def _trust(comparison: Comparison) -> Claim:
    runs = (comparison.first, comparison.second)
    quick, by_hand = (
        [run.name for run in runs if run.report.get(flag)] for flag in ("quick", "k_set_by_hand")
    )
    words = [str(run.report["verdict"]["word"]) for run in runs]
    were = "was" if len(quick) == 1 else "were"
    look = f"{joined(quick)} {were} made with quick settings: run in full before deciding anything."
    verdict = f"The verdict was “{words[0]}” and is “{words[1]}”."
    chosen = f"In {joined(by_hand)} the number of segments was set by hand."
    return _sentences(
        claim({"quick": len(quick)}, ("quick > 0", look)),
        claim({"verdicts": len(set(words))}, ("verdicts == 2", verdict)),
        claim({"by_hand": len(by_hand)}, ("by_hand > 0", chosen)),
    )
