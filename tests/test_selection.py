"""A selection: four spellings, one value."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from senderscore_nb.errors import SelectionError
from senderscore_nb.selection import Selection
from tests.conftest import MONDAY, tally_rows

names = st.lists(st.text(min_size=1, max_size=20), max_size=3)
selections = st.builds(
    lambda u, t, s, start, length, f: Selection(
        users=u, teams=t, sequences=s, start=start,
        end=start + dt.timedelta(days=length) if start else None, factors=f,
    ),
    names, names, names,
    st.one_of(st.none(), st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1))),
    st.integers(0, 400),
    st.dictionaries(st.sampled_from(["segment", "steps"]), names.filter(bool), max_size=2),
)  # fmt: skip


@given(selections)
def test_parameters_read_back_equal(selection):
    assert Selection.parse(selection.to_parameters()) == selection


@given(selections)
def test_options_read_back_equal(selection):
    back: dict = {"users": [], "teams": [], "sequences": [], "factors": {}}
    for option in selection.to_options():
        flag, value = option.removeprefix("--").split("=", 1)
        if flag == "factor":
            name, item = value.split("=", 1)
            back["factors"].setdefault(name, []).append(item)
        elif flag in ("start", "end"):
            back[flag] = value
        else:
            back[f"{flag}s"].append(value)
    assert Selection.parse(back) == selection


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"user": ["7"]}, "Did you mean 'users'"),
        ({"start": "2/3/2026"}, "YYYY-MM-DD"),
        ({"start": "2026-02-30"}, "start"),
        ({"start": "2026-03-02", "end": "2026-03-01"}, "before the start"),
        ({"start": dt.datetime(2026, 3, 2, 12)}, "not an instant"),
        ({"users": [7]}, "users"),
    ],
)
def test_a_wrong_selection_is_refused(values, says):
    with pytest.raises(SelectionError, match=says):
        Selection.parse(values)


ROWS = tally_rows(
    ("7", "1", MONDAY, 5, 1, 0),
    ("8", "2", MONDAY + dt.timedelta(days=1), 6, 1, 0),
    ("9", "1", MONDAY + dt.timedelta(days=2), 7, 1, 0),
)
ROSTER = pl.DataFrame({"user_id": ["7", "8"], "team": ["North", "South"]})


@pytest.mark.parametrize(
    ("values", "ended"),
    [
        ({}, 18),
        ({"users": ["7", "nobody"]}, 5),
        ({"sequences": ["1"]}, 12),
        ({"start": "2026-03-03"}, 13),
        ({"end": "2026-03-03"}, 11),
        ({"start": "2026-03-03", "end": "2026-03-03"}, 6),
        ({"teams": ["South"]}, 6),
        ({"teams": ["North"], "sequences": ["2"]}, 0),
    ],
)
def test_it_takes_the_rows_that_it_names(values, ended):
    assert Selection.parse(values).apply(ROWS, ROSTER)["ended"].sum() == ended


def test_a_team_needs_a_roster_that_has_it():
    with pytest.raises(SelectionError, match="no roster"):
        Selection(teams=["North"]).apply(ROWS)
    with pytest.raises(SelectionError, match="Did you mean 'North'"):
        Selection(teams=["Nort"]).apply(ROWS, ROSTER)


def test_it_is_said_in_words():
    assert Selection().describe() == "everything"
    assert Selection().is_everything
    chosen = Selection(users=["7", "8"], start=MONDAY, end=MONDAY, factors={"segment": ["smb"]})
    assert chosen.describe() == "users 7, 8; segment smb; 2026-03-02 to 2026-03-02"
    assert Selection(start=MONDAY).describe() == "from 2026-03-02"
