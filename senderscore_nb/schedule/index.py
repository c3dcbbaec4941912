"""The index page: what was made, what failed, who stands where; from the ledger alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
from markupsafe import Markup

from senderscore_nb import charts
from senderscore_nb.errors import PolicyError, RunError
from senderscore_nb.periods import Period
from senderscore_nb.policy import ScoringPolicy, parse_policy
from senderscore_nb.reports import sections
from senderscore_nb.reports.blocks import Column, Figure, Prose, Table, day
from senderscore_nb.reports.composed import Block, notebook_of
from senderscore_nb.reports.page import render_page
from senderscore_nb.reports.words import plural
from senderscore_nb.safe import write_atomically
from senderscore_nb.schedule.headline import in_words, rows_of
from senderscore_nb.schedule.history import Batch, History, Instance, Run, Target, newest_last
from senderscore_nb.schedule.ledger import Record

INDEX = "index.html"

_MOST_GAUGES = 24
_PERIODS = 26
_LEAST_POINTS = 3


def write_index(output: Path, history: History) -> None:
    """Write the index page of an output folder.

    Raises:
        RunError: It cannot be written.
    """
    try:
        write_atomically(output / INDEX, index_page(history))
    except OSError as error:
        raise RunError(f"The index cannot be written ({error}).", where=str(output)) from None


def index_page(history: History) -> str:
    """The page as HTML. The same history gives the same page."""
    index = _Index(history)
    parts: list[tuple[str, list[Block]]] = [
        ("", [index.lead()]),
        ("What needs a look", index.problems()),
        ("Latest scores", index.gauges()),
    ]
    parts += [(f"Report {name}", index.report(name)) for name in index.names]
    parts.append(("Messages", index.messages()))
    return render_page(notebook_of("Sender score reports", [p for p in parts if p[1]]))


@dataclass(frozen=True)
class _Index:
    history: History

    @cached_property
    def names(self) -> list[str]:
        """Reports, in the order in which they were first planned."""
        batches = [*self.history.planned, *self.history.waiting]
        return list(dict.fromkeys(name for name, _ in batches))

    def lead(self) -> Prose:
        """What there is, how it is, and the newest page of each report."""
        made = [run for run in self._latest() if run.status == "made"]
        newest = max((run.at for run in made), default=None)
        lines: list[str | Markup] = [
            f"{plural(len(made), 'page')} of {plural(len(self.names), 'report')}."
            + (f" Last made on {_moment(newest)}." if newest else "")
        ]
        bad, alerts = len(self._failed()) + len(self.history.waiting), len(self._standing())
        parts = [plural(bad, "thing needs a look", "things need a look")] if bad else []
        parts += [plural(alerts, "alert stands", "alerts stand")] if alerts else []
        lines.append(f"{' and '.join(parts)}." if parts else "All is well.")
        pages = [self._pages(name) for name in self.names]
        if links := [link for link in pages if link]:
            lines.append(Markup("Newest: {}.").format(Markup(", ").join(links)))
        return Prose(lines, kind="lead")

    def _pages(self, name: str) -> Markup | None:
        """A link to the newest page of a report, or to its section where it has several."""
        batches = [batch for batch in self.history.planned if batch[0] == name]
        if not batches:
            return None
        batch = max(batches, key=lambda batch: newest_last(batch[1]))
        instances = self.history.planned[batch]
        run = self.history.made(Target(*batch, instances[0].key)) if instances else None
        if len(instances) != 1 or run is None or run.ended is None or run.id in self.history.pruned:
            return None
        page = quote(str(run.ended["page"]))
        return Markup('<a href="{}">{} {}</a>').format(page, *batch)

    def problems(self) -> list[Block]:
        """Failures, what waits, and what was given up."""
        blocks: list[Block] = []
        rows = [
            (r.target.report, r.target.period, _label(r), r.status, _moment(r.at), _error(r))
            for r in self._failed()
        ]
        if rows:
            failed = ("Report", "Period", "For", "Status", "When", "Why")
            blocks.append(_table(rows, failed, "Pages that could not be made"))
        waiting = [
            (name, period, _moment(record.at), str(record["reason"]))
            for (name, period), record in self.history.waiting.items()
        ]
        if waiting:
            since = ("Report", "Period", "Since", "Why")
            blocks.append(_table(waiting, since, "Reports that wait for data"))
        lines = [
            f"{name}: {first} to {last} were missed for too long and are not caught up."
            for name, spans in self.history.skipped.items()
            for first, last in spans
        ]
        if lines:
            blocks.append(Prose(lines, listed=True))
        standing = [alert["sentence"] for alert in self._standing()]
        if standing:
            blocks.append(Prose(["Alerts that stand:"]))
            blocks.append(Prose(standing, listed=True))
        return blocks

    def gauges(self) -> list[Block]:
        """The newest scores of each report about several senders, each under its own policy."""
        blocks: list[Block] = []
        for name in self.names:
            run = self._newest(name, with_rows="senders")
            rows = _rows(run, "senders") if run else []
            policy = self._policy(str(run.started["policy"])) if run and rows else None
            if run is None or policy is None:
                continue
            frame = _frame(rows)
            best = frame.sort("score", descending=True, nulls_last=True).head(_MOST_GAUGES)
            caption = f"{run.target.report} {run.target.period}: senders by score."
            if frame.height > best.height:
                caption += f" The first {best.height} of {frame.height}."
            blocks.append(sections.gauge_wall(best, policy, caption=caption))
        return blocks

    def report(self, name: str) -> list[Block]:
        """The history of a report: where everyone stood, and its pages, the newest first."""
        batches = [batch for batch in self.history.planned if batch[0] == name]
        newest = sorted(batches, key=lambda batch: newest_last(batch[1]), reverse=True)[:_PERIODS]
        if not newest:
            return [Prose(["Nothing was made yet."])]
        links = {batch[1]: self._links(batch) for batch in newest}
        names = ("period", "pages", "state", "made", "said")
        rows = [self._row(batch) for batch in newest]
        table = Table(
            pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row"),
            [
                Column("period", "Period"),
                Column("pages", "Pages", links.__getitem__, words=True),
                Column("state", "State"),
                Column("made", "Made"),
                Column("said", "Headline"),
            ],
            f"History of {name}",
        )
        return [*self._trend(newest[::-1]), table]

    def _trend(self, batches: Sequence[Batch]) -> list[Block]:
        """Everyone's score by period, as far back as the policy of the newest one was in force."""
        points: list[dict[str, Any]] = []
        policy = None
        for batch in reversed(batches):
            run = self.history.made(Target(*batch, ""))
            rows = _rows(run, "everyone")
            if run is None or len(rows) != 1:
                continue
            if policy is None:
                policy = run.started["policy"]
            if run.started["policy"] == policy:
                points.append({"week": Period.parse(batch[1]).end, **rows[0]})
        found = self._policy(policy) if policy else None
        if found is None or len(points) < _LEAST_POINTS:
            return []
        chart = charts.trend(_frame(points[::-1]), found)
        return [Figure(chart, "Everyone together, as each report had it, by its last day.")]

    def messages(self) -> list[Block]:
        """Messages that did not arrive for certain."""
        rows = [
            (
                " ".join(part for part in target if part),
                f"{channel} to {address}" if address and channel == "mail" else channel,
                str(record["status"] or "begun"),
                _moment(record.at),
                str(record["error"] or ""),
            )
            for (target, channel, address), record in self.history.told.items()
            if record["status"] != "sent"
        ]
        names = ("About", "To", "State", "When", "Why")
        return [_table(rows, names, "Messages that did not arrive for certain")] if rows else []

    def _row(self, batch: Batch) -> tuple[str, ...]:
        targets = [Target(*batch, instance.key) for instance in self.history.planned[batch]]
        made = [run for target in targets if (run := self.history.made(target))]
        state = "made" if len(made) == len(targets) else f"{len(made)} of {len(targets)} made"
        if not targets:
            state = "nobody to make it for"
        ends = [run.ended for run in made if run.ended]
        if any(end["provisional_since"] for end in ends):
            state += ", provisional"
        alerts = {alert["text"] for end in ends for alert in end["alerts"] or ()}
        said = _said(ends[0]) if len(ends) == 1 else ""
        if alerts:
            said = f"{plural(len(alerts), 'alert')}. {said}".strip()
        newest = max((run.at for run in made), default=None)
        return batch[1], batch[1], state, _moment(newest) if newest else "–", said

    def _links(self, batch: Batch) -> Markup:
        links = [
            self._link(instance, run)
            for instance in self.history.planned[batch]
            if (run := self.history.made(Target(*batch, instance.key)))
        ]
        if len(links) < 2:
            return links[0] if links else Markup("–")
        items = Markup("").join(Markup("<li>{}</li>").format(link) for link in links)
        words = Markup("<details><summary>{}</summary><ul>{}</ul></details>")
        return words.format(plural(len(links), "page"), items)

    def _link(self, instance: Instance, run: Run) -> Markup:
        label = instance.label or "Open"
        if run.id in self.history.pruned or run.ended is None:
            return Markup("{} (removed)").format(label)
        return Markup('<a href="{}">{}</a>').format(quote(str(run.ended["page"])), label)

    def _latest(self) -> list[Run]:
        return [runs[-1] for target, runs in self.history.runs.items() if self._is_planned(target)]

    def _is_planned(self, target: Target) -> bool:
        planned = self.history.planned.get((target.report, target.period), ())
        return any(instance.key == target.instance for instance in planned)

    def _failed(self) -> list[Run]:
        found = [run for run in self._latest() if run.status != "made"]
        return sorted(found, key=lambda run: run.at, reverse=True)

    def _standing(self) -> list[dict[str, Any]]:
        newest = max(self.history.alerts.values(), key=lambda r: str(r["end"]), default=None)
        return [a for a in newest["alerts"] if a["state"] != "over"] if newest else []

    def _newest(self, name: str, *, with_rows: str) -> Run | None:
        targets = [t for t in self.history.runs if t.report == name]
        made = [run for t in targets if (run := self.history.made(t)) and _rows(run, with_rows)]
        return max(made, key=lambda run: (newest_last(run.target.period), run.at), default=None)

    def _policy(self, fingerprint: str) -> ScoringPolicy | None:
        text = self.history.policies.get(fingerprint)
        try:
            return parse_policy(text) if text else None
        except PolicyError:
            return None  # of a later version of this program


def _said(end: Record) -> str:
    everything = end["selection"] in (None, "everything")
    return in_words(end["headline"] or {}, everything=everything)


def _table(rows: Sequence[tuple[str, ...]], names: Sequence[str], caption: str) -> Table:
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    return Table(frame, [Column(name, name) for name in names], caption)


def _rows(run: Run | None, name: str) -> list[dict[str, Any]]:
    if run is None or run.ended is None:
        return []
    return rows_of(run.ended["headline"] or {}, name)


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None)


def _label(run: Run) -> str:
    return str(run.started["label"] or "–")


def _error(run: Run) -> str:
    if run.status == "interrupted":
        return "Its process ended before it did; the next run makes it again."
    return str(run.ended["error"] if run.ended else "")


def _moment(at: dt.datetime) -> str:
    return f"{day(at.date())}, {at:%H:%M} UTC"
