"""Who the segments are: sizes and value, effect sizes, rules, and how sure each assignment is."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from customer_tables.text import printable, quantity, share
from segmentation.dataset import Feature
from segmentation.disclosure import MIN_GROUP_SIZE, merge_rare, suppressed
from segmentation.features import apply_transform

CORE_SHARE = 0.10
BOUNDARY_RATIO = 0.85  # of the distances to both nearest centres: above, a boundary is near


def sizes_and_value(
    labels: pd.Series, value: pd.Series, *, resamples: int = 200, seed: int = 20
) -> pd.DataFrame:
    """Tabulate size and value of each segment, with a bootstrap interval for the value share.

    Parameters
    ----------
    labels, value : Series, shape (n_customers,)

    Returns
    -------
    DataFrame, indexed by segment
        customers, share, value_total, value_share, value_mean, value_median, value_share_low and
        value_share_high (95 % percentile interval over bootstrap samples of customers). Shares of
        a total that is not above zero mean nothing and are 0.
    """
    grouped = value.groupby(labels)
    table = pd.DataFrame(
        {
            "customers": grouped.size(),
            "share": grouped.size() / len(value),
            "value_total": grouped.sum(),
            "value_share": grouped.sum() / value.sum() if value.sum() > 0 else 0.0,
            "value_mean": grouped.mean(),
            "value_median": grouped.median(),
        }
    )
    generator = np.random.default_rng(seed)
    codes, amounts = labels.to_numpy() - labels.min(), value.to_numpy(float)
    shares = np.empty((resamples, codes.max() + 1))
    for sample in range(resamples):
        weights = np.bincount(generator.integers(0, len(codes), len(codes)), minlength=len(codes))
        totals = np.bincount(codes, weights * amounts)
        shares[sample] = totals / totals.sum() if totals.sum() > 0 else 0.0
    low, high = np.percentile(shares, [2.5, 97.5], axis=0)
    present = table.index - labels.min()
    return table.assign(value_share_low=low[present], value_share_high=high[present])


def segment_means(amounts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mean amount in each segment, shape (k,); labels are numbered from 0."""
    return np.bincount(labels, amounts) / np.bincount(labels)


