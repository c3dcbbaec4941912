"""The generator: enrollments drawn from the model of an account.

Only uniform numbers are drawn, all of them up front and in a fixed order. So a seed gives the same
rows whatever the version of numpy's distributions, and switching an effect off leaves all other
draws as they are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence as Many

import numpy as np
import polars as pl

from senderscore_nb.contract import COLUMNS
from senderscore_nb.sample.account import (
    LAST_DAY,
    SEED,
    SENDERS,
    SEQUENCES,
    WEEKS,
    Effects,
    Sender,
    Sequence,
    monday,
)
from senderscore_nb.sample.frame import (
    Draws,
    Factors,
    Names,
    Runs,
    Span,
    factor_columns,
    finish,
    past_columns,
    run_columns,
)
from senderscore_nb.sample.rates import Floats, Ints, Model, build_model
from senderscore_nb.sample.words import CODE, CONTACT_SOURCES, ENDINGS

BURN_IN = 6
"""Weeks simulated before the first one, so that what ends in the first weeks is complete."""

_WEEKDAYS = np.array([0.22, 0.22, 0.21, 0.2, 0.14, 0.005, 0.005])
_HOURS = np.array([2, 8, 14, 14, 9, 11, 12, 11, 9, 6, 4], dtype=np.float64)
_FIRST_HOUR = 7
_DAY = 24 * 60
_DRAWS = (
    *("sequence", "token", "tokens", "source", "segment", "stage", "domain", "template"),
    *("weekday", "hour", "minute", "bounced", "replied", "late", "thread", "ending", "moment"),
    *("length", "stuck", "paused", "both", "opened", "open_count", "clicked", "meeting", "again"),
    *("past", "sends"),
)
_DEFAULT_EFFECTS = Effects()


def simulate(
    seed: int = SEED,
    *,
    senders: Many[Sender] = SENDERS,
    sequences: Many[Sequence] = SEQUENCES,
    weeks: int = WEEKS,
    last_day: dt.date = LAST_DAY,
    volume: float = 1.0,
    effects: Effects = _DEFAULT_EFFECTS,
) -> pl.DataFrame:
    """Enrollments of a simulated account, as the reader would return them.

    What ends on or after the first day of the first week, or is still active on `last_day`. Days
    and hours are the account's own. The truth behind them is `true_rates`.

    Args:
        seed: Same seed, same enrollments.
        senders: The senders, with their rates.
        sequences: The sequences that their mixes name.
        weeks: Number of ISO weeks.
        last_day: A Sunday; nothing is known of what comes after.
        volume: Factor on every sender's weekly enrollments.
        effects: What is planted.

    Returns:
        The canonical columns and factors that an export knows (see `contract.COLUMNS`), sorted by
        time of enrollment.

    Raises:
        SelectionError: A sender's mix names a sequence that is not there.

    >>> simulate(1, weeks=4, volume=0.1)["bounced"].dtype
    Boolean
    """
    rows = simulate_rows(
        seed,
        senders=senders,
        sequences=sequences,
        weeks=weeks,
        last_day=last_day,
        volume=volume,
        effects=effects,
    )
    return rows.select(pl.col(name).cast(COLUMNS[name]) for name in COLUMNS if name in rows.columns)


def simulate_rows(
    seed: int = SEED,
    *,
    senders: Many[Sender] = SENDERS,
    sequences: Many[Sequence] = SEQUENCES,
    weeks: int = WEEKS,
    last_day: dt.date = LAST_DAY,
    volume: float = 1.0,
    effects: Effects = _DEFAULT_EFFECTS,
    first_id: int = 700_001,
) -> pl.DataFrame:
    """`simulate` with what the export says beside: instants, counts of mails, HubSpot's words.

    Further columns: `enrolled_at`, `ended_at` (Datetime, wall clock), `state`, `source`, `error`
    (String), `sent`, `opens`, `clicks`, `replies`, `bounces`, `unsubscribes`, `meetings` (Int64),
    `recipient_email` (String).
    """
    model = build_model(senders, sequences, effects)
    rng = np.random.Generator(np.random.PCG64(seed))
    sender, week = _volumes(rng, senders, weeks, volume)
    draw = dict(zip(_DRAWS, rng.random((len(_DRAWS), sender.size)), strict=True))
    begin = _minutes(monday(1, weeks=weeks, last_day=last_day))
    span = Span(_enrolled(draw, week, begin), now=_minutes(last_day) + _DAY)
    factors = _factors(draw, model, sender, week)
    steps = np.array([s.steps for s in sequences])[factors.sequence]
    days = np.array([s.days for s in sequences])[factors.sequence]
    runs = _runs(draw, model, sender, week, factors, days, span)
    names = Names(tuple(senders), tuple(sequences), effects.bad_list)
    columns = {
        **names.columns(sender, factors),
        **run_columns(span, runs),
        **factor_columns(draw),
        **past_columns(draw, runs, effects),
        **_counts(draw, runs, steps, days),
        "steps": steps,
        "tokens": factors.tokens,
    }
    seen = pl.Series(runs.active | (runs.ended >= begin))
    return finish(pl.DataFrame(columns).filter(seen), first_id)


def _volumes(
    rng: np.random.Generator, senders: Many[Sender], weeks: int, volume: float
) -> tuple[Ints, Ints]:
    span = np.arange(1 - BURN_IN, weeks + 1)
    weekly = np.array([s.weekly for s in senders])[:, None] * volume
    first = np.array([span[0] if s.first_week is None else s.first_week for s in senders])[:, None]
    last = np.array([weeks if s.last_week is None else s.last_week for s in senders])[:, None]
    uneven, rounding = rng.random((2, len(senders), span.size))
    count = np.floor(weekly * (0.8 + 0.4 * uneven) + rounding)
    count = np.where((span >= first) & (span <= last), count, 0).astype(np.int64).ravel()
    sender, week = np.indices((len(senders), span.size)).reshape(2, -1)
    return np.repeat(sender, count), np.repeat(span[week], count)


def _minutes(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days * _DAY


def _pick(shares: Floats, uniform: Floats) -> Ints:
    edges = np.cumsum(shares) / np.sum(shares)
    return np.searchsorted(edges, uniform, side="right").astype(np.int64)


def _enrolled(draw: Draws, week: Ints, begin: int) -> Ints:
    day = 7 * (week - 1) + _pick(_WEEKDAYS, draw["weekday"])
    hour = _FIRST_HOUR + _pick(_HOURS, draw["hour"])
    minute = np.floor(60 * draw["minute"]).astype(np.int64)
    return np.asarray(begin + day * _DAY + hour * 60 + minute, dtype=np.int64)


def _factors(draw: Draws, model: Model, sender: Ints, week: Ints) -> Factors:
    moved = week >= model.shift_week[sender]
    mix = np.where(moved[:, None], model.shifted[sender], model.mix[sender])
    sequence = (draw["sequence"][:, None] >= np.cumsum(mix, axis=1)[:, :-1]).sum(axis=1)
    bad = model.effects.bad_list
    share = np.where(week >= model.list_week[sender], bad.share if bad else 0.0, 0.0)
    # The part of the draw that the bad list leaves is stretched to 0–1 for the other sources.
    rest = (draw["source"] - share) / np.maximum(1 - share, 1e-12)
    others = _pick(np.array([used for _, used in CONTACT_SOURCES]), np.maximum(rest, 0))
    token = draw["token"] < model.tokens[sender]
    return Factors(
        sequence=sequence.astype(np.int64),
        source=np.where(rest < 0, len(CONTACT_SOURCES), others),
        tokens=np.where(token, 1 + np.floor(3 * draw["tokens"] ** 1.5), 0).astype(np.int64),
    )


def _runs(
    draw: Draws, model: Model, sender: Ints, week: Ints, factors: Factors, days: Ints, span: Span
) -> Runs:
    listed = factors.source == len(CONTACT_SOURCES)
    bounce_rate = np.where(listed, model.list_rate(week), model.bounce[sender])
    token = (factors.tokens > 0).astype(np.float64)
    reply_rate = model.reply_rate(sender, factors.sequence, week, token)
    bounced = draw["bounced"] < bounce_rate
    willing = draw["replied"] < reply_rate
    replied = ~bounced & willing
    late = replied & (draw["late"] < 0.04)  # a reply after the last step ends nothing
    word = np.where(draw["thread"] < 0.25, CODE["thread_reply"], CODE["reply"])
    ending = _pick(np.array([e.share for e in ENDINGS]), draw["ending"])
    ending = np.where(late, CODE["finished"], np.where(replied, word, ending))
    ending = np.where(bounced, CODE["bounced"], ending)
    elapsed = _elapsed(draw, ending, days)
    ended = _by_day(span.enrolled + np.ceil(elapsed * _DAY).astype(np.int64))
    stuck = draw["stuck"] < 0.002  # paused and forgotten, whatever it would have come to
    active = stuck | (ended >= span.now)
    past = np.where(stuck, np.minimum(elapsed, days * draw["moment"]), elapsed)
    return Runs(
        ending=ending,
        ended=ended,
        active=active,
        paused=active & (stuck | (draw["paused"] < 0.06)),
        elapsed=np.minimum(past, (span.now - span.enrolled) / _DAY),
        bounced=bounced & ~active,
        replied=replied & ~active,
        returned=bounced,
        willing=willing,
    )


def _elapsed(draw: Draws, ending: Ints, days: Ints) -> Floats:
    """Days from enrollment to the end, by how it ends."""
    run, moment = days * (0.95 + 0.15 * draw["length"]), draw["moment"]
    replied = (ending == CODE["reply"]) | (ending == CODE["thread_reply"])
    elapsed = np.where(ending == CODE["finished"], run, days * moment)
    elapsed = np.where(replied, days * (0.02 + 0.95 * moment**1.4), elapsed)
    elapsed = np.where(ending == CODE["bounced"], 0.01 + 3 * moment**3, elapsed)
    return np.asarray(np.where(ending == CODE["blocked"], 0.002, elapsed), dtype=np.float64)


def _by_day(instant: Ints) -> Ints:
    # Nothing ends at night: an hour that the change to summer time skips would not exist.
    night = instant % _DAY < 5 * 60
    return np.where(night, instant + 5 * 60, instant)


def _counts(draw: Draws, runs: Runs, steps: Ints, days: Ints) -> dict[str, Ints]:
    known = ~runs.active
    sent = np.minimum(1 + np.floor(runs.elapsed / (days / steps)).astype(np.int64), steps)
    sent = np.where(known & (runs.ending == CODE["blocked"]), 0, sent)
    got = sent - runs.bounced
    opened = (got > 0) & (draw["opened"] < np.where(runs.replied, 0.95, 0.4))
    met = np.isin(runs.ending, [CODE["meeting"], CODE["account_meeting"]])
    met |= runs.replied & (draw["meeting"] < 0.18)
    both = runs.bounced & (draw["both"] < 0.012)  # a colleague answers what the server returned
    again = runs.replied & (draw["late"] > 0.85)
    return {
        "sent": sent,
        "opens": np.where(opened, 1 + np.floor(draw["open_count"] * got), 0).astype(np.int64),
        "clicks": (opened & (draw["clicked"] < 0.15)).astype(np.int64),
        "replies": (runs.replied | both).astype(np.int64) + again,
        "bounces": runs.bounced.astype(np.int64),
        "unsubscribes": (known & (runs.ending == CODE["unsubscribed"])).astype(np.int64),
        "meetings": (known & met).astype(np.int64),
    }
