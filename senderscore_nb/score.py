"""Counts + policy → rates, points, score, band and how certain each of them is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from senderscore_nb.certainty import score_certainty, wilson, wording
from senderscore_nb.contract import MEASURES
from senderscore_nb.errors import ContractError, SelectionError, did_you_mean
from senderscore_nb.policy import DEFAULT_POLICY, ScoringPolicy, load_policy
from senderscore_nb.sums import PERIODS, summarize

STATUSES: tuple[str, ...] = ("scored", "collecting", "no_paid_seat", "not_computable")
"""`collecting`: below the minimum. `no_paid_seat`: the roster says so. `not_computable`: the
source does not know replies or bounces (so more enrollments would not help), or enough ended and
nothing was delivered."""

BY: Mapping[str, str] = {
    "user": "user_id",
    "team": "team",
    "sequence": "sequence_id",
    "day": "day",
    "week": "week",
    "month": "month",
}
"""What scores can be asked by, with the key column of each."""

PACE_DAYS = 28
"""Days up to the newest one from which the present pace is taken."""

_FORESEEABLE = 366


def parse_by(by: str | Sequence[str]) -> tuple[str, ...]:
    """Key columns from words such as `user,sequence`.

    >>> parse_by("user,week")
    ('user_id', 'week')

    Raises:
        SelectionError: A word that is not known.
    """
    words = by.split(",") if isinstance(by, str) else list(by)
    keys = []
    for word in (w.strip() for w in words):
        if word in ("", "all", "everyone"):
            continue
        if word not in BY and word not in BY.values():
            raise SelectionError(
                f"Scores cannot be asked by {word!r}.", hint=did_you_mean(word, BY)
            )
        keys.append(BY.get(word, word))
    return tuple(dict.fromkeys(keys))


def score(
    tallies: pl.DataFrame,
    policy: ScoringPolicy | str = DEFAULT_POLICY,
    *,
    by: str | Sequence[str] = ("user_id",),
    roster: pl.DataFrame | None = None,
    as_of: dt.date | None = None,
    window_days: int | None = None,
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Rates, points, score, band and certainty of each group of tallies.

    Rates come from summed counts. The minimum is the policy's for a sequence where the key has
    `sequence_id`, and the one for a user otherwise. Teams, sequences and periods count every
    sender's enrollments; the rule of the paid seat applies where the key has `user_id`.

    Args:
        tallies: As `tally` returns them: `user_id`, `sequence_id`, `day` and the measures.
        policy: A policy, a preset's name or the path of a TOML file.
        by: Keys, as words (`"user,week"`) or column names; none for one row of everything.
        roster: As `read_roster` returns it; needed for teams and for the rule of the paid seat.
            Who is not in it is scored.
        as_of: The day that the pace of collecting senders is taken up to; the newest day unless
            given.
        window_days: The length of the window that the tallies are of, where it moves on with
            time: a pace that never fills it up to the minimum gives no expected day.
        confidence: Of every interval.

    Returns:
        The keys, sorted, and (fractions are 0–1, points on the policy's scale):
        the measures; `delivered`; `reply_rate`, `bounce_rate`, each with `_low` and `_high`
        (Wilson); `reply_points`, `bounce_points`, `score`, `score_low`, `score_high`; `band`,
        `band_probability`, `verdict`, one `p_<band>` for each band; `status`; `minimum`,
        `missing` and, for collecting ones, `expected_on`: the day the minimum is reached at the
        pace of the last 28 days.

    Raises:
        ContractError: A column is missing.
        SelectionError: Teams are asked for without a roster.
        PolicyError: The policy is invalid.

    >>> day = dt.date(2026, 3, 2)
    >>> one = pl.DataFrame({"user_id": ["7"], "sequence_id": ["1"], "day": [day], "ended": [1000],
    ...     "replied": [97], "bounced": [30], "opened": [0], "clicked": [0], "meetings": [0],
    ...     "unsubscribed": [0]})
    >>> score(one).select("reply_points", "bounce_points", "band").row(0)
    (40.0, 35.0, 'Good')
    """
    policy = load_policy(policy)
    keys = parse_by(by)
    if "team" in keys:
        tallies = with_team(tallies, roster)
    rated = _rated(summarize(tallies, keys), policy, confidence)
    rated = _with_status(rated, keys, policy, roster)
    rated = _pointed(rated, policy)
    rated = _with_certainty(rated, policy, confidence)
    if set(keys) & set(PERIODS) or "day" not in tallies.columns:
        rated = rated.with_columns(expected_on=pl.lit(None, pl.Date))
    else:
        rated = _with_expected(rated, tallies, keys, as_of, window_days)
    return rated


def with_team(tallies: pl.DataFrame, roster: pl.DataFrame | None) -> pl.DataFrame:
    """Tallies with the `team` of each sender, "(no team)" for those without one.

    Raises:
        SelectionError: There is no roster.
    """
    if roster is None:
        raise SelectionError(
            "Scores by team need to know who is in which team.",
            hint="Give a roster: a file with the columns user_id and team.",
        )
    if "team" in tallies.columns:
        return tallies
    return tallies.join(roster.select("user_id", "team"), on="user_id", how="left").with_columns(
        pl.col("team").fill_null("(no team)")
    )


