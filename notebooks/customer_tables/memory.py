"""Whether a table fits into memory, or on disk, judged by its file before it is read."""

from __future__ import annotations

import os
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir

from customer_tables.errors import UserError

# Peak memory of reading, cleaning and segmenting over the size of the unpacked file. Measured on
# CSV files of 18 columns: reading alone takes 7 times the file.
FACTOR = 10
SPACE = 3  # temporary files over the unpacked file: it, its lines, and baskets that do not fit
SMALL = 50_000_000  # bytes unpacked; below, nothing is asked
SURELY_SMALL = 4_000_000  # bytes packed by gzip that hold less than 4 GB
BEST = 1032  # how many times smaller gzip makes a file at best
# Where a container's limit and use are found, by the kernel's second and first version of it.
CONTAINER = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def require_memory(path: Path) -> None:
    """Refuse a table that this machine cannot hold, with the arithmetic (`UserError`)."""
    size = unpacked_size(path)
    free = free_memory() if size > SMALL else None
    if free is None or size * FACTOR <= free:
        return
    part = free / (size * FACTOR)
    raise UserError(
        f"the table is too large for this machine: {size / 1e9:,.1f} GB unpacked, times {FACTOR} "
        f"to work on it, is {size * FACTOR / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free",
        where=path.name,
        remedy=f"take a random sample of about {0.9 * part:.0%} of the customers, close other "
        "programs, or use a machine with more memory",
    )


def require_space(path: Path) -> None:
    """Refuse transaction lines that this machine has no space to sort, with the arithmetic."""
    size, free = unpacked_size(path), shutil.disk_usage(gettempdir()).free
    if size > SMALL and size * SPACE > free:
        raise UserError(
            f"the purchases are too large for this machine: {size / 1e9:,.1f} GB unpacked, times "
            f"{SPACE} to sort them, is {size * SPACE / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are "
            "free for temporary files",
            where=path.name,
            remedy="make space, set TMPDIR to a folder on a larger disk, or aggregate purchases "
            "by year or region",
        )


def unpacked_size(path: Path) -> int:
    """Return the size of a file's content in bytes, unpacked where it is packed; 0 of none."""
    size = path.stat().st_size if path.is_file() else 0
    with suppress(OSError, zipfile.BadZipFile), path.open("rb") as file:
        start = file.read(4)
        if start[:2] == b"\x1f\x8b":
            file.seek(-4, os.SEEK_END)
            told = int.from_bytes(file.read(4), "little")  # of the last part, modulo 4 GB
            while told < size and size > SURELY_SMALL:
                told += 1 << 32
            return min(told, BEST * size)  # of a damaged file it is any number
        if start[:2] == b"PK":
            with zipfile.ZipFile(path) as packed:
                return sum(entry.file_size for entry in packed.infolist())
    if size > SMALL // 20 and start == b"PAR1":
        import pyarrow.parquet

        with suppress(Exception):  # damaged: the reader says what is wrong
            about = pyarrow.parquet.read_metadata(path)
            groups = (about.row_group(i) for i in range(about.num_row_groups))
            return sum(group.total_byte_size for group in groups)
    return size


def free_memory() -> int | None:
    """Return the bytes that this process may still take; None where the system does not tell."""
    limits = []
    with suppress(ImportError, OSError):
        import psutil

        limits.append(psutil.virtual_memory().available)
    for limit, used in CONTAINER:
        with suppress(OSError, ValueError):  # "max" is no limit
            limits.append(int(Path(limit).read_text()) - int(Path(used).read_text()))
    return max(0, min(limits)) if limits else None
