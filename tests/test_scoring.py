"""score.py: the training customers come back, any file is read as a run reads it, or refused."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from fitted import fit_model

from customer_tables.errors import UserError
from customer_tables.storage import write_json
from customer_tables.table import read_table
from scoring import command, plain_files, scoring
from scoring.duplicates import Register, is_ascending
from scoring.plain_files import NotPlain, NotTyped, pieces
from scoring.scoring import score_file
from segmentation import parallel
from segmentation.cleaning import clean
from segmentation.dataset import load_dataset
from segmentation.model import checksum, dataset_of, load_model
from segmentation.period import Period
from segmentation.scoring import assign_customers

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "data" / "credit_card" / "customers.csv"


@pytest.fixture(scope="session")
def model_path(tmp_path_factory):
    """A model of the card holders."""
    model = fit_model(load_dataset("credit_card"), read_table(TABLE).table, 6)
    path = tmp_path_factory.mktemp("model") / "model.json"
    write_json(path, model)
    return path


@pytest.fixture(scope="session")
def expected(model_path):
    """What the notebooks' own path says about the training customers."""
    return assign_customers(load_model(model_path), read_table(TABLE).table)


@pytest.fixture(scope="session")
def table():
    """The training table as text, letter for letter."""
    return pd.read_csv(TABLE, dtype=str, keep_default_na=False)


def score(model_path, source, folder, **settings):
    output = folder / "scored.csv"
    result = score_file(model_path, source, output, **settings)
    return result, pd.read_csv(output, dtype={"customer": str}).set_index("customer")


def assert_same(scored, expected):
    expected = expected.loc[scored.index]
    for column in ("segment", "second_choice", "segment_name", "stranger"):
        assert (scored[column] == expected[column]).all()
    for column in ("confidence", "distance"):
        assert (scored[column] == expected[column].round(4)).all()


def test_the_training_customers_come_back_in_the_order_of_the_file(
    model_path, expected, table, tmp_path
):
    result, scored = score(model_path, TABLE, tmp_path)
    assert not result.why_whole
    assert scored.index.tolist() == table.iloc[:, 0].tolist()
    assert_same(scored, expected)
    assert result.period.customers == len(table)
    assert (scored["second_choice"] != scored["segment"]).all()
    assert (tmp_path / "scored.csv").stat().st_mode & 0o777 == 0o600 or sys.platform == "win32"


def test_changes_are_those_of_the_notebooks(model_path, tmp_path):
    result, _ = score(model_path, TABLE, tmp_path)
    known = {(c.what, c.column): c.rows for c in clean(read_table(TABLE).table,
             load_dataset("credit_card")).changes}  # fmt: skip
    for change in result.changes:
        assert known[change.what, change.column] == change.rows


@pytest.mark.parametrize("kind", ["gzip", "tab", "semicolon", "parquet", "bom", "quoted", "crlf"])
def test_plain_files_of_every_kind_go_through_in_pieces(
    model_path, expected, table, tmp_path, monkeypatch, kind
):
    monkeypatch.setattr(plain_files, "BLOCK", 100_000)  # several pieces
    monkeypatch.setattr(plain_files, "ROWS", 1000)
    source, text = tmp_path / "new", TABLE.read_bytes()
    if kind == "gzip":
        source.write_bytes(gzip.compress(text))
    elif kind in ("tab", "semicolon"):
        source.write_bytes(text.replace(b",", b"\t" if kind == "tab" else b";"))
    elif kind == "parquet":
        pd.read_csv(TABLE).to_parquet(source)
    elif kind == "bom":
        source.write_bytes(b"\xef\xbb\xbf" + text)
    elif kind == "quoted":
        table.to_csv(source, index=False, quoting=1)
    else:
        source.write_bytes(text.replace(b"\n", b"\r\n"))
    result, scored = score(model_path, source, tmp_path)
    assert not result.why_whole
    assert_same(scored, expected)


def test_the_size_of_the_pieces_does_not_matter(model_path, tmp_path, monkeypatch):
    score(model_path, TABLE, tmp_path)
    whole = (tmp_path / "scored.csv").read_bytes()
    monkeypatch.setattr(plain_files, "BLOCK", 33_333)
    score(model_path, TABLE, tmp_path)
    assert (tmp_path / "scored.csv").read_bytes() == whole


