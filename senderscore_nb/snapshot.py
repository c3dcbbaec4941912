"""An account that was read, kept in a folder, so that many processes share one reading.

Whoever runs many reports reads the account once, keeps it, and names the folder in the environment
variable `SENDERSCORE_SNAPSHOT`. `open_account` takes it from there when it is asked for the same
files in the same way, and reads the files themselves otherwise. Frames are memory-mapped, so
processes share their pages too.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from senderscore_nb.labels import Labels
from senderscore_nb.policy import CountingRules
from senderscore_nb.sources import Reading, SourceFile
from senderscore_nb.store import TallyReading
from senderscore_nb.store.files import facts_of, tallied_of

VARIABLE = "SENDERSCORE_SNAPSHOT"

_INDEX = "snapshot.json"


@dataclass(frozen=True)
class Asked:
    """What an account was read from, and how."""

    paths: tuple[str, ...]
    mapping: str
    timezone: str
    roster: str

    def is_met_by(self, kept: Asked) -> bool:
        """Whether an account that was kept is what is asked for; what is not said is not asked."""
        pairs = (
            (self.mapping, kept.mapping),
            (self.timezone, kept.timezone),
            (self.roster, kept.roster),
        )
        return self.paths == kept.paths and all(mine in ("", theirs) for mine, theirs in pairs)

    @classmethod
    def of(
        cls,
        paths: str | Path | Sequence[str | Path],
        mapping: object = None,
        timezone: str | None = None,
        roster: str | Path | None = None,
    ) -> Asked:
        """The same for a path and a list of one, for None and an empty text."""
        given = [paths] if isinstance(paths, str | Path) else list(paths)
        return cls(
            tuple(map(str, given)), str(mapping or ""), str(timezone or ""), str(roster or "")
        )


@dataclass(frozen=True)
class Snapshot:
    """The parts of an account.

    Attributes:
        reading: What was read.
        roster: Who sends, or None.
        labels: Names to show.
        tallies: Counts, by the name of the counting rules that they were made under.
        folder: Where it is kept, once it is.
        timezone: The account's time zone, as it was stated.
    """

    reading: Reading
    roster: pl.DataFrame | None
    labels: Labels
    tallies: Mapping[str, pl.DataFrame]
    folder: str = ""
    timezone: str = ""

    def tallies_under(self, rules: CountingRules) -> pl.DataFrame | None:
        """The counts under rules, where the snapshot has them."""
        return self.tallies.get(rules_name(rules))


def rules_name(rules: CountingRules) -> str:
    """Counting rules as a short name."""
    return hashlib.sha256(rules.model_dump_json().encode()).hexdigest()[:16]


def save_snapshot(folder: str | Path, snapshot: Snapshot, asked: Asked) -> None:
    """Keep an account in an empty folder.

    Raises:
        OSError: It cannot be written.
    """
    folder = Path(folder)
    reading = snapshot.reading
    frames = {
        **_frames_of(reading),
        "users": snapshot.labels.users,
        "sequences": snapshot.labels.sequences,
        **{f"tallies-{name}": frame for name, frame in snapshot.tallies.items()},
    }
    if snapshot.roster is not None:
        frames["roster"] = snapshot.roster
    for name, frame in frames.items():
        frame.write_ipc(folder / f"{name}.arrow", compression="uncompressed")
    index = {
        "asked": asdict(asked),
        "files": [asdict(file) for file in reading.files],
        "duplicates": reading.duplicates,
        "tallied": facts_of(reading.tallied) if isinstance(reading, TallyReading) else None,
        "timezone": snapshot.timezone,
        "tallies": list(snapshot.tallies),
        "roster": snapshot.roster is not None,
    }
    (folder / _INDEX).write_text(json.dumps(index), encoding="utf-8")


def _frames_of(reading: Reading) -> dict[str, pl.DataFrame]:
    if isinstance(reading, TallyReading):
        return {"tallied": reading.tallied.tallies}
    return {"accepted": reading.accepted, "rejected": reading.rejected}


def recall(asked: Asked) -> Snapshot | None:
    """The snapshot that the environment names, if it is of what is asked for."""
    folder = os.environ.get(VARIABLE)
    if not folder or not Path(folder, _INDEX).is_file():
        return None
    kept, snapshot = _load(folder)
    return _copied(snapshot) if asked.is_met_by(kept) else None


def load_snapshot(folder: str) -> Snapshot:
    """The snapshot that a folder holds."""
    return _copied(_load(folder)[1])


@lru_cache(maxsize=1)
def _load(folder: str) -> tuple[Asked, Snapshot]:
    index: dict[str, Any] = json.loads(Path(folder, _INDEX).read_text(encoding="utf-8"))

    def frame(name: str) -> pl.DataFrame:
        return pl.read_ipc(Path(folder, f"{name}.arrow"))

    def reading() -> Reading:
        files = tuple(SourceFile(**file) for file in index["files"])
        if index["tallied"] is not None:
            return TallyReading(tallied_of(index["tallied"], frame("tallied"), where=folder), files)
        return Reading(frame("accepted"), frame("rejected"), files, index["duplicates"])

    asked = index["asked"]
    return Asked(**{**asked, "paths": tuple(asked["paths"])}), Snapshot(
        reading(),
        frame("roster") if index["roster"] else None,
        Labels(frame("users"), frame("sequences")),
        {name: frame(f"tallies-{name}") for name in index["tallies"]},
        folder,
        index["timezone"],
    )


def _copied(snapshot: Snapshot) -> Snapshot:
    """Shallow copies: a notebook that changes a frame in place changes its own."""
    labels = snapshot.labels
    return Snapshot(
        _copied_reading(snapshot.reading),
        snapshot.roster.clone() if snapshot.roster is not None else None,
        Labels(labels.users.clone(), labels.sequences.clone()),
        {name: frame.clone() for name, frame in snapshot.tallies.items()},
        snapshot.folder,
        snapshot.timezone,
    )


def _copied_reading(reading: Reading) -> Reading:
    if isinstance(reading, TallyReading):
        tallied = replace(reading.tallied, tallies=reading.tallied.tallies.clone())
        return TallyReading(tallied, reading.files)
    return Reading(
        reading.accepted.clone(), reading.rejected.clone(), reading.files, reading.duplicates
    )
