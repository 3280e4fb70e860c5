"""Customers with their segments as one object: what is asked of it, and trials beside the run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from fitted import NAMES

from customer_tables.errors import UserError


def test_customers_and_sizes_are_those_of_the_run(segments):
    customers, sizes = segments.customers, segments.sizes
    assert (customers["segment"] == segments.stored[4] + 1).all()
    assert set(customers["name"]) == set(NAMES.values()) == set(sizes["name"])
    assert sizes.index.to_list() == [1, 2, 3, 4]
    assert sizes["customers"].sum() == len(customers) and sizes["share"].sum() == pytest.approx(1)
    assert (sizes["Jaccard"] == 0.9).all() and segments.agreement == 1


def test_a_cell_shows_a_table_with_every_text_escaped(segments):
    page = BeautifulSoup(segments._repr_html_(), "html.parser")
    assert page.caption.text == f"The segments of the run. {len(segments.matrix)} cardholders"
    assert "<b>Fourth</b>" in page.text and page.b is None
    assert "Trial: k = 3; adjusted Rand index with the run" in segments.at(3)._repr_html_()


def test_another_number_of_segments_is_the_scan_s_solution(segments):
    three = segments.at(3)
    assert (three.customers["segment"] == segments.stored[3] + 1).all()
    assert (three.k, len(set(three.names.values()))) == (3, 3)
    assert 0 < three.agreement < 1
    assert three.at(4) is segments, "from a trial back to the run"
    with pytest.raises(UserError, match="no solution for k = 9") as refused:
        segments.at(9)
    assert "from 2 to 5" in str(refused.value)


def test_a_refit_without_a_feature_keeps_the_numbers_of_the_run(segments):
    gone = segments.matrix.columns[-1]
    again, without = segments.refit(), segments.refit(without=gone)
    assert again.agreement > 0.8 and again.trial == "the same again"
    same = again.customers["segment"] == segments.customers["segment"]
    assert same.mean() > 0.8, "matched with the segments of the run"
    assert gone not in without.matrix and without.trial == f"without {gone}"
    assert without.published is segments and "Jaccard" not in without.sizes
    assert sorted(without.sizes.index) == [1, 2, 3, 4]


def test_a_heavy_feature_decides(segments):
    name = segments.matrix.columns[0]
    heavy = segments.refit(2, weights={name: 1e6})
    assert heavy.trial == f"k = 2, {name} × 1e+06"
    ranges = segments.matrix[name].groupby(heavy.customers["segment"]).agg(["min", "max"])
    assert ranges["min"].max() >= ranges["max"].min()


@pytest.mark.parametrize("asked", [{"without": "salary"}, {"weights": {"salary": 2}}])
def test_a_name_that_is_no_feature_is_refused_with_those_there_are(segments, asked):
    with pytest.raises(UserError, match="'salary' is no feature that segments") as refused:
        segments.refit(**asked)
    assert segments.matrix.columns[0] in str(refused.value)
    with pytest.raises(UserError, match="no feature is left"):
        segments.refit(without=list(segments.matrix))


def test_the_change_of_one_feature_leads_to_the_second_choice(segments):
    identifier = segments.near_boundary(1).index[0]
    row, changes = segments.customers.loc[identifier], segments.customer(identifier)
    labels = {f.label or f.name: f.name for f in segments.known.features}
    assert len(changes)
    for label, change in changes["change"].items():
        moved = segments.matrix.loc[identifier].copy()
        moved[labels[label]] += 1.01 * change
        nearest = np.linalg.norm(segments.centres - moved.to_numpy(), axis=1).argmin() + 1
        assert nearest == row["second_choice"]
    assert changes["change"].abs().is_monotonic_increasing
    assert row["name"] in changes.attrs["caption"]
    with pytest.raises(UserError, match="no customer 'nowhere'"):
        segments.customer("nowhere")


def test_near_a_boundary_are_the_least_confident(segments):
    found = segments.near_boundary(5, segment=2)
    own = segments.customers.query("segment == 2")["confidence"]
    assert (found["segment"] == 2).all()
    assert found["confidence"].to_list() == sorted(own)[:5]


def test_some_customers_are_compared_with_all_by_mask_place_or_identifier(segments):
    mask = (segments.customers["segment"] == 1).to_numpy()
    by_mask = segments.profile(mask)
    pd.testing.assert_frame_equal(by_mask, segments.profile(np.flatnonzero(mask)))
    pd.testing.assert_frame_equal(by_mask, segments.profile(segments.matrix.index[mask]))
    assert by_mask["difference"].abs().is_monotonic_decreasing
    everybody = segments.profile(np.ones(len(mask), bool))
    assert np.allclose(everybody["difference"], 0)
    both = segments.compare(1, 2)
    assert np.allclose(both["First"] - both["Second"], both["difference"])


def test_the_command_names_what_is_not_left_to_the_description(segments):
    words = segments.command(k=5, join="")
    assert words[-2:] == ["--set", "k=5"] and str(segments.ws.folder) in words
