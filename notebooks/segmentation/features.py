"""Features: formulas over columns, transforms and scaling, as a fitted and saved preparation."""

from __future__ import annotations

import ast
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from customer_tables.errors import UserError
from segmentation.dataset import Dataset, Feature
from segmentation.expressions import bind, evaluate

LARGEST = 1e100  # of a feature: larger ones have no squares, and so no distances


def build_features(customers: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Compute every feature of dataset.toml in its real unit; UserError unless all are finite."""
    features, columns = {}, dict(customers.items())
    for feature in dataset.features:
        values = evaluate(feature.formula, columns).astype("float64")
        if rows := len(values) - np.count_nonzero(np.abs(values) < LARGEST):
            raise UserError(
                f"the feature {feature.name!r} is not finite for {rows} customers",
                where=f"formula {feature.formula!r}",
                remedy="use ratio(a, b) for divisions that may meet zero",
            )
        features[feature.name] = values
    return pd.DataFrame(features, index=customers.index, copy=False)


@dataclass(frozen=True)
class Scaled:
    """How one feature becomes a standardised one."""

    name: str
    transform: str
    mean: float  # of the transformed feature, as is the deviation
    deviation: float
    power: float | None = None  # the fitted exponent of Yeo-Johnson

    @cached_property
    def formula(self) -> ast.expr:
        """The formula of the standardised feature over the feature in its real unit."""
        value = transformed(self.name, self.transform, self.power)
        return bind("(x - mean) / sd", x=value, mean=self.mean, sd=self.deviation)


@dataclass(frozen=True)
class Preparation:
    """A fitted transform and scaling of features: the same numbers for training and scoring."""

    steps: tuple[Scaled, ...]

    def transform(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return standardised features, shape (n_customers, n_steps)."""
        columns = dict(features.items())
        scaled = {step.name: evaluate(step.formula, columns) for step in self.steps}
        return pd.DataFrame(scaled, index=features.index)

    def to_dict(self) -> dict[str, Any]:
        """Return the preparation as plain numbers."""
        return {"steps": [asdict(step) for step in self.steps]}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Preparation:
        """Rebuild a preparation from plain numbers."""
        return cls(tuple(Scaled(**step) for step in content["steps"]))


def transformed(name: str, transform: str, power: float | None = None) -> ast.expr:
    """Return the formula of a transform of a column: signed log1p, Yeo and Johnson's, or none."""
    if transform == "log1p":
        return bind("sign(x) * log1p(abs(x))", x=name)
    if transform == "yeo-johnson" and power is not None:
        above = "log1p(x)" if power == 0 else "((x + 1) ** power - 1) / power"
        below = "-log1p(-x)" if power == 2 else "-((1 - x) ** rest - 1) / rest"
        return bind(f"where(x >= 0, {above}, {below})", x=name, power=power, rest=2 - power)
    return bind("x", x=name)


def apply_transform(values: np.ndarray, transform: str, power: float | None = None) -> np.ndarray:
    """Apply log1p, Yeo-Johnson or nothing to values, as `transformed` says."""
    return evaluate(transformed("x", transform, power), {"x": values})


def fit_preparation(
    features: pd.DataFrame, chosen: list[Feature], transform: str | None = None
) -> Preparation:
    """Fit transforms and scaling of chosen features on the training customers.

    ``transform`` takes the place of all their own transforms, to ask what the choice does. A
    feature that is the same for every customer is refused with a UserError.
    """
    steps = []
    for feature in chosen:
        values = features[feature.name].to_numpy(float)
        kind, power = transform or feature.transform, None
        if kind == "yeo-johnson":
            from sklearn.preprocessing import PowerTransformer  # slow to load, and only to fit

            power = float(PowerTransformer(standardize=False).fit(values[:, None]).lambdas_[0])
        prepared = apply_transform(values, kind, power)
        mean, deviation = float(prepared.mean()), float(prepared.std())
        if not deviation > 1e-12 * max(1.0, abs(mean)):
            after = f" after the transform {kind}" if np.ptp(values) > 0 else ""
            raise UserError(
                f"the feature {feature.name!r} is the same for every customer{after}",
                where=f"value {values[0]:g}",
                remedy='give it role = "left out" in dataset.toml',
            )
        steps.append(Scaled(feature.name, kind, mean, deviation, power))
    return Preparation(tuple(steps))


def varying(features: pd.DataFrame, chosen: list[Feature]) -> list[Feature]:
    """Return the features that differ among these customers, who may be a part of all."""
    return [feature for feature in chosen if np.ptp(features[feature.name].to_numpy()) > 0]


def distance_shares(matrix: pd.DataFrame) -> pd.Series:
    """Return the share of all squared distances between customers that each column carries."""
    variances = matrix.var(ddof=0)  # proportional to the squared differences over all pairs
    return variances / variances.sum()


def strongest(correlation: pd.DataFrame) -> pd.Series:
    """Return each column's strongest absolute correlation with another one."""
    others = correlation.abs().mask(np.eye(len(correlation), dtype=bool))
    return others.max().fillna(0.0)


def near_copies(correlation: pd.DataFrame, threshold: float = 0.8) -> pd.DataFrame:
    """List the pairs of columns whose absolute correlation reaches a threshold, strongest first."""
    first, second = np.triu_indices(len(correlation), k=1)
    names = correlation.columns
    pairs = pd.DataFrame({"first": names[first], "second": names[second]})
    pairs["correlation"] = correlation.to_numpy()[first, second]
    strong = pairs[pairs["correlation"].abs() >= threshold]
    by_strength = {"key": abs, "ascending": False, "kind": "stable", "ignore_index": True}
    return strong.sort_values("correlation", **by_strength)
