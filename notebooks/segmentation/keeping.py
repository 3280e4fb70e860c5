"""Keep what was found: a change of a run's dataset.toml, shown before it is written; a selection.

What changes is the description in the results folder. One that lies elsewhere is copied there with
its first change, and stays as it is.
"""

from __future__ import annotations

import copy
import difflib
import html
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tomlkit

from customer_tables.errors import UserError
from customer_tables.storage import write_atomically, write_private
from customer_tables.text import slug
from segmentation import campaigns, presentation, profiling, session, summary
from segmentation.assignment import assignment_confidence, distances
from segmentation.conditions import Customers, Members
from segmentation.dataset import Dataset, build_dataset, locate_dataset
from segmentation.disclosure import MIN_GROUP_SIZE
from segmentation.model import load_model
from segmentation.naming import NOTABLE_EFFECT, Name, name_segments

FILE = "dataset.toml"
PHRASES = ("advice", "avoid")  # of each, the first that holds is printed
PLAIN = ("name", "when", "measure", "leave_out")
PARTS = (*PLAIN, *PHRASES, *(f"{key}_when" for key in PHRASES))
# Of notebook 06, where no report says which were used.
DEFAULTS = {"raw": False, "control_share": 0.1, "response": 0.05, "response_uplift": 0.02}
BY_HAND = "The name {!r} was given by hand; it is printed while its condition holds."


@dataclass(frozen=True)
class Change:
    """A change of a run's dataset.toml: shown as a difference, and written by `write` alone.

    Attributes
    ----------
    path : Path
        The file in the results folder.
    before, after : str
        What describes the run, and what would.
    there : bytes or None
        The file's content when the change was made; None where there was no file.
    words : DataFrame
        What the report says now, and what it would say.
    caption : str
        Of what.
    command : list of str
        Makes the report once the change is written.
    """

    path: Path
    before: str
    after: str
    there: bytes | None
    words: pd.DataFrame
    caption: str
    command: list[str]

    @property
    def difference(self) -> str:
        """The lines that go and come; empty where nothing changes."""
        before, after = self.before.splitlines(), self.after.splitlines()
        return "\n".join(difflib.unified_diff(before, after, FILE, FILE, lineterm="", n=1))

    def _repr_html_(self) -> str:
        shown = html.escape(self.difference or "Nothing changes.")
        return f"<pre>{shown}</pre>{presentation.html_table(self.words, self.caption)}"

    def write(self) -> str:
        """Write what was shown; return the command that makes the report from it.

        Raises
        ------
        UserError
            If the file is another one than when the change was made, or the results are gone.
        """
        if not self.path.parent.is_dir() or _content(self.path) != self.there:
            raise UserError(
                f"{FILE} is not what this change was made from",
                where=str(self.path),
                remedy="make the change again and look at it",
            )
        write_atomically(self.path, self.after.encode())
        return shlex.join(self.command)


def change(segments: Any, segment: int, **new: str) -> Change:
    """Show how another name, condition or advice of a segment would be kept; write nothing.

    Its method `write` writes it into dataset.toml in the results folder, comments kept, and
    returns the command that makes the report. A name has a condition over the members and is
    printed only while that holds; a segment without a kind of its own gets one, from its
    profile and from what sets it apart.

    Parameters
    ----------
    segments : Segments
    segment : int
    **new : str
        name and when (its condition); advice and avoid, in place of what is printed now, with
        advice_when and avoid_when; measure; leave_out. Without any, what holds is shown.

    Raises
    ------
    UserError
        If it cannot be, such as a condition over a column that there is not.
    """
    unknown = sorted(new.keys() - {*PARTS})
    if unknown or segment not in segments.names:
        raise UserError(
            f"there is no {unknown[0]!r} to change" if unknown else f"no segment {segment!r}",
            where=f"segments: {', '.join(map(str, segments.names))}",
            remedy=f"give one of {', '.join(PARTS)}",
        )
    path, before, there, document, known = _opened(segments)
    naming = _Naming.of(segments, known)
    if any(new.values()):
        _edit(document, naming, segment, new)
        if segments.trial:
            _keep_k(document, segments)
    after = tomlkit.dumps(document) if any(new.values()) else before
    described = build_dataset(tomlkit.parse(after).unwrap(), path)
    both = {"now": naming, "then": _Naming.of(segments, described)}
    words = pd.DataFrame({when: one.said(segment) for when, one in both.items()})
    words = words[(words != "").any(axis=1)].rename_axis("text")
    about = words, f"What the report says of segment {segment}"
    return Change(path, before, after, there, *about, _command(segments, bool(segments.trial)))


