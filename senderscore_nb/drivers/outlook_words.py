"""Weekly control, shrinkage and the coming weeks in a sentence or two, for reports and terminal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from senderscore_nb.drivers.watch import YEARLY

_WORDS = {"reply_rate": "reply rate", "bounce_rate": "bounce rate"}
_MOST = 4


def watch_words(watched: pl.DataFrame, *, yearly: float = YEARLY, confidence: float = 0.95) -> str:
    """Which rates are no longer what they were, which the rules call out now, and how often that
    would be by chance.

    Args:
        watched: As `drivers.watch` returns it, with or without labels.
        yearly: As it was watched with.
        confidence: As it was watched with.
    """  # noqa: D205
    newest = newest_weeks(watched)
    judged = newest.filter(pl.col("evidence").is_not_null())
    if judged.is_empty():
        return "Nothing can be watched yet: no rate has 8 weeks before the watch began."
    moved = judged.filter("alarm").sort("evidence", descending=True)
    fired = judged.filter((pl.col("rules") != "") & ~pl.col("alarm"))
    n = judged.height
    rates = f"{n} watched rate{'s' if n > 1 else ''}"
    if moved.is_empty():
        text = f"None of {rates} has enough evidence of a change."
    else:
        text = f"No longer what it was, of {rates}: {_listed(moved, _moved)}."
    if fired.height:
        text += f" Called out by a rule this week: {_listed(fired, _fired)}."
    chance = f"{_percent(1 - confidence, 0)} of rates that have not changed, the rules "
    return f"{text} Within a year the evidence errs for at most {chance}for {_percent(yearly, 0)}."


def newest_weeks(watched: pl.DataFrame) -> pl.DataFrame:
    """The newest watched week of each key and measure, in their order."""
    keys = watched.columns[: watched.columns.index("week")]
    seen = watched.filter("watched") if watched.height else watched
    return seen.unique(subset=keys, keep="last", maintain_order=True)


def shrinkage_words(shrunk: pl.DataFrame) -> str:
    """Whose score changes the most by borrowing strength, and how much is borrowed.

    Args:
        shrunk: As `drivers.shrinkage` returns it, with or without labels.
    """
    known = shrunk.filter(pl.col("score_shrunk").is_not_null())
    if known.is_empty():
        return "Nobody has rates to shrink."
    text = (
        "Shrunk rates are estimates of the truth, beside the raw ones; on average "
        f"{_percent(float(known['reply_rate_weight'].to_numpy().mean()), 0)} of a reply rate and "
        f"{_percent(float(known['bounce_rate_weight'].to_numpy().mean()), 0)} of a bounce rate is "
        "the sender's own."
    )
    both = known.filter(pl.col("score").is_not_null()).with_columns(
        __by=(pl.col("score_shrunk") - pl.col("score")).abs()
    )
    if both.height:
        row = both.sort("__by", descending=True).row(0, named=True)
        text += (
            f" The most moves the score of {_name(row)}: from {row['score']:.1f} to "
            f"{row['score_shrunk']:.1f} ({row['score_shrunk_low']:.1f}–"
            f"{row['score_shrunk_high']:.1f}), {row['verdict_shrunk']}."
        )
    return text


def ahead_words(found: pl.DataFrame, *, weeks: int = 12) -> str:
    """When those who collect will have a score, and who is likely to reach the next band.

    Args:
        found: As `drivers.ahead` returns it, with or without labels.
        weeks: How many weeks it looks ahead.
    """
    if found.is_empty():
        return "There is nobody to look ahead for."
    collecting = found.filter(pl.col("status") == "collecting", pl.col("ready_on").is_not_null())
    likely = found.filter(pl.col("p_next") >= 0.5).sort("p_next", descending=True)
    parts = []
    if collecting.height:
        parts.append(f"Will have a score: {_listed(collecting, _ready)}.")
    if likely.height:
        parts.append(
            f"Likely to show the next band within {weeks} weeks if nothing changes: "
            f"{_listed(likely, _next)}."
        )
    elif found["p_next"].is_not_null().any():
        parts.append(f"Nobody is likely to show the next band within {weeks} weeks.")
    return " ".join(parts) or "Nobody is collecting, and nobody has a band above."


def tell_words(sizes: pl.DataFrame) -> str:
    """What it takes to tell a difference, the easiest way and the hardest.

    Args:
        sizes: As `drivers.sample_size_for` returns it, for one difference.

    >>> from senderscore_nb.drivers.power import sample_size_for
    >>> tell_words(sample_size_for(10))[:55]
    'Telling 10 points takes, on each side, 404 ended enroll'
    """
    known = sizes.filter(pl.col("by_rate").is_not_null()).sort("by_rate")
    if known.is_empty():
        return "No such difference can be told: the curves do not give it."
    parts = [
        f"{_count(row['by_rate'])} ended enrollments where it is {row['way']} "
        f"({_percent(row['from_rate'])} to {_percent(row['to_rate'])})"
        for row in (known.row(0, named=True), known.row(-1, named=True))
    ]
    return (
        f"Telling {sizes['points'][0]:g} points takes, on each side, "
        f"{' and '.join(dict.fromkeys(parts))}."
    )


def _listed(rows: pl.DataFrame, say: Any) -> str:
    said = [say(row) for row in rows.head(_MOST).iter_rows(named=True)]
    rest = rows.height - len(said)
    return "; ".join(said) + (f"; and {rest} more" if rest > 0 else "")


def _moved(row: Mapping[str, Any]) -> str:
    about = _day(row["changed_on"]) if row["changed_on"] else "an unknown week"
    return (
        f"the {_WORDS[row['measure']]} of {_name(row)}, {_percent(row['so_far'])} since the watch "
        f"began ({_percent(row['so_far_low'])[:-2]}–{_percent(row['so_far_high'])}) against "
        f"{_percent(row['centre'])} before, probably since the week of {about}"
    )


def _fired(row: Mapping[str, Any]) -> str:
    return (
        f"the {_WORDS[row['measure']]} of {_name(row)}, {_percent(row['rate'])} ({row['rules']}, "
        f"{row['side']} {_percent(row['centre'])})"
    )


def _ready(row: Mapping[str, Any]) -> str:
    if row["ready_low"] and row["ready_high"]:
        return (
            f"{_name(row)} about {_day(row['ready_on'])} "
            f"({_day(row['ready_low'])} to {_day(row['ready_high'])})"
        )
    return f"{_name(row)} about {_day(row['ready_on'])}"


def _next(row: Mapping[str, Any]) -> str:
    return (
        f"{_name(row)} {row['next_band']} with {_percent(row['p_next'], 0)} (the true score is "
        f"there already with {_percent(row['p_truth'], 0)})"
    )


def _name(row: Mapping[str, Any]) -> str:
    order: Sequence[str] = ("user_label", "user_id", "team", "sequence_label", "sequence_id")
    if "user_label" in row or "user_id" in row:
        who = row.get("user_label") or row.get("user_id")
        within = row.get("sequence_label") or row.get("sequence_id")
        return f"{who} in {within}" if within else str(who)
    return str(next((row[name] for name in order if row.get(name)), "everyone"))


def _percent(value: float | None, digits: int = 1) -> str:
    return "unknown" if value is None else f"{100 * value:.{digits}f}\u00a0%"


def _count(value: int) -> str:
    return f"{value:,}".replace(",", "\u2009")


def _day(value: dt.date) -> str:
    return f"{value.day} {value:%b} {value.year}"
