"""Small projects of scheduled reports for the tests."""

from __future__ import annotations

import datetime as dt
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from senderscore_nb.errors import ReportError
from senderscore_nb.reports.mail import MailBody
from senderscore_nb.reports.runners import Job, Made
from senderscore_nb.schedule.history import History
from senderscore_nb.schedule.ledger import Ledger
from senderscore_nb.schedule.project import Project

FIRST = dt.date(2026, 8, 31)
"""A Monday; the data is of the twelve weeks from here on, up to Sunday 2026-11-22."""

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
WEEK = "2026-W47"
USERS = ("Ann", "Bob", "Cem")


def write_data(folder: Path, *, weeks: int = 12, age: float = 60) -> Path:
    """An export and a roster that nobody has written to for a while."""
    rows = [
        {
            "enrollment_id": f"{user}-{week}-{i}",
            "user_id": user.lower(),
            "user_name": f"{user} Example",
            "sequence_id": str(i % 2),
            "sequence_name": f"Sequence {i % 2}",
            "contact_id": f"contact{i}@customer.example",
            "enrolled_on": FIRST + dt.timedelta(weeks=week, days=i % 5),
            "ended_on": FIRST + dt.timedelta(weeks=week, days=i % 7),
            "replied": i % 9 == 0,
            "bounced": i % 31 == 1,
        }
        for user in USERS
        for week in range(weeks)
        for i in range(20)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    export, roster = folder / "export.csv", folder / "roster.csv"
    kept = [r for r in rows if r["enrolled_on"] <= r["ended_on"]]
    pl.DataFrame(kept).write_csv(export)
    roster.write_text(
        "user_id,user_name,team,paid_seat,active,email\n"
        "ann,Ann Example,North,true,true,ann@example.com\n"
        "bob,Bob Example,North,true,true,bob@example.com\n"
        "cem,Cem Example,South,true,true,cem@example.com\n"
    )
    settle(export, roster, age=age)
    return folder


def settle(*files: Path, age: float = 60) -> None:
    """Make files look as if nobody had written to them for a while."""
    for file in files:
        then = file.stat().st_mtime - age
        os.utime(file, (then, then))


PLAN = 'timezone = "Europe/Berlin"\n[data]\nsource = "data"\n'
EACH = '[[reports]]\nname = "each"\nnotebook = "sender"\neach = "user"\n'
WEEKLY = '[[reports]]\nname = "weekly"\n'


def make_project(folder: Path, plan: str = PLAN + WEEKLY, **data: float) -> Project:
    """A project with its data."""
    write_data(folder / "data", **data)  # type: ignore[arg-type]
    (folder / "reports.toml").write_text(plan)
    return Project.open(folder)


@dataclass
class Instant:
    """Takes the workers' place: makes a page of a few bytes at once, or fails as it is told."""

    fails: dict[str, str] = field(default_factory=dict)
    jobs: list[Job] = field(default_factory=list)
    filler: int = 0
    seconds: float = 0

    def make(self, job: Job, progress: object = None) -> Made:
        self.jobs.append(job)
        time.sleep(self.seconds)
        about = " ".join(map(str, [job.parameters.get("period"), *job.parameters.get("users", [])]))
        for key, text in self.fails.items():
            if key in about:
                raise ReportError(text)
        body = f"<p>{about}</p>" + "x" * self.filler
        mail = MailBody(f"About {about}", body, about) if job.mailed else None
        return Made(f"<!DOCTYPE html>{body}</html>", about, {"about": about}, mail)


def history_of(project: Project) -> History:
    return History.of(Ledger(project.output).records())


def pages_of(project: Project) -> list[str]:
    """The pages of an output folder but the index."""
    found = (p.relative_to(project.output).as_posix() for p in project.output.rglob("*.html"))
    return sorted(page for page in found if page != "index.html")
