"""What else could have come out: other defensible choices, and other numbers of segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd
from sklearn.preprocessing import MinMaxScaler, RobustScaler

from customer_tables.errors import UserError
from segmentation.alternatives import cut, gaussian_mixture
from segmentation.claims import agreement_word
from segmentation.dataset import Dataset
from segmentation.features import fit_preparation
from segmentation.kmeans import fit_kmeans
from segmentation.stability import adjusted_rand

TRANSFORM_NAMES = {"none": "no transform", "log1p": "log1p for all", "yeo-johnson": "Yeo-Johnson"}

# --- other choices --------------------------------------------------------------------------------


def vary_choices(
    features: pd.DataFrame,
    dataset: Dataset,
    matrix: pd.DataFrame,
    tree: np.ndarray,
    k: int,
    seed: int,
    n_init: int,
) -> tuple[dict[tuple[str, str], np.ndarray], dict[str, str]]:
    """Segment the same customers after each of many other defensible choices.

    The tree is Ward's of the matrix.

    Returns
    -------
    labelings : dict of (choice, alternative) to ndarray, shape (n_customers,)
        Labels from 0, one choice changed at a time.
    left_out : dict of str to str
        Alternatives that cannot be computed on this table, and why.
    """
    chosen = dataset.features_with("segment")
    values = matrix.to_numpy()

    def segment(space: pd.DataFrame | np.ndarray, seed: int = seed) -> np.ndarray:
        return fit_kmeans(np.asarray(space), k, n_init=n_init, seed=seed).labels

    def transformed(name: str) -> np.ndarray:
        return segment(fit_preparation(features, chosen, transform=name).transform(features))

    def scaled(scaler: MinMaxScaler | RobustScaler) -> np.ndarray:
        return segment(scaler.fit_transform(values))

    trials: dict[tuple[str, str], Callable[[], np.ndarray]] = {}
    for transform, name in TRANSFORM_NAMES.items():
        if {feature.transform for feature in chosen} != {transform}:  # that is the chosen one
            trials["transform", name] = partial(transformed, transform)
    trials["scaling", "min-max scaling (0 to 1)"] = partial(scaled, MinMaxScaler())
    trials["scaling", "robust scaling (median and IQR)"] = partial(scaled, RobustScaler())
    for feature in chosen if len(chosen) > 2 else ():
        label = f"without {feature.label or feature.name}"
        trials["features", label] = partial(segment, matrix.drop(columns=feature.name))
    trials["algorithm", "Ward"] = lambda: cut(tree, k)
    trials["algorithm", "Gaussian mixture"] = lambda: gaussian_mixture(values, k, seed)
    for other in (seed + 1, seed + 2):
        trials["seed", f"seed {other}"] = partial(segment, values, other)

    labelings, left_out = {}, {}
    for (choice, name), trial in trials.items():
        try:
            labelings[choice, name] = trial()
        except (UserError, ValueError, np.linalg.LinAlgError) as error:
            reason = error.what if isinstance(error, UserError) else str(error)
            left_out[f"{choice}, {name}"] = " ".join(reason.split())[:200]
    return labelings, left_out


def agreement_table(
    labels: np.ndarray, labelings: dict[tuple[str, str], np.ndarray]
) -> pd.DataFrame:
    """Tabulate the agreement of each alternative with the chosen segments, lowest first."""
    rows = [(*trial, adjusted_rand(labels, other)) for trial, other in labelings.items()]
    table = pd.DataFrame(rows, columns=["choice", "alternative", "ARI"])
    table["agreement"] = [agreement_word(value) for value in table["ARI"]]
    return table.sort_values("ARI", kind="stable").reset_index(drop=True)


# --- lineage: how segments split and merge as their number grows ----------------------------------


def flows(labelings: Mapping[int, np.ndarray]) -> pd.DataFrame:
    """Count the customers that go from each segment of a solution to each of the next.

    The solutions, two or more by their k, are numbered from 0. Empty flows are left out.
    """
    ks = sorted(labelings)
    columns = ["k_from", "segment_from", "k_to", "segment_to"]
    tables = [
        pd.DataFrame(
            dict(zip(columns, (start, labelings[start], stop, labelings[stop]), strict=True))
        )
        for start, stop in zip(ks, ks[1:], strict=False)
    ]
    return pd.concat(tables).groupby(columns).size().rename("customers").reset_index()


def order_for_display(table: pd.DataFrame) -> dict[int, list[int]]:
    """Order each solution's segments, top to bottom, so that few ribbons of `flows` cross.

    The first solution keeps its order; the segments of each later one are placed at the barycentre
    of those that their customers come from (Sugiyama, Tagawa & Toda 1981).
    """
    steps, orders = _steps(table), dict[int, list[int]]()
    for (start, stop), counts in steps.items():
        orders.setdefault(start, list(range(len(counts))))
        centres = np.argsort(orders[start]) @ counts / counts.sum(axis=0)
        orders[stop] = np.argsort(centres, kind="stable").tolist()
    return orders


def _steps(table: pd.DataFrame) -> dict[tuple[int, int], np.ndarray]:
    """Tabulate customers by segment before and after, for each pair of solutions."""
    return {
        (int(start), int(stop)): part.pivot_table(
            index="segment_from", columns="segment_to", values="customers", fill_value=0
        ).to_numpy()
        for (start, stop), part in table.groupby(["k_from", "k_to"])
    }


def segment_stability(table: pd.DataFrame, jaccard: Mapping[int, np.ndarray]) -> pd.DataFrame:
    """Stability of each segment of each solution in `flows`, across resamples and across k.

    The column `resamples` is the stability within a solution, SLSW: the mean over resamples, the
    rows of `jaccard`. The column `k` is that across solutions, SLSA (Dolnicar & Leisch 2017): one
    less the entropy of where a segment's customers were in the solution before, over the entropy's
    maximum: 1 where all come from one segment, 0 where evenly from all; NaN for the first k.
    """
    within = {(k, s): v for k, each in jaccard.items() for s, v in enumerate(each.mean(axis=0))}
    across: dict[tuple[int, int], float] = {}
    for (_, k), counts in _steps(table).items():
        shares = counts / counts.sum(axis=0)
        entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=0)
        slsa = 1 - entropy / np.log(max(len(counts), 2))
        across |= {(k, segment): value for segment, value in enumerate(slsa)}
    columns = {"resamples": pd.Series(within), "k": pd.Series(across)}
    return pd.DataFrame(columns).rename_axis(["k", "segment"])
