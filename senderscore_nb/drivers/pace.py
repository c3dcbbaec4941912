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
_BORROWED = 5.0  # runs of all sequences that a sequence's life table borrows


@dataclass(frozen=True)
class Pace:
    """Events a day.

    Attributes:
        daily: Their expected number on an average day.
        seen: How many it was counted from.
        scatter: Variance of a week's count, in multiples of its mean.
    """

    daily: float = 0.0
    seen: float = 0.0
    scatter: float = 1.0

    def ahead(self, days: Array) -> tuple[Array, Array]:
        """Mean and variance of the count over so many (or so much of) average days from now on."""
        mean = self.daily * days
        # Within a week events fall on days by chance, however regular the weeks are.
        within = np.minimum(mean, 7 * self.daily) * max(1 - self.scatter, 0.0) / 4
        doubt = mean**2 / self.seen if self.seen > 0 else 0.0
        return mean, self.scatter * (mean + doubt) + within


class Weekdays:
    """How events spread over the days of a week: 1 on an average day, Monday first."""

    def __init__(self, events: pl.DataFrame, today: dt.date) -> None:
        """Read the weights off the last 12 weeks.

        Args:
            events: `day` and `events`.
            today: The last day counted.
        """
        since = today - dt.timedelta(weeks=_SCATTER_WEEKS)
        rows = events.filter(pl.col("day") > since, pl.col("day") <= today)
        sums = np.bincount(
            rows["day"].dt.weekday().to_numpy() - 1, rows["events"].to_numpy(), minlength=7
        )
        self.weights: Array = (sums + 1) / (sums + 1).mean()
        self._today = today

    def span(self, days: int) -> float:
        """How many average days the last so many days are worth."""
        return float(self.weights[(self._today.weekday() - np.arange(days)) % 7].sum())

    def ahead(self) -> Array:
        """The weights of the coming days, as many as the horizon has."""
        return np.asarray(self.weights[(self._today.weekday() + 1 + np.arange(HORIZON)) % 7])


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


def pace_of(own: pl.DataFrame, weekdays: Weekdays, today: dt.date) -> Pace:
    """The pace of the last 28 days, or of the days since the first one, at least a week.

    Args:
        own: `day` and `events` of one key.
        weekdays: How much a day is worth.
        today: The last day counted.
    """
    first = own["day"].min()
    if not isinstance(first, dt.date):
        return Pace()
    span = min(PACE_DAYS, max(_LEAST_DAYS, (today - first).days + 1))
    since = today - dt.timedelta(days=span - 1)
    seen = float(own.filter(pl.col("day").is_between(since, today))["events"].sum())
    return Pace(seen / weekdays.span(span), seen)


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
        """The shares of a sequence; those of all together where it has no runs."""
        return self.ended.get(sequence, self.together)


def lengths_of(runs: pl.DataFrame, today: dt.date) -> Lengths:
    """Life tables of runs (Kaplan & Meier 1958): runs that are still active count while they last.

    Where few runs of a sequence have lasted that long, all sequences' share of ends at that age
    stands in, with the weight of 5 runs.

    Args:
        runs: `sequence_id`, `enrolled_on`, `ended_on` (null while active).
        today: The last day that is known of.
    """
    end = pl.col("ended_on").fill_null(pl.lit(today))
    days = (end - pl.col("enrolled_on")).dt.total_days().clip(0, HORIZON)
    rows = runs.select(
        "sequence_id", day=days.cast(pl.Int64), over=pl.col("ended_on").is_not_null()
    )
    ended, left = _at_risk(rows)
    everyone = ended / np.maximum(left, 1)
    tables = {}
    for part in rows.partition_by("sequence_id"):
        ended, left = _at_risk(part)
        hazard = (ended + _BORROWED * everyone) / (left + _BORROWED)
        tables[str(part["sequence_id"][0])] = _ended(hazard)
    return Lengths(tables, _ended(everyone))


def _ended(hazard: Array) -> Array:
    """The share that has ended after so many days, of what ends on each."""
    return np.asarray(1 - np.cumprod(1 - hazard), dtype=np.float64)


def _at_risk(rows: pl.DataFrame) -> tuple[Array, Array]:
    """Ends at each age in days, and how many runs had lasted that long."""
    days, over = rows["day"].to_numpy(), rows["over"].to_numpy()
    ended = np.bincount(days[over], minlength=HORIZON + 1).astype(float)
    left = np.bincount(days, minlength=HORIZON + 1)[::-1].cumsum()[::-1].astype(float)
    return ended, left
