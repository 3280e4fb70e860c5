"""Runs of tiny notebooks: what is run, skipped, published and left alone."""

import contextlib
import gc
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from customer_tables.errors import UserError
from customer_tables.storage import file_digest
from runner import (
    arguments,
    command,
    inputs,
    manifest,
    matching,
    notebook_files,
    parameters,
    publishing,
    stamps,
)
from runner.parameters import Parameter
from segmentation.stages import Stage

ROOT = Path(__file__).parents[1]
SERIES = (
    Stage("01", "numbers", "numbers", "Numbers"),
    Stage("02", "table", "table", "A table", needs=("01",)),
    Stage("03", "end", "end", "The end", needs=("02",), also=("segments.csv", "campaigns")),
)
PARAMETERS = """\
dataset: str = "credit_card"  # a dataset
results_dir: str = ""  # where to write
quick: bool = False  # small settings
"""
SOURCES = {
    "01": """
        start: int = 1  # the first number
        trouble: str = ""  # what goes wrong
        ---
        import json, os, pathlib, signal, time
        results = pathlib.Path(results_dir)
        for name in ("stages", "tables", "campaigns"):
            (results / name).mkdir(exist_ok=True)

        class UserError(ValueError):
            pass

        if trouble == "error":
            raise ValueError("a bad number")
        if trouble == "input":
            raise UserError("the column 'limit' is missing\\nheader of t.csv\\nadd it")
        if trouble == "die":
            os.kill(os.getpid(), 9)
        if trouble == "memory":
            import resource
            resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
            too_much = bytearray(2**32)
        if trouble == "exit":
            raise SystemExit
        if trouble == "wait":
            (results / "begun").write_text("")
            time.sleep(120)
        ---
        (results / "stages" / "01_number.json").write_text(json.dumps(start))
        (results / "stages" / "01_metrics.json").write_text(json.dumps({"start": start}))
        print("in", results)
        print("made from this:", sorted(p.name for p in (results / "stages").glob("02*")))
    """,
    "02": """
        wait: bool = False  # whether to dawdle
        ---
        import json, pathlib, time
        results = pathlib.Path(results_dir)
        number = json.loads((results / "stages" / "01_number.json").read_text())
        if wait:
            (results / "begun").write_text("")
            time.sleep(120)
        (results / "tables" / "02_twice.csv").write_text(f"twice\\n{2 * number % 10}\\n")
        (results / "stages" / "02_twice.json").write_text(json.dumps(2 * number % 10))
    """,
    "03": """
        share: float = 0.5  # a share
        next_period: str = ""  # a second table
        ---
        import json, pathlib
        results = pathlib.Path(results_dir)
        twice = json.loads((results / "stages" / "02_twice.json").read_text())
        (results / "segments.csv").write_text(f"id,segment\\na,{twice * share}\\n")
        (results / "campaigns" / "all.csv").write_text("id\\na\\n")
        if next_period:
            (results / "tables").mkdir(exist_ok=True)
            lines = pathlib.Path(next_period).read_text()
            (results / "tables" / "03_next.csv").write_text(lines)
    """,
}
FAKE_PAGES = """
import sys, types
notebook_page = types.ModuleType("runner.notebook_page")
start_page = types.ModuleType("runner.start_page")
def render_notebook(executed, out_html, *, context):
    out_html.write_text(f"{context['title']} {executed.stat().st_size}")
def render_index(results, *, run):
    (results / "index.html").write_text(run["started"])
notebook_page.render_notebook, start_page.render_index = render_notebook, render_index
sys.modules["runner.notebook_page"], sys.modules["runner.start_page"] = notebook_page, start_page
"""


def write_notebooks(folder, sources=SOURCES):
    folder.mkdir(exist_ok=True)
    for stage in SERIES:
        cells = textwrap.dedent(sources[stage.number]).strip().split("\n---\n")
        cells[0] = PARAMETERS + cells[0]
        notebook = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{i}",
                    "metadata": {} if i else {"tags": ["parameters"]},
                    "source": source.splitlines(keepends=True),
                    "outputs": [],
                    "execution_count": None,
                }
                for i, source in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (folder / stage.file).write_text(json.dumps(notebook))


