"""Commands: the same figures as the library, in every format, and mistakes in words."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json

import polars as pl
import pytest
from click.testing import CliRunner
from polars.testing import assert_frame_equal

from senderscore_nb import Selection, open_account, score
from senderscore_nb.cli import main
from tests.conftest import MONDAY
from tests.hostile import write_hostile

PROMISED = (
    *("user_id", "sequence_id", "ended", "replied", "bounced", "reply_rate", "bounce_rate"),
    *("reply_points", "bounce_points", "score", "band", "status"),
)


def run(*arguments: str):
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """A canonical file with days: it needs neither a mapping nor a time zone."""
    folder = tmp_path_factory.mktemp("account")
    rows = [
        {
            "enrollment_id": f"{user}-{i}",
            "user_id": user,
            "sequence_id": str(i % 3),
            "enrolled_on": MONDAY + dt.timedelta(days=i % 50),
            "ended_on": MONDAY + dt.timedelta(days=i % 50 + 3) if i % 9 else None,
            "replied": i % 11 == 0,
            "bounced": i % 41 == 0,
        }
        for user in ("7", "8", "9")
        for i in range(600 if user != "9" else 60)
    ]
    pl.DataFrame(rows).write_csv(folder / "mine.csv")
    (folder / "roster.csv").write_text("user_id,team,paid_seat\n7,North,true\n8,South,false\n")
    return folder


@pytest.mark.parametrize(
    "by", ["user", "team", "sequence", "user,sequence", "week", "user,month", "all"]
)
def test_every_format_has_the_librarys_figures(account, by, tmp_path):
    opened = open_account(account)
    expected = opened.labels.add(score(opened.tallies, by=by, roster=opened.roster))
    got = {}
    for form in ("csv", "json", "parquet"):
        path = tmp_path / f"scores.{form}"
        made = run("score", str(account), "--by", by, "--format", form, "--output", str(path))
        assert made.exit_code == 0, made.output
        got[form] = path
    assert_frame_equal(pl.read_parquet(got["parquet"]), expected)
    records = json.loads(got["json"].read_text())
    assert [r["score"] for r in records] == expected["score"].to_list()
    assert list(records[0]) == expected.columns
    with got["csv"].open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [float(r["reply_rate"]) for r in table] == expected["reply_rate"].to_list()


def test_the_columns_that_are_promised_are_there(account):
    made = run("score", str(account), "--by", "user,sequence", "--format", "csv")
    header = next(csv.reader(io.StringIO(made.stdout)))
    for name in PROMISED:
        assert name in header


def test_one_file_alone_just_works(account):
    made = run("score", str(account / "mine.csv"), "--by", "user")
    assert made.exit_code == 0
    assert "Collecting" in made.stdout
    assert "No paid seat" not in made.stdout  # the roster is found in a folder, not beside a file


def test_options_select(account):
    chosen = Selection.parse({"users": ["7"], "start": "2026-03-10", "end": "2026-04-01"})
    opened = open_account(account)
    expected = opened.select(chosen)["ended"].sum()
    made = run("score", str(account), *chosen.to_options(), "--format", "json")
    assert [r["ended"] for r in json.loads(made.stdout)] == [expected]
    teams = run("score", str(account), "--team", "South", "--format", "json")
    assert [r["user_id"] for r in json.loads(teams.stdout)] == ["8"]


def test_a_factor_is_looked_up_in_the_enrollments(account):
    made = run(
        "score", str(account), "--factor", "enrolled_weekday=1", "--by", "all", "--format", "json"
    )
    (row,) = json.loads(made.stdout)
    opened = open_account(account)
    rows = opened.reading.accepted.filter(
        (pl.col("enrolled_on").dt.weekday() == 1) & pl.col("ended_on").is_not_null()
    )
    assert row["ended"] == rows.height > 0


def test_a_sender_is_expected_alike_alone_and_among_others(account):
    both = json.loads(run("score", str(account), "--format", "json").stdout)
    alone = json.loads(run("score", str(account), "--user", "9", "--format", "json").stdout)
    assert [r["expected_on"] for r in both if r["user_id"] == "9"] == [alone[0]["expected_on"]]


def test_nothing_left_is_said(account):
    made = run("score", str(account), "--start", "2030-01-01", "--format", "csv")
    assert made.exit_code == 0
    assert "Nothing is left" in made.stderr
    assert len(made.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["score", "{here}", "--by", "usr"], "Did you mean 'user'"),
        (["score", "{here}", "--policy", "hubspot"], "hubspot-article"),
        (["score", "{here}", "--start", "1.3.2026"], "YYYY-MM-DD"),
        (["score", "{here}", "--team", "Nort"], "Did you mean 'North'"),
        (["score", "{here}", "--user", "77"], "There is no user with the id '77'"),
        (["score", "{here}", "--sequence", "x"], "There is no sequence with the id 'x'"),
        (["score", "{here}", "--factor", "segment"], "NAME=VALUE"),
        (["score", "{here}", "--factor", "segmnt=a"], "There is no factor 'segmnt'"),
        (["report", "{here}", "--week", "2031-W01", "-o", "{here}/out"], "The data ends on 2026-"),
        (["score", "{here}", "--timezone", "Europe/Berln"], "Did you mean 'Europe/Berlin'"),
        (["score", "{here}", "--mapping", "hubspot-e"], "hubspot-en"),
        (["score", "{here}", "--roster", "{here}/mine.csv"], "there twice"),
        (["score", "{here}/none.csv"], "none.csv"),
        (["score", "{here}", "--format", "csv", "-o", "{here}/no/such/x.csv"], "Cannot be written"),
        (["report", "{here}", "--notebook", "wekly"], "Did you mean 'weekly'"),
        (["policy", "show", "hubspot"], "hubspot-article"),
    ],
)
def test_a_mistake_is_one_message_and_exit_2(account, arguments, says):
    made = run(*(a.replace("{here}", str(account)) for a in arguments))
    assert made.exit_code == 2
    assert says in made.output
    assert "Traceback" not in made.output
    assert made.exception is None or isinstance(made.exception, SystemExit)


def test_no_option_and_no_data_say_what_is_missing():
    assert run("score").exit_code == 2
    assert run("nonsense").exit_code == 2
    assert run().exit_code in (0, 2)


def test_policies_are_listed_and_shown(tmp_path):
    assert "hubspot-article v1" in run("policy", "list").stdout
    mine = tmp_path / "mine.toml"
    mine.write_text(run("policy", "show").stdout)
    assert run("policy", "show", str(mine)).stdout == mine.read_text()


def test_hostile_names_are_text_in_spreadsheets_and_terminals(tmp_path):
    data = write_hostile(tmp_path / "data")
    made = run("score", str(data), "--by", "user,sequence", "--format", "csv")
    assert made.exit_code == 0
    names = [row["user_id"] for row in csv.DictReader(io.StringIO(made.stdout))]
    assert any(name.startswith("'=HYPERLINK") for name in names)
    assert not any(name.lstrip().startswith(("=", "+", "-", "@")) for name in names)
    shown = run("score", str(data))
    assert shown.exit_code == 0
    assert "\x1b" not in shown.stdout
    assert "\u202e" not in shown.stdout
    assert "=HYPERLINK" in shown.stdout


def test_the_files_ending_says_the_format_and_the_table_its_days(account, tmp_path):
    path = tmp_path / "scores.csv"
    assert run("score", str(account), "-o", str(path)).exit_code == 0
    assert path.read_text().startswith("user_id,")
    assert "policy hubspot-article v1 (" in run("score", str(account)).stdout


def test_a_file_of_which_nothing_is_accepted_is_a_mistake(tmp_path):
    (tmp_path / "x.csv").write_text(
        "enrollment_id,user_id,sequence_id,enrolled_on,ended_on,replied,bounced\n1,2,3,?,,0,0\n"
    )
    made = run("score", str(tmp_path / "x.csv"))
    assert made.exit_code == 2
    assert "All 1 rows were rejected" in made.output
