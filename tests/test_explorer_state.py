"""A view is one value with several spellings; its model can be changed, undone and drawn."""

from __future__ import annotations

import datetime as dt
import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senderscore_nb.errors import PolicyError, SelectionError
from senderscore_nb.explorer import Data, Model, Side, View
from senderscore_nb.explorer.state import preset_days
from senderscore_nb.policy import load_policy
from senderscore_nb.selection import Selection
from tests.explorer_data import MONDAY, data_of, full, tallies, views

HOSTILE = ("a&b=c", "</script>", "ä 日本 \u202e", '"quoted"', "a\\b", "other.teams", "#%?", " ")


@given(views())
def test_a_view_reads_back_equal_from_each_of_its_spellings(view):
    assert View.parse(view.to_parameters()) == view
    assert View.parse(json.loads(json.dumps(view.to_parameters()))) == view
    assert View.from_toml(view.to_toml()) == view
    assert View.from_link(view.to_link()) == view
    assert View.from_link(f"http://127.0.0.1:8866/?token=x&{view.to_link()}") == view


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_survive_every_spelling(name):
    view = View.create(users=[name, "x"], teams=[name], sequences=[name], user=name, policy=name)
    view = view.updated(other={"users": [name], "policy": name})
    assert View.from_link(view.to_link()) == view
    assert View.from_toml(view.to_toml()) == view
    assert tomllib.loads(view.to_toml())["user"] == name


@given(views(), views())
def test_updating_to_a_view_equals_creating_it(before, after):
    values = {"other": None, **after.to_parameters()}
    assert before.updated(**values) == View.create(**values) == after
    assert before.updated() == before


def test_a_selection_can_be_given_whole():
    chosen = Selection(users=["7"], start="2026-03-02")
    assert View.create(selection=chosen) == View.create(users=["7"], start="2026-03-02")
    assert View().updated(other=Side(selection=chosen)).other == Side(selection=chosen)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"usrs": ["7"]}, "usrs: this key is unknown. Did you mean 'users'"),
        ({"panel": "walls"}, "panel: "),
        ({"start": "1 March"}, "'1 March' is not a day of the form YYYY-MM-DD"),
        ({"start": "2026-03-02", "end": "2026-03-01"}, "is before the start"),
        ({"sequence": "a"}, "give the user as well"),
        ({"brush_start": "2026-03-02"}, "go together"),
        ({"brush_start": "2026-03-02", "brush_end": "2026-03-01"}, "before it starts"),
        ({"weeks": 0}, "weeks: "),
        ({"other": {"panel": "trend"}}, "other.panel"),
        ({"factors": {"segment": ["x"]}}, "factors"),
    ],
)
def test_what_is_not_a_view_is_refused_in_words(values, says):
    with pytest.raises(SelectionError, match="view: ") as raised:
        View.create(**values)
    assert says in str(raised.value)


def test_a_link_and_toml_that_are_not_views_are_refused():
    with pytest.raises(SelectionError, match="link: color: this key is unknown"):
        View.from_link("?color=red")
    with pytest.raises(SelectionError, match="Not valid TOML"):
        View.from_toml("panel = trend")


@given(tallies(), st.lists(views(), min_size=1, max_size=6))
def test_undo_and_redo_are_inverse(frame, steps):
    model = Model(data_of(frame))
    shown = [model.view]
    for view in steps:
        model.show(view)
        if view != shown[-1]:
            shown.append(view)
    for view in reversed(shown[:-1]):
        assert model.undo() == view
    assert not model.can_undo
    assert model.undo() == shown[0]
    for view in shown[1:]:
        assert model.redo() == view
    assert not model.can_redo


@given(tallies(), views())
def test_reset_takes_every_filter_off_and_leaves_what_is_shown(frame, view):
    model = Model(data_of(frame), view)
    kept = ("panel", "weeks", "sort", "descending", "other", "policy", "split")
    expected = View.create(**{k: v for k, v in view.to_parameters().items() if k in kept})
    assert model.reset() == expected
    assert model.draw().values["enrollments"] == frame["ended"].sum()


def test_a_change_after_undo_forgets_what_was_undone():
    model = Model(data_of(full()))
    model.update({"panel": "trend"})
    model.undo()
    model.update({"panel": "table"})
    assert not model.can_redo
    assert model.undo() == View()


