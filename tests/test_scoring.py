"""score.py: the training customers come back, any file is read as a run reads it, or refused."""

import csv
import gzip
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fitted import assert_scored

import score as command
from customer_tables.errors import UserError
from customer_tables.table import read_table
from scoring import plain_files, scoring
from scoring.scoring import score_file
from segmentation import parallel
from segmentation.cleaning import clean
from segmentation.scoring import assign_customers

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "data" / "credit_card" / "customers.csv"


@pytest.fixture(scope="module")
def table():
    """The training table as text, letter for letter."""
    return pd.read_csv(TABLE, dtype=str, keep_default_na=False)


@pytest.fixture(autouse=True)
def several_pieces(monkeypatch):
    monkeypatch.setattr(plain_files, "BLOCK", 100_000)
    monkeypatch.setattr(plain_files, "ROWS", 1000)
    monkeypatch.setattr(plain_files, "SAMPLE", 20_000)


@pytest.fixture
def score(holders, tmp_path):
    """Score a file or a table of text; return the result and the list."""

    def scored(source, name="scored.csv", **settings):
        if isinstance(source, pd.DataFrame):
            source.to_csv(tmp_path / "new.csv", index=False)
            source = tmp_path / "new.csv"
        with score_file(holders.path, source, tmp_path / name, **settings) as result:
            pass
        read = pd.read_parquet if name.endswith("parquet") else pd.read_csv
        kwargs = {} if name.endswith("parquet") else {"dtype": {"customer": str}}
        return result, read(tmp_path / name, **kwargs).set_index("customer")

    return scored


ROUNDED = 0.50001e-4  # half of the last of four decimals


def test_the_training_customers_come_back_in_the_order_of_the_file(
    score, holders, table, tmp_path, monkeypatch
):
    result, scored = score(TABLE)
    assert not result.why_whole
    assert scored.index.tolist() == table["CUST_ID"].tolist()
    assert_scored(scored, holders.assigned, ROUNDED)
    assert (scored["second_choice"] != scored["segment"]).all()
    assert (tmp_path / "scored.csv").stat().st_mode & 0o777 == 0o600 or sys.platform == "win32"
    assert result.period.customers == len(table)
    assert result.period.outliers.sum() == holders.assigned["outlier"].sum() > 0
    paid = pd.to_numeric(table["PAYMENTS"])
    exact = np.quantile(paid[paid > 0], [0.25, 0.5, 0.75])
    assert result.period.quartiles("payments") == pytest.approx(exact, rel=0.03)
    known = clean(holders.table, holders.known).changes
    rows = {(change.what, change.column): change.rows for change in known}
    assert {c.column for c in result.changes} >= {"credit_limit", "minimum_payments"}
    assert all(rows[change.what, change.column] == change.rows for change in result.changes)
    # Neither the size of the pieces nor the number of threads matters.
    written = (tmp_path / "scored.csv").read_bytes()
    for block, cores in ((33_333, 4), (2 << 20, 1)):
        monkeypatch.setattr(plain_files, "BLOCK", block)
        monkeypatch.setattr(parallel, "available_cores", lambda cores=cores: cores)
        score(TABLE)
        assert (tmp_path / "scored.csv").read_bytes() == written


def late_points(table):
    late = table.index > len(table) - 50
    return table.assign(TENURE=table["TENURE"].mask(late, table["TENURE"] + ".00"))


PLAIN = {
    "gzip": lambda t: gzip.compress(as_csv(t)),
    "tab": lambda t: as_csv(t, sep="\t"),
    "semicolon": lambda t: as_csv(t, sep=";"),
    "byte-order mark": lambda t: b"\xef\xbb\xbf" + as_csv(t),
    "quoted": lambda t: as_csv(t, quoting=csv.QUOTE_ALL),
    "line ends": lambda t: as_csv(t, lineterminator="\r\n"),
    "spaces": lambda t: as_csv(t.assign(CUST_ID=" " + t["CUST_ID"])),
    "late points": lambda t: as_csv(late_points(t)),
    "one customer": lambda t: as_csv(t.iloc[[17]]),
    "parquet": lambda t: pd.read_csv(TABLE).head(len(t)).to_parquet(),
}


def as_csv(table, **settings):
    return table.to_csv(index=False, **settings).encode()


