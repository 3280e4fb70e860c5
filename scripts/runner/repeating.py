"""Repeat an old run: its settings from its manifest, on the same input."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from customer_tables.errors import UserError
from customer_tables.storage import file_digest
from runner import inputs, records
from runner.inputs import Options
from runner.notebook_files import NEXT_PERIOD, RUNNERS_OWN, Parameter, coerce

# They tell when and how fast a run went; everything else is made of the input and the settings.
TELLS_TIME = ("index.html", "manifest.json")


@dataclass(frozen=True)
class Record:
    """The manifest of the run that is to be repeated."""

    path: Path
    content: dict[str, Any]

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """The values of all parameters, by stage number."""
        return self.content["parameters"]

    def value_of(self, name: str) -> str:
        """Return the value that the notebooks got for a parameter; empty where none had one."""
        return next((str(v[name]) for v in self.parameters.values() if v.get(name)), "")

    def refusal(self, what: str, remedy: str) -> UserError:
        """Return the error that this run cannot be repeated as asked."""
        return UserError(what, f"--from-manifest {self.path}", remedy)


def read_record(path: Path) -> Record:
    """Read the manifest of a run: manifest.json, or the folder of results that holds it.

    Raises UserError if it is no manifest, or one of a run whose notebooks did not belong together.
    """
    record = Record(path / "manifest.json" if path.is_dir() else path, {})
    name = record.path.name
    try:
        content = json.loads(record.path.read_text(encoding="utf-8"))
    except OSError as error:
        what = f"{name} cannot be read: {error.strerror}"
        raise record.refusal(what, "check the path") from None
    except ValueError:
        content = None
    if not _is_whole(content):
        what = f"{name} is no manifest that this version can read"
        raise record.refusal(what, "name the manifest.json in a folder of results")
    if stale := [stage["number"] for stage in content["stages"] if not stage["current"]]:
        raise record.refusal(
            f"notebook {stale[0]} of that run was out of date, so no one run can repeat it",
            "run the notebooks again without --only, and take that run's manifest",
        )
    return replace(record, content=content)


def _is_whole(content: Any) -> bool:
    """Whether a manifest, which may have any origin, has the parts of one, of their types."""
    try:
        tables = [content["parameters"], content["outputs"], content.get("versions", {})]
        tables += [given := content.get("given", {}), git := content.get("git") or {}]
        if not all(isinstance(table, dict) for table in tables):
            return False
        entries = [*content["inputs"], *content["outputs"].values()]
        texts = [entry["sha256"] for entry in entries]
        texts += [entry[key] for entry in content["inputs"] for key in ("part", "name")]
        texts += [text for text in (*given.values(), git.get("commit")) if text is not None]
        values = [value for table in content["parameters"].values() for value in table.values()]
        flags = [stage["number"] and stage["current"] for stage in content["stages"]]
    except (KeyError, TypeError, AttributeError):
        return False
    return (
        content.get("schema") == records.SCHEMA
        and isinstance(content.get("quick"), bool)
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(flag, bool) for flag in flags)
        and not any(isinstance(value, dict) for value in values)
    )


def with_record(options: Options, record: Record) -> Options:
    """Take over what a manifest says about the data and the size of the run.

    Raises UserError if the manifest does not say where the data are, which it does not for a user's
    own.
    """
    given = record.content.get("given", {})
    for name in ("input", "demographics"):
        if given.get(name) and getattr(options, name) is None:
            raise record.refusal(
                f"that run read {given[name]!r}, and a manifest keeps no paths",
                f"say with --{name} where the file is; its content will be compared",
            )
    dataset = options.dataset or record.value_of("dataset")
    ours = dataset in ("", "auto") or (inputs.DATA / dataset / "dataset.toml").is_file()
    if options.dataset is None and not ours:
        raise record.refusal(
            f"that run was about {dataset!r}, which is not under data/",
            "say with --dataset where its dataset.toml is; it will be compared",
        )
    return replace(options, dataset=dataset or None, quick=bool(record.content["quick"]))


def settings_of(
    record: Record, declared: dict[str, dict[str, Parameter]], given: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Return the values to pass to each notebook, checked like those of --set.

    Parameters
    ----------
    record : Record
    declared : dict
        By stage number, what the notebook declares.
    given : dict
        Where the file of the next period is, which the manifest knows by name only.

    Raises UserError if a notebook has no such parameter any more, a value is not of its type, or it
    is not said where the file is.
    """
    commit = (record.content.get("git") or {}).get("commit")
    older = "use the version of the project that made it"
    if commit is not None:
        older = f"check out the version that made it: git checkout {commit[:12]}"
    then, now = record.value_of(NEXT_PERIOD), given.get(NEXT_PERIOD)
    if then and not now:
        raise record.refusal(
            f"that run read {then[:80]!r}, and a manifest keeps no paths",
            f"say with --set {NEXT_PERIOD}=FILE where it is; its content will be compared",
        )
    if now and not then:
        raise UserError(
            "that run read no file as its next period",
            where=f"--set {NEXT_PERIOD}={now}",
            remedy="leave it out, or run without --from-manifest",
        )
    settings: dict[str, dict[str, Any]] = {number: {} for number in declared}
    for number, values in record.parameters.items():
        known = declared.get(number, {})
        for name in sorted(values.keys() - RUNNERS_OWN.keys() - known.keys()):
            raise record.refusal(
                f"notebook {number} has no parameter {name[:80]!r} any more", older
            )
        for name, value in values.items():
            if name == NEXT_PERIOD and value:
                settings[number][name] = now
            elif name not in RUNNERS_OWN:
                settings[number][name] = coerce(known[name], str(value))
    return settings


