"""A real mail server on loopback."""

from __future__ import annotations

import socket
from contextlib import contextmanager

from aiosmtpd.controller import Controller


class Inbox:
    """Keeps what arrives; a test overrides what it answers."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, bytes]] = []
        self.connections = 0
        self.seen: list[str] = []

    def to(self) -> list[str]:
        return [address for address, _ in self.mails]

    async def handle_EHLO(self, server, session, envelope, hostname, responses):  # noqa: N802
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        self.seen.append(address)
        answer = self.on_rcpt(server, address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        answer = self.on_data(server, envelope)
        if answer.startswith("250"):
            self.mails.append((envelope.rcpt_tos[0], envelope.content))
        return answer

    def on_rcpt(self, server, address: str) -> str:
        return "250 OK"

    def on_data(self, server, envelope) -> str:
        return "250 OK"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def serving(inbox: Inbox, **options):
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()
