"""What the start page says: answers, segment cards and the table of methods, from the numbers."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from customer_tables.text import (
    answer_or_quantity,
    joined,
    lower_first,
    number,
    printable,
    quantity,
    share,
)
from segmentation.dataset import Dataset, Feature
from segmentation.figures.style import SegmentStyle
from segmentation.naming import MATCH_THRESHOLD, NOTABLE_EFFECT, Name
from segmentation.selection import NATURAL_VALLEY, TOLERANCE

MOST_TRAITS = 5  # on a card
WORTH_MORE, WORTH_LESS = 3 / 2, 2 / 3  # share of the value over share of the customers
VALUE_COLUMNS = ("value_share", "value_share_low", "value_share_high", "value_mean", "value_median")
CHANGE_COLUMNS = ("what", "column", "rows", "action")

# Each rule used, its source and this run's numbers.
METHODS = """
Number of segments
| largest k in the actionable range whose agreement lies within {tolerance} of the best one, each
  segment found again and none tiny; where groups stand apart, their number; where none qualifies,
  the most stable k
| Dolnicar & Leisch 2010; Hennig 2007
| k = {k}, mean ARI {agreement}

Groups that stand apart
| lowest density between two segments, as a share of the lower peak; up to {valley:.0%} is a gap
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
| table 06_effects.csv

Rules
| branch of a shallow decision tree for each segment against the rest, cross-validated
| Breiman et al. 1984
| recall {least_met:.0%} to {most_met:.0%}
"""


def traits(
    effects: pd.Series, typical: pd.Series, overall: pd.Series, chosen: list[Feature]
) -> list[dict[str, Any]]:
    """List what sets a segment apart, strongest first, in real units.

    A feature whose level lies on the other side of everybody's than its effect, which happens
    where few large values make the level, says nothing clear and is left out.

    Parameters
    ----------
    effects : Series, shape (n_features,)
        In standard deviations from the average customer.
    typical, overall : Series, shape (n_features,)
        Levels of the segment and of everybody, in real units, from `profiling.levels`.
    """
    clear = [f for f in chosen if effects[f.name] * (typical[f.name] - overall[f.name]) >= 0]
    entries = []
    for f in sorted(clear, key=lambda f: -abs(effects[f.name]))[:MOST_TRAITS]:
        label = printable(f.label or f.name)
        own, others = (quantity(level[f.name], f.unit, f.kind) for level in (typical, overall))
        middle = "in the middle" if f.kind == "number" else "on average"  # as `levels` has it
        entries.append(
            {
                "label": label,
                "kind": f.kind,
                "unit": f.unit,
                "segment": float(typical[f.name]),
                "overall": float(overall[f.name]),
                "effect": float(effects[f.name]),
                "text": f"{label}: {own} against {others} {middle}",
            }
        )
    return entries


def grounds_of(
    name: Name, effects: pd.Series, typical: pd.Series, overall: pd.Series, chosen: list[Feature]
) -> list[dict[str, Any]]:
    """List the traits on which a segment's archetype rests, strongest first."""
    pattern = name.archetype.pattern if name.archetype else {}
    meant = [f for f in chosen if pattern.get(f.name, 0) * effects[f.name] > 0]
    return traits(effects, typical, overall, meant)


def describe_traits(entries: list[dict[str, Any]], most: int = 2) -> str:
    """Write the strongest traits as a phrase: high balance, low payments per month.

    What hardly differs from the average is no trait.
    """
    notable = [entry for entry in entries if abs(entry["effect"]) >= NOTABLE_EFFECT][:most]
    if entries and not notable:
        return "close to the average in everything"
    return joined(
        [f"{'high' if e['effect'] > 0 else 'low'} {lower_first(e['label'])}" for e in notable]
    )


