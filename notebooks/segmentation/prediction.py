"""Do segments predict? Groups made from what came before, held against what came after.

A partition of customers who form a continuum is justified by what it says about them, not by an
index. So segments, yes/no rules, scores and deciles of past value predict, each by the mean of a
group, what customers did later, and a regression on all features shows what could be reached.
None is predicted from their own outcome: means and regressions come from the other folds of the
customers (Stone 1974, "Cross-validatory choice and assessment of statistical predictions").
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from customer_tables.errors import UserError
from customer_tables.text import joined, lower_first, points, sentence_case, share
from segmentation import cleaning, rfm
from segmentation.alternatives import rule_groups
from segmentation.assignment import distances
from segmentation.claims import Claim, claim, together
from segmentation.dataset import Dataset
from segmentation.disclosure import MIN_GROUP_SIZE
from segmentation.expressions import columns_of, evaluate
from segmentation.features import build_features, fit_preparation
from segmentation.kmeans import fit_kmeans
from segmentation.scoring import Scored
from segmentation.stability import jaccard

LEAST = 50  # customers of whom an outcome is known
LEAST_EACH = 20  # customers on either side of a yes/no outcome: fewer say nothing out of sample
FOLDS = 5
EVERYBODY, SEGMENTS, RULES = "a mean for everybody", "segments", "yes/no rules"
SCORES, DECILES, ALL = "cells of RFM scores", "deciles of past value", "all features"
AT_RANDOM = "groups as large, at random"
AGAINST = (DECILES, SCORES, RULES, ALL)  # what segments are held against, the first that took part
CHANCE = {"R2": 0.0, "AUC": 0.5}  # what knowing nothing reaches, by the measure of an outcome
FAR = 0.05  # of R², or of the AUC, that another k would add: worth saying before anything else
TREES = {"max_iter": 50, "max_leaf_nodes": 8, "early_stopping": False}
UP, STAYED, DOWN = "to a segment of higher value", "stayed", "to one of lower value"


# --- before the cut, and after it -----------------------------------------------------------------


@dataclass(frozen=True)
class Past:
    """Customers as they were known before a cut: cleaned, and their features in real units."""

    dataset: Dataset  # with the columns and features that the lines before the cut allow
    customers: pd.DataFrame
    features: pd.DataFrame
    left_out: list[str]  # labels of segmenting features that are not known, or do not vary


def past_of(period: pd.DataFrame, known: Dataset) -> tuple[Past | None, str]:
    """Clean the customers of one period of a history, and compute their features.

    Columns that come from elsewhere, such as who the customers are, are not known at a time, so
    what needs them is left out. Where too few customers or fewer than two features to segment on
    are left, there is no `Past`; the text says why.
    """
    columns = tuple(c for c in known.columns if c.kind == "id" or c.name in period)
    there = {c.name for c in columns}
    part = replace(
        known,
        columns=columns,
        outcomes=(),
        features=tuple(f for f in known.features if columns_of(f.formula) <= there),
        questions=tuple(q for q in known.questions if columns_of(q.when) <= there),
        rules=tuple(
            r
            for r in known.rules
            if columns_of(r.check or r.when) <= there and r.column in {"", *there}
        ),
    )
    try:
        customers = cleaning.clean(period, part).customers
        table = build_features(customers, part)
    except UserError as error:
        return None, str(error).splitlines()[0]
    table = table.loc[:, table.max() > table.min()]
    part = replace(part, features=tuple(f for f in part.features if f.name in table))
    if len(part.features_with("segment")) < 2:
        return None, "fewer than two features segment the customers before the cut"
    segmenting = known.features_with("segment")
    left_out = [f.label or f.name for f in segmenting if f.name not in table]
    return Past(part, customers, table, left_out), ""


def value_of(past: Past) -> pd.Series | None:
    """Return what each customer was worth before; None where no column or feature says so."""
    name = past.dataset.value
    tables = (past.features, past.customers)
    return next((table[name] for table in tables if name and name in table), None)


@dataclass(frozen=True)
class Outcome:
    """Something that customers did later."""

    name: str  # as metrics.json calls it
    label: str  # as a sentence does: "spending in the following 92 days"
    values: pd.Series  # of float, indexed by customer; NaN where it is not known

    @property
    def yes_no(self) -> bool:
        """Whether it is answered by yes (1) or no (0)."""
        return bool(self.values.dropna().isin((0, 1)).all())

    @property
    def varies(self) -> bool:
        """Whether enough customers differ in it to say anything."""
        known = self.values.dropna()
        least = int(known.value_counts().min()) if self.yes_no else int((known != 0).sum())
        return known.min() < known.max() and least >= LEAST_EACH and len(known) >= LEAST


def outcomes_of_history(after: pd.DataFrame, index: pd.Index, days: int) -> list[Outcome]:
    """Return what customers known before the cut spent and ordered after it, and who came at all.

    In `after` are those who bought after the cut, as `History.periods` has them; who of the others
    in `index` bought nothing spent and ordered 0.
    """
    later = after.set_index("customer_id").reindex(index)
    spent, orders = later["spent"].fillna(0), later["orders"].fillna(0)
    return [
        Outcome("spent", f"spending in the following {days} days", spent),
        Outcome(
            "active", f"buying at all in the following {days} days", (orders > 0).astype(float)
        ),
        Outcome("orders", f"orders in the following {days} days", orders),
    ]


def outcomes_of_table(told: pd.DataFrame) -> list[Outcome]:
    """Return the outcomes that columns of a customers' table hold, each once."""
    distinct = told.loc[:, ~told.T.duplicated()] if told.shape[1] else told
    return [Outcome(str(name), str(name), values) for name, values in distinct.items()]


