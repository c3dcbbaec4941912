"""The findings on the terminal, and as docs/validation.md."""

from __future__ import annotations

import datetime as dt
from importlib.metadata import version

from benchmarks.page import machine
from benchmarks.validation.finding import Finding
from benchmarks.validation.harness import Topic

PACKAGES = ("scipy", "statsmodels")
HEADER = ("claim", "stated", "measured", "trials", "holds")


def holds(finding: Finding) -> bool:
    """Whether the measured value lies in the range that agrees with the claim."""
    return finding.low <= finding.measured <= finding.high


def measured(finding: Finding) -> str:
    """The measured value in the unit of what is stated."""
    if "%" in finding.stated:
        return f"{100 * finding.measured:.1f} %"
    return f"{finding.measured:.3g}"


def row(finding: Finding) -> tuple[str, ...]:
    """A finding as a row of the table."""
    verdict = "yes" if holds(finding) else "**no**"
    return finding.claim, finding.stated, measured(finding), f"{finding.trials:,}", verdict


def text(topics: list[Topic]) -> str:
    """The findings for the terminal."""
    lines = []
    for topic in topics:
        lines.append(f"{topic.title} ({topic.cpu_seconds:.0f} processor s)")
        for finding in topic.findings:
            word = "holds " if holds(finding) else "FAILS "
            figures = f"stated {finding.stated}, measured {measured(finding)}"
            lines.append(f"  {word} {finding.claim}: {figures} ({finding.trials:,} trials)")
    return "\n".join([*lines, summary(topics)])


def summary(topics: list[Topic]) -> str:
    """How many claims hold."""
    findings = [finding for topic in topics for finding in topic.findings]
    return f"{sum(map(holds, findings))} of {len(findings)} claims hold."


def markdown(topics: list[Topic], accounts: int, seed: int, day: dt.date) -> str:
    """docs/validation.md."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    parts = [
        "# Validation",
        f"Written by `python -m benchmarks validation` on {day}, over {accounts:,} simulated "
        f"accounts for each study, from seed {seed}. {machine()}, {versions}.",
        "Accounts are drawn by `senderscore_nb.sample`, so their truth is known. A claim holds "
        "where the measured value lies in the range that is stated; a value at its edge may fall "
        "on either side of it from seed to seed. The studies are in `benchmarks/validation/`.",
        summary(topics),
    ]
    for topic in topics:
        lines = [f"| {' | '.join(HEADER)} |", "| --- | --- | ---: | ---: | --- |"]
        lines += [f"| {' | '.join(row(finding))} |" for finding in topic.findings]
        parts += [f"## {topic.title}", "\n".join(lines)]
        parts.append(f"{topic.cpu_seconds:,.0f} processor seconds.")
    return "\n\n".join(parts) + "\n"
