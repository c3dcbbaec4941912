"""Secrets reach nothing; names and addresses neither, where the plan says so."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from senderscore_nb.errors import RunError
from senderscore_nb.schedule.adopt import adopt
from senderscore_nb.schedule.redact import Redactor
from senderscore_nb.schedule.run import run_due
from tests.conftest import ROOT
from tests.mail_server import Inbox, free_port, serving
from tests.notebooks import write_notebook
from tests.projects import EACH, NOW, PLAN, WEEK, make_project, write_data
from tests.test_schedule_tell import mail_table

CANARY = "c4n4ry-of-the-password"
HOOK = "https://127.0.0.1:9/services/c4n4ry-of-the-hook"

CURIOUS = (
    "import os, sys, json\nfrom pathlib import Path\n"
    "print({k: v for k, v in os.environ.items()})\n"
    "print(Path('/proc/self/environ').read_bytes())\n"
    "print(data, sys.argv)",
    "raise RuntimeError(repr(dict(os.environ)))",
)


def everything_in(folder: Path) -> str:
    """All files as text; what is packed in a page is unpacked, but for the chart runtime."""
    texts = [p.read_bytes().decode("utf-8", "replace") for p in folder.rglob("*") if p.is_file()]
    return "\n".join(re.sub(r"[A-Za-z0-9+/=]{200,}", _unpacked, text) for text in texts)


def _unpacked(match: re.Match[str]) -> str:
    content = base64.b64decode(match[0])
    if content.startswith(b"\x89PNG"):
        return ""
    content = gzip.decompress(content)
    return "" if b"vegaEmbed" in content else content.decode()


@pytest.mark.parametrize("engine", ["workers", "kernel"])
def test_no_secret_is_anywhere(tmp_path, engine):
    """A canary for a password and one for an address, and everything that leaves is searched."""
    project = make_project(
        tmp_path,
        PLAN
        + '[[reports]]\nname = "curious"\nnotebook = "curious.ipynb"\n'
        + 'tell = { to = ["a@example.com"], webhook = true }\n'
        + '[[reports]]\nname = "plain"\nnotebook = "plain.ipynb"\n'
        + 'tell = { to = ["a@example.com"], webhook = true }\n'
        + mail_table(free_port(), 'user = "me"', 'password = { env = "SMTP_PASSWORD" }').replace(
            '"none"', '"starttls"'
        )
        + '[webhook]\nurl = { env = "HOOK" }\nattempts = 1\ntimeout_seconds = 2\n'
        + f'[run]\nengine = "{engine}"\n',
    )
    parameters = 'data: list[str] = []\nperiod: str = ""'
    write_notebook(tmp_path / "curious.ipynb", *CURIOUS, parameters=parameters)
    write_notebook(tmp_path / "plain.ipynb", CURIOUS[0], parameters=parameters)
    program = [sys.executable, "-c", "from senderscore_nb.cli import main; main()"]
    environment = {**os.environ, "SMTP_PASSWORD": CANARY, "HOOK": HOOK}
    said = ""
    for words in (["run", "--due"], ["status"], ["list"], ["retry"], ["run", "plain", "--dry-run"]):
        done = subprocess.run(
            [*program, "reports", *words, "--plan", str(tmp_path)],
            env=environment,
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        said += done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    text = everything_in(project.output) + said
    assert "RuntimeError" in text  # the notebook did print and raise its environment
    assert "PATH" in text
    for secret in (CANARY, HOOK, "c4n4ry"):
        assert secret not in text


NAMES = ("Ann", "Bob", "Cem", "Example", "ann@", "bob@", "cem@", "customer.example")


def redacted(tmp_path: Path, whose: str, **more):
    plan = f'{PLAN}{EACH}tell = {{ senders = true }}\n[privacy]\nredact = "{whose}"\n'
    plan += 'key = { file = "key" }\n[[reports]]\nname = "weekly"\n[[alerts]]\nname = "any"\n'
    plan += 'metric = "bounce_rate"\nabove = 0.0001\nbaseline_weeks = 8\nwindow_weeks = 2\n'
    plan += "minimum = 1\n"
    project = make_project(tmp_path, plan + more.get("plan", ""))
    (tmp_path / "key").write_text("k" * 32)
    (tmp_path / "key").chmod(0o600)
    export = tmp_path / "data" / "export.csv"
    text = export.read_text()
    text = text.replace("Sequence 0", "Ann's best: ask bob@example.com").replace(
        "Sequence 1", "Cem Example: intro"
    )
    export.write_text(text)
    os.utime(export, (1, 1))
    return project


def test_people_are_pseudonyms_in_everything_that_leaves(tmp_path):
    inbox = Inbox()
    with serving(inbox) as port:
        project = redacted(tmp_path, "people", plan=mail_table(port))
        outcome = run_due(project, now=NOW)
    assert outcome.is_well, outcome
    assert sorted(inbox.to()) == ["ann@example.com", "bob@example.com", "cem@example.com"]
    names = [str(p.relative_to(project.output)) for p in project.output.rglob("*")]
    mails = [mail.decode("utf-8", "replace").partition("\n\n")[2] for _, mail in inbox.mails]
    text = everything_in(project.output) + "\n".join(names) + str(outcome)
    for name in NAMES:
        assert name not in text, name
    for user in ("ann", "bob", "cem"):
        assert f'"{user}"' not in text
    assert len([n for n in names if "/Sender-" in n and n.endswith(".html")]) == 3
    for mail in mails:
        assert "Example" not in mail.replace("example.com", "")
    assert "best: ask address-" in text


def test_contacts_are_pseudonyms_and_senders_keep_their_names(tmp_path):
    project = redacted(tmp_path, "contacts", plan=mail_table(free_port()))
    outcome = run_due(project, now=NOW, tell=False)
    assert not outcome.failed
    pages = "".join(p.read_text(encoding="utf-8") for p in project.output.glob("*/**/*.html"))
    assert "Ann Example" in pages
    assert "customer.example" not in pages
    assert "bob@example.com" not in pages


def test_pseudonyms_are_stable_and_need_the_key(tmp_path):
    from senderscore_nb import open_account

    account = open_account(write_data(tmp_path / "data"))
    one, same, other = (Redactor.of("people", key, account) for key in (b"a", b"a", b"b"))
    assert one.user("ann") == same.user("ann") != other.user("ann")
    assert one.user("ann") != one.user("bob")
    assert one.pseudonym("user", "x") != one.pseudonym("contact", "x")
    text = one.text("Ann Example met Bob, not Annabel, at ANN@EXAMPLE.COM.")
    assert "Annabel" in text
    for name in ("Ann E", "Bob", "ANN@"):
        assert name not in text
    assert one.text("ann@example.com") == one.text("ANN@example.com")
    none = Redactor("none", b"")
    assert none.text("Ann") == "Ann"
    assert none.account(account) is account


def test_redaction_changes_no_number(tmp_path):
    from senderscore_nb import open_account, score

    account = open_account(write_data(tmp_path / "data"))
    hidden = Redactor.of("people", b"k", account).account(account)
    numbers = ["ended", "replied", "bounced", "score", "score_low", "p_good"]
    key = [*numbers, "verdict"]
    for by in ("user", "team", "sequence", "user,week"):
        a = score(account.tallies, by=by, roster=account.roster).select(key).sort(key)
        b = score(hidden.tallies, by=by, roster=hidden.roster).select(key).sort(key)
        assert a.equals(b)
    assert hidden.reading.read == account.reading.read
    assert hidden.reading.accepted.height == account.reading.accepted.height


def test_a_notebook_that_ran_elsewhere_is_not_taken_where_names_are_hidden(tmp_path):
    project = redacted(tmp_path, "people", plan=mail_table(free_port()))
    notebook = write_notebook(tmp_path / "done.ipynb", "1")
    with pytest.raises(RunError, match="has read them"):
        adopt(project, notebook, "weekly", WEEK)


def test_the_key_is_not_in_the_ledger(tmp_path):
    project = redacted(tmp_path, "people", plan=mail_table(free_port()))
    run_due(project, now=NOW, tell=False)
    assert "k" * 32 not in everything_in(project.output)
    assert json.loads((project.output / ".senderscore" / "ledger.jsonl").read_text().split("\n")[0])


def test_the_tests_themselves_leave_no_copies_of_data(tmp_path):
    import tempfile

    project = make_project(tmp_path, PLAN + EACH)
    run_due(project, now=NOW)
    left = [p for p in Path(tempfile.gettempdir()).glob("senderscore-*") if p.name.count("-") == 2]
    from senderscore_nb.schedule.scratch import _named

    assert _named(project.output) not in left
    assert ROOT.is_dir()
