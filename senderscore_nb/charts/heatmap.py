"""Heatmaps: senders by week, and senders by sequence."""

from __future__ import annotations

from collections.abc import Sequence

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
from senderscore_nb.charts.strips import band_scale, ink_scale
from senderscore_nb.policy import ScoringPolicy

_GLYPHS = {"collecting": "•", "no_paid_seat": "–", "not_computable": "?"}
_KEY = {
    "collecting": "• collecting",
    "no_paid_seat": "– no paid seat",
    "not_computable": "? not computable",
}
_WIDE, _NARROW, _ROOM = 46, 22, 720
_ROW = 24
_SHOWN = ("label", "column", "sign", "score", "band")
_HOVER = ("range", "state", "ended", "replies", "bounces")
_WEEK_LABEL = (
    "[datum.index == 0 || +slice(datum.value, 8) < 8 "
    "? utcFormat(utcParse(datum.value, '%Y-%m-%d'), '%b') : '', "
    "utcFormat(utcParse(datum.value, '%Y-%m-%d'), '%-d')]"
)


def heatmap_weeks(scored: pl.DataFrame, policy: ScoringPolicy) -> alt.Chart | alt.LayerChart:
    """The score of each sender (or team, or sequence) in each week or month.

    Args:
        scored: As `score` returns it by `user,week`, labelled: `user_id`, `user_label`, `week` or
            `month` (Date), `ended`, `score`, `band`, `verdict`, `status` and the rates.
        policy: Its bands are the colours.

    Returns:
        A cell for each sender and period, coloured by band with the score as text; cells without
        a score are outlined and carry a sign that the key above the chart explains. Senders are
        sorted by their latest score.
    """
    title = "Score by sender and week"
    if scored.is_empty():
        return nothing(title)
    period = "month" if "month" in scored.columns else "week"
    cells = _cells(named(scored)).with_columns(column=pl.col(period).cast(pl.String))
    latest = cells.sort("column").group_by("label").agg(pl.col("score").drop_nulls().last())
    labels = latest.sort("score", "label", descending=[True, False], nulls_last=True)["label"]
    columns = _periods(cells[period], period)
    axis = alt.Axis(
        labelExpr=_WEEK_LABEL,
        labelAngle=0,
        orient="top",
        labelFlush=False,
        labelOverlap=False,
        labelPadding=18,
        domain=False,
        ticks=False,
        title=None,
    )
    description = (
        f"{title}: {len(labels)} rows, {len(columns)} {period}s from {columns[0]} to "
        f"{columns[-1]}.{_latest_words(cells)}{tally_words(cells)}"
    )
    return _grid(cells, policy, labels.to_list(), columns, axis, description)


def heatmap_sequences(scored: pl.DataFrame, policy: ScoringPolicy) -> alt.Chart | alt.LayerChart:
    """The score of each sender in each sequence.

    Args:
        scored: As `score` returns it by `user,sequence`, labelled: `user_id`, `user_label`,
            `sequence_id`, `sequence_label`, `ended`, `score`, `band`, `verdict`, `status`.
        policy: Its bands are the colours.

    Returns:
        A cell for each pair that ended an enrollment, as in `heatmap_weeks`. Senders are sorted by
        the enrollments they ended, and so are sequences.
    """
    title = "Score by sender and sequence"
    if scored.is_empty():
        return nothing(title)
    columns = named(scored, only="sequence_id")["label"]
    cells = _cells(named(scored, only="user_id")).with_columns(column=columns)
    labels, names = _largest(cells, "label"), _largest(cells, "column")
    axis = alt.Axis(
        labelAngle=-40,
        orient="top",
        labelLimit=150,
        labelOverlap=False,
        domain=False,
        ticks=False,
        title=None,
    )
    whole = cells.with_columns(label=pl.col("label") + " in " + pl.col("column"))
    description = (
        f"{title}: {len(labels)} senders, {len(names)} sequences."
        f"{extremes(whole)}{tally_words(cells)}"
    )
    return _grid(cells, policy, labels, names, axis, description)


