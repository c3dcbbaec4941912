"""Cut-offs that were suggested for a purpose: the policy, the reason, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.experiment.agreement import cross_table, weighted_kappa
from senderscore_nb.experiment.cohort import Cohort
from senderscore_nb.experiment.points import EDGE_ROUNDING, Array, band_places
from senderscore_nb.experiment.stability import consistency
from senderscore_nb.policy import Band, ScoringPolicy

MOST_BANDS = 12
"""Bands that a policy can have."""

_STEPS = (10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001)


@dataclass(frozen=True)
class Costs:
    """What a policy's bands cost and give, over the senders that it was suggested from.

    Attributes:
        largest_share: Fraction of the senders in the fullest band.
        spread: How evenly the bands fill: the entropy of their shares, 1 where all are alike and 0
            where everybody is in one band.
        flip_rate: How often bands would change between two periods of `n` although nothing does.
        n: Ended enrollments in such a period: the median of the senders.
        kappa: Agreement with the present policy (linear weights); None where the number of bands
            differs, or everybody is in one band.
        moved: Senders in another band than at present; None where the number of bands differs.
    """

    largest_share: float
    spread: float
    flip_rate: float
    n: int
    kappa: float | None
    moved: int | None


@dataclass(frozen=True)
class Suggestion:
    """A policy for a purpose.

    Attributes:
        purpose: What it is for, in a few words.
        policy: The present curves with other band edges; valid, named, with its source.
        reason: Why these edges, in a sentence or two.
        costs: What it costs and gives.
    """

    purpose: str
    policy: ScoringPolicy
    reason: str
    costs: Costs


@dataclass(frozen=True, eq=False)
class Scores:
    """The senders that a suggestion is made from, in the order of their scores.

    Attributes:
        present: The policy that they were scored with.
        frame: The scored rows that have a score.
        values: Their scores, rising.
        cohort: What is known of their true rates.
    """

    present: ScoringPolicy
    frame: pl.DataFrame
    values: Array
    cohort: Cohort

    @classmethod
    def of(cls, present: ScoringPolicy, scored: pl.DataFrame) -> Scores:
        """From a frame that was scored with the policy, one row a sender.

        Raises:
            ContractError: A column is missing.
            SenderScoreError: Fewer than two senders have a score.
        """
        Cohort.of(scored)
        rows = scored.filter(pl.col("status").cast(pl.String) == "scored").sort("score")
        if rows.height < 2:
            raise SenderScoreError(
                "One sender has a score; cut-offs between senders need two at least.",
                hint="Take more days, or a lower minimum.",
            )
        return cls(present, rows, rows["score"].to_numpy(), Cohort.of(rows))

    @property
    def size(self) -> int:
        """The median number of ended enrollments."""
        return max(1, round(float(np.median(self.cohort.counts[:, 0]))))

    @property
    def gaps(self) -> list[int]:
        """How many senders are below each place at which a cut can be: between unequal scores."""
        apart = np.diff(self.values) > 2 * EDGE_ROUNDING
        return [int(i) + 1 for i in np.flatnonzero(apart)]

    def edges(self, cuts: Sequence[int]) -> list[float]:
        """For each number of senders below, the roundest score that separates them."""
        return [edge_between(self.values[cut - 1], self.values[cut]) for cut in cuts]

    def suggestion(
        self, purpose: str, word: str, edges: Sequence[float], reason: str
    ) -> Suggestion:
        """The present policy with other edges, and what that costs."""
        policy = with_edges(self.present, edges, word=word, reason=reason, senders=len(self.values))
        return Suggestion(purpose, policy, reason, self.costs(policy))

    def costs(self, policy: ScoringPolicy) -> Costs:
        """What a policy with the present curves costs."""
        places, bands = band_places(policy, self.values), len(policy.bands)
        shares = np.bincount(places, minlength=bands) / len(places)
        used = shares[shares > 0]
        entropy = float(-(used * np.log(used)).sum())
        kappa = moved = None
        if bands == len(self.present.bands):
            before = band_places(self.present, self.values)
            kappa = weighted_kappa(cross_table(before, places, (bands, bands)))
            moved = int((before != places).sum())
        return Costs(
            largest_share=float(shares.max()),
            spread=entropy / math.log(bands) if bands > 1 else 0.0,
            flip_rate=consistency(policy, self.cohort, self.size).flip_rate,
            n=self.size,
            kappa=kappa,
            moved=moved,
        )


def edge_between(low: float, high: float) -> float:
    """The roundest number above `low` and at most `high`, the middle one of several.

    >>> edge_between(67.3, 72.9), edge_between(67.3, 67.34)
    (70.0, 67.32)
    """
    middle = (low + high) / 2
    for step in _STEPS:
        first, last = math.floor(low / step) + 1, math.floor(high / step)
        inside = [round(k * step, 6) for k in {first, last, round(middle / step)}]
        inside = [v for v in inside if low + 2 * EDGE_ROUNDING < v <= high]
        if inside:
            return min(inside, key=lambda v: abs(v - middle))
    return float(high)


def with_edges(
    present: ScoringPolicy, edges: Sequence[float], *, word: str, reason: str, senders: int
) -> ScoringPolicy:
    """The policy with other band edges, named after the purpose, with its source.

    Args:
        present: Whose curves, counting rules and minimum are kept. Its bands' names are kept where
            the number is; else they are grades, A the best.
        edges: The lower edges of all bands but the lowest, rising.
        word: What is added to the name.
        reason: Goes into the source.
        senders: How many senders it was suggested from.
    """
    count = len(edges) + 1
    names = list(present.band_names)
    if len(names) != count:
        names = [f"Grade {chr(ord('A') + count - 1 - i)}" for i in range(count)]
    bands = [Band(name=n, lower=e) for n, e in zip(names, (0.0, *edges), strict=True)]
    room = 79 - len(word)
    return ScoringPolicy(
        name=f"{present.name[:room].strip()}-{word}",
        source=f"Suggested from {senders} senders, with the points of {present.label}: {reason}",
        counting=present.counting,
        minimum=present.minimum,
        reply_points=present.reply_points,
        bounce_points=present.bounce_points,
        bands=tuple(bands),
    )


def best_partition(
    size: int, count: int, gain: Callable[[int], Array]
) -> tuple[list[int], float] | None:
    """The division of a line into segments with the greatest total gain, by dynamic programming.

    Exact: Bellman; for one dimension and squared errors it is Fisher 1958, JASA 53:789.

    Args:
        size: Places on the line, from 0.
        count: Segments.
        gain: For an end j, the gains of the segments from each start i < j up to j (j not in it),
            −inf where there must be none.

    Returns:
        The inner ends of the segments, rising, and the gain; None where no division is allowed.
    """
    gains = [gain(j) for j in range(1, size + 1)]
    best = np.full((count + 1, size + 1), -np.inf)
    best[0, 0] = 0.0
    came = np.zeros((count + 1, size + 1), dtype=np.int64)
    for k in range(1, count + 1):
        for j in range(k, size + 1):
            total = best[k - 1, :j] + gains[j - 1]
            came[k, j] = int(np.argmax(total))
            best[k, j] = total[came[k, j]]
    if not np.isfinite(best[count, size]):
        return None
    ends, end = [], size
    for k in range(count, 1, -1):
        end = int(came[k, end])
        ends.append(end)
    return ends[::-1], float(best[count, size])
