"""What is to be done now: a pure function of the plan, the time and the ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from senderscore_nb.periods import Period
from senderscore_nb.schedule.history import History, Instance, Run, Target
from senderscore_nb.schedule.plan import Plan, ReportPlan, RunRules

How = Literal["due", "asked", "retry", "adopted"]

FREE_INTERRUPTIONS = 10
"""How often a run may be broken off before that counts as a failure."""

FIRST_PAUSE = dt.timedelta(minutes=15)
"""How long after a failure a report is tried again by itself; four times as long each time."""


@dataclass(frozen=True)
class DueBatch:
    """A report of a period that is due.

    Attributes:
        report: The report.
        period: What it is about.
        due_at: Since when it is due.
        instances: Which of its instances are to be made; None where nobody has planned them yet.
        how: Why it is made: it is `due`, somebody `asked` for it, it is a `retry`, or it was run
            elsewhere and is `adopted`. Only what is due waits for the end of its data.
    """

    report: ReportPlan
    period: Period
    due_at: dt.datetime
    instances: tuple[Instance, ...] | None
    how: How = "due"

    @property
    def key(self) -> tuple[str, str]:
        """The report's name and the period's."""
        return self.report.name, self.period.name


@dataclass(frozen=True)
class Due:
    """What is due, the oldest first, and what was missed for too long.

    Attributes:
        batches: To be made.
        skipped: By report, the first and the last period that are given up.
    """

    batches: tuple[DueBatch, ...]
    skipped: tuple[tuple[str, Period, Period], ...]


def due(plan: Plan, now: dt.datetime, history: History) -> Due:
    """What is due.

    A report's first period is the newest one that is due when the plan is first run; from then on
    every period counts. Those that were missed are caught up, at most `catch_up` of them. A target
    that was interrupted or cancelled is due again at once; one that failed, after a pause, until
    it was tried `attempts` times. What somebody asks for by name changes nothing of this.
    """
    batches: list[DueBatch] = []
    skipped: list[tuple[str, Period, Period]] = []
    for report in plan.reports:
        newest = report.newest_due(now, plan.zone)
        first = _first(report, history, newest)
        oldest = max(first, newest.later(1 - plan.run.catch_up), key=lambda p: p.start)
        given_up = _given_up(report, history, first, oldest)
        if given_up:
            skipped.append((report.name, *given_up))
        period = oldest
        while period.start <= newest.start:
            instances = pending(report, period, now, history, plan)
            if instances is None or instances:
                due_at = report.due_at(period, plan.zone)
                batches.append(DueBatch(report, period, due_at, instances))
            period = period.later(1)
    return Due(tuple(sorted(batches, key=lambda batch: batch.due_at)), tuple(skipped))


def pending(
    report: ReportPlan, period: Period, now: dt.datetime, history: History, plan: Plan
) -> tuple[Instance, ...] | None:
    """The instances of a planned batch that are to be made now; None where it is not planned."""
    batch = report.name, period.name
    planned = history.planned.get(batch)
    if planned is None or batch in history.asked:
        return None
    due_at, rules = report.due_at(period, plan.zone), plan.run
    return tuple(
        instance
        for instance in planned
        if _is_pending(Target(report.name, period.name, instance.key), now, due_at, history, rules)
    )


def _is_pending(
    target: Target, now: dt.datetime, due_at: dt.datetime, history: History, rules: RunRules
) -> bool:
    runs = [run for run in history.runs.get(target, ()) if _counts(run, due_at)]
    if not runs:
        return True
    newest = runs[-1]
    if newest.status == "made":
        return False
    failures = failures_in_a_row(runs)
    if failures == 0:
        return True
    return failures < rules.attempts and now >= newest.at + pause_after(failures)


def _counts(run: Run, due_at: dt.datetime) -> bool:
    """Whether a run settles what is due. One that somebody asked for does where it told of it."""
    return run.how != "asked" or (bool(run.started["tells"]) and run.started.at >= due_at)


def failures_in_a_row(runs: Sequence[Run]) -> int:
    """How often a target has failed since it was last made, or tried again by hand.

    A run that was broken off is no failure, but where one is broken off again and again it may be
    what breaks it: from the eleventh time on each counts.
    """
    failures = broken_off = 0
    for run in reversed(runs):
        if run.status == "made":
            break
        failures += run.status == "failed"
        broken_off += run.status == "interrupted"
        if run.how == "retry":
            break
    return failures + max(broken_off - FREE_INTERRUPTIONS, 0)


def pause_after(failures: int) -> dt.timedelta:
    """How long to wait after so many failures in a row.

    >>> str(pause_after(2))
    '1:00:00'
    """
    factor: int = 4 ** max(failures - 1, 0)
    return FIRST_PAUSE * factor


def _first(report: ReportPlan, history: History, newest: Period) -> Period:
    known = [Period.parse(name) for name in history.periods(report.name)]
    own = [period for period in known if period.kind == report.every]
    return min([*own, newest], key=lambda period: period.start)


def _given_up(
    report: ReportPlan, history: History, first: Period, oldest: Period
) -> tuple[Period, Period] | None:
    """Periods before the oldest one that is caught up which were neither planned nor skipped."""
    last = oldest.later(-1)
    skipped = [Period.parse(end) for _, end in history.skipped.get(report.name, ())]
    after = [p.later(1) for p in skipped if p.kind == report.every]
    period = max([first, *after], key=lambda p: p.start)
    missed = []
    while period.start <= last.start:
        batch = report.name, period.name
        if batch not in history.planned or batch in history.asked:
            missed.append(period)
        period = period.later(1)
    return (missed[0], missed[-1]) if missed else None
