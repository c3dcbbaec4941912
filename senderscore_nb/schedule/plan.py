"""The plan of a team's reports: one validated, frozen value, read from `reports.toml`.

Paths in it are relative to its file. It is checked whole before anything runs, and every problem
names the file and the key.
"""

from __future__ import annotations

import datetime as dt
import tomllib
import zoneinfo
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from senderscore_nb.delivery.settings import Audience, MailSettings, WebhookSettings
from senderscore_nb.errors import PlanError, Problem, did_you_mean, keys_at, problems
from senderscore_nb.periods import Kind, Period
from senderscore_nb.policy import DEFAULT_POLICY
from senderscore_nb.reports.frame import SETTLING_DAYS, WINDOW_WEEKS
from senderscore_nb.safe import shown
from senderscore_nb.schedule.alerts import AlertRule
from senderscore_nb.secrets import Secret
from senderscore_nb.selection import Selection

PLAN_NAME = "reports.toml"

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Each = Literal["", "user", "team", "sequence", "row"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _zone(name: str) -> str:
    if name:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            hint = did_you_mean(name, sorted(zoneinfo.available_timezones()))
            raise ValueError(f"{name!r} is not a time zone. {hint}") from None
    return name


def _many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _clock(value: object) -> object:
    if isinstance(value, str):
        try:
            return dt.datetime.strptime(value, "%H:%M").time()
        except ValueError:
            raise ValueError(f"{value!r} is not a time such as 07:00") from None
    return value


Zone = Annotated[str, AfterValidator(_zone)]
Clock = Annotated[dt.time, BeforeValidator(_clock)]
Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$")]


class DataSource(_Frozen):
    """What the reports are made from."""

    source: Annotated[tuple[str, ...], BeforeValidator(_many), Field(min_length=1)]
    timezone: Zone = ""
    mapping: str = ""
    roster: str = ""
    settling_days: Annotated[int, Field(ge=0, le=366)] = SETTLING_DAYS
    gap_days: Annotated[int, Field(ge=0, le=31)] = 2


class Output(_Frozen):
    """Where pages, ledger and index are, and how many periods of a report `prune` leaves."""

    folder: Annotated[str, Field(min_length=1)] = "reports"
    keep: Annotated[int, Field(ge=1)] = 60


class RunRules(_Frozen):
    """How notebooks are run, and how often again.

    `workers` 0 means one for each processor. A report that fails is tried again by itself up to
    `attempts` times in all; of periods that were missed the newest `catch_up` are caught up.
    """

    engine: Literal["workers", "kernel"] = "workers"
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    time_limit_seconds: Annotated[float, Field(gt=0)] = 600
    memory_limit_mb: Annotated[int, Field(ge=200)] = 4000
    output_limit_mb: Annotated[float, Field(gt=0)] = 50
    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    catch_up: Annotated[int, Field(ge=1, le=1000)] = 4


class Privacy(_Frozen):
    """Whose names and addresses are replaced by pseudonyms in everything that leaves."""

    redact: Literal["none", "contacts", "people"] = "none"
    key: Secret | None = None

    @model_validator(mode="after")
    def _keyed(self) -> Self:
        if self.redact != "none" and self.key is None:
            raise ValueError('redact needs a key, such as key = { file = "redact.key" }')
        return self


class Row(Selection):
    """A selection with a name: one row of a report that is made for each of several."""

    name: Annotated[str, Field(min_length=1, max_length=80)]

    @property
    def selection(self) -> Selection:
        """What is selected, without the name."""
        return Selection(**{name: getattr(self, name) for name in Selection.model_fields})


class ReportPlan(_Frozen):
    """One report: what, how often, for whom.

    Attributes:
        name: Names its folder and its rows in the ledger.
        notebook: `weekly`, `sender`, or the path of a notebook of the user's own.
        every: The kind of period that it is about; it is due after the period's end.
        on: The weekday (every week), or the day of the following month (every month).
        at: The time of day that it is due at, in the plan's time zone.
        each: One report for each user, team, sequence, or row of `rows`; one for all if empty.
        rows: Named selections, for `each = "row"`.
        policy: A preset or a TOML file.
        selection: Which senders, teams and sequences.
        window_weeks: Weeks that a score covers.
        parameters: Further parameters of the notebook.
        folder: Where its pages are, below the output folder; its name unless given.
        tell: Who is told, and how.
    """

    name: Slug
    notebook: Annotated[str, Field(min_length=1)] = "weekly"
    every: Kind = "week"
    on: str | int | None = None
    at: Clock = dt.time(7)
    each: Each = ""
    rows: tuple[Row, ...] = ()
    policy: Annotated[str, Field(min_length=1)] = DEFAULT_POLICY
    selection: Selection = Selection()
    window_weeks: Annotated[int, Field(ge=1, le=520)] = WINDOW_WEEKS
    parameters: dict[str, Any] = Field(default_factory=dict)
    folder: str = ""
    tell: Audience = Audience()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.every == "week":
            if str(self.on or "monday").casefold() not in WEEKDAYS:
                raise ValueError(f"on: expected a weekday such as monday, found {self.on!r}")
        elif self.every == "month":
            if not isinstance(self.on or 1, int) or not 1 <= int(self.on or 1) <= 28:
                raise ValueError(f"on: expected a day of the month from 1 to 28, found {self.on!r}")
        elif self.on is not None:
            raise ValueError('on: goes with every = "week" or "month"')
        if (self.each == "row") != bool(self.rows):
            raise ValueError('rows: go with each = "row", and that needs rows')
        names = [row.name for row in self.rows]
        if twice := next((n for n in names if names.count(n) > 1), None):
            raise ValueError(f"rows: two rows have the name {twice!r}")
        for selection in (self.selection, *self.rows):
            if selection.start or selection.end:
                raise ValueError("selection: start and end follow from the period; leave them out")
        if self.folder:
            parts = Path(self.folder).parts
            if Path(self.folder).is_absolute() or ".." in parts or parts[0].startswith("."):
                raise ValueError("folder: expected a folder below the output folder")
        return self

    def due_at(self, period: Period, timezone: str) -> dt.datetime:
        """When the report of a period is due, in UTC.

        A time that a clock change skips is due as much later; of one that comes twice, the first.
        """
        day = period.end + dt.timedelta(days=1)
        if self.every == "week":
            day += dt.timedelta(days=WEEKDAYS.index(str(self.on or "monday").casefold()))
        elif self.every == "month":
            day += dt.timedelta(days=int(self.on or 1) - 1)
        zone = zoneinfo.ZoneInfo(timezone or "UTC")
        return dt.datetime.combine(day, self.at, tzinfo=zone).astimezone(dt.UTC)

    def newest_due(self, now: dt.datetime, timezone: str) -> Period:
        """The newest period whose report is due."""
        local = now.astimezone(zoneinfo.ZoneInfo(timezone or "UTC")).date()
        period = Period.of(self.every, local)
        while self.due_at(period, timezone) > now:
            period = period.later(-1)
        return period

    def period(self, name: str, now: dt.datetime, timezone: str) -> Period:
        """A period by its name; the newest one that is due if empty.

        Raises:
            SelectionError: Not a period.
            PlanError: The report is about another kind of period.
        """
        about = Period.parse(name) if name else self.newest_due(now, timezone)
        if about.kind != self.every:
            raise PlanError(f"{self.name} is about a {self.every}; {about.name} is a {about.kind}.")
        return about


class Plan(_Frozen):
    """Data, reports, who is told, and what is watched."""

    timezone: Zone = ""
    data: DataSource
    output: Output = Output()
    run: RunRules = RunRules()
    privacy: Privacy = Privacy()
    mail: MailSettings | None = None
    webhook: WebhookSettings | None = None
    reports: tuple[ReportPlan, ...] = ()
    alerts: tuple[AlertRule, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        for kind, names in (
            ("reports", [report.name for report in self.reports]),
            ("alerts", [rule.name for rule in self.alerts]),
        ):
            if twice := next((n for n in names if names.count(n) > 1), None):
                raise ValueError(f"{kind}: two have the name {twice!r}")
        folders = [(report.folder or report.name).casefold() for report in self.reports]
        if twice := next((f for f in folders if folders.count(f) > 1), None):
            raise ValueError(f"reports: two have the folder {twice!r}")
        for report in self.reports:
            tell = report.tell
            if (tell.to or tell.teams or tell.senders) and self.mail is None:
                raise ValueError(f"reports: {report.name} tells by mail, but there is no [mail]")
            if tell.webhook and self.webhook is None:
                raise ValueError(f"reports: {report.name} tells by webhook; there is no [webhook]")
        return self

    @property
    def zone(self) -> str:
        """The time zone that reports are due in: the plan's, else the data's, else UTC."""
        return self.timezone or self.data.timezone or "UTC"

    def report(self, name: str) -> ReportPlan:
        """A report by its name.

        Raises:
            PlanError: There is none.
        """
        for report in self.reports:
            if report.name == name:
                return report
        raise PlanError(
            f"The plan has no report {name!r}.",
            hint=did_you_mean(name, [report.name for report in self.reports]),
        )


def parse_plan(text: str, *, where: str = PLAN_NAME) -> Plan:
    """A plan from the text of a TOML file.

    Raises:
        PlanError: Not TOML, or not a valid plan. Every problem is in it, with its key.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"Not valid TOML: {error}.", where=where) from None
    try:
        return Plan.model_validate(data)
    except ValidationError as error:
        found = [_sentence(problem, data) for problem in problems(error)]
        more = f"{len(found)} problems.\n  " if len(found) > 1 else ""
        raise PlanError(more + "\n  ".join(found), where=where) from None


def _sentence(problem: Problem, data: dict[str, Any]) -> str:
    """A problem with its key; a report and an alert are called by their names."""
    table, *rest = problem.location or ("",)
    if table in ("reports", "alerts") and rest and isinstance(rest[0], int):
        row = data[str(table)][rest[0]]
        named = row.get("name") if isinstance(row, dict) else None
        rest[0] = str(named) if named else rest[0] + 1
    key = ".".join(shown(part) for part in (table, *rest))
    end = "" if problem.message.endswith(("?", ".")) else "."
    text = f"{key}: {problem.message}{end}" if key else f"{problem.message}{end}"
    if problem.unknown:
        *above, name = problem.location
        text += f" {did_you_mean(str(name), keys_at(Plan, above))}"
    return text
