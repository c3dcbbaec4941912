"""The tally is one expression: polars, DuckDB and Spark give the same table to the last dtype."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from random import Random
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given
from polars.testing import assert_frame_equal

from senderscore_nb import merge, score, tally
from senderscore_nb.contract import KEYS, MEASURES, Tally
from senderscore_nb.errors import ContractError, StoreError
from senderscore_nb.policy import CountingRules
from senderscore_nb.store import Days, TallyStore, count, count_into, update
from senderscore_nb.sums import summarize
from senderscore_nb.tally import newest_day, newest_names
from tests.conftest import MONDAY, enrollments, enrollments_of
from tests.test_tally import plain_tally, rules

Give = Callable[[pl.DataFrame], Any]

RULES = [
    CountingRules(
        date_basis=basis,
        manual_and_error_count_as_ended=manual,
        blocked_count_as_bounced=blocked,
        out_of_office_count_as_replies=away,
    )
    for basis, manual, blocked, away in itertools.product(
        ("ended_on", "enrolled_on"), *[(True, False)] * 3
    )
]
HOSTILE = ["7", "", " 7", "<script>alert(1)</script>", "=1+1", "'; drop table x; --", '"',
           "\u202e7", "Å" * 300, "a\nb", "\\", "null", "İ", "😀"]  # fmt: skip


def drawn(seed: int, size: int) -> pl.DataFrame:
    """Enrollments with every null, every reason, hostile names and days far apart."""
    random = Random(seed)
    days = [MONDAY + dt.timedelta(days=d) for d in range(9)]
    days += [dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date(2026, 12, 31), dt.date(2027, 1, 1)]
    maybe = [None, True, False, False]
    reasons = [None, "finished", "manual", "error", "blocked", "reply"]
    return enrollments_of(
        [
            (
                "",
                random.choice(HOSTILE),
                random.choice(["1", "2", "3 "]),
                random.choice(days),
                random.choice([None, *days]),
                *(random.choice(maybe[: random.choice([3, 4])]) for _ in range(3)),
                random.choice(reasons),
                random.choice(maybe),
            )
            for _ in range(size)
        ]
    )


@pytest.fixture(scope="session")
def in_duckdb() -> Give:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'Pacific/Kiritimati'")

    def give(rows: pl.DataFrame) -> duckdb.DuckDBPyRelation:
        return connection.from_arrow(rows.to_arrow())

    return give


@pytest.fixture(scope="session")
def in_spark(spark) -> Give:
    return lambda rows: spark.createDataFrame(rows.to_arrow())


@pytest.fixture(
    params=["polars", "duckdb", pytest.param("spark", marks=pytest.mark.xdist_group("spark"))]
)
def give(request) -> Give:
    """Hands rows to one of the engines."""
    if request.param == "polars":
        return pl.DataFrame.lazy
    return request.getfixturevalue(f"in_{request.param}")


@pytest.mark.parametrize("counting", RULES, ids=lambda r: "-".join(map(str, dict(r).values())))
def test_every_engine_gives_the_plain_count_under_every_rule(give, counting):
    rows = drawn(7, 400)
    cells = tally(give(rows), rules=counting)
    assert_frame_equal(cells, tally(rows, rules=counting))
    assert Tally.is_valid(cells)
    expected = plain_tally(rows, counting)
    got = {tuple(r[k] for k in KEYS): r for r in cells.iter_rows(named=True)}
    assert got.keys() == expected.keys()
    for key, cell in expected.items():
        assert {n: got[key][n] for n in cell} == dict(cell), key


@given(enrollments, rules)
def test_duckdb_gives_what_polars_gives(rows, rules):
    table = rows.to_arrow()
    with duckdb.connect() as connection:
        assert_frame_equal(
            tally(connection.from_arrow(table), rules=rules), tally(rows, rules=rules)
        )


@pytest.mark.parametrize(
    "by",
    [
        ["user_id"],
        ["day"],
        ["week"],
        ["sequence_id", "month"],
        ["week", "user_id", "day"],
        ["end_reason"],
        ["user_id", "end_reason", "out_of_office"],
        [],
    ],
    ids="-".join,
)
def test_every_engine_groups_by_other_keys(give, by):
    rows = drawn(8, 300)
    cells = tally(give(rows), by=by)
    assert cells.columns == [*by, *MEASURES]
    assert_frame_equal(cells, tally(rows, by=by))
    assert cells["ended"].sum() == rows["ended_on"].is_not_null().sum()


def test_the_tally_of_a_sum_is_the_merge_of_engines(give, in_duckdb):
    a, b = drawn(1, 120), drawn(2, 90)
    assert_frame_equal(merge(tally(give(a)), tally(in_duckdb(b))), tally(pl.concat([a, b])))


def test_nothing_is_no_rows_of_the_right_types_on_every_engine(give):
    nothing = give(enrollments_of([]))
    assert_frame_equal(tally(nothing), tally(enrollments_of([])))
    assert tally(nothing).schema == pl.Schema(
        {"user_id": pl.String, "sequence_id": pl.String, "day": pl.Date}
        | dict.fromkeys(MEASURES, pl.Int64)
    )
    whole = tally(nothing, by=[])
    assert_frame_equal(whole, tally(enrollments_of([]), by=[]))
    assert whole["ended"].to_list() == [0]


def test_what_a_source_never_knows_is_null_on_every_engine(give):
    rows = enrollments_of([("", "7", "1", MONDAY, MONDAY, True, None, None, None, None)] * 3)
    cells = tally(give(rows.drop("opened")))
    assert cells.select("ended", "replied", "bounced", "opened").row(0) == (3, 3, None, None)


def test_days_at_the_ends_of_the_calendar_are_the_same_on_every_engine(give):
    days = [dt.date(1, 1, 1), dt.date(1582, 10, 10), dt.date(1969, 12, 31), dt.date(9999, 12, 31)]
    rows = enrollments_of([("", "7", "1", d, d, True, False, True, None, None) for d in days])
    assert tally(give(rows))["day"].to_list() == days


def test_mistakes_are_said_alike_on_every_engine(give):
    rows = enrollments_of([("", "7", "1", MONDAY, MONDAY, True, False, True, None, None)])
    with pytest.raises(ContractError, match="no column 'bounced'"):
        tally(give(rows.drop("bounced")))
    with pytest.raises(ContractError, match="no column 'usr_id'"):
        tally(give(rows), by=["usr_id"])
    with pytest.raises(ContractError, match="'opened' is counted"):
        tally(give(rows), by=["user_id", "opened"])
    with pytest.raises(ContractError, match=r"'ended_on' holds Datetime.*days are expected"):
        tally(give(rows.with_columns(pl.col("ended_on").cast(pl.Datetime("us")))))
    with pytest.raises(ContractError, match="'replied' holds Int64; Boolean is expected"):
        tally(give(rows.with_columns(pl.col("replied").cast(pl.Int64))))


def test_what_follows_works_on_the_tallies_of_every_engine(give):
    rows = drawn(9, 300)
    cells = tally(give(rows))
    assert_frame_equal(score(cells), score(tally(rows)))
    assert_frame_equal(summarize(cells, ["week"]), summarize(tally(rows), ["week"]))


def test_other_tables_are_taken_as_well():
    rows = drawn(3, 50)
    assert_frame_equal(tally(rows.to_arrow()), tally(rows))
    assert_frame_equal(tally(rows.to_pandas(use_pyarrow_extension_array=True)), tally(rows))


@pytest.mark.parametrize("other", [None, [1], {"user_id": []}, "export.csv"])
def test_what_is_no_table_is_refused(other):
    with pytest.raises(ContractError, match="no table of enrollments"):
        tally(other)


def test_every_engine_knows_its_newest_day_and_names(give):
    rows = drawn(5, 200).with_columns(user_name=pl.lit("Ann") + pl.col("user_id").str.head(3))
    assert newest_day(give(rows)) == max(rows["enrolled_on"].max(), rows["ended_on"].max())
    names = newest_names(give(rows), "user_id", "user_name")
    assert_frame_equal(names, rows.select("user_id", "user_name").unique().sort("user_id"))
    nameless = newest_names(give(rows), "sequence_id", "sequence_name")
    assert nameless.rows() == [(name, None) for name in rows["sequence_id"].unique().sort()]
    nothing = give(rows.clear())
    assert newest_day(nothing) is None
    assert newest_names(nothing, "user_id", "user_name").is_empty()


def test_the_newest_name_is_taken_on_every_engine(give):
    after = MONDAY + dt.timedelta(days=1)
    rows = enrollments_of(
        [("", "7", "1", day, day, True, False, True, None, None) for day in (MONDAY, after, after)]
    ).with_columns(user_name=pl.Series(["Zoe", "Ann", None]))
    assert newest_names(give(rows), "user_id", "user_name").rows() == [("7", "Ann")]


@pytest.mark.parametrize("basis", ["ended_on", "enrolled_on"])
def test_a_store_counted_a_month_at_a_time_is_the_store_of_the_whole(give, basis, tmp_path):
    near = pl.col("enrolled_on", "ended_on").dt.year().is_between(2026, 2027)
    rows = drawn(6, 300).filter(pl.all_horizontal(near.fill_null(value=True)))
    how = {"rules": CountingRules(date_basis=basis), "timezone": "Europe/Berlin"}
    lines: list[str] = []
    one, other = TallyStore(tmp_path / "a"), TallyStore(tmp_path / "b")
    count_into(one, give(rows), say=lines.append, **how)
    update(other, count(rows, **how))
    assert len(lines) == one.months().height >= 3
    assert_frame_equal(one.read(), other.read())
    assert one.state().generation == 1
    same = {"months": {}}
    assert one.state().model_copy(update=same) == other.state().model_copy(update=same)


def test_only_months_with_rows_are_asked_for(tmp_path):
    days = [dt.date(1970, 1, 1), dt.date(2026, 3, 2), dt.date(2099, 12, 31)]
    rows = enrollments_of([("", "7", "1", d, d, True, False, True, None, None) for d in days])
    lines: list[str] = []
    store = TallyStore(tmp_path / "store")
    count_into(store, rows, say=lines.append)
    assert [line[:7] for line in lines] == ["1970-01", "2026-03", "2099-12"]
    assert store.read()["day"].to_list() == days
    assert store.state().generation == 1


def test_a_count_that_breaks_off_leaves_the_old_state(tmp_path, monkeypatch):
    store = TallyStore(tmp_path / "store")
    late = pl.col("ended_on") >= MONDAY
    count_into(store, drawn(6, 40).filter(late))
    before, files = store.state(), sorted(store.folder.rglob("*"))
    more = drawn(7, 400).filter(late)

    def breaks(line: str) -> None:
        if line.startswith("2026-12"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        count_into(store, more, say=breaks)
    assert store.state() == before
    assert sorted(store.folder.rglob("*")) == files


def test_a_part_of_the_data_does_not_take_days_away_unasked(tmp_path):
    rows = enrollments_of(
        [("", "7", "1", MONDAY, MONDAY, True, False, True, None, None)] * 40
        + [("", "7", "1", MONDAY, MONDAY + dt.timedelta(days=9), True, False, True, None, None)]
    )
    store = TallyStore(tmp_path / "store")
    count_into(store, rows)
    with pytest.raises(StoreError, match="30 ended enrollments fewer than the 40"):
        count_into(store, rows[30:])
    assert store.read()["ended"].sum() == 41
    days = Days(MONDAY, MONDAY)
    lost = count_into(store, rows[30:], days=days).fewer
    assert lost.rows() == [(MONDAY, 40, 10)]
    assert store.read()["ended"].to_list() == [10, 1]


def test_keys_asked_for_twice_are_keys_once(give):
    rows = drawn(2, 50)
    assert_frame_equal(tally(give(rows), by=["user_id", "user_id"]), tally(rows, by=["user_id"]))
