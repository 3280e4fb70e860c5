"""What changed between two runs: data, settings, segments, and who is where now.

Only what a run publishes is read. Segments of the two runs are paired by the customers they share;
where the runs have too few customers in common, by how near their centres lie.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from customer_tables.errors import UserError
from customer_tables.storage import file_digest
from customer_tables.text import count
from runner import pages

FILES = ("manifest.json", "metrics.json", "model.json", "segments.csv", "stages/06_report.json")
# What sentences quote stands in metrics.json once more, by sentence.
SENTENCES = "quoted"
# How notebook 06 calls customers that have no identifier of their own.
NUMBERED = "numbered by row"

# Jaccard similarity of a pair of segments, among the customers that both runs have. Below .5 a
# segment counts as dissolved, from .75 on as stable (Hennig 2007; help of clusterboot in fpc).
SAME_MEMBERS, KEPT_MEMBERS = 0.75, 0.50
# Distance of a pair's centres over the distance to the nearest other centre of the first run. Below
# one half, the new centre lies on its own side of every border of the first run.
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
    """What a run has published.

    Attributes
    ----------
    name : str
        Its folder's name.
    segments : DataFrame, indexed by customer
        segment, confidence.
    altered : tuple of str
        Files that are not as the run wrote them.
    """

    name: str
    manifest: dict[str, Any]
    metrics: dict[str, Any]
    model: dict[str, Any]
    report: dict[str, Any]
    segments: pd.DataFrame
    altered: tuple[str, ...] = ()

    @property
    def cards(self) -> dict[Any, dict[str, Any]]:
        """What the report says about each segment, by its number."""
        return {int(card["segment"]): card for card in self.report["segments"]}


@dataclass(frozen=True)
class Pair:
    """A segment of the first run and its counterpart in the second, or one without.

    Attributes
    ----------
    first, second : int or None
        Numbers of the segments; None where there is no counterpart.
    measure : float or None
        Jaccard similarity of the members (paired by customers) or relative distance of the centres
        (paired by centres); of the nearest relative where there is no counterpart.
    word : str
        "same", "other borders", "moved", "same name", "gone" or "new".
    shifts : tuple of (str, float)
        Features whose centre differs clearly, the strongest first, in standard deviations.
    """

    first: int | None
    second: int | None
    measure: float | None
    word: str
    shifts: tuple[tuple[str, float], ...] = ()

    @property
    def kept(self) -> bool:
        """Whether the segment is in both runs."""
        return self.first is not None and self.second is not None


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    Attributes
    ----------
    other_data : bool
        Whether they worked on different tables.
    settings, versions : list of (name, in the first run, in the second)
        Parameters and features that differ; code and packages that differ.
    shared : int or None
        Customers who are in both runs; None where the identifiers cannot tell.
    basis : str
        What the segments are paired by: "customers", "centres" or "names".
    note : str
        Why not by customers; empty where it is by customers.
    agreement : float or None
        Adjusted Rand index on the customers in both runs.
    moves : DataFrame, shape (segments of the first, segments of the second)
        Customers in both runs; empty unless paired by customers.
    moved : float or None
        Share of these that are not in the counterpart of their former segment.
    moved_near_boundary, near_boundary : float or None
        Share near a border in the first run, of those who moved and of all in both runs.
    """

    first: Run
    second: Run
    other_data: bool
    settings: list[Difference]
    versions: list[Difference]
    shared: int | None
    basis: str
    note: str
    pairs: tuple[Pair, ...]
    agreement: float | None = None
    moves: pd.DataFrame = field(default_factory=pd.DataFrame)
    moved: float | None = None
    moved_near_boundary: float | None = None
    near_boundary: float | None = None

    def sides(self, pair: Pair, key: str) -> tuple[Any, Any]:
        """Return what the report says of a pair in each run; None where a run lacks it."""
        cards = self.first.cards.get(pair.first, {}), self.second.cards.get(pair.second, {})
        return cards[0].get(key), cards[1].get(key)


# --- reading -----------------------------------------------------------------------------------


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
    manifest, metrics, model, report = (
        _read_json(folder / file) for file in FILES if file.endswith(".json")
    )
    written = manifest.get("outputs") or {}
    altered = tuple(
        file
        for file in FILES[1:]
        if file in written and written[file]["sha256"] != file_digest(folder / file)
    )
    segments = _read_segments(folder / "segments.csv")
    name = name or folder.resolve().name
    run = Run(name, manifest, metrics, model, report, segments, altered)
    _check(run, folder)
    return run


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from None
    if not isinstance(content, dict):
        raise _damaged(path, "it holds no object")
    return content


