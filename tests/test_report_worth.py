"""What would move a score, in the reports: the planted story, and nothing invented."""

from __future__ import annotations

import polars as pl
import pytest

from senderscore_nb import account as accounts
from senderscore_nb.contract import REQUIRED
from senderscore_nb.drivers import levers
from senderscore_nb.reports.sender import SenderReport
from senderscore_nb.reports.weekly import WeeklyReport
from senderscore_nb.reports.worth import lever_table
from senderscore_nb.selection import Selection
from senderscore_nb.snapshot import VARIABLE, Asked, Snapshot, rules_name, save_snapshot
from tests.conftest import SAMPLE

ZONE = "Europe/Stockholm"


@pytest.fixture(scope="module")
def weekly() -> WeeklyReport:
    return WeeklyReport.open([str(SAMPLE)], timezone=ZONE)


def test_the_weekly_report_tells_what_goes_with_replies_and_bounces(weekly):
    said = " ".join(map(str, weekly.factor_words().paragraphs))
    assert "“Purchased list” bounced" in said
    assert "personalization token" in said
    assert "Associations, not causes" in said
    worths = {row["lever"]: row for row in weekly.worths.iter_rows(named=True)}
    assert worths["tokens"]["status"] == "supported"
    assert worths["segments"]["status"] == "no_effect_shown"
    assert weekly.summary().data["levers"] is weekly.worths


def test_a_sender_is_told_of_the_own_levers_only():
    report = SenderReport.open([str(SAMPLE)], timezone=ZONE, selection=Selection(users=["1003"]))
    assert report.worths["user_id"].unique().to_list() == ["1003"]
    (first, *_) = report.lever_words().paragraphs
    assert "contact sources that bounce more" in first
    assert "better band" in first
    html = report.lever_table()._repr_html_()
    assert "too few enrollments to tell" in html
    assert "None" not in html


def test_reports_that_share_a_reading_share_its_effects(tmp_path, monkeypatch, weekly):
    read = weekly.account
    rules = rules_name(read.policy.counting)
    kept = Snapshot(read.reading, read.roster, read.labels, {rules: read.tallies})
    asked = Asked.of([str(SAMPLE)], timezone=ZONE)
    save_snapshot(tmp_path, kept, asked)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    shared = accounts.open_account([str(SAMPLE)], timezone=ZONE)
    assert shared.snapshot == str(tmp_path)
    report = WeeklyReport.open([str(SAMPLE)], timezone=ZONE)
    assert report.worths.equals(weekly.worths)


def test_enrollments_without_factors_have_no_levers(tmp_path, weekly):
    bare = tmp_path / "bare.parquet"
    weekly.account.reading.accepted.select(*REQUIRED).write_parquet(bare)
    report = WeeklyReport.open([str(bare)])
    told = dict(report.worths.select("lever", "status").iter_rows())
    assert told.pop("sequences") == "supported"
    assert set(told.values()) == {"not_in_data"}
    assert "Not in the data: " in str(report.lever_words().paragraphs)
    assert report.lever_table()._repr_html_()


def test_the_table_is_of_what_the_levers_say(weekly):
    alone = levers(
        weekly.account.reading.accepted,
        weekly.policy,
        selection=weekly.chosen,
        roster=weekly.account.roster,
    )
    assert alone.equals(weekly.worths)
    assert lever_table(alone.head(0))._repr_html_()
    assert alone.filter(pl.col("status") == "supported").height
