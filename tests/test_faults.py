"""Runs that are killed anywhere, that find no space, and that may not write.

A few random moments by default; ``FAULT_MOMENTS=30 FAULT_SEED=7 pytest tests/test_faults.py`` tries
others.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_runner import (  # noqa: F401 (fixtures)
    FAKE_PAGES,
    ROOT,
    Project,
    done,
    fake_pages,
    finished,
    wait_for,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of other systems")

MOMENTS = int(os.environ.get("FAULT_MOMENTS", "3"))
SEED = int(os.environ.get("FAULT_SEED", "1"))
SETTINGS = ("--set", "start=4")
# What a run does not write alike twice: when it ran and how long it took.
TIMES = ("manifest.json", "index.html", ".stamps/01.json", ".stamps/02.json", ".stamps/03.json")


def without_times(snapshot: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in snapshot.items() if name not in TIMES}


def broken(results: Path) -> list[str]:
    """Return the files of published results that are not those that their manifest lists."""
    record = json.loads((results / "manifest.json").read_text())
    found = {
        path.relative_to(results).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in results.rglob("*")
        if path.is_file() and ".stamps" not in path.parts and path.name != "manifest.json"
    }
    listed = {name: entry["sha256"] for name, entry in record["outputs"].items()}
    return sorted(name for name in found | listed if found.get(name) != listed.get(name))


@pytest.fixture(scope="module")
def undisturbed(finished, tmp_path_factory):  # noqa: F811
    """Return what a run that nothing stops publishes, and how long it takes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    project = copy_of(finished, folder)
    began = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGMENTATION_NO_VENV", "1")  # comes before the fixture that does so for tests
        process = project.start(*SETTINGS)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return without_times(project.snapshot()), time.monotonic() - began


def copy_of(project: Project, folder: Path) -> Project:
    shutil.copytree(project.folder, folder, dirs_exist_ok=True)
    copied = Project.__new__(Project)
    copied.folder = folder
    copied.notebooks, copied.results = folder / "notebooks", folder / "results" / "mine"
    return copied


def _stop(project: Project, process: subprocess.Popen, victim: str) -> None:
    if victim != "kernel":
        process.send_signal(getattr(signal, victim))
        return
    for kernel in project.processes():
        kernel.kill()


CODES = {
    "SIGKILL": {-9, 0},
    "SIGTERM": {143, -15, 0},  # -15 before the first line of the program
    "SIGINT": {130, -2, 0},
    "kernel": {1, 0},
}


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_at_a_random_moment(done, undisturbed, moment, capsys):  # noqa: F811
    expected, seconds = undisturbed
    chance = random.Random(f"{SEED}-{moment}")
    victim = list(CODES)[(SEED + moment) % len(CODES)]
    delay = chance.uniform(0, seconds)
    before = done.snapshot()
    process = done.start(*SETTINGS)
    time.sleep(delay)
    _stop(done, process, victim)
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
sys.path[:0] = [{str(ROOT / "tests")!r}, {str(ROOT / "scripts")!r}, {str(ROOT / "notebooks")!r}]
from test_faults import SETTINGS, Project, broken, copy_of, without_times

finished = Project.__new__(Project)
finished.folder, disk = Path(sys.argv[1]), Path(sys.argv[2])
disk.mkdir()

def mount(*words):
    subprocess.run(["mount", *words, str(disk)], check=True)

def run(project):
    process = project.start(*SETTINGS)
    said, _ = process.communicate(timeout=120)
    return process.returncode, said

mount("-t", "tmpfs", "-o", "size=16m", "tmpfs")
project = copy_of(finished, disk / "work")
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


@pytest.fixture(scope="module")
def disks(finished, tmp_path_factory):  # noqa: F811
    """Return how runs end on disks of several sizes, on a read-only one, and with space again."""
    words = ["unshare", "--map-root-user", "--mount"]
    folder = tmp_path_factory.mktemp("disks")
    if not shutil.which("unshare") or not sys.platform.startswith("linux"):
        pytest.skip("this system lets nobody mount a small file system")
    trial = f"mount -t tmpfs tmpfs {folder}"
    if subprocess.run([*words, "sh", "-c", trial], capture_output=True, check=False).returncode:
        pytest.skip("this system does not let us mount a small file system")
    made = subprocess.run(
        [*words, sys.executable, "-c", DISKS, str(finished.folder), str(folder / "disk")],
        capture_output=True, text=True, timeout=240, check=False,
        env=os.environ | {"SEGMENTATION_NO_VENV": "1"},
    )  # fmt: skip
    assert "RESULT" in made.stdout, made.stdout + made.stderr
    return json.loads(made.stdout.partition("RESULT")[2])


def test_a_full_disk_leaves_the_earlier_results(disks):
    told = disks[0]
    assert [entry for entry in told if entry[1] == 1], "no disk was small enough"
    for spare, code, said, untouched, wrong in told:
        assert wrong == [], spare
        assert "Traceback" not in said
        if code:
            assert code == 1 and untouched, (spare, said)
            assert "The disk is full" in said, (spare, said)


def test_a_folder_that_cannot_be_written_is_told(disks):
    code, said, wrong = disks[1]
    assert code == 2 and wrong == []
    assert "write access" in said and "Traceback" not in said


def test_with_space_again_the_run_ends_as_if_nothing_had_happened(disks, undisturbed):
    code, said = disks[2]
    assert code == 0, said
    assert disks[3] == undisturbed[0]
