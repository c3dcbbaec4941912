"""Differences of rates by factor and level, with intervals: a forest plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.layers import data, note, nothing
from senderscore_nb.charts.standing import number, require

_TITLES = {"replied": "Replies", "bounced": "Bounces"}
_LEVEL = "· "
_NARROW = 300
_KEY = "◆ more than chance, all tests judged together · ○ within chance"


def forest(
    effects: pl.DataFrame,
    *,
    outcome: str = "replied",
    width: int = 400,
    step: int = 21,
    most: int = 8,
    names: Mapping[str, str] | None = None,
) -> alt.LayerChart:
    """The adjusted difference of each level in percentage points, grouped by factor.

    What is more than chance is a filled diamond with a bold number; the rest is a hollow circle.
    Factors with the greatest difference that is more than chance come first.

    Args:
        effects: As `senderscore_nb.drivers.factor_effects(...).effects`.
        outcome: `replied` or `bounced`.
        width: Of the axis, in pixels; below 300 the numbers stand without their intervals.
        step: Height of a row, in pixels.
        most: Levels of a factor to show, the greatest differences first.
        names: Factors' names to show; as they are unless given.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing.
    """
    require(effects, "outcome", "factor", "level", "difference_pp", "difference_pp_low",
            "difference_pp_high", "certain")  # fmt: skip
    what = _TITLES.get(outcome, outcome)
    rows, left = _rows(effects.filter(pl.col("outcome") == outcome), most, names or {})
    if not rows:
        return nothing(f"{what} by factor")
    y = _axis([row["who"] for row in rows], 190 if width >= _NARROW else 150)
    shown = [row for row in rows if "value" in row]
    for row in shown:
        row["text"] = row["said"] if width >= _NARROW else words.signed(row["value"])
    more = f" · {left} smaller ones not shown" if left else ""
    limits = [v for row in shown for v in (row["lo"], row["hi"])]
    domain = [min(0.0, *limits), max(0.0, *limits)]
    title = f"{what}: difference in percentage points"
    x = alt.Scale(domain=domain, nice=True)
    return alt.LayerChart(
        layer=[
            _zero(x, title),
            _headings(rows, y),
            *_marks([r for r in shown if r["certain"]], x, y, certain=True),
            *_marks([r for r in shown if not r["certain"]], x, y, certain=False),
        ],
        width=width,
        height=alt.Step(step),
        title=note(_KEY + more if width >= _NARROW else "◆ more than chance · ○ within chance"),
        description=_describe(shown, what),
    )


def _rows(
    effects: pl.DataFrame, most: int, names: Mapping[str, str]
) -> tuple[list[dict[str, Any]], int]:
    """Heading and levels of each factor, and how many levels are left out."""
    known = [
        {**row, "value": value, "lo": lo, "hi": hi, "certain": row["certain"] is True}
        for row in effects.iter_rows(named=True)
        if (value := number(row["difference_pp"])) is not None
        and (lo := number(row["difference_pp_low"])) is not None
        and (hi := number(row["difference_pp_high"])) is not None
    ]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in known:
        groups.setdefault(row["factor"], []).append(row)
    for group in groups.values():
        group.sort(key=lambda r: (not r["certain"], -abs(r["value"])))
    order = sorted(
        groups, key=lambda f: (not groups[f][0]["certain"], -abs(groups[f][0]["value"]), f)
    )
    flat: list[dict[str, Any]] = []
    for factor in order:
        name = names.get(factor, factor.replace("_", " "))
        flat.append({"label": f"{name[:1].upper()}{name[1:]}", "key": factor})
        for row in groups[factor][:most]:
            against = row.get("against") or "all others"
            level = row["level"] if against == "all others" else f"{row['level']} / {against}"
            flat.append(_level(row, factor, level, against))
    labels = words.distinct([r["label"] for r in flat], [r["key"] for r in flat])
    for row, label in zip(flat, labels, strict=True):
        row["who"] = label if "value" not in row else f"{_LEVEL}{label}"
    return flat, sum(max(0, len(group) - most) for group in groups.values())


def _level(row: Mapping[str, Any], factor: str, level: str, against: str) -> dict[str, Any]:
    lo, hi, value = row["lo"], row["hi"], row["value"]
    return {
        "label": level,
        "key": factor,
        "value": value,
        "lo": lo,
        "hi": hi,
        "certain": row["certain"],
        "said": f"{words.signed(value)} ({words.signed(lo)} to {words.signed(hi)})",
        "what": words.clip(row["level"]),
        "against": words.clip(against),
        "n": words.count(int(row.get("enrollments") or 0)),
        "sure": "more than chance" if row["certain"] else "within chance",
        "notes": words.clip(row.get("notes") or "–", 160),
    }


def _axis(domain: Sequence[str], limit: int) -> alt.Y:
    axis = alt.Axis(
        title=None, labelAlign="left", labelPadding=limit + 6, labelLimit=limit, labelFontSize=12
    )
    return alt.Y("who:N", scale=alt.Scale(domain=list(domain)), axis=axis, sort=None)


def _zero(x: alt.Scale, title: str) -> alt.Chart:
    axis = alt.Axis(title=title, grid=True, tickCount=5)
    rule: alt.Chart = alt.Chart(data([{"zero": 0}])).mark_rule(style="centre", aria=False)
    return rule.encode(x=alt.X("zero:Q", scale=x, axis=axis))


def _headings(rows: Sequence[Mapping[str, Any]], y: alt.Y) -> alt.Chart:
    """A hairline through each factor's heading, which sets the groups apart."""
    heads = [{"who": row["who"]} for row in rows if "value" not in row]
    rule: alt.Chart = alt.Chart(data(heads)).mark_rule(style="limit", opacity=0.45, aria=False)
    return rule.encode(y=y, x=alt.XValue(0), x2=alt.X2Value("width"))


