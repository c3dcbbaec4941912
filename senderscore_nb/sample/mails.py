"""Simulated enrollments → the e-mail objects that they would leave in the CRM, with their truth.

The objects have the API's internal names, and everything in them is text. What makes real mail hard
to read is switched on by name, each with its share, so that a study can tell which of it hurts.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from senderscore_nb.sample.account import SEQUENCES, TIMEZONE
from senderscore_nb.sample.mail_truth import truth_of
from senderscore_nb.sample.nuisances import Nuisances
from senderscore_nb.sample.traces import DAY_US, Draw, incoming_letters, mail_columns

__all__ = ["Nuisances", "SimulatedMail", "simulate_mails"]

_STEPS = {s.sequence_id: s.steps for s in SEQUENCES}
_DAYS = {s.sequence_id: s.days for s in SEQUENCES}


@dataclass(frozen=True)
class SimulatedMail:
    """E-mail objects and the enrollments behind them.

    Attributes:
        mails: `hs_*` columns, all text.
        truth: One row an enrollment: `sequence_id`, `sender`, `recipient`, `first_id` (the key of
            its id), `user_id`, `first_at`, `last_at` (microseconds, UTC), `ended_at`, `replied`,
            `bounced`, `bounce_type`, `end_reason`, `template_id`; and what happened to it:
            `reply_case`, `bounce_case`, `automatic` (Boolean), `unmarked`, `shared` (its mails
            went to two), `overlap` (the contact was in another sequence too), `repeat` (null, or
            `event`, `template`, `gap`, `nothing`: what tells it from the one before).
        owners: As the API lists them: `id`, `userId`, `email`.
        aliases: `alias`, `address`.
        now: The end of what is known, microseconds, UTC.
    """

    mails: pl.DataFrame
    truth: pl.DataFrame
    owners: pl.DataFrame
    aliases: pl.DataFrame
    now: int


def simulate_mails(
    rows: pl.DataFrame,
    *,
    last_day: dt.date,
    seed: int = 0,
    nuisances: Nuisances | None = None,
    gap_days: float = 21.0,
) -> SimulatedMail:
    """The mail that simulated enrollments leave.

    Args:
        rows: As `generate.simulate_rows` returns them, of the sample's own sequences.
        last_day: The last day that is known of.
        seed: Same seed, same mail.
        nuisances: What is hard; the defaults of `Nuisances` unless given.
        gap_days: A gap that tells two enrollments apart, for the truth's `repeat`.
    """
    wrong = nuisances or Nuisances()
    midnight = dt.datetime.combine(last_day + dt.timedelta(days=1), dt.time())
    now = int(_utc(pl.DataFrame({"t": [midnight]}), "t")[0])
    draw = Draw(np.random.Generator(np.random.PCG64([seed, rows.height])))
    runs = _with_repeats(_runs(rows), draw, wrong, now)
    runs = _fated(runs, draw, wrong, now)
    mails, runs = _outgoing(runs)
    letters = incoming_letters(runs)
    mails = pl.concat([mails, letters, _beside(mails, runs, draw, wrong)], how="diagonal")
    mails = mails.filter(pl.col("at") < now).with_columns(
        id=pl.coalesce("id", pl.int_range(pl.len()) + 50_000_000)
    )
    objects = mail_columns(_without_owners(mails, draw, wrong), draw, wrong.duplicates)
    if wrong.shuffled:
        objects = objects[draw.generator.permutation(objects.height)]
    users = runs["user_id"].unique().sort()
    return SimulatedMail(
        objects, truth_of(runs, gap_days), _owners(users), _aliases(runs, users), now
    )


def _utc(frame: pl.DataFrame, name: str) -> pl.Series:
    """Wall clock of the account as microseconds in UTC."""
    zoned = pl.col(name).dt.replace_time_zone(TIMEZONE, ambiguous="earliest", non_existent="null")
    utc = zoned.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return frame.select(utc.dt.cast_time_unit("us").to_physical()).to_series()


def _runs(rows: pl.DataFrame) -> pl.DataFrame:
    """What the mail is made from."""
    step = pl.col("sequence_id").replace_strict(_DAYS) / pl.col("sequence_id").replace_strict(
        _STEPS
    )
    return rows.with_columns(
        first_at=_utc(rows, "enrolled_at"),
        ended_at=_utc(rows, "ended_at"),
        step=(step * DAY_US).cast(pl.Int64),
        steps=pl.col("sequence_id").replace_strict(_STEPS, return_dtype=pl.Int64),
        recipient="recipient_email",
    ).select(
        "user_id", "sequence_id", "recipient", "contact_id", "template_id", "first_at", "ended_at",
        "step", "steps", "sent", "replies", "bounces", "end_reason",
    )  # fmt: skip


def _with_repeats(runs: pl.DataFrame, draw: Draw, wrong: Nuisances, now: int) -> pl.DataFrame:
    """Some that have ended begin again in the same sequence, and nobody answers."""
    chosen = draw.below(runs.height, wrong.repeated)
    wait, other = draw.uniform(runs.height), draw.below(runs.height, wrong.other_template)
    wait = np.where(draw.below(runs.height, wrong.late_repeats), 22 + 18 * wait, 2 + 12 * wait)
    last = pl.max_horizontal("ended_at", pl.col("first_at") + (pl.col("sent") - 1) * pl.col("step"))
    again = (
        runs.with_columns(wait=wait, other=other, last=last)
        .filter(pl.Series(chosen), pl.col("ended_at").is_not_null())
        .with_columns(first_at=pl.col("last") + (pl.col("wait") * DAY_US).cast(pl.Int64))
        .filter(pl.col("first_at") < now)
        .with_columns(
            template_id=pl.when("other").then(pl.col("template_id") + "9").otherwise("template_id"),
            sent=pl.min_horizontal("steps", (now - pl.col("first_at")) // pl.col("step") + 1),
            ended_at=pl.col("first_at") + pl.col("steps") * pl.col("step"),
            replies=pl.lit(0, pl.Int64),
            bounces=pl.lit(0, pl.Int64),
            end_reason=pl.lit("finished"),
        )
        .with_columns(
            ended_at=pl.when(pl.col("ended_at") < now).then("ended_at"),
            end_reason=pl.when(pl.col("ended_at") < now).then("end_reason"),
        )
    )
    return _with_overlaps(pl.concat([runs, again.select(runs.columns)]), draw, wrong, now)


def _with_overlaps(runs: pl.DataFrame, draw: Draw, wrong: Nuisances, now: int) -> pl.DataFrame:
    """Some contacts are in the next sequence an hour later as well; they do not answer that one."""
    chosen = draw.below(runs.height, wrong.overlaps) & (runs["sent"] > 0).to_numpy()
    ids = [s.sequence_id for s in SEQUENCES]
    following = dict(zip(ids, [*ids[1:], ids[0]], strict=True))
    other = (
        runs.filter(pl.Series(chosen))
        .with_columns(
            pl.col("sequence_id").replace(following), first_at=pl.col("first_at") + DAY_US // 24
        )
        .filter(pl.col("first_at") < now)
        .with_columns(
            template_id=pl.col("template_id") + "7",
            sent=pl.lit(1, pl.Int64),
            ended_at=pl.lit(None, pl.Int64),
            replies=pl.lit(0, pl.Int64),
            bounces=pl.lit(0, pl.Int64),
            end_reason=pl.lit(None, pl.String),
        )
    )
    both = pl.concat(
        [
            runs.with_columns(overlap=pl.Series(chosen)),
            other.with_columns(overlap=pl.lit(value=True)),
        ]
    )
    return both.with_row_index("run")


def _fated(runs: pl.DataFrame, draw: Draw, wrong: Nuisances, now: int) -> pl.DataFrame:
    """What happens to each, drawn once."""
    n = runs.height
    flags = {
        "automatic": wrong.automatic_replies,
        "by_alias": wrong.other_addresses,
        "by_notice": wrong.notices,
        "mute": wrong.mute_notices,
        "shared": wrong.several_recipients,
        "colleague": wrong.colleagues,
        "sent_by_alias": wrong.sender_aliases,
        "is_lost": wrong.lost_threads,
        "is_unmarked": wrong.unmarked,
    }
    drawn = {name: pl.Series(draw.below(n, share)) for name, share in flags.items()}
    runs = runs.with_columns(**drawn, luck=pl.Series(draw.uniform(n)))
    bounced = pl.col("bounces") > 0
    late = (pl.col("end_reason") == "finished") & (pl.col("replies") > 0)
    wait = ((0.3 + 4 * pl.col("luck")) * DAY_US).cast(pl.Int64)
    return runs.with_columns(
        sender=pl.format("user-{}@example.com", "user_id"),
        by_notice=pl.col("by_notice") & bounced,
        mute=pl.col("mute") & pl.col("by_notice") & bounced,
        automatic=pl.col("automatic") & ~bounced & (pl.col("sent") > 0),
        colleague=pl.col("colleague") & ~bounced & (pl.col("sent") > 0),
        shared=pl.col("shared") & (pl.col("sent") > 0),
        reply_at=pl.when(pl.col("replies") == 0)
        .then(None)
        .when(late | bounced)
        .then(pl.min_horizontal(pl.col("ended_at") + wait, now - 60_000_000))
        .otherwise("ended_at"),
    )


def _outgoing(runs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row a mail; and the runs with the id of their first mail."""
    failed = pl.col("end_reason").is_in(["blocked", "error"]).fill_null(value=False)
    count = pl.col("sent") + failed.cast(pl.Int64)
    mails = runs.with_columns(step_number=pl.int_ranges(0, count)).explode("step_number")
    mails = mails.drop_nulls("step_number").with_columns(
        is_failed=failed & (pl.col("step_number") == pl.col("sent")),
        is_last=pl.col("step_number") == pl.col("sent") - 1,
    )
    at = pl.col("first_at") + pl.col("step_number") * pl.col("step")
    # A change of the clock may put a mail behind the end that was drawn in wall clock.
    before = pl.col("ended_at") - 60_000_000 * (1 + pl.col("sent") - pl.col("step_number"))
    at = (
        pl.when((pl.col("replies") > 0) & (pl.col("step_number") > 0))
        .then(pl.min_horizontal(at, before))
        .otherwise(at)
    )
    number = pl.col("step_number") + 1
    returned = (pl.col("bounces") > 0) & pl.col("is_last") & ~pl.col("by_notice")
    mails = mails.with_columns(
        at=pl.when("is_failed").then(pl.col("ended_at")).otherwise(at),
        id=pl.int_range(pl.len()) + 10_000_000,
        thread=pl.format("t{}", "run"),
        status=pl.when("is_failed").then(pl.lit("FAILED"))
        .when(returned).then(pl.lit("BOUNCED")).otherwise(pl.lit("SENT")),
        template=pl.when(number > 1)
        .then(pl.format("{}-{}", "template_id", number))
        .otherwise("template_id"),
        direction=pl.lit("EMAIL"),
        message=pl.when(returned).then(pl.format("550 <{}> cannot be reached", "recipient"))
        .when(pl.col("is_failed") & (pl.col("end_reason") == "blocked"))
        .then(pl.lit("RECIPIENT_PREVIOUSLY_BOUNCED_ON_PORTAL"))
        .when("is_failed").then(pl.lit("DISCONNECTED_INBOX")),
        code=pl.when(returned).then(_code()),
    )  # fmt: skip
    both = pl.format("colleague.{}", "recipient")
    mails = mails.with_columns(
        to=pl.when(~pl.col("shared")).then("recipient")
        .when(pl.col("luck") < 0.33).then(pl.format("{};{}", "recipient", both))
        .when(pl.col("luck") < 0.66).then(pl.format("{}, {}", "recipient", both))
        .otherwise(pl.format("\"Ex, Ample\" <{}>; A Colleague <{}>", "recipient", both)),
        source=pl.when("sent_by_alias").then(pl.format("user-{}@mail.example.com", "user_id"))
        .otherwise("sender"),
    )  # fmt: skip
    ends = mails.group_by("run").agg(
        pl.col("id").sort_by("at", "id").first().alias("first_id"),
        pl.col("at").max().alias("last_at"),
    )
    return mails, runs.join(ends, on="run").sort("run")


