"""Plans: read whole, refused with file and key, added to without touching the rest."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senderscore_nb.errors import PlanError
from senderscore_nb.periods import Period
from senderscore_nb.schedule.plan import WEEKDAYS, ReportPlan, parse_plan
from senderscore_nb.schedule.project import Project, add_report, report_table
from senderscore_nb.selection import Selection
from tests.conftest import ROOT, SAMPLE

DATA = '[data]\nsource = "exports"\n'
ONE = DATA + '[[reports]]\nname = "weekly"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "data: Field required"),
        ("[data]\nsource = []", "data.source: Value should have at least 1 item"),
        ("= 1", "Not valid TOML"),
        (DATA + "timezon = 1", "data.timezon: this key is unknown. Did you mean 'timezone'?"),
        (
            'timezone = "Europe/Berln"\n' + DATA,
            "timezone: 'Europe/Berln' is not a time zone. Did you",
        ),
        (ONE + 'evry = "week"', "reports.weekly.evry: this key is unknown. Did you mean 'every'?"),
        (ONE + 'every = "year"', "reports.weekly.every: Input should be"),
        (ONE + 'on = "mon"', "reports.weekly: on: expected a weekday such as monday, found 'mon'"),
        (ONE + 'every = "month"\non = 29', "expected a day of the month from 1 to 28, found 29"),
        (ONE + 'every = "day"\non = "monday"', "on: goes with every"),
        (ONE + 'at = "7 o\'clock"', 'reports.weekly.at: "7 o\'clock" is not a time such as 07:00'),
        (ONE + 'each = "row"', "rows: go with each"),
        (ONE + 'folder = "../elsewhere"', "expected a folder below the output folder"),
        (ONE + 'folder = ".senderscore"', "expected a folder below the output folder"),
        (ONE + 'selection = { start = "2026-01-01" }', "start and end follow from the period"),
        (ONE + "window_weeks = 0", "reports.weekly.window_weeks: Input should be greater"),
        (ONE + '[[reports]]\nname = "weekly"', "reports: two have the name 'weekly'"),
        (DATA + '[[reports]]\nname = "../x"', "reports.../x.name: String should match pattern"),
        (DATA + "[[reports]]\nname = 3", "reports.3.name: Input should be a valid string"),
        (ONE + 'tell = { to = ["a@example.com"] }', "weekly tells by mail, but there is no [mail]"),
        (ONE + "tell = { webhook = true }", "there is no [webhook]"),
        (ONE + 'tell = { to = ["nobody"] }', "reports.weekly.tell.to.0"),
        (ONE + "[run]\nworkers = -1", "run.workers"),
        (ONE + '[privacy]\nredact = "people"', "redact needs a key"),
        (ONE + '[[alerts]]\nname = "a"\nmetric = "bounce_rate"\nabove = 5', "alerts.a"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(text, says):
    with pytest.raises(PlanError) as error:
        parse_plan(text, where="my/reports.toml")
    assert str(error.value).startswith("my/reports.toml: ")
    assert says in str(error.value)


def test_every_mistake_is_named_at_once():
    with pytest.raises(PlanError, match="3 problems") as error:
        parse_plan(ONE + 'at = "25:00"\nwindow_weeks = 0\n[run]\nattempts = 0')
    for key in ("reports.weekly.at", "reports.weekly.window_weeks", "run.attempts"):
        assert key in str(error.value)


def project(tmp_path, text: str) -> Project:
    (tmp_path / "reports.toml").write_text(text)
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "a.csv").write_text("enrollment_id\n")
    return Project.open(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ONE.replace("exports", "nowhere"), "data.source: there is nothing at 'nowhere'"),
        (ONE + '[[reports]]\nname = "b"\nnotebook = "wekly"', "reports.b.notebook"),
        (ONE + 'notebook = "mine.ipynb"', "reports.weekly.notebook"),
        (ONE + 'policy = "hubspot"', "reports.weekly.policy"),
        (ONE + "parameters = { wek = 1 }", "reports.weekly.parameters.wek: the notebook has no"),
        (ONE + "parameters = { period = 1 }", "follows from the plan; leave it out"),
        (DATA + 'roster = "who.csv"\n[[reports]]\nname = "a"', "data.roster: there is no file"),
        (DATA + 'mapping = "hubspot-e"\n[[reports]]\nname = "a"', "data.mapping"),
        (ONE + 'selection = { factors = { segment = ["smb"] } }', "has no parameter factors"),
    ],
)
def test_what_does_not_exist_is_named_before_anything_runs(tmp_path, text, says):
    with pytest.raises(PlanError) as error:
        project(tmp_path, text).check()
    assert says in str(error.value)
    assert "reports.toml" in str(error.value)


def test_no_plan_says_how_to_get_one(tmp_path):
    with pytest.raises(PlanError, match="senderscore init"):
        Project.open(tmp_path)
    (tmp_path / "reports.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PlanError, match="cannot be read"):
        Project.open(tmp_path)


def test_the_docs_plan_is_valid():
    page = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    plan = parse_plan(text)
    assert [report.each for report in plan.reports] == ["", "user", "row"]
    named = set(re.findall(r"`([a-z_]+)`", page))
    models = (plan, plan.data, plan.output, plan.run, plan.privacy, plan.reports[0])
    for model in models:
        assert set(type(model).model_fields) - named - {"mail", "webhook", "alerts"} <= {
            "data", "output", "run", "privacy", "reports"
        }  # fmt: skip


reports = st.builds(
    ReportPlan,
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True),
    every=st.just("week"),
    on=st.sampled_from([None, *WEEKDAYS]),
    at=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    each=st.sampled_from(["", "user", "team", "sequence"]),
    selection=st.builds(
        Selection, users=st.lists(st.text(max_size=5), max_size=3), teams=st.lists(st.text())
    ),
    window_weeks=st.integers(1, 520),
    parameters=st.dictionaries(
        st.from_regex(r"[a-z_]{1,8}", fullmatch=True),
        st.one_of(st.text(), st.booleans(), st.integers(-(2**40), 2**40), st.lists(st.text())),
        max_size=3,
    ),
)


@given(reports)
def test_a_report_added_to_a_plan_reads_back_equal(tmp_path_factory, report):
    path = tmp_path_factory.mktemp("plan") / "reports.toml"
    path.write_text(f"# Mine.\n{DATA}settling_days = 7  # a week\n")
    add_report(path, report)
    assert Project.open(path).plan.reports == (report,)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Mine.")
    assert "settling_days = 7  # a week" in text
    with pytest.raises(PlanError, match="already has a report"):
        add_report(path, report)
    assert path.read_text(encoding="utf-8") == text


def test_rows_and_what_is_default_stay_out_of_the_way():
    rows = parse_plan(
        ONE + 'each = "row"\nrows = [{ name = "A", users = ["1"] }, { name = "B" }]'
    ).reports[0]
    assert report_table(rows) == {
        "name": "weekly",
        "each": "row",
        "rows": [{"name": "A", "users": ["1"]}, {"name": "B"}],
    }
    assert report_table(ReportPlan(name="x")) == {"name": "x"}
    assert tomllib.loads(ONE)["reports"] == [report_table(ReportPlan(name="weekly"))]


def due(text: str, period: str, zone: str) -> str:
    report = ReportPlan.model_validate({"name": "r", **tomllib.loads(text)})
    return report.due_at(Period.parse(period), zone).isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("text", "period", "zone", "expected"),
    [
        ("", "2026-W46", "Europe/Stockholm", "2026-11-16T06:00+00:00"),
        ('on = "wednesday"', "2026-W53", "Europe/Stockholm", "2027-01-06T06:00+00:00"),
        ('every = "month"\non = 3', "2026-12", "Asia/Tokyo", "2027-01-02T22:00+00:00"),
        ('every = "day"\nat = "00:00"', "2026-12-31", "America/New_York", "2027-01-01T05:00+00:00"),
        # 02:30 does not exist on the Sunday that summer time begins: due as much later.
        ('on = "sunday"\nat = "02:30"', "2026-W12", "Europe/Berlin", "2026-03-29T01:30+00:00"),
        # 02:30 comes twice on the Sunday that it ends: due the first time.
        ('on = "sunday"\nat = "02:30"', "2026-W42", "Europe/Berlin", "2026-10-25T00:30+00:00"),
        ('at = "07:00"', "2026-W12", "Europe/Berlin", "2026-03-23T06:00+00:00"),
        ('at = "07:00"', "2026-W13", "Europe/Berlin", "2026-03-30T05:00+00:00"),
    ],
)
def test_when_a_report_is_due(text, period, zone, expected):
    assert due(text, period, zone) == expected


@given(
    st.sampled_from(["day", "week", "month"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Asia/Kathmandu"]),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2040, 1, 1), timezones=st.just(dt.UTC)),
)
def test_the_newest_period_that_is_due_is_over_and_the_next_is_not_due(every, zone, at, now):
    report = ReportPlan(name="r", every=every, at=at)
    period = report.newest_due(now, zone)
    assert report.due_at(period, zone) <= now < report.due_at(period.later(1), zone)
    assert period.end < now.astimezone(zoneinfo.ZoneInfo(zone)).date()


def test_the_sample_project_of_the_docs_opens(tmp_path):
    text = ONE.replace('"exports"', f'"{SAMPLE}"') + 'notebook = "sender"\neach = "user"'
    (tmp_path / "reports.toml").write_text(text)
    Project.open(tmp_path).check()
