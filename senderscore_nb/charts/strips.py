"""The bands of a policy as shaded strips behind a chart, and scales in the bands' colours."""

from __future__ import annotations

from typing import Literal

import altair as alt
import polars as pl

from senderscore_nb.charts.palette import band_colours, ink_on
from senderscore_nb.charts.rows import values
from senderscore_nb.policy import ScoringPolicy

Domain = tuple[float, float]

_CHARACTER = 5  # pixels that a character takes at least
_LINE, _NUMBER = 13, 24  # pixels that a number takes along a vertical and a horizontal axis


def band_scale(policy: ScoringPolicy) -> alt.Scale:
    """Band names to the palette's colours, in the policy's order."""
    return alt.Scale(domain=list(policy.band_names), range=band_colours(policy))


def ink_scale(policy: ScoringPolicy) -> alt.Scale:
    """Band names to the colour of text that is readable on the band's colour."""
    inks = [ink_on(colour) for colour in band_colours(policy)]
    return alt.Scale(domain=list(policy.band_names), range=inks)


def whole(policy: ScoringPolicy) -> Domain:
    """The policy's scale: 0 to the most points."""
    return 0.0, policy.most or 1.0


def around(policy: ScoringPolicy, *columns: pl.Series) -> Domain:
    """The tens around the values of some columns, within the policy's scale."""
    known = pl.concat([c.cast(pl.Float64).drop_nulls() for c in columns])
    low, high = known.min(), known.max()
    if not isinstance(low, float) or not isinstance(high, float):
        return whole(policy)
    most = whole(policy)[1]
    step = most / 10
    first = max(0.0, (low - step / 4) // step * step)
    last = min(most, -((-high - step / 4) // step) * step)
    return (first, last) if last > first else whole(policy)


def edges(policy: ScoringPolicy, domain: Domain, length: int, room: int) -> list[float]:
    """Where the axis is marked: at the domain's ends, and at the bands' edges that have room."""
    first, last = domain
    gap = room * (last - first) / length
    kept = [first]
    for band in policy.bands:
        if band.lower - kept[-1] >= gap and last - band.lower >= gap:
            kept.append(band.lower)
    return [*kept, last]


def strips(
    policy: ScoringPolicy,
    *,
    along: Literal["x", "y"],
    domain: Domain,
    length: int,
    legend: alt.Legend | None = None,
) -> list[alt.Chart]:
    """Two layers: a shaded strip for each band that the domain meets, and the bands' names.

    Args:
        policy: Its bands are drawn.
        along: The axis that the score is on.
        domain: The part of the scale that is drawn.
        length: Of the axis in pixels.
        legend: Of the bands' colours, where the names have no room.
    """
    frame = _ranges(policy, domain, length / _CHARACTER if along == "x" else None)
    room = _LINE if along == "y" else _NUMBER
    ticks = edges(policy, domain, length, room)
    axis = alt.Axis(values=ticks, grid=False, labelOverlap=False)
    scale = alt.Scale(domain=list(domain), nice=False)
    base = alt.Chart(values(frame))
    if along == "x":
        strip = base.mark_rect(opacity=0.2).encode(
            x=alt.X("from:Q", scale=scale, axis=axis, title="Score"), x2="to:Q"
        )
        names = base.mark_text(style="muted", baseline="bottom", fontSize=11).encode(
            x=alt.X("middle:Q"), y=alt.value(-5), text="shown:N"
        )
    else:
        strip = base.mark_rect(opacity=0.2).encode(
            y=alt.Y("from:Q", scale=scale, axis=axis, title="Score"), y2="to:Q"
        )
        names = base.mark_text(style="muted", align="left", fontSize=11, dx=6).encode(
            x=alt.value("width"), y=alt.Y("middle:Q"), text="shown:N"
        )
    fill = alt.Fill("band:N", scale=band_scale(policy), legend=legend)
    return [strip.encode(fill=fill), names]


def _ranges(policy: ScoringPolicy, domain: Domain, characters: float | None) -> pl.DataFrame:
    first, last = domain
    lowers = [band.lower for band in policy.bands]
    uppers = [*lowers[1:], whole(policy)[1]]
    rows = []
    for band, lower, upper in zip(policy.bands, lowers, uppers, strict=True):
        low, high = max(lower, first), min(upper, last)
        if high > low:
            # A name that does not fit its strip would run into its neighbour's.
            share = (high - low) / (last - first)
            fits = share >= 0.05 if characters is None else share * characters >= len(band.name)
            shown = band.name[:20] if fits else band.name[:1]
            rows.append((band.name, low, high, (low + high) / 2, shown))
    return pl.DataFrame(
        rows,
        schema={
            "band": pl.String,
            "from": pl.Float64,
            "to": pl.Float64,
            "middle": pl.Float64,
            "shown": pl.String,
        },
        orient="row",
    )
