"""The style of the notebooks: stored clean, in small steps, with prose that no rerun makes untrue.

Each rule is a function that lists what is wrong in a notebook. The second half of the file breaks a
sound notebook on purpose, rule by rule, so that no rule can fall silent.
"""

from __future__ import annotations

import ast
import io
import json
import re
import statistics
import tokenize
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("0*.ipynb"))
COMMON = {"dataset": "str", "results_dir": "str", "quick": "bool"}  # the first parameters of all

MEDIAN_LINES, MANY_LINES, MOST_LINES = 6, 15, 25  # of a code cell: median, 90th percentile, most
PROSE_FOR_CODE = (0.9, 1.2)  # markdown cells for each code cell
LONGEST_RUN = 3  # code cells without a word between them

# Numbers in prose that are no results, because they define something.
DEFINITIONS = (
    r"\b[Nn]otebooks? 0\d(?:(?:,| to| and) 0\d)*",  # the notebooks' own names
    r"\bk = \d+\b",
    r"(?:[A-ZÀ-Ý][\w-]+|al\.) (?:18|19|20)\d\d\b",  # citations
    r"\b1\.5 interquartile ranges\b",
    r"\b(?:5 to 95|95|1|2|30) %",  # quantiles and intervals
    r"\b(?:80|90) % of the variance\b",
    r"\b99th percentile\b",
    r"\bbetween 0 and 1\b",
    r"\bmean 0 and standard deviation 1\b",
    r"(?:least|±)\.\d\b|(?:least|from) [±]?\.\d\b",  # thresholds that the code applies
    r"\bnothing to divide by is 0\b",
    r"\b1 (?:when|is|at|for)\b[^.]*?(?:\b0 (?:when|is|on)\b|alike|match|perfect|both)",  # scales
    r"\babout 0 when\b",
    r"\b[23]-D\b",
    r"\brank 2\b",
)
NUMBER_WORDS = "three|four|five|six|seven|eight|nine|ten|eleven|twelve"
COUNTED = "segments|clusters|groups|features|columns|customers"

PROPER_NAMES = {
    "Boolean", "Calinski-Harabasz", "Davies-Bouldin", "DBSCAN", "Gaussian", "HDBSCAN", "K-Means",
    "Keras", "Lorenz", "PCA", "R²", "Ward",
}  # fmt: skip
FORBIDDEN = r"\b(?:simply|just|obviously|of course|trivial(?:ly)?|needless to say)\b"
AMERICAN = r"\b(?:colors?|centers?|behaviors?|(?:normal|standard|summar)iz\w+|analyz\w+|gray)\b"
UNWANTED = {
    r"fmt: (?:skip|off)": "a comment against the formatter",
    r"\bnoqa\b": "a comment against the linter",
    r"\b(?:filterwarnings|simplefilter)\b": "a filter for warnings",
    r"(?:/home/|/Users/|/work/|/tmp/|/root/|[A-Z]:\\)": "a path of somebody's own disk",
    r"^\s*[%!]": "a magic or shell command",
    r"\bprint\(": "a printed line in place of a shown sentence",
}


def read(path: Path) -> NotebookNode:
    """Read a notebook as it is stored; nbformat's own reader would mend it."""
    return nbformat.from_dict(json.loads(path.read_text(encoding="utf-8"), object_hook=_joined))


def _joined(part: dict) -> dict:
    source = part.get("source")
    return {**part, "source": "".join(source)} if isinstance(source, list) else part


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def headings(notebook: NotebookNode) -> list[tuple[int, str]]:
    found = re.findall(r"^(#+) (.+)$", "\n".join(prose(notebook)), flags=re.MULTILINE)
    return [(len(marks), text.strip()) for marks, text in found]


def lines_of(source: str) -> int:
    """Count lines of code: neither empty nor a comment."""
    lines = (line.strip() for line in source.splitlines())
    return sum(bool(line) and not line.startswith("#") for line in lines)


# --- rules ----------------------------------------------------------------------------------------


