"""The counts behind a selection, by sender, by sequence, by week: the figures of every panel."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from senderscore_nb.charts import words
from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.index import ENDED, Ints, Mask, TallyIndex
from senderscore_nb.explorer.kernel import Scores, score_cells
from senderscore_nb.explorer.state import View
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.score import PACE_DAYS
from senderscore_nb.selection import Selection

_FORESEEABLE = 366


@dataclass(frozen=True)
class Group:
    """Rows of one kind with their running sums.

    Attributes:
        kind: `user` or `sequence`.
        ids: An id for each row.
        cube: Running sums, shape (measures, rows, days + 1).
        seat: Which rows' sender has a paid seat.
        minimum: Ended enrollments that a score of a row needs.
    """

    kind: str
    ids: list[str]
    cube: Ints
    seat: Mask
    minimum: int

    def counts(self, low: int, high: int) -> Ints:
        """Sums of the days from one place to before another, shape (measures, rows)."""
        return self.cube[:, :, high] - self.cube[:, :, low]

    def at(self, places: Ints) -> Group:
        """Some of the rows."""
        ids = [self.ids[i] for i in places]
        return Group(self.kind, ids, self.cube[:, places], self.seat[places], self.minimum)


@dataclass(frozen=True)
class Weeks:
    """Weeks along an axis: each covers the days from `low` to before `high`.

    Attributes:
        mondays: The Monday that names each week.
        low: Place of the first day that each point covers.
        high: Place after its last one.
    """

    mondays: list[dt.date]
    low: Ints
    high: Ints


@dataclass(frozen=True)
class Scene:
    """A selection under a policy, over an index.

    Attributes:
        data: What is explored.
        selection: What is counted.
        policy: What it is scored with.
        index: The tallies under the policy's counting rules.
    """

    data: Data
    selection: Selection
    policy: ScoringPolicy
    index: TallyIndex

    @classmethod
    def of(cls, data: Data, selection: Selection, policy: str, date_basis: str = "") -> Scene:
        """The scene of a selection.

        Raises:
            SenderScoreError: The policy does not exist, or cannot be counted here.
        """
        chosen = data.policy(policy, date_basis)
        return cls(data, selection, chosen, data.index(chosen))

    @classmethod
    def seen(cls, data: Data, view: View) -> Scene:
        """What a view counts, its brushed weeks and what was opened included."""
        return cls.of(data, view.seen, view.policy, view.date_basis)

    @cached_property
    def span(self) -> tuple[int, int]:
        """The places of the selection's days in the index."""
        return self.index.span(self.selection.start, self.selection.end)

    @cached_property
    def users(self) -> Mask | None:
        """Which senders are taken; None for all."""
        return self.data.users_of(self.index, self.selection)

    @cached_property
    def sequences(self) -> Mask | None:
        """Which sequences are taken; None for all."""
        return self.data.sequences_of(self.index, self.selection)

    @cached_property
    def senders(self) -> Group:
        """The senders that are taken."""
        cube = self.index.senders(self.sequences)
        seat = self.data.seats(self.index)
        group = Group("user", self.index.users, cube, seat, self.policy.minimum.user)
        return group if self.users is None else group.at(np.flatnonzero(self.users))

    def sequences_of(self, user: str) -> Group:
        """The sequences of one sender, as far as they are taken."""
        place = self.index.users.index(user)
        codes, cube = self.index.sequences_of(place, self.sequences)
        seat = np.full(len(codes), self.data.seats(self.index)[place])
        ids = [self.index.sequences[i] for i in codes]
        return Group("sequence", ids, cube, seat, self.policy.minimum.sequence)

    def scored(self, group: Group) -> Scores:
        """Scores of the rows of a group over the selection's days."""
        counts = group.counts(*self.span)
        return score_cells(counts, self.policy, minimum=group.minimum, seat=group.seat)

    def together(self, group: Group, *, own: bool) -> Scores:
        """One score of all rows of a group together.

        Args:
            group: The rows.
            own: It is the score of one sender, to whom the rule of the paid seat applies.
        """
        counts = group.counts(*self.span).sum(axis=1, keepdims=True)
        seat = bool(group.seat[0]) if own and len(group.seat) else True
        minimum = group.minimum if group.kind == "sequence" and len(group.ids) == 1 else (
            self.policy.minimum.user
        )  # fmt: skip
        return score_cells(counts, self.policy, minimum=minimum, seat=seat)

    @property
    def enrollments(self) -> int:
        """How many ended enrollments the selection holds."""
        low, high = self.span
        return int(self.senders.counts(low, high)[ENDED].sum())

    def expected(self, group: Group, missing: Ints) -> list[dt.date | None]:
        """When the minimum is reached at the pace of the last 28 days, as `score` says it."""
        low, high = self.span
        recent = group.counts(max(low, high - PACE_DAYS), high)[ENDED]
        today = self.index.first + dt.timedelta(days=high - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            days = np.ceil(missing / (recent / PACE_DAYS))
        return [
            today + dt.timedelta(days=int(n)) if np.isfinite(n) and n <= _FORESEEABLE else None
            for n in days
        ]

    def too_short(self, span: int) -> dict[str, Any] | None:
        """What is said where no weeks of a span are whole, and the longest span that has some."""
        if span == 1 or self.span[0] >= self.span[1] or len(self.weeks(span).mondays):
            return None
        fits = next((n for n in (12, 4) if n < span and len(self.weeks(n).mondays)), 1)
        first, high = self.index.first, self.span[1] - 1
        held = (high + first.weekday()) // 7 + 1
        known = f"there are {held} weeks" if held > 1 else "there is 1 week"
        return {
            "words": f"A score over {span} weeks needs {span} weeks of data; up to "
            f"{words.day(first + dt.timedelta(days=high))} {known}.",
            "weeks": fits,
            "offer": f"Show {fits} weeks at a time" if fits > 1 else "Show each week by itself",
        }

    def weeks(self, span: int) -> Weeks:
        """The weeks that the selection touches.

        Args:
            span: Weeks that each point covers, up to and including its own. More than one reach
                back before the selection; a point whose weeks the data does not hold is left out.
        """
        low, high = self.span
        first = self.index.first
        if low >= high:
            return Weeks([], np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
        start, end = first + dt.timedelta(days=low), first + dt.timedelta(days=high - 1)
        oldest = first - dt.timedelta(days=first.weekday())
        monday = start - dt.timedelta(days=start.weekday())
        monday = max(monday, oldest + dt.timedelta(weeks=span - 1))
        mondays = [monday + dt.timedelta(weeks=n) for n in range((end - monday).days // 7 + 1)]
        since = np.array([(m - first).days for m in mondays], dtype=np.int64)
        begin = since - 7 * (span - 1)
        until = np.minimum(since + 7, high)
        return Weeks(mondays, np.maximum(begin, low if span == 1 else 0), until)
