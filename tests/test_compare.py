"""Two runs side by side: pairing by hand-worked cases, conclusions by their rules, and the page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sample_run import assert_inert, words
from sample_runs import CENTRES, STEPS, labels, two_runs, write_run

import compare as command
from customer_tables.errors import UserError
from runner.comparison import NUMBERED, Pair, compare, pair_by_centres, pair_by_customers, read_run
from runner.comparison_page import write_comparison
from runner.conclusions import conclude, headline
from segmentation.cleaning import index_customers

OTHER_STEPS = [step | {"name": f"other_{step['name']}"} for step in STEPS]
OTHERS = {"table": "b" * 64}  # other data


def compared(folder, before, after, first=None, **second):
    runs = (
        write_run(folder / "a", before, **(first or {})),
        write_run(folder / "b", after, **second),
    )
    found = compare(*map(read_run, runs))
    return found, dict(conclude(found))


def paired(pairs):
    """Write pairs in short: 1-2 same, 3- gone."""
    return ", ".join(f"{pair.first or ''}-{pair.second or ''} {pair.word}" for pair in pairs)


def frame(rows):
    return pd.DataFrame(rows, index=range(1, len(rows) + 1), columns=range(1, len(rows[0]) + 1))


# --- reading -----------------------------------------------------------------------------------

HEAD = "customer,segment,confidence\n"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (None, "nowhere", "there is no folder 'nowhere'"),
        (None, "run/model.json", "this is a file"),
        (None, "run/stages", "manifest.json is missing"),
        ("metrics.json", "{", "metrics.json cannot be used"),
        ("metrics.json", "[]", "it holds no object"),
        ("model.json", "{}", "model.json cannot be used"),
        ("segments.csv", "customer,segment\na,1\n", "segments.csv cannot be used"),
        ("segments.csv", HEAD + "a,x,1\n", "segments.csv cannot be used"),
        ("segments.csv", HEAD + "a,1,1\na,1,1\n", "two rows"),
        ("segments.csv", HEAD + "a,1,1\nb,2,1\n", "segments differ"),
        ("segments.csv", HEAD + "".join(f"c{i},3,1\n" for i in range(80)), "segments differ"),
    ],
)
def test_what_is_no_whole_run_is_refused_in_three_lines(tmp_path, file, content, message):
    folder = write_run(tmp_path / "run", labels(40, 40))
    if file:
        (folder / file).write_text(content)
    with pytest.raises(UserError, match=message) as error:
        read_run(folder if file else tmp_path / content)
    assert len(str(error.value).splitlines()) == 3


def test_identifiers_stay_texts_and_files_changed_after_the_run_are_noted(tmp_path):
    segments = labels(20, 20)
    segments.index = [f"{i:03d}" for i in range(38)] + ["NA", "null"]
    folder = write_run(tmp_path / "run", segments)
    run = read_run(folder)
    assert list(run.segments.index[[0, 38, 39]]) == ["000", "NA", "null"] and run.altered == []
    (folder / "metrics.json").write_text("{}")
    assert read_run(folder).altered == ["metrics.json"]


# --- pairing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moves", "expected", "likeness"),
    [
        # Of those in either, 1 and 2 share 90 of 110, 2 and 1 share 60 of 100; 3 meets none of it.
        (
            [[10, 90, 0], [60, 0, 20], [10, 10, 0]],
            "1-2 same, 2-1 other boundaries, 3- gone, -3 new",
            [90 / 110, 60 / 100, 10 / 90, 20 / 80],
        ),
        ([[75, 25], [0, 100]], "1-1 same, 2-2 same", [0.75, 0.8]),
        ([[50, 50], [0, 100]], "1-1 other boundaries, 2-2 other boundaries", [0.5, 2 / 3]),
        ([[49, 51], [0, 100]], "2-2 other boundaries, 1- gone, -1 new", [100 / 151, 0.49, 0.49]),
        ([[9, 0, 1]], "1-1 same, -2 new, -3 new", [0.9, 0, 0.1]),
    ],
)
def test_pairs_by_customers_are_those_of_the_largest_jaccard_similarity(moves, expected, likeness):
    found = pair_by_customers(frame(moves))
    assert paired(found) == expected
    assert [pair.measure for pair in found] == pytest.approx(likeness)


def test_pairs_by_centres_measure_distance_by_the_nearest_other_centre():
    first = frame([[0.0, 0.0], [4.0, 0.0], [0.0, 8.0]])
    found = pair_by_centres(first, frame([[4.4, 0.0], [0.0, 1.6], [0.0, 4.1]]))
    assert paired(found) == "1-2 moved, 2-1 same, 3-3 moved"
    # 3.9 of the 8 to the nearest centre: still within the boundaries.
    assert [pair.measure for pair in found] == pytest.approx([1.6 / 4, 0.4 / 4, 3.9 / 8])
    far = pair_by_centres(first, frame([[0.0, 0.0], [4.0, 0.0], [0.0, 3.9]]))
    assert paired(far) == "1-1 same, 2-2 same, 3- gone, -3 new"


# --- comparing ---------------------------------------------------------------------------------


def test_the_same_run_twice_changes_nothing(tmp_path):
    found, said = compared(tmp_path, labels(40, 60, 80), labels(40, 60, 80))
    assert (found.basis, found.shared, found.agreement, found.moved) == ("customers", 180, 1, 0)
    assert paired(found.pairs) == "1-1 same, 2-2 same, 3-3 same"
    assert said["Data and settings"] == "Data, settings, code and packages are the same."
    assert "changed by 2 points or more" in said["Size and value"]
    assert not {"Customers who changed", "Gone and new", "Names"} & said.keys()


def test_other_settings_on_the_same_customers(tmp_path):
    before = labels(100, 100, 100)
    confidence = pd.Series(0.5, before.index).where(before != 3, 0.05)
    second = {"parameters": {"k": 2, "draws": 4}, "k_set_by_hand": True}
    first = {"confidence": confidence, "parameters": {"initialisations": 30, "results_dir": "/a"}}
    found, said = compared(tmp_path, before, before.where(before != 3, 2), first, **second)
    assert paired(found.pairs) == "1-1 same, 2-2 other boundaries, 3- gone"
    assert found.moved == pytest.approx(1 / 3)
    assert (found.moved_near_boundary, found.near_boundary) == (1.0, pytest.approx(1 / 3))
    assert found.settings == [("k", "by the rule", "2")]  # others are a matter of the notebooks
    for part in (
        "k (by the rule, then 2). Every change of segment comes",
        "“Sleepers” has no counterpart: 100% went to “Bargain hunters”.",
        "Plans and lists for Big spenders hold. Plans for Bargain hunters hold, but take",
        "from 33% to 67% of clients",
        "Most changes are a matter of boundaries",
        "In b the number of segments was set by hand",
    ):
        assert part in " ".join(said.values())


def test_no_customers_in_common_are_paired_by_centres(tmp_path):
    second = OTHERS | {"centres": [CENTRES[1], CENTRES[0], CENTRES[2]], "parameters": {"seed": 7}}
    second["names"] = ["Bargain hunters", "Big spenders", "Snoozers"]
    runs = labels(100, 100, 100), labels(100, 100, 100, start=900)
    found, said = compared(tmp_path, *runs, **second)
    assert (found.basis, found.shared, found.agreement) == ("centres", 0, None)
    assert found.obstacle == "none"
    assert paired(found.pairs) == "1-2 same, 2-1 same, 3-3 same"
    assert (
        said["Names"] == "“Sleepers” is called “Snoozers” now."
        and "Customers who changed" not in said
    )
    assert "this page cannot show which of the two" in said["Data and settings"]


# Another table has other means and deviations; the same place has to stay the same place.
RESCALED = [
    step | {"mean": mean, "deviation": deviation}
    for step, mean, deviation in zip(STEPS, (3.0, 0.0), (3.0, 2.0), strict=True)
]
# x = 8 becomes ((8 + 1) ** .5 - 1) / .5 = 4 and (4 - 10) / 4 = -1.5 in the first run's scale;
# x = -3 becomes -((1 + 3) ** 1.5 - 1) / 1.5 = -14 / 3.
YEO_JOHNSON = [STEPS[0], STEPS[1] | {"transform": "yeo-johnson", "power": 0.5}]
PLAIN = [STEPS[0], STEPS[1] | {"mean": 0.0, "deviation": 1.0}]
UNITS, POWERS = [[1, 8], [-1, -3]], [[1, -1.5], [-1, (-14 / 3 - 10) / 4]]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((STEPS, CENTRES), (RESCALED, [[(1.5 * a + 1) / 3, 2 * b + 5] for a, b in CENTRES])),
        ((YEO_JOHNSON, POWERS), (PLAIN, UNITS)),
        ((PLAIN, UNITS), (YEO_JOHNSON, POWERS)),
    ],
)
def test_centres_are_compared_in_real_units(tmp_path, first, second):
    settings = [dict(zip(("steps", "centres"), run, strict=True)) for run in (first, second)]
    runs = labels(50, 50), labels(50, 50, start=900)
    found, _ = compared(tmp_path, *runs, settings[0], **settings[1])
    assert [pair.measure for pair in found.pairs] == pytest.approx([0, 0], abs=1e-9)
    assert list(found.shifts.values()) == [[], []]


def test_profiles_sizes_and_doubts_that_change_are_named(tmp_path):
    second = {"centres": [[2.0, 2.5], *CENTRES[1:]], "verdict": {"word": "constructed"}}
    sizes = labels(100, 200, 700), labels(130, 300, 570)
    found, said = compared(tmp_path, *sizes, {"quick": True}, **second)
    assert list(found.shifts.values()) == [[("Visits", pytest.approx(0.5))], [], []]
    names = [part.split(" from ")[0] for part in said["Size and value"].split("; ")]
    assert names == ["Sleepers", "Bargain hunters", "Big spenders"], "not the largest first"
    assert "a was made with quick settings" in said["How far to trust it"]
    assert "was “reproducible” and is “constructed”" in said["How far to trust it"]


CHANCE = pd.Series(np.tile([1, 2], 500), index=labels(1000).index)
SAME, LARGE, NO_IDS = labels(50, 50), labels(500, 500), {"changes": [{"action": NUMBERED}]}
BY_ROW = "The clients have no identifier"
BY_CHANCE = "do not stand for the same clients"


@pytest.mark.parametrize(
    ("before", "after", "settings", "basis", "shared", "said"),
    [
        (SAME, labels(50, 50, start=85), OTHERS, "centres", 15, "15 of the clients"),
        # Row numbers are no identifiers in other data; the same table has the same rows.
        (SAME, SAME, OTHERS | NO_IDS, "centres", None, BY_ROW),
        (SAME, SAME, NO_IDS, "customers", 100, ""),
        # Identifiers that agree by chance do not stand for the same customers.
        (LARGE, CHANCE, OTHERS, "centres", None, BY_CHANCE),
        (LARGE, CHANCE, {}, "customers", 1000, ""),
        (SAME, SAME, {"dataset": "february"}, "customers", 100, ""),
    ],
)
def test_when_customers_in_common_count(
    shop, tmp_path, before, after, settings, basis, shared, said
):
    numbered = index_customers(pd.DataFrame({"spent": np.arange(60.0), "visits": 1.0}), shop)
    assert NUMBERED in {change.action for change in numbered.changes}
    found, _ = compared(tmp_path, before, after, **settings)
    assert (found.basis, found.shared) == (basis, shared)
    page = assert_inert(write_comparison(tmp_path / "a", tmp_path / "b").read_text("utf-8"))
    notices = [words(notice) for notice in page.select(".notices li")]
    assert [f"Paired by their {basis}. " in n and said in n for n in notices] == [True] * bool(said)


def test_different_datasets_are_refused(tmp_path):
    with pytest.raises(UserError, match="different datasets, 'shop' and 'bank'") as error:
        compared(tmp_path, labels(50, 50), labels(50, 50), dataset="bank", steps=OTHER_STEPS)
    assert len(str(error.value).splitlines()) == 3


def test_other_features_without_common_customers_leave_the_names(tmp_path):
    runs = labels(50, 50, 50), labels(50, 50, start=900)
    found, _ = compared(tmp_path, *runs, steps=OTHER_STEPS, names=["Sleepers", "Others"])
    assert found.basis == "names"
    assert paired(found.pairs) == "3-1 same name, 1- gone, 2- gone, -2 new"
    assert {"feature spent", "feature other_spent"} <= {name for name, *_ in found.settings}


# --- conclusions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "agreement", "expected"),
    [
        ("same, same", 0.90, "the same segmentation"),
        ("same, same", 0.89, "with other boundaries"),
        ("same, other boundaries", 0.95, "the same segmentation"),
        ("same, same", None, "among other customers"),
        ("same, moved", None, "with other boundaries"),
        ("same, gone", 0.99, "Some segments"),
        ("same, gone, new", 0.5, "Some segments"),
        ("same, gone, gone, new", 0.5, "another segmentation"),
        ("gone, new", None, "another segmentation"),
    ],
)
def test_the_headline_follows_its_rule(words, agreement, expected):
    sides = {"gone": (1, None), "new": (None, 1)}
    pairs = [Pair(*sides.get(word, (1, 1)), None, word) for word in words.split(", ")]
    assert expected in headline(pairs, agreement)


# --- the page ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page, which lies beside the second run and says nothing of customers."""
    path = write_comparison(*two_runs(tmp_path_factory.mktemp("plain")))
    assert path.name == "first-to-second.html" and path.parent.joinpath("second").is_dir()
    html = path.read_text("utf-8")
    assert "customer-0" not in html and str(path.parent) not in html
    return assert_inert(html)


