"""Keeping what was found: changes are shown, then written; selections become lists."""

from __future__ import annotations

import re
import shutil
import stat
import tomllib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from customer_tables.errors import UserError
from segmentation.dataset import DATA_FOLDER, load_dataset
from segmentation.workspace import Workspace

ORIGINAL = DATA_FOLDER / "credit_card" / "dataset.toml"
HOLDS, FAILS = "median(purchases) >= 0", "median(purchases) < 0"


@pytest.fixture
def run(segments, holders, tmp_path):
    """The segments of a run of the embedded dataset, in a results folder of its own."""
    ws = Workspace("06", segments.known, tmp_path / "results")
    ws.option = "credit_card"
    ws.folder.mkdir()
    shutil.copy(holders.path, ws.folder / "model.json")
    return replace(segments, ws=ws)


def described(run, without: str = "") -> None:
    """Put a description among the results, as after a run of a guessed table."""
    text = ORIGINAL.read_text("utf-8")
    text = text[: text.index(without)] if without else text
    text = text.replace('"customers.csv"', f"'{ORIGINAL.with_name('customers.csv')}'")
    (run.ws.folder / "dataset.toml").write_text(text, encoding="utf-8")


def test_a_change_is_shown_and_then_written_with_its_comments(run):
    path, before = run.ws.folder / "dataset.toml", ORIGINAL.read_bytes()
    change = run.change(1, name="Our <b>best</b>", when=HOLDS, advice="Thank them.")
    assert not path.exists(), "shown only"
    assert '+name = "Our <b>best</b>"' in change.difference
    assert change.words.loc[["name", "advice"], "then"].to_list()[0] == "Our <b>best</b>"
    assert "<b>" not in change._repr_html_()
    command = change.write()
    assert f"--dataset {path}" in command and command.endswith("--from 04")
    assert ORIGINAL.read_bytes() == before
    text = path.read_text("utf-8")
    comments = re.findall(r"#.*", before.decode())
    assert comments and re.findall(r"#.*", text) == comments
    known = load_dataset(path)
    assert (known.name, known.title) == (run.known.name, run.known.title)
    assert known.source_path.samefile(run.known.source_path)
    assert known.limits[-1].startswith("The name 'Our <b>best</b>' was given by hand")
    assert run.change(1).difference == "" and "Nothing changes" in run.change(1)._repr_html_()


def test_changes_follow_each_other_and_one_of_an_older_file_is_refused(run):
    first, second = (run.change(1, name=name, when=HOLDS) for name in ("One", "Other"))
    first.write()
    with pytest.raises(UserError, match="is not what this change was made from"):
        second.write()
    run.change(1, name="Other").write()
    by_hand = [text for text in load_dataset(run.ws.folder).limits if "by hand" in text]
    assert len(by_hand) == 1 and "'Other'" in by_hand[0]
    late = run.change(1, name="Late")
    shutil.rmtree(run.ws.folder)
    with pytest.raises(UserError, match="is not what this change was made from"):
        late.write()
    assert not run.ws.folder.exists()


def test_a_name_whose_condition_does_not_hold_is_not_printed(run):
    words = run.change(1, name="Ours", when=FAILS).words
    assert words.loc["name", "then"] != "Ours"
    assert "condition does not hold" in words.loc["nearest kind, and why not", "then"]


def test_a_segment_of_no_known_kind_gets_one_of_its_own(run):
    described(run, without="# --- Conditions of archetypes")
    change = run.change(2, name="Ours", advice="Greet them.", avoid="Shout.")
    assert change.words["then"].to_dict() | {"summary": "", "grounds": "", "measure": ""} == {
        "name": "Ours",
        "summary": "",
        "advice": "Greet them.",
        "avoid": "Shout.",
        "measure": "",
        "grounds": "",
    }
    (kind,) = tomllib.loads(change.after)["archetypes"]
    effects = run.profile()[2].round(1)
    assert set(kind["pattern"].values()) <= set(effects) and "highest" in kind["when"]


def test_a_segment_that_shares_its_kind_gets_one_of_its_own_with_the_same_texts(run):
    described(run, without="# --- Conditions of archetypes")
    path, profile = run.ws.folder / "dataset.toml", run.profile()
    feature = next(f for f in run.known.features_with("segment") if f.name == "oneoff_per_month")
    low = [s for s in profile if profile.loc[feature.label, s] <= -0.5]
    assert len(low) > 1
    kind = f'[[archetypes]]\nname = "Rare"\npattern = {{ {feature.name} = -1 }}\n'
    kind += f'when = "{HOLDS}"\nadvice = [{{ text = "Greet them.", when = "{HOLDS}" }}]\n'
    path.write_text(path.read_text("utf-8") + "\n" + kind, encoding="utf-8")
    change = run.change(low[0], avoid="Shout.")
    assert change.words.loc["advice", "then"] == "Greet them."
    first, second = tomllib.loads(change.after)["archetypes"]
    assert second["name"].startswith("Rare: ") and "avoid" not in first
    assert second["advice"] == first["advice"]


