"""Which readings contradict each other, and the fewest to leave out so that the rest agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.experiment.calibrate_evidence import Evidence
from senderscore_nb.experiment.calibrate_program import Program, agrees
from senderscore_nb.safe import shown

ROUNDS = 60
"""Times that a smallest set is guessed and refuted before what is known is taken."""

CONTRADICTIONS = pl.Schema(
    {
        "kind": pl.Enum(["pair", "set"]),
        "lines": pl.List(pl.Int64),
        "users": pl.List(pl.String),
        "said": pl.String(),
    }
)


@dataclass(frozen=True)
class Conflicts:
    """Sets of readings that no policy agrees with, and what to leave out.

    Attributes:
        sets: Places of readings that cannot all be right; pairs first.
        left_out: Places of the readings that are left out, one of each set at least.
        smallest: Fewer would not do. Where it is False, that was not proven.
    """

    sets: tuple[tuple[int, ...], ...]
    left_out: tuple[int, ...]
    smallest: bool


def dominated(evidence: Evidence) -> list[tuple[int, int]]:
    """Pairs (better, worse): no fewer replies and no more bounces for sure, yet a lower reading."""
    replies, bounces = evidence.replies, evidence.bounces
    pairs: list[tuple[int, int]] = []
    for i in range(evidence.size):
        better = (replies[i, 0] >= replies[:, 1]) & (bounces[i, 1] <= bounces[:, 0])
        lower_band = (
            (evidence.bands[i] >= 0) & (evidence.bands >= 0) & (evidence.bands[i] < evidence.bands)
        )
        lower_value = evidence.values[i, 1] < evidence.values[:, 0]
        pairs += [(i, int(j)) for j in np.flatnonzero(better & (lower_band | lower_value))]
    return pairs


def resolve(evidence: Evidence, build: Callable[[npt.NDArray[np.bool_]], Program]) -> Conflicts:
    """Find contradictions and the fewest readings to leave out.

    A program without a solution names, by its multipliers (Farkas' lemma), readings that cannot
    all be right. The fewest readings that are in every set found so far are left out, and again,
    until the rest agrees: then no fewer do (implicit hitting set, as for the smallest correction
    of inconsistent constraints).

    Args:
        evidence: The readings.
        build: The program of the readings that a mask keeps.
    """
    sets: list[tuple[int, ...]] = [*dict.fromkeys(_sorted(p) for p in dominated(evidence))]
    left_out: tuple[int, ...] = ()
    for _ in range(ROUNDS):
        left_out = fewest(sets, evidence.size)
        more = _disjoint(evidence.size, left_out, build)
        if not more:
            return Conflicts(tuple(sets), left_out, smallest=True)
        sets += more
    # Not proven: leave out a whole set at a time until the rest agrees.
    left_out = fewest(sets, evidence.size)
    while more := _disjoint(evidence.size, left_out, build):
        sets += more
        left_out = tuple(sorted({*left_out, *(place for one in more for place in one[:1])}))
    return Conflicts(tuple(sets), left_out, smallest=False)


def _sorted(pair: tuple[int, int]) -> tuple[int, ...]:
    return tuple(sorted(pair))


def _disjoint(
    size: int, left_out: Sequence[int], build: Callable[[npt.NDArray[np.bool_]], Program]
) -> list[tuple[int, ...]]:
    """Contradictions among the readings that are left, no two with a reading in common."""
    keep = np.ones(size, dtype=bool)
    keep[list(left_out)] = False
    found: list[tuple[int, ...]] = []
    while True:
        _, margin, binding = build(keep).widest()
        if agrees(margin):
            return found
        found.append(tuple(int(place) for place in binding))
        keep[binding] = False


def fewest(sets: Sequence[Sequence[int]], size: int) -> tuple[int, ...]:
    """The fewest places such that each set has one; of several choices those in most sets.

    >>> fewest([(0, 1), (1, 2)], 3)
    (1,)
    """
    if not sets:
        return ()
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    rows = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    places = np.concatenate([np.asarray(one, dtype=np.int64) for one in sets])
    table = csr_array((np.ones(len(places)), (rows, places)), shape=(len(sets), size))
    often = np.bincount(places, minlength=size)
    # The second aim is too small to outweigh one reading more.
    cost = 1 + (1 - often / often.max()) / (2 * size)
    got = milp(
        cost,
        integrality=np.ones(size, dtype=np.int64),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(table, lb=1.0),
        options={"mip_rel_gap": 0.0},
    )
    if got.x is None:
        return tuple(sorted({one[0] for one in sets}))
    return tuple(int(place) for place in np.flatnonzero(got.x > 0.5))


def frame_of(conflicts: Conflicts, readings: pl.DataFrame, evidence: Evidence) -> pl.DataFrame:
    """The contradictions in words: `kind`, `lines`, `users`, `said`."""
    better = {_sorted(pair): pair for pair in dominated(evidence)}
    rows = list(readings.iter_rows(named=True))
    said = []
    for one in conflicts.sets:
        members = [rows[place] for place in one]
        pair = better.get(one)
        text = _pair(rows[pair[0]], rows[pair[1]]) if pair else _set(members)
        lines, users = ([m[key] for m in members] for key in ("line", "user"))
        said.append(("pair" if pair else "set", lines, users, text))
    return pl.DataFrame(said, schema=CONTRADICTIONS, orient="row")


def _set(members: Sequence[dict[str, object]]) -> str:
    rule = "points that rise with replies and fall with bounces, as assumed"
    if len(members) == 1:
        return f"No {rule}, give what was read of {_listed(members)}."
    return (
        f"{len(members)} readings cannot all be right: {_listed(members)}. No {rule}, add up to "
        "all of them."
    )


def _pair(better: dict[str, object], worse: dict[str, object]) -> str:
    one, other = (shown(row["user"], most=30) for row in (better, worse))
    replies = _more(better, worse, "reply_rate", ("more replies", "as many replies"))
    bounces = _more(worse, better, "bounce_rate", ("fewer bounces", "as many bounces"))
    banded = better["band"] is not None and worse["band"] is not None
    lower = "band" if banded and better["band"] != worse["band"] else "value on the gauge"
    return (
        f"{one} (line {better['line']}) has {replies} and {bounces} than {other} "
        f"(line {worse['line']}), yet a lower {lower}: {reading_of(better)}; {reading_of(worse)}."
    ).replace("as many replies and as many bounces than", "as many replies and as many bounces as")


def _more(
    more: dict[str, object], fewer: dict[str, object], rate: str, words: tuple[str, str]
) -> str:
    same = more[f"{rate}_low"] == fewer[f"{rate}_high"]
    return words[1] if same else words[0]


def reading_of(row: dict[str, object]) -> str:
    """What was read of a sender, in a few words."""
    reply, bounce = (
        f"{100 * rate:.2f}".rstrip("0").rstrip(".") if isinstance(rate, float) else "?"
        for rate in (row["reply_rate"], row["bounce_rate"])
    )
    value = row["value"]
    seen = [shown(row["band"], most=24)] if row["band"] is not None else []
    seen += [f"{value:g}"] if isinstance(value, float) else []
    return f"{reply} % replies, {bounce} % bounces, {' '.join(seen)}"


def _listed(rows: Sequence[dict[str, object]]) -> str:
    named = [f"{shown(r['user'], most=30)} (line {r['line']}: {reading_of(r)})" for r in rows]
    more = f" and {len(named) - 8} more" if len(named) > 8 else ""
    return "; ".join(named[:8]) + more
