"""The true differences and changes of a simulated account, from the constants it is drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.sample import SENDERS, SEQUENCES, WEEKS, Effects, monday
from senderscore_nb.sample.account import MOST_SENDS, PREVIOUSLY_BOUNCED, SENDS_DECAY
from senderscore_nb.sample.rates import Floats, build_model


@dataclass(frozen=True)
class Truth:
    """True probabilities of enrollments.

    Attributes:
        rows: The enrollments.
        reply: Of a reply with the tokens that each has.
        reply_with: The same with a token.
        reply_without: The same without.
        bounce: Of a bounce, not knowing whether the contact bounced before.
        effects: What is planted.
    """

    rows: pl.DataFrame
    reply: Floats
    reply_with: Floats
    reply_without: Floats
    bounce: Floats
    effects: Effects

    @classmethod
    def of(cls, rows: pl.DataFrame, effects: Effects) -> Truth:
        model = build_model(SENDERS, SEQUENCES, effects)
        users = {s.user_id: i for i, s in enumerate(SENDERS)}
        sequences = {s.sequence_id: i for i, s in enumerate(SEQUENCES)}
        user = rows["user_id"].replace_strict(users, return_dtype=pl.Int64).to_numpy()
        sequence = rows["sequence_id"].replace_strict(sequences, return_dtype=pl.Int64).to_numpy()
        since = (rows["enrolled_on"] - monday(1, weeks=WEEKS)).dt.total_days().to_numpy()
        week = np.floor_divide(since, 7) + 1
        token = (rows["personalization_tokens"] > 0).to_numpy()
        ones = np.ones(rows.height)
        with_token = model.reply_rate(user, sequence, week, ones)
        without = model.reply_rate(user, sequence, week, 0 * ones)
        listed = (rows["contact_source"] == "Purchased list").to_numpy()
        bounce = np.where(listed, model.list_rate(week), model.bounce[user])
        return cls(rows, np.where(token, with_token, without), with_token, without, bounce, effects)

    def bounce_given(self, *, before: bool) -> Floats:
        """Of a bounce where the contact had bounced before, or had not."""
        odds = PREVIOUSLY_BOUNCED / (1 - PREVIOUSLY_BOUNCED) * self.effects.past_bounce_odds_ratio
        share = odds / (1 + odds)
        ratio = share / PREVIOUSLY_BOUNCED if before else (1 - share) / (1 - PREVIOUSLY_BOUNCED)
        return _times(self.bounce, ratio)

    def reply_at(self, sends: float) -> Floats:
        """Of a reply where the contact had so many e-mails since it last engaged."""
        every = np.arange(MOST_SENDS + 1)
        ratio = self.effects.sends_odds_ratio
        weight = SENDS_DECAY**every
        mean = (weight * ratio**every).sum() / weight.sum()
        return _times(self.reply, ratio**sends / mean)

    def token_change(self) -> float:
        """Of the reply rate, were every enrollment to have a token."""
        return float((self.reply_with - self.reply).mean())

    def past_change(self) -> float:
        """Of the bounce rate, were contacts that bounced before left out."""
        before = self.rows["previously_bounced"].to_numpy()
        kept, gone = self.bounce_given(before=False), self.bounce_given(before=True)
        return float(kept[~before].mean() - np.where(before, gone, kept).mean())

    def score_change(self, policy: ScoringPolicy, *, reply: float = 0, bounce: float = 0) -> float:
        """Of the score that the true rates have, from a change of them."""
        before = self.rows["previously_bounced"].to_numpy()
        now = np.where(
            before, self.bounce_given(before=True), self.bounce_given(before=False)
        ).mean()
        return _score(policy, self.reply.mean() + reply, now + bounce) - _score(
            policy, self.reply.mean(), now
        )


def _score(policy: ScoringPolicy, reply: float, bounce: float) -> float:
    curves = policy.reply_points.points(pl.lit(reply)) + policy.bounce_points.points(pl.lit(bounce))
    return float(pl.select(curves).item())


def _times(rate: Floats, ratio: float) -> Floats:
    odds = rate / (1 - rate) * ratio
    return np.asarray(odds / (1 + odds), dtype=np.float64)
