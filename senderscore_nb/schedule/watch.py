"""What a run says while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _nothing(*_: object) -> None: ...


@dataclass(frozen=True)
class Watch:
    """Callbacks of whoever watches a run; each does nothing unless given.

    Attributes:
        say: A line about what is done.
        expect: How many pages are to be made.
        done: One of them is made, or has failed: a line about it.
    """

    say: Callable[[str], None] = _nothing
    expect: Callable[[int], None] = _nothing
    done: Callable[[str], None] = _nothing
