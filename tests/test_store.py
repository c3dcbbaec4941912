"""A store after any replacements is the days' newest cells, whole, in as few files as need be."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import json
import os
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from senderscore_nb.contract import KEYS, MEASURES
from senderscore_nb.errors import ContractError, SelectionError, StoreError
from senderscore_nb.policy import CountingRules
from senderscore_nb.store import Days, TallyStore, is_store, read_tallies, writing
from senderscore_nb.store.days import gaps
from senderscore_nb.store.manifest import manifest_name
from tests.conftest import tally_rows
from tests.stores import RULES, ZONE, cells, tallied

FIRST = dt.date(2026, 1, 20)
EMPTY = tally_rows()


def day(n: int) -> dt.date:
    return FIRST + dt.timedelta(days=n)


def files(folder: Path) -> dict[str, int]:
    return {p.name: p.stat().st_size for p in (folder / "months").iterdir()}


drawn_cells = st.dictionaries(
    st.tuples(st.sampled_from(["7", "8"]), st.sampled_from(["1", "2"]), st.integers(0, 79)),
    st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 3))),
    max_size=12,
)
replacements = st.lists(st.tuples(st.integers(0, 79), st.integers(0, 40), drawn_cells), max_size=6)


def frame_of(drawn: dict) -> pl.DataFrame:
    return tally_rows(
        *((u, s, day(n), 9 + e, r, min(e, 3)) for (u, s, n), (e, r) in drawn.items())
    ).sort(KEYS)


@settings(max_examples=20)
@given(replacements, st.integers(0, 79), st.integers(0, 40))
def test_a_store_is_its_days_newest_cells(tmp_path_factory, done, start, length):
    store, known = TallyStore(tmp_path_factory.mktemp("s") / "store"), {}
    for first, more, drawn in done:
        days = Days(day(first), day(first + more))
        mine = {key: v for key, v in drawn.items() if first <= key[2] <= first + more}
        before = files(store.folder) if known or is_store(store.folder) else {}
        change = store.replace(tallied(frame_of(mine)), days=days)
        known = {key: v for key, v in known.items() if not first <= key[2] <= first + more} | mine
        new = {n: size for n, size in files(store.folder).items() if n not in before}
        assert {name[:7] for name in new} == set(change.written)
        assert sum(new.values()) == change.size
        for month in change.written:  # no other month is touched
            assert days.touches(*month_ends(month))
    if not done:
        return
    everything = frame_of(known)
    assert_frame_equal(store.read(), everything)
    assert_frame_equal(store.scan().sort(KEYS).collect(), everything)
    ends = day(start), day(start + length)
    part = everything.filter(pl.col("day").is_between(*ends))
    assert_frame_equal(store.read(*ends), part)
    assert_frame_equal(store.scan(*ends).sort(KEYS).collect(), part)
    assert store.months()["rows"].sum() == everything.height
    assert store.verify()["problem"].to_list() == [""] * store.months().height


def month_ends(month: str) -> tuple[dt.date, dt.date]:
    whole = Days.parse(month)
    return whole.first, whole.last


def test_adding_a_day_writes_that_days_month_alone(tmp_path):
    store = TallyStore(tmp_path / "store")
    history = cells(Days.parse("2024-01..2026-10"), users=6)
    store.replace(tallied(history), days=Days.parse("2024-01..2026-10"))
    before = files(store.folder)
    assert len(before) == 34
    one = Days.parse("2026-11-02")
    change = store.replace(tallied(cells(one, users=6)), days=one)
    after = files(store.folder)
    new = {name: size for name, size in after.items() if name not in before}
    assert [name[:7] for name in new] == ["2026-11"] == list(change.written)
    assert sum(new.values()) == change.size < sum(before.values()) / 34
    late = Days.parse("2026-10-31")
    change = store.replace(tallied(cells(late, users=6, replied=2)), days=late)
    assert change.written == ("2026-10",)
    expected = pl.concat(
        [
            history.filter(pl.col("day") < late.first),
            cells(late, users=6, replied=2),
            cells(one, users=6),
        ]
    ).sort(KEYS)
    assert_frame_equal(store.read(), expected)


def test_the_same_again_writes_nothing(tmp_path):
    store, days = TallyStore(tmp_path), Days.parse("2026-01..2026-03")
    store.replace(tallied(cells(days)), days=days)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.*") if p.name != ".lock"}
    change = store.replace(tallied(cells(days)), days=days)
    assert (change.generation, change.written, change.size) == (1, (), 0)
    assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.*") if p.name != ".lock"}


def test_a_replaced_day_without_cells_is_empty_and_so_is_a_month(tmp_path):
    store, days = TallyStore(tmp_path), Days.parse("2026-01..2026-02")
    store.replace(tallied(cells(days)), days=days)
    change = store.replace(tallied(EMPTY), days=Days.parse("2026-01-05"))
    assert change.written == ("2026-01",)
    assert dt.date(2026, 1, 5) not in store.read()["day"].to_list()
    change = store.replace(tallied(EMPTY), days=Days.parse("2026-01"))
    assert (change.written, change.removed) == ((), ("2026-01",))
    assert store.months()["month"].to_list() == ["2026-02"]
    assert_frame_equal(store.read(dt.date(2026, 1, 1), dt.date(2026, 1, 31)), EMPTY)
    assert_frame_equal(store.scan(end=dt.date(2026, 1, 31)).collect(), EMPTY)


def test_months_that_the_days_leave_out_are_not_opened(tmp_path):
    store, days = TallyStore(tmp_path), Days.parse("2026-01..2026-03")
    store.replace(tallied(cells(days)), days=days)
    for path in (tmp_path / "months").glob("2026-0[12]*"):
        path.write_bytes(b"broken")
    march = cells(Days.parse("2026-03"))
    assert_frame_equal(store.read(dt.date(2026, 3, 1)), march)
    assert_frame_equal(store.scan(dt.date(2026, 3, 1)).sort(KEYS).collect(), march)


def test_names_and_the_newest_day_of_newer_data_win(tmp_path):
    store, days = TallyStore(tmp_path), Days.parse("2026-03-02")
    one = cells(days)
    for through, name in ((5, "New"), (3, "Old"), (6, None)):
        names = pl.DataFrame({"user_id": ["7", "99"], "user_name": [name, f"Z{through}"]})
        store.replace(tallied(one, through=dt.date(2026, 4, through), users=names), days=days)
    got = store.tallied()
    assert got.users.rows() == [("7", "New"), ("99", "Z6")]
    assert (got.through, got.rules, got.timezone) == (dt.date(2026, 4, 6), RULES, ZONE)


def test_it_remembers_which_days_it_was_told_of(tmp_path):
    store = TallyStore(tmp_path)
    for text in ("2026-01", "2026-03", "2026-02-01..2026-02-10"):
        store.replace(tallied(EMPTY), days=Days.parse(text))
    covered = [Days(*ends) for ends in store.state().covered]
    assert [str(d) for d in covered] == ["2026-01-01..2026-02-10", "2026-03-01..2026-03-31"]
    assert [str(d) for d in gaps(covered)] == ["2026-02-11..2026-02-28"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rules": CountingRules(date_basis="enrolled_on")}, "date_basis = ended_on.*enrolled_on"),
        ({"rules": CountingRules(blocked_count_as_bounced=True)}, "= false.*true"),
        ({"timezone": "Asia/Tokyo"}, "Europe/Stockholm.*Asia/Tokyo"),
        ({"timezone": ""}, "none stated"),
        ({"rules": None}, "Nobody knows under which counting rules"),
    ],
)
def test_what_was_counted_otherwise_is_refused(tmp_path, change, said):
    store, days = TallyStore(tmp_path), Days.parse("2026-03")
    store.replace(tallied(cells(days)), days=days)
    with pytest.raises(StoreError, match=said):
        store.replace(tallied(cells(days, replied=3), **change), days=days)
    assert_frame_equal(store.read(), cells(days))
    assert store.state().generation == 1


def test_another_denominator_counts_alike(tmp_path):
    store, days = TallyStore(tmp_path), Days.parse("2026-03")
    store.replace(tallied(cells(days)), days=days)
    rules = CountingRules(reply_denominator="ended")
    store.replace(tallied(cells(days, replied=3), rules=rules), days=days)
    assert_frame_equal(store.read(), cells(days, replied=3))


def test_cells_of_other_days_and_broken_rows_are_refused(tmp_path):
    store, days = TallyStore(tmp_path / "s"), Days.parse("2026-03-02")
    with pytest.raises(StoreError, match="not one of the days 2026-03-02"):
        store.replace(tallied(cells(Days.parse("2026-03"))), days=days)
    with pytest.raises(ContractError, match="is negative"):
        store.replace(tallied(cells(days).with_columns(ended=pl.lit(-1))), days=days)
    with pytest.raises(SelectionError, match="end before they begin"):
        Days(days.first, dt.date(2026, 1, 1))
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("steps", range(1, 5))
@pytest.mark.parametrize("new", [True, False])
def test_a_full_disk_leaves_the_old_state(tmp_path, monkeypatch, steps, new):
    from senderscore_nb.store import partitions

    store, days = TallyStore(tmp_path / "store"), Days.parse("2026-01..2026-03")
    if not new:
        store.replace(tallied(cells(days)), days=days)
    before = (store.read(), files(store.folder)) if not new else None
    left = [steps]
    real = partitions.write_new

    def full(path: Path, content: bytes) -> None:
        left[0] -= 1
        if left[0]:
            real(path, content)
            return
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(partitions, "write_new", full)
    monkeypatch.setattr(writing, "write_new", full)
    with pytest.raises(StoreError, match=r"No space left on device\); it is as it was"):
        store.replace(tallied(cells(days, replied=4)), days=days)
    monkeypatch.undo()
    if before:
        assert_frame_equal(store.read(), before[0])
        assert files(store.folder) == before[1]
    else:
        assert not is_store(store.folder)
        assert files(store.folder) == {}
    store.replace(tallied(cells(days, replied=4)), days=days)
    assert_frame_equal(store.read(), cells(days, replied=4))


def test_a_state_that_stands_stays_whole_whatever_fails_after_it(tmp_path, monkeypatch):
    store, days = TallyStore(tmp_path), Days.parse("2026-01")
    store.replace(tallied(cells(days)), days=days)
    calls = []

    def failing(folder: Path) -> None:
        calls.append(folder)
        if len(calls) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(writing, "sync_folder", failing)
    with pytest.raises(StoreError):
        store.replace(tallied(cells(days, replied=3)), days=days)
    assert_frame_equal(store.read(), cells(days, replied=3))


def test_a_folder_that_cannot_be_written_can_be_read(tmp_path, monkeypatch):
    store, days = TallyStore(tmp_path / "store"), Days.parse("2026-01")
    store.replace(tallied(cells(days)), days=days)
    monkeypatch.setattr(
        "filelock.FileLock.acquire",
        lambda *_, **__: (_ for _ in ()).throw(PermissionError(errno.EACCES, "Permission denied")),
    )
    with pytest.raises(StoreError, match=r"Permission denied.*make the folder writable"):
        store.replace(tallied(EMPTY), days=days)
    assert_frame_equal(store.read(), cells(days))


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    store = TallyStore(tmp_path)
    with pytest.raises(StoreError, match=r"holds 'letter.txt' and is no tally store"):
        store.replace(tallied(EMPTY), days=Days.parse("2026-01"))
    with pytest.raises(StoreError, match="There is no tally store here"):
        store.read()
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]
    with pytest.raises(StoreError, match="This is a file"):
        TallyStore(tmp_path / "letter.txt").replace(tallied(EMPTY), days=Days.parse("2026-01"))


def rewrite(folder: Path, change) -> None:
    """The manifest with its state changed, and a checksum that fits."""
    path = folder / manifest_name(1)
    whole = json.loads(path.read_text())
    change(whole)
    text = json.dumps(whole["state"], sort_keys=True, separators=(",", ":"))
    whole["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(whole))


HOSTILE = ["../../outside.parquet", "/etc/passwd", "2026-01.parquet", "2026-01/../x", "",
           "2026-02.0000000001.0123456789abcdef.parquet"]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_manifest_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    store, days = TallyStore(tmp_path / "store"), Days.parse("2026-01")
    store.replace(tallied(cells(days)), days=days)
    cells(days).write_parquet(tmp_path / "outside.parquet")
    rewrite(store.folder, lambda w: w["state"]["months"]["2026-01"].update(file=name))
    for call in (store.read, store.scan, store.months, store.verify,
                 lambda: store.replace(tallied(EMPTY), days=days)):  # fmt: skip
        with pytest.raises(StoreError, match="is no file of the month 2026-01"):
            call()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be used"),
        (b"{}", "no manifest of a tally store"),
        (b"\xff\xfe", "cannot be used"),
        (b"[" * 100_000, "cannot be used"),
    ],
)
def test_a_damaged_manifest_is_said_and_an_older_one_can_be_gone_back_to(tmp_path, content, said):
    store, days = TallyStore(tmp_path), Days.parse("2026-01")
    store.replace(tallied(cells(days)), days=days)
    store.replace(tallied(cells(days, replied=3)), days=days)
    newest = tmp_path / manifest_name(2)
    newest.write_bytes(content)
    with pytest.raises(StoreError, match=f"{said}.*goes back to it"):
        store.read()
    newest.unlink()
    assert_frame_equal(store.read(), cells(days))


def test_a_manifest_with_one_digit_changed_is_refused(tmp_path):
    store, days = TallyStore(tmp_path), Days.parse("2026-01")
    store.replace(tallied(cells(days)), days=days)
    path = tmp_path / manifest_name(1)
    path.write_text(re.sub(r'"ended": \d+', '"ended": 1', path.read_text()))
    with pytest.raises(StoreError, match="checksum differs"):
        store.months()


def test_a_newer_version_is_refused(tmp_path):
    store, days = TallyStore(tmp_path), Days.parse("2026-01")
    store.replace(tallied(cells(days)), days=days)
    rewrite(tmp_path, lambda w: w.update(version=2))
    assert is_store(tmp_path)
    with pytest.raises(StoreError, match="version 2; this package reads up to 1"):
        store.read()


def test_verify_names_the_broken_file_and_reading_refuses_it(tmp_path):
    store, days = TallyStore(tmp_path), Days.parse("2026-01..2026-04")
    store.replace(tallied(cells(days)), days=days)
    paths = {p.name[:7]: p for p in (tmp_path / "months").iterdir()}
    paths["2026-01"].unlink()
    content = bytearray(paths["2026-02"].read_bytes())
    content[100] ^= 1
    paths["2026-02"].write_bytes(content)
    aside = tmp_path / "aside"
    paths["2026-03"].rename(aside)
    paths["2026-03"].symlink_to(aside)
    found = dict(store.verify().select("month", "problem").iter_rows())
    assert found["2026-01"] == "the file is missing"
    assert "changed" in found["2026-02"]
    assert "cannot be read" in found["2026-03"]
    assert found["2026-04"] == ""
    for month, said in (("2026-01", "missing"), ("2026-02", "changed"), ("2026-03", "cannot")):
        with pytest.raises(StoreError, match=said) as caught:
            store.read(*month_ends(month))
        assert "Update the store again from the data" in str(caught.value)
        with pytest.raises(StoreError, match=said):  # nothing is kept of what nobody can read
            store.replace(tallied(EMPTY), days=Days.parse(f"{month}-05"))
    store.replace(tallied(cells(days)), days=days)
    assert_frame_equal(store.read(), cells(days))


def test_a_partition_is_a_tally_file_of_its_own(tmp_path):
    store, days = TallyStore(tmp_path), Days.parse("2026-01")
    store.replace(tallied(cells(days)), days=days)
    (path,) = (tmp_path / "months").iterdir()
    got = read_tallies(path)
    assert (got.rules, got.timezone) == (RULES, ZONE)
    assert_frame_equal(got.tallies, cells(days))
    assert got.tallies.columns == [*KEYS, *MEASURES]


def test_a_linked_months_folder_is_not_written_through(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "months").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="months is a link"):
        TallyStore(tmp_path / "store").replace(tallied(EMPTY), days=Days.parse("2026-01"))
