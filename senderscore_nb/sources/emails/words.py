"""Texts that come again and again → numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

CODE = pl.UInt32()


class Words:
    """Numbers for texts: equal texts have one number for as long as this lives."""

    def __init__(self) -> None:
        self._kind = pl.Categories.random()
        self._type = pl.Categorical(self._kind)
        # Polars forgets the numbers of categories that no column has any more.
        self._keeps = pl.Series([""], dtype=pl.String).cast(self._type)

    def codes(self, values: pl.Series) -> pl.Series:
        """The number of each text; null where there is none."""
        return values.cast(self._type).to_physical().cast(CODE)

    def texts(self, codes: pl.Series) -> pl.Series:
        """The text of each number."""
        return self._kind.to_series().gather(codes).alias(codes.name)

    def ranks(self, codes: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Numbers in the order of their texts: each one's place from 0 on, and who has a place."""
        known = codes.drop_nulls().unique()
        known = known.gather(self.texts(known).arg_sort())
        place = np.zeros(int(known.max() or 0) + 1, np.uint32)  # type: ignore[arg-type]
        place[known.to_numpy()] = np.arange(len(known), dtype=np.uint32)
        return pl.Series(place).gather(codes), known


def once_each(values: pl.Series, function: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """A function of texts of which few differ, called with each of them once.

    The function looks at every text alone, and makes null of null.
    """
    if values.dtype != pl.String or len(values) < 2:
        return function(values)
    kind = pl.Categories.random()
    coded = values.cast(pl.Categorical(kind))
    words = kind.to_series()
    if not len(words):
        return function(values)
    return function(words).gather(coded.to_physical()).alias(values.name)
