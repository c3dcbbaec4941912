"""Weekly control: is a rate still what it was, for those who look every week."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from senderscore_nb.control import LEAST_PERIODS, Array, control_chart
from senderscore_nb.drivers.rules import FREEDOM, Past, fired, limits
from senderscore_nb.drivers.sequential import confidence_sequence, evidence
from senderscore_nb.errors import SelectionError
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy
from senderscore_nb.score import parse_by, with_team
from senderscore_nb.sums import PERIODS, summarize

MEASURES: tuple[str, ...] = ("reply_rate", "bounce_rate")

YEARLY = 0.10
"""The stated chance that the run rules call out a rate in control, in 52 weekly looks."""

BASELINE_WEEKS = 26

_WEEK = dt.timedelta(weeks=1)
_ADDED = {
    "watched": pl.Boolean,
    "rate": pl.Float64,
    "centre": pl.Float64,
    "sigma_z": pl.Float64,
    "baseline_weeks": pl.Int64,
    "low": pl.Float64,
    "high": pl.Float64,
    "rules": pl.String,
    "side": pl.String,
    "so_far": pl.Float64,
    "so_far_low": pl.Float64,
    "so_far_high": pl.Float64,
    "evidence": pl.Float64,
    "alarm": pl.Boolean,
    "changed_on": pl.Date,
}


@dataclass(frozen=True)
class Vigil:
    """How a rate is watched.

    Attributes:
        since: The Monday that the watch begins with; what lies before it is the baseline.
        baseline_weeks: At most so many weeks before it.
        yearly: The stated chance of a false alarm of the run rules in 52 weeks.
        confidence: Of the confidence sequence, and 1 − the stated chance that the evidence ever
            raises an alarm while nothing has changed.
    """

    since: dt.date
    baseline_weeks: int = BASELINE_WEEKS
    yearly: float = YEARLY
    confidence: float = 0.95

    @property
    def enough(self) -> float:
        """The evidence from which a change is called one: 20 at 95 %."""
        return 1 / (1 - self.confidence)


def default_start(first: dt.date, newest: dt.date) -> dt.date:
    """The Monday a watch begins with: the first of the newest week's ISO year, or later, where the
    data would have fewer than 26 weeks before it.

    It stays where it is from one look to the next, which is what makes the stated rates hold.

    >>> default_start(dt.date(2026, 2, 9), dt.date(2026, 11, 15))
    datetime.date(2026, 8, 10)
    """  # noqa: D205
    year = newest.isocalendar().year
    begin = first - dt.timedelta(days=first.weekday())
    return max(dt.date.fromisocalendar(year, 1, 1), begin + BASELINE_WEEKS * _WEEK)


def watch(
    tallies: pl.DataFrame,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    by: str | Sequence[str] = ("user_id",),
    roster: pl.DataFrame | None = None,
    since: dt.date | None = None,
    baseline_weeks: int = BASELINE_WEEKS,
    yearly: float = YEARLY,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Every week's rates against the weeks before the watch began, in three ways.

    **Control chart**: a Laney p′ chart whose spread is Laney's sigma_z, or the weeks' own standard
    deviation where that is larger, and never below the binomial one. `rules` names the run rules
    that fire (see `drivers.rules`); all together they call out a rate in control with a chance of
    at most `yearly` in 52 weekly looks.

    **Confidence sequence**: `so_far` is the rate of all weeks since the watch began; its interval
    holds at all looks at once, whenever somebody looks. Counts are divided by the over-dispersion
    of the baseline, where there is any.

    **Evidence** that the rate is no longer the baseline's, an e-process (see
    `drivers.sequential.evidence`). Where it reaches 1 / (1 − confidence) there is an `alarm`, from
    that week on; the chance of one without a change is at most 1 − confidence, however often
    somebody looks.

    Args:
        tallies: As `tally` returns them.
        policy: Says what a reply's denominator is.
        by: Keys, as words (`"user"`, `"team"`, `"sequence"`, `"user,sequence"`) or column names;
            none for everyone together. No periods: it is always by week.
        roster: Needed for teams.
        since: The first day of the watch; its Monday is taken. See `default_start` for what is
            taken unless given. Moving it from look to look voids what is stated.
        baseline_weeks: Weeks before it that are the baseline, at most.
        yearly: See above.
        confidence: See above.

    Returns:
        One row for each key, `measure` (`reply_rate`, `bounce_rate`) and `week` (its Monday) from
        the baseline on: `count`, `n`, `watched` (not baseline), `rate`; `centre`, `sigma_z`,
        `baseline_weeks` of the baseline; and for watched weeks `low`, `high` (what one week may
        reach), `rules` ("" where none fires), `side`, `so_far`, `so_far_low`, `so_far_high`,
        `evidence`, `alarm`, and where there is one `changed_on`: the week that the change most
        likely began with. Without
        8 baseline weeks there are no limits, rules or evidence: they are null. Weeks in which
        nothing ended, or whose measure is not known, are left out.

    Raises:
        SelectionError: Periods in `by`, or numbers that make no sense.
        ContractError: A column is missing.
    """
    policy = load_policy(policy)
    keys = list(parse_by(by))
    _check(keys, yearly, confidence, baseline_weeks)
    if "team" in keys:
        tallies = with_team(tallies, roster)
    weekly = _weekly(summarize(tallies, [*keys, "week"]), keys, policy)
    first, newest = weekly["week"].min(), weekly["week"].max()
    if not isinstance(first, dt.date) or not isinstance(newest, dt.date):
        return weekly.with_columns(pl.lit(None, kind).alias(name) for name, kind in _ADDED.items())
    start = default_start(first, newest) if since is None else since
    start -= dt.timedelta(days=start.weekday())
    vigil = Vigil(start, baseline_weeks, yearly, confidence)
    rows = weekly.filter(pl.col("week") >= start - baseline_weeks * _WEEK)
    return _judged(rows, keys, vigil)


