"""Reply and bounce rates side by side, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.layers import SMALL, data, facts, nothing, tooltip
from senderscore_nb.charts.ranking import names_axis, order
from senderscore_nb.charts.standing import Standing, require, standings

_TITLES = {"reply_rate": "Reply rate", "bounce_rate": "Bounce rate"}


def rates(
    scored: pl.DataFrame, *, width: int = 260, step: int = 22
) -> alt.HConcatChart | alt.LayerChart:
    """Both rates of each row as dots with their intervals, ordered by score.

    Args:
        scored: As `senderscore_nb.score.score` returns it.
        width: Of each of the two panels, in pixels.
        step: Height of a row, in pixels.

    Returns:
        Two panels side by side with a description.

    Raises:
        ContractError: A rate or the score is missing.
    """
    require(scored, *_TITLES)
    rows = sorted(standings(scored, None), key=order)
    if not rows:
        return nothing("Rates")
    panels = [_panel(rows, measure, width, step) for measure in _TITLES]
    said = " ".join(_said(rows, measure) for measure in _TITLES)
    return alt.hconcat(*panels, spacing=28).properties(
        description=f"Reply and bounce rates with intervals, {len(rows)} in all. {said}"
    )


def _panel(rows: Sequence[Standing], measure: str, width: int, step: int) -> alt.LayerChart:
    drawn = [
        {
            **facts(r),
            "rate": r.number(measure),
            "lo": r.number(f"{measure}_low"),
            "hi": r.number(f"{measure}_high"),
            "text": words.percent(r.number(measure)),
        }
        for r in rows
    ]
    y, said = names_axis([r.name for r in rows]), tooltip(drawn)
    if measure == "bounce_rate":
        y = y.axis(None)
    axis = alt.Axis(format="%", title=_TITLES[measure], grid=True, tickCount=4)
    chart = alt.Chart(data(drawn))
    dots = chart.mark_point(filled=True, size=80, opacity=1, style="point")
    return alt.LayerChart(
        layer=[
            chart.mark_rule(style="interval").encode(
                x=alt.X("lo:Q", axis=axis, scale=alt.Scale(zero=True, nice=True)),
                x2=alt.X2("hi:Q"),
                y=y,
            ),
            dots.encode(x=alt.X("rate:Q"), y=y, tooltip=said),
            chart.mark_text(style="muted", align="left", dx=8, fontSize=SMALL).encode(
                x=alt.XValue("width"), y=y, text=alt.Text("text:N")
            ),
        ]
    ).properties(width=width, height=alt.Step(step))


def _said(rows: Sequence[Standing], measure: str) -> str:
    known = [(r.number(measure), r.name) for r in rows if r.number(measure) is not None]
    if not known:
        return f"{_TITLES[measure]}s are not known."
    low, high = min(known), max(known)
    return (
        f"{_TITLES[measure]} from {words.percent(low[0])} ({low[1]}) "
        f"to {words.percent(high[0])} ({high[1]})."
    )
