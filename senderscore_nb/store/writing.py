"""Writing to a store: the next state, or the one before and words about what was in the way."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from senderscore_nb.contract import KEYS
from senderscore_nb.errors import SenderScoreError, StoreError
from senderscore_nb.safe import shown, sync_folder, write_new
from senderscore_nb.store.days import Days
from senderscore_nb.store.disk import appear, names_in, remove
from senderscore_nb.store.known import agree, known_after
from senderscore_nb.store.manifest import (
    Manifest,
    Partition,
    begun_name,
    generation_of,
    made_for,
    manifest_name,
)
from senderscore_nb.store.partitions import (
    EMPTY,
    MEND,
    MONTHS,
    holds,
    partition_bytes,
    read_partition,
    write_partition,
)
from senderscore_nb.store.tallied import Tallied, checked_tallies

LOCK = ".lock"
_TRIES = 50
_OURS = (LOCK, MONTHS)


@dataclass(frozen=True)
class Change:
    """What a write did.

    Attributes:
        generation: The state that there is now.
        days: The days that were replaced.
        written: The months whose partitions were written anew.
        removed: The months of which nothing is left.
        size: Bytes of partitions that were written.
    """

    generation: int
    days: Days
    written: tuple[str, ...]
    removed: tuple[str, ...]
    size: int


class Cells(Protocol):
    """The cells of many days, a month at a time."""

    @property
    def months(self) -> Collection[str]:
        """The months that have cells, as `2026-03`."""

    def of(self, month: str) -> pl.DataFrame:
        """The month's cells: tallies of the contract, sorted by key."""


class _Held:
    """Cells of tallies that are in memory."""

    def __init__(self, tallies: pl.DataFrame) -> None:
        labelled = tallies.with_columns(__month=pl.col("day").dt.strftime("%Y-%m"))
        self._parts = {
            str(month): part.drop("__month")
            for (month,), part in labelled.group_by("__month", maintain_order=True)
        }
        self.months = tuple(self._parts)

    def of(self, month: str) -> pl.DataFrame:
        return self._parts[month]


class _OvertakenError(Exception):
    """Another writer was first."""


