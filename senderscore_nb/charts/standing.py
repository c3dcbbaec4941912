"""The rows of a scored frame as the charts need them: checked, named and worded once."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from senderscore_nb.charts import words
from senderscore_nb.errors import ContractError, did_you_mean
from senderscore_nb.policy import ScoringPolicy

PERIODS = ("week", "month", "day")

_STATUS_WORDS = {
    "collecting": "Collecting",
    "no_paid_seat": "No paid seat",
    "not_computable": "Not computable",
}


@dataclass(frozen=True)
class Standing:
    """One row of a scored frame: who, when, and how they stand.

    Attributes:
        name: Unique label of the sender (or team, sequence, or both), at most 60 characters.
        sequence: Unique label of the sequence; empty where the frame has none.
        period: First day of the day, week or month; None where the frame has none.
        status: `scored`, `collecting`, `no_paid_seat` or `not_computable`; `scored` has a score.
        band: Place of the band in the policy, from 0; None without a score.
    """

    name: str
    sequence: str
    period: dt.date | None
    status: str
    score: float | None
    low: float | None
    high: float | None
    band: int | None
    verdict: str
    ended: int
    missing: int
    fields: Mapping[str, Any]

    @property
    def scored(self) -> bool:
        """There is a score to draw."""
        return self.score is not None

    @property
    def needed(self) -> str:
        """What a collecting sender still needs, and when it will be there."""
        expected = self.fields.get("expected_on")
        when = f", about {words.day(expected)}" if isinstance(expected, dt.date) else ""
        return f"{words.count(self.missing)} more needed{when}"

    def number(self, column: str) -> float | None:
        """A number of the frame; None where it is missing, null or not finite."""
        return number(self.fields.get(column))

    def rate(self, measure: str) -> str:
        """A rate with its interval."""
        return words.rate(
            self.number(measure), self.number(f"{measure}_low"), self.number(f"{measure}_high")
        )


def standings(
    scored: pl.DataFrame,
    policy: ScoringPolicy | None,
    *,
    name_by: Sequence[str] = ("user", "sequence"),
) -> list[Standing]:
    """The rows of a scored frame, in its order.

    Args:
        scored: As `senderscore_nb.score.score` returns it, with or without labels.
        policy: The policy it was scored with; None where a chart draws no bands.
        name_by: What a row is named by, among the keys that the frame has.

    Raises:
        ContractError: There is no column `score`.
    """
    require(scored, "score")
    names = labels(scored, name_by)
    sequences = labels(scored, ("sequence",)) if has(scored, "sequence") else [""] * scored.height
    period = period_of(scored)
    return [
        _standing(row, name, sequence, period, policy)
        for row, name, sequence in zip(scored.iter_rows(named=True), names, sequences, strict=True)
    ]


def labels(frame: pl.DataFrame, name_by: Sequence[str]) -> list[str]:
    """A label for each row, unique for each key: two keys never share one."""
    kinds = [kind for kind in name_by if has(frame, kind)]
    if "user" not in kinds and "user" in name_by and "team" in frame.columns:
        kinds = ["team", *kinds]
    if not kinds:
        return ["Everyone"] * frame.height
    keys = list(zip(*(_column(frame, kind, "id") for kind in kinds), strict=True))
    shown = list(zip(*(_column(frame, kind, "label") for kind in kinds), strict=True))
    texts = dict(zip(keys, (_joined(parts) for parts in shown), strict=True))
    unique = words.distinct(list(texts.values()), ["/".join(dict.fromkeys(key)) for key in texts])
    by_key = dict(zip(texts, unique, strict=True))
    return [by_key[key] for key in keys]


def has(frame: pl.DataFrame, kind: str) -> bool:
    """Whether the frame is keyed by users, sequences or teams."""
    return any(name in frame.columns for name in (f"{kind}_id", f"{kind}_label", kind))


def period_of(frame: pl.DataFrame) -> str | None:
    """The column that says when: week, month or day."""
    return next((name for name in PERIODS if name in frame.columns), None)


def require(frame: pl.DataFrame, *columns: str) -> None:
    """Check that the columns are there.

    Raises:
        ContractError: One is not.
    """
    for name in columns:
        if name not in frame.columns:
            raise ContractError(
                f"The frame has no column {name!r}, which this chart draws.",
                hint=did_you_mean(name, frame.columns),
            )


def _column(frame: pl.DataFrame, kind: str, part: str) -> list[str]:
    order = (f"{kind}_{part}", f"{kind}_id", f"{kind}_label", kind)
    name = next(name for name in order if name in frame.columns)
    values = frame[name].cast(pl.String).to_list()
    if part == "label" and f"{kind}_id" in frame.columns:
        ids = frame[f"{kind}_id"].cast(pl.String).to_list()
        values = [i if v is None else v for v, i in zip(values, ids, strict=True)]
    return ["(no name)" if value is None else value for value in values]


def _joined(parts: Sequence[str]) -> str:
    different = [words.clip(part) for part in dict.fromkeys(parts)]
    if len(different) == 1:
        return different[0]
    return " · ".join(words.clip(part, 28) for part in different)


def _standing(
    row: Mapping[str, Any],
    name: str,
    sequence: str,
    period: str | None,
    policy: ScoringPolicy | None,
) -> Standing:
    score = number(row["score"])
    given = row.get("status")
    status = str(given) if given is not None else "scored"
    if status != "scored":
        score = None
    elif score is None:
        status = "not_computable"
    band = None if score is None or policy is None else _band(row.get("band"), score, policy)
    worded = _STATUS_WORDS.get(status, words.clip(status, 24))
    if score is not None:
        named = policy.band_names[band] if policy and band is not None else row.get("band")
        worded = words.clip(row.get("verdict") or named or "scored", 40)
    when = row[period] if period else None
    return Standing(
        name=name,
        sequence=sequence,
        period=when if isinstance(when, dt.date) else None,
        status=status,
        score=score,
        low=None if score is None else number(row.get("score_low")),
        high=None if score is None else number(row.get("score_high")),
        band=band,
        verdict=worded,
        ended=int(number(row.get("ended")) or 0),
        missing=int(number(row.get("missing")) or 0),
        fields=row,
    )


def _band(given: object, score: float, policy: ScoringPolicy) -> int:
    names = policy.band_names
    return names.index(given) if given in names else words.band_index(score, policy)


def number(value: object) -> float | None:
    """A finite number; None for anything else."""
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return None
