"""Scores then and now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.layers import data, footnote, most, nothing, strip_names, strips
from senderscore_nb.charts.ranking import names_axis
from senderscore_nb.charts.standing import labels, number, require
from senderscore_nb.policy import ScoringPolicy

_ROOM = 6.0


def changes(
    change: pl.DataFrame, policy: ScoringPolicy, *, width: int = 520, step: int = 26
) -> alt.LayerChart:
    """From the score before to the score now, an arrow for each row, the greatest gain first.

    A change of more than noise is a bold arrow with a filled head; one within noise is a thin
    dashed line with a hollow head, and says so in words.

    Args:
        change: Columns `score_before`, `score`, `change` (points), `certain` (Boolean: more than
            noise; null counts as noise), `user_label` or `user_id`, and where known
            `change_low`, `change_high`. Rows without a change are left out.
        policy: The policy both were scored with.
        width: Of the score's axis, in pixels.
        step: Height of a row, in pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing.
    """
    require(change, "score_before", "score", "change", "certain")
    rows = _rows(change)
    if not rows:
        return nothing("Changes")
    domain = _domain(rows, policy)
    y = names_axis([r["who"] for r in rows])
    return alt.LayerChart(
        layer=[
            strips(policy, across=True, domain=domain),
            strip_names(policy, width, across=True, domain=domain),
            *_arrows([r for r in rows if r["certain"]], y, certain=True),
            *_arrows([r for r in rows if not r["certain"]], y, certain=False),
        ]
    ).properties(
        width=width,
        height=alt.Step(step),
        title=footnote(policy),
        description=_describe(rows, policy),
    )


def _rows(change: pl.DataFrame) -> list[dict[str, Any]]:
    names = _named(change)
    rows = []
    for who, row in zip(names, change.iter_rows(named=True), strict=True):
        before, now, delta = (number(row[c]) for c in ("score_before", "score", "change"))
        if before is None or now is None or delta is None:
            continue
        low, high = number(row.get("change_low")), number(row.get("change_high"))
        known = low is not None and high is not None
        said = f" ({words.signed(low or 0.0)} to {words.signed(high or 0.0)})" if known else ""
        certain = row["certain"] is True
        rows.append(
            {
                "who": who,
                "before": before,
                "score": now,
                "change": delta,
                "certain": certain,
                "text": words.signed(delta) + ("" if certain else " (noise)"),
                "deg": 90 if delta >= 0 else -90,
                "said": words.signed(delta) + said,
                "sure": "more than noise" if certain else "within noise",
            }
        )
    return sorted(rows, key=lambda r: (-r["change"], r["who"]))


def _named(change: pl.DataFrame) -> list[str]:
    names = labels(change, ("user", "sequence"))
    return words.distinct(names, [str(i + 1) for i in range(len(names))])


def _domain(rows: Sequence[Mapping[str, Any]], policy: ScoringPolicy) -> tuple[float, float]:
    values = [r[c] for r in rows for c in ("before", "score")]
    room = max(_ROOM, 0.1 * (max(values) - min(values)))
    high = max(max(values), min(most(policy), max(values) + room))
    return max(0.0, min(values) - room), high


def _arrows(rows: Sequence[Mapping[str, Any]], y: alt.Y, *, certain: bool) -> list[alt.Chart]:
    if not rows:
        return []
    chart = alt.Chart(data(rows))
    said = [
        alt.Tooltip("who:N", title="Name"),
        alt.Tooltip("before:Q", title="Before", format=".1f"),
        alt.Tooltip("score:Q", title="Now", format=".1f"),
        alt.Tooltip("said:N", title="Change"),
        alt.Tooltip("sure:N", title="Is it noise?"),
    ]
    dash = [] if certain else [3, 3]
    head = "point" if certain else "hollow"
    line = "moved" if certain else "steady"
    return [
        chart.mark_rule(style=line, strokeDash=dash).encode(
            x=alt.X("before:Q"), x2=alt.X2("score:Q"), y=y, tooltip=said
        ),
        chart.mark_point(filled=True, opacity=1, size=34, style="hollow", strokeWidth=1.5).encode(
            x=alt.X("before:Q"), y=y, tooltip=said
        ),
        chart.mark_point(
            filled=True, opacity=1, shape="triangle", size=120 if certain else 80, style=head
        ).encode(x=alt.X("score:Q"), y=y, angle=alt.Angle("deg:Q", scale=None), tooltip=said),
        chart.mark_text(
            style="strong" if certain else "muted", align="left", dx=12, fontSize=12
        ).encode(x=alt.XValue("width"), y=y, text=alt.Text("text:N"), tooltip=said),
    ]


def _describe(rows: Sequence[Mapping[str, Any]], policy: ScoringPolicy) -> str:
    certain = [r for r in rows if r["certain"]]
    parts = [
        f"Scores before and now, {len(rows)} compared: {len(certain)} changed by more than noise."
    ]
    best, worst = rows[0], rows[-1]
    parts.append(f"Greatest gain or smallest loss {best['text']} ({best['who']})")
    parts.append(f"greatest loss or smallest gain {worst['text']} ({worst['who']})")
    policy_line = f"Policy {words.clip(policy.label, 110)}."
    return f"{parts[0]} {'; '.join(parts[1:])}. {policy_line}"
