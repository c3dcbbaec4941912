"""The posterior of many scores at once, laid out so that another policy costs next to nothing.

`certainty.score_certainty` is the definition: the true reply rate and the true bounce rate have
independent posteriors Beta(count + ½, n − count + ½). Here the distribution of both rates is
tabulated once for every sender, in equal steps of θ = arcsin √rate. There the posterior of every
rate has the same width, 1/(2 √n), and no pole at 0. For a policy, the chance of a score below an
edge is then a sum over the bounce rates of the chance that the reply rate falls short of what the
edge still asks for, which is a look-up, as the curve can be turned around.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from senderscore_nb.policy import PointCurve, ScoringPolicy

Floats: TypeAlias = npt.NDArray[np.float64]

_STEPS = 1024  # of θ, from 0 to π/2
_CELLS = 320  # of the bounce rates, besides the knots
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class RateTable:
    """The distribution of a true rate, of many senders.

    Attributes:
        below: The chance of a rate below each step of θ, shape (steps + 1, senders).
    """

    below: Floats

    @classmethod
    def of(cls, count: npt.NDArray[Any], n: npt.NDArray[Any]) -> RateTable:
        """The table of counts; the density in θ is sin^2k θ · cos^2(n−k) θ.

        Args:
            count: Of successes, by sender.
            n: Of trials.
        """
        theta = (np.arange(_STEPS) + 0.5)[:, None] * (np.pi / 2 / _STEPS)
        k, rest = np.maximum(count, 0.0), np.maximum(n - count, 0.0)
        density = 2 * k * np.log(np.sin(theta)) + 2 * rest * np.log(np.cos(theta))
        density -= density.max(axis=0)
        np.exp(density, out=density)
        below = np.zeros((_STEPS + 1, density.shape[1]))
        np.cumsum(density, axis=0, out=below[1:])
        return cls(below / below[-1])

    def at(self, rates: Floats) -> Floats:
        """The chance of a rate below each of some rates, shape (rates, senders)."""
        place = np.arcsin(np.sqrt(np.clip(rates, 0.0, 1.0))) * (2 / np.pi * _STEPS)
        low = np.minimum(place.astype(np.int64), _STEPS - 1)
        share = (place - low)[:, None]
        found = self.below[low]
        found += share * (self.below[low + 1] - found)
        return found

    @cached_property
    def cuts(self) -> Floats:
        """Rates that cut what any sender's rate may be into cells of equal width in θ."""
        held = (
            int(np.searchsorted(self.below.min(axis=1), 1 - _NEGLIGIBLE)) if self.below.size else 0
        )
        top = min(held + 1, _STEPS) * (np.pi / 2 / _STEPS)
        cuts: Floats = np.sin(np.linspace(0.0, top, _CELLS + 1)) ** 2
        return cuts


@dataclass(frozen=True)
class Posterior:
    """What counts say about the true rates of many senders.

    Attributes:
        replies: Of the reply rate.
        bounces: Of the bounce rate.
    """

    replies: RateTable
    bounces: RateTable

    @classmethod
    def of(cls, counts: npt.NDArray[Any]) -> Posterior:
        """The posterior of counts of shape (senders, 4), as `score_certainty` takes them."""
        replied, reply_n, bounced, bounce_n = np.asarray(counts, dtype=np.float64).T
        return cls(RateTable.of(replied, reply_n), RateTable.of(bounced, bounce_n))

    def bands(self, policy: ScoringPolicy) -> Floats:
        """The probability of each band, shape (senders, bands), from the lowest band on."""
        curve = policy.bounce_points
        knots = [rate for rate, _ in curve.knots if rate < 1]
        cuts = np.unique(np.concatenate([self.bounces.cuts, knots, [0.0, 1.0]]))
        mass = np.diff(self.bounces.at(cuts), axis=0)
        points = points_at(curve, (cuts[:-1] + cuts[1:]) / 2)
        below = [
            (self.replies.at(rate_of(policy.reply_points, band.lower - 1e-9 - points)) * mass).sum(
                0
            )
            for band in policy.bands[1:]
        ]
        n = self.replies.below.shape[1]
        cumulative = np.column_stack([np.zeros(n), *below, np.ones(n)])
        chances: Floats = np.clip(np.diff(cumulative, axis=1), 0.0, 1.0)
        return chances


def points_at(curve: PointCurve, rates: Floats) -> Floats:
    """The points of rates on a curve."""
    known, points = np.array(curve.knots, dtype=np.float64).T
    if curve.interpolation == "linear":
        return np.asarray(np.interp(rates, known, points), dtype=np.float64)
    place = np.searchsorted(known, rates, side="right") - 1
    return np.asarray(points[np.maximum(place, 0)], dtype=np.float64)


def rate_of(curve: PointCurve, points: Floats) -> Floats:
    """The rate from which on a rising curve gives points; 0 where it always does, 1 where never."""
    known, given = np.array(curve.knots, dtype=np.float64).T
    place = np.searchsorted(given, points, side="left")
    inside = np.clip(place, 1, max(len(known) - 1, 1))
    if curve.interpolation == "step" or len(known) == 1:
        found = known[np.minimum(place, len(known) - 1)]
    else:
        low, high = given[inside - 1], given[inside]
        share = (points - low) / np.where(high > low, high - low, 1.0)
        found = known[inside - 1] + share * (known[inside] - known[inside - 1])
    found = np.where(place == 0, 0.0, found)
    return np.where(place == len(known), 1.0, found)


def flip_chance(bands: Floats) -> Floats:
    """The chance that two periods alike fall in different bands, by sender: 1 − Σ p².

    What is observed scatters around the truth about as widely as the truth is uncertain given what
    was observed. So if the observed rates were the true ones, two periods of as many enrollments
    would agree with the chance Σ p² (classification consistency, Livingston & Lewis 1995).

    >>> flip_chance(np.array([[0.5, 0.5], [1.0, 0.0]])).tolist()
    [0.5, 0.0]
    """
    chances: Floats = 1 - (bands * bands).sum(axis=1)
    return chances
