"""What a calibration takes for granted, because readings alone cannot say it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from senderscore_nb.errors import PolicyError
from senderscore_nb.policy import Interpolation, ScoringPolicy

Form = Literal["free", "linear", "step"]

_RATES = (0.01, 0.03, 0.05)
_REPLIES = (0.05, 0.07, 0.10)


@dataclass(frozen=True)
class Assumptions:
    """What is fixed before anything is fitted.

    Points are not seen, only their sum, and of that often only the band. Adding a constant to one
    curve and taking it from the other changes no score; where only bands are read, stretching all
    points and edges alike changes no band. The scale below pins both down as far as it can.

    Attributes:
        bands: The report's bands from the lowest to the highest; the base policy's unless given.
        most: The highest score there is.
        reply_most: Points of the best reply rate; the best bounce rate has the rest. None leaves
            the share of each to the readings.
        from_zero: The worst rates give no points: 0 % replies and 100 % bounces, or the first and
            the last of the given knots. Else any points that are not negative.
        reply_knots: Rates at which the reply curve bends. None for a free curve: any that never
            falls.
        bounce_knots: The same for bounces: any that never rises.
        reply_interpolation: How reply points run between given knots.
        bounce_interpolation: How bounce points run between given knots.
        edges: Lower edges of bands that are known, by name; the others are fitted.
        bounce_rates: Bounce rates at which the replies that each band takes are asked for.
        reply_rates: Reply rates at which the bounces that each band allows are asked for.

    Raises:
        PolicyError: A value is impossible.
    """

    bands: tuple[str, ...] | None = None
    most: float = 100.0
    reply_most: float | None = 50.0
    from_zero: bool = True
    reply_knots: tuple[float, ...] | None = None
    bounce_knots: tuple[float, ...] | None = None
    reply_interpolation: Interpolation = "linear"
    bounce_interpolation: Interpolation = "linear"
    edges: Mapping[str, float] = field(default_factory=dict)
    bounce_rates: tuple[float, ...] = _RATES
    reply_rates: tuple[float, ...] = _REPLIES

    def __post_init__(self) -> None:
        if not (math.isfinite(self.most) and self.most > 0):
            _refuse("most", f"expected a highest score above 0, found {self.most:g}")
        share = self.reply_most
        if share is not None and not 0 <= share <= self.most:
            _refuse("reply_most", f"expected points from 0 to {self.most:g}, found {share:g}")
        for name in ("reply_knots", "bounce_knots", "bounce_rates", "reply_rates"):
            rates = getattr(self, name)
            if rates is None:
                continue
            if any(not 0 <= rate <= 1 for rate in rates):
                _refuse(name, "rates are fractions between 0 and 1 (write 7 % as 0.07)")
            if any(b <= a for a, b in itertools.pairwise(rates)):
                _refuse(name, "rates must rise")
        for name in ("reply_knots", "bounce_knots"):
            rates = getattr(self, name)
            if rates is not None and len(rates) < 2:
                _refuse(name, "a curve needs two knots or more")

    def form(self, curve: Literal["reply", "bounce"]) -> Form:
        """Whether a curve is free, or bends at given knots only."""
        if curve == "reply":
            return "free" if self.reply_knots is None else self.reply_interpolation
        return "free" if self.bounce_knots is None else self.bounce_interpolation

    def names(self, base: ScoringPolicy) -> tuple[str, ...]:
        """The bands' names.

        Raises:
            PolicyError: They are empty or not different, or an edge is of no band, of the lowest
                one, out of order or off the scale.
        """
        names = self.bands if self.bands is not None else base.band_names
        if not names or len({name.casefold() for name in names}) < len(names):
            _refuse("bands", "bands must have different names, from the lowest to the highest")
        known = [(names.index(name), edge) for name, edge in self.edges.items() if name in names]
        if len(known) < len(self.edges) or any(place == 0 for place, _ in known):
            _refuse("edges", f"expected lower edges of {', '.join(names[1:])}")
        rising = [edge for _, edge in sorted(known)]
        if any(not 0 < edge <= self.most for edge in rising):
            _refuse("edges", f"edges lie above 0 and up to {self.most:g}")
        if any(b <= a for a, b in itertools.pairwise(rising)):
            _refuse("edges", "edges must rise from band to band")
        return names


def _refuse(key: str, message: str) -> None:
    raise PolicyError(f"{key}: {message}.", where="calibration")
