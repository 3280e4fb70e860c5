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


def drawn(customers, key, part, confidence=None):
    if confidence is None:
        confidence = np.random.default_rng(1).random(len(CUSTOMERS))
    table = pd.Series(confidence, index=CUSTOMERS)[customers]
    return campaigns.control_group(table, key, part)


@pytest.mark.parametrize("part", [0.01, 0.1, 1 / 3, 0.5])
def test_the_control_group_is_drawn_again_in_any_order(part):
    first = drawn(CUSTOMERS, "a-1", part)
    shuffled = CUSTOMERS[np.random.default_rng(1).permutation(len(CUSTOMERS))]
    assert drawn(shuffled, "a-1", part)[CUSTOMERS].equals(first)
    assert abs(first.sum() - part * len(CUSTOMERS)) <= 1
    same = drawn(CUSTOMERS[:500], "a-1", part, confidence=np.full(len(CUSTOMERS), 0.5))
    again = drawn(CUSTOMERS[:500][::-1], "a-1", part, confidence=np.full(len(CUSTOMERS), 0.5))
    assert again[same.index].equals(same), "equal confidence does not bring back the order"


def test_campaigns_draw_independently_and_shares_of_nothing_and_all_are_whole():
    one, two = (drawn(CUSTOMERS, key, 0.2) for key in ("a-1", "a-2"))
    assert (one & two).mean() == pytest.approx(0.04, abs=0.006)
    assert not drawn(CUSTOMERS, "a", 0).any() and drawn(CUSTOMERS, "a", 1).all()


@pytest.mark.parametrize("part", [0.05, 0.1, 0.25, 0.5])
def test_wherever_a_campaign_stops_contact_and_control_have_the_same_confidence(part):
    """Confidence falls along the list, steeply at its beginning."""
    confidence = np.random.default_rng(5).beta(0.5, 3, len(CUSTOMERS))
    control = drawn(CUSTOMERS, "a-1", part, confidence)
    sorted_list = pd.Series(confidence, CUSTOMERS).sort_values(ascending=False)
    for reached in (400, 2000, 10_000, 20_000):
        head = sorted_list[:reached]
        left = control[head.index]
        assert abs(left.sum() - part * reached) <= 1 + campaigns.BLOCK * part
        gap = head[left].mean() - head[~left].mean()
        assert abs(gap) < 0.003, "a simple random sample differs by several times as much"


# By size of the list: equal groups of 2,210 see 7% against 5% (Fleiss 1981).
@pytest.mark.parametrize(
    ("customers", "split"), [(4420, 0.5), (100_000, 0.0112), (24_600, 0.047), (4000, None)]
)
def test_the_share_is_that_of_the_tables_and_the_detectable_uplift_its_inverse(customers, split):
    found = campaigns.control_share_needed(customers, 0.05, 0.02)
    if split is None:
        assert math.isnan(found)
        assert campaigns.detectable_uplift(0.05, customers / 2, customers / 2) > 0.02
        return
    assert found == pytest.approx(split, rel=0.1)
    groups = (found * customers, (1 - found) * customers)
    assert campaigns.detectable_uplift(0.05, *groups) == pytest.approx(0.02)
    assert campaigns.power(0.05, 0.02, *groups) == pytest.approx(0.8, abs=0.001)


@pytest.mark.parametrize("split", [0.2, 0.5])
def test_an_uplift_that_is_there_is_seen_as_often_as_promised(split):
    rng = np.random.default_rng(3)
    customers = 6000
    control = round(split * customers)
    n = customers - control
    promised = campaigns.power(0.05, 0.02, control, n)
    a, b = rng.binomial(control, 0.05, 4000) / control, rng.binomial(n, 0.07, 4000) / n
    mean = (a * control + b * n) / customers
    seen = (b - a) / np.sqrt(mean * (1 - mean) * (1 / control + 1 / n)) > 1.96
    assert seen.mean() == pytest.approx(promised, abs=0.03)


@pytest.mark.parametrize("uplift", [0, -0.1, 0.99])
def test_what_cannot_be_seen_has_no_split(uplift):
    assert math.isnan(campaigns.control_share_needed(10**9, 0.05, uplift))
    assert math.isnan(campaigns.detectable_uplift(0.05, 0, 10))


# Sizes of the lists, and what helps: nothing is advised that would not be enough.
@pytest.mark.parametrize(
    ("sizes", "sentences"),
    [
        ({"A": 100_000}, ["Every control group is large enough to show an uplift of 2.0 points."]),
        (
            {"A": 100_000, "B": 6_000},
            [
                "Large enough to show an uplift of 2.0 points: A.",
                "A larger control share would show it: B 24%.",
                "All lists judged together show it with a chance of over 99.9%.",
            ],
        ),
        (
            {"A": 4_000, "B": 2_000},
            [
                "Too few to show an uplift of 2.0 points at any split: A and B.",
                "All lists judged together need a control share of 24%.",
            ],
        ),
        (
            {"A": 100, "B": 300},
            [
                "Too few to show an uplift of 2.0 points at any split: A and B.",
                "All lists judged together are too few as well.",
            ],
        ),
    ],
)
def test_only_what_would_be_enough_is_advised(sizes, sentences):
    controls = {name: pd.Series(np.arange(n) % 10 == 0) for name, n in sizes.items()}
    table = campaigns.power_table(controls, 0.05, 0.02)
    found = campaigns.power_record(table, response=0.05, uplift=0.02, part=0.1)
    assert found["pooled"]["customers"] == sum(sizes.values())
    assert [group["customers"] for group in found["groups"]] == list(sizes.values())
    assert found["sentences"] == sentences
