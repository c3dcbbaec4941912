"""Enrollments → additive counts, on any engine.

`tally(a + b) = merge(tally(a), tally(b))`: a tally holds counts and never a rate, so tallies of
days, files and engines add up. A measure that a source cannot know is null, and null stays null
through every sum: an unknown number of bounces is not zero bounces.

What counts is said once, as narwhals expressions, which polars, DuckDB and Spark each run in their
own way; the counts come back as a polars frame. On polars two ways of grouping are tried that are
quicker than its own (`packing`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import narwhals as nw
import polars as pl

from senderscore_nb.contract import COLUMNS, KEYS, MEASURES
from senderscore_nb.errors import ContractError, did_you_mean
from senderscore_nb.packing import count_cells, group_packed, packable
from senderscore_nb.policy import CountingRules
from senderscore_nb.sums import PERIODS, summarize, total

if TYPE_CHECKING:
    from narwhals.typing import IntoFrame

    Enrollments: TypeAlias = IntoFrame

_SOURCES = {
    "opened": "opened",
    "clicked": "clicked",
    "meetings": "meeting_booked",
    "unsubscribed": "unsubscribed",
}
NEEDED: tuple[str, ...] = (
    *("user_id", "sequence_id", "enrolled_on", "ended_on", "end_reason", "replied", "bounced"),
    *("out_of_office", *_SOURCES.values(), "user_name", "sequence_name"),
)
"""The columns of enrollments that tallies, their days and their names are made of."""

_FLAGS = {"replied", "bounced", "out_of_office", *_SOURCES.values()}
_NOT_ENDED_BY_THE_SEQUENCE = ("manual", "error", "blocked")


def tally(
    enrollments: Enrollments, *, by: Sequence[str] = KEYS, rules: CountingRules | None = None
) -> pl.DataFrame:
    """Counts of ended enrollments by the key columns, sorted by them.

    Args:
        enrollments: The contract's enrollments: a polars frame, a DuckDB relation, a PySpark
            DataFrame, or another table that narwhals knows. A lazy frame of polars is streamed,
            and the engines count where their rows are: memory grows with the cells of the result,
            not with the rows.
        by: Key columns: any column of the enrollments, and `day`, `week` (its Monday) or `month`
            (its first day) of the date that the rules cut on.
        rules: What counts; the defaults of `CountingRules` unless given.

    Returns:
        The keys and the Int64 measures of `contract.MEASURES`, the same from every engine. A
        measure is null where the source does not know it for every enrollment of the cell. No rows
        where nothing has ended.

    Raises:
        ContractError: A column that is needed is missing or of another type, or this is no table.

    >>> import datetime as dt
    >>> day = dt.date(2026, 3, 2)
    >>> rows = pl.DataFrame({"user_id": ["7"] * 2, "sequence_id": ["1"] * 2, "ended_on": [day] * 2,
    ...                      "replied": [True, True], "bounced": [False, True]})
    >>> tally(rows).select("ended", "replied", "bounced").row(0)
    (2, 1, 1)
    """
    rules = rules or CountingRules()
    frame = _lazy(enrollments)
    schema = frame.collect_schema()
    _require(schema, by, rules)
    by = list(dict.fromkeys(by))
    keys = list(dict.fromkeys("day" if name in PERIODS else name for name in by))
    measures = _outcomes(schema, rules)
    day = nw.col(rules.date_basis).alias("day")
    counted = frame.filter(_has_ended(rules)).select(
        *(day if name == "day" else nw.col(name) for name in keys),
        *(e.alias(n) for n, e in measures.items()),
    )
    cells = _cells(counted, keys, list(measures))
    unknown = [pl.lit(None, pl.Int64).alias(n) for n in MEASURES[1:] if n not in measures]
    cells = cells.with_columns(unknown).select(*keys, *MEASURES)
    # The engines' own weeks and months differ, so these are sums of days.
    return cells if keys == by else summarize(cells, by)


def marked(enrollments: pl.LazyFrame, rules: CountingRules) -> pl.LazyFrame:
    """Enrollments with what counts: `__ended`, `__replied` and `__bounced`, null where unknown."""
    frame = nw.from_native(enrollments)
    measures = _outcomes(frame.collect_schema(), rules)
    return frame.with_columns(
        __ended=_has_ended(rules), __replied=measures["replied"], __bounced=measures["bounced"]
    ).to_native()


def newest_day(enrollments: Enrollments) -> dt.date | None:
    """The newest day that enrollments know of: of an enrollment, or of an end.

    Args:
        enrollments: As for `tally`, with `enrolled_on`.
    """
    days = [nw.col(name).max().alias(name) for name in ("enrolled_on", "ended_on")]
    found = _collected(_lazy(enrollments).select(*days)).row(0)
    return max((day for day in found if day is not None), default=None)


def during(
    enrollments: Enrollments, first: dt.date, last: dt.date, *, rules: CountingRules | None = None
) -> Enrollments:
    """The enrollments that the rules date from `first` to `last`, left with their engine."""
    day = nw.col((rules or CountingRules()).date_basis)
    return _lazy(enrollments).filter((day >= first) & (day <= last)).to_native()


def newest_names(enrollments: Enrollments, key: str, name: str) -> pl.DataFrame:
    """The newest name of each id: columns `key` and `name`, sorted; null where there is none.

    Args:
        enrollments: As for `tally`, with `enrolled_on`.
        key: A column of ids.
        name: A column of names; where it is missing nothing has one.
    """
    frame = _lazy(enrollments)
    there = [key, name] if name in frame.collect_schema() else [key]
    known = frame.filter(~nw.col(key).is_null()).group_by(*there)
    dated = _collected(known.agg(nw.col("enrolled_on").max()))
    if name not in there:
        dated = dated.with_columns(pl.lit(None, pl.String).alias(name))
    # Of two names of one day the greater text is taken: engines know no order of rows.
    newest = pl.col(name).sort_by("enrolled_on", name, nulls_last=False).drop_nulls().last()
    return dated.group_by(key).agg(newest).sort(key)


def _lazy(enrollments: Enrollments) -> nw.LazyFrame[pl.LazyFrame]:
    try:
        frame = nw.from_native(enrollments)
    except TypeError:
        raise ContractError(
            f"A {type(enrollments).__name__} is no table of enrollments.",
            hint="Give a polars frame, a DuckDB relation or a PySpark DataFrame.",
        ) from None
    if isinstance(frame, nw.DataFrame):
        return nw.from_native(frame.to_polars().lazy())
    return frame  # type: ignore[return-value]  # polars stands for every engine's frame


def _has_ended(rules: CountingRules) -> nw.Expr:
    """Whether an enrollment counts as ended under the rules."""
    ended = ~nw.col("ended_on").is_null()
    if not rules.manual_and_error_count_as_ended:
        ended &= ~_ended_as(*_NOT_ENDED_BY_THE_SEQUENCE)
    return ended


def _ended_as(*reasons: str) -> nw.Expr:
    return nw.col("end_reason").cast(nw.String).is_in(reasons).fill_null(value=False)


def _outcomes(columns: Sequence[str] | nw.Schema, rules: CountingRules) -> dict[str, nw.Expr]:
    """Whether an enrollment counts for each measure, null where unknown.

    Args:
        columns: Of the enrollments; measures whose column is missing are left out.
        rules: What counts.
    """
    flags = {name: nw.col(name).cast(nw.Boolean) for name in columns if name in _FLAGS}
    bounced = flags["bounced"]
    if rules.blocked_count_as_bounced:
        bounced = bounced | _ended_as("blocked")
    replied = flags["replied"]
    if "out_of_office" in columns and not rules.out_of_office_count_as_replies:
        replied = replied & ~flags["out_of_office"].fill_null(value=False)
    measures = {"replied": replied & ~bounced.fill_null(value=False), "bounced": bounced}
    return measures | {name: flags[c] for name, c in _SOURCES.items() if c in columns}


def _cells(counted: nw.LazyFrame[pl.LazyFrame], keys: list[str], names: list[str]) -> pl.DataFrame:
    """The keys, `ended` and the named measures, sorted."""
    if counted.implementation.is_polars():
        rows = counted.to_native()
        cells = count_cells(rows, keys, names)
        if cells is None:
            cells = _packed(rows, keys, names)
        if cells is not None:
            return cells
    return _grouped(counted, keys, names)


def _grouped(
    counted: nw.LazyFrame[pl.LazyFrame], keys: list[str], names: list[str]
) -> pl.DataFrame:
    """Counted by the engine itself; what comes back is brought to the contract's types."""
    sums = [nw.len().alias("ended")]
    for name in names:
        flag = nw.col(name)
        sums.append(flag.fill_null(value=False).cast(nw.Int64).sum().alias(name))
        sums.append(flag.is_null().cast(nw.Int64).sum().alias(f"{name} unknown"))
    grouped = counted.group_by(*keys).agg(*sums) if keys else counted.select(*sums)
    cells = _collected(grouped)
    ours = [pl.col(name).cast(COLUMNS[name]) for name in keys if name in COLUMNS]
    ended = pl.col("ended").cast(pl.Int64)
    # The sum over no rows is null on some engines and 0 on others.
    counts = [
        pl.when(pl.col(f"{name} unknown").fill_null(0) == 0)
        .then(pl.col(name).fill_null(0).cast(pl.Int64))
        .alias(name)
        for name in names
    ]
    cells = cells.with_columns(*ours, ended, *counts).select(*keys, "ended", *names)
    return cells.sort(keys, nulls_last=True) if keys else cells


