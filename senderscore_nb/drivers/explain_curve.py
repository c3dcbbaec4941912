"""Points of a change through a point curve: kinks by segments, steps as jumps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from senderscore_nb.policy import PointCurve

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A point curve as arrays.

    Attributes:
        rates: Its knots' rates.
        points: Its knots' points.
        step: It jumps at the knots; else it is straight between them.
    """

    rates: Array
    points: Array
    step: bool

    @classmethod
    def of(cls, curve: PointCurve) -> Curve:
        """The curve of a policy."""
        rates, points = np.array(curve.knots, dtype=np.float64).T
        return cls(rates, points, curve.interpolation == "step")

    def at(self, rate: Array) -> Array:
        """Points of a rate, as the policy gives them."""
        if self.step:
            place = np.searchsorted(self.rates, rate, side="right") - 1
            return self.points[np.maximum(place, 0)]
        return np.interp(rate, self.rates, self.points)

    def slope(self, start: Array, end: Array) -> Array:
        """Mean slope of a straight curve between two rates; at a kink, of its two sides.

        Taken from the segments, so it stays between their slopes however near the two rates are.
        """
        low, high = np.minimum(start, end), np.maximum(start, end)
        width = high - low
        total = np.zeros(np.broadcast(start, end).shape)
        nowhere = np.zeros_like(total)
        for i in range(len(self.rates) - 1):
            r0, r1 = self.rates[i], self.rates[i + 1]
            steep = (self.points[i + 1] - self.points[i]) / (r1 - r0)
            total += steep * np.clip(np.minimum(high, r1) - np.maximum(low, r0), 0.0, None)
            nowhere += steep * (((low >= r0) & (low < r1)) / 2 + ((low > r0) & (low <= r1)) / 2)
        return np.where(width > 0, total / np.where(width > 0, width, 1.0), nowhere)


def share_jumps(change: Array, moved: Array, parts: Array, group: npt.NDArray[np.int64]) -> Array:
    """The points of a curve of steps, shared among the parts of the change of its rate.

    Each part gets its share of the rate's change: what Aumann–Shapley pricing gives along ever
    steeper curves. Where parts all but cancel, such shares are many times the jump itself. They
    are then drawn towards the parts that pushed over the edge, in proportion, as far as it needs
    for no part, and no kind of parts together, to be more than the whole jump.

    Args:
        change: Points by group.
        moved: Change of the rate by group.
        parts: Parts of the rate's change, shape (kinds, rows).
        group: Place of each row's group, ascending.

    Returns:
        Points, of the shape of `parts`; they add up to `change` within each group.
    """
    size = len(change)

    def sums(values: Array) -> Array:
        return np.bincount(group, weights=values, minlength=size).astype(np.float64)

    def divided(values: Array, by: Array) -> Array:
        return values / np.where(by == 0, 1.0, by)[group]

    total, direction = sums(parts.sum(0)), np.sign(moved)
    straight = divided(parts, total)
    pushing = np.clip(parts * direction[group], 0.0, None)
    bounded = divided(pushing, sums(pushing.sum(0)))
    keep = (np.sign(total) == direction).astype(np.float64)
    for wild, tame in zip(straight, bounded, strict=True):
        np.minimum.at(keep, group, _kept(wild, tame))
        keep = np.minimum(keep, _kept(sums(wild), sums(tame)))
    return np.asarray(change[group] * (bounded + keep[group] * (straight - bounded)))


def _kept(wild: Array, tame: Array) -> Array:
    """How much of the way from `tame` to `wild` stays within −1 … 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(wild > 1, (1 - tame) / (wild - tame), 1.0)
        below = np.where(wild < -1, (1 + tame) / (tame - wild), 1.0)
    return np.clip(np.minimum(above, below), 0.0, 1.0)
