"""Days and weeks of the explorer: too few of them, many of them, and two dates to cut on."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senderscore_nb.errors import SelectionError
from senderscore_nb.explorer import Data, Model, View
from senderscore_nb.explorer.figures import pictures
from senderscore_nb.explorer.leaving import export, picture_html
from senderscore_nb.explorer.scene import Scene
from tests.explorer_data import MONDAY, data_of, full


def first_days(n: int) -> pl.DataFrame:
    return full().filter(pl.col("day") < MONDAY + dt.timedelta(days=n))


@pytest.mark.parametrize("days", [1, 10])
@pytest.mark.parametrize("panel", ["trend", "heatmaps"])
def test_too_few_days_for_the_weeks_are_said_with_a_way_out(days, panel):
    data = data_of(first_days(days))
    values = Model(data, View(panel=panel)).draw().values
    short = values["trend" if panel == "trend" else "weeks"]["short"]
    weeks = "there is 1 week" if days == 1 else "there are 2 weeks"
    assert "needs 4 weeks of data" in short["words"]
    assert weeks in short["words"]
    assert short["weeks"] == 1
    offered = Model(data, View(panel=panel, weeks=short["weeks"])).draw().values
    told = offered["trend" if panel == "trend" else "weeks"]
    assert told["short"] is None
    assert told["rows"]
    with pytest.raises(SelectionError, match=r"needs 4 weeks of data.*Show each week by itself"):
        pictures(data, View(panel=panel))
    assert "needs 4 weeks of data" in picture_html(data, View(panel=panel), "m")
    assert export(data, View(panel=panel, weeks=1), "csv")[1]


def test_the_longest_weeks_that_fit_are_offered():
    scene = Scene.seen(data_of(full()), View())
    assert scene.too_short(4) is None
    assert scene.too_short(12)["weeks"] == 4
    assert scene.too_short(12)["offer"] == "Show 4 weeks at a time"
    assert Scene.seen(data_of(full()), View.create(end="2020-01-01")).too_short(12) is None


@settings(max_examples=30)
@given(st.integers(1, 45), st.sampled_from((1, 2, 4, 12)))
def test_no_weeks_are_shown_just_where_it_is_said(days, span):
    scene = Scene.seen(data_of(first_days(days)), View())
    assert bool(scene.weeks(span).mondays) == (scene.too_short(span) is None)


def test_what_a_brush_takes_is_said():
    data = data_of(full())
    said = Model(data, View(panel="heatmaps")).draw().values["weeks"]["hint"]
    assert "covers 4 weeks up to the one it is named for" in said
    assert "Days before 23 Mar have no whole 4 weeks" in said
    later = View.create(panel="heatmaps", start=str(MONDAY + dt.timedelta(days=28)))
    assert "Days before" not in Model(data, later).draw().values["weeks"]["hint"]
    weekly = Model(data, View(panel="heatmaps", weeks=1)).draw().values["weeks"]["hint"]
    assert "named for" not in weekly


def long(weeks: int) -> Data:
    days = [MONDAY + dt.timedelta(weeks=n) for n in range(weeks)]
    frame = pl.DataFrame({"day": days}).with_columns(
        user_id=pl.lit("7"), sequence_id=pl.lit("a"), ended=pl.lit(40, pl.Int64),
        replied=pl.lit(3, pl.Int64), bounced=pl.lit(1, pl.Int64),
    )  # fmt: skip
    return Data.of_tallies(frame)


@pytest.mark.parametrize("span", [1, 2, 3, 4, 12])
def test_no_enrollment_of_a_long_trend_is_left_out(span):
    rows = Model(long(57), View(panel="trend", weeks=span)).draw().values["trend"]["rows"]
    covered = np.zeros(57, dtype=int)
    for row in rows:
        at = (dt.date.fromisoformat(row["day"]) - MONDAY).days // 7
        covered[at - span + 1 : at + 1] += 1
    assert (covered > 0)[(57 - span) % 4 if span >= 4 else 0 :].all()
    assert len(rows) == (57 - span + 1 if span < 4 else -(-(57 - span + 1) // 4))


def test_a_thinned_trend_says_how_far_apart_its_points_are():
    assert Model(long(57), View(panel="trend")).draw().values["trend"]["step"] == 28
    assert Model(long(57), View(panel="trend", weeks=1)).draw().values["trend"]["step"] == 7


def test_the_days_that_can_be_chosen_follow_the_date_that_days_cut_on():
    data = Data.of_paths([])
    ended = Model(data, View(date_basis="ended_on")).draw().values["range"]
    enrolled = Model(data, View(date_basis="enrolled_on")).draw().values["range"]
    assert enrolled["first"] < ended["first"]
    assert enrolled["last"] < ended["last"]
    assert enrolled["presets"] != ended["presets"]
    index = data.index(data.policy("hubspot-article", "enrolled_on"))
    assert enrolled["first"] == str(index.first)


@pytest.mark.parametrize(
    ("unknown", "why"),
    [("bounced", "bounces are not known"), ("replied", "replies are not known")],
)
def test_why_there_is_no_score_is_said(unknown, why):
    frame = full().with_columns(pl.lit(None, pl.Int64).alias(unknown))
    rows = Model(data_of(frame), View(panel="table")).draw().values["list"]["rows"]
    told = [row["why"] for row in rows if row["status"] == "not_computable"]
    assert told
    assert set(told) == {why}
    gone = full().with_columns(bounced="ended", replied=pl.lit(0, pl.Int64))
    rows = Model(data_of(gone), View(panel="table")).draw().values["list"]["rows"]
    told = {row["why"] for row in rows if row["status"] == "not_computable"}
    assert told == {"nothing was delivered"}
