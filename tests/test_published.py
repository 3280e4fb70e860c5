"""The command that recomputes published figures."""

from pathlib import Path

import pytest

from runner import published

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "cc_general.csv"


def test_a_missing_file_is_the_users_mistake(tmp_path, capsys):
    assert published.main(["--input", str(tmp_path / "none.csv")]) == 2
    error = capsys.readouterr().err
    assert "none.csv" in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) <= 3


def test_another_table_is_refused(tmp_path, capsys):
    other = tmp_path / "other.csv"
    other.write_text("name,amount\n" + "".join(f"n{row},{row}\n" for row in range(60)))
    assert published.main(["--input", str(other)]) == 2
    assert "no column" in capsys.readouterr().err


@pytest.mark.skipif(not REAL.is_file(), reason="the public table is not at hand")
def test_published_figures_are_met():
    table = published.read_public_table(REAL)
    found = published.reproduce(table)
    assert len(found) == 61
    largest = found.set_index("figure")["difference"].abs().groupby("figure").max()
    assert largest["silhouette"] <= 0.005
    assert largest["cumulative variance"] <= 0.001
    assert largest["inertia"] <= 1
    shown = published.artefacts(table).set_index("method")
    assert shown["silhouette"].round(3).tolist() == [0.841, 0.783]
    assert shown["sizes"].tolist() == ["8,949, 1", "8,612, 23, 1"]
