"""`senderscore tally`: every engine gives the same tallies, to a file or a store, and scores."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import polars as pl
import pytest
from click.testing import CliRunner
from polars.testing import assert_frame_equal

from senderscore_nb import open_account, score, tally
from senderscore_nb.cli import main
from senderscore_nb.policy import CountingRules
from senderscore_nb.store import TallyStore, read_tallies
from tests.conftest import MONDAY

SPARK = pytest.param("spark", marks=pytest.mark.xdist_group("spark"))
ENGINES = pytest.mark.parametrize("engine", ["polars", "duckdb", SPARK])


def run(*arguments: object):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def counted(*arguments: object) -> str:
    got = run("tally", *arguments)
    assert got.exit_code == 0, got.output
    return got.output


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    """Three senders, four months, some of it active, manual, unnamed."""
    return pl.DataFrame(
        [
            {
                "enrollment_id": f"{user}-{i}",
                "user_id": user,
                "user_name": {"7": "Ann", "8": "<b>Bo</b>", "=9": None}[user],
                "sequence_id": str(i % 3),
                "enrolled_on": MONDAY + dt.timedelta(days=i % 100),
                "ended_on": MONDAY + dt.timedelta(days=i % 100 + 3) if i % 9 else None,
                "end_reason": "manual" if i % 10 == 1 else "finished",
                "replied": i % 11 == 0,
                "bounced": i % 41 == 0,
            }
            for user in ("7", "8", "=9")
            for i in range(400)
        ]
    )


@pytest.fixture(scope="module")
def parquet(rows, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "enrollments.parquet"
    rows.write_parquet(path)
    return path


@pytest.fixture
def on_engine(engine, request) -> None:
    """Spark's session of the tests is the one that the command finds."""
    if engine == "spark":
        request.getfixturevalue("spark")


@ENGINES
@pytest.mark.usefixtures("on_engine")
def test_every_engine_writes_the_same_tallies(engine, rows, parquet, tmp_path):
    said = counted(parquet, "--engine", engine, "-o", tmp_path / "tallies.parquet")
    kept = read_tallies(tmp_path / "tallies.parquet")
    assert_frame_equal(kept.tallies, tally(rows))
    assert kept.rules == CountingRules()
    assert kept.through == rows["ended_on"].max()
    assert kept.users.rows() == [("7", "Ann"), ("8", "<b>Bo</b>"), ("=9", None)]
    ended = rows["ended_on"].is_not_null().sum()
    assert f"1,200 enrollments, {ended:,} of them ended, are {kept.tallies.height:,}" in said


@ENGINES
@pytest.mark.usefixtures("on_engine")
def test_a_store_is_filled_a_month_at_a_time(engine, rows, parquet, tmp_path):
    for _ in range(1 if engine == "spark" else 2):  # replaced whole, never added to
        counted(parquet, "--engine", engine, "-o", tmp_path / "store")
        store = TallyStore(tmp_path / "store")
        assert_frame_equal(store.read(), tally(rows))
    assert store.months().height == 4


@ENGINES
@pytest.mark.usefixtures("on_engine")
def test_rows_that_break_the_contract_are_counted_and_written(engine, rows, tmp_path):
    broken = pl.concat([rows.head(5), rows.head(1), rows[5:9].with_columns(user_id=None)])
    broken.write_csv(tmp_path / "some.csv")
    said = counted(tmp_path / "some.csv", "--engine", engine, "-o", tmp_path / "t.parquet")
    assert "5 of 10 rows were rejected" in said
    rejects = pl.read_csv(tmp_path / "t.rejected.csv", infer_schema=False)
    assert rejects.height == 5
    assert rejects["reason"].str.contains("user_id|duplicate").all()
    assert_frame_equal(read_tallies(tmp_path / "t.parquet").tallies, tally(rows.head(5)))


@ENGINES
@pytest.mark.usefixtures("on_engine")
def test_the_policys_rules_count(engine, rows, parquet, tmp_path):
    text = run("policy", "show").output
    assert "manual_and_error_count_as_ended = true" in text
    mine = tmp_path / "mine.toml"
    mine.write_text(text.replace("error_count_as_ended = true", "error_count_as_ended = false"))
    counted(parquet, "--engine", engine, "--policy", mine, "-o", tmp_path / "t.parquet")
    rules = CountingRules(manual_and_error_count_as_ended=False)
    assert_frame_equal(read_tallies(tmp_path / "t.parquet").tallies, tally(rows, rules=rules))
    assert run("score", tmp_path / "t.parquet").exit_code == 2  # counted under other rules
    assert run("score", tmp_path / "t.parquet", "--policy", mine).exit_code == 0


def test_scores_of_tallies_are_those_of_the_rows(rows, parquet, tmp_path):
    counted(parquet, "--engine", "duckdb", "-o", tmp_path / "t.parquet")
    counted(parquet, "--engine", "duckdb", "-o", tmp_path / "store")
    expected = run("score", parquet, "--by", "user,month", "--format", "csv").output
    assert "&lt;" not in expected
    assert expected.count("\n") > 8
    for kept in ("t.parquet", "store"):
        got = run("score", tmp_path / kept, "--by", "user,month", "--format", "csv")
        assert got.output == expected, got.output
    assert_frame_equal(score(open_account(tmp_path / "store").tallies), score(tally(rows)))


