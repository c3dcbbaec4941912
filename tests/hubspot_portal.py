"""An account behind a server on this machine that answers as HubSpot's published API does.

Requests and answers are checked against `hubspot_schemas`. Faults, changes while one pages, and an
index that lags behind are put in by tests.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import polars as pl
from pydantic import SecretStr

from senderscore_nb.sources.hubspot import ApiSettings, Clock, Pulled, pull_hubspot
from tests.hubspot_schemas import ANSWERED, ASKED

TOKEN = "pat-na1-c4nary00-1234-5678"  # noqa: S105
SCOPES = ("sales-email-read", "crm.objects.owners.read", "automation.sequences.read",
          "crm.objects.contacts.read")  # fmt: skip
START = 1_772_438_400_000
"""The first millisecond of these accounts: 2 March 2026, 8:00 UTC."""
DAY = 86_400_000


def iso(ms: int) -> str:
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.") + (
        f"{ms % 1000:03d}Z"
    )


Answer = tuple[int, dict[str, Any] | bytes, dict[str, str]]


@dataclass
class Portal:
    """What an account holds, and what goes wrong."""

    most: int = 10_000
    mails: dict[str, dict[str, Any]] = field(default_factory=dict)
    owners: list[dict[str, Any]] = field(default_factory=list)
    sequences: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    contacts: dict[str, list[str]] = field(default_factory=dict)
    scopes: tuple[str, ...] = SCOPES
    token: str = TOKEN
    owner_page: int = 2
    now: Callable[[], float] = time.time
    faults: dict[int, Any] = field(default_factory=dict)
    changes: dict[int, list[Callable[[], None]]] = field(default_factory=dict)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    unseen: dict[str, tuple[int, dict[str, Any] | None]] = field(default_factory=dict)

    def put(self, mail_id: str, modified: int, created: int | None = None, lag: int = 0,
            **properties: str) -> None:  # fmt: skip
        """Make or modify a mail; the index has it after so many requests more."""
        before = self.mails.get(mail_id)
        if lag and mail_id not in self.unseen:
            self.unseen[mail_id] = (len(self.asked) + lag, before)
        made = before["createdAt"] if before else iso(modified if created is None else created)
        known = {**(before["properties"] if before else {}), **properties}
        known |= {"hs_object_id": mail_id, "hs_lastmodifieddate": iso(modified)}
        known.setdefault("hs_email_direction", "EMAIL")
        self.mails[mail_id] = {
            "id": mail_id, "createdAt": made, "updatedAt": iso(modified), "archived": False,
            "properties": known,
        }  # fmt: skip

    def delete(self, mail_id: str) -> None:
        self.mails.pop(mail_id, None)
        self.unseen.pop(mail_id, None)

    def indexed(self) -> list[dict[str, Any]]:
        seen = dict(self.mails)
        for mail_id, (until, before) in list(self.unseen.items()):
            if len(self.asked) > until:
                del self.unseen[mail_id]
            elif before is None:
                seen.pop(mail_id, None)
            else:
                seen[mail_id] = before
        return list(seen.values())

    def answer(self, method: str, target: str, headers: dict[str, str], body: Any) -> Answer | str:
        """Status, body and headers; or the name of what happens to the connection."""
        number = len(self.asked)
        self.asked.append((method, target, body))
        self.times.append(self.now())
        self.headers.append(headers)
        for change in self.changes.pop(number, ()):
            change()
        fault = self.faults.pop(number, None)
        if fault is not None:
            return fault
        if headers.get("authorization") != f"Bearer {self.token}":
            return error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
        url = urlsplit(target)
        parameters = {name: values[0] for name, values in parse_qs(url.query).items()}
        routes: dict[tuple[str, str], tuple[str, str, Callable[[Any], Answer]]] = {
            ("POST", "/crm/v3/objects/emails/search"): ("search", SCOPES[0], self._search),
            ("POST", "/crm/v3/objects/emails/batch/read"): ("read", SCOPES[0], self._read),
            ("POST", "/crm/v4/associations/emails/contacts/batch/read"):
                ("contacts", SCOPES[3], self._contacts),
            ("GET", "/crm/v3/owners"): ("owners", SCOPES[1], self._owners),
            ("GET", "/automation/v4/sequences"): ("sequences", SCOPES[2], self._sequences),
        }  # fmt: skip
        if (method, url.path) not in routes:
            return error(404, "OBJECT_NOT_FOUND", "resource not found")
        name, scope, make = routes[method, url.path]
        if scope not in self.scopes:
            context = {"requiredGranularScopes": [scope]}
            problem = [{"message": "One or more of the following scopes are required.",
                        "context": context}]  # fmt: skip
            return error(403, "MISSING_SCOPES", "This app lacks scopes.", errors=problem)
        if method == "POST" and (wrong := list(ASKED[name].iter_errors(body))):
            self.broken.append(wrong[0].message)
            return error(400, "VALIDATION_ERROR", wrong[0].message)
        status, found, more = make(parameters if method == "GET" else body)
        kind = name if status == 200 else "error"
        self.broken += [wrong.message for wrong in ANSWERED[kind].iter_errors(found)]
        return status, found, more

    def _search(self, body: dict[str, Any]) -> Answer:
        start, limit = int(body["after"]), body["limit"]
        if start + limit > self.most:
            self.broken.append("paged beyond the limit")
            return error(400, "VALIDATION_ERROR", "There was a problem with the request.")
        found = [m for m in self.indexed() if any(_matches(m, g) for g in body["filterGroups"])]
        random.Random(len(found)).shuffle(found)  # equal ones come in any order
        for sort in body["sorts"]:
            found.sort(key=lambda m: _number(m["properties"].get(sort["propertyName"], "0")),
                       reverse=sort["direction"] == "DESCENDING")  # fmt: skip
        page = found[start : start + limit]
        names = {*body["properties"], "hs_object_id", "hs_lastmodifieddate"}
        answer: dict[str, Any] = {"total": len(found), "results": [_with(m, names) for m in page]}
        if start + limit < len(found):
            answer["paging"] = {"next": {"after": str(start + limit), "link": "?"}}
        return 200, answer, {}

    def _read(self, body: dict[str, Any]) -> Answer:
        ids = [one["id"] for one in body["inputs"]]
        found = [_with(self.mails[i], {*body["properties"]}) for i in ids if i in self.mails]
        return 200, {"results": found, **_done()}, {}

    def _contacts(self, body: dict[str, Any]) -> Answer:
        found = [
            {"from": {"id": one["id"]},
             "to": [{"toObjectId": c, "associationTypes": []} for c in self.contacts[one["id"]]]}
            for one in body["inputs"] if one["id"] in self.contacts
        ]  # fmt: skip
        return 200, {"results": found, **_done()}, {}

    def _owners(self, parameters: dict[str, str]) -> Answer:
        archived = parameters.get("archived", "false") == "true"
        mine = [owner for owner in self.owners if owner["archived"] == archived]
        return self._paged(mine, parameters, {})

    def _sequences(self, parameters: dict[str, str]) -> Answer:
        if "userId" not in parameters:
            return error(400, "VALIDATION_ERROR", "userId is required")
        if parameters["userId"] not in self.sequences:
            return error(400, "VALIDATION_ERROR", "The user has no seat.")
        mine = self.sequences[parameters["userId"]]
        return self._paged(mine, parameters, {"total": len(mine)})

    def _paged(self, rows: list[Any], parameters: dict[str, str], more: dict[str, Any]) -> Answer:
        start = int(parameters.get("after", "c0")[1:])
        end = start + min(self.owner_page, int(parameters.get("limit", "100")))
        answer = {"results": rows[start:end], **more}
        if end < len(rows):
            answer["paging"] = {"next": {"after": f"c{end}"}}
        return 200, answer, {"X-HubSpot-RateLimit-Remaining": "9",
                             "X-HubSpot-RateLimit-Interval-Milliseconds": "10000"}  # fmt: skip

    def searches(self) -> list[dict[str, Any]]:
        return [body for _, target, body in self.asked if target.endswith("/search")]

    def owner(self, owner_id: str, user: int | None, email: str, *, archived: bool = False,
              inactive: int | None = None) -> None:  # fmt: skip
        self.owners.append({
            "id": owner_id, "email": email, "firstName": "Jo", "lastName": owner_id,
            "userId": user, "userIdIncludingInactive": inactive or user, "type": "PERSON",
            "archived": archived, "createdAt": iso(START), "updatedAt": iso(START),
        })  # fmt: skip

    def sequence(self, user: str, sequence_id: str, name: str) -> None:
        self.sequences.setdefault(user, []).append({
            "id": sequence_id, "name": name, "userId": user, "createdAt": iso(START),
            "updatedAt": iso(START),
        })  # fmt: skip


def error(status: int, category: str, message: str, **more: Any) -> Answer:
    return status, {"status": "error", "category": category, "message": message,
                    "correlationId": "c0", **more}, {}  # fmt: skip


def limited(policy: str, **headers: str) -> Answer:
    body = {"status": "error", "message": "You have reached your limit.", "policyName": policy,
            "errorType": "RATE_LIMIT", "correlationId": "c0"}  # fmt: skip
    return 429, body, {name.replace("_", "-"): value for name, value in headers.items()}


def _done() -> dict[str, str]:
    return {"status": "COMPLETE", "startedAt": iso(START), "completedAt": iso(START)}


def _with(mail: dict[str, Any], names: set[str]) -> dict[str, Any]:
    properties = {name: mail["properties"].get(name) for name in sorted(names)}
    return {**mail, "properties": properties}


def _number(text: str) -> int:
    if text.isdecimal():
        return int(text)
    return round(dt.datetime.fromisoformat(text).timestamp() * 1000)


def _matches(mail: dict[str, Any], group: dict[str, Any]) -> bool:
    compare: dict[str, Callable[[int, int], bool]] = {
        "GTE": lambda a, b: a >= b, "LTE": lambda a, b: a <= b, "GT": lambda a, b: a > b,
        "LT": lambda a, b: a < b, "EQ": lambda a, b: a == b,
    }  # fmt: skip
    return all(
        compare[f["operator"]](_number(mail["properties"][f["propertyName"]]), int(f["value"]))
        for f in group["filters"]
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        if len(content) < length or (self.command == "POST" and not content and self._is_gone()):
            self.close_connection = True  # it was killed in the middle of what it wrote
            return
        portal: Portal = self.server.portal  # type: ignore[attr-defined]
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.lock:  # type: ignore[attr-defined]
            answer = portal.answer(
                self.command, self.path, headers, json.loads(content) if content else None
            )
            date = formatdate(portal.now(), usegmt=True)
        if answer == "slow":
            time.sleep(0.5)
            answer = 200, b"{}", {}
        if answer == "drop":
            self.close_connection = True
            return
        if answer == "truncate":
            self._write(200, {"Content-Length": "900"}, b'{"total": 3, "results": [', date)
            self.close_connection = True
            return
        status, found, more = answer
        data = found if isinstance(found, bytes) else json.dumps(found).encode()
        self._write(status, {"Content-Length": str(len(data)), **more}, data, date)

    do_GET = do_POST = _serve  # noqa: N815

    def _is_gone(self) -> bool:
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (BlockingIOError, ValueError):  # a TLS socket takes no flags
            return False
        except OSError:
            return True

    def _write(self, status: int, headers: dict[str, str], data: bytes, date: str) -> None:
        self.send_response_only(status)
        for name, value in {"Date": date, "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def log_message(self, *_: object) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that is killed breaks its connection off."""


