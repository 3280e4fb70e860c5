"""Customers with their segments, as one object to ask: of a finished run, or of a trial beside it.

Segments count from 1, as on every page. A trial is never written anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from customer_tables.errors import UserError
from segmentation import keeping, presentation, profiling, sampling, session
from segmentation.assignment import assignment_confidence, distances
from segmentation.claims import Claim, claim
from segmentation.conditions import Customers, Members
from segmentation.dataset import Dataset
from segmentation.kmeans import assign, fit_kmeans, join_pair, order_by
from segmentation.naming import name_segments
from segmentation.stability import adjusted_rand
from segmentation.workspace import Workspace

MOST_ROWS = 20_000  # that a trial is fitted on, so that it takes a second; all are assigned
INITIALISATIONS = 5  # of a trial
RULE = (5, 20)  # levels of the tree behind a segment's rule, and its seed, as in notebook 06


@dataclass(frozen=True)
class Segments:
    """Customers and their segments.

    Attributes
    ----------
    ws : Workspace
        Of the run.
    columns, features : DataFrame
        A row for each customer, in real units.
    matrix : DataFrame
        The standardised features that form the segments, weighted in a trial with weights.
    centres : ndarray, shape (k, d)
    stored : DataFrame
        The solutions of the scan by k, numbered from 0, for the customers it is based on.
    stability : dict of str to list
        By k, the Jaccard similarity of each segment in bootstrap samples.
    given : dict of int to str
        The names of the segments; empty where they follow from the profiles.
    published : Segments or None
        Those of the run; None where these are they.
    trial : str
        What is tried; empty for the segments of the run.
    join : str
        The segments that were joined by hand, as notebook 04 takes them.
    """

    ws: Workspace = field(repr=False)
    columns: pd.DataFrame = field(repr=False)
    features: pd.DataFrame = field(repr=False)
    matrix: pd.DataFrame = field(repr=False)
    centres: np.ndarray = field(repr=False)
    stored: pd.DataFrame = field(repr=False)
    stability: dict[str, list[float]] = field(repr=False)
    given: dict[int, str] = field(default_factory=dict, repr=False)
    published: Segments | None = field(default=None, repr=False)
    trial: str = ""
    join: str = ""

    @classmethod
    def open(cls, dataset: str = "", results_dir: str = "") -> Segments:
        """Open the segments of a finished run; empty stands for that of the session.

        Raises
        ------
        UserError
            If the run has no segments yet.
        """
        return cls.of(Workspace.open("06", dataset=dataset, results_dir=results_dir))

    @classmethod
    def of(cls, ws: Workspace) -> Segments:
        """Read the segments that notebook 04 has handed over."""
        solution = ws.load("04", "solution")
        tables = ws.load("01", "customers"), ws.load("03", "features"), ws.load("03", "matrix")
        stored = ws.load("04", "labelings").rename(columns=int)
        centres = np.array(solution["centres"])
        names = {int(segment): name for segment, name in solution["names"].items()}
        over_k, join = solution["jaccard_over_k"], solution["join"]
        return cls(ws, *tables, centres, stored, over_k, names, join=join)

    # --- what there is ----------------------------------------------------------------------------

    @property
    def known(self) -> Dataset:
        """The description of the columns and features."""
        return self.ws.dataset

    @property
    def k(self) -> int:
        """The number of segments."""
        return len(self.centres)

    @cached_property
    def customers(self) -> pd.DataFrame:
        """Every customer's segment, its name, second choice and confidence, and the features."""
        found = assignment_confidence(distances(self.matrix.to_numpy(), self.centres))
        found = found.set_axis(self.matrix.index)[["segment", "second_choice", "confidence"]]
        found.insert(1, "name", found["segment"].map(self._named(found["segment"])))
        return found.join(self.features)

    def _named(self, labels: pd.Series) -> dict[int, str]:
        """Name segments; those of a trial follow from their profiles, as in notebook 04."""
        if self.given:
            return self.given
        effects = profiling.effect_sizes(self.run._standardised, labels)
        named = name_segments(effects, self.known, Members(self.run._people, labels))
        return {int(segment): name.name for segment, name in named.items()}

    @property
    def names(self) -> dict[int, str]:
        """The name of each segment that has members."""
        pairs = self.customers[["segment", "name"]].drop_duplicates()
        return dict(sorted(zip(pairs["segment"], pairs["name"], strict=True)))

    @property
    def run(self) -> Segments:
        """The segments of the run, which a trial stands beside."""
        return self.published or self

    @cached_property
    def _people(self) -> Customers:
        return Customers(self.known, self.columns, self.features)

    @cached_property
    def _standardised(self) -> pd.DataFrame:
        return profiling.standardise_evenly(self.features, list(self.known.features))

    @property
    def agreement(self) -> float:
        """The adjusted Rand index with the segments of the run; 1 where these are they."""
        if self.published is None:
            return 1.0
        mine, theirs = self.customers["segment"], self.published.customers["segment"]
        return adjusted_rand(mine.to_numpy(), theirs.to_numpy())

    @property
    def sizes(self) -> pd.DataFrame:
        """Each segment's name, size, share of every measure of value, and stability."""
        labels = self.customers["segment"]
        table = pd.DataFrame({"name": self.names, "customers": labels.value_counts()})
        table["share"] = table["customers"] / len(labels)
        amounts = profiling.amounts_of_value(self.known, self.columns, self.features)
        for name, values in amounts.items():
            table[f"share of {name}"] = values.groupby(labels).sum() / values.sum()
        if self.stability and (known := self.stability.get(str(self.k))):
            table["Jaccard"] = np.asarray(known, float)
        return table.rename_axis("segment")

    def _repr_html_(self) -> str:
        agreement = f"; adjusted Rand index with the run {self.agreement:.2f}"
        about = f"Trial: {self.trial}{agreement}" if self.trial else "The segments of the run"
        caption = f"{about}. {len(self.matrix):,} {self.known.nouns}"
        return presentation.html_table(self.sizes, caption, {"Jaccard": ".2f"})

    # --- looking closer ---------------------------------------------------------------------------

    def profile(self, rows: pd.Series | np.ndarray | None = None) -> pd.DataFrame:
        """Compare some customers with all: levels, and the difference in standard deviations.

        Parameters
        ----------
        rows : array-like, optional
            Identifiers, places, or a mask; without it every segment is compared, by effect sizes.
        """
        chosen = self.known.features_with("segment", "describe")
        labels = {f.name: f.label or f.name for f in chosen}
        standardised = self.run._standardised[list(labels)].rename(columns=labels)
        if rows is None:
            return profiling.effect_sizes(standardised, self.customers["segment"]).T
        some = self._rows(rows)
        table = pd.DataFrame(
            {
                "selected": profiling.levels(self.features[some], chosen),
                "all": profiling.levels(self.features, chosen),
            }
        ).rename(labels)
        table["difference"] = standardised[some].mean() - standardised.mean()
        order = table["difference"].abs().sort_values(ascending=False).index
        return table.loc[order].rename_axis("feature")

    def _rows(self, rows: pd.Series | np.ndarray) -> np.ndarray:
        """Return a mask of the customers from identifiers, places or a mask."""
        given = np.asarray(rows)
        if given.dtype == bool:
            return given
        mask = np.zeros(len(self.matrix), bool)
        if given.dtype.kind in "iu" and self.matrix.index.dtype.kind not in "iu":
            mask[given] = True
            return mask
        return self.matrix.index.isin(given)

    def compare(self, first: int, second: int) -> pd.DataFrame:
        """Set two segments side by side, the features that separate them most first."""
        effects = self.profile()[[first, second]].rename(columns=self.names)
        effects["difference"] = effects.iloc[:, 0] - effects.iloc[:, 1]
        order = effects["difference"].abs().sort_values(ascending=False).index
        return effects.loc[order].rename_axis("feature")

    def near_boundary(self, n: int = 10, segment: int | None = None) -> pd.DataFrame:
        """Return the customers whose nearest two centres are most nearly as far away."""
        found = self.customers
        found = found[found["segment"] == segment] if segment else found
        return found.nsmallest(n, "confidence")

    def customer(self, identifier: object) -> pd.DataFrame:
        """Say of one customer the segment, the second choice, its rule, and what would change it.

        The change is that of a single feature, all else equal, in standard deviations; where it
        would lead across another boundary first, it is left out.

        Raises
        ------
        UserError
            If there is no such customer.
        """
        found = self.matrix.index.map(str) == str(identifier)
        if not found.any():
            raise UserError(
                f"there is no customer {str(identifier)[:80]!r}",
                where=f"{len(self.matrix):,} customers",
                remedy="write the identifier as in segments.csv",
            )
        place = int(found.argmax())
        row, x = self.customers.iloc[place], self.matrix.iloc[place].to_numpy()
        own, other = self.centres[row["segment"] - 1], self.centres[row["second_choice"] - 1]
        towards = other - own
        gap = ((x - own) ** 2).sum() - ((x - other) ** 2).sum()  # negative inside the own segment
        with np.errstate(divide="ignore"):
            change = np.where(towards != 0, -gap / (2 * towards), np.inf)
        moved = x + np.diag(np.where(np.isfinite(change), change * 1.001, 0))
        lands = distances(moved, self.centres).argmin(axis=1) + 1 == row["second_choice"]
        labels = {f.name: f.label or f.name for f in self.known.features}
        table = pd.DataFrame(
            {"value": self.features.iloc[place][list(self.matrix)], "change": change}
        )[lands]
        table = table.loc[table["change"].abs().sort_values().index].rename(labels)
        names = self.names
        table.attrs["rule"] = str(self._rule_for(place, int(row["segment"])))
        table.attrs["caption"] = (
            f"{row['name']} (segment {row['segment']}), confidence {row['confidence']:.2f}; "
            f"second choice {names[row['second_choice']]}. Change of one feature, in standard "
            "deviations, that leads there"
        )
        return table.rename_axis("feature")

    def _rule_for(self, place: int, segment: int) -> Claim:
        """Say which clause of a segment's rule a customer fails, or else is nearest to failing.

        Nearest is where the fewest customers lie between the customer's value and the limit.
        """
        if segment not in self._rules:
            rows = sampling.stratified(self.matrix.to_numpy(), MOST_ROWS).rows
            members = self.customers["segment"].to_numpy()[rows] == segment
            chosen = [feature for feature in self.known.features if feature.name in self.matrix]
            known = self.features.iloc[rows]
            self._rules[segment] = profiling.fit_rule(known, members, chosen, *RULE)
        own, rule, between = self.features.iloc[[place]], self._rules[segment], []
        for clause in rule:
            values = self.features[clause.feature.name]
            ends = sorted((values.iloc[place], clause.limit))
            between.append((bool(clause.holds(own)[0]), float(values.between(*ends).mean())))
        met, share = min(between, default=(True, 1.0))
        nearest = profiling.rule_text([rule[between.index((met, share))]] if rule else [])
        told = f"The segment's rule: {profiling.rule_text(rule)}. "
        told += f"{{}}: {nearest} ({share:.0%} of {self.known.nouns} lie between)."
        words = ("met == 0", told.format("Not met")), ("met == 1", told.format("Nearest to fail"))
        return claim({"met": met, "share": share}, *words)

    @cached_property
    def _rules(self) -> dict[int, list[profiling.Clause]]:
        return {}

    def merge(self, first: int, second: int) -> Segments:
        """Join two segments: K-Means continues with one less, beginning with the two as one.

        `explore.adopt` of what is returned makes it the report's.

        Raises
        ------
        UserError
            If there are no such two segments.
        """
        pair, run = (first, second), self.run
        if self.k < 3:
            raise UserError("one segment would remain of two", remedy="try segments.at(3) first")
        if first == second or not {*pair} <= {*self.names} or self.matrix is not run.matrix:
            raise UserError(
                f"there are no two segments {first!r} and {second!r} to join",
                where=f"segments: {', '.join(map(str, self.names))}; of the run's own features",
                remedy="give two of their numbers",
            )
        some = run.matrix.loc[run.stored.index].to_numpy()
        labels = self.customers["segment"].loc[run.stored.index].to_numpy() - 1
        places = [first - 1, second - 1]
        less = join_pair(some, labels, self.centres, places)
        kept = np.bincount(less.labels[np.isin(labels, places)]) / np.isin(labels, places).sum()
        amounts = profiling.amounts_of_value(self.known, self.columns, self.features)
        key = amounts[self.known.value] if self.known.value else run.matrix.mean(axis=1)
        found = assign(run.matrix.to_numpy(), less.centres)
        less = order_by(less, profiling.segment_means(key.to_numpy(), found))
        return replace(
            run,
            centres=less.centres,
            stability={},
            given={},
            published=run,
            join=", ".join([self.join] * bool(self.join) + [f"{first}+{second}"]),
            trial=f"segments {first} and {second} of k = {self.k} begin as one; {kept.max():.0%} "
            "of their members are in one segment",
        )

    def command(self, dataset: str | None = None, **more: Any) -> list[str]:
        """Return the command that makes the report anew: by another description, with parameters.

        A parameter that is empty is left to the description.
        """
        report, option = session.report_of(self.ws.folder), self.ws.option
        quick, option = bool(report.get("quick")), option if dataset is None else dataset
        return session.rebuilding(report, self.ws.folder, option, quick, **more)

    # --- keeping what was found -------------------------------------------------------------------

    change, adopt, campaign = keeping.change, keeping.adopt, keeping.campaign

    # --- trying something else --------------------------------------------------------------------

    def at(self, k: int) -> Segments:
        """Return the scan's solution for another number of segments.

        Raises
        ------
        UserError
            If the scan did not try it.
        """
        run = self.run
        if k == run.k:
            return run
        if k not in run.stored:
            ks = sorted(run.stored)
            raise UserError(
                f"the scan has no solution for k = {k}",
                where=f"it went from {ks[0]} to {ks[-1]}",
                remedy="choose another, or run notebook 04 with k_max, such as --set k_max=15",
            )
        some = run.matrix.loc[run.stored.index]
        centres = some.groupby(run.stored[k].to_numpy()).mean().to_numpy()
        return replace(run, centres=centres, given={}, published=run, trial=f"k = {k}", join="")

    def refit(
        self,
        k: int | None = None,
        *,
        without: str | Sequence[str] = (),
        weights: dict[str, float] | None = None,
    ) -> Segments:
        """Fit again without some features, or with weights; numbers follow the run's segments.

        Parameters
        ----------
        k : int, optional
            The number of segments; by default that of the run.
        without : str or sequence of str
            Names of features that no longer segment.
        weights : dict of str to float, optional
            What a feature's squared distance is multiplied by; 1 where it is not named.

        Raises
        ------
        UserError
            If a name is none of the segmenting features, or no feature is left.
        """
        run, weights = self.run, dict(weights or {})
        gone = [without] if isinstance(without, str) else list(without)
        for name in (*gone, *weights):
            if name not in run.matrix:
                raise UserError(
                    f"{name!r} is no feature that segments",
                    remedy=f"there are: {', '.join(run.matrix)}",
                )
        matrix = run.matrix.drop(columns=gone)
        if matrix.empty:
            raise UserError("no feature is left", remedy="leave at least one")
        matrix = matrix * np.sqrt([weights.get(name, 1.0) for name in matrix])
        people = sampling.stratified(matrix.to_numpy(), MOST_ROWS)
        fit = fit_kmeans(matrix.to_numpy()[people.rows], k or run.k, n_init=INITIALISATIONS)
        before = run.customers["segment"].to_numpy()[people.rows]
        shared = pd.crosstab(fit.labels, before).reindex(columns=range(1, run.k + 1), fill_value=0)
        mine, theirs = linear_sum_assignment(shared.to_numpy(), maximize=True)
        rank = dict(zip(mine, theirs, strict=True))
        order = sorted(range(fit.k), key=lambda label: rank.get(label, run.k + label))
        said = [f"k = {fit.k}"] * (fit.k != run.k) + [f"without {name}" for name in gone]
        said += [f"{name} × {weight:g}" for name, weight in weights.items()]
        return replace(
            run,
            matrix=matrix,
            centres=fit.centres[order],
            stability={},
            given={},
            published=run,
            trial=", ".join(said) or "the same again",
            join="",
        )
