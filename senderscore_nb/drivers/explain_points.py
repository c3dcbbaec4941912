"""The parts of a change in points, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from senderscore_nb.certainty import quantile
from senderscore_nb.drivers.explain_curve import Curve, share_jumps
from senderscore_nb.drivers.explain_noise import Noise, group_noise, row_noise, units_of
from senderscore_nb.drivers.explain_split import (
    KINDS,
    Array,
    Ints,
    Split,
    rates_of,
    split_bounces,
    split_replies,
    sums,
)
from senderscore_nb.policy import ScoringPolicy

_STEPS = (-1.0, -0.75, -0.5, -0.25, 0.25, 0.5, 0.75, 1.0)

_PAIRS = ((2, 3), (4, 5), (2, 4), (3, 5))
_WAYS = np.array(
    [
        *np.eye(6),
        *(np.eye(6)[i] + sign * np.eye(6)[j] for i, j in _PAIRS for sign in (1, -1)),
    ]
)
"""Where curves jump, the ways in which the six may move that are looked along: each of them alone,
and two rates together or apart. One line is not enough there."""


@dataclass(frozen=True)
class Parts:
    """Points of each part; by kind on the first axis, rows or groups on the last.

    Attributes:
        points: The parts.
        low: Lower limits.
        high: Upper limits.
        p: Two-sided p-values of a part being none.
    """

    points: Array
    low: Array
    high: Array
    p: Array


@dataclass(frozen=True)
class Explained:
    """The parts by row, and the sum of each kind by group."""

    rows: Parts
    kinds: Parts


def explain_counts(
    pools: Array, group: Ints, groups: int, policy: ScoringPolicy, *, confidence: float
) -> Explained:
    """The change of each group's score, split by row.

    Args:
        pools: Counts of ended, replied and bounced, shape (3, 3, rows), of the enrollments that are
            before only, after only, and in both.
        group: Place of each row's group, ascending.
        groups: How many groups; each has enrollments, and some that count for replies, on both
            sides.
        policy: The curves and the denominator.
        confidence: Of the intervals.
    """
    delivered = policy.counting.reply_denominator == "delivered"
    sides = np.stack([pools[0] + pools[2], pools[1] + pools[2]])
    rates = rates_of(sides, group, groups, delivered=delivered)
    splits = (split_replies(rates), split_bounces(rates))
    curves = (Curve.of(policy.reply_points), Curve.of(policy.bounce_points))
    ends = (rates.all_reply, rates.all_bounce)
    points = np.array([_points(*three, group) for three in zip(curves, splits, ends, strict=True)])
    units = units_of(pools, group, groups)
    places = np.arange(groups)
    rows, kinds = [], []
    for kind in range(len(KINDS)):
        gradients = [split.gradients[kind] for split in splits]
        parts = np.array([split.parts[kind] for split in splits])
        some = _Some(parts, points[:, kind], group, curves, ends)
        rows.append(_with_noise(some, row_noise(rates, units, gradients), confidence))
        parts, worth = (sums(values, group, groups) for values in (parts, points[:, kind]))
        whole = _Some(parts, worth, places, curves, ends, of=group)
        kinds.append(_with_noise(whole, group_noise(rates, units, gradients, groups), confidence))
    return Explained(_stacked(rows), _stacked(kinds))


def _points(curve: Curve, split: Split, ends: Array, group: Ints) -> Array:
    """Points of each part through one curve; they add up to the points of the rate's change."""
    start, end = ends
    change = curve.at(end) - curve.at(start)
    if curve.step:
        points = share_jumps(change, end - start, split.parts, group)
    else:
        points = split.parts * curve.slope(start, end)[group]
    # What rounding leaves, in proportion to the parts: sums of hundreds of them, by steep curves.
    left = change - sums(points, group, len(start)).sum(0)
    size = sums(np.abs(points), group, len(start)).sum(0)
    share = np.divide(left, size, out=np.zeros_like(left), where=size > 0)
    return np.asarray(points + np.abs(points) * share[group])


