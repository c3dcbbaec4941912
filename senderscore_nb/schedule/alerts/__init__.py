"""Alerts: rules over rates and scores that fire once, stand, and are over.

A limit alone makes noise: a sender near it crosses it by chance, back and forth. So a rule fires
only where the limit is crossed and the rate has moved by more than chance allows (`control`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable

import polars as pl

from senderscore_nb.labels import Labels
from senderscore_nb.periods import Kind
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy
from senderscore_nb.safe import shown
from senderscore_nb.schedule.alerts.judge import Finding, Given, Judge
from senderscore_nb.schedule.alerts.rules import Alert, AlertRule, Scope
from senderscore_nb.schedule.alerts.words import sentence

__all__ = ["Alert", "AlertRule", "evaluate"]


def evaluate(
    rules: Iterable[AlertRule],
    tallies: pl.DataFrame,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    end: dt.date,
    standing: Collection[tuple[str, str]] = (),
    roster: pl.DataFrame | None = None,
    labels: Labels | None = None,
    every: Kind = "week",
) -> tuple[Alert, ...]:
    """How the rules stand at the end of a period: what fires, what stands, what is over.

    A rule fires where the limit is crossed in each of its last periods, with the minimum sample,
    and the newest window lies on the bad side of what chance allows around the weeks before all
    of these windows; of a score, one of its two rates does. It stands until the limit is not
    crossed in a period with the minimum sample, or nothing ends in a window at all. Below the
    minimum, and where a measure is not known, nothing changes.

    Args:
        rules: The rules.
        tallies: Counts by `user_id`, `sequence_id` and `day`; days after `end` are left out.
        policy: The points of a score, and what the reply rate is a share of.
        end: The period's last day.
        standing: Rule and key of what fired or stood at the end of the period before.
        roster: Needed for teams, and for the rule of the paid seat.
        labels: Names to show; ids unless given.
        every: How far apart periods are.

    Returns:
        By rule, then by label. What neither fires, stands nor is over is not in it.

    Raises:
        SelectionError: Teams are watched and there is no roster.
    """
    before = tallies.filter(pl.col("day") <= end)
    given = Given(before, load_policy(policy), roster, end, every)
    alerts: list[Alert] = []
    for rule in rules:
        keys = {key for name, key in standing if name == rule.name}
        names = _names(rule.scope, labels)
        found = [
            _alert(rule, finding, names.get(finding.key) or shown(finding.key), end)
            for finding in Judge(rule, given).findings(keys)
        ]
        alerts += sorted(found, key=lambda alert: (alert.label, alert.key))
    return tuple(alerts)


def _alert(rule: AlertRule, found: Finding, label: str, end: dt.date) -> Alert:
    value = found.value
    return Alert(
        rule=rule.name,
        metric=rule.metric,
        scope=rule.scope,
        key=found.key,
        label=label,
        state=found.state,
        value=value.value,
        low=value.low,
        high=value.high,
        limit=rule.limit,
        n=value.ended,
        sentence=sentence(rule, found, label, end),
    )


def _names(scope: Scope, labels: Labels | None) -> dict[str, str]:
    if scope == "everyone":
        return {"": "everyone"}
    if labels is None or scope == "team":
        return {}
    return dict((labels.users if scope == "user" else labels.sequences).iter_rows())
