"""The index page: made from the ledger alone, offline, readable, and safe whatever is in it."""

from __future__ import annotations

import datetime as dt
import re
import shutil

import pytest

from senderscore_nb.policy import load_policy
from senderscore_nb.schedule.history import History
from senderscore_nb.schedule.index import index_page, write_index
from senderscore_nb.schedule.ledger import Ledger, Record
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.run import run_due, run_report_for
from tests.browser import Visit, browser
from tests.hostile import NAMES, write_hostile
from tests.projects import EACH, NOW, PLAN, WEEKLY, Instant, history_of, make_project, settle
from tests.test_schedule_run import run

pytestmark = pytest.mark.xdist_group("index")


@pytest.fixture(scope="module")
def chromium():
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    rule = '[[alerts]]\nname = "any"\nmetric = "bounce_rate"\nabove = 0.001\nagainst = "everyone"\n'
    made = make_project(tmp_path_factory.mktemp("index"), PLAN + WEEKLY + EACH + rule, weeks=12)
    for week in (44, 45, 46):
        assert run_report_for(made, "weekly", f"2026-W{week}", now=NOW).is_well
    assert run_due(made, now=NOW).is_well
    return made


def test_it_is_made_from_the_ledger_alone(project, tmp_path):
    shutil.copytree(project.output / ".senderscore", tmp_path / ".senderscore")
    write_index(tmp_path, History.of(Ledger(tmp_path).records()))
    ours = (project.output / "index.html").read_text(encoding="utf-8")
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == ours


def test_it_shows_the_latest_the_history_and_the_links(project):
    text = (project.output / "index.html").read_text(encoding="utf-8")
    headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", text)
    assert headings == ["Latest scores", "Report weekly", "Report each"]
    periods = re.findall(r'<th scope="row">(2026-W\d\d)</th>', text)
    assert periods[-5:-1] == ["2026-W47", "2026-W46", "2026-W45", "2026-W44"]
    for link in re.findall(r'href="([^"#]+)"', text):
        assert (project.output / link).is_file(), link
    assert len(re.findall(r"<figure", text)) == 2  # the gauges, and the score by period
    assert "made, provisional" in text
    assert "All is well." in text


def test_an_empty_ledger_has_a_page(tmp_path):
    text = index_page(History())
    assert "0 pages of 0 reports." in text


def test_a_ledger_of_another_version_is_no_mistake():
    at = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
    name = {"report": "weekly", "period": "2026-W47", "instance": ""}
    records = [
        Record("planned", at, {**name, "instances": [["", ""]]}),
        Record("started", at, {**name, "run": "1", "policy": "gone"}),
        Record("ended", at, {"run": "1", "status": "made", "page": "weekly/2026-W47.html"}),
        Record("policy", at, {"fingerprint": "new", "toml": "future = true"}),
        Record("of a later version", at, {}),
    ]
    text = index_page(History.of(records))
    assert 'href="weekly/2026-W47.html"' in text


def test_what_failed_and_what_waits_is_on_top(tmp_path):
    made = make_project(tmp_path, PLAN + EACH + WEEKLY)
    failing = Instant(fails={"bob": "A <b>bold</b> mistake."})
    run(made, failing)
    run(made, failing, now=NOW + dt.timedelta(weeks=1))
    text = (made.output / "index.html").read_text(encoding="utf-8")
    first = text[: text.index("Report each</h2>")]
    assert "What needs a look" in first
    assert "A &lt;b&gt;bold&lt;/b&gt; mistake." in first
    assert "Reports that wait for data" in first
    assert "The data ends on 2026-11-22" in first


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_it_opens_without_a_network(project, chromium, width, scheme):
    context = chromium.new_context(
        offline=True, color_scheme=scheme, viewport={"width": width, "height": 900}
    )
    visit = Visit(context.new_page()).open(project.output / "index.html")
    assert visit.outside == []
    assert visit.problems == []
    assert visit.violations == []
    assert visit.page.locator("figure .live svg").count() == 2
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    visit.page.locator("summary", has_text="3 pages").click()
    visit.page.get_by_role("link", name="Ann Example").click()
    visit.page.wait_for_load_state()
    assert visit.page.locator("h1").inner_text() == "Sender score"
    context.close()


@pytest.mark.browser
def test_hostile_names_are_text(tmp_path, chromium):
    write_hostile(tmp_path / "data")
    each = EACH + "window_weeks = 20\n"
    (tmp_path / "reports.toml").write_text(PLAN + "gap_days = 31\n" + each)
    settle(*(tmp_path / "data").iterdir())
    made = Project.open(tmp_path)
    outcome = run(made, Instant(fails={NAMES[0][:24]: NAMES[7]}))
    assert len(outcome.runs) == len(NAMES)
    pages = list(made.output.rglob("*.html"))
    assert len(pages) == len(NAMES)  # one failed, and the index
    assert all(page.resolve().is_relative_to(made.output) for page in pages)
    context = chromium.new_context(offline=True)
    visit = Visit(context.new_page()).open(made.output / "index.html")
    assert visit.page.evaluate("window.pwned") is None
    assert visit.violations == []
    assert NAMES[0] in visit.page.inner_text("body")
    for link in visit.page.locator("main a").all():
        assert link.get_attribute("href").startswith("each/")
    context.close()
    history = history_of(made)
    assert sum(r.status == "failed" for runs in history.runs.values() for r in runs) == 1


def test_policies_are_kept_once(project):
    policies = [r for r in Ledger(project.output).records() if r.event == "policy"]
    assert [r["fingerprint"] for r in policies] == [load_policy().fingerprint]