def _read_segments(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(
            path,
            usecols=["customer", "segment", "confidence"],
            dtype={"customer": "str", "segment": "int64", "confidence": "float64"},
            keep_default_na=False,
        )
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from None
    if table["customer"].duplicated().any():
        raise _damaged(path, "an identifier stands on two rows")
    return table.set_index("customer")


def _check(run: Run, folder: Path) -> None:
    """Check that the files of a run tell of the same segments."""
    try:
        numbers = {entry["segment"] for entry in run.model["segments"]}
        centres, steps = run.model["centres"], run.model["preparation"]["steps"]
        whole = (
            numbers == set(run.cards) == set(run.segments["segment"])
            and np.shape(centres) == (len(numbers), len(steps))
            and run.report["customers"] == len(run.segments)
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder / "model.json", f"{type(error).__name__}: {error}") from None
    if not whole:
        raise _damaged(folder / "segments.csv", "report, model and segments differ")


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path.name} cannot be used: {' '.join(reason.split())[:120]}",
        where=str(path),
        remedy="run the notebooks into this folder again",
    )


# --- what went in ------------------------------------------------------------------------------


def _tables(run: Run) -> list[str]:
    """Return the checksums of the tables that a run worked on."""
    entries = run.manifest.get("inputs") or ()
    return sorted(entry["sha256"] for entry in entries if entry.get("part") != "dataset")


def _different_parameters(first: Run, second: Run) -> list[Difference]:
    """Compare the parameters that the notebooks have in both runs; others are a matter of code."""
    before, after = _parameters(first), _parameters(second)
    stages: dict[Difference, list[str]] = {}
    for name, stage in sorted(before.keys() & after.keys()):
        values = before[name, stage], after[name, stage]
        if values[0] != values[1]:
            stages.setdefault((name, *values), []).append(stage)
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
    first: Mapping[str, str], second: Mapping[str, str], missing: str = "none"
) -> list[Difference]:
    rows = ((n, first.get(n, missing), second.get(n, missing)) for n in {**first, **second})
    return [row for row in rows if row[1] != row[2]]


def _features(run: Run) -> dict[str, str]:
    """Say of each feature that segments what it is made of."""
    features = run.model.get("features") or ()
    return {
        f"feature {entry['name']}": ", ".join(
            text for text in (entry["formula"], entry["transform"]) if text not in ("", "none")
        )
        for entry in features
    }


def _versions(run: Run) -> dict[str, str]:
    versions = {name: str(text) for name, text in (run.manifest.get("versions") or {}).items()}
    return {"code": pages.commit(run.manifest.get("git")) or "unknown", **versions}


# --- comparing ---------------------------------------------------------------------------------


def compare(first: Run, second: Run) -> Comparison:
    """Compare two runs.

    Raises
    ------
    UserError
        If they are of different datasets.
    """
    common = _common_features(first, second)
    enough = 2 * len(common) >= max(len(_formulas(first)), len(_formulas(second)), 1)
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
    too_few = _too_few(first, second, len(shared))
    doubt = "" if not other_data else _doubt(first, second, len(shared), too_few, agreement)
    found = Comparison(
        first,
        second,
        other_data,
        [
            *_different_parameters(first, second),
            *_different(_features(first), _features(second), missing="not a feature"),
        ],
        _different(_versions(first), _versions(second)),
        shared=None if doubt else len(shared),
        # With half of the features in common, a place in one run's space says something in the
        # other's.
        basis="customers" if not (doubt or too_few) else "centres" if enough else "names",
        note=doubt or too_few,
        pairs=(),
    )
    if found.basis == "names":
        return replace(found, pairs=_pair_by_names(first, second))
    if found.basis == "centres":
        pairs = pair_by_centres(*_centres(first, second, common))
        return replace(found, pairs=_with_shifts(pairs, first, second, common))
    return _by_customers(replace(found, agreement=agreement), shared, common)


