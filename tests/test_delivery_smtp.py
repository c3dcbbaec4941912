"""Mail through real servers on this machine: encrypted, logged in, failing in every way."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import email
import email.policy
import logging
import re
import struct
import traceback
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr, parsedate_to_datetime

import pytest
import trustme
from aiosmtpd.smtp import AuthResult, LoginPassword
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from senderscore_nb.delivery import (
    DeliveryError,
    Mailer,
    MailSettings,
    Occasion,
    Page,
    Recipient,
    compose,
    planned,
)
from senderscore_nb.reports.mail import MailBody
from senderscore_nb.reports.mail.layout import BOTTOM, TOP
from senderscore_nb.reports.mail.parts import Picture
from tests.hostile import NAMES
from tests.mail_server import Inbox, free_port, serving

PASSWORD = "c4nary/p@ss+word=="  # noqa: S105
USER = "reports@example.com"
WHEN = dt.datetime(2026, 11, 16, 6, 0, tzinfo=dt.UTC)
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
PICTURE = Picture("figure-1-abc@senderscore", PNG, "One point.", 1)
BODY = MailBody(
    "Sender score, weekly: 2026-W46 – all is well",
    f"<!DOCTYPE html><html><body>{TOP}<p>.Schöne Grüße</p>\n.\n"
    f'<img src="cid:{PICTURE.cid}" alt="x">{BOTTOM}</body></html>',
    "Title\n=====\n\n.A line with a dot\n.\nSchöne Grüße\n",
    (PICTURE,),
)
ANN, BOB, EVE = (Recipient(f"{name}@example.com", "to") for name in ("ann", "bob", "eve"))
WEEK = Occasion("weekly", "2026-W46")
PAGE = Page("weekly/weekly-2026-W46.html", "<!DOCTYPE html><p>ü</p>".encode())


def check_login(server, session, envelope, mechanism, login: LoginPassword) -> AuthResult:
    if (login.login.decode(), login.password.decode()) == (USER, PASSWORD):
        return AuthResult(success=True)
    # A server that repeats what it was given, plainly and encoded.
    told = f"{login.password.decode()} {base64.b64encode(login.password).decode()}"
    return AuthResult(success=False, handled=False, message=f"535 5.7.8 wrong: {told}")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return authority, folder / "ca.pem"


def tls(authority, name="127.0.0.1"):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority[0].issue_cert(name).configure_cert(context)
    return context


def settings(port: int, **more) -> MailSettings:
    values = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "Sender Score <reports@example.com>",
        "timeout_seconds": 10,
        **more,
    }
    return MailSettings.model_validate(values)


def message(recipient: Recipient = ANN, **more) -> EmailMessage:
    values = {"settings": settings(25), "page": PAGE, "date": WHEN, **more}
    return compose(BODY, recipient, WEEK, **values).message


class Slept(list):
    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def deliver(port, tmp_path, *recipients, sleep=None, **more) -> list[DeliveryError | None]:
    """Send to each; what was raised for whom."""
    results: list[DeliveryError | None] = []
    with Mailer(
        settings(port, **more), tmp_path, sleep=Slept() if sleep is None else sleep
    ) as mailer:
        for recipient in recipients:
            try:
                mailer.send(message(recipient), recipient.address)
                results.append(None)
            except DeliveryError as error:
                results.append(error)
    return results


def parsed(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def test_a_mail_arrives_whole_and_the_connection_is_used_again(tmp_path):
    inbox = Inbox()
    with serving(inbox) as port:
        assert deliver(port, tmp_path, ANN, BOB) == [None, None]
    assert inbox.to() == ["ann@example.com", "bob@example.com"]
    assert inbox.connections == 1
    mail = parsed(inbox.mails[0][1])
    assert mail["From"] == "Sender Score <reports@example.com>"
    assert mail["To"] == "ann@example.com"
    assert mail["Subject"] == BODY.subject
    assert mail["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(mail["Date"]) == WHEN
    assert mail.get_content_type() == "multipart/mixed"
    alternative, attached = mail.iter_parts()
    text, related = alternative.iter_parts()
    html, picture = related.iter_parts()
    assert [
        p.get_content_type() for p in (alternative, text, related, html, picture, attached)
    ] == [
        *("multipart/alternative", "text/plain", "multipart/related"),
        *("text/html", "image/png", "text/html"),
    ]
    assert "\n.A line with a dot\n.\nSchöne Grüße\n" in text.get_content().replace("\r\n", "\n")
    assert ">.Schöne Grüße<" in html.get_content()
    assert picture.get_content() == PNG
    assert f"cid:{picture['Content-ID'].strip('<>')}" in html.get_content()
    assert picture.get_content_disposition() == "inline"
    assert attached.get_filename() == "weekly-2026-W46.html"
    assert attached.get_payload(decode=True) == PAGE.content
    assert "attached" in text.get_content()
    assert max(map(len, inbox.mails[0][1].splitlines())) <= 998
    assert inbox.mails[0][1].isascii()


def test_lines_that_are_dots_arrive_as_they_are(tmp_path):
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["From"], mail["To"] = "a@example.com", "b@example.com"
    mail.set_content(".\n..\n.a\n\n.\n", cte="7bit")
    inbox = Inbox()
    with serving(inbox) as port, Mailer(settings(port), tmp_path) as mailer:
        mailer.send(mail, "b@example.com")
    body = inbox.mails[0][1].partition(b"\r\n\r\n")[2]
    assert body == b".\r\n..\r\n.a\r\n\r\n.\r\n"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_it_logs_in_only_over_an_encrypted_connection(security, tmp_path, authority, monkeypatch):
    monkeypatch.setenv("PW", PASSWORD)
    inbox, logins = Inbox(), []

    def counted(*arguments) -> AuthResult:
        logins.append(1)
        return check_login(*arguments)

    options = {"authenticator": counted}
    if security == "tls":
        options |= {"ssl_context": tls(authority), "auth_require_tls": False}
    else:
        options |= {"tls_context": tls(authority), "require_starttls": True, "auth_required": True}
    with serving(inbox, **options) as port:
        more = {"security": security, "user": USER, "password": {"env": "PW"}}
        assert deliver(port, tmp_path, ANN, BOB, ca_file=str(authority[1]), **more) == [None, None]
    assert inbox.to() == ["ann@example.com", "bob@example.com"]
    assert len(logins) == 1


def test_a_wrong_password_stops_everything_and_is_never_shown(
    tmp_path, authority, monkeypatch, caplog
):
    caplog.set_level(logging.DEBUG)
    wrong = PASSWORD + "-wrong"
    monkeypatch.setenv("PW", wrong)
    inbox, logins = Inbox(), []

    def counted(*arguments) -> AuthResult:
        logins.append(1)
        return check_login(*arguments)

    options = {"authenticator": counted, "auth_required": True, "tls_context": tls(authority)}
    slept = Slept()
    with serving(inbox, **options) as port:
        more = {"security": "starttls", "user": USER, "password": {"env": "PW"}}
        errors = deliver(
            port, tmp_path, ANN, BOB, EVE, ca_file=str(authority[1]), sleep=slept, **more
        )
    used = len(logins)
    assert inbox.mails == []
    assert slept == []
    assert used <= 2  # each way of logging in that the server offers, once
    for error in errors:
        assert (error.permanent, error.everyone, error.uncertain) == (True, True, False)
        assert "Check user and password" in str(error)
        assert "***" in str(error)
        hidden(error, wrong, caplog)


def hidden(error: BaseException, secret: str, caplog) -> None:
    spellings = {secret, base64.b64encode(secret.encode()).decode()}
    said = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
    # The servers of these tests log too; only what this package and its libraries log counts.
    said += "".join(r.getMessage() for r in caplog.records if not r.name.startswith("mail"))
    assert not [s for s in spellings if s in said]
    chained = error.__context__
    while chained is not None:
        assert not [s for s in spellings if s in repr(chained) + repr(vars(chained))]
        chained = chained.__context__


def test_a_password_that_cannot_be_encoded_is_never_shown(tmp_path, authority, monkeypatch, caplog):
    monkeypatch.setenv("PW", "pässwörd-c4nary")
    options = {"authenticator": check_login, "tls_context": tls(authority)}
    with serving(Inbox(), **options) as port:
        more = {"security": "starttls", "user": USER, "password": {"env": "PW"}}
        (error,) = deliver(port, tmp_path, ANN, ca_file=str(authority[1]), **more)
    assert "ASCII" in str(error)
    assert error.everyone
    hidden(error, "pässwörd-c4nary", caplog)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_is_not_trusted_stops_everything(
    security, tmp_path, authority, monkeypatch
):
    monkeypatch.setenv("PW", PASSWORD)
    context, logins = tls(authority), []
    options = {"tls_context": context} if security == "starttls" else {"ssl_context": context}
    inbox = Inbox()

    def counted(*arguments) -> AuthResult:
        logins.append(1)
        return check_login(*arguments)

    with serving(inbox, authenticator=counted, **options) as port:
        more = {"security": security, "user": USER, "password": {"env": "PW"}}
        (error,) = deliver(port, tmp_path, ANN, **more)
    assert (error.permanent, error.everyone) == (True, True)
    assert "ca_file" in str(error)
    assert inbox.mails == []
    assert logins == []


def test_a_certificate_of_another_host_is_not_trusted(tmp_path, authority):
    with serving(Inbox(), tls_context=tls(authority, "other.example.com")) as port:
        (error,) = deliver(port, tmp_path, ANN, security="starttls", ca_file=str(authority[1]))
    assert (error.permanent, error.everyone) == (True, True)
    assert "127.0.0.1" in str(error)


def test_without_starttls_nothing_is_sent(tmp_path, monkeypatch):
    monkeypatch.setenv("PW", PASSWORD)
    inbox = Inbox()
    options = {"authenticator": check_login, "auth_require_tls": False}
    with serving(inbox, **options) as port:
        more = {"security": "starttls", "user": USER, "password": {"env": "PW"}}
        (error,) = deliver(port, tmp_path, ANN, **more)
        (other,) = deliver(port, tmp_path, ANN, security="tls")
    assert "does not offer STARTTLS" in str(error)
    assert "starttls" in str(other)
    assert error.everyone
    assert other.everyone
    assert inbox.seen == inbox.mails == []


def test_a_ca_file_that_is_none_is_named(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "missing.pem"):
        (error,) = deliver(9, tmp_path, ANN, security="tls", ca_file=name)
        assert name in str(error)
        assert error.everyone


def test_a_refused_address_leaves_the_others_alone(tmp_path):
    class Refusing(Inbox):
        def on_rcpt(self, server, address):
            return "550 5.1.1 nobody here" if address.startswith("bob") else "250 OK"

    inbox, slept = Refusing(), Slept()
    with serving(inbox) as port:
        first, second, third = deliver(port, tmp_path, ANN, BOB, EVE, sleep=slept)
    assert (first, third) == (None, None)
    assert (second.permanent, second.everyone, second.uncertain) == (True, False, False)
    assert "bob@example.com was refused: 550" in str(second)
    assert inbox.to() == ["ann@example.com", "eve@example.com"]
    assert inbox.connections == 1
    assert slept == []


@pytest.mark.parametrize("step", ["rcpt", "data"])
def test_not_now_is_tried_again_later(step, tmp_path):
    class Busy(Inbox):
        left = 2

        def answer(self) -> str:
            self.left -= 1
            return "250 OK" if self.left < 0 else "451 4.7.1 greylisted"

        def on_rcpt(self, server, address):
            return self.answer() if step == "rcpt" else "250 OK"

        def on_data(self, server, envelope):
            return self.answer() if step == "data" else "250 OK"

    inbox, slept = Busy(), Slept()
    with serving(inbox) as port:
        assert deliver(port, tmp_path, ANN, sleep=slept) == [None]
    assert inbox.to() == ["ann@example.com"]
    assert len(slept) == 2
    assert all(0 < seconds <= 60 for seconds in slept)


def test_it_gives_up_after_the_attempts(tmp_path):
    class Busy(Inbox):
        def on_rcpt(self, server, address):
            return "450 4.2.0 try later"

    inbox, slept = Busy(), Slept()
    with serving(inbox) as port:
        (error,) = deliver(port, tmp_path, ANN, sleep=slept, attempts=3)
    assert (error.permanent, error.everyone, error.uncertain) == (False, False, False)
    assert "450" in str(error)
    assert len(inbox.seen) == 3
    assert len(slept) == 2


def test_nobody_there_concerns_everyone(tmp_path):
    slept = Slept()
    for error in deliver(free_port(), tmp_path, ANN, BOB, EVE, attempts=3, sleep=slept):
        assert (error.permanent, error.everyone) == (False, True)
        assert "cannot be reached" in str(error)
    assert len(slept) == 2


def test_a_connection_lost_before_the_message_is_made_again(tmp_path):
    class Dropping(Inbox):
        left = 2

        def on_rcpt(self, server, address):
            self.left -= 1
            if self.left >= 0:
                server.transport.abort()
            return "250 OK"

    inbox = Dropping()
    with serving(inbox) as port:
        assert deliver(port, tmp_path, ANN, BOB) == [None, None]
    assert inbox.to() == ["ann@example.com", "bob@example.com"]
    assert inbox.connections == 3


def test_a_connection_lost_after_the_message_is_never_tried_again(tmp_path):
    class Dropping(Inbox):
        def on_data(self, server, envelope):
            if envelope.rcpt_tos[0].startswith("ann"):
                server.transport.abort()
            return "250 OK"  # it has the message; the answer is lost

    inbox, slept = Dropping(), Slept()
    with serving(inbox) as port:
        first, second = deliver(port, tmp_path, ANN, BOB, sleep=slept)
    assert (first.uncertain, first.permanent, first.everyone) == (True, False, False)
    assert second is None
    assert inbox.to() == ["ann@example.com", "bob@example.com"]
    assert slept == []


def test_silence_after_the_message_is_uncertain_too(tmp_path):
    class Silent(Inbox):
        async def handle_DATA(self, server, session, envelope):  # noqa: N802
            await asyncio.sleep(1.5)
            return await super().handle_DATA(server, session, envelope)

    inbox = Silent()
    with serving(inbox) as port:
        (error,) = deliver(port, tmp_path, ANN, timeout_seconds=0.5)
    assert error.uncertain
    assert inbox.seen == ["ann@example.com"]


def test_a_refused_sender_concerns_everyone(tmp_path):
    class Strict(Inbox):
        async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
            return "553 5.7.1 not yours"

    first, second = None, None
    with serving(Strict()) as port:
        first, second = deliver(port, tmp_path, ANN, BOB)
    assert (first.permanent, first.everyone) == (True, True)
    assert "`sender`" in str(first)
    assert second.everyone


def test_a_message_that_is_too_large_concerns_itself_alone(tmp_path):
    inbox = Inbox()
    with serving(inbox, data_size_limit=1_000) as port:
        (error,) = deliver(port, tmp_path, ANN)
    assert (error.permanent, error.everyone) == (True, False)
    assert "552" in str(error)


@pytest.mark.parametrize("bad", ["a@example.com\r\nRCPT TO:<b@example.com>", "a,b@example.com", ""])
def test_an_address_cannot_be_a_command(bad, tmp_path):
    inbox = Inbox()
    with (
        serving(inbox) as port,
        Mailer(settings(port), tmp_path) as mailer,
        pytest.raises(DeliveryError) as caught,
    ):
        mailer.send(message(), bad)
    assert caught.value.permanent
    assert inbox.seen == []


def test_the_message_id_is_the_same_for_the_same_occasion():
    def made(recipient=ANN, **more) -> str:
        return str(
            compose(BODY, recipient, WEEK._replace(**more), settings=settings(25)).message_id
        )

    assert made() == made()
    assert made() == made(Recipient("ANN@example.com", "another reason"))
    assert re.fullmatch(r"<[0-9a-f]{40}@example\.com>", made())
    others = [made(BOB), made(report="x"), made(period="2026-W47"), made(instance="1003")]
    others += [made(report="weekly2", period="026-W46")]
    assert len({made(), *others}) == 6


def test_a_page_is_linked_where_it_is_published():
    linked = settings(25, link="https://reports.example.com/a?".rstrip("?"))
    out = compose(BODY, ANN, WEEK, settings=linked, page=PAGE)
    address = "https://reports.example.com/a/weekly/weekly-2026-W46.html"
    text, related = out.message.iter_parts()
    html = next(related.iter_parts()).get_content()
    assert out.message.get_content_type() == "multipart/alternative"
    assert html.count(f'href="{address}"') == 2
    assert text.get_content().count(address) == 2
    both = compose(BODY, ANN, WEEK, settings=settings(25, link=linked.link, attach=True), page=PAGE)
    assert len(list(both.message.iter_attachments())) == 1
    assert [out.enclosed, both.enclosed] == ["linked", "attached"]


def test_a_page_that_is_too_large_is_not_attached():
    large = PAGE._replace(content=b"x" * 1_000_001)
    out = compose(BODY, ANN, WEEK, settings=settings(25, most_megabytes=1), page=large)
    assert out.enclosed == "none"
    assert "too large" in out.message.get_body(("plain",)).get_content()
    assert out.size < 100_000


@given(st.sampled_from(NAMES) | st.text(max_size=200), st.text(max_size=40))
def test_no_name_becomes_a_header(name, stem):
    from senderscore_nb.reports.mail import subject

    line = subject(name, {"week": name, "headline": name})
    body = MailBody(line, BODY.html, BODY.text)
    page = Page(f"{stem}.html", b"x")
    out = compose(body, ANN, WEEK, settings=settings(25), page=page)
    read = parsed(out.message.as_bytes())
    assert len(line) <= 150
    assert line.isprintable()
    assert read["Subject"] == line
    assert set(read.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("MIME-Version", "Content-Type"),
    }
    (attached,) = read.iter_attachments()
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,80}\.html", attached.get_filename())


@given(st.text(max_size=60))
def test_the_senders_name_arrives_as_it_is(name):
    try:
        chosen = settings(25, sender=f"{name}<reports@example.com>")
    except ValidationError:
        return
    out = compose(BODY, ANN, WEEK, settings=chosen)
    # The library's newer parser keeps the space between two encoded words of a name.
    raw = email.message_from_bytes(out.message.as_bytes())["From"]
    shown, address = parseaddr(raw)
    assert address == "reports@example.com"
    assert str(make_header(decode_header(shown))) == chosen.sender.name
    assert max(map(len, raw.splitlines())) <= 998


def test_a_dry_run_lists_what_would_be_sent():
    rows = planned([compose(BODY, r, WEEK, settings=settings(25), page=PAGE) for r in (ANN, BOB)])
    assert rows.columns == ["recipient", "reason", "subject", "page", "bytes"]
    assert rows["recipient"].to_list() == ["ann@example.com", "bob@example.com"]
    assert rows["page"].to_list() == ["attached", "attached"]
    assert rows["subject"][0] == BODY.subject
    assert rows["bytes"].min() > 1_000
    assert planned([]).is_empty()
    assert struct.unpack(">II", PNG[16:24]) == (1, 1)
