"""The decision on data whose structure is known: groups, one mass, nothing but zeros."""

from functools import partial

import numpy as np
import pytest

import simulate_decision as simulation
from segmentation import null_reference, selection


# scripts/simulate_decision.py has more seeds, sizes and cases
@pytest.mark.parametrize(
    ("case", "n"),
    [(name, 1_000) for name, (_, _, right) in simulation.CASES.items() if right]
    + [("no groups: heavy tails", 300), ("no groups: one Gaussian", 300)]
    + [("no groups: recency, frequency, value", 300), ("no groups: independent hurdles", 1_000)],
)
def test_groups_are_seen_where_there_are_some(case, n):
    draw, _, right = simulation.CASES[case]
    found = simulation.repeat(case, n, 0, draw)
    assert bool(found["natural"]) == bool(right), found
    assert (found["word"] == "natural") <= bool(right), found
    if right and min(right) >= 3:
        assert found["k"] in right or not found["k"], found


def test_a_mass_with_zeros_is_no_discovery(embedded_matrix):
    rng = np.random.default_rng(3)
    customers = embedded_matrix[rng.choice(len(embedded_matrix), 2_000, replace=False)]
    for make in (null_reference.same_margins, null_reference.same_zeros):
        found = simulation.repeat("mass", 1_500, 1, partial(one_mass, make, customers))
        assert (found["natural"], found["word"], found["clearer"]) == ((), "constructed", False)


def one_mass(make, customers, n, rng):
    return make(customers, rng)[:n]


def test_the_decision_does_not_depend_on_the_seed(embedded_matrix):
    sample = embedded_matrix[:4_000]
    assert {selection.decide(sample, range(4, 8), seed=seed)[0].k for seed in (0, 1)} == {6}


def test_the_stored_table_is_that_of_the_stored_runs():
    table = simulation.report(simulation.stored_runs())
    assert (simulation.STORED / "README.md").read_text(encoding="utf-8") == table
