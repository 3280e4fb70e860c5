"""Conditions of words: by hand, and words that go when customers contradict them."""

import ast
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fitted import Prepared

from segmentation import expressions, summary
from segmentation.conditions import Customers, Members, because
from segmentation.dataset import Phrase, load_dataset
from segmentation.naming import null_matches

KNOWN = load_dataset("credit_card")
LABELS = np.array([1, 1, 1, 2, 2])


def members_of(dataset):
    columns = {"spent": [10.0, 20.0, 90.0, 0.0, 40.0], "member": ["yes", "no", None, "yes", "yes"]}
    table = pd.DataFrame(columns).assign(age=[30.0, np.nan, 50.0, np.nan, np.nan])
    features = pd.DataFrame({"spent": table["spent"], "online": [0, 0.5, 0.25, 1, 1]})
    features = features.assign(ticket=table["spent"], visits=1.0, rest=1.0)
    return Members(Customers(dataset, table, features), LABELS)


@pytest.fixture
def members(shop):
    return members_of(shop)


@pytest.mark.parametrize(
    ("aggregate", "first", "second"),
    [
        ("share(spent > 15)", 2 / 3, 1 / 2),
        ("share(spent > 15 and online > 0.3)", 1 / 3, 1 / 2),
        ("share(member)", 1 / 3, 1),  # unknown is not yes
        ("share_all(member)", 0.6, 0.6),
        ("share_highest(member)", 1, 1 / 3),
        ("median(spent)", 20, 20),
        ("median_all(spent)", 20, 20),
        ("mean(spent)", 40, 20),
        ("mean_lowest(spent)", 20, 40),
        ("median(2 * spent + visits)", 41, 41),
        ("of_total(spent)", 0.75, 0.25),
        ("of_total_highest(spent)", 0.25, 0.75),
        ("of_total(1)", 0.6, 0.4),
        ("of_total(member)", 1 / 3, 2 / 3),
        ("of_total(spent < 0)", 0, 0),  # nothing of nothing
        ("mean(age)", 40, math.nan),
    ],
)
def test_aggregates_by_hand(members, aggregate, first, second):
    for segment, expected in ((1, first), (2, second)):
        claim = members.claim(Phrase("x", f"{aggregate} >= {expected - 1e-9}"), segment)
        if math.isnan(expected):
            claim = members.claim(Phrase("x", f"not {aggregate} > 0"), segment)
            assert not claim.holds, "what is unknown does not hold"
            continue
        assert claim.values == {aggregate: pytest.approx(expected)} and claim.holds
        assert not members.claim(Phrase("x", f"{aggregate} > {expected + 1e-9}"), segment).holds


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("share(spent >= 0.9 * ticket) > 0", "100% with spent at least 90% of ticket"),
        ("share(spent < 2 * ticket) > 0", "100% with spent below 2 times ticket"),
        ("share(spent == 0) >= 0", "0% with no spent"),
        ("share(not member) > 0", "67% with not member"),
        (
            "share(online >= 0.25 or spent > 50) > 0",
            "67% with online at least 25% or spent above 50",
        ),
        ("median(spent) > median_all(spent)", "median spent 20 (everybody: 20)"),
        ("mean(ratio(spent, visits)) > 0", "mean spent ÷ visits 40"),
        ("of_total(spent) > 1.5 * of_total(1)", "75% of all spent; 60% of all clients"),
        ("of_total(member) > 0", "33% of all with member"),
    ],
)
def test_grounds_quote_the_condition(members, condition, words):
    assert because([members.claim(Phrase("x", condition), 1)]) == f"Based on: {words}."


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("share(spent==0) >= 0", "0% bought nothing"),
        ("share(spent > 0) > 0", "100% with some spent"),
        ("share(spent == 0) < share_all(spent == 0)", "0% bought nothing (everybody: 20%)"),
        ("of_total(member) > 0", "33% of all who are members"),
        ("of_total(spent) > 0", "75% of all spent"),
    ],
)
def test_grounds_take_the_words_that_the_dataset_has(shop, condition, words):
    said = {"spent == 0": "bought nothing", "member": "are members"}
    theirs = members_of(replace(shop, says=said))
    for members in (theirs, Members(theirs.customers.take(np.arange(5)), LABELS)):
        assert because([members.claim(Phrase("x", condition), 1)]) == f"Based on: {words}."