def _check(keys: Sequence[str], yearly: float, confidence: float, baseline_weeks: int) -> None:
    for key in keys:
        if key in PERIODS:
            raise SelectionError(
                f"Weekly control is by week already, not by {key!r}.",
                hint="Ask by user, team, sequence or several of them.",
            )
    if not 0 < yearly < 1 or not 0 < confidence < 1:
        raise SelectionError(
            f"The yearly rate {yearly:g} and the confidence {confidence:g} must lie between 0 "
            "and 1.",
            hint="Write 10 % as 0.1.",
        )
    if baseline_weeks < LEAST_PERIODS:
        raise SelectionError(
            f"{baseline_weeks} baseline weeks are too few; from {LEAST_PERIODS} on a spread can "
            "be told."
        )


def _weekly(counts: pl.DataFrame, keys: Sequence[str], policy: ScoringPolicy) -> pl.DataFrame:
    """Counts and denominators of both measures, one under the other."""
    delivered = policy.counting.reply_denominator == "delivered"
    ended = pl.col("ended")
    sides = []
    for place, measure in enumerate(MEASURES):
        replies = measure == "reply_rate"
        n = ended - pl.col("bounced") if replies and delivered else ended
        sides.append(
            counts.select(
                *keys,
                pl.lit(measure).alias("measure"),
                pl.lit(place).alias("__place"),
                "week",
                pl.col("replied" if replies else "bounced").alias("count"),
                n.alias("n"),
            )
        )
    rows = pl.concat(sides).filter(
        pl.col("count").is_not_null(), pl.col("n") > 0, pl.col("week").is_not_null()
    )
    return rows.sort([*keys, "__place", "week"], nulls_last=True).drop("__place")


