"""Frames → the arrays that a change is explained with, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from senderscore_nb.change import compare, judged
from senderscore_nb.drivers.explain_points import Parts
from senderscore_nb.drivers.explain_split import KINDS, Array, Ints
from senderscore_nb.errors import ContractError
from senderscore_nb.policy import Minimum, ScoringPolicy
from senderscore_nb.score import with_team
from senderscore_nb.sums import summarize

STATES: tuple[str, ...] = (
    "explained",
    "below_minimum",
    "no_paid_seat",
    "nothing_before",
    "nothing_after",
    "not_computable",
)
"""Of a change. `below_minimum`, `no_paid_seat`: explained, though a side has no score by the rules.
`not_computable`: the source does not know replies or bounces, or nothing was delivered."""

_ALL = "__all"
_COUNTS = ("ended", "replied", "bounced")
_SIDES = ("before", "after", "shared")
_RATES = ("reply_rate_before", "reply_rate", "bounce_rate_before", "bounce_rate")
_FACTS = ("ended", "share", "reply_rate", "bounce_rate")
_PART = ("part", "part_low", "part_high", "certain")


@dataclass(frozen=True)
class Sides:
    """The tallies of both sides, and those that are in both."""

    before: pl.DataFrame
    after: pl.DataFrame
    shared: pl.DataFrame

    def with_team(self, roster: pl.DataFrame | None) -> Sides:
        """With the team of each sender."""
        return Sides(*(with_team(f, roster) for f in (self.before, self.after, self.shared)))


def changes_of(
    sides: Sides,
    policy: ScoringPolicy,
    within: Sequence[str],
    roster: pl.DataFrame | None,
    confidence: float,
) -> pl.DataFrame:
    """One row a group: both scores whatever the minimum, the change, and its state."""
    least = policy.model_copy(update={"minimum": Minimum(user=1, sequence=1)})
    compared = compare(
        sides.after, sides.before, least, by=within, shared=sides.shared,
        roster=roster if "team" in within else None, confidence=confidence,
    )  # fmt: skip
    minimum = policy.minimum.sequence if "sequence_id" in within else policy.minimum.user
    seat = pl.lit(value=True)
    if roster is not None and "user_id" in within:
        seats = roster.select("user_id", __seat=pl.col("paid_seat"))
        compared = compared.join(seats, on="user_id", how="left", maintain_order="left")
        seat = pl.col("__seat").fill_null(value=True)
    state = (
        pl.when(pl.col("ended_before") == 0)
        .then(pl.lit("nothing_before"))
        .when(pl.col("ended") == 0)
        .then(pl.lit("nothing_after"))
        .when(pl.col("score_change").is_null())
        .then(pl.lit("not_computable"))
        .when(~seat)
        .then(pl.lit("no_paid_seat"))
        .when(pl.min_horizontal("ended", "ended_before") < minimum)
        .then(pl.lit("below_minimum"))
        .otherwise(pl.lit("explained"))
    )
    return compared.select(
        *within,
        state.cast(pl.Enum(STATES)).alias("state"),
        *("ended_before", "ended", "score_before", "score"),
        change="score_change",
        change_low="score_change_low",
        change_high="score_change_high",
        certain="score_certain",
        band_before="band_before",
        band="band",
        **{name: name for name in _RATES},
    )


def cells_of(sides: Sides, within: Sequence[str], keys: Sequence[str]) -> pl.DataFrame:
    """Counts by group and key, `ended_before`, `ended_after`, `ended_shared` and so on.

    A count that a source does not know is null; where there is nothing of a key it is 0.

    Raises:
        ContractError: What is shared is not in both.
    """
    on = [*within, *keys]
    frames = [
        summarize(frame, on)
        .filter(pl.col("ended") > 0)
        .select(*on, *(pl.col(c).alias(f"{c}_{name}") for c in _COUNTS))
        for name, frame in zip(_SIDES, (sides.before, sides.after, sides.shared), strict=True)
    ]
    cells = frames[0]
    for other in frames[1:]:
        cells = cells.join(other, on=on, how="full", coalesce=True, nulls_equal=True)
    cells = cells.with_columns(
        pl.when(pl.col(f"ended_{side}").is_not_null()).then(f"{count}_{side}").otherwise(0)
        .alias(f"{count}_{side}")
        for side in _SIDES for count in _COUNTS
    )  # fmt: skip
    for count in _COUNTS:
        least = pl.min_horizontal(f"{count}_before", f"{count}_after")
        if cells.select((pl.col(f"{count}_shared") > least).any()).item():
            raise ContractError(
                f"The shared tallies hold more {count!r} than one of the two sides.",
                hint="Give as shared only enrollments that are in both.",
            )
    return cells.sort(on, nulls_last=True)


def numbered(
    cells: pl.DataFrame, changes: pl.DataFrame, within: Sequence[str], keys: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The groups that have a change, and their cells with the place `__group` of each one's."""
    # A literal alone would be one row where no group is left.
    groups = changes.with_columns(pl.lit(value=True).alias(_ALL)).filter(
        pl.col("change").is_not_null()
    )
    groups = groups.select(*within, _ALL)
    rows = (
        cells.with_columns(pl.lit(value=True).alias(_ALL))
        .join(groups.with_row_index("__group"), on=[*within, _ALL], how="inner", nulls_equal=True)
        .sort("__group", *keys, nulls_last=True)
    )
    return groups, rows


