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
from functools import cache
from threading import Thread
from typing import Any

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML, display
from sklearn.decomposition import PCA

from customer_tables.errors import UserError
from segmentation import presentation, session
from segmentation.palette import colour_and_marker
from segmentation.progress import is_watched
from segmentation.robustness import flows
from segmentation.segments import Segments

FEWEST, MOST_POINTS = 10, 1_000_000  # customers of a selection that is described; points drawn
STATIC_POINTS = 10_000


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
            parts.append(presentation.html_table(_flow(segments, k), f"From k = {k - 1} to {k}"))
        return "".join(parts)

    if is_watched():
        Thread(target=lambda: [view(k) for k in ks], daemon=True).start()
    _live(lambda k: display(HTML(view(k))), k=_slider(ks, segments.run.k))


def _slider(ks: list[int], k: int) -> widgets.SelectionSlider:
    return widgets.SelectionSlider(
        options=ks, value=k, description="Segments", continuous_update=False
    )


def _flow(segments: Segments, k: int) -> pd.DataFrame:
    """Count the customers that go from each segment of the solution before to each of k."""
    stored = segments.run.stored
    table = flows({n: stored[n].to_numpy() for n in (k - 1, k)})
    names = segments.at(k).names
    counts = table.pivot_table(
        index="segment_from", columns="segment_to", values="customers", fill_value=0
    ).astype(int)
    counts.index, counts.columns = counts.index + 1, counts.columns + 1
    return counts.rename(columns=names).rename_axis(index=f"segment of {k - 1}", columns=None)


def other_features(segments: Segments) -> None:
    """Refit with features left out or weighted, and compare with the segments of the run."""
    labels = {f.name: f.label or f.name for f in segments.known.features}
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
            display(HTML(f"<p>{html.escape(found.attrs['rule'])}</p>"))

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


def plane(segments: Segments) -> None:
    """Draw the customers in the plane of two principal components; a lasso shows a profile.

    A selection is compared with all customers. The plane shows part of the variance only: near
    each other in it may be far apart in the features.
    """
    model = PCA(2, random_state=20) if segments.matrix.shape[1] > 1 else None
    points = np.zeros((len(segments.matrix), 2))
    if model:
        points = model.fit_transform(segments.matrix.to_numpy())
    share = model.explained_variance_ratio_.sum() if model else 1.0
    caption = f"Plane of two principal components, {share:.0%} of the variance"
    if is_watched():
        _touchable(segments, points, caption)
    else:
        _drawn(segments, points, caption)


def _touchable(segments: Segments, points: np.ndarray, caption: str) -> None:
    """Show the points as a widget with a lasso, and the profile of what it holds."""
    import jscatter

    chosen = np.sort(np.random.default_rng(20).permutation(len(points))[:MOST_POINTS])
    names = segments.names
    frame = pd.DataFrame(points[chosen], columns=["first component", "second component"])
    kinds = pd.CategoricalDtype([f"{number} {name}" for number, name in names.items()])
    labels = segments.customers["segment"].iloc[chosen]
    frame["segment"] = [f"{number} {names[number]}" for number in labels]
    frame["segment"] = frame["segment"].astype(kinds)
    shown = list(segments.matrix)[:4]
    frame[shown] = segments.features[shown].to_numpy()[chosen]
    view = jscatter.Scatter(data=frame, x="first component", y="second component", height=420)
    view.color(by="segment", map=[colour_and_marker(number)[0] for number in names])
    view.background("white")
    view.legend(True)
    view.tooltip(True, properties=["segment", *shown])
    below = widgets.Output()

    def describe(change: dict[str, Any]) -> None:
        rows = chosen[np.asarray(change["new"], dtype=int)]
        below.clear_output(wait=True)
        with below:
            if len(rows) < FEWEST:
                display(HTML(f"Draw a lasso around at least {FEWEST} {segments.known.nouns}."))
                return
            mask = np.zeros(len(points), bool)
            mask[rows] = True
            title = f"{len(rows):,} selected, against all; difference in standard deviations"
            display(HTML(presentation.html_table(segments.profile(mask), title)))

    view.widget.observe(describe, names="selection")
    display(HTML(f"<p>{html.escape(caption)}. Choose the lasso at its left, then drag.</p>"))
    display(view.show(), below)


def _drawn(segments: Segments, points: np.ndarray, caption: str) -> None:
    """Show the points as a picture."""
    some = np.random.default_rng(20).permutation(len(points))[:STATIC_POINTS]
    labels = segments.customers["segment"].to_numpy()[some]
    figure, ax = plt.subplots()
    for number, name in segments.names.items():
        colour, marker = colour_and_marker(number)
        own = points[some][labels == number]
        ax.scatter(own[:, 0], own[:, 1], s=6, c=colour, marker=marker, label=f"{number} {name}")
    ax.set(xlabel="first component", ylabel="second component", title=caption)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    alt = f"{caption}; customers coloured by segment"
    display(figure, metadata={"image/png": {"alt": alt}})
    plt.close(figure)


def keep(segments: Segments, segment: int, **new: str) -> None:
    """Show how a segment's new name, condition or advice would be kept; a button writes it.

    What can be given stands at `Segments.change`. A program only shows.
    """
    change = segments.change(segment, **new)
    display(change)

    def write() -> None:
        change.write()
        _start(change.command)

    if is_watched() and change.difference:
        _button("Write it to dataset.toml", write)


def adopt(segments: Segments, k: int | None = None) -> None:
    """Offer the run that makes a k the report's: a button, and the command that it starts.

    Only what depends on k runs again.
    """
    _start(segments.command(k or segments.k))


def _start(command: list[str]) -> None:
    """Show a command, and in a window a button that runs it."""
    display(HTML(f"<pre>{html.escape(shlex.join(command))}</pre>"))

    def run() -> None:
        words, pipe = [sys.executable, *command[1:]], subprocess.PIPE
        with subprocess.Popen(
            words, cwd=session.ROOT, text=True, stdout=pipe, stderr=subprocess.STDOUT
        ) as running:
            for line in running.stdout or ():
                sys.stdout.write(line)

    if is_watched():
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


def _live(show: Callable[..., None], **controls: widgets.Widget) -> None:
    """Show a view, or a user's mistake, with its controls; for a program, as the controls stand."""
    if not is_watched():
        show(**{name: control.value for name, control in controls.items()})
        return

    def shown(**values: Any) -> None:
        try:
            show(**values)
        except UserError as error:
            display(HTML(f"<p>{html.escape(str(error)).replace(chr(10), '<br>')}</p>"))

    display(widgets.interactive(shown, **controls))
