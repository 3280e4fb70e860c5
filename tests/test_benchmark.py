"""The benchmark: that it measures what it says, concludes by its rule, and that entries run."""

import json
from pathlib import Path

import benchmark_entries
import numpy as np
import pytest

from benchmarks import catalogue, command, growth, plain, stages, tables
from benchmarks.end_to_end import same_table
from benchmarks.entry import SIZES, equal_results
from benchmarks.measuring import is_wide, measure, quartiles, verdict
from customer_tables.errors import UserError
from runner.errors import STAGE_FAILED, USER_ERROR, RunFailed
from segmentation import alternatives, stability
from segmentation.kmeans import fit_kmeans
from segmentation.silhouette import silhouettes

SCRIPT = Path(command.__file__).parents[1] / "benchmark.py"
OWN = {entry.name: entry for entry in benchmark_entries.ENTRIES}


def tiny(name, **more):
    return measure(OWN[name], "tiny", say=lambda line: None, **more)


@pytest.fixture(scope="module")
def record():
    return tiny("equal")


def test_a_ratio_is_the_others_time_over_ours(record):
    (case,) = record["cases"]
    low, *_, high = case["ratios"]["long"]["seconds"]
    assert 1 < low <= high
    assert case["contestants"]["long"]["seconds"][0] >= 0.3
    assert case["equal"] and case["equality"].startswith("equal")


def test_a_record_is_plain_and_names_machine_versions_and_threads(record):
    assert json.loads(json.dumps(record)) == record
    assert record["machine"]["versions"]["numpy"] == np.__version__
    assert record["machine"]["cores"] > 0
    assert record["rounds"] == 2
    assert record["cases"][0]["contestants"]["short"]["threads"] == "default"
    assert 0 <= record["cases"][0]["used_by_others"] <= 1


def test_results_that_differ_are_told(tmp_path):
    (case,) = tiny("other labels", rounds=1)["cases"]
    assert not case["equal"]
    assert "labels of other differs" in case["equality"]


def test_a_contestant_has_its_own_surroundings():
    (case,) = tiny("other surroundings", rounds=1)["cases"]
    assert "word of with a word differs" in case["equality"]


def test_a_contestant_that_fails_ends_the_benchmark_with_its_reason():
    with pytest.raises(RunFailed, match="broken: broken failed: ValueError: no such luck"):
        tiny("broken")


def test_files_are_made_once_and_memory_is_that_of_the_run():
    (case,) = tiny("files", rounds=1)["cases"]
    memory = case["contestants"]["large"]
    assert memory["extra_memory"][2] == pytest.approx(80e6, rel=0.2)
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


def test_a_wide_ratio_is_marked():
    assert is_wide(quartiles([2.0, 2.0, 5.0, 8.0, 8.0]))
    assert "(wide)" in tables.ratio(quartiles([2.0, 2.0, 5.0, 8.0, 8.0]))
    assert not is_wide(quartiles([3.0, 3.1, 3.2]))


def test_equality_takes_labels_exactly_and_statistics_to_a_billionth():
    base = {"labels": np.array([0, 1]), "inertia": 100.0}
    near = base | {"inertia": 100.0 + 1e-8}
    far = base | {"inertia": 100.0 + 1e-6}
    assert equal_results({"a": base, "b": near}, {}).holds
    assert not equal_results({"a": base, "b": far}, {}).holds
    assert not equal_results({"a": base, "b": base | {"labels": np.array([1, 0])}}, {}).holds
    assert not equal_results({"a": base, "b": {"labels": base["labels"]}}, {}).holds
    assert not equal_results({"a": base, "b": base | {"inertia": np.nan}}, {}).holds


def test_tables_show_ratio_goal_and_verdict(record):
    text = tables.report([record])
    assert "time: at least 2: met" in text
    assert "most seconds" in text and "goal: at most 60; met" in text
    block = tables.readme_block([record | {"size": "full"}])
    assert "long (time)" not in tables.readme_block([record])
    assert "| equal | long (time) |" in block and "at least 2: met" in block


def test_a_busy_machine_and_differing_results_are_on_the_page(record):
    case = record["cases"][0] | {"used_by_others": 0.62, "equal": False}
    text = tables.report([record | {"cases": [case]}])
    assert "Other programs used 62% of the machine" in text
    assert "compare different things" in text
    block = tables.readme_block([record | {"cases": [case], "size": "full"}])
    assert "results differ" in block and "used up to 62% of the machine" in block


def test_the_readme_keeps_what_is_around_its_table():
    text = f"before\n{tables.START}\nold\n{tables.END}\nafter\n"
    once = tables.insert(text, "new")
    assert once == f"before\n{tables.START}\n\nnew\n\n{tables.END}\nafter\n"
    assert tables.insert(once, "new") == once


def test_the_readmes_table_is_what_the_stored_measurements_say():
    records = command.read(command.STORED)
    assert records, "results/performance/benchmark.json is missing"
    text = command.README.read_text(encoding="utf-8")
    assert tables.insert(text, tables.readme_block(records)) == text
    # Some entries need packages beside the lock: they count, whether installed here or not.
    assert {record["name"] for record in records} <= {*catalogue.entries(), *catalogue.left_out()}


