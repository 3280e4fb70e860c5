"""Executed notebooks as pages that open anywhere: offline, on a phone, on paper, without script.

nbconvert walks the cells with a small template of ours; a second template puts the page around
them. Everything that a notebook shows as HTML or markdown goes through an allow list, so a column
called ``<script>`` is a word on the page, also where a helper forgot to escape it.
"""

from __future__ import annotations

import ast
import base64
import binascii
import io
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jinja2
import mistune
import nbformat
from bs4 import BeautifulSoup, Tag
from markupsafe import Markup
from nbconvert.exporters.templateexporter import TemplateExporter
from nbconvert.filters import Highlight2HTML, ansi2html
from traitlets import default
from traitlets.config import Config

from . import pages
from .notebook_files import parse

# Where a picture's own page may be: a PNG of this run, and nothing that a browser would act on.
_FIGURE_FILE = re.compile(r"(\.\./)?figures/[\w.-]+\.png\Z")
# What stands beside the notebook pages in a run's folder; other relative links lead nowhere there.
_IN_RESULTS = re.compile(
    r"\.\./(?:(?:figures|tables|campaigns)/[\w.%-]+"
    r"|index\.html|segments\.csv|metrics\.json|model\.json|manifest\.json)(?:#.*)?\Z"
)
_NUMERIC = re.compile(r"[-+−±$£€¥~<≤≥]*\s*\d[\d,.\s]*(?:e[-+]?\d+)?\s*[%×a-zA-Z²³]{0,9}\Z")
_EMPTY_CELLS = {"", "-", "–", "—", "nan", "None", "<NA>"}
SHORT_NAME = 28  # letters of a row's name that stay on one line where there is room
_SEPARATORS = re.compile(r"\s+")


@dataclass
class _Page:
    """What is collected while the cells of one notebook are rendered."""

    notebooks: frozenset[str] = frozenset()
    ids: set[str] = field(default_factory=set)
    headings: list[tuple[int, str, str]] = field(default_factory=list)
    section: str = ""
    tables: int = 0

    def new_id(self, text: str) -> str:
        """Make the id of a heading, as JupyterLab does, so that links to it work in both."""
        base = _SEPARATORS.sub("-", text.strip()) or "section"
        name, n = base, 1
        while name in self.ids:
            n += 1
            name = f"{base}-{n}"
        self.ids.add(name)
        return name

    def contents(self) -> list[dict[str, Any]]:
        """Nest the headings of the second and third level for the table of contents."""
        tree: list[dict[str, Any]] = []
        for level, name, text in self.headings:
            entry = {"id": name, "text": text, "children": []}
            if level == 2 or (level == 3 and not tree):
                tree.append(entry)
            elif level == 3:
                tree[-1]["children"].append(entry)
        return tree


# --- fragments of HTML -------------------------------------------------------------------------


def _name_headings(soup: BeautifulSoup, page: _Page) -> None:
    for heading in soup.find_all(["h1", "h2", "h3", "h4", "h5", "h6"]):
        text = _SEPARATORS.sub(" ", heading.get_text()).strip()
        heading["id"] = page.new_id(text)
        page.section = text
        page.headings.append((int(heading.name[1]), heading["id"], text))


def _mend_links(soup: BeautifulSoup, page: _Page) -> None:
    """Point links between notebooks to their pages; unlink what does not exist beside a page."""
    for link in soup.find_all("a"):
        href = str(link.get("href", ""))
        if href.startswith("#") or re.match(r"(https?:|mailto:)", href, re.IGNORECASE):
            continue
        target, _, fragment = href.removeprefix("./").partition("#")
        name = unquote(target)
        if name.endswith(".ipynb") and name in page.notebooks:
            page_name = name.removesuffix(".ipynb") + ".html"
            link["href"] = page_name + (f"#{fragment}" if fragment else "")
        elif not _IN_RESULTS.fullmatch(href):
            link.unwrap()


