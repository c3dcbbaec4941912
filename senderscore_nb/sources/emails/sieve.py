"""Sets of hashes that are small and quick, and say yes in vain now and then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Sieve:
    """Which values may be in a set.

    Nothing that is in it is held back; some that are not pass, so whatever passes is looked at
    once more, by its own value.
    """

    marks: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, hashes: Iterable[Hashes], room: int = 8) -> Sieve:
        """From the hashes of what is in the set.

        Args:
            hashes: As `hashes` makes them.
            room: Bytes for each; of what is not in the set, one value in so many passes.
        """
        parts = list(hashes)
        wanted = room * max(1, sum(len(part) for part in parts))
        marks = np.zeros(1 << (wanted - 1).bit_length(), np.bool_)
        sieve = cls(marks)
        for part in parts:
            marks[sieve._places(part)] = True
        return sieve

    def passes(self, values: pl.Series) -> pl.Series:
        """True where a value may be in the set; null is never."""
        found = pl.Series(self.marks[self._places(hashes(values))], dtype=pl.Boolean)
        return found & values.is_not_null()

    def _places(self, hashed: Hashes) -> npt.NDArray[np.int64]:
        return (hashed & np.uint64(len(self.marks) - 1)).astype(np.int64)


def hashes(values: pl.Series) -> Hashes:
    """A number for each value, the same for equal values."""
    return values.hash().to_numpy()
