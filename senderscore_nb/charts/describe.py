"""Descriptions in words, made from the same rows as the chart."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence

from senderscore_nb.charts import words
from senderscore_nb.charts.standing import Standing
from senderscore_nb.policy import ScoringPolicy

_UNSCORED = {
    "collecting": "collecting",
    "no_paid_seat": "without a paid seat",
    "not_computable": "not computable",
}


def describe(what: str, rows: Sequence[Standing], policy: ScoringPolicy) -> str:
    """What a chart of scores shows: how many in which band, the extremes, who has no score."""
    scored = [row for row in rows if row.score is not None]
    parts = [f"{what}, {words.count(len(rows))} {'row' if len(rows) == 1 else 'rows'}."]
    if scored:
        counts = Counter(row.band for row in scored)
        names = words.band_labels(policy)
        found = [f"{counts[i]} {names[i]}" for i in reversed(range(len(names))) if counts[i]]
        parts.append(f"{', '.join(found)}.")
        parts.append(f"{extremes(scored, policy)}.")
    else:
        parts.append("No scores.")
    for status, word in _UNSCORED.items():
        if n := sum(row.status == status for row in rows):
            parts.append(f"{n} {word}.")
    parts.append(f"Policy {words.clip(policy.label, 110)}.")
    return " ".join(parts)


def extremes(scored: Sequence[Standing], policy: ScoringPolicy) -> str:
    """The highest and the lowest score, and whose they are."""
    ranked = sorted(scored, key=lambda row: row.score or 0.0)
    best, worst = (_one(row, policy) for row in (ranked[-1], ranked[0]))
    return f"Highest {best}" if best == worst else f"Highest {best}; lowest {worst}"


def describe_one(row: Standing, policy: ScoringPolicy) -> str:
    """Where one sender stands, in full."""
    if row.score is None:
        more = f", {row.needed}" if row.status == "collecting" else ""
        state = f"{row.verdict.lower()}{more}"
        score = f"no score: {state}, {words.count(row.ended)} ended so far"
    else:
        score = f"score {words.points(row.score, policy)} of {policy.most:g}"
        if row.low is not None and row.high is not None:
            score += f", interval {words.span(row.low, row.high)}"
        score += f", {row.verdict}, {words.count(row.ended)} ended"
    for measure, word in (("reply_rate", "replies"), ("bounce_rate", "bounces")):
        if row.number(measure) is not None:
            score += f", {word} {row.rate(measure)}"
    return f"{row.name}: {score}. Policy {words.clip(policy.label, 110)}."


def periods(rows: Sequence[Standing]) -> str:
    """From when to when, in words; empty where there are no periods."""
    days = [row.period for row in rows if row.period is not None]
    if not days:
        return ""
    first: dt.date = min(days)
    last: dt.date = max(days)
    return f"{words.day(first)} to {words.day(last)}" if first < last else words.day(first)


def _one(row: Standing, policy: ScoringPolicy) -> str:
    where = " in ".join(dict.fromkeys(p for p in (row.name, row.sequence) if p))
    when = f" from {words.day(row.period)}" if row.period else ""
    band = "" if row.band is None else f" ({words.band_labels(policy)[row.band]})"
    return f"{where}{when} {words.points(row.score, policy)}{band}"
