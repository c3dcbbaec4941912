"""The values that a widget has shown, to go back and forth between."""

from __future__ import annotations

from typing import Generic, TypeVar

Value = TypeVar("Value")

_REMEMBERED = 200


class History(Generic[Value]):
    """A value that changes, with what it was before and what was undone.

    Changes in a row with the same stroke, as while a slider is dragged, are one step.

    >>> history = History(1)
    >>> for value in (2, 3, 4):
    ...     history.show(value, stroke="drag" if value > 2 else None)
    >>> history.undo(), history.undo(), history.redo()
    (2, 1, 2)
    """

    def __init__(self, start: Value) -> None:
        self._done: list[Value] = [start]
        self._undone: list[Value] = []
        self._stroke: object = None

    @property
    def now(self) -> Value:
        """The value as it is."""
        return self._done[-1]

    @property
    def can_undo(self) -> bool:
        """There is a change to undo."""
        return len(self._done) > 1

    @property
    def can_redo(self) -> bool:
        """There is a change that was undone."""
        return bool(self._undone)

    @property
    def can(self) -> dict[str, bool]:
        """What the buttons may do."""
        return {"undo": self.can_undo, "redo": self.can_redo}

    def show(self, value: Value, *, stroke: object = None) -> None:
        """Change the value; nothing happens where it is the same."""
        if value == self.now:
            return
        if stroke is not None and stroke == self._stroke and self.can_undo:
            self._done[-1] = value
        else:
            self._done = [*self._done, value][-_REMEMBERED:]
        self._stroke = stroke
        self._undone = []

    def undo(self) -> Value:
        """Take the last change back; nothing happens where there is none."""
        if self.can_undo:
            self._undone.append(self._done.pop())
        self._stroke = None
        return self.now

    def redo(self) -> Value:
        """Do again what was undone last; nothing happens where nothing was."""
        if self._undone:
            self._done.append(self._undone.pop())
        self._stroke = None
        return self.now

    def kept(self) -> list[Value]:
        """The values up to now, to come back to with `restore`."""
        return list(self._done)

    def restore(self, kept: list[Value]) -> None:
        """Be at what `kept` gave."""
        self._done = list(kept)

    def forget(self) -> None:
        """Drop the value as it is, and be at the one before it."""
        if self.can_undo:
            self._done.pop()
