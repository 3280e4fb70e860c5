"""Code and notebooks keep to the linter's and the formatter's rules, as pyproject.toml has them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {"check": ["check"], "format": ["format", "--check"]}


def ruff(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess:
    """Run the environment's own ruff, without leaving a cache behind."""
    command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_style(command):
    done = ruff(*command)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_ruff_sees_bad_style(tmp_path, command):
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "bad.py").write_text("import os\nx = {  'a':1 }\n")
    done = ruff(*command, folder=tmp_path)
    assert done.returncode == 1
    assert "bad.py" in done.stdout
