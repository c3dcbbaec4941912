"""How the tally's cost grows with the rows: `python -m benchmarks.scale ENGINE PARQUET`.

One engine a process; the process tells its seconds, and its peak memory with that of the Java
runtime that Spark counts in.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.process import python
from benchmarks.suites import Aim, Case, Suite, generated
from benchmarks.worker import duckdb as by_hand
from benchmarks.worker import facts, ours, scan

SHAPE = (400, 40, 365)
"""Senders, sequences and days of every size."""

LIMIT_MB = 2500


def spark(path: str) -> Any:
    """The tally on Spark with two threads, its start left out: a cluster runs already."""
    from pyspark.sql import SparkSession

    from senderscore_nb import tally

    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "8")
        .config("spark.driver.memory", "6g")
        .config("spark.driver.maxResultSize", "4g")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    session.range(1000).selectExpr("sum(id)").collect()
    return lambda: tally(session.read.parquet(path)), facts


def on_duckdb(path: str) -> Any:
    """The tally on DuckDB."""
    import duckdb

    from senderscore_nb import tally

    connection = duckdb.connect()
    connection.execute("set threads = 2")
    return lambda: tally(connection.read_parquet(path)), facts


ENGINES = {"polars": ours, "duckdb": on_duckdb, "sql": by_hand, "spark": spark, "scan": scan}
NAMES = {
    "polars": "senderscore_nb.tally",
    "duckdb": "the tally on DuckDB",
    "sql": "DuckDB by hand",
    "spark": "the tally on Spark",
    "scan": "scan, values looked at",
}


def scale(quick: bool) -> Suite:
    """The suite: every size on every engine; Spark from a million on, below it only starts."""
    sizes = (10_000, 20_000) if quick else (100_000, 1_000_000, 10_000_000, 100_000_000)
    shape = (20, 5, 60) if quick else SHAPE
    paths = {size: generated(size, *shape) for size in reversed(sizes)}

    def name(engine: str, size: int) -> str:
        return f"{NAMES[engine]}, {size:,} rows"

    cases = [
        Case(name(engine, size), python("-m", "benchmarks.scale", engine, path))
        for size, path in paths.items()
        for engine in ENGINES
        if engine != "spark" or (size >= 1_000_000 and not quick)
    ]
    largest = sizes[-1]
    most = name("polars", largest)
    return Suite(
        "scale",
        f"Daily tally of {sizes[0]:,} to {largest:,} enrollments from Parquet",
        cases,
        [
            Aim(f"{largest:,} rows below 2.5 GB", most, LIMIT_MB, measure="peak_mb"),
            Aim("ahead of DuckDB by hand there", most, 1, over=name("sql", largest)),
            Aim("at most ten times the bare scan there", most, 10, over=name("scan", largest)),
        ],
        note=(
            f"{shape[0]} senders × {shape[1]} sequences × {shape[2]} days in no order, two "
            "threads each; engines are checked to give the same counts. By hand is SQL for these "
            "three counts alone, which does not ask whether a flag is unknown. Spark's memory is "
            "that of its Java runtime, which takes what it may have (6 GB here) before it tidies "
            "up."
        ),
        rounds=2,
    )


def main(engine: str, path: str) -> None:
    """Measure one engine. Facts carry the rows in their names: sizes are not compared."""
    work, check = ENGINES[engine](path)
    started, busy = time.perf_counter(), _busy()
    result = work()
    seconds, cpu = time.perf_counter() - started, _busy() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + _peak_of_children()
    found = (
        {}
        if engine == "scan"
        else {f"{k} in {Path(path).name}": v for k, v in check(result).items()}
    )
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak": peak, "facts": found}))


def _busy() -> float:
    """Processor seconds of this process and of those it has started and that still run."""
    one = psutil.Process()
    times = [p.cpu_times() for p in (one, *one.children(recursive=True))]
    return sum(t.user + t.system for t in times)


def _peak_of_children() -> int:
    """Kilobytes; the peaks of the processes that this one has started, where the system tells."""
    peaks = [0]
    for child in psutil.Process().children(recursive=True):
        try:
            with open(f"/proc/{child.pid}/status", encoding="utf-8") as file:  # noqa: PTH123
                peaks += [int(line.split()[1]) for line in file if line.startswith("VmHWM:")]
        except OSError:
            peaks.append(child.memory_info().rss // 1024)
    return sum(peaks)


if __name__ == "__main__":
    main(*sys.argv[1:])
