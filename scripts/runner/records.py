"""What a run writes down about itself: a stamp for each stage, and manifest.json for the whole.

A stamp holds a key, the hash of everything a stage's result depends on, and the hash of each file
that the stage wrote. It is written last. A stage counts as done if the key still is what it would
be now and every file is there, unchanged.

The manifest says what ran, on what, with which settings and versions, and what came out.
"""

from __future__ import annotations

import csv
import importlib.metadata
import json
import platform
import re
import subprocess
import tomllib
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from customer_tables.storage import file_digest, write_json
from customer_tables.text import joined, printable
from runner import ROOT
from segmentation.stages import Stage

FORMAT = 1  # of keys and stamps: another number makes every stage run again
SCHEMA = 1  # of the manifest
FOLDER = ".stamps"
MOST_NAMED = 8  # columns in one list
LONGEST = 40  # letters of a column's name


@dataclass(frozen=True)
class Stamp:
    """What is known about a stage that ran."""

    key: str
    outputs: dict[str, str] = field(default_factory=dict)  # SHA-256 by path in the results folder
    started: str = ""
    seconds: float = 0.0
    cells: list[float] = field(default_factory=list)  # seconds of each code cell
    peak_memory: int | None = None  # in bytes
    page: str = ""  # the key of the page made from the executed notebook, once it is made


def read_stamp(tree: Path, stage: Stage) -> Stamp | None:
    """Return a stage's stamp, or None where there is none that can be read."""
    try:
        return Stamp(**json.loads(_path(tree, stage).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_stamp(tree: Path, stage: Stage, stamp: Stamp) -> None:
    """Write a stage's stamp."""
    write_json(_path(tree, stage), asdict(stamp))


def remove(tree: Path, stage: Stage) -> None:
    """Remove a stage's stamp and all files that belong to the stage."""
    _path(tree, stage).unlink(missing_ok=True)
    for path in files_of(tree, stage):
        path.unlink()
    (tree / "notebooks" / f"{stage.name}.html").unlink(missing_ok=True)


def _path(tree: Path, stage: Stage) -> Path:
    return tree / FOLDER / f"{stage.number}.json"


def files_of(tree: Path, stage: Stage) -> list[Path]:
    """Return the files in a results folder that a stage has written; its page is made later."""
    found = [
        path
        for folder in ("stages", "figures", "tables", "notebooks")
        for path in (tree / folder).glob(f"{stage.number}_*")
        if not (folder == "notebooks" and path.suffix == ".html")
    ]
    for name in stage.also:
        path = tree / name
        found += path.rglob("*") if path.is_dir() else [path]
    return sorted(path for path in found if path.is_file())


def hashes(tree: Path, stage: Stage) -> dict[str, str]:
    """Return the SHA-256 of each file of a stage, by its path in the results folder."""
    return {path.relative_to(tree).as_posix(): file_digest(path) for path in files_of(tree, stage)}


def is_current(tree: Path, stage: Stage, key: str) -> bool:
    """Whether a stage's files in a results folder are those that a run would make now."""
    stamp = read_stamp(tree, stage)
    return stamp is not None and stamp.key == key and stamp.outputs == hashes(tree, stage)


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that the project names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = {"python": platform.python_version()}
    for requirement in project["dependencies"]:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


# --- the manifest -------------------------------------------------------------------------------


def git_state() -> dict[str, Any] | None:
    """Return the commit that is checked out and whether files differ from it, if git is there."""

    def git(*words: str) -> str:
        command, quiet = ["git", "-C", str(ROOT), *words], subprocess.DEVNULL
        done = subprocess.run(
            command, capture_output=True, check=True, text=True, timeout=20, stdin=quiet
        )
        return done.stdout.strip()

    try:
        changes = git("status", "--porcelain", "--untracked-files=no")
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(changes)}
    except (OSError, subprocess.SubprocessError):
        return None


def write_manifest(tree: Path, run: dict[str, Any], *, finished: str) -> None:
    """Write manifest.json, as the last file of a run; it lists all others but the stamps."""
    outputs = {
        path.relative_to(tree).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": file_digest(path),
        }
        for path in sorted(tree.rglob("*"))
        if path.is_file()
        and path != tree / "manifest.json"
        and FOLDER not in path.relative_to(tree).parts
    }
    write_json(tree / "manifest.json", {**run, "finished": finished, "outputs": outputs})


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return a results folder's manifest, or None where there is none that can be read."""
    try:
        content = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("schema") == SCHEMA else None


# --- what became of the columns of the files -----------------------------------------------------


def columns_by_use(results: Path) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """Return the columns of the files by what they were taken for, and those left out, and why."""
    rows = read_rows(results / "tables" / "01_columns.csv")
    uses = [(printable(row["column"], LONGEST), row["use"]) for row in rows]
    parts: dict[str, list[str]] = {}
    for column, use in uses:
        if not use.startswith("left out"):
            parts.setdefault(use.rpartition("): ")[2], []).append(column)
    if "segments" in parts:
        parts.setdefault("tells customers apart", ["no column"])
    return parts, [(column, use) for column, use in uses if use.startswith("left out")]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table that a run wrote; none where it did not."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def some_of(names: list[str]) -> str:
    """Name the first of many, and say how many more there are."""
    more = len(names) - MOST_NAMED
    return joined(names[:MOST_NAMED] + [f"{more} more"] * (more > 0))
