"""One way to explain changes: `python -m benchmarks.explain_work WAY SENDERS SEQUENCES`.

Ways: `ours`; `plain`, the same method in loops, without intervals; `permutations`, Shapley values
of the score itself over 20 random orders of the players, without intervals.
"""

from __future__ import annotations

import datetime as dt
import itertools
import random
import sys
from collections.abc import Callable
from typing import Any

import polars as pl

from benchmarks.process import tell

ORDERS = 20

Cell = tuple[int, int, int]
"""Ended, replied, bounced."""
Account = dict[str, tuple[Cell, Cell]]


def frames(senders: int, sequences: int) -> list[pl.DataFrame]:
    """Two tallies: every sender uses every sequence, and all has moved a little."""
    import numpy as np

    rng = np.random.default_rng([senders, sequences])
    made = []
    for _ in range(2):
        shape = (senders, sequences)
        ended = rng.integers(20, 120, shape)
        bounced = rng.binomial(ended, rng.uniform(0.01, 0.06, shape))
        replied = rng.binomial(ended - bounced, rng.uniform(0.04, 0.16, shape))
        users, names = (place.ravel() for place in np.indices(shape))
        counts = {"ended": ended, "replied": replied, "bounced": bounced}
        frame = pl.DataFrame(
            {"user_id": users, "sequence_id": names, **{n: c.ravel() for n, c in counts.items()}}
        ).with_columns(pl.col("user_id", "sequence_id").cast(pl.String))
        none = ("opened", "clicked", "meetings", "unsubscribed")
        made.append(
            frame.with_columns(
                *(pl.lit(0, pl.Int64).alias(name) for name in none), day=pl.lit(dt.date(2026, 3, 2))
            )
        )
    return made


def accounts(before: pl.DataFrame, after: pl.DataFrame) -> list[Account]:
    """The same as dictionaries by sequence."""
    made: dict[str, Account] = {}
    counts = ("ended", "replied", "bounced")
    for one, other in zip(before.iter_rows(named=True), after.iter_rows(named=True), strict=True):
        cells = tuple(tuple(row[name] for name in counts) for row in (one, other))
        made.setdefault(one["user_id"], {})[one["sequence_id"]] = cells
    return list(made.values())


def points(knots: tuple[tuple[float, float], ...], rate: float) -> float:
    """Points of a straight curve."""
    if rate <= knots[0][0]:
        return knots[0][1]
    for (r0, p0), (r1, p1) in itertools.pairwise(knots):
        if rate <= r1:
            return p0 + (p1 - p0) * (rate - r0) / (r1 - r0)
    return knots[-1][1]


def rates(account: Account, side: int) -> tuple[int, float, float]:
    """All ended, the reply rate and the bounce rate of one side."""
    ended, replied, bounced = (sum(cells[side][i] for cells in account.values()) for i in range(3))
    return ended, replied / (ended - bounced), bounced / ended


def plain(account: Account, curves: Any) -> list[float]:
    """The parts of one account, by the method of the package."""
    (n0, r0, b0), (n1, r1, b1) = rates(account, 0), rates(account, 1)
    middle, bounced, reach = (r0 + r1) / 2, (b0 + b1) / 2, 1 - (b0 + b1) / 2
    slopes = [
        (points(curve, end) - points(curve, start)) / (end - start)
        for curve, start, end in zip(curves, (r0, b0), (r1, b1), strict=True)
    ]
    parts = []
    for (e0, p0, x0), (e1, p1, x1) in account.values():
        share, reply = (e0 / n0, e1 / n1), (p0 / (e0 - x0), p1 / (e1 - x1))
        kept, bounce = (1 - x0 / e0, 1 - x1 / e1), (x0 / e0, x1 / e1)
        above = [r - middle for r in reply]
        mix, shift, answer = (
            (x[1] - x[0])
            * ((y[0] * z[0] + y[1] * z[1]) / 3 + (y[0] * z[1] + y[1] * z[0]) / 6)
            / reach
            for x, y, z in ((share, kept, above), (kept, share, above), (above, share, kept))
        )
        of_share = (share[1] - share[0]) * ((bounce[0] + bounce[1]) / 2 - bounced)
        of_rate = (share[0] + share[1]) / 2 * (bounce[1] - bounce[0])
        parts += [
            slopes[0] * mix + slopes[1] * of_share,
            slopes[0] * answer,
            slopes[0] * shift + slopes[1] * of_rate,
        ]
    return parts


def permutations(account: Account, curves: Any, draw: random.Random) -> list[float]:
    """Shapley values by random orders: three players a sequence, sums kept up to date."""
    n0, n1 = rates(account, 0)[0], rates(account, 1)[0]
    state0 = [
        [(e0 / n0, p0 / (e0 - x0), x0 / e0), (e1 / n1, p1 / (e1 - x1), x1 / e1)]
        for (e0, p0, x0), (e1, p1, x1) in account.values()
    ]
    players = [(i, k) for i in range(len(state0)) for k in range(3)]
    parts = dict.fromkeys(players, 0.0)

    def sums(one: Any) -> tuple[float, float, float, float]:
        share, reply, bounce = one
        return share, share * (1 - bounce), share * (1 - bounce) * reply, share * bounce

    for _ in range(ORDERS):
        draw.shuffle(players)
        now = [list(before) for before, _ in state0]
        total = [sum(values) for values in zip(*(sums(one) for one in now), strict=True)]
        score = _score(total, curves)
        for i, k in players:
            old = sums(now[i])
            now[i][k] = state0[i][1][k]
            total = [t + b - a for t, a, b in zip(total, old, sums(now[i]), strict=True)]
            moved = _score(total, curves)
            parts[i, k] += (moved - score) / ORDERS
            score = moved
    return list(parts.values())


def _score(total: list[float], curves: Any) -> float:
    share, delivered, replied, bounced = total
    return points(curves[0], replied / delivered) + points(curves[1], bounced / share)


def work(way: str, before: pl.DataFrame, after: pl.DataFrame) -> Callable[[], list[float]]:
    from senderscore_nb.drivers.explain import explain_difference
    from senderscore_nb.policy import load_policy

    policy = load_policy()
    if way == "ours":
        return lambda: (
            explain_difference(before, after, policy, within="user").parts["part"].to_list()
        )
    curves = (policy.reply_points.knots, policy.bounce_points.knots)
    all_ = accounts(before, after)
    draw = random.Random(1)
    if way == "plain":
        return lambda: [part for account in all_ for part in plain(account, curves)]
    return lambda: [part for account in all_ for part in permutations(account, curves, draw)]


if __name__ == "__main__":
    chosen = work(sys.argv[1], *frames(int(sys.argv[2]), int(sys.argv[3])))
    tell(chosen, lambda parts: {"parts": len(parts), "points": round(sum(parts), 6) + 0.0})
