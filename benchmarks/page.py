"""The figures as a table on the terminal, as JSON, and as docs/benchmarks.md."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.measure import Outcome
from benchmarks.process import CORES
from benchmarks.suites import SUITES, Aim

PACKAGES = ("polars", "altair", "duckdb", "pandas", "pyarrow", "numpy")
HEADER = ("", "seconds", "min–max", "ratio", "processor s", "peak MB")
INTRODUCTION = (
    "Written by `make bench`; `make bench ARGS=explorer` measures one suite again and leaves the "
    "others as they stand."
)
_MARK = re.compile(r"^<!-- (\w+) -->$", re.MULTILINE)
REMARKS = """\
## What the figures say

Ratios are medians of the ratios within a round; the cases of a round run one after the other, each
in a process of its own, in a different order each time. Only ratios of one run are worth comparing:
other work on the machine moves the seconds.

Where the tally stands above three times a scan, this is why. Two strings a row have to become
codes or hashes before they can be grouped, and that alone costs a multiple of looking at the values
(the second of the scans). Then every row, in no order, has to find its cell among millions, which
do not fit into a processor's cache, and the result has to be written, which a scan does not do at
all. The tally does without hashing: each pair of sender and sequence has a block of days, a row
adds one at its place, and the blocks are in order when they are written.
"""


def rows(outcome: Outcome) -> list[tuple[str, ...]]:
    """The table of a suite, without its header."""
    first = outcome.suite.cases[0].name
    table: list[tuple[str, ...]] = []
    for name in outcome.runs:
        seconds = outcome.values(name, "seconds")
        ratio = f"{outcome.ratio(name, first):.2f}" if len(outcome.runs) > 1 else "–"
        table.append(
            (
                name,
                f"{outcome.median(name):.3f}",
                f"{min(seconds):.3f}–{max(seconds):.3f}",
                ratio,
                f"{outcome.median(name, 'cpu_seconds'):.2f}",
                f"{outcome.median(name, 'peak_mb'):,.0f}",
            )
        )
    return table


def aim_line(outcome: Outcome, aim: Aim) -> str:
    value = outcome.reached(aim)
    if aim.over:
        shown = f"{value:.2f} times"
    else:
        unit = {
            "peak_mb": "MB",
            "kernel_growth_mb": "MB",
            "page_growth_mb": "MB",
            "bytes": "bytes",
        }.get(aim.measure, "s")
        shown = f"{value:.3f} {unit}" if unit == "s" else f"{value:,.0f} {unit}"
    verdict = "reached" if value <= aim.at_most else "not reached"
    return f"Aim: {aim.says}. Measured: {shown}, {verdict}."


def text(outcome: Outcome) -> str:
    """A suite for the terminal."""
    table = [HEADER, *rows(outcome)]
    widths = [max(len(row[i]) for row in table) for i in range(len(HEADER))]
    lines = [outcome.suite.title]
    for row in table:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  " + "  ".join(cells))
    lines += [f"  {aim_line(outcome, aim)}" for aim in outcome.suite.aims]
    return "\n".join(lines)


def machine() -> str:
    """The machine and the versions, in words without names."""
    model = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{model}, {os.cpu_count()} cores ({CORES} threads used), {memory:.0f} GB; "
        f"{platform.system()}, Python {platform.python_version()}, {versions}"
    )


def markdown(outcomes: list[Outcome], day: dt.date, *, before: str = "") -> str:
    """docs/benchmarks.md: the suites measured now, and what the page said of the others."""
    sections = {name: part for part in _parts(before) for name in _MARK.findall(part)}
    sections |= {outcome.suite.name: _section(outcome, day) for outcome in outcomes}
    order = [*SUITES, *(name for name in sections if name not in SUITES)]
    known = [sections[name] for name in order if name in sections]
    return "\n\n".join(["# Benchmarks", INTRODUCTION, *known, REMARKS])


def _parts(page: str) -> list[str]:
    """The sections of a page, each with its heading."""
    return [f"## {part.strip()}" for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]]


def _section(outcome: Outcome, day: dt.date) -> str:
    lines = ["| | " + " | ".join(HEADER[1:]) + " |", "| --- |" + " ---: |" * (len(HEADER) - 1)]
    lines += [f"| {' | '.join(row)} |" for row in rows(outcome)]
    parts = [f"## {outcome.suite.title}", f"<!-- {outcome.suite.name} -->", "\n".join(lines)]
    parts += [outcome.suite.note] if outcome.suite.note else []
    if outcome.suite.aims:
        parts.append("\n".join(f"- {aim_line(outcome, a)}" for a in outcome.suite.aims))
    rounds = max(map(len, outcome.runs.values()))
    times = "one round" if rounds == 1 else f"{rounds} rounds"
    return "\n\n".join([*parts, f"Measured on {day}, {times}. {machine()}."])


def plain(outcomes: list[Outcome]) -> dict[str, Any]:
    """The same figures for machines, every run of them."""
    return {
        "machine": machine(),
        "suites": {
            outcome.suite.name: {
                name: [vars(one) for one in measured] for name, measured in outcome.runs.items()
            }
            for outcome in outcomes
        },
    }
