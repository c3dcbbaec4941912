"""A weekly rate with the limits of chance, and the rate so far with its confidence sequence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.layers import SMALL, data, note, nothing
from senderscore_nb.charts.standing import labels, number, require
from senderscore_nb.errors import ContractError

_WORDS = {"reply_rate": "Reply rate", "bounce_rate": "Bounce rate"}
_NEEDED = ("measure", "week", "rate", "n", "watched", "centre")
_SHORT = {
    "beyond the limits": "beyond",
    "two of three": "2 of 3",
    "four of five": "4 of 5",
    "nine in a row": "9 in a row",
}
_ROOM = 30  # pixels that two labels keep between them


def control(watched: pl.DataFrame, *, width: int = 640, height: int = 260) -> alt.LayerChart:
    """A control chart: weekly rates, the baseline's centre, and what one week may reach.

    Baseline weeks are hollow. Weeks in which a rule fires are diamonds, the first of each run of
    them with the rule's name.

    Args:
        watched: As `drivers.watch` returns it, of one key and one measure.
        width: In pixels.
        height: In pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing, or there are several keys or measures.
    """
    require(watched, *_NEEDED, "low", "high", "rules")
    if watched.is_empty():
        return nothing("Control chart")
    who, word = _one(watched)
    rows = [_row(row) for row in watched.sort("week").iter_rows(named=True)]
    highest = max(r["hi"] if r.get("hi") is not None else r["rate"] for r in rows)
    y = _scale(word, max(highest, *(r["rate"] for r in rows)))
    base = alt.Chart(data(rows))
    limits = base.transform_filter(alt.FieldValidPredicate(field="hi", valid=True))
    hover = _hover(word)
    out = alt.FieldEqualPredicate(field="out", equal=True)
    calm = {"not": out.to_dict()}
    layers = [
        limits.mark_area(style="funnel", interpolate="step").encode(
            x=_x(width), y=alt.Y("lo:Q", **y), y2=alt.Y2("hi:Q")
        ),
        base.mark_line(style="centre", strokeDash=[5, 4]).encode(x=_x(width), y=alt.Y("centre:Q")),
        base.mark_line(style="steady").encode(x=_x(width), y=alt.Y("rate:Q")),
        base.mark_point(style="hollow", size=44, opacity=1)
        .encode(x=_x(width), y=alt.Y("rate:Q"), tooltip=hover)
        .transform_filter(alt.FieldEqualPredicate(field="watched", equal=False)),
        base.mark_point(style="point", size=52, opacity=1)
        .encode(x=_x(width), y=alt.Y("rate:Q"), tooltip=hover)
        .transform_filter(alt.FieldEqualPredicate(field="watched", equal=True))
        .transform_filter(calm),
        base.mark_point(style="outside", shape="diamond", size=130, opacity=1)
        .encode(x=_x(width), y=alt.Y("rate:Q"), tooltip=hover)
        .transform_filter(out),
        *_rule_names(rows, width),
        *_start(rows),
    ]
    key = "Hollow: baseline weeks. Dashed: their rate. Shaded: what one week may reach."
    return alt.LayerChart(
        layer=layers,
        width=width,
        height=height,
        title=note(_wrapped(f"{key} Diamond: a rule fires.", width)),
        description=_described(who, word, rows),
    )


def so_far(watched: pl.DataFrame, *, width: int = 640, height: int = 220) -> alt.LayerChart:
    """The rate of all weeks since the watch began, in a band that holds at every look at once.

    The week in which the evidence of a change became enough is a diamond.

    Args:
        watched: As `drivers.watch` returns it, of one key and one measure.
        width: In pixels.
        height: In pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing, or there are several keys or measures.
    """
    require(watched, *_NEEDED, "so_far", "so_far_low", "so_far_high", "alarm")
    seen = watched.filter("watched").sort("week")
    if seen.is_empty():
        return nothing("The rate so far")
    who, word = _one(watched)
    rows = [_so_far(row) for row in seen.iter_rows(named=True)]
    first = next((r for r in rows if r["alarm"]), None)
    # The first weeks' bands reach far; the axis is cut where what matters is seen.
    top = max([r["so"] for r in rows] + [sorted(r["hi"] for r in rows)[len(rows) // 2]])
    top = max(top, number(seen["centre"][0]) or 0.0)
    base = alt.Chart(data(rows))
    y = _scale(f"{word} so far", top)
    x = _x(width)
    layers = [
        base.mark_area(style="ribbon", clip=True).encode(
            x=x, y=alt.Y("lo:Q", **y), y2=alt.Y2("hi:Q")
        ),
        base.mark_line(style="centre", strokeDash=[5, 4]).encode(x=x, y=alt.Y("centre:Q")),
        base.mark_line(style="line", clip=True, point=False).encode(x=x, y=alt.Y("so:Q")),
        base.mark_point(style="point", size=44, opacity=1, clip=True).encode(
            x=x,
            y=alt.Y("so:Q"),
            tooltip=[
                alt.Tooltip("when:N", title="Week of"),
                alt.Tooltip("said:N", title=f"{word} so far"),
                alt.Tooltip("evidence:N", title="Evidence of a change"),
            ],
        ),
    ]
    if first:
        place = alt.Chart(data([{**first, "text": "changed"}]))
        layers += [
            place.mark_point(style="outside", shape="diamond", size=150, opacity=1).encode(
                x=x, y=alt.Y("so:Q")
            ),
            place.mark_text(style="strong", align="left", dx=10, dy=-10, fontSize=SMALL).encode(
                x=x, y=alt.Y("so:Q"), text=alt.Text("text:N")
            ),
        ]
    key = "Dashed: the baseline's rate. Shaded: where the rate is, at all looks together."
    last = rows[-1]
    key += " Diamond: enough evidence of a change." if first else ""
    said = f" Enough evidence of a change from {first['when']} on." if first else ""
    return alt.LayerChart(
        layer=layers,
        width=width,
        height=height,
        title=note(_wrapped(key, width)),
        description=f"{word} so far of {who}, {len(rows)} weeks: {last['said']} by the week of "
        f"{last['when']}, baseline {words.percent(last.get('centre'))}.{said}",
    )


def _one(watched: pl.DataFrame) -> tuple[str, str]:
    """Whom the one series is about, and the word for its measure."""
    names = set(labels(watched, ("user", "sequence")))
    measures = watched["measure"].unique().to_list()
    if len(names) > 1 or len(measures) > 1:
        raise ContractError(
            f"The chart shows one rate, found {len(names)} keys and {len(measures)} measures.",
            hint="Filter the frame by a key and a measure.",
        )
    return names.pop(), _WORDS.get(measures[0], "Rate")


def _row(row: dict[str, Any]) -> dict[str, Any]:
    rules = str(row["rules"] or "")
    low, high = number(row["low"]), number(row["high"])
    n = words.count(int(row["n"]))
    return {
        "week": str(row["week"]),
        "when": words.day(row["week"]),
        "rate": number(row["rate"]) or 0.0,
        "centre": number(row["centre"]),
        "lo": low,
        "hi": high,
        "watched": bool(row["watched"]),
        "out": bool(rules),
        "rules": rules or None,
        "said": f"{words.percent(number(row['rate']))} of {n}",
    }


def _so_far(row: dict[str, Any]) -> dict[str, Any]:
    low, high = number(row["so_far_low"]) or 0.0, number(row["so_far_high"]) or 0.0
    rate = number(row["so_far"])
    evidence = number(row["evidence"])
    return {
        "week": str(row["week"]),
        "when": words.day(row["week"]),
        "so": rate or 0.0,
        "lo": low,
        "hi": high,
        "centre": number(row["centre"]),
        "alarm": row["alarm"] is True,
        "said": words.rate(rate, low, high),
        "evidence": None if evidence is None else _times(evidence),
    }


def _times(evidence: float) -> str:
    return "over 1000 to 1" if evidence > 1000 else f"{evidence:.2g} to 1"


def _x(width: int) -> alt.X:
    axis = alt.Axis(format="%-d %b", grid=False, title=None, tickCount=max(3, width // 90))
    return alt.X("week:T", scale=alt.Scale(type="utc"), axis=axis)


def _scale(title: str, top: float) -> dict[str, Any]:
    axis = alt.Axis(format=".1%" if top < 0.05 else ".0%", title=title, tickCount=5)
    return {"scale": alt.Scale(domain=[0, 1.12 * max(top, 0.001)], nice=False), "axis": axis}


def _hover(word: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("when:N", title="Week of"),
        alt.Tooltip("said:N", title=word),
        alt.Tooltip("rules:N", title="Rules"),
    ]


def _rule_names(rows: Sequence[dict[str, Any]], width: int) -> list[alt.Chart]:
    """The name of the first rule of each run of diamonds, where there is room for it."""
    step = width / max(len(rows) - 1, 1)
    marked, free = [], float("-inf")
    for place, row in enumerate(rows):
        before = rows[place - 1]["out"] if place else False
        if not row["out"] or before:
            continue
        name = row["rules"].split(", ")[0]
        text = _SHORT.get(name, name)
        half = words.width_of(text, SMALL) / 2
        if place * step - half > free:
            above = row["rate"] >= (row["centre"] or 0.0)
            marked.append({**row, "text": text, "above": above})
            free = place * step + half + _ROOM
    layers = []
    for above in (True, False):
        chosen = [row for row in marked if row["above"] is above]
        mark = alt.Chart(data(chosen)).mark_text(
            style="strong", dy=-13 if above else 15, fontSize=SMALL, align="center"
        )
        layers.append(mark.encode(x=_x(width), y=alt.Y("rate:Q"), text=alt.Text("text:N")))
    return layers if marked else []


def _start(rows: Sequence[dict[str, Any]]) -> list[alt.Chart]:
    """A line where the watch begins."""
    first = next((r for r in rows if r["watched"]), None)
    if first is None or rows[0]["watched"]:
        return []
    at = dt.datetime.combine(dt.date.fromisoformat(first["week"]), dt.time())
    at -= dt.timedelta(days=3, hours=12)
    base = alt.Chart(data([{"from": at.isoformat(), "text": "watched →"}])).encode(
        x=alt.X("from:T", scale=alt.Scale(type="utc"))
    )
    word = base.mark_text(style="muted", align="left", baseline="bottom", dx=4, dy=-4, aria=False)
    return [
        base.mark_rule(style="centre", strokeDash=[3, 3], aria=False),
        word.encode(y=alt.YValue(0), text=alt.Text("text:N")),
    ]


def _wrapped(text: str, width: int) -> str | list[str]:
    """The note in as many lines as fit the width."""
    most = max(20, int(width / (10 * 0.5)))
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > most:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    lines.append(line)
    return lines if len(lines) > 1 else lines[0]


def _described(who: str, word: str, rows: Sequence[dict[str, Any]]) -> str:
    out = [r for r in rows if r["out"]]
    named = [f"{r['when']} {words.percent(r['rate'])} ({r['rules']})" for r in out[:5]]
    more = f" and {len(out) - 5} more" if len(out) > 5 else ""
    fired = f"rules fire in {len(out)} weeks: {'; '.join(named)}{more}" if out else "no rule fires"
    weeks = sum(1 for r in rows if r["watched"])
    around = words.percent(rows[-1].get("centre"))
    return f"{word} by week of {who}, {weeks} watched weeks, baseline {around}; {fired}."