def places_of(rows: pl.DataFrame) -> Ints:
    """The place of each row's group."""
    return rows["__group"].to_numpy().astype(np.int64)


def pools_of(rows: pl.DataFrame) -> Array:
    """Counts of what is before only, after only and in both, shape (3, 3, rows)."""
    pools = np.array(
        [[rows[f"{count}_{side}"].to_numpy() for count in _COUNTS] for side in _SIDES],
        dtype=np.float64,
    )
    pools[:2] -= pools[2]
    return pools


def kinds_frame(found: Parts, groups: pl.DataFrame, confidence: float) -> pl.DataFrame:
    """One row a group and kind."""
    return _stacked(groups.drop(_ALL), found, confidence)


def parts_frame(
    found: Parts, rows: pl.DataFrame, keys: Sequence[str], policy: ScoringPolicy, confidence: float
) -> pl.DataFrame:
    """One row a group, key and kind, with the shares and rates of both sides."""
    facts = {}
    delivered = policy.counting.reply_denominator == "delivered"
    for side, end in (("before", "_before"), ("after", "")):
        ended, bounced = pl.col(f"ended_{side}"), pl.col(f"bounced_{side}")
        n = ended - bounced if delivered else ended
        facts[f"ended{end}"] = ended
        facts[f"share{end}"] = ended / ended.sum().over("__group")
        facts[f"reply_rate{end}"] = pl.when(n > 0).then(pl.col(f"replied_{side}") / n)
        facts[f"bounce_rate{end}"] = pl.when(ended > 0).then(bounced / ended)
    order = [f"{name}{end}" for name in _FACTS for end in ("_before", "")]
    shown = rows.with_columns(**facts).select(*keys, *order)
    parts = _stacked(shown, found, confidence)
    return parts.select(*keys, "kind", *_PART, *order)


def _stacked(frame: pl.DataFrame, found: Parts, confidence: float) -> pl.DataFrame:
    """The frame once for each kind, with what was found; all of it judged at once."""
    certain = judged(found.p.ravel(), confidence)
    places = np.tile(np.arange(found.points.shape[1]), len(KINDS))
    stacked = frame[places] if frame.width else pl.DataFrame({"__place": places}).drop("__place")
    kinds = pl.Series("kind", np.repeat(KINDS, found.points.shape[1]), pl.Enum(KINDS))
    values = {"part": found.points, "part_low": found.low, "part_high": found.high}
    made = [pl.Series(name, value.ravel()) for name, value in values.items()]
    return stacked.with_columns(kinds, *made, certain.alias("certain"))
