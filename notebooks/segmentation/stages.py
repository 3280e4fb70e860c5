"""The one list of the notebooks: their order, what each reads, and what it writes.

Needs the standard library only, as commands read it before there is an environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KEPT = "stages/kept_{}_*.npz"  # in a results folder, what a stage computed once
APART = "under a topic of their own"  # in a stage's metrics; metrics.json has them one level up


@dataclass(frozen=True)
class Stage:
    """One notebook of the series."""

    number: str  # two digits; files that belong to the stage start with them
    slug: str  # the rest of the notebook's file name
    topic: str  # the name of its numbers in metrics.json, and its short name on the terminal
    title: str
    needs: tuple[str, ...] = ()  # numbers of the stages whose hand-off files it reads
    also: tuple[str, ...] = ()  # what it writes beyond the files that start with its number

    @property
    def name(self) -> str:
        """The notebook's file name without its ending."""
        return f"{self.number}_{self.slug}"

    @property
    def file(self) -> str:
        """The notebook's file name."""
        return f"{self.name}.ipynb"


_DECIDED = ("01", "03", "04")
SERIES = (
    Stage("01", "data_cleaning", "cleaning", "Data cleaning"),
    Stage("02", "exploratory_analysis", "exploration", "Exploratory analysis", ("01",)),
    Stage("03", "feature_engineering", "features", "Feature engineering", ("01",)),
    Stage("04", "kmeans", "clustering", "K-Means", ("01", "03")),
    Stage("05", "dimensionality_reduction", "reduction", "Dimensionality reduction", _DECIDED),
    Stage(
        "06",
        "segment_profiling",
        "profiling",
        "Segment profiling",
        needs=_DECIDED,
        also=("segments.csv", "model.json", "model.sql", "campaigns"),
    ),
    Stage("07", "alternative_methods", "alternatives", "Alternative methods", _DECIDED),
    Stage("08", "robustness", "robustness", "Robustness", _DECIDED),
    Stage("09", "scoring_and_drift", "drift", "Scoring and drift", (*_DECIDED, "06")),
)
STAGES = {stage.number: stage for stage in SERIES}


def dependents(stage: Stage, series: tuple[Stage, ...]) -> list[Stage]:
    """Return the stages that read what a stage writes, or what those write, in order."""
    found: dict[str, Stage] = {stage.number: stage}
    for other in series:
        if any(number in found for number in other.needs):
            found[other.number] = other
    return [other for other in found.values() if other != stage]


def with_topics_apart(by_topic: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Give numbers that a stage recorded under a topic of their own that topic, as metrics.json."""
    apart = [metrics.pop(APART, {}) for metrics in by_topic.values()]
    return by_topic | {topic: numbers for found in apart for topic, numbers in found.items()}
