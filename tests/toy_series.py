"""A series of three tiny notebooks, and runs of it: for tests of everything around notebooks.

As a program, with the folder of the notebooks and the arguments of run.py, it runs them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

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
        import json, os, pathlib, time
        results = pathlib.Path(results_dir)
        for name in ("stages", "tables", "campaigns"):
            (results / name).mkdir(exist_ok=True)

        class UserError(ValueError):
            pass

        row = bytes.fromhex("616c696365").decode()  # what no log may hold
        if trouble == "error":
            raise ValueError("a bad number")
        if trouble == "row":
            float(row)
        if trouble == "disk":
            raise OSError(28, "No space left on device", row)
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
        from beside import TIMES
        results = pathlib.Path(results_dir)
        number = json.loads((results / "stages" / "01_number.json").read_text())
        if wait:
            print(bytes.fromhex("616c696365").decode())
            (results / "begun").write_text("")
            time.sleep(120)
        twice = TIMES * number % 10
        (results / "tables" / "02_twice.csv").write_text(f"twice\\n{twice}\\n")
        (results / "stages" / "02_twice.json").write_text(json.dumps(twice))
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
ROW = "alice"  # what 01 quotes in an error, and 02 prints before it waits
# What a run writes about itself, and, with the start page, not alike twice.
OF_THE_RUN = ("manifest.json", ".stamps/")


class Project:
    """Three notebooks, a results folder, and the command that runs them."""

    def __init__(self, folder, finished=None):
        self.folder = folder
        self.notebooks = folder / "notebooks"
        self.results = folder / "results" / "mine"
        self.tree = folder / "results" / ".mine.run" / "tree"
        if finished is None:
            self.write()
        else:
            shutil.copytree(finished.folder, folder, dirs_exist_ok=True)

    def write(self, **changed):
        """Write the notebooks, some of them with other sources: ``write(_02="...")``."""
        self.notebooks.mkdir(exist_ok=True)
        (self.notebooks / "beside.py").write_text("TIMES = 2\n")
        for stage in SERIES:
            source = changed.get(f"_{stage.number}", SOURCES[stage.number])
            cells = textwrap.dedent(source).strip().split("\n---\n")
            cells[0] = PARAMETERS + cells[0]
            notebook = new_notebook(
                cells=[new_code_cell(cell, id=f"cell-{i}") for i, cell in enumerate(cells)],
                metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            )
            notebook.cells[0].metadata["tags"] = ["parameters"]
            nbformat.write(notebook, self.notebooks / stage.file)

    def run(self, *argv, series=SERIES):
        arguments = ["--results", str(self.results), *argv]
        return command.main(Path("run.py"), arguments, series=series, notebooks=self.notebooks)

    def start(self, *argv):
        """Start a run in a process of its own."""
        words = [__file__, self.notebooks, "--results", self.results, *argv]
        paths = os.pathsep.join(str(ROOT / name) for name in ("scripts", "notebooks"))
        return subprocess.Popen(
            [sys.executable, *map(str, words)],
            env=os.environ | {"PYTHONPATH": paths},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run_apart(self, *argv):
        """Run in a process of its own, and return what it says at its good end."""
        process = self.start(*argv)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return said

    def read(self, name):
        return (self.results / name).read_text()

    def snapshot(self, times=True):
        """Return a hash of every published file, stamps included; or without what tells times."""
        names = (p.relative_to(self.results).as_posix() for p in self.results.rglob("*.*"))
        telling = () if times else (*OF_THE_RUN, "index.html")
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name in names
            if (path := self.results / name).is_file() and not name.startswith(telling)
        }

    def broken(self):
        """Return the published files that are not those that their manifest lists."""
        outputs = json.loads(self.read("manifest.json"))["outputs"]
        listed = {(name, entry["sha256"]) for name, entry in outputs.items()}
        found = {(n, h) for n, h in self.snapshot().items() if not n.startswith(OF_THE_RUN)}
        return sorted(name for name, _ in found ^ listed)

    def quoting(self):
        """Return the files of an unfinished run that hold what a notebook read of a customer."""
        folder = self.tree.parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700 or os.name == "nt"
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert files
        return [path for path in files if ROW.encode() in path.read_bytes()]

    def processes(self):
        """Return the processes that work in the folder of the notebooks."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.cwd() == str(self.notebooks) and process.status() != "zombie":
                    found.append(process)
        return found


@pytest.fixture
def project(tmp_path):
    """Return a project; runs of it in this process do not change its signals."""
    handlers = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    yield Project(tmp_path)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Return a project that has run once; tests copy what they change."""
    project = Project(tmp_path_factory.mktemp("finished"))
    project.said = project.run_apart()
    return project


@pytest.fixture
def done(project, finished):
    """Return a project of its own whose results are up to date."""
    return Project(project.folder, finished)


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def words(capsys):
    """Return what each stage's line says, by its number."""
    out = capsys.readouterr().out
    return {line[:2]: line.split(" … ")[1] for line in out.splitlines() if " … " in line}


if __name__ == "__main__":
    given, notebooks = sys.argv[2:], Path(sys.argv[1])
    sys.exit(command.main(Path(__file__), given, series=SERIES, notebooks=notebooks))
