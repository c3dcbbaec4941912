"""From the score before to the score after, step by step."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.layers import data, footnote, most, nothing, strip_names, strips
from senderscore_nb.charts.ranking import names_axis
from senderscore_nb.charts.standing import number, require
from senderscore_nb.policy import ScoringPolicy

_ROOM = 4.0
_ENDS = ("before", "after")


def waterfall(
    steps: pl.DataFrame,
    policy: ScoringPolicy,
    *,
    width: int = 520,
    step: int = 26,
    names: int = 210,
) -> alt.LayerChart:
    """The parts of a change as bars that hang on one another, on the policy's bands.

    A part of more than noise is a filled bar; one within noise is a hollow, dashed bar and says so
    in words; what is folded together is hollow as well. Signs stand beside the bars, intervals are
    whiskers.

    Args:
        steps: As `senderscore_nb.drivers.steps` returns them.
        policy: The policy that both scores are of.
        width: Of the score's axis, in pixels.
        step: Height of a row, in pixels.
        names: The widest that a name is drawn, in pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing.
    """
    require(steps, "label", "kind", "start", "end", "part", "certain", "low", "high")
    rows = _rows(steps, policy)
    if not rows:
        return nothing("Parts of a change")
    domain = _domain(rows, policy)
    y = names_axis([r["who"] for r in rows], limit=names)
    return alt.LayerChart(
        layer=[
            strips(policy, across=True, domain=domain),
            strip_names(policy, width, across=True, domain=domain),
            _links(rows, y),
            *_bars(rows, y),
            *_ends([r for r in rows if r["kind"] in _ENDS], y),
            _texts(rows, y, bold=True),
            _texts(rows, y, bold=False),
        ]
    ).properties(
        width=width,
        height=alt.Step(step),
        title=footnote(policy),
        description=_describe(rows, policy),
    )


def _rows(steps: pl.DataFrame, policy: ScoringPolicy) -> list[dict[str, Any]]:
    labels = [words.clip(label) for label in steps["label"].to_list()]
    names = words.distinct(labels, [str(i + 1) for i in range(len(labels))])
    bands = words.band_labels(policy)
    rows = []
    for who, row in zip(names, steps.iter_rows(named=True), strict=True):
        end, part = row["end"], number(row["part"])
        low, high = (number(row[f"part_{side}"]) for side in ("low", "high"))
        state = "end" if part is None else "noise" if row["certain"] is False else "rest"
        if row["certain"] is True and part is not None:
            state = "gain" if part >= 0 else "loss"
        said = "–" if part is None else words.signed(part)
        if low is not None and high is not None:
            said += f" ({words.signed(low)} to {words.signed(high)})"
        text = f"{words.points(end, policy)} {bands[words.band_index(end, policy)]}"
        if part is not None:
            text = words.signed(round(part, 1) + 0.0) + (" (noise)" if state == "noise" else "")
        sure = {"noise": "within noise", "rest": "not judged", "end": ""}
        rows.append(
            {
                "who": who,
                "kind": row["kind"],
                "start": row["start"],
                "end": end,
                "low": number(row["low"]),
                "high": number(row["high"]),
                "state": state,
                "text": text,
                "said": said,
                "sure": sure.get(state, "more than noise"),
            }
        )
    return rows


def _domain(rows: Sequence[Mapping[str, Any]], policy: ScoringPolicy) -> tuple[float, float]:
    keys = ("start", "end", "low", "high")
    values = [r[key] for r in rows for key in keys if r[key] is not None]
    room = max(_ROOM, 0.06 * (max(values) - min(values)))
    low, high = min(values), max(values)
    return (
        min(low, max(0.0, low - room)),
        max(high, min(most(policy), high + room)),
    )


def _links(rows: Sequence[Mapping[str, Any]], y: alt.Y) -> alt.Chart:
    """Thin lines that carry each score on to the next row."""
    joints = [
        {"who": one["who"], "next": other["who"], "end": one["end"]}
        for one, other in itertools.pairwise(rows)
    ]
    chart: alt.Chart = alt.Chart(data(joints)).mark_rule(style="limit", aria=False)
    return chart.encode(x=alt.X("end:Q"), y=y, y2=alt.Y2("next:N"))


def _said() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("who:N", title="Part"),
        alt.Tooltip("start:Q", title="From", format=".1f"),
        alt.Tooltip("end:Q", title="To", format=".1f"),
        alt.Tooltip("said:N", title="Points"),
        alt.Tooltip("sure:N", title="Is it noise?"),
    ]


def _bars(rows: Sequence[Mapping[str, Any]], y: alt.Y) -> list[alt.Chart]:
    size = {"band": 0.62}
    made: list[alt.Chart] = []
    for state in ("gain", "loss", "noise", "rest"):
        chosen = [r for r in rows if r["state"] == state]
        if not chosen:
            continue
        chart = alt.Chart(data(chosen))
        if state in ("gain", "loss"):
            bars = chart.mark_bar(style=state, height=size, strokeWidth=1.5)
        else:
            dash = [3, 3] if state == "noise" else [1, 0]
            bars = chart.mark_bar(style="hollow", height=size, strokeWidth=1.5, strokeDash=dash)
        made.append(bars.encode(x=alt.X("start:Q"), x2=alt.X2("end:Q"), y=y, tooltip=_said()))
    whiskers = [r for r in rows if r["low"] is not None and r["high"] is not None]
    if whiskers:
        lines = alt.Chart(data(whiskers)).mark_rule(style="interval", aria=False)
        made.append(lines.encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"), y=y))
    return made


def _ends(rows: Sequence[Mapping[str, Any]], y: alt.Y) -> list[alt.Chart]:
    chart = alt.Chart(data(rows)).mark_point(
        filled=True, opacity=1, shape="diamond", size=130, style="point"
    )
    return [chart.encode(x=alt.X("end:Q"), y=y, tooltip=_said()[:1] + _said()[2:3])]


def _texts(rows: Sequence[Mapping[str, Any]], y: alt.Y, *, bold: bool) -> alt.Chart:
    chosen = [r for r in rows if (r["state"] in ("gain", "loss", "end")) == bold]
    chart: alt.Chart = alt.Chart(data(chosen)).mark_text(
        style="strong" if bold else "muted", align="left", dx=10, fontSize=12
    )
    return chart.encode(x=alt.XValue("width"), y=y, text=alt.Text("text:N"))


def _describe(rows: Sequence[Mapping[str, Any]], policy: ScoringPolicy) -> str:
    first, last = rows[0], rows[-1]
    parts = [r for r in rows if r["kind"] not in _ENDS]
    certain = [f"{r['who']} {r['said']}" for r in parts if r["state"] in ("gain", "loss")]
    noise = sum(r["state"] == "noise" for r in parts)
    named = f"More than noise: {'; '.join(certain)}." if certain else "No part is more than noise."
    return (
        f"From a score of {first['text']} before to {last['text']} after, in {len(parts)} parts. "
        f"{named} {noise} within noise. Policy {words.clip(policy.label, 110)}."
    )
