"""The threshold lab in a real JupyterLab and Chromium, with 400 senders."""

from __future__ import annotations

from benchmarks.process import python
from benchmarks.suites import Aim, Case, Suite

OURS = "the threshold lab"


def thresholds(quick: bool) -> Suite:
    """From a changed threshold to repainted pixels, at the 95th percentile."""
    more = ["--quick"] if quick else []
    senders = "20" if quick else "400"
    return Suite(
        "lab",
        f"The threshold lab with {senders} senders: from a changed control to repainted pixels",
        [Case(OURS, python("-m", "benchmarks.lab_drive", *more))],
        [
            Aim("at most 100 ms at the 95th percentile", OURS, 0.1),
            Aim("Python at most 20 ms of it", OURS, 0.02, measure="python_seconds"),
            Aim(
                "Python's processor time at most 20 ms",
                OURS,
                0.02,
                measure="processor_seconds",
            ),
            Aim("the kernel grows by at most 5 MB", OURS, 5, measure="kernel_growth_mb"),
            Aim("the page grows by at most 5 MB", OURS, 5, measure="page_growth_mb"),
        ],
        note=(
            "1 million tally rows over 3 years; seconds are the 95th percentile over changes of "
            "every control: knots and edges by key and by number, kinds of curves, the minimum, "
            "knots and bands added and removed, weeks, the chosen sender, undo and redo. Every "
            "change scores all senders anew, with the posterior of each. A drag of 250 events at "
            "8 ms is checked: the last value arrives."
        ),
        rounds=1,
        same_facts=False,
    )
