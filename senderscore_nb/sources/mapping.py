"""A mapping: which header is which column, and how its values are written.

A frozen value read from TOML; presets come with the package. docs/mapping.md is its reference.
"""

from __future__ import annotations

import codecs
import re
import tomllib
import unicodedata
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from senderscore_nb.contract import COLUMNS, KEYS, MEASURES, Roster
from senderscore_nb.errors import MappingError, did_you_mean

INPUTS: tuple[str, ...] = ("state", "unenrolled_by", "error_type", "recipient_email")
"""Columns that are read to make others: the first three make `end_reason`, the address makes
`recipient_domain` and `mailbox_provider` and is not kept."""

Kind = Literal["enrollments", "aggregate", "roster"]

COLUMNS_OF: dict[str, tuple[str, ...]] = {
    "enrollments": (*COLUMNS, *INPUTS),
    "aggregate": (*KEYS, *MEASURES, "reply_rate", "bounce_rate"),
    "roster": tuple(Roster.columns()),
}
"""The columns that a mapping of each kind may name."""

_RESERVED = {*KEYS, *MEASURES, *INPUTS, *COLUMNS, "week", "month", "team"}
_NAME = re.compile(r"[^\W\d_]\w{0,59}")


def _as_column(value: object) -> object:
    return {"headers": value} if isinstance(value, str | list | tuple) else value


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Value):
    """Where a column comes from.

    Attributes:
        headers: Labels, aliases and internal names; the first that a file has is taken.
        blank: What a blank means for a boolean: `unknown` (null) or `zero` (false).
        format: How dates are written, as `%d.%m.%Y`.
        day_first: Whether `3/4/2026` is the 3rd of April; where it is not said here, the
            mapping's own `day_first` holds.
    """

    headers: Texts = Field(min_length=1)
    blank: Literal["unknown", "zero"] = "unknown"
    format: str | None = None
    day_first: bool | None = None


class Factor(Source):
    """A further column of the user's own, kept as a factor.

    Attributes:
        type: What its values are; text unless said.
    """

    type: Literal["text", "number", "integer", "boolean", "date"] = "text"


class Words(_Value):
    """What words in the file stand for, in any case and spacing; added to what is built in."""

    true: Texts = ()
    false: Texts = ()
    blank: Texts = ()
    state: dict[str, Texts] = {}
    unenrolled_by: dict[str, Texts] = {}
    error_type: dict[str, Texts] = {}
    end_reason: dict[str, Texts] = {}
    bounce_type: dict[str, Texts] = {}


class Mapping(_Value):
    """How the headers and values of a file become columns.

    Attributes:
        name: What reports call it.
        kind: Of which table: enrollments, aggregate or roster.
        columns: The source of each canonical column.
        factors: The source of each further column, kept as a factor.
        words: Words for truth, blanks, states and reasons.
        naive_timestamps: What times of day without an offset are: `account`, wall clock of the
            account's time zone, or `UTC`.
        day_first: Whether `3/4/2026` is the 3rd of April; None refuses to guess.
        decimal: The decimal mark; None finds it.
        encoding: The text's encoding where it is neither UTF-8, UTF-16 nor Windows-1252.
    """

    name: str
    kind: Kind = "enrollments"
    columns: dict[str, Annotated[Source, BeforeValidator(_as_column)]]
    factors: dict[str, Annotated[Factor, BeforeValidator(_as_column)]] = {}
    words: Words = Words()
    naive_timestamps: Literal["account", "UTC"] = "account"
    day_first: bool | None = None
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        try:
            return codecs.lookup(value).name if value else None
        except (LookupError, ValueError):
            raise ValueError(f"{value!r} is not an encoding that is known") from None

    @field_validator("factors")
    @classmethod
    def _free_names(cls, value: dict[str, Factor]) -> dict[str, Factor]:
        for name in value:
            if name in _RESERVED:
                raise ValueError(f"{name!r} has a meaning of its own and cannot name a factor")
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} should be letters, digits and _, letter first")
        return value

    @model_validator(mode="after")
    def _canonical_names(self) -> Self:
        for name in self.columns:
            if name not in COLUMNS_OF[self.kind]:
                hint = did_you_mean(name, COLUMNS_OF[self.kind])
                raise ValueError(
                    f"columns.{name}: not a column of {self.kind}. {hint} "
                    "A column of your own goes under [factors]"
                )
        return self

    @property
    def sources(self) -> dict[str, Source]:
        """The source of each column and factor."""
        return {**self.columns, **self.factors}


