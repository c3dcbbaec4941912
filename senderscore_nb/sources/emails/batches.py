"""Many mails → so many at a time, so that what is read does not have to be held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

ROW = "row"
"""The number of a mail among all that are read, from 0 on."""

BATCH = 400_000
"""Mails that are worked on at a time, about."""

Take = Callable[[pl.DataFrame], None]


@dataclass(frozen=True)
class Piece:
    """Mails of one source.

    Attributes:
        mails: Columns of `columns.MAIL`.
        rows: How many there are.
        sliced: Any stretch of them can be read without reading what comes before it.
        first: The number of the first of them.
    """

    mails: pl.LazyFrame
    rows: int
    sliced: bool
    first: int = 0

    @property
    def frame(self) -> pl.LazyFrame:
        """All of them, with their number as `row`."""
        return _numbered(self.mails, self.first)

    def stretch(self, start: int) -> pl.DataFrame:
        """A batch of them, from a place on."""
        # The number comes after the cut: before it, the reader would read what is passed over.
        some = _numbered(self.mails.slice(start, BATCH), self.first + start)
        return some.collect(engine="streaming")


@dataclass(frozen=True)
class Batches:
    """Mails of several sources, one after the other.

    Attributes:
        pieces: The sources; columns of one name have one type in all of them.
    """

    pieces: tuple[Piece, ...]

    @property
    def rows(self) -> int:
        """Mails of all sources."""
        return sum(piece.rows for piece in self.pieces)

    @property
    def frame(self) -> pl.LazyFrame:
        """All of them as one lazy frame."""
        return _together([piece.frame for piece in self.pieces])

    def feed(self, take: Take) -> None:
        """Give all mails to a function, batch by batch; small sources come together in one."""
        small: list[Piece] = []
        for piece in self.pieces:
            if piece.rows < BATCH:
                small.append(piece)
                if sum(one.rows for one in small) >= BATCH:
                    small = _given(small, take)
            elif piece.sliced:
                for start in range(0, piece.rows, BATCH):
                    take(piece.stretch(start))
            else:
                _streamed(piece.frame, take)
        _given(small, take)


def _numbered(mails: pl.LazyFrame, first: int) -> pl.LazyFrame:
    return mails.with_row_index(ROW, offset=first).with_columns(pl.col(ROW).cast(pl.Int64))


def _given(small: Sequence[Piece], take: Take) -> list[Piece]:
    if small:
        take(_together([piece.frame for piece in small]).collect(engine="streaming"))
    return []


def _streamed(frame: pl.LazyFrame, take: Take) -> None:
    """Batches of a source that can be read from its beginning alone."""
    failed: list[BaseException] = []

    def safely(batch: pl.DataFrame) -> bool:
        """Whether that is enough."""
        # The engine would hide what went wrong behind an error of its own.
        try:
            take(batch)
        except BaseException as error:
            failed.append(error)
        return bool(failed)

    try:
        frame.sink_batches(safely, chunk_size=BATCH, engine="streaming")
    except pl.exceptions.PolarsError:
        if not failed:
            raise
    if failed:
        raise failed[0]


def _together(frames: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    return frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal")
