"""A quick look at many texts at once."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa


def has_any(texts: pa.StringArray, letters: Iterable[str]) -> bool:
    """Whether one of some letters stands anywhere in texts, or beside them in the same memory.

    A yes may be wrong where the array is a part of a larger one; a no never is.
    """
    data = bytes(texts.buffers()[2] or b"")
    return any(letter.encode() in data for letter in letters)
