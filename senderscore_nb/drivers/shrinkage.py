"""Small senders borrow strength: shrunk rates and scores, beside the raw ones.

Of many rates measured on few enrollments, the extreme ones are extreme by luck too. A rate drawn
towards its team's is nearer to the truth on average, the more so the fewer enrollments it stands
on (Efron & Morris 1975, Journal of the American Statistical Association 70:311).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.certainty import score_certainty, wording
from senderscore_nb.control import Array
from senderscore_nb.drivers.borrow import Borrowed, borrow
from senderscore_nb.errors import ContractError
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy
from senderscore_nb.score import score, with_team

NO_TEAM = "(no team)"

_PARTS = ("shrunk", "shrunk_low", "shrunk_high", "weight", "towards", "team")
_KEPT = (
    *("user_id", "team", "ended", "status"),
    *("reply_rate", "reply_rate_low", "reply_rate_high"),
    *("bounce_rate", "bounce_rate_low", "bounce_rate_high"),
    *("score", "score_low", "score_high", "band", "verdict"),
)


@dataclass(frozen=True)
class Stein:
    """The James–Stein estimate of many proportions on equal samples.

    Attributes:
        mean: The grand mean, which all are drawn towards.
        factor: How much of each one's distance from it stays; 0 where chance explains them all.
        estimates: The drawn proportions.
    """

    mean: float
    factor: float
    estimates: Array


def james_stein(counts: Any, n: float) -> Stein:
    """Proportions of equal samples drawn towards their mean (Efron & Morris 1977).

    factor = 1 − (k − 3) · m (1 − m) / n / Σ (y − m)², never below 0, for k proportions y with
    mean m. A textbook form, for samples of one size; `shrinkage` is what senders need.

    Args:
        counts: From 4 counts on.
        n: The sample that each was counted in.

    Raises:
        ContractError: Fewer than 4 counts, or no sample.

    >>> james_stein([18, 12, 10, 10, 7], 45).factor > 0
    True
    """
    y = np.asarray(counts, dtype=float) / n if n > 0 else np.empty(0)
    if len(y) < 4:
        raise ContractError(
            f"James–Stein needs at least 4 proportions of a sample, found {len(y)}."
        )
    mean = float(y.mean())
    apart = float(((y - mean) ** 2).sum())
    chance = (len(y) - 3) * mean * (1 - mean) / n
    factor = max(0.0, 1 - chance / apart) if apart > 0 else 0.0
    return Stein(mean, factor, mean + factor * (y - mean))


def shrinkage(
    tallies: pl.DataFrame,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    roster: pl.DataFrame | None = None,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Each sender's rates and score, raw, and with the strength of team and account.

    The two rates are shrunk by themselves (see `drivers.borrow`): a sender's towards the team's,
    as far as senders of a team are alike; a team's towards the account's, as far as teams are.
    shrunk = weight · raw + (1 − weight) · towards. The shrunk score is the policy's score of the
    shrunk rates; its interval and bands come from their posteriors, as those of a raw score do.

    It is an estimate of the truth, not HubSpot's score: the raw figures stay what they are, and
    `status` says who has a score. Shrunk scores are given for collecting senders too.

    Args:
        tallies: As `tally` returns them.
        policy: A policy, a preset's name or the path of a TOML file.
        roster: Who is in which team; without it there is one level, the account.
        confidence: Of every interval.

    Returns:
        One row a sender, sorted by id: `user_id`, `team`, `ended`, `status`; `reply_rate` and
        `bounce_rate` as `score` has them, each with `_shrunk`, `_shrunk_low`, `_shrunk_high`,
        `_weight` (0–1, the sender's own share), `_towards`, `_team` (the team's rate); `score`,
        `score_low`, `score_high`, `band`, `verdict` as `score` has them; `score_shrunk`,
        `score_shrunk_low`, `score_shrunk_high`, `band_shrunk`, `verdict_shrunk`. Null where a
        measure is not known, and scores where there is no paid seat.

    Raises:
        ContractError: A column is missing.
        PolicyError: The policy is invalid.
    """
    policy = load_policy(policy)
    raw = score(tallies, policy, by="user", roster=roster, confidence=confidence)
    named = with_team(raw, roster) if roster is not None else raw.with_columns(team=pl.lit(NO_TEAM))
    rows = named.with_columns(pl.col("team").fill_null(NO_TEAM)).sort("user_id", nulls_last=True)
    delivered = policy.counting.reply_denominator == "delivered"
    n = {"reply_rate": "delivered" if delivered else "ended", "bounce_rate": "ended"}
    posteriors = {}
    for measure, count in (("reply_rate", "replied"), ("bounce_rate", "bounced")):
        rows, posteriors[measure] = _shrunk(rows, measure, (count, n[measure]), confidence)
    rows = _scored(rows, policy, posteriors, confidence)
    shown = [f"{measure}_{part}" for measure in posteriors for part in _PARTS]
    scores = [f"score_{part}" for part in _PARTS[:3]]
    return rows.select(*_KEPT, *shown, *scores, "band_shrunk", "verdict_shrunk")


