"""Thousands of policies over the same senders and weeks, in seconds.

Nothing is computed twice: rates are sorted once, so that a curve is a handful of straight pieces
over runs of them, and all that is asked of a policy is counted from one comparison with each edge.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl

from senderscore_nb.errors import PolicyError
from senderscore_nb.experiment.cells import Cells, Mask
from senderscore_nb.experiment.points import Array, Places, knots, reached
from senderscore_nb.policy import PointCurve, ScoringPolicy

_CHUNK = 64
_COLUMNS = ("scored", "total", "flips", "pairs", "both", "same", "up", "apart")
_KEPT = 48  # curves whose points are kept: neighbours in a sweep share one


def sweep(
    cells: Cells, policies: Sequence[ScoringPolicy], *, baseline: ScoringPolicy
) -> pl.DataFrame:
    """What each of many policies would make of the same senders.

    Memory does not grow with the number of policies beyond the rows of the result.

    Args:
        cells: Senders, or senders by week.
        policies: With the bands of the baseline, at whatever edges.
        baseline: What they are compared with.

    Returns:
        One row a policy, in their order: `scored` (cells with a score); `share_<band>` (fraction
        of these); `mean_score`; `flips` (fraction of pairs of neighbouring weeks of a sender in
        different bands; null without weeks); against the baseline, over the cells that both
        score: `same`, `up`, `down` (fractions in the same, a higher, a lower band), `kappa`
        (linearly weighted; null where chance alone would agree). Null where nothing is scored.

    Raises:
        PolicyError: A policy has other bands, or counts differently.
    """
    for policy in policies:
        _comparable(policy, baseline)
    width = len(_COLUMNS) + 3 * (len(baseline.bands) - 1)
    counts = np.zeros((len(policies), width), dtype=np.float64)
    with ThreadPoolExecutor(max_workers=_threads()) as pool:
        jobs = [
            pool.submit(_run, field, policies, chosen[i : i + _CHUNK], counts)
            for field, chosen in _fields(cells, policies, baseline)
            for i in range(0, len(chosen), _CHUNK)
        ]
        for job in jobs:
            job.result()
    return _frame(counts, baseline, weekly=cells.weekly)


def _threads() -> int:
    """Processors that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return max(1, min(8, len(allowed(0)) if allowed else os.cpu_count() or 1))


def _comparable(policy: ScoringPolicy, baseline: ScoringPolicy) -> None:
    if policy.band_names != baseline.band_names:
        raise PolicyError(
            f"A sweep moves the thresholds of one policy; {policy.name!r} has other bands than "
            f"{baseline.name!r}.",
            hint="Use compare for policies with different bands.",
        )
    one = policy.counting.model_copy(update={"reply_denominator": "ended"})
    two = baseline.counting.model_copy(update={"reply_denominator": "ended"})
    if one != two:
        raise PolicyError(
            f"{policy.name!r} counts differently from {baseline.name!r}, so they need different "
            "tallies.",
            hint="Use compare, with the account.",
        )


@dataclass(frozen=True, eq=False)
class _Sorted:
    """Rates in rising order, and where each cell's rate is among them."""

    rates: Array
    place: Places

    @classmethod
    def of(cls, rates: Array) -> _Sorted:
        distinct, place = np.unique(rates, return_inverse=True)
        return cls(distinct, place.astype(np.intp))

    def points(self, curve: PointCurve) -> Array:
        """The points of each cell."""
        at, values = knots(curve)
        cuts = [0, *np.searchsorted(self.rates, at, side="left").tolist(), len(self.rates)]
        points = np.empty(len(self.rates))
        points[: cuts[1]] = values[0]
        for i in range(len(at)):
            piece = slice(cuts[i + 1], cuts[i + 2])
            if curve.interpolation == "step" or i + 1 == len(at):
                points[piece] = values[i]
            else:
                slope = (values[i + 1] - values[i]) / (at[i + 1] - at[i])
                np.subtract(self.rates[piece], at[i], out=points[piece])
                points[piece] *= slope
                points[piece] += values[i]
        return np.asarray(points.take(self.place))


@dataclass(frozen=True, eq=False)
class _Field:
    """The cells that policies with one minimum and one denominator score."""

    replies: _Sorted
    bounces: _Sorted
    followed: Mask
    base: Places
    base_above: list[Mask]
    both: Mask


