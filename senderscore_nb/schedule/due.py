"""What is to be done now: a pure function of the plan, the time and the ledger."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from senderscore_nb.periods import Period
from senderscore_nb.schedule.history import History, Instance, Target
from senderscore_nb.schedule.plan import Plan, ReportPlan, RunRules

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
        by_hand: Somebody asked for it; it is made from whatever data there is.
    """

    report: ReportPlan
    period: Period
    due_at: dt.datetime
    instances: tuple[Instance, ...] | None
    by_hand: bool = False

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
    it was tried `attempts` times.
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
            instances = pending(report, period, now, history, plan.run)
            if instances is None or instances:
                due_at = report.due_at(period, plan.zone)
                batches.append(DueBatch(report, period, due_at, instances))
            period = period.later(1)
    return Due(tuple(sorted(batches, key=lambda batch: batch.due_at)), tuple(skipped))


def pending(
    report: ReportPlan, period: Period, now: dt.datetime, history: History, rules: RunRules
) -> tuple[Instance, ...] | None:
    """The instances of a planned batch that are to be made now; None where it is not planned."""
    planned = history.planned.get((report.name, period.name))
    if planned is None:
        return None
    return tuple(
        instance
        for instance in planned
        if _is_pending(Target(report.name, period.name, instance.key), now, history, rules)
    )


def _is_pending(target: Target, now: dt.datetime, history: History, rules: RunRules) -> bool:
    run = history.latest(target)
    if run is None or run.status in ("interrupted", "cancelled"):
        return True
    if run.status == "made":
        return False
    failures = failures_in_a_row(target, history)
    return failures < rules.attempts and now >= run.at + pause_after(failures)


def pause_after(failures: int) -> dt.timedelta:
    """How long to wait after so many failures in a row.

    >>> str(pause_after(2))
    '1:00:00'
    """
    factor: int = 4 ** max(failures - 1, 0)
    return FIRST_PAUSE * factor


def failures_in_a_row(target: Target, history: History) -> int:
    """How often a target has failed since it was last made, or asked for by hand."""
    failures = 0
    for run in reversed(history.runs.get(target, [])):
        if run.status == "made":
            break
        failures += run.status == "failed"
        if run.started["by_hand"]:
            break
    return failures


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
        if (report.name, period.name) not in history.planned:
            missed.append(period)
        period = period.later(1)
    return (missed[0], missed[-1]) if missed else None
