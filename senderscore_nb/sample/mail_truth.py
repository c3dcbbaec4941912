"""The truth behind simulated mail: what became of each enrollment, and how it could be told."""

from __future__ import annotations

import polars as pl

from senderscore_nb.sample.traces import DAY_US


def truth_of(runs: pl.DataFrame, gap_days: float) -> pl.DataFrame:
    """The truth behind simulated mail, one row an enrollment.

    Args:
        runs: What the mail was made from, with the first mail's id.
        gap_days: A gap that tells two enrollments apart.

    Returns:
        The columns of `mails.SimulatedMail.truth`.
    """
    bounced, replied = pl.col("bounces") > 0, pl.col("replies") > 0
    severity = (
        pl.when(pl.col("luck") < 0.5).then(pl.lit("hard"))
        .when(pl.col("luck") < 0.7).then(pl.lit("soft"))
        .otherwise(pl.lit("unknown"))
    )  # fmt: skip
    main = runs.select(
        "sequence_id", "sender", "recipient", pl.col("first_id").cast(pl.String), "user_id",
        "first_at", "last_at", "ended_at", "template_id", "automatic", "shared", "overlap",
        "end_reason",
        replied=replied,
        bounced=bounced,
        bounce_type=pl.when(bounced).then(severity),
        reply_case=pl.when(replied).then(_reply_case()),
        bounce_case=pl.when(bounced).then(
            pl.when(~pl.col("by_notice")).then(pl.lit("status"))
            .when("mute").then(pl.lit("mute notice")).otherwise(pl.lit("notice"))
        ),
        unmarked=pl.col("automatic") & pl.col("is_unmarked"),
        event_at=pl.when(bounced).then("last_at").otherwise("reply_at"),
    )  # fmt: skip
    second = main.filter("shared").with_columns(
        recipient=pl.format("colleague.{}", "recipient"),
        replied=pl.lit(value=False),
        bounced=pl.lit(value=False),
        automatic=pl.lit(value=False),
        unmarked=pl.lit(value=False),
        ended_at=pl.lit(None, pl.Int64),
        event_at=pl.lit(None, pl.Int64),
        end_reason=pl.lit("colleague"),
        **{n: pl.lit(None, pl.String) for n in ("bounce_type", "reply_case", "bounce_case")},
    )
    key = ["sequence_id", "sender", "recipient"]
    ordered = pl.concat([main, second]).sort(*key, "first_at", "first_id")

    def before(name: str) -> pl.Expr:
        return pl.col(name).shift(1).over(key)

    return ordered.with_columns(
        repeat=pl.when(before("last_at").is_null()).then(None)
        .when(pl.col("first_at") - before("last_at") > int(gap_days * DAY_US)).then(pl.lit("gap"))
        .when(before("event_at") < pl.col("first_at")).then(pl.lit("event"))
        .when(before("template_id") == pl.col("template_id")).then(pl.lit("template"))
        .otherwise(pl.lit("nothing"))
    )  # fmt: skip


def _reply_case() -> pl.Expr:
    return (
        pl.when("by_alias").then(pl.lit("alias"))
        .when("is_lost").then(pl.lit("address"))
        .otherwise(pl.lit("thread"))
    )  # fmt: skip
