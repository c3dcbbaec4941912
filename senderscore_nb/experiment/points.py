"""A policy's points and bands over arrays, equal to those of its expressions."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from senderscore_nb.policy import PointCurve, ScoringPolicy

Array: TypeAlias = npt.NDArray[np.float64]
Places: TypeAlias = npt.NDArray[np.int64]

EDGE_ROUNDING = 1e-9
"""A score that falls short of an edge by no more than this has reached it, as in `policy.band`."""


def curve_points(curve: PointCurve, rates: Any) -> Array:
    """Points of rates (fractions 0–1); NaN where the rate is NaN.

    >>> curve_points(PointCurve(knots=((0, 0), (0.07, 35))), np.array([0.035, 0.5])).tolist()
    [17.5, 35.0]
    """
    at, values = knots(curve)
    rates = np.asarray(rates, dtype=np.float64)
    if curve.interpolation == "linear":
        return np.asarray(np.interp(rates, at, values), dtype=np.float64)
    place = np.maximum(np.searchsorted(at, rates, side="right") - 1, 0)
    return np.asarray(np.where(np.isnan(rates), np.nan, values[place]), dtype=np.float64)


def knots(curve: PointCurve) -> tuple[Array, Array]:
    """The knots' rates and their points."""
    both = np.array(curve.knots, dtype=np.float64)
    return both[:, 0], both[:, 1]


def reached(policy: ScoringPolicy) -> Array:
    """The scores from which each band but the lowest is reached."""
    return np.array([band.lower for band in policy.bands[1:]], dtype=np.float64) - EDGE_ROUNDING


def band_places(policy: ScoringPolicy, scores: Any) -> Places:
    """The place of each score's band, from 0 for the lowest; −1 where the score is NaN."""
    scores = np.asarray(scores, dtype=np.float64)
    places = np.searchsorted(reached(policy), scores, side="right")
    return np.where(np.isnan(scores), -1, places).astype(np.int64)


def true_scores(policy: ScoringPolicy, replies: Array, bounces: Array) -> Array:
    """The score of every pair of true rates, shape (replies, bounces).

    Args:
        policy: The curves, and what the reply rate is taken of.
        replies: True shares of the delivered enrollments that are replied to.
        bounces: True shares of the ended enrollments that bounce.
    """
    rates = np.broadcast_to(replies[:, None], (len(replies), len(bounces)))
    if policy.counting.reply_denominator == "ended":
        rates = rates * (1 - bounces[None, :])
    points = curve_points(policy.bounce_points, bounces)
    return np.asarray(curve_points(policy.reply_points, rates) + points[None, :])
