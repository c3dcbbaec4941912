"""Readings of the vendor's report on a map of the bands that were fitted to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.envelopes import exact, fitted_note
from senderscore_nb.charts.layers import SMALL, band_colour, note, nothing
from senderscore_nb.charts.standing import require
from senderscore_nb.experiment.calibrate import Calibration
from senderscore_nb.experiment.calibrate_shapes import (
    region_names,
    regions,
    shown_rates,
)
from senderscore_nb.policy import ScoringPolicy

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
        title=note(fitted_note(found.policy, width)),
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
    area = alt.Chart(exact(rows)).mark_rect(opacity=0.2, aria=False, strokeWidth=0)
    named = [
        {**row, "text": text}
        for row in region_names(shapes).iter_rows(named=True)
        if words.width_of(text := labels[row["band"]], SMALL)
        < frame.width * row["width"] / frame.reply
    ]
    text = alt.Chart(exact(named)).mark_text(style="muted", fontSize=SMALL, aria=False)
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
        return alt.Chart(exact(chosen)).encode(x=alt.X("x:Q"), y=alt.Y("y:Q"), tooltip=hover)

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
    ring = alt.Chart(exact(rows)).mark_point(
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
            named = alt.Chart(exact(side)).mark_text(
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
    parts.append(f"{fitted_note(found.policy, 900)}.")
    return " ".join(parts)
