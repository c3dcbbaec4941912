"""Much mail, worked on in parts on the disk: the same as in one, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.validation.emails import mails_of
from senderscore_nb.cli.base import ending_orderly
from senderscore_nb.errors import ReadError
from senderscore_nb.progress import work_progress
from senderscore_nb.sample.account import LAST_DAY, TIMEZONE
from senderscore_nb.sample.generate import simulate_rows
from senderscore_nb.sample.mails import SimulatedMail, simulate_mails
from senderscore_nb.sources.emails import Rebuilt, files, read_emails, reconstruct
from senderscore_nb.sources.emails.batches import Batches, Piece
from senderscore_nb.sources.emails.sieve import Sieve, hashes
from senderscore_nb.sources.emails.spool import PREFIX, Spool, workspace
from senderscore_nb.sources.emails.words import Words, once_each
from tests.conftest import ROOT
from tests.mail_frames import BO, accounts, back, built, frame, out
from tests.test_emails_laws import LATE

assembly, batches, copies, segments, spool, store = (
    import_module(f"senderscore_nb.sources.emails.{name}")
    for name in ("assembly", "batches", "copies", "segments", "spool", "store")
)


@contextmanager
def in_parts(number: int, batch: int = 100, copy_part: int = 7) -> Iterator[None]:
    """So many parts, however little mail there is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "parts_for", lambda mails: number)
        patch.setattr(store, "COPIES", copy_part)
        patch.setattr(batches, "BATCH", batch)
        patch.setattr(spool, "HELD", 400)
        patch.setattr(assembly, "STRETCH", 7)
        yield


def same(one: Rebuilt, other: Rebuilt) -> None:
    """All that is told of two reconstructions is equal, to the last value and type."""
    assert one.enrollments.equals(other.enrollments)
    assert one.enrollments.schema == other.enrollments.schema
    assert one.rejected.equals(other.rejected)
    by = ("fate", "what")
    assert one.fates.sort(by).equals(other.fates.sort(by))
    for name in ("as_of", "again", "incoming_known", "bounces_known"):
        assert getattr(one, name) == getattr(other, name), name


ALIASES = {"cy@them.example": BO, "al@us.example": "jo@us.example"}


@settings(max_examples=8)
@given(accounts, st.sampled_from([2, 7]), st.sampled_from([None, ALIASES]), st.data())
def test_parts_change_nothing(
    rows: list[dict[str, Any]], number: int, aliases: dict[str, str] | None, data: st.DataObject
) -> None:
    """Out of order, with older copies, several recipients and mail that is rejected."""
    again = data.draw(st.lists(st.sampled_from(rows), max_size=8))
    old = [{**row, "status": "SENDING", "recipients": "zz@x.example"} for row in again]
    wrong = [out("bad", 0, at="soon"), out("", 0), out(" ", 1)]
    mixed = data.draw(st.permutations([*rows, *old, *wrong]))
    whole = built(*mixed, rules=LATE, aliases=aliases)
    with in_parts(number, batch=data.draw(st.sampled_from([9, 100]))):
        same(built(*mixed, rules=LATE, aliases=aliases), whole)


@pytest.fixture(scope="module")
def sent() -> SimulatedMail:
    return simulate_mails(simulate_rows(3, weeks=10, volume=0.03), last_day=LAST_DAY, seed=4)


@pytest.fixture(scope="module")
def told(sent: SimulatedMail) -> Rebuilt:
    return reconstruct(mails_of(sent), **_people(sent))


def _people(sent: SimulatedMail) -> dict[str, Any]:
    aliases = dict(sent.aliases.iter_rows())
    return {"timezone": TIMEZONE, "owners": sent.owners, "aliases": aliases}


@pytest.mark.parametrize("number", [2, 7])
def test_simulated_mail_in_parts(sent: SimulatedMail, told: Rebuilt, number: int) -> None:
    """Every nuisance at once, with owners and aliases."""
    with in_parts(number, batch=600, copy_part=50):
        same(reconstruct(mails_of(sent), **_people(sent)), told)
    assert told.enrollments["replied"].any()
    assert told.again > 0


def test_a_lazy_frame_is_read_batch_by_batch(sent: SimulatedMail, told: Rebuilt) -> None:
    with in_parts(2, batch=600):
        same(reconstruct(mails_of(sent).lazy(), **_people(sent)), told)


