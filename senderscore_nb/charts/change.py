"""Scores before and now, and whether the change is more than noise."""

from __future__ import annotations

import altair as alt
import polars as pl

from senderscore_nb.charts.rows import (
    interval,
    listed,
    named,
    nothing,
    signed,
    values,
    with_nulls,
)
from senderscore_nb.charts.strips import around, strips
from senderscore_nb.policy import ScoringPolicy

_ROW = 25


def changes(
    change_frame: pl.DataFrame, policy: ScoringPolicy, *, width: int = 480
) -> alt.Chart | alt.LayerChart:
    """Each score before and now as a dumbbell, the largest gain first.

    Args:
        change_frame: `user_label` (or `sequence_label`), `score_before`, `score`, `change`,
            `change_low`, `change_high` (points), and `certain` (Boolean: more than noise).
        policy: Its bands are the strips.
        width: Of the scale in pixels.

    Returns:
        An arrow in full strength where the change is more than noise; a thin line to a hollow
        point where it is not, with the word beside it.
    """
    title = "Change of scores"
    if change_frame.is_empty():
        return nothing(title)
    rows = with_nulls(change_frame, change_low=pl.Float64(), change_high=pl.Float64())
    sure = pl.col("certain").fill_null(value=False)
    moved = pl.when(pl.col("change") < 0).then(pl.lit("fell")).otherwise(pl.lit("rose"))
    rows = (
        named(rows)
        .filter(pl.col("change").is_not_null())
        .with_columns(
            text=signed("change") + pl.when(sure).then(pl.lit("")).otherwise(pl.lit(" (noise)")),
            moved=pl.when(sure).then(moved).otherwise(pl.lit("noise")),
            range=interval("change_low", "change_high"),
        )
        .sort("change", "label", descending=[True, False])
    )
    if rows.is_empty():
        return nothing(title)
    domain = around(policy, rows["score_before"], rows["score"])
    columns = ["label", "score_before", "score", "text", "moved", "range"]
    return alt.layer(
        *strips(policy, along="x", domain=domain),
        *_dumbbells(rows["label"].to_list()),
        data=values(rows, columns),
        description=f"{title}: {_words(rows)}",
        width=width,
        height=alt.Step(_ROW),
    )


def _dumbbells(labels: list[str]) -> list[alt.Chart]:
    hover = [
        alt.Tooltip("label:N", title="Who"),
        alt.Tooltip("score_before:Q", title="Before", format=".1f"),
        alt.Tooltip("score:Q", title="Now", format=".1f"),
        alt.Tooltip("text:N", title="Change"),
        alt.Tooltip("range:N", title="95 % interval"),
    ]
    axis = alt.Axis(labelLimit=180, title=None, labelPadding=8)
    base = alt.Chart().encode(y=alt.Y("label:N", scale=alt.Scale(domain=labels), axis=axis))
    before = alt.X("score_before:Q", title="Score")
    now = alt.X("score:Q", title="Score")
    certain = alt.FieldOneOfPredicate(field="moved", oneOf=["rose", "fell"])
    noise = alt.FieldEqualPredicate(field="moved", equal="noise")
    shape = alt.Shape(
        "moved:N",
        scale=alt.Scale(domain=["rose", "fell"], range=["triangle-right", "triangle-left"]),
        legend=None,
    )
    sure = [
        base.mark_rule(style="ink", strokeWidth=3).encode(x=before, x2="score:Q"),
        base.mark_tick(style="ink", thickness=3, height=11).encode(x=before),
        base.mark_point(style="ink", filled=True, size=130, opacity=1).encode(
            x=now, shape=shape, tooltip=hover
        ),
        base.mark_text(style="ink", align="left", fontWeight=600, dx=12).encode(
            x=alt.value("width"), text="text:N", tooltip=hover
        ),
    ]
    unsure = [
        base.mark_rule(style="muted", strokeWidth=1.5).encode(x=before, x2="score:Q"),
        base.mark_tick(style="muted", thickness=1.5, height=9).encode(x=before),
        base.mark_point(style="halo", filled=True, size=60, opacity=1).encode(x=now),
        base.mark_point(style="hollow", size=60, opacity=1).encode(x=now, tooltip=hover),
        base.mark_text(style="muted", align="left", dx=12).encode(
            x=alt.value("width"), text="text:N", tooltip=hover
        ),
    ]
    return [m.transform_filter(certain) for m in sure] + [m.transform_filter(noise) for m in unsure]


def _words(rows: pl.DataFrame) -> str:
    parts = []
    for word, verb in (("rose", "rose"), ("fell", "fell")):
        found = rows.filter(pl.col("moved") == word)
        if found.height:
            names = [f"{label} {text}" for label, text in found.select("label", "text").rows()]
            parts.append(f"{found.height} {verb} ({listed(names)})")
    noise = rows.filter(pl.col("moved") == "noise").height
    if noise:
        parts.append(f"{noise} within noise")
    return f"{', '.join(parts)}, of {rows.height}."
