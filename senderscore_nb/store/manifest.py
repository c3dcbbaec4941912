"""A store's manifest: one state of it, by which every partition is found and checked."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from senderscore_nb.contract import STORE_PREFIX
from senderscore_nb.errors import StoreError, first_problem
from senderscore_nb.policy import CountingRules
from senderscore_nb.safe import shown
from senderscore_nb.store.days import Days

KIND = "senderscore tally store"
VERSION = 1
"""The version of the format that this package writes, and the newest that it reads."""

_NAME = re.compile(rf"{re.escape(STORE_PREFIX)}(\d{{10}})\.json")
_PARTITION = re.compile(r"(\d{4}-\d{2})\.(\d{10})\.[0-9a-f]{16}\.parquet")
_BEGUN = re.compile(rf"\.{re.escape(STORE_PREFIX)}(\d{{10}})\.[0-9a-f]{{16}}\.tmp")
_AGAIN = "Update the store again from the data, in a new folder if need be."


def manifest_name(generation: int) -> str:
    """The file name of a state."""
    return f"{STORE_PREFIX}{generation:010d}.json"


def begun_name(generation: int, token: str) -> str:
    """The file name of a manifest that is being written."""
    return f".{STORE_PREFIX}{generation:010d}.{token}.tmp"


def partition_name(month: str, generation: int, token: str) -> str:
    """The file name of a month's partition that a writer of that generation made."""
    return f"{month}.{generation:010d}.{token}.parquet"


def generation_of(name: str) -> int | None:
    """The generation of a manifest's file name; None for any other name."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


def made_for(name: str) -> int | None:
    """For which generation a partition or a begun manifest was written; None for other names."""
    partition, begun = _PARTITION.fullmatch(name), _BEGUN.fullmatch(name)
    if partition:
        return int(partition[2])
    return int(begun[1]) if begun else None


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Partition(_Frozen):
    """A month's file: immutable, under a name that is never used again.

    Attributes:
        file: Its name in the folder `months`.
        sha256: Of its bytes.
        size: In bytes.
        rows: Cells.
        ended: Ended enrollments in them.
        first: The first day.
        last: The last day.
    """

    file: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]
    rows: Annotated[int, Field(ge=1)]
    ended: Annotated[int, Field(ge=0)]
    first: dt.date
    last: dt.date

    @property
    def days(self) -> Days:
        """From its first to its last day."""
        return Days(self.first, self.last)


class Manifest(_Frozen):
    """One state of a store.

    Attributes:
        generation: Which one; each write makes the next.
        rules: The counting rules of every cell, the date basis among them.
        timezone: The account's time zone; "" where days came as days.
        through: The newest day that the data knew of.
        covered: Ranges of days that were ever replaced: their first and last days.
        users: Names by user id, null where not known.
        sequences: Names by sequence id.
        months: Partitions by month, as 2026-11.
    """

    generation: Annotated[int, Field(ge=0)] = 0
    rules: CountingRules
    timezone: Annotated[str, Field(max_length=64)]
    through: dt.date | None = None
    covered: tuple[tuple[dt.date, dt.date], ...] = ()
    users: dict[str, str | None] = {}
    sequences: dict[str, str | None] = {}
    months: dict[str, Partition] = {}

    @model_validator(mode="after")
    def _plain(self) -> Self:
        for month, partition in self.months.items():
            match = _PARTITION.fullmatch(partition.file)
            if not match or match[1] != month:
                raise ValueError(f"{shown(partition.file)!r} is no file of the month {month}")
            days = {f"{day:%Y-%m}" for day in (partition.first, partition.last)}
            if days != {month} or partition.last < partition.first:
                raise ValueError(f"the days of {month} are not its own")
        if any(last < first for first, last in self.covered):
            raise ValueError("covered days end before they begin")
        return self

    @property
    def content(self) -> str:
        """A hash of what is in the store, whichever generation it is."""
        months = {month: p.sha256 for month, p in self.months.items()}
        known = self.model_dump(mode="json", exclude={"generation", "months"})
        return _hash({**known, "months": months})

    def to_bytes(self) -> bytes:
        """As JSON, with a checksum; reads back equal."""
        state = self.model_dump(mode="json")
        whole = {"kind": KIND, "version": VERSION, "sha256": _hash(state), "state": state}
        return (json.dumps(whole, indent=1) + "\n").encode()

    @classmethod
    def parse(cls, content: bytes, generation: int, *, where: Path) -> Self:
        """A state from the bytes of its file.

        Raises:
            StoreError: It is of a newer version, damaged, or names what it must not.
        """
        try:
            whole: Any = json.loads(content)
            if not isinstance(whole, dict) or whole.get("kind") != KIND:
                raise ValueError("it is no manifest of a tally store")
            version, state = whole.get("version"), whole.get("state")
        except (ValueError, RecursionError) as error:
            raise _damaged(error, where) from None
        if isinstance(version, int) and version > VERSION:
            raise StoreError(
                f"This store is of version {version}; this package reads up to {VERSION}.",
                where=str(where),
                hint="Update senderscore-nb.",
            )
        try:
            if version != VERSION:
                raise ValueError(f"the version is {shown(version)}")
            if whole.get("sha256") != _hash(state):
                raise ValueError("its checksum differs")
            found = cls.model_validate(state)
            if found.generation != generation:
                raise ValueError("its generation is another")
        except ValidationError as error:
            problem = first_problem(error)
            raise _damaged(f"{problem.key} {problem.message}", where) from None
        except ValueError as error:
            raise _damaged(error, where) from None
        return found


def _damaged(reason: object, where: Path) -> StoreError:
    return StoreError(
        f"The store's manifest cannot be used ({shown(reason, most=120)}).",
        where=str(where),
        hint=f"Where an older manifest is beside it, removing this one goes back to it. {_AGAIN}",
    )


def _hash(state: object) -> str:
    text = json.dumps(state, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
