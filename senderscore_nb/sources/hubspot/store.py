"""Pulled mail on the disk: a Parquet file a month, and parts that wait to be folded in.

A mail is in the file of the month that it was made in, so it is in one file only, whatever changes.
Parts are folded into the months in one go, because a window of modification touches many months.
Folding twice gives the same as once, so a fold that was killed is simply done again.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from senderscore_nb.errors import PullError
from senderscore_nb.safe import write_atomically
from senderscore_nb.sources.emails.instants import instants
from senderscore_nb.sources.hubspot.mails import COLUMNS, ID, MODIFIED, MONTH

_MONTH = re.compile(r"\d{4,}-\d{2}\.parquet")


class Store:
    """The months of a folder, and its parts.

    Args:
        months: The folder of the months.
        work: A folder for what is not done yet.
    """

    def __init__(self, months: Path, work: Path) -> None:
        self.months = months
        self.fresh = work / "fresh"
        self._parts = work / "parts"
        for folder in (self.months, self.fresh, self._parts):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.waiting = sum(_rows(path) for path in self._waiting())

    def add(self, number: int, frame: pl.DataFrame) -> None:
        """Keep a part until it is folded in; one of the same number is replaced."""
        write_parquet(self._parts / f"{number:09d}.parquet", frame)
        self.waiting += frame.height

    def fold(self, into: Path) -> tuple[str, ...]:
        """Fold all parts into the months of a folder; only months that change are written.

        Returns:
            The months that were written.
        """
        parts = self._waiting()
        if not parts:
            return ()
        scan = pl.scan_parquet(parts, glob=False)
        names = scan.select(pl.col(MONTH).unique()).collect()[MONTH].sort().to_list()
        changed = [name for name in names if self._fold_month(into, name, scan)]
        for part in parts:
            part.unlink()
        self.waiting = 0
        return tuple(changed)

    def replace_by_fresh(self, months: tuple[str, ...]) -> None:
        """Put fresh months in the place of all that were there; may be done again after a kill."""
        for name in months:
            path = self.fresh / f"{name}.parquet"
            if path.exists():
                path.replace(self.months / path.name)
        for path in month_files(self.months):
            if path.stem not in months:
                path.unlink()

    def clear(self) -> None:
        """Forget parts and fresh months."""
        for path in (*self._waiting(), *month_files(self.fresh)):
            path.unlink()
        self.waiting = 0

    def _waiting(self) -> list[Path]:
        return sorted(self._parts.glob("[0-9]*.parquet"))

    def _fold_month(self, into: Path, name: str, parts: pl.LazyFrame) -> bool:
        path = into / f"{name}.parquet"
        new = parts.filter(pl.col(MONTH) == name).select(COLUMNS).collect()
        old = _read(path)
        folded = newest(new if old is None else pl.concat([old, new]))
        if old is not None and folded.equals(old):
            return False
        write_parquet(path, folded)
        return True


def newest(mails: pl.DataFrame) -> pl.DataFrame:
    """Each mail once, as it was modified last, and of those equal in that the last row; by id."""
    keys = mails.select(
        ID,
        digits=pl.col(ID).str.len_chars(),
        when=instants(mails[MODIFIED], "UTC", "UTC"),
        place=pl.int_range(pl.len()),
    )
    kept = keys.sort("digits", ID, "when", "place", nulls_last=False).unique(
        ID, keep="last", maintain_order=True
    )
    return mails.select(pl.col(COLUMNS).gather(kept["place"]))


def month_files(folder: Path) -> Iterator[Path]:
    """The files of months in a folder."""
    return (p for p in sorted(folder.glob("*.parquet")) if _MONTH.fullmatch(p.name))


def count_mails(folder: Path) -> int:
    """Mails in the months of a folder."""
    return sum(_rows(path) for path in month_files(folder))


def write_parquet(path: Path, frame: pl.DataFrame) -> None:
    """Write a frame so that the file appears whole or not at all."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    write_atomically(path, buffer.getvalue())


def _rows(path: Path) -> int:
    try:
        return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _broken(path, error) from None


def _read(path: Path) -> pl.DataFrame | None:
    if not path.exists():
        return None
    try:
        frame = pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _broken(path, error) from None
    missing = [pl.lit(None, pl.String).alias(name) for name in COLUMNS if name not in frame.columns]
    if ID not in frame.columns:
        raise _broken(path, ValueError(f"no column {ID}"))
    return frame.with_columns(missing).select(pl.col(COLUMNS).cast(pl.String))


def _broken(path: Path, error: Exception) -> PullError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return PullError(
        f"The file is not one of this command's, or is damaged ({first[:120]}).",
        where=str(path),
        hint="Move it away, and pull with --full.",
    )