def stored_clean(notebook: NotebookNode) -> list[str]:
    """No outputs, no counts, the general kernel, unique identifiers of cells."""
    problems = []
    for cell in code_cells(notebook):
        if cell.outputs or cell.execution_count is not None:
            problems.append(f"stored with outputs: {cell.source[:40]!r}")
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        problems.append("the kernel is not python3")
    identifiers = [cell.get("id", "") for cell in notebook.cells]
    if len(set(identifiers)) < len(identifiers) or not all(identifiers):
        problems.append("cells without an identifier of their own")
    return problems


def one_title(notebook: NotebookNode) -> list[str]:
    """One H1, first of all, and the same text as the page's title."""
    titles = [text for level, text in headings(notebook) if level == 1]
    problems = [] if len(titles) == 1 else [f"{len(titles)} headings of the first level"]
    if notebook.metadata.get("title") not in titles:
        problems.append("metadata.title is not the heading")
    if not notebook.cells[0].source.startswith("# "):
        problems.append("the first cell is not the title")
    return problems


def says_what_it_is_for(notebook: NotebookNode) -> list[str]:
    """The first cell asks the question and says what is read, written and gained."""
    words = ("**Question.**", "**Reads**", "**Writes**", "**Afterwards**")
    return [
        f"the first cell lacks {word}" for word in words if word not in notebook.cells[0].source
    ]


def one_import_cell(notebook: NotebookNode) -> list[str]:
    """All imports stand in one cell, which holds nothing else."""
    importing = []
    for cell in code_cells(notebook):
        tree = ast.parse(cell.source)
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(tree)):
            importing.append(tree)
    if len(importing) != 1:
        return [f"{len(importing)} cells import"]
    others = [n for n in importing[0].body if not isinstance(n, ast.Import | ast.ImportFrom)]
    return ["the import cell does more than import"] if others else []


def parameters_explained(notebook: NotebookNode) -> list[str]:
    """One parameters cell: plain names with a type, a literal value and a comment on each line."""
    tagged = [c for c in code_cells(notebook) if "parameters" in c.metadata.get("tags", [])]
    if len(tagged) != 1:
        return [f"{len(tagged)} cells are tagged parameters"]
    problems, names = [], {}
    tokens = tokenize.generate_tokens(io.StringIO(tagged[0].source).readline)
    commented = {token.start[0] for token in tokens if token.type == tokenize.COMMENT}
    for line in ast.parse(tagged[0].source).body:
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name):
            problems.append(f"no type: {ast.unparse(line)}")
            continue
        name = line.target.id
        names[name] = ast.unparse(line.annotation)
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            problems.append(f"{name} is not lower_snake_case")
        if line.lineno not in commented:
            problems.append(f"{name} has no comment")
        try:
            ast.literal_eval(line.value)
        except (ValueError, TypeError):
            problems.append(f"{name} is derived: an injected value would not reach it")
    if list(names.items())[: len(COMMON)] != list(COMMON.items()):
        problems.append(f"the first parameters are not {', '.join(COMMON)}")
    return problems


def short_cells(notebook: NotebookNode) -> list[str]:
    """Code comes in small steps."""
    lengths = sorted(lines_of(cell.source) for cell in code_cells(notebook))
    many = lengths[int(0.9 * len(lengths))]
    limits = {
        f"median {statistics.median(lengths)} lines": statistics.median(lengths) > MEDIAN_LINES,
        f"90th percentile {many} lines": many > MANY_LINES,
        f"a cell of {lengths[-1]} lines": lengths[-1] > MOST_LINES,
    }
    return [problem for problem, broken in limits.items() if broken]


def prose_between(notebook: NotebookNode) -> list[str]:
    """About one piece of prose for each code cell, and no long runs of code."""
    kinds = "".join(cell.cell_type[0] for cell in notebook.cells)
    ratio = kinds.count("m") / max(kinds.count("c"), 1)
    run = max(len(part) for part in kinds.split("m"))
    problems = []
    if not PROSE_FOR_CODE[0] <= ratio <= PROSE_FOR_CODE[1]:
        problems.append(f"{ratio:.2f} markdown cells for each code cell")
    if run > LONGEST_RUN:
        problems.append(f"{run} code cells in a row")
    return problems


