"""What a lever would change for whom: rates, points, bands, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl

from senderscore_nb.change import Window
from senderscore_nb.drivers.factors_columns import UNKNOWN, label_of, level_texts
from senderscore_nb.drivers.factors_fit import Array, Ints
from senderscore_nb.drivers.levers_plan import Plan
from senderscore_nb.drivers.levers_rates import Parts, after_lever, points_of, posterior
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.score import score, with_team
from senderscore_nb.tally import tally

_LEVEL = "__level"

Counts: TypeAlias = tuple[Ints, Array, Array, Array]
"""The subject of each part; ended, bounced, replied, each of shape (parts, levels)."""

_RATES = ("reply_rate", "bounce_rate")
_ENDS = ("", "_expected", "_change", "_change_low", "_change_high")

WORTH: Mapping[str, pl.DataType] = {
    **dict.fromkeys(
        ("lever", "advice", "kind", "status", "reason", "levels", "target"), pl.String()
    ),
    **dict.fromkeys(("ended", "touched"), pl.Int64()),
    **{f"{m}{end}": pl.Float64() for m in (*_RATES, "score") for end in _ENDS},
    **dict.fromkeys(("band", "band_expected"), pl.String()),
    "p_better_band": pl.Float64(),
}
"""Columns of a lever's worth beside the keys."""


@dataclass(frozen=True)
class Subjects:
    """Whom levers are tried for, and what they did in the window.

    Attributes:
        scores: As `score` returns them, by the keys.
        rows: The window's enrollments, with `__subject`: the place in `scores`.
        keys: Key columns.
    """

    scores: pl.DataFrame
    rows: pl.DataFrame
    keys: tuple[str, ...]

    @classmethod
    def of(
        cls,
        rows: pl.LazyFrame,
        window: Window,
        policy: ScoringPolicy,
        keys: Sequence[str],
        roster: pl.DataFrame | None,
    ) -> Subjects:
        """The subjects of a window, by keys."""
        day = pl.col(policy.counting.date_basis)
        inside = rows.filter(
            day.is_between(window.start, window.end), pl.col("ended_on").is_not_null()
        ).collect()
        if "team" in keys:
            inside = with_team(inside.drop("team", strict=False), roster)
        by = ",".join(keys)
        counts = tally(inside, rules=policy.counting)
        scores = score(counts, policy, by=by, roster=roster).with_row_index("__subject")
        if not keys:
            return cls(scores, inside.with_columns(__subject=pl.lit(0, pl.UInt32)), ())
        placed = inside.join(scores.select(*keys, "__subject"), on=list(keys), how="inner")
        return cls(scores, placed, tuple(keys))


def worth(
    subjects: Subjects, plan: Plan, policy: ScoringPolicy, *, confidence: float
) -> pl.DataFrame:
    """A lever's worth for each subject; see `levers` for the columns."""
    keyed = subjects.scores.select(*subjects.keys, "ended", *_RATES, "score", "band")
    targets = ", ".join(dict.fromkeys(t for goals in plan.targets.values() for t in goals))
    fixed = keyed.with_columns(
        lever=pl.lit(plan.lever.key),
        advice=pl.lit(plan.lever.advice),
        kind=pl.lit(plan.lever.kind),
        status=pl.lit(plan.status),
        reason=pl.lit(plan.reason),
        levels=pl.lit(", ".join(plan.touched) or None, pl.String),
        target=pl.lit(targets or None, pl.String),
        band=pl.col("band").cast(pl.String),
    )
    rows = subjects.scores
    if not plan.touched or rows.is_empty():
        touched = None if plan.status == "not_in_data" else 0
        return _complete(fixed.with_columns(touched=pl.lit(touched, pl.Int64)), subjects.keys)
    moved = _moved(subjects, plan, policy, confidence)
    return _complete(pl.concat([fixed, moved], how="horizontal"), subjects.keys)


