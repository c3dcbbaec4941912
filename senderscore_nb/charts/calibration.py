"""What a calibration leaves open: envelopes of the curves, and readings on a map of bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.layers import SMALL, band_colour, note, nothing
from senderscore_nb.charts.standing import require
from senderscore_nb.experiment.calibrate import Calibration
from senderscore_nb.experiment.calibrate_shapes import (
    envelope,
    region_names,
    regions,
    shown_rates,
)
from senderscore_nb.policy import ScoringPolicy

_TITLES = {"reply_points": "Reply points", "bounce_points": "Bounce points"}
_RATES = {"reply_points": "Reply rate", "bounce_points": "Bounce rate"}
_SHAPES = (
    *("circle", "square", "triangle-up", "diamond", "cross", "triangle-down"),
    *("triangle-right", "triangle-left", "stroke", "arrow", "wedge", "triangle"),
)
_NAMED = 8
"""Readings left out that are named on the map."""


@dataclass(frozen=True)
class _Frame:
    """How large a panel is, and how far its axes go."""

    width: int
    height: int
    reply: float
    bounce: float


def calibration_curves(
    found: Calibration, *, width: int = 320, height: int = 240, across: bool = True
) -> alt.HConcatChart | alt.VConcatChart | alt.LayerChart:
    """How far the readings determine each point curve.

    Shaded: where the curves of all policies that agree run. The line is the fitted policy; ticks
    on the axis are rates that were read.

    Args:
        found: As `calibrate` returns it.
        width: Of each panel, in pixels.
        height: Of each panel, in pixels.
        across: Panels side by side, else one below the other.

    Returns:
        Two panels with a description.

    Raises:
        ContractError: A column is missing.
    """
    require(found.curves, "curve", "rate", "low", "high", "fitted", "read")
    reply, bounce = shown_rates(found)
    frame = _Frame(width, height, reply, bounce)
    shapes = envelope(found)
    panels = [_panel(found, shapes, name, frame) for name in _TITLES]
    said = " ".join(_curve_said(found, name) for name in _TITLES)
    description = f"Point curves of all policies that agree with the readings. {said}"
    title = note(_footnote(found.policy, 2 * width if across else width))
    put = alt.hconcat if across else alt.vconcat
    return put(*panels, spacing=24).properties(description=description, title=title)


def _panel(found: Calibration, shapes: pl.DataFrame, name: str, frame: _Frame) -> alt.LayerChart:
    end = frame.reply if name == "reply_points" else frame.bounce
    curve = found.curves.filter(pl.col("curve") == name)
    inside = curve.filter(pl.col("rate") <= end).sort("rate").to_dicts()
    area = (
        shapes.filter(pl.col("curve") == name)
        .sort("place")
        .select("rate", "low", "high")
        .to_dicts()
    )
    x = alt.X(
        "rate:Q",
        scale=alt.Scale(domain=[0, end], nice=False),
        axis=alt.Axis(format="~%", title=_RATES[name], tickCount=5, grid=False),
    )
    top = max([1.0, *(row["high"] for row in area)])
    y = alt.Y(
        "low:Q",
        scale=alt.Scale(domain=[0, top], nice=False),
        axis=alt.Axis(title=_TITLES[name], tickCount=5),
    )
    points = found.policy.reply_points if name == "reply_points" else found.policy.bounce_points
    jumps: Literal["step-after", "linear"] = (
        "step-after" if points.interpolation == "step" else "linear"
    )
    hover = [
        alt.Tooltip("rate:Q", title=_RATES[name], format=".2%"),
        alt.Tooltip("low:Q", title="At least", format=".1f"),
        alt.Tooltip("fitted:Q", title="Fitted", format=".1f"),
        alt.Tooltip("high:Q", title="At most", format=".1f"),
    ]
    # Corners at one rate stay in their order: what draws areas sorts them stably by rate.
    shaded = alt.Chart(_exact(area)).mark_area(style="ribbon")
    line = alt.Chart(_exact(curve.sort("rate").to_dicts())).mark_line(
        style="line", interpolate=jumps, clip=True
    )
    ticks = alt.Chart(_exact([row for row in inside if row["read"]])).mark_tick(
        style="centre", orient="vertical", size=9, thickness=1.25, yOffset=-5
    )
    layers = [
        shaded.encode(x=x, y=y, y2=alt.Y2("high:Q")),
        line.encode(x=x, y=alt.Y("fitted:Q")),
        ticks.encode(x=x, y=alt.YValue("height"), tooltip=hover),
    ]
    return alt.LayerChart(layer=layers, width=frame.width, height=frame.height)


def _exact(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    """Rows with rates to six decimals: two that were read may differ in the fifth."""
    return alt.InlineData(
        values=[
            {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items() if k != "curve"}
            for row in rows
        ]
    )


def _curve_said(found: Calibration, name: str) -> str:
    read = found.curves.filter(pl.col("curve") == name, "read")
    if read.is_empty():
        return f"{_TITLES[name]}: no rate was read."
    widths = read.with_columns(width=pl.col("high") - pl.col("low")).sort("width")
    least, most = widths.row(0, named=True), widths.row(-1, named=True)
    return (
        f"{_TITLES[name]} at {read.height} rates that were read are known to within "
        f"{least['width']:.1f} points at best, at {words.percent(least['rate'])}, and "
        f"{most['width']:.1f} at worst, at {words.percent(most['rate'])}."
    )


def calibration_map(found: Calibration, *, width: int = 520, height: int = 360) -> alt.LayerChart:
    """The readings on a map of the fitted bands.

    Each reading is a mark with the colour and shape of the band that was read; one without a band
    is hollow. Readings that contradict others and were left out are ringed and named.

    Args:
        found: As `calibrate` returns it.
        width: In pixels.
        height: In pixels.

    Returns:
        A layered chart with a description.

    Raises:
        ContractError: A column is missing.
    """
    require(found.readings, "user", "reply_rate", "bounce_rate", "band", "used", "fitted_band")
    if found.readings.is_empty():
        return nothing("Readings on a map of bands")
    reply, bounce = shown_rates(found)
    frame = _Frame(width, height, reply, bounce)
    shapes = regions(found)
    marks = _marks(found)
    layers = [
        *_regions(found.policy, shapes, frame),
        *_readings(found.policy, sorted(marks, key=lambda row: not row["used"]), width),
        *_left_out([row for row in marks if not row["used"]], frame),
    ]
    return alt.LayerChart(
        layer=layers,
        width=width,
        height=height,
        description=_map_said(found),
        title=note(_footnote(found.policy, width)),
    )


def _regions(policy: ScoringPolicy, shapes: pl.DataFrame, frame: _Frame) -> list[alt.Chart]:
    labels = dict(zip(policy.band_names, words.band_labels(policy), strict=True))
    rows = [{**row, "band": labels[row["band"]]} for row in shapes.iter_rows(named=True)]
    x = alt.X(
        "reply_low:Q",
        scale=alt.Scale(domain=[0, frame.reply], nice=False),
        axis=alt.Axis(format="~%", title="Reply rate", tickCount=6, grid=False),
    )
    # Fewer bounces are better: they are at the top, as more replies are at the right.
    y = alt.Y(
        "bounce_low:Q",
        scale=alt.Scale(domain=[frame.bounce, 0], nice=False),
        axis=alt.Axis(format="~%", title="Bounce rate", tickCount=6, grid=False),
    )
    area = alt.Chart(_exact(rows)).mark_rect(opacity=0.2, aria=False, strokeWidth=0)
    named = [
        {**row, "text": text}
        for row in region_names(shapes).iter_rows(named=True)
        if words.width_of(text := labels[row["band"]], SMALL)
        < frame.width * row["width"] / frame.reply
    ]
    text = alt.Chart(_exact(named)).mark_text(style="muted", fontSize=SMALL, aria=False)
    return [
        area.encode(
            x=x,
            x2=alt.X2("reply_high:Q"),
            y=y,
            y2=alt.Y2("bounce_high:Q"),
            color=_colour(policy, frame.width),
        ),
        text.encode(x=alt.X("reply_rate:Q"), y=alt.Y("bounce_rate:Q"), text=alt.Text("text:N")),
    ]


def _marks(found: Calibration) -> list[dict[str, Any]]:
    labels = dict(zip(found.policy.band_names, words.band_labels(found.policy), strict=True))
    rows = []
    for row in found.readings.iter_rows(named=True):
        fitted = row["fitted_band"]
        rows.append(
            {
                "who": words.clip(row["user"]),
                "x": row["reply_rate"],
                "y": row["bounce_rate"],
                "band": labels.get(row["band"]) if row["band"] is not None else None,
                "value": None if row["value"] is None else f"{row['value']:g}",
                "fitted": labels.get(str(fitted), "–"),
                "used": row["used"],
            }
        )
    return rows


def _readings(policy: ScoringPolicy, rows: Sequence[dict[str, Any]], width: int) -> list[alt.Chart]:
    names = words.band_labels(policy)
    colour = _colour(policy, width)
    shape = alt.Shape(
        "band:N",
        scale=alt.Scale(domain=names, range=[_SHAPES[i % len(_SHAPES)] for i in range(len(names))]),
        legend=colour["legend"],
        sort=None,
    )
    hover = [
        alt.Tooltip("who:N", title="Name"),
        alt.Tooltip("x:Q", title="Replies", format=".2%"),
        alt.Tooltip("y:Q", title="Bounces", format=".2%"),
        alt.Tooltip("band:N", title="Band read"),
        alt.Tooltip("value:N", title="Value read"),
        alt.Tooltip("fitted:N", title="Fitted band"),
    ]

    def marked(chosen: Sequence[dict[str, Any]]) -> alt.Chart:
        return alt.Chart(_exact(chosen)).encode(x=alt.X("x:Q"), y=alt.Y("y:Q"), tooltip=hover)

    banded = marked([row for row in rows if row["band"] is not None])
    hollow = marked([row for row in rows if row["band"] is None])
    return [
        hollow.mark_point(style="hollow", filled=True, size=46, opacity=1),
        banded.mark_point(style="ringed", filled=True, size=62, opacity=1, strokeWidth=0.8).encode(
            color=colour, shape=shape
        ),
    ]


def _colour(policy: ScoringPolicy, width: int) -> alt.Color:
    """The bands' colours with a key in full strength: regions and marks share it."""
    colour = band_colour(policy, across=width)
    colour["legend"]["symbolOpacity"] = 1
    return colour


