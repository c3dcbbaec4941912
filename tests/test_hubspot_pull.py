"""Pulling from HubSpot's API: what comes, where it lies, what the next pull adds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from senderscore_nb.errors import PullError
from senderscore_nb.sources.hubspot import describe_pull
from senderscore_nb.sources.hubspot.mails import COLUMNS
from senderscore_nb.sources.hubspot.store import newest
from tests.hubspot_portal import DAY, SCOPES, START, Account, Portal, iso, serving, some_mails


class Interrupting:
    """Somebody presses Ctrl-C when two windows of two pages and one page have come."""

    come = 0

    def say(self, line: str) -> None: ...

    def expect(self, mails: int) -> None: ...

    def advance(self, mails: int) -> None:
        self.come += 1
        if self.come == 5:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serving(Portal()) as server:
        yield server


@pytest.fixture
def account(server: Any, tmp_path: Path) -> Iterator[Account]:
    account = Account(server, tmp_path / "crm")
    yield account
    assert account.portal.broken == []


def test_every_mail_comes_once_in_the_month_it_was_made_in(account: Account) -> None:
    some_mails(account.portal, 250)
    pulled = account.pull()
    assert account.pulled() == account.theirs()
    assert pulled.months == ("2026-03", "2026-04", "2026-05")
    assert (pulled.mails, pulled.total) == (250, 250)
    for file in (account.folder / "emails").iterdir():
        mails = pl.read_parquet(file)
        assert mails.columns == list(COLUMNS)
        assert set(mails.dtypes) == {pl.String}
        assert mails["hs_timestamp"].str.starts_with(file.stem).all()


def test_a_second_pull_brings_what_was_modified_and_leaves_other_months_alone(
    account: Account,
) -> None:
    some_mails(account.portal, 250)
    account.pull()
    files = {f.name: f.stat().st_mtime_ns for f in (account.folder / "emails").iterdir()}
    account.clock.time += 86_400
    now = int(account.clock.time * 1000) - 5_000
    account.portal.put("3", now, hs_email_status="BOUNCED", hs_timestamp=iso(now))
    account.portal.asked.clear()
    pulled = account.pull()
    assert account.pulled() == account.theirs()
    assert pulled.months == ("2026-03",)  # also though its own time is another month's by now
    assert pulled.mails == 1
    assert len(account.portal.searches()) == 1
    after = {f.name: f.stat().st_mtime_ns for f in (account.folder / "emails").iterdir()}
    assert {name for name in files if files[name] != after[name]} == {"2026-03.parquet"}
    assert account.pull().months == ()


def test_windows_hold_no_more_than_a_query_finds_and_nothing_is_paged_by_place(
    account: Account,
) -> None:
    account.portal.most = 40
    some_mails(account.portal, 300, step=DAY // 8)
    some_mails(account.portal, 100, step=1, first=1000)
    account.pull(window=40, page=10)
    assert account.pulled() == account.theirs()
    paged = [body for body in account.portal.searches() if body["limit"] > 1]
    assert {body["after"] for body in paged} == {"0"}
    assert len(account.portal.searches()) < 70  # 40 pages are full


def test_more_mails_of_one_millisecond_than_a_query_finds(account: Account) -> None:
    account.portal.most = 20
    for i in range(95):
        account.portal.put(str(i + 100), START + 7, created=START)
        account.portal.put(str(i + (1000 if i % 2 else 1)), START + 8 + i, created=START)
    account.pull(window=20, page=6)
    assert account.pulled() == account.theirs()


def test_a_window_that_fills_up_while_it_is_read_is_read_to_its_end(account: Account) -> None:
    account.portal.most = 10
    some_mails(account.portal, 9)

    def shown_late() -> None:
        for i in range(50, 60):
            account.portal.put(str(i), START + i * 1_000)

    account.portal.changes[4] = [shown_late]
    account.pull(page=3, window=10)
    assert account.pulled() == account.theirs()
    assert len(account.portal.searches()) < 10


def test_mails_that_are_modified_while_one_pages_hide_no_others(account: Account) -> None:
    some_mails(account.portal, 60)
    later = int(account.clock.time * 1000) + 60_000
    for i in range(4, 20):
        account.portal.changes[i] = [
            lambda i=i: account.portal.put(str(3 * i), later + i),
            lambda i=i: account.portal.delete(str(3 * i + 1)),
        ]
    account.pull(page=5)
    assert set(account.pulled()) >= {i for i, at in account.theirs().items() if at < iso(later)}
    account.clock.time += 120
    account.pull(page=5)
    theirs, ours = account.theirs(), account.pulled()
    assert {i: ours[i] for i in theirs} == theirs


def test_what_the_index_shows_late_is_found_by_the_overlap(account: Account) -> None:
    some_mails(account.portal, 10)
    now = int(account.clock.time * 1000)
    account.portal.put("99", now - 30_000, lag=20, hs_email_status="SENT")
    account.portal.put("3", now - 20_000, lag=20, hs_email_status="BOUNCED")
    account.pull()
    assert account.pulled() != account.theirs()
    account.portal.asked += [("GET", "/", None)] * 30
    account.clock.time += 600
    assert account.pull(overlap=dt.timedelta(seconds=1)).mails == 0
    account.pull(overlap=dt.timedelta(hours=1))
    assert account.pulled() == account.theirs()


@pytest.mark.parametrize("ahead", [-90_000, 90_000])
def test_a_wrong_clock_on_this_side_loses_nothing(account: Account, ahead: int) -> None:
    clock = account.clock
    account.portal.now = lambda: clock.time - ahead
    some_mails(account.portal, 10)
    for number in (1, 2):
        account.portal.put(str(number), int(account.portal.now() * 1000) - 2_000)
        pulled = account.pull()
        assert account.pulled() == account.theirs()
        assert abs(pulled.through.timestamp() - account.portal.now()) < 60
        clock.time += 60


def test_full_forgets_what_was_deleted_and_since_begins_later(account: Account) -> None:
    some_mails(account.portal, 250)
    account.pull()
    for i in range(1, 130):
        account.portal.delete(str(i))
    account.pull()
    assert len(account.pulled()) == 250
    pulled = account.pull(full=True)
    assert account.pulled() == account.theirs()
    assert sorted(f.name for f in (account.folder / "emails").iterdir()) == [
        "2026-04.parquet",
        "2026-05.parquet",
    ]
    assert pulled.total == 121
    day = dt.datetime(2026, 4, 15, tzinfo=dt.UTC)
    account.pull(full=True, since=day)
    assert min(account.pulled().values()) >= "2026-04-15"


@pytest.mark.parametrize("full", [False, True])
def test_what_is_modified_during_a_long_pull_is_there_at_its_end(
    account: Account, full: bool
) -> None:
    account.portal.most = 10
    some_mails(account.portal, 100)
    if full:
        account.pull(page=2, window=10)

    def modify() -> None:
        account.clock.time += 400 * (not full)
        account.portal.put("99", int(account.clock.time * 1000), hs_email_status="BOUNCED")

    account.portal.changes[len(account.portal.asked) + 20] = [modify]
    pulled = account.pull(page=2, window=10, full=full)
    assert account.pulled() == account.theirs()
    assert pulled.through.timestamp() > account.clock.time - 60


def test_an_earlier_since_brings_what_is_older(account: Account) -> None:
    some_mails(account.portal, 100)
    account.pull(since=dt.datetime(2026, 3, 20, tzinfo=dt.UTC))
    assert 0 < len(account.pulled()) < 100
    account.pull(since=dt.datetime(2026, 3, 25, tzinfo=dt.UTC))
    account.pull(since=dt.datetime(2026, 3, 10, tzinfo=dt.UTC))
    assert min(account.pulled().values()) < "2026-03-11"
    account.pull(since=dt.datetime(1970, 1, 1, tzinfo=dt.UTC))
    assert account.pulled() == account.theirs()
    with pytest.raises(PullError, match="future"):
        account.pull(since=dt.datetime(2030, 1, 1, tzinfo=dt.UTC))


def test_texts_are_left_out_but_for_notices(account: Account) -> None:
    texts = {"hs_email_subject": "secret", "hs_email_text": "very secret"}
    some_mails(account.portal, 3)
    incoming = {"hs_email_direction": "INCOMING_EMAIL", "hs_email_to_email": "jo@us.example"}
    account.portal.put("1", START + 1, **texts)
    account.portal.put("7", START + 2, hs_email_from_email="bo@them.example", **incoming, **texts)
    daemon = {"hs_email_from_email": "Mail <MAILER-DAEMON@gate.example>"}
    account.portal.put("8", START + 3, **daemon, **incoming, **texts)
    account.pull()
    mails = account.mails().sort("hs_object_id")
    kept = mails.filter(pl.col("hs_object_id").is_in(["1", "7", "8"]))
    assert kept["hs_email_subject"].to_list() == [None, "secret", "secret"]
    assert kept["hs_email_text"].to_list() == [None, None, "very secret"]
    assert not any("hs_email_text" in body["properties"] for body in account.portal.searches())
    assert account.pull(with_text=True).notes != ()
    account.pull(with_text=True, full=True)
    assert account.mails().sort("hs_object_id")["hs_email_text"].null_count() == 2


def test_contacts_come_from_the_mail_or_else_from_what_it_is_associated_with(
    account: Account,
) -> None:
    some_mails(account.portal, 4)
    for i in ("2", "3", "4"):
        account.portal.put(i, START + int(i), hs_email_associated_contact_id="")
    account.portal.contacts |= {"1": ["77"], "2": ["88"], "3": ["90", "91"]}
    account.pull()
    contacts = account.mails().sort("hs_object_id")["hs_email_associated_contact_id"]
    assert contacts.to_list() == ["0", "88", None, None]
    account.portal.scopes = account.portal.scopes[:3]
    (note,) = account.pull(full=True).notes
    assert "crm.objects.contacts.read" in note
    assert account.pulled() == account.theirs()


def test_owners_and_sequences(account: Account) -> None:
    for i in range(5):
        account.portal.owner(f"90{i}", i, f"u{i}@us.example")
        account.portal.sequence(str(i), f"3{i}", f"Sequence {i}")
        account.portal.sequence(str(i), "99", "Shared")
    account.portal.owner("800", None, "gone@us.example", archived=True, inactive=42)
    del account.portal.sequences["4"]
    pulled = account.pull()
    owners = pl.read_parquet(account.folder / "owners.parquet")
    assert owners["userId"].to_list() == ["42", "0", "1", "2", "3", "4"]
    sequences = pl.read_parquet(account.folder / "sequences.parquet")
    assert sequences["name"].to_list() == [*(f"Sequence {i}" for i in range(4)), "Shared"]
    (note,) = pulled.notes
    assert "not listed for 1 of the users" in note
    assert "Owners: 6, sequences: 5." in describe_pull(pulled)


@pytest.mark.parametrize(
    ("missing", "said"), [(1, "Owners are left out"), (2, "Names of sequences are left out")]
)
def test_what_the_token_may_not_see_is_said_and_the_mails_come(
    account: Account, missing: int, said: str
) -> None:
    some_mails(account.portal, 5)
    account.portal.owner("901", 7, "jo@us.example")
    scope = account.portal.scopes[missing]
    account.portal.scopes = tuple(s for s in account.portal.scopes if s != scope)
    (note,) = account.pull().notes
    assert said in note
    assert scope in note
    assert account.pulled() == account.theirs()


def test_a_token_of_another_account_is_refused(account: Account) -> None:
    account.portal.owner("901", 7, "jo@us.example")
    account.pull()
    account.portal.owners.clear()
    account.portal.owner("555", 3, "al@other.example")
    with pytest.raises(PullError, match="None of the owners"):
        account.pull()


def test_two_pulls_at_once_are_one_too_many(account: Account) -> None:
    from filelock import FileLock

    account.pull()
    with (
        FileLock(account.folder / ".pull" / "lock"),
        pytest.raises(PullError, match="Another pull is at work"),
    ):
        account.pull()


def test_damaged_files_are_named(account: Account) -> None:
    some_mails(account.portal, 5)
    account.pull()
    state = account.folder / ".pull" / "state.json"
    good = state.read_text()
    state.write_text('{"version": 2}')
    with pytest.raises(PullError, match="How far was pulled"):
        account.pull()
    state.write_text(good)
    file = account.folder / "emails" / "2026-03.parquet"
    file.write_bytes(b"no parquet")
    account.portal.put("1", int(account.clock.time * 1000) - 9_000)
    with pytest.raises(PullError, match="damaged") as caught:
        account.pull()
    assert str(file) in str(caught.value)
    file.unlink()
    account.pull(full=True)
    assert account.pulled() == account.theirs()


def test_texts_that_no_file_could_hold(account: Account) -> None:
    hostile = "\ud800 half \x00 \u202e =1+1 <script>"
    account.portal.put("1", START, hs_email_direction="INCOMING_EMAIL", hs_email_subject=hostile)
    account.portal.put("12345678901234567", START + 1)
    account.pull()
    assert account.mails()["hs_object_id"].to_list() == ["1", "12345678901234567"]
    assert "half" in account.mails()["hs_email_subject"][0]


def test_of_copies_the_one_modified_last_counts_whenever_it_came() -> None:
    rows = [("9", "2026-03-02T08:00:00.002Z", "new"), ("10", "1772438400000", "x"),
            ("9", "2026-03-02T08:00:00.001Z", "old"), ("10", "1772438400000", "y")]  # fmt: skip
    frame = pl.DataFrame(
        [{"hs_object_id": i, "hs_lastmodifieddate": at, "hs_email_status": s} for i, at, s in rows]
    )
    missing = [pl.lit(None, pl.String).alias(c) for c in COLUMNS if c not in frame.columns]
    found = newest(frame.with_columns(missing))
    assert found.select("hs_object_id", "hs_email_status").rows() == [("9", "new"), ("10", "y")]


def test_parts_of_a_pull_that_was_broken_off_are_kept_before_a_full_one(account: Account) -> None:
    account.portal.most = 10
    some_mails(account.portal, 30)
    with pytest.raises(KeyboardInterrupt):
        account.pull(page=5, window=10, watch=Interrupting())
    assert account.pulled() == {}
    account.portal.scopes = ()
    with pytest.raises(PullError):
        account.pull(full=True)
    account.portal.scopes = SCOPES
    assert len(account.pulled()) == 18


def test_an_account_without_mails(account: Account) -> None:
    pulled = account.pull()
    assert (pulled.mails, pulled.total, pulled.months) == (0, 0, ())
    assert "No month has changed" in describe_pull(pulled)
