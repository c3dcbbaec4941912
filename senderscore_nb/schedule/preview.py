"""What a run would do, without doing it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from senderscore_nb.policy import load_policy
from senderscore_nb.schedule.due import DueBatch, due
from senderscore_nb.schedule.history import History
from senderscore_nb.schedule.ledger import Ledger
from senderscore_nb.schedule.letters import MAIL, told_of
from senderscore_nb.schedule.plan import ReportPlan
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.reading import Source, read_source
from senderscore_nb.schedule.tasks import Task, instances_of, redacted, tasks_of


class Planned(NamedTuple):
    """A page that would be made, and one who would be told of it.

    Attributes:
        page: The page's file below the output folder.
        recipient: The address; "" where nobody is told.
        reason: Why this one is told, or why somebody cannot be.
    """

    page: str
    recipient: str
    reason: str


class Next(NamedTuple):
    """A report of the plan, and how it stands.

    Attributes:
        report: The report.
        newest: The newest period that is due.
        state: How that stands: due, made, failed, waiting.
        next_due: When the period after it is due.
    """

    report: ReportPlan
    newest: str
    state: str
    next_due: dt.datetime


def due_tasks(project: Project, now: dt.datetime) -> tuple[list[Task], Source | None]:
    """The pages that are due, and the data they would be made from; nothing is written.

    Raises:
        SenderScoreError: The plan or its data cannot be read.
    """
    project.check()
    history = History.of(Ledger(project.output).records())
    batches = due(project.plan, now, history).batches
    return (tasks_in(project, batches)) if batches else ([], None)


def tasks_in(project: Project, batches: Sequence[DueBatch]) -> tuple[list[Task], Source]:
    """The pages of batches, and the data they would be made from."""
    first = load_policy(project.policy(batches[0].report.policy))
    source = read_source(project, first, project.key())
    tasks: list[Task] = []
    for batch in batches:
        policy = load_policy(project.policy(batch.report.policy))
        report = redacted(batch.report, source)
        instances = batch.instances
        if instances is None:
            instances = instances_of(report, batch.period, source.under(policy))
        own = DueBatch(report, batch.period, batch.due_at, instances)
        tasks += tasks_of(project, own, instances, policy)
    return tasks, source


def dry_run(project: Project, now: dt.datetime, *, tell: bool = True) -> list[Planned]:
    """What a run would make, and what would go to whom.

    Raises:
        SenderScoreError: The plan or its data cannot be read.
    """
    tasks, source = due_tasks(project, now)
    return _rows(project, tasks, source, tell=tell) if source else []


def _rows(project: Project, tasks: Sequence[Task], source: Source, *, tell: bool) -> list[Planned]:
    rows: list[Planned] = []
    history = History.of(Ledger(project.output).records())
    for task in tasks:
        if not tell:
            rows.append(Planned(f"{task.page}.html", "", "nobody is told"))
            continue
        page, told = f"{task.page}.html", told_of(task, source)
        for to, reason in told.recipients:
            had = history.told.get((task.target, MAIL, to.casefold()))
            sent = had is not None and had["status"] == "sent"
            rows.append(Planned(page, to, f"{reason} (was told before)" if sent else reason))
        rows += [Planned(page, "", problem) for problem in told.problems]
        if task.report.tell.webhook:
            rows.append(Planned(page, "webhook", "one line for all pages of the report"))
        if not told.recipients and not told.problems and not task.report.tell.webhook:
            rows.append(Planned(page, "", ""))
    return rows


def dry_run_of(
    project: Project, name: str, period: str, now: dt.datetime, *, tell: bool = False
) -> list[Planned]:
    """What a run of one report would make, and what would go to whom.

    Raises:
        SenderScoreError: No such report or period, or the data cannot be read.
    """
    project.check()
    report = project.plan.report(name)
    about = report.period(period, now, project.plan.zone)
    return _rows(project, *tasks_in(project, [DueBatch(report, about, now, None)]), tell=tell)


def overview(project: Project, now: dt.datetime) -> list[Next]:
    """Every report of the plan, and how it stands."""
    history = History.of(Ledger(project.output).records())
    pending = {batch.key for batch in due(project.plan, now, history).batches}
    rows = []
    for report in project.plan.reports:
        newest = report.newest_due(now, project.plan.zone)
        key = report.name, newest.name
        planned = history.planned.get(key, ())
        state = "made"
        if any(history.is_open(*key, instance.key) for instance in planned):
            state = "failed"
        if key in pending:
            state = "due"
        if key in history.waiting:
            state = "waiting"
        next_due = report.due_at(newest.later(1), project.plan.zone)
        rows.append(Next(report, newest.name, state, next_due))
    return rows
