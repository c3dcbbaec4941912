"""How many enrollments it takes to tell a difference of so many points."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import polars as pl

from senderscore_nb.control import Array
from senderscore_nb.drivers.climb import points as points_of
from senderscore_nb.errors import SelectionError
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy

MOST = 10**9
"""More enrollments than this are called out of reach."""

WAYS: tuple[str, ...] = ("more replies", "fewer replies", "fewer bounces", "more bounces")

_COLUMNS = {
    "points": pl.Float64,
    "way": pl.String,
    "measure": pl.String,
    "from_rate": pl.Float64,
    "to_rate": pl.Float64,
    "by_rate": pl.Int64,
    "by_score": pl.Int64,
}


@dataclass(frozen=True)
class State:
    """Two true rates, fractions: of a reply and of a bounce."""

    reply_rate: float
    bounce_rate: float


@dataclass(frozen=True)
class TwoSided:
    """A two-sided test: the chance of an error where there is no difference, and of finding one."""

    alpha: float = 0.05
    power: float = 0.8

    @property
    def z(self) -> float:
        """The distance from which a difference is called one, in standard deviations."""
        return NormalDist().inv_cdf(1 - self.alpha / 2)


def sample_size_for(
    points: float | Sequence[float],
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    reply_rate: float = 0.07,
    bounce_rate: float = 0.03,
    power: float = 0.8,
    alpha: float = 0.05,
) -> pl.DataFrame:
    """The ended enrollments on each side that tell a difference of so many points.

    A difference of points comes about through one of the rates. `by_rate` compares that rate
    alone, by the usual test of two proportions (Fleiss, Levin & Paik 2003, Statistical Methods for
    Rates and Proportions, section 4.2, without the correction for continuity). `by_score` compares
    the two scores, which takes more: a score carries the noise of both rates, bent by the curves.

    Args:
        points: One difference or several, above 0.
        policy: Whose curves turn rates into points.
        reply_rate: Of the one side, a fraction.
        bounce_rate: Of the one side, a fraction.
        power: The chance of telling the difference where there is one.
        alpha: The chance of telling one where there is none, both sides together.

    Returns:
        For each difference a row for each of `WAYS`: `points`, `way`, `measure`, `from_rate`,
        `to_rate`, `by_rate`, `by_score` (ended enrollments on each side). `to_rate` is null where
        the curve has no such difference to give, the numbers also where they are beyond 1e9.

    Raises:
        SelectionError: A number is out of its range.

    >>> found = sample_size_for(5, reply_rate=0.07)
    >>> found.filter(way="more replies").select("to_rate", "by_rate").row(0)
    (0.1, 1398)
    """
    policy = load_policy(policy)
    asked = [float(points)] if isinstance(points, int | float) else [float(p) for p in points]
    _check(asked, reply_rate, bounce_rate, power, alpha)
    state, test = State(reply_rate, bounce_rate), TwoSided(alpha, power)
    rows = [_row(p, way, state, policy, test) for p in asked for way in WAYS]
    return pl.DataFrame(rows, schema=_COLUMNS, orient="row")


def power_curve(
    points: float,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    reply_rate: float = 0.07,
    bounce_rate: float = 0.03,
    alpha: float = 0.05,
    sizes: Sequence[int] | None = None,
) -> pl.DataFrame:
    """The chance of telling a difference of points, by ended enrollments on each side.

    Args:
        points: The difference.
        policy: Whose curves turn rates into points.
        reply_rate: Of the one side.
        bounce_rate: Of the one side.
        alpha: As `sample_size_for` takes it.
        sizes: Ended enrollments on each side; 50 to 20,000 in even ratios unless given.

    Returns:
        `way`, `n`, `by_rate`, `by_score` (chances, 0–1), for the ways that there are.

    Raises:
        SelectionError: A number is out of its range.
    """
    policy = load_policy(policy)
    _check([points], reply_rate, bounce_rate, 0.8, alpha)
    given = np.geomspace(50, 20_000, 41).round() if sizes is None else np.asarray(sizes)
    state, test = State(reply_rate, bounce_rate), TwoSided(alpha)
    rows = []
    for way in WAYS:
        other = _moved(points, way, state, policy)
        if other is not None:
            rows += [
                (way, int(n), _rate_power(n, way, (state, other), policy, test),
                 score_power(n, (state, other), policy, test))
                for n in given
            ]  # fmt: skip
    schema = {"way": pl.String, "n": pl.Int64, "by_rate": pl.Float64, "by_score": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def enrollments_to_tell(
    points: float, state: State, policy: ScoringPolicy, test: TwoSided
) -> int | None:
    """Ended enrollments on each side that tell two scores apart, both as noisy as at these rates.

    None where more than 1e9 would be needed.
    """

    def power(n: float) -> float:
        _, deviation = _score(state, n, policy)
        return _found(points, math.sqrt(2) * deviation, test)

    return smallest(power, test.power)


def proportions_power(p: float, q: float, n: float, test: TwoSided) -> float:
    """The power of the two-sided test of two proportions, on n each."""
    mean = (p + q) / 2
    under, apart = 2 * mean * (1 - mean), p * (1 - p) + q * (1 - q)
    if apart <= 0:
        return 1.0 if p != q else 0.0
    distance = abs(p - q) * math.sqrt(n) - test.z * math.sqrt(under)
    return NormalDist().cdf(distance / math.sqrt(apart))


def score_power(
    n: float, states: tuple[State, State], policy: ScoringPolicy, test: TwoSided
) -> float:
    """The power of telling two scores apart on n ended enrollments each."""
    (mean, deviation), (other, doubt) = (_score(state, n, policy) for state in states)
    return _found(abs(mean - other), math.hypot(deviation, doubt), test)


def smallest(power: Callable[[float], float], enough: float) -> int | None:
    """The smallest whole number from which a rising power is enough; None above 1e9."""
    low, high = 1, 2
    while power(high) < enough:
        low, high = high, high * 2
        if high > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle) >= enough else (middle, high)
    return high


def _check(
    points: Sequence[float], reply_rate: float, bounce_rate: float, power: float, alpha: float
) -> None:
    for value in points:
        if not (math.isfinite(value) and value > 0):
            raise SelectionError(f"A difference of {value:g} points cannot be told; it must be "
                                 "above 0.")  # fmt: skip
    for name, value in (("reply_rate", reply_rate), ("bounce_rate", bounce_rate)):
        if not 0 <= value < 1:
            raise SelectionError(
                f"{name}: a rate is a fraction from 0 to below 1, found {value:g}.",
                hint="Write 7 % as 0.07.",
            )
    if not 0 < alpha < power < 1:
        raise SelectionError(
            f"The power {power:g} must lie above the error {alpha:g}, both between 0 and 1."
        )


def _row(
    points: float, way: str, state: State, policy: ScoringPolicy, test: TwoSided
) -> tuple[object, ...]:
    measure = "reply_rate" if "replies" in way else "bounce_rate"
    other = _moved(points, way, state, policy)
    start = getattr(state, measure)
    if other is None:
        return points, way, measure, start, None, None, None
    states = (state, other)
    by_rate = smallest(lambda n: _rate_power(n, way, states, policy, test), test.power)
    by_score = smallest(lambda n: score_power(n, states, policy, test), test.power)
    return points, way, measure, start, getattr(other, measure), by_rate, by_score


def _rate_power(
    n: float, way: str, states: tuple[State, State], policy: ScoringPolicy, test: TwoSided
) -> float:
    one, other = states
    if "bounces" in way:
        return proportions_power(one.bounce_rate, other.bounce_rate, n, test)
    share = 1 - one.bounce_rate if policy.counting.reply_denominator == "delivered" else 1.0
    return proportions_power(one.reply_rate, other.reply_rate, n * share, test)


def _moved(points: float, way: str, state: State, policy: ScoringPolicy) -> State | None:
    """The nearest state that is so many points away; None where the curve has none."""
    replies = "replies" in way
    curve = policy.reply_points if replies else policy.bounce_points
    start = state.reply_rate if replies else state.bounce_rate
    end = 1.0 if "more" in way else 0.0
    base = points_of(curve, np.array([start]))[0]

    def far(rate: float) -> bool:
        return bool(abs(points_of(curve, np.array([rate]))[0] - base) >= points - 1e-9)

    if start == end or not far(end):
        return None
    near = start
    for _ in range(60):
        middle = (near + end) / 2
        near, end = (near, middle) if far(middle) else (middle, end)
    moved = round(end, 10)
    return State(moved, state.bounce_rate) if replies else State(state.reply_rate, moved)


def _score(state: State, n: float, policy: ScoringPolicy) -> tuple[float, float]:
    """Mean and standard deviation of the score that n ended enrollments show."""
    delivered = policy.counting.reply_denominator == "delivered"
    size = max(n * (1 - state.bounce_rate) if delivered else n, 1e-9)
    mean, variance = 0.0, 0.0
    for curve, rate, m in (
        (policy.reply_points, state.reply_rate, size),
        (policy.bounce_points, state.bounce_rate, n),
    ):
        node, weight = _hermite()
        seen = np.clip(rate + node * math.sqrt(rate * (1 - rate) / m), 0.0, 1.0)
        values = points_of(curve, seen)
        middle = float(weight @ values)
        mean += middle
        variance += float(weight @ (values - middle) ** 2)
    return mean, math.sqrt(variance)


def _hermite() -> tuple[Array, Array]:
    """An even grid of the normal distribution: kinks of a curve would upset a Gaussian rule."""
    node = np.linspace(-6.0, 6.0, 241)
    weight = np.exp(-0.5 * node**2)
    return node, weight / weight.sum()


def _found(distance: float, deviation: float, test: TwoSided) -> float:
    if deviation <= 0:
        return 1.0 if distance > 0 else 0.0
    return NormalDist().cdf(distance / deviation - test.z)
