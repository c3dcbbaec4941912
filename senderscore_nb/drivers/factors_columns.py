"""Which columns can be factors, and their values as levels.

A factor must be known when a contact is enrolled. What follows the outcome, or is part of it, would
explain it perfectly and say nothing; it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from senderscore_nb.contract import COLUMNS, FACTORS, OPTIONAL, REQUIRED
from senderscore_nb.drivers.factors_fit import Array, Ints
from senderscore_nb.errors import FactorError, did_you_mean
from senderscore_nb.safe import shown

UNKNOWN = "(unknown)"
"""The level of enrollments whose value is not known."""

ADDRESSES: tuple[str, ...] = ("contact_email", "email", "recipient_email")
"""Columns that hold a contact's address, where a mapping keeps it."""

HOW_MANY = "personalization_tokens (how many)"
"""The number of tokens, among enrollments with at least one."""

_TOKENS = "personalization_tokens"
_FOLLOWS = {
    *("ended_on", "replied", "bounced", "end_reason", "bounce_type", "opened", "clicked"),
    *("meeting_booked", "unsubscribed", "out_of_office"),
}
_OUTCOME_WORDS = re.compile(
    r"(?:^|_)(?:repl(?:y|ies|ied)|bounce[sd]?|open(?:s|ed)?|click(?:s|ed)?|unsubscribe[sd]?|"
    r"meetings?|end(?:s|ed)?|duration|finished|unenrolled|sent|outcome|result|completed)"
    r"(?:_|$)"
)
_BEFORE = re.compile(
    r"(?:^|_)(?:previous(?:ly)?|prior|earlier|past|before|since|last|historic)(?:_|$)"
)
_FEW = 8  # distinct numbers up to which each is a level
_BINS = 40
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Coded:
    """A factor's values as codes.

    Attributes:
        name: Of the factor.
        labels: Of the levels, or of the stretches of a number.
        codes: Place of each row's level; -1 where the question does not arise.
        values: The mean of each stretch of a number; None for levels. Without what is unknown.
        unknown: The level of unknown values, where there are any; the last one.
        notes: What is to be said of it.
    """

    name: str
    labels: tuple[str, ...]
    codes: Ints
    values: Array | None = None
    unknown: bool = False
    notes: tuple[str, ...] = ()


def choose_factors(
    schema: pl.Schema, asked: Sequence[str] | None
) -> tuple[list[str], tuple[str, ...]]:
    """The columns to look at, and what is to be said of those left out.

    Args:
        schema: Of the enrollments.
        asked: Names; every column that can be a factor unless given.

    Raises:
        FactorError: A column that was asked for is not there, or follows the outcome.
    """
    if asked is not None:
        for name in asked:
            _require(name, schema)
        return list(dict.fromkeys(asked)), ()
    chosen, left = [], []
    for name, kind in schema.items():
        if name in FACTORS:
            chosen.append(name)
        elif name not in COLUMNS and name not in ADDRESSES:
            why = _unfit(name, kind)
            if why is None:
                chosen.append(name)
            else:
                left.append(f"{shown(name)} is left out: {why}.")
    chosen.sort(key=lambda name: list(FACTORS).index(name) if name in FACTORS else len(FACTORS))
    return chosen, tuple(left)


def _require(name: str, schema: pl.Schema) -> None:
    if name == HOW_MANY:
        name = _TOKENS
    if name not in schema:
        raise FactorError(
            f"There is no column {shown(name)!r} to be a factor.",
            hint=did_you_mean(name, [n for n in schema if n in FACTORS or n not in COLUMNS]),
        )
    if name in FACTORS or name == "sequence_id":
        return
    if name in _FOLLOWS:
        raise FactorError(
            f"{name} is the outcome or follows it, so it cannot be a factor.",
            hint="A factor must be known when the contact is enrolled.",
        )
    if name in REQUIRED or name in OPTIONAL or name in ADDRESSES:
        raise FactorError(f"{name} says which enrollment it is, or when; it cannot be a factor.")
    why = _unfit(name, schema[name])
    if why is not None:
        raise FactorError(
            f"{shown(name)} cannot be a factor: {why}.",
            hint="A factor must be known when the contact is enrolled; rename the column if it is.",
        )


def _unfit(name: str, kind: pl.DataType) -> str | None:
    """Why a column of the user's own cannot be a factor; None where it can."""
    folded = re.sub(r"[^a-z0-9]+", "_", name.casefold())
    if _OUTCOME_WORDS.search(folded) and not _BEFORE.search(folded):
        return "its name says that it is the outcome or follows it"
    if kind.is_temporal():
        return "it holds days or times, where a factor is a level or a number, such as days before"
    if kind in (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Null) or kind.is_numeric():
        return None
    return f"it holds {kind}"


def code_factor(name: str, values: pl.Series, *, most_levels: int) -> Coded:
    """A column as levels or as a number.

    Args:
        name: Of the factor; `HOW_MANY` for the number of tokens.
        values: Its values.
        most_levels: The commonest levels that are kept apart; the others are one.
    """
    if name == HOW_MANY:
        return _how_many(values, most_levels)
    text = level_texts(name, values)
    return _number(name, values, most_levels) if text is None else _levels(name, text, most_levels)


