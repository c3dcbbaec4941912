"""Enrollments → additive counts.

`tally(a + b) = merge(tally(a), tally(b))`: a tally holds counts and never a rate, so tallies of
days, files and engines add up. A measure that a source cannot know is null, and null stays null
through every sum: an unknown number of bounces is not zero bounces.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from senderscore_nb.contract import KEYS, MEASURES
from senderscore_nb.errors import ContractError, did_you_mean
from senderscore_nb.packing import count_cells, group_packed
from senderscore_nb.policy import CountingRules

PERIODS: dict[str, str] = {"day": "1d", "week": "1w", "month": "1mo"}
"""Period columns with their length. A week is ISO and is named by its Monday."""

_SOURCES = {
    "opened": "opened",
    "clicked": "clicked",
    "meetings": "meeting_booked",
    "unsubscribed": "unsubscribed",
}
_NOT_ENDED_BY_THE_SEQUENCE = ("manual", "error", "blocked")


def tally(
    enrollments: pl.DataFrame | pl.LazyFrame,
    *,
    by: Sequence[str] = KEYS,
    rules: CountingRules | None = None,
) -> pl.DataFrame:
    """Counts of ended enrollments by the key columns, sorted by them.

    Args:
        enrollments: The contract's enrollments. A lazy frame is streamed: memory grows with the
            cells of the result, not with the rows.
        by: Key columns: any column of the enrollments, and `day`, `week` (its Monday) or `month`
            (its first day) of the date that the rules cut on.
        rules: What counts; the defaults of `CountingRules` unless given.

    Returns:
        The keys and the Int64 measures of `contract.MEASURES`. A measure is null where the source
        does not know it for every enrollment of the cell. No rows where nothing has ended.

    Raises:
        ContractError: A column that is needed is missing.

    >>> import datetime as dt
    >>> day = dt.date(2026, 3, 2)
    >>> rows = pl.DataFrame({"user_id": ["7"] * 2, "sequence_id": ["1"] * 2, "ended_on": [day] * 2,
    ...                      "replied": [True, True], "bounced": [False, True]})
    >>> tally(rows).select("ended", "replied", "bounced").row(0)
    (2, 1, 1)
    """
    rules = rules or CountingRules()
    frame = enrollments.lazy()
    columns = frame.collect_schema().names()
    _require(columns, by, rules)
    day = pl.col(rules.date_basis)
    keys = [_period(day, name) if name in PERIODS else pl.col(name) for name in by]
    measures = outcomes(columns, rules)
    counted = frame.filter(has_ended(rules)).select(
        *keys, *(e.alias(n) for n, e in measures.items())
    )
    result = count_cells(counted, list(by), list(measures))
    if result is None:
        result = _grouped(counted, list(by), list(measures))
    unknown = [n for n in MEASURES if n not in result.columns]
    return result.with_columns(pl.lit(None, pl.Int64).alias(n) for n in unknown).select(
        *by, *MEASURES
    )


def merge(*tallies: pl.DataFrame) -> pl.DataFrame:
    """The sum of tallies with the same keys: `merge(tally(a), tally(b)) = tally(a + b)`.

    Raises:
        ContractError: No tally, or tallies with different columns.
    """
    if not tallies:
        raise ContractError("There is no tally to merge.")
    columns = tallies[0].columns
    for other in tallies[1:]:
        if other.columns != columns:
            raise ContractError(
                f"Tallies with the columns {other.columns} and {columns} cannot be merged."
            )
    keys = [name for name in columns if name not in MEASURES]
    return summarize(pl.concat(tallies), keys)


def summarize(tallies: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Tallies summed to fewer keys; `week` and `month` are made from `day` where asked for.

    Args:
        tallies: Key columns and the measures.
        by: The keys to keep; none for one row of everything.

    Returns:
        The keys and the measures, sorted by the keys; a null in a sum makes it null.
    """
    columns = tallies.columns
    missing = [n for n in by if n not in columns and not (n in PERIODS and "day" in columns)]
    missing += [n for n in MEASURES if n not in columns]
    if missing:
        raise ContractError(
            f"The tallies have no column {missing[0]!r}.", hint=did_you_mean(missing[0], columns)
        )
    keys = [pl.col(n) if n in columns else _period(pl.col("day"), n) for n in by]
    sums = [_sum(name, exact=False) for name in MEASURES]
    if not keys:
        return tallies.select(sums)
    return tallies.group_by(keys).agg(sums).sort(by, nulls_last=True)


