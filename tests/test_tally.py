"""Tallies: additive, exact, and equal to a slow plain count."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from senderscore_nb.contract import KEYS, MEASURES, Tally
from senderscore_nb.errors import ContractError
from senderscore_nb.packing import group_packed
from senderscore_nb.policy import CountingRules
from senderscore_nb.sums import merge, summarize, trailing
from senderscore_nb.tally import tally
from tests.conftest import MONDAY, enrollments, enrollments_of, tally_rows

rules = st.builds(
    CountingRules,
    date_basis=st.sampled_from(["ended_on", "enrolled_on"]),
    manual_and_error_count_as_ended=st.booleans(),
    blocked_count_as_bounced=st.booleans(),
    out_of_office_count_as_replies=st.booleans(),
)


def plain_tally(rows: pl.DataFrame, rules: CountingRules) -> dict[tuple, dict[str, int | None]]:
    """The referee: one row at a time."""
    cells: dict[tuple, dict[str, int | None]] = {}
    for row in rows.iter_rows(named=True):
        if row["ended_on"] is None:
            continue
        reason = row["end_reason"]
        if not rules.manual_and_error_count_as_ended and reason in ("manual", "error", "blocked"):
            continue
        bounced = row["bounced"]
        if rules.blocked_count_as_bounced and reason == "blocked":
            bounced = True
        replied = row["replied"]
        if row["out_of_office"] and not rules.out_of_office_count_as_replies:
            replied = False
        if bounced:
            replied = False
        key = (row["user_id"], row["sequence_id"], row[rules.date_basis])
        cell = cells.setdefault(key, defaultdict(int))
        cell["ended"] += 1
        for name, value in (("replied", replied), ("bounced", bounced), ("opened", row["opened"])):
            if value is None or cell[name] is None:
                cell[name] = None
            else:
                cell[name] += value
    return cells


@given(enrollments, rules)
def test_a_tally_equals_the_plain_count(rows, rules):
    got = {
        (r["user_id"], r["sequence_id"], r["day"]): r
        for r in tally(rows, rules=rules).iter_rows(named=True)
    }
    expected = plain_tally(rows, rules)
    assert got.keys() == expected.keys()
    for key, cell in expected.items():
        for name in ("ended", "replied", "bounced", "opened"):
            assert got[key][name] == cell[name], (key, name)


@given(enrollments, enrollments)
def test_the_tally_of_a_sum_is_the_merge_of_tallies(a, b):
    assert_frame_equal(tally(pl.concat([a, b])), merge(tally(a), tally(b)))


@given(enrollments, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows, random):
    order = list(range(rows.height))
    random.shuffle(order)
    assert_frame_equal(tally(rows), tally(rows[order]))


@given(enrollments)
def test_sums_over_users_sequences_and_days_agree(rows):
    cells = tally(rows)
    totals = [
        summarize(cells, by)["ended"].sum()
        for by in (["user_id"], ["sequence_id"], ["day"], ["week"], ["month"], [])
    ]
    assert set(totals) == {rows["ended_on"].is_not_null().sum()}


@given(enrollments)
def test_other_keys_are_sums_of_the_daily_ones(rows):
    for by in (["user_id"], ["sequence_id", "week"], ["month"]):
        assert_frame_equal(tally(rows, by=by), summarize(tally(rows), by))


@given(enrollments)
def test_the_packed_way_equals_the_plain_one(rows):
    frame = rows.lazy().select("user_id", "sequence_id", "enrolled_on", "replied")
    keys = ["user_id", "sequence_id", "enrolled_on"]
    sums = [pl.len().alias("n"), pl.col("replied").sum()]
    expected = frame.group_by(keys).agg(sums).sort(keys).collect()
    assert_frame_equal(group_packed(frame, keys, sums), expected)


@pytest.mark.parametrize("day", [dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(9999, 12, 31)])
def test_any_day_is_packed_and_unpacked(day):
    frame = pl.LazyFrame({"a": ["x"], "b": ["y"], "d": [day], "v": [1]})
    packed = group_packed(frame, ["a", "b", "d"], [pl.col("v").sum()])
    assert packed is not None
    assert packed.row(0) == ("x", "y", day, 1)


def test_what_does_not_fit_is_not_packed():
    rows = {"a": ["x", None, "x"], "b": ["y"] * 3, "d": [MONDAY, MONDAY, None], "v": [1, 2, 3]}
    frame = pl.LazyFrame(rows)
    assert group_packed(frame, ["a", "b", "d"], [pl.col("v").sum()]) is None
    assert group_packed(frame, ["b", "d"], [pl.col("v").sum()]) is None
    assert group_packed(frame, [], [pl.col("v").sum()]) is None


def test_more_senders_than_a_code_has_room_for_are_counted_right():
    n = (1 << 20) + 5
    rows = pl.LazyFrame({"user_id": pl.int_range(0, n, eager=True).cast(pl.String)}).with_columns(
        sequence_id=pl.lit("s"),
        ended_on=pl.lit(MONDAY),
        replied=pl.lit(value=True),
        bounced=pl.lit(value=False),
    )
    cells = tally(rows)
    assert cells.height == n
    assert cells["user_id"].n_unique() == n
    assert cells["replied"].sum() == n


def test_an_unknown_measure_is_null_and_stays_null():
    rows = enrollments_of([("", "7", "1", MONDAY, MONDAY, True, None, None, None, None)])
    cells = tally(rows)
    assert cells["bounced"].to_list() == [None]
    assert cells["clicked"].to_list() == [None]
    assert merge(cells, cells)["bounced"].to_list() == [None]


def test_a_tally_satisfies_its_contract():
    rows = enrollments_of([("", "7", "1", MONDAY, MONDAY, True, False, True, None, None)])
    cells = tally(rows)
    assert cells.columns == [*KEYS, *MEASURES]
    assert Tally.is_valid(cells)


def test_nothing_gives_no_rows_with_the_right_types():
    cells = tally(enrollments_of([]))
    assert cells.height == 0
    assert cells.schema["day"] == pl.Date
    assert cells.schema["bounced"] == pl.Int64
    assert merge(cells, cells).height == 0


def test_a_lazy_frame_of_a_file_gives_the_same(tmp_path):
    rows = enrollments_of([("", "7", "1", MONDAY, MONDAY, True, False, True, None, None)] * 9)
    rows.write_parquet(tmp_path / "rows.parquet")
    assert_frame_equal(tally(pl.scan_parquet(tmp_path / "rows.parquet")), tally(rows))


def test_a_missing_column_is_named():
    with pytest.raises(ContractError, match="'bounced'"):
        tally(enrollments_of([]).drop("bounced"))
    with pytest.raises(ContractError, match="'end_reason'"):
        tally(
            enrollments_of([]).drop("end_reason"),
            rules=CountingRules(blocked_count_as_bounced=True),
        )
    with pytest.raises(ContractError, match="no tally"):
        merge()
    with pytest.raises(ContractError, match="cannot be merged"):
        merge(tally(enrollments_of([])), tally(enrollments_of([])).drop("opened"))


def test_a_week_is_iso_also_at_a_years_end():
    rows = [
        (f"{i}", "1", day, 1, 0, 0)
        for i, day in enumerate([dt.date(2026, 12, 31), dt.date(2027, 1, 3)])
    ]
    weeks = summarize(tally_rows(*rows), ["week"])
    assert weeks["week"].to_list() == [dt.date(2026, 12, 28)]


@given(st.lists(st.tuples(st.integers(0, 70), st.integers(0, 20)), max_size=25), st.integers(1, 5))
def test_a_trailing_week_holds_the_weeks_before(cells, weeks):
    tallies = tally_rows(*(("7", "1", MONDAY + dt.timedelta(days=d), n, 0, 0) for d, n in cells))
    got = {r["day"]: r["ended"] for r in trailing(tallies, weeks).iter_rows(named=True)}
    mondays = [MONDAY + dt.timedelta(days=d - d % 7) for d, _ in cells]
    for monday in sorted(set(mondays)):
        if monday < min(mondays) + dt.timedelta(weeks=weeks - 1):
            assert monday not in got
            continue
        since = monday - dt.timedelta(weeks=weeks - 1)
        expected = sum(n for (_, n), m in zip(cells, mondays, strict=True) if since <= m <= monday)
        assert got[monday] == expected
