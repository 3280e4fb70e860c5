"""Kernels: started ahead, side by side, and gone with the run and with all that they started."""

import asyncio
import json
import os
import signal
import sys

import pytest
from test_runner import (  # noqa: F401 (fixtures)
    SERIES,
    SOURCES,
    Project,
    fake_pages,
    project,
    wait_for,
    write_notebooks,
)

from runner import scheduling
from runner.kernels import Kernels


def test_a_kernel_that_waits_has_imported_what_can_be_imported(tmp_path):
    (tmp_path / "slowly.py").write_text("import pathlib\npathlib.Path('at').touch()\n")
    (tmp_path / "wrong.py").write_text("import nothing_of_that_name\n")

    async def wait():
        async with Kernels(tmp_path, tmp_path, tmp_path / "log") as kernels:
            kernels.prepare("01", ["slowly", "slowly.name", "wrong"])
            for _ in range(600):
                if (tmp_path / "at").exists():
                    return (await kernels.take("01", [])).provisioner.pid
                await asyncio.sleep(0.05)

    pid = asyncio.run(wait())
    assert pid and not os.path.exists(f"/proc/{pid}")


CHILD = """
import pathlib, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
(pathlib.Path(results_dir) / "begun").touch()
time.sleep(60)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of other systems")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_what_a_kernel_has_started_ends_with_the_run(project, number):  # noqa: F811
    write_notebooks(project.notebooks, SOURCES | {"01": f"waits: int = 0\n---\n{CHILD}"})
    process = project.start()
    assert wait_for((project.tree / "begun").exists)
    assert len(project.processes()) >= 2
    process.send_signal(number)
    process.communicate(timeout=20)
    assert wait_for(lambda: not project.processes(), 5)


BESIDE = """
share: float = 0.5
---
import json, pathlib, time
place = pathlib.Path(results_dir) / "{place}"
began = time.time()
time.sleep(1)
place.write_text(json.dumps([began, time.time()]))
"""


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core")
@pytest.mark.parametrize("large", [False, True])
def test_stages_run_side_by_side_unless_the_table_is_large(project, large, monkeypatch):  # noqa: F811
    size = scheduling._LARGE + 1 if large else 100
    table = f"(results / 'stages' / '01_customers.parquet').write_bytes(b'x' * {size})"
    sources = {"01": SOURCES["01"].replace("print(", f"{table}\n        print(", 1)}
    for number in ("02", "03"):
        sources[number] = BESIDE.format(place=f"stages/{number}_times.json")
    write_notebooks(project.notebooks, sources)
    from dataclasses import replace

    series = (*SERIES[:2], replace(SERIES[2], needs=("01",)))
    assert project.run(series=series) == 0
    times = [json.loads(p.read_text()) for p in project.results.glob("stages/0*_times.json")]
    (_, first_end), (second_begin, _) = sorted(times)
    assert (second_begin > first_end) == large


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up there")
def test_surroundings_of_the_user_do_not_reach_a_notebook(project, monkeypatch):  # noqa: F811
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    facts = "[os.environ.get(n) for n in ('PYTHONWARNINGS', 'OMP_NUM_THREADS', 'PYTHONHASHSEED')]"
    sources = SOURCES | {"01": SOURCES["01"].replace('"in", results', facts)}
    write_notebooks(project.notebooks, sources)
    assert project.run() == 0
    executed = (project.results / "notebooks" / "01_numbers.ipynb").read_text()
    assert "[None, '1', '0']" in executed
