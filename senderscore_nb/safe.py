"""Text from outside made harmless: in spreadsheets, in file names, in messages; and whole files."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import unicodedata
from pathlib import Path

import polars as pl

MOST_CHARACTERS = 80
"""The longest file name, without ending, that `safe_filename` makes."""

BEGUN = ".tmp"
"""The ending of a file that is being written."""

_BEGUN = re.compile(rf"\.[0-9a-f]{{16}}{re.escape(BEGUN)}")
_FORMULA = r"^[\s\p{C}]*[=+\-@＝＋－＠]|^[\t\r\n]"
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)")
_HASH_CHARACTERS = 8
_HASHED = re.compile(rf"-[0-9a-f]{{{_HASH_CHARACTERS}}}$")


def spreadsheet_safe(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with an apostrophe before each text that a spreadsheet would run as a formula.

    Args:
        frame: Any columns. Text, categories and enums are looked at; numbers are left alone.

    Returns:
        The same columns; texts that begin with `=`, `+`, `-` or `@` (also after space), a tab or a
        line break begin with `'`.

    >>> spreadsheet_safe(pl.DataFrame({"a": ["=1+1", "plain"]}))["a"].to_list()
    ["'=1+1", 'plain']
    """
    texts = [
        name for name, kind in frame.schema.items() if kind in (pl.String, pl.Categorical, pl.Enum)
    ]
    safe = []
    for name in texts:
        text = frame.get_column(name).cast(pl.String)
        quoted = text.str.contains(_FORMULA)
        if quoted.any():
            safe.append(("'" + text).zip_with(quoted.fill_null(value=False), text).alias(name))
    return frame.with_columns(safe)


def safe_filename(text: str) -> str:
    """A file name, without ending, for any text.

    ASCII letters, digits, `_` and `-`; never empty, never a reserved name, at most 80 characters.
    A text that is already such a name stays as it is; any other gets the start of its SHA-256, so
    that two texts which look alike afterwards still have two names.

    >>> safe_filename("weekly-2026-W46")
    'weekly-2026-W46'
    >>> safe_filename("../../etc/x").startswith("etc-x-")
    True
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", ascii_text).strip("-")
    # A name that ends like one of ours gets a hash too, so that it cannot be that one.
    special = _RESERVED.fullmatch(slug) or _HASHED.search(slug)
    if slug and slug == text and len(slug) <= MOST_CHARACTERS and not special:
        return slug
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARACTERS]
    short = slug[: MOST_CHARACTERS - _HASH_CHARACTERS - 1].rstrip("-") or "unnamed"
    return f"{short}-{digest}"


def write_atomically(path: str | Path, content: bytes | str, *, mode: int = 0o666) -> None:
    """Write a file so that it appears whole or not at all; text is written as UTF-8.

    Args:
        path: The file.
        content: What is in it.
        mode: Who may read a new file, before the umask.

    Raises:
        OSError: The file cannot be written. What was there before is still there.
    """
    path = Path(path)
    if not path.name:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    beside = path.with_name(f".{secrets.token_hex(8)}{BEGUN}")
    write_new(beside, data, mode=mode)
    try:
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_new(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """A file that was not there, whole and forced to the disk.

    Args:
        path: The file.
        content: What is in it.
        mode: Who may read it, before the umask.

    Raises:
        OSError: It is there already, or cannot be written; then nothing of it is left.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Force a new name to the disk, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove what killed processes left of files they had begun. Nobody else may be writing."""
    for file in folder.rglob(f".*{BEGUN}"):
        if _BEGUN.fullmatch(file.name):
            file.unlink(missing_ok=True)


def shown(text: object, *, most: int = 60) -> str:
    r"""A text from outside as it may stand in a message: short, on one line, nothing invisible.

    >>> shown("a\x1b[31m\nb")
    'a [31m b'
    """
    cut = str(text)[: most + 1]
    clean = "".join(c if c.isprintable() else " " for c in cut)
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def shown_series(texts: pl.Series, *, most: int = 60) -> pl.Series:
    """`shown` for a whole column."""
    cut = texts.cast(pl.String).str.slice(0, most + 1)
    clean = cut.str.replace_all(r"[\p{C}\p{Zl}\p{Zp}]+", " ")
    long = (clean.str.len_chars() > most).fill_null(value=False)
    return (clean.str.slice(0, most - 1) + "…").zip_with(long, clean)


def without_login(text: str) -> str:
    """A text in which the password of an address is not to be read.

    Whatever stands between the user and the last `@` is taken for it, for one that was not escaped
    may hold any sign.

    >>> without_login("postgresql://jo:pa/ss@db.example/crm?sslpassword=x&a=1")
    'postgresql://jo:***@db.example/crm?sslpassword=***&a=1'
    """
    shorter = re.sub(r"(?is)^([a-z][a-z0-9+.-]*:/{1,2}[^:/@]*):.*@", r"\1:***@", text)
    return re.sub(r"(?i)([?&][^&=]*password[^&=]*=)[^&]*", r"\1***", shorter)
