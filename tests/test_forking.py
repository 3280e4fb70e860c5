"""Kernels forked from a nursery: the same as ordinary ones, and gone with it."""

import json
import os
import signal
import textwrap

import psutil
import pytest
from test_runner import (  # noqa: F401 (fixtures)
    SOURCES,
    fake_pages,
    project,
    wait_for,
    write_notebooks,
)

from runner import forking
from runner.kernels import Kernels, _surroundings

pytestmark = pytest.mark.skipif(not forking.AVAILABLE, reason="this system's kernels start alone")

FACTS = """
start: int = 1  # a number
---
import json, os, pathlib, random, signal, sys, threading
import numpy as np
import pandas as pd
results = pathlib.Path(results_dir)
facts = {
    "path": sys.path,
    "arguments": sys.argv[:1],
    "flags": str(sys.flags),
    "environ": {
        name: value for name, value in os.environ.items()
        if name not in ("JPY_PARENT_PID", "JE_ARROW_MALLOC_CONF", "IPYTHONDIR", "MPLCONFIGDIR")
    },
    "name": __name__,
    "ours": [name for name in sys.modules if name.partition(".")[0] in ("runner", "nursery")],
    "signals": [str(signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGCHLD)],
    "input": os.stat(0).st_size,
    "folder": os.getcwd(),
    "sum": float(np.random.default_rng(1).normal(size=1000) @ np.arange(1000)),
    "text": str(pd.DataFrame({"a": [1.5, 2.5]}).describe()),
}
(results / "stages").mkdir(exist_ok=True)
(results / "tables").mkdir(exist_ok=True)
(results / "campaigns").mkdir(exist_ok=True)
(results / "tables" / "01_facts.csv").write_text(json.dumps(facts))
process = [os.getpid(), os.getsid(0), os.getppid()]
(results / "tables" / "01_process.csv").write_text(json.dumps(process))
(results / "stages" / "01_number.json").write_text("1")
print("done")
"""


def notebook(*lines):
    return {"cells": [{"cell_type": "code", "source": "\n".join(lines)}]}


@pytest.fixture
def kernels(tmp_path):
    """Return a function that makes the kernels of a run; they end with the test."""
    made = []

    def make():
        made.append(Kernels(tmp_path, tmp_path, tmp_path / "log"))
        return made[-1]

    yield make
    for each in made:
        each.close()
        if each._nursery is not None:
            assert wait_for(lambda each=each: not psutil.pid_exists(each._nursery.pid), 5)


def is_forked(kernel):
    return isinstance(kernel.provisioner.process, forking._Forked)


def ended(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_forked_kernel_finds_what_an_ordinary_one_finds(project, monkeypatch):  # noqa: F811
    write_notebooks(project.notebooks, SOURCES | {"01": textwrap.dedent(FACTS)})
    found = []
    for switch in ("0", "1"):
        monkeypatch.setenv(forking.SWITCH, switch)
        assert project.run("--force") == 0
        facts = json.loads((project.results / "tables" / "01_facts.csv").read_text())
        assert facts["environ"].pop(forking.SWITCH) == switch
        own, session, parent = json.loads(
            (project.results / "tables" / "01_process.csv").read_text()
        )
        assert own == session and (parent == os.getpid()) == (switch == "1")
        executed = json.loads((project.results / "notebooks" / "01_numbers.ipynb").read_text())
        found.append((facts, executed["cells"]))
    assert found[0] == found[1]
    assert found[0][0]["ours"] == []


def test_modules_are_loaded_before_the_fork(kernels, tmp_path):
    (tmp_path / "slowly.py").write_text("import os\nprocess = os.getpid()\n")
    (tmp_path / "wrong.py").write_text("import nothing_of_that_name\n")
    both = kernels()
    first = both.take("01", notebook("import slowly", "import wrong"))
    second = both.take("02", notebook("import slowly"))
    assert is_forked(first) and is_forked(second)
    parents = {psutil.Process(each.provisioner.pid).ppid() for each in (first, second)}
    assert parents == {both._nursery.pid}
    assert os.getsid(first.provisioner.pid) == first.provisioner.pid
    assert 10e6 < first.peak_memory() < 10e9


@pytest.mark.parametrize("switch", ["0", "1"])
def test_a_waiting_kernel_loads_what_is_not_loaded_yet(kernels, tmp_path, monkeypatch, switch):
    monkeypatch.setenv(forking.SWITCH, switch)
    monkeypatch.setattr(forking, "_LEFT_OUT", ("slowly",))
    (tmp_path / "slowly.py").write_text("import os, pathlib\npathlib.Path('at').touch()\n")
    (tmp_path / "wrong.py").write_text("import nothing_of_that_name\n")
    kernels().prepare("01", notebook("import wrong", "import slowly"))
    assert wait_for(lambda: (tmp_path / "at").exists(), 30)
    assert "wrong cannot be imported ahead: ModuleNotFoundError" in (tmp_path / "log").read_text()


def test_without_a_nursery_a_kernel_starts_alone(kernels):
    run = kernels()
    first = run.take("01", notebook("import json"))
    os.kill(run._nursery.pid, signal.SIGKILL)
    assert wait_for(lambda: ended(first.provisioner.pid), 5), "a kernel outlives its nursery"
    assert first.provisioner.process.poll() is not None
    second = run.take("02", notebook("import json"))
    assert not is_forked(second)
    assert second.provisioner.process.poll() is None


def test_where_a_thread_runs_nothing_is_forked(kernels, tmp_path):
    (tmp_path / "threads.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    run = kernels()
    assert is_forked(run.take("01", notebook("import json")))
    assert not is_forked(run.take("02", notebook("import threads")))


def test_what_the_notebooks_import_starts_no_thread(tmp_path):
    environ = _surroundings(tmp_path)
    folder = forking.Path(forking.__file__).parents[2] / "notebooks"
    nursery = forking.Nursery(folder, environ, tmp_path / "log")
    modules = ["pandas", "pyarrow.parquet", "seaborn", "sklearn.cluster", "duckdb"]
    modules += ["segmentation.workspace", "segmentation.alternatives", "segmentation.transactions"]
    try:
        assert nursery.fork(modules, ["-f", str(tmp_path / "kernel.json")]) > 0
    finally:
        nursery.close()


def test_stopping_ends_kernels_that_are_being_started(kernels, tmp_path):
    (tmp_path / "endless.py").write_text("import time\ntime.sleep(600)\n")
    run = kernels()
    run.prepare("01", notebook("import endless"))
    run.kill()
    with pytest.raises(RuntimeError, match="the run is ending"):
        run.take("02", notebook("import json"))


def test_a_closed_nursery_forks_nothing(tmp_path):
    nursery = forking.Nursery(tmp_path, dict(os.environ), tmp_path / "log")
    nursery.close()
    assert nursery.fork([], ["-f", "x"]) == 0


def test_other_systems_start_kernels_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(forking, "AVAILABLE", False)
    run = Kernels(tmp_path, tmp_path, tmp_path / "log")
    try:
        assert run._nursery is None
        assert not is_forked(run.take("01", notebook("import json")))
    finally:
        run.close()
