"""Spark as an engine for purchases and customers."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import sqlglot

from customer_tables.duckdb_files import Relation, unreadable
from customer_tables.errors import UserError
from customer_tables.sniff import settle_delimiter
from spark_engine.dialect import to_spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TYPES = {"string": "VARCHAR", "int": "INTEGER", "timestamp_ntz": "TIMESTAMP"}
PARQUET = (".parquet", ".pq")
TEXT = (".csv", ".tsv", ".txt", ".tab")
PACKED = (".gz", ".bz2", ".zst", ".snappy")
HEAD_LINES = 100


class Spark:
    """Spark behind the queries that DuckDB runs, too: they come in DuckDB's dialect.

    Parameters
    ----------
    session : SparkSession
    name : str
        What the data are called in messages.
    """

    def __init__(self, session: SparkSession, name: str) -> None:
        self.session, self.name = session, name
        self._kept: list[DataFrame] = []

    def ask(self, query: str) -> list[tuple]:
        """Return the rows of a query, or create the table or view that it names.

        A table is computed once; what does not fit into the workers' memory goes to their disks.
        """
        created = sqlglot.parse_one(query, read="duckdb").find(sqlglot.exp.Create)
        with self._told():
            if created is None:
                return [tuple(row) for row in self.session.sql(to_spark(query)).collect()]
            frame = self.session.sql(to_spark(created.expression.sql("duckdb")))
            if created.kind == "TABLE":
                from pyspark import StorageLevel

                frame = frame.persist(StorageLevel.MEMORY_AND_DISK)
                self._kept.append(frame)
            frame.createOrReplaceTempView(created.this.name)
        return []

    def table(self, query: str) -> pd.DataFrame:
        """Return the rows of a query as a table; they have to fit into this machine's memory."""
        with self._told():
            return self.session.sql(to_spark(query)).toArrow().to_pandas()

    def write(self, query: str, place: str) -> None:
        """Write the rows of a query as a folder of Parquet files, which must not be there yet."""
        with self._told():
            self.session.sql(to_spark(query)).write.parquet(place)

    def write_spark(self, query: str, place: str) -> None:
        """Write the rows of a query that is in Spark's own dialect."""
        with self._told():
            self.session.sql(query).write.parquet(place)

    def release(self) -> None:
        """Free what was kept."""
        while self._kept:
            self._kept.pop().unpersist()

    def open(self, place: str, name: str, *, delimiter: str = "", encoding: str = "") -> Relation:
        """Make files readable in SQL under a name.

        Parameters
        ----------
        place : str
            A file, a folder or a pattern, on anything that Spark reads.
        name : str
            The name of the view.
        delimiter, encoding : str, optional
            How text is written; otherwise found out, and UTF-8.

        Raises
        ------
        UserError
            If there is nothing, or it is neither Parquet nor text.
        """
        with self._told():
            paths = self.session.read.format("binaryFile").option("recursiveFileLookup", "true")
            first = paths.load(place).select("path").orderBy("path").first()
            if first is None:
                raise UserError("there are no files", where=place, remedy="check the path")
            stem = first["path"].lower()
            for ending in PACKED:
                stem = stem.removesuffix(ending)
            if stem.endswith(PARQUET):
                frame, changes, form = self.session.read.parquet(place), (), "parquet"
            elif stem.endswith(TEXT):
                frame, changes = self._text(place, delimiter, encoding)
                form = "text"
            else:
                raise UserError(
                    f"Spark is not told how to read {Path(first['path']).name!r}",
                    where=place,
                    remedy=f"files have to end in one of {', '.join((*PARQUET, *TEXT))}",
                )
            frame.createOrReplaceTempView(name)
            types = {f.name: f.dataType.simpleString() for f in frame.schema.fields}
        named = {column: TYPES.get(kind, kind.upper()) for column, kind in types.items()}
        return Relation(name, named, tuple(changes), form)

    def _text(self, place: str, delimiter: str, encoding: str):
        """Open delimited text with a header, every cell as text, a line for each record."""
        lines = self.session.read.text(place).limit(HEAD_LINES).collect()
        head = "\n".join(row["value"] for row in lines) + "\n"
        mark, announced, changes = settle_delimiter(
            head.encode(), Path(place).name, "utf-8", delimiter or None
        )
        if announced:
            raise UserError(
                "the first line announces the delimiter and is no part of the table",
                where=place,
                remedy="remove the line; Spark takes the first line of each file for its header",
            )
        frame = self.session.read.csv(
            place, header=True, sep=mark, quote='"', escape='"', enforceSchema=False,
            encoding=encoding or "UTF-8",
        )  # fmt: skip
        return frame, changes

    @contextmanager
    def _told(self):
        """Turn what Spark says about data into an error of the user's files."""
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import PySparkException

        try:
            yield
        except (PySparkException, Py4JJavaError) as error:
            raise unreadable(self.name, _short(error)) from None


def _short(error: Exception) -> Exception:
    """Keep the line that says what is the matter, without Java's names of places."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    wanted = [line for line in lines if line.startswith("[") or "Exception: [" in line]
    said = (wanted or lines or [type(error).__name__])[0]
    return Exception(said[said.find("[") :] if "[" in said else said)
