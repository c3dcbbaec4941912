"""Grades that part only senders who really differ."""

from __future__ import annotations

import numpy as np
import polars as pl

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.experiment.points import Array, curve_points
from senderscore_nb.experiment.suggestion import MOST_BANDS, Scores, Suggestion, best_partition
from senderscore_nb.policy import ScoringPolicy, load_policy
from senderscore_nb.quantiles import beta_quantiles

_STEPS = 400  # of the scale on which true scores are compared


def suggest_different(
    policy: ScoringPolicy | str,
    scored: pl.DataFrame,
    *,
    confidence: float = 0.9,
    most_bands: int = 6,
) -> Suggestion:
    """Grades such that who is in different grades really differs, as far as can be known.

    For every pair of senders the posterior gives the probability π that the one with the higher
    score truly has the higher score. Parting a pair gains π − confidence, which is a loss where one
    cannot be that sure; the grades are those with the greatest sum over all pairs, found exactly.
    As many grades come out as the senders support. The idea of grading by pairwise probabilities
    is that of Kline, Rose & Walters 2024, American Economic Review 114:2472.

    Args:
        policy: The present policy, whose points are kept.
        scored: As `senderscore_nb.score.score` returns it under that policy, one row a sender.
        confidence: The probability from which on a pair is worth parting, ½ to below 1.
        most_bands: The most grades that there may be.

    Raises:
        SenderScoreError: An option is impossible, or no two senders can be told apart.
    """
    policy = load_policy(policy)
    if not 0.5 <= confidence < 1 or not 2 <= most_bands <= MOST_BANDS:
        raise SenderScoreError(
            f"Expected a confidence from 0.5 to below 1 and 2 to {MOST_BANDS} grades; found "
            f"{confidence:g} and {most_bands}."
        )
    scores = Scores.of(policy, scored)
    higher = pairwise_higher(policy, scores.cohort.counts)
    starts = [0, *scores.gaps]
    ends = [*starts[1:], len(scores.values)]
    within = _within(higher - confidence, starts, ends)
    found = [
        division
        for count in range(1, min(most_bands, len(starts)) + 1)
        if (division := best_partition(len(starts), count, lambda j: -within[:j, j - 1]))
    ]
    cuts, _ = max(found, key=lambda division: (round(division[1], 9), -len(division[0])))
    if not cuts:
        raise SenderScoreError(
            f"No grades part these senders with a confidence of {100 * confidence:g} %.",
            hint="Take more days, or a lower confidence.",
        )
    grade = np.searchsorted([starts[i] for i in cuts], np.arange(len(scores.values)), side="right")
    parted = grade[:, None] > grade[None, :]
    reason = (
        f"{len(cuts) + 1} grades is what these senders support: of the "
        f"{np.count_nonzero(parted)} pairs in different grades the better one is truly better with "
        f"a probability of {100 * higher[parted].mean():.0f} % on average, and parting any pair "
        f"counts as a gain only above {100 * confidence:g} %."
    )
    edges = scores.edges([starts[i] for i in cuts])
    return scores.suggestion("only real differences", "real-differences", edges, reason)


def pairwise_higher(policy: ScoringPolicy, counts: Array) -> Array:
    """The posterior probability that one sender's true score is above another's.

    The true rates have independent Beta posteriors (Jeffreys); each score's is laid out over 1/400
    of the scale. Equal true scores, as where both curves are flat, count half.

    Args:
        policy: The point curves.
        counts: Shape (senders, 3): ended, replied, bounced.

    Returns:
        Shape (senders, senders): row above column; ½ on the diagonal.
    """
    ended, replied, bounced = counts.T
    of_ended = policy.counting.reply_denominator == "ended"
    reply_n = ended if of_ended else ended - bounced
    layers = [
        _laid_out(curve_points(curve, beta_quantiles(count, total)), policy.most)
        for curve, count, total in (
            (policy.reply_points, replied, reply_n),
            (policy.bounce_points, bounced, ended),
        )
    ]
    size = 2 * (_STEPS + 1)
    spectrum = np.fft.rfft(layers[0], size) * np.fft.rfft(layers[1], size)
    density = np.clip(np.fft.irfft(spectrum, size), 0.0, None)
    density /= density.sum(axis=1, keepdims=True)
    below = np.cumsum(density, axis=1) - density / 2
    result = density @ below.T
    np.fill_diagonal(result, 0.5)
    return np.asarray(np.clip(result, 0.0, 1.0))


def _laid_out(points: Array, most: float) -> Array:
    """Equally likely points as shares of a grid's nodes, each between its two neighbours."""
    at = np.clip(points / max(most, 1e-12) * _STEPS, 0.0, _STEPS)
    left = np.minimum(at.astype(np.int64), _STEPS - 1)
    share = at - left
    rows = np.arange(len(points))[:, None] * (_STEPS + 1)
    size = len(points) * (_STEPS + 1)
    mass = np.bincount((rows + left).ravel(), (1 - share).ravel(), size)
    mass += np.bincount((rows + left + 1).ravel(), share.ravel(), size)
    return np.asarray(mass.reshape(len(points), _STEPS + 1) / points.shape[1])


def _within(gain: Array, starts: list[int], ends: list[int]) -> Array:
    """The sum over all pairs (higher, lower) within each segment of different scores."""
    lower = np.tril(gain, -1)
    sums = np.zeros((len(gain) + 1, len(gain) + 1))
    sums[1:, 1:] = lower.cumsum(axis=0).cumsum(axis=1)
    first, last = np.asarray(starts)[:, None], np.asarray(ends)[None, :]
    return np.asarray(sums[last, last] - sums[first, last] - sums[last, first] + sums[first, first])
