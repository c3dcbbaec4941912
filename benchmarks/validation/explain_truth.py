"""Simulated accounts whose true shares and rates are known, before and after."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

Array = npt.NDArray[np.float64]

CERTAINTY = 10**9
"""Enrollments that stand for the truth itself: shares and rates to nine digits."""


@dataclass(frozen=True)
class Truth:
    """Shares and rates by side, account and sequence, (2, accounts, sequences).

    Attributes:
        share: Of what ended.
        bounce: Bounce rate.
        reply: Reply rate of what did not bounce.
        ended: Ended enrollments, (2, accounts).
    """

    share: Array
    bounce: Array
    reply: Array
    ended: npt.NDArray[np.int64]

    @classmethod
    def draw(cls, rng: np.random.Generator, accounts: int, sequences: int) -> Truth:
        """Accounts in which everything has moved."""
        shape = (2, accounts, sequences)
        return cls(
            rng.dirichlet(np.full(sequences, 2.0), shape[:2]),
            rng.uniform(0.005, 0.06, shape),
            rng.uniform(0.02, 0.18, shape),
            rng.integers(150 * sequences, 500 * sequences, shape[:2]),
        )

    def still(self) -> Truth:
        """The same accounts, in which nothing has moved."""
        same = [np.stack([a[0], a[0]]) for a in (self.share, self.bounce, self.reply)]
        return Truth(*same, self.ended)

    def sampled(self, rng: np.random.Generator, side: int) -> pl.DataFrame:
        """What one side's enrollments came to: the mix, the bounces and the replies are drawn."""
        ended = np.array(
            [rng.multinomial(n, p) for n, p in zip(self.ended[side], self.share[side], strict=True)]
        )
        bounced = rng.binomial(ended, self.bounce[side])
        return tallies(ended, rng.binomial(ended - bounced, self.reply[side]), bounced)

    def exact(self, side: int, weight: Array | float = 1.0) -> pl.DataFrame:
        """So many enrollments that nothing is left to chance."""
        ended = np.rint(CERTAINTY * self.share[side] * weight).astype(np.int64)
        bounced = np.rint(ended * self.bounce[side]).astype(np.int64)
        replied = np.rint((ended - bounced) * self.reply[side]).astype(np.int64)
        return tallies(ended, replied, bounced)


def tallies(
    ended: npt.NDArray[np.int64], replied: npt.NDArray[np.int64], bounced: npt.NDArray[np.int64]
) -> pl.DataFrame:
    """Counts of shape (accounts, sequences) as tallies; each account is a user."""
    users, sequences = (place.ravel() for place in np.indices(ended.shape))
    counts = {"ended": ended, "replied": replied, "bounced": bounced}
    return (
        pl.DataFrame(
            {
                "user_id": users,
                "sequence_id": sequences,
                **{name: values.ravel() for name, values in counts.items()},
            }
        )
        .with_columns(
            pl.col("user_id", "sequence_id").cast(pl.String),
            *(
                pl.lit(0, pl.Int64).alias(name)
                for name in ("opened", "clicked", "meetings", "unsubscribed")
            ),
            day=pl.lit(dt.date(2026, 3, 2)),
        )
        .filter(pl.col("ended") > 0)
    )
