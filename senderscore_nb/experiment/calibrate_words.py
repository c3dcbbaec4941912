"""A calibration in sentences."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import polars as pl

from senderscore_nb.experiment.calibrate_assumptions import Assumptions
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.safe import shown

_FEW = 3


def source_of(count: int, on: dt.date, assumed: Assumptions, base: ScoringPolicy) -> str:
    """The source of a fitted policy: what it was fitted to, when, and that it is ours."""
    return (
        f"Fitted to {_readings(count)} of the vendor's report on {on.isoformat()}; not the "
        f"vendor's own. It is one of all the policies that agree with them. Assumed: "
        f"{scale_of(assumed)}. Counting rules and minimum as in {base.label}."
    )


def scale_of(assumed: Assumptions) -> str:
    """What was taken for granted, in words."""
    if assumed.reply_most is None:
        share = "shared between replies and bounces as the readings say"
    else:
        rest = assumed.most - assumed.reply_most
        share = f"at most {assumed.reply_most:g} for replies and {rest:g} for bounces"
    parts = [f"scores up to {assumed.most:g}, {share}"]
    if assumed.from_zero:
        parts.append("none for the worst rates")
    for curve in ("reply", "bounce"):
        form = assumed.form("reply" if curve == "reply" else "bounce")
        if form != "free":
            kind = "steps" if form == "step" else "straight lines"
            knots = assumed.reply_knots if curve == "reply" else assumed.bounce_knots
            at = ", ".join(percent(knot) for knot in knots or ())
            parts.append(f"the {curve} curve in {kind} between {at}")
    known = [f"{shown(name, most=24)} from {edge:g}" for name, edge in assumed.edges.items()]
    return "; ".join([*parts, *known])


def described(
    readings: pl.DataFrame,
    ranges: pl.DataFrame,
    contradictions: pl.DataFrame,
    asked: pl.DataFrame,
    policy: ScoringPolicy,
    assumed: Assumptions,
    smallest: bool,
) -> tuple[str, ...]:
    """Everything that was found, one sentence or two at a time."""
    said = [_agreement(readings, contradictions, smallest)]
    said += contradictions["said"].to_list()[:_FEW]
    if contradictions.height > _FEW:
        said.append(f"{contradictions.height - _FEW} more contradictions are in the table.")
    said.append(f"Assumed: {scale_of(assumed)}.")
    said += _about_edges(readings, ranges, assumed)
    said += [range_said(row) for row in ranges.iter_rows(named=True) if row["what"] != "edge"]
    said += _about_next(asked)
    said.append(
        f"{policy.name} ({policy.fingerprint}) is one of the policies that agree, well inside of "
        "them. It is fitted, and not the vendor's."
    )
    return tuple(said)


def _agreement(readings: pl.DataFrame, contradictions: pl.DataFrame, smallest: bool) -> str:
    used = int(readings["used"].sum())
    left = readings.height - used
    if not left:
        return f"There are policies that agree with all of {_readings(used)}."
    names = [f"{shown(user, most=30)} (line {line})" for user, line in _left(readings)]
    more = f" and {left - 5} more" if left > 5 else ""
    fewest = "the fewest that can be" if smallest else "perhaps more than needed"
    return (
        f"No policy agrees with all of {_readings(readings.height)}: {contradictions.height} "
        f"{'contradiction' if contradictions.height == 1 else 'contradictions'}. Left out: "
        f"{', '.join(names[:5])}{more}, {fewest}; it may as well be their counterparts that are "
        "wrong. Look those readings up again."
    )


def _left(readings: pl.DataFrame) -> Iterator[tuple[Any, ...]]:
    return readings.filter(~pl.col("used")).select("user", "line").iter_rows()


def _about_edges(
    readings: pl.DataFrame, ranges: pl.DataFrame, assumed: Assumptions
) -> Iterator[str]:
    edges = ranges.filter(pl.col("what") == "edge")
    if edges.height and readings["band"].null_count() == readings.height:
        yield "No reading has a band, so the edges of the bands are those of the base policy."
        return
    for row in edges.iter_rows(named=True):
        if row["high"] - row["low"] <= assumed.most / 2:
            yield range_said(row)
    free = assumed.reply_knots is None or assumed.bounce_knots is None
    if edges.height and free and readings["value"].null_count() == readings.height:
        yield (
            "Bands alone say in which order rates are, not how many points they give: points and "
            "edges of free curves stay open. Read off gauge values, give known edges, or give "
            "knots. Thresholds as rates do not depend on the points."
        )


def range_said(row: dict[str, Any]) -> str:
    """One row of the ranges as a sentence."""
    band, low, high = shown(row["band"], most=24), row["low"], row["high"]
    if row["what"] == "edge":
        if high - low < 1e-3:
            return f"{band} begins at {(low + high) / 2:.4g} points."
        return f"{band} begins between {low:.1f} and {high:.1f} points."
    at = percent(row["at"])
    if row["what"] == "replies_for_band":
        start = f"With {at} bounces, {band}"
        if low is None and high is None:
            return f"{start} may begin at any reply rate, as far as the readings say."
        if high is None:
            return f"{start} begins above {percent(low)} replies, if at all."
        if high == 0:
            return f"{start} is reached with any replies."
        if low is None:
            return f"{start} begins at {percent(high)} replies or below."
        return f"{start} begins between {percent(low)} and {percent(high)} replies."
    start = f"With {at} replies, {band}"
    if low is None and high is None:
        return f"{start} may end at any bounce rate, as far as the readings say."
    if low is None:
        never = high == 0
        return f"{start} is out of reach{'' if never else f' from {percent(high)} bounces on'}."
    if high is None:
        return f"{start} is sure up to {percent(low)} bounces."
    return f"{start} ends between {percent(low)} and {percent(high)} bounces."


def _about_next(asked: pl.DataFrame) -> Iterator[str]:
    if asked.is_empty():
        return
    row = asked.row(0, named=True)
    bands = " or ".join(shown(name, most=24) for name in row["possible"])
    yield (
        f"Read next: {shown(row['user'], most=40)} ({percent(row['reply_rate'])} replies, "
        f"{percent(row['bounce_rate'])} bounces), who may be {bands}. Of {row['open_now']} bands "
        f"that are open, {row['open_expected']:.1f} would be left on average, "
        f"{row['open_worst']} at worst."
    )


def percent(rate: float) -> str:
    """A fraction as a percentage with as many digits as it needs, two at most.

    >>> percent(0.0705), percent(0.03)
    ('7.05 %', '3 %')
    """
    return f"{100 * rate:.2f}".rstrip("0").rstrip(".") + " %"


def _readings(count: int) -> str:
    return f"{count} {'reading' if count == 1 else 'readings'}"
