"""A table's columns → SQL for the contract's columns and for why a row does not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import polars as pl

from senderscore_nb.contract import COLUMNS
from senderscore_nb.errors import MappingError
from senderscore_nb.safe import shown
from senderscore_nb.sources import endings
from senderscore_nb.sources.choosing import Mapped, choose_mapping
from senderscore_nb.sources.days import check_zone, known_zone
from senderscore_nb.sources.emails.columns import unprefixed
from senderscore_nb.sources.engines.conditions import Condition, case
from senderscore_nb.sources.engines.dialect import Dialect
from senderscore_nb.sources.engines.values import (
    Column,
    Kind,
    Steps,
    Value,
    as_boolean,
    as_day,
    as_number,
    as_text,
    as_word,
    has_clock,
)
from senderscore_nb.sources.forms import KNOWN_WORDS
from senderscore_nb.sources.mapping import INPUTS, Mapping

REASON = "__reason"
_MANDATORY = ("enrollment_id", "user_id", "sequence_id", "enrolled_on")
_COMMA = r"^\d+,\d+$"
_WORDED = ("state", "unenrolled_by", "error_type")
_FACTORS: dict[str, pl.DataType] = {
    "text": pl.String(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
}


def raw_name(place: int) -> str:
    """The name of a table's column by its place: names from outside are hostile."""
    return f"__{place}"


@dataclass(frozen=True)
class Shape:
    """A table's columns.

    Attributes:
        headers: Their names, as they stand there.
        kinds: What they hold.
        where: The table, for messages.
    """

    headers: tuple[str, ...]
    kinds: tuple[Kind, ...]
    where: str


@dataclass(frozen=True)
class Projection:
    """How a table is read; the names in the SQL are those of `raw_name`.

    Attributes:
        steps: What is made from the table, step by step.
        first: Column → its name among those, or SQL.
        then: Columns that follow from the first ones, and `REASON`.
        columns: The columns that are kept, in the contract's order, then factors of the user's own.
        dialect: Whose SQL.
        mapped: The mapping, and the places of its columns.
        shape: The table.
    """

    steps: list[dict[str, str]]
    first: dict[str, str]
    then: dict[str, str]
    columns: tuple[str, ...]
    dialect: Dialect
    mapped: Mapped
    shape: Shape


def mapped_columns(shape: Shape, mapping: Mapping | None) -> Mapped:
    """The mapping that fits a table; `property_…` and `properties_…` are passed over.

    Raises:
        MappingError: A column that is needed is not there, or the mapping needs the other reader.
    """
    plain = [unprefixed(header) for header in shape.headers]
    mapped = choose_mapping(plain, mapping, where=shape.where)
    given = mapped.mapping
    for key, used in (
        ("words.run_status", bool(given.words.run_status)),
        ("by_status", bool(given.by_status)),
        ("one_day", given.one_day),
        ("dates.formats", bool(given.dates.formats)),
        ("dates.day_first", given.dates.day_first is not None),
    ):
        if used:
            raise MappingError(
                f"The mapping {shown(given.name)!r} has {key}, which engines do not know.",
                where=shape.where,
                hint="Read it without an engine, or bring it to the contract's columns first.",
            )
    return mapped


