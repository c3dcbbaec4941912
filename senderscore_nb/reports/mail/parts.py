"""Clean HTML of a notebook → paragraphs, headings and grids that any mail program can show."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Literal, NamedTuple

from markupsafe import Markup, escape

Kind = Literal["p", "muted", "li", "h2", "h3", "pre"]

_INLINE = {"b", "strong", "em", "i", "code", "kbd", "sub", "sup", "s", "small", "a"}
_KINDS: dict[str, Kind] = {"li": "li", "pre": "pre", "h1": "h2", "h2": "h2"}
_KINDS |= dict.fromkeys(("h3", "h4", "h5", "h6"), "h3")
_MOST_IN_CELL, _MOST_IN_PARAGRAPH, _MOST_IN_PRE = 400, 1_500, 3_000


class Run(NamedTuple):
    """Text with a little markup, and the same as plain text."""

    html: Markup
    text: str

    @classmethod
    def of(cls, text: str) -> Run:
        """Plain text as a run."""
        return cls(escape(text), text)

    def cut(self, most: int) -> Run:
        """The run itself, or the beginning of its text where it is longer."""
        return self if len(self.text) <= most else Run.of(self.text[: most - 1].rstrip() + "…")


@dataclass(frozen=True)
class Line:
    """A paragraph, heading, list item or preformatted text."""

    run: Run
    kind: Kind = "p"


@dataclass(frozen=True)
class Cell:
    """A cell of a grid."""

    run: Run
    number: bool = False


@dataclass(frozen=True)
class Grid:
    """A table of data: one heading a column, however many rows there are."""

    caption: Run
    head: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A chart as an inline picture.

    Attributes:
        cid: Its content id, without angle brackets.
        png: The picture.
        alt: What it shows, in words.
        width: Its width on a screen, in CSS pixels.
    """

    cid: str
    png: bytes
    alt: str
    width: int


Part = Line | Grid | Picture


def parse_html(html: str) -> list[Part]:
    """The parts of HTML that `clean.clean_html` made.

    >>> [part.run.text for part in parse_html("<p>a <b>b</b></p><ul><li>c</li></ul>")]
    ['a b', 'c']
    """
    parser = _Parser()
    parser.feed(html)
    parser.close()
    parser.flush()
    return parser.parts


@dataclass
class _Open:
    """A grid that is being read."""

    caption: Run = field(default_factory=lambda: Run.of(""))
    rows: list[list[Cell]] = field(default_factory=list)
    heads: int = 0
    in_head: bool = False


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[Part] = []
        self._html: list[Markup] = []
        self._text: list[str] = []
        self._inline: list[tuple[str, str]] = []
        self._kind: Kind = "p"
        self._number = False
        self._grid: _Open | None = None
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "br":
            self._add(Markup("<br>"), "\n")
        elif tag in _INLINE:
            self._open(tag, values.get("href") or "")
        elif tag == "table":
            self._depth += 1
            if self._depth == 1:
                self.flush()
                self._grid = _Open()
        elif self._grid is not None:
            self._start_in_grid(tag, values.get("class") or "")
        else:
            self.flush()
            muted = "empty" in (values.get("class") or "").split()
            self._kind = "muted" if muted else _KINDS.get(tag, "p")

    def handle_endtag(self, tag: str) -> None:
        if tag in _INLINE:
            self._close(tag)
        elif tag == "table":
            self._depth -= 1
            if self._depth == 0:
                self._end_grid()
        elif self._grid is None:
            self.flush()
            self._kind = "p"
        elif self._depth == 1:
            self._end_in_grid(self._grid, tag)

    def handle_data(self, data: str) -> None:
        if self._kind == "pre":
            text = data
        else:
            text = re.sub(r"[ \t\r\n\f]+", " ", data)
            if not self._text or self._text[-1][-1:] in (" ", "\n"):
                text = text.lstrip(" ")
        if text:
            self._add(escape(text), text)

    def flush(self) -> None:
        """End the paragraph that is being read."""
        run = self._take()
        if run.text.strip():
            most = _MOST_IN_PRE if self._kind == "pre" else _MOST_IN_PARAGRAPH
            self.parts.append(Line(run.cut(most), self._kind))

    def _add(self, html: Markup, text: str) -> None:
        self._html.append(html)
        self._text.append(text)

    def _open(self, tag: str, href: str) -> None:
        address = href if re.match(r"(?i)(https?|mailto):", href) else ""
        if tag == "a":
            link = Markup('<a class="link" style="color:#1f5fa8" href="{}">').format(address)
            self._html.append(link if address else Markup("<span>"))
        else:
            self._html.append(Markup(f"<{tag}>"))  # noqa: S704
        self._inline.append((tag, address))

    def _close(self, tag: str) -> None:
        if not self._inline or self._inline[-1][0] != tag:
            return
        _, address = self._inline.pop()
        ended = "span" if tag == "a" and not address else tag
        self._html.append(Markup(f"</{ended}>"))  # noqa: S704
        if address and address not in "".join(self._text):
            self._text.append(f" ({address})")

    def _take(self) -> Run:
        while self._inline:
            self._close(self._inline[-1][0])
        html, text = Markup("").join(self._html), "".join(self._text)
        self._html, self._text = [], []
        return Run(html, text.strip("\n") if self._kind == "pre" else text.strip())

    def _start_in_grid(self, tag: str, classes: str) -> None:
        grid = self._grid
        if grid is None or self._depth > 1 or tag not in ("thead", "tr", "td", "th", "caption"):
            self._add(Markup(" "), " ")
            return
        self._take()
        grid.in_head = grid.in_head or tag == "thead"
        if tag == "tr":
            grid.rows.append([])
            grid.heads += grid.in_head
        self._number = "number" in classes.split()

    def _end_in_grid(self, grid: _Open, tag: str) -> None:
        if tag == "thead":
            grid.in_head = False
        elif tag == "caption":
            grid.caption = self._take().cut(_MOST_IN_CELL)
        elif tag in ("td", "th") and grid.rows:
            cell = Cell(self._take().cut(_MOST_IN_CELL), self._number)
            grid.rows[-1].append(cell)

    def _end_grid(self) -> None:
        grid, self._grid = self._grid, None
        self._take()
        if grid is None or not any(grid.rows):
            return
        head = grid.rows[grid.heads - 1] if grid.heads else []
        body = grid.rows[grid.heads :]
        self.parts.append(Grid(grid.caption, tuple(head), tuple(map(tuple, body))))