def _complete(frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    missing = [
        pl.lit(None, kind).alias(name) for name, kind in WORTH.items() if name not in frame.columns
    ]
    return frame.with_columns(missing).select(
        *keys, *(pl.col(name).cast(kind) for name, kind in WORTH.items())
    )


def _counts(subjects: Subjects, plan: Plan, labels: Sequence[str], policy: ScoringPolicy) -> Counts:
    """The window's counts by part and level; levels that the estimate does not know are others."""
    factor = plan.lever.factor
    values = subjects.rows[factor]
    text = level_texts(factor, values)
    text = values.cast(pl.String) if text is None else text
    names = {value: label_of(value) for value in text.drop_nulls().unique().to_list()}
    others = next((x for x in labels if x.startswith("other (")), None)
    known = {value: name if name in labels else others for value, name in names.items()}
    unknown = UNKNOWN if UNKNOWN in labels else others
    level = text.replace_strict(known, default=None, return_dtype=pl.String)
    rows = subjects.rows.with_columns(level.fill_null(unknown or "\0").alias(_LEVEL))
    own = ["__subject", "user_id", *(["sequence_id"] if factor != "sequence_id" else [])]
    by = [name for name in own if name != factor]
    counts = tally(rows, by=[*by, _LEVEL], rules=policy.counting)
    counts = counts.filter(pl.col(_LEVEL).is_in(list(labels)))
    parts = counts.select(by).unique(maintain_order=True).with_row_index("__part")
    placed = counts.join(parts, on=by, how="left", maintain_order="left")
    part = placed["__part"].to_numpy()
    places = {label: i for i, label in enumerate(labels)}
    column = placed[_LEVEL].replace_strict(places, return_dtype=pl.Int64).to_numpy()
    arrays = []
    for name in ("ended", "bounced", "replied"):
        array = np.zeros((parts.height, len(labels)))
        array[part, column] = placed[name].fill_null(0).to_numpy()
        arrays.append(array)
    return parts["__subject"].to_numpy().astype(np.int64), arrays[0], arrays[1], arrays[2]


def _moved(
    subjects: Subjects, plan: Plan, policy: ScoringPolicy, confidence: float
) -> pl.DataFrame:
    """The change of rates, score and band, from the points."""
    scores = subjects.scores
    denominator = "delivered" if policy.counting.reply_denominator == "delivered" else "ended"
    now: dict[str, Array] = {}
    then: dict[str, Array] = {}
    found: dict[str, pl.Series] = {}
    touched = np.zeros(scores.height)
    for outcome, measure, count, n, column in (
        ("replied", "reply_rate", "replied", denominator, 0),
        ("bounced", "bounce_rate", "bounced", "ended", 1),
    ):
        counts = scores[count].to_numpy().astype(float), scores[n].to_numpy().astype(float)
        now[measure] = posterior(counts[0], counts[1], column)
        then[measure] = now[measure]
        if outcome in plan.estimates:
            estimate = plan.estimates[outcome]
            owner, ended, bounced, replied = _counts(subjects, plan, estimate.labels, policy)
            index = [estimate.labels.index(x) for x in plan.touched if x in estimate.labels]
            pulled = np.zeros(scores.height)
            np.add.at(pulled, owner, ended[:, index].sum(1))
            touched = np.maximum(touched, pulled)
            delivered = ended - bounced if denominator == "delivered" else ended
            weights, events = (delivered, replied) if column == 0 else (ended, bounced)
            parts = Parts(owner, weights, events.sum(1))
            then[measure] = after_lever(now[measure], parts, plan, estimate, column)
        found |= _summary(measure, scores[measure], then[measure] - now[measure], confidence)
    points = [
        points_of(policy.reply_points, rates["reply_rate"])
        + points_of(policy.bounce_points, rates["bounce_rate"])
        for rates in (now, then)
    ]
    found |= _summary("score", scores["score"], points[1] - points[0], confidence)
    edges = np.array([band.lower - 1e-9 for band in policy.bands])
    better = np.searchsorted(edges, points[1]) > np.searchsorted(edges, points[0])
    scored = scores["score"].is_not_null()
    frame = pl.DataFrame(found).with_columns(
        touched=pl.Series(touched).round().cast(pl.Int64),
        p_better_band=pl.Series(better.mean(1)),
    )
    change = pl.col("score_expected").clip(0.0, policy.most)
    return frame.with_columns(
        p_better_band=pl.when(pl.Series(scored)).then("p_better_band"),
        band_expected=policy.band(change).cast(pl.String),
    )


def _summary(
    measure: str, value: pl.Series, change: Array, confidence: float
) -> dict[str, pl.Series]:
    """The mean change and its interval; null where the measure is."""
    known = value.is_not_null().to_numpy()
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(np.where(known[:, None], change, 0.0), [tail, 1 - tail], axis=1)
    mean = np.where(known[:, None], change, 0.0).mean(1)

    def told(values: Array) -> pl.Series:
        return pl.Series(np.where(known, values, np.nan), dtype=pl.Float64).fill_nan(None)

    expected = value.fill_null(float("nan")).to_numpy() + mean
    return {
        f"{measure}_expected": told(expected),
        f"{measure}_change": told(mean),
        f"{measure}_change_low": told(low),
        f"{measure}_change_high": told(high),
    }
