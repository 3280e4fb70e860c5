"""Where Spark reads and writes: paths of this machine, or URLs of any storage."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from customer_tables.errors import UserError


def is_url(place: str) -> bool:
    """Whether a place names its storage itself, as in s3a://bucket/folder."""
    return "://" in place


def readable(place: str) -> str:
    """Return a place as Spark reads it; a path is one of this machine, whatever the cluster's."""
    return place if is_url(place) else f"file://{Path(place).absolute().as_posix()}"


@contextmanager
def new_folder(place: str) -> Iterator[str]:
    """Give a place to write a folder to; on this machine it appears as a whole or not at all.

    Other storage is left to Spark, which puts a file _SUCCESS into a folder that is complete.

    Raises
    ------
    UserError
        If something is there already, or nothing can be written there.
    """
    if is_url(place):
        yield place
        return
    path = Path(place).absolute()
    if path.exists():
        raise UserError(
            "the output is there already",
            where=f"--output {place}",
            remedy="choose a new folder, or delete this one",
        )
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise UserError(
            "nothing can be written there",
            where=f"--output {place}",
            remedy="choose a folder inside one that exists and is yours",
        )
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield readable(str(partial))
        if not (partial / "_SUCCESS").is_file():
            raise UserError(
                "the workers do not write to this machine's disk",
                where=f"--output {place}",
                remedy="give a URL of a storage that all of them reach, such as hdfs:// or s3a://",
            )
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