def answer(
    dataset: Dataset, sizes: pd.DataFrame, names: dict[int, str], solution: dict[str, Any]
) -> list[str]:
    """Answer in three sentences: how many segments, where to start, how sure we are.

    The segment to address first is the one with most of the value at stake; without a value, the
    largest.
    """
    shown = {segment: printable(names[segment]) for segment in sizes.index}
    of_customers, nouns = sizes["share"].map(share), dataset.nouns
    if dataset.value:
        of_value = sizes["value_share"].map(share)
        top, last = sizes["value_share"].idxmax(), sizes["value_share"].idxmin()
        start = (
            f"Start with {shown[top]}: they are {of_customers[top]} of the {nouns} and make "
            f"{of_value[top]} of {dataset.value_label}, while {shown[last]} are "
            f"{of_customers[last]} and make {of_value[last]}."
        )
    else:
        top = sizes["share"].idxmax()
        start = f"Start with the largest, {shown[top]}: {of_customers[top]} of the {nouns}."
    verdict = solution["verdict"]
    if verdict["word"] != "natural" and not verdict["clearer"]:  # nothing to rank segments by
        start = "None of them is a place to start: the verdict says why."
    return [
        f"The {sizes['customers'].sum():,} {nouns} fall into {solution['k']} segments: "
        f"{joined([*shown.values()])}.",
        start,
        f"How sure: {solution['verdict']['sentence']}",
    ]


def evidence(name: Name) -> str:
    """Say why a segment has its name, and which name came second."""
    other, score = name.runner_up, name.runner_up_score
    if name.archetype:
        second = f"; next {other} ({score:.2f})" if other else ""
        return f"Match with the pattern: {name.score:.2f} of 1{second}."
    taken = ", given to another segment" if score >= MATCH_THRESHOLD else ""
    nearest = f" Nearest: {other} ({score:.2f} of 1{taken})." if other else ""
    return (
        "No known kind of customer is left for it, so the name describes what sets it apart."
        + nearest
    )


def advice(
    dataset: Dataset,
    name: Name,
    size: pd.Series,
    entries: list[dict[str, Any]],
    grounds: list[dict[str, Any]],
    ambiguous: float,
) -> dict[str, str]:
    """Give the archetype's advice with the segment's own numbers, its caution and its measure.

    Of a kind that is not known, only what it is worth tells where to begin.

    Parameters
    ----------
    size : Series
        share and value_share, from `profiling.sizes_and_value`.
    entries, grounds : list of dict
        The segment's strongest traits, and those from `grounds_of`.
    ambiguous : float
        Share of the segment near the border to another one; NaN where it is too small to describe.
    """
    caution = "They are too few to be described: figures about them would be about somebody."
    if math.isfinite(ambiguous):
        caution = (
            f"{share(ambiguous)} of them are near the border to another segment: address the sure "
            "ones first."
        )
    if name.archetype:
        basis = "; ".join(entry["text"] for entry in grounds[:2])
        said, measure = name.archetype.advice, name.archetype.measure
    else:
        worth, basis, measure = _by_worth(dataset, size)
        said = f"{worth} No advice is on file for this kind of customer. {_start(entries)}".strip()
        measure = f"{measure}, against a control group without the offer"
    grounded = f"Rests on: {basis}." if basis else ""
    return {"advice": said, "grounds": grounded, "caution": caution, "measure": measure}


def _start(entries: list[dict[str, Any]]) -> str:
    """Say where to start with a kind of customer that is not known."""
    if entries and max(abs(entry["effect"]) for entry in entries) < NOTABLE_EFFECT:
        return "Nothing sets it apart: ask its members, or test one offer on a part of the list."
    apart = f" ({describe_traits(entries)})" if entries else ""
    return f"Start from what sets it apart{apart} and test one offer on a part of the list."


def _by_worth(dataset: Dataset, size: pd.Series) -> tuple[str, str, str]:
    """Say what to do with a segment by what it is worth, on what grounds, and what to measure."""
    if not dataset.value or not size["value_share"] >= 0:  # nor where it is unknown
        return "", "", "the share that responds"
    ratio = size["value_share"] / size["share"]
    if ratio >= WORTH_MORE:
        said = "They are worth more than their number: keep them before you spend on others."
    elif ratio <= WORTH_LESS:
        said = "They are worth less than their number: reach them by the cheapest channel."
    else:
        said = "They are worth about their number: spend on them as on the average."
    label = printable(dataset.value_label)
    basis = f"{share(size['value_share'])} of {label} from {share(size['share'])} of the"
    measure = f"the share that responds and {label} per {dataset.noun}"
    return said, f"{basis} {dataset.nouns}", measure


