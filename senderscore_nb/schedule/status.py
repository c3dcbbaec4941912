"""Whether all is well with a plan's reports, in lines and as data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from senderscore_nb.errors import PlanError
from senderscore_nb.reports.words import plural
from senderscore_nb.schedule.due import due
from senderscore_nb.schedule.history import History, Run, Target
from senderscore_nb.schedule.keep import Kept, pages
from senderscore_nb.schedule.ledger import Ledger
from senderscore_nb.schedule.lock import is_held
from senderscore_nb.schedule.outbox import Outbox
from senderscore_nb.schedule.project import Project

_PATIENCE = dt.timedelta(days=1)


@dataclass(frozen=True)
class Status:
    """How a plan's reports are.

    Attributes:
        pages: The newest page of each target, and how its file is.
        failed: The newest attempts that made none.
        waiting: Batches that wait for data, with the reason.
        due: Batches that are due now.
        unsent: Letters that are not sent to everybody yet.
        uncertain: Messages of which nobody knows whether they arrived.
        problems: What the plan names and is not there, and what has waited for long.
        at_work: A run is at work just now.
    """

    pages: tuple[Kept, ...]
    failed: tuple[Run, ...]
    waiting: tuple[tuple[str, str], ...]
    due: tuple[str, ...]
    unsent: tuple[str, ...]
    uncertain: tuple[str, ...]
    problems: tuple[str, ...] = ()
    at_work: bool = False

    @property
    def damaged(self) -> tuple[Kept, ...]:
        """Pages whose file is missing or not as it was made."""
        return tuple(page for page in self.pages if page.state != "there")

    @property
    def is_well(self) -> bool:
        """Nothing failed, is damaged, unsent, missing, or waits for more than a day."""
        return not (self.failed or self.damaged or self.unsent or self.problems)

    @property
    def lines(self) -> list[str]:
        """In words."""
        lines = [f"{plural(len(self.pages), 'page')}; {plural(len(self.due), 'report')} due."]
        lines += ["A run is at work."] if self.at_work else []
        lines += self.problems
        lines += [
            f"{' '.join(filter(None, run.target))}: {run.status}. "
            f"{run.ended['error'] if run.ended else ''}".strip()
            for run in self.failed
        ]
        lines += [f"{about} waits: {reason}" for about, reason in self.waiting]
        lines += [f"{p.run.ended['page']}: {p.state}." for p in self.damaged if p.run.ended]
        lines += [f"{about}: not sent to everybody." for about in self.unsent]
        lines += [f"{about}: nobody knows whether it arrived." for about in self.uncertain]
        lines.append("All is well." if self.is_well else "`senderscore reports retry` tries again.")
        return lines

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "well": self.is_well,
            "pages": len(self.pages),
            "due": list(self.due),
            "failed": [
                {
                    **run.target._asdict(),
                    "status": run.status,
                    "error": run.ended and run.ended["error"],
                }
                for run in self.failed
            ],
            "waiting": [{"report": about, "reason": reason} for about, reason in self.waiting],
            "damaged": [
                {"page": p.run.ended and p.run.ended["page"], "state": p.state}
                for p in self.damaged
            ],
            "unsent": list(self.unsent),
            "uncertain": list(self.uncertain),
            "problems": list(self.problems),
            "at_work": self.at_work,
        }


def status_of(project: Project, now: dt.datetime) -> Status:
    """How a plan's reports are, by the ledger, the pages and the mails that wait.

    Raises:
        RunError: The ledger cannot be read.
    """
    history = History.of(Ledger(project.output).records())
    planned = {
        Target(name, period, instance.key)
        for (name, period), instances in history.planned.items()
        if any(report.name == name for report in project.plan.reports)
        for instance in instances
    }
    at_work = is_held(project.output)
    # What is being made just now has no end yet, and is no fault.
    broken = ("failed", "cancelled") if at_work else ("failed", "cancelled", "interrupted")
    runs = [history.latest(target) for target in history.runs if target in planned]
    latest = [run for run in runs if run and run.status in broken]
    unsure = [
        f"{channel} about {' '.join(filter(None, target))}"
        for (target, channel, _), record in history.told.items()
        if record["status"] == "uncertain" or record.event == "telling"
    ]
    return Status(
        tuple(pages(project.output, history)),
        tuple(latest),
        tuple(
            (f"{name} {period}", str(record["reason"]))
            for (name, period), record in history.waiting.items()
        ),
        tuple(" ".join(batch.key) for batch in due(project.plan, now, history).batches),
        tuple(" ".join(filter(None, letter.target)) for letter in Outbox(project.output).letters()),
        tuple(dict.fromkeys(unsure)),
        tuple(_problems(project, history, now)),
        at_work,
    )


def _problems(project: Project, history: History, now: dt.datetime) -> Iterator[str]:
    try:
        project.check()
    except PlanError as error:
        yield str(error)
    for (name, period), record in history.waiting.items():
        if now - record.at > _PATIENCE:
            yield f"{name} {period} has waited since {record.at:%Y-%m-%d}: the data does not come."
