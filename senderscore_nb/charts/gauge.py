"""One large gauge, and a wall of small ones."""

from __future__ import annotations

import math

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.describe import describe, describe_one
from senderscore_nb.charts.dial import Dial, Size, angle, dial_layers, hits, place, text
from senderscore_nb.charts.layers import SMALL, bounds, footnote, nothing
from senderscore_nb.charts.standing import Standing, standings
from senderscore_nb.errors import ContractError
from senderscore_nb.policy import ScoringPolicy

_LARGE = Size(radius=120, thickness=24, arc=6, number=42, text=13)
_NAME_ROOM = 82
_CARD = 222
_CARD_HEIGHT = 168
_LAST = {"scored": 0, "collecting": 1, "no_paid_seat": 2, "not_computable": 3}


def gauge(scored: pl.DataFrame, policy: ScoringPolicy, *, width: int = 420) -> alt.LayerChart:
    """One sender's score as a needle on the policy's bands, with its interval as an arc outside.

    Below the minimum there is no needle: an arc grows towards the minimum, and the text says how
    many ended enrollments are missing and when they will be there.

    Args:
        scored: One row as `senderscore_nb.score.score` returns it.
        policy: The policy it was scored with.
        width: In pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: The frame has several rows, or no column `score`.
    """
    rows = standings(scored, policy)
    if not rows:
        return nothing("Gauge")
    if len(rows) > 1:
        raise ContractError(
            f"A gauge shows one row; the frame has {len(rows)}.",
            hint="Filter the frame, or use gauge_wall for many.",
        )
    row = rows[0]
    size = _sized(width)
    dial = Dial(row, width / 2, 46 + size.outer)
    below = dial.y + size.text + 4
    layers = dial_layers([dial], policy, size, legend=None)
    if row.scored:
        layers += _around(dial, policy, size)
    here = {"x": dial.x, "y": dial.y}
    layers += [
        text([{"x": dial.x, "y": 10, "text": row.name}], style="strong", size=15, limit=width),
        text([{**here, "text": row.verdict}], style="strong", size=16, dy=size.text + 6),
        text([{**here, "text": _line(row)}], style="ink", size=13, dy=size.text + 30),
        text([{**here, "text": _rates(row)}], style="muted", size=12, dy=size.text + 50),
        hits([dial], size, above=10, below=size.text + 60),
    ]
    return alt.LayerChart(
        layer=layers,
        width=width,
        height=below + 58,
        title=footnote(policy),
        description=f"Gauge. {describe_one(row, policy)}",
    )


def gauge_wall(
    scored: pl.DataFrame, policy: ScoringPolicy, *, columns: int = 4, width: int | None = None
) -> alt.LayerChart:
    """A small gauge for each sender, the highest score first, those without a score last.

    All gauges are marks of one chart at computed places, so the specification stays small.

    Args:
        scored: One row a sender as `senderscore_nb.score.score` returns it.
        policy: The policy they were scored with.
        columns: Gauges side by side.
        width: In pixels; 222 a column unless given.

    Returns:
        A layered chart with a description and a tooltip for each gauge.

    Raises:
        ContractError: No column `score`, or less than one column asked for.
    """
    rows = sorted(standings(scored, policy), key=_order)
    if not rows:
        return nothing("Gauges")
    if columns < 1:
        raise ContractError(f"A wall needs at least 1 column, not {columns}.")
    columns = min(columns, len(rows))
    step = (width or _CARD * columns) / columns
    radius = min(76.0, step / 2 - 20)
    size = Size(radius=radius, thickness=radius * 0.21, arc=4, number=radius * 0.36, text=SMALL)
    height = _CARD_HEIGHT - (76 - radius)
    dials = [
        Dial(row, (i % columns + 0.5) * step, i // columns * height + 34 + size.outer)
        for i, row in enumerate(rows)
    ]
    room = step - 14
    layers = dial_layers(dials, policy, size, legend=step * columns)
    layers += [
        text(
            ({"x": d.x, "y": d.y - size.outer - 13, "text": d.standing.name} for d in dials),
            style="strong",
            size=13,
            limit=room,
        ),
        text(
            ({"x": d.x, "y": d.y, "text": d.standing.verdict} for d in dials),
            style="ink",
            size=12,
            dy=15,
            limit=room,
        ),
        text(
            ({"x": d.x, "y": d.y, "text": _small_line(d.standing)} for d in dials),
            style="muted",
            size=SMALL,
            dy=32,
            limit=room,
        ),
        hits(dials, size, above=20, below=42),
    ]
    return alt.LayerChart(
        layer=layers,
        width=step * columns,
        height=math.ceil(len(rows) / columns) * height,
        title=footnote(policy),
        description=describe("A gauge for each sender, by score", rows, policy),
    )


def _sized(width: int) -> Size:
    scale = min(1.0, (width / 2 - _NAME_ROOM) / _LARGE.outer)
    scale = max(scale, 0.5)
    return Size(
        radius=_LARGE.radius * scale,
        thickness=_LARGE.thickness * scale,
        arc=_LARGE.arc * scale,
        number=_LARGE.number * scale,
        text=_LARGE.text,
    )


def _order(row: Standing) -> tuple[int, float, str]:
    size = row.ended if row.score is None else row.score
    return _LAST.get(row.status, 4), -size, row.name


def _line(row: Standing) -> str:
    if row.status == "collecting":
        return row.needed
    if row.score is None:
        return "No score is given"
    if row.low is None or row.high is None:
        return f"{words.count(row.ended)} ended"
    return f"Interval {words.span(row.low, row.high)}, {words.count(row.ended)} ended"


def _small_line(row: Standing) -> str:
    if row.status == "collecting":
        return row.needed.replace(" needed, about", ", about")
    n = f"{words.count(row.ended)} ended"
    if row.score is None or row.low is None or row.high is None:
        return n if row.scored else ""
    return f"{row.low:.0f}–{row.high:.0f} · {n}"


def _rates(row: Standing) -> str:
    parts = [
        f"{word} {row.rate(measure)}"
        for measure, word in (("reply_rate", "Replies"), ("bounce_rate", "bounces"))
        if row.number(measure) is not None
    ]
    return ", ".join(parts) or "Replies and bounces are not known"


def _around(dial: Dial, policy: ScoringPolicy, size: Size) -> list[alt.Chart]:
    """The bands' names and edges around the dial; what would run into another text is left out."""
    names, edges = [], []
    taken: list[tuple[float, float, float, float]] = []
    limits = bounds(policy)
    for name, low, high in limits:
        middle = (angle(low, policy) + angle(high, policy)) / 2
        for shown in (words.clip(name, 14), words.clip(name, 3)):
            if row := _fitting(dial, size, middle, shown, 12, taken):
                names.append(row)
                break
    for edge in [low for _, low, _ in limits] + [limits[-1][2]]:
        if row := _fitting(dial, size, angle(edge, policy), f"{edge:.3g}", 10, taken):
            edges.append(row)
    return [text(names, style="ink", size=12), text(edges, style="muted", size=10)]


def _fitting(
    dial: Dial,
    size: Size,
    at: float,
    shown: str,
    font: int,
    taken: list[tuple[float, float, float, float]],
) -> dict[str, object] | None:
    """A text at an angle outside the dial, unless it runs into one that is there already."""
    wide = words.width_of(shown, font)
    x, y = place(dial, size.outer + 10, at)
    x += wide / 2 * math.sin(at)
    box = (x - wide / 2, y - font / 2, x + wide / 2, y + font / 2)
    if any(_overlap(box, other) for other in taken):
        return None
    taken.append(box)
    return {"x": x, "y": y, "text": shown}


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