def _marks(
    rows: Sequence[Mapping[str, Any]], x: alt.Scale, y: alt.Y, *, certain: bool
) -> list[alt.Chart]:
    if not rows:
        return []
    said = [
        alt.Tooltip(f"{field}:N", title=title)
        for field, title in {
            "what": "Level", "against": "Against", "said": "Difference", "sure": "Is it chance?",
            "n": "Enrollments", "notes": "Notes",
        }.items()
    ]  # fmt: skip
    fields = ("who", "value", "lo", "hi", "text", *(t.shorthand.removesuffix(":N") for t in said))
    chart = alt.Chart(data({name: row[name] for name in fields} for row in rows))
    point = (
        chart.mark_point(filled=True, opacity=1, shape="diamond", size=100, style="point")
        if certain
        else chart.mark_point(
            filled=True, opacity=1, shape="circle", size=46, style="hollow", strokeWidth=1.5
        )
    )
    return [
        chart.mark_rule(style="moved" if certain else "steady").encode(
            x=alt.X("lo:Q", scale=x), x2=alt.X2("hi:Q"), y=y, tooltip=said
        ),
        point.encode(x=alt.X("value:Q", scale=x), y=y, tooltip=said),
        chart.mark_text(
            style="strong" if certain else "muted", align="left", dx=10, fontSize=11.5
        ).encode(x=alt.XValue("width"), y=y, text=alt.Text("text:N"), tooltip=said),
    ]


def _describe(rows: Sequence[Mapping[str, Any]], what: str) -> str:
    certain = [row for row in rows if row["certain"]]
    parts = [
        f"{what} by factor, {len(rows)} levels: {len(certain)} differ by more than chance, given "
        "sender, sequence and week."
    ]
    parts += [
        f"{row['key'].replace('_', ' ')} {row['what']} against {row['against']}: {row['said']} "
        "percentage points."
        for row in certain[:5]
    ]
    return " ".join(parts)
