"""Telling: each recipient once a period, whoever is dead, whatever fails, through a real server."""

from __future__ import annotations

import datetime as dt
import json
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from senderscore_nb.schedule.ledger import Ledger
from senderscore_nb.schedule.outbox import Outbox
from senderscore_nb.schedule.run import retry, run_due, run_report_for
from senderscore_nb.schedule.status import status_of
from tests.mail_server import Inbox, free_port, serving
from tests.projects import EACH, NOW, PLAN, WEEK, WEEKLY, history_of, make_project, settle
from tests.test_schedule_run import run


def mail_table(port: int, *more: str) -> str:
    lines = [
        "[mail]",
        'host = "127.0.0.1"',
        f"port = {port}",
        'security = "none"',
        'sender = "Reports <reports@example.com>"',
        "attempts = 1",
        "timeout_seconds = 5",
        *more,
    ]
    return "\n" + "\n".join(lines) + "\n"


TELL = EACH + 'tell = { senders = true, teams = { North = ["lead@example.com"] } }\n'
EVERYBODY = [
    *("ann@example.com", "bob@example.com", "cem@example.com"),
    *("lead@example.com", "lead@example.com"),
]


@pytest.fixture
def inbox():
    kept = Inbox()
    with serving(kept) as port:
        kept.port = port
        yield kept


def statuses(project) -> dict[str, str]:
    return {
        f"{target.instance} {address}": record["status"]
        for (target, _, address), record in history_of(project).told.items()
    }


def test_each_gets_their_own_and_once(tmp_path, inbox):
    project = make_project(tmp_path, PLAN + TELL + mail_table(inbox.port))
    outcome = run(project)
    assert outcome.is_well
    assert sorted(inbox.to()) == EVERYBODY
    subjects = {to: message_from_bytes(mail, policy=default)["Subject"] for to, mail in inbox.mails}
    assert subjects["bob@example.com"] == f"About {WEEK} bob"
    assert set(statuses(project).values()) == {"sent"}
    assert list(Outbox(project.output).letters()) == []
    run(project)
    run_report_for(project, "each", WEEK, now=NOW, tell=True)
    assert sorted(inbox.to()) == EVERYBODY


def test_without_telling_the_letters_wait(tmp_path, inbox):
    project = make_project(tmp_path, PLAN + TELL + mail_table(inbox.port))
    run(project, tell=False)
    assert inbox.mails == []
    letters = list(Outbox(project.output).letters())
    assert len(letters) == 3
    for file in Outbox(project.output).folder.iterdir():
        assert file.stat().st_mode & 0o077 == 0
    unsent = status_of(project, NOW).unsent
    assert sorted(unsent) == [f"each {WEEK} {user}" for user in ("ann", "bob", "cem")]
    run(project)
    assert sorted(inbox.to()) == EVERYBODY


def test_a_dead_recipient_does_not_stop_the_others(tmp_path):
    class Picky(Inbox):
        def on_rcpt(self, server, address):
            return "550 5.1.1 no such user" if address.startswith("bob") else "250 OK"

    inbox = Picky()
    with serving(inbox) as port:
        project = make_project(tmp_path, PLAN + TELL + mail_table(port))
        outcome = run(project)
        assert sorted(inbox.to()) == [a for a in EVERYBODY if not a.startswith("bob")]
        assert not outcome.is_well
        assert statuses(project)["bob bob@example.com"] == "refused"
        assert "no such user" in outcome.messages.failed[0]
        run(project, now=NOW + dt.timedelta(days=1))
        assert inbox.seen.count("bob@example.com") == 1  # not again by itself
        retry(project)
        assert inbox.seen.count("bob@example.com") == 2
        assert len(inbox.mails) == 4


def test_what_failed_for_now_is_tried_again_later_and_not_for_ever(tmp_path):
    inbox, port = Inbox(), free_port()
    project = make_project(tmp_path, PLAN + TELL + mail_table(port))
    outcome = run(project)  # nobody listens
    assert not outcome.is_well
    assert all(s == "failed" for s in statuses(project).values())
    assert not status_of(project, NOW).is_well
    assert run(project).messages.failed == []  # there is a pause
    assert run(project, now=NOW + dt.timedelta(minutes=20)).messages.failed
    assert run(project, now=NOW + dt.timedelta(hours=3)).messages.failed
    assert run(project, now=NOW + dt.timedelta(days=3)).messages.failed == []  # three times
    with serving(inbox) as other:
        text = project.path.read_text().replace(str(port), str(other))
        project.path.write_text(text)
        retry(type(project).open(project.path))
    assert sorted(inbox.to()) == EVERYBODY


