"""Simulated readings of a known policy, and slow plain referees of what can be said about it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.optimize import linprog

from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.sources.readings import typed_readings

Counts = tuple[int, int, int]
"""Ended, replied, bounced."""


def true_score(policy: ScoringPolicy, reply: float, bounce: float) -> float:
    points = policy.reply_points.points(pl.lit(reply)) + policy.bounce_points.points(pl.lit(bounce))
    return float(pl.select(points).item())


def simulated(
    policy: ScoringPolicy,
    counts: Sequence[Counts],
    *,
    band: bool = True,
    value: bool = False,
    decimals: int = 1,
) -> pl.DataFrame:
    """What the report would show of senders with these counts, read as a person types it."""
    rates = pl.DataFrame(counts, schema=["n", "r", "b"], orient="row").select(
        "n", x=pl.col("r") / (pl.col("n") - pl.col("b")), y=pl.col("b") / pl.col("n")
    )
    total = policy.reply_points.points(pl.col("x")) + policy.bounce_points.points(pl.col("y"))
    shown = rates.with_columns(s=total).with_columns(k=policy.band(pl.col("s")).cast(pl.String))
    rows = [
        {
            "user": f"u{i}",
            "ended": str(n),
            "reply_rate": f"{100 * x:.{decimals}f} %",
            "bounce_rate": f"{100 * y:.{decimals}f} %",
            "band": name if band else None,
            "value": f"{score:.0f}" if value else None,
        }
        for i, (n, x, y, score, name) in enumerate(shown.iter_rows())
    ]
    reading = typed_readings(rows, policy)
    assert reading.rejected.is_empty(), reading.rejected["reason"].to_list()
    return reading.accepted


def drawn(size: int, seed: int = 0) -> list[Counts]:
    """Counts of senders as they are: a few per cent bounce, a few more reply."""
    rng = np.random.default_rng(seed)
    n = rng.integers(100, 3000, size)
    b = rng.binomial(n, rng.beta(2, 60, size))
    r = rng.binomial(n - b, rng.beta(4, 40, size))
    return list(zip(n.tolist(), r.tolist(), b.tolist(), strict=True))


def typed(*rows: tuple[str, str, str, object]) -> pl.DataFrame:
    """Readings from (user, reply rate, bounce rate, band or value), without counts."""
    given = [
        {
            "user": user,
            "reply_rate": reply,
            "bounce_rate": bounce,
            "band": seen if isinstance(seen, str) else None,
            "value": None if isinstance(seen, str) else seen,
        }
        for user, reply, bounce, seen in rows
    ]
    reading = typed_readings(given)
    assert reading.rejected.is_empty(), reading.rejected["reason"].to_list()
    return reading.accepted


def plainly_agree(readings: pl.DataFrame, bands: Sequence[str], *, most: float = 100.0) -> bool:
    """Whether a policy agrees: every rate a knot, every demand a row, nothing left out."""
    rows = readings.to_dicts()
    xs = sorted({0.0, 1.0, *(r[f"reply_rate_{e}"] for r in rows for e in ("low", "high"))})
    ys = sorted({0.0, 1.0, *(r[f"bounce_rate_{e}"] for r in rows for e in ("low", "high"))})
    size = len(xs) + len(ys) + len(bands)
    left: list[list[float]] = []
    right: list[float] = []

    def at_most(entries: dict[int, float], limit: float) -> None:
        row = [0.0] * size
        for place, entry in entries.items():
            row[place] += entry
        left.append(row)
        right.append(limit)

    first_y, first_edge = len(xs), len(xs) + len(ys)
    for i in range(len(xs) - 1):
        at_most({i: 1, i + 1: -1}, 0)
    for i in range(first_y, first_edge - 1):
        at_most({i: -1, i + 1: 1}, 0)
    for i in range(first_edge, size - 1):
        at_most({i: 1, i + 1: -1}, -1e-5)
    for r in rows:
        best = {xs.index(r["reply_rate_high"]): 1, first_y + ys.index(r["bounce_rate_low"]): 1}
        worst = {xs.index(r["reply_rate_low"]): 1, first_y + ys.index(r["bounce_rate_high"]): 1}
        if r["band"] is not None:
            k = list(bands).index(r["band"])
            at_most({**dict.fromkeys(best, -1), first_edge + k: 1}, 0)
            if k + 1 < len(bands):
                at_most({**worst, first_edge + k + 1: -1}, -1e-5)
        if r["value"] is not None:
            at_most(dict.fromkeys(best, -1), -r["value_low"])
            at_most(worst, r["value_high"])
    pins = {0: 0.0, len(xs) - 1: most / 2, first_y: most / 2, first_edge - 1: 0.0, first_edge: 0.0}
    bounds = [(pins[i], pins[i]) if i in pins else (0, most) for i in range(size)]
    return bool(linprog([0.0] * size, A_ub=left, b_ub=right, bounds=bounds).status == 0)


def plainly_fewest(readings: pl.DataFrame, bands: Sequence[str]) -> int:
    """How many readings have to go, by trying all sets."""
    places = range(readings.height)
    for size in places:
        for gone in itertools.combinations(places, size):
            if plainly_agree(readings[[i for i in places if i not in gone]], bands):
                return size
    return readings.height