def test_the_picture_says_in_words_what_it_shows(page, tmp_path):
    moves = page.find(role="img")["aria-label"]
    assert "Moves of 360 clients. Big spenders: 89% to Big spenders, 11% to Sleepers." in moves
    second = write_run(tmp_path / "b", labels(90, 120, 150, start=9000), **OTHERS)
    html = write_comparison(write_run(tmp_path / "a", labels(90, 120, 150)), second).read_text()
    shares = assert_inert(html).find(role="img")["aria-label"]
    assert "Big spenders: 25%, then 25%." in shares


def test_the_tables_show_who_moved(page):
    table = page.find("table", class_="moves")
    rows = [*table.tbody.find_all("tr"), table.tfoot.tr]
    counts = [[cell.find(string=True).strip() for cell in row.find_all("td")] for row in rows]
    assert [" ".join(row) for row in counts] == [
        "80 0 10 0 90",
        "0 100 20 0 120",
        "0 0 90 60 150",
        "80 100 120 60 360",
    ]
    assert len(table.select(".pair")) == len(page.select("svg.bands path:not(.moved)")) == 3
    cells = page.select("table.beside tbody tr")[0].find_all("td")
    expected = ["Big spenders", "the same alike 0.89", "90 →, then 80 25% →, then 22%"]
    assert [words(cell) for cell in cells[:3]] == expected


