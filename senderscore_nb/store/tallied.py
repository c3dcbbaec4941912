"""Tallies with what they were made under, and the check that they are tallies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from senderscore_nb.contract import KEYS, MEASURES, Tally
from senderscore_nb.errors import ContractError, did_you_mean
from senderscore_nb.policy import CountingRules
from senderscore_nb.safe import shown

NEEDED: tuple[str, ...] = (*KEYS, "ended", "replied", "bounced")
"""Columns that tallies of any tool must have; a measure that they do not have is not known."""

USERS = pl.Schema({"user_id": pl.String(), "user_name": pl.String()})
SEQUENCES = pl.Schema({"sequence_id": pl.String(), "sequence_name": pl.String()})

FIRST_DAY, LAST_DAY = dt.date(1970, 1, 1), dt.date(2099, 12, 31)
_MOST = 10**12
_EXAMPLES = 3
_TYPES = {name: column.dtype for name, column in Tally.columns().items()}


@dataclass(frozen=True)
class Tallied:
    """Tallies and what has to be known of them.

    Attributes:
        tallies: The columns of `contract.Tally`, sorted by its key.
        rules: The counting rules that they were made under, or None where nobody knows.
        timezone: The account's time zone, in which days were decided; "" where it was not needed.
        through: The newest day that the data knew of: of an enrollment, or of an end.
        users: `user_id` and `user_name` of everybody in the data; the name is null if not known.
        sequences: `sequence_id` and `sequence_name`, likewise.
    """

    tallies: pl.DataFrame
    rules: CountingRules | None
    timezone: str
    through: dt.date | None
    users: pl.DataFrame
    sequences: pl.DataFrame


def checked_tallies(frame: pl.DataFrame, *, where: str | None = None) -> pl.DataFrame:
    """A frame as tallies of the contract, sorted by key; columns of other names are left out.

    Whole numbers of any type are taken for counts and ids, midnights for days; a measure other
    than `ended`, `replied` and `bounced` that is not there is null.

    Args:
        frame: With the columns of `NEEDED`.
        where: The file, for messages.

    Raises:
        ContractError: A column is missing or is of another type, or a row breaks the contract: a
            key is null or there twice, a count is negative, or more are counted than have ended.

    >>> checked_tallies(pl.DataFrame({"user_id": [7], "sequence_id": ["1"], "ended": [4],
    ...     "day": [dt.date(2026, 3, 2)], "replied": [1], "bounced": [None]})).row(0)[:6]
    ('7', '1', datetime.date(2026, 3, 2), 4, 1, None)
    """
    missing = [name for name in NEEDED if name not in frame.columns]
    if missing:
        raise ContractError(
            f"The tallies have no column {missing[0]!r}.",
            where=where,
            hint=f"{did_you_mean(missing[0], frame.columns)} A measure that is not known is null.",
        )
    present = [name for name in (*KEYS, *MEASURES) if name in frame.columns]
    typed = frame.select(_typed(frame[name], where) for name in present)
    unknown = [name for name in MEASURES if name not in present]
    typed = typed.with_columns(pl.lit(None, pl.Int64).alias(name) for name in unknown)
    ordered = typed.select(*KEYS, *MEASURES).with_row_index("row", offset=1).sort(KEYS)
    _refuse_broken(ordered, where)
    return ordered.drop("row")


def named(
    ids: pl.Series, names: pl.DataFrame | None = None, *, schema: pl.Schema = USERS
) -> pl.DataFrame:
    """Every id once, with its name where it is known, sorted.

    Args:
        ids: Ids, in any order and number.
        names: Ids with names; further ids are taken over.
        schema: `USERS` or `SEQUENCES`.
    """
    key, name = schema.names()
    known = pl.DataFrame(schema=schema) if names is None else names.select(key, name)
    known = known.filter(pl.col(key).is_not_null()).unique(key, keep="last")
    listed = ids.drop_nulls().unique().cast(pl.String).alias(key).to_frame()
    both = listed.join(known.cast(schema), on=key, how="full", coalesce=True)
    return both.select(key, name).sort(key)


def _typed(column: pl.Series, where: str | None) -> pl.Series:
    """A column in the contract's type."""
    name, kind = column.name, column.dtype
    wanted = _TYPES[name]
    if kind == wanted:
        return column
    if kind == pl.Null:
        return column.cast(wanted)
    if wanted == pl.Date and isinstance(kind, pl.Datetime) and kind.time_zone is None:
        midnight = column.dt.cast_time_unit("us")
        if (midnight.dt.truncate("1d") == midnight).all():
            return column.cast(pl.Date)
        raise ContractError(f"{name}: a day is expected, found a time of day.", where=where)
    if wanted == pl.String and (kind.is_integer() or kind in (pl.Categorical, pl.Enum)):
        return column.cast(pl.String)
    if wanted == pl.Int64 and (kind.is_numeric() and kind != pl.Boolean):
        found = column.fill_nan(None) if kind.is_float() else column
        whole = found.cast(pl.Int64, strict=False)
        if whole.null_count() == found.null_count() and (whole.cast(kind) == found).all():
            return whole
        raise ContractError(f"{name}: a count is expected, found a fraction.", where=where)
    raise ContractError(f"{name}: expected {wanted}, found {kind}.", where=where)


def _broken() -> list[tuple[pl.Expr, pl.Expr]]:
    """When a row breaks the contract, and the reason in words. The rows are sorted by key."""
    ended, known_bounced = pl.col("ended"), pl.col("bounced").fill_null(0)
    tests = [(pl.col(name).is_null(), pl.lit(f"{name} is null")) for name in (*KEYS, "ended")]
    outside = ~pl.col("day").is_between(FIRST_DAY, LAST_DAY)
    tests.append((outside, pl.lit(f"day is not from {FIRST_DAY.year} to {LAST_DAY.year}")))
    for name in MEASURES:
        tests.append((pl.col(name) < 0, pl.format("{} {} is negative", pl.lit(name), name)))
        tests.append((pl.col(name) > _MOST, pl.format("{} {} is impossible", pl.lit(name), name)))
        if name not in ("ended", "replied"):
            more = pl.format("{} {} is more than ended {}", pl.lit(name), name, "ended")
            tests.append((pl.col(name) > ended, more))
    too_many = pl.format("replied {} is more than ended − bounced {}", "replied",
                         ended - known_bounced)  # fmt: skip
    tests.append((pl.col("replied") > ended - known_bounced, too_many))
    twice = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in KEYS)
    tests.append((twice, pl.lit("its user, sequence and day are in another row, too")))
    return tests


def _refuse_broken(ordered: pl.DataFrame, where: str | None) -> None:
    tests = [(test.fill_null(value=False), words) for test, words in _broken()]
    bad = ordered.select(pl.any_horizontal(test for test, _ in tests)).to_series()
    if not bad.any():
        return
    reason = pl.coalesce(pl.when(test).then(words) for test, words in tests)
    rows = ordered.select("row", reason=reason).filter(bad).sort("row")
    said = _examples(rows.head(_EXAMPLES).rows())
    more = f" ({rows.height - _EXAMPLES} more)" if rows.height > _EXAMPLES else ""
    raise ContractError(
        f"{rows.height} of {ordered.height} rows are no tallies: {said}{more}.",
        where=where,
        hint="Nothing was taken over. Count the data again, by user_id, sequence_id and day.",
    )


def _examples(rows: Sequence[tuple[int, str]]) -> str:
    return "; ".join(f"row {row}: {shown(reason, most=90)}" for row, reason in rows)