def test_one_that_may_have_arrived_is_never_sent_again(tmp_path):
    class Dropping(Inbox):
        def on_data(self, server, envelope):
            self.mails.append((envelope.rcpt_tos[0], envelope.content))
            server.transport.abort()  # it took the message and never says so
            return "250 OK"

    inbox = Dropping()
    with serving(inbox) as port:
        project = make_project(
            tmp_path, PLAN + WEEKLY + 'tell = { to = ["a@example.com"] }\n' + mail_table(port)
        )
        run(project)
        assert list(statuses(project).values()) == ["uncertain"]
        before = len(inbox.mails)
        retry(project)
        run(project, now=NOW + dt.timedelta(days=1))
        assert len(inbox.mails) == before
        assert status_of(project, NOW).uncertain == (f"mail about weekly {WEEK}",)
        assert "nobody knows" in "\n".join(status_of(project, NOW).lines)


def test_a_message_that_was_begun_when_the_run_was_killed_is_not_sent_again(tmp_path, inbox):
    plan = PLAN + WEEKLY + 'tell = { to = ["a@example.com", "b@example.com"] }\n'
    project = make_project(tmp_path, plan + mail_table(inbox.port))
    run(project, tell=False)
    Ledger(project.output).add(
        "telling",
        report="weekly",
        period=WEEK,
        instance="",
        channel="mail",
        address="a@example.com",
    )
    run(project)
    assert inbox.to() == ["b@example.com"]
    assert statuses(project) == {" a@example.com": "uncertain", " b@example.com": "sent"}


def test_a_sender_without_an_address_is_named(tmp_path, inbox):
    project = make_project(tmp_path, PLAN + TELL + mail_table(inbox.port))
    roster = tmp_path / "data" / "roster.csv"
    roster.write_text(roster.read_text().replace("cem@example.com", ""))
    settle(roster)
    run(project)
    assert "cem@example.com" not in inbox.to()
    told = [r for r in Ledger(project.output).records() if r["status"] == "unreachable"]
    assert len(told) == 1
    assert "Cem Example" in told[0]["error"]
    assert "unreachable" in (project.output / "index.html").read_text()


def test_the_mail_of_a_real_report(tmp_path, inbox):
    plan = PLAN + EACH + 'selection = { users = ["ann"] }\ntell = { senders = true }\n'
    rule = '[[alerts]]\nname = "low"\nmetric = "bounce_rate"\nabove = 0.9\n'
    link = 'link = "https://reports.example.com/x/"'
    project = make_project(tmp_path, plan + mail_table(inbox.port, link) + rule)
    outcome = run_due(project, now=NOW)
    assert outcome.is_well, outcome
    ((to, content),) = inbox.mails
    assert to == "ann@example.com"
    mail = message_from_bytes(content, policy=default)
    assert mail["Subject"].startswith(f"Sender score: {WEEK} – Ann Example: ")
    html = mail.get_body(("html",)).get_content()
    page = next(project.output.rglob("Ann-*.html")).relative_to(project.output).as_posix()
    assert f'href="https://reports.example.com/x/{page}"' in html
    assert "<script" not in html
    assert len(html) < 102_000
    pictures = [p for p in mail.walk() if p.get_content_type() == "image/png"]
    assert len(pictures) == 3
    assert "Where you stand" in mail.get_body(("plain",)).get_content()


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.server.got.append((self.path, json.loads(self.rfile.read(length))))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    server = HTTPServer(("127.0.0.1", 0), Hook)
    server.got, server.answers = [], []
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_webhook_gets_one_line_for_all_pages(tmp_path, hook):
    project = make_project(
        tmp_path,
        PLAN + EACH + "tell = { webhook = true }\n" + WEEKLY + "tell = { webhook = true }\n"
        '[webhook]\nurl = { file = "hook" }\n',
    )
    secret = tmp_path / "hook"
    secret.write_text(f"http://127.0.0.1:{hook.server_port}/services/T0/B0/canary")
    secret.chmod(0o600)
    assert run(project).is_well
    run(project)
    lines = sorted(body["text"] for _, body in hook.got)
    assert lines == [
        f"Sender score, each {WEEK}: 3 pages made.",
        f"Sender score, weekly {WEEK}: 1 page made.",
    ]
    assert {path for path, _ in hook.got} == {"/services/T0/B0/canary"}


def test_a_webhook_that_refuses_is_said_without_its_address(tmp_path, hook):
    plan = (
        PLAN
        + WEEKLY
        + 'tell = { webhook = true }\n[webhook]\nurl = { file = "hook" }\nattempts = 1\n'
    )
    project = make_project(tmp_path, plan)
    secret = tmp_path / "hook"
    secret.write_text(f"http://127.0.0.1:{hook.server_port}/services/T0/B0/canary")
    secret.chmod(0o600)
    hook.answers = [500]
    outcome = run(project)
    assert not outcome.is_well
    assert "canary" not in str(outcome)
    assert run(project, now=NOW + dt.timedelta(hours=1)).is_well
    assert len(hook.got) == 2
