"""Senders in the order of their scores, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.describe import describe
from senderscore_nb.charts.layers import (
    SMALL,
    band_colour,
    data,
    facts,
    footnote,
    nothing,
    strip_names,
    strips,
    tooltip,
)
from senderscore_nb.charts.standing import Standing, standings
from senderscore_nb.policy import ScoringPolicy

_LAST = {"scored": 0, "collecting": 1, "no_paid_seat": 2, "not_computable": 3}


def ranking(
    scored: pl.DataFrame, policy: ScoringPolicy, *, width: int = 520, step: int = 24
) -> alt.LayerChart:
    """Rows by score with intervals on the policy's bands; those without a score at the bottom.

    Args:
        scored: As `senderscore_nb.score.score` returns it, one row a sender (or sequence, or team).
        policy: The policy it was scored with.
        width: Of the score's axis, in pixels.
        step: Height of a row, in pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: No column `score`.
    """
    rows = sorted(standings(scored, policy), key=order)
    if not rows:
        return nothing("Ranking")
    return alt.LayerChart(
        layer=[
            strips(policy, across=True),
            strip_names(policy, width, across=True),
            *_scored([r for r in rows if r.scored], policy, rows),
            *_waiting([r for r in rows if not r.scored], rows),
        ]
    ).properties(
        width=width,
        height=alt.Step(step),
        title=footnote(policy),
        description=describe("Ranked by score, with intervals", rows, policy),
    )


def order(row: Standing) -> tuple[int, float, str]:
    """The sort key of a ranking: by score, then those without one by what they have ended."""
    return _LAST.get(row.status, 4), -(row.score if row.score is not None else row.ended), row.name


def names_axis(names: Sequence[str], *, limit: int = 190) -> alt.Y:
    """Names down the left side, in the order given."""
    return alt.Y(
        "who:N",
        scale=alt.Scale(domain=list(names)),
        axis=alt.Axis(title=None, labelLimit=limit, labelFontSize=12, labelPadding=8),
        sort=None,
    )


def _scored(
    scored: Sequence[Standing], policy: ScoringPolicy, rows: Sequence[Standing]
) -> list[alt.Chart]:
    if not scored:
        return []
    labels = words.band_labels(policy)
    drawn = [
        {
            **facts(r),
            "score": r.score,
            "lo": r.low,
            "hi": r.high,
            "band": labels[r.band or 0],
            "text": f"{words.points(r.score, policy)}  {r.verdict}",
        }
        for r in scored
    ]
    y, said = names_axis([r.name for r in rows]), tooltip(drawn)
    chart = alt.Chart(data(drawn))
    return [
        chart.mark_rule(style="interval").encode(
            x=alt.X("lo:Q"), x2=alt.X2("hi:Q"), y=y, tooltip=said
        ),
        chart.mark_point(filled=True, size=110, opacity=1, style="ringed").encode(
            x=alt.X("score:Q"), y=y, color=band_colour(policy), tooltip=said
        ),
        chart.mark_text(style="ink", align="left", dx=12, fontSize=12).encode(
            x=alt.XValue("width"), y=y, text=alt.Text("text:N"), tooltip=said
        ),
    ]


def _waiting(waiting: Sequence[Standing], rows: Sequence[Standing]) -> list[alt.Chart]:
    if not waiting:
        return []
    drawn = [{**facts(r), "text": _state(r)} for r in waiting]
    mark = alt.Chart(data(drawn)).mark_text(style="muted", align="left", dx=8, fontSize=SMALL)
    y = names_axis([r.name for r in rows])
    return [mark.encode(x=alt.XValue(0), y=y, text=alt.Text("text:N"), tooltip=tooltip(drawn))]


def _state(row: Standing) -> str:
    return f"Collecting, {row.needed}" if row.status == "collecting" else row.verdict
