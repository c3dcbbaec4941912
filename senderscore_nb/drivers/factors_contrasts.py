"""What a fitted model says of levels: rates as they would be for the same enrollments, and tests.

A level is held against all others in the strata where both occur, so that nothing is compared that
no sender and sequence has both of. Rates are standardised: the fitted rate of each level over one
and the same enrollments (Lane & Nelder 1982, Biometrics 38:613); errors are by the delta method.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from senderscore_nb.drivers.factors_fit import Array, Block, Fit

LEAST_FREEDOM = 4.0
"""Degrees of freedom below which senders are too few to take the error from how they differ."""

FEW_EVENTS = 10
"""Events of a level below which its error is the larger of the two."""

_LEAST_RATIO = 0.05  # of the variances: senders who agree better than that are no evidence
_KNOWN = 1.0  # information from which a direction of the factor is estimated, not the prior's


@dataclass(frozen=True)
class Error:
    """A standard error, and what its interval is taken from.

    Attributes:
        size: The standard error.
        freedom: Degrees of freedom of Student's t; infinite for the normal distribution.
        clustered: Whether it comes from how senders differ.
        alone: The standard error if enrollments were independent.
    """

    size: float
    freedom: float
    clustered: bool
    alone: float

    def half(self, confidence: float) -> float:
        """Half the width of an interval."""
        if np.isinf(self.freedom):
            return NormalDist().inv_cdf(0.5 + confidence / 2) * self.size
        from scipy.special import stdtrit

        return float(stdtrit(self.freedom, 0.5 + confidence / 2)) * self.size

    def p_value(self, estimate: float) -> float:
        """Of no difference, two-sided."""
        from scipy.special import ndtr, stdtr

        if self.size <= 0:
            return 1.0
        t = -abs(estimate) / self.size
        return float(2 * (ndtr(t) if np.isinf(self.freedom) else stdtr(self.freedom, t)))


@dataclass(frozen=True)
class Contrast:
    """A difference of two standardised rates, and of their log-odds.

    Attributes:
        rate: Standardised rate of the level.
        against: Of what it is held against, over the same enrollments.
        error: Of the difference.
        log_odds: The difference of log-odds.
        log_odds_error: Its error.
        share: The share of enrollments in the strata that it is taken from.
        senders: Senders in these strata.
    """

    rate: float
    against: float
    error: Error
    log_odds: float
    log_odds_error: Error
    share: float
    senders: int

    @property
    def difference(self) -> float:
        """Of the rates."""
        return self.rate - self.against


class Standard:
    """The sums that standardised rates and their gradients are made of, by stratum and level."""

    def __init__(self, block: Block, fit: Fit) -> None:
        """Sum fitted rates and their slopes over all enrollments of each stratum and time."""
        self.block, self.fit = block, fit
        who = block.n.sum(2)[:, :, None]
        self.rates = np.asarray((who * fit.rates).sum(1))
        slopes = who * (fit.rates * (1 - fit.rates))
        self.slopes = np.asarray(slopes.sum(1))
        self.in_time = np.asarray(np.einsum("stl,tk->slk", slopes, block.time, optimize=True))
        self.size = np.asarray(block.n.sum(1))

    def gradient(self, weights: Array) -> tuple[Array, Array]:
        """Of the weighted sum of `rates`, in the strata's and in the columns' coefficients."""
        by_stratum = (weights * self.slopes).sum(1)
        in_time = np.einsum("sl,slk->k", weights, self.in_time)
        in_design = self.block.design.T @ (weights * self.slopes).sum(0)
        return by_stratum, np.concatenate([[by_stratum.sum()], in_time, in_design])

    def error(self, by_stratum: Array, gradient: Array, *, few: bool = False) -> Error:
        """The standard error of what has this gradient."""
        fit = self.fit
        reduced = gradient - fit.cross.T @ (by_stratum / fit.diagonal)
        alone = float((by_stratum**2 / fit.diagonal).sum())
        model = alone + float(reduced @ fit.model @ reduced)
        freedom = freedom_of(fit, reduced)
        if freedom < LEAST_FREEDOM:
            alone_size = float(np.sqrt(model))
            return Error(alone_size, np.inf, clustered=False, alone=alone_size)
        clustered = alone + float(reduced @ fit.clustered @ reduced)
        clustered = max(clustered, _LEAST_RATIO * model)
        size = max(model, clustered) if few else clustered
        return Error(float(np.sqrt(size)), freedom, clustered=True, alone=float(np.sqrt(model)))

    def whole_rate(self, level: int) -> tuple[float, Error]:
        """A level's rate over all enrollments."""
        weights = np.zeros_like(self.rates)
        weights[:, level] = 1 / self.size.sum()
        return float((weights * self.rates).sum()), self.error(*self.gradient(weights))

    def level(self, level: int) -> Contrast | None:
        """A level against all others, in the strata that have both; None where none has."""
        mine = self.size[:, level]
        others = self.size.sum(1) - mine
        both = (mine > 0) & (others > 0)
        if not both.any():
            return None
        whole = self.size[both].sum()
        weights = np.zeros_like(self.size)
        weights[both] = -self.size[both] / others[both, None] / whole
        weights[:, level] = np.where(both, 1 / whole, 0.0)
        shares = -weights * self.size.sum(1)[:, None]
        shares[:, level] = 0.0
        apart = -shares.sum(0)
        apart[level] = 1.0
        few = self.block.events[:, :, level].sum() < FEW_EVENTS
        return self._contrast(weights, level, apart, both, few=bool(few))

    def between(self, high: int, low: int) -> Contrast:
        """One level against another over all enrollments, as of a number."""
        weights = np.zeros_like(self.size)
        weights[:, high], weights[:, low] = 1 / self.size.sum(), -1 / self.size.sum()
        apart = np.zeros(self.size.shape[1])
        apart[high], apart[low] = 1.0, -1.0
        everywhere = np.full(len(self.size), 1.0)
        return self._contrast(weights, high, apart, everywhere, few=False)

    def _contrast(
        self, weights: Array, level: int, apart: Array, strata: npt.NDArray[Any], *, few: bool
    ) -> Contrast:
        block, fit = self.block, self.fit
        rate = float((weights[:, level] * self.rates[:, level]).sum())
        against = rate - float((weights * self.rates).sum())
        coefficients = np.zeros(block.columns)
        coefficients[block.of_factor] = block.design.T @ apart
        log_odds = float(coefficients @ fit.beta)
        chosen = np.asarray(strata, dtype=np.bool_)
        return Contrast(
            rate=rate,
            against=against,
            error=self.error(*self.gradient(weights), few=few),
            log_odds=log_odds,
            log_odds_error=self.error(np.zeros(len(fit.strata)), coefficients, few=few),
            share=float(self.size[chosen].sum() / self.size.sum()),
            senders=len(np.unique(block.sender[chosen])),
        )


