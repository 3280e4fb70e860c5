"""Words and formats: numbers and scales in words, texts of files safe to show, names for files."""

import re
import unicodedata
from functools import partial

import numpy as np
import pytest
from planted import TEXTS as HOSTILE_TEXTS

from customer_tables import text
from customer_tables.errors import UserError
from runner import pages
from segmentation.claims import agreement_word
from segmentation.selection import silhouette_word
from segmentation.stability import stability_word

FORMATS = [
    (text.number, [(1243.4872, "1,243"), (0.3712, "0.37"), (12.44, "12.4"), (3.14159, "3.14")]),
    (text.number, [(5.0, "5"), (1234567, "1,234,567"), (0, "0"), (-0.0, "0"), (0.0123, "0.012")]),
    (text.number, [(0.095, "0.10"), (-2741.2, "−2,741"), (-0.5, "−0.50"), (100, "100")]),
    (text.number, [(np.int64(7), "7"), (np.float32(0.25), "0.25"), (np.float32("nan"), "–")]),
    (text.number, [(np.nan, "–"), (np.inf, "–"), (None, "–")]),
    (text.share, [(0, "0%"), (0.0004, "under 0.1%"), (0.004, "0.4%"), (0.0101, "1%")]),
    (text.share, [(0.5, "50%"), (0.99, "99%"), (0.994, "99.4%"), (0.9999, "over 99.9%")]),
    (text.share, [(1, "100%"), (1.2, "120%"), (-0.2, "−20%"), (np.nan, "–"), (None, "–")]),
    (text.points, [(0.02, "2.0"), (-0.0123, "−1.2"), (np.nan, "–"), (None, "–")]),
    (partial(text.points, signed=True), [(0.02, "+2.0"), (-0.0123, "−1.2")]),
    (partial(text.quantity, kind="share"), [(0.25, "25%"), (np.nan, "–"), (None, "–")]),
    (partial(text.quantity, kind="share", unit="of months"), [(1, "1 of months")]),
    (partial(text.quantity, unit="share of months"), [(0.3721, "37%")]),
    (partial(text.quantity, kind="money", unit="EUR"), [(1500.4, "1,500 EUR")]),
    (partial(text.quantity, unit="$"), [(2739.6, "$2,740"), (3.1, "$3.10"), (-212.5, "−$212")]),
    (partial(text.quantity, unit="CHF"), [(1243.4, "CHF 1,243")]),
    (partial(text.quantity, unit="year"), [(1968.0, "1968"), (np.nan, "–")]),
    (text.quantity, [(3, "3")]),
    (partial(text.quantity, unit="months"), [(1, "1 month"), (0.5, "0.50 months")]),
    (partial(text.answer_or_quantity, kind="yes_no"), [(1.0, "yes"), (0, "no"), (0.4, "40%")]),
    (partial(text.answer_or_quantity, kind="share"), [(0.25, "25%")]),
    (text.count, [(1243.4872, "1,243")]),
    (agreement_word, [(1, "excellent"), (0.9, "excellent"), (0.89, "good"), (0.8, "good")]),
    (agreement_word, [(0.79, "moderate"), (0.65, "moderate"), (0.64, "poor"), (-0.1, "poor")]),
    (stability_word, [(0.85, "highly stable"), (0.849, "stable"), (0.75, "stable")]),
    (stability_word, [(0.6, "a pattern, unsure members"), (0.599, "unstable")]),
    (silhouette_word, [(-1, "no substantial"), (0.25, "no substantial"), (0.2501, "weak")]),
    (silhouette_word, [(0.5, "weak"), (0.5001, "reasonable"), (0.7, "reasonable")]),
    (silhouette_word, [(0.7001, "strong"), (np.nan, "no substantial")]),
    (text.sentence_case, [("one-off use", "One-off use"), ("ATM use", "ATM use"), ("", "")]),
    (text.lower_first, [("Ticket at Aldi", "ticket at Aldi"), ("ATM use", "ATM use")]),
    (text.joined, [([], ""), (["a"], "a"), (["a", "b"], "a and b"), ([*"abc"], "a, b and c")]),
    (text.joined, [(["a, b", "c", "d"], "a, b; c; and d")]),
    (partial(text.joined, last="or"), [(["a", "b"], "a or b")]),
    (partial(text.counted, one="segment"), [(1, "1 segment"), (1200, "1,200 segments")]),
    (partial(text.counted, one="cross", many="crosses"), [(2, "2 crosses")]),
    (text.printable, [("Café, 东京 – 50 €", "Café, 东京 – 50 €"), ("  a \n b\t\tc ", "a b c")]),
    (text.printable, [(7, "7")]),
    (partial(text.printable, longest=4), [("abcdef", "abc…"), ("abcd", "abcd")]),
    (text.legible, [("a\x1b[2J\tb\u202ec\n", "a [2J\tb c\n")]),
    (text.slug, [("Cash-advance users", "cash-advance-users"), ("Élite & Co.", "elite-co")]),
    (text.slug, [("../../etc/passwd", "etc-passwd"), ("a" * 59 + " b", "a" * 59)]),
    (text.slug, [("東京", "part"), ("", "part"), ("...", "part")]),
    (partial(text.slug, separator="_", keep="_-", longest=8), [("My-Shop 2024 (new)", "my-shop")]),
    (partial(text.slug, separator="_", keep="_-", longest=8), [("a__b", "a__b")]),
    (pages.percent, [(0.003, "0.3%"), (0.0001, "under\u00a00.1%"), (0.9996, "over\u00a099.9%")]),
    (partial(pages.quantity, unit="CHF"), [(1243.4, "CHF\u00a01,243")]),
    (partial(pages.quantity, unit="months"), [(11.4, "11.4\u00a0months")]),
    (partial(pages.quantity, unit="share of months"), [(0.3721, "37%")]),
    (partial(pages.large, unit="$"), [(8_978_437, "$8.98\u00a0million")]),
    (partial(pages.large, unit="orders"), [(8_978, "8,978\u00a0orders")]),
    (pages.large, [(14_000_000, "14.0\u00a0million"), (895e6, "895\u00a0million")]),
    (pages.large, [(1_234_567_890, "1.23\u00a0billion")]),
    (pages.duration, [(0.42, "0.4\u00a0s")]),
]


@pytest.mark.parametrize(
    ("write", "value", "expected"),
    [(write, value, expected) for write, rows in FORMATS for value, expected in rows],
)
def test_values_are_written_for_reading(write, value, expected):
    assert write(value) == expected


@pytest.mark.parametrize("hostile", HOSTILE_TEXTS)
def test_hostile_texts_become_harmless(hostile):
    refusal = str(UserError(hostile, f"{hostile}\n{hostile}", "remedy"))
    assert len(refusal.splitlines()) == 3 and len(refusal) < 2000
    shown = text.printable(hostile)
    assert len(shown) <= 120
    assert not any(unicodedata.category(c).startswith("C") for c in shown)
    assert shown == text.printable(shown)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?", text.slug(hostile))
