"""A rate along a number, and a rate in each pair of two factors' levels."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.layers import data, note, nothing
from senderscore_nb.charts.palette import colours, ink_on
from senderscore_nb.charts.standing import number, require

_RATES = {"replied": "Reply rate", "bounced": "Bounce rate"}
_CLASSES = 5
_SURE = 0.35
_ROW = 30


def partial_curve(
    curves: pl.DataFrame,
    factor: str,
    *,
    outcome: str = "replied",
    width: int = 520,
    height: int = 240,
    name: str | None = None,
) -> alt.LayerChart:
    """The rate along a number, for the same enrollments, with its interval; observed rates behind.

    Args:
        curves: As `senderscore_nb.drivers.factor_effects(...).curves`.
        factor: The number.
        outcome: `replied` or `bounced`.
        width: In pixels.
        height: In pixels.
        name: Of the factor, to show; as it is unless given.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing.
    """
    require(curves, "outcome", "factor", "value", "enrollments", "rate", "adjusted_rate",
            "adjusted_low", "adjusted_high")  # fmt: skip
    what = _RATES.get(outcome, outcome)
    title = words.clip(name or factor.replace("_", " "))
    mine = curves.filter((pl.col("factor") == factor) & (pl.col("outcome") == outcome))
    rows = [_point(row) for row in mine.sort("value").iter_rows(named=True)]
    if not rows:
        return nothing(f"{what} by {title}")
    said = [
        alt.Tooltip("at:N", title="Value"),
        alt.Tooltip("said:N", title=f"{what}, adjusted"),
        alt.Tooltip("seen:N", title="Observed"),
        alt.Tooltip("n:N", title="Enrollments"),
    ]
    x = alt.X("value:Q", title=title, scale=alt.Scale(zero=False, nice=False), axis=alt.Axis(
        grid=False, tickCount=6, labelOverlap=True))  # fmt: skip
    axis = alt.Axis(format="%", title=what, tickCount=5)
    base = alt.Chart(data(rows)).encode(x=x)
    y = alt.Y("adjusted:Q", axis=axis, scale=alt.Scale(zero=True))
    # The name is the axis's title, which a mark's description would put into an expression.
    return alt.LayerChart(
        layer=[
            base.mark_area(style="ribbon", aria=False).encode(
                y=alt.Y("lo:Q", axis=axis), y2=alt.Y2("hi:Q")
            ),
            base.mark_point(
                style="hollow", filled=True, opacity=1, strokeWidth=1.5, aria=False
            ).encode(
                y=alt.Y("rate:Q"),
                size=alt.Size("count:Q", scale=alt.Scale(range=[12, 110]), legend=None),
                tooltip=said,
            ),
            base.mark_line(style="line", aria=False).encode(y=y, tooltip=said),
        ],
        width=width,
        height=height,
        title=note("Line: adjusted, with its interval · ○ observed, larger where there are more"),
        description=_describe_curve(rows, what, title),
    )


def _point(row: Mapping[str, Any]) -> dict[str, Any]:
    low, high = number(row["adjusted_low"]), number(row["adjusted_high"])
    return {
        "value": number(row["value"]),
        "at": f"{row['value']:.3g}",
        "rate": number(row["rate"]),
        "adjusted": number(row["adjusted_rate"]),
        "lo": low,
        "hi": high,
        "count": row["enrollments"],
        "said": words.rate(number(row["adjusted_rate"]), low, high),
        "seen": words.percent(number(row["rate"])),
        "n": words.count(row["enrollments"]),
    }


def _describe_curve(rows: Sequence[Mapping[str, Any]], what: str, title: str) -> str:
    first, last = rows[0], rows[-1]
    return (
        f"{what} by {title}, adjusted for sender, sequence and week: {first['said']} at "
        f"{first['at']}, {last['said']} at {last['at']}."
    )


def heatmap_factors(
    pairs: pl.DataFrame,
    *,
    width: int = 560,
    names: Mapping[str, str] | None = None,
) -> alt.LayerChart:
    """The adjusted rate in each pair of two factors' levels.

    A cell is coloured by its rate. It is pale where its interval is wider than a third of the rate
    on either side, and only outlined, with the number of enrollments, where there are too few.

    Args:
        pairs: As `senderscore_nb.drivers.factor_pairs` returns it.
        width: Of all cells together in pixels, as far as they stay readable.
        names: Factors' names to show; as they are unless given.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing.
    """
    require(pairs, "outcome", "row_factor", "column_factor", "row", "column", "enrollments",
            "adjusted_rate", "adjusted_low", "adjusted_high")  # fmt: skip
    if pairs.is_empty():
        return nothing("Rates by two factors")
    known = names or {}
    one, other = (
        words.clip(known.get(f, f.replace("_", " ")))
        for f in (pairs["row_factor"][0], pairs["column_factor"][0])
    )
    what = _RATES.get(pairs["outcome"][0], "Rate")
    bad = pairs["outcome"][0] == "bounced"  # more is worse
    cells = [_cell(row) for row in pairs.iter_rows(named=True)]
    columns = list(dict.fromkeys(c["col"] for c in cells))
    axis = alt.Axis(title=other, orient="top", labelAngle=-35, labelLimit=110, labelOverlap=False)
    x = alt.X("col:N", scale=alt.Scale(domain=columns, padding=0.05), axis=axis, sort=None)
    y = alt.Y(
        "who:N",
        scale=alt.Scale(domain=list(dict.fromkeys(c["who"] for c in cells)), padding=0.05),
        axis=alt.Axis(title=one, labelLimit=130),
        sort=None,
    )
    said = [
        alt.Tooltip("who:N", title="Row"),
        alt.Tooltip("col:N", title="Column"),
        alt.Tooltip("said:N", title=what),
        alt.Tooltip("n:N", title="Enrollments"),
    ]
    layers = [*_coloured([c for c in cells if c["rate"] is not None], rising=bad),
              *_few([c for c in cells if c["rate"] is None])]  # fmt: skip
    step = max(34, min(84, width // max(len(columns), 1)))
    return alt.LayerChart(
        layer=[layer.encode(x=x, y=y, tooltip=said) for layer in layers],
        width=alt.Step(step),
        height=alt.Step(_ROW),
        title=note(f"{what} in %, adjusted · pale: unsure · dashed: too few, and how many"),
        description=_describe_pairs(cells, what, one, other),
    )


def _cell(row: Mapping[str, Any]) -> dict[str, Any]:
    rate, low, high = (number(row[f"adjusted_{end}"]) for end in ("rate", "low", "high"))
    sure = rate is not None and low is not None and high is not None
    half = (high - low) / 2 if low is not None and high is not None else 0.0
    return {
        "who": words.clip(row["row"], 40),
        "col": words.clip(row["column"], 40),
        "rate": rate,
        "sure": bool(sure and rate is not None and half <= _SURE * rate),
        "said": words.rate(rate, low, high) if sure else "too few to tell",
        "text": f"{100 * rate:.1f}" if rate is not None else words.count(row["enrollments"]),
        "n": words.count(row["enrollments"]),
    }


def _coloured(cells: Sequence[dict[str, Any]], *, rising: bool) -> list[alt.Chart]:
    if not cells:
        return []
    edges = _edges([c["rate"] for c in cells])
    shades = colours(len(edges) - 1)[:: -1 if rising else 1]
    labels = [f"{100 * a:.1f}–{100 * b:.1f} %" for a, b in itertools.pairwise(edges)]
    for cell in cells:
        place = sum(cell["rate"] >= edge for edge in edges[1:-1])
        cell["class"], cell["ink"] = labels[place], ink_on(shades[place])
    scale = alt.Scale(domain=labels, range=shades)
    legend = alt.Legend(orient="bottom", title=None, columns=3, offset=8, symbolOpacity=1)
    chart = alt.Chart(data({k: v for k, v in c.items() if k != "rate"} for c in cells))
    sure = alt.FieldEqualPredicate(field="sure", equal=True)
    pale = alt.FieldEqualPredicate(field="sure", equal=False)
    fill = alt.Fill("class:N", scale=scale, legend=legend, sort=None)
    solid = chart.mark_rect().encode(fill=fill).transform_filter(sure)
    faint = chart.mark_rect(opacity=0.3).encode(fill=fill).transform_filter(pale)
    inks = sorted({c["ink"] for c in cells})
    texts = [
        chart.mark_text(fontSize=11, color=ink)
        .encode(text=alt.Text("text:N"))
        .transform_filter(sure)
        .transform_filter(alt.FieldEqualPredicate(field="ink", equal=ink))
        for ink in inks
    ]
    unsure = chart.mark_text(fontSize=11, style="ink").encode(text=alt.Text("text:N"))
    return [solid, faint, *texts, unsure.transform_filter(pale)]


def _edges(rates: Sequence[float]) -> list[float]:
    low, high = min(rates), max(rates)
    if high - low < 1e-9:
        return [low, high]
    return [low + (high - low) * i / _CLASSES for i in range(_CLASSES + 1)]


def _few(cells: Sequence[dict[str, Any]]) -> list[alt.Chart]:
    if not cells:
        return []
    chart = alt.Chart(data(cells))
    box = chart.mark_rect(style="outline", strokeWidth=1, strokeDash=[2, 2])
    text = chart.mark_text(style="muted", fontSize=10).encode(text=alt.Text("text:N"))
    return [box, text]


def _describe_pairs(cells: Sequence[Mapping[str, Any]], what: str, one: str, other: str) -> str:
    known = sorted((c for c in cells if c["rate"] is not None), key=lambda c: c["rate"])
    few = len(cells) - len(known)
    text = f"{what} by {one} and {other}, {len(cells)} pairs, {few} with too few enrollments."
    if known:
        best, worst = known[-1], known[0]
        text += (
            f" Highest {best['said']} ({best['who']}, {best['col']}); lowest {worst['said']} "
            f"({worst['who']}, {worst['col']})."
        )
    return text
