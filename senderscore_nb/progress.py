"""Progress of long work: a bar on a terminal; elsewhere plain lines, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def cell_progress() -> Iterator[Callable[[int, int], None] | None]:
    """A callback for a notebook's cells: a bar with the time left on a terminal, else None."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("Making the report"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("cells", total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance


Say = Callable[[str], None]


@contextmanager
def page_progress() -> Iterator[tuple[Say, Callable[[int], None], Say]]:
    """Callbacks for many pages: say a line, expect so many, one is done.

    On a terminal there is a bar with the time left, and lines about what is not made; elsewhere
    there is a plain line for each page.
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if not sys.stderr.isatty():
        state = {"done": 0, "total": 0}

        def expect(total: int) -> None:
            state["total"] += total

        def done(line: str) -> None:
            state["done"] += 1
            print(f"[{state['done']}/{state['total']}] {_line(line)}", file=sys.stderr, flush=True)

        yield lambda line: print(_line(line), file=sys.stderr, flush=True), expect, done
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("Making reports"), BarColumn(), MofNCompleteColumn())
    times = (TextColumn("for"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, *times, console=console, transient=True) as bar:
        task = bar.add_task("pages", total=None)

        def finished(line: str) -> None:
            bar.advance(task)
            if not line.endswith(": made"):
                bar.console.print(_line(line))

        yield (
            lambda line: bar.console.print(_line(line)),
            lambda total: bar.update(task, total=total),
            finished,
        )


class _Lines:
    """Plain lines of a pull: what should be known, and how far it is from time to time."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._expected = self._come = self._told = 0

    def say(self, line: str) -> None:
        """Print a line."""
        if not self._quiet:
            print(_line(line), file=sys.stderr, flush=True)

    def expect(self, mails: int) -> None:
        """So many more are to come."""
        self._expected = self._come + mails

    def advance(self, mails: int) -> None:
        """So many have come."""
        self._come += mails
        if self._come - self._told >= max(_TELL, self._expected // 20):
            self._told = self._come
            self.say(f"{self._come:,} of {self._expected:,} mails")


_TELL = 10_000


class _Bar:
    """A bar of a pull on a terminal, with the time left."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("mails", total=None)
        self._come = 0

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(_line(line))

    def expect(self, mails: int) -> None:
        """So many more are to come."""
        self._bar.update(self._task, total=self._come + mails)

    def advance(self, mails: int) -> None:
        """So many have come."""
        self._come += mails
        self._bar.advance(self._task, mails)


@contextmanager
def pull_progress(*, quiet: bool) -> Iterator[_Lines | _Bar]:
    """Who is told of a pull: a bar on a terminal, elsewhere lines now and then; nobody if quiet."""
    if quiet or not sys.stderr.isatty():
        yield _Lines(quiet=quiet)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    columns = (TextColumn("Pulling mails"), BarColumn(), MofNCompleteColumn())
    left = (TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, *left, console=console, transient=True) as bar:
        yield _Bar(bar)


def _line(text: str) -> str:
    """A text from outside as one line without control characters."""
    return "".join(c if c.isprintable() else " " for c in text)


@contextmanager
def work_progress(name: str) -> Iterator[tuple[Say, Callable[[int, int], None] | None]]:
    """Callbacks for work of some length: say a line about a step; so much of so much is done.

    On a terminal there is a bar with the time left, and the step beside it; elsewhere nothing.
    """
    if not sys.stderr.isatty():
        yield lambda _: None, None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    step = TextColumn("{task.description}", markup=False)
    columns = (step, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield (
            lambda line: bar.update(task, description=_line(line)),
            lambda done, total: bar.update(task, completed=done, total=total),
        )
