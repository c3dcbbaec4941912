"""A candidate policy beside the one in force: in the page, in its twin, and in a plan."""

from __future__ import annotations

import json
import re

import polars as pl
import pytest

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.experiment import Threshold
from senderscore_nb.policy import load_policy
from senderscore_nb.reports import run_report
from senderscore_nb.reports.candidate import Candidate
from senderscore_nb.reports.weekly import WeeklyReport
from senderscore_nb.schedule.due import due
from senderscore_nb.schedule.run import run_chosen
from tests.browser import Visit, browser
from tests.conftest import SAMPLE
from tests.experiment_frames import POLICY
from tests.hostile import write_hostile
from tests.projects import NOW, PLAN, WEEKLY, Instant, make_project

pytestmark = pytest.mark.xdist_group("report")

ZONE = "Europe/Stockholm"


@pytest.fixture(scope="module")
def candidate(tmp_path_factory):
    """Stricter on Good, by name and by how enrollments are dated another policy."""
    policy = Threshold.parse("bands.Good", POLICY).set(POLICY, 75)
    text = policy.to_toml().replace('"ended_on"', '"enrolled_on"')
    path = tmp_path_factory.mktemp("candidate") / "stricter.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page(candidate, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weekly")
    given = {"data": [str(SAMPLE)], "timezone": ZONE, "candidate": str(candidate)}
    return run_report("weekly", given, folder).page


def test_the_page_has_a_section_about_it(page):
    assert page.name.startswith("weekly-2026-W46-stricter")
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", text)
    assert headings.index("If the candidate were in force") == 6
    assert len(headings) == 9
    ids = re.findall(r'<h2 id="s(\d+)-', text)
    assert ids == [str(i) for i in range(1, 10)]
    section = text[text.index("If the candidate were in force</h2>") :]
    section = section[: section.index("<h2")]
    assert section.count("<figure") == 4
    assert "Who would move" in section
    assert "weighted kappa" in section


def test_the_twin_has_its_figures(page, candidate):
    twin = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    policy = load_policy(candidate)
    found = twin["candidate"]
    assert found["policy_fingerprint"] == policy.fingerprint
    assert twin["policy_fingerprint"] == POLICY.fingerprint
    same = WeeklyReport.open([str(SAMPLE)], timezone=ZONE, policy=str(candidate), period="2026-W46")
    expected = {r["user_id"]: r["score"] for r in same.senders.iter_rows(named=True)}
    assert {r["user_id"]: r["score"] for r in found["senders"]} == expected
    moved = {r["user_id"] for r in found["movers"]}
    bands = {r["user_id"]: r["verdict" if r["band"] is None else "band"] for r in twin["senders"]}
    after = {r["user_id"]: r["verdict" if r["band"] is None else "band"] for r in found["senders"]}
    assert moved == {u for u in bands if bands[u] != after[u]}
    assert {r["policy"] for r in found["stability"]} == {POLICY.name, policy.name}


def test_without_a_candidate_nothing_is_shown():
    report = WeeklyReport.open([])
    none = Candidate.of(report, "")
    shown = (none.words(), none.differences(), none.gauges(), none.fill(), none.migration())
    assert (*shown, none.movers(), none.stability_chart()) == (None,) * 7
    assert none.summary() == {}
    assert "candidate" not in report.summary(none.summary()).data
    with pytest.raises(SenderScoreError, match="no candidate"):
        _ = none.comparison


def test_nobody_with_a_score_and_nobody_who_moves():
    small = WeeklyReport.open([], window_weeks=1)
    small = Candidate.of(small, "hubspot-article")
    assert "Nobody would be in another band." in str(small.words()._repr_html_())
    assert small.differences()._repr_html_().startswith('<p class="empty">Both policies')
    alone = WeeklyReport.open([], policy="hubspot-article")
    lofty = Threshold.parse("minimum.user", POLICY).set(POLICY, 1_000_000)
    found = Candidate(alone, lofty)
    assert found.movers().frame["state"].unique().to_list() == ["Collecting"]
    assert found.summary()["candidate"]["migration"].filter(pl.col("after") == "Good").is_empty()
    assert Candidate(_under(found), POLICY).stability_chart() is None
    assert len(Candidate(_under(found), POLICY).words().paragraphs) == 2


def _under(candidate):
    """The report as it were if the candidate were in force."""
    from dataclasses import replace

    account = candidate.report.account.under(candidate.policy)
    return replace(candidate.report, account=account)


def test_a_candidate_that_is_none_is_one_sentence(tmp_path):
    with pytest.raises(SenderScoreError, match="Did you mean 'hubspot-article'"):
        run_report("weekly", {"candidate": "hubspot-artikle"}, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.browser
def test_hostile_names_are_text_beside_a_candidate(tmp_path):
    data = write_hostile(tmp_path / "data")
    odd = tmp_path / "odd.toml"
    text = POLICY.to_toml().replace('"hubspot-article"', '"<script>window.pwned=1</script>"')
    odd.write_text(text.replace("lower = 70.0", "lower = 60.0"), encoding="utf-8")
    made = run_report("weekly", {"data": [str(data)], "candidate": str(odd)}, tmp_path / "out")
    with browser() as chromium:
        context = chromium.new_context(offline=True, viewport={"width": 360, "height": 800})
        visit = Visit(context.new_page()).open(made.page)
        assert visit.violations == []
        assert visit.problems == []
        assert visit.page.evaluate("window.pwned") is None
        assert "<script>window.pwned=1</script>" in visit.page.inner_text("body")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_plans_candidate_is_beside_the_plan(tmp_path, candidate):
    plan = f'{PLAN}{WEEKLY}parameters = {{ candidate = "stricter.toml" }}\n'
    project = make_project(tmp_path, plan)
    with pytest.raises(SenderScoreError, match=r"parameters\.candidate: .*stricter\.toml"):
        project.check()
    (tmp_path / "stricter.toml").write_text(candidate.read_text())
    project.check()
    instant = Instant()
    run_chosen(
        project,
        lambda history: due(project.plan, NOW, history),
        True,
        None,
        now=NOW,
        elsewhere=(instant, None),
    )
    assert {job.parameters["candidate"] for job in instant.jobs} == {
        str(tmp_path / "stricter.toml")
    }
