"""What the start page says: answers, segment cards and the table of methods, from the numbers."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from customer_tables.names import split_name
from customer_tables.text import (
    YEAR,
    answer_or_quantity,
    beside,
    decimal,
    joined,
    lower_first,
    printable,
    quantity,
    sentence_case,
    share,
)
from customer_tables.vocabulary import HOUSEHOLD, INCOME, SENSITIVE
from segmentation.claims import Claim, claim, listed, restored, stated, together
from segmentation.conditions import Members, because
from segmentation.dataset import Archetype, Dataset, Feature, Phrase
from segmentation.expressions import bind, columns_of
from segmentation.figures.style import SegmentStyle
from segmentation.naming import MATCH_THRESHOLD, NOTABLE_EFFECT, Description, Name
from segmentation.profiling import statistic
from segmentation.selection import NATURAL_VALLEY, TOLERANCE, silhouette_word

MOST_TRAITS = 5  # on a card
# What a segment of no known kind is worth: from which share of the value over its share of the
# customers, in words, and what to do about it.
WORTH = (
    (3 / 2, "far above", "keep them before you spend on others"),
    (1.1, "above", ""),
    (0.9, "close to", "spend on them as on others"),
    (2 / 3, "below", ""),
    (0.0, "far below", "reach them by the cheapest channel"),
)
GROWS = 0.5  # rank correlation with months as a customer from which a value accumulates with them
CLEARLY = 0.05  # of everybody's level: a smaller difference of averages is no evidence of a side
ADVISED = ("advice", "avoid", "grounds", "caution", "measure")
NO_LEAN = {"second_choice": None, "leaning": ""}  # of a segment too small to be described
CHANGE_COLUMNS = ("what", "column", "rows", "action")

# Each rule used, its source and this run's numbers.
METHODS = """
Number of segments
| largest k in the actionable range whose agreement lies within {tolerance} of the best one, each
  segment found again and none tiny; where groups stand apart, their number; where none qualifies,
  the most stable k
| Dolnicar & Leisch 2010; Hennig 2007
| k = {k}, mean ARI {agreement:.2f}

Groups that stand apart
| lowest density between two segments, as a share of the lower peak; up to {gap:.0%} is a gap
| Fisher 1936; Silverman 1986
| natural at {natural} of the scan

Elbow | farthest point below the chord | Satopaa et al. 2011 | k = {elbow_k}

Silhouette
| mean over customers; words by value
| Rousseeuw 1987; Kaufman & Rousseeuw 1990
| {silhouette:.3f}, {silhouette_word} structure

Null reference data
| same statistics on one latent Gaussian with the same margins, on shuffled amounts with the same
  zeros, on one Gaussian and on permuted columns
| Nelsen 2006 (copula); Tibshirani, Walther & Hastie 2001 (gap)
| silhouette {null_silhouette_same_margins:.3f}, {null_silhouette_same_zeros:.3f},
  {null_silhouette_gaussian:.3f} and {null_silhouette_permuted:.3f}; gap picks {gap_k}

Stability of a segment
| mean Jaccard similarity with its best match in resamples
| Hennig 2007
| {lowest:.2f} to {highest:.2f}

Names
| assignment of archetypes to effect sizes
| Kuhn 1955
| {names_matched} of {k} matched; the same after a refit for {names_agreement:.0%} of customers

Segment profiles
| effect sizes and marker variables, no p-values
| Dolnicar, Grün & Leisch 2018; Gao, Bien & Witten 2020
| in the profiles of notebook 06

