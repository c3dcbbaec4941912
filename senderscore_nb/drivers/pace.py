"""How fast enrollments end: the present pace, its uncertainty, and what will have ended by a day.

Nothing is assumed Poisson: how much weekly counts scatter is taken from the account's weeks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from senderscore_nb.control import Array
from senderscore_nb.score import PACE_DAYS

HORIZON = 366
"""Days ahead that are looked at."""

_LEAST_DAYS = 7
_SCATTER_WEEKS = 12
_PRIOR = 3.0  # weeks' worth of belief in Poisson counts
_LEAST_RUNS = 30  # ended runs of a sequence from which its own lengths are taken


@dataclass(frozen=True)
class Pace:
    """Events a day.

    Attributes:
        daily: Their expected number a day.
        days: The days it was counted over; 0 where nothing was.
        scatter: Variance of a count, in multiples of its mean.
    """

    daily: float
    days: int
    scatter: float

    def ahead(self, days: Array) -> tuple[Array, Array]:
        """Mean and variance of the count over so many (or so much of) days from now on."""
        mean = self.daily * days
        seen = self.daily * self.days
        return mean, self.scatter * (mean + (mean**2 / seen if seen > 0 else 0.0))


def reached(mean: Array, variance: Array, needed: Array) -> Array:
    """The chance that a count of this mean and variance is at least as high as what is needed.

    A Gamma distribution of the same mean and variance, read half a count lower.
    """
    from scipy.special import gammaincc

    shape = np.where(variance > 0, mean**2 / np.maximum(variance, 1e-12), 0.0)
    scale = np.where(mean > 0, variance / np.maximum(mean, 1e-12), 1.0)
    edge = np.maximum(needed - 0.5, 0.0)
    chance = gammaincc(np.maximum(shape, 1e-9), edge / np.maximum(scale, 1e-12))
    chance = np.where((mean > 0) & (shape > 0), chance, 0.0)
    return np.asarray(np.where(needed <= 0, 1.0, chance), dtype=np.float64)


def pace_of(days: Sequence[dt.date], counts: Sequence[int], today: dt.date) -> Pace:
    """The pace of the last 28 days, or of the days since the first one, at least a week.

    Args:
        days: Days with events.
        counts: Events of each.
        today: The last day counted.
    """
    if not days:
        return Pace(0.0, 0, 1.0)
    span = min(PACE_DAYS, max(_LEAST_DAYS, (today - min(days)).days + 1))
    since = today - dt.timedelta(days=span - 1)
    seen = sum(c for d, c in zip(days, counts, strict=True) if since <= d <= today)
    return Pace(seen / span, span, 1.0)


def scatter_of(events: pl.DataFrame, keys: Sequence[str], today: dt.date) -> tuple[float, float]:
    """How the variance of weekly counts grows with their mean: scatter = a + b · weekly mean.

    Fitted to the account's keys that are at work, over the last 12 weeks, from two weeks after a
    key's first event on, with some weight on Poisson counts (a = 1, b = 0).

    Args:
        events: The keys, `day` and `events`.
        keys: Key columns.
        today: The last day counted.
    """
    from scipy.optimize import nnls

    back = (pl.lit(today) - pl.col("day")).dt.total_days() // 7
    group = list(keys)
    weekly = events.group_by(*group, __back=back).agg(pl.col("events").sum())
    weekly = weekly.with_columns(
        __age=pl.col("__back").max().over(group), __newest=pl.col("__back").min().over(group)
    ).filter(
        pl.col("__back") < pl.min_horizontal(pl.col("__age") - 2, _SCATTER_WEEKS),
        pl.col("__age") >= 4,
        pl.col("__newest") == 0,
    )
    span = (pl.col("__age").max() - 2).clip(upper_bound=_SCATTER_WEEKS)
    found = weekly.group_by(group, maintain_order=True).agg(
        weeks=span, mean=pl.col("events").sum() / span, squares=pl.col("events").pow(2).sum()
    )
    weeks, mean, squares = (found[c].cast(pl.Float64).to_numpy() for c in found.columns[-3:])
    scatter = (squares - weeks * mean**2) / ((weeks - 1) * mean)
    weight = np.sqrt(np.append(weeks - 1, _PRIOR))
    design = np.column_stack([np.ones(len(mean) + 1), np.append(mean, 0.0)])
    fitted, _ = nnls(design * weight[:, None], np.append(scatter, 1.0) * weight)
    return max(float(fitted[0]), 0.05), float(fitted[1])


@dataclass(frozen=True)
class Lengths:
    """How long runs last, by sequence: the share that has ended after so many days.

    Attributes:
        ended: By sequence id the shares after 0, 1, 2, … days, each as long as `HORIZON` + 1.
        together: The same of all sequences.
    """

    ended: dict[str, Array]
    together: Array

    def of(self, sequence: str) -> Array:
        """The shares of a sequence; those of all together where it has too few ended runs."""
        return self.ended.get(sequence, self.together)


def lengths_of(runs: pl.DataFrame, today: dt.date) -> Lengths:
    """Life tables of runs (Kaplan & Meier 1958): runs that are still active count while they last.

    Args:
        runs: `sequence_id`, `enrolled_on`, `ended_on` (null while active).
        today: The last day that is known of.
    """
    end = pl.col("ended_on").fill_null(pl.lit(today))
    days = (end - pl.col("enrolled_on")).dt.total_days().clip(0, HORIZON)
    rows = runs.select(
        "sequence_id", day=days.cast(pl.Int64), over=pl.col("ended_on").is_not_null()
    )
    tables = {
        str(part["sequence_id"][0]): _life_table(part)
        for part in rows.partition_by("sequence_id")
        if part["over"].sum() >= _LEAST_RUNS and part["sequence_id"][0] is not None
    }
    return Lengths(tables, _life_table(rows))


def _life_table(rows: pl.DataFrame) -> Array:
    days, over = rows["day"].to_numpy(), rows["over"].to_numpy()
    ended = np.bincount(days[over], minlength=HORIZON + 1).astype(float)
    left = np.bincount(days, minlength=HORIZON + 1)[::-1].cumsum()[::-1]
    alive = np.cumprod(1 - ended / np.maximum(left, 1))
    return np.asarray(1 - alive, dtype=np.float64)
