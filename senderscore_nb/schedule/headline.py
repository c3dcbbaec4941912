"""What of a report's figures the ledger keeps, for the index page and for one line in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from senderscore_nb.reports.words import standing, together

_ROWS = ("everyone", "senders", "sender")
_KEPT = (
    *("user_id", "user_label", "ended", "replied", "bounced", "score", "score_low", "score_high"),
    *("band", "verdict", "status", "minimum", "missing", "expected_on"),
    *("reply_rate", "reply_rate_low", "reply_rate_high"),
    *("bounce_rate", "bounce_rate_low", "bounce_rate_high"),
)
_DIGITS = 6

Headline = dict[str, list[dict[str, Any]]]


def headline_of(twin: Mapping[str, Any] | None) -> Headline:
    """The scored rows of a JSON twin: `everyone`, `senders` and `sender`, those that it has.

    Args:
        twin: Of any notebook; what is not such rows is left out.
    """
    found: Headline = {}
    for name in _ROWS:
        rows = (twin or {}).get(name)
        if isinstance(rows, list) and rows and all(_is_scored(row) for row in rows):
            found[name] = [
                {k: v for k, v in row.items() if k in _KEPT or k.startswith("p_")} for row in rows
            ]
    return found


def shown_numbers(headline: Headline) -> Headline:
    """The same with as many digits as are ever shown, and some."""
    return {
        name: [
            {k: round(v, _DIGITS) if isinstance(v, float) else v for k, v in row.items()}
            for row in rows
        ]
        for name, rows in headline.items()
    }


def rows_of(headline: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The rows that were kept under a name, with days as days again."""
    return [
        {k: _day(v) if k == "expected_on" else v for k, v in row.items()}
        for row in headline.get(name) or ()
    ]


def in_words(headline: Mapping[str, Any], *, everything: bool = True) -> str:
    """Where everyone, or the one sender, stands; empty where the report does not say.

    Args:
        headline: What was kept.
        everything: The report selects nobody in particular.
    """
    for name, who in (
        ("everyone", together(everything=everything)),
        ("sender", ""),
    ):
        rows = rows_of(headline, name)
        if len(rows) == 1:
            (row,) = rows
            try:
                return standing(row, who or str(row["user_label"]))
            except (KeyError, TypeError, ValueError):
                return ""
    return ""


def _day(value: Any) -> Any:
    return dt.date.fromisoformat(value) if isinstance(value, str) else value


def _is_scored(row: object) -> bool:
    return isinstance(row, dict) and {"score", "status", "ended", "verdict"} <= row.keys()
