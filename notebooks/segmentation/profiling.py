"""Who the segments are: sizes and value, effect sizes, rules, and how sure each assignment is."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

from customer_tables import vocabulary
from customer_tables.names import split_name
from customer_tables.text import beside, printable, quantity, share
from segmentation.claims import claim
from segmentation.dataset import Dataset, Feature
from segmentation.disclosure import MIN_GROUP_SIZE, merge_rare, suppressed
from segmentation.expressions import columns_of
from segmentation.features import apply_transform

AGGREGATES = {"average": "mean", "median": "median"}  # of each statistic, by its name
CORE_SHARE = 0.10  # of a segment, the customers nearest to its centre
MOST_CATEGORIES = 12
WIDEST_BOUND = 0.1  # a bound that says less than this of a suppressed share is not worth printing
EXPLAINED = 0.5  # of a variable's variance by the segmenting features: not independent of them
FOLDS = 5  # of the cross-validation of rules
LEAST_GAIN = 0.005  # of a rule's F1, for a clause to stay
# Words in the names of columns whose 0 and 1 are codes of categories, no answers.
CODED = vocabulary.NOMINAL - {"response", "plan"}
LARGEST_EFFECT = 2.0  # standard deviations; a bar beyond is cut off, and a threshold ignores it
BOUNDARY_RATIO = 0.85  # of the distances to both nearest centres: above, a boundary is near


def amounts_of_value(
    dataset: Dataset, customers: pd.DataFrame, features: pd.DataFrame
) -> pd.DataFrame:
    """Return what each customer is worth by each measure of value, shape (n, n_measures)."""
    found = {
        value.column: (customers if value.column in customers else features)[value.column]
        for value in dataset.values
    }
    return pd.DataFrame(found, index=customers.index).astype("float64")


def worth(
    labels: pd.Series, amounts: pd.DataFrame, half_widths: pd.DataFrame | None = None
) -> dict[str, pd.DataFrame]:
    """Tabulate what each segment is worth, with an interval for the share of a new sample.

    Shares of a total that is not above zero mean nothing and are 0.

    Parameters
    ----------
    labels : Series, shape (n,)
        Segments from 1.
    amounts : DataFrame, shape (n, n_measures)
        From `amounts_of_value`.
    half_widths : DataFrame, shape (k, n_measures), optional
        Of the intervals, from `stability.refit_intervals`.

    Returns
    -------
    dict of str to DataFrame
        By measure, a row a segment: total, share, low and high (the interval), mean and median.
    """
    tables = {}
    for measure, amount in amounts.items():
        grouped, total = amount.groupby(labels), amount.sum()
        shares = grouped.sum() / total if total > 0 else grouped.sum() * 0.0
        half = math.nan if half_widths is None else half_widths[measure].reindex(shares.index)
        tables[str(measure)] = pd.DataFrame(
            {
                "total": grouped.sum(),
                "share": shares,
                "low": (shares - half).clip(0, 1),
                "high": (shares + half).clip(0, 1),
                "mean": grouped.mean(),
                "median": grouped.median(),
            }
        )
    return tables


def segment_means(amounts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mean amount in each segment, shape (k,); labels are numbered from 0."""
    return np.bincount(labels, amounts) / np.bincount(labels)


