"""One column as it stands in a table → SQL for what it means, and for what does not fit.

The same forms are understood as by the reader of exports (`sources.parse`, `sources.days`), and the
same is said of what does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from senderscore_nb.sources.days import EXPECTED, FIRST, LAST
from senderscore_nb.sources.engines.dialect import Dialect
from senderscore_nb.sources.forms import CODE, DAY, EPOCH, OFFSET, naive_form, word
from senderscore_nb.sources.mapping import Words

Kind = Literal[
    "text", "date", "naive", "instant", "integer", "decimal", "float", "boolean", "other"
]
"""What a column of a table holds. `naive`: a wall clock; `instant`: a point in time."""

_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?"
_NAIVE = naive_form(_CLOCK)
_INSTANT = _NAIVE.removesuffix("$") + OFFSET
_NUMBER = {".": r"^[+-]?\d+(\.\d+)?$", ",": r"^[+-]?\d+(,\d+)?$"}
_WHOLE = 2**53
_MOST = "1e308"


@dataclass
class Steps:
    """Columns that are made from each other, step by step, so that each is worked out once.

    Attributes:
        dialect: Whose SQL.
        steps: For each step, name → SQL over the table and the steps before.
    """

    dialect: Dialect
    steps: list[dict[str, str]] = field(default_factory=list)

    def put(self, step: int, sql: str) -> str:
        """The name of a column that a step makes; SQL that is there already has its name."""
        while len(self.steps) <= step:
            self.steps.append({})
        for name, known in self.steps[step].items():
            if known == sql:
                return name
        name = f"__{step}_{len(self.steps[step])}"
        self.steps[step][name] = sql
        return name


@dataclass(frozen=True)
class Value:
    """A column that was read; all are names of columns that steps make.

    Attributes:
        sql: The value, null where blank or bad.
        bad: Where there is something that does not fit; None where that cannot be.
        expected: What would have fitted.
        clock: For days: the local time of day where there was one, else None.
    """

    sql: str
    bad: str | None
    expected: str
    clock: str | None = None


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        sql: Its name.
        kind: What it holds.
        steps: Where what is made from it is put.
    """

    sql: str
    kind: Kind
    steps: Steps

    @property
    def dialect(self) -> Dialect:
        """Whose SQL."""
        return self.steps.dialect

    @property
    def plain(self) -> str:
        """SQL for the column as text, as it is; an instant in UTC, whatever the session's zone."""
        if self.kind == "instant":
            utc = f"CAST({self.dialect.utc(self.sql)} AS {self.dialect.text_type})"
            return f"({utc} || 'Z')"
        return f"CAST({self.sql} AS {self.dialect.text_type})"

    @property
    def text(self) -> str:
        """Text without space around it, null where nothing is left; whole numbers as whole."""
        return self.steps.put(0, self.cleaned())

    def cleaned(self) -> str:
        """SQL for `text`."""
        if self.kind in ("text", "other"):
            text = self.sql if self.kind == "text" else self.plain
            return f"nullif({self.dialect.trim(text)}, '')"
        if self.kind == "decimal":
            return self.dialect.replace(self.plain, r"\.0+$", "")
        if self.kind == "float":
            whole = f"{self.sql} = floor({self.sql}) AND abs({self.sql}) < 9e18"
            number = f"CAST(CAST({self.sql} AS BIGINT) AS {self.dialect.text_type})"
            return (
                f"CASE WHEN isnan({self.sql}) THEN NULL WHEN {whole} THEN {number} "
                f"ELSE {self.plain} END"
            )
        return self.plain

    @property
    def is_number(self) -> bool:
        """It holds numbers, as numbers."""
        return self.kind in ("integer", "decimal", "float")

    def number(self, decimal: str) -> str:
        """Numbers, and texts that are numbers with this decimal mark; null for all others."""
        if self.kind == "boolean":
            return self.steps.put(1, f"CAST(CAST({self.sql} AS INTEGER) AS DOUBLE)")
        if self.is_number:
            cast = f"CAST({self.sql} AS DOUBLE)"
            return self.steps.put(1, f"CASE WHEN isnan({cast}) THEN NULL ELSE {cast} END")
        point = self.text if decimal == "." else f"replace({self.text}, ',', '.')"
        fits = self.dialect.matches(self.text, _NUMBER[decimal])
        return self.steps.put(1, f"CASE WHEN {fits} THEN {self.dialect.number(point)} END")


def as_text(column: Column) -> Value:
    """Text, as it is."""
    return Value(column.text, None, "text")


def as_number(column: Column, decimal: str, *, whole: bool) -> Value:
    """Numbers; whole ones where the type is an integer."""
    put, number = column.steps.put, column.number(decimal)
    text = number if column.is_number or column.kind == "boolean" else column.text
    bad = f"{text} IS NOT NULL AND ({number} IS NULL OR abs({number}) > {_MOST})"
    if not whole:
        bad = put(2, f"({bad})")
        return Value(put(3, f"CASE WHEN NOT {bad} THEN {number} END"), bad, "a number")
    off = f"{number} <> floor({number}) OR abs({number}) > {_WHOLE}"
    bad = put(2, f"(({bad}) OR coalesce({off}, FALSE))")
    value = put(3, f"CASE WHEN NOT {bad} THEN CAST({number} AS BIGINT) END")
    return Value(value, bad, "a whole number")


