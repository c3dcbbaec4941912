"""A frame to the terminal or a file: table, CSV, JSON or Parquet."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.safe import shown, spreadsheet_safe, write_atomically

_SHOWN = (
    "ended",
    "reply_rate",
    "bounce_rate",
    "score",
    "score_low",
    "score_high",
    "verdict",
    "missing",
    "expected_on",
)


FORMATS: tuple[str, ...] = ("table", "csv", "json", "parquet")


def format_of(output: str | None) -> str:
    """The format that a file's ending asks for; a table where it asks for none.

    >>> format_of("scores.csv"), format_of(None)
    ('csv', 'table')
    """
    ending = Path(output or "").suffix.removeprefix(".").casefold()
    return ending if ending in FORMATS else "table"


def write_frame(frame: pl.DataFrame, form: str, output: str | None, *, note: str = "") -> None:
    """Write a scored frame.

    CSV and JSON carry every column in full precision; text that a spreadsheet would take for a
    formula is quoted in CSV. The table is for people and shows the main columns.

    Args:
        frame: As `score` returns it.
        form: table, csv, json or parquet.
        output: A file, or None for the terminal.
        note: A line under the table.
    """
    if form == "table":
        _print_table(frame, output, note)
        return
    buffer = io.BytesIO()
    if form == "csv":
        spreadsheet_safe(frame).write_csv(buffer)
    elif form == "json":
        frame.write_json(buffer)
        buffer.write(b"\n")
    else:
        frame.write_parquet(buffer)
    _write(buffer.getvalue(), form, output)


def print_rows(rows: Sequence[Mapping[str, object]]) -> None:
    """A few rows of texts as a table, the keys of the first row as its headings."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(value, most=120)) for value in row.values()))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _write(content: bytes, form: str, output: str | None) -> None:
    if output:
        try:
            write_atomically(Path(output), content)
        except OSError as error:
            raise SenderScoreError(f"Cannot be written ({error}).", where=output) from None
        return
    if form == "parquet" and sys.stdout.isatty():
        raise SenderScoreError("Parquet is not for the terminal.", hint="Add --output FILE.")
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _print_table(frame: pl.DataFrame, output: str | None, note: str) -> None:
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    keys = frame.columns[: frame.columns.index("ended")]
    labels = [c for c in ("user_label", "sequence_label") if c in frame.columns]
    columns = [*keys, *labels, *_SHOWN]
    table = Table(box=SIMPLE, pad_edge=False)
    for name in columns:
        number = frame.schema[name].is_numeric()
        table.add_column(name, justify="right" if number else "left", no_wrap=number)
    for row in frame.select(columns).iter_rows(named=True):
        table.add_row(*(Text(_cell(name, value)) for name, value in row.items()))
    _show([table, Text(note)], output)


def write_texts(
    rows: Sequence[Mapping[str, str]], output: str | None, *, above: Sequence[str] = ()
) -> None:
    """Sentences and under them a table of texts, to a file or the terminal.

    Args:
        rows: Texts by heading, the same headings in each; what follows the first stands right.
        output: A file, or None for the terminal.
        above: Paragraphs over the table.
    """
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for i, name in enumerate(rows[0] if rows else ()):
        table.add_column(name, justify="right" if i else "left", no_wrap=bool(i))
    for row in rows:
        table.add_row(*(Text(shown(value)) for value in row.values()))
    _show([*(Text(line) for line in above), *([table] if rows else [])], output)


def _show(parts: Sequence[Any], output: str | None) -> None:
    """Print what rich can print, as plain lines where it is not for a terminal."""
    from rich.console import Console

    buffer = io.StringIO()
    terminal = sys.stdout.isatty() and not output
    console = Console(file=None if terminal else buffer, width=None if terminal else 160)
    for part in parts:
        console.print(part)
    if not terminal:
        text = "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"
        _write(text.encode(), "table", output)


def _cell(name: str, value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{100 * value:.1f} %" if name.endswith("_rate") else f"{value:.1f}"
    text = "".join(c if c.isprintable() else " " for c in str(value))
    return text if len(text) <= 60 else text[:59] + "…"
