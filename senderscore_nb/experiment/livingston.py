"""Consistency and accuracy of bands from scores and their reliability alone.

The method of Livingston & Lewis 1995, for scores whose errors are not known one by one. Where the
counts behind the scores are known, `stability.consistency` needs none of its assumptions; this is
the second opinion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.experiment.cohort import Cohort
from senderscore_nb.experiment.points import Array
from senderscore_nb.experiment.repeats import chances_from
from senderscore_nb.policy import ScoringPolicy

_POINTS = 4000  # equally likely true scores
_ROUNDING = 1e-9
_GRID = 200


@dataclass(frozen=True)
class Classification:
    """How consistently and how accurately scores are put into bands.

    Attributes:
        length: Effective length: the number of independent yes-or-no items of equal difficulty
            that would give scores of that reliability.
        consistency: The chance that two parallel measurements give the same band.
        kappa: The same beyond chance; None where chance alone would give it.
        accuracy: The chance that the band is that of the true score.
        shape: The Beta distribution of true scores (as fractions): alpha, beta, lowest, highest.
    """

    length: float
    consistency: float
    kappa: float | None
    accuracy: float
    shape: tuple[float, float, float, float]


def livingston_lewis(
    scores: Sequence[float] | Array,
    reliability: float,
    edges: Sequence[float],
    *,
    most: float = 100.0,
) -> Classification:
    """Classification consistency and accuracy after Livingston & Lewis.

    Livingston & Lewis 1995, Journal of Educational Measurement 32:179. True scores get a
    four-parameter Beta distribution by the method of moments (Lord 1965, Psychometrika 30:239);
    where its limits would leave the scale or it does not exist, a two-parameter one. Errors are
    binomial with the effective length, rounded. Their last step, scaling the table to the observed
    margins, is left out, as is usual today.

    Args:
        scores: Observed scores on a scale from 0 to `most`.
        reliability: Share of the scores' variance that is true variance, above 0 and below 1.
        edges: Lower edges of all bands but the lowest, rising.
        most: The highest possible score.

    Raises:
        SenderScoreError: Too few different scores, or a value that is impossible.
    """
    x = np.asarray(scores, dtype=np.float64) / most
    if not 0 < reliability < 1:
        raise SenderScoreError(f"A reliability is between 0 and 1; found {reliability:g}.")
    if len(x) < 2 or not np.isfinite(x).all() or x.min() < 0 or x.max() > 1 or np.ptp(x) == 0:
        raise SenderScoreError("Expected two different scores at least, on the scale from 0 on.")
    mean, variance = float(x.mean()), float(x.var())
    length = (mean * (1 - mean) - reliability * variance) / (variance * (1 - reliability))
    items = max(1, round(length))
    shape = _true_scores(x * length, length)
    return _classified(shape, items, np.asarray(edges, dtype=np.float64) / most, length)


def reliability(policy: ScoringPolicy, cohort: Cohort, n: int) -> float:
    """Share of the variance of periods' scores that is variance of true scores, 0 to 1.

    Args:
        policy: How they are scored.
        cohort: Whose true rates; every sender counts alike.
        n: Ended enrollments in a period.
    """
    weights = cohort.weights(n)
    step = policy.most / _GRID
    middles = (np.arange(_GRID) + 0.5) * step
    mean = np.zeros((len(weights.replies), len(weights.bounces)))
    square = mean.copy()
    for i in range(0, _GRID, 10):
        part = middles[i : i + 10]
        above = chances_from(policy, weights.replies, weights.bounces, n, part.tolist())
        mean += above.sum(axis=0) * step
        square += 2 * step * np.tensordot(part, above, axes=1)
    together = weights.together
    centre = float((together * mean).sum())
    total = float((together * square).sum()) - centre**2
    between = float((together * mean**2).sum()) - centre**2
    return min(max(between / total, 0.0), 1.0) if total > 1e-12 else 0.0


def _true_scores(x: Array, length: float) -> tuple[float, float, float, float]:
    """The Beta distribution of true scores from the observed ones, as numbers of items right."""
    raw = []
    factorial = np.ones_like(x)
    below = 1.0
    for k in range(4):
        factorial = factorial * (x - k)
        below *= length - k
        raw.append(float(factorial.mean() / below) if below > 0 else np.nan)
    four = _four_parameters(raw)
    if four is not None:
        return four
    mean, variance = raw[0], raw[1] - raw[0] ** 2
    if not 0 < variance < mean * (1 - mean):
        variance = min(max(variance, 1e-6), 0.999 * mean * (1 - mean))
    whole = mean * (1 - mean) / variance - 1
    return mean * whole, (1 - mean) * whole, 0.0, 1.0


def _four_parameters(raw: Sequence[float]) -> tuple[float, float, float, float] | None:
    """Alpha, beta and the limits of a Beta distribution with these raw moments, if there is one.

    From skewness and kurtosis as in Hanson 1991, ACT Research Report 91-5.
    """
    m1, m2, m3, m4 = raw
    variance = m2 - m1**2
    if not np.isfinite(raw).all() or variance <= 0:
        return None
    skew = (m3 - 3 * m1 * m2 + 2 * m1**3) / variance**1.5
    kurtosis = (m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4) / variance**2
    below = 6 + 3 * skew**2 - 2 * kurtosis
    if abs(below) < 1e-12:
        return None
    r = 6 * (kurtosis - skew**2 - 1) / below
    under = (r + 2) * (r + 3) * kurtosis - 3 * (r + 1) * (r - 6)
    if r <= 0 or under == 0:
        return None
    root = 1 - 24 * (r + 1) / under
    if root < 0:
        return None
    small, large = r / 2 * (1 - np.sqrt(root)), r / 2 * (1 + np.sqrt(root))
    alpha, beta = (small, large) if skew > 0 else (large, small)
    if alpha <= 0 or beta <= 0:
        return None
    width = np.sqrt(variance * r**2 * (r + 1) / (alpha * beta))
    low = m1 - width * alpha / r
    if low < -_ROUNDING or low + width > 1 + _ROUNDING:
        return None
    return float(alpha), float(beta), max(float(low), 0.0), min(float(low + width), 1.0)


def _classified(
    shape: tuple[float, float, float, float], items: int, edges: Array, length: float
) -> Classification:
    from scipy.special import betaincinv
    from scipy.stats import binom

    alpha, beta, low, high = shape
    truth = low + (high - low) * betaincinv(alpha, beta, (np.arange(_POINTS) + 0.5) / _POINTS)
    needed = np.ceil(edges * items - 1e-9)
    above = binom.sf(needed[:, None] - 1, items, truth[None, :])
    whole = np.concatenate([np.ones((1, len(truth))), above, np.zeros((1, len(truth)))])
    chances = whole[:-1] - whole[1:]
    same = float((chances**2).sum(axis=0).mean())
    by_chance = float((chances.mean(axis=1) ** 2).sum())
    place = np.searchsorted(edges, truth, side="right")
    right = chances[place, np.arange(len(truth))]
    kappa = (same - by_chance) / (1 - by_chance) if by_chance < 1 - 1e-9 else None
    return Classification(length, same, kappa, float(right.mean()), shape)
