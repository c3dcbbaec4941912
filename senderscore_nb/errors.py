"""Every error that a user can meet.

An error says what was found, what was expected, where, and what to do. The command line and the
report runner print the message alone; a traceback is for defects of this package.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


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

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback: the message, as the command line does."""
        return [f"senderscore: {self}"]


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


class FactorError(SenderScoreError):
    """A column cannot be a factor: it is not there, or is not known when a contact is enrolled."""


class ParameterError(SenderScoreError):
    """A report's parameter is unknown or has the wrong type."""


class ReportError(SenderScoreError):
    """A report could not be made."""


class PlanError(SenderScoreError):
    """A plan of reports is invalid, or names what does not exist."""


class RunError(SenderScoreError):
    """Scheduled reports could not be run: the folder, the lock, the ledger."""


class SecretError(SenderScoreError):
    """A password, token or secret address could not be read. Its value is never in the message."""


class PullError(SenderScoreError):
    """Data could not be pulled from an API. What was pulled before is kept."""


class StoreError(SenderScoreError):
    """A tally store cannot be read or written, or holds what was counted otherwise."""


class EnrollmentsNeededError(SenderScoreError):
    """Something goes back to the enrollments, and only tallies were read."""


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


def problems(error: ValidationError) -> list[Problem]:
    """Every problem, unknown keys first: one explains the missing key that it was meant to be."""
    found = []
    for one in error.errors(include_url=False):
        unknown = one["type"] == "extra_forbidden"
        message = "this key is unknown" if unknown else one["msg"].removeprefix("Value error, ")
        found.append(Problem(one["loc"], message, unknown))
    return sorted(found, key=lambda problem: not problem.unknown)


def first_problem(error: ValidationError) -> Problem:
    """The problem to name."""
    return problems(error)[0]


def keys_at(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The keys that a model knows at a location in it; none where there is no table.

    Args:
        model: A pydantic model.
        location: Keys and positions that lead to a table.
    """
    for part in location:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if hasattr(annotation, "model_fields"):
        found: type[BaseModel] = annotation
        return found
    inner = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in inner if model is not None), None)


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
