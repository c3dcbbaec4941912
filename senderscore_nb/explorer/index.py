"""Tallies laid out so that any range of days is two look-ups.

Every count is summed over the days once. What a range holds is then the running sum at its end
minus the running sum before its start, whoever is looked at and however long the range is.
"""

from __future__ import annotations

import datetime as dt
import math
import mmap
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from threading import RLock
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.errors import SelectionError

Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

_KEPT = 3
_EXACT = 52  # bits of a sum that a double holds exactly

ENDED, REPLIED, BOUNCED, REPLIED_UNKNOWN, BOUNCED_UNKNOWN = range(5)
"""Places of the measures. The last two count rows in which a measure is not known."""


@dataclass
class TallyIndex:
    """The three counts that a score needs, by sender, sequence and day.

    Attributes:
        users: Ids of the senders, sorted; a sender's place in it is its code.
        sequences: Ids of the sequences, sorted.
        first: The first day of the data.
        days: How many days it covers.
        user: Code of each row, in the order of sequence, user, day.
        sequence: Code of each row.
        day: Days of each row since the first one.
        counts: Shape (measures, rows).
    """

    users: list[str]
    sequences: list[str]
    first: dt.date
    days: int
    user: Ints
    sequence: Ints
    day: Ints
    counts: Ints
    _cubes: OrderedDict[bytes, Ints] = field(default_factory=OrderedDict)
    _lock: RLock = field(default_factory=RLock)

    @classmethod
    def of(cls, tallies: pl.DataFrame, users: list[str], sequences: list[str]) -> Self:
        """The index of a tally frame.

        Args:
            tallies: As `tally` returns them.
            users: Ids that are known besides those with tallies.
            sequences: The same of sequences.

        Raises:
            SelectionError: The tallies are empty: nothing has ended.
        """
        if tallies.is_empty():
            raise SelectionError(
                "Nothing has ended in this data, so there is nothing to explore.",
                hint="Read an export with enrollments that have ended.",
            )
        users = sorted({*users, *tallies["user_id"].unique().to_list()})
        sequences = sorted({*sequences, *tallies["sequence_id"].unique().to_list()})
        first = tallies.select(pl.col("day").min()).item()
        coded = tallies.select(
            pl.col("user_id").cast(pl.Enum(users)).to_physical().cast(pl.Int64).alias("user"),
            pl.col("sequence_id").cast(pl.Enum(sequences)).to_physical().cast(pl.Int64).alias("s"),
            (pl.col("day") - first).dt.total_days().alias("day"),
            *(pl.col(name).fill_null(0) for name in ("ended", "replied", "bounced")),
            *(pl.col(n).is_null().cast(pl.Int64).alias(f"no_{n}") for n in ("replied", "bounced")),
        ).sort("s", "user", "day")
        names = ["ended", "replied", "bounced"]
        if coded.select(pl.sum_horizontal(pl.col("no_replied", "no_bounced").sum())).item():
            names += ["no_replied", "no_bounced"]
        return cls(
            users=users,
            sequences=sequences,
            first=first,
            days=int(coded.select(pl.col("day").max()).item()) + 1,
            user=coded["user"].to_numpy(),
            sequence=coded["s"].to_numpy(),
            day=coded["day"].to_numpy(),
            counts=np.stack([coded[name].to_numpy() for name in names]),
        )

    @property
    def last(self) -> dt.date:
        """The newest day of the data."""
        return self.first + dt.timedelta(days=self.days - 1)

    def place(self, day: dt.date) -> int:
        """A day as days since the first one, cut to the days that there are."""
        return min(max((day - self.first).days, 0), self.days)

    def span(self, start: dt.date | None, end: dt.date | None) -> tuple[int, int]:
        """First place, and the place after the last one, of a range of days."""
        low = self.place(start) if start else 0
        high = self.place(end + dt.timedelta(days=1)) if end else self.days
        return low, max(low, high)

    def senders(self, sequences: Mask | None = None) -> Ints:
        """Running sums, shape (measures, users, days + 1), of all or of some sequences.

        The few that were asked for last are kept.
        """
        with self._lock:
            return self._senders(sequences)

    def _senders(self, sequences: Mask | None) -> Ints:
        key = b"" if sequences is None else sequences.tobytes()
        if key in self._cubes:
            self._cubes.move_to_end(key)
            return self._cubes[key]
        cube = self._running(sequences)
        self._cubes[key] = cube
        for old in list(self._cubes):
            if len(self._cubes) <= _KEPT:
                break
            if old:  # that of all sequences stays
                del self._cubes[old]
        return cube

    def _running(self, sequences: Mask | None) -> Ints:
        if sequences is None:
            rows: Any = slice(None)
        else:
            rows = self._rows_of(np.flatnonzero(sequences))
            if 2 * len(rows) > len(self.sequence):
                # Fewer rows are left out than taken: what is left out is taken off the whole.
                whole = self.senders()
                return np.subtract(whole, self._running(~sequences), out=_mapped(whole.shape))
        width = self.days
        cells = self.user[rows] * width + self.day[rows]
        shape = (len(self.users), width)
        sums = _sums(cells, self.counts[:, rows], shape[0] * width)
        cube = _mapped((len(sums), shape[0], width + 1))
        np.cumsum(sums.reshape(len(sums), *shape), axis=2, out=cube[:, :, 1:])
        return cube

    def sizes(self, users: Mask | None, low: int, high: int) -> Ints:
        """Ended enrollments of a range of days by sequence."""
        if users is None:
            running = self._by_sequence
            return running[:, high] - running[:, low]
        chosen = np.flatnonzero(users)
        if 2 * len(chosen) > len(users):
            # Fewer are left out than taken: what is left out is taken off the whole.
            return self.sizes(None, low, high) - self.sizes(~users, low, high)
        order, starts = self._by_user
        parts = [order[starts[code] : starts[code + 1]] for code in chosen]
        rows = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
        if high - low < self.days:
            day = self.day[rows]
            rows = rows[(day >= low) & (day < high)]
        ended = self.counts[ENDED][rows]
        return np.bincount(self.sequence[rows], ended, len(self.sequences)).astype(np.int64)

    @cached_property
    def _by_user(self) -> tuple[Ints, Ints]:
        """The rows in the order of their senders, and the place in it of each one's first row."""
        order = np.argsort(self.user, kind="stable").astype(np.int64)
        return order, np.searchsorted(self.user[order], np.arange(len(self.users) + 1))

    @cached_property
    def _by_sequence(self) -> Ints:
        """Running sums of what ended, shape (sequences, days + 1)."""
        shape = len(self.sequences), self.days
        cells = self.sequence * self.days + self.day
        ended = np.bincount(cells, self.counts[ENDED], shape[0] * shape[1])
        running = np.zeros((shape[0], shape[1] + 1), dtype=np.int64)
        np.cumsum(ended.reshape(shape), axis=1, out=running[:, 1:], dtype=np.int64)
        return running

    def by_sequence(self, users: Mask | None, low: int, high: int) -> Ints:
        """Sums of a range of days by sequence, shape (measures, sequences), for some senders."""
        taken = (self.day >= low) & (self.day < high)
        if users is not None:
            taken &= users[self.user]
        rows = np.flatnonzero(taken)
        return _sums(self.sequence[rows], self.counts[:, rows], len(self.sequences))

    def pairs(self, users: Mask | None, columns: Ints, low: int, high: int) -> Ints:
        """Sums of a range of days, shape (measures, users, columns), for some sequences."""
        place = np.full(len(self.sequences), -1, dtype=np.int64)
        place[columns] = np.arange(len(columns))
        rows = self._rows_of(columns)
        rows = rows[(self.day[rows] >= low) & (self.day[rows] < high)]
        if users is not None:
            rows = rows[users[self.user[rows]]]
        cells = self.user[rows] * len(columns) + place[self.sequence[rows]]
        sums = _sums(cells, self.counts[:, rows], len(self.users) * len(columns))
        return sums.reshape(len(sums), len(self.users), len(columns))

    def sequences_of(self, user: int, chosen: Mask | None) -> tuple[Ints, Ints]:
        """The sequences of one sender: their codes, and running sums as `senders` gives them."""
        order, starts = self._by_user
        rows = order[starts[user] : starts[user + 1]]
        if chosen is not None:
            rows = rows[chosen[self.sequence[rows]]]
        codes, place = np.unique(self.sequence[rows], return_inverse=True)
        sums = _sums(
            place * self.days + self.day[rows], self.counts[:, rows], len(codes) * self.days
        )
        cube = np.zeros((len(sums), len(codes), self.days + 1), dtype=np.int64)
        np.cumsum(sums.reshape(len(sums), len(codes), self.days), axis=2, out=cube[:, :, 1:])
        return codes, cube

    def _rows_of(self, sequences: Ints) -> Ints:
        """The places of the rows of some sequences, which stand together for each."""
        starts = self._starts
        parts = [np.arange(starts[code], starts[code + 1]) for code in sequences]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    @cached_property
    def _starts(self) -> Ints:
        """The place of each sequence's first row, and the number of rows after the last."""
        return np.searchsorted(self.sequence, np.arange(len(self.sequences) + 1))


