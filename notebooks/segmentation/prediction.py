"""Do segments predict? Groups made from what came before, held against what came after.

A partition of customers who form a continuum is justified by what it tells about them, not by an
index. So segments, yes/no rules, scores and deciles of past value predict, each by the mean of a
group, what customers did later, and a regression on all features shows how much could be known.
None is predicted from their own outcome: means and regressions come from the other folds of the
customers (Stone 1974, "Cross-validatory choice and assessment of statistical predictions").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from customer_tables.text import joined, lower_first, points, share
from segmentation import rfm
from segmentation.alternatives import rule_groups
from segmentation.assignment import distances
from segmentation.disclosure import MIN_GROUP_SIZE
from segmentation.features import fit_preparation
from segmentation.kmeans import fit_kmeans
from segmentation.outcomes import LEAST, Outcome, Past, value_of
from segmentation.parallel import parallel_map
from segmentation.stability import jaccard

FOLDS = 5
EVERYBODY, SEGMENTS, RULES = "a mean for everybody", "segments", "yes/no rules"
SCORES, DECILES, ALL = "cells of RFM scores", "deciles of past value", "all features"
AT_RANDOM = "groups as large, at random"
CHANCE = {"R2": 0.0, "AUC": 0.5}  # what knowing nothing reaches, by the measure of an outcome
FAR = 0.05  # of R², or of the AUC, that another k would add: worth saying before anything else


def groups_of(past: Past, labels: pd.Series, seed: int, cuts: str = "") -> pd.DataFrame:
    """Put every customer into a group of each contestant that predicts by groups.

    Parameters
    ----------
    labels : Series of int, indexed by customer
        Their segments.
    seed : int
        Draws the groups at random.
    cuts : str
        Of the scores, as in `rfm.read_cuts`.

    Returns
    -------
    DataFrame of int, indexed by customer
        One column a contestant; what the table does not allow is not there.
    """
    known, index = past.dataset, labels.index
    found = {EVERYBODY: np.zeros(len(index), int), SEGMENTS: labels.to_numpy()}
    if known.questions:
        found[RULES] = rule_groups(past.customers.loc[index], known.questions)
    if set(rfm.PARTS) <= set(known.rfm) and set(known.rfm.values()) <= set(past.features):
        scores = rfm.scores(
            past.features.loc[index],
            {str(part): name for part, name in known.rfm.items()},
            rfm.read_cuts(cuts),
        )
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


def predict_by_all(
    features: np.ndarray, outcome: np.ndarray, folds: np.ndarray, yes_no: bool, seed: int
) -> np.ndarray:
    """Predict everybody's outcome by boosted trees on all features, fitted on the other folds.

    Scikit-learn's histogram gradient boosting, with small trees: how well anything can predict
    from these features, more or less.
    """
    kind = HistGradientBoostingClassifier if yes_no else HistGradientBoostingRegressor
    settings = {"max_iter": 50, "max_leaf_nodes": 8, "early_stopping": False, "random_state": seed}

    def of(fold: int) -> np.ndarray:
        own = folds == fold
        model = kind(**settings).fit(features[~own], outcome[~own])
        return model.predict_proba(features[own])[:, 1] if yes_no else model.predict(features[own])

    predicted, places = np.empty(len(outcome)), np.unique(folds)
    for fold, found in zip(places, parallel_map(of, places), strict=True):
        predicted[folds == fold] = found
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
    mean = weights @ outcome / weights.sum(axis=1)
    total = weights @ outcome**2 - weights.sum(axis=1) * mean**2
    return 1 - weights @ (outcome - predicted) ** 2 / total


def area_under_curve(
    outcome: np.ndarray, predicted: np.ndarray, folds: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Chance that of two customers the one with the outcome is ranked higher; ties count half.

    Within folds, whose predictions come from the same means, and pooled over all pairs of a fold
    (so a mean for everybody gets exactly .5). Shape (draws,), one for each row of the weights.
    """
    right, pairs = np.zeros(len(weights)), np.zeros(len(weights))
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        order = rows[np.argsort(predicted[rows], kind="stable")]
        starts = np.flatnonzero(np.r_[True, np.diff(predicted[order]) > 0])
        drawn = weights[:, order]
        yes = np.add.reduceat(drawn * outcome[order], starts, axis=1)
        no = np.add.reduceat(drawn * (1 - outcome[order]), starts, axis=1)
        below = np.cumsum(no, axis=1) - no / 2
        right += (yes * below).sum(axis=1)
        pairs += yes.sum(axis=1) * no.sum(axis=1)
    return right / pairs


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

    def reached(self, measure: str, contestant: str = SEGMENTS) -> float:
        """Return what a contestant reaches by a measure."""
        return float(self.scores.loc[(measure, contestant), "value"])

    @property
    def first(self) -> pd.DataFrame:
        """The scores by that measure, one row a contestant."""
        return self.scores.loc[self.measure]


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
        What the regression on all features knows.
    draws : int
        Bootstrap samples of customers.
    """
    values = outcome.values.loc[groups.index].dropna()
    groups, y = groups.loc[values.index], values.to_numpy()
    matrix = features.loc[values.index].to_numpy()
    folds, weights = draw_folds(len(y), seed), draw_weights(len(y), draws, seed)
    predicted = _predictions(groups, matrix, y, folds, outcome.yes_no, seed)
    if outcome.yes_no:
        drawn = {
            "AUC": {n: area_under_curve(y, p, folds, weights) for n, p in predicted.items()},
            "Brier": {
                n: weights @ (y - p) ** 2 / weights.sum(axis=1) for n, p in predicted.items()
            },
        }
    else:
        drawn = {"R2": {n: r_squared(y, p, weights) for n, p in predicted.items()}}
        some = y > 0
        if some.sum() >= LEAST and np.ptp(y[some]) > 0:
            logs, held = np.log1p(y[some]), (folds[some], False, seed)
            told = _predictions(groups[some], matrix[some], logs, *held)
            part = weights[:, some]
            drawn["R2 of logs"] = {n: r_squared(logs, p, part) for n, p in told.items()}
    scores = pd.concat({measure: score_table(found) for measure, found in drawn.items()})
    known = replace(outcome, values=values)
    return Contest(known, groups, pd.DataFrame(predicted, values.index), folds, weights, scores)


def _predictions(
    groups: pd.DataFrame,
    matrix: np.ndarray,
    outcome: np.ndarray,
    folds: np.ndarray,
    yes_no: bool,
    seed: int,
) -> dict[str, np.ndarray]:
    found = {n: predict_by_groups(g.to_numpy(), outcome, folds) for n, g in groups.items()}
    return {str(n): p for n, p in found.items()} | {
        ALL: predict_by_all(matrix, outcome, folds, yes_no, seed)
    }


def score_table(drawn: Mapping[Any, np.ndarray], to: str | int = SEGMENTS) -> pd.DataFrame:
    """Tabulate values, intervals, and paired differences to one contestant.

    Parameters
    ----------
    drawn : mapping of str to ndarray, shape (draws + 1,)
        By contestant; the first of each is that of the customers themselves.
    """
    rows = {}
    for name, values in drawn.items():
        apart = values - drawn[to]
        low, high, less, more = (
            edge for found in (values, apart) for edge in np.nanquantile(found[1:], [0.025, 0.975])
        )
        rows[name] = [values[0], low, high, apart[0], less, more]
    columns = ["value", "low", "high", "difference", "difference_low", "difference_high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


# --- what follows for segments and campaigns ------------------------------------------------------


def calibration(contest: Contest, contestant: str, parts: int = 5) -> pd.DataFrame:
    """Hold predictions against what happened, in parts of equally many customers, lowest first."""
    found = contest.predicted[contestant]
    part = np.ceil(found.rank(method="first", pct=True) * parts).astype(int)
    table = pd.DataFrame({"predicted": found, "happened": contest.outcome.values})
    by_part = table.groupby(part)
    means = by_part.mean()
    means.insert(0, "customers", by_part.size())
    return means.rename_axis("part")


def lift(contest: Contest, names: Mapping[int, str], least: int = MIN_GROUP_SIZE) -> pd.DataFrame:
    """Compare each segment's mean outcome with everybody's, with 95% bootstrap intervals.

    A segment of fewer than ``least`` customers has no row.

    Returns
    -------
    DataFrame, indexed by the segment's number
        name, customers, share, mean, lift (1: as everybody), low, high, and the share of the whole
        outcome.
    """
    labels, y = contest.groups[SEGMENTS], contest.outcome.values.to_numpy()
    overall = contest.weights @ y / contest.weights.sum(axis=1)
    rows = {}
    for segment in sorted(labels.unique()):
        own = (labels == segment).to_numpy()
        part = contest.weights[:, own]
        drawn = part @ y[own] / np.maximum(part.sum(axis=1), 1) / overall
        low, high = np.nanquantile(drawn[1:], [0.025, 0.975])
        row = [names[segment], own.sum(), own.mean(), y[own].mean(), drawn[0], low, high]
        rows[segment] = [*row, y[own].sum() / y.sum()]
    columns = ["name", "customers", "share", "mean", "lift", "low", "high", "outcome_share"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("segment")
    return table[table["customers"] >= least]


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
    y, weights, folds = contest.outcome.values.to_numpy(), contest.weights, contest.folds
    aimed = {name: np.zeros(len(y)) for name in contest.predicted}
    for fold in np.unique(folds):
        own = np.flatnonzero(folds == fold)
        best = contest.predicted[SEGMENTS].to_numpy()[own]
        many = int((best == best.max()).sum())
        for name, predicted in contest.predicted.items():
            values = predicted.to_numpy()[own]
            level = np.partition(values, len(values) - many)[len(values) - many]
            above, equal = values > level, values == level
            aimed[str(name)][own] = above + equal * (many - above.sum()) / equal.sum()
    drawn = {name: weights @ (part * y) / (weights @ y) for name, part in aimed.items()}
    table = score_table(drawn)
    table.attrs["aimed"] = float(aimed[SEGMENTS].mean())
    return table


def over_k(contest: Contest, labelings: Mapping[int, np.ndarray], k: int) -> pd.DataFrame:
    """Predict the outcome by the segments of every k of a scan.

    Parameters
    ----------
    labelings : mapping of int to ndarray, shape (n,)
        Segments of the contest's customers, by k.
    k : int
        The one to whose prediction the others are compared.

    Returns
    -------
    DataFrame, indexed by k
        As `score_table`.
    """
    y, drawn = contest.outcome.values.to_numpy(), {}
    for n, labels in labelings.items():
        found = predict_by_groups(labels, y, contest.folds)
        drawn[n] = (
            area_under_curve(y, found, contest.folds, contest.weights)
            if contest.outcome.yes_no
            else r_squared(y, found, contest.weights)
        )
    return score_table(drawn, k).rename_axis("k")


def named_after(labels: np.ndarray, others: np.ndarray, k: int) -> dict[int, int]:
    """Renumber segments, 1 to k, after those of the same customers that they share most with.

    One to one, by the largest sum of Jaccard similarities (Kuhn 1955).

    Parameters
    ----------
    labels, others : ndarray of int, shape (n,)
        From 1.
    """
    rows, columns = linear_sum_assignment(-jaccard(labels - 1, others - 1, k))
    return {int(row) + 1: int(column) + 1 for row, column in zip(rows, columns, strict=True)}


def movers(
    labels: pd.DataFrame, spent: pd.DataFrame, *, seed: int, draws: int
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Compare what customers spent in two periods, by whether their segment spends more or less.

    Parameters
    ----------
    labels : DataFrame of int, indexed by customer
        Segments "before" and "after".
    spent : DataFrame of float, indexed by customer
        What the same customers spent "before" and "after".

    Returns
    -------
    DataFrame
        Those who moved to a segment that spent more before, stayed, or moved to one that spent
        less: customers, the two means, and the change of the mean with a 95% bootstrap interval.
    dict of str to float
        By direction, the lower and upper end of the interval of its change less that of those who
        stayed, a positive one meaning that more was spent: up_low, up_high, down_low, down_high.
    """
    level = spent["before"].groupby(labels["before"]).mean()
    step = np.sign(labels["after"].map(level).fillna(0) - labels["before"].map(level))
    moved = (labels["before"] != labels["after"]).to_numpy()
    step = np.where(moved, step, 0)
    weights, change = draw_weights(len(spent), draws, seed), spent["after"] - spent["before"]
    rows, drawn = {}, {}
    for way, name in (
        (1, "to a segment that spent more"),
        (0, "stayed"),
        (-1, "to one that spent less"),
    ):
        own = step == way
        part = weights[:, own]
        with np.errstate(invalid="ignore"):
            drawn[way] = part @ change[own].to_numpy() / part.sum(axis=1)
        low, high = np.nanquantile(drawn[way][1:], [0.025, 0.975]) if own.any() else (np.nan,) * 2
        rows[name] = [int(own.sum()), *spent[own].mean(), drawn[way][0], low, high]
    columns = ["customers", "before", "after", "change", "low", "high"]
    apart: dict[str, float] = {}
    for way, name in ((1, "up"), (-1, "down")):
        if (step == way).any() and (step == 0).any():
            low, high = np.nanquantile((drawn[way] - drawn[0])[1:], [0.025, 0.975])
            apart |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns), apart


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
    DataFrame of float, indexed by customer
        Segments "before" and "after"; NaN in a period without the customer.
    """
    chosen = [f for f in before.dataset.features_with("segment") if f.name in after.features]
    preparation = fit_preparation(before.features, chosen)
    first, second = (preparation.transform(past.features) for past in (before, after))
    fit = fit_kmeans(first.to_numpy(), k, n_init=n_init, seed=seed)
    both = first.index.intersection(segments.index)
    own = pd.Series(fit.labels + 1, first.index)
    place = named_after(own.loc[both].to_numpy(), segments.loc[both].to_numpy(), k)
    later = pd.Series(distances(second.to_numpy(), fit.centres).argmin(axis=1) + 1, second.index)
    return pd.DataFrame({"before": own.map(place), "after": later.map(place)})


# --- in words -------------------------------------------------------------------------------------


def _reached(measure: str, value: float) -> str:
    """Write a value of the measure as sentences do; less than knowing nothing counts as nothing."""
    return share(max(value, 0.0)) if measure == "R2" else f"{value:.2f}"


def headline(contest: Contest) -> str:
    """Say in one sentence what segments reach, beside deciles of past value and all features."""
    table, label = contest.first, lower_first(contest.outcome.label)
    names = [n for n in (SEGMENTS, DECILES, ALL) if n in table.index]
    told = [_reached(contest.measure, table.loc[n, "value"]) for n in names]
    if contest.measure == "R2":
        others = [f"{n} {value}" for n, value in zip(names[1:], told[1:], strict=True)]
        return f"Segments explain {told[0]} of the variance of {label}, {joined(others)}"
    others = [f"{value} for {n}" for n, value in zip(names, told, strict=True)]
    return f"By {label}, the AUC is {joined(others)}"


def finding(contest: Contest) -> str:
    """Say how well segments predict an outcome, beside the other contestants."""
    table, measure = contest.first, contest.measure
    own = table.loc[SEGMENTS]
    low, high = (_reached(measure, own[end]) for end in ("low", "high"))
    value = _reached(measure, own["value"])
    others = [n for n in (RULES, SCORES, DECILES, ALL) if n in table.index]
    beside = joined([f"{n} {_reached(measure, table.loc[n, 'value'])}" for n in others])
    if measure == "R2":
        return (
            f"Out of sample, segments explain {value} (95% interval {low} to {high}) of the "
            f"variance of {lower_first(contest.outcome.label)}; {beside}."
        )
    return (
        f"Out of sample, segments rank by {lower_first(contest.outcome.label)} with an AUC of "
        f"{value} (95% interval {low} to {high}; 0.50 is chance); {beside}."
    )


def conclusion(contest: Contest, nouns: str) -> str:
    """Say what follows for the use of the segments, whichever way the numbers fall."""
    table, chance = contest.first, CHANCE[contest.measure]
    label = lower_first(contest.outcome.label)
    told = table.index[table["low"] > chance]
    if SEGMENTS not in told:
        useful = [n for n in (DECILES, SCORES, RULES, ALL) if n in told]
        instead = f"; {useful[0]} can" if useful else ", nor can anything else here"
        return f"Segments cannot be told from chance in predicting {label}{instead}."
    baseline = next((n for n in (DECILES, SCORES, RULES) if n in table.index), "")
    if not baseline:
        return f"Segments tell something about {label} that chance does not."
    apart = table.loc[baseline]
    if apart["difference_low"] > 0:
        return f"To rank {nouns} by {label}, use {baseline}; to speak to them, segments."
    if apart["difference_high"] < 0:
        return f"Segments rank {nouns} by {label} better than {baseline} do."
    return f"Between segments and {baseline} no difference is shown."


def campaign_sentence(table: pd.DataFrame, contest: Contest, nouns: str) -> str:
    """Say what a campaign at the best segment would have reached, and as many by past value."""
    baseline = next((n for n in (DECILES, SCORES, RULES, ALL) if n in table.index), ALL)
    other, label = table.loc[baseline], lower_first(contest.outcome.label)
    whole = f"of the {nouns} with {label}" if contest.outcome.yes_no else f"of {label}"
    ends = " to ".join(points(other[f"difference_{end}"], signed=True) for end in ("low", "high"))
    return (
        f"Aimed at the segment that did best in the other folds, {share(table.attrs['aimed'])} of "
        f"the {nouns}, a campaign would have met {share(table.loc[SEGMENTS, 'value'])} {whole}; as "
        f"many by {baseline} {share(other['value'])} ({ends} percentage points)."
    )


def too_few(table: pd.DataFrame, contest: Contest, k: int) -> str:
    """Say that another number of segments would predict far better; empty where none would."""
    best = table["value"].idxmax()
    row = table.loc[best]
    if row["difference"] < FAR or not row["difference_low"] > 0:
        return ""
    own, other = (_reached(contest.measure, table.loc[n, "value"]) for n in (k, best))
    how = "explain" if contest.measure == "R2" else "reach an AUC of"
    return (
        f"For predicting {lower_first(contest.outcome.label)}, {k} segments are not the best "
        f"number: {k} {how} {own}, {best} would {how} {other}."
    )


def one_more_or_fewer(table: pd.DataFrame, contest: Contest, k: int) -> str:
    """Say what one segment more or fewer would change in prediction."""
    told = {n: _reached(contest.measure, table.loc[n, "value"]) for n in table.index}
    beside = [f"{n} segments would reach {told[n]}" for n in (k - 1, k + 1) if n in told]
    what = "R²" if contest.measure == "R2" else "AUC"
    return f"By {what}, {joined(beside)}; {k} reach {told[k]}." if beside else ""


def movers_sentence(table: pd.DataFrame, apart: Mapping[str, float], nouns: str) -> str:
    """Say whether what movers spend went with them, beside those who stayed."""
    total = table["customers"].sum()
    moved = share(1 - table.loc["stayed", "customers"] / total)
    said = f"{moved} of the {total:,} {nouns} who bought in both periods changed segment."
    ends = [apart.get(name, np.nan) for name in ("up_low", "down_high")]
    if ends[0] > 0 > ends[1]:
        return f"{said} Spending moved with them, up and down, beyond that of those who stayed."
    if ends[0] > 0 or ends[1] < 0:
        way = "up" if ends[0] > 0 else "down"
        return f"{said} Spending moved only with those who moved {way}, beside those who stayed."
    return f"{said} That their spending moved with them is not shown."


def report(
    contests: list[Contest],
    tables: Mapping[int, pd.DataFrame],
    campaigns: list[pd.DataFrame],
    k: int,
    nouns: str,
) -> list[str]:
    """Say what the contests show; first, where another number of segments would predict far better.

    Parameters
    ----------
    tables : mapping of int to DataFrame
        From `over_k`, by the place of the contest.
    campaigns : list of DataFrame
        From `campaign`, of the first contests.
    """
    first = [too_few(table, contests[place], k) for place, table in tables.items()]
    said = [text for text in first if text]
    for one in contests[:2]:
        said.append(f"{finding(one)} {conclusion(one, nouns)}")
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
        entry: dict[str, Any] = {"label": one.outcome.label, "customers": len(one.groups)}
        entry["scores"] = scores
        if place in tables:
            entry["over_k"] = tables[place]["value"].to_dict()
        if place < len(campaigns):
            reached = campaigns[place]["value"].to_dict()
            entry["campaign"] = {"aimed": campaigns[place].attrs["aimed"], "reached": reached}
        if place < len(lifts):
            entry["lift"] = dict(zip(lifts[place]["name"], lifts[place]["lift"], strict=True))
        found[one.outcome.name] = entry
    return {"outcomes": found, "movers": None if moves is None else moves.T.to_dict()}
