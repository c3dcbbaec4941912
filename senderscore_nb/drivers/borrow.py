"""Beta-binomial shrinkage of many rates on two levels, by empirical Bayes over a grid.

A sender's true rate is Beta around the team's rate, a team's rate is normal in log-odds around the
account's. How much senders of a team differ, how much teams differ and what the account's rate is
are read off all counts together, by their marginal likelihood; the likelihood is averaged over a
grid rather than maximised, so that the intervals know that these three are estimates too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from senderscore_nb.control import Array

_SHARES = (np.arange(15) + 0.5) / 15
"""Prior of the shrinkage itself: each share between none and all is as likely (Daniels 1999,
Canadian Journal of Statistics 27:567)."""

_TEAM_SHARES = (np.arange(8) + 0.5) / 8
_RATES = 241
_CENTRES = 61
_MARGIN = 4.0


@dataclass(frozen=True)
class Borrowed:
    """What each sender's rate is worth, by row.

    Attributes:
        rate: Posterior mean.
        deviation: Posterior standard deviation.
        weight: How much of `rate` is the sender's own; the rest is `towards`.
        towards: What it is drawn towards: mostly the team's rate.
        team: The team's rate, posterior mean.
        account: The account's rate, posterior median.
    """

    rate: Array
    deviation: Array
    weight: Array
    towards: Array
    team: Array
    account: float

    def beta(self) -> tuple[Array, Array]:
        """Parameters of the Beta with this mean and deviation."""
        variance = np.maximum(self.deviation**2, 1e-18)
        whole = np.maximum(self.rate * (1 - self.rate) / variance - 1, 1e-3)
        return self.rate * whole, (1 - self.rate) * whole


def borrow(count: Array, n: Array, team: npt.NDArray[np.int64]) -> Borrowed:
    """Shrink each rate towards its team's, and the teams' towards the account's.

    Args:
        count: Replies or bounces by sender.
        n: Their denominators; a sender with 0 gets the team's rate.
        team: Place of each sender's team, from 0; all 0 where there are no teams.

    >>> found = borrow(np.array([0.0, 20.0]), np.array([5.0, 200.0]), np.zeros(2, dtype=np.int64))
    >>> bool(0 < found.rate[0] < 0.1), bool(found.weight[0] < found.weight[1])
    (True, True)
    """
    grid = _grid(count, n, team)
    log = _teams(count, n, team, grid)
    hyper, levels = _levels(log, grid)
    return _moments(count, n, team, grid, _posterior(log, hyper, levels), (hyper, levels))


@dataclass(frozen=True)
class _Grid:
    """Log-odds of teams' rates, size of a team's Beta, and how far teams' log-odds spread."""

    logit: Array
    size: Array
    centre: Array
    spread: Array


def _grid(count: Array, n: Array, team: npt.NDArray[np.int64]) -> _Grid:
    own = np.bincount(team, count), np.bincount(team, n)
    p = (own[0] + 0.5) / (own[1] + 1)
    pooled = (count.sum() + 0.5) / (n.sum() + 1)
    doubt = 1 / np.sqrt((own[1] + 1) * p * (1 - p))
    sizes = n[n > 0]
    typical = len(sizes) / (1 / sizes).sum() if len(sizes) else 1.0
    size = typical * (1 - _SHARES) / _SHARES
    rates = (count + 0.5) / (n + 1)
    between = max(0.3, float(np.std(_logit(rates))))
    logits = np.append(_logit(p), _logit(np.array([pooled])))
    reach = _MARGIN * np.maximum(np.append(doubt, doubt.min()), 0.25 * between)
    low, high = (logits - reach).min(), (logits + reach).max()
    typical_doubt = float(np.median(doubt)) if len(p) > 1 else 1.0
    spread = typical_doubt * np.sqrt((1 - _TEAM_SHARES) / _TEAM_SHARES)
    logit = np.linspace(max(low, -16.0), min(high, 16.0), _RATES)
    return _Grid(logit, size, np.linspace(logit[0], logit[-1], _CENTRES), spread)