def test_records_of_other_entries_stay(record, tmp_path):
    order = ["equal", "files"]
    command.store(tmp_path, record | {"name": "files"}, order=order)
    command.store(tmp_path, record, order=order)
    command.store(tmp_path, record | {"title": "again"}, order=order)
    assert [one["name"] for one in command.read(tmp_path)] == order
    assert command.read(tmp_path)[0]["title"] == "again"
    assert "## again" in (tmp_path / "benchmark.md").read_text()


def test_an_unknown_entry_is_a_users_mistake(capsys):
    assert command.main(SCRIPT, ["--only", "nothing"]) == USER_ERROR
    assert "choose from end-to-end" in capsys.readouterr().err
    assert command.main(SCRIPT, ["--rounds", "0"]) == USER_ERROR


def test_the_command_writes_tables_and_fails_where_results_differ(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(catalogue, "entries", lambda: OWN)
    options = ["--size", "tiny", "--rounds", "1", "--output", str(tmp_path)]
    assert command.main(SCRIPT, ["--only", "equal", *options]) == 0
    assert command.main(SCRIPT, ["--only", "other labels", *options]) == STAGE_FAILED
    assert [one["name"] for one in command.read(tmp_path)] == ["equal", "other labels"]
    assert "labels of other differs" in capsys.readouterr().out


@pytest.mark.parametrize("name", list(catalogue.entries()))
def test_every_entry_runs_at_a_tiny_size(name):
    entry = catalogue.entries()[name]
    assert set(entry.sizes) == set(SIZES)
    assert {goal.against for goal in entry.goals} <= {one.name for one in entry.contestants[1:]}
    record = measure(entry, "tiny", rounds=1, say=lambda line: None)
    assert all(case["equal"] for case in record["cases"]), record["cases"]
    assert tables.readme_block([record])


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


def test_stages_of_no_run_are_a_users_mistake(tmp_path):
    with pytest.raises(UserError, match="no run that tells"):
        stages.table_of(tmp_path)


def test_an_exponent_is_fitted_beyond_a_hundred_thousand_rows():
    def case(rows, seconds):
        told = {"seconds": [seconds] * 5, "extra_memory": [1e9 + 640 * rows] * 5}
        return {"rows": rows}, {"run.py": told}

    cases = [case(1e4, 50.0), case(1e5, 60.0), case(1e6, 60.0 * 10**1.2)]
    memory, exponent = growth.ENTRIES[0].figures(cases)
    assert exponent.value == pytest.approx(1.2) and exponent.most == 1.1
    assert memory.value == pytest.approx(1.0) and memory.most == 1.5


# --- the plain way ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mass():
    return np.random.default_rng(4).normal(size=(260, 4))


def test_plain_silhouettes_are_the_packages(mass):
    rng = np.random.default_rng(0)
    labelings = {"some": rng.integers(0, 4, 260), "noise": rng.integers(-1, 2, 260)}
    labelings["alone"] = np.append(np.zeros(259, int), 1)
    labelings["one"] = np.zeros(260, int)
    rows = np.arange(0, 260, 3)
    for chosen in (None, rows):
        ours = silhouettes(mass, labelings, rows=chosen)
        theirs = plain.silhouettes(mass, labelings, rows=chosen)
        for name in labelings:
            np.testing.assert_allclose(theirs[name], ours[name], atol=1e-12, err_msg=name)


def test_plain_kmeans_is_the_packages(mass):
    ours, theirs = (
        fit_kmeans(mass, 4, n_init=5, seed=3),
        plain.fit_kmeans(mass, 4, n_init=5, seed=3),
    )
    np.testing.assert_array_equal(theirs.labels, ours.labels)
    np.testing.assert_allclose(theirs.inertias, ours.inertias, rtol=1e-12)


def test_plain_trees_and_resamples_are_the_packages(mass):
    for ours, theirs in (
        (alternatives.ward_tree(mass), plain.ward_tree(mass)),
        (alternatives.linkage_tree(mass, "average"), plain.linkage_tree(mass, "average")),
    ):
        np.testing.assert_allclose(theirs[:, 2], ours[:, 2], rtol=1e-9)
    counts, seed = stability._bootstrap(len(mass), 1, 3)[0]
    np.testing.assert_allclose(
        plain.fit_sample(mass, 3, 2, counts, seed),
        stability._fit_sample(mass, 3, 2, counts, seed),
        atol=1e-9,
    )


def test_tables_are_held_against_each_other_cell_by_cell():
    table = "name,value\na,1.0\nb,2.5\n"
    assert same_table(table, table.replace("2.5", "2.5000000001"))
    assert not same_table(table, table.replace("2.5", "2.5001"))
    assert not same_table(table, table.replace("b", "c"))
    assert not same_table(table, table + "d,3\n")
    mixed = 'name,value\nx,0.30000000000000004\ny,"""word"""\nz,null\n'
    assert same_table(mixed, mixed.replace("0.30000000000000004", "0.3"))
    for before, after in (("0.30000000000000004", "0.31"), ("word", "ward"), ("null", "1")):
        assert not same_table(mixed, mixed.replace(before, after))
