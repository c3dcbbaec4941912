"""The ledger: what was planned, made, failed and told; one JSON object a line, only ever added to.

A line is written whole and forced to the disk, or taken back. A process that is killed while it
writes leaves the start of a line at most; it is passed over when the ledger is read and ended
before the next line is written.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from senderscore_nb.errors import RunError

FOLDER = ".senderscore"
"""The folder below the pages that holds the ledger, the lock and mails not yet sent."""

Event = Literal[
    "planned",
    "waiting",
    "skipped",
    "started",
    "ended",
    "telling",
    "told",
    "alerts",
    "policy",
    "data",
    "pruned",
]
"""`planned`: for whom a report of a period is made. `waiting`: it is due, but the data is not
there. `skipped`: it was missed for too long. `started`, `ended`: a run. `telling`, `told`: a mail
or a line to a webhook, before and after. `alerts`: how the rules stood. `policy`, `data`: what
later records name by fingerprint. `pruned`: a page was removed."""


@dataclass(frozen=True)
class Record:
    """A line of the ledger.

    Attributes:
        event: What happened.
        at: When, in UTC.
        values: The rest, by name.
    """

    event: str
    at: dt.datetime
    values: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)


class Ledger:
    """The ledger of an output folder. Only whoever holds the folder's lock adds to it.

    Args:
        output: The folder.
        now: The time that records get; the present, each time anew, unless given.
    """

    def __init__(self, output: Path, *, now: dt.datetime | None = None) -> None:
        self._now = now
        self.folder = output / FOLDER
        self.path = self.folder / "ledger.jsonl"
        self._one_at_a_time = threading.Lock()

    def add(self, event: Event, /, **values: Any) -> Record:
        """Add a record, with the time.

        Raises:
            RunError: It cannot be written; then the ledger is as it was.
        """
        now = self.now()
        record = {"event": event, "at": now.isoformat(timespec="milliseconds"), **values}
        line = json.dumps(record, allow_nan=False)
        try:
            with self._one_at_a_time:
                self._append(line.encode() + b"\n")
        except OSError as error:
            raise RunError(
                f"The ledger cannot be written ({error.strerror or error}).",
                where=str(self.path),
                hint="Make room, or make the folder writable; the next run repairs the rest.",
            ) from None
        return Record(event, now, values)

    def now(self) -> dt.datetime:
        """The time."""
        return self._now or dt.datetime.now(dt.UTC)

    def records(self) -> Iterator[Record]:
        """Every record, the oldest first; what is not a record is passed over.

        Raises:
            RunError: The ledger is there and cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise RunError(
                f"The ledger cannot be read ({error.strerror}).", where=str(self.path)
            ) from None
        for line in content.split(b"\n"):
            record = _parsed(line)
            if record is not None:
                yield record

    def _append(self, line: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(file).st_size
            if size:
                os.lseek(file, size - 1, os.SEEK_SET)
                if os.read(file, 1) != b"\n":
                    line = b"\n" + line
            try:
                written = 0
                while written < len(line):
                    written += os.write(file, line[written:])
                os.fsync(file)
            except OSError:
                os.ftruncate(file, size)
                raise
        finally:
            os.close(file)


def _parsed(line: bytes) -> Record | None:
    try:
        values = json.loads(line)
        at = dt.datetime.fromisoformat(values.pop("at"))
        return Record(str(values.pop("event")), at, values)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
