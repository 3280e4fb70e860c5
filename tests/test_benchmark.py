"""The benchmark: that it measures what it says, concludes by its rule, and that entries run."""

import json

import benchmark_entries
import numpy as np
import pytest

import benchmark
from benchmarks import plain, report, runs, stages
from benchmarks.measure import equal_results, measure, quartiles, verdict
from customer_tables.errors import UserError
from runner.errors import STAGE_FAILED, USER_ERROR, RunFailed
from segmentation import alternatives, stability
from segmentation.kmeans import fit_kmeans
from segmentation.silhouette import silhouettes

OWN = {entry.name: entry for entry in benchmark_entries.ENTRIES}


def tiny(name, **more):
    return measure(OWN[name], "tiny", say=lambda line: None, **more)


@pytest.fixture(scope="module")
def record():
    return tiny("equal")


# --- measuring ----------------------------------------------------------------------------------


def test_a_record_holds_times_ratios_machine_and_versions(record):
    (case,) = record["cases"]
    low, *_, high = case["ratios"]["long"]["seconds"]
    assert 1 < low <= high
    assert case["contestants"]["long"]["seconds"][0] >= 0.3
    assert case["contestants"]["short"]["threads"] == "1"
    assert case["equal"] and case["equality"] == "equal"
    assert 0 <= case["used_by_others"] <= 1
    assert json.loads(json.dumps(record)) == record
    assert record["machine"]["versions"]["numpy"] == np.__version__
    assert record["rounds"] == 2


def test_results_that_differ_are_told():
    (case,) = tiny("other labels", rounds=1)["cases"]
    assert not case["equal"]
    assert "labels of other differs" in case["equality"]


def test_a_way_that_fails_ends_the_benchmark_with_its_reason():
    with pytest.raises(RunFailed, match="broken: broken failed: ValueError: no such luck"):
        tiny("broken")


def test_files_are_made_once_and_memory_is_that_of_the_run():
    (case,) = tiny("files")["cases"]
    memory = case["contestants"]["large"]
    assert memory["extra_memory"][2] == pytest.approx(80e6, rel=0.3)
    assert memory["peak_memory"][2] > memory["extra_memory"][2]


@pytest.mark.parametrize(
    ("ratios", "word"),
    [
        ([4.1, 4.2, 4.3], "met"),
        ([3.7, 3.8, 3.9], "missed"),
        ([1.0, 4.1, 4.2, 4.3, 4.4], "met"),  # one round in five may be disturbed
        ([3.0, 3.5, 4.1, 4.5, 5.0], "spread too wide to conclude"),
    ],
)
def test_a_goal_is_judged_by_both_quartiles(ratios, word):
    assert verdict(quartiles(ratios), 4.0) == word


@pytest.mark.parametrize(
    ("changed", "equal"),
    [
        ({}, True),
        ({"inertia": 100.0 + 1e-8}, True),
        ({"inertia": 100.0 + 1e-6}, False),
        ({"inertia": np.nan}, False),
        ({"labels": np.array([1, 0])}, False),
        ({"labels": np.array([0, 1, 1])}, False),
        ({"more": 1}, False),
    ],
)
def test_equality_takes_labels_exactly_and_statistics_to_a_billionth(changed, equal):
    base = {"labels": np.array([0, 1]), "inertia": 100.0}
    assert equal_results({"a": base, "b": base | changed}, {})[0] is equal


def test_an_exponent_is_fitted_beyond_a_hundred_thousand_rows():
    def case(rows, seconds):
        told = {"seconds": [seconds] * 5, "extra_memory": [1e9 + 640 * rows] * 5}
        return {"rows": rows}, {"run.py": told}

    cases = [case(1e4, 50.0), case(1e5, 60.0), case(1e6, 60.0 * 10**1.2)]
    memory, exponent = runs.GROWTH.figures(cases)
    assert exponent.value == pytest.approx(1.2) and exponent.most == 1.1
    assert memory.value == pytest.approx(1.0) and memory.most == 1.5


# --- what is shown ------------------------------------------------------------------------------


def test_tables_show_ratio_goal_and_verdict(record):
    text = report.report([record])
    assert "time: at least 2: met" in text
    assert "most seconds" in text and "goal: at most 60: met" in text
    assert "long (time)" not in report.readme_block([record])  # goals are for full sizes
    block = report.readme_block([record | {"size": "full"}])
    assert "| equal | long (time) |" in block and "at least 2: met" in block


def test_a_busy_machine_wide_ratios_and_differing_results_are_on_the_page(record):
    case = record["cases"][0] | {"used_by_others": 0.62, "equal": False}
    case["ratios"] = {"long": dict.fromkeys(report.UNITS, [2.0, 2.0, 5.0, 8.0, 8.0])}
    text = report.report([record | {"cases": [case]}])
    assert "Other programs used 62% of the machine" in text
    assert "compare different things" in text and "5 (2–8) (wide)" in text
    block = report.readme_block([record | {"cases": [case], "size": "full"}])
    assert "results differ" in block and "used up to 62% of the machine" in block


def test_the_readmes_table_is_what_the_stored_measurements_say():
    records = benchmark.read(benchmark.STORED)
    assert records, "results/performance/benchmark.json is missing"
    text = benchmark.README.read_text(encoding="utf-8")
    assert report.insert(text, report.readme_block(records)) == text
    # Some entries need packages beside the lock: they count, whether installed here or not.
    assert {record["name"] for record in records} <= set(benchmark.entries())


