"""An account read once: enrollments, tallies, roster and labels together.

It may also be opened from tallies alone: a tally file, or a store (see `store`). All that goes by
counts is then as it would be; what goes back to the enrollments says that there are none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from senderscore_nb.errors import ReadError, SelectionError, did_you_mean
from senderscore_nb.labels import Labels, labels_of_names
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy
from senderscore_nb.selection import Selection
from senderscore_nb.snapshot import Asked, recall
from senderscore_nb.sources import Mapping, Reading, read_enrollments, read_roster
from senderscore_nb.store import Tallied, find_tallies, read_tallied
from senderscore_nb.tally import tally


@dataclass(frozen=True)
class Account:
    """What was read, and what everything else is computed from.

    Attributes:
        reading: Accepted enrollments, rejected rows and the files they came from; of an account
            that was opened from tallies, those.
        tallies: Counts by sender, sequence and day under the policy's counting rules.
        roster: Who sends, or None.
        labels: Names to show.
        policy: The policy whose counting rules made the tallies.
        snapshot: The folder of the reading that many processes share, or nothing.
        timezone: The account's time zone, as it was stated; "" where it was not.
    """

    reading: Reading
    tallies: pl.DataFrame
    roster: pl.DataFrame | None
    labels: Labels
    policy: ScoringPolicy
    snapshot: str = ""
    timezone: str = ""

    @property
    def through(self) -> dt.date | None:
        """The newest day that the data knows of: of an enrollment, or of an end."""
        return self.reading.through

    @property
    def enrollments(self) -> pl.DataFrame | None:
        """The accepted enrollments; None where only tallies were read.

        Whoever cannot do without them takes `reading.accepted`, which then says so.
        """
        return self.reading.accepted if self.reading.has_rows else None

    @property
    def tallied(self) -> Tallied:
        """The tallies with what they were made under, as a tally file or a store keeps them.

        The rules are null where the account was opened from tallies that do not tell theirs.
        """
        names = self.reading.names
        rules = self.policy.counting if self.reading.has_rows else self.reading.rules
        return Tallied(
            self.tallies, rules, self.timezone, self.through, names.users, names.sequences
        )

    def under(self, policy: ScoringPolicy) -> Account:
        """The account under another policy, counted again where that counts differently.

        Raises:
            EnrollmentsNeededError: It does, and only tallies were read.
        """
        if self.policy.counting.differs_in(policy.counting) is None:
            return replace(self, policy=policy)
        return replace(self, policy=policy, tallies=self.reading.counted(policy.counting))

    def select(self, selection: Selection) -> pl.DataFrame:
        """The tallies that a selection takes.

        Factors are looked up in the enrollments, so they are counted again.

        Raises:
            SelectionError: It names a user, team, sequence or factor that there is not.
            EnrollmentsNeededError: It names a factor, and only tallies were read.
        """
        known = {
            "user": (selection.users, self.labels.users),
            "sequence": (selection.sequences, self.labels.sequences),
        }
        for kind, (names, labels) in known.items():
            for name in names:
                _require_known(kind, name, labels)
        tallies = self.tallies
        if selection.factors:
            rows = self.reading.accepted
            for factor, values in selection.factors:
                if factor not in rows.columns:
                    raise SelectionError(
                        f"There is no factor {factor!r}.", hint=did_you_mean(factor, rows.columns)
                    )
                rows = rows.filter(pl.col(factor).cast(pl.String).is_in(list(values)))
            tallies = tally(rows, rules=self.policy.counting)
        return selection.apply(tallies, self.roster)


def open_account(
    paths: str | Path | Sequence[str | Path],
    *,
    mapping: str | Path | Mapping | None = None,
    timezone: str | None = None,
    roster: str | Path | None = None,
    policy: str | Path | ScoringPolicy = DEFAULT_POLICY,
    as_counted: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Account:
    """Read an account's exports, or its tallies, and its roster where there is one.

    Where a snapshot of just this is at hand (see `snapshot`), it is taken instead.

    Args:
        paths: A file, a folder, a glob, or a list of them; or a tally file or a tally store.
        mapping: How headers become columns; found from the headers unless given.
        timezone: The account's time zone; needed where files hold times of day.
        roster: A roster file; a file named `roster.*` in the folder is taken unless one is given.
        policy: Whose counting rules count.
        as_counted: Tallies keep the rules that they were counted under, for whoever asks for a
            policy only afterwards: `Account.under` refuses then where it must.
        progress: Called with a line about each step.

    Raises:
        EnrollmentsNeededError: Tallies were counted under other rules than the policy's.
        SenderScoreError: Something could not be read, or is not valid.
    """
    policy = load_policy(policy)
    kept = recall(Asked.of(paths, mapping, timezone, roster))
    reading = kept.reading if kept else _read(paths, mapping, timezone, progress)
    if as_counted and reading.rules and reading.rules.differs_in(policy.counting):
        policy = policy.model_copy(update={"counting": reading.rules})
    if kept:
        tallies = kept.tallies_under(policy.counting)
        if tallies is None:
            tallies = reading.counted(policy.counting)
        return Account(
            reading, tallies, kept.roster, kept.labels, policy, kept.folder, kept.timezone
        )
    tallies = reading.counted(policy.counting)
    found = roster or find_roster(paths)
    people = read_roster(found) if found else None
    return Account(
        reading=reading,
        tallies=tallies,
        roster=people,
        labels=labels_of_names(reading.names, people),
        policy=policy,
        timezone=reading.timezone or timezone or "",
    )


def _read(
    paths: str | Path | Sequence[str | Path],
    mapping: str | Path | Mapping | None,
    timezone: str | None,
    progress: Callable[[str], None] | None,
) -> Reading:
    tallies = find_tallies(paths)
    if tallies is not None:
        if mapping is not None:
            raise ReadError(
                "A mapping is for exports, and these are tallies.",
                where=str(tallies),
                hint="Leave the mapping out.",
            )
        if progress:
            progress(f"Reading {tallies} …")
        return read_tallied(tallies, timezone=timezone)
    reading = read_enrollments(paths, mapping=mapping, timezone=timezone, progress=progress)
    if reading.read and reading.accepted.is_empty():
        reason = reading.rejected["reason"][0]
        raise ReadError(
            f"All {reading.read} rows were rejected; the first because of {reason}.",
            hint="`senderscore check` lists them; perhaps another --mapping is needed.",
        )
    return reading


def _require_known(kind: str, name: str, labels: pl.DataFrame) -> None:
    ids, shown = labels.get_columns()
    if name in ids:
        return
    named = ids.filter(shown == name)
    hint = f"Its id is {named[0]!r}." if len(named) else did_you_mean(name, ids.to_list())
    raise SelectionError(f"There is no {kind} with the id {name!r}.", hint=hint)


def find_roster(paths: str | Path | Sequence[str | Path]) -> Path | None:
    """The file `roster.*` of a data folder, or None."""
    folders = [paths] if isinstance(paths, str | Path) else list(paths)
    for folder in (Path(f) for f in folders):
        if folder.is_dir():
            for file in sorted(folder.glob("roster.*")):
                return file
    return None
