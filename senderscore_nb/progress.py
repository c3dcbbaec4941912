"""Progress of long work: a bar on a terminal; elsewhere plain lines, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


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


def _line(text: str) -> str:
    """A text from outside as one line without control characters."""
    return "".join(c if c.isprintable() else " " for c in text)
