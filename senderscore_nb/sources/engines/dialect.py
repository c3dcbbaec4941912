"""What DuckDB and Spark write differently in SQL."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z0-9 _.,:;=+/()-]*")
_SPACE = " \t\r\n\u00a0\u2009\u202f"


class Dialect(ABC):
    """Snippets of SQL. Arguments are SQL too, unless they say otherwise."""

    name: str
    timestamp: str
    """The type of a wall clock without a zone."""
    text_type: str

    @abstractmethod
    def quote(self, name: str) -> str:
        """A name, whatever is in it."""

    @abstractmethod
    def literal(self, text: str) -> str:
        """A text, whatever is in it."""

    @abstractmethod
    def trim(self, text: str) -> str:
        """Text without space around it, also the space that spreadsheets put between digits."""

    @abstractmethod
    def matches(self, text: str, pattern: str) -> str:
        """Whether a pattern (a Python text) is found in a text."""

    @abstractmethod
    def replace(self, text: str, pattern: str, by: str) -> str:
        """A text with everything that a pattern finds replaced; pattern and `by` are texts."""

    @abstractmethod
    def local(self, utc: str, zone: str) -> str:
        """Wall clock of UTC → wall clock of a zone (a Python text)."""

    @abstractmethod
    def utc(self, instant: str) -> str:
        """An instant → wall clock of UTC, whatever the zone of the session."""

    @abstractmethod
    def from_milliseconds(self, number: str) -> str:
        """Milliseconds since 1970 → wall clock of UTC."""

    @abstractmethod
    def later(self, wall: str, minutes: str) -> str:
        """A wall clock so many minutes later."""

    @abstractmethod
    def weekday(self, day: str) -> str:
        """ISO: Monday 1 to Sunday 7."""

    @abstractmethod
    def as_json(self, fields: dict[str, str]) -> str:
        """A JSON object of texts; the keys are Python texts."""

    @abstractmethod
    def struct(self, values: Iterable[str]) -> str:
        """Values that are compared one after the other."""

    @abstractmethod
    def json(self, value: str, kind: str) -> str:
        """A value that holds others, as JSON; null where a text is none."""

    @abstractmethod
    def json_text(self, json: str, key: str) -> str:
        """What a JSON object has under a key (a Python text), as text."""

    @abstractmethod
    def code(self, text: str) -> str:
        """A number that equal texts share."""

    def once(self, sql: str) -> str:
        """The same; an optimiser does not put it in place of its name."""
        return sql

    def extract(self, text: str, pattern: str, group: int = 1) -> str:
        """What a group of a pattern finds, null where nothing is found."""
        return f"nullif(regexp_extract({text}, {self.literal(pattern)}, {group}), '')"

    def number(self, text: str) -> str:
        """A text as a number, null where it is none."""
        return f"TRY_CAST({text} AS DOUBLE)"

    def one_of(self, value: str, words: Iterable[str]) -> str:
        """Whether a value is one of some words (Python texts)."""
        return f"{value} IN ({', '.join(self.literal(word) for word in words)})"

    def shown(self, text: str) -> str:
        """A text from outside as `safe.shown_series` makes it."""
        clean = self.replace(f"substr({text}, 1, 61)", r"[\p{C}\p{Zl}\p{Zp}]+", " ")
        return (
            f"CASE WHEN length({clean}) > 60 THEN concat(substr({clean}, 1, 59), "
            f"{self.literal('…')}) ELSE {clean} END"
        )


class DuckDB(Dialect):
    """DuckDB's SQL."""

    name = "DuckDB"
    timestamp = "TIMESTAMP"
    text_type = "VARCHAR"

    def quote(self, name: str) -> str:
        """Between double quotes."""
        return '"' + name.replace('"', '""') + '"'

    def literal(self, text: str) -> str:
        """Between quotes; a backslash is nothing special, and a NUL cannot be written."""
        return "'" + text.replace("\0", "\ufffd").replace("'", "''") + "'"

    def trim(self, text: str) -> str:
        """`trim` takes a set of characters."""
        return f"trim({text}, {self.literal(_SPACE)})"

    def matches(self, text: str, pattern: str) -> str:
        """RE2."""
        return f"regexp_matches({text}, {self.literal(pattern)})"

    def replace(self, text: str, pattern: str, by: str) -> str:
        """All of them."""
        return f"regexp_replace({text}, {self.literal(pattern)}, {self.literal(by)}, 'g')"

    def local(self, utc: str, zone: str) -> str:
        """Through an instant."""
        return f"(({utc}) AT TIME ZONE 'UTC') AT TIME ZONE {self.literal(zone)}"

    def utc(self, instant: str) -> str:
        """`AT TIME ZONE` names the zone, so the session's is not asked."""
        return f"(({instant}) AT TIME ZONE 'UTC')"

    def from_milliseconds(self, number: str) -> str:
        """Microseconds make a timestamp."""
        return f"make_timestamp(({number}) * 1000)"

    def later(self, wall: str, minutes: str) -> str:
        """An interval of minutes."""
        return f"({wall} + to_minutes({minutes}))"

    def weekday(self, day: str) -> str:
        """ISO already."""
        return f"CAST(isodow({day}) AS BIGINT)"

    def as_json(self, fields: dict[str, str]) -> str:
        """Keys may be any text."""
        parts = ", ".join(f"{self.literal(k)}, {v}" for k, v in fields.items())
        return f"CAST(json_object({parts}) AS VARCHAR)"

    def struct(self, values: Iterable[str]) -> str:
        """A row."""
        return f"row({', '.join(values)})"

    def json(self, value: str, kind: str) -> str:
        """Structs and maps become JSON."""
        if kind == "text":
            return f"TRY_CAST({value} AS JSON)"
        return f"to_json({value})"

    def json_text(self, json: str, key: str) -> str:
        """Without quotes; null for null."""
        path = self.literal('$."' + key + '"')
        return f"json_extract_string({json}, {path})"

    def code(self, text: str) -> str:
        """64 bits."""
        return f"hash({text})"


