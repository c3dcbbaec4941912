"""Charts and stored pictures → PNG for a mail."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from senderscore_nb.charts import theme
from senderscore_nb.reports.mail.parts import Picture
from senderscore_nb.reports.pictures import vl_version

SCALE = 2
"""Pixels of a chart for each CSS pixel."""

MOST_WIDTH = 576
"""The widest picture, in CSS pixels."""

_PHONE = 420
"""A chart without a variant for phones is made this narrow, in CSS pixels, where it can be."""
_LEAST_PLOT = 160
_PNG = b"\x89PNG\r\n\x1a\n"


def chart_png(spec: Mapping[str, Any]) -> bytes:
    """A chart as a picture that can be read on a phone: light, on white, twice as sharp.

    The variant for narrow screens is taken where there is one; else a plot whose width is a number
    is made narrower.

    Raises:
        ValueError: It cannot be drawn.
    """
    own = spec.get("config")
    config = {} if not own or own in (theme("light"), theme("dark")) else own
    usermeta = spec.get("usermeta") or {}
    narrow = (usermeta.get("senderscore") or {}).get("narrow")
    drawn = {**(narrow or spec), "config": {**theme("light"), **config, "background": "white"}}
    png = _drawn(drawn)
    width, over = drawn.get("width"), _size(png)[0] // SCALE - _PHONE
    if narrow is None and over > 0 and isinstance(width, int | float):
        png = _drawn({**drawn, "width": max(int(width - over), _LEAST_PLOT)})
    return png


def _drawn(spec: Mapping[str, Any]) -> bytes:
    import vl_convert

    png: bytes = vl_convert.vegalite_to_png(
        dict(spec), vl_version=vl_version(), scale=SCALE, allowed_base_urls=[]
    )
    return _packed(png)


def _packed(png: bytes) -> bytes:
    """The same pixels in about a third of the bytes: drawing compresses for speed."""
    chunks = list(_chunks(png))
    pixels = zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT"))
    kept = [(kind, data) for kind, data in chunks if kind not in (b"IDAT", b"IEND")]
    whole = [*kept, (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b"")]
    return _PNG + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in whole
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_PNG)
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        yield png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        place += 12 + length


def picture(png: bytes, alt: str, number: int, *, scale: int) -> Picture:
    """A PNG as the picture of that number, with a content id made from what it shows."""
    width = min(_size(png)[0] // scale, MOST_WIDTH)
    cid = f"figure-{number + 1}-{hashlib.sha256(png).hexdigest()[:12]}@senderscore"
    return Picture(cid, png, alt, max(width, 1))


def _size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the picture's first chunk."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def decoded(text: str) -> bytes | None:
    """A picture that a notebook stored, if it is one."""
    try:
        png = base64.b64decode(text)
    except (ValueError, binascii.Error):
        return None
    return png if png.startswith(_PNG) and len(png) > 24 else None
