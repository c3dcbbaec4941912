"""Making the pages of due batches: one reading of the data, warm workers, a record a step."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from senderscore_nb.errors import PlanError, SenderScoreError
from senderscore_nb.policy import ScoringPolicy, load_policy
from senderscore_nb.reports.blocks import Notice
from senderscore_nb.reports.pool import WorkerPool
from senderscore_nb.reports.process import CancelledError, Limits
from senderscore_nb.reports.provenance import versions
from senderscore_nb.reports.run import write_report
from senderscore_nb.reports.runners import Job, KernelRunner, Made, PoolRunner, Progress
from senderscore_nb.schedule.alerting import Alerting
from senderscore_nb.schedule.due import DueBatch
from senderscore_nb.schedule.headline import headline_of, shown_numbers
from senderscore_nb.schedule.history import History, Run
from senderscore_nb.schedule.ledger import Ledger
from senderscore_nb.schedule.letters import letter_of
from senderscore_nb.schedule.outbox import Outbox
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.reading import Source, read_source
from senderscore_nb.schedule.scratch import scratch
from senderscore_nb.schedule.tasks import Task, instances_of, redacted, tasks_of
from senderscore_nb.schedule.watch import Watch
from senderscore_nb.secrets import Scrubber, environment_without
from senderscore_nb.snapshot import VARIABLE
from senderscore_nb.sources.raw import HIDING

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


class Runner(Protocol):
    """Whatever makes a report of a job."""

    def make(self, job: Job, progress: Progress | None = None) -> Made:
        """Make it."""


class Making:
    """Makes batches; `runs` and `waiting` say what came of it.

    Args:
        project: The plan.
        ledger: Where each step is written.
        history: What it said before.
        outbox: Where mails wait.
        watch: Who is told of the progress.
        tell: Whether this run tells; what is due waits for one that does, what was asked for does
            not.
        elsewhere: What takes the place of the workers, and its only instance if it has one.
    """

    def __init__(
        self,
        project: Project,
        ledger: Ledger,
        history: History,
        outbox: Outbox,
        watch: Watch,
        tell: bool,
        elsewhere: tuple[Runner, str | None] | None = None,
    ) -> None:
        self.project, self.ledger, self.history = project, ledger, history
        self.outbox, self.watch, self.tell, self.elsewhere = outbox, watch, tell, elsewhere
        self.runs: list[Run] = []
        self.waiting: list[tuple[str, str]] = []
        self.unread = ""
        self._scrubber = Scrubber(_readable(project))

    def make(self, batches: Sequence[DueBatch]) -> None:
        """Make what is due, the oldest first.

        Raises:
            RunError: The ledger cannot be written.
            KeyboardInterrupt: Somebody broke it off; what was under way is recorded as cancelled.
        """
        policies = {
            b.report.name: load_policy(self.project.policy(b.report.policy)) for b in batches
        }
        with self._workshop(batches) as (runner, folder):
            source = self._source(batches, next(iter(policies.values())))
            if source is None:
                return
            source.keep(folder, self.project, list(policies.values()))
            alerting = Alerting(self.project, source, self.ledger, self.history)
            tasks = [
                task
                for batch in batches
                for task in self._tasks(batch, source, policies[batch.report.name])
            ]
            if tasks:
                self._record_inputs(source, policies)
                self.watch.expect(len(tasks))
                self._run_all(tasks, runner, source, alerting)

    @contextmanager
    def _workshop(self, batches: Sequence[DueBatch]) -> Iterator[tuple[Runner, Path]]:
        """What makes the pages, and the folder that it finds the data in.

        Workers start at once, and import while the data is read.
        """
        rules = self.project.plan.run
        hidden = [secret.env for secret in self.project.secrets if secret.env]
        with scratch(self.project.output) as folder:
            if self.elsewhere:
                yield self.elsewhere[0], folder
                return
            given = {VARIABLE: str(folder), "TMPDIR": str(folder)}
            if self.project.plan.privacy.redact != "none":
                given[HIDING] = "1"
            environment = {**environment_without(hidden, os.environ), **given}
            if rules.engine == "kernel":
                yield KernelRunner(rules.time_limit_seconds, environment), folder
                return
            limits = Limits(rules.time_limit_seconds, rules.memory_limit_mb, rules.output_limit_mb)
            with WorkerPool(rules.workers, limits, environment) as pool:
                fans_out = any(batch.report.each for batch in batches)
                pool.warm_up(pool.size if fans_out else min(pool.size, len(batches)))
                yield PoolRunner(pool), folder

    def _source(self, batches: Sequence[DueBatch], policy: ScoringPolicy) -> Source | None:
        """The data, or None where it cannot be read; then every batch waits for it."""
        privacy = self.project.plan.privacy
        try:
            return read_source(self.project, policy, self.project.key(), progress=self.watch.say)
        except SenderScoreError as error:
            self.unread = self._scrubber.scrub(error)
            if privacy.redact != "none":  # what is quoted may be a name
                self.unread = _QUOTED.sub("'…'", self.unread)
            for batch in batches:
                self._wait(batch, self.unread)
            return None

    def _tasks(self, batch: DueBatch, source: Source, policy: ScoringPolicy) -> list[Task]:
        gap = dt.timedelta(days=self.project.plan.data.gap_days)
        through = source.account.through
        if batch.how == "asked" and (through is None or through < batch.period.start):
            raise PlanError(
                f"The data ends on {through}, before {batch.period.name} begins.",
                hint="Read a newer export, or ask for an earlier period.",
            )
        if batch.how == "due" and (through is None or through < batch.period.end - gap):
            reason = f"The data ends on {through}; {batch.period.name} ends on {batch.period.end}."
            self._wait(batch, reason)
            return []
        batch = replace(batch, report=redacted(batch.report, source))
        instances, redaction = batch.instances, source.redactor.name
        if instances is not None and self.history.redactions.get(batch.key, "") != redaction:
            instances = None  # names were replaced in another way when it was planned
        try:
            if instances is None:
                instances = instances_of(batch.report, batch.period, source.under(policy))
                self.ledger.add(
                    "planned",
                    report=batch.report.name,
                    period=batch.period.name,
                    instances=[list(instance) for instance in instances],
                    redaction=redaction,
                    asked=batch.how == "asked",
                )
            if self.elsewhere and self.elsewhere[1] is not None:
                instances = tuple(i for i in instances if i.key == self.elsewhere[1])
            return tasks_of(self.project, batch, instances, policy)
        except SenderScoreError as error:
            self._wait(batch, source.redactor.text(self._scrubber.scrub(error)))
            return []

    def _wait(self, batch: DueBatch, reason: str) -> None:
        name, period = batch.key
        self.waiting.append((f"{name} {period}", reason))
        known = self.history.waiting.get(batch.key)
        if batch.how == "due" and (known is None or known["reason"] != reason):
            self.ledger.add("waiting", report=name, period=period, reason=reason)

    def _record_inputs(self, source: Source, policies: dict[str, ScoringPolicy]) -> None:
        for policy in {p.fingerprint: p for p in policies.values()}.values():
            if policy.fingerprint not in self.history.policies:
                self.ledger.add(
                    "policy",
                    fingerprint=policy.fingerprint,
                    name=policy.name,
                    toml=policy.to_toml(),
                )
        if source.fingerprint not in self.history.data:
            through = source.account.through
            self.ledger.add(
                "data",
                fingerprint=source.fingerprint,
                through=through.isoformat() if through else None,
                files=[
                    {"name": file.name, "rows": file.rows, "sha256": file.sha256}
                    for file in source.account.reading.files
                ],
                rejected=source.account.reading.rejected.height,
            )

    def _run_all(
        self, tasks: Sequence[Task], runner: Runner, source: Source, alerting: Alerting
    ) -> None:
        rules = self.project.plan.run
        size = runner.pool.size if isinstance(runner, PoolRunner) else max(rules.workers, 1)
        pending: set[Future[Run]] = set()
        with ThreadPoolExecutor(size) as threads:
            try:
                for task in tasks:
                    # Never more than a few ahead: the newest state decides what is started.
                    while len(pending) >= size:
                        pending = self._finished(pending)
                    notices = alerting.notices(task)
                    pending.add(threads.submit(self._one, task, runner, source, notices))
                while pending:
                    pending = self._finished(pending)
            except BaseException:
                if isinstance(runner, PoolRunner):
                    runner.pool.cancel()
                for future in wait(pending).done:
                    with suppress(BaseException):
                        self.runs.append(future.result())
                raise

    def _finished(self, pending: set[Future[Run]]) -> set[Future[Run]]:
        done, rest = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            self.runs.append(future.result())
        return rest

    def _one(self, task: Task, runner: Runner, source: Source, notices: tuple[Notice, ...]) -> Run:
        began, run_id = time.monotonic(), secrets.token_hex(8)
        report = task.report.name, task.period.name, task.instance.key
        started = dict(zip(("report", "period", "instance"), report, strict=True)) | {
            "run": run_id,
            "label": task.instance.label,
            "how": task.how,
            "tells": self.tell,
            "parameters": source.redactor.values(task.parameters),
            "policy": task.policy.fingerprint,
            "data": source.fingerprint,
            "versions": versions(),
        }
        began_record = self.ledger.add("started", **started)
        status, ended = "made", {}
        try:
            mailed = task.report.tell.by_mail and (self.tell or task.how == "due")
            job = Job(task.notebook, task.parameters, notices, mailed, task.about)
            made = runner.make(job)
            ended = self._kept(task, made, source, notices, run_id)
        except CancelledError as error:
            status, ended = "cancelled", {"error": str(error)}
        except (SenderScoreError, OSError) as error:
            status, ended = "failed", {"error": self._plain(source, error)}
        except Exception as error:
            # A defect of this program must not keep the other reports from being made.
            text = self._plain(source, f"{type(error).__name__}: {error}")
            status, ended = "failed", {"error": f"A defect of the program: {text}"}
        ended |= {"run": run_id, "status": status}
        ended["seconds"] = round(time.monotonic() - began, 3)
        run = Run(run_id, task.target, began_record, self.ledger.add("ended", **ended))
        why = f": {ended['error']}" if status != "made" else ""
        self.watch.done(f"{task.title}: {status}{why}")
        return run

    def _kept(
        self, task: Task, made: Made, source: Source, notices: tuple[Notice, ...], run_id: str
    ) -> dict[str, Any]:
        """Write the page, with its mail before it; what the ledger says of both."""
        if made.mail is not None:
            letter, unreachable = letter_of(task, made.mail, source, run_id)
            if letter.recipients:
                self.outbox.put(letter)
            for problem in unreachable:
                self.ledger.add("told", **task.target._asdict(), **problem)
        folder, _, stem = task.page.rpartition("/")
        written = write_report(made, self.project.output / folder, stem)
        content = made.html.encode("utf-8", "replace")
        return {
            "title": made.title,
            "page": f"{task.page}.html",
            "twin": f"{task.page}.json" if written.twin else None,
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "selection": (made.twin or {}).get("selection"),
            "provisional_since": (made.twin or {}).get("provisional_since"),
            "alerts": [{"kind": n.kind, "text": n.text} for n in notices],
            "headline": shown_numbers(headline_of(made.twin)),
        }

    def _plain(self, source: Source, error: object) -> str:
        return source.redactor.text(self._scrubber.scrub(error))


def _readable(project: Project) -> list[Any]:
    """The values of those secrets that can be read; the others cannot be in a message."""
    values = []
    for secret in project.secrets:
        with suppress(SenderScoreError):
            values.append(secret.read(project.folder))
    return values
