"""What to conclude from two runs side by side: sentences by stated rules, nothing by eye."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from customer_tables.text import AGREEMENT_CUTS, agreement_word, count, joined
from runner import pages
from runner.comparison import (
    KEPT_MEMBERS,
    KEPT_PLACE,
    SAME_MEMBERS,
    SAME_PLACE,
    Comparison,
    Pair,
    Run,
)

SAME_AGREEMENT = AGREEMENT_CUTS[0][0]
# From here on a segment's share counts as changed: two in a hundred customers, or of the value.
CLEAR_CHANGE = 0.02

# From this share of movers on that had been near a border, borders explain most changes.
MOSTLY = 0.5

HEADLINES = {
    "same": "It is the same segmentation.",
    "again": "The same segments, in other customers.",
    "redrawn": "The same segments, with other borders.",
    "partly": "Some segments are the same, others are not.",
    "another": "It is another segmentation.",
}


def headline(pairs: Sequence[Pair], agreement: float | None) -> str:
    """Judge two runs as a whole.

    Parameters
    ----------
    pairs : sequence of Pair
    agreement : float or None
        Adjusted Rand index, where the runs have customers in common.

    Returns
    -------
    str
        A key of `HEADLINES`: "same" where every segment has a counterpart and nearly all customers
        stayed (`SAME_AGREEMENT`); "again" where, without common customers, every pair is the same;
        "redrawn" where every segment has a counterpart; "partly" where at least half of the
        segments of the run with more of them have one; else "another".
    """
    kept = sum(pair.kept for pair in pairs)
    most = max(sum(p.first is not None for p in pairs), sum(p.second is not None for p in pairs))
    if kept == len(pairs):
        if agreement is not None:
            return "same" if agreement >= SAME_AGREEMENT else "redrawn"
        return "again" if all(p.word in ("same", "same name") for p in pairs) else "redrawn"
    return "partly" if 2 * kept >= most else "another"


def conclude(comparison: Comparison) -> list[tuple[str, str]]:
    """Say what follows from a comparison, the most important first: topics, and plain texts."""
    found = {
        "On the whole": _whole(comparison),
        "Why they differ": _cause(comparison),
        "Campaigns": _lists(comparison),
        "Gone and new": _lost_and_new(comparison),
        "Size and value": _sizes(comparison),
        "Names": _renamed(comparison),
        "Who changed": _boundaries(comparison),
        "How far to trust it": _trust(comparison),
    }
    return [(topic, text) for topic, text in found.items() if text]


def rules(comparison: Comparison) -> list[str]:
    """State the rules behind the words, with their numbers and sources."""
    nouns = comparison.first.report["nouns"]
    pairing = {
        "customers": (
            f"Segments are paired one to one so that the sum of their Jaccard similarities, among "
            f"the {nouns} in both runs, is largest. From {SAME_MEMBERS:.2f} on a pair counts as "
            f"the same segment, from {KEPT_MEMBERS:.2f} on as the same with other borders; below, "
            "the segment counts as dissolved (Hennig 2007)."
        ),
        "centres": (
            f"Segments are paired one to one so that the sum of the distances between their "
            f"centres is smallest, in the first run's standardised features. A pair counts as the "
            f"same segment below {SAME_PLACE:.2f} of the distance to the nearest other centre, as "
            f"moved below {KEPT_PLACE:.2f}: up to there the new centre lies within the old borders."
        ),
        "names": (
            "The runs have too few features in common to compare places, so segments are paired "
            "by their names alone. The same name says that the same archetype fits best, no more."
        ),
    }
    stated = [pairing[comparison.basis]]
    if comparison.basis == "customers":
        cuts = ", ".join(f"{cut:.2f} {word}" for cut, word in AGREEMENT_CUTS)
        stated += [
            f"Agreement is the adjusted Rand index: 0 by chance, 1 for the same groups. From "
            f"{cuts}; below, poor (Steinley 2004).",
            f"Borders explain most moves where at least {pages.percent(MOSTLY)} of those who "
            "moved had been near one.",
        ]
    changed = f"A share counts as changed from {100 * CLEAR_CHANGE:.0f} percentage points on."
    return [*stated, changed]


def _whole(comparison: Comparison) -> str:
    kept = sum(pair.kept for pair in comparison.pairs)
    ours, theirs = len(comparison.first.cards) - kept, len(comparison.second.cards) - kept
    if not ours and not theirs:
        text = f"All {kept} segments are in both runs."
    else:
        parts = [f"{kept} {'segment is' if kept == 1 else 'segments are'} in both runs"]
        parts += [f"{n} only in the {run}" for n, run in ((ours, "first"), (theirs, "second")) if n]
        text = f"{joined(parts)}."
    if comparison.agreement is not None and comparison.moved is not None:
        nouns, agreement = comparison.first.report["nouns"], comparison.agreement
        text += (
            f" Of the {count(comparison.shared)} {nouns} in both, "
            f"{pages.percent(comparison.moved)} changed segment; the agreement is "
            f"{agreement_word(agreement)} ({agreement:.2f} of 1)."
        )
    return text


def _cause(comparison: Comparison) -> str:
    nouns = comparison.first.report["nouns"]
    settings = joined([f"{name} ({a}, then {b})" for name, a, b in comparison.settings])
    if comparison.other_data and settings:
        return (
            "Both the data and the settings differ, so nothing here tells which of the two made "
            f"the difference. To find out, change one at a time. Settings: {settings}."
        )
    if comparison.other_data:
        return (
            f"The settings are the same and the data differ. A change of segment means that the "
            f"{nouns} changed or that the borders did: the borders are fitted to each table anew."
        )
    if settings:
        return (
            f"The data are the same and the settings differ: {settings}. Nobody behaves "
            "differently; whoever changed segment did so by the settings."
        )
    if comparison.versions:
        return (
            "Data and settings are the same; code or packages differ. Every difference below "
            "comes from them."
        )
    return "Data, settings, code and packages are the same."


def _lists(comparison: Comparison) -> str:
    kept = [pair for pair in comparison.pairs if pair.kept]
    if not kept:
        return "Plan anew from the second run; no advice carries over."
    names = {pair: comparison.sides(pair, "name")[0] for pair in kept}
    if comparison.basis != "customers" or comparison.other_data:
        return (
            f"Plans for {joined(list(names.values()))} carry over. Take the "
            f"{comparison.first.report['nouns']} from the second run's lists: the first run's do "
            "not know the other table."
        )
    redrawn = [names[pair] for pair in kept if pair.word == "other borders"]
    same = [names[pair] for pair in kept if pair.word != "other borders"]
    parts = []
    if same:
        parts.append(f"Plans and lists for {joined(same)} hold.")
    if redrawn:
        parts.append(f"Plans for {joined(redrawn)} hold, but take the second run's lists.")
    return " ".join(parts)


def _lost_and_new(comparison: Comparison) -> str:
    moves, found = comparison.moves, []
    for pair in comparison.pairs:
        before, after = comparison.sides(pair, "name")
        if pair.word == "gone":
            where = (
                "" if moves.empty else _most(moves.loc[pair.first], comparison.second, "went to")
            )
            found.append(f"“{before}” has no counterpart{where}.")
        elif pair.word == "new":
            where = "" if moves.empty else _most(moves[pair.second], comparison.first, "came from")
            found.append(f"“{after}” is new{where}.")
    return " ".join(found)


def _most(counts: pd.Series, run: Run, verb: str) -> str:
    """Say which segment of the other run most of these customers went to, or came from."""
    if not counts.sum():
        return ""
    name = run.cards[int(counts.idxmax())]["name"]
    return f": {pages.percent(counts.max() / counts.sum())} {verb} “{name}”"


def _sizes(comparison: Comparison) -> str:
    report = comparison.first.report
    kept = [pair for pair in comparison.pairs if pair.kept]
    changes = []
    for pair in kept:
        parts, largest = [], 0.0
        for key, of in (("share", report["nouns"]), ("value_share", report["value"]["label"])):
            before, after = comparison.sides(pair, key)
            if before is not None and after is not None and abs(after - before) >= CLEAR_CHANGE:
                parts.append(f"from {pages.percent(before)} to {pages.percent(after)} of {of}")
                largest = max(largest, abs(after - before))
        if parts:
            changes.append((largest, f"{comparison.sides(pair, 'name')[0]} {joined(parts)}"))
    if not kept:
        return ""
    if not changes:
        known = any(card["value_share"] is not None for card in report["segments"])
        worth = f" or of {report['value']['label']}" if known else ""
        return (
            f"No segment's share of {report['nouns']}{worth} changed by "
            f"{100 * CLEAR_CHANGE:.0f} points or more."
        )
    changes.sort(key=lambda change: -change[0])
    return f"{'; '.join(text for _, text in changes)}."


def _renamed(comparison: Comparison) -> str:
    names = [comparison.sides(pair, "name") for pair in comparison.pairs if pair.kept]
    renamed = [f"“{before}” is called “{after}” now" for before, after in names if before != after]
    return f"{joined(renamed)}." if renamed else ""


def _boundaries(comparison: Comparison) -> str:
    moved, every = comparison.moved_near_boundary, comparison.near_boundary
    if moved is None or every is None:
        return ""
    nouns = comparison.first.report["nouns"]
    text = (
        f"Of the {nouns} who changed segment, {pages.percent(moved)} had been near a border in the "
        f"first run; of all, {pages.percent(every)}."
    )
    return text + (" Most changes are a matter of borders." if moved >= MOSTLY else "")


def _trust(comparison: Comparison) -> str:
    runs = (comparison.first, comparison.second)
    notes = []
    quick = [run.name for run in runs if run.report.get("quick")]
    if quick:
        notes.append(
            f"{joined(quick)} {'was' if len(quick) == 1 else 'were'} made with quick settings: "
            "run in full before deciding anything."
        )
    words = [str(run.report["verdict"]["word"]) for run in runs]
    if words[0] != words[1]:
        notes.append(f"The verdict was “{words[0]}” and is “{words[1]}”.")
    by_hand = [run.name for run in runs if run.report.get("k_set_by_hand")]
    if by_hand:
        notes.append(f"In {joined(by_hand)} the number of segments was set by hand.")
    return " ".join(notes)
