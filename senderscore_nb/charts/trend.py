"""A score over time, with the bands behind it and its interval around it."""

from __future__ import annotations

import altair as alt
import polars as pl

from senderscore_nb.charts.rows import (
    day_text,
    extremes,
    interval,
    listed,
    named,
    nothing,
    percent,
    said,
    tally_words,
    values,
    with_nulls,
)
from senderscore_nb.charts.strips import band_scale, strips, whole
from senderscore_nb.policy import ScoringPolicy

_COLUMNS = ("label", "when", "score", "score_low", "score_high", "band", "ended")
_HOVER = ("day", "range", "state", "replies", "bounces")


def trend(
    scored: pl.DataFrame,
    policy: ScoringPolicy,
    *,
    width: int = 760,
    height: int = 240,
    columns: int = 3,
) -> alt.Chart | alt.LayerChart | alt.FacetChart:
    """The score of one sender, team or everyone over days, weeks or months; several as panels.

    Args:
        scored: As `score` returns it by `week` or `user,week` (or `day`, `month`), labelled: the
            period (Date), `score`, `score_low`, `score_high`, `band`, `status`, `ended`.
        policy: Its bands are the strips.
        width: Of one chart in pixels; panels share it.
        height: Of one chart in pixels; panels are lower.
        columns: Panels in a row.

    Returns:
        A line with points and a ribbon of the interval. Periods without a score break the line and
        are hollow points at the bottom.
    """
    title = "Score over time"
    if scored.is_empty():
        return nothing(title)
    period = next(name for name in ("day", "week", "month") if name in scored.columns)
    rows = _rows(named(scored), period)
    labels = rows["label"].unique(maintain_order=True).to_list()
    first, last = rows["when"].min(), rows["when"].max()
    description = f"{title} by {period}, {first} to {last}, for {listed(labels)}." + (
        f"{_ends(rows)}{tally_words(scored)}"
    )
    data = values(rows, [*_COLUMNS, *_HOVER])
    key = _key(rows)
    if len(labels) == 1:
        layers = [
            *strips(policy, along="y", domain=whole(policy), length=height),
            *_line(policy, period, ticks=8, size=60),
        ]
        chart = alt.layer(*layers, data=data, description=description, width=width, height=height)
        return chart.properties(title=key) if key else chart
    legend = alt.Legend(title=None, orient="top", symbolOpacity=1)
    behind = strips(policy, along="y", domain=whole(policy), length=height // 2, legend=legend)
    layers = [behind[0], *_line(policy, period, ticks=4, size=24)]
    across = min(columns, len(labels))
    panel = alt.layer(*layers, width=(width - 20 * across) // across, height=height // 2)
    header = alt.Header(title=None, labelAnchor="start", labelLimit=width // across - 20)
    facet = alt.Facet("label:N", header=header, sort=alt.EncodingSortField("place", op="min"))
    placed = rows.with_columns(place=pl.col("label").rank("dense").cast(pl.Int64))
    chart = panel.properties(data=values(placed, [*_COLUMNS, *_HOVER, "place"])).facet(
        facet=facet,
        columns=across,
        spacing={"row": 46, "column": 24},
        bounds="flush",
        description=description,
    )
    return chart.properties(title=key) if key else chart


def _key(rows: pl.DataFrame) -> alt.TitleParams | None:
    if rows.filter(pl.col("score").is_null() & pl.col("ended").is_not_null()).is_empty():
        return None
    return alt.TitleParams(
        "○ no score, as for those who are collecting",
        style="footnote",
        orient="bottom",
        anchor="start",
        fontSize=11,
        fontWeight="normal",
        offset=8,
    )


def _rows(scored: pl.DataFrame, period: str) -> pl.DataFrame:
    known = ("score_low", "score_high", "reply_rate", "bounce_rate")
    scored = said(with_nulls(scored, **dict.fromkeys(known, pl.Float64()), ended=pl.Int64()))
    days = {day: day_text(day) for day in scored[period].unique().drop_nulls()}
    rows = scored.filter(pl.col(period).is_not_null()).with_columns(
        when=pl.col(period).cast(pl.String),
        day=pl.col(period).replace_strict(days, return_dtype=pl.String),
        range=interval("score_low", "score_high"),
        replies=percent("reply_rate"),
        bounces=percent("bounce_rate"),
    )
    return _with_gaps(rows, period).sort("label", "when")


def _with_gaps(rows: pl.DataFrame, period: str) -> pl.DataFrame:
    """A row without values for each period that is missing, which breaks the line there."""
    step = {"day": "1d", "week": "1w", "month": "1mo"}[period]
    days = pl.date_range(pl.col(period).min(), pl.col(period).max(), step)
    grid = rows.group_by("label").agg(days).explode(period)
    grid = grid.with_columns(when=pl.col(period).cast(pl.String))
    return grid.join(rows.drop(period), on=["label", "when"], how="left")


def _line(policy: ScoringPolicy, period: str, *, ticks: int, size: int) -> list[alt.Chart]:
    hover = [
        alt.Tooltip("label:N", title="Who"),
        alt.Tooltip("day:N", title=f"{period.capitalize()} of" if period != "day" else "Day"),
        alt.Tooltip("score:Q", title="Score", format=".1f"),
        alt.Tooltip("range:N", title="95 % interval"),
        alt.Tooltip("state:N", title="State"),
        alt.Tooltip("ended:Q", title="Ended"),
        alt.Tooltip("replies:N", title="Replies"),
        alt.Tooltip("bounces:N", title="Bounces"),
    ]
    # Days are read as UTC and drawn as UTC, so no reader's time zone moves them.
    axis = alt.Axis(format="%-d %b", grid=False, title=None, labelFlush=True, tickCount=ticks)
    base = alt.Chart().encode(x=alt.X("when:T", scale=alt.Scale(type="utc"), axis=axis))
    y = alt.Y("score:Q", title="Score")
    ribbon = base.mark_area(style="ribbon").encode(
        y=alt.Y("score_low:Q", title="Score"), y2="score_high:Q"
    )
    line = base.mark_line(style="line").encode(y=y)
    scored = alt.FieldValidPredicate(field="score", valid=True)
    points = base.mark_point(
        style="ringed", filled=True, size=size, strokeWidth=1, opacity=1
    ).encode(y=y, fill=alt.Fill("band:N", scale=band_scale(policy), legend=None), tooltip=hover)
    waiting = base.mark_point(
        style="hollow", filled=True, size=size * 0.7, opacity=1, yOffset=-7
    ).encode(y=alt.value("height"), tooltip=hover)
    unscored = alt.LogicalAndPredicate(
        **{
            "and": [
                alt.FieldValidPredicate(field="score", valid=False),
                alt.FieldValidPredicate(field="ended", valid=True),
            ]
        }
    )
    return [
        ribbon,
        line,
        points.transform_filter(scored),
        waiting.transform_filter(unscored),
    ]


def _ends(rows: pl.DataFrame) -> str:
    """Where the line begins and ends, for one; the extremes of the last period, for several."""
    known = rows.filter(pl.col("score").is_not_null())
    if known.is_empty():
        return extremes(known)
    if rows["label"].n_unique() > 1:
        return (
            f" In the last period:{extremes(known.filter(pl.col('when') == pl.col('when').max()))}"
        )
    start, end = known.row(0, named=True), known.row(-1, named=True)
    top, low = known["score"].max(), known["score"].min()
    return (
        f" From {start['score']:.1f} ({start['day']}) to {end['score']:.1f} ({end['day']}), "
        f"between {low:.1f} and {top:.1f}."
    )
