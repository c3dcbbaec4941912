"""`python -m benchmarks [names…] [--quick] [--rounds N] [--json FILE] [--page FILE]`."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import page
from benchmarks.measure import measure
from benchmarks.process import ROOT
from benchmarks.suites import QUICK_ROUNDS, SUITES


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the suites measured into docs/benchmarks.md."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SUITES)}")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all")
    parser.add_argument("--rounds", type=int, help="rounds of every suite")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every run as JSON")
    parser.add_argument("--page", type=Path, metavar="FILE", help="the figures as Markdown")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in SUITES]:
        parser.error(f"there is no benchmark {unknown[0]!r}; known: {', '.join(SUITES)}")
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds is at least 1")
    outcomes = []
    for name in options.names or SUITES:
        suite = SUITES[name](options.quick)
        rounds = options.rounds or (QUICK_ROUNDS if options.quick else suite.rounds)
        outcomes.append(measure(suite, rounds, _say, warm_up=not options.quick))
        print(page.text(outcomes[-1]), end="\n\n", flush=True)
    if options.json:
        options.json.write_text(json.dumps(page.plain(outcomes), indent=1) + "\n", encoding="utf-8")
    target = options.page or (None if options.quick else ROOT / "docs" / "benchmarks.md")
    if target:
        before = target.read_text(encoding="utf-8") if target.exists() else ""
        target.write_text(page.markdown(outcomes, dt.date.today(), before=before), encoding="utf-8")


def _say(line: str) -> None:
    if sys.stderr.isatty():
        print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
