"""Charts and commands of weekly control, shrinkage and what lies ahead."""

from __future__ import annotations

import datetime as dt
import json
import re
import shlex

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from senderscore_nb import charts
from senderscore_nb.cli import main
from senderscore_nb.drivers import Outlook, ahead_by_week, power_curve, shrinkage, watch
from senderscore_nb.errors import ContractError
from tests.chart_frames import HOSTILE, expressions, mark_types, picture, proven, rows_of
from tests.conftest import MONDAY, ROOT, SAMPLE, tally_rows

SINCE = MONDAY + dt.timedelta(weeks=26)
READ = [str(SAMPLE), "--timezone", "Europe/Stockholm"]


def tallies(name="7", *, jump=5):
    """Forty weeks of one sender; from the 32nd on bounces are so many times as many."""
    rng = np.random.default_rng(1)
    rows = []
    for week in range(40):
        bounced = int(rng.binomial(150, 0.02 * (jump if week > 31 else 1)))
        replied = int(rng.binomial(150 - bounced, 0.09))
        rows.append((name, "1", MONDAY + dt.timedelta(weeks=week), 150, replied, bounced))
    return tally_rows(*rows)


def watched(name="7", measure="bounce_rate", **more):
    return watch(tallies(name, **more), since=SINCE).filter(measure=measure)


def test_rules_are_diamonds_with_names_and_the_watch_begins_at_a_line():
    spec = proven(charts.control(watched()))
    weeks = rows_of(spec, "rate")
    fired = {r["week"] for r in weeks if r["out"]}
    assert fired
    assert len({r["week"] for r in weeks}) == 40
    shapes = [layer["mark"].get("shape") for layer in spec["layer"]]
    assert "diamond" in shapes
    assert any(r.get("text") in ("beyond", "2 of 3", "4 of 5") for r in rows_of(spec, "text"))
    assert rows_of(spec, "from")[0]["text"] == "watched →"
    assert "rules fire in" in spec["description"]
    assert "baseline 2." in spec["description"] or "baseline 1." in spec["description"]


def test_calm_weeks_have_no_names():
    spec = proven(charts.control(watched(measure="reply_rate", jump=1)))
    assert "no rule fires" in spec["description"]
    assert not any(r.get("text") == "beyond" for r in rows_of(spec, "text"))


def test_without_limits_there_are_still_the_rates():
    few = watch(tallies(), since=MONDAY + dt.timedelta(weeks=5)).filter(measure="reply_rate")
    spec = proven(charts.control(few))
    assert "no rule fires" in spec["description"]
    assert proven(charts.so_far(few))


def test_the_rate_so_far_says_when_there_was_enough_evidence():
    spec = proven(charts.so_far(watched()))
    assert "Enough evidence of a change from" in spec["description"]
    assert any(r["text"] == "changed" for r in rows_of(spec, "text"))
    calm = proven(charts.so_far(watched(measure="reply_rate")))
    assert "Enough evidence" not in calm["description"]
    assert "area" in mark_types(calm)


def test_a_chart_of_one_rate_refuses_several():
    both = watch(tallies(), since=SINCE)
    with pytest.raises(ContractError, match="2 measures"):
        charts.control(both)
    with pytest.raises(ContractError, match="2 keys"):
        charts.so_far(pl.concat([watched("a"), watched("b")]))
    with pytest.raises(ContractError, match="'rules'"):
        charts.control(watched().drop("rules"))


def test_raw_and_shrunk_stand_in_the_order_of_what_is_shrunk():
    rows = [(str(i), "1", MONDAY, 60 + 40 * i, 4 + 7 * i, i) for i in range(5)]
    spec = proven(charts.shrunk(shrinkage(tally_rows(*rows))))
    rates = [r["rate"] for r in rows_of(spec, "rate")][:5]
    assert rates == sorted(rates, reverse=True)
    assert "Drawn the most" in spec["description"]
    assert proven(charts.shrunk(shrinkage(tally_rows(*rows)), measure="bounce_rate", width=200))


def test_the_next_band_names_each_line_with_its_goal():
    rows = [
        (name, "1", MONDAY + dt.timedelta(weeks=w), n, r, b)
        for w in range(12)
        for name, n, r, b in (("new", 9 if w > 6 else 0, 1, 0), ("near", 100, 6, 3))
    ]
    weeks = ahead_by_week(tally_rows(*rows), outlook=Outlook(weeks=8, draws=200))
    spec = proven(charts.next_band(weeks))
    names = [r["text"] for r in rows_of(spec, "place")]
    assert any(n.startswith("new: a score") for n in names)
    assert any(n.startswith("near: ") for n in names)
    assert "probability by" in spec["description"]


