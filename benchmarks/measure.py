"""Running a suite: cases in turns, results compared, medians and ratios within the rounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

from benchmarks.process import Measured, run
from benchmarks.suites import Aim, Case, Suite

MEASURED = {
    *("bytes", "python_seconds", "processor_seconds", "median_seconds", "worst_seconds"),
    *("kernel_growth_mb", "page_growth_mb", "drag_frames"),
}
"""Facts that a run measures rather than finds: they differ from run to run."""


@dataclass(frozen=True)
class Outcome:
    """A suite with the runs of every case, in the order of the rounds."""

    suite: Suite
    runs: dict[str, list[Measured]]

    def values(self, case: str, measure: str) -> list[float]:
        if measure in MEASURED:
            return [float(one.facts[measure]) for one in self.runs[case]]
        return [float(getattr(one, measure)) for one in self.runs[case]]

    def median(self, case: str, measure: str = "seconds") -> float:
        return median(self.values(case, measure))

    def ratio(self, case: str, over: str, measure: str = "seconds") -> float:
        """Median over the rounds of a ratio within a round: what slows a round slows both."""
        pairs = zip(self.values(case, measure), self.values(over, measure), strict=True)
        return median(a / b for a, b in pairs)

    def reached(self, aim: Aim) -> float:
        if aim.over is None:
            return self.median(aim.case, aim.measure)
        return self.ratio(aim.case, aim.over, aim.measure)


def measure(
    suite: Suite, rounds: int, say: Callable[[str], None], *, warm_up: bool = True
) -> Outcome:
    """Run every case once unmeasured, for files and bytecode to be at hand, then in turns.

    Raises:
        SystemExit: A case failed, or two cases that do the same differ in what came out.
    """
    runs: dict[str, list[Measured]] = {case.name: [] for case in suite.cases}
    for turn in range(-1 if warm_up else 0, rounds):
        start = turn % len(suite.cases)
        for case in suite.cases[start:] + suite.cases[:start]:
            say(f"{suite.name}: {'warm-up' if turn < 0 else f'round {turn + 1}'}, {case.name}")
            one = _run(case)
            if turn >= 0:
                runs[case.name].append(one)
    check(suite, runs)
    return Outcome(suite, runs)


def check(suite: Suite, runs: dict[str, list[Measured]]) -> None:
    """Every fact has one value: in all rounds of a case, and in all cases that do the same."""
    known: dict[tuple[str, str], object] = {}
    for case, measured in runs.items():
        for one in measured:
            for fact, value in one.facts.items():
                if fact in MEASURED:
                    continue
                key = ("" if suite.same_facts else case, fact)
                if known.setdefault(key, value) != value:
                    raise SystemExit(
                        f"{suite.name}: {case} has {fact} {value}, not {known[key]}: "
                        "results differ, so nothing is compared."
                    )


def _run(case: Case) -> Measured:
    if case.makes is None:
        return run(case.command)
    for old in case.makes.glob("*.html"):
        old.unlink()
    one = run(case.command)
    size = sum(page.stat().st_size for page in case.makes.glob("*.html"))
    return replace(one, facts={"bytes": size})
