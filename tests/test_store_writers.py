"""Writers queue or begin again, readers see whole states, and a kill leaves one of two."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from senderscore_nb import safe
from senderscore_nb.errors import StoreError
from senderscore_nb.store import Days, TallyStore, disk, writing
from senderscore_nb.store.manifest import generation_of, made_for, partition_name
from tests.conftest import ROOT
from tests.stores import cells, tallied

MONTH = Days.parse("2026-03")


def put(store: TallyStore, name: str, replied: int = 1) -> None:
    days = Days.parse(name)
    store.replace(tallied(cells(days, replied=replied)), days=days)


@pytest.fixture(params=[True, False], ids=["lock", "no lock"])
def store(request, tmp_path, monkeypatch) -> TallyStore:
    if not request.param:
        monkeypatch.setattr(writing.Writer, "_alone", lambda *_: nullcontext())
    return TallyStore(tmp_path / "store")


def test_two_writers_lose_nothing_and_readers_see_whole_states(store):
    store.replace(tallied(cells(MONTH)), days=MONTH)
    problems: list[BaseException] = []
    done = threading.Event()

    def write(first: int) -> None:
        try:
            for number in range(first, 25, 2):
                put(TallyStore(store.folder), f"2026-03-{number:02}", replied=3)
        except BaseException as error:
            problems.append(error)

    def read() -> None:
        try:
            seen = 0
            while not done.is_set():
                got = TallyStore(store.folder).read()
                assert got.height == 31
                changed = got.filter(replied=3).height
                assert changed >= seen
                seen = changed
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in (1, 2)]
    reader = threading.Thread(target=read)
    for thread in (*threads, reader):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    reader.join()
    assert problems == []
    got = store.read()
    assert got.filter(replied=3)["day"].dt.day().to_list() == list(range(1, 25))
    assert got.filter(replied=1)["day"].dt.day().to_list() == list(range(25, 32))
    assert store.verify()["problem"].to_list() == [""]
    assert_tidy(store.folder)


def assert_tidy(folder: Path) -> None:
    """No more than two states and what they name is left."""
    names = [p.name for p in folder.iterdir()]
    states = sorted(g for n in names if (g := generation_of(n)) is not None)
    assert len(states) <= 2
    assert not [n for n in names if made_for(n) is not None]
    named = {p.file for g in states for p in state_of(folder, g).months.values()}
    assert {p.name for p in (folder / "months").iterdir()} == named


def state_of(folder: Path, generation: int):
    from senderscore_nb.store.manifest import Manifest, manifest_name

    path = folder / manifest_name(generation)
    return Manifest.parse(path.read_bytes(), generation, where=path)


@pytest.mark.parametrize("overtaken_by", [1, 2, 3, 4])
def test_a_writer_that_is_overtaken_begins_again(tmp_path, monkeypatch, overtaken_by):
    """Also when its own state's name has become free again because others cleaned up."""
    monkeypatch.setattr(writing.Writer, "_alone", lambda *_: nullcontext())
    store = TallyStore(tmp_path / "store")
    put(store, "2026-03")
    others = iter(range(overtaken_by))
    real = safe.write_new

    def slow(path: Path, content: bytes) -> None:
        if path.suffix == ".tmp" and next(others, None) == 0:
            for other in range(overtaken_by):
                put(TallyStore(store.folder), f"2026-03-{10 + other}", replied=5)
            monkeypatch.setattr(writing, "write_new", real)
        real(path, content)

    monkeypatch.setattr(writing, "write_new", slow)
    put(store, "2026-03-02", replied=7)
    got = store.read()
    assert got.filter(replied=7)["day"].dt.day().to_list() == [2]
    assert got.filter(replied=5)["day"].dt.day().to_list() == [10 + n for n in range(overtaken_by)]
    assert got.height == 31
    assert store.state().generation == overtaken_by + 2
    assert store.verify()["problem"].to_list() == [""]


