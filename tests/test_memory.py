"""Tables that are larger than the machine: refused before they are read, with the arithmetic."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest

from customer_tables import memory
from customer_tables.errors import UserError
from customer_tables.table import read_table


@pytest.fixture
def tight(monkeypatch):
    """Let this be a machine with very little memory, on which every file counts."""
    monkeypatch.setattr(memory, "SMALL", 0)
    monkeypatch.setattr(memory, "free_memory", lambda: 100_000)


@pytest.fixture
def table():
    return pd.DataFrame({"id": [f"C{i}" for i in range(2_000)], "spent": range(2_000)})


def test_a_table_beyond_the_memory_is_refused_with_the_arithmetic(tight, table, tmp_path):
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_csv(tmp_path / "t.csv.gz", index=False)
    table.to_excel(tmp_path / "t.xlsx", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(UserError, match="too large for this machine") as refused:
            read_table(path)
        lines = str(refused.value).splitlines()
        assert len(lines) == 3
        assert "times 10" in lines[0] and "are free" in lines[0]
        assert "sample of about" in lines[2]


def test_what_fits_is_read(table, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "SMALL", 0)
    table.to_csv(tmp_path / "t.csv", index=False)
    assert len(read_table(tmp_path / "t.csv").table) == 2_000


def test_the_size_is_that_of_the_unpacked_file(tmp_path):
    text = b"a,b\n" + b"1,2\n" * 5_000
    (tmp_path / "t.csv").write_bytes(text)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text))
    for path in tmp_path.iterdir():
        assert memory.unpacked_size(path) == len(text)
    (tmp_path / "tiny.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))  # more than unpacked
    assert memory.unpacked_size(tmp_path / "tiny.csv.gz") == 8
    (tmp_path / "torn.xlsx").write_bytes(b"PK\x03\x04torn")
    assert memory.unpacked_size(tmp_path / "torn.xlsx") == 8


def test_the_free_memory_is_known_here():
    free = memory.free_memory()
    assert free is None or 10e6 < free < 100e12


@pytest.mark.parametrize("place", [0, 1])
def test_the_limit_of_a_container_counts(tmp_path, monkeypatch, place):
    (tmp_path / "limit").write_text("2000000\n")
    (tmp_path / "used").write_text("500000\n")
    (tmp_path / "none").write_text("max\n")
    absent = (str(tmp_path / "none"), str(tmp_path / "used"))
    limits = [absent, absent]
    limits[place] = (str(tmp_path / "limit"), str(tmp_path / "used"))
    monkeypatch.setattr(memory, "CONTAINER", tuple(limits))
    assert memory.free_memory() == 1_500_000
