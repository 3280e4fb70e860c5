"""The environment is made once, checked by its stamp, and mended when it is half made."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from customer_tables.errors import UserError
from runner import environment
from runner.locking import Held, lock

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path):
    """Return a project that needs no package at all."""
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    return tmp_path


def fake_environment(project, version="3.12.1"):
    """Lay out what an environment looks like from outside, with its stamp."""
    folder = project / ".venv"
    python = environment.python_of(folder)
    python.parent.mkdir(parents=True)
    python.write_text("")
    (folder / "pyvenv.cfg").write_text(f"home = /somewhere\nversion = {version}\n")
    stamp = environment._stamp(folder, project / "requirements.txt")
    (folder / environment.STAMP).write_text(json.dumps(stamp))
    return folder


def is_ready(project):
    return environment.is_ready(project / ".venv", project / "requirements.txt")


def test_a_stamped_environment_is_ready(project):
    fake_environment(project)
    assert is_ready(project)


def test_changed_requirements_are_noticed(project):
    fake_environment(project)
    (project / "requirements.txt").write_text("numpy==2.0\n")
    assert not is_ready(project)


def test_another_python_in_the_same_place_is_noticed(project):
    folder = fake_environment(project)
    (folder / "pyvenv.cfg").write_text("home = /somewhere\nversion = 3.13.0\n")
    assert not is_ready(project)


def test_an_environment_whose_python_is_gone_is_not_ready(project):
    folder = fake_environment(project)
    environment.python_of(folder).unlink()
    assert not is_ready(project)


def test_an_environment_that_was_moved_is_not_ready(project):
    folder = fake_environment(project)
    folder.rename(project / "moved")
    assert not environment.is_ready(project / "moved", project / "requirements.txt")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"requirements": 1}'])
def test_a_damaged_stamp_means_not_ready(project, content):
    folder = fake_environment(project)
    (folder / environment.STAMP).write_text(content)
    assert not is_ready(project)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "starting"),
        ("Collecting a==1 (from -r x)\n", "collecting a==1"),
        ("Collecting a==1\n  Downloading a-1-py3.whl (10 kB)\n     ━━ 10/10 kB\n",
         "downloading a-1-py3.whl"),
        ("Processing /wheels/b-2-py3.whl (from -r x)\n", "processing b-2-py3.whl"),
        ("Collecting a\nInstalling collected packages: a, b, c\n  Attempting uninstall: b\n",
         "unpacking 3 packages"),
    ],
)  # fmt: skip
def test_what_is_being_installed_is_told(said, told):
    assert environment._at_work_on(said) == told


def test_no_environment_is_not_ready(project):
    assert not is_ready(project)


def test_the_check_is_quick(project):
    fake_environment(project)
    (project / "requirements.txt").write_bytes(b"x" * 300_000)
    start = time.perf_counter()
    is_ready(project)
    check = time.perf_counter() - start
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    assert check < time.perf_counter() - start, "quicker than starting a Python that does nothing"


def test_a_missing_lock_is_told(tmp_path):
    with pytest.raises(UserError, match="requirements.txt is missing"):
        environment.prepare(tmp_path)


def test_making_it_for_real_and_mending_what_is_broken(project, capsys):
    folder = project / ".venv"
    (folder / "lib").mkdir(parents=True)  # what a stopped attempt leaves
    (folder / "lib" / "half").write_text("")

    environment.prepare(project)

    assert is_ready(project)
    assert not (folder / "lib" / "half").exists()
    python = environment.python_of(folder)
    where = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True)
    assert Path(where.stdout.decode().strip()).resolve() == folder.resolve()

    # A new lock is installed into it; what cannot be installed leaves it unfinished.
    (project / "requirements.txt").write_text("no-hash-given==1.0\n")
    with pytest.raises(UserError) as failed:
        environment.prepare(project)
    assert "packages cannot be installed" in str(failed.value)
    assert "setup.log" in str(failed.value)
    assert len(str(failed.value).splitlines()) == 3
    assert not is_ready(project)
    assert python.exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("NewConnectionError(': Failed to establish a new Connection'", "cannot be reached"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS", "not the one"),
        ("The virtual environment was not created because ensurepip is not", "without venv"),
        ("ERROR: No matching distribution found for tensorflow==2", "found for this system"),
        ("something\nquite new\n\n", "quite new"),
    ],
)
def test_failures_are_explained(words, reason):
    found, remedy = environment._diagnose(words)
    assert reason in found
    assert remedy


def test_settings_of_pip_that_mislead_are_left_out(project, monkeypatch):
    monkeypatch.setenv("PIP_TARGET", "/elsewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    log = project / "log"
    show = "import os; print(sorted(k for k in os.environ if k in ('PIP_TARGET', 'PYTHONPATH')))"
    environment._call([sys.executable, "-c", show], log, "failed")
    assert log.read_text().strip() == "[]"


def test_inside_the_environment_nothing_is_started_again(project, monkeypatch):
    folder = fake_environment(project)
    monkeypatch.delenv(environment.OPT_OUT, raising=False)
    monkeypatch.setattr(sys, "prefix", str(folder))
    monkeypatch.setattr(environment, "_restart", lambda *_: pytest.fail("started again"))
    environment.enter(Path("run.py"), [], root=project)


def test_outside_the_command_starts_again_inside(project, monkeypatch):
    folder = fake_environment(project)
    calls = []
    monkeypatch.delenv(environment.OPT_OUT, raising=False)
    monkeypatch.setattr(environment, "_restart", lambda *call: calls.append(call))
    environment.enter(Path("run.py"), ["--quick"], root=project)
    assert calls == [(environment.python_of(folder), Path("run.py"), ["--quick"])]


def test_opting_out_takes_the_running_python(project, monkeypatch):
    monkeypatch.setenv(environment.OPT_OUT, "1")
    monkeypatch.setattr(environment, "prepare", lambda *_: pytest.fail("made an environment"))
    environment.enter(Path("run.py"), [], root=project)


def test_commands_need_only_the_standard_library_before_the_environment_stands():
    """With no package to be had, everything up to the restart still loads."""
    code = (
        "import sys; sys.path[:0] = ['scripts']\n"
        "from runner import command, arguments, environment, inputs, plan\n"
        "from segmentation.stages import SERIES\n"
        "import pathlib\n"
        "options = arguments.parse(['--set', 'a=1', '--dataset', 'credit_card'], SERIES)\n"
        "inputs.resolve_dataset('credit_card', None)\n"
        "foreign = [m.__file__ for m in list(sys.modules.values())\n"
        "           if 'site-packages' in (getattr(m, '__file__', None) or '')]\n"
        "assert not foreign, foreign\n"
    )
    subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, check=True)


# --- locks --------------------------------------------------------------------------------------


def test_a_lock_is_held_by_one(tmp_path):
    path = tmp_path / "lock"
    with lock(path):
        with pytest.raises(Held) as held:
            with lock(path):
                pass
        assert held.value.pid == os.getpid()
    with lock(path):
        pass


def test_a_lock_can_be_waited_for(tmp_path):
    path, order = tmp_path / "lock", []
    taken = threading.Event()

    def hold():
        with lock(path):
            taken.set()
            time.sleep(0.3)
            order.append("first")

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    with lock(path, wait=True):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    path = tmp_path / "lock"
    code = (
        "import sys, time, pathlib; sys.path.insert(0, 'scripts')\n"
        "from runner.locking import lock\n"
        f"with lock(pathlib.Path({str(path)!r})): print('held', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert holder.stdout.readline().strip() == b"held"
    with pytest.raises(Held) as held:
        with lock(path):
            pass
    assert held.value.pid == holder.pid
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with lock(path):
        pass


def test_a_lock_file_that_was_removed_meanwhile_does_not_count(tmp_path):
    path, there = tmp_path / "lock", []

    def wait():
        with lock(path, wait=True):
            there.append(path.exists())

    with lock(path):
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.1)
        path.unlink()
    thread.join()
    assert there == [True]  # or a third process could take a lock of the same name
