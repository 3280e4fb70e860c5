"""Names of segments: archetypes matched to profiles, where their conditions hold."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, combinations, permutations

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from customer_tables.header import has_word
from customer_tables.text import YEAR, joined, lower_first, printable, sentence_case
from segmentation.claims import Claim, claim, together
from segmentation.conditions import EVERYBODY, Customers, Members
from segmentation.dataset import Archetype, Dataset, Feature, Phrase
from segmentation.expressions import bind, split, written
from segmentation.features import Preparation
from segmentation.kmeans import assign, fit_kmeans
from segmentation.null_reference import same_margins
from segmentation.parallel import parallel_map
from segmentation.profiling import AGGREGATES, effect_sizes, standardise_evenly, statistic

MATCH_THRESHOLD = 0.6
LONGEST_LABEL = 60  # of a feature in a description
NOTABLE_EFFECT = 0.25  # below which a feature does not set a segment apart
CLEAR_EFFECT = 0.5  # average absolute effect from which a profile is no longer "average"
MOST_TRAITS = 2  # in a description
ENOUGH_TRAITS = 10  # of a segment, the strongest, from which its description is made
# Of a feature x: its level is above (below) that of each other segment by more than 5%, or a year
# on the calendar, and above (below) everybody's, and its median is not on the other side.
EXTREME = (
    "{3}({0}(x) - {0}_{2}(x)) > {4} and {0}(x) {1} {0}_all(x) and median(x) {1}= median_all(x)"
)
GENERAL = 0.3  # what the match of a general archetype counts for beside that of others
TAKEN = "given to another segment"


@dataclass(frozen=True)
class Description:
    """What sets a segment apart from all others: a name, a phrase, and the features of both."""

    name: Claim
    phrase: Claim
    features: frozenset[str]


@dataclass(frozen=True)
class Name:
    """A segment's name and where it comes from."""

    segment: int
    name: Claim
    archetype: Archetype | None  # None where none fits and the name is a plain description
    score: float  # match of the best-assigned archetype, at most 1
    runner_up: str  # the archetype that came second
    runner_up_score: float
    description: Description
    obstacle: str = ""  # where there is no archetype, why the nearest is none


def match_score(effects: pd.Series, archetype: Archetype) -> float:
    """Return how well a segment's profile fits an archetype's pattern, between -1 and 1.

    The cosine between pattern and effect sizes on the pattern's features, reduced where the
    segment differs little from the average customer in those that have a sign (mean absolute
    effect below `CLEAR_EFFECT`). A pattern of zeros only is that of the average customer: it fits
    the better, the less the segment differs there. The match of a general archetype is reduced by
    how far its strongest effect falls short of the segment's strongest.
    """
    pattern = np.array([*archetype.pattern.values()], dtype=float)
    profile = np.array([effects[name] for name in archetype.pattern], dtype=float)
    lengths = np.linalg.norm(pattern) * np.linalg.norm(profile)
    signed = np.abs(profile[pattern != 0] if pattern.any() else profile)
    clarity = min(1.0, float(signed.mean()) / CLEAR_EFFECT)
    if not (pattern.any() and lengths):
        return 0.0 if pattern.any() else 1.0 - clarity**2
    told = signed.max() / effects.abs().max() if archetype.general else 1.0
    return float(pattern @ profile / lengths) * clarity * told


def score_table(effects: pd.DataFrame, archetypes: tuple[Archetype, ...]) -> pd.DataFrame:
    """Return the match of every segment (rows) with every archetype (columns)."""
    return pd.DataFrame(
        {a.name: [match_score(row, a) for _, row in effects.iterrows()] for a in archetypes},
        index=effects.index,
    )


def contradicted(effects: pd.Series, archetype: Archetype) -> bool:
    """Whether a segment lies clearly on the other side of any sign of an archetype's pattern."""
    signed = (np.sign(sign) * effects[name] for name, sign in archetype.pattern.items())
    return any(effect <= -NOTABLE_EFFECT for effect in signed)