class Project:
    """Three notebooks, a results folder, and the command that runs them."""

    def __init__(self, folder):
        self.folder = folder
        self.notebooks = folder / "notebooks"
        self.results = folder / "results" / "mine"
        write_notebooks(self.notebooks)

    def run(self, *argv, series=SERIES):
        return command.main(
            Path("run.py"),
            ["--results", str(self.results), *argv],
            series=series,
            notebooks=self.notebooks,
        )

    def start(self, *argv):
        """Start a run in a process of its own."""
        script = self.folder / "run.py"
        script.write_text(
            f"import sys; sys.path[:0] = [{str(ROOT / 'scripts')!r}, {str(ROOT / 'tests')!r}]\n"
            f"{FAKE_PAGES}\n"
            "from pathlib import Path\nfrom runner import command\nfrom test_runner import SERIES\n"
            f"sys.exit(command.main(Path(__file__), sys.argv[1:], series=SERIES,"
            f" notebooks=Path({str(self.notebooks)!r})))\n"
        )
        return subprocess.Popen(
            [sys.executable, str(script), "--results", str(self.results), *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def tree(self):
        return self.results.with_name(".mine.run") / "tree"

    def snapshot(self):
        """Return a hash of every published file, stamps included."""
        return {
            path.relative_to(self.results).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.results.rglob("*")
            if path.is_file()
        }

    def processes(self):
        """Return the processes that work in the folder of the notebooks."""
        import psutil

        found = []
        for process in psutil.process_iter():
            try:
                if process.cwd() == str(self.notebooks) and process.status() != "zombie":
                    found.append(process)
            except psutil.Error:
                continue
        return found


@pytest.fixture(autouse=True)
def fake_pages(monkeypatch):
    """Pages are made elsewhere, and tested there."""
    monkeypatch.setenv("SEGMENTATION_NO_VENV", "1")
    for name in ("runner.notebook_page", "runner.start_page"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    exec(FAKE_PAGES, {})
    stopping = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    handlers = {number: signal.getsignal(number) for number in stopping}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return a project that has run once; tests copy what they change."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGMENTATION_NO_VENV", "1")
        project = Project(tmp_path_factory.mktemp("finished"))
        process = project.start()
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        project.said = said
    return project


@pytest.fixture
def done(finished, tmp_path):
    """Return a project of its own whose results are up to date."""
    import shutil

    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    project = Project.__new__(Project)
    project.folder = tmp_path
    project.notebooks, project.results = tmp_path / "notebooks", tmp_path / "results" / "mine"
    return project


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def words(capsys):
    """Return what each stage's line says, and the error lines."""
    out, err = capsys.readouterr()
    return {line[:2]: line.split(" … ")[1] for line in out.splitlines() if " … " in line}, err


# --- a run that goes well -----------------------------------------------------------------------


def test_a_run_publishes_everything(finished):
    names = set(finished.snapshot())
    assert {
        "notebooks/01_numbers.ipynb",
        "notebooks/01_numbers.html",
        "tables/02_twice.csv",
        "segments.csv",
        "campaigns/all.csv",
        "metrics.json",
        "manifest.json",
    } <= names
    assert (finished.results / "tables" / "02_twice.csv").read_text() == "twice\n2\n"
    assert json.loads((finished.results / "metrics.json").read_text()) == {"numbers": {"start": 1}}
    assert [line[:10] for line in finished.said.splitlines()][:2] == ["01 numbers", "02 table …"]
    assert list(finished.results.parent.iterdir()) == [finished.results]  # nothing hidden stays


def test_the_manifest_lists_every_file_with_its_hash(finished):
    record = manifest.read(finished.results)
    published = {k: v for k, v in finished.snapshot().items() if not k.startswith(".stamps/")}
    del published["manifest.json"]
    assert {name: entry["sha256"] for name, entry in record["outputs"].items()} == published
    assert record["parameters"]["01"]["start"] == 1
    assert record["versions"]["python"] == sys.version.split()[0]
    assert [entry["number"] for entry in record["stages"]] == ["01", "02", "03"]
    assert all(entry["seconds"] > 0 for entry in record["stages"])
    table = next(entry for entry in record["inputs"] if entry["part"] == "table")
    assert table["sha256"] == file_digest(ROOT / "data" / "credit_card" / table["name"])


@pytest.mark.skipif(sys.platform != "linux", reason="the system keeps no record of the peak")
def test_the_manifest_knows_the_peak_memory(finished):
    for entry in manifest.read(finished.results)["stages"]:
        assert 10e6 < entry["peak_memory"] < 10e9


def test_the_manifest_knows_the_time_of_each_code_cell(finished):
    for entry in manifest.read(finished.results)["stages"]:
        (path,) = (finished.results / "notebooks").glob(f"{entry['number']}_*.ipynb")
        cells = json.loads(path.read_text())["cells"]
        assert len(entry["cells"]) == sum(cell["cell_type"] == "code" for cell in cells) > 1
        assert 0 < sum(entry["cells"]) <= entry["seconds"]


def test_executed_notebooks_show_no_path_of_this_machine(finished):
    for path in (finished.results / "notebooks").iterdir():
        text = path.read_text()
        assert str(finished.folder) not in text
        assert str(Path.home()) + "/" not in text
    first = json.loads((finished.results / "notebooks" / "01_numbers.ipynb").read_text())
    assert first["cells"][-1]["outputs"][0]["text"][0] == "in results/mine\n"
    assert [cell["execution_count"] for cell in first["cells"]] == [1, 2, 3]


def test_two_runs_write_the_same_bytes(done, capsys):
    before = done.snapshot()
    assert done.run("--force") == 0
    after = done.snapshot()
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"manifest.json", *(f".stamps/{n}.json" for n in ("01", "02", "03"))}
    assert all("s" in word for word in words(capsys)[0].values())


def test_kernels_end_with_the_run(done):
    assert done.run("--only", "03") == 0
    assert wait_for(lambda: not done.processes(), 5)


# --- an old run once more -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def old(finished, tmp_path_factory):
    """Return the manifest of a run with settings of its own."""
    import shutil

    folder = tmp_path_factory.mktemp("old")
    shutil.copytree(finished.folder, folder, dirs_exist_ok=True)
    project = Project.__new__(Project)
    project.folder, project.notebooks = folder, folder / "notebooks"
    project.results = folder / "results" / "mine"
    process = project.start(
        "--set", "trouble=", "--set", "start=3", "--set", "share=0.25", "--quick"
    )
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return project.results / "manifest.json"


def _changed(old, tmp_path, **changes):
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(json.loads(old.read_text()) | changes))
    return path


