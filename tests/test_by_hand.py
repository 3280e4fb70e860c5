"""Notebooks as somebody runs them in JupyterLab: nothing set, from their folder, and changed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


class Desk:
    """A copy of the project to work in, with a part of the cardholders and a quick run of them."""

    def __init__(self, folder: Path, done) -> None:
        self.folder, self.results = folder, folder / "results" / "credit_card"
        ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "customers.csv")
        for name in ("notebooks", "data"):
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        shutil.copy(done.dataset / "customers.csv", folder / "data" / "credit_card")
        shutil.copytree(done.results, self.results)

    def run(self, number: str, **typed: object) -> str:
        """Run all cells of a notebook after typing over parameters; return the sentences shown."""
        (path,) = (self.folder / "notebooks").glob(f"{number}_*.ipynb")
        notebook = nbformat.read(path, as_version=4)
        (cell,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
        for name, value in typed.items():
            cell.source, found = re.subn(
                rf"^{name}: .*", f"{name} = {value!r}", cell.source, flags=re.M
            )
            assert found == 1
        resources = {"metadata": {"path": str(path.parent)}}
        patient = {"timeout": 600, "startup_timeout": 600}  # on a machine with other work, too
        NotebookClient(notebook, kernel_name="python3", resources=resources, **patient).execute()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        assert {output.output_type for output in outputs} <= {"display_data", "execute_result"}
        return "\n".join(output.data.get("text/markdown", "") for output in outputs)

    def report(self) -> dict:
        return json.loads((self.results / "stages" / "06_report.json").read_text("utf-8"))


def test_other_features_and_another_k_go_through_to_the_profiles_and_say_what_is_stale(
    card_run, tmp_path
):
    desk = Desk(tmp_path, card_run)
    shutil.rmtree(desk.results / "tables")
    assert "stale" not in desk.run("01"), "what was there before comes out again"
    assert list((desk.results / "tables").glob("01_*.csv")), "results belong beside the notebooks"
    path = desk.folder / "data" / "credit_card" / "dataset.toml"
    toml = path.read_text(encoding="utf-8")
    mark = '[[features]]\nname = "balance"\n'
    assert mark in toml
    path.write_text(toml.replace(mark, f'{mark}role = "describe"\n'), encoding="utf-8")
    before = desk.report()
    k = 4 if before["k"] == 3 else 3
    assert before["k_set_by_hand"] is False
    for number, typed, stale in (
        ("03", {}, {"04", "05", "06", "07", "08", "09"}),
        ("04", {"k": k, "quick": True}, {"05", "06", "07", "08", "09"}),
        ("06", {"quick": True}, {"07", "08", "09"}),
    ):
        warning = [line for line in desk.run(number, **typed).split("\n") if "Now stale" in line]
        assert set(re.findall(r"\b0[1-9](?!\d)", "".join(warning))) == stale, warning
        assert len(warning) == 1 and "Run them again" in warning[0]
    assert (desk.report()["k"], desk.report()["k_set_by_hand"]) == (k, True)
    assert len(list((desk.results / "campaigns").glob("*.csv"))) == k
    model = json.loads((desk.results / "model.json").read_text("utf-8"))
    assert "balance" not in [feature["name"] for feature in model["features"]]
