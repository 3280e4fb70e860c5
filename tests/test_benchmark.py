"""The benchmark: that it measures what it says, concludes by its rule, and that entries run."""

import json
import os
import shutil
import subprocess
import sys
import time
from functools import cache

import numpy as np
import pytest

import benchmark
from benchmarks import report, runs
from benchmarks.measure import Entry, goal, quartiles
from runner import ROOT, STAGE_FAILED, USER_ERROR


def short(loaded, settings):
    time.sleep(0.05)
    return {"labels": np.arange(3), "statistic": 0.5, "threads": os.environ["OMP_NUM_THREADS"]}


def long(loaded, settings):
    held = np.ones(loaded)
    time.sleep(0.3)
    return {"labels": np.arange(3), "statistic": 0.5 + 1e-12 * held[0], "threads": "1"}


def other(loaded, settings):
    return {"labels": np.array([0, 1, 1]), "statistic": 0.5, "threads": "1"}


def broken(loaded, settings):
    raise ValueError("no such luck")


def write(folder, settings):
    (folder / "number").write_text(str(settings["rows"]))


def read(folder, settings):
    return int((folder / "number").read_text())


def most(cases):
    return [{"name": "most seconds", "value": cases[-1][1]["short"]["seconds"][2], "most": 60.0}]


def entry(name, *ways, **more):
    ways, cases = {way.__name__: way for way in ways}, ({"rows": 10_000_000},)
    return Entry(name, name, ways, cases, cases, prepare=write, load=read, **more)


OWN = {
    "equal": entry("equal", short, long, goals=(goal("long", 2.0),), figures=most),
    "other": entry("other", short, other),
    "broken": entry("broken", short, broken),
}


@pytest.fixture
def own(monkeypatch, tmp_path):
    """Have the command measure the entries above; return its options."""
    monkeypatch.setattr(benchmark, "entries", lambda: OWN)
    return ["--quick", "--output", str(tmp_path)]


def test_a_record_is_measured_kept_and_shown(own, tmp_path, capsys):
    assert benchmark.main(["--only", "equal", *own]) == 0
    (record,) = benchmark.read(tmp_path)
    (case,) = record["cases"]
    low, *_, high = case["ratios"]["long"]["seconds"]
    assert 1 < low <= high and case["ways"]["long"]["seconds"][0] >= 0.3
    assert case["ways"]["long"]["extra_memory"][2] == pytest.approx(80e6, rel=0.3)
    assert [one["threads"] for one in case["ways"].values()] == ["1", "default"]
    assert case["equal"] and record["machine"]["versions"]["numpy"] == np.__version__
    assert "at least 2" not in report.report([record])  # goals are for full sizes
    text = report.report([record | {"size": "full"}])
    assert "| equal, 10,000,000 rows | long (time) |" in text and "at least 2: met" in text
    assert "most seconds" in text and "at most 60: met" in text
    # Where results differ the command fails; what it kept of other entries stays.
    assert benchmark.main(["--only", "other", "--only", "broken", *own]) == STAGE_FAILED
    said = capsys.readouterr()
    assert "labels of other differs" in said.out and "compare different things" in said.out
    assert "broken: broken failed: ValueError: no such luck" in said.err
    assert [one["name"] for one in benchmark.read(tmp_path)] == ["equal", "other"]
    assert (tmp_path / "benchmark.md").read_text() == report.report(benchmark.read(tmp_path))


@pytest.mark.parametrize(
    ("ratios", "word"),
    [
        ([3.7, 3.8, 3.9], "missed"),
        ([1.0, 4.1, 4.2, 4.3, 4.4], "met"),  # one round in five may be disturbed
        ([3.0, 3.5, 4.1, 4.5, 5.0], "spread too wide to conclude"),
    ],
)
def test_a_goal_is_judged_by_both_quartiles(ratios, word):
    assert report.verdict(quartiles(ratios), 4.0) == word


def test_an_exponent_is_fitted_beyond_a_hundred_thousand_rows():
    cases = [
        ({"rows": n}, {"run.py": {"seconds": [s] * 5, "extra_memory": [1e9 + 640 * n] * 5}})
        for n, s in ((1e4, 50.0), (1e5, 60.0), (1e6, 60.0 * 10**1.2))
    ]
    memory, exponent = runs.growth(cases)
    assert (memory["value"], exponent["value"]) == (pytest.approx(1.0), pytest.approx(1.2))


def test_what_is_stored_is_shown_as_it_is():
    records = json.loads((benchmark.STORED / "benchmark.json").read_text("utf-8"))
    assert {record["name"] for record in records} == set(benchmark.entries())
    assert (benchmark.STORED / "benchmark.md").read_text("utf-8") == report.report(records)


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [("--only", "nothing", "choose from end-to-end"), ("--rounds", "0", "no number of rounds")],
)
def test_a_users_mistake_is_told(option, value, told, capsys):
    assert benchmark.main([option, value]) == USER_ERROR
    assert told in capsys.readouterr().err


@pytest.fixture(scope="module")
def first_runs(tmp_path_factory):
    """Entries that begin with a run by the same options share it: each gets a copy."""
    run = runs._run

    @cache
    def made(options):
        run(folder := tmp_path_factory.mktemp("run"), {"options": options})
        return folder / "results"

    def run_or_copy(folder, settings):
        if (folder / "results").exists():
            return run(folder, settings)
        shutil.copytree(made(settings["options"].format(folder=folder)), folder / "results")
        return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_run", run_or_copy)
        yield


@pytest.mark.parametrize("name", benchmark.entries())
def test_every_entry_gives_equal_results_at_the_quick_size(name, tmp_path, first_runs):
    entry = benchmark.entries()[name]
    assert {goal["against"] for goal in entry.goals} <= set(list(entry.ways)[1:])
    for number, settings in enumerate(entry.quick):
        folder = tmp_path / str(number)
        folder.mkdir()
        if entry.prepare:
            entry.prepare(folder, settings)
        loaded = entry.load(folder, settings) if entry.load else folder
        results = {name: way(loaded, settings) for name, way in entry.ways.items()}
        holds, text = entry.equal(results, settings)
        assert holds, text


def test_the_plain_way_computes_what_a_notebook_keeps(tmp_path):
    code = f"""if True:
        from pathlib import Path
        import numpy as np
        from benchmarks import plain
        plain.install()
        from segmentation.dataset import load_dataset
        from segmentation import alternatives
        from segmentation.workspace import Workspace
        workspace = Workspace("07", load_dataset("credit_card"), Path({str(tmp_path)!r}))
        print(workspace.once("ward", alternatives.ward_tree, np.eye(4)).shape)
    """
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True
    )
    assert done.stdout == "(3, 4)\n" and not list(tmp_path.iterdir()), done.stderr
