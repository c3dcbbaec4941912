"""What a source is: files, a database, or the address of a server."""

from __future__ import annotations

import glob
import gzip
import os
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from senderscore_nb.contract import TALLY_KEY
from senderscore_nb.errors import ReadError
from senderscore_nb.safe import shown, without_login
from senderscore_nb.sources.delimited import decoded, read_delimited, unique
from senderscore_nb.sources.raw import refuse_hidden

DATABASES = (".duckdb", ".ddb", ".db")
"""Endings of a DuckDB database."""

_FORMS = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".txt": "csv"}
_HEAD = 1 << 20
_TELLS = 4
"""So many characters of a secret tell something."""

_WHOLE = "CSV must be whole and UTF-8 here; Parquet is the safest way to keep many rows."


@dataclass(frozen=True)
class Files:
    """Files of one form, with the columns that they have.

    Attributes:
        form: parquet or csv.
        paths: The files.
        where: As they were given.
    """

    form: str
    paths: tuple[Path, ...]
    where: str


@dataclass(frozen=True)
class Alike:
    """Text files with one header.

    Attributes:
        headers: Their header, each name once.
        delimiter: Between fields.
        paths: The files.
    """

    headers: tuple[str, ...]
    delimiter: str
    paths: tuple[Path, ...]


def is_postgres(source: str) -> bool:
    """The address of a PostgreSQL server."""
    return source.startswith(("postgresql://", "postgres://"))


def is_remote(source: str) -> bool:
    """An address that only a cluster's file system knows, such as s3a://… or hdfs://…."""
    return re.match(r"[a-z][a-z0-9+.-]*://", source) is not None


def is_database(source: str) -> bool:
    """A DuckDB database, by its ending."""
    return source.casefold().endswith(DATABASES)


def without_password(url: str) -> tuple[str, str | None]:
    """An address as it may be shown, and the password that is in it, escaped or not."""
    login = re.match(r"(?is)[a-z][a-z0-9+.-]*://[^:/@]*:(.*)@", url)
    asked = re.search(r"(?i)[?&]password=([^&#]*)", url)
    secret = login[1] if login else (asked[1] if asked else None)
    return shown(without_login(url), most=200), unquote(secret) if secret else None


def telling_parts(secret: str | None) -> tuple[str, ...]:
    """A secret, and what of it an engine may take for a host or a path if it is not escaped."""
    if not secret:
        return ()
    parts = sorted(re.split(r"[@/?#:]", secret), key=len, reverse=True)
    return (secret, *(part for part in parts if len(part) >= _TELLS))


def find_data(source: str, *, name: str | None = None) -> Files:
    """The Parquet or CSV files that a file, a folder or a glob means.

    A folder is read with its subfolders, as engines write them; names that begin with `.` or `_`
    are passed over, and so are `roster.*`, `*.rejected.csv`, tally files and tally stores.

    Args:
        source: The path.
        name: In a folder, only the table of this name: `name.parquet`, or the files in `name/`.

    Raises:
        ReadError: Nothing is found, or files of both forms.
    """
    root = Path(source).expanduser()
    try:
        found = _under(root) if os.path.isdir(root) else _named(root)  # noqa: PTH112
    except OSError as error:
        raise ReadError(f"The folder cannot be read ({error.strerror}).", where=source) from None
    if name is not None:
        found = [path for path in found if table_of(path, root) == name.casefold()]
    if not found:
        raise ReadError(
            "Nothing to read was found here.",
            where=source,
            hint="Expected a file, a folder or a glob of files ending in .parquet, .csv or .tsv; "
            f"a DuckDB database ({DATABASES[0]}); or postgresql://….",
        )
    forms = {_form(path) for path in found}
    if len(forms) > 1:
        raise ReadError(
            "There are Parquet and CSV files here.",
            where=source,
            hint="Name those of one form, as in 'folder/*.parquet'.",
        )
    for path in found:
        refuse_hidden(path)
    return Files(forms.pop(), tuple(found), source)


def tables_in(source: str) -> list[str]:
    """The names of the tables that a folder of files holds, in lower case."""
    root = Path(source).expanduser()
    try:
        return sorted({table_of(path, root) for path in _under(root)})
    except OSError as error:
        raise ReadError(f"The folder cannot be read ({error.strerror}).", where=source) from None


def table_of(path: Path, root: Path) -> str:
    """A file's table: the folder below the root that it is in, or its own name without endings."""
    parts = path.relative_to(root).parts if root in path.parents else (path.name,)
    return (parts[0] if len(parts) > 1 else parts[0].split(".")[0]).casefold()


def alike(files: Files) -> list[Alike]:
    """Text files by their header.

    Raises:
        ReadError: A file has no header, or is not UTF-8 as far as it was looked at.
    """
    groups: dict[tuple[tuple[str, ...], str], list[Path]] = {}
    for path in files.paths:
        groups.setdefault(header_of(_head(path), path), []).append(path)
    return [Alike(*key, paths=tuple(paths)) for key, paths in groups.items()]


def header_of(head: bytes, path: Path) -> tuple[tuple[str, ...], str]:
    """The names in the header of a text file, and its delimiter."""
    text, encoding = decoded(head, path)
    if not encoding.startswith("utf-8"):
        raise ReadError(f"The file is {encoding}, not UTF-8.", where=str(path), hint=_WHOLE)
    is_tsv = path.name.casefold().removesuffix(".gz").endswith(".tsv")
    table, delimiter = read_delimited(text, "\t" if is_tsv else None, path)
    return tuple(unique(table.headers)), delimiter


def _head(path: Path) -> bytes:
    """The beginning of a text file, up to the end of a line."""
    try:
        packed = path.suffix.casefold() == ".gz"
        with gzip.open(path) if packed else path.open("rb") as file:
            head = file.read(_HEAD)
    except (OSError, EOFError, zlib.error) as error:
        said = getattr(error, "strerror", None) or "not a whole gzip file"
        raise ReadError(f"The file cannot be read ({said}).", where=str(path)) from None
    return head if len(head) < _HEAD else head[: head.rfind(b"\n") + 1] or head


def _under(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        found += (Path(folder) / name for name in names)
    return _data(found)


def _named(path: Path) -> list[Path]:
    if os.path.isfile(path):  # noqa: PTH113
        if not _form(path):
            raise ReadError(
                f"Files ending in {path.suffix!r} cannot be read by an engine.",
                where=str(path),
                hint="Parquet and CSV can; `read_enrollments` reads spreadsheets.",
            )
        return [path]
    return _data(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207


def _data(paths: Iterable[Path]) -> list[Path]:
    found = []
    for path in paths:
        name = path.name.casefold()
        ours = name.startswith((".", "_", "~", "roster.")) or name.endswith(".rejected.csv")
        if not ours and _form(path) and path.is_file() and not _holds_tallies(path):
            found.append(path)
    return sorted(found)


def _holds_tallies(path: Path) -> bool:
    if _form(path) != "parquet":
        return False
    try:
        return TALLY_KEY in pl.read_parquet_metadata(path)
    except (OSError, pl.exceptions.PolarsError):
        return False  # whoever reads it says why


def _form(path: Path) -> str:
    return _FORMS.get(Path(path.name.casefold().removesuffix(".gz")).suffix, "")