@pytest.mark.parametrize("kind", PLAIN)
def test_plain_files_of_every_kind_go_through_in_pieces(score, holders, table, tmp_path, kind):
    (tmp_path / "new").write_bytes(PLAIN[kind](table.head(2000)))
    result, scored = score(tmp_path / "new")
    assert not result.why_whole
    assert len(scored) == (1 if kind == "one customer" else 2000)
    assert_scored(scored, holders.assigned, ROUNDED)


REPAIRS = {
    "currency": lambda t: t.assign(PAYMENTS="$" + t["PAYMENTS"]),
    "words": lambda t: t.assign(MINIMUM_PAYMENTS=t["MINIMUM_PAYMENTS"].replace("", "N/A")),
    "nan": lambda t: t.assign(MINIMUM_PAYMENTS=t["MINIMUM_PAYMENTS"].replace("", "NaN")),
    "sentinel": lambda t: t.assign(MINIMUM_PAYMENTS=t["MINIMUM_PAYMENTS"].replace("", "-999")),
    "infinite": lambda t: t.assign(MINIMUM_PAYMENTS=t["MINIMUM_PAYMENTS"].replace("", "inf")),
    "total": lambda t: pd.concat([t, t.iloc[:1].assign(CUST_ID="TOTAL")]),
    "no identifier": lambda t: pd.concat([t, t.iloc[:1].assign(CUST_ID="")]),
    "wrapped": lambda t: t.assign(CUST_ID='="' + t["CUST_ID"] + '"'),
    "lines in a cell": lambda t: t.replace({"CUST_ID": {"C10001": "C1\n0001"}}),
    "points of thousands": lambda t: t.assign(BALANCE="1.234"),
}


@pytest.mark.parametrize("repair", REPAIRS)
def test_what_needs_repair_is_repaired_as_in_a_run(score, holders, table, tmp_path, repair):
    few = REPAIRS[repair](table.head(300).sample(frac=1, random_state=1))
    result, scored = score(few)
    again = assign_customers(holders.model, read_table(tmp_path / "new.csv").table)
    assert result.why_whole and len(scored) == len(again) == 300 == result.period.customers
    assert_scored(scored, again, ROUNDED)
    if repair == "currency":
        assert scored.index.tolist() == few["CUST_ID"].tolist()


def test_a_workbook_is_read_and_infinite_numbers_are_gaps(score, holders, tmp_path):
    few = pd.read_csv(TABLE).head(60)
    few.to_excel(tmp_path / "new.xlsx", index=False)
    _, scored = score(tmp_path / "new.xlsx")
    assert len(scored) == 60
    assert_scored(scored, holders.assigned, ROUNDED)
    for gap, name in ((np.inf, "endless"), (np.nan, "gap")):
        few.assign(PAYMENTS=gap).to_parquet(tmp_path / name)
    (endless, scored), (_, gaps) = score(tmp_path / "endless"), score(tmp_path / "gap")
    assert scored.equals(gaps) and not endless.why_whole
    assert [c.rows for c in endless.changes if c.what == "infinite value"] == [60]


def test_exact_copies_far_apart_are_dropped(score, holders, table):
    few = table.head(2000)
    result, scored = score(pd.concat([few, few.iloc[[5, 700]]]))
    assert len(scored) == 2000 == result.period.customers
    assert [c.rows for c in result.changes if "exact copy" in c.what] == [2]
    assert scored.index.tolist() == few["CUST_ID"].tolist()
    assert_scored(scored, holders.assigned, ROUNDED)


def test_two_rows_of_one_customer_are_refused_with_their_lines(score, table, tmp_path):
    with pytest.raises(UserError, match=f"lines 7 and {len(table) + 2}"):
        score(pd.concat([table, table.iloc[[5]].assign(BALANCE="1.5")]))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.csv"]


def test_a_name_that_a_spreadsheet_would_run_is_made_safe(score, table):
    few = table.head(60).assign(CUST_ID=[f"@{i}" for i in range(60)])
    assert score(few)[1].index[0] == "'@0"
    kept = score(few, "scored.parquet")[1]
    assert kept.index[0] == "@0" and (kept["confidence"] != kept["confidence"].round(4)).any()


