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
from senderscore_nb.errors import ReportError
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy
from senderscore_nb.reports.words import SINCE
from senderscore_nb.sample import TIMEZONE, sample_folder
from senderscore_nb.score import score
from senderscore_nb.selection import Selection, iso_week
from senderscore_nb.tally import trailing

Measure = Literal["reply_rate", "bounce_rate"]

WINDOW_WEEKS = 12
"""Weeks that a score in a report covers unless it says otherwise."""

HISTORY_WEEKS = 4
"""Weeks that each point of a history covers."""

SETTLING_DAYS = 14
"""Replies and bounces come late: what ended more recently than this may still change."""


@dataclass(frozen=True)
class ReportFrame:
    """The figures of a report. Every frame is computed when first asked for.

    Attributes:
        account: What was read.
        selection: Which senders, teams and sequences; its dates are not used.
        week: The ISO week that is reported.
        window: The days that scores cover: the weeks up to and including the reported one.
        made_at: When the report was made.
    """

    account: Account
    selection: Selection
    week: Window
    window: Window
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
        week: str = "",
        window_weeks: int = WINDOW_WEEKS,
        selection: Selection | None = None,
    ) -> Self:
        """Read an account and settle the windows.

        Args:
            data: Files, folders or globs; the sample account if empty.
            mapping: A preset or a TOML file; found from the headers if empty.
            timezone: The account's time zone; needed where the data holds times of day.
            roster: A roster file; `roster.*` in the data folder if empty.
            policy: A preset or a TOML file.
            week: The ISO week, such as 2026-W46; the last complete one if empty.
            window_weeks: How many weeks a score covers.
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
        if window_weeks < 1:
            raise ReportError(f"window_weeks is {window_weeks}; at least 1 is needed.")
        if account.tallies.is_empty():
            raise ReportError(
                "No enrollment has ended, so there is nothing to report.",
                where=", ".join(f.path for f in account.reading.files),
            )
        monday, sunday = iso_week(week) if week else _last_week(account.tallies)
        newest = account.tallies["day"].sort()[-1]
        if newest < monday:
            raise ReportError(
                f"The data ends on {newest}, before the week {week} begins.",
                hint="Read a newer export, or choose an earlier week.",
            )
        start = sunday - dt.timedelta(weeks=window_weeks) + dt.timedelta(days=1)
        frame = cls(
            account,
            selection or Selection(),
            Window(monday, sunday),
            Window(start, sunday),
            dt.datetime.now(dt.UTC),
        )
        if frame.selection.start or frame.selection.end:
            raise ReportError(
                "A report's days follow from its week and its number of weeks.",
                hint="Leave start and end of the selection out.",
            )
        if frame.window.of(frame.tallies).is_empty():
            days = account.tallies["day"].sort()
            raise ReportError(
                f"Nothing ended from {start} to {sunday} under the selection "
                f"({frame.selection.describe()}).",
                hint=f"The data holds {days[0]} to {days[-1]}: choose another week, more weeks or "
                "a wider selection.",
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
    def week_name(self) -> str:
        """The ISO week as 2026-W46."""
        year, week, _ = self.week.end.isocalendar()
        return f"{year}-W{week:02d}"

    @cached_property
    def tallies(self) -> pl.DataFrame:
        """The selection's tallies up to the end of the week."""
        chosen = self.selection.model_copy(update={"start": None, "end": self.week.end})
        return self.account.select(chosen)

    def scored(self, by: str) -> pl.DataFrame:
        """Scores of the window, labelled."""
        rows = score(
            self.window.of(self.tallies),
            self.policy,
            by=by,
            roster=self.account.roster,
            as_of=self.week.end,
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

    def history(self, by: str, *, weeks: int = HISTORY_WEEKS, last: int = 26) -> pl.DataFrame:
        """Scores as they stood at the end of each of the last weeks, over `weeks` each."""
        since = self.week.start - dt.timedelta(weeks=last + weeks - 2)
        recent = self.tallies.filter(pl.col("day") >= since)
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


def _last_week(tallies: pl.DataFrame) -> tuple[dt.date, dt.date]:
    """The last ISO week that is complete: its Sunday is not after the newest day."""
    days = tallies["day"].sort()
    oldest, newest = days[0], days[-1]
    monday = newest - dt.timedelta(days=newest.weekday())
    sunday = monday + dt.timedelta(days=6)
    if sunday > newest and oldest < monday:
        monday, sunday = (d - dt.timedelta(days=7) for d in (monday, sunday))
    return monday, sunday
