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

    def git(*words: str) -> str:
        command, quiet = ["git", "-C", str(folder), *words], subprocess.DEVNULL
        done = subprocess.run(
            command, capture_output=True, check=True, text=True, timeout=20, stdin=quiet
        )
        return done.stdout.strip()

    try:
        changes = git("status", "--porcelain", "--untracked-files=no")
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(changes)}
    except (OSError, subprocess.SubprocessError):
        return None


def write(tree: Path, run: dict[str, Any], *, finished: str) -> None:
    """Write manifest.json, as the last file of a run; it lists all others but the stamps."""
    outputs = {
        path.relative_to(tree).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": file_digest(path),
        }
        for path in sorted(tree.rglob("*"))
        if path.is_file()
        and path != tree / "manifest.json"
        and stamps.FOLDER not in path.relative_to(tree).parts
    }
    write_json(tree / "manifest.json", {**run, "finished": finished, "outputs": outputs})


def read(folder: Path) -> dict[str, Any] | None:
    """Return a results folder's manifest, or None where there is none that can be read."""
    try:
        content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("schema") == SCHEMA else None
