"""Scheduled reports of a tally store: as those of the exports, and again when it is brought up."""

from __future__ import annotations

import datetime as dt
import json

from senderscore_nb.account import open_account
from senderscore_nb.policy import CountingRules, load_policy
from senderscore_nb.schedule.due import due
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.run import run_chosen
from senderscore_nb.store import TallyStore, update
from tests.projects import (
    EACH,
    NOW,
    PLAN,
    WEEKLY,
    Instant,
    history_of,
    pages_of,
    settle,
    write_data,
)

DATA = PLAN.replace('"data"', '"store"')


def make(folder, plan: str = DATA + WEEKLY + EACH, **data) -> Project:
    """A project whose data is a store with the roster in it."""
    exports = write_data(folder / "exports", **data)
    store = TallyStore(folder / "store")
    update(store, open_account(exports, timezone="Europe/Berlin").tallied)
    (store.folder / "roster.csv").write_bytes((exports / "roster.csv").read_bytes())
    settle(*(p for p in store.folder.rglob("*") if p.is_file()))
    (folder / "reports.toml").write_text(plan)
    return Project.open(folder)


def run(project: Project, now: dt.datetime = NOW, instant: Instant | None = None):
    choose = lambda history: due(project.plan, now, history)  # noqa: E731
    return run_chosen(project, choose, True, None, now=now, elsewhere=(instant or Instant(), None))


def test_a_plan_over_a_store_makes_what_is_due_once(tmp_path):
    project = make(tmp_path)
    project.check()
    outcome = run(project)
    assert outcome.is_well
    assert len(outcome.made) == 4
    assert run(project).made == []
    (data,) = history_of(project).data.values()
    (file,) = data["files"]
    assert file["name"] == "store"
    assert data["through"] == "2026-11-22"


def test_an_update_is_seen_as_other_data_and_the_next_week_is_made(tmp_path):
    project = make(tmp_path, weeks=11)
    week = dt.timedelta(weeks=1)
    assert run(project, NOW - week).is_well
    waiting = run(project)
    assert waiting.made == []
    exports = write_data(tmp_path / "exports", weeks=12)
    bring_up(tmp_path, exports)
    assert len(run(project).made) == 4
    assert len(history_of(project).data) == 2


def bring_up(folder, exports) -> None:
    account = open_account(exports, timezone="Europe/Berlin")
    update(TallyStore(folder / "store"), account.tallied)
    settle(*(p for p in (folder / "store").rglob("*") if p.is_file()))


def test_a_report_whose_policy_counts_otherwise_waits_and_the_others_are_made(tmp_path):
    other = load_policy().model_copy(update={"counting": CountingRules(date_basis="enrolled_on")})
    (tmp_path / "other.toml").write_text(other.to_toml())
    odd = '[[reports]]\nname = "odd"\npolicy = "other.toml"\n'
    project = make(tmp_path, DATA + odd + WEEKLY)
    outcome = run(project)
    assert [run.target.report for run in outcome.made] == ["weekly"]
    ((name, reason),) = outcome.waiting
    assert name.startswith("odd ")
    assert "date_basis = ended_on, and the policy counts with enrolled_on" in reason


def test_real_workers_make_a_page_of_a_store_with_names_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("STORE_TEST_KEY", "k" * 40)
    privacy = '[privacy]\nredact = "people"\nkey = { env = "STORE_TEST_KEY" }\n'
    project = make(tmp_path, DATA + privacy + WEEKLY)
    outcome = run_chosen(project, lambda h: due(project.plan, NOW, h), True, None, now=NOW)
    assert outcome.is_well, [r.ended for r in outcome.failed]
    (page,) = pages_of(project)
    html = (project.output / page).read_text()
    assert "Only tallies were read" in html
    assert "What each piece of advice would be worth" not in html
    assert "Ann Example" not in html
    twin = json.loads((project.output / page.replace(".html", ".json")).read_text())
    assert twin["levers"] is None
    assert len(twin["senders"]) == 3
    assert all(sender["user_id"].startswith("user-") for sender in twin["senders"])
