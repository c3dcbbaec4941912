"""Simulated accounts with rates drawn at random and nothing planted: the truth of the studies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from senderscore_nb.contract import MEASURES
from senderscore_nb.sample import LAST_DAY, NO_EFFECTS, SENDERS, monday, simulate
from senderscore_nb.sample.account import Sender
from senderscore_nb.tally import tally

STEADY = tuple(s for s in SENDERS if s.first_week is None and s.last_week is None)


@dataclass(frozen=True)
class Simulated:
    """An account and its truth.

    Attributes:
        enrollments: As the reader would return them.
        tallies: Their counts.
        truth: `user_id`, `team`, `true_reply`, `true_bounce`.
        roster: Who is in which team.
        start: The Monday of its first week.
    """

    enrollments: pl.DataFrame
    tallies: pl.DataFrame
    truth: pl.DataFrame
    roster: pl.DataFrame
    start: dt.date


@dataclass(frozen=True)
class Plan:
    """How accounts are drawn: senders, weeks, enrollments a week, spread of teams and senders."""

    senders: int = 12
    weeks: int = 12
    weekly: tuple[float, float] = (25.0, 100.0)
    teams: float = 0.25
    apart: float = 0.45
    reply_rate: float = 0.08
    bounce_rate: float = 0.022


def accounts_of(plan: Plan, accounts: int, seed: int) -> Iterator[Simulated]:
    """Accounts one after another, each from its own seed."""
    for place in range(accounts):
        rng = np.random.default_rng([seed, place])
        yield simulated(drawn(plan, rng), plan.weeks, int(rng.integers(2**31)))


def drawn(plan: Plan, rng: np.random.Generator) -> list[Sender]:
    """Senders whose log-odds scatter around their team's, and teams' around the account's."""
    shift = rng.normal(0, plan.teams, (3, 2))
    senders = []
    for i in range(plan.senders):
        model = STEADY[i % len(STEADY)]
        own = shift[i % 3] + rng.normal(0, plan.apart, 2)
        reply, bounce = (
            _expit(np.log(p / (1 - p)) + by)
            for p, by in zip((plan.reply_rate, plan.bounce_rate), own, strict=True)
        )
        named = replace(model, user_id=f"{9001 + i}", name=f"Sender {i + 1}", team=f"T{i % 3}")
        rates = {"reply_rate": min(reply, 0.5), "bounce_rate": min(bounce, 0.3)}
        senders.append(replace(named, weekly=float(rng.uniform(*plan.weekly)), **rates))
    return senders


def simulated(senders: list[Sender], weeks: int, seed: int) -> Simulated:
    """The account of these senders, with nothing planted."""
    rows = simulate(seed, senders=senders, weeks=weeks, effects=NO_EFFECTS)
    truth = pl.DataFrame(
        {
            "user_id": [s.user_id for s in senders],
            "team": [s.team for s in senders],
            "true_reply": [s.reply_rate for s in senders],
            "true_bounce": [s.bounce_rate for s in senders],
        }
    )
    roster = truth.select("user_id", "team", paid_seat=pl.lit(value=True))
    start = monday(1, weeks=weeks, last_day=LAST_DAY)
    return Simulated(rows, tally(rows), truth, roster, start)


def clumped(rng: np.random.Generator, plan: Plan, clumping: float) -> Simulated:
    """Weekly tallies of senders whose true rate differs from week to week (Beta)."""
    start = monday(1, weeks=plan.weeks, last_day=LAST_DAY)
    days = [start + dt.timedelta(weeks=w) for w in range(plan.weeks)]
    parts, truth = [], []
    for sender in drawn(plan, rng):
        ended = rng.poisson(sender.weekly, plan.weeks)
        bounced = rng.binomial(ended, _weekly(rng, sender.bounce_rate, clumping, plan.weeks))
        reply = _weekly(rng, sender.reply_rate, clumping, plan.weeks)
        columns = {
            "ended": ended,
            "bounced": bounced,
            "replied": rng.binomial(ended - bounced, reply),
        }
        keys = {"user_id": [sender.user_id] * plan.weeks, "sequence_id": ["1"] * plan.weeks}
        parts.append(pl.DataFrame({**keys, "day": days, **columns}))
        truth.append((sender.user_id, sender.team, sender.reply_rate, sender.bounce_rate))
    rows = pl.concat(parts)
    rows = rows.with_columns(
        pl.lit(0, pl.Int64).alias(m) for m in MEASURES if m not in rows.columns
    )
    known = pl.DataFrame(truth, ["user_id", "team", "true_reply", "true_bounce"], orient="row")
    roster = known.select("user_id", "team", paid_seat=pl.lit(value=True))
    return Simulated(rows.clear(), rows, known, roster, start)


def _weekly(rng: np.random.Generator, rate: float, clumping: float, weeks: int) -> np.ndarray:
    whole = 1 / clumping - 1
    return rng.beta(rate * whole, (1 - rate) * whole, weeks)


def _expit(log_odds: float) -> float:
    return float(1 / (1 + np.exp(-log_odds)))