def _left_out(rows: Sequence[dict[str, Any]], frame: _Frame) -> list[alt.Chart]:
    """A ring around each, and the names of the first few where there is room."""
    if not rows:
        return []
    ring = alt.Chart(_exact(rows)).mark_point(
        style="outside", filled=False, shape="circle", size=230, strokeWidth=2, opacity=1
    )
    at = {"x": alt.X("x:Q"), "y": alt.Y("y:Q")}
    chosen: list[dict[str, Any]] = []
    for row in rows:
        near = any(
            abs(row["y"] - other["y"]) < 0.06 * frame.bounce
            and abs(row["x"] - other["x"]) < 0.4 * frame.reply
            for other in chosen
        )
        if not near and len(chosen) < _NAMED:
            chosen.append(row)
    layers = [ring.encode(**at)]
    sides: tuple[tuple[bool, Literal["left", "right"], int], ...] = (
        (False, "left", 12),
        (True, "right", -12),
    )
    for right, align, dx in sides:
        side = [row for row in chosen if (row["x"] > 0.6 * frame.reply) is right]
        if side:
            named = alt.Chart(_exact(side)).mark_text(
                style="ink", align=align, dx=dx, fontSize=SMALL, limit=0.35 * frame.width
            )
            layers.append(named.encode(**at, text=alt.Text("who:N")))
    return layers


