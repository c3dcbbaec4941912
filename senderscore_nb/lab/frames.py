"""A trial over data → the frame that the lab draws."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from senderscore_nb.charts import words
from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.kernel import SCORED, Certainty, Scores
from senderscore_nb.explorer.rows import Row, rows_of, scale_of
from senderscore_nb.lab.moves import Moves
from senderscore_nb.lab.posterior import points_at
from senderscore_nb.lab.state import Trial
from senderscore_nb.lab.window import Stand, Window
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.selection import Selection
from senderscore_nb.widget.frame import Frame

_KEPT = 6

Made = TypeVar("Made", Window, Stand)


class Bench:
    """Data with what of it was counted and scored already.

    Args:
        data: What is scored.
        selection: Which senders, sequences and days.
    """

    def __init__(self, data: Data, selection: Selection) -> None:
        data.check(selection)
        self.data = data
        self.selection = selection
        self._certainty = Certainty()
        self._windows: dict[tuple[str, int], Window] = {}
        self._stands: dict[tuple[str, int], Stand] = {}

    def window(self, policy: ScoringPolicy, weeks: int) -> Window:
        """The counts under a policy's counting rules."""
        key = policy.counting.model_dump_json(), weeks
        found = self._windows.get(key)
        if found is None:
            found = Window.of(self.data, self.selection, policy, weeks)
        return _kept(self._windows, key, found)

    def stand(self, policy: ScoringPolicy, weeks: int) -> Stand:
        """How senders stand under a policy."""
        key = policy.fingerprint, weeks
        found = self._stands.get(key)
        if found is None:
            found = self.window(policy, weeks).stand(policy)
        return _kept(self._stands, key, found)

    def frame(self, trial: Trial, scored: Trial) -> Frame:
        """What is drawn.

        Args:
            trial: What the controls show.
            scored: What is scored: the same, or with an earlier draft where this one is no policy.

        Raises:
            SenderScoreError: The policy in force cannot be read, or not be counted here.
        """
        policy = scored.draft.policy()
        against = self.data.policy(trial.against)
        before, after = self.stand(against, trial.weeks), self.stand(policy, trial.weeks)
        window = self.window(policy, trial.weeks)
        held = window.held | self.window(against, trial.weeks).held
        moves = Moves.of(before, after, held)
        frame = Frame({"trial": trial.to_parameters()})
        frame.values |= {
            "problems": [problem.model_dump() for problem in trial.draft.problems],
            "stale": scored.draft != trial.draft,
            "changed": self.changed(trial),
            "days": window.days,
            "enrollments": window.enrollments,
            "before": _side(before, moves.fill[0]),
            "after": {
                **_side(after, moves.fill[1]),
                "label": words.clip(self.named(scored).label, 110),
            },
            "matrix": moves.matrix.tolist(),
            "moved": int(moves.moved.sum()),
            "up": int((moves.step > 0).sum()),
            "down": int((moves.step < 0).sum()),
            "gauges": self._gauges(trial, window.ids, before, after),
        }
        rows = {
            "before_score": before.scores.score.astype(np.float32),
            "after_score": after.scores.score.astype(np.float32),
            "before_flip": before.flips.astype(np.float32),
            "after_flip": after.flips.astype(np.float32),
            "points": moves.points.astype(np.float32),
            "reply_rate": after.scores.reply_rate.astype(np.float32),
            "bounce_rate": after.scores.bounce_rate.astype(np.float32),
            "ended": np.where(held, after.scores.ended, -1).astype(np.int32),
            "before_band": before.scores.band.astype(np.int8),
            "after_band": after.scores.band.astype(np.int8),
            "before_status": before.scores.status.astype(np.int8),
            "after_status": after.scores.status.astype(np.int8),
            "step": np.where(moves.moved, np.where(moves.step == 0, 2, moves.step), 0).astype(
                np.int8
            ),
        }
        frame.values["rows"] = {name: frame.keep(array) for name, array in rows.items()}
        return frame

    def changed(self, trial: Trial) -> bool:
        """Whether the draft is another than what it began as; that may be gone meanwhile."""
        try:
            start = self.data.policy(trial.start)
        except Exception:
            return True
        return bool(trial.draft.problems) or trial.draft.policy() != start

    def named(self, trial: Trial) -> ScoringPolicy:
        """The draft under a name of its own where it was changed.

        What is scored with it must not carry the name of what it began as.

        Raises:
            PolicyError: The draft is no policy.
        """
        policy = trial.draft.policy()
        if not self.changed(trial):
            return policy
        return policy.model_copy(update={"name": f"{policy.name[:72]} (draft)"})

    def _gauges(self, trial: Trial, ids: list[str], before: Stand, after: Stand) -> dict[str, Any]:
        """The gauges of the chosen sender, or of everyone together."""
        place = ids.index(trial.chosen) if trial.chosen in ids else -1
        rows: list[Row] = []
        for stand in (before, after):
            one = stand.scores.at([place]) if place >= 0 else stand.together()
            minimum = stand.policy.minimum.user
            (row,) = rows_of(one, stand.policy, self._certainty, minimum=minimum)
            rows.append({**row, "points": _points(stand, one)})
        name = self.data.user_labels.get(trial.chosen, trial.chosen) if place >= 0 else ""
        return {"label": name or "All senders together", "before": rows[0], "after": rows[1]}


def _points(stand: Stand, one: Scores) -> list[float] | None:
    """Points of the reply rate and of the bounce rate; None without a score."""
    if int(one.status[0]) != SCORED:
        return None
    policy = stand.policy
    parts = (policy.reply_points, one.reply_rate), (policy.bounce_points, one.bounce_rate)
    return [float(points_at(curve, rates)[0]) for curve, rates in parts]


def _side(stand: Stand, fill: list[int]) -> dict[str, Any]:
    scored = np.isfinite(stand.flips)
    mean = float(stand.flips[scored].mean()) if scored.any() else None
    return {
        **scale_of(stand.policy),
        "name": stand.policy.name,
        "fill": fill,
        "scored": int(scored.sum()),
        "flip": mean,
        "curves": {
            part: getattr(stand.policy, part).model_dump(mode="json")
            for part in ("reply_points", "bounce_points")
        },
        "minimum": stand.policy.minimum.user,
    }


def _kept(known: dict[Any, Made], key: Any, made: Made) -> Made:
    """Keep what was asked for last, and a few before it; the picture's thread asks as well."""
    known.pop(key, None)
    for old in list(known)[: max(0, len(known) + 1 - _KEPT)]:
        known.pop(old, None)
    known[key] = made
    return made
