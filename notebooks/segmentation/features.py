"""Features: formulas over columns, transforms and scaling, as a fitted and saved preparation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from customer_tables.errors import UserError
from segmentation import expressions
from segmentation.dataset import Dataset, Feature

LARGEST = 1e100  # of a feature: larger ones have no squares, and so no distances


def build_features(customers: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Compute every feature of dataset.toml in its real unit.

    Returns
    -------
    DataFrame, shape (n_customers, n_features)

    Raises
    ------
    UserError
        If a formula gives a value for some customer that is not finite, or too large to square.
    """
    features = {f.name: expressions.evaluate(f.formula, customers) for f in dataset.features}
    table = pd.DataFrame(features, index=customers.index).astype("float64")
    broken = ~(table.abs() < LARGEST)
    if broken.any().any():
        name = broken.any().idxmax()
        refuse_endless(dataset.feature(name), int(broken[name].sum()))
    return table


def refuse_endless(feature: Feature, rows: int) -> NoReturn:
    """Say that a feature is not finite for some customers, or too large to square."""
    raise UserError(
        f"the feature {feature.name!r} is not finite for {rows} customers",
        where=f"formula {feature.formula!r}",
        remedy="use ratio(a, b) for divisions that may meet zero",
    )


@dataclass(frozen=True)
class Scaled:
    """How one feature becomes a standardised one.

    ``z = (transform(x) - mean) / deviation``; ``power`` is the fitted exponent of Yeo-Johnson.
    """

    name: str
    transform: str
    mean: float
    deviation: float
    power: float | None = None

    def apply(self, values: pd.Series | np.ndarray) -> np.ndarray:
        """Transform and standardise values in real units, shape (n,)."""
        transformed = apply_transform(np.asarray(values, float), self.transform, self.power)
        return (transformed - self.mean) / self.deviation


@dataclass(frozen=True)
class Preparation:
    """A fitted transform and scaling of features: the same numbers for training and scoring."""

    steps: tuple[Scaled, ...]

    def transform(self, features: pd.DataFrame) -> pd.DataFrame:
        """Standardise features, shape (n_customers, n_steps)."""
        columns = {step.name: step.apply(features[step.name]) for step in self.steps}
        return pd.DataFrame(columns, index=features.index)

    def to_dict(self) -> dict[str, Any]:
        """Return the preparation as plain numbers."""
        return {"steps": [asdict(step) for step in self.steps]}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Preparation:
        """Rebuild a preparation from plain numbers."""
        return cls(tuple(Scaled(**step) for step in content["steps"]))


def apply_transform(values: np.ndarray, transform: str, power: float | None = None) -> np.ndarray:
    """Apply log1p (signed, so that negatives stay negatives), Yeo-Johnson or nothing."""
    if transform == "log1p":
        if values.size and values.min() >= 0:
            return np.log1p(values)  # the same, in one pass
        return np.sign(values) * np.log1p(np.abs(values))
    if transform == "yeo-johnson":
        return yeo_johnson(values, power)
    return values


def yeo_johnson(values: np.ndarray, power: float) -> np.ndarray:
    """Apply the transform of Yeo & Johnson (2000), which takes negative values, too."""
    positive, negative = np.maximum(values, 0), np.minimum(values, 0)
    above = np.log1p(positive) if power == 0 else ((positive + 1) ** power - 1) / power
    rest = 2 - power
    below = -np.log1p(-negative) if rest == 0 else -((1 - negative) ** rest - 1) / rest
    return np.where(values >= 0, above, below)


def fit_preparation(
    features: pd.DataFrame, chosen: list[Feature], transform: str | None = None
) -> Preparation:
    """Fit transforms and scaling on the training customers.

    Parameters
    ----------
    features : DataFrame, shape (n_customers, n_features)
        In real units.
    chosen : list of Feature
        Which to prepare; each says its own transform.
    transform : str, optional
        One transform for all in place of their own, to ask what the choice does.

    Raises
    ------
    UserError
        If a feature is the same for every customer.
    """
    steps = []
    for feature in chosen:
        values = features[feature.name].to_numpy(float)
        kind = transform or feature.transform
        power = None
        if kind == "yeo-johnson":
            from sklearn.preprocessing import PowerTransformer  # slow to load, and only to fit

            power = float(PowerTransformer(standardize=False).fit(values[:, None]).lambdas_[0])
        transformed = apply_transform(values, kind, power)
        mean, deviation = float(transformed.mean()), float(transformed.std())
        if not deviation > 1e-12 * max(1.0, abs(mean)):
            after = f" after the transform {kind}" if np.ptp(values) > 0 else ""
            raise UserError(
                f"the feature {feature.name!r} is the same for every customer{after}",
                where=f"value {values[0]:g}",
                remedy='give it role = "left out" in dataset.toml',
            )
        steps.append(Scaled(feature.name, kind, mean, deviation, power))
    return Preparation(tuple(steps))


def distance_shares(matrix: pd.DataFrame) -> pd.Series:
    """Return the share of all squared distances between customers that each column carries.

    The sum of squared differences over all pairs is proportional to the column's variance.
    """
    variances = matrix.var(ddof=0)
    return variances / variances.sum()


def near_copies(correlation: pd.DataFrame, threshold: float = 0.8) -> pd.DataFrame:
    """List the pairs of columns whose absolute rank correlation reaches a threshold.

    Parameters
    ----------
    correlation : DataFrame, shape (n_columns, n_columns)
        Spearman's, of every column with every other.
    """
    first, second = np.triu_indices(len(correlation), k=1)
    pairs = pd.DataFrame(
        {
            "first": correlation.index[first],
            "second": correlation.columns[second],
            "correlation": correlation.to_numpy()[first, second],
        }
    )
    strong = pairs[pairs["correlation"].abs() >= threshold]
    order = strong["correlation"].abs().sort_values(ascending=False, kind="stable").index
    return strong.loc[order].reset_index(drop=True)
