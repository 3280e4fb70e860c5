"""The segment of a customer, the confidence of the assignment, and outliers."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import lru_cache, reduce

import numpy as np
import pandas as pd

from segmentation.expressions import bind, call, choose, evaluate

FAR = 1e300  # farther than any centre can be
OUTLIER_QUANTILE = 0.999  # of the training customers of a segment, by distance to its centre
# Over what `assignment_steps` find, and the outlier distance of the segment.
CONFIDENCE, OUTLIER = "1 - ratio", "nearest > limit"


def distances(matrix: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Euclidean distances of customers, shape (n, d), to centres, shape (k, d): shape (n, k).

    The squares are added feature after feature, so that a customer's distances do not depend on
    the customers beside (a sum over an axis adds in another order where it is one customer's).
    """
    squares, square = np.zeros((2, len(centres), len(matrix)))
    for values, places in zip(matrix.T, centres.T, strict=True):
        np.subtract(values, places[:, None], out=square)
        squares += np.square(square, out=square)
    return np.sqrt(squares, out=squares).T


def distance_formulas(
    centres: Sequence[Sequence[float]], names: Sequence[str]
) -> dict[str, ast.expr]:
    """Return the distances to k centres as formulas over standardised features by name."""
    formulas = {}
    for number, centre in enumerate(centres, start=1):
        squares = [
            bind("(x - at) ** 2", x=name, at=at) for name, at in zip(names, centre, strict=True)
        ]
        total = reduce(lambda a, b: bind("a + b", a=a, b=b), squares)
        formulas[f"distance_{number}"] = call("sqrt", total)
    return formulas


@lru_cache(maxsize=32)
def assignment_steps(k: int) -> list[dict[str, ast.expr]]:
    """Return how a segment follows from the distances to k centres, as formulas.

    Each step reads ``distance_1`` … ``distance_k`` and what the steps before found. Among equal
    distances the first centre is taken.
    """
    numbers = range(1, k + 1)
    own = [(bind("d == nearest", d=f"distance_{s}"), s) for s in numbers]
    others = {
        f"other_{s}": bind("where(segment == s, far, d)", s=s, far=FAR, d=f"distance_{s}")
        for s in numbers
    }
    second = [(bind("d == second_nearest", d=f"other_{s}"), s) for s in numbers]
    ratio = (
        "where(second_nearest > 0, nearest / second_nearest,"
        " where(second_nearest == 0, 1, unknown))"
    )
    return [
        {"nearest": call("min", *(ast.Name(f"distance_{s}") for s in numbers))},
        {"segment": choose(own)},
        others,
        {"second_nearest": call("min", *map(ast.Name, others))},
        {"second_choice": choose(second), "ratio": bind(ratio, unknown=None)},
    ]


def assign(distances: np.ndarray) -> dict[str, np.ndarray]:
    """Find the nearest and the second-nearest of k centres; the first of equals.

    From distances, shape (k, n), follow segment and second_choice (from 1), distance (to the
    nearest centre), ratio (nearest to second-nearest distance: 0 at the centre, 1 on the boundary)
    and confidence (1 - ratio), shape (n,) each.
    """
    found = {f"distance_{s}": distance for s, distance in enumerate(distances, start=1)}
    for step in assignment_steps(len(distances)):
        found |= {name: evaluate(formula, found) for name, formula in step.items()}
    return {
        "segment": found["segment"].astype(np.int64),
        "second_choice": found["second_choice"].astype(np.int64),
        "distance": found["nearest"],
        "ratio": found["ratio"],
        "confidence": evaluate(CONFIDENCE, found),
    }


def assignment_confidence(distances: np.ndarray) -> pd.DataFrame:
    """Tabulate `assign` of distances, shape (n, k)."""
    return pd.DataFrame(assign(np.asarray(distances).T))


def outlier_distances(assigned: dict[str, np.ndarray], k: int) -> np.ndarray:
    """Return for each segment how far from its centre all but a few training customers are.

    Customers who are farther away are outliers. What is `assigned` is as `assign` gives it.
    """
    segment, distance = assigned["segment"], assigned["distance"]
    return np.array(
        [np.quantile(distance[segment == s], OUTLIER_QUANTILE) for s in range(1, k + 1)]
    )