def _cells(scored: pl.DataFrame) -> pl.DataFrame:
    """The frame with what a cell shows and what its tooltip says."""
    known = ("score_low", "score_high", "reply_rate", "bounce_rate")
    scored = said(with_nulls(scored, **dict.fromkeys(known, pl.Float64())))
    glyph = pl.col("status").cast(pl.String).replace_strict(_GLYPHS, default="?")
    return scored.with_columns(
        band=pl.col("band").cast(pl.String),
        sign=pl.when(pl.col("score").is_null()).then(glyph),
        range=interval("score_low", "score_high"),
        replies=percent("reply_rate"),
        bounces=percent("bounce_rate"),
    )


def _grid(
    cells: pl.DataFrame,
    policy: ScoringPolicy,
    labels: Sequence[str],
    columns: Sequence[str],
    axis: alt.Axis,
    description: str,
) -> alt.LayerChart:
    step = max(_NARROW, min(_WIDE, _ROOM // len(columns)))
    # An explicit domain keeps the order. A sort by a list would put the names into an expression.
    base = alt.Chart().encode(
        x=alt.X("column:N", scale=alt.Scale(domain=list(columns), padding=0.06), axis=axis),
        y=alt.Y(
            "label:N",
            scale=alt.Scale(domain=list(labels), padding=0.06),
            axis=alt.Axis(domain=False, ticks=False, labelLimit=170, labelPadding=8, title=None),
        ),
    )
    hover = [
        alt.Tooltip("label:N", title="Sender"),
        alt.Tooltip("column:N", title="Sequence" if "sequence_id" in cells.columns else "From"),
        alt.Tooltip("score:Q", title="Score", format=".1f"),
        alt.Tooltip("range:N", title="95 % interval"),
        alt.Tooltip("state:N", title="State"),
        alt.Tooltip("ended:Q", title="Ended"),
        alt.Tooltip("replies:N", title="Replies"),
        alt.Tooltip("bounces:N", title="Bounces"),
    ]
    scored = alt.FieldValidPredicate(field="score", valid=True)
    unscored = alt.FieldValidPredicate(field="score", valid=False)
    legend = alt.Legend(title=None, orient="top", symbolType="square", symbolSize=160)
    fill = alt.Fill("band:N", scale=band_scale(policy), legend=legend)
    ink = alt.Color("band:N", scale=ink_scale(policy), legend=None)
    filled = base.mark_rect().encode(fill=fill, tooltip=hover)
    outlined = base.mark_rect(style="outline", strokeWidth=1, strokeDash=[2, 2]).encode(
        tooltip=hover
    )
    # The theme's list of fonts, repeated in each cell, would be half of the picture's size.
    number = base.mark_text(fontSize=10.5, font="sans-serif").encode(
        color=ink, text=alt.Text("score:Q", format=".0f")
    )
    sign = base.mark_text(style="muted", font="sans-serif").encode(text="sign:N")
    data = values(cells.with_columns(pl.col("score").round(2)), [*_SHOWN, *_HOVER])
    return alt.layer(
        filled.transform_filter(scored),
        outlined.transform_filter(unscored),
        number.transform_filter(scored),
        sign.transform_filter(unscored),
        _key(cells),
        data=data,
        description=description,
        width=alt.Step(step),
        height=alt.Step(_ROW),
        view=alt.ViewConfig(stroke=None),
    )


def _key(cells: pl.DataFrame) -> alt.Chart:
    """The signs of cells without a score, below the cells."""
    found = set(cells.filter(pl.col("score").is_null())["status"].cast(pl.String))
    key = ", ".join(words for status, words in _KEY.items() if status in found)
    mark = alt.Chart(alt.InlineData(values=[{"key": key}])).mark_text(
        style="muted", align="left", baseline="top", dy=8
    )
    return mark.encode(x=alt.value(0), y=alt.value("height"), text="key:N")


def _largest(cells: pl.DataFrame, column: str) -> list[str]:
    sizes = cells.group_by(column).agg(pl.col("ended").sum())
    return sizes.sort("ended", column, descending=[True, False])[column].to_list()


def _periods(days: pl.Series, period: str) -> list[str]:
    """Every period from the first to the last, so that an empty one is seen as a gap."""
    first, last = days.min(), days.max()
    step = "1mo" if period == "month" else "1w"
    grid = pl.select(pl.date_range(pl.lit(first), pl.lit(last), step)).to_series()
    return grid.cast(pl.String).to_list()


def _latest_words(cells: pl.DataFrame) -> str:
    newest = cells.filter(pl.col("column") == pl.col("column").max())
    return f" In the last one:{extremes(newest)}"
