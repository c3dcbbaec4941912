"""What the charts of a calibration draw: envelopes of curves, and the regions of bands."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import polars as pl

from senderscore_nb.experiment.calibrate import Calibration

ROWS = 72
"""Strips of equal bounce rate that a map is cut into."""

ENVELOPE = pl.Schema(
    {
        "curve": pl.String(),
        "place": pl.Int64(),
        "rate": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
    }
)
REGIONS = pl.Schema(
    {
        "band": pl.String(),
        "reply_low": pl.Float64(),
        "reply_high": pl.Float64(),
        "bounce_low": pl.Float64(),
        "bounce_high": pl.Float64(),
    }
)

_ROOM = 1.08


def shown_rates(found: Calibration) -> tuple[float, float]:
    """How far the axes of reply and bounce rates go: a little beyond the highest ones read.

    >>> from senderscore_nb.experiment.calibrate import calibrate
    >>> from senderscore_nb.sources.readings import typed_readings
    >>> row = {"user": "Ann", "reply_rate": "10 %", "bounce_rate": "0 %", "band": "Good"}
    >>> [round(rate, 3) for rate in shown_rates(calibrate(typed_readings([row]).accepted))]
    [0.113, 0.02]
    """
    highest = found.readings.select("reply_rate_high", "bounce_rate_high").max().row(0)
    reply, bounce = (min(1.0, max(0.02, _ROOM * rate)) for rate in highest)
    return reply, bounce


def envelope(found: Calibration) -> pl.DataFrame:
    """Between which points each curve runs, as the corners of an area.

    A free curve may jump anywhere between two rates that were read, so its envelope has steps;
    between given knots the limits run as the curve does.

    Returns:
        `curve` (`reply_points` or `bounce_points`), `place` (the order of the corners), `rate`,
        `low`, `high`, cut off where `shown_rates` ends.
    """
    rows: list[tuple[Any, ...]] = []
    for name, end in zip(("reply_points", "bounce_points"), shown_rates(found), strict=True):
        curve = found.curves.filter(pl.col("curve") == name).sort("rate")
        rates, lows, highs = (curve[c].to_numpy() for c in ("rate", "low", "high"))
        form = found.assumptions.form("reply" if name == "reply_points" else "bounce")
        corners = [
            (float(r), float(a), float(b)) for r, a, b in zip(rates, lows, highs, strict=True)
        ]
        if form != "linear":
            corners = _stepped(corners, rises=name == "reply_points", free=form == "free")
        rows += [(name, place, *corner) for place, corner in enumerate(_cut(corners, end))]
    return pl.DataFrame(rows, schema=ENVELOPE, orient="row")


def _stepped(
    corners: list[tuple[float, float, float]], *, rises: bool, free: bool
) -> list[tuple[float, float, float]]:
    steps = [corners[0]]
    for (_, low, high), (until, next_low, next_high) in itertools.pairwise(corners):
        between = low, high
        if free:
            between = (low, next_high) if rises else (next_low, high)
        steps += [(steps[-1][0], *between), (until, *between), (until, next_low, next_high)]
    return steps


def _cut(corners: list[tuple[float, float, float]], end: float) -> list[tuple[float, float, float]]:
    inside = [corner for corner in corners if corner[0] <= end]
    beyond = [corner for corner in corners if corner[0] > end]
    if not beyond:
        return inside
    (r0, low0, high0), (r1, low1, high1) = inside[-1], beyond[0]
    share = (end - r0) / (r1 - r0)
    return [*inside, (end, low0 + share * (low1 - low0), high0 + share * (high1 - high0))]


def regions(found: Calibration) -> pl.DataFrame:
    """Which rates the fitted policy puts into which band, as rectangles.

    Returns:
        `band`, `reply_low`, `reply_high`, `bounce_low`, `bounce_high`: strips of equal bounce
        rate, each cut where a band begins at its middle.
    """
    policy = found.policy
    reply_end, bounce_end = shown_rates(found)
    cuts = np.linspace(0.0, bounce_end, ROWS + 1)
    grid = np.linspace(0.0, reply_end, 481)
    replies = pl.select(policy.reply_points.points(pl.lit(pl.Series(grid)))).to_series().to_numpy()
    middles = (cuts[:-1] + cuts[1:]) / 2
    bounces = pl.select(policy.bounce_points.points(pl.lit(pl.Series(middles)))).to_series()
    lowers = np.array([band.lower for band in policy.bands[1:]]) - 1e-9
    rows = []
    for strip, points in enumerate(bounces):
        first = np.searchsorted(replies + points, lowers)
        begins = [0.0, *(float(grid[i]) if i < len(grid) else reply_end for i in first), reply_end]
        rows += [
            (name, low, high, float(cuts[strip]), float(cuts[strip + 1]))
            for name, low, high in zip(policy.band_names, begins, begins[1:], strict=False)
            if high > low
        ]
    return pl.DataFrame(rows, schema=REGIONS, orient="row")


def region_names(shapes: pl.DataFrame) -> pl.DataFrame:
    """Where to write the name of each band: in the middle of its widest strip.

    Args:
        shapes: As `regions` returns them.

    Returns:
        `band`, `reply_rate`, `bounce_rate`, `width` (a difference of reply rates).
    """
    width = pl.col("reply_high") - pl.col("reply_low")
    per_band = shapes.with_columns(width=width).with_columns(
        widest=pl.col("width").max().over("band")
    )
    # Of many strips as wide as the widest the middle one has most room above and below.
    wide = per_band.filter(pl.col("width") >= 0.9 * pl.col("widest"))
    return (
        wide.group_by("band", maintain_order=True)
        .agg(pl.all().sort_by("bounce_low").gather(pl.len() // 2))
        .select(
            "band",
            ((pl.col("reply_low") + pl.col("reply_high")) / 2).list.first().alias("reply_rate"),
            ((pl.col("bounce_low") + pl.col("bounce_high")) / 2).list.first().alias("bounce_rate"),
            pl.col("width").list.first(),
        )
    )
