"""The style of the notebooks: stored clean, in small steps, prose that no rerun makes untrue."""

from __future__ import annotations

import ast
import json
import re
import statistics
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from runner.notebook_files import read_notebook, read_parameters
from segmentation.stages import STAGES

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
SERIES = sorted(FOLDER.glob("0*.ipynb"))
MOST_CODE_CELLS = 36  # that somebody reads in one sitting
MEDIAN_LINES, MANY_LINES, MOST_LINES = 6, 15, 25  # of a code cell: median, 90th percentile, most
PROSE_FOR_CODE = (0.9, 1.2)  # markdown cells for each code cell
LONGEST_RUN = 3  # code cells without a word between them

# Numbers in prose that are no results, because they define something.
DEFINITIONS = (
    r"\b[Nn]otebooks? 0\d(?:(?:,| to| and) 0\d)*",  # the notebooks' own names
    r"\bk = \d+\b",
    r"(?:[A-ZÀ-Ý][\w-]+|al\.) (?:18|19|20)\d\d\b",  # citations
    r"\b1\.5 interquartile ranges\b",
    r"\b(?:5 to 95|95|1|2|30) ?%",  # quantiles and intervals
    r"\b(?:80|90) ?% of the variance\b",
    r"\b99th percentile\b",
    r"\bbetween 0 and 1\b",
    r"\bmean 0 and standard deviation 1\b",
    r"(?:least|±)\.\d\b|(?:least|from) [±]?\.\d\b",  # thresholds that the code applies
    r"\bzero denominator is 0\b",
    r"\b1 (?:when|is|at|for)\b[^.]*?(?:\b0 (?:when|is|on)\b|alike|match|perfect|both)",  # scales
    r"\babout 0 when\b",
    r"\b[23]-D\b",
    r"\brank 2\b",
)
COUNTS = (
    r"\b(?:three|four|five|six|seven|eight|nine|ten|eleven|twelve) "
    r"(?:segments|clusters|groups|features|columns|customers)\b"
)
PROPER_NAMES = (
    "Boolean Calinski-Harabasz Davies-Bouldin DBSCAN Gaussian HDBSCAN K-Means Keras Lorenz PCA R² "
    "Ward"
).split()
UNWANTED_WORDS = (
    r"\b(?:simply|just|obviously|of course|trivial(?:ly)?|needless to say|"
    r"colors?|centers?|behaviors?|(?:normal|standard|summar)iz\w+|analyz\w+|gray)\b"
)
UNWANTED_CODE = {
    r"fmt: (?:skip|off)": "a comment against the formatter",
    r"\bnoqa\b": "a comment against the linter",
    r"\b(?:filterwarnings|simplefilter)\b": "a filter for warnings",
    r"^\s*[%!]": "a magic or shell command",
    r"\bprint\(": "a printed line in place of a shown sentence",
}
OWN_DISK = r"(?:/home/|/Users/|/work/|/tmp/|/root/|[A-Z]:\\)"


@pytest.fixture(params=SERIES, ids=lambda path: path.stem[:2])
def path(request) -> Path:
    return request.param


@pytest.fixture
def notebook(path) -> NotebookNode:
    """A notebook as it is stored; nbformat's own reader would mend it."""

    def joined(part: dict) -> dict:
        source = part.get("source")
        return {**part, "source": "".join(source)} if isinstance(source, list) else part

    return nbformat.from_dict(json.loads(path.read_text(encoding="utf-8"), object_hook=joined))


def of_kind(notebook: NotebookNode, kind: str) -> list[str]:
    """Return the text of each cell that is "code" or "markdown"."""
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def headings(notebook: NotebookNode) -> list[tuple[str, str]]:
    prose = "\n".join(of_kind(notebook, "markdown"))
    return re.findall(r"^(#+) (.+)$", prose, flags=re.MULTILINE)


def test_the_series_is_the_notebooks_in_their_order():
    assert [stage.file for stage in STAGES.values()] == [path.name for path in SERIES]
    for stage in STAGES.values():
        assert all(number < stage.number for number in stage.needs)


def test_stored_without_outputs_for_the_general_kernel(notebook):
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)  # validate() mends it
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.source for cell in code if cell.outputs or cell.execution_count is not None] == []


def test_opens_with_its_title_its_question_and_what_is_read_and_written(notebook):
    first = notebook.cells[0].source
    assert [text for marks, text in headings(notebook) if marks == "#"] == [notebook.metadata.title]
    assert first.startswith(f"# {notebook.metadata.title}\n")
    for word in ("**Question.**", "**Reads**", "**Writes**", "**Afterwards**"):
        assert word in first


