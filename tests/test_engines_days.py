"""Days are decided by the engine in the stated zone, whatever zone session and process are in."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from senderscore_nb.sources.engines import engine_enrollments
from senderscore_nb.sources.engines.duck import DuckEngine
from senderscore_nb.sources.engines.engine import Engine
from senderscore_nb.sources.engines.sparks import SparkEngine
from tests.engines import Reader, collected

ZONES = (
    *("UTC", "Europe/Stockholm", "Europe/London", "America/New_York", "America/St_Johns"),
    *("Asia/Kathmandu", "Pacific/Chatham", "Australia/Lord_Howe", "Pacific/Apia"),
    *("Africa/Monrovia", "America/Sao_Paulo", "Asia/Tehran"),
)
"""Half hours and quarters of hours, half an hour of summer, a day that was left out, and an offset
of 44 minutes and 30 seconds that lasted until 1972."""


def instants() -> list[dt.datetime]:
    """Around both ends of a year, every hour and the microsecond before; around changes of the
    clock, every quarter; and the first and the last days that are known."""
    found = []
    for year in (1970, 1971, 1999, 2011, 2026, 2037, 2038, 2098):
        begin = dt.datetime(year, 12, 30, 9)
        for hour in range(50):
            at = begin + dt.timedelta(hours=hour)
            found += [at, at + dt.timedelta(minutes=15), at - dt.timedelta(microseconds=1)]
    for day in ((2026, 3, 29), (2026, 10, 25), (2026, 4, 4), (2026, 10, 3), (2018, 11, 4)):
        begin = dt.datetime(*day) - dt.timedelta(hours=14)
        found += [begin + dt.timedelta(minutes=15 * n) for n in range(150)]
    return [*found, dt.datetime(1970, 1, 1), dt.datetime(2099, 12, 31, 23, 59, 59, 999999)]


def table(at: list[dt.datetime]) -> pl.DataFrame:
    return pl.DataFrame({"moment": pl.Series(at, dtype=pl.Datetime("us", "UTC"))}).with_row_index(
        "n"
    )


def days_of(engine: Engine, path: Path) -> pl.DataFrame:
    """The day and the hour of each instant in each zone, as the engine tells them."""
    frame = (
        engine.connection.read_parquet(str(path))
        if isinstance(engine, DuckEngine)
        else engine.session.read.parquet(f"file://{path}")
    )
    local = {zone: engine.dialect.local(engine.dialect.utc("moment"), zone) for zone in ZONES}
    columns = {f"{zone} day": f"CAST({sql} AS DATE)" for zone, sql in local.items()}
    columns |= {f"{zone} hour": f"CAST(hour({sql}) AS BIGINT)" for zone, sql in local.items()}
    return collected(engine.select(frame, {"n": "n", **columns})).sort("n").drop("n")


def test_every_day_is_that_of_polars(spark, tmp_path):
    path = tmp_path / "instants.parquet"
    at = table(instants())
    at.write_parquet(path)
    local = {zone: pl.col("moment").dt.convert_time_zone(zone) for zone in ZONES}
    want = at.select(
        *(sql.dt.date().alias(f"{zone} day") for zone, sql in local.items()),
        *(sql.dt.hour().cast(pl.Int64).alias(f"{zone} hour") for zone, sql in local.items()),
    )
    before = spark.conf.get("spark.sql.session.timeZone")
    for session_zone in ("Pacific/Kiritimati", "America/Los_Angeles"):
        connection = duckdb.connect()
        connection.execute(f"SET TimeZone = '{session_zone}'")
        spark.conf.set("spark.sql.session.timeZone", session_zone)
        try:
            for engine in (DuckEngine(connection, tmp_path), SparkEngine(spark)):
                got = days_of(engine, path)
                for name in want.columns:
                    assert got[name].to_list() == want[name].to_list(), (engine, name)
        finally:
            spark.conf.set("spark.sql.session.timeZone", before)


CLOCKS = (
    *("2026-03-29T01:30", "2026-03-29 02:30:00", "2026-10-25T02:30:00", "2026-12-31T23:59:59.9"),
    *("2026-12-31T23:30:00-01:00", "2027-01-01 00:15:00+01:00", "2026-12-31T23:00Z"),
    *("1798758000000", "1798757999999", "2026-02-29", "2024-02-29", "1970-01-01", "1969-12-31"),
    *("1970-01-01T00:30:00+01:00", "2100-01-01T00:30:00+02:00", "infinity", "-infinity", "now"),
)


def enrollments(texts) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "enrollment_id": [str(i) for i in range(len(texts))],
            "user_id": "7",
            "sequence_id": "s",
            "enrolled_on": pl.Series(texts, dtype=pl.String),
            "replied": True,
            "bounced": False,
        }
    ).with_columns(ended_on=pl.lit(None, pl.String))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe"])
def test_texts_of_every_form(reader, tmp_path, zone):
    """A wall clock that a change of the clock leaves out or makes twice is the day that it says."""
    path = tmp_path / "texts.parquet"
    enrollments(CLOCKS).write_parquet(path)
    got, want = (r.read(path, timezone=zone) for r in (reader, Reader("polars")))
    columns = ["enrollment_id", "enrolled_on", "enrolled_hour", "enrolled_weekday"]
    assert got.accepted.select(columns).equals(want.accepted.select(columns))
    assert got.reasons == want.reasons
    assert got.accepted.height == (13 if zone == "Europe/Berlin" else 12)


def test_nanoseconds_are_cut_and_never_the_next_day(tmp_path):
    frame = enrollments(["2026-12-31"]).with_columns(
        enrolled_on=pl.Series([1_798_761_599_999_999_999]).cast(pl.Datetime("ns"))
    )
    path = tmp_path / "ns.parquet"
    frame.write_parquet(path)
    got = Reader("duckdb").read(path, timezone="UTC")
    assert got.accepted["enrolled_on"].to_list() == [dt.date(2026, 12, 31)]


def test_the_zone_of_the_process_does_not_matter(tmp_path):
    path = tmp_path / "texts.parquet"
    ends = pl.lit("2027-06-30T22:30:00Z").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC")
    enrollments(CLOCKS).with_columns(ended_on=ends).write_parquet(path)
    code = (
        "import sys; from senderscore_nb.sources.engines import engine_enrollments as read;"
        "r = read(sys.argv[1], timezone='Europe/Berlin');"
        "print(sorted(r.frame.fetchall(), key=str))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code, str(path)],
            capture_output=True, text=True, check=True, env={**os.environ, "TZ": zone},
        ).stdout
        for zone in ("Pacific/Kiritimati", "America/Los_Angeles")
    }  # fmt: skip
    assert len(said) == 1
    assert "datetime.date(2027, 7, 1)" in said.pop()


def test_postgresql_decides_the_day(postgres, tmp_path):
    at = instants()[::7]
    rows = ", ".join(f"({i}, '{t}+00', '{t}')" for i, t in enumerate(at))
    postgres.run(
        "CREATE TABLE days (enrollment_id int, enrolled_on timestamptz, ended_on timestamp, "
        "user_id text DEFAULT '7', sequence_id text DEFAULT 's', replied bool, bounced bool)",
        f"INSERT INTO days VALUES {rows}",  # noqa: S608
    )
    path = tmp_path / "days.parquet"
    table(at).select(
        enrollment_id="n", enrolled_on="moment",
        ended_on=pl.col("moment").dt.replace_time_zone(None),
        user_id=pl.lit("7"), sequence_id=pl.lit("s"),
        replied=pl.lit(None, pl.Boolean), bounced=pl.lit(None, pl.Boolean),
    ).write_parquet(path)  # fmt: skip
    for zone in ("Asia/Kathmandu", "America/St_Johns"):
        with engine_enrollments(
            postgres.url, table="days", timezone=zone, naive_timestamps="UTC"
        ) as reading:
            got = collected(reading.frame).sort("enrollment_id")
            counts = reading.counts
        want = Reader("polars").read(path, timezone=zone, naive="UTC")
        assert tuple(counts) == want.counts
        for name in ("enrollment_id", "enrolled_on", "ended_on", "enrolled_hour"):
            assert got[name].to_list() == want.accepted[name].to_list(), (zone, name)
