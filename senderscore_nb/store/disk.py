"""Files of a store: made new, whole and on the disk; read only where they are plain files."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def read_plain(path: Path) -> bytes:
    """What is in a file that is no link to another.

    Raises:
        OSError: There is none, or it is a link (ELOOP) or cannot be read.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | _PLAIN), "rb") as file:
        return file.read()


def appear(begun: Path, path: Path) -> None:
    """Give a file that was written whole its name, if nothing has that name.

    Raises:
        FileExistsError: Something has.
        OSError: The name cannot be given.
    """
    try:
        os.link(begun, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without hard links; between look and rename only the lock is in the way.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        begun.replace(path)


def remove(paths: Iterable[Path]) -> None:
    """Remove files that nobody needs; one that cannot be removed stays."""
    for path in paths:
        with suppress(OSError):
            path.unlink()


def names_in(folder: Path) -> list[str]:
    """The names in a folder; none where it is not there."""
    try:
        return [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
