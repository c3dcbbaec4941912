"""What a widget is to the notebook around it: shown, changed in code, kept as a picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from senderscore_nb.widget.kept import Kept

if TYPE_CHECKING:
    from senderscore_nb.widget.view import ModelWidget


class Changing(Protocol):
    """A model that can be changed and taken back."""

    def update(self, changes: Mapping[str, Any]) -> object:
        """Change some of its values."""

    def undo(self) -> object:
        """Take the last change back."""

    def redo(self) -> object:
        """Do again what was undone last."""

    def reset(self) -> object:
        """Do what the button Reset does."""


Model = TypeVar("Model", bound=Changing)


class Shown(ABC, Generic[Model]):
    """A model that shows itself as the last line of a cell; every change is drawn and kept.

    Args:
        model: What is shown.
        kept: The picture of it below the widget.
        keep_picture: Whether that is shown.
    """

    def __init__(self, model: Model, kept: Kept, *, keep_picture: bool) -> None:
        self.model = model
        self._kept = kept
        self._keep_picture = keep_picture
        self._widget: ModelWidget | None = None

    @abstractmethod
    def _made(self) -> ModelWidget:
        """The widget, when it is first needed."""

    @property
    def widget(self) -> ModelWidget:
        """The widget, for a layout of one's own."""
        if self._widget is None:
            self._widget = self._made()
            self._widget.after = self._kept.changed
        return self._widget

    def update(self, **changes: Any) -> Self:
        """Change some values of what is shown.

        Raises:
            SenderScoreError: A change is not valid. What is shown is as it was.
        """
        self.model.update(changes)
        return self._redrawn()

    def undo(self) -> Self:
        """Take the last change back."""
        self.model.undo()
        return self._redrawn()

    def redo(self) -> Self:
        """Do again what was undone last."""
        self.model.redo()
        return self._redrawn()

    def reset(self) -> Self:
        """Do what the button Reset does."""
        self.model.reset()
        return self._redrawn()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)  # type: ignore[no-untyped-call]
        if self._keep_picture:
            self._kept.display()

    def _redrawn(self) -> Self:
        if self._widget is not None:
            self._widget.draw()
            self._kept.changed()
        return self