def test_the_name_of_a_trial_goes_with_its_number_of_segments(run):
    trial = run.at(3)
    assert "+k = 3" in trial.change(3, name="Thirds", when=HOLDS).difference
    assert "+k" not in run.change(3, name="Fourths", when=HOLDS).difference
    with pytest.raises(UserError, match="is not kept"):
        run.refit(3).change(1, name="x")


@pytest.mark.parametrize(
    ("segment", "new", "said"),
    [
        (1, {"nmae": "x"}, "there is no 'nmae' to change"),
        (9, {"name": "x"}, "no segment 9"),
        (1, {"when": "median(salary) > 0"}, "'salary'"),
        (1, {"advice": "They hold {of_total(salary)}."}, "'salary'"),
        (1, {"name": "Cash-only users"}, "twice|two|already|distinct"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(run, segment, new, said):
    with pytest.raises(UserError, match=said):
        run.change(segment, **new)
    assert not (run.ws.folder / "dataset.toml").exists()


def test_a_description_of_other_features_than_the_run_s_is_run_first(run):
    described(run)
    path = run.ws.folder / "dataset.toml"
    path.write_text(path.read_text("utf-8").replace('name = "utilisation"', 'name = "used"'))
    with pytest.raises(UserError) as refused:
        run.change(1, name="x")
    assert str(path) in str(refused.value)


def test_two_segments_begin_as_one_and_are_kept_in_the_description(run):
    labels = run.customers["segment"]
    trial = run.merge(1, 2)
    both, after = labels.isin([1, 2]), trial.customers["segment"]
    assert trial.k == run.k - 1 and trial.published is run
    kept = after[both].value_counts(normalize=True).max()
    assert f"1 and 2 of k = 4 begin as one; {kept:.0%} of their members" in trial._repr_html_()
    value = run.columns[run.known.value].groupby(after).mean()
    assert value.is_monotonic_decreasing, "numbered as in a report"
    change = trial.adopt()
    assert {"+k = 3", '+join = "1+2"'} <= {*change.difference.splitlines()}
    assert list(change.words["then"]) == [*trial.names.values(), ""]
    command = change.write()
    assert "--set" not in command and command.endswith("--from 04")
    known = load_dataset(run.ws.folder / "dataset.toml")
    assert (known.k, known.join) == (3, "1+2")
    once_more = trial.merge(1, 3)
    assert (once_more.k, once_more.join) == (2, "1+2, 1+3")
    assert '-join = "1+2"' in run.at(2).adopt().difference, "of another k"


@pytest.mark.parametrize("pair", [(1, 1), (0, 2), (1, 5)])
def test_only_two_segments_of_the_run_s_features_can_begin_as_one(run, pair):
    with pytest.raises(UserError, match="no two segments"):
        run.merge(*pair)
    with pytest.raises(UserError, match="no two segments"):
        run.refit(weights={next(iter(run.matrix)): 2.0}).merge(1, 2)
    with pytest.raises(UserError, match="one segment would remain"):
        run.at(2).merge(1, 2)


def test_a_selection_becomes_a_list_with_a_control_group(run):
    run.ws.dataset = replace(run.known, campaign={"customer": "KEY"}, archetypes=())
    rows = np.arange(len(run.matrix)) < 200
    table = run.campaign(run.matrix.index[rows], "Near & far", action="=1+1")
    path = run.ws.folder / "selections" / "near-far.csv"
    listed = pd.read_csv(path)
    assert set(listed["KEY"]) == set(run.matrix.index[rows])
    assert listed["confidence"].is_monotonic_decreasing
    assert (listed["group"] == "control").sum() == table.loc["Near & far", "control group"]
    assert abs((listed["group"] == "control").mean() - 0.1) < 0.02
    assert (listed["action"] == "'=1+1").all() and listed["campaign"].nunique() == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for given, said in ((rows, "there is a list"), (rows & (rows.cumsum() < 10), "too few")):
        with pytest.raises(UserError, match=said):
            run.campaign(given, "Near & far" if said != "too few" else "Few")
    assert len(list(path.parent.iterdir())) == 1


def test_customers_for_whom_an_advice_makes_no_sense_are_on_no_list(run):
    kinds = [replace(kind, leave_out="purchases > 0") for kind in run.known.archetypes]
    run.ws.dataset = replace(run.known, archetypes=tuple(kinds))
    run.campaign(np.ones(len(run.matrix), bool), "All")
    listed = pd.read_csv(run.ws.folder / "selections" / "all.csv")
    gone = run.columns.drop(listed["customer"])
    assert len(gone) and (gone["purchases"] > 0).all()
