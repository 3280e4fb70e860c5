"""A series of three tiny notebooks, and runs of it: for tests of everything around notebooks."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import types
from pathlib import Path

import psutil
import pytest

from runner import command
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

    def __init__(self, folder, finished=None):
        self.folder = folder
        self.notebooks = folder / "notebooks"
        self.results = folder / "results" / "mine"
        if finished is None:
            write_notebooks(self.notebooks)
        else:
            shutil.copytree(finished.folder, folder, dirs_exist_ok=True)

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
            "from pathlib import Path\nfrom runner import command\nfrom toy_series import SERIES\n"
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
    return Project(tmp_path, finished)


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


# What a run does not write alike twice: when it ran and how long it took.
TIMES = ("manifest.json", "index.html", ".stamps/01.json", ".stamps/02.json", ".stamps/03.json")


def without_times(snapshot):
    return {name: value for name, value in snapshot.items() if name not in TIMES}


def broken(results):
    """Return the files of published results that are not those that their manifest lists."""
    record = json.loads((results / "manifest.json").read_text())
    found = {
        path.relative_to(results).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in results.rglob("*")
        if path.is_file() and ".stamps" not in path.parts and path.name != "manifest.json"
    }
    listed = {name: entry["sha256"] for name, entry in record["outputs"].items()}
    return sorted(name for name in found | listed if found.get(name) != listed.get(name))
