"""An old run once more: its settings from its manifest, on the very same input."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from customer_tables.errors import UserError
from customer_tables.storage import file_digest
from runner import inputs, manifest, stamps
from runner.arguments import Options
from runner.environment import ROOT
from runner.parameters import FILES, RUNNERS_OWN, Parameter, coerce
from segmentation.stages import renamed_since

# They tell when and how fast a run went; everything else is made of the input and the settings.
TELLS_TIME = ("index.html", "manifest.json")


@dataclass(frozen=True)
class Record:
    """What is known about the run that is to be repeated.

    Attributes
    ----------
    path : pathlib.Path
        The manifest.
    content : dict
    """

    path: Path
    content: dict[str, Any]

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """The values of all parameters, by stage number."""
        return self.content["parameters"]

    @property
    def dataset(self) -> str:
        """The dataset as the notebooks got it: a name, or "auto"."""
        return next((str(v["dataset"]) for v in self.parameters.values() if "dataset" in v), "")

    def hashes(self, part: str) -> dict[str, str]:
        """Return the SHA-256 of the input files of one part, by name."""
        return {e["name"]: e["sha256"] for e in self.content["inputs"] if e["part"] == part}


def read_record(path: Path) -> Record:
    """Read the manifest of a run.

    Parameters
    ----------
    path : pathlib.Path
        manifest.json, or the folder of results that holds it.

    Raises
    ------
    UserError
        If it is no manifest, or one of a run whose notebooks did not belong together.
    """
    file = path / "manifest.json" if path.is_dir() else path
    where = f"--from-manifest {path}"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{file.name} cannot be read: {error.strerror}", where=where, remedy="check the path"
        ) from None
    except ValueError:
        content = None
    if not _is_whole(content):
        raise UserError(
            f"{file.name} is no manifest that this version can read",
            where=where,
            remedy="name the manifest.json in a folder of results",
        )
    stale = [stage["number"] for stage in content["stages"] if not stage["current"]]
    if stale:
        raise UserError(
            f"notebook {stale[0]} of that run was out of date, so no one run can repeat it",
            where=where,
            remedy="run the notebooks again without --only, and take that run's manifest",
        )
    return Record(file, content)


def _is_whole(content: Any) -> bool:
    """Whether a manifest, which anybody may have written, has the parts of one, of their types."""
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
        content.get("schema") == manifest.SCHEMA
        and isinstance(content.get("quick"), bool)
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(flag, bool) for flag in flags)
        and not any(isinstance(value, dict) for value in values)
    )


def with_record(options: Options, record: Record) -> Options:
    """Take over what a manifest says about the data and the size of the run.

    Raises
    ------
    UserError
        If the manifest does not say where the data are, which it does not for a user's own.
    """
    where = f"--from-manifest {options.manifest}"
    given = record.content.get("given", {})
    for name, option in (("input", "--input"), ("demographics", "--demographics")):
        if given.get(name) and getattr(options, name) is None:
            raise UserError(
                f"that run read {given[name]!r}, and a manifest keeps no paths",
                where=where,
                remedy=f"say with {option} where the file is; its content will be compared",
            )
    dataset = options.dataset or record.dataset
    if options.dataset is None and dataset not in ("", "auto"):
        if not (inputs.DATA / dataset / "dataset.toml").is_file():
            raise UserError(
                f"that run was about {dataset!r}, which is not under data/",
                where=where,
                remedy="say with --dataset where its dataset.toml is; it will be compared",
            )
    return replace(options, dataset=dataset or None, quick=bool(record.content["quick"]))


def settings_of(
    record: Record, declared: dict[str, dict[str, Parameter]], files: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """Return the values to pass to each notebook, checked like those of --set.

    Parameters
    ----------
    record : Record
    declared : dict
        By stage number, what the notebook declares.
    files : dict
        By parameter, where the files are that the manifest knows by name only.

    Raises
    ------
    UserError
        If a notebook has no such parameter any more, a value is not of its type, or it is not said
        where a file is.
    """
    renamed = renamed_since(record.content)
    if renamed:
        raise UserError(
            f"that run was made by earlier notebooks: {renamed}",
            where=f"--from-manifest {record.path}",
            remedy=_older_version(record),
        )
    _check_files(record, files)
    settings: dict[str, dict[str, Any]] = {}
    for number, values in record.parameters.items():
        known = declared.get(number, {})
        settings[number] = {}
        for name, value in values.items():
            if name in RUNNERS_OWN:
                continue
            if name not in known:
                raise UserError(
                    f"notebook {number} has no parameter {name[:80]!r} any more",
                    where=f"--from-manifest {record.path}",
                    remedy=_older_version(record),
                )
            value = files[name] if value and name in FILES else coerce(known[name], str(value))
            settings[number][name] = value
    return {number: settings.get(number, {}) for number in declared}


def _check_files(record: Record, files: dict[str, str]) -> None:
    """Check that just those files are named which parameters of the old run named."""
    for name in FILES:
        then = next((v[name] for v in record.parameters.values() if v.get(name)), "")
        if then and not files.get(name):
            raise UserError(
                f"that run read {str(then)[:80]!r}, and a manifest keeps no paths",
                where=f"--from-manifest {record.path}",
                remedy=f"say with --set {name}=FILE where it is; its content will be compared",
            )
        if files.get(name) and not then:
            raise UserError(
                f"that run read no file as its {FILES[name]}",
                where=f"--set {name}={files[name]}",
                remedy="leave it out, or run without --from-manifest",
            )


def _older_version(record: Record) -> str:
    commit = (record.content.get("git") or {}).get("commit")
    if commit is None:
        return "use the version of the project that made it"
    return f"check out the version that made it: git checkout {commit[:12]}"


def check_inputs(record: Record, files: dict[str, list[Path]]) -> None:
    """Hold the input of this run against that of the old one.

    Parameters
    ----------
    record : Record
    files : dict
        By part in the run, its files.

    Raises
    ------
    UserError
        At the first file whose content differs.
    """
    for part, paths in files.items():
        known = record.hashes(part)
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
            raise UserError(
                f"that run read {len(known)} file(s) as its {part}, and here there are "
                f"{len(paths)}: {', '.join(known)}",
                where=f"--from-manifest {record.path}",
                remedy="name all of them with --dataset, --input and --demographics",
            )


def differences_of_versions(record: Record) -> list[str]:
    """Say what runs in other versions than then, which may change numbers."""
    then, here = record.content.get("versions", {}), stamps.versions()
    changed = [
        f"{name} {here.get(name, 'missing')} (then {version})"
        for name, version in then.items()
        if here.get(name) != version
    ]
    told = []
    if changed:
        told.append(f"Other versions than then, so numbers may differ: {', '.join(changed)}.")
    before, now = record.content.get("git") or {}, manifest.git_state(ROOT) or {}
    if before.get("commit") and before["commit"] != now.get("commit"):
        told.append(f"That run was made by commit {before['commit'][:12]}; this is another one.")
    elif before.get("dirty") or now.get("dirty"):
        told.append("Files of the project had been, or are, changed without a commit.")
    return told


def compare(record: Record, results: Path) -> str:
    """Say whether this run wrote the bytes that the old one wrote."""
    then = {n: e["sha256"] for n, e in record.content["outputs"].items() if n not in TELLS_TIME}
    new = manifest.read(results) or {"outputs": {}}
    here = {n: e["sha256"] for n, e in new["outputs"].items() if n not in TELLS_TIME}
    other = sorted(n for n in then if here.get(n) != then[n])
    if not other:
        return f"All {len(then)} files are the same as in {record.path}."
    listed = ", ".join(other[:5]) + (f" and {len(other) - 5} more" if len(other) > 5 else "")
    return f"{len(then) - len(other)} of {len(then)} files are the same; others are: {listed}."
