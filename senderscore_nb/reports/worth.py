"""What would move a score, as the reports tell it."""

from __future__ import annotations

from functools import lru_cache

import polars as pl

from senderscore_nb.account import Account
from senderscore_nb.drivers import (
    FactorEffects,
    effect_sentences,
    factor_effects,
    lever_effects,
    levers,
)
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.reports.blocks import Column, Prose, Table, count, percent, signed
from senderscore_nb.selection import Selection
from senderscore_nb.snapshot import load_snapshot

_ONLY_TALLIES = (
    "Only tallies were read. What goes with replies and bounces, and what each piece of advice "
    "would be worth, is found in the enrollments themselves: make this report from the exports to "
    "have it."
)
_STATUS = {
    "supported": "shown by the data",
    "no_effect_shown": "no effect shown",
    "too_few": "too few enrollments to tell",
    "not_in_data": "not in the data",
}


def without_rows(account: Account) -> Prose | None:
    """The note that stands where a section needs enrollments, if only tallies were read."""
    return None if account.reading.has_rows else Prose([_ONLY_TALLIES])


def levers_of(account: Account, selection: Selection, by: str = "") -> pl.DataFrame:
    """What each lever would be worth to a selection; see `drivers.levers`.

    The effects are those of the whole account. Where many reports share a reading of it, they
    share the effects as well.
    """
    return levers(
        account.reading.accepted,
        account.policy,
        by=by,
        selection=selection,
        roster=account.roster,
        effects=_effects(account),
    )


def lever_table(worths: pl.DataFrame) -> Table:
    """Every lever with what it touches and what it would change."""
    rows = worths.sort("rank").with_columns(
        said=pl.col("status").replace_strict(_STATUS, default="–"),
        better=pl.when(pl.col("status") == "supported").then("p_better_band"),
        reached=pl.when(pl.col("status") == "supported").then("touched"),
    )
    columns = [
        Column("advice", "Advice"),
        Column("score_change", "Points of score", signed, interval=True),
        Column("reached", "Enrollments touched", count),
        Column("better", "Better band, probability", percent),
        Column("said", "Does the data show it?"),
    ]
    return Table(rows, columns, "Levers, by what they would be worth")


def factor_words(account: Account) -> list[str]:
    """What goes with replies and bounces, given sender, sequence and week."""
    return effect_sentences(factor_effects(account.reading.accepted, account.policy), most=4)


def _effects(account: Account) -> FactorEffects:
    if account.snapshot:
        return _shared_effects(account.snapshot, account.policy)
    return lever_effects(account.reading.accepted, account.policy)


@lru_cache(maxsize=1)
def _shared_effects(snapshot: str, policy: ScoringPolicy) -> FactorEffects:
    return lever_effects(load_snapshot(snapshot).reading.accepted, policy)
