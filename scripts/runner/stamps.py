"""Whether a stage is up to date: what it was made from, and the bytes that it wrote.

A stamp holds a key, the hash of everything a stage's result depends on, and the hash of each file
that the stage wrote. It is written last. A stage counts as done if the key still is what it would
be now and every file is there, unchanged.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import tomllib
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from customer_tables.storage import file_digest, write_json
from segmentation.stages import Stage

FORMAT = 1  # of keys and stamps: another number makes every stage run again
FOLDER = ".stamps"


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


def read(tree: Path, stage: Stage) -> Stamp | None:
    """Return a stage's stamp, or None where there is none that can be read."""
    try:
        return Stamp(**json.loads(_path(tree, stage).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write(tree: Path, stage: Stage, stamp: Stamp) -> None:
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
    stamp = read(tree, stage)
    return stamp is not None and stamp.key == key and stamp.outputs == hashes(tree, stage)


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that the project names."""
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    named = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    found = {"python": platform.python_version()}
    for requirement in named:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
