"""Differences between two runs: data, settings, segments and customers' moves.

Only what a run publishes is read. Segments of the two runs are paired by the customers they share;
where the runs have too few customers in common, by how near their centres lie.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.special import inv_boxcox
from sklearn.metrics import adjusted_rand_score

from customer_tables.errors import UserError
from customer_tables.storage import file_digest
from runner import pages
from segmentation.features import Preparation
from segmentation.profiling import BOUNDARY_RATIO

DOCUMENTS = ("manifest.json", "metrics.json", "model.json", "stages/06_report.json")
FILES = (*DOCUMENTS, "segments.csv")
# What sentences quote stands in metrics.json once more, by sentence.
SENTENCES = "quoted"
# How notebook 06 calls customers that have no identifier of their own.
NUMBERED = "numbered by row"

# Jaccard similarity of a pair of segments, among the customers that both runs have. Below .5 a
# segment counts as dissolved, from .75 on as stable (Hennig 2007; help of clusterboot in fpc).
SAME_MEMBERS, KEPT_MEMBERS = 0.75, 0.50
# Distance of a pair's centres over the distance to the nearest other centre of the first run. Below
# one half, the new centre lies on its own side of every boundary of the first run.
SAME_PLACE, KEPT_PLACE = 0.25, 0.50
# Fewer customers in common, per segment, say too little about segments.
SHARED_PER_SEGMENT = 10
# Shared identifiers that agree no better than this do not stand for the same customers.
CHANCE = 0.05
# From here on a feature's centre is said to differ, in standard deviations of the first run.
CLEAR_EFFECT = 0.25

_PLACES = frozenset({"dataset", "results_dir", "input_file"})  # parameters that are no settings
Difference = tuple[str, str, str]  # what is not the same: its name, then as text in each run


@dataclass(frozen=True)
class Run:
    """What a run has published; `segments` is indexed by customer."""

    name: str
    manifest: dict[str, Any]
    metrics: dict[str, Any]
    model: dict[str, Any]
    report: dict[str, Any]
    segments: pd.DataFrame
    altered: list[str]  # files that are not as the run wrote them

    @property
    def cards(self) -> dict[Any, dict[str, Any]]:
        """What the report says about each segment, by its number."""
        return {int(card["segment"]): card for card in self.report["segments"]}

    @property
    def features(self) -> dict[str, dict[str, Any]]:
        """The features of the model, by name."""
        return {entry["name"]: entry for entry in self.model.get("features") or ()}

    @property
    def steps(self) -> dict[str, dict[str, Any]]:
        """How each feature is transformed and standardised, by name."""
        return {step["name"]: step for step in self.model["preparation"]["steps"]}


@dataclass(frozen=True)
class Pair:
    """A segment of the first run and its counterpart in the second, or one without."""

    first: int | None
    second: int | None
    # Jaccard similarity of the members, or relative distance of the centres; of the nearest
    # relative where there is no counterpart.
    measure: float | None
    word: str  # "same", "other boundaries", "moved", "same name", "gone" or "new"

    @property
    def kept(self) -> bool:
        """Whether the segment is in both runs."""
        return self.first is not None and self.second is not None


@dataclass
class Comparison:
    """Two runs side by side."""

    first: Run
    second: Run
    other_data: bool  # whether they worked on different tables
    settings: list[Difference]  # parameters and features
    versions: list[Difference]  # code and packages
    shared: int | None  # customers in both runs; None where the identifiers cannot tell
    basis: str  # what the segments are paired by: "customers", "centres" or "names"
    # Why not by customers: "numbered", "chance", "few" or "none"; identifiers that both runs have,
    # and how many are needed.
    obstacle: str
    identifiers: int
    needed: int
    pairs: list[Pair] = field(default_factory=list)
    # Features whose centre differs clearly, the strongest first, in standard deviations.
    shifts: dict[Pair, list[tuple[str, float]]] = field(default_factory=dict)
    # Of the customers in both runs, unless paired otherwise: the adjusted Rand index; how many went
    # from which segment (rows) to which; the share that is not in the counterpart of its former
    # segment; the share that was near a boundary, of these and of all.
    agreement: float | None = None
    moves: pd.DataFrame = field(default_factory=pd.DataFrame)
    moved: float | None = None
    moved_near_boundary: float | None = None
    near_boundary: float | None = None

    @property
    def kept(self) -> list[Pair]:
        """The segments that are in both runs."""
        return [pair for pair in self.pairs if pair.kept]

    def sides(self, pair: Pair, key: str) -> tuple[Any, Any]:
        """Return what the report says of a pair in each run; None where a run lacks it."""
        cards = self.first.cards.get(pair.first, {}), self.second.cards.get(pair.second, {})
        return cards[0].get(key), cards[1].get(key)

    @property
    def measures(self) -> list[dict[str, Any]]:
        """The measures of value that both reports name, in the first one's order."""
        known = {value["label"] for value in self.second.report["values"]}
        return [value for value in self.first.report["values"] if value["label"] in known]

    def worth(self, pair: Pair, label: str, key: str) -> tuple[Any, Any]:
        """Return what the report says of a pair's value by a measure in each run, as `sides`."""
        found = [
            next((value[key] for value in values or () if value["label"] == label), None)
            for values in self.sides(pair, "values")
        ]
        return found[0], found[1]


