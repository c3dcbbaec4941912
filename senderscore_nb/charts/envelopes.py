"""What readings leave open of the point curves: everything between two limits is shaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt
import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.charts.layers import note
from senderscore_nb.charts.standing import require
from senderscore_nb.experiment.calibrate import Calibration
from senderscore_nb.experiment.calibrate_shapes import envelope, shown_rates
from senderscore_nb.policy import ScoringPolicy

_TITLES = {"reply_points": "Reply points", "bounce_points": "Bounce points"}
_RATES = {"reply_points": "Reply rate", "bounce_points": "Bounce rate"}


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
    ends = dict(zip(_TITLES, shown_rates(found), strict=True))
    shapes = envelope(found)
    panels = [
        _panel(found, shapes, name, end).properties(width=width, height=height)
        for name, end in ends.items()
    ]
    said = " ".join(_curve_said(found, name) for name in _TITLES)
    description = f"Point curves of all policies that agree with the readings. {said}"
    title = note(fitted_note(found.policy, 2 * width if across else width))
    put = alt.hconcat if across else alt.vconcat
    return put(*panels, spacing=24).properties(description=description, title=title)


def _panel(found: Calibration, shapes: pl.DataFrame, name: str, end: float) -> alt.LayerChart:
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
    shaded = alt.Chart(exact(area)).mark_area(style="ribbon")
    line = alt.Chart(exact(curve.sort("rate").to_dicts())).mark_line(
        style="line", interpolate=jumps, clip=True
    )
    ticks = alt.Chart(exact([row for row in inside if row["read"]])).mark_tick(
        style="centre", orient="vertical", size=9, thickness=1.25, yOffset=-5
    )
    layers = [
        shaded.encode(x=x, y=y, y2=alt.Y2("high:Q")),
        line.encode(x=x, y=alt.Y("fitted:Q")),
        ticks.encode(x=x, y=alt.YValue("height"), tooltip=hover),
    ]
    return alt.LayerChart(layer=layers)


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


def exact(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    """Rows with rates to six decimals: two that were read may differ in the fifth."""
    return alt.InlineData(
        values=[
            {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items() if k != "curve"}
            for row in rows
        ]
    )


def fitted_note(policy: ScoringPolicy, width: int) -> str:
    """Which policy was fitted, as long as there is room for."""
    text = f"Fitted policy {words.clip(policy.label, 110)}, not the vendor's"
    if words.width_of(text, 10) <= width + 60:
        return text
    return f"Fitted policy {words.clip(policy.label, max(16, int(width / 6.5)))}"
