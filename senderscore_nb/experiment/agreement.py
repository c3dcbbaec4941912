"""How far two ways to judge the same senders agree."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.experiment.points import Array

KappaWeights = Literal["none", "linear", "quadratic"]

_POWERS: dict[str, float] = {"none": 0.0, "linear": 1.0, "quadratic": 2.0}


def weighted_kappa(table: Any, weights: KappaWeights | Array = "linear") -> float | None:
    """Cohen's kappa with weights: agreement beyond what the margins alone would give.

    1 − Σ w·p / Σ w·e with w the weight of a disagreement, p the shares of the table and e those
    that its margins give. Cohen 1960, Educ Psychol Meas 20:37; Cohen 1968, Psychol Bull 70:213;
    quadratic weights: Fleiss & Cohen 1973, Educ Psychol Meas 33:613.

    Args:
        table: Counts or shares, square: bands under one policy by bands under the other.
        weights: `none` (every disagreement counts alike), `linear` (by the bands between),
            `quadratic`, or a square array of weights of disagreement, zero on the diagonal.

    Returns:
        Kappa; None where the table is empty, or where chance alone would agree completely.

    Raises:
        SenderScoreError: The table is not square, holds negative or infinite counts, or the
            weights do not fit it.

    >>> round(weighted_kappa([[53, 5, 2], [11, 14, 5], [1, 6, 3]], "none"), 3)
    0.429
    """
    shares = np.asarray(table, dtype=np.float64)
    if shares.ndim != 2 or shares.shape[0] != shares.shape[1]:
        raise SenderScoreError(f"A table of agreement is square; this one is {shares.shape}.")
    if not np.isfinite(shares).all() or (shares < 0).any():
        raise SenderScoreError("A table of agreement holds counts from 0 on.")
    total = shares.sum()
    if total == 0:
        return None
    apart = _apart(weights, len(shares))
    shares = shares / total
    expected = (apart * np.outer(shares.sum(axis=1), shares.sum(axis=0))).sum()
    return None if expected <= 1e-12 else float(1 - (apart * shares).sum() / expected)


def _apart(weights: KappaWeights | Array, size: int) -> Array:
    if isinstance(weights, str):
        if weights not in _POWERS:
            raise SenderScoreError(
                f"There are no weights {weights!r}.", hint=f"Known: {', '.join(_POWERS)}."
            )
        between = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(float)
        return np.asarray(np.where(between > 0, between ** _POWERS[weights], 0.0))
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (size, size) or np.diag(given).any() or (given < 0).any():
        raise SenderScoreError(
            f"Weights of disagreement are {size} × {size}, from 0 on, and 0 on the diagonal."
        )
    return given


def cross_table(
    one: npt.NDArray[np.int64], two: npt.NDArray[np.int64], shape: tuple[int, int]
) -> npt.NDArray[np.int64]:
    """How often each pair of places occurs together."""
    counts = np.bincount(one * shape[1] + two, minlength=shape[0] * shape[1])
    return counts.reshape(shape).astype(np.int64)


def rank_correlations(one: Array, two: Array) -> tuple[float | None, float | None]:
    """Spearman's and Kendall's (tau-b) correlation of two series of scores.

    Returns:
        Both; None where there are fewer than two senders, or all have the same score.
    """
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(two) == 0:
        return None, None
    from scipy.stats import kendalltau, spearmanr

    return float(spearmanr(one, two).statistic), float(kendalltau(one, two).statistic)
