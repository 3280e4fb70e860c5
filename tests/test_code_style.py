"""Code and notebooks keep to the linter's and the formatter's rules, as pyproject.toml has them."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_style(command):
    words = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
    done = subprocess.run(words, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
