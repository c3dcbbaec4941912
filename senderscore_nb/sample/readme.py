"""The sample's README: what the files are, and the truth that is planted in them."""

from __future__ import annotations

import datetime as dt

import polars as pl

from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy
from senderscore_nb.sample.account import (
    LAST_DAY,
    MOST_SENDS,
    NULL_FACTORS,
    PREVIOUSLY_BOUNCED,
    SENDERS,
    SEQUENCES,
    TIMEZONE,
    WEEKS,
    BadList,
    Decay,
    Effects,
    MixShift,
    monday,
)
from senderscore_nb.sample.rates import true_rates

RECENT = 12
"""The number of last weeks that the README's rates and scores are about."""


def readme(rows: pl.DataFrame, seed: int, *, export: str, swedish: str, roster: str) -> str:
    """The text of the sample's README, from the constants that the generator draws from."""
    policy, truth = load_policy(DEFAULT_POLICY), true_rates()
    ended = rows.height - rows["ended_on"].null_count()
    return "\n".join(
        [
            "# The sample account",
            "",
            "Simulated, with a known truth: nobody in it exists. Written by",
            f"`python -m senderscore_nb.sample data/sample --seed {seed}`; the same seed gives the",
            "same bytes, and this file is written from the constants that the data is drawn from.",
            "",
            "| file | what it is |",
            "| --- | --- |",
            f"| `{export}` | {rows.height:,} enrollments ({ended:,} ended), English labels |",
            f"| `{swedish}` | two other senders, Swedish labels and words, `;`, cp1252, `1,0` |",
            f"| `{roster}` | user, name, team, paid seat, active |",
            "",
            f"{WEEKS} weeks from Monday {monday(1)} to Sunday {LAST_DAY}; wall clock of",
            f"{TIMEZONE}. The export holds what ended in those weeks or was still active at their",
            "end, so enrollments begin some weeks earlier. Weeks below count from 1 and are weeks",
            "of enrollment; what ends in a week was enrolled up to four weeks before it.",
            "",
            *_planted(truth, policy, Effects()),
            "",
            *_senders(truth, policy),
            "",
            *_sequences(truth),
            "",
        ]
    )


def _planted(truth: pl.DataFrame, policy: ScoringPolicy, effects: Effects) -> list[str]:
    return [
        "## What is planted",
        "",
        "| what | where | truth |",
        "| --- | --- | --- |",
        *([_bad_list(effects.bad_list)] if effects.bad_list else []),
        *([_decay(effects.decay, truth)] if effects.decay else []),
        f"| Personalization tokens | everywhere | odds ratio {effects.tokens_odds_ratio:g} of a "
        "reply for one token or more against none, given sender, sequence and week; senders "
        "differ in how often they use tokens, so the crude ratio differs |",
        f"| Contacts that bounced before | everywhere, `previously_bounced`, about "
        f"{PREVIOUSLY_BOUNCED:.0%} | odds ratio {effects.past_bounce_odds_ratio:g} of a bounce, "
        "given sender, source and week; none on replies |",
        "| Contacts that do not engage | everywhere, `sends_since_engagement`, "
        f"0 to {MOST_SENDS} | odds ratio {effects.sends_odds_ratio:g} of a reply for each further "
        "e-mail, given sender, sequence, week and tokens; none on bounces |",
        *([_mix_shift(effects.mix_shift, truth)] if effects.mix_shift else []),
        *_roles(policy),
        f"| Nothing | {', '.join(f'`{name}`' for name in NULL_FACTORS)} | no effect on replies or "
        "bounces (a template: within its sequence) |",
        "| Nothing | `contact_source`, `personalization_tokens` | no effect of the source on "
        "replies, nor, the purchased list aside, on bounces; none of tokens on bounces |",
    ]


def _bad_list(bad: BadList) -> str:
    sender = next(s for s in SENDERS if s.user_id == bad.user_id)
    last = bad.first_rate + bad.weekly_rise * (WEEKS - bad.first_week)
    return (
        f"| Bounces climb because of one contact source | {_who(bad.user_id)} | from "
        f"{_week(bad.first_week)} on, {bad.share:.0%} of the enrollments come from "
        f"“{bad.source}”, which bounces at {bad.first_rate:.1%} at first and "
        f"{100 * bad.weekly_rise:.1f} percentage points more every week ({last:.1%} in week "
        f"{WEEKS}); all other sources stay at {sender.bounce_rate:.1%}; nobody else uses it |"
    )


def _decay(decay: Decay, truth: pl.DataFrame) -> str:
    mine = truth.filter(pl.col("sequence_id") == decay.sequence_id)
    users = mine["user_id"].unique().sort().to_list()
    first, last = (_mean_reply(mine.filter(pl.col("week") == w)) for w in (1, WEEKS))
    return (
        f"| A sequence wears out | {_what(decay.sequence_id)}, used by {', '.join(users)} | "
        f"log-odds of a reply change by {decay.slope:+g} a week: {first:.1%} in week 1, {last:.1%} "
        f"in week {WEEKS} |"
    )


