"""Whatever goes wrong: the mails that are pulled are those of the server, each once, the newest."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hubspot_portal import DAY, START, Account, Portal, error, limited, serving

FAULTS = (
    limited("SECONDLY"),
    limited("TEN_SECONDLY_ROLLING", Retry_After="3"),
    error(500, "INTERNAL", "no"),
    (502, b"<html>", {}),
    "drop",
    "truncate",
    (200, b'{"total":', {}),
)


class KilledError(BaseException):
    """The process ends here: nothing may catch it."""


@contextmanager
def dying(at: int | None) -> Iterator[None]:
    """The process dies before its so-manyth change of the disk."""
    left = [at]

    def before(change: Any) -> Any:
        def changed(*args: Any, **options: Any) -> Any:
            if left[0] is not None:
                left[0] -= 1
                if left[0] < 0:
                    raise KilledError
            return change(*args, **options)

        return changed

    with (
        mock.patch.object(os, "fsync", before(os.fsync)),
        mock.patch.object(Path, "replace", before(Path.replace)),
        mock.patch.object(Path, "unlink", before(Path.unlink)),
    ):
        yield


@dataclass(frozen=True)
class Trouble:
    """What happens to an account and its pulls."""

    mails: tuple[tuple[int, int], ...]
    most: int
    page: int
    faults: dict[int, Any]
    changes: tuple[tuple[int, str, int], ...]
    kills: tuple[int, ...]
    full: tuple[bool, ...]


_DAYS = st.sampled_from([0, 0, 1, 29, 30, 75])
_TIMES = st.one_of(st.just(500), st.integers(0, 3), st.integers(0, 80 * DAY))


@st.composite
def troubles(draw: st.DrawFn) -> Trouble:
    most = draw(st.integers(2, 9))
    return Trouble(
        mails=tuple(draw(st.lists(st.tuples(_TIMES, _DAYS), max_size=24))),
        most=most,
        page=draw(st.integers(1, most)),
        faults=draw(st.dictionaries(st.integers(0, 60), st.sampled_from(FAULTS), max_size=6)),
        changes=tuple(
            draw(
                st.lists(
                    st.tuples(
                        st.integers(2, 50),
                        st.sampled_from(["modify", "late", "delete", "make"]),
                        st.integers(1, 24),
                    ),
                    max_size=8,
                )
            )
        ),
        kills=tuple(draw(st.lists(st.integers(0, 40), max_size=3))),
        full=tuple(draw(st.lists(st.booleans(), min_size=3, max_size=3))),
    )


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serving(Portal()) as server:
        yield server


def build(server: Any, folder: Path, trouble: Trouble) -> Account:
    account = Account(server, folder, Portal(most=trouble.most))
    portal = account.portal
    for number, (modified, day) in enumerate(trouble.mails, 1):
        portal.put(str(number), START + modified, created=START + day * DAY, hs_email_status="SENT")

    def change(kind: str, number: int) -> None:
        now = int(account.clock.time * 1000)
        name = str(number + 100 if kind == "make" else number)
        if kind == "delete":
            portal.delete(name)
        elif kind == "make" or name in portal.mails:
            portal.put(name, now, lag=7 * (kind == "late"), hs_email_status="BOUNCED")

    for at, kind, number in trouble.changes:
        portal.changes.setdefault(at, []).append(lambda k=kind, n=number: change(k, n))
    portal.faults = dict(trouble.faults)
    return account


def same_files(one: Path, other: Path) -> bool:
    a, b = ({f.name: f.read_bytes() for f in p.glob("emails/*.parquet")} for p in (one, other))
    return a == b


@settings(max_examples=12)
@given(trouble=troubles())
def test_all_mails_come_once_as_they_are_now(server: Any, trouble: Trouble) -> None:
    with tempfile.TemporaryDirectory() as base:
        account = build(server, Path(base) / "crm", trouble)
        how = {"page": trouble.page, "window": trouble.most, "attempts": 12}
        pulls = [*trouble.kills, None][:3]
        for kill, full in zip(pulls, trouble.full, strict=False):
            try:
                with dying(kill):
                    account.pull(full=full, **how)
            except KilledError:
                pass
            account.pulled()  # whole files, no mail twice
            account.clock.time += 60
        account.portal.changes.clear()
        account.portal.faults.clear()
        account.portal.unseen.clear()
        account.pull(overlap=dt.timedelta(days=200), **how)
        theirs, ours = account.theirs(), account.pulled()
        assert {i: ours.get(i) for i in theirs} == theirs
        account.pull(full=True, **how)
        assert account.pulled() == theirs
        assert account.portal.broken == []
        assert not list((account.folder / ".pull").glob("*/*.parquet"))
        other = Account(server, Path(base) / "other", account.portal)
        other.clock = account.clock
        account.portal.now = account.clock.now
        other.pull(page=trouble.most, window=trouble.most)
        assert same_files(account.folder, other.folder)
        shutil.rmtree(other.folder)


def test_after_a_kill_at_any_change_of_the_disk_the_files_become_the_same(
    server: Any, tmp_path: Path
) -> None:
    mails = tuple((i * DAY // 5, (i * 7) % 65) for i in range(20))
    trouble = Trouble(mails, 6, 3, {}, (), (), ())
    whole = build(server, tmp_path / "whole", trouble)
    whole.pull(page=3, window=6)
    died = 0
    for kill in range(0, 96, 6):
        account = build(server, tmp_path / f"{kill}", trouble)
        full = kill % 4 == 0
        if full:
            shutil.copytree(whole.folder, account.folder)
        with dying(kill):
            try:
                account.pull(page=3, window=6, full=full)
            except KilledError:
                died += 1
        account.pull(page=3, window=6)
        assert same_files(account.folder, whole.folder), kill
    assert died > 8
