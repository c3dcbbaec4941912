"""Why the score of a view is another than that of what it is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from senderscore_nb.contract import MEASURES
from senderscore_nb.drivers import Explanation, explain_difference, steps, story
from senderscore_nb.explorer.comparing import Sides, words_of_side
from senderscore_nb.explorer.index import (
    BOUNCED,
    BOUNCED_UNKNOWN,
    ENDED,
    REPLIED,
    REPLIED_UNKNOWN,
    Ints,
    Mask,
)
from senderscore_nb.explorer.scene import Scene
from senderscore_nb.explorer.state import View

MOST_STEPS = 12

OTHER_POLICY = (
    "The two sides are scored with different policies. Their difference is one of yardsticks, "
    "which has no parts; choose the same policy for both."
)


def split_of(view: View) -> str:
    """What a difference is split by; one sender has sequences only."""
    return "sequence" if view.user else view.split


def explained(sides: Sides, split: str) -> Explanation | None:
    """The difference of two sides in parts; None where they are scored differently.

    Args:
        sides: Here is the side after, there the one before.
        split: `sequence` or `user`.
    """
    here, there = sides.here, sides.there
    if here.policy != there.policy:
        return None
    before, after, shared = (
        _frame(counts, here, split)
        for counts in (_counts(there, split), _counts(here, split), _common(here, there, split))
    )
    return explain_difference(before, after, here.policy, by=split, shared=shared)


def reasons(sides: Sides, view: View) -> dict[str, Any]:
    """The story in sentences, and the steps of the waterfall."""
    why = explained(sides, split_of(view))
    told: dict[str, Any] = {
        "split": split_of(view),
        "here": words_of_side(sides.here),
        "there": words_of_side(sides.there),
    }
    if why is None:
        return {**told, "story": [OTHER_POLICY], "steps": []}
    labels = sides.here.data.labels
    return {
        **told,
        "story": story(why, labels=labels),
        "steps": [_plain(row) for row in steps(why, labels=labels, most=MOST_STEPS).to_dicts()],
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: round(v, 4) if isinstance(v, float) else v for key, v in row.items()}


def _counts(scene: Scene, split: str) -> Ints:
    low, high = scene.span
    return _sums(scene, split, scene.users, scene.sequences, low, high)


def _common(here: Scene, there: Scene, split: str) -> Ints:
    """What both sides count."""
    low, high = max(here.span[0], there.span[0]), min(here.span[1], there.span[1])
    users, sequences = _both(here.users, there.users), _both(here.sequences, there.sequences)
    return _sums(here, split, users, sequences, low, max(low, high))


def _both(one: Mask | None, other: Mask | None) -> Mask | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _sums(
    scene: Scene, split: str, users: Mask | None, sequences: Mask | None, low: int, high: int
) -> Ints:
    """Sums by sequence or by sender, shape (measures, keys), of some of both."""
    if split == "user":
        cube = scene.index.senders(sequences)
        counts: Ints = cube[:, :, high] - cube[:, :, low]
        return counts if users is None else np.where(users, counts, 0)
    counts = scene.index.by_sequence(users, low, high)
    return counts if sequences is None else np.where(sequences, counts, 0)


def _frame(counts: Ints, scene: Scene, split: str) -> pl.DataFrame:
    """Counts as tallies by one key; what is not known is null."""
    keys = scene.index.users if split == "user" else scene.index.sequences
    held = np.flatnonzero(counts[ENDED])
    some = counts[:, held]
    values: dict[str, Any] = dict.fromkeys(MEASURES)
    values |= {"ended": some[ENDED], "replied": some[REPLIED], "bounced": some[BOUNCED]}
    frame = pl.DataFrame({f"{split}_id": [keys[i] for i in held]}, {f"{split}_id": pl.String})
    frame = frame.with_columns(
        pl.Series(name, column, pl.Int64) if column is not None
        else pl.lit(None, pl.Int64).alias(name)
        for name, column in values.items()
    )  # fmt: skip
    if len(counts) > BOUNCED_UNKNOWN:
        unknown = {"replied": some[REPLIED_UNKNOWN], "bounced": some[BOUNCED_UNKNOWN]}
        frame = frame.with_columns(
            pl.when(pl.Series(rows == 0)).then(name).alias(name) for name, rows in unknown.items()
        )
    return frame
