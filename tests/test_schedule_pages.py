"""What stands on which page: its title says whom it is about, and alerts are where they belong."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from senderscore_nb.errors import PlanError
from senderscore_nb.schedule.alerting import concerns
from senderscore_nb.schedule.alerts import Alert
from senderscore_nb.schedule.lock import held
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.run import run_due
from senderscore_nb.schedule.status import status_of
from tests.projects import EACH, NOW, PLAN, WEEKLY, Instant, make_project
from tests.test_schedule_run import run

TEAMS = {"ann": "North", "bob": "North", "cem": "South"}


def alert(scope: str, key: str = "") -> Alert:
    return Alert(
        rule="r", metric="bounce_rate", scope=scope, key=key, label=key or "everyone",
        state="fired", value=0.1, low=0.05, high=0.2, limit=0.05, n=100, sentence="High.",
    )  # fmt: skip


class Page:
    def __init__(self, **parameters: list[str]) -> None:
        self.parameters = parameters


@pytest.mark.parametrize(
    ("about", "page", "expected"),
    [
        (("user", "ann"), {}, True),
        (("user", "ann"), {"users": ["ann"]}, True),
        (("user", "ann"), {"users": ["bob"]}, False),
        (("user", "ann"), {"teams": ["North"]}, True),
        (("user", "ann"), {"teams": ["South"]}, False),
        (("user", "ann"), {"sequences": ["1"]}, False),
        (("team", "North"), {"teams": ["North"]}, True),
        (("team", "North"), {"teams": ["South"]}, False),
        (("team", "North"), {"users": ["ann"]}, False),
        (("sequence", "1"), {"sequences": ["1"]}, True),
        (("sequence", "1"), {"sequences": ["2"]}, False),
        (("sequence", "1"), {"teams": ["North"]}, False),
        (("sequence", "1"), {}, True),
        (("everyone", ""), {}, True),
        (("everyone", ""), {"teams": ["North"]}, False),
    ],
)
def test_an_alert_stands_where_whom_it_is_about_does(about, page, expected):
    assert concerns(alert(*about), Page(**page), TEAMS) is expected


def test_pages_say_whom_they_are_about(tmp_path):
    rows = 'each = "row"\nrows = [{ name = "Cold <b>", sequences = ["1"] }]\n'
    team = '[[reports]]\nname = "teams"\neach = "team"\n'
    rule = '[[alerts]]\nname = "high"\nmetric = "bounce_rate"\nabove = 0.0001\nminimum = 1\n'
    rule += 'against = "everyone"\nbaseline_weeks = 8\n'
    project = make_project(tmp_path, PLAN + WEEKLY + rows + team + rule)
    outcome = run_due(project, now=NOW)
    assert outcome.is_well, [r.ended["error"] for r in outcome.failed]
    pages = {p.stem.rsplit("-", 1)[0]: p for p in project.output.glob("*/2026-W47/*.html")}
    cold, north = (
        pages[name].read_text(encoding="utf-8") for name in ("Cold-b-Cold-b", "North-North")
    )
    assert "<h1>Sender scores, Cold &lt;b&gt;</h1>" in cold
    assert "<h1>Sender scores, team North</h1>" in north
    assert "All selected together" in north
    assert "Everyone together:" not in north
    for page in pages.values():
        twin = json.loads(page.with_suffix(".json").read_text())
        keys = {a["key"] for a in twin["alerts"] if a["scope"] == "user"}
        assert all(TEAMS[key] in page.name for key in keys)


def test_while_a_run_is_at_work_nothing_is_called_broken(tmp_path):
    class Looking(Instant):
        def make(self, job, progress=None):
            self.seen = status_of(project, NOW)
            return super().make(job)

    project = make_project(tmp_path, PLAN + EACH + "[run]\nworkers = 1")
    looking = Looking()
    run(project, looking)
    assert looking.seen.at_work
    assert looking.seen.is_well
    assert "A run is at work." in looking.seen.lines
    with held(project.output):
        assert status_of(project, NOW).at_work
    assert not status_of(project, NOW).at_work


def test_data_that_does_not_come_is_a_fault_after_a_day(tmp_path):
    project = make_project(tmp_path, PLAN + WEEKLY, weeks=10)
    run(project)
    assert status_of(project, NOW).is_well
    late = status_of(project, NOW + dt.timedelta(days=2))
    assert not late.is_well
    assert "the data does not come" in "\n".join(late.lines)
    (tmp_path / "data" / "export.csv").unlink()
    (tmp_path / "data" / "roster.csv").unlink()
    (tmp_path / "data").rmdir()
    assert "there is nothing at 'data'" in "\n".join(status_of(project, NOW).lines)


def test_a_key_that_could_be_guessed_is_refused(tmp_path):
    plan = PLAN + EACH + '[privacy]\nredact = "people"\nkey = { file = "key" }\n'
    project = make_project(tmp_path, plan)
    (tmp_path / "key").write_text("abc\n")
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(PlanError, match="expected 16 characters or more, found 3"):
        Project.open(project.path).key()
    assert "found 3" in run(project).unread
