"""A private folder for what a run needs while it goes on.

Its name follows from the output folder, so that the next run finds and removes what a killed one
has left: copies of the data among it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch(output: Path) -> Iterator[Path]:
    """An empty folder of this user's alone; removed afterwards. Only one run may use it at a time.

    Raises:
        OSError: There is no room for temporary files.
    """
    folder = _named(output)
    _remove_own(folder)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:  # somebody else's: a folder that nobody can foresee instead
        folder = Path(tempfile.mkdtemp(prefix="senderscore-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _named(output: Path) -> Path:
    user = os.getuid() if hasattr(os, "getuid") else 0
    digest = hashlib.sha256(str(output.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    return Path(tempfile.gettempdir(), f"senderscore-{user}-{digest[:16]}")


def _remove_own(folder: Path) -> None:
    """Remove what an earlier run has left, never what a link leads to or what is not ours."""
    try:
        status = folder.lstat()
    except OSError:
        return
    if stat.S_ISDIR(status.st_mode) and (not hasattr(os, "getuid") or status.st_uid == os.getuid()):
        shutil.rmtree(folder, ignore_errors=True)
