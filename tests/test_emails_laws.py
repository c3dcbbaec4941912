"""Laws of the reconstruction, and a slow referee in plain Python."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senderscore_nb.contract import COLUMNS, Enrollment
from senderscore_nb.sources.emails import EmailRules, addresses, instants, reconstruct
from senderscore_nb.sources.emails.columns import MAIL
from senderscore_nb.sources.emails.outcomes import enrollment_ids
from tests.mail_frames import START, ZONE, accounts, built, drawn_mail, frame, numbered
from tests.mail_referee import referee

LATE = EmailRules(as_of=START + dt.timedelta(days=75))


@settings(max_examples=50)
@given(accounts)
def test_the_referee_finds_the_same(rows: list[dict[str, Any]]) -> None:
    """One mail at a time, in plain Python: same enrollments, same replies, bounces and ends."""
    expected = referee(rows, LATE)
    keys = [
        dict(zip(("sequence_id", "sender", "recipient"), e["key"], strict=True)) for e in expected
    ]
    ids = enrollment_ids(
        pl.DataFrame(
            [{**k, "first_id": e["first_id"]} for k, e in zip(keys, expected, strict=True)]
        )
    )
    zone = ZoneInfo(ZONE)
    wanted = {
        i: (
            e["replied"],
            e["machine"],
            e["bounced"],
            e["end"] and e["end"].astimezone(zone).date(),
            e["why"],
        )
        for i, e in zip(ids, expected, strict=True)
    }
    assert len(wanted) == len(expected)
    got = {
        e["enrollment_id"]: (
            bool(e["replied"]),
            bool(e["out_of_office"]),
            e["bounced"],
            e["ended_on"],
            e["end_reason"] and e["end_reason"].removeprefix("thread_"),
        )
        for e in built(*rows, rules=LATE).enrollments.to_dicts()
    }
    incoming = any(row["direction"] != "EMAIL" for row in rows)
    if not incoming:
        assert not any(replied for replied, *_ in wanted.values())
    assert got == wanted


@settings(max_examples=10)
@given(accounts, st.randoms(use_true_random=False))
def test_the_order_of_mails_changes_nothing(rows: list[dict[str, Any]], random: Any) -> None:
    mixed = list(rows)
    random.shuffle(mixed)
    one, other = built(*rows, rules=LATE), built(*mixed, rules=LATE)
    assert one.enrollments.equals(other.enrollments)
    assert one.fates.sort("fate", "what").equals(other.fates.sort("fate", "what"))


@settings(max_examples=10)
@given(accounts, st.integers(0, 24 * 70))
def test_enrollments_keep_their_ids_when_more_mail_arrives(
    rows: list[dict[str, Any]], hour: int
) -> None:
    now = START + dt.timedelta(hours=hour)
    early = [row for row in rows if dt.datetime.fromisoformat(row["at"]) <= now]
    before = built(*early, rules=EmailRules(as_of=now))
    later = built(*rows, rules=LATE)
    assert set(before.enrollments["enrollment_id"]) <= set(later.enrollments["enrollment_id"])
    # Asking for the same instant later gives what was known then.
    then = built(*rows, rules=EmailRules(as_of=now))
    known = ("replied", "out_of_office")
    assert then.enrollments.drop(known).equals(before.enrollments.drop(known))


@settings(max_examples=7)
@given(accounts, accounts)
def test_two_accounts_without_anything_in_common_add_up(
    a: list[dict[str, Any]], b: list[dict[str, Any]]
) -> None:
    def moved(row: dict[str, Any]) -> dict[str, Any]:
        texts = ("sender", "recipients", "thread_id", "text")
        changed = {n: row[n].replace("example", "invalid") for n in texts if row.get(n)}
        thread = {"thread_id": "z" + row["thread_id"]} if row.get("thread_id") else {}
        return {**row, **changed, **thread, "mail_id": "z" + row["mail_id"]}

    other = [moved(row) for row in b]
    both = built(*a, *other, rules=LATE)
    parts = [built(*rows, rules=LATE).enrollments for rows in (a, other)]
    # Whether replies are known at all is a matter of the whole account.
    known = ("replied", "out_of_office")
    together = pl.concat(parts).sort("enrolled_on", "enrollment_id")
    assert both.enrollments.drop(known).equals(together.drop(known))


_WORDS = st.one_of(
    st.none(),
    st.sampled_from(
        ["", " ", "EMAIL", "INCOMING_EMAIL", "x", "2026-03-02T08:00:00Z", "1772442900000", "SENT",
         "BOUNCED", "true", "a@b.c", "A <a@b.c>; d@e.f", "@", "99999999999999999999", "31"]
    ),
    st.text(max_size=12),
)  # fmt: skip


@settings(max_examples=30)
@given(
    st.lists(
        st.one_of(
            drawn_mail(),
            st.dictionaries(st.sampled_from(sorted(MAIL)), _WORDS).map(
                lambda d: {"direction": "EMAIL", "at": "2026-03-02T08:00:00Z", **d}
            ),
        ),
        max_size=12,
    )
)
def test_every_mail_is_used_ignored_or_rejected(rows: list[dict[str, Any]]) -> None:
    made = built(*rows)
    assert made.fates["mails"].sum() == len(rows)
    assert set(made.fates["fate"]) <= {"used", "ignored", "rejected"}
    assert made.rejected.height == made.fates.filter(fate="rejected")["mails"].sum()
    assert made.rejected.null_count().sum_horizontal().item() == 0
    Enrollment.validate(made.enrollments.select(list(Enrollment.columns())))
    for name in made.enrollments.columns:
        assert made.enrollments.schema[name] == COLUMNS[name]
    assert made.enrollments["inferred"].all()


@settings(max_examples=15)
@given(st.lists(drawn_mail(), min_size=1, max_size=15).map(numbered))
def test_copies_of_mails_change_nothing(rows: list[dict[str, Any]]) -> None:
    once = built(*rows, rules=LATE)
    old = [{**row, "modified": "1700000000000", "status": "SENDING"} for row in rows]
    new = [{**row, "modified": "1800000000000"} for row in rows]
    twice = built(*old[::2], *new, *old[1::2], rules=LATE)
    assert twice.enrollments.equals(once.enrollments)
    copies = twice.fates.filter(what="an older copy of a mail")["mails"].sum()
    assert copies == len(rows)


def test_a_lazy_frame_is_as_good(tmp_path: Any) -> None:
    rows = frame(*numbered([]))
    rows.write_parquet(tmp_path / "m.parquet")
    lazy = reconstruct(pl.scan_parquet(tmp_path / "m.parquet"), timezone=ZONE, rules=LATE)
    assert lazy.enrollments.equals(reconstruct(rows, timezone=ZONE, rules=LATE).enrollments)


_ADDRESS = st.text(alphabet='ab=._-@.@A+;,<> "\u00e9\u2028', max_size=14)


@given(st.lists(st.one_of(st.none(), _ADDRESS), max_size=8), st.booleans())
def test_the_quick_way_with_addresses_is_the_slow_one(texts: list[str | None], plus: bool) -> None:
    """What is an address already is not looked at further, and the others are."""
    values = pl.Series([*texts, "b@a", "a.b=c@b-a.b", "a" * 330 + "@b"], dtype=pl.String)
    how: dict[str, Any] = {"plus": plus, "aliases": {"b@a": "a@b"}}
    quick, slow = addresses.addresses(values, **how), addresses._addresses(values, **how)
    assert quick.equals(slow, null_equal=True)
    quick, slow = addresses.address_lists(values, **how), addresses._address_lists(values, **how)
    assert quick.equals(slow, null_equal=True)


@pytest.mark.parametrize("end", ["", "Z", "z", "+00:00", " "])
def test_the_quick_way_with_instants_is_the_slow_one(
    end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = ["", ".", ".1", ".12", ".123", ".1234", ".123456789", ".12x", ",123", ".-12"]
    starts = ["2026-03-02T08:00:00", "2026-3-2T8:00:00", "2026-03-02 08:00:00",
              "2026-02-30T08:00:00", "+026-03-02T08:00:00", "2026-03-02T24:00:00"]  # fmt: skip
    values = pl.Series([start + some + end for start in starts for some in digits])
    quick = instants.instants(values, ZONE, "UTC")
    monkeypatch.setattr(instants, "_EXACT", instants._ISO)
    assert quick.equals(instants.instants(values, ZONE, "UTC"), null_equal=True)
    assert (quick.null_count() < len(quick)) is (end != "z")