def _fields(
    cells: Cells, policies: Sequence[ScoringPolicy], baseline: ScoringPolicy
) -> list[tuple[_Field, list[int]]]:
    grouped: dict[tuple[int, str], list[int]] = {}
    for i, policy in enumerate(policies):
        key = (policy.minimum.user, policy.counting.reply_denominator)
        grouped.setdefault(key, []).append(i)
    base, edges = cells.places(baseline), len(baseline.bands) - 1
    return [
        (_field(cells, policies[chosen[0]], base, edges), chosen) for chosen in grouped.values()
    ]


def _field(cells: Cells, policy: ScoringPolicy, base: Places, edges: int) -> _Field:
    kept = np.flatnonzero(cells.enough(policy))
    beside = np.diff(kept) == 1
    followed = cells.followed[kept[:-1]] & beside if len(kept) > 1 else np.zeros(0, dtype=bool)
    own = base[kept]
    both = own >= 0
    return _Field(
        _Sorted.of(cells.reply_rates(policy)[kept]),
        _Sorted.of(cells.bounce_rates[kept]),
        followed,
        np.where(both, own, 255).astype(np.uint8),
        [own > place for place in range(edges)],
        both,
    )


def _run(
    field: _Field, policies: Sequence[ScoringPolicy], chosen: Sequence[int], counts: Array
) -> None:
    """Count for some policies, each into its own row."""
    kept: OrderedDict[tuple[object, ...], Array] = OrderedDict()

    def points(of: _Sorted, curve: PointCurve) -> Array:
        key = (of is field.replies, curve.interpolation, curve.knots)
        if key not in kept:
            kept[key] = of.points(curve)
            if len(kept) > _KEPT:
                kept.popitem(last=False)
        return kept[key]

    every = bool(field.both.all())
    total = np.empty(len(field.base))
    for i in chosen:
        policy = policies[i]
        np.add(
            points(field.replies, policy.reply_points),
            points(field.bounces, policy.bounce_points),
            out=total,
        )
        counts[i] = _counted(field, total, reached(policy), every=every)


def _counted(field: _Field, total: Array, edges: Array, *, every: bool) -> list[float]:
    """The row of `_COLUMNS`, then for each edge: at least that; so among both; so in the base."""
    n = len(total)
    band = np.zeros(n, dtype=np.uint8)
    by_edge: list[float] = []
    apart = 0
    for edge, counted in zip(edges, field.base_above, strict=True):
        at_least = total >= edge
        band += at_least
        judged = at_least if every else at_least & field.both
        by_edge += map(_count, (at_least, judged, counted))
        apart += _count(judged != counted)
    both = n if every else _count(field.both)
    same, up = _count(band == field.base), _count(band > field.base)
    flips = _count((band[1:] != band[:-1]) & field.followed)
    pairs = _count(field.followed)
    return [n, float(total.sum()), flips, pairs, both, same, up, apart, *by_edge]


def _count(mask: Mask) -> int:
    return int(np.count_nonzero(mask))


def _frame(counts: Array, baseline: ScoringPolicy, *, weekly: bool) -> pl.DataFrame:
    n, total, flips, pairs, both, same, up, apart = counts[:, : len(_COLUMNS)].T
    above, judged, base = (counts[:, len(_COLUMNS) + i :: 3] for i in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        reached_by = np.column_stack([np.ones(len(n)), above / n[:, None], np.zeros(len(n))])
        shares = reached_by[:, :-1] - reached_by[:, 1:]
        one, two = judged / both[:, None], base / both[:, None]
        by_chance = (one * (1 - two) + two * (1 - one)).sum(axis=1)
        columns = {
            "scored": n.astype(np.int64),
            **{f"share_{b.slug}": shares[:, i] for i, b in enumerate(baseline.bands)},
            "mean_score": total / n,
            "flips": flips / pairs if weekly else np.full(len(n), np.nan),
            "same": same / both,
            "up": up / both,
            "down": (both - same - up) / both,
            "kappa": 1 - apart / both / np.where(by_chance > 1e-12, by_chance, np.nan),
        }
    for name, values in columns.items():
        if name.startswith("share_"):
            columns[name] = np.where(n > 0, values, np.nan)
    return pl.DataFrame(columns).with_columns(pl.selectors.float().fill_nan(None))
