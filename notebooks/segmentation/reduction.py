"""Dimensionality reduction: training and held-out rows, and measures of quality.

A reduction is anything with scikit-learn's ``transform(matrix) -> code`` and
``inverse_transform(code) -> matrix``: its PCA, and the autoencoders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import adjusted_mutual_info_score

from segmentation.claims import Claim, claim
from segmentation.profiling import explained
from segmentation.silhouette import silhouettes
from segmentation.stability import adjusted_rand

REPEATS_WITHIN = 0.05  # of the ARI of fits on the features: trainings agree as well as these


@dataclass(frozen=True)
class Split:
    """Row numbers: to train on, to stop the training by, and to judge the result on."""

    train: np.ndarray
    validation: np.ndarray
    held_out: np.ndarray


def split_rows(rows: int, seed: int, *, share: float = 0.2) -> Split:
    """Hold out a share of the rows at random, then a share of the others for validation."""
    order = np.random.default_rng(seed).permutation(rows)
    first = round(share * rows)
    second = first + round(share * (rows - first))
    return Split(order[second:], order[first:second], order[:first])


def loadings(pca: PCA, features) -> pd.DataFrame:
    """Correlations of features, standardised over the rows, with components."""
    scale = (pca.n_samples_ - 1) / pca.n_samples_  # from the unbiased variance to the rows' own
    values = pca.components_.T * np.sqrt(pca.explained_variance_ * scale)
    names = [f"PC{number}" for number in range(1, values.shape[1] + 1)]
    return pd.DataFrame(values, index=features, columns=names)


def reconstruction_r2(matrix, rebuilt) -> float:
    """Share of the rows' variance, all columns together, that the rebuilt rows keep."""
    values = np.asarray(matrix, dtype=np.float64)
    lost = np.square(values - rebuilt).sum()
    return float(1 - lost / np.square(values - values.mean(axis=0)).sum())


