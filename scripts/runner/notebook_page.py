"""Executed notebooks as pages that open anywhere: offline, on a phone, on paper, without script.

Everything that a notebook shows as HTML or markdown goes through an allow list, so a column called
``<script>`` is a word on the page, also where a helper forgot to escape it. The helper's own tables
come in the markup that the page needs, and pass as they are.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import mistune
import nbformat
from bs4 import BeautifulSoup, PageElement, Tag
from markupsafe import Markup, escape
from nbconvert.filters import Highlight2HTML, ansi2html

from runner import pages
from runner.notebook_files import declared

# Where a picture's own page may be: a PNG of this run, and nothing that a browser would act on.
_FIGURE_FILE = re.compile(r"(\.\./)?figures/[\w.-]+\.png\Z")
# What stands beside the notebook pages in a run's folder; other relative links lead nowhere there.
_IN_RESULTS = re.compile(
    r"\.\./(?:(?:figures|tables|campaigns)/[\w.%-]+"
    r"|index\.html|segments\.csv|metrics\.json|model\.json|manifest\.json)(?:#.*)?\Z"
)
_NUMBER = re.compile(r"\s*[-+−]?[$£€]?\d[\d.,]*\s*%?\s*")
_PICTURES = ("image/svg+xml", "image/png", "image/jpeg")
# Scripts and widgets are not among them: what a page shows, it shows without running anything.
_FORMS = ("text/html", "text/markdown", *_PICTURES, "text/plain")
HEAD_ROWS, FOLDED_ROWS = 6, 3  # of a long table: those always shown, and the fewest worth folding

_highlight = Highlight2HTML(pygments_lexer="ipython3")


def render_notebook(executed: Path, out_html: Path, *, context: Mapping[str, Any]) -> None:
    """Render an executed notebook into one self-contained page, with the same bytes each time.

    Parameters
    ----------
    context : mapping
        ``title``, ``dataset_title``, ``index_href``, ``quick``, ``up_to_date``, ``notebooks``
        (``{"href", "title", "number"}`` each), and ``previous`` and ``next``
        (``{"href", "title"}`` or None).
    """
    notebook = nbformat.read(executed, as_version=4)
    hrefs = [Path(entry["href"]).name for entry in context["notebooks"]]
    body = _Body({href.removesuffix(".html") + ".ipynb": href for href in hrefs})
    sections = body.sections(notebook.cells)
    html = pages.render(
        "notebook.html.j2",
        **context,
        heading=notebook.metadata.get("title") or context["title"],
        current=out_html.name,
        has_h1=any(level == 1 for level, _, _ in body.headings),
        toc=_contents(sections),
        sections=sections,
        settings=_settings(notebook),
    )
    pages.write(out_html, html)


def _contents(sections: list[_Section]) -> list[dict[str, Any]]:
    """Nest the headings of the second and third level for the table of contents."""
    tree: list[dict[str, Any]] = []
    for section in sections:
        entry = {"id": section.id, "text": section.title, "children": []}
        if section.level == 2 or (section.level == 3 and not tree):
            tree.append(entry)
        elif section.level == 3:
            tree[-1]["children"].append(entry)
    return tree


def _settings(notebook: nbformat.NotebookNode) -> list[dict[str, Any]]:
    """List the parameters with the values of this run, their defaults and what they mean."""
    found: dict[str, dict[str, Any]] = {}
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if not {"parameters", "injected-parameters"} & set(tags):
            continue
        for name, parameter in declared(cell.source).items():
            value = pages.setting(parameter.default)
            if name not in found:
                default = value if "parameters" in tags else "none"
                found[name] = {"name": name, "default": default, "comment": parameter.help}
            found[name] |= {"value": value, "changed": value != found[name]["default"]}
    found.pop("results_dir", None)  # where the run's folder happened to be says nothing about it
    return list(found.values())


@cache
def _markdown() -> mistune.Markdown:
    # No mathematics plugin: "$2,740 against $1,003" is money, and formulas are plain Unicode.
    renderer = mistune.HTMLRenderer(escape=False, allow_harmful_protocols=["attachment:"])
    return mistune.create_markdown(renderer=renderer, plugins=["strikethrough", "table", "url"])


@dataclass
class _Section:
    """A heading, and what stands under it up to the next one."""

    tags: tuple[str, ...] = ()  # optional: left out where it shows nothing; folded: shown on demand
    level: int = 0
    id: str = ""
    title: str = ""
    heading: Markup = field(default_factory=Markup)
    blocks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_silent(self) -> bool:
        """Whether its code shows nothing, or only where numbers are."""
        return not any(block.get("results") for block in self.blocks)

    @property
    def lines(self) -> int:
        """How many lines of code it has."""
        return sum(block.get("lines", 0) for block in self.blocks)

    def settle(self) -> None:
        """Mark prose that introduces nothing but code as a part of the method, folded with it.

        So is the first text under a heading where all of the section is method. Under the title
        only the first paragraph, the question, always stays.
        """
        follower = "text"
        for place in reversed(range(len(self.blocks))):
            block = self.blocks[place]
            if block["kind"] != "text":
                follower = "shown" if block["results"] or follower == "shown" else "silent"
                continue
            opens = place == 0 and (self.level == 1 or not self.is_silent)
            block["is_method"] = follower == "silent" and not opens
            follower = follower if block["goes_on"] else "text"


@dataclass
class _Body:
    """The cells of a notebook as HTML, in sections, with the headings that were met on the way."""

    linked: dict[str, str]  # by the notebook's file name, the page that a link to it leads to
    headings: list[tuple[int, str, str]] = field(default_factory=list)  # level, id, text
    framed: int = 0  # how many tables got their frame here

    def sections(self, cells: list[nbformat.NotebookNode]) -> list[_Section]:
        """Divide the cells at their headings; leave out what has nothing to show."""
        found = [_Section()]
        for cell in cells:
            if cell.cell_type == "markdown":
                self._divide(cell, found)
            elif cell.cell_type == "code":
                found[-1].blocks.append(self._code(cell))
        for section in found:
            section.settle()
        return [
            section
            for section in found
            if (section.level or section.blocks)
            and not ("optional" in section.tags and section.is_silent)
        ]

    def _divide(self, cell: nbformat.NotebookNode, found: list[_Section]) -> None:
        """Add a cell of prose to the last section, and begin one at each of its headings."""
        soup = self._soup(str(_markdown()(cell.source)), cell.get("attachments", {}))
        tags = tuple(cell.metadata.get("tags", ()))
        prose: dict[str, Any] = {}
        for node in soup.contents:
            html = _written(node)
            if isinstance(node, Tag) and node.name in ("h1", "h2", "h3"):
                title = " ".join(node.get_text().split())
                about = (int(node.name[1]), str(node["id"]), title)
                found.append(_Section(tags, *about, html))
                prose = {}
            elif prose and found[-1].level != 1:
                prose["html"] += html
            elif html.strip():
                prose = {"kind": "text", "html": html, "goes_on": bool(prose)}
                found[-1].blocks.append(prose)

    def _code(self, cell: nbformat.NotebookNode) -> dict[str, Any]:
        """Return a cell of code, and what it shows, for the template."""
        source = cell.source.strip()
        tags = cell.metadata.get("tags", [])
        outputs = [shown for output in cell.outputs if (shown := self._output(output))]
        injected = "injected-parameters" in tags
        return {
            "kind": "code",
            "html": Markup(_highlight(cell.source)) if source and not injected else "",
            "lines": 0 if injected else len(source.splitlines()),
            "is_parameters": "parameters" in tags,
            "outputs": outputs,
            "results": [each for each in outputs if not _is_link(*each)],
        }

    def _output(self, output: nbformat.NotebookNode) -> tuple[str, Any] | None:
        """Return the richest form of an output that a page can show; warnings are for the log."""
        if output.output_type == "stream":
            printed = "printed", Markup(ansi2html(output.text))
            return printed if output.name == "stdout" else None
        if output.output_type == "error":
            return "failed", Markup(ansi2html("\n".join(output.traceback)))
        form = next((form for form in _FORMS if form in output.data), "")
        if form in _PICTURES:
            return "picture", self._picture(output, form)
        if form == "text/html":
            return "output", self._fragment(output.data[form])
        if form == "text/markdown":
            return "output text", self._fragment(str(_markdown()(output.data[form])))
        return ("printed", Markup(ansi2html(output.data[form]))) if form else None

    def _picture(self, output: nbformat.NotebookNode, form: str) -> dict[str, Any]:
        """Return a picture with its description, its size and a link to its own file."""
        about = output.get("metadata", {}).get(form) or {}
        data = re.sub(r"\s", "", output.data[form])
        if form == "image/svg+xml":
            # As an image an SVG cannot run anything.
            data = base64.b64encode(output.data[form].encode("utf-8")).decode("ascii")
        file = str(about.get("file") or "")
        return {
            "href": file if _FIGURE_FILE.fullmatch(file) else "",
            "uri": Markup("data:{};base64,{}").format(Markup(form), data),
            "alt": about.get("alt") or self._undescribed(),
            "size": pages.png_size(data, about.get("width")) if form == "image/png" else None,
            "caption": about.get("caption"),
        }

    def _undescribed(self) -> str:
        where = f" in the section “{self.headings[-1][2]}”" if self.headings else ""
        return f"A figure{where} that has no description."

    # --- fragments of HTML -------------------------------------------------------------------

    def _fragment(self, html: str) -> Markup:
        return _written(self._soup(html, {}))

    def _soup(self, html: str, attachments: Mapping[str, Any]) -> BeautifulSoup:
        soup = BeautifulSoup(pages.sanitise(html), "html.parser")
        self._name_headings(soup)
        self._settle_links(soup)
        self._settle_images(soup, attachments)
        for table in soup.find_all("table"):
            if not table.find_parent(class_="scroll"):
                self._frame(soup, table)
            _fold_rows(soup, table)
        return soup

    def _name_headings(self, soup: BeautifulSoup) -> None:
        """Give each heading an id, as JupyterLab does, so that links to it work in both."""
        for heading in soup.find_all(["h1", "h2", "h3", "h4", "h5", "h6"]):
            text = " ".join(heading.get_text().split())
            base = text.replace(" ", "-") or "section"
            taken = {name for _, name, _ in self.headings} | {"content"}
            names = (f"{base}-{n}" if n > 1 else base for n in count(1))
            name = next(name for name in names if name not in taken)
            heading["id"] = name
            self.headings.append((int(heading.name[1]), name, text))

    def _settle_links(self, soup: BeautifulSoup) -> None:
        """Point links between notebooks to their pages; unlink what is not beside a page."""
        for link in soup.find_all("a"):
            href = str(link.get("href", ""))
            if href.startswith("#") or re.match(r"(https?:|mailto:)", href, re.IGNORECASE):
                continue
            target, mark, fragment = href.removeprefix("./").partition("#")
            page = self.linked.get(unquote(target))
            if page:
                link["href"] = page + mark + fragment
            elif not _IN_RESULTS.fullmatch(href):
                link.unwrap()

    def _settle_images(self, soup: BeautifulSoup, attachments: Mapping[str, Any]) -> None:
        for image in soup.find_all("img"):
            source = str(image.get("src", ""))
            if source.startswith("attachment:"):
                bundle = attachments.get(unquote(source.removeprefix("attachment:")), {})
                source = next((f"data:{kind};base64,{data}" for kind, data in bundle.items()), "")
                image["src"] = source
            if not source.startswith("data:image/"):
                # A picture from elsewhere would be a request; its description stays.
                image.replace_with(str(image.get("alt", "")))
            elif not image.get("alt"):
                image["alt"] = self._undescribed()

    def _frame(self, soup: BeautifulSoup, table: Tag) -> None:
        """Let a table that is not the helper's scroll by keyboard; say what its headers head.

        Tables of markdown, and those that a notebook of one's own shows as pandas writes them.
        """
        for cell in table.find_all("th"):
            if cell.get_text(strip=True):
                inside_head = cell.find_parent("thead") is not None
                cell["scope"] = cell.get("scope") or ("col" if inside_head else "row")
            else:
                # The corner above a row index heads nothing; an empty header misleads.
                cell.name = "td"
                cell.attrs.pop("scope", None)
        for cell in table.find_all("td"):
            if _NUMBER.fullmatch(cell.get_text()):
                cell["class"] = "number"
        self.framed += 1
        label = table.caption.get_text(" ", strip=True) if table.caption else ""
        frame = {"class": "scroll table", "role": "region", "tabindex": "0"}
        frame["aria-label"] = f"Table: {label}" if label else f"Table {self.framed}"
        table.wrap(soup.new_tag("div", attrs=frame))


def _is_link(form: str, content: Any) -> bool:
    """Whether an output only says where a table is that the page does not show."""
    return form == "output" and content.startswith('<p class="numbers ')


def _written(node: PageElement) -> Markup:
    # `minimal` escapes &, < and > again, also those that the parser had decoded.
    return Markup(node.decode(formatter="minimal") if isinstance(node, Tag) else escape(node))


def _fold_rows(soup: BeautifulSoup, table: Tag) -> None:
    """Fold a long table after its first rows, with a switch for the others below it."""
    rows = table.select(":scope > tbody > tr")
    if len(rows) < HEAD_ROWS + FOLDED_ROWS or table.find("table"):
        return
    rest = soup.new_tag("tbody", attrs={"class": "rest"})
    rest.extend(row.extract() for row in rows[HEAD_ROWS:])
    table.append(rest)
    summary = soup.new_tag("summary")
    summary.string = f"All {len(rows)} rows"
    switch = soup.new_tag("details", attrs={"class": "rows"})
    switch.append(summary)
    frame = table.find_parent(class_="scroll") or table
    frame.insert_after(switch)
