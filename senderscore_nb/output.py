"""A frame to the terminal or a file: table, CSV, JSON or Parquet."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.safe import shown, spreadsheet_safe, write_atomically

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

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


def write_frame(
    frame: pl.DataFrame,
    form: str,
    output: str | None,
    *,
    note: str = "",
    lead: str = "",
    columns: Sequence[str] = (),
) -> None:
    """Write a scored frame.

    CSV and JSON carry every column in full precision; text that a spreadsheet would take for a
    formula is quoted in CSV. The table is for people and shows the main columns.

    Args:
        frame: As `score` returns it.
        form: table, csv, json or parquet.
        output: A file, or None for the terminal.
        note: A line under the table.
        lead: Sentences above the table.
        columns: What the table shows; the keys and the main columns of a score unless given.
    """
    if form == "table":
        _print_table(frame.select(columns or _main(frame)), output, note, lead)
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


def write_rows(
    parts: Mapping[str, pl.DataFrame], form: str, output: str | None = None, *, note: str = ""
) -> None:
    """Write frames of any columns: tables for people under headings, CSV of one, JSON of all.

    Args:
        parts: Frames by what they are called.
        form: table, csv or json; for csv there is one frame.
        output: A file, or None for the terminal.
        note: Lines under the tables.
    """
    if form == "json":
        rows = {name: json.loads(frame.write_json()) for name, frame in parts.items()}
        text = json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        _write(text.encode(), form, output)
        return
    if form == "csv":
        (frame,) = parts.values()
        # A column may be named after a policy, which may be named anything.
        headings = spreadsheet_safe(pl.DataFrame({"name": frame.columns}))["name"].to_list()
        frame = spreadsheet_safe(frame)
        text = frame.rename(dict(zip(frame.columns, headings, strict=True))).write_csv()
        _write(text.encode(), form, output)
        return
    from rich.text import Text

    with _paper(output) as console:
        for name, frame in parts.items():
            console.print(Text(shown(name, most=120), style="bold"))
            console.print(_table(frame) if frame.height else "  nobody\n")
        console.print(Text("\n".join(shown(line, most=160) for line in note.splitlines())))


def write_table(
    frame: pl.DataFrame,
    rows: Sequence[Mapping[str, str]],
    form: str,
    output: str | None,
    *,
    note: str = "",
) -> None:
    """Write a frame as data, or rows of texts made from it as a table for people.

    Args:
        frame: What CSV, JSON and Parquet hold, every column in full precision.
        rows: What the table shows; the keys of the first row are its headings.
        form: table, csv, json or parquet.
        output: A file, or None for the terminal.
        note: Lines under the table.
    """
    if form != "table":
        write_frame(frame, form, output)
        return
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for name in rows[0] if rows else ["nothing to show"]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(value, most=160)) for value in row.values()))
    with _paper(output) as console:
        console.print(table)
        console.print(Text(_plain(note)))


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
    with _paper(output) as console:
        for line in above:
            console.print(Text(shown(line, most=2000)))
        if rows:
            console.print(table)


_SHARES = ("same", "up", "down", "flip_rate", "consistency", "accuracy", "flips", "share")


def _table(frame: pl.DataFrame) -> Table:
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for name, kind in frame.schema.items():
        number = kind.is_numeric()
        table.add_column(
            shown(name, most=44), justify="right" if number else "left", overflow="fold"
        )
    for row in frame.iter_rows(named=True):
        table.add_row(*(Text(_figure(name, value)) for name, value in row.items()))
    return table


def _figure(name: str, value: object) -> str:
    if isinstance(value, float) and name in _SHARES:
        return f"{100 * value:.1f} %"
    if isinstance(value, float) and name in ("kappa", "spearman", "kendall"):
        return f"{value:.2f}"
    return _cell(name, value)


@contextmanager
def _paper(output: str | None) -> Iterator[Console]:
    """The terminal, or lines of 160 characters that are written when all is printed."""
    from rich.console import Console

    if sys.stdout.isatty() and not output:
        yield Console()
        return
    buffer = io.StringIO()
    yield Console(file=buffer, width=160)
    text = "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"
    _write(text.encode(), "table", output)


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


def _main(frame: pl.DataFrame) -> list[str]:
    """The keys, the labels and the main columns of a scored frame."""
    keys = frame.columns[: frame.columns.index("ended")]
    labels = [c for c in ("user_label", "sequence_label") if c in frame.columns]
    return [*keys, *labels, *_SHOWN]


def _print_table(frame: pl.DataFrame, output: str | None, note: str, lead: str) -> None:
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for name in frame.columns:
        number = frame.schema[name].is_numeric()
        table.add_column(name, justify="right" if number else "left", no_wrap=number)
    for row in frame.iter_rows(named=True):
        table.add_row(*(Text(_cell(name, value)) for name, value in row.items()))
    with _paper(output) as console:
        if lead:
            console.print(Text(_plain(lead)))
        console.print(table)
        console.print(Text(note))


_FRACTIONS = ("rate", "centre", "low", "high")
_FRACTION_ENDS = ("_rate", "_shrunk", "_weight")
_FRACTION_STARTS = ("p_", "so_far")


def _cell(name: str, value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return _number(name, value)
    return _plain(str(value), most=60)


def _number(name: str, value: float) -> str:
    if name == "evidence":
        return f"{value:.2g}" if value < 1000 else f"{value:.0f}"
    ends = name.endswith(_FRACTION_ENDS) and not name.startswith("score")
    if ends or name in _FRACTIONS or name.startswith(_FRACTION_STARTS):
        return f"{100 * value:.1f} %"
    return f"{value:.1f}"


def _plain(text: str, *, most: int = 2000) -> str:
    """A text as one line of visible characters."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean if len(clean) <= most else clean[: most - 1] + "…"
