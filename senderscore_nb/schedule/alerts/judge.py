"""One rule over the tallies: which windows crossed its limit, and which by more than chance."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from senderscore_nb.certainty import wilson
from senderscore_nb.control import control_chart
from senderscore_nb.errors import SelectionError
from senderscore_nb.periods import Kind, Period
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.schedule.alerts.rules import LOOK_BACK, AlertRule, State
from senderscore_nb.score import BY, score, with_team
from senderscore_nb.sums import summarize

_WEEK = dt.timedelta(weeks=1)
_COUNTS = {"reply_rate": "replied", "bounce_rate": "bounced"}


@dataclass(frozen=True)
class Given:
    """What every rule is evaluated on."""

    tallies: pl.DataFrame
    policy: ScoringPolicy
    roster: pl.DataFrame | None
    end: dt.date
    every: Kind

    def ends(self, periods: int) -> list[dt.date]:
        """The last days of the newest periods, the newest first."""
        if self.every == "month":
            month = Period.of("month", self.end)
            return [self.end, *(month.later(-i).end for i in range(1, periods))]
        step = _WEEK if self.every == "week" else dt.timedelta(days=1)
        return [self.end - i * step for i in range(periods)]


class Value(NamedTuple):
    """A metric over a window, whether its sample is large enough, and beyond the limit."""

    ended: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    judged: bool = False
    crossed: bool = False


class Move(NamedTuple):
    """A rate outside what chance allows around its baseline."""

    rate: str
    side: str
    value: float
    low: float
    high: float
    centre: float
    weeks: int


class Since(NamedTuple):
    """The end of the period since which a limit is crossed; perhaps longer than was looked at."""

    day: dt.date
    or_earlier: bool


class Finding(NamedTuple):
    """How the rule stands for a key."""

    key: str
    state: State
    value: Value
    since: Since | None
    moves: tuple[Move, ...]


class Judge:
    """One rule, and the counts by key and day that it looks at."""

    def __init__(self, rule: AlertRule, given: Given) -> None:
        self.rule, self.given = rule, given
        self.key = BY.get(rule.scope)
        self.window = rule.window_weeks * _WEEK
        self.baseline_end = given.ends(rule.periods)[-1] - self.window
        self.first = self.baseline_end - rule.baseline_weeks * _WEEK
        oldest = min(self.first, given.ends(LOOK_BACK)[-1] - self.window)
        tallies = given.tallies.filter(pl.col("day") > oldest)
        try:
            tallies = rule.selection.apply(tallies, given.roster)
            if rule.scope == "team":
                tallies = with_team(tallies, given.roster)
        except SelectionError as error:
            where = f"alerts.{rule.name}"
            raise SelectionError(error.found, where=where, hint=error.hint) from None
        days = summarize(tallies, [*([self.key] if self.key else []), "day"])
        self.days = days.with_columns(key=pl.col(self.key) if self.key else pl.lit(""))

    def findings(self, standing: Collection[str]) -> list[Finding]:
        """What fires, stands or is over, in no order.

        Args:
            standing: Keys of what fired or stood before.
        """
        windows = self._windows(self.days, self.rule.periods)
        crossing = [key for key, values in windows.items() if all(v.crossed for v in values)]
        moves = self._moves([key for key in crossing if key not in standing])
        states: dict[str, State] = dict.fromkeys(moves, "fired")
        newest = {key: windows.get(key, [Value()])[0] for key in (*moves, *standing)}
        for key in standing:
            value = newest[key]
            over = value.ended == 0 or (value.judged and not value.crossed)
            states[key] = "over" if over else "standing"
        since = self._since([key for key, state in states.items() if state != "over"])
        return [
            Finding(key, state, newest[key], since.get(key), tuple(moves.get(key, ())))
            for key, state in states.items()
        ]

    def _windows(self, days: pl.DataFrame, periods: int) -> dict[str, list[Value]]:
        """The metric by key over the windows of the newest periods, the newest first."""
        ends = self.given.ends(periods)
        frames = [self._window(days, end).with_columns(day=pl.lit(end)) for end in ends]
        frame = pl.concat(frames).filter(pl.col("ended") > 0)
        found: dict[str, list[Value]] = {}
        for key, end, ended, value, low, high in self._measured(frame).iter_rows():
            judged = value is not None and ended >= self.rule.minimum
            crossed = judged and self.rule.crossed(value)
            values = found.setdefault(key, [Value()] * periods)
            values[ends.index(end)] = Value(ended, value, low, high, judged, crossed)
        return found

    def _window(self, days: pl.DataFrame, end: dt.date) -> pl.DataFrame:
        within = pl.col("day").is_between(end - self.window, end, closed="right")
        return summarize(days.filter(within), ["key"])

    def _measured(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Key, day, ended, and the metric with its interval."""
        metric = self.rule.metric
        if metric != "score":
            n, (low, high) = _denominator(metric, self.given.policy), self._interval(metric)
            value = pl.when(n > 0).then(pl.col(_COUNTS[metric]) / n)
            return frame.select("key", "day", "ended", value.alias("value"), low=low, high=high)
        names = {"key": self.key} if self.key else {}
        rows = score(
            frame.rename(names),
            self.given.policy,
            by=[*names.values(), "day"],
            roster=self.given.roster,
        )
        key = pl.col(self.key) if self.key else pl.lit("")
        return rows.select(key.alias("key"), "day", "ended", "score", "score_low", "score_high")

    def _interval(self, rate: str) -> tuple[pl.Expr, pl.Expr]:
        return wilson(pl.col(_COUNTS[rate]), _denominator(rate, self.given.policy))

    def _moves(self, keys: list[str]) -> dict[str, list[Move]]:
        """Which rates of these keys lie on the bad side of what chance allows."""
        days = self.days.filter(pl.col("key").is_in(keys))
        judged = self._window(days, self.given.end).with_columns(period=pl.lit(1, pl.Int64))
        periods = pl.concat([self._baseline(days, keys).select(judged.columns), judged])
        moves: dict[str, list[Move]] = {}
        for name, side in self.rule.bad_sides.items():
            low, high = self._interval(name)
            n = _denominator(name, self.given.policy)
            counts = periods.select(
                "key", "period", count=pl.col(_COUNTS[name]), n=n, lower=low, upper=high
            )
            chart = control_chart(counts, by=["key"], baseline=pl.col("period") < 1)
            outside = chart.filter(pl.col("period") == 1, pl.col("side") == side)
            columns = ("key", "rate", "lower", "upper", "centre", "baseline_periods")
            for key, *values in outside.select(columns).iter_rows():
                moves.setdefault(key, []).append(Move(name, side, *values))
        return moves

    def _baseline(self, days: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
        """Counts by key and week of the baseline; weeks end with the windows' weekday."""
        pooled = self.rule.against == "everyone"
        rows = self.days if pooled else days
        within = pl.col("day").is_between(self.first, self.baseline_end, closed="right")
        back = (pl.lit(self.baseline_end) - pl.col("day")).dt.total_days() // 7
        weeks = rows.filter(within).with_columns(period=-back)
        if not pooled:
            return summarize(weeks, ["key", "period"])
        everyone = pl.DataFrame({"key": keys}, schema={"key": pl.String})
        return summarize(weeks, ["period"]).join(everyone, how="cross")

    def _since(self, keys: list[str]) -> dict[str, Since]:
        """Where the limit was crossed before, too: by key, since which period without a break."""
        if not keys:
            return {}
        ends = self.given.ends(LOOK_BACK)
        windows = self._windows(self.days.filter(pl.col("key").is_in(keys)), LOOK_BACK)
        found = {}
        for key, values in windows.items():
            judged = [(end, v) for end, v in zip(ends, values, strict=True) if v.judged]
            run = [end for end, _ in itertools.takewhile(lambda pair: pair[1].crossed, judged)]
            if run and run[-1] != ends[0]:
                found[key] = Since(run[-1], run[-1] == ends[-1])
        return found


def _denominator(rate: str, policy: ScoringPolicy) -> pl.Expr:
    if rate == "reply_rate" and policy.counting.reply_denominator == "delivered":
        return pl.col("ended") - pl.col("bounced")
    return pl.col("ended")
