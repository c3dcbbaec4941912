"""Many policies over 400 senders and 52 weeks: `python -m benchmarks.sweep WAY POLICIES`.

`ours` sweeps; `plain` asks each policy's own points and bands for each sender and week. Both give
the same bands, which the facts hold.
"""

from __future__ import annotations

import datetime as dt
import json
import resource
import sys
import time
from typing import Any

import numpy as np
import polars as pl

from senderscore_nb.errors import PolicyError
from senderscore_nb.experiment import Cells, moved, sweep, thresholds
from senderscore_nb.policy import ScoringPolicy, load_policy

SENDERS, WEEKS = 400, 52
MOVED = ("reply.7%", "reply.13%.points", "bounce.3%", "bands.Good", "bands.Excellent")


def cells() -> Cells:
    rng = np.random.default_rng(52)
    shape = (SENDERS, WEEKS)
    ended = rng.integers(60, 400, shape)
    bounced = rng.binomial(ended, rng.uniform(0.005, 0.06, (SENDERS, 1)))
    replied = rng.binomial(ended - bounced, rng.uniform(0.02, 0.15, (SENDERS, 1)))
    first = dt.date(2026, 1, 5)
    weeks = [first + dt.timedelta(weeks=w) for w in range(WEEKS)]
    return Cells(
        pl.DataFrame(
            {
                "user_id": np.repeat([f"u{i:03}" for i in range(SENDERS)], WEEKS),
                "week": weeks * SENDERS,
                "ended": ended.ravel(),
                "replied": replied.ravel(),
                "bounced": bounced.ravel(),
            }
        )
    )


def policies(count: int) -> list[ScoringPolicy]:
    """Policies of which no two share a curve: nothing can be kept from one to the next."""
    rng = np.random.default_rng(7)
    base = load_policy()
    known = {t.name: t for t in thresholds(base)}
    made: list[ScoringPolicy] = []
    while len(made) < count:
        values = {known[n]: known[n].get(base) * rng.uniform(0.85, 1.15) for n in MOVED}
        try:
            made.append(moved(base, values))
        except PolicyError:
            continue
    return made


def ours(field: Cells, many: list[ScoringPolicy]) -> list[int]:
    found = sweep(field, many, baseline=load_policy())
    shares = found.select(pl.col("^share_.*$") * pl.col("scored"))
    flips = (found["flips"] * field.frame.height).sum()
    assert flips > 0
    return [round(float(shares[name].sum())) for name in shares.columns]


def plain(field: Cells, many: list[ScoringPolicy]) -> list[int]:
    delivered = pl.col("ended") - pl.col("bounced")
    rates = field.frame.select(
        "ended", reply=pl.col("replied") / delivered, bounce=pl.col("bounced") / pl.col("ended")
    )
    totals = [0] * len(many[0].bands)
    for policy in many:
        points = policy.reply_points.points(pl.col("reply"))
        points += policy.bounce_points.points(pl.col("bounce"))
        enough = pl.col("ended") >= policy.minimum.user
        bands = rates.filter(enough).select(policy.band(points).to_physical())
        counts = np.bincount(bands.to_series().to_numpy(), minlength=len(totals))
        totals = [a + int(b) for a, b in zip(totals, counts, strict=True)]
    return totals


def main(way: str, count: str) -> None:
    field, many = cells(), policies(int(count))
    work: Any = {"ours": ours, "plain": plain}[way]
    started, busy = time.perf_counter(), time.process_time()
    found = work(field, many)
    said = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - busy,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    print(json.dumps({**said, "facts": {f"bands of {count} policies": found}}))


if __name__ == "__main__":
    main(*sys.argv[1:])
