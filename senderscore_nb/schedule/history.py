"""The ledger's records as a state: what of each report is planned, made, failed and told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from senderscore_nb.schedule.ledger import Record

RunStatus = Literal["made", "failed", "cancelled", "interrupted"]
"""`interrupted`: it was started and never ended, because its process was killed."""


class Target(NamedTuple):
    """One report of one period for one instance: a user, a team, … or everyone ("")."""

    report: str
    period: str
    instance: str


@dataclass(frozen=True)
class Run:
    """One attempt to make a target.

    Attributes:
        id: Names the run.
        target: What it made.
        started: The record of its start.
        ended: The record of its end, or None.
    """

    id: str
    target: Target
    started: Record
    ended: Record | None = None

    @property
    def status(self) -> RunStatus:
        """How it ended."""
        status: RunStatus = self.ended["status"] if self.ended else "interrupted"
        return status

    @property
    def at(self) -> dt.datetime:
        """When it ended, or else began."""
        return (self.ended or self.started).at


class Instance(NamedTuple):
    """For whom a report is made: a key, and its name to show."""

    key: str
    label: str


Batch = tuple[str, str]
"""A report's name and a period's."""


@dataclass
class History:
    """What the records say, in the order in which they say it.

    Attributes:
        planned: For whom each batch is made.
        runs: The attempts by target, the oldest first.
        waiting: Why a batch waits, until it is planned.
        skipped: First and last period that were given up, by report.
        told: The state of each message by target, channel and address.
        alerts: The newest record of alerts by period.
        policies: TOML by fingerprint.
        data: The record of what was read, by fingerprint.
        pruned: Runs whose page was removed.
    """

    planned: dict[Batch, tuple[Instance, ...]] = field(default_factory=dict)
    runs: dict[Target, list[Run]] = field(default_factory=dict)
    waiting: dict[Batch, Record] = field(default_factory=dict)
    skipped: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    told: dict[tuple[Target, str, str], Record] = field(default_factory=dict)
    alerts: dict[str, Record] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    data: dict[str, Record] = field(default_factory=dict)
    pruned: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, records: Iterable[Record]) -> History:
        """The state after all records."""
        history = cls()
        starts: dict[str, Run] = {}
        for record in records:
            history._add(record, starts)
        return history

    def latest(self, target: Target) -> Run | None:
        """The newest attempt at a target."""
        runs = self.runs.get(target)
        return runs[-1] if runs else None

    def made(self, target: Target) -> Run | None:
        """The newest attempt at a target that made a page."""
        runs = self.runs.get(target, ())
        return next((run for run in reversed(runs) if run.status == "made"), None)

    def is_open(self, report: str, period: str, instance: str) -> bool:
        """Whether a planned page is not made: it failed, was broken off, or never begun."""
        run = self.latest(Target(report, period, instance))
        return run is None or run.status != "made"

    def standing_before(self, end: dt.date) -> tuple[dict[str, Any], ...]:
        """The alerts of the newest period that ended before a day."""
        earlier = [r for r in self.alerts.values() if str(r["end"]) < end.isoformat()]
        newest = max(earlier, key=lambda record: str(record["end"]), default=None)
        return tuple(newest["alerts"]) if newest else ()

    def periods(self, report: str) -> set[str]:
        """Every period that a report's records speak of."""
        batches = {*self.planned, *self.waiting, *((t.report, t.period) for t in self.runs)}
        found = {period for name, period in batches if name == report}
        return found | {p for both in self.skipped.get(report, ()) for p in both}

    def _add(self, record: Record, starts: dict[str, Run]) -> None:
        values: dict[str, Any] = record.values
        batch = (str(values.get("report")), str(values.get("period")))
        match record.event:
            case "planned":
                rows = values.get("instances") or ()
                self.planned[batch] = tuple(Instance(str(k), str(label)) for k, label in rows)
                self.waiting.pop(batch, None)
            case "waiting":
                self.waiting[batch] = record
            case "skipped":
                self.skipped.setdefault(batch[0], []).append((values["first"], values["last"]))
            case "started":
                target = Target(*batch, str(values.get("instance", "")))
                run = Run(str(values["run"]), target, record)
                starts[run.id] = run
                self.runs.setdefault(target, []).append(run)
            case "ended" if str(values.get("run")) in starts:
                run = starts.pop(str(values["run"]))
                runs = self.runs[run.target]
                runs[runs.index(run)] = Run(run.id, run.target, run.started, record)
            case "telling" | "told":
                target = Target(*batch, str(values.get("instance", "")))
                self.told[target, str(values["channel"]), str(values["address"])] = record
            case "alerts":
                self.alerts[batch[1]] = record
            case "policy":
                self.policies[str(values["fingerprint"])] = str(values["toml"])
            case "data":
                self.data[str(values["fingerprint"])] = record
            case "pruned":
                self.pruned.add(str(values["run"]))
