"""A lock for one process at a time, released by the system if its holder dies."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path


class Held(Exception):
    """Another process holds the lock: its id, as far as known, and since when, in local time."""

    def __init__(self, pid: int | None, since: str) -> None:
        super().__init__(f"held by process {pid} since {since}")
        self.pid, self.since = pid, since


@contextlib.contextmanager
def lock(
    path: Path, *, wait: bool = False, tell: Callable[[Held], None] = lambda held: None
) -> Iterator[None]:
    """Hold the lock file at `path`, made if absent and left in place, for the time of the block.

    The lock belongs to the open file, so one left behind by a killed process is free at once;
    the text in the file is for people only.

    Parameters
    ----------
    path : pathlib.Path
    wait : bool
        Whether to wait for another holder to finish.
    tell : callable
        Gets the holder once, before the waiting begins.

    Raises Held if another process holds it and `wait` is false.
    """
    descriptor = _open_locked(path)
    if descriptor is None:
        held = _holder(path)
        if not wait:
            raise held
        tell(held)
    while descriptor is None:
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
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        # The last holder has just removed the file: its name locks nothing any more.
        os.close(descriptor)


def _holder(path: Path) -> Held:
    try:
        return Held(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Held(None, "just now")


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        # Windows locks bytes, not files: one beyond the text, so that others can still read it.
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
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
