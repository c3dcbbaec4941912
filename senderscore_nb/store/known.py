"""What a store knows of its tallies, and whether other tallies may stand beside them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl

from senderscore_nb.errors import StoreError
from senderscore_nb.policy import CountingRules
from senderscore_nb.safe import shown
from senderscore_nb.store.days import Days, joined
from senderscore_nb.store.manifest import Manifest
from senderscore_nb.store.tallied import Tallied


def agree(state: Manifest, rules: CountingRules | None, timezone: str, *, where: Path) -> None:
    """Refuse tallies that were counted otherwise than a store's.

    Args:
        state: The store's.
        rules: What the tallies were counted under; None where nobody knows.
        timezone: The time zone of their days.
        where: The store's folder.

    Raises:
        StoreError: Under other rules, or with days of another time zone.
    """
    if rules is not None and (rule := state.rules.differs_in(rules)):
        raise StoreError(
            f"The store was counted with {rule} = {state.rules.word(rule)}, and the data with "
            f"{rules.word(rule)}: their counts cannot stand side by side.",
            where=str(where),
            hint="Give the policy that the store was made with, or make another store.",
        )
    if timezone != state.timezone:
        raise StoreError(
            f"The store's days are of the time zone {state.timezone or '(none stated)'}, and the "
            f"data's of {shown(timezone) or '(none stated)'}.",
            where=str(where),
            hint="State the same time zone, or make another store.",
        )


def known_after(before: Manifest, tallied: Tallied, days: Days) -> Manifest:
    """The facts of the next state: names of newer data win, and those of older data fill in."""
    dates = [day for day in (before.through, tallied.through) if day is not None]
    newest: dt.date | None = max(dates, default=None)
    newer = before.through is None or (
        tallied.through is not None and tallied.through >= before.through
    )
    covered = joined([*(Days(*ends) for ends in before.covered), days])
    return before.model_copy(
        update={
            "through": newest,
            "covered": tuple((one.first, one.last) for one in covered),
            "users": _merged(before.users, tallied.users, newer=newer),
            "sequences": _merged(before.sequences, tallied.sequences, newer=newer),
        }
    )


def _merged(
    known: dict[str, str | None], frame: pl.DataFrame, *, newer: bool
) -> dict[str, str | None]:
    theirs: dict[str, str | None] = dict(frame.iter_rows())
    first, second = (known, theirs) if newer else (theirs, known)
    return {
        key: name if (name := second.get(key)) is not None else first.get(key)
        for key in sorted({*known, *theirs})
    }
