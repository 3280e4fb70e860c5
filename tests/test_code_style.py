"""Code and notebooks keep to the linter, the formatter and their type hints."""

import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = (
    "ruff check .",
    "ruff format --check .",
    "mypy",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_style(command):
    words = [sys.executable, "-m", *command.split()]
    done = subprocess.run(words, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
