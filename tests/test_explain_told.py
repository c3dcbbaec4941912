"""Explained changes in words, in steps, on the command line and in the reports."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
import shlex

import polars as pl
import pytest
from click.testing import CliRunner

from senderscore_nb import open_account
from senderscore_nb.change import Window
from senderscore_nb.cli import main
from senderscore_nb.drivers import explain_change, explain_difference, steps, story
from senderscore_nb.drivers.explain_windows import windows
from senderscore_nb.errors import ContractError, SelectionError
from senderscore_nb.sample import monday
from tests.conftest import MONDAY, ROOT, SAMPLE, tally_rows

ZONE = "Europe/Stockholm"
SPACE = "\u00a0"


@pytest.fixture(scope="module")
def account():
    return open_account(SAMPLE, timezone=ZONE)


def weeks(first, last):
    return Window(monday(first), monday(last) + dt.timedelta(days=6))


def why_of(account, user, before, after=(29, 40)):
    tallies = account.tallies.filter(pl.col("user_id") == user)
    return explain_change(
        tallies, account.policy, before=weeks(*before), after=weeks(*after), roster=account.roster
    )


def side(*rows):
    return tally_rows(*(("7", sequence, MONDAY, *counts) for sequence, *counts in rows))


def test_the_sender_whose_mix_alone_moved(account):
    """Planted: from week 23 on Reactivation has 85 % of the enrollments of 1007 instead of 15 %."""
    why = why_of(account, "1007", (5, 20))
    lines = story(why, labels=account.labels)
    assert lines[0].startswith("The score fell 20.2 points, from 80.2 to 60.0 (−")
    assert lines[1].startswith("Most of it (−15.1) is the mix of sequences: Reactivation went")
    assert f"from 15{SPACE}% to 83{SPACE}% of what ended" in lines[1]
    assert lines[2].startswith("The bounce rates of the sequences (−3.3) and the reply rates")
    assert lines[2].endswith("moved it by no more than noise.")
    assert len(lines) == 3


def test_the_sender_whose_bounces_climb(account):
    """Planted: a purchased list bounces more every week, whatever the sequence of 1003."""
    lines = story(why_of(account, "1003", (5, 20)), labels=account.labels)
    assert "fell 26.6 points" in lines[0]
    assert lines[1].startswith("Almost all of it (−28.5) is the bounce rates of the sequences: ")
    assert lines[1].count(" to ") == 3
    assert "reply rates of the sequences (+1.9) and the mix" in lines[2]


@pytest.mark.parametrize("user", ["1002", "1006"])
def test_the_sequence_that_wears_out(account, user):
    """Planted: the reply rate of 308 falls from 11.3 % to 3.2 % over the 40 weeks."""
    why = why_of(account, user, (3, 14))
    worn = why.parts.filter(pl.col("certain"))
    assert worn.select("sequence_id", "kind").rows() == [("308", "reply_rate")]
    assert worn["part"].item() < -3
    told = " ".join(story(why, labels=account.labels))
    assert "the reply rate of Product launch, from 10." in told
    assert f"to 3.{'4' if user == '1002' else '2'}{SPACE}%" in told


def test_the_sequence_that_wears_out_for_the_one_who_uses_it_less(account):
    why = why_of(account, "1013", (3, 14))
    worst = why.parts.filter(pl.col("kind") == "reply_rate").sort("part").row(0, named=True)
    assert worst["sequence_id"] == "308"
    assert worst["part_high"] < 0
    together = account.tallies.filter(pl.col("user_id").is_in(["1002", "1006", "1013"]))
    all_three = explain_change(
        together, account.policy, before=weeks(3, 14), after=weeks(29, 40), by="sequence"
    )
    assert "the reply rate of Product launch" in " ".join(story(all_three, labels=account.labels))


def test_nothing_planted_is_nothing_told(account):
    for user in ("1001", "1005", "1008", "1011"):
        why = why_of(account, user, (5, 20))
        told = story(why, labels=account.labels)
        assert not why.kinds["certain"].any()
        assert "within noise" in told[0] or "stayed" in told[0]
        assert "fell" not in told[0]


def test_words_for_every_state():
    known = ("a", 300, 30, 3)
    cases = {
        "nothing ended before": (("a", 0, 0, 0), known),
        "nothing ended after": (known, ("a", 0, 0, 0)),
        "not known on one side": (("a", 300, 30, None), known),
        "below 100 ended enrollments (20 before, 300 after)": (("a", 20, 2, 0), known),
        "stayed at 85.2 (−12.0 to +12.0).": (known, known),
    }
    for words, (before, after) in cases.items():
        assert words in " ".join(story(explain_difference(side(before), side(after)))), words


def test_who_comes_who_goes_and_what_works_against_it():
    why = explain_difference(
        side(("old", 3000, 450, 20), ("kept", 3000, 90, 30)),
        side(("new", 3000, 120, 20), ("kept", 3000, 190, 30)),
    )
    told = " ".join(story(why, who="Ann"))
    assert told.startswith("Ann fell ")
    assert f"old is gone, which had 50{SPACE}% of what ended" in told
    assert f"new is new, with 50{SPACE}% of what ended" in told
    assert "The other way (+" in told
    assert "worked the reply rate of kept, from 3.0" in told
    only_reasons = story(why, noise=False)
    assert "no more than noise" not in " ".join(only_reasons)


def test_one_change_is_told_at_a_time():
    two = pl.concat(
        [side(("a", 300, 30, 3)), side(("a", 300, 30, 3)).with_columns(user_id=pl.lit("8"))]
    )
    why = explain_difference(two, two, within="user")
    for tell in (story, steps):
        with pytest.raises(ContractError, match="one is told at a time"):
            tell(why)
        assert len(tell(why.of(user_id="8")))


def test_steps_lead_from_before_to_after(account):
    why = why_of(account, "1003", (5, 20))
    for most in (1, 3, 8):
        frame = steps(why, labels=account.labels, most=most)
        rows = frame.rows(named=True)
        assert (rows[0]["kind"], rows[-1]["kind"]) == ("before", "after")
        assert rows[0]["end"] == why.changes["score_before"].item()
        assert rows[-1]["end"] == why.changes["score"].item()
        for one, other in itertools.pairwise(rows):
            assert other["start"] == pytest.approx(one["end"], abs=1e-9)
        parts = frame.filter(~pl.col("kind").is_in(["before", "after", "rest"]))
        assert 0 < parts.height <= most
        sizes = parts["part"].abs()
        assert sizes.to_list() == sizes.sort(descending=True).to_list()
        assert frame["part"].sum() == pytest.approx(why.changes["change"].item(), abs=1e-9)
    nothing = explain_difference(side(("a", 0, 0, 0)), side(("a", 9, 1, 0)))
    assert steps(nothing).is_empty()
    same = explain_difference(side(("a", 300, 30, 3)), side(("a", 300, 30, 3)))
    assert steps(same)["kind"].to_list() == ["before", "after"]


def test_windows_by_name():
    days = tally_rows(
        ("7", "1", dt.date(2026, 3, 2), 1, 0, 0), ("7", "1", dt.date(2026, 11, 17), 1, 0, 0)
    )

    def between(**names):
        return [(str(w.start), str(w.end)) for w in windows(days, **names)]

    assert between() == [("2026-06-01", "2026-08-23"), ("2026-08-24", "2026-11-15")]
    assert between(weeks=1) == [("2026-11-02", "2026-11-08"), ("2026-11-09", "2026-11-15")]
    assert between(after="2026-10") == [("2026-09-01", "2026-09-30"), ("2026-10-01", "2026-10-31")]
    assert between(before="2026-W01..2026-W02", after="2026-W10") == [
        ("2025-12-29", "2026-01-11"),
        ("2026-03-02", "2026-03-08"),
    ]
    assert between(after="2026-W03..2026-W04")[0] == ("2025-12-29", "2026-01-11")
    with pytest.raises(SelectionError, match="ends before it begins"):
        between(before="2026-W04..2026-W03")
    with pytest.raises(SelectionError, match="not a period"):
        between(before="last week")
    with pytest.raises(SelectionError, match="nothing has changed"):
        windows(days.head(0))


def run(*options):
    return CliRunner().invoke(
        main, ["drivers", "change", str(SAMPLE), "--timezone", ZONE, *options]
    )


def test_the_command_tells_and_tables(tmp_path):
    got = run("--user", "1007", "--before", "2026-W10..2026-W25")
    assert got.exit_code == 0, got.output
    assert "Days 2026-03-02 to 2026-06-21 before, 2026-08-24 to 2026-11-15 after" in got.output
    assert "is the mix of sequences: Reactivation went" in got.output
    assert "Mix: Reactivation" in got.output
    assert "more than noise" in got.output
    to_file = run("--user", "1007", "-o", str(tmp_path / "why.txt"))
    assert to_file.output == ""
    assert "Mix: Reactivation" in (tmp_path / "why.txt").read_text(encoding="utf-8")


def test_the_commands_data_has_every_column_and_adds_up(tmp_path):
    got = run("--within", "user", "--format", "json")
    rows = json.loads(got.output)
    assert {"user_label", "sequence_label", "kind", "part", "part_low", "share"} <= set(rows[0])
    made = run("--team", "Nordics", "--by", "user", "-o", str(tmp_path / "why.csv"))
    assert made.exit_code == 0, made.output
    frame = pl.read_csv(tmp_path / "why.csv")
    assert frame["user_id"].n_unique() == 6
    assert frame.height == 18


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--by", "sequnce"], "Did you mean 'sequence_id'"),
        (["--within", "nobody"], "cannot be asked by"),
        (["--before", "soon"], "is not a period"),
        (["--by", "user", "--within", "user"], "Split by something else"),
        (["--user", "nobody"], "There is no user"),
    ],
)
def test_a_mistake_is_one_message(options, says):
    got = run(*options)
    assert got.exit_code == 2
    assert says in got.output
    assert "Traceback" not in got.output


def test_the_reports_tell_it(account):
    from senderscore_nb.reports.blocks import plain
    from senderscore_nb.reports.sender import SenderReport
    from senderscore_nb.reports.weekly import WeeklyReport
    from senderscore_nb.selection import Selection

    weekly = WeeklyReport.open([str(SAMPLE)], timezone=ZONE)
    told = weekly.why_words()._repr_html_()
    assert "Compared with the 12 weeks before (1 Jun 2026 to 23 Aug 2026)." in told
    assert "Everyone together fell 1.9 points" in told
    assert "Priya Raman fell 26.2 points" in told
    assert "Chloé Martin" in told
    assert "Amina Yusuf" not in told
    mine = SenderReport.open([str(SAMPLE)], timezone=ZONE, selection=Selection(users=["1007"]))
    figure = mine.why_chart()._repr_mimebundle_()
    assert "From a score of 75.5 Good before to 60.0 Fair after" in figure["text/plain"]
    twin = plain(mine.summary().data)["explained"]
    assert twin["before"] == ["2026-06-01", "2026-08-23"]
    parts = sum(p["part"] for p in twin["sender"]["parts"])
    assert parts == pytest.approx(twin["sender"]["changes"][0]["change"], abs=1e-9)
    senders = plain(weekly.summary().data)["explained"]["senders"]
    assert all(p["certain"] for p in senders["parts"])


def test_a_report_without_anything_before_says_so():
    from senderscore_nb.reports.sender import SenderReport
    from senderscore_nb.reports.weekly import WeeklyReport
    from senderscore_nb.selection import Selection

    for report in (
        WeeklyReport.open([str(SAMPLE)], timezone=ZONE, period="2026-W12"),
        SenderReport.open(
            [str(SAMPLE)], timezone=ZONE, period="2026-W12", selection=Selection(users=["1001"])
        ),
    ):
        assert "nothing ended before" in report.why_words()._repr_html_()
    assert "Nothing to compare" in report.why_chart().table._repr_html_()


def test_the_page_of_the_docs_says_what_is_so(monkeypatch, capsys):
    page = (ROOT / "docs" / "drivers-change.md").read_text(encoding="utf-8")
    code, text, command = (
        re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL)[1] for kind in ("python", "text", "sh")
    )
    monkeypatch.chdir(ROOT)
    exec(compile(code, "drivers-change.md", "exec"), {})  # noqa: S102
    assert capsys.readouterr().out.replace(SPACE, " ") == text
    got = CliRunner().invoke(main, shlex.split(command)[1:])
    assert got.exit_code == 0, got.output
    assert "the mix of sequences" in got.output
