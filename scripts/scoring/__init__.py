"""Scoring new customers by a fitted model, and detecting drift."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import runner  # noqa: F401  (puts notebooks/ on the path)
from customer_tables.errors import UserError


@contextmanager
def writing(what: str, path: Path, remedy: str) -> Iterator[None]:
    """Say in short why something cannot be written."""
    try:
        yield
    except OSError as error:
        problem = f"{what} cannot be written: {error.strerror or error}"
        raise UserError(problem, where=str(path), remedy=remedy) from None
