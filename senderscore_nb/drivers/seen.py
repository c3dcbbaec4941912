"""What is known of every sender today: scores, paces, weekly counts."""

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
from senderscore_nb.drivers.ready import Key, Known, known_of, paces, ready
from senderscore_nb.errors import SelectionError
from senderscore_nb.policy import ScoringPolicy, load_policy
from senderscore_nb.score import score

WEEKS = 12


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


@dataclass(frozen=True)
class Seen:
    """What is known today, and what follows for a sender.

    Attributes:
        scores: Of the window, as `score` returns them.
        policy: The policy.
        known: What is known of the pace.
        paces: Ended enrollments a day, by key.
        ready: The chance of the minimum by days ahead, by key.
        weekly: The window's counts by weeks back, by key.
        width: Weeks that the window holds.
        outlook: What is asked.
    """

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


def seen_of(
    tallies: pl.DataFrame,
    policy: ScoringPolicy | str,
    roster: pl.DataFrame | None,
    enrollments: pl.DataFrame | None,
    as_of: dt.date | None,
    window_days: int | None,
    outlook: Outlook | None,
) -> Seen | None:
    """What is known today; None where there is no day, or nothing in the window.

    Args: as those of `drivers.ahead.ahead`.

    Raises:
        SelectionError: A number is out of its range.
    """
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
    return Seen(
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
