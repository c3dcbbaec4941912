"""Trends: lines with gaps, bands behind, panels."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from senderscore_nb.charts import heatmap_weeks, trend
from senderscore_nb.errors import ContractError
from tests.chart_frames import (
    HOSTILE,
    MONDAY,
    POLICY,
    bands,
    expressions,
    mark_types,
    picture,
    proven,
    rows_of,
    scored,
    weeks,
)


def everyone(scores: list[float | None]) -> pl.DataFrame:
    keys = [{"week": MONDAY + dt.timedelta(weeks=w)} for w in range(len(scores))]
    return scored(keys, scores)


def test_everyone_is_one_line_on_named_bands() -> None:
    spec = proven(trend(everyone([60, 65, 72]), POLICY))
    assert mark_types(spec) == ["rect", "text", "area", "line", "point"]
    waiting = proven(trend(everyone([60, None, 72]), POLICY))
    assert mark_types(waiting) == ["rect", "text", "area", "line", "point", "point"]
    assert [r["text"] for r in rows_of(spec, "text")] == list(POLICY.band_names)
    assert "Everyone: from 60.0 to 72.0" in spec["description"]
    assert spec["layer"][2]["encoding"]["x"]["scale"]["type"] == "utc"


def test_periods_without_a_score_are_hollow_and_counted() -> None:
    spec = proven(trend(everyone([60, None, 72, None]), POLICY))
    states = [r["state"] for r in rows_of(spec, "day")]
    assert states == ["scored", "waiting", "scored", "waiting"]
    assert "2 without a score" in spec["description"]
    assert "no score" in spec["title"]["text"]


def test_a_missing_week_breaks_the_line() -> None:
    frame = everyone([60, 65, 70, 75]).filter(pl.col("week") != MONDAY + dt.timedelta(weeks=1))
    points = rows_of(proven(trend(frame, POLICY)), "day")
    assert [p.get("score") for p in points] == [60, None, 70, 75]
    assert points[1]["state"] == "none"


def test_several_senders_are_panels_in_order() -> None:
    spec = proven(trend(weeks(4, 5), POLICY, columns=3))
    assert spec["columns"] == 3
    assert spec["facet"]["field"] == "who"
    places = {r["who"]: r["place"] for r in rows_of(spec, "place")}
    assert places == {f"Sender {i}": i for i in range(4)}
    assert spec["spec"]["layer"][0]["encoding"]["color"]["legend"]["symbolOpacity"] == 1


def test_nothing_collected_yet() -> None:
    spec = proven(trend(everyone([None, None]), POLICY))
    assert "No scores" in spec["description"]
    assert "2 collecting" in spec["description"]


def test_an_empty_frame_says_so() -> None:
    assert "Nothing to show" in picture(proven(trend(everyone([50]).clear(), POLICY)))


def test_one_week_is_a_point() -> None:
    assert len(rows_of(proven(trend(everyone([50]), POLICY)), "day")) == 1


def test_a_missing_period_is_an_error_in_words() -> None:
    with pytest.raises(ContractError, match="'week'"):
        trend(everyone([50]).drop("week"), POLICY)


def test_months_and_days() -> None:
    monthly = everyone([50, 60]).with_columns(
        month=pl.Series([dt.date(2026, 1, 1), dt.date(2026, 3, 1)])
    )
    points = rows_of(proven(trend(monthly.drop("week"), POLICY)), "day")
    assert [p["day"] for p in points] == ["2026-01-01", "2026-02-01", "2026-03-01"]
    daily = everyone([50, 60]).rename({"week": "day"})
    assert len(rows_of(proven(trend(daily, POLICY)), "state")) == 8


def test_days_far_apart_do_not_fill_the_time_between() -> None:
    far = everyone([50, 60]).with_columns(day=pl.Series([dt.date(1, 1, 1), dt.date(9999, 12, 31)]))
    far = far.drop("week")
    assert len(rows_of(trend(far, POLICY).to_dict(), "day")) == 2
    assert len(rows_of(heatmap_weeks(far, POLICY).to_dict(), "col")) == 2


@pytest.mark.parametrize("count", [1, 12])
def test_any_number_of_bands(count: int) -> None:
    policy = bands(count)
    spec = proven(trend(weeks(1, 4, policy=policy), policy))
    assert len(rows_of(spec, "high")) == count


def test_hostile_names_are_in_no_expression() -> None:
    keys = [{"user_id": str(i), "user_label": n, "week": MONDAY} for i, n in enumerate(HOSTILE)]
    spec = proven(trend(scored(keys, [50.0] * len(keys)), POLICY))
    for expression in expressions(spec):
        assert not any(part in expression for part in ("alert", "HYPERLINK", "etc", "long", "nul"))
    assert "<script" not in picture(spec)


def test_sixty_senders() -> None:
    assert len(rows_of(proven(trend(weeks(60, 3), POLICY)), "place")) == 180


@pytest.mark.parametrize(
    ("days", "line"),
    [
        (14, "2026-03-12T12:00:00"),  # the third week, from its Monday on
        (15, "2026-03-12T12:00:00"),  # in the middle of it
        (0, "2026-02-26T12:00:00"),
        (28, None),  # after the last one
        (None, None),
    ],
)
def test_what_may_still_change_stands_behind_a_dashed_line(days, line) -> None:
    since = None if days is None else MONDAY + dt.timedelta(days=days)
    spec = proven(trend(everyone([60, 65, 72, 71]), POLICY, provisional_since=since))
    assert [r["from"] for r in rows_of(spec, "from")] == ([line] if line else [])
    assert ("Provisional from" in spec["description"]) == bool(line)
