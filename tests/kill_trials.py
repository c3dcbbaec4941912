"""Runs that are killed at random moments: `python -m tests.kill_trials FOLDER PORT TRIALS SEED`.

Everything is imported once; each trial is a fork of this process, which starts the run, and is
killed after a random time. Nothing here may use polars before the fork: its threads would not
survive it. Prints one JSON object: what was seen, and every promise that was broken.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from senderscore_nb.lean import spare_grammar

spare_grammar()

from senderscore_nb.periods import Period  # noqa: E402
from senderscore_nb.schedule.due import due  # noqa: E402
from senderscore_nb.schedule.history import History  # noqa: E402
from senderscore_nb.schedule.ledger import FOLDER, Ledger  # noqa: E402
from senderscore_nb.schedule.project import Project  # noqa: E402
from senderscore_nb.schedule.run import run_chosen  # noqa: E402
from tests.projects import Instant  # noqa: E402

FIRST, LAST = Period.parse("2026-W38"), Period.parse("2026-W47")
MONDAY_NOON = dt.timedelta(days=1, hours=12)


def run(project: Project, now: dt.datetime) -> None:
    choose = lambda history: due(project.plan, now, history)  # noqa: E731
    made_slowly = Instant(filler=3000, seconds=0.003)
    run_chosen(project, choose, True, None, now=now, elsewhere=(made_slowly, None))


def forked(project: Project, now: dt.datetime, wait: Callable[[int], None] | None) -> bool:
    """Whether the run came to its end; it is killed when `wait` for its process returns."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run(project, now)
            code = 0
        finally:
            os._exit(code)
    if wait is not None:
        wait(child)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] == 0


def until_written(project: Project, times: int, then: float) -> Callable[[int], None]:
    """Until the ledger has grown so many times, and a moment: in the middle of what is done."""
    path = Ledger(project.output).path

    def size() -> int:
        return path.stat().st_size if path.exists() else 0

    def wait(child: int) -> None:
        known, left = size(), times
        while left and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if size() != known:
                known, left = size(), left - 1
        time.sleep(then)

    return wait


def broken_promises(project: Project) -> list[str]:
    """What must hold at every moment."""
    broken = []
    for page in project.output.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        if not (text.startswith("<!DOCTYPE html>") and text.rstrip().endswith("</html>")):
            broken.append(f"{page.name} is not whole")
    for twin in project.output.glob("[!.]*/**/*.json"):
        try:
            json.loads(twin.read_text(encoding="utf-8"))
        except ValueError:
            broken.append(f"{twin.name} is not whole")
    ledger = Ledger(project.output)
    lines = ledger.path.read_bytes().split(b"\n") if ledger.path.exists() else []
    read = len(list(ledger.records()))
    torn = sum(bool(line) for line in lines) - read
    if torn > TORN["lines"]:
        TORN["lines"] += 1  # one more line may be torn by one more kill, and no others
        if torn > TORN["lines"]:
            broken.append(f"{torn} lines of the ledger are not whole")
    history = History.of(ledger.records())
    for target, runs in history.runs.items():
        made = [r for r in runs if r.status == "made"]
        if len(made) > 1:
            broken.append(f"{target} was made twice")
        for one in made:
            page = project.output / one.ended["page"]
            if not page.exists():
                broken.append(f"{target}: its page is missing")
            elif hashlib.sha256(page.read_bytes()).hexdigest() != one.ended["sha256"]:
                broken.append(f"{target}: its page is not what the ledger says")
    return broken


TORN = {"lines": 0}


def _sleep(seconds: float, _: int) -> None:
    time.sleep(seconds)


def noon(period: Period) -> dt.datetime:
    return dt.datetime.combine(period.end, dt.time(), tzinfo=dt.UTC) + MONDAY_NOON


def main(folder: str, trials: str, seed: str) -> None:
    chance = random.Random(int(seed))
    project = Project.open(Path(folder))
    period, broken, killed, ended, longest = FIRST, [], 0, 0, 1.0
    for _ in range(int(trials)):
        started = time.monotonic()
        anywhere = partial(_sleep, chance.uniform(0, longest))
        busy = until_written(project, chance.randint(1, 22), chance.uniform(0, 0.006))
        if forked(project, noon(period), chance.choice((anywhere, busy, busy))):
            ended += 1
            longest = max(0.05, min(longest, 1.2 * (time.monotonic() - started)))
            period = min(period.later(1), LAST, key=lambda p: p.start)
        else:
            killed += 1
        broken += broken_promises(project)
    for _ in range(2):
        before = Ledger(project.output).path.read_bytes()
        if not forked(project, noon(LAST), None):
            broken.append("the last run failed")
        broken += broken_promises(project)
    if Ledger(project.output).path.read_bytes() != before:
        broken.append("a run did something when nothing was due")
    history = History.of(Ledger(project.output).records())
    for (name, of), planned in history.planned.items():
        if any(history.is_open(name, of, instance.key) for instance in planned):
            broken.append(f"{name} {of} was not finished")
    left = [p.name for p in project.output.rglob(".*.tmp")]
    left += [p.name for p in (project.output / FOLDER / "outbox").glob("*")]
    told: dict[str, int] = {}
    for record in history.told.values():
        told[record["status"]] = told.get(record["status"], 0) + 1
    batches = sorted(of for _, of in history.planned)
    print(
        json.dumps(
            {
                "killed": killed,
                "ended": ended,
                "broken": broken,
                "left": left,
                "batches": batches,
                "told": told,
                "interrupted": sum(
                    r.status == "interrupted" for runs in history.runs.values() for r in runs
                ),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
