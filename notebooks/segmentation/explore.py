"""Live views of segments for JupyterLab; a program that runs the notebook gets static ones.

Nothing here writes anything but on a button: a changed dataset.toml, a list, a run. What a view
shows of single customers are values; identifiers are shown where one is asked for.
"""

from __future__ import annotations

import html
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from textwrap import fill
from threading import Thread
from time import monotonic
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML, display
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from threadpoolctl import threadpool_limits

from customer_tables.errors import UserError
from customer_tables.text import number
from segmentation import keeping, presentation, session
from segmentation.figures import panels, use_style
from segmentation.palette import segment_style
from segmentation.progress import CLOCK, is_watched
from segmentation.robustness import flows
from segmentation.segments import Segments

FEWEST, MOST_POINTS = 10, 1_000_000  # customers of a selection that is described; points drawn
STATIC_POINTS, SAMPLE, JUDGED = 10_000, 1_500, 1_000  # in a picture; by t-SNE; for trustworthiness
LISTED = 200  # rows of a selection
ALIGNED = (
    "<style>.rows pre, .rows select { font: 13px monospace; padding: 0 2px; overflow: auto }"
    ".rows pre { white-space: pre }</style>"
)
CLICK = 1.0  # seconds after a lasso in which a click belongs to it


def by_k(segments: Segments) -> None:
    """Show the scan's solution for a k on a slider: profiles, and where its segments come from.

    In a window the solutions are made ahead, so that the slider need not wait for them.
    """
    ks = sorted(segments.run.stored)

    @cache
    def view(k: int) -> str:
        solution = segments.at(k)
        effects = "Means in standard deviations from the average customer"
        parts = [solution._repr_html_(), presentation.html_table(solution.profile(), effects)]
        if k - 1 in ks:
            parts.append(presentation.html_table(_flow(solution), f"From k = {k - 1} to {k}"))
        return "".join(parts)

    if is_watched():
        Thread(target=lambda: [view(k) for k in ks], daemon=True).start()
    _live(lambda k: display(HTML(view(k))), k=_slider(ks, segments.run.k))


def _slider(ks: list[int], k: int) -> widgets.SelectionSlider:
    return widgets.SelectionSlider(
        options=ks, value=k, description="Segments", continuous_update=False
    )


def _flow(solution: Segments) -> pd.DataFrame:
    """Count the customers that go from each segment of the solution before to each of this one."""
    k, stored = solution.k, solution.run.stored
    table = flows({n: stored[n].to_numpy() for n in (k - 1, k)})
    counts = table.pivot_table(
        index="segment_from", columns="segment_to", values="customers", fill_value=0
    ).astype(int)
    counts.index, counts.columns = counts.index + 1, counts.columns + 1
    return counts.rename(columns=solution.names).rename_axis(
        index=f"segment of {k - 1}", columns=None
    )


def other_features(segments: Segments) -> None:
    """Refit with features left out or weighted, and compare with the segments of the run."""
    labels = {f.name: (f.label or f.name) for f in segments.known.features}
    labels = {name: label.replace("$", r"\$") for name, label in labels.items()}  # no mathematics
    scale = {"value": 1, "min": 0, "max": 3, "step": 0.5, "continuous_update": False}
    wide = {"style": {"description_width": "22em"}, "layout": widgets.Layout(width="44em")}
    weights = {
        name: widgets.FloatSlider(description=labels[name], **scale, **wide)
        for name in segments.run.matrix
    }

    def show(k: int, **weights: float) -> None:
        gone = [name for name, weight in weights.items() if not weight]
        other = {name: weight for name, weight in weights.items() if weight not in (0, 1)}
        trial = gone or other or k != segments.run.k
        display(segments.refit(k, without=gone, weights=other) if trial else segments.run)

    _live(show, k=_slider(sorted(segments.run.stored), segments.run.k), **weights)