def _shrunk(
    rows: pl.DataFrame, measure: str, columns: tuple[str, str], confidence: float
) -> tuple[pl.DataFrame, npt.NDArray[np.float64]]:
    """The rows with a measure's shrunk columns, and Beta parameters by row (nan if not known)."""
    from scipy.special import betaincinv

    count, n = (rows[name].cast(pl.Float64) for name in columns)
    known = (count.is_not_null() & n.is_not_null()).to_numpy()
    parameters = np.full((rows.height, 2), np.nan)
    values = {part: np.full(rows.height, np.nan) for part in _PARTS}
    if known.any():
        team = rows.filter(pl.Series(known))["team"].rank("dense").cast(pl.Int64).to_numpy() - 1
        found = borrow(count.to_numpy()[known], n.to_numpy()[known], team)
        a, b = found.beta()
        parameters[known] = np.column_stack([a, b])
        tail = (1 - confidence) / 2
        for part, value in _columns(found).items():
            values[part][known] = value
        # The mean of a very skewed posterior may lie outside; an interval holds its estimate.
        low, high = betaincinv(a, b, tail), betaincinv(a, b, 1 - tail)
        values["shrunk_low"][known] = np.minimum(low, found.rate)
        values["shrunk_high"][known] = np.maximum(high, found.rate)
    series = [
        pl.Series(f"{measure}_{part}", value).fill_nan(None) for part, value in values.items()
    ]
    return rows.with_columns(series), parameters


def _columns(found: Borrowed) -> dict[str, Array]:
    return {
        "shrunk": found.rate,
        "weight": found.weight,
        "towards": found.towards,
        "team": found.team,
    }


def _scored(
    rows: pl.DataFrame, policy: ScoringPolicy, posteriors: dict[str, Array], confidence: float
) -> pl.DataFrame:
    replies, bounces = posteriors["reply_rate"], posteriors["bounce_rate"]
    seat = (rows["status"].cast(pl.String) != "no_paid_seat").to_numpy()
    known = np.isfinite(replies).all(axis=1) & np.isfinite(bounces).all(axis=1) & seat
    points = policy.reply_points.points(pl.col("reply_rate_shrunk")) + policy.bounce_points.points(
        pl.col("bounce_rate_shrunk")
    )
    rows = rows.with_columns(
        score_shrunk=pl.when(pl.Series(known)).then(points), __row=pl.int_range(pl.len())
    )
    # A posterior Beta(a, b) is that of a − ½ in a + b − 1 under Jeffreys' prior.
    counts = np.column_stack([c for a, b in (replies.T, bounces.T) for c in (a - 0.5, a + b - 1)])
    sure = score_certainty(counts[known], policy, confidence=confidence)
    names = policy.band_names
    estimate = rows.filter(pl.Series(known))["score_shrunk"].to_numpy()
    certain = pl.DataFrame(
        {
            "__row": np.flatnonzero(known),
            "score_shrunk_low": np.minimum(sure.low, estimate),
            "score_shrunk_high": np.maximum(sure.high, estimate),
            "verdict_shrunk": [wording(names, row) for row in sure.bands.tolist()],
        },
        schema={
            "__row": pl.Int64,
            "score_shrunk_low": pl.Float64,
            "score_shrunk_high": pl.Float64,
            "verdict_shrunk": pl.String,
        },
    )
    joined = rows.join(certain, on="__row", how="left", maintain_order="left")
    return joined.with_columns(band_shrunk=policy.band(pl.col("score_shrunk")))
