"""Changes explained: the package against the same method in loops, and against permutations."""

from __future__ import annotations

from benchmarks.process import python
from benchmarks.suites import Aim, Case, Suite

OURS, PLAIN, SHAPLEY = "explain_difference, with intervals", "the same in loops", "20 permutations"


def explain(quick: bool) -> Suite:
    """Every sender uses every sequence."""
    senders, sequences = (4, 6) if quick else (300, 300)

    def case(name: str, way: str) -> Case:
        size = (str(senders), str(sequences))
        return Case(name, python("-m", "benchmarks.explain_work", way, *size))

    return Suite(
        "explain",
        f"Changes of score explained: {senders} senders, {sequences} sequences each",
        [case(OURS, "ours"), case(PLAIN, "plain"), case(SHAPLEY, "permutations")],
        [
            Aim("below 5 seconds of the processor", OURS, 5, measure="cpu_seconds"),
            Aim("below 1 GB", OURS, 1000, measure="peak_mb"),
            Aim(
                "a quarter of the processor's time of 20 permutations",
                OURS,
                0.25,
                "cpu_seconds",
                SHAPLEY,
            ),
        ],
        note=(
            "Seconds of the work alone. The parts of all senders add up to the same change, which "
            "is checked. The loops do without intervals, which are most of the work; so do the "
            "permutations, which split the points themselves by Shapley values estimated from 20 "
            "random orders."
        ),
        rounds=3,
    )