def _map_said(found: Calibration) -> str:
    readings = found.readings
    left = readings.filter(~pl.col("used"))
    banded = readings.filter(pl.col("band").is_not_null())
    counts = [
        f"{n} {label}"
        for name, label in zip(
            found.policy.band_names, words.band_labels(found.policy), strict=True
        )
        if (n := int((banded["band"] == name).sum()))
    ]
    parts = [f"{words.count(readings.height)} readings by reply rate and bounce rate."]
    parts += [f"Read as {', '.join(counts)}."] if counts else []
    parts.append(f"{readings.height - banded.height} without a band." if counts else "No bands.")
    names = [words.clip(user, 30) for user in left["user"].head(5)]
    more = f" and {left.height - 5} more" if left.height > 5 else ""
    parts.append(
        f"Left out because they contradict others: {', '.join(names)}{more}."
        if names
        else "None contradicts another."
    )
    parts.append(f"{_footnote(found.policy, 900)}.")
    return " ".join(parts)


def _footnote(policy: ScoringPolicy, width: int) -> str:
    text = f"Fitted policy {words.clip(policy.label, 110)}, not the vendor's"
    if words.width_of(text, 10) <= width + 60:
        return text
    return f"Fitted policy {words.clip(policy.label, max(16, int(width / 6.5)))}"
