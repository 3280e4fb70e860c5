"""Do segments predict? Groups made from what came before, held against what came after.

A partition of customers who form a continuum is justified by what it says about them, not by an
index. So segments, yes/no rules, scores and deciles of past value predict, each by the mean of a
group, what customers did later, and a regression on all features shows how much could be known.
None is predicted from their own outcome: means and regressions come from the other folds of the
customers (Stone 1974, "Cross-validatory choice and assessment of statistical predictions").
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from customer_tables.text import joined, lower_first, points, sentence_case, share
from segmentation import rfm
from segmentation.alternatives import rule_groups
from segmentation.assignment import distances
from segmentation.disclosure import MIN_GROUP_SIZE
from segmentation.features import fit_preparation
from segmentation.kmeans import fit_kmeans
from segmentation.outcomes import LEAST, LEAST_EACH, Outcome, Past, value_of
from segmentation.stability import jaccard

FOLDS = 5
EVERYBODY, SEGMENTS, RULES = "a mean for everybody", "segments", "yes/no rules"
SCORES, DECILES, ALL = "cells of RFM scores", "deciles of past value", "all features"
AT_RANDOM = "groups as large, at random"
CHANCE = {"R2": 0.0, "AUC": 0.5}  # what knowing nothing reaches, by the measure of an outcome
FAR = 0.05  # of R², or of the AUC, that another k would add: worth saying before anything else
TREES = {"max_iter": 50, "max_leaf_nodes": 8, "early_stopping": False}
UP, STAYED, DOWN = "to a segment of higher value", "stayed", "to one of lower value"


def groups_of(past: Past, labels: pd.Series, seed: int) -> pd.DataFrame:
    """Put every customer into a group of each contestant that predicts by groups.

    Parameters
    ----------
    labels : Series of int, indexed by customer
        Their segments.
    seed : int
        Draws the groups at random.

    Returns
    -------
    DataFrame of int, indexed by customer
        One column a contestant; what the table does not allow is not there.
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


# --- the contest ----------------------------------------------------------------------------------