def methods_table(solution: dict[str, Any], metrics: dict[str, Any]) -> pd.DataFrame:
    """List each rule used, its source and this run's numbers."""
    decision, jaccard = solution["decision"], metrics["clustering"]["jaccard"].values()
    numbers = metrics["clustering"] | metrics["profiling"]
    natural = [f"k = {k}" for k in numbers["natural_ks"]] or ["no k"]
    numbers |= {"agreement": number(decision["agreement"]), "natural": joined(natural)}
    numbers |= {"tolerance": TOLERANCE, "valley": NATURAL_VALLEY}
    met = numbers["rules_recall"].values()
    numbers |= {"least_met": min(met), "most_met": max(met)}
    numbers |= {"k": solution["k"], "lowest": min(jaccard), "highest": max(jaccard)}
    rows = [
        [" ".join(cell.split()).format_map(numbers) for cell in row.split(" | ")]
        for row in METHODS.replace("\n|", " |").strip().split("\n\n")
    ]
    return pd.DataFrame(rows, columns=["what", "rule", "source", "this run"]).set_index("what")


def portrait(typical: pd.DataFrame, shown: list[Feature], names: dict[int, str]) -> pd.DataFrame:
    """Write the typical customers, one a segment, in words and units: a row a feature."""
    members = pd.Index([names[segment] for segment in typical.index], name="typical member of")
    cells = {
        f.label or f.name: [answer_or_quantity(level, f.unit, f.kind) for level in typical[f.name]]
        for f in shown
    }
    return pd.DataFrame(cells, index=members).T.rename_axis("feature")


def card(
    dataset: Dataset,
    name: Name,
    size: pd.Series,
    distinct: list[dict[str, Any]],
    advised: dict[str, str],
    portrait: pd.Series,
    style: SegmentStyle,
    file_name: str,
    trust: dict[str, Any],
) -> dict[str, Any]:
    """Collect what the start page says about one segment.

    Parameters
    ----------
    trust : dict
        stability, stability_word, sure_share and second_choice.
    """
    return {
        "segment": name.segment,
        "name": name.name,
        "slug": file_name,
        "colour": style.colour,
        "marker": style.marker,
        "summary": name.archetype.summary if name.archetype else describe_traits(distinct),
        "customers": int(size["customers"]),
        "share": size["share"],
        **{column: size[column] if dataset.value else None for column in VALUE_COLUMNS},
        "traits": distinct,
        "typical": [{"label": label, "text": text} for label, text in portrait.items()],
        **trust,
        **advised,
        "matched": name.archetype is not None,
        "evidence": evidence(name),
        "campaign": f"campaigns/{file_name}.csv",
    }


def page(
    dataset: Dataset,
    solution: dict[str, Any],
    sizes: pd.DataFrame,
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
    total = float(sizes["value_total"].sum())
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
        "value": {"label": dataset.value_label, "unit": dataset.currency, "total": total},
        "segments": cards,
        "decision": {
            "sentences": _decision_sentences(solution),
            "figure": "figures/04_decision.png",
            "alt": solution["decision"]["alt"],
        },
        "verdict": solution["verdict"],
        "importance": [{"label": name, "value": value} for name, value in importance.items()],
        "descriptors": descriptors,
        "limits": [*dataset.limits, *_limits(dataset, cards, clustering)],
        "changes": [{key: change[key] for key in CHANGE_COLUMNS} for change in cleaned["changes"]],
        "figures": {"shares": "figures/06_shares.png"},
    }


