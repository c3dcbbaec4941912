"""What a plan says of delivery: addresses, settings, secrets, recipients; the docs' examples."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import sys
import tomllib
import traceback
from pathlib import Path
from urllib.parse import quote, quote_plus

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, ValidationError

from senderscore_nb.delivery.addresses import clean_address, clean_mailbox
from senderscore_nb.delivery.recipients import Recipient, recipients, unknown_teams
from senderscore_nb.delivery.settings import Audience, MailSettings, WebhookSettings
from senderscore_nb.errors import SecretError, first_problem
from senderscore_nb.secrets import Scrubber, Secret, environment_without
from tests.conftest import ROOT
from tests.hostile import NAMES

CANARY = "c4nary/p@ss+w ord&<'\"\\"


def problem(model: type[BaseModel], values: dict[str, object]) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    return str(first_problem(caught.value))


MAIL = {"host": "smtp.example.com", "sender": "Sender Score <reports@example.com>"}


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("ann@example.com", "ann@example.com"),
        (" ann@example.com ", "ann@example.com"),
        ("Ann.O'Neil+x@Example.COM", "Ann.O'Neil+x@example.com"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@straße.example", "ann@xn--strae-oqa.example"),
        ("ann@localhost", "ann@localhost"),
    ],
)
def test_an_address_is_taken(given, clean):
    assert clean_address(given) == clean
    assert clean_address(clean) == clean


@pytest.mark.parametrize(
    "bad",
    [
        *(
            "",
            "@",
            "ann",
            "ann@",
            "@example.com",
            "a@b@example.com",
            "ann@example",
            "a b@example.com",
        ),
        *("a@example.com,b@example.com", "a@example.com;b@example.com", "<a@example.com>"),
        *("a@example.com\r\nBcc: evil@example.com", "a@example.com\n", "a\x00@example.com"),
        *(
            "ann@example..com",
            "ann@-example.com",
            "ann@[127.0.0.1]",
            ".a@example.com",
            "ü@example.com",
        ),
        *('"a b"@example.com', "a@exa_mple.com", "a" * 65 + "@example.com", "a\u202e@example.com"),
        *(f"a@{'b' * 64}.com", f"a@{'b.' * 125}com", "a@example.com\u2028x"),
        *NAMES,
    ],
)
def test_what_is_not_one_plain_address_is_refused(bad):
    with pytest.raises(ValueError, match=r"."):
        clean_address(bad)


@given(st.text(max_size=40), st.text(max_size=20))
def test_whatever_is_taken_cannot_become_a_header(local, domain):
    for text in (local, f"{local}@{domain}.com", f"a@{domain}.example.com", f"{local}@example.com"):
        try:
            clean = clean_address(text)
        except ValueError:
            continue
        assert re.fullmatch(r"[!-~]+@[a-z0-9.-]+", clean)
        assert not set(clean) & set(' ,;:<>()[]"\\')


def test_a_sender_has_a_name_or_none():
    assert clean_mailbox("r@example.com") == ("", "r@example.com")
    assert clean_mailbox('"Score, Sender" <r@example.com>') == ("Score, Sender", "r@example.com")
    for bad in ("A <r@example.com> B", "A\r\nBcc: x <r@example.com>", "A <r@example.com", 7):
        with pytest.raises(ValueError, match=r"."):
            clean_mailbox(bad)


def test_the_port_follows_from_the_security():
    assert MailSettings.model_validate(MAIL).port == 587
    assert MailSettings.model_validate({**MAIL, "security": "tls"}).port == 465
    assert MailSettings.model_validate({**MAIL, "security": "tls", "port": 2465}).port == 2465


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_without_encryption_only_to_this_machine(host):
    assert MailSettings.model_validate({**MAIL, "host": host, "security": "none"}).port == 25
    for far in ("smtp.example.com", "127.0.0.1.example.com", "10.0.0.1", "localhost.example.com"):
        assert "this machine" in problem(MailSettings, {**MAIL, "host": far, "security": "none"})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"user": "x"}, "belong together"),
        ({"password": {"env": "X"}}, "belong together"),
        ({"password": CANARY, "user": "x"}, "password"),
        ({"password": {"env": CANARY}, "user": "x"}, "not its value"),
        ({"password": {"env": "A", "file": "b"}, "user": "x"}, "one of"),
        ({"password": {}, "user": "x"}, "one of"),
        ({"password": {"keyring": "one"}, "user": "x"}, "service/user"),
        ({"sender": "reports"}, "mail address"),
        ({"sender": "A\nBcc: b@c.de <r@example.com>"}, "invisible"),
        ({"host": "smtp.example.com\r\nX"}, "name of a host"),
        ({"host": "-oProxy"}, "name of a host"),
        ({"link": "http://reports.example.com"}, "https"),
        ({"link": "https://reports.example.com/?a=b"}, "https"),
        ({"link": "javascript:alert(1)"}, "https"),
        ({"link": 'https://example.com/"><script>'}, "https"),
        ({"attempts": 0}, "attempts"),
        ({"timeout_seconds": float("inf")}, "timeout_seconds"),
        ({"adress": "x"}, "unknown"),
    ],
)
def test_a_wrong_mail_table_is_one_sentence(more, said):
    text = problem(MailSettings, {**MAIL, **more})
    assert said in text
    assert CANARY not in text


def test_pages_are_attached_unless_they_are_published():
    link = "https://reports.example.com/scores"
    assert MailSettings.model_validate(MAIL).attaches
    published = MailSettings.model_validate({**MAIL, "link": link})
    assert not published.attaches
    assert published.address_of("a b/ü.html") == f"{link}/a%20b/%C3%BC.html"
    assert MailSettings.model_validate({**MAIL, "link": link, "attach": True}).attaches
    assert not MailSettings.model_validate({**MAIL, "attach": False}).attaches


def test_an_audience_holds_addresses():
    told = Audience.model_validate({"to": ["a@bücher.example"], "teams": {"N": ["b@example.com"]}})
    assert told.to == ("a@xn--bcher-kva.example",)
    assert told.by_mail
    assert not Audience(webhook=True).by_mail
    assert "mail address" in problem(Audience, {"teams": {"N": ["nobody"]}})
    assert "invisible" in problem(Audience, {"to": ["a@b.de\nBcc: c@d.de"]})


ROSTER = pl.DataFrame(
    {
        "user_id": ["1", "2", "3", "4"],
        "user_name": ["Ann", "Bob", None, "<script>"],
        "team": ["North", "South", "North", None],
        "email": ["Ann@example.com", None, "x@y@z", "d@example.com"],
    }
)
TELL = Audience(
    to=("boss@example.com", "BOSS@example.com"),
    teams={"North": ("north@example.com", "ann@EXAMPLE.com"), "South": ("south@example.com",)},
    senders=True,
)


def test_who_gets_what():
    everyone = recipients(TELL, ROSTER)
    assert everyone == ((Recipient("boss@example.com", "to"),), ())
    north = recipients(TELL, ROSTER, team="North")
    assert [r.address for r in north.recipients] == [
        "boss@example.com",
        "north@example.com",
        "ann@example.com",
    ]
    ann = recipients(TELL, ROSTER, user="1")
    assert ann.recipients[0] == ("boss@example.com", "to")
    assert ann.recipients[1] == ("north@example.com", "team North")
    assert ann.recipients[2] == ("ann@example.com", "team North, the sender")
    assert len(ann.recipients) == 3
    assert ann.problems == ()


@pytest.mark.parametrize(
    ("user", "roster", "said"),
    [
        ("2", ROSTER, "'Bob' has no address"),
        ("3", ROSTER, "'3' has no usable address"),
        ("9", ROSTER, "'9' is not in the roster"),
        ("9", None, "'9' is not in the roster"),
    ],
)
def test_a_sender_without_an_address_is_named(user, roster, said):
    told = recipients(TELL, roster, user=user)
    assert len(told.problems) == 1
    assert said in told.problems[0]
    assert told.recipients[0].address == "boss@example.com"


def test_a_team_that_nobody_is_in_is_named():
    told = Audience(teams={"Nort": ("a@example.com",), "South": ()})
    (line,) = unknown_teams(told, ROSTER)
    assert "'Nort'" in line
    assert "'North'" in line
    assert unknown_teams(Audience(), None) == ()


def test_a_secret_comes_from_the_environment(tmp_path):
    secret = Secret(env="PW").read(tmp_path, {"PW": CANARY})
    assert secret.get_secret_value() == CANARY
    assert CANARY not in repr(secret) + str(secret)
    with pytest.raises(SecretError, match="PW is not set"):
        Secret(env="PW").read(tmp_path, {})
    with pytest.raises(SecretError, match="is empty"):
        Secret(env="PW").read(tmp_path, {"PW": " "})


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_secret_comes_from_a_private_file(tmp_path, mode):
    path = tmp_path / "pw"
    path.write_text(CANARY + "\n")
    path.chmod(mode)
    assert Secret(file="pw").read(tmp_path).get_secret_value() == CANARY


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o777])
def test_a_file_that_others_can_read_is_refused(tmp_path, mode):
    path = tmp_path / "pw"
    path.write_text(CANARY)
    path.chmod(mode)
    with pytest.raises(SecretError, match=f"mode is {mode:03o}") as caught:
        Secret(file="pw").read(tmp_path)
    assert f"chmod 600 {path}" in str(caught.value)
    assert_hidden(caught.value)


def test_what_is_no_private_text_file_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, content in (
        ("bytes", b"\xff" + CANARY.encode()),
        ("long", b"x" * 70_000),
        ("0", b""),
    ):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    for name in ("folder", "pipe", "bytes", "long", "0", "missing"):
        with pytest.raises(SecretError) as caught:
            Secret(file=name).read(tmp_path)
        assert_hidden(caught.value)


def assert_hidden(error: BaseException) -> None:
    """Neither the text, nor the traceback, nor anything chained to the error holds the canary."""
    seen: BaseException | None = error
    while seen is not None:
        assert CANARY not in "".join(traceback.format_exception(seen))
        assert CANARY not in repr(seen) + repr(seen.args) + repr(vars(seen))
        assert CANARY.encode() not in getattr(seen, "object", b"")
        seen = seen.__context__


def test_a_secret_comes_from_the_keyring(tmp_path, monkeypatch):
    import keyring
    from keyring.backend import KeyringBackend

    class Memory(KeyringBackend):
        priority = 1

        def get_password(self, service, username):
            if service == "broken":
                raise RuntimeError(f"cannot unlock {CANARY}")
            return CANARY if (service, username) == ("smtp", "a/b") else None

        def set_password(self, *_): ...

        def delete_password(self, *_): ...

    before = keyring.get_keyring()
    keyring.set_keyring(Memory())
    try:
        assert Secret(keyring="smtp/a/b").read(tmp_path).get_secret_value() == CANARY
        with pytest.raises(SecretError, match="no such entry"):
            Secret(keyring="smtp/other").read(tmp_path)
        with pytest.raises(SecretError, match="could not be read") as caught:
            Secret(keyring="broken/x").read(tmp_path)
        assert_hidden(caught.value)
    finally:
        keyring.set_keyring(before)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SecretError, match=r"pip install 'senderscore-nb\[keyring\]'"):
        Secret(keyring="smtp/a").read(tmp_path)


@given(st.text(min_size=4, max_size=30), st.binary(max_size=5), st.binary(max_size=5))
def test_a_scrubbed_text_holds_no_spelling_of_the_secret(secret, before, after):
    try:
        data = secret.encode()
    except UnicodeEncodeError:
        return
    scrubber = Scrubber([SecretStr(secret), ""])
    spellings = [
        *(secret, quote(secret), quote(secret, safe=""), quote_plus(secret)),
        *(json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]),
        *(base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()),
    ]
    for spelling in spellings:
        assert spelling not in scrubber.scrub(f"before {spelling} after").replace("***", "")
    # Within other bytes, as in a login: all but the characters that hold bits of the neighbours.
    whole = base64.b64encode(before + data + after).decode()
    start, end = -(-8 * len(before) // 6), 8 * len(before + data) // 6
    if end - start >= 4:
        assert whole[start:end] not in scrubber.scrub(whole)


def test_nothing_to_hide_hides_nothing():
    assert Scrubber([]).scrub("text") == "text"
    assert Scrubber(["", SecretStr("")]).scrub(ValueError("text")) == "text"
    assert CANARY not in repr(Scrubber([CANARY]))


def test_workers_start_without_secrets():
    environ = {"PATH": "/bin", "PW": CANARY}
    assert environment_without(["PW", "NOT_THERE"], environ) == {"PATH": "/bin"}
    assert environ["PW"] == CANARY


def test_the_docs_examples_are_valid():
    text = (ROOT / "docs" / "delivery.md").read_text(encoding="utf-8")
    blocks = [tomllib.loads(b) for b in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    tables: dict[str, list[object]] = {"mail": [], "webhook": [], "reports": []}
    for block in blocks:
        for name, value in block.items():
            tables[name].append(value)
    assert all(tables.values())
    for value in tables["mail"]:
        MailSettings.model_validate(value)
    for value in tables["webhook"]:
        WebhookSettings.model_validate(value)
    for (value,) in tables["reports"]:
        Audience.model_validate(value["tell"])
    for model in (MailSettings, WebhookSettings, Audience, Secret):
        for name in model.model_fields:
            assert f"`{name}`" in text, name


def test_the_settings_import_nothing_of_the_reports():
    import subprocess

    assert importlib.util.find_spec("senderscore_nb.delivery")
    code = (
        "import sys, senderscore_nb.delivery;"
        "print([m for m in ('httpx', 'keyring', 'tenacity', 'nbconvert', 'altair')"
        " if m in sys.modules])"
    )
    got = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(ROOT)
    )
    assert got.stdout.strip() == "[]"
