"""Two runs side by side: pairing by hand-worked cases, conclusions by their rules, and the page."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python import sync_playwright as axe
from bs4 import BeautifulSoup
from sample_run import HOSTILE
from sample_runs import CENTRES, NAMES, STEPS, labels, write_run
from test_browser import A4_WIDTH, RULES, Visit, browser  # noqa: F401

import compare as command
from customer_tables.errors import UserError
from runner import conclusions
from runner.comparison import (
    NUMBERED,
    Pair,
    compare,
    different_numbers,
    pair_by_centres,
    pair_by_customers,
    read_run,
)
from runner.comparison_page import write_comparison
from segmentation.cleaning import index_customers

ROOT = Path(__file__).resolve().parents[1]


def read(folder, *run, **settings):
    return read_run(write_run(folder, *run, **settings))


def texts(found):
    return dict(conclusions.conclude(found))


def frame(rows):
    return pd.DataFrame(rows, index=range(1, len(rows) + 1), columns=range(1, len(rows[0]) + 1))


# --- reading -----------------------------------------------------------------------------------


def test_what_is_no_run_is_refused_in_three_lines(tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    cases = {
        tmp_path / "nowhere": "there is no folder 'nowhere'",
        file: "this is a file",
        tmp_path: "manifest.json is missing",
    }
    for path, message in cases.items():
        with pytest.raises(UserError, match=message) as error:
            read_run(path)
        assert len(str(error.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("metrics.json", "{", "metrics.json cannot be used"),
        ("metrics.json", "[]", "it holds no object"),
        ("model.json", "{}", "model.json cannot be used"),
        ("segments.csv", "customer,segment\na,1\n", "segments.csv cannot be used"),
        ("segments.csv", "customer,segment,confidence\na,x,1\n", "segments.csv cannot be used"),
        ("segments.csv", "customer,segment,confidence\na,1,1\na,1,1\n", "two rows"),
        ("segments.csv", "customer,segment,confidence\na,1,1\nb,2,1\n", "segments differ"),
    ],
)
def test_damaged_files_are_named(tmp_path, file, content, message):
    folder = write_run(tmp_path / "run", labels(40, 40))
    (folder / file).write_text(content)
    with pytest.raises(UserError, match=message):
        read_run(folder)


def test_identifiers_stay_texts(tmp_path):
    segments = labels(20, 20)
    segments.index = [f"{i:03d}" for i in range(38)] + ["NA", "null"]
    assert list(read(tmp_path / "run", segments).segments.index[[0, 38, 39]]) == [
        "000",
        "NA",
        "null",
    ]


def test_files_changed_after_the_run_are_noted(tmp_path):
    folder = write_run(tmp_path / "run", labels(40, 40))
    assert read_run(folder).altered == ()
    (folder / "metrics.json").write_text("{}")
    assert read_run(folder).altered == ("metrics.json",)


# --- pairing -----------------------------------------------------------------------------------


def test_pairs_by_customers_are_those_of_the_largest_jaccard_similarity():
    # Of those in either, 1 and 2 share 90 of 110, 2 and 1 share 60 of 100; 3 meets none of it.
    found = pair_by_customers(frame([[10, 90, 0], [60, 0, 20], [10, 10, 0]]))
    assert found[:2] == (
        Pair(1, 2, pytest.approx(90 / 110), "same"),
        Pair(2, 1, pytest.approx(60 / 100), "other borders"),
    )
    assert {(pair.first, pair.second, pair.word) for pair in found[2:]} == {
        (3, None, "gone"), (None, 3, "new"),
    }  # fmt: skip


def test_a_pair_at_the_cuts_counts_as_kept():
    assert [p.word for p in pair_by_customers(frame([[75, 25], [0, 100]]))] == ["same", "same"]
    assert [p.word for p in pair_by_customers(frame([[50, 50], [0, 100]]))][0] == "other borders"
    assert [p.word for p in pair_by_customers(frame([[49, 51], [0, 100]]))] == [
        "other borders", "gone", "new",
    ]  # fmt: skip


def test_every_segment_is_in_exactly_one_pair_whatever_the_numbers():
    rng = np.random.default_rng(1)
    for shape in ((2, 5), (5, 2), (4, 4)):
        found = pair_by_customers(frame(rng.integers(0, 50, shape).tolist()))
        for side, size in zip(("first", "second"), shape, strict=True):
            numbers = [getattr(p, side) for p in found if getattr(p, side) is not None]
            assert sorted(numbers) == list(range(1, size + 1))


def test_pairs_by_centres_measure_distance_by_the_nearest_other_centre():
    first = frame([[0.0, 0.0], [4.0, 0.0], [0.0, 8.0]])
    second = frame([[4.4, 0.0], [0.0, 1.6], [0.0, 4.1]])
    found = pair_by_centres(first, second)
    assert found[0] == Pair(1, 2, pytest.approx(1.6 / 4), "moved")
    assert found[1] == Pair(2, 1, pytest.approx(0.4 / 4), "same")
    # 3.9 of the 8 to the nearest centre: still within the borders.
    assert found[2] == Pair(3, 3, pytest.approx(3.9 / 8), "moved")
    far = pair_by_centres(first, frame([[0.0, 0.0], [4.0, 0.0], [0.0, 3.9]]))
    assert [pair.word for pair in far] == ["same", "same", "gone", "new"]


# --- comparing ---------------------------------------------------------------------------------


def test_the_same_run_twice_changes_nothing(tmp_path):
    found = compare(*(read(tmp_path / name, labels(40, 60, 80)) for name in "ab"))
    assert (found.basis, found.shared, found.agreement, found.moved) == ("customers", 180, 1, 0)
    assert [pair.word for pair in found.pairs] == ["same"] * 3
    assert not found.other_data
    assert found.settings == found.versions == []
    assert different_numbers(found.first, found.second) == []
    said = texts(found)
    assert said["Why they differ"] == "Data, settings, code and packages are the same."
    assert "changed by 2 points or more" in said["Size and value"]
    assert "Who changed" not in said and "Gone and new" not in said and "Names" not in said


def test_other_settings_on_the_same_customers(tmp_path):
    before = labels(100, 100, 100)
    after = before.copy()
    after[after == 3] = 2
    confidence = pd.Series(0.5, before.index).where(before != 3, 0.05)
    found = compare(
        read(tmp_path / "a", before, confidence=confidence),
        read(tmp_path / "b", after, parameters={"k": 2}, k_set_by_hand=True),
    )
    assert [(p.first, p.second, p.word) for p in found.pairs] == [
        (1, 1, "same"), (2, 2, "other borders"), (3, None, "gone"),
    ]  # fmt: skip
    assert found.moved == pytest.approx(1 / 3)
    assert (found.moved_near_border, found.near_border) == (1.0, pytest.approx(1 / 3))
    said = texts(found)
    assert "k (by the rule, then 2)" in said["Why they differ"]
    assert "Nobody behaves differently" in said["Why they differ"]
    assert said["Gone and new"] == "“Sleepers” has no counterpart: 100% went to “Bargain hunters”."
    assert "Plans and lists for Big spenders hold." in said["Campaigns"]
    assert "Plans for Bargain hunters hold, but take the second run's lists" in said["Campaigns"]
    assert "from 33% to 67% of clients" in said["Size and value"]
    assert "Most changes are a matter of borders" in said["Who changed"]
    assert "In b the number of segments was set by hand" in said["How far to trust it"]


def test_some_customers_in_common(tmp_path):
    first, second = labels(100, 100), labels(100, 100)
    second.index = [*first.index[50:150], *(f"new-{i}" for i in range(100))]
    second[:] = [*first.iloc[50:150], *[1] * 50, *[2] * 50]
    found = compare(
        read(tmp_path / "a", first), read(tmp_path / "b", second.sort_values(), table="b" * 64)
    )
    assert (found.basis, found.shared, found.agreement) == ("customers", 100, 1.0)
    assert found.moves.to_numpy().tolist() == [[50, 0], [0, 50]]
    said = texts(found)
    assert "The settings are the same and the data differ" in said["Why they differ"]
    assert "Take the clients from the second run's lists" in said["Campaigns"]


def test_no_customers_in_common_are_paired_by_centres(tmp_path):
    found = compare(
        read(tmp_path / "a", labels(100, 100, 100)),
        read(
            tmp_path / "b",
            labels(100, 100, 100, start=900),
            centres=[CENTRES[1], CENTRES[0], CENTRES[2]],
            names=["Bargain hunters", "Big spenders", "Snoozers"],
            table="b" * 64,
        ),
    )
    assert (found.basis, found.shared, found.agreement) == ("centres", 0, None)
    assert "no clients in common" in found.note
    assert [(p.first, p.second) for p in found.pairs] == [(1, 2), (2, 1), (3, 3)]
    assert texts(found)["Names"] == "“Sleepers” is called “Snoozers” now."
    assert "Who changed" not in texts(found)


def test_centres_are_compared_in_real_units(tmp_path):
    """Another table has other means and deviations; the same place has to stay the same place."""
    rescaled = [
        {"name": "spent", "transform": "log1p", "mean": 3.0, "deviation": 3.0, "power": None},
        {"name": "visits", "transform": "none", "mean": 0.0, "deviation": 2.0, "power": None},
    ]
    moved = [[(1.5 * a + 4 - 3) / 3, (4 * b + 10) / 2] for a, b in CENTRES]
    found = compare(
        read(tmp_path / "a", labels(50, 50, 50)),
        read(tmp_path / "b", labels(50, 50, 50, start=900), steps=rescaled, centres=moved),
    )
    assert [pair.measure for pair in found.pairs] == pytest.approx([0, 0, 0], abs=1e-9)
    assert all(pair.shifts == () for pair in found.pairs)


def test_a_yeo_johnson_transform_goes_back_to_real_units(tmp_path):
    steps = [STEPS[0], STEPS[1] | {"transform": "yeo-johnson", "power": 0.5}]
    # x = 8 becomes ((8 + 1) ** .5 - 1) / .5 = 4 and (4 - 10) / 4 = -1.5 in the first run's scale.
    plain = [STEPS[0], STEPS[1] | {"mean": 0.0, "deviation": 1.0}]
    found = compare(
        read(tmp_path / "a", labels(50, 50), steps=steps, centres=[[1.0, -1.5], [-1.0, 2.0]]),
        read(
            tmp_path / "b", labels(50, 50, start=900), steps=plain, centres=[[1.0, 8], [-1.0, 120]]
        ),
    )
    assert found.pairs[0].measure == pytest.approx(0, abs=1e-9)


def test_a_change_of_profile_is_named_with_its_direction(tmp_path):
    shifted = [[2.0, 2.5], *CENTRES[1:]]
    found = compare(
        read(tmp_path / "a", labels(50, 50, 50)),
        read(tmp_path / "b", labels(50, 50, 50), centres=shifted),
    )
    assert found.pairs[0].shifts == (("Visits", pytest.approx(0.5)),)
    assert found.pairs[1].shifts == ()


def test_few_common_customers_are_not_enough(tmp_path):
    first, second = labels(100, 100), labels(100, 100, start=185)
    found = compare(read(tmp_path / "a", first), read(tmp_path / "b", second, table="b" * 64))
    assert (found.basis, found.shared) == ("centres", 15)
    assert "at least 20 are needed" in found.note


def test_row_numbers_are_no_identifiers_in_other_data(tmp_path):
    numbered = [{"what": "no identifier column", "column": "", "rows": 9, "action": NUMBERED}]
    runs = [
        read(tmp_path / name, labels(50, 50), table=name * 64, changes=numbered) for name in "ab"
    ]
    found = compare(*runs)
    assert (found.basis, found.shared) == ("centres", None)
    assert "no identifier" in found.note
    again = read(tmp_path / "c", labels(50, 50), table="a" * 64, changes=numbered)
    assert compare(runs[0], again).basis == "customers", "the same table has the same rows"


def test_the_notebooks_call_numbered_customers_as_is_expected_here(shop):
    table = pd.DataFrame({"spent": np.arange(60.0), "visits": 1.0})
    assert NUMBERED in {change.action for change in index_customers(table, shop).changes}


def test_identifiers_that_agree_by_chance_do_not_count(tmp_path):
    first = labels(500, 500)
    second = first.copy()
    second[:] = np.tile([1, 2], 500)
    other = compare(read(tmp_path / "a", first), read(tmp_path / "b", second, table="b" * 64))
    assert (other.basis, other.shared) == ("centres", None)
    assert "do not stand for the same clients" in other.note
    same = compare(read(tmp_path / "c", first), read(tmp_path / "d", second))
    assert same.basis == "customers", "in the same table, they are"


def test_different_datasets_are_refused(tmp_path):
    other = [step | {"name": f"other_{step['name']}"} for step in STEPS]
    first = read(tmp_path / "a", labels(50, 50))
    with pytest.raises(UserError, match="different datasets, 'shop' and 'bank'") as error:
        compare(first, read(tmp_path / "b", labels(50, 50), dataset="bank", steps=other))
    assert len(str(error.value).splitlines()) == 3


def test_inferred_datasets_with_the_same_features_are_compared(tmp_path):
    january, february = (
        read(tmp_path / name, labels(50, 50), dataset=name) for name in ("january", "february")
    )
    assert compare(january, february).basis == "customers"


def test_other_features_without_common_customers_leave_the_names(tmp_path):
    other = [step | {"name": f"other_{step['name']}"} for step in STEPS]
    found = compare(
        read(tmp_path / "a", labels(50, 50, 50)),
        read(tmp_path / "b", labels(50, 50, start=900), steps=other, names=["Sleepers", "Others"]),
    )
    assert found.basis == "names"
    assert [(p.first, p.second, p.word) for p in found.pairs] == [
        (3, 1, "same name"), (1, None, "gone"), (2, None, "gone"), (None, 2, "new"),
    ]  # fmt: skip
    names = [name for name, *_ in found.settings]
    assert "feature spent" in names and "feature other_spent" in names


def test_a_parameter_that_only_one_version_of_the_notebooks_has_is_no_setting(tmp_path):
    found = compare(
        read(tmp_path / "a", labels(50, 50), parameters={"starts": 30, "results_dir": "/a"}),
        read(tmp_path / "b", labels(50, 50), parameters={"draws": 4, "seed": 7}),
    )
    assert found.settings == [("seed", "20", "7")]


# --- conclusions -------------------------------------------------------------------------------


def pairs(*words):
    sides = {"gone": (1, None), "new": (None, 1)}
    return [Pair(*sides.get(word, (1, 1)), None, word) for word in words]


@pytest.mark.parametrize(
    ("words", "agreement", "expected"),
    [
        (["same", "same"], 0.90, "same"),
        (["same", "same"], 0.89, "redrawn"),
        (["same", "other borders"], 0.95, "same"),
        (["same", "same"], None, "again"),
        (["same", "moved"], None, "redrawn"),
        (["same", "gone"], 0.99, "partly"),
        (["same", "gone", "new"], 0.5, "partly"),
        (["same", "gone", "gone", "new"], 0.5, "another"),
        (["gone", "new"], None, "another"),
    ],
)
def test_the_headline_follows_its_rule(words, agreement, expected):
    assert conclusions.headline(pairs(*words), agreement) == expected


def test_the_rules_quote_the_thresholds_in_force(tmp_path, monkeypatch):
    found = compare(*(read(tmp_path / name, labels(40, 60)) for name in "ab"))
    stated = " ".join(conclusions.rules(found))
    for number in ("0.75", "0.50", "0.90", "0.80", "0.65", "50%", "2 percentage points"):
        assert number in stated
    monkeypatch.setattr(conclusions, "CLEAR_CHANGE", 0.07)
    assert "7 percentage points" in " ".join(conclusions.rules(found))


def test_both_data_and_settings_differ(tmp_path):
    found = compare(
        read(tmp_path / "a", labels(50, 50)),
        read(tmp_path / "b", labels(50, 50), table="b" * 64, parameters={"seed": 7}),
    )
    assert "nothing here tells which of the two" in texts(found)["Why they differ"]


def test_doubts_about_a_run_are_passed_on(tmp_path):
    found = compare(
        read(tmp_path / "a", labels(50, 50), quick=True),
        read(tmp_path / "b", labels(50, 50), verdict={"word": "constructed"}),
    )
    said = texts(found)["How far to trust it"]
    assert "a was made with quick settings" in said
    assert "was “reproducible” and is “constructed”" in said


# --- the page ----------------------------------------------------------------------------------


def test_a_run_of_earlier_notebooks_says_which_have_other_names_now(tmp_path):
    for name in "ab":
        write_run(tmp_path / name, labels(50, 50))
    path = tmp_path / "a" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["stages"][0]["href"] = "notebooks/04_clustering.html"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    text = write_comparison(tmp_path / "a", tmp_path / "b").read_text(encoding="utf-8")
    assert "a was made by earlier notebooks." in text
    assert "04_clustering is 04_kmeans, 07_alternative_methods and 08_robustness now" in text
    assert "b was made by earlier" not in text


def runs_for(folder, hostile=False):
    before, after = labels(90, 120, 150), labels(90, 120, 150)
    after.iloc[80:110], after.iloc[300:] = 3, 4
    names = [f"{NAMES[0]} {HOSTILE[0]}", HOSTILE[1], HOSTILE[2], HOSTILE[5]] if hostile else None
    more = {"title": HOSTILE[0], "nouns": HOSTILE[3], "noun": HOSTILE[4]} if hostile else {}
    metrics = {"clustering": {HOSTILE[0]: 1.0}} if hostile else None
    more |= {"names": names, "generated": True}
    first = write_run(folder / "first", before, metrics=metrics, quick=True, **more)
    return first, write_run(folder / "second", after, parameters={"k": 4}, **more)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_comparison(*runs_for(tmp_path_factory.mktemp("plain")))


@pytest.fixture(scope="module")
def centres_page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("centres")
    first = write_run(folder / "first", labels(90, 120, 150))
    second = write_run(folder / "second", labels(90, 120, 150, start=9000), table="b" * 64)
    return write_comparison(first, second)


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory):
    return write_comparison(*runs_for(tmp_path_factory.mktemp("hostile"), hostile=True))


def test_the_page_lies_beside_the_second_run_and_has_the_same_bytes_again(page):
    assert page.name == "first-to-second.html"
    content = page.read_bytes()
    assert write_comparison(page.parent / "first", page.parent / "second") == page
    assert page.read_bytes() == content


def test_the_page_is_one_file_without_script_and_without_customers(page):
    html = page.read_text(encoding="utf-8")
    soup = BeautifulSoup(html, "html.parser")
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert not soup.find_all(["script", "iframe", "object", "embed", "form", "link"])
    assert not soup.find_all(style=True) and not soup.find_all(src=True)
    assert "customer-0" not in html
    assert str(page.parent) not in html


def test_the_picture_says_in_words_what_it_shows(page, centres_page):
    moves = BeautifulSoup(page.read_text("utf-8"), "html.parser").find(role="img")["aria-label"]
    assert "Moves of 360 clients. Big spenders: 89% to Big spenders, 11% to Sleepers." in moves
    shares = BeautifulSoup(centres_page.read_text("utf-8"), "html.parser").find(role="img")
    assert "Big spenders: 25%, then 25%." in shares["aria-label"]


def test_the_table_of_moves_adds_up(page):
    table = BeautifulSoup(page.read_text("utf-8"), "html.parser").find("table", class_="moves")
    rows = [
        [cell.find(string=True).strip().replace(",", "") for cell in row.find_all("td")]
        for row in [*table.tbody.find_all("tr"), table.tfoot.tr]
    ]
    counts = np.array(rows, dtype=int)
    assert (counts[:, :-1].sum(axis=1) == counts[:, -1]).all()
    assert (counts[:-1].sum(axis=0) == counts[-1]).all()
    assert counts[-1, -1] == 360


def test_bands_fill_both_bars(page):
    soup = BeautifulSoup(page.read_text("utf-8"), "html.parser")
    paths = [path["d"] for path in soup.find("svg", class_="bands").find_all("path")]
    above = below = 0.0
    for path in paths:
        x = [float(n) for n in re.match(
            r"M([\d.]+) 0H([\d.]+)C[\d. ]+ 5 ([\d.]+) 5 [\d.]+ 10H([\d.]+)C", path
        ).groups()]  # fmt: skip
        above, below = above + x[1] - x[0], below + x[2] - x[3]
    assert (above, below) == (pytest.approx(100, abs=0.05), pytest.approx(100, abs=0.05))


def test_a_pair_has_one_colour_and_a_new_segment_one_of_its_own(page):
    html = page.read_text("utf-8")
    bars = BeautifulSoup(html, "html.parser").find_all("svg", class_="stack")
    first, second = ([g["class"][0] for g in bar.find_all("g", class_=re.compile(r"^s\d"))]
                     for bar in bars)  # fmt: skip
    assert first == ["s1", "s2", "s3"]
    assert sorted(second) == ["s1", "s2", "s3", "s4"]
    rules = dict(
        re.findall(r"\.(s\d)\{--segment:(#\w+);", html.split("@media screen and (prefers")[0])
    )
    assert len(set(rules.values())) == len(rules)


def test_customers_whose_value_no_column_measures(tmp_path):
    folders = [write_run(tmp_path / name, labels(50, 50)) for name in ("first", "second")]
    for folder in folders:
        path = folder / "stages" / "06_report.json"
        report = json.loads(path.read_text())
        report["value"] = {"label": "", "unit": "", "total": 0}
        for card in report["segments"]:
            card |= {"value_share": None, "value_mean": None}
        path.write_text(json.dumps(report))
    table = BeautifulSoup(write_comparison(*folders).read_text("utf-8"), "html.parser")
    heads = [th.get_text() for th in table.find("table", class_="beside").thead.find_all("th")]
    assert heads == ["First run", "Second run", "Counterpart", "Clients"]
    assert "No segment's share of clients changed" in table.get_text()


def test_what_sentences_quote_is_not_listed_twice(tmp_path):
    metrics = {"clustering": {"k": 2, "quoted": [{"share": 0.5}]}}
    other = {"clustering": {"k": 2, "quoted": [{"share": 0.6}]}}
    first = read(tmp_path / "a", labels(50, 50), metrics=metrics)
    assert different_numbers(first, read(tmp_path / "b", labels(50, 50), metrics=other)) == []


# --- the command -------------------------------------------------------------------------------


@pytest.fixture()
def here(monkeypatch):
    monkeypatch.setenv("SEGMENTATION_NO_VENV", "1")


def test_the_command_writes_where_it_is_told(tmp_path, here, capsys):
    first, second = runs_for(tmp_path)
    output = tmp_path / "deep" / "changes.html"
    assert command.main(Path("x"), [str(first), str(second), "--output", str(output)]) == 0
    assert output.is_file()
    assert capsys.readouterr().out == f"Comparison: {output}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["first"], "the following arguments are required"),
        (["first", "second", "third"], "unrecognized arguments"),
        (["first", "first"], "both runs are the same folder"),
        (["first", "nowhere"], "there is no folder 'nowhere'"),
        (["first", "second", "--output", "."], "--output names a folder"),
        (["first", "second", "--output", "first/metrics.json/x.html"], "cannot be written"),
    ],
)
def test_mistakes_end_in_three_lines_and_exit_code_2(
    tmp_path, monkeypatch, here, capsys, arguments, message
):
    runs_for(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert command.main(Path("x"), arguments) == 2
    said = capsys.readouterr()
    assert message in said.err and said.out == ""
    assert len(said.err.splitlines()) == 3


def test_folders_of_one_name_are_told_apart_by_those_above(tmp_path, here):
    for above in ("monday", "tuesday"):
        write_run(tmp_path / above / "shop", labels(50, 50))
    page = write_comparison(tmp_path / "monday/shop", tmp_path / "tuesday/shop")
    assert page.name == "monday-shop-to-tuesday-shop.html"
    assert "monday/shop and tuesday/shop compared" in page.read_text("utf-8")


def test_a_comparison_leaves_the_runs_as_they_are(tmp_path, here):
    folders = runs_for(tmp_path)
    before = {path: path.read_bytes() for f in folders for path in f.rglob("*") if path.is_file()}
    write_comparison(*folders)
    assert before == {p: p.read_bytes() for f in folders for p in f.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_the_script_starts_from_any_folder(tmp_path):
    first, second = runs_for(tmp_path)
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "compare.py"), first.name, second.name],
        cwd=tmp_path,
        env=os.environ | {"SEGMENTATION_NO_VENV": "1"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "first-to-second.html").is_file()


# --- in a browser ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["page", "centres_page", "hostile_page"])
@pytest.mark.parametrize("width", [400, 1280])
def test_a_page_is_quiet_and_fits_the_window(browser, request, name, width):  # noqa: F811
    path = request.getfixturevalue(name)
    with Visit(browser, path, width=width) as visit:
        visit.unfold()
        assert visit.asked_for() == [path.as_uri()]
        assert visit.said == []
        assert visit.too_wide() == []
        assert visit.page.title() != "run"
        active = "script, iframe, object, embed, form, input, base, link, meta[http-equiv=refresh]"
        assert visit.page.locator(active).count() == 0


@pytest.mark.parametrize("name", ["page", "centres_page"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_accessible(browser, request, name, scheme):  # noqa: F811
    with Visit(browser, request.getfixturevalue(name), scheme=scheme) as visit:
        visit.unfold()
        visit.page.evaluate(
            "document.querySelectorAll('.scroll').forEach(e => e.style.background = 'none')"
        )
        results = axe.Axe().run(visit.page, options={"runOnly": RULES})
        assert results.response["passes"], "axe did not run"
        assert [(v["id"], [n["html"][:200] for n in v["nodes"]])
                for v in results.response["violations"]] == []  # fmt: skip


def test_nothing_is_clipped_on_paper(browser, page):  # noqa: F811
    with Visit(browser, page, width=A4_WIDTH) as visit:
        visit.page.emulate_media(media="print")
        wide = visit.page.evaluate(
            """() => [...document.querySelectorAll('table, svg, p, li, dd')]
                .filter(e => e.getClientRects().length && !e.closest('svg svg'))
                .filter(e => e.getBoundingClientRect().right > document.body.clientWidth + 1)
                .map(e => e.outerHTML.slice(0, 120))"""
        )
        assert wide == []
