"""Files → tables of text with line numbers, before anything is understood."""

from __future__ import annotations

import csv
import glob
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from senderscore_nb.errors import ReadError

ENDINGS: dict[str, str] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".xlsx": "xlsx",
    ".parquet": "parquet",
}
_DELIMITERS = ",;\t|"
_LONGEST_FIELD = 2**31 - 1


@dataclass(frozen=True)
class RawTable:
    """A file as it was read.

    Attributes:
        path: The file.
        sha256: Of its bytes.
        size: In bytes.
        form: csv, xlsx or parquet.
        encoding: Of a text file, else None.
        delimiter: Of a text file, else None.
        headers: As they stand in the file.
        frame: One column a header, named `0`, `1`, …: text, or typed where the file has types.
        lines: Line of each row of the frame.
        broken: Rows with too many or too few fields: `line`, `reason`, `row`.
    """

    path: Path
    sha256: str
    size: int
    form: str
    encoding: str | None
    delimiter: str | None
    headers: tuple[str, ...]
    frame: pl.DataFrame
    lines: pl.Series
    broken: pl.DataFrame


def find_files(paths: str | Path | Sequence[str | Path]) -> list[Path]:
    """The data files that paths, folders and globs mean, each once, in name order.

    A folder is read without its subfolders; its `roster.*` and `*.rejected.csv` are passed over.

    Raises:
        ReadError: Nothing is found.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    found: dict[Path, None] = {}
    for item in given:
        path = Path(item).expanduser()
        if path.is_dir():
            files = [f for f in sorted(path.iterdir()) if _is_data(f)]
            where = f"files ending in {', '.join(ENDINGS)} (or .gz)"
        elif path.is_file():
            files, where = [path], ""
        else:
            matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207
            files, where = [Path(m) for m in matches if Path(m).is_file()], "a file or a glob"
        if not files:
            raise ReadError(
                "Nothing to read was found here.", where=str(item), hint=f"Expected {where}."
            )
        found |= dict.fromkeys(files)
    if not found:
        raise ReadError("No file was given.")
    return list(found)


def read_raw(path: Path) -> RawTable:
    """One file as text.

    Raises:
        ReadError: It cannot be read, or is not what its ending says.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReadError(f"The file cannot be read ({error.strerror}).", where=str(path)) from None
    digest, size = hashlib.sha256(content).hexdigest(), len(content)
    if path.suffix.casefold() == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            raise ReadError("Not a whole gzip file.", where=str(path)) from None
    form = _form(path)
    try:
        if form == "xlsx":
            return RawTable(path, digest, size, form, None, None, *_read_xlsx(content))
        if form == "parquet":
            return RawTable(path, digest, size, form, None, None, *_read_parquet(content))
    except ReadError:
        raise
    except Exception as error:
        # Both readers raise whatever their native code does; the file is to blame.
        raise ReadError(f"Not a readable {form} file ({_first(error)}).", where=str(path)) from None
    text, encoding = _decoded(content, path)
    delimiter = "\t" if ".tsv" in path.suffixes else _delimiter(text)
    table = _read_csv(text, delimiter, path)
    return RawTable(path, digest, size, form, encoding, delimiter, *table)


def _is_data(path: Path) -> bool:
    name = path.name.casefold()
    if name.startswith((".", "~", "roster.")) or name.endswith(".rejected.csv"):
        return False
    return path.is_file() and Path(name.removesuffix(".gz")).suffix in ENDINGS


def _form(path: Path) -> str:
    ending = Path(path.name.casefold().removesuffix(".gz")).suffix
    if ending not in ENDINGS:
        raise ReadError(
            f"Files ending in {ending!r} cannot be read.",
            where=str(path),
            hint=f"Known endings: {', '.join(ENDINGS)}, and .gz after them.",
        )
    return ENDINGS[ending]


def _decoded(content: bytes, path: Path) -> tuple[str, str]:
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


def _delimiter(text: str) -> str:
    """The delimiter that splits the header into the most fields."""
    header = next((line for line in io.StringIO(text) if line.strip()), "")
    counts = {d: len(next(csv.reader([header], delimiter=d), [])) for d in _DELIMITERS}
    return max(_DELIMITERS, key=lambda d: counts[d])


def _read_csv(
    text: str, delimiter: str, path: Path
) -> tuple[tuple[str, ...], pl.DataFrame, pl.Series, pl.DataFrame]:
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        headers: list[str] = []
        rows: list[list[str]] = []
        lines: list[int] = []
        broken: list[tuple[int, str, str]] = []
        line = 1
        for row in reader:
            if any(field.strip() for field in row):
                if not headers:
                    headers = [field.strip() for field in row]
                elif len(row) == len(headers):
                    rows.append(row)
                    lines.append(line)
                else:
                    reason = f"{len(row)} fields where the header has {len(headers)}"
                    broken.append((line, reason, _as_json(headers, row)))
            line = reader.line_num + 1
    except csv.Error as error:
        raise ReadError(f"Not a readable CSV file ({error}).", where=f"{path}:{line}") from None
    finally:
        csv.field_size_limit(limit)
    if not headers:
        raise ReadError("The file is empty: not even a header.", where=str(path))
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(headers)
    frame = pl.DataFrame(
        {str(i): pl.Series(values, dtype=pl.String) for i, values in enumerate(columns)}
    )
    return tuple(headers), frame, pl.Series(lines, dtype=pl.Int64), _broken(broken)


def _read_xlsx(
    content: bytes,
) -> tuple[tuple[str, ...], pl.DataFrame, pl.Series, pl.DataFrame]:
    import fastexcel

    sheet = fastexcel.read_excel(content).load_sheet(0, header_row=None, dtypes="string")
    table: pl.DataFrame = sheet.to_polars()
    table = table.rename({name: str(i) for i, name in enumerate(table.columns)})
    table = table.with_row_index("line", offset=1).with_columns(pl.col("line").cast(pl.Int64))
    texts = pl.all().exclude("line")
    table = table.filter(pl.any_horizontal(texts.is_not_null()))
    if table.is_empty():
        raise ReadError("The first sheet is empty.")
    headers = tuple((h or "").strip() for h in table.drop("line").row(0))
    body = table[1:]
    # A cell with a date alone comes with midnight; a column of nothing else holds dates.
    midnight = r"^\d{4}-\d{2}-\d{2} 00:00:00$"
    dates = [
        name
        for name in body.columns
        if name != "line"
        and body[name].drop_nulls().len()
        and body[name].drop_nulls().str.contains(midnight).all()
    ]
    body = body.with_columns(pl.col(dates).str.slice(0, 10)) if dates else body
    return headers, body.drop("line"), body["line"], _broken([])


def _read_parquet(
    content: bytes,
) -> tuple[tuple[str, ...], pl.DataFrame, pl.Series, pl.DataFrame]:
    table = pl.read_parquet(io.BytesIO(content))
    headers = tuple(table.columns)
    frame = table.rename({name: str(i) for i, name in enumerate(headers)})
    lines = pl.int_range(1, frame.height + 1, eager=True)
    return headers, frame, lines, _broken([])


def _as_json(headers: Sequence[str], row: Sequence[str]) -> str:
    named = dict(zip(headers, row, strict=False))
    extra = {f"field {i + 1}": v for i, v in enumerate(row) if i >= len(headers)}
    return json.dumps({**named, **extra}, ensure_ascii=False)


def _broken(rows: list[tuple[int, str, str]]) -> pl.DataFrame:
    schema = {"line": pl.Int64, "reason": pl.String, "row": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__