class Spark(Dialect):
    """Spark's SQL. What it does with a backslash in a text is a setting, so none is written."""

    name = "Spark"
    timestamp = "TIMESTAMP_NTZ"
    text_type = "STRING"

    def quote(self, name: str) -> str:
        """Between backticks."""
        return "`" + name.replace("`", "``") + "`"

    def literal(self, text: str) -> str:
        """Plain where it is plain, else spelt in hexadecimal."""
        if _PLAIN.fullmatch(text):
            return f"'{text}'"
        return f"decode(unhex('{text.encode('utf-8', 'replace').hex()}'), 'UTF-8')"

    def trim(self, text: str) -> str:
        """`BOTH` takes a set of characters."""
        return f"trim(BOTH {self.literal(_SPACE)} FROM {text})"

    def matches(self, text: str, pattern: str) -> str:
        """Java's expressions."""
        return f"({text} RLIKE {self.literal(pattern)})"

    def replace(self, text: str, pattern: str, by: str) -> str:
        """All of them."""
        return f"regexp_replace({text}, {self.literal(pattern)}, {self.literal(by)})"

    def local(self, utc: str, zone: str) -> str:
        """With both zones named and no type that knows the session's."""
        return f"convert_timezone('UTC', {self.literal(zone)}, {utc})"

    def utc(self, instant: str) -> str:
        """By the number, since a cast would go through the session's zone."""
        return self._since_1970(f"unix_micros({instant})")

    def from_milliseconds(self, number: str) -> str:
        """By the number."""
        return self._since_1970(f"({number}) * 1000")

    def later(self, wall: str, minutes: str) -> str:
        """Minutes of a wall clock."""
        return f"timestampadd(MINUTE, {minutes}, {wall})"

    def weekday(self, day: str) -> str:
        """Monday is 0 there."""
        return f"CAST(weekday({day}) + 1 AS BIGINT)"

    def as_json(self, fields: dict[str, str]) -> str:
        """A struct whose names are texts; nulls are kept."""
        parts = ", ".join(f"{v} AS {self.quote(k)}" for k, v in fields.items())
        return f"to_json(struct({parts}), map('ignoreNullFields', 'false'))"

    def struct(self, values: Iterable[str]) -> str:
        """A struct."""
        return f"struct({', '.join(values)})"

    def json(self, value: str, kind: str) -> str:
        """Structs and maps become JSON."""
        return value if kind == "text" else f"to_json({value})"

    def json_text(self, json: str, key: str) -> str:
        """Without quotes; null for null, and where a text is no JSON."""
        return f"get_json_object({json}, {self.literal('$.' + key)})"

    def code(self, text: str) -> str:
        """64 bits."""
        return f"xxhash64({text})"

    def once(self, sql: str) -> str:
        """Spark puts SQL in place of its name wherever a filter mentions it, over and over.

        It does not where the SQL could give something else the next time, as far as it can tell.
        """
        return f"CASE WHEN rand(0) >= 0 THEN {sql} END"

    def _since_1970(self, microseconds: str) -> str:
        return f"timestampadd(MICROSECOND, {microseconds}, TIMESTAMP_NTZ'1970-01-01 00:00:00')"
