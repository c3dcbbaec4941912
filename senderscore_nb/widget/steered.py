"""A model that a widget's controls change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

from senderscore_nb.errors import SenderScoreError
from senderscore_nb.widget.history import History

Value = TypeVar("Value")


class Steered(ABC, Generic[Value]):
    """A value with its history, and what can be asked to be done to it."""

    NAME: ClassVar[str]
    """What it is called in an error."""

    _history: History[Value]

    @property
    def can_undo(self) -> bool:
        """There is a change to undo."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """There is a change that was undone."""
        return self._history.can_redo

    @abstractmethod
    def update(self, changes: Mapping[str, Any], *, stroke: object = None) -> Value:
        """Change some of its values; changes in a row with the same stroke are one step."""

    @abstractmethod
    def undo(self) -> Value:
        """Take the last change back."""

    @abstractmethod
    def redo(self) -> Value:
        """Do again what was undone last."""

    @abstractmethod
    def reset(self) -> Value:
        """Do what the button Reset does."""

    def _do(self, request: Mapping[str, Any]) -> None:
        """Do what a control asks for; drawing comes after it.

        Raises:
            SenderScoreError: It cannot be done.
        """
        asked = request.get("do")
        if asked == "update":
            changes = request.get("changes")
            if not isinstance(changes, Mapping):
                raise SenderScoreError("A change without values was asked for.")
            self.update({str(k): v for k, v in changes.items()}, stroke=request.get("stroke"))
        elif asked in ("undo", "redo", "reset"):
            getattr(self, str(asked))()
        elif asked != "draw":
            raise SenderScoreError(f"The {self.NAME} cannot do {asked!r}.")