def figures_announced(notebook: NotebookNode) -> list[str]:
    """Prose right before a figure says what to look for; a caption and a text go with it."""
    problems, before = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            calls = [n for n in ast.walk(ast.parse(cell.source)) if _is_figure(n)]
            if calls and before != "markdown":
                problems.append(f"a figure without a word before: {cell.source[:40]!r}")
            if any(len(call.args) + len(call.keywords) != 4 for call in calls):
                problems.append(f"a figure without caption or text: {cell.source[:40]!r}")
        before = cell.cell_type
    return problems


def _is_figure(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "ws.figure"


def no_typed_results(notebook: NotebookNode) -> list[str]:
    """No number in prose that another run could make untrue."""
    problems = []
    for text in prose(notebook):
        rest = re.sub(r"`[^`]*`|\]\([^)]*\)", " ", text)
        for definition in DEFINITIONS:
            rest = re.sub(definition, " ", rest)
        for found in re.finditer(r"[^.\n]{0,30}\d[^.\n]{0,20}", rest):
            problems.append(f"a typed number: {found.group().strip()!r}")
        for found in re.finditer(rf"\b(?:{NUMBER_WORDS}) (?:{COUNTED})\b", rest, re.IGNORECASE):
            problems.append(f"a typed count: {found.group()!r}")
    return problems


def sentence_case(notebook: NotebookNode) -> list[str]:
    """Headings are written like sentences, names excepted."""
    problems = []
    for _, text in headings(notebook):
        words = re.findall(r"[^\W\d_][\w²-]*", text)
        wrong = [w for w in words[1:] if w[0].isupper() and w not in PROPER_NAMES]
        if wrong or not text[0].isupper():
            problems.append(f"no sentence case: {text!r}")
    return problems


def plain_british_words(notebook: NotebookNode) -> list[str]:
    """No word that talks down to a reader, in prose or generated sentences; British spelling."""
    texts = prose(notebook)
    for cell in code_cells(notebook):
        strings = (n.value for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Constant))
        texts += [text for text in strings if isinstance(text, str) and " " in text]
    return [
        f"{found.group()!r} in {text[:40]!r}"
        for text in texts
        for found in re.finditer(f"{FORBIDDEN}|{AMERICAN}", text, re.IGNORECASE)
    ]


def nothing_unwanted(notebook: NotebookNode) -> list[str]:
    """No commands against tools, no paths of one's own, no magics."""
    return [
        f"{meaning}: {found.group()!r}"
        for cell in notebook.cells
        for pattern, meaning in UNWANTED.items()
        for found in re.finditer(pattern, cell.source, re.MULTILINE)
        if cell.cell_type == "code" or "path" in meaning
    ]


def comes_to_an_end(notebook: NotebookNode) -> list[str]:
    """What was found, the limits, where to go next, the versions."""
    found = [i for i, c in enumerate(notebook.cells) if c.source.startswith("## What was found")]
    problems = [] if found else ["no section on what was found"]
    said = [c for c in notebook.cells[found[0] if found else 0 :] if "ws.say(" in c.source]
    if not said:
        problems.append("what was found is not generated")
    for word in ("**Limits.**", "**Next:**"):
        if word not in notebook.cells[-2].source:
            problems.append(f"the last prose lacks {word}")
    if notebook.cells[-1].source != "ws.finish()":
        problems.append("the last cell is not ws.finish()")
    return problems


RULES = (
    stored_clean,
    one_title,
    says_what_it_is_for,
    one_import_cell,
    parameters_explained,
    short_cells,
    prose_between,
    figures_announced,
    no_typed_results,
    sentence_case,
    plain_british_words,
    nothing_unwanted,
    comes_to_an_end,
)


# --- the notebooks --------------------------------------------------------------------------------


def test_the_series_is_whole():
    numbers = [f"{number:02d}" for number in range(1, 10)]
    assert [path.name[:2] for path in NOTEBOOKS] == numbers


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_style(path: Path, rule: Callable[[NotebookNode], list[str]]):
    assert rule(read(path)) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem[:2])
def test_format_is_valid(path: Path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)


