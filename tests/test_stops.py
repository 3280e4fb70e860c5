"""Runs that are stopped anywhere, that wait for each other, and their kernels.

A few random moments by default; ``FAULT_MOMENTS=30 FAULT_SEED=7 pytest tests/test_stops.py`` tries
others.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import threading
import time
from dataclasses import replace

import pytest
from jupyter_client.utils import run_sync
from toy_series import ROW, SERIES, SOURCES, Project, wait_for, words

from runner import RunFailed, kernel_maker, kernels, scheduling
from runner.kernels import Kernels
from runner.publishing import claim

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a system with signals, not Windows")

MOMENTS = int(os.environ.get("FAULT_MOMENTS", "3"))
SEED = int(os.environ.get("FAULT_SEED", "1"))
SETTINGS = ("--set", "start=4")


def test_stopped_runs_leave_the_results_and_the_next_one_goes_on(done, capsys):
    child = 'subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])'
    source = SOURCES["02"].replace("import json", "import json, subprocess, sys")
    done.write(_02=source.replace("if wait:\n", f"if wait:\n            {child}\n"))
    before, begun = done.snapshot(), done.tree / "begun"
    for number, code in ((signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)):
        begun.unlink(missing_ok=True)
        process = done.start(*SETTINGS, "--set", "wait=yes")
        assert wait_for(begun.exists)
        assert len(done.processes()) > 1
        process.send_signal(number)
        said, _ = process.communicate(timeout=20)
        assert process.returncode == code
        assert "Traceback" not in said and ROW not in said
        assert wait_for(lambda: not done.processes(), 5), "a kernel, or what it started, lives on"
        assert done.quoting() == []
        assert done.snapshot() == before
    assert done.run(*SETTINGS) == 0
    assert words(capsys)["01"] == "up to date", "finished before the first stop, and kept"
    assert done.read("segments.csv") == "id,segment\na,4.0\n"


@pytest.fixture(scope="module")
def undisturbed(finished, tmp_path_factory):
    """Return what a run that nothing stops publishes, and how long it takes."""
    project = Project(tmp_path_factory.mktemp("undisturbed"), finished)
    began = time.monotonic()
    project.run_apart(*SETTINGS)
    return project.snapshot(times=False), time.monotonic() - began


CODES = {
    "SIGKILL": {-9, 0},
    "SIGTERM": {143, -15, 0},  # -15 before the first line of the program
    "SIGINT": {130, -2, 0},
    "kernel": {1, 0},
}


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_at_a_random_moment(done, undisturbed, moment, capsys):
    expected, seconds = undisturbed
    victim = list(CODES)[(SEED + moment) % len(CODES)]
    delay = random.Random(f"{SEED}-{moment}").uniform(0, seconds)
    before = done.snapshot()
    process = done.start(*SETTINGS)
    time.sleep(delay)
    for each in done.processes() if victim == "kernel" else ():
        each.kill()
    if victim != "kernel":
        process.send_signal(getattr(signal, victim))
    said, _ = process.communicate(timeout=20)
    scene = f"{victim} after {delay:.2f} of {seconds:.2f} s: {process.returncode}\n{said}"
    assert process.returncode in CODES[victim], scene
    # Before the command's first line nothing explains an interruption yet.
    assert "Traceback" not in said or process.returncode == -2, scene
    assert wait_for(lambda: not done.processes(), 5), f"a process was left behind; {scene}"
    assert done.broken() == [], scene
    assert done.snapshot() == before or done.snapshot(times=False) == expected, scene

    assert done.run(*SETTINGS) == 0, scene + capsys.readouterr().err
    assert done.snapshot(times=False) == expected, scene
    assert done.broken() == [], scene
    assert list(done.results.parent.iterdir()) == [done.results], scene


def test_whoever_waits_gets_the_folder_alone(tmp_path):
    results, inside, problems = tmp_path / "deep" / "mine", [], []

    def run(number: int) -> None:
        try:
            for turn in range(12):
                with claim(results, wait=True) as place:
                    inside.append(number)
                    if len(inside) > 1:
                        problems.append(f"{inside} at once")
                    place.tree.mkdir()  # fails where the one before is still clearing up
                    for name in "abcdef":
                        (place.tree / name).write_text(f"{number} {turn}")
                    time.sleep(0.001)
                    if len(list(place.tree.iterdir())) != 6:
                        problems.append("somebody else removed what was written")
                    inside.remove(number)
                    place.clear()
        except Exception as error:
            problems.append(repr(error))

    runs = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join(timeout=60)
    assert problems == []
    assert not any(thread.is_alive() for thread in runs)
    assert list(results.parent.iterdir()) == []


@pytest.mark.parametrize("forks", [kernel_maker.FORKS, False])
def test_a_kernel_has_what_was_imported_ahead_and_ends_with_the_run(tmp_path, monkeypatch, forks):
    program = kernels._MAKER.read_text().replace("FORKS = ", f"FORKS = {forks} and ")
    monkeypatch.setattr(kernels, "_MAKER", tmp_path / "maker.py")
    kernels._MAKER.write_text(program)
    (tmp_path / "slowly.py").write_text("print(1)\nimport pathlib\npathlib.Path('at').touch()\n")
    (tmp_path / "wrong.py").write_text("import nothing_of_that_name\n")

    async def take():
        async with Kernels(tmp_path, tmp_path, tmp_path / "log") as made:
            made.prepare(["slowly.name", "wrong", "slowly"])
            async with made.take([]) as kernel:
                assert (tmp_path / "at").exists() == forks
                assert os.getpgid(kernel.pid) == kernel.pid
                return kernel.pid

    pid = asyncio.run(asyncio.wait_for(take(), 30))
    assert not os.path.exists(f"/proc/{pid}")


def test_a_kernel_may_be_writing_its_file_before_its_start_has_returned(tmp_path):
    async def start():
        kernel = kernels.Kernel(connection_file=str(tmp_path / "kernel.json"))

        async def make(arguments):
            (tmp_path / "kernel.json").write_text("{")  # half of it
            return subprocess.Popen(["sleep", "60"], start_new_session=True).pid

        await kernel.start(make)
        assert await kernel.is_alive()
        await kernel.end()
        assert not await kernel.is_alive()

    asyncio.run(asyncio.wait_for(start(), 30))


def test_a_run_says_so_where_no_kernel_can_be_made(tmp_path):
    async def take():
        async with Kernels(tmp_path, tmp_path, tmp_path / "log") as made:
            made._maker.kill()
            made._maker.wait()
            async with made.take([]):
                pass

    with pytest.raises(RunFailed, match="No kernel could be started: most likely the machine ran"):
        asyncio.run(asyncio.wait_for(take(), 30))


BESIDE = """
share: float = 0.5
---
import json, pathlib, time
began = time.time()
time.sleep(1)
place = pathlib.Path(results_dir) / "stages" / "{number}_times.json"
place.write_text(json.dumps([began, time.time()]))
"""


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
@pytest.mark.parametrize("large", [False, True])
def test_stages_run_side_by_side_unless_the_table_is_large(project, large):
    size = scheduling._LARGE + 1 if large else 100
    table = f"(results / 'stages' / '01_customers.parquet').write_bytes(b'x' * {size})"
    first = SOURCES["01"].replace("print(", f"{table}\n        print(", 1)
    project.write(_01=first, _02=BESIDE.format(number="02"), _03=BESIDE.format(number="03"))
    series = (*SERIES[:2], replace(SERIES[2], needs=("01",)))
    run_sync(asyncio.sleep)(0)  # sets the loop of this context: not for the notebooks' threads
    assert project.run(series=series) == 0
    times = [json.loads(p.read_text()) for p in project.results.glob("stages/0*_times.json")]
    (_, first_end), (second_begin, _) = sorted(times)
    assert (second_begin > first_end) == large


def test_surroundings_of_the_user_do_not_reach_a_notebook(project, monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    facts = "[os.environ.get(n) for n in ('PYTHONWARNINGS', 'OMP_NUM_THREADS', 'PYTHONHASHSEED')]"
    project.write(_01=SOURCES["01"].replace('"in", results', facts))
    assert project.run() == 0
    assert "[None, '1', '0']" in project.read("notebooks/01_numbers.ipynb")
