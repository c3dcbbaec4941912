"""Sentences about levers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

_LEFT = {
    "no_effect_shown": "no effect shown",
    "too_few": "too few enrollments to tell",
    "not_in_data": "not in the data",
}


def lever_sentences(worths: pl.DataFrame, *, most: int = 4) -> list[str]:
    """What the levers would be worth to one sender, team or everyone.

    Args:
        worths: Rows of `levers` of one key.
        most: The most levers to name by themselves.

    Returns:
        Sentences of plain text, not escaped.
    """
    ranked = worths.sort("rank")
    supported = ranked.filter((pl.col("status") == "supported") & (pl.col("touched") > 0))
    told = [lever_sentence(row) for row in supported.head(most).iter_rows(named=True)]
    if not told:
        told = ["No lever is shown to be worth anything here."]
    for status, words in _LEFT.items():
        names = ranked.filter(pl.col("status") == status)["lever"].to_list()
        if names:
            told.append(f"{words[0].upper()}{words[1:]}: {', '.join(names)}.")
    if supported.height:
        told.append("If the associations behind them are causes, which data alone cannot show.")
    return told


def lever_sentence(row: Mapping[str, Any]) -> str:
    """One supported lever as a sentence."""
    touched, ended = row["touched"], row["ended"]
    said = f"{row['advice']}: {touched:,} of {ended:,} enrollments"
    parts = [
        f"{word} {_percent(row[f'{rate}'])} to {_percent(row[f'{rate}_expected'])}"
        for rate, word in (("reply_rate", "replies"), ("bounce_rate", "bounces"))
        if row[rate] is not None and abs(row[f"{rate}_change"] or 0.0) >= 0.0005
    ]
    if row["score_change"] is not None:
        low, high = row["score_change_low"], row["score_change_high"]
        parts.append(
            f"{_signed(row['score_change'])} points of score ({_signed(low)} to {_signed(high)})"
        )
        if (row["p_better_band"] or 0.0) >= 0.005:
            parts.append(
                f"a better band with a probability of {100 * row['p_better_band']:.0f}\u00a0%"
            )
    return f"{said}; {', '.join(parts)}." if parts else f"{said}; no change of note."


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}\u00a0%"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f}".replace("-", "−")
