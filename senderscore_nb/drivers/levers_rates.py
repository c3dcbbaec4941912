"""Rates now and with a lever pulled, at the same points for everyone.

The points are quasi-random and the same each time, so that nothing depends on a seed, and now and
then are compared point by point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl

from senderscore_nb.drivers.factors_estimate import Estimate
from senderscore_nb.drivers.factors_fit import Array, Ints, expit
from senderscore_nb.drivers.levers_plan import Plan
from senderscore_nb.policy import PointCurve
from senderscore_nb.quantiles import LEVELS, beta_quantiles

POINTS = 512
"""Points in all."""

_COLUMNS = 64  # two rates, and the levels of two outcomes
_OWN = 10.0  # enrollments that a part's rate is drawn to its subject's by
_CHUNK = 512


def posterior(count: Array, n: Array, column: int) -> Array:
    """Each subject's true rate at the points (Jeffreys prior), shape (subjects, points)."""
    usable = np.isfinite(count) & np.isfinite(n) & (n > 0)
    safe_n = np.where(usable, n, 1.0)
    quantiles = beta_quantiles(np.clip(np.where(usable, count, 0.0), 0, safe_n), safe_n)
    place = np.clip(_uniform(_COLUMNS)[:, column] * LEVELS - 0.5, 0, LEVELS - 1.0001)
    left = place.astype(np.int64)
    share = place - left
    return np.asarray(quantiles[:, left] * (1 - share) + quantiles[:, left + 1] * share)


@dataclass(frozen=True)
class Parts:
    """A subject's enrollments in parts that have a rate of their own: by sender and sequence.

    Attributes:
        owner: The subject of each part.
        weights: Enrollments that the rate is of, shape (parts, levels).
        events: Of each part.
    """

    owner: Ints
    weights: Array
    events: Array


def after_lever(now: Array, parts: Parts, plan: Plan, estimate: Estimate, column: int) -> Array:
    """Each subject's rate with the lever pulled, shape (subjects, points).

    A part's rate is the subject's times what it was, relative to the subject, in the window (as if
    ten more enrollments had the subject's rate). It is the mean over levels of expit(x + level's
    log-odds); x is solved for at each point. The lever then moves levels to others, or leaves them
    out.
    """
    labels = estimate.labels
    odds = _drawn(estimate, column)
    moved = _shifted(odds, plan, labels, estimate)
    touched = [labels.index(x) for x in plan.touched if x in labels]
    kept = parts.weights.copy()
    if plan.lever.kind == "suppress":
        kept[:, touched] = 0.0
    relative = _relative(parts, len(now))
    left, rates = np.zeros(len(now)), np.zeros_like(now)
    for start in range(0, len(parts.owner), _CHUNK):
        rows = slice(start, start + _CHUNK)
        owner, weights = parts.owner[rows], parts.weights[rows]
        mine = np.minimum(now[owner] * relative[rows, None], 1 - 1e-6)
        base = _solved(mine, _shares(weights), odds)
        after = _mean(base, kept[rows], moved if plan.lever.kind == "change" else odds)
        np.add.at(rates, owner, after)
        np.add.at(left, owner, kept[rows].sum(1))
    pulled = np.zeros(len(now))
    np.add.at(pulled, parts.owner, parts.weights[:, touched].sum(1))
    idle = (left <= 1e-9) | (pulled <= 0)
    return np.where(idle[:, None], now, rates / np.maximum(left, 1e-12)[:, None])


def _relative(parts: Parts, subjects: int) -> Array:
    """Each part's rate as a multiple of its subject's, with a mean of one over its enrollments."""
    size = parts.weights.sum(1)
    total, events = np.zeros(subjects), np.zeros(subjects)
    np.add.at(total, parts.owner, size)
    np.add.at(events, parts.owner, parts.events)
    whole = ((events + 0.5) / (total + 1))[parts.owner]
    rate = (parts.events + _OWN * whole) / (size + _OWN)
    mean = np.zeros(subjects)
    np.add.at(mean, parts.owner, rate * size)
    return np.asarray(rate / np.maximum(mean / np.maximum(total, 1e-12), 1e-12)[parts.owner])


def _shares(weights: Array) -> Array:
    return np.asarray(weights / np.maximum(weights.sum(1, keepdims=True), 1e-12))


def _shifted(odds: Array, plan: Plan, labels: Sequence[str], estimate: Estimate) -> Array:
    """Log-odds with each touched level at the mean of its targets."""
    moved = odds.copy()
    for label, targets in plan.targets.items():
        goals = [labels.index(t) for t in targets if t in labels]
        if label in labels and goals:
            precision = 1 / np.maximum(np.diag(estimate.spread)[goals], 1e-9)
            moved[:, labels.index(label)] = odds[:, goals] @ (precision / precision.sum())
    return moved


def _drawn(estimate: Estimate, column: int) -> Array:
    """The levels' log-odds at the points, shape (points, levels)."""
    from scipy.special import ndtri

    values, vectors = np.linalg.eigh(estimate.spread)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    size = len(estimate.labels)
    # The largest directions get the first, most even columns; the two outcomes differ in theirs.
    uniform = _uniform(max(_COLUMNS, 2 + 2 * size))[:, 2 + (size if column else 0) :][:, :size]
    return np.asarray(estimate.log_odds + ndtri(uniform) @ root[:, ::-1].T, dtype=np.float64)


@cache
def _uniform(columns: int) -> Array:
    """Points in the unit cube, the same each time (Sobol, scrambled with a fixed seed)."""
    from scipy.stats.qmc import Sobol

    points = Sobol(columns, scramble=True, rng=np.random.default_rng(1)).random(POINTS)
    return np.clip(np.asarray(points, dtype=np.float64), 1e-6, 1 - 1e-6)


def _mean(base: Array, shares: Array, odds: Array) -> Array:
    total = np.zeros_like(base)
    for level in np.flatnonzero(shares.sum(0) > 0):
        total += shares[:, level, None] * expit(base + odds[None, :, level])
    return total


def _solved(now: Array, shares: Array, odds: Array) -> Array:
    """X at each point, by Newton's steps on the log-odds of the mean."""
    goal = np.clip(now, 1e-9, 1 - 1e-9)
    target = np.log(goal / (1 - goal))
    base = np.asarray(target - shares @ odds.T, dtype=np.float64)
    some = np.asarray(shares.sum(1) > 0)
    for _ in range(30):
        mean = np.clip(_mean(base, shares, odds), 1e-12, 1 - 1e-12)
        step = target - np.log(mean / (1 - mean))
        base = base + np.where(some[:, None], np.clip(step, -3, 3), 0.0)
        if np.abs(step[some]).max(initial=0.0) < 1e-10:
            break
    return base


def points_of(curve: PointCurve, rates: Array) -> Array:
    """A curve's points of many rates."""
    values = pl.select(curve.points(pl.lit(pl.Series(rates.ravel())))).to_series()
    return np.asarray(values.to_numpy(), dtype=np.float64).reshape(rates.shape)
