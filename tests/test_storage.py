"""Files written whole, JSON that is valid everywhere, checksums."""

import json
import os
import stat

import numpy as np
import pandas as pd
import pytest

from customer_tables import storage


@pytest.mark.parametrize(
    ("values", "plain"),
    [
        ((np.int64(1), np.float32(0.5), np.float64(1), np.bool_(False)), (1, 0.5, 1.0, False)),
        ((True, "x", None), (True, "x", None)),
        ((np.nan, np.inf, pd.NaT, pd.NA), (None,) * 4),
        (((1, 2), np.array([1.5, np.nan]), pd.Series([1, 2])), ([1, 2], [1.5, None], [1, 2])),
        ((pd.Index(["a"]), {3: {"a": np.int8(4)}}), (["a"], {"3": {"a": 4}})),
    ],
)
def test_values_become_what_json_knows(values, plain):
    found = tuple(map(storage.to_plain, values))
    assert (found, [*map(type, found)]) == (plain, [*map(type, plain)])


def test_the_same_content_is_the_same_valid_text(tmp_path):
    content = {"b": [1.1, np.float64(0.1) + 0.2, np.nan], "a": {"é": (1, None)}}
    storage.write_json(tmp_path / "deep" / "1.json", content)
    text = (tmp_path / "deep" / "1.json").read_text(encoding="utf-8")
    assert text == storage.json_text(storage.to_plain(content)) and text.endswith("}\n")
    read = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert read == {"b": [1.1, 0.30000000000000004, None], "a": {"é": [1, None]}}


@pytest.mark.skipif(os.name == "nt", reason="needs a system with owners of files, not Windows")
@pytest.mark.parametrize(
    ("write", "mode"), [(storage.write_private, 0o600), (storage.write_atomically, 0o666)]
)
def test_files_are_replaced_whole_and_private_where_they_have_to_be(tmp_path, write, mode):
    old = os.umask(0)
    try:
        for content in (b"old\r\n", b"new\n"):
            write(tmp_path / "list.csv", content)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "list.csv").stat().st_mode) == mode
    assert (tmp_path / "list.csv").read_bytes() == b"new\n"
    assert [path.name for path in tmp_path.iterdir()] == ["list.csv"]


def test_digests_are_those_of_other_programs(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert storage.file_digest(tmp_path / "a") == storage.text_digest("abc") == known
    first, second = {"a": 1, "b": 2}, {"b": 2, "a": 1, "checksum": "x"}
    assert storage.checksum(first) == storage.checksum(second)
    assert storage.checksum(first) != storage.checksum(first | {"a": 3})