Rules
| branch of a shallow decision tree for each segment against the rest, cross-validated
| Breiman et al. 1984
| recall {least_met:.0%} to {most_met:.0%}
"""


def is_average(effects: pd.Series, chosen: list[Feature]) -> bool:
    """Whether no feature sets a segment apart: all effects are below `naming.NOTABLE_EFFECT`."""
    return all(abs(effects[f.name]) < NOTABLE_EFFECT for f in chosen)


def traits(
    effects: pd.Series,
    typical: tuple[pd.Series, pd.Series],
    overall: tuple[pd.Series, pd.Series],
    chosen: list[Feature],
) -> list[dict[str, Any]]:
    """List what sets a segment apart, strongest first, in real units.

    Only effects of at least `naming.NOTABLE_EFFECT` do. Where the level does not lie clearly on
    their side of everybody's, which happens where few large values make an average, the medians
    stand instead; where they do not either, the feature is left out. So is one that repeats
    another in effect and amounts.

    Parameters
    ----------
    effects : Series, shape (n_features,)
        In standard deviations from the average customer.
    typical, overall : tuple of Series, shape (n_features,)
        Of the segment and of everybody, in real units: levels, from `profiling.levels`, and
        medians.
    """
    entries: list[dict[str, Any]] = []
    said: set[tuple[str, ...]] = set()
    notable = [f for f in chosen if abs(effects[f.name]) >= NOTABLE_EFFECT]
    for f in sorted(notable, key=lambda f: -abs(effects[f.name])):
        effect = float(effects[f.name])
        found = _on_the_side_of(effect, f, typical, overall)
        if not found or len(entries) == MOST_TRAITS:
            continue
        label, named = found
        level, of_all = (label.values[name] for name in ("level", "everybody"))
        own, others = (quantity(each, f.unit, f.kind) for each in (level, of_all))
        if (same := (own, others, f"{effect:.2f}")) in said:
            continue
        said.add(same)
        entries.append(
            {
                "label": label,
                "kind": f.kind,
                "unit": f.unit,
                "segment": level,
                "overall": of_all,
                "effect": effect,
                "statistic": named,
                "text": f"{label}: {named} {own}, against {others} for all",
            }
        )
    return entries


def _on_the_side_of(
    effect: float,
    feature: Feature,
    typical: tuple[pd.Series, pd.Series],
    overall: tuple[pd.Series, pd.Series],
) -> tuple[Claim, str] | None:
    """Return a label as a claim, and the statistic that lies on the same side as an effect."""
    is_share = feature.kind in ("share", "yes_no")
    names = [statistic(feature)] if feature.kind == "yes_no" else [statistic(feature), "median"]
    aside = "effect * (level - everybody) > abs(effect) * "
    apart = "1" if feature.unit == YEAR else f"{CLEARLY} * abs(everybody)"
    aside += "0.01" if is_share else apart
    label = printable(feature.label or feature.name)
    for named, own, others in zip(names, typical, overall, strict=False):
        values = {"effect": effect, "level": own[feature.name], "everybody": others[feature.name]}
        if found := claim(values, (f"abs(effect) >= {NOTABLE_EFFECT} and {aside}", label)):
            return found, named
    return None


def values_of(
    dataset: Dataset, worth: dict[str, pd.DataFrame], segment: int
) -> list[dict[str, Any]]:
    """List what a segment is worth, one entry a measure of value, in the dataset's order.

    Parameters
    ----------
    worth : dict of str to DataFrame
        From `profiling.worth`.
    """
    columns = ["share", "low", "high", "mean", "median"]
    return [
        {"label": value.label, "unit": value.unit}
        | worth[value.column].loc[segment, columns].to_dict()
        for value in dataset.values
    ]


def answer(
    dataset: Dataset,
    sizes: pd.DataFrame,
    worth: dict[str, pd.DataFrame],
    names: dict[int, str],
    solution: dict[str, Any],
    said: dict[int, dict[str, Any]],
) -> list[Claim]:
    """Answer in three sentences: how many segments, where to start, how sure we are.

    Parameters
    ----------
    sizes : DataFrame, shape (k, ...)
        customers and share.
    worth : dict of str to DataFrame
        From `profiling.worth`.
    said : dict of int to dict
        By segment, what `words` returns.
    """
    shown = {segment: printable(names[segment]) for segment in sizes.index}
    nouns, start = dataset.nouns, _where_to_start(dataset, sizes["share"], worth, shown, said)
    verdict = solution["verdict"]
    judged = {"natural": verdict["word"] == "natural", "clearer": verdict["clearer"]}
    nowhere = "No segment comes first: see the verdict."
    counts = {"customers": sizes["customers"].sum(), "k": solution["k"], "named": len(shown)}
    they = f"The {counts['customers']:,} {nouns} are divided into {solution['k']} segments"
    return [
        claim(counts, ("k == named", f"{they}: {joined([*shown.values()])}.")),
        claim(judged, ("natural == 0 and clearer == 0", nowhere)) or start,
        together(f"How sure: {verdict['sentence']}", [restored(verdict["sentence"], verdict)]),
    ]


def _where_to_start(
    dataset: Dataset,
    shares: pd.Series,
    worth: dict[str, pd.DataFrame],
    names: dict[int, str],
    said: dict[int, dict[str, Any]],
) -> Claim:
    """Say which segment to address first: by the first measure of value, unless others disagree.

    A segment qualifies by a measure where the interval of its share of it lies above its share of
    the customers. Where another segment has most per customer, that is said.
    """
    of_customers, nouns = shares.map(share), dataset.nouns
    labels = [value.label for value in dataset.values]
    parts = {value.label: worth[value.column]["share"] for value in dataset.values}
    lows = {v.label: worth[v.column]["low"].fillna(parts[v.label]) for v in dataset.values}
    above = {label: low > shares for label, low in lows.items()}
    # By label, who accounts for most among those who qualify.
    tops = {label: parts[label][above[label]].idxmax() for label in labels if above[label].any()}
    if nothing := _none_first(labels, sum(each.sum() for each in above.values())):
        return nothing

    def counted(segment: Any, labels: Iterable[str], condition: str = "") -> Claim:
        """Write a segment's shares; with a condition that each interval lies above its size."""
        values = {f"size_{segment}": shares[segment]}
        for label in labels:
            place = f"{[*parts].index(label)}_{segment}"
            values[f"share_{place}"] = parts[label][segment]
            values[f"low_{place}"] = lows[label][segment]
        conditions = [condition.format(n) for n in values if n.startswith("low_")]
        text = [f"{share(parts[label][segment])} of {printable(label)}" for label in labels]
        return claim(values, (" and ".join(conditions), joined(text)))

    def above_size(segment: Any, labels: Iterable[str]) -> Claim:
        return counted(segment, labels, f"{{}} > size_{segment}")

    label, top = next(iter(tops.items()))
    others = [other for other in tops if not above[other][top]]
    more = [_most_each(dataset, worth, top, names)] if label == dataset.value_label else []
    more.append(_limit(names[top], said.get(top, {})))
    if len(tops) == len(parts) and not others:
        last = parts[label].idxmin()
        own, theirs = above_size(top, parts), counted(last, [label], "{} <= 1")
        text = (
            f"Start with {names[top]}: they are {of_customers[top]} of the {nouns} and account for "
            f"{own}, while {names[last]} are {of_customers[last]} and account for {theirs}."
        )
        return together("".join([text, *more]), [own, theirs, *more])
    own = above_size(top, [label])
    start = f"By {printable(label)}, start with {names[top]}: {of_customers[top]} of the {nouns}, "
    elsewhere = {tops[o]: [p for p in others if tops[p] == tops[o]] for o in others}
    pointed = {segment: above_size(segment, labels) for segment, labels in elsewhere.items()}
    found = [
        f"{joined([*map(printable, labels)])} point{'s' * (len(labels) == 1)} to {names[s]} "
        f"({of_customers[s]} of the {nouns}, {pointed[s]})"
        for s, labels in elsewhere.items()
    ]
    pointing = f" Not every measure agrees: {'; '.join(found)}." if found else ""
    limits = [_limit(names[segment], said.get(segment, {})) for segment in elsewhere]
    text = "".join([f"{start}{own}.", *more, pointing, *limits])
    return together(text, [own, *more, *pointed.values(), *limits])


