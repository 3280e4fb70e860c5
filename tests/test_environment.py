"""The environment is made once, checked by its stamp, and mended when half made; and locks."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest
from jupyter_server.services.contents.filemanager import FileContentsManager
from traitlets.config import Config

from customer_tables.errors import UserError
from runner import environment, locking, notebook_files
from runner.locking import Held, lock

ROOT = Path(__file__).parents[1]
PYTHON = str(environment.python_of(Path(".venv")))
CONFIG = "home = /somewhere\nversion = {}\n"


@pytest.fixture
def place(tmp_path):
    """Return a project that needs no package at all."""
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    return tmp_path


@pytest.fixture
def stamped(place):
    """Return a project with what an environment looks like from outside, with its stamp."""
    (place / PYTHON).parent.mkdir(parents=True)
    (place / PYTHON).write_text("")
    (place / ".venv" / "pyvenv.cfg").write_text(CONFIG.format("3.12.1"))
    stamp = environment._stamp(place / ".venv", place / "requirements.txt")
    (place / ".venv" / environment.STAMP).write_text(json.dumps(stamp))
    return place


def is_ready(project, folder=".venv"):
    return environment.is_ready(project / folder, project / "requirements.txt")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("requirements.txt", "numpy==2.0\n"),
        (".venv/pyvenv.cfg", CONFIG.format("3.13.0")),
        (PYTHON, None),
        *((f".venv/{environment.STAMP}", text) for text in (None, "", "{", "[]", '{"python": 1}')),
    ],
)
def test_an_environment_is_ready_until_something_changes(stamped, path, content):
    start = time.perf_counter()
    assert is_ready(stamped)
    assert time.perf_counter() - start < 0.1, "every command waits for this"
    shutil.copytree(stamped / ".venv", stamped / "moved")
    assert not is_ready(stamped, "moved")
    (stamped / path).unlink()
    if content is not None:
        (stamped / path).write_text(content)
    assert not is_ready(stamped)


def test_making_it_for_real_and_mending_what_is_broken(place, monkeypatch):
    folder = place / ".venv"
    (folder / "lib").mkdir(parents=True)  # what a stopped attempt leaves
    (folder / "lib" / "half").write_text("")
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")  # would mislead pip

    environment.prepare(place)

    assert is_ready(place)
    assert not (folder / "lib" / "half").exists()
    ask = "import os, sys; print(sys.prefix, 'PIP_TARGET' in os.environ, file=sys.stderr); 1 / 0"
    with pytest.raises(UserError, match="failed: ZeroDivisionError"):
        environment._call([str(place / PYTHON), "-c", ask], "failed", place / "log")

    # A new lock is installed into it; what cannot be installed leaves it unfinished.
    (place / "requirements.txt").write_text("no-hash-given==1.0\n")
    with pytest.raises(UserError) as failed:
        environment.prepare(place)
    what, where, _ = str(failed.value).splitlines()
    assert "packages cannot be installed" in what and "setup.log" in where
    assert not is_ready(place)
    assert (place / PYTHON).exists()
    (place / "requirements.txt").unlink()
    with pytest.raises(UserError, match="requirements.txt is missing"):
        environment.prepare(place)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "no reason given"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("NewConnectionError(': Failed to establish a new Connection'", "cannot be reached"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS", "not the one"),
        ("The virtual environment was not created because ensurepip is not", "without venv"),
        ("ERROR: No matching distribution found for tensorflow==2", "found for this system"),
        ("something\nquite new\n\n", "quite new"),
    ],
)
def test_failures_are_explained(said, reason):
    found, remedy = environment._diagnose(said)
    assert reason in found and remedy


@pytest.mark.parametrize(("opted_out", "inside"), [("1", False), ("", True), ("", False)])
def test_a_command_goes_on_inside_the_environment(stamped, monkeypatch, opted_out, inside):
    calls = []
    monkeypatch.setenv(environment.OPT_OUT, opted_out)
    monkeypatch.setattr(environment, "_restart", lambda *call: calls.append(call))
    if inside:
        monkeypatch.setattr(sys, "prefix", str(stamped / ".venv"))
    environment.enter(Path("run.py"), ["--quick"], root=stamped)
    again = [(stamped / PYTHON, Path("run.py"), ["--quick"])]
    assert calls == ([] if opted_out or inside else again)


def test_commands_need_only_the_standard_library_before_the_environment_stands():
    code = (
        "import sys; sys.path[:0] = ['scripts']\n"
        "from runner import NOTEBOOKS, command, plan\n"
        "from segmentation.stages import SERIES\n"
        "options = command.parse(['--set', 'k=4', '--dataset', 'credit_card'], SERIES)\n"
        "plan.make_plan(options, SERIES, NOTEBOOKS)\n"
    )
    bare = [sys.executable, "-S"]  # with no package to be had
    subprocess.run([*bare, "-c", code], cwd=ROOT, check=True)
    for name in ("run", "score", "export_sql", "spark", "compare", "benchmark"):
        script = ROOT / "scripts" / f"{name}.py"
        done = subprocess.run([*bare, script, "--help"], capture_output=True, text=True)
        assert done.stdout.startswith(f"usage: {name}.py"), done.stderr
    code = "import sys; sys.version_info = (3, 10); sys.path[:0] = ['scripts']; import runner"
    done = subprocess.run([*bare, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (
        1,
        "This needs Python 3.11, 3.12 or 3.13; this is Python 3.10.",
    )


def test_the_lock_of_another_process_is_told_and_free_once_that_is_killed(tmp_path):
    path, told = tmp_path / "lock", []
    code = (
        "import sys, time, pathlib; sys.path.insert(0, 'scripts')\n"
        "from runner.locking import lock\n"
        f"with lock(pathlib.Path({str(path)!r})): print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(Held) as held, lock(path):
            pass
        assert held.value.pid == holder.pid
        threading.Timer(0.3, holder.kill).start()
        with lock(path, wait=True, tell=told.append):
            assert holder.wait() != 0
    assert [held.pid for held in told] == [holder.pid]


def test_a_lock_file_that_is_removed_between_opening_and_locking_does_not_count(
    tmp_path, monkeypatch
):
    path, try_lock = tmp_path / "lock", locking._try_lock

    def removed_first(descriptor):
        monkeypatch.setattr(locking, "_try_lock", try_lock)
        path.unlink()
        return try_lock(descriptor)

    monkeypatch.setattr(locking, "_try_lock", removed_first)
    with lock(path), pytest.raises(Held) as held, lock(path):
        pass
    assert held.value.pid == os.getpid()


@pytest.mark.parametrize(("folder", "kept"), [("notebooks", []), ("my own", ["customer 00123"])])
def test_jupyterlab_saves_the_notebooks_of_the_project_without_outputs(
    tmp_path, monkeypatch, folder, kept
):
    config, place = Config(), tmp_path / folder
    exec(environment._JUPYTER.format(scripts=str(environment.ROOT / "scripts")), {"c": config})
    monkeypatch.setattr(notebook_files, "NOTEBOOKS", tmp_path / "notebooks")
    output = nbformat.v4.new_output("stream", text="customer 00123")
    cell = nbformat.v4.new_code_cell("k = 5", outputs=[output], metadata={"scrolled": True})
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={})
    notebook.metadata["kernelspec"] = {"name": "mine", "display_name": "Mine"}
    notebook.metadata["widgets"] = {"state": "customer 00123"}
    place.mkdir()
    manager = FileContentsManager(root_dir=str(tmp_path), config=config)
    manager.save({"type": "notebook", "content": notebook}, f"/{folder}/04.ipynb")
    (saved,) = nbformat.read(place / "04.ipynb", as_version=4).cells
    assert saved.source == "k = 5" and [output.text for output in saved.outputs] == kept
    assert ("00123" in (place / "04.ipynb").read_text()) is bool(kept)
