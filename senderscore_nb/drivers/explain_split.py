"""A change of the two rates, split by sequence into mix, reply rate and bounce rate.

On each side a sequence has a share s of what ended, a share q of that which counts for replies
(delivered: 1 − bounce rate; or 1), and a reply rate r; Q and R are those of all together. With R̄
and Q̄, the means of the two sides, the change of R is exactly Σ Δ[s · q · (r − R̄)] / Q̄: each
sequence's term is a product of three factors, which Das Gupta's formula (1993, ch. 2) splits. A mix
part is thereby measured against the average: it is positive where a share grew of what is better
than the average. The bounce rate is the same with a factor less: Σ Δ[s · (b − B̄)].

Arrays have the two sides (before, after) on their first axis, rows (a sequence of a group) or
groups on their last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

KINDS: tuple[str, ...] = ("mix", "reply_rate", "bounce_rate")
"""What a part can be of, in the order of the first axis of every array of parts."""


@dataclass(frozen=True)
class Rates:
    """Both sides' shares and rates.

    A row without enrollments on a side, or without any that count for replies, has no rate there
    and takes that of the other side: its rate has not changed, only the mix.

    Attributes:
        group: Place of each row's group, ascending.
        share: Of the group's ended, (2, rows).
        bounce: Bounce rate, (2, rows).
        reply: Reply rate, (2, rows).
        taken_bounce: The bounce rate is the other side's, (2, rows).
        taken_reply: The reply rate is the other side's, (2, rows).
        all_bounce: Bounce rate of the group, (2, groups).
        all_reply: Reply rate of the group, (2, groups).
        delivered: Replies are counted of what was delivered; else of what ended.
    """

    group: Ints
    share: Array
    bounce: Array
    reply: Array
    taken_bounce: npt.NDArray[np.bool_]
    taken_reply: npt.NDArray[np.bool_]
    all_bounce: Array
    all_reply: Array
    delivered: bool

    @property
    def reach(self) -> Array:
        """The share of what ended that counts for replies."""
        return 1 - self.bounce if self.delivered else np.ones_like(self.bounce)

    @property
    def all_reach(self) -> Array:
        """The same of the group."""
        return 1 - self.all_bounce if self.delivered else np.ones_like(self.all_bounce)


def rates_of(counts: Array, group: Ints, groups: int, *, delivered: bool) -> Rates:
    """Shares and rates from counts of ended, replied and bounced, shape (2, 3, rows).

    Every group has ended enrollments, and some that count for replies, on both sides.
    """
    totals = sums(counts, group, groups)
    n, all_n = ((c[:, 0] - c[:, 2] if delivered else c[:, 0]) for c in (counts, totals))
    reply, bounce = _over(counts[:, 1], n), _over(counts[:, 2], counts[:, 0])
    return Rates(
        group=group,
        share=counts[:, 0] / totals[:, 0][:, group],
        bounce=_filled(bounce),
        reply=_filled(reply),
        taken_bounce=np.isnan(bounce),
        taken_reply=np.isnan(reply),
        all_bounce=totals[:, 2] / totals[:, 0],
        all_reply=totals[:, 1] / all_n,
        delivered=delivered,
    )


def sums(values: Array, group: Ints, groups: int) -> Array:
    """Sums over the rows of each group; the last axis becomes the groups."""
    made = np.empty((*values.shape[:-1], groups))
    for place in np.ndindex(values.shape[:-1]):
        made[place] = np.bincount(group, weights=values[place], minlength=groups)
    return made


def _over(count: Array, n: Array) -> Array:
    return np.where(n > 0, count / np.where(n > 0, n, 1.0), np.nan)


def _filled(rate: Array) -> Array:
    """Each side's rate, else the other side's, else 0, where neither counts for anything."""
    return np.nan_to_num(np.where(np.isnan(rate), rate[::-1], rate), nan=0.0)


class Gradient(NamedTuple):
    """Derivatives of a part by its row's quantities and by the group's rates, each (2, rows)."""

    share: Array
    bounce: Array
    reply: Array
    all_bounce: Array
    all_reply: Array


@dataclass(frozen=True)
class Split:
    """The parts of a rate's change.

    Attributes:
        parts: Shape (kinds, rows); they add up to the change of the rate within each group.
        gradients: One a kind.
    """

    parts: Array
    gradients: tuple[Gradient, ...]


def split_replies(rates: Rates) -> Split:
    """The change of the reply rate, by kind and row."""
    above = rates.reply - rates.all_reply.mean(0)[rates.group]
    scale = rates.all_reach.mean(0)[rates.group]
    factors = (rates.share, rates.reach, above)
    parts, gradients = [], []
    for kind in (0, 2, 1):  # share, reply rate, reach: in the order of KINDS
        part, slopes = _product_part(factors, kind)
        part = part / scale
        d_share, d_reach, d_above = (s / scale for s in slopes)
        d_mean = -d_above.sum(0) / 2
        d_bounce, d_scale = np.zeros_like(d_reach), np.zeros_like(part)
        if rates.delivered:
            d_bounce, d_scale = -d_reach, part / (2 * scale)
        parts.append(part)
        gradients.append(_gradient(rates, d_share, d_bounce, d_above, d_scale, d_mean))
    return Split(np.array(parts), tuple(gradients))


def split_bounces(rates: Rates) -> Split:
    """The change of the bounce rate, by kind and row; replies have no part in it."""
    above = rates.bounce - rates.all_bounce.mean(0)[rates.group]
    factors = (rates.share, above, np.ones_like(above))
    nothing = np.zeros_like(above)
    parts, gradients = [], []
    for kind in (0, None, 1):
        if kind is None:
            parts.append(nothing[0])
            gradients.append(Gradient(*(nothing,) * 5))
            continue
        part, (d_share, d_above, _) = _product_part(factors, kind)
        d_mean = -d_above.sum(0) / 2
        parts.append(part)
        gradients.append(_gradient(rates, d_share, d_above, nothing, d_mean, nothing[0]))
    return Split(np.array(parts), tuple(gradients))


def _product_part(factors: Sequence[Array], i: int) -> tuple[Array, list[Array]]:
    """What the i-th of three factors adds to the change of their product, and its derivatives."""
    x, (y, z) = factors[i], [f for j, f in enumerate(factors) if j != i]
    step, together = x[1] - x[0], (y * z).sum(0) / 3 + (y * z[::-1]).sum(0) / 6
    slopes = [np.stack([-together, together])]
    slopes += [step * (other / 3 + other[::-1] / 6) for other in (z, y)]
    order = [i, *(j for j in range(3) if j != i)]
    return step * together, [slopes[order.index(j)] for j in range(3)]


def _gradient(
    rates: Rates, share: Array, bounce: Array, reply: Array, all_bounce: Array, all_reply: Array
) -> Gradient:
    """A gradient in which a rate that is the other side's counts as that side's."""
    return Gradient(
        share,
        _handed(bounce, rates.taken_bounce),
        _handed(reply, rates.taken_reply),
        np.stack([all_bounce, all_bounce]),
        np.stack([all_reply, all_reply]),
    )


def _handed(slopes: Array, taken: npt.NDArray[np.bool_]) -> Array:
    return np.where(taken, 0.0, slopes + np.where(taken, slopes, 0.0)[::-1])
