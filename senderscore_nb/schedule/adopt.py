"""A notebook that was run elsewhere → the report that it is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from senderscore_nb.errors import PlanError, ReportError, RunError
from senderscore_nb.reports.notebooks import read_notebook
from senderscore_nb.reports.runners import Job, Made, Progress, rendered
from senderscore_nb.schedule.due import Due, DueBatch
from senderscore_nb.schedule.history import History
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.run import Outcome, run_chosen
from senderscore_nb.schedule.watch import Watch


@dataclass(frozen=True)
class Adopted:
    """Takes the place of what runs notebooks: hands out one that was run already."""

    notebook: Any
    name: str

    def make(self, job: Job, progress: Progress | None = None) -> Made:  # noqa: ARG002
        """The page of the notebook.

        Raises:
            ReportError: A cell of it has failed, or it is about something else.
        """
        ran_with = self.notebook.metadata.get("papermill", {}).get("parameters", {})
        for key in ("period", "users", "teams", "sequences"):
            wanted, found = job.parameters.get(key), ran_with.get(key)
            if wanted is not None and found is not None and wanted != found:
                raise ReportError(
                    f"It was run with {key} = {found!r}, and {wanted!r} is due.", where=self.name
                )
        for cell in self.notebook.cells:
            for output in cell.get("outputs", []):
                if output.output_type == "error":
                    raise ReportError(f"It raised {output.ename}: {output.evalue}", where=self.name)
        return rendered(self.notebook, job)


def adopt(
    project: Project,
    notebook: Path,
    name: str,
    period: str,
    instance: str = "",
    *,
    tell: bool = False,
    watch: Watch | None = None,
) -> Outcome:
    """Take an executed notebook as a report: its page, its mail, its record in the ledger.

    Args:
        project: The plan.
        notebook: The executed notebook.
        name: Which report it is.
        period: What it is about.
        instance: Whom it is about; empty for a report about all.
        tell: Tell those who were not told of this period yet.
        watch: Who is told of the progress.

    Raises:
        RunError: The plan redacts, which a notebook that ran elsewhere has not.
        PlanError: No such report, period or instance.
        ReportError: Not a notebook.
    """
    if project.plan.privacy.redact != "none":
        raise RunError(
            "The plan redacts names, and a notebook that was run elsewhere has read them.",
            where=str(notebook),
            hint="Make it with `senderscore reports run`.",
        )
    now = dt.datetime.now(dt.UTC)
    report = project.plan.report(name)
    about = report.period(period, now, project.plan.zone)
    adopted = Adopted(read_notebook(notebook), notebook.name)

    def choose(history: History) -> Due:
        planned = history.planned.get((name, about.name))
        return Due((DueBatch(report, about, now, planned, how="adopted"),), ())

    outcome = run_chosen(project, choose, tell, watch, elsewhere=(adopted, instance))
    if not outcome.runs and not outcome.unread and not outcome.waiting:
        raise PlanError(f"{name} {about.name} is not made for {instance!r}.")
    return outcome
