"""Runs that are stopped anywhere, that find no space, that wait for each other, and their kernels.

A few random moments by default; ``FAULT_MOMENTS=30 FAULT_SEED=7 pytest tests/test_stops.py`` tries
others.
"""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from toy_series import (
    ROOT,
    SERIES,
    SOURCES,
    Project,
    broken,
    done,
    fake_pages,
    finished,
    project,
    wait_for,
    without_times,
    words,
    write_notebooks,
)

from customer_tables.errors import UserError
from runner import scheduling
from runner.kernels import Kernels
from runner.publishing import claim

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a system with signals, not Windows")

MOMENTS = int(os.environ.get("FAULT_MOMENTS", "3"))
SEED = int(os.environ.get("FAULT_SEED", "1"))
SETTINGS = ("--set", "start=4")


# --- stopped --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)],
)
def test_a_stopped_run_leaves_the_results_and_the_next_one_goes_on(done, number, code, capsys):
    child = 'subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])'
    source = SOURCES["02"].replace("import json", "import json, subprocess, sys")
    source = source.replace("if wait:\n", f"if wait:\n            {child}\n")
    write_notebooks(done.notebooks, SOURCES | {"02": source})
    before = done.snapshot()
    process = done.start(*SETTINGS, "--set", "wait=yes")
    assert wait_for((done.tree / "begun").exists)
    assert len(done.processes()) > 1
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in said
    assert wait_for(lambda: not done.processes(), 5), "a kernel, or what it started, lives on"
    assert done.snapshot() == before
    assert done.run(*SETTINGS) == 0
    assert words(capsys)[0]["01"] == "up to date", "finished before the stop, and kept"
    assert (done.results / "segments.csv").read_text() == "id,segment\na,4.0\n"


@pytest.fixture(scope="module")
def undisturbed(finished, tmp_path_factory):
    """Return what a run that nothing stops publishes, and how long it takes."""
    project = Project(tmp_path_factory.mktemp("undisturbed"), finished)
    began = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGMENTATION_NO_VENV", "1")  # comes before the fixture that does so for tests
        process = project.start(*SETTINGS)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return without_times(project.snapshot()), time.monotonic() - began


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
    assert "Traceback" not in said, scene
    assert wait_for(lambda: not done.processes(), 5), f"a process was left behind; {scene}"
    assert broken(done.results) == [], scene
    now = done.snapshot()
    assert now == before or without_times(now) == expected, scene

    assert done.run(*SETTINGS) == 0, scene + capsys.readouterr().err
    assert without_times(done.snapshot()) == expected, scene
    assert broken(done.results) == [], scene
    assert list(done.results.parent.iterdir()) == [done.results], scene


# --- disks ----------------------------------------------------------------------------------------

# Runs in a name space of its own, in which it may mount file systems that nobody else sees.
DISKS = f"""
import json, shutil, subprocess, sys
from pathlib import Path
sys.path[:0] = [str(Path({str(ROOT)!r}) / name) for name in ("tests", "scripts", "notebooks")]
from test_stops import SETTINGS
from toy_series import Project, broken, without_times

finished, disk = Project.__new__(Project), Path(sys.argv[2])
finished.folder = Path(sys.argv[1])
disk.mkdir()

def mount(*words):
    subprocess.run(["mount", *words, str(disk)], check=True)

def run(project):
    process = project.start(*SETTINGS)
    said, _ = process.communicate(timeout=120)
    return process.returncode, said

mount("-t", "tmpfs", "-o", "size=16m", "tmpfs")
project = Project(disk / "work", finished)
project.folder = disk.parent  # the program itself is elsewhere
before = project.snapshot()
used = shutil.disk_usage(disk).used
told = []
for spare in (8, 72, 160, 232):
    mount("-o", f"remount,size={{used // 1024 + spare}}k")
    code, said = run(project)
    told.append((spare, code, said, project.snapshot() == before, broken(project.results)))
    if code == 0:
        break
    shutil.rmtree(project.results.with_name(".mine.run"), ignore_errors=True)
mount("-o", "remount,ro")
code, said = run(project)
closed = (code, said, broken(project.results))
mount("-o", "remount,rw,size=16m")
again = run(project)
end = without_times(project.snapshot())
print("RESULT" + json.dumps([told, closed, again, end]))
"""


def test_full_and_closed_disks_leave_the_earlier_results(finished, undisturbed, tmp_path):
    words = ["unshare", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or not sys.platform.startswith("linux"):
        pytest.skip("needs a system that lets tests mount a small disk")
    trial = f"mount -t tmpfs tmpfs {tmp_path}"
    if subprocess.run([*words, "sh", "-c", trial], capture_output=True).returncode:
        pytest.skip("needs a system that lets tests mount a small disk")
    command = [*words, sys.executable, "-c", DISKS, str(finished.folder), str(tmp_path / "disk")]
    made = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert "RESULT" in made.stdout, made.stdout + made.stderr
    told, closed, again, end = json.loads(made.stdout.partition("RESULT")[2])
    assert [entry for entry in told if entry[1] == 1], "no disk was small enough"
    for spare, code, said, untouched, wrong in told:
        assert wrong == [] and "Traceback" not in said, spare
        if code:
            assert code == 1 and untouched and "The disk is full" in said, (spare, said)
    code, said, wrong = closed
    assert (code, wrong) == (2, []) and "nothing can be written there" in said
    assert again[0] == 0 and end == undisturbed[0], again[1]


# --- waiting --------------------------------------------------------------------------------------


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


def test_a_folder_that_is_held_says_by_whom(tmp_path):
    with claim(tmp_path / "mine"), pytest.raises(UserError, match=r"run \(process \d+, since 2"):
        with claim(tmp_path / "mine"):
            pass


# --- kernels --------------------------------------------------------------------------------------


def test_a_kernel_that_waits_has_imported_what_can_be_imported(tmp_path):
    (tmp_path / "slowly.py").write_text("import pathlib\npathlib.Path('at').touch()\n")
    (tmp_path / "wrong.py").write_text("import nothing_of_that_name\n")

    async def wait():
        async with Kernels(tmp_path, tmp_path, tmp_path / "log") as kernels:
            kernels.prepare("01", ["slowly.name", "wrong", "slowly"])
            while not (tmp_path / "at").exists():
                await asyncio.sleep(0.05)
            async with kernels.take("01", []) as kernel:
                return kernel.pid

    pid = asyncio.run(asyncio.wait_for(wait(), 30))
    assert pid and not os.path.exists(f"/proc/{pid}")


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
    sources = {"01": SOURCES["01"].replace("print(", f"{table}\n        print(", 1)}
    sources |= {number: BESIDE.format(number=number) for number in ("02", "03")}
    write_notebooks(project.notebooks, sources)
    series = (*SERIES[:2], replace(SERIES[2], needs=("01",)))
    assert project.run(series=series) == 0
    times = [json.loads(p.read_text()) for p in project.results.glob("stages/0*_times.json")]
    (_, first_end), (second_begin, _) = sorted(times)
    assert (second_begin > first_end) == large


def test_surroundings_of_the_user_do_not_reach_a_notebook(project, monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    facts = "[os.environ.get(n) for n in ('PYTHONWARNINGS', 'OMP_NUM_THREADS', 'PYTHONHASHSEED')]"
    write_notebooks(
        project.notebooks, SOURCES | {"01": SOURCES["01"].replace('"in", results', facts)}
    )
    assert project.run() == 0
    executed = (project.results / "notebooks" / "01_numbers.ipynb").read_text()
    assert "[None, '1', '0']" in executed
