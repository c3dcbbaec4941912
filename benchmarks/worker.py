"""One measured piece of work in a process of its own: `python -m benchmarks.worker WORK PATH…`.

Prints one JSON object: the seconds of the work without the imports, the peak, and what came out of
it, so that engines are compared only where they agree.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from benchmarks.process import tell

COLUMNS = ("user_id", "sequence_id", "ended_on", "replied", "bounced")
KEYS = list(COLUMNS[:3])
SQL = """
    select user_id, sequence_id, ended_on as day, count(*)::bigint as ended,
           count_if(replied and not bounced)::bigint as replied,
           count_if(bounced)::bigint as bounced
    from read_parquet(?) where ended_on is not null group by all order by all
"""


def facts(cells: Any) -> dict[str, int]:
    """What two equal tallies have in common, from a polars frame."""
    ended = cells["ended"]
    return {
        "cells": cells.height,
        "ended": int(ended.sum()),
        "squares": int((ended * ended).sum()),
        "replied": int(cells["replied"].sum()),
        "bounced": int(cells["bounced"].sum()),
    }


def ours(path: str) -> Any:
    import polars as pl

    from senderscore_nb import tally

    return lambda: tally(pl.scan_parquet(path)), facts


def polars_group_by(path: str) -> Any:
    import polars as pl

    def work() -> pl.DataFrame:
        replied = (pl.col("replied") & ~pl.col("bounced")).alias("replied")
        return (
            pl.scan_parquet(path)
            .filter(pl.col("ended_on").is_not_null())
            .group_by(KEYS)
            .agg(pl.len().cast(pl.Int64).alias("ended"), replied.sum(), pl.col("bounced").sum())
            .sort(KEYS)
            .collect(engine="streaming")
        )

    return work, facts


def duckdb(path: str) -> Any:
    import duckdb
    import polars as pl

    def work() -> Any:
        connection = duckdb.connect()
        connection.execute("set threads = 2")
        return connection.sql(SQL, params=[path]).to_arrow_table()

    return work, lambda table: facts(pl.from_arrow(table))


def pandas(path: str) -> Any:
    import pandas as pd
    import polars as pl

    def work() -> pd.DataFrame:
        rows = pd.read_parquet(path, columns=list(COLUMNS)).dropna(subset=["ended_on"])
        rows["replied"] &= ~rows["bounced"]
        grouped = rows.groupby(KEYS)
        return grouped.agg(
            ended=("replied", "size"), replied=("replied", "sum"), bounced=("bounced", "sum")
        )

    return work, lambda cells: facts(pl.DataFrame({n: cells[n].to_numpy() for n in cells}))


def read(path: str) -> Any:
    """The floor that holds the rows: the five columns as a frame."""
    import polars as pl

    def work() -> pl.DataFrame:
        return pl.scan_parquet(path).select(COLUMNS).collect(engine="streaming")

    return work, lambda rows: {"rows": rows.height}


def scan(path: str) -> Any:
    """The lowest floor: every value is decoded and looked at, none is kept."""
    import polars as pl

    def work() -> dict[str, int]:
        looked = [
            pl.len().alias("rows"),
            pl.col("user_id").str.len_bytes().sum(),
            pl.col("sequence_id").str.len_bytes().sum(),
            pl.col("ended_on").max().cast(pl.Int32),
            pl.col("replied").sum(),
            pl.col("bounced").sum(),
        ]
        return pl.scan_parquet(path).select(looked).collect(engine="streaming").row(0, named=True)

    return work, lambda row: {"rows": row["rows"]}


def codes(path: str) -> Any:
    """The scan with both strings turned into codes, which every engine has to do somehow."""
    import polars as pl

    def code(name: str) -> pl.Expr:
        kind = pl.Categorical(pl.Categories.random())
        return pl.col(name).cast(kind).to_physical().max()

    def work() -> dict[str, int]:
        looked = [
            pl.len().alias("rows"),
            code("user_id"),
            code("sequence_id"),
            pl.col("ended_on").max().cast(pl.Int32),
            pl.col("replied").sum(),
            pl.col("bounced").sum(),
        ]
        return pl.scan_parquet(path).select(looked).collect(engine="streaming").row(0, named=True)

    return work, lambda row: {"rows": row["rows"]}


def read_export(*paths: str) -> Any:
    from senderscore_nb import read_enrollments

    def work() -> Any:
        return read_enrollments(list(paths), timezone="Europe/Stockholm")

    return work, lambda reading: {"rows": reading.read}


def read_csv(*paths: str) -> Any:
    import polars as pl

    return lambda: [pl.read_csv(path, infer_schema=False) for path in paths], lambda frames: {
        "rows": sum(frame.height for frame in frames)
    }


def _elsewhere(name: str) -> Any:
    """Work of a module of its own, imported when it is asked for."""
    return lambda *paths: getattr(importlib.import_module("benchmarks.factors"), name)(*paths)


WORK = {
    work.__name__: work
    for work in (ours, polars_group_by, duckdb, pandas, read, scan, codes, read_export, read_csv)
}
WORK |= {name: _elsewhere(name) for name in ("factors_of", "factors_ungrouped")}


def main(name: str, *paths: str) -> None:
    importlib.import_module("polars")
    tell(*WORK[name](*paths))


if __name__ == "__main__":
    main(*sys.argv[1:])
