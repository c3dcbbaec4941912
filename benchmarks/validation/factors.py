"""Factors and levers: do intervals cover, is nothing found where there is nothing, and is what is
planted found."""

from __future__ import annotations

from collections import Counter

import polars as pl

from benchmarks.validation.factors_truth import Truth
from benchmarks.validation.finding import Finding
from senderscore_nb.drivers.factors import FactorEffects, factor_effects
from senderscore_nb.drivers.factors_rows import settled_rows
from senderscore_nb.drivers.levers_measured import LeverSettings, levers, window_of
from senderscore_nb.policy import load_policy
from senderscore_nb.sample import NO_EFFECTS, NULL_FACTORS, Effects, simulate

PLANTED = ("personalization_tokens", "previously_bounced", "sends_since_engagement")
FACTORS = (*PLANTED, *NULL_FACTORS, "enrolled_weekday")
VOLUME = 0.6
POLICY = load_policy()

_TOKENS = "the 95 % interval of the reply rate's adjusted difference by tokens covers the truth"
_CERTAIN = "what is called certain and is without effect, as a share, on average"
CLAIMS = (
    ("tokens", _TOKENS, 0.93, 0.97),
    ("past", "… of the bounce rate's, by bounced before", 0.93, 0.97),
    ("sends", "… of the reply rate's, by sends since engagement", 0.93, 0.97),
    ("null", "… of levels of factors without effect", 0.93, 0.97),
    ("false", "accounts without effects where any level is called certain", 0.0, 0.05),
    ("wrong", _CERTAIN, 0.0, 0.05),
    ("found", "planted factors called certain, of all planted ones", 0.95, 1.0),
    ("lever tokens", "the interval of the reply rate's change by using tokens covers", 0.93, 0.97),
    ("lever past", "… of the bounce rate's, by leaving out who bounced before", 0.93, 0.97),
    ("lever user", "… of one sender, by either lever", 0.93, 0.97),
    ("lever score", "… of the score's change, by either lever", 0.93, 0.97),
)
"""What is counted, the claim in words, and the smallest and largest share that agree with it."""


def study(accounts: int, seed: int = 0) -> list[Finding]:
    """Half of the accounts have the sample's effects, half have none."""
    seen: Counter[str] = Counter()
    for number in range(accounts):
        effects = Effects() if number % 2 == 0 else NO_EFFECTS
        rows = simulate(1_000_003 * (seed + 1) + number, volume=VOLUME, effects=effects)
        found = factor_effects(rows, POLICY, factors=FACTORS)
        _differences(rows, found, effects, seen)
        _discoveries(found, effects, seen)
        if effects is not NO_EFFECTS:
            _levers(rows, effects, number, seen)
    return [_share(seen, *row) for row in CLAIMS]


def _count(seen: Counter[str], name: str, *, hit: bool) -> None:
    seen[f"{name} trials"] += 1
    seen[f"{name} hits"] += hit


def _differences(
    rows: pl.DataFrame, found: FactorEffects, effects: Effects, seen: Counter[str]
) -> None:
    kept = settled_rows(rows.lazy(), POLICY.counting).kept
    settled = rows.filter(pl.Series(kept))
    ended = Truth.of(settled, effects)
    delivered = Truth.of(settled.filter(~pl.col("bounced")), effects)
    for row in found.effects.iter_rows(named=True):
        key = (row["factor"], row["outcome"])
        if key == ("personalization_tokens", "replied"):
            name = "tokens"
            truth = float((delivered.reply_with - delivered.reply_without).mean())
        elif key == ("previously_bounced", "bounced"):
            name = "past"
            kept_out = ended.bounce_given(before=False)
            truth = float((ended.bounce_given(before=True) - kept_out).mean())
        elif key == ("sends_since_engagement", "replied"):
            name = "sends"
            high, low = float(row["level"]), float(row["against"])
            truth = float((delivered.reply_at(high) - delivered.reply_at(low)).mean())
        else:
            name, truth = "null", 0.0
        low, high = row["difference_pp_low"], row["difference_pp_high"]
        _count(seen, name, hit=low <= 100 * truth <= high)


def _discoveries(found: FactorEffects, effects: Effects, seen: Counter[str]) -> None:
    certain = found.effects.filter(pl.col("certain"))
    planted = pl.struct("factor", "outcome").is_in(
        [
            {"factor": "personalization_tokens", "outcome": "replied"},
            {"factor": "previously_bounced", "outcome": "bounced"},
            {"factor": "sends_since_engagement", "outcome": "replied"},
        ]
    )
    if effects is NO_EFFECTS:
        _count(seen, "false", hit=certain.height > 0)
        return
    right = certain.filter(planted).height
    seen["found hits"] += right
    seen["found trials"] += 3
    seen["wrong trials"] += 1
    seen["wrong hits"] += (certain.height - right) / max(certain.height, 1)


def _levers(rows: pl.DataFrame, effects: Effects, number: int, seen: Counter[str]) -> None:
    settings = LeverSettings()
    ended = rows.filter(pl.col("ended_on").is_not_null())
    window = window_of(rows.lazy(), POLICY, settings)
    inside = ended.filter(pl.col("ended_on").is_between(window.start, window.end))
    user = inside["user_id"].unique().sort()[number % 14]
    for name, who in (("", None), ("user", user)):
        mine = inside if who is None else inside.filter(pl.col("user_id") == who)
        truth = Truth.of(mine, effects)
        worths = levers(rows, POLICY, by="user" if who else "", settings=settings)
        if who:
            worths = worths.filter(pl.col("user_id") == who)
        by_lever = {row["lever"]: row for row in worths.iter_rows(named=True)}
        tokens, past = by_lever["tokens"], by_lever["hard-bounced"]
        for row, measure, change in (
            (tokens, "reply_rate", truth.token_change()),
            (past, "bounce_rate", truth.past_change()),
        ):
            kind = name or ("tokens" if row is tokens else "past")
            hit = row[f"{measure}_change_low"] <= change <= row[f"{measure}_change_high"]
            _count(seen, f"lever {kind}", hit=hit)
            if row["score_change"] is not None and who is None:
                moved = {"reply": change} if row is tokens else {"bounce": change}
                points = truth.score_change(POLICY, **moved)
                within = row["score_change_low"] <= points <= row["score_change_high"]
                _count(seen, "lever score", hit=within)


def _share(seen: Counter[str], name: str, claim: str, low: float, high: float) -> Finding:
    trials = seen[f"{name} trials"]
    stated = f"{100 * low:g}–{100 * high:g} %" if low else f"at most {100 * high:g} %"
    return Finding(claim, stated, low, high, seen[f"{name} hits"] / max(trials, 1), trials)
