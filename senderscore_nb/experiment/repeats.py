"""What a period of n ended enrollments shows of a sender whose true rates do not change.

Computed, not sampled: n enrollments bounce independently, those that do not are replied to
independently, and the chance of each band is the sum over what can then be counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from senderscore_nb.experiment.points import EDGE_ROUNDING, Array, Places, curve_points
from senderscore_nb.policy import ScoringPolicy

_SMALLEST = 1e-15
_TAIL = 1e-12


def chances_from(
    policy: ScoringPolicy, replies: Array, bounces: Array, n: int, edges: Sequence[float]
) -> Array:
    """The chance that a period's score is at least each edge.

    Args:
        policy: The curves, and what the reply rate is taken of.
        replies: True shares of the delivered enrollments that are replied to.
        bounces: True shares of the ended enrollments that bounce.
        n: Ended enrollments of the period.
        edges: Scores.

    Returns:
        Shape (edges, replies, bounces).
    """
    from scipy.stats import binom

    least, most = (min(max(float(p), _SMALLEST), 1.0) for p in (bounces.min(), bounces.max()))
    first, last = int(binom.ppf(_TAIL, n, least)), int(binom.ppf(1 - _TAIL, n, most))
    bounced = np.arange(max(0, first - 1), min(n, last) + 1)
    chance_bounced = _binomial(bounced, n, bounces)
    chance_bounced /= chance_bounced.sum(axis=0)
    needed_at = _least_replies(policy, bounced, n, np.asarray(edges, dtype=np.float64))
    result = np.empty((len(edges), len(replies), len(bounces)))
    delivered = (n - bounced).astype(np.float64)
    for place, needed in enumerate(needed_at.T):
        result[place] = _at_least(needed, delivered, replies) @ chance_bounced
    return np.asarray(np.clip(result, 0.0, 1.0))


def band_chances(policy: ScoringPolicy, replies: Array, bounces: Array, n: int) -> Array:
    """The chance of each band of a policy, shape (bands, replies, bounces), from the lowest on."""
    edges = [band.lower for band in policy.bands[1:]]
    above = chances_from(policy, replies, bounces, n, edges)
    shape = (1, len(replies), len(bounces))
    whole = np.concatenate([np.ones(shape), above, np.zeros(shape)])
    return np.asarray(np.clip(whole[:-1] - whole[1:], 0.0, 1.0))


def _least_replies(policy: ScoringPolicy, bounced: Places, n: int, edges: Array) -> Array:
    """The fewest replies that reach each edge, by how many bounced; one too many where none do.

    Found by halving, with the very sum that a score is, so that no rounding moves an edge.
    """
    delivered = (n - bounced)[:, None]
    ended_counts = policy.counting.reply_denominator == "ended"
    total = np.full_like(delivered, n) if ended_counts else np.maximum(delivered, 1)
    points = curve_points(policy.bounce_points, bounced / n)[:, None]
    low = np.zeros((len(bounced), len(edges)), dtype=np.int64)
    high = np.broadcast_to(delivered + 1, low.shape).astype(np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        score = curve_points(policy.reply_points, middle / total) + points
        enough = score >= edges - EDGE_ROUNDING
        open_ = low < high
        high = np.where(open_ & enough, middle, high)
        low = np.where(open_ & ~enough, middle + 1, low)
    return low.astype(np.float64)


def _binomial(count: Places, n: int, rates: Array) -> Array:
    """The chance of each count, shape (counts, rates), also for rates that are next to nothing."""
    from scipy.special import gammaln, xlog1py, xlogy

    choose = gammaln(n + 1) - gammaln(count + 1) - gammaln(n - count + 1)
    hits = xlogy(count[:, None], rates[None, :])
    misses = xlog1py((n - count)[:, None], -rates[None, :])
    return np.asarray(np.exp(choose[:, None] + hits + misses))


def _at_least(needed: Array, delivered: Array, replies: Array) -> Array:
    """The chance of that many replies or more, shape (replies, how many bounced)."""
    from scipy.special import betainc

    possible = (needed > 0) & (needed <= delivered)
    k = np.where(possible, needed, 1.0)
    n = np.where(possible, delivered, 1.0)
    tail = betainc(k[None, :], (n - k + 1)[None, :], replies[:, None])
    return np.asarray(np.where(possible, tail, np.where(needed <= 0, 1.0, 0.0)))
