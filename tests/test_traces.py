"""What is written down about an error: its place and kind, and nothing of a customer's."""

from __future__ import annotations

import traceback

import duckdb
import numpy as np
import pandas as pd
import pytest

from runner.traces import note_error, scrubbed, without_data

SECRETS = ("SENTINEL-7Q4", "alice", "example.org", "731846")
IDENTIFIER, AMOUNT = "SENTINEL-7Q4 alice@example.org", "731,846.27 alice"


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        (f"could not convert string to float: '{AMOUNT}'", "could not convert string to float"),
        (f"'{IDENTIFIER}'", ""),
        (f'time data "{IDENTIFIER}" does not match', "does not match"),
        (f"Conversion Error: Line: 3\n{IDENTIFIER},{AMOUNT}\n", "Conversion Error"),
        (f"index {AMOUNT} is out of bounds", "is out of bounds"),
        (f"Invalid value `{IDENTIFIER}` for dtype", "for dtype"),
    ],
)
def test_messages_lose_what_they_quote(message, kept):
    said = scrubbed(message.replace("731,846.27 alice", "731846.27"))
    assert kept in said
    assert [secret for secret in SECRETS if secret in said] == []


def test_what_the_code_says_itself_is_kept():
    assert scrubbed("'gap'", "scan['gap'].max()") == "'gap'"
    assert scrubbed("boom: gap", "scan['gap'].max()") == "boom: gap"


TABLE = pd.DataFrame({"id": [IDENTIFIER], "spent": [AMOUNT]})


@pytest.mark.parametrize(
    "fail",
    [
        lambda: TABLE["spent"].astype(float),
        lambda: TABLE.set_index("id").loc[AMOUNT],
        lambda: pd.to_datetime(TABLE["id"]),
        lambda: np.array([IDENTIFIER]).astype(int),
        lambda: pd.Series(pd.Categorical(["a", None])).fillna(IDENTIFIER),
        lambda: {}[IDENTIFIER],
        lambda: duckdb.sql(f"SELECT\n'{IDENTIFIER}'::INT").fetchall(),
    ],
)
def test_tracebacks_of_libraries_hold_no_row(fail, tmp_path):
    log = tmp_path / "run.log"
    with pytest.raises(Exception) as caught:  # noqa: PT011 (each is another)
        fail()
    raw = "".join(traceback.format_exception(caught.value))
    assert any(secret in raw for secret in SECRETS), "the example quotes nothing"
    said = note_error(log, caught.value)
    for text in (log.read_text(encoding="utf-8"), said, without_data(raw)):
        assert type(caught.value).__name__ in text
        assert [secret for secret in SECRETS if secret in text] == []
    assert "test_traces.py" in log.read_text(encoding="utf-8")
