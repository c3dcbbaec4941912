"""What the page about the API says: its commands and its Python run, its messages exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from senderscore_nb.cli import main
from senderscore_nb.cli.pull import pull
from senderscore_nb.sources.emails.columns import MAIL
from senderscore_nb.sources.hubspot import mails
from tests.conftest import ROOT
from tests.hubspot_portal import SCOPES, TOKEN, Account, Portal, serving, some_mails
from tests.test_docs import blocks

PAGE = ROOT / "docs" / "hubspot-api.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with serving(Portal()) as server:
        account = Account(server, tmp_path / "crm")
        some_mails(account.portal, 250)
        account.portal.owner("901", 7, "jo@us.example")
        account.portal.sequence("7", "31", "Welcome")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
        yield account


def test_the_commands_and_the_python_run(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    export, *commands = blocks(PAGE, "sh")[0].splitlines()
    assert export.startswith("export HUBSPOT_TOKEN=")
    fast = ["--base-url", account.url, "--searches-per-second", "1000"]
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "senderscore"
        got = CliRunner().invoke(main, arguments + (fast if arguments[0] == "pull" else []))
        assert got.exit_code == 0, (command, got.output)
    (code,), (shown,) = blocks(PAGE, "python"), blocks(PAGE, "text")
    here = code.replace("searches_per_second=3", f"{account.url!r}, searches_per_second=1000")
    assert here != code
    capsys.readouterr()
    exec(compile(here, "hubspot-api.md", "exec"), {})  # noqa: S102
    said = capsys.readouterr().out
    moment = r"up to \S+ \S+ UTC"
    assert re.sub(moment, "", said) == re.sub(moment, "", shown)


def test_the_lines_for_cron_are_understood(account: Account, tmp_path: Path) -> None:
    token = tmp_path / "hubspot.token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    for line in blocks(PAGE, "cron")[0].splitlines():
        _, *arguments = shlex.split(line)[5:]
        here = [a.replace("/srv/scores", str(tmp_path)) for a in arguments]
        fast = ["--base-url", account.url, "--searches-per-second", "1000"]
        got = CliRunner().invoke(main, [*here, *fast])
        assert (got.exit_code, got.output) == (0, "")
    assert account.pulled() == account.theirs()


def test_every_scope_option_and_message_is_there() -> None:
    scopes = TEXT.split("## The token")[1].split("## What is pulled")[0]
    assert set(re.findall(r"^\| `([a-z.-]+)` \|", scopes, re.MULTILINE)) == set(SCOPES)
    options = {o for p in pull.params for o in p.opts if o.startswith("--")}
    named = set(re.findall(r"(--[a-z][a-z-]+)", TEXT))
    assert options - named <= {"--base-url"}
    ours = named - {"--owners", "--sequences", "--timezone"}
    assert ours <= options
    code = "".join(
        p.read_text("utf-8") for p in (ROOT / "senderscore_nb/sources/hubspot").glob("*.py")
    )
    messages = re.findall(r"\*([^*|`]+)\*(?:,| \|)", TEXT.split("## When something is wrong")[1])
    assert len(messages) == 11
    spaced = re.sub(r'"\s+f?"', "", code)
    for message in messages:
        assert message in spaced, message


def test_the_columns_are_those_of_the_page_about_mail() -> None:
    assert set(mails.COLUMNS) == {headers[0] for headers in MAIL.values()}
