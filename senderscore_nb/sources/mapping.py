"""How a file's headers and words become the contract's columns."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import polars as pl
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from senderscore_nb.contract import COLUMNS, REQUIRED
from senderscore_nb.errors import MappingError, did_you_mean, first_problem
from senderscore_nb.safe import shown
from senderscore_nb.sources.forms import KNOWN_WORDS, checked_format, fold

INPUTS: tuple[str, ...] = (
    "state",
    "unenrolled_by",
    "error_type",
    "run_status",
    "emails_sent",
    "recipient_email",
)
"""Columns that are read but not kept: they become `end_reason`, `recipient_domain` and others."""

TOLD: dict[str, str] = {
    "replied": "reply",
    "bounced": "bounced",
    "unsubscribed": "unsubscribed",
}
"""Measures that a run's status can tell, with the status that means yes."""

_FIXABLE = ("user_id", "user_name", "sequence_id", "sequence_name")

FactorType = Literal["text", "number", "boolean", "date"]


def _labels(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Labels = Annotated[tuple[str, ...], BeforeValidator(_labels), Field(min_length=1)]
Format = Annotated[str, AfterValidator(checked_format)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Dates(_Frozen):
    """How days and times are written.

    `day_first` decides between D/M/Y and M/D/Y and is never guessed; `formats` are tried before
    the forms that are understood without a word (ISO days and times, epoch milliseconds).
    """

    day_first: bool | None = None
    formats: tuple[Format, ...] = ()
    naive_timestamps: Literal["account", "UTC"] = "account"


class Words(_Frozen):
    """Words of the file's language, by the word that they mean; case and space are ignored."""

    true: Labels = ("true", "yes", "y", "x")
    false: Labels = ("false", "no", "n")
    run_status: dict[str, str] = {}
    state: dict[str, str] = {}
    unenrolled_by: dict[str, str] = {}
    error_type: dict[str, str] = {}
    end_reason: dict[str, str] = {}
    bounce_type: dict[str, str] = {}

    @model_validator(mode="after")
    def _known(self) -> Self:
        for column, known in KNOWN_WORDS.items():
            for said, meant in getattr(self, column).items():
                if meant not in known:
                    hint = did_you_mean(meant, known)
                    raise ValueError(f"{column}: {said!r} cannot mean {meant!r}. {hint}")
        if both := {w.lower() for w in self.true} & {w.lower() for w in self.false}:
            raise ValueError(f"{min(both)!r} is both true and false")
        return self


class Mapping(_Frozen):
    """Which header is which column, and how values are written.

    A name under `columns` that is not of the contract is a factor of the user's own; `types` says
    what it holds (text unless said). For senders that say less than the contract asks for:
    `by_status` names measures that the status tells, `unknown` those that nothing tells, `fixed`
    gives a value to every row, and with `one_day` the day of the end stands for that of the
    enrollment; each only where the file has no header for the column. `known_by` names headers
    without one of which the mapping is not found by itself.
    """

    name: str
    source: str = ""
    columns: dict[str, Labels]
    types: dict[str, FactorType] = {}
    dates: Dates = Dates()
    words: Words = Words()
    decimal: Literal["auto", ".", ","] = "auto"
    blank_is_false: tuple[str, ...] = ()
    by_status: tuple[Literal["replied", "bounced", "unsubscribed"], ...] = ()
    unknown: tuple[Literal["replied", "bounced"], ...] = ()
    fixed: dict[str, str] = {}
    one_day: bool = False
    known_by: tuple[str, ...] = ()

    @field_validator("columns")
    @classmethod
    def _named(cls, columns: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        owner: dict[str, str] = {}
        for column, labels in columns.items():
            own = column not in COLUMNS and column not in INPUTS
            if own and not re.fullmatch(r"[^\W\d_]\w{0,59}", column):
                raise ValueError(f"{shown(column)!r} is not a name of letters, digits and _")
            for label in labels:
                if owner.setdefault(fold(label), column) != column:
                    raise ValueError(
                        f"{shown(label)!r} means both {owner[fold(label)]!r} and {column!r}"
                    )
        return columns

    @model_validator(mode="after")
    def _about_columns(self) -> Self:
        for column in self.types:
            if column in COLUMNS or column not in self.columns:
                raise ValueError(f"types: {shown(column)!r} is not a factor under columns")
        for column in self.blank_is_false:
            kind = COLUMNS.get(column, self.types.get(column))
            if kind not in (pl.Boolean, "boolean") and column != "emails_sent":
                raise ValueError(f"blank_is_false: {shown(column)!r} is not true or false")
        return self

    @model_validator(mode="after")
    def _about_what_is_missing(self) -> Self:
        for column, value in self.fixed.items():
            if column not in _FIXABLE:
                raise ValueError(f"fixed: {shown(column)!r} is not one of {', '.join(_FIXABLE)}")
            if not value.strip():
                raise ValueError(f"fixed: {column} is blank")
        if self.by_status and "run_status" not in self.columns:
            raise ValueError("by_status: there is no run_status under columns")
        if both := sorted({*self.by_status} & {*self.unknown}):
            raise ValueError(f"{both[0]!r} is both under by_status and unknown")
        return self

    @property
    def needed(self) -> tuple[str, ...]:
        """Columns without whose header a file cannot be read."""
        supplied = {*self.by_status, *self.unknown, *self.fixed}
        supplied |= {"enrolled_on"} if self.one_day else set()
        status = ("run_status",) if self.words.run_status else ()
        return (*(column for column in REQUIRED if column not in supplied), *status)

    def knows(self, headers: Sequence[str]) -> bool:
        """Whether headers are such as this mapping is for."""
        folded = {fold(header) for header in headers}
        return not self.known_by or any(fold(name) in folded for name in self.known_by)

    def find(self, headers: Sequence[str]) -> dict[str, int]:
        """The place of each mapped column's header.

        Raises:
            MappingError: Two headers of the file mean the same column.
        """
        places: dict[str, int] = {}
        wanted = {fold(column): column for column in self.columns}
        wanted |= {
            fold(label): column for column, labels in self.columns.items() for label in labels
        }
        for i, header in enumerate(headers):
            column = wanted.get(fold(header))
            if column is None:
                continue
            if column in places:
                raise MappingError(
                    f"The headers {shown(headers[places[column]])!r} and {shown(header)!r} both "
                    f"mean {column!r} in the mapping {shown(self.name)!r}.",
                    hint="Give a mapping that names one of them, or rename the other.",
                )
            places[column] = i
        return places


CANONICAL = Mapping(name="canonical", columns={name: (name,) for name in (*COLUMNS, *INPUTS)})
"""Headers that are the contract's own names."""


def mapping_names() -> tuple[str, ...]:
    """The mappings that come with the package."""
    folder = resources.files("senderscore_nb").joinpath("sources", "mappings")
    return tuple(
        sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))
    )


def load_mapping(mapping: str | Path | Mapping) -> Mapping:
    """A mapping by preset name or from a TOML file.

    Raises:
        MappingError: No such preset or file, or an invalid mapping; names the file and the key.
    """
    if isinstance(mapping, Mapping):
        return mapping
    name = str(mapping)
    if name == "canonical":
        return CANONICAL
    if name in mapping_names():
        return preset(name)
    path = Path(name)
    # os.path answers False where a Path raises, as for a name that is too long.
    if path.suffix != ".toml" and not os.path.isfile(path):  # noqa: PTH113
        raise MappingError(
            f"There is no mapping named {shown(name)!r}.",
            hint=did_you_mean(name[:100], ("canonical", *mapping_names()))
            + " Or give the path of a TOML file.",
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"The mapping cannot be read ({error}).", where=name) from None
    return parse_mapping(text, where=name)


def parse_mapping(text: str, *, where: str) -> Mapping:
    """A mapping from the text of a TOML file.

    Raises:
        MappingError: Not TOML, or not a valid mapping.
    """
    try:
        return Mapping.model_validate(_extended(tomllib.loads(text)))
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"Not valid TOML: {error}.", where=where) from None
    except ValidationError as error:
        location, message, unknown = problem = first_problem(error)
        hint = None
        if unknown:
            parents: dict[str, type[BaseModel]] = {"dates": Dates, "words": Words}
            model = parents.get(str(location[0]), Mapping)
            hint = did_you_mean(str(location[-1]), model.model_fields)
        end = "" if message.endswith((".", "?")) else "."
        said = f"{shown(problem.key)}: {message}{end}" if location else f"{message}{end}"
        raise MappingError(said, where=where, hint=hint) from None
    except MappingError as error:
        raise MappingError(error.found, where=where, hint=error.hint) from None


def _extended(given: dict[str, Any]) -> dict[str, Any]:
    """What is given over what it extends: tables key by key, all else as a whole."""
    if "extends" not in given:
        return given
    base = load_mapping(_preset_name(given["extends"])).model_dump(exclude_unset=True)
    base = {key: value for key, value in base.items() if key not in ("name", "source")}
    return _over({key: value for key, value in given.items() if key != "extends"}, base)


def _preset_name(name: object) -> str:
    names = ("canonical", *mapping_names())
    if name not in names:
        raise MappingError(
            f"extends: there is no preset {shown(name)!r}.", hint=did_you_mean(shown(name), names)
        )
    return str(name)


def _over(given: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in given.items():
        old = merged.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            value = _over(value, old)
        merged[key] = value
    return merged


@cache
def preset(name: str) -> Mapping:
    """A mapping that comes with the package."""
    path = resources.files("senderscore_nb").joinpath("sources", "mappings", f"{name}.toml")
    return parse_mapping(path.read_text(encoding="utf-8"), where=name)
