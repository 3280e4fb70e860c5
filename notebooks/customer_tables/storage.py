"""Files that are written whole or not at all, JSON that is valid everywhere, and checksums.

Needs the standard library only until something that is no plain value has to become one.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_atomically(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file so that readers see the old or the new content, never a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The process is in the name, as notebooks may run side by side.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with open(os.open(partial, flags, mode), "wb") as file:
        file.write(content)
    os.replace(partial, path)


def write_private(path: Path, content: bytes) -> None:
    """Write a file about single customers: readable by its owner only, where the system can."""
    write_atomically(path, content, mode=0o600)


def write_json(path: Path, content: Any, *, private: bool = False) -> None:
    """Write a JSON document, for its owner only where it is private."""
    (write_private if private else write_atomically)(path, json_text(content).encode())


def json_text(content: Any) -> str:
    """Return JSON that is valid everywhere (no NaN) and the same for the same content."""
    return json.dumps(to_plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_plain(value: Any) -> Any:
    """Turn values, also of numpy and pandas, into what JSON knows; not finite becomes None."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): to_plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [to_plain(entry) for entry in value]
    if hasattr(value, "tolist"):  # numpy's and pandas' arrays, and numpy's scalars
        return to_plain(value.tolist())
    import pandas as pd

    return None if pd.isna(value) else value


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def checksum(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a document without its own checksum."""
    kept = {key: value for key, value in content.items() if key != "checksum"}
    return text_digest(json.dumps(kept, sort_keys=True, ensure_ascii=False, allow_nan=False))
