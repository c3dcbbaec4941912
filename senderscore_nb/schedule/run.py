"""Runs what is due: reads the data once, makes every page, tells whom it concerns.

Each step is written to the ledger before and after, and repeats without harm, so that a run which
is killed at any moment is finished by the next one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from senderscore_nb.errors import RunError
from senderscore_nb.periods import Period
from senderscore_nb.safe import sweep
from senderscore_nb.schedule.due import Due, DueBatch, due
from senderscore_nb.schedule.history import History, Run
from senderscore_nb.schedule.index import INDEX, write_index
from senderscore_nb.schedule.ledger import Ledger
from senderscore_nb.schedule.letters import webhook_letters
from senderscore_nb.schedule.lock import held
from senderscore_nb.schedule.making import Making, Runner
from senderscore_nb.schedule.outbox import Outbox
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.tell import Messages, tell_all
from senderscore_nb.schedule.watch import Watch

Choice = Callable[[History], Due]


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        runs: Pages that were made or failed.
        waiting: Batches that wait for data, with the reason.
        unread: Why the data could not be read, where it could not.
        messages: What was told, and what could not be.
    """

    runs: list[Run] = field(default_factory=list)
    waiting: list[tuple[str, str]] = field(default_factory=list)
    unread: str = ""
    messages: Messages = field(default_factory=Messages)

    @property
    def made(self) -> list[Run]:
        """Pages that were made."""
        return [run for run in self.runs if run.status == "made"]

    @property
    def failed(self) -> list[Run]:
        """Pages that were not."""
        return [run for run in self.runs if run.status != "made"]

    @property
    def is_well(self) -> bool:
        """Nothing failed."""
        return not self.failed and not self.unread and not self.messages.failed


def run_due(
    project: Project,
    *,
    now: dt.datetime | None = None,
    tell: bool = True,
    watch: Watch | None = None,
) -> Outcome:
    """Run what is due now; a second call does nothing.

    Args:
        project: The plan.
        now: The time; the present unless given.
        tell: Send mails and lines to webhooks; without it they wait for a run that does.
        watch: Who is told of the progress.

    Raises:
        PlanError: The plan names what does not exist.
        BusyError: Another run is at work.
        RunError: The output folder or the ledger cannot be written.
    """
    moment = now or dt.datetime.now(dt.UTC)
    return run_chosen(
        project, lambda history: due(project.plan, moment, history), tell, watch, now=now
    )


def run_report_for(
    project: Project,
    name: str,
    period: str = "",
    *,
    now: dt.datetime | None = None,
    tell: bool = False,
    watch: Watch | None = None,
) -> Outcome:
    """Make a report of a period, whether it is due or was made before.

    Args:
        project: The plan.
        name: The report's name.
        period: Such as 2026-W46; the newest one that is due if empty.
        now: The time; the present unless given.
        tell: Tell those who were not told of this period yet.
        watch: Who is told of the progress.

    Raises:
        PlanError: No such report, or a period of another kind than it is about.
    """
    report = project.plan.report(name)
    moment = now or dt.datetime.now(dt.UTC)
    about = report.period(period, moment, project.plan.zone)
    batch = DueBatch(report, about, moment, None, how="asked")
    return run_chosen(project, lambda _: Due((batch,), ()), tell, watch, now=now)


def retry(
    project: Project, name: str = "", *, tell: bool = True, watch: Watch | None = None
) -> Outcome:
    """Make again what failed or was broken off, and send again what was not sent.

    Args:
        project: The plan.
        name: Only this report.
        tell: Send what was not sent.
        watch: Who is told of the progress.
    """
    if name:
        project.plan.report(name)

    def choose(history: History) -> Due:
        batches = []
        for (report, period), planned in history.planned.items():
            known = [r for r in project.plan.reports if r.name == report]
            failed = tuple(i for i in planned if history.is_open(report, period, i.key))
            if known and failed and name in ("", report):
                about, at = Period.parse(period), dt.datetime.now(dt.UTC)
                batches.append(DueBatch(known[0], about, at, failed, how="retry"))
        return Due(tuple(batches), ())

    return run_chosen(project, choose, tell, watch, insist=True, only=name)


def run_chosen(
    project: Project,
    choose: Choice,
    tell: bool,
    watch: Watch | None,
    *,
    now: dt.datetime | None = None,
    insist: bool = False,
    only: str = "",
    elsewhere: tuple[Runner, str | None] | None = None,
) -> Outcome:
    """Make what is chosen when the lock is held, tell of it, and keep the index true.

    Args:
        project: The plan.
        choose: What is made, by the ledger.
        tell: Send what is to be told.
        watch: Who is told of the progress.
        now: The time; the present, as it goes on, unless given.
        insist: Send again what was refused.
        only: Send messages of this report only.
        elsewhere: What takes the place of the workers, and its only instance if it has one.
    """
    project.check()
    watch = watch or Watch()
    with held(project.output):
        sweep(project.output)
        ledger, outbox = Ledger(project.output, now=now), Outbox(project.output)
        history = History.of(ledger.records())
        chosen = choose(history)
        outcome = Outcome()
        try:
            for name, first, last in chosen.skipped:
                ledger.add("skipped", report=name, first=first.name, last=last.name)
            if chosen.batches:
                making = Making(project, ledger, history, outbox, watch, tell, elsewhere)
                try:
                    making.make(chosen.batches)
                finally:
                    outcome.runs, outcome.waiting = making.runs, making.waiting
                    outcome.unread = making.unread
            if tell:
                for letter in webhook_letters(project, ledger):
                    outbox.put(letter)
                outcome.messages = tell_all(project, ledger, watch, insist=insist, only=only)
        except OSError as error:
            raise RunError(
                f"The run cannot go on ({error.strerror or error}).",
                where=str(error.filename or project.output),
                hint="Make room, or make the folder writable; the next run does the rest.",
            ) from None
        finally:
            _index(project, ledger)
        return outcome


def _index(project: Project, ledger: Ledger) -> None:
    """Keep the index page as new as the ledger, also after a run that was killed before it did."""
    index = project.output / INDEX
    if not ledger.path.exists() and index.exists():
        return
    written = ledger.path.stat().st_mtime_ns if ledger.path.exists() else 0
    if not index.exists() or index.stat().st_mtime_ns < written:
        write_index(project.output, History.of(ledger.records()))