def test_copies_of_a_mail_may_be_in_different_files(
    sent: SimulatedMail, told: Rebuilt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parquet, text that is read whole, and text that is read as a stream, in another order."""
    third = sent.mails.height // 3
    sent.mails[:third].write_parquet(tmp_path / "a.parquet")
    sent.mails[third : 2 * third].write_csv(tmp_path / "b.csv")
    sent.mails[2 * third :].select(sent.mails.columns[::-1]).write_csv(tmp_path / "c.csv")
    monkeypatch.setattr(files, "WHOLE", (tmp_path / "c.csv").stat().st_size - 1)
    assert set(sent.mails[:third]["hs_object_id"]) & set(sent.mails[third:]["hs_object_id"])
    paths = [tmp_path / name for name in ("a.parquet", "b.csv", "c.csv")]
    with in_parts(3, batch=600):
        reading = read_emails(paths, **_people(sent))
    assert reading.accepted.equals(told.enrollments)
    by = ("fate", "what")
    assert reading.fates.sort(by).equals(told.fates.sort(by))


def test_a_thread_of_many_recipients_is_found_across_parts() -> None:
    """A stranger who answers in a thread answers the enrollment that came last into it."""
    rows = [out(f"{i:02}", i / 10, recipients=f"c{i}@x{i}.example") for i in range(12)]
    letters = [
        back("90", 0.55, sender="stranger@y.example"),
        back("91", 5, sender="other@y.example"),
        back("92", 5, sender="c3@x3.example"),
        back("93", 6, sender="mailer-daemon@g.example", text="c7@x7.example is gone"),
        back("94", 6, thread_id=None, sender="postmaster@g.example", text="no c8@x8.example"),
    ]
    whole = built(*rows, *letters)
    domains = whole.enrollments.filter("replied").sort("recipient_domain")["recipient_domain"]
    assert domains.to_list() == ["x11.example", "x3.example", "x5.example"]
    gone = whole.enrollments.filter("bounced").sort("recipient_domain")["recipient_domain"]
    assert gone.to_list() == ["x7.example", "x8.example"]
    for number in (2, 7):
        with in_parts(number):
            same(built(*rows, *letters), whole)


@settings(max_examples=4)
@given(accounts)
def test_values_with_one_hash_are_told_apart(rows: list[dict[str, Any]]) -> None:
    rows = [*rows, *({**row, "status": "SENDING", "modified": "1"} for row in rows[::3])]
    expected = built(*rows, rules=LATE)

    def one(mails: pl.DataFrame) -> pl.Series:
        return pl.Series(np.zeros(mails.height, np.uint64))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "_hashed", one)
        patch.setattr(copies, "hashes", lambda ids: np.zeros(len(ids), np.uint64))
        # Everything passes such a sieve.
        patch.setattr(Sieve, "passes", lambda _, values: values.is_not_null() | True)
        same(built(*rows, rules=LATE), expected)


@given(st.lists(st.integers(0, 99)), st.lists(st.one_of(st.none(), st.integers(0, 99))))
def test_a_sieve_holds_nothing_back_that_is_in_it(inside: list[int], asked: list[int]) -> None:
    sieve = Sieve.of([hashes(pl.Series(inside, dtype=pl.Int64))])
    passes = sieve.passes(pl.Series(asked, dtype=pl.Int64))
    for value, passed in zip(asked, passes, strict=True):
        assert passed or value not in inside
        assert not (passed and value is None)


@given(st.lists(st.one_of(st.none(), st.sampled_from(["a", " b", "", "C", "c", "ä"]))))
def test_texts_and_their_numbers(texts: list[str | None]) -> None:
    words, values = Words(), pl.Series(texts, dtype=pl.String)
    codes = words.codes(values)
    assert words.codes(values.reverse()).reverse().equals(codes)
    assert words.texts(codes).equals(values)
    ranks, known = words.ranks(codes)
    assert words.texts(known).to_list() == sorted({t for t in texts if t is not None})
    assert words.texts(known.gather(ranks)).equals(values)
    upper = once_each(values, lambda one: one.str.to_uppercase())
    assert upper.equals(values.str.to_uppercase())


def test_batches_are_whole_numbered_and_of_some_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH", 10)
    lengths, pieces, first = (3, 4, 25, 0, 2, 31, 1), [], 0
    for i, length in enumerate(lengths):
        mails = pl.LazyFrame(
            {"mail_id": range(first, first + length)}, schema={"mail_id": pl.Int64}
        )
        pieces.append(Piece(mails, length, i != 5, first))
        first += length
    taken: list[pl.DataFrame] = []
    Batches(tuple(pieces)).feed(taken.append)
    rows = pl.concat(taken).sort("row")
    assert rows["row"].to_list() == rows["mail_id"].to_list() == list(range(sum(lengths)))
    assert max(batch.height for batch in taken) <= 2 * 10


def test_what_goes_wrong_with_a_streamed_batch_is_said_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: pl.DataFrame) -> None:
        raise ReadError("enough")

    monkeypatch.setattr(batches, "BATCH", 10)
    mails = Batches((Piece(pl.LazyFrame({"mail_id": ["1"] * 50}), 50, sliced=False),))
    with pytest.raises(ReadError, match="enough"):
        mails.feed(refuse)


def left_behind() -> list[Path]:
    return sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_nothing_is_left_on_the_disk(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_parts(3):
        built(*(out(str(i), i, recipients=f"c{i}@x.example") for i in range(9)))
        assert left_behind() == []
        monkeypatch.setattr(segments, "_beginnings", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            built(out("1", 0))
    assert left_behind() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="locks of files are POSIX here")
def test_what_a_killed_run_left_goes_with_the_next(elsewhere: Path) -> None:
    code = (
        "import os, signal\n"
        "from senderscore_nb.sources.emails.spool import workspace\n"
        "with workspace() as folder:\n"
        "    (folder / 'mails').mkdir()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    env = {**os.environ, "TMPDIR": str(elsewhere)}
    killed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=False)
    assert killed.returncode == -signal.SIGKILL
    (dead,) = left_behind()
    not_ours = elsewhere / f"{PREFIX}without-a-lock"
    not_ours.mkdir()
    with workspace() as mine:
        assert not dead.exists()
        with workspace() as other:
            # A run that is at work keeps its folder.
            assert mine.is_dir()
            assert other.is_dir()
    assert left_behind() == [not_ours]


def test_a_full_disk_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    kept = Spool(tmp_path / "x", pl.Schema({"a": pl.Int64()}))
    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(ReadError, match=r"No space left.*TMPDIR") as said:
        kept.add(pl.DataFrame({"a": [1]}))
    assert str(tmp_path) in str(said.value)


def test_progress_says_how_far_it_is(sent: SimulatedMail, tmp_path: Path) -> None:
    sent.mails.head(600).write_parquet(tmp_path / "m.parquet")
    lines: list[str] = []
    steps: list[int] = []
    with in_parts(3, batch=60):
        read_emails(tmp_path / "m.parquet", timezone=TIMEZONE, progress=lines.append)
        read_emails(
            tmp_path / "m.parquet", timezone=TIMEZONE, advance=lambda done, _: steps.append(done)
        )
    far = [line for line in lines if line.startswith("Reading the mails: ")]
    assert 5 <= len(far) <= 10
    assert far[-1] == "Reading the mails: 600 of 600 …"
    assert "Grouping outgoing mail: 2 of 3 …" in lines
    assert steps == sorted(steps)
    assert steps[-1] == 1000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals of POSIX")
def test_sigterm_breaks_off_the_command_in_order() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), ending_orderly():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_command_has_a_bar_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with work_progress("Beginning") as (say, advance):
        say("nobody reads this")
        assert advance is None
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with work_progress("Beginning") as (say, advance):
        say("Reading [b]file[/b]\x1b[2J …")
        assert advance is not None
        advance(250, 1000)
    shown = capsys.readouterr().err
    assert "25%" in shown
    assert "[b]file[/b] [2J" in shown


def test_mail_of_few_rows_stays_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "workspace", lambda: 1 / 0)
    assert built(out("1", 0)).enrollments.height == 1
    assert [store.parts_for(n) for n in (0, 1, 1_000_000, 1_000_001, 20_000_000, 10**12)] == [
        1, 1, 1, 2, 20, 256,
    ]  # fmt: skip


def test_a_frame_with_a_column_row_of_its_own() -> None:
    rows = frame(out("1", 0), back("2", 1)).with_columns(row=pl.lit("x"))
    assert reconstruct(rows, timezone="UTC").enrollments["replied"].to_list() == [True]


def test_of_copies_equal_in_all_else_the_last_text_counts() -> None:
    rows = [out("1", 0, recipients=f"bo@{name}.example") for name in ("b", "c", "a")]
    for order in (rows, rows[::-1], [rows[1], rows[0], rows[2]]):
        made = built(*order, out("2", 0, recipients="bo@d.example"))
        assert set(made.enrollments["recipient_domain"]) == {"c.example", "d.example"}


@pytest.mark.parametrize("number", [1, 2, 7])
def test_the_owner_of_most_enrollments_is_counted_after_the_last_cut(number: int) -> None:
    """One owner's single stretch is three enrollments, because there were replies in it."""
    first = [out(f"1{i}", i, owner_id="1", recipients=f"c{i}@x.example") for i in range(2)]
    torn = [out(f"2{i}", 4 * i, owner_id="2", thread_id="t2") for i in range(3)]
    replies = [back(f"3{i}", 4 * i + 1, thread_id="t2") for i in range(2)]
    unowned = out("40", 0, recipients="d@z.example", thread_id="t4")
    with in_parts(number):
        found = built(*first, *torn, *replies, unowned).enrollments
    assert found.filter(recipient_domain="them.example").height == 3
    assert found.filter(recipient_domain="z.example")["user_id"].to_list() == ["2"]
