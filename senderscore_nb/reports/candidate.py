"""A candidate policy beside the one in force: who would be where, and how stable either is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import polars as pl

from senderscore_nb import charts
from senderscore_nb.errors import SenderScoreError
from senderscore_nb.experiment import (
    Cohort,
    Comparison,
    compare,
    consistency,
    differences,
    stability,
)
from senderscore_nb.policy import ScoringPolicy, load_policy
from senderscore_nb.reports import sections
from senderscore_nb.reports.blocks import Column, Figure, Prose, Table, count, percent, points
from senderscore_nb.reports.blocks import signed as signed_points
from senderscore_nb.reports.frame import ReportFrame
from senderscore_nb.reports.words import band_counts, listed, plural

_NARROW = 220


@dataclass(frozen=True)
class Candidate:
    """The blocks of the section about a candidate; each is None where there is none.

    Attributes:
        report: The report under the policy in force.
        policy: The candidate, or None.
    """

    report: ReportFrame
    policy: ScoringPolicy | None

    @classmethod
    def of(cls, report: ReportFrame, candidate: str) -> Candidate:
        """The candidate of a report.

        Args:
            report: The report.
            candidate: A preset or a TOML file; none if empty.

        Raises:
            PolicyError: It is not a valid policy.
        """
        return cls(report, load_policy(candidate) if candidate else None)

    @cached_property
    def comparison(self) -> Comparison:
        """The same senders and days under both policies."""
        window = self.report.window
        chosen = {"start": window.start, "end": window.end}
        return compare(
            self.report.account,
            [self.report.policy, self._candidate],
            selection=self.report.selection.model_copy(update=chosen),
        )

    @cached_property
    def senders(self) -> pl.DataFrame:
        """Scores by sender as they would be."""
        account = self.report.account.under(self._candidate)
        return replace(self.report, account=account).scored("user")

    @cached_property
    def stability(self) -> pl.DataFrame | None:
        """How often bands would change by chance; None where nobody has a score."""
        cohort = self._cohort
        if cohort is None:
            return None
        rows = stability([self.report.policy, self._candidate], cohort)
        size = rows.height // 2
        names = [name for name in self.comparison.names for _ in range(size)]
        return rows.with_columns(policy=pl.Series(names, dtype=pl.String))

    def words(self) -> Prose | None:
        """Who would move, in sentences."""
        if self.policy is None:
            return None
        lines = [
            f"The candidate is {self.policy.label}; in force is {self.report.policy.label}. "
            f"In force: {band_counts(self.report.senders, self.report.policy)} Under the "
            f"candidate: {band_counts(self.senders, self.policy)}",
            self._moves(),
            *self._steady(),
        ]
        return Prose(lines)

    def differences(self) -> Table | None:
        """What differs between the two policies."""
        if self.policy is None:
            return None
        columns = [
            Column("key", "What"), Column("before", "In force"), Column("after", "Candidate")
        ]  # fmt: skip
        rows = differences(self.report.policy, self.policy)
        return Table(rows, columns, "What differs", empty="Both policies score alike.")

    def gauges(self) -> Figure | None:
        """A gauge for each sender under the candidate."""
        if self.policy is None:
            return None
        return sections.gauge_wall(
            self.senders, self.policy, caption="Senders as the candidate would score them."
        )

    def fill(self) -> Figure | None:
        """How the bands fill under both."""
        if self.policy is None:
            return None
        rows = self.comparison.fill()
        columns = [
            Column("policy", "Policy"),
            Column("state", "Band"),
            Column("senders", "Senders", count),
            Column("share", "Share", percent),
        ]
        table = Table(rows, columns, "Senders by band")
        chart = charts.with_narrow(
            charts.band_fill(rows), charts.band_fill(rows, width=_NARROW - 40)
        )
        return Figure(chart, "How the bands fill, in force and under the candidate.", table)

    def migration(self) -> Figure | None:
        """Who would go from which band to which."""
        if self.policy is None:
            return None
        rows = self.comparison.migration()
        before, after = self.comparison.names
        columns = [
            Column("before", "In force"),
            Column("after", "Candidate"),
            Column("senders", "Senders", count),
            Column("who", "Who"),
        ]
        table = Table(rows.filter(pl.col("senders") > 0), columns, "From band to band")
        wide, narrow = (
            charts.migration(rows, before=before, after=after, width=width)
            for width in (460, _NARROW)
        )
        return Figure(charts.with_narrow(wide, narrow), "Who would go from where to where.", table)

    def movers(self) -> Table | None:
        """Who would be in another band."""
        if self.policy is None:
            return None
        columns = [
            sections.USER,
            Column("state_before", "In force"),
            Column("state", "Candidate"),
            Column("score_before", "Score", points),
            Column("score", "Would be", points),
            Column("points", "Points", signed_points),
        ]
        rows = self.comparison.movers().filter("moves")
        return Table(rows, columns, "Who would move", empty="Nobody would be in another band.")

    def stability_chart(self) -> Figure | None:
        """How stable the bands of both are."""
        if self.policy is None or self.stability is None:
            return None
        columns = [
            Column("policy", "Policy"),
            Column("n", "Ended in a period", count),
            Column("flip_rate", "Change by chance", percent),
            Column("accuracy", "Band of the true rates", percent),
        ]
        table = Table(self.stability, columns, "Bands between two periods in which nothing changes")
        minimum = self._candidate.minimum.user
        wide, narrow = (
            charts.stability(self.stability, minimum=minimum, width=width)
            for width in (640, _NARROW + 40)
        )
        caption = "How often a band changes by chance alone, by the enrollments in a period."
        return Figure(charts.with_narrow(wide, narrow), caption, table)

    def summary(self) -> dict[str, Any]:
        """The section's figures for the JSON twin; empty without a candidate."""
        if self.policy is None:
            return {}
        figures: Mapping[str, Any] = {
            "policy": self.policy.name,
            "policy_version": self.policy.version,
            "policy_fingerprint": self.policy.fingerprint,
            "policy_text": self.policy.to_toml(),
            "differences": differences(self.report.policy, self.policy),
            "senders": self.senders,
            "agreement": self.comparison.agreement(),
            "migration": self.comparison.migration().filter(pl.col("senders") > 0),
            "movers": self.comparison.movers().filter("moves"),
            "stability": [] if self.stability is None else self.stability,
        }
        return {"candidate": figures}

    @property
    def _candidate(self) -> ScoringPolicy:
        if self.policy is None:
            raise SenderScoreError("The report has no candidate policy.")
        return self.policy

    @cached_property
    def _cohort(self) -> Cohort | None:
        known = self.report.senders.filter(pl.col("status") == "scored")
        return Cohort.of(known) if known.height else None

    def _moves(self) -> str:
        moved = self.comparison.movers().filter("moves")
        if moved.is_empty():
            return "Nobody would be in another band."
        rows = moved.sort(pl.col("points").abs(), descending=True, nulls_last=True)
        said = [
            f"{row['user_label']} ({row['state_before']} → {row['state']})"
            for row in rows.iter_rows(named=True)
        ]
        agreed = self.comparison.agreement().row(0, named=True)
        kappa = agreed["kappa"]
        how = "" if kappa is None else f" Agreement beyond chance (weighted kappa): {kappa:.2f}."
        return f"{plural(moved.height, 'sender')} would be elsewhere: {listed(said)}.{how}"

    def _steady(self) -> list[str]:
        cohort = self._cohort
        if cohort is None:
            return []
        n = max(1, round(float(pl.Series(cohort.counts[:, 0]).median() or 1)))  # type: ignore[arg-type]
        now, then = (
            percent(consistency(policy, cohort, n).flip_rate)
            for policy in (self.report.policy, self._candidate)
        )
        return [
            f"Between two periods of {plural(n, 'ended enrollment')} each, in which nothing "
            f"changes, bands change by chance in {now} of cases in force and in {then} under the "
            "candidate."
        ]
