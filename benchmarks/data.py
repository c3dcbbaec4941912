"""Generated enrollments as Parquet: `python -m benchmarks.data FILE ROWS USERS SEQUENCES DAYS`.

Rows are in no order, which is the hardest case for every engine; one in a hundred is still active.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

PART = 1_000_000
FIRST_DAY = 20_000


def write(path: Path, rows: int, users: int, sequences: int, days: int) -> None:
    rng = np.random.default_rng([rows, users, sequences, days])
    user_ids = pl.Series([str(10_000_000 + 37 * i) for i in range(users)])
    sequence_ids = pl.Series([str(200_000_000 + 91 * i) for i in range(sequences)])
    parts = []
    for start in range(0, rows, PART):
        n = min(PART, rows - start)
        day = FIRST_DAY + rng.integers(0, days, n).astype(np.int32)
        ended = pl.when(pl.Series(rng.random(n) < 0.99)).then(pl.Series(day + np.int32(14)))
        parts.append(
            pl.select(
                user_id=pl.lit(user_ids).gather(rng.integers(0, users, n)),
                sequence_id=pl.lit(sequence_ids).gather(rng.integers(0, sequences, n)),
                enrolled_on=pl.Series(day).cast(pl.Date),
                ended_on=ended.cast(pl.Date),
                replied=pl.Series(rng.random(n) < 0.08),
                bounced=pl.Series(rng.random(n) < 0.03),
            )
        )
    unfinished = path.with_suffix(".part")
    pl.concat(parts).write_parquet(unfinished)
    unfinished.replace(path)


if __name__ == "__main__":
    write(Path(sys.argv[1]), *map(int, sys.argv[2:6]))
