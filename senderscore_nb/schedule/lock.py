"""One run at a time for an output folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from senderscore_nb.errors import RunError
from senderscore_nb.schedule.ledger import FOLDER


class BusyError(RunError):
    """Another run is at work in the same folder."""


def is_held(output: Path) -> bool:
    """Whether a run is at work in a folder."""
    if not (output / FOLDER / "lock").exists():
        return False
    try:
        with held(output):
            return False
    except BusyError:
        return True
    except RunError:
        return False


@contextmanager
def held(output: Path, *, wait_seconds: float = 0) -> Iterator[None]:
    """The folder's lock. The system gives it back when its process ends, however that ends.

    Raises:
        BusyError: Another run holds it, and still does after the wait.
        RunError: The folder cannot be written.
    """
    from filelock import FileLock, Timeout

    try:
        output.mkdir(parents=True, exist_ok=True)
        (output / FOLDER).mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(output / FOLDER / "lock", timeout=wait_seconds)
        lock.acquire()
    except Timeout:
        raise BusyError(
            "Another run is at work.", where=str(output), hint="It does what is due."
        ) from None
    except OSError as error:
        raise RunError(
            f"The output folder cannot be written ({error.strerror or error}).",
            where=str(output),
            hint="Make it writable, or name another one under [output] of the plan.",
        ) from None
    try:
        yield
    finally:
        lock.release()