def test_a_pair_has_one_colour_and_a_new_segment_one_of_its_own(page):
    first, second = (
        [g["class"][0] for g in bar.find_all("g", class_=re.compile(r"^s\d"))]
        for bar in page.find_all("svg", class_="stack")
    )
    assert first == ["s1", "s2", "s3"] and sorted(second) == ["s1", "s2", "s3", "s4"]
    rules = dict(re.findall(r"\.(s\d)\{--segment:(#\w+);", page.style.text))
    assert len(rules) == 4 and len(set(rules.values())) == 4


def test_notices_name_the_run_they_are_about(page, tmp_path):
    first = write_run(tmp_path / "a", labels(50, 50))
    second = write_run(tmp_path / "b", labels(50, 50))
    manifest = json.loads((second / "manifest.json").read_text())
    manifest["stages"][0]["current"] = False
    (second / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (second / "metrics.json").write_text('{"other": 1}')
    compared = assert_inert(write_comparison(first, second).read_text("utf-8"))
    assert [words(notice) for notice in compared.select(".notices li")] == [
        "b is partly out of date. Run again from notebook 04.",
        "Files of b were changed after the run: metrics.json.",
    ]
    assert [words(notice).split(".")[0] for notice in page.select(".notices li")] == [
        "Generated data in both runs",
        "Quick settings in first",
    ]


def test_customers_whose_value_no_column_measures(tmp_path):
    folders = [write_run(tmp_path / name, labels(50, 50)) for name in ("first", "second")]
    for folder in folders:
        path = folder / "stages" / "06_report.json"
        report = json.loads(path.read_text())
        report["values"] = []
        for card in report["segments"]:
            card["values"] = []
        path.write_text(json.dumps(report))
    page = assert_inert(write_comparison(*folders).read_text("utf-8"))
    heads = [th.get_text() for th in page.find("table", class_="beside").thead.find_all("th")]
    assert heads == ["First run", "Second run", "Counterpart", "Clients"]
    assert "No segment's share of clients changed" in page.get_text()


# --- the command -------------------------------------------------------------------------------


@pytest.fixture()
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return two_runs(tmp_path)


def test_the_command_writes_where_it_is_told_and_leaves_the_runs_as_they_are(here, capsys):
    before = {p: p.read_bytes() for run in here for p in run.rglob("*") if p.is_file()}
    output = Path("deep/changes.html")
    assert command.main(["first", "second", "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"Comparison: {output}\n" and output.is_file()
    assert before == {p: p.read_bytes() for run in here for p in run.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("first", "the following arguments are required"),
        ("first second third", "unrecognized arguments"),
        ("first first", "both runs are the same folder"),
        ("first nowhere", "there is no folder 'nowhere'"),
        ("first second --output .", "--output names a folder"),
        ("first second --output first/metrics.json/x.html", "cannot be written"),
    ],
)
def test_mistakes_are_told_in_three_lines(here, capsys, arguments, message):
    assert command.main(arguments.split()) == 2
    said = capsys.readouterr()
    assert message in said.err and len(said.err.splitlines()) == 3 and said.out == ""


def test_folders_of_one_name_are_told_apart_by_those_above(tmp_path):
    folders = [write_run(tmp_path / day / "shop", labels(50, 50)) for day in ("monday", "tuesday")]
    page = write_comparison(*folders)
    assert page.name == "monday-shop-to-tuesday-shop.html"
    assert "monday/shop and tuesday/shop compared" in page.read_text("utf-8")