def value_in(scored: Scored, known: Dataset) -> pd.Series | None:
    """Return what customers are worth in a later table; None where it does not say so."""
    formulas = {c.name: c.name for c in known.columns} | {f.name: f.formula for f in known.features}
    formula = formulas.get(known.value, "")
    if not formula or not columns_of(formula) <= set(scored.as_read):
        return None
    return pd.Series(evaluate(formula, scored.as_read), scored.as_read.index, dtype=float)


def outcomes_of_period(
    value: pd.Series | None, label: str, here: pd.Index, index: pd.Index
) -> list[Outcome]:
    """Return what customers of `index` are worth in a later table, and whether they are in it.

    The later table has the customers `here`; of the others their `value` is not known.
    """
    found = [Outcome("kept", "being in the later table", pd.Series(index.isin(here), index) * 1.0)]
    if value is not None:
        found.insert(0, Outcome("value", f"{label} in the later table", value.reindex(index)))
    return found


# --- the contest ----------------------------------------------------------------------------------


def groups_of(past: Past, labels: pd.Series, seed: int) -> pd.DataFrame:
    """Put every customer of `labels`, their segments, into a group of each contestant.

    One column a contestant that predicts by groups; what the table does not allow is not there.
    """
    known, index = past.dataset, labels.index
    found = {EVERYBODY: np.zeros(len(index), int), SEGMENTS: labels.to_numpy()}
    if known.questions:
        found[RULES] = rule_groups(past.customers.loc[index], known.questions)
    if known.rfm and set(known.rfm.values()) <= set(past.features):
        of_past = past.features.loc[index]
        scores = rfm.scores(of_past, known.rfm, rfm.cut_points(of_past, known.rfm, {}))
        found[SCORES] = scores.groupby(list(rfm.PARTS)).ngroup().to_numpy()
    if (value := value_of(past)) is not None:
        found[DECILES] = pd.qcut(value.loc[index], 10, labels=False, duplicates="drop").to_numpy()
    found[AT_RANDOM] = np.random.default_rng(seed).permutation(labels.to_numpy())
    return pd.DataFrame(found, index=index)


