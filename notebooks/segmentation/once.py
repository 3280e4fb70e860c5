"""Compute once: results kept under the hash of what they depend on, for a later run to take.

Arguments and results are arrays, tables, plain values and the dataclasses of this package, also
inside dictionaries, lists and tuples. A file is numpy's, without objects, and ends with a seal: the
hash of the call and of what the file holds.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import platform
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from customer_tables.storage import file_digest, write_private

_CODE = Path(__file__).resolve().parents[1]
_PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "fastcluster", "tensorflow", "keras")
_SEAL = 32  # bytes


def once(path: Path, function: Callable, /, *given: Any, **settings: Any) -> Any:
    """Return what a function of this package returns, from the file of an equal call if it is one.

    Otherwise, and where the file is damaged, the file is replaced. Both ways the value is made of
    the same bytes.
    """
    name = f"{function.__module__}.{function.__qualname__}"
    if not _is_ours(name) or "<" in name:
        raise TypeError(f"{name} is not a named function of the package")
    call = json.dumps([_surroundings(), name, _packed([given, settings], _digest)]).encode()
    content = path.read_bytes() if path.is_file() else b""
    if content[-_SEAL:] != sha256(call + content[:-_SEAL]).digest():
        content = _file(function(*given, **settings))
        content += sha256(call + content).digest()
        write_private(path, content)
    text, *arrays = np.load(io.BytesIO(content)).values()
    return _unpacked(json.loads(bytes(text)), arrays)


def _file(value: Any) -> bytes:
    """Write a value as arrays, the first of them the text that says how they belong together."""
    arrays: dict[int, np.ndarray] = {}

    def keep(array: np.ndarray) -> int:
        arrays[id(array)] = array  # also where it stands in several places, it is written once
        return [*arrays].index(id(array))

    text, buffer = json.dumps(_packed(value, keep)), io.BytesIO()
    np.savez(buffer, np.frombuffer(text.encode(), "uint8"), *arrays.values())
    return buffer.getvalue()


@cache
def _surroundings() -> list[str]:
    """List what may change a result beside its arguments: code, versions and kind of machine."""
    code = [file_digest(path) for path in sorted(_CODE.rglob("*.py"))]
    versions = [importlib.metadata.version(name) for name in _PACKAGES]
    return [*code, *versions, platform.python_version(), platform.machine()]


def _digest(array: np.ndarray) -> str:
    head = f"{array.dtype.str} {array.shape} "
    return sha256(head.encode() + array.tobytes()).hexdigest()


def _packed(value: Any, keep: Callable[[np.ndarray], Any]) -> Any:
    """Turn a value into what JSON knows; `keep` takes its arrays, and gives what stands for one."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray) and value.dtype != object:
        return {"array": keep(value)}
    if isinstance(value, np.generic):
        return {"scalar": keep(np.asarray(value))}
    if isinstance(value, pd.DataFrame):
        return {"table": keep(np.frombuffer(value.to_parquet(), "uint8"))}
    if isinstance(value, (list, range)):
        return [_packed(entry, keep) for entry in value]
    if isinstance(value, tuple):
        return {"tuple": _packed([*value], keep)}
    if isinstance(value, dict):
        return {"pairs": [_packed([*pair], keep) for pair in value.items()]}
    kind = type(value)
    if is_dataclass(value) and _is_ours(kind.__module__):
        own = {field.name: getattr(value, field.name) for field in fields(value)}
        return {"class": [kind.__module__, kind.__name__], "fields": _packed(own, keep)}
    raise TypeError(f"a {kind.__name__} cannot be kept")


def _is_ours(name: str) -> bool:
    return name.startswith("segmentation.")


def _unpacked(value: Any, arrays: list[np.ndarray]) -> Any:
    """Make a value again from what `_packed` returned and its arrays."""
    match value:
        case {"array": number}:
            return arrays[number]
        case {"scalar": number}:
            return arrays[number][()]
        case {"table": number}:
            return pd.read_parquet(io.BytesIO(arrays[number].tobytes()))
        case {"tuple": entries}:
            return tuple(_unpacked(entries, arrays))
        case {"pairs": pairs}:
            return dict(_unpacked(pairs, arrays))
        case {"class": [module, name], "fields": own}:
            kind = _is_ours(module) and getattr(import_module(module), name)
            if not isinstance(kind, type) or not is_dataclass(kind):  # a file runs no code
                raise TypeError(f"{module}.{name} is not a dataclass of the package")
            return kind(**_unpacked(own, arrays))
        case list():
            return [_unpacked(entry, arrays) for entry in value]
    return value
