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
from runner import stamps
from runner.errors import DISK_FULL, RunFailed
from runner.locking import Held, lock
from segmentation.stages import Stage

LOCK = "lock"
# Written anew by every run, from what the stages left.
MADE_LAST = ("index.html", "metrics.json", "manifest.json")


class Workplace:
    """Where one run into a results folder works, and what it replaces.

    Attributes
    ----------
    results : pathlib.Path
        The published results.
    folder : pathlib.Path
        The hidden folder beside them.
    tree : pathlib.Path
        The results being assembled.
    log : pathlib.Path
    """

    def __init__(self, results: Path) -> None:
        self.results = results
        self.folder = results.with_name(f".{results.name}.run")
        self.tree = self.folder / "tree"
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

        Parameters
        ----------
        series : tuple of Stage
            The stages, to tell their files from those that the user has put beside them.
        """
        shutil.rmtree(self.private, ignore_errors=True)
        self.private.mkdir()
        if self.tree.exists():
            self._fetch_own_files(series)
        elif self.results.exists():
            seed = self.folder / "seed"
            shutil.rmtree(seed, ignore_errors=True)
            _copy_tree(self.results, seed)
            seed.rename(self.tree)
        else:
            self.tree.mkdir()

    def _fetch_own_files(self, series: tuple[Stage, ...]) -> None:
        """Bring what the user has put into the published results since the tree was made."""
        if not self.results.exists():
            return
        ours = {path for stage in series for path in stamps.files_of(self.results, stage)}
        ours |= {self.results / name for name in MADE_LAST}
        ours |= {self.results / "notebooks" / f"{stage.name}.html" for stage in series}
        for path in self.results.rglob("*"):
            place = path.relative_to(self.results)
            if path in ours or place.parts[0] == stamps.FOLDER or not path.is_file():
                continue
            target = self.tree / place
            if not target.exists() or target.stat().st_mtime < path.stat().st_mtime:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)

    def restore(self, stage: Stage, key: str) -> bool:
        """Bring a finished stage into the tree, from there or from the published results.

        Returns
        -------
        bool
            Whether the stage is up to date now.
        """
        if stamps.is_current(self.tree, stage, key):
            return True
        if not stamps.is_current(self.results, stage, key):
            return False
        stamps.remove(self.tree, stage)
        for path in stamps.files_of(self.results, stage):
            target = self.tree / path.relative_to(self.results)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        stamps.write(self.tree, stage, stamps.Stamp(**vars(stamps.read(self.results, stage))))
        return True

    def publish(self) -> None:
        """Put the tree in the place of the published results, in one step where possible.

        Raises
        ------
        RunFailed
            If the system refuses; the published results are as they were.
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

    Raises
    ------
    UserError
        If another run holds it, or nothing can be written there.
    """
    place = Workplace(results)
    try:
        results.parent.mkdir(parents=True, exist_ok=True)
        holding = lock(place.folder / LOCK, wait=wait)
        with holding:
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


def _copy_tree(source: Path, target: Path) -> None:
    """Copy a folder, and stop at the first file that cannot be copied with the system's reason."""
    reasons: list[OSError] = []

    def copy(*paths: str) -> None:
        try:
            shutil.copy2(*paths, follow_symlinks=False)
        except OSError as error:
            reasons.append(error)
            raise

    try:
        shutil.copytree(source, target, symlinks=True, copy_function=copy)
    except shutil.Error:  # a list of texts, from which nobody can tell a full disk
        raise reasons[0] if reasons else OSError("a folder cannot be copied") from None


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
