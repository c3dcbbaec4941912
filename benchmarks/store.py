"""A day added to a tally store, against writing everything anew and a bare write of its month.

One piece of work in a process of its own: `python -m benchmarks.store WAY FOLDER`. `make FOLDER
YEARS SENDERS SEQUENCES` makes the store, and beside it the same cells as one Parquet file.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.process import python, run, tell
from benchmarks.suites import DATA, Aim, Case, Suite

LAST = dt.date(2026, 11, 30)
A_DAY = 12
"""Sequences of a sender in which something ends on a day."""


def store(quick: bool) -> Suite:
    """Every sender uses its own dozen of the sequences a day."""
    years, senders, sequences = (1, 20, 60) if quick else (3, 400, 1_200)
    folder = DATA / f"store-{years}-{senders}-{sequences}"
    if not (folder / "all.parquet").exists():
        sizes = [str(n) for n in (years, senders, sequences)]
        run(python("-m", "benchmarks.store", "make", str(folder), *sizes))
    names = {
        "ours": "a day replaced in the store",
        "month": "bare Parquet write of its month",
        "everything": "everything written anew",
    }
    ours, month, everything = names.values()
    return Suite(
        "store",
        f"A day added to a tally store: {years} years, {senders} senders, {sequences:,} sequences",
        [Case(name, python("-m", "benchmarks.store", way, str(folder)))
         for way, name in names.items()],
        [
            Aim("a tenth of the processor's time of everything", ours, 0.1, "cpu_seconds",
                everything),
            Aim("at most 8 times a bare write of the month", ours, 8, "cpu_seconds", month),
        ],
        note=(
            "Seconds of the work alone. The store checks the day's cells, reads the month and "
            "checks its hash, replaces the day, sorts, writes one partition and a manifest, and "
            "forces both to the disk. The bare write has the month in memory, sorted; writing "
            "anew reads one Parquet file, replaces the day and writes it."
        ),
        rounds=3,
    )  # fmt: skip


def _days(first: dt.date, last: dt.date, senders: int, sequences: int, mark: int) -> Any:
    """Cells of days; the counts of replies tell one write from another."""
    import polars as pl

    from senderscore_nb.contract import KEYS, MEASURES

    grid = pl.select(day=pl.date_range(first, last)).join(
        pl.select(u=pl.int_range(senders)), how="cross"
    )
    grid = grid.join(pl.select(k=pl.int_range(A_DAY)), how="cross")
    place = (pl.col("u") * 7 + pl.col("k") * 31 + pl.col("day").to_physical() % 5) % sequences
    drawn = pl.col("u") * 7_919 + pl.col("k") * 104_729 + pl.col("day").to_physical() * 1_299_709
    counts = {
        "ended": 3 + drawn % 97 % 23,
        "replied": (drawn + mark) % 89 % 2,
        "bounced": drawn % 83 % 2,
        "opened": drawn % 79 % 4,
    }
    return grid.select(
        (10_000_000 + 37 * pl.col("u")).cast(pl.String).alias("user_id"),
        (200_000_000 + 91 * place).cast(pl.String).alias("sequence_id"),
        "day",
        *(counts.get(n, pl.lit(None)).cast(pl.Int64).alias(n) for n in MEASURES),
    ).unique(KEYS).sort(KEYS)  # fmt: skip


def _tallied(cells: Any) -> Any:
    from senderscore_nb.policy import CountingRules
    from senderscore_nb.store import Tallied, named
    from senderscore_nb.store.tallied import SEQUENCES

    return Tallied(
        cells,
        CountingRules(),
        "Europe/Stockholm",
        cells["day"].max(),
        named(cells["user_id"]),
        named(cells["sequence_id"], schema=SEQUENCES),
    )


def make(folder: Path, years: int, senders: int, sequences: int) -> None:
    from senderscore_nb.store import Days, TallyStore

    first = LAST.replace(year=LAST.year - years) + dt.timedelta(days=1)
    cells = _days(first, LAST, senders, sequences, 0)
    TallyStore(folder).replace(_tallied(cells), days=Days(first, LAST))
    cells.write_parquet(folder.parent / f"{folder.name}.part")
    (folder.parent / f"{folder.name}.part").replace(folder / "all.parquet")


def _of(folder: Path) -> tuple[int, int]:
    _, _, senders, sequences = folder.name.split("-")
    return int(senders), int(sequences)


def ours(folder: Path) -> Callable[[], Any]:
    from senderscore_nb.store import Days, TallyStore

    kept = TallyStore(folder)
    day = _tallied(_days(LAST, LAST, *_of(folder), kept.state().generation))

    def work() -> Any:
        change = kept.replace(day, days=Days(LAST, LAST))
        assert change.written == (f"{LAST:%Y-%m}",), change
        return kept.scan(LAST, LAST).collect()

    return work


def month(folder: Path) -> Callable[[], Any]:
    import polars as pl

    cells = _days(LAST.replace(day=1), LAST, *_of(folder), 1)

    def work() -> Any:
        _write(cells, folder.parent / f"{folder.name}.month")
        return cells.filter(pl.col("day") == LAST)

    return work


def everything(folder: Path) -> Callable[[], Any]:
    import polars as pl

    from senderscore_nb.contract import KEYS

    day = _days(LAST, LAST, *_of(folder), 1)

    def work() -> Any:
        kept = pl.read_parquet(folder / "all.parquet").filter(pl.col("day") != LAST)
        _write(pl.concat([kept, day]).sort(KEYS), folder.parent / f"{folder.name}.part")
        (folder.parent / f"{folder.name}.part").replace(folder / "all.parquet")
        return day

    return work


def _write(frame: Any, path: Path) -> None:
    with path.open("wb") as file:
        frame.write_parquet(file)
        file.flush()
        os.fsync(file.fileno())


def facts(day: Any) -> dict[str, int]:
    return {"cells": day.height, "ended": int(day["ended"].sum())}


def main(way: str, folder: str, *sizes: str) -> None:
    if way == "make":
        make(Path(folder), *(int(n) for n in sizes))
        return
    tell({"ours": ours, "month": month, "everything": everything}[way](Path(folder)), facts)


if __name__ == "__main__":
    main(*sys.argv[1:])
