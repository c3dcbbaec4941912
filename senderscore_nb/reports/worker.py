"""A worker: a process that has everything imported and runs one notebook after another.

It speaks over its standard input and output (see `wire`), and ends when nobody is at the other
end any more. Each notebook gets a namespace of its own; what it changed of the process is put back.
"""

from __future__ import annotations

import gc
import os
import queue
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from senderscore_nb.reports.blocks import Notice
from senderscore_nb.reports.mail import mail_to_json
from senderscore_nb.reports.wire import receive, send

Message = dict[str, Any]


class Worker:
    """The worker's side: answers messages, one at a time."""

    def __init__(self) -> None:
        import nbformat

        from senderscore_nb.reports import cells, runners

        self._cells, self._runners, self._node = cells, runners, nbformat.from_dict
        self._open = ExitStack()
        self._shell: Any = None
        self._threads = set(threading.enumerate())

    def answer(self, message: Message) -> Message:
        """What a message is answered with; a mistake of ours is an answer too."""
        try:
            return self._answered(message)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            return {"error": "defect", "text": text.encode("utf-8", "replace").decode()}

    def _answered(self, message: Message) -> Message:
        match message["do"]:
            case "begin":
                return self._begin(message["folder"], message["most_bytes"])
            case "cell":
                return self._cell(message["source"])
            case "end":
                return self._end()
            case "render":
                return self._render(message)
        return {"error": "unknown"}

    def _begin(self, folder: str, most_bytes: int) -> Message:
        self._open.close()
        self._threads = set(threading.enumerate())
        self._open.enter_context(_kept(folder))
        self._shell = self._open.enter_context(self._cells.fresh_shell(most_bytes))
        return {}

    def _cell(self, source: str) -> Message:
        try:
            outputs, number = self._cells.run_cell(self._shell, source)
        except self._cells.OutputLimitExceeded:
            return {"error": "output"}
        return {"outputs": outputs, "execution_count": number}

    def _end(self) -> Message:
        self._open.close()
        self._shell = None
        gc.collect()
        # A thread that a notebook has left running could write into the next one's page.
        return {"unfit": bool(set(threading.enumerate()) - self._threads)}

    def _render(self, message: Message) -> Message:
        notices = tuple(Notice(**notice) for notice in message["notices"])
        job = self._runners.Job(
            Path(), notices=notices, mailed=message["mail"], about=message["about"]
        )
        notebook = self._node(message["notebook"])  # type: ignore[no-untyped-call]
        made = self._runners.rendered(notebook, job)
        return {
            "html": made.html,
            "title": made.title,
            "twin": made.twin,
            "mail": mail_to_json(made.mail) if made.mail else None,
        }


@contextmanager
def _kept(folder: str) -> Iterator[None]:
    """Run in a folder; then put back what a notebook may change of its process."""
    import altair
    import polars as pl

    environment, place, path = dict(os.environ), Path.cwd(), list(sys.path)
    modules, looks = set(sys.modules), altair.theme.active
    renderer = altair.renderers.active
    os.chdir(folder)
    sys.path.insert(0, folder)
    try:
        with warnings.catch_warnings(), pl.Config():
            yield
    finally:
        with suppress(OSError):
            os.chdir(place)
        own = [folder, *(entry for entry in sys.path if entry and entry not in path)]
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(environment)
        altair.theme.enable(looks)
        altair.renderers.enable(renderer)
        for name in set(sys.modules) - modules:
            if _is_beside(sys.modules.get(name), own):
                del sys.modules[name]


def _is_beside(module: Any, folders: list[str]) -> bool:
    """A module from beside a notebook, which another notebook may have one of the same name of.

    What is installed stays, wherever it is: much of it cannot be loaded a second time.
    """
    file = Path(getattr(module, "__file__", None) or "")
    installed = {"site-packages", "dist-packages"} & set(file.parts)
    if file.suffix != ".py" or installed:
        return False
    return any(file.is_relative_to(folder) for folder in folders)


def main() -> None:
    """Answer messages until the other side has gone."""
    requests, answers = _channels()
    waiting: queue.SimpleQueue[Message] = queue.SimpleQueue()
    worker = Worker()
    gc.freeze()  # what was imported stays; collections look at what notebooks made
    send(answers, {"ready": True})

    def listen() -> None:
        while True:
            message = receive(requests)
            if message is None:
                os._exit(0)  # also in the middle of a cell: nobody waits for it
            waiting.put(message)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        send(answers, worker.answer(waiting.get()))


def _channels() -> tuple[BinaryIO, BinaryIO]:
    """The streams to speak over; standard input and output then lead nowhere."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    return requests, answers
