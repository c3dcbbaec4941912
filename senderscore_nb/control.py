"""Control charts of proportions that vary by more than chance alone.

Replies and bounces come in clumps: a list, a campaign, a holiday. Their rates differ from week to
week by more than independent enrollments would, and a plain p-chart calls that an alarm. Laney's
p′ chart takes the spread from the periods themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.certainty import control_limits
from senderscore_nb.errors import ContractError, did_you_mean

Array: TypeAlias = npt.NDArray[np.float64]

SIGMAS = 3.0
"""Distance of the limits from the centre."""

TAIL = NormalDist().cdf(-SIGMAS)
"""The chance of a period beyond one limit, 0.00135."""

LEAST_PERIODS = 8
"""Baseline periods below which nothing is judged: their spread is not known well enough."""

SIDES: tuple[str, ...] = ("below", "within", "above")

Spread = Literal["laney", "binomial"]

_D2 = 1.128  # mean range of two normal values, in standard deviations
_FREEDOM = 0.605  # degrees of freedom for each moving range
_EXACT = 20_000  # counts above which a Beta tail is as good as the Beta-binomial one
_KEY = "__everything"
_OF_THE_KEY = ("centre", "sigma_z", "baseline_periods")


def control_chart(
    periods: pl.DataFrame,
    *,
    by: Sequence[str] = (),
    baseline: pl.Expr | None = None,
    spread: Spread = "laney",
) -> pl.DataFrame:
    """Each period's rate, the limits of chance around the baseline, and on which side it lies.

    The limits are centre ± 3 · √(centre · (1 − centre) / n) · max(1, sigma_z), cut at 0 and 1. The
    centre is the baseline's summed counts over its summed n. sigma_z is the mean moving range of
    the baseline's z-scores / 1.128 (Laney 2002, Quality Engineering 14:531); at sigma_z = 1 the
    chart is the p-chart. Below 1 it is shown as it is, but does not narrow the limits: with a
    handful of periods a small sigma_z is luck more often than regularity, and would make alarms of
    what independent enrollments do by themselves.

    `side` is not read off these limits, which are normal approximations, but decided by a tail of
    the same chance (0.00135) that also holds for few enrollments and rare events: binomial, or
    Beta-binomial with the variance of sigma_z. For a period outside the baseline the tail also
    allows for centre and sigma_z being estimates: the centre by its posterior (Jeffreys), sigma_z
    by Student's t with 0.605 degrees of freedom for each moving range (Cryer & Ryan 1990, Journal
    of Quality Technology 22:187). How often it errs is in docs/alerts.md.

    Weeks that vary independently have the same sigma_z as their sums, so a sum of weeks may be
    judged against a baseline of single weeks.

    Args:
        periods: `period` (of any type that sorts), `count`, `n` and the keys; other columns stay.
            One row for each key and period. Where n is 0, or either is null, there is no rate.
        by: Key columns; each key has its own baseline.
        baseline: Which rows are the baseline; all of them unless given. What is judged should not
            be among them.
        spread: `binomial` takes sigma_z as 1: the p-chart.

    Returns:
        The rows sorted by key and period, with `rate`; `centre`, `sigma_z` and `baseline_periods`
        of the key; `low`, `high`; `z`, in binomial standard deviations from the centre; `side`:
        one of `SIDES`. Limits, `sigma_z` and `side` are null where the baseline has fewer than 8
        periods with a rate.

    Raises:
        ContractError: A column is missing.

    >>> weeks = pl.DataFrame({"period": range(10), "count": [2] * 9 + [9], "n": [100] * 10})
    >>> chart = control_chart(weeks, baseline=pl.col("period") < 9)
    >>> chart.select("rate", "centre", pl.col("high").round(3), "side").row(9)
    (0.09, 0.02, 0.062, 'above')
    """
    _require(periods, by)
    keys = list(by) or [_KEY]
    known = (pl.col("n") > 0) & pl.col("count").is_not_null()
    in_baseline = known & (pl.lit(value=True) if baseline is None else baseline)
    rows = periods.with_columns(
        pl.lit(value=True).alias(_KEY),
        rate=pl.when(known).then(pl.col("count") / pl.col("n")),
        __baseline=in_baseline.fill_null(value=False),
    ).sort([*keys, "period"])
    rows = _with_centre(rows, keys)
    rows = _with_sigma(rows, keys, spread)
    judged = pl.col("sigma_z").is_not_null() & pl.col("rate").is_not_null()
    # √(p (1 − p) / n) · s is √(p (1 − p) / (n / s²)): the limits of a smaller sample.
    low, high = control_limits(
        pl.col("centre"), pl.col("n") / pl.col("sigma_z").clip(lower_bound=1.0).pow(2)
    )
    rows = rows.with_columns(
        __judged=judged, low=pl.when(judged).then(low), high=pl.when(judged).then(high)
    )
    added = ("rate", *_OF_THE_KEY, "low", "high", "z", "side")
    return rows.with_columns(_sides(rows, spread)).select(
        *(name for name in periods.columns if name not in added), *added
    )


def _require(periods: pl.DataFrame, by: Sequence[str]) -> None:
    for name in ("period", "count", "n", *by):
        if name not in periods.columns:
            raise ContractError(
                f"The periods have no column {name!r}.", hint=did_you_mean(name, periods.columns)
            )


def _with_centre(rows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Centre and z-scores; z is null where the centre is 0 or 1 and the rate is not."""
    sums = (
        rows.filter("__baseline")
        .group_by(keys)
        .agg(
            pl.col("count").sum().alias("__count"),
            pl.col("n").sum().alias("__n"),
            pl.len().cast(pl.Int64).alias("baseline_periods"),
        )
        .with_columns(centre=pl.col("__count") / pl.col("__n"))
    )
    away = pl.col("rate") - pl.col("centre")
    sigma = (pl.col("centre") * (1 - pl.col("centre")) / pl.col("n")).sqrt()
    return rows.join(
        sums, on=keys, how="left", maintain_order="left", nulls_equal=True
    ).with_columns(
        pl.col("baseline_periods").fill_null(0),
        z=pl.when(sigma > 0).then(away / sigma).when(away == 0).then(0.0),
    )