REPAIRS = {
    "currency": lambda t: t.assign(PAYMENTS="$" + t["PAYMENTS"]),
    "words": lambda t: t.assign(MINIMUM_PAYMENTS=t["MINIMUM_PAYMENTS"].replace("", "N/A")),
    "nan": lambda t: t.assign(MINIMUM_PAYMENTS=t["MINIMUM_PAYMENTS"].replace("", "NaN")),
    "sentinel": lambda t: t.assign(MINIMUM_PAYMENTS=t["MINIMUM_PAYMENTS"].replace("", "-999")),
    "total": lambda t: pd.concat([t, pd.DataFrame([["TOTAL"] + ["9"] * (t.shape[1] - 1)],
                                                  columns=t.columns)]),
    "no identifier": lambda t: pd.concat([t, t.iloc[:1].assign(CUST_ID="")]),
    "spaces": lambda t: t.assign(CUST_ID=" " + t["CUST_ID"]),
    "wrapped": lambda t: t.assign(CUST_ID='="' + t["CUST_ID"] + '"'),
}  # fmt: skip


@pytest.mark.parametrize("repair", REPAIRS)
def test_what_needs_repair_is_repaired_as_in_a_run(model_path, table, tmp_path, repair):
    few = REPAIRS[repair](table.head(300))
    few.to_csv(tmp_path / "new.csv", index=False)
    result, scored = score(model_path, tmp_path / "new.csv", tmp_path)
    again = assign_customers(load_model(model_path), read_table(tmp_path / "new.csv").table)
    assert bool(result.why_whole) == (repair != "spaces")
    assert len(scored) == len(again) == 300
    assert_same(scored, again)


def test_excel_is_read(model_path, expected, tmp_path):
    pd.read_csv(TABLE).head(60).to_excel(tmp_path / "new.xlsx", index=False)
    _, scored = score(model_path, tmp_path / "new.xlsx", tmp_path)
    assert len(scored) == 60
    assert_same(scored, expected)


def test_one_customer_is_enough(model_path, expected, table, tmp_path):
    table.iloc[[17]].to_csv(tmp_path / "new.csv", index=False)
    _, scored = score(model_path, tmp_path / "new.csv", tmp_path)
    assert_same(scored, expected)


def test_exact_copies_far_apart_are_dropped(model_path, expected, table, tmp_path, monkeypatch):
    monkeypatch.setattr(plain_files, "BLOCK", 50_000)
    pd.concat([table, table.iloc[[5, 700]]]).to_csv(tmp_path / "new.csv", index=False)
    result, scored = score(model_path, tmp_path / "new.csv", tmp_path)
    assert not result.why_whole
    assert len(scored) == len(table) == result.period.customers
    assert [c.rows for c in result.changes if "exact copy" in c.what] == [2]
    assert_same(scored, expected)