def predict_by_groups(groups: np.ndarray, outcome: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Predict everybody's outcome by the mean of their group in the other folds, shape (n,).

    A group without customers in the other folds gets the mean of all in them.
    """
    predicted = np.empty(len(outcome))
    for fold in np.unique(folds):
        own = folds == fold
        means = pd.Series(outcome[~own]).groupby(groups[~own]).mean()
        predicted[own] = pd.Series(groups[own]).map(means).fillna(outcome[~own].mean())
    return predicted


def draw_weights(customers: int, draws: int, seed: int) -> np.ndarray:
    """Return how often each customer is in each of some bootstrap samples.

    The first row is the customers themselves: ones. Shape (draws + 1, customers).
    """
    equal = np.full(customers, 1 / customers)
    drawn = np.random.default_rng(seed).multinomial(customers, equal, size=draws)
    return np.vstack([np.ones(customers), drawn])


def r_squared(outcome: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of the variance that predictions explain, in each bootstrap sample, shape (draws,)."""
    size = weights.sum(axis=1)
    spread = weights @ outcome**2 - (weights @ outcome) ** 2 / size
    return 1 - weights @ (outcome - predicted) ** 2 / spread


def area_under_curve(
    outcome: np.ndarray, predicted: np.ndarray, folds: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Chance that of two customers the one with the outcome is ranked higher; ties count half.

    Within folds, whose predictions come from the same means, and pooled over all pairs of a fold
    (so a mean for everybody gets exactly .5). Shape (draws,), one for each row of the weights.
    """
    ranks = pd.DataFrame({"fold": folds, "by": predicted}).groupby(["fold", "by"])
    at = ranks.ngroup(), np.arange(len(outcome))  # equal predictions of a fold share a place
    yes, no = (csr_array((part, at)) @ weights.T for part in (outcome, 1 - outcome))
    of = ranks.size().index.get_level_values("fold")
    parts = [(yes[of == fold], no[of == fold]) for fold in np.unique(folds)]
    right = sum((y * (n.cumsum(axis=0) - n / 2)).sum(axis=0) for y, n in parts)
    return right / sum(y.sum(axis=0) * n.sum(axis=0) for y, n in parts)


@dataclass(frozen=True)
class Contest:
    """One outcome, of the customers of whom it is known, and how well each contestant predicts it.

    The scores, by measure and contestant: value, low and high (95% bootstrap interval over
    customers, the predictions as they are), and the difference to the segments with its interval.
    """

    outcome: Outcome
    groups: pd.DataFrame  # as `groups_of`
    predicted: pd.DataFrame  # a column for each contestant
    folds: np.ndarray
    weights: np.ndarray  # as `draw_weights`
    scores: pd.DataFrame

    @property
    def measure(self) -> str:
        """What the outcome is judged by first."""
        return "AUC" if self.outcome.yes_no else "R2"

    @property
    def label(self) -> str:
        """What the outcome is called within a sentence."""
        return lower_first(self.outcome.label)

    @property
    def first(self) -> pd.DataFrame:
        """The scores by that measure, one row a contestant."""
        return self.scores.loc[self.measure]

    def write(self, value: float) -> str:
        """Write a value of that measure; less than knowing nothing reaches counts as nothing."""
        return share(max(value, 0.0)) if self.measure == "R2" else f"{value:.2f}"


def hold_contest(
    outcome: Outcome, groups: pd.DataFrame, features: pd.DataFrame, *, seed: int, draws: int
) -> Contest:
    """Let all contestants predict one outcome out of sample, and score them.

    Amounts are judged by R², and on logarithms among those who have any; yes/no outcomes by the
    area under the ROC curve (Hanley & McNeil 1982) and the Brier score (Brier 1950). `groups` are
    those of `groups_of`, `features` what the regression (boosted trees) knows, `draws` bootstrap
    samples of customers.
    """
    values = outcome.values.loc[groups.index].dropna()
    groups, y = groups.loc[values.index], values.to_numpy()
    matrix = features.loc[values.index].to_numpy()
    folds = np.random.default_rng(seed).permutation(len(y)) % FOLDS
    weights = draw_weights(len(y), draws, seed)
    predicted = _predictions(groups, matrix, y, folds, outcome.yes_no, seed)
    by_name, some = [(n, p.to_numpy()) for n, p in predicted.items()], y > 0
    if outcome.yes_no:
        size = weights.sum(axis=1)
        drawn = {
            "AUC": {n: area_under_curve(y, p, folds, weights) for n, p in by_name},
            "Brier": {n: weights @ (y - p) ** 2 / size for n, p in by_name},
        }
    else:
        drawn = {"R2": {n: r_squared(y, p, weights) for n, p in by_name}}
        if some.sum() >= LEAST and np.ptp(y[some]) > 0:
            logs, part = np.log1p(y[some]), weights[:, some]
            found = _predictions(groups[some], matrix[some], logs, folds[some], False, seed)
            drawn["R2 of logs"] = {n: r_squared(logs, p.to_numpy(), part) for n, p in found.items()}
    scores = pd.concat({measure: score_table(found) for measure, found in drawn.items()})
    return Contest(replace(outcome, values=values), groups, predicted, folds, weights, scores)


def _predictions(
    groups: pd.DataFrame,
    matrix: np.ndarray,
    outcome: np.ndarray,
    folds: np.ndarray,
    yes_no: bool,
    seed: int,
) -> pd.DataFrame:
    """Predict by the mean of each contestant's groups, and by boosted trees on all features."""
    kind = HistGradientBoostingClassifier if yes_no else HistGradientBoostingRegressor
    method, cv = "predict_proba" if yes_no else "predict", PredefinedSplit(folds)
    trees = kind(**TREES, random_state=seed)
    found = cross_val_predict(trees, matrix, outcome, cv=cv, method=method)
    predicted = groups.apply(lambda g: predict_by_groups(g.to_numpy(), outcome, folds))
    return predicted.assign(**{ALL: found[:, 1] if yes_no else found})


def _with_interval(drawn: np.ndarray) -> list[float]:
    """Return an estimate, the first of the values, and the 95% interval of the others, drawn."""
    return [drawn[0], *np.nanquantile(drawn[1:], [0.025, 0.975])]


def score_table(drawn: Mapping[Any, np.ndarray], to: Hashable = SEGMENTS) -> pd.DataFrame:
    """Tabulate each contestant's value, shape (draws + 1,), and the difference to one of them."""
    rows = {n: _with_interval(v) + _with_interval(v - drawn[to]) for n, v in drawn.items()}
    columns = ["value", "low", "high", "difference", "difference_low", "difference_high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


# --- what follows for segments and campaigns ------------------------------------------------------


def calibration(contest: Contest, contestant: str, parts: int = 5) -> pd.DataFrame:
    """Hold predictions against what happened, in parts of equally many customers, lowest first."""
    found = contest.predicted[contestant]
    part = np.ceil(found.rank(method="first", pct=True) * parts).astype(int).rename("part")
    table = pd.DataFrame({"predicted": found, "observed": contest.outcome.values})
    means = table.groupby(part).mean()
    means.insert(0, "customers", part.value_counts())
    return means


def lift(contest: Contest, names: Mapping[int, str], least: int = MIN_GROUP_SIZE) -> pd.DataFrame:
    """Return each segment's mean outcome as a multiple of everybody's, with 95% intervals.

    A segment of fewer than ``least`` customers has no row.
    """
    labels, y = contest.groups[SEGMENTS], contest.outcome.values.to_numpy()
    overall = contest.weights @ y / contest.weights.sum(axis=1)
    rows = {}
    for segment, many in labels.value_counts().sort_index().items():
        part = contest.weights * (labels == segment).to_numpy()
        drawn = part @ y / np.maximum(part.sum(axis=1), 1) / overall
        if many >= least:
            rows[segment] = [names[segment], many, *_with_interval(drawn)]
    columns = ["name", "customers", "lift", "low", "high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("segment")


def campaign(contest: Contest) -> pd.DataFrame:
    """Aim at the best segment, and at as many customers by each other contestant.

    In each fold the segment is the one whose members in the other folds did best, and the others
    take as many of the fold's customers from the top of their predictions; of equals, a part. The
    table is that of `score_table` for the share of the whole outcome that those aimed at account
    for, with their share of the customers in ``attrs["aimed"]``.
    """
    y, by_fold = contest.outcome.values.to_numpy(), contest.predicted.groupby(contest.folds)
    best = contest.predicted[SEGMENTS] == by_fold[SEGMENTS].transform("max")
    many = best.groupby(contest.folds).transform("sum")
    first, last = (by_fold.rank(method=m, ascending=False) for m in ("min", "max"))
    aimed = ((1 - first).add(many, axis=0) / (last - first + 1)).clip(0, 1)
    whole = contest.weights @ y
    drawn = {name: contest.weights @ (part * y) / whole for name, part in aimed.items()}
    table = score_table(drawn)
    table.attrs["aimed"] = float(best.mean())
    return table


def over_k(contest: Contest, labelings: pd.DataFrame, k: int) -> pd.DataFrame:
    """Predict the outcome by the segments of every k of a scan, beside those of one k.

    `labelings` has a column for each k, and may have further customers.
    """
    y, folds, drawn = contest.outcome.values.to_numpy(), contest.folds, {}
    for n, labels in labelings.loc[contest.groups.index].items():
        found = predict_by_groups(labels.to_numpy(), y, folds)
        drawn[n] = (
            area_under_curve(y, found, folds, contest.weights)
            if contest.outcome.yes_no
            else r_squared(y, found, contest.weights)
        )
    return score_table(drawn, k).rename_axis("k")


# --- who moved ------------------------------------------------------------------------------------


def named_after(labels: np.ndarray, others: np.ndarray, k: int) -> dict[int, int]:
    """Renumber segments, 1 to k, after those of the same customers that they share most with.

    One to one, by the largest sum of Jaccard similarities (Kuhn 1955).
    """
    rows, columns = linear_sum_assignment(-jaccard(labels - 1, others - 1, k))
    return dict(zip((rows + 1).tolist(), (columns + 1).tolist(), strict=True))


def movers(labels: pd.DataFrame, worth: pd.DataFrame, *, seed: int, draws: int) -> pd.DataFrame:
    """Compare what customers were worth in two periods, by the value of the segment they moved to.

    Both tables have the columns "before" and "after" of the same customers.

    Returns
    -------
    DataFrame
        Those who stayed, and who moved to a segment with a higher or a lower mean before, where
        they are `LEAST_EACH` or more: customers, the two means, and the change as `score_table`,
        differences being to those who stayed. In ``attrs["moved"]`` the share of all who moved.
    """
    level = worth["before"].groupby(labels["before"]).mean()
    step = np.sign(labels["after"].map(level).fillna(0) - labels["before"].map(level))
    way = step.where(labels["before"] != labels["after"], 0).map({0: STAYED, 1: UP, -1: DOWN})
    table = worth.groupby(way).mean()
    table.insert(0, "customers", way.value_counts())
    table = table.reindex([UP, STAYED, DOWN]).dropna().astype({"customers": int})
    table = table[table["customers"] >= LEAST_EACH]
    weights = draw_weights(len(worth), draws, seed)
    change, drawn = (worth["after"] - worth["before"]).to_numpy(), {}
    for name in table.index:
        part = weights * (way == name).to_numpy()
        drawn[name] = part @ change / part.sum(axis=1)
    if STAYED in drawn:
        table = table.join(score_table(drawn, STAYED).rename(columns={"value": "change"}))
    table.attrs["moved"] = float((way != STAYED).mean())
    return table


def follow(
    before: Past, after: Past, k: int, segments: pd.Series, *, n_init: int, seed: int
) -> pd.DataFrame:
    """Put the customers of two periods of equal length into the segments of the first.

    These are numbered after the `segments` of the whole time. The table has the segments "before"
    and "after" of those who are in both periods.
    """
    chosen = [f for f in before.dataset.features_with("segment") if f.name in after.features]
    preparation = fit_preparation(before.features, chosen)
    first, second = (preparation.transform(past.features) for past in (before, after))
    fit = fit_kmeans(first.to_numpy(), k, n_init=n_init, seed=seed)
    own = pd.Series(fit.labels + 1, first.index)
    later = pd.Series(distances(second.to_numpy(), fit.centres).argmin(axis=1) + 1, second.index)
    known = first.index.intersection(segments.index)
    place = named_after(own.loc[known].to_numpy(), segments.loc[known].to_numpy(), k)
    steps = pd.concat({"before": own, "after": later}, axis=1, join="inner")
    return steps.apply(lambda numbers: numbers.map(place))


# --- in words -------------------------------------------------------------------------------------


def _told(contest: Contest, *names: str) -> dict[str, str]:
    """Return what contestants reach as sentences write it, of those that took part."""
    table = contest.first["value"]
    return {n: contest.write(table[n]) for n in names if n in table.index}


def _baseline(contest: Contest) -> str:
    """Return what segments are held against first."""
    return next(n for n in AGAINST if n in contest.predicted)


def headline(contest: Contest) -> Claim:
    """Say in one sentence what segments reach, beside deciles of past value and all features."""
    told = _told(contest, SEGMENTS, DECILES, ALL)
    if contest.measure == "R2":
        own = told.pop(SEGMENTS)
        beside = joined([" ".join(pair) for pair in told.items()])
        said = f"Segments explain {own} of the variance of {contest.label}, {beside}"
    else:
        beside = joined([f"{value} for {name}" for name, value in told.items()])
        said = f"For ranking by {contest.label}, the AUC is {beside}"
    return claim(_numbers(contest), ("low <= high", said))


def _numbers(contest: Contest) -> dict[str, float]:
    """Return what sentences about a contest quote, by the names that their conditions use."""
    table, baseline = contest.first, _baseline(contest)
    found = table.loc[SEGMENTS, ["value", "low", "high"]].to_dict()
    found |= table.loc[baseline, ["difference_low", "difference_high"]].to_dict()
    found |= {f"value_{place}": value for place, value in enumerate(table["value"])}
    return found | {"chance": CHANCE[contest.measure], "alone": baseline == ALL}


def finding(contest: Contest) -> Claim:
    """Say how well segments predict an outcome, beside the other contestants."""
    value, low, high = map(contest.write, contest.first.loc[SEGMENTS, ["value", "low", "high"]])
    told = _told(contest, RULES, SCORES, DECILES, ALL)
    beside = joined([" ".join(pair) for pair in told.items()])
    interval = f"95% interval {low} to {high}"
    if contest.measure == "R2":
        said = f"segments explain {value} ({interval}) of the variance of {contest.label}"
    else:
        said = f"for ranking by {contest.label}, segments reach an AUC of {value} ({interval}; "
        said += "0.50 is chance)"
    return claim(_numbers(contest), ("low <= high", f"Out of sample, {said}; {beside}."))


def conclusion(contest: Contest) -> Claim:
    """Say for which use the segments serve or not, whichever way the numbers fall."""
    table, label, baseline = contest.first, contest.label, _baseline(contest)
    how = "{} of the variance" if contest.measure == "R2" else f"{contest.measure} {{}}"
    told = {name: how.format(value) for name, value in _told(contest, *table.index).items()}
    these = f"For predicting {label}, these segments ({told[SEGMENTS]})"
    shown = table.index[table["low"] > CHANCE[contest.measure]]
    useful = next((n for n in AGAINST if n in shown), "")
    beside = f"{baseline} ({told[baseline]})"
    lows = {name: f", 95% interval from {contest.write(low)}" for name, low in table["low"].items()}
    from_chance = (
        f"For predicting {label}, these segments ({told[SEGMENTS]}{lows[SEGMENTS]}) cannot be told "
        f"from chance; {useful} ({told.get(useful)}{lows.get(useful)}) can."
    )
    numbers = {"useful": useful != "", "useful_low": table["low"].get(useful)}
    return claim(
        _numbers(contest) | numbers,
        ("not low > chance and useful == 1", from_chance),
        ("not low > chance", f"{these} cannot be told from chance, like all else here."),
        ("low > chance and alone == 1", f"{these} do better than chance."),
        ("difference_low > 0", f"{these} do worse than {beside}."),
        ("difference_high < 0", f"{these} do better than {beside}."),
        ("alone == 0", f"{these} are not shown to do better or worse than {beside}."),
    )


def campaign_sentence(table: pd.DataFrame, contest: Contest, nouns: str) -> Claim:
    """Say what a campaign at the best segment would have reached, and as many by past value."""
    baseline, label = _baseline(contest), contest.label
    other = table.loc[baseline]
    whole = f"of the {nouns} with {label}" if contest.outcome.yes_no else f"of {label}"
    difference = other[["difference_low", "difference_high"]].to_dict()
    ends = " to ".join(points(end, signed=True) for end in difference.values())
    text = (
        f"A campaign aimed at the segment that did best in the other folds "
        f"({share(table.attrs['aimed'])} of the {nouns}) would have reached "
        f"{share(table.loc[SEGMENTS, 'value'])} {whole}; one aimed at as many by {baseline}, "
        f"{share(other['value'])} (95% interval of the difference {ends} percentage points)."
    )
    numbers = difference | {"aimed": table.attrs["aimed"], "by_baseline": other["value"]}
    numbers["by_segments"] = table.loc[SEGMENTS, "value"]
    return claim(numbers, ("difference_low <= difference_high", text))


def another_k(table: pd.DataFrame, contest: Contest, k: int, span: tuple[int, int]) -> Claim:
    """Say which number of segments would predict far better; empty where none would.

    The best in the actionable range comes first, then one far better outside, which is said.
    """
    better = table.loc[(table["difference"] >= FAR) & (table["difference_low"] > 0), "value"]
    low, high = span
    within = better.loc[better.index.isin(range(low, high + 1))]
    beyond = better.drop(within.index)
    beyond = beyond[beyond >= within.max() + FAR] if len(within) else beyond
    verb = "explain" if contest.measure == "R2" else "reach an AUC of"
    told = [f"{k} {verb} {contest.write(table.loc[k, 'value'])}"]
    for values, where in ((within, ""), (beyond, f", outside the range of {low} to {high},")):
        if len(values):
            told.append(f"{values.idxmax()}{where} would {verb} {contest.write(values.max())}")
    said = f"Another number of segments would predict {contest.label} better: {joined(told)}."
    ahead = table.loc[better.idxmax(), "difference"] if len(better) else 0.0
    numbers = {f"value_{n}": value for n, value in table["value"].items()} | {"ahead": ahead}
    numbers |= {f"k_{n}": n for n in table.index} | {"low": low, "high": high}
    return claim(numbers, (f"ahead >= {FAR}", said))


def one_more_or_fewer(table: pd.DataFrame, contest: Contest, k: int) -> Claim:
    """Say what one segment more or fewer would change in prediction."""
    told = {n: contest.write(table.loc[n, "value"]) for n in (k - 1, k, k + 1) if n in table.index}
    beside = [f"{n} segments would reach {value}" for n, value in told.items() if n != k]
    what = "R²" if contest.measure == "R2" else "AUC"
    text = f"By {what}, {joined(beside)}; {k} reach {told[k]}."
    numbers = {f"value_{n}": table.loc[n, "value"] for n in told} | {f"k_{n}": n for n in told}
    return claim(numbers | {"beside": len(beside)}, ("beside > 0", text))


def movers_sentence(table: pd.DataFrame, customers: int, nouns: str, label: str) -> Claim:
    """Say whether what movers spend, or are worth, went with them, beside those who stayed."""
    moved = share(table.attrs["moved"])
    said = f"{moved} of the {customers:,} {nouns} of both periods changed segment."
    ends = table.reindex(columns=["difference_low", "difference_high"]).reindex([UP, DOWN])
    numbers = {"up": ends.loc[UP, "difference_low"], "down": ends.loc[DOWN, "difference_high"]}
    numbers |= {"moved": table.attrs["moved"], "customers": customers}
    what = f"{said} {sentence_case(label)} moved"
    beside = ", beside those who stayed."
    return claim(
        numbers,
        ("up > 0 and down < 0", f"{what} with them, up and down, beyond that of those who stayed."),
        ("up > 0", f"{what} only with those who moved up{beside}"),
        ("down < 0", f"{what} only with those who moved down{beside}"),
        ("moved >= 0", f"{said} That their {lower_first(label)} moved with them is not shown."),
    )


def report(
    contests: list[Contest],
    tables: Mapping[int, pd.DataFrame],
    campaigns: list[pd.DataFrame],
    k: int,
    span: tuple[int, int],
    nouns: str,
) -> list[Claim]:
    """Say what the contests show; first, where another number of segments would predict far better.

    `tables` are from `over_k`, by the place of the contest; `campaigns` are of the first contests;
    `span` is the lowest and the highest k that can be acted on.
    """
    said = [another_k(table, contests[place], k, span) for place, table in tables.items()]
    for one in contests[:2]:
        parts = [finding(one), conclusion(one)]
        said.append(together(" ".join(parts), parts))
    for one, table in zip(contests[:1], campaigns, strict=False):
        said += [one_more_or_fewer(tables[0], one, k), campaign_sentence(table, one, nouns)]
    return [text for text in said if text]


def as_metrics(
    contests: list[Contest],
    tables: Mapping[int, pd.DataFrame],
    campaigns: list[pd.DataFrame],
    lifts: list[pd.DataFrame],
    moves: pd.DataFrame | None,
) -> dict[str, Any]:
    """Return the numbers of the contests as metrics.json has them, by outcome."""
    found: dict[str, Any] = {}
    for place, one in enumerate(contests):
        scores = {m: t.droplevel(0).T.to_dict() for m, t in one.scores.groupby(level=0)}
        entry = {"label": one.outcome.label, "customers": len(one.groups), "scores": scores}
        if place in tables:
            entry["over_k"] = tables[place]["value"].to_dict()
        for table in campaigns[place : place + 1]:
            reached = table["value"].to_dict()
            entry["campaign"] = {"aimed": table.attrs["aimed"], "reached": reached}
        for table in lifts[place : place + 1]:
            entry["lift"] = dict(zip(table["name"], table["lift"], strict=True))
        found[one.outcome.name] = entry
    return {"outcomes": found, "movers": None if moves is None else moves.T.to_dict()}
