"""What is scored again and again: each sender's counts, now or week by week."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.experiment.points import Array, Places, band_places, curve_points
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.sums import summarize, trailing

Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Cells:
    """Counts by sender, or by sender and week, of which both rates are known.

    Attributes:
        frame: `user_id`, `week` where there are weeks, `ended`, `replied`, `bounced`; sorted.
    """

    frame: pl.DataFrame

    @classmethod
    def of(
        cls,
        tallies: pl.DataFrame,
        *,
        weeks: int | None = None,
        roster: pl.DataFrame | None = None,
    ) -> Cells:
        """Cells from tallies.

        Args:
            tallies: `user_id`, `sequence_id`, `day` and the measures.
            weeks: Weeks that the window at the end of each week covers; one cell a sender over all
                days unless given.
            roster: Who has no paid seat by it is left out.

        Raises:
            SenderScoreError: No cell is left, or weeks is below 1.
        """
        if weeks is not None and weeks < 1:
            raise SenderScoreError(f"A window covers 1 week or more; {weeks} were asked for.")
        keys = ["user_id"] if weeks is None else ["user_id", "week"]
        rows = summarize(tallies if weeks is None else trailing(tallies, weeks), keys)
        if roster is not None:
            unpaid = roster.filter(~pl.col("paid_seat").fill_null(value=True))["user_id"]
            rows = rows.filter(~pl.col("user_id").is_in(unpaid.implode()))
        known = rows.filter(pl.col("replied").is_not_null() & pl.col("bounced").is_not_null())
        frame = known.filter(pl.col("ended") > pl.col("bounced"))
        if frame.is_empty():
            raise SenderScoreError(
                "No sender has a reply rate and a bounce rate here.",
                hint="Take more days; a source that does not know bounces cannot be scored.",
            )
        return cls(frame.select(*keys, "ended", "replied", "bounced"))

    def __len__(self) -> int:
        return self.frame.height

    @property
    def weekly(self) -> bool:
        """There are several weeks a sender."""
        return "week" in self.frame.columns

    @cached_property
    def ended(self) -> Places:
        """Ended enrollments of each cell."""
        return self.frame["ended"].to_numpy()

    @cached_property
    def bounce_rates(self) -> Array:
        """Bounce rate of each cell."""
        return self.frame.select(pl.col("bounced") / pl.col("ended")).to_series().to_numpy()

    def reply_rates(self, policy: ScoringPolicy) -> Array:
        """Reply rate of each cell, of what the policy takes it of."""
        of_ended = policy.counting.reply_denominator == "ended"
        total = pl.col("ended") if of_ended else pl.col("ended") - pl.col("bounced")
        return self.frame.select(pl.col("replied") / total).to_series().to_numpy()

    @cached_property
    def followed(self) -> Mask:
        """Whether the next cell is the same sender's next week; one shorter than the cells."""
        if not self.weekly:
            return np.zeros(max(0, len(self) - 1), dtype=bool)
        same = pl.col("user_id") == pl.col("user_id").shift(-1)
        next_ = pl.col("week").shift(-1) - pl.col("week") == pl.duration(days=7)
        return self.frame.select(same & next_).to_series().head(len(self) - 1).to_numpy()

    def enough(self, policy: ScoringPolicy) -> Mask:
        """Which cells have the policy's minimum for a user."""
        return np.asarray(self.ended >= policy.minimum.user)

    def scores(self, policy: ScoringPolicy) -> Array:
        """The score of each cell; NaN below the minimum."""
        points = curve_points(policy.reply_points, self.reply_rates(policy))
        points = points + curve_points(policy.bounce_points, self.bounce_rates)
        return np.asarray(np.where(self.enough(policy), points, np.nan))

    def places(self, policy: ScoringPolicy) -> Places:
        """The place of each cell's band; −1 below the minimum."""
        return band_places(policy, self.scores(policy))