def _none_first(labels: list[str], above: int) -> Claim:
    """Say that no segment comes first, where none has clearly `above` its share; else nothing."""
    what = joined([printable(label) for label in labels], "or")
    return claim(
        {"measures": len(labels), "above": above},
        ("measures == 0", "No measure of value says which segment comes first."),
        (
            "above == 0",
            f"The figures are too uncertain to say which segment has more than its share of "
            f"{what}: none has to come first.",
        ),
    )


def _most_each(
    dataset: Dataset, worth: dict[str, pd.DataFrame], top: Any, names: dict[int, str]
) -> Claim:
    """Say which segment has most per customer of the first measure, where it is not the top one."""
    value, means = dataset.values[0], worth[dataset.value]["mean"]
    richest = means.idxmax()
    most, own = (quantity(means[segment], value.unit) for segment in (richest, top))
    text = (
        f" {names[richest]} have most {printable(value.label)} per {dataset.noun} ({most} on "
        f"average, against {own})."
    )
    return claim(
        {"most_each": means[richest], "own_each": means[top]},
        (f"most_each > {1 + CLEARLY} * own_each", text),
    )


def _limit(name: str, told: dict[str, Any]) -> Claim:
    """Repeat what not to do with a segment, where that follows from its part of a total."""
    avoid = told.get("avoid")
    if not avoid or "of_total(" not in avoid.condition:
        return claim({})
    return together(f" Caution for {name}: {lower_first(avoid)}", [avoid])