def test_a_run_is_repeated_from_its_manifest(old, project, capsys):
    assert project.run("--from-manifest", str(old)) == 0
    out, _ = capsys.readouterr()
    assert "files are the same as in" in out and "All " in out
    assert (project.results / "segments.csv").read_text() == "id,segment\na,1.5\n"
    then, again = json.loads(old.read_text()), manifest.read(project.results)
    for name in ("parameters", "settings", "quick", "inputs", "seed"):
        assert then[name] == again[name], name
    assert project.run("--from-manifest", str(old.parent)) == 0
    assert "Nothing to do" in capsys.readouterr().out


def test_a_repeated_run_says_which_files_and_versions_differ(old, done, tmp_path, capsys):
    content = json.loads(old.read_text())
    content["outputs"]["tables/02_twice.csv"]["sha256"] = "0" * 64
    changed = _changed(old, tmp_path, versions={"pandas": "2.0"}, outputs=content["outputs"])
    assert done.run("--from-manifest", str(changed)) == 0
    out, _ = capsys.readouterr()
    assert "others are: tables/02_twice.csv." in out
    assert "(then 2.0)" in out


def test_a_run_is_not_repeated_on_other_data_or_notebooks(old, project, tmp_path, capsys):
    content = json.loads(old.read_text())
    table = [entry | {"sha256": "0" * 64} for entry in content["inputs"]]
    parameters = {"01": content["parameters"]["01"] | {"gone": 1}}
    injected = {"01": {"start": "1; import os"}}
    stages = [content["stages"][0] | {"current": False}]
    earlier = [content["stages"][0] | {"href": "notebooks/07_scoring_and_drift.html"}]
    cases = (
        ({"inputs": table}, "is not the file of that run"),
        ({"given": {"input": "mine.csv"}}, "read 'mine.csv', and a manifest keeps no paths"),
        ({"parameters": parameters}, "has no parameter 'gone' any more"),
        ({"parameters": injected}, "start is a whole number, not '1; import os'"),
        ({"stages": stages}, "out of date"),
        ({"stages": earlier}, "07_scoring_and_drift is 09_scoring_and_drift now"),
        ({"schema": 99}, "no manifest"),
        ({"stages": None}, "no manifest"),
    )
    for changes, told in cases:
        path = _changed(old, tmp_path, **changes)
        assert project.run("--from-manifest", str(path)) == 2, told
        error = capsys.readouterr().err
        assert told in error and len(error.splitlines()) == 3
    assert project.run("--from-manifest", str(tmp_path / "none.json")) == 2
    assert project.run("--from-manifest", str(old), "--set", "start=4") == 2
    assert "takes all settings" in capsys.readouterr().err
    assert not project.results.parent.exists()


