"""Counting by place: equal to grouping, and given up where it would not be worth it."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from senderscore_nb import packing
from senderscore_nb.packing import count_cells
from tests.conftest import MONDAY

KEYS = ["user", "sequence", "day"]
SCHEMA = {
    "user": pl.String,
    "sequence": pl.String,
    "day": pl.Date,
    "replied": pl.Boolean,
    "bounced": pl.Boolean,
}
names = st.sampled_from(["7", "8", "", "<script>", "\u202e10", "=A1", "Å" * 300])
days = st.dates(dt.date(2024, 12, 20), dt.date(2025, 1, 20))
unsure = st.one_of(st.none(), st.booleans())


def frame_of(rows: list[tuple[object, ...]]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=SCHEMA, orient="row")


def grouped(frame: pl.LazyFrame) -> pl.DataFrame:
    def count(name: str) -> pl.Expr:
        total = pl.col(name).sum().cast(pl.Int64)
        return pl.when(~pl.col(name).is_null().any()).then(total).alias(name)

    ended = pl.len().cast(pl.Int64).alias("ended")
    return frame.group_by(KEYS).agg(ended, count("replied"), count("bounced")).sort(KEYS).collect()


@given(st.lists(st.tuples(names, names, days, unsure, st.booleans()), min_size=1, max_size=60))
def test_counting_by_place_equals_grouping(rows):
    counted = count_cells(frame_of(rows), KEYS, ["replied", "bounced"])
    assert counted is not None
    assert_frame_equal(counted, grouped(frame_of(rows)))


def test_many_batches_are_one_count():
    n = 3 * packing._BATCH + 7
    i = pl.int_range(n, eager=True)
    frame = pl.LazyFrame(
        {
            "user": (i // (n // 50)).cast(pl.String),
            "sequence": (i % 7).cast(pl.String),
            "day": pl.Series((i * 31 % 400).cast(pl.Int32)).cast(pl.Date),
            "replied": i % 5 == 0,
            "bounced": i % 11 == 0,
        }
    )
    counted = count_cells(frame, KEYS, ["replied", "bounced"])
    assert counted is not None
    assert_frame_equal(counted, grouped(frame))


@pytest.mark.parametrize(
    "row",
    [
        (None, "1", MONDAY, True, False),
        ("7", None, MONDAY, True, False),
        ("7", "1", None, True, False),
        ("7", "1", dt.date(9999, 12, 31), True, False),
    ],
)
def test_what_has_no_place_is_left_to_grouping(row):
    rows = [("7", "1", dt.date(1, 1, 1), True, False), row]
    assert count_cells(frame_of(rows), KEYS, ["replied", "bounced"]) is None


def test_more_pairs_than_there_is_room_for_are_left_to_grouping():
    far = MONDAY + dt.timedelta(days=packing._FEW // 2)
    rows = [(f"{i}", "1", day, True, False) for i in range(3) for day in (MONDAY, far)]
    assert count_cells(frame_of(rows), KEYS, ["replied", "bounced"]) is None


def test_more_sequences_than_there_are_codes_for_are_left_to_grouping():
    rows = [("7", f"{i}", MONDAY, True, False) for i in range(packing._PAIR + 1)]
    assert count_cells(frame_of(rows), KEYS, ["replied", "bounced"]) is None
    held = count_cells(frame_of(rows[:-1]), KEYS, ["replied", "bounced"])
    assert held is not None
    assert held.height == packing._PAIR


def test_other_keys_and_no_rows_are_left_to_grouping():
    rows = [("7", "1", MONDAY, True, False)]
    assert count_cells(frame_of(rows), ["user", "day"], ["replied"]) is None
    assert count_cells(frame_of([]), KEYS, ["replied"]) is None