@dataclass
class Builder:
    """Puts a projection together.

    Attributes:
        shape: The table.
        mapped: The mapping applied to it.
        dialect: Whose SQL.
        zone: The account's time zone.
        naive_is_utc: Wall clocks in the table are UTC's.
        holds: Whether a condition holds in any row; asked of texts that may be times or decimals.
    """

    shape: Shape
    mapped: Mapped
    dialect: Dialect
    zone: str | None
    naive_is_utc: bool
    holds: Callable[[Steps, str], bool]
    values: dict[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.steps = Steps(self.dialect)
        self.decimal = self._decimal()

    def build(self) -> Projection:
        """The projection.

        Raises:
            ReadError: Times of day come without a time zone.
        """
        for column, place in self.mapped.places.items():
            self.values[column] = self._value(column, place)
        first = {name: value.sql for name, value in self.values.items()}
        first |= {n: self._fixed(n) for n in self._supplied() if n not in first}
        clock = self.values["enrolled_on"].clock if "enrolled_on" in self.values else None
        if clock is not None and "enrolled_hour" not in first:
            first["enrolled_hour"] = f"CAST(hour({clock}) AS BIGINT)"
        first["__misfit"] = self.dialect.once(self._misfits())
        then = self._derived(first)
        kept = [n for n in {**first, **then} if n not in INPUTS and not n.startswith("__")]
        ordered = [n for n in COLUMNS if n in kept] + [n for n in kept if n not in COLUMNS]
        return Projection(
            self.steps.steps, first, then, tuple(ordered), self.dialect, self.mapped, self.shape
        )

    def _column(self, place: int) -> Column:
        return Column(raw_name(place), self.shape.kinds[place], self.steps)

    def _value(self, name: str, place: int) -> Value:
        column, mapping = self._column(place), self.mapped.mapping
        dtype, decimal = self._dtype(name), self.decimal
        if name in KNOWN_WORDS:
            return as_word(column, getattr(mapping.words, name), KNOWN_WORDS[name])
        if dtype == pl.Date:
            return self._day(column, place)
        if dtype == pl.Boolean:
            blank = name in mapping.blank_is_false
            return as_boolean(column, mapping.words, decimal, blank_is_false=blank)
        if dtype in (pl.Int64, pl.Float64):
            return as_number(column, decimal, whole=dtype == pl.Int64)
        return as_text(column)

    def _dtype(self, name: str) -> pl.DataType:
        return COLUMNS.get(name, _FACTORS[self.mapped.mapping.types.get(name, "text")])

    def _decimal(self) -> str:
        """The decimal mark: declared, or a comma where a column of texts has a number with one."""
        if self.mapped.mapping.decimal != "auto":
            return self.mapped.mapping.decimal
        asked = Steps(self.dialect)
        texts = [
            Column(raw_name(place), "text", asked).text
            for name, place in self.mapped.places.items()
            if self.shape.kinds[place] == "text"
            and self._dtype(name) in (pl.Boolean, pl.Int64, pl.Float64)
        ]
        commas = " OR ".join(f"({self.dialect.matches(text, _COMMA)})" for text in texts)
        return "," if texts and self.holds(asked, commas) else "."

    def _day(self, column: Column, place: int) -> Value:
        clock = column.kind in ("naive", "instant")
        if column.kind in ("text", "integer", "float", "decimal", "other"):
            asked = Column(column.sql, column.kind, Steps(self.dialect))
            clock = self.holds(asked.steps, has_clock(asked))
        if clock:
            check_zone(self.zone, file=self.shape.where, header=self.shape.headers[place])
        if self.zone is not None:
            known_zone(self.zone)
        utc = self.naive_is_utc or self.mapped.mapping.dates.naive_timestamps == "UTC"
        value = as_day(column, self.zone or "UTC", naive_is_utc=utc)
        return value if clock else replace(value, clock=None)

    def _supplied(self) -> tuple[str, ...]:
        return (*self.mapped.mapping.fixed, *self.mapped.mapping.unknown)

    def _fixed(self, name: str) -> str:
        given = self.mapped.mapping.fixed.get(name)
        return "CAST(NULL AS BOOLEAN)" if given is None else self.dialect.literal(given)

    def _misfits(self) -> str:
        """Why a row does not fit, or an empty text: all of its reasons together."""
        sql, parts = self.dialect, []
        for name, value in self.values.items():
            place = self.mapped.places[name]
            header, column = self.shape.headers[place], self._column(place)
            said = name if header == name else f"{name} ({shown(header, most=80)})"
            if value.bad is not None:
                begin = sql.literal(f"{said}: expected {value.expected}, found '")
                found = f"concat({begin}, {sql.shown(column.plain)}, {sql.literal(chr(39))})"
                parts.append(f"CASE WHEN {value.bad} THEN {found} END")
            if name in _MANDATORY:
                blank = f"({value.sql}) IS NULL AND NOT ({value.bad or 'FALSE'})"
                parts.append(f"CASE WHEN {blank} THEN {sql.literal(f'{said}: is blank')} END")
        return f"concat_ws('; ', {', '.join(parts)})"

    def _derived(self, first: dict[str, str]) -> dict[str, str]:
        """Columns that follow from the first ones, by name."""
        sql, then = self.dialect, {}
        if any(name in self.values for name in _WORDED):
            words = [Condition(self._named(name, first), sql) for name in _WORDED]
            rule = case(endings.reasons_by_words(*words), sql)
            given = f"{sql.quote('end_reason')}, " if "end_reason" in first else ""
            then["end_reason"] = f"coalesce({given}{rule}, NULL)"
        if "error_type" in self.values:
            for name, word in (("bounced", "BOUNCED"), ("unsubscribed", "UNSUBSCRIBED")):
                if name in self.values:
                    said = f"coalesce(error_type = {sql.literal(word)}, FALSE)"
                    then[name] = f"({sql.quote(name)} OR {said})"
        if "recipient_email" in self.values:
            domain = sql.extract("lower(recipient_email)", endings.DOMAIN)
            if "recipient_domain" not in first:
                then["recipient_domain"] = domain
            if "mailbox_provider" not in first:
                known = "recipient_domain" if "recipient_domain" in first else domain
                then["mailbox_provider"] = case(
                    [
                        (Condition(known, sql).is_in(domains), name)
                        for name, domains in endings.PROVIDERS.items()
                    ],
                    sql,
                )
        if "enrolled_weekday" not in first:
            then["enrolled_weekday"] = sql.weekday("enrolled_on")
        then[REASON] = f"nullif({self._reason(first)}, '')"
        return then

    def _reason(self, first: dict[str, str]) -> str:
        sql = self.dialect
        state = Condition(self._named("state", first), sql)
        odd = case(endings.contradictions(state, Condition("ended_on", sql)), sql)
        text = sql.text_type
        early = (
            "CASE WHEN ended_on < enrolled_on THEN concat('ended_on: ', "
            f"CAST(ended_on AS {text}), ' is before enrolled_on ', CAST(enrolled_on AS {text})) END"
        )
        parts = ["nullif(__misfit, '')"]
        parts += [odd] if "state" in self.values else []
        return f"coalesce({', '.join([*parts, early])})"

    def _named(self, name: str, first: dict[str, str]) -> str:
        return name if name in first else f"CAST(NULL AS {self.dialect.text_type})"
