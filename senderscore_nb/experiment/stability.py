"""How often a band changes although nothing has changed.

Two periods of the same sender differ by chance. What a policy makes of that is computed here for
any number of enrollments, without drawing a single random number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.experiment.cohort import Cohort, Weights
from senderscore_nb.experiment.naming import Policies, load_all, policy_names
from senderscore_nb.experiment.points import Array, band_places, true_scores
from senderscore_nb.experiment.repeats import band_chances
from senderscore_nb.policy import Band, ScoringPolicy, load_policy

SIZES: tuple[int, ...] = (50, 75, 100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000)
"""Ended enrollments in a period that are looked at unless others are asked for."""

MOST = 20_000
"""The largest period that `smallest_n` looks at."""

_STEP = 1.25


@dataclass(frozen=True)
class Consistency:
    """How alike two periods of the same size are judged, averaged over senders.

    The terms are those of Livingston & Lewis 1995, Journal of Educational Measurement 32:179; the
    errors are not theirs but those of this score: binomial in both rates.

    Attributes:
        flip_rate: The chance that two periods in a row show different bands.
        consistency: 1 − `flip_rate`.
        kappa: Consistency beyond what the bands' shares alone would give; None where there is
            nothing beyond, or where bands are held.
        accuracy: The chance that a period shows the band of the true rates.
    """

    flip_rate: float
    consistency: float
    kappa: float | None
    accuracy: float


def stability(
    policies: Policies,
    cohort: Cohort,
    *,
    sizes: Sequence[int] = SIZES,
    in_a_row: int = 1,
) -> pl.DataFrame:
    """How stable the bands of policies are, by the number of ended enrollments in a period.

    Args:
        policies: Policies, names of presets or paths of TOML files.
        cohort: Whose true rates; every sender counts alike.
        sizes: Ended enrollments in a period, from 1 on.
        in_a_row: Periods in a row that must show another band before the band changes (see
            `held_flip_rate`); 1 changes it at once.

    Returns:
        One row for each policy and size: `policy`, `n`, `in_a_row`, and the figures of
        `Consistency` as `flip_rate`, `consistency`, `kappa`, `accuracy` (fractions). With bands
        that are held, `accuracy` is that of the band that is held, and `kappa` is null.

    Raises:
        SenderScoreError: A size or `in_a_row` is below 1.
        PolicyError: A policy is not valid.
    """
    loaded = load_all(policies)
    rows = [
        (name, n, in_a_row, c.flip_rate, c.consistency, c.kappa, c.accuracy)
        for name, policy in zip(policy_names(loaded), loaded, strict=True)
        for n in sizes
        for c in (consistency(policy, cohort, n, in_a_row=in_a_row),)
    ]
    names = ("policy", "n", "in_a_row", "flip_rate", "consistency", "kappa", "accuracy")
    kinds = (pl.String, pl.Int64, pl.Int64, *[pl.Float64] * 4)
    return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")


def consistency(
    policy: ScoringPolicy | str, cohort: Cohort, n: int, *, in_a_row: int = 1
) -> Consistency:
    """The consistency and accuracy of a policy's bands at one size.

    Raises:
        SenderScoreError: n or `in_a_row` is below 1.
    """
    policy = load_policy(policy)
    _require(n, in_a_row)
    weights = cohort.weights(n)
    chances = band_chances(policy, weights.replies, weights.bounces, n)
    together = weights.together
    flip = float((together * held_flip_rate(chances, in_a_row)).sum())
    held = held_chances(chances, in_a_row)
    accuracy = float((together * _of_the_truth(policy, weights, held)).sum())
    kappa = None
    if in_a_row == 1:
        shares = (chances * together).sum(axis=(1, 2))
        by_chance = float((shares**2).sum())
        kappa = (1 - flip - by_chance) / (1 - by_chance) if by_chance < 1 - 1e-9 else None
    return Consistency(flip, 1 - flip, kappa, accuracy)


def held_flip_rate(chances: Array, in_a_row: int = 1) -> Array:
    """How often a band changes from one period to the next, where nothing has changed.

    The band changes only after `in_a_row` periods in a row have shown the same other band. Periods
    are independent, so the band that is held is a Markov chain; with s = q^m (1 − q) / (1 − q^m)
    for each band's chance q and S the sum of all s, it is s / S in the long run, and it changes
    at the rate S − Σ s² / S. For m = 1 that is 1 − Σ q².

    Args:
        chances: Of each band in one period; bands along the first axis, summing to 1.
        in_a_row: m, from 1 on.

    >>> float(held_flip_rate(np.array([0.5, 0.5])))
    0.5
    >>> round(float(held_flip_rate(np.array([0.5, 0.5]), 2)), 4)
    0.1667
    """
    entering = _entering(chances, in_a_row)
    total = entering.sum(axis=0)
    return np.asarray(np.clip(total - (entering**2).sum(axis=0) / total, 0.0, 1.0))


def held_chances(chances: Array, in_a_row: int = 1) -> Array:
    """How often each band is held in the long run; see `held_flip_rate`."""
    entering = _entering(chances, in_a_row)
    return np.asarray(entering / entering.sum(axis=0))


def smallest_n(
    policy: ScoringPolicy | str,
    cohort: Cohort,
    *,
    flip_rate: float = 0.1,
    in_a_row: int = 1,
    most: int = MOST,
) -> int | None:
    """The fewest ended enrollments in a period from which on bands flip less often than asked.

    Looked for in steps of a quarter up to `most` and then one by one: from there on the flip rate
    stays below, at every step that was looked at.

    Returns:
        The number, or None where even `most` enrollments are not enough.

    Raises:
        SenderScoreError: The flip rate is not between 0 and 1.
    """
    policy = load_policy(policy)
    if not 0 < flip_rate < 1:
        raise SenderScoreError(f"A flip rate is between 0 and 1; {flip_rate:g} was asked for.")

    def below(n: int) -> bool:
        return consistency(policy, cohort, n, in_a_row=in_a_row).flip_rate < flip_rate

    if not below(most):
        return None
    high = most
    while high > 1:
        lower = max(1, int(high / _STEP))
        if not below(lower):
            break
        high = lower
    else:
        return 1
    low = lower
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if below(middle) else (middle, high)
    return high


def flips_by_sender(
    policies: Policies, cohort: Cohort, *, n: int | None = None, in_a_row: int = 1
) -> pl.DataFrame:
    """For each sender and policy, how often the band would change although nothing changes.

    Args:
        policies: Policies, names of presets or paths of TOML files.
        cohort: The senders.
        n: Ended enrollments in a period; each sender's own number unless given.
        in_a_row: As for `stability`.

    Returns:
        `user_id`, `policy`, `n`, `band` (of the counts themselves), `flip_rate` and `leaves`: the
        chance that the next period shows another band than these counts do. `band` and `leaves`
        are null where rates are known and there are no counts.

    Raises:
        SenderScoreError: Rates are known and no n is given; a size is below 1.
    """
    if n is None and cohort.rates is not None:
        raise SenderScoreError("Senders with known rates have no counts: say how many ended.")
    rows: list[tuple[object, ...]] = []
    loaded = load_all(policies)
    for name, policy in zip(policy_names(loaded), loaded, strict=True):
        for place, user in enumerate(cohort.ids):
            one = cohort.one(place)
            size = n or int(one.counts[0, 0])
            _require(size, in_a_row)
            weights = one.weights(size)
            chances = band_chances(policy, weights.replies, weights.bounces, size)
            flip = float(weights.mean(held_flip_rate(chances, in_a_row))[0])
            band = _present(policy, one)
            leaves = None if band is None else 1 - float(weights.mean(chances[band])[0])
            shown = None if band is None else policy.bands[band].name
            rows.append((user, name, size, shown, flip, leaves))
    names = ("user_id", "policy", "n", "band", "flip_rate", "leaves")
    kinds = (pl.String, pl.String, pl.Int64, pl.String, pl.Float64, pl.Float64)
    return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")


def widened(policy: ScoringPolicy | str, cohort: Cohort, *, n: int) -> pl.DataFrame:
    """What wider bands would bring: the policy with one edge less at a time, down to two bands.

    At each step the edge goes whose absence leaves the fewest flips; what is left is the best of
    that many edges found in this way.

    Returns:
        One row a step, the present bands first: `bands` (how many), `removed` (the band that its
        lower neighbour took in; null in the first row), `edges` (as text), `flip_rate`.

    Raises:
        SenderScoreError: n is below 1.
    """
    policy = load_policy(policy)
    _require(n, 1)
    weights = cohort.weights(n)
    chances = band_chances(policy, weights.replies, weights.bounces, n)
    together = weights.together
    bands = list(policy.bands)

    def flips(of: Array) -> float:
        return float((together * held_flip_rate(of)).sum())

    first = (len(bands), None, _edges(policy.bands), flips(chances))
    rows: list[tuple[int, str | None, str, float]] = [first]
    while len(bands) > 2:
        merged = [_merged(chances, place) for place in range(1, len(bands))]
        rates = [flips(one) for one in merged]
        best = int(np.argmin(rates))
        chances, gone = merged[best], bands.pop(best + 1)
        rows.append((len(bands), gone.name, _edges(bands), rates[best]))
    names = ("bands", "removed", "edges", "flip_rate")
    kinds = (pl.Int64, pl.String, pl.String, pl.Float64)
    return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")


def _merged(chances: Array, place: int) -> Array:
    joined = chances[place - 1 : place + 1].sum(axis=0, keepdims=True)
    return np.concatenate([chances[: place - 1], joined, chances[place + 1 :]])


def _edges(bands: Sequence[Band]) -> str:
    return ", ".join(f"{band.name} {band.lower:g}" for band in bands[1:])


def _entering(chances: Array, in_a_row: int) -> Array:
    if in_a_row < 1:
        raise SenderScoreError(f"Periods in a row are 1 or more; {in_a_row} were asked for.")
    q = np.clip(chances, 0.0, 1.0)
    # q^m (1 − q) / (1 − q^m) without dividing by 1 − q: the sum of a geometric series.
    series = sum((q**power for power in range(in_a_row)), start=np.zeros_like(q))
    return np.asarray(q**in_a_row / series)


def _of_the_truth(policy: ScoringPolicy, weights: Weights, chances: Array) -> Array:
    """The chance of the band of the true rates themselves, shape (replies, bounces)."""
    truth = band_places(policy, true_scores(policy, weights.replies, weights.bounces))
    return np.asarray(np.take_along_axis(chances, truth[None], axis=0)[0])


def _present(policy: ScoringPolicy, one: Cohort) -> int | None:
    if one.rates is not None:
        return None
    ended, replied, bounced = one.counts[0]
    delivered = ended - bounced
    rate = replied / delivered if delivered else math.nan
    score = true_scores(policy, np.array([rate]), np.array([bounced / ended]))
    return int(band_places(policy, score)[0, 0])


def _require(n: int, in_a_row: int) -> None:
    for what, value in (("Ended enrollments", n), ("Periods in a row", in_a_row)):
        if value < 1:
            raise SenderScoreError(f"{what} are 1 or more; {value} were asked for.")
