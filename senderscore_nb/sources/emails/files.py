"""Files of e-mail objects → one lazy frame of mails, scanned and not held."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from senderscore_nb.errors import ReadError
from senderscore_nb.sources.delimited import broken_rows, read_delimited, unique
from senderscore_nb.sources.emails.batches import ROW, Batches, Piece
from senderscore_nb.sources.emails.columns import find_columns
from senderscore_nb.sources.raw import ENDINGS, RawTable, find_files, read_raw, refuse_hidden
from senderscore_nb.sources.reading import REJECTED, SourceFile

WHOLE = 256 * 2**20
"""Text files up to this many bytes are read whole, with every kindness of the reader of exports;
larger ones are scanned and must be UTF-8 with as many fields in every row as the header has."""

_HEAD = 1 << 20


@dataclass(frozen=True)
class MailFiles:
    """Files that are read together.

    Attributes:
        mails: The mail columns that the files have (`columns.MAIL`), as they stand there, and
            `row`.
        files: The files.
        broken: Rows that have no columns: `file`, `line`, `reason`, `row`.
        sources: What the rows of each file are: its scan with the file's own headers.
    """

    mails: Batches
    files: tuple[SourceFile, ...]
    broken: pl.DataFrame
    sources: tuple[Source, ...]

    def as_read(self, reasons: pl.DataFrame) -> pl.DataFrame:
        """Rejected mails with file, line and the text that they had.

        Args:
            reasons: Columns `row`, `reason`.
        """
        parts = [pl.DataFrame(schema=REJECTED), self.broken]
        for source in self.sources:
            own = reasons.filter(pl.col(ROW).is_between(source.first, source.last))
            if own.height:
                parts.append(source.as_read(own))
        return pl.concat(parts)


@dataclass(frozen=True)
class Source:
    """One file's rows: numbered from `first` on, by `line` where that is known.

    `sliced`: any stretch of them can be read without what comes before.
    """

    path: str
    scan: pl.LazyFrame
    first: int
    rows: int
    lines: pl.Series | None
    sliced: bool

    @property
    def last(self) -> int:
        """The number of its last row."""
        return self.first + self.rows - 1

    def as_read(self, reasons: pl.DataFrame) -> pl.DataFrame:
        """`REJECTED` for some of its rows."""
        own = self.scan.with_columns(pl.col(ROW).cast(pl.Int64))
        own = own.join(reasons.lazy(), on=ROW, how="inner").sort(ROW)
        found = own.collect(engine="streaming")
        texts = found.drop(ROW, "reason").select(pl.all().cast(pl.String, strict=False))
        row = texts.select(pl.struct(pl.all()).struct.json_encode()).to_series()
        line = found[ROW].cast(pl.Int64) - self.first
        line = self.lines.gather(line) if self.lines is not None else line + 2
        return pl.DataFrame({"line": line, "reason": found["reason"], "row": row}).select(
            pl.lit(self.path).alias("file"), "line", "reason", "row"
        )


def open_mails(
    paths: str | Path | Sequence[str | Path], progress: Callable[[str], None] | None = None
) -> MailFiles:
    """Scan files of e-mail objects.

    Args:
        paths: A file, a folder (without its subfolders), a glob, or a list of them: CSV, TSV,
            XLSX, Parquet, and gzip of the text formats.
        progress: Called with a line about each file.

    Raises:
        ReadError: Nothing is found, or a file is not readable.
        MappingError: A file has no header for a needed column.
    """
    frames, files, broken, sources = [], [], [pl.DataFrame(schema=REJECTED)], []
    first = 0
    for path in find_files(paths):
        if progress:
            progress(f"Looking at {path} …")
        opened = _open(path)
        places = find_columns(opened.headers, where=str(path))
        names = unique(opened.headers)
        scan = opened.scan.with_row_index(ROW, offset=first)
        sliced = opened.form != "csv" or opened.lines is not None
        source = Source(str(path), scan, first, opened.rows, opened.lines, sliced)
        sources.append(source)
        frames.append(
            opened.scan.select(pl.col(names[i]).alias(column) for column, i in places.items())
        )
        broken.append(opened.broken.with_columns(file=pl.lit(str(path))).select(list(REJECTED)))
        files.append(_described(path, opened, places))
        first += opened.rows
    pieces = (
        Piece(frame, source.rows, source.sliced, source.first)
        for frame, source in zip(_alike(frames), sources, strict=True)
    )
    return MailFiles(Batches(tuple(pieces)), tuple(files), pl.concat(broken), tuple(sources))


@dataclass(frozen=True)
class _Opened:
    headers: tuple[str, ...]
    scan: pl.LazyFrame
    rows: int
    lines: pl.Series | None
    broken: pl.DataFrame
    form: str
    encoding: str | None
    delimiter: str | None
    sha256: str
    size: int


def _open(path: Path) -> _Opened:
    ending = Path(path.name.casefold().removesuffix(".gz")).suffix
    form = ENDINGS.get(ending, "")
    try:
        size = path.stat().st_size
        if form == "parquet" and path.suffix.casefold() != ".gz":
            return _scanned(path, form, None, pl.scan_parquet(path, glob=False), size)
        if form == "csv" and size > WHOLE and path.suffix.casefold() != ".gz":
            with path.open("rb") as file:
                head = file.read(_HEAD).split(b"\n", 1)[0].decode("utf-8", "replace")
            _, delimiter = read_delimited(head, "\t" if ending == ".tsv" else None, path)
            scan = pl.scan_csv(
                path,
                separator=delimiter,
                infer_schema=False,
                glob=False,
                empty_string_is_null=False,
            )
            return _scanned(path, form, delimiter, scan, size)
    except OSError as error:
        raise ReadError(f"The file cannot be read ({error.strerror}).", where=str(path)) from None
    return _read(read_raw(path))


def _read(raw: RawTable) -> _Opened:
    names = unique(raw.headers)
    frame = raw.frame.rename({str(i): name for i, name in enumerate(names)})
    return _Opened(
        raw.headers, frame.lazy(), frame.height, raw.lines, raw.broken,
        raw.form, raw.encoding, raw.delimiter, raw.sha256, raw.size,
    )  # fmt: skip


def _scanned(
    path: Path, form: str, delimiter: str | None, scan: pl.LazyFrame, size: int
) -> _Opened:
    refuse_hidden(path)
    try:
        headers = tuple(scan.collect_schema().names())
        rows = int(scan.select(pl.len()).collect(engine="streaming").item())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise unreadable(path, error) from None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    lines = None if form == "csv" else pl.int_range(1, rows + 1, dtype=pl.Int64, eager=True)
    encoding = "utf-8" if form == "csv" else None
    return _Opened(
        headers, scan, rows, lines, broken_rows([]), form, encoding, delimiter, digest, size
    )


def unreadable(path: str | Path, error: BaseException) -> ReadError:
    """What to say where the reader of a format gives up."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ReadError(
        f"The file is not readable as it stands ({first[:160]}).",
        where=str(path),
        hint="Parquet is the safest way to keep many mails; CSV must be whole and UTF-8.",
    )


def _alike(frames: Sequence[pl.LazyFrame]) -> list[pl.LazyFrame]:
    """Frames whose columns of one name have one type: text where the files disagree."""
    schemas = [frame.collect_schema() for frame in frames]
    names = {name for schema in schemas for name in schema}
    texts = {n for n in names if len({s[n] for s in schemas if n in s}) > 1}
    return [
        frame.with_columns(pl.col(n).cast(pl.String) for n in texts if n in schema)
        for frame, schema in zip(frames, schemas, strict=True)
    ]


def _described(path: Path, opened: _Opened, places: dict[str, int]) -> SourceFile:
    return SourceFile(
        path=str(path),
        sha256=opened.sha256,
        size=opened.size,
        rows=opened.rows + opened.broken.height,
        form=opened.form,
        encoding=opened.encoding,
        delimiter=opened.delimiter,
        decimal=".",
        mapping="e-mails",
        mapped={opened.headers[i]: column for column, i in places.items()},
        unmapped={h: "" for i, h in enumerate(opened.headers) if i not in places.values()},
    )
