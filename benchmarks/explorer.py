"""The explorer against the usual way, in a real JupyterLab and Chromium."""

from __future__ import annotations

from benchmarks.process import python
from benchmarks.suites import Aim, Case, Suite

OURS, USUAL = "the explorer", "pandas, interact, a chart redrawn"


def explorer(quick: bool) -> Suite:
    """From a changed control to repainted pixels, at the 95th percentile."""
    more = ["--quick"] if quick else []
    rows = "5,000" if quick else "1 million"
    return Suite(
        "explorer",
        f"The explorer over {rows} tally rows: from a changed control to repainted pixels",
        [
            Case(OURS, python("-m", "benchmarks.explorer_drive", "ours", *more)),
            Case(USUAL, python("-m", "benchmarks.explorer_drive", "usual", *more)),
        ],
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
            Aim("ahead of the usual way", OURS, 1, over=USUAL),
        ],
        note=(
            "400 senders, 1,200 sequences, 3 years; seconds are the 95th percentile over some "
            "1,300 changes of every control in every panel, processor s that of the Python part. "
            "The usual way filters a pandas frame by a slider's days, groups it and draws 24 bars "
            "into an output. Memory is of the kernel and of the page's scripts, each after it gave "
            "back what is free, over the last thousand changes. A drag of 250 events at 8 ms is "
            "checked: frames come in order, the last value arrives."
        ),
        rounds=1,
        same_facts=False,
    )
