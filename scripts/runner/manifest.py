"""manifest.json: what ran, on what, with which settings and versions, and what came out."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from customer_tables.storage import file_digest
from runner import stamps
from runner.environment import ROOT
from runner.inputs import Source

SCHEMA = 1


def describe(
    source: Source,
    inputs: dict[str, list[tuple[str, str]]],
    *,
    settings: dict[str, Any],
    parameters: dict[str, dict[str, Any]],
    quick: bool,
    stages: list[dict[str, Any]],
    started: str,
) -> dict[str, Any]:
    """Return the record of a run, without its outputs.

    Parameters
    ----------
    source : Source
    inputs : dict
        By part in the run, name and SHA-256 of each file. No paths: they tell about the user's
        machine, and the hash says which file it was.
    settings : dict
        What the user has set.
    parameters : dict
        By stage number, all parameters with their values.
    quick : bool
    stages : list of dict
        One record a stage, in order.
    started : str
        When the run began.
    """
    seeds = {values["seed"] for values in parameters.values() if "seed" in values}
    return {
        "schema": SCHEMA,
        "dataset": source.name,
        "inputs": [
            {"part": part, "name": name, "sha256": value}
            for part, files in inputs.items()
            for name, value in files
        ],
        "given": {
            "input": source.table.name if source.table else None,
            "demographics": source.demographics.name if source.demographics else None,
        },
        "quick": quick,
        "settings": settings,
        "parameters": parameters,
        "seed": seeds.pop() if len(seeds) == 1 else sorted(seeds) or None,
        "started": started,
        "stages": stages,
        "versions": stamps.versions(),
        "requirements_sha256": file_digest(ROOT / "requirements.txt"),
        "git": git_state(ROOT),
        "platform": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "cores": os.cpu_count(),
        },
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return the commit that is checked out and whether files differ from it, if git is there."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit.strip(), "dirty": bool(changes.strip())}


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        check=True,
        text=True,
        timeout=20,
        stdin=subprocess.DEVNULL,
    ).stdout


def outputs_of(tree: Path) -> dict[str, dict[str, Any]]:
    """Return size and SHA-256 of every file of a results folder, without the manifest itself."""
    paths = sorted(
        path
        for path in tree.rglob("*")
        if path.is_file()
        and path != tree / "manifest.json"
        and stamps.FOLDER not in path.relative_to(tree).parts
    )
    return {
        path.relative_to(tree).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": file_digest(path),
        }
        for path in paths
    }


def write(tree: Path, run: dict[str, Any], *, finished: str) -> None:
    """Write manifest.json, as the last file of a run."""
    content = {**run, "finished": finished, "outputs": outputs_of(tree)}
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=str)
    (tree / "manifest.json").write_text(text + "\n", encoding="utf-8")


def read(folder: Path) -> dict[str, Any] | None:
    """Return a results folder's manifest, or None where there is none that can be read."""
    try:
        content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("schema") == SCHEMA else None
