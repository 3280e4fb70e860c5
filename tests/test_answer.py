"""The last lines of a run on the terminal: the segments, what they are worth, where to go on."""

import json
import sys
from pathlib import Path

from runner import ROOT, terminal


def parts(*shares):
    return [{"share": share} for share in shares]


def write(folder, **more):
    segments = [
        {"name": "Big spenders", "customers": 1200, "share": 0.12, "values": parts(0.6, 0.2)},
        {"name": "Sleep\x1b[31mers", "customers": 8795, "share": 0.8795, "values": parts(0.003, 1)},
        {"name": "x" * 99, "customers": 5, "share": 0.0005, "values": parts(None, None)},
    ]
    content = {"customers": 10_000, "nouns": "clients", "k": 3, "quick": False}
    content |= {
        "verdict": {"word": "constructed"},
        "values": [{"label": "turnover"}, {"label": "debt"}],
    }
    content |= {"segments": segments} | more
    (folder / "stages").mkdir(exist_ok=True)
    (folder / "stages" / "06_report.json").write_text(json.dumps(content))
    return terminal.found(folder)


def test_segments_have_name_size_and_share_of_the_value(tmp_path):
    assert terminal.found(tmp_path) == [], "a run without profiles has no answer"
    lines = [line for line in write(tmp_path) if line]
    assert lines[0] == "The 10,000 clients are divided into 3 segments; verdict: constructed."
    assert lines[1].split() == ["segment", "clients", "share", "of", "turnover", "of", "debt"]
    assert lines[2].split() == ["Big", "spenders", "1,200", "12%", "60%", "20%"]
    assert lines[3].split()[-4:] == ["8,795", "88%", "0.3%", "100%"]
    assert lines[4].split()[1:] == ["5", "0.1%", "–", "–"]  # too few customers to say
    assert "\x1b" not in "".join(lines) and max(map(len, lines)) < 100


def test_a_quick_look_says_so_and_no_value_leaves_no_column(tmp_path):
    none = [{"name": "Regulars", "customers": 10_000, "share": 1.0, "values": []}]
    lines = write(tmp_path, quick=True, values=[], segments=none)
    assert "verdict: constructed (quick settings: a look, no basis for a decision)." in lines[1]
    assert lines[3].split() == ["segment", "clients", "share"]


def test_the_command_for_jupyterlab_can_be_copied(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(ROOT / "env"))
    monkeypatch.chdir(ROOT)
    jupyter, notebook = Path("env", "bin", "jupyter"), Path("notebooks", "explore.ipynb")
    assert terminal.explore() == f"{jupyter} lab {notebook}"
    monkeypatch.setattr(sys, "prefix", "/some where/.venv")
    monkeypatch.chdir(tmp_path)
    assert terminal.explore().startswith('"/some where/.venv/bin/jupyter" lab ')


COLUMNS = """column,file,use
key,x.csv,tells customers apart
spent,x.csv,Spent (money): segments
vi\x1bsits,x.csv,Visits (count): segments
age,x.csv,Age (number): describes
code,x.csv,left out: perhaps codes
"""


def test_what_was_guessed_of_the_columns_is_told(tmp_path):
    assert terminal.columns(tmp_path, guessed=True) == []
    (tmp_path / "tables").mkdir()
    path = tmp_path / "tables" / "01_columns.csv"
    path.write_text(COLUMNS)
    gone = ["Columns of the files that play no part:", "  code: left out: perhaps codes"]
    assert terminal.columns(tmp_path, guessed=False) == gone
    head, *told = terminal.columns(tmp_path, guessed=True)
    assert "guessed" in head and "--role" in head
    apart = "  tells customers apart: key"
    assert told == [apart, "  segments: spent and vi sits", "  describes: age", *gone]
    path.write_text(COLUMNS.replace("tells customers apart", "Key (number): segments"))
    assert "  tells customers apart: no column" in terminal.columns(tmp_path, guessed=True)
    path.write_text("column,file,use\n" + "".join(f"c{i},x.csv,left out: why\n" for i in range(20)))
    assert terminal.columns(tmp_path, guessed=True)[-1] == "  and 12 more"
    path.write_text("column,file,use\nwho,x.csv,customer\npaid,x.csv,amount\n")
    told = terminal.columns(tmp_path, guessed=True)
    assert told[1:] == ["  customer: who", "  amount: paid"]
    heads = "change,what was found,column,rows,what was done\n"
    (tmp_path / "tables" / "01_changes.csv").write_text(
        f"{heads}1,lines that say 'void',paid,1,left out\n2,missing,gone,9,filled\n"
    )
    path.write_text("column,file,use\ngone,x.csv,left out: why\n")
    assert terminal.columns(tmp_path, guessed=False)[1:] == ["  gone: left out: why"]
    told = terminal.columns(tmp_path, guessed=True)
    assert told[-1] == "  lines that say 'void' (paid), 1 row: left out"
