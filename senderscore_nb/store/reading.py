"""A tally file or a store as what was read: counts, and no enrollments."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import polars as pl

from senderscore_nb.errors import EnrollmentsNeededError, ReadError
from senderscore_nb.labels import Names
from senderscore_nb.policy import CountingRules
from senderscore_nb.safe import shown
from senderscore_nb.sources.days import known_zone
from senderscore_nb.sources.raw import find_files, refuse_hidden
from senderscore_nb.sources.reading import REJECTED, Reading, SourceFile
from senderscore_nb.store.files import is_tally_file, read_tallies
from senderscore_nb.store.manifest import manifest_name
from senderscore_nb.store.tallied import Tallied
from senderscore_nb.store.tally_store import TallyStore, is_store

Paths = str | Path | Sequence[str | Path]

_UNKNOWN_RULES = (
    "The tallies do not say under which counting rules they were counted; they are taken to be the "
    "policy's."
)


class TallyReading(Reading):
    """Counts that were read; whoever asks for the enrollments is told that there are none.

    Attributes:
        tallied: The counts, and what they were made under.
    """

    tallied: Tallied

    def __init__(self, tallied: Tallied, files: tuple[SourceFile, ...]) -> None:
        values = {"rejected": pl.DataFrame(schema=REJECTED), "files": files, "duplicates": 0}
        for name, value in {"tallied": tallied, **values}.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """What it was read from."""
        return f"TallyReading({', '.join(file.path for file in self.files)})"

    @property
    def accepted(self) -> NoReturn:
        """There are none.

        Raises:
            EnrollmentsNeededError: Always.
        """
        raise EnrollmentsNeededError(
            "Only tallies were read, and this needs the enrollments: factors, levers, contacts and "
            "counting in another way go back to them.",
            where=", ".join(file.path for file in self.files),
            hint="Read the exports instead.",
        )

    @property
    def has_rows(self) -> bool:
        """Only counts were read."""
        return False

    @property
    def rules(self) -> CountingRules | None:
        """The rules of the counts; None where nobody knows."""
        return self.tallied.rules

    @property
    def timezone(self) -> str:
        """The account's time zone, as the tallies tell it."""
        return self.tallied.timezone

    @property
    def through(self) -> dt.date | None:
        """The newest day that the data knew of."""
        return self.tallied.through

    @property
    def names(self) -> Names:
        """The senders and sequences."""
        return Names(self.tallied.users, self.tallied.sequences)

    @property
    def spellings(self) -> pl.DataFrame:
        """The senders' names."""
        return self.tallied.users.select("user_name", "user_id").drop_nulls()

    @property
    def remarks(self) -> tuple[str, ...]:
        """That the counting rules are not known, where they are not."""
        return () if self.tallied.rules else (_UNKNOWN_RULES,)

    @property
    def row_facts(self) -> dict[str, int | None]:
        """How many cells were read; of rows nothing is known."""
        return {"cells_read": self.read, **dict.fromkeys(_ROW_FACTS)}

    def counted(self, rules: CountingRules) -> pl.DataFrame:
        """The tallies, if they were counted under such rules.

        Raises:
            EnrollmentsNeededError: They were counted under others.
        """
        mine = self.tallied.rules
        if mine and (rule := mine.differs_in(rules)):
            raise EnrollmentsNeededError(
                f"These tallies were counted with {rule} = {mine.word(rule)}, and the policy "
                f"counts with {rules.word(rule)}.",
                where=", ".join(file.path for file in self.files),
                hint="Choose a policy that counts alike; counting again needs the exports.",
            )
        return self.tallied.tallies

    def describe(self) -> str:
        """What was read, as lines of text."""
        tallied = self.tallied
        lines = [f"{file.path}: {file.rows} cells ({file.mapping})" for file in self.files]
        days = tallied.tallies["day"].sort()
        if len(days):
            lines.append(f"  days {days[0]} to {days[-1]}, through {tallied.through}")
        lines.append(f"  time zone {shown(tallied.timezone) or 'not stated'}")
        if tallied.rules:
            rules = tallied.rules
            lines += [f"  {name} = {rules.word(name)}" for name in CountingRules.model_fields]
        lines += self.remarks
        ended = int(tallied.tallies["ended"].sum())
        return "\n".join([*lines, f"{ended} ended enrollments; only their counts were read."])


_ROW_FACTS = ("rows_read", "rows_accepted", "rows_rejected", "duplicates")


def find_tallies(paths: Paths) -> Path | None:
    """The tally file or the store that paths mean; None where they mean exports.

    Raises:
        ReadError: They mean a tally file or a store, and more beside it.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    stores = [Path(item).expanduser() for item in given if is_store(item)]
    others = [item for item in given if not is_store(item)]
    files = find_files(others) if others else []
    tallies = [file for file in files if is_tally_file(file)]
    found = [*stores, *tallies]
    if not found:
        return None
    beside = [*found[1:], *(file for file in files if file not in tallies)]
    if beside:
        raise ReadError(
            f"Tallies are read alone, and beside them is {shown(beside[0], most=120)}.",
            where=str(found[0]),
            hint="What several files count may be the same enrollments. Put their days into one "
            "store: senderscore store update STORE FILE.",
        )
    return found[0]


def changing_files(paths: Paths) -> list[Path]:
    """The files whose change means that the data has changed.

    Raises:
        ReadError: Nothing is found.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    stores = [Path(item).expanduser() for item in given if is_store(item)]
    others = [item for item in given if not is_store(item)]
    states = [s / manifest_name(TallyStore(s).state().generation) for s in stores]
    return [*states, *(find_files(others) if others else [])]


def read_tallied(path: Path, *, timezone: str | None = None) -> TallyReading:
    """A tally file or a store.

    Args:
        path: As `find_tallies` gives it.
        timezone: The account's time zone, where it is stated once more.

    Raises:
        SenderScoreError: It cannot be read, or its days are of another time zone.
    """
    refuse_hidden(path)
    if timezone:
        known_zone(timezone)
    tallied, file = _of_store(path) if path.is_dir() else _of_file(path)
    if timezone and tallied.timezone and timezone != tallied.timezone:
        raise ReadError(
            f"The days of these tallies are of the time zone {shown(tallied.timezone)}, not of "
            f"{timezone}.",
            where=str(path),
            hint="Leave the time zone out; days that were counted cannot be decided anew.",
        )
    return TallyReading(tallied, (file,))


def _of_store(path: Path) -> tuple[Tallied, SourceFile]:
    tallied, state = TallyStore(path).whole()
    size = sum(partition.size for partition in state.months.values())
    kind = f"tally store, {len(state.months)} months"
    return tallied, _source(path, tallied, state.content, size, kind)


def _of_file(path: Path) -> tuple[Tallied, SourceFile]:
    tallied = read_tallies(path)
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return tallied, _source(path, tallied, digest, len(content), "tally file")


def _source(path: Path, tallied: Tallied, sha256: str, size: int, kind: str) -> SourceFile:
    return SourceFile(
        path=str(path),
        sha256=sha256,
        size=size,
        rows=tallied.tallies.height,
        form="tallies",
        encoding=None,
        delimiter=None,
        decimal=".",
        mapping=kind,
        mapped={},
        unmapped={},
    )
