"""What lies ahead: the next band by week, and the power to tell a difference by enrollments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.layers import SMALL, data, note, nothing
from senderscore_nb.charts.standing import labels, number, require

_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_NEAR = 15  # pixels that two labels keep between them


def next_band(
    weeks: pl.DataFrame, *, most: int = 6, width: int = 520, height: int = 260
) -> alt.LayerChart:
    """The probability of the next band, or of having a score, by the coming weeks.

    Filled points: reached by then. The senders with something to expect are shown, the likeliest
    first; lines differ in dash and shape, and end in their names.

    Args:
        weeks: As `drivers.ahead_by_week` returns it, with or without labels.
        most: How many senders are drawn.
        width: Of the axis, in pixels; names stand to the right of it.
        height: In pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing.
    """
    require(weeks, "week", "day", "next_band", "p_ready", "p_by")
    title = "The next band by week"
    lines: dict[str, list[dict[str, Any]]] = {}
    for who, row in zip(labels(weeks, ("user",)), weeks.iter_rows(named=True), strict=True):
        chance = number(row["p_ready"] if row["p_by"] is None else row["p_by"])
        if chance is not None:
            goal = "a score" if row["p_by"] is None else words.clip(row["next_band"], 24)
            point = {"who": who, "day": str(row["day"]), "p": chance, "goal": goal}
            lines.setdefault(who, []).append({**point, "when": words.day(row["day"])})
    ranked = sorted(lines, key=lambda who: (-lines[who][-1]["p"], -lines[who][0]["p"], who))
    chosen = [who for who in ranked if lines[who][-1]["p"] >= 0.005][:most]
    if not chosen:
        return nothing(title)
    rows = [point for who in chosen for point in lines[who]]
    y = _chances("Probability by then")
    axis = alt.Axis(format="%-d %b", grid=False, title=None, tickCount=max(3, width // 90))
    x = alt.X("day:T", scale=alt.Scale(type="utc"), axis=axis)
    hover = [
        alt.Tooltip("who:N", title="Name"),
        alt.Tooltip("goal:N", title="Reaches"),
        alt.Tooltip("when:N", title="By"),
        alt.Tooltip("p:Q", title="Probability", format=".0%"),
    ]
    shape = alt.Shape("who:N", scale=_shapes(chosen), legend=None)
    base = alt.Chart(data(rows)).encode(x=x, y=y)
    layers = [
        base.mark_line(style="steady").encode(detail=alt.Detail("who:N")),
        base.mark_point(style="point", size=56, opacity=1).encode(shape=shape, tooltip=hover),
        _names([lines[who][-1] for who in chosen], height),
    ]
    rest = len(lines) - len(chosen)
    ends = [lines[who][-1] for who in chosen]
    said = "; ".join(f"{end['who']} {end['goal']} {_whole(end['p'])}" for end in ends)
    left = f" {rest} others are less likely or hardly at all." if rest else ""
    return alt.LayerChart(
        layer=layers,
        width=width,
        height=height,
        title=note("If rates and pace stay as they are."),
        description=f"{title}, probability by {rows[-1]['when']}: {said}.{left}",
    )


def power(
    curve: pl.DataFrame, *, points: float | None = None, width: int = 520, height: int = 260
) -> alt.LayerChart:
    """The chance of telling a difference, by enrollments on each side.

    Solid lines compare the rate that moved, dashed ones the whole score.

    Args:
        curve: As `drivers.power_curve` returns it.
        points: The difference, for the words.
        width: Of the axis, in pixels; names stand to the right of it.
        height: In pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing.
    """
    require(curve, "way", "n", "by_rate", "by_score")
    title = "Power" if points is None else f"Power to tell {points:g} points"
    ways = [way for way in curve["way"].unique(maintain_order=True).to_list() if way][:4]
    rows = [
        {"way": row["way"], "n": int(row["n"]), "p": number(row[by]) or 0.0, "by": by}
        for row in curve.iter_rows(named=True)
        for by in ("by_rate", "by_score")
        if row["way"] in ways and row["n"]
    ]
    if not rows:
        return nothing(title)
    sizes = sorted({int(r["n"]) for r in rows})
    axis = alt.Axis(
        format="~s", grid=False, title="Ended enrollments on each side", labelOverlap=True
    )
    scale = alt.Scale(type="log", domain=[sizes[0], max(sizes[-1], sizes[0] + 1)], nice=False)
    x, y = alt.X("n:Q", scale=scale, axis=axis), _chances("Chance of telling it")
    columns = 4 if width >= 480 else 2
    key = alt.Legend(title=None, orient="top", columns=columns, symbolType="circle")
    shape = alt.Shape("way:N", scale=_shapes(ways), sort=None, legend=key)
    hover = [
        alt.Tooltip("way:N", title="Through"),
        alt.Tooltip("n:Q", title="On each side", format=","),
        alt.Tooltip("p:Q", title="Chance", format=".0%"),
    ]
    base = alt.Chart(data(rows)).encode(x=x, y=y)
    eighty = alt.Chart(data([{"p": 0.8, "text": "80 %"}])).encode(y=y)
    layers = [
        eighty.mark_rule(style="centre", strokeDash=[3, 3]),
        _by(base, "by_rate").mark_line(style="moved").encode(detail="way:N"),
        _by(base, "by_score").mark_line(style="steady", strokeDash=[5, 3]).encode(detail="way:N"),
        base.transform_filter(alt.FieldOneOfPredicate(field="n", oneOf=sizes[4::8]))
        .mark_point(style="point", size=60, opacity=1)
        .encode(shape=shape, tooltip=hover),
        eighty.mark_text(style="muted", align="right", dx=-4, dy=-7, fontSize=SMALL).encode(
            x=alt.XValue("width"), text=alt.Text("text:N")
        ),
    ]
    return alt.LayerChart(
        layer=layers,
        width=width,
        height=height,
        title=note(["Solid: by the rate that moved. Dashed: by the score.", "Two-sided, 5 %."]),
        description=f"{title}, two-sided 5 %: {_told(rows, ways)}.",
    )


def _by(base: alt.Chart, by: str) -> alt.Chart:
    return base.transform_filter(alt.FieldEqualPredicate(field="by", equal=by))


def _chances(title: str) -> alt.Y:
    axis = alt.Axis(format=".0%", title=title, tickCount=5)
    return alt.Y("p:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=axis)


def _shapes(names: Sequence[str]) -> alt.Scale:
    """A shape for each name, in their order; after six they begin again."""
    return alt.Scale(
        domain=list(names), range=[_SHAPES[i % len(_SHAPES)] for i in range(len(names))]
    )


def _names(ends: Sequence[Mapping[str, Any]], height: int) -> alt.Chart:
    """The names at the ends of the lines, moved apart where they would lie on each other."""
    places: list[float] = []
    for end in ends:
        wanted = (1 - end["p"]) * height
        places.append(max(wanted, places[-1] + _NEAR) if places else wanted)
    over = max(0.0, places[-1] - height) if places else 0.0
    rows = []
    for place, end in zip(places, ends, strict=True):
        text = f"{words.clip(end['who'], 20)}: {end['goal']} {_whole(end['p'])}"
        rows.append({"place": 1 - (place - over) / height, "text": text})
    mark = alt.Chart(data(rows)).mark_text(style="ink", align="left", dx=10, fontSize=SMALL)
    named: alt.Chart = mark.encode(
        x=alt.XValue("width"),
        y=alt.Y("place:Q", scale=alt.Scale(domain=[0, 1], nice=False)),
        text=alt.Text("text:N"),
    )
    return named


def _whole(chance: float) -> str:
    return f"{100 * chance:.0f} %"


def _told(rows: Sequence[Mapping[str, Any]], ways: Sequence[str]) -> str:
    said = []
    for way in ways:
        enough = [
            r["n"] for r in rows if r["way"] == way and r["by"] == "by_rate" and r["p"] >= 0.8
        ]
        found = f"80 % at {words.count(min(enough))} on each side" if enough else "below 80 %"
        said.append(f"{way} {found}")
    return "; ".join(said)