def name_segments(
    effects: pd.DataFrame, dataset: Dataset, members: Members, min_group_size: int = 0
) -> dict[int, Name]:
    """Name segments by matching archetypes, so that no name comes twice.

    An archetype is a candidate for a segment where its match reaches `MATCH_THRESHOLD`, no sign of
    its pattern is `contradicted`, and its condition holds among the segment's members. The
    assignment maximises the summed match over candidates (Kuhn 1955), where there are general ones
    weighted by how much its features set the segment apart, general ones less. A segment whose
    candidates all go to others shares the best of them where something sets it apart; a segment
    without a candidate gets a plain description. Names of two segments that could be exchanged say
    what sets each apart, too, and so does a name that says average of a segment that is not.

    Parameters
    ----------
    effects : DataFrame, shape (n_segments, n_features)
        Indexed by segment; means in standard deviations from the average customer.
    members : Members
        Of the same segments, in real units.
    min_group_size : int
        A segment with fewer members is neither matched nor described.
    """
    scores = score_table(effects, dataset.archetypes)
    sizes = pd.Series(members.labels).value_counts()
    few = {s: f for s, n in sizes.items() if (f := _too_few(int(n), min_group_size)).name}
    obstacles, claims = _obstacles(scores, effects, dataset, members, few)
    possible = scores.where(obstacles == "", 0.0).astype(float)
    # Beside general ones, the more an archetype says of what sets a segment apart, the better.
    for kind in dataset.archetypes if any(kind.general for kind in dataset.archetypes) else ():
        told = effects[list(kind.pattern)].abs().max(axis=1) / effects.abs().max(axis=1)
        possible[kind.name] *= GENERAL if kind.general else told.fillna(1.0)
    pairs = zip(*linear_sum_assignment(possible.to_numpy(), maximize=True), strict=True)
    assigned = {
        scores.index[row]: scores.columns[column]
        for row, column in pairs
        if possible.iloc[row, column] > 0
    }
    archetypes = {archetype.name: archetype for archetype in dataset.archetypes}
    described = describe(effects, dataset, members, assigned, few)
    apart = [segment for segment in effects.index if described[segment].features]
    fits = possible.loc[[s for s in apart if s not in assigned]].max(axis=1)
    given = assigned | {s: possible.loc[s].idxmax() for s in fits.index[fits > 0]}
    each, segmenting = permutations(given, 2), [f.name for f in dataset.features_with("segment")]
    alike = {s for s, t in each if min(possible.loc[s, given[t]], possible.loc[t, given[s]]) > 0}
    for segment, kind in ((s, archetypes[name]) for s, name in given.items()):
        unsaid = described[segment].features - {*kind.pattern}
        if not any(kind.pattern.values()) and not unsaid.isdisjoint(segmenting):
            alike.add(segment)
    for segment in alike.intersection(apart):
        name, trait = given[segment], described[segment].name
        text = f"{name}: {lower_first(trait)}"
        claims[segment, name] = together(text, [claims[segment, name], trait])
    names = {}
    for segment in effects.index:
        name = given.get(segment, "")
        others = scores.loc[segment].drop(name, errors="ignore")
        runner_up = str(others.idxmax()) if len(others) else ""
        obstacle = (obstacles.loc[segment, runner_up] or TAKEN) if runner_up and not name else ""
        names[int(segment)] = Name(
            segment=int(segment),
            name=claims[segment, name] if name else described[segment].name,
            archetype=archetypes.get(name),
            score=float(scores.loc[segment].get(name, others.max() if runner_up else 0.0)),
            runner_up=runner_up,
            runner_up_score=float(others.max()) if runner_up else 0.0,
            description=described[segment],
            obstacle=obstacle,
        )
    return names


def _obstacles(
    scores: pd.DataFrame,
    effects: pd.DataFrame,
    dataset: Dataset,
    members: Members,
    few: Collection[int],
) -> tuple[pd.DataFrame, dict[tuple[int, str], Claim]]:
    """Say of each segment and archetype why it is no candidate; and evaluate names' conditions."""
    reasons, claims = [], {}
    for segment, row in effects.iterrows():
        for archetype in dataset.archetypes:
            name, why = archetype.name, ""
            if segment in few:
                why = "too few members"
            elif scores.loc[segment, name] < MATCH_THRESHOLD:
                why = "too weak a match"
            elif contradicted(row, archetype):
                why = "contradicted by part of the profile"
            else:
                claim = members.claim(Phrase(name, archetype.when), int(segment))
                claims[segment, name] = claim
                why = "" if claim.holds else "its condition does not hold"
            reasons.append(why)
    table = np.array(reasons, dtype=object).reshape(scores.shape)
    return pd.DataFrame(table, scores.index, scores.columns), claims


