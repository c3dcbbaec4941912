"""How far each point, edge and threshold is determined by the readings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.experiment.calibrate_assumptions import Assumptions
from senderscore_nb.experiment.calibrate_evidence import Array
from senderscore_nb.experiment.calibrate_program import MARGIN, Curve, Program

LOOKED_AT = 40
"""Knots of a curve that are looked at one by one; between them monotony says how far."""

_NARROW = 0.01
"""Share of the scale below which a range from values alone is left as it is."""

_GRID = np.linspace(0.0, 1.0, 2001)
_SLACK = 1e-6

RANGES = pl.Schema(
    {
        "what": pl.Enum(["edge", "replies_for_band", "bounces_for_band"]),
        "band": pl.String(),
        "at": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "fitted": pl.Float64(),
    }
)


@dataclass(frozen=True)
class Explored:
    """The limits of every unknown over all policies that agree.

    Attributes:
        program: The policies.
        low: Lowest value of each unknown.
        high: Highest.
        found: Policies that were met on the way, one a row: the widest one first.
    """

    program: Program
    low: Array
    high: Array
    found: Array

    def limits(self, curve: Curve, rates: Array) -> tuple[Array, Array]:
        """Lowest and highest points of rates on one of the program's curves."""
        first = 0 if curve.rises else len(self.program.reply.knots)
        part = slice(first, first + len(curve.knots))
        low = curve.weights(rates, highest=False) @ self.low[part]
        high = curve.weights(rates, highest=True) @ self.high[part]
        return low, high


def explore(program: Program, widest: Array, *, most: int = LOOKED_AT) -> Explored:
    """Find the limits of every unknown.

    Args:
        program: The policies that agree; there is one at least.
        widest: The one with the widest margin.
        most: Knots of each curve to look at one by one.
    """
    found = [widest]
    low, high = program.bounds[:, 0].copy(), program.bounds[:, 1].copy()
    free = program.reply.form == "free" and program.bounce.form == "free"
    if free:
        outer = program if not program.edges_free else _without_edges(program)
        ends = _ends(outer)
        points = slice(0, len(program.reply.knots) + len(program.bounce.knots))
        low[points], high[points] = ends[0][points], ends[1][points]
        if outer is program:
            found += _known(program, ends)
    if not free or program.edges_free:
        wide = high - low > _NARROW * program.bounds[:-1, 1].max()
        for place in _places(program, wide, most):
            for sign in (1.0, -1.0):
                goal = np.zeros(program.unknowns)
                goal[place] = sign
                solution = program.optimum(goal)
                if solution is None:
                    continue
                found.append(solution)
                if sign > 0:
                    low[place] = max(low[place], solution[place] - _SLACK)
                else:
                    high[place] = min(high[place], solution[place] + _SLACK)
    _monotone(program, low, high)
    return Explored(program, low, high, np.array(found))


def _without_edges(program: Program) -> Program:
    """The same without the demands that edges take part in: what values alone say."""
    first = len(program.reply.knots) + len(program.bounce.knots)
    keep = np.asarray(abs(program.rows[:, first:-1]).sum(axis=1)).reshape(-1) == 0
    return dataclasses.replace(
        program,
        rows=program.rows[keep],
        limits=program.limits[keep],
        reading=program.reading[keep],
    )


def _ends(program: Program) -> tuple[Array, Array]:
    """Limits of all points at once, where no edge is free.

    With b replaced by -b every demand is on a difference of two unknowns. The solutions of such a
    system form a lattice: there is one that has the most reply points and the fewest bounce points
    everywhere, and one that has the opposite.
    """
    a, b = len(program.reply.knots), len(program.bounce.knots)
    goal = np.zeros(program.unknowns)
    goal[:a], goal[a : a + b] = 1.0, -1.0
    few, many = program.optimum(goal), program.optimum(-goal)
    low, high = program.bounds[:, 0].copy(), program.bounds[:, 1].copy()
    if few is None or many is None:
        return low, high
    low[:a], high[:a] = few[:a] - _SLACK, many[:a] + _SLACK
    low[a : a + b], high[a : a + b] = many[a : a + b] - _SLACK, few[a : a + b] + _SLACK
    return low, high


def _known(program: Program, ends: tuple[Array, Array]) -> list[Array]:
    """The two ends as policies: each agrees with all readings."""
    a, b = len(program.reply.knots), len(program.bounce.knots)
    solutions = []
    for replies, bounces in (ends, ends[::-1]):
        one = program.bounds[:, 0].copy()
        one[:a], one[a : a + b] = replies[:a], bounces[a : a + b]
        one[-1] = MARGIN
        solutions.append(one)
    return solutions


