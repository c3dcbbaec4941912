"""How a file's headers and words become the contract's columns."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from senderscore_nb.contract import COLUMNS, REQUIRED
from senderscore_nb.errors import MappingError, did_you_mean

INPUTS: tuple[str, ...] = ("state", "unenrolled_by", "error_type", "recipient_email")
"""Columns that are read but not kept: they become `end_reason`, `recipient_domain` and others."""

FactorType = Literal["text", "number", "boolean", "date"]


def _labels(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Labels = Annotated[tuple[str, ...], BeforeValidator(_labels), Field(min_length=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Dates(_Frozen):
    """How days and times are written.

    `day_first` decides between D/M/Y and M/D/Y and is never guessed; `formats` are tried before
    the forms that are understood without a word (ISO days and times, epoch milliseconds).
    """

    day_first: bool | None = None
    formats: tuple[str, ...] = ()
    naive_timestamps: Literal["account", "UTC"] = "account"


class Words(_Frozen):
    """Words of the file's language, by the word that they mean; case and space are ignored."""

    true: Labels = ("true", "yes", "y", "x")
    false: Labels = ("false", "no", "n")
    state: dict[str, str] = {}
    unenrolled_by: dict[str, str] = {}
    error_type: dict[str, str] = {}
    end_reason: dict[str, str] = {}
    bounce_type: dict[str, str] = {}


class Mapping(_Frozen):
    """Which header is which column, and how values are written.

    A name under `columns` that is not of the contract is a factor of the user's own; `types` says
    what it holds (text unless said).
    """

    name: str
    source: str = ""
    columns: dict[str, Labels]
    types: dict[str, FactorType] = {}
    dates: Dates = Dates()
    words: Words = Words()
    decimal: Literal["auto", ".", ","] = "auto"
    blank_is_false: tuple[str, ...] = ()

    def find(self, headers: Sequence[str]) -> dict[str, int]:
        """The place of each mapped column's header.

        Raises:
            MappingError: Two headers of the file mean the same column.
        """
        places: dict[str, int] = {}
        wanted = {
            fold(label): column
            for column, labels in self.columns.items()
            for label in (column, *labels)
        }
        for i, header in enumerate(headers):
            column = wanted.get(fold(header))
            if column is None:
                continue
            if column in places:
                raise MappingError(
                    f"The headers {headers[places[column]]!r} and {header!r} both mean {column!r} "
                    f"in the mapping {self.name!r}."
                )
            places[column] = i
        return places


CANONICAL = Mapping(name="canonical", columns={name: (name,) for name in (*COLUMNS, *INPUTS)})
"""Headers that are the contract's own names."""


@dataclass(frozen=True)
class Mapped:
    """A mapping applied to a file's headers.

    Attributes:
        mapping: The mapping.
        places: Column → place of its header.
        unmapped: Headers that mean nothing, each with the nearest known label or "".
    """

    mapping: Mapping
    places: dict[str, int]
    unmapped: dict[str, str]


def fold(header: str) -> str:
    """A header without case, surrounding and repeated space.

    >>> fold("  Enrolled   AT ")
    'enrolled at'
    """
    plain = header.replace("\ufeff", "").replace("\u00a0", " ")
    return re.sub(r"\s+", " ", plain).strip().casefold()


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
        return _preset(name)
    path = Path(name)
    if path.suffix != ".toml" and not path.is_file():
        raise MappingError(
            f"There is no mapping named {name!r}.",
            hint=did_you_mean(name, ("canonical", *mapping_names()))
            + " Or give the path of a TOML file.",
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"The mapping cannot be read ({error}).", where=name) from None
    return parse_mapping(text, where=name)


def parse_mapping(text: str, *, where: str) -> Mapping:
    """A mapping from the text of a TOML file.

    Raises:
        MappingError: Not TOML, or not a valid mapping.
    """
    try:
        return Mapping.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"Not valid TOML: {error}.", where=where) from None
    except ValidationError as error:
        problem = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
        key = ".".join(str(part) for part in problem["loc"])
        hint = None
        if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
            hint = did_you_mean(key, Mapping.model_fields)
        raise MappingError(f"{key}: {problem['msg']}.", where=where, hint=hint) from None


def choose_mapping(headers: Sequence[str], mapping: Mapping | None, *, where: str) -> Mapped:
    """The given mapping applied to headers, or the one that fits them.

    The canonical names go first; else the preset that finds every required column and the most
    headers.

    Raises:
        MappingError: A required column has no header; the nearest headers are offered.
    """
    if mapping is not None:
        return _applied(headers, mapping, where)
    candidates = [CANONICAL, *(_preset(name) for name in mapping_names())]
    fitting = []
    for candidate in candidates:
        places = candidate.find(headers)
        if set(REQUIRED) <= set(places):
            fitting.append((candidate, len(places)))
    if fitting:
        best = fitting[0] if fitting[0][0] is CANONICAL else max(fitting, key=lambda f: f[1])
        return _applied(headers, best[0], where)
    nearest = max(candidates, key=lambda c: len(c.find(headers)))
    return _applied(headers, nearest, where)


def _applied(headers: Sequence[str], mapping: Mapping, where: str) -> Mapped:
    places = mapping.find(headers)
    missing = [column for column in REQUIRED if column not in places]
    if missing:
        raise MappingError(
            _missing(headers, mapping, missing), where=where, hint=_how_to(missing[0])
        )
    labels = {fold(x): x for c, ls in mapping.columns.items() if c not in places for x in (c, *ls)}
    unmapped = {
        header: _near(header, labels)
        for i, header in enumerate(headers)
        if i not in places.values()
    }
    return Mapped(mapping, places, unmapped)


def _missing(headers: Sequence[str], mapping: Mapping, missing: Sequence[str]) -> str:
    parts = []
    for column in missing:
        labels = (column, *mapping.columns.get(column, ()))
        near = next(
            (n for n in (_near(label, {fold(h): h for h in headers}) for label in labels) if n), ""
        )
        parts.append(f"{column} (perhaps {near!r})" if near else column)
    return f"No header was found for {', '.join(parts)} with the mapping {mapping.name!r}."


def _how_to(column: str) -> str:
    return (
        "Give --mapping NAME, or write a TOML file such as: "
        f'name = "mine" [columns] {column} = "The header"; see docs/mapping.md.'
    )


def _near(text: str, known: dict[str, str]) -> str:
    hint = did_you_mean(fold(text), known, most=1)
    if not hint.startswith("Did you mean"):
        return ""
    return known[hint.removeprefix("Did you mean '").removesuffix("'?")]


@cache
def _preset(name: str) -> Mapping:
    path = resources.files("senderscore_nb").joinpath("sources", "mappings", f"{name}.toml")
    return parse_mapping(path.read_text(encoding="utf-8"), where=name)