def adopt(segments: Any) -> Change:
    """Show how this number of segments would be kept in dataset.toml; as `change`, otherwise.

    Raises
    ------
    UserError
        If this is a trial with features or weights of its own.
    """
    path, before, there, document, _ = _opened(segments)
    _keep_k(document, segments)
    both = {"now": segments.run.names, "then": segments.names}
    words = pd.DataFrame(both).fillna("").rename_axis("segment")
    about = words, "The segments"
    return Change(path, before, tomlkit.dumps(document), there, *about, _command(segments, True))


def _opened(segments: Any) -> tuple[Path, str, bytes | None, Any, Dataset]:
    """Read what describes a run: where a change is written, what it is made from, and as what."""
    if segments.matrix is not segments.run.matrix:
        raise UserError(
            "a trial with features or weights of its own is not kept",
            remedy=f"change the roles of features in {FILE}, run, and come back",
        )
    path, option = segments.ws.folder / FILE, segments.ws.option
    beside = session.ROOT / option if (session.ROOT / option).is_file() else option
    source, there = locate_dataset(path if path.is_file() else beside), _content(path)
    before = source.read_bytes().decode()
    document: Any = tomlkit.parse(before)
    known = build_dataset(document.unwrap(), source)
    if _formulas(known) != _formulas(segments.known):
        raise UserError(f"{FILE} has other features than the run", str(source), "run first")
    if there is None:
        _settle(document, known, path.parent)
    return path, before, there, document, known


def _keep_k(document: Any, segments: Any) -> None:
    """Write the number of segments, and which were joined by hand."""
    head = document.setdefault("dataset", tomlkit.table())
    head.pop("join", None)
    head.update({"k": segments.k} | ({"join": segments.join} if segments.join else {}))


def _command(segments: Any, k_kept: bool) -> list[str]:
    """Return the command that makes the report from its description; k may stand in that."""
    option = session.near(segments.ws.folder / FILE) if segments.ws.option else ""
    return [*segments.command(option, **({"k": "", "join": ""} if k_kept else {})), "--from", "04"]


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _formulas(known: Dataset) -> list[tuple[str, str]]:
    return [(feature.name, feature.formula) for feature in known.features]


def _settle(document: Any, known: Dataset, folder: Path) -> None:
    """Let a copy have the name of its original, and find the files that lie beside that."""
    head, lines = document.setdefault("dataset", tomlkit.table()), document.get("source", {})
    head["name"] = known.name
    for table, key in ((head, "source"), (lines, "products"), (lines, "demographics")):
        if table.get(key) and not known.origin.package:
            beside = os.path.relpath(known.folder / table[key], folder.resolve())
            table[key] = Path(beside).as_posix()


@dataclass(frozen=True)
class _Naming:
    """Names of segments as notebook 04 would give them by a description."""

    known: Dataset
    members: Members
    effects: pd.DataFrame
    names: dict[int, Name]

    @classmethod
    def of(cls, segments: Any, known: Dataset) -> _Naming:
        run, labels = segments.run, segments.customers["segment"]
        members = Members(Customers(known, run.columns, run.features), labels)
        effects = profiling.effect_sizes(run._standardised, labels)
        return cls(known, members, effects, name_segments(effects, known, members, MIN_GROUP_SIZE))

    def said(self, segment: int) -> dict[str, object]:
        """Return what the report says of a segment."""
        own = self.names[segment]
        enough = (self.members.labels == segment).sum() >= MIN_GROUP_SIZE
        words = summary.words(self.known, own, self.members if enough else None)
        nearest = f"{own.runner_up}: {own.obstacle}" if own.obstacle else ""
        return {"name": own.name} | words | {"nearest kind, and why not": nearest}


