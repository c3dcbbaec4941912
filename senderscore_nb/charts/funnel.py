"""Rates against the number of enrollments, with control limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.layers import SMALL, data, nothing
from senderscore_nb.charts.standing import labels, number, require

_LIMITS = ("n", "centre", "low_95", "high_95", "low_998", "high_998")
_WORDS = {"reply_rate": "Reply rate", "bounce_rate": "Bounce rate"}


def funnel(
    scored: pl.DataFrame,
    limits: pl.DataFrame,
    *,
    measure: str = "reply_rate",
    n: str = "ended",
    width: int = 640,
    height: int = 320,
) -> alt.LayerChart:
    """A funnel plot: inside the limits, chance alone explains a difference to everyone's rate.

    Method: Spiegelhalter, Funnel plots for comparing institutional performance (2005). Rows
    outside the limits are diamonds with their names, the others are hollow.

    Args:
        scored: Rows with the measure (a fraction 0–1), `n`, `outside` (Boolean: beyond the 99.8 %
            limits; null counts as inside), and a label or id.
        limits: By `n` (Int64): `centre`, `low_95`, `high_95`, `low_998`, `high_998`, fractions.
        measure: `reply_rate` or `bounce_rate`.
        n: The column with the number of enrollments that the rate was taken of.
        width: In pixels.
        height: In pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing.
    """
    require(scored, measure, n, "outside")
    require(limits, *_LIMITS)
    word = _WORDS.get(measure, "Rate")
    title = f"{word} against the number of enrollments"
    dots = _dots(scored, measure, n)
    if not dots:
        return nothing(title)
    x = alt.Scale(domain=[0, 1.05 * _largest(dots)], nice=False)
    y = alt.Scale(domain=[0, _reach(dots, limits)], nice=False)
    layers = [*_limits(limits, x, y, word), *_marks(dots, word)]
    description = f"{title}, {_described(dots, limits)}"
    return alt.LayerChart(layer=layers, width=width, height=height, description=description)


def _dots(scored: pl.DataFrame, measure: str, n: str) -> list[dict[str, Any]]:
    names = labels(scored, ("user", "sequence"))
    found = zip(names, scored[n], scored[measure], scored["outside"], strict=True)
    dots: list[dict[str, Any]] = [
        {"who": who, "n": int(size), "rate": rate, "out": outside is True}
        for who, size, given, outside in found
        if size and (rate := number(given)) is not None
    ]
    most = _largest(dots)
    near = 0.06 * max((float(d["rate"]) for d in dots), default=0.0)
    outside = [d for d in dots if d["out"]]

    def crowded(dot: dict[str, Any]) -> bool:
        """A name to the right would run into another one's."""
        return any(
            0 <= other["n"] - dot["n"] < 0.3 * most and abs(other["rate"] - dot["rate"]) < near
            for other in outside
            if other is not dot
        )

    return [{**d, "right": d["n"] > 0.7 * most or crowded(d)} for d in dots]


def _largest(dots: Sequence[dict[str, Any]]) -> int:
    return max((int(d["n"]) for d in dots), default=0)


def _reach(dots: Sequence[dict[str, Any]], limits: pl.DataFrame) -> float:
    """The highest rate to draw: all dots, and the limits from the smallest sample on."""
    near = limits.filter(pl.col("n") >= min(d["n"] for d in dots))["high_998"]
    highest = [number(value) or 0.0 for value in near]
    rates = [float(d["rate"]) for d in dots]
    return min(1.0, 1.12 * max(0.01, *rates, *highest))


def _limits(limits: pl.DataFrame, x: alt.Scale, y: alt.Scale, word: str) -> list[alt.Chart]:
    axis = alt.Axis(grid=False, title="Enrollments", tickCount=8)
    rates = alt.Axis(format=".0%", title=word, tickCount=6)
    base = alt.Chart(data(limits.select(_LIMITS).to_dicts())).encode(
        x=alt.X("n:Q", scale=x, axis=axis)
    )
    area = base.mark_area(style="funnel", clip=True, interpolate="monotone")
    line = base.mark_line(style="centre", strokeDash=[5, 4], clip=True)
    known = limits["centre"].drop_nulls()
    overall = f"Dashed: {words.percent(known[0])} overall. " if known.len() else ""
    key = alt.Chart(data([{"key": f"{overall}Shaded: 95 % and 99.8 % control limits."}]))
    return [
        area.encode(y=alt.Y("low_998:Q", scale=y, axis=rates), y2=alt.Y2("high_998:Q")),
        area.encode(y=alt.Y("low_95:Q", scale=y, axis=rates), y2=alt.Y2("high_95:Q")),
        line.encode(y=alt.Y("centre:Q", scale=y, axis=rates)),
        key.mark_text(style="muted", align="left", baseline="bottom", dy=-8, fontSize=SMALL).encode(
            x=alt.XValue(0), y=alt.YValue(0), text=alt.Text("key:N")
        ),
    ]


def _marks(dots: Sequence[dict[str, Any]], word: str) -> list[alt.Chart]:
    hover = [
        alt.Tooltip("who:N", title="Name"),
        alt.Tooltip("n:Q", title="Enrollments", format=","),
        alt.Tooltip("rate:Q", title=word, format=".1%"),
    ]

    def chart(out: bool, right: bool | None = None) -> alt.Chart:
        chosen = [d for d in dots if d["out"] is out and right in (None, d["right"])]
        return alt.Chart(data(chosen)).encode(x=alt.X("n:Q"), y=alt.Y("rate:Q"))

    def name(right: bool, align: Literal["left", "right"], dx: int) -> alt.Chart:
        mark = chart(True, right).mark_text(style="ink", align=align, dx=dx, limit=200)
        named: alt.Chart = mark.encode(text=alt.Text("who:N"))
        return named

    dot = chart(False).mark_point(style="hollow", filled=True, size=60, opacity=1)
    diamond = chart(True).mark_point(
        style="outside", filled=True, shape="diamond", size=110, opacity=1
    )
    return [
        dot.encode(tooltip=hover),
        diamond.encode(tooltip=hover),
        name(False, "left", 9),
        name(True, "right", -9),
    ]


def _described(dots: Sequence[dict[str, Any]], limits: pl.DataFrame) -> str:
    known = limits["centre"].drop_nulls()
    around = f" around {words.percent(known[0])}" if known.len() else ""
    outside = sorted((d for d in dots if d["out"]), key=lambda d: -d["rate"])
    named = [f"{d['who']} {words.percent(d['rate'])}" for d in outside[:5]]
    more = f" and {len(outside) - 5} more" if len(outside) > 5 else ""
    said = f"{len(outside)} outside the 99.8 % limits: {', '.join(named)}{more}"
    return f"{len(dots)} dots{around}, {said if outside else 'none outside the 99.8 % limits'}."
