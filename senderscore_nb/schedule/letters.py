"""What is to be told of the pages: a mail about each, and a line about a whole batch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from senderscore_nb.delivery.recipients import Told, recipients
from senderscore_nb.delivery.webhook import webhook_text
from senderscore_nb.reports.mail import MailBody
from senderscore_nb.reports.words import plural
from senderscore_nb.schedule.due import failures_in_a_row
from senderscore_nb.schedule.headline import in_words
from senderscore_nb.schedule.history import Batch, History, Run, Target
from senderscore_nb.schedule.ledger import Ledger
from senderscore_nb.schedule.outbox import Letter
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.reading import Source
from senderscore_nb.schedule.tasks import Task

WEBHOOK = "webhook"
MAIL = "mail"

_RECENT = dt.timedelta(days=2)


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


def letter_of(
    task: Task, mail: MailBody, source: Source, run_id: str
) -> tuple[Letter, list[dict[str, Any]]]:
    """The letter about a page, and a record for each sender whom no mail can reach."""
    told = told_of(task, source)
    real = source.real_users.get(task.instance.key, "")
    unreachable = [
        {
            "channel": MAIL,
            "address": "",
            "status": "unreachable",
            "error": source.redactor.text(_renamed(problem, real, task.instance.key)),
        }
        for problem in told.problems
    ]
    letter = Letter(task.target, f"{task.page}.html", told.recipients, mail, run=run_id)
    return letter, unreachable


def _renamed(problem: str, real: str, shown: str) -> str:
    """A problem that names a sender by the id that pages show."""
    return problem.replace(repr(real), repr(shown)) if real and real != shown else problem


def webhook_letters(project: Project, ledger: Ledger) -> Iterator[Letter]:
    """A line about each batch that is done and whose webhook was not told of it.

    A batch is done when every page is made, or was tried as often as it is. What was done long ago
    is passed over, so that a new webhook is not told of the past.
    """
    wanted = {report.name for report in project.plan.reports if report.tell.webhook}
    if not wanted:
        return
    history, now = History.of(ledger.records()), ledger.now()
    for batch, planned in history.planned.items():
        name, period = batch
        target = Target(name, period, "")
        if name not in wanted or not planned or batch in history.asked:
            continue
        if (target, WEBHOOK, WEBHOOK) in history.told:
            continue
        runs = [history.runs.get(Target(name, period, i.key), []) for i in planned]
        settled = all(_is_settled(each, project.plan.run.attempts) for each in runs)
        if settled and max(each[-1].at for each in runs) > now - _RECENT:
            yield Letter(target, line=_line(project, batch, history))


def _is_settled(runs: list[Run], attempts: int) -> bool:
    return bool(runs) and (runs[-1].status == "made" or failures_in_a_row(runs) >= attempts)


def _line(project: Project, batch: Batch, history: History) -> str:
    name, period = batch
    targets = [Target(name, period, i.key) for i in history.planned[batch]]
    made = [run for target in targets if (run := history.made(target)) and run.ended]
    parts = [f"Sender score, {name} {period}: {plural(len(made), 'page')} made"]
    if failed := len(targets) - len(made):
        parts.append(f"{failed} failed")
    line = ", ".join(parts) + "."
    if len(targets) == 1 and made and made[0].ended:
        end = made[0].ended
        everything = end["selection"] in (None, "everything")
        line += f" {in_words(end['headline'] or {}, everything=everything)}"
    texts = {a["text"]: a["kind"] for run in made if run.ended for a in run.ended["alerts"] or ()}
    if alerts := sum(kind == "alert" for kind in texts.values()):
        line += f" {plural(alerts, 'alert')}."
    link = ""
    if project.plan.mail and project.plan.mail.link:
        page = str(made[0].ended["page"]) if len(made) == 1 and made[0].ended else "index.html"
        link = project.plan.mail.address_of(page)
    return webhook_text(line.strip(), link)
