"""Enrollments from mail, case by case: grouping, replies, bounces, ends, senders."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

from senderscore_nb.errors import ReadError
from senderscore_nb.policy import CountingRules
from senderscore_nb.score import score
from senderscore_nb.sources.emails import EmailRules, reconstruct
from senderscore_nb.tally import tally
from tests.mail_frames import BO, JO, START, ZONE, at, back, built, found, frame, out

AL, CY = "al@us.example", "cy@them.example"
DAY0 = START.date()


def one(*rows: dict[str, Any], **options: Any) -> dict[str, Any]:
    (enrollment,) = found(*rows, **options)
    return enrollment


def day(n: float) -> dt.date:
    return (START + dt.timedelta(days=n)).date()


class TestGrouping:
    def test_mails_of_one_sequence_sender_and_recipient_are_one_enrollment(self) -> None:
        row = one(out("1", 0), out("2", 3), out("3", 20))
        assert (row["enrolled_on"], row["sequence_id"], row["user_id"]) == (DAY0, "31", JO)
        assert (row["enrolled_hour"], row["enrolled_weekday"]) == (9, 1)
        assert "steps" not in row

    @pytest.mark.parametrize(("days", "count"), [(21.0, 1), (21.01, 2)])
    def test_a_longer_gap_begins_another(self, days: float, count: int) -> None:
        assert len(found(out("1", 0), out("2", days))) == count

    def test_the_gap_is_a_rule(self) -> None:
        rules = EmailRules(gap_days=2, settle_days=1)
        assert len(found(out("1", 0), out("2", 3), rules=rules)) == 2

    @pytest.mark.parametrize("other", [{"sequence_id": "32"}, {"sender": AL}, {"recipients": CY}])
    def test_another_sequence_sender_or_recipient_is_another(self, other: dict[str, str]) -> None:
        assert len(found(out("1", 0), out("2", 1, **other))) == 2

    def test_the_first_template_once_more_begins_another(self) -> None:
        templates = ("a", "b", "a", "b")
        rows = [out(str(i), 3 * i, template_id=t) for i, t in enumerate(templates)]
        assert [r["enrolled_on"] for r in found(*rows)] == [DAY0, day(6)]
        assert [r["template_id"] for r in found(*rows)] == ["a", "a"]

    def test_a_later_template_once_more_does_not(self) -> None:
        rows = [out(str(i), 3 * i, template_id=t) for i, t in enumerate(("a", "b", "b", "c"))]
        assert len(found(*rows)) == 1

    def test_the_same_mail_logged_twice_within_the_hour_is_no_other(self) -> None:
        assert len(found(out("1", 0, template_id="a"), out("2", 0.03, template_id="a"))) == 1

    def test_mail_after_a_bounce_begins_another(self) -> None:
        first, second = found(out("1", 0, status="BOUNCED"), out("2", 3))
        assert (first["bounced"], second["bounced"]) == (True, False)
        assert second["previously_bounced"]
        assert not first["previously_bounced"]

    def test_mail_after_a_reply_begins_another(self) -> None:
        first, second = found(out("1", 0), back("2", 1), out("3", 3, thread_id="t2"))
        assert (first["replied"], second["replied"]) == (True, False)

    def test_mail_that_was_on_its_way_when_the_reply_came_does_not(self) -> None:
        assert one(out("1", 0), back("2", 1), out("3", 1.03))["replied"]

    def test_order_in_the_file_is_of_no_matter(self) -> None:
        rows = [out(str(i), i) for i in range(6)]
        assert found(*rows[::-1]) == found(*rows)

    @pytest.mark.parametrize(
        "to",
        [f"{BO};{CY}", f"{BO}, {CY}", f'"B, O" <{BO}>; Cy Example <{CY.upper()}>', f"{BO} {CY}"],
    )
    def test_several_recipients_are_enrolled_each(self, to: str) -> None:
        rows = found(out("1", 0, recipients=to), out("2", 2, recipients=to), back("3", 3))
        assert len(rows) == 2
        assert sorted(r["replied"] for r in rows) == [False, True]

    def test_or_the_first_of_them_alone(self) -> None:
        rules = EmailRules(recipients="first")
        assert len(found(out("1", 0, recipients=f"{CY};{BO}"), rules=rules)) == 1

    def test_a_copy_to_oneself_is_no_enrollment(self) -> None:
        assert one(out("1", 0, recipients=f"{JO};{BO}"))["recipient_domain"] == "them.example"
        alone = built(out("1", 0, recipients=JO))
        assert alone.rejected["reason"].to_list() == [
            f"recipients: expected an address other than the sender's, found '{JO}'"
        ]

    def test_tags_and_case_make_no_other_recipient(self) -> None:
        tagged = out("2", 2, recipients="Bo <BO+Demo@Them.Example>")
        assert len(found(out("1", 0), tagged)) == 1
        assert len(found(out("1", 0), tagged, rules=EmailRules(plus_addressing=False))) == 2

    def test_declared_aliases_are_one(self) -> None:
        rows = out("1", 0), out("2", 2, recipients="robert@them.example", sender="j@us.example")
        aliases = {"robert@them.example": BO, "j@us.example": JO}
        assert len(found(*rows)) == 2
        assert len(found(*rows, aliases=aliases)) == 1

    def test_what_is_not_sent_is_not_mail(self) -> None:
        made = built(out("1", 0, status="SCHEDULED"), out("2", 0, sequence_id=None), out("3", 0))
        assert made.enrollments.height == 1
        assert dict(made.fates.select("what", "mails").rows()) == {
            "sent": 1,
            "not sent yet": 1,
            "outgoing, not of a sequence": 1,
        }

    def test_the_newest_copy_of_a_mail_counts(self) -> None:
        rows = (
            out("1", 0, status="BOUNCED", modified="2026-03-03T00:00:00Z"),
            out("1", 0, status="SENT", modified="1772442900000"),
        )
        for order in (rows, rows[::-1]):
            made = built(*order)
            assert made.enrollments["bounced"].to_list() == [True]
            assert made.fates.filter(what="an older copy of a mail")["mails"].to_list() == [1]

    def test_without_a_time_of_change_the_later_status_counts(self) -> None:
        rows = out("1", 0, status="BOUNCED"), out("1", 0), out("1", 0, status="SENDING")
        assert one(*rows)["bounced"]


class TestReplies:
    def test_a_reply_in_the_thread(self) -> None:
        row = one(out("1", 0), out("2", 3), back("3", 4))
        assert row["replied"]
        assert (row["end_reason"], row["ended_on"]) == ("thread_reply", day(4))
        assert row["out_of_office"] is False

    def test_a_reply_by_address_in_another_thread(self) -> None:
        assert one(out("1", 0), back("2", 4, thread_id="t9"))["end_reason"] == "reply"
        assert one(out("1", 0), back("2", 4, thread_id=None))["end_reason"] == "reply"

    @pytest.mark.parametrize(("days", "replied"), [(30.0, True), (30.01, False)])
    def test_by_address_only_in_the_window(self, days: float, replied: bool) -> None:
        rows = out("1", 0), back("2", days, thread_id="t9")
        assert one(*rows)["replied"] is replied

    def test_in_the_thread_whenever_it_comes(self) -> None:
        row = one(out("1", 0), back("2", 100))
        assert row["replied"]
        assert (row["end_reason"], row["ended_on"]) == ("unknown", day(3))

    def test_mail_from_before_the_enrollment_is_no_reply(self) -> None:
        assert not one(out("1", 5), back("2", 4), back("3", 4, thread_id=None))["replied"]

    def test_a_colleague_counts_in_the_thread_alone(self) -> None:
        colleague = {"sender": "boss@them.example"}
        assert one(out("1", 0), back("2", 1, **colleague))["replied"]
        made = built(out("1", 0), back("2", 1, thread_id="t9", **colleague))
        assert not made.enrollments["replied"][0]
        assert "incoming, of no enrollment" in made.fates["what"]

    def test_in_a_thread_of_two_the_writers_own_is_taken(self) -> None:
        both = out("1", 0, recipients=f"{CY};{BO}")
        rows = built(both, back("2", 1)).enrollments
        assert rows["replied"].sum() == 1

    def test_by_address_it_must_be_sent_to_that_sender(self) -> None:
        rows = (
            out("1", 0),
            out("2", 1, sender=AL, thread_id="t2"),
            back("3", 2, thread_id="t9"),
        )
        by_user = {r["user_id"]: r["replied"] for r in found(*rows)}
        assert by_user == {JO: True, AL: False}

    def test_sent_to_nobody_known_the_latest_open_is_taken(self) -> None:
        rows = (
            out("1", 0),
            out("2", 1, sender=AL, thread_id="t2"),
            back("3", 2, thread_id="t9", recipients="office@us.example"),
        )
        assert {r["user_id"]: r["replied"] for r in found(*rows)} == {JO: False, AL: True}

    def test_an_earlier_one_that_is_still_open_is_found_behind_a_closed_one(self) -> None:
        rows = (
            *(out(str(i), 20 * i) for i in range(4)),
            out("s", 5, sequence_id="32", thread_id="t2"),
            back("r", 80, thread_id="t9"),
        )
        assert {r["sequence_id"]: r["replied"] for r in found(*rows)} == {"31": True, "32": False}

    def test_each_mail_answers_one_enrollment(self) -> None:
        rows = out("1", 0), out("2", 0, sequence_id="32"), back("3", 1, thread_id=None)
        assert sum(r["replied"] for r in found(*rows)) == 1

    @pytest.mark.parametrize(
        ("marks", "automatic"),
        [
            ({"out_of_office": "true"}, True),
            ({"out_of_office": "True"}, True),
            ({"subject": "Automatic reply: hello"}, True),
            ({"subject": "Abwesenheitsnotiz"}, True),
            ({"subject": "Automatic reply: hello", "out_of_office": "false"}, False),
            ({"subject": "Re: Automatic doors"}, False),
        ],
    )
    def test_automatic_replies(self, marks: dict[str, str], automatic: bool) -> None:
        row = one(out("1", 0), back("2", 1, **marks), out("3", 2 if automatic else 1.02))
        assert (row["replied"], row["out_of_office"]) == (True, automatic)
        assert (row["end_reason"] == "unknown") is automatic

    def test_the_policy_decides_whether_automatic_ones_count(self) -> None:
        rows = built(out("1", 0), back("2", 1, out_of_office="true")).enrollments
        counted = [
            tally(rows, rules=CountingRules(out_of_office_count_as_replies=yes))["replied"].item()
            for yes in (False, True)
        ]
        assert counted == [0, 1]

    def test_a_person_after_a_machine_is_a_reply(self) -> None:
        row = one(out("1", 0), back("2", 0.1, out_of_office="true"), back("3", 2))
        assert (row["out_of_office"], row["ended_on"]) == (False, day(2))

    def test_forwarded_mail_is_no_reply(self) -> None:
        made = built(out("1", 0), back("2", 1, direction="FORWARDED_EMAIL"), back("3", 1, sender=CY,
                     thread_id="t7"))  # fmt: skip
        assert made.enrollments["replied"].to_list() == [False]
        assert "forwarded" in made.fates["what"]

    def test_mail_among_senders_is_no_reply(self) -> None:
        rows = out("1", 0), out("2", 0, sender=AL, recipients=CY, thread_id="t2")
        made = built(*rows, back("3", 1, sender=AL))
        assert not made.enrollments["replied"].any()
        assert "incoming, from a sender of the account" in made.fates["what"]

    def test_a_sender_who_is_enrolled_answers_in_the_thread(self) -> None:
        rows = out("1", 0, recipients=AL), out("2", 0, sender=AL, recipients=CY, thread_id="t2")
        made = built(*rows, back("3", 1, sender=AL))
        assert made.enrollments["replied"].sum() == 1

    def test_without_any_incoming_mail_replies_are_unknown(self) -> None:
        made = built(*(out(str(i), 0, recipients=f"c{i}@them.example") for i in range(120)))
        assert not made.incoming_known
        assert made.enrollments["replied"].null_count() == 120
        tallies = tally(made.enrollments)
        assert tallies["replied"].to_list() == [None]
        assert score(tallies, by="user")["status"].to_list() == ["not_computable"]


class TestBounces:
    @pytest.mark.parametrize(
        ("code", "message", "kind"),
        [
            ("5.1.1", None, "hard"),
            ("550", None, "hard"),
            ("4.2.2", None, "soft"),
            ("421", "5.7.1 later", "soft"),
            (None, "smtp; 550 5.1.1 no such user", "hard"),
            ("", "452 4.2.2 mailbox full", "soft"),
            (None, "somebody did not want it", "unknown"),
            ("2.0.0", None, "unknown"),
        ],
    )
    def test_by_status_and_code(self, code: str | None, message: str | None, kind: str) -> None:
        row = one(out("1", 0), out("2", 2, status="BOUNCED", bounce_code=code,
                                   bounce_message=message))  # fmt: skip
        assert (row["bounced"], row["bounce_type"]) == (True, kind)
        assert (row["end_reason"], row["ended_on"]) == ("bounced", day(2))

    def test_failed_is_not_bounced(self) -> None:
        row = one(out("1", 0), out("2", 2, status="FAILED", bounce_message="DISCONNECTED_INBOX"))
        assert (row["bounced"], row["end_reason"], row["ended_on"]) == (False, "error", day(2))

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            ("FAILED", "RECIPIENT_PREVIOUSLY_BOUNCED_ON_PORTAL"),
            ("BOUNCED", "GLOBALLY_BLOCKED_RECIPIENT_DOMAIN"),
            ("FAILED", "The recipient has opted out of your mail."),
        ],
    )
    def test_refused_before_sending_is_neither(self, status: str, message: str) -> None:
        row = one(out("1", 0, status=status, bounce_message=message))
        assert (row["bounced"], row["end_reason"], row["bounce_type"]) == (False, "blocked", None)
        rows = built(out("1", 0, status=status, bounce_message=message)).enrollments
        counted = tally(rows, rules=CountingRules(blocked_count_as_bounced=True))
        assert counted["bounced"].to_list() == [1]

    def test_of_several_recipients_the_one_that_is_named_bounced(self) -> None:
        to = {"recipients": f"{BO};{CY}", "status": "BOUNCED"}
        named = found(out("1", 0, bounce_message=f"550 5.1.1 <{CY}> unknown", **to))
        assert sorted((r["bounced"], r["bounce_type"]) for r in named) == [
            (False, None),
            (True, "hard"),
        ]
        assert [r["bounced"] for r in found(out("1", 0, **to))] == [True, True]

    @pytest.mark.parametrize(
        ("notice", "bounced"),
        [
            ({}, True),
            ({"sender": "postmaster@them.example"}, True),
            ({"thread_id": None, "text": f"550 5.1.1 <{BO}>: no such user."}, True),
            ({"thread_id": "t9", "subject": f"Undeliverable: {BO}"}, True),
            ({"thread_id": None, "text": "Something was returned."}, False),
            ({"thread_id": None, "text": f"{CY} is unknown"}, False),
            ({"subject": "Delivery Status Notification (Delay)"}, False),
            ({"subject": "Warning: message delayed 4 hours"}, False),
        ],
    )
    def test_notices_that_come_as_mail(self, notice: dict[str, Any], bounced: bool) -> None:
        sent = {"sender": "Mail Delivery <MAILER-DAEMON@gate.example>", "subject": "Undeliverable"}
        row = one(out("1", 0), back("2", 0.1, **{**sent, **notice}))
        assert (row["bounced"], row["replied"]) == (bounced, False)
        if notice.get("text", "").startswith("550"):
            assert row["bounce_type"] == "hard"

    def test_a_notice_by_address_only_while_servers_still_try(self) -> None:
        text = {"sender": "mailer-daemon@g.example", "thread_id": None, "text": BO}
        assert not one(out("1", 0), back("2", 7, **text))["bounced"]

    def test_replied_and_bounced_counts_as_bounced(self) -> None:
        rows = built(out("1", 0, status="BOUNCED"), back("2", 1)).enrollments
        assert rows.select("replied", "bounced").row(0) == (True, True)
        assert tally(rows).select("replied", "bounced").row(0) == (0, 1)

    def test_an_address_that_bounced_for_another_sender_had_bounced_before(self) -> None:
        rows = out("1", 0, sender=AL, status="BOUNCED"), out("2", 5), out("3", 5, recipients=CY)
        assert [r["previously_bounced"] for r in found(*rows)].count(True) == 1

    def test_without_any_status_bounces_are_unknown(self) -> None:
        made = built(out("1", 0, status=None), back("2", 1))
        assert not made.bounces_known
        assert made.enrollments.select("bounced", "previously_bounced").row(0) == (None, None)


class TestEnds:
    @pytest.mark.parametrize(("days", "ended"), [(21.0, None), (21.5, 3)])
    def test_active_while_another_mail_could_still_come(
        self, days: float, ended: int | None
    ) -> None:
        rules = EmailRules(as_of=START + dt.timedelta(days=days))
        row = one(out("1", 0), rules=rules)
        assert row["ended_on"] == (None if ended is None else day(ended))
        assert row["end_reason"] == (None if ended is None else "unknown")

    def test_the_newest_mail_says_what_is_known(self) -> None:
        rows = out("1", 0), out("2", 40, sequence_id=None), out("3", 90, status="SCHEDULED")
        made = reconstruct(frame(*rows), timezone=ZONE)
        assert made.as_of == int((START + dt.timedelta(days=40)).timestamp() * 1e6)
        assert made.enrollments["ended_on"].to_list() == [day(3)]

    def test_days_and_hours_are_the_accounts_also_when_the_clock_changes(self) -> None:
        row = one(out("1", 0, at="2026-03-28T23:30:00Z"), back("2", 0, at="2026-03-29T22:30:00Z"))
        assert (row["enrolled_on"], row["enrolled_hour"]) == (dt.date(2026, 3, 29), 0)
        assert (row["ended_on"], row["enrolled_weekday"]) == (dt.date(2026, 3, 30), 7)

    @pytest.mark.parametrize(
        "instant",
        ["2026-03-02T08:00:00Z", "1772438400000", "2026-03-02 09:00:00+01:00", "2026-03-02 08:00"],
    )
    def test_instants_however_they_are_written(self, instant: str) -> None:
        assert one(out("1", 0, at=instant))["enrolled_hour"] == 9

    def test_times_without_an_offset_may_be_the_accounts(self) -> None:
        rules = EmailRules(naive_timestamps="account")
        assert one(out("1", 0, at="2026-03-02 08:00"), rules=rules)["enrolled_hour"] == 8

    def test_opens_and_clicks_are_null_where_one_mail_does_not_say(self) -> None:
        rows = out("1", 0, opens="0", clicks="0"), out("2", 1, opens=None, clicks="0.0")
        assert (one(*rows)["opened"], one(*rows)["clicked"]) == (None, False)
        assert one(*rows, out("3", 2, opens="2", clicks="0"))["opened"]


class TestSenders:
    OWNERS = pl.DataFrame(
        {"id": ["901", "902"], "userId": ["7", "8"], "email": [JO, AL], "firstName": ["Jo", "Al"]}
    )

    def test_owner_ids_become_user_ids(self) -> None:
        row = one(out("1", 0, owner_id="901"), owners=self.OWNERS)
        assert (row["user_id"], row["user_name"]) == ("7", "Jo")

    def test_a_missing_owner_is_told_by_the_address(self) -> None:
        assert one(out("1", 0), owners=self.OWNERS)["user_id"] == "7"
        assert one(out("1", 0, sender="No <x@us.example>"))["user_id"] == "x@us.example"

    def test_without_owners_an_address_has_the_owner_it_is_seen_with(self) -> None:
        rows = out("1", 0, owner_id="901"), out("2", 0, recipients=CY)
        assert {r["user_id"] for r in found(*rows)} == {"901"}

    def test_a_shared_mailbox_keeps_its_owners_apart(self) -> None:
        rows = (
            out("1", 0, owner_id="901"),
            out("2", 1, owner_id=None),
            out("3", 0, owner_id="902", recipients=CY),
        )
        assert {r["user_id"] for r in found(*rows, owners=self.OWNERS)} == {"7", "8"}

    def test_the_owner_of_most_mails_is_taken(self) -> None:
        owners = ("902", "901", "901", None)
        rows = [out(str(i), i, owner_id=o) for i, o in enumerate(owners)]
        assert one(*rows, owners=self.OWNERS)["user_id"] == "7"

    def test_an_owner_without_an_address_is_a_sender(self) -> None:
        rows = out("1", 0, sender=None, owner_id="901"), out("2", 2)
        assert len(found(*rows, owners=self.OWNERS)) == 1
        assert one(rows[0])["user_id"] == "901"
        assert built(out("1", 0, sender=None)).rejected["reason"].to_list() == ["sender: is blank"]


class TestRules:
    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"gap_days": -1}, "gap_days is -1"),
            ({"gap_days": 0, "settle_days": 0}, "every mail"),
            ({"reply_days": float("nan")}, "reply_days is nan"),
            ({"settle_days": 30}, "above gap_days"),
            ({"as_of": dt.datetime(2026, 1, 1)}, "no offset"),
        ],
    )
    def test_rules_that_make_no_sense_are_refused(self, wrong: dict[str, Any], says: str) -> None:
        with pytest.raises(ReadError, match=says):
            EmailRules(**wrong)

    def test_a_frame_without_a_needed_column_is_refused(self) -> None:
        with pytest.raises(ReadError, match="no column 'direction'"):
            reconstruct(frame(out("1", 0)).drop("direction"), timezone=ZONE)
        with pytest.raises(ReadError, match="no time zone"):
            reconstruct(frame(out("1", 0)), timezone="Europe/Berln")


def test_no_mail_at_all() -> None:
    made = built()
    assert made.enrollments.height == made.fates.height == 0
    assert made.as_of is not None


def test_only_incoming_mail() -> None:
    made = built(back("1", 0), back("2", 1, sender="mailer-daemon@x.example"))
    assert made.enrollments.is_empty()
    assert made.fates["mails"].sum() == 2


def test_a_hostile_account() -> None:
    evil = '<script>alert(1)</script>@x.example"; DROP TABLE'
    long = "l" * 100_000 + "@x.example"
    rows = [
        out("=1+1", 0, sequence_id="<b>31</b>", recipients=f"{evil};{BO}"),
        out("2", 0, recipients=long),
        out("3", 0, sender=long, owner_id="../../etc"),
        out("4", 0, recipients=";".join(f"u{i}@x.example" for i in range(2_000))),
        back("5", 1, sender="\u202ebo@them.example", subject="\x00" * 50, text=long),
    ]
    made = built(*rows)
    assert made.fates["mails"].sum() == 5
    assert made.enrollments.height >= 2_002
    assert made.enrollments["enrollment_id"].str.contains(r"^[0-9a-f]{24}$").all()
    assert made.rejected.height == 1


def test_one_contact_with_very_many_enrollments_and_mails() -> None:
    rows = pl.DataFrame({"n": range(20_000)}).select(
        mail_id=pl.col("n").cast(pl.String), direction=pl.lit("EMAIL"), status=pl.lit("SENT"),
        at=(pl.col("n") * 600_000 + 1_772_442_900_000).cast(pl.String),
        sequence_id=(pl.col("n") % 400).cast(pl.String), sender=pl.lit(JO), recipients=pl.lit(BO),
        thread_id=pl.lit("t1"),
    )  # fmt: skip
    letters = rows.with_columns(
        mail_id="x" + pl.col("mail_id"), direction=pl.lit("INCOMING_EMAIL"), status=pl.lit(None),
        sequence_id=pl.lit(None), sender=pl.lit(BO), recipients=pl.lit(JO),
    )  # fmt: skip
    made = reconstruct(pl.concat([rows, letters]), timezone=ZONE)
    assert made.fates["mails"].sum() == 40_000
    assert made.enrollments["replied"].any()


def test_at_reads_as_it_is_written() -> None:
    assert at(0) == "2026-03-02T08:00:00.000Z"