def evidence(name: Name, null_matches: pd.Series) -> Claim:
    """Say why a segment has its name, which name came second, and what null data reach.

    Parameters
    ----------
    null_matches : Series
        By archetype, from `naming.null_matches`.
    """
    other, score = name.runner_up, name.runner_up_score
    values = {"match": name.score, "next": score, "matched": name.archetype is not None}
    is_near = f"next >= {MATCH_THRESHOLD}"
    if not name.archetype:
        values["traits"] = len(name.description.features)
        text = "No known kind of customer fits"
        none = claim(
            values,
            ("matched == 0 and traits > 0", f"{text}, so the name describes what sets it apart."),
            ("matched == 0", f"{text}."),
        )
        text = f" Nearest: {other} (match {score:.2f}; {name.obstacle})."
        nearest = claim(values, (is_near, text))
        return together(none + nearest, [none, nearest])
    null = float(null_matches[name.archetype.name])
    values["null"] = null
    matched = claim(values, (f"match >= {MATCH_THRESHOLD}", decimal(name.score)))
    second = claim(values, (is_near, f"; next {other} ({decimal(score)})"))
    weak = (
        ": the match is no better than that of null data, so the name marks a region of a "
        "continuum, no distinct group"
    )
    zone = claim(values, ("null >= match", weak))
    text = (
        f"Match with the pattern (at most 1): {matched}{second}. A segment of null "
        f"reference data with the same margins reaches {decimal(null)}{zone}."
    )
    return together(text, [matched, second, zone])


def words(dataset: Dataset, name: Name, members: Members | None) -> dict[str, Any]:
    """Return what may be said of a segment: each text only where its condition holds.

    Parameters
    ----------
    members : Members, optional
        Of all segments that are large enough to be described; None where this one is not.

    Returns
    -------
    dict of str to Claim
        summary, advice, avoid, measure and grounds.
    """
    known, apart = name.archetype, name.description
    state = {"described": members is not None, "matched": known is not None}
    if members is None:
        nothing = dict.fromkeys(("summary", "avoid", "grounds"), claim({}))
        nothing["advice"] = claim(state, ("described == 0", "No advice is given."))
        nothing["measure"] = claim(state, ("described == 0", "nothing, they are too few"))
        return nothing

    def holding(phrases: Iterable[Phrase]) -> list[Claim]:
        claims = (members.claim(phrase, name.segment) for phrase in phrases)
        return [claim for claim in claims if claim.holds]

    value = f" and {printable(dataset.value_label)} per {dataset.noun}" if dataset.value else ""
    measure = f"the share that responds{value}"
    phrases = holding(known.summary) if known else []
    advised = holding(known.advice)[:1] if known else _by_worth(dataset, name, members)
    avoided = holding(known.avoid)[:1] if known else []
    return {
        "summary": together(joined(phrases), phrases) if phrases else apart.phrase,
        "advice": _advice(known, advised, apart),
        "avoid": avoided[0] if avoided else claim({}),
        "measure": together(known.measure, [name.name])
        if known
        else claim(state, ("matched == 0", measure)),
        "grounds": because([*advised, *phrases, *([name.name] if known else ())]),
    }


def _advice(known: Archetype | None, advised: list[Claim], apart: Description) -> Claim:
    """Write the advice that holds; where there is none, say so and where to start."""
    values = {"holding": len(advised), "traits": len(apart.features)}
    if known:
        none = "None of the advice for this kind of customer holds here: test one offer on a part."
        return advised[0] if advised else claim(values, ("holding == 0", none))
    start = claim(
        values,
        (
            "traits > 0",
            "Start from what sets it apart, and test one offer on a part of the list.",
        ),
        ("traits == 0", "Ask its members, or test one offer on a part of the list."),
    )
    return together(" ".join([*advised, start]), [*advised, start])