# --- a file that a parameter names ---------------------------------------------------------------


def test_a_named_file_is_read_where_it_is_and_counts_by_its_content(done, tmp_path, capsys):
    april, again = tmp_path / "mine" / "april.csv", tmp_path / "again.csv"
    april.parent.mkdir()
    april.write_text("id\nb\n")
    again.write_text("id\nb\n")
    asked = ("--set", "next_period=april.csv")
    with contextlib.chdir(april.parent):  # notebooks run elsewhere
        assert done.run(*asked) == 0
    said, _ = words(capsys)
    assert (said["01"], said["02"]) == ("up to date", "up to date") and said["03"] != "up to date"
    assert (done.results / "tables" / "03_next.csv").read_text() == "id\nb\n"
    record = manifest.read(done.results)
    assert record["parameters"]["03"]["next_period"] == "april.csv"
    assert record["settings"] == {"next_period": "april.csv"}
    (entry,) = [e for e in record["inputs"] if e["part"] == "next period"]
    assert entry == {
        "part": "next period", "name": "april.csv", "sha256": file_digest(april)
    }  # fmt: skip
    for path in done.results.rglob("*"):
        assert path.is_dir() or str(april.parent) not in path.read_text(), path
    with contextlib.chdir(april.parent):
        assert done.run(*asked) == 0
        assert words(capsys)[0]["03"] == "up to date"
        april.write_text("id\nc\n")
        assert done.run(*asked) == 0
    assert words(capsys)[0]["03"] != "up to date"
    assert (done.results / "tables" / "03_next.csv").read_text() == "id\nc\n"
    before = done.snapshot()
    assert done.run("--set", f"next_period={tmp_path / 'none.csv'}") == 2
    error = capsys.readouterr().err
    assert "there is no file 'none.csv'" in error and "--set next_period" in error
    assert done.snapshot() == before


def test_a_run_with_a_named_file_is_repeated_on_the_very_same_content(done, tmp_path, capsys):
    april = tmp_path / "april.csv"
    april.write_text("id\nb\n")
    assert done.run("--set", f"next_period={april}") == 0
    old, fresh = tmp_path / "old.json", ("--results", str(tmp_path / "fresh" / "mine"))
    old.write_bytes((done.results / "manifest.json").read_bytes())
    capsys.readouterr()
    elsewhere = tmp_path / "elsewhere" / "april.csv"
    elsewhere.parent.mkdir()
    april.rename(elsewhere)
    repeat = (*fresh, "--from-manifest", str(old))
    assert done.run(*repeat, "--set", f"next_period={elsewhere}") == 0
    assert "All " in capsys.readouterr().out
    again = manifest.read(tmp_path / "fresh" / "mine")
    assert again["settings"] == {"next_period": "april.csv"}
    elsewhere.write_text("id\nx\n")
    named = ("--set", f"next_period={elsewhere}")
    cases = (
        ((), "read 'april.csv', and a manifest keeps no paths", "--set next_period=FILE"),
        (named, "april.csv is not the file of that run", "bring back the old file"),
        ((*named, "--set", "start=4"), "takes all settings", "leave out --set"),
    )
    for arguments_, what, remedy in cases:
        assert done.run(*repeat, *arguments_) == 2, what
        error = capsys.readouterr().err.splitlines()
        assert len(error) == 3 and what in error[0] and remedy in error[2]


