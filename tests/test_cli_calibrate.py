"""`senderscore policy calibrate`: what it says, writes, refuses, and with which code it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from senderscore_nb.cli import main
from senderscore_nb.policy import load_policy
from tests.conftest import SAMPLE
from tests.hostile import NAMES

HEAD = "user,ended,reply rate,bounce rate,band\n"
ROWS = (
    "Amina,1984,15.6 %,0.4 %,Excellent\n"
    "Johan,1802,6.9 %,1.6 %,Good\n"
    "Sofia,958,6.1 %,3.4 %,Fair\n"
    "Daniel,1078,2.6 %,5.7 %,Low\n"
)


def run(folder: Path, text: str, *more: str) -> Result:
    path = folder / "readings.csv"
    path.write_text(text)
    return CliRunner().invoke(main, ["policy", "calibrate", str(path), *more])


def test_a_policy_is_fitted_and_written(tmp_path: Path) -> None:
    out = tmp_path / "fitted.toml"
    got = run(tmp_path, HEAD + ROWS, "-o", str(out), "--name", "ours")
    assert got.exit_code == 0, got.output
    assert "agree with all of 4 readings" in got.output
    assert "With 3 % bounces, Good" in got.output
    assert str(out) in got.output
    policy = load_policy(out)
    assert policy.name == "ours"
    assert policy.to_toml() == out.read_text()
    assert "Fitted to 4 readings" in policy.source
    shown = CliRunner().invoke(main, ["policy", "show", str(out)])
    assert shown.output == out.read_text()


def test_without_a_file_it_says_how_to_keep_it(tmp_path: Path) -> None:
    got = run(tmp_path, HEAD + ROWS)
    assert got.exit_code == 0
    assert "--output" in got.output


def test_contradictions_end_with_one(tmp_path: Path) -> None:
    out = tmp_path / "fitted.toml"
    got = run(tmp_path, HEAD + ROWS + "Eva,1000,16.5 %,0.2 %,Low\n", "-o", str(out))
    assert got.exit_code == 1
    assert "Eva (line 6) has more replies and fewer bounces than" in got.output
    assert "Left out: Eva (line 6)" in got.output
    assert load_policy(out)


def test_rejected_rows_end_with_one_and_are_kept(tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    got = run(tmp_path, HEAD + ROWS + "=Eva,1000,7.5,0.2 %,Low\n", "--rejects", str(rejects))
    assert got.exit_code == 1
    assert "1 of 5 readings were rejected" in got.stderr
    assert "line 6: reply_rate: a bare number is ambiguous" in got.stderr
    assert "=Eva" in rejects.read_text()


def test_data_says_whom_to_read_next(tmp_path: Path) -> None:
    got = run(
        tmp_path, HEAD + ROWS, str(SAMPLE), "--timezone", "Europe/Stockholm",
        "--start", "2026-08-24", "--at-bounces", "", "--at-replies", "",
    )  # fmt: skip
    assert got.exit_code == 0, got.output
    assert "Read next:" in got.output
    assert "left on average" in got.output


def test_assumptions_are_options(tmp_path: Path) -> None:
    out = tmp_path / "fitted.toml"
    got = run(
        tmp_path, HEAD + ROWS, "-o", str(out), "--reply-knots", "0,0.07,0.13,0.2",
        "--bounce-knots", "0,0.05,0.1", "--reply-most", "60", "--edge", "Good=65",
        "--at-bounces", "0.02", "--at-replies", "",
    )  # fmt: skip
    assert got.exit_code == 0, got.output
    assert "With 2 % bounces, Good" in got.output
    policy = load_policy(out)
    assert [rate for rate, _ in policy.bounce_points.knots] == [0, 0.05, 0.1]
    assert policy.reply_points.most == 60
    assert policy.bands[2].lower == 65


def test_ones_own_bands_and_steps(tmp_path: Path) -> None:
    out = tmp_path / "fitted.toml"
    text = "user;reply rate;bounce rate;band\nAnn;9,1;0,4;gut\nBo;2,1;4,4;schlecht\n"
    got = run(
        tmp_path, text, "-o", str(out), "--bands", "Schlecht, Gut", "--rates", "percent",
        "--steps", "--bounce-knots", "0,0.05", "--reply-most", "free", "--not-from-zero",
    )  # fmt: skip
    assert got.exit_code == 0, got.output
    policy = load_policy(out)
    assert policy.band_names == ("Schlecht", "Gut")
    assert policy.bounce_points.interpolation == "step"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--reply-knots", "0,7"), "write 7 % as 0.07"),
        (("--reply-knots", "0,x"), "--reply-knots: expected a number, found 'x'"),
        (("--edge", "Good"), "--edge: expected BAND=POINTS"),
        (("--edge", "Nice=4"), "expected lower edges of Fair, Good, Excellent"),
        (("--reply-most", "much"), "--reply-most: expected a number"),
        (("--bands", "A,A"), "different names"),
        (("--most", "-1"), "above 0"),
        (("--policy", "hubspot-artikle"), "Did you mean 'hubspot-article'"),
        (("--output", "/nowhere/at/all.toml"), "Cannot be written"),
        (("--headers", "none"), "none"),
    ],
)
def test_mistakes_are_one_message(tmp_path: Path, more: tuple[str, ...], says: str) -> None:
    got = run(tmp_path, HEAD + ROWS, *more)
    assert got.exit_code == 2, got.output
    assert says in got.stderr
    assert "Traceback" not in got.output


def test_nothing_that_can_be_used(tmp_path: Path) -> None:
    got = run(tmp_path, HEAD + "Ann,100,7.1,0 %,Good\n")
    assert got.exit_code == 2
    assert "None of 1 readings can be used; the first because of reply_rate" in got.stderr
    got = run(tmp_path, HEAD)
    assert got.exit_code == 2
    got = CliRunner().invoke(main, ["policy", "calibrate", str(tmp_path / "none.csv")])
    assert got.exit_code == 2


def test_hostile_names_do_no_harm(tmp_path: Path) -> None:
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["user", "reply rate", "bounce rate", "band"])
    seen = (["9 %", "1 %", "Good"], ["12 %", "0.1 %", "Low"])
    for i, name in enumerate(NAMES):
        writer.writerow([name, *seen[i % 2]])
    got = run(tmp_path, buffer.getvalue(), "-o", str(tmp_path / "fitted.toml"))
    assert got.exit_code == 1
    assert "\x1b" not in got.output
    assert "\u202e" not in got.output
    assert load_policy(tmp_path / "fitted.toml")