def _by_worth(dataset: Dataset, name: Name, members: Members) -> list[Claim]:
    """Say what to do with a segment by what it is worth, where that is known."""
    if not dataset.values:
        return []
    claims, above, so_far = [], math.inf, _so_far(dataset, members, name.segment)
    what = joined([printable(value.label) for value in dataset.values], "and of")
    for least, compared, action in WORTH:
        condition = f"of_total(v) >= {least} * of_total(1) and mean_all(v) > 0"
        if math.isfinite(above):
            condition += f" and of_total(v) < {above} * of_total(1)"
        each = [bind(condition, v=value.column) for value in dataset.values]
        tree = reduce(lambda a, b: bind("a and b", a=a, b=b), each)
        found = members.claim(Phrase("", ""), name.segment, tree)
        if found.holds:
            parts = [bind("of_total(v)", v=value.column) for value in dataset.values]
            own = joined([share(found.values[ast.unparse(part)]) for part in parts])
            advised = f": {action}" if action and not so_far else ""
            text = (
                f"Their part of {what} is {compared} their share of {dataset.nouns} "
                f"({own} against {share(found.values['of_total(1)'])}){so_far}{advised}."
            )
            condition = together("", [found, so_far]).condition
            values = found.values | so_far.values
            claims.append(Claim(text, condition, values, because=found.because))
        above = least
    return claims


def _so_far(dataset: Dataset, members: Members, segment: int) -> Claim:
    """Say over which median time a value came together that grows with time; else nothing."""
    customers = members.customers
    for name, part in customers.parts.items():
        if part.kind != "months":
            continue
        months = pd.Series(customers.table[name])
        for value in dataset.values:
            grows = months.corr(pd.Series(customers.table[value.column]), method="spearman")
            median = months[members.labels == segment].median()
            text = f" so far, in a median of {quantity(median, part.unit or 'months')}"
            condition = f"rank_correlation >= {GROWS}"
            if said := claim({"rank_correlation": grows, "months": median}, (condition, text)):
                return said
    return claim({})


def caution(unclear: float) -> Claim:
    """Say where a segment is too small to be described: its share near a boundary is NaN."""
    few = "They are too few to be described: figures about them could identify a person."
    return claim({"described": math.isfinite(unclear)}, ("described == 0", few))


def lean(row: pd.Series, names: dict[int, str]) -> dict[str, Any]:
    """Say to which segment the members near a boundary lean, from a row of `profiling.leaning`.

    Returns
    -------
    dict
        second_choice, a name, None where there is a tie or too few to say; leaning, a text.
    """
    first, second = (names.get(row[choice]) for choice in ("first", "second"))
    numbers = row[["near", "first_share", "second_share", "error"]].to_dict()
    often, less_often = share(row["first_share"]), share(row["second_share"])
    clear, tie = (f"first_share - second_share {sign} 1.96 * error" for sign in (">", "<="))
    few = "too few others to say to which segment they lean"
    both = f"the others lean towards “{first}” ({often}) or “{second}” ({less_often})"
    text = claim(
        numbers | {"known": first is not None},
        ("near > 0 and known == 0", few),
        (clear, f"the others lean most often towards “{first}” ({often})"),
        (tie, f"{both}: too few to tell"),
    )
    return {"second_choice": first if text.condition == clear else None, "leaning": text}


def left_out(name: Name, members: Members, own: pd.Series) -> tuple[np.ndarray, dict[str, Any]]:
    """Find the members of a segment for whom its archetype's offer makes no sense.

    Parameters
    ----------
    own : Series of bool, shape (n,)
        Who is a member.

    Returns
    -------
    ndarray of bool, shape (n,), dict
        Who is left out of the segment's list; customers, how many, and reason, a text.
    """
    condition = name.archetype.leave_out if name.archetype else ""
    if not condition:
        return np.zeros(len(own), dtype=bool), {"customers": 0, "reason": ""}
    out = members.customers.rows(condition).astype(bool) & own.to_numpy()
    reason = f"The offer makes no sense for them: {members.described(condition)}."
    customers = int(out.sum())
    reason = claim({"left_out": customers}, ("left_out > 0", reason))
    return out, {"customers": customers, "reason": reason}


