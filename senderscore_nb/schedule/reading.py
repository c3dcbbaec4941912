"""The plan's data, read once for all reports, and never while somebody writes it."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from senderscore_nb.account import Account, find_roster, open_account
from senderscore_nb.errors import EnrollmentsNeededError, ReadError
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.redact import Redactor
from senderscore_nb.snapshot import Asked, Snapshot, rules_name, save_snapshot
from senderscore_nb.store import changing_files

QUIET_SECONDS = 2.0
"""A file that was written to more recently than this may still be being written."""

_TRIES = 8

States = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True)
class Source:
    """What the reports of a run are made from.

    Attributes:
        account: As the reports see it: redacted where the plan says so.
        roster: As it was read, with addresses, or None. Never leaves the run.
        redactor: What the account was redacted with.
        fingerprint: Of files and options; equal for equal data.
        real_users: The users' own ids by those that the account has.
    """

    account: Account
    roster: pl.DataFrame | None
    redactor: Redactor
    fingerprint: str
    real_users: dict[str, str]

    def under(self, policy: ScoringPolicy) -> Account:
        """The account counted under a policy's rules.

        Raises:
            EnrollmentsNeededError: The data are tallies that were counted under others.
        """
        return self.account.under(policy)

    def keep(self, folder: Path, project: Project, policies: Sequence[ScoringPolicy]) -> None:
        """Put a snapshot into a folder, for the workers: counted under each policy's rules."""
        account = self.account
        tallies = {}
        for policy in policies:
            # Whoever makes a page under another policy is told why it cannot be.
            with contextlib.suppress(EnrollmentsNeededError):
                tallies[rules_name(policy.counting)] = self.under(policy).tallies
        parts = Snapshot(
            account.reading, account.roster, account.labels, tallies, timezone=account.timezone
        )
        given = project.data_parameters
        asked = Asked.of(given["data"], given["mapping"], given["timezone"], given["roster"])
        save_snapshot(folder, parts, asked)


def read_source(
    project: Project,
    policy: ScoringPolicy,
    key: bytes,
    *,
    wait: Callable[[float], None] = time.sleep,
    progress: Callable[[str], None] | None = None,
) -> Source:
    """Read the plan's data when nobody is writing it.

    A file that was changed a moment ago is waited for; one that changes while it is read is read
    again.

    Args:
        project: Whose data.
        policy: Whose counting rules count first.
        key: For pseudonyms; not used where the plan redacts nothing.
        wait: Waits for seconds.
        progress: Called with a line about each step.

    Raises:
        ReadError: The data cannot be read, or is being written all the time.
    """
    given = project.data_parameters
    for _ in range(_TRIES):
        before = _quiet(project, wait)
        if before is None:
            continue
        account = open_account(
            given["data"],
            mapping=given["mapping"] or None,
            timezone=given["timezone"] or None,
            roster=given["roster"] or None,
            policy=policy,
            as_counted=True,
            progress=progress,
        )
        if _states(project) == before:
            return _source(project, account, key)
    raise ReadError(
        "The data is being written all the time, so it cannot be read whole.",
        where=", ".join(given["data"]),
        hint="Let whatever writes it write beside it and rename when it is done.",
    )


def _source(project: Project, account: Account, key: bytes) -> Source:
    redactor = Redactor.of(project.plan.privacy.redact, key, account)
    users = account.labels.users["user_id"].to_list()
    return Source(
        redactor.account(account),
        account.roster,
        redactor,
        _fingerprint(project, account),
        {redactor.user(user): user for user in users},
    )


def _quiet(project: Project, wait: Callable[[float], None]) -> States | None:
    """The files' states once nothing was written for a while; None where it goes on."""
    states = _states(project)
    newest = max((written for _, _, written, _ in states), default=0) / 1e9
    age = time.time() - newest
    if 0 <= age < QUIET_SECONDS:
        wait(QUIET_SECONDS - age)
        return states if _states(project) == states else None
    return states


def _states(project: Project) -> States:
    files = changing_files(project.data_parameters["data"])
    roster = _roster(project)
    if roster:
        files.append(roster)
    found = []
    for file in files:
        with contextlib.suppress(OSError):
            status = file.stat()
            found.append((str(file), status.st_size, status.st_mtime_ns, status.st_ino))
    return tuple(found)


def _roster(project: Project) -> Path | None:
    given = project.data_parameters
    return Path(given["roster"]) if given["roster"] else find_roster(given["data"])


def _fingerprint(project: Project, account: Account) -> str:
    data = project.plan.data
    parts = sorted(file.sha256 for file in account.reading.files)
    if roster := _roster(project):
        parts.append(hashlib.sha256(roster.read_bytes()).hexdigest())
    parts += [data.mapping, data.timezone]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