def _teams(count: Array, n: Array, team: npt.NDArray[np.int64], grid: _Grid) -> Array:
    """Log-likelihood of each team's counts, by (team, size, rate)."""
    from scipy.special import betaln

    mean = _expit(grid.logit)[None, :]
    a, b = mean * grid.size[:, None], (1 - mean) * grid.size[:, None]
    none = betaln(a, b)
    log = np.zeros((int(team.max(initial=0)) + 1, *a.shape))
    for x, size, place in zip(count, n, team, strict=True):
        log[place] += betaln(x + a, size - x + b) - none
    return log


def _levels(log: Array, grid: _Grid) -> tuple[Array, Array]:
    """Posterior of (size, spread, centre), and the prior of a team's rate given spread, centre."""
    away = (grid.logit[None, None, :] - grid.centre[None, :, None]) / grid.spread[:, None, None]
    prior = np.exp(-0.5 * away**2) + 1e-300
    prior /= prior.sum(axis=2, keepdims=True)
    total = np.zeros((len(grid.size), *prior.shape[:2]))
    for one in log:
        top = one.max(axis=1, keepdims=True)
        total += np.log(np.tensordot(np.exp(one - top), prior, axes=(1, 2)) + 1e-300)
        total += top[:, :, None]
    mean = _expit(grid.centre)
    total += 0.5 * np.log(mean * (1 - mean))
    weight = np.exp(total - total.max())
    return weight / weight.sum(), prior


def _posterior(log: Array, hyper: Array, prior: Array) -> Array:
    """Posterior of (size, rate) for each team."""
    result = np.empty_like(log)
    for place, one in enumerate(log):
        own = np.exp(one - one.max())
        top = one.max(axis=1, keepdims=True)
        own = np.exp(one - top)
        evidence = np.tensordot(own, prior, axes=(1, 2)) + 1e-300
        mixed = np.einsum("ksc,scg->kg", hyper / evidence, prior, optimize=True)
        result[place] = mixed * own
        result[place] /= result[place].sum()
    return result


def _moments(
    count: Array,
    n: Array,
    team: npt.NDArray[np.int64],
    grid: _Grid,
    posterior: Array,
    levels: tuple[Array, Array],
) -> Borrowed:
    mean, size = _expit(grid.logit), grid.size
    by_size = posterior.sum(axis=2)[team]
    towards = (posterior @ mean)[team] / np.maximum(by_size, 1e-300)
    squares = (posterior @ mean**2)[team]
    whole = n[:, None] + size[None, :]
    share = size[None, :] / whole
    raw = count / np.maximum(n, 1e-300)
    own = (by_size * (1 - share)).sum(axis=1)
    drawn = (by_size * share * towards).sum(axis=1)
    rate = own * raw + drawn
    # Given size and team rate m, the mean is (x + s m) / (n + s) =: c + d m.
    c, d = count[:, None] / whole, share
    second = by_size * c**2 + 2 * c * d * by_size * towards + d**2 * squares
    first = by_size * (c + d * towards)
    within = (first - second) / (whole + 1)
    variance = within.sum(axis=1) + second.sum(axis=1) - rate**2
    team_rate = (posterior.sum(axis=1) @ mean)[team]
    centres = np.cumsum(levels[0].sum(axis=(0, 1)))
    account = float(np.interp(0.5, centres, _expit(grid.centre)))
    return Borrowed(
        rate=rate,
        deviation=np.sqrt(np.maximum(variance, 0.0)),
        weight=own,
        towards=drawn / np.maximum(1 - own, 1e-300),
        team=team_rate,
        account=account,
    )


def _logit(rate: Any) -> Any:
    return np.log(rate / (1 - rate))


def _expit(log_odds: Any) -> Any:
    return 1 / (1 + np.exp(-log_odds))
