"""Senders drawn up by hand for the tests of thresholds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import polars as pl

from senderscore_nb.policy import Band, BounceCurve, ReplyCurve, ScoringPolicy, load_policy
from senderscore_nb.score import score
from tests.conftest import MONDAY, tally_rows

POLICY = load_policy()

REPLY_BANDS = ScoringPolicy(
    name="reply-bands",
    reply_points=ReplyCurve(
        interpolation="step", knots=((0.0, 0), (0.03, 1), (0.07, 2), (0.10, 3), (0.13, 4))
    ),
    bounce_points=BounceCurve(knots=((0.0, 0),)),
    bands=tuple(Band(name=f"Band {i}", lower=i) for i in range(5)),
)
"""Bands of the reply rate alone, cut at 3, 7, 10 and 13 %."""


def tallies_of(*counts: tuple[int, int, int], weeks: int = 1) -> pl.DataFrame:
    """One sender for each (ended, replied, bounced), the same in every week."""
    return tally_rows(
        *(
            (f"u{i:02}", "1", MONDAY + dt.timedelta(weeks=w), ended, replied, bounced)
            for i, (ended, replied, bounced) in enumerate(counts)
            for w in range(weeks)
        )
    )


def scored_of(
    counts: Sequence[tuple[int, int, int]], policy: ScoringPolicy = POLICY
) -> pl.DataFrame:
    """The same, scored."""
    return score(tallies_of(*counts), policy, by="user")


SENDERS = [
    (1200, 30, 70),
    (900, 45, 30),
    (700, 50, 18),
    (1500, 110, 30),
    (400, 36, 6),
    (2200, 210, 30),
    (800, 90, 8),
    (1000, 150, 4),
]
"""Eight senders from low to excellent."""
