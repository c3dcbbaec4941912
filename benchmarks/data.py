"""Generated enrollments as Parquet: `python -m benchmarks.data FILE ROWS USERS SEQUENCES DAYS`.

Rows are in no order, which is the hardest case for every engine; one in a hundred is still active.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

PART = 1_000_000
FIRST_DAY = 20_000


def write(path: Path, rows: int, users: int, sequences: int, days: int) -> None:
    rng = np.random.default_rng([rows, users, sequences, days])
    user_ids = pl.Series([str(10_000_000 + 37 * i) for i in range(users)])
    sequence_ids = pl.Series([str(200_000_000 + 91 * i) for i in range(sequences)])

    def part(n: int) -> pl.DataFrame:
        day = FIRST_DAY + rng.integers(0, days, n).astype(np.int32)
        ended = pl.when(pl.Series(rng.random(n) < 0.99)).then(pl.Series(day + np.int32(14)))
        return pl.select(
            user_id=pl.lit(user_ids).gather(rng.integers(0, users, n)),
            sequence_id=pl.lit(sequence_ids).gather(rng.integers(0, sequences, n)),
            enrolled_on=pl.Series(day).cast(pl.Date),
            ended_on=ended.cast(pl.Date),
            replied=pl.Series(rng.random(n) < 0.08),
            bounced=pl.Series(rng.random(n) < 0.03),
        )

    write_parts(path, (part(min(PART, rows - start)) for start in range(0, rows, PART)))


def write_parts(path: Path, parts: Iterable[pl.DataFrame]) -> None:
    """One Parquet file from frames of which only one is held at a time."""
    unfinished = path.with_suffix(".part")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        for number, part in enumerate(parts):
            part.write_parquet(Path(folder) / f"{number:04}.parquet")
        pl.scan_parquet(Path(folder) / "*.parquet").sink_parquet(unfinished)
    unfinished.replace(path)


if __name__ == "__main__":
    write(Path(sys.argv[1]), *map(int, sys.argv[2:6]))
