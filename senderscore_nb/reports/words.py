"""Sentences made from figures. Each says no more than the interval beside it allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.reports.blocks import count, day, interval_text, percent, points, signed

SINCE = {1: "last week", 4: "four weeks ago"}
"""The earlier times that reports compare with, by how many weeks back."""


_COUNTED = {"replies": "replied", "bounces": "bounced"}


def plural(n: int, one: str, many: str | None = None) -> str:
    """A count with its noun.

    >>> plural(1, "sender"), plural(3, "sender")
    ('1 sender', '3 senders')
    """
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def listed(names: list[str], *, most: int = 5) -> str:
    """Names in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def rate(row: Mapping[str, Any], name: str) -> str:
    """A rate with its interval."""
    if row[name] is None:
        return "unknown"
    return interval_text(*(percent(row[f"{name}{end}"]) for end in ("", "_low", "_high")))


def together(*, everything: bool) -> str:
    """All senders of a report, or those that it selects."""
    return "Everyone together" if everything else "All selected together"


def standing(row: Mapping[str, Any], who: str) -> str:
    """Where someone stands, in one sentence."""
    n = plural(row["ended"], "ended enrollment")
    if row["status"] == "collecting":
        when = (
            f", about {day(row['expected_on'])} at the present pace" if row["expected_on"] else ""
        )
        missing = plural(row["missing"], "more is", "more are")
        return f"{who}: collecting. {n} so far; {missing} needed for a score{when}."
    if row["status"] == "no_paid_seat":
        return f"{who}: no score without a paid seat ({n})."
    if row["status"] == "not_computable":
        return f"{who}: a score cannot be computed; {_not_computable(row)} ({n})."
    return (
        f"{who}: score {points(row['score'])} ({points(row['score_low'])}–"
        f"{points(row['score_high'])}), {row['verdict']}. Replies {rate(row, 'reply_rate')}, "
        f"bounces {rate(row, 'bounce_rate')}, {n}."
    )


def _not_computable(row: Mapping[str, Any]) -> str:
    """Why a score cannot be computed."""
    unknown = [word for word in ("replies", "bounces") if row[_COUNTED[word]] is None]
    return f"{listed(unknown)} are not known" if unknown else "nothing was delivered"


def band_counts(senders: pl.DataFrame, policy: ScoringPolicy) -> str:
    """How many senders are in each band, from the best band down, and how many have none."""
    counts = dict(senders.group_by(pl.col("band").cast(pl.String)).len().iter_rows())
    parts = [f"{counts[b]} {b}" for b in reversed(policy.band_names) if counts.get(b)]
    for status, word in (
        ("collecting", "collecting"),
        ("no_paid_seat", "without a paid seat"),
        ("not_computable", "not computable"),
    ):
        if n := senders.filter(pl.col("status") == status).height:
            parts.append(f"{n} {word}")
    return f"{plural(senders.height, 'sender')}: {', '.join(parts)}."


def changed(changes: pl.DataFrame, label: str, since: str) -> list[str]:
    """What changed by more than noise, one sentence each, and what did not."""
    known = changes.filter(pl.col("score_change").is_not_null())
    certain = known.filter(pl.col("score_certain")).sort(
        pl.col("score_change").abs(), descending=True
    )
    lines = [
        f"{row[label]}: {signed(row['score_change'])} points since {since} "
        f"({signed(row['score_change_low'])} to {signed(row['score_change_high'])}), "
        f"from {points(row['score_before'])} to {points(row['score'])}{_because(row)}."
        for row in certain.iter_rows(named=True)
    ]
    rest = known.height - certain.height
    if known.is_empty():
        return [f"No sender has a score both now and {since}, so no change can be stated."]
    if not lines and known.height == 1:
        return [f"The score has not moved by more than noise since {since}."]
    if not lines:
        return [
            f"Nobody's score moved by more than noise since {since} "
            f"({plural(known.height, 'sender')} compared)."
        ]
    if rest:
        lines.append(
            f"The other {rest} moved within noise."
            if rest > 1
            else "The one other moved within noise."
        )
    return lines


def _because(row: Mapping[str, Any]) -> str:
    parts = []
    for name, word in (("reply_rate", "replies"), ("bounce_rate", "bounces")):
        if row[f"{name}_certain"]:
            parts.append(f"{word} from {percent(row[f'{name}_before'])} to {percent(row[name])}")
    return f"; {' and '.join(parts)}" if parts else ""