def fold(text: str) -> str:
    """A header as it is compared: without case, BOM, and surrounding or repeated space.

    >>> fold("  Enrollment   ID ")
    'enrollment id'
    """
    visible = unicodedata.normalize("NFKC", text).translate({0xFEFF: None, 0x200B: None})
    return " ".join(visible.casefold().split())


def load_mapping(mapping: str | Path | Mapping) -> Mapping:
    """A mapping by preset name or from a TOML file.

    Args:
        mapping: The name of a preset (see `mapping_names`), the path of a TOML file, or a mapping,
            which is returned as it is.

    Raises:
        MappingError: No such preset or file, or an invalid mapping; names the file and the key.

    >>> load_mapping("hubspot-sv").columns["enrolled_on"].headers[0]
    'Registrerad den'
    """
    if isinstance(mapping, Mapping):
        return mapping
    return _validated(_data(str(mapping), seen=()), where=str(mapping))


def parse_mapping(text: str, *, where: str = "mapping") -> Mapping:
    """A mapping from the text of a TOML file.

    Raises:
        MappingError: Not TOML, or not a valid mapping; `where` and the key are named.
    """
    return _validated(_extended(_toml(text, where), where, seen=(where,)), where=where)


def mapping_names(kind: Kind = "enrollments") -> tuple[str, ...]:
    """The presets for a kind of table, `canonical` first.

    >>> mapping_names()
    ('canonical', 'hubspot-en', 'hubspot-sv')
    """
    return tuple(
        name for name in _presets() if tomllib.loads(_preset(name)).get("kind", kind) == kind
    )


def _presets() -> tuple[str, ...]:
    folder = resources.files("senderscore_nb.sources").joinpath("mappings")
    names = (f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))
    return tuple(sorted(names))


def _preset(name: str) -> str:
    folder = resources.files("senderscore_nb.sources").joinpath("mappings")
    return folder.joinpath(f"{name}.toml").read_text(encoding="utf-8")


def _data(name: str, *, seen: tuple[str, ...]) -> dict[str, Any]:
    if name in seen:
        raise MappingError("The mapping extends itself.", where=name)
    if name in _presets():
        return _extended(_toml(_preset(name), name), name, seen=(*seen, name))
    path = Path(name)
    if path.suffix != ".toml" and not path.is_file():
        raise MappingError(
            f"There is no mapping named {name!r}.",
            hint=did_you_mean(name, _presets()) + " Or give the path of a TOML file.",
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(f"The mapping cannot be read ({error}).", where=name) from None
    return _extended({"name": path.stem, **_toml(text, name)}, name, seen=(*seen, name))


def _toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"Not valid TOML: {error}.", where=where) from None


def _extended(data: dict[str, Any], where: str, *, seen: tuple[str, ...]) -> dict[str, Any]:
    if "extends" not in data:
        return data
    base = data["extends"]
    if not isinstance(base, str):
        raise MappingError("extends: the name of a mapping is expected.", where=where)
    own = {key: value for key, value in data.items() if key != "extends"}
    return _merged(_data(base, seen=seen), own)


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """`own` over `base`, table by table, so that one key can be replaced alone."""
    merged = dict(base)
    for key, value in own.items():
        held = base.get(key)
        both = isinstance(held, dict) and isinstance(value, dict)
        merged[key] = _merged(held, value) if both else value  # type: ignore[arg-type]
    return merged


def _validated(data: dict[str, Any], *, where: str) -> Mapping:
    try:
        return Mapping.model_validate({"name": Path(where).stem, **data})
    except ValidationError as error:
        raise _explained(error, where) from None


def _explained(error: ValidationError, where: str) -> MappingError:
    # An unknown key explains the missing one that it was meant to be.
    first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    hint = None
    if first["type"] == "extra_forbidden":
        message = "this key is unknown"
        hint = did_you_mean(str(first["loc"][-1]), _keys_beside(first["loc"]))
    return MappingError(f"{key + ': ' if key else ''}{message}.", where=where, hint=hint)


def _keys_beside(location: tuple[int | str, ...]) -> Iterable[str]:
    if len(location) == 1:
        return (*Mapping.model_fields, "extends")
    table: dict[str | int, type[BaseModel]] = {
        "columns": Source,
        "factors": Factor,
        "words": Words,
    }
    return table.get(location[0], Mapping).model_fields
