"""The true rates: what a sender's replies and bounces are drawn from."""

from __future__ import annotations

import itertools
from collections.abc import Sequence as Many
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.errors import SelectionError, did_you_mean
from senderscore_nb.sample.account import (
    SENDERS,
    SEQUENCES,
    WEEKS,
    Effects,
    Mix,
    Sender,
    Sequence,
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_DEFAULT_EFFECTS = Effects()


def expit(log_odds: Floats) -> Floats:
    """The probability of log-odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds)), dtype=np.float64)


@dataclass(frozen=True)
class Model:
    """Senders, sequences and effects as arrays: senders by row, sequences by column.

    Attributes:
        mix: Share of each sequence, before any shift.
        shifted: Share of each sequence from `shift_week` on.
        shift_week: Week of the shift by sender; beyond every week where there is none.
        base: Log-odds of a reply by sender; with `mix` and `tokens` it gives the stated rate.
        strength: Added to the log-odds, by sequence.
        slope: Added to the log-odds every week, by sequence.
        tokens: Share of enrollments with a token, by sender.
        tokens_log_odds: Added to the log-odds where there is a token.
        bounce: Bounce rate by sender.
        list_week: First week of the bad list by sender; beyond every week where there is none.
        effects: The effects that it was made from.
    """

    mix: Floats
    shifted: Floats
    shift_week: Ints
    base: Floats
    strength: Floats
    slope: Floats
    tokens: Floats
    tokens_log_odds: float
    bounce: Floats
    list_week: Ints
    effects: Effects

    def reply_rate(self, sender: Ints, sequence: Ints, week: Ints, token: Floats) -> Floats:
        """Probability of a reply where the mail does not bounce; `token` is 0 or 1."""
        drift = self.slope[sequence] * np.maximum(week, 0)
        fixed = self.base[sender] + self.strength[sequence]
        return expit(fixed + drift + self.tokens_log_odds * token)

    def list_rate(self, week: Ints) -> Floats:
        """Bounce rate of the bad list; 0 where there is none."""
        bad = self.effects.bad_list
        if bad is None:
            return np.zeros(week.shape)
        rise = bad.weekly_rise * np.maximum(week - bad.first_week, 0)
        return np.minimum(bad.first_rate + rise, 0.5)


def build_model(
    senders: Many[Sender], sequences: Many[Sequence], effects: Effects = _DEFAULT_EFFECTS
) -> Model:
    """The model of an account.

    Raises:
        SelectionError: A sender's mix names a sequence that is not there.
    """
    never = np.iinfo(np.int64).max
    mix = _shares([s.mix for s in senders], sequences)
    shifted, shift_week = mix.copy(), np.full(len(senders), never)
    list_week = np.full(len(senders), never)
    for row, sender in enumerate(senders):
        shift, bad = effects.mix_shift, effects.bad_list
        if shift and shift.user_id == sender.user_id:
            shifted[row] = _shares([shift.mix], sequences)[0]
            shift_week[row] = shift.first_week
        if bad and bad.user_id == sender.user_id:
            list_week[row] = bad.first_week
    decay = effects.decay
    strength = np.array([s.strength for s in sequences])
    tokens = np.array([s.tokens for s in senders])
    log_odds = float(np.log(effects.tokens_odds_ratio))
    target = np.array([s.reply_rate for s in senders])
    return Model(
        mix=mix,
        shifted=shifted,
        shift_week=shift_week,
        base=_calibrate(target, mix, strength, tokens, log_odds),
        strength=strength,
        slope=np.array(
            [decay.slope if decay and decay.sequence_id == s.sequence_id else 0 for s in sequences],
            dtype=np.float64,
        ),
        tokens=tokens,
        tokens_log_odds=log_odds,
        bounce=np.array([s.bounce_rate for s in senders]),
        list_week=list_week,
        effects=effects,
    )


def true_rates(
    *,
    senders: Many[Sender] = SENDERS,
    sequences: Many[Sequence] = SEQUENCES,
    weeks: int = WEEKS,
    effects: Effects = _DEFAULT_EFFECTS,
) -> pl.DataFrame:
    """The truth behind a simulated account, by sender, sequence and week of enrollment.

    Returns:
        `user_id`, `sequence_id` (String), `week` (Int64, from 1), `share` of the sender's
        enrollments of that week, `reply_rate` (of what does not bounce) and `bounce_rate`
        (Float64, fractions), for the weeks and sequences in which the sender enrolls.

    >>> edge = true_rates().filter(pl.col("user_id") == "1004", pl.col("week") == 40)
    >>> edge.select(pl.col("share").dot("reply_rate").round(6)).item()
    0.07
    """
    model = build_model(senders, sequences, effects)
    cells = itertools.product(range(len(senders)), range(len(sequences)), range(1, weeks + 1))
    s, q, week = np.array(list(cells), dtype=np.int64).reshape(-1, 3).T
    share = np.where(week >= model.shift_week[s], model.shifted[s, q], model.mix[s, q])
    with_token, without = (model.reply_rate(s, q, week, np.full(s.shape, t)) for t in (1.0, 0.0))
    used = model.tokens[s]
    bad = model.effects.bad_list
    listed = np.where(week >= model.list_week[s], bad.share if bad else 0.0, 0.0)
    first = np.array([x.first_week or 1 for x in senders])[s]
    last = np.array([x.last_week or weeks for x in senders])[s]
    return pl.DataFrame(
        {
            "user_id": pl.Series([x.user_id for x in senders], dtype=pl.String).gather(s),
            "sequence_id": pl.Series([x.sequence_id for x in sequences]).gather(q),
            "week": week,
            "share": share,
            "reply_rate": used * with_token + (1 - used) * without,
            "bounce_rate": (1 - listed) * model.bounce[s] + listed * model.list_rate(week),
        }
    ).filter((share > 0) & (week >= first) & (week <= last))


def _shares(mixes: Many[Mix], sequences: Many[Sequence]) -> Floats:
    place = {s.sequence_id: i for i, s in enumerate(sequences)}
    shares = np.zeros((len(mixes), len(sequences)))
    for row, mix in enumerate(mixes):
        for sequence_id, share in mix:
            if sequence_id not in place:
                raise SelectionError(
                    f"There is no sequence {sequence_id!r}.", hint=did_you_mean(sequence_id, place)
                )
            shares[row, place[sequence_id]] += share
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float64)


def _calibrate(
    target: Floats, mix: Floats, strength: Floats, tokens: Floats, log_odds: float
) -> Floats:
    """The base log-odds by sender whose mean rate over mix and tokens is the target, by halving."""
    low, high = np.full(target.shape, -30.0), np.full(target.shape, 30.0)
    used = tokens[:, None]
    for _ in range(60):
        middle = (low + high) / 2
        at = middle[:, None] + strength
        mean = (mix * (used * expit(at + log_odds) + (1 - used) * expit(at))).sum(axis=1)
        low, high = np.where(mean < target, middle, low), np.where(mean < target, high, middle)
    return np.asarray((low + high) / 2, dtype=np.float64)
