"""Text files of delimited fields → tables of text with line numbers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from senderscore_nb.errors import ReadError

_DELIMITERS = ",;\t|"
_LONGEST_FIELD = 2**31 - 1
_BATCH = 5000
_PATIENCE = 5
"""How often, at most, a file is gone over again behind quotes that are never closed."""


@dataclass(frozen=True)
class Table:
    """Rows as they were read.

    Attributes:
        headers: As they stand in the file.
        frame: One column a header, named `0`, `1`, …: text, or typed where the file has types.
        lines: Line of each row of the frame, Int64.
        broken: Rows that have no columns: `line`, `reason`, `row`.
    """

    headers: tuple[str, ...]
    frame: pl.DataFrame
    lines: pl.Series
    broken: pl.DataFrame


def decoded(content: bytes, path: Path) -> tuple[str, str]:
    """Text and its encoding: by its mark, else UTF-8 if all of it is, else cp1252.

    Raises:
        ReadError: Not text.
    """
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if content.startswith(mark):
            candidates = [encoding]
            break
    else:
        if content.count(0) * 10 > len(content) or content.startswith(b"PK\x03\x04"):
            raise ReadError("This is not a text file.", where=str(path))
        candidates = ["utf-8", "cp1252"]
    for encoding in candidates:
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise ReadError(
        f"The text is not {' or '.join(candidates)}.",
        where=str(path),
        hint="Save the file again as UTF-8.",
    )


def read_delimited(text: str, delimiter: str | None, path: Path) -> tuple[Table, str]:
    """The rows of a text, and its delimiter: the one that splits the header into most fields.

    Blank lines, also of delimiters alone, are not rows. A row with other than the header's number
    of fields, or with quotes that RFC 4180 does not allow, is broken; a quote that is never closed
    breaks the line that it stands on, not those after it.

    Raises:
        ReadError: There is no header.
    """
    lines = list(io.StringIO(text, newline=""))
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        chosen = delimiter or max(_DELIMITERS, key=lambda d: len(_header(lines, d)))
        return _table(lines, chosen, path), chosen
    finally:
        csv.field_size_limit(limit)


def unique(headers: Sequence[str]) -> list[str]:
    """Headers as distinct names: a second `x` is `x (2)`."""
    seen: dict[str, int] = {}
    names = []
    for header in headers:
        seen[header] = seen.get(header, 0) + 1
        names.append(header if seen[header] == 1 else f"{header} ({seen[header]})")
    return names if len(set(names)) == len(names) else [f"{n} [{i}]" for i, n in enumerate(names)]


def broken_rows(rows: Sequence[tuple[int, str, str]]) -> pl.DataFrame:
    """`line`, `reason` and `row` of rows that have no columns."""
    schema = {"line": pl.Int64, "reason": pl.String, "row": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _header(lines: list[str], delimiter: str) -> list[str]:
    for _, record in _records(lines, delimiter):
        if isinstance(record, str):
            return []
        if "".join(record).strip():
            return record
    return []


def _table(lines: list[str], delimiter: str, path: Path) -> Table:
    headers: tuple[str, ...] = ()
    parts: list[pl.DataFrame] = []
    rows: list[list[str]] = []
    places: list[int] = []
    broken: list[tuple[int, str, str]] = []
    for line, record in _records(lines, delimiter):
        if isinstance(record, str):
            if not headers:
                raise ReadError("The header has a stray quote.", where=f"{path}:{line}")
            row = json.dumps({"text": record}, ensure_ascii=False)
            broken.append((line, "quotes: a quote is not closed, or stray", row))
        elif not "".join(record).strip():
            continue
        elif not headers:
            headers = tuple(field.strip() for field in record)
        elif len(record) == len(headers):
            rows.append(record)
            places.append(line)
            if len(rows) == _BATCH:
                parts.append(_columns(rows, len(headers)))
                rows = []
        else:
            reason = f"fields: {len(record)} where the header has {len(headers)}"
            broken.append((line, reason, _as_json(headers, record)))
    if not headers:
        raise ReadError("The file is empty: not even a header.", where=str(path))
    frame = pl.concat([*parts, _columns(rows, len(headers))])
    return Table(headers, frame, pl.Series(places, dtype=pl.Int64), broken_rows(broken))


def _records(lines: list[str], delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Line and fields of each record; of a record that is no CSV, line and text."""
    start, patience = 0, _PATIENCE * len(lines)
    while start < len(lines):
        rest = map(lines.__getitem__, range(start, len(lines)))
        reader = csv.reader(rest, delimiter=delimiter, strict=True)
        at = start
        try:
            for record in reader:
                yield at + 1, record
                at = start + reader.line_num
            return
        except csv.Error:
            start += reader.line_num
        if patience > 0:
            patience -= start - at
            start = at + 1
        yield at + 1, "".join(lines[at:start])


def _columns(rows: list[list[str]], width: int) -> pl.DataFrame:
    columns = list(zip(*rows, strict=True)) if rows else [()] * width
    return pl.DataFrame(
        [pl.Series(str(i), values, dtype=pl.String) for i, values in enumerate(columns)]
    )


def _as_json(headers: Sequence[str], row: Sequence[str]) -> str:
    names = [*unique(headers), *(f"field {i + 1}" for i in range(len(headers), len(row)))]
    return json.dumps(dict(zip(names, row, strict=False)), ensure_ascii=False)
