"""What to expect: when a sender has a score, and whether and when the next band is reached."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from senderscore_nb.control import Array
from senderscore_nb.drivers.climb import DRAWS, Climb, Window, climb
from senderscore_nb.drivers.pace import HORIZON, Pace
from senderscore_nb.drivers.power import State, Test, enrollments_to_tell
from senderscore_nb.drivers.ready import Key, Known, known_of, paces, ready
from senderscore_nb.errors import SelectionError
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy
from senderscore_nb.score import parse_by, score

WEEKS = 12
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


@dataclass(frozen=True)
class Outlook:
    """What is asked of the coming weeks.

    Attributes:
        weeks: How many.
        points: The difference that `n_to_tell` is about.
        confidence: Of the interval of the day.
        draws: Paths drawn for each sender.
        seed: Of the paths.
    """

    weeks: int = WEEKS
    points: float = 5.0
    confidence: float = 0.95
    draws: int = DRAWS
    seed: int = 0


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
    seen = _seen(tallies, policy, roster, enrollments, as_of, window_days, outlook)
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
    seen = _seen(tallies, policy, roster, enrollments, as_of, window_days, outlook)
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


@dataclass(frozen=True)
class _Seen:
    """What both functions look at."""

    scores: pl.DataFrame
    policy: ScoringPolicy
    known: Known
    paces: Mapping[Key, Pace]
    ready: Mapping[Key, Array]
    weekly: Mapping[Key, pl.DataFrame]
    width: int
    outlook: Outlook

    def edge(self, row: Mapping[str, Any]) -> tuple[str, float] | None:
        """Name and lower edge of the band above a row's."""
        if row["status"] != "scored":
            return None
        names = self.policy.band_names
        place = names.index(row["band"]) + 1
        return None if place == len(names) else (names[place], self.policy.bands[place].lower)

    def climb(self, row: Mapping[str, Any]) -> Climb | None:
        """The chances of reaching the next band."""
        edge, key = self.edge(row), (row["user_id"],)
        if edge is None:
            return None
        weekly = self.weekly[key]
        counts = [np.zeros(self.width) for _ in range(3)]
        for back, *values in weekly.select("back", "ended", "replied", "bounced").iter_rows():
            for array, value in zip(counts, values, strict=True):
                array[back] += value
        return climb(
            Window(*counts),
            self.paces.get(key, Pace()),
            edge[1],
            self.policy,
            weeks=self.outlook.weeks,
            draws=self.outlook.draws,
            seed=self.outlook.seed,
        )

    def p_ready(self, key: Key, week: int) -> float:
        """The chance that the minimum is there at the end of a coming week."""
        return float(self.ready[key][min(7 * week, HORIZON) - 1])

    def days(self, key: Key) -> list[dt.date | None]:
        """The day by which the minimum is as likely there as not, and the interval of the day.

        Days are whole: one belongs to the interval where the chance by the middle of it does.
        """
        chances, tail = self.ready[key], (1 - self.outlook.confidence) / 2
        middle = (chances + np.append(0.0, chances[:-1])) / 2
        places = [int((middle < chance).sum()) for chance in (0.5, tail)]
        last = int((middle <= 1 - tail).sum()) - 1
        if last >= HORIZON - 1:
            places.append(HORIZON)
        else:
            places.append(max(last, places[0]))
        return [
            self.known.today + dt.timedelta(days=place + 1) if place < HORIZON else None
            for place in places
        ]


def _seen(
    tallies: pl.DataFrame,
    policy: ScoringPolicy | str,
    roster: pl.DataFrame | None,
    enrollments: pl.DataFrame | None,
    as_of: dt.date | None,
    window_days: int | None,
    outlook: Outlook | None,
) -> _Seen | None:
    policy, outlook = load_policy(policy), outlook or Outlook()
    _check(outlook, window_days)
    newest = tallies["day"].max()
    today = as_of or (newest if isinstance(newest, dt.date) else None)
    if today is None:
        return None
    back = (pl.lit(today) - pl.col("day")).dt.total_days()
    span = window_days or max(1, int(tallies.select(back.max()).item() or 0) + 1)
    window = tallies.filter(back.is_between(0, span - 1))
    if window.is_empty():
        return None
    known = known_of(tallies, _counted(enrollments, policy), ("user_id",), today, window_days)
    scores = score(window, policy, by="user", roster=roster, as_of=today)
    counts = window.group_by("user_id", back=(back // 7).cast(pl.Int64)).agg(
        pl.col("ended", "replied", "bounced").sum()
    )
    weeks_back = -(-span // 7)
    return _Seen(
        scores=scores,
        policy=policy,
        known=known,
        paces=paces(known),
        ready=ready(known, policy.minimum.user),
        weekly=counts.partition_by("user_id", as_dict=True),
        width=weeks_back if window_days else weeks_back + outlook.weeks,
        outlook=outlook,
    )


def _counted(enrollments: pl.DataFrame | None, policy: ScoringPolicy) -> pl.DataFrame | None:
    """Without those whose ending does not count under the policy."""
    if enrollments is None or policy.counting.manual_and_error_count_as_ended:
        return enrollments
    reason = pl.col("end_reason").cast(pl.String)
    return enrollments.filter(~reason.is_in(["manual", "error", "blocked"]).fill_null(value=False))


def _check(outlook: Outlook, window_days: int | None) -> None:
    if not 1 <= outlook.weeks <= HORIZON // 7:
        raise SelectionError(f"{outlook.weeks} weeks ahead cannot be told; ask for 1 to 52.")
    if window_days is not None and window_days < 7:
        raise SelectionError(f"A window of {window_days} days is too short; it is at least 7.")
    if not 0 < outlook.confidence < 1:
        raise SelectionError(
            f"The confidence {outlook.confidence:g} must lie between 0 and 1.",
            hint="Write 95 % as 0.95.",
        )
    if not outlook.points > 0:
        raise SelectionError(f"A difference of {outlook.points:g} points cannot be told.")


def _summary(row: Mapping[str, Any], seen: _Seen) -> tuple[object, ...]:
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
        n = enrollments_to_tell(outlook.points, state, seen.policy, Test())
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
