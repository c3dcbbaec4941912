"""The explorer without a display: data, a view, its history, and what is done to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from senderscore_nb.explorer.data import Data
from senderscore_nb.explorer.frames import NO_FILTERS, draw, range_of
from senderscore_nb.explorer.kernel import Certainty
from senderscore_nb.explorer.state import View
from senderscore_nb.widget.frame import Frame, words_of
from senderscore_nb.widget.history import History
from senderscore_nb.widget.steered import Steered

_KEEPS_PAGE = {"page", "brush_start", "brush_end"}


class Model(Steered[View]):
    """A view over data that can be changed, undone and drawn.

    A change that is not valid raises and leaves the view as it was. Changes with the same stroke,
    as while a slider is dragged, are undone together.
    """

    NAME = "explorer"

    def __init__(self, data: Data, view: View | None = None) -> None:
        view = view or View()
        data.check_view(view)
        self.data = data
        self._start = view
        self._history = History(view)
        self._certainty = Certainty()
        self.notice = ""

    @property
    def view(self) -> View:
        """The view as it is."""
        return self._history.now

    def update(self, changes: Mapping[str, Any], *, stroke: object = None) -> View:
        """Change some values of the view.

        Args:
            changes: Values by key, as in `View.to_parameters`.
            stroke: Changes in a row with the same stroke are one step for `undo`.

        Raises:
            SenderScoreError: A change is not valid. The view is as it was.
        """
        if set(changes) - _KEEPS_PAGE and "page" not in changes:
            changes = {**changes, "page": 0}
        return self.show(self.view.updated(**changes), stroke=stroke)

    def show(self, view: View, *, stroke: object = None) -> View:
        """Show another view.

        Raises:
            SenderScoreError: It cannot be shown. The view is as it was.
        """
        if view == self.view:
            return view
        self.data.check_view(view)
        self._history.show(view, stroke=stroke)
        return view

    def undo(self) -> View:
        """Take the last change back; nothing happens where there is none."""
        return self._history.undo()

    def redo(self) -> View:
        """Do again what was undone last; nothing happens where nothing was."""
        return self._history.redo()

    def reset(self) -> View:
        """Take every filter off and close what was opened; it can be undone.

        What is shown and how it is sorted stays, and the policy is the one that it opened with.
        """
        return self.update({**NO_FILTERS, "date_basis": "", "policy": self._start.policy})

    def draw(self) -> Frame:
        """The frame of the view, with what can be undone."""
        frame = draw(self.data, self.view, self._certainty)
        frame.values["can"] = self._history.can
        return frame

    def answer(self, request: Mapping[str, Any]) -> Frame:
        """Do what a control asks for and draw the result; an error is a value of the frame.

        Args:
            request: `do` (update, undo, redo, reset or draw), `changes` and `stroke`.
        """
        before = self._history.kept()
        error, self.notice = self.notice, ""
        try:
            self._do(request)
            frame = self.draw()
        except Exception as mistake:
            # Whatever it is, it is said beside the widget, which stays on what could be drawn.
            error = words_of(mistake)
            self._history.restore(before)
            frame = self._last_drawable()
        frame.values["error"] = error
        return frame

    def _last_drawable(self) -> Frame:
        """The view, or the one before it where it cannot be drawn any more, and so on.

        A policy's file, for instance, may have become invalid since it was chosen.
        """
        while self.can_undo:
            try:
                return self.draw()
            except Exception:
                self._history.forget()
        try:
            return self.draw()
        except Exception:
            self._history.restore([View()])
            return self.draw()

    def about(self) -> dict[str, Any]:
        """What the controls offer: names, days, presets and policies."""
        data = self.data
        index = data.index(data.policy(self.view.policy, self.view.date_basis))
        return {
            "users": _options(data.user_labels),
            "sequences": _options(data.sequence_labels),
            "teams": data.teams,
            **range_of(index),
            "policies": data.policy_names,
            "bases": data.bases,
        }


def _options(labels: Mapping[str, str]) -> list[dict[str, str]]:
    ordered = sorted(labels.items(), key=lambda pair: pair[1].casefold())
    return [{"id": key, "label": name} for key, name in ordered]
