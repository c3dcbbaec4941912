"""How sure the parts of a change are.

Every enrollment pulls each share, each rate and so each part a little (its influence); the parts'
variances and covariances are sums over enrollments, which fall into few kinds: of a row or not,
bounced, replied or neither, before, after or in both. An enrollment that both sides hold pulls both
at once, so what is shared cannot differ. This is the infinitesimal jackknife (Jaeckel 1972; Efron
1982, The Jackknife, the Bootstrap and Other Resampling Plans, ch. 6) of multinomial counts: the mix
counts as drawn too, which makes all of a group's rate as sure as a binomial one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from senderscore_nb.drivers.explain_split import Array, Gradient, Ints, Rates, sums

_AT_ALL = 2.0
_HALVES = np.array([1.0, 0.5, 0.5])[:, None]
"""What a row's outcomes are smoothed with, so that none seen is not taken for never: two
enrollments at the rates of all together, and half a reply and half a bounce of one more."""

_BOUNCED = np.array([1.0, 0.0, 0.0])[:, None]
_REPLIED = np.array([0.0, 1.0, 0.0])[:, None]


@dataclass(frozen=True)
class Units:
    """Enrollments by pool (before only, after only, both) and outcome (bounced, replied, neither).

    Attributes:
        of_row: Smoothed, shape (pools, outcomes, rows).
        of_rest: Those of the same group outside the row, the same shape.
        ended: Ended by side and row, (2, rows).
        total: Ended by side and group, (2, groups).
    """

    of_row: Array
    of_rest: Array
    ended: Array
    total: Array


def units_of(pools: Array, group: Ints, groups: int) -> Units:
    """Units from counts of ended, replied and bounced, shape (pools, 3, rows)."""
    totals = sums(pools, group, groups)
    known = totals.sum(0) + np.array([1.0, 0.5, 0.5])[:, None]
    prior = _AT_ALL * (known / known[0])[:, group] + _HALVES
    ended = pools[:, :1]
    smooth = ended * (pools + prior) / (ended + prior[0])
    sides = np.stack([pools[0] + pools[2], pools[1] + pools[2]])
    return Units(
        of_row=_outcomes(ended[:, 0], smooth[:, 1], smooth[:, 2]),
        of_rest=_outcomes(*np.moveaxis(totals[:, :, group] - pools, 1, 0)),
        ended=sides[:, 0],
        total=sums(sides[:, 0], group, groups),
    )


def _outcomes(ended: Array, replied: Array, bounced: Array) -> Array:
    neither = np.clip(ended - replied - bounced, 0.0, None)
    return np.stack([bounced, replied, neither], axis=1)


class Pulls(NamedTuple):
    """Influences of one enrollment by side, each (2, outcomes, rows)."""

    bounce: Array
    reply: Array
    all_bounce: Array
    all_reply: Array


def pulls_of(rates: Rates, units: Units) -> Pulls:
    """What one enrollment more of each outcome does to the rates of its row and of its group."""
    counts = 1 - _BOUNCED if rates.delivered else np.ones_like(_BOUNCED)

    def pull(rate: Array, outcome: Array, n: Array, of: Array) -> Array:
        n = n[:, None]
        return np.where(n > 0, of * (outcome - rate[:, None]) / np.where(n > 0, n, 1.0), 0.0)

    every = np.ones_like(_BOUNCED)
    in_all = (units.total * rates.all_reach)[:, rates.group]
    return Pulls(
        bounce=pull(rates.bounce, _BOUNCED, units.ended, every),
        reply=pull(rates.reply, _REPLIED, units.ended * rates.reach, counts),
        all_bounce=pull(
            rates.all_bounce[:, rates.group], _BOUNCED, units.total[:, rates.group], every
        ),
        all_reply=pull(rates.all_reply[:, rates.group], _REPLIED, in_all, counts),
    )


@dataclass(frozen=True)
class Noise:
    """What pulls on the parts of one kind: the units, and how each pulls on six quantities.

    The six are the parts of the reply and of the bounce rate, and the group's reply rate and bounce
    rate before and after.

    Attributes:
        units: Numbers of units, one array for each class of them.
        pulls: For each class of them, the six pulls, shape (6, …).
    """

    units: list[Array]
    pulls: list[Array]

    def spread(self, slopes: Array) -> Array:
        """Variance of a sum of the six, weighted by slopes."""
        pairs = zip(self.units, self.pulls, strict=True)
        return np.asarray(sum(n * np.einsum("kr,kr->r", slopes, p) ** 2 for n, p in pairs))

    def shared_with(self, slopes: Array) -> Array:
        """Covariance of each of the six with that sum."""
        pairs = zip(self.units, self.pulls, strict=True)
        return np.asarray(sum(n * p * np.einsum("kr,kr->r", slopes, p) for n, p in pairs))


def row_noise(rates: Rates, units: Units, gradients: Sequence[Gradient]) -> Noise:
    """What pulls on the part of each row: the row's own enrollments, and the rest of its group's.

    Args:
        rates: Both sides' rates.
        units: The enrollments.
        gradients: Of the parts of the reply rate and of the bounce rate.
    """
    pulls = pulls_of(rates, units)
    total = units.total[:, rates.group]
    numbers, made = [], []
    for own, counts in ((True, units.of_row), (False, units.of_rest)):
        by_side = []
        for gradient in gradients:
            drawn = (float(own) - rates.share) / total
            pull = (gradient.share * drawn)[:, None] + _common(gradient, pulls)
            by_side.append(pull + _own(gradient, pulls) if own else pull)
        for pool, outcome, six in _by_class(by_side, pulls):
            numbers.append(counts[pool, outcome])
            made.append(six)
    return Noise(numbers, made)


def group_noise(rates: Rates, units: Units, gradients: Sequence[Gradient], groups: int) -> Noise:
    """What pulls on the sum over each group's rows: arrays are by row, to be summed by group."""
    pulls = pulls_of(rates, units)
    total = units.total[:, rates.group]
    by_side = []
    for gradient in gradients:
        drawn = sums(gradient.share * rates.share, rates.group, groups)[:, rates.group]
        whole = Gradient(*(sums(g, rates.group, groups)[:, rates.group] for g in gradient))
        by_side.append(
            ((gradient.share - drawn) / total)[:, None]
            + _own(gradient, pulls)
            + _common(whole, pulls)
        )
    numbers, made = [], []
    for pool, outcome, six in _by_class(by_side, pulls):
        numbers.append(units.of_row[pool, outcome])
        made.append(six)
    return Noise(numbers, made)


def _own(gradient: Gradient, pulls: Pulls) -> Array:
    return gradient.bounce[:, None] * pulls.bounce + gradient.reply[:, None] * pulls.reply


def _common(gradient: Gradient, pulls: Pulls) -> Array:
    return (
        gradient.all_bounce[:, None] * pulls.all_bounce
        + gradient.all_reply[:, None] * pulls.all_reply
    )


def _by_class(by_side: Sequence[Array], pulls: Pulls) -> Iterator[tuple[int, int, Array]]:
    """Pool, outcome and the six pulls: before, after, or both at once."""
    for pool, on in enumerate(([1.0, 0.0], [0.0, 1.0], [1.0, 1.0])):
        weight = np.array(on)
        for outcome in range(3):
            parts = [np.einsum("s,sr->r", weight, side[:, outcome]) for side in by_side]
            rates = [
                weight[side] * pull[side, outcome]
                for pull in (pulls.all_reply, pulls.all_bounce)
                for side in (0, 1)
            ]
            yield pool, outcome, np.stack([*parts, *rates])