@pytest.mark.parametrize("name", ["credit_card", "mall", "retail"])
def test_datasets_have_words_for_the_conditions_that_they_use_and_for_no_others(name):
    known = load_dataset(name)
    used = set()
    for archetype in known.archetypes:
        for _, phrase in archetype.phrases:
            for aggregate in expressions.split(phrase.when)[1].values():
                formula = ast.unparse(aggregate.formula)
                counted = aggregate.function == "share" or formula == "high_risk"
                used |= {formula} if counted else set()
    assert used == set(known.says)


def test_customers_drawn_several_times_count_as_often(members):
    drawn = np.array([3, 3, 4, 0])
    again = Members(members.customers.take(drawn), LABELS[drawn])
    claim = again.claim(Phrase("{share(spent == 0)} spend nothing", "of_total(1) > 0.7"), 2)
    assert claim == "67% spend nothing" and claim.holds


@pytest.fixture(scope="module")
def labels(cardholders):
    return cardholders.labels(6, n_init=5)


def test_every_segment_has_a_name_phrases_and_advice(cardholders, labels):
    members, flags = cardholders.members(labels), cardholders.features["high_risk"]
    for entry in cardholders.named(labels).values():
        words = summary.words(KNOWN, entry, members)
        assert entry.archetype and words["summary"]
        assert words["grounds"] and words["advice"] and "None of the advice" not in words["advice"]
        for claim in filter(None, words.values()):  # each can be evaluated again
            again = members.claim(Phrase("", claim.condition), entry.segment)
            assert claim.holds and again.holds
            assert again.values.items() <= claim.values.items()
        # Who holds most high-risk flags is not told to buy more.
        most = flags[labels == entry.segment].sum() / flags.sum() >= 0.5
        assert ("No offer to buy more" in words["avoid"]) == most
        assert not most or "bonus" not in words["advice"] and "reward" not in words["advice"]


@pytest.mark.parametrize(
    ("name", "changes", "gone"),
    [
        ("Revolving shoppers", {"payments": 5}, ["1.2 times the minimum", "Make paying down easy"]),
        ("Revolving shoppers", {"credit_limit": 4}, ["half of their limit", "limit increase"]),
        ("Cash-only users", {"credit_limit": 4}, ["half of their limit", "high-risk flags"]),
        ("High spenders", {"purchases": 0.02}, ["High spenders", "rewards on spending"]),
        ("Cash-only users", {"cash_advance": 0}, ["Cash-only users", "repeated cash"]),
        (
            "Instalment buyers",
            {"oneoff_purchases": 20, "installments_purchases": 0},
            ["Instalment buyers", "partner shops"],
        ),
        ("Instalment buyers", {"balance": 60}, ["a tenth of their limit", "partner shops"]),
    ],
)
def test_words_go_when_their_segment_contradicts_them(cardholders, labels, name, changes, gone):
    def said(prepared):
        entry = prepared.named(labels)[segment]
        words = summary.words(KNOWN, entry, prepared.members(labels))
        return f"{entry.name} {words['summary']} {words['advice']} {words['avoid']}"

    segment = {entry.name: s for s, entry in cardholders.named(labels).items()}[name]
    customers = cardholders.customers.reset_index(names="customer_id")
    for column, factor in changes.items():
        customers.loc[(labels == segment).to_numpy(), column] *= factor
    before, after = said(cardholders), said(Prepared(customers, KNOWN))
    for words in gone:
        assert words in before and words not in after, after


def test_null_reference_data_match_most_patterns(cardholders):
    """One mass with the table's margins comes close to the patterns: printed beside the names."""
    prepared = (cardholders.features, cardholders.steps)
    reached = null_matches(*prepared, KNOWN, 6, seed=1)
    assert list(reached.index) == [archetype.name for archetype in KNOWN.archetypes]
    assert reached.between(-1, 1).all() and reached.max() > 0.8
    assert null_matches(*prepared, replace(KNOWN, archetypes=()), 6).empty
