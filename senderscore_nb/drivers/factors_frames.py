"""Estimates as frames: effects of levels, tests of factors, curves of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from senderscore_nb.drivers.factors_contrasts import Error
from senderscore_nb.drivers.factors_estimate import Estimate, LevelEffect

_TEXT, _REAL, _WHOLE = pl.String(), pl.Float64(), pl.Int64()

EFFECTS: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("outcome", "factor", "level", "against"), _TEXT),
    **dict.fromkeys(("enrollments", "events", "senders"), _WHOLE),
    **dict.fromkeys(("rate", "adjusted_rate", "against_rate"), _REAL),
    **{f"difference_pp{end}": _REAL for end in ("", "_low", "_high")},
    **{f"odds_ratio{end}": _REAL for end in ("", "_low", "_high")},
    **dict.fromkeys(("p_value", "q_value"), _REAL),
    "certain": pl.Boolean(),
    "errors": _TEXT,
    "notes": _TEXT,
}

TESTS: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("outcome", "factor", "status"), _TEXT),
    "levels": _WHOLE,
    **dict.fromkeys(("f_value", "p_value", "q_value"), _REAL),
    "certain": pl.Boolean(),
    "notes": _TEXT,
}

CURVES: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("outcome", "factor"), _TEXT),
    "value": _REAL,
    "enrollments": _WHOLE,
    "events": _WHOLE,
    **dict.fromkeys(("rate", "adjusted_rate", "adjusted_low", "adjusted_high"), _REAL),
}


def frames(
    estimates: Sequence[Estimate], *, confidence: float, false_discoveries: float
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Effects, tests and curves, each with what is certain among all of them.

    Args:
        estimates: In the order of the frames.
        confidence: Of every interval.
        false_discoveries: The share of what is called certain that may be chance.
    """
    effects = [_effect(e, level, confidence) for e in estimates for level in e.levels]
    tests = [_test(e) for e in estimates]
    curves = [_point(e, i, confidence) for e in estimates for i in range(len(e.curve))]
    return (
        judged(pl.DataFrame(effects, schema=EFFECTS, orient="row"), false_discoveries),
        judged(pl.DataFrame(tests, schema=TESTS, orient="row"), false_discoveries),
        pl.DataFrame(curves, schema=CURVES, orient="row"),
    )


def judged(rows: pl.DataFrame, false_discoveries: float) -> pl.DataFrame:
    """`q_value` and `certain` from `p_value`, over all rows that have one.

    Benjamini & Hochberg 1995: of what is called certain, at most that share is expected to be
    chance.
    """
    from scipy.stats import false_discovery_control

    p = rows["p_value"].to_numpy()
    known = np.isfinite(p)
    q = np.full(len(p), np.nan)
    if known.any():
        q[known] = false_discovery_control(np.clip(p[known], 0.0, 1.0))
    q_value = pl.Series("q_value", q, dtype=pl.Float64).fill_nan(None)
    certain = pl.col("q_value") <= false_discoveries
    return rows.with_columns(q_value).with_columns(certain=certain)


def _effect(estimate: Estimate, level: LevelEffect, confidence: float) -> dict[str, object]:
    row: dict[str, object] = {
        "outcome": estimate.outcome,
        "factor": estimate.factor,
        "level": level.level,
        "against": level.against,
        "enrollments": round(level.n),
        "events": round(level.events),
        "rate": level.events / level.n if level.n else None,
        "notes": "; ".join(level.notes),
    }
    contrast = level.contrast
    if contrast is None:
        return row
    half = contrast.error.half(confidence)
    return {
        **row,
        "senders": contrast.senders,
        "adjusted_rate": contrast.rate,
        "against_rate": contrast.against,
        "difference_pp": 100 * contrast.difference,
        "difference_pp_low": 100 * (contrast.difference - half),
        "difference_pp_high": 100 * (contrast.difference + half),
        **_odds_ratio(contrast.log_odds, contrast.log_odds_error, confidence),
        "p_value": contrast.error.p_value(contrast.difference),
        "errors": "between senders" if contrast.error.clustered else "independent enrollments",
    }


def _odds_ratio(log_odds: float, error: Error, confidence: float) -> dict[str, float]:
    half = error.half(confidence)
    low, middle, high = np.exp(np.clip([log_odds - half, log_odds, log_odds + half], -700, 700))
    return {
        "odds_ratio": float(middle), "odds_ratio_low": float(low), "odds_ratio_high": float(high)
    }  # fmt: skip


def _test(estimate: Estimate) -> dict[str, object]:
    joint = estimate.joint
    return {
        "outcome": estimate.outcome,
        "factor": estimate.factor,
        "status": estimate.status,
        "levels": len(estimate.labels) or None,
        "f_value": joint.f if joint else None,
        "p_value": joint.p_value if joint else None,
        "notes": "; ".join(estimate.notes),
    }


def _point(estimate: Estimate, place: int, confidence: float) -> dict[str, object]:
    point = estimate.curve[place]
    half = point.error.half(confidence)
    return {
        "outcome": estimate.outcome,
        "factor": estimate.factor,
        "value": point.value,
        "enrollments": round(point.n),
        "events": round(point.events),
        "rate": point.events / point.n,
        "adjusted_rate": point.rate,
        "adjusted_low": max(0.0, point.rate - half),
        "adjusted_high": min(1.0, point.rate + half),
    }
