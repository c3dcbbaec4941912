"""Between which limits a rate lies that was printed with a few digits."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

_SLACK = 1e-9
_MANY = 10_000
"""Possible numbers of bounces of which only the fewest and the most are looked at: with so many,
whole numbers narrow a printed rate by less than a ten-thousandth of its last digit."""


def possible_rates(rows: pl.DataFrame, denominator: str) -> pl.DataFrame:
    """The lowest and the highest rates that printed rates, or counts, allow.

    Bounces are out of ended; replies out of what was delivered, or out of ended. Where `ended` is
    known only whole numbers of enrollments count, so that a printed rate often has one true one.

    Args:
        rows: `ended`, `replied`, `bounced` (Int64 or null), `reply_rate`, `bounce_rate` (fractions
            or null) with `_half`, half of the last digit that they are written with; `reason`,
            null where the row fits so far.
        denominator: Of the reply rate: `delivered` or `ended`.

    Returns:
        The rows with both rates filled where only counts were given, `reply_rate_low`,
        `reply_rate_high`, `bounce_rate_low`, `bounce_rate_high`, and `reason` also where no whole
        number gives a printed rate.
    """
    found = [_row(row, denominator) for row in rows.iter_rows(named=True)]
    schema: dict[str, Any] = dict.fromkeys(
        (
            f"{rate}{part}"
            for rate in ("reply_rate", "bounce_rate")
            for part in ("", "_low", "_high")
        ),
        pl.Float64,
    )
    frame = pl.DataFrame(found, schema={**schema, "reason": pl.String}, orient="row")
    return rows.drop("reply_rate", "bounce_rate", "reason").hstack(frame)


def _row(row: dict[str, Any], denominator: str) -> tuple[Any, ...]:
    nothing = (row["reply_rate"], None, None, row["bounce_rate"], None, None)
    if row["reason"] is not None:
        return (*nothing, row["reason"])
    n = row["ended"]
    counted = row["replied"] is not None or row["bounced"] is not None
    if n is None and counted:
        return (*nothing, "ended: needed where replies or bounces are counts")
    if n is None:
        reply, bounce = _rounded(row, "reply_rate"), _rounded(row, "bounce_rate")
        return (row["reply_rate"], *reply, row["bounce_rate"], *bounce, None)
    bounces = _counts(n, row, "bounced", "bounce_rate")
    if not bounces:
        return (*nothing, f"bounce_rate: no whole number out of {n} gives this rate")
    if len(bounces) > _MANY:
        bounces = range(bounces[0], bounces[-1] + 1, len(bounces) - 1)
    replies = _reply_rates(n, bounces, row, denominator)
    if not replies:
        return (*nothing, f"reply_rate: no whole number out of {n} ended gives this rate")
    given, bounce = row["reply_rate"], row["bounce_rate"]
    return (
        replies[0] if given is None else given,
        min(replies),
        max(replies),
        bounces[0] / n if bounce is None else bounce,
        bounces[0] / n,
        bounces[-1] / n,
        None,
    )


def _rounded(row: dict[str, Any], name: str) -> tuple[float, float]:
    rate, half = float(row[name]), float(row[f"{name}_half"])
    return max(0.0, rate - half), min(1.0, rate + half)


def _reply_rates(n: int, bounces: range, row: dict[str, Any], denominator: str) -> list[float]:
    """The lowest and the highest reply rate for each number of bounces."""
    rates = []
    for bounced in bounces:
        out_of = n - bounced if denominator == "delivered" else n
        possible = _counts(out_of, row, "replied", "reply_rate") if out_of else range(0)
        possible = range(possible.start, min(possible.stop, n - bounced + 1))
        rates += [count / out_of for count in (possible[0], possible[-1])] if possible else []
    return rates


def _counts(n: int, row: dict[str, Any], measure: str, rate: str) -> range:
    """The whole numbers out of n that are the count, and give the rate where one is printed."""
    low, high = 0, n
    if row[measure] is not None:
        low, high = row[measure], min(row[measure], n)
    if row[rate] is not None:
        low = max(low, math.ceil((row[rate] - row[f"{rate}_half"] - _SLACK) * n))
        high = min(high, math.floor((row[rate] + row[f"{rate}_half"] + _SLACK) * n))
    return range(low, high + 1)
