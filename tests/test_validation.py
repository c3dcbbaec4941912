"""The studies run, say what they claim, and agree loosely on a few accounts."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from benchmarks import __main__ as command
from benchmarks.validation import harness, outlook, page
from benchmarks.validation.accounts import Plan, accounts_of
from benchmarks.validation.finding import Finding
from benchmarks.validation.harness import Topic

FEW = 6


def topic(*findings):
    return Topic("made", "Made up", list(findings), 1.5)


def test_every_topic_is_found_and_has_parts():
    assert "outlook" in harness.topics()
    assert "finding" not in harness.topics()
    assert harness.parts("outlook") == [part.__name__ for part in outlook.PARTS]


@pytest.mark.parametrize("part", outlook.PARTS, ids=lambda part: part.__name__)
def test_a_part_finds_claims_that_are_told_apart_and_hold_loosely(part):
    findings = part(FEW, 1)
    assert len({finding.claim for finding in findings}) == len(findings) > 0
    for finding in findings:
        assert finding.low <= finding.high
        assert finding.trials > 0
        assert math.isfinite(finding.measured)
        assert finding.stated
        # Few trials: six standard errors of a share, and a little.
        slack = 3 / math.sqrt(finding.trials) + 0.02
        assert finding.low - slack <= finding.measured <= finding.high + slack, finding


def test_the_same_seed_finds_the_same():
    assert outlook.shrunk(2, 3) == outlook.shrunk(2, 3)
    one, other = (next(accounts_of(Plan(senders=2), 1, seed)) for seed in (1, 2))
    assert not one.tallies.equals(other.tallies)


def test_the_harness_runs_parts_in_processes_and_puts_them_in_order(capsys, tmp_path):
    said = []
    (found,) = harness.validate(1, 0, said.append, names=["outlook"])
    assert found.name == "outlook"
    assert len(said) == len(outlook.PARTS)
    assert said[-1].startswith(f"[{len(said)}/{len(said)}] ")
    claims = [finding.claim for finding in found.findings]
    assert claims[0].startswith("Wilson interval")
    assert "told by" in claims[-1]
    printed = page.text([found])
    written = page.markdown([found], 1, 0, dt.date(2026, 1, 5))
    for claim in claims:
        assert claim in printed
        assert f"| {claim} |" in written


def test_a_claim_that_fails_is_said_to_fail():
    good = Finding("a covers", "93–97 %", 0.93, 0.97, 0.951, 2000)
    bad = Finding("b errs", "at most 5 %", 0.0, 0.05, 0.08, 500)
    ratio = Finding("c is nearer", "below 1", 0.0, 1.0, 0.6123, 10)
    written = page.markdown([topic(good, bad, ratio)], 1000, 4, dt.date(2026, 1, 5))
    assert "2 of 3 claims hold." in written
    assert "| a covers | 93–97 % | 95.1 % | 2,000 | yes |" in written
    assert "| b errs | at most 5 % | 8.0 % | 500 | **no** |" in written
    assert "0.612" in written
    assert "1,000 simulated accounts" in written
    assert "seed 4" in written
    assert "2026-01-05" in written
    assert "FAILS  b errs" in page.text([topic(good, bad)])


def test_the_command_writes_the_page_that_it_is_told_to(tmp_path, monkeypatch, capsys):
    asked = []

    def validate(accounts, seed, say):
        asked.append((accounts, seed))
        return [topic(Finding("a", "93–97 %", 0.93, 0.97, 0.95, 7))]

    monkeypatch.setattr(harness, "validate", validate)
    target = tmp_path / "page.md"
    command.main(["validation", "--accounts", "7", "--seed", "3", "--page", str(target)])
    assert asked == [(7, 3)]
    assert "1 of 1 claims hold." in capsys.readouterr().out
    assert "## Made up" in target.read_text(encoding="utf-8")
    command.main(["validation", "--quick"])
    assert asked[-1] == (harness.QUICK_ACCOUNTS, 0)
    with pytest.raises(SystemExit):
        command.main(["validation", "--accounts", "0"])
