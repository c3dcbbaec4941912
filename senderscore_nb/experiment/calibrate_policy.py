"""One policy out of all that agree, well inside of them, and as simple as the readings allow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from senderscore_nb.experiment.calibrate_assumptions import Assumptions
from senderscore_nb.experiment.calibrate_evidence import Array, Demands
from senderscore_nb.experiment.calibrate_program import MARGIN, Program, agrees
from senderscore_nb.experiment.calibrate_ranges import Explored, explore
from senderscore_nb.policy import Band, BounceCurve, Interpolation, ReplyCurve, ScoringPolicy

_DIGITS = (0, 1, 2, 3, 4, 6)
_KNOTS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48)
_LOOKED_AT = 8
_HAIR = 1e-9


@dataclass(frozen=True)
class Fitted:
    """A policy as arrays.

    Attributes:
        reply: Knots and points of the reply curve, shape (knots, 2).
        bounce: Those of the bounce curve.
        edges: Lower edges of all bands but the first.
        stepped: Whether points of replies, and of bounces, hold until the next knot; else they
            run straight to it.
    """

    reply: Array
    bounce: Array
    edges: Array
    stepped: tuple[bool, bool]

    def scores(self, replies: Array, bounces: Array) -> Array:
        """The score of pairs of rates."""
        return self.reply_at(replies) + self.bounce_at(bounces)

    def reply_at(self, rates: Array) -> Array:
        """Reply points of rates."""
        return _points(self.reply, rates, self.stepped[0])

    def bounce_at(self, rates: Array) -> Array:
        """Bounce points of rates."""
        return _points(self.bounce, rates, self.stepped[1])

    def replies_for(self, bounce: float, edge: float) -> float | None:
        """The reply rate from which on an edge is reached; None where it never is."""
        need = edge - float(self.bounce_at(np.array([bounce]))[0])
        return _first_with(self.reply, need, self.stepped[0])

    def bounces_for(self, reply: float, edge: float) -> float | None:
        """The bounce rate up to which an edge is reached; None where it never is."""
        need = edge - float(self.reply_at(np.array([reply]))[0])
        if self.bounce[0, 1] < need - _HAIR:
            return None
        # Read from the highest rate down the points rise, as those of replies do.
        mirrored = np.column_stack([1 - self.bounce[::-1, 0], self.bounce[::-1, 1]])
        if not self.stepped[1]:
            first = _first_with(mirrored, need, stepped=False)
            return None if first is None else 1.0 - first
        below = self.bounce[self.bounce[:, 1] < need - _HAIR, 0]
        return float(below[0]) if len(below) else 1.0


def _first_with(knots: Array, need: float, stepped: bool) -> float | None:
    """The lowest rate whose points are enough, on a curve that rises."""
    enough = np.flatnonzero(knots[:, 1] >= need - _HAIR)
    if not len(enough):
        return None
    place = int(enough[0])
    if place == 0:
        return 0.0
    (x0, y0), (x1, y1) = knots[place - 1 : place + 1]
    return float(x1) if stepped else float(x0 + (x1 - x0) * min(1.0, (need - y0) / (y1 - y0)))


def _points(knots: Array, rates: Array, stepped: bool) -> Array:
    """Points of rates on a curve."""
    if not stepped:
        return np.interp(rates, knots[:, 0], knots[:, 1])
    place = np.searchsorted(knots[:, 0], rates, side="right") - 1
    return np.asarray(knots[np.clip(place, 0, len(knots) - 1), 1])


def simplest(
    explored: Explored,
    demands: Demands,
    assumed: Assumptions,
    build: Callable[[Demands, Assumptions], Program],
) -> Explored:
    """The policies whose free curves bend at a few evenly spread rates only.

    The fewest knots are taken under which the readings are kept with a fifth of the widest margin;
    the free curves themselves where no number of knots does.

    Args:
        explored: The policies that agree; the widest is the first that was found.
        demands: What the readings demand.
        assumed: What they agree under.
        build: The program of demands under assumptions.
    """
    enough = max(0.2 * float(explored.found[0][-1]), MARGIN)
    for count in _KNOTS:
        few = assumed
        if assumed.reply_knots is None:
            knots = _spread(demands.reply, count)
            few = dataclasses.replace(few, reply_knots=knots, reply_interpolation="linear")
        if assumed.bounce_knots is None:
            knots = _spread(demands.bounce, count)
            few = dataclasses.replace(few, bounce_knots=knots, bounce_interpolation="linear")
        program = build(demands, few)
        widest, margin, _ = program.widest()
        if margin >= enough and agrees(margin):
            return explore(program, widest, most=_LOOKED_AT)
    return explored


def _spread(rates: Array, count: int) -> tuple[float, ...]:
    """Rates from 0 to 1: as many demands between each two, and as far apart, by halves."""
    if not len(rates):
        return 0.0, 1.0
    dense = np.quantile(rates, np.linspace(0, 1, (count + 1) // 2))
    even = np.linspace(rates.min(), rates.max(), count // 2 + 1)
    return tuple(float(x) for x in np.unique(np.concatenate([[0.0, 1.0], dense, even]).round(4)))


def central(explored: Explored, demands: Demands, *, simplify: tuple[bool, bool]) -> Fitted:
    """A policy well inside the feasible ones.

    It is halfway between the one with the widest margin and the mean of all extreme ones that were
    met. Mixtures of policies that agree do agree, and this one has half of the widest margin at
    least. Knots that no reading needs are then left out, and points and edges are
    rounded, as long as the readings keep half of its margin.

    Args:
        explored: The policies that agree.
        demands: What the readings demand.
        simplify: Leave out knots of the reply curve, and of the bounce curve.
    """
    found = explored.found
    middle = (found[0] + found.mean(axis=0)) / 2
    program = explored.program
    a, b = len(program.reply.knots), len(program.bounce.knots)
    fitted = Fitted(
        np.column_stack([program.reply.knots, middle[:a]]),
        np.column_stack([program.bounce.knots, middle[a : a + b]]),
        middle[a + b : -1],
        (program.reply.form == "step", program.bounce.form == "step"),
    )
    fitted = _ordered(fitted)
    slack = _slack(fitted, demands)
    least = slack / 2 if slack > 0 else slack
    if simplify[0]:
        fitted = _simplified(fitted, demands, least, replies=True)
    if simplify[1]:
        fitted = _simplified(fitted, demands, least, replies=False)
    return _rounded(fitted, demands, least)


def _ordered(fitted: Fitted) -> Fitted:
    """The same without the last digits by which a solver misses what must rise or fall."""
    reply, bounce = fitted.reply.copy(), fitted.bounce.copy()
    reply[:, 1] = np.maximum.accumulate(np.maximum(reply[:, 1], 0.0))
    bounce[:, 1] = np.minimum.accumulate(np.maximum(bounce[:, 1], 0.0))
    return Fitted(reply, bounce, fitted.edges, fitted.stepped)


def _slack(fitted: Fitted, demands: Demands) -> float:
    """The least distance to anything demanded, in points; negative where a demand is not met.

    An edge is met from its own points on; to stay below one takes `MARGIN`.
    """
    if not len(demands.edge):
        return 0.0
    score = fitted.scores(demands.reply, demands.bounce)
    edged = demands.edge > 0
    level = np.where(edged, np.append(fitted.edges, 0.0)[demands.edge - 1], demands.value)
    room = np.where(demands.reaches, score - level, level - score)
    room -= np.where(edged & ~demands.reaches, MARGIN, 0.0)
    return float(room.min())


def _simplified(fitted: Fitted, demands: Demands, least: float, *, replies: bool) -> Fitted:
    """Leave out knots, those first that change the curve least, while the readings allow it."""
    needed: set[float] = set()
    while True:
        knots = fitted.reply if replies else fitted.bounce
        bends = _bends(knots)
        bends[np.isin(knots[1:-1, 0], list(needed))] = np.inf
        if not np.isfinite(bends).any():
            return fitted
        place = int(np.argmin(bends)) + 1
        fewer = np.delete(knots, place, axis=0)
        tried = (
            dataclasses.replace(fitted, reply=fewer)
            if replies
            else dataclasses.replace(fitted, bounce=fewer)
        )
        if _slack(tried, demands) >= least:
            fitted = tried
        else:
            needed.add(float(knots[place, 0]))


def _bends(knots: Array) -> Array:
    """How far each inner knot is from the straight line between its neighbours, in points."""
    (x0, y0), (x, y), (x1, y1) = knots[:-2].T, knots[1:-1].T, knots[2:].T
    return np.asarray(np.abs(y0 + (y1 - y0) * (x - x0) / (x1 - x0) - y))


def _rounded(fitted: Fitted, demands: Demands, least: float) -> Fitted:
    enough = least / 2 if least > 0 else least
    for digits in _DIGITS:
        tried = Fitted(
            np.column_stack([fitted.reply[:, 0], fitted.reply[:, 1].round(digits)]),
            np.column_stack([fitted.bounce[:, 0], fitted.bounce[:, 1].round(digits)]),
            fitted.edges.round(digits),
            fitted.stepped,
        )
        edges = np.concatenate([[0.0], tried.edges])
        top = tried.reply[-1, 1] + tried.bounce[0, 1]
        if (np.diff(edges) > 0).all() and edges[-1] <= top and _slack(tried, demands) >= enough:
            return tried
    return fitted


def policy_of(
    fitted: Fitted, base: ScoringPolicy, names: Sequence[str], *, name: str, source: str
) -> ScoringPolicy:
    """The fitted arrays as a policy with the counting rules and the minimum of another one."""
    reply: Interpolation = "step" if fitted.stepped[0] else "linear"
    bounce: Interpolation = "step" if fitted.stepped[1] else "linear"

    def knots(curve: Array) -> tuple[tuple[float, float], ...]:
        return tuple((float(rate), float(points)) for rate, points in curve)

    lowers = [0.0, *(float(edge) for edge in fitted.edges)]
    return ScoringPolicy(
        name=name,
        source=source,
        counting=base.counting,
        minimum=base.minimum,
        reply_points=ReplyCurve(interpolation=reply, knots=knots(fitted.reply)),
        bounce_points=BounceCurve(interpolation=bounce, knots=knots(fitted.bounce)),
        bands=tuple(Band(name=n, lower=lo) for n, lo in zip(names, lowers, strict=True)),
    )
