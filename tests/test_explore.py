"""Live views of segments: what the controls change, and what a program gets in their place."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import ipywidgets as widgets
import jscatter
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from segmentation import explore

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "explore.ipynb"


@pytest.fixture
def shown(monkeypatch):
    """What the views display."""
    objects = []
    monkeypatch.setattr(explore, "display", lambda *things, **_: objects.extend(things))
    return objects


@pytest.fixture
def window(monkeypatch):
    monkeypatch.setattr(explore, "is_watched", lambda: True)


def text(things) -> str:
    markup = [thing._repr_html_() for thing in things if hasattr(thing, "_repr_html_")]
    return BeautifulSoup("".join(map(str, markup)), "html.parser").text


def control(things, kind):
    (view,) = (thing for thing in things if isinstance(thing, widgets.interactive))
    return next(child for child in view.children if isinstance(child, kind))


def test_a_program_gets_every_view_as_the_controls_stand(segments, shown):
    explore.by_k(segments)
    explore.two_segments(segments)
    explore.other_features(segments)
    explore.one_customer(segments)
    explore.adopt(segments)
    explore.plane(segments)
    assert not any(isinstance(thing, widgets.Widget) for thing in shown)
    assert "From k = 3 to 4" in text(shown) and "+k = 4" in text(shown)
    (figure,) = (thing for thing in shown if hasattr(thing, "axes"))
    labels = [entry.get_text() for entry in figure.legends[0].get_texts()]
    assert labels == [f"{number} {name}" for number, name in segments.names.items()]
    assert not any(str(identifier) in text(shown) for identifier in segments.matrix.index)


def test_the_slider_shows_another_number_of_segments(segments, shown, window):
    explore.by_k(segments)
    slider = control(shown, widgets.SelectionSlider)
    shown.clear()
    slider.value = 3
    assert "Trial: k = 3" in text(shown) and "From k = 2 to 3" in text(shown)
    assert all(feature in text(shown) for feature in segments.profile().index)


def test_a_feature_can_weigh_more_and_one_that_weighs_nothing_is_left_out(segments, shown, window):
    features = [replace(f, label=f"$x^2$ {f.label}") for f in segments.known.features]
    ws = copy.copy(segments.ws)
    ws.dataset = replace(segments.known, features=tuple(features))
    segments = replace(segments, ws=ws)
    explore.other_features(segments)
    (view,) = (thing for thing in shown if isinstance(thing, widgets.interactive))
    sliders = [child for child in view.children if isinstance(child, widgets.FloatSlider)]
    first, second = list(segments.matrix)[:2]
    sliders[0].value = 0
    shown.clear()
    sliders[1].value = 2
    assert f"Trial: without {first}, {second} × 2" in text(shown)
    assert not any("$" in slider.description.replace(r"\$", "") for slider in sliders)
    shown.clear()
    for slider in sliders:
        slider.value = 0
    assert "no feature is left" in text(shown)


def test_one_customer_is_found_by_the_identifier_and_a_mistake_is_said(segments, shown, window):
    explore.one_customer(segments)
    box = control(shown, widgets.Text)
    shown.clear()
    box.value = f" {segments.matrix.index[3]} "
    assert f"{segments.customers['name'].iloc[3]} (segment" in text(shown)
    box.value = "<b>x</b>"
    assert "there is no customer '<b>x</b>'" in text(shown)


@pytest.fixture
def picture(segments, shown, window, monkeypatch):
    """The widget of the plane, the list of rows beside it, and the switches above."""
    views = []

    class Kept(jscatter.Scatter):
        def __init__(self, *given, **named):
            super().__init__(*given, **named)
            views.append(self)

    monkeypatch.setattr(jscatter, "Scatter", Kept)
    explore.plane(segments)
    (view,) = (thing for thing in shown if isinstance(thing, widgets.interactive))
    rows = next(thing for thing in shown if isinstance(thing, widgets.VBox) and thing is not view)
    yield SimpleNamespace(views=views, widget=views[0].widget, rows=rows.children[1], all=view)


def knows_a_customer(segments, *texts) -> bool:
    return any(
        str(identifier) in str(text) for identifier in segments.matrix.index for text in texts
    )


def test_a_lasso_shows_the_profile_of_what_it_holds(segments, shown, picture):
    assert "trustworthiness" in text(shown)
    shown.clear()
    picture.widget.selection = np.arange(explore.FEWEST - 1)
    assert "at least 10 cardholders" in text(shown) and not picture.rows.options
    picture.widget.selection = np.arange(40)
    assert "40 selected, against all" in text(shown) and len(picture.rows.options) == 40
    assert not knows_a_customer(segments, text(shown), picture.rows.options)


def test_rows_and_points_are_linked_both_ways_and_a_lasso_s_own_click_is_none(picture, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(explore, "monotonic", lambda: now[0])
    held = np.arange(100, 140)
    picture.widget.selection = held
    picture.widget.selection = np.array([7])  # the click at the lasso's end
    assert picture.widget.selection.tolist() == held.tolist()
    now[0] += 1
    picture.rows.index = (2, 5)
    assert picture.widget.selection.tolist() == [102, 105]
    picture.rows.index = ()
    assert picture.widget.selection.tolist() == held.tolist()
    picture.widget.selection = np.array([103])
    assert picture.rows.index == (3,) and len(picture.rows.options) == 40
    picture.widget.selection = np.array([7])
    assert not picture.rows.options, "another point is another selection"


def test_identifiers_are_there_while_their_switch_is_on(segments, shown, picture):
    assert not knows_a_customer(segments, picture.views[0]._data.to_csv())
    switch = next(c for c in picture.all.children if isinstance(c, widgets.Checkbox))
    switch.value = True
    assert knows_a_customer(segments, picture.views[1]._data.to_csv())
    assert picture.views[1].widget.tooltip_properties[0] == "customer"
    switch.value = False
    assert not knows_a_customer(segments, picture.views[2]._data.to_csv())


def test_a_selection_becomes_a_list(segments, shown, picture, monkeypatch):
    asked = []

    def campaign(_, mask, *named):
        asked.append((mask.sum(), *named))
        table = pd.DataFrame({"customers": [mask.sum()]})
        table.attrs["caption"] = "Written: x.csv"
        return table

    monkeypatch.setattr(type(segments), "campaign", campaign)
    picture.widget.selection = np.arange(40)
    (both,) = (thing for thing in shown if isinstance(thing, widgets.HBox))
    both.children[0].value, both.children[1].value = "Mine", "Greet."
    assert not asked
    shown[-2].click()
    assert asked == [(40, "Mine", "Greet.")] and "Written: x.csv" in text(shown)


@pytest.mark.parametrize(("customers", "features"), [(12, 3), (40, 1)])
def test_a_plane_of_few_customers_or_one_feature(segments, customers, features):
    few = replace(segments, matrix=segments.matrix.iloc[:customers, :features])
    for make in explore.PLANES.values():
        made = make(few)
        assert made.points.shape == (customers, 2) and np.isfinite(made.points).all()
        assert sorted(made.rows) == list(range(customers)) and "nan" not in made.caption


def test_the_button_starts_the_run_that_is_shown(segments, shown, window, monkeypatch, capfd):
    made = SimpleNamespace(difference="+ k", command=["python3", "-c", "print(5)"], write=print)
    monkeypatch.setattr(type(segments), "adopt", lambda _: made)
    explore.adopt(segments)
    for description in ("Write it to dataset.toml", "Run it"):
        button = shown[-2]
        assert button.description == description
        button.click()
    assert "5\n" in capfd.readouterr().out and not button.disabled


def test_a_change_is_written_by_its_button_alone(segments, shown, monkeypatch):
    made = SimpleNamespace(difference="+ x", command=["run"], written=0)
    made.write = lambda: setattr(made, "written", made.written + 1)
    monkeypatch.setattr(type(segments), "change", lambda *_, **new: made if new else None)
    explore.keep(segments, 1, name="x")
    assert shown == [made], "a program only shows"
    monkeypatch.setattr(explore, "is_watched", lambda: True)
    explore.keep(segments, 1, name="x")
    assert not made.written
    monkeypatch.setattr(explore, "is_watched", lambda: False)  # so it is on a click in a window
    shown[-2].click()
    assert made.written == 1 and "run" in text(shown) and shown[-2].description == "Run it"


def test_the_notebook_is_stored_without_outputs_in_short_cells():
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert max(len(cell["source"]) for cell in code) <= 3