def _mix_shift(shift: MixShift, truth: pl.DataFrame) -> str:
    mine = truth.filter(pl.col("user_id") == shift.user_id)
    before, after = (mine.filter(pl.col("week") == w) for w in (shift.first_week - 1, WEEKS))
    shares = "; ".join(
        f"{_what(row['sequence_id'])}: true reply rate {row['reply_rate']:.1%}, share "
        f"{row['share']:.0%} before and {row['share_after']:.0%} after"
        for row in before.join(
            after.select("sequence_id", "share"), on="sequence_id", suffix="_after"
        )
        .sort("sequence_id")
        .iter_rows(named=True)
    )
    return (
        f"| Only the mix moves | {_who(shift.user_id)} | from {_week(shift.first_week)} on; "
        f"{shares}; together {_mean_reply(before):.1%} before, {_mean_reply(after):.1%} after |"
    )


def _roles(policy: ScoringPolicy) -> list[str]:
    edge, unpaid, gone, new = (
        next(s for s in SENDERS if s.role == role)
        for role in ("on a band's edge", "no paid seat", "left the company", "new: below 100 ended")
    )
    points = float(_score(edge.reply_rate, edge.bounce_rate, policy))
    return [
        f"| On a band's edge | {_who(edge.user_id)} | true rates {edge.reply_rate:.1%} and "
        f"{edge.bounce_rate:.1%}, always: score {points:.1f} under `{policy.name}`; both curves "
        "bend there, so what is observed falls below more often than above |",
        f"| New, below {policy.minimum.user} ended | {_who(new.user_id)} | first enrollment in "
        f"{_week(new.first_week or 1)}, {new.weekly:g} a week; replies and bounces end a run "
        "early, so the first ended ones show both too high |",
        f"| No paid seat | {_who(unpaid.user_id)} | {unpaid.weekly:g} enrollments a week, "
        "no score by the vendor's rule |",
        f"| No longer active | {_who(gone.user_id)} | last enrollment in "
        f"{_week(gone.last_week or WEEKS)} |",
    ]


def _senders(truth: pl.DataFrame, policy: ScoringPolicy) -> list[str]:
    recent = truth.filter(pl.col("week") > WEEKS - RECENT)
    lines = [
        "## Senders",
        "",
        f"True rates: as stated for weeks before any change, and the mean of the last {RECENT} "
        "weeks of enrollment",
        f"with the score and band that they give under {policy.label}. Replies are of what did "
        "not bounce.",
        "",
        "| user | name | team | weekly | tokens | reply rate | bounce rate | recent reply rate "
        "| recent bounce rate | score | band | what for |",
        f"|{' --- |' * 12}",
    ]
    for s in SENDERS:
        mine = recent.filter(pl.col("user_id") == s.user_id)
        now = " | | | "
        if mine.height:
            reply = _mean_reply(mine)
            bounce = float(mine.select(pl.col("share").dot("bounce_rate") / pl.sum("share")).item())
            score = _score(reply, bounce, policy)
            band = pl.select(policy.band(pl.lit(score))).item()
            now = f"{reply:.2%} | {bounce:.2%} | {score:.1f} | {band}"
        lines.append(
            f"| {s.user_id} | {s.name} | {s.team} | {s.weekly:g} | {s.tokens:.0%} "
            f"| {s.reply_rate:.1%} | {s.bounce_rate:.1%} | {now} | {s.role} |"
        )
    return lines


def _sequences(truth: pl.DataFrame) -> list[str]:
    lines = [
        "## Sequences",
        "",
        "`strength` is added to a sender's log-odds of a reply. True reply rate: unweighted mean "
        "of the senders",
        "who were there in all weeks.",
        "",
        f"| sequence | name | steps | days | strength | reply rate in week 1 | in week {WEEKS} |",
        f"|{' --- |' * 7}",
    ]
    always = [s.user_id for s in SENDERS if s.first_week is None and s.last_week is None]
    truth = truth.filter(pl.col("user_id").is_in(always))
    for q in SEQUENCES:
        mine = truth.filter(pl.col("sequence_id") == q.sequence_id)
        rates = [
            pl.select(mine.filter(pl.col("week") == week)["reply_rate"].mean()).item()
            for week in (1, WEEKS)
        ]
        shown = " | ".join(f"{rate:.1%}" for rate in rates)
        lines.append(
            f"| {q.sequence_id} | {q.name} | {q.steps} | {q.days} | {q.strength:+g} | {shown} |"
        )
    return lines


def _mean_reply(truth: pl.DataFrame) -> float:
    """The mean true reply rate of what does not bounce, weighted with shares."""
    weight = pl.col("share") * (1 - pl.col("bounce_rate"))
    return float(truth.select((weight * pl.col("reply_rate")).sum() / weight.sum()).item())


def _score(reply: float, bounce: float, policy: ScoringPolicy) -> float:
    points = policy.reply_points.points(pl.lit(reply)) + policy.bounce_points.points(pl.lit(bounce))
    return float(pl.select(points).item())


def _week(week: int) -> str:
    day: dt.date = monday(week)
    year, iso, _ = day.isocalendar()
    return f"week {week} ({year}-W{iso:02d}, Monday {day})"


def _who(user_id: str) -> str:
    return next(f"{s.user_id} {s.name}" for s in SENDERS if s.user_id == user_id)


def _what(sequence_id: str) -> str:
    return next(f"{q.sequence_id} {q.name}" for q in SEQUENCES if q.sequence_id == sequence_id)