def _period(day: pl.Expr, name: str) -> pl.Expr:
    return (day if name == "day" else day.dt.truncate(PERIODS[name])).alias(name)


def has_ended(rules: CountingRules) -> pl.Expr:
    """Whether an enrollment counts as ended under the rules."""
    ended = pl.col("ended_on").is_not_null()
    if not rules.manual_and_error_count_as_ended:
        ended &= ~pl.col("end_reason").cast(pl.String).is_in(_NOT_ENDED_BY_THE_SEQUENCE).fill_null(
            value=False
        )
    return ended


def outcomes(columns: Sequence[str], rules: CountingRules) -> dict[str, pl.Expr]:
    """Whether an enrollment counts for each measure, null where unknown.

    Args:
        columns: Of the enrollments; measures whose column is missing are left out.
        rules: What counts.
    """
    bounced = pl.col("bounced")
    if rules.blocked_count_as_bounced:
        bounced = bounced | (pl.col("end_reason").cast(pl.String) == "blocked").fill_null(
            value=False
        )
    replied = pl.col("replied")
    if "out_of_office" in columns and not rules.out_of_office_count_as_replies:
        replied = replied & ~pl.col("out_of_office").fill_null(value=False)
    measures = {"replied": replied & ~bounced.fill_null(value=False), "bounced": bounced}
    measures |= {name: pl.col(c) for name, c in _SOURCES.items() if c in columns}
    return measures


def _grouped(counted: pl.LazyFrame, by: list[str], names: list[str]) -> pl.DataFrame:
    known = _knowledge(counted, names)
    sums = [pl.len().cast(pl.Int64).alias("ended")]
    sums += [_sum(name, exact=exact) for name in MEASURES if (exact := known.get(name)) is not None]
    return group_packed(counted, by, sums)


def _knowledge(counted: pl.LazyFrame, names: list[str]) -> dict[str, bool | None]:
    """By measure: known for every row (True), for some (False), for none (None)."""
    nulls = (
        counted.select(pl.len().alias("len"), *(pl.col(n).null_count() for n in names))
        .collect(engine="streaming")
        .row(0, named=True)
    )
    return {n: None if nulls[n] == nulls["len"] and nulls[n] else nulls[n] == 0 for n in names}


def _sum(name: str, *, exact: bool) -> pl.Expr:
    total = pl.col(name).sum().cast(pl.Int64)
    if exact:
        return total
    return pl.when(pl.col(name).null_count() == 0).then(total).alias(name)


def _require(columns: list[str], by: Sequence[str], rules: CountingRules) -> None:
    needed = ["ended_on", "replied", "bounced", rules.date_basis]
    needed += [name for name in by if name not in PERIODS]
    if not rules.manual_and_error_count_as_ended or rules.blocked_count_as_bounced:
        needed.append("end_reason")
    for name in needed:
        if name not in columns:
            raise ContractError(
                f"The enrollments have no column {name!r}.", hint=did_you_mean(name, columns)
            )


def trailing(tallies: pl.DataFrame, weeks: int) -> pl.DataFrame:
    """Weekly tallies in which each ISO week holds its own counts and those of the weeks before.

    Scored by week, it gives the score as it stood at the end of each week over that many weeks.

    Args:
        tallies: Keys with `day`, and the measures.
        weeks: Length of the window, from 1 on.

    Returns:
        The same columns; `day` is the Monday of the week that the window ends with. Windows that
        reach back before the first week of the tallies are left out.
    """
    keys = [n for n in tallies.columns if n not in MEASURES and n != "day"]
    weekly = summarize(tallies, [*keys, "week"]).rename({"week": "day"})
    first = weekly.select(pl.col("day").min() + pl.duration(weeks=weeks - 1)).item()
    last = weekly.select(pl.col("day").max()).item()
    if first is None:
        return weekly.select(tallies.columns)
    shifted = [
        weekly.with_columns(pl.col("day") + pl.duration(weeks=back)) for back in range(weeks)
    ]
    whole = pl.concat(shifted).filter(pl.col("day").is_between(first, last))
    return summarize(whole, [*keys, "day"]).select(tallies.columns)