# --- reading -----------------------------------------------------------------------------------


def _read_segments(path: Path) -> pd.DataFrame:
    """Read every customer's segment and confidence; ValueError if an identifier comes twice."""
    kinds = {"customer": "str", "segment": "int64", "confidence": "float64"}
    segments = pd.read_csv(
        path, usecols=list(kinds), dtype=kinds, index_col="customer", keep_default_na=False
    )
    if segments.index.has_duplicates:
        raise ValueError("an identifier stands on two rows")
    return segments


def read_run(folder: Path, name: str = "") -> Run:
    """Read a results folder.

    Raises
    ------
    UserError
        If it is none, or a file that the comparison needs is missing or damaged.
    """
    if not folder.is_dir():
        raise UserError(
            "this is a file" if folder.exists() else f"there is no folder {folder.name!r}",
            where=str(folder),
            remedy="name the results folder of a run, such as results/credit_card",
        )
    missing = [file for file in FILES if not (folder / file).is_file()]
    if missing:
        raise UserError(
            f"{folder.name or folder} is not the results of a whole run: {missing[0]} is missing",
            where=str(folder),
            remedy=f"run the notebooks into it: scripts/run.py --results {folder}",
        )
    documents, file = [], ""
    try:
        for file in DOCUMENTS:
            documents.append(json.loads((folder / file).read_text(encoding="utf-8")))
            if not isinstance(documents[-1], dict):
                raise ValueError("it holds no object")
        file = "segments.csv"
        segments = _read_segments(folder / file)
        file = "model.json"
        outputs = documents[0].get("outputs") or {}
        altered = [
            name
            for name in FILES
            if name in outputs and outputs[name]["sha256"] != file_digest(folder / name)
        ]
        manifest, metrics, model, report = documents
        name = name or folder.resolve().name
        run = Run(name, manifest, metrics, model, report, segments, altered)
        file, numbers = "segments.csv", {entry["segment"] for entry in run.model["segments"]}
        whole = (
            numbers == set(run.cards) == set(segments["segment"])
            and np.shape(run.model["centres"]) == (len(numbers), len(run.steps))
            and run.report["customers"] == len(segments)
        )
        if not whole:
            raise ValueError("report, model and segments differ")
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{Path(file).name} cannot be used: {type(error).__name__}:"
            f" {' '.join(str(error).split())[:120]}",
            where=str(folder / file),
            remedy="run the notebooks into this folder again",
        ) from None
    return run


# --- what went in ------------------------------------------------------------------------------


def _tables(run: Run) -> list[str]:
    """Return the checksums of the tables that a run worked on."""
    entries = run.manifest.get("inputs") or ()
    return sorted(entry["sha256"] for entry in entries if entry.get("part") != "dataset")


def _different_parameters(first: Run, second: Run) -> list[Difference]:
    """Compare the parameters that the notebooks have in both runs; others are a matter of code."""
    before, after = _parameters(first), _parameters(second)
    stages: dict[Difference, list[str]] = defaultdict(list)
    for name, stage in sorted(before.keys() & after.keys()):
        values = before[name, stage], after[name, stage]
        if values[0] != values[1]:
            stages[name, *values].append(stage)
    times = Counter(name for name, *_ in stages)
    return [
        (f"{name} ({', '.join(where)})" if times[name] > 1 else name, one, other)
        for (name, one, other), where in stages.items()
    ]


def _parameters(run: Run) -> dict[tuple[str, str], str]:
    """Return the parameters of all notebooks as text, by name and notebook."""
    return {
        (name, stage): "by the rule" if name == "k" and value == 0 else pages.setting(value)
        for stage, values in (run.manifest.get("parameters") or {}).items()
        for name, value in values.items()
        if name not in _PLACES
    }


