"""Changes explained: do intervals cover, is nothing found where nothing moved, is what moved
found."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math

import numpy as np
import polars as pl

from benchmarks.validation.explain_truth import Truth
from benchmarks.validation.finding import Finding
from senderscore_nb.change import Window
from senderscore_nb.drivers.explain import Explanation, explain_change, explain_difference
from senderscore_nb.policy import BounceCurve, ReplyCurve, ScoringPolicy, load_policy
from senderscore_nb.sample import NO_EFFECTS, Effects, monday, simulate
from senderscore_nb.sums import merge
from senderscore_nb.tally import tally

POLICY = load_policy()
STEPS = POLICY.model_copy(
    update={
        "reply_points": ReplyCurve(
            interpolation="step", knots=((0, 0), (0.03, 15), (0.07, 35), (0.1, 42), (0.13, 50))
        ),
        "bounce_points": BounceCurve(
            interpolation="step", knots=((0, 50), (0.01, 45), (0.03, 30), (0.05, 10))
        ),
    }
)
KINDS = {"mix": "the mix", "reply_rate": "a reply rate", "bounce_rate": "a bounce rate"}
SEQUENCES = (1, 3, 6, 12)
"""Accounts have one of these numbers of sequences, a quarter of them each."""

_KEY = ["account", "user_id", "sequence_id", "kind"]
_TINY = 1e-6  # the truth is known to nine digits of each share and rate


def study(accounts: int, seed: int = 0) -> list[Finding]:
    """Accounts in which everything moved, nothing moved, one thing moved; and the sample's."""
    return [finding for part in PARTS for finding in part(accounts, seed)]


