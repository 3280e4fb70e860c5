"""Distances and the two nearest centres: the plain formulas, to the last bit, in any layout."""

import numpy as np
import pytest

from segmentation.assignment import assign, assignment_confidence, distances


@pytest.mark.parametrize("k", [2, 3, 7])
def test_distances_are_the_plain_ones_in_any_layout(k):
    random = np.random.default_rng(k)
    matrix, centres = random.normal(size=(10_001, 13)), random.normal(size=(k, 13))
    found = distances(matrix, centres)
    columns = np.asfortranarray(matrix)
    plain = np.column_stack([np.linalg.norm(columns - centre, axis=1) for centre in centres])
    assert (found == plain).all()
    assert (distances(columns, centres) == found).all()
    for alone in range(5000, 5050):
        assert (distances(matrix[alone : alone + 1], centres) == found[alone]).all()


def test_the_two_nearest_are_the_first_of_equals():
    values = np.random.default_rng(1).integers(0, 4, size=(6, 5000)).astype(float)
    found, order = assign(values), np.argsort(values, axis=0, kind="stable")
    near, other = np.sort(values, axis=0)[:2]
    assert (found["segment"] == order[0] + 1).all()
    assert (found["second_choice"] == order[1] + 1).all()
    assert (found["distance"] == near).all()
    ratio = np.where(other > 0, near / np.where(other > 0, other, 1), 1)
    assert (found["ratio"] == ratio).all() and (found["confidence"] == 1 - ratio).all()


def test_a_customer_on_two_equal_centres_has_no_confidence():
    table = assignment_confidence(np.zeros((3, 2)))
    assert (table["ratio"] == 1).all() and (table["confidence"] == 0).all()