def _judged(rows: pl.DataFrame, keys: Sequence[str], vigil: Vigil) -> pl.DataFrame:
    series = [*keys, "measure"]
    before = pl.col("week") < vigil.since
    chart = control_chart(
        rows.rename({"week": "period"}).with_columns(__row=pl.int_range(pl.len())),
        by=series,
        baseline=pl.col("period") < vigil.since,
    ).sort("__row")
    rows = rows.with_columns(
        ~before.alias("watched"),
        rate=chart["rate"],
        centre=chart["centre"],
        sigma_z=chart["sigma_z"],
        baseline_weeks=chart["baseline_periods"],
    ).with_columns(sigma_z=_spread(chart, vigil).cast(pl.Float64))
    parts = [_series(part, vigil) for part in rows.partition_by(series, maintain_order=True)]
    return pl.concat(parts) if parts else rows


def _spread(chart: pl.DataFrame, vigil: Vigil) -> pl.Series:
    """Laney's sigma_z, or the standard deviation of the baseline's z-scores, if larger.

    Moving ranges of skewed weeks, as rare events in clumps have them, come out too small.
    """
    inside = pl.col("period") < vigil.since
    keys = chart.columns[: chart.columns.index("period")]
    square = pl.when(inside).then(pl.col("z").pow(2)).sum()
    freedom = (pl.col("baseline_periods") - 1).clip(lower_bound=1)
    own = (square.over(keys) / freedom).sqrt()
    larger = pl.max_horizontal(pl.col("sigma_z"), own)
    return chart.select(pl.when(pl.col("sigma_z").is_not_null()).then(larger)).to_series()


def _series(part: pl.DataFrame, vigil: Vigil) -> pl.DataFrame:
    """One key and measure with what its watched weeks say."""
    watched = part.filter("watched")
    past = part.filter(~pl.col("watched"))
    count, n = _arrays(watched)
    sigma = part["sigma_z"][0]
    found: dict[str, Any] = {}
    if sigma is not None and len(n):
        known = Past(float(past["count"].sum()), float(past["n"].sum()), sigma, past.height)
        rules, side = fired(count, n, known, yearly=vigil.yearly)
        low, high = limits(count, n, known, yearly=vigil.yearly)
        seen = evidence(_arrays(past), (count, n))
        mondays = watched["week"].to_list()
        reached = np.maximum.accumulate(seen.value) >= vigil.enough
        found = {
            "low": low,
            "high": high,
            "rules": rules,
            "side": side,
            "evidence": seen.value,
            "alarm": reached,
            "changed_on": [
                mondays[place] if alarm else None
                for place, alarm in zip(seen.since, reached, strict=True)
            ],
        }
    total, size = np.cumsum(count), np.cumsum(n)
    inflation = _inflation(sigma, past.height)
    so_far = confidence_sequence(total / inflation, size / inflation, confidence=vigil.confidence)
    found |= {"so_far": total / np.maximum(size, 1), "so_far_low": so_far[0]}
    found["so_far_high"] = so_far[1]
    columns = [
        pl.Series(name, found[name], dtype=kind, strict=False)
        if name in found
        else pl.Series(name, [None] * watched.height, dtype=kind)
        for name, kind in _ADDED.items()
        if name not in part.columns
    ]
    both = pl.concat([past, watched.with_columns(columns)], how="diagonal")
    return both.select(*(c for c in part.columns if c not in _ADDED), *_ADDED)


def _inflation(sigma: float | None, weeks: int) -> float:
    """By how much clumped counts say less, on the safe side as far as sigma is an estimate."""
    from scipy.special import stdtrit

    if sigma is None or sigma <= 1:
        return 1.0
    doubt = -stdtrit(FREEDOM * (weeks - 1), 0.025) / 1.96
    return float((sigma * doubt) ** 2)


def _arrays(rows: pl.DataFrame) -> tuple[Array, Array]:
    return rows["count"].cast(pl.Float64).to_numpy(), rows["n"].cast(pl.Float64).to_numpy()
