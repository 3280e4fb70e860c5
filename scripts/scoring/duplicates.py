"""Customers that stand in a file twice, found without keeping the file in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SCHEMA = pa.schema([("identifier", pa.string())])
MEMORY = "256MB"  # what DuckDB may use before it goes on from disk


class Register:
    """Remember on disk which identifiers a file has held.

    Where each is greater than the one before, none repeats. Otherwise DuckDB counts them.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="scoring-")
        self._path = Path(self._folder.name) / "identifiers.parquet"
        self._writer = pq.ParquetWriter(self._path, SCHEMA, use_dictionary=False)
        self._ascending, self._last = True, None

    def __enter__(self) -> Register:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
        self._folder.cleanup()

    def add(self, identifiers: pa.StringArray, ascending: bool) -> None:
        """Note the identifiers that come next in the file.

        Parameters
        ----------
        identifiers : pyarrow.StringArray
            Without gaps.
        ascending : bool
            What `is_ascending` says about them.
        """
        if not len(identifiers):
            return
        follows = self._last is None or self._last < identifiers[0].as_py()
        self._ascending = self._ascending and ascending and follows
        self._last = identifiers[-1].as_py()
        self._writer.write_batch(pa.record_batch([identifiers], schema=SCHEMA))

    def repeated(self) -> list[str]:
        """Return the identifiers that occur twice or more."""
        if self._ascending:
            return []
        import duckdb

        self._writer.close()
        settings = {"memory_limit": MEMORY, "temp_directory": self._folder.name}
        with duckdb.connect(config=settings) as connection:
            found = connection.execute(
                "SELECT identifier FROM read_parquet(?) GROUP BY identifier HAVING count(*) > 1",
                [str(self._path)],
            ).fetchall()
        return [identifier for (identifier,) in found]


def is_ascending(texts: pa.StringArray) -> bool:
    """Whether each text is greater than the one before, letter by letter as Python compares."""
    return pc.all(pc.less(texts[:-1], texts[1:])).as_py() is not False