def _places(program: Program, wide: npt.NDArray[np.bool_], most: int) -> list[int]:
    """The unknowns to look at one by one: evenly chosen knots of wide ranges, and the edges."""
    a, b = len(program.reply.knots), len(program.bounce.knots)
    chosen: list[int] = []
    for first, last in ((0, a), (a, a + b)):
        places = first + np.flatnonzero(wide[first:last])
        even = np.unique(np.linspace(0, len(places) - 1, min(len(places), most)).round())
        chosen += [int(places[int(i)]) for i in even]
    return chosen + list(range(a + b, program.unknowns - 1))


def _monotone(program: Program, low: Array, high: Array) -> None:
    """What monotony says about the knots that were not looked at."""
    a, b = len(program.reply.knots), len(program.bounce.knots)
    low[:a] = np.maximum.accumulate(low[:a])
    high[:a] = np.minimum.accumulate(high[:a][::-1])[::-1]
    part = slice(a, a + b)
    low[part] = np.maximum.accumulate(low[part][::-1])[::-1]
    high[part] = np.minimum.accumulate(high[part])
    np.clip(low, 0.0, None, out=low)


def thresholds(
    explored: Explored, assumed: Assumptions, names: Sequence[str]
) -> list[tuple[str, str, float | None, float | None, float | None]]:
    """From which replies on, or up to which bounces, each band is reached.

    Returns:
        Rows of `what`, `band`, `at` (the rate that is held), `low`, `high`. For replies the band is
        out of reach up to `low` and sure from `high` on; for bounces it is sure up to `low` and out
        of reach from `high` on. None where the readings set no limit.
    """
    seeker = Seeker(explored.program, explored)
    rows: list[tuple[str, str, float | None, float | None, float | None]] = [
        ("replies_for_band", names[band], at, *_replies(seeker, at, band))
        for at in assumed.bounce_rates
        for band in range(1, len(names))
    ]
    rows += [
        ("bounces_for_band", names[band], at, *_bounces(seeker, at, band))
        for at in assumed.reply_rates
        for band in range(1, len(names))
    ]
    return rows


class Seeker:
    """Answers whether a pair of rates can reach an edge, and whether it can miss it.

    Limits that are known already, and every policy that is found on the way, answer further
    questions without a program of their own.
    """

    def __init__(self, program: Program, explored: Explored | None = None) -> None:
        self.program = program
        self._explored = explored
        self._found = explored.found if explored else np.empty((0, program.unknowns))

    def can(self, reply: float, bounce: float, band: int, *, reach: bool) -> bool:
        """Whether some policy that agrees gives these rates the band or better (or worse).

        Args:
            reply: Reply rate.
            bounce: Bounce rate.
            band: Place of the band whose edge is meant, from 1.
            reach: Whether the edge is to be reached, or missed.
        """
        row = self.program.scores(np.array([reply]), np.array([bounce]), highest=reach)[0]
        row[self.program.edge(band)] = -1.0
        if self._refused(row, reach):
            return False
        if self._met(self._found, row, reach):
            return True
        solution = self.program.optimum(-row if reach else row)
        if solution is None:
            return False
        self._found = np.vstack([self._found, solution])
        return self._met(self._found[-1:], row, reach)

    def _refused(self, row: Array, reach: bool) -> bool:
        """The limits of the unknowns, each by itself, rule it out."""
        if self._explored is None:
            return False
        low, high = self._explored.low, self._explored.high
        best, worst = (high, low) if reach else (low, high)
        furthest = np.where(row > 0, best, worst) @ row
        return bool(furthest < -_SLACK if reach else furthest > -MARGIN + _SLACK)

    @staticmethod
    def _met(found: Array, row: Array, reach: bool) -> bool:
        above = found @ row
        return bool((above >= -_SLACK).any() if reach else (above <= -MARGIN + _SLACK).any())


def _replies(seeker: Seeker, bounce: float, band: int) -> tuple[float | None, float | None]:
    curve = seeker.program.reply
    grid = curve.knots if curve.form == "free" else _GRID
    reached = _first(grid, lambda rate: seeker.can(rate, bounce, band, reach=True))
    sure = _first(grid, lambda rate: not seeker.can(rate, bounce, band, reach=False))
    low = None if reached == 0 else float(grid[reached - 1])
    return low, None if sure == len(grid) else float(grid[sure])


def _bounces(seeker: Seeker, reply: float, band: int) -> tuple[float | None, float | None]:
    curve = seeker.program.bounce
    grid = curve.knots if curve.form == "free" else _GRID
    missed = _first(grid, lambda rate: seeker.can(reply, rate, band, reach=False))
    out = _first(grid, lambda rate: not seeker.can(reply, rate, band, reach=True))
    low = None if missed == 0 else float(grid[missed - 1])
    return low, None if out == len(grid) else float(grid[out])


def _first(grid: Array, holds: Callable[[float], bool]) -> int:
    """The first place from which on something holds; the length where it holds nowhere."""
    low, high = 0, len(grid)
    while low < high:
        middle = (low + high) // 2
        if holds(float(grid[middle])):
            high = middle
        else:
            low = middle + 1
    return low