def check_inputs(record: Record, files: dict[str, list[Path]]) -> None:
    """Hold the files of this run, by their part in it, against those of the old one.

    Raises UserError at the first file whose content differs.
    """
    for part, paths in files.items():
        known = {e["name"]: e["sha256"] for e in record.content["inputs"] if e["part"] == part}
        for path in paths:
            found = file_digest(path)
            if found in known.values():
                continue
            then = known.get(path.name) or next(iter(known.values()), "")
            raise UserError(
                f"{path.name} is not the file of that run (sha256 {found[:12]}…, "
                + (f"then {then[:12]}…)" if then else "then there was none)"),
                where=str(path),
                remedy="bring back the old file, or run without --from-manifest",
            )
        if len(paths) < len(known):
            raise record.refusal(
                f"that run read {len(known)} file(s) as its {part}, and here there are "
                f"{len(paths)}: {', '.join(known)}",
                "name all of them with --dataset, --input and --demographics",
            )


def differences_of_versions(record: Record) -> list[str]:
    """Say what runs in other versions than then, which may change numbers."""
    then, here = record.content.get("versions", {}), records.versions()
    changed = [
        f"{name} {here.get(name, 'missing')} (then {version})"
        for name, version in then.items()
        if here.get(name) != version
    ]
    notes = []
    if changed:
        notes.append(f"Other versions than then, so numbers may differ: {', '.join(changed)}.")
    before, now = record.content.get("git") or {}, records.git_state() or {}
    if before.get("commit") and before["commit"] != now.get("commit"):
        notes.append(f"That run was made by commit {before['commit'][:12]}; this is another one.")
    elif before.get("dirty") or now.get("dirty"):
        notes.append("Files of the project had been, or are, changed without a commit.")
    return notes


def compare(record: Record, results: Path) -> str:
    """Say whether this run wrote the bytes that the old one wrote."""
    then = {n: e["sha256"] for n, e in record.content["outputs"].items() if n not in TELLS_TIME}
    here = (records.read_manifest(results) or {"outputs": {}})["outputs"]
    other = sorted(n for n in then if here.get(n, {}).get("sha256") != then[n])
    if not other:
        return f"All {len(then)} files are the same as in {record.path}."
    listed = ", ".join(other[:5]) + (f" and {len(other) - 5} more" if len(other) > 5 else "")
    return f"{len(then) - len(other)} of {len(then)} files are the same; others are: {listed}."