def _collected(frame: nw.LazyFrame[pl.LazyFrame]) -> pl.DataFrame:
    how = {"engine": "streaming"} if frame.implementation.is_polars() else {}
    cells: pl.DataFrame = frame.collect("polars", **how).to_native()
    return cells


def _packed(rows: pl.LazyFrame, keys: list[str], names: list[str]) -> pl.DataFrame | None:
    if not packable(rows, keys):
        return None
    known = _knowledge(rows, names)
    sums = [pl.len().cast(pl.Int64).alias("ended")]
    sums += [total(n, exact=exact) for n in names if (exact := known[n]) is not None]
    cells = group_packed(rows, keys, sums)
    if cells is None:
        return None
    return cells.with_columns(
        pl.lit(None, pl.Int64).alias(n) for n in names if known[n] is None
    ).select(*keys, "ended", *names)


def _knowledge(rows: pl.LazyFrame, names: list[str]) -> dict[str, bool | None]:
    """By measure: known for every row (True), for some (False), for none (None)."""
    nulls = (
        rows.select(pl.len().alias("len"), *(pl.col(n).null_count() for n in names))
        .collect(engine="streaming")
        .row(0, named=True)
    )
    return {n: None if nulls[n] == nulls["len"] and nulls[n] else nulls[n] == 0 for n in names}


def _require(schema: nw.Schema, by: Sequence[str], rules: CountingRules) -> None:
    needed = ["ended_on", "replied", "bounced", rules.date_basis]
    needed += [name for name in by if name not in PERIODS]
    if not rules.manual_and_error_count_as_ended or rules.blocked_count_as_bounced:
        needed.append("end_reason")
    for name in needed:
        if name not in schema:
            raise ContractError(
                f"The enrollments have no column {name!r}.",
                hint=did_you_mean(name, list(schema)),
            )
    for name in by:
        if name in MEASURES:
            raise ContractError(f"The column {name!r} is counted, so it cannot be a key as well.")
    for name in ("ended_on", rules.date_basis):
        if schema[name] != nw.Date:
            raise ContractError(
                f"The column {name!r} holds {schema[name]}; days are expected, as Date.",
                hint="Days are decided in the account's time zone when the data is read.",
            )
    for name, kind in schema.items():
        if name in _FLAGS and kind not in (nw.Boolean, nw.Unknown):
            raise ContractError(f"The column {name!r} holds {kind}; Boolean is expected.")
