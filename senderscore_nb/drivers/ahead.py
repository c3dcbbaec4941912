"""What to expect: when a sender has a score, and whether and when the next band is reached."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from senderscore_nb.drivers.pace import Pace
from senderscore_nb.drivers.power import State, TwoSided, enrollments_to_tell
from senderscore_nb.drivers.seen import Outlook, Seen, seen_of
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy
from senderscore_nb.score import parse_by, score

WINDOW_DAYS = 84

_KEPT = (
    *("ended", "status", "minimum", "missing"),
    *("score", "score_low", "score_high", "band", "band_probability", "verdict"),
)
_FOUND = {
    "pace": pl.Float64,
    "ready_on": pl.Date,
    "ready_low": pl.Date,
    "ready_high": pl.Date,
    "p_ready": pl.Float64,
    "next_band": pl.String,
    "next_from": pl.Float64,
    "p_truth": pl.Float64,
    "p_next": pl.Float64,
    "next_on": pl.Date,
    "n_to_tell": pl.Int64,
    "weeks_to_tell": pl.Float64,
}
_BY_WEEK = {
    "week": pl.Int64,
    "day": pl.Date,
    "next_band": pl.String,
    "p_ready": pl.Float64,
    "p_shown": pl.Float64,
    "p_by": pl.Float64,
}


def ahead(
    tallies: pl.DataFrame,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    roster: pl.DataFrame | None = None,
    enrollments: pl.DataFrame | None = None,
    as_of: dt.date | None = None,
    window_days: int | None = WINDOW_DAYS,
    outlook: Outlook | None = None,
) -> pl.DataFrame:
    """What the coming weeks hold for each sender, if rates and pace stay as they are.

    **Collecting**: the day on which the minimum is there, with its interval. From the enrollments,
    where they are given: what is active ends as long runs of its sequence do, what is begun comes
    at the present pace. From the tallies alone ended enrollments go on at their present pace, which
    is too slow for somebody who has just begun.

    **Scored**: `p_truth`, the probability that the true rates stand in the next band (or a higher
    one) already; `p_next`, that the observed score of the window shows it at the end of one of the
    coming weeks; `next_on`, the end of the first week by which that is as likely as not. The paths
    of the coming weeks are drawn from a fixed seed (see `drivers.climb`).

    Args:
        tallies: As `tally` returns them, from before the window too.
        policy: A policy, a preset's name or the path of a TOML file.
        roster: For the rule of the paid seat.
        enrollments: The contract's, of the same account: `user_id`, `sequence_id`, `enrolled_on`,
            `ended_on`.
        as_of: The last day of the window; the newest day of the tallies unless given.
        window_days: The days that a score is taken over, which move on with time; None for all
            days from the first on.
        outlook: How far, and of what; 12 weeks and 5 points unless given.

    Returns:
        One row a sender, sorted by id: `user_id`, `ended` of the window, `status`, `minimum`,
        `missing`; `score`, `score_low`, `score_high`, `band`, `band_probability`, `verdict`;
        `pace` (ended enrollments a week); `ready_on` (as likely before as after), `ready_low`,
        `ready_high` (null beyond a year), `p_ready` (by the last of the weeks); `next_band`,
        `next_from` (its lower edge), `p_truth`, `p_next`, `next_on` (null where it is unlikely in
        these weeks); `n_to_tell`: the ended enrollments on each side that tell a difference of
        `points` between two scores at these rates (80 %, two-sided 5 %), `weeks_to_tell`: the
        weeks they take.

    Raises:
        SelectionError: A number is out of its range.
        ContractError: A column is missing.
    """
    seen = seen_of(tallies, policy, roster, enrollments, as_of, window_days, outlook)
    if seen is None:
        return _nobody(tallies, policy, roster)
    rows = []
    for row in seen.scores.iter_rows(named=True):
        rows.append(_summary(row, seen))
    found = pl.DataFrame(rows, schema=_FOUND, orient="row")
    return pl.concat([seen.scores.select("user_id", *_KEPT), found], how="horizontal")


def ahead_by_week(
    tallies: pl.DataFrame,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    roster: pl.DataFrame | None = None,
    enrollments: pl.DataFrame | None = None,
    as_of: dt.date | None = None,
    window_days: int | None = WINDOW_DAYS,
    outlook: Outlook | None = None,
) -> pl.DataFrame:
    """The same week by week, for those who are collecting or have a band above theirs.

    Args: as those of `ahead`.

    Returns:
        For each sender and each of the coming weeks: `user_id`, `week` (from 1), `day` (its last
        day), `next_band`, `p_ready` (the minimum is there), `p_shown` (the score stands in the
        next band or above at the end of this week), `p_by` (it has by then).
    """
    seen = seen_of(tallies, policy, roster, enrollments, as_of, window_days, outlook)
    schema = {"user_id": pl.String, **_BY_WEEK}
    if seen is None:
        return pl.DataFrame(schema=schema)
    rows: list[tuple[object, ...]] = []
    for row in seen.scores.iter_rows(named=True):
        key = (row["user_id"],)
        edge, chances = seen.edge(row), seen.climb(row)
        for week in range(1, seen.outlook.weeks + 1):
            at = seen.known.today + dt.timedelta(weeks=week)
            values = (
                seen.p_ready(key, week) if row["status"] == "collecting" else None,
                *((float(c[week - 1]) for c in (chances.shown, chances.by)) if chances
                  else (None, None)),
            )  # fmt: skip
            if any(v is not None for v in values):
                rows.append((row["user_id"], week, at, edge[0] if edge else None, *values))
    return pl.DataFrame(rows, schema=schema, orient="row")


def _summary(row: Mapping[str, Any], seen: Seen) -> tuple[object, ...]:
    key, outlook = (row["user_id"],), seen.outlook
    pace = seen.paces.get(key, Pace())
    collecting = row["status"] == "collecting"
    days = seen.days(key) if collecting else [None] * 3
    edge, chances = seen.edge(row), seen.climb(row)
    truth = _truth(row, seen.policy, edge)
    likely = np.flatnonzero(chances.by >= 0.5) if chances else np.empty(0)
    next_on = seen.known.today + dt.timedelta(weeks=int(likely[0]) + 1) if len(likely) else None
    n = None
    if row["status"] == "scored":
        state = State(row["reply_rate"], row["bounce_rate"])
        n = enrollments_to_tell(outlook.points, state, seen.policy, TwoSided())
    weekly = 7 * pace.daily
    return (
        weekly,
        *days,
        seen.p_ready(key, outlook.weeks) if collecting else None,
        *(edge or (None, None)),
        truth,
        float(chances.by[-1]) if chances else None,
        next_on,
        n,
        n / weekly if n is not None and weekly > 0 else None,
    )


def _truth(
    row: Mapping[str, Any], policy: ScoringPolicy, edge: tuple[str, float] | None
) -> float | None:
    if edge is None:
        return None
    return float(sum(row[f"p_{b.slug}"] for b in policy.bands if b.lower >= edge[1]))


def _nobody(
    tallies: pl.DataFrame, policy: ScoringPolicy | str, roster: pl.DataFrame | None
) -> pl.DataFrame:
    none = score(tallies.clear(), policy, by=parse_by("user"), roster=roster)
    return none.select("user_id", *_KEPT).with_columns(
        pl.lit(None, kind).alias(name) for name, kind in _FOUND.items()
    )
