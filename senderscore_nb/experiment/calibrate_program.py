"""Every policy that agrees with the readings, as the solutions of one linear program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from senderscore_nb.experiment.calibrate_assumptions import Assumptions, Form
from senderscore_nb.experiment.calibrate_evidence import Array, Demands

MARGIN = 1e-5
"""Points by which a score stays below an edge that it does not reach."""

_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Curve:
    """A curve by its points at knots.

    Attributes:
        knots: Rates, rising.
        form: What a curve does between them: `free` is anything monotone.
        rises: With the rate, else it falls.
    """

    knots: Array
    form: Form
    rises: bool

    def weights(self, rates: Array, *, highest: bool) -> Array:
        """Rows that give the highest (or the lowest) points of rates from those of the knots."""
        rows = np.zeros((len(rates), len(self.knots)))
        each = np.arange(len(rates))
        last = len(self.knots) - 1
        if self.form == "free":
            side, step = ("left", 0) if highest == self.rises else ("right", 1)
            place = np.searchsorted(self.knots, rates, side=side) - step  # type: ignore[call-overload]
            rows[each, np.clip(place, 0, last)] = 1.0
            return rows
        before = np.clip(np.searchsorted(self.knots, rates, side="right") - 1, 0, last)
        if self.form == "step":
            rows[each, before] = 1.0
            return rows
        after = np.minimum(before + 1, last)
        gap = self.knots[after] - self.knots[before]
        share = (rates - self.knots[before]) / np.where(gap > 0, gap, 1.0)
        share = np.where(gap > 0, np.clip(share, 0.0, 1.0), 0.0)
        rows[each, before] += 1 - share
        rows[each, after] += share
        return rows


@dataclass(frozen=True)
class Program:
    """Unknowns: points at the knots of both curves, the bands' lower edges, and the margin.

    Attributes:
        reply: The reply curve.
        bounce: The bounce curve.
        count: Of bands.
        rows: Left sides of `rows @ unknowns <= limits`.
        limits: Their right sides.
        reading: Whose demand a row is; -1 where it is of the form.
        equal: Left sides of equations.
        equals: Their right sides.
        bounds: Lowest and highest value of each unknown.
    """

    reply: Curve
    bounce: Curve
    count: int
    rows: Any
    limits: Array
    reading: npt.NDArray[np.int64]
    equal: Any
    equals: Array | None
    bounds: Array

    @property
    def unknowns(self) -> int:
        """How many there are, the margin included."""
        return len(self.bounds)

    @property
    def edges_free(self) -> bool:
        """Some edge is not known."""
        first = len(self.reply.knots) + len(self.bounce.knots)
        pair = self.bounds[first:-1]
        return bool((pair[:, 0] < pair[:, 1]).any())

    def edge(self, band: int) -> int:
        """The place of a band's lower edge among the unknowns."""
        return len(self.reply.knots) + len(self.bounce.knots) + band - 1

    def scores(self, replies: Array, bounces: Array, *, highest: bool) -> Array:
        """Rows that give the highest (or lowest) score of pairs of rates from the unknowns."""
        rows = np.zeros((len(replies), self.unknowns))
        a, b = len(self.reply.knots), len(self.bounce.knots)
        rows[:, :a] = self.reply.weights(replies, highest=highest)
        rows[:, a : a + b] = self.bounce.weights(bounces, highest=highest)
        return rows

    def optimum(self, goal: Array) -> Array | None:
        """The unknowns that make a goal least while all agree; None where nothing agrees."""
        bounds = self.bounds.copy()
        bounds[-1] = MARGIN
        return self._solved(goal, bounds)[0]

    def widest(self) -> tuple[Array, float, npt.NDArray[np.int64]]:
        """The policy with the widest margin, the margin, and the readings that hold it there.

        A margin below `MARGIN` means that nothing agrees; the readings then contradict each other.
        """
        goal = np.zeros(self.unknowns)
        goal[-1] = -1.0
        found, duals = self._solved(goal, self.bounds)
        if found is None:
            raise RuntimeError("A policy without readings must exist.")
        binding = self.reading[(np.abs(duals) > 1e-9) & (self.reading >= 0)]
        return found, float(found[-1]), np.unique(binding)

    def _solved(self, goal: Array, bounds: Array) -> tuple[Array | None, Array]:
        from scipy.optimize import linprog

        # The stubs know no array of bounds, which is what scipy turns everything else into.
        got = linprog(  # type: ignore[call-overload]
            goal,
            A_ub=self.rows,
            b_ub=self.limits,
            A_eq=self.equal,
            b_eq=self.equals,
            bounds=bounds,
            method="highs",
            options={"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9},
        )
        if got.x is None or got.status != 0:
            return None, np.zeros(len(self.limits))
        return np.asarray(got.x, dtype=np.float64), np.asarray(got.ineqlin.marginals)


def agrees(margin: float) -> bool:
    """Whether a margin is one under which readings agree."""
    return margin >= MARGIN - _TOLERANCE


def program_of(
    demands: Demands, names: Sequence[str], assumed: Assumptions, edges: Sequence[float | None]
) -> Program:
    """The program of demands under assumptions.

    Args:
        demands: What the readings demand.
        names: The bands.
        assumed: Scale and form.
        edges: The lower edge of each band but the first; None where it is to be fitted.
    """
    from scipy.sparse import csr_array

    reply = _curve(assumed.reply_knots, demands.reply, assumed.form("reply"), rises=True)
    bounce = _curve(assumed.bounce_knots, demands.bounce, assumed.form("bounce"), rises=False)
    a, b, count = len(reply.knots), len(bounce.knots), len(names)
    size = a + b + count
    shape_rows, shape_limits = _shape(a, b, count)
    demand_rows, demand_limits = _demanded(demands, reply, bounce, size)
    equal, equals = _pinned(reply, bounce, size, assumed)
    bounds = np.tile([0.0, assumed.most], (size, 1))
    for i, edge in enumerate(edges):
        if edge is not None:
            bounds[a + b + i] = edge
    bounds[-1] = -10 * assumed.most, assumed.most
    return Program(
        reply=reply,
        bounce=bounce,
        count=count,
        rows=csr_array(np.vstack([shape_rows, demand_rows])),
        limits=np.concatenate([shape_limits, demand_limits]),
        reading=np.concatenate([np.full(len(shape_limits), -1), demands.reading]),
        equal=csr_array(equal) if len(equal) else None,
        equals=equals if len(equals) else None,
        bounds=bounds,
    )


def _curve(knots: Sequence[float] | None, rates: Array, form: Form, *, rises: bool) -> Curve:
    chosen = np.unique(np.concatenate([[0.0, 1.0], rates])) if knots is None else np.array(knots)
    return Curve(chosen, form, rises)


def _shape(a: int, b: int, count: int) -> tuple[Array, Array]:
    """Points never fall with replies nor rise with bounces; edges rise from band to band."""
    size = a + b + count
    rows, limits = [], []
    for start, length, sign in ((0, a, 1.0), (a, b, -1.0), (a + b, count - 1, 1.0)):
        for i in range(start, start + length - 1):
            row = np.zeros(size)
            row[i], row[i + 1] = sign, -sign
            rows.append(row)
            limits.append(-MARGIN if start == a + b else 0.0)
    if count > 1:
        row = np.zeros(size)
        row[a + b] = -1.0
        rows.append(row)
        limits.append(-MARGIN)
    return np.array(rows).reshape(-1, size), np.array(limits)


def _demanded(demands: Demands, reply: Curve, bounce: Curve, size: int) -> tuple[Array, Array]:
    a, b = len(reply.knots), len(bounce.knots)
    rows = np.zeros((len(demands.edge), size))
    # Under given knots the highest and the lowest points of a rate are one; under free ones every
    # rate of a demand is a knot.
    rows[:, :a] = reply.weights(demands.reply, highest=True)
    rows[:, a : a + b] = bounce.weights(demands.bounce, highest=True)
    sign = np.where(demands.reaches, -1.0, 1.0)
    rows *= sign[:, None]
    edged = np.flatnonzero(demands.edge > 0)
    rows[edged, a + b + demands.edge[edged] - 1] = -sign[edged]
    rows[:, -1] = 1.0
    limits = np.where(demands.edge > 0, 0.0, sign * np.nan_to_num(demands.value) + MARGIN)
    # An edge is reached from its own points on, without a margin.
    reached = (demands.edge > 0) & demands.reaches
    limits[reached] = MARGIN
    return rows, limits


def _pinned(reply: Curve, bounce: Curve, size: int, assumed: Assumptions) -> tuple[Array, Array]:
    a, b = len(reply.knots), len(bounce.knots)
    pins: list[tuple[dict[int, float], float]] = []
    if assumed.reply_most is None:
        pins.append(({a - 1: 1.0, a: 1.0}, assumed.most))
    else:
        pins.append(({a - 1: 1.0}, assumed.reply_most))
        pins.append(({a: 1.0}, assumed.most - assumed.reply_most))
    if assumed.from_zero:
        pins += [({0: 1.0}, 0.0), ({a + b - 1: 1.0}, 0.0)]
    rows = np.zeros((len(pins), size))
    for row, (entries, _) in zip(rows, pins, strict=True):
        for place, entry in entries.items():
            row[place] = entry
    return rows, np.array([value for _, value in pins])
