"""An alert as one line of plain text that says no more than its interval allows."""

from __future__ import annotations

import datetime as dt

from senderscore_nb.reports.blocks import count, day, interval_text, percent
from senderscore_nb.schedule.alerts.judge import Finding, Move
from senderscore_nb.schedule.alerts.rules import AlertRule

_WORDS = {"reply_rate": "Reply rate", "bounce_rate": "Bounce rate", "score": "Score"}


def sentence(rule: AlertRule, found: Finding, label: str, end: dt.date) -> str:
    """Figures, interval, limit, since when, and what it means."""
    value, subject = found.value, f"{_WORDS[rule.metric]} of {label}"
    limit = f"{rule.side} the limit of {_limit(rule)}"
    weeks = "week" if rule.window_weeks == 1 else f"{rule.window_weeks} weeks"
    window = f"the {weeks} to {day(end)} ({count(value.ended)} ended)"
    if value.ended == 0:
        return f"{subject}: nothing ended in the {weeks} to {day(end)}; over."
    if value.value is None or value.low is None or value.high is None or not value.judged:
        few = f"fewer than {count(rule.minimum)} ended" if value.ended < rule.minimum else "unknown"
        return f"{subject}: {few} in {window}, so nothing changes; it was {limit}."
    figures = interval_text(*_figures(rule, value.value, value.low, value.high))
    if value.low <= rule.limit <= value.high:
        limit += " (which lies within the interval)"
    text = f"{subject}: {figures} in {window}, "
    if found.state == "over":
        return f"{text}no longer {limit}; over."
    if found.since:
        earlier = " or earlier" if found.since.or_earlier else ""
        limit += f" since {day(found.since.day)}{earlier}"
    if found.state == "standing":
        return f"{text}still {limit}."
    reasons = ", and ".join(_reason(rule, move) for move in found.moves)
    return f"{text}{limit}, and {reasons}; fired."


def _reason(rule: AlertRule, move: Move) -> str:
    rate = ""
    if rule.metric == "score":
        figures = interval_text(*(percent(v) for v in (move.value, move.low, move.high)))
        rate = f"the {_WORDS[move.rate].lower()} of {figures} is "
    whose = "everyone's" if rule.against == "everyone" else "the"
    return (
        f"{rate}{move.side} what chance allows around {whose} {percent(move.centre)} of the "
        f"{move.weeks} weeks before"
    )


def _limit(rule: AlertRule) -> str:
    return f"{rule.limit:g}" if rule.metric == "score" else f"{100 * rule.limit:.10g}\u00a0%"


def _figures(rule: AlertRule, *values: float) -> list[str]:
    """The value and its interval, with as many decimals as tell the value from the limit."""
    scale, unit = (1.0, "") if rule.metric == "score" else (100.0, "\u00a0%")
    decimals = next((d for d in (1, 2, 3) if _apart(rule, values[0], scale, d)), 4)
    return [f"{scale * value:.{decimals}f}{unit}" for value in values]


def _apart(rule: AlertRule, value: float, scale: float, decimals: int) -> bool:
    return rule.limit == value or round(scale * value, decimals) != round(scale * rule.limit, 12)
