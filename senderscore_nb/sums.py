"""Tallies added up: merged, summed to fewer keys, over the weeks before.

Sums keep what a tally promises: only counts, and a null in a sum makes it null.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from senderscore_nb.contract import MEASURES
from senderscore_nb.errors import ContractError, did_you_mean

PERIODS: dict[str, str] = {"day": "1d", "week": "1w", "month": "1mo"}
"""Period columns with their length. A week is ISO and is named by its Monday."""


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
    sums = [total(name, exact=False) for name in MEASURES]
    if not keys:
        return tallies.select(sums)
    return tallies.group_by(keys).agg(sums).sort(by, nulls_last=True)


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


def total(name: str, *, exact: bool) -> pl.Expr:
    """The sum of a measure, null where one of its values is; `exact` where none can be."""
    summed = pl.col(name).sum().cast(pl.Int64)
    if exact:
        return summed
    return pl.when(pl.col(name).null_count() == 0).then(summed).alias(name)


def _period(day: pl.Expr, name: str) -> pl.Expr:
    return (day if name == "day" else day.dt.truncate(PERIODS[name])).alias(name)