def test_a_stroke_is_undone_as_one():
    model = Model(data_of(full()))
    model.update({"panel": "trend"})
    for day in range(5):
        model.update({"start": str(MONDAY + dt.timedelta(days=day))}, stroke="days-1")
    model.update({"start": str(MONDAY)}, stroke="days-2")
    assert model.undo().selection.start == MONDAY + dt.timedelta(days=4)
    assert model.undo().selection.start is None
    assert model.view.panel == "trend"


def test_a_change_of_what_is_shown_goes_back_to_the_first_page():
    model = Model(data_of(full()), View(page=2))
    assert model.update({"brush_start": str(MONDAY), "brush_end": str(MONDAY)}).page == 2
    assert model.update({"users": ["7"]}).page == 0
    assert model.update({"users": [], "page": 1}).page == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"users": ["seven"]}, "There is no user 'seven'"),
        ({"teams": ["north"]}, "There is no team 'north'. Did you mean 'North'"),
        ({"sequences": ["z"]}, "There is no sequence 'z'"),
        ({"user": "z"}, "There is no user 'z'"),
        ({"user": "7", "sequence": "z"}, "There is no sequence 'z'"),
        ({"policy": "hubspot"}, "There is no policy 'hubspot'. Did you mean 'hubspot-article'"),
        ({"date_basis": "enrolled_on"}, "counted under other rules (date_basis = ended_on)"),
        ({"other": {"users": ["z"]}}, "There is no user 'z'"),
        ({"start": "x"}, "is not a day"),
        ("x", "without values"),
    ],
)
def test_an_error_is_said_and_the_view_stays_usable(changes, says):
    model = Model(data_of(full()))
    model.update({"users": ["7"]})
    before = model.view
    answer = model.answer({"do": "update", "changes": changes})
    assert says in answer.values["error"]
    assert model.view == before
    assert answer.values["view"] == before.to_parameters()
    assert answer.values["enrollments"] > 0
    again = model.answer({"do": "update", "changes": {"users": []}})
    assert again.values["error"] == ""


def test_a_defect_is_said_too_and_does_not_stick(monkeypatch):
    model = Model(data_of(full()))

    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    from senderscore_nb.explorer import frames

    monkeypatch.setitem(frames._PANELS, "trend", broken)
    answer = model.answer({"do": "update", "changes": {"panel": "trend"}})
    assert "ZeroDivisionError" in answer.values["error"]
    assert model.view == View()
    assert "cannot do 'dance'" in model.answer({"do": "dance"}).values["error"]


def test_a_policy_of_ones_own_by_file_and_by_name(tmp_path):
    own = load_policy().model_copy(update={"name": "mine", "version": 3})
    path = tmp_path / "mine.toml"
    path.write_text(own.to_toml())
    data = data_of(full())
    data.policies["mine"] = own
    for name in ("mine", str(path)):
        model = Model(data, View(policy=name))
        assert "mine v3" in model.draw().values["policy"]["label"]
    path.write_text(own.model_copy(update={"version": 4}).to_toml())
    assert "mine v4" in model.draw().values["policy"]["label"]
    path.write_text("name = ")
    with pytest.raises(PolicyError, match="Not valid TOML"):
        Model(data, View(policy=str(path)))


def test_presets_are_whole_weeks_of_the_data():
    first, last = dt.date(2026, 1, 5), dt.date(2026, 3, 5)
    ranges = preset_days(first, last)
    assert all(end == dt.date(2026, 3, 1) for _, end in ranges.values())
    assert all(start.weekday() == 0 for start, _ in ranges.values())
    assert (ranges["quarter"][1] - ranges["quarter"][0]).days == 13 * 7 - 1
    assert preset_days(last, last)["week"][1] == last


def test_nothing_ended_is_said():
    with pytest.raises(SelectionError, match="nothing to explore"):
        Data.of_tallies(full().clear())


def test_a_policy_that_goes_bad_leads_back_to_the_view_before_it(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(load_policy().model_copy(update={"name": "mine"}).to_toml())
    model = Model(data_of(full()))
    model.update({"policy": str(path)})
    path.write_text("name = 1")
    answer = model.answer({"do": "update", "changes": {"users": ["7"]}})
    assert "mine.toml" in answer.values["error"]
    assert model.view == View()
    opened = Model(data_of(full()), View())
    path.write_text(load_policy().to_toml())
    opened = Model(data_of(full()), View(policy=str(path)))
    path.unlink()
    assert opened.answer({"do": "draw"}).values["view"] == View().to_parameters()
