"""The verdict on data whose structure is known: groups, a continuum, nothing."""

import os

import numpy as np
import pytest

from segmentation import null_reference, selection, stability
from segmentation.assignment import distances
from segmentation.kmeans import scan_kmeans
from segmentation.profiling import share_near_boundary
from segmentation.silhouette import silhouettes

CUSTOMERS = 500
KS = range(2, 9)
SEEDS = range(int(os.environ.get("VERDICT_SEEDS", "4")))  # all pass with 20; that takes minutes


def judge(matrix: np.ndarray, seed: int) -> tuple[selection.Choice, selection.Verdict]:
    """Standardise, decide and judge as notebook 04 does, with small settings."""
    matrix = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    fits = scan_kmeans(matrix, KS, n_init=6, seed=seed)
    scores = silhouettes(matrix, {k: fit.labels for k, fit in fits.items()})
    scan = null_reference.scan_statistics(matrix, fits, scores)
    nulls = null_reference.null_statistics(matrix, KS, draws=1, n_init=2, seed=seed)
    gap = null_reference.gap_statistic(matrix, fits, draws=2, n_init=2, seed=seed)
    resampled = stability.resample_scan(matrix, fits, resamples=16, n_init=6, seed=seed)
    scan["smallest_share"] = [np.bincount(fits[k].labels).min() / len(matrix) for k in KS]
    scan["stability"] = [resampled[k].agreement.mean() for k in KS]
    scan["worst_jaccard"] = [resampled[k].jaccard.mean(axis=0).min() for k in KS]
    scan["border_share"] = [share_near_boundary(distances(matrix, fits[k].centres)) for k in KS]
    scan["null_silhouette"] = nulls.groupby("k")["silhouette"].max()
    choice = selection.choose_k(scan)
    at_k = nulls[nulls["k"] == choice.k].groupby("null")["silhouette"].max()
    gap_k = int(gap.index[gap["chosen"]][0])
    return choice, selection.verdict(scan, choice, null_silhouettes=at_k.to_dict(), gap_k=gap_k)


def blobs(seed: int, groups: int) -> np.ndarray:
    """Round groups whose centres lie at least eight standard deviations apart."""
    rng = np.random.default_rng(seed)
    centres = 8 / np.sqrt(2) * np.eye(6)[:groups]
    return centres[rng.integers(0, groups, CUSTOMERS)] + rng.normal(size=(CUSTOMERS, 6))


def ring(seed: int) -> np.ndarray:
    """A continuum with a shape: three corners of a thick frame joined by customers between."""
    rng = np.random.default_rng(seed)
    side, along = rng.integers(0, 3, CUSTOMERS), rng.beta(0.35, 0.35, CUSTOMERS)
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.87]])
    points = corners[side] + along[:, None] * (corners[(side + 1) % 3] - corners[side])
    return np.column_stack([points, *rng.normal(0, 0.35, (2, CUSTOMERS))])


def independent(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(CUSTOMERS, 7))


def one_gaussian(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = np.eye(6) + 0.25 * rng.normal(size=(6, 6))
    return rng.normal(size=(CUSTOMERS, 6)) @ mixing


@pytest.mark.parametrize("groups", [3, 4, 5, 6])
def test_separated_groups_are_natural_and_counted_right(groups):
    for seed in SEEDS[groups - 3 :: 4]:  # the seeds are shared between the numbers of groups
        choice, verdict = judge(blobs(seed, groups), seed)
        assert (choice.k, verdict.word) == (groups, "natural"), f"seed {seed}: {verdict.reasons}"


@pytest.mark.parametrize(
    ("make", "word"),
    [(independent, "constructed"), (one_gaussian, "constructed"), (ring, "reproducible")],
)
def test_data_without_groups_are_never_natural(make, word):
    for seed in SEEDS:
        choice, verdict = judge(make(seed), seed)
        assert verdict.word == word, f"seed {seed}: k = {choice.k}, {verdict.reasons}"
        assert choice.natural == () or word == "reproducible"
