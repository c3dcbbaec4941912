"""Who needs attention: rules over the report's figures, each with its reason in words."""

from __future__ import annotations

import polars as pl

from senderscore_nb.certainty import CERTAIN
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.reports.blocks import percent, points, signed
from senderscore_nb.reports.frame import Measure
from senderscore_nb.reports.words import rate

COLUMNS = {"user_id": pl.String, "user_label": pl.String, "reason": pl.String, "weight": pl.Float64}


def attention(
    senders: pl.DataFrame,
    changes: dict[str, pl.DataFrame],
    funnels: dict[Measure, tuple[pl.DataFrame, pl.DataFrame]],
    policy: ScoringPolicy,
) -> pl.DataFrame:
    """Senders with the reasons to look at them, the most pressing first.

    A sender is listed where (1) the score fell by more than noise, (2) a rate lies outside the
    99.8 % control limits of all senders, on the bad side, or (3) the score is, with 95 %
    probability, in the lower half of the bands.

    Args:
        senders: Scores by sender.
        changes: Changes by sender, keyed by what they are since ("last week").
        funnels: Senders with `outside`, and the limits, by `reply_rate` and `bounce_rate`.
        policy: The bands.

    Returns:
        `user_id`, `user_label`, `reason` (sentences), `weight` (for sorting only).
    """
    found = _fallen(changes) + _outside(funnels) + _low(senders, policy)
    frame = pl.DataFrame(found, schema=COLUMNS, orient="row")
    return (
        frame.group_by("user_id", "user_label", maintain_order=True)
        .agg(pl.col("reason").str.join(" "), pl.col("weight").sum())
        .sort(["weight", "user_id"], descending=[True, False])
    )


def _fallen(changes: dict[str, pl.DataFrame]) -> list[tuple[str, str, str, float]]:
    found = []
    for since, frame in changes.items():
        fallen = frame.filter(pl.col("score_certain") & (pl.col("score_change") < 0))
        for row in fallen.iter_rows(named=True):
            reason = (
                f"The score fell by {points(-row['score_change'])} points since {since} "
                f"({signed(row['score_change_low'])} to {signed(row['score_change_high'])})."
            )
            found.append((row["user_id"], row["user_label"], reason, -row["score_change"]))
    return found


def _outside(
    funnels: dict[Measure, tuple[pl.DataFrame, pl.DataFrame]],
) -> list[tuple[str, str, str, float]]:
    found = []
    sides: tuple[tuple[Measure, str, str], ...] = (
        ("bounce_rate", "bounce", "above"),
        ("reply_rate", "reply", "below"),
    )
    for name, word, bad in sides:
        frame, limits = funnels[name]
        centre = float(limits["centre"][0]) if limits.height else 0.0
        side = pl.col(name) > centre if bad == "above" else pl.col(name) < centre
        for row in frame.filter(pl.col("outside") & side).iter_rows(named=True):
            reason = (
                f"A {word} rate of {rate(row, name)} is {bad} what chance allows around "
                f"everyone's {percent(centre)}."
            )
            found.append((row["user_id"], row["user_label"], reason, 20.0))
    return found


def _low(senders: pl.DataFrame, policy: ScoringPolicy) -> list[tuple[str, str, str, float]]:
    lower = policy.bands[: len(policy.bands) // 2]
    if not lower:
        return []
    chance = pl.sum_horizontal(f"p_{b.slug}" for b in lower)
    scored = senders.with_columns(__chance=chance).filter(
        (pl.col("status") == "scored") & (pl.col("__chance") >= CERTAIN)
    )
    edge = policy.bands[len(lower)]
    return [
        (
            row["user_id"],
            row["user_label"],
            f"The score of {points(row['score'])} is below {edge.name} (from {edge.lower:g}) "
            f"with a probability of {_share(row['__chance'])}.",
            10.0,
        )
        for row in scored.iter_rows(named=True)
    ]


def _share(probability: float) -> str:
    return "more than 99\u00a0%" if probability > 0.99 else f"{100 * probability:.0f}\u00a0%"
