"""The lab without a display: data, a trial, its history, and what is done to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from senderscore_nb.explorer.data import Data
from senderscore_nb.lab.frames import Bench
from senderscore_nb.lab.state import Draft, Trial
from senderscore_nb.policy import ScoringPolicy
from senderscore_nb.selection import Selection
from senderscore_nb.widget.frame import Frame, words_of
from senderscore_nb.widget.history import History
from senderscore_nb.widget.steered import Steered


class Model(Steered[Trial]):
    """A trial over data that can be changed, undone and drawn.

    A draft that is no policy is shown with its problems and not scored; what was scored last stays.
    A change that is not even a draft raises and leaves the trial as it was.

    Args:
        data: What is scored.
        trial: What is tried first.
        selection: Which senders, sequences and days.
    """

    NAME = "lab"

    def __init__(
        self, data: Data, trial: Trial | None = None, selection: Selection | None = None
    ) -> None:
        trial = trial or Trial.create()
        self.data = data
        self.bench = Bench(data, selection or Selection())
        self._start = trial
        self._history = History(trial)
        self._scored = trial if not trial.draft.problems else self._fallback(trial)
        self.bench.frame(trial, self.scored)  # what cannot be shown is said here

    @property
    def trial(self) -> Trial:
        """The trial as it is."""
        return self._history.now

    @property
    def draft(self) -> Draft:
        """The draft as it is."""
        return self.trial.draft

    @property
    def policy(self) -> ScoringPolicy:
        """The policy that the draft is.

        Raises:
            PolicyError: It is none.
        """
        return self.draft.policy()

    @property
    def scored(self) -> Trial:
        """What is scored: the trial, with the last draft that was a policy."""
        return self.trial.model_copy(update={"draft": self._scored.draft})

    def update(self, changes: Mapping[str, Any], *, stroke: object = None) -> Trial:
        """Change some values of the trial.

        Args:
            changes: Values by key: a draft's, or a trial's other ones.
            stroke: Changes in a row with the same stroke are one step for `undo`.

        Raises:
            SenderScoreError: A change is not valid. The trial is as it was.
        """
        return self.show(self.trial.updated(**changes), stroke=stroke)

    def show(self, trial: Trial, *, stroke: object = None) -> Trial:
        """Try something else.

        Raises:
            SenderScoreError: It cannot be shown. The trial is as it was.
        """
        scored = self._scored if trial.draft.problems else trial
        now = trial.model_copy(update={"draft": scored.draft})
        self.bench.stand(self.data.policy(trial.against), trial.weeks)
        self.bench.stand(now.draft.policy(), trial.weeks)
        self._history.show(trial, stroke=stroke)
        self._scored = scored
        return trial

    def begin(self, name: str) -> Trial:
        """Start again from a policy, by its name or the path of its TOML file.

        Raises:
            SenderScoreError: There is none, or it is not valid.
        """
        draft = Draft.of(self.data.policy(name))
        return self.show(self.trial.model_copy(update={"draft": draft, "start": name}))

    def undo(self) -> Trial:
        """Take the last change back; nothing happens where there is none."""
        return self._moved(self._history.undo())

    def redo(self) -> Trial:
        """Do again what was undone last; nothing happens where nothing was."""
        return self._moved(self._history.redo())

    def reset(self) -> Trial:
        """Back to the trial that the lab opened with; it can be undone."""
        return self.show(self._start)

    def draw(self) -> Frame:
        """The frame of the trial, with what can be undone."""
        frame = self.bench.frame(self.trial, self.scored)
        frame.values["can"] = self._history.can
        frame.values["policies"] = self._names()
        return frame

    def answer(self, request: Mapping[str, Any]) -> Frame:
        """Do what a control asks for and draw the result; an error is a value of the frame.

        Args:
            request: `do` (update, begin, undo, redo, reset or draw), with `changes` and `stroke`,
                or `name`.
        """
        before, scored, error = self._history.kept(), self._scored, ""
        try:
            self._do(request)
            frame = self.draw()
        except Exception as mistake:
            # Whatever it is, it is said beside the widget, which stays on what could be drawn.
            error = words_of(mistake)
            self._history.restore(before)
            self._scored = scored
            frame = self._last_drawable()
        frame.values["error"] = error
        return frame

    def about(self) -> dict[str, Any]:
        """What the controls offer: the senders' names, and the policies."""
        ids = self.bench.window(self.scored.draft.policy(), self.trial.weeks).ids
        known = self.data.user_labels
        return {"ids": ids, "labels": [known.get(key, key) for key in ids]}

    def _do(self, request: Mapping[str, Any]) -> None:
        if request.get("do") == "begin":
            self.begin(str(request.get("name", "")))
        else:
            super()._do(request)

    def _moved(self, trial: Trial) -> Trial:
        if not trial.draft.problems:
            self._scored = trial
        return trial

    def _last_drawable(self) -> Frame:
        """The trial, or the one before it where it cannot be drawn any more, and so on.

        The file of the policy in force, for instance, may have become invalid since it was chosen.
        """
        while True:
            try:
                return self.draw()
            except Exception:
                if not self.can_undo:
                    break
                self._history.forget()
        # The usual policy can be compared with whatever happens to files.
        self._history.restore([self.trial.model_copy(update={"against": Trial.create().against})])
        return self.draw()

    def _fallback(self, trial: Trial) -> Trial:
        return trial.model_copy(update={"draft": Draft.of(self.data.policy(trial.against))})

    def _names(self) -> list[str]:
        """The policies that can be chosen, with those that are."""
        chosen = (self.trial.start, self.trial.against)
        return list(dict.fromkeys([*self.data.policy_names, *chosen]))


def trial_of(
    data: Data, policy: str | ScoringPolicy | Draft, against: str | ScoringPolicy
) -> Trial:
    """A trial from policies given in any form; values get their name among the data's policies.

    Args:
        data: Knows policies by name.
        policy: What the draft begins as.
        against: The policy in force.

    Raises:
        PolicyError: There is no such policy, or it is not valid.
    """
    in_force = _known(data, against) if isinstance(against, ScoringPolicy) else against
    if isinstance(policy, Draft):
        return Trial.create(draft=policy, start=in_force, against=in_force)
    start = _known(data, policy) if isinstance(policy, ScoringPolicy) else policy
    draft = Draft.of(data.policy(start))
    return Trial.create(draft=draft, start=start, against=in_force)


def _known(data: Data, policy: ScoringPolicy) -> str:
    """The name that a policy is known by; one of its own where its name is another's."""
    name = policy.name
    if name in data.policy_names and data.policy(name) != policy:
        name = f"{policy.name} ({policy.fingerprint})"
    if name not in data.policy_names:
        data.policies[name] = policy
    return name