def _rated(counts: pl.DataFrame, policy: ScoringPolicy, confidence: float) -> pl.DataFrame:
    missing = [name for name in MEASURES if name not in counts.columns]
    if missing:
        raise ContractError(f"The tallies have no column {missing[0]!r}.")
    delivered = pl.col("ended") - pl.col("bounced")
    denominator = delivered if policy.counting.reply_denominator == "delivered" else pl.col("ended")
    columns = {"delivered": delivered}
    for name, count, n in (
        ("reply_rate", pl.col("replied"), denominator),
        ("bounce_rate", pl.col("bounced"), pl.col("ended")),
    ):
        low, high = wilson(count, n, confidence=confidence)
        columns |= {name: pl.when(n > 0).then(count / n), f"{name}_low": low, f"{name}_high": high}
    return counts.with_columns(**columns, reply_n=denominator)


def _with_status(
    rated: pl.DataFrame,
    keys: Sequence[str],
    policy: ScoringPolicy,
    roster: pl.DataFrame | None,
) -> pl.DataFrame:
    minimum = policy.minimum.sequence if "sequence_id" in keys else policy.minimum.user
    seat = pl.lit(value=True)
    if roster is not None and "user_id" in keys:
        rated = rated.join(
            roster.select("user_id", __seat=pl.col("paid_seat")), on="user_id", how="left"
        )
        seat = pl.col("__seat").fill_null(value=True)
    computable = pl.col("reply_rate").is_not_null() & pl.col("bounce_rate").is_not_null()
    unknown = (pl.col("ended") > 0) & pl.any_horizontal(pl.col("replied", "bounced").is_null())
    enough = pl.col("ended") >= minimum
    status = (
        pl.when(~seat)
        .then(pl.lit("no_paid_seat"))
        .when(~enough & ~unknown)
        .then(pl.lit("collecting"))
        .when(~computable)
        .then(pl.lit("not_computable"))
        .otherwise(pl.lit("scored"))
    )
    return rated.with_columns(
        status=status.cast(pl.Enum(STATUSES)),
        minimum=pl.lit(minimum, pl.Int64),
        missing=(minimum - pl.col("ended")).clip(lower_bound=0).cast(pl.Int64),
    ).drop("__seat", strict=False)


def _pointed(rated: pl.DataFrame, policy: ScoringPolicy) -> pl.DataFrame:
    scored = pl.col("status") == "scored"
    reply = pl.when(scored).then(policy.reply_points.points(pl.col("reply_rate")))
    bounce = pl.when(scored).then(policy.bounce_points.points(pl.col("bounce_rate")))
    return rated.with_columns(reply_points=reply, bounce_points=bounce).with_columns(
        score=pl.col("reply_points") + pl.col("bounce_points")
    )


def _with_certainty(rated: pl.DataFrame, policy: ScoringPolicy, confidence: float) -> pl.DataFrame:
    rated = rated.with_row_index("__row")
    scored = rated.filter(pl.col("status") == "scored")
    counts = scored.select("replied", "reply_n", "bounced", "ended").cast(pl.Int64)
    sure = score_certainty(counts.to_numpy().astype(np.int64), policy, confidence=confidence)
    names = policy.band_names
    # An equal-tailed interval of a rate at its limit leaves the estimate out; ours never does.
    certain = pl.DataFrame(
        {
            "__row": scored["__row"],
            "score_low": np.minimum(sure.low, scored["score"].to_numpy()),
            "score_high": np.maximum(sure.high, scored["score"].to_numpy()),
            "verdict": [wording(names, row) for row in sure.bands.tolist()],
            **{f"p_{b.slug}": sure.bands[:, i] for i, b in enumerate(policy.bands)},
        },
        schema_overrides={"verdict": pl.String, "score_low": pl.Float64, "score_high": pl.Float64},
    )
    worded = {
        "collecting": "Collecting",
        "no_paid_seat": "No paid seat",
        "not_computable": "Not computable",
    }
    status = pl.col("status").cast(pl.String)
    band = policy.band(pl.col("score"))
    probability = pl.lit(None, pl.Float64)
    for b in policy.bands:
        probability = pl.when(pl.col("band") == b.name).then(f"p_{b.slug}").otherwise(probability)
    return (
        rated.join(certain, on="__row", how="left", maintain_order="left")
        .with_columns(
            band=band, verdict=pl.coalesce("verdict", status.replace_strict(worded, default=None))
        )
        .with_columns(band_probability=probability)
        .drop("__row", "reply_n")
    )


def _with_expected(
    rated: pl.DataFrame,
    tallies: pl.DataFrame,
    keys: Sequence[str],
    as_of: dt.date | None,
    window_days: int | None,
) -> pl.DataFrame:
    newest = tallies["day"].max()
    today = as_of or (newest if isinstance(newest, dt.date) else None)
    if today is None:
        return rated.with_columns(expected_on=pl.lit(None, pl.Date))
    since = today - dt.timedelta(days=PACE_DAYS - 1)
    recent = tallies.filter(pl.col("day").is_between(since, today))
    pace = pl.col("__pace") / PACE_DAYS
    days = (pl.col("missing") / pace).ceil()
    expected = pl.lit(today) + pl.duration(days=days.cast(pl.Int64, strict=False))
    reachable = (pl.col("status") == "collecting") & (pl.col("__pace") > 0) & (days <= _FORESEEABLE)
    if window_days is not None:
        reachable &= pace * window_days >= pl.col("minimum")
    if keys:
        sums = recent.group_by(keys).agg(__pace=pl.col("ended").sum())
        rated = rated.join(sums, on=keys, how="left", maintain_order="left", nulls_equal=True)
    else:
        rated = rated.with_columns(__pace=pl.lit(recent["ended"].sum()))
    return rated.with_columns(expected_on=pl.when(reachable).then(expected).cast(pl.Date)).drop(
        "__pace"
    )
