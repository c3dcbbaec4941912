"""Messages between a run and its worker: JSON objects with their length before them.

Not pickles: what a worker sends was made by a notebook, and must not be able to do anything.
"""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

_LENGTH = struct.Struct(">Q")


def send(stream: BinaryIO, message: dict[str, Any]) -> None:
    """Write a message.

    Raises:
        OSError: Nobody reads any more.
    """
    body = json.dumps(message, ensure_ascii=True).encode()
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def receive(stream: BinaryIO, *, most_bytes: int | None = None) -> dict[str, Any] | None:
    """The next message, or None where the other side has gone.

    Raises:
        ValueError: The message is longer than `most_bytes`, or is none.
    """
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    if most_bytes is not None and length > most_bytes:
        raise ValueError(f"a message of {length} bytes")
    body = stream.read(length)
    if len(body) < length:
        return None
    message = json.loads(body)
    if not isinstance(message, dict):
        raise ValueError("not a message")
    return message
