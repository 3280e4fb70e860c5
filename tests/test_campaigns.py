"""Lists of customers: safe in a spreadsheet, control groups that repeat, sizes that suffice."""

import math

import numpy as np
import pandas as pd
import pytest

from customer_tables.errors import UserError
from segmentation import campaigns
from segmentation.dataset import CAMPAIGN_COLUMNS

CUSTOMERS = pd.Index([f"c{i:05d}" for i in range(20_000)])


def test_formulas_in_the_list_of_customers_are_made_safe_and_counted():
    labels = pd.Series([1, 2, 1], index=["=1+1", "C2", "-3"])
    called = pd.Series(["a", "@b", "a"], index=labels.index)
    assigned = pd.DataFrame({"confidence": [0.12345] * 3, "distance": 1.0}, index=labels.index)
    for raw, customers, names, action in (
        (False, ["'=1+1", "C2", "-3"], ["a", "'@b", "a"], "an apostrophe put"),
        (True, ["=1+1", "C2", "-3"], ["a", "@b", "a"], "kept as they are"),
    ):
        listed, change = campaigns.customer_list(labels, called, assigned, raw=raw)
        assert listed["customer"].tolist() == customers
        assert listed["segment_name"].tolist() == names
        assert listed["confidence"].tolist() == [0.1234] * 3
        assert change["rows"] == 2 and change["action"].startswith(action)
    harmless = campaigns.customer_list(labels[2:], called[2:], assigned[2:], raw=False)
    assert harmless[1] == {}


@pytest.mark.parametrize(
    "names", ["a|a|a", "a-3|a|a", "A|a!|a-2", "東|京|segment", "x" * 70 + "|x"]
)
def test_every_segment_has_its_own_file(names):
    names = names.split("|")
    files = campaigns.file_names(dict(enumerate(names, start=1)))
    assert len(set(files.values())) == len(names)
    assert files[1] in (names[0].lower()[:60], "segment")


@pytest.mark.parametrize(("raw", "action"), [(False, "'=CALL()"), (True, "=CALL()")])
def test_the_list_has_the_columns_that_the_tool_expects(raw, action):
    members = pd.DataFrame({"customer": ["a", "b"], "segment": 1, "segment_name": "A"})
    members = members.assign(confidence=[0.9, 0.1], distance=1.0)
    about = {"action": "=CALL()", "campaign": "a-1", "model": "0a", "raw": raw}
    about |= {"columns": {"customer": "External ID", "group": "Arm"}}
    listed = campaigns.campaign_list(members, control=np.array([True, False]), **about)
    assert listed.columns.tolist() == ["External ID", *CAMPAIGN_COLUMNS[1:-1], "Arm"]
    assert listed["Arm"].tolist() == ["control", "contact"]
    assert set(listed["action"]) == {action}


@pytest.mark.parametrize(
    ("campaign", "words"),
    [
        ({"colums": {}}, "unknown key 'colums'"),
        ({"columns": []}, "campaign: columns"),
        ({"columns": {"grup": "x"}}, "did you mean 'group'"),
        ({"columns": {"group": 1}}, "text"),
        ({"columns": {"group": "model"}}, "one name"),
        ({"columns": {"group": ""}}, "has none"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(make_shop, campaign, words):
    with pytest.raises(UserError, match=words):
        make_shop(campaign=campaign)
    assert make_shop(campaign={"columns": {"group": "Arm"}}).campaign == {"group": "Arm"}


# --- control groups -------------------------------------------------------------------------------


def test_the_control_group_is_drawn_again_in_any_order():
    first = pd.Series(campaigns.control_group(CUSTOMERS, "a-1", 0.1), index=CUSTOMERS)
    shuffled = CUSTOMERS[np.random.default_rng(1).permutation(len(CUSTOMERS))][:7000]
    again = pd.Series(campaigns.control_group(shuffled, "a-1", 0.1), index=shuffled)
    assert (first[shuffled] == again).all()
    assert first.mean() == pytest.approx(0.1, abs=0.01)


def test_campaigns_draw_independently_and_larger_shares_hold_smaller_ones():
    one, two = (campaigns.control_group(CUSTOMERS, key, 0.2) for key in ("a-1", "a-2"))
    assert (one & two).mean() == pytest.approx(0.04, abs=0.006)
    none, small, large, everybody = (
        campaigns.control_group(CUSTOMERS, "a", share) for share in (0, 0.1, 0.3, 1)
    )
    assert not (small & ~large).any()
    assert not none.any() and everybody.all()


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_size_is_that_of_the_tables_and_the_detectable_uplift_its_inverse(share):
    control = campaigns.control_needed(0.05, 0.02, share)
    # Equal groups, 5 % against 7 %: about 2,210 each (Fleiss 1981, without continuity correction).
    assert share != 0.5 or control == pytest.approx(2210, rel=0.02)
    contacted = control * (1 - share) / share
    assert campaigns.detectable_uplift(0.05, control, contacted) == pytest.approx(0.02)


def test_an_uplift_that_is_there_is_seen_as_often_as_promised():
    rng = np.random.default_rng(3)
    control = round(campaigns.control_needed(0.05, 0.02, 0.2))
    n = control * 4
    a, b = rng.binomial(control, 0.05, 4000) / control, rng.binomial(n, 0.07, 4000) / n
    mean = (a * control + b * n) / (control + n)
    seen = (b - a) / np.sqrt(mean * (1 - mean) * (1 / control + 1 / n)) > 1.96
    assert seen.mean() == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("uplift", [0, -0.1, 0.99])
def test_what_cannot_be_seen_needs_endlessly_many(uplift):
    assert math.isinf(campaigns.control_needed(0.05, uplift, 0.1))
    assert math.isnan(campaigns.detectable_uplift(0.05, 0, 10))


def test_the_table_says_which_groups_are_large_enough():
    groups = {"Large": np.arange(100_000) % 10 == 0, "Small": np.arange(100) % 10 == 0}
    assumed = {"response": 0.05, "uplift": 0.02, "share": 0.1}
    table = campaigns.power_table(groups, **assumed)
    assert table["large enough"].tolist() == ["yes", "no"]
    visible = table["least visible uplift"]
    assert visible["Large"] < 0.02 < visible["Small"]
    large, small = campaigns.power_record(table, **assumed)["groups"]
    assert (large["name"], large["customers"], large["control"]) == ("Large", 100_000, 10_000)
    assert (large["enough"], small["enough"]) == (True, False)
    assert small["visible"] == visible["Small"]
