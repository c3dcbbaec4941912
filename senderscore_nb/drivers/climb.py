"""When a sender reaches the next band: the score over the coming weeks, if nothing changes.

The true rates are drawn from their posterior, the coming weeks from the true rates, and the score
of each week is that of the window as it will stand: old weeks leave it, new ones come in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from senderscore_nb.control import Array
from senderscore_nb.drivers.pace import Pace
from senderscore_nb.policy import PointCurve, ScoringPolicy

DRAWS = 2_000
"""Paths a sender; a chance of one half is then known to within 2.2 percentage points (95 %)."""


@dataclass(frozen=True)
class Window:
    """A sender's counts, by weeks back from today: the newest first.

    Attributes:
        ended: Ended enrollments of each week of the window.
        replied: Replies.
        bounced: Bounces.
    """

    ended: Array
    replied: Array
    bounced: Array


@dataclass(frozen=True)
class Climb:
    """The chance of standing at or above an edge, by weeks ahead.

    Attributes:
        shown: The window's score stands there at the end of the week.
        by: It has done so at the end of that week or an earlier one.
    """

    shown: Array
    by: Array


def climb(
    window: Window,
    pace: Pace,
    edge: float,
    policy: ScoringPolicy,
    *,
    weeks: int,
    draws: int = DRAWS,
    seed: int = 0,
) -> Climb:
    """The chances of the coming weeks, from a fixed seed: the same counts give the same chances.

    Args:
        window: The counts that the score is of.
        pace: Ended enrollments to come.
        edge: The score to reach.
        policy: Curves and minimum.
        weeks: How many weeks ahead.
        draws: How many paths.
        seed: Of the paths.
    """
    rng = np.random.default_rng(seed)
    delivered = policy.counting.reply_denominator == "delivered"
    total = window.ended.sum()
    got = total - window.bounced.sum() if delivered else total
    replies = rng.beta(window.replied.sum() + 0.5, got - window.replied.sum() + 0.5, draws)
    bounces = rng.beta(window.bounced.sum() + 0.5, total - window.bounced.sum() + 0.5, draws)
    ended = _volumes(rng, pace, (weeks, draws))
    bounced = rng.binomial(ended, bounces)
    replied = rng.binomial(ended - bounced if delivered else ended, replies)
    counts = [
        _rolling(old, new, len(window.ended))
        for old, new in (
            (window.ended, ended),
            (window.replied, replied),
            (window.bounced, bounced),
        )
    ]
    shown = _scores(*counts, policy=policy) >= edge - 1e-9
    return Climb(shown.mean(axis=1), np.maximum.accumulate(shown, axis=0).mean(axis=1))


def _volumes(rng: np.random.Generator, pace: Pace, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Ended enrollments of each coming week: the pace is uncertain, and weeks scatter around it."""
    seen, weekly = pace.seen, 7 * pace.daily
    if seen <= 0:
        return np.zeros(shape, dtype=np.int64)
    scatter = max(pace.scatter, 1e-3)
    mean = weekly * rng.gamma(seen / scatter, scatter / seen, shape[1])
    return np.round(rng.gamma(mean / scatter, scatter, shape)).astype(np.int64)


def _rolling(old: Array, new: npt.NDArray[Any], width: int) -> Array:
    """Sums of the window after 1, 2, … weeks, shape (weeks, draws)."""
    weeks = len(new)
    newest_first = np.append(old, np.zeros(max(0, width - len(old))))
    kept = np.cumsum(newest_first)
    sums = np.cumsum(new, axis=0)
    result = np.empty(new.shape)
    for week in range(1, weeks + 1):
        stays = kept[width - week - 1] if week < width else 0.0
        gone = sums[week - width - 1] if week > width else 0.0
        result[week - 1] = stays + sums[week - 1] - gone
    return result


def _scores(ended: Array, replied: Array, bounced: Array, *, policy: ScoringPolicy) -> Array:
    """Scores; -1 where there is none: below the minimum, or nothing was delivered."""
    delivered = policy.counting.reply_denominator == "delivered"
    got = ended - bounced if delivered else ended
    known = (ended >= policy.minimum.user) & (got > 0)
    score = points(policy.reply_points, replied / np.maximum(got, 1)) + points(
        policy.bounce_points, bounced / np.maximum(ended, 1)
    )
    return np.where(known, score, -1.0)


def points(curve: PointCurve, rate: Array) -> Array:
    """`PointCurve.points` of arrays.

    >>> from senderscore_nb.policy import load_policy
    >>> points(load_policy().reply_points, np.array([0.07, 1.0])).tolist()
    [35.0, 50.0]
    """
    rates, values = np.array(curve.knots).T
    if curve.interpolation == "linear":
        return np.asarray(np.interp(rate, rates, values), dtype=np.float64)
    place = np.searchsorted(rates, rate, side="right") - 1
    return np.asarray(values[np.maximum(place, 0)], dtype=np.float64)