def methods_table(solution: dict[str, Any], metrics: dict[str, Any]) -> pd.DataFrame:
    """List each rule used, its source and this run's numbers."""
    decision, jaccard = solution["decision"], metrics["clustering"]["jaccard"].values()
    numbers = metrics["clustering"] | metrics["profiling"]
    numbers |= {"tolerance": TOLERANCE, "gap": NATURAL_VALLEY}
    natural = [
        stated(
            "k = {k}", "valley <= gap", k=k, valley=numbers["valley"][str(k)], gap=NATURAL_VALLEY
        )
        for k in numbers["natural_ks"]
    ]
    numbers |= {"agreement": decision["agreement"], "natural": listed(natural, none="no k")}
    met = numbers["rules_recall"].values()
    numbers |= {"least_met": min(met), "most_met": max(met)}
    numbers |= {"k": solution["k"], "lowest": min(jaccard), "highest": max(jaccard)}
    numbers["silhouette_word"] = silhouette_word(numbers["silhouette"])
    rows = [
        [" ".join(cell.split()) for cell in row.split(" | ")]
        for row in METHODS.replace("\n|", " |").strip().split("\n\n")
    ]
    rows = [[*(t.format_map(numbers) for t in row), stated(last, **numbers)] for *row, last in rows]
    columns = ["what", "rule", "source", "this run"]
    return pd.DataFrame(rows, columns=columns, dtype=object).set_index("what")


def portrait(typical: pd.DataFrame, shown: list[Feature], names: dict[int, str]) -> pd.DataFrame:
    """Write the typical customers, one a segment, in words and units: a row a feature."""
    members = pd.Index([names[segment] for segment in typical.index], name="typical member of")
    cells = {
        f.label or f.name: [answer_or_quantity(level, f.unit, f.kind) for level in typical[f.name]]
        for f in shown
    }
    return pd.DataFrame(cells, index=members).T.rename_axis("feature")


def card(
    name: Name,
    size: pd.Series,
    values: list[dict[str, Any]],
    distinct: list[dict[str, Any]],
    said: dict[str, Any],
    portrait: pd.Series,
    style: SegmentStyle,
    file_name: str,
    trust: dict[str, Any],
) -> dict[str, Any]:
    """Collect what the start page says about one segment.

    Parameters
    ----------
    size : Series
        customers and share.
    values : list of dict
        From `values_of`.
    said : dict
        What `words` returns; caution and evidence.
    trust : dict
        stability, stability_word, sure_share and second_choice.
    """
    return {
        "segment": name.segment,
        "name": name.name,
        "slug": file_name,
        "colour": style.colour,
        "marker": style.marker,
        "customers": int(size["customers"]),
        "share": size["share"],
        "values": values,
        "traits": distinct,
        "typical": [{"label": label, "text": text} for label, text in portrait.items()],
        **trust,
        **said,
        "matched": name.archetype is not None,
        "campaign": f"campaigns/{file_name}.csv",
    }


def page(
    dataset: Dataset,
    solution: dict[str, Any],
    sizes: pd.DataFrame,
    worth: dict[str, pd.DataFrame],
    cards: list[dict[str, Any]],
    sentences: list[str],
    cleaned: dict[str, Any],
    clustering: dict[str, Any],
    quick: bool,
    *,
    importance: pd.Series,
    descriptors: list[dict[str, Any]],
) -> dict[str, Any]:
    """Collect everything that the start page lays out.

    Parameters
    ----------
    clustering : dict
        The numbers that notebook 04 recorded.
    importance : Series
        By label, how much of a feature's variance lies between the segments.
    descriptors : list of dict
        From `descriptor_rows`.
    """
    totals = {measure: float(table["total"].sum()) for measure, table in worth.items()}
    limits = _limits(dataset, cards, clustering, solution["decision"]["agreement"])
    return {
        "title": dataset.title,
        "subtitle": dataset.about,
        "noun": dataset.noun,
        "nouns": dataset.nouns,
        "generated": cleaned["generated"],
        "quick": quick,
        "answer": sentences,
        "customers": int(sizes["customers"].sum()),
        "k": solution["k"],
        "k_set_by_hand": solution["by_hand"],
        "values": [
            {"label": value.label, "unit": value.unit, "total": totals[value.column]}
            for value in dataset.values
        ],
        "segments": cards,
        "decision": {
            "sentences": _decision_sentences(solution),
            "figure": "figures/04_decision.png",
            "alt": solution["decision"]["alt"],
        },
        "verdict": solution["verdict"],
        "claims": solution.get("claims", []),
        "importance": [{"label": name, "value": value} for name, value in importance.items()],
        "descriptors": descriptors,
        "limits": [*dataset.limits, *sensitive(dataset), *limits],
        "changes": [{key: change[key] for key in CHANGE_COLUMNS} for change in cleaned["changes"]],
        "figures": {"shares": "figures/06_shares.png"},
    }


