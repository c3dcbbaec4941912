"""The widget: it draws what the model says and tells the model what is asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import anywidget
import traitlets

from senderscore_nb.charts.theme import COLOURS
from senderscore_nb.explorer.data import words_of
from senderscore_nb.explorer.model import Model

Answer = tuple[dict[str, Any], list[bytes]]
Handler = Callable[[Mapping[str, Any]], Answer]

_EXTRA = {
    "light": {"panel": "#f4f6f9", "field": "#ffffff", "focus": "#b4530a", "veil": "#ffffffa8"},
    "dark": {"panel": "#1d232d", "field": "#181d26", "focus": "#ffb067", "veil": "#14181fb0"},
}


class ExplorerWidget(anywidget.AnyWidget):
    """The explorer in a notebook.

    One widget draws every panel and control: a change is one message each way, and what is equal
    is not drawn again. Everything that it runs is in the package, so nothing is fetched.
    """

    about = traitlets.Dict().tag(sync=True)

    def __init__(self, model: Model, handlers: Mapping[str, Handler], mark: str) -> None:
        self._esm, self._css = _front()
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


def _front() -> tuple[str, str]:
    """The script and the styles: files of the package, joined in the order of their names."""
    folder = resources.files("senderscore_nb").joinpath("explorer", "front")
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".js"))
    script = "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)
    return script, folder.joinpath("style.css").read_text(encoding="utf-8")
