"""Distances and the two nearest centres: the plain formulas, to the last bit, in any layout."""

import numpy as np
import pytest
from fitted import fit_model

from customer_tables.table import read_table
from segmentation import applying, assignment
from segmentation.applying import Applier
from segmentation.assignment import assignment_confidence, distances, nearest_two
from segmentation.dataset import load_dataset
from segmentation.model import dataset_of, score_customers


@pytest.mark.parametrize("k", [2, 3, 7])
def test_distances_are_the_plain_ones_in_any_layout(k):
    random = np.random.default_rng(k)
    matrix, centres = random.normal(size=(10_001, 13)), random.normal(size=(k, 13))
    found = distances(matrix, centres)
    columns = np.asfortranarray(matrix)
    plain = np.column_stack([np.linalg.norm(columns - centre, axis=1) for centre in centres])
    assert (found == plain).all()
    assert (distances(columns, centres) == found).all()
    assert (distances(matrix[5000:5003], centres) == found[5000:5003]).all()
    for alone in range(5000, 5050):
        assert (distances(matrix[alone : alone + 1], centres) == found[alone]).all()


def test_the_two_nearest_are_the_first_of_equals():
    values = np.random.default_rng(1).integers(0, 4, size=(6, 5000)).astype(float)
    first, near, second, next_ = nearest_two(values)
    order = np.argsort(values, axis=0, kind="stable")
    assert (first == order[0]).all() and (second == order[1]).all()
    assert (near == np.sort(values, axis=0)[0]).all()
    assert (next_ == np.sort(values, axis=0)[1]).all()


def test_a_customer_on_two_equal_centres_has_no_confidence():
    table = assignment_confidence(np.zeros((3, 2)))
    assert (table["ratio"] == 1).all() and (table["confidence"] == 0).all()


def test_the_size_of_the_blocks_does_not_matter(monkeypatch):
    known = load_dataset("credit_card")
    table = read_table(known.source_path).table
    model = fit_model(known, table, 5)
    whole = score_customers(model, table)
    monkeypatch.setattr(applying, "BLOCK", 77)
    monkeypatch.setattr(assignment, "BLOCK", 31)
    again = score_customers(model, table)
    assert again.assigned.equals(whole.assigned)
    assert again.features.equals(whole.features)
    assert again.changes == whole.changes and whole.changes
    columns = {name: whole.as_read[name].to_numpy()[:500] for name in whole.as_read}
    few = Applier(model, dataset_of(model)).apply(columns, 500)
    assert (few.distance == whole.assigned["distance"].to_numpy()[:500]).all()