def level_texts(name: str, values: pl.Series) -> pl.Series | None:
    """Each value's level as text, null where unknown; None where values are a number."""
    if name == _TOKENS:
        return _tokens(values)
    if name == "enrolled_weekday":
        days = {i + 1: day for i, day in enumerate(_WEEKDAYS)}
        return values.replace_strict(days, default=None, return_dtype=pl.String)
    if values.dtype == pl.Boolean:
        words = {True: "yes", False: "no"}
        return values.replace_strict(words, default=None, return_dtype=pl.String)
    return None if values.dtype.is_numeric() else values.cast(pl.String)


def label_of(text: str) -> str:
    """How a level's text is shown."""
    return shown(text) if text.strip() else "(blank)"


def _how_many(values: pl.Series, most_levels: int) -> Coded:
    frame = pl.DataFrame({"n": values})
    counts = (
        pl.when(pl.col("n") >= 3).then(pl.lit("3 or more")).otherwise(pl.col("n").cast(pl.String))
    )
    coded = _levels(HOW_MANY, frame.select(counts).to_series(), most_levels)
    some = (values.fill_null(0) >= 1).to_numpy()
    codes = np.where(some, coded.codes, -1)
    return _without_empty(
        Coded(HOW_MANY, coded.labels, codes, notes=("among those with at least one token",))
    )


def _tokens(values: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"n": values})
    some = pl.when(pl.col("n") >= 1).then(pl.lit("one or more"))
    return frame.select(some.when(pl.col("n") < 1).then(pl.lit("none"))).to_series()


def _levels(name: str, text: pl.Series, most_levels: int) -> Coded:
    """The commonest values, then the others together, then what is unknown."""
    named = text.alias("value")
    counts = (
        named.drop_nulls()
        .value_counts(sort=True)
        .sort(["count", "value"], descending=[True, False])
    )
    common, rare = counts["value"][:most_levels].to_list(), counts.height - most_levels
    labels = [label_of(str(value)) for value in common]
    if rare > 0:
        labels.append(f"other ({rare:,} levels)")
    unknown = named.null_count() > 0
    if unknown:
        labels.append(UNKNOWN)
    kind = pl.Enum(common)
    place = named.cast(kind, strict=False).to_physical().cast(pl.Int64)
    other = pl.when(pl.col("value").is_null()).then(len(labels) - 1).otherwise(len(common))
    codes = pl.DataFrame({"place": place, "value": named}).select(
        pl.coalesce(pl.col("place"), other)
    )
    notes = (f"{named.null_count():,} values are unknown",) if unknown else ()
    return Coded(
        name, _distinct(labels), codes.to_series().to_numpy().astype(np.int64), None, unknown, notes
    )


def _distinct(labels: Sequence[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    result = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        result.append(label if seen[label] == 1 else f"{label} #{seen[label]}")
    return tuple(result)


def _without_empty(coded: Coded) -> Coded:
    """Only the levels that some row has."""
    used = np.unique(coded.codes[coded.codes >= 0])
    place = np.full(len(coded.labels) + 1, -1, dtype=np.int64)
    place[used] = np.arange(len(used))
    labels = tuple(coded.labels[i] for i in used)
    return Coded(coded.name, labels, place[coded.codes], notes=coded.notes)


def _number(name: str, values: pl.Series, most_levels: int) -> Coded:
    number = values.cast(pl.Float64)
    finite = number.is_finite().fill_null(value=False)
    strange = int((~finite & number.is_not_null()).sum())
    notes: list[str] = []
    if strange:
        notes.append(f"{strange:,} values are infinite or not a number, and count as unknown")
    known = number.filter(finite)
    distinct = known.unique().sort()
    if len(distinct) <= _FEW:
        text = pl.DataFrame({"x": number, "ok": finite}).select(
            pl.when("ok").then(
                pl.col("x").replace_strict(
                    {v: f"{v:.6g}" for v in distinct.to_list()},
                    default=None,
                    return_dtype=pl.String,
                )
            )
        )
        coded = _levels(name, text.to_series(), most_levels)
        return Coded(name, coded.labels, coded.codes, None, coded.unknown, (*notes, *coded.notes))
    edges = _edges(known.to_numpy(), distinct.to_numpy())
    x = np.clip(number.fill_null(np.nan).to_numpy(), -1e100, 1e100)
    codes = np.searchsorted(edges, x, side="right")
    codes = np.where(finite.to_numpy(), codes, len(edges) + 1).astype(np.int64)
    size = np.bincount(codes, minlength=len(edges) + 2)[: len(edges) + 1]
    total = np.bincount(codes, np.where(finite.to_numpy(), x, 0.0), len(edges) + 2)
    means = total[: len(edges) + 1] / np.maximum(size, 1)
    unknown = len(known) < len(values)
    if unknown:
        notes.append(f"{len(values) - len(known):,} values are unknown")
    labels = (*(f"{m:.3g}" for m in means), *((UNKNOWN,) if unknown else ()))
    return Coded(name, _distinct(labels), codes, means, unknown, tuple(notes))


def _edges(known: Array, distinct: Array) -> Array:
    """Borders between stretches: each value its own, or as many enrollments in each."""
    if len(distinct) <= _BINS:
        return np.asarray(distinct[1:] / 2 + distinct[:-1] / 2, dtype=np.float64)
    levels = np.linspace(0, 1, _BINS + 1)[1:-1]
    edges = np.unique(np.quantile(known, levels))
    # The border of a stretch is the first value that is not in it, which must leave one below.
    return np.asarray(edges[edges > distinct[0]], dtype=np.float64)
