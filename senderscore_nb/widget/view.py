"""The widget: it draws what a model says and tells the model what is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any, Protocol

import anywidget
import traitlets

from senderscore_nb.charts.theme import COLOURS
from senderscore_nb.widget.frame import Frame, words_of

Answer = tuple[dict[str, Any], list[bytes]]
Handler = Callable[[Mapping[str, Any]], Answer]

_EXTRA = {
    "light": {"panel": "#f4f6f9", "field": "#ffffff", "focus": "#b4530a", "veil": "#ffffffa8"},
    "dark": {"panel": "#1d232d", "field": "#181d26", "focus": "#ffb067", "veil": "#14181fb0"},
}


class Drawn(Protocol):
    """A model that a widget can draw."""

    def about(self) -> dict[str, Any]:
        """What the controls offer."""

    def answer(self, request: Mapping[str, Any]) -> Frame:
        """Do what a control asks for and draw the result."""


class ModelWidget(anywidget.AnyWidget):
    """A model in a notebook.

    One widget draws every panel and control: a change is one message each way, and what is equal
    is not drawn again. Everything that it runs is in the package, so nothing is fetched.

    Args:
        room: The room whose `front` draws the model.
        model: What is drawn.
        handlers: What else can be asked for, by name.
        mark: Names the picture that the notebook keeps of it.
    """

    about = traitlets.Dict().tag(sync=True)

    def __init__(self, room: str, model: Drawn, handlers: Mapping[str, Handler], mark: str) -> None:
        self._esm, self._css = front("widget", room)
        self._model = model
        self._handlers = handlers
        self.after: Callable[[], None] | None = None
        colours = {mode: {**COLOURS[mode], **_EXTRA[mode]} for mode in ("light", "dark")}
        super().__init__(about={**model.about(), "colours": colours, "mark": mark})
        self.on_msg(self._asked)

    def draw(self) -> None:
        """Show what the model says now, in every place where the widget is shown."""
        frame = self._model.answer({"do": "draw"})
        self.send({"kind": "frame", "values": frame.values, "seconds": 0.0}, frame.buffers)

    def _asked(self, _: object, request: Mapping[str, Any], __: object) -> None:
        started, worked = time.perf_counter(), time.thread_time()
        address = {"number": request.get("number"), "to": request.get("from")}
        handler = self._handlers.get(str(request.get("do")), self._frame)
        try:
            content, buffers = handler(request)
        except Exception as error:
            # Without an answer the widget would wait for ever.
            content, buffers = {"kind": "error", "text": words_of(error)}, []
        spent = {
            "seconds": time.perf_counter() - started,
            "processor": time.thread_time() - worked,
        }
        self.send({**content, **address, **spent}, buffers)
        if self.after is not None:
            self.after()

    def _frame(self, request: Mapping[str, Any]) -> Answer:
        frame = self._model.answer(request)
        return {"kind": "frame", "values": frame.values}, frame.buffers


def front(*rooms: str) -> tuple[str, str]:
    """The script and the styles of rooms: files of the package, joined in the order of their names.

    Args:
        rooms: Whose `front` folders, in their order.
    """
    folders = [resources.files("senderscore_nb").joinpath(room, "front") for room in rooms]
    scripts = [
        folder.joinpath(name).read_text(encoding="utf-8")
        for folder in folders
        for name in sorted(item.name for item in folder.iterdir() if item.name.endswith(".js"))
    ]
    styles = [folder.joinpath("style.css").read_text(encoding="utf-8") for folder in folders]
    return "\n".join(scripts), "\n".join(styles)
