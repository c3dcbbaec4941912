"""The plan's rules over a run's data: judged once a period, kept in the ledger, shown on pages."""

from __future__ import annotations

from collections.abc import Mapping

from senderscore_nb.errors import ContractError, EnrollmentsNeededError, SelectionError
from senderscore_nb.periods import Period
from senderscore_nb.policy import load_policy
from senderscore_nb.reports.blocks import Notice
from senderscore_nb.schedule.alerts import Alert, AlertRule, evaluate
from senderscore_nb.schedule.history import History
from senderscore_nb.schedule.ledger import Ledger
from senderscore_nb.schedule.project import Project
from senderscore_nb.schedule.reading import Source
from senderscore_nb.schedule.tasks import Task


class Alerting:
    """Judges the rules when a period is first asked for.

    Rules are judged under the policy of the plan's first report. What stood before a period is
    read from the ledger, from the newest period that ended earlier, so that a period gives the
    same alerts however often it is judged.

    Args:
        project: The plan.
        source: The data.
        ledger: Where alerts are kept.
        history: What it said before.
    """

    def __init__(self, project: Project, source: Source, ledger: Ledger, history: History) -> None:
        self._project, self._source = project, source
        self._ledger, self._history = ledger, history
        roster = source.account.roster
        pairs = [] if roster is None else roster.select("user_id", "team").drop_nulls().iter_rows()
        self._teams: dict[str, str] = dict(pairs)
        self._by_period: dict[str, tuple[Alert, ...]] = {}

    def notices(self, task: Task) -> tuple[Notice, ...]:
        """The alerts that concern a page, as it shows them.

        A rule that watches what the data does not have is said there as well.

        Raises:
            RunError: The ledger cannot be written.
        """
        if not self._project.plan.alerts:
            return ()
        try:
            alerts = self._alerts(task.period)
        except (SelectionError, ContractError, EnrollmentsNeededError) as error:
            text = self._source.redactor.text(f"The alerts could not be judged. {error}")
            return (Notice("alert", text),)
        return tuple(
            Notice(
                "over" if alert.state == "over" else "alert",
                f"{alert.rule}: {alert.sentence}",
                alert.to_dict(),
            )
            for alert in alerts
            if concerns(alert, task, self._teams)
        )

    def _alerts(self, period: Period) -> tuple[Alert, ...]:
        if period.name not in self._by_period:
            self._by_period[period.name] = self._judged(period)
        return self._by_period[period.name]

    def _judged(self, period: Period) -> tuple[Alert, ...]:
        policy = load_policy(self._project.policy(self._project.plan.reports[0].policy))
        account = self._source.under(policy)
        before = self._history.standing_before(period)
        alerts = evaluate(
            [self._redacted(rule) for rule in self._project.plan.alerts],
            account.tallies,
            policy,
            end=period.end,
            every=period.kind,
            standing=[(a["rule"], a["key"]) for a in before if a["state"] != "over"],
            roster=account.roster,
            labels=account.labels,
        )
        kept = [alert.to_dict() for alert in alerts]
        record = self._ledger.add(
            "alerts", period=period.name, end=period.end.isoformat(), alerts=kept
        )
        self._history.alerts[period.name] = record
        return alerts

    def _redacted(self, rule: AlertRule) -> AlertRule:
        selection = self._source.redactor.selection(rule.selection)
        return rule.model_copy(update={"selection": selection})


def concerns(alert: Alert, task: Task, teams: Mapping[str, str]) -> bool:
    """Whether an alert belongs on a page: whom it is about must be among whom the page is about.

    Alerts about senders, teams and everyone count all sequences, so they do not belong on a page
    about some of them.

    Args:
        alert: The alert.
        task: The page.
        teams: The team of each sender.
    """
    users, of, sequences = (
        task.parameters.get(name) or [] for name in ("users", "teams", "sequences")
    )
    match alert.scope:
        case "sequence":
            return not users and not of and (not sequences or alert.key in sequences)
        case "user":
            team = teams.get(alert.key)
            on_it = (not users or alert.key in users) and (not of or team in of)
        case "team":
            on_it = not users and (not of or alert.key in of)
        case "everyone":
            on_it = not users and not of
    return on_it and not sequences
