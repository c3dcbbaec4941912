"""A line to a webhook: a real server on this machine, and an address that is never shown."""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
import traceback
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from senderscore_nb.delivery import DeliveryError, WebhookSettings, post, webhook_text
from tests.hostile import NAMES
from tests.test_delivery_smtp import Slept, free_port

CANARY = "T0000000/B0000000/c4nary-XXXXXXXXXXXX"
SETTINGS = WebhookSettings.model_validate({"url": {"env": "HOOK"}, "timeout_seconds": 5})


class Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.got.append((self.path, self.headers, json.loads(self.rfile.read(length))))
        answers = self.server.answers
        status, headers = answers.pop(0) if answers else (200, {})
        if status == 0:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def serving(*answers: tuple[int, dict[str, str]], context: ssl.SSLContext | None = None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.answers, server.got = list(answers), []
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def every_log(caplog):
    caplog.set_level(logging.DEBUG)


def posted(monkeypatch, tmp_path, url: str, text: str = "a line", **more) -> list[float]:
    monkeypatch.setenv("HOOK", url)
    slept = Slept()
    post(SETTINGS.model_copy(update=more), text, tmp_path, sleep=slept)
    return slept


def failed(monkeypatch, tmp_path, caplog, url: str, **more) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        posted(monkeypatch, tmp_path, url, **more)
    error = caught.value
    said = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error)) + caplog.text
    chained = error.__context__
    while chained is not None:
        said += repr(chained) + str(vars(chained))
        chained = chained.__context__
    assert "c4nary" not in said
    return error


def address(server) -> str:
    return f"http://127.0.0.1:{server.server_port}/services/{CANARY}?token=c4nary"


def test_a_line_arrives_as_slack_takes_it(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serving() as server:
        assert posted(monkeypatch, tmp_path, address(server), "Ann & Bob: 7 %") == []
    ((path, headers, body),) = server.got
    assert path == f"/services/{CANARY}?token=c4nary"
    assert headers["Content-Type"] == "application/json"
    assert body == {"text": "Ann & Bob: 7 %"}
    assert "c4nary" not in caplog.text


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_it_is_tried_again_as_late_as_the_server_asks(status, monkeypatch, tmp_path):
    later = formatdate(time.time() + 100, usegmt=True)
    answers = [(status, {"Retry-After": "7"}), (status, {}), (status, {"Retry-After": later})]
    with serving(*answers) as server:
        slept = posted(monkeypatch, tmp_path, address(server))
    assert len(server.got) == 4
    assert slept[0] >= 7
    assert slept[1] < 40
    assert slept[2] > 60


def test_it_does_not_wait_for_hours(monkeypatch, tmp_path, caplog):
    with serving((429, {"Retry-After": "7200"})) as server:
        error = failed(monkeypatch, tmp_path, caplog, address(server))
    assert "7200 seconds" in str(error)
    assert (error.permanent, error.uncertain) == (False, False)
    assert len(server.got) == 1


def test_it_gives_up_after_the_attempts(monkeypatch, tmp_path, caplog):
    with serving(*[(503, {"Retry-After": "soon"})] * 9) as server:
        error = failed(monkeypatch, tmp_path, caplog, address(server), attempts=3)
    assert "503" in str(error)
    assert not error.permanent
    assert len(server.got) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_refusal_is_not_tried_again(status, monkeypatch, tmp_path, caplog):
    with serving((status, {})) as server:
        error = failed(monkeypatch, tmp_path, caplog, address(server))
    assert error.permanent
    assert str(status) in str(error)
    assert len(server.got) == 1


def test_a_redirect_is_not_followed(monkeypatch, tmp_path, caplog):
    with serving() as other, serving((307, {"Location": address(other)})) as server:
        error = failed(monkeypatch, tmp_path, caplog, address(server))
    assert error.permanent
    assert "not followed" in str(error)
    assert other.got == []


def test_an_answer_that_does_not_come_is_uncertain(monkeypatch, tmp_path, caplog):
    with serving((0, {})) as server:
        error = failed(monkeypatch, tmp_path, caplog, address(server))
    assert (error.uncertain, error.permanent) == (True, False)
    assert len(server.got) == 1


def test_nobody_there_is_tried_again(monkeypatch, tmp_path, caplog):
    url = f"http://127.0.0.1:{free_port()}/{CANARY}"
    error = failed(monkeypatch, tmp_path, caplog, url, attempts=2)
    assert "cannot be reached" in str(error)
    assert not error.uncertain


def test_a_certificate_that_is_not_trusted_is_said(monkeypatch, tmp_path, caplog):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with serving(context=context) as server:
        url = f"https://127.0.0.1:{server.server_port}/{CANARY}"
        error = failed(monkeypatch, tmp_path, caplog, url)
    assert error.permanent
    assert "certificate" in str(error)
    assert server.got == []


@pytest.mark.parametrize(
    "url",
    [
        f"http://hooks.example.com/{CANARY}",
        f"ftp://127.0.0.1/{CANARY}",
        f"https://user:c4nary@hooks.example.com/{CANARY}",
        f"/services/{CANARY}",
        f"https:///{CANARY}",
        f"http://127.0.0.1:c4nary/{CANARY}",
        f"https://hooks.example.com/\x00{CANARY}".replace("\x00", "\x07"),
    ],
)
def test_an_address_that_is_not_safe_is_refused(url, monkeypatch, tmp_path, caplog):
    error = failed(monkeypatch, tmp_path, caplog, url)
    assert error.permanent
    assert "https" in str(error)


@given(st.sampled_from(NAMES) | st.text(max_size=900))
def test_no_name_mentions_or_formats(name):
    text = webhook_text(
        f"{name} @channel <!here> [x](http://evil.example)", "https://r.example/a&b"
    )
    line, _, link = text.rpartition(" ")
    assert link == "https://r.example/a&amp;b"
    assert not set(line) & set("<>\n\r")
    assert not any(word in line for word in ("@channel", "@here", "]("))
    assert len(webhook_text(name)) <= 500 * 5
    if len(name) < 400:
        plain = line.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        assert "<!here>" in plain