def draw_folds(customers: int, seed: int) -> np.ndarray:
    """Deal customers out to folds 0 to `FOLDS` - 1 at random, shape (customers,)."""
    return np.random.default_rng(seed).permutation(customers) % FOLDS


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
    """One outcome, and how well each contestant predicts it.

    Attributes
    ----------
    outcome : Outcome
        Of the customers of whom it is known.
    groups : DataFrame of int
        As `groups_of`, of the same customers.
    predicted : DataFrame of float, shape (n, contestants)
    folds : ndarray of int, shape (n,)
    weights : ndarray, shape (draws + 1, n)
        As `draw_weights`.
    scores : DataFrame
        By measure and contestant: value, low and high (95% bootstrap interval over customers, the
        predictions as they are), and the difference to the segments with its interval.
    """

    outcome: Outcome
    groups: pd.DataFrame
    predicted: pd.DataFrame
    folds: np.ndarray
    weights: np.ndarray
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
    area under the ROC curve (Hanley & McNeil 1982) and the Brier score (Brier 1950).

    Parameters
    ----------
    outcome : Outcome
    groups : DataFrame of int, indexed by customer
        As `groups_of`.
    features : DataFrame, indexed by customer
        What the regression on all features (boosted trees) knows.
    draws : int
        Bootstrap samples of customers.
    """
    values = outcome.values.loc[groups.index].dropna()
    groups, y = groups.loc[values.index], values.to_numpy()
    matrix = features.loc[values.index].to_numpy()
    folds, weights = draw_folds(len(y), seed), draw_weights(len(y), draws, seed)
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


def _interval(drawn: np.ndarray) -> np.ndarray:
    """Return the ends of a 95% interval of bootstrap values, the first of which is the estimate."""
    return np.nanquantile(drawn[1:], [0.025, 0.975])


def score_table(drawn: Mapping[Any, np.ndarray], to: Hashable = SEGMENTS) -> pd.DataFrame:
    """Tabulate values, intervals, and paired differences to one contestant.

    Parameters
    ----------
    drawn : mapping of str to ndarray, shape (draws + 1,)
        By contestant; the first of each is that of the customers themselves.
    """
    rows = {
        name: [end for each in (v, v - drawn[to]) for end in (each[0], *_interval(each))]
        for name, v in drawn.items()
    }
    columns = ["value", "low", "high", "difference", "difference_low", "difference_high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


# --- what follows for segments and campaigns ------------------------------------------------------


def calibration(contest: Contest, contestant: str, parts: int = 5) -> pd.DataFrame:
    """Hold predictions against what happened, in parts of equally many customers, lowest first."""
    found = contest.predicted[contestant]
    part = np.ceil(found.rank(method="first", pct=True) * parts).astype(int).rename("part")
    table = pd.DataFrame({"predicted": found, "happened": contest.outcome.values})
    means = table.groupby(part).mean()
    means.insert(0, "customers", part.value_counts())
    return means


def lift(contest: Contest, names: Mapping[int, str], least: int = MIN_GROUP_SIZE) -> pd.DataFrame:
    """Compare each segment's mean outcome with everybody's, with 95% bootstrap intervals.

    A segment of fewer than ``least`` customers has no row.

    Returns
    -------
    DataFrame, indexed by the segment's number
        name, customers, and the mean as a multiple of everybody's: lift, low, high.
    """
    labels, y = contest.groups[SEGMENTS], contest.outcome.values.to_numpy()
    overall = contest.weights @ y / contest.weights.sum(axis=1)
    rows = {}
    for segment, many in labels.value_counts().sort_index().items():
        part = contest.weights * (labels == segment).to_numpy()
        drawn = part @ y / np.maximum(part.sum(axis=1), 1) / overall
        if many >= least:
            rows[segment] = [names[segment], many, drawn[0], *_interval(drawn)]
    columns = ["name", "customers", "lift", "low", "high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("segment")


def campaign(contest: Contest) -> pd.DataFrame:
    """Aim at the best segment, and at as many customers by each other contestant.

    In each fold the segment is the one whose members in the other folds did best, and the others
    take as many of the fold's customers from the top of their predictions; of equals, a part.

    Returns
    -------
    DataFrame, indexed by contestant
        As `score_table`: the share of the whole outcome that those aimed at account for. In
        ``attrs["aimed"]`` the share of customers.
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
    """Predict the outcome by the segments of every k of a scan.

    Parameters
    ----------
    labelings : DataFrame of int, indexed by customer
        Segments of the contest's customers and perhaps others, one column for each k.
    k : int
        The one to whose prediction the others are compared.

    Returns
    -------
    DataFrame, indexed by k
        As `score_table`.
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

    Parameters
    ----------
    labels, others : ndarray of int, shape (n,)
        From 1.
    """
    rows, columns = linear_sum_assignment(-jaccard(labels - 1, others - 1, k))
    return dict(zip((rows + 1).tolist(), (columns + 1).tolist(), strict=True))