def _decision_sentences(solution: dict[str, Any]) -> list[Claim]:
    """Say why there are k segments, how far two samples agree, and what other rules would pick."""
    k, decision = solution["k"], solution["decision"]
    often = [f"{n} in {share(part)}" for n, part in decision["often"].items()] or ["no k"]
    reason = restored(solution["reason"], solution)
    numbers = {name: decision[name] for name in ("agreement", "elbow", "silhouette")}
    for n, part in decision["often"].items():
        numbers |= {f"k_{n}": int(n), f"often_{n}": part}
    said = (
        f"The number of segments, {k}, was"
        if solution["by_hand"]
        else f"The rule chose {k} segments:"
    )
    alone = (
        f"The mean adjusted Rand index of fits on two samples is {decision['agreement']:.2f}. "
        f"Over bootstrap draws of these pairs of fits, the rule chooses {joined(often)}; the elbow "
        f"alone would pick {decision['elbow']}, the silhouette alone {decision['silhouette']}."
    )
    return [
        together(f"{said} {reason}.", [reason]),
        claim(numbers, ("agreement <= 1", alone)),
    ]


def sensitive(dataset: Dataset) -> list[Claim]:
    """Say whether sensitive columns take part in making the segments."""
    used = {n for f in dataset.features_with("segment") for n in columns_of(f.formula)}
    words = SENSITIVE | HOUSEHOLD | INCOME
    found = [c for c in dataset.columns if words & set(split_name(c.name).split())]
    making = [printable(c.label) for c in found if c.name in used]
    others = [printable(c.label) for c in found if c.name not in used]
    columns = {"making": len(making), "others": len(others)}
    form = (
        f"The segments are made from sensitive columns, too: {joined(making)}. To treat "
        f"{dataset.nouns} by segment is to treat them by these columns: check whether you may."
    )
    describe = (
        f"Sensitive columns that describe the segments and play no part in making them: "
        f"{joined(others)}. The segments can still differ in them."
    )
    limits = [claim(columns, ("making > 0", form)), claim(columns, ("others > 0", describe))]
    return [limit for limit in limits if limit]


def _limits(
    dataset: Dataset, cards: list[dict[str, Any]], clustering: dict[str, Any], agreement: float
) -> list[Claim]:
    """Say what the segments cannot promise, in order."""
    described = [entry for entry in cards if math.isfinite(entry["sure_share"])]
    clear = sum(entry["sure_share"] * entry["share"] for entry in described)
    unclear = round(1 - clear / sum(entry["share"] for entry in described), 9)
    near = f"{share(unclear)} of the {dataset.nouns} lie near a boundary between two segments."
    resamples = "Stability is measured on resamples of these customers; another period may differ."
    limits = [
        claim({"agreement": agreement}, ("agreement <= 1", resamples)),
        claim({"near": unclear}, ("near > 0", near)),
    ]
    if "evidence_customers" in clustering:
        text = (
            f"The number of segments and the evidence for them are based on a stratified sample of "
            f"{clustering['evidence_customers']:,} of {clustering['customers']:,} {dataset.nouns}; "
            f"the segments come from a fit of all, whose adjusted Rand index with the sample's is "
            f"{clustering['evidence_ari']:.2f}."
        )
        numbers = {n: clustering[n] for n in ("evidence_customers", "customers", "evidence_ari")}
        limits.insert(1, claim(numbers, ("evidence_customers < customers", text)))
    return [limit for limit in limits if limit]