def test_two_rows_of_one_customer_are_refused_with_their_lines(
    model_path, table, tmp_path, monkeypatch
):
    monkeypatch.setattr(plain_files, "BLOCK", 50_000)
    pd.concat([table, table.iloc[[5]].assign(BALANCE="1.5")]).to_csv(
        tmp_path / "new.csv", index=False
    )
    with pytest.raises(UserError, match=f"lines 7 and {len(table) + 2}"):
        score(model_path, tmp_path / "new.csv", tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new.csv"]


def test_a_name_that_a_spreadsheet_would_run_is_made_safe(model_path, table, tmp_path):
    few = table.head(60).assign(CUST_ID=[f"@{i}" for i in range(60)])
    few.to_csv(tmp_path / "new.csv", index=False)
    _, scored = score(model_path, tmp_path / "new.csv", tmp_path)
    assert scored.index[0] == "'@0"
    score_file(model_path, tmp_path / "new.csv", tmp_path / "scored.parquet")
    kept = pd.read_parquet(tmp_path / "scored.parquet")
    assert kept["customer"].iloc[0] == "@0"
    assert kept["confidence"].dtype == "float64"


def run(*arguments):
    command_line = [sys.executable, str(ROOT / "scripts" / "score.py"), *map(str, arguments)]
    environ = {"SEGMENTATION_NO_VENV": "1", "OMP_NUM_THREADS": "1", "PATH": ""}
    return subprocess.run(command_line, capture_output=True, text=True, env=environ)


BAD = {
    "empty": lambda t: "",
    "header only": lambda t: t.head(0).to_csv(index=False),
    "another table": lambda t: "id,age,income\n1,20,3\n2,30,4\n",
    "missing column": lambda t: t.head(60).drop(columns="BALANCE").to_csv(index=False),
    "renamed column": lambda t: t.head(60).rename(columns={"BALANCE": "saldo"}).to_csv(index=False),
    "cents": lambda t: t.assign(BALANCE=pd.to_numeric(t["BALANCE"]) * 100).to_csv(index=False),
    "text": lambda t: t.head(60).assign(BALANCE="many").to_csv(index=False),
    "destroyed": lambda t: t.head(60).assign(CUST_ID="1.23457E+15").to_csv(index=False),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input_ends_with_a_few_lines_and_no_file(
    model_path, table, tmp_path, bad, monkeypatch, capsys
):
    (tmp_path / "new.csv").write_text(BAD[bad](table))
    monkeypatch.setenv("SEGMENTATION_NO_VENV", "1")
    arguments = ["--model", model_path, "--input", tmp_path / "new.csv"]
    arguments += ["--output", tmp_path / "scored.csv"]
    assert command.main(ROOT / "scripts" / "score.py", [str(a) for a in arguments]) == 2
    said = capsys.readouterr()
    assert 1 <= len(said.err.strip().splitlines()) <= 3
    assert "Traceback" not in said.err and not said.out
    assert [p.name for p in tmp_path.iterdir()] == ["new.csv"]
    expected_words = {
        "another table": "0 of the 17 columns", "cents": "100 times those in training",
        "missing column": "'balance'", "renamed column": "'balance'",
    }  # fmt: skip
    assert expected_words.get(bad, "") in said.err


def test_other_units_pass_when_the_user_says_so(model_path, table, tmp_path):
    cents = table.assign(BALANCE=pd.to_numeric(table["BALANCE"]) * 100)
    cents.to_csv(tmp_path / "new.csv", index=False)
    result, _ = score(model_path, tmp_path / "new.csv", tmp_path, accept_units=True)
    assert result.period.customers == len(table)


def test_inflation_is_no_other_unit(model_path, table, tmp_path):
    dearer = table.assign(PURCHASES=pd.to_numeric(table["PURCHASES"]) * 1.3)
    dearer.to_csv(tmp_path / "new.csv", index=False)
    assert score(model_path, tmp_path / "new.csv", tmp_path)[0].period.customers == len(table)


def test_the_command_starts_without_the_heavy_libraries(model_path, tmp_path):
    code = (
        "import sys; sys.path[:0] = ['scripts', 'notebooks']\n"
        "from pathlib import Path\nfrom scoring.scoring import score_file\n"
        f"score_file(Path({str(model_path)!r}), Path({str(TABLE)!r}),"
        f" Path({str(tmp_path / 'o.csv')!r}))\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'sklearn', 'scipy', 'jsonschema'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_command_says_what_it_did_and_moves_no_line_off_a_terminal(model_path, tmp_path):
    done = run("--model", model_path, "--input", TABLE, "--output", tmp_path / "o.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("8,950 card holders scored")
    assert "\r" not in done.stdout
    wrong = run("--model", model_path, "--inptu", TABLE)
    assert wrong.returncode == 2 and len(wrong.stderr.strip().splitlines()) == 3


@pytest.mark.parametrize("place", ["model", "folder", "absent", "input"])
def test_the_output_has_to_be_a_place_of_its_own(model_path, tmp_path, place):
    before = model_path.read_bytes()
    output = {"model": model_path, "folder": tmp_path, "absent": tmp_path / "no" / "o.csv",
              "input": TABLE}[place]  # fmt: skip
    with pytest.raises(UserError):
        score_file(model_path, TABLE, output)
    assert model_path.read_bytes() == before
    assert not list(tmp_path.iterdir())


def test_a_failure_late_in_the_file_leaves_the_old_list(model_path, tmp_path, monkeypatch):
    (tmp_path / "scored.csv").write_text("old")
    monkeypatch.setattr(plain_files, "BLOCK", 100_000)

    def stop(customers, share):
        if customers > 3000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_file(model_path, TABLE, tmp_path / "scored.csv", advance=stop)
    assert (tmp_path / "scored.csv").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_large_file_that_is_not_plain_is_refused(model_path, table, tmp_path, monkeypatch):
    REPAIRS["currency"](table.head(60)).to_csv(tmp_path / "new.csv", index=False)
    monkeypatch.setattr(scoring, "LARGEST_WHOLE", 1000)
    with pytest.raises(UserError, match="too large to be repaired"):
        score(model_path, tmp_path / "new.csv", tmp_path)


def test_points_that_could_divide_thousands_are_not_plain(model_path, table, tmp_path):
    odd = table.head(60).assign(BALANCE="1.234")
    odd.to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(NotPlain, match="two things"):
        list(pieces(tmp_path / "new.csv", dataset_of(load_model(model_path)), careful=True))


def test_a_column_whose_points_come_late_is_looked_at_again(
    model_path, expected, table, tmp_path, monkeypatch
):
    late = pd.Series(table.index > len(table) - 50)
    whole = table["TENURE"].where(~late, table["TENURE"] + ".00")
    table.assign(TENURE=whole).to_csv(tmp_path / "new.csv", index=False)
    monkeypatch.setattr(plain_files, "SAMPLE", 20_000)
    monkeypatch.setattr(plain_files, "BLOCK", 100_000)
    with pytest.raises(NotTyped):
        list(pieces(tmp_path / "new.csv", dataset_of(load_model(model_path))))
    result, scored = score(model_path, tmp_path / "new.csv", tmp_path)
    assert not result.why_whole and len(scored) == len(table)
    assert_same(scored, expected)


def test_the_number_of_threads_does_not_matter(model_path, tmp_path, monkeypatch):
    monkeypatch.setattr(plain_files, "BLOCK", 50_000)
    written = set()
    for workers in (1, 2, 4):
        monkeypatch.setattr(parallel, "available_cores", lambda cores=workers: cores)
        score(model_path, TABLE, tmp_path)
        written.add((tmp_path / "scored.csv").read_bytes())
    assert len(written) == 1


def test_a_damaged_model_is_refused(model_path, tmp_path):
    content = json.loads(model_path.read_text())
    content["centres"].pop()
    content["checksum"] = checksum(content)
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="centres has 5 entries"):
        score_file(tmp_path / "model.json", TABLE, tmp_path / "o.csv")


@pytest.mark.parametrize(
    ("pieces", "twice"),
    [
        ([["b", "a"], ["c"]], []),
        ([["b", "a"], ["c", "b", "d", "b"]], ["b"]),
        ([["a", "b"], ["c", "d"]], []),
        ([["a", "b"], [], ["b"]], ["b"]),
        ([["a", "b", "b", "c"], ["a"]], ["a", "b"]),
        ([["é", "x" * 99], ["e", "x" * 98]], []),
    ],
)
def test_the_register_finds_what_repeats(pieces, twice):
    with Register() as register:
        for texts in pieces:
            identifiers = pa.array(texts, pa.string())
            register.add(identifiers, is_ascending(identifiers))
        assert sorted(register.repeated()) == twice


def test_ascending_is_as_python_compares():
    texts = ["", "0", "10", "9", "A", "Z", "a", "é", "\uffff", "\U00010000"]
    assert is_ascending(pa.array(texts)) and texts == sorted(texts)
    assert is_ascending(pa.array(["x"])) and is_ascending(pa.array([], pa.string()))
    assert not is_ascending(pa.array(["a", "a"])) and not is_ascending(pa.array(["b", "a"]))


def test_quartiles_of_a_period_are_close(model_path, table, tmp_path):
    result, _ = score(model_path, TABLE, tmp_path)
    paid = pd.to_numeric(table["PAYMENTS"])
    exact = np.quantile(paid[paid > 0], [0.25, 0.5, 0.75])
    assert result.period.quartiles("payments") == pytest.approx(exact, rel=0.03)
    assert Period(result.model).quartiles("payments") is None