def _edit(document: Any, naming: _Naming, segment: int, new: dict[str, str]) -> None:
    """Write what is new into the archetype of a segment; it gets its own where it has none."""
    own, kinds = naming.names[segment], document.setdefault("archetypes", tomlkit.aot())
    old, shared = (str(own.name), own.archetype.name) if own.archetype else ("", "")
    if (entry := next((kind for kind in kinds if kind["name"] == old), None)) is None:
        segmenting = [f.name for f in naming.known.features_with("segment")]
        entry = _archetype(own, naming.effects.loc[segment, segmenting], new)
        texts: dict = next((kind for kind in kinds if kind["name"] == shared), {})
        entry.update({key: copy.deepcopy(texts[key]) for key in texts if key not in entry})
        kinds.append(entry)
    head = document.setdefault("dataset", tomlkit.table())
    limits, name = head.setdefault("limits", tomlkit.array()), new.get("name", old)
    if name != old:
        if BY_HAND.format(old) in limits:
            limits.remove(BY_HAND.format(old))
        limits.append(BY_HAND.format(name))
    entry.update({key: new[key] for key in PLAIN if new.get(key)})
    for key in PHRASES:
        given = {"text": new.get(key), "when": new.get(f"{key}_when")}
        given = {part: text for part, text in given.items() if text}
        known = enumerate(getattr(own.archetype, key, ()))
        held = (place for place, one in known if naming.members.claim(one, segment).holds)
        if given and (place := next(held, None)) is not None:
            entry[key][place].update(given)
        elif given:
            phrase = tomlkit.inline_table()
            phrase.update({"when": entry["when"]} | given)
            entry.setdefault(key, tomlkit.array()).insert(0, phrase)


def _archetype(own: Name, effects: pd.Series, new: dict[str, str]) -> tomlkit.items.Table:
    """Make an archetype of a segment: its notable effects, and what sets it apart."""
    when = new.get("when") or (own.description.features and own.description.name.condition)
    notable = effects[effects.abs() >= NOTABLE_EFFECT].round(1)
    if not when or notable.empty:
        raise UserError(
            f"segment {own.segment} stands out in nothing that a name could stand on",
            remedy='give the condition of the name, such as when="median(a) > 10"',
        )
    entry, pattern = tomlkit.table(), tomlkit.inline_table()
    pattern.update(notable.to_dict())
    entry.update({"name": new.get("name") or str(own.name), "pattern": pattern, "when": when})
    return entry


# --- a selection ----------------------------------------------------------------------------------


def campaign(
    segments: Any, rows: pd.Series | np.ndarray, name: str, action: str = ""
) -> pd.DataFrame:
    """Write some customers as a list with a control group, by the rules of notebook 06.

    It goes to selections/ in the results, readable by its owner only; no list is overwritten.
    Customers for whom the advice of their segment makes no sense are left out. Returned are the
    list's size and what its control group would show.

    Parameters
    ----------
    segments : Segments
    rows : array-like
        Identifiers, places, or a mask.
    name, action : str
        What the list is called, and what it is for.

    Raises
    ------
    UserError
        If there are too few customers, or a list of that name.
    """
    run, folder, mask = segments.run, segments.ws.folder, segments._rows(rows)
    path = folder / "selections" / f"{slug(name, default='selection')}.csv"
    naming, labels = _Naming.of(run, run.known), run.customers["segment"]
    for segment, own in naming.names.items():
        mask = mask & ~summary.left_out(own, naming.members, labels == segment)[0]
    if mask.sum() < MIN_GROUP_SIZE:
        raise UserError(
            f"{mask.sum()} {run.known.nouns} are too few for a list",
            where="those for whom the advice of their segment makes no sense are left out",
            remedy=f"select at least {MIN_GROUP_SIZE}",
        )
    if path.exists():
        raise UserError(f"there is a list {path.name!r}", str(path), "choose another name")
    model = load_model(folder / "model.json")["checksum"]
    report = session.report_of(folder)
    given = DEFAULTS | report.get("parameters", {}).get("06", {})
    found = assignment_confidence(distances(run.matrix[mask].to_numpy(), run.centres))
    parts = labels[mask], run.customers["name"][mask], found.set_axis(run.matrix.index[mask])
    listed, _ = campaigns.customer_list(*parts, raw=given["raw"])
    listed = listed.sort_values("confidence", ascending=False, kind="stable")
    about: dict[str, Any] = {"action": action or "none is advised", "model": model[:12]}
    about |= {"campaign": f"{path.stem}-{model[:8]}", "raw": given["raw"]}
    control = campaigns.control_group(
        listed["confidence"], about["campaign"], given["control_share"]
    )
    about |= {"control": control.to_numpy(), "columns": run.known.campaign}
    content = campaigns.campaign_list(listed, **about).to_csv(index=False, lineterminator="\n")
    write_private(path, content.encode())
    table = campaigns.power_table({name: control}, given["response"], given["response_uplift"])
    table.attrs["caption"] = f"Written: {session.near(path)}, and what its control group would show"
    return table