def test_a_file_that_the_old_run_did_not_read_is_refused(old, project, tmp_path, capsys):
    (tmp_path / "april.csv").write_text("id\nb\n")
    asked = ("--from-manifest", str(old), "--set", f"next_period={tmp_path / 'april.csv'}")
    assert project.run(*asked) == 2
    assert "read no file as its next period" in capsys.readouterr().err


# --- what is up to date -------------------------------------------------------------------------


def test_what_is_up_to_date_is_skipped_and_nothing_is_written(done, capsys):
    before = done.snapshot()
    times = {path: path.stat().st_mtime_ns for path in done.results.rglob("*")}
    assert done.run() == 0
    assert words(capsys)[0] == dict.fromkeys(("01", "02", "03"), "up to date")
    assert done.snapshot() == before
    assert times == {path: path.stat().st_mtime_ns for path in done.results.rglob("*")}
    assert list(done.results.parent.iterdir()) == [done.results]


def test_a_setting_reruns_what_depends_on_it(done, capsys):
    assert done.run("--set", "share=0.25") == 0
    said, _ = words(capsys)
    assert (said["01"], said["02"]) == ("up to date", "up to date")
    assert said["03"] != "up to date"
    assert (done.results / "segments.csv").read_text() == "id,segment\na,0.5\n"
    assert manifest.read(done.results)["parameters"]["03"]["share"] == 0.25
    executed = (done.results / "notebooks" / "03_end.ipynb").read_text()
    assert "share = 0.25" in executed and "results_dir =" not in executed


def test_a_stage_reruns_only_if_what_it_reads_has_changed(done, capsys):
    # The last digit of twice 6 and of twice 1 is the same, and the third notebook reads no more.
    assert done.run("--set", "start=6") == 0
    said, _ = words(capsys)
    assert "up to date" not in (said["01"], said["02"])
    assert said["03"] == "up to date"


def test_changed_code_reruns_the_notebook(done, capsys):
    sources = SOURCES | {"02": SOURCES["02"].replace("2 * number % 10", "3 * number")}
    write_notebooks(done.notebooks, sources)
    assert done.run() == 0
    said, _ = words(capsys)
    assert said["01"] == "up to date"
    assert "up to date" not in (said["02"], said["03"])
    assert (done.results / "segments.csv").read_text() == "id,segment\na,1.5\n"


def test_a_damaged_file_is_made_again(done, capsys):
    before = done.snapshot()
    (done.results / "tables" / "02_twice.csv").write_text("twice\n3\n")
    assert done.run() == 0
    said, _ = words(capsys)
    assert said["01"] == "up to date" and said["02"] != "up to date"
    assert done.snapshot()["tables/02_twice.csv"] == before["tables/02_twice.csv"]


def test_a_missing_page_is_made_again_without_running_a_notebook(done, capsys):
    (done.results / "notebooks" / "02_table.html").unlink()
    assert done.run() == 0
    assert set(words(capsys)[0].values()) == {"up to date"}
    assert (done.results / "notebooks" / "02_table.html").exists()


def test_from_reruns_the_rest(done, capsys):
    assert done.run("--from", "2") == 0
    said, _ = words(capsys)
    assert said["01"] == "up to date"
    assert "up to date" not in (said["02"], said["03"])


def test_only_reruns_one(done, capsys):
    assert done.run("--only", "02_table") == 0
    said, _ = words(capsys)
    assert (said["01"], said["03"]) == ("up to date", "up to date")
    assert said["02"] != "up to date"


def test_only_needs_what_comes_before(project, capsys):
    assert project.run("--only", "02") == 2
    assert "01_numbers" in capsys.readouterr().err
    assert not project.results.parent.exists()


def test_a_file_of_the_users_own_stays(done):
    (done.results / "notes.txt").write_text("mine")
    assert done.run("--only", "03") == 0
    assert (done.results / "notes.txt").read_text() == "mine"


def test_a_file_added_between_a_failed_run_and_the_next_stays(done):
    assert done.run("--set", "trouble=error") == 1
    (done.results / "notes.txt").write_text("mine")
    assert done.run("--set", "start=2") == 0
    assert (done.results / "notes.txt").read_text() == "mine"


def test_a_notebook_sees_nothing_that_is_going_to_be_made_again(done):
    assert done.run("--set", "start=2") == 0
    executed = (done.results / "notebooks" / "01_numbers.ipynb").read_text()
    assert "made from this: []" in executed


