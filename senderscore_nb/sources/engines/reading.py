"""What an engine's reading gives: enrollments, rejected rows, and their numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, NamedTuple, Self

from senderscore_nb.sources.engines.engine import Engine, Frame
from senderscore_nb.sources.engines.projection import REASON, Projection
from senderscore_nb.sources.engines.trouble import in_words
from senderscore_nb.sources.engines.values import Column, Steps
from senderscore_nb.sources.reading import DUPLICATE

CONTRADICTION = "enrollment_id: rows with one id contradict each other"
_AGAIN = f"{DUPLICATE}another row"


class Counts(NamedTuple):
    """Rows that were read, and what became of them: accepted + rejected = read.

    Attributes:
        read: Rows of the source.
        accepted: Rows of the frame.
        rejected: Rows of `rejected`.
        duplicates: How many of the rejected rows are exact duplicates of an accepted one.
    """

    read: int
    accepted: int
    rejected: int
    duplicates: int


@dataclass(frozen=True, eq=False)
class EngineReading:
    """Enrollments in an engine; nothing is computed before it is asked for.

    Attributes:
        frame: Enrollments of the contract: a DuckDB relation or a Spark DataFrame, with the
            required columns and the optional ones and factors that the source has. Enums are text.
        rejected: `reason`, and `row`, the row as it was read, as JSON; the same kind of frame.
        where: The source, for messages.
        mapping: The name of the mapping that was used.
        mapped: Header → column.
        unmapped: Headers that were left.
    """

    frame: Any
    rejected: Any
    where: str
    mapping: str
    mapped: dict[str, str]
    unmapped: tuple[str, ...]
    _count: Callable[[], Counts]
    _close: Callable[[], None]

    @cached_property
    def counts(self) -> Counts:
        """How many rows were read, accepted and rejected; computed when first asked for.

        Raises:
            ReadError: The engine cannot read the source.
        """
        return self._count()

    def close(self) -> None:
        """Let go of connections and files; the frames end with it."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def judged(
    engine: Engine,
    raw: Frame,
    projection: Projection,
    *,
    trust_ids: bool,
    close: Callable[[], None],
) -> EngineReading:
    """Rows that keep the contract, and those that do not.

    Args:
        engine: The engine.
        raw: The table, its columns by place.
        projection: How it is read.
        trust_ids: Do not look whether ids are there twice.
        close: Lets go of everything.
    """
    quote, where = engine.dialect.quote, projection.shape.where
    table = {f"__{i}": f"__{i}" for i in range(len(projection.shape.headers))}
    first = engine.select(
        climbed(engine, raw, table, projection.steps), {**table, **projection.first}
    )
    names = {n: projection.then.get(n, quote(n)) for n in projection.columns}
    typed = engine.select(first, {**table, **names, REASON: projection.then[REASON]})
    good, bad = (
        engine.where(typed, f"{REASON} IS NULL"),
        engine.where(typed, f"{REASON} IS NOT NULL"),
    )
    twice: Frame = None
    if not trust_ids:
        good, twice = _settled(engine, good, projection)
    accepted = engine.select(good, {name: quote(name) for name in projection.columns})
    rejected = engine.select(bad, _as_read(projection, REASON))
    if twice is not None:
        again = engine.select(
            engine.where(twice, "__why IS NOT NULL"), _as_read(projection, "__why")
        )
        rejected = engine.together(rejected, again)

    def count() -> Counts:
        with in_words(where):
            read, misfits = engine.counted(
                typed, {"rows": "count(*)", "misfits": f"count({REASON})"}
            )
            others = exact = 0
            if twice is not None:
                said = engine.dialect.literal(_AGAIN)
                others, exact = engine.counted(
                    twice,
                    {
                        "others": "count(__why)",
                        "exact": f"sum(CASE WHEN __why = {said} THEN 1 ELSE 0 END)",
                    },
                )
            return Counts(read, read - misfits - others, misfits + others, exact)

    mapped, shape = projection.mapped, projection.shape
    headers = {shape.headers[place]: column for column, place in mapped.places.items()}
    left = tuple(header for header in shape.headers if header not in headers)
    return EngineReading(
        accepted, rejected, where, mapped.mapping.name, headers, left, count, close
    )


def climbed(
    engine: Engine, raw: Frame, table: Mapping[str, str], steps: Sequence[Mapping[str, str]]
) -> Frame:
    """The table with what the steps make from it."""
    have = dict(table)
    for step in steps:
        raw = engine.select(raw, {**have, **step})
        have |= {name: name for name in step}
    return raw


def _settled(engine: Engine, good: Frame, projection: Projection) -> tuple[Frame, Frame]:
    """Rows each of whose ids is there once, and rows of ids that are there twice with `__why`.

    The ids are looked at as numbers of 64 bits first, so that only rows that share one are
    compared.
    """
    quote = engine.dialect.quote
    code = engine.dialect.code("enrollment_id")
    codes = engine.grouped(engine.select(good, {"__code": code}), "__code", {"__n": "count(*)"})
    several = engine.kept(engine.select(engine.where(codes, "__n > 1"), {"__code": "__code"}))
    if not engine.counted(several, {"n": "count(*)"})[0]:
        return good, None
    names = [name for name, _ in engine.columns(good)]
    coded = engine.select(good, {**{name: quote(name) for name in names}, "__code": code})
    values = engine.dialect.struct([quote(name) for name in projection.columns])
    one_id = "PARTITION BY enrollment_id"
    said = {n: engine.dialect.literal(n) for n in (CONTRADICTION, _AGAIN)}
    why = (
        f"CASE WHEN min({values}) OVER ({one_id}) <> max({values}) OVER ({one_id}) "
        f"THEN {said[CONTRADICTION]} "
        f"WHEN row_number() OVER ({one_id} ORDER BY __code) > 1 THEN {said[_AGAIN]} END"
    )
    some = engine.among(coded, several, "__code", keep=True)
    twice = engine.select(some, {**{name: quote(name) for name in names}, "__why": why})
    once = engine.among(coded, several, "__code", keep=False)
    firsts = engine.where(twice, "__why IS NULL")
    kept = {name: quote(name) for name in names}
    return engine.together(engine.select(once, kept), engine.select(firsts, kept)), twice


def _as_read(projection: Projection, reason: str) -> dict[str, str]:
    shape, dialect = projection.shape, projection.dialect
    fields = {
        header: Column(f"__{i}", shape.kinds[i], Steps(dialect)).plain
        for i, header in enumerate(shape.headers)
    }
    return {"reason": reason, "row": dialect.as_json(fields)}