def test_records_of_other_entries_stay(record, tmp_path):
    order = ["equal", "files"]
    for changed in ({"name": "files"}, {}, {"title": "again"}):
        benchmark.store(tmp_path, record | changed, order=order)
    assert [one["name"] for one in benchmark.read(tmp_path)] == order
    assert benchmark.read(tmp_path)[0]["title"] == "again"
    assert "## again" in (tmp_path / "benchmark.md").read_text()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--only", "nothing"], "choose from end-to-end"),
        (["--rounds", "0"], "no number of rounds"),
        (["--stages", "nowhere"], "no run that tells"),
        (["--readme", "--output", "nowhere"], "no measurements"),
    ],
)
def test_a_users_mistake_is_told(options, told, capsys, monkeypatch):
    monkeypatch.setenv("SEGMENTATION_NO_VENV", "1")
    assert benchmark.main(benchmark.__file__, options) == USER_ERROR
    assert told in capsys.readouterr().err


def test_the_command_writes_tables_and_fails_where_results_differ(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SEGMENTATION_NO_VENV", "1")
    monkeypatch.setattr(benchmark, "entries", lambda: OWN)
    options = ["--size", "tiny", "--rounds", "1", "--output", str(tmp_path)]
    assert benchmark.main(benchmark.__file__, ["--only", "other labels", *options]) == STAGE_FAILED
    assert [one["name"] for one in benchmark.read(tmp_path)] == ["other labels"]
    assert "labels of other differs" in capsys.readouterr().out


def test_stages_show_where_a_run_spent_its_time(tmp_path):
    cells = ["import this", "fit()\nmore()", "draw(a | b)"]
    notebook = {"cells": [{"cell_type": "code", "source": source} for source in cells]}
    notebook["cells"].insert(1, {"cell_type": "markdown", "source": "words"})
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "04_x.ipynb").write_text(json.dumps(notebook))
    stage = {"number": "04", "seconds": 9.5, "peak_memory": 250e6, "cells": [1.0, 6.0, 2.0]}
    manifest = {"schema": 1, "stages": [stage]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    text = stages.table_of(tmp_path)
    assert "| 04 | 9.5 | 250 MB |" in text
    rows = [line for line in text.splitlines() if "`" in line]
    assert rows[0] == "| 04 | 2 | 6.00 | 66.7% | `fit()` |"
    assert rows[1].endswith("`draw(a \\| b)` |")
    with pytest.raises(UserError, match="no run that tells"):
        stages.table_of(tmp_path / "notebooks")


# --- entries ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, e in benchmark.entries().items() if not e.missing])
def test_every_entry_gives_equal_results_at_a_tiny_size(name, tmp_path):
    entry = benchmark.entries()[name]
    assert set(entry.sizes) == {"full", "quick", "tiny"}
    assert {goal.against for goal in entry.goals} <= set(list(entry.ways)[1:])
    assert set(entry.pinned) <= set(entry.ways)
    if name in ("notebooks", "nothing-to-do"):  # start the same programs as the full run does
        return
    for number, settings in enumerate(entry.sizes["tiny"]):
        folder = tmp_path / str(number)
        folder.mkdir()
        entry.prepare(settings, folder)
        loaded = entry.load(settings, folder)
        results = {name: way(loaded, settings) for name, way in entry.ways.items()}
        holds, text = entry.equal(results, settings)
        assert holds, text


@pytest.fixture(scope="module")
def mass():
    return np.random.default_rng(4).normal(size=(260, 4))


def test_plain_silhouettes_are_the_packages(mass):
    rng = np.random.default_rng(0)
    labelings = {"some": rng.integers(0, 4, 260), "noise": rng.integers(-1, 2, 260)}
    labelings["alone"] = np.append(np.zeros(259, int), 1)
    labelings["one"] = np.zeros(260, int)
    for chosen in (None, np.arange(0, 260, 3)):
        ours = silhouettes(mass, labelings, rows=chosen)
        theirs = plain.silhouettes(mass, labelings, rows=chosen)
        for name in labelings:
            np.testing.assert_allclose(theirs[name], ours[name], atol=1e-12, err_msg=name)


def test_plain_fits_trees_and_resamples_are_the_packages(mass):
    ours = fit_kmeans(mass, 4, n_init=5, seed=3)
    theirs = plain.fit_kmeans(mass, 4, n_init=5, seed=3)
    np.testing.assert_array_equal(theirs.labels, ours.labels)
    np.testing.assert_allclose(theirs.inertias, ours.inertias, rtol=1e-12)
    for ours, theirs in (
        (alternatives.ward_tree(mass), plain.ward_tree(mass)),
        (alternatives.linkage_tree(mass, "average"), plain.linkage_tree(mass, "average")),
    ):
        np.testing.assert_allclose(theirs[:, 2], ours[:, 2], rtol=1e-9)
    counts, seed = stability._bootstrap(len(mass), 1, 3)[0]
    sampled = (mass, 3, 2, counts, seed)
    np.testing.assert_allclose(
        plain.fit_sample(*sampled), stability._fit_sample(*sampled), atol=1e-9
    )


def test_tables_are_held_against_each_other_cell_by_cell():
    table = 'name,value\nx,0.30000000000000004\ny,"""word"""\nz,null\n'
    assert runs.same_table(table, table.replace("0.30000000000000004", "0.3"))
    for before, after in (("0.30000000000000004", "0.31"), ("word", "ward"), ("null", "1")):
        assert not runs.same_table(table, table.replace(before, after))
    assert not runs.same_table(table, table + "d,3\n")
