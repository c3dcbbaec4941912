"""Who changes band between two policies, and how the bands fill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from senderscore_nb.explorer.index import Ints, Mask
from senderscore_nb.lab.posterior import Floats
from senderscore_nb.lab.window import Stand
from senderscore_nb.policy import ScoringPolicy


@dataclass(frozen=True)
class Moves:
    """Senders by their band before and after.

    Attributes:
        matrix: Counts, shape (bands before + 1, bands after + 1); the last row and column are
            senders without a score.
        step: By sender: the sign of the move from band to band; 0 for who stays or has no score
            on either side.
        moved: By sender: whether the band is another one. A band that was only renamed is the same.
        points: By sender: how far the score moved, in points of a scale of 100; not a number
            without both scores.
    """

    matrix: Ints
    step: Ints
    moved: Mask
    points: Floats

    @classmethod
    def of(cls, before: Stand, after: Stand, held: Mask) -> Moves:
        """The moves of the senders that ended anything.

        Args:
            before: Under the policy in force.
            after: Under the draft.
            held: Who counts.
        """
        here, there = before.scores.band, after.scores.band
        rows, columns = len(before.policy.bands), len(after.policy.bands)
        cells = np.where(here < 0, rows, here) * (columns + 1) + np.where(there < 0, columns, there)
        matrix = np.bincount(cells[held], minlength=(rows + 1) * (columns + 1))
        both = held & (here >= 0) & (there >= 0)
        same = same_bands(before.policy, after.policy)
        moved = both & ~same[np.maximum(here, 0), np.maximum(there, 0)]
        height = _heights(after.policy)[there] - _heights(before.policy)[here]
        share = after.scores.score / (after.policy.most or 1.0)
        share = share - before.scores.score / (before.policy.most or 1.0)
        sign = np.where(np.abs(height) > 1e-9, np.sign(height), np.sign(share))
        return cls(
            matrix.reshape(rows + 1, columns + 1).astype(np.int64),
            np.where(moved, np.nan_to_num(sign), 0).astype(np.int64),
            moved,
            np.where(both, 100 * share, np.nan),
        )

    @property
    def fill(self) -> tuple[list[int], list[int]]:
        """Senders in each band before and after."""
        return self.matrix.sum(axis=1)[:-1].tolist(), self.matrix.sum(axis=0)[:-1].tolist()


def same_bands(before: ScoringPolicy, after: ScoringPolicy) -> Mask:
    """Which pairs of bands are the same one, shape (bands before, bands after).

    Where both policies have as many bands, those at the same place; else those of the same name.
    """
    if len(before.bands) == len(after.bands):
        return np.eye(len(before.bands), dtype=bool)
    return np.array([[a.slug == b.slug for b in after.bands] for a in before.bands])


def _heights(policy: ScoringPolicy) -> Floats:
    """The bands' places between 0 for the lowest and 1 for the highest."""
    n = len(policy.bands)
    return np.arange(n) / max(n - 1, 1)
