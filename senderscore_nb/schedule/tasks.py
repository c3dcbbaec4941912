"""A due batch → its tasks: for whom, with which parameters, to which page."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from senderscore_nb.account import Account
from senderscore_nb.change import Window
from senderscore_nb.periods import Period
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.reports.notebooks import declared_of
from senderscore_nb.safe import safe_filename
from senderscore_nb.schedule.due import DueBatch, How
from senderscore_nb.schedule.history import Instance, Target
from senderscore_nb.schedule.plan import ReportPlan
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.reading import Source
from senderscore_nb.selection import Selection

EVERYONE = Instance("", "")
"""The only instance of a report that is not made for each of several."""


@dataclass(frozen=True)
class Task:
    """One page to be made.

    Attributes:
        report: The report.
        period: What it is about.
        instance: Whom it is about.
        policy: How it scores.
        notebook: The notebook's path.
        parameters: What it is given.
        page: Its file below the output folder, with `/` between folders and without ending.
        how: Why it is made; see `due.DueBatch`.
    """

    report: ReportPlan
    period: Period
    instance: Instance
    policy: ScoringPolicy
    notebook: Path
    parameters: dict[str, Any]
    page: str
    how: How = "due"

    @property
    def target(self) -> Target:
        """What the ledger calls it."""
        return Target(self.report.name, self.period.name, self.instance.key)

    @property
    def about(self) -> str:
        """Whom it is about, as its title says it; a sender's own page says so itself."""
        words = {"team": "team ", "sequence": "sequence ", "row": ""}
        each = self.report.each
        return f"{words[each]}{self.instance.label}" if each in words else ""

    @property
    def title(self) -> str:
        """What it is called in messages."""
        about = f" for {self.instance.label}" if self.instance.label else ""
        return f"{self.report.name} {self.period.name}{about}"

    def plain(self) -> dict[str, Any]:
        """The task as JSON values, for whoever runs it elsewhere."""
        return {
            "report": self.report.name,
            "period": self.period.name,
            "instance": self.instance.key,
            "label": self.instance.label,
            "notebook": str(self.notebook),
            "parameters": self.parameters,
            "name": self.page.replace("/", "-"),
        }


def instances_of(report: ReportPlan, period: Period, account: Account) -> tuple[Instance, ...]:
    """For whom a report is made: whoever ended enrollments in its window, in the order of labels.

    Who is no longer active by the roster gets none.

    Args:
        report: The report; its users are named as the account names them.
        period: What it is about.
        account: Under the report's policy.
    """
    if not report.each:
        return (EVERYONE,)
    if report.each == "row":
        return tuple(Instance(row.name, row.name) for row in report.rows)
    start = period.end - dt.timedelta(weeks=report.window_weeks, days=-1)
    selection = report.selection.model_copy(update={"start": None, "end": None})
    rows = Window(start, period.end).of(account.select(selection))
    roster = account.roster
    if report.each == "sequence":
        return _labelled(rows, account.labels.sequences)
    if roster is not None:
        gone = roster.filter(~pl.col("active").fill_null(value=True))["user_id"]
        rows = rows.filter(~pl.col("user_id").is_in(gone.implode()))
    if report.each == "user":
        return _labelled(rows, account.labels.users)
    if roster is None:
        return ()
    senders = rows["user_id"].unique().implode()
    teams = roster.filter(pl.col("user_id").is_in(senders))["team"].drop_nulls().unique().sort()
    return tuple(Instance(team, team) for team in teams)


def _labelled(rows: pl.DataFrame, labels: pl.DataFrame) -> tuple[Instance, ...]:
    key, label = labels.columns
    ids = rows.select(key).unique()
    shown = ids.join(labels, on=key, how="left").with_columns(pl.coalesce(label, key).alias(label))
    return tuple(Instance(*row) for row in shown.sort(label, key).select(key, label).iter_rows())


def redacted(report: ReportPlan, source: Source) -> ReportPlan:
    """The report with its selections named as the source's account names them."""
    change = source.redactor.selection
    rows = tuple(
        row.model_copy(
            update={
                "users": change(row.selection).users,
                "name": source.redactor.text(row.name),
            }
        )
        for row in report.rows
    )
    return report.model_copy(update={"selection": change(report.selection), "rows": rows})


def tasks_of(
    project: Project,
    batch: DueBatch,
    instances: tuple[Instance, ...],
    policy: ScoringPolicy,
) -> list[Task]:
    """The tasks of a batch.

    Raises:
        ReportError: Its notebook is not there, or has no parameters cell.
    """
    report = batch.report
    notebook = project.notebook(report.notebook)
    declared = declared_of(notebook)
    folder = report.folder or report.name
    tasks = []
    for instance in instances:
        page = f"{folder}/{batch.period.name}"
        if instance.key:
            page += "/" + safe_filename(f"{instance.label} {instance.key}")
        given = _given(project, batch, _selected(report, instance))
        parameters = {name: value for name, value in given.items() if name in declared}
        parameters |= report.parameters
        if candidate := report.parameters.get("candidate"):
            parameters["candidate"] = project.policy(candidate)
        about = batch.period, instance, policy, notebook, parameters, page, batch.how
        tasks.append(Task(report, *about))
    return tasks


def _selected(report: ReportPlan, instance: Instance) -> Selection:
    fields = {"user": "users", "team": "teams", "sequence": "sequences"}
    if report.each == "row":
        return next(row.selection for row in report.rows if row.name == instance.key)
    if report.each:
        update = {fields[report.each]: (instance.key,)}
        return report.selection.model_copy(update=update)
    return report.selection


def _given(project: Project, batch: DueBatch, selection: Selection) -> dict[str, Any]:
    chosen = selection.to_parameters()
    return {
        **project.data_parameters,
        "policy": project.policy(batch.report.policy),
        "period": batch.period.name,
        "window_weeks": batch.report.window_weeks,
        "settling_days": project.plan.data.settling_days,
        **{name: chosen[name] for name in ("users", "teams", "sequences", "factors")},
    }
