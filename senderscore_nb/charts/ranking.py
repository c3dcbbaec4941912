"""Senders (or sequences, or teams) sorted by score, with intervals."""

from __future__ import annotations

import altair as alt
import polars as pl

from senderscore_nb.charts.rows import (
    extremes,
    interval,
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

_ROW = 25


def ranking(
    scored: pl.DataFrame, policy: ScoringPolicy, *, width: int = 480
) -> alt.Chart | alt.LayerChart:
    """Scores with their intervals, the best first and those without a score last.

    Args:
        scored: As `score` returns it by `user`, `sequence` or `team`, labelled: `score`,
            `score_low`, `score_high`, `band`, `verdict`, `status`, `missing`, `expected_on`.
        policy: Its bands are the strips.
        width: Of the scale in pixels; names and verdicts stand beside it.
    """
    title = "Scores, ranked"
    if scored.is_empty():
        return nothing(title)
    known = ("score_low", "score_high", "reply_rate", "bounce_rate")
    rows = said(named(with_nulls(scored, **dict.fromkeys(known, pl.Float64())))).with_columns(
        band=pl.col("band").cast(pl.String),
        range=interval("score_low", "score_high"),
        replies=percent("reply_rate"),
        bounces=percent("bounce_rate"),
    )
    rows = rows.sort(
        "score", "ended", "label", descending=[True, True, False], nulls_last=True
    )
    columns = ["label", "score", "score_low", "score_high", "band", "state", "range"]
    description = f"{title}: {rows.height} rows.{extremes(rows)}{tally_words(rows)}"
    return alt.layer(
        *strips(policy, along="x", domain=whole(policy)),
        *_rows(policy, rows["label"].to_list()),
        data=values(rows, [*columns, "ended", "replies", "bounces"]),
        description=description,
        width=width,
        height=alt.Step(_ROW),
    )


def _rows(policy: ScoringPolicy, labels: list[str]) -> list[alt.Chart]:
    hover = [
        alt.Tooltip("label:N", title="Who"),
        alt.Tooltip("score:Q", title="Score", format=".1f"),
        alt.Tooltip("range:N", title="95 % interval"),
        alt.Tooltip("state:N", title="State"),
        alt.Tooltip("ended:Q", title="Ended"),
        alt.Tooltip("replies:N", title="Replies"),
        alt.Tooltip("bounces:N", title="Bounces"),
    ]
    axis = alt.Axis(labelLimit=180, title=None, labelPadding=8)
    y = alt.Y("label:N", scale=alt.Scale(domain=labels), axis=axis)
    base = alt.Chart().encode(y=y)
    scored = alt.FieldValidPredicate(field="score", valid=True)
    unscored = alt.FieldValidPredicate(field="score", valid=False)
    x = alt.X("score:Q", title="Score")
    lines = base.mark_rule(style="ink", strokeWidth=2, opacity=0.55).encode(
        x=alt.X("score_low:Q", title="Score"), x2="score_high:Q"
    )
    halo = base.mark_point(style="halo", filled=True, size=190, opacity=1).encode(x=x)
    points = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=x, fill=alt.Fill("band:N", scale=band_scale(policy), legend=None), tooltip=hover
    )
    aside = base.mark_text(align="left", style="ink", fontWeight=600, dx=12).encode(
        x=alt.value("width"), text=alt.Text("score:Q", format=".1f")
    )
    verdict = base.mark_text(align="left", style="muted", dx=46).encode(
        x=alt.value("width"), text="state:N", tooltip=hover
    )
    waiting = base.mark_text(align="left", style="muted", dx=12).encode(
        x=alt.value("width"), text="state:N", tooltip=hover
    )
    drawn = [m.transform_filter(scored) for m in (lines, halo, points, aside, verdict)]
    return [*drawn, waiting.transform_filter(unscored)]
