"""Whose true rates an experiment is about, and how well they are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from senderscore_nb.errors import ContractError, SenderScoreError
from senderscore_nb.experiment.points import Array

_NODES_A_SIGMA = 5  # nodes in one standard deviation of what is observed
_MOST_NODES = 600
_LEAST_NODES = 24
_TAIL = 1e-6
_COLUMNS = ("ended", "replied", "bounced")


@dataclass(frozen=True, eq=False)
class Weights:
    """True rates to look at, and what each of them weighs for each sender.

    Attributes:
        replies: True shares of the delivered enrollments that are replied to, rising.
        bounces: True shares of the ended enrollments that bounce, rising.
        of_replies: Shape (senders, replies); each row sums to 1.
        of_bounces: Shape (senders, bounces); each row sums to 1.
    """

    replies: Array
    bounces: Array
    of_replies: Array
    of_bounces: Array

    def mean(self, values: Array) -> Array:
        """The expectation of a function of both rates for each sender.

        Args:
            values: The function at every pair, shape (replies, bounces).
        """
        return np.asarray(((self.of_replies @ values) * self.of_bounces).sum(axis=1))

    @property
    def together(self) -> Array:
        """What each pair of rates weighs for all senders together, shape (replies, bounces)."""
        return np.asarray(self.of_replies.T @ self.of_bounces / max(1, len(self.of_replies)))


@dataclass(frozen=True, eq=False)
class Cohort:
    """Senders with what is known of their true rates.

    Either counts, whose posterior is taken (Beta with Jeffreys' prior, for replies of what was
    delivered and for bounces of what ended), or rates that are known exactly.

    Attributes:
        ids: One a sender.
        counts: Shape (senders, 3): ended, replied, bounced; zeros where rates are known.
        rates: Shape (senders, 2): reply and bounce rate where they are known, else None.
    """

    ids: tuple[str, ...]
    counts: Array
    rates: Array | None = None

    @classmethod
    def of(cls, scored: pl.DataFrame) -> Cohort:
        """The senders of a scored frame that have a score.

        Args:
            scored: As `senderscore_nb.score.score` returns it, one row a sender.

        Raises:
            ContractError: A column is missing.
            SenderScoreError: Nobody has a score.
        """
        for name in (*_COLUMNS, "status"):
            if name not in scored.columns:
                raise ContractError(f"The scored frame has no column {name!r}.")
        rows = scored.filter(pl.col("status").cast(pl.String) == "scored")
        if rows.is_empty():
            raise SenderScoreError(
                "Nobody has a score, so there is nobody to try thresholds on.",
                hint="Take more days, or a lower minimum.",
            )
        key = "user_id" if "user_id" in rows.columns else rows.columns[0]
        ids = rows[key].cast(pl.String).fill_null("").to_list()
        return cls(tuple(ids), rows.select(_COLUMNS).cast(pl.Float64).to_numpy())

    @classmethod
    def at(cls, reply_rates: Sequence[float], bounce_rates: Sequence[float]) -> Cohort:
        """Senders whose true rates are known, as fractions, one bounce rate for each reply rate.

        >>> len(Cohort.at([0.07, 0.1], [0.02, 0.02]))
        2
        """
        rates = np.array([list(reply_rates), list(bounce_rates)], dtype=np.float64).T
        if len(rates) == 0 or not ((rates >= 0) & (rates <= 1)).all():
            raise SenderScoreError("True rates are fractions between 0 and 1; one pair at least.")
        ids = tuple(str(i + 1) for i in range(len(rates)))
        return cls(ids, np.zeros((len(rates), 3)), rates)

    def __len__(self) -> int:
        return len(self.ids)

    def one(self, place: int) -> Cohort:
        """The sender at a place, alone."""
        rates = None if self.rates is None else self.rates[place : place + 1]
        return Cohort(self.ids[place : place + 1], self.counts[place : place + 1], rates)

    def weights(self, n: int) -> Weights:
        """True rates dense enough to look at periods of n ended enrollments, and their weights."""
        if self.rates is not None:
            (replies, of_replies), (bounces, of_bounces) = map(_exactly, self.rates.T)
            return Weights(replies, bounces, of_replies, of_bounces)
        ended, replied, bounced = self.counts.T
        replies, of_replies = _posterior(replied, ended - bounced, n)
        bounces, of_bounces = _posterior(bounced, ended, n)
        return Weights(replies, bounces, of_replies, of_bounces)


def _exactly(rates: Array) -> tuple[Array, Array]:
    nodes, place = np.unique(rates, return_inverse=True)
    return nodes, np.eye(len(nodes))[place]


def _posterior(count: Array, total: Array, n: int) -> tuple[Array, Array]:
    """Nodes over all posteriors, and each posterior as a mixture of the nodes.

    A function that is linear between the nodes has its exact expectation. The nodes are even in
    the angle asin √p, in which a binomial rate has the same spread everywhere.
    """
    from scipy.special import betainc, betaincinv

    a, b = count + 0.5, total - count + 0.5
    low, high = betaincinv(a, b, _TAIL).min(), betaincinv(a, b, 1 - _TAIL).max()
    ends: list[float] = np.arcsin(np.sqrt([low, high])).tolist()
    wanted = _NODES_A_SIGMA * 2 * np.sqrt(n) * (ends[1] - ends[0])
    size = int(np.clip(wanted, _LEAST_NODES, _MOST_NODES))
    nodes = np.sin(np.linspace(ends[0], ends[1], size)) ** 2
    mass = np.diff(betainc(a[:, None], b[:, None], nodes), axis=1)
    first = (a / (a + b))[:, None] * np.diff(betainc(a[:, None] + 1, b[:, None], nodes), axis=1)
    right = np.clip((first - nodes[:-1] * mass) / np.diff(nodes), 0.0, mass)
    weights = np.zeros((len(a), len(nodes)))
    weights[:, 1:] += right
    weights[:, :-1] += mass - right
    return nodes, weights / weights.sum(axis=1, keepdims=True)