def test_power_shows_what_the_sizes_say():
    spec = proven(charts.power(power_curve(10), points=10))
    assert "more replies 80 % at" in spec["description"]
    assert len({r["way"] for r in rows_of(spec, "way")}) == 4


def test_nothing_to_show():
    empty = watch(tally_rows())
    for chart in (
        charts.control(empty),
        charts.so_far(empty),
        charts.shrunk(shrinkage(tally_rows())),
        charts.next_band(ahead_by_week(tally_rows())),
        charts.power(power_curve(10, sizes=[])),
    ):
        assert "Nothing to show" in picture(proven(chart))


def test_hostile_names_are_drawn_and_in_no_expression():
    rows = [
        (name[:300], "1", MONDAY + dt.timedelta(weeks=w), 60, 4 + i % 3, 1)
        for i, name in enumerate(HOSTILE)
        for w in range(12)
    ]
    frame = tally_rows(*rows)
    for chart in (
        charts.control(watched(HOSTILE[0])),
        charts.so_far(watched(HOSTILE[4])),
        charts.shrunk(shrinkage(frame)),
        charts.next_band(ahead_by_week(frame, outlook=Outlook(draws=100))),
    ):
        spec = proven(chart)
        assert "<script" not in picture(spec)
        for expression in expressions(spec):
            assert not any(part in expression for part in ("alert", "HYPERLINK", "etc", "nul"))


def run(*arguments):
    got = CliRunner().invoke(main, ["drivers", *arguments])
    assert got.exit_code == 0, got.output
    return got


def test_the_sample_tells_what_is_planted():
    said = run("watch", *READ).stdout
    assert "reply rate of Chloé Martin" in said
    assert "bounce rate of Priya Raman" in said
    assert "evidence" in said
    assert "1016" not in said.split("\n\n")[0]
    weeks = run("watch", *READ, "--by", "everyone", "--all-weeks", "--since", "2026-08-10").stdout
    assert weeks.count("reply_rate") == 40


def test_the_commands_write_every_column_as_data():
    got = run("shrinkage", *READ, "--start", "2026-11-02", "--format", "json")
    rows = json.loads(got.stdout)
    for name in ("reply_rate", "reply_rate_shrunk_low", "reply_rate_weight", "user_label"):
        assert name in rows[0]
    assert "beside the raw ones" in got.stderr
    csv = run("ahead", *READ, "--user", "1016", "--user", "1012", "--format", "csv").stdout
    frame = pl.read_csv(csv.encode(), infer_schema=False)
    assert frame["user_id"].to_list() == ["1012", "1016"]
    assert frame.filter(user_id="1016")["ready_on"][0] is not None
    table = run("ahead", *READ, "--weeks", "4", "--points", "10").stdout
    assert "Will have a score: Lucía Fernández" in table
    assert "Telling 10 points takes" in table


def test_a_table_is_written_to_a_file_with_its_words(tmp_path):
    target = tmp_path / "shrunk.txt"
    run("shrinkage", *READ, "--team", "Nordics", "--output", str(target))
    text = target.read_text(encoding="utf-8")
    assert text.startswith("Shrunk rates are estimates")
    assert "Amina" in text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["watch", "--by", "user,week"], "by week already"),
        (["watch", "--since", "yesterday"], "--since"),
        (["ahead", "--points", "0"], "--points"),
        (["ahead", "--end", "then"], "end"),
        (["shrinkage", "--user", "nobody"], "nobody"),
    ],
)
def test_mistakes_are_one_message(wrong, said):
    got = CliRunner().invoke(main, ["drivers", *wrong, *READ])
    assert got.exit_code == 2
    assert said in got.output
    assert "Traceback" not in got.output


def test_nothing_selected_is_said_not_raised():
    for command in ("watch", "shrinkage", "ahead"):
        got = run(command, *READ, "--start", "2031-01-01")
        assert "Nothing is left" in got.stderr


def test_the_pages_examples_run_and_its_picture_is_there(monkeypatch, capsys):
    page = (ROOT / "docs" / "drivers-outlook.md").read_text(encoding="utf-8")
    monkeypatch.chdir(ROOT)
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    exec(compile(code, "drivers-outlook.md", "exec"), {})  # noqa: S102
    printed = capsys.readouterr().out
    assert "1016" in printed
    assert "fewer bounces" in printed
    for line in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)[0].splitlines():
        program, _, *arguments = shlex.split(line)
        assert program == "senderscore"
        assert run(*arguments).stdout
