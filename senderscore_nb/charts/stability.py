"""How often bands change by chance, against the number of enrollments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.layers import SMALL, data, nothing
from senderscore_nb.charts.palette import colours
from senderscore_nb.charts.standing import require

_DASHES: tuple[tuple[int, ...], ...] = ((1, 0), (7, 4), (2, 3), (10, 3, 2, 3), (4, 2), (12, 5))
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_TICKS = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)


def stability(
    rates: pl.DataFrame,
    *,
    minimum: int = 100,
    asked: float | None = None,
    width: int = 640,
    height: int = 300,
) -> alt.LayerChart:
    """The flip rate of each policy against the number of ended enrollments in a period.

    Lines differ in colour, dashes and the shape of their points. A vertical line stands at the
    number of enrollments from which a score is given.

    Args:
        rates: `policy`, `n`, `flip_rate` (a fraction), and `in_a_row` where bands may be held, as
            `senderscore_nb.experiment.stability` returns them.
        minimum: Where the vertical line stands.
        asked: The flip rate that is aimed at, as a horizontal line; none unless given.
        width: In pixels.
        height: In pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing.
    """
    require(rates, "policy", "n", "flip_rate")
    rows = _rows(rates)
    if not rows:
        return nothing("Stability of bands")
    lines = list(dict.fromkeys(row["line"] for row in rows))
    sizes = [row["n"] for row in rows]
    low, high = min(*sizes, minimum) / 1.15, max(*sizes, minimum) * 1.1
    x = alt.Scale(type="log", domain=[low, high], nice=False)
    top = max(0.05, *(row["rate"] for row in rows), asked or 0.0)
    y = alt.Scale(domain=[0, min(1.0, 1.12 * top)], nice=False)
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    axis = alt.Axis(values=ticks, format=",d", grid=False, title="Ended enrollments in a period")
    rate_axis = alt.Axis(format=".0%", title="Bands that change by chance", tickCount=5)
    placed = {
        "x": alt.X("n:Q", scale=x, axis=axis),
        "y": alt.Y("rate:Q", scale=y, axis=rate_axis),
    }
    return alt.LayerChart(
        layer=[*_limits(minimum, asked, x, y), *_lines(rows, lines, placed, width)],
        width=width,
        height=height,
        description=_described(rows, lines, minimum),
    )


def _rows(rates: pl.DataFrame) -> list[dict[str, Any]]:
    known = rates.filter(pl.col("flip_rate").is_not_null() & (pl.col("n") > 0))
    rows = []
    for row in known.iter_rows(named=True):
        held = row.get("in_a_row") or 1
        name = words.clip(row["policy"], 40)
        line = name if held == 1 else f"{name}, {held} in a row"
        rate = row["flip_rate"]
        rows.append({"line": line, "n": row["n"], "rate": rate, "said": words.percent(rate)})
    return rows


def _lines(
    rows: Sequence[dict[str, Any]], lines: Sequence[str], placed: dict[str, Any], width: int
) -> list[alt.Chart]:
    each = max(words.width_of(line, SMALL) for line in lines) + 52
    columns = min(len(lines), max(1, int(width // each)))
    legend = alt.Legend(
        orient="top",
        title=None,
        columns=columns,
        columnPadding=14,
        offset=8,
        labelLimit=max(120, width - 60),
        symbolType="stroke",
        symbolStrokeWidth=2.5,
        symbolSize=320,
    )
    looks = {line: _look(i, len(lines)) for i, line in enumerate(lines)}
    colour = alt.Scale(domain=list(lines), range=[look["colour"] for look in looks.values()])
    dashes = alt.Scale(domain=list(lines), range=[look["dash"] for look in looks.values()])
    hover = [
        alt.Tooltip("line:N", title="Policy"),
        alt.Tooltip("n:Q", title="Ended", format=","),
        alt.Tooltip("said:N", title="Change by chance"),
    ]
    chart = alt.Chart(data(rows)).encode(**placed)
    # Without a scale of their own the points leave the key to the lines, which show their dashes.
    marked = [{**row, **{k: looks[row["line"]][k] for k in ("colour", "shape")}} for row in rows]
    points = alt.Chart(data(marked)).mark_point(filled=True, size=46, opacity=1).encode(**placed)
    return [
        chart.mark_line(strokeWidth=2.25).encode(
            stroke=alt.Stroke("line:N", scale=colour, legend=legend),
            strokeDash=alt.StrokeDash("line:N", scale=dashes, legend=legend),
        ),
        points.encode(
            fill=alt.Fill("colour:N", scale=None),
            shape=alt.Shape("shape:N", scale=None),
            tooltip=hover,
        ),
    ]


def _look(place: int, count: int) -> dict[str, Any]:
    """Colour, dashes and shape of a line; the last two tell it apart where colours come close."""
    known = colours(max(4, count))
    return {
        "colour": known[place] if count > 1 else known[-1],
        "dash": list(_DASHES[place % len(_DASHES)]),
        "shape": _SHAPES[place % len(_SHAPES)],
    }


def _limits(minimum: int, asked: float | None, x: alt.Scale, y: alt.Scale) -> list[alt.Chart]:
    at = alt.Chart(data([{"at": minimum, "text": f"a score from {words.count(minimum)} on"}]))
    layers = [
        at.mark_rule(style="centre", strokeDash=[3, 3], aria=False).encode(
            x=alt.X("at:Q", scale=x)
        ),
        at.mark_text(
            style="muted", align="left", baseline="top", dx=5, fontSize=SMALL, aria=False
        ).encode(x=alt.X("at:Q", scale=x), y=alt.YValue(0), text=alt.Text("text:N")),
    ]
    if asked is not None:
        goal = alt.Chart(data([{"at": asked, "text": "asked"}]))
        layers += [
            goal.mark_rule(style="limit", strokeDash=[8, 4], aria=False).encode(
                y=alt.Y("at:Q", scale=y)
            ),
            goal.mark_text(
                style="muted", align="left", baseline="top", dx=4, dy=4, fontSize=SMALL, aria=False
            ).encode(x=alt.XValue(0), y=alt.Y("at:Q", scale=y), text=alt.Text("text:N")),
        ]
    return layers


def _described(rows: Sequence[dict[str, Any]], lines: Sequence[str], minimum: int) -> str:
    said = []
    for line in lines[:6]:
        own = sorted((r for r in rows if r["line"] == line), key=lambda r: r["n"])
        near = min(own, key=lambda r: abs(r["n"] - minimum))
        said.append(
            f"{line}: {near['said']} at {words.count(near['n'])}, "
            f"{own[-1]['said']} at {words.count(own[-1]['n'])}."
        )
    more = f" And {len(lines) - 6} more lines." if len(lines) > 6 else ""
    return (
        "How often a band changes between two periods although nothing has changed, by ended "
        f"enrollments in a period. {' '.join(said)}{more}"
    )
