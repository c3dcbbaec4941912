"""Runs of scheduled reports: once, complete, in order."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import polars as pl
import pytest

from senderscore_nb.errors import PlanError, RunError, SenderScoreError
from senderscore_nb.schedule.due import due
from senderscore_nb.schedule.history import Target
from senderscore_nb.schedule.keep import pages, prune
from senderscore_nb.schedule.ledger import Ledger
from senderscore_nb.schedule.preview import dry_run, due_tasks, overview
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.run import retry, run_chosen, run_due, run_report_for
from senderscore_nb.schedule.status import status_of
from senderscore_nb.schedule.watch import Watch
from tests.projects import (
    EACH,
    NOW,
    PLAN,
    WEEK,
    WEEKLY,
    Instant,
    history_of,
    make_project,
    pages_of,
    settle,
    write_data,
)


def run(project: Project, instant: Instant | None = None, now: dt.datetime = NOW, **more):
    """What is due, without any notebook being run."""
    return run_chosen(
        project,
        lambda history: due(project.plan, now, history),
        more.pop("tell", True),
        more.pop("watch", None),
        now=now,
        elsewhere=(instant or Instant(), None),
        **more,
    )


def test_what_is_due_is_made_once(tmp_path):
    project = make_project(tmp_path, PLAN + WEEKLY + EACH)
    instant = Instant()
    outcome = run(project, instant)
    assert outcome.is_well
    assert len(outcome.made) == 4
    assert [p.split("/")[:2] for p in pages_of(project)] == [
        *[["each", WEEK]] * 3,
        ["weekly", f"{WEEK}.html"],
    ]
    before = Ledger(project.output).path.read_bytes()
    again = run(project, instant)
    assert (again.runs, again.waiting, len(instant.jobs)) == ([], [], 4)
    assert Ledger(project.output).path.read_bytes() == before


def test_the_ledger_says_what_was_made(tmp_path):
    project = make_project(tmp_path)
    run(project)
    history = history_of(project)
    (made,) = history.runs[Target("weekly", WEEK, "")]
    page = project.output / made.ended["page"]
    assert hashlib.sha256(page.read_bytes()).hexdigest() == made.ended["sha256"]
    assert json.loads(page.with_suffix(".json").read_text()) == {"about": WEEK}
    assert made.started["parameters"]["period"] == WEEK
    assert made.started["versions"]["polars"] == pl.__version__
    assert made.started["policy"] in history.policies
    data = history.data[made.started["data"]]
    assert data["through"] == "2026-11-22"
    content = (tmp_path / "data" / "export.csv").read_bytes()
    assert data["files"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert made.ended["seconds"] >= 0


def test_parameters_are_what_the_notebook_declares_and_the_plan_says(tmp_path):
    plan = PLAN + EACH + 'window_weeks = 3\nselection = { teams = ["North"] }\n'
    project = make_project(tmp_path, plan + "[run]\nworkers = 1")
    instant = Instant()
    run(project, instant)
    assert [job.parameters["users"] for job in instant.jobs] == [["ann"], ["bob"]]
    for job in instant.jobs:
        assert job.parameters["data"] == [str(tmp_path / "data")]
        assert job.parameters["window_weeks"] == 3
        assert job.parameters["settling_days"] == 14
        assert "factors" not in job.parameters


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        ('each = "team"', ["North", "South"]),
        ('each = "sequence"', ["0", "1"]),
        ('each = "row"\nrows = [{ name = "A b", users = ["ann"] }, { name = "C" }]', ["A b", "C"]),
        ('each = "user"\nselection = { sequences = ["1"] }', ["ann", "bob", "cem"]),
        ("", [""]),
    ],
)
def test_one_page_for_each(tmp_path, each, expected):
    project = make_project(tmp_path, PLAN + WEEKLY + each)
    assert run(project).is_well
    assert [i.key for i in history_of(project).planned["weekly", WEEK]] == expected
    assert len(pages_of(project)) == len(expected)


def test_who_has_left_and_who_has_nothing_gets_no_page(tmp_path):
    project = make_project(tmp_path, PLAN + EACH)
    roster = tmp_path / "data" / "roster.csv"
    text = roster.read_text().replace("Bob Example,North,true,true", "Bob Example,North,true,false")
    roster.write_text(text + "dee,Dee Example,South,true,true,dee@example.com\n")
    settle(roster)
    run(project)
    assert [i.key for i in history_of(project).planned["each", WEEK]] == ["ann", "cem"]


def test_nobody_to_make_it_for_is_done(tmp_path):
    project = make_project(tmp_path, PLAN + EACH + 'selection = { teams = ["North"] }')
    roster = tmp_path / "data" / "roster.csv"
    roster.write_text(roster.read_text().replace("true,true", "true,false"))
    settle(roster)
    assert run(project).is_well
    assert history_of(project).planned["each", WEEK] == ()
    assert "nobody to make it for" in (project.output / "index.html").read_text()
    assert run(project).runs == []


def test_one_that_fails_does_not_stop_the_others(tmp_path):
    project = make_project(tmp_path, PLAN + EACH)
    instant = Instant(fails={"bob": "Bob's page cannot be made."})
    outcome = run(project, instant)
    assert not outcome.is_well
    assert sorted(r.target.instance for r in outcome.made) == ["ann", "cem"]
    (failed,) = outcome.failed
    assert failed.ended["error"] == "Bob's page cannot be made."
    assert "Bob&#39;s page cannot be made." in (project.output / "index.html").read_text()
    found = status_of(project, NOW)
    assert not found.is_well
    assert any("Bob's page" in line for line in found.lines)
    assert run(project, instant).runs == []  # there is a pause first
    assert [r.target.instance for r in run(project, now=NOW + dt.timedelta(days=1)).made] == ["bob"]
    assert status_of(project, NOW).is_well


def test_retry_does_not_wait(tmp_path):
    project = make_project(tmp_path, PLAN + '[[reports]]\nname = "bad"\nnotebook = "sender"\n')
    outcome = run_due(project, now=NOW)  # the sender's notebook without a sender
    (failed,) = outcome.failed
    assert "one sender; 0 were given" in failed.ended["error"]
    outcome = retry(project)
    assert len(outcome.failed) == 1
    assert len(history_of(project).runs[failed.target]) == 2
    with pytest.raises(PlanError, match="no report 'bat'"):
        retry(project, "bat")


def test_data_that_ends_too_early_is_waited_for(tmp_path):
    project = make_project(tmp_path, weeks=11)
    outcome = run(project)
    assert outcome.waiting == [
        (f"weekly {WEEK}", f"The data ends on 2026-11-15; {WEEK} ends on 2026-11-22.")
    ]
    assert outcome.is_well
    assert pages_of(project) == []
    records = len(list(Ledger(project.output).records()))
    run(project)
    assert len(list(Ledger(project.output).records())) == records  # it is said once
    assert "wait for data" in (project.output / "index.html").read_text()
    write_data(tmp_path / "data")
    assert len(run(project).made) == 1
    assert "wait for data" not in (project.output / "index.html").read_text()


@pytest.mark.parametrize(("gap", "made"), [(0, 0), (6, 0), (7, 1)])
def test_the_data_may_end_some_days_before_the_period(tmp_path, gap, made):
    plan = PLAN + f"gap_days = {gap}\n" + WEEKLY
    assert len(run(make_project(tmp_path, plan, weeks=11)).made) == made


def test_by_hand_it_is_made_from_what_there_is_and_again(tmp_path):
    project = make_project(tmp_path, weeks=11)
    with pytest.raises(PlanError, match="ends on 2026-11-15, before 2026-W47 begins"):
        run_report_for(project, "weekly", WEEK, now=NOW)
    assert history_of(project).runs == {}
    first = run_report_for(project, "weekly", "2026-W46", now=NOW)
    second = run_report_for(project, "weekly", "2026-W46", now=NOW)
    assert len(first.made) == len(second.made) == 1
    assert len(history_of(project).runs[Target("weekly", "2026-W46", "")]) == 2
    with pytest.raises(PlanError, match="about a week; 2026-10 is a month"):
        run_report_for(project, "weekly", "2026-10")


def test_catching_up_is_in_order_and_each_week_is_its_own(tmp_path):
    project = make_project(tmp_path, PLAN + WEEKLY + "[run]\ncatch_up = 3")
    instant = Instant()
    run(project, instant, NOW - dt.timedelta(weeks=5))
    run(project, instant, NOW)
    periods = [job.parameters["period"] for job in instant.jobs]
    assert periods == ["2026-W42", "2026-W45", "2026-W46", "2026-W47"]
    assert history_of(project).skipped == {"weekly": [("2026-W43", "2026-W44")]}
    assert "2026-W43 to 2026-W44 were missed" in (project.output / "index.html").read_text()


def test_a_dry_run_writes_nothing(tmp_path):
    plan = (
        PLAN + EACH + 'tell = { senders = true, to = ["boss@example.com"] }\n'
        '[mail]\nhost = "localhost"\nsecurity = "none"\nsender = "r@example.com"\n'
    )
    project = make_project(tmp_path, plan)
    rows = dry_run(project, NOW)
    assert [(r.recipient, r.reason) for r in rows] == [
        (address, reason)
        for user in ("ann", "bob", "cem")
        for address, reason in (("boss@example.com", "to"), (f"{user}@example.com", "the sender"))
    ]
    assert not project.output.exists()
    tasks, _ = due_tasks(project, NOW)
    assert [task.plain()["instance"] for task in tasks] == ["ann", "bob", "cem"]
    json.dumps([task.plain() for task in tasks])


def test_the_overview_says_how_each_report_stands(tmp_path):
    project = make_project(tmp_path, PLAN + WEEKLY + EACH)
    assert [row.state for row in overview(project, NOW)] == ["due", "due"]
    run(project, Instant(fails={"bob": "No."}))
    assert [row.state for row in overview(project, NOW)] == ["made", "failed"]
    assert overview(project, NOW)[0].next_due == dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC)


def test_pages_that_are_gone_or_changed_are_seen(tmp_path):
    project = make_project(tmp_path, PLAN + EACH)
    run(project)
    kept = pages(project.output, history_of(project))
    files = [project.output / page.run.ended["page"] for page in kept]
    files[0].unlink()
    files[1].write_text("changed")
    states = [page.state for page in pages(project.output, history_of(project))]
    assert states == ["missing", "changed", "there"]
    found = status_of(project, NOW)
    assert not found.is_well
    assert found.plain()["damaged"][0]["state"] == "missing"


def test_old_pages_are_pruned_and_the_ledger_stays(tmp_path):
    project = make_project(tmp_path, PLAN + WEEKLY + "[run]\ncatch_up = 9\n[output]\nkeep = 2")
    run(project, now=NOW - dt.timedelta(weeks=3))
    run(project)
    assert prune(project, dry_run=True) == ["weekly/2026-W44.html", "weekly/2026-W45.html"]
    assert len(pages_of(project)) == 4
    assert prune(project) == ["weekly/2026-W44.html", "weekly/2026-W45.html"]
    assert pages_of(project) == ["weekly/2026-W46.html", "weekly/2026-W47.html"]
    assert prune(project) == []
    index = (project.output / "index.html").read_text()
    assert "Open (removed)" in index
    assert status_of(project, NOW).is_well
    assert run(project).runs == []  # what was pruned is not made again


def test_the_newest_periods_stay_whatever_their_kinds(tmp_path):
    plan = PLAN + WEEKLY + "[run]\ncatch_up = 9\n[output]\nkeep = 2"
    project = make_project(tmp_path, plan, weeks=14)
    run(project, now=NOW - dt.timedelta(weeks=1))
    run(project)
    text = project.path.read_text().replace('name = "weekly"', 'name = "weekly"\nevery = "month"')
    project.path.write_text(text)
    monthly = Project.open(project.path)
    run(monthly, now=NOW + dt.timedelta(days=9))
    assert pages_of(monthly)[0] == "weekly/2026-11.html"
    assert prune(monthly) == ["weekly/2026-W46.html"]


def test_a_ledger_cannot_have_files_removed_elsewhere(tmp_path):
    project = make_project(tmp_path, PLAN + WEEKLY + "[output]\nkeep = 1")
    run(project, now=NOW - dt.timedelta(weeks=1))
    run(project)
    path = Ledger(project.output).path
    path.write_text(path.read_text().replace("weekly/2026-W46.html", "../reports.toml"))
    with pytest.raises(RunError, match="outside of the output folder"):
        prune(project)
    assert (tmp_path / "reports.toml").exists()


def test_real_workers_make_real_pages(tmp_path):
    """From the plan to the pages, with the notebooks that come with the package."""
    project = make_project(tmp_path, PLAN + WEEKLY + EACH)
    lines: list[str] = []
    outcome = run_due(project, now=NOW, watch=Watch(done=lines.append))
    assert outcome.is_well, [r.ended["error"] for r in outcome.failed]
    assert len(outcome.made) == len(lines) == 4
    ann = next(p for p in pages_of(project) if "Ann-Example" in p)
    text = (project.output / ann).read_text(encoding="utf-8")
    assert "Week 2026-W47 (16 Nov 2026 to 22 Nov 2026)" in text
    assert "Provisional from 9 Nov 2026 on" in text
    assert str(tmp_path) not in text
    twin = json.loads((project.output / ann).with_suffix(".json").read_text())
    assert twin["provisional_since"] == "2026-11-09"
    made = history_of(project).made(Target("weekly", WEEK, ""))
    assert [row["user_id"] for row in made.ended["headline"]["senders"]] == ["ann", "bob", "cem"]
    assert "Latest scores" in (project.output / "index.html").read_text()


@pytest.mark.parametrize("every", ["day", "month"])
def test_reports_about_a_day_or_a_month(tmp_path, every):
    when = {"day": NOW, "month": dt.datetime(2026, 11, 3, tzinfo=dt.UTC)}[every]
    project = make_project(tmp_path, PLAN + f"gap_days = 0\n{WEEKLY}every = '{every}'")
    outcome = run_due(project, now=when)
    assert outcome.is_well, outcome.failed[0].ended["error"]
    (page,) = pages_of(project)
    text = (project.output / page).read_text(encoding="utf-8")
    says = {"day": "Day 2026-11-22. Scores", "month": "Month 2026-10 (1 Oct 2026 to 31 Oct 2026)"}
    assert says[every] in text


def test_the_kernel_engine_serves_a_plan_as_well(tmp_path):
    project = make_project(tmp_path, PLAN + EACH + '[run]\nengine = "kernel"\nworkers = 2')
    outcome = run_due(project, now=NOW)
    assert outcome.is_well, outcome.failed[0].ended["error"]
    assert len(pages_of(project)) == 3


def test_an_unknown_report_is_named(tmp_path):
    project = make_project(tmp_path)
    with pytest.raises(SenderScoreError, match="Did you mean 'weekly'"):
        run_report_for(project, "wekly")
