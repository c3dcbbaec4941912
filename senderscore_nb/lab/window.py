"""The counts that a trial is scored on: every sender's, over some weeks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.index import ENDED, Ints, Mask
from senderscore_nb.explorer.kernel import SCORED, Scores, score_cells
from senderscore_nb.explorer.rows import days_of
from senderscore_nb.explorer.scene import Scene
from senderscore_nb.explorer.state import preset_days
from senderscore_nb.lab.posterior import Floats, Posterior, flip_chance
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.selection import Selection


@dataclass(frozen=True)
class Window:
    """Counts of senders, under one set of counting rules.

    Attributes:
        ids: Ids of the senders.
        counts: Shape (measures, senders), as a `TallyIndex` gives them.
        seat: Who has a paid seat.
        days: The days in words.
        selection: What was counted.
    """

    ids: list[str]
    counts: Ints
    seat: Mask
    days: str
    selection: Selection
    _posteriors: dict[str, Posterior] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Data, selection: Selection, policy: ScoringPolicy, weeks: int) -> Window:
        """The window of a policy's counting rules.

        Args:
            data: What is scored.
            selection: Which senders and sequences, and which days at most.
            policy: Whose rules count.
            weeks: Complete weeks up to the newest one; 0 for all days.

        Raises:
            SenderScoreError: The enrollments would have to be counted again, and are not at hand.
        """
        index = data.index(policy)
        if weeks:
            last = min(index.last, selection.end or index.last)
            start, end = preset_days(index.first, last)["week"]
            start = index.first.fromordinal(start.toordinal() - 7 * (weeks - 1))
            start = max(start, selection.start or start)
            selection = selection.model_copy(update={"start": min(start, end), "end": end})
        scene = Scene(data, selection, policy, index)
        senders = scene.senders
        counts = senders.counts(*scene.span)
        return cls(senders.ids, counts, senders.seat, days_of(scene), selection)

    @property
    def enrollments(self) -> int:
        """How many enrollments ended."""
        return int(self.counts[ENDED].sum())

    @cached_property
    def held(self) -> Mask:
        """Who ended anything."""
        return np.asarray(self.counts[ENDED] > 0)

    def stand(self, policy: ScoringPolicy) -> Stand:
        """How every sender stands under a policy with these counting rules."""
        scores = score_cells(self.counts, policy, minimum=policy.minimum.user, seat=self.seat)
        kind = policy.counting.reply_denominator
        if kind not in self._posteriors:
            counts = [scores.replied, scores.reply_n, scores.bounced, scores.ended]
            self._posteriors[kind] = Posterior.of(np.stack(counts, axis=-1))
        flips = flip_chance(self._posteriors[kind].bands(policy))
        return Stand(policy, scores, np.where(scores.status == SCORED, flips, np.nan))


@dataclass(frozen=True)
class Stand:
    """Scores of senders under a policy, and how stable their bands are.

    Attributes:
        policy: What they are scored with.
        scores: One-dimensional.
        flips: The chance that two periods alike fall in different bands; not a number without a
            score.
    """

    policy: ScoringPolicy
    scores: Scores
    flips: Floats

    def together(self) -> Scores:
        """One score of all senders together, whatever their seat."""
        scores = self.scores
        sums = np.stack([scores.ended, scores.replied, scores.bounced]).sum(axis=1, keepdims=True)
        return score_cells(sums, self.policy, minimum=self.policy.minimum.user)
