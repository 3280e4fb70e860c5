"""What to conclude from two runs side by side: sentences by stated rules, nothing by eye."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner import pages
from runner.comparison import (
    KEPT_MEMBERS,
    KEPT_PLACE,
    SAME_MEMBERS,
    SAME_PLACE,
    Comparison,
    Pair,
    segment_rows,
)

# Words for the adjusted Rand index (Steinley 2004, Psychological Methods 9, p. 388).
AGREEMENT_CUTS = ((0.90, "excellent"), (0.80, "good"), (0.65, "moderate"))
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


@dataclass(frozen=True)
class Conclusion:
    """One thing to take away.

    Attributes
    ----------
    topic : str
        What it is about, a few words.
    text : str
        Plain text.
    """

    topic: str
    text: str


def agreement_word(agreement: float) -> str:
    """Say how well two segmentations of the same customers agree."""
    return next((word for cut, word in AGREEMENT_CUTS if agreement >= cut), "poor")


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


def conclude(comparison: Comparison) -> list[Conclusion]:
    """Say what follows from a comparison, the most important first."""
    found = [
        _whole(comparison),
        _cause(comparison),
        _lists(comparison),
        *_lost_and_new(comparison),
        _sizes(comparison),
        *_renamed(comparison),
        *_borders(comparison),
        *_trust(comparison),
    ]
    return [conclusion for conclusion in found if conclusion.text]


def rules(comparison: Comparison) -> list[str]:
    """State the rules behind the words, with their numbers and sources."""
    stated = {
        "customers": (
            f"Segments are paired one to one so that the sum of their Jaccard similarities, among "
            f"the {comparison.first.report['nouns']} in both runs, is largest. From "
            f"{SAME_MEMBERS:.2f} on a pair counts as the same segment, from {KEPT_MEMBERS:.2f} on "
            f"as the same with other borders; below, the segment counts as dissolved (Hennig 2007)."
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
    cuts = ", ".join(f"{cut:.2f} {word}" for cut, word in AGREEMENT_CUTS)
    return [
        stated[comparison.basis],
        *(
            [
                f"Agreement is the adjusted Rand index: 0 by chance, 1 for the same groups. From "
                f"{cuts}; below, poor (Steinley 2004).",
                f"Borders explain most moves where at least {pages.percent(MOSTLY)} of those who "
                "moved had been near one.",
            ]
            if comparison.basis == "customers"
            else []
        ),
        f"A share counts as changed from {100 * CLEAR_CHANGE:.0f} percentage points on.",
    ]


def _whole(comparison: Comparison) -> Conclusion:
    kept = sum(pair.kept for pair in comparison.pairs)
    ours, theirs = len(comparison.first.cards) - kept, len(comparison.second.cards) - kept
    if not ours and not theirs:
        text = f"All {kept} segments are in both runs."
    else:
        parts = [f"{kept} segment{_s(kept)} {'is' if kept == 1 else 'are'} in both runs"]
        parts += [f"{n} only in the {run}" for n, run in ((ours, "first"), (theirs, "second")) if n]
        text = f"{_listed(parts)}."
    if comparison.agreement is not None and comparison.moved is not None:
        nouns, agreement = comparison.first.report["nouns"], comparison.agreement
        text += (
            f" Of the {pages.count(comparison.shared)} {nouns} in both, "
            f"{pages.percent(comparison.moved)} changed segment; the agreement is "
            f"{agreement_word(agreement)} ({agreement:.2f} of 1)."
        )
    return Conclusion("On the whole", text)


def _cause(comparison: Comparison) -> Conclusion:
    found = comparison.differences
    nouns = comparison.first.report["nouns"]
    settings = _listed([f"{row.name} ({row.first}, then {row.second})" for row in found.settings])
    if found.data and found.settings:
        text = (
            "Both the data and the settings differ, so nothing here tells which of the two made "
            f"the difference. To find out, change one at a time. Settings: {settings}."
        )
    elif found.data:
        text = (
            f"The settings are the same and the data differ. A change of segment means that the "
            f"{nouns} changed or that the borders did: the borders are fitted to each table anew."
        )
    elif found.settings:
        text = (
            f"The data are the same and the settings differ: {settings}. Nobody behaves "
            "differently; whoever changed segment did so by the settings."
        )
    elif found.versions:
        text = (
            "Data and settings are the same; code or packages differ. Every difference below "
            "comes from them."
        )
    else:
        text = "Data, settings, code and packages are the same."
    return Conclusion("Why they differ", text)


def _lists(comparison: Comparison) -> Conclusion:
    cards = comparison.first.cards
    nouns = comparison.first.report["nouns"]
    kept = [pair for pair in comparison.pairs if pair.kept]
    if not kept:
        return Conclusion("Campaigns", "Plan anew from the second run; no advice carries over.")
    same = [cards[p.first]["name"] for p in kept if p.word != "other borders"]
    redrawn = [cards[p.first]["name"] for p in kept if p.word == "other borders"]
    if comparison.basis != "customers" or comparison.differences.data:
        every = _listed([cards[pair.first]["name"] for pair in kept])
        return Conclusion(
            "Campaigns",
            f"Plans for {every} carry over. Take the {nouns} from the second run's lists: the "
            "first run's do not know the other table.",
        )
    parts = []
    if same:
        parts.append(f"Plans and lists for {_listed(same)} hold.")
    if redrawn:
        parts.append(f"Plans for {_listed(redrawn)} hold, but take the second run's lists.")
    return Conclusion("Campaigns", " ".join(parts))


def _lost_and_new(comparison: Comparison) -> list[Conclusion]:
    found = []
    for pair in comparison.pairs:
        if pair.word == "gone":
            name = comparison.first.cards[pair.first]["name"]
            found.append(f"“{name}” has no counterpart{_destination(comparison, pair.first)}.")
        elif pair.word == "new":
            name = comparison.second.cards[pair.second]["name"]
            found.append(f"“{name}” is new{_origin(comparison, pair.second)}.")
    return [Conclusion("Gone and new", " ".join(found))]


def _destination(comparison: Comparison, segment: int) -> str:
    if comparison.moves.empty or not comparison.moves.loc[segment].sum():
        return ""
    row = comparison.moves.loc[segment] / comparison.moves.loc[segment].sum()
    name = comparison.second.cards[int(row.idxmax())]["name"]
    return f": {pages.percent(row.max())} went to “{name}”"


def _origin(comparison: Comparison, segment: int) -> str:
    if comparison.moves.empty or not comparison.moves[segment].sum():
        return ""
    column = comparison.moves[segment] / comparison.moves[segment].sum()
    name = comparison.first.cards[int(column.idxmax())]["name"]
    return f": {pages.percent(column.max())} came from “{name}”"


def _sizes(comparison: Comparison) -> Conclusion:
    report = comparison.first.report
    changes = []
    for row in segment_rows(comparison):
        if not row["pair"].kept:
            continue
        parts, largest = [], 0.0
        for key, of in (("share", report["nouns"]), ("value_share", report["value"]["label"])):
            before, after = row[key]
            if before is not None and after is not None and abs(after - before) >= CLEAR_CHANGE:
                parts.append(f"from {pages.percent(before)} to {pages.percent(after)} of {of}")
                largest = max(largest, abs(after - before))
        if parts:
            name = comparison.first.cards[row["pair"].first]["name"]
            changes.append((largest, f"{name} {_listed(parts)}"))
    changes.sort(key=lambda change: -change[0])
    if not any(pair.kept for pair in comparison.pairs):
        text = ""
    elif not changes:
        known = any(card["value_share"] is not None for card in report["segments"])
        worth = f" or of {report['value']['label']}" if known else ""
        text = (
            f"No segment's share of {report['nouns']}{worth} changed by "
            f"{100 * CLEAR_CHANGE:.0f} points or more."
        )
    else:
        text = f"{'; '.join(text for _, text in changes)}."
    return Conclusion("Size and value", text)


def _renamed(comparison: Comparison) -> list[Conclusion]:
    renamed = []
    for pair in comparison.pairs:
        if pair.kept:
            before = comparison.first.cards[pair.first]["name"]
            after = comparison.second.cards[pair.second]["name"]
            if before != after:
                renamed.append(f"“{before}” is called “{after}” now")
    return [Conclusion("Names", f"{_listed(renamed)}." if renamed else "")]


def _borders(comparison: Comparison) -> list[Conclusion]:
    moved, every = comparison.moved_near_border, comparison.near_border
    if moved is None or every is None:
        return []
    nouns = comparison.first.report["nouns"]
    text = (
        f"Of the {nouns} who changed segment, {pages.percent(moved)} had been near a border in the "
        f"first run; of all, {pages.percent(every)}."
    )
    if moved >= MOSTLY:
        text += " Most changes are a matter of borders."
    return [Conclusion("Who changed", text)]


def _trust(comparison: Comparison) -> list[Conclusion]:
    runs = (comparison.first, comparison.second)
    notes = []
    quick = [run.name for run in runs if run.report.get("quick")]
    if quick:
        notes.append(
            f"{_listed(quick)} {'was' if len(quick) == 1 else 'were'} made with quick settings: "
            "run in full before deciding anything."
        )
    words = [str(run.report["verdict"]["word"]) for run in runs]
    if words[0] != words[1]:
        notes.append(f"The verdict was “{words[0]}” and is “{words[1]}”.")
    for run, word in zip(runs, words, strict=True):
        if word == "not reproducible":
            notes.append(
                f"The segments of {run.name} would not come back on other customers, so a "
                "difference from them means little."
            )
    by_hand = [run.name for run in runs if run.report.get("k_set_by_hand")]
    if by_hand:
        notes.append(f"In {_listed(by_hand)} the number of segments was set by hand.")
    return [Conclusion("How far to trust it", " ".join(notes))]


def _s(number: int) -> str:
    return "" if number == 1 else "s"


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