def _with_sigma(rows: pl.DataFrame, keys: list[str], spread: Spread) -> pl.DataFrame:
    ranges = pl.col("z").diff().abs().mean() / _D2
    spreads = (
        rows.filter("__baseline", pl.col("baseline_periods") >= LEAST_PERIODS)
        .group_by(keys, maintain_order=True)
        .agg(sigma_z=ranges if spread == "laney" else pl.lit(1.0))
    )
    return rows.join(spreads, on=keys, how="left", maintain_order="left", nulls_equal=True)


def _sides(rows: pl.DataFrame, spread: Spread) -> pl.Series:
    judged = rows["__judged"].fill_null(value=False)
    part = rows.filter(judged)
    columns = ("count", "n", "centre", "sigma_z", "baseline_periods", "__count", "__n")
    count, n, centre, sigma, periods, total, total_n = (
        part[name].cast(pl.Float64).to_numpy() for name in columns
    )
    inside = part["__baseline"].to_numpy()
    doubt = _doubt(periods) if spread == "laney" else np.ones(len(part))
    sigma = np.maximum(1.0, np.where(inside, sigma, sigma * doubt))
    mean = np.where(inside, centre, (total + 0.5) / (total_n + 1))
    inflation = sigma**2 * np.where(inside, 1.0, (total_n + 1 + n) / (total_n + 2))
    more = count > n * mean
    rare = _tails(count, n, mean, inflation, more) < TAIL
    sides = np.full(rows.height, -1, dtype=np.int64)
    sides[judged.to_numpy()] = np.where(rare, np.where(more, 2, 0), 1)
    names = [SIDES[i] if i >= 0 else None for i in sides.tolist()]
    return pl.Series("side", names, dtype=pl.Enum(SIDES))


def _doubt(periods: Array) -> Array:
    """How much wider three sigmas must be because sigma comes from so few moving ranges."""
    from scipy.special import stdtrit

    return np.asarray(-stdtrit(_FREEDOM * (periods - 1), TAIL) / SIGMAS, dtype=np.float64)


def _tails(
    count: Array, n: Array, mean: Array, inflation: Array, more: npt.NDArray[np.bool_]
) -> Array:
    """The chance of so many, or else so few, where the variance is `inflation` times binomial."""
    mean = np.clip(mean, 1e-12, 1 - 1e-12)
    # The Beta of a Beta-binomial with that variance; where it is largest, that is the binomial.
    weight = np.clip((n - inflation) / np.maximum(inflation - 1, 1e-12), 1e-3, 1e7 + 100 * n)
    tails = np.empty(len(n))
    many = count > _EXACT
    for rows, tail in ((~many & more, _exactly_more), (~many & ~more, _exactly_fewer)):
        tails[rows] = tail(count[rows], n[rows], mean[rows], weight[rows])
    tails[many] = _smoothly(count[many], n[many], mean[many], weight[many], more[many])
    return tails


def _exactly_more(count: Array, n: Array, mean: Array, weight: Array) -> Any:
    return 1 - beta_binomial_cdf(count - 1, n, mean * weight, (1 - mean) * weight)


def _exactly_fewer(count: Array, n: Array, mean: Array, weight: Array) -> Any:
    return beta_binomial_cdf(count, n, mean * weight, (1 - mean) * weight)


def _smoothly(
    count: Array, n: Array, mean: Array, weight: Array, more: npt.NDArray[np.bool_]
) -> Any:
    """The same with the rate as a Beta of the same mean and variance."""
    from scipy.special import betainc, betaincc

    whole = n * (weight + 1) / (weight + n) - 1
    a, b = mean * whole, (1 - mean) * whole
    edge = np.clip((count + np.where(more, -0.5, 0.5)) / n, 0.0, 1.0)
    return np.where(more, betaincc(a, b, edge), betainc(a, b, edge))


def beta_binomial_cdf(count: Array, n: Array, a: Array, b: Array) -> Array:
    """The chance of at most so many of n under Beta-binomial distributions, row by row.

    The terms are summed, so the work grows with the counts. Above 1e5 · n, a and b are as good as
    infinite and the distribution is the binomial one.

    Args:
        count: Whole numbers; below 0 the chance is 0.
        n: Whole numbers.
        a: First parameter of the Beta, above 0.
        b: Second parameter.

    >>> one = np.ones(1)
    >>> beta_binomial_cdf(one, 4 * one, one, one).round(6).tolist()
    [0.4]
    """
    from scipy.special import betaln

    mirrored = count > n / 2
    upto = np.where(mirrored, n - count - 1, count).astype(np.int64)
    first, second = np.where(mirrored, b, a), np.where(mirrored, a, b)
    terms = np.maximum(upto + 1, 0)
    row = np.repeat(np.arange(len(count)), terms)
    k = np.arange(terms.sum()) - np.repeat(np.cumsum(terms) - terms, terms)
    size, a_, b_ = n[row], first[row], second[row]
    log = betaln(k + a_, size - k + b_) - betaln(a_, b_)
    log -= np.log(size + 1) + betaln(size - k + 1, k + 1)
    sums = np.clip(np.bincount(row, np.exp(log), minlength=len(count)), 0.0, 1.0)
    return np.asarray(np.where(mirrored, 1 - sums, sums), dtype=np.float64)
