"""Looking every week without crying wolf: confidence sequences, and evidence of a change.

An interval of 95 % holds at one look; looked at every week, it leaves the truth out sooner or
later. A confidence sequence holds at all looks together, and so does an e-process: its expected
value never rises above 1 while nothing has changed, so it reaches 20 with a chance of at most 5 %
however often somebody looks (Ville 1939).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from senderscore_nb.control import Array

LOOKS = 52
"""Weeks among which the change is looked for, each with the same prior weight."""

_INFLATIONS = (1.0, 1.25, 1.6, 2.0, 2.7, 4.0, 7.0, 12.0, 25.0, 60.0)
_STEPS = np.array([0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5])
_SPREAD = 0.6  # of a change of the log-odds, in the alternative
_NODES = 25
_REACH = 4.5
_HALVINGS = 60


def confidence_sequence(
    count: Any, n: Any, *, confidence: float = 0.95, prior: tuple[float, float] = (1.0, 1.0)
) -> tuple[Array, Array]:
    """The interval of a rate that holds at every look at once: all counts so far, at any time.

    A rate p is in it while the Beta mixture of the binomial likelihoods is less than
    1 / (1 − confidence) times as likely as p (Robbins 1970, Annals of Mathematical Statistics
    41:1397; Howard, Ramdas, McAuliffe & Sekhon 2021, Annals of Statistics 49:1055).

    Args:
        count: Replies or bounces so far; one number or an array. May be a fraction, where counts
            were divided by an over-dispersion.
        n: Enrollments so far; 0 gives the interval from 0 to 1.
        confidence: That the rate is inside at all looks.
        prior: Parameters of the Beta mixture; the uniform one unless given.

    Returns:
        Lower and upper limits.

    >>> low, high = confidence_sequence([10, 50], [100, 500])
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.0288, 0.0589], [0.2283, 0.1546])
    """
    from scipy.special import betaln, xlog1py, xlogy

    x, size = np.broadcast_arrays(np.asarray(count, dtype=float), np.asarray(n, dtype=float))
    a, b = prior
    edge = betaln(x + a, size - x + b) - betaln(a, b) + np.log(1 - confidence)
    best = np.where(size > 0, x / np.maximum(size, 1e-12), 0.5)

    def inside(p: Array) -> Any:
        return xlogy(x, p) + xlog1py(size - x, -p) > edge

    limits = []
    for outer in (0.0, 1.0):
        out, within = np.full(best.shape, outer), best.copy()
        for _ in range(_HALVINGS):
            middle = (out + within) / 2
            good = inside(middle)
            within, out = np.where(good, middle, within), np.where(good, out, middle)
        limits.append(np.where(inside(np.full(best.shape, outer)), outer, (out + within) / 2))
    return limits[0], limits[1]


@dataclass(frozen=True)
class Evidence:
    """What each week's look says about a change since the baseline.

    Attributes:
        value: The e-process: how many times likelier the data is under a change than without one.
        since: Place of the week that the change most likely began with, from 0.
    """

    value: Array
    since: Any


def evidence(baseline: tuple[Array, Array], watched: tuple[Array, Array]) -> Evidence:
    """The evidence, at each watched week, that the rate is no longer what the baseline had.

    Weeks are Beta-binomial: their true rates vary around one rate by an over-dispersion that is
    unknown. Without a change both are the baseline's, known as far as its weeks say (a posterior
    over rate and over-dispersion, Jeffreys' prior for the rate). With a change the rate has moved
    by an unknown step (normal, standard deviation 0.6 in log-odds) from an unknown week on, one of
    the first 52. The value is the ratio of the two predictions: a martingale under the first, so
    the chance that it ever reaches 1 / α is at most α, on average over what the baseline leaves
    open. For fixed rates that is simulated, not proven.

    Args:
        baseline: Counts and denominators of the baseline's weeks, denominators above 0.
        watched: The same of the weeks after it, in order.

    >>> calm, moved = np.full(26, 8.0), np.full(6, 20.0)
    >>> found = evidence((calm, np.full(26, 100.0)), (moved, np.full(6, 100.0)))
    >>> bool(found.value[-1] > 20), int(found.since[-1])
    (True, 0)
    """
    past, weeks = (
        tuple(np.asarray(part, dtype=float) for part in side) for side in (baseline, watched)
    )
    looks = len(weeks[0])
    if not looks:
        return Evidence(np.empty(0), np.empty(0, dtype=np.int64))
    rate, clumping, prior = _null(past[0].sum(), past[1].sum(), past[1].mean())
    posterior = prior + _likelihood(past, rate, clumping).sum(axis=0)
    moved, weight = _moved(past[0].sum(), past[1].sum(), clumping.shape[1])
    same = _cumulative(_likelihood(weeks, rate, clumping))
    other = _cumulative(_likelihood(weeks, moved, clumping))
    return _mixed(_logsum(posterior - _logsum(posterior.ravel()) + same), other, weight)


def _mixed(before: Array, other: Array, weight: Array) -> Evidence:
    """The e-process from the log-likelihoods of the first weeks.

    Args:
        before: Without a change, by (weeks, clumping), rates weighted by the posterior.
        other: After a change, by (weeks, rate, clumping).
        weight: Log of the prior weight of each rate after a change.
    """
    looks = len(other) - 1
    null = _logsum(before)
    not_yet = 1 - np.minimum(np.arange(1, looks + 1), LOOKS) / LOOKS
    total = np.log(np.maximum(not_yet, 1e-300))
    best, since = np.full(looks, -np.inf), np.zeros(looks, dtype=np.int64)
    for start in range(min(looks, LOOKS)):
        gained = _logsum(other[start + 1 :] - (other[start] - weight))
        ratio = _logsum(before[start] + gained) - null[start + 1 :] - np.log(LOOKS)
        total[start:] = np.logaddexp(total[start:], ratio)
        better = ratio > best[start:]
        best[start:] = np.where(better, ratio, best[start:])
        since[start:] = np.where(better, start, since[start:])
    return Evidence(np.exp(np.clip(total, -50.0, 500.0)), since)


def _logsum(logs: Array) -> Any:
    """The log of the sum of exponentials over the second axis, or the only one."""
    axis = min(1, logs.ndim - 1)
    top = logs.max(axis=axis, keepdims=True)
    return np.log(np.exp(logs - top).sum(axis=axis)) + top.squeeze(axis)


def _null(count: float, n: float, weekly: float) -> tuple[Array, Array, Array]:
    """Rates and clumping of the grid without a change, and the log of its prior weights."""
    most = max(1.0, 0.5 * weekly)
    inflation = np.array([value for value in _INFLATIONS if value <= most])
    clumping = np.minimum((inflation - 1) / max(weekly - 1, 1e-9), 0.5)[None, :]
    p = (count + 0.5) / (n + 1)
    spread = np.sqrt(inflation / ((n + 1) * p * (1 - p)))[None, :]
    steps = np.linspace(-_REACH, _REACH, _NODES)[:, None]
    rate = _expit(np.log(p / (1 - p)) + steps * spread)
    return rate, clumping, np.log(spread) + 0.5 * np.log(rate * (1 - rate))


def _moved(count: float, n: float, columns: int) -> tuple[Array, Array]:
    """Rates after a change, by how far the log-odds moved, and the log of their weights."""
    p = (count + 0.5) / (n + 1)
    steps = np.concatenate([-_STEPS[::-1], _STEPS])
    width = np.gradient(steps)
    weight = width * np.exp(-0.5 * (steps / _SPREAD) ** 2)
    rate = np.repeat(_expit(np.log(p / (1 - p)) + steps)[:, None], columns, axis=1)
    return rate, np.log(weight / weight.sum())[:, None]


def _likelihood(weeks: tuple[Array, ...], rate: Array, clumping: Array) -> Array:
    """Log-likelihood of each week at each rate and clumping, without the binomial coefficient."""
    from scipy.special import betaln

    count, n = (part[:, None, None] for part in weeks)
    whole = np.where(clumping > 0, 1 / np.maximum(clumping, 1e-12) - 1, 1.0)
    a, b = np.maximum(rate * whole, 1e-9), np.maximum((1 - rate) * whole, 1e-9)
    plain = count * np.log(rate) + (n - count) * np.log1p(-rate)
    clumped = betaln(count + a, n - count + b) - betaln(a, b)
    return np.asarray(np.where(clumping > 0, clumped, plain), dtype=np.float64)


def _cumulative(likelihood: Array) -> Array:
    zero = np.zeros((1, *likelihood.shape[1:]))
    return np.concatenate([zero, np.cumsum(likelihood, axis=0)])


def _expit(log_odds: Array) -> Array:
    return np.clip(1 / (1 + np.exp(-log_odds)), 1e-9, 1 - 1e-9)
