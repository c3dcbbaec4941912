"""Pulling from an API that fails, and keeping the token to oneself."""

from __future__ import annotations

import json
import logging
import re
import ssl
import time
import traceback
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trustme
from click.testing import CliRunner, Result
from pydantic import SecretStr

from senderscore_nb.cli import main
from senderscore_nb.errors import PullError, SecretError, SenderScoreError
from senderscore_nb.sources.hubspot import ApiSettings, Clock, ScopeError, pull_hubspot
from tests.hubspot_portal import (
    SCOPES,
    TOKEN,
    Account,
    Portal,
    error,
    limited,
    serving,
    some_mails,
)

HTML = b"<!DOCTYPE html><html><title>Please log in</title></html>"
AT = 2
"""The first search: before it come owners, those that are archived too."""


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serving(Portal()) as server:
        yield server


@pytest.fixture
def account(server: Any, tmp_path: Path) -> Account:
    account = Account(server, tmp_path / "crm")
    some_mails(account.portal, 30)
    return account


def failed(account: Account, **options: Any) -> SenderScoreError:
    """The error of a pull; neither it nor what is chained to it holds the token."""
    with pytest.raises(SenderScoreError) as caught:
        account.pull(**options)
    seen: BaseException | None = caught.value
    while seen is not None:
        said = "".join(traceback.format_exception(seen)) + repr(vars(seen)) + repr(seen.args)
        assert "c4nary" not in said
        seen = seen.__context__
    return caught.value


@pytest.mark.parametrize(
    ("fault", "least"),
    [
        (limited("TEN_SECONDLY_ROLLING"), 10),
        (limited("SECONDLY"), 1),
        (limited("SECONDLY", Retry_After="7"), 7),
        (limited("X", X_HubSpot_RateLimit_Interval_Milliseconds="4000"), 4),
        (error(500, "INTERNAL", "Something went wrong."), 0.5),
        ((502, HTML, {}), 0.5),
        ((503, b"", {"Retry-After": "20"}), 20),
        ((504, b"", {}), 0.5),
        ((477, b"", {"Retry-After": "30"}), 30),
        ((423, b"", {}), 0.5),
        ("drop", 0.5),
        ("truncate", 0.5),
        ((200, b'{"total": 30, "results": [{"id"', {}), 0.5),
        ((200, HTML, {"Content-Type": "text/html"}), 0.5),
        ((200, b"", {}), 0.5),
        ((200, b"[" * 100_000, {}), 0.5),
        ((200, {"results": []}, {}), 0.5),
        ((200, {"total": 3, "results": [{"id": "../x"}]}, {}), 0.5),
    ],
)
def test_what_may_pass_is_tried_again_as_late_as_is_asked(
    account: Account, fault: Any, least: float
) -> None:
    for number in (AT, AT + 1, AT + 3):
        account.portal.faults[number] = fault
    account.pull(page=10)
    assert account.pulled() == account.theirs()
    assert sum(seconds >= least for seconds in account.clock.slept) >= 3
    assert max(account.clock.slept) <= least + 60


def test_an_answer_that_is_slow_is_waited_for_no_longer_than_said(account: Account) -> None:
    account.portal.faults[AT] = "slow"
    account.pull(timeout_seconds=0.2)
    assert account.pulled() == account.theirs()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (limited("DAILY"), "daily limit of requests is used up.*midnight.*goes on from there"),
        (limited("SECONDLY", Retry_After="7200"), "wants 7200 seconds of peace"),
        (error(401, "EXPIRED_AUTHENTICATION", f"{TOKEN} expired"), "The token has expired"),
        (error(401, "INVALID_AUTHENTICATION", "no"), "The token is not accepted"),
        (error(403, "FORBIDDEN", f"not for {TOKEN}"), r"403: not for \*\*\*"),
        (error(400, "VALIDATION_ERROR", "There is no such property"), "400: There is no such"),
        ((404, HTML, {}), "404.*--base-url"),
        ((302, b"", {"Location": "http://127.0.0.1:9/"}), "leads to another address"),
    ],
)
def test_what_does_not_pass_ends_the_pull_and_the_next_one_goes_on(
    account: Account, fault: Any, said: str
) -> None:
    account.portal.most = 10
    account.portal.faults[AT + 7] = fault
    caught = failed(account, page=5, window=10)
    assert isinstance(caught, PullError)
    assert re.search(said, str(caught)), str(caught)
    kept = len(account.pulled())
    assert 0 < kept < 30
    account.portal.asked.clear()
    account.pull(page=5, window=10)
    assert account.pulled() == account.theirs()
    again = [body["filterGroups"][0]["filters"][0]["value"] for body in account.portal.searches()]
    assert min(again) > "0"  # it does not begin once more


