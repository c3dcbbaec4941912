"""`senderscore store`: which days an update replaces, what it refuses, and what it says."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from polars.testing import assert_frame_equal

from senderscore_nb.cli import main
from senderscore_nb.errors import StoreError
from senderscore_nb.policy import CountingRules, load_policy
from senderscore_nb.store import Days, TallyStore, read_tallies, update, write_tallies
from senderscore_nb.tally import tally
from tests.conftest import tally_rows
from tests.stores import cells, tallied

FIRST = dt.date(2026, 3, 2)


def enrollments(days: int = 60, *, a_day: int = 12) -> pl.DataFrame:
    """So many enrollments a day; each ends 0 to 20 days later, every tenth with a reply."""
    rows = [
        (f"{n}-{i}", str(7 + i % 2), "1", FIRST + dt.timedelta(n),
         FIRST + dt.timedelta(n + (n * 7 + i * 5) % 21), i == 3, i == 5)
        for n in range(days)
        for i in range(a_day)
    ]  # fmt: skip
    names = ("enrollment_id", "user_id", "sequence_id", "enrolled_on", "ended_on", "replied",
             "bounced")  # fmt: skip
    return pl.DataFrame(rows, schema=list(names), orient="row")


ALL = enrollments()


def run(*arguments: object, code: int = 0) -> str:
    got = CliRunner().invoke(main, [str(a) for a in arguments])
    assert got.exit_code == code, got.output
    assert "Traceback" not in got.output
    return got.output


def export(folder: Path, rows: pl.DataFrame, name: str = "export.csv") -> Path:
    rows.write_csv(folder / name)
    return folder / name


def known_on(last: dt.date) -> pl.DataFrame:
    """The export as it was made on a day: later ends were not known yet."""
    rows = ALL.filter(pl.col("enrolled_on") <= last)
    ended = pl.col("ended_on") <= last
    return rows.with_columns(
        pl.when(ended).then("ended_on").alias("ended_on"),
        replied=pl.col("replied") & ended,
        bounced=pl.col("bounced") & ended,
    )


def test_update_by_update_a_store_is_the_tally_of_everything(tmp_path):
    store = tmp_path / "store"
    for days in (20, 21, 28, 40, 90):
        said = run("store", "update", store, export(tmp_path, known_on(FIRST + dt.timedelta(days))))
    assert_frame_equal(TallyStore(store).read(), tally(ALL))
    assert "Replaced 2026-03-02..2026-05-1" in said
    assert "are gone" not in said


def test_an_export_of_what_ended_since_a_day_keeps_what_was_before(tmp_path):
    store = tmp_path / "store"
    run("store", "update", store, export(tmp_path, known_on(dt.date(2026, 4, 10))))
    since = ALL.filter(pl.col("ended_on") >= dt.date(2026, 4, 3))
    said = run("store", "update", store, export(tmp_path, since))
    assert "Replaced 2026-04-03.." in said
    assert_frame_equal(TallyStore(store).read(), tally(ALL))


def test_an_export_of_what_was_enrolled_since_a_day_is_refused(tmp_path):
    store = tmp_path / "store"
    run("store", "update", store, export(tmp_path, ALL))
    before = TallyStore(store).read()
    part = export(tmp_path, ALL.filter(pl.col("enrolled_on") >= dt.date(2026, 4, 1)))
    said = run("store", "update", store, part, code=2)
    assert "Nothing was changed" in said
    assert "of the week from 2026-03-30 it holds" in said
    assert_frame_equal(TallyStore(store).read(), before)
    whole = said.split("--days ")[1].split(",")[0]
    lacking = ALL.filter(pl.col("enrolled_on") < dt.date(2026, 4, 1))["ended_on"].max()
    assert Days.parse(whole).first == lacking + dt.timedelta(days=1) == dt.date(2026, 4, 20)
    run("store", "update", store, part, "--days", whole)
    assert_frame_equal(TallyStore(store).read(), before)


def test_a_stray_early_row_does_not_erase_the_days_after_it(tmp_path):
    store = tmp_path / "store"
    run("store", "update", store, export(tmp_path, ALL))
    since = ALL.filter(
        (pl.col("ended_on") >= dt.date(2026, 4, 20)) | (pl.col("enrollment_id") == "0-0")
    )
    said = run("store", "update", store, export(tmp_path, since), code=2)
    assert "--days 2026-04-20..2026-05-" in said
    assert_frame_equal(TallyStore(store).read(), tally(ALL))


def test_a_few_enrollments_that_were_deleted_go_and_are_counted(tmp_path):
    store = tmp_path / "store"
    run("store", "update", store, export(tmp_path, ALL))
    left = ALL.filter(~pl.col("enrollment_id").is_in(["20-1", "21-1", "30-4"]))
    said = run("store", "update", store, export(tmp_path, left))
    assert "3 ended enrollments that the store knew are gone, on 3 days" in said
    assert_frame_equal(TallyStore(store).read(), tally(left))


def test_many_that_were_deleted_go_when_it_is_said(tmp_path):
    store = tmp_path / "store"
    run("store", "update", store, export(tmp_path, ALL))
    left = export(tmp_path, ALL.filter(user_id="8"))
    assert "Nothing was changed" in run("store", "update", store, left, code=2)
    run("store", "update", store, left, "--days", "2026-03..2026-05")
    assert_frame_equal(TallyStore(store).read(), tally(ALL.filter(user_id="8")))


def test_days_that_are_stated_are_replaced_and_no_others(tmp_path):
    store = tmp_path / "store"
    run("store", "update", store, export(tmp_path, ALL))
    nothing = export(tmp_path, ALL.filter(pl.col("enrolled_on") > dt.date(2026, 4, 20)))
    said = run("store", "update", store, nothing, "--days", "2026-03-09..2026-W12")
    assert "are gone, on 14 days" in said
    between = pl.col("day").is_between(dt.date(2026, 3, 9), dt.date(2026, 3, 22))
    assert_frame_equal(TallyStore(store).read(), tally(ALL).filter(~between))


def test_data_in_which_nothing_has_ended_covers_no_day(tmp_path):
    active = export(tmp_path, ALL.with_columns(ended_on=pl.lit(None, pl.Date)))
    said = run("store", "update", tmp_path / "store", active, code=2)
    assert "No enrollment in the data has ended" in said
    assert not (tmp_path / "store").exists()


def test_a_store_keeps_its_rules_and_refuses_others(tmp_path):
    store, data = tmp_path / "store", export(tmp_path, ALL)
    policy = load_policy().model_copy(
        update={"counting": CountingRules(date_basis="enrolled_on", reply_denominator="ended")}
    )
    (mine := tmp_path / "mine.toml").write_text(policy.to_toml())
    run("store", "update", store, data, "--policy", mine)
    run("store", "update", store, data)  # without a policy: the store's rules
    assert_frame_equal(TallyStore(store).read(), tally(ALL, rules=policy.counting))
    said = run("store", "update", store, data, "--policy", "hubspot-article", code=2)
    assert "date_basis = enrolled_on, and the data with ended_on" in said
    said = run("store", "update", store, data, "--timezone", "Asia/Tokyo", code=2)
    assert "time zone" in said


def test_times_of_day_need_the_zone_once(tmp_path):
    times = ALL.with_columns(pl.col("ended_on").cast(pl.Datetime).dt.offset_by("23h30m"))
    store, data = tmp_path / "store", export(tmp_path, times)
    assert "depend on the time zone" in run("store", "update", store, data, code=2)
    run("store", "update", store, data, "--timezone", "Europe/Berlin")
    run("store", "update", store, data)
    assert TallyStore(store).state().timezone == "Europe/Berlin"


def test_a_store_takes_tally_files(tmp_path):
    store, days = tmp_path / "store", Days.parse("2026-03")
    write_tallies(tmp_path / "t.parquet", tallied(cells(days)))
    run("store", "update", store, tmp_path / "t.parquet")
    assert_frame_equal(TallyStore(store).read(), cells(days))
    later = Days.parse("2026-04-01")
    cells(later).write_parquet(tmp_path / "theirs.parquet")
    said = run("store", "update", store, tmp_path / "theirs.parquet", code=2)
    assert "Nobody knows under which counting rules" in said
    run("store", "update", store, tmp_path / "theirs.parquet", "--policy", "hubspot-article")
    assert TallyStore(store).read().height == 32


def test_show_says_what_is_there_and_what_is_not(tmp_path):
    store = TallyStore(tmp_path / "store")
    for text in ("2026-01", "2026-03-02..2026-03-10"):
        update(store, tallied(cells(Days.parse(text))))
    said = " ".join(run("store", "show", store.folder).split())
    for words in (
        "2026-01 2026-01-01 2026-01-31 31 279",
        "40 cells, 360 ended enrollments",
        "Never covered: 2026-02-01..2026-03-01",
        "Time zone Europe/Stockholm",
        "date_basis = ended_on",
    ):
        assert words in said
    shown = json.loads(run("store", "show", store.folder, "--format", "json"))
    assert shown["store"][0]["rules"]["date_basis"] == "ended_on"
    assert [m["rows"] for m in shown["months"]] == [31, 9]
    run("store", "show", store.folder, "-o", tmp_path / "months.parquet")
    assert pl.read_parquet(tmp_path / "months.parquet")["rows"].sum() == 40
    assert "There is no tally store here" in run("store", "show", tmp_path / "none", code=2)


def test_verify_says_which_file_is_broken_and_an_update_mends_it(tmp_path):
    store, data = tmp_path / "store", export(tmp_path, ALL)
    run("store", "update", store, data)
    assert "3 months, 0 of them broken" in run("store", "verify", store)
    (april,) = (store / "months").glob("2026-04*")
    april.write_bytes(april.read_bytes()[:-1] + b"x")
    said = run("store", "verify", store, code=1)
    assert "3 months, 1 of them broken" in said
    assert str(april) in said
    assert "Update the store again from the data" in said
    assert "partition was changed" in run("score", store, code=2)
    assert "partition was changed" in run("store", "update", store, data, code=2)
    run("store", "update", store, data, "--days", "2026-03..2026-05")
    assert "0 of them broken" in run("store", "verify", store)
    assert_frame_equal(TallyStore(store).read(), tally(ALL))


def test_what_is_updated_is_what_is_read_back_elsewhere(tmp_path):
    store = TallyStore(tmp_path / "store")
    with pytest.raises(StoreError, match="no tally store"):
        store.tallied()
    one = tally_rows(("7", "1", FIRST, 9, 1, 1))
    update(store, tallied(one))
    write_tallies(tmp_path / "t.parquet", store.tallied())
    assert_frame_equal(read_tallies(tmp_path / "t.parquet").tallies, one)
