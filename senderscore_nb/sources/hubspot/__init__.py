"""HubSpot's API → a folder of e-mail objects, owners and sequences.

What comes is raw: `senderscore reconstruct` makes enrollments of it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from senderscore_nb.errors import PullError
from senderscore_nb.sources.hubspot.answers import ScopeError
from senderscore_nb.sources.hubspot.connection import BASE_URL, Api, ApiSettings, Clock
from senderscore_nb.sources.hubspot.pulling import Pull, Watch, Wish
from senderscore_nb.sources.hubspot.store import count_mails

__all__ = [
    "BASE_URL",
    "ApiSettings",
    "Clock",
    "Pulled",
    "ScopeError",
    "Watch",
    "describe_pull",
    "pull_hubspot",
]

_DEFAULT = ApiSettings()
_SYSTEM = Clock()


@dataclass(frozen=True)
class Pulled:
    """What a pull has done.

    Attributes:
        folder: Where it is.
        mails: Mails that came, those that were there already among them.
        total: Mails in the folder.
        months: Months whose file was written.
        owners: Owners, or None where the token may not see them.
        sequences: Sequences, or None where the token may not see them.
        through: All that was modified up to here was pulled, as far as the search had it; UTC.
        notes: What the user should know.
    """

    folder: Path
    mails: int
    total: int
    months: tuple[str, ...]
    owners: int | None
    sequences: int | None
    through: dt.datetime
    notes: tuple[str, ...]


class _Nobody:
    def say(self, line: str) -> None: ...

    def expect(self, mails: int) -> None: ...

    def advance(self, mails: int) -> None: ...


def pull_hubspot(
    folder: str | Path,
    token: SecretStr,
    *,
    since: dt.datetime | None = None,
    full: bool = False,
    with_text: bool = False,
    overlap: dt.timedelta = dt.timedelta(hours=1),
    settings: ApiSettings = _DEFAULT,
    watch: Watch | None = None,
    clock: Clock = _SYSTEM,
) -> Pulled:
    """Pull e-mails, owners and sequences of an account into a folder.

    The first pull takes everything; later ones take what was modified since. One that was broken
    off, killed or refused is gone on with by the next.

    Args:
        folder: Made where it is not there. It gets `emails/` with a Parquet file a month,
            `owners.parquet`, `sequences.parquet`, and `.pull/` with how far it is.
        token: A private app's token.
        since: Only mails that were modified from here on; with its offset. A folder keeps the
            earliest that was ever asked for.
        full: Everything once more, in place of what is there: mails that were deleted go.
        with_text: Keep the subjects and texts of all mails.
        overlap: So long before the end of the last pull is looked at again: the search finds some
            mails only a while after they were modified.
        settings: Where the API is, and how fast.
        watch: Who is told of the progress.
        clock: Time.

    Raises:
        PullError: It could not be finished: the message says why, and what to do.
        SecretError: The token is no token.
    """
    from filelock import FileLock, Timeout

    folder = Path(folder)
    wish = Wish(_milliseconds(since), full, with_text, int(overlap.total_seconds() * 1000))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / ".pull").mkdir(mode=0o700, exist_ok=True)
        with FileLock(folder / ".pull" / "lock", timeout=0), Api(settings, token, clock) as api:
            pull = Pull(folder, api, wish, watch or _Nobody())
            pull.people()
            state = pull.all_mails()
            total = count_mails(folder / "emails")
    except Timeout:
        raise PullError(
            "Another pull is at work here.", where=str(folder), hint="Wait until it has ended."
        ) from None
    except OSError as error:
        raise PullError(
            f"The folder cannot be written ({error.strerror or error}).",
            where=str(folder),
            hint="What was pulled is kept; make room or make it writable, and run it again.",
        ) from None
    return Pulled(
        folder=folder,
        mails=pull.mails,
        total=total,
        months=tuple(sorted(pull.months)),
        owners=pull.owners,
        sequences=pull.sequences,
        through=dt.datetime.fromtimestamp((state.through or 0) / 1000, dt.UTC),
        notes=tuple(pull.notes),
    )


def _milliseconds(since: dt.datetime | None) -> int | None:
    if since is None:
        return None
    if since.tzinfo is None:
        raise PullError(f"since: {since} has no offset.", hint="Give it one, as +00:00.")
    return max(0, int(since.timestamp() * 1000))


def describe_pull(pulled: Pulled) -> str:
    """What a pull has done, in a few lines."""
    lines = [
        f"Mails: {pulled.mails:,} pulled, {pulled.total:,} in {pulled.folder / 'emails'}.",
        f"Written: {_listed(pulled.months)}." if pulled.months else "No month has changed.",
    ]
    if pulled.owners is not None:
        sequences = "" if pulled.sequences is None else f", sequences: {pulled.sequences:,}"
        lines.append(f"Owners: {pulled.owners:,}{sequences}.")
    lines.append(f"All that was modified up to {pulled.through:%Y-%m-%d %H:%M} UTC is here.")
    return "\n".join(lines)


def _listed(months: tuple[str, ...]) -> str:
    return ", ".join(months) if len(months) <= 6 else f"{months[0]} to {months[-1]}"