def _by_customers(found: Comparison, shared: pd.Index, common: list[str]) -> Comparison:
    """Add the pairs by shared customers, who moved, and how sure the movers had been."""
    from segmentation.profiling import BOUNDARY_RATIO

    first, second = found.first, found.second
    before, after = (run.segments.loc[shared, "segment"] for run in (first, second))
    moves = pd.crosstab(before, after).reindex(
        index=sorted(first.cards), columns=sorted(second.cards), fill_value=0
    )
    pairs = _with_shifts(pair_by_customers(moves), first, second, common)
    partner = {pair.first: pair.second for pair in pairs if pair.kept}
    moved = before.map(lambda segment: partner.get(segment, 0)) != after
    near = first.segments.loc[shared, "confidence"] < 1 - BOUNDARY_RATIO
    return replace(
        found,
        pairs=pairs,
        moves=moves,
        moved=float(moved.mean()),
        moved_near_boundary=float(near[moved].mean()) if moved.any() else None,
        near_boundary=float(near.mean()),
    )


def _formulas(run: Run) -> dict[str, str]:
    return {entry["name"]: entry["formula"] for entry in run.model.get("features") or ()}


def _common_features(first: Run, second: Run) -> list[str]:
    """List the features that both runs compute by the same formula."""
    theirs = _formulas(second)
    return [name for name, formula in _formulas(first).items() if theirs.get(name) == formula]


def _too_few(first: Run, second: Run, shared: int) -> str:
    """Say why the customers in both runs cannot pair the segments; empty if they can."""
    nouns = first.report["nouns"]
    needed = SHARED_PER_SEGMENT * max(len(first.cards), len(second.cards))
    if not shared:
        return f"The runs have no {nouns} in common."
    if shared < needed:
        return (
            f"{count(shared)} of the {nouns} are in both runs; at least {needed} are needed "
            "to pair segments by their members."
        )
    return ""


def _doubt(first: Run, second: Run, shared: int, too_few: str, agreement: float | None) -> str:
    """Say why the same identifier need not be the same customer in other data; empty if it is."""
    nouns = first.report["nouns"]
    changes = [change for run in (first, second) for change in run.report.get("changes") or ()]
    if any(change.get("action") == NUMBERED for change in changes):
        return f"The {nouns} have no identifier, only row numbers, so none can be found again."
    if agreement is not None and agreement < CHANCE and not too_few:
        return (
            f"{count(shared)} identifiers are in both runs, but their segments agree no "
            f"better than by chance: they do not stand for the same {nouns}."
        )
    return ""


# --- pairing -----------------------------------------------------------------------------------


def pair_by_customers(moves: pd.DataFrame) -> tuple[Pair, ...]:
    """Pair segments by the customers they share.

    Parameters
    ----------
    moves : DataFrame
        Customers in both runs, by segment in the first (rows) and in the second (columns).

    Returns
    -------
    tuple of Pair
        The one-to-one assignment with the largest sum of Jaccard similarities; pairs below
        `KEPT_MEMBERS` are taken apart.
    """
    counts = moves.to_numpy()
    union = counts.sum(axis=1)[:, None] + counts.sum(axis=0)[None] - counts
    likeness = moves / np.maximum(union, 1)

    def word(value: float) -> str:
        if value < KEPT_MEMBERS:
            return ""
        return "same" if value >= SAME_MEMBERS else "other borders"

    return _pair(likeness, -likeness.to_numpy(), word, pd.Series.max)


def pair_by_centres(first: pd.DataFrame, second: pd.DataFrame) -> tuple[Pair, ...]:
    """Pair segments by how near their centres lie.

    Parameters
    ----------
    first, second : DataFrame, shape (segments, features)
        Centres in the first run's standardised space.

    Returns
    -------
    tuple of Pair
        The one-to-one assignment with the smallest sum of distances; pairs from `KEPT_PLACE` on
        are taken apart.
    """
    a, b = first.to_numpy(), second.to_numpy()
    distance = np.linalg.norm(a[:, None] - b[None], axis=2)
    within = np.linalg.norm(a[:, None] - a[None], axis=2)
    np.fill_diagonal(within, np.inf)
    relative = pd.DataFrame(
        distance / within.min(axis=1)[:, None], index=first.index, columns=second.index
    )

    def word(value: float) -> str:
        if value >= KEPT_PLACE:
            return ""
        return "same" if value < SAME_PLACE else "moved"

    return _pair(relative, distance, word, pd.Series.min)


