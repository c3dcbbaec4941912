"""An explained change as steps from the score before to the score after."""

from __future__ import annotations

from typing import Any

import polars as pl

from senderscore_nb.drivers.explain import Explanation
from senderscore_nb.errors import ContractError
from senderscore_nb.labels import Labels
from senderscore_nb.safe import shown_series

SMALL = 0.05
"""Points below which a part never has a step of its own: a table would show 0.0."""

SLIGHT = 0.03
"""Of the largest part: below it, too, a part has no step of its own."""

_WORDS = {"mix": "Mix", "reply_rate": "Replies", "bounce_rate": "Bounces"}

_COLUMNS = {
    "label": pl.String,
    "kind": pl.String,
    "start": pl.Float64,
    "end": pl.Float64,
    "part": pl.Float64,
    "part_low": pl.Float64,
    "part_high": pl.Float64,
    "certain": pl.Boolean,
    "low": pl.Float64,
    "high": pl.Float64,
}


def steps(why: Explanation, *, labels: Labels | None = None, most: int = 8) -> pl.DataFrame:
    """The parts of one change, the largest first, the small ones folded into one.

    Args:
        why: Of one change; see `Explanation.of`.
        labels: Names to show instead of ids.
        most: Parts that have a step of their own.

    Returns:
        One row a step, in order: `label`; `kind` (`before`, one of the kinds of parts, `rest` for
        all others together, `after`); `start` and `end`, the score before and after the step;
        `part`, `part_low`, `part_high`, `certain` (null for `before` and `after`; `rest` has
        only its `part`); `low` and `high`, where the interval ends on the score. No rows where
        there is nothing to explain.

    Raises:
        ContractError: Not exactly one change.
    """
    change = only(why)
    if change["change"] is None:
        return pl.DataFrame(schema=_COLUMNS)
    ranked = named(why, labels).sort(pl.col("part").abs(), descending=True, maintain_order=True)
    least = max(SMALL, SLIGHT * (ranked.select(pl.col("part").abs().max()).item() or 0.0))
    own = ranked.head(most).filter(pl.col("part").abs() >= least)
    rest = ranked[own.height :].filter(pl.col("part") != 0)
    rows = [("Before", "before", change["score_before"], None, None, None)]
    for row in own.iter_rows(named=True):
        label = f"{_WORDS[row['kind']]}: {row['name']}"
        rows.append((label, row["kind"], *(row[c] for c in _PARTS)))
    if rest.height:
        rows.append((f"All others ({rest.height})", "rest", rest["part"].sum(), None, None, None))
    made = pl.DataFrame(
        rows, schema=["label", "kind", "part", "part_low", "part_high", "certain"], orient="row",
        infer_schema_length=None,
    )  # fmt: skip
    made = made.with_columns(end=pl.col("part").cum_sum())
    made = made.with_columns(
        start=pl.col("end").shift(1, fill_value=change["score_before"]),
        part=pl.when(pl.col("kind") != "before").then("part"),
    )
    after = {"label": "After", "kind": "after", "start": change["score"], "end": change["score"]}
    both = pl.concat([made, pl.DataFrame([after])], how="diagonal")
    both = both.with_columns(
        low=pl.col("start") + pl.col("part_low"), high=pl.col("start") + pl.col("part_high")
    )
    return both.select(pl.col(name).cast(kind) for name, kind in _COLUMNS.items())


_PARTS = ("part", "part_low", "part_high", "certain")


def only(why: Explanation) -> dict[str, Any]:
    """The one change of an explanation.

    Raises:
        ContractError: There is none, or more than one.
    """
    if why.changes.height != 1:
        raise ContractError(
            f"{why.changes.height} changes are explained; one is told at a time.",
            hint="Take one of them, as in why.of(user_id='1003').",
        )
    return why.changes.row(0, named=True)


def named(why: Explanation, labels: Labels | None = None) -> pl.DataFrame:
    """The parts with `name`: what each is of, as text that can be shown."""
    parts = labels.add(why.parts) if labels else why.parts
    names = []
    for key in why.by:
        label = f"{key.removesuffix('_id')}_label"
        text = shown_series(parts[label if label in parts.columns else key])
        names.append(text.fill_null("(none)"))
    joined = names[0]
    for other in names[1:]:
        joined = joined + " · " + other
    return parts.with_columns(joined.alias("name"))
