"""Campaign lists: control groups that repeat, sizes that suffice, columns as a tool wants them."""

import math

import numpy as np
import pandas as pd
import pytest

from customer_tables.errors import UserError
from segmentation.campaigns import (
    campaign_list,
    control_group,
    control_needed,
    detectable_uplift,
    power_table,
)
from segmentation.dataset import CAMPAIGN_COLUMNS

CUSTOMERS = pd.Index([f"c{i:05d}" for i in range(20_000)])


def test_the_control_group_is_drawn_again_in_any_order():
    first = pd.Series(control_group(CUSTOMERS, "a-1", 0.1), index=CUSTOMERS)
    shuffled = CUSTOMERS[np.random.default_rng(1).permutation(len(CUSTOMERS))][:7000]
    again = pd.Series(control_group(shuffled, "a-1", 0.1), index=shuffled)
    assert (first[shuffled] == again).all()
    assert first.mean() == pytest.approx(0.1, abs=0.01)


def test_campaigns_draw_independently():
    one, two = (control_group(CUSTOMERS, key, 0.2) for key in ("a-1", "a-2"))
    assert (one & two).mean() == pytest.approx(0.04, abs=0.006)


def test_a_larger_share_holds_the_smaller_one():
    small, large = (control_group(CUSTOMERS, "a", share) for share in (0.1, 0.3))
    assert not (small & ~large).any()
    assert not control_group(CUSTOMERS, "a", 0).any()
    assert control_group(CUSTOMERS, "a", 1).all()


def test_the_size_is_that_of_the_tables():
    # Equal groups, 5 % against 7 %: about 2,210 each (Fleiss 1981, without continuity correction).
    assert control_needed(0.05, 0.02, 0.5) == pytest.approx(2210, rel=0.02)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_the_detectable_uplift_is_the_inverse_of_the_size(share):
    control = control_needed(0.05, 0.02, share)
    contacted = control * (1 - share) / share
    assert detectable_uplift(0.05, control, contacted) == pytest.approx(0.02, rel=1e-3)


def test_an_uplift_that_is_there_is_seen_as_often_as_promised():
    rng = np.random.default_rng(3)
    control = round(control_needed(0.05, 0.02, 0.2))
    n = control * 4
    a, b = rng.binomial(control, 0.05, 4000) / control, rng.binomial(n, 0.07, 4000) / n
    mean = (a * control + b * n) / (control + n)
    seen = (b - a) / np.sqrt(mean * (1 - mean) * (1 / control + 1 / n)) > 1.96
    assert seen.mean() == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("uplift", [0, -0.1, 0.99])
def test_what_cannot_be_seen_needs_endlessly_many(uplift):
    assert math.isinf(control_needed(0.05, uplift, 0.1))
    assert math.isnan(detectable_uplift(0.05, 0, 10))


def test_the_table_says_which_groups_are_large_enough():
    controls = {"Large": np.arange(100_000) % 10 == 0, "Small": np.arange(100) % 10 == 0}
    table = power_table(controls, response=0.05, uplift=0.02, share=0.1)
    assert table["large enough"].tolist() == ["yes", "no"]
    assert (
        table.loc["Large", "least visible uplift"]
        < 0.02
        < (table.loc["Small", "least visible uplift"])
    )


def members():
    return pd.DataFrame(
        {"customer": ["=1+1", "b"], "segment": [1, 1], "segment_name": ["A", "A"],
         "confidence": [0.9, 0.1], "distance": [1.0, 2.0]}
    )  # fmt: skip


def test_the_list_has_the_columns_that_the_tool_expects():
    settings = {"action": "=CALL()", "campaign": "a-1", "model": "0a", "columns": {
        "customer": "External ID", "group": "Arm"}, "control": np.array([True, False])}  # fmt: skip
    listed = campaign_list(members(), **settings)
    assert listed.columns.tolist() == ["External ID", *CAMPAIGN_COLUMNS[1:-1], "Arm"]
    assert listed["Arm"].tolist() == ["control", "contact"]
    assert set(listed["action"]) == {"'=CALL()"}
    assert set(campaign_list(members(), **settings, raw=True)["action"]) == {"=CALL()"}


def test_the_columns_come_from_dataset_toml(make_shop):
    assert make_shop().campaign == {}
    assert make_shop(campaign={"columns": {"group": "Arm"}}).campaign == {"group": "Arm"}


@pytest.mark.parametrize(
    ("campaign", "words"),
    [({"colums": {}}, "unknown key 'colums'"), ({"columns": []}, "campaign: columns"),
     ({"columns": {"grup": "x"}}, "did you mean 'group'"), ({"columns": {"group": 1}}, "text"),
     ({"columns": {"group": "model"}}, "one name"), ({"columns": {"group": ""}}, "has none")],
)  # fmt: skip
def test_a_mapping_that_cannot_be_is_refused(make_shop, campaign, words):
    with pytest.raises(UserError, match=words):
        make_shop(campaign=campaign)