@contextmanager
def serving(portal: Portal, context: ssl.SSLContext | None = None) -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.portal, server.lock = portal, threading.Lock()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class FakeClock:
    """A clock that only sleeping moves, and that remembers how long was slept."""

    def __init__(self, start: float) -> None:
        self.time = start
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    @property
    def clock(self) -> Clock:
        return Clock(self.now, self.now, self.sleep)


class Account:
    """A portal, its server and a folder; pulls share a clock with the server."""

    def __init__(self, server: _Server, folder: Any, portal: Portal | None = None) -> None:
        self.server, self.folder = server, folder
        self.portal = portal or Portal()
        self.clock = FakeClock(START / 1000 + 90 * 86_400)
        self.portal.now = self.clock.now
        server.portal = self.portal  # type: ignore[attr-defined]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def pull(self, **options: Any) -> Pulled:
        names = ("page", "window", "timeout_seconds", "attempts", "base_url")
        told = {name: options.pop(name) for name in names if name in options}
        settings = ApiSettings(**{"base_url": self.url, "timeout_seconds": 5.0, **told})
        options = {"clock": self.clock.clock, **options}
        token = SecretStr(options.pop("token", TOKEN))
        return pull_hubspot(self.folder, token, settings=settings, **options)

    def mails(self) -> pl.DataFrame:
        files = sorted((self.folder / "emails").glob("*.parquet"))
        return pl.concat([pl.read_parquet(file) for file in files]) if files else pl.DataFrame()

    def pulled(self) -> dict[str, str]:
        """Id → when it was modified; no mail is there twice."""
        mails = self.mails()
        if mails.is_empty():
            return {}
        pairs = mails.select("hs_object_id", "hs_lastmodifieddate").rows()
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    def theirs(self) -> dict[str, str]:
        return {i: m["properties"]["hs_lastmodifieddate"] for i, m in self.portal.mails.items()}


def some_mails(portal: Portal, count: int, *, step: int = DAY // 4, first: int = 1) -> None:
    """Mails of a sequence, evenly in time."""
    for i in range(count):
        at = START + i * step
        portal.put(str(first + i), at, hs_timestamp=iso(at), hs_sequence_id="31",
                   hs_email_status="SENT", hs_email_from_email="jo@us.example",
                   hs_email_to_email=f"c{i}@them.example", hs_email_thread_id=f"t{i}",
                   hs_email_associated_contact_id=str(i))  # fmt: skip