def test_it_gives_up_after_so_many_tries(account: Account) -> None:
    account.portal.faults = {AT + n: (503, b"", {}) for n in range(3)}
    assert "503. It was tried 3 times." in str(failed(account, attempts=3))
    account.portal.faults = {len(account.portal.asked): "drop"}
    assert "It was tried once." in str(failed(account, attempts=1))


def test_a_page_of_a_proxy_is_named(account: Account) -> None:
    account.portal.faults = {AT + n: (200, HTML, {}) for n in range(8)}
    assert "A web page came instead of data" in str(failed(account))


def test_a_missing_scope_of_the_mails_is_named(account: Account) -> None:
    account.portal.scopes = SCOPES[1:]
    caught = failed(account)
    assert isinstance(caught, ScopeError)
    assert caught.scopes == ("sales-email-read",)
    assert "sales-email-read" in str(caught)


def test_mails_without_addresses_hint_at_the_scope(account: Account) -> None:
    for i in range(1, 31):
        account.portal.put(str(i), 1, hs_email_from_email="", hs_email_to_email="")
    (note,) = account.pull(page=10).notes
    assert "sales-email-read" in note


def test_a_proxy_that_ignores_the_order_is_found_out(account: Account) -> None:
    mails = [account.portal.mails[i] for i in ("5", "4")]
    account.portal.faults[AT] = (200, {"total": 2, "results": mails}, {})
    assert "order" in str(failed(account))


def test_pages_that_go_round_in_a_circle_end(account: Account) -> None:
    page = {"results": [], "paging": {"next": {"after": "x"}}}
    account.portal.faults = {0: (200, page, {}), 1: (200, page, {})}
    assert "circle" in str(failed(account))


def test_it_goes_no_faster_than_the_account_allows(account: Account) -> None:
    account.pull(page=1)
    searches = [
        at
        for at, (_, target, _) in zip(account.portal.times, account.portal.asked, strict=True)
        if target.endswith("search")
    ]
    assert len(searches) == 30
    gaps = [b - a for a, b in pairwise(searches)]
    assert min(gaps) > 0.249


def test_a_span_that_is_used_up_is_waited_out(account: Account) -> None:
    account.portal.owner("901", 7, "jo@us.example")
    used = {"X-HubSpot-RateLimit-Remaining": "0",
            "X-HubSpot-RateLimit-Interval-Milliseconds": "9000"}  # fmt: skip
    account.portal.faults[0] = (200, {"results": account.portal.owners}, used)
    account.pull()
    assert account.portal.times[1] - account.portal.times[0] > 8.9