def _mend_images(soup: BeautifulSoup, page: _Page, attachments: Mapping[str, Any]) -> None:
    for image in soup.find_all("img"):
        source = str(image.get("src", ""))
        if source.startswith("attachment:"):
            bundle = attachments.get(unquote(source.removeprefix("attachment:")), {})
            source = next((f"data:{kind};base64,{data}" for kind, data in bundle.items()), "")
            image["src"] = source
        if not source.startswith("data:image/"):
            # A picture from elsewhere would be a request; its description stays.
            image.replace_with(image.get("alt", ""))
        elif not image.get("alt"):
            image["alt"] = _undescribed(page)


def _mend_tables(soup: BeautifulSoup, page: _Page) -> None:
    for table in soup.find_all("table"):
        page.tables += 1
        table.attrs.pop("border", None)
        head = table.find("thead")
        for cell in table.find_all("th"):
            if not cell.get_text(strip=True):
                # The corner above a row index heads nothing; an empty header misleads a reader.
                cell.name = "td"
                cell.attrs.pop("scope", None)
                continue
            if not cell.get("scope"):
                cell["scope"] = "col" if head is not None and head in cell.parents else "row"
            if cell["scope"] == "row" and len(cell.get_text(strip=True)) <= SHORT_NAME:
                _add_class(cell, "short")
        for cell in table.find_all("td"):
            if len(cell.get_text(strip=True)) > SHORT_NAME:
                _add_class(cell, "sentence")
        _align_numbers(table)
        columns = max((len(row.find_all(["td", "th"])) for row in table.find_all("tr")), default=0)
        if columns > 7:
            # On paper nothing scrolls: the more columns, the smaller the type.
            _add_class(table, "wide" if columns <= 12 else "widest")
        caption = table.find("caption")
        label = caption.get_text(" ", strip=True) if caption else ""
        wrapper = soup.new_tag(
            "div",
            attrs={
                "class": "scroll table",
                "role": "region",
                "aria-label": f"Table {page.tables}" + (f": {label}" if label else ""),
                "tabindex": "0",
            },
        )
        table.wrap(wrapper)


def _align_numbers(table: Tag) -> None:
    """Mark the columns that hold numbers, so that they stand right-aligned under each other."""
    rows = [row.find_all(["td", "th"]) for row in table.find_all("tr")]
    body = [row.find_all(["td", "th"]) for row in table.select("tbody tr")] or rows
    width = max((len(row) for row in rows), default=0)
    if any(cell.get("colspan") or cell.get("rowspan") for row in rows for cell in row):
        # Columns cannot be counted by position; cells are judged one by one.
        for row in body:
            for cell in row:
                if cell.name == "td" and _NUMERIC.match(cell.get_text(strip=True)):
                    _add_class(cell, "number")
        return
    for column in range(width):
        cells = [row[column] for row in body if column < len(row)]
        texts = [cell.get_text(strip=True) for cell in cells]
        filled = [text for text in texts if text not in _EMPTY_CELLS]
        if filled and all(_NUMERIC.match(text) for text in filled):
            for row in rows:
                if column < len(row):
                    _add_class(row[column], "number")


def _add_class(tag: Tag, name: str) -> None:
    classes = tag.get("class") or []
    tag["class"] = [*(classes.split() if isinstance(classes, str) else classes), name]


def _undescribed(page: _Page) -> str:
    where = f" in the section “{page.section}”" if page.section else ""
    return f"A figure{where} that has no description."


def _fragment(html: str, page: _Page, attachments: Mapping[str, Any] | None = None) -> str:
    soup = BeautifulSoup(pages.sanitise(html), "html.parser")
    _name_headings(soup, page)
    _mend_links(soup, page)
    _mend_images(soup, page, attachments or {})
    _mend_tables(soup, page)
    # `minimal` escapes &, < and > again, also those that the parser had decoded.
    return soup.decode(formatter="minimal")


