"""Rates against the number of enrollments, with control limits."""

from __future__ import annotations

from typing import Literal

import altair as alt
import polars as pl

from senderscore_nb.charts.rows import listed, named, nothing, values

Measure = Literal["reply_rate", "bounce_rate"]


def funnel(
    scored: pl.DataFrame,
    limits: pl.DataFrame,
    *,
    measure: str = "reply_rate",
    n: str = "ended",
    width: int = 640,
    height: int = 320,
) -> alt.Chart | alt.LayerChart:
    """A funnel plot (Spiegelhalter 2005): inside the limits, chance alone explains a difference.

    Args:
        scored: Labelled rows with the measure, `n` and `outside` (Boolean: beyond the 99.8 %
            limits; null where unknown). Those outside are labelled.
        limits: By `n` (Int64): `centre`, `low_95`, `high_95`, `low_998`, `high_998` (fractions).
        measure: `reply_rate` or `bounce_rate`.
        n: The column that the rate was taken of.
        width: In pixels.
        height: In pixels.
    """
    word = "Reply rate" if measure == "reply_rate" else "Bounce rate"
    title = f"{word} against the number of enrollments"
    rows = named(scored).filter(pl.col(measure).is_not_null() & (pl.col(n) > 0))
    if rows.is_empty():
        return nothing(title)
    rows = rows.select(
        "label",
        n=n,
        rate=measure,
        outside=pl.col("outside").fill_null(value=False),
        right=pl.col(n) > 0.7 * pl.col(n).max(),
    )
    drawn = _reach(rows, limits)
    x = alt.Scale(domain=[0, int(rows["n"].max() or 1) * 1.05], nice=False)
    y = alt.Scale(domain=[0, drawn], nice=False, clamp=True)
    return alt.layer(
        *_limits(limits, x, y, word),
        *_dots(rows, word),
        description=f"{title}: {_words(rows, limits)}",
        width=width,
        height=height,
    )


def _reach(rows: pl.DataFrame, limits: pl.DataFrame) -> float:
    """The highest rate to draw: every dot, and the limits from the smallest n that occurs on."""
    near = limits.filter(pl.col("n") >= rows["n"].min())["high_998"].max()
    return min(1.0, 1.12 * max(float(str(rows["rate"].max())), float(str(near or 0)), 0.01))


def _limits(limits: pl.DataFrame, x: alt.Scale, y: alt.Scale, word: str) -> list[alt.Chart]:
    base = alt.Chart(values(limits)).encode(
        x=alt.X("n:Q", scale=x, axis=alt.Axis(grid=False, title="Enrollments", tickCount=8))
    )
    axis = alt.Axis(format=".0%", title=word, tickCount=6)

    def at(column: str) -> alt.Y:
        return alt.Y(f"{column}:Q", scale=y, axis=axis)

    area = base.mark_area(style="funnel", clip=True, interpolate="monotone")
    wide = area.encode(y=at("low_998"), y2="high_998:Q")
    close = area.encode(y=at("low_95"), y2="high_95:Q")
    centre = base.mark_line(style="centre", strokeDash=[5, 4], clip=True).encode(y=at("centre"))
    return [wide, close, centre, _key(limits)]


def _key(limits: pl.DataFrame) -> alt.Chart:
    centre = limits["centre"].drop_nulls()
    overall = f"Dashed: {100 * centre[0]:.1f} % overall. " if centre.len() else ""
    key = f"{overall}Shaded: 95 % and 99.8 % control limits."
    mark = alt.Chart(alt.InlineData(values=[{"key": key}])).mark_text(
        style="muted", align="left", baseline="bottom", dy=-8
    )
    return mark.encode(x=alt.value(0), y=alt.value(0), text="key:N")


def _dots(rows: pl.DataFrame, word: str) -> list[alt.Chart]:
    base = alt.Chart(values(rows)).encode(x="n:Q", y="rate:Q")
    hover = [
        alt.Tooltip("label:N", title="Who"),
        alt.Tooltip("n:Q", title="Enrollments"),
        alt.Tooltip("rate:Q", title=word, format=".1%"),
    ]
    outside = alt.FieldEqualPredicate(field="outside", equal=True)
    inside = alt.FieldEqualPredicate(field="outside", equal=False)
    drawn = [
        base.mark_point(style="hollow", filled=True, size=60, opacity=1)
        .encode(tooltip=hover)
        .transform_filter(inside),
        base.mark_point(style="outside", filled=True, shape="diamond", size=110, opacity=1)
        .encode(tooltip=hover)
        .transform_filter(outside),
    ]
    for right, align, dx in ((False, "left", 9), (True, "right", -9)):
        side = alt.FieldEqualPredicate(field="right", equal=right)
        text = base.mark_text(style="ink", align=align, dx=dx, limit=200)
        drawn.append(text.encode(text="label:N").transform_filter(outside).transform_filter(side))
    return drawn


def _words(rows: pl.DataFrame, limits: pl.DataFrame) -> str:
    centre = limits["centre"].drop_nulls()
    overall = f" around {100 * centre[0]:.1f} %" if centre.len() else ""
    found = rows.filter("outside").sort("rate", descending=True)
    names = [f"{label} {100 * rate:.1f} %" for label, rate in found.select("label", "rate").rows()]
    beyond = f"{len(names)} outside the 99.8 % limits: {listed(names)}" if names else "none outside"
    return f"{rows.height} dots{overall}, {beyond}."
