"""Readings as demands on a policy: which score must reach which edge, and which must not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.errors import ContractError, PolicyError, did_you_mean

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

NEEDED: tuple[str, ...] = (
    *("line", "user", "reply_rate", "reply_rate_low", "reply_rate_high"),
    *("bounce_rate", "bounce_rate_low", "bounce_rate_high"),
    *("band", "value", "value_low", "value_high"),
)

_CHUNK = 512


@dataclass(frozen=True)
class Evidence:
    """Readings as arrays, one entry a reading.

    The true rates lie in a box. A policy agrees with a reading if its score at the best corner of
    the box (most replies, fewest bounces) reaches the band and its score at the worst corner does
    not go beyond: for curves without jumps a score in between is then taken inside the box. Where
    curves jump it is what must hold at least, so nothing that is possible is ruled out.

    Attributes:
        replies: Lowest and highest possible reply rate, shape (readings, 2).
        bounces: Lowest and highest possible bounce rate.
        bands: Place of the band, from 0; -1 where none was read.
        values: Lowest and highest possible gauge value; not a number where none was read.
    """

    replies: Array
    bounces: Array
    bands: Places
    values: Array

    @property
    def size(self) -> int:
        """How many readings there are."""
        return len(self.bands)


@dataclass(frozen=True)
class Demands:
    """One entry a demand: the score at these rates reaches, or stays below, an edge or a value.

    Attributes:
        reply: Reply rate.
        bounce: Bounce rate.
        edge: Place of the band whose lower edge is meant; 0 where it is a value.
        value: The value; not a number where it is an edge.
        reaches: The score reaches it, else it stays below (or, for a value, does not exceed it).
        reading: Whose demand it is.
    """

    reply: Array
    bounce: Array
    edge: Places
    value: Array
    reaches: npt.NDArray[np.bool_]
    reading: Places

    def and_also(self, other: Demands) -> Demands:
        """These demands and others."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Demands(*(np.concatenate(pair) for pair in pairs))

    def take(self, rows: npt.NDArray[np.bool_]) -> Demands:
        """Some of the demands."""
        return Demands(
            self.reply[rows],
            self.bounce[rows],
            self.edge[rows],
            self.value[rows],
            self.reaches[rows],
            self.reading[rows],
        )


def evidence_of(readings: pl.DataFrame, names: Sequence[str]) -> Evidence:
    """Readings as evidence.

    Args:
        readings: As `read_readings` accepts them.
        names: The bands from the lowest to the highest.

    Raises:
        ContractError: A column is missing, a rate is unknown, or limits are out of order.
        PolicyError: A band is not among the names.
    """
    for name in NEEDED:
        if name not in readings.columns:
            raise ContractError(
                f"Readings need a column {name!r}.", hint=did_you_mean(name, readings.columns)
            )

    def limits(name: str) -> Array:
        pair = readings.select(f"{name}_low", f"{name}_high").cast(pl.Float64)
        return np.asarray(pair.to_numpy(), dtype=np.float64).reshape(-1, 2)

    replies, bounces, values = limits("reply_rate"), limits("bounce_rate"), limits("value")
    for name, pair in (("reply_rate", replies), ("bounce_rate", bounces)):
        if not ((pair[:, 0] >= 0) & (pair[:, 0] <= pair[:, 1]) & (pair[:, 1] <= 1)).all():
            raise ContractError(f"Readings need limits of {name} between 0 and 1, low before high.")
    if (values[:, 0] > values[:, 1]).any():
        raise ContractError("Readings need limits of value, low before high.")
    place = {name: i for i, name in enumerate(names)}
    read = readings["band"].cast(pl.String).to_list()
    for name in read:
        if name is not None and name not in place:
            raise PolicyError(f"A reading has the band {name!r}.", hint=did_you_mean(name, names))
    bands = np.array([-1 if name is None else place[name] for name in read], dtype=np.int64)
    if ((bands < 0) & np.isnan(values[:, 0])).any():
        raise ContractError("Each reading needs a band or a value.")
    return Evidence(replies, bounces, bands, values)


def demands_of(evidence: Evidence, count: int) -> Demands:
    """What the readings demand.

    Args:
        evidence: The readings.
        count: Of bands.
    """
    bands, values = evidence.bands, evidence.values
    valued = ~np.isnan(values[:, 0])
    nan = np.full(evidence.size, np.nan)
    parts = [
        _part(evidence, bands >= 1, bands, nan, reaches=True),
        _part(evidence, (bands >= 0) & (bands < count - 1), bands + 1, nan, reaches=False),
        _part(evidence, valued, np.zeros_like(bands), values[:, 0], reaches=True),
        _part(evidence, valued, np.zeros_like(bands), values[:, 1], reaches=False),
    ]
    columns = zip(*parts, strict=True)
    reply, bounce, edge, value, reaches, reading = (np.concatenate(list(c)) for c in columns)
    return Demands(reply, bounce, edge, value, reaches, reading)


def _part(
    evidence: Evidence, rows: npt.NDArray[np.bool_], edge: Places, value: Array, *, reaches: bool
) -> tuple[npt.NDArray[np.generic], ...]:
    reply = evidence.replies[rows, 1 if reaches else 0]
    bounce = evidence.bounces[rows, 0 if reaches else 1]
    which = np.full(int(rows.sum()), reaches)
    return reply, bounce, edge[rows], value[rows], which, np.flatnonzero(rows)


def essential(demands: Demands) -> Demands:
    """The demands that do not follow from another one by monotony alone.

    Who reaches an edge with fewer replies and more bounces says all that one with more replies
    and fewer bounces says.
    """
    keep = np.ones(len(demands.edge), dtype=bool)
    for reaches in (True, False):
        for edged in (True, False):
            rows = np.flatnonzero((demands.reaches == reaches) & ((demands.edge > 0) == edged))
            if len(rows):
                keep[rows] = ~_implied(demands, rows, reaches, edged)
    return demands.take(keep)


def _implied(
    demands: Demands, rows: npt.NDArray[np.intp], reaches: bool, edged: bool
) -> npt.NDArray[np.bool_]:
    sign = 1.0 if reaches else -1.0
    level = sign * (demands.edge if edged else demands.value)[rows].astype(np.float64)
    reply, bounce = sign * demands.reply[rows], -sign * demands.bounce[rows]
    order = np.arange(len(rows))
    implied = np.zeros(len(rows), dtype=bool)
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)

        def beside(values: Array, part: slice = part) -> tuple[Array, Array]:
            return values[part, None], values[None, :]

        (x, x_other), (y, y_other), (v, v_other) = beside(reply), beside(bounce), beside(level)
        weaker = (x_other <= x) & (y_other <= y) & (v_other >= v)
        same = (x_other == x) & (y_other == y) & (v_other == v)
        implied[part] = (weaker & (~same | (order[None, :] < order[part, None]))).any(axis=1)
    return implied
