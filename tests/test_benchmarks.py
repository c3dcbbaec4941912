"""The benchmarks run, compare like with like, and print every row. No time is asserted."""

from __future__ import annotations

import datetime as dt
import json
import sys

import pytest

from benchmarks import __main__ as command
from benchmarks import page, suites
from benchmarks.measure import Outcome, check
from benchmarks.process import Measured, python, run
from benchmarks.suites import Aim, Case, Suite


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(suites, "DATA", tmp_path / "data")
    return tmp_path


def run_of(seconds: float, **facts: object) -> Measured:
    return Measured(seconds=seconds, cpu_seconds=seconds, peak_mb=100.0, facts=facts)


def suite_of(*names: str, same_facts: bool = True) -> Suite:
    return Suite("s", "A suite", [Case(n, []) for n in names], [], same_facts=same_facts)


def test_a_quick_run_prints_and_writes_every_row(elsewhere, capsys):
    figures, written = elsewhere / "figures.json", elsewhere / "page.md"
    quick = ["tally", "memory", "help", "reading", "reconstruct", "--quick", "--rounds", "1"]
    command.main([*quick, "--json", str(figures), "--page", str(written)])
    printed, markdown = capsys.readouterr().out, written.read_text(encoding="utf-8")
    measured = json.loads(figures.read_text(encoding="utf-8"))["suites"]
    for name in quick[:5]:
        suite = suites.SUITES[name](True)
        assert suite.title in printed
        assert suite.title in markdown
        for case in suite.cases:
            assert f"  {case.name} " in printed
            assert f"| {case.name} |" in markdown
            assert len(measured[name][case.name]) == 1
        for aim in suite.aims:
            assert aim.says in printed
            assert aim.says in markdown
    engines = ("senderscore_nb.tally", "polars group_by", "DuckDB", "pandas")
    facts = [measured["tally"][name][0]["facts"] for name in engines]
    assert facts[0]["ended"] > facts[0]["cells"] > facts[0]["replied"] > 0
    assert all(other == facts[0] for other in facts)


def test_results_that_differ_are_not_compared():
    runs = {"a": [run_of(1, cells=5)], "b": [run_of(1, cells=6)]}
    with pytest.raises(SystemExit, match="b has cells 6, not 5"):
        check(suite_of("a", "b"), runs)
    check(suite_of("a", "b", same_facts=False), runs)
    unsteady = {"a": [run_of(1, cells=5), run_of(1, cells=6)]}
    with pytest.raises(SystemExit, match="results differ"):
        check(suite_of("a", same_facts=False), unsteady)


def test_a_ratio_is_taken_within_a_round():
    runs = {"a": [run_of(1), run_of(10), run_of(2)], "b": [run_of(2), run_of(20), run_of(8)]}
    outcome = Outcome(suite_of("a", "b"), runs)
    assert outcome.ratio("b", "a") == 2
    assert outcome.median("b") == 8
    said = page.aim_line(outcome, Aim("fast", "b", 1.5, over="a"))
    assert said == "Aim: fast. Measured: 2.00 times, not reached."
    assert page.aim_line(outcome, Aim("fast", "b", 8)).endswith("8.000 s, reached.")


def test_a_page_names_no_folder_of_the_machine():
    outcome = Outcome(suite_of("a"), {"a": [run_of(1)]})
    written = page.markdown([outcome], dt.date(2026, 1, 5))
    assert str(suites.ROOT) not in written
    assert "2026-01-05" in written


def test_a_report_is_measured_through_the_command():
    (case,) = suites.SUITES["report"](False).cases
    assert case.command[1] == "report"
    assert case.makes == suites.PAGES


def test_many_reports_are_measured_each_way():
    quick = suites.SUITES["fanout"](True)
    facts = [run(case.command).facts for case in quick.cases if "papermill" not in case.name]
    assert facts == [{"all pages were made": True}] * 3


def test_a_sweep_and_each_policy_alone_give_the_same_bands():
    quick = suites.SUITES["sweep"](True)
    facts = [run(case.command).facts for case in quick.cases]
    assert facts[1] == facts[2]
    assert facts[0].keys() != facts[1].keys()


def test_a_day_is_added_to_a_store_each_way(elsewhere, monkeypatch):
    monkeypatch.setattr("benchmarks.store.DATA", elsewhere / "data")
    quick = suites.SUITES["store"](True)
    facts = [run(case.command).facts for case in quick.cases]
    assert facts == [facts[0]] * 3
    assert facts[0]["ended"] > facts[0]["cells"] > 0


def test_factors_are_measured_grouped_and_row_by_row():
    quick = suites.SUITES["factors"](True)
    facts = [run(case.command).facts for case in quick.cases]
    assert facts[0] == {"certain": ["personalization_tokens"]}
    assert set(facts[1]) == {"certain"}


def test_a_child_reports_its_own_figures_or_is_measured_whole():
    measured = run(python("-c", 'print(\'{"seconds": 0.5, "facts": {"rows": 3}}\')'))
    assert (measured.seconds, measured.facts) == (0.5, {"rows": 3})
    whole = run(python("-c", "import time; time.sleep(0.05)"))
    assert whole.seconds >= 0.05
    assert 1 < whole.peak_mb < 1000


def test_a_child_that_fails_ends_the_run_with_its_words():
    with pytest.raises(SystemExit, match="no such thing"):
        run([sys.executable, "-c", "raise SystemExit('no such thing')"])


@pytest.mark.parametrize("wrong", [["speed"], ["help", "--rounds", "0"]])
def test_a_wrong_option_is_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        command.main(wrong)
    assert "error:" in capsys.readouterr().err


def test_a_suite_measured_again_leaves_the_others_as_they_stand():
    def outcome(name: str, seconds: float) -> Outcome:
        suite = Suite(name, f"About {name}", [Case("a", [])], [])
        return Outcome(suite, {"a": [run_of(seconds)]})

    first = page.markdown([outcome("tally", 1), outcome("help", 2)], dt.date(2026, 1, 5))
    again = page.markdown([outcome("help", 3)], dt.date(2026, 2, 6), before=first)
    assert again == page.markdown([], dt.date(2026, 3, 7), before=again)
    tally, help_ = again.index("About tally"), again.index("About help")
    assert tally < help_ < again.index("What the figures say")
    assert "1.000" in again[tally:help_]
    assert "2026-01-05" in again[tally:help_]
    assert "3.000" in again[help_:]
    assert "2.000" not in again


@pytest.mark.browser
@pytest.mark.xdist_group("threshold-lab")
def test_the_threshold_lab_is_driven_and_measured(elsewhere, capsys):
    command.main(["lab", "--quick", "--rounds", "1", "--json", str(elsewhere / "f.json")])
    said = json.loads((elsewhere / "f.json").read_text(encoding="utf-8"))
    (facts,) = (one["facts"] for one in said["suites"]["lab"]["the threshold lab"])
    assert facts["interactions"] > 20
    assert facts["drag_frames"] > 0
    assert "the kernel grows" in capsys.readouterr().out
