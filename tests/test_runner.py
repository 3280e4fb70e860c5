"""Runs of tiny notebooks: what is run, skipped, published and left alone."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from toy_series import ROOT, ROW, SERIES, SOURCES, Project, wait_for, words

from customer_tables.errors import UserError
from customer_tables.storage import file_digest
from runner import execution, inputs, notebook_files, plan, publishing, records
from segmentation import session

TWICE = "tables/02_twice.csv"

# --- a run that goes well -----------------------------------------------------------------------


def test_a_run_publishes_everything(finished):
    notebooks = {f"notebooks/{stage.name}.{end}" for stage in SERIES for end in ("ipynb", "html")}
    names = {TWICE, "segments.csv", "campaigns/all.csv", "metrics.json", "manifest.json"}
    assert notebooks | names <= set(finished.snapshot())
    assert finished.broken() == []
    assert json.loads(finished.read("metrics.json")) == {"numbers": {"start": 1}}
    assert [line[:10] for line in finished.said.splitlines()][:2] == ["01 numbers", "02 table …"]
    assert list(finished.results.parent.iterdir()) == [finished.results]  # nothing hidden stays


def test_the_manifest_tells_what_ran_on_what_and_what_came_out(finished):
    record = records.read_manifest(finished.results)
    assert record["parameters"]["01"]["start"] == 1
    assert record["versions"]["python"] == sys.version.split()[0]
    assert {"pandas", "scikit-learn", "papermill", "tensorflow"} <= set(record["versions"])
    table = next(entry for entry in record["inputs"] if entry["part"] == "table")
    assert table["sha256"] == file_digest(ROOT / "data" / "credit_card" / table["name"])
    assert [entry["number"] for entry in record["stages"]] == ["01", "02", "03"]
    for stage, entry in zip(SERIES, record["stages"], strict=True):
        cells = json.loads(finished.read(f"notebooks/{stage.file}"))["cells"]
        assert len(entry["cells"]) == len(cells) > 1
        assert 0 < sum(entry["cells"]) <= entry["seconds"]
        assert sys.platform != "linux" or 10e6 < entry["peak_memory"] < 10e9


def test_notebooks_follow_the_last_run_at_a_terminal(done, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(session, "SESSION", tmp_path / "session.json")
    monkeypatch.setattr(session, "is_watched", lambda: True)
    done.run()
    assert session.settle("", "") == (session.FIRST, "")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    done.run()
    assert session.settle("", "") == ("credit_card", str(done.results.resolve()))
    assert "explore.ipynb" in capsys.readouterr().out


def test_executed_notebooks_show_no_path_of_this_machine(finished):
    for path in (finished.results / "notebooks").iterdir():
        text = path.read_text()
        assert str(finished.folder) not in text and str(Path.home()) + "/" not in text
    assert '"in results/mine\\n"' in finished.read("notebooks/01_numbers.ipynb")


# --- what is up to date -------------------------------------------------------------------------


def rewrite(number, old, new):
    changed = {f"_{number}": SOURCES[number].replace(old, new)}
    return lambda project: project.write(**changed)


def edit_a_module(project):
    (project.notebooks / "beside.py").write_text("TIMES = 3\n")


def spoil(project):
    (project.results / TWICE).write_text("twice\n3\n")


def spoil_a_stamp(project):
    (project.results / ".stamps" / "01.json").write_text("{")


def lose_a_page(project):
    (project.results / "notebooks" / "02_table.html").unlink()


@pytest.mark.parametrize(
    ("change", "argv", "reran", "segment"),
    [
        (None, "--force", "01 02 03", "1.0"),
        (None, "--from 2", "02 03", "1.0"),
        (None, "--only 02_table", "02", "1.0"),
        (None, "--set share=2.5e-1", "03", "0.5"),
        # The last digit of twice 6 and of twice 1 is the same, and the third reads no more.
        (None, "--set start=6", "01 02", "1.0"),
        (rewrite("02", "TIMES * number % 10", "3 * number"), "", "02 03", "1.5"),
        (edit_a_module, "", "02 03", "1.5"),
        (rewrite("03", "all.csv", "everybody.csv"), "", "03", "1.0"),
        (spoil, "", "02", "1.0"),
        (spoil_a_stamp, "", "01", "1.0"),
        (lose_a_page, "", "", "1.0"),
    ],
)
def test_what_is_out_of_date_runs_again(done, capsys, change, argv, reran, segment):
    before, kept = done.snapshot(times=False), done.results / "stages" / "kept_02_fits.npz"
    kept.write_bytes(b"of another run")
    if change:
        change(done)
    assert done.run(*argv.split()) == 0
    said = words(capsys)
    assert " ".join(number for number, word in said.items() if word != "up to date") == reran
    assert done.read("segments.csv") == f"id,segment\na,{segment}\n"
    assert done.broken() == []
    assert kept.exists() == (argv != "--force"), "kept until everything runs again"
    kept.unlink(missing_ok=True)
    if change in (None, spoil, spoil_a_stamp, lose_a_page) and "--set" not in argv:
        assert done.snapshot(times=False) == before, "not the same bytes"
    # What a stage no longer writes is gone.
    assert len(list((done.results / "campaigns").iterdir())) == 1


def test_what_is_up_to_date_is_skipped_and_nothing_is_written(done, capsys):
    before = done.snapshot()
    times = {path: path.stat().st_mtime_ns for path in done.results.rglob("*")}
    assert done.run() == 0
    assert words(capsys) == dict.fromkeys(("01", "02", "03"), "up to date")
    assert done.snapshot() == before
    assert times == {path: path.stat().st_mtime_ns for path in done.results.rglob("*")}
    assert list(done.results.parent.iterdir()) == [done.results]


def test_settings_are_shown_and_recorded_and_files_of_the_users_own_stay(done):
    (done.results / "notes.txt").write_text("mine")
    done.results.chmod(0o700)
    assert done.run("--set", "trouble=error") == 1
    (done.results / "later.txt").write_text("mine")  # between a failed run and the next
    assert done.run("--set", "share=0.25", "--set", "start=2") == 0
    assert records.read_manifest(done.results)["parameters"]["03"]["share"] == 0.25
    executed = done.read("notebooks/03_end.ipynb")
    assert "share = 0.25" in executed and "results_dir =" not in executed
    first = done.read("notebooks/01_numbers.ipynb")
    assert "made from this: []" in first, "a notebook sees what is going to be made again"
    assert [done.read(name) for name in ("notes.txt", "later.txt")] == ["mine"] * 2
    assert os.name == "nt" or done.results.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(("source", "code"), [("../../t.csv", 0), ("t.csv", 2)])
def test_a_description_among_the_results_names_a_table_elsewhere(done, capsys, source, code):
    description = done.results / "dataset.toml"
    description.write_text(f'[dataset]\nsource = "{source}"\n')
    (done.results / source).write_text("a\n1\n")
    assert done.run("--dataset", str(description)) == code
    assert ("would replace the folder that holds t.csv" in capsys.readouterr().err) == bool(code)
    assert description.exists()


def test_the_first_notebooks_do_not_depend_on_what_segments_are_called(done, capsys):
    description = done.results / "dataset.toml"
    (done.folder / "t.csv").write_text("a\n1\n")
    first = '[dataset]\nsource = "../../t.csv"\n'
    for added, up_to_date in (
        ("", False),
        ("", True),
        ('k = 3\njoin = "1+2"\nlimits = ["x"]\n[[archetypes]]\nname = "x"', True),
        ('title = "x"', False),
        ('title = "x"\n[features]\nname = 1', False),
    ):
        description.write_text(first + added)
        assert done.run("--dataset", str(description)) == 0
        said = words(capsys)
        assert all((said[n] == "up to date") == up_to_date for n in ("01", "02", "03")), said


@pytest.mark.parametrize("text", ["k = [", "dataset = 1", "x = 1", "source = 1\n[dataset]"])
def test_a_description_that_is_none_counts_as_text(tmp_path, text):
    path = tmp_path / "dataset.toml"
    path.write_text(text)
    assert plan._before_segments(path) == file_digest(path)


def test_only_needs_what_comes_before(project, capsys):
    assert project.run("--only", "02") == 2
    assert "01_numbers" in capsys.readouterr().err
    assert not project.results.parent.exists()


# --- a file that a parameter names, and an old run once more ------------------------------------


def test_a_named_file_is_read_where_it_is_and_counts_by_its_content(done, tmp_path, capsys):
    april = tmp_path / "mine" / "april.csv"
    april.parent.mkdir()
    for content, runs in (("b", True), ("b", False), ("c", True)):
        april.write_text(f"id\n{content}\n")
        with contextlib.chdir(april.parent):  # notebooks run elsewhere
            assert done.run("--set", "next_period=april.csv") == 0
        said = words(capsys)
        assert (said["01"], said["02"]) == ("up to date", "up to date")
        assert (said["03"] != "up to date") == runs
        assert done.read("tables/03_next.csv") == f"id\n{content}\n"
    record = records.read_manifest(done.results)
    assert record["parameters"]["03"]["next_period"] == "april.csv"
    assert record["settings"] == {"next_period": "april.csv"}
    expected = {"part": "next period", "name": "april.csv", "sha256": file_digest(april)}
    assert expected in record["inputs"]
    for path in done.results.rglob("*"):
        assert path.is_dir() or str(april.parent) not in path.read_text(), path


@pytest.fixture(scope="module")
def old(finished, tmp_path_factory):
    """Return the manifest of a run with settings and a file of its own."""
    project = Project(tmp_path_factory.mktemp("old"), finished)
    april = project.folder / "april.csv"
    april.write_text("id\nb\n")
    given = ("trouble=", "start=3", "share=0.25", f"next_period={april}")
    project.run_apart("--quick", *(word for text in given for word in ("--set", text)))
    return project.results / "manifest.json"


@pytest.fixture
def april(tmp_path):
    (tmp_path / "april.csv").write_text("id\nb\n")
    return ("--set", f"next_period={tmp_path / 'april.csv'}")


def changed(old, tmp_path, **changes):
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(json.loads(old.read_text()) | changes))
    return str(path)


def test_a_run_is_repeated_from_its_manifest(old, project, april, tmp_path, capsys):
    assert project.run("--from-manifest", str(old), *april) == 0
    out = capsys.readouterr().out
    assert "All " in out and "files are the same as in" in out
    assert project.read("segments.csv") == "id,segment\na,1.5\n"
    then, again = json.loads(old.read_text()), records.read_manifest(project.results)
    assert again["settings"]["next_period"] == "april.csv"
    assert [again[name] for name in ("quick", "seed")] == [then[name] for name in ("quick", "seed")]
    assert again["parameters"]["01"] == then["parameters"]["01"]
    assert project.run("--from-manifest", str(old.parent), *april) == 0
    assert "Nothing to do" in capsys.readouterr().out
    then["outputs"][TWICE]["sha256"] = "0" * 64
    path = changed(old, tmp_path, versions={"pandas": "2.0"}, outputs=then["outputs"])
    assert project.run("--from-manifest", path, *april) == 0
    out = capsys.readouterr().out
    assert f"others are: {TWICE}." in out and "(then 2.0)" in out


def test_a_run_is_not_repeated_on_other_data_or_notebooks(old, project, april, tmp_path, capsys):
    content = json.loads(old.read_text())
    first, other = content["parameters"]["01"], tmp_path / "other.csv"
    other.write_text("id\nx\n")
    table = [entry | {"sha256": "0" * 64} for entry in content["inputs"]]
    without = {"03": content["parameters"]["03"] | {"next_period": ""}}
    no_paths = "and a manifest keeps no paths"
    for changes, argv, told in (
        ({"inputs": table}, april, "is not the file of that run"),
        ({"given": {"input": "mine.csv"}}, april, f"read 'mine.csv', {no_paths}"),
        ({"parameters": {"01": first | {"gone": 1}}}, (), "has no parameter 'gone' any more"),
        ({"parameters": {"01": {"start": "1; import os"}}}, (), "whole number, not '1; import os'"),
        ({"parameters": {"01": {"dataset": "gone"}}}, (), "about 'gone', which is not under data/"),
        ({"stages": [content["stages"][0] | {"current": False}]}, april, "out of date"),
        ({"schema": 99}, april, "no manifest"),
        ({"stages": None}, april, "no manifest"),
        ({}, (), f"read 'april.csv', {no_paths}"),
        ({}, ("--set", f"next_period={other}"), "other.csv is not the file of that run"),
        ({}, (*april, "--set", "start=4"), "takes all settings"),
        ({"parameters": without}, april, "read no file as its next period"),
    ):
        assert project.run("--from-manifest", changed(old, tmp_path, **changes), *argv) == 2, told
        error = capsys.readouterr().err
        assert told in error and len(error.splitlines()) == 3
    assert project.run("--from-manifest", str(tmp_path / "none.json")) == 2
    assert not project.results.parent.exists()


# --- what goes wrong ----------------------------------------------------------------------------


TROUBLES = {
    "error": "01 numbers failed in cell [3]: ValueError: a bad number",
    "row": "01 numbers failed in cell [3]: ValueError: could not convert string to float",
    "die": "01 numbers ended without a word: most likely the machine ran out of memory",
    "exit": "01 numbers stopped before its last cell",
    "disk": "The disk is full",
}
if os.name != "nt":  # which has no limits
    TROUBLES["memory"] = "01 numbers asked for more memory than there is"


def test_a_failing_stage_leaves_the_previous_results_and_the_next_run_goes_on(done, capsys):
    before = done.snapshot()
    for trouble, told in TROUBLES.items():
        assert done.run("--set", f"trouble={trouble}") == 1
        error = capsys.readouterr().err
        assert told in error, trouble
        assert "Traceback" not in error and ROW not in error and len(error.splitlines()) <= 4
        assert done.snapshot() == before
        log = Path(error.splitlines()[-1].removeprefix("Log: ")).read_text()
        assert trouble != "error" or 'raise ValueError("a bad number")' in log
        assert trouble != "row" or "could not convert" in log
        assert done.quoting() == []
    assert done.run() == 0


def test_a_page_that_cannot_be_made_fails_the_run(done, capsys, monkeypatch):
    from runner import notebook_page

    before = done.snapshot()

    def refuse(*_, **__):
        raise ValueError("no such figure")

    monkeypatch.setattr(notebook_page, "render_notebook", refuse)
    assert done.run("--set", "share=0.1") == 1
    said = capsys.readouterr().err
    assert "The page of 03_end cannot be made: ValueError: no such figure" in said
    assert done.snapshot() == before


@pytest.mark.parametrize("again", [False, True])
def test_a_users_mistake_found_by_a_notebook_is_told_in_three_lines(request, again, capsys):
    asked = request.getfixturevalue("done" if again else "project")
    before = asked.snapshot()
    assert asked.run("--set", "trouble=input") == 2
    error = capsys.readouterr().err
    assert error == "the column 'limit' is missing\nheader of t.csv\nadd it\n"
    assert asked.snapshot() == before
    assert asked.results.parent.exists() == again
    assert not again or list(asked.results.parent.iterdir()) == [asked.results]


def test_a_stage_that_takes_too_long_is_stopped(project, monkeypatch, capsys):
    talking, closed = execution._through_papermill, []

    def talks(*args, **given):
        try:
            return talking(*args, **given)
        finally:
            closed.append(given["kernel"].has_kernel)  # its sockets are not for two threads

    monkeypatch.setattr(execution, "_through_papermill", talks)
    assert project.run("--set", "trouble=wait", "--time-limit", "0.05") == 1
    assert closed == [True]
    assert "--time-limit" in capsys.readouterr().err
    assert wait_for(lambda: not project.processes(), 5)


def test_two_runs_into_the_same_results(done, capsys):
    with publishing.claim(done.results):
        assert done.run() == 2
    error = capsys.readouterr().err
    assert f"another run (process {os.getpid()}, since 2" in error and "--wait" in error


def test_publishing_without_an_exchange_in_one_step(done, monkeypatch):
    monkeypatch.setattr(publishing, "_exchange", lambda *_: False)
    assert done.run("--set", "share=1.5") == 0
    assert done.read("segments.csv") == "id,segment\na,3.0\n"


def test_a_publication_killed_halfway_is_undone(done):
    before = done.snapshot()
    place = publishing.Workplace(done.results)
    place.folder.mkdir()
    done.results.rename(place.folder / "previous")
    with publishing.claim(done.results):
        assert done.snapshot() == before


REFUSALS = (
    (publishing, "_copy", errno.ENOSPC, 1, "The disk is full"),
    (records, "write_stamp", errno.ENOSPC, 1, "The disk is full"),
    (records, "write_manifest", errno.EROFS, 2, "nothing can be written there"),
    (publishing.Workplace, "recover", errno.EACCES, 2, "give yourself write access"),
)


def test_a_disk_that_takes_no_more_leaves_the_earlier_results(done, capsys, monkeypatch):
    before = done.snapshot()
    for module, name, number, code, told in REFUSALS:

        def refuse(*_, number=number, **__):
            raise OSError(number, os.strerror(number))

        with monkeypatch.context() as refusing:
            refusing.setattr(module, name, refuse)
            assert done.run("--set", "share=2") == code, name
        said = capsys.readouterr().err
        assert told in said and "Traceback" not in said
        assert done.snapshot() == before
    assert done.run("--set", "share=2") == 0 and done.broken() == []
    assert done.read("segments.csv") == "id,segment\na,4.0\n"


# --- arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "what", "remedy"),
    [
        ("--set strat=1", "no notebook has a parameter 'strat'", "did you mean 'start'?"),
        ("--set start=many", "start is a whole number, not 'many'", "its default is 1"),
        ("--set start=1.0", "start is a whole number", "its default is 1"),
        ("--set start=", "start is a whole number", "its default is 1"),
        ("--set share=nan", "share is a number", "its default is 0.5"),
        ("--set share=inf", "share is a number", "its default is 0.5"),
        ("--set wait=2", "wait is true or false", "its default is False"),
        ("--set quick=true", "quick is not set this way", "--quick"),
        ("--set dataset=mall", "dataset is not set this way", "--dataset"),
        ("--set start", "'start' sets nothing", "NAME=VALUE"),
        ("--set next_period=none.csv", "there is no file 'none.csv'", "did you mean"),
        ("--from tabel", "there is no notebook 'tabel'", "did you mean 'table'?"),
        ("--only 07", "there is no notebook '07'", "01, 02, 03"),
        ("--only 02 --force", "does not go together", "leave"),
        ("--dataste mall", "there is no option --dataste", "'--dataset'?"),
        ("customers.csv", "belongs to no option", "--input"),
        ("--dataset credit_crad", "there is no dataset", "credit_card"),
        ("--dataset auto", "there is no table to infer", "add --input"),
        ("--time-limit 0", "lets nothing run", "minutes"),
        ("--time-limit x", "invalid float value", "--help"),
        ("--master local", "--master is for Spark", "--engine spark"),
        ("--engine spark --sample-size 0", "the sample is empty", "from 1 on"),
        ("--engine spark --from-manifest x", "repeats a run on one table", "--input"),
        ("--input cc-general.cvs", "there is no file", "CC GENERAL.csv"),
        ("--input nowhere/t.csv", "there is no file", "does not exist"),
        ("--input .", "is a folder", "name one file"),
        ("--input empty.csv", "is empty", "again"),
    ],
)
def test_mistakes_in_arguments_are_told_in_three_lines(
    project, capsys, monkeypatch, argv, what, remedy
):
    for name, text in (("CC GENERAL.csv", "a\n1\n"), ("nine.csv", "a\n1\n"), ("empty.csv", "")):
        (project.folder / name).write_text(text)
    monkeypatch.chdir(project.folder)
    assert project.run(*argv.split()) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert what in lines[0] and remedy in lines[2]
    assert not project.results.parent.exists()


def test_results_may_not_take_the_place_of_other_things(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "new").mkdir()
    for name in ("photos/cat.jpg", "file"):
        (tmp_path / name).write_text("")
    places = {tmp_path / "photos": "other files", tmp_path / "file": "not a folder"}
    places |= dict.fromkeys((ROOT, ROOT.parent, Path(ROOT.anchor)), "project itself")
    for folder, what in places.items():
        with pytest.raises(UserError, match=what):
            inputs.check_results(folder)
    assert inputs.check_results(tmp_path / "new") == (tmp_path / "new").resolve()


@pytest.mark.skipif(os.name == "nt", reason="needs a system with signals, not Windows")
def test_a_command_that_is_interrupted_while_it_loads_says_only_so():
    code = "import runner, os, signal; os.kill(os.getpid(), signal.SIGINT); import time"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "Interrupted.\n")


# --- data and code that a stage depends on ------------------------------------------------------


def test_an_edited_cell_of_parameters_is_told(tmp_path):
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}}
    path = tmp_path / "04.ipynb"

    def told(source):
        path.write_text(json.dumps({"cells": [cell | {"source": source}]}))
        found = notebook_files.read_parameters(notebook_files.read_notebook(path))
        return notebook_files.edited(path, found)

    assert told("k: int = 0\ndataset: str = 'cards'") == []  # no repository, nothing to compare
    for git in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm a"):
        subprocess.run(["git", "-C", tmp_path, *git.split()], check=True)
    assert told("k: int = 0  # decided by the rule\ndataset: str = 'mall'") == []
    assert told("k: int = 5\nmore: int = 1") == [
        "04.ipynb says k = 5 (committed: 0): this run uses it."
    ]


def test_reachable_code_follows_imports(tmp_path):
    (tmp_path / "package" / "figures").mkdir(parents=True)
    for name, source in {
        "package/one.py": "from package import two\n",
        "package/two.py": "import numpy\nfrom package.figures.bars import draw\n",
        "package/figures/__init__.py": "",
        "package/figures/bars.py": "import beside\n",
        "package/apart.py": "",
        "beside.py": "",
    }.items():
        (tmp_path / name).write_text(source)
    source = "%matplotlib inline\nfrom package.one import f\n"
    notebook = {"cells": [{"cell_type": "code", "source": source}]}
    found = notebook_files.reachable(notebook, tmp_path)
    names = " ".join(path.relative_to(tmp_path / "package").as_posix() for path in found[1:])
    assert names == "figures/__init__.py figures/bars.py one.py two.py"
    assert found[0].name == "beside.py"