def test_a_file_that_a_stage_no_longer_writes_goes(done):
    sources = SOURCES | {"03": SOURCES["03"].replace("all.csv", "everybody.csv")}
    write_notebooks(done.notebooks, sources)
    assert done.run() == 0
    assert [path.name for path in (done.results / "campaigns").iterdir()] == ["everybody.csv"]


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ("error", "failed in cell [3]: ValueError: a bad number"),
        ("die", "out of memory"),
        pytest.param(
            "memory",
            "asked for more memory than there is",
            marks=pytest.mark.skipif(os.name == "nt", reason="limits of other systems"),
        ),
        ("exit", "stopped before its last cell"),
    ],
)
def test_a_failing_stage_leaves_the_previous_results(done, capsys, trouble, told):
    before = done.snapshot()
    assert done.run("--set", f"trouble={trouble}") == 1
    error = capsys.readouterr().err
    assert told in error and "01 numbers" in error
    assert "Traceback" not in error and len(error.splitlines()) <= 4
    assert done.snapshot() == before
    log = Path(error.splitlines()[-1].removeprefix("Log: "))
    if trouble == "error":
        assert 'raise ValueError("a bad number")' in log.read_text()
    assert done.run() == 0  # and nothing stands in the way of the next run


def test_a_page_that_cannot_be_made_fails_the_run(done, capsys, monkeypatch):
    before = done.snapshot()

    def refuse(*_, **__):
        raise ValueError("no such figure")

    monkeypatch.setattr(sys.modules["runner.notebook_page"], "render_notebook", refuse)
    assert done.run("--set", "share=0.1") == 1
    assert (
        "The page of 03_end cannot be made: ValueError: no such figure" in capsys.readouterr().err
    )
    assert done.snapshot() == before


def test_a_users_mistake_found_by_a_notebook_is_told_in_three_lines(done, capsys):
    before = done.snapshot()
    assert done.run("--set", "trouble=input") == 2
    error = capsys.readouterr().err
    assert error == "the column 'limit' is missing\nheader of t.csv\nadd it\n"
    assert done.snapshot() == before
    assert list(done.results.parent.iterdir()) == [done.results]


def test_a_users_mistake_in_a_first_run_leaves_nothing(project, capsys):
    assert project.run("--set", "trouble=input") == 2
    assert not project.results.parent.exists()


def test_a_stage_that_takes_too_long_is_stopped(project, capsys):
    start = time.monotonic()
    assert project.run("--set", "trouble=wait", "--time-limit", "0.05") == 1
    assert time.monotonic() - start < 20
    assert "--time-limit" in capsys.readouterr().err


def test_two_runs_into_the_same_results(done, capsys):
    with publishing.claim(done.results):
        assert done.run() == 2
    error = capsys.readouterr().err
    assert f"process {os.getpid()}" in error and "--wait" in error


@pytest.mark.skipif(os.name == "nt", reason="signals of other systems")
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)],
)
def test_a_stopped_run_leaves_the_results_and_the_next_one_goes_on(done, number, code, capsys):
    before = done.snapshot()
    process = done.start("--set", "start=4", "--set", "wait=yes")
    assert wait_for((done.tree / "begun").exists)
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in said
    assert wait_for(lambda: not done.processes(), 5), "a kernel was left behind"
    assert done.snapshot() == before

    assert done.run("--set", "start=4") == 0
    said, _ = words(capsys)
    assert said["01"] == "up to date", "finished before the stop, and kept"
    assert (done.results / "segments.csv").read_text() == "id,segment\na,4.0\n"


def test_publishing_without_an_exchange_in_one_step(done, monkeypatch):
    monkeypatch.setattr(publishing, "_exchange", lambda *_: False)
    assert done.run("--set", "start=3") == 0
    assert (done.results / "segments.csv").read_text() == "id,segment\na,3.0\n"


def test_a_publication_killed_halfway_is_undone(done):
    before = done.snapshot()
    place = publishing.Workplace(done.results)
    place.folder.mkdir()
    done.results.rename(place.folder / "previous")
    with publishing.claim(done.results):
        assert done.snapshot() == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_without_write_access(project, capsys):
    project.folder.chmod(0o500)
    assert project.run() == 2
    project.folder.chmod(0o700)
    assert "write access" in capsys.readouterr().err