def freedom_of(fit: Fit, gradient: Array) -> float:
    """Satterthwaite's degrees of freedom of a jackknifed variance.

    (Σ v)² / Σ v², where v is what a sender adds to the variance under the model (Bell & McCaffrey
    2002, Survey Methodology 28:169): as many senders as there effectively are, and never more than
    there are but one.
    """
    if len(fit.own) < 2:
        return 0.0
    turned = fit.without @ gradient
    added = np.einsum("gi,gij,gj->g", turned, fit.own, turned)
    total = float((added**2).sum())
    return min(float(added.sum()) ** 2 / total, len(fit.own) - 1.0) if total > 0 else 0.0


@dataclass(frozen=True)
class Joint:
    """A test of all levels at once.

    Attributes:
        f: Wald's statistic over its degrees of freedom, corrected for how senders differ.
        directions: How many differences of levels can be told within strata.
        freedom: Of the denominator.
        p_value: Of no difference between any levels.
        known: The share of the factor's information that is left within strata.
    """

    f: float
    directions: int
    freedom: float
    p_value: float
    known: float


def joint_test(block: Block, fit: Fit) -> Joint:
    """Whether any levels differ, by Wald's test with a correction of the first order.

    The statistic is divided by the mean ratio of the variances with and without senders (Rao &
    Scott 1984, Ann Stat 12:46), in the directions that are estimated within strata at all.
    """
    from scipy.stats import f as f_distribution

    information, turned = np.linalg.eigh(fit.within)
    total = float(np.trace(fit.total))
    share = float(np.clip(information, 0, None).sum()) / total if total > 0 else 0.0
    told = information > max(_KNOWN, 1e-9 * float(information.max(initial=0.0)))
    directions = int(told.sum())
    if directions == 0:
        return Joint(0.0, 0, np.inf, 1.0, share)
    gamma = fit.beta[block.of_factor]
    statistic = float((information[told] * (turned[:, told].T @ gamma) ** 2).sum())
    ratios, doubts = [], []
    for column, known in zip(turned[:, told].T, information[told], strict=True):
        gradient = np.zeros(block.columns)
        gradient[block.of_factor] = column
        freedom = freedom_of(fit, gradient)
        enough = freedom >= LEAST_FREEDOM
        ratios.append(known * float(gradient @ fit.clustered @ gradient) if enough else 1.0)
        doubts.append(ratios[-1] ** 2 / freedom if enough else 0.0)
    f = statistic / directions / max(float(np.mean(ratios)), 1e-12)
    freedom = float(np.sum(ratios)) ** 2 / np.sum(doubts) if np.sum(doubts) > 0 else np.inf
    p = float(f_distribution.sf(f, directions, min(freedom, 1e9)))
    return Joint(f, directions, freedom, p, share)
