"""Shared builders: enrollments drawn by hypothesis, and plain frames."""

from __future__ import annotations

import datetime as dt
import gzip
import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from senderscore_nb.sample import EXPORT, WEEKS, monday
from tests.browser import find_chromium
from tests.engines import dealt_together, placed, postgres, reader, spark
from tests.sample_frames import BOUNCED, DATA, REPLIED, TEXT

__all__ = ["postgres", "reader", "spark"]

settings.register_profile(
    "project",
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("project")

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data" / "sample"
MONDAY = dt.date(2026, 3, 2)

SCHEMA = {
    "enrollment_id": pl.String,
    "user_id": pl.String,
    "sequence_id": pl.String,
    "enrolled_on": pl.Date,
    "ended_on": pl.Date,
    "replied": pl.Boolean,
    "bounced": pl.Boolean,
    "opened": pl.Boolean,
    "end_reason": pl.String,
    "out_of_office": pl.Boolean,
}

days = st.integers(0, 60).map(lambda n: MONDAY + dt.timedelta(days=n))
rows = st.tuples(
    st.just(""),
    st.sampled_from(["7", "8", "<script>", "long " * 50]),
    st.sampled_from(["1", "2", "3"]),
    days,
    st.one_of(st.none(), days),
    st.one_of(st.none(), st.booleans()),
    st.one_of(st.none(), st.booleans()),
    st.one_of(st.none(), st.booleans()),
    st.sampled_from([None, "finished", "manual", "error", "blocked", "reply"]),
    st.one_of(st.none(), st.booleans()),
)


def enrollments_of(drawn: list[tuple[object, ...]]) -> pl.DataFrame:
    """Drawn rows as enrollments with ids."""
    return pl.DataFrame(
        [(str(i), *row[1:]) for i, row in enumerate(drawn)], schema=SCHEMA, orient="row"
    )


enrollments = st.lists(rows, max_size=60).map(enrollments_of)


def tally_rows(*rows: tuple[str, str, dt.date, int, int | None, int | None]) -> pl.DataFrame:
    """Tallies from (user, sequence, day, ended, replied, bounced)."""
    frame = pl.DataFrame(
        rows,
        schema={
            "user_id": pl.String,
            "sequence_id": pl.String,
            "day": pl.Date,
            "ended": pl.Int64,
            "replied": pl.Int64,
            "bounced": pl.Int64,
        },
        orient="row",
    )
    extra = ("opened", "clicked", "meetings", "unsubscribed")
    return frame.with_columns(pl.lit(0, pl.Int64).alias(name) for name in extra)


@pytest.fixture(scope="session")
def export() -> pl.DataFrame:
    """The committed export, with the week of enrollment and the week of the end."""
    rows = pl.read_csv(gzip.decompress((DATA / EXPORT).read_bytes()), schema_overrides=TEXT)
    instant = pl.col("Enrolled at", "Ended at").str.to_datetime("%Y-%m-%d %H:%M")

    def week(column: str) -> pl.Expr:
        return (pl.col(column).dt.date() - monday(1)).dt.total_days().floordiv(7) + 1

    return rows.with_columns(instant).with_columns(
        week=week("Enrolled at"), ended_week=week("Ended at")
    )


@pytest.fixture(scope="session")
def settled(export: pl.DataFrame) -> pl.DataFrame:
    """The cohorts whose runs can all have ended: no run lasts longer than five weeks."""
    return export.filter(
        pl.col("week").is_between(1, WEEKS - 5), pl.col("Ended at").is_not_null()
    ).with_columns(replied=REPLIED, bounced=BOUNCED)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests that need an engine know where they run, before they are dealt out to workers."""
    placed(item)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser its tests cannot run; where CI is set that is a failure, not a skip."""
    dealt_together(items)
    if find_chromium() or os.environ.get("CI"):
        return
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason="no Chromium; see tests/install_browser.sh"))
