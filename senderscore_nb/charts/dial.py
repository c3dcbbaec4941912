"""The geometry of gauges: where arcs, needle and words of half-circle dials go.

A dial is drawn around a centre given in pixels, so that one layered chart holds any number of them.
Angles are radians clockwise from twelve o'clock, as Vega counts them: −π/2 is no points, π/2 the
most there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from senderscore_nb.charts import words
from senderscore_nb.charts.layers import band_colour, bounds, data, facts, most, tooltip
from senderscore_nb.charts.standing import Standing
from senderscore_nb.policy import ScoringPolicy

_NEEDLE = "M-0.075,-0.63Q0,-0.57,0.075,-0.63L0.012,-0.96Q0,-0.98,-0.012,-0.96Z"


@dataclass(frozen=True)
class Size:
    """How large a dial is drawn, in pixels.

    Attributes:
        radius: Of the outer edge of the bands.
        thickness: Of the bands.
        arc: Thickness of the interval's arc outside.
        number: Font size of the score.
        text: Font size of the words under it.
    """

    radius: float
    thickness: float
    arc: float
    number: float
    text: float

    @property
    def outer(self) -> float:
        """Radius of everything that is round."""
        return self.radius + 3 + self.arc


@dataclass(frozen=True)
class Dial:
    """A standing with the pixel that its dial is centred on."""

    standing: Standing
    x: float
    y: float


def angle(score: float, policy: ScoringPolicy) -> float:
    """Where on the half-circle a score is; scores outside the scale stay on its ends.

    >>> from senderscore_nb.policy import load_policy
    >>> angle(50, load_policy())
    0.0
    """
    share = min(max(score / (most(policy)), 0.0), 1.0)
    return (share - 0.5) * math.pi


def place(dial: Dial, radius: float, at: float) -> tuple[float, float]:
    """The pixel at a radius and an angle."""
    return dial.x + radius * math.sin(at), dial.y - radius * math.cos(at)


def dial_layers(
    dials: Sequence[Dial], policy: ScoringPolicy, size: Size, *, legend: float | None
) -> list[alt.Chart]:
    """Arcs, intervals, needles and scores of dials, without words around them.

    Args:
        dials: What to draw and where.
        policy: Its bands are the arcs.
        size: Of every dial.
        legend: How wide the key of the bands may be; no key where it is None.
    """
    scored = [d for d in dials if d.standing.scored]
    waiting = [d for d in dials if not d.standing.scored]
    layers = []
    if scored:
        layers.append(_bands(scored, policy, size, legend=legend))
        layers += _intervals(scored, policy, size)
        layers.append(_needles(scored, policy, size))
        layers.append(
            text(
                ({**_at(d), "text": words.points(d.standing.score, policy)} for d in scored),
                style="number",
                size=size.number,
                dy=-size.number * 0.28,
            )
        )
    if waiting:
        layers.append(_tracks(waiting, size))
        layers += _progress(waiting, size)
        said = ((d, _waiting(d.standing)) for d in waiting)
        layers.append(
            text(
                ({**_at(d), "text": words_} for d, words_ in said if words_),
                style="muted",
                size=size.text + 1,
                dy=-size.number * 0.32,
            )
        )
    return layers


def text(
    rows: Iterable[dict[str, Any]],
    *,
    style: str,
    size: float,
    dy: float = 0.0,
    limit: float | None = None,
) -> alt.Chart:
    """A layer of words, centred: rows with `x`, `y` and `text`."""
    extra: dict[str, Any] = {} if limit is None else {"limit": limit}
    chart: alt.Chart = alt.Chart(data(rows)).mark_text(
        style=style, fontSize=round(size, 1), dy=round(dy, 1), aria=False, **extra
    )
    return chart.encode(**positions(), text=alt.Text("text:N"))


def positions() -> dict[str, Any]:
    """The fields `x` and `y` as pixels."""
    return {"x": alt.X("x:Q", scale=None, axis=None), "y": alt.Y("y:Q", scale=None, axis=None)}


def hits(dials: Sequence[Dial], size: Size, *, above: float, below: float) -> alt.Chart:
    """Transparent panels over the dials that carry the tooltips."""
    rows = [
        {
            "x": d.x - size.outer,
            "x2": d.x + size.outer,
            "y": d.y - size.outer - above,
            "y2": d.y + below,
            **facts(d.standing),
        }
        for d in dials
    ]
    panels: alt.Chart = alt.Chart(data(rows)).mark_rect(fill="transparent", tooltip=True)
    return panels.encode(
        **positions(),
        x2=alt.X2("x2:Q"),
        y2=alt.Y2("y2:Q"),
        tooltip=tooltip(rows),
        description=alt.Description("who:N"),
    )


def _at(dial: Dial) -> dict[str, Any]:
    return {"x": dial.x, "y": dial.y}


def _arcs(rows: Iterable[dict[str, Any]], inner: float, outer: float, **mark: Any) -> alt.Chart:
    arcs: alt.Chart = alt.Chart(data(rows)).mark_arc(
        innerRadius=inner, outerRadius=outer, aria=False, **mark
    )
    theta = alt.Theta("a:Q", scale=None, stack=None)
    return arcs.encode(**positions(), theta=theta, theta2="b:Q")


def _bands(
    dials: Sequence[Dial], policy: ScoringPolicy, size: Size, *, legend: float | None
) -> alt.Chart:
    gap = 0.9 / size.radius
    edges = bounds(policy)
    rows = [
        {
            **_at(d),
            "a": angle(low, policy) + (gap if i else 0.0),
            "b": angle(high, policy) - (gap if i < len(edges) - 1 else 0.0),
            "band": name,
        }
        for d in dials
        for i, (name, low, high) in enumerate(edges)
    ]
    arcs = _arcs(rows, size.radius - size.thickness, size.radius)
    return arcs.encode(color=band_colour(policy, across=legend))


def _intervals(dials: Sequence[Dial], policy: ScoringPolicy, size: Size) -> list[alt.Chart]:
    rows = [
        {**_at(d), "a": angle(d.standing.low, policy), "b": angle(d.standing.high, policy)}
        for d in dials
        if d.standing.low is not None and d.standing.high is not None
    ]
    inner = size.radius + 3
    return [_arcs(rows, inner, inner + size.arc, style="arc", cornerRadius=2)] if rows else []


def _needles(dials: Sequence[Dial], policy: ScoringPolicy, size: Size) -> alt.Chart:
    rows = ({**_at(d), "deg": math.degrees(angle(d.standing.score or 0.0, policy))} for d in dials)
    # A shape's unit is half the square root of its size.
    area = (2 * (size.radius - size.thickness)) ** 2
    needles: alt.Chart = alt.Chart(data(rows)).mark_point(
        shape=_NEEDLE, style="needle", filled=True, opacity=1, size=area, aria=False
    )
    return needles.encode(**positions(), angle=alt.Angle("deg:Q", scale=None))


def _tracks(dials: Sequence[Dial], size: Size) -> alt.Chart:
    rows = ({**_at(d), "a": -math.pi / 2, "b": math.pi / 2} for d in dials)
    return _arcs(rows, size.radius - size.thickness, size.radius, style="track")


def _progress(dials: Sequence[Dial], size: Size) -> list[alt.Chart]:
    rows = []
    for d in dials:
        total = d.standing.ended + d.standing.missing
        if d.standing.status == "collecting" and total:
            share = d.standing.ended / total
            rows.append({**_at(d), "a": -math.pi / 2, "b": (share - 0.5) * math.pi})
    inset = size.thickness / 3
    inner, outer = size.radius - size.thickness + inset, size.radius - inset
    return [_arcs(rows, inner, outer, style="progress", cornerRadius=2)] if rows else []


def _waiting(standing: Standing) -> str:
    if standing.status == "collecting":
        total = standing.ended + standing.missing
        return f"{words.count(standing.ended)} of {words.count(total)}"
    return f"{words.count(standing.ended)} ended"
