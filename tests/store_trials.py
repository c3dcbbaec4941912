"""Writers of a tally store that are killed at random moments, while somebody reads.

`python -m tests.store_trials FOLDER TRIALS SEED` prints one JSON object: what was seen, and every
promise that was broken. `python -m tests.store_trials writers FOLDER` forks a writer for each line
that it is given, and says its process; nothing here may use polars before the fork.

Every write gives all of its cells, in two months, one number, the next one: what is read must hold
one number, that of one write, and never parts of two.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl

from senderscore_nb.store import Days, TallyStore
from tests.stores import cells, tallied

DAYS = Days.parse("2026-01-31..2026-02-01")
USERS = 40


def write(folder: str, number: int) -> None:
    """Both days, in both months, with a number of replies that says which write it was."""
    marked = cells(DAYS, users=USERS).with_columns(ended=pl.lit(10_000), replied=pl.lit(number))
    TallyStore(folder).replace(tallied(marked), days=DAYS)


def writers(folder: str) -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            number = int(line)
            while True:
                write(folder, number)
                os.write(1, f"{number}\n".encode())
                number += 1
        print(f"process {child}", flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)


def seen(folder: str) -> int:
    """The number of the write that a reader sees; fails where it is not one whole write."""
    read = TallyStore(folder).read()
    (number,) = read["replied"].unique().to_list()
    assert read.height == 2 * USERS
    return int(number)


ENOUGH = 6
"""Writes from which on the trials have seen some."""


class Writers:
    """The process that forks writers."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "tests.store_trials", "writers", folder]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def trial(self, known: int, seconds: float) -> tuple[int, str]:
        """Let a writer go, read all the while, kill it; the number that is left, and what broke."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{known + 1}\n")
        self._process.stdin.flush()
        child = int(self._line().removeprefix("process "))
        last, broken, until = known, "", time.monotonic() + seconds
        while time.monotonic() < until and not broken:
            newest = seen(self.folder)
            if newest < last:
                broken = f"{newest} was read after {last}"
            last = newest
        os.kill(child, signal.SIGKILL)
        done = [known, *(int(line) for line in iter(self._line, "ended"))]
        left = seen(self.folder)
        # A write that was reported stands; one that was not may stand as well, and then whole.
        if left not in (done[-1], done[-1] + 1) or left < last:
            broken = f"{left} is left, where {done[-1]} was written and {last} was read"
        return left, broken

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main(folder: str, trials: str, seed: str) -> None:
    chance, broken, known = random.Random(int(seed)), list[str](), 1
    write(folder, known)
    pool, most = Writers(folder), 0
    tried, longest = 0, 0.3
    while tried < int(trials) or (known < ENOUGH and tried < 10 * int(trials)):
        tried += 1
        if tried > int(trials):
            longest = 3.0  # a machine with other work to do gets no write done in less
        known, said = pool.trial(known, chance.uniform(0.01, longest))
        broken += [said] if said else []
        broken += [p for p in TallyStore(folder).verify()["problem"].to_list() if p]
        most = max(most, sum(p.is_file() for p in Path(folder).rglob("*")))
    pool.close()
    for more in (1, 2):
        write(folder, known + more)
    left = sorted(p.name for p in Path(folder).rglob("*") if p.is_file())
    print(json.dumps({"broken": broken, "left": left, "writes": known, "most": most}))


if __name__ == "__main__":
    if sys.argv[1] == "writers":
        writers(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
