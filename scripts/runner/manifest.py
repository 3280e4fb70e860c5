"""manifest.json: what ran, on what, with which settings and versions, and what came out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from customer_tables.storage import file_digest, write_json
from runner import stamps

SCHEMA = 1


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
    write_json(tree / "manifest.json", content)


def read(folder: Path) -> dict[str, Any] | None:
    """Return a results folder's manifest, or None where there is none that can be read."""
    try:
        content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("schema") == SCHEMA else None
