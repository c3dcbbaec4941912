"""HTML of a notebook cut down to harmless elements."""

from __future__ import annotations

import re

import bleach

# What is between these tags is not for reading. That they are gone is no protection: bleach is.
_UNREADABLE = re.compile(r"<(script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)

_TAGS = frozenset(
    (
        *("a", "abbr", "b", "blockquote", "br", "caption", "code", "dd", "details", "div", "dl"),
        *("dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "kbd", "li", "ol", "p"),
        *("pre", "s", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody"),
        *("td", "tfoot", "th", "thead", "tr", "ul"),
    )
)
_ATTRIBUTES = {
    "*": ["class", "title", "lang", "dir"],
    "a": ["href"],
    "td": ["colspan", "rowspan"],
    "th": ["colspan", "rowspan", "scope"],
    "div": ["tabindex", "role", "aria-label"],
}


def clean_html(html: str) -> str:
    """The HTML without scripts, styles, pictures, forms and handlers; other elements' text stays.

    >>> clean_html('<p onclick="x()">a<blink>b</blink><script>c</script></p>')
    '<p>ab</p>'
    """
    cleaned: str = bleach.clean(
        _UNREADABLE.sub("", html),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        protocols=["https", "http", "mailto"],
        strip=True,
        strip_comments=True,
    )
    return cleaned
