"""Commands over policies: checked, told apart and compared, in every format."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json

import polars as pl
import pytest
from click.testing import CliRunner

from senderscore_nb import Selection, open_account
from senderscore_nb.cli import main
from senderscore_nb.experiment import compare
from tests.conftest import MONDAY
from tests.experiment_frames import POLICY
from tests.hostile import write_hostile


def run(*arguments: str):
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three senders, one of them collecting, and a policy that is stricter on Good."""
    place = tmp_path_factory.mktemp("policies")
    data = place / "data"
    data.mkdir()
    rows = [
        {
            "enrollment_id": f"{user}-{i}",
            "user_id": user,
            "sequence_id": "1",
            "enrolled_on": MONDAY + dt.timedelta(days=i % 50),
            "ended_on": MONDAY + dt.timedelta(days=i % 50 + 3),
            "replied": i % every == 0,
            "bounced": i % 41 == 0,
        }
        for user, every, n in (("7", 11, 700), ("8", 30, 700), ("9", 9, 60))
        for i in range(n)
    ]
    pl.DataFrame(rows).write_csv(data / "mine.csv")
    text = POLICY.to_toml().replace('"hubspot-article"', '"strict"').replace("= 70.0", "= 82")
    (place / "strict.toml").write_text(text)
    return place


def both(folder, *more: str):
    names = ("--policy", "hubspot-article", "--policy", str(folder / "strict.toml"))
    return run("policy", "compare", str(folder / "data"), *names, *more)


def test_compare_prints_bands_agreement_migration_and_movers(folder):
    made = both(folder, "--weeks", "4")
    assert made.exit_code == 0, made.output
    headings = ("bands", "agreement", "migration", "movers", "stability", "flips over time")
    places = [made.stdout.index(f"\n{name}\n" if i else name) for i, name in enumerate(headings)]
    assert places == sorted(places)
    assert POLICY.label in made.stdout
    assert "Collecting" in made.stdout


def test_compare_gives_the_librarys_figures(folder, tmp_path):
    strict = (folder / "strict.toml").as_posix()
    account = open_account(folder / "data")
    chosen = Selection(users=["7", "8"], start="2026-03-10")
    found = compare(account, [POLICY, strict], selection=chosen, weeks=4)
    path = tmp_path / "x.json"
    made = both(folder, "--weeks", "4", *chosen.to_options(), "-o", str(path))
    assert made.exit_code == 0, made.output
    twin = json.loads(path.read_text())
    assert twin["bands"] == found.bands().to_dicts()
    assert twin["agreement"] == found.agreement().to_dicts()
    assert twin["movers"] == found.movers().filter("moves").drop("moves").to_dicts()
    assert len(twin["agreement over time"]) == found.over_time().height
    rows = list(csv.DictReader(io.StringIO(both(folder, "--format", "csv").stdout)))
    assert [row["strict"] for row in rows] == compare(account, [strict]).bands()["strict"].to_list()


def test_several_policies_are_named_in_the_headings(folder):
    made = both(folder, "--policy", "hubspot-article", "--format", "json")
    assert made.exit_code == 0
    names = list(json.loads(made.stdout))
    assert sum(name.startswith("migration ") for name in names) == 2


def test_nobody_with_a_score_is_said(folder):
    made = both(folder, "--user", "9")
    assert made.exit_code == 0
    assert "nobody" in made.stdout
    assert "stability" not in made.stdout


def test_check_says_every_mistake_or_what_the_policy_says(folder, tmp_path):
    good = run("policy", "check", str(folder / "strict.toml"))
    assert good.exit_code == 0
    assert "Good from 82 to below 90" in good.stdout
    bad = tmp_path / "bad.toml"
    text = (folder / "strict.toml").read_text().replace("lower = 40.0", "lower = 95")
    bad.write_text(text.replace("user = 100", "user = 0"))
    made = run("policy", "check", str(bad))
    assert made.exit_code == 1
    lines = made.stdout.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{bad}: ") for line in lines)
    assert "minimum.user" in made.stdout
    assert "bands.3.lower" in made.stdout
    assert run("policy", "check", "hubspot-article").exit_code == 0


def test_diff_names_what_differs(folder):
    made = run("policy", "diff", "hubspot-article", str(folder / "strict.toml"))
    assert made.exit_code == 0
    assert "band Good" in made.stdout
    assert "from 82" in made.stdout
    twin = run("policy", "diff", "hubspot-article", str(folder / "strict.toml"), "--format", "json")
    assert json.loads(twin.stdout)["differences"] == [
        {"key": "band Good", "before": "from 70", "after": "from 82"}
    ]
    same = run("policy", "diff", "hubspot-article", "hubspot-article")
    assert "Both score alike." in same.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", "hubspot"], "hubspot-article"),
        (["check", "{here}/none.toml"], "cannot be read"),
        (["diff", "hubspot-article", "strickt"], "There is no policy"),
        (["compare", "{here}/data", "--policy", "hubspot-article"], "another --policy"),
        (["compare", "{here}/data", "--policy", "x", "--policy", "y"], "no policy named 'x'"),
        (
            ["compare", "{here}/data", "--policy", "hubspot-article", "--policy",
             "{here}/strict.toml", "-o", "x.parquet"],
            "Use .json",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_one_message_and_exit_2(folder, arguments, says):
    made = run("policy", *(a.replace("{here}", str(folder)) for a in arguments))
    assert made.exit_code == 2
    assert says in made.output
    assert "Traceback" not in made.output


def test_hostile_names_are_text(folder, tmp_path):
    data = write_hostile(tmp_path / "data")
    odd = tmp_path / "odd.toml"
    text = (folder / "strict.toml").read_text()
    odd.write_text(text.replace('"strict"', '"=1+1\\u001b[31m"').replace('"Fair"', '"=2"'))
    names = ("--policy", "hubspot-article", "--policy", str(odd))
    made = run("policy", "compare", str(data), *names, "--weeks", "1")
    assert made.exit_code == 0, made.output
    assert "\x1b" not in made.stdout
    assert "\u202e" not in made.stdout
    table = run("policy", "compare", str(data), *names, "--format", "csv").stdout
    for row in csv.reader(io.StringIO(table)):
        assert not any(cell.lstrip().startswith(("=", "+", "@")) for cell in row), row