def explained(columns: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of the columns' variance that lies between groups; 0 where there is none.

    Parameters
    ----------
    columns : ndarray, shape (n, d) or (n,)
    labels : ndarray, shape (n,)
    """
    table = pd.DataFrame(columns)
    within = ((table - table.groupby(labels).transform("mean")) ** 2).to_numpy().sum()
    total = ((table - table.mean()) ** 2).to_numpy().sum()
    return float(1 - within / total) if total > 0 else 0.0


def importance(standardised: pd.DataFrame, labels: pd.Series) -> pd.Series:
    """Return the share of each feature's variance that lies between the segments (eta squared)."""
    groups = labels.to_numpy()
    shares = {name: explained(column.to_numpy(), groups) for name, column in standardised.items()}
    return pd.Series(shares).sort_values(ascending=False, kind="stable")


def summaries(features: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """Tabulate quartiles in real units: a row per segment and feature, and one for everybody."""
    quartiles = [0.25, 0.5, 0.75]
    groups = {s: (labels == s).to_numpy() for s in np.unique(labels)} | {"all": slice(None)}
    table = pd.DataFrame.from_dict(
        {
            (group, name): column[rows].quantile(quartiles).to_list()
            for group, rows in groups.items()
            for name, column in features.items()
        },
        orient="index",
        columns=["lower_quartile", "median", "upper_quartile"],
    )
    table.index = pd.MultiIndex.from_tuples(table.index)
    return table.rename_axis(["segment", "feature"])


def effect_sizes(standardised: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """Return segment means in standard deviations from the average, shape (k, n_features).

    No p-values: the same variables made the segments, so a test would find what the clustering
    put there (Gao, Bien & Witten 2020).
    """
    return standardised.groupby(labels).mean().rename_axis("segment")


def levels(features: pd.DataFrame, chosen: list[Feature]) -> pd.Series:
    """Return the level of each feature: the mean; the median of plain ratios, which may explode."""
    return pd.Series(
        {
            f.name: features[f.name].median() if f.kind == "number" else features[f.name].mean()
            for f in chosen
        }
    )


def clear_sides(
    features: pd.DataFrame, labels: pd.Series, effects: pd.DataFrame, chosen: list[Feature]
) -> pd.DataFrame:
    """Tell where a segment's level in real units lies on the same side as its effect.

    Where few large values make the average, a segment can be above it after a logarithm and below
    it in money: neither high nor low is then a fair word.

    Parameters
    ----------
    features : DataFrame, shape (n, n_features)
    labels : Series, shape (n,)
    effects : DataFrame, shape (k, n_features)

    Returns
    -------
    DataFrame of bool, shape (k, n_features)
    """
    level = {s: levels(features[labels == s], chosen) for s in effects.index}
    away = pd.DataFrame(level).T - levels(features, chosen)
    return (away * effects[away.columns] > 0).reindex(columns=effects.columns, fill_value=False)


def marker_variables(effects: pd.DataFrame, threshold: float = 0.25) -> pd.DataFrame:
    """Mark what makes a segment different from everybody (Dolnicar et al. 2018, ch. 8).

    A marker variable differs from the average by at least ``threshold`` of the largest difference
    that any segment shows, as their segment-profile plot does with means of binary variables.
    """
    return effects.abs() >= threshold * effects.abs().to_numpy().max()


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


def as_words(values: pd.Series, kind: str) -> pd.Series:
    """Write a descriptor as the words that stand for it: yes and no, a date's year, a code.

    Parameters
    ----------
    values : Series, shape (n_customers,)
    kind : str
        "category", "yes_no" or "date".

    Returns
    -------
    Series of str, shape (n_customers,)
        Missing where the value is.
    """
    if kind == "date" and pd.api.types.is_datetime64_any_dtype(values):
        words = values.dt.year.astype("Int64").astype("str")
    elif kind == "yes_no" and set(values.dropna().unique()) <= {0, 1}:
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
    *,
    min_group_size: int = MIN_GROUP_SIZE,
    most: int = 12,
) -> pd.DataFrame:
    """Tabulate how the customers of each segment, and all, divide by a category.

    Parameters
    ----------
    answers, labels : Series, shape (n_customers,)
        The category; the segment.
    names : dict of int to str
        Segments in the order of the rows.
    min_group_size : int
        Categories with fewer customers are merged into one, and cells with fewer (but some) are
        withheld, so that nobody can be recognised.
    most : int
        Categories beyond the most frequent ones are merged, too.

    Returns
    -------
    DataFrame, shape (n_segments + 1, n_categories)
        Shares of each row; the last row is everybody, a withheld cell is NaN.
    """
    table, texts = _counts(answers, labels, names, min_group_size, most)
    shares = table.div(table.sum(axis=1).clip(lower=1), axis=0)
    shares = shares.mask(suppressed(table.to_numpy(), min_group_size))
    shares.loc["everybody"] = texts.value_counts(normalize=True)
    return shares.rename_axis("segment").rename_axis(None, axis=1)


def _counts(
    answers: pd.Series, labels: pd.Series, names: dict[int, str], min_group_size: int, most: int
) -> tuple[pd.DataFrame, pd.Series]:
    """Count the categories of each segment, rare ones merged; and return the merged texts."""
    texts = answers.astype("object").where(answers.notna(), "unknown").astype("str")
    texts = merge_rare(texts, min_group_size, most=most)
    table = pd.crosstab(labels.map(names), texts)
    return table.reindex(list(names.values()), fill_value=0), texts


def leading(
    answers: pd.Series,
    labels: pd.Series,
    names: dict[int, str],
    *,
    min_group_size: int = MIN_GROUP_SIZE,
) -> dict[str, str]:
    """Write the most frequent category of each segment, and of everybody, with its share.

    Of yes and no, the share of yes is told. Where `composition` withholds it, a bound is written
    that follows from the groups being smaller than ``min_group_size``.

    Returns
    -------
    dict of str to str
        By segment name, and "everybody": ``"France (66%)"``, ``"yes (under 2%)"``; "–" where
        nothing can be told.
    """
    table, texts = _counts(answers, labels, names, min_group_size, most=12)
    hidden = pd.DataFrame(
        suppressed(table.to_numpy(), min_group_size), index=table.index, columns=table.columns
    )
    table.loc["everybody"], hidden.loc["everybody"] = texts.value_counts(), False
    yes_no = set(table) == {"yes", "no"}
    return {
        name: _leader(
            counts, hidden.loc[name], "yes" if yes_no else counts.idxmax(), min_group_size
        )
        for name, counts in table.iterrows()
    }


def _leader(counts: pd.Series, hidden: pd.Series, category: str, min_group_size: int) -> str:
    """Write one category's share of a segment, or the bound that may be told."""
    total = counts.sum()
    if not total:
        return "–"
    if not hidden[category]:
        told = share(counts[category] / total)
    elif counts[category] < min_group_size:
        told = f"under {math.ceil(100 * min_group_size / total)}%"
    else:
        others = counts.drop(category)
        small = hidden.drop(category)
        if (others[small] >= min_group_size).any():
            return "–"
        most = others[~small].sum() + (min_group_size - 1) * small.sum()
        told = f"over {max(0, math.ceil(100 * (1 - most / total)) - 1)}%"
    return f"{printable(category, 40)} ({told})"


def typical_customers(
    features: pd.DataFrame,
    labels: pd.Series,
    nearest: pd.Series,
    share: float = CORE_SHARE,
    min_group_size: int = MIN_GROUP_SIZE,
) -> pd.DataFrame:
    """Return the median of the customers nearest to each centre, shape (k, n_features).

    The typical customer stands for a core of many, so that no row of a single customer is shown.

    Parameters
    ----------
    nearest : Series, shape (n_customers,)
        Distance to the nearest centre.
    share : float
        Part of the segment that makes up the core; at least ``min_group_size`` customers. A smaller
        segment has no typical customer: its row is NaN.
    """
    rows = {}
    for segment, group in nearest.groupby(labels):
        core = group.nsmallest(max(min_group_size, int(share * len(group)))).index
        typical = features.loc[core].median()
        rows[segment] = typical if len(core) >= min_group_size else typical * np.nan
    return pd.DataFrame(rows).T.rename_axis("segment")


def share_near_boundary(distances: np.ndarray) -> float:
    """Return the share of customers about as near to the second-nearest centre as to the nearest.

    Parameters
    ----------
    distances : ndarray, shape (n, k)
        To the k centres; near the boundary the ratio of the two smallest exceeds `BOUNDARY_RATIO`.
    """
    nearest, second = np.partition(distances, 1, axis=1)[:, :2].T
    return float((nearest > BOUNDARY_RATIO * second).mean())


def fit_rules(
    features: pd.DataFrame, labels: pd.Series, *, depth: int = 4, seed: int = 20
) -> tuple[DecisionTreeClassifier, float, pd.Series]:
    """Restate the segments as rules: a shallow tree on the features in real units.

    Returns
    -------
    tree : DecisionTreeClassifier
    fidelity : float
        Share of customers whose segment the tree finds, five-fold cross-validated.
    recall : Series, indexed by segment
        The same within each segment.
    """
    tree = DecisionTreeClassifier(
        max_depth=depth, min_samples_leaf=max(10, len(labels) // 100), random_state=seed
    )
    stratified = labels.value_counts().min() >= 5  # a smaller segment cannot be in every fold
    folds = (StratifiedKFold if stratified else KFold)(5, shuffle=True, random_state=seed)
    found = cross_val_predict(tree, features, labels, cv=folds)
    hit = pd.Series(found == labels.to_numpy(), index=labels.index)
    return tree.fit(features, labels), float(hit.mean()), hit.groupby(labels).mean()


def rule_texts(tree: DecisionTreeClassifier, chosen: list[Feature]) -> pd.DataFrame:
    """Write each leaf of a tree as a sentence of conditions.

    Returns
    -------
    DataFrame
        A row per leaf: segment, rule, customers, purity; the largest leaves of a segment first.
    """
    nodes, rows = tree.tree_, []

    def walk(node: int, limits: dict[int, tuple[float, float]]) -> None:
        if nodes.children_left[node] == -1:
            shares = nodes.value[node][0] / nodes.value[node][0].sum()
            conditions = [_condition(chosen[f], *limits[f]) for f in limits]
            rows.append(
                {
                    "segment": int(tree.classes_[shares.argmax()]),
                    "rule": " and ".join(conditions) or "everybody",
                    "customers": int(nodes.n_node_samples[node]),
                    "purity": float(shares.max()),
                }
            )
            return
        feature, cut = int(nodes.feature[node]), float(nodes.threshold[node])
        low, high = limits.get(feature, (-np.inf, np.inf))
        walk(nodes.children_left[node], {**limits, feature: (low, cut)})
        walk(nodes.children_right[node], {**limits, feature: (cut, high)})

    walk(0, {})
    table = pd.DataFrame(rows)
    return table.sort_values(["segment", "customers"], ascending=[True, False], kind="stable")


def _condition(feature: Feature, low: float, high: float) -> str:
    """Write one condition of a rule, with its unit."""
    label = feature.label or feature.name
    texts = [quantity(cut, feature.unit, feature.kind) for cut in (low, high) if np.isfinite(cut)]
    if np.isfinite(low) and np.isfinite(high):
        return f"{label} over {texts[0]} up to {texts[1]}"
    return f"{label} over {texts[0]}" if np.isfinite(low) else f"{label} up to {texts[0]}"
