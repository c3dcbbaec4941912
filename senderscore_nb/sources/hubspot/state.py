"""How far a folder has been pulled, written after the data that it speaks of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from senderscore_nb.errors import PullError, first_problem
from senderscore_nb.safe import write_atomically

Milliseconds = Annotated[int, Field(ge=0, le=10**14)]


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Run(_Kept):
    """A pull that has begun and not ended.

    Attributes:
        first: Mails modified from here on; milliseconds since 1970.
        last: Up to here, the millisecond included: when it began.
        at: Windows before this one are done.
        above: Of the millisecond `at`, mails up to this id are done; empty where none is.
        parts: Parts written.
        full: It replaces what is there, and so forgets what HubSpot no longer has.
        months: What it puts in place, once all is pulled; null before.
    """

    first: Milliseconds
    last: Milliseconds
    at: Milliseconds
    above: str = ""
    parts: int = 0
    full: bool = False
    months: tuple[str, ...] | None = None


class State(_Kept):
    """What a folder holds.

    Attributes:
        version: Of this file.
        since: Mails modified from here on; milliseconds since 1970.
        through: All modified up to here was pulled, as far as HubSpot's search had it.
        with_text: Whether the last pull kept the texts of all mails.
        run: What has begun and not ended.
    """

    version: Literal[1] = 1
    since: Milliseconds = 0
    through: Milliseconds | None = None
    with_text: bool = False
    run: Run | None = None


def read_state(path: Path) -> State | None:
    """The state of a folder; None where nothing was pulled yet.

    Raises:
        PullError: The file is there and cannot be understood.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return State.model_validate_json(text)
    except ValidationError as error:
        problem = first_problem(error)
        raise PullError(
            f"How far was pulled cannot be read ({problem.key or 'the file'}: {problem.message}).",
            where=str(path),
            hint="Remove this file to pull everything once more; mails that are there stay.",
        ) from None


def write_state(path: Path, state: State) -> None:
    """Keep a state. What it speaks of must be on the disk already."""
    write_atomically(path, state.model_dump_json(indent=1) + "\n")
