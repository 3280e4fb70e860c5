"""One process at a time: a lock that the system takes back when its holder dies."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# Windows locks bytes, not files: this one lies beyond the text, so that others can still read it.
_LOCKED_BYTE = 1 << 20


class Held(Exception):
    """Another process holds the lock.

    Attributes
    ----------
    pid : int or None
        Its process id, as far as known.
    since : str
        When it took the lock, in local time.
    """

    def __init__(self, pid: int | None, since: str) -> None:
        super().__init__(f"held by process {pid} since {since}")
        self.pid, self.since = pid, since


@contextlib.contextmanager
def lock(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock file at `path` for the time of the block.

    The lock belongs to the open file, so one left behind by a killed process is free at once;
    the text in the file is for people only.

    Parameters
    ----------
    path : pathlib.Path
        The lock file; made if absent, its folder too, and left in place.
    wait : bool
        Whether to wait for another holder to finish.

    Raises
    ------
    Held
        If another process holds it and `wait` is false.
    """
    descriptor = _open_locked(path)
    while descriptor is None:
        if not wait:
            raise _held(path)
        time.sleep(0.2)
        descriptor = _open_locked(path)
    try:
        os.ftruncate(descriptor, 0)
        holder = {"pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        os.write(descriptor, json.dumps(holder).encode())
        yield
    finally:
        os.close(descriptor)


def _open_locked(path: Path) -> int | None:
    """Open the file and lock it; None if another process holds it."""
    while True:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except (FileNotFoundError, FileExistsError):
            if path.parent.exists() and not path.parent.is_dir():
                raise
            continue  # the last holder has just removed the folder
        if not _try_lock(descriptor):
            os.close(descriptor)
            return None
        if _same(descriptor, path):
            return descriptor
        # The last holder has just removed the file: its name locks nothing any more.
        os.close(descriptor)


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _held(path: Path) -> Held:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return Held(int(holder["pid"]), str(holder["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Held(None, "just now")


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