def _different(
    first: Mapping[str, Any], second: Mapping[str, Any], missing: Any = None
) -> list[tuple[str, Any, Any]]:
    rows = ((n, first.get(n, missing), second.get(n, missing)) for n in {**first, **second})
    return [row for row in rows if row[1] != row[2]]


def _features(run: Run) -> dict[str, str]:
    """Say of each feature that segments what it is made of."""
    made_of = {n: (entry["formula"], entry["transform"]) for n, entry in run.features.items()}
    return {
        f"feature {name}": ", ".join(text for text in parts if text not in ("", "none"))
        for name, parts in made_of.items()
    }


def _versions(run: Run) -> dict[str, str]:
    versions = {name: str(text) for name, text in (run.manifest.get("versions") or {}).items()}
    return {"code": pages.commit(run.manifest.get("git")) or "unknown", **versions}


def numbers(run: Run) -> dict[str, Any]:
    """Flatten metrics.json: ``clustering.stability.6`` to its value."""
    (flat,) = pd.json_normalize(run.metrics).to_dict("records")
    return {path: value for path, value in flat.items() if SENTENCES not in path.split(".")}


def different_numbers(first: Run, second: Run) -> list[tuple[str, Any, Any]]:
    """List the metrics that differ, None where a run has none of that name."""
    return _different(numbers(first), numbers(second))


# --- comparing ---------------------------------------------------------------------------------


def compare(first: Run, second: Run) -> Comparison:
    """Compare two runs.

    Raises
    ------
    UserError
        If they are of different datasets.
    """
    ours, theirs = first.features, second.features
    common = [n for n in ours if n in theirs and theirs[n]["formula"] == ours[n]["formula"]]
    # With half of the features in common, a place in one run's space says something in the other's.
    enough = 2 * len(common) >= max(len(ours), len(theirs), 1)
    names = [str(run.manifest.get("dataset")) for run in (first, second)]
    if names[0] != names[1] and not enough:
        raise UserError(
            f"the runs are of different datasets, {names[0]!r} and {names[1]!r}",
            where=f"{first.name} and {second.name}: they share {len(common)} features",
            remedy="compare two runs of one dataset: other settings, or another table with its "
            "columns",
        )
    shared = first.segments.index.intersection(second.segments.index, sort=False)
    before, after = (run.segments.loc[shared, "segment"] for run in (first, second))
    agreement = float(adjusted_rand_score(before, after)) if len(shared) else None
    other_data = _tables(first) != _tables(second)
    needed = SHARED_PER_SEGMENT * max(len(first.cards), len(second.cards))
    too_few = "" if len(shared) >= needed else "few" if len(shared) else "none"
    doubt = _doubt(first, second, None if too_few else agreement) if other_data else ""
    found = Comparison(
        first,
        second,
        other_data,
        settings=_different_parameters(first, second)
        + _different(_features(first), _features(second), missing="not a feature"),
        versions=_different(_versions(first), _versions(second), missing="none"),
        shared=None if doubt else len(shared),
        basis="customers" if not (doubt or too_few) else "centres" if enough else "names",
        obstacle=doubt or too_few,
        identifiers=len(shared),
        needed=needed,
    )
    centres = _centres(first, second, common)
    if found.basis == "customers":
        found.agreement = agreement
        _pair_by_moves(found, before, after)
    elif found.basis == "centres":
        found.pairs = pair_by_centres(*centres)
    else:
        found.pairs = _pair_by_names(first, second)
        return found
    for pair in found.kept:
        gap = centres[1].loc[pair.second] - centres[0].loc[pair.first]
        gap = gap[gap.abs() >= CLEAR_EFFECT].sort_values(key=np.abs, ascending=False)
        found.shifts[pair] = [
            (str(ours[name].get("label") or name), float(value)) for name, value in gap.items()
        ]
    return found


def _pair_by_moves(found: Comparison, before: pd.Series, after: pd.Series) -> None:
    """Add the pairs by shared customers, who moved, and how sure the movers had been."""
    rows, columns = sorted(found.first.cards), sorted(found.second.cards)
    moves = pd.crosstab(before, after).reindex(index=rows, columns=columns, fill_value=0)
    found.moves, found.pairs = moves, pair_by_customers(moves)
    partner = {pair.first: pair.second for pair in found.kept}
    moved = before.map(lambda segment: partner.get(segment, 0)) != after
    near = found.first.segments.loc[before.index, "confidence"] < 1 - BOUNDARY_RATIO
    found.moved, found.near_boundary = float(moved.mean()), float(near.mean())
    found.moved_near_boundary = float(near[moved].mean()) if moved.any() else None


