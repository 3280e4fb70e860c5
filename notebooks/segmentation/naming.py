"""Names of segments: archetypes matched one to one to profiles, with the evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from customer_tables.text import lower_first, printable, sentence_case
from segmentation.dataset import Archetype, Dataset
from segmentation.kmeans import assign, fit_kmeans
from segmentation.parallel import parallel_map
from segmentation.profiling import clear_sides

MATCH_THRESHOLD = 0.6
LONGEST_LABEL = 60  # of a feature in a description
NOTABLE_EFFECT = 0.25  # below which a feature does not set a segment apart
CLEAR_EFFECT = 0.5  # average absolute effect from which a profile is no longer "average"


@dataclass(frozen=True)
class Name:
    """A segment's name and where it comes from."""

    segment: int
    name: str
    archetype: Archetype | None  # None where none fits and the name is a plain description
    score: float  # match of the best-assigned archetype, at most 1
    runner_up: str  # the archetype that came second
    runner_up_score: float


def match_score(effects: pd.Series, archetype: Archetype) -> float:
    """Return how well a segment's profile fits an archetype's pattern, between -1 and 1.

    The cosine between pattern and effect sizes on the pattern's features, reduced where the
    segment hardly differs from the average customer there (mean absolute effect below
    `CLEAR_EFFECT`). A pattern of zeros only is that of the average customer: it fits the better,
    the less the segment differs there.
    """
    pattern = pd.Series(archetype.pattern, dtype=float)
    profile = effects[pattern.index]
    lengths = np.linalg.norm(pattern) * np.linalg.norm(profile)
    clarity = min(1.0, float(profile.abs().mean()) / CLEAR_EFFECT)
    if not pattern.any():
        return 1.0 - clarity
    return float(pattern @ profile / lengths) * clarity if lengths else 0.0


def score_table(effects: pd.DataFrame, archetypes: tuple[Archetype, ...]) -> pd.DataFrame:
    """Return the match of every segment (rows) with every archetype (columns)."""
    return pd.DataFrame(
        {a.name: [match_score(row, a) for _, row in effects.iterrows()] for a in archetypes},
        index=effects.index,
    )


def name_segments(
    effects: pd.DataFrame, dataset: Dataset, clear: pd.DataFrame | None = None
) -> dict[int, Name]:
    """Name segments by matching archetypes one to one, so that no name comes twice.

    The assignment maximises the summed match (Kuhn 1955) over the pairs that reach
    `MATCH_THRESHOLD`; a segment without such a pair gets a plain description of what sets it apart.

    Parameters
    ----------
    effects : DataFrame, shape (n_segments, n_features)
        Indexed by segment; means in standard deviations from the average customer.
    clear : DataFrame of bool, shape (n_segments, n_features), optional
        What a description may call high or low, from `profiling.clear_sides`; by default all.
    """
    scores = score_table(effects, dataset.archetypes)
    possible = scores.where(scores >= MATCH_THRESHOLD, 0.0)
    pairs = zip(*linear_sum_assignment(possible.to_numpy(float), maximize=True), strict=True)
    assigned = {
        scores.index[row]: scores.columns[column]
        for row, column in pairs
        if scores.iloc[row, column] >= MATCH_THRESHOLD
    }
    archetypes = {archetype.name: archetype for archetype in dataset.archetypes}
    names, taken = {}, set(assigned.values())
    for segment in effects.index:
        sides = effects.loc[segment] if clear is None else effects.loc[segment][clear.loc[segment]]
        name = assigned.get(segment) or describe(sides, dataset, taken)
        taken.add(name)
        matches = scores.loc[segment].to_dict()
        others = {other: score for other, score in matches.items() if other != name}
        runner_up = max(others, key=others.__getitem__, default="")
        names[int(segment)] = Name(
            segment=int(segment),
            name=name,
            archetype=archetypes[name] if segment in assigned else None,
            score=matches.get(name, max(matches.values(), default=0.0)),
            runner_up=runner_up,
            runner_up_score=others.get(runner_up, 0.0),
        )
    return names


def describe(effects: pd.Series, dataset: Dataset, taken: set[str]) -> str:
    """Describe a segment by what sets it apart most, in words no other segment has.

    Only features that segment or describe take part. Two traits are named, where both set the
    segment apart by at least `NOTABLE_EFFECT`, and more until the description is unique; a segment
    without such a trait is average.
    """
    shown = [f.name for f in dataset.features_with("segment", "describe") if f.name in effects]
    ranked = effects[shown].sort_values(key=np.abs, ascending=False, kind="stable")
    traits, name = [], f"Average {dataset.nouns}"
    for feature, effect in ranked.items():
        if abs(effect) < NOTABLE_EFFECT and name not in taken:
            return name
        label = printable(dataset.feature(feature).label or feature, LONGEST_LABEL)
        traits.append(f"{'high' if effect > 0 else 'low'} {lower_first(label)}")
        name = sentence_case(", ".join(traits))
        if len(traits) > 1 and name not in taken:
            return name
    return f"{name} ({len(taken) + 1})" if name in taken else name


def agreement_after_refits(
    matrix: np.ndarray,
    standardised: pd.DataFrame,
    names: pd.Series,
    dataset: Dataset,
    features: pd.DataFrame | None = None,
    *,
    resamples: int = 10,
    n_init: int = 10,
    seed: int = 20,
) -> np.ndarray:
    """Return the share of customers whose segment has the same name after a refit.

    Each refit sees a bootstrap sample, assigns everybody, and its segments are named afresh.

    Parameters
    ----------
    matrix : ndarray, shape (n, d)
    standardised : DataFrame, shape (n, n_features)
        For effect sizes, from `profiling.standardise_evenly`.
    names : Series, shape (n,)
        Each customer's segment name in the chosen solution.
    features : DataFrame, shape (n, n_features), optional
        In real units, where those decide what a description may call high or low.
    """
    k, n = names.nunique(), len(names)

    def same_name(source: np.random.SeedSequence) -> float:
        generator = np.random.default_rng(source)
        drawn = generator.integers(0, n, n)
        fit = fit_kmeans(matrix[drawn], k, n_init=n_init, seed=int(generator.integers(2**31)))
        labels = pd.Series(assign(matrix, fit.centres), index=names.index)
        effects = standardised.groupby(labels).mean()
        chosen = [feature for feature in dataset.features if feature.name in effects]
        clear = None if features is None else clear_sides(features, labels, effects, chosen)
        refitted = name_segments(effects, dataset, clear)
        return float((labels.map({s: e.name for s, e in refitted.items()}) == names).mean())

    return np.array(list(parallel_map(same_name, np.random.SeedSequence(seed).spawn(resamples))))
