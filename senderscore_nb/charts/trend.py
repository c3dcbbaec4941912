"""A score over time, with the bands behind it and its interval around it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.describe import describe, extremes, periods
from senderscore_nb.charts.layers import (
    band_colour,
    data,
    facts,
    note,
    nothing,
    strip_names,
    strips,
    tooltip,
)
from senderscore_nb.charts.periods import complete, following
from senderscore_nb.charts.standing import Standing, period_of, require, standings
from senderscore_nb.policy import ScoringPolicy

_HOLLOW = "○ no score, as while collecting"


def trend(
    scored: pl.DataFrame,
    policy: ScoringPolicy,
    *,
    width: int = 720,
    height: int = 240,
    columns: int = 3,
    provisional_since: dt.date | None = None,
) -> alt.LayerChart | alt.FacetChart:
    """The score of one sender, team or everyone over days, weeks or months; several as panels.

    Periods without a score break the line and are hollow points at the bottom. Of one sender, what
    may still change stands behind a dashed line.

    Args:
        scored: As `senderscore_nb.score.score` returns it by `week`, `user,week` and so on.
        policy: The policy it was scored with.
        width: Of one chart, or of a row of panels, in pixels.
        height: Of one chart in pixels; panels are half as high.
        columns: Panels in a row.
        provisional_since: The first day whose outcomes may still change; None where none may.

    Returns:
        A layered chart, or one faceted by whom it is about, with a description.

    Raises:
        ContractError: No column `score`, or no `week`, `month` or `day`.
    """
    period = period_of(scored)
    require(scored, "score", *([] if period else ["week"]))
    rows = [r for r in standings(scored, policy) if r.period is not None]
    if not rows or period is None:
        return nothing("Score over time")
    rows.sort(key=lambda r: (r.name, str(r.period)))
    names = list(dict.fromkeys(r.name for r in rows))
    points = _points(rows, period, policy)
    description = _description(rows, names, period, policy)
    key = note(_HOLLOW if any(not r.scored for r in rows) else "")
    if len(names) == 1:
        layers = [
            strips(policy, across=False),
            strip_names(policy, height, across=False),
            *_line(points, policy, ticks=8, size=60),
        ]
        first = _first_provisional(rows, period, provisional_since)
        if first:
            layers += _provisional(first, period)
            description += f" Provisional from {words.day(first)} on."
        whole = alt.LayerChart(layer=layers, data=data(points), width=width, height=height)
        return whole.properties(description=description, title=key)
    across = min(columns, len(names))
    room = width // across - 24
    colour = band_colour(policy, across=width)
    colour["legend"]["symbolOpacity"] = 1
    behind = strips(policy, across=False).encode(color=colour)
    layers = [behind, *_line(points, policy, ticks=4, size=24)]
    panel = alt.LayerChart(layer=layers, data=data(points), width=room, height=height // 2)
    header = alt.Header(title=None, labelAnchor="start", labelLimit=room)
    by = alt.Facet("who:N", header=header, sort=alt.EncodingSortField("place", op="min"))
    return panel.facet(
        facet=by,
        columns=across,
        spacing={"row": 46, "column": 24},
        bounds="flush",
        description=description,
        title=key,
    )


def _first_provisional(
    rows: Sequence[Standing], unit: str, since: dt.date | None
) -> dt.date | None:
    """The first period that a provisional day lies in."""
    days = sorted(row.period for row in rows if row.period is not None)
    return next((day for day in days if since and following(day, unit) > since), None)


def _provisional(first: dt.date, unit: str) -> list[alt.Chart]:
    """A dashed line before the first provisional period, and the word beside it."""
    before = following(first, unit) - first
    at = dt.datetime.combine(first, dt.time()) - before / 2
    base = alt.Chart(data([{"from": at.isoformat(), "text": "provisional →"}])).encode(
        x=alt.X("from:T", scale=alt.Scale(type="utc"))
    )
    word = base.mark_text(style="muted", align="right", baseline="top", dx=-5, dy=4, aria=False)
    return [
        base.mark_rule(style="centre", strokeDash=[3, 3], aria=False),
        word.encode(y=alt.YValue(0), text=alt.Text("text:N")),
    ]


def _points(rows: Sequence[Standing], period: str, policy: ScoringPolicy) -> list[dict[str, Any]]:
    """A point for each period of each name; without a score where there is no row."""
    names = words.band_labels(policy)
    points = []
    for place, name in enumerate(dict.fromkeys(r.name for r in rows)):
        own = {r.period: r for r in rows if r.name == name and r.period is not None}
        for day in complete(own, period):
            at = {"who": name, "place": place, "day": str(day)}
            row = own.get(day)
            if row is None:
                points.append({**at, "state": "none"})
            elif row.band is None:
                points.append({**at, **facts(row), "state": "waiting"})
            else:
                drawn = {"score": row.score, "lo": row.low, "hi": row.high, "band": names[row.band]}
                points.append({**at, **facts(row), **drawn, "state": "scored"})
    return points


def _line(
    points: Sequence[dict[str, Any]], policy: ScoringPolicy, *, ticks: int, size: int
) -> list[alt.Chart]:
    said = tooltip(points)
    # Days are read as UTC and drawn as UTC, so that no reader's time zone moves them.
    axis = alt.Axis(format="%-d %b", grid=False, title=None, tickCount=ticks)
    base = alt.Chart().encode(x=alt.X("day:T", scale=alt.Scale(type="utc"), axis=axis))
    scored = alt.FieldEqualPredicate(field="state", equal="scored")
    waiting = alt.FieldEqualPredicate(field="state", equal="waiting")
    layers = [
        base.mark_area(style="ribbon").encode(y=alt.Y("lo:Q"), y2=alt.Y2("hi:Q")),
        base.mark_line(style="line").encode(y=alt.Y("score:Q")),
        base.mark_point(style="ringed", filled=True, size=size, strokeWidth=1, opacity=1)
        .encode(y=alt.Y("score:Q"), color=band_colour(policy), tooltip=said)
        .transform_filter(scored),
    ]
    if any(point["state"] == "waiting" for point in points):
        hollow = base.mark_point(
            style="hollow", filled=True, size=size * 0.7, opacity=1, yOffset=-7
        )
        layers.append(hollow.encode(y=alt.YValue("height"), tooltip=said).transform_filter(waiting))
    return layers


def _description(
    rows: Sequence[Standing], names: Sequence[str], period: str, policy: ScoringPolicy
) -> str:
    what = f"Score by {period}, {periods(rows)}"
    if len(names) > 1:
        return describe(f"{what}, for {len(names)} panels", rows, policy)
    known = [r for r in rows if r.scored]
    if not known:
        return describe(f"{what}, {names[0]}", rows, policy)
    start, end = (words.points(r.score, policy) for r in (known[0], known[-1]))
    waiting = len(rows) - len(known)
    without = f" {waiting} without a score." if waiting else ""
    return f"{what}, {names[0]}: from {start} to {end}. {extremes(known, policy)}.{without}"