@dataclass(frozen=True)
class _Some:
    """Parts of one kind, of rows or summed by group, and what is needed to see them vary.

    Attributes:
        parts: Of the reply rate and of the bounce rate, (2, parts).
        points: What they are worth, (2, parts).
        place: Place of each part's group.
        curves: Of replies and of bounces.
        ends: The groups' rates before and after, for each curve (2, groups).
        of: Where parts are sums: place of the part that each row of the noise belongs to.
    """

    parts: Array
    points: Array
    place: Ints
    curves: tuple[Curve, Curve]
    ends: tuple[Array, Array]
    of: Ints | None = None

    def spread(self, noise: Noise, slopes: Array) -> Array:
        """Standard deviation of a sum of the six, weighted by slopes."""
        if self.of is None:
            return np.sqrt(noise.spread(slopes))
        return np.sqrt(sums(noise.spread(slopes[:, self.of]), self.of, slopes.shape[1]))

    def shared(self, noise: Noise, slopes: Array) -> Array:
        """Covariance of each of the six with that sum."""
        if self.of is None:
            return noise.shared_with(slopes)
        return sums(noise.shared_with(slopes[:, self.of]), self.of, slopes.shape[1])

    def worth(self, six: Array) -> Array:
        """Points of parts of these rates between these ends."""
        total = np.zeros(six.shape[1])
        for i, curve in enumerate(self.curves):
            part, start, end = six[i], six[2 + 2 * i], six[3 + 2 * i]
            if curve.step:
                gap = end - start
                share = np.divide(part, gap, out=np.zeros_like(part), where=gap != 0)
                total += (curve.at(end) - curve.at(start)) * np.clip(share, -1.0, 1.0)
            else:
                total += part * curve.slope(start, end)
        return total

    @property
    def six(self) -> Array:
        """The two parts, and the rates before and after."""
        return np.stack([*self.parts, *(side[self.place] for ends in self.ends for side in ends)])

    def slopes(self, spread: Array) -> Array:
        """Derivatives of the points by the six, over rates that vary by so much."""
        made = np.zeros((6, self.parts.shape[1]))
        np.divide(self.points, self.parts, out=made[:2], where=self.parts != 0)
        for i, curve in enumerate(self.curves):
            if curve.step:
                continue
            start, end = (side[self.place] for side in self.ends[i])
            made[i] = curve.slope(start, end)
            for side, step in enumerate(spread[2 * i : 2 * i + 2]):
                about = [(start - step, end), (start + step, end)]
                if side:
                    about = [(start, end - step), (start, end + step)]
                low, high = (curve.slope(*pair) for pair in about)
                rise = np.divide(high - low, 2 * step, out=np.zeros_like(low), where=step > 0)
                made[2 + 2 * i + side] = self.parts[i] * rise
        return made


def _with_noise(some: _Some, noise: Noise, confidence: float) -> Parts:
    """The interval: the worth of the six along the line on which the part varies most.

    Moving the six by their covariance with the part, over its standard deviation, times the normal
    quantile, is where a normal law's ellipsoid of that confidence reaches furthest for what is
    nearly linear (the first-order reliability method's point); kinks and jumps on the way count.
    """
    every = np.broadcast_to(_WAYS[:, :, None], (*_WAYS.shape, some.parts.shape[1]))
    slopes = some.slopes(np.array([some.spread(noise, every[i]) for i in range(2, 6)]))
    ways = [slopes, *every] if any(curve.step for curve in some.curves) else [slopes]
    points = some.points.sum(0)
    low, high = points.copy(), points.copy()
    for way in ways:
        deviation, shared = some.spread(noise, way), some.shared(noise, way)
        reach = quantile(confidence) * shared
        line = np.divide(reach, deviation, out=np.zeros_like(shared), where=deviation > 0)
        for step in _STEPS:
            moved = some.six + step * line
            moved[2:] = np.clip(moved[2:], 0.0, 1.0)
            worth = some.worth(moved)
            low, high = np.minimum(low, worth), np.maximum(high, worth)
    fixed = slopes.copy()
    fixed[2:] = 0.0
    return Parts(points, low, high, _p(points, some.spread(noise, fixed)))


def _p(points: Array, deviation: Array) -> Array:
    """Two-sided, at the slopes that the curves have here; a part of no points is no part."""
    from scipy.special import ndtr

    sigmas = np.divide(
        np.abs(points), deviation, out=np.full_like(points, np.inf), where=deviation > 0
    )
    return np.where(np.abs(points) < 1e-12, 1.0, 2 * ndtr(-sigmas))


def _stacked(kinds: Sequence[Parts]) -> Parts:
    return Parts(
        *(np.array([getattr(k, name) for k in kinds]) for name in ("points", "low", "high", "p"))
    )