@cache
def _markdown() -> mistune.Markdown:
    # No mathematics plugin: "$2,740 against $1,003" is money, and formulas are plain Unicode.
    renderer = mistune.HTMLRenderer(escape=False, allow_harmful_protocols=["attachment:"])
    return mistune.create_markdown(renderer=renderer, plugins=["strikethrough", "table", "url"])


# --- filters of the cells' template ------------------------------------------------------------


def _page_of(context: jinja2.runtime.Context) -> _Page:
    return context["resources"]["page"]


@jinja2.pass_context
def _markdown_cell(context: jinja2.runtime.Context, cell: Any) -> str:
    html = str(_markdown()(cell["source"]))
    return _fragment(html, _page_of(context), cell.get("attachments", {}))


@jinja2.pass_context
def _markdown_output(context: jinja2.runtime.Context, text: str) -> str:
    return _fragment(str(_markdown()(text)), _page_of(context))


@jinja2.pass_context
def _html_output(context: jinja2.runtime.Context, html: str) -> str:
    return _fragment(html, _page_of(context))


@jinja2.pass_context
def _picture(context: jinja2.runtime.Context, output: Any, kind: str) -> str:
    """Show an output's picture with its description, its size and a link to its own file."""
    page = _page_of(context)
    about = output.get("metadata", {}).get(kind) or {}
    content = output["data"][kind]
    if kind == "image/svg+xml":
        # As an image an SVG cannot run anything.
        data = base64.b64encode(content.encode("utf-8")).decode("ascii")
    else:
        data = re.sub(r"\s", "", content)
    image = Markup('<img src="data:{};base64,{}" alt="{}"').format(
        kind, data, about.get("alt") or _undescribed(page)
    )
    if kind == "image/png":
        try:
            size = pages.png_size(base64.b64decode(data, validate=True))
        except (binascii.Error, ValueError):
            size = None
        width = about.get("width")
        if size and isinstance(width, int) and width > 0:
            size = width, round(size[1] * width / size[0])
        if size:
            image += Markup(' width="{}" height="{}"').format(*size)
    image += Markup(">")
    file = str(about.get("file") or "")
    if _FIGURE_FILE.fullmatch(file):
        image = Markup('<a href="{}" title="Open the figure alone">{}</a>').format(file, image)
    caption = about.get("caption")
    text = Markup("<figcaption>{}</figcaption>").format(caption) if caption else ""
    return Markup("<figure>{}{}</figure>\n").format(image, text)


def _lines_of_code(source: str) -> str:
    lines = len(source.strip().splitlines())
    return f"{lines} line{'' if lines == 1 else 's'}"


# --- parameters --------------------------------------------------------------------------------


def _assignments(source: str) -> dict[str, tuple[Any, str]]:
    """Read `name: type = value  # comment` lines into {name: (value, comment)}, running nothing."""
    try:
        tree = parse(source)
        comments = {
            token.start[0]: token.string.lstrip("# ").strip()
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        }
    except (SyntaxError, tokenize.TokenError):
        return {}
    found: dict[str, tuple[Any, str]] = {}
    for node in tree.body:
        target = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
        if not isinstance(target, ast.Name) or getattr(node, "value", None) is None:
            continue
        try:
            value = ast.literal_eval(node.value)
        except ValueError:
            value = ast.unparse(node.value)
        found[target.id] = (value, comments.get(node.end_lineno or node.lineno, ""))
    return found


def _shown(value: object) -> str:
    value = pages.portable(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple, set)):
        return ", ".join(_shown(item) for item in value) or "none"
    return str(value) if value not in ("", None) else "none"


def _settings(notebook: nbformat.NotebookNode) -> list[dict[str, Any]]:
    """List the parameters with the values of this run, their defaults and what they mean."""
    defaults: dict[str, tuple[Any, str]] = {}
    injected: dict[str, tuple[Any, str]] = {}
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags:
            injected |= _assignments(cell.source)
        elif "parameters" in tags:
            defaults |= _assignments(cell.source)
    settings = []
    for name in [*defaults, *(name for name in injected if name not in defaults)]:
        default_value, comment = defaults.get(name, (None, ""))
        value = injected.get(name, (default_value, ""))[0]
        if name == "results_dir":
            continue  # where the run's folder happened to be says nothing about the run
        changed = _shown(value) != _shown(default_value)
        settings.append(
            {
                "name": name,
                "value": _shown(value),
                "default": _shown(default_value),
                "comment": comment,
                "changed": changed,
            }
        )
    return settings


