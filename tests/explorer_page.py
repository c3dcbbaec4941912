"""The explorer on a bare page with its Python beside it: quick, and with any data.

What JupyterLab and Voilà add is tested in them; here it is the explorer's own script that is.
"""

from __future__ import annotations

import base64
from typing import Any

from senderscore_nb.explorer import Explorer
from senderscore_nb.widget.view import front
from tests.lab import Driver

HOST = """
window.hears = [];
window.asked = [];
window.model = {
  get: () => window.about,
  on: (_, hear) => window.hears.push(hear),
  off: (_, hear) => { window.hears = window.hears.filter((one) => one !== hear); },
  send(request) {
    if (window.dead) throw new Error('Cannot send');
    window.asked.push(request);
    if (!window.mute) window.ask(request).then(window.answer);
  },
};
window.answer = ([content, texts]) => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const buffers = texts.map((text) => new DataView(bytes(text).buffer));
  for (const hear of window.hears) hear(content, buffers);
};
"""


class Page(Driver):
    """A page with an explorer."""

    def __init__(self, page: Any, explorer: Explorer, *, dark: bool = False) -> None:
        self.explorer = explorer
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.set_content("<!DOCTYPE html><title>Explorer</title><body style='margin:0'></body>")
        page.evaluate("(dark) => { document.body.dataset.jpThemeLight = String(!dark); }", dark)
        script, styles = front("widget", "explorer")
        page.add_style_tag(content=styles)
        page.add_script_tag(content=HOST)
        page.evaluate("(about) => { window.about = about; }", explorer.widget.about)
        page.expose_function("ask", self.answer)
        page.add_script_tag(content="{" + script.replace("export default", "window.front =") + SHOW)
        super().__init__(page)
        self.ready()

    def answer(self, request: dict[str, Any]) -> list[Any]:
        """What Python says to a request, as JSON holds it."""
        said: list[Any] = []
        widget = self.explorer.widget

        def send(content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
            said[:] = [content, [base64.b64encode(b).decode() for b in buffers or ()]]

        widget.send = send  # type: ignore[method-assign]
        widget._asked(None, request, [])
        return said

    @property
    def view(self) -> Any:
        """The view as Python has it."""
        return self.explorer.view


SHOW = "\nwindow.front.render({ model: window.model, el: document.body }); }"
