"""What changed between two runs: data, settings, segments, and who is where now.

Only what a run publishes is read. Segments of the two runs are paired by the customers they share;
where the runs have too few customers in common, by how near their centres lie.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from customer_tables.errors import UserError
from runner import pages
from runner.inputs import digest

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

_HERE = frozenset({"dataset", "results_dir", "input_file"})  # places, not settings


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
    def cards(self) -> dict[int, dict[str, Any]]:
        """What the report says about each segment, by its number."""
        return {int(card["segment"]): card for card in self.report["segments"]}

    @property
    def tables(self) -> list[str]:
        """Checksums of the tables that the run worked on."""
        entries = self.manifest.get("inputs") or ()
        return sorted(entry["sha256"] for entry in entries if entry.get("part") != "dataset")


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same in both runs, as text."""

    name: str
    first: str
    second: str


@dataclass(frozen=True)
class Differences:
    """What went into the runs and differs.

    Attributes
    ----------
    data : bool
        Whether they worked on different tables.
    settings : list of Difference
        Parameters, and what dataset.toml says about the features.
    versions : list of Difference
        Code and packages.
    """

    data: bool
    settings: list[Difference]
    versions: list[Difference]


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
    moved_near_border, near_border : float or None
        Share near a border in the first run, of those who moved and of all in both runs.
    """

    first: Run
    second: Run
    differences: Differences
    shared: int | None
    basis: str
    note: str
    pairs: tuple[Pair, ...]
    agreement: float | None = None
    moves: pd.DataFrame = field(default_factory=pd.DataFrame)
    moved: float | None = None
    moved_near_border: float | None = None
    near_border: float | None = None


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
            f"there is no folder {folder.name!r}" if not folder.exists() else "this is a file",
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
    contents = {file: _read_json(folder / file) for file in FILES if file.endswith(".json")}
    manifest = contents["manifest.json"]
    written = manifest.get("outputs") or {}
    run = Run(
        name=name or folder.resolve().name,
        manifest=manifest,
        metrics=contents["metrics.json"],
        model=contents["model.json"],
        report=contents["stages/06_report.json"],
        segments=_read_segments(folder / "segments.csv"),
        altered=tuple(
            file
            for file in FILES[1:]
            if file in written and written[file]["sha256"] != digest(folder / file)
        ),
    )
    _check(run, folder)
    return run


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from None
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
        told = {entry["segment"] for entry in run.model["segments"]}
        centres, steps = run.model["centres"], run.model["preparation"]["steps"]
        whole = (
            told == set(run.cards) == set(run.segments["segment"])
            and np.shape(centres) == (len(told), len(steps))
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


def differences(first: Run, second: Run) -> Differences:
    """Compare what the runs worked on and with."""
    return Differences(
        data=first.tables != second.tables,
        settings=[
            *_different_parameters(first, second),
            *_different(_features(first), _features(second), missing="not a feature"),
        ],
        versions=_different(_versions(first), _versions(second)),
    )


def _different_parameters(first: Run, second: Run) -> list[Difference]:
    """Compare the parameters that the notebooks have in both runs; others are a matter of code."""
    by_name: dict[str, dict[Difference, list[str]]] = {}
    theirs = second.manifest.get("parameters") or {}
    for stage, values in (first.manifest.get("parameters") or {}).items():
        for name in values.keys() & (theirs.get(stage) or {}).keys() - _HERE:
            row = Difference(
                name, _parameter(name, values[name]), _parameter(name, theirs[stage][name])
            )
            if row.first != row.second:
                by_name.setdefault(name, {}).setdefault(row, []).append(stage)
    rows = []
    for name, found in sorted(by_name.items()):
        for row, stages in found.items():
            where = "" if len(found) == 1 else f" ({', '.join(sorted(stages))})"
            rows.append(Difference(name + where, row.first, row.second))
    return rows


def _parameter(name: str, value: object) -> str:
    return "by the rule" if name == "k" and value == 0 else pages.setting(value)


def _different(
    first: Mapping[str, str], second: Mapping[str, str], missing: str = "none"
) -> list[Difference]:
    names = [*first, *(name for name in second if name not in first)]
    rows = (Difference(n, first.get(n, missing), second.get(n, missing)) for n in names)
    return [row for row in rows if row.first != row.second]


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
    git = run.manifest.get("git") or {}
    commit = str(git.get("commit") or "unknown")[:12]
    code = f"{commit}, with changes since" if git.get("dirty") else commit
    return {"code": code, **{k: str(v) for k, v in (run.manifest.get("versions") or {}).items()}}


# --- pairing -----------------------------------------------------------------------------------


def compare(first: Run, second: Run) -> Comparison:
    """Compare two runs.

    Raises
    ------
    UserError
        If they are of different datasets.
    """
    common = _common_features(first, second)
    _check_datasets(first, second, common)
    differing = differences(first, second)
    shared = first.segments.index.intersection(second.segments.index, sort=False)
    before = first.segments.loc[shared, "segment"]
    after = second.segments.loc[shared, "segment"]
    agreement = float(adjusted_rand_score(before, after)) if len(shared) else None
    doubt = _doubt(first, second, len(shared), agreement) if differing.data else ""
    note = doubt or _too_few(first, second, len(shared))
    if not note:
        moves = pd.crosstab(before, after).reindex(
            index=sorted(first.cards), columns=sorted(second.cards), fill_value=0
        )
        pairs = pair_by_customers(moves)
        return Comparison(
            first, second, differing, len(shared), "customers", "",
            _with_shifts(pairs, first, second, common), agreement, moves,
            **_movers(pairs, before, after, first.segments.loc[shared, "confidence"]),
        )  # fmt: skip
    # With half of the features in common, a place in one run's space says something in the other's.
    basis = "centres" if 2 * len(common) >= _most_features(first, second) else "names"
    if basis == "centres":
        pairs = pair_by_centres(*_centres(first, second, common))
        pairs = _with_shifts(pairs, first, second, common)
    else:
        pairs = _pair_by_names(first, second)
    return Comparison(first, second, differing, None if doubt else len(shared), basis, note, pairs)


def _common_features(first: Run, second: Run) -> list[str]:
    """List the features that both runs compute by the same formula."""
    a, b = _formulas(first), _formulas(second)
    return [name for name, formula in a.items() if b.get(name) == formula]


def _formulas(run: Run) -> dict[str, str]:
    return {entry["name"]: entry["formula"] for entry in run.model.get("features") or ()}


def _most_features(first: Run, second: Run) -> int:
    return max(len(_formulas(first)), len(_formulas(second)))


def _check_datasets(first: Run, second: Run, common: list[str]) -> None:
    a, b = (str(run.manifest.get("dataset")) for run in (first, second))
    if a == b or 2 * len(common) >= max(1, _most_features(first, second)):
        return
    raise UserError(
        f"the runs are of different datasets, {a!r} and {b!r}",
        where=f"{first.name} and {second.name}: they share {len(common)} features",
        remedy="compare two runs of one dataset: other settings, or another table with its columns",
    )


def _doubt(first: Run, second: Run, shared: int, agreement: float | None) -> str:
    """Say why the same identifier need not be the same customer in other data; empty if it is."""
    nouns = first.report["nouns"]
    if _is_numbered(first) or _is_numbered(second):
        return f"The {nouns} have no identifier, only row numbers, so none can be found again."
    if agreement is not None and agreement < CHANCE and not _too_few(first, second, shared):
        return (
            f"{pages.count(shared)} identifiers are in both runs, but their segments agree no "
            f"better than by chance: they do not stand for the same {nouns}."
        )
    return ""


def _too_few(first: Run, second: Run, shared: int) -> str:
    """Say why the customers in both runs cannot pair the segments; empty if they can."""
    nouns = first.report["nouns"]
    if not shared:
        return f"The runs have no {nouns} in common."
    needed = SHARED_PER_SEGMENT * max(len(first.cards), len(second.cards))
    if shared < needed:
        return (
            f"{pages.count(shared)} of the {nouns} are in both runs; at least {needed} are needed "
            "to pair segments by their members."
        )
    return ""


def _is_numbered(run: Run) -> bool:
    return any(change.get("action") == NUMBERED for change in run.report.get("changes") or ())


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
    likeness = counts / np.maximum(union, 1)
    rows, columns = linear_sum_assignment(likeness, maximize=True)
    found = {}
    for row, column in zip(rows, columns, strict=True):
        value = float(likeness[row, column])
        if value >= KEPT_MEMBERS:
            word = "same" if value >= SAME_MEMBERS else "other borders"
            found[moves.index[row]] = (moves.columns[column], value, word)
    nearest = pd.DataFrame(likeness, index=moves.index, columns=moves.columns)
    return _complete(found, nearest.max(axis=1), nearest.max(axis=0))


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
    relative = distance / within.min(axis=1)[:, None]
    rows, columns = linear_sum_assignment(distance)
    found = {}
    for row, column in zip(rows, columns, strict=True):
        value = float(relative[row, column])
        if value < KEPT_PLACE:
            word = "same" if value < SAME_PLACE else "moved"
            found[first.index[row]] = (second.index[column], value, word)
    nearest = pd.DataFrame(relative, index=first.index, columns=second.index)
    return _complete(found, nearest.min(axis=1), nearest.min(axis=0))


def _pair_by_names(first: Run, second: Run) -> tuple[Pair, ...]:
    by_name = {card["name"]: number for number, card in second.cards.items()}
    found = {
        number: (by_name[card["name"]], None, "same name")
        for number, card in first.cards.items()
        if card["name"] in by_name
    }
    return _complete(found, dict.fromkeys(first.cards), dict.fromkeys(second.cards))


def _complete(found: Mapping, first: Mapping, second: Mapping) -> tuple[Pair, ...]:
    """Put pairs in the first run's order, and what has no counterpart after them."""

    def plain(value: Any) -> float | None:
        return None if value is None else float(value)

    pairs = [Pair(int(a), int(b), value, word) for a, (b, value, word) in sorted(found.items())]
    partners = {pair.second for pair in pairs}
    pairs += [Pair(int(a), None, plain(first[a]), "gone") for a in first.keys() if a not in found]
    pairs += [Pair(None, int(b), plain(second[b]), "new") for b in second.keys()
              if b not in partners]  # fmt: skip
    return tuple(pairs)


