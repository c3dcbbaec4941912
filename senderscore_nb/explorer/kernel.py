"""Scores of many cells at once: the arithmetic of `score` on arrays.

`score` is the definition, and tests hold these to it; here nothing is built that is not drawn.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from senderscore_nb.certainty import curve_points, quantile, score_certainty, wording
from senderscore_nb.explorer.index import (
    BOUNCED,
    BOUNCED_UNKNOWN,
    ENDED,
    REPLIED,
    REPLIED_UNKNOWN,
    Ints,
)
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.score import STATUSES

Floats: TypeAlias = npt.NDArray[np.float64]

SCORED, COLLECTING, NO_SEAT, NOT_COMPUTABLE = range(len(STATUSES))

_AT_ONCE = 24  # rows of a posterior; more at once wake threads that cost more than they save
_KEPT = 4_000


@dataclass(frozen=True)
class Scores:
    """Rates, score, band and status of cells; every array has the shape of `ended`.

    Attributes:
        score: Not a number where there is none.
        band: Place of the band in the policy; −1 without a score.
        status: Place in `score.STATUSES`.
        reply_n: What the reply rate is taken of.
    """

    ended: Ints
    replied: Ints
    bounced: Ints
    reply_n: Ints
    reply_rate: Floats
    bounce_rate: Floats
    score: Floats
    band: Ints
    status: Ints

    def at(self, places: Any) -> Scores:
        """Some of the cells."""
        return Scores(**{name: value[places] for name, value in vars(self).items()})


def score_cells(
    counts: Ints,
    policy: ScoringPolicy,
    *,
    minimum: int,
    seat: npt.NDArray[np.bool_] | bool = True,
) -> Scores:
    """Scores from counts of shape (measures, …).

    Args:
        counts: Sums as a `TallyIndex` gives them.
        policy: Curves and bands.
        minimum: Ended enrollments that a score needs.
        seat: Who has a paid seat; has the cells' shape, or stretches to it.
    """
    ended, replied, bounced = counts[ENDED], counts[REPLIED], counts[BOUNCED]
    delivered = policy.counting.reply_denominator == "delivered"
    reply_n = ended - bounced if delivered else ended
    reply_rate, bounce_rate = _rate(replied, reply_n), _rate(bounced, ended)
    unknown = np.zeros(ended.shape, np.bool_)
    if len(counts) > BOUNCED_UNKNOWN:
        no_bounces = counts[BOUNCED_UNKNOWN] > 0
        no_replies = counts[REPLIED_UNKNOWN] > 0
        unknown = (no_replies | no_bounces) & (ended > 0)
        bounce_rate[no_bounces] = np.nan
        reply_rate[no_replies | no_bounces if delivered else no_replies] = np.nan
    computable = np.isfinite(reply_rate) & np.isfinite(bounce_rate)
    status = np.where(computable, SCORED, NOT_COMPUTABLE)
    status[(ended < minimum) & ~unknown] = COLLECTING
    status[np.broadcast_to(~np.asarray(seat), status.shape)] = NO_SEAT
    points = curve_points(policy.reply_points, reply_rate)
    points = points + curve_points(policy.bounce_points, bounce_rate)
    score = np.where(status == SCORED, points, np.nan)
    lowers = np.array([b.lower for b in policy.bands]) - 1e-9
    band = np.where(status == SCORED, np.searchsorted(lowers, score, side="right") - 1, -1)
    return Scores(
        ended, replied, bounced, reply_n, reply_rate, bounce_rate, score, band, status
    )  # fmt: skip


def wilson_limits(count: Ints, n: Ints, *, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """The Wilson interval, as `certainty.wilson` gives it; not a number where n is 0."""
    z = quantile(confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(n > 0, n, np.nan).astype(np.float64)
        p = count / size
        centre, scale = p + z * z / (2 * size), 1 + z * z / size
        half = z * np.sqrt((p * (1 - p) + z * z / (4 * size)) / size)
        low = np.where(count == 0, size * 0, (centre - half) / scale)
        high = np.where(count == n, size * 0 + 1, (centre + half) / scale)
    return low, high


def difference_limits(
    now: tuple[float, float, float], before: tuple[float, float, float], *, correlation: float
) -> tuple[float, float]:
    """The interval of a difference, as `certainty.difference` gives it."""
    (x, x_low, x_high), (y, y_low, y_high) = now, before

    def half(a: float, b: float) -> float:
        return math.sqrt(max(a * a + b * b - 2 * correlation * a * b, 0.0))

    return x - y - half(x - x_low, y_high - y), x - y + half(x_high - x, y - y_low)


@dataclass(frozen=True, slots=True)
class Sure:
    """Interval, wording and probability of the band of one score."""

    low: float
    high: float
    verdict: str
    probability: float


@dataclass
class Certainty:
    """Certainty of scores by their counts; what was computed is kept, up to a limit."""

    _known: OrderedDict[tuple[str, bytes], Sure] = field(default_factory=OrderedDict)

    def of(self, scores: Scores, policy: ScoringPolicy) -> list[Sure | None]:
        """Of each cell of a one-dimensional `Scores`; None without a score."""
        counts = np.stack(
            [scores.replied, scores.reply_n, scores.bounced, scores.ended], axis=-1
        ).astype(np.int64)
        mark = _fingerprint(policy)
        keys = [(mark, row.tobytes()) for row in counts]
        wanted = {
            key: place
            for place, key in enumerate(keys)
            if scores.status[place] == SCORED and key not in self._known
        }
        self._learn(list(wanted), counts[list(wanted.values())], scores, wanted, policy)
        found = [self._known.get(key) for key in keys]
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return [f if s == SCORED else None for f, s in zip(found, scores.status, strict=True)]

    def _learn(
        self,
        keys: Sequence[tuple[str, bytes]],
        counts: Ints,
        scores: Scores,
        places: dict[tuple[str, bytes], int],
        policy: ScoringPolicy,
    ) -> None:
        names = policy.band_names
        for i in range(0, len(keys), _AT_ONCE):
            part = keys[i : i + _AT_ONCE]
            sure = score_certainty(counts[i : i + _AT_ONCE], policy)
            for j, key in enumerate(part):
                place = places[key]
                score, bands = float(scores.score[place]), sure.bands[j].tolist()
                # The estimate itself is never left out, as in `score`.
                self._known[key] = Sure(
                    min(float(sure.low[j]), score),
                    max(float(sure.high[j]), score),
                    wording(names, bands),
                    bands[int(scores.band[place])],
                )


@lru_cache(maxsize=32)
def _fingerprint(policy: ScoringPolicy) -> str:
    """A policy's fingerprint, which takes longer to make than to look up by its values."""
    return policy.fingerprint


def _rate(count: Ints, n: Ints) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n > 0, count / n, np.nan)