def describe(
    effects: pd.DataFrame,
    dataset: Dataset,
    members: Members,
    assigned: dict[int, str],
    few: Mapping[int, Description],
) -> dict[int, Description]:
    """Describe each segment by what sets it apart from all others.

    A trait is a segmenting or describing feature of which the segment has most or least of all, as
    `EXTREME` says, and an effect of at least `NOTABLE_EFFECT`. The `MOST_TRAITS` strongest make the
    description, the first of them the name; without any, one or two features do in which no other
    segment is on the same side. No two names are the same, those of archetypes in ``assigned``
    included. Segments in ``few`` are too small to be described.
    """
    described: dict[int, Description] = {}
    taken = set(assigned.values())
    for segment, row in effects.iterrows():
        found = [] if segment in few else _traits(row, dataset, members, int(segment))
        sets = [*combinations(found, min(MOST_TRAITS, len(found))), *((one,) for one in found)]
        pairs = () if segment in few else _pairs(effects, dataset, members, int(segment))
        options = chain(map(_description, filter(None, sets)), pairs)
        first = next(options, None)
        nothing = few.get(segment) or _without_traits(row, dataset)
        if first:  # whose name another segment has, as those of the rest
            nothing = replace(nothing, phrase=first.phrase)
        if segment in assigned:
            described[segment] = first or nothing
            continue
        free = (one for one in chain([first], options) if one and one.name not in taken)
        chosen = next(free, nothing)
        if chosen.name in taken:
            number = 1 + sum(name.startswith(chosen.name) for name in taken)
            numbered = together(f"{chosen.name} ({number})", [chosen.name])
            chosen = replace(chosen, name=numbered)
        described[segment] = chosen
        taken.add(chosen.name)
    return described


def _traits(
    effects: pd.Series, dataset: Dataset, members: Members, segment: int
) -> list[tuple[Feature, bool, Claim]]:
    """List features of which the segment has most (true) or least of all, strongest first.

    Those whose label is no word come last.
    """
    shown = [f for f in dataset.features_with("segment", "describe") if f.name in effects]
    traits = []
    for feature in sorted(shown, key=lambda f: -abs(effects[f.name])):
        effect = effects[feature.name]
        if abs(effect) < NOTABLE_EFFECT:
            break
        year, level = feature.unit == YEAR, AGGREGATES[statistic(feature)]
        tree = _extreme(feature.name, level, most=bool(effect > 0), year=year)
        claim = members.claim(Phrase(_trait(feature, effect > 0), written(tree)), segment, tree)
        if claim.holds:
            traits.append((feature, bool(effect > 0), claim))
        if len(traits) == ENOUGH_TRAITS:
            break
    return sorted(traits, key=lambda trait: not has_word(trait[0].label or trait[0].name))


@lru_cache(maxsize=1024)
def _extreme(name: str, level: str, *, most: bool, year: bool) -> ast.expr:
    """Return the condition that a segment has most or least of a feature, as `EXTREME` says."""
    compared, end, sign = (">", "highest", "") if most else ("<", "lowest", "-")
    levels = [f"abs({level}{of}(x))" for of in ("", f"_{end}", "_all")]
    margin = "1" if year else f"0.05 * max({levels[0]}, max({levels[1]}, {levels[2]}))"
    return bind(EXTREME.format(level, compared, end, sign, margin), x=name)


def _trait(feature: Feature, most: bool) -> str:
    """Name a trait: highest balance, least often a member."""
    label = lower_first(printable(feature.label or feature.name, LONGEST_LABEL))
    if feature.kind == "yes_no":
        return f"{'most' if most else 'least'} often {label}"
    if feature.unit == YEAR:
        return f"{'latest' if most else 'earliest'} {label}"
    return f"{'highest' if most else 'lowest'} {label}"


def _description(traits: tuple[tuple[Feature, bool, Claim], ...]) -> Description:
    """Put traits into words."""
    words = [_trait(feature, most) for feature, most, _ in traits]
    claims = [claim for *_, claim in traits]
    name = together(sentence_case(words[0]), claims[:1])
    phrase = together(f"{joined(words)} of all segments", claims)
    return Description(name, phrase, frozenset(feature.name for feature, *_ in traits))


def _pairs(
    effects: pd.DataFrame, dataset: Dataset, members: Members, segment: int
) -> Iterator[Description]:
    """Describe a segment by one or two features in which no other segment is on the same side.

    High and low are `NOTABLE_EFFECT` or more from the average, middling is nearer to it and between
    other segments. What is on another side has a level more than 5%, or a year, away, too.
    A segment close to the average in everything is none of these.
    """
    shown = [f for f in dataset.features_with("segment", "describe") if f.name in effects]
    sides = effects.where(effects.abs() >= NOTABLE_EFFECT, 0.0).transform(np.sign)
    others, found = sides.index.drop(segment), []
    strength = effects.loc[segment].abs()
    strongest = sorted(shown, key=lambda f: (f.role != "segment", -strength[f.name]))[
        :ENOUGH_TRAITS
    ]
    for feature in strongest if sides.loc[segment, [f.name for f in shown]].any() else ():
        label, side = feature.label or feature.name, sides.loc[segment, feature.name]
        tree = bind(f"{AGGREGATES[statistic(feature)]}(x)", x=feature.name)
        levels = pd.Series(members.by_segment(*split(tree)[1].values()))
        own, rest = levels[segment], levels[others]
        year = feature.unit == YEAR
        far = (rest - own).abs() > (1 if year else 0.05 * np.maximum(rest.abs(), abs(own)))
        fits = side * (own - levels[EVERYBODY]) > 0 if side else rest.min() < own < rest.max()
        if feature.kind != "yes_no" and has_word(label) and fits:
            up, down = ("late", "early") if year else ("high", "low")
            word = {1: up, 0: "middling", -1: down}[int(side)]
            words = f"{word} {lower_first(printable(label, LONGEST_LABEL))}"
            apart = far & (sides.loc[others, feature.name] != side)
            found.append((feature.name, words, set(others[apart])))
    for parts in chain(combinations(found, 1), combinations(found, MOST_TRAITS)):
        apart = len(set.union(*(segments for *_, segments in parts)))
        if 0 < apart == len(others):
            both = [words for _, words, _ in parts]
            texts = sentence_case(", ".join(both)), f"the only segment with {joined(both)}"
            values = {"others": len(others), "apart": apart}
            name, phrase = (claim(values, ("apart == others", text)) for text in texts)
            yield Description(name, phrase, frozenset(name for name, *_ in parts))


