"""When a collecting sender has the minimum: the distribution of the day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import polars as pl

from senderscore_nb.control import Array
from senderscore_nb.drivers.pace import (
    HORIZON,
    Lengths,
    Pace,
    Weekdays,
    lengths_of,
    pace_of,
    reached,
    scatter_of,
)
from senderscore_nb.score import PACE_DAYS

_DAYS = np.arange(1, HORIZON + 1)

Key: TypeAlias = tuple[object, ...]


@dataclass(frozen=True)
class Known:
    """What is known today of every key.

    Attributes:
        today: The last day counted.
        keys: Key columns.
        ended: The keys, `day`, `events`: ended enrollments.
        enrolled: The same of enrollments begun, by sequence too; None where there are tallies only.
        active: The keys, `sequence_id`, `age` in days of runs that have not ended.
        lengths: How long runs last.
        window_days: How far back the minimum is counted; None where from the first day on.
    """

    today: dt.date
    keys: tuple[str, ...]
    ended: pl.DataFrame
    enrolled: pl.DataFrame | None = None
    active: pl.DataFrame | None = None
    lengths: Lengths | None = None
    window_days: int | None = None


def known_of(
    tallies: pl.DataFrame,
    enrollments: pl.DataFrame | None,
    keys: Sequence[str],
    today: dt.date,
    window_days: int | None,
) -> Known:
    """What the tallies, and the enrollments behind them where they are given, say of today."""
    ended = tallies.filter(pl.col("day") <= today)
    ended = ended.group_by(*keys, "day").agg(pl.col("ended").sum().alias("events"))
    known = Known(today, tuple(keys), ended, window_days=window_days)
    if enrollments is None:
        return known
    runs = enrollments.filter(pl.col("enrolled_on") <= today).with_columns(
        pl.when(pl.col("ended_on") <= today).then("ended_on").alias("ended_on")
    )
    columns = [*keys, *(() if "sequence_id" in keys else ("sequence_id",))]
    begun = runs.group_by(*columns, day=pl.col("enrolled_on")).agg(
        pl.len().cast(pl.Int64).alias("events")
    )
    age = (pl.lit(today) - pl.col("enrolled_on")).dt.total_days().clip(0, HORIZON)
    active = runs.filter(pl.col("ended_on").is_null()).select(*columns, age=age.cast(pl.Int64))
    return replace(known, enrolled=begun, active=active, lengths=lengths_of(runs, today))


def paces(known: Known) -> dict[Key, Pace]:
    """The present pace of ended enrollments of each key."""
    return _paces(known.ended, known)


def ready(known: Known, minimum: int) -> dict[Key, Array]:
    """By key the chance that the minimum is there after 1, 2, … 366 days.

    With enrollments: what is active ends as runs of its sequence do, given how long it has lasted;
    what will be begun comes at the present pace of enrollments and lasts as long. So a new sender,
    whose runs have only begun to end, is not taken for a slow one. With tallies alone ended
    enrollments go on at their present pace.
    """
    ended = _by_key(known.ended, known.keys)
    result = {}
    if known.lengths is None or known.enrolled is None or known.active is None:
        coming = np.cumsum(Weekdays(known.ended, known.today).ahead())
        counts = {key: pace.ahead(coming) for key, pace in paces(known).items()}
    else:
        coming = Weekdays(known.enrolled, known.today).ahead()
        begun, active = _by_key(known.enrolled, known.keys), _by_key(known.active, known.keys)
        counts = {}
        for key, pace in _paces(known.enrolled, known).items():
            over, spread = _over(active.get(key), known.lengths)
            table = _table(begun[key], known.lengths, known.today)
            more, doubt = pace.ahead(np.convolve(coming, table)[: len(coming)])
            counts[key] = over + more, spread + doubt
    for key, (mean, variance) in counts.items():
        needed = minimum - _kept(ended.get(key), known)
        inside = _inside(mean, variance, known.window_days)
        result[key] = np.maximum.accumulate(reached(*inside, needed))
    return result


def _over(active: pl.DataFrame | None, lengths: Lengths) -> tuple[Array, Array]:
    """Mean and variance of how many active runs will have ended after 1, 2, … days."""
    mean, variance = np.zeros(HORIZON), np.zeros(HORIZON)
    if active is not None:
        cells = active.group_by("sequence_id", "age").len().sort("sequence_id", "age")
        for sequence, age, runs in cells.iter_rows():
            share = lengths.of(str(sequence))
            later = share[np.minimum(age + _DAYS, HORIZON)]
            over = np.clip((later - share[age]) / max(1 - share[age], 1e-9), 0.0, 1.0)
            mean += runs * over
            variance += runs * over * (1 - over)
    return mean, variance


def _table(begun: pl.DataFrame, lengths: Lengths, today: dt.date) -> Array:
    """The share of a key's new runs that has ended after 0, 1, 2, … days, by its recent mix."""
    recent = begun.filter(pl.col("day") > today - dt.timedelta(days=PACE_DAYS))
    mix = recent.group_by("sequence_id").agg(pl.col("events").sum()).sort("sequence_id")
    total = float(mix["events"].sum())
    if not total:
        return lengths.together
    shares = [(n / total) * lengths.of(str(sequence)) for sequence, n in mix.iter_rows()]
    return np.asarray(np.sum(shares, axis=0), dtype=np.float64)


def _inside(mean: Array, variance: Array, window: int | None) -> tuple[Array, Array]:
    """Mean and variance of what comes and is still in the window so many days later."""
    if window is None or window >= HORIZON:
        return mean, variance
    gone = np.append(np.zeros(window), mean[: HORIZON - window])
    steady = np.full(HORIZON - window, variance[window - 1])
    return mean - gone, np.append(variance[:window], steady)


def _kept(ended: pl.DataFrame | None, known: Known) -> Array:
    """Ended enrollments of today that still count so many days later."""
    if ended is None:
        return np.zeros(HORIZON)
    back = (pl.lit(known.today) - pl.col("day")).dt.total_days()
    rows = ended.select(back=back, events=pl.col("events")).filter(pl.col("back") >= 0)
    if known.window_days is None:
        return np.full(HORIZON, float(rows["events"].sum()))
    window = known.window_days
    rows = rows.filter(pl.col("back") < window)
    by_age = np.bincount(rows["back"].to_numpy(), rows["events"].to_numpy(), minlength=window)
    counted = np.append(np.cumsum(by_age), by_age.sum())
    return np.asarray(counted[np.clip(window - _DAYS, 0, window)] * (window > _DAYS))


def _paces(events: pl.DataFrame, known: Known) -> dict[Key, Pace]:
    weekdays = Weekdays(events, known.today)
    a, b = scatter_of(events, known.keys, known.today)
    found = {}
    for key, part in _by_key(events, known.keys).items():
        own = pace_of(part, weekdays, known.today)
        found[key] = replace(own, scatter=a + b * 7 * own.daily)
    return found


def _by_key(rows: pl.DataFrame, keys: Sequence[str]) -> dict[Key, pl.DataFrame]:
    return rows.partition_by(list(keys), as_dict=True)
