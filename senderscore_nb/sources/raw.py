"""Files → tables of text with line numbers, before anything is understood."""

from __future__ import annotations

import glob
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from senderscore_nb.errors import ReadError
from senderscore_nb.safe import without_login
from senderscore_nb.sources.delimited import Table, broken_rows, decoded, read_delimited

HIDING = "SENDERSCORE_NAMES_ARE_HIDDEN"
"""Where this environment variable is set no file is read: only a snapshot without names is."""

ENDINGS: dict[str, str] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".xlsx": "xlsx",
    ".parquet": "parquet",
}


@dataclass(frozen=True)
class RawTable(Table):
    """A file as it was read.

    Attributes:
        path: The file.
        sha256: Of its bytes.
        size: In bytes.
        form: csv, xlsx or parquet.
        encoding: Of a text file, else None.
        delimiter: Of a text file, else None.
    """

    path: Path
    sha256: str
    size: int
    form: str
    encoding: str | None
    delimiter: str | None


def find_files(paths: str | Path | Sequence[str | Path]) -> list[Path]:
    """The data files that paths, folders and globs mean, each once, in name order.

    A folder is read without its subfolders. What is found in a folder or by a glob and is named
    `roster.*` or `*.rejected.csv` is passed over.

    Raises:
        ReadError: Nothing is found.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    found: dict[str, Path] = {}
    for item in given:
        files = _meant(str(item))
        if not files:
            expected = f"a file, a folder or a glob of files ending in {', '.join(ENDINGS)} or .gz"
            raise ReadError(
                "Nothing to read was found here.",
                where=without_login(str(item)),
                hint=f"Expected {expected}.",
            )
        for file in files:
            found.setdefault(os.path.realpath(file), file)
    if not found:
        raise ReadError("No file was given.")
    return list(found.values())


def refuse_hidden(path: Path) -> None:
    """Raise where names are hidden in this run, and the file has them.

    Raises:
        ReadError: They are.
    """
    if os.environ.get(HIDING):
        raise ReadError(
            "Names are hidden in this run, and the files have them.",
            where=str(path),
            hint="Take the plan's own data: `data`, `timezone` and the others as they are given.",
        )


def read_raw(path: Path) -> RawTable:
    """One file as a table, nothing understood yet.

    Raises:
        ReadError: It cannot be read, or is not what its ending says.
    """
    form = _form(path)
    refuse_hidden(path)
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
    encoding = delimiter = None
    if form == "csv":
        text, encoding = decoded(content, path)
        is_tsv = _ending(path) == ".tsv"
        table, delimiter = read_delimited(text, "\t" if is_tsv else None, path)
    else:
        table = _native(content, form, path)
    return RawTable(
        headers=table.headers,
        frame=table.frame,
        lines=table.lines,
        broken=table.broken,
        path=path,
        sha256=digest,
        size=size,
        form=form,
        encoding=encoding,
        delimiter=delimiter,
    )


def _meant(item: str) -> list[Path]:
    path = Path(item).expanduser()
    # os.path answers False where a Path raises: names too long, folders that are locked.
    if os.path.isfile(path):  # noqa: PTH113
        return [path]
    try:
        if os.path.isdir(path):  # noqa: PTH112
            return sorted(file for file in path.iterdir() if _is_data(file))
    except OSError as error:
        raise ReadError(f"The folder cannot be read ({error.strerror}).", where=item) from None
    return sorted(
        file
        for file in map(Path, glob.glob(str(path), recursive=True))  # noqa: PTH207
        if _is_data(file)
    )


def _is_data(path: Path) -> bool:
    name = path.name.casefold()
    if name.startswith((".", "~", "roster.")) or name.endswith(".rejected.csv"):
        return False
    return _ending(path) in ENDINGS and path.is_file()


def _ending(path: Path) -> str:
    return Path(path.name.casefold().removesuffix(".gz")).suffix


def _form(path: Path) -> str:
    ending = _ending(path)
    if ending not in ENDINGS:
        raise ReadError(
            f"Files ending in {ending!r} cannot be read.",
            where=str(path),
            hint=f"Known endings: {', '.join(ENDINGS)}, and .gz after them.",
        )
    return ENDINGS[ending]


def _native(content: bytes, form: str, path: Path) -> Table:
    try:
        return _read_xlsx(content) if form == "xlsx" else _read_parquet(content)
    except ReadError as error:
        raise ReadError(error.found, where=str(path)) from None
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:
        # Both readers raise whatever their native code does, a panic too; the file is to blame.
        raise ReadError(f"Not a readable {form} file ({_first(error)}).", where=str(path)) from None


def _read_xlsx(content: bytes) -> Table:
    """The first sheet; the first row that is not blank is its header."""
    import fastexcel

    sheet = fastexcel.read_excel(content).load_sheet(
        0, header_row=None, skip_rows=0, dtypes="string"
    )
    table: pl.DataFrame = sheet.to_polars()
    table = table.select(
        pl.col(name).cast(pl.String).alias(str(i)) for i, name in enumerate(table.columns)
    )
    lines = pl.int_range(1, table.height + 1, dtype=pl.Int64, eager=True)
    filled = table.select(
        pl.any_horizontal(pl.lit(value=False), pl.all().str.strip_chars() != "").fill_null(
            value=False
        )
    ).to_series()
    table, lines = table.filter(filled), lines.filter(filled)
    if table.is_empty():
        raise ReadError("The first sheet is empty.")
    headers = tuple((h or "").strip() for h in table.row(0))
    # A cell with a date alone comes with midnight; a column of nothing else holds days.
    body = table[1:].with_columns(
        pl.when((pl.all().str.contains(r"^\d{4}-\d{2}-\d{2}( 00:00:00)?$")).all())
        .then(pl.all().str.slice(0, 10))
        .otherwise(pl.all())
    )
    return Table(headers, body, lines[1:], broken_rows([]))


def _read_parquet(content: bytes) -> Table:
    table = pl.read_parquet(io.BytesIO(content))
    headers = tuple(table.columns)
    frame = pl.DataFrame(
        [_simple(column).alias(str(i)) for i, column in enumerate(table.iter_columns())]
    )
    lines = pl.int_range(1, frame.height + 1, dtype=pl.Int64, eager=True)
    return Table(headers, frame, lines, broken_rows([]))


def _simple(column: pl.Series) -> pl.Series:
    """A column without nested or binary values: those become text."""
    kind = column.dtype
    if kind.is_float():
        return column.fill_nan(None)
    if kind.is_numeric() or kind in (pl.Boolean, pl.String, pl.Date, pl.Datetime):
        return column
    if kind == pl.Binary:
        try:
            return column.cast(pl.String)
        except pl.exceptions.PolarsError:
            return column.bin.encode("hex")
    if kind.is_nested() or kind == pl.Duration:
        return column.alias("value").to_frame().to_struct().struct.json_encode()
    return column.cast(pl.String)


def _first(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__