def coverage(accounts: int, seed: int = 0) -> list[Finding]:
    """Accounts in which everything moved: do the intervals hold what is true."""
    rng = np.random.default_rng([31, seed])
    covers = "the 95 % interval of a sequence's part covers the truth"
    found = []
    for words, policy, low, shared in (
        ("", POLICY, 0.93, False),
        (", windows that share days", POLICY, 0.93, True),
        (", curves of steps", STEPS, 0.9, False),
    ):
        each = max(1, accounts // len(SEQUENCES))
        truths = [Truth.draw(rng, each, n) for n in SEQUENCES]
        both = [_pair(truth, rng, policy, shared=shared) for truth in truths]
        for kind, name in KINDS.items():
            hits = _hits([(a.parts, b.parts) for a, b in both], kind)
            found.append(_share(f"{covers}: {name}{words}", low, 0.97, hits))
        hits = _hits([(a.kinds, b.kinds) for a, b in both])
        found.append(_share(f"the interval of all of a kind covers{words}", low, 0.97, hits))
        left = max(_left(one) for pair in both for one in pair)
        says = f"what the parts leave of the change, at most, in points{words}"
        found.append(Finding(says, "below 1e-9", 0.0, 1e-9, left, 2 * accounts))
    return found


def _pair(
    truth: Truth, rng: np.random.Generator, policy: ScoringPolicy, *, shared: bool
) -> tuple[Explanation, Explanation]:
    """What is explained from samples, and from the truth."""
    if not shared:
        sides = [truth.sampled(rng, side) for side in (0, 1)]
        exact = [truth.exact(side) for side in (0, 1)]
        return tuple(explain_difference(*two, policy, within="user") for two in (sides, exact))
    middle = Truth.draw(rng, *truth.share.shape[1:])
    weights = [t.ended[i] / 5_000 for t, i in ((truth, 0), (truth, 1), (middle, 0))]
    made = []
    for frames in (
        [truth.sampled(rng, 0), truth.sampled(rng, 1), middle.sampled(rng, 0)],
        [
            truth.exact(0, weights[0][:, None]),
            truth.exact(1, weights[1][:, None]),
            middle.exact(0, weights[2][:, None]),
        ],
    ):
        before, after, both = frames
        made.append(
            explain_difference(
                merge(before, both), merge(after, both), policy, within="user", shared=both
            )
        )
    return made[0], made[1]


def _hits(pairs: list[tuple[pl.DataFrame, pl.DataFrame]], kind: str | None = None) -> pl.Series:
    """Whether each interval holds the truth; a part that nothing can be of is left out."""
    hits = []
    for measured, true in pairs:
        on = [name for name in _KEY if name in measured.columns]
        both = measured.join(true, on=on, suffix="_true").filter(
            (pl.col("part_high") > pl.col("part_low")) | (pl.col("part_true") != 0)
        )
        if kind:
            both = both.filter(pl.col("kind") == kind)
        hits.append(
            both.select(
                (pl.col("part_low") <= pl.col("part_true") + _TINY)
                & (pl.col("part_true") <= pl.col("part_high") + _TINY)
            ).to_series()
        )
    return pl.concat(hits)


def _left(why: Explanation) -> float:
    sums = why.parts.group_by("user_id").agg(pl.col("part").sum())
    both = why.changes.join(sums, on="user_id")
    return float((both["change"] - both["part"]).abs().max() or 0.0)


def nothing(accounts: int, seed: int = 0) -> list[Finding]:
    """Accounts in which nothing moved, each judged by itself: is anything called certain."""
    rng = np.random.default_rng([32, seed])
    called, of_kind = [], []
    for place in range(accounts):
        still = Truth.draw(rng, 1, SEQUENCES[place % len(SEQUENCES)]).still()
        why = explain_difference(still.sampled(rng, 0), still.sampled(rng, 1), POLICY)
        called.append(bool(why.parts["certain"].any()))
        of_kind.append(bool(why.kinds["certain"].any()))
    return [
        _share("accounts in which nothing moved with a part called certain", 0, 0.05, called),
        _share("… with the mix, the reply or the bounce rates called certain", 0, 0.05, of_kind),
    ]


def planted(accounts: int, seed: int = 0) -> list[Finding]:
    """One thing moves in each account: the mix, one reply rate or one bounce rate."""
    rng = np.random.default_rng([33, seed])
    still = Truth.draw(rng, max(3, accounts), 4).still()
    still = dataclasses.replace(still, ended=np.full_like(still.ended, 6_000))
    kind = np.arange(still.share.shape[1]) % 3
    share, bounce, reply = (a.copy() for a in (still.share, still.bounce, still.reply))
    share[:] = 0.25
    reply[:, :, 0], reply[1, kind == 1, 0] = 0.10, 0.035
    bounce[:, :, 1], bounce[1, kind == 2, 1] = 0.015, 0.07
    reply[:, kind == 0, 0], reply[:, kind == 0, 3] = 0.15, 0.04
    share[0, kind == 0] = (0.55, 0.2, 0.2, 0.05)
    share[1, kind == 0] = (0.05, 0.2, 0.2, 0.55)
    moved = Truth(share, bounce, reply, still.ended)
    why = explain_difference(moved.sampled(rng, 0), moved.sampled(rng, 1), POLICY, within="user")
    true = explain_difference(moved.exact(0), moved.exact(1), POLICY, within="user")
    found = []
    for what, least in (("parts", 6), ("kinds", 8)):
        one, other = getattr(why, what), getattr(true, what)
        on = [name for name in _KEY if name in one.columns]
        both = one.join(other, on=on, suffix="_true")
        wrong = both.filter("certain").select(pl.col("part_true").abs() < 1e-3).to_series()
        found.append(_share(f"{what} called certain that did not move", 0, 0.05, wrong))
        large = both.filter(pl.col("part_true").abs() > least)["certain"]
        says = f"{what} of more than {least} points called certain, 6,000 ended on each side"
        found.append(_share(says, 0.9, 1, large))
    return found


def sample(accounts: int, seed: int = 0) -> list[Finding]:
    """The sample's generator, one account in fifty: 1003's bounces, 1007's mix, sequence 308."""
    before = Window(monday(3), monday(16) + dt.timedelta(days=6))
    after = Window(monday(27), monday(40) + dt.timedelta(days=6))
    told, alone, calm = [], [], []
    for number in range(max(2, accounts // 50)):
        for effects in (Effects(), NO_EFFECTS):
            tallies = tally(simulate(1_000_003 * (seed + 1) + number, effects=effects))
            why = explain_change(tallies, POLICY, before=before, after=after, within="user")
            sure = set(why.kinds.filter("certain").select("user_id", "kind").iter_rows())
            if effects is NO_EFFECTS:
                calm.append(bool(sure))
                continue
            told += [("1003", "bounce_rate") in sure, ("1007", "mix") in sure]
            users = tallies.filter(pl.col("user_id").is_in(["1002", "1006", "1013"]))
            worn = explain_change(users, POLICY, before=before, after=after).parts.filter("certain")
            alone.append(("308", "reply_rate") in worn.select("sequence_id", "kind").rows())
    return [
        _share("planted: the bounces of 1003 and the mix of 1007 are told", 0.9, 1, told),
        _share("planted: the reply rate of 308 is told", 0.9, 1, alone),
        _share("without effects, accounts with any sender's kind called certain", 0, 0.05, calm),
    ]


def _share(claim: str, low: float, high: float, hits: pl.Series | list[bool]) -> Finding:
    """A share; one that is at most so much may be above it by twice its sampling error."""
    values = list(hits)
    n = max(1, len(values))
    if low == 0:
        stated, high = f"at most {100 * high:g} %", high + 2 * math.sqrt(high * (1 - high) / n)
    else:
        stated = f"{100 * low:g}–{100 * high:g} %" if high < 1 else f"at least {100 * low:g} %"
    return Finding(claim, stated, low, high, sum(values) / n, len(values))


PARTS = (coverage, nothing, planted, sample)
"""What may be run side by side."""
