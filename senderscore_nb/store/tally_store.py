"""A tally store: a folder of immutable partitions by month, and manifests that name them.

A state is a manifest `tally-store.N.json`; the one with the highest N is the present one. A writer
puts its partitions under new names, forces them to the disk, and then gives its manifest the next
name, which works for one writer only: a state appears whole or not at all. Whoever comes second
begins again on what the first one left. Readers take no lock: what the state before the present one
names is kept until the next write, and who reads for longer than that reads again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import polars as pl

from senderscore_nb.contract import KEYS
from senderscore_nb.errors import StoreError
from senderscore_nb.store.days import Days
from senderscore_nb.store.disk import names_in, read_plain
from senderscore_nb.store.manifest import Manifest, generation_of, manifest_name
from senderscore_nb.store.partitions import (
    EMPTY,
    MEND,
    MONTHS,
    months_frame,
    problem_of,
    read_partition,
)
from senderscore_nb.store.tallied import SEQUENCES, USERS, Tallied, named
from senderscore_nb.store.writing import Cells, Change, Writer

_TRIES = 50
_ALWAYS = Days(dt.date.min, dt.date.max)

Read = TypeVar("Read")


class TallyStore:
    """A store of tallies in a folder.

    Args:
        folder: The folder; the first `replace` makes it.

    >>> import tempfile
    >>> from senderscore_nb.policy import CountingRules
    >>> day = dt.date(2026, 3, 2)
    >>> cells = pl.DataFrame({"user_id": ["7"], "sequence_id": ["1"], "day": [day], "ended": [4],
    ...                       "replied": [1], "bounced": [0]})
    >>> tallied = Tallied(cells, CountingRules(), "Europe/Berlin", day, named(cells["user_id"]),
    ...                   named(cells["sequence_id"], schema=SEQUENCES))
    >>> store = TallyStore(tempfile.mkdtemp())
    >>> store.replace(tallied, days=Days(day, day)).generation
    1
    >>> store.read()["ended"].to_list()
    [4]
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()

    def replace(
        self,
        tallied: Tallied,
        *,
        days: Days,
        cells: Cells | None = None,
        wait_seconds: float = 600,
    ) -> Change:
        """Replace days whole: what was known of them is forgotten, other days are kept.

        Only partitions of months with such days are written anew, and none whose cells stay as
        they are. A day without a cell becomes empty. Names and `through` are taken over.

        Args:
            tallied: All cells of those days, and none of others; with its counting rules.
            days: The days.
            cells: The cells, where they are brought a month at a time instead of held: then
                those of `tallied` are left out of account.
            wait_seconds: How long to wait for another writer.

        Returns:
            What was written.

        Raises:
            ContractError: A row is no tally.
            StoreError: A row is of another day, the store counts otherwise or is of another
                account's time zone, the folder is something else, or it cannot be written. The
                store is then as it was.
        """
        return Writer(self.folder, self.state_or_none).replace(tallied, days, wait_seconds, cells)

    def state(self) -> Manifest:
        """The present state.

        Raises:
            StoreError: There is no store here, or its manifest cannot be used.
        """
        found = self.state_or_none()
        if found is None:
            raise StoreError(
                "There is no tally store here.",
                where=str(self.folder),
                hint="`senderscore store update FOLDER DATA` makes one.",
            )
        return found

    def state_or_none(self) -> Manifest | None:
        """The present state; None where there is no store."""
        for _ in range(_TRIES):
            try:
                generations = [generation_of(name) for name in names_in(self.folder)]
                newest = max((n for n in generations if n is not None), default=None)
                if newest is None:
                    return None
                path = self.folder / manifest_name(newest)
                return Manifest.parse(read_plain(path), newest, where=path)
            except FileNotFoundError:
                continue  # two writers came by since the folder was listed
            except OSError as error:
                raise StoreError(
                    f"The store cannot be read ({error.strerror}).", where=str(self.folder)
                ) from None
        raise StoreError("The store is being written all the time.", where=str(self.folder))

    def read(self, start: dt.date | None = None, end: dt.date | None = None) -> pl.DataFrame:
        """The tallies of one state, sorted by key; checked against the manifest.

        Args:
            start: The first day; from the beginning unless given.
            end: The last day; to the end unless given.

        Raises:
            StoreError: There is no store, or a partition is not what was written.
        """
        days = Days(start or dt.date.min, end or dt.date.max)
        return self._whole(lambda state: self._read(state, days))

    def tallied(self) -> Tallied:
        """Everything that one state holds, with what it was counted under.

        Raises:
            StoreError: There is no store, or a partition is not what was written.
        """
        return self.whole()[0]

    def whole(self) -> tuple[Tallied, Manifest]:
        """The same, with the state.

        Raises:
            StoreError: As `tallied`.
        """
        return self._whole(lambda state: (self._tallied(state), state))

    def _tallied(self, state: Manifest) -> Tallied:
        tallies = self._read(state, _ALWAYS)
        users, sequences = names_of(state)
        return Tallied(
            tallies,
            state.rules,
            state.timezone,
            state.through,
            named(tallies["user_id"], users),
            named(tallies["sequence_id"], sequences, schema=SEQUENCES),
        )

    def scan(self, start: dt.date | None = None, end: dt.date | None = None) -> pl.LazyFrame:
        """The tallies of the present state as a lazy frame; files of other months are not opened.

        They are not sorted and not checked against the manifest. The files are there until the
        second write from now.

        Args:
            start: The first day.
            end: The last day.

        Raises:
            StoreError: There is no store.
        """
        days = Days(start or dt.date.min, end or dt.date.max)
        state = self.state()
        files = [
            self.folder / MONTHS / partition.file
            for _, partition in sorted(state.months.items())
            if days.touches(partition.first, partition.last)
        ]
        if not files:
            return EMPTY.lazy()
        return pl.scan_parquet(files, glob=False).filter(days.has_day)

    def months(self) -> pl.DataFrame:
        """The months: `month`, `first`, `last`, `rows`, `ended`, `size` in bytes, `file`."""
        return months_frame(self.state())

    def verify(self) -> pl.DataFrame:
        """The months with `problem`: what is wrong with their file; empty if all is well.

        Raises:
            StoreError: There is no store, or its manifest cannot be used.
        """
        state = self.state()
        for _ in range(_TRIES):
            found = {m: problem_of(self.folder, p) for m, p in sorted(state.months.items())}
            after = self.state()
            if after.generation == state.generation or not any(found.values()):
                break
            state = after
        problems = pl.Series("problem", list(found.values()), dtype=pl.String)
        return months_frame(state).with_columns(problems)

    def _read(self, state: Manifest, days: Days) -> pl.DataFrame:
        parts = []
        for _, partition in sorted(state.months.items()):
            if days.touches(partition.first, partition.last):
                part = read_partition(self.folder, partition)
                parts.append(part if partition.days.within(days) else part.filter(days.has_day))
        return pl.concat([EMPTY, *parts]).sort(KEYS)

    def _whole(self, read: Callable[[Manifest], Read]) -> Read:
        """What is read of one state, also while writers replace it."""
        state = self.state()
        for _ in range(_TRIES):
            try:
                return read(state)
            except FileNotFoundError as error:
                after = self.state()
                if after.generation == state.generation:
                    raise StoreError(
                        "A partition is missing.", where=str(error.filename), hint=MEND
                    ) from None
                state = after
        raise StoreError("The store is being written all the time.", where=str(self.folder))


def names_of(state: Manifest) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The names that a state knows: of users and of sequences."""
    return _frame(state.users, USERS), _frame(state.sequences, SEQUENCES)


def _frame(names: dict[str, str | None], schema: pl.Schema) -> pl.DataFrame:
    return pl.DataFrame(list(names.items()), schema=schema, orient="row")


def is_store(folder: str | Path) -> bool:
    """Whether a folder holds a tally store, of whichever version."""
    try:
        names = names_in(Path(folder).expanduser())
    except (OSError, ValueError, RuntimeError):
        return False  # no such name can be; whoever reads says so
    return any(generation_of(name) is not None for name in names)
