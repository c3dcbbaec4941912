"""Parts of a mail → plain text that can be read as it is."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from senderscore_nb.reports.mail.layout import MOST_ROWS, rows_left, with_colon, word_for
from senderscore_nb.reports.mail.parts import Cell, Grid, Line, Part, Picture

_WIDTH = 78


def to_text(title: str, notices: Sequence[tuple[str, str]], parts: Sequence[Part]) -> str:
    """Title, notices and parts as plain text, its lines at most 78 characters where they can be."""
    blocks = [f"{title}\n{'=' * min(len(title), _WIDTH)}"]
    blocks += [_wrapped(f"{word_for(kind).upper()}: {text}") for kind, text in notices]
    listing = False
    for part in parts:
        text = _text(part)
        listed = isinstance(part, Line) and part.kind == "li"
        if listed and listing:
            blocks[-1] += f"\n{text}"
        else:
            blocks.append(text)
        listing = listed
    return "\n\n".join(blocks) + "\n"


def _text(part: Part) -> str:
    if isinstance(part, Picture):
        return _wrapped(f"[Chart: {part.alt}]")
    if isinstance(part, Grid):
        return _grid_text(part)
    text = part.run.text
    if part.kind == "pre":
        return text
    if part.kind in ("h2", "h3"):
        return f"{text}\n{('-' if part.kind == 'h2' else '.') * min(len(text), _WIDTH)}"
    return _wrapped(text, "- " if part.kind == "li" else "")


def _wrapped(text: str, begin: str = "", after: str | None = None) -> str:
    after = " " * len(begin) if after is None else after
    lines = [
        textwrap.fill(
            line,
            _WIDTH,
            initial_indent=begin if i == 0 else after,
            subsequent_indent=after,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for i, line in enumerate(text.split("\n"))
    ]
    return "\n".join(lines)


def _grid_text(grid: Grid) -> str:
    """Aligned columns where they fit, else a line for each value."""
    rows = grid.rows[:MOST_ROWS]
    every = [*([grid.head] if grid.head else []), *rows]
    columns = max(map(len, every), default=0)
    widths = [max(len(_one_line(r[i])) for r in every if i < len(r)) for i in range(columns)]
    lines = [grid.caption.text] if grid.caption.text else []
    if sum(widths) + 2 * (columns - 1) <= _WIDTH:
        lines += [_aligned(row, widths) for row in every]
        if grid.head:
            lines.insert(len(lines) - len(rows), "  ".join("-" * width for width in widths))
    else:
        for row in rows:
            lines += ["", *_named(row, grid.head)]
    left = rows_left(grid, MOST_ROWS)
    return "\n".join([*lines, *([left] if left else [])]).strip("\n")


def _aligned(row: Sequence[Cell], widths: Sequence[int]) -> str:
    cells = [
        _one_line(c).rjust(width) if c.number else _one_line(c).ljust(width)
        for c, width in zip(row, widths, strict=False)
    ]
    return "  ".join(cells).rstrip()


def _named(row: Sequence[Cell], head: Sequence[Cell]) -> list[str]:
    names = [f"{with_colon(_one_line(c))} " if c.run.text else "" for c in head]
    names += [""] * (len(row) - len(names))
    first = [_one_line(row[0])] if row else []
    return first + [
        _wrapped(f"{name}{_one_line(cell)}", "  ", "    ")
        for name, cell in zip(names[1:], row[1:], strict=False)
    ]


def _one_line(cell: Cell) -> str:
    return " ".join(cell.run.text.split("\n"))
