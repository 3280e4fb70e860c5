"""The command that recomputes published figures."""

from pathlib import Path

import pytest

import reproduce_published as published
from customer_tables.errors import UserError

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "cc_general.csv"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no file 'other.csv'"),
        ("name,amount\n" + "".join(f"n{row},{row}\n" for row in range(60)), "no column"),
    ],
)
def test_what_is_not_the_public_table_is_refused(tmp_path, content, message):
    other = tmp_path / "other.csv"
    if content:
        other.write_text(content)
    with pytest.raises(UserError, match=message) as error:
        published.main(["--input", str(other)])
    assert len(str(error.value).splitlines()) == 3


@pytest.mark.skipif(not REAL.is_file(), reason="needs the public tables beside the project")
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
