"""Pulls killed at random moments: `python -m tests.hubspot_kills URL FOLDER TRIALS SEED`.

Everything is imported once; each trial is a fork of this process that pulls until it is killed.
Nothing here may use polars before a fork: its threads would not survive it. Another fork then looks
whether what is there is whole. Prints one JSON object: how many were killed, what was broken.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
from pydantic import SecretStr

from senderscore_nb.sources.hubspot import ApiSettings, pull_hubspot
from tests.hubspot_portal import TOKEN


def pull(url: str, folder: Path) -> None:
    fast = ApiSettings(url, searches_per_second=1000, requests_per_second=1000, page=20, window=60)
    pull_hubspot(folder, SecretStr(TOKEN), settings=fast, overlap=dt.timedelta(days=400))


def look(folder: Path) -> None:
    """Fails where a file is not whole, or a mail is there twice."""
    mails = [pl.read_parquet(file)["hs_object_id"] for file in folder.glob("emails/*.parquet")]
    assert not mails or pl.concat(mails).is_unique().all()
    state = folder / ".pull" / "state.json"
    assert not state.exists() or json.loads(state.read_text())


def forked(work: Callable[[], None], seconds: float | None) -> int:
    """How a fork ended: 0 well, -9 killed after so many seconds, anything else badly."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(url: str, folder: str, trials: str, seed: str) -> None:
    chance = random.Random(int(seed))
    target, ends, broken = Path(folder), [], []
    for trial in range(int(trials)):
        ends.append(forked(lambda: pull(url, target), chance.uniform(0.02, 0.5)))
        if target.exists() and forked(lambda: look(target), None):
            broken.append(trial)
    print(json.dumps({"killed": ends.count(-9), "ends": ends, "broken": broken}))


if __name__ == "__main__":
    main(*sys.argv[1:])
