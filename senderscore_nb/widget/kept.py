"""The picture that a saved notebook keeps of a widget, for readers without a kernel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from senderscore_nb.widget.frame import words_of

_SETTLED_SECONDS = 3.0


class Kept:
    """A picture below a widget, hidden while that is alive, made again once nothing changes.

    Args:
        state: What the widget shows, as a value that can be compared.
        picture: Makes the picture of a state, in HTML.
        words: What stands for it where HTML is not shown.
        failed: Makes, of words, what is shown where no picture can be made.
    """

    def __init__(
        self,
        state: Callable[[], Any],
        picture: Callable[[Any], str],
        words: str,
        failed: Callable[[str], str],
    ) -> None:
        self._state, self._picture, self._words, self._failed = state, picture, words, failed
        self._shown: Any = None
        self._settling: asyncio.TimerHandle | None = None
        self._keeping: asyncio.Task[None] | None = None

    def display(self) -> None:
        """Show the picture of the present state."""
        from IPython.display import DisplayHandle

        self._shown = DisplayHandle()  # type: ignore[no-untyped-call]
        self._shown.display(self._bundle(self._picture(self._state())), raw=True)

    def changed(self) -> None:
        """Once nothing has changed for a while, keep the picture of what is shown then."""
        if self._shown is None:
            return
        if self._settling is not None:
            self._settling.cancel()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._settling = loop.call_later(_SETTLED_SECONDS, self._keep_soon)

    def _keep_soon(self) -> None:
        # A loop holds its tasks weakly: one that nobody else holds may vanish half-way.
        self._keeping = asyncio.ensure_future(self._keep())

    async def _keep(self) -> None:
        state = self._state()
        loop = asyncio.get_running_loop()
        try:
            html = await loop.run_in_executor(None, self._picture, state)
        except Exception as error:
            html = self._failed(words_of(error))
        if state == self._state():
            self._shown.update(self._bundle(html), raw=True)

    def _bundle(self, html: str) -> dict[str, str]:
        return {"text/html": html, "text/plain": self._words}


def boxed(mark: str, title: str, inside: str) -> str:
    """A picture's HTML in the element that the living widget hides.

    Args:
        mark: Names the widget.
        title: What it is a picture of.
        inside: What is shown; text that is not markup becomes a paragraph.
    """
    if not isinstance(inside, Markup):
        inside = Markup("<p>{}</p>").format(inside)
    return str(
        Markup('<div class="senderscore-static-{}"><p><strong>{}</strong></p>{}</div>').format(
            mark, title, inside
        )
    )