def missing_links(notebook: NotebookNode, folder: Path, successor: str) -> list[str]:
    """Links to notebooks that are not there; the last prose has to link to the successor."""
    links = re.findall(r"\]\(([^)#]+\.ipynb)[^)]*\)", "\n".join(prose(notebook)))
    problems = [f"no such notebook: {link}" for link in links if not (folder / link).is_file()]
    if successor and f"]({successor})" not in notebook.cells[-2].source:
        problems.append(f"no link to {successor}")
    return problems


@pytest.mark.parametrize(
    "place", range(len(NOTEBOOKS)), ids=lambda place: NOTEBOOKS[place].name[:2]
)
def test_series_is_linked(place: int):
    names = [path.name for path in NOTEBOOKS] + [""]
    assert missing_links(read(NOTEBOOKS[place]), FOLDER, names[place + 1]) == []


def test_common_parameters_are_identical():
    """The same lines, comments included, so that the help of all says the same."""
    first = {
        tuple(cell.source.splitlines()[: len(COMMON)])
        for path in NOTEBOOKS
        for cell in code_cells(read(path))
        if "parameters" in cell.metadata.get("tags", [])
    }
    assert len(first) == 1


# --- the rules can fail ---------------------------------------------------------------------------


def sound() -> NotebookNode:
    """Write a small notebook that keeps every rule."""
    cells = [
        new_markdown_cell(
            "# A title\n\n**Question.** Why? **Reads** a. **Writes** b. **Afterwards** c."
        ),
        new_code_cell("import numpy as np\nfrom segmentation.workspace import Workspace"),
        new_code_cell(
            'dataset: str = "x"  # a name\nresults_dir: str = ""  # a folder\n'
            "quick: bool = False  # small\nlow: float = -1.5  # a bound",
            metadata={"tags": ["parameters"]},
        ),
        new_markdown_cell("## The scan over k\n\nAt least .8, as notebook 02 says (Hennig 2007)."),
        new_code_cell('ws = Workspace.open("01", dataset=dataset)'),
        new_markdown_cell("Look for 95 % intervals, and K-Means at k = 4."),
        new_code_cell('ws.figure(figure, "name", "A caption.", text)'),
        new_markdown_cell("What the figure does not show."),
        new_markdown_cell("## What was found"),
        new_code_cell('ws.say("{n} segments.", n=3)'),
        new_markdown_cell("**Limits.** Some.\n\n**Next:** [more](02_next.ipynb)."),
        new_code_cell("ws.finish()"),
    ]
    metadata = {"title": "A title", "kernelspec": {"name": "python3", "display_name": "Python 3"}}
    return new_notebook(cells=cells, metadata=metadata)


def replace(place: int, old: str, new: str) -> Callable[[NotebookNode], None]:
    """Return a change of one cell's text."""

    def change(notebook: NotebookNode) -> None:
        assert old in notebook.cells[place].source
        notebook.cells[place].source = notebook.cells[place].source.replace(old, new)

    return change


def insert(place: int, *cells: NotebookNode) -> Callable[[NotebookNode], None]:
    return lambda notebook: notebook.cells.__setitem__(slice(place, place), list(cells))


def output(notebook: NotebookNode) -> None:
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="left behind")]


def count(notebook: NotebookNode) -> None:
    notebook.cells[1].execution_count = 1


def kernel(notebook: NotebookNode) -> None:
    notebook.metadata.kernelspec.name = "my-own-kernel"


def twins(notebook: NotebookNode) -> None:
    notebook.cells[3].id = notebook.cells[1].id


def untitled(notebook: NotebookNode) -> None:
    notebook.metadata.title = "Another title"


def untagged(notebook: NotebookNode) -> None:
    notebook.cells[2].metadata.tags = []


def long_step(lines: int) -> NotebookNode:
    return new_code_cell("\n".join(f"x = {line}" for line in range(lines)))


