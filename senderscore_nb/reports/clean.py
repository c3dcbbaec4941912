"""HTML of a notebook cut down to harmless elements."""

from __future__ import annotations

import bleach

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
    """The HTML without scripts, styles, pictures, forms and handlers; their text stays.

    >>> clean_html('<p onclick="x()">a<script>b</script></p>')
    '<p>ab</p>'
    """
    cleaned: str = bleach.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        protocols=["https", "http", "mailto"],
        strip=True,
        strip_comments=True,
    )
    return cleaned