def _decision_sentences(solution: dict[str, Any]) -> list[str]:
    """Say why there are k segments, how far two samples agree, and what other rules would pick."""
    k, decision = solution["k"], solution["decision"]
    often = [f"{n} in {share(part)}" for n, part in decision["often"].items()] or ["no k"]
    return [
        f"The number of segments, {k}, was set by hand."
        if solution["by_hand"]
        else f"The rule chose {k} segments: {solution['reason']}.",
        f"Fits on two samples agree to an adjusted Rand index of {decision['agreement']:.2f}. "
        f"Repeated on other samples, the rule chooses {joined(often)}; the elbow alone would pick "
        f"{decision['elbow']}, the silhouette alone {decision['silhouette']}.",
    ]


def _limits(dataset: Dataset, cards: list[dict[str, Any]], clustering: dict[str, Any]) -> list[str]:
    """Say what the segments cannot promise, in order."""
    described = [entry for entry in cards if math.isfinite(entry["sure_share"])]
    clear = sum(entry["sure_share"] * entry["share"] for entry in described)
    ambiguous = 1 - clear / sum(entry["share"] for entry in described)
    limits = ["Stability is measured on resamples of these customers; another period may differ."]
    if "evidence_customers" in clustering:
        limits.append(
            f"The number of segments, and how far to trust them, rest on a stratified sample of "
            f"{clustering['evidence_customers']:,} of {clustering['customers']:,} {dataset.nouns}; "
            f"everybody's segment comes from a fit of all, which agrees with the sample's to "
            f"{clustering['evidence_ari']:.2f} of 1."
        )
    near = f"{share(ambiguous)} of the {dataset.nouns} lie near the border between two segments."
    return [*limits, near]


def added_sentences(alternatives: dict[str, Any]) -> list[str]:
    """Say what the segments add to yes/no rules, from the numbers of notebook 07."""
    found, sentences = alternatives, []
    if "rule_baseline_explained" in found:
        sentences.append(
            f"Yes/no rules explain {share(found['rule_baseline_explained'])} of the "
            f"differences between customers, the segments {share(found['segments_explained'])}"
            f"; the two divisions agree to {found['rule_baseline_ari']:.2f} of 1."
        )
    if "rule_baseline_explained_value" in found:
        sentences.append(
            f"Of the differences in value, yes/no rules explain "
            f"{share(found['rule_baseline_explained_value'])}, the segments "
            f"{share(found['segments_explained_value'])}."
        )
    return sentences


def sensitivity_sentences(robustness: dict[str, Any]) -> list[str]:
    """Say which other choice would matter most, from the numbers of notebook 08."""
    return [
        f"Of all other defensible choices, this would change the segments most: "
        f"{robustness['most_sensitive']} (agreement {robustness['most_sensitive_ari']:.2f} of 1)."
    ]


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
        label, importance, overall (a text) and segments: for each its text, effect and whether the
        variable is one of its marker variables; None where it may not be described.
    """
    by_segment, overall = levels
    rows = []
    for feature in sorted(chosen, key=lambda f: -importance[f.name]):
        cells = {
            s: {
                "text": quantity(by_segment[s][feature.name], feature.unit, feature.kind),
                "effect": float(effects.loc[s, feature.name]),
                "marker": bool(markers.loc[s, feature.name]),
            }
            for s in effects.index
        }
        rows.append(
            {
                "label": printable(feature.label or feature.name),
                "importance": float(importance[feature.name]),
                "overall": quantity(overall[feature.name], feature.unit, feature.kind),
                "segments": [cells.get(s) for s in names],
            }
        )
    return rows


def descriptor_rows(
    described: list[Feature],
    level: dict[int, pd.Series],
    overall: pd.Series,
    categories: dict[str, list[str]],
) -> list[dict[str, Any]]:
    """List the variables that did not make the segments, one text a segment and one for everybody.

    Parameters
    ----------
    described : list of Feature
        Numeric descriptors, with their levels by segment and overall.
    categories : dict of str to list of str
        By label, what leads in each segment, and last in everybody, from `profiling.leading`.
    """
    rows = [*level.values(), overall]
    texts = {
        f.label or f.name: [quantity(levels[f.name], f.unit, f.kind) for levels in rows]
        for f in described
    }
    return [
        {"label": label, "segments": segments, "overall": everybody}
        for label, (*segments, everybody) in (*texts.items(), *categories.items())
    ]