def explained(columns: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of the columns' variance that lies between groups; 0 where there is none."""
    table = pd.DataFrame(columns)
    within = ((table - table.groupby(labels).transform("mean")) ** 2).to_numpy().sum()
    total = ((table - table.mean()) ** 2).to_numpy().sum()
    return float(1 - within / total) if total > 0 else 0.0


def importance(standardised: pd.DataFrame, labels: pd.Series) -> pd.Series:
    """Return the share of each feature's variance that lies between the segments (eta squared)."""
    shares = standardised.apply(lambda column: explained(column.to_numpy(), labels.to_numpy()))
    return shares.sort_values(ascending=False, kind="stable")


def summaries(features: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """Tabulate quartiles in real units: a row per segment and feature, and one for everybody."""
    groups = {s: features[labels == s] for s in np.unique(labels)} | {"all": features}
    found = {group: part.quantile([0.25, 0.5, 0.75]).T for group, part in groups.items()}
    table = pd.concat(found, names=["segment", "feature"])
    return table.set_axis(["lower_quartile", "median", "upper_quartile"], axis=1)


def effect_sizes(standardised: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """Return segment means in standard deviations from the average, shape (k, n_features).

    No p-values: the same variables made the segments, so a test would find what the clustering
    put there (Gao, Bien & Witten 2020).
    """
    return standardised.groupby(labels).mean().rename_axis("segment")


def statistic(feature: Feature) -> str:
    """Name the statistic that stands for many customers: average (the mean) or median.

    Ratios may be very large for a few customers; their mean then describes no customer.
    """
    return "median" if feature.kind == "number" else "average"


def levels(features: pd.DataFrame, chosen: list[Feature]) -> pd.Series:
    """Return the level of each feature: the mean or the median, as `statistic` names it."""
    return features.agg({f.name: AGGREGATES[statistic(f)] for f in chosen})


def marker_threshold(effects: pd.DataFrame) -> float:
    """Return the effect from which a variable marks a segment (Dolnicar et al. 2018, ch. 8).

    A quarter of the largest effect, which counts as `LARGEST_EFFECT` at most: otherwise a single
    extreme one would leave no other segment a marker variable.
    """
    return 0.25 * min(effects.abs().to_numpy().max(), LARGEST_EFFECT)


def marker_variables(effects: pd.DataFrame) -> pd.DataFrame:
    """Mark effects from `marker_threshold`."""
    return effects.abs() >= marker_threshold(effects)


def standardise_evenly(features: pd.DataFrame, chosen: list[Feature]) -> pd.DataFrame:
    """Standardise features for effect sizes; a constant one becomes zero everywhere."""
    columns = {}
    for feature in chosen:
        kind = "log1p" if feature.transform == "yeo-johnson" else feature.transform
        values = apply_transform(features[feature.name].to_numpy(float), kind)
        mean, deviation = values.mean(), values.std()
        varies = deviation > 1e-12 * max(1.0, abs(mean))  # more than rounding
        columns[feature.name] = (values - mean) / deviation if varies else np.zeros(len(values))
    return pd.DataFrame(columns, index=features.index)


def as_words(values: pd.Series, kind: str, name: str = "") -> pd.Series:
    """Write a category, yes_no or date as words: itself or its code, yes and no, its year.

    Codes 0 and 1 of a column whose ``name`` asks no question, such as sex, stay codes.
    """
    asks = not (CODED & set(split_name(name).split()))
    if kind == "date" and pd.api.types.is_datetime64_any_dtype(values):
        words = values.dt.year.astype("Int64").astype("str")
    elif kind == "yes_no" and asks and set(values.dropna().unique()) <= {0, 1}:
        words = values.astype("float64").map({0.0: "no", 1.0: "yes"})
    elif pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        words = values.astype("Int64").astype("str")
    else:
        words = values.astype("str").str.strip()
    return words.mask(values.isna() | (words == "")).astype("str")


def composition(
    answers: pd.Series,
    labels: pd.Series,
    names: dict[int, str],
    min_group_size: int = MIN_GROUP_SIZE,
) -> pd.DataFrame:
    """Tabulate how the customers of each segment, and all, divide by a category, as shares.

    Categories with fewer customers than ``min_group_size`` are merged into one, and those beyond
    `MOST_CATEGORIES`; cells with fewer (but some) are NaN, so that no customer can be identified.
    ``names`` of the segments order the rows; everybody follows.
    """
    counts, hidden = _counts(answers, labels, names, min_group_size)
    shares = counts.div(counts.sum(axis=1).clip(lower=1), axis=0).mask(hidden)
    return shares.rename_axis("segment").rename_axis(None, axis=1)


def _counts(
    answers: pd.Series, labels: pd.Series, names: dict[int, str], min_group_size: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Count the categories of each segment, rare ones merged; and mark what is suppressed."""
    texts = answers.astype("object").where(answers.notna(), "unknown").astype("str")
    texts = merge_rare(texts, min_group_size, most=MOST_CATEGORIES)
    counts = pd.crosstab(labels.map(names), texts).reindex(list(names.values()), fill_value=0)
    hidden = counts.astype(bool)
    hidden[:] = suppressed(counts.to_numpy(), min_group_size)
    counts.loc["everybody"], hidden.loc["everybody"] = texts.value_counts(), False
    return counts, hidden


def leading(
    answers: pd.Series,
    labels: pd.Series,
    names: dict[int, str],
    min_group_size: int = MIN_GROUP_SIZE,
) -> dict[str, str]:
    """Write the share of one category in each segment: that in which segments differ most.

    Such as ``"France (66%)"``; of yes and no, the share of yes. Shares are among those whose
    category is known, and differences count in standard errors. Where `composition` suppresses a
    share, a bound is written that follows from the groups being smaller than ``min_group_size``:
    ``"yes (under 2%)"``; "–" where none within `WIDEST_BOUND` of 0 or 1 can be published.
    """
    known = answers.notna()
    if not known.any():
        return dict.fromkeys([*names.values(), "everybody"], "–")
    table, hidden = _counts(answers[known], labels[known], names, min_group_size)
    sizes = table.sum(axis=1).replace(0, np.nan)
    shares = table.div(sizes, axis=0)
    overall = shares.loc["everybody"]
    error = np.sqrt(np.outer(1 / sizes, (overall * (1 - overall)).clip(lower=1e-9)))
    apart = ((shares - overall).abs() / error).mask(hidden).max()
    apart = apart.fillna(0) + 1e-9 * overall  # of two, the more frequent
    category = "yes" if set(table) == {"yes", "no"} else apart.idxmax()
    told = {}
    for name, counts in table.iterrows():
        portion = _share_or_bound(counts, hidden.loc[name], category, min_group_size)
        told[name] = f"{printable(category, 40)} ({portion})" if portion else "–"
    return told


def leading_rows(
    label: str,
    answers: pd.Series,
    labels: pd.Series,
    names: dict[int, str],
    min_group_size: int = MIN_GROUP_SIZE,
) -> dict[str, dict[str, str]]:
    """Return `leading` by the label of a column, and a row of its own for who is unknown."""
    rows, unknown = {label: answers}, answers.isna()
    if unknown.any():
        rows[f"{label} unknown"] = unknown.map({True: "yes", False: "no"})
    return {
        row: leading(each, labels, names, min_group_size=min_group_size)
        for row, each in rows.items()
    }


def _share_or_bound(
    counts: pd.Series, hidden: pd.Series, category: str, min_group_size: int
) -> str:
    """Write one category's share of a segment, or the bound that may be published."""
    total, others, small = counts.sum(), counts.drop(category), hidden.drop(category)
    if total and not hidden[category]:
        return share(counts[category] / total)
    if total and counts[category] < min_group_size:
        below = math.ceil(100 * min_group_size / total)
        return f"under {below}%" if below <= 100 * WIDEST_BOUND else ""
    if not total or (others[small] >= min_group_size).any():
        return ""
    most = others[~small].sum() + (min_group_size - 1) * small.sum()
    above = math.ceil(100 * (1 - most / total)) - 1
    return f"over {above}%" if above >= 100 * (1 - WIDEST_BOUND) else ""


def typical_customers(
    features: pd.DataFrame,
    labels: pd.Series,
    nearest: pd.Series,
    min_group_size: int = MIN_GROUP_SIZE,
) -> pd.DataFrame:
    """Return the median of the customers nearest to each centre, shape (k, n_features).

    The typical customer stands for a core of many, at least ``min_group_size``, so that no row of a
    single customer is shown; the row of a smaller segment is NaN. ``nearest`` are the distances.
    """
    rows = {}
    for segment, group in nearest.groupby(labels):
        core = group.nsmallest(max(min_group_size, int(CORE_SHARE * len(group)))).index
        typical = features.loc[core].median()
        rows[segment] = typical if len(core) >= min_group_size else typical * np.nan
    return pd.DataFrame(rows).T.rename_axis("segment")


def _choices_near_boundary(assigned: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """Count the second choices of members near a boundary, a row a segment."""
    near = assigned["ratio"] > BOUNDARY_RATIO
    return pd.crosstab(labels[near], assigned.loc[near, "second_choice"])


def second_choices(
    assigned: pd.DataFrame,
    labels: pd.Series,
    segments: list[int],
    min_group_size: int = MIN_GROUP_SIZE,
) -> pd.DataFrame:
    """Tabulate the second choices of the members near a boundary, as shares of a segment's.

    Parameters
    ----------
    assigned : DataFrame
        ratio and second_choice, as `assignment.assign` gives them.
    labels : Series, shape (n,)
    segments : list of int
        The rows and columns.

    Returns
    -------
    DataFrame
        NaN in the row of a segment of which fewer than ``min_group_size`` lie near a boundary.
    """
    counts = _choices_near_boundary(assigned, labels)
    counts = counts.reindex(index=segments, columns=segments, fill_value=0)
    total = counts.sum(axis=1)
    return counts.div(total.where(total >= max(min_group_size, 1)), axis=0)


def leaning(
    assigned: pd.DataFrame, labels: pd.Series, min_group_size: int = MIN_GROUP_SIZE
) -> pd.DataFrame:
    """Tell to which other segment the members near a boundary are nearest, a row a segment.

    Parameters
    ----------
    assigned : DataFrame
        ratio and second_choice, as `assignment.assign` gives them.
    labels : Series, shape (n,)

    Returns
    -------
    DataFrame
        near, how many members lie near a boundary; first and second, the segments that most of
        them have as second choice, and first_share and second_share (of those near); error, the
        standard error of their difference (one multinomial sample).
        Missing where fewer than ``min_group_size`` lie near a boundary.
    """
    counts = _choices_near_boundary(assigned, labels)
    rows: dict[int, dict[str, Any]] = {}
    for segment in np.unique(labels):
        row = counts.loc[segment] if segment in counts.index else pd.Series(dtype="int64")
        row = row[row > 0].sort_values(ascending=False, kind="stable")
        rows[segment] = {"near": int(row.sum())}
        if row.sum() >= min_group_size:
            first, second = row.iloc[0], row.iloc[1] if len(row) > 1 else 0
            rows[segment] |= {"first": row.index[0], "first_share": first / row.sum()}
            rows[segment] |= {"second": row.index[1] if len(row) > 1 else None}
            rows[segment] |= {"second_share": second / row.sum()}
            error = math.sqrt(first + second - (first - second) ** 2 / row.sum())
            rows[segment] |= {"error": error / row.sum()}
    columns = ["near", "first", "first_share", "second", "second_share", "error"]
    return pd.DataFrame(rows, index=columns).T.rename_axis("segment")


def formed_with(dataset: Dataset, standardised: pd.DataFrame) -> set[str]:
    """Return the labels of what describes segments and is not independent of what forms them.

    A column counts that is in the formula of a segmenting feature; a profiling variable, too, that
    is computed from such a column, or of whose variance a linear combination of the segmenting
    features explains at least `EXPLAINED`.

    Parameters
    ----------
    standardised : DataFrame, shape (n, n_features)
        Of all features, from `standardise_evenly`.
    """
    forming = dataset.features_with("segment")
    used = {name for f in forming for name in columns_of(f.formula)}
    found = {column.label for column in dataset.columns if column.name in used}
    design = standardised[[f.name for f in forming]].to_numpy()
    for f in dataset.features_with("describe"):
        values = standardised[f.name].to_numpy()
        left = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
        told = values.var() > 0 and left.var() <= (1 - EXPLAINED) * values.var()
        if told or columns_of(f.formula) & used:
            found.add(f.label or f.name)
    return found


def share_near_boundary(distances: np.ndarray) -> float:
    """Return the share of customers about as near to the second-nearest of k centres as to one."""
    nearest, second = np.partition(distances, 1, axis=1)[:, :2].T
    return float((nearest > BOUNDARY_RATIO * second).mean())


# --- rules ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clause:
    """One condition of a rule: a feature is over a limit, or up to it."""

    feature: Feature
    over: bool
    limit: float  # as printed, so that the text means what was measured

    def holds(self, features: pd.DataFrame) -> np.ndarray:
        """Tell for each customer whether the condition holds, shape (n,)."""
        values = features[self.feature.name].to_numpy()
        return values > self.limit if self.over else values <= self.limit


def segment_rules(
    features: pd.DataFrame,
    labels: pd.Series,
    chosen: Sequence[Feature],
    segments: Iterable[int],
    *,
    depth: int = 5,
    seed: int = 20,
) -> pd.DataFrame:
    """Describe each segment against the rest by one short rule, with its precision and recall.

    Each rule is the branch of a shallow decision tree with the best F1 (Breiman et al. 1984), its
    limits rounded as printed and its clauses dropped where little is lost. Precision and recall
    are those of rules found in the same way without the customers they are measured on, in
    five-fold cross-validation.

    Parameters
    ----------
    features : DataFrame, shape (n, n_features)
        In real units, with the columns of ``chosen``.
    labels : Series of int, shape (n,)
    segments : iterable of int
        The segments to describe; those without customers here are left out.
    depth : int
        Levels of the trees, and so the most clauses of a rule.

    Returns
    -------
    DataFrame, indexed by segment
        rule (a text), precision (share of those it meets who belong to the segment; NaN where it
        meets none), recall (share of the segment that it meets) and clauses (their number).
    """
    rows = {}
    for segment in segments:
        members = (labels == segment).to_numpy()
        if not members.any():
            continue
        even = min(members.sum(), (~members).sum()) >= FOLDS
        folds = (StratifiedKFold if even else KFold)(FOLDS, shuffle=True, random_state=seed)
        found = np.zeros(len(members), dtype=bool)
        for train, test in folds.split(features, members):
            rule = fit_rule(features.iloc[train], members[train], chosen, depth, seed)
            found[test] = meets(rule, features.iloc[test])
        rule, hits = fit_rule(features, members, chosen, depth, seed), (found & members).sum()
        precision = hits / found.sum() if found.any() else math.nan
        numbers = {"precision": precision, "recall": hits / members.sum(), "clauses": len(rule)}
        limits = {f"limit_{place}": clause.limit for place, clause in enumerate(rule)}
        text = claim(
            numbers | limits,
            ("recall > 0", rule_text(rule)),
            ("recall == 0", "no rule is found again on other customers"),
        )
        rows[segment] = {"rule": text, **numbers}
    table = pd.DataFrame.from_dict(rows, orient="index", dtype=object).rename_axis("segment")
    return table.astype({"precision": float, "recall": float, "clauses": int})


def fit_rule(
    features: pd.DataFrame, members: np.ndarray, chosen: Sequence[Feature], depth: int, seed: int
) -> list[Clause]:
    """Find the branch of a tree that tells members from the rest best; empty where none does."""
    table = features[[f.name for f in chosen]].to_numpy()
    tree = DecisionTreeClassifier(
        max_depth=depth,
        min_samples_leaf=max(10, len(members) // 100),
        class_weight="balanced",
        random_state=seed,
    ).fit(table, members)
    path, nodes = tree.decision_path(table), tree.tree_
    hits, met = path.T @ members, path.T @ np.ones(len(members))
    best = int((2 * hits / (met + members.sum())).argmax())
    # Nodes are numbered from the root down, so those on the way to this one come before it.
    way = path[path[:, [best]].nonzero()[0][0]].indices
    branch: dict[tuple[int, bool], Clause] = {}
    for node, child in pairwise(sorted(way[way <= best])):
        place, over = int(nodes.feature[node]), child == nodes.children_right[node]
        values, limit = table[:, place], float(nodes.threshold[node])
        clause = Clause(chosen[place], bool(over), _as_printed(chosen[place], limit, values))
        branch[place, bool(over)] = clause  # a later limit on the same side is the tighter one
    return _without_idle_clauses(list(branch.values()), features, members)


def _without_idle_clauses(
    rule: list[Clause], features: pd.DataFrame, members: np.ndarray
) -> list[Clause]:
    """Drop clauses, the least useful first, while that costs less than `LEAST_GAIN` of F1."""

    def f1(clauses: list[Clause]) -> float:
        found = meets(clauses, features)
        return 2 * (found & members).sum() / (found.sum() + members.sum())

    while len(rule) > 1:
        shorter = max(([c for c in rule if c is not out] for out in rule), key=f1)
        if f1(shorter) < f1(rule) - LEAST_GAIN:
            break
        rule = shorter
    return rule


def meets(rule: Iterable[Clause], features: pd.DataFrame) -> np.ndarray:
    """Tell for each customer whether all clauses of a rule hold, shape (n,)."""
    found = np.ones(len(features), dtype=bool)
    for clause in rule:
        found &= clause.holds(features)
    return found


def _as_printed(feature: Feature, limit: float, values: np.ndarray) -> float:
    """Round a limit to what its text says; between whole numbers, to the lower one."""
    if feature.kind == "yes_no":
        return 0.5
    limit = math.floor(limit) if (values % 1 == 0).all() else limit
    text = _limit_text(feature, limit)
    digits = re.search(r"\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?", text.replace("−", "-"))
    size = float(digits.group().replace(",", "")) if digits else 0.0
    size /= 100 if "%" in text and feature.unit != "%" else 1
    return -size if text.startswith("−") else size


def _limit_text(feature: Feature, limit: float) -> str:
    """Write a limit with its unit; a share to a tenth of a percent at most."""
    label = feature.label or feature.name
    is_share = quantity(0.5, feature.unit, feature.kind).endswith("%")
    return beside(label, round(limit, 3) if is_share else limit, feature.unit, feature.kind)


def rule_text(rule: Sequence[Clause]) -> str:
    """Write a rule as a sentence of conditions; both limits of a feature stand together."""
    parts: dict[str, list[str]] = {}
    for clause in sorted(rule, key=lambda clause: not clause.over):
        feature, words = clause.feature, "over" if clause.over else "up to"
        limit = f"{words} {_limit_text(feature, clause.limit)}"
        answer = ": yes" if clause.over else ": no"
        written = answer if feature.kind == "yes_no" else f" {limit}"
        parts.setdefault(feature.label or feature.name, []).append(written)
    order = {clause.feature.label or clause.feature.name: None for clause in rule}
    return " and ".join(printable(n) + " and".join(parts[n]) for n in order) or "everybody"