def _code() -> pl.Expr:
    return (
        pl.when(pl.col("luck") < 0.5).then(pl.lit("5.1.1"))
        .when(pl.col("luck") < 0.7).then(pl.lit("4.2.2"))
        .otherwise(pl.lit(""))
    )  # fmt: skip


def _beside(mails: pl.DataFrame, runs: pl.DataFrame, draw: Draw, wrong: Nuisances) -> pl.DataFrame:
    """Mail that belongs to no enrollment: forwarded, and from one to one."""
    forwarded = mails.filter(pl.Series(draw.below(mails.height, wrong.forwarded))).select(
        pl.lit("FORWARDED_EMAIL").alias("direction"),
        pl.col("at") + DAY_US // 3,
        pl.col("recipient").alias("source"),
        pl.lit("somebody@elsewhere.example").alias("to"),
        "thread",
    )
    own = runs.filter(pl.Series(draw.below(runs.height, wrong.own_mail))).select(
        pl.lit("EMAIL").alias("direction"),
        pl.col("last_at") + DAY_US // 5,
        pl.col("sender").alias("source"),
        pl.col("recipient").alias("to"),
        pl.lit("SENT").alias("status"),
        "user_id",
    ).rename({"last_at": "at"})  # fmt: skip
    return pl.concat([forwarded, own], how="diagonal")


def _without_owners(mails: pl.DataFrame, draw: Draw, wrong: Nuisances) -> pl.DataFrame:
    owner = pl.format("9{}", "user_id")
    missing = pl.Series(draw.below(mails.height, wrong.missing_owners))
    known = pl.col("user_id").is_not_null() & (pl.col("direction") == "EMAIL")
    return mails.with_columns(owner=pl.when(known & ~missing).then(owner))


def _owners(users: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"userId": users}).select(
        pl.format("9{}", "userId").alias("id"),
        "userId",
        pl.format("user-{}@example.com", "userId").alias("email"),
    )


def _aliases(runs: pl.DataFrame, users: pl.Series) -> pl.DataFrame:
    theirs = runs.filter("by_alias").select(
        alias=pl.format("alias.{}", "recipient"), address="recipient"
    )
    ours = pl.DataFrame({"u": users}).select(
        alias=pl.format("user-{}@mail.example.com", "u"),
        address=pl.format("user-{}@example.com", "u"),
    )
    return pl.concat([theirs, ours]).unique(maintain_order=True)
