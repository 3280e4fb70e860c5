"""Results appear whole or not at all.

A run assembles its results in a hidden folder beside the published ones, on the same file system,
and changes places with them in one step at the end. What a stopped run has finished stays there,
and the next run goes on from it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from customer_tables.errors import UserError
from runner import RunFailed, records
from runner.locking import Held, lock
from segmentation.stages import Stage

DISK_FULL = (
    "The disk is full; earlier results are as they were.\n"
    "Make space and start again: finished notebooks are kept."
)
LOCK = "lock"
# Written anew by every run, from what the stages left.
MADE_LAST = ("index.html", "metrics.json", "manifest.json")


class Workplace:
    """Where one run into a results folder works, and what it replaces."""

    def __init__(self, results: Path) -> None:
        self.results = results  # as published
        self.folder = results.with_name(f".{results.name}.run")  # hidden, beside them
        self.tree = self.folder / "tree"  # the results being assembled
        self.log = self.folder / "run.log"
        self.private = self.folder / "private"
        self._previous = self.folder / "previous"

    def recover(self) -> None:
        """Finish what a killed publication left half done."""
        if self._previous.exists():
            if self.results.exists():
                shutil.rmtree(self._previous)
            else:
                self._previous.rename(self.results)

    def open(self, series: tuple[Stage, ...]) -> None:
        """Make the tree: what a stopped run left in it, or a copy of the published results.

        What the user has put beside the files of `series` since the tree was made comes along.
        """
        shutil.rmtree(self.private, ignore_errors=True)
        self.private.mkdir()
        if self.tree.exists():
            ours = {path for stage in series for path in records.files_of(self.results, stage)}
            ours |= {self.results / name for name in MADE_LAST}
            ours |= {self.results / "notebooks" / f"{stage.name}.html" for stage in series}
            stamped = self.results / records.FOLDER
            for path in set(self.results.rglob("*")) - ours:
                target = self.tree / path.relative_to(self.results)
                if path.is_file() and stamped not in path.parents:
                    if not target.exists() or target.stat().st_mtime < path.stat().st_mtime:
                        _copy(path, target)
            return
        seed = self.folder / "seed"  # a copy that was stopped is no tree
        shutil.rmtree(seed, ignore_errors=True)
        seed.mkdir()
        if self.results.exists():
            for path in (self.results, *self.results.rglob("*")):
                _copy(path, seed / path.relative_to(self.results))
        seed.rename(self.tree)

    def restore(self, stage: Stage, key: str) -> bool:
        """Bring a finished stage into the tree, from there or from the published results.

        Returns whether the stage is up to date now.
        """
        if records.is_current(self.tree, stage, key):
            return True
        stamp = records.read_stamp(self.results, stage)
        if stamp is None or not records.is_current(self.results, stage, key):
            return False
        records.remove(self.tree, stage)
        for path in records.files_of(self.results, stage):
            _copy(path, self.tree / path.relative_to(self.results))
        records.write_stamp(self.tree, stage, stamp)
        return True

    def publish(self) -> None:
        """Put the tree in the place of the published results, in one step where possible.

        Raises RunFailed if the system refuses; the published results are as they were.
        """
        try:
            if not self.results.exists():
                self.tree.rename(self.results)
            elif not _exchange(self.tree, self.results):
                self.results.rename(self._previous)
                try:
                    self.tree.rename(self.results)
                except OSError:
                    self._previous.rename(self.results)
                    raise
        except OSError as error:
            raise RunFailed(
                f"The new results are ready but cannot be put in place: {error.strerror}.\n"
                f"Close what uses {self.results} and start again; nothing is computed twice."
            ) from None

    def clear(self) -> None:
        """Remove the hidden folder; the lock last, because who waits for it begins at once."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != LOCK:
                with contextlib.suppress(OSError):
                    path.unlink()
        with contextlib.suppress(OSError):
            (self.folder / LOCK).unlink()
            self.folder.rmdir()


@contextlib.contextmanager
def claim(results: Path, *, wait: bool = False) -> Iterator[Workplace]:
    """Hold the results folder for one run.

    Raises UserError if another run holds it, or nothing can be written there.
    """
    place = Workplace(results)
    try:
        results.parent.mkdir(parents=True, exist_ok=True)
        with lock(place.folder / LOCK, wait=wait):
            place.recover()
            yield place
    except Held as held:
        raise UserError(
            f"another run (process {held.pid}, since {held.since}) writes these results",
            where=str(results),
            remedy="let it finish, add --wait, or choose another folder with --results",
        ) from None
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise UserError(
                f"nothing can be written there: {error.strerror}",
                where=str(results.parent),
                remedy="give yourself write access, or choose another folder with --results",
            ) from None
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RunFailed(DISK_FULL) from None
        raise RunFailed(f"The system refused: {error}.") from None


def _copy(path: Path, target: Path) -> None:
    """Copy a file, a link as such, or a folder without its content; rights stay."""
    if path.is_dir() and not path.is_symlink():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copystat(path, target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target, follow_symlinks=False)


def _exchange(first: Path, second: Path) -> bool:
    """Let two folders change names in one step; False where the system cannot."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
            done = library.renameat2(here, os.fsencode(first), here, os.fsencode(second), swap)
        elif sys.platform == "darwin":
            done = library.renamex_np(os.fsencode(first), os.fsencode(second), 2)  # RENAME_SWAP
        else:
            return False
    except (AttributeError, OSError, TypeError):
        return False
    return done == 0
