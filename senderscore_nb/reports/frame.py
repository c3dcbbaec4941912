"""What every report shares: an account, a policy, a selection, and the windows it looks at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import polars as pl

from senderscore_nb.account import Account, open_account
from senderscore_nb.certainty import beyond_limits, control_limits, quantile
from senderscore_nb.change import Window, change
from senderscore_nb.drivers.explain import Explanation, explain_change
from senderscore_nb.errors import ReportError
from senderscore_nb.periods import Period, last_whole_week
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy
from senderscore_nb.reports.blocks import day
from senderscore_nb.reports.words import SINCE, plural
from senderscore_nb.sample import TIMEZONE, sample_folder
from senderscore_nb.score import score
from senderscore_nb.selection import Selection
from senderscore_nb.sums import trailing

Measure = Literal["reply_rate", "bounce_rate"]

WINDOW_WEEKS = 12
"""Weeks that a score in a report covers unless it says otherwise."""

HISTORY_WEEKS = 4
"""Weeks that each point of a history covers."""

SETTLING_DAYS = 14
"""Replies and bounces come late: what ended in the last days of the data may still change."""


@dataclass(frozen=True)
class ReportFrame:
    """The figures of a report. Every frame is computed when first asked for.

    Attributes:
        account: What was read.
        selection: Which senders, teams and sequences; its dates are not used.
        period: The day, ISO week or month that is reported.
        window: The days that scores cover: the weeks up to the last day of the period.
        settling_days: Days up to the newest one of the data that are provisional.
        made_at: When the report was made.
    """

    account: Account
    selection: Selection
    period: Period
    window: Window
    settling_days: int
    made_at: dt.datetime

    @classmethod
    def open(
        cls,
        data: str | Sequence[str],
        *,
        mapping: str = "",
        timezone: str = "",
        roster: str = "",
        policy: str = DEFAULT_POLICY,
        period: str = "",
        window_weeks: int = WINDOW_WEEKS,
        settling_days: int = SETTLING_DAYS,
        selection: Selection | None = None,
    ) -> Self:
        """Read an account and settle the windows.

        Args:
            data: Files, folders or globs; the sample account if empty.
            mapping: A preset or a TOML file; found from the headers if empty.
            timezone: The account's time zone; needed where the data holds times of day.
            roster: A roster file; `roster.*` in the data folder if empty.
            policy: A preset or a TOML file.
            period: An ISO week such as 2026-W46, a month such as 2026-10 or a day; the last
                complete week if empty.
            window_weeks: How many weeks a score covers.
            settling_days: Replies and bounces come late: what ended in that many days up to the
                newest one of the data is marked as provisional.
            selection: Which senders, teams and sequences.

        Raises:
            SenderScoreError: Something is not readable or not valid, or nothing is left.
        """
        if not data:
            data, timezone = str(sample_folder()), TIMEZONE
        account = open_account(
            data,
            mapping=mapping or None,
            timezone=timezone or None,
            roster=roster or None,
            policy=policy,
        )
        for name, least, value in (
            ("window_weeks", 1, window_weeks),
            ("settling_days", 0, settling_days),
        ):
            if value < least:
                raise ReportError(f"{name} is {value}; at least {least} is needed.")
        if account.tallies.is_empty():
            raise ReportError(
                "No enrollment has ended, so there is nothing to report.",
                where=", ".join(f.path for f in account.reading.files),
            )
        days = account.tallies["day"].sort()
        oldest, newest = days[0], days[-1]
        about = Period.parse(period) if period else last_whole_week(oldest, newest)
        if newest < about.start:
            raise ReportError(
                f"The data ends on {newest}, before {period} begins.",
                hint="Read a newer export, or choose an earlier period.",
            )
        start = about.end - dt.timedelta(weeks=window_weeks) + dt.timedelta(days=1)
        frame = cls(
            account,
            selection or Selection(),
            about,
            Window(start, about.end),
            settling_days,
            dt.datetime.now(dt.UTC),
        )
        if frame.selection.start or frame.selection.end:
            raise ReportError(
                "A report's days follow from its period and its number of weeks.",
                hint="Leave start and end of the selection out.",
            )
        if frame.window.of(frame.tallies).is_empty():
            days = account.tallies["day"].sort()
            raise ReportError(
                f"Nothing ended from {start} to {about.end} under the selection "
                f"({frame.selection.describe()}).",
                hint=f"The data holds {days[0]} to {days[-1]}: choose another period, more weeks "
                "or a wider selection.",
            )
        return frame

    @property
    def policy(self) -> ScoringPolicy:
        """The policy in force."""
        return self.account.policy

    @property
    def first_day(self) -> dt.date:
        """The first day that the window has data of."""
        day: dt.date = self.window.of(self.tallies)["day"].sort()[0]
        return max(self.window.start, day)

    @property
    def provisional_since(self) -> dt.date | None:
        """The first day of the period and its window that is provisional, if there is one."""
        through = self.account.through
        if through is None or not self.settling_days:
            return None
        since = max(through - dt.timedelta(days=self.settling_days - 1), self.window.start)
        return since if since <= self.period.end else None

    @property
    def opening(self) -> list[str]:
        """What the report is about, and what of it may still change, a sentence or two each."""
        about, covered = self.period, plural(self.window.days // 7, "week")
        days = f" ({day(about.start)} to {day(about.end)})" if about.kind != "day" else ""
        lines = [
            f"{about.kind.capitalize()} {about.name}{days}. Scores cover {covered}, from "
            f"{day(self.first_day)}. Selection: {self.selection.describe()}. "
            f"Policy: {self.policy.label}."
        ]
        if since := self.provisional_since:
            late = int(self.tallies.filter(pl.col("day") >= since)["ended"].sum())
            lines.append(
                f"Provisional from {day(since)} on: the outcomes of "
                f"{plural(late, 'enrollment')} since then may still change, as replies and bounces "
                f"come late (settling time {plural(self.settling_days, 'day')})."
            )
        return lines

    @property
    def chosen(self) -> Selection:
        """The selection on the window's days."""
        return self.selection.model_copy(
            update={"start": self.window.start, "end": self.window.end}
        )

    @cached_property
    def tallies(self) -> pl.DataFrame:
        """The selection's tallies up to the end of the period."""
        chosen = self.selection.model_copy(update={"start": None, "end": self.period.end})
        return self.account.select(chosen)

    def scored(self, by: str) -> pl.DataFrame:
        """Scores of the window, labelled."""
        rows = score(
            self.window.of(self.tallies),
            self.policy,
            by=by,
            roster=self.account.roster,
            as_of=self.period.end,
            window_days=self.window.days,
        )
        return self.account.labels.add(rows)

    @cached_property
    def overall(self) -> pl.DataFrame:
        """One row: everyone together."""
        return self.scored("")

    @cached_property
    def senders(self) -> pl.DataFrame:
        """Scores by sender."""
        return self.scored("user")

    @cached_property
    def sequences(self) -> pl.DataFrame:
        """Scores by sequence, over all senders."""
        return self.scored("sequence")

    @cached_property
    def sender_sequences(self) -> pl.DataFrame:
        """Scores by sender and sequence."""
        return self.scored("user,sequence")

    @property
    def _last_sunday(self) -> dt.date:
        """The end of the last week that the period does not cut."""
        week = Period.of("week", self.period.end)
        return week.end if week.end <= self.period.end else week.later(-1).end

    def history(self, by: str, *, weeks: int = HISTORY_WEEKS, last: int = 26) -> pl.DataFrame:
        """Scores as they stood at the end of each of the last whole weeks, over `weeks` each."""
        until = self._last_sunday
        since = until - dt.timedelta(weeks=last + weeks - 1, days=-1)
        recent = self.tallies.filter(pl.col("day").is_between(since, until))
        keys = f"{by},week" if by else "week"
        rows = score(trailing(recent, weeks), self.policy, by=keys, roster=self.account.roster)
        return self.account.labels.add(rows)

    def changes(self, by: str, *, weeks: int) -> pl.DataFrame:
        """The change of the window's score since that many weeks ago, labelled."""
        rows = change(
            self.tallies,
            self.policy,
            now=self.window,
            before=self.window.back(7 * weeks),
            by=by,
            roster=self.account.roster,
        )
        return self.account.labels.add(rows)

    @cached_property
    def sender_changes(self) -> dict[int, pl.DataFrame]:
        """Changes by sender, by how many weeks back."""
        return {weeks: self.changes("user", weeks=weeks) for weeks in SINCE}

    @property
    def earlier(self) -> Window:
        """The window before this one, as long as it, that a change is explained from."""
        return self.window.back(self.window.days)

    def explained(self, within: str) -> Explanation:
        """Why scores moved since the window before this one: all together, or within each key."""
        return explain_change(
            self.tallies,
            self.policy,
            before=self.earlier,
            after=self.window,
            within=within,
            roster=self.account.roster,
        )

    def funnel(self, measure: Measure) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Senders with `outside`, and the control limits over n, for one of the two rates."""
        count, n = "replied" if measure == "reply_rate" else "bounced", self.denominator(measure)
        known = self.senders.filter(pl.col(measure).is_not_null() & (pl.col(n) > 0))
        total = float(known[n].sum() or 0)
        centre = float(known[count].sum() or 0) / total if total else 0.0
        beyond = beyond_limits(known[count].to_numpy(), known[n].to_numpy(), centre)
        rows = known.with_columns(pl.Series("outside", beyond, dtype=pl.Boolean))
        most = known[n].max() or 1
        limits = pl.DataFrame({"n": _grid(int(str(most)))}).with_columns(centre=pl.lit(centre))
        for name, level in (("95", 0.95), ("998", 0.998)):
            low, high = control_limits(centre, pl.col("n"), sigmas=quantile(level))
            limits = limits.with_columns(low.alias(f"low_{name}"), high.alias(f"high_{name}"))
        return rows, limits

    def denominator(self, measure: Measure) -> str:
        """The column that a rate is taken of."""
        return self.policy.counting.reply_denominator if measure == "reply_rate" else "ended"


def _grid(most: int) -> list[int]:
    """Sample sizes for a smooth curve, denser where it bends."""
    steps = 60
    return sorted({max(10, round(most * 1.05 * (i / steps) ** 2)) for i in range(1, steps + 1)})