def test_the_token_goes_nowhere_else(
    account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serving(Portal()) as other:
        elsewhere = f"http://127.0.0.1:{other.server_port}/crm"
        account.portal.faults[AT] = (
            307,
            {"token": TOKEN},
            {"Location": elsewhere, "X-Echo": TOKEN},
        )
        failed(account)
        assert other.portal.asked == []
    account.pull()
    assert account.pulled() == account.theirs()
    assert "c4nary" not in caplog.text
    for file in account.folder.rglob("*"):
        assert not file.is_file() or b"c4nary" not in file.read_bytes()
    assert {h["authorization"] for h in account.portal.headers} == {f"Bearer {TOKEN}"}


def test_certificates_are_checked(
    account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with serving(account.portal, context) as server:
        url = f"https://127.0.0.1:{server.server_port}/"
        assert "certificate is not trusted" in str(failed(account, base_url=url))
        assert account.portal.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        account.pull(base_url=url)
    assert account.pulled() == account.theirs()


def test_where_nobody_answers(account: Account) -> None:
    found = failed(account, base_url="http://127.0.0.1:9", attempts=2)
    assert "The server cannot be reached. It was tried 2 times." in str(found)


@pytest.mark.parametrize(
    "url",
    ["http://api.example.com", "ftp://127.0.0.1", "https://u:p@api.example.com", "api", "",
     "http://127.0.0.1.example.com", "https://api.example.com/?x=1", "http://[::2]/"],
)  # fmt: skip
def test_addresses_that_no_token_is_sent_to(account: Account, url: str) -> None:
    assert "--base-url" in str(failed(account, base_url=url))
    assert account.portal.asked == []


@pytest.mark.parametrize(
    "token", ["", "short", "two lines\nc4nary000", "c4naryü00000", "c4nary 000"]
)
def test_what_is_no_token_is_not_sent(account: Account, token: str) -> None:
    assert isinstance(failed(account, token=token), SecretError)
    assert account.portal.asked == []


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["pull", *arguments], catch_exceptions=False)


def test_the_command(account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    account.portal.now = time.time
    folder = str(account.folder)
    fast = ("--base-url", account.url, "--searches-per-second", "1000")
    monkeypatch.delenv("HUBSPOT_TOKEN", raising=False)
    got = run(folder, *fast)
    assert (got.exit_code, "HUBSPOT_TOKEN is not set" in got.output) == (2, True)
    monkeypatch.setenv("HUBSPOT_TOKEN", TOKEN)
    got = run(folder, *fast, "--since", "2026-03-01")
    assert got.exit_code == 0, got.output
    assert "Mails: 30 pulled, 30 in " in got.output
    assert account.pulled() == account.theirs()
    private = tmp_path / "token"
    private.write_text(TOKEN)
    private.chmod(0o600)
    got = run(folder, *fast, "--token-file", str(private), "--quiet")
    assert (got.exit_code, got.output) == (0, "")
    account.portal.token = "another-token"  # noqa: S105
    got = run(folder, *fast)
    assert got.exit_code == 2
    assert "The token is not accepted" in got.output
    assert "c4nary" not in got.output
    for wrong, said in (
        (("--since", "soon"), "not a day"),
        (("--token-env", "A", "--token-file", "b"), "2 places"),
        (("--token-env", "no name"), "env is the name"),
    ):
        got = run(folder, *fast, *wrong)
        assert (got.exit_code, said in got.output) == (2, True), got.output


def test_a_folder_that_cannot_be_written_is_named(account: Account, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    account.folder = tmp_path / "file"
    assert str(tmp_path / "file") in str(failed(account))


def test_the_state_is_small_and_holds_no_address(account: Account) -> None:
    account.pull()
    state = json.loads((account.folder / ".pull" / "state.json").read_text())
    assert set(state) == {"version", "since", "through", "with_text", "run"}


def test_an_interrupt_is_no_end(account: Account) -> None:
    count = iter(range(100))
    sleep = account.clock.sleep

    def sleeping(seconds: float) -> None:
        if next(count) == 6:
            raise KeyboardInterrupt
        sleep(seconds)

    clock = Clock(account.clock.now, account.clock.now, sleeping)
    settings = ApiSettings(base_url=account.url, page=5, window=10)
    account.portal.most = 10
    with pytest.raises(KeyboardInterrupt):
        pull_hubspot(account.folder, SecretStr(TOKEN), settings=settings, clock=clock)
    account.pull(page=5, window=10)
    assert account.pulled() == account.theirs()
