"""What a lever would change for whom: rates, points, bands, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from senderscore_nb.change import Window
from senderscore_nb.drivers.factors_columns import UNKNOWN, label_of, level_texts
from senderscore_nb.drivers.factors_estimate import Estimate
from senderscore_nb.drivers.factors_fit import Array
from senderscore_nb.drivers.levers_plan import Plan
from senderscore_nb.drivers.levers_rates import after_lever, points_of, posterior
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.score import score, with_team
from senderscore_nb.tally import tally

_CHUNK = 64
_LEVEL = "__level"

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


@dataclass(frozen=True)
class _Shares:
    """Counts by subject and level, shape (subjects, levels)."""

    ended: Array
    bounced: Array
    replied: Array


def worth(
    subjects: Subjects, plan: Plan, policy: ScoringPolicy, *, confidence: float
) -> pl.DataFrame:
    """A lever's worth for each subject; see `levers` for the columns."""
    keyed = subjects.scores.select(*subjects.keys, "ended", *_RATES, "score", "band")
    moved = ", ".join(dict.fromkeys(t for targets in plan.targets.values() for t in targets))
    fixed = keyed.with_columns(
        lever=pl.lit(plan.lever.key),
        advice=pl.lit(plan.lever.advice),
        kind=pl.lit(plan.lever.kind),
        status=pl.lit(plan.status),
        reason=pl.lit(plan.reason),
        levels=pl.lit(", ".join(plan.touched) or None, pl.String),
        target=pl.lit(moved or None, pl.String),
        band=pl.col("band").cast(pl.String),
    )
    rows = subjects.scores
    if not plan.touched or rows.is_empty():
        touched = None if plan.status == "not_in_data" else 0
        return _complete(fixed.with_columns(touched=pl.lit(touched, pl.Int64)), subjects.keys)
    shares = {
        outcome: _shares(subjects, plan, estimate, policy)
        for outcome, estimate in plan.estimates.items()
    }
    parts = [
        _moved(rows.slice(a, _CHUNK), shares, a, plan, policy, confidence)
        for a in range(0, rows.height, _CHUNK)
    ]
    return _complete(pl.concat([fixed, pl.concat(parts)], how="horizontal"), subjects.keys)


def _complete(frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    missing = [
        pl.lit(None, kind).alias(name) for name, kind in WORTH.items() if name not in frame.columns
    ]
    return frame.with_columns(missing).select(
        *keys, *(pl.col(name).cast(kind) for name, kind in WORTH.items())
    )


def _shares(subjects: Subjects, plan: Plan, estimate: Estimate, policy: ScoringPolicy) -> _Shares:
    """The window's counts by subject and the estimate's levels; other levels count as others."""
    factor, labels = plan.lever.factor, list(estimate.labels)
    values = subjects.rows[factor]
    text = level_texts(factor, values)
    text = values.cast(pl.String) if text is None else text
    names = {value: label_of(value) for value in text.drop_nulls().unique().to_list()}
    others = next((x for x in labels if x.startswith("other (")), None)
    known = {value: name if name in labels else others for value, name in names.items()}
    unknown = UNKNOWN if UNKNOWN in labels else others
    level = text.replace_strict(known, default=None, return_dtype=pl.String).fill_null(
        unknown or "\0"
    )
    rows = subjects.rows.with_columns(level.alias(_LEVEL))
    counts = tally(rows, by=["__subject", _LEVEL], rules=policy.counting)
    place = {label: i for i, label in enumerate(labels)}
    shape = (subjects.scores.height, len(labels))
    result = {name: np.zeros(shape) for name in ("ended", "bounced", "replied")}
    for row in counts.iter_rows(named=True):
        if row[_LEVEL] in place:
            for name, array in result.items():
                array[row["__subject"], place[row[_LEVEL]]] = row[name] or 0
    return _Shares(**result)


def _moved(
    scores: pl.DataFrame,
    shares: Mapping[str, _Shares],
    start: int,
    plan: Plan,
    policy: ScoringPolicy,
    confidence: float,
) -> pl.DataFrame:
    """The change of rates, score and band for some subjects, from their points."""
    size = scores.height
    denominator = "delivered" if policy.counting.reply_denominator == "delivered" else "ended"
    now: dict[str, Array] = {}
    then: dict[str, Array] = {}
    found: dict[str, pl.Series] = {}
    touched = np.zeros(size)
    for outcome, measure, count, n, column in (
        ("replied", "reply_rate", "replied", denominator, 0),
        ("bounced", "bounce_rate", "bounced", "ended", 1),
    ):
        counts = scores[count].to_numpy().astype(float), scores[n].to_numpy().astype(float)
        now[measure] = posterior(counts[0], counts[1], column)
        then[measure] = now[measure]
        if outcome in plan.estimates:
            part, estimate = shares[outcome], plan.estimates[outcome]
            mine = slice(start, start + size)
            weights = part.ended[mine]
            index = [estimate.labels.index(x) for x in plan.touched if x in estimate.labels]
            touched = np.maximum(touched, weights[:, index].sum(1))
            if outcome == "replied" and denominator == "delivered":
                weights = weights - part.bounced[mine]
            then[measure] = after_lever(
                now[measure], weights, plan, estimate, 2 if column == 0 else 0
            )
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