def movers(labels: pd.DataFrame, worth: pd.DataFrame, *, seed: int, draws: int) -> pd.DataFrame:
    """Compare what customers were worth in two periods, by the value of the segment they moved to.

    Parameters
    ----------
    labels : DataFrame of int, indexed by customer
        Segments "before" and "after".
    worth : DataFrame of float, indexed by customer
        What the same customers spent, or were worth, "before" and "after".

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

    Parameters
    ----------
    segments : Series of int, indexed by customer
        The segments of the whole time, after which those of the first period are numbered.

    Returns
    -------
    DataFrame of int, indexed by customer
        Segments "before" and "after" of those who are in both periods.
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


def _beside(contest: Contest, names: Iterable[str]) -> list[tuple[str, str]]:
    """Return what contestants reach as sentences write it, of those that took part."""
    table = contest.first["value"]
    return [(n, contest.write(table[n])) for n in names if n in table.index]


def _baseline(contest: Contest) -> str:
    """Return what segments are held against first."""
    return next(n for n in (DECILES, SCORES, RULES, ALL) if n in contest.predicted)


def headline(contest: Contest) -> str:
    """Say in one sentence what segments reach, beside deciles of past value and all features."""
    (_, own), *others = told = _beside(contest, (SEGMENTS, DECILES, ALL))
    if contest.measure == "R2":
        beside = joined([f"{name} {value}" for name, value in others])
        return f"Segments explain {own} of the variance of {contest.label}, {beside}"
    beside = joined([f"{value} for {name}" for name, value in told])
    return f"For ranking by {contest.label}, the AUC is {beside}"


def finding(contest: Contest) -> str:
    """Say how well segments predict an outcome, beside the other contestants."""
    value, low, high = map(contest.write, contest.first.loc[SEGMENTS, ["value", "low", "high"]])
    told = _beside(contest, (RULES, SCORES, DECILES, ALL))
    beside = joined([" ".join(pair) for pair in told])
    interval = f"95% interval {low} to {high}"
    if contest.measure == "R2":
        said = f"segments explain {value} ({interval}) of the variance of {contest.label}"
    else:
        said = f"segments rank by {contest.label} with an AUC of {value} ({interval}; "
        said += "0.50 is chance)"
    return f"Out of sample, {said}; {beside}."


def conclusion(contest: Contest) -> str:
    """Say for which use the segments serve or not, whichever way the numbers fall."""
    table, label, baseline = contest.first, contest.label, _baseline(contest)
    index = "" if contest.measure == "R2" else f"{contest.measure} "
    told = {name: f"{index}{contest.write(table.loc[name, 'value'])}" for name in table.index}
    these = f"For predicting {label}, these segments ({told[SEGMENTS]})"
    shown = table.index[table["low"] > CHANCE[contest.measure]]
    if SEGMENTS not in shown:
        useful = next((n for n in (DECILES, SCORES, RULES, ALL) if n in shown), "")
        instead = f"; {useful} ({told[useful]}) can" if useful else ", like all else here"
        return f"{these} cannot be told from chance{instead}."
    if baseline == ALL:
        return f"{these} do better than chance."
    if table.loc[baseline, "difference_low"] > 0:
        return f"{these} do worse than {baseline} ({told[baseline]})."
    if table.loc[baseline, "difference_high"] < 0:
        return f"{these} do better than {baseline} ({told[baseline]})."
    return f"{these} are not shown to do better or worse than {baseline} ({told[baseline]})."


def campaign_sentence(table: pd.DataFrame, contest: Contest, nouns: str) -> str:
    """Say what a campaign at the best segment would have reached, and as many by past value."""
    baseline, label = _baseline(contest), contest.label
    other = table.loc[baseline]
    whole = f"of the {nouns} with {label}" if contest.outcome.yes_no else f"of {label}"
    ends = " to ".join(points(other[f"difference_{end}"], signed=True) for end in ("low", "high"))
    return (
        f"A campaign aimed at the segment that did best in the other folds "
        f"({share(table.attrs['aimed'])} of the {nouns}) would have reached "
        f"{share(table.loc[SEGMENTS, 'value'])} {whole}; one aimed at as many by {baseline}, "
        f"{share(other['value'])} (95% interval of the difference {ends} percentage points)."
    )


def another_k(table: pd.DataFrame, contest: Contest, k: int, span: tuple[int, int]) -> str:
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
    return said if len(told) > 1 else ""


def one_more_or_fewer(table: pd.DataFrame, contest: Contest, k: int) -> str:
    """Say what one segment more or fewer would change in prediction."""
    told = {n: contest.write(table.loc[n, "value"]) for n in (k - 1, k, k + 1) if n in table.index}
    beside = [f"{n} segments would reach {value}" for n, value in told.items() if n != k]
    what = "R²" if contest.measure == "R2" else "AUC"
    return f"By {what}, {joined(beside)}; {k} reach {told[k]}." if beside else ""


def movers_sentence(table: pd.DataFrame, customers: int, nouns: str, label: str) -> str:
    """Say whether what movers spend, or are worth, went with them, beside those who stayed."""
    moved = share(table.attrs["moved"])
    said = f"{moved} of the {customers:,} {nouns} of both periods changed segment."
    ends = table.reindex(columns=["difference_low", "difference_high"]).reindex([UP, DOWN])
    up, down = ends.loc[UP, "difference_low"] > 0, ends.loc[DOWN, "difference_high"] < 0
    what = sentence_case(label)
    if up and down:
        return f"{said} {what} moved with them, up and down, beyond that of those who stayed."
    if up or down:
        way = "up" if up else "down"
        return f"{said} {what} moved only with those who moved {way}, beside those who stayed."
    return f"{said} That their {lower_first(label)} moved with them is not shown."


def report(
    contests: list[Contest],
    tables: Mapping[int, pd.DataFrame],
    campaigns: list[pd.DataFrame],
    k: int,
    span: tuple[int, int],
    nouns: str,
) -> list[str]:
    """Say what the contests show; first, where another number of segments would predict far better.

    Parameters
    ----------
    tables : mapping of int to DataFrame
        From `over_k`, by the place of the contest.
    campaigns : list of DataFrame
        From `campaign`, of the first contests.
    k : int
        The number of segments.
    span : tuple of int
        The lowest and highest number that can be acted on.
    """
    said = [another_k(table, contests[place], k, span) for place, table in tables.items()]
    said += [f"{finding(one)} {conclusion(one)}" for one in contests[:2]]
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
