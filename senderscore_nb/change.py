"""What changed between two periods, and whether it is more than noise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.certainty import difference, quantile
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy
from senderscore_nb.score import parse_by, score, with_team
from senderscore_nb.sums import summarize

METRICS: tuple[str, ...] = ("score", "reply_rate", "bounce_rate")


@dataclass(frozen=True)
class Window:
    """First and last day, both included."""

    start: dt.date
    end: dt.date

    @property
    def days(self) -> int:
        """Length in days."""
        return (self.end - self.start).days + 1

    def back(self, days: int) -> Window:
        """The window of the same length that many days earlier."""
        step = dt.timedelta(days=days)
        return Window(self.start - step, self.end - step)

    def of(self, tallies: pl.DataFrame) -> pl.DataFrame:
        """The tallies of the window's days."""
        return tallies.filter(pl.col("day").is_between(self.start, self.end))


def change(
    tallies: pl.DataFrame,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    now: Window,
    before: Window,
    by: str | Sequence[str] = ("user_id",),
    roster: pl.DataFrame | None = None,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """The change of score and rates from one window to another, with intervals.

    The windows may share days. What they share cannot differ, so the two estimates are
    correlated by n(shared) / √(n(now) · n(before)), and the interval of the change allows for it
    (see `certainty.difference`). `certain` is decided over all rows at once: at most 5 % of the
    changes called certain are expected to be noise (Benjamini & Hochberg 1995).

    Returns:
        One row a key that ended anything in either window: the keys; `ended`, `ended_before`; for
        each of `score`, `reply_rate` and `bounce_rate`: the value now, `_before`, `_change`,
        `_change_low`, `_change_high` and `_certain` (null where one side has none); `band`,
        `band_before`, `status`, `status_before`.
    """
    common = Window(max(now.start, before.start), min(now.end, before.end))
    return compare(
        now.of(tallies),
        before.of(tallies),
        policy,
        by=by,
        shared=common.of(tallies),
        roster=roster,
        confidence=confidence,
    )


def compare(
    now: pl.DataFrame,
    before: pl.DataFrame,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    by: str | Sequence[str] = ("user_id",),
    shared: pl.DataFrame | None = None,
    roster: pl.DataFrame | None = None,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """The difference of any two tallies: `change` for what is not two windows of one frame.

    Args:
        now: Tallies of the minuend.
        before: Tallies of the subtrahend.
        policy: How to score both.
        by: Keys, as `score` takes them.
        shared: Tallies of the enrollments that both hold; none unless given.
        roster: Needed for teams.
        confidence: Of every interval.

    Returns:
        As `change`.
    """
    policy = load_policy(policy)
    keys = list(parse_by(by)) or ["__all"]
    both = _ended(before.head(0) if shared is None else shared, by, roster)
    sides = []
    for tallies in (now, before):
        side = score(tallies, policy, by=by, roster=roster, confidence=confidence)
        sides.append(side.with_columns(__all=pl.lit(value=True)))
    joined = (
        sides[0]
        .join(sides[1], on=keys, how="full", coalesce=True, suffix="_before", nulls_equal=True)
        .join(both, on=keys, how="left", nulls_equal=True)
        .with_columns(pl.col("ended", "ended_before", "__shared").fill_null(0))
    )
    overlap = pl.col("__shared") / (pl.col("ended") * pl.col("ended_before")).sqrt()
    joined = joined.with_columns(__rho=overlap.fill_nan(0.0).clip(0.0, 1.0))
    for metric in METRICS:
        joined = _differenced(joined, metric, confidence)
    if "step" in (policy.reply_points.interpolation, policy.bounce_points.interpolation):
        joined = _without_jumps(joined)
    columns = [f"{m}{s}" for m in METRICS for s in ("", "_before", *_PARTS)]
    rest = ["ended", "ended_before", *columns, "band", "band_before", "status", "status_before"]
    return joined.select(*(k for k in keys if k != "__all"), *rest).sort(
        [k for k in keys if k != "__all"] or ["ended"]
    )


_PARTS = ("_change", "_change_low", "_change_high", "_certain")


def _ended(
    shared: pl.DataFrame, by: str | Sequence[str], roster: pl.DataFrame | None
) -> pl.DataFrame:
    """Ended enrollments that both sides hold, by key."""
    keys = parse_by(by)
    counts = summarize(with_team(shared, roster) if "team" in keys else shared, keys)
    return counts.with_columns(__all=pl.lit(value=True)).select(
        *(keys or ("__all",)), pl.col("ended").alias("__shared")
    )


def _without_jumps(joined: pl.DataFrame) -> pl.DataFrame:
    """Call a score's jump noise where no rate has moved by more than noise; it then holds 0."""
    moved = pl.col("reply_rate_certain") | pl.col("bounce_rate_certain")
    low, high = pl.col("score_change_low"), pl.col("score_change_high")
    return joined.with_columns(
        pl.col("score_certain") & moved,
        pl.when(moved).then(low).otherwise(pl.min_horizontal(low, low * 0.0)),
        pl.when(moved).then(high).otherwise(pl.max_horizontal(high, high * 0.0)),
    )


def _differenced(joined: pl.DataFrame, metric: str, confidence: float) -> pl.DataFrame:
    now = (pl.col(metric), pl.col(f"{metric}_low"), pl.col(f"{metric}_high"))
    before = (
        pl.col(f"{metric}_before"),
        pl.col(f"{metric}_low_before"),
        pl.col(f"{metric}_high_before"),
    )
    low, high = difference(now, before, correlation=pl.col("__rho"))
    change, lower, upper = (f"{metric}{part}" for part in _PARTS[:3])
    joined = joined.with_columns(
        (now[0] - before[0]).alias(change), low.alias(lower), high.alias(upper)
    )
    certain = beyond_noise(joined.select(change, lower, upper), confidence)
    return joined.with_columns(certain.alias(f"{metric}_certain"))


def beyond_noise(changes: pl.DataFrame, confidence: float) -> pl.Series:
    """Which changes are more than noise, all rows judged together; null where there is none."""
    from scipy.special import ndtr

    value, low, high = (changes.to_series(i).to_numpy() for i in range(3))
    # The side of the interval that faces zero is the one that says how far from it the change is.
    half = np.where(value > 0, value - low, high - value)
    known = np.isfinite(value) & np.isfinite(half)
    with np.errstate(divide="ignore", invalid="ignore"):
        sigmas = np.where(value == 0, 0.0, np.abs(value) / (half / quantile(confidence)))
    return judged(np.where(known, 2 * ndtr(-sigmas), np.nan), confidence)


def judged(p: npt.NDArray[np.float64], confidence: float) -> pl.Series:
    """Which of many p-values are more than noise (Benjamini & Hochberg 1995); null where NaN."""
    from scipy.stats import false_discovery_control

    known = np.isfinite(p)
    result = np.zeros(len(p), dtype=bool)
    if known.any():
        result[known] = false_discovery_control(np.clip(p[known], 0.0, 1.0)) <= 1 - confidence
    return pl.select(pl.when(pl.Series(known)).then(pl.Series(result))).to_series()
