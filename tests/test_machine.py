"""What a machine lacks is left out, counted, and told in one sentence."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NEEDY = """
import pytest

@pytest.fixture
def browser():
    raise AssertionError("there is none")

@pytest.fixture
def spark():
    raise AssertionError("there is none")

@pytest.mark.parametrize("page", range(3))
def test_page(browser, page):
    pass

def test_cluster(spark):
    pass

@pytest.mark.skipif(True, reason="needs an ordinary user, not root")
def test_rights():
    pass

def test_fits():
    pass
"""


def outcome(folder, *arguments):
    """Run a few tests under this project's conftest, with no program but Python at hand."""
    for name in ("conftest.py", "machine.py"):
        shutil.copy(HERE / name, folder)
    shutil.copy(HERE.parent / "pyproject.toml", folder)
    (folder / "test_needy.py").write_text(NEEDY)
    environ = os.environ | {"PATH": str(folder), "PYTHONPATH": str(HERE.parent / "notebooks")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=folder)
    return done.returncode, done.stdout


def test_what_is_not_here_is_left_out_and_counted(tmp_path):
    code, said = outcome(tmp_path)
    assert code == 0 and "1 passed, 5 skipped" in said
    sentence = (
        "5 left out: 3 need a browser (Chromium), 1 needs PySpark and Java,"
        " 1 needs an ordinary user, not root."
    )
    assert sentence in said.splitlines()


def test_what_needs_a_browser_can_be_chosen(tmp_path):
    code, said = outcome(tmp_path, "-m", "browser")
    assert code == 0 and "3 skipped, 3 deselected" in said
