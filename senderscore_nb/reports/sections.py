"""The blocks that the weekly and the sender report share: charts with their tables."""

from __future__ import annotations

import datetime as dt

import polars as pl

from senderscore_nb import charts
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.reports.blocks import (
    Column,
    Figure,
    Table,
    count,
    day,
    percent,
    points,
    signed,
    signed_percentage_points,
)
from senderscore_nb.reports.frame import Measure

_NARROW = 110
"""Width of a chart's plot on a phone, where names and values stand beside it."""

USER = Column("user_label", "Sender")
SEQUENCE = Column("sequence_label", "Sequence")

ENDED = Column("ended", "Ended", count)
REPLIES = Column("reply_rate", "Reply rate", percent, interval=True)
BOUNCES = Column("bounce_rate", "Bounce rate", percent, interval=True)
RATES = (ENDED, REPLIES, BOUNCES)
SCORE = (Column("score", "Score", points, interval=True), Column("verdict", "Band"))


def score_table(scored: pl.DataFrame, *keys: Column, caption: str) -> Table:
    """Scores and rates with their intervals, the best score first."""
    rows = scored.sort("score", descending=True, nulls_last=True)
    return Table(rows, [*keys, *SCORE, *RATES], caption)


def gauge_wall(scored: pl.DataFrame, policy: ScoringPolicy, *, caption: str) -> Figure:
    """A gauge for each sender."""
    table = score_table(scored, USER, caption="Score and rates with 95 % intervals")
    wall = charts.gauge_wall(scored, policy)
    narrow = charts.gauge_wall(scored, policy, columns=2, width=350)
    return Figure(charts.with_narrow(wall, narrow), caption, table)


def ranking_figure(
    scored: pl.DataFrame, policy: ScoringPolicy, *, caption: str, table: Table
) -> Figure:
    """Rows ranked by score, with intervals."""
    narrow = charts.ranking(scored, policy, width=_NARROW)
    return Figure(charts.with_narrow(charts.ranking(scored, policy), narrow), caption, table)


def change_figure(changes: pl.DataFrame, policy: ScoringPolicy, *, since: str) -> Figure:
    """Scores then and now."""
    rows = changes.filter(pl.col("score_change").is_not_null()).sort("score_change")
    drawn = rows.select(
        pl.col("^(user|sequence)_label$"),
        "score_before",
        "score",
        change="score_change",
        change_low="score_change_low",
        change_high="score_change_high",
        certain="score_certain",
    )
    said = (
        pl.when("score_certain").then(pl.lit("more than noise")).otherwise(pl.lit("within noise"))
    )
    table = Table(
        rows.with_columns(said=said),
        [
            USER,
            Column("score_before", "Before", points),
            Column("score", "Now", points),
            Column("score_change", "Change", signed, interval=True),
            Column("said", "Is it noise?"),
            Column("reply_rate_change", "Replies", signed_percentage_points),
            Column("bounce_rate_change", "Bounces", signed_percentage_points),
        ],
        f"Change since {since}, with 95 % intervals",
    )
    narrow = charts.changes(drawn, policy, width=_NARROW)
    chart = charts.with_narrow(charts.changes(drawn, policy), narrow)
    return Figure(chart, f"Scores now and {since}.", table)


def history_figure(history: pl.DataFrame, policy: ScoringPolicy, *, weeks: int) -> Figure:
    """Senders by week."""
    wide = history.with_columns(
        shown=pl.coalesce(pl.col("score").round(1).cast(pl.String), "verdict")
    )
    wide = wide.pivot("week", index=["user_id", "user_label"], values="shown", sort_columns=True)
    weeks_shown = [name for name in wide.columns if name not in ("user_id", "user_label")]
    titles = [day(dt.date.fromisoformat(name)).rsplit(" ", 1)[0] for name in weeks_shown]
    table = Table(
        wide,
        [USER, *(Column(n, t) for n, t in zip(weeks_shown, titles, strict=True))],
        f"Scores over {weeks} weeks, by the Monday of the week that they end with",
    )
    caption = f"Each cell is the score over the {weeks} weeks that end with that week."
    return Figure(charts.heatmap_weeks(history, policy), caption, table)


def sequences_figure(cells: pl.DataFrame, policy: ScoringPolicy) -> Figure:
    """Senders by sequence."""
    table = Table(cells, [USER, SEQUENCE, *SCORE, *RATES], "Sender by sequence")
    return Figure(
        charts.heatmap_sequences(cells, policy), "The score of each sender in each sequence.", table
    )


def trend_figure(
    history: pl.DataFrame, policy: ScoringPolicy, *, weeks: int, since: dt.date | None
) -> Figure:
    """A score over time."""
    table = Table(
        history,
        [Column("week", "Week of", day), *SCORE, *RATES],
        f"Score over {weeks} weeks, at the end of each week",
    )
    caption = f"Each point is the score over the {weeks} weeks that end with that week."
    if since:
        caption += " Behind the dashed line replies and bounces may still come."
    chart = charts.trend(history, policy, provisional_since=since)
    return Figure(chart, caption, table)


def funnel_figure(rows: pl.DataFrame, limits: pl.DataFrame, *, measure: Measure, n: str) -> Figure:
    """A rate against the number of enrollments that it was taken of, with control limits."""
    word = "Reply" if measure == "reply_rate" else "Bounce"
    said = pl.when("outside").then(pl.lit("outside")).otherwise(pl.lit("within"))
    table = Table(
        rows.with_columns(said=said).sort(measure, descending=True),
        [
            USER,
            ENDED,
            Column(measure, f"{word} rate", percent, interval=True),
            Column("said", "99.8 % limits"),
        ],
        f"{word} rates and control limits",
    )
    caption = (
        f"{word} rates against the number of enrollments. Inside the funnel, chance alone could "
        "explain the difference to everyone's rate."
    )
    return Figure(charts.funnel(rows, limits, measure=measure, n=n), caption, table)
