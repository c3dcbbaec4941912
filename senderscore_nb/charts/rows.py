"""What every chart needs of a scored frame: names, rows as JSON values, words and descriptions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt
import polars as pl

MOST_CHARACTERS = 60
# Control characters, and the marks that would turn the direction of the text around a name.
_INVISIBLE = r"[\p{Cc}\u{200E}\u{200F}\u{2028}-\u{202E}\u{2066}-\u{2069}]+"
_NAMED = (("user_id", "user_label"), ("sequence_id", "sequence_label"), ("team", "team"))

STATUS_WORDS = {
    "collecting": "collecting",
    "no_paid_seat": "no paid seat",
    "not_computable": "not computable",
}
"""Statuses without a score, in words."""


def named(scored: pl.DataFrame, *, only: str | None = None) -> pl.DataFrame:
    """The frame with `label`: whom a row is about, one text for each id.

    Args:
        scored: Columns among `user_id`, `user_label`, `sequence_id`, `sequence_label`, `team`.
        only: One of the ids, where a row is about two and one of them is wanted.

    Returns:
        The frame and `label` (String, never null, at most 60 characters and an id). Two ids with
        equal labels get their ids added; without any key the label is "Everyone".
    """
    parts = [
        _unique(scored, key, label)
        for key, label in _NAMED
        if (only is None or key == only) and (key in scored.columns or label in scored.columns)
    ]
    if not parts:
        return scored.with_columns(label=pl.lit("Everyone"))
    return scored.with_columns(label=pl.concat_str(parts, separator=" · "))


def _unique(scored: pl.DataFrame, key: str, label: str) -> pl.Expr:
    text = pl.col(label) if label in scored.columns else pl.col(key)
    if key in scored.columns:
        text = text.fill_null(pl.col(key))
    text = _short(text.fill_null("(none)").cast(pl.String))
    if key == label or key not in scored.columns:
        return text
    shared = pl.col(key).n_unique().over(text) > 1
    return pl.when(shared).then(text + " (" + _short(pl.col(key)) + ")").otherwise(text)


def _short(text: pl.Expr) -> pl.Expr:
    clean = text.str.slice(0, 400).str.replace_all(_INVISIBLE, " ")
    cut = clean.str.slice(0, MOST_CHARACTERS - 1) + "…"
    return pl.when(clean.str.len_chars() > MOST_CHARACTERS).then(cut).otherwise(clean)


def values(frame: pl.DataFrame, columns: Sequence[str] | None = None) -> alt.InlineData:
    """Rows as they stand in a specification: ISO days, rounded numbers, no null.

    Altair's own conversion refuses more than 5,000 rows and writes nulls and sixteen digits, which
    a page pays for in every row.
    """
    chosen = frame.select(columns) if columns is not None else frame
    rows = chosen.with_columns(
        pl.col(pl.Date, pl.Enum, pl.Categorical).cast(pl.String), pl.col(pl.Float64).round(4)
    ).to_dicts()
    return alt.InlineData(values=[{k: v for k, v in row.items() if v is not None} for row in rows])


def nothing(title: str) -> alt.Chart:
    """The chart of an empty frame: it says that there is nothing to show."""
    text = "Nothing to show"
    return (
        alt.Chart(
            alt.InlineData(values=[{"text": text}]),
            description=f"{title}: nothing to show.",
            width=320,
            height=60,
            view=alt.ViewConfig(stroke=None),
        )
        .mark_text(style="muted", fontSize=13)
        .encode(text="text:N")
    )


def signed(change: str) -> pl.Expr:
    """A number of points with its sign, as in +4.2 and −3.1."""
    size = decimal(pl.col(change).abs())
    zero = pl.col(change).abs().round(1) == 0
    sign = pl.when(pl.col(change) < 0).then(pl.lit("−")).otherwise(pl.lit("+"))
    return pl.when(zero).then(pl.lit("±0.0")).otherwise(sign + size)


def decimal(number: pl.Expr) -> pl.Expr:
    """A number with one decimal."""
    return number.round(1).cast(pl.Float64).cast(pl.String)


def interval(low: str, high: str) -> pl.Expr:
    """Two numbers as "58.2 to 73.1"."""
    return decimal(pl.col(low)) + " to " + decimal(pl.col(high))


def percent(rate: str) -> pl.Expr:
    """A fraction as "4.3 %", null where it is null."""
    return decimal(pl.col(rate) * 100) + " %"


def day_text(day: dt.date) -> str:
    """A day in words, without a zero in front.

    >>> day_text(dt.date(2026, 12, 2))
    '2 Dec 2026'
    """
    return f"{day.day} {day:%b %Y}"


def with_nulls(scored: pl.DataFrame, **columns: pl.DataType) -> pl.DataFrame:
    """The frame, with a column of nulls for each of those that it lacks."""
    lacking = {n: t for n, t in columns.items() if n not in scored.columns}
    return scored.with_columns(pl.lit(None, t).alias(n) for n, t in lacking.items())


def said(scored: pl.DataFrame) -> pl.DataFrame:
    """The frame with `state`: the verdict, or what is missing and until when."""
    scored = with_nulls(
        scored,
        verdict=pl.String(),
        band=pl.String(),
        status=pl.String(),
        missing=pl.Int64(),
        expected_on=pl.Date(),
    )
    more = ", " + pl.col("missing").cast(pl.String) + " more"
    about = ", about " + pl.col("expected_on").dt.strftime("%-d %b")
    status = pl.col("status").cast(pl.String)
    state = (
        pl.when(status == "collecting")
        .then(
            pl.concat_str(
                pl.lit("Collecting"),
                pl.coalesce(more, pl.lit("")),
                pl.coalesce(about, pl.lit("")),
            )
        )
        .when(status == "no_paid_seat")
        .then(pl.lit("No paid seat"))
        .when((status == "not_computable") | pl.col("score").is_null())
        .then(pl.lit("Not computable"))
        .otherwise(pl.coalesce("verdict", pl.col("band").cast(pl.String)))
    )
    return scored.with_columns(pl.col("score").cast(pl.Float64), state=state)


def tally_words(scored: pl.DataFrame) -> str:
    """How many rows have no score and why, as a sentence or nothing."""
    if "status" not in scored.columns:
        return ""
    counts = scored["status"].cast(pl.String).value_counts().rows()
    found = {str(name): int(n) for name, n in counts}
    parts = [f"{found[s]} {word}" for s, word in STATUS_WORDS.items() if found.get(s)]
    return f" {', '.join(parts).capitalize()}." if parts else ""


def extremes(scored: pl.DataFrame, *, of: str = "score") -> str:
    """The highest and lowest row with their labels, as a sentence or nothing."""
    rows = scored.filter(pl.col(of).is_not_null()).sort(of, descending=True)
    if rows.is_empty():
        return " None has a score." if of == "score" else ""
    top, low = rows.row(0, named=True), rows.row(-1, named=True)
    highest = f" Highest {top[of]:.1f} ({_whose(top)})"
    return (
        f"{highest}." if rows.height == 1 else f"{highest}, lowest {low[of]:.1f} ({_whose(low)})."
    )


def _whose(row: dict[str, Any]) -> str:
    return str(row["label"])


def listed(words: Iterable[str], *, most: int = 5) -> str:
    """Words with commas; the rest as a number.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    every = list(words)
    rest = len(every) - most
    return ", ".join(every[:most]) + (f" and {rest} more" if rest > 0 else "")