class Writer:
    """Writes one state after another.

    Args:
        folder: The store's folder.
        state: Gives the present state, or None where there is no store yet.
    """

    def __init__(self, folder: Path, state: Callable[[], Manifest | None]) -> None:
        self._folder, self._state = folder, state

    def replace(
        self, tallied: Tallied, days: Days, wait_seconds: float, cells: Cells | None = None
    ) -> Change:
        """See `TallyStore.replace`; cells are those of the tallies unless given."""
        tallies = checked_tallies(tallied.tallies)
        if tallied.rules is None:
            raise StoreError(
                "Nobody knows under which counting rules these tallies were counted.",
                hint="Say it with a policy that counts like them: --policy NAME|FILE.",
            )
        outside = tallies.filter(~days.has_day)["day"].to_list()
        if outside:
            raise StoreError(
                f"The tallies have cells of {min(outside)}, which is not one of the days {days}.",
                hint="Replace the days that the data covers, and give their cells alone.",
            )
        with self._prepared(), self._alone(wait_seconds):
            for _ in range(_TRIES):
                before = self._before(tallied)
                try:
                    return self._write(before, tallied, cells or _Held(tallies), days)
                except _OvertakenError:
                    continue
        raise StoreError("The store is being written all the time.", where=str(self._folder))

    def _before(self, tallied: Tallied) -> Manifest:
        """The state to build on.

        Raises:
            StoreError: The tallies do not belong to it.
        """
        assert tallied.rules is not None  # noqa: S101
        found = self._state()
        if found is None:
            return Manifest(rules=tallied.rules, timezone=tallied.timezone)
        agree(found, tallied.rules, tallied.timezone, where=self._folder)
        return found

    def _write(self, before: Manifest, tallied: Tallied, cells: Cells, days: Days) -> Change:
        generation, made = before.generation + 1, list[Partition]()
        try:
            months = self._months(before, cells, days, generation, made)
            after = known_after(before, tallied, days).model_copy(
                update={"generation": generation, "months": months}
            )
            if before.generation and not made and after.content == before.content:
                return Change(before.generation, days, (), (), 0)
            self._commit(after)
        except BaseException:
            # Where the state is there already nobody can tell any more what it needs.
            if not os.path.lexists(self._folder / manifest_name(generation)):
                remove(self._folder / MONTHS / partition.file for partition in made)
            raise
        sync_folder(self._folder)
        if self._newest() != generation:
            raise _OvertakenError
        self._clean(before, after)
        written = tuple(m for m, p in sorted(months.items()) if p in made)
        removed = tuple(sorted(set(before.months) - set(months)))
        return Change(generation, days, written, removed, sum(p.size for p in made))

    def _months(
        self,
        before: Manifest,
        new: Cells,
        days: Days,
        generation: int,
        made: list[Partition],
    ) -> dict[str, Partition]:
        """The next state's partitions; those that are written are added to `made` as well."""
        months = dict(before.months)
        touched = {m for m, p in months.items() if days.touches(p.first, p.last)}
        for month in sorted(touched | set(new.months)):
            old = months.pop(month, None)
            cells = new.of(month) if month in new.months else EMPTY
            if old is not None and not old.days.within(days):
                cells = pl.concat([cells, self._kept(old, days)]).sort(KEYS)
            if cells.is_empty():
                continue
            content = partition_bytes(cells, before.rules, before.timezone)
            if old is not None and holds(self._folder, old, content):
                months[month] = old
                continue
            months[month] = write_partition(self._folder, month, generation, cells, content)
            made.append(months[month])
        return months

    def _kept(self, old: Partition, days: Days) -> pl.DataFrame:
        """The cells of a month's other days."""
        try:
            return read_partition(self._folder, old).filter(~days.has_day)
        except FileNotFoundError:
            found = self._state()
            if found is None or old not in found.months.values():
                raise _OvertakenError from None
            raise StoreError(
                "A partition is missing, so that the month's other days cannot be kept.",
                where=old.file,
                hint=f"{MEND} Here that means the whole month.",
            ) from None

    def _commit(self, after: Manifest) -> None:
        generation = after.generation
        begun = self._folder / begun_name(generation, secrets.token_hex(8))
        try:
            sync_folder(self._folder / MONTHS)
            write_new(begun, after.to_bytes())
            appear(begun, self._folder / manifest_name(generation))
        except (FileExistsError, FileNotFoundError):
            # It is there already, or another writer took this one's beginnings for left over.
            raise _OvertakenError from None
        finally:
            remove([begun])

    def _newest(self) -> int | None:
        found = [generation_of(name) for name in names_in(self._folder)]
        return max((n for n in found if n is not None), default=None)

    def _clean(self, before: Manifest, after: Manifest) -> None:
        """Remove what neither this state nor the one before it names.

        What was made for a later state is left: its writer may be at work. Whoever works on this
        one or an earlier one cannot finish any more, and begins again.
        """
        kept = {p.file for state in (before, after) for p in state.months.values()}
        months, generation = self._folder / MONTHS, after.generation
        partitions = [n for n in names_in(months) if n not in kept]
        begun = names_in(self._folder)
        old = [n for n in begun if (g := generation_of(n)) is not None and g < before.generation]
        for folder, names in ((months, partitions), (self._folder, begun)):
            left = [n for n in names if (g := made_for(n)) is not None and g <= generation]
            remove(folder / name for name in left)
        remove(self._folder / name for name in old)

    @contextmanager
    def _prepared(self) -> Iterator[None]:
        """The folder, made or found to be ours; what goes wrong with files, in words."""
        try:
            self._refuse_foreign()
            if not (self._folder / MONTHS).exists():
                (self._folder / MONTHS).mkdir(parents=True, exist_ok=True)
                sync_folder(self._folder)
                sync_folder(self._folder.parent)
            yield
        except SenderScoreError:
            raise
        except OSError as error:
            raise StoreError(
                f"The store cannot be written ({error.strerror or error}); it is as it was.",
                where=str(self._folder),
                hint="Make room, or make the folder writable, and update it again.",
            ) from None

    def _refuse_foreign(self) -> None:
        if self._folder.exists() and not self._folder.is_dir():
            raise StoreError("This is a file, not a folder.", where=str(self._folder))
        if (self._folder / MONTHS).is_symlink():
            raise StoreError(
                f"{MONTHS} is a link to somewhere else.", where=str(self._folder / MONTHS)
            )
        if self._newest() is not None:
            return
        for name in sorted(names_in(self._folder)):
            if name in _OURS or made_for(name) is not None or name.startswith("roster."):
                continue
            raise StoreError(
                f"The folder holds {shown(name)!r} and is no tally store.",
                where=str(self._folder),
                hint="Name a new folder, or an empty one.",
            )

    @contextmanager
    def _alone(self, wait_seconds: float) -> Iterator[None]:
        """The lock, which writers queue for; the system gives it back when a process ends."""
        from filelock import FileLock, Timeout

        lock = FileLock(self._folder / LOCK, timeout=wait_seconds)
        try:
            lock.acquire()
        except Timeout:
            raise StoreError(
                f"Somebody else has been writing for {wait_seconds:g} seconds.",
                where=str(self._folder),
                hint="Update again when they have finished.",
            ) from None
        except NotImplementedError:
            pass  # no locks here; who comes second begins again
        try:
            yield
        finally:
            lock.release()