# --- arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "what", "remedy"),
    [
        (["--set", "strat=1"], "no notebook has a parameter 'strat'", "did you mean start?"),
        (["--set", "start=many"], "start is a whole number, not 'many'", "its default is 1"),
        (["--set", "start=1.5"], "start is a whole number", "its default is 1"),
        (["--set", "share=nan"], "share is a number", "its default is 0.5"),
        (["--set", "wait=maybe"], "wait is true or false", "its default is False"),
        (["--set", "quick=true"], "quick is not set this way", "--quick"),
        (["--set", "dataset=mall"], "dataset is not set this way", "--dataset"),
        (["--set", "start"], "'start' sets nothing", "NAME=VALUE"),
        (["--from", "tabel"], "there is no notebook 'tabel'", "did you mean table?"),
        (["--only", "07"], "there is no notebook '07'", "01, 02, 03"),
        (["--only", "02", "--force"], "does not go together", "leave"),
        (["--dataste", "mall"], "there is no option --dataste", "--dataset?"),
        (["customers.csv"], "belongs to no option", "--input"),
        (["--dataset", "credit_crad"], "there is no dataset", "credit_card"),
        (["--time-limit", "0"], "lets nothing run", "minutes"),
        (["--time-limit", "x"], "invalid float value", "--help"),
    ],
)
def test_mistakes_in_arguments_are_told_in_three_lines(project, capsys, argv, what, remedy):
    assert project.run(*argv) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert what in lines[0]
    assert remedy in lines[2]
    assert not project.results.parent.exists()


def test_input_files_are_checked_first(project, tmp_path, capsys):
    (tmp_path / "CC GENERAL.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty.csv").write_text("")
    cases = {
        "cc general.cvs": ("there is no file", "CC GENERAL.csv"),
        "nowhere/t.csv": ("there is no file", "does not exist"),
        ".": ("is a folder", "name one file"),
        "empty.csv": ("is empty", "again"),
    }
    for name, (what, remedy) in cases.items():
        assert project.run("--input", str(tmp_path / name)) == 2
        lines = capsys.readouterr().err.splitlines()
        assert what in lines[0] and remedy in lines[2], lines
    assert not project.results.parent.exists()


def test_results_may_not_take_the_place_of_other_things(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("")
    (tmp_path / "file").write_text("")
    (tmp_path / "new").mkdir()
    for name, what in (("photos", "other files"), ("file", "not a folder")):
        with pytest.raises(UserError, match=what):
            inputs.check_results(tmp_path / name)
    for folder in (ROOT, ROOT.parent, Path(ROOT.anchor)):
        with pytest.raises(UserError, match="project itself"):
            inputs.check_results(folder)
    assert inputs.check_results(tmp_path / "new") == (tmp_path / "new").resolve()


def test_help_needs_no_environment():
    done = subprocess.run(
        [sys.executable, "-S", "scripts/run.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--time-limit" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="signals of other systems")
def test_a_command_that_is_interrupted_while_it_loads_says_only_so():
    code = "import runner, os, signal; os.kill(os.getpid(), signal.SIGINT); import time"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "Interrupted.\n")


def test_options_are_read():
    options = arguments.parse(["--set", "k=6", "--set", "title=a=b", "--from", "end"], SERIES)
    assert options.settings == {"k": "6", "title": "a=b"}
    assert options.start == SERIES[2]


# --- parameters ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("int", "6", 6),
        ("int", " -2 ", -2),
        ("float", "1e-3", 0.001),
        ("float", "6", 6.0),
        ("bool", "Yes", True),
        ("bool", "0", False),
        ("str", "plain 'text'", "plain 'text'"),
        ("str", "6", "6"),
        ("Something", "as it is", "as it is"),
    ],
)
def test_values_are_read_as_the_declared_type(annotation, text, value):
    found = parameters.coerce(Parameter("x", annotation, None), text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [("int", "6.0"), ("int", ""), ("float", "inf"), ("bool", "2")],
)
def test_values_of_another_type_are_refused(annotation, text):
    with pytest.raises(UserError, match="x is "):
        parameters.coerce(Parameter("x", annotation, None), text)