def added_sentences(alternatives: dict[str, Any], value_label: str) -> list[Claim]:
    """Say what the segments add to yes/no rules and RFM segments, from the numbers of notebook 07.

    ``value_label`` is what the first measure of value is called.
    """
    found, sentences = alternatives, []
    for key, rules in (("rule_baseline", "yes/no rules"), ("rfm", "RFM segments")):
        if f"{key}_explained" in found:
            numbers = {"rules": found[f"{key}_explained"], "ari": found[f"{key}_ari"]}
            numbers["segments"] = found["segments_explained"]
            text = (
                f"{sentence_case(rules)} explain {share(numbers['rules'])} of the variance of the "
                f"features, the segments {share(numbers['segments'])}; the adjusted Rand index of "
                f"the two partitions is {decimal(numbers['ari'])}."
            )
            sentences.append(claim(numbers, ("ari <= 1", text)))
        if f"{key}_explained_value" in found:
            theirs, ours = found[f"{key}_explained_value"], found["segments_explained_value"]
            text = (
                f"Of the variance of {printable(value_label)} between customers, {rules} explain "
                f"{share(theirs)}, the segments {share(ours)}"
            )
            more = f"{text}: the {rules.removeprefix('yes/no ')} explain more."
            options = ("rules > segments", more), ("rules <= segments", f"{text}.")
            sentences.append(claim({"rules": theirs, "segments": ours}, *options))
    return sentences


def sensitivity_sentences(robustness: dict[str, Any]) -> list[Claim]:
    """Say which other choice would matter most, from the numbers of notebook 08."""
    ari = robustness["most_sensitive_ari"]
    text = (
        f"Of the other choices tried, “{robustness['most_sensitive']}” changes the segments most: "
        f"its adjusted Rand index with them is {decimal(ari)}."
    )
    return [claim({"lowest": ari}, ("lowest <= 1", text))]


def profile_rows(
    chosen: list[Feature],
    effects: pd.DataFrame,
    markers: pd.DataFrame,
    importance: pd.Series,
    levels: tuple[dict[int, pd.Series], pd.Series],
    names: dict[int, str],
) -> list[dict[str, Any]]:
    """List the variables that made the segments, those that separate them most first.

    Parameters
    ----------
    effects, markers : DataFrame, segments x features
        From `profiling.effect_sizes` and `profiling.marker_variables`, of the segments that may be
        described.
    importance : Series
        By feature, the share of its variance that lies between the segments.
    levels : tuple
        In real units, of each segment and of everybody.
    names : dict
        Of all segments, in their order.

    Returns
    -------
    list of dict
        label, statistic (average or median), importance, overall (a text) and segments: for each
        segment its text, effect and whether the
        variable is one of its marker variables; None where it may not be described.
    """
    by_segment, overall = levels
    rows = []
    for f in sorted(chosen, key=lambda f: -importance[f.name]):
        label = printable(f.label or f.name)
        cells = {
            s: {
                "text": beside(label, by_segment[s][f.name], f.unit, f.kind),
                "effect": float(effects.loc[s, f.name]),
                "marker": bool(markers.loc[s, f.name]),
            }
            for s in effects.index
        }
        rows.append(
            {
                "label": label,
                "statistic": statistic(f),
                "importance": float(importance[f.name]),
                "overall": beside(label, overall[f.name], f.unit, f.kind),
                "segments": [cells.get(s) for s in names],
            }
        )
    return rows


def _with_statistic(feature: Feature) -> str:
    """Return a feature's label with its statistic, unless it is an average by name."""
    label = feature.label or feature.name
    plain = feature.kind == "yes_no" or label.lower().startswith(("average", "median"))
    return label if plain else f"{label} ({statistic(feature)})"


def descriptor_rows(
    described: list[Feature],
    level: dict[int, pd.Series],
    overall: pd.Series,
    categories: dict[str, list[str]],
    formed: set[str],
) -> list[dict[str, Any]]:
    """List the variables that did not make the segments, one text a segment and one for everybody.

    Parameters
    ----------
    formed : set of str
        Labels of what is not independent of the segments, from `profiling.formed_with`.
    described : list of Feature
        Numeric descriptors, with their levels by segment and overall.
    categories : dict of str to list of str
        By label, what leads in each segment, and last in everybody, from `profiling.leading`.
    """
    rows = [*level.values(), overall]
    texts = {
        _with_statistic(f): (
            [quantity(levels[f.name], f.unit, f.kind) for levels in rows],
            (f.label or f.name) not in formed,
        )
        for f in described
    }
    texts |= {label: (words, label not in formed) for label, words in categories.items()}
    return [
        {"label": label, "segments": segments, "overall": everybody, "independent": independent}
        for label, ((*segments, everybody), independent) in texts.items()
    ]
