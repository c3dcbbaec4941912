"""The weekly report: where everybody stands, what changed, and who needs attention."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import polars as pl

from senderscore_nb.drivers import lever_sentences
from senderscore_nb.drivers.explain import Explanation
from senderscore_nb.reports import sections
from senderscore_nb.reports.attention import attention
from senderscore_nb.reports.blocks import (
    Column,
    Figure,
    Prose,
    Summary,
    Table,
    count,
    day,
    signed,
)
from senderscore_nb.reports.frame import HISTORY_WEEKS, Measure, ReportFrame
from senderscore_nb.reports.moved import explained_facts, since_before, why_moved
from senderscore_nb.reports.provenance import facts, inputs
from senderscore_nb.reports.words import SINCE, band_counts, changed, standing, together
from senderscore_nb.reports.worth import factor_words, lever_table, levers_of, without_rows

_HEATMAP_WEEKS = 13


def _expected(value: object) -> str:
    return "not at this pace" if value is None else day(value)


class WeeklyReport(ReportFrame):
    """The blocks of the weekly report, in the order in which they answer its questions."""

    def lead(self) -> Prose:
        """Where we stand, in words."""
        everyone = self.overall.row(0, named=True)
        return Prose(
            [
                *self.opening,
                standing(everyone, together(everything=self.selection.is_everything)),
                band_counts(self.senders, self.policy),
            ],
            kind="lead",
        )

    def gauges(self) -> Figure:
        """A gauge for each sender."""
        return sections.gauge_wall(
            self.senders, self.policy, caption="Senders by score; the outer arc is the interval."
        )

    def ranking(self) -> Figure:
        """Senders ranked, with intervals."""
        table = sections.score_table(self.senders, sections.USER, caption="Ranked senders")
        caption = "Ranked senders. Where intervals overlap, the order may be chance."
        return sections.ranking_figure(self.senders, self.policy, caption=caption, table=table)

    def change_words(self, weeks: int) -> Prose:
        """What changed by more than noise since that many weeks ago."""
        lines = changed(self.sender_changes[weeks], "user_label", SINCE[weeks])
        return Prose(lines, listed=len(lines) > 1)

    def change_chart(self, weeks: int) -> Figure:
        """Scores then and now."""
        return sections.change_figure(self.sender_changes[weeks], self.policy, since=SINCE[weeks])

    @cached_property
    def worths(self) -> pl.DataFrame | None:
        """What each lever would be worth to all together; None where only tallies were read."""
        return levers_of(self.account, self.chosen) if self.account.reading.has_rows else None

    def factor_words(self) -> Prose:
        """What goes with replies and bounces."""
        return without_rows(self.account) or Prose(factor_words(self.account), listed=True)

    def lever_words(self) -> Prose | None:
        """What would move the score."""
        return None if self.worths is None else Prose(lever_sentences(self.worths), listed=True)

    def lever_table(self) -> Table | None:
        """Every lever, and what the data cannot tell of."""
        return None if self.worths is None else lever_table(self.worths)

    @cached_property
    def why_together(self) -> Explanation:
        """Why the score of all together moved since the weeks before."""
        return self.explained("")

    @cached_property
    def why_senders(self) -> Explanation:
        """Why each sender's score moved since the weeks before."""
        return self.explained("user")

    def why_words(self) -> Prose:
        """Why it moved: all together, and the senders whose change is more than noise."""
        who = together(everything=self.selection.is_everything)
        lines = why_moved(self.why_together, self.why_senders, self.account.labels, who)
        return Prose([since_before(self.earlier), *lines])

    def trend(self) -> Figure:
        """Everyone together, over time."""
        return sections.trend_figure(
            self.history(""), self.policy, weeks=HISTORY_WEEKS, since=self.provisional_since
        )

    @cached_property
    def sender_history(self) -> pl.DataFrame:
        """Scores by sender as they stood at the end of each of the last weeks."""
        return self.history("user", last=_HEATMAP_WEEKS)

    def heatmap(self) -> Figure:
        """Senders by week."""
        history = self.sender_history
        return sections.history_figure(history, self.policy, weeks=HISTORY_WEEKS)

    @cached_property
    def funnels(self) -> dict[Measure, tuple[pl.DataFrame, pl.DataFrame]]:
        """Rows and control limits by rate."""
        return {
            "reply_rate": self.funnel("reply_rate"),
            "bounce_rate": self.funnel("bounce_rate"),
        }

    def funnel_chart(self, measure: Measure) -> Figure:
        """A rate against n."""
        rows, limits = self.funnels[measure]
        return sections.funnel_figure(rows, limits, measure=measure, n=self.denominator(measure))

    @cached_property
    def attention_rows(self) -> pl.DataFrame:
        """Senders to look at, with reasons."""
        return attention(
            self.senders,
            {SINCE[weeks]: frame for weeks, frame in self.sender_changes.items()},
            self.funnels,
            self.policy,
        )

    def attention(self) -> Table:
        """Who needs attention, and why."""
        columns = [sections.USER, Column("reason", "Why")]
        return Table(self.attention_rows, columns, "Senders and reasons", empty="Nobody this week.")

    def collecting(self) -> Table:
        """Who has no score yet, how many enrollments are missing, and when they are there."""
        rows = self.senders.filter(pl.col("status") == "collecting").sort("missing")
        columns = [
            sections.USER,
            Column("ended", "Ended so far", count),
            Column("missing", "Still needed", count),
            Column("expected_on", "Expected on", _expected),
            *sections.RATES[1:],
        ]
        return Table(rows, columns, "Collecting", empty="Every sender has enough enrollments.")

    def without_score(self) -> Table:
        """Who has no score for another reason."""
        rows = self.senders.filter(pl.col("status").is_in(["no_paid_seat", "not_computable"]))
        columns = [sections.USER, Column("verdict", "Why"), sections.ENDED]
        return Table(rows, columns, "Without a score", empty="Nobody else is without a score.")

    def sequence_table(self) -> Table:
        """How the sequences do, with their change since four weeks ago."""
        moved = self.changes("sequence", weeks=4).select(
            "sequence_id", "score_change", "score_certain"
        )
        said = (
            pl.when("score_certain")
            .then(pl.lit("more than noise"))
            .when(pl.col("score_change").is_not_null())
            .then(pl.lit("within noise"))
        )
        rows = self.sequences.join(moved, on="sequence_id", how="left").with_columns(said=said)
        columns = [
            sections.SEQUENCE,
            *sections.SCORE,
            *sections.RATES,
            Column("score_change", "Since four weeks ago", signed),
            Column("said", "Is it noise?"),
        ]
        ranked = rows.sort("score", descending=True, nulls_last=True)
        return Table(ranked, columns, "Sequences over all senders")

    def sequence_heatmap(self) -> Figure:
        """Senders by sequence."""
        return sections.sequences_figure(self.sender_sequences, self.policy)

    def summary(self, more: Mapping[str, Any] | None = None) -> Summary:
        """The report's figures as data: its JSON twin.

        Args:
            more: Further figures, such as those of a candidate policy.
        """
        return Summary(
            {
                "report": "weekly",
                **facts(self),
                "inputs": inputs(self).frame,
                "everyone": self.overall,
                "senders": self.senders,
                "changes": {SINCE[w]: frame for w, frame in self.sender_changes.items()},
                "explained": {
                    "before": [self.earlier.start, self.earlier.end],
                    "everyone": explained_facts(self.why_together, self.account.labels),
                    "senders": explained_facts(self.why_senders, self.account.labels, sure=True),
                },
                "attention": self.attention_rows.drop("weight"),
                "levers": self.worths,
                "sequences": self.sequences,
                "sender_sequences": self.sender_sequences,
                "history": self.sender_history,
                "policy_text": self.policy.to_toml(),
                **(more or {}),
            }
        )
