"""Stability: whether other samples of similar customers give the same segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans

from segmentation.claims import Claim, scaled
from segmentation.kmeans import KMeansFit, assign
from segmentation.parallel import parallel_map

RESAMPLE_SIZE = 4_000  # customers in each bootstrap sample, at most
# The cuts that Hennig gives in the help page of clusterboot (R package fpc).
JACCARD_CUTS = ((0.85, "highly stable"), (0.75, "stable"), (0.60, "a pattern, unsure members"))


@dataclass(frozen=True)
class Resamples:
    """Refits of one solution on bootstrap samples, a row each; `agreement` has half as many."""

    labels: np.ndarray  # the segment of every customer by each refit, numbered as in the solution
    counts: np.ndarray  # how often each customer was drawn
    jaccard: np.ndarray  # similarity of each segment of the solution with its best match
    agreement: np.ndarray  # adjusted Rand index of the refits, two by two

    def order_by(self, key: np.ndarray) -> Resamples:
        """Renumber the segments as `kmeans.order_by` does those of the solution."""
        order = np.argsort(-np.asarray(key, dtype=float), kind="stable")
        labels = np.argsort(order).astype(self.labels.dtype)[self.labels]
        return replace(self, labels=labels, jaccard=self.jaccard.take(order, axis=1))


def resample_scan(
    matrix: np.ndarray,
    fits: Mapping[int, KMeansFit],
    *,
    resamples: int = 40,
    n_init: int = 4,
    seed: int = 20,
    from_solution: bool = False,
) -> dict[int, Resamples]:
    """Refit the solutions of a scan on bootstrap samples, the same samples for all k.

    Every sample holds `RESAMPLE_SIZE` customers, or as many as there are where they are fewer, so
    that the answer does not depend on the size of the table: with samples as large as the table,
    any unique optimum is stable in the end (Ben-David, von Luxburg & Pál 2006, "A sober look at
    clustering stability"). Every refit assigns all customers. Pairs of refits are compared by the
    adjusted Rand index (Dolnicar & Leisch 2010). Each segment of the solution is compared with its
    best match in the refit by the Jaccard similarity (Hennig 2007, "Cluster-wise assessment of
    cluster stability"). The labels are matched one to one, by the assignment of largest total
    similarity.

    Each refit is the best of `n_init` initialisations. With `from_solution` the solution is one
    more: then a refit differs because its customers do, and never because of its initialisations.
    """
    counts = np.array([drawn for drawn, _ in _bootstrap(len(matrix), resamples, seed)], np.int16)
    starts = {k: fit.centres for k, fit in fits.items()} if from_solution else {}
    refits = resample_labels(
        matrix, fits, resamples=resamples, n_init=n_init, seed=seed, starts=starts
    )
    result = {}
    for k, found in refits.items():
        similarity = []
        for labels in found:
            similarity.append(jaccard(fits[k].labels, labels, k))
            original, refitted = linear_sum_assignment(similarity[-1], maximize=True)
            labels[:] = original[np.argsort(refitted)][labels]
        best = np.max(similarity, axis=2)
        result[k] = Resamples(found, counts, jaccard=best, agreement=_by_pairs(found))
    return result


def bootstrap_agreement(
    matrix: np.ndarray, ks: Iterable[int], *, pairs: int = 20, n_init: int = 4, seed: int = 20
) -> dict[int, np.ndarray]:
    """Return only the agreement of pairs of bootstrap fits, shape (pairs,), for each k.

    Equal to `agreement` of `resample_scan` with twice as many resamples.
    """
    found = resample_labels(matrix, ks, resamples=2 * pairs, n_init=n_init, seed=seed)
    return {k: _by_pairs(labels) for k, labels in found.items()}


def resample_labels(
    matrix: np.ndarray,
    ks: Iterable[int],
    *,
    resamples: int,
    n_init: int = 4,
    seed: int = 20,
    starts: Mapping[int, np.ndarray] | None = None,
) -> dict[int, np.ndarray]:
    """Return every customer's segment by fits on the samples of `resample_scan`, (resamples, n).

    The centres in `starts`, by k, are one more initialisation of each fit.
    """
    ks, samples, starts = list(ks), _bootstrap(len(matrix), resamples, seed), starts or {}

    def labels(task: tuple[int, tuple[np.ndarray, int]]) -> np.ndarray:
        k, (counts, state) = task
        # Each customer drawn enters once with the number of draws as weight: the same solution as
        # on the sample with its repeats side by side.
        rows, weights = matrix[counts > 0], counts[counts > 0]
        models = [KMeans(k, n_init=n_init, tol=0, random_state=state)]
        models += [KMeans(k, n_init=1, tol=0, init=starts[k])] if k in starts else []
        fits = [model.fit(rows, sample_weight=weights) for model in models]
        best = min(fits, key=lambda fit: fit.inertia_)
        return assign(matrix, best.cluster_centers_).astype(np.int16)

    found = list(parallel_map(labels, [(k, sample) for k in ks for sample in samples]))
    by_k = np.reshape(found, (len(ks), len(samples), len(matrix)))
    return dict(zip(ks, by_k, strict=True))


def agreement_within(labels: np.ndarray, cells: np.ndarray) -> float:
    """Mean adjusted Rand index of pairs of labelings inside the cells of a given partition.

    Where segments only restate the cells, their agreement inside them is low. Every cell counts by
    its customers; one whose customers share a segment counts as agreeing.
    """
    found, sizes = np.unique(cells, return_counts=True)
    within = [_by_pairs(labels[:, cells == cell]).mean() for cell in found]
    return float(np.average(within, weights=sizes))


def _by_pairs(labels: np.ndarray) -> np.ndarray:
    pairs = zip(labels[::2], labels[1::2], strict=False)
    return np.array([adjusted_rand(first, second) for first, second in pairs])


def _bootstrap(customers: int, samples: int, seed: int) -> list[tuple[np.ndarray, int]]:
    """How often each customer is drawn, shape (customers,), and a seed, for each sample."""
    draws, size = [], min(customers, RESAMPLE_SIZE)
    for source in np.random.SeedSequence(seed).spawn(samples):
        rng = np.random.default_rng(source)
        counts = np.bincount(rng.integers(0, customers, size), minlength=customers)
        draws.append((counts, int(rng.integers(2**31))))
    return draws


def adjusted_rand(first: np.ndarray, second: np.ndarray) -> float:
    """Return the adjusted Rand index of two labelings (Hubert & Arabie 1985)."""
    first, second = (np.unique(labels, return_inverse=True)[1] for labels in (first, second))
    table = _contingency(first, second, max(first.max(), second.max()) + 1).astype(np.float64)
    together, rows, columns, pairs = (
        (counts * (counts - 1)).sum() / 2
        for counts in (table, table.sum(axis=1), table.sum(axis=0), table.sum())
    )
    expected = rows * columns / max(pairs, 1.0)
    largest = (rows + columns) / 2
    return 1.0 if largest == expected else float((together - expected) / (largest - expected))


def _contingency(first: np.ndarray, second: np.ndarray, k: int) -> np.ndarray:
    return np.bincount(first.astype(np.intp) * k + second, minlength=k * k).reshape(k, k)


def jaccard(first: np.ndarray, second: np.ndarray, k: int) -> np.ndarray:
    """Jaccard similarity of each of k segments with each of k others, shape (k, k)."""
    both = _contingency(first, second, k)
    either = both.sum(axis=1)[:, None] + both.sum(axis=0) - both
    return both / np.maximum(either, 1)


def stability_word(value: float) -> Claim:
    """Hennig's words for a segment's mean Jaccard similarity."""
    return scaled(value, JACCARD_CUTS, "unstable")


def assignment_agreement(resamples: Resamples) -> np.ndarray:
    """Return how often two refits agree on each customer's segment, shape (n,).

    The segments themselves come from a sample, too, so two refits are compared: one stands for
    them, the other for the segments of a new sample.
    """
    refits, n = resamples.labels.shape
    same = np.zeros(n)
    for segment in range(resamples.jaccard.shape[1]):
        votes = (resamples.labels == segment).sum(axis=0, dtype=np.int64)
        same += votes * (votes - 1)
    return same / (refits * (refits - 1))


def refit_intervals(resamples: Resamples, amounts: pd.DataFrame, *, customers: int) -> pd.DataFrame:
    """Return half-widths of 95% intervals for a segment's shares in a new sample that is refitted.

    Resampling customers with fixed segments ignores that the segments vary as well. So the shares
    come from the refits, each among the customers it drew. Their spread is scaled from the
    size of a resample to that of the table (m out of n bootstrap, Bickel, Götze & van Zwet 1997),
    and counts twice: for this sample and for the new one.

    `amounts` are what each customer adds to each total: an amount, or one. `customers` are in the
    table, and in the new sample.
    """
    k = resamples.jaccard.shape[1]
    drawn = int(resamples.counts[0].sum())
    scale = 1.96 * np.sqrt(2 * drawn / customers)
    table = pd.DataFrame(index=pd.RangeIndex(1, k + 1, name="segment"))
    for name, amount in amounts.items():
        sums = [
            np.bincount(labels, weights=counts * amount.to_numpy(), minlength=k)
            for labels, counts in zip(resamples.labels, resamples.counts, strict=True)
        ]
        shares = [part / part.sum() if part.sum() > 0 else np.zeros(k) for part in sums]
        table[name] = scale * np.std(shares, axis=0)
    return table


def calibration(
    confidence: np.ndarray, agreement: np.ndarray, bins: Iterable[float]
) -> pd.DataFrame:
    """Tabulate how many customers keep their segment in resamples, by their confidence.

    A row per bin that holds customers. Edges ascend; a value on an edge belongs above it, the last
    edge to the last bin.
    """
    edges = np.array(list(bins), dtype=float)
    place = np.digitize(confidence, edges[1:-1])
    table = (
        pd.DataFrame({"confidence": confidence, "kept": agreement})
        .groupby(place)
        .agg(customers=("kept", "size"), confidence=("confidence", "mean"), kept=("kept", "mean"))
    )
    table.insert(0, "low", edges[table.index])
    table.insert(1, "high", edges[table.index + 1])
    return table.reset_index(drop=True)
