"""The drawn arrays as a frame of enrollments."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Many
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.sample.account import (
    MOST_SENDS,
    PREVIOUSLY_BOUNCED,
    SENDS_DECAY,
    BadList,
    Effects,
    Sender,
    Sequence,
)
from senderscore_nb.sample.rates import Floats, Ints
from senderscore_nb.sample.words import (
    CONTACT_SOURCES,
    DOMAINS,
    ENDINGS,
    FIRST_NAMES,
    SEGMENTS,
    STAGES,
)

Flags = npt.NDArray[np.bool_]
Draws = Mapping[str, Floats]

_APART = 120  # enrollments of the same sender and source between two of the same contact
_AGAIN = 0.1


@dataclass(frozen=True)
class Span:
    """When each run began and the end of what is known, in minutes of wall clock since 1970."""

    enrolled: Ints
    now: int


@dataclass(frozen=True)
class Factors:
    """Which sequence and contact source by place, and how many tokens."""

    sequence: Ints
    source: Ints
    tokens: Ints


@dataclass(frozen=True)
class Runs:
    """What becomes of each run.

    Attributes:
        ending: Its place in `ENDINGS`, also where it has not come yet.
        ended: Minutes of wall clock.
        active: Not ended by now.
        paused: Active and paused.
        elapsed: Days from the enrollment to the end, or to now.
        bounced: Ended by a bounce.
        replied: The contact replied.
        returned: Is or will be ended by a bounce.
        willing: Would reply to what is not returned.
    """

    ending: Ints
    ended: Ints
    active: Flags
    paused: Flags
    elapsed: Floats
    bounced: Flags
    replied: Flags
    returned: Flags
    willing: Flags


@dataclass(frozen=True)
class Names:
    """Whose and what the enrollments are."""

    senders: tuple[Sender, ...]
    sequences: tuple[Sequence, ...]
    bad_list: BadList | None

    def columns(self, sender: Ints, factors: Factors) -> dict[str, pl.Series]:
        """The names and ids of senders and sequences, and the contact source."""
        sources = [name for name, _ in CONTACT_SOURCES]
        sources += [self.bad_list.source] if self.bad_list else []
        return {
            "user_id": _words([s.user_id for s in self.senders], sender),
            "user_name": _words([s.name for s in self.senders], sender),
            "sequence_id": _words([s.sequence_id for s in self.sequences], factors.sequence),
            "sequence_name": _words([s.name for s in self.sequences], factors.sequence),
            "contact_source": _words(sources, factors.source),
        }


def run_columns(span: Span, runs: Runs) -> dict[str, pl.Series]:
    """When runs began and ended, and the words for it; blank or null while active."""
    ended = pl.Series(~runs.active)
    nothing = pl.Series([None], dtype=pl.String)
    state = _words([e.state for e in ENDINGS], runs.ending)
    still = _words(["EXECUTING", "PAUSED"], runs.paused.astype(np.int64))
    words = {
        "end_reason": _words([e.reason for e in ENDINGS], runs.ending),
        "source": _words([e.source for e in ENDINGS], runs.ending),
        "error": _words([e.error for e in ENDINGS], runs.ending),
    }
    instant = _instants(runs.ended)
    return {
        "enrolled_at": _instants(span.enrolled),
        "ended_at": instant.zip_with(ended, pl.Series([None], dtype=instant.dtype)),
        "state": state.zip_with(ended, still),
        **{name: values.zip_with(ended, nothing) for name, values in words.items()},
    }


def factor_columns(draw: Draws) -> dict[str, pl.Series]:
    """The factors that have no effect, and the draw that decides on a second enrollment."""
    return {
        "segment": _evenly(SEGMENTS, draw["segment"]),
        "lifecycle_stage": _evenly(STAGES, draw["stage"]),
        "recipient_domain": _evenly(DOMAINS, draw["domain"]),
        "variant": _evenly(("1", "2"), draw["template"]),
        "again": pl.Series(draw["again"]),
    }


def past_columns(draw: Draws, runs: Runs, effects: Effects) -> dict[str, pl.Series]:
    """What was known of the contact: drawn given the outcome, which it therefore leaves as it is.

    Where the shares of a factor's values among those with the outcome are its shares among those
    without, times odds ratios, the odds of the outcome by value have just these ratios, within
    every sender, sequence and week (Prentice & Pyke 1979, Biometrika 66:403).
    """
    odds = PREVIOUSLY_BOUNCED / (1 - PREVIOUSLY_BOUNCED) * effects.past_bounce_odds_ratio
    share = np.where(runs.returned, odds / (1 + odds), PREVIOUSLY_BOUNCED)
    sends = np.arange(MOST_SENDS + 1)
    unwilling, willing = (
        np.searchsorted(np.cumsum(weight / weight.sum()), draw["sends"], side="right")
        for weight in (SENDS_DECAY**sends, (SENDS_DECAY * effects.sends_odds_ratio) ** sends)
    )
    count = np.minimum(np.where(runs.willing, willing, unwilling), MOST_SENDS)
    return {
        "previously_bounced": pl.Series(draw["past"] < share),
        "sends_since_engagement": pl.Series(count.astype(np.int64)),
    }


def finish(rows: pl.DataFrame, first_id: int) -> pl.DataFrame:
    """Rows in the order of enrollment, with ids, contacts, days, flags and hours."""
    at = pl.col("enrolled_at")
    return (
        _with_contacts(rows.sort("enrolled_at", maintain_order=True), first_id - 660_000)
        .with_columns(
            enrollment_id=pl.int_range(pl.len()).add(first_id).cast(pl.String),
            enrolled_on=at.dt.date(),
            ended_on=pl.col("ended_at").dt.date(),
            replied=pl.col("replies") > 0,
            bounced=pl.col("bounces") > 0,
            opened=pl.col("opens") > 0,
            clicked=pl.col("clicks") > 0,
            meeting_booked=pl.col("meetings") > 0,
            unsubscribed=pl.col("unsubscribes") > 0,
            inferred=pl.lit(value=False),
            template_id=pl.col("sequence_id") + pl.col("variant"),
            enrolled_hour=at.dt.hour(),
            enrolled_weekday=at.dt.weekday(),
        )
        .rename({"tokens": "personalization_tokens"})
        .drop("variant", "again")
    )


def _with_contacts(rows: pl.DataFrame, first_id: int) -> pl.DataFrame:
    """A contact each; some finished without a reply and are enrolled once more, later."""

    def before(column: str) -> pl.Expr:
        return pl.col(column).shift(_APART).over("user_id", "contact_source")

    again = (
        (pl.col("again") < _AGAIN)
        & (before("end_reason") == "finished")
        & (before("replies") == 0)
        & (before("ended_at") < pl.col("enrolled_at"))
    ).fill_null(value=False)
    own = ["contact_id", "segment", "recipient_domain"]
    rows = rows.with_columns(contact_id=pl.int_range(pl.len()) + first_id)
    rows = rows.with_columns(pl.when(again).then(before(c)).otherwise(c).alias(c) for c in own)
    given = pl.lit(pl.Series(FIRST_NAMES)).gather(pl.col("contact_id") % len(FIRST_NAMES))
    return rows.with_columns(
        recipient_email=pl.format("{}.{}@{}", given, "contact_id", "recipient_domain"),
        contact_id=pl.col("contact_id").cast(pl.String),
    )


def _instants(minutes: Ints) -> pl.Series:
    return pl.Series(minutes * 60_000_000).cast(pl.Datetime("us"))


def _words(words: Many[str], codes: Ints) -> pl.Series:
    return pl.Series(words, dtype=pl.String).gather(codes)


def _evenly(words: Many[str], uniform: Floats) -> pl.Series:
    return _words(words, np.floor(uniform * len(words)).astype(np.int64))