def test_where_there_are_no_hard_links_a_state_that_stands_is_not_replaced(tmp_path, monkeypatch):
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    store = TallyStore(tmp_path / "store")
    put(store, "2026-03")
    put(store, "2026-04")
    assert store.read().height == 61
    (begun := tmp_path / "begun").write_text("new")
    with pytest.raises(FileExistsError):
        disk.appear(begun, store.folder / "tally-store.0000000002.json")


def test_a_reader_of_a_state_that_was_cleaned_away_reads_again(tmp_path):
    store = TallyStore(tmp_path / "store")
    put(store, "2026-03")
    stale = store.state()
    seen = []

    class Late(TallyStore):
        def state(self):
            found = super().state() if seen else stale
            seen.append(found.generation)
            return found

    for replied in (2, 3, 4):
        put(store, "2026-03", replied=replied)
    assert set(Late(store.folder).read()["replied"]) == {4}
    assert seen == [1, 4]


def test_what_the_state_before_names_is_kept_until_the_next_write(tmp_path):
    store = TallyStore(tmp_path / "store")
    put(store, "2026-03")
    lazy = store.scan()
    put(store, "2026-03", replied=2)
    assert lazy.collect().height == 31
    assert set(lazy.collect()["replied"]) == {1}
    put(store, "2026-03", replied=3)
    with pytest.raises(FileNotFoundError):
        lazy.collect()


def test_what_a_killed_writer_left_is_removed_by_the_next_and_nothing_else(tmp_path):
    store = TallyStore(tmp_path / "store")
    put(store, "2026-03")
    put(store, "2026-04")
    folder = store.folder
    for generation in (2, 3):
        (folder / "months" / partition_name("2026-03", generation, "0" * 16)).write_text("part")
        (folder / f".tally-store.{generation:010}.{'1' * 16}.tmp").write_text("begun")
    (folder / "roster.csv").write_text("user_id,team\n7,North\n")
    (folder / "months" / "notes.txt").write_text("mine")
    (folder / "months" / partition_name("2026-03", 9, "0" * 16)).write_text("of a later writer")
    put(store, "2026-05")
    left = {p.name for p in folder.rglob("*") if made_for(p.name) in (2, 3)}
    kept = {p.file for p in store.state().months.values()}
    assert left == {name for name in kept if made_for(name) in (2, 3)}
    assert {"roster.csv", "notes.txt", partition_name("2026-03", 9, "0" * 16)} <= {
        p.name for p in folder.rglob("*")
    }


def test_a_killed_first_writer_leaves_a_folder_that_becomes_a_store(tmp_path):
    folder = tmp_path / "store"
    (folder / "months").mkdir(parents=True)
    (folder / "months" / partition_name("2026-03", 1, "0" * 16)).write_text("part")
    (folder / ".lock").touch()
    with pytest.raises(StoreError, match="no tally store"):
        TallyStore(folder).read()
    put(TallyStore(folder), "2026-03")
    assert_tidy(folder)


def test_a_writer_does_not_wait_for_ever(tmp_path):
    from filelock import FileLock

    store = TallyStore(tmp_path / "store")
    put(store, "2026-03")
    with FileLock(store.folder / ".lock"), pytest.raises(StoreError, match=r"for 0.05 seconds"):
        store.replace(tallied(cells(MONTH, replied=3)), days=MONTH, wait_seconds=0.05)
    assert_frame_equal(store.read(), cells(MONTH))


def test_killed_at_any_moment_it_is_the_old_state_or_the_new(tmp_path):
    command = [sys.executable, "-m", "tests.store_trials", str(tmp_path / "store"), "18", "7"]
    got = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seen = json.loads(got.stdout)
    assert seen["broken"] == []
    assert seen["writes"] > 3
    assert seen["most"] < 16
    assert len(seen["left"]) == 7  # the lock, two states, and two months of each
