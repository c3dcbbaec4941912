"""What a study found about one claim."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A claim, the range that agrees with it, and what was measured over so many trials."""

    claim: str  # what is claimed, in words
    stated: str  # the stated rate, as "93–97 %"
    low: float  # smallest measured value that agrees
    high: float  # largest
    measured: float
    trials: int
