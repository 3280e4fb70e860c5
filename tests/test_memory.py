"""Tables that are larger than the machine: refused before they are read, with the arithmetic."""

from __future__ import annotations

import gzip

import pandas as pd
import pytest

from customer_tables import memory
from customer_tables.errors import UserError
from customer_tables.table import read_table

TABLE = pd.DataFrame({"id": [f"C{i}" for i in range(2_000)], "spent": range(2_000)})


def test_a_table_beyond_the_memory_is_refused_with_the_arithmetic(tmp_path, monkeypatch):
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    TABLE.to_csv(tmp_path / "t.csv.gz", index=False)
    TABLE.to_excel(tmp_path / "t.xlsx", index=False)
    TABLE.to_parquet(tmp_path / "t.parquet")
    monkeypatch.setattr(memory, "SMALL", 0)
    assert len(read_table(tmp_path / "t.csv").table) == 2_000
    monkeypatch.setattr(memory, "free_memory", lambda: 100_000)
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(UserError, match="too large for this machine") as refused:
            read_table(path)
        what, _, remedy = str(refused.value).splitlines()
        assert "times 10" in what and "are free" in what and "sample of about" in remedy


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (b"a,b\n" + b"1,2\n" * 5_000, 20_004),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 5_000), 20_004),
        (gzip.compress(b"a,b\n1,2\n"), 8),  # more packed than unpacked
        (b"PK\x03\x04torn", 8),
        (gzip.compress(b"a,b\n")[:-4] + b"\xff" * 4, 1032 * 24),  # damaged: no more than possible
    ],
    ids=["plain", "gzip", "small gzip", "torn zip", "damaged gzip"],  # gzip packs the time, too
)
def test_the_size_is_that_of_the_unpacked_file(tmp_path, content, size):
    (tmp_path / "t").write_bytes(content)
    assert memory.unpacked_size(tmp_path / "t") == size


def test_the_free_memory_is_known_here():
    free = memory.free_memory()
    assert free is None or 10e6 < free < 100e12


@pytest.mark.parametrize("place", [0, 1])
def test_the_limit_of_a_container_counts(tmp_path, monkeypatch, place):
    for name, content in {"limit": "2000000\n", "used": "500000\n", "none": "max\n"}.items():
        (tmp_path / name).write_text(content)
    limits = [(str(tmp_path / "none"), str(tmp_path / "used"))] * 2
    limits[place] = (str(tmp_path / "limit"), str(tmp_path / "used"))
    monkeypatch.setattr(memory, "CONTAINER", tuple(limits))
    assert memory.free_memory() == 1_500_000