BREAKS = [
    (stored_clean, output),
    (stored_clean, count),
    (stored_clean, kernel),
    (stored_clean, twins),
    (one_title, untitled),
    (one_title, replace(3, "## The", "# The")),
    (one_title, replace(0, "# A", "## A")),
    (says_what_it_is_for, replace(0, "**Writes**", "Writes")),
    (one_import_cell, replace(4, "ws", "import pandas\nws")),
    (one_import_cell, replace(4, "ws", "def later():\n    import pandas\nws")),
    (one_import_cell, replace(1, "import numpy", "x = 1\nimport numpy")),
    (parameters_explained, untagged),
    (parameters_explained, replace(2, "low: float", "low")),
    (parameters_explained, replace(2, "low:", "Low:")),
    (parameters_explained, replace(2, "  # a bound", "")),
    (parameters_explained, replace(2, '"x"  # a name', '"x # no comment"')),
    (parameters_explained, replace(2, "-1.5", "len(dataset)")),
    (parameters_explained, replace(2, "quick: bool", "quick: int")),
    (short_cells, insert(4, *[long_step(7)] * 9)),
    (short_cells, insert(4, *[long_step(16)] * 2)),
    (short_cells, insert(4, long_step(26))),
    (prose_between, insert(4, *[new_code_cell("x = 1")] * 4)),
    (prose_between, insert(4, *[new_markdown_cell("Words.")] * 8)),
    (figures_announced, insert(6, new_code_cell("x = 1"))),
    (figures_announced, replace(6, ', "A caption."', "")),
    (no_typed_results, replace(3, "At least .8", "The silhouette is .23")),
    (no_typed_results, replace(3, "At least .8", "It was 8,950 customers")),
    (no_typed_results, replace(3, "notebook 02", "page 02")),
    (no_typed_results, replace(5, "95 % intervals", "41 % of them")),
    (no_typed_results, replace(5, "k = 4", "6 segments")),
    (no_typed_results, replace(5, "Look for", "Six segments have")),
    (no_typed_results, replace(3, "Hennig 2007", "in 2007")),
    (sentence_case, replace(3, "The scan", "The Scan")),
    (sentence_case, replace(3, "The scan", "the scan")),
    (plain_british_words, replace(5, "Look", "Just look")),
    (plain_british_words, replace(5, "Look for", "Colors show")),
    (plain_british_words, replace(9, "{n} segments", "Simply {n} segments")),
    (nothing_unwanted, replace(4, "dataset)", "dataset)  # fmt: skip")),
    (nothing_unwanted, replace(4, "dataset)", "dataset)  # noqa: F821")),
    (nothing_unwanted, replace(4, "ws", 'warnings.filterwarnings("ignore")\nws')),
    (nothing_unwanted, replace(4, '"01"', '"/home/somebody/01"')),
    (nothing_unwanted, replace(5, "Look", "Look into C:\\Users")),
    (nothing_unwanted, replace(4, "ws", "%matplotlib inline\nws")),
    (nothing_unwanted, replace(4, "ws", "print(1)\nws")),
    (comes_to_an_end, replace(8, "found", "seen")),
    (comes_to_an_end, replace(9, "ws.say(", "str(")),
    (comes_to_an_end, replace(10, "**Limits.**", "Limits.")),
    (comes_to_an_end, replace(10, "**Next:**", "Next:")),
    (comes_to_an_end, replace(11, "ws.finish()", "ws.finish() or 1")),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_sound_notebook_keeps_every_rule(rule: Callable[[NotebookNode], list[str]]):
    assert rule(sound()) == []


@pytest.mark.parametrize(
    ("rule", "change"), BREAKS, ids=[f"{rule.__name__}-{n}" for n, (rule, _) in enumerate(BREAKS)]
)
def test_rule_sees_what_is_broken(tmp_path: Path, rule: Callable, change: Callable):
    notebook = sound()
    change(notebook)
    (tmp_path / "01_broken.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    assert rule(read(tmp_path / "01_broken.ipynb"))


def test_every_rule_is_tried():
    assert {rule for rule, _ in BREAKS} == set(RULES)


def test_missing_links_are_seen(tmp_path: Path):
    assert missing_links(sound(), tmp_path, "") == ["no such notebook: 02_next.ipynb"]
    (tmp_path / "02_next.ipynb").touch()
    assert missing_links(sound(), tmp_path, "02_next.ipynb") == []
    assert missing_links(sound(), tmp_path, "03_other.ipynb") == ["no link to 03_other.ipynb"]
