"""`python -m benchmarks [names…] [--quick] [--rounds N] [--json FILE] [--page FILE]`.

`validation` is a name too: studies on simulated accounts, written to docs/validation.md.
"""

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

VALIDATION = "validation"
KNOWN = (*SUITES, VALIDATION)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the suites into docs/benchmarks.md, studies into validation.md."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(KNOWN)}")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all")
    parser.add_argument("--rounds", type=int, help="rounds of every suite")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every run as JSON")
    parser.add_argument("--page", type=Path, metavar="FILE", help="the figures as Markdown")
    parser.add_argument("--accounts", type=int, help="accounts that each validation simulates")
    parser.add_argument("--seed", type=int, default=0, help="of the validation's accounts")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in KNOWN]:
        parser.error(f"there is no benchmark {unknown[0]!r}; known: {', '.join(KNOWN)}")
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds is at least 1")
    if options.accounts is not None and options.accounts < 1:
        parser.error("--accounts is at least 1")
    if set(options.names) != {VALIDATION}:
        _measure(options)
    if VALIDATION in (options.names or KNOWN):
        _validate(options)


def _measure(options: argparse.Namespace) -> None:
    outcomes = []
    target = options.page or (None if options.quick else ROOT / "docs" / "benchmarks.md")
    for name in [n for n in options.names or SUITES if n != VALIDATION]:
        suite = SUITES[name](options.quick)
        rounds = options.rounds or (QUICK_ROUNDS if options.quick else suite.rounds)
        outcomes.append(measure(suite, rounds, _say, warm_up=not options.quick))
        print(page.text(outcomes[-1]), end="\n\n", flush=True)
        if target:  # at once: what is measured is not lost with a later suite that fails
            before = target.read_text(encoding="utf-8") if target.exists() else ""
            written = page.markdown(outcomes[-1:], dt.date.today(), before=before)
            target.write_text(written, encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps(page.plain(outcomes), indent=1) + "\n", encoding="utf-8")


def _validate(options: argparse.Namespace) -> None:
    from benchmarks.validation import harness, page

    accounts = options.accounts or (harness.QUICK_ACCOUNTS if options.quick else harness.ACCOUNTS)
    say = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    topics = harness.validate(accounts, options.seed, say)
    print(page.text(topics), flush=True)
    alone = options.names == [VALIDATION]
    whole = not options.quick and options.accounts is None
    target = options.page if alone and options.page else None
    target = target or (ROOT / "docs" / "validation.md" if whole else None)
    if target:
        written = page.markdown(topics, accounts, options.seed, dt.date.today())
        target.write_text(written, encoding="utf-8")


def _say(line: str) -> None:
    if sys.stderr.isatty():
        print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