def _centres(first: Run, second: Run, features: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the centres of both runs in the first run's standardised space."""
    steps = [run.model["preparation"]["steps"] for run in (first, second)]
    ours, theirs = ({step["name"]: step for step in listed} for listed in steps)
    tables = []
    for run, listed in zip((first, second), steps, strict=True):
        names = [step["name"] for step in listed]
        numbers = [entry["segment"] for entry in run.model["segments"]]
        tables.append(pd.DataFrame(run.model["centres"], index=numbers, columns=names)[features])
    for name in features:
        real = _to_real_units(tables[1][name].to_numpy(float), theirs[name])
        tables[1][name] = _standardise(real, ours[name])
    return tables[0], tables[1]


def _to_real_units(values: np.ndarray, step: Mapping[str, Any]) -> np.ndarray:
    values = values * step["deviation"] + step["mean"]
    if step["transform"] == "log1p":
        return np.sign(values) * np.expm1(np.abs(values))
    if step["transform"] == "yeo-johnson":
        return _yeo_johnson(step).inverse_transform(values[:, None]).ravel()
    return values


def _standardise(values: np.ndarray, step: Mapping[str, Any]) -> np.ndarray:
    from segmentation.features import Preparation

    frame = pd.DataFrame({step["name"]: values})
    return Preparation.from_dict({"steps": [dict(step)]}).transform(frame)[step["name"]].to_numpy()


def _yeo_johnson(step: Mapping[str, Any]) -> Any:
    from sklearn.preprocessing import PowerTransformer

    transformer = PowerTransformer(standardize=False)
    transformer.lambdas_, transformer.n_features_in_ = np.array([step["power"]]), 1
    return transformer


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
    result = []
    for pair in pairs:
        shifts: tuple[tuple[str, float], ...] = ()
        if pair.kept:
            gap = after.loc[pair.second] - before.loc[pair.first]
            gap = gap[gap.abs() >= CLEAR_EFFECT].sort_values(key=np.abs, ascending=False)
            shifts = tuple((str(labels[name]), float(value)) for name, value in gap.items())
        result.append(Pair(pair.first, pair.second, pair.measure, pair.word, shifts))
    return tuple(result)


def _movers(
    pairs: tuple[Pair, ...], before: pd.Series, after: pd.Series, confidence: pd.Series
) -> dict[str, float | None]:
    """Say how many customers left the counterpart of their segment, and how sure they had been."""
    from segmentation.profiling import SURE_RATIO

    partner = {pair.first: pair.second for pair in pairs if pair.kept}
    moved = before.map(lambda segment: partner.get(segment, 0)) != after
    near = confidence < 1 - SURE_RATIO
    return {
        "moved": float(moved.mean()),
        "moved_near_border": float(near[moved].mean()) if moved.any() else None,
        "near_border": float(near.mean()),
    }


# --- numbers side by side ----------------------------------------------------------------------


def numbers(run: Run) -> dict[str, Any]:
    """Flatten metrics.json: ``clustering.stability.6`` to its value."""

    def walk(value: Any, path: str) -> dict[str, Any]:
        if isinstance(value, Mapping):
            parts: dict[str, Any] = {}
            for key, entry in value.items():
                if key == SENTENCES:
                    continue
                parts |= walk(entry, f"{path}.{key}" if path else str(key))
            return parts
        return {path: value}

    return walk(run.metrics, "")


def different_numbers(first: Run, second: Run) -> list[tuple[str, Any, Any]]:
    """List the metrics that differ, None where a run has none of that name."""
    a, b = numbers(first), numbers(second)
    names = [*a, *(name for name in b if name not in a)]
    return [(n, a.get(n), b.get(n)) for n in names if a.get(n) != b.get(n)]


def segment_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """Put size and value of each pair side by side.

    Returns
    -------
    list of dict
        pair; and customers, share, value_share, value_mean, each (first, second) with None where
        a run lacks the segment.
    """
    keys = ("customers", "share", "value_share", "value_mean")
    rows = []
    for pair in comparison.pairs:
        cards = (
            comparison.first.cards.get(pair.first), comparison.second.cards.get(pair.second)
        )  # fmt: skip
        row: dict[str, Any] = {"pair": pair}
        for key in keys:
            row[key] = tuple(None if card is None else card.get(key) for card in cards)
        rows.append(row)
    return rows
