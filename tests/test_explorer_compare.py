"""Two sides of a comparison: which days each has, what they are called, and what is said."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from senderscore_nb.certainty import difference
from senderscore_nb.explorer import Data, Model, View
from senderscore_nb.explorer.comparing import sides_of
from senderscore_nb.explorer.kernel import difference_limits
from senderscore_nb.explorer.scene import Scene
from tests.explorer_data import DAYS, MONDAY, data_of, full

LAST = MONDAY + dt.timedelta(days=DAYS - 1)


def compared(data: Data, **values: object) -> dict:
    return Model(data, View.create(panel="compare", **values)).draw().values["compare"]


def test_all_days_are_halved_and_that_is_said():
    values = compared(data_of(full()))
    left, right = (side["label"] for side in values["sides"])
    assert left.endswith("15 Apr 2026")
    assert right == "3 Mar – 24 Mar 2026"
    assert values["shared"] == 0
    assert values["chosen"] == "before"
    assert "the later half of these days" in values["halved"]
    before = values["choices"][0]
    assert before["alone"]
    assert "half" in before["label"]
    later = compared(data_of(full()), start=str(MONDAY + dt.timedelta(days=20)))
    assert later["halved"] == ""
    assert later["choices"][0]["label"] == "The time just before"
    assert "alone" not in later["choices"][0]


def test_another_team_against_all_days_has_all_days_too():
    """What the view sends when a team is chosen there: the left's own days."""
    values = compared(data_of(full()), other={"teams": ["North"], "start": "", "end": ""})
    assert values["chosen"] == "same"
    assert [side["label"].split(" · ")[0] for side in values["sides"]] == [
        "2 Mar – 15 Apr 2026",
        "2 Mar – 15 Apr 2026",
    ]


def test_days_of_the_left_are_never_called_the_time_before_it():
    """A link may hold the earlier half of days that are not halved any more."""
    half = str(MONDAY + dt.timedelta(days=22))
    values = compared(
        data_of(full()), other={"teams": ["North"], "start": str(MONDAY), "end": half}
    )
    assert values["chosen"] == "custom"
    assert values["choices"][-1]["label"] == "2 Mar – 24 Mar 2026"
    assert values["shared"] > 0


@given(st.integers(1, DAYS - 1), st.integers(0, DAYS - 1))
def test_the_time_before_ends_before_the_left_starts(low, length):
    start = MONDAY + dt.timedelta(days=low)
    end = min(start + dt.timedelta(days=length), LAST)
    scene = Scene.seen(data_of(full()), View.create(start=start, end=end))
    there = sides_of(scene, View.create(start=start, end=end)).there
    assert there.span[1] <= scene.span[0]


def test_one_day_has_nothing_before_it():
    one = full().filter(pl.col("day") == MONDAY)
    values = compared(data_of(one))
    assert "nothing before it" in values["alone"]
    assert values["sides"][0]["ended"] == one["ended"].sum()
    with_team = compared(data_of(one), other={"teams": ["South"]})
    assert with_team["alone"] == ""
    first_of_many = compared(data_of(full()), end=str(MONDAY))
    assert first_of_many["alone"]


def test_policies_are_called_by_their_names(tmp_path):
    from senderscore_nb.policy import load_policy

    path = tmp_path / "deep" / "own.toml"
    path.parent.mkdir()
    path.write_text(load_policy().model_copy(update={"name": "Ours"}).to_toml())
    data = data_of(full())
    values = Model(data, View(policy=str(path))).draw().values
    assert values["policy"]["shown"] == "Ours (own.toml)"
    values = compared(data, other={"policy": str(path)})
    assert values["other"]["shown"] == "Ours (own.toml)"
    assert Model(data).draw().values["policy"]["shown"] == "hubspot-article"


limits = st.tuples(*[st.floats(0, 100, allow_nan=False)] * 3).map(
    lambda three: (sorted(three)[1], sorted(three)[0], sorted(three)[2])
)


@given(limits, limits, st.floats(0, 1))
def test_a_difference_of_numbers_equals_that_of_columns(now, before, rho):
    a, b = ([pl.lit(v) for v in side] for side in (now, before))
    expected = pl.select(
        **dict(zip("ab", difference(tuple(a), tuple(b), correlation=rho), strict=True))
    ).row(0)
    assert difference_limits(now, before, correlation=rho) == pytest.approx(expected, abs=1e-9)