def as_boolean(column: Column, words: Words, decimal: str, *, blank_is_false: bool) -> Value:
    """Words for yes and no, or counts: 0 is no, more is yes."""
    put, one_of = column.steps.put, column.dialect.one_of
    expected = "true or false, or a count"
    if column.kind == "boolean":
        value = f"coalesce({column.sql}, FALSE)" if blank_is_false else column.sql
        return Value(put(3, value), None, expected)
    text = number = column.number(decimal)
    said = f"WHEN {number} BETWEEN 0 AND {_MOST} THEN {number} > 0"
    if not column.is_number:
        text, folded = column.text, put(1, f"lower({column.text})")
        said = (
            f"WHEN {one_of(folded, [w.lower() for w in words.true])} THEN TRUE "
            f"WHEN {one_of(folded, [w.lower() for w in words.false])} THEN FALSE {said}"
        )
    value = put(2, f"CASE {said} END")
    bad = put(3, f"({text} IS NOT NULL AND {value} IS NULL)")
    if blank_is_false:
        value = put(4, f"CASE WHEN {bad} THEN NULL ELSE coalesce({value}, FALSE) END")
    return Value(value, bad, expected)


def as_word(column: Column, words: dict[str, str], known: Sequence[str]) -> Value:
    """A word of a fixed list, through the mapping's own words."""
    sql, put, text = column.dialect, column.steps.put, column.text
    folded = sql.replace(f"upper({text})", r"[\s_-]+", "_")
    said = put(1, f"coalesce({sql.extract(text, CODE)}, {folded})")
    table = {word(k): k for k in known} | {word(k): v for k, v in words.items()}
    same = [k for k, v in table.items() if k == v]
    lower = [k for k, v in table.items() if k.lower() == v and k != v]
    branches = [
        f"WHEN {sql.one_of(said, group)} THEN {result}"
        for group, result in ((same, said), (lower, f"lower({said})"))
        if group
    ]
    branches += [
        f"WHEN {said} = {sql.literal(k)} THEN {sql.literal(v)}"
        for k, v in table.items()
        if k not in same and k not in lower
    ]
    value = put(2, f"CASE {' '.join(branches)} END")
    more = ", …" if len(known) > 4 else ""
    expected = f"one of {', '.join(known[:4])}{more}"
    return Value(value, put(3, f"({text} IS NOT NULL AND {value} IS NULL)"), expected)


def as_day(column: Column, zone: str, *, naive_is_utc: bool) -> Value:
    """Days in a zone; decided by the engine, whatever its session's zone is."""
    sql, put = column.dialect, column.steps.put
    clock: str | None = None
    if column.kind == "date":
        day = column.sql
    else:
        if column.kind == "naive":
            clock = put(3, sql.local(column.sql, zone) if naive_is_utc else column.sql)
        elif column.kind == "instant":
            clock = put(3, sql.local(put(2, sql.utc(column.sql)), zone))
        else:
            clock = _clock(column, zone, naive_is_utc=naive_is_utc)
        day = f"CAST({clock} AS DATE)"
        if column.kind not in ("naive", "instant"):
            text = column.text
            alone = f"CASE WHEN {sql.matches(text, DAY)} THEN TRY_CAST({text} AS DATE) END"
            day = f"coalesce({alone}, {day})"
    day = put(4, day)
    good = put(5, f"coalesce({day} BETWEEN DATE '{FIRST}' AND DATE '{LAST}', FALSE)")
    bad = put(
        6, f"({column.sql if column.kind == 'date' else column.text} IS NOT NULL AND NOT {good})"
    )
    return Value(put(6, f"CASE WHEN {good} THEN {day} END"), bad, EXPECTED, clock)


def has_clock(column: Column) -> str:
    """Whether there is a time of day, for texts and numbers; SQL over the first step."""
    return f"({column.dialect.matches(column.text, f'{_NAIVE}|{_INSTANT}|{EPOCH}')})"


def _clock(column: Column, zone: str, *, naive_is_utc: bool) -> str:
    """The local time of day that texts tell."""
    sql, put, text = column.dialect, column.steps.put, column.text
    instant = put(1, sql.matches(text, _INSTANT))
    naive = put(1, sql.matches(text, _NAIVE))
    wall = put(2, f"CASE WHEN {naive} OR {instant} THEN {_wall(text, sql)} END")
    there = put(1, sql.matches(text, EPOCH))
    since = put(2, f"CASE WHEN {there} THEN {sql.from_milliseconds(_digits(text, sql))} END")
    minutes = put(2, f"CASE WHEN {instant} THEN {_minutes(text, sql)} ELSE 0 END")
    utc = f"CASE WHEN {there} THEN {since} ELSE {sql.later(wall, minutes)} END"
    if naive_is_utc:
        return put(3, sql.local(utc, zone))
    return put(3, f"CASE WHEN {naive} THEN {wall} ELSE {sql.local(utc, zone)} END")


def _wall(text: str, sql: Dialect) -> str:
    """The wall clock at the beginning of a text, to the second: days and hours need no more."""
    seconds = f"coalesce({sql.extract(text, r'^.{16}:([0-9]{2})')}, '00')"
    parts = f"substr({text}, 1, 10), ' ', substr({text}, 12, 5), ':', {seconds}"
    return f"TRY_CAST(concat({parts}) AS {sql.timestamp})"


def _minutes(text: str, sql: Dialect) -> str:
    """From the wall clock of a text with an offset to UTC."""
    number = sql.extract(text, r"([+-][0-9]{2}):?[0-9]{2}$")
    hours = f"coalesce(TRY_CAST({number} AS INTEGER), 0)"
    minutes = f"coalesce(TRY_CAST({sql.extract(text, r'[+-][0-9]{2}:?([0-9]{2})$')} AS INTEGER), 0)"
    sign = f"CASE WHEN {sql.matches(text, r'-[0-9]{2}:?[0-9]{2}$')} THEN 1 ELSE -1 END"
    return f"(({sign}) * (60 * abs({hours}) + {minutes}))"


def _digits(text: str, sql: Dialect) -> str:
    return f"TRY_CAST({sql.extract(text, r'^([0-9]+)')} AS BIGINT)"