def test_one_cell_imports_and_does_nothing_else(notebook):
    statements = [ast.parse(source).body for source in of_kind(notebook, "code")]
    kinds = (ast.Import, ast.ImportFrom)
    (importing,) = [
        body for body in statements if any(isinstance(n, kinds) for s in body for n in ast.walk(s))
    ]
    assert all(isinstance(statement, kinds) for statement in importing)


def test_each_parameter_has_a_type_a_literal_value_and_a_comment(notebook):
    found = list(read_parameters(notebook).values())
    for parameter in found:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", parameter.name) and parameter.help
        # The command line can read these types.
        assert type(parameter.default).__name__ == parameter.annotation
        assert parameter.annotation in ("int", "float", "bool", "str")
    (source,) = [c.source for c in notebook.cells if "parameters" in c.metadata.get("tags", ())]
    assert len(ast.parse(source).body) == len(found)
    common = list(read_parameters(read_notebook(SERIES[0])).values())[:3]
    assert [parameter.name for parameter in common] == ["dataset", "results_dir", "quick"]
    assert found[:3] == common


def test_code_comes_in_small_steps_with_prose_between(notebook):
    lengths = sorted(
        sum(bool(line) and not line.startswith("#") for line in map(str.strip, source.split("\n")))
        for source in of_kind(notebook, "code")
    )
    assert len(lengths) <= MOST_CODE_CELLS
    assert statistics.median(lengths) <= MEDIAN_LINES
    assert lengths[int(0.9 * len(lengths))] <= MANY_LINES
    assert lengths[-1] <= MOST_LINES
    kinds = "".join(cell.cell_type[0] for cell in notebook.cells)
    assert PROSE_FOR_CODE[0] <= kinds.count("m") / kinds.count("c") <= PROSE_FOR_CODE[1]
    assert max(map(len, kinds.split("m"))) <= LONGEST_RUN


def test_prose_right_before_a_figure(notebook):
    before = ""
    for cell in notebook.cells:
        drawn = cell.cell_type == "code" and "ws.figure(" in cell.source
        assert not drawn or before == "markdown", cell.source
        before = cell.cell_type


def test_no_number_in_prose_that_another_run_could_make_untrue(notebook):
    for text in of_kind(notebook, "markdown"):
        rest = re.sub(r"`[^`]*`|\]\([^)]*\)", " ", text)
        for definition in DEFINITIONS:
            rest = re.sub(definition, " ", rest)
        assert re.findall(r"[^.\n]{0,30}\d[^.\n]{0,20}", rest) == []
        assert re.findall(COUNTS, rest, re.IGNORECASE) == []


def test_headings_are_written_like_sentences(notebook):
    for _, text in headings(notebook):
        assert text[0].isupper(), text
        words = re.findall(r"[^\W\d_][\w²-]*", text)[1:]
        assert [w for w in words if w[0].isupper() and w not in PROPER_NAMES] == [], text


def test_words_are_british_and_talk_down_to_nobody(notebook):
    texts = of_kind(notebook, "markdown")
    for source in of_kind(notebook, "code"):
        strings = [n.value for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Constant)]
        texts += [text for text in strings if isinstance(text, str) and " " in text]
    assert re.findall(UNWANTED_WORDS, "\n".join(texts), re.IGNORECASE) == []


def test_no_commands_against_tools_and_no_paths_of_ones_own(notebook):
    code = "\n".join(of_kind(notebook, "code"))
    found = [what for pattern, what in UNWANTED_CODE.items() if re.search(pattern, code, re.M)]
    assert found == []
    assert re.findall(OWN_DISK, code + "\n".join(of_kind(notebook, "markdown"))) == []


def test_ends_with_what_was_found_its_limits_and_the_next_notebook(notebook, path):
    sources = [cell.source for cell in notebook.cells]
    (place,) = [i for i, text in enumerate(sources) if text.startswith("## What was found")]
    assert any("ws.say(" in text for text in sources[place:])
    assert "**Limits.**" in sources[-2] and "**Next:**" in sources[-2]
    assert sources[-1] == "ws.finish()"
    prose = "\n".join(of_kind(notebook, "markdown"))
    links = re.findall(r"\]\(([^)#]+\.ipynb)[^)]*\)", prose)
    assert [link for link in links if not (FOLDER / link).is_file()] == []
    following = SERIES[SERIES.index(path) + 1 :][:1]
    assert all(f"]({other.name})" in sources[-2] for other in following)
