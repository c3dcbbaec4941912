"""How sure a rate, a score, a band and a change are.

Everything here is computed, not sampled: the same counts give the same certainty every time.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.policy import PointCurve, ScoringPolicy
from senderscore_nb.quantiles import beta_quantiles, limits, shares_above

Array: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.int64] | npt.NDArray[np.float64]

CERTAIN = 0.95
"""A band is worded as certain from this probability on."""
PROBABLE = 0.75
"""A band is worded as probable from this probability on."""

_NODES = 400  # steps of the grid on which the score's interval is read off
_CHUNK = 4096
_LARGE = 5_000  # enrollments from which the posterior is narrower than a cell


def quantile(confidence: float) -> float:
    """The two-sided standard normal quantile of a confidence level.

    >>> round(quantile(0.95), 3)
    1.96
    """
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(count: pl.Expr, n: pl.Expr, *, confidence: float = 0.95) -> tuple[pl.Expr, pl.Expr]:
    """The Wilson score interval of a proportion, as two expressions.

    Null where n is 0 or unknown. Wilson 1927; checked against Newcombe 1998, Stat Med 17:857.

    >>> low, high = wilson(pl.lit(15), pl.lit(148))
    >>> [round(pl.select(e).item(), 4) for e in (low, high)]
    [0.0624, 0.1605]
    """
    z = quantile(confidence)
    n = pl.when(n > 0).then(n).cast(pl.Float64)
    p = count / n
    centre = p + z * z / (2 * n)
    half = z * ((p * (1 - p) + z * z / (4 * n)) / n).sqrt()
    scale = 1 + z * z / n
    low = pl.when(count == 0).then(n * 0.0).otherwise((centre - half) / scale)
    high = pl.when(count == n).then(n * 0.0 + 1.0).otherwise((centre + half) / scale)
    return low, high


def difference(
    now: tuple[pl.Expr, pl.Expr, pl.Expr],
    before: tuple[pl.Expr, pl.Expr, pl.Expr],
    *,
    correlation: pl.Expr | float = 0.0,
) -> tuple[pl.Expr, pl.Expr]:
    """The interval of a difference from the intervals of its two sides ("square and add").

    With Wilson intervals and no correlation it is Newcombe's hybrid interval (1998, Stat Med
    17:873, method 10); for other quantities, and correlated ones, Zou & Donner 2008 (MOVER).

    Args:
        now: Estimate, lower and upper limit of the minuend.
        before: The same of the subtrahend.
        correlation: Of the two estimates, such as two periods that share days.
    """
    (x, x_low, x_high), (y, y_low, y_high) = now, before

    def half(a: pl.Expr, b: pl.Expr) -> pl.Expr:
        return (a * a + b * b - 2 * correlation * a * b).clip(lower_bound=0).sqrt()

    d = x - y
    return d - half(x - x_low, y_high - y), d + half(x_high - x, y - y_low)


@dataclass(frozen=True)
class ScoreCertainty:
    """What the counts say about the true score, row by row.

    Attributes:
        low: Lower limit of the score's interval.
        high: Upper limit.
        bands: Probability of each band, shape (rows, bands), from the lowest band on.
    """

    low: Array
    high: Array
    bands: Array


def score_certainty(
    counts: Counts, policy: ScoringPolicy, *, confidence: float = 0.95
) -> ScoreCertainty:
    """The posterior of the score, through the policy's point curves.

    The true reply rate and the true bounce rate get independent Beta posteriors (Jeffreys prior,
    Beta(½, ½)). Each curve is cut into cells of at most one point; a cell holds its exact
    posterior mass, spread evenly over the points it covers, or all at one value where the curve
    is flat. The bands' probabilities are the sums of these cells; the interval is the equal-tailed
    one, read off a grid of 1/400 of the scale. From 5,000 enrollments on, where a posterior is
    narrower than a cell, both come from all pairs of 201 quantiles of the two rates instead.

    Args:
        counts: Shape (rows, 4): replies and their denominator, bounces and theirs. They need not
            be whole: c of n stands for a posterior Beta(c + ½, n − c + ½).
        policy: The curves and the bands.
        confidence: Of the interval.
    """
    if len(counts) == 0:
        return ScoreCertainty(np.empty(0), np.empty(0), np.empty((0, len(policy.bands))))
    values: Array = counts.astype(np.float64)
    distinct, where = np.unique(values, axis=0, return_inverse=True)
    large = distinct[:, 3] >= _LARGE
    low, high = np.empty(len(distinct)), np.empty(len(distinct))
    bands = np.empty((len(distinct), len(policy.bands)))
    for rows, method, size in (
        (np.flatnonzero(~large), _by_cells, _CHUNK),
        (np.flatnonzero(large), _by_quantiles, _CHUNK // 64),
    ):
        for i in range(0, len(rows), size):
            part = rows[i : i + size]
            low[part], high[part], bands[part] = method(distinct[part], policy, confidence)
    where = where.reshape(-1)
    return ScoreCertainty(low[where], high[where], bands[where])


def wording(names: Sequence[str], probabilities: Sequence[float]) -> str:
    """Which band a sender is in, worded no more certain than it is.

    >>> wording(["Low", "Fair", "Good"], [0.0, 0.01, 0.99])
    'Good'
    >>> wording(["Low", "Fair", "Good"], [0.0, 0.45, 0.55])
    'Fair or Good'
    """
    best = max(range(len(names)), key=probabilities.__getitem__)
    if probabilities[best] >= CERTAIN:
        return names[best]
    if probabilities[best] >= PROBABLE:
        return f"probably {names[best]}"
    first = last = best
    while sum(probabilities[first : last + 1]) < PROBABLE:
        below = probabilities[first - 1] if first > 0 else -1.0
        above = probabilities[last + 1] if last + 1 < len(names) else -1.0
        if below >= above:
            first -= 1
        else:
            last += 1
    return (
        " or ".join(names[first : last + 1])
        if last - first < 2
        else (f"{names[first]} to {names[last]}")
    )


@dataclass(frozen=True)
class _Cells:
    """A point curve cut into cells: edges in rates, and the points each cell covers."""

    edges: Array
    low: Array
    high: Array


def _cells(curve: PointCurve) -> _Cells:
    rates = [rate for rate, _ in curve.knots]
    points = [value for _, value in curve.knots]
    edges: list[float] = [0.0]
    spans: list[tuple[float, float]] = []

    def add(until: float, start: float, stop: float) -> None:
        if until <= edges[-1]:
            return
        n = max(1, int(np.ceil(abs(stop - start) / max(curve.most / 50, 1e-12))))
        edges.extend(np.linspace(edges[-1], until, n + 1)[1:].tolist())
        cuts = np.linspace(start, stop, n + 1)
        spans.extend((min(a, b), max(a, b)) for a, b in itertools.pairwise(cuts))

    add(rates[0], points[0], points[0])
    for i in range(1, len(rates)):
        stop = points[i] if curve.interpolation == "linear" else points[i - 1]
        add(rates[i], points[i - 1], stop)
    add(1.0, points[-1], points[-1])
    low, high = np.array(spans).T
    return _Cells(np.array(edges), low, high)


def _masses(cells: _Cells, count: Array, n: Array) -> Array:
    from scipy.special import betainc

    cdf = betainc(count[:, None] + 0.5, (n - count)[:, None] + 0.5, cells.edges[None, :])
    return np.asarray(np.diff(cdf, axis=1), dtype=np.float64)


def _share_below(low: Array, high: Array, edge: Any) -> Array:
    """The share of a cell that lies below an edge; a flat cell lies below it or not."""
    width = high - low
    flat = width <= 0
    inside = (edge - low) / np.where(flat, 1.0, width)
    return np.asarray(np.where(flat, low < edge, np.clip(inside, 0.0, 1.0)), dtype=np.float64)


def _joint_below(replies: _Cells, bounces: _Cells, edge: float) -> Array:
    """The share of each pair of cells whose points sum to less than an edge (Simpson's rule)."""

    def given(points: Array) -> Array:
        return _share_below(replies.low[:, None], replies.high[:, None], edge - points)

    middle = (bounces.low + bounces.high) / 2
    return (given(bounces.low) + 4 * given(middle) + given(bounces.high)) / 6


def curve_points(curve: PointCurve, rates: Array) -> Array:
    """Points of an array of rates, as `PointCurve.points` gives those of a column.

    Not a number where a rate is not one.
    """
    knots, points = (np.array(part, dtype=np.float64) for part in zip(*curve.knots, strict=True))
    if curve.interpolation == "linear":
        return np.asarray(np.interp(rates, knots, points), dtype=np.float64)
    place = np.maximum(np.searchsorted(knots, rates, side="right") - 1, 0)
    return np.where(np.isnan(rates), np.nan, points[place])


def _by_quantiles(
    counts: Array, policy: ScoringPolicy, confidence: float
) -> tuple[Array, Array, Array]:
    replied, reply_n, bounced, bounce_n = counts.T

    replies = curve_points(policy.reply_points, beta_quantiles(replied, reply_n))
    bounces = curve_points(policy.bounce_points, beta_quantiles(bounced, bounce_n))[:, ::-1]
    edges = [band.lower - 1e-9 for band in policy.bands]
    above = np.column_stack([shares_above(replies, bounces, edges), np.zeros(len(counts))])
    low, high = limits(replies, bounces, (1 - confidence) / 2)
    return low, high, above[:, :-1] - above[:, 1:]


def _by_cells(
    counts: Array, policy: ScoringPolicy, confidence: float
) -> tuple[Array, Array, Array]:
    replied, reply_n, bounced, bounce_n = counts.T
    replies, bounces = _cells(policy.reply_points), _cells(policy.bounce_points)
    a, b = _masses(replies, replied, reply_n), _masses(bounces, bounced, bounce_n)
    below = [
        ((a @ _joint_below(replies, bounces, band.lower - 1e-9)) * b).sum(1)
        for band in policy.bands[1:]
    ]
    cumulative = np.column_stack([np.zeros(len(a)), *below, np.ones(len(a))])
    bands = np.clip(np.diff(cumulative, axis=1), 0.0, 1.0)
    low, high = _interval(a, b, replies, bounces, policy.most, confidence)
    return low, high, bands


def _interval(
    a: Array, b: Array, replies: _Cells, bounces: _Cells, most: float, confidence: float
) -> tuple[Array, Array]:
    step = max(most, 1e-12) / _NODES
    borders = (np.arange(_NODES + 2) - 0.5) * step

    def on_grid(masses: Array, cells: _Cells) -> Array:
        below = _share_below(cells.low[:, None], cells.high[:, None], borders[None, :])
        return masses @ np.diff(below, axis=1)

    size = 2 * (_NODES + 1)
    spectrum = np.fft.rfft(on_grid(a, replies), size) * np.fft.rfft(on_grid(b, bounces), size)
    density = np.clip(np.fft.irfft(spectrum, size)[:, : _NODES + 1], 0.0, None)
    cdf = np.cumsum(density, axis=1) / density.sum(1, keepdims=True)
    tail = (1 - confidence) / 2
    limits = [np.argmax(cdf >= level - 1e-12, axis=1) * step for level in (tail, 1 - tail)]
    return np.clip(limits[0], 0.0, most), np.clip(limits[1], 0.0, most)


def control_limits(
    centre: pl.Expr | float, n: pl.Expr, *, sigmas: float = 3.0
) -> tuple[pl.Expr, pl.Expr]:
    """The limits of a proportion's control chart (p-chart, funnel plot) at sample size n.

    centre ± sigmas · √(centre · (1 − centre) / n), cut at 0 and 1. Montgomery, Introduction to
    Statistical Quality Control; Spiegelhalter 2005, Stat Med 24:1185 for the funnel.

    >>> low, high = control_limits(0.2313, pl.lit(50))
    >>> [round(pl.select(e).item(), 4) for e in (low, high)]
    [0.0524, 0.4102]
    """
    middle = centre if isinstance(centre, pl.Expr) else pl.lit(centre)
    half = sigmas * (middle * (1 - middle) / pl.when(n > 0).then(n)).sqrt()
    return (middle - half).clip(0.0, 1.0), (middle + half).clip(0.0, 1.0)


def beyond_limits(
    count: npt.NDArray[Any], n: npt.NDArray[Any], centre: float, *, confidence: float = 0.998
) -> npt.NDArray[np.bool_]:
    """Whether each count is further from n · centre than chance allows, by exact binomial tails.

    The limits that are drawn are normal approximations, and far too narrow for a handful of
    enrollments; a sender is only ever called out by this.

    >>> beyond_limits(np.array([1, 30]), np.array([2, 300]), 0.024).tolist()
    [False, True]
    """
    from scipy.special import bdtr, bdtrc

    tail = (1 - confidence) / 2
    fewer = bdtr(count.astype(float), n.astype(np.int64), centre)
    more = np.where(count > 0, bdtrc(count - 1.0, n.astype(np.int64), centre), 1.0)
    return np.asarray((fewer < tail) | (more < tail))
