"""The ledger: whole lines or none, whatever stops a writer, and everything read back."""

from __future__ import annotations

import errno
import json
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senderscore_nb.errors import RunError
from senderscore_nb.schedule.ledger import Ledger
from senderscore_nb.schedule.lock import BusyError, held

values = st.dictionaries(
    st.from_regex(r"[a-z]{1,6}", fullmatch=True).filter(lambda k: k not in ("event", "at")),
    st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.lists(st.text())),
    max_size=4,
)


@given(st.lists(values, max_size=6))
def test_what_is_added_is_read_back(tmp_path_factory, rows):
    ledger = Ledger(tmp_path_factory.mktemp("ledger"))
    added = [ledger.add("data", **row) for row in rows]
    read = list(ledger.records())
    assert [r.values for r in read] == rows == [r.values for r in added]
    assert [r.event for r in read] == ["data"] * len(rows)


def test_a_torn_line_is_passed_over_wherever_it_was_cut(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.add("data", n=1)
    whole = ledger.path.read_bytes()
    ledger.add("data", n=2, text='}{"\n\\')
    both = ledger.path.read_bytes()
    for cut in range(len(whole), len(both)):
        ledger.path.write_bytes(both[:cut])
        kept = [r["n"] for r in ledger.records()]
        assert kept == ([1] if cut < len(both) - 1 else [1, 2])
        ledger.add("data", n=3)
        assert [r["n"] for r in ledger.records()] == [*kept, 3]


@pytest.mark.parametrize("junk", [b"\x00\xff", b"[]", b'"x"', b'{"event": "data"}', b"{}", b"null"])
def test_lines_that_are_no_records_are_passed_over(tmp_path, junk):
    ledger = Ledger(tmp_path)
    ledger.add("data", n=1)
    with ledger.path.open("ab") as file:
        file.write(junk + b"\n")
    ledger.add("data", n=2)
    assert [r["n"] for r in ledger.records()] == [1, 2]


def test_a_full_disk_leaves_the_ledger_as_it_was(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path)
    ledger.add("data", n=1)
    before, write = ledger.path.read_bytes(), os.write
    room = 10

    def scarce(file: int, data: bytes) -> int:
        nonlocal room
        if room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(file, data[:room])
        room -= written
        return written

    monkeypatch.setattr(os, "write", scarce)
    with pytest.raises(RunError, match=r"No space left.*Make room"):
        ledger.add("data", n=2)
    assert ledger.path.read_bytes() == before
    monkeypatch.undo()
    ledger.add("data", n=3)
    assert [r["n"] for r in ledger.records()] == [1, 3]


def test_writers_of_one_run_do_not_mix_their_lines(tmp_path):
    ledger = Ledger(tmp_path)

    def add(who: int) -> None:
        for i in range(40):
            ledger.add("data", who=who, i=i, filler="x" * 5000)

    threads = [threading.Thread(target=add, args=(who,)) for who in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = ledger.path.read_bytes().splitlines()
    assert len([json.loads(line) for line in lines]) == 200
    for who in range(5):
        assert [r["i"] for r in ledger.records() if r["who"] == who] == list(range(40))


def test_no_ledger_has_no_records_and_a_folder_in_its_place_is_an_error(tmp_path):
    ledger = Ledger(tmp_path)
    assert list(ledger.records()) == []
    ledger.path.mkdir(parents=True)
    with pytest.raises(RunError, match="cannot be read"):
        list(ledger.records())
    with pytest.raises(RunError, match="cannot be written"):
        ledger.add("data")


def test_one_run_at_a_time(tmp_path):
    with held(tmp_path), pytest.raises(BusyError, match="Another run is at work"), held(tmp_path):
        pass
    with held(tmp_path):
        pass
    assert (tmp_path / ".senderscore" / "lock").exists()  # who waits for it waits for this file


def test_a_file_in_the_folders_place_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"), held(tmp_path / "file"):
        pass
