"""Every error that a user can meet.

An error says what was found, what was expected, where, and what to do. The command line and the
report runner print the message alone; a traceback is for defects of this package.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pydantic import ValidationError


class SenderScoreError(Exception):
    """A mistake in what the user gave: data, a file, an option.

    Args:
        found: What is wrong, as a full sentence.
        where: The file, line, key or column it was found at.
        hint: What to do about it.
    """

    def __init__(self, found: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.found = found
        self.where = where
        self.hint = hint
        text = f"{where}: {found}" if where else found
        super().__init__(f"{text} {hint}" if hint else text)


class ReadError(SenderScoreError):
    """A file could not be read, or not be understood without a word from the user."""


class MappingError(SenderScoreError):
    """A mapping of headers to canonical columns is invalid or leaves a required column out."""


class ContractError(SenderScoreError):
    """A frame does not have the columns or types of the table it should be."""


class PolicyError(SenderScoreError):
    """A scoring policy is invalid."""


class SelectionError(SenderScoreError):
    """A selection names what does not exist, or contradicts itself."""


class ParameterError(SenderScoreError):
    """A report's parameter is unknown or has the wrong type."""


class ReportError(SenderScoreError):
    """A report could not be made."""


class Problem(NamedTuple):
    """What is wrong in a value that was validated.

    Attributes:
        location: Keys and positions that lead to it.
        message: What is wrong, without a full stop.
        unknown: The key itself is unknown.
    """

    location: tuple[int | str, ...]
    message: str
    unknown: bool

    @property
    def key(self) -> str:
        """The location as it is written in TOML."""
        return ".".join(str(part) for part in self.location)


def first_problem(error: ValidationError) -> Problem:
    """The problem to name: an unknown key explains the missing one that it was meant to be."""
    first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    unknown = first["type"] == "extra_forbidden"
    message = "this key is unknown" if unknown else first["msg"].removeprefix("Value error, ")
    return Problem(first["loc"], message, unknown)


def did_you_mean(name: str, known: Iterable[str], *, most: int = 3) -> str:
    """The nearest known names as a hint, or the known names where none is near.

    >>> did_you_mean("wekly", ["weekly", "sender"])
    "Did you mean 'weekly'?"
    """
    names = list(known)
    folded = {n.casefold(): n for n in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=most, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(repr(folded[n]) for n in near)}?"
    shown = ", ".join(repr(n) for n in names[:12])
    return f"Known: {shown}{', …' if len(names) > 12 else ''}." if names else "None is known."
