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

HELD = 10_000_000
"""Values that are held before they go to the disk, about 100 MB."""

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
    _values: int = 0

    def add(self, frame: pl.DataFrame, part: int = 0) -> None:
        """Keep a frame in a part.

        Raises:
            ReadError: There is no room on the disk.
        """
        self._hold(frame.select(self.schema.names()), part)
        self._write()

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
                self._hold(ordered.slice(start, end - start), part)
            start = end
        if self._values > HELD:
            self._write()

    def frames(self, part: int = 0) -> Iterator[pl.DataFrame]:
        """The frames of a part, one after the other."""
        self._write()
        for path in self._files.get(part, ()):
            yield pl.read_parquet(path, hive_partitioning=False)
        yield from self._held.get(part, ())

    def scan(self, part: int = 0) -> pl.LazyFrame:
        """All rows of a part."""
        self._write()
        if files := self._files.get(part):
            return pl.scan_parquet(files, hive_partitioning=False, glob=False)
        held = self._held.get(part)
        return pl.concat(held).lazy() if held else pl.LazyFrame(schema=self.schema)

    def read(self, part: int = 0) -> pl.DataFrame:
        """All rows of a part."""
        return self.scan(part).collect()

    def forget(self, part: int = 0) -> None:
        """A part is not needed any more."""
        self._held.pop(part, None)
        for path in self._files.pop(part, ()):
            path.unlink(missing_ok=True)

    def _hold(self, frame: pl.DataFrame, part: int) -> None:
        self._held.setdefault(part, []).append(frame)
        self._values += frame.height * frame.width

    def _write(self) -> None:
        """What is held goes to files, where there is a folder for them."""
        if self.folder is None:
            return
        for part, frames in self._held.items():
            files = self._files.setdefault(part, [])
            path = self.folder / f"{part}-{len(files)}.parquet"
            try:
                self.folder.mkdir(exist_ok=True)
                pl.concat(frames).write_parquet(
                    path, compression="uncompressed", statistics=self.bounds,
                    row_group_size=_GROUP if self.bounds else None,
                )  # fmt: skip
            except OSError as error:
                raise _no_room(self.folder, error) from None
            files.append(path)
        self._held.clear()
        self._values = 0


def _no_room(folder: Path, error: OSError) -> ReadError:
    return ReadError(
        f"The mails cannot be kept while they are worked on ({error.strerror}).",
        where=str(folder),
        hint="Set TMPDIR to a folder with room for three times what the mails take as Parquet.",
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
