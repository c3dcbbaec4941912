"""Charts as static pictures, and the runtime that draws them live."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

from senderscore_nb.charts import theme

# Attributes of a drawn chart that change nothing in a picture.
_IDLE = re.compile(
    r' (?:(?:class|role|aria-[a-z]+|pointer-events|version|xmlns:xlink)="[^"]*"|opacity="1")'
)
_FONT = re.compile(r' font-family="[^"]*"')
_COORDINATES = re.compile(r' (?:d|transform|x|y|x1|x2|y1|y2|width|height|points)="[^"]*"')


@dataclass(frozen=True)
class Runtime:
    """The chart runtime: gzip in base64, and the hash that the policy allows it by."""

    packed: str
    hash: str


@cache
def runtime() -> Runtime:
    """Vega, Vega-Lite and vega-embed from the installed vl-convert."""
    import vl_convert

    code = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=vl_version())
    return Runtime(packed(code.encode()), digest(code))


def vl_version() -> str:
    """The Vega-Lite version that Altair writes, as vl-convert names it."""
    import altair

    major, minor, *_ = altair.SCHEMA_VERSION.lstrip("v").split(".")
    return f"{major}.{minor}"


def static_svg(spec: Mapping[str, Any]) -> str:
    """The chart as a picture, in light colours; the description stands beside it."""
    import vl_convert

    config = {**theme("light"), **spec.get("config", {}), "aria": False, "background": "white"}
    svg: str = vl_convert.vegalite_to_svg({**spec, "config": config}, vl_version=vl_version())
    return _slim(svg)


def _slim(svg: str) -> str:
    """The same picture in fewer bytes: only inside tags, never in a name that is shown."""
    tags = re.compile(r"<[^>]*>")
    fonts = Counter(font for t in tags.findall(svg) for font in _FONT.findall(t))
    common = fonts.most_common(1)[0][0] if fonts else ""

    def slim(match: re.Match[str]) -> str:
        tag = _IDLE.sub("", match[0])
        tag = tag.replace(common, "") if common else tag
        return _COORDINATES.sub(lambda m: re.sub(r"(\d\.\d)\d+", r"\1", m[0]), tag)

    slimmed = re.sub(r'<path [^>]*\bd=""[^>]*/>', "", tags.sub(slim, svg))
    return slimmed.replace("<svg", f"<svg{common}", 1)


def data_uri(svg: str) -> str:
    """A picture's address; shorter than base64 and the same to every browser."""
    return "data:image/svg+xml," + quote(svg, safe=" !$&'()*+,-./:;=?@[]_~^`{|}<>\n\"")


def packed(content: bytes) -> str:
    """Gzip in base64, which can stand in a script element whatever the content is."""
    return base64.b64encode(gzip.compress(content, compresslevel=9, mtime=0)).decode()


def digest(text: str) -> str:
    """A hash as a Content-Security-Policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
