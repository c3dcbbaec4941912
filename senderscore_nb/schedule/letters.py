"""What is to be told of the pages: a mail about each, and a line about a whole batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from senderscore_nb.delivery.recipients import Told, recipients
from senderscore_nb.delivery.webhook import webhook_text
from senderscore_nb.reports.mail import MailBody
from senderscore_nb.reports.words import plural
from senderscore_nb.schedule.due import DueBatch
from senderscore_nb.schedule.headline import in_words
from senderscore_nb.schedule.history import History, Target
from senderscore_nb.schedule.ledger import Ledger
from senderscore_nb.schedule.outbox import Letter
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.reading import Source
from senderscore_nb.schedule.tasks import Task

WEBHOOK = "webhook"
MAIL = "mail"


def told_of(task: Task, source: Source) -> Told:
    """Who is told of a page."""
    about = {task.report.each: task.instance.key} if task.instance.key else {}
    user = about.get("user")
    return recipients(
        task.report.tell,
        source.roster,
        user=source.real_users.get(user, user) if user else None,
        team=about.get("team"),
    )


def letter_of(task: Task, mail: MailBody, source: Source) -> tuple[Letter, list[dict[str, Any]]]:
    """The letter about a page, and a record for each sender whom no mail can reach."""
    told = told_of(task, source)
    unreachable = [
        {
            "channel": MAIL,
            "address": "",
            "status": "unreachable",
            "error": source.redactor.text(problem),
        }
        for problem in told.problems
    ]
    return Letter(task.target, f"{task.page}.html", told.recipients, mail), unreachable


def webhook_letters(
    project: Project, batches: Sequence[DueBatch], ledger: Ledger
) -> Iterator[Letter]:
    """A line about each batch that is complete and whose webhook was not told of it."""
    wanted = [batch for batch in batches if batch.report.tell.webhook]
    if not wanted:
        return
    history = History.of(ledger.records())
    for batch in wanted:
        name, period = batch.key
        target = Target(name, period, "")
        planned = history.planned.get(batch.key, ())
        runs = [history.latest(Target(name, period, i.key)) for i in planned]
        if planned and all(runs) and (target, WEBHOOK, WEBHOOK) not in history.told:
            yield Letter(target, line=_line(project, batch, history))


def _line(project: Project, batch: DueBatch, history: History) -> str:
    name, period = batch.key
    targets = [Target(name, period, i.key) for i in history.planned[batch.key]]
    made = [run for target in targets if (run := history.made(target)) and run.ended]
    parts = [f"Sender score, {name} {period}: {plural(len(made), 'page')} made"]
    if failed := len(targets) - len(made):
        parts.append(f"{failed} failed")
    line = ", ".join(parts) + "."
    if len(targets) == 1 and made and made[0].ended:
        line += f" {in_words(made[0].ended['headline'] or {})}"
    texts = {a["text"]: a["kind"] for run in made if run.ended for a in run.ended["alerts"] or ()}
    if alerts := sum(kind == "alert" for kind in texts.values()):
        line += f" {plural(alerts, 'alert')}."
    link = ""
    if project.plan.mail and project.plan.mail.link:
        page = str(made[0].ended["page"]) if len(made) == 1 and made[0].ended else "index.html"
        link = project.plan.mail.address_of(page)
    return webhook_text(line.strip(), link)
