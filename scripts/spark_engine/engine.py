"""Spark as an engine for purchases and customers, and the places where it reads and writes."""

from __future__ import annotations

import os
import shutil
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import sqlglot

from customer_tables.changes import Change
from customer_tables.duckdb_files import Lines, unreadable, with_full_names
from customer_tables.errors import UserError
from customer_tables.sniff import settle_delimiter
from customer_tables.source import FOUND_OUT, Options
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
        What the data are called in messages; a path is cut to its end.
    """

    def __init__(self, session: SparkSession, name: str) -> None:
        self.session, self.name = session, Path(name).name or name

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
            frame.createOrReplaceTempView(created.this.name)
        return []

    def table(self, query: str) -> pd.DataFrame:
        """Return the rows of a query as a table; they have to fit into this machine's memory."""
        with self._told():
            return self.session.sql(to_spark(query)).toArrow().to_pandas()

    def write(self, spark_query: str, place: str) -> None:
        """Write the rows of a query in Spark's own dialect as a new folder of Parquet files."""
        with self._told():
            self.session.sql(spark_query).write.parquet(place)

    def open(self, place: str, name: str, options: Options = FOUND_OUT) -> Lines:
        """Make a file, a folder or a pattern, on anything that Spark reads, a view of that name.

        Raises
        ------
        UserError
            If there is nothing, or it is neither Parquet nor text.
        """
        place = readable(place)
        changes: tuple[Change, ...] = ()
        with self._told():
            paths = self.session.read.format("binaryFile").option("recursiveFileLookup", "true")
            first = paths.load(place).select("path").orderBy("path").first()
            if first is None:
                raise UserError("there are no files", where=place, remedy="check the path")
            stem = first["path"].lower()
            for ending in PACKED:
                stem = stem.removesuffix(ending)
            form = "parquet" if stem.endswith(PARQUET) else "text"
            if form == "parquet":
                frame, changes = self._parquet(place, first["path"])
            elif stem.endswith(TEXT):
                frame, changes = self._text(place, options)
            else:
                raise UserError(
                    f"no Spark reader is set up for {Path(first['path']).name!r}",
                    where=place,
                    remedy=f"files have to end in one of {', '.join((*PARQUET, *TEXT))}",
                )
            frame.createOrReplaceTempView(name)
            types = {f.name: f.dataType.simpleString() for f in frame.schema.fields}
        named = {column: TYPES.get(kind, kind.upper()) for column, kind in types.items()}
        lines = Lines(Path(place), self.ask, self.table, name, named, changes, form, options)
        return with_full_names(lines)

    def _parquet(self, place: str, path: str) -> tuple[DataFrame, tuple[Change, ...]]:
        """Open Parquet, moments by the clock of their zone, which Arrow notes in each file."""
        from pyspark.sql import functions as sql

        frame = self.session.read.parquet(place)
        fields = frame.schema.fields
        zoned = [f.name for f in fields if f.dataType.simpleString() == "timestamp"]
        if not zoned:
            return frame, ()
        jvm, hadoop = self.session._jvm, self.session._jsc.hadoopConfiguration()
        parquet = jvm.org.apache.parquet.hadoop
        file = parquet.util.HadoopInputFile.fromPath(jvm.org.apache.hadoop.fs.Path(path), hadoop)
        with closing(parquet.ParquetFileReader.open(file)) as reader:
            noted = reader.getFileMetaData().getKeyValueMetaData().get("ARROW:schema")
        schema = pa.ipc.read_schema(pa.py_buffer(b64decode(noted))) if noted else pa.schema([])
        zones = {f.name: f.type.tz for f in schema if pa.types.is_timestamp(f.type) and f.type.tz}
        rows, changes = frame.count(), []
        for name in zoned:
            zone = zones.get(name, "UTC")  # as it stands in files that note none
            local = sql.from_utc_timestamp(frame["`" + name.replace("`", "``") + "`"], zone)
            frame = frame.withColumn(name, local.cast("timestamp_ntz"))
            if name in zones:
                action = "read by the clock there"
                changes.append(Change(f"times in {zone}", name, rows, action))
        return frame, tuple(changes)

    def _text(self, place: str, options: Options) -> tuple[DataFrame, tuple[Change, ...]]:
        """Open delimited text with a header, every cell as text, a line for each record."""
        lines = self.session.read.text(place).limit(HEAD_LINES).collect()
        head = "".join(row["value"] + "\n" for row in lines) or "\n"
        mark, announced, changes = settle_delimiter(
            head.encode(), Path(place).name, "utf-8", options.delimiter
        )
        if announced:
            raise UserError(
                "the first line announces the delimiter and is no part of the table",
                where=place,
                remedy="remove the line; Spark takes the first line of each file for its header",
            )
        how = {"header": True, "sep": mark, "quote": '"', "escape": '"', "enforceSchema": False}
        frame = self.session.read.csv(place, encoding=options.encoding or "UTF-8", **how)
        return frame, tuple(changes)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what Spark says about data into an error of the user's files, in one line."""
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import PySparkException

        try:
            yield
        except (PySparkException, Py4JJavaError) as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            wanted = [line for line in lines if line.startswith("[") or "Exception: [" in line]
            said = (wanted or lines or [type(error).__name__])[0]
            raise unreadable(self.name, Exception(said[max(said.find("["), 0) :])) from None


def readable(place: str) -> str:
    """Return a place as Spark reads it; a path is one of this machine, whatever the cluster's."""
    return place if "://" in place else f"file://{Path(place).absolute().as_posix()}"


@contextmanager
def new_folder(place: str) -> Iterator[str]:
    """Give a place to write a folder to; on this machine it appears as a whole or not at all.

    Storage with a URL is left to Spark, which puts a file _SUCCESS into a folder that is complete.

    Raises
    ------
    UserError
        If something is there already, or nothing can be written there.
    """
    if "://" in place:
        yield place
        return
    path, where = Path(place).absolute(), f"--output {place}"
    if path.exists():
        remedy = "choose a new folder, or delete this one"
        raise UserError("the output is there already", where, remedy)
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        remedy = "choose a folder inside one that exists and is yours"
        raise UserError("nothing can be written there", where, remedy)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield readable(str(partial))
        if not (partial / "_SUCCESS").is_file():
            raise UserError(
                "the workers do not write to this machine's disk",
                where,
                "give a URL of a storage that all of them reach, such as hdfs:// or s3a://",
            )
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
