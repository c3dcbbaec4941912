"""How far the work on mail has come, for whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Say = Callable[[str], None]
Advance = Callable[[int, int], None]

WHOLE = 1000
"""What the work is taken to be; `SHARES` of it are done when a step begins and when it ends."""

SHARES = {"Reading the mails": (50, 600), "Grouping outgoing mail": (600, 850),
          "Writing enrollments": (900, WHOLE)}  # fmt: skip

_TENTHS = 10


@dataclass(frozen=True)
class Watch:
    """Where the work is said to be.

    Attributes:
        say: Called with a line about each step, and about each tenth of a long one.
        advance: Called with how much is done, and of how much; the lines about tenths are left
            out then.
    """

    say: Say | None = None
    advance: Advance | None = None

    def line(self, text: str) -> None:
        """A step begins that is not measured."""
        if self.say:
            self.say(f"{text} …")

    def at(self, step: str, done: int, total: int, worked: int = 1) -> None:
        """A step that is measured has come so far.

        Args:
            step: One of `SHARES`.
            done: What is done.
            total: Of how much.
            worked: How much has been done since the last time.
        """
        begin, end = SHARES[step]
        if self.advance:
            self.advance(begin + (end - begin) * done // max(1, total), WHOLE)
        elif self.say and total > worked and _tenth(done, total) > _tenth(done - worked, total):
            self.say(f"{step}: {done:,} of {total:,} …")


def _tenth(done: int, total: int) -> int:
    return done * _TENTHS // total
