"""Conclusions from two runs side by side: sentences by stated rules."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from customer_tables.text import count, counted, joined
from runner import pages
from runner.comparison import Comparison, Pair, Run
from segmentation.claims import AGREEMENT_CUTS, agreement_word

SAME_AGREEMENT = AGREEMENT_CUTS[0][0]
# From this change on, a segment's share of the customers or of the value counts as changed.
CLEAR_CHANGE = 0.02
# From this share of movers on that had been near a boundary, boundaries explain most changes.
MOSTLY = 0.5

HEADLINES = {
    "same": "It is the same segmentation.",
    "again": "The same segments, among other customers.",
    "redrawn": "The same segments, with other boundaries.",
    "partly": "Some segments are the same, others are not.",
    "another": "It is another segmentation.",
}


def headline(pairs: Sequence[Pair], agreement: float | None) -> str:
    """Judge two runs as a whole.

    Returns
    -------
    str
        A key of `HEADLINES`: "same" where every segment has a counterpart and nearly all customers
        stayed (`SAME_AGREEMENT`); "again" where, without common customers, every pair is the same;
        "redrawn" where every segment has a counterpart; "partly" where at least half of the
        segments of the run with more of them have one; else "another".
    """
    kept = sum(pair.kept for pair in pairs)
    if kept < len(pairs):
        most = max(sum(getattr(p, side) is not None for p in pairs) for side in ("first", "second"))
        return "partly" if 2 * kept >= most else "another"
    if agreement is not None:
        return "same" if agreement >= SAME_AGREEMENT else "redrawn"
    return "again" if all(p.word in ("same", "same name") for p in pairs) else "redrawn"


def conclude(comparison: Comparison) -> list[tuple[str, str]]:
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


def _whole(comparison: Comparison) -> str:
    kept, nouns = len(comparison.kept), comparison.first.report["nouns"]
    parts = [f"{counted(kept, 'segment is', 'segments are')} in both runs"]
    for run, word in ((comparison.first, "first"), (comparison.second, "second")):
        if len(run.cards) > kept:
            parts.append(f"{len(run.cards) - kept} only in the {word}")
    text = f"{joined(parts)}." if parts[1:] else f"All {kept} segments are in both runs."
    if comparison.agreement is None or comparison.moved is None:
        return text
    return (
        f"{text} Of the {count(comparison.shared or 0)} {nouns} in both, "
        f"{pages.percent(comparison.moved)} changed segment; the agreement is "
        f"{agreement_word(comparison.agreement)} (adjusted Rand index {comparison.agreement:.2f})."
    )


def _cause(comparison: Comparison) -> str:
    nouns = comparison.first.report["nouns"]
    settings = joined([f"{name} ({a}, then {b})" for name, a, b in comparison.settings])
    texts = {
        (True, True): "Both the data and the settings differ, so this page cannot show which of "
        "the two made the difference. To find out, change one at a time. "
        f"Settings: {settings}.",
        (True, False): "The settings are the same and the data differ. A change of segment means "
        f"that the {nouns} changed or that the boundaries did: they are fitted to each table.",
        (False, True): f"The data are the same and the settings differ: {settings}. Every change "
        "of segment comes from the settings, not from behaviour.",
        (False, False): "Data and settings are the same; code or packages differ. Every difference "
        "below comes from them."
        if comparison.versions
        else "Data, settings, code and packages are the same.",
    }
    return texts[comparison.other_data, bool(settings)]


def _lists(comparison: Comparison) -> str:
    names = {pair: comparison.sides(pair, "name")[0] for pair in comparison.kept}
    if not names:
        return "Make new plans from the second run; no advice carries over."
    if comparison.basis != "customers" or comparison.other_data:
        return (
            f"Plans for {joined(list(names.values()))} carry over. Take the "
            f"{comparison.first.report['nouns']} from the second run's lists: the first run's "
            "lists do not cover the other table."
        )
    redrawn = [name for pair, name in names.items() if pair.word == "other boundaries"]
    same = [name for pair, name in names.items() if pair.word != "other boundaries"]
    parts = [f"Plans and lists for {joined(same)} hold."] if same else []
    if redrawn:
        parts.append(f"Plans for {joined(redrawn)} hold, but take the second run's lists.")
    return " ".join(parts)


def _lost_and_new(comparison: Comparison) -> str:
    moves, found = comparison.moves, []

    def most(counts: pd.Series, run: Run, verb: str) -> str:
        """Say which segment of the other run most of these customers went to, or came from."""
        if not counts.sum():
            return ""
        name = run.cards[counts.idxmax()]["name"]
        return f": {pages.percent(counts.max() / counts.sum())} {verb} “{name}”"

    for pair in comparison.pairs:
        before, after = comparison.sides(pair, "name")
        if pair.word == "gone":
            went = "" if moves.empty else most(moves.loc[pair.first], comparison.second, "went to")
            found.append(f"“{before}” has no counterpart{went}.")
        elif pair.word == "new":
            came = "" if moves.empty else most(moves[pair.second], comparison.first, "came from")
            found.append(f"“{after}” is new{came}.")
    return " ".join(found)


def _sizes(comparison: Comparison) -> str:
    report = comparison.first.report
    nouns, labels = report["nouns"], [value["label"] for value in comparison.measures]
    changes = []
    if not comparison.kept:
        return ""
    for pair in comparison.kept:
        shares = {nouns: comparison.sides(pair, "share")}
        shares |= {label: comparison.worth(pair, label, "share") for label in labels}
        clear = {
            of: (before, after)
            for of, (before, after) in shares.items()
            if None not in (before, after) and abs(after - before) >= CLEAR_CHANGE
        }
        if clear:
            parts = [
                f"from {pages.percent(before)} to {pages.percent(after)} of {of}"
                for of, (before, after) in clear.items()
            ]
            largest = max(abs(after - before) for before, after in clear.values())
            changes.append((largest, f"{comparison.sides(pair, 'name')[0]} {joined(parts)}"))
    if changes:
        changes.sort(key=lambda change: -change[0])
        return f"{'; '.join(text for _, text in changes)}."
    return (
        f"No segment's share of {joined([nouns, *labels], 'or of')} changed by "
        f"{100 * CLEAR_CHANGE:.0f} points or more."
    )


def _renamed(comparison: Comparison) -> str:
    names = [comparison.sides(pair, "name") for pair in comparison.kept]
    renamed = [f"“{before}” is called “{after}” now" for before, after in names if before != after]
    return f"{joined(renamed)}." if renamed else ""


def _boundaries(comparison: Comparison) -> str:
    moved, every = comparison.moved_near_boundary, comparison.near_boundary
    if moved is None or every is None:
        return ""
    return (
        f"Of the {comparison.first.report['nouns']} who changed segment, {pages.percent(moved)} "
        f"had been near a boundary in the first run; of all, {pages.percent(every)}."
        f"{' Most changes are a matter of boundaries.' if moved >= MOSTLY else ''}"
    )


def _trust(comparison: Comparison) -> str:
    runs = (comparison.first, comparison.second)
    quick, by_hand = (
        [run.name for run in runs if run.report.get(flag)] for flag in ("quick", "k_set_by_hand")
    )
    words = [str(run.report["verdict"]["word"]) for run in runs]
    notes = []
    if quick:
        notes.append(
            f"{joined(quick)} {'was' if len(quick) == 1 else 'were'} made with quick settings: "
            "run in full before deciding anything."
        )
    if words[0] != words[1]:
        notes.append(f"The verdict was “{words[0]}” and is “{words[1]}”.")
    if by_hand:
        notes.append(f"In {joined(by_hand)} the number of segments was set by hand.")
    return " ".join(notes)
