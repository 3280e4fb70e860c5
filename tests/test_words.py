"""The words that people read: the field's terms in notebooks, pages, messages and documents."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from runner.pages import glossary
from segmentation.profiling import BOUNDARY_RATIO, CORE_SHARE
from segmentation.selection import NATURAL_VALLEY, SILHOUETTE_WORDS
from segmentation.stability import JACCARD_CUTS

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(
    path
    for pattern in (
        "*.md",
        "data/*",
        "data/*/dataset.toml",
        "notebooks/**/*",
        "results/*",
        "results/*/*",
        "scripts/**/*",
    )
    for path in ROOT.glob(pattern)
    if path.suffix in (".css", ".ipynb", ".j2", ".md", ".py", ".toml")
    if not {"performance", "gallery"} & set(path.parts)
)
# What is not written, and the term in its place.
UNWANTED = {
    r"rivals?": "alternative methods",
    r"data without (?:any )?(?:groups|segments)": "null reference data",
    r"strangers?": "outliers",
    r"withh[eo]ld\w*|withholds|(?:is|are|not) told": "suppressed; published, said",
    r"plain questions?|answer cells?": "yes/no rules, rule groups",
    r"(?:a|the|this|that|which|two) divisions?(?! by)": "partition",
    r"lines of purchases": "transaction lines",
    r"(?:sum|sums|summed|summing) (?:\w+ ){0,3}up|summed_up": "aggregate, add up",
    r"planted|planting": "simulated",
    r"(?:random|unlucky|lucky|many|ten|more) starts|starts_near_best|descents": "initialisations",
    r"in_order|nursery|guardian": "parallel_map, watchdog",
    r"sure ones|sure customers|surest": "clear members",
    r"(?:near|on|at|the) (?:a |the )?borders?|border_share|ambiguous_share": "boundary",
    r"own cent\w+|next cent\w+": "nearest centre, second-nearest centre",
    r"agrees? \w* ?to (?:an ARI|an adjusted|[\d{])": "adjusted Rand index 0.95",
    r"of 1(?![\d.,]*\d| to)\b": "a number on a scale from 0 to 1",
    r"(?:drawn|found|divided) anew": "95% bootstrap interval, segmented again",
    r"comes? back on": "is found again in new samples",
    r"worth (?:more|less) than (?:its|their) numbers?": "spends more than its share of customers",
    r"draws? cash|cash drawn": "take cash advances",
    r"hardly": "rarely, few",
    r"rests? on|rests_on": "based on",
    r"least visible|visible uplift": "minimum detectable uplift",
    r"described by, not grouped by": "profiling variables",
    r"tells? the segments apart": "which features separate the segments",
    r"unasked": "unsolicited",
    r"card[ -]holders?": "cardholder",
    r"whoever|nought|nobody|anybody": "customers who, zero, no customer",
    r"so many(?! \w+ that)": "at most this many",
    r"squeezes|by heart": "autoencoder, overfitting",
    r"shall be done|has had its say|hand over\b": "intended use, outputs",
    r"grounds? (?:for|of) segments": "basis",
    r"% off": "12% above",
    r"be somebody|for whom it is so|still called": "identify a person, share flagged",
    r"has what customers": "have the features drifted?",
    r"refuse_endless": "reject_non_finite",
}


# Pictures and numbers of an earlier run, and what was renamed.
QUOTED = r"<!-- gallery -->.*<!-- /gallery -->|## Release notes.*"


def written(path: Path) -> list[str]:
    """Return the texts of a file: the cells of a notebook, or all of it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        return ["".join(cell["source"]) for cell in json.loads(text)["cells"]]
    return [re.sub(QUOTED, "", text, flags=re.DOTALL)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_terms_of_the_field(path):
    texts = written(path)
    found = {
        word: term
        for pattern, term in UNWANTED.items()
        for text in texts
        for word in re.findall(rf"\b(?:{pattern})", text, re.IGNORECASE)
    }
    assert found == {}


# What the glossary says in numbers, by the term that says it.
NUMBERS = {
    "Typical customer": [f"{CORE_SHARE:.0%}"],
    "Clear members": [f"{BOUNDARY_RATIO:.0%}"],
    "Jaccard similarity": [f"{cut:.2f} " for cut, _ in JACCARD_CUTS],
    "Silhouette": [f"{cut:.2f} " for cut, _ in SILHOUETTE_WORDS],
}


def test_the_glossary_quotes_the_limits_that_the_code_applies():
    texts = {term["name"]: term["text"] for term in glossary()}
    for name, numbers in NUMBERS.items():
        assert re.findall(r"\d+%|\d\.\d\d ", texts[name]) == numbers, name
    words = [word for _, word in (*JACCARD_CUTS, *SILHOUETTE_WORDS)]
    for word in [*(word.split(",")[0] for word in words), "strong", "unstable"]:
        assert word in " ".join(texts.values()), word
    assert NATURAL_VALLEY == 1 / 3 and "a third of the lower peak" in texts["Natural"]