BAD = {
    "empty": (lambda t: "", ""),
    "header only": (lambda t: t.head(0).to_csv(index=False), ""),
    "another table": (lambda t: "id,age,income\n1,20,3\n2,30,4\n", "0 of the 17 columns"),
    "renamed": (lambda t: t.rename(columns={"BALANCE": "saldo"}).to_csv(index=False), "'balance'"),
    "cents": (
        lambda t: t.assign(BALANCE=pd.to_numeric(t["BALANCE"]) * 100).to_csv(index=False),
        "100 times those in training",
    ),
    "text": (lambda t: t.head(60).assign(BALANCE="many").to_csv(index=False), "'many'"),
    "destroyed": (lambda t: t.head(60).assign(CUST_ID="1.23457E+15").to_csv(index=False), "lost"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input_ends_with_a_few_lines_and_no_file(holders, table, tmp_path, bad, capsys):
    write, words = BAD[bad]
    (tmp_path / "new.csv").write_text(write(table))
    arguments = ["--model", holders.path, "--input", tmp_path / "new.csv"]
    arguments += ["--output", tmp_path / "scored.csv"]
    assert command.main([str(a) for a in arguments]) == 2
    said = capsys.readouterr()
    assert 1 <= len(said.err.strip().splitlines()) <= 3 and words in said.err
    assert "Traceback" not in said.err and not said.out
    assert [p.name for p in tmp_path.iterdir()] == ["new.csv"]


def test_a_renamed_column_is_scored_once_it_has_its_name(score, table):
    with pytest.raises(UserError, match="no column 'balance'") as caught:
        score(table.rename(columns={"BALANCE": "The Balances"}))
    old, new = re.match("is it '(.*)'. rename it '(.*)' in the file", caught.value.remedy).groups()
    assert old == "The Balances"
    assert len(score(table.rename(columns={"BALANCE": new}))[1]) == len(table)


def test_other_units_pass_when_the_user_says_so_and_inflation_is_none(score, table):
    for column, factor, accept in (("BALANCE", 100, True), ("PURCHASES", 1.3, False)):
        period = table.assign(**{column: pd.to_numeric(table[column]) * factor})
        assert score(period, accept_units=accept)[0].period.customers == len(table)


def test_the_command_says_what_it_did_without_the_heavy_libraries(holders, tmp_path):
    code = (
        "import sys; sys.path[:0] = ['scripts']; import score\n"
        "code = score.main(sys.argv[1:])\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'sklearn', 'scipy', 'jsonschema'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "sys.exit(code)\n"
    )

    def run(*arguments):
        line = [sys.executable, "-c", code, "--model", str(holders.path), *map(str, arguments)]
        environ = {"SEGMENTATION_NO_VENV": "1", "PATH": ""}
        return subprocess.run(line, capture_output=True, text=True, env=environ, cwd=ROOT)

    done = run("--input", TABLE, "--output", tmp_path / "o.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("8,950 cardholders scored") and "\r" not in done.stdout
    wrong = run("--inptu", TABLE)
    assert wrong.returncode == 2 and len(wrong.stderr.strip().splitlines()) == 3


@pytest.mark.parametrize("place", ["model", "folder", "absent", "input"])
def test_the_output_has_to_be_a_place_of_its_own(holders, tmp_path, place):
    before = holders.path.read_bytes()
    outputs = {"model": holders.path, "folder": tmp_path, "absent": tmp_path / "no" / "o.csv"}
    with pytest.raises(UserError), score_file(holders.path, TABLE, outputs.get(place, TABLE)):
        pass
    assert holders.path.read_bytes() == before and not list(tmp_path.iterdir())


def test_a_failure_late_in_the_file_leaves_the_old_list(score, tmp_path):
    def stop(customers, share):
        if customers > 3000:
            raise KeyboardInterrupt

    (tmp_path / "scored.csv").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        score(TABLE, advance=stop)
    assert (tmp_path / "scored.csv").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_a_large_file_that_is_not_plain_is_refused(score, table, monkeypatch):
    monkeypatch.setattr(scoring, "LARGEST_WHOLE", 1000)
    with pytest.raises(UserError, match="too large to be repaired"):
        score(REPAIRS["currency"](table.head(60)))
    twice = pd.concat([table.head(60), table.iloc[[7]]])
    with pytest.raises(UserError, match=rf"identifier '{table.iloc[7, 0]}' occurs on several rows"):
        score(twice)
