"""The binomial model behind the factors, on counts in a block of stratum × time × level.

The log-odds of an outcome are a stratum's own (a sender's in a sequence) + a smooth function of
time + the factor's. Strata may be many, so they are eliminated from the equations by block, which
leaves a system of the size of time and factor; the counts stay in a dense block, which makes every
sum over them one along an axis.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

_STEPS = 60
_CLOSE = 1e-9


@dataclass(frozen=True)
class Block:
    """Counts to fit, and what the log-odds may depend on.

    Attributes:
        n: Enrollments, shape (strata, times, levels).
        events: Those with the outcome, the same shape.
        sender: The sender of each stratum, from 0 on and rising.
        time: Columns that describe the times, shape (times, columns).
        design: Columns that describe the factor's levels, shape (levels, columns).
    """

    n: Array
    events: Array
    sender: Ints
    time: Array
    design: Array

    @property
    def columns(self) -> int:
        """Columns beside the strata: the common level, time and factor."""
        return 1 + int(self.time.shape[1]) + int(self.design.shape[1])

    @property
    def of_factor(self) -> slice:
        """Where the factor's columns are among them."""
        return slice(1 + self.time.shape[1], self.columns)


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    Attributes:
        strata: Each stratum's log-odds beside the common one.
        beta: The common log-odds, then those of time and factor.
        rates: Fitted probability in each cell, also in those without enrollments.
        diagonal: The strata's own information, with the penalty's.
        cross: Information that strata and columns share, shape (strata, columns).
        model: Covariance of `beta` where enrollments are independent.
        clustered: Covariance of `beta` by the jackknife over senders.
        moves: What `beta` moves by when a sender is left out, shape (senders, columns).
        own: Each sender's information, shape (senders, columns, columns).
        without: The inverse of the information without a sender, the same shape.
        within: The factor's information within strata, time eliminated.
        total: The same with nothing eliminated but the mean.
    """

    strata: Array
    beta: Array
    rates: Array
    diagonal: Array
    cross: Array
    model: Array
    clustered: Array
    moves: Array
    own: Array
    without: Array
    within: Array
    total: Array


def expit(x: Array) -> Array:
    """The probability of log-odds."""
    from scipy.special import expit as of

    return np.asarray(of(x), dtype=np.float64)


def fit(block: Block) -> Fit:
    """The penalised maximum of the likelihood, and its covariances.

    Every coefficient has a log-F(1, 1) prior around 0, which is worth one enrollment and says no
    more than that an odds ratio is within 1/648 to 648 (Greenland & Mansournia 2015, Stat Med
    34:3133): a level without any event gets a finite coefficient, and levels that are described
    twice over need no reference level.

    The covariance by senders is a jackknife (CR3) in one Newton step for each sender that is left
    out; it is on the safe side where there are few (MacKinnon, Nielsen & Webb 2023, J Econometrics
    232:272).
    """
    start = _start(block)
    strata, beta = np.zeros(block.n.shape[0]), start
    value = -np.inf
    for _ in range(_STEPS):
        rates = _rates(block, strata, beta)
        system = _System.of(block, strata, beta, rates)
        step_strata, step_beta = system.step()
        value = _objective(block, strata, beta) if not np.isfinite(value) else value
        strata, beta, value, moved = _search(block, (strata, beta), (step_strata, step_beta), value)
        if moved < _CLOSE:
            break
    rates = _rates(block, strata, beta)
    return _finish(block, strata, beta, rates)


def _start(block: Block) -> Array:
    total, events = block.n.sum(), block.events.sum()
    p = (events + 0.5) / (total + 1)
    start = np.zeros(block.columns)
    start[0] = np.log(p / (1 - p))
    return start


def _log_odds(block: Block, strata: Array, beta: Array) -> Array:
    times = block.time.shape[1]
    over_time = beta[0] + block.time @ beta[1 : 1 + times]
    by_level = block.design @ beta[1 + times :]
    return np.asarray(
        strata[:, None, None] + over_time[None, :, None] + by_level[None, None, :],
        dtype=np.float64,
    )


def _rates(block: Block, strata: Array, beta: Array) -> Array:
    return expit(_log_odds(block, strata, beta))


def _objective(block: Block, strata: Array, beta: Array) -> float:
    eta = _log_odds(block, strata, beta)
    likelihood = np.vdot(block.events, eta) - np.vdot(block.n, np.logaddexp(0.0, eta))
    return float(likelihood + _prior(strata).sum() + _prior(beta).sum())


def _prior(x: Array) -> Array:
    return np.asarray(x / 2 - np.logaddexp(0.0, x), dtype=np.float64)


def _search(
    block: Block, at: tuple[Array, Array], step: tuple[Array, Array], value: float
) -> tuple[Array, Array, float, float]:
    """The step, halved until it does not lead down."""
    size = max(float(np.abs(s).max(initial=0.0)) for s in step)
    scale = min(1.0, 8.0 / size) if size > 0 else 1.0
    for _ in range(40):
        strata, beta = at[0] + scale * step[0], at[1] + scale * step[1]
        new = _objective(block, strata, beta)
        if new >= value - 1e-9 * abs(value):
            return strata, beta, new, scale * size
        scale /= 2
    return at[0], at[1], value, 0.0


@dataclass(frozen=True)
class _System:
    """The equations of a Newton step, with the strata's part apart."""

    diagonal: Array
    cross: Array
    inner: Array
    strata_score: Array
    score: Array

    @classmethod
    def of(cls, block: Block, strata: Array, beta: Array, rates: Array) -> _System:
        weights = block.n * rates * (1 - rates)
        residuals = block.events - block.n * rates
        prior = expit(strata)
        diagonal = weights.sum((1, 2)) + prior * (1 - prior)
        strata_score = residuals.sum((1, 2)) + 0.5 - prior
        inner, score = _inner(block, weights), _score(block, residuals)
        shrunk = expit(beta)
        inner[np.diag_indices(beta.size)] += shrunk * (1 - shrunk)
        score += 0.5 - shrunk
        return cls(diagonal, _cross(block, weights), inner, strata_score, score)

    def reduced(self) -> Array:
        """The information of the columns with the strata eliminated."""
        return np.asarray(self.inner - self.cross.T @ (self.cross / self.diagonal[:, None]))

    def step(self) -> tuple[Array, Array]:
        right = self.score - self.cross.T @ (self.strata_score / self.diagonal)
        beta: Array = np.asarray(np.linalg.solve(self.reduced(), right), dtype=np.float64)
        return (self.strata_score - self.cross @ beta) / self.diagonal, beta


