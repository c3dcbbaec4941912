"""Commands over a plan of reports: run, list, status, retry, prune, adopt."""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from senderscore_nb.cli.base import FAILED, USAGE

if TYPE_CHECKING:
    from senderscore_nb.schedule.project import Project
    from senderscore_nb.schedule.run import Outcome
    from senderscore_nb.schedule.watch import Watch

BROKEN_OFF = 130

_plan = click.option(
    "--plan",
    default="reports.toml",
    show_default=True,
    metavar="FILE",
    help="The plan, or its folder.",
)
_form = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How it is written.",
)
_tell = click.option(
    "--tell/--no-tell", default=None, help="Send mails and webhook lines; --due does unless told."
)


@click.group()
def reports() -> None:
    """Run scheduled reports, and look after them."""


@reports.command()
@click.argument("name", required=False)
@_plan
@click.option("--due", is_flag=True, help="Whatever is due; a second call does nothing.")
@click.option(
    "--for",
    "period",
    metavar="PERIOD",
    help="Of this period, as 2026-W46; the newest one that is due unless given.",
)
@_tell
@click.option("--dry-run", is_flag=True, help="Only say what would be made and sent, and to whom.")
def run(
    name: str | None, plan: str, due: bool, period: str | None, tell: bool | None, dry_run: bool
) -> None:
    """Make what is due (--due), or the report NAME now."""
    from senderscore_nb.schedule.lock import BusyError
    from senderscore_nb.schedule.run import run_due, run_report_for

    if bool(name) == due:
        raise click.UsageError("Say either --due or the NAME of a report.")
    if period and due:
        raise click.UsageError("--for goes with the NAME of a report.")
    project = _project(plan)
    if dry_run:
        _say_plan(project, name, period, tell)
        return
    try:
        with _watched() as watch:
            if name:
                outcome = run_report_for(project, name, period or "", tell=bool(tell), watch=watch)
            else:
                outcome = run_due(project, tell=tell is not False, watch=watch)
    except BusyError as busy:
        # A scheduler calls as often as it likes; the run that is at work does what is due.
        click.echo(f"senderscore: {busy}", err=True)
        raise SystemExit(0 if due else USAGE) from None
    _conclude(outcome)


@reports.command("list")
@_plan
@click.option("--due", is_flag=True, help="Only the pages that are due now, one by one.")
@_form
def list_(plan: str, due: bool, form: str) -> None:
    """The plan's reports, or the pages that are due now."""
    from senderscore_nb.schedule.preview import due_tasks, overview

    project, now = _project(plan), dt.datetime.now(dt.UTC)
    rows: list[dict[str, Any]]
    if due:
        rows = [task.plain() for task in due_tasks(project, now)[0]]
        shown: tuple[str, ...] = ("report", "period", "label", "name")
    else:
        zone = zoneinfo.ZoneInfo(project.plan.zone)
        rows = [
            {
                "report": row.report.name,
                "notebook": row.report.notebook,
                "every": row.report.every,
                "each": row.report.each or "all",
                "newest": row.newest,
                "state": row.state,
                "next_due": row.next_due.astimezone(zone).isoformat(timespec="minutes"),
            }
            for row in overview(project, now)
        ]
        shown = tuple(rows[0]) if rows else ()
    if form == "json":
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    elif rows:
        _table([{name: row[name] for name in shown} for row in rows])
    else:
        click.echo("Nothing is due." if due else "The plan has no reports.")


@reports.command()
@_plan
@_form
def status(plan: str, form: str) -> None:
    """Whether all is well: what failed, waits or is missing. Exits with 1 if something is."""
    from senderscore_nb.schedule.status import status_of

    found = status_of(_project(plan), dt.datetime.now(dt.UTC))
    if form == "json":
        click.echo(json.dumps(found.plain(), indent=1, ensure_ascii=False))
    else:
        for line in found.lines:
            click.echo(line)
    if not found.is_well:
        raise SystemExit(FAILED)


@reports.command()
@click.argument("name", required=False)
@_plan
@_tell
def retry(name: str | None, plan: str, tell: bool | None) -> None:
    """Make again what failed or was broken off, and send again what was not sent."""
    from senderscore_nb.schedule.run import retry as again

    with _watched() as watch:
        outcome = again(_project(plan), name or "", tell=tell is not False, watch=watch)
    _conclude(outcome)


@reports.command()
@_plan
@click.option(
    "--keep",
    type=click.IntRange(1),
    metavar="N",
    help="Periods of each report that stay; as the plan says unless given.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def prune(plan: str, keep: int | None, dry_run: bool) -> None:
    """Remove the pages of old periods; the ledger stays whole."""
    from senderscore_nb.schedule.keep import prune as remove

    removed = remove(_project(plan), keep=keep, dry_run=dry_run)
    for page in removed:
        click.echo(page)
    word = "would be" if dry_run else "were"
    click.echo(f"{len(removed)} pages {word} removed.", err=True)


@reports.command()
@click.argument("notebook", type=click.Path(exists=True, dir_okay=False))
@_plan
@click.option("--report", "name", required=True, metavar="NAME", help="Which report it is.")
@click.option("--for", "period", required=True, metavar="PERIOD", help="Of which period.")
@click.option("--instance", default="", metavar="KEY", help="For which user, team, … it is.")
@_tell
def adopt(
    notebook: str, plan: str, name: str, period: str, instance: str, tell: bool | None
) -> None:
    """Take a NOTEBOOK that was run elsewhere as the report of a period."""
    from senderscore_nb.schedule.adopt import adopt as take

    with _watched() as watch:
        outcome = take(
            _project(plan), Path(notebook), name, period, instance, tell=bool(tell), watch=watch
        )
    _conclude(outcome)


def _project(plan: str) -> Project:
    from senderscore_nb.lean import spare_grammar

    spare_grammar()
    from senderscore_nb.schedule.project import Project

    return Project.open(plan)


def _say_plan(project: Project, name: str | None, period: str | None, tell: bool | None) -> None:
    from senderscore_nb.schedule.preview import dry_run, dry_run_of

    now = dt.datetime.now(dt.UTC)
    if name:
        rows = dry_run_of(project, name, period or "", now, tell=bool(tell))
    else:
        rows = dry_run(project, now, tell=tell is not False)
    if rows:
        _table([row._asdict() for row in rows])
    else:
        click.echo("Nothing is due.")


@contextmanager
def _watched() -> Iterator[Watch]:
    """A watch: a bar on a terminal, plain lines elsewhere. SIGTERM breaks off as Ctrl-C does."""
    import signal

    from senderscore_nb.progress import page_progress
    from senderscore_nb.schedule.watch import Watch

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        with page_progress() as (say, expect, done):
            yield Watch(say, expect, done)
    except KeyboardInterrupt:
        click.echo("senderscore: Broken off. The next run does the rest.", err=True)
        raise SystemExit(BROKEN_OFF) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _conclude(outcome: Outcome) -> None:
    """Say what came of it; exits with 1 where something failed."""
    for about, reason in outcome.waiting:
        click.echo(f"{about} waits: {reason}", err=True)
    made, failed = len(outcome.made), len(outcome.failed)
    if made or failed or not outcome.waiting:
        sent = len(outcome.messages.sent)
        parts = [f"{made} made", f"{failed} failed"]
        parts += [f"{sent} told"] if sent else []
        click.echo(", ".join(parts) + "." if made or failed or sent else "Nothing is due.")
    if not outcome.is_well:
        raise SystemExit(FAILED)


def _table(rows: list[dict[str, Any]]) -> None:
    from senderscore_nb.output import print_rows

    print_rows(rows)