def test_days_are_decided_in_the_stated_zone(tmp_path):
    late = dt.datetime(2026, 12, 31, 23, 30, tzinfo=dt.UTC)
    row = {"enrollment_id": "1", "user_id": "7", "sequence_id": "1", "enrolled_on": late,
           "ended_on": late, "replied": True, "bounced": False}  # fmt: skip
    with duckdb.connect(tmp_path / "w.duckdb") as connection:
        given = pl.DataFrame([row]).to_arrow()
        connection.from_arrow(given).create("runs")
    for zone, day in (("Europe/Berlin", dt.date(2027, 1, 1)), ("UTC", dt.date(2026, 12, 31))):
        source = (tmp_path / "w.duckdb", "--engine", "duckdb", "--table", "runs")
        counted(*source, "--timezone", zone, "-o", tmp_path / "t.parquet")
        kept = read_tallies(tmp_path / "t.parquet")
        assert kept.tallies["day"].to_list() == [day]
        assert kept.timezone == zone


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x.parquet", "--trust-ids", "-o", "t.parquet"], "are for an engine"),
        (["x.parquet", "y.parquet", "--engine", "duckdb", "-o", "t.parquet"], "reads one source"),
        (["x.parquet", "-o", "t.xlsx"], "'t.xlsx' is no tally file and no folder"),
        (["x.parquet", "-o", "nowhere/t.parquet"], "There is no such folder"),
        (["x.parquet", "-o", "t.parquet", "--rejects", "nowhere/r.csv"], "There is no such folder"),
        (["x.parquet", "-o", "t.parquet", "--days", "2026-03"], "this is a file"),
        (["x.parquet", "--engine", "duckdb", "--master", "yarn", "-o", "t.parquet"], "Spark's"),
        (["x.duckdb", "-o", "t.parquet"], "Add --engine duckdb"),
        (["x.duckdb", "--engine", "duckdb", "-o", "t.parquet"], "none was named"),
        (["none.parquet", "--engine", "duckdb", "-o", "t.parquet"], "Nothing to read"),
        (["none.parquet", "-o", "t.parquet"], "none.parquet"),
    ],
)
def test_mistakes_are_said_and_nothing_is_written(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    got = run("tally", *arguments)
    assert got.exit_code == 2
    assert said in got.output
    assert "Traceback" not in got.output
    assert list(tmp_path.iterdir()) == []


def test_large_files_are_pointed_to_an_engine(rows, parquet, tmp_path, monkeypatch):
    monkeypatch.setattr("senderscore_nb.cli.tally._LARGE", 1000)
    assert "--engine duckdb counts files" in counted(parquet, "-o", tmp_path / "t.parquet")
    said = counted(parquet, "--engine", "duckdb", "-o", tmp_path / "t.parquet")
    assert "into memory" not in said


def test_no_password_of_an_address_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("senderscore_nb.cli.tally.say", lambda line: print(line))
    for password in ("SECRET", "pa/SECRET", "p#SECRET", "p@SECRET"):
        url = f"postgresql://jo:{password}@127.0.0.1:1/db"
        for command in (
            ("tally", url, "--table", "t", "--engine", "duckdb", "-o", tmp_path / "x.parquet"),
            ("tally", url, "-o", tmp_path / "x.parquet"),
            ("tally", url, "--engine", "spark", "-o", tmp_path / "x.parquet"),
            ("score", url),
            ("check", url),
            ("reconstruct", url, "--timezone", "UTC", "-o", tmp_path / "x.parquet"),
        ):
            got = run(*command)
            assert got.exit_code == 2, got.output
            assert "SECRET" not in got.output


def test_where_all_is_rejected_the_old_file_stays(rows, parquet, tmp_path):
    counted(parquet, "-o", tmp_path / "good.parquet")
    before = (tmp_path / "good.parquet").read_bytes()
    rows.with_columns(user_id=pl.lit(None, pl.String)).write_parquet(tmp_path / "bad.parquet")
    got = run("tally", tmp_path / "bad.parquet", "-o", tmp_path / "good.parquet")
    assert got.exit_code == 2
    assert "All 1,200 rows were rejected" in got.output
    assert (tmp_path / "good.parquet").read_bytes() == before
    assert (tmp_path / "good.rejected.csv").exists()


def test_a_store_knows_its_zone_and_rules(rows, parquet, tmp_path):
    store = tmp_path / "store"
    counted(parquet, "--timezone", "Europe/Berlin", "-o", store)
    assert "1,200 enrollments were counted" in counted(parquet, "-o", store)
    got = run("tally", "not-even-read.parquet", "--timezone", "UTC", "-o", store)
    assert "the time zone Europe/Berlin" in got.output
    rows.with_columns(ended_on=pl.lit(None, pl.Date)).write_parquet(tmp_path / "active.parquet")
    got = run("tally", tmp_path / "active.parquet", "-o", tmp_path / "other")
    assert (got.exit_code, "has ended" in got.output) == (2, True)


def test_the_present_folder_can_be_a_store(rows, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    broken = pl.concat([rows.head(5), rows.head(1).with_columns(user_id=pl.lit(None, pl.String))])
    broken.write_parquet(tmp_path / "rows.parquet")
    monkeypatch.chdir(tmp_path / "here")
    assert "1 of 6 rows were rejected" in counted("../rows.parquet", "-o", ".")
    assert TallyStore(".").read()["ended"].sum() == 4
    assert (tmp_path / "here.rejected.csv").exists()


def test_what_was_counted_is_not_read_back_as_enrollments(rows, tmp_path):
    folder = tmp_path / "rows"
    (folder / "2026").mkdir(parents=True)
    rows.write_parquet(folder / "2026" / "enrollments.parquet")
    for _ in range(2):
        counted(folder, "--engine", "duckdb", "-o", folder / "tallies.parquet")
        said = counted(folder, "--engine", "duckdb", "-o", folder / "store")
        assert "rejected" not in said
    assert_frame_equal(read_tallies(folder / "tallies.parquet").tallies, tally(rows))
