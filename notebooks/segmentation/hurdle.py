"""A hurdle mixture: latent classes of who does something at all, and of how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from customer_tables.errors import UserError
from segmentation.claims import Claim, claim
from segmentation.kmeans import assign
from segmentation.parallel import parallel_map

RAREST = 0.01  # share of zeros, or of others, from which a column has a hurdle
EDGE = 1e-6  # no probability nearer to 0 or 1, no variance smaller
CLEARLY = 0.05  # a difference of adjusted Rand indices that is worth a sentence
SHORT_RUN, LONG_RUN, GAIN = 10, 300, 1e-6  # EM steps; gain per customer at which it stops


@dataclass(frozen=True)
class HurdleMixture:
    """A fitted mixture of k classes over d columns."""

    weights: np.ndarray  # of the classes
    does: np.ndarray  # (d, k): how probably a member passes; nearly 1 where a column has no hurdle
    means: np.ndarray  # (d, k): of those who pass
    variances: (
        np.ndarray
    )  # (d,): shared, which bounds the likelihood (McLachlan & Peel 2000, ch. 3)
    log_likelihoods: list[float]  # before each step of EM
    bic: float
    labels: np.ndarray


def hurdle_values(matrix: np.ndarray, features: pd.DataFrame) -> np.ndarray:
    """Return the standardised value of "does not" in each column; NaN where there is no hurdle.

    The features are those of the same customers in real units, where 0 is "does not".
    """
    zeros = features.to_numpy() == 0
    usual = (zeros.mean(axis=0) >= RAREST) & (zeros.mean(axis=0) <= 1 - RAREST)
    return np.where(usual, matrix[zeros.argmax(axis=0), np.arange(matrix.shape[1])], np.nan)


def fit(
    matrix: np.ndarray, hurdles: np.ndarray, k: int, seed: int, n_init: int = 5
) -> HurdleMixture:
    """Fit k classes by EM, from the best of several short runs (Biernacki et al. 2003).

    Within a class the columns are independent. Each is a hurdle (Cragg 1971, Mullahy 1986): with
    some probability a customer passes it, and the value of those who do is Gaussian. A `UserError`
    refuses as many parameters as there are customers, or more.
    """
    passed = ~np.isclose(matrix, hurdles)  # NaN is close to nothing: all pass
    values = np.where(passed, matrix, 0.0)
    statistics = np.hstack([passed, values, values**2])
    free = _parameters(hurdles, k)
    if free >= len(matrix):
        raise UserError(
            f"{len(matrix)} customers are too few for {k} classes with {free} parameters",
            remedy="ask for fewer segments, or give more customers",
        )
    starts, draw = [], np.random.default_rng(seed)
    with threadpool_limits(1):
        for _ in range(n_init if k > 1 else 1):
            centres = matrix[draw.choice(len(matrix), k, replace=False)]
            starts.append(_climb(statistics, np.eye(k)[assign(matrix, centres)], SHORT_RUN))
        best = max(starts, key=lambda found: found[1][-1])
        shares, heights, parameters = _climb(statistics, best[0], LONG_RUN)
    bic = free * np.log(len(matrix)) - 2 * heights[-1]
    labels = np.unique(shares.argmax(axis=1), return_inverse=True)[1]  # a class may be empty
    weights, does, means, variances = parameters
    return HurdleMixture(weights, does, means, variances, heights, float(bic), labels)


def scan(
    matrix: np.ndarray, hurdles: np.ndarray, ks: Sequence[int], seed: int
) -> dict[int, HurdleMixture]:
    """Fit each number of classes with two customers or more to a parameter; low BIC is good."""
    possible = [k for k in ks if 2 * _parameters(hurdles, k) <= len(matrix)]
    found = parallel_map(lambda k: fit(matrix, hurdles, k, seed), possible)
    return dict(zip(possible, found, strict=True))


def meaning(nearer: float, with_hurdle: int) -> Claim:
    """Say what follows if the classes agree with yes/no rules by so much more than segments do."""
    return claim(
        {"nearer": nearer, "with_hurdle": with_hurdle},
        (
            "with_hurdle == 0",
            "No column has a hurdle, so it is a mixture of Gaussians with independent columns.",
        ),
        (
            f"nearer > {CLEARLY}",
            "The classes depend more than the segments on who does something, and less on how "
            "much.",
        ),
        (
            f"nearer < -{CLEARLY}",
            "The segments separate who does something more clearly than the classes do.",
        ),
        (
            f"abs(nearer) <= {CLEARLY}",
            "The classes are about as near to the rules as the segments are.",
        ),
    )


def _parameters(hurdles: np.ndarray, k: int) -> int:
    columns, with_hurdle = len(hurdles), int(np.isfinite(hurdles).sum())
    return (k - 1) + k * (with_hurdle + columns) + columns


def _climb(statistics: np.ndarray, shares: np.ndarray, steps: int):
    """Alternate both steps of EM (Dempster, Laird & Rubin 1977) from first memberships.

    The log density of a class is linear in the statistics, so a step is two matrix products.
    """
    heights: list[float] = []
    for _ in range(steps):
        weights, does, means, variances = parameters = _maximise(statistics, shares)
        spread = variances[:, None]
        slopes = np.log(does / (1 - does)) - means**2 / (2 * spread)
        slopes -= np.log(2 * np.pi * spread) / 2
        squares = np.broadcast_to(-1 / (2 * spread), means.shape)
        joint = statistics @ np.vstack([slopes, means / spread, squares])
        joint += np.log(weights) + np.log1p(-does).sum(axis=0)
        total = logsumexp(joint, axis=1, keepdims=True)
        shares = np.exp(joint - total)
        heights.append(float(total.sum()))
        if len(heights) > 1 and heights[-1] - heights[-2] < GAIN * len(shares):
            break
    return shares, heights, parameters


def _maximise(statistics: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, ...]:
    """Estimate weights, probabilities, means and variances from memberships, shape (n, k)."""
    members = np.maximum(shares.sum(axis=0), EDGE)
    passed, sums, squares = (statistics.T @ shares).reshape(3, -1, shares.shape[1])
    means = sums / np.maximum(passed, EDGE)
    within = (squares - passed * means**2).sum(axis=1)
    variances = np.maximum(within / np.maximum(passed.sum(axis=1), 1), EDGE)
    does = np.clip(passed / members, EDGE, 1 - EDGE)
    return members / members.sum(), does, means, variances
