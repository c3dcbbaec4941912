"""Which sender's reading would teach most next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.errors import ContractError, did_you_mean
from senderscore_nb.experiment.calibrate_evidence import Array, Demands, Evidence, demands_of
from senderscore_nb.experiment.calibrate_program import Program
from senderscore_nb.experiment.calibrate_ranges import Explored, Seeker

SHORTLIST = 6
"""Candidates whose every answer is worked out; the others are only estimated."""

NEXT = pl.Schema(
    {
        "user": pl.String(),
        "ended": pl.Int64(),
        "reply_rate": pl.Float64(),
        "bounce_rate": pl.Float64(),
        "possible": pl.List(pl.String()),
        "open_now": pl.Int64(),
        "open_expected": pl.Float64(),
        "open_worst": pl.Int64(),
        "exact": pl.Boolean(),
    }
)
"""A candidate, the bands it may be in, and how many bands are open over all candidates: now, on
average over its possible answers (each taken as likely), and after the answer that helps least."""


@dataclass(frozen=True)
class _Known:
    """The lowest and the highest band that each candidate may be in."""

    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]

    @property
    def open(self) -> int:
        """Bands that are open, all candidates together."""
        return int((self.high - self.low).sum())


@dataclass(frozen=True)
class Question:
    """What is known before anybody else is asked.

    Attributes:
        explored: The policies that agree.
        demands: What the readings demand.
        build: The program of demands.
        names: The bands.
    """

    explored: Explored
    demands: Demands
    build: Callable[[Demands], Program]
    names: Sequence[str]


def next_readings(question: Question, candidates: pl.DataFrame, *, most: int = 10) -> pl.DataFrame:
    """Rank candidates by what reading their band would settle.

    A band is open for a candidate if some policies that agree put the candidate into it or above
    and others below. What an answer settles for others by monotony alone is counted for all
    candidates; for the best of them every possible answer is then worked out in full.

    Args:
        question: What is known.
        candidates: `user_id` (or `user`), `ended`, `reply_rate`, `bounce_rate` (fractions 0–1), as
            `score` returns them; rows with a null rate are passed over. `user_label` is shown
            where it is there.
        most: Rows to return.

    Returns:
        `NEXT`, those that settle most first; none where no band is open.

    Raises:
        ContractError: A column is missing.
    """
    people = _people(candidates)
    replies, bounces = (people[name].to_numpy() for name in ("reply_rate", "bounce_rate"))
    names = question.names
    seeker = Seeker(question.explored.program, question.explored)
    known = _known(seeker, replies, bounces, len(names))
    asked = np.flatnonzero(known.high > known.low)
    guesses = [_guess(known, replies, bounces, int(i)) for i in asked]
    order = sorted(range(len(asked)), key=lambda k: (guesses[k][0], guesses[k][1], k))[:most]
    rows = []
    for turn, k in enumerate(order):
        place, exact = int(asked[k]), turn < SHORTLIST
        expected, worst = (
            _answered(question, known, replies, bounces, place) if exact else guesses[k]
        )
        possible = list(names[known.low[place] : known.high[place] + 1])
        rows.append((*people.row(place), possible, known.open, expected, worst, exact))
    frame = pl.DataFrame(rows, schema=NEXT, orient="row")
    return frame.sort("exact", "open_expected", "open_worst", descending=[True, False, False],
                      maintain_order=True)  # fmt: skip


def _people(candidates: pl.DataFrame) -> pl.DataFrame:
    for name in ("reply_rate", "bounce_rate", "ended"):
        if name not in candidates.columns:
            raise ContractError(
                f"Candidates need a column {name!r}.",
                hint=did_you_mean(name, candidates.columns),
            )
    named = [c for c in ("user_label", "user_id", "user") if c in candidates.columns]
    if not named:
        raise ContractError("Candidates need a column 'user_id'.")
    rates = pl.col("reply_rate", "bounce_rate").cast(pl.Float64)
    known = pl.all_horizontal(rates.is_between(0, 1))
    return candidates.filter(known).select(
        pl.coalesce(named).cast(pl.String).alias("user"),
        pl.col("ended").cast(pl.Int64),
        rates,
    )


def _known(seeker: Seeker, replies: Array, bounces: Array, count: int) -> _Known:
    low, high = np.zeros(len(replies), dtype=np.int64), np.zeros(len(replies), dtype=np.int64)
    for i, (reply, bounce) in enumerate(zip(replies, bounces, strict=True)):
        for band in range(1, count):
            if seeker.can(reply, bounce, band, reach=True):
                high[i] = band
            if not seeker.can(reply, bounce, band, reach=False):
                low[i] = band
    return _Known(low, np.maximum(low, high))


def _guess(known: _Known, replies: Array, bounces: Array, place: int) -> tuple[float, int]:
    """Bands left open on average and at worst, by monotony alone."""
    better = (replies >= replies[place]) & (bounces <= bounces[place])
    worse = (replies <= replies[place]) & (bounces >= bounces[place])
    left = []
    for answer in range(int(known.low[place]), int(known.high[place]) + 1):
        low = np.where(better, np.maximum(known.low, answer), known.low)
        high = np.where(worse, np.minimum(known.high, answer), known.high)
        left.append(int(np.maximum(high - low, 0).sum()))
    return float(np.mean(left)), max(left)


def _answered(
    question: Question, known: _Known, replies: Array, bounces: Array, place: int
) -> tuple[float, int]:
    """Bands left open on average and at worst, with every answer worked out."""
    left = []
    for answer in range(int(known.low[place]), int(known.high[place]) + 1):
        demands = _with(question, replies[place], bounces[place], answer)
        told = Seeker(question.build(demands))
        total = 0
        for i in np.flatnonzero(known.high > known.low):
            for band in range(int(known.low[i]) + 1, int(known.high[i]) + 1):
                rates = float(replies[i]), float(bounces[i])
                total += told.can(*rates, band, reach=True) and told.can(*rates, band, reach=False)
        left.append(total)
    return float(np.mean(left)), max(left)


def _with(question: Question, reply: float, bounce: float, answer: int) -> Demands:
    """The demands, and those of one reading more."""
    one = Evidence(
        np.array([[reply, reply]]),
        np.array([[bounce, bounce]]),
        np.array([answer]),
        np.full((1, 2), np.nan),
    )
    return question.demands.and_also(demands_of(one, len(question.names)))
