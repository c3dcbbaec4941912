"""Whether all is well with a plan's reports, in lines and as data."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from senderscore_nb.reports.words import plural
from senderscore_nb.schedule.due import due
from senderscore_nb.schedule.history import History, Run
from senderscore_nb.schedule.keep import Kept, pages
from senderscore_nb.schedule.ledger import Ledger
from senderscore_nb.schedule.outbox import Outbox
from senderscore_nb.schedule.project import Project


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
    """

    pages: tuple[Kept, ...]
    failed: tuple[Run, ...]
    waiting: tuple[tuple[str, str], ...]
    due: tuple[str, ...]
    unsent: tuple[str, ...]
    uncertain: tuple[str, ...]

    @property
    def damaged(self) -> tuple[Kept, ...]:
        """Pages whose file is missing or not as it was made."""
        return tuple(page for page in self.pages if page.state != "there")

    @property
    def is_well(self) -> bool:
        """Nothing failed, is damaged, or is unsent. What is due or waits is not a fault."""
        return not (self.failed or self.damaged or self.unsent)

    @property
    def lines(self) -> list[str]:
        """In words."""
        lines = [f"{plural(len(self.pages), 'page')}; {plural(len(self.due), 'report')} due."]
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
        }


def status_of(project: Project, now: dt.datetime) -> Status:
    """How a plan's reports are, by the ledger, the pages and the mails that wait.

    Raises:
        RunError: The ledger cannot be read.
    """
    history = History.of(Ledger(project.output).records())
    latest = [run for target in history.runs if (run := history.latest(target))]
    unsure = [
        f"{channel} about {' '.join(filter(None, target))}"
        for (target, channel, _), record in history.told.items()
        if record["status"] == "uncertain" or record.event == "telling"
    ]
    return Status(
        tuple(pages(project.output, history)),
        tuple(run for run in latest if run.status != "made"),
        tuple(
            (f"{name} {period}", str(record["reason"]))
            for (name, period), record in history.waiting.items()
        ),
        tuple(" ".join(batch.key) for batch in due(project.plan, now, history).batches),
        tuple(" ".join(filter(None, letter.target)) for letter in Outbox(project.output).letters()),
        tuple(dict.fromkeys(unsure)),
    )