def _inner(block: Block, weights: Array) -> Array:
    """The columns' information: sums over strata first, then small products."""
    by_cell = weights.sum(0)
    times, levels = by_cell.sum(1), by_cell.sum(0)
    k, size = block.time.shape[1], block.columns
    inner = np.empty((size, size))
    inner[0, 0] = by_cell.sum()
    inner[0, 1 : 1 + k] = inner[1 : 1 + k, 0] = times @ block.time
    inner[0, 1 + k :] = inner[1 + k :, 0] = levels @ block.design
    inner[1 : 1 + k, 1 : 1 + k] = block.time.T @ (times[:, None] * block.time)
    inner[1 : 1 + k, 1 + k :] = block.time.T @ by_cell @ block.design
    inner[1 + k :, 1 : 1 + k] = inner[1 : 1 + k, 1 + k :].T
    inner[1 + k :, 1 + k :] = block.design.T @ (levels[:, None] * block.design)
    return inner


def _score(block: Block, residuals: Array) -> Array:
    by_cell = residuals.sum(0)
    return np.concatenate(
        [[by_cell.sum()], by_cell.sum(1) @ block.time, by_cell.sum(0) @ block.design]
    )


def _cross(block: Block, weights: Array) -> Array:
    """For each stratum the sums of its weights times the columns; also for residuals."""
    by_time, by_level = weights.sum(2), weights.sum(1)
    return np.column_stack([by_time.sum(1), by_time @ block.time, by_level @ block.design])


def _finish(block: Block, strata: Array, beta: Array, rates: Array) -> Fit:
    system = _System.of(block, strata, beta, rates)
    weights = block.n * rates * (1 - rates)
    residuals = block.events - block.n * rates
    reduced = system.reduced()
    own = _by_sender(block, weights, system.diagonal)
    score = _cross(block, residuals)
    score -= system.cross * (residuals.sum((1, 2)) / system.diagonal)[:, None]
    scores = _sum_by(block.sender, score)
    without: Array = np.asarray(np.linalg.inv(reduced[None] - own), dtype=np.float64)
    moves = np.einsum("gij,gj->gi", without, scores)
    senders = len(own)
    clustered = (senders - 1) / senders * (moves.T @ moves)
    return Fit(
        strata=strata,
        beta=beta,
        rates=rates,
        diagonal=system.diagonal,
        cross=system.cross,
        model=np.asarray(np.linalg.inv(reduced), dtype=np.float64),
        clustered=clustered,
        moves=moves,
        own=own,
        without=without,
        within=_within(block, weights),
        total=_total(block, weights),
    )


def _sum_by(sender: Ints, rows: Array) -> Array:
    starts = np.flatnonzero(np.r_[True, sender[1:] != sender[:-1]])
    return np.asarray(np.add.reduceat(rows, starts, axis=0), dtype=np.float64)


def _by_sender(block: Block, weights: Array, diagonal: Array) -> Array:
    """Each sender's share of the reduced information."""
    edges = np.flatnonzero(np.r_[True, block.sender[1:] != block.sender[:-1], True])
    own = np.empty((len(edges) - 1, block.columns, block.columns))
    cross = _cross(block, weights)
    for i, (a, b) in enumerate(itertools.pairwise(edges)):
        own[i] = _inner(block, weights[a:b]) - cross[a:b].T @ (cross[a:b] / diagonal[a:b, None])
    return own


def _within(block: Block, weights: Array) -> Array:
    """What the data, without any prior, know of the factor within strata and apart from time."""
    cross, raw = _cross(block, weights), weights.sum((1, 2))
    known = raw > 0
    whole = _inner(block, weights) - cross[known].T @ (cross[known] / raw[known, None])
    rest, mine = slice(1, block.of_factor.start), block.of_factor
    shared = whole[rest, mine]
    return np.asarray(whole[mine, mine] - shared.T @ np.linalg.pinv(whole[rest, rest]) @ shared)


def _total(block: Block, weights: Array) -> Array:
    levels = weights.sum((0, 1))
    mean = levels @ block.design / max(levels.sum(), 1e-300)
    centred = block.design - mean
    return np.asarray(centred.T @ (levels[:, None] * centred))
