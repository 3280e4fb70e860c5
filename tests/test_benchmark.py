"""The benchmark: that it measures what it says, concludes by its rule, and that entries run."""

import json
import os
import time

import numpy as np
import pytest

import benchmark
from benchmarks import measure, plain, report, runs
from benchmarks.measure import Entry, equal_results, goal, quartiles
from benchmarks.report import verdict, with_table
from runner import STAGE_FAILED, USER_ERROR
from segmentation.silhouette import silhouettes


def short(loaded, settings):
    time.sleep(0.05)
    return {"labels": np.arange(3), "statistic": 0.5, "threads": os.environ["OMP_NUM_THREADS"]}


def long(loaded, settings):
    time.sleep(0.3)
    return {"labels": np.arange(3), "statistic": 0.5 + 1e-12, "threads": "1"}


def other(loaded, settings):
    return {"labels": np.array([0, 1, 1]), "statistic": 0.5, "threads": "1"}


def broken(loaded, settings):
    raise ValueError("no such luck")


def write(settings, folder):
    (folder / "number").write_text(str(settings["rows"]))


def read(settings, folder):
    return int((folder / "number").read_text())


def large(loaded, settings):
    return {"total": float(np.ones(loaded).sum())}


def most(cases):
    return [{"name": "most seconds", "value": cases[-1][1]["short"]["seconds"][2], "most": 60.0}]


def entry(name, *ways, settings=None, **more):
    ways, cases = {way.__name__: way for way in ways}, (settings or {},)
    return Entry(name, name, ways, cases, cases, **more)


OWN = {
    "equal": entry("equal", short, long, goals=(goal("long", 2.0),), figures=most),
    "other labels": entry("other labels", short, other),
    "broken": entry("broken", short, broken),
    "files": entry("files", large, settings={"rows": 10_000_000}, prepare=write, load=read),
}


def run(*options):
    return benchmark.main(benchmark.__file__, list(options))


@pytest.fixture
def own(monkeypatch, tmp_path):
    """Have the command measure the entries above; return its options."""
    monkeypatch.setenv("SEGMENTATION_NO_VENV", "1")
    monkeypatch.setattr(benchmark, "entries", lambda: OWN)
    return ["--quick", "--output", str(tmp_path)]


@pytest.fixture(scope="module")
def record():
    return measure.measure(OWN["equal"], "quick", 2, say=lambda line: None)


def test_a_record_holds_times_ratios_machine_and_versions(record):
    (case,) = record["cases"]
    low, *_, high = case["ratios"]["long"]["seconds"]
    assert 1 < low <= high
    assert case["ways"]["long"]["seconds"][0] >= 0.3
    assert [one["threads"] for one in case["ways"].values()] == ["1", "default"]
    assert case["equal"] and case["equality"] == "equal"
    assert json.loads(json.dumps(record)) == record
    assert record["machine"]["versions"]["numpy"] == np.__version__


def test_files_are_made_once_and_memory_is_that_of_the_run():
    (case,) = measure.measure(OWN["files"], "quick", 1, say=lambda line: None)["cases"]
    memory = case["ways"]["large"]
    assert memory["extra_memory"][2] == pytest.approx(80e6, rel=0.3)
    assert memory["peak_memory"][2] > memory["extra_memory"][2]


