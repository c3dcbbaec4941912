"""Enrollments counted by stratum, time and level, and rare levels put together."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from senderscore_nb.drivers.factors_columns import Coded
from senderscore_nb.drivers.factors_fit import Array, Block, Ints
from senderscore_nb.drivers.factors_rows import Flags, Rows, Strata, blocks_of, spline

_KNOTS = 4
_SUSPICIOUS = 0.95
_LEAST_SUSPECT = 20


@dataclass(frozen=True)
class Cells:
    """Counts of one factor, shape (strata, times, levels).

    Attributes:
        coded: The factor.
        n: Ended enrollments.
        bounced: Those that were returned.
        replied: Those with a reply and not returned.
        sender: Of each stratum.
        time: Columns of time.
    """

    coded: Coded
    n: Array
    bounced: Array
    replied: Array
    sender: Ints
    time: Array

    def of(self, outcome: str, denominator: str) -> tuple[Array, Array]:
        """What an outcome is counted among, and the outcome."""
        if outcome == "bounced":
            return self.n, self.bounced
        return (self.n - self.bounced if denominator == "delivered" else self.n), self.replied


def count(rows: Rows, coded: Coded, strata: Strata) -> Cells:
    """Count rows; those where the question does not arise (a code below 0) are left out."""
    levels = len(coded.labels)
    block, time = blocks_of(rows, len(strata.sender), levels)
    times = len(time)
    place = (strata.code * times + block) * levels + coded.codes
    shape = (len(strata.sender), times, levels)
    asked = coded.codes >= 0

    def counted(chosen: Flags) -> Array:
        flat = np.bincount(place[chosen], minlength=shape[0] * shape[1] * shape[2])
        return flat.reshape(shape).astype(np.float64)

    return Cells(
        coded,
        counted(asked),
        counted(asked & rows.bounced),
        counted(asked & rows.replied),
        strata.sender,
        time,
    )


@dataclass(frozen=True)
class Levels:
    """The levels that are estimated.

    Attributes:
        block: Counts and design for the model.
        labels: Of the block's levels.
        enough: Which of them have enough enrollments to be reported.
        values: Of a number; None for levels.
        notes: What was put together.
    """

    block: Block
    labels: tuple[str, ...]
    enough: tuple[bool, ...]
    values: Array | None
    notes: tuple[str, ...]


def pooled(
    cells: Cells, outcome: str, denominator: str, *, least: int, least_events: float
) -> Levels:
    """Levels for one outcome: those with too few enrollments or expected events are one.

    Args:
        cells: The counts.
        outcome: `replied` or `bounced`.
        denominator: What replies are counted among: `delivered` or `ended`.
        least: Enrollments that a level needs.
        least_events: Events that it must be expected to have at the overall rate.
    """
    n, events = cells.of(outcome, denominator)
    coded = cells.coded
    size = n.sum((0, 1))
    rate = float(events.sum() / max(n.sum(), 1.0))
    fine = (size >= least) & (size * min(rate, 1 - rate) >= least_events)
    if coded.values is not None:
        return _number(cells, n, events, fine)
    small = (~fine) & (size > 0)
    if small.any():
        # What is already a level of others takes in the ones that are too small.
        small |= (size > 0) & np.array([_held(label) > 0 for label in coded.labels])
    notes: list[str] = []
    labels = list(coded.labels)
    groups: list[list[int]] = [[i] for i in np.flatnonzero(fine & ~small).tolist()]
    kept = [labels[i] for i in np.flatnonzero(fine & ~small)]
    if small.any():
        together = np.flatnonzero(small).tolist()
        groups.append(together)
        name = labels[together[0]] if len(together) == 1 else _other(labels, together)
        kept.append(name)
        if len(together) > 1:
            notes.append(f"levels with too few enrollments are together as “{name}”")
    merged_n, merged = (
        np.stack([x[:, :, group].sum(2) for group in groups], axis=2) if groups else x[:, :, :0]
        for x in (n, events)
    )
    sizes = merged_n.sum((0, 1))
    enough = tuple(bool(s >= least and s * min(rate, 1 - rate) >= least_events) for s in sizes)
    block = Block(merged_n, merged, cells.sender, cells.time, np.eye(len(groups)))
    return Levels(block, tuple(kept), enough, None, tuple(notes))


def _other(labels: list[str], together: list[int]) -> str:
    """“other (n levels)”, counting those that a level of others already holds."""
    return f"other ({sum(_held(labels[i]) or 1 for i in together):,} levels)"


def _held(label: str) -> int:
    """How many levels a level of others holds; 0 for any other level."""
    inside = re.fullmatch(r"other \(([\d,]+) levels\)", label)
    return int(inside[1].replace(",", "")) if inside else 0


def _number(cells: Cells, n: Array, events: Array, fine: Array) -> Levels:
    coded = cells.coded
    values = np.asarray(coded.values, dtype=np.float64)
    size = n.sum((0, 1))
    stretches = len(values)
    basis = spline(values, _KNOTS, np.maximum(size[:stretches], 1e-9))
    if coded.unknown:
        design = np.zeros((stretches + 1, basis.shape[1] + 1))
        design[:stretches, :-1], design[stretches, -1] = basis, 1.0
    else:
        design = basis
    block = Block(n, events, cells.sender, cells.time, design)
    enough = tuple(bool(size[i] > 0) for i in range(stretches))
    if coded.unknown:
        enough += (bool(fine[stretches]),)
    return Levels(block, coded.labels, enough, values, ())


def suspicion(levels: Levels) -> str | None:
    """A warning where the factor tells the outcome nearly by itself; None where it does not.

    What is known at enrollment never does; what follows the outcome often does.
    """
    n, events = levels.block.n.sum((0, 1)), levels.block.events.sum((0, 1))
    total = events.sum()
    if total < _LEAST_SUSPECT or n.sum() - total < _LEAST_SUSPECT:
        return None
    order = np.argsort(events / np.maximum(n, 1.0))
    hit, miss = events[order], (n - events)[order]
    below = np.cumsum(miss) - miss
    area = float((hit * (below + miss / 2)).sum() / (hit.sum() * miss.sum()))
    if area < _SUSPICIOUS:
        return None
    return (
        f"predicts the outcome suspiciously well (area under the curve {area:.3f}): "
        "was it really known at enrollment?"
    )
