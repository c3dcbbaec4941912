"""Frames in numbered parts: held where they are few, else kept on the disk for a while."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from senderscore_nb.errors import ReadError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

PREFIX = "senderscore-mail-"
_LOCK = "in-use"

HELD = 12_000_000
"""Values that are held before they go to the disk: 100 to 200 MB."""

_GROUP = 25_000


@dataclass
class Spool:
    """Frames of one schema.

    What comes in small pieces is held until there is enough of it for files of some size.

    Attributes:
        folder: Where they are kept; None where they are held.
        schema: Their columns.
        bounds: Where files get smallest and largest values, so that some of the rows can be read.
    """

    folder: Path | None
    schema: pl.Schema
    bounds: bool = False
    _held: dict[int, list[pl.DataFrame]] = field(default_factory=dict)
    _files: dict[int, list[Path]] = field(default_factory=dict)
    _rows: int = 0

    def add(self, frame: pl.DataFrame, part: int = 0) -> None:
        """Keep a frame in a part.

        Raises:
            ReadError: There is no room on the disk.
        """
        self._held.setdefault(part, []).append(frame.select(self.schema.names()))
        self._rows += frame.height
        if self.folder is not None and self._rows * len(self.schema) > HELD:
            self._write(self.folder)

    def spread(self, frame: pl.DataFrame, parts: pl.Series) -> None:
        """Keep each row of a frame in the part that is its own.

        Raises:
            ReadError: There is no room on the disk.
        """
        number = parts.cast(pl.UInt16).to_numpy()
        order = np.argsort(number, kind="stable")
        ends = np.cumsum(np.bincount(number)).tolist()
        ordered, start = frame.select(self.schema.names())[order], 0
        for part, end in enumerate(ends):
            if end > start:
                self.add(ordered.slice(start, end - start), part)
            start = end

    def frames(self, part: int = 0) -> Iterator[pl.DataFrame]:
        """The frames of a part, one after the other."""
        for path in self._files.get(part, ()):
            yield pl.read_parquet(path, hive_partitioning=False)
        yield from self._held.get(part, ())

    def scan(self, part: int = 0) -> pl.LazyFrame:
        """All rows of a part, in the order in which they came."""
        frames = [frame.lazy() for frame in self._held.get(part, ())]
        if files := self._files.get(part):
            frames.insert(0, pl.scan_parquet(files, hive_partitioning=False, glob=False))
        return pl.concat(frames) if frames else pl.LazyFrame(schema=self.schema)

    def read(self, part: int = 0) -> pl.DataFrame:
        """All rows of a part."""
        return self.scan(part).collect()

    def forget(self, part: int = 0) -> None:
        """A part is not needed any more."""
        self._rows -= sum(frame.height for frame in self._held.pop(part, ()))
        for path in self._files.pop(part, ()):
            path.unlink(missing_ok=True)

    def _write(self, folder: Path) -> None:
        """What is held goes to files."""
        for part, frames in self._held.items():
            files = self._files.setdefault(part, [])
            path = folder / f"{part}-{len(files)}.parquet"
            try:
                folder.mkdir(exist_ok=True)
                pl.concat(frames).write_parquet(
                    path, compression="uncompressed", statistics=self.bounds,
                    row_group_size=_GROUP if self.bounds else None,
                )  # fmt: skip
            except OSError as error:
                raise _no_room(folder, error) from None
            files.append(path)
        self._held.clear()
        self._rows = 0


def _no_room(folder: Path, error: OSError) -> ReadError:
    return ReadError(
        f"The mails cannot be kept while they are worked on ({error.strerror}).",
        where=str(folder),
        hint="Set TMPDIR to a folder with room for about twice what the mails take as Parquet.",
    )


@contextmanager
def workspace() -> Iterator[Path]:
    """A folder for a while, in the system's folder for such (`TMPDIR`).

    What a run that was killed has left there goes too: its folder is in use by nobody.

    Raises:
        ReadError: No folder can be made.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    except OSError as error:
        raise _no_room(Path(tempfile.gettempdir()), error) from None
    try:
        with (folder / "new").open("w") as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
                # Under this name it is looked at by other runs, which must find it locked.
                (folder / "new").rename(folder / _LOCK)
                _sweep(folder.parent)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid != os.getuid():
                continue
            with (folder / _LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
