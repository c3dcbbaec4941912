"""The bands of a policy as shaded strips behind a chart, and scales in the bands' colours."""

from __future__ import annotations

from typing import Literal

import altair as alt
import polars as pl

from senderscore_nb.charts.palette import band_colours, ink_on
from senderscore_nb.charts.rows import values
from senderscore_nb.policy import ScoringPolicy

Domain = tuple[float, float]


def band_scale(policy: ScoringPolicy) -> alt.Scale:
    """Band names to the palette's colours, in the policy's order."""
    return alt.Scale(domain=list(policy.band_names), range=band_colours(policy))


def ink_scale(policy: ScoringPolicy) -> alt.Scale:
    """Band names to the colour of text that is readable on the band's colour."""
    inks = [ink_on(colour) for colour in band_colours(policy)]
    return alt.Scale(domain=list(policy.band_names), range=inks)


def whole(policy: ScoringPolicy) -> Domain:
    """The policy's scale: 0 to the most points."""
    return 0.0, policy.most


def around(policy: ScoringPolicy, *columns: pl.Series) -> Domain:
    """The tens around the values of some columns, within the policy's scale."""
    known = pl.concat([c.cast(pl.Float64).drop_nulls() for c in columns])
    low, high = known.min(), known.max()
    if not isinstance(low, float) or not isinstance(high, float):
        return whole(policy)
    step = policy.most / 10
    first = max(0.0, (low - step / 4) // step * step)
    last = min(policy.most, -((-high - step / 4) // step) * step)
    return (first, last) if last > first else whole(policy)


def strips(policy: ScoringPolicy, *, along: Literal["x", "y"], domain: Domain) -> list[alt.Chart]:
    """Two layers: a shaded strip for each band that the domain meets, and the bands' names.

    Args:
        policy: Its bands are drawn.
        along: The axis that the score is on.
        domain: The part of the scale that is drawn.
    """
    frame = _ranges(policy, domain)
    base = alt.Chart(values(frame))
    if along == "x":
        strip = base.mark_rect(opacity=0.2).encode(x=_score_x(domain), x2="to:Q")
        names = base.mark_text(style="muted", baseline="bottom", fontSize=11).encode(
            x=alt.X("middle:Q"), y=alt.value(-5), text="shown:N"
        )
    else:
        strip = base.mark_rect(opacity=0.2).encode(y=_score_y(domain), y2="to:Q")
        names = base.mark_text(style="muted", align="left", fontSize=11, dx=6).encode(
            x=alt.value("width"), y=alt.Y("middle:Q"), text="shown:N"
        )
    fill = alt.Fill("band:N", scale=band_scale(policy), legend=None)
    return [strip.encode(fill=fill), names]


def _score_x(domain: Domain) -> alt.X:
    return alt.X("from:Q", scale=alt.Scale(domain=list(domain), nice=False), title="Score")


def _score_y(domain: Domain) -> alt.Y:
    return alt.Y("from:Q", scale=alt.Scale(domain=list(domain), nice=False), title="Score")


def _ranges(policy: ScoringPolicy, domain: Domain) -> pl.DataFrame:
    first, last = domain
    lowers = [band.lower for band in policy.bands]
    uppers = [*lowers[1:], policy.most]
    rows = []
    for band, lower, upper in zip(policy.bands, lowers, uppers, strict=True):
        low, high = max(lower, first), min(upper, last)
        if high > low:
            # A name that would not fit its strip would run into its neighbour's.
            fits = (high - low) / (last - first) >= 0.05
            shown = band.name[:20] if fits else ""
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