def _pair(
    measure: pd.DataFrame,
    cost: np.ndarray,
    word: Callable[[float], str],
    nearest: Callable[[pd.Series], float],
) -> tuple[Pair, ...]:
    """Pair at the least cost; what has no counterpart, or no word for it, goes last."""
    pairs = []
    for row, column in zip(*linear_sum_assignment(cost), strict=True):
        value = float(measure.iloc[row, column])
        if word(value):
            one, other = int(measure.index[row]), int(measure.columns[column])
            pairs.append(Pair(one, other, value, word(value)))
    gone = measure.index.difference([pair.first for pair in pairs], sort=False)
    new = measure.columns.difference([pair.second for pair in pairs], sort=False)
    pairs += [Pair(int(n), None, float(nearest(measure.loc[n])), "gone") for n in gone]
    pairs += [Pair(None, int(n), float(nearest(measure[n])), "new") for n in new]
    return tuple(pairs)


def _pair_by_names(first: Run, second: Run) -> tuple[Pair, ...]:
    theirs = {card["name"]: number for number, card in second.cards.items()}
    found = {n: theirs[card["name"]] for n, card in first.cards.items() if card["name"] in theirs}
    return (
        *(Pair(n, found[n], None, "same name") for n in sorted(found)),
        *(Pair(n, None, None, "gone") for n in first.cards if n not in found),
        *(Pair(None, n, None, "new") for n in second.cards if n not in found.values()),
    )


# --- centres -----------------------------------------------------------------------------------


def _with_shifts(
    pairs: tuple[Pair, ...], first: Run, second: Run, features: list[str]
) -> tuple[Pair, ...]:
    """Add to each pair the features whose centre differs clearly."""
    if not features:
        return pairs
    before, after = _centres(first, second, features)
    labels = {
        entry["name"]: entry.get("label") or entry["name"] for entry in first.model["features"]
    }

    def shifts(pair: Pair) -> tuple[tuple[str, float], ...]:
        gap = after.loc[pair.second] - before.loc[pair.first]
        gap = gap[gap.abs() >= CLEAR_EFFECT].sort_values(key=np.abs, ascending=False)
        return tuple((str(labels[name]), float(value)) for name, value in gap.items())

    return tuple(replace(pair, shifts=shifts(pair)) if pair.kept else pair for pair in pairs)


def _centres(first: Run, second: Run, features: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the centres of both runs in the first run's standardised space."""
    from segmentation.features import Preparation

    ours, theirs = (
        {step["name"]: step for step in run.model["preparation"]["steps"]}
        for run in (first, second)
    )
    tables = [
        pd.DataFrame(
            run.model["centres"],
            index=[entry["segment"] for entry in run.model["segments"]],
            columns=list(steps),
        )
        for run, steps in ((first, ours), (second, theirs))
    ]
    real = pd.DataFrame({name: _to_real_units(tables[1][name], theirs[name]) for name in features})
    preparation = Preparation.from_dict({"steps": [ours[name] for name in features]})
    return tables[0][features], preparation.transform(real)


def _to_real_units(values: pd.Series, step: Mapping[str, Any]) -> pd.Series:
    """Take back a feature's standardisation and transform."""
    values = values * step["deviation"] + step["mean"]
    if step["transform"] == "log1p":
        return np.sign(values) * np.expm1(values.abs())
    if step["transform"] == "yeo-johnson":
        from sklearn.preprocessing import PowerTransformer

        transformer = PowerTransformer(standardize=False)
        transformer.lambdas_, transformer.n_features_in_ = np.array([step["power"]]), 1
        real = transformer.inverse_transform(values.to_numpy()[:, None])
        return pd.Series(real.ravel(), index=values.index)
    return values


# --- numbers side by side ----------------------------------------------------------------------


def numbers(run: Run) -> dict[str, Any]:
    """Flatten metrics.json: ``clustering.stability.6`` to its value."""

    def walk(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            return {path: value}
        parts: dict[str, Any] = {}
        for key, entry in value.items():
            if key != SENTENCES:
                parts |= walk(entry, f"{path}.{key}" if path else str(key))
        return parts

    return walk(run.metrics, "")


def different_numbers(first: Run, second: Run) -> list[tuple[str, Any, Any]]:
    """List the metrics that differ, None where a run has none of that name."""
    a, b = numbers(first), numbers(second)
    return [(name, a.get(name), b.get(name)) for name in {**a, **b} if a.get(name) != b.get(name)]