# --- the page ----------------------------------------------------------------------------------


class _BodyExporter(TemplateExporter):
    """nbconvert with our template for the cells and none of its preprocessors."""

    output_mimetype = "text/html"
    export_from_notebook = None

    @default("file_extension")
    def _file_extension_default(self) -> str:
        return ".html"

    @default("template_name")
    def _template_name_default(self) -> str:
        return "notebook"

    @default("extra_template_basedirs")
    def _extra_template_basedirs_default(self) -> list[str]:
        return [str(pages.TEMPLATES)]

    @default("default_preprocessors")
    def _default_preprocessors_default(self) -> list[Any]:
        return []


# Scripts and widgets are not among them: what a page shows, it shows without running anything.
_DISPLAY_PRIORITY = [
    "text/html",
    "text/markdown",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/plain",
]


def _can_be_shown(output: nbformat.NotebookNode) -> bool:
    """Say whether a page has a form for an output; widgets and scripts have none."""
    return "data" not in output or any(kind in output["data"] for kind in _DISPLAY_PRIORITY)


@cache
def _exporter() -> _BodyExporter:
    exporter = _BodyExporter(
        config=Config(NbConvertBase={"display_data_priority": _DISPLAY_PRIORITY})
    )
    filters = {
        "ansi2html": ansi2html,
        "highlight_code": Highlight2HTML(pygments_lexer="ipython3"),
        "markdown_cell": _markdown_cell,
        "markdown_output": _markdown_output,
        "html_output": _html_output,
        "picture": _picture,
        "lines_of_code": _lines_of_code,
    }
    for name, function in filters.items():
        exporter.register_filter(name, function)
    return exporter


def render_notebook(executed: Path, out_html: Path, *, context: Mapping[str, Any]) -> None:
    """Render an executed notebook into one self-contained page.

    Parameters
    ----------
    executed : pathlib.Path
        The executed notebook.
    out_html : pathlib.Path
        The page to write. The same notebook and context give the same bytes.
    context : mapping
        ``title``, ``dataset_title``, ``index_href``, ``quick``, ``up_to_date``, ``notebooks``
        (``{"href", "title", "number"}`` each), and ``previous`` and ``next``
        (``{"href", "title"}`` or None).
    """
    notebook = nbformat.read(executed, as_version=4)
    notebooks = list(context.get("notebooks", ()))
    page = _Page(notebooks=frozenset(Path(entry["href"]).stem + ".ipynb" for entry in notebooks))
    page.ids |= {"content", "toc-title"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _can_be_shown(output)]
    settings = pages.environment().get_template("settings.html.j2")
    resources = {"page": page, "settings": settings.render(settings=_settings(notebook))}
    body, resources = _exporter().from_notebook_node(notebook, resources=resources)
    page = resources["page"]
    headings = [text for level, _, text in page.headings if level == 1]
    html = pages.render(
        "notebook.html.j2",
        lang=notebook.metadata.get("lang", "en"),
        title=notebook.metadata.get("title") or context.get("title") or (headings or [""])[0],
        dataset_title=context.get("dataset_title", ""),
        index_href=context.get("index_href", "../index.html"),
        quick=bool(context.get("quick", False)),
        up_to_date=bool(context.get("up_to_date", True)),
        notebooks=[
            {**entry, "current": Path(entry["href"]).name == out_html.name} for entry in notebooks
        ],
        previous=context.get("previous"),
        next=context.get("next"),
        has_h1=bool(headings),
        toc=page.contents(),
        body=Markup(body),
    )
    pages.write(out_html, html)