def test_parameters_are_read_with_their_comments(project):
    declared = parameters.read_parameters(
        notebook_files.read_notebook(project.notebooks / SERIES[0].file)
    )
    assert list(declared) == ["dataset", "results_dir", "quick", "start", "trouble"]
    assert declared["start"] == Parameter("start", "int", 1, "the first number")


def test_settings_go_to_the_notebooks_that_declare_them():
    declared = {
        "01": {"seed": Parameter("seed", "int", 1)},
        "02": {"seed": Parameter("seed", "int", 2), "k": Parameter("k", "int", 0)},
    }
    settled = parameters.settle_parameters({"k": "3", "seed": "7"}, declared)
    assert settled == {"01": {"seed": 7}, "02": {"seed": 7, "k": 3}}
    assert list(settled["02"]) == ["seed", "k"], "in the notebook's order, not the user's"


# --- data and code that a stage depends on ------------------------------------------------------


def test_a_table_with_the_columns_of_a_known_dataset_belongs_to_it(tmp_path):
    header = (ROOT / "data" / "credit_card" / "customers.csv").read_text().splitlines()[0]
    table = tmp_path / "CC GENERAL.csv"
    table.write_text(f"{header.lower()}\n")
    source = inputs.resolve_dataset(None, table)
    assert (source.name, source.dataset, source.table) == ("credit_card", "credit_card", table)


def test_a_table_that_lacks_columns_of_the_dataset_it_resembles(tmp_path):
    header = (ROOT / "data" / "credit_card" / "customers.csv").read_text().splitlines()[0]
    table = tmp_path / "t.csv"
    table.write_text(header.lower().replace("credit_limit", "ceiling") + "\n")
    with pytest.raises(UserError, match="t.csv lacks the column credit_limit of .*credit_card"):
        inputs.resolve_dataset(None, table)


def test_everything_is_inferred_only_from_a_table():
    with pytest.raises(UserError, match="no table to infer"):
        inputs.resolve_dataset("auto", None)


def test_first_rows_of_all_formats(tmp_path):
    import gzip

    import pandas as pd

    frame = pd.DataFrame({"a": [1], "b é": [2]})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    (tmp_path / "t.csv").write_text("a;b é\n1;2\n", encoding="utf-8-sig")
    (tmp_path / "t16.csv").write_text("a\tb é\n1\t2\n", encoding="utf-16")
    (tmp_path / "t1252.csv").write_text("a,b é\n1,2\n", encoding="cp1252")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress("a|b é\n1|2\n".encode()))
    for path in tmp_path.iterdir():
        assert matching.first_rows(path)[0] == ["a", "b é"], path.name
    (tmp_path / "torn.parquet").write_bytes(b"PAR1torn")
    assert matching.first_rows(tmp_path / "torn.parquet") == []


def test_reachable_code_follows_imports(tmp_path):
    package = tmp_path / "segmentation"
    (package / "figures").mkdir(parents=True)
    (package / "one.py").write_text("from segmentation import two\n")
    (package / "two.py").write_text("import numpy\nfrom segmentation.figures.bars import draw\n")
    (package / "figures" / "__init__.py").write_text("")
    (package / "figures" / "bars.py").write_text("")
    (package / "apart.py").write_text("")
    source = "%matplotlib inline\nfrom segmentation.one import f\n"
    notebook = {"cells": [{"cell_type": "code", "source": source}]}
    found = [
        path.relative_to(package).as_posix()
        for path in notebook_files.reachable(notebook, tmp_path)
    ]
    assert found == ["figures/__init__.py", "figures/bars.py", "one.py", "two.py"]


def test_threads_may_read_notebooks_at_once():
    # Threads change places in Python code alone, which a garbage collection may run at any time.
    source = "\n".join(f"x{i} = {'-(' * 40}{i}{')' * 40}" for i in range(60))
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(10)
    gc.callbacks.append(changing := lambda *_: sum(range(50)))
    try:
        with ThreadPoolExecutor(4) as threads:
            trees = list(threads.map(notebook_files.parse, [source] * 24))
    finally:
        gc.callbacks.remove(changing)
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(interval)
    assert all(len(tree.body) == 60 for tree in trees)


def test_versions_cover_the_declared_packages():
    found = stamps.versions()
    assert {"python", "pandas", "scikit-learn", "papermill", "tensorflow"} <= set(found)