def one_customer(segments: Segments, identifier: str = "") -> None:
    """Show one customer's segment, the second choice, and what would lead there."""

    def show(customer: str) -> None:
        if customer:
            found = segments.customer(customer.strip())
            display(HTML(presentation.html_table(found, found.attrs["caption"])))
            _say(found.attrs["rule"])

    box = widgets.Text(value=identifier, description="Customer", continuous_update=False)
    _live(show, customer=box)


def two_segments(segments: Segments) -> None:
    """Set two segments side by side."""
    names = {f"{number} {name}": number for number, name in segments.names.items()}

    def show(first: int, second: int) -> None:
        caption = "Means in standard deviations from the average customer"
        table = segments.compare(first, second) if first != second else pd.DataFrame()
        display(HTML(presentation.html_table(table, caption)) if len(table) else "Choose two.")

    chosen = [
        widgets.Dropdown(options=names, value=list(names.values())[place], description=word)
        for place, word in ((0, "First"), (1, "Second"))
    ]
    _live(show, first=chosen[0], second=chosen[1])


@dataclass(frozen=True)
class Plane:
    """Customers in two dimensions: their places in the table, points, and what they keep."""

    rows: np.ndarray
    points: np.ndarray
    caption: str

    @classmethod
    def judged(cls, matrix: np.ndarray, rows: np.ndarray, points: np.ndarray, what: str) -> Plane:
        """Say of a plane to which degree neighbours in it are neighbours in the features."""
        some = slice(JUDGED)
        neighbours = max(1, min(10, len(rows[some]) // 5))
        trust = trustworthiness(matrix[rows[some]], points[some], n_neighbors=neighbours)
        return cls(rows, points, f"{what}; trustworthiness {trust:.2f}")


def principal(segments: Segments) -> Plane:
    """Return the plane of two principal components, of all customers that can be drawn."""
    matrix = segments.matrix.to_numpy()
    rows = np.random.default_rng(20).permutation(len(matrix))[:MOST_POINTS]
    model = PCA(min(2, matrix.shape[1]), random_state=20).fit(matrix)
    points = np.zeros((len(rows), 2))
    points[:, : model.n_components_] = model.transform(matrix[rows])
    share = model.explained_variance_ratio_.sum()
    what = f"Plane of two principal components, {share:.0%} of the variance"
    return Plane.judged(matrix, rows, points, what)


def neighbours(segments: Segments) -> Plane:
    """Return a plane by t-SNE, in which only neighbourhoods count, of a sample of customers."""
    matrix = segments.matrix.to_numpy()
    rows = np.random.default_rng(20).permutation(len(matrix))[:SAMPLE]
    few = {"perplexity": min(30, (len(rows) - 1) / 3), "max_iter": 500, "random_state": 20}
    start = "pca" if matrix.shape[1] > 1 else "random"
    with threadpool_limits(1):
        points = TSNE(2, init=start, **few).fit_transform(matrix[rows])
    return Plane.judged(matrix, rows, points, f"t-SNE of {len(rows):,} {segments.known.nouns}")


PLANES = {"Principal components": principal, "t-SNE of a sample": neighbours}


def plane(segments: Segments) -> None:
    """Draw the customers in a plane; a lasso shows a profile, and can become a list.

    A selection is compared with all customers and listed below; rows chosen there light up in the
    picture, and a point of the selection that is clicked is chosen there. Identifiers are shown
    while their switch is on. A plane shows a part only: near each other in it may be far apart in
    the features.
    """
    made = cache(lambda kind: PLANES[kind](segments))
    if not is_watched():
        _drawn(segments, [made(kind) for kind in PLANES])
        return
    made(next(iter(PLANES)))
    kinds = widgets.Dropdown(options=list(PLANES), description="Plane")
    who = widgets.Checkbox(description="Show identifiers, also on hover", indent=False)
    _live(lambda kind, who: _touchable(segments, made(kind), who), kind=kinds, who=who)


def _touchable(segments: Segments, plane: Plane, identified: bool) -> None:
    """Show the points as a widget with a lasso, and what it holds as profile and as rows."""
    import jscatter

    rows, names = plane.rows, segments.names
    frame = pd.DataFrame(plane.points, columns=["horizontal", "vertical"])
    kinds = pd.CategoricalDtype([f"{number} {name}" for number, name in names.items()])
    labels = segments.customers["segment"].iloc[rows]
    frame["segment"] = pd.Categorical([f"{n} {names[n]}" for n in labels], dtype=kinds)
    shown = list(segments.matrix)[:4]
    frame[shown] = segments.features[shown].to_numpy()[rows]
    told = ["segment", *shown]
    if identified:
        frame["customer"] = segments.matrix.index[rows].astype(str)
        told.insert(0, "customer")
    view = jscatter.Scatter(data=frame, x="horizontal", y="vertical", height=420)
    view.color(by="segment", map=[segment_style(number).colour for number in names])
    view.background("white")
    view.legend(True)
    view.tooltip(True, properties=told)
    selection = _Selection(segments, rows, frame[told], view.widget)
    view.widget.observe(selection.changed, names="selection")
    _say(f"{plane.caption}. Choose the lasso at its left, then drag.")
    display(view.show(), selection.listed, selection.below)


class _Selection:
    """What a lasso holds: its profile, its rows, linked both ways with the picture, and a list."""

    def __init__(
        self, segments: Segments, rows: np.ndarray, told: pd.DataFrame, picture: Any
    ) -> None:
        self.segments, self.rows, self.told, self.picture = segments, rows, told, picture
        self.chosen, self.since = np.array([], dtype=int), 0.0
        self.linking = False  # what changes is the answer to a change, not somebody's doing
        self.table = widgets.SelectMultiple(rows=8, layout=widgets.Layout(width="auto"))
        self.table.observe(self._picked, names="index")
        self.head, self.below = widgets.HTML(), widgets.Output()
        self.listed = widgets.VBox([self.head, self.table], layout=widgets.Layout(display="none"))
        self.listed.add_class("rows")

    def changed(self, change: dict[str, Any]) -> None:
        """Follow the picture's selection."""
        if self.linking:
            return
        with self.below:
            new = np.asarray(change["new"], dtype=int).ravel()
            if len(new) >= FEWEST:
                self.chosen = new
                self._describe()
                self.since = monotonic()  # a click in the meantime waits until here
            elif len(self.chosen) and monotonic() - self.since < CLICK:
                self._light(self.chosen)  # a lasso that ends where it began clicks as well
            elif len(new) and np.isin(new, self.chosen[:LISTED]).all():
                self._link(lambda: setattr(self.table, "index", self._places(new)))
            else:
                self.chosen = new[:0]
                self._describe()

    def _places(self, points: np.ndarray) -> tuple[int, ...]:
        return tuple(np.flatnonzero(np.isin(self.chosen[:LISTED], points)).tolist())

    def _picked(self, change: dict[str, Any]) -> None:
        """Light up the rows that are chosen in the table; all again where none is."""
        if not self.linking:
            picked = self.chosen[list(change["new"])]
            self._light(picked if len(picked) else self.chosen)

    def _light(self, points: np.ndarray) -> None:
        self._link(lambda: setattr(self.picture, "selection", points))

    def _link(self, act: Callable[[], None]) -> None:
        self.linking = True
        try:
            act()
        finally:
            self.linking = False

    def _describe(self) -> None:
        """Show the profile of the selection, its first rows, and what makes it a list."""
        self.below.clear_output(wait=True)
        some, nouns = self.told.iloc[self.chosen[:LISTED]], self.segments.known.nouns
        head, *lines = some.to_string(index=False, float_format=number).splitlines()
        options = [*zip(lines, range(len(some)), strict=True)] if len(some) else []
        self._link(lambda: setattr(self.table, "options", options))
        self.head.value = f"{ALIGNED}<pre>{html.escape(head)}</pre>"  # hidden where there is no row
        self.listed.layout.display = "" if options else "none"
        if not len(some):
            _say(f"Draw a lasso around at least {FEWEST} {nouns}.")
            return
        mask = np.zeros(len(self.segments.matrix), bool)
        mask[self.rows[self.chosen]] = True
        title = f"{mask.sum():,} selected, against all; difference in standard deviations"
        display(HTML(presentation.html_table(self.segments.profile(mask), title)))
        name = widgets.Text(description="List", placeholder="its name")
        action = widgets.Text(description="Action", placeholder="what it is for")

        def write() -> None:
            table = self.segments.campaign(mask, name.value or "selection", action.value)
            display(HTML(presentation.html_table(table, table.attrs["caption"])))

        display(widgets.HBox([name, action]))
        _button("Write as a list with a control group", write)


def _drawn(segments: Segments, planes: list[Plane]) -> None:
    """Show the planes as a picture."""
    use_style()
    figure, axes = panels(1, len(planes), 3.6)
    for plane, ax in zip(planes, axes[0], strict=True):
        labels = segments.customers["segment"].to_numpy()[plane.rows[:STATIC_POINTS]]
        for segment, name in segments.names.items():
            colour, marker = segment_style(segment)
            x, y = plane.points[:STATIC_POINTS][labels == segment].T
            ax.scatter(x, y, s=4, c=colour, marker=marker, label=f"{segment} {name}")
        ax.set_title(fill(plane.caption, 45))
    entries = axes[0, 0].get_legend_handles_labels()
    figure.legend(*entries, loc="outside lower center", ncols=2, markerscale=2)
    alt = f"{'; '.join(plane.caption for plane in planes)}; customers coloured by segment"
    display(figure, metadata={"image/png": {"alt": alt}})
    plt.close(figure)


def keep(segments: Segments, segment: int, **new: str) -> None:
    """Show how a segment's new name, condition or advice would be kept; a button writes it.

    What can be given stands at `Segments.change`. A program only shows.
    """
    _offer(segments.change(segment, **new))


def adopt(segments: Segments) -> None:
    """Show how a number of segments, also that of a trial, would be kept; a button writes it."""
    _offer(segments.adopt())


def _offer(change: keeping.Change) -> None:
    display(change)

    def write() -> None:
        change.write()
        _start(change.command, watched=True)

    if is_watched() and change.difference:
        _button("Write it to dataset.toml", write)


def _start(command: list[str], watched: bool) -> None:
    """Show a command, and in a window, as the cell was started, a button that runs it."""
    display(HTML(f"<pre>{html.escape(shlex.join(command))}</pre>"))

    def run() -> None:
        words, pipe = [sys.executable, *command[1:]], subprocess.PIPE
        with subprocess.Popen(
            words, cwd=session.ROOT, text=True, stdout=pipe, stderr=subprocess.STDOUT
        ) as running:
            for line in running.stdout or ():
                sys.stdout.write(line)

    if watched:
        _button("Run it", run)


def _button(description: str, act: Callable[[], object]) -> None:
    """Show a button, and below it what it does and what goes wrong."""
    button = widgets.Button(description=description, button_style="warning")
    button.layout.width, below = "auto", widgets.Output()

    def clicked(_: widgets.Button) -> None:
        button.disabled = True
        below.clear_output()
        with below:
            act()
        button.disabled = False

    button.on_click(clicked)
    display(button, below)


def _say(text: str) -> None:
    """Show a text that may hold names, line by line."""
    lines = html.escape(text).replace("\n", "<br>")
    display(HTML(f'<p class="{presentation.NAMES}">{lines}</p>'))


def _live(show: Callable[..., None], **controls: widgets.Widget) -> None:
    """Show a view, or a user's mistake, with its controls; for a program, as the controls stand."""
    if not is_watched():
        show(**{name: control.value for name, control in controls.items()})
        return

    def shown(**values: Any) -> None:
        try:
            show(**values)
        except UserError as error:
            _say(str(error))

    CLOCK.stop()  # a line in the output of controls would stay there
    display(widgets.interactive(shown, **controls))
