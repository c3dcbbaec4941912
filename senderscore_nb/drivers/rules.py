"""Run rules of a control chart whose joint rate of false alarms over a year is stated.

The rules are those of the Western Electric handbook (1956) and Nelson (1984, Journal of Quality
Technology 16:237): so many of so many weeks on one side, further than a distance from the centre.
With the handbook's distances (3, 2, 1 and 0 sigmas) four of them together call out a rate in
control in two years of five (Champ & Woodall 1987, Technometrics 29:393). Here the distances are
computed so that they do so no more often than is stated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from senderscore_nb.control import Array, beta_binomial_cdf

WEEKS_A_YEAR = 52
FREEDOM = 0.605
"""Degrees of freedom of sigma for each moving range (Cryer & Ryan 1990)."""


@dataclass(frozen=True)
class Rule:
    """So many (`k`) of the newest `of` weeks on one side, beyond a distance; the newest included.

    Attributes:
        name: As it is shown.
        k: How many weeks lie beyond.
        of: Of how many.
        known_as: Its number in the two handbooks.
    """

    name: str
    k: int
    of: int
    known_as: str


RULES: tuple[Rule, ...] = (
    Rule("beyond the limits", 1, 1, "Western Electric 1, Nelson 1"),
    Rule("two of three", 2, 3, "Western Electric 2, Nelson 5"),
    Rule("four of five", 4, 5, "Western Electric 3, Nelson 6"),
    Rule("nine in a row", 9, 9, "Nelson 2"),
)
"""The rules in use. Nelson's other four (trends, alternation, stratification, mixture) find what
weekly sums of independent enrollments do not do, and each would cost a share of the stated rate."""


@lru_cache(maxsize=4096)
def distance(rule: Rule, baseline_weeks: int, yearly: float) -> float:
    """The distance, in sigmas, at which a rule spends its share of the stated yearly rate.

    Each rule gets an equal share of `yearly`, each week an equal share of that (so the sum over a
    year and over the rules is at most `yearly`, Bonferroni). For normal weeks the chance of a rule
    in a week is computed exactly: given the baseline's error of centre (normal, variance 1 / m)
    and of sigma (chi-squared with 0.605 degrees of freedom for each of the m − 1 moving ranges),
    weeks are independent, and the number beyond is binomial.

    Args:
        rule: The rule.
        baseline_weeks: Weeks m that centre and sigma were taken from, from 2 on.
        yearly: The stated chance of one or more false alarms, of all rules, in 52 weeks.

    >>> round(distance(RULES[0], 10_000, 0.05), 2), round(distance(RULES[3], 10_000, 0.05), 2)
    (3.67, 0.34)
    """
    from scipy.optimize import brentq

    goal = yearly / (WEEKS_A_YEAR * len(RULES))
    return float(brentq(lambda z: chance(rule, z, baseline_weeks) - goal, -1.0, 60.0, xtol=1e-6))


def chance(rule: Rule, z: float, baseline_weeks: int) -> float:
    """The chance that a rule fires in a given week of a rate in control, on either side."""
    from scipy.special import bdtrc, ndtr

    m = baseline_weeks
    error, weight, sigma, density = _errors(m)
    away = z * sigma[None, :] * np.sqrt(1 + 1 / m) - error[:, None] / np.sqrt(m)
    fires = bdtrc(rule.k - 1, rule.of, ndtr(-away))
    if rule.of > rule.k:
        # The newest week has to be one of them.
        without = bdtrc(rule.k - 1, rule.of - 1, ndtr(-away)) * ndtr(away)
        fires = fires - without
    return 2 * float(weight @ fires @ density)


@lru_cache(maxsize=256)
def _errors(m: int) -> tuple[Array, Array, Array, Array]:
    """Nodes and weights of the centre's error (in its own sigmas) and of sigma's (as a factor)."""
    from scipy.stats import chi2

    node, weight = np.polynomial.hermite_e.hermegauss(24)
    freedom = FREEDOM * (m - 1)
    spread = np.sqrt(2 / freedom)
    logs = np.linspace(-14 * spread, min(10 * spread, 3.0), 401)
    square = np.exp(logs)
    density = chi2.pdf(square * freedom, freedom) * square
    return node, weight / weight.sum(), np.sqrt(square), density / density.sum()


@dataclass(frozen=True)
class Past:
    """What the baseline weeks of a series say.

    Attributes:
        count: Their replies or bounces.
        n: Their enrollments.
        sigma: Laney's sigma_z.
        weeks: How many there are.
    """

    count: float
    n: float
    sigma: float
    weeks: int


def sigmas(count: Array, n: Array, past: Past) -> tuple[Array, Array]:
    """How far each week lies above, and below, what the past predicts, in normal sigmas.

    By the tail of a Beta-binomial distribution with the past's spread and the uncertainty of its
    centre, so that it holds for few enrollments and rare events too. Being discrete, it says too
    little rather than too much.
    """
    from scipy.special import ndtri

    a, b = predicted(n, past)
    fewer = beta_binomial_cdf(count, n, a, b)
    more = 1 - beta_binomial_cdf(count - 1, n, a, b)
    floor = 1e-15
    return -ndtri(np.clip(more, floor, 1.0)), -ndtri(np.clip(fewer, floor, 1.0))


def predicted(n: Array, past: Past) -> tuple[Array, Array]:
    """The Beta parameters of the Beta-binomial distribution that a week of n is predicted by."""
    mean = np.clip((past.count + 0.5) / (past.n + 1), 1e-12, 1 - 1e-12)
    inflation = max(1.0, past.sigma) ** 2 * (past.n + 1 + n) / (past.n + 2)
    weight = np.clip((n - inflation) / np.maximum(inflation - 1, 1e-12), 1e-3, 1e6 + 10 * n)
    return mean * weight, (1 - mean) * weight


def fired(count: Array, n: Array, past: Past, *, yearly: float) -> tuple[list[str], list[str]]:
    """The rules that fire in each week, and the side.

    Args:
        count: Replies or bounces of each watched week, in order; only weeks with a rate.
        n: Their denominators.
        past: The baseline, which the weeks are not part of.
        yearly: The stated chance of a false alarm in 52 weeks.

    Returns:
        For each week the names of the rules joined by commas ("" where none fires), and `above`,
        `below` or "".
    """
    names: list[list[str]] = [[] for _ in count]
    sides = [""] * len(count)
    for side, away in zip(("above", "below"), sigmas(count, n, past), strict=True):
        for rule in RULES:
            beyond = away > distance(rule, past.weeks, yearly)
            sums = np.convolve(beyond, np.ones(rule.of))[: len(beyond)]
            for week in np.flatnonzero(beyond & (sums >= rule.k)):
                names[week].append(rule.name)
                sides[week] = side
    return [", ".join(found) for found in names], sides


def limits(count: Array, n: Array, past: Past, *, yearly: float) -> tuple[Array, Array]:
    """The rates that a single week may reach without being beyond the limits.

    The edges lie between the counts that are called out and those that are not; where in between
    comes from the Beta with the mean and variance of the prediction.
    """
    from scipy.special import betainccinv, betaincinv, ndtr

    tail = float(ndtr(-distance(RULES[0], past.weeks, yearly)))
    a, b = predicted(n, past)
    whole = n * (a + b + 1) / (a + b + n) - 1
    mean = a / (a + b)
    whole = np.maximum(whole, 1e-6)
    low = betaincinv(mean * whole, (1 - mean) * whole, tail) - 0.5 / n
    high = betainccinv(mean * whole, (1 - mean) * whole, tail) + 0.5 / n
    up, down = sigmas(count, n, past)
    edge = distance(RULES[0], past.weeks, yearly)
    rate, step = count / n, 0.5 / n
    high = np.where(up > edge, np.minimum(high, rate - step), np.maximum(high, rate))
    low = np.where(down > edge, np.maximum(low, rate + step), np.minimum(low, rate))
    return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)