def judge_reductions(matrix, reductions: dict, split: Split, *, rows: int = 800) -> pd.DataFrame:
    """Judge fitted reductions, by (method, rank, seed), on the held-out rows.

    Trustworthiness falls when neighbours in the code are far apart in the space, continuity when
    neighbours in the space are torn apart in the code (Venna & Kaski, "Neighborhood preservation in
    nonlinear projection methods", ICANN 2001); 1 is perfect. Both use at most ``rows`` rows.
    """
    values = np.asarray(matrix, dtype=np.float64)[split.held_out]
    space = values[:rows]
    neighbours = max(1, min(10, len(space) // 5))
    found = {}
    for key, reduction in reductions.items():
        code = reduction.transform(values)
        found[key] = (
            reconstruction_r2(values, reduction.inverse_transform(code)),
            trustworthiness(space, code[:rows], n_neighbors=neighbours),
            trustworthiness(code[:rows], space, n_neighbors=neighbours),
        )
    index = pd.MultiIndex.from_tuples(found, names=["method", "rank", "seed"])
    columns = ["held_out_r2", "trustworthiness", "continuity"]
    return pd.DataFrame(list(found.values()), index=index, columns=columns)


def beside_pca(matrix, networks: Sequence, split: Split) -> dict:
    """Return trained networks, and PCA at their ranks on the rows that they have seen.

    By (method, rank, seed); PCA has no seed, -1.
    """
    seen = np.asarray(matrix)[np.concatenate([split.train, split.validation])]
    ranks = dict.fromkeys(network.rank for network in networks)
    fitted: dict = {("PCA", rank, -1): PCA(rank).fit(seen) for rank in ranks}
    return fitted | {("autoencoder", n.rank, n.seed): n for n in networks}


def judge_networks(matrix, networks: Sequence, split: Split) -> pd.DataFrame:
    """Judge trained networks beside PCA, as `judge_reductions` does."""
    return judge_reductions(matrix, beside_pca(matrix, networks, split), split)


def encode(matrix, networks: Sequence, split: Split) -> dict[tuple, np.ndarray]:
    """Return the codes of trained networks and of PCA beside them, by (method, rank, seed)."""
    fitted = beside_pca(matrix, networks, split)
    return {key: model.transform(matrix) for key, model in fitted.items()}


def by_rank(judged: pd.DataFrame) -> pd.DataFrame:
    """Hold the autoencoder's held-out R² against that of PCA, rank by rank.

    The error ratio is the error of PCA over that of the autoencoder's mean.
    """
    r2 = judged["held_out_r2"].groupby(["method", "rank"]).agg(["mean", "min", "max"])
    pca, learned = r2.loc["PCA", "mean"], r2.loc["autoencoder"].add_prefix("autoencoder_")
    ratio = (1 - pca) / (1 - learned["autoencoder_mean"])
    return pd.concat([pca.rename("PCA"), learned, ratio.rename("error_ratio")], axis=1)


def judge_labelings(matrix, labelings: dict, reference) -> pd.DataFrame:
    """Judge segmentations of the same customers, by (method, rank, seed), in one space.

    Beside the mean silhouette there are the ARI with the reference labels, and the mean ARI with
    the other labelings of the same method and rank (nan for a single one). Labels are from 0.
    """
    own, found = silhouettes(matrix, labelings), []
    for key, labels in labelings.items():
        others = [labelings[o] for o in labelings if o[:2] == key[:2] and o != key]
        between = [adjusted_rand(labels, other) for other in others] or [np.nan]
        found.append((np.nanmean(own[key]), adjusted_rand(labels, reference), np.mean(between)))
    index = pd.MultiIndex.from_tuples(labelings, names=["method", "rank", "seed"])
    return pd.DataFrame(found, index=index, columns=["silhouette", "ari", "ari_between"])


def outside_measures(labelings: dict, described: pd.DataFrame, rules) -> pd.DataFrame:
    """Measure what labelings say about variables that did not make them; 0 is chance.

    The table, by (method, rank, seed), has two columns: `described`, the share of the ranked
    variables' variance between the segments, adjusted for chance (epsilon squared: Kelley 1935; of
    ranks: Tomczak & Tomczak 2014), mean over the variables; and `rules`, the adjusted mutual
    information with the groups by yes/no rules (Vinh, Epps & Bailey 2010). A column is missing
    where there is nothing to measure it by.
    """
    ranks = described.loc[:, described.max() > described.min()].rank()
    found = {}
    for key, labels in labelings.items():
        shares = [explained(column, labels) for _, column in ranks.items()]
        chance = (len(labels) - 1) / (len(labels) - len(np.unique(labels)))
        found[key] = {"described": 1 - (1 - np.mean(shares)) * chance} if shares else {}
        if rules is not None:
            found[key]["rules"] = adjusted_mutual_info_score(rules, labels)
    table = pd.DataFrame(list(found.values()), pd.MultiIndex.from_tuples(found))
    return table.rename_axis(["method", "rank", "seed"])


def by_method(scored: pd.DataFrame) -> pd.DataFrame:
    """Tabulate each method and rank over its trainings: their agreement, and the range of the rest.

    Of `judge_labelings`, joined with `outside_measures`.
    """
    groups = scored.groupby(["method", "rank"], sort=False)
    table = groups.agg(trainings=("ari", "size"), ari_between_trainings=("ari_between", "mean"))
    for column in scored.columns.drop("ari_between"):
        ends = {f"{column}_lowest": (column, "min"), f"{column}_highest": (column, "max")}
        table = table.join(groups.agg(**ends))
    return table


def sampling_margin(customers: int) -> float:
    """Return two standard errors of a share of variance, at most: 2 R (1 - R²) / √n, at R² = 1/3.

    Olkin & Finn, "Correlations redux", Psychological Bulletin 118 (1995).
    """
    return 2 * 4 / (27 * customers) ** 0.5


def evidence(scored: pd.DataFrame, measures: list[str], margin: float) -> pd.DataFrame:
    """Compare the segments from each rank's codes with those from the features.

    From `judge_labelings`, joined with `outside_measures`, whose columns `measures` names. A rank
    `tells` where in every training every measure is above all fits on the features by more than the
    margin; it `repeats` where trainings agree as those fits do, to within `REPEATS_WITHIN`.
    """
    groups = scored.groupby(["method", "rank"])
    between = groups["ari_between"].mean()
    direct = between.loc["features"].iloc[0] - REPEATS_WITHIN
    table = pd.DataFrame({"repeats": between.loc["autoencoder"] >= direct, "tells": False})
    if measures:
        direct = scored.xs("features", level="method")[measures].max()
        table["tells"] = (groups[measures].min().loc["autoencoder"] > direct + margin).all(axis=1)
    return table


def verdict(rebuilds: bool, tells: bool, repeats: bool) -> Claim:
    """Say whether an autoencoder is worth using beside PCA and K-Means on the features.

    It rebuilds where its worst training reconstructed held-out rows better than PCA, at every rank;
    `tells` and `repeats` as in `evidence`, of one and the same rank.
    """
    compressing, no = "is worth using as a compression", "is not worth using here"
    differ = ": its segments explain more of outside variables, but differ between trainings"
    return claim(
        {"rebuilds": rebuilds, "tells": tells, "repeats": repeats},
        ("tells == 1 and repeats == 1", "is worth using for the segmentation"),
        ("tells == 1 and rebuilds == 1", compressing + differ),
        ("tells == 1", no + differ),
        ("rebuilds == 1", f"{compressing}, not as a basis for segments"),
        ("rebuilds == 0", no),
    )