def _too_few(members: int, min_group_size: int) -> Description:
    """Describe a segment whose members could be recognised; without a name where they are many."""
    sizes = {"members": members, "min_group_size": min_group_size}
    few = claim(sizes, ("members < min_group_size", "Too few to describe"))
    return Description(few, few, frozenset())


def _without_traits(effects: pd.Series, dataset: Dataset) -> Description:
    """Describe a segment that has most or least of nothing."""
    shown = [f.name for f in dataset.features_with("segment", "describe") if f.name in effects]
    values = {"largest_effect": effects[shown].abs().max()}
    some, none = f"largest_effect >= {NOTABLE_EFFECT}", f"largest_effect < {NOTABLE_EFFECT}"
    other = (some, f"Other {dataset.nouns}"), (none, f"Average {dataset.nouns}")
    phrases = (
        (some, "neither clearly highest nor clearly lowest in what sets segments apart"),
        (none, "close to the average in everything"),
    )
    return Description(claim(values, *other), claim(values, *phrases), frozenset())


def agreement_after_refits(
    matrix: np.ndarray,
    standardised: pd.DataFrame,
    names: pd.Series,
    dataset: Dataset,
    customers: Customers,
    *,
    min_group_size: int = 0,
    resamples: int = 10,
    n_init: int = 10,
    seed: int = 20,
) -> np.ndarray:
    """Return the share of customers whose segment has the same name after a refit.

    Each refit sees a bootstrap sample only: K-Means is fitted to it, and its segments are named by
    their members in it. Then everybody is assigned to the segments.

    Parameters
    ----------
    matrix : ndarray, shape (n, d)
    standardised : DataFrame, shape (n, n_features)
        For effect sizes, from `profiling.standardise_evenly`.
    names : Series, shape (n,)
        Each customer's segment name in the chosen solution.
    customers : Customers
        The same n, in real units, for the conditions of names.
    """
    k, n = names.nunique(), len(names)

    def same_name(source: np.random.SeedSequence) -> float:
        generator = np.random.default_rng(source)
        drawn = generator.integers(0, n, n)
        fit = fit_kmeans(matrix[drawn], k, n_init=n_init, seed=int(generator.integers(2**31)))
        labels = assign(matrix, fit.centres)
        effects = standardised.iloc[drawn].groupby(labels[drawn]).mean()
        again = Members(customers.take(drawn), labels[drawn])
        refitted = name_segments(effects, dataset, again, min_group_size)
        called = pd.Series(labels, index=names.index).map({s: e.name for s, e in refitted.items()})
        return float((called == names).mean())

    return np.array(list(parallel_map(same_name, np.random.SeedSequence(seed).spawn(resamples))))


def null_matches(
    features: pd.DataFrame, preparation: Preparation, dataset: Dataset, k: int, *, seed: int = 20
) -> pd.Series:
    """Return how well segments of null reference data match each archetype at best.

    One sample of `null_reference.same_margins` of the features in real units, prepared like the
    table and cut into k segments. A name whose match is no better says nothing about groups.

    Parameters
    ----------
    features : DataFrame, shape (n, n_features)
        In real units.

    Returns
    -------
    Series
        By archetype's name; none where the dataset has no archetypes.
    """
    if not dataset.archetypes:
        return pd.Series(dtype=float)
    patterns = {name for archetype in dataset.archetypes for name in archetype.pattern}
    used = [f for f in dataset.features if f.role == "segment" or f.name in patterns]
    table = features[[f.name for f in used]]
    rng = np.random.default_rng(seed)
    null = pd.DataFrame(same_margins(table.to_numpy(), rng), columns=table.columns)
    fit = fit_kmeans(preparation.transform(null).to_numpy(), k, seed=seed)
    effects = effect_sizes(standardise_evenly(null, used), pd.Series(fit.labels))
    return score_table(effects, dataset.archetypes).max()
