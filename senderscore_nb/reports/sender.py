"""The report of one sender: where they stand, what changed, and how their sequences do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from senderscore_nb import charts
from senderscore_nb.drivers import lever_sentences
from senderscore_nb.drivers.explain import Explanation
from senderscore_nb.drivers.explain_words import story
from senderscore_nb.errors import ReportError
from senderscore_nb.reports import sections
from senderscore_nb.reports.blocks import Figure, Prose, Summary, Table
from senderscore_nb.reports.frame import HISTORY_WEEKS, ReportFrame
from senderscore_nb.reports.moved import explained_facts, moved_figure, since_before
from senderscore_nb.reports.provenance import facts, inputs
from senderscore_nb.reports.words import SINCE, changed, standing
from senderscore_nb.reports.worth import lever_table, levers_of, without_rows


@dataclass(frozen=True)
class SenderReport(ReportFrame):
    """The blocks of one sender's report; the selection names exactly one user."""

    def __post_init__(self) -> None:
        """Refuses a selection of none or several senders.

        Raises:
            ReportError: Not exactly one user is selected.
        """
        if len(self.selection.users) != 1:
            raise ReportError(
                f"This report is about one sender; {len(self.selection.users)} were given.",
                hint="Give one user id: --user 1003.",
            )

    @property
    def who(self) -> dict[str, Any]:
        """The sender's row of scores."""
        return self.senders.row(0, named=True)

    def lead(self) -> Prose:
        """Where the sender stands, in words."""
        return Prose(
            [
                *self.opening,
                standing(self.who, str(self.who["user_label"])),
            ],
            kind="lead",
        )

    def gauge(self) -> Figure:
        """The sender's gauge."""
        table = sections.score_table(self.senders, sections.USER, caption="Score and rates")
        dial = charts.gauge(self.senders, self.policy)
        narrow = charts.gauge(self.senders, self.policy, width=320)
        return Figure(charts.with_narrow(dial, narrow), "The outer arc is the interval.", table)

    def change_words(self, weeks: int) -> Prose:
        """What changed since that many weeks ago, and whether it is more than noise."""
        return Prose(changed(self.sender_changes[weeks], "user_label", SINCE[weeks]))

    @cached_property
    def why(self) -> Explanation:
        """Why the score moved since the weeks before."""
        return self.explained("user")

    def why_words(self) -> Prose:
        """Why it moved, in words."""
        if self.why.changes.is_empty():
            return Prose([since_before(self.earlier), "Nothing ended in either."])
        return Prose([since_before(self.earlier), *story(self.why, labels=self.account.labels)])

    def why_chart(self) -> Figure:
        """Why it moved, step by step."""
        return moved_figure(self.why, self.policy, self.account.labels)

    @cached_property
    def sender_history(self) -> pl.DataFrame:
        """The score as it stood at the end of each of the last weeks."""
        return self.history("user")

    def trend(self) -> Figure:
        """The sender's score over time."""
        return sections.trend_figure(
            self.sender_history,
            self.policy,
            weeks=HISTORY_WEEKS,
            since=self.provisional_since,
        )

    def sequence_table(self) -> Table:
        """The sender by sequence."""
        return sections.score_table(self.sender_sequences, sections.SEQUENCE, caption="By sequence")

    def sequence_chart(self) -> Figure:
        """The sender by sequence, ranked."""
        rows = self.sender_sequences.with_columns(
            user_id=pl.col("sequence_id"), user_label=pl.col("sequence_label")
        )
        table = self.sequence_table()
        return sections.ranking_figure(
            rows, self.policy, caption="Sequences with intervals.", table=table
        )

    @cached_property
    def worths(self) -> pl.DataFrame | None:
        """What each lever would be worth to the sender; None where only tallies were read."""
        if not self.account.reading.has_rows:
            return None
        return levers_of(self.account, self.chosen, by="user")

    def lever_words(self) -> Prose | None:
        """What would move the score."""
        if self.worths is None:
            return without_rows(self.account)
        return Prose(lever_sentences(self.worths), listed=True)

    def lever_table(self) -> Table | None:
        """Every lever, and what the data cannot tell of."""
        return None if self.worths is None else lever_table(self.worths)

    def summary(self) -> Summary:
        """The report's figures as data: its JSON twin."""
        return Summary(
            {
                "report": "sender",
                **facts(self),
                "inputs": inputs(self).frame,
                "sender": self.senders,
                "changes": {SINCE[w]: frame for w, frame in self.sender_changes.items()},
                "levers": self.worths,
                "explained": {
                    "before": [self.earlier.start, self.earlier.end],
                    "sender": explained_facts(self.why, self.account.labels),
                },
                "sequences": self.sender_sequences,
                "history": self.sender_history,
                "policy_text": self.policy.to_toml(),
            }
        )