def _mapped(shape: tuple[int, ...]) -> Ints:
    """Zeros in memory of their own, which goes back to the system as soon as they are let go of.

    What `malloc` gave out and takes back it may keep for good: arrays of some megabytes that come
    and go then hold on to more than is in use.
    """
    cells = math.prod(shape)
    private = {"flags": mmap.MAP_PRIVATE} if hasattr(mmap, "MAP_PRIVATE") else {}
    memory = mmap.mmap(-1, max(cells, 1) * np.dtype(np.int64).itemsize, **private)
    return np.frombuffer(memory, np.int64, cells).reshape(shape)


def _sums(cells: Ints, counts: Ints, size: int) -> Ints:
    """The sums of each count by cell, shape (counts, size).

    The counts travel packed in one number where a double holds all their sums exactly, since
    going through the rows is what takes the time.
    """
    bits = [max(int(total).bit_length(), 1) for total in counts.sum(axis=1)]
    if sum(bits) > _EXACT:
        return np.stack([np.bincount(cells, c, size).astype(np.int64) for c in counts])
    packed = np.zeros(counts.shape[1], dtype=np.int64)
    shift = 0
    for row, width in zip(counts, bits, strict=True):
        packed |= row << shift
        shift += width
    sums = np.bincount(cells, packed, size).astype(np.int64)
    parts = np.empty((len(counts), size), dtype=np.int64)
    shift = 0
    for part, width in zip(parts, bits, strict=True):
        np.bitwise_and(sums >> shift, (1 << width) - 1, out=part)
        shift += width
    return parts