@pytest.mark.parametrize(
    ("ratios", "word"),
    [
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
    cases = [
        ({"rows": n}, {"run.py": {"seconds": [s] * 5, "extra_memory": [1e9 + 640 * n] * 5}})
        for n, s in ((1e4, 50.0), (1e5, 60.0), (1e6, 60.0 * 10**1.2))
    ]
    memory, exponent = runs.growth(cases)
    assert exponent["value"] == pytest.approx(1.2)
    assert memory["value"] == pytest.approx(1.0)


def test_tables_show_ratio_goal_verdict_and_where_results_differ(record):
    text = report.report([record])
    assert "time: at least 2: met" in text
    assert "most seconds" in text and "goal: at most 60: met" in text
    assert "long (time)" not in with_table("", [record])  # goals are for full sizes
    block = with_table("", [record | {"size": "full"}])
    assert "| equal | long (time) |" in block and "at least 2: met" in block
    case = record["cases"][0] | {"equal": False}
    case["ratios"] = {"long": dict.fromkeys(report.UNITS, [2.0, 2.0, 5.0, 8.0, 8.0])}
    text = report.report([record | {"cases": [case]}])
    assert "compare different things" in text and "5 (2–8)" in text
    assert "results differ" in with_table("", [record | {"cases": [case], "size": "full"}])


def test_what_is_stored_is_shown_as_it_is():
    records = benchmark.read(benchmark.STORED)
    assert {record["name"] for record in records} == set(benchmark.entries())
    text = benchmark.README.read_text(encoding="utf-8")
    assert with_table(text, records) == text
    assert (benchmark.STORED / "benchmark.md").read_text("utf-8") == report.report(records)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--only", "nothing"], "choose from end-to-end"),
        (["--rounds", "0"], "no number of rounds"),
    ],
)
def test_a_users_mistake_is_told(options, told, capsys, monkeypatch):
    monkeypatch.setenv("SEGMENTATION_NO_VENV", "1")
    assert run(*options) == USER_ERROR
    assert told in capsys.readouterr().err


def test_a_quick_look_leaves_what_is_stored_alone(own, monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark, "STORED", tmp_path / "stored")
    assert run("--quick", "--only", "equal") == 0
    assert not (tmp_path / "stored").exists()


def test_the_command_keeps_what_was_measured_and_fails_where_results_differ(own, capsys):
    assert run("--only", "files", *own) == 0
    assert run("--only", "other labels", "--only", "broken", *own) == STAGE_FAILED
    said = capsys.readouterr()
    assert "labels of other differs" in said.out
    assert "broken: broken failed: ValueError: no such luck" in said.err
    assert run("--only", "other labels", *own) == STAGE_FAILED  # in place of its earlier one
    folder = type(benchmark.STORED)(own[-1])
    assert [one["name"] for one in benchmark.read(folder)] == ["other labels", "files"]
    assert "## files" in (folder / "benchmark.md").read_text()


@pytest.mark.parametrize("name", benchmark.entries())
def test_every_entry_gives_equal_results_at_the_quick_size(name, tmp_path):
    entry = benchmark.entries()[name]
    assert {goal["against"] for goal in entry.goals} <= set(list(entry.ways)[1:])
    for number, settings in enumerate(entry.quick):
        folder = tmp_path / str(number)
        folder.mkdir()
        if entry.prepare:
            entry.prepare(settings, folder)
        loaded = entry.loaded(settings, folder)
        results = {name: way(loaded, settings) for name, way in entry.ways.items()}
        holds, text = entry.equal(results, settings)
        assert holds, text


def test_plain_silhouettes_are_the_packages():
    rng = np.random.default_rng(4)
    mass = rng.normal(size=(260, 4))
    labelings = {"some": rng.integers(0, 4, 260), "noise": rng.integers(-1, 2, 260)}
    labelings |= {"alone": np.append(np.zeros(259, int), 1), "one": np.zeros(260, int)}
    for chosen in (None, np.arange(0, 260, 3)):
        ours = silhouettes(mass, labelings, rows=chosen)
        theirs = plain.silhouettes(mass, labelings, rows=chosen)
        for name in labelings:
            np.testing.assert_allclose(theirs[name], ours[name], atol=1e-12, err_msg=name)


def test_tables_are_held_against_each_other_cell_by_cell():
    table = 'name,value\nx,0.30000000000000004\ny,"""word"""\nz,null\n'
    assert runs.same_table(table, table.replace("0.30000000000000004", "0.3"))
    for before, after in (("0.30000000000000004", "0.31"), ("word", "ward"), ("null", "1")):
        assert not runs.same_table(table, table.replace(before, after))
    assert not runs.same_table(table, table + "d,3\n")