def _doubt(first: Run, second: Run, agreement: float | None) -> str:
    """Say why the same identifier need not be the same customer in other data; empty if it is."""
    changes = [change for run in (first, second) for change in run.report.get("changes") or ()]
    if any(change.get("action") == NUMBERED for change in changes):
        return "numbered"
    return "chance" if agreement is not None and agreement < CHANCE else ""


# --- pairing -----------------------------------------------------------------------------------


def pair_by_customers(moves: pd.DataFrame) -> list[Pair]:
    """Pair segments by the customers they share.

    The one-to-one assignment with the largest sum of Jaccard similarities; pairs below
    `KEPT_MEMBERS` are taken apart.

    Parameters
    ----------
    moves : DataFrame
        Customers in both runs, by segment in the first (rows) and in the second (columns).
    """
    counts = moves.to_numpy()
    union = counts.sum(axis=1)[:, None] + counts.sum(axis=0)[None] - counts
    likeness = moves / np.maximum(union, 1)
    words = np.select(
        [likeness >= SAME_MEMBERS, likeness >= KEPT_MEMBERS], ["same", "other boundaries"], ""
    )
    return _pair(likeness, -likeness.to_numpy(), words, pd.Series.max)


def pair_by_centres(first: pd.DataFrame, second: pd.DataFrame) -> list[Pair]:
    """Pair segments by how near their centres lie.

    The one-to-one assignment with the smallest sum of distances; pairs from `KEPT_PLACE` on are
    taken apart.

    Parameters
    ----------
    first, second : DataFrame, shape (segments, features)
        Centres in the first run's standardised space.
    """
    a, b = first.to_numpy(), second.to_numpy()
    distance = np.linalg.norm(a[:, None] - b[None], axis=2)
    within = np.linalg.norm(a[:, None] - a[None], axis=2)
    np.fill_diagonal(within, np.inf)
    relative = distance / within.min(axis=1)[:, None]
    words = np.select([relative < SAME_PLACE, relative < KEPT_PLACE], ["same", "moved"], "")
    measure = pd.DataFrame(relative, index=first.index, columns=second.index)
    return _pair(measure, distance, words, pd.Series.min)


def _pair(
    measure: pd.DataFrame,
    cost: np.ndarray,
    words: np.ndarray,
    nearest: Callable[[pd.Series], float],
) -> list[Pair]:
    """Pair at the least cost; what has no counterpart, or no word for it, goes last."""
    pairs = [
        Pair(int(measure.index[row]), int(measure.columns[column]), float(value), str(word))
        for row, column in zip(*linear_sum_assignment(cost), strict=True)
        for value, word in [(measure.iloc[row, column], words[row, column])]
        if word
    ]
    gone = measure.index.difference([pair.first for pair in pairs], sort=False)
    new = measure.columns.difference([pair.second for pair in pairs], sort=False)
    pairs += [Pair(int(n), None, float(nearest(measure.loc[n])), "gone") for n in gone]
    pairs += [Pair(None, int(n), float(nearest(measure[n])), "new") for n in new]
    return pairs


def _pair_by_names(first: Run, second: Run) -> list[Pair]:
    """Pair segments of the same name, for want of anything better."""
    ours, theirs = ({n: card["name"] for n, card in run.cards.items()} for run in (first, second))
    same = np.equal.outer(np.array([*ours.values()]), np.array([*theirs.values()]))
    measure = pd.DataFrame(same, index=list(ours), columns=list(theirs))
    return _pair(measure, -same.astype(int), np.where(same, "same name", ""), pd.Series.max)


def _centres(first: Run, second: Run, features: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the centres of both runs in the first run's standardised space."""
    ours, theirs = (
        pd.DataFrame(
            run.model["centres"],
            index=[entry["segment"] for entry in run.model["segments"]],
            columns=list(run.steps),
        )[features]
        for run in (first, second)
    )
    real = theirs.apply(lambda values: _to_real_units(values, second.steps[values.name]))
    preparation = Preparation.from_dict({"steps": [first.steps[name] for name in features]})
    return ours, preparation.transform(real)


def _to_real_units(values: pd.Series, step: Mapping[str, Any]) -> pd.Series:
    """Take back a feature's standardisation and transform."""
    values = values * step["deviation"] + step["mean"]
    if step["transform"] == "log1p":
        return np.sign(values) * np.expm1(values.abs())
    if step["transform"] == "yeo-johnson":
        above = inv_boxcox(values.clip(lower=0), step["power"]) - 1
        return above.where(values >= 0, 1 - inv_boxcox(-values.clip(upper=0), 2 - step["power"]))
    return values
